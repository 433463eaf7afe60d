// Many threads and slow files: nothing lost, crossed or left open, and nobody waits for somebody else's file.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/sandbox/broker_room.h"

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// --- many at once -----------------------------------------------------------------------------------------------------

enum { HAMMERS = 16, ROUNDS = 150 };

struct hammer {
    int number;
    int folder_fd;
};

static bool has_own_text(int fd, int number)
{
    char found[16] = "", expected[16];
    snprintf(expected, sizeof expected, "file %d\n", number);
    const bool is_own = fd >= 0 && read(fd, found, sizeof found - 1) > 0 && strcmp(found, expected) == 0;
    if (fd >= 0)
        close(fd);
    return is_own;
}

// By a path, by a directory that goes up with the request, by a refusal, by what comes back in memory.
static void strike(const struct hammer *hammer)
{
    struct stat status;
    char name[32];
    snprintf(name, sizeof name, "ro/%d", hammer->number);
    CHECK(has_own_text(open(room_path(name), O_RDONLY | O_CLOEXEC), hammer->number));
    CHECK(has_own_text(openat(hammer->folder_fd, name + 3, O_RDONLY | O_CLOEXEC), hammer->number));
    CHECK_EQ(open(room_path("secret/file"), O_RDONLY | O_CLOEXEC), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(fstatat(hammer->folder_fd, name + 3, &status, 0), 0);
    CHECK_EQ(status.st_mtime, 1000 + hammer->number);
}

static void *hammer(void *context)
{
    for (int i = 0; i < ROUNDS; i++)
        strike(context);
    return NULL;
}

static int hammer_from_threads(void *data, int channel_fd)
{
    static struct hammer hammers[HAMMERS];
    pthread_t threads[HAMMERS];
    (void)data;
    (void)channel_fd;
    const int folder_fd = open(room_path("ro"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int next_fd = dup(folder_fd);
    close(next_fd);
    for (int i = 0; i < HAMMERS; i++) {
        hammers[i] = (struct hammer){i, folder_fd};
        CHECK_EQ(pthread_create(&threads[i], NULL, hammer, &hammers[i]), 0);
    }
    for (int i = 0; i < HAMMERS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(dup(folder_fd), next_fd); // nothing was left open here
    return 0;
}

static bool make_own_files(void)
{
    for (int i = 0; i < HAMMERS; i++) {
        char name[32], text[32];
        snprintf(name, sizeof name, "ro/%d", i);
        snprintf(text, sizeof text, "file %d\n", i);
        const struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
        if (!CHECK(room_write(name, text)) || !CHECK_EQ(utimensat(AT_FDCWD, room_path(name), times, 0), 0))
            return false;
    }
    return true;
}

SANDBOX_TEST(broker, many_threads_each_get_their_own_file, .timeout_ms = 60000)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(make_own_files());
    const int before = room_descriptors(brig_broker_pid(room.broker));
    REQUIRE(room_run(&room, hammer_from_threads, NULL));
    CHECK_EQ(room_settled_descriptors(room.broker, before), before);
    CHECK_EQ(fixture_count(&room.fixture, BRIG_EVENT_BROKER), 0u);
    room_close(&room);
}

// Two such workers at one broker.
SANDBOX_TEST(broker, many_threads_of_several_workers, .timeout_ms = 60000)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(make_own_files());
    const int before = room_descriptors(brig_broker_pid(room.broker));
    REQUIRE(room_launch(&room, hammer_from_threads, NULL));
    REQUIRE(room_launch(&room, hammer_from_threads, NULL));
    REQUIRE(fixture_run(&room.fixture, 2));
    CHECK_EQ(room.fixture.events[0].wait_status, 0);
    CHECK_EQ(room.fixture.events[1].wait_status, 0);
    CHECK_EQ(room_settled_descriptors(room.broker, before), before);
    room_close(&room);
}

// --- slow files -------------------------------------------------------------------------------------------------------

enum { SLOW = 10, QUICK_ROUNDS = 200 };

static void *open_slow_file(void *context)
{
    (void)context;
    const int fd = open(room_path("rw/fifo"), O_RDONLY | O_CLOEXEC);
    CHECK_GE(fd, 0);
    close(fd);
    return NULL;
}

static int ask_beside_slow_files(void *data, int channel_fd)
{
    pthread_t threads[SLOW];
    (void)data;
    (void)channel_fd;
    for (int i = 0; i < SLOW; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, open_slow_file, NULL), 0);
    const struct timespec pause = {.tv_nsec = 200000000};
    nanosleep(&pause, NULL);
    const double start = seconds();
    for (int i = 0; i < QUICK_ROUNDS; i++)
        CHECK(room_has("ro/hello", "hello\n"));
    CHECK_LT((int)(seconds() - start), 5);
    const int fd = open(room_path("rw/fifo"), O_RDWR | O_CLOEXEC); // now they may
    CHECK_GE(fd, 0);
    for (int i = 0; i < SLOW; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    close(fd);
    return 0;
}

SANDBOX_TEST(broker, threads_that_wait_for_slow_files_stall_nobody, .timeout_ms = 30000)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(CHECK_EQ(mkfifo(room_path("rw/fifo"), 0600), 0));
    const int before = room_descriptors(brig_broker_pid(room.broker));
    REQUIRE(room_run(&room, ask_beside_slow_files, NULL));
    CHECK_EQ(room_settled_descriptors(room.broker, before), before);
    room_close(&room);
}
