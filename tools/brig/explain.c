// brig explain: a policy for people. One line per row and action: what is allowed, when, which row says so and why; in the order in
// which the rows count, so that the first line that fits a call is the one that decides it.
#include <stdlib.h>
#include <string.h>

#include "tools/brig/explain.h"

const struct tool_option brig_explain_options[] = {
    TOOL_OPTION_ARCH, TOOL_OPTION_KERNEL, TOOL_OPTION_TARGET, TOOL_OPTION_FROM,
    TOOL_OPTION_CAP,  TOOL_OPTION_JSON,   TOOL_OPTION_COLOR,  {NULL, 0, NULL, NULL},
};
enum { ARCH, KERNEL, TARGET, FROM, CAP, JSON, COLOR };

struct listing {
    const struct tool_subject *subject;
    const struct brig_dsl_policy *policy; // of the target
    const struct brig_dsl_rules *rules;
    bool is_colored;
    struct explain_lines lines;
};

// --- printing ---------------------------------------------------------------------------------------------------------

enum { ACTION_BYTES = 64 };

// Text of a fixed size, for a sink; what does not fit is cut.
struct fixed {
    char bytes[ACTION_BYTES];
    size_t used;
};

static void write_to_fixed(void *context, const char *text, size_t text_bytes)
{
    struct fixed *fixed = context;
    size_t room = sizeof fixed->bytes - 1 - fixed->used;
    size_t bytes = text_bytes < room ? text_bytes : room;
    memcpy(fixed->bytes + fixed->used, text, bytes);
    fixed->used += bytes;
    fixed->bytes[fixed->used] = '\0';
}

static struct fixed describe_action(const struct brig_dsl_action *action)
{
    struct fixed fixed = {.used = 0};
    struct brig_dsl_sink sink = {.write = write_to_fixed, .context = &fixed};
    brig_dsl_describe_action(action, &sink);
    return fixed;
}

// What policies of ours do with other arches.
static const struct brig_dsl_action crash = {.verb = BRIG_DSL_CRASH};

// The fallback in force: a policy without one of its own has its base's.
static struct fixed describe_fallback(const struct brig_dsl_policy *policy)
{
    while (policy->fallback.verb == BRIG_DSL_VERB_NONE && policy->base != NULL) {
        policy = policy->base;
    }
    return describe_action(&policy->fallback);
}

// Text that grows in memory, for a sink.
struct text {
    char *bytes;
    size_t size;
    FILE *stream;
};

static char *describe_line(const struct explain_line *line, const struct brig_dsl_rules *rules)
{
    enum brig_dsl_call calls[BRIG_SYS_COUNT];
    const uint32_t call_count = explain_calls(line, calls);
    struct text text = {NULL, 0, NULL};
    text.stream = open_memstream(&text.bytes, &text.size);
    if (text.stream == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < call_count; i++) {
        fprintf(text.stream, "%s%s", i == 0 ? "" : ", ", brig_dsl_call_name(calls[i]));
    }
    if (line->rule->condition_count > 0) {
        struct brig_dsl_sink sink = tool_sink(text.stream);
        fputs(" when ", text.stream);
        if (rules->is_import) {
            explain_import(line->rule, calls, call_count, rules->arch, text.stream);
        } else {
            brig_dsl_describe_rule(line->rule, calls[0], rules->arch, &sink);
        }
    } else if (line->is_otherwise) {
        fputs(" otherwise", text.stream);
    }
    fclose(text.stream);
    return text.bytes;
}

enum { WHAT_COLUMNS_MAX = 64 };

// Columns of the listing, as wide as what stands in them.
struct columns {
    int action;
    int what;
};

// How much of `what` stands on one line of `columns`: broken at the last space, which is then skipped.
static size_t line_bytes(const char *what, size_t columns)
{
    size_t bytes = strlen(what);
    if (bytes <= columns) {
        return bytes;
    }
    for (bytes = columns; bytes > 0 && what[bytes] != ' '; bytes--) {
    }
    return bytes == 0 ? columns : bytes;
}

