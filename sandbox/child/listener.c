// listener: the phase-one filter, by which a worker's requests reach its broker.
//
// Takes a process with one thread and no_new_privs, gives a filter that turns BRIG_DSL_BROKER_NR into a notification and allows all
// else, and the listener for it in the supervisor's hands. As written for the kernel:
//
//     load arch;  if it is not ours: ALLOW        (the policy's own filter refuses it)
//     load nr;    if it is BRIG_DSL_BROKER_NR: USER_NOTIF, else ALLOW
//
// It stays below the worker's real filter for ever. No verdict looks at an argument, so the kernel still answers the calls that
// both allow from its bitmap (kernel/seccomp.c:seccomp_cache_prepare, since 5.11).
//
// Here and not with the real filter: a listener can only be had together with a new filter, and with TSYNC its errors would hide
// which thread is in the way. A chain of filters can have one listener.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/child/child.h"
#include "sandbox/worker/packet.h"

// Newer than the oldest headers that this builds with. Source: include/uapi/linux/seccomp.h, 6.6.
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

static const char step_listener[] = "make the broker's listener";

static enum brig_code failed(struct brig_error *reterr, const char *subject)
{
    const enum brig_code code = errno == ENOSYS || errno == EINVAL ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED;
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_listener, .subject = subject};
    return brig_error_set(reterr, error);
}

static int install(uint32_t flags)
{
    // Counted by the assembler's rule: a jump skips as many instructions as it says, behind itself.
    const uint32_t arch = brig_dsl_arch_audit(brig_dsl_arch_native());
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BRIG_DSL_BROKER_NR, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof insns / sizeof insns[0], .filter = insns};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
}

// With WAIT_KILLABLE_RECV (5.19) a signal that comes while the broker works does not end the call and have it asked again.
static int install_killable(void)
{
    const int fd = install(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    return fd < 0 && errno == EINVAL ? install(0) : fd;
}

// Whoever asks waits, and whoever answers has done its work: so the other runs where the first one ran, with its caches, and no
// processor has to be woken from its sleep for it. Where they may not run on the same one, the kernel does as without the flag; a
// kernel before 6.6 does so always.
void box_listener_keep_together(int listener_fd)
{
    syscall(SYS_ioctl, listener_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

// Over the worker's end of the socket that carries descriptors to the broker later: this is its first message, and goes to the
// supervisor.
static bool hand_over(int socket_fd, int listener_fd)
{
    const struct box_packet_fds fds = box_packet_fd(listener_fd);
    return box_packet_send(socket_fd, "", 1, &fds, MSG_DONTWAIT) == 1;
}

enum brig_code box_stage_listener(const struct box_child *child, struct brig_error *reterr)
{
    if (child->broker_fd < 0)
        return BRIG_OK;
    const int fd = install_killable();
    if (fd < 0)
        return failed(reterr, errno == EBUSY ? "a second listener" : "seccomp listener");
    box_listener_keep_together(fd);
    const bool is_sent = hand_over(child->broker_fd, fd);
    const int reason = errno;
    close(fd); // whoever holds it could answer this worker's requests
    errno = reason;
    return is_sent ? BRIG_OK : failed(reterr, "sendmsg");
}
