// broker_direct: a brokered call without a trap, for libc's functions as libbrig-wrap has them. A trap costs as much as half an
// open.
//
// Takes a call as libc would make it. Does what the handler would do where the policy asks the broker whatever the arguments are;
// all else is left to the filter. Differs from the trap in one thing: memory that cannot be read or written is a fault of the
// program, as it may be in any function of libc, and not EFAULT.

#include <string.h>

#include "trap/broker.h"
#include "trap/handler/handler.h"

bool brig_broker_try(enum brig_dsl_call call, const uint64_t args[6], int64_t *ret_result)
{
    const struct trap_root *root = &trap_root_page.root;
    if (!root->broker_slots) {
        return false;
    }
    const uint32_t nr = (uint32_t)brig_dsl_call_nr(call, root->arch);
    if (nr >= BRIG_DSL_TRAP_NRS || !(root->brokered[nr / 64] >> nr % 64 & 1)) {
        return false;
    }
    struct brig_trap_call ordinary = {.call = call, .nr = nr, .audit_arch = root->audit_arch, .level = 0};
    memcpy(ordinary.args, args, sizeof ordinary.args);
    const struct brig_trap_outcome outcome = trap_ask_broker_unprobed(&ordinary);
    if (outcome.kind == BRIG_TRAP_VIOLATION) {
        return false; // the call itself is reported, with the place where it was made
    }
    *ret_result = outcome.kind == BRIG_TRAP_ERRNO ? -outcome.value : outcome.value;
    return true;
}
