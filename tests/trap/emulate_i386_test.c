// socketcall and ipc, which i386 alone has, side by side with the kernel.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/trap/side_by_side.h"

// --- socketcall -------------------------------------------------------------------------------------------------------

static const struct trap_rule socketcall_rules[] = {{SYS_socketcall, ANY, 0, EMULATED_BY(brig_trap_emulate_socketcall)}};

// include/uapi/linux/net.h, which cannot be included beside libc's headers.
enum {
    SOCKET = 1,
    BIND,
    CONNECT,
    LISTEN,
    ACCEPT,
    GETSOCKNAME,
    GETPEERNAME,
    SOCKETPAIR,
    SEND,
    RECV,
    SENDTO,
    RECVFROM,
    SHUTDOWN,
    SETSOCKOPT,
    GETSOCKOPT,
    SENDMSG,
    RECVMSG,
    ACCEPT4,
    RECVMMSG,
    SENDMMSG,
    NO_CALL
};

// Descriptors under fixed numbers, all non-blocking.
enum { STREAM_A = 50, STREAM_B, LISTENER, DATAGRAM_A, DATAGRAM_B, SINGLE, CLIENTS };
#define CLIENT_COUNT 6 // one for each accept of both runs that gets so far

#define ARGS SIDE_PAGE(SIDE_WRITABLE, 2048)
#define HEADER (ARGS + 24) // behind six arguments: struct mmsghdr
#define VECTOR (ARGS + 56) // ... and behind that an iovec
#define BUFFER SIDE_PAGE(SIDE_WRITABLE, 1024)
#define LENGTH SIDE_PAGE(SIDE_WRITABLE, 3000) // 0x5a5a5a5a
#define CALLS(what_, number, ...) \
    .what = what_, .nr = SYS_socketcall, .args = {number, ARGS}, .text = "\1", .words = {__VA_ARGS__}, .words_at = ARGS
#define AT(what_, number, address, count, ...) \
    .what = what_, .nr = SYS_socketcall, .args = {number, address}, .text = "", .words = {__VA_ARGS__}, .words_at = address, \
    .word_count = count
#define MESSAGE(bytes) 0, 0, VECTOR, 1, 0, 0, 0, 0, BUFFER, bytes

