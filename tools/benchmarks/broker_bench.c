// What a brokered open costs, and a refused one: Brig's broker beside the two usual ways (broker/peers.c), client and broker on one
// processor and on two. The peers' opens go through a SIGSYS handler; Brig's as libbrig-wrap makes them for programs that are
// linked with it, and by a trap, which is what code that makes the call itself gets. All take turns in the same seconds.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "sandbox/broker.h"
#include "tools/benchmarks/bench.h"
#include "tools/benchmarks/broker/race.h"

enum { ROUNDS = 40, ITERATIONS = 400, CLIENTS = 4, BRIG = 2, TRAPPED = 3 };

// --- Brig's client ----------------------------------------------------------------------------------------------------

static const struct brig_dsl_row rows[] = {
    WHY("orders come in, times go out"),
    ROW(read, ALLOW),
    ROW(close, ALLOW),
    WHY("what is measured"),
    ELSE(openat, BROKER),
    ELSE(open, BROKER),
    ROWS_END,
};
static const struct brig_dsl_policy policy = {.name = "bench", .base = &brig_policy_baseline, .rows = rows};

static int obey(void *data, int channel_fd)
{
    (void)data;
    return race_obey(channel_fd);
}

struct host {
    struct brig_supervisor *supervisor;
    struct brig_broker *broker;
    struct brig_worker *worker;
};

// Makes two clients of one worker.
static enum brig_code start_brig(struct host *host, struct race_client client[2], const int processors[2],
                                 struct brig_error *reterr)
{
    static const struct brig_broker_entry entries[] = {{.path = RACE_FILE, .rights = BRIG_BROKER_READ}};
    const struct brig_broker_spec broker = {
        .name = "bench-broker", .policy = brig_policy_for_this_build("broker"), .list = {.entries = entries, .entry_count = 1}};
    struct brig_worker_spec worker = {.name = "bench", .policy = &policy, .entry = obey, .channel = true};
    enum brig_code code = brig_supervisor_new(&(struct brig_supervisor_options){.on_event = NULL}, &host->supervisor, reterr);
    if (code == BRIG_OK && race_pin(processors[1])) {
        code = brig_broker_start(host->supervisor, &broker, &host->broker, reterr);
    }
    worker.broker = host->broker;
    if (code == BRIG_OK && race_pin(processors[0])) {
        code = brig_supervisor_launch(host->supervisor, &worker, &host->worker, reterr);
    }
    if (code == BRIG_OK) {
        client[0] = (struct race_client){.name = "Brig", .fd = brig_worker_channel_fd(host->worker)};
        client[1] = (struct race_client){.name = "Brig by a trap", .fd = client[0].fd, .is_trapped = true};
    }
    return code;
}

// --- turns ------------------------------------------------------------------------------------------------------------

struct times {
    double ns[ROUNDS];
    size_t count;
};

static int compare_times(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static bool take_turn(struct bench_table *table, const struct race_client *client, enum race_task task, double *ret_ns)
{
    const struct race_order order = {.task = task, .is_trapped = client->is_trapped, .iterations = ITERATIONS};
    struct race_result result = {.sys_errno = 0};
    if (send(client->fd, &order, sizeof order, MSG_NOSIGNAL) != sizeof order ||
        recv(client->fd, &result, sizeof result, 0) != sizeof result || result.ns == 0) {
        bench_fail(table, "%s: a call was not answered as it should be: errno %d", client->name, (int)result.sys_errno);
        return false;
    }
    *ret_ns = (double)result.ns / ITERATIONS;
    return true;
}

static void add_rows(struct bench_table *table, struct times times[CLIENTS], const struct race_client clients[CLIENTS],
                     const char *what)
{
    char name[BENCH_NAME_BYTES];
    for (int i = 0; i < CLIENTS; i++) {
        qsort(times[i].ns, times[i].count, sizeof times[i].ns[0], compare_times);
        snprintf(name, sizeof name, "%s, %s", what, clients[i].name);
        bench_add(table, name, times[i].ns[0], times[i].ns[times[i].count / 2], times[i].ns[0] / times[0].ns[0]);
    }
    for (int i = BRIG; i < CLIENTS; i++) {
        snprintf(name, sizeof name, "%s, %s: against %s", what, clients[i].name, clients[1].name);
        bench_add(table, name, times[i].ns[0], times[i].ns[times[i].count / 2], times[i].ns[0] / times[1].ns[0]);
    }
}

static void race(struct bench_table *table, const struct race_client clients[CLIENTS], enum race_task task, const char *what)
{
    static struct times times[CLIENTS];
    memset(times, 0, sizeof times);
    for (int round = -1; round < ROUNDS; round++) { // the first does not count
        for (int i = 0; i < CLIENTS; i++) {
            double ns;
            if (!take_turn(table, &clients[i], task, &ns)) {
                return;
            }
            if (round >= 0) {
                times[i].ns[times[i].count++] = ns;
            }
        }
    }
    add_rows(table, times, clients, what);
}

static void measure_on(struct bench_table *table, const int processors[2], const char *where)
{
    static const char *const tasks[RACE_TASK_COUNT] = {
        [RACE_OPEN] = "open", [RACE_REFUSED] = "refused open", [RACE_REFUSED_NEW] = "refused open of a new name"};
    struct race_client clients[CLIENTS] = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
    struct host host = {.supervisor = NULL};
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    if (!race_start_one_pair(&clients[0], processors[0], processors[1]) ||
        !race_start_pair_per_request(&clients[1], processors[0], processors[1])) {
        bench_fail(table, "a peer did not start");
    } else if (start_brig(&host, &clients[BRIG], processors, &error) != BRIG_OK) {
        bench_fail(table, "%s", brig_error_format(&error, text, sizeof text));
    } else {
        for (int task = 0; task < RACE_TASK_COUNT; task++) {
            snprintf(text, sizeof text, "%s, %s", tasks[task], where);
            race(table, clients, (enum race_task)task, text);
        }
    }
    clients[BRIG].fd = clients[TRAPPED].fd = -1; // the supervisor's
    for (int i = 0; i < CLIENTS; i++) {
        race_end(&clients[i]);
    }
    brig_supervisor_free(host.supervisor);
}

static void measure_on_one(struct bench_table *table)
{
    measure_on(table, (const int[2]){0, 0}, "one processor");
}

static void measure_on_two(struct bench_table *table)
{
    measure_on(table, (const int[2]){0, 1}, "two processors");
}

void bench_broker(struct bench_table *table)
{
    bench_in_child(table, measure_on_one);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
        bench_in_child(table, measure_on_two);
    }
}
