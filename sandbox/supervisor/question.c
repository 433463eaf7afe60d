// question: from a slot to the host's callback and back. Reads as its steps: is it a question, does the policy ask it, what do the
// arguments point to, what does the host say, can that be handed over.
//
// A worker may write any record it likes. What it says about itself decides nothing: the rows are evaluated here once more for the
// number and the registers that it claims, and only where they say NOTIFY is the host asked. So a hijacked worker can ask what the
// policy asks about, with the arguments for which the policy asks it, and nothing else.
//
// Questions are not throttled as events are: a thread waits for each, so there are never more at a time than slots.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/notify/notify.h"
#include "sandbox/supervisor/internal.h"

enum { ERRNO_MAX = 4095 };

static const char step_answer[] = "answer a question";

static void tell_failure(struct brig_worker *worker, const struct brig_error *error)
{
    if (box_violation_may_tell(worker))
        box_event_lost(worker, error, 1);
}

enum brig_code box_worker_resolve(struct brig_worker *worker, const struct box_program *program, struct brig_error *reterr)
{
    struct brig_supervisor *supervisor = worker->supervisor;
    const struct brig_dsl_options options = program ? box_program_options(program->pid) : box_worker_options(worker);
    const struct brig_dsl_policy *policy = program ? program->policy : worker->policy;
    const void *subject = program ? (const void *)program : (const void *)worker;
    struct brig_dsl_arena arena;
    if (supervisor->rules_of == subject)
        return BRIG_OK;
    supervisor->rules_of = NULL;
    if (!supervisor->rules_memory)
        supervisor->rules_memory = malloc(BRIG_DSL_ARENA_BYTES);
    if (!supervisor->rules_memory)
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = step_answer});
    brig_dsl_arena_init(&arena, supervisor->rules_memory, BRIG_DSL_ARENA_BYTES);
    enum brig_code code = brig_dsl_resolve(policy, &options, &arena, &supervisor->rules, reterr);
    if (code == BRIG_OK)
        supervisor->rules_of = subject;
    return code;
}

// Returns: what the call of a record meets in the policy of the worker, or of its program; NULL with *reterr set where that is no
// question.
static const struct brig_dsl_trap *find_asking(struct brig_worker *worker, const struct box_program *program,
                                               const struct brig_trap_record *record, struct brig_error *reterr)
{
    struct brig_dsl_data data = {.nr = record->nr, .audit_arch = record->audit_arch, .ip = record->call_address};
    if (brig_record_check(record, reterr) != BRIG_OK || box_worker_resolve(worker, program, reterr) != BRIG_OK)
        return NULL;
    memcpy(data.args, record->args, sizeof data.args);
    const struct brig_dsl_trap *met = brig_dsl_decide(&worker->supervisor->rules, &data);
    if (met && met->action.verb == BRIG_DSL_NOTIFY)
        return met;
    struct brig_error error = {
        .code = BRIG_WORKER_LIED, .step = step_answer, .subject = "a call that its policy does not ask about", .detail = data.nr};
    brig_error_set(reterr, error);
    return NULL;
}

// Returns: what is wrong with an answer, or NULL.
static const char *find_fault(const struct brig_answer *answer, bool is_program)
{
    if (answer->descriptor >= 0 && !(is_program && answer->kind == BRIG_ANSWER_RESULT))
        return "answer.descriptor";
    const bool is_errno = answer->value > 0 && answer->value <= ERRNO_MAX;
    const bool is_result = answer->value >= 0 || answer->value < -ERRNO_MAX;
    switch (answer->kind) {
    case BRIG_ANSWER_ERRNO:
        return is_errno ? NULL : "answer.value";
    case BRIG_ANSWER_RESULT:
        return is_result ? NULL : "answer.value";
    case BRIG_ANSWER_KILL:
        return NULL;
    }
    return "answer.kind";
}

