// synthetic: policies that are made up, so that limits are measured on every machine, whatever files it has.
//
// The container profile has the shape of those that container engines ship: a list of calls that is allowed, few with arguments, an
// errno for the rest. Others are as bad as real policies may get, a thousand ioctl numbers, and hundreds of calls of which four in
// five are decided by arguments; or as small. All are imported policies, so that nothing of Brig's own is in them that libseccomp
// could not say as well. Guarantees: the same rows every time.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/words.h"
#include "tools/benchmarks/compiler/compiler.h"

const char bench_container_name[] = "container";
const char bench_values_name[] = "1000 values";
const char bench_dense_name[] = "dense";

static const struct brig_dsl_import import = {.foreign = {.verb = BRIG_DSL_KILL_PROCESS}, .x32 = {.verb = BRIG_DSL_KILL_PROCESS}};

// --- a container's profile --------------------------------------------------------------------------------------------

static const struct brig_dsl_set files = CALLS(
    files, "files and directories, by path or descriptor", access, chdir, chmod, chown, close, close_range, copy_file_range, creat,
    dup, dup2, dup3, faccessat, faccessat2, fadvise64, fallocate, fanotify_mark, fchdir, fchmod, fchmodat, fchmodat2, fchown,
    fchownat, fcntl, fdatasync, fgetxattr, file_getattr, file_setattr, flistxattr, flock, fremovexattr, fsetxattr, fstat, fstatfs,
    fsync, ftruncate, futimesat, getcwd, getdents, getdents64, getxattr, getxattrat, inotify_add_watch, inotify_init, inotify_init1,
    inotify_rm_watch, ioctl, lchown, lgetxattr, link, linkat, listxattr, listxattrat, llistxattr, lremovexattr, lseek, lsetxattr,
    lstat, mkdir, mkdirat, mknod, mknodat, name_to_handle_at, newfstatat, open, openat, openat2, pread64, preadv, preadv2, pwrite64,
    pwritev, pwritev2, read, readahead, readlink, readlinkat, readv, remap_file_pages, removexattr, removexattrat, rename, renameat,
    renameat2, rmdir, sendfile, setxattr, setxattrat, splice, stat, statfs, statx, symlink, symlinkat, sync, sync_file_range,
    syncfs, tee, truncate, umask, unlink, unlinkat, utime, utimensat, utimes, vmsplice, write, writev, cachestat);
static const struct brig_dsl_set memory =
    CALLS(memory, "memory of its own", brk, madvise, map_shadow_stack, membarrier, memfd_create, memfd_secret, mincore, mlock,
          mlock2, mlockall, mmap, mprotect, mremap, mseal, msync, munlock, munlockall, munmap, pkey_alloc, pkey_free, pkey_mprotect,
          process_mrelease);
static const struct brig_dsl_set processes = CALLS(
    processes, "processes, threads and what they have", alarm, arch_prctl, capget, capset, execve, execveat, exit, exit_group, fork,
    getcpu, getegid, geteuid, getgid, getgroups, getpgid, getpgrp, getpid, getppid, getpriority, getresgid, getresuid, getrlimit,
    get_robust_list, getrusage, getsid, get_thread_area, gettid, getuid, ioprio_get, ioprio_set, kill, landlock_add_rule,
    landlock_create_ruleset, landlock_restrict_self, modify_ldt, nanosleep, pause, pidfd_open, pidfd_send_signal, prctl, prlimit64,
    process_vm_readv, process_vm_writev, ptrace, restart_syscall, rseq, rt_sigaction, rt_sigpending, rt_sigprocmask,
    rt_sigqueueinfo, rt_sigreturn, rt_sigsuspend, rt_sigtimedwait, rt_tgsigqueueinfo, sched_getaffinity, sched_getattr,
    sched_getparam, sched_get_priority_max, sched_get_priority_min, sched_getscheduler, sched_rr_get_interval, sched_setaffinity,
    sched_setattr, sched_setparam, sched_setscheduler, sched_yield, seccomp, setfsgid, setfsuid, setgid, setgroups, setitimer,
    setpgid, setpriority, setregid, setresgid, setresuid, setreuid, setrlimit, set_robust_list, setsid, set_thread_area,
    set_tid_address, setuid, sigaltstack, sysinfo, tgkill, time, times, tkill, uname, ustat, vfork, wait4, waitid);