static enum tool_color color_of_action(const struct brig_dsl_action *action)
{
    static const enum tool_color colors[BRIG_DSL_VERB_COUNT] = {
        [BRIG_DSL_ALLOW] = TOOL_COLOR_ALLOW,       [BRIG_DSL_LOG] = TOOL_COLOR_ALLOW,        [BRIG_DSL_DENY] = TOOL_COLOR_DENY,
        [BRIG_DSL_REPORT] = TOOL_COLOR_TRAP,       [BRIG_DSL_EMULATE] = TOOL_COLOR_TRAP,     [BRIG_DSL_TRACE] = TOOL_COLOR_TRAP,
        [BRIG_DSL_NOTIFY] = TOOL_COLOR_TRAP,       [BRIG_DSL_TRAP] = TOOL_COLOR_TRAP,        [BRIG_DSL_CRASH] = TOOL_COLOR_KILL,
        [BRIG_DSL_KILL_PROCESS] = TOOL_COLOR_KILL, [BRIG_DSL_KILL_THREAD] = TOOL_COLOR_KILL,
    };
    return colors[action->verb];
}

// Prints an action, padded to its column.
static void print_action(const struct brig_dsl_action *action, int columns, bool is_colored)
{
    struct fixed text = describe_action(action);
    printf("  %s%-*s%s", tool_paint(is_colored, color_of_action(action)), columns, text.bytes,
           tool_paint(is_colored, TOOL_COLOR_END));
}

// Prints `what` in lines; the row stands on the first, with its reason if that is `why`.
static void print_wrapped(const struct columns *columns, const char *what, const struct brig_dsl_rule *rule, const char *why,
                          bool is_colored)
{
    size_t bytes = line_bytes(what, (size_t)columns->what);
    print_action(&rule->action, columns->action, is_colored);
    printf("  %-*.*s", columns->what, (int)bytes, what);
    if (rule->row != NULL) {
        printf("  %s", tool_paint(is_colored, TOOL_COLOR_FAINT));
        tool_put_clean(stdout, rule->row->file);
        printf(":%d%s", rule->row->line, tool_paint(is_colored, TOOL_COLOR_END));
    }
    fputs(why == NULL ? "" : "  ", stdout);
    tool_put_clean(stdout, why == NULL ? "" : why);
    puts("");
    for (what += bytes; *what != '\0'; what += bytes) {
        what += strspn(what, " ");
        bytes = line_bytes(what, (size_t)columns->what);
        printf("  %*s  %.*s\n", columns->action, "", (int)bytes, what);
    }
}

static struct columns measure_columns(const struct listing *listing, bool whole_policy)
{
    struct columns columns = {.action = (int)strlen("CRASH")};
    if (whole_policy) { // what print_rest has there
        const int unknown = listing->policy->import == NULL ? (int)strlen("DENY(ENOSYS)") : 0;
        const int fallback = (int)describe_fallback(listing->policy).used;
        columns.action = unknown > columns.action ? unknown : columns.action;
        columns.action = fallback > columns.action ? fallback : columns.action;
    }
    for (size_t i = 0; i < listing->lines.count; i++) {
        struct fixed action = describe_action(&listing->lines.of[i].rule->action);
        char *what = describe_line(&listing->lines.of[i], listing->rules);
        int what_columns = what == NULL ? 0 : (int)strnlen(what, WHAT_COLUMNS_MAX);
        columns.action = (int)action.used > columns.action ? (int)action.used : columns.action;
        columns.what = what_columns > columns.what ? what_columns : columns.what;
        free(what);
    }
    return columns;
}

// What a policy of ours was written for. An imported one knows no baseline.
static void print_title(const struct listing *listing)
{
    const struct brig_dsl_rules *rules = listing->rules;
    const char *libc = listing->policy->libc;
    tool_put_clean(stdout, listing->subject->name);
    printf(" (%s", brig_dsl_arch_name(rules->arch));
    if (listing->policy->import == NULL) {
        printf(", baseline Linux %u.%u%s%s", rules->kernel >> 8, rules->kernel & 0xffu, libc == NULL ? "" : " / ",
               libc == NULL ? "" : libc);
    }
    puts(")");
}

