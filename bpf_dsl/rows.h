// rows: a policy's tables in the order in which they count. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_ROWS_H
#define BRIG_BPF_DSL_ROWS_H

#include "bpf_dsl/bpf_dsl.h"

// Deeper than any policy needs; what bounds a policy that contains itself.
enum { DSL_USE_DEPTH = 8, DSL_BASE_DEPTH = 16 };

// A CALL or ELSE row with what its place gives it.
struct dsl_entry {
    const struct brig_dsl_row *row;
    const char *why;                           // reason in force, or NULL
    const struct brig_dsl_constant *constants; // of the policy that the row is in
    bool is_handler;                           // one of dsl_handler_rows
};

// A walk over the handler's rows, the policy's, its base's and so on, with USE spliced in.
struct dsl_row_cursor {
    const struct brig_dsl_policy *policy; // at work; NULL: the handler's rows are
    const struct brig_dsl_policy *next;   // after it
    unsigned policies;
    unsigned depth; // open tables
    struct dsl_open_table {
        const struct brig_dsl_row *table;
        const struct brig_dsl_row *at;
        const char *why;
    } open[DSL_USE_DEPTH];
    struct brig_error error; // why the walk ended early; code OK if it did not
};

// What every policy must allow, and what only those that ask the broker must, which is a part of it. In handler_rows.c, with
// reasons.
extern const struct brig_dsl_row dsl_handler_rows[];
extern const struct brig_dsl_row dsl_broker_rows[];

void dsl_rows_start(struct dsl_row_cursor *cursor, const struct brig_dsl_policy *policy);

// Returns: true and the next row; false at the end or after a failure (cursor->error).
bool dsl_rows_next(struct dsl_row_cursor *cursor, struct dsl_entry *ret_entry);

#endif