static const struct brig_dsl_set talking = CALLS(
    talking, "sockets, queues, waiting", accept, accept4, bind, connect, epoll_create, epoll_create1, epoll_ctl, epoll_ctl_old,
    epoll_pwait, epoll_pwait2, epoll_wait, epoll_wait_old, eventfd, eventfd2, futex, futex_requeue, futex_wait, futex_waitv,
    futex_wake, getpeername, getsockname, getsockopt, io_cancel, io_destroy, io_getevents, io_pgetevents, io_setup, io_submit,
    listen, mq_getsetattr, mq_notify, mq_open, mq_timedreceive, mq_timedsend, mq_unlink, msgctl, msgget, msgrcv, msgsnd, pipe,
    pipe2, poll, ppoll, pselect6, recvfrom, recvmmsg, recvmsg, select, semctl, semget, semop, semtimedop, sendmmsg, sendmsg, sendto,
    setsockopt, shmat, shmctl, shmdt, shmget, shutdown, signalfd, signalfd4, socketpair);
static const struct brig_dsl_set clocks = CALLS(
    clocks, "time, and what else is asked", adjtimex, clock_adjtime, clock_getres, clock_gettime, clock_nanosleep, getitimer,
    getrandom, gettimeofday, lsm_get_self_attr, lsm_list_modules, lsm_set_self_attr, riscv_hwprobe, timer_create, timer_delete,
    timer_getoverrun, timer_gettime, timer_settime, timerfd_create, timerfd_gettime, timerfd_settime, uretprobe);

static const struct brig_dsl_row container_rows[] = {
    ROW(SET(files), ALLOW),
    ROW(SET(memory), ALLOW),
    ROW(SET(processes), ALLOW),
    ROW(SET(talking), ALLOW),
    ROW(SET(clocks), ALLOW),
    WHY("every family but the hypervisor's"),
    ROW(socket, ALLOW, AT_MOST(reg0, 39)),
    ROW(socket, ALLOW, AT_LEAST(reg0, 41)),
    WHY("personalities that harm nobody"),
    ROW(personality, ALLOW, IN(reg0, 0, 8, 0x20000, 0x20008, 0xffffffff)),
    WHY("no namespaces"),
    ROW(clone, ALLOW, NO_BITS(reg0, 0x7e020000)),
    ROW(clone3, DENY(38)),
    ROWS_END,
};
static const struct brig_dsl_policy container = {
    .name = bench_container_name, .rows = container_rows, FALLBACK(DENY(1)), .libc = "any", .import = &import};

// --- few rules --------------------------------------------------------------------------------------------------------

// As a service manager or a daemon adds to what others have set; most of the time goes into what does not depend on the rules.
static const struct brig_dsl_row two_denied_rows[] = {ROW(ptrace, DENY(1)), ROW(process_vm_readv, DENY(1)), ROWS_END};
static const struct brig_dsl_policy two_denied = {
    .name = "two denied", .rows = two_denied_rows, FALLBACK(ALLOW), .libc = "any", .import = &import};

static const struct brig_dsl_row four_allowed_rows[] = {ROW(read, ALLOW), ROW(write, ALLOW), ROW(exit, ALLOW),
                                                        ROW(rt_sigreturn, ALLOW), ROWS_END};
static const struct brig_dsl_policy four_allowed = {
    .name = "four allowed", .rows = four_allowed_rows, FALLBACK(KILL_PROCESS), .libc = "any", .import = &import};

static const struct brig_dsl_row one_value_rows[] = {ROW(ioctl, DENY(1), IN(reg1, 0x5412)), ROWS_END};
static const struct brig_dsl_policy one_value = {
    .name = "one value", .rows = one_value_rows, FALLBACK(ALLOW), .libc = "any", .import = &import};

static const struct brig_dsl_row two_values_rows[] = {ROW(ptrace, DENY(1)), ROW(socket, DENY(97), IN(reg0, 16)),
                                                      ROW(ioctl, DENY(1), IN(reg1, 0x5412)), ROWS_END};
static const struct brig_dsl_policy two_values = {
    .name = "two values", .rows = two_values_rows, FALLBACK(ALLOW), .libc = "any", .import = &import};

