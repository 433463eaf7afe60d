// brig merge: the programs that one process installs, as one, proven to return what the kernel makes of all of them.
#include "tools/brig/improve.h"

const struct tool_option brig_merge_options[] = {IMPROVE_OPTIONS};

int brig_merge_main(int argc, char **argv);
int brig_merge_main(int argc, char **argv)
{
    static const struct write_program_kind kind = {"merge", "program", "brig-merge-1"};
    struct tool_arguments arguments;
    int status = tool_parse("merge", brig_merge_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count < 2 || arguments.operand_count > IMPROVE_MOST_PROGRAMS) {
        return tool_complain("merge", "give 2 to %d programs, the one that is installed first at the front; see brig merge --help",
                             IMPROVE_MOST_PROGRAMS);
    }
    return improve_run(&kind, &arguments, brig_dsl_merge);
}
