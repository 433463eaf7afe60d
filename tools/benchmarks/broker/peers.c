// peers: two small brokers to be measured against, the usual ones. Both answer openat from a SIGSYS handler that sends the path
// over a SOCK_SEQPACKET pair and gets the descriptor by SCM_RIGHTS.
//
//   one pair          request and answer over one pair that was made at the start. Serves one thread: answers of two would cross.
//   pair per request  each request carries an end of a new pair, over which the answer comes: what Chromium's broker does.
//
// As small as can be: one path is allowed and compared as text, nothing is counted, checked or reported. What they have to
// be is correct, not safe.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "tools/benchmarks/bench.h"
#include "tools/benchmarks/broker/race.h"
#include "trap/handler/arch/arch.h"

enum { PATH_BYTES = 256 };

// --- messages with one descriptor -------------------------------------------------------------------------------------

union control {
    struct cmsghdr header;
    unsigned char bytes[CMSG_SPACE(sizeof(int))];
};

static bool send_message(int socket_fd, const void *data, size_t bytes, int descriptor)
{
    struct iovec part = {(void *)(uintptr_t)data, bytes};
    union control control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    }
    return sendmsg(socket_fd, &message, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static ssize_t receive_message(int socket_fd, void *data, size_t bytes, int *ret_descriptor)
{
    struct iovec part = {data, bytes};
    union control control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    const ssize_t got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    *ret_descriptor = -1;
    if (got > 0 && message.msg_controllen >= sizeof control.header && control.header.cmsg_type == SCM_RIGHTS) {
        memcpy(ret_descriptor, CMSG_DATA(&control.header), sizeof *ret_descriptor);
    }
    return got;
}

// --- the brokers ------------------------------------------------------------------------------------------------------

static int64_t open_listed(const char *path, int *ret_descriptor)
{
    *ret_descriptor = -1;
    if (strcmp(path, RACE_FILE) != 0) {
        return -EACCES;
    }
    *ret_descriptor = open(path, O_RDONLY | O_CLOEXEC);
    return *ret_descriptor < 0 ? -errno : 0;
}

static void close_if_open(int descriptor)
{
    if (descriptor >= 0) {
        close(descriptor);
    }
}

__attribute__((noreturn)) static void serve(int socket_fd, bool answers_over_the_sent_pair)
{
    char path[PATH_BYTES];
    int sent, descriptor;
    ssize_t bytes;
    while ((bytes = receive_message(socket_fd, path, sizeof path - 1, &sent)) > 0) {
        path[bytes] = '\0';
        const int64_t result = open_listed(path, &descriptor);
        send_message(answers_over_the_sent_pair ? sent : socket_fd, &result, sizeof result, descriptor);
        close_if_open(descriptor);
        close_if_open(sent);
    }
    _exit(0);
}

// --- the clients ------------------------------------------------------------------------------------------------------

static int broker_fd; // of the client process

static int64_t answer_over(int socket_fd)
{
    int64_t result;
    int descriptor;
    if (receive_message(socket_fd, &result, sizeof result, &descriptor) != sizeof result) {
        return -EIO;
    }
    return result == 0 ? descriptor : result;
}

static void ask_over_one_pair(int signal_nr, siginfo_t *info, void *context)
{
    uint64_t args[6];
    (void)signal_nr;
    trap_arch_args(context, info->si_arch, args);
    const char *path = (const char *)(uintptr_t)args[1];
    send_message(broker_fd, path, strlen(path), -1);
    trap_arch_set_result(context, answer_over(broker_fd));
}

static void ask_over_a_new_pair(int signal_nr, siginfo_t *info, void *context)
{
    uint64_t args[6];
    int pair[2];
    (void)signal_nr;
    trap_arch_args(context, info->si_arch, args);
    const char *path = (const char *)(uintptr_t)args[1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        trap_arch_set_result(context, -errno);
        return;
    }
    send_message(broker_fd, path, strlen(path), pair[1]);
    close(pair[1]);
    trap_arch_set_result(context, answer_over(pair[0]));
    close(pair[0]);
}

static bool lock(void (*handler)(int signal_nr, siginfo_t *info, void *context))
{
    static const struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof insns / sizeof insns[0], .filter = (struct sock_filter *)(uintptr_t)insns};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigfillset(&action.sa_mask);
    sigdelset(&action.sa_mask, SIGSYS);
    return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

// --- starting and ending ----------------------------------------------------------------------------------------------

bool race_pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

static pid_t fork_pinned(int processor)
{
    const pid_t pid = fork();
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || !race_pin(processor))) {
        _exit(1);
    }
    return pid;
}

