#include "tests/trap/broker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define HOLD_MS 50
#define STATX_BYTES 256
#define WAIT_KILLABLE_RECV (1u << 5) // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19
#define ADDFD_SEND (1u << 1)         // SECCOMP_ADDFD_FLAG_SEND, Linux 5.14

// --- the broker -------------------------------------------------------------------------------------------------------

struct asked {
    uint64_t id;
    struct brig_broker_slot *slot;
    struct brig_broker_request request;
    const char *path[2];
    int attached[3];
};

static struct asked held[BRIG_BROKER_SLOT_COUNT];
static size_t held_count;
static int waiting_fds[BRIG_BROKER_SLOT_COUNT][4]; // of attachments: generation, then descriptors

static ssize_t receive(int socket, void *bytes, size_t count, int fds[3], int flags)
{
    union {
        char bytes[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec vector = {bytes, count};
    // No room for a fourth, which the alignment would have.
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(3 * sizeof(int))};
    const ssize_t got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (head) {
        memcpy(fds, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
    }
    return got;
}

// What came with this request and no other.
static void take_attachments(int socket, struct asked *asked, uint32_t index, uint32_t generation)
{
    struct brig_broker_attachment tag;
    int fds[3] = {-1, -1, -1};
    while (receive(socket, &tag, sizeof tag, fds, MSG_DONTWAIT) == sizeof tag) {
        int *waiting = waiting_fds[tag.slot % BRIG_BROKER_SLOT_COUNT];
        waiting[0] = (int)tag.generation;
        for (size_t i = 0, next = 0; i < 3; i++) {
            waiting[i + 1] = tag.attached >> i & 1 ? fds[next++] : -1;
        }
    }
    const bool is_ours = waiting_fds[index][0] == (int)generation && asked->request.attached;
    for (size_t i = 0; i < 3; i++) {
        asked->attached[i] = is_ours ? waiting_fds[index][i + 1] : -1;
        waiting_fds[index][i + 1] = is_ours ? -1 : waiting_fds[index][i + 1];
    }
}

static void answer(int listener, const struct asked *asked, int64_t result)
{
    struct seccomp_notif_resp response = {.id = asked->id, .val = result < 0 ? 0 : result, .error = result < 0 ? (int)result : 0};
    syscall(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void answer_descriptor(int listener, const struct asked *asked, int fd)
{
    struct seccomp_notif_addfd added = {
        .id = asked->id, .flags = ADDFD_SEND, .srcfd = (uint32_t)fd, .newfd_flags = asked->request.flags & O_CLOEXEC};
    if (syscall(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_ADDFD, &added) < 0) {
        answer(listener, asked, -errno); // O_PATH: the kernel's fget finds no such descriptors
    }
    close(fd);
}

static int64_t answer_text(const struct asked *asked, const char *text, size_t bytes)
{
    memcpy(asked->slot->reply.answer, text, bytes);
    asked->slot->reply.answer_bytes = (uint32_t)bytes;
    return (int64_t)bytes;
}

static int64_t read_link(const struct asked *asked, int dir)
{
    char text[BRIG_BROKER_PATH_BYTES];
    const ssize_t bytes = readlinkat(dir, asked->path[0], text, sizeof text);
    return bytes < 0 ? -errno : answer_text(asked, text, (size_t)bytes);
}

// By number: not every libc has statx.
static int64_t look(const struct asked *asked, int dir)
{
    asked->slot->reply.answer_bytes = STATX_BYTES;
    return syscall(SYS_statx, dir, asked->path[0], asked->request.flags, (unsigned)asked->request.number,
                   asked->slot->reply.answer) == 0
               ? 0
               : -errno;
}

static int64_t look_at_system(const struct asked *asked)
{
    struct brig_broker_statfs wide = {0};
    struct statfs status;
    if (statfs(asked->path[0], &status) != 0) {
        return -errno;
    }
    wide.type = (uint64_t)status.f_type;
    wide.block_bytes = (uint64_t)status.f_bsize;
    wide.blocks = status.f_blocks;
    wide.name_bytes = (uint64_t)status.f_namelen;
    return answer_text(asked, (const char *)&wide, sizeof wide) < 0;
}

static int64_t connect_socket(const struct asked *asked, const uint8_t *data)
{
    struct sockaddr_storage address;
    memcpy(&address, data, asked->request.data_bytes);
    return connect(asked->attached[2], (const struct sockaddr *)&address, asked->request.data_bytes) == 0 ? 0 : -errno;
}

int (*broker_resolver)(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_infos);

// What the resolver says.
static int64_t resolve_really(const struct asked *asked)
{
    const struct brig_broker_request *request = &asked->request;
    struct brig_broker_hints given;
    struct brig_broker_resolved resolved[16];
    struct addrinfo *infos = NULL;
    size_t count = 0;
    memcpy(&given, request->bytes + request->path_bytes[0] + request->path_bytes[1], sizeof given);
    const struct addrinfo hints = {given.flags, given.family, given.type, given.protocol, 0, NULL, NULL, NULL};
    const int code = broker_resolver(request->path_bytes[0] ? asked->path[0] : NULL, request->path_bytes[1] ? asked->path[1] : NULL,
                                     request->data_bytes ? &hints : NULL, &infos);
#define ERROR(name, reason) \
    if (code == (name)) { \
        return -(reason); \
    }
#include "trap/broker_errors.def"
#undef ERROR
    const char *name = code == 0 && infos->ai_canonname ? infos->ai_canonname : NULL;
    for (const struct addrinfo *info = infos; info && count < COUNT_OF(resolved); info = info->ai_next) {
        struct brig_broker_resolved *one = &resolved[count++];
        *one = (struct brig_broker_resolved){info->ai_family, info->ai_socktype, info->ai_protocol, info->ai_addrlen, {0},
                                             info->ai_flags};
        memcpy(one->address, info->ai_addr, info->ai_addrlen);
    }
    answer_text(asked, (const char *)resolved, count * sizeof resolved[0]);
    if (name) {
        memcpy(asked->slot->reply.answer + count * sizeof resolved[0], name, strlen(name) + 1);
        asked->slot->reply.answer_bytes += (uint32_t)strlen(name) + 1;
    }
    return (int64_t)count; // the list goes with this process
}

// Two addresses for "host", what is no address for "broken", more than there are for "endless", a list's refusal for "refused".
static int64_t resolve(const struct asked *asked)
{
    struct brig_broker_resolved resolved[2] = {0};
    const char *name = asked->path[0];
    if (strcmp(name, "refused") == 0) {
        asked->slot->reply.verdict = BRIG_BROKER_DENIED;
        return -EPERM;
    }
    if (broker_resolver && (!asked->request.path_bytes[0] || strpbrk(name, ".:*") || strcmp(name, "localhost") == 0)) {
        return resolve_really(asked);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr = {htonl(0x7f000001 + i)}};
        resolved[i] = (struct brig_broker_resolved){.family = AF_INET, .type = SOCK_STREAM, .address_bytes = sizeof address};
        memcpy(resolved[i].address, &address, sizeof address);
    }
    resolved[1].address_bytes = strcmp(name, "broken") == 0 ? 33 : resolved[1].address_bytes;
    answer_text(asked, (const char *)resolved, sizeof resolved);
    return strcmp(name, "no") == 0 ? -ENOENT : strcmp(name, "endless") == 0 ? 1000 : 2;
}

static int64_t zero_or_errno(int result)
{
    return result == 0 ? 0 : -errno;
}

static int64_t serve(const struct asked *asked, int dir, int dir_2)
{
    const struct brig_broker_request *request = &asked->request;
    const uint8_t *data = request->bytes + request->path_bytes[0] + request->path_bytes[1];
    struct timespec times[2];
    switch (request->op) {
    case BRIG_BROKER_OP_ACCESS:
        return zero_or_errno(faccessat(dir, asked->path[0], (int)request->mode, (int)request->flags));
    case BRIG_BROKER_OP_STAT:
        return look(asked, dir);
    case BRIG_BROKER_OP_READLINK:
        return read_link(asked, dir);
    case BRIG_BROKER_OP_RENAME:
        return zero_or_errno(renameat(dir, asked->path[0], dir_2, asked->path[1]));
    case BRIG_BROKER_OP_MKDIR:
        return zero_or_errno(mkdirat(dir, asked->path[0], request->mode));
    case BRIG_BROKER_OP_UNLINK:
        return zero_or_errno(unlinkat(dir, asked->path[0], (int)request->flags));
    case BRIG_BROKER_OP_LINK:
        return zero_or_errno(linkat(dir, asked->path[0], dir_2, asked->path[1], (int)request->flags));
    case BRIG_BROKER_OP_SYMLINK:
        return zero_or_errno(symlinkat(asked->path[0], dir_2, asked->path[1]));
    case BRIG_BROKER_OP_CHMOD:
        return zero_or_errno(fchmodat(dir, asked->path[0], request->mode, 0));
    case BRIG_BROKER_OP_UTIMENS:
        for (size_t i = 0; i < 2 && request->data_bytes; i++) {
            int64_t time[2];
            memcpy(time, data + 16 * i, sizeof time);
            times[i] = (struct timespec){(time_t)time[0], (long)time[1]};
        }
        return zero_or_errno(utimensat(dir, asked->path[0], request->data_bytes ? times : NULL, (int)request->flags));
    case BRIG_BROKER_OP_TRUNCATE:
        return zero_or_errno(truncate(asked->path[0], (off_t)request->number));
    case BRIG_BROKER_OP_STATFS:
        return look_at_system(asked);
    case BRIG_BROKER_OP_RESOLVE:
        return resolve(asked);
    case BRIG_BROKER_OP_CONNECT:
        return connect_socket(asked, data);
    default:
        return -EOPNOTSUPP;
    }
}

static void serve_one(int listener, const struct asked *asked)
{
    const int dir = asked->attached[0] >= 0 ? asked->attached[0] : AT_FDCWD;
    const int dir_2 = asked->attached[1] >= 0 ? asked->attached[1] : AT_FDCWD;
    if (strcmp(asked->path[0], BROKER_TOUCH) == 0) {
        asked->slot->reply.verdict = BRIG_BROKER_TOUCHED;
        answer(listener, asked, -EACCES);
    } else if (strcmp(asked->path[0], BROKER_SETTLED) == 0) {
        asked->slot->reply.verdict = BRIG_BROKER_SETTLED;
        answer(listener, asked, -EPERM);
    } else if (asked->request.op == BRIG_BROKER_OP_OPEN) {
        const int fd = openat(dir, asked->path[0], (int)asked->request.flags, asked->request.mode);
        if (fd < 0) {
            answer(listener, asked, -errno);
        } else {
            answer_descriptor(listener, asked, fd);
        }
    } else {
        answer(listener, asked, serve(asked, dir, dir_2));
    }
    for (size_t i = 0; i < 3; i++) {
        if (asked->attached[i] >= 0) {
            close(asked->attached[i]);
        }
    }
}

static void receive_one(const struct broker_fixture *fixture, int socket, int listener)
{
    struct seccomp_notif notification;
    struct asked asked;
    memset(&notification, 0, sizeof notification);
    if (syscall(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) {
        return;
    }
    const uint32_t index = (uint32_t)notification.data.args[0];
    asked.id = notification.id;
    asked.slot = &fixture->slots->slots[index];
    memcpy(&asked.request, &asked.slot->request, sizeof asked.request);
    asked.path[0] = asked.request.path_bytes[0] ? (const char *)asked.request.bytes : "";
    asked.path[1] = asked.request.path_bytes[1] ? (const char *)asked.request.bytes + asked.request.path_bytes[0] : "";
    take_attachments(socket, &asked, index, (uint32_t)notification.data.args[1]);
    if (strcmp(asked.path[0], BROKER_DIE) == 0) {
        _exit(0);
    }
    if (strcmp(asked.path[0], BROKER_HOLD) == 0) {
        held[held_count++] = asked;
    } else {
        serve_one(listener, &asked);
    }
}

__attribute__((noreturn)) static void be_the_broker(const struct broker_fixture *fixture, int socket, int control)
{
    int fds[3] = {-1, -1, -1};
    char byte;
    umask(0);
    if (receive(control, &byte, 1, fds, 0) != 1) {
        _exit(1);
    }
    for (;;) {
        struct pollfd waiting = {fds[0], POLLIN, 0};
        const int ready = poll(&waiting, 1, held_count ? HOLD_MS : -1);
        if (waiting.revents & POLLHUP) {
            _exit(0);
        }
        if (ready > 0) {
            receive_one(fixture, socket, fds[0]);
        } else if (ready == 0) {
            while (held_count > 0) {
                answer(fds[0], &held[--held_count], -EXDEV);
            }
        }
    }
}

// --- the worker -------------------------------------------------------------------------------------------------------

void broker_start(struct broker_fixture *fixture, const struct trap_rule *rules, size_t rule_count)
{
    int session[2], control[2];
    fixture_start(&fixture->trap, rules, rule_count, ALLOW_ALL);
    fixture->slots = mmap(NULL, sizeof *fixture->slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(fixture->slots != MAP_FAILED);
    fixture->slots->magic = BRIG_BROKER_MAGIC;
    fixture->slots->version = BRIG_BROKER_VERSION;
    fixture->slots->slot_count = BRIG_BROKER_SLOT_COUNT;
    fixture->slots->umask = 022;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, session), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    fixture->socket = session[0];
    fixture->control = control[0];
    fixture->pid = fork();
    if (fixture->pid == 0) {
        close(session[0]);
        close(control[0]);
        be_the_broker(fixture, session[1], control[1]);
    }
    close(session[1]);
    close(control[1]);
    fixture->trap.setup.broker_slots = fixture->slots;
    fixture->trap.setup.broker_fd = fixture->socket;
}

// Every call that the tests ask by.
static const struct trap_rule rules[] = {
    {SYS_utimensat, 1, 0, {.verb = BRIG_DSL_ALLOW}}, // of a descriptor
    BROKER_ASKED(SYS_openat),
    BROKER_ASKED(SYS_openat2),
    BROKER_ASKED(NR_FSTATAT),
    BROKER_ASKED(SYS_statx),
    BROKER_ASKED(SYS_faccessat),
    BROKER_ASKED(SYS_faccessat2),
    BROKER_ASKED(SYS_readlinkat),
    BROKER_ASKED(SYS_mkdirat),
    BROKER_ASKED(SYS_unlinkat),
    BROKER_ASKED(SYS_renameat2),
    BROKER_ASKED(SYS_linkat),
    BROKER_ASKED(SYS_symlinkat),
    BROKER_ASKED(SYS_utimensat),
    BROKER_ASKED(SYS_inotify_add_watch),
    BROKER_ASKED(SYS_fchmodat),
    BROKER_ASKED(SYS_truncate),
    BROKER_ASKED(SYS_connect),
    BROKER_ASKED(SYS_statfs),
};

void broker_start_with_all(struct broker_fixture *fixture)
{
    broker_start(fixture, rules, COUNT_OF(rules));
}

static int listen_for_requests(void)
{
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BRIG_DSL_BROKER_NR, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = COUNT_OF(insns), .filter = insns};
    if (!CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0)) {
        return -1;
    }
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE_RECV, &program);
}

static bool send_descriptor(int socket, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = ""};
    char byte = 0;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_len = CMSG_LEN(sizeof fd);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    return sendmsg(socket, &message, 0) == 1;
}

bool broker_lock(struct broker_fixture *fixture)
{
    const int listener = listen_for_requests();
    if (!CHECK(listener >= 0) || !CHECK(send_descriptor(fixture->control, listener))) {
        return false;
    }
    close(listener);
    return fixture_lock(&fixture->trap);
}

void broker_kill(const struct broker_fixture *fixture)
{
    kill(fixture->pid, SIGKILL);
    CHECK_EQ(waitpid(fixture->pid, NULL, 0), fixture->pid);
}

void broker_end(struct broker_fixture *fixture)
{
    close(fixture->socket);
    close(fixture->control);
    munmap(fixture->slots, sizeof *fixture->slots);
    fixture_end(&fixture->trap);
}
