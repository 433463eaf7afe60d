// run: what the files of the verb `run` share. See run.c.
#ifndef BRIG_TOOLS_BRIG_RUN_H
#define BRIG_TOOLS_BRIG_RUN_H

#include "sandbox/program.h"
#include "tools/brig/tool.h"

enum { RUN_ENTRY_MAX = 2 * TOOL_GIVEN_MAX + 32 };

// Indices in brig_run_options.
enum run_option { RUN_POLICY, RUN_BROKER_RO, RUN_BROKER_RW, RUN_UNVEIL, RUN_CONNECT, RUN_MODE, RUN_REPORT_DIR, RUN_JSON };

// What the broker of a program may do for it. Paths are ours.
struct run_list {
    struct brig_broker_entry entries[RUN_ENTRY_MAX];
    size_t entry_count;
    struct brig_broker_address addresses[TOOL_GIVEN_MAX];
    size_t address_count;
};

// Makes the list of a command line: what every program needs to start, the program itself, and what the options name. Returns:
// false after having complained. Freed by run_free_list, also after a failure.
bool run_make_list(const struct tool_arguments *arguments, const char *file, struct run_list *ret_list);
void run_free_list(struct run_list *list);

// What --mode says of refusals (run_mode.c).
enum run_mode { RUN_MODE_KILL, RUN_MODE_ERRNO, RUN_MODE_LOG };
enum { RUN_BLOCK_MAX = 512 };
struct run_policy {
    const struct brig_dsl_policy *policy;
    void *blocks[RUN_BLOCK_MAX]; // that it is made of; none: the policy as it was
    size_t block_count;
};

// Makes the policy of a mode; NULL is kill. Returns: false after having complained. Freed by run_free_policy, also after a failure;
// lives as long as `policy`.
bool run_change_policy(const char *mode, const struct brig_dsl_policy *policy, struct run_policy *ret_policy);
void run_free_policy(struct run_policy *policy);

// What became of a run, for its summary.
struct run_outcome {
    const char *command;
    const char *policy;
    int exit_status;
    uint64_t violation_count;
    const struct brig_broker_denial *denials;
    size_t denial_count;
};

// Prints what was refused, with the option that would have allowed it, to standard error.
void run_print_outcome(const struct run_outcome *outcome, bool as_json);
// Writes the same as JSON to a new file in `directory`. Returns: false after having complained.
bool run_write_outcome(const struct run_outcome *outcome, const char *directory, int pid);

#endif
