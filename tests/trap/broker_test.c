// Calls that are asked of a broker, from the program's code to a process that plays the broker and back: answers and descriptors,
// many threads, no free slot, no broker any more, children, names, emulations that ask in turn.
#include "tests/trap/broker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long call(long nr, long a, long b, long c, long d)
{
    return fixture_call(nr, a, b, c, d);
}

static long text(const char *path)
{
    return (long)(intptr_t)path;
}

// --- answers ----------------------------------------------------------------------------------------------------------

SANDBOX_TEST(broker, descriptors_come_back_with_their_flags, .expect_exit = 0)
{
    struct broker_fixture fixture;
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    const int plain = (int)call(SYS_openat, AT_FDCWD, text("/dev/null"), O_RDWR, 0);
    const int closing = (int)call(SYS_openat, AT_FDCWD, text("/dev/zero"), O_RDONLY | O_CLOEXEC, 0);
    CHECK(plain >= 0);
    CHECK(closing >= 0);
    CHECK_EQ(fcntl(plain, F_GETFD), 0);
    CHECK_EQ(fcntl(closing, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(plain, "x", 1), 1);
    char byte = 'x';
    CHECK_EQ(read(closing, &byte, 1), 1);
    CHECK_EQ(byte, 0);
    CHECK_EQ(call(SYS_openat, AT_FDCWD, text("/nonexistent"), O_RDONLY, 0), -ENOENT);
    close(plain);
    close(closing);
    CHECK_EQ(fixture_record_count(&fixture.trap), 0);
    broker_kill(&fixture);
    broker_end(&fixture);
}

SANDBOX_TEST(broker, directories_travel, .expect_exit = 0)
{
    struct broker_fixture fixture;
    const int dir = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    for (int i = 0; i < 100; i++) {
        const int fd = (int)call(SYS_openat, dir, text("null"), O_RDWR, 0);
        if (!CHECK(fd >= 0)) {
            break;
        }
        close(fd);
    }
    CHECK_EQ(call(SYS_openat, dir, text("no"), O_RDONLY, 0), -ENOENT);
    CHECK_EQ(call(SYS_openat, 999, text("null"), O_RDONLY, 0), -EBADF);
    CHECK_EQ(call(SYS_openat, -7, text("null"), O_RDONLY, 0), -EBADF);
    const int absolute = (int)call(SYS_openat, 999, text("/dev/null"), O_RDONLY, 0);
    CHECK(absolute >= 0);
    close(absolute);
    close(dir);
    broker_kill(&fixture);
    broker_end(&fixture);
}

SANDBOX_TEST(broker, files_change, .expect_exit = 0)
{
    struct broker_fixture fixture;
    char dir[] = "/tmp/brig-broker-XXXXXX";
    char buffer[16];
    struct stat status;
    REQUIRE(mkdtemp(dir) != NULL);
    const int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    const int fd = (int)call(SYS_openat, at, text("file"), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    CHECK(fd >= 0);
    CHECK_EQ(fstat(fd, &status), 0);
    CHECK_EQ(status.st_mode & 07777, 0644); // the worker's umask
    CHECK_EQ(call(SYS_mkdirat, at, text("dir"), 0777, 0), 0);
    CHECK_EQ(call(SYS_symlinkat, text("file"), at, text("link"), 0), 0);
    CHECK_EQ(call(SYS_readlinkat, at, text("link"), text(buffer), 3), 3);
    CHECK_BYTES_EQ(buffer, "fil", 3);
    CHECK_EQ(syscall(SYS_renameat2, at, "file", at, "file 2", 0), 0);
    CHECK_EQ(syscall(SYS_linkat, at, "file 2", at, "file 3", 0), 0);
    CHECK_EQ(call(SYS_fchmodat, at, text("file 2"), 0600, 0), 0);
    CHECK_EQ(fstat(fd, &status), 0);
    CHECK_EQ(status.st_mode & 07777, 0600);
    CHECK_EQ(status.st_nlink, 2);
    CHECK_EQ(call(SYS_unlinkat, at, text("file 2"), 0, 0), 0);
    CHECK_EQ(call(SYS_unlinkat, at, text("file 3"), 0, 0), 0);
    CHECK_EQ(call(SYS_unlinkat, at, text("link"), 0, 0), 0);
    CHECK_EQ(call(SYS_unlinkat, at, text("dir"), AT_REMOVEDIR, 0), 0);
    CHECK_EQ(call(SYS_unlinkat, AT_FDCWD, text(dir), AT_REMOVEDIR, 0), 0);
    close(fd);
    close(at);
    broker_kill(&fixture);
    broker_end(&fixture);
}

SANDBOX_TEST(broker, sockets_connect, .expect_exit = 0)
{
    struct broker_fixture fixture;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t bytes = sizeof address;
    const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(server, (const struct sockaddr *)&address, sizeof address.sun_family), 0); // a name of the kernel's choice
    CHECK_EQ(getsockname(server, (struct sockaddr *)&address, &bytes), 0);
    CHECK_EQ(listen(server, 1), 0);
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    CHECK_EQ(call(SYS_connect, client, (long)(intptr_t)&address, (long)bytes, 0), 0);
    CHECK_EQ(call(SYS_connect, 999, (long)(intptr_t)&address, (long)bytes, 0), -EBADF);
    CHECK_EQ(call(SYS_connect, client, (long)(intptr_t)&address, 129, 0), -EINVAL);
    CHECK_EQ(call(SYS_connect, client, 16, (long)bytes, 0), -EFAULT);
    CHECK_EQ(write(client, "x", 1), 1);
    close(client);
    close(server);
    broker_kill(&fixture);
    broker_end(&fixture);
}

// --- threads, slots, ends ---------------------------------------------------------------------------------------------

static void *open_many(void *unused)
{
    struct stat null_status;
    for (int i = 0; i < 50; i++) {
        const int fd = (int)call(SYS_openat, AT_FDCWD, text("/dev/null"), O_RDONLY | O_CLOEXEC, 0);
        if (!CHECK(fd >= 0) || !CHECK_EQ(fstat(fd, &null_status), 0)) {
            break;
        }
        CHECK(S_ISCHR(null_status.st_mode));
        CHECK_EQ(close(fd), 0);
    }
    return unused;
}

static void run_threads(size_t count, void *(*body)(void *))
{
    pthread_t threads[64];
    for (size_t i = 0; i < count; i++) {
        REQUIRE(CHECK_EQ(pthread_create(&threads[i], NULL, body, NULL), 0));
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
}

static uint32_t taken_slots(const struct broker_fixture *fixture)
{
    uint32_t count = 0;
    for (size_t i = 0; i < BRIG_BROKER_SLOT_COUNT; i++) {
        count += fixture->slots->slots[i].state != BRIG_BROKER_SLOT_FREE;
    }
    return count;
}

SANDBOX_TEST(broker, serves_many_threads, .expect_exit = 0, .timeout_ms = 30000)
{
    struct broker_fixture fixture;
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    run_threads(20, open_many);
    CHECK_EQ(taken_slots(&fixture), 0);
    broker_kill(&fixture);
    broker_end(&fixture);
}

static void *be_held(void *unused)
{
    CHECK_EQ(call(SYS_openat, AT_FDCWD, text(BROKER_HOLD), O_RDONLY, 0), -EXDEV);
    return unused;
}

SANDBOX_TEST(broker, more_threads_than_slots_wait_for_one, .expect_exit = 0, .timeout_ms = 30000)
{
    struct broker_fixture fixture;
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    run_threads(48, be_held);
    CHECK_EQ(taken_slots(&fixture), 0);
    broker_kill(&fixture);
    broker_end(&fixture);
}

static void *lose_the_broker(void *unused)
{
    CHECK_EQ(call(SYS_openat, AT_FDCWD, text(BROKER_HOLD), O_RDONLY, 0), -EIO);
    return unused;
}

static void *end_the_broker(void *unused)
{
    const struct timespec moment = {0, 20000000};
    nanosleep(&moment, NULL);
    CHECK_EQ(call(SYS_openat, AT_FDCWD, text(BROKER_DIE), O_RDONLY, 0), -EIO);
    return unused;
}

SANDBOX_TEST(broker, death_of_the_broker_is_an_errno, .expect_exit = 0)
{
    struct broker_fixture fixture;
    pthread_t threads[4];
    const int dir = open("/", O_PATH | O_CLOEXEC);
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, i ? lose_the_broker : end_the_broker, NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_EQ(call(SYS_openat, AT_FDCWD, text("/"), O_RDONLY, 0), -EIO);
    CHECK_EQ(call(SYS_openat, dir, text("dev"), O_RDONLY, 0), -EIO);
    CHECK_EQ(taken_slots(&fixture), 0);
    close(dir);
    CHECK_EQ(waitpid(fixture.pid, NULL, 0), fixture.pid);
    broker_end(&fixture);
}

SANDBOX_TEST(broker, children_ask_too, .expect_exit = 0)
{
    struct broker_fixture fixture;
    int status = -1;
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    const pid_t child = fork();
    if (child == 0) {
        open_many(NULL);
        _exit(0);
    }
    open_many(NULL);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(taken_slots(&fixture), 0);
    broker_kill(&fixture);
    broker_end(&fixture);
}

SANDBOX_TEST(broker, without_one_the_answer_is_eacces, .expect_exit = 0)
{
    static const struct trap_rule rules[] = {BROKER_ASKED(SYS_openat)};
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(call(SYS_openat, AT_FDCWD, text("/"), O_RDONLY, 0), -EACCES);
    fixture_end(&fixture);
}

SANDBOX_TEST(broker, touching_is_a_violation, .expect_exit = 0)
{
    struct broker_fixture fixture;
    int status = 0;
    broker_start_with_all(&fixture);
    const pid_t child = fork();
    if (child == 0) {
        if (broker_lock(&fixture)) {
            call(SYS_openat, AT_FDCWD, text(BROKER_TOUCH), O_RDONLY, 0);
        }
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture.trap), 1));
    CHECK_EQ(fixture_record(&fixture.trap, 0)->nr, SYS_openat);
    broker_kill(&fixture);
    broker_end(&fixture);
}

