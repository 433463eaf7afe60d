// json: a violation and its stack become one JSON object.
//
// Takes: facts, marked here by who says them. Gives: text of at most BRIG_REPORT_BYTES_MAX. Guarantees: the same input gives the
// same bytes but for `env`; keys always in the same order; `schema` first; all text escaped (sandbox/report/text.h), so that it may
// be shown as it is; stack bytes and registers only with `with_stack`. Keys without a value are left out.
#include "sandbox/report/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/report/advice.h"
#include "sandbox/report/describe.h"

enum { ARGUMENT_TEXT_BYTES = 8192, CALL_TEXT_BYTES = 16384, SHORT_TEXT_BYTES = 512, TIME_TEXT_BYTES = 40 };

// Adds a string of the host's (names, reasons, paths), escaped. NULL: none.
static json_t *clean_string(const char *string)
{
    char buffer[SHORT_TEXT_BYTES];
    struct box_text text;
    if (string == NULL) {
        return NULL;
    }
    box_text_init(&text, buffer, sizeof buffer);
    box_text_add_clean(&text, string);
    return json_string(buffer);
}

static const char *time_text(int64_t time_ms, char buffer[TIME_TEXT_BYTES])
{
    struct tm fields;
    time_t seconds = (time_t)(time_ms / 1000);
    struct box_text text;
    box_text_init(&text, buffer, TIME_TEXT_BYTES);
    if (time_ms >= 0 && gmtime_r(&seconds, &fields) != NULL) {
        box_text_format(&text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
                        fields.tm_hour, fields.tm_min, fields.tm_sec, (int)(time_ms % 1000));
    }
    return buffer;
}

// --- id, worker, policy -----------------------------------------------------------------------------------------------

static json_t *id_json(const struct brig_violation *violation, const struct brig_stack *stack)
{
    char now[TIME_TEXT_BYTES];
    char first[TIME_TEXT_BYTES];
    char key[BOX_HEX_TEXT];
    return json_pack("{s:I, s:s, s:I, s:s, s:I, s:s}", "sequence", (json_int_t)violation->sequence, "time",
                     time_text(violation->time_ms, now), "time_ms", (json_int_t)violation->time_ms, "key",
                     box_hex(brig_report_key(violation, stack), key), "count",
                     (json_int_t)(violation->count == 0 ? 1 : violation->count), "first_seen",
                     time_text(violation->first_ms == 0 ? violation->time_ms : violation->first_ms, first));
}

static json_t *worker_json(const struct brig_violation *violation)
{
    const struct brig_trap_record *record = violation->record;
    char thread[4 * sizeof record->thread_name + 1];
    struct box_text text;
    box_text_init(&text, thread, sizeof thread);
    box_text_add_escaped(&text, record->thread_name, strnlen(record->thread_name, sizeof record->thread_name));
    return json_pack("{s:o, s:i, s:i, s:i, s:o*}", "name", clean_string(violation->worker_name), "pid", violation->pid,
                     "pid_inside", (int)record->pid, "tid_inside", (int)record->tid, "thread",
                     thread[0] == '\0' ? NULL : json_string(thread));
}

static void add_action(const struct brig_dsl_action *action, struct box_text *text)
{
    static const char *const names[BRIG_DSL_VERB_COUNT] = {[BRIG_DSL_CRASH] = "CRASH",
                                                           [BRIG_DSL_REPORT] = "REPORT",
                                                           [BRIG_DSL_EMULATE] = "EMULATE",
                                                           [BRIG_DSL_BROKER] = "BROKER",
                                                           [BRIG_DSL_NOTIFY] = "NOTIFY"};
    const char *constant = brig_dsl_constant_name("errno", action->data, brig_dsl_arch_native());
    box_text_add(text, names[action->verb] == NULL ? "other" : names[action->verb]);
    if (action->verb == BRIG_DSL_REPORT) {
        if (constant == NULL) {
            box_text_format(text, "(%d)", action->data);
        } else {
            box_text_format(text, "(%s)", constant);
        }
    } else if (action->verb == BRIG_DSL_EMULATE && action->handler != NULL) {
        box_text_format(text, "(%s)", action->handler->name);
    }
}

static json_t *baseline_json(const struct brig_dsl_policy *policy)
{
    char kernel[16];
    struct box_text text;
    if (policy == NULL) {
        return NULL;
    }
    box_text_init(&text, kernel, sizeof kernel);
    box_text_format(&text, "%d.%d", policy->kernel >> 8, policy->kernel & 0xff);
    return json_pack("{s:s, s:o*}", "kernel", kernel, "libc", clean_string(policy->libc));
}

