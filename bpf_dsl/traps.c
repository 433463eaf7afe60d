// traps: the table behind SECCOMP_RET_TRAP's data, and which calls must not end there.
//
// Takes: the rows that ask somebody besides the kernel, in the order of merging. Gives: ids from 1 and what each means; none where
// the policy was written for another tool, whose handler gets the data that the policy says. Guarantees: equal policies get equal
// ids; every number that can give an id is noted at it, so that the handler can tell a foreign trap (an inherited filter's id) from
// ours.
#include <string.h>

#include "bpf_dsl/resolve.h"

// What libc calls with all signals blocked. The kernel then finds no handler for SIGSYS and kills
// (kernel/signal.c:force_sig_info_to_task), so an answer from the handler is a promise that cannot be kept. CRASH stays possible:
// it wants the death and loses only the report. Measured on glibc and musl, again by each run of the tests
// (tests/policies/blocked_calls_test.c, which also has what is left out, and why); set_tid_address is musl's by its design. What
// children of posix_spawn call before execve is not here: a child dies alone.
static const struct blocked_call {
    enum brig_dsl_call call;
    const char *reason;
} blocked_calls[] = {
    {BRIG_SYS_clone, "fork, posix_spawn and pthread_create block signals around it"},
    {BRIG_SYS_clone3, "pthread_create and posix_spawn block signals around it"},
    {BRIG_SYS_exit, "threads end with signals blocked"},
    {BRIG_SYS_fork, "musl's fork blocks signals around it"},
    {BRIG_SYS_futex, "ending threads wake those that wait for them"},
    {BRIG_SYS_madvise, "glibc gives back the stack of an ending thread"},
    {BRIG_SYS_munmap, "ending threads unmap their stacks"},
    {BRIG_SYS_rseq, "glibc registers new threads before it opens signals"},
    {BRIG_SYS_rt_sigprocmask, "it is what opens signals again"},
    {BRIG_SYS_sched_setscheduler, "threads that are born with a priority set it before they open signals"},
    {BRIG_SYS_set_robust_list, "glibc registers new threads before it opens signals"},
    {BRIG_SYS_set_tid_address, "musl's detached threads clear their address before they unmap themselves"},
    {BRIG_SYS_tgkill, "glibc's pthread_kill and pthread_cancel block signals around it"},
};

const char *brig_dsl_blocked_reason(enum brig_dsl_call call)
{
    for (size_t i = 0; i < sizeof blocked_calls / sizeof blocked_calls[0]; i++) {
        if (blocked_calls[i].call == call) {
            return blocked_calls[i].reason;
        }
    }
    return NULL;
}

static uint32_t add_trap(struct dsl_resolver *resolver, enum brig_dsl_origin origin, const struct brig_dsl_action *action)
{
    struct brig_dsl_trap *trap = &resolver->traps[resolver->trap_count];
    *trap = (struct brig_dsl_trap){.origin = origin, .action = *action};
    return resolver->trap_count++;
}

void dsl_trap_note(struct dsl_resolver *resolver, uint32_t id, uint32_t nr)
{
    if (id == 0) {
        return;
    }
    struct brig_dsl_trap *trap = &resolver->traps[id];
    if (nr < BRIG_DSL_TRAP_NRS) {
        trap->nr_set[nr / 64] |= UINT64_C(1) << nr % 64;
    } else {
        trap->other_nrs = true;
    }
}

uint32_t dsl_trap_for_row(struct dsl_resolver *resolver)
{
    const struct brig_dsl_row *row = resolver->entry.row;
    if (resolver->import || !dsl_action_asks(&row->action)) {
        return 0;
    }
    uint32_t id = add_trap(resolver, BRIG_DSL_ORIGIN_ROW, &row->action);
    resolver->traps[id].row = row;
    resolver->traps[id].why = resolver->entry.why;
    return id;
}

// Nothing that an imported policy says wants an id.
static enum brig_code start_without_traps(struct dsl_resolver *resolver)
{
    const struct brig_dsl_import *import = resolver->import;
    bool has_x32 = resolver->options->arch == BRIG_DSL_X86_64;
    enum brig_code code = dsl_check_action(resolver, &import->foreign, "foreign");
    if (code == BRIG_OK) {
        code = dsl_check_action(resolver, &import->x32, "x32");
    }
    if (code == BRIG_OK) {
        resolver->fallback_ret = dsl_action_ret(resolver, &resolver->fallback, 0);
        resolver->unknown_ret = resolver->fallback_ret;
        resolver->foreign_ret = dsl_action_ret(resolver, &import->foreign, 0);
        resolver->x32_ret = has_x32 ? dsl_action_ret(resolver, &import->x32, 0) : resolver->unknown_ret;
    }
    return code;
}

enum brig_code dsl_traps_start(struct dsl_resolver *resolver, uint32_t row_count)
{
    static const struct brig_dsl_action crash = {.verb = BRIG_DSL_CRASH};
    if (resolver->import) {
        return start_without_traps(resolver);
    }
    resolver->traps = DSL_ARENA_ARRAY(resolver->arena, struct brig_dsl_trap, row_count + DSL_OWN_TRAP_IDS);
    if (!resolver->traps) {
        return dsl_resolve_exhausted(resolver);
    }
    memset(resolver->traps, 0, sizeof resolver->traps[0]);
    resolver->trap_count = 1;

    uint32_t foreign = add_trap(resolver, BRIG_DSL_ORIGIN_FOREIGN_ARCH, &crash);
    memset(resolver->traps[foreign].nr_set, 0xff, sizeof resolver->traps[foreign].nr_set);
    resolver->traps[foreign].other_nrs = true;
    resolver->foreign_trap = foreign;
    resolver->foreign_ret = dsl_action_ret(resolver, &crash, foreign);

    resolver->x32_ret = resolver->unknown_ret;
    if (resolver->options->arch == BRIG_DSL_X86_64) {
        uint32_t x32 = add_trap(resolver, BRIG_DSL_ORIGIN_X32, &crash);
        resolver->traps[x32].other_nrs = true;
        resolver->x32_trap = x32;
        resolver->x32_ret = dsl_action_ret(resolver, &crash, x32);
    }
    bool asks = dsl_action_asks(&resolver->fallback);
    uint32_t fallback = asks ? add_trap(resolver, BRIG_DSL_ORIGIN_FALLBACK, &resolver->fallback) : 0;
    resolver->fallback_trap = fallback;
    resolver->fallback_ret = dsl_action_ret(resolver, &resolver->fallback, fallback);
    return BRIG_OK;
}