// What holds for all calls that no row is about.
static void print_rest(const struct listing *listing, int action_columns)
{
    const struct brig_dsl_import *import = listing->policy->import;
    bool has_x32 = listing->rules->arch == BRIG_DSL_X86_64;
    if (import == NULL) {
        printf("  %-*s  any other call newer than the baseline, and numbers that are no call\n", action_columns, "DENY(ENOSYS)");
    }
    printf("  %-*s  <fallback>\n", action_columns, describe_fallback(listing->policy).bytes);
    struct fixed foreign = import == NULL ? describe_action(&crash) : describe_action(&import->foreign);
    struct fixed x32 = import == NULL || !has_x32 ? foreign : describe_action(&import->x32);
    if (strcmp(foreign.bytes, x32.bytes) == 0) {
        printf("other architectures%s: %s\n", has_x32 ? ", x32" : "", foreign.bytes);
    } else {
        printf("other architectures: %s; x32: %s\n", foreign.bytes, x32.bytes);
    }
}

static void print_text(const struct listing *listing, bool whole_policy)
{
    const struct brig_dsl_rules *rules = listing->rules;
    struct columns columns = measure_columns(listing, whole_policy);
    const char *said = NULL; // a reason that holds for several rows is said once
    print_title(listing);
    for (size_t i = 0; i < listing->lines.count; i++) {
        char *what = describe_line(&listing->lines.of[i], rules);
        const char *why = listing->lines.of[i].rule->why;
        print_wrapped(&columns, what == NULL ? "(out of memory)" : what, listing->lines.of[i].rule, why == said ? NULL : why,
                      listing->is_colored);
        said = why;
        free(what);
    }
    if (whole_policy) {
        print_rest(listing, columns.action);
    }
}

static json_t *line_json(const struct explain_line *line, const struct brig_dsl_rules *rules)
{
    enum brig_dsl_call listed[BRIG_SYS_COUNT];
    const uint32_t call_count = explain_calls(line, listed);
    struct fixed action = describe_action(&line->rule->action);
    char *what = describe_line(line, rules);
    json_t *calls = json_array();
    for (uint32_t i = 0; i < call_count; i++) {
        json_array_append_new(calls, json_string(brig_dsl_call_name(listed[i])));
    }
    const char *when = what == NULL ? NULL : strstr(what, " when ");
    const struct brig_dsl_row *row = line->rule->row;
    json_t *json = json_pack("{s:s, s:o, s:s?, s:o, s:o, s:o}", "action", action.bytes, "calls", calls, "when",
                             line->rule->condition_count == 0 || when == NULL ? NULL : when + strlen(" when "), "file",
                             tool_json_text(row == NULL ? NULL : row->file), "line",
                             row == NULL ? json_null() : json_integer(row->line), "why", tool_json_text(line->rule->why));
    free(what);
    return json;
}

static json_t *listing_json(const struct listing *listing)
{
    const struct brig_dsl_import *import = listing->policy->import;
    char kernel[16];
    struct fixed fallback = describe_fallback(listing->policy);
    struct fixed foreign = describe_action(import == NULL ? &crash : &import->foreign);
    struct fixed x32 = describe_action(import == NULL ? &crash : &import->x32);
    json_t *rows = json_array();
    snprintf(kernel, sizeof kernel, "%u.%u", listing->rules->kernel >> 8, listing->rules->kernel & 0xffu);
    for (size_t i = 0; i < listing->lines.count; i++) {
        json_array_append_new(rows, line_json(&listing->lines.of[i], listing->rules));
    }
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:o, s:s, s:s, s:s, s:s?}", "schema", "brig-explain-1", "policy",
                     listing->subject->name, "arch", brig_dsl_arch_name(listing->rules->arch), "kernel",
                     import == NULL ? kernel : NULL, "libc", listing->policy->libc, "rows", rows, "unknown",
                     import == NULL ? "DENY(ENOSYS)" : fallback.bytes, "fallback", fallback.bytes, "foreign", foreign.bytes, "x32",
                     listing->rules->arch == BRIG_DSL_X86_64 ? x32.bytes : NULL);
}

