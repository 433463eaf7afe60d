// What a broker does for many threads at once: opens by 1 to 16 threads of one process (broker/hammer.c), which is a worker or a
// program that was executed, on one processor and on all; and ten seconds of 16 threads.
//
// The numbers of threads take turns of a few hundredths of a second, there and back, and each turn is compared with that of 4
// threads in the same round: what else the machine does then falls on both. Nothing may be lost (a thread would hang), crossed
// (wrong content) or leaked (descriptors of both processes are counted before and after).
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "sandbox/broker.h"
#include "sandbox/program.h"
#include "tools/benchmarks/bench.h"
#include "tools/benchmarks/broker/hammer.h"
#include "tools/benchmarks/broker/race.h"

enum { ROUNDS = 40, TURN_MS = 30, LONG_MS = 10000, WAIT_S = 30, FEW = 4 };

static const uint32_t thread_counts[] = {1, 2, FEW, 8, HAMMER_THREADS};
enum { COUNTS = sizeof thread_counts / sizeof thread_counts[0] };

static char directory[HAMMER_DIRECTORY_BYTES];

// --- who is hammered --------------------------------------------------------------------------------------------------

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

struct host {
    struct brig_supervisor *supervisor;
    struct brig_broker *broker;
    struct brig_worker *worker;
    int order_fd;
    int pid; // of the hammering process
};

static int obey(void *data, int channel_fd)
{
    (void)data;
    return hammer_obey(channel_fd, channel_fd, true);
}

static enum brig_code start_worker(struct host *host, struct brig_error *reterr)
{
    const struct brig_worker_spec worker = {
        .name = "hammer", .policy = &policy, .entry = obey, .channel = true, .broker = host->broker};
    const enum brig_code code = brig_supervisor_launch(host->supervisor, &worker, &host->worker, reterr);
    if (code == BRIG_OK) {
        host->order_fd = brig_worker_channel_fd(host->worker);
        host->pid = brig_worker_pid(host->worker);
    }
    return code;
}

// The program has our standard streams and nothing else, so orders go there; this process is a child that does nothing more.
static enum brig_code start_program(struct host *host, struct brig_error *reterr)
{
    static char file[] = "/proc/self/exe", argument[] = HAMMER_PROGRAM;
    static char *const argv[] = {file, argument, NULL}, *const envp[] = {NULL};
    const struct brig_program_spec program = {.name = "hammer",
                                              .file = file,
                                              .argv = argv,
                                              .envp = envp,
                                              .policy = brig_policy_for_this_build("program"),
                                              .front_policy = brig_policy_for_this_build("notify"),
                                              .broker = host->broker};
    int orders[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) != 0 || dup2(orders[1], STDIN_FILENO) < 0 ||
        dup2(orders[1], STDOUT_FILENO) < 0) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_IO, .sys_errno = errno, .step = "start the hammer"});
    }
    close(orders[1]);
    const enum brig_code code = brig_supervisor_run(host->supervisor, &program, &host->worker, reterr);
    if (code == BRIG_OK) {
        host->order_fd = orders[0];
        host->pid = brig_program_pid(host->worker);
    }
    return code;
}

static enum brig_code start(struct host *host, bool is_program, struct brig_error *reterr)
{
    enum { SYSTEM = BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE | BRIG_BROKER_FOLLOW };
    const struct brig_broker_entry entries[] = {
        {.path = directory, .rights = BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE},
        {.path = "/lib", .rights = SYSTEM}, // the program's libraries
        {.path = "/lib64", .rights = SYSTEM},
        {.path = "/usr", .rights = SYSTEM},
        {.path = "/etc/ld.so.cache", .rights = BRIG_BROKER_READ},
    };
    const struct brig_broker_spec broker = {.name = "hammer-broker",
                                            .policy = brig_policy_for_this_build("broker"),
                                            .list = {.entries = entries, .entry_count = sizeof entries / sizeof entries[0]}};
    enum brig_code code = brig_supervisor_new(&(struct brig_supervisor_options){.on_event = NULL}, &host->supervisor, reterr);
    if (code == BRIG_OK) {
        code = brig_broker_start(host->supervisor, &broker, &host->broker, reterr);
    }
    if (code == BRIG_OK) {
        code = is_program ? start_program(host, reterr) : start_worker(host, reterr);
    }
    return code;
}

// --- files and descriptors --------------------------------------------------------------------------------------------

enum { PATH_BYTES = HAMMER_DIRECTORY_BYTES + 16 };

static bool make_files(void)
{
    char path[PATH_BYTES];
    snprintf(directory, sizeof directory, "/tmp/brig-hammer-XXXXXX");
    bool is_made = mkdtemp(directory) != NULL;
    for (unsigned i = 0; i < HAMMER_THREADS && is_made; i++) {
        snprintf(path, sizeof path, "%s/%u", directory, i);
        FILE *file = fopen(path, "w");
        is_made = file != NULL && fprintf(file, "%u\n", i) > 0;
        is_made = file != NULL && fclose(file) == 0 && is_made;
    }
    return is_made;
}

