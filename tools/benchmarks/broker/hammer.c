// hammer: many threads of one process ask the broker as fast as they can, and each looks at what it got.
//
// Every thread opens a file of its own and compares what is in it with what it asked for: an answer that went to another thread
// shows as wrong content, a lost one as a thread that hangs. Threads are made anew for each turn, and wait for each other before
// they start, so that making them takes no time of the turn.
#include "tools/benchmarks/broker/hammer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/benchmarks/bench.h"
#include "trap/trap.h"

enum { PATH_BYTES = HAMMER_DIRECTORY_BYTES + 16 };

struct hammerer {
    pthread_t thread;
    uint32_t number;
    bool is_worker;
    const struct hammer_order *order;
    pthread_barrier_t *start;
    uint64_t start_ns, end_ns;
    struct hammer_score score;
};

static void open_once(struct hammerer *hammerer, const char *path)
{
    char text[16] = "";
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) {
        hammerer->score.failed++;
        hammerer->score.sys_errno = errno;
    } else if ((uint32_t)strtoul(text, NULL, 10) != hammerer->number) {
        hammerer->score.crossed++;
    }
    if (fd >= 0) {
        close(fd);
    }
    hammerer->score.opened++;
}

static void *hammer(void *data)
{
    struct hammerer *hammerer = data;
    struct brig_error error;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%u", hammerer->order->directory, (unsigned)hammerer->number);
    const bool has_entered = hammerer->is_worker && brig_trap_thread_enter(&error) == BRIG_OK;
    hammerer->score.failed = hammerer->is_worker && !has_entered;
    pthread_barrier_wait(hammerer->start);
    hammerer->start_ns = hammerer->end_ns = bench_now_ns();
    while (hammerer->end_ns - hammerer->start_ns < (uint64_t)hammerer->order->turn_ms * 1000000) {
        open_once(hammerer, path);
        hammerer->end_ns = bench_now_ns();
    }
    if (has_entered) {
        brig_trap_thread_leave();
    }
    return NULL;
}

static void add_score(struct hammer_score *sum, const struct hammer_score *score)
{
    sum->opened += score->opened;
    sum->least = score->opened < sum->least ? score->opened : sum->least;
    sum->crossed += score->crossed;
    sum->failed += score->failed;
    sum->sys_errno = score->sys_errno ? score->sys_errno : sum->sys_errno;
}

static struct hammer_score hammer_together(const struct hammer_order *order, bool is_worker)
{
    static struct hammerer hammerers[HAMMER_THREADS];
    struct hammer_score sum = {.least = UINT64_MAX};
    pthread_barrier_t start;
    uint64_t start_ns = UINT64_MAX, end_ns = 0;
    pthread_barrier_init(&start, NULL, order->threads + 1);
    for (uint32_t i = 0; i < order->threads; i++) {
        hammerers[i] = (struct hammerer){.number = i, .is_worker = is_worker, .order = order, .start = &start};
        if (pthread_create(&hammerers[i].thread, NULL, hammer, &hammerers[i]) != 0) {
            _exit(1);
        }
    }
    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < order->threads; i++) {
        pthread_join(hammerers[i].thread, NULL);
        add_score(&sum, &hammerers[i].score);
        start_ns = hammerers[i].start_ns < start_ns ? hammerers[i].start_ns : start_ns;
        end_ns = hammerers[i].end_ns > end_ns ? hammerers[i].end_ns : end_ns;
    }
    pthread_barrier_destroy(&start);
    sum.ns = end_ns - start_ns;
    return sum;
}

int hammer_obey(int in_fd, int out_fd, bool is_worker)
{
    struct hammer_order order;
    while (read(in_fd, &order, sizeof order) == sizeof order) {
        const struct hammer_score score = hammer_together(&order, is_worker);
        if (write(out_fd, &score, sizeof score) != sizeof score) {
            return 1;
        }
    }
    return 0;
}
