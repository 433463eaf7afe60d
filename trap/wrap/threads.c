// threads: every thread that the program asks libc for begins with brig_trap_thread_enter, and ends with brig_trap_thread_leave.
//
// Takes pthread_create and thrd_create, gives the same with a first function of ours. Also before arming: a filter that is
// installed later reaches these threads too, and what they get (a signal stack that no handler uses, SIGSYS not blocked) changes
// nothing for them. Guarantees: a stack that the thread is given by somebody else stays; destructors of the thread's data, by
// return, pthread_exit or cancellation, run while the stack is still there. Weakness: where the process has used up libc's keys,
// stacks of ended threads stay mapped; where there is no memory for a stack, the thread goes on without.
#include <limits.h>
#include <stdlib.h>

#include "trap/wrap/wrap.h"

// --- what the new thread is to do -------------------------------------------------------------------------------------

// Handed from the creating thread to the new one. Mostly from a table: to free memory would be the first use of the heap in many
// threads, for which glibc maps a heap of the thread's own.
struct start {
    bool is_taken;
    void *(*run)(void *argument);   // of pthread_create, or NULL
    int (*run_c11)(void *argument); // of thrd_create
    void *argument;
};

static struct start starts[64];

static struct start *take_start(void)
{
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (!__atomic_exchange_n(&starts[i].is_taken, true, __ATOMIC_ACQUIRE)) {
            return &starts[i];
        }
    }
    return malloc(sizeof(struct start));
}

static void give_back(struct start *start)
{
    const uintptr_t offset = (uintptr_t)start - (uintptr_t)starts;
    if (offset < sizeof starts) {
        __atomic_store_n(&start->is_taken, false, __ATOMIC_RELEASE);
    } else {
        free(start); // NOLINT(clang-analyzer-unix.Malloc): it is not in the table
    }
}

static struct start take_over(struct start *start)
{
    const struct start copy = *start;
    give_back(start);
    return copy;
}

// --- the end of a thread ----------------------------------------------------------------------------------------------

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

// Destructors run in rounds as long as there is something to destruct; the stack goes in the last round that there can be.
static void leave_last(void *round)
{
    const uintptr_t number = (uintptr_t)round;
    if (number >= PTHREAD_DESTRUCTOR_ITERATIONS || pthread_setspecific(key, (void *)(number + 1)) != 0) {
        brig_trap_thread_leave();
    }
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, leave_last) == 0;
}

// --- the beginning ----------------------------------------------------------------------------------------------------

static void enter(void)
{
    if (brig_trap_thread_enter(NULL) == BRIG_OK && has_key) {
        pthread_setspecific(key, (void *)(uintptr_t)1);
    }
}

static void *run_thread(void *opaque)
{
    const struct start start = take_over(opaque);
    enter();
    return start.run(start.argument);
}

static int run_c11_thread(void *opaque)
{
    const struct start start = take_over(opaque);
    enter();
    return start.run_c11(start.argument);
}

int trap_wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    struct start *start = brig_trap_thread_enter ? take_start() : NULL;
    if (!start) {
        return trap_wrap_real()->pthread_create(thread, attributes, run, argument);
    }
    pthread_once(&once, make_key);
    start->run = run;
    start->argument = argument;
    const int error = trap_wrap_real()->pthread_create(thread, attributes, run_thread, start);
    if (error) {
        give_back(start);
    }
    return error;
}

int trap_wrap_thrd_create(thrd_t *thread, thrd_start_t run, void *argument)
{
    struct start *start = brig_trap_thread_enter ? take_start() : NULL;
    if (!start) {
        return trap_wrap_real()->thrd_create(thread, run, argument);
    }
    pthread_once(&once, make_key);
    start->run_c11 = run;
    start->argument = argument;
    const int result = trap_wrap_real()->thrd_create(thread, run_c11_thread, start);
    if (result != thrd_success) {
        give_back(start);
    }
    return result;
}
