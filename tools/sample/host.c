// host: the demo's use of libbrig-supervisor: workers, jobs, events.
//
// Everything that a worker says is taken as a stranger's: answers are checked, waits have a limit, and a worker that answers
// nonsense is killed. Events come inside brig_supervisor_dispatch; they are only noted there.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "policies/policies.h"
#include "tools/sample/demo.h"

static const struct worker_type {
    const char *name;
    int (*warm_up)(void *data);
    brig_entry *entry;
} worker_types[] = {
    {"renderer", sample_renderer_warm_up, sample_renderer},
    {"network", NULL, sample_fetcher},
};

bool demo_complain(const char *what, const struct brig_error *error)
{
    char text[BRIG_ERROR_TEXT_BYTES];
    fprintf(stderr, "demo: %s: %s\n", what, brig_error_format(error, text, sizeof text));
    return false;
}

// --- events -----------------------------------------------------------------------------------------------------------

static struct demo_worker *find(const struct demo_host *host, const struct brig_worker *worker)
{
    for (size_t i = 0; i < host->worker_count; i++) {
        if (host->workers[i]->worker == worker) {
            return host->workers[i];
        }
    }
    return NULL;
}

static void replace(char **text, const char *by)
{
    free(*text);
    *text = by ? strdup(by) : NULL;
}

static void note_violation(struct demo_worker *worker, const struct brig_event *event)
{
    worker->violations++;
    replace(&worker->report_json, event->report_json);
    replace(&worker->report_path, event->report_path);
    replace(&worker->message, event->message);
}

static void on_event(void *context, const struct brig_event *event)
{
    struct demo_host *host = context;
    struct demo_worker *worker = find(host, event->worker);
    if (!host->is_quiet || event->kind == BRIG_EVENT_LOST) {
        printf("   %s\n", event->message);
    }
    if (!worker) {
        return; // of a launch that failed
    }
    if (event->kind == BRIG_EVENT_VIOLATION) {
        note_violation(worker, event);
    } else if (event->kind == BRIG_EVENT_EXIT) {
        worker->wait_status = event->wait_status;
        worker->worker = NULL;
        worker->channel_fd = -1;
    }
}

static bool dispatch(struct demo_host *host, int timeout_ms)
{
    struct brig_error error;
    return brig_supervisor_dispatch(host->supervisor, timeout_ms, &error) == BRIG_OK || demo_complain("dispatch", &error);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void demo_settle(struct demo_host *host, int milliseconds)
{
    int64_t end_ms = now_ms() + milliseconds;
    for (int64_t left_ms = milliseconds; left_ms > 0; left_ms = end_ms - now_ms()) {
        if (!dispatch(host, (int)left_ms)) {
            return;
        }
    }
}

// --- starting and ending ----------------------------------------------------------------------------------------------

static bool make_directories(const char *path)
{
    char partial[4096];
    size_t bytes = strlen(path);
    if (bytes >= sizeof partial) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (size_t i = 1; i <= bytes; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(partial, path, i);
        partial[i] = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
            return false;
        }
    }
    return true;
}

bool demo_host_start(struct demo_host *host, const char *output_dir)
{
    char report_dir[4096];
    *host = (struct demo_host){.output_dir = output_dir};
    snprintf(report_dir, sizeof report_dir, "%s/reports", output_dir);
    if (!make_directories(report_dir)) {
        fprintf(stderr, "demo: %s cannot be made: %s\n", report_dir, strerror(errno));
        return false;
    }
    struct brig_supervisor_options options = {.report_dir = report_dir, .on_event = on_event, .context = host};
    struct brig_error error;
    return brig_supervisor_new(&options, &host->supervisor, &error) == BRIG_OK || demo_complain("no supervisor", &error);
}

void demo_host_end(struct demo_host *host)
{
    brig_supervisor_free(host->supervisor);
    while (host->worker_count > 0) {
        demo_worker_free(host, host->workers[host->worker_count - 1]);
    }
    free(host->workers);
}

static bool is_overlay(const struct brig_dsl_policy *policy)
{
    return strchr(policy->name, '+') != NULL;
}

static bool add_worker(struct demo_host *host, struct demo_worker *worker)
{
    struct demo_worker **grown = realloc(host->workers, (host->worker_count + 1) * sizeof(struct demo_worker *));
    if (grown) {
        host->workers = grown;
        host->workers[host->worker_count++] = worker;
    }
    return grown != NULL;
}