// The thread still waits, so its memory is there to be told of; it does not get to go on.
static void end_with_report(struct brig_worker *worker, struct brig_trap_record *record)
{
    struct box_evidence evidence;
    box_evidence_collect(worker, record, &evidence);
    box_evidence_copy_stack(worker, record);
    brig_worker_kill(worker);
    record->verb = BRIG_DSL_CRASH;
    worker->violation_count++;
    if (box_violation_may_tell(worker))
        box_violation_tell(worker, record, &evidence);
    else
        worker->unreported_count++;
    box_evidence_free(&evidence);
}

static struct brig_answer ask_host(struct brig_worker *worker, const struct brig_trap_record *record,
                                   const struct brig_dsl_trap *met, const struct box_evidence *evidence)
{
    const struct brig_supervisor_options *options = &worker->supervisor->options;
    const enum brig_dsl_arch arch = worker->supervisor->rules.arch; // the record's: another arch meets CRASH
    struct brig_answer answer = {.kind = BRIG_ANSWER_ERRNO, .value = ENOSYS, .descriptor = -1};
    struct brig_question question = {.worker = worker,
                                     .call = brig_dsl_call_by_nr(record->nr, arch),
                                     .arch = arch,
                                     .nr = record->nr,
                                     .pid = evidence->program ? evidence->pid : worker->pid,
                                     .tid = (int)record->tid,
                                     .row = met->row,
                                     .why = met->why,
                                     .pointees = evidence->pointees,
                                     .pointee_count = evidence->pointee_count,
                                     .count = worker->question_count};
    memcpy(question.args, record->args, sizeof question.args);
    options->on_question(options->context, &question, &answer);
    return answer;
}

static void deliver(struct brig_worker *worker, size_t slot, const struct brig_answer *answer)
{
    const enum brig_trap_verdict verdict = answer->kind == BRIG_ANSWER_RESULT ? BRIG_TRAP_VERDICT_RESULT : BRIG_TRAP_VERDICT_ERRNO;
    box_slots_answer_question(&worker->slots, slot, verdict, answer->value);
}

void box_question_handle(struct brig_worker *worker, size_t slot)
{
    const struct brig_answer nobody = {.kind = BRIG_ANSWER_ERRNO, .value = ENOSYS};
    struct brig_trap_record *record = &worker->supervisor->record;
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_answer};
    worker->question_count++;
    if (!worker->supervisor->options.on_question) {
        deliver(worker, slot, &nobody);
        return;
    }
    const struct brig_dsl_trap *met = find_asking(worker, NULL, record, &error);
    if (!met) {
        deliver(worker, slot, &nobody);
        tell_failure(worker, &error);
        return;
    }
    record->trap_id = (uint32_t)(met - worker->supervisor->rules.traps);
    struct box_evidence evidence;
    box_evidence_collect_pointees(worker, record, &evidence);
    const struct brig_answer answer = ask_host(worker, record, met, &evidence);
    error.subject = find_fault(&answer, false);
    if (answer.descriptor >= 0)
        close(answer.descriptor);
    if (!error.subject && answer.kind == BRIG_ANSWER_KILL) {
        end_with_report(worker, record);
        deliver(worker, slot, &nobody); // to a thread that does not come back
        return;
    }
    deliver(worker, slot, error.subject ? &nobody : &answer);
    if (error.subject)
        tell_failure(worker, &error);
}

struct brig_answer box_question_of_program(struct brig_worker *front, const struct box_evidence *evidence)
{
    const struct brig_answer nobody = {.kind = BRIG_ANSWER_ERRNO, .value = ENOSYS, .descriptor = -1};
    const struct brig_trap_record *record = &front->supervisor->record;
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_answer};
    front->question_count++;
    if (!front->supervisor->options.on_question)
        return nobody;
    const struct brig_dsl_trap *met = find_asking(front, evidence->program, record, &error);
    const struct brig_answer answer = met ? ask_host(front, record, met, evidence) : nobody;
    if (met)
        error.subject = find_fault(&answer, true);
    if (met && !error.subject)
        return answer;
    if (answer.descriptor >= 0)
        close(answer.descriptor);
    tell_failure(front, &error);
    return nobody;
}