// --- names ------------------------------------------------------------------------------------------------------------

SANDBOX_TEST(broker, names_are_resolved, .expect_exit = 0)
{
    struct broker_fixture fixture;
    struct addrinfo *addresses = NULL;
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    char long_name[5000];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    CHECK_EQ(brig_broker_getaddrinfo("host", NULL, NULL, &addresses), EAI_SYSTEM);
    CHECK_EQ(errno, EACCES);
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    REQUIRE(CHECK_EQ(brig_broker_getaddrinfo("host", "80", &hints, &addresses), 0));
    struct sockaddr_in address;
    for (int i = 1; i <= 2; i++) {
        const struct addrinfo *info = i == 1 ? addresses : addresses->ai_next;
        CHECK_EQ(info->ai_family, AF_INET);
        CHECK_EQ(info->ai_socktype, SOCK_STREAM);
        CHECK_EQ(info->ai_addrlen, sizeof address);
        memcpy(&address, info->ai_addr, sizeof address);
        CHECK_EQ(address.sin_port, htons(80));
        CHECK_EQ(address.sin_addr.s_addr, htonl(0x7f000000 + (uint32_t)i));
    }
    CHECK(addresses->ai_next->ai_next == NULL);
    brig_broker_freeaddrinfo(addresses);
    CHECK_EQ(brig_broker_getaddrinfo("no", "80", NULL, &addresses), EAI_NONAME);
    CHECK_EQ(brig_broker_getaddrinfo("broken", NULL, NULL, &addresses), EAI_FAIL);
    CHECK_EQ(brig_broker_getaddrinfo("endless", NULL, NULL, &addresses), EAI_FAIL);
    CHECK_EQ(brig_broker_getaddrinfo(long_name, NULL, NULL, &addresses), EAI_NONAME);
    CHECK_EQ(brig_broker_getaddrinfo(NULL, NULL, NULL, &addresses), EAI_NONAME);
    CHECK_EQ(taken_slots(&fixture), 0);
    broker_kill(&fixture);
    CHECK_EQ(brig_broker_getaddrinfo("host", "80", &hints, &addresses), EAI_FAIL);
    broker_end(&fixture);
}

