// pair: two programs, or stacks of them, to be compared, as `prove` and `diff` take them, and how calls and verdicts are printed.
#ifndef BRIG_TOOLS_BRIG_PAIR_H
#define BRIG_TOOLS_BRIG_PAIR_H

#include <pthread.h>

#include "tools/brig/tool.h"
#include "tools/prove/prove.h"

// What a trap id of a pair of policies stands for.
struct pair_trap {
    const struct brig_dsl_action *action;
};

enum { PAIR_MOST_PROGRAMS = 64 }; // of a stack

// One of the programs that a process has installed.
struct pair_member {
    struct tool_subject subject;
    struct sock_filter *insns; // as compared: a copy in which, among policies, a trap's id says what the trap does
};

struct pair_side {
    char *name; // of all members
    struct pair_member *members;
    struct prove_program *programs; // the members' insns
    size_t count;                   // more than one: a stack, the first one first
};

struct pair {
    struct pair_side sides[2];
    struct pair_trap *traps; // by that id; NULL where ids are as they are
    size_t trap_count;
};

// What a side of a pair is to be.
struct pair_names {
    const char *names[PAIR_MOST_PROGRAMS];
    size_t count;
    bool is_plain; // a policy's unoptimised form
};

// Adds to a side. Returns: false after having complained.
bool pair_add_name(const char *verb, struct pair_names *names, const char *name);

// Loads both sides for `request`. Ids of traps are numbers that a policy gives to its rows: those of several policies are compared
// by what they do, unless `keeps_ids`. Returns: -1 to go on, else the exit status to return at once.
int pair_load(const char *verb, const struct pair_names *names, const struct tool_request *request, bool keeps_ids,
              struct pair *ret_pair);
void pair_free(struct pair *pair);

// Returns: seconds of --timeout, 120 if not given, or -1 after having complained.
long pair_read_timeout(const char *verb, const char *text);

// The question that compares the pair.
struct prove_question pair_question(const struct pair *pair, enum prove_relation relation, long timeout_seconds);

// A line of progress on standard error, if that is a terminal. A thread of its own writes it, because one question to Z3 can take
// minutes.
struct pair_progress {
    const char *verb;
    int64_t start_ms;
    bool is_running;
    bool is_shown;
    pthread_t thread;
    pthread_mutex_t mutex; // for what follows
    pthread_cond_t ended;
    bool has_ended;
    size_t done;
    size_t total;
};
void pair_progress_start(struct pair_progress *progress, const char *verb);
void pair_progress_set(struct pair_progress *progress, size_t done, size_t total);
// Removes the line. Returns: milliseconds since the start.
int64_t pair_progress_end(struct pair_progress *progress);

// Prints a call: arch if wanted, name, arguments by name with their values.
void pair_print_call(FILE *out, const struct brig_dsl_data *data, bool with_arch);
// Writes a verdict of side 0 or 1: "ALLOW", "ERRNO(1)", or what a policy's trap does. 64 bytes are enough.
void pair_verdict(const struct pair *pair, uint32_t ret, char *text, size_t text_bytes);
// Returns: the member whose verdict the kernel takes.
const struct pair_member *pair_decider(const struct pair_side *side, const struct brig_dsl_data *data);
// Writes the row that decides on one side, "FILE:LINE", or nothing where there is none.
void pair_row(const struct pair *pair, int side, const struct brig_dsl_data *data, char *text, size_t text_bytes);
// The policies of a side, as a JSON array.
json_t *pair_names_json(const struct pair_side *side);
// A witness as JSON: call, arguments, both verdicts, both rows.
json_t *pair_witness_json(const struct pair *pair, const struct prove_witness *witness);

#endif