static const struct side_call socketcalls[] = {
    {CALLS("socket", SOCKET, AF_UNIX, SOCK_STREAM, 0)},
    {CALLS("socket, close-on-exec", SOCKET, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)},
    {CALLS("socket, no such family", SOCKET, 99, SOCK_STREAM, 0)},
    {CALLS("socket, no such type", SOCKET, AF_UNIX, 77, 0)},
    {CALLS("bind, no address", BIND, SINGLE, 0, 0)},
    {CALLS("bind, a hole", BIND, SINGLE, SIDE_PAGE(SIDE_HOLE, 0), 16)},
    {CALLS("bind, no socket", BIND, 0, BUFFER, 16)},
    {CALLS("connect, a wrong family", CONNECT, SINGLE, BUFFER, 16)},
    {CALLS("connect, nobody there", CONNECT, SINGLE, SIDE_TEXT, 12)},
    {CALLS("connect, no descriptor", CONNECT, 999, SIDE_TEXT, 16)},
    {CALLS("listen", LISTEN, LISTENER, 7)},
    {CALLS("listen, a datagram socket", LISTEN, DATAGRAM_A, 7)},
    {CALLS("accept", ACCEPT, LISTENER, 0, 0)},
    {CALLS("accept, an address without room", ACCEPT, LISTENER, BUFFER, 0)},
    {CALLS("accept, not listening", ACCEPT, SINGLE, 0, 0)},
    {CALLS("accept4", ACCEPT4, LISTENER, 0, 0, SOCK_CLOEXEC)},
    {CALLS("accept4, an unknown flag", ACCEPT4, LISTENER, 0, 0, 1)},
    {CALLS("getsockname", GETSOCKNAME, LISTENER, BUFFER, LENGTH)},
    {CALLS("getsockname, a hole", GETSOCKNAME, LISTENER, SIDE_PAGE(SIDE_HOLE, 0), LENGTH)},
    {CALLS("getsockname, no length", GETSOCKNAME, LISTENER, BUFFER, 0)},
    {CALLS("getpeername", GETPEERNAME, STREAM_A, BUFFER, HEADER)},
    {CALLS("getpeername, nobody", GETPEERNAME, SINGLE, BUFFER, HEADER)},
    {CALLS("socketpair", SOCKETPAIR, AF_UNIX, SOCK_STREAM, 0, BUFFER)},
    {CALLS("socketpair, read-only", SOCKETPAIR, AF_UNIX, SOCK_STREAM, 0, SIDE_PAGE(SIDE_READ_ONLY, 0))},
    {CALLS("socketpair, another family", SOCKETPAIR, AF_INET, SOCK_STREAM, 0, BUFFER)},
    {CALLS("send", SEND, STREAM_A, BUFFER, 100, 0)},
    {CALLS("recv, to look", RECV, STREAM_B, BUFFER + 1000, 50, MSG_PEEK)},
    {CALLS("recv", RECV, STREAM_B, BUFFER + 1000, 200, 0)},
    {CALLS("recv, nothing there", RECV, STREAM_B, BUFFER + 1000, 200, 0)},
    {CALLS("send, a hole", SEND, STREAM_A, SIDE_PAGE(SIDE_HOLE, 0), 100, 0)},
    {CALLS("send, out of band", SEND, DATAGRAM_A, BUFFER, 1, MSG_OOB)},
    {CALLS("sendto", SENDTO, DATAGRAM_A, BUFFER, 77, 0, 0, 0)},
    {CALLS("recvfrom", RECVFROM, DATAGRAM_B, BUFFER + 1000, 200, 0, BUFFER + 1300, HEADER + 4)},
    {CALLS("sendto, connected already", SENDTO, STREAM_A, BUFFER, 77, 0, BUFFER, 16)},
    {CALLS("recvfrom, no descriptor", RECVFROM, 999, BUFFER, 200, 0, 0, 0)},
    {CALLS("shutdown, an unknown direction", SHUTDOWN, STREAM_A, 9)},
    {CALLS("shutdown, not connected", SHUTDOWN, SINGLE, SHUT_RD)},
    {CALLS("setsockopt", SETSOCKOPT, STREAM_A, SOL_SOCKET, SO_SNDBUF, BUFFER, 4)},
    {CALLS("setsockopt, short", SETSOCKOPT, STREAM_A, SOL_SOCKET, SO_SNDBUF, BUFFER, 3)},
    {CALLS("setsockopt, a hole", SETSOCKOPT, STREAM_A, SOL_SOCKET, SO_SNDBUF, SIDE_PAGE(SIDE_HOLE, 0), 4)},
    {CALLS("getsockopt", GETSOCKOPT, DATAGRAM_A, SOL_SOCKET, SO_TYPE, BUFFER, LENGTH)},
    {CALLS("getsockopt, unknown", GETSOCKOPT, DATAGRAM_A, SOL_SOCKET, 9999, BUFFER, LENGTH)},
    {CALLS("sendmsg", SENDMSG, DATAGRAM_A, HEADER, 0, 0, 0, 0, MESSAGE(60))},
    {CALLS("recvmsg", RECVMSG, DATAGRAM_B, HEADER, 0, 0, 0, 0, MESSAGE(80))},
    {CALLS("recvmsg, nothing there", RECVMSG, DATAGRAM_B, HEADER, 0, 0, 0, 0, MESSAGE(80))},
    {CALLS("sendmsg, a hole", SENDMSG, DATAGRAM_A, SIDE_PAGE(SIDE_HOLE, 0), 0)},
    {CALLS("sendmmsg", SENDMMSG, DATAGRAM_A, HEADER, 1, 0, 0, 0, MESSAGE(60))},
    {CALLS("recvmmsg", RECVMMSG, DATAGRAM_B, HEADER, 1, 0, 0, 0, MESSAGE(80))},
    {CALLS("recvmmsg, a bad time", RECVMMSG, DATAGRAM_B, HEADER, 1, 0, BUFFER, 0, MESSAGE(80))},
    {CALLS("recvmmsg, a time in a hole", RECVMMSG, DATAGRAM_B, HEADER, 1, 0, SIDE_PAGE(SIDE_HOLE, 0), 0, MESSAGE(80))},

    {CALLS("number 0", 0, AF_UNIX, SOCK_STREAM, 0)},
    {CALLS("number 21", NO_CALL, AF_UNIX, SOCK_STREAM, 0)},
    {CALLS("number -1", -1, AF_UNIX, SOCK_STREAM, 0)},
    {CALLS("number 65537", 0x10001, AF_UNIX, SOCK_STREAM, 0)},
    {.what = "number 0, no arguments", .nr = SYS_socketcall, .args = {0, 0}},
    {.what = "no arguments", .nr = SYS_socketcall, .args = {SOCKET, 0}},
    {.what = "arguments at the end of memory", .nr = SYS_socketcall, .args = {SOCKET, -8}},
    {.what = "arguments in a hole", .nr = SYS_socketcall, .args = {SOCKET, SIDE_PAGE(SIDE_HOLE, 0)}},
    {AT("arguments up to a hole", SOCKET, SIDE_END(SIDE_WRITABLE2, 12), 3, AF_UNIX, SOCK_STREAM, 0)},
    {AT("arguments into a hole", SOCKET, SIDE_END(SIDE_WRITABLE2, 8), 2, AF_UNIX, SOCK_STREAM)},
    {AT("two arguments are enough", LISTEN, SIDE_END(SIDE_WRITABLE2, 8), 2, LISTENER, 7)},
    {AT("five are not", RECVFROM, SIDE_END(SIDE_WRITABLE2, 20), 5, DATAGRAM_B, BUFFER, 1, 0, 0)},
    {AT("read-only arguments", SOCKET, SIDE_PAGE(SIDE_READ_ONLY, 4), 3, AF_UNIX, SOCK_STREAM, 0)},
    {AT("arguments over two pages", SOCKET, SIDE_END(SIDE_WRITABLE, 6), 3, AF_UNIX, SOCK_STREAM, 0)},
};

