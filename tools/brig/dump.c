// brig dump: stages of the pipeline as text, or as JSON (dump_json.c).
#include <stdlib.h>
#include <string.h>

#include "sandbox/report.h"
#include "tools/brig/dump.h"

const struct tool_option brig_dump_options[] = {
    TOOL_OPTION_ARCH,
    TOOL_OPTION_OUTPUT,
    TOOL_OPTION_KERNEL,
    TOOL_OPTION_TARGET,
    TOOL_OPTION_FROM,
    TOOL_OPTION_CAP,
    {"stage", 0, "STAGE", "rules, expr, ranges, decisions, tree or insns (all, in order)"},
    TOOL_OPTION_JSON,
    TOOL_OPTION_PROFILE,
    TOOL_OPTION_PROFILE_TYPE,
    {NULL, 0, NULL, NULL},
};
enum { ARCH, OUTPUT, KERNEL, TARGET, FROM, CAP, STAGE, JSON, PROFILE };

// Returns: a stage, BRIG_DSL_STAGE_COUNT for all of them, or -1 after having complained.
static int find_stage(const char *name)
{
    const char *names[BRIG_DSL_STAGE_COUNT] = {NULL};
    if (name == NULL) {
        return BRIG_DSL_STAGE_COUNT;
    }
    for (int i = 0; i < BRIG_DSL_STAGE_COUNT; i++) {
        names[i] = brig_dsl_stage_name((enum brig_dsl_stage)i);
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    const char *closest = tool_closest(name, names, BRIG_DSL_STAGE_COUNT);
    if (closest != NULL) {
        tool_complain("dump", "there is no stage '%s'; did you mean '%s'?", name, closest);
    } else {
        tool_complain("dump", "there is no stage '%s'; see brig dump --help", name);
    }
    return -1;
}

// A stage as it is written.
struct written {
    FILE *out;
    size_t bytes;
};

static void write_counted(void *context, const char *text, size_t text_bytes)
{
    struct written *written = context;
    fwrite(text, 1, text_bytes, written->out);
    written->bytes += text_bytes;
}

// Dumps a stage of a target. The title has the policy's name, which of an imported one is a file's.
static enum brig_code dump_target(const struct dump *dump, enum brig_dsl_stage stage, struct brig_dsl_arena *arena,
                                  const struct brig_dsl_sink *sink, struct brig_error *reterr)
{
    char name[1024];
    struct brig_dsl_policy policy = *dump->target->policy;
    brig_report_clean(policy.name, name, sizeof name);
    policy.name = name;
    return brig_dsl_dump(&policy, dump->options, stage, arena, sink, reterr);
}

static int dump_stage(const struct dump *dump, enum brig_dsl_stage stage, FILE *out)
{
    struct brig_error error;
    struct brig_dsl_arena arena;
    struct written written = {.out = out};
    struct brig_dsl_sink sink = {.write = write_counted, .context = &written};
    void *memory = malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    if (memory == NULL) {
        return tool_complain("dump", "out of memory");
    }
    brig_dsl_arena_init(&arena, memory, dump->target == NULL ? BRIG_DSL_OPTIMIZE_ARENA_BYTES : TOOL_ARENA_BYTES);
    enum brig_code code = dump->target == NULL ? brig_dsl_dump_program(&dump->filter, dump->options, stage, &arena, &sink, &error)
                                               : dump_target(dump, stage, &arena, &sink, &error);
    int status = code == BRIG_OK ? -1 : tool_fail("dump", &error);
    if (code == BRIG_OK && written.bytes == 0 && dump->target == NULL) {
        tool_complain("dump", "note: '%s' has no %s: it computes more than they can say", dump->name, brig_dsl_stage_name(stage));
    }
    free(memory);
    return status;
}

static int dump_text(const struct dump *dump, FILE *out)
{
    bool wants_all = dump->stage == BRIG_DSL_STAGE_COUNT;
    int status = -1;
    int first = dump->target == NULL ? DUMP_FIRST_OF_RAW : 0;
    for (int stage = first; stage < BRIG_DSL_STAGE_COUNT && status < 0; stage++) {
        if (wants_all) {
            fprintf(out, "%s# %s\n", stage == first ? "" : "\n", brig_dsl_stage_name((enum brig_dsl_stage)stage));
        }
        if (wants_all || dump->stage == stage) {
            status = dump_stage(dump, (enum brig_dsl_stage)stage, out);
        }
    }
    return status;
}

// Dumps every target: as text, or as objects in `ret_targets` where that is given. Returns: -1, or an exit status.
static int dump_targets(const struct tool_subject *subject, struct brig_dsl_options *options, int stage, FILE *out,
                        json_t *ret_targets)
{
    int status = -1;
    for (size_t i = 0; i < subject->target_count && status < 0; i++) {
        struct dump dump = {.name = subject->targets[i].policy->name,
                            .target = &subject->targets[i],
                            .rules = &subject->rules[i],
                            .options = options,
                            .stage = stage};
        options->arch = dump.target->arch;
        if (ret_targets != NULL) {
            status = dump_add_json(&dump, ret_targets);
            continue;
        }
        if (subject->target_count > 1) {
            fprintf(out, "%s## %s\n", i == 0 ? "" : "\n", brig_dsl_arch_name(dump.target->arch));
        }
        status = dump_text(&dump, out);
    }
    return status;
}

static int dump_raw(const struct tool_subject *subject, struct brig_dsl_options *options, int stage, FILE *out, json_t *ret_targets)
{
    struct dump dump = {
        .name = subject->name, .filter = {subject->program.insns, subject->program.insn_count}, .options = options, .stage = stage};
    options->arch = subject->program.arch;
    return ret_targets != NULL ? dump_add_json(&dump, ret_targets) : dump_text(&dump, out);
}

static int check_stage(const struct tool_subject *subject, const struct tool_request *request, int stage)
{
    if (subject->target_count == 0 && stage < DUMP_FIRST_OF_RAW) {
        return tool_complain("dump", "a raw program has no stage '%s'; it has decisions, tree and insns",
                             brig_dsl_stage_name((enum brig_dsl_stage)stage));
    }
    return subject->target_count > 0 || tool_check_profile_arch("dump", request, subject) ? -1 : TOOL_USAGE;
}

static int write_output(const struct tool_subject *subject, struct tool_request *request, int stage)
{
    const struct tool_arguments *arguments = request->arguments;
    struct tool_output output;
    if (!tool_open_output("dump", arguments->values[OUTPUT], &output)) {
        return TOOL_USAGE;
    }
    json_t *targets = arguments->values[JSON] == NULL ? NULL : json_array();
    int status = (subject->target_count == 0 ? dump_raw : dump_targets)(subject, &request->options, stage, output.file, targets);
    if (status >= 0) {
        tool_drop_output(&output);
    } else {
        if (targets != NULL) {
            // One target is an object, several are an array of them.
            tool_print_json(output.file, json_incref(subject->target_count <= 1 ? json_array_get(targets, 0) : targets));
        }
        status = tool_close_output("dump", &output);
    }
    json_decref(targets);
    return status;
}

int brig_dump_main(int argc, char **argv);
int brig_dump_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct tool_subject subject;
    struct profile profile;
    int status = tool_parse("dump", brig_dump_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count != 1) {
        return tool_complain("dump", "give one policy; see brig dump --help");
    }
    int stage = find_stage(arguments.values[STAGE]);
    if (stage < 0 || !tool_make_request("dump", &arguments, &request)) {
        return TOOL_USAGE;
    }
    request.rows_only = true;
    status = tool_read_profiles("dump", &arguments, PROFILE, &profile);
    if (status >= 0) {
        return status;
    }
    request.options.profile = tool_profile_calls(&profile);
    status = tool_load("dump", arguments.operands[0], &request, &subject);
    if (status < 0) {
        status = check_stage(&subject, &request, stage);
        status = status < 0 ? write_output(&subject, &request, stage) : status;
        tool_free_subject(&subject);
    }
    profile_free(&profile);
    return status;
}
