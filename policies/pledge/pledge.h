// pledge: the tables that promises are made of. Private to policies/pledge.
#ifndef BRIG_POLICIES_PLEDGE_PLEDGE_H
#define BRIG_POLICIES_PLEDGE_PLEDGE_H

#include "bpf_dsl/bpf_dsl.h"

#define GRANT(table, promises) extern const struct brig_dsl_row policy_pledge_##table[];
#include "policies/pledge/grants.def"
#undef GRANT

// In every policy: what no promise is needed for.
extern const struct brig_dsl_row policy_pledge_always[];
// Behind all grants: calls that were not promised, with the promise that they would need. Without and with `error`.
extern const struct brig_dsl_row policy_pledge_rest_kills[];
extern const struct brig_dsl_row policy_pledge_rest_fails[];

#endif