static void remove_files(void)
{
    char path[PATH_BYTES];
    for (unsigned i = 0; i < HAMMER_THREADS; i++) {
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

// The broker's threads may still be about to close what they have handed over: the least that was seen for a while.
static int count_at_rest(int pid)
{
    enum { LOOKS = 100, PAUSE_US = 1000 };
    int least = count_descriptors(pid);
    for (int i = 0; i < LOOKS; i++) {
        usleep(PAUSE_US);
        const int count = count_descriptors(pid);
        least = count < least ? count : least;
    }
    return least;
}

static void judge_leaks(struct bench_table *table, const char *who, int pid, int before)
{
    const int after = count_at_rest(pid);
    if (before < 0 || after != before) {
        bench_fail(table, "%s had %d descriptors open before, and %d after", who, before, after);
    }
}

// --- turns ------------------------------------------------------------------------------------------------------------

static bool take_turn(struct bench_table *table, const struct host *host, uint32_t threads, uint32_t turn_ms, double *ret_ns)
{
    struct hammer_order order = {.threads = threads, .turn_ms = turn_ms};
    const struct timeval limit = {.tv_sec = WAIT_S};
    struct hammer_score score;
    memcpy(order.directory, directory, sizeof order.directory);
    setsockopt(host->order_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (send(host->order_fd, &order, sizeof order, MSG_NOSIGNAL) != sizeof order ||
        recv(host->order_fd, &score, sizeof score, 0) != sizeof score) {
        bench_fail(table, "%u threads: no answer in %d s: a request was lost, or the process died", (unsigned)threads, WAIT_S);
        return false;
    }
    if (score.crossed || score.failed || score.least == 0) {
        bench_fail(table, "%u threads: %llu answers crossed, %llu failed (errno %d), at least %llu opened by each",
                   (unsigned)threads, (unsigned long long)score.crossed, (unsigned long long)score.failed, (int)score.sys_errno,
                   (unsigned long long)score.least);
        return false;
    }
    *ret_ns = (double)score.ns / (double)score.opened;
    return true;
}

static void compare_counts(struct bench_table *table, const struct host *host, const char *where)
{
    static double ns[COUNTS][ROUNDS];
    char name[BENCH_NAME_BYTES];
    size_t few = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t turn = 0; turn < COUNTS; turn++) {
            const size_t i = round % 2 ? COUNTS - 1 - turn : turn;
            few = thread_counts[i] == FEW ? i : few;
            if (!take_turn(table, host, thread_counts[i], TURN_MS, &ns[i][round])) {
                return;
            }
        }
    }
    for (size_t i = 0; i < COUNTS; i++) {
        snprintf(name, sizeof name, "%s, %u threads: an open of them all", where, (unsigned)thread_counts[i]);
        bench_add_paired(table, name, ns[i], ns[few], ROUNDS);
    }
}

static void hammer_long(struct bench_table *table, const struct host *host, const char *where)
{
    char name[BENCH_NAME_BYTES];
    double ns;
    if (take_turn(table, host, HAMMER_THREADS, LONG_MS, &ns)) {
        snprintf(name, sizeof name, "%s, %d threads for %d seconds", where, HAMMER_THREADS, LONG_MS / 1000);
        bench_add(table, name, ns, ns, 0);
    }
}

static void measure_started(struct bench_table *table, const struct host *host, const char *where, bool is_long)
{
    double warm_ns; // then all threads and stacks of the broker are there
    if (!take_turn(table, host, HAMMER_THREADS, 10 * TURN_MS, &warm_ns)) {
        return;
    }
    const int before = count_at_rest(host->pid);
    const int broker_before = count_at_rest(brig_broker_pid(host->broker));
    compare_counts(table, host, where);
    if (is_long) {
        hammer_long(table, host, where);
    }
    judge_leaks(table, "the hammering process", host->pid, before);
    judge_leaks(table, "the broker", brig_broker_pid(host->broker), broker_before);
}

static void measure(struct bench_table *table, bool is_program, const char *where, bool is_long)
{
    struct host host = {.supervisor = NULL};
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    if (!make_files()) {
        bench_fail(table, "no files in %s", directory);
    } else if (start(&host, is_program, &error) != BRIG_OK) {
        bench_fail(table, "%s", brig_error_format(&error, text, sizeof text));
    } else {
        measure_started(table, &host, where, is_long);
    }
    brig_supervisor_free(host.supervisor);
    remove_files();
}

static void measure_worker_on_one(struct bench_table *table)
{
    if (race_pin(0)) {
        measure(table, false, "worker, one processor", false);
    }
}

static void measure_worker(struct bench_table *table)
{
    measure(table, false, "worker, all processors", true);
}

static void measure_program_on_one(struct bench_table *table)
{
    if (race_pin(0)) {
        measure(table, true, "program, one processor", false);
    }
}

static void measure_program(struct bench_table *table)
{
    measure(table, true, "program, all processors", false);
}

void bench_hammer(struct bench_table *table)
{
    bench_in_child(table, measure_worker_on_one);
    bench_in_child(table, measure_worker);
    bench_in_child(table, measure_program_on_one);
    bench_in_child(table, measure_program);
}

int bench_hammer_program(void)
{
    return hammer_obey(STDIN_FILENO, STDOUT_FILENO, false);
}
