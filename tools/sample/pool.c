// pool: a few threads that each do one part of what the main thread has to do.
//
// Takes: work that can be cut into parts. Guarantees: when pool_run returns, no helper touches the context any more. Threads are
// started before the lock and never end before the process does. One pool per process.
#include "tools/sample/pool.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "trap/trap.h"

static struct pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned helpers;
    unsigned round;   // counts pieces of work
    unsigned running; // helpers that are not done with this round
    pool_work *work;
    void *context;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void wait_for_round(unsigned round)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.round != round) {
        pthread_cond_wait(&pool.changed, &pool.lock);
    }
    pthread_mutex_unlock(&pool.lock);
}

static void say_done(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.running--;
    pthread_cond_broadcast(&pool.changed);
    pthread_mutex_unlock(&pool.lock);
}

static void *help(void *argument)
{
    unsigned part = (unsigned)(uintptr_t)argument;
    char name[16];
    snprintf(name, sizeof name, "helper-%u", part);
    pthread_setname_np(pthread_self(), name);
    if (brig_trap_thread_enter(NULL) != BRIG_OK) {
        return NULL; // pool_start then waits for ever, and the launch's time limit ends it
    }
    say_done();
    for (unsigned round = 1;; round++) {
        wait_for_round(round);
        pool.work(pool.context, part, pool.helpers + 1);
        say_done();
    }
}

static void wait_for_helpers(void)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.running > 0) {
        pthread_cond_wait(&pool.changed, &pool.lock);
    }
    pthread_mutex_unlock(&pool.lock);
}

bool pool_start(unsigned helpers)
{
    pool.helpers = pool.running = helpers;
    for (unsigned i = 0; i < helpers; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, help, (void *)(uintptr_t)(i + 1)) != 0) {
            return false;
        }
        pthread_detach(thread);
    }
    wait_for_helpers();
    return true;
}

void pool_run(pool_work *work, void *context)
{
    pthread_mutex_lock(&pool.lock);
    pool.work = work;
    pool.context = context;
    pool.running = pool.helpers;
    pool.round++;
    pthread_cond_broadcast(&pool.changed);
    pthread_mutex_unlock(&pool.lock);
    work(context, 0, pool.helpers + 1);
    wait_for_helpers();
}