// --- many values, many calls ------------------------------------------------------------------------------------------

enum { VALUES = 1000, DENSE_CALLS = 430, ROW_TEXT_BYTES = 160 };

// Text that grows at its end; cut where there is no more room, which the sizes below rule out.
struct text {
    char *bytes;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int written = vsnprintf(text->bytes + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
    text->used += written > 0 ? (size_t)written : 0;
}

static const struct brig_dsl_policy *thousand_values(void)
{
    static char bytes[VALUES * 12];
    static struct brig_dsl_condition conditions[] = {{.op = BRIG_DSL_IN, .argument = "reg1", .text = bytes},
                                                     BRIG_DSL_CONDITIONS_END};
    static const struct brig_dsl_row rows[] = {
        {.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_ioctl, .action = {.verb = BRIG_DSL_ALLOW}, .conditions = conditions},
        ROWS_END};
    static const struct brig_dsl_policy policy = {
        .name = bench_values_name, .rows = rows, FALLBACK(DENY(1)), .libc = "any", .import = &import};
    struct bench_random random = {1};
    struct text text = {bytes, sizeof bytes, 0};
    for (int i = 0; i < VALUES; i++) {
        append(&text, "%s0x%x", i ? "," : "", (uint32_t)bench_random_next(&random));
    }
    return &policy;
}

struct dense_row {
    struct brig_dsl_condition conditions[3];
    char texts[2][ROW_TEXT_BYTES];
};

// One to six values of one register, and in every third row bits of another.
static void fill_dense_row(struct dense_row *row, struct bench_random *random)
{
    static const char *const registers[] = {"reg0", "reg1", "reg2"};
    const uint64_t bits = bench_random_next(random);
    struct text values = {row->texts[0], ROW_TEXT_BYTES, 0}, mask = {row->texts[1], ROW_TEXT_BYTES, 0};
    for (uint64_t i = 0; i <= bits % 6; i++) {
        append(&values, "%s%u", i ? "," : "", (unsigned)(bench_random_next(random) % 5000));
    }
    append(&mask, "0x%x", (unsigned)(bits >> 40) | 1);
    row->conditions[0] =
        (struct brig_dsl_condition){.op = BRIG_DSL_IN, .argument = registers[(bits >> 8) % 3], .text = row->texts[0]};
    row->conditions[1] = (struct brig_dsl_condition){.op = (bits >> 16) % 3 ? BRIG_DSL_END : BRIG_DSL_NO_BITS,
                                                     .argument = registers[((bits >> 8) + 1) % 3],
                                                     .text = row->texts[1]};
    row->conditions[2] = (struct brig_dsl_condition)BRIG_DSL_CONDITIONS_END;
}

static const struct brig_dsl_policy *dense(void)
{
    static const struct brig_dsl_condition none[] = {BRIG_DSL_CONDITIONS_END};
    static struct dense_row texts[DENSE_CALLS];
    static struct brig_dsl_row rows[DENSE_CALLS + 1]; // the last is ROWS_END
    static const struct brig_dsl_policy policy = {
        .name = bench_dense_name, .rows = rows, FALLBACK(DENY(1)), .libc = "any", .import = &import};
    struct bench_random random = {2};
    uint32_t nr = 0;
    for (size_t i = 0; i < DENSE_CALLS && nr < BRIG_DSL_TRAP_NRS; nr++) {
        const enum brig_dsl_call call = brig_dsl_call_by_nr(nr, brig_dsl_arch_native());
        if (call == BRIG_SYS_NONE) {
            continue;
        }
        const bool has_conditions = i % 5 != 0;
        fill_dense_row(&texts[i], &random);
        rows[i] = (struct brig_dsl_row){.kind = BRIG_DSL_ROW_CALL, .call = call, .action = {.verb = BRIG_DSL_ALLOW}};
        rows[i].conditions = has_conditions ? texts[i].conditions : none;
        i++;
    }
    return &policy;
}

const struct brig_dsl_policy *const *bench_synthetic_policies(void)
{
    static const struct brig_dsl_policy *all[] = {NULL, NULL, NULL, &two_denied, &four_allowed, &one_value, &two_values, NULL};
    if (!all[0]) {
        all[1] = thousand_values();
        all[2] = dense();
        all[0] = &container;
    }
    return all;
}