static json_t *policy_json(const struct brig_violation *violation)
{
    struct box_decision decision = box_decision_of(violation);
    const struct brig_dsl_row *row = decision.trap == NULL ? NULL : decision.trap->row;
    char hash[BOX_HEX_TEXT];
    char action[64];
    struct box_text text;
    box_text_init(&text, action, sizeof action);
    if (decision.trap != NULL) {
        add_action(&decision.trap->action, &text);
    }
    return json_pack("{s:o*, s:s, s:s, s:i, s:o*, s:o*, s:o*, s:o*, s:o*, s:b}", "name",
                     clean_string(violation->policy == NULL ? violation->program->policy : violation->policy->name), "hash",
                     box_hex(violation->program->hash, hash), "decided_by", box_origin_name(&decision), "trap_id",
                     (int)violation->record->trap_id, "file", row == NULL ? NULL : clean_string(row->file), "line",
                     row == NULL ? NULL : json_integer(row->line), "why",
                     decision.trap == NULL ? NULL : clean_string(decision.trap->why), "action",
                     decision.trap == NULL ? NULL : json_string(action), "baseline", baseline_json(violation->policy), "confirmed",
                     decision.is_confirmed);
}

// --- event, outcome ---------------------------------------------------------------------------------------------------

static json_t *argument_json(const struct brig_violation *violation, const struct box_call *call, int index)
{
    char value[BOX_HEX_TEXT];
    char decoded[ARGUMENT_TEXT_BYTES];
    struct box_text text;
    const struct brig_dsl_argument *argument = brig_dsl_call_argument(call->call, call->arch, index);
    const struct brig_pointee *pointee = box_pointee_of(violation, index);
    box_text_init(&text, decoded, sizeof decoded);
    box_describe_argument(violation, index, &text);
    bool is_cut = text.is_cut || (pointee != NULL && pointee->is_cut);
    return json_pack("{s:o*, s:s, s:s, s:o*, s:o*}", "name", argument == NULL ? NULL : json_string(argument->name), "value",
                     box_hex(violation->record->args[index], value), "text", decoded, "cut", is_cut ? json_true() : NULL, "ignored",
                     index >= call->meaningful_count ? json_true() : NULL);
}

static json_t *arguments_json(const struct brig_violation *violation, const struct box_call *call)
{
    json_t *arguments = json_array();
    for (int i = 0; i < call->argument_count; i++) {
        if (json_array_append_new(arguments, argument_json(violation, call, i)) != 0) {
            json_decref(arguments);
            return NULL;
        }
    }
    return arguments;
}

static json_t *flags_json(uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {{BRIG_TRAP_FLAG_WAITS, "thread waited"},           {BRIG_TRAP_FLAG_REENTERED, "inside the handler"},
                 {BRIG_TRAP_FLAG_FOREIGN, "another filter's trap"}, {BRIG_TRAP_FLAG_ALT_STACK, "alternate stack"},
                 {BRIG_TRAP_FLAG_STACK_CUT, "stack cut"},           {BRIG_TRAP_FLAG_ASYNC_BLOCKED, "signals blocked"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((flags & names[i].flag) != 0) {
            json_array_append_new(list, json_string(names[i].name));
        }
    }
    return list;
}

static json_t *event_json(const struct brig_violation *violation)
{
    const struct brig_trap_record *record = violation->record;
    struct box_call call = box_call_of(record);
    char name[SHORT_TEXT_BYTES];
    char whole[CALL_TEXT_BYTES];
    char address[BOX_HEX_TEXT];
    struct box_text text;
    box_text_init(&text, name, sizeof name);
    box_describe_name(record, &text);
    box_text_init(&text, whole, sizeof whole);
    box_describe_call(violation, &text);
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:o, s:s, s:o}", "channel", "trap", "call", name, "nr", (json_int_t)record->nr,
                     "arch", brig_dsl_arch_name(call.arch), "text", whole, "args", arguments_json(violation, &call), "call_address",
                     box_hex(record->call_address, address), "flags", flags_json(record->flags));
}

static json_t *outcome_json(const struct brig_trap_record *record)
{
    char buffer[SHORT_TEXT_BYTES];
    struct box_text text;
    bool is_answered = record->verb == BRIG_DSL_REPORT;
    box_text_init(&text, buffer, sizeof buffer);
    box_describe_outcome(record, &text);
    return json_pack("{s:s, s:s, s:o*}", "kind", is_answered ? "errno" : "killed", "text", buffer, "errno",
                     is_answered ? json_integer(record->data) : NULL);
}

// --- env, advice, trust, limits ---------------------------------------------------------------------------------------

static json_t *launch_json(const struct brig_violation *violation)
{
    if (violation->threads == 0) {
        return NULL;
    }
    return json_pack("{s:i, s:i, s:i}", "threads", violation->threads, "filtered_threads", violation->filtered_threads,
                     "stacked_filters", violation->stacked_filters);
}

