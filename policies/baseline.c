// baseline: what any C or C++ program does that computes in memory, on glibc and on musl, up to the message with which it dies.
//
// Holds no descriptor, path or socket right but to write (stderr, or whatever descriptor it was left with). Process types are
// derived from it and add what their job needs. Found by running libc's own paths (threads, malloc in many threads, abort, assert,
// malloc's checks, backtrace, C++ exceptions) on glibc and musl, dynamic and static; tests/policies/stress.c runs them again.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_row baseline_rows[] = {
    WHY("the last words of a panicking program"),
    ROW(SET(brig_policy_panic), ALLOW),
    WHY("malloc gives memory back and grows the heap"),
    ROW(SET(brig_policy_memory), ALLOW),
    USE(brig_policy_restrict_mmap),
    USE(brig_policy_restrict_madvise),
    USE(brig_policy_restrict_membarrier),

    WHY("threads start and end; with signals blocked, so nothing here may trap"),
    ROW(SET(brig_policy_threads), ALLOW),
    USE(brig_policy_restrict_clone),
    USE(brig_policy_restrict_futex),
    USE(brig_policy_restrict_sched),

    WHY("a thread's own signal mask and alternate stack"),
    ROW(SET(brig_policy_signals), ALLOW),
    USE(brig_policy_restrict_sigaction),
    USE(brig_policy_restrict_kill),

    WHY("the time, when the vDSO cannot answer"),
    ROW(SET(brig_policy_time), ALLOW),
    USE(brig_policy_restrict_clock_ids),

    WHY("facts about oneself"),
    ROW(SET(brig_policy_getters), ALLOW),
    USE(brig_policy_restrict_limits),
    USE(brig_policy_restrict_prctl),

    WHY("libc tries the newer spelling first and falls back to the older one on ENOSYS"),
    ROW(SET(brig_policy_newer_twins), DENY(ENOSYS)),

    USE(brig_policy_restrict_paths),
    WHY("what stderr is: stdio asks before its first write"),
    ROW(SET(brig_policy_fd_stat), ALLOW),
    USE(brig_policy_restrict_fcntl),
    USE(brig_policy_restrict_ioctl),
    USE(brig_policy_restrict_socket),

    WHY("no other program: shellcode's first wish, and the trap handler does not survive execve"),
    ROW(SET(brig_policy_new_programs), CRASH),
    WHY("no reaching into other processes: their memory, descriptors and signals"),
    ROW(SET(brig_policy_other_processes), CRASH),
    WHY("no calls in another context: of the kernel exploits sent to Google's bounty in 2022, 60 % used io_uring"),
    ROW(SET(brig_policy_async_io), CRASH),
    WHY("no programs, counters or fault handlers inside the kernel: CVE-2021-3490, CVE-2013-2094"),
    ROW(SET(brig_policy_kernel_programs), CRASH),
    WHY("no kernel keys: CVE-2016-0728"),
    ROW(SET(brig_policy_keyrings), CRASH),
    WHY("no namespaces and mounts: kernel code that was written for root (CVE-2022-0185)"),
    ROW(SET(brig_policy_namespaces), CRASH),
    WHY("no running the machine, not even as root"),
    ROW(SET(brig_policy_administration), CRASH),
    WHY("no other identity, no more rights"),
    ROW(SET(brig_policy_identity), CRASH),
    WHY("no names that the whole machine shares"),
    ROW(SET(brig_policy_shared_ipc), CRASH),
    WHY("no moving of pages between files, pipes and processes: CVE-2022-0847 (Dirty Pipe)"),
    ROW(SET(brig_policy_page_tricks), CRASH),
    WHY("no memory policies: CVE-2010-0415, CVE-2023-4611"),
    ROW(SET(brig_policy_numa), CRASH),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_baseline = {
    .name = "baseline", .rows = baseline_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "glibc 2.42, musl 1.2.5"};