struct peer {
    void (*handler)(int signal_nr, siginfo_t *info, void *context);
    bool answers_over_the_sent_pair;
};

// Both ends of both pairs stay open in both children but for what keeps a broker from seeing its client go.
static void run_client(const struct peer *peer, const int brokers[2], const int orders[2])
{
    close(brokers[1]);
    close(orders[0]);
    broker_fd = brokers[0];
    _exit(lock(peer->handler) ? race_obey(orders[1]) : 1);
}

static void run_broker(const struct peer *peer, const int brokers[2], const int orders[2])
{
    close(brokers[0]);
    close(orders[0]);
    close(orders[1]);
    serve(brokers[1], peer->answers_over_the_sent_pair);
}

static bool start(struct race_client *client, const struct peer *peer, int client_processor, int broker_processor)
{
    int brokers[2], orders[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, brokers) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) != 0) {
        perror("bench: socketpair");
        return false;
    }
    client->pids[1] = fork_pinned(broker_processor);
    if (client->pids[1] == 0) {
        run_broker(peer, brokers, orders);
    }
    client->pids[0] = fork_pinned(client_processor);
    if (client->pids[0] == 0) {
        run_client(peer, brokers, orders);
    }
    close(brokers[0]);
    close(brokers[1]);
    close(orders[1]);
    client->fd = orders[0];
    return client->pids[0] > 0 && client->pids[1] > 0;
}

bool race_start_one_pair(struct race_client *client, int client_processor, int broker_processor)
{
    static const struct peer peer = {ask_over_one_pair, false};
    client->name = "one SEQPACKET pair";
    return start(client, &peer, client_processor, broker_processor);
}

bool race_start_pair_per_request(struct race_client *client, int client_processor, int broker_processor)
{
    static const struct peer peer = {ask_over_a_new_pair, true};
    client->name = "a new pair per request";
    return start(client, &peer, client_processor, broker_processor);
}

void race_end(struct race_client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    for (int i = 0; i < 2; i++) {
        if (client->pids[i] > 0) {
            kill(client->pids[i], SIGKILL);
            waitpid(client->pids[i], NULL, 0);
        }
    }
    *client = (struct race_client){.fd = -1};
}

// --- the work ---------------------------------------------------------------------------------------------------------

static int open_it(const char *path, bool is_trapped)
{
    const int flags = O_RDONLY | O_CLOEXEC;
    return is_trapped ? (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0) : open(path, flags);
}

// Another name each time, and as quick to make as can be.
static const char *new_name(void)
{
    static char name[] = "/etc/hosts.00000000";
    static uint32_t count;
    uint32_t rest = ++count;
    for (size_t at = sizeof name - 2; name[at] != '.'; at--) {
        name[at] = (char)('0' + rest % 10);
        rest /= 10;
    }
    return name;
}

static int64_t do_once(enum race_task task, bool is_trapped)
{
    const char *path = task == RACE_OPEN ? RACE_FILE : task == RACE_REFUSED ? RACE_SECRET : new_name();
    const int descriptor = open_it(path, is_trapped);
    if (task != RACE_OPEN) {
        return descriptor < 0 && errno == EACCES ? 0 : descriptor < 0 ? errno : EBADF;
    }
    if (descriptor < 0) {
        return errno;
    }
    close(descriptor);
    return 0;
}

int race_obey(int fd)
{
    struct race_order order;
    while (read(fd, &order, sizeof order) == sizeof order) {
        struct race_result result = {.sys_errno = 0};
        const uint64_t from_ns = bench_now_ns();
        for (uint32_t i = 0; i < order.iterations && result.sys_errno == 0; i++) {
            result.sys_errno = do_once((enum race_task)order.task, order.is_trapped);
        }
        result.ns = result.sys_errno == 0 ? bench_now_ns() - from_ns : 0;
        if (write(fd, &result, sizeof result) != sizeof result) {
            return 1;
        }
    }
    return 0;
}
