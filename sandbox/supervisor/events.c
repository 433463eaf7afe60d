// events: what the host is told, with a line for people. Nothing that a worker wrote gets into a line unescaped.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "sandbox/report/text.h"
#include "sandbox/supervisor/internal.h"

void box_event_send(struct brig_worker *worker, struct brig_event event)
{
    const struct brig_supervisor_options *options = &worker->supervisor->options;
    event.worker = worker;
    event.violation_count = worker->violation_count;
    if (options->on_event)
        options->on_event(options->context, &event);
}

static void start_line(struct box_text *line, char *buffer, const struct brig_worker *worker)
{
    box_text_init(line, buffer, BRIG_MESSAGE_BYTES_MAX);
    box_text_add(line, "brig: ");
    box_text_add_clean(line, worker->name);
    box_text_format(line, "[%d] ", worker->pid);
}

void box_event_lost(struct brig_worker *worker, const struct brig_error *error, uint64_t count)
{
    char message[BRIG_MESSAGE_BYTES_MAX], reason[BRIG_ERROR_TEXT_BYTES];
    struct box_text line;
    start_line(&line, message, worker);
    if (error)
        box_text_add_clean(&line, brig_error_format(error, reason, sizeof reason));
    else
        box_text_format(&line, "lost %llu violation records: all slots were taken", (unsigned long long)count);
    box_event_send(worker, (struct brig_event){.kind = BRIG_EVENT_LOST, .message = message, .error = error});
}

static void add_wait_status(struct box_text *line, int wait_status)
{
    if (WIFEXITED(wait_status)) {
        box_text_format(line, "exited with status %d", WEXITSTATUS(wait_status));
    } else {
        const char *name = sigabbrev_np(WTERMSIG(wait_status));
        box_text_format(line, "was killed by signal %d (SIG%s)", WTERMSIG(wait_status), name ? name : "?");
    }
}

void box_event_exit(struct brig_worker *worker, const struct brig_error *error)
{
    char message[BRIG_MESSAGE_BYTES_MAX];
    struct box_text line;
    start_line(&line, message, worker);
    if (error)
        box_text_add(&line, "ended, and somebody else has taken its status");
    else
        add_wait_status(&line, worker->wait_status);
    if (worker->violation_count)
        box_text_format(&line, ", %llu violations", (unsigned long long)worker->violation_count);
    if (worker->unreported_count)
        box_text_format(&line, " (%llu beyond the limit and only counted)", (unsigned long long)worker->unreported_count);
    if (WIFSIGNALED(worker->wait_status) && WTERMSIG(worker->wait_status) == SIGSYS && !worker->violation_count)
        box_text_add(&line, ", no record: a row kills without a handler, or SIGSYS was blocked; try: dmesg, or action LOG");
    box_event_send(worker, (struct brig_event){
                               .kind = BRIG_EVENT_EXIT, .message = message, .wait_status = worker->wait_status, .error = error});
}
