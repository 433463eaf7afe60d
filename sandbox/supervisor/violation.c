// violation: from a slot to a report. Reads as its steps: take, judge how much to say, collect what only the living worker has,
// answer, explain, tell.
//
// The worker is answered before the unwinding and the writing: a dying thread waits as short as possible, and nothing after that
// needs it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/supervisor/internal.h"

static const struct box_rate worker_rate = {.burst = 20, .per_second = 10}; // events of one worker
static const struct box_rate cause_rate = {.burst = 20, .per_second = 10};  // files of one cause, over all workers

// From our own counters and clock, never from data of the worker.
static void name_report(const struct brig_violation *violation, char name[BOX_REPORT_NAME_BYTES])
{
    struct tm utc;
    char stamp[32];
    const time_t seconds = (time_t)(violation->time_ms / 1000);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", gmtime_r(&seconds, &utc));
    snprintf(name, BOX_REPORT_NAME_BYTES, "%s-%llu-%d.json.gz", stamp, (unsigned long long)violation->sequence, violation->pid);
}

static void unwind(const struct brig_violation *violation, struct brig_stack *stack)
{
    stack->frame_count = 0;
    stack->stop = BRIG_UNWIND_NO_STACK;
    // A stack that cannot be walked is told as one without frames; the rest of the report stands.
    if (violation->maps && brig_unwind(violation->record, violation->maps, violation->maps_bytes, stack, NULL) != BRIG_OK)
        stack->frame_count = 0;
}

static enum brig_code write_report(struct brig_worker *worker, const struct brig_violation *violation, const char *json,
                                   struct brig_error *reterr)
{
    const struct brig_supervisor *supervisor = worker->supervisor;
    const struct box_report_place place = {
        .dir_fd = supervisor->report_dir_fd, .name = violation->report_name, .quota_bytes = supervisor->options.report_quota_bytes};
    return box_ledger_write(&worker->ledger, &place, json, reterr);
}

// Writes the file and calls the host. Each part may fail on its own; the event is sent in any case.
static void tell(struct brig_worker *worker, struct brig_violation *violation, const struct brig_stack *stack, bool wants_file)
{
    char message[BRIG_MESSAGE_BYTES_MAX], name[BOX_REPORT_NAME_BYTES], path[BOX_PATH_BYTES];
    char *json = NULL;
    struct brig_error error;
    struct brig_event event = {.kind = BRIG_EVENT_VIOLATION, .message = message};
    name_report(violation, name);
    violation->report_name = wants_file ? name : NULL;
    enum brig_code code = brig_report_json(violation, stack, &json, &error);
    if (code == BRIG_OK && wants_file)
        code = write_report(worker, violation, json, &error);
    if (code != BRIG_OK) {
        event.error = &error;
        violation->report_name = NULL;
    } else if (wants_file) {
        snprintf(path, sizeof path, "%s/%s", worker->supervisor->report_dir, name);
        event.report_path = path;
    }
    // Who reads the message stands elsewhere than the file; a path that would cost the call is not worth it.
    violation->report_name = event.report_path && strlen(path) <= BRIG_MESSAGE_BYTES_MAX / 4 ? path : violation->report_name;
    brig_report_message(violation, stack, message);
    event.report_json = json;
    box_event_send(worker, event);
    violation->report_name = NULL; // it ends with this function
    free(json);
}

static void explain(struct brig_worker *worker, const struct brig_trap_record *record, const struct box_evidence *evidence)
{
    struct brig_supervisor *supervisor = worker->supervisor;
    const struct box_program *program = evidence->program;
    const struct box_text_file *maps = evidence->maps.bytes || program ? &evidence->maps : &worker->maps_at_launch;
    const struct brig_status *status = program ? &program->status : &worker->status;
    struct brig_violation violation = {.record = record,
                                       .program = &supervisor->program,
                                       .policy = program ? program->policy : worker->policy,
                                       .worker_name = worker->name,
                                       .maps = maps->bytes ? maps->text : NULL,
                                       .maps_bytes = maps->bytes,
                                       .pointees = evidence->pointees,
                                       .pointee_count = evidence->pointee_count,
                                       .sequence = ++supervisor->sequence,
                                       .time_ms = box_clock_ms(CLOCK_REALTIME),
                                       .pid = program ? evidence->pid : worker->pid,
                                       .threads = status->thread_count,
                                       .filtered_threads = status->filtered_thread_count,
                                       .stacked_filters = status->min_filters,
                                       .with_stack = supervisor->options.with_stack};
    // Without rules the report says that nobody has confirmed the row.
    if (program && box_worker_resolve(worker, program, NULL) == BRIG_OK)
        violation.rules = &supervisor->rules;
    unwind(&violation, &supervisor->stack);
    const uint64_t key = brig_report_key(&violation, &supervisor->stack);
    struct box_cause *cause = box_causes_find(&supervisor->causes, key, violation.sequence);
    if (cause->count++ == 0)
        cause->first_ms = violation.time_ms;
    violation.count = cause->count;
    violation.first_ms = cause->first_ms;
    const bool wants_file = supervisor->report_dir && box_bucket_take(&cause->bucket, &cause_rate, box_clock_ms(CLOCK_MONOTONIC));
    tell(worker, &violation, &supervisor->stack, wants_file);
}

bool box_violation_may_tell(struct brig_worker *worker)
{
    return box_bucket_take(&worker->bucket, &worker_rate, box_clock_ms(CLOCK_MONOTONIC));
}

void box_violation_tell(struct brig_worker *worker, const struct brig_trap_record *record, const struct box_evidence *evidence)
{
    struct brig_error error;
    if (box_worker_compile(worker, evidence->program, &error) == BRIG_OK)
        explain(worker, record, evidence);
    else
        box_event_lost(worker, &error, 1);
}

static void handle_record(struct brig_worker *worker, size_t slot)
{
    const struct brig_trap_record *record = &worker->supervisor->record;
    const bool is_waiting = (record->flags & BRIG_TRAP_FLAG_WAITS) != 0;
    struct brig_error error;
    if (record->verb == BRIG_DSL_NOTIFY) {
        box_question_handle(worker, slot);
        return;
    }
    worker->violation_count++;
    worker->has_last_words = worker->has_last_words || is_waiting;
    if (!box_violation_may_tell(worker)) {
        worker->unreported_count++;
        box_slots_answer(&worker->slots, slot, is_waiting);
        return;
    }
    if (brig_record_check(record, &error) != BRIG_OK) {
        box_slots_answer(&worker->slots, slot, is_waiting);
        box_event_lost(worker, &error, 1);
        return;
    }
    struct box_evidence evidence;
    box_evidence_collect(worker, record, &evidence);
    box_slots_answer(&worker->slots, slot, is_waiting);
    box_violation_tell(worker, record, &evidence);
    box_evidence_free(&evidence);
}

void box_worker_drain(struct brig_worker *worker)
{
    for (size_t i = 0; i < BRIG_TRAP_SLOT_COUNT; i++) {
        const enum box_slot_news news = box_slots_look(&worker->slots, i, &worker->supervisor->record);
        if (news == BOX_SLOT_RECORD)
            handle_record(worker, i);
        if (news == BOX_SLOT_LIE) {
            const struct brig_error error = {
                .code = BRIG_WORKER_LIED, .step = "read a slot", .subject = "an impossible state", .detail = (int64_t)i};
            box_event_lost(worker, &error, 1);
        }
    }
    const uint64_t lost = box_slots_newly_lost(&worker->slots);
    if (lost && box_violation_may_tell(worker))
        box_event_lost(worker, NULL, lost);
}