static bool launch(struct demo_host *host, const struct worker_type *type, bool can_be_watched, struct demo_worker *worker)
{
    const struct brig_dsl_policy *policy = brig_policy_for_this_build(type->name);
    struct brig_worker_spec spec = {
        .name = type->name,
        .policy = policy,
        .warm_up = type->warm_up,
        .entry = type->entry,
        .channel = true,
        .address_space_bytes = is_overlay(policy) ? 0 : UINT64_C(1) << 30, // sanitizers map terabytes
        .file_size_bytes = SAMPLE_FILE_BYTES_MAX,
        .cpu_seconds = 60,
        .dumpable = can_be_watched,
    };
    struct brig_error error;
    if (brig_supervisor_launch(host->supervisor, &spec, &worker->worker, &error) != BRIG_OK) {
        return demo_complain(type->name, &error);
    }
    worker->pid = brig_worker_pid(worker->worker);
    worker->channel_fd = brig_worker_channel_fd(worker->worker);
    worker->status = *brig_worker_status(worker->worker);
    return add_worker(host, worker);
}

struct demo_worker *demo_launch(struct demo_host *host, const char *type, bool can_be_watched)
{
    struct demo_worker *worker = calloc(1, sizeof *worker);
    bool is_launched = false;
    for (size_t i = 0; worker && i < sizeof worker_types / sizeof worker_types[0]; i++) {
        if (strcmp(worker_types[i].name, type) == 0) {
            is_launched = launch(host, &worker_types[i], can_be_watched, worker);
        }
    }
    if (!is_launched) {
        free(worker);
        return NULL;
    }
    return worker;
}

static void forget(struct demo_host *host, const struct demo_worker *worker)
{
    for (size_t i = 0; i < host->worker_count; i++) {
        if (host->workers[i] == worker) {
            host->workers[i] = host->workers[--host->worker_count];
            return;
        }
    }
}

void demo_worker_free(struct demo_host *host, struct demo_worker *worker)
{
    if (worker->worker && host->supervisor) {
        brig_worker_kill(worker->worker);
        for (int64_t end_ms = now_ms() + DEMO_ANSWER_MS; worker->worker && now_ms() < end_ms;) {
            if (!dispatch(host, 100)) {
                break;
            }
        }
    }
    forget(host, worker);
    free(worker->report_json);
    free(worker->report_path);
    free(worker->message);
    free(worker);
}

// --- jobs -------------------------------------------------------------------------------------------------------------

static enum demo_end wait_for_answer(struct demo_host *host, struct demo_worker *worker, struct sample_answer *ret_answer)
{
    int64_t end_ms = now_ms() + DEMO_ANSWER_MS;
    for (int64_t left_ms = DEMO_ANSWER_MS; left_ms > 0; left_ms = end_ms - now_ms()) {
        struct pollfd polls[] = {{.fd = worker->channel_fd, .events = POLLIN},
                                 {.fd = brig_supervisor_fd(host->supervisor), .events = POLLIN}};
        if (poll(polls, 2, (int)left_ms) < 0 && errno != EINTR) {
            return DEMO_SILENT;
        }
        if (polls[0].revents & POLLIN && sample_receive_answer(worker->channel_fd, ret_answer)) {
            return DEMO_ANSWERED;
        }
        // A channel that ends belongs to a worker that does: its event says more.
        bool is_nonsense = polls[0].revents & POLLIN && errno != 0 && errno != ECONNRESET;
        if (!dispatch(host, polls[0].revents ? 10 : 0)) {
            return DEMO_SILENT;
        }
        if (!worker->worker || is_nonsense) {
            return worker->worker ? DEMO_NONSENSE : DEMO_WORKER_GONE;
        }
    }
    return DEMO_SILENT;
}

enum demo_end demo_ask(struct demo_host *host, struct demo_worker *worker, const struct demo_task *task,
                       struct sample_answer *ret_answer)
{
    if (!worker->worker) {
        return DEMO_WORKER_GONE;
    }
    if (!sample_send(worker->channel_fd, &task->job, sizeof task->job, task->fds, task->fd_count)) {
        demo_settle(host, 200);
        return worker->worker ? DEMO_SILENT : DEMO_WORKER_GONE;
    }
    return wait_for_answer(host, worker, ret_answer);
}
