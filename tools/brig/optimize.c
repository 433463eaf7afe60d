// brig optimize: a program of any tool, smaller and faster, proven to return the same for every call.
#include "tools/brig/improve.h"

const struct tool_option brig_optimize_options[] = {IMPROVE_OPTIONS};

static enum brig_code optimize(const struct brig_dsl_filter *filters, size_t count, const struct brig_dsl_options *options,
                               struct brig_dsl_arena *arena, struct brig_dsl_optimized *ret_optimized, struct brig_error *reterr)
{
    (void)count; // one
    return brig_dsl_optimize(&filters[0], options, arena, ret_optimized, reterr);
}

int brig_optimize_main(int argc, char **argv);
int brig_optimize_main(int argc, char **argv)
{
    static const struct write_program_kind kind = {"optimize", "program", "brig-optimize-1"};
    struct tool_arguments arguments;
    int status = tool_parse("optimize", brig_optimize_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count != 1) {
        return tool_complain("optimize", "give one program; see brig optimize --help");
    }
    return improve_run(&kind, &arguments, optimize);
}
