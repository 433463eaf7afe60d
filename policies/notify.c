// notify: the front end of programs that were executed (sandbox/notify). It reads the memory of a program that may be hostile, and
// asks the broker for it.
//
// It opens files of /proc by name, and a filter sees no name: so it may open anything for reading. What keeps that harmless is that
// it has nowhere to take what it read: no socket but the broker's and the supervisor's, no file to write, no new program. And that
// it may reach other processes of this user (process_vm_readv, pidfd_getfd), as only an ancestor without Landlock can reach a
// program at all. SECURITY.md says what that is worth to an attacker.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

// Newer than the oldest headers that this builds with. Source: include/uapi/linux/seccomp.h, 6.6.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

// clang-format off
static const struct brig_dsl_values notification_requests =
    VALUES(notification_requests, "take a notification, ask whether it still waits, answer it, add a descriptor, say where it wakes",
           SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_ID_VALID, SECCOMP_IOCTL_NOTIF_ADDFD,
           SECCOMP_IOCTL_NOTIF_SET_FLAGS);
// clang-format on

static const struct brig_dsl_row notify_rows[] = {
    WHY("takes notifications and answers them"),
    ROW(ioctl, ALLOW, IN_SET(cmd, notification_requests)),
    WHY("waits for the first one with a limit, and asks whether there will be more"),
    ROW(poll, ALLOW),
    ROW(ppoll, ALLOW),
    ROW(ppoll_time64, ALLOW),

    WHY("copies what a call points to, and writes back what was asked for"),
    ROW(process_vm_readv, ALLOW, IN(flags, 0)),
    ROW(process_vm_writev, ALLOW, IN(flags, 0)),
    WHY("fetches descriptors that a call names by number; kills a process that may not live on, and nothing else"),
    ROW(pidfd_open, ALLOW),
    ROW(pidfd_getfd, ALLOW),
    ROW(pidfd_send_signal, ALLOW, IN(sig, SIGKILL)),
    WHY("waits for the program, and for what it left behind"),
    ROW(waitid, ALLOW),

    WHY("who asks, where it stands, what it has mapped: files and directories of /proc, to read or to name"),
    ROW(openat, ALLOW, MASKED(flags, ~(O_CLOEXEC | O_LARGEFILE | O_NONBLOCK), O_RDONLY, O_DIRECTORY, O_PATH | O_DIRECTORY)),
    ROW(open, ALLOW, MASKED(flags, ~(O_CLOEXEC | O_LARGEFILE | O_NONBLOCK), O_RDONLY, O_DIRECTORY, O_PATH | O_DIRECTORY)),
    ROW(read, ALLOW),
    ROW(pread64, ALLOW),
    ROW(getdents64, ALLOW),
    ROW(lseek, ALLOW),
    ROW(_llseek, ALLOW),
    ROW(close, ALLOW),

    WHY("asks the broker, tells the supervisor; with descriptors, which only messages carry"),
    ROW(sendmsg, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(recvmsg, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(sendto, ALLOW, NO_BITS(flags, MSG_OOB), IS_NULL(addr)),
    ROW(send, ALLOW, NO_BITS(flags, MSG_OOB)),
    WHY("out-of-band data, and other addressees"),
    ELSE(sendmsg, CRASH),
    ELSE(recvmsg, CRASH),
    ELSE(sendto, CRASH),
    ELSE(send, CRASH),

    WHY("what a fetched descriptor is, and its times where it may write: what the program may do to it itself"),
    ROW(statx, ALLOW, ALL_BITS(flags, AT_EMPTY_PATH)),
    ROW(utimensat, ALLOW, IS_NULL(pathname)),
    ROW(utimensat_time64, ALLOW, IS_NULL(pathname)),
    ROW(readlinkat, ALLOW),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_notify = {.name = "notify",
                                                   .base = &brig_policy_baseline,
                                                   .rows = notify_rows,
                                                   FALLBACK(CRASH),
                                                   .kernel = BRIG_DSL_KERNEL(6, 18),
                                                   .libc = "glibc 2.42, musl 1.2.5"};
