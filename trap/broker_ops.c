// broker_ops: what the broker can be asked for, by number, for messages and documentation.

#include "trap/broker.h"

const struct brig_broker_op_info brig_broker_ops[BRIG_BROKER_OP_COUNT] = {
    [BRIG_BROKER_OP_NONE] = {.name = "NONE", .answer = BRIG_BROKER_ANSWER_NUMBER, .what = "nothing"},
#define OP(name_, answer_, paths_, what_) \
    [BRIG_BROKER_OP_##name_] = {.name = #name_, .answer = BRIG_BROKER_ANSWER_##answer_, .paths = paths_, .what = what_},
#include "trap/broker_ops.def"
#undef OP
};