// Says what happens to a call that no row names, in text or, where `ret_rows` is given, there.
static void add_unlisted(const struct listing *listing, enum brig_dsl_call call, json_t *ret_rows)
{
    bool is_newer = listing->policy->import == NULL && brig_dsl_call_since(call) > listing->rules->kernel;
    struct fixed fallback = describe_fallback(listing->policy);
    const char *action = is_newer ? "DENY(ENOSYS)" : fallback.bytes;
    const char *why = is_newer ? "newer than the baseline" : "the fallback";
    const char *name = brig_dsl_call_name(call);
    if (ret_rows == NULL) {
        printf("  %s  %s  no row: %s\n", action, name, why);
        return;
    }
    json_array_append_new(ret_rows, json_pack("{s:s, s:[s], s:n, s:n, s:n, s:s}", "action", action, "calls", name, "when", "file",
                                              "line", "why", why));
}

static void add_all_unlisted(const struct listing *listing, const bool *wanted, json_t *ret_rows)
{
    for (int call = 1; call < BRIG_SYS_COUNT; call++) {
        if (wanted[call] && brig_dsl_rules_of(listing->rules, (enum brig_dsl_call)call)->rule_count == 0) {
            add_unlisted(listing, (enum brig_dsl_call)call, ret_rows);
        }
    }
}

// Marks the calls given by name or number. Returns: false after having complained.
static bool mark_calls(const struct tool_arguments *arguments, enum brig_dsl_arch arch, bool *wanted)
{
    for (int i = 1; i < arguments->operand_count; i++) {
        enum brig_dsl_call call = tool_find_call("explain", arguments->operands[i], arch);
        if (call == BRIG_SYS_NONE) {
            return false;
        }
        wanted[call] = true;
    }
    return true;
}

// Explains a target: as text, or as an object at the end of `ret_targets` where that is given.
static int explain(const struct tool_subject *subject, size_t target, const struct tool_arguments *arguments, json_t *ret_targets)
{
    bool wanted[BRIG_SYS_COUNT] = {false};
    bool whole_policy = arguments->operand_count == 1;
    struct listing listing = {.subject = subject, .policy = subject->targets[target].policy, .rules = &subject->rules[target]};
    listing.is_colored = tool_wants_color(arguments->values[COLOR]);
    if (!mark_calls(arguments, listing.rules->arch, wanted)) {
        return TOOL_USAGE;
    }
    if (!explain_collect(listing.policy, listing.rules, whole_policy ? NULL : wanted, &listing.lines)) {
        return tool_complain("explain", "out of memory");
    }
    if (ret_targets != NULL) {
        json_t *json = listing_json(&listing);
        add_all_unlisted(&listing, wanted, json_object_get(json, "rows"));
        json_array_append_new(ret_targets, json);
    } else {
        print_text(&listing, whole_policy);
        add_all_unlisted(&listing, wanted, NULL);
    }
    free(listing.lines.of);
    return TOOL_OK;
}

int brig_explain_main(int argc, char **argv);
int brig_explain_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct tool_subject subject;
    int status = tool_parse("explain", brig_explain_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count < 1) {
        return tool_complain("explain", "give a policy; see brig explain --help");
    }
    if (!tool_check_color("explain", arguments.values[COLOR]) || !tool_make_request("explain", &arguments, &request)) {
        return TOOL_USAGE;
    }
    request.rows_only = true;
    request.refuses_raw = "a raw program has no rows to explain; see brig disasm and brig emu";
    status = tool_load("explain", arguments.operands[0], &request, &subject);
    if (status >= 0) {
        return status;
    }
    json_t *targets = arguments.values[JSON] == NULL ? NULL : json_array();
    status = TOOL_OK;
    for (size_t i = 0; i < subject.target_count && status == TOOL_OK; i++) {
        status = explain(&subject, i, &arguments, targets);
    }
    if (targets != NULL && status == TOOL_OK) {
        // One target is an object, several are an array of them.
        tool_print_json(stdout, json_incref(subject.target_count == 1 ? json_array_get(targets, 0) : targets));
    }
    json_decref(targets);
    tool_free_subject(&subject);
    int close_status = tool_flush("explain");
    return status == TOOL_OK ? close_status : status;
}
