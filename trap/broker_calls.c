// broker_calls: the table of brokered calls, and the way into it. Context of everything here: any, signal handler too.
//
// Takes: broker_calls.def. Gives: a row by call in constant time. Nothing here is a pointer, so that nothing has to be relocated
// and the tables are read-only from the file on.

#include <linux/fcntl.h>

#include "trap/broker.h"

// Rows by number; 0 is no row.
enum row {
    ROW_NONE,
#define CALL(name, ...) ROW_##name,
#include "trap/broker_calls.def"
#undef CALL
    ROW_COUNT
};

static const uint8_t row_of_call[BRIG_SYS_COUNT] = {
#define CALL(name, ...) [BRIG_SYS_##name] = ROW_##name,
#include "trap/broker_calls.def"
#undef CALL
};

static const struct brig_broker_call rows[ROW_COUNT] = {
#define CALL(name, op_, dir0, path0, dir1, path1, flags_, mode_, number_, descriptor_, in_, in_shape_, out_, out_shape_, empty_, \
             fixed) \
    [ROW_##name] = {.call = BRIG_SYS_##name, \
                    .op = BRIG_BROKER_OP_##op_, \
                    .dir = {dir0, dir1}, \
                    .path = {path0, path1}, \
                    .flags = flags_, \
                    .mode = mode_, \
                    .number = number_, \
                    .descriptor = descriptor_, \
                    .in = in_, \
                    .out = out_, \
                    .in_shape = BRIG_BROKER_SHAPE_##in_shape_, \
                    .out_shape = BRIG_BROKER_SHAPE_##out_shape_, \
                    .empty = BRIG_BROKER_EMPTY_##empty_, \
                    .fixed_flags = fixed},
#include "trap/broker_calls.def"
#undef CALL
};

_Static_assert(BRIG_SYS_COUNT <= UINT16_MAX && ROW_COUNT <= UINT8_MAX, "calls and rows fit their fields");

const struct brig_broker_call *brig_broker_find_call(enum brig_dsl_call call)
{
    const uint8_t row = (unsigned)call < BRIG_SYS_COUNT ? row_of_call[call] : ROW_NONE;
    return row == ROW_NONE ? NULL : &rows[row];
}