static long close_new(const struct side_call *call, long result)
{
    const bool is_new = call->args[0] == SOCKET || call->args[0] == ACCEPT || call->args[0] == ACCEPT4;
    int pair[2];
    if (result == 0 && call->args[0] == SOCKETPAIR) {
        memcpy(pair, side_address(BUFFER), sizeof pair);
        close(pair[0]);
        close(pair[1]);
    }
    if (result < 0 || !is_new) {
        return result;
    }
    int type = 0;
    socklen_t length = sizeof type;
    getsockopt((int)result, SOL_SOCKET, SO_TYPE, &type, &length);
    const long closes = fcntl((int)result, F_GETFD);
    close((int)result);
    return result << 16 | type << 8 | closes;
}

static void place(int fd, int number)
{
    CHECK_EQ(dup2(fd, number), number);
    CHECK_EQ(fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK), 0);
    close(fd);
}

static void open_sockets(void)
{
    const struct sockaddr_un nameless = {.sun_family = AF_UNIX};
    struct sockaddr_un name;
    socklen_t name_bytes = sizeof name;
    int pair[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    place(pair[0], STREAM_A);
    place(pair[1], STREAM_B);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    place(pair[0], DATAGRAM_A);
    place(pair[1], DATAGRAM_B);
    place(socket(AF_UNIX, SOCK_STREAM, 0), SINGLE);
    place(socket(AF_UNIX, SOCK_STREAM, 0), LISTENER);
    CHECK_EQ(bind(LISTENER, (const struct sockaddr *)&nameless, sizeof(sa_family_t)), 0); // the kernel makes up a name
    CHECK_EQ(listen(LISTENER, 7), 0);
    CHECK_EQ(getsockname(LISTENER, (struct sockaddr *)&name, &name_bytes), 0);
    for (int i = 0; i < CLIENT_COUNT; i++) {
        place(socket(AF_UNIX, SOCK_STREAM, 0), CLIENTS + i);
        CHECK_EQ(connect(CLIENTS + i, (const struct sockaddr *)&name, name_bytes), 0);
    }
}

static void close_sockets(void)
{
    for (int fd = STREAM_A; fd < CLIENTS + CLIENT_COUNT; fd++) {
        close(fd);
    }
}

SANDBOX_TEST(trap, socketcall_answers_as_the_kernel_does, .expect_exit = 0)
{
    open_sockets();
    side_by_side(&(struct side_by_side){.rules = socketcall_rules,
                                        .rule_count = COUNT_OF(socketcall_rules),
                                        .calls = socketcalls,
                                        .count = COUNT_OF(socketcalls),
                                        .settle = close_new});
    close_sockets();
}

static void make_socketcall(size_t index, struct side_call *ret_call)
{
    static const int64_t values[] = {
        0, 1, 2, 5, -1, 999, BUFFER, SIDE_PAGE(SIDE_HOLE, 0), SIDE_PAGE(SIDE_READ_ONLY, 0), LENGTH, 0x80000000};
    static const int64_t addresses[] = {ARGS, SIDE_END(SIDE_WRITABLE, 10), SIDE_PAGE(SIDE_READ_ONLY, 8)};
    uint32_t state = (uint32_t)index * 2654435761u;
    side_random(&state, 2);
    ret_call->nr = SYS_socketcall;
    ret_call->args[0] = side_random(&state, 22);
    ret_call->args[1] = addresses[side_random(&state, COUNT_OF(addresses))];
    ret_call->words_at = ret_call->args[1];
    ret_call->word_count = 6;
    for (size_t i = 0; i < 6; i++) {
        ret_call->words[i] = values[side_random(&state, COUNT_OF(values))];
    }
}

SANDBOX_TEST(trap, socketcall_answers_as_the_kernel_does_at_random, .expect_exit = 0)
{
    side_by_side(&(struct side_by_side){.rules = socketcall_rules,
                                        .rule_count = COUNT_OF(socketcall_rules),
                                        .make = make_socketcall,
                                        .count = 4000,
                                        .settle = close_new});
}

// --- whose rows decide ------------------------------------------------------------------------------------------------

static struct brig_trap_outcome say_89(const struct brig_trap_call *call)
{
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, call->args[0] == 7 && call->args[2] == 9 ? 89 : 0};
}

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
static const struct brig_trap_emulation saying = {.dsl = {.name = "say", .calls = no_calls}, .emulate = say_89};
static const struct trap_rule nested_rules[] = {
    {SYS_socketcall, ANY, 0, EMULATED_BY(brig_trap_emulate_socketcall)}, {SYS_ipc, ANY, 0, EMULATED_BY(brig_trap_emulate_ipc)},
    {SYS_socket, 0, AF_INET, {.verb = BRIG_DSL_DENY, .data = EDOM}},     {SYS_connect, ANY, 0, EMULATED_BY(saying)},
    {399 /* msgget */, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EDOM}},
};

