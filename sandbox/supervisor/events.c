// events: what the host is told, with a line for people. Nothing in the lines made here comes from a worker: names are the host's,
// numbers the kernel's, and brig_error_format escapes. Lines about violations are made by report/.
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "sandbox/supervisor/internal.h"
#include "sandbox/worker/proc.h"

void box_event_send(struct brig_worker *worker, struct brig_event event)
{
    const struct brig_supervisor_options *options = &worker->supervisor->options;
    event.worker = worker;
    event.violation_count = worker->violation_count;
    if (options->on_event)
        options->on_event(options->context, &event);
}

static void start(struct box_line *line, const struct brig_worker *worker)
{
    box_line_add(line, "brig: ");
    box_line_add(line, worker->name);
    box_line_add(line, "[");
    box_line_add_number(line, worker->pid);
    box_line_add(line, "] ");
}

static void add_count(struct box_line *line, uint64_t count, const char *one, const char *many)
{
    box_line_add_number(line, (int64_t)count);
    box_line_add(line, count == 1 ? one : many);
}

void box_event_lost(struct brig_worker *worker, const struct brig_error *error, uint64_t count)
{
    char message[BRIG_MESSAGE_BYTES_MAX], reason[BRIG_ERROR_TEXT_BYTES];
    struct box_line line = {message, sizeof message, 0};
    start(&line, worker);
    if (error) {
        box_line_add(&line, brig_error_format(error, reason, sizeof reason));
    } else {
        box_line_add(&line, "lost ");
        add_count(&line, count, " violation record: all slots were taken", " violation records: all slots were taken");
    }
    box_event_send(worker, (struct brig_event){.kind = BRIG_EVENT_LOST, .message = message, .error = error});
}

static void add_wait_status(struct box_line *line, int wait_status)
{
    if (WIFEXITED(wait_status)) {
        box_line_add(line, "exited with status ");
        box_line_add_number(line, WEXITSTATUS(wait_status));
        return;
    }
    const char *name = sigabbrev_np(WTERMSIG(wait_status));
    box_line_add(line, "was killed by signal ");
    box_line_add_number(line, WTERMSIG(wait_status));
    box_line_add(line, name ? " (SIG" : "");
    box_line_add(line, name ? name : "");
    box_line_add(line, name ? ")" : "");
}

void box_event_broker(struct brig_worker *worker, const char *what)
{
    char message[BRIG_MESSAGE_BYTES_MAX];
    struct box_line line = {message, sizeof message, 0};
    start(&line, worker);
    box_line_add(&line, what);
    box_event_send(worker, (struct brig_event){.kind = BRIG_EVENT_BROKER, .message = message});
}

static void add_violations(struct box_line *line, const struct brig_worker *worker)
{
    if (worker->violation_count) {
        box_line_add(line, ", ");
        add_count(line, worker->violation_count, " violation", " violations");
    }
    if (worker->unreported_count) {
        box_line_add(line, ", of these only counted: ");
        box_line_add_number(line, (int64_t)worker->unreported_count);
    }
}

void box_event_program_exit(struct brig_worker *front, const struct brig_error *error)
{
    char message[BRIG_MESSAGE_BYTES_MAX], reason[BRIG_ERROR_TEXT_BYTES];
    struct box_line line = {message, sizeof message, 0};
    start(&line, front);
    if (error)
        box_line_add(&line, brig_error_format(error, reason, sizeof reason));
    else
        add_wait_status(&line, front->wait_status);
    add_violations(&line, front);
    const struct brig_event event = {
        .kind = BRIG_EVENT_EXIT, .message = message, .wait_status = front->wait_status, .error = error};
    box_event_send(front, event);
}

void box_event_exit(struct brig_worker *worker, const struct brig_error *error)
{
    char message[BRIG_MESSAGE_BYTES_MAX];
    struct box_line line = {message, sizeof message, 0};
    start(&line, worker);
    if (error)
        box_line_add(&line, "ended, and somebody else has taken its status");
    else
        add_wait_status(&line, worker->wait_status);
    add_violations(&line, worker);
    if (WIFSIGNALED(worker->wait_status) && WTERMSIG(worker->wait_status) == SIGSYS && !worker->has_last_words)
        box_line_add(&line, ", no record of it: SIGSYS was blocked or its handler replaced when a call trapped, or a row kills; "
                            "try: libbrig-wrap, or the row with CRASH");
    const struct brig_event event = {
        .kind = BRIG_EVENT_EXIT, .message = message, .wait_status = worker->wait_status, .error = error};
    box_event_send(worker, event);
}