// --- other emulations -------------------------------------------------------------------------------------------------

SANDBOX_TEST(broker, emulations_ask_it_in_turn, .expect_exit = 0)
{
    static const struct trap_rule nested[] = {
        BROKER_ASKED(SYS_openat),
        BROKER_ASKED(SYS_mkdirat),
        BROKER_ASKED(SYS_unlinkat),
        {SYS_openat2, ANY, 0, EMULATED_BY(brig_trap_emulate_openat2_by_openat)},
        {SYS_umask, ANY, 0, EMULATED_BY(brig_trap_emulate_umask_of_broker)},
    };
    struct broker_fixture fixture;
    struct open_how read_only = {.flags = O_RDONLY};
    struct stat made;
    char dir[] = "/tmp/brig-umask-XXXXXX";
    REQUIRE(mkdtemp(dir) != NULL);
    const int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    broker_start(&fixture, nested, COUNT_OF(nested));
    REQUIRE(broker_lock(&fixture));
    const int fd = (int)call(SYS_openat2, AT_FDCWD, text("/dev/null"), (long)(intptr_t)&read_only, sizeof read_only);
    CHECK(fd >= 0);
    close(fd);
    CHECK_EQ(call(SYS_openat, AT_FDCWD, text("/"), O_PATH, 0), -EBADF); // cannot be handed over
    CHECK_EQ(call(SYS_umask, 07077, 0, 0, 0), 022);
    CHECK_EQ(call(SYS_mkdirat, at, text("dir"), 0777, 0), 0);
    CHECK_EQ(fstatat(at, "dir", &made, 0), 0);
    CHECK_EQ(made.st_mode & 07777, 0700);
    CHECK_EQ(call(SYS_umask, 022, 0, 0, 0), 077);
    CHECK_EQ(call(SYS_unlinkat, at, text("dir"), AT_REMOVEDIR, 0), 0);
    CHECK_EQ(call(SYS_unlinkat, AT_FDCWD, text(dir), AT_REMOVEDIR, 0), 0);
    close(at);
    broker_kill(&fixture);
    broker_end(&fixture);
}

SANDBOX_TEST(broker, slots_of_something_else_are_refused, .expect_exit = 0)
{
    struct broker_fixture fixture;
    struct brig_error error;
    broker_start_with_all(&fixture);
    fixture.slots->slot_count++;
    CHECK(CHECK_CODE(brig_trap_arm(&fixture.trap.program, &fixture.trap.setup, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_STR_EQ(error.subject, "broker_slots");
    fixture.slots->slot_count--;
    CHECK_OK(brig_trap_arm(&fixture.trap.program, &fixture.trap.setup, &error), &error);
    fixture.trap.setup.broker_fd++;
    CHECK(CHECK_CODE(brig_trap_arm(&fixture.trap.program, &fixture.trap.setup, &error), BRIG_ALREADY_LOCKED, &error));
    broker_kill(&fixture);
    broker_end(&fixture);
}
