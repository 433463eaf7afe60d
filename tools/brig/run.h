// run: what the files of the verb `run` share. See run.c.
#ifndef BRIG_TOOLS_BRIG_RUN_H
#define BRIG_TOOLS_BRIG_RUN_H

#include <jansson.h>

#include "sandbox/program.h"
#include "tools/brig/tool.h"

enum { RUN_ENTRY_MAX = 2 * TOOL_GIVEN_MAX + 32 };

// Indices in brig_run_options.
enum run_option {
    RUN_POLICY,
    RUN_BROKER_RO,
    RUN_BROKER_RW,
    RUN_UNVEIL,
    RUN_CONNECT,
    RUN_RESOLVE,
    RUN_MODE,
    RUN_REPORT_DIR,
    RUN_JSON,
    RUN_OUTPUT
};

enum { RUN_EXIT_OWN_FAILURE = 125, RUN_EXIT_NOT_EXECUTABLE = 126, RUN_EXIT_NOT_FOUND = 127 };
enum { RUN_SCRIPT_MAX = 5 }; // scripts and the program that reads them

// What a command comes to (run_program.c).
struct run_program {
    char *
        files[RUN_SCRIPT_MAX]; // the command's, of a script the interpreter's that env would start, and so on: the last is executed
    size_t file_count;
    char **command;                  // its words; NULL ends them
    char **commands[RUN_SCRIPT_MAX]; // that were made for it
    char *names[RUN_SCRIPT_MAX];
};

// Finds what `command` is. Returns: -1 to go on, else the exit status. Freed by run_free_program, also after a failure; `command`
// is kept.
int run_find_program(char **command, struct run_program *ret_program);
// Returns: the file that is executed.
const char *run_executed(const struct run_program *program);
// Says why it could not be executed. It was there when we looked: what else can be missing is a script's interpreter.
void run_complain_about_start(const struct run_program *program, int reason);
void run_free_program(struct run_program *program);

// What the broker of a program may do for it. Paths are ours.
struct run_list {
    struct brig_broker_entry entries[RUN_ENTRY_MAX];
    size_t entry_count;
    struct brig_broker_address addresses[TOOL_GIVEN_MAX];
    size_t address_count;
    bool resolves;
};

// Makes the list of a command line: what every program needs to start, the program itself, and what the options name. Returns:
// false after having complained. Freed by run_free_list, also after a failure.
bool run_make_list(const struct tool_arguments *arguments, const struct run_program *program, struct run_list *ret_list);
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

#define RUN_SCHEMA "brig-run-1"

// What became of a run.
struct run_outcome {
    const char *command;
    const char *policy;
    int exit_status;
    uint64_t violation_count;
    json_t *events;              // violations: message, key of the cause, the row's reason, path of the report
    const struct run_list *list; // what hides, no option shows
    const struct brig_broker_denial *denials;
    size_t denial_count;
};

// What was refused, with the option that would have allowed it, as JSON. Returns: NULL if memory ran out.
json_t *run_outcome_json(const struct run_outcome *outcome);
// Writes that to a new file in `directory`. Returns: false after having complained.
bool run_write_outcome(json_t *outcome, const char *directory, int pid);
// Returns: whether a path is one of /proc that means whoever asks. A list cannot have it: it would mean the broker.
bool run_is_own_in_proc(const char *path);
// Writes `text` as one word of a shell. Returns: false where that takes more than single quotes.
bool run_quote(const char *text, char *word, size_t word_bytes);

// --- for people (run_text.c) ------------------------------------------------------------------------------------------

// Prints one element of `events`, with the reason.
void run_print_event(FILE *out, const json_t *event);
// Returns: whether no event before has the same cause.
bool run_is_new_event(const json_t *events, size_t index);
// Prints the end of a run: what came again of the events, and what was refused.
void run_print_rest(FILE *out, const json_t *outcome);
// Prints all of an outcome, which may come from a file.
void run_print(FILE *out, const json_t *outcome);

#endif