SANDBOX_TEST(trap, rows_of_direct_calls_decide, .expect_exit = 0)
{
    static const long sockets[] = {AF_INET, SOCK_STREAM, 0};
    static const long connects[] = {7, 8, 9};
    struct trap_fixture fixture;
    fixture_start(&fixture, nested_rules, COUNT_OF(nested_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(SYS_socketcall, SOCKET, (long)(intptr_t)sockets, 0, 0), -EDOM);
    CHECK_EQ(fixture_call(SYS_socketcall, CONNECT, (long)(intptr_t)connects, 0, 0), 89);
    CHECK_EQ(fixture_call(SYS_ipc, 13, 0, 0, 0), -EDOM);
    CHECK_EQ(fixture.slots->emulated, 4);
    CHECK_EQ(fixture_record_count(&fixture), 1);
    fixture_end(&fixture);
}

// --- ipc --------------------------------------------------------------------------------------------------------------

static const struct trap_rule ipc_rules[] = {{SYS_ipc, ANY, 0, EMULATED_BY(brig_trap_emulate_ipc)}};

enum { SEMOP = 1, SEMGET, SEMCTL, SEMTIMEDOP, MSGSND = 11, MSGRCV, MSGGET, MSGCTL, SHMAT = 21, SHMDT, SHMGET, SHMCTL };
enum { RMID, SET, STAT, INFO, NEW = 0x100, GETPID = 11, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL };
enum { NOWAIT = 04000, NOERROR = 010000, CREAT_PRIVATE = 01600, READ_ONLY_SHM = 010000, ROUND = 020000 };
#define VERSION(n) ((n) << 16)

// Ids are not known before they are made: these stand for them, in `first`. Those called IDLE_ are only looked at.
enum { SEM = 0x7e000000, MSG, SHM, IDLE_SEM, IDLE_MSG, IDLE_SHM, ID_END };
static long ids[ID_END - SEM];

#define SHM_ADDRESS 0x60000000ll // free in a static program
#define SHM_BYTES 8192

#define IPC(what_, operation, ...) .what = what_, .nr = SYS_ipc, .args = {operation, __VA_ARGS__}
// With words at ARGS: operations on semaphores are {number and operation, flags}, in three halves of words.
#define WITH(...) .words = {__VA_ARGS__}, .words_at = ARGS
#define SEMBUF(number, op) (int64_t)((uint32_t)(number) | (uint32_t)(uint16_t)(op) << 16)

static const struct side_call ipcs[] = {
    // Semaphores: what a row leaves is what a later one finds, in both runs.
    {IPC("set a value", SEMCTL, SEM, 0, SETVAL | NEW, ARGS), WITH(5)},
    {IPC("set a value, the old way", SEMCTL, SEM, 1, SETVAL, ARGS), WITH(3)},
    {IPC("get it", SEMCTL, SEM, 0, GETVAL | NEW, ARGS)},
    {IPC("get the other", SEMCTL, SEM, 1, GETVAL, ARGS)},
    {IPC("get all", SEMCTL, SEM, 0, GETALL | NEW, ARGS), WITH(BUFFER)},
    {IPC("get all into a hole", SEMCTL, SEM, 0, GETALL | NEW, ARGS), WITH(SIDE_PAGE(SIDE_HOLE, 0))},
    {IPC("set a value that is too big", SEMCTL, SEM, 0, SETVAL | NEW, ARGS), WITH(70000)},
    {IPC("a semaphore that there is not", SEMCTL, SEM, 9, GETVAL | NEW, ARGS)},
    {IPC("a command that there is not", SEMCTL, SEM, 0, 99 | NEW, ARGS)},
    {IPC("a command of another kind", SEMCTL, SEM, 0, 11 | NEW | 0x200, ARGS)},
    {IPC("a set that there is not", SEMCTL, -1, 0, GETVAL | NEW, ARGS)},
    {IPC("no argument", SEMCTL, SEM, 0, GETVAL | NEW, 0)},
    {IPC("no argument, no command", SEMCTL, SEM, 0, 99, 0)},
    {IPC("an argument in a hole", SEMCTL, SEM, 0, GETVAL | NEW, SIDE_PAGE(SIDE_HOLE, 0))},
    {IPC("an argument into a hole", SEMCTL, SEM, 0, GETVAL | NEW, SIDE_END(SIDE_WRITABLE2, 2))},
    {IPC("look at a set", SEMCTL, IDLE_SEM, 0, STAT | NEW, ARGS), WITH(BUFFER)},
    {IPC("look at a set, read-only", SEMCTL, IDLE_SEM, 0, STAT | NEW, ARGS), WITH(SIDE_PAGE(SIDE_READ_ONLY, 0))},
    {IPC("look at a set, the old way", SEMCTL, IDLE_SEM, 0, STAT, ARGS), WITH(BUFFER), .differs = true, .expected = -EINVAL},
    {IPC("semop", SEMOP, SEM, 1, 0, ARGS), WITH(SEMBUF(0, -2), 0)},
    {IPC("semop that would wait", SEMOP, SEM, 1, 0, ARGS), WITH(SEMBUF(0, -9), NOWAIT)},
    {IPC("semop, none", SEMOP, SEM, 0, 0, ARGS)},
    {IPC("semop, too many", SEMOP, SEM, 0x10000, 0, ARGS)},
    {IPC("semop, a hole", SEMOP, SEM, 1, 0, SIDE_PAGE(SIDE_HOLE, 0))},
    {IPC("semop, negative", SEMOP, -5, 1, 0, ARGS), WITH(SEMBUF(0, -2), 0)},
    {IPC("get what is left", SEMCTL, SEM, 0, GETVAL | NEW, ARGS)},
    {IPC("semtimedop", SEMTIMEDOP, SEM, 1, 0, ARGS, ARGS + 8), WITH(SEMBUF(0, -1), 0, 0, 1000)},
    {IPC("semtimedop without a time", SEMTIMEDOP, SEM, 1, 0, ARGS, 0), WITH(SEMBUF(0, -1), 0)},
    {IPC("semtimedop that waits", SEMTIMEDOP, SEM, 1, 0, ARGS, ARGS + 8), WITH(SEMBUF(0, -9), 0, 0, 1000000)},
    {IPC("a negative time", SEMTIMEDOP, SEM, 1, 0, ARGS, ARGS + 8), WITH(SEMBUF(0, -9), 0, -1, 0)},
    {IPC("a time with too many nanoseconds", SEMTIMEDOP, SEM, 1, 0, ARGS, ARGS + 8), WITH(SEMBUF(0, -9), 0, 0, 1000000000)},
    {IPC("a time with negative nanoseconds", SEMTIMEDOP, SEM, 1, 0, ARGS, ARGS + 8), WITH(SEMBUF(0, -9), 0, 0, -1)},
    {IPC("a time in a hole", SEMTIMEDOP, SEM, 1, 0, ARGS, SIDE_PAGE(SIDE_HOLE, 0)), WITH(SEMBUF(0, -9), 0)},
    {IPC("a time into a hole", SEMTIMEDOP, -1, 0, 0, 0, SIDE_END(SIDE_WRITABLE2, 4))},
    {IPC("semget", SEMGET, 0, 0, 0)},
    {IPC("semget, too many", SEMGET, 0, 1 << 30, CREAT_PRIVATE)},

    // Messages.
    {IPC("send", MSGSND, MSG, 8, 0, ARGS), WITH(7, 0x64636261, 0x68676665)},
    {IPC("receive", MSGRCV, MSG, 100, 0, ARGS), WITH(BUFFER, 0)},
    {IPC("receive, nothing there", MSGRCV, MSG, 100, NOWAIT, ARGS), WITH(BUFFER, 0)},
    {IPC("send again", MSGSND, MSG, 8, NOWAIT, ARGS), WITH(7, 0x64636261, 0x68676665)},
    {IPC("receive another type", MSGRCV, MSG, 100, NOWAIT, ARGS), WITH(BUFFER, 8)},
    {IPC("receive too much", MSGRCV, MSG, 4, 0, ARGS), WITH(BUFFER, -9)},
    {IPC("receive, in the newer way", MSGRCV | VERSION(1), MSG, 4, NOERROR, BUFFER, 7)},
    {IPC("receive, negative", MSGRCV, -1, 4, 0, 0)},
    {IPC("receive a negative length", MSGRCV, MSG, -1, 0, ARGS), WITH(BUFFER, 0)},
    {IPC("receive, newer, negative", MSGRCV | VERSION(2), -1, 4, 0, 0)},
    {IPC("receive, nowhere", MSGRCV, MSG, 4, NOWAIT, 0)},
    {IPC("receive, a hole", MSGRCV, MSG, 4, NOWAIT, SIDE_PAGE(SIDE_HOLE, 0))},
    {IPC("receive, into a hole", MSGRCV, MSG, 4, NOWAIT, SIDE_END(SIDE_WRITABLE2, 4))},
    {IPC("receive, newer, a hole", MSGRCV | VERSION(1), MSG, 4, NOWAIT, SIDE_PAGE(SIDE_HOLE, 0), 0)},
    {IPC("send a hole", MSGSND, MSG, 8, 0, SIDE_PAGE(SIDE_HOLE, 0))},
    {IPC("send no type", MSGSND, MSG, 8, 0, ARGS), WITH(0)},
    {IPC("send a negative length", MSGSND, MSG, -8, 0, ARGS), WITH(7)},
    {IPC("msgget", MSGGET, 0x7fff0123, 0)},
    {IPC("look at a queue", MSGCTL, IDLE_MSG, STAT | NEW, 0, BUFFER)},
    {IPC("look at a queue, the old way", MSGCTL, IDLE_MSG, STAT, 0, BUFFER), .differs = true, .expected = -EINVAL},
    {IPC("look at a queue, nowhere", MSGCTL, IDLE_MSG, STAT | NEW, 0, 0)},
    {IPC("a queue, no such command", MSGCTL, IDLE_MSG, 77, 0, 0)},
    {IPC("remove what is not there", MSGCTL, 0x7fff0000, RMID, 0, 0)},
    {IPC("limits", MSGCTL, 0, INFO | NEW, 0, BUFFER)},
    {IPC("limits, the old way", MSGCTL, 0, INFO, 0, BUFFER)},

    // Shared memory.
    {IPC("attach", SHMAT, SHM, 0, BUFFER, SHM_ADDRESS)},
    {IPC("attach, a version of no meaning", SHMAT | VERSION(3), SHM, 0, BUFFER, SHM_ADDRESS)},
    {IPC("attach, the kernel's own version", SHMAT | VERSION(1), SHM, 0, BUFFER, SHM_ADDRESS)},
    {IPC("attach, rounded", SHMAT, SHM, ROUND | READ_ONLY_SHM, BUFFER, SHM_ADDRESS + 5)},
    {IPC("attach, not rounded", SHMAT, SHM, 0, BUFFER, SHM_ADDRESS + 5)},
    {IPC("attach, no place for the answer", SHMAT, SHM, 0, 0, SHM_ADDRESS)},
    {IPC("attach, the answer into a hole", SHMAT, SHM, 0, SIDE_END(SIDE_WRITABLE2, 2), SHM_ADDRESS)},
    {IPC("attach, the answer over two pages", SHMAT, SHM, 0, SIDE_END(SIDE_WRITABLE, 2), SHM_ADDRESS)},
    {IPC("attach, the answer read-only", SHMAT, SHM, 0, SIDE_PAGE(SIDE_READ_ONLY, 0), SHM_ADDRESS)},
    {IPC("attach, the answer half read-only", SHMAT, SHM, 0, SIDE_END(SIDE_READ_ONLY, 2), SHM_ADDRESS)},
    {IPC("attach, the answer up to what is read-only", SHMAT, SHM, 0, SIDE_END(SIDE_WRITABLE3, 3), SHM_ADDRESS)},
    {IPC("attach what there is not", SHMAT, 0x7fff0000, 0, BUFFER, SHM_ADDRESS)},
    {IPC("detach what there is not", SHMDT, 0, 0, 0, SHM_ADDRESS + 0x1000000)},
    {IPC("shmget, too small", SHMGET, 0, 0, CREAT_PRIVATE)},
    {IPC("shmget, not there", SHMGET, 0x7fff0123, 4096, 0)},
    {IPC("look at a segment", SHMCTL, IDLE_SHM, STAT | NEW, 0, BUFFER)},
    {IPC("look at a segment, the old way", SHMCTL, IDLE_SHM, STAT, 0, BUFFER), .differs = true, .expected = -EINVAL},
    {IPC("limits of segments", SHMCTL, 0, INFO | NEW, 0, BUFFER)},
    {IPC("limits of segments, the old way", SHMCTL, 0, INFO, 0, BUFFER), .differs = true, .expected = -EINVAL},
    {IPC("lock", SHMCTL, SHM, 11 | NEW, 0, 0)},
    {IPC("unlock, the old way", SHMCTL, SHM, 12, 0, 0)},
    {IPC("a segment, no such command", SHMCTL, SHM, 55 | NEW, 0, 0)},

    {IPC("operation 0", 0, SEM, 0, 0, 0)},
    {IPC("operation 5", 5, SEM, 0, 0, 0)},
    {IPC("operation 15", 15, SEM, 0, 0, 0)},
    {IPC("operation 25", 25, SEM, 0, 0, 0)},
    {IPC("operation -1", -1, SEM, 0, 0, 0)},
    {IPC("operation 65535", 0xffff, SEM, 0, 0, 0)},
};

static void make_ipc(size_t index, struct side_call *ret_call)
{
    *ret_call = ipcs[index];
    if (ret_call->args[1] >= SEM && ret_call->args[1] < ID_END) {
        ret_call->args[1] = ids[ret_call->args[1] - SEM];
    }
}

// What an attach left behind must be there, and is taken away.
static long detach(const struct side_call *call, long result)
{
    if ((call->args[0] & 0xffff) != SHMAT) {
        return result;
    }
    const bool was_there = syscall(398 /* shmdt */, (long)SHM_ADDRESS) == 0;
    return result * 2 + was_there;
}

static bool make_ids(void)
{
    static const struct {
        int id, nr;
        long args[3];
    } gets[] = {
        {SEM, 393, {0, 2, CREAT_PRIVATE}},      {MSG, 399, {0, CREAT_PRIVATE}},      {SHM, 395, {0, SHM_BYTES, CREAT_PRIVATE}},
        {IDLE_SEM, 393, {0, 2, CREAT_PRIVATE}}, {IDLE_MSG, 399, {0, CREAT_PRIVATE}}, {IDLE_SHM, 395, {0, SHM_BYTES, CREAT_PRIVATE}},
    };
    for (size_t i = 0; i < COUNT_OF(gets); i++) {
        ids[gets[i].id - SEM] = fixture_call(gets[i].nr, gets[i].args[0], gets[i].args[1], gets[i].args[2], 0);
    }
    if (ids[0] == -ENOSYS) {
        test_skip("this kernel has no System V IPC");
    }
    return ids[0] >= 0;
}

static void remove_ids(void)
{
    fixture_call(394, ids[SEM - SEM], 0, RMID, 0);
    fixture_call(394, ids[IDLE_SEM - SEM], 0, RMID, 0);
    fixture_call(402, ids[MSG - SEM], RMID, 0, 0);
    fixture_call(402, ids[IDLE_MSG - SEM], RMID, 0, 0);
    fixture_call(396, ids[SHM - SEM], RMID, 0, 0);
    fixture_call(396, ids[IDLE_SHM - SEM], RMID, 0, 0);
}

SANDBOX_TEST(trap, ipc_answers_as_the_kernel_does, .expect_exit = 0)
{
    if (!make_ids()) {
        return;
    }
    side_by_side(&(struct side_by_side){
        .rules = ipc_rules, .rule_count = COUNT_OF(ipc_rules), .make = make_ipc, .count = COUNT_OF(ipcs), .settle = detach});
    remove_ids();
}

// Ids that nobody has, so that nothing is changed; and commands in the new form.
static void make_random_ipc(size_t index, struct side_call *ret_call)
{
    static const int64_t firsts[] = {0x7ffffff, -1, INT32_MIN, 0x7fffffff};
    static const int64_t words[] = {0, 1, 4, 100, -1, NOWAIT, BUFFER, ARGS, SIDE_PAGE(SIDE_HOLE, 0), SIDE_PAGE(SIDE_READ_ONLY, 0)};
    uint32_t state = (uint32_t)index * 2654435761u;
    side_random(&state, 2);
    const uint32_t operation = side_random(&state, 27);
    const bool is_control = operation == SEMCTL || operation == MSGCTL || operation == SHMCTL;
    ret_call->nr = SYS_ipc;
    ret_call->args[0] = operation | (side_random(&state, 3) << 16);
    ret_call->args[1] = firsts[side_random(&state, COUNT_OF(firsts))];
    for (size_t i = 2; i < 6; i++) {
        ret_call->args[i] = words[side_random(&state, COUNT_OF(words))];
    }
    if (is_control) {
        ret_call->args[operation == SEMCTL ? 3 : 2] = NEW | (side_random(&state, 22));
    }
    if (operation == SEMGET || operation == MSGGET || operation == SHMGET) {
        ret_call->args[operation == MSGGET ? 2 : 3] = 0; // none is made
    }
    ret_call->words_at = ARGS;
    for (size_t i = 0; i < 8; i++) {
        ret_call->words[i] = words[side_random(&state, COUNT_OF(words))];
    }
}

static long hide_infos(const struct side_call *call, long result)
{
    const int64_t operation = call->args[0] & 0xffff;
    const int64_t command = call->args[operation == SEMCTL ? 3 : 2] & 0xff;
    const bool counts_others =
        (operation == SEMCTL && command == 19) || (operation == SHMCTL && command == 14) || (operation == MSGCTL && command == 12);
    if (counts_others) { // SEM_INFO, SHM_INFO, MSG_INFO: other processes' as well
        memset(side_address(BUFFER), 0, 256);
        return 0;
    }
    return result;
}

SANDBOX_TEST(trap, ipc_answers_as_the_kernel_does_at_random, .expect_exit = 0)
{
    side_by_side(&(struct side_by_side){
        .rules = ipc_rules, .rule_count = COUNT_OF(ipc_rules), .make = make_random_ipc, .count = 4000, .settle = hide_infos});
}

static void ignore(int signal_nr)
{
    (void)signal_nr;
}

// Calls that wait for somebody who does not come, with a timer running.
SANDBOX_TEST(trap, i386_calls_that_wait_are_interrupted, .expect_exit = 0)
{
    const struct itimerval timer = {.it_value = {.tv_usec = 30000}};
    const struct sigaction action = {.sa_handler = ignore};
    const uint32_t kludge[2] = {0, 0};
    char byte;
    struct trap_fixture fixture;
    int pair[2];
    if (!make_ids()) {
        return;
    }
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    const long arguments[] = {pair[0], (long)(intptr_t)&byte, 1, 0};
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    fixture_start(&fixture, nested_rules, COUNT_OF(nested_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
    CHECK_EQ(fixture_call(SYS_socketcall, RECV, (long)(intptr_t)arguments, 0, 0), -EINTR);
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
    CHECK_EQ(syscall(SYS_ipc, MSGRCV, ids[MSG - SEM], 1, 0, kludge, 0), -1);
    CHECK_EQ(errno, EINTR);
    remove_ids();
    close(pair[0]);
    close(pair[1]);
    fixture_end(&fixture);
}
