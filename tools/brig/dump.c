// brig dump: one stage of the pipeline as text.
#include <stdlib.h>
#include <string.h>

#include "tools/brig/tool.h"

const struct tool_option brig_dump_options[] = {
    TOOL_OPTION_ARCH,      TOOL_OPTION_OUTPUT,
    TOOL_OPTION_KERNEL,    TOOL_OPTION_FROM,
    TOOL_OPTION_CAP,       {"stage", 0, "STAGE", "rules, expr, ranges, decisions, tree or insns (all, in order)"},
    {NULL, 0, NULL, NULL},
};
enum { ARCH, OUTPUT, KERNEL, FROM, CAP, STAGE };

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
    tool_complain("dump", "there is no stage '%s'; did you mean '%s'?", name, closest == NULL ? "insns" : closest);
    return -1;
}

static int dump_stage(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options, enum brig_dsl_stage stage,
                      FILE *out)
{
    struct brig_error error;
    struct brig_dsl_arena arena;
    struct brig_dsl_sink sink = tool_sink(out);
    void *memory = malloc(BRIG_DSL_ARENA_BYTES);
    if (memory == NULL) {
        return tool_complain("dump", "out of memory");
    }
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_ARENA_BYTES);
    enum brig_code code = brig_dsl_dump(policy, options, stage, &arena, &sink, &error);
    int status = code == BRIG_OK ? -1 : tool_fail("dump", &error);
    free(memory);
    return status;
}

static int dump_stages(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options, int wanted, FILE *out)
{
    for (int stage = 0; stage < BRIG_DSL_STAGE_COUNT; stage++) {
        if (wanted != stage && wanted != BRIG_DSL_STAGE_COUNT) {
            continue;
        }
        if (wanted == BRIG_DSL_STAGE_COUNT) {
            fprintf(out, "%s# %s\n", stage == 0 ? "" : "\n", brig_dsl_stage_name((enum brig_dsl_stage)stage));
        }
        int status = dump_stage(policy, options, (enum brig_dsl_stage)stage, out);
        if (status >= 0) {
            return status;
        }
    }
    return -1;
}

int brig_dump_main(int argc, char **argv);
int brig_dump_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct tool_subject subject;
    int status = tool_parse("dump", brig_dump_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count != 1) {
        return tool_complain("dump", "give one policy; see brig dump --help");
    }
    // Everything is looked at before the output is opened, and so emptied.
    int stage = find_stage(arguments.values[STAGE]);
    if (stage < 0 || !tool_make_request("dump", &arguments, &request)) {
        return TOOL_USAGE;
    }
    request.rows_only = true;
    request.refuses_raw = "a raw program has no stages; see brig disasm";
    status = tool_load("dump", arguments.operands[0], &request, &subject);
    if (status >= 0) {
        return status;
    }
    FILE *out = tool_open_output("dump", arguments.values[OUTPUT]);
    if (out == NULL) {
        tool_free_subject(&subject);
        return TOOL_USAGE;
    }
    for (size_t i = 0; i < subject.target_count && status < 0; i++) {
        const struct brig_dsl_target *target = &subject.targets[i];
        if (subject.target_count > 1) {
            fprintf(out, "%s## %s\n", i == 0 ? "" : "\n", brig_dsl_arch_name(target->arch));
        }
        request.options.arch = target->arch;
        status = dump_stages(target->policy, &request.options, stage, out);
    }
    tool_free_subject(&subject);
    int close_status = tool_close_output("dump", out, arguments.values[OUTPUT]);
    return status >= 0 ? status : close_status;
}