// The libc of this process; a forked worker has the same.
static json_t *libc_json(void)
{
#ifdef _CS_GNU_LIBC_VERSION
    char version[64];
    size_t length = confstr(_CS_GNU_LIBC_VERSION, version, sizeof version);
    return length == 0 || length > sizeof version ? NULL : clean_string(version);
#else
    return NULL; // musl does not tell
#endif
}

static json_t *env_json(const struct brig_violation *violation)
{
    struct utsname name;
    char tables[16];
    struct box_text text;
    box_text_init(&text, tables, sizeof tables);
    box_text_format(&text, "%d.%d", brig_dsl_newest_kernel() >> 8, brig_dsl_newest_kernel() & 0xff);
    bool is_known = uname(&name) == 0;
    return json_pack("{s:o*, s:o*, s:o*, s:s, s:o*}", "kernel", is_known ? clean_string(name.release) : NULL, "machine",
                     is_known ? clean_string(name.machine) : NULL, "libc", libc_json(), "newest_known_kernel", tables, "at_launch",
                     launch_json(violation));
}

static json_t *advice_json(const struct brig_violation *violation)
{
    struct box_advice advice;
    box_advise(violation, &advice);
    return json_pack("{s:o*, s:o*, s:s, s:s, s:s}", "edit", advice.edit[0] == '\0' ? NULL : json_string(advice.edit), "place",
                     advice.place[0] == '\0' ? NULL : json_string(advice.place), "risk", box_risk_name(advice.risk), "reason",
                     advice.reason, "alternative", advice.alternative);
}

// Who says it. What the worker claims, and what was worked out from that, may be false in every detail.
static json_t *trust_json(const struct brig_violation *violation)
{
    bool is_confirmed = box_decision_of(violation).is_confirmed;
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:s, s:s, s:s, s:s, s:s, s:s}", "id", "supervisor", "worker", "name",
                     "supervisor", "pid", "kernel", "other", "claimed", "policy", "program", "supervisor", "row",
                     is_confirmed ? "supervisor, from claimed arguments" : "claimed", "event", "claimed", "outcome", "claimed",
                     "stack", "claimed", "modules", violation->maps == NULL ? "none" : "kernel", "env", "supervisor", "advice",
                     "from claimed facts");
}

static json_t *limits_json(const struct box_maps *maps, const struct brig_violation *violation)
{
    json_t *cut = json_array();
    for (size_t i = 0; i < violation->pointee_count; i++) {
        if (violation->pointees[i].is_cut) {
            json_array_append_new(cut, json_integer(violation->pointees[i].argument));
        }
    }
    return json_pack("{s:i, s:i, s:o, s:i, s:b, s:b}", "stack_bytes", BRIG_TRAP_STACK_BYTES, "frames", BRIG_FRAMES_MAX,
                     "cut_arguments", cut, "modules", BOX_MODULES_SHOWN_MAX, "modules_cut",
                     maps->is_cut || maps->count > BOX_MODULES_SHOWN_MAX, "maps_read", violation->maps != NULL);
}

// --- the report -------------------------------------------------------------------------------------------------------

static json_t *report_json(const struct brig_violation *violation, const struct brig_stack *stack)
{
    struct box_maps *maps = malloc(sizeof *maps);
    if (maps == NULL) {
        return NULL;
    }
    box_maps_read(violation->maps, violation->maps_bytes, maps);
    json_t *report = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o*}", "schema", BRIG_REPORT_SCHEMA, "id",
        id_json(violation, stack), "worker", worker_json(violation), "policy", policy_json(violation), "event",
        event_json(violation), "outcome", outcome_json(violation->record), "stack", box_json_stack(violation, stack), "modules",
        box_json_modules(maps, stack), "env", env_json(violation), "advice", advice_json(violation), "trust", trust_json(violation),
        "limits", limits_json(maps, violation), "snapshot", violation->with_stack ? box_json_snapshot(violation->record) : NULL);
    free(maps);
    return report;
}

enum brig_code brig_report_json(const struct brig_violation *violation, const struct brig_stack *stack, char **ret_json,
                                struct brig_error *reterr)
{
    static const char step[] = "write report";
    if (violation->record == NULL || violation->program == NULL || violation->worker_name == NULL) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_BAD_ARGUMENT, .step = step, .subject = "violation"});
    }
    enum brig_code code = brig_record_check(violation->record, reterr);
    if (code != BRIG_OK) {
        return code;
    }
    json_t *report = report_json(violation, stack);
    char *text = report == NULL ? NULL : json_dumps(report, JSON_INDENT(1));
    json_decref(report);
    if (text == NULL) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = step});
    }
    if (strlen(text) > BRIG_REPORT_BYTES_MAX) {
        free(text);
        return brig_error_set(
            reterr,
            (struct brig_error){.code = BRIG_TOO_BIG, .step = step, .subject = "report", .detail = (int64_t)BRIG_REPORT_BYTES_MAX});
    }
    *ret_json = text;
    return BRIG_OK;
}
