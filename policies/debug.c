// debug: what sanitizers and coverage counters need on top of a policy. NOT A SANDBOX.
//
// Loud: these policies are called NAME+debug, and every message, report and listing says so. They cannot ship by accident: the file
// is compiled only with the GN argument `debug_policies`, which is true in instrumented builds alone, and nothing refers to them by
// symbol. Weakness: a report symbolised by an external llvm-symbolizer needs execve, which stays refused; use the addresses.
#include "policies/debug.h"

#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_row debug_rows[] = {
    WHY("gcov writes its counters, sanitizers read /proc/self/maps and write their logs: by path, at any time"),
    ELSE(openat, ALLOW),
    ELSE(open, ALLOW),
    ELSE(readlink, ALLOW),
    ELSE(readlinkat, ALLOW),
    ELSE(stat, ALLOW),
    ELSE(newfstatat, ALLOW),
    ELSE(access, ALLOW),
    ELSE(getcwd, ALLOW),
    ELSE(mkdir, ALLOW),
    ELSE(unlink, ALLOW),
    ELSE(umask, ALLOW),
    ELSE(fcntl, ALLOW),
    ELSE(ftruncate, ALLOW),
    ROW(SET(brig_policy_fd_io), ALLOW),
    ROW(SET(brig_policy_fd_stat), ALLOW),
    ELSE(getdents, ALLOW),
    ELSE(getdents64, ALLOW),
    ELSE(dup, ALLOW),
    ELSE(dup2, ALLOW),
    WHY("shadow memory: mapped anywhere, with any flags; poisoned stacks and guards"),
    ELSE(mmap, ALLOW),
    ELSE(mprotect, ALLOW),
    ELSE(mremap, ALLOW),
    ELSE(madvise, ALLOW),
    ELSE(mincore, ALLOW),
    ELSE(msync, ALLOW),
    ELSE(mlock, ALLOW),
    ELSE(munlock, ALLOW),
    WHY("sanitizers test memory for being readable by writing it into a pipe"),
    ELSE(pipe, ALLOW),
    ELSE(pipe2, ALLOW),
    WHY("LeakSanitizer stops all threads from a helper that traces its parent"),
    ELSE(clone, ALLOW),
    ELSE(ptrace, ALLOW),
    ELSE(wait4, ALLOW),
    ELSE(prctl, ALLOW),
    WHY("ThreadSanitizer checks its address space layout and stack limit, and counts threads"),
    ELSE(personality, ALLOW),
    ELSE(prlimit64, ALLOW),
    ELSE(getrlimit, ALLOW),
    ELSE(sched_getaffinity, ALLOW),
    ELSE(process_vm_readv, ALLOW),
    ROWS_END,
};

const struct brig_dsl_policy policy_baseline_debug = {
    .name = "baseline+debug", .base = &brig_policy_baseline, .rows = debug_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};
const struct brig_dsl_policy policy_renderer_debug = {
    .name = "renderer+debug", .base = &brig_policy_renderer, .rows = debug_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};
const struct brig_dsl_policy policy_network_debug = {
    .name = "network+debug", .base = &brig_policy_network, .rows = debug_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};
const struct brig_dsl_policy policy_broker_debug = {
    .name = "broker+debug", .base = &brig_policy_broker, .rows = debug_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};
const struct brig_dsl_policy policy_broker_network_debug = {.name = "broker+network+debug",
                                                            .base = &brig_policy_broker_network,
                                                            .rows = debug_rows,
                                                            FALLBACK(CRASH),
                                                            .kernel = BRIG_DSL_KERNEL(6, 18)};
const struct brig_dsl_policy policy_notify_debug = {
    .name = "notify+debug", .base = &brig_policy_notify, .rows = debug_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};
