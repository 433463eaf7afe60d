// stress: what libc does in a busy or dying program, done under the renderer policy or under promises.
//
//   stress MODE [unlocked|pledge:PROMISES]     MODE is a name of the table at the end; "unlocked" leaves out the sandbox, for those
//                                              who watch
//
// Takes: a mode. Gives: the exit status or the signal that the mode's path ends in, and whatever libc says on stderr. Eight threads
// exist when the filter is installed. Built for glibc and musl, dynamic and static; stress_test.c runs all of them and knows how
// each must end. Weakness: modes that only one libc has (a heap check that speaks, backtrace) do something near to it on the other.
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "policies/policies.h"
#include "sandbox/sandbox.h"

#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define HAS_BACKTRACE 1
#endif

// In stress_cxx.cc. Returns: how many exceptions were thrown and caught.
int stress_throw(int count, int depth);

#define THREADS 8
#define BLOCKS 64
#define ROUNDS 400

static pthread_barrier_t locked;
static pthread_key_t key;
// Blocks that one thread allocates and another frees.
static void *shared_blocks[BLOCKS];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int sink;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

// Mostly small, sometimes beyond malloc's threshold for mappings of their own.
static size_t some_size(uint32_t *state)
{
    uint32_t pick = next_random(state) % 64;
    return pick == 0 ? (size_t)600 << 10 : pick < 8 ? (size_t)40 << 10 : 16 + next_random(state) % 2000;
}

static void swap_block(void **block, size_t index)
{
    pthread_mutex_lock(&shared_lock);
    void *other = shared_blocks[index];
    shared_blocks[index] = *block;
    *block = other;
    pthread_mutex_unlock(&shared_lock);
}

static bool malloc_storm(uint32_t seed)
{
    void *blocks[BLOCKS] = {NULL};
    uint32_t state = seed;
    for (int round = 0; round < ROUNDS; round++) {
        size_t index = next_random(&state) % BLOCKS;
        size_t size_bytes = some_size(&state);
        void *grown = realloc(blocks[index], size_bytes);
        if (!grown) {
            return false;
        }
        memset(grown, round, size_bytes);
        blocks[index] = grown;
        swap_block(&blocks[index], next_random(&state) % BLOCKS);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    return true;
}

// A thread as pools have them: data of its own, a look at its processors and its priority, work, a nap.
static void *pool_thread(void *argument)
{
    uint32_t seed = (uint32_t)(uintptr_t)argument;
    if (seed < THREADS) {
        pthread_barrier_wait(&locked);
    }
    cpu_set_t processors;
    struct sched_param scheduling;
    int scheduler;
    struct timespec nap = {.tv_nsec = 100000};
    bool is_fine = pthread_setspecific(key, malloc(100)) == 0;
    is_fine = is_fine && pthread_getaffinity_np(pthread_self(), sizeof processors, &processors) == 0;
    is_fine = is_fine && pthread_getschedparam(pthread_self(), &scheduler, &scheduling) == 0;
    is_fine = is_fine && malloc_storm(seed) && stress_throw(10, 5) == 10;
    nanosleep(&nap, NULL);
    sched_yield();
    if (seed % 2) {
        pthread_exit(is_fine ? &key : NULL);
    }
    return is_fine ? &key : NULL;
}

static bool start_threads(pthread_t threads[THREADS], uint32_t first)
{
    for (uint32_t i = 0; i < THREADS; i++) {
        // A stack of its own for each generation, so that libc gives back old ones.
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, (size_t)(256 + first) << 10);
        int error = pthread_create(&threads[i], &attributes, pool_thread, (void *)(uintptr_t)(first + i));
        pthread_attr_destroy(&attributes);
        if (error) {
            fprintf(stderr, "pthread_create: %s\n", strerror(error));
            return false;
        }
    }
    return true;
}

static bool join_threads(const pthread_t threads[THREADS])
{
    bool is_fine = true;
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        is_fine = pthread_join(threads[i], &result) == 0 && result == &key && is_fine;
    }
    return is_fine;
}

static int run_pool(void)
{
    for (uint32_t generation = 1; generation <= 10; generation++) {
        pthread_t threads[THREADS];
        if (!start_threads(threads, generation * THREADS) || !join_threads(threads)) {
            return 1;
        }
    }
    puts("pool done");
    return 0;
}

static int run_exceptions(void)
{
    return stress_throw(100, 20) == 100 ? 0 : 1;
}

static int run_abort(void)
{
    abort();
}

static void *abort_in_thread(void *argument)
{
    (void)argument;
    abort();
}

