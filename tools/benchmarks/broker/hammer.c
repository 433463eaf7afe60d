// hammer: many threads of one worker ask the broker as fast as they can, for seconds, and each looks at what it got.
//
// Every thread opens a file of its own and compares what is in it with what it asked for: an answer that went to another thread
// shows as wrong content, a lost one as a thread that hangs, a leaked descriptor in the counts of both processes at the end. Few
// and many threads take turns, so that their throughput can be compared.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "sandbox/broker.h"
#include "tools/benchmarks/bench.h"
#include "trap/trap.h"

enum { THREADS = 16, FEW = 4, TURNS = 4, TURN_MS = 1250, PATH_BYTES = 64, WAIT_S = 30 };

static char directory[PATH_BYTES];

// --- the worker -------------------------------------------------------------------------------------------------------

static const struct brig_dsl_row rows[] = {
    WHY("orders come in, counts go out; each file is read"),
    ROW(read, ALLOW),
    ROW(close, ALLOW),
    WHY("what is hammered"),
    ELSE(openat, BROKER),
    ELSE(open, BROKER),
    ROWS_END,
};
static const struct brig_dsl_policy policy = {.name = "hammer", .base = &brig_policy_baseline, .rows = rows};

struct order {
    uint32_t threads;
    uint32_t turn_ms;
};

struct score {
    uint64_t opened;
    uint64_t crossed; // another thread's file
    uint64_t failed;
    int64_t sys_errno; // of the last failure
};

struct hammerer {
    pthread_t thread;
    uint32_t number;
    uint64_t until_ns;
    struct score score;
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
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%u", directory, (unsigned)hammerer->number);
    if (brig_trap_thread_enter(&error) != BRIG_OK) {
        hammerer->score.failed++;
        return NULL;
    }
    while (bench_now_ns() < hammerer->until_ns) {
        open_once(hammerer, path);
    }
    brig_trap_thread_leave();
    return NULL;
}

static struct score hammer_together(const struct order *order)
{
    static struct hammerer hammerers[THREADS];
    struct score sum = {.opened = 0};
    const uint64_t until_ns = bench_now_ns() + (uint64_t)order->turn_ms * 1000000;
    for (uint32_t i = 0; i < order->threads; i++) {
        hammerers[i] = (struct hammerer){.number = i, .until_ns = until_ns};
        if (pthread_create(&hammerers[i].thread, NULL, hammer, &hammerers[i]) != 0) {
            _exit(1);
        }
    }
    for (uint32_t i = 0; i < order->threads; i++) {
        pthread_join(hammerers[i].thread, NULL);
        sum.opened += hammerers[i].score.opened;
        sum.crossed += hammerers[i].score.crossed;
        sum.failed += hammerers[i].score.failed;
        sum.sys_errno = hammerers[i].score.sys_errno ? hammerers[i].score.sys_errno : sum.sys_errno;
    }
    return sum;
}

static int obey(void *data, int channel_fd)
{
    struct order order;
    (void)data;
    while (read(channel_fd, &order, sizeof order) == sizeof order) {
        const struct score score = hammer_together(&order);
        if (write(channel_fd, &score, sizeof score) != sizeof score) {
            return 1;
        }
    }
    return 0;
}

// --- the host ---------------------------------------------------------------------------------------------------------

struct host {
    struct brig_supervisor *supervisor;
    struct brig_broker *broker;
    struct brig_worker *worker;
};

static bool make_files(void)
{
    char path[2 * PATH_BYTES];
    snprintf(directory, sizeof directory, "/tmp/brig-hammer-XXXXXX");
    bool is_made = mkdtemp(directory) != NULL;
    for (unsigned i = 0; i < THREADS && is_made; i++) {
        snprintf(path, sizeof path, "%s/%u", directory, i);
        FILE *file = fopen(path, "w");
        is_made = file != NULL && fprintf(file, "%u\n", i) > 0;
        is_made = file != NULL && fclose(file) == 0 && is_made;
    }
    return is_made;
}

static void remove_files(void)
{
    char path[2 * PATH_BYTES];
    for (unsigned i = 0; i < THREADS; i++) {
        snprintf(path, sizeof path, "%s/%u", directory, i);
        unlink(path);
    }
    rmdir(directory);
}

// Returns: how many descriptors a process has open, -1 if it cannot be looked at.
static int count_descriptors(int pid)
{
    char path[PATH_BYTES];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *descriptors = opendir(path);
    if (!descriptors) {
        return -1;
    }
    while (readdir(descriptors)) {
        count++;
    }
    closedir(descriptors);
    return count;
}

static enum brig_code start(struct host *host, struct brig_error *reterr)
{
    const struct brig_broker_entry entry = {.path = directory, .rights = BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE};
    const struct brig_broker_spec broker = {
        .name = "hammer-broker", .policy = brig_policy_for_this_build("broker"), .list = {.entries = &entry, .entry_count = 1}};
    struct brig_worker_spec worker = {.name = "hammer", .policy = &policy, .entry = obey, .channel = true};
    enum brig_code code = brig_supervisor_new(&(struct brig_supervisor_options){.on_event = NULL}, &host->supervisor, reterr);
    if (code == BRIG_OK) {
        code = brig_broker_start(host->supervisor, &broker, &host->broker, reterr);
    }
    worker.broker = host->broker;
    return code == BRIG_OK ? brig_supervisor_launch(host->supervisor, &worker, &host->worker, reterr) : code;
}

static bool take_turn(struct bench_table *table, const struct host *host, uint32_t threads, struct score *sum)
{
    const struct order order = {threads, TURN_MS};
    const int fd = brig_worker_channel_fd(host->worker);
    const struct timeval limit = {.tv_sec = WAIT_S};
    struct score score;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (send(fd, &order, sizeof order, MSG_NOSIGNAL) != sizeof order || recv(fd, &score, sizeof score, 0) != sizeof score) {
        bench_fail(table, "%u threads: no answer in %d s: a request was lost, or the worker died", (unsigned)threads, WAIT_S);
        return false;
    }
    if (score.crossed || score.failed) {
        bench_fail(table, "%u threads: %llu answers crossed, %llu failed (errno %d)", (unsigned)threads,
                   (unsigned long long)score.crossed, (unsigned long long)score.failed, (int)score.sys_errno);
        return false;
    }
    sum->opened += score.opened;
    return true;
}

static void compare_throughput(struct bench_table *table, const struct host *host)
{
    struct score few = {.opened = 0}, many = {.opened = 0};
    for (int turn = 0; turn < 2 * TURNS; turn++) {
        if (!take_turn(table, host, turn % 2 ? THREADS : FEW, turn % 2 ? &many : &few)) {
            return;
        }
    }
    const double few_ns = (double)TURNS * TURN_MS * 1e6 / (double)few.opened;
    const double many_ns = (double)TURNS * TURN_MS * 1e6 / (double)many.opened;
    bench_add(table, "broker, open, read and close by 4 threads: one of them all", few_ns, few_ns, 1);
    bench_add(table, "broker, open, read and close by 16 threads: one of them all", many_ns, many_ns, many_ns / few_ns);
}

// The broker's threads may still be about to close what they have handed over.
static void judge_leaks(struct bench_table *table, const char *who, int pid, int before)
{
    enum { PATIENCE = 1000 };
    int after = count_descriptors(pid);
    for (int i = 0; after > before && i < PATIENCE; i++) {
        usleep(1000);
        after = count_descriptors(pid);
    }
    if (before < 0 || after != before) {
        bench_fail(table, "%s had %d descriptors open before, and %d after", who, before, after);
    }
}

static void measure(struct bench_table *table)
{
    struct host host = {.supervisor = NULL};
    struct score warm = {.opened = 0};
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    if (!make_files()) {
        bench_fail(table, "no files in %s", directory);
    } else if (start(&host, &error) != BRIG_OK) {
        bench_fail(table, "%s", brig_error_format(&error, text, sizeof text));
    } else if (take_turn(table, &host, THREADS, &warm)) { // all threads and stacks of the broker are there
        const int worker_before = count_descriptors(brig_worker_pid(host.worker));
        const int broker_before = count_descriptors(brig_broker_pid(host.broker));
        compare_throughput(table, &host);
        judge_leaks(table, "the worker", brig_worker_pid(host.worker), worker_before);
        judge_leaks(table, "the broker", brig_broker_pid(host.broker), broker_before);
    }
    brig_supervisor_free(host.supervisor);
    remove_files();
}

void bench_hammer(struct bench_table *table)
{
    bench_in_child(table, measure);
}