static int run_abort_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, abort_in_thread, NULL) == 0) {
        pthread_join(thread, NULL);
    }
    return 1;
}

static int run_assert(void)
{
    int sense = sink;
    assert(sense == 42 && "the panic message");
    return 1;
}

// A program's own last words, the way that panic handlers are written: message, stack, abort.
static int run_panic(void)
{
    fprintf(stderr, "panic: thread main at %s:%d, errno %s\n", __FILE__, __LINE__, strerror(errno));
#ifdef HAS_BACKTRACE
    void *frames[32];
    backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
#endif
    abort();
}

// glibc says "free(): double free detected" and aborts; musl traps on an instruction of its own.
static int run_double_free(void)
{
    char *volatile block = malloc(100);
    char *volatile again = block;
    free(block);
    free(again); // NOLINT(clang-analyzer-unix.Malloc): the mistake is the point
    return 1;
}

static int run_fork(void)
{
    int spawned = system("exit 0"); // glibc: as if the shell had exited with 127; musl: -1
    return fork() == -1 && errno == EPERM && spawned != 0 ? 0 : 1;
}

// What a library that was not warmed up does: it probes for a file, is told no, and goes on.
static int run_probe(void)
{
    FILE *file = fopen("/etc/locale.alias", "r");
    return !file && errno == EACCES && access("/etc/ld.so.preload", R_OK) == -1 && errno == EACCES ? 0 : 1;
}

static int run_isatty(void)
{
    return !isatty(STDOUT_FILENO) && errno == ENOTTY ? 0 : 1;
}

static const struct mode {
    const char *name;
    bool is_warm; // loads what a panic or an ending thread would load
    int (*run)(void);
} modes[] = {
    {"pool", true, run_pool},
    {"exceptions", false, run_exceptions},
    {"abort", false, run_abort},
    {"assert", false, run_assert},
    {"abort-thread", false, run_abort_thread},
    {"panic", true, run_panic},
    {"panic-cold", false, run_panic},
    {"double-free", false, run_double_free},
    {"fork", false, run_fork},
    {"probe", false, run_probe},
    {"isatty", false, run_isatty},
};

static bool is_unlocked;
static const char *promises; // or NULL: the renderer

static enum brig_code lock_or_fail(struct brig_error *reterr)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    static struct brig_policy_pledge_memory pledge;
    const struct brig_dsl_policy *policy = brig_policy_for_this_build("renderer");
    struct brig_lock_options options = {.memory = memory, .memory_bytes = sizeof memory, .notify_fd = -1};
    enum brig_code code = promises ? brig_policy_pledge(promises, &pledge, &policy, reterr) : BRIG_OK;
    return code == BRIG_OK ? brig_lock(policy, &options, reterr) : code;
}

static int lock(void)
{
    struct brig_error error;
    if (is_unlocked || lock_or_fail(&error) == BRIG_OK) {
        return 0;
    }
    char text[BRIG_ERROR_TEXT_BYTES];
    fprintf(stderr, "stress: %s\n", brig_error_format(&error, text, sizeof text));
    return 2;
}

// glibc loads libgcc_s on the first backtrace, pthread_exit or cancellation, by a path that the policy refuses.
static void warm_up(void)
{
#ifdef HAS_BACKTRACE
    void *frames[1];
    sink = backtrace(frames, 1);
    sink = 0;
#endif
}

static int run_locked(const struct mode *mode)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&locked, NULL, THREADS + 1);
    pthread_key_create(&key, free);
    warm_up(); // the pool's threads end by pthread_exit in any mode
    if (!start_threads(threads, 0) || lock() != 0) {
        return 2;
    }
    pthread_barrier_wait(&locked);
    if (!join_threads(threads)) {
        return 3;
    }
    return mode->run();
}

static int run_locked_alone(const struct mode *mode)
{
    if (lock() != 0) {
        return 2;
    }
    return mode->run();
}

int main(int argc, char **argv)
{
    is_unlocked = argc == 3 && strcmp(argv[2], "unlocked") == 0;
    promises = argc == 3 && strncmp(argv[2], "pledge:", strlen("pledge:")) == 0 ? argv[2] + strlen("pledge:") : NULL;
    for (size_t i = 0; (argc == 2 || is_unlocked || promises) && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            return modes[i].is_warm ? run_locked(&modes[i]) : run_locked_alone(&modes[i]);
        }
    }
    fprintf(stderr, "usage: stress MODE [unlocked|pledge:PROMISES]\n");
    return 64;
}
