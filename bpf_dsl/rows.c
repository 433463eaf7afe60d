// rows: the order of rows, as a walk.
//
// Takes: a policy. Gives: its CALL and ELSE rows, most important first: the handler's own (not in an imported policy), the
// policy's, its base's, its base's base's; USE is replaced by the rows of its table. Guarantees: the walk ends, whatever the
// tables say (BASE_CYCLE).
//
// A WHY holds up to the next WHY of the same table. A spliced table starts with the reason of the place that uses it, its own
// reasons end with it.
#include "bpf_dsl/rows.h"

static bool fail(struct dsl_row_cursor *cursor, enum brig_code code, const char *subject, const struct brig_dsl_row *row)
{
    cursor->error = (struct brig_error){.code = code, .subject = subject};
    if (row) {
        cursor->error.file = row->file;
        cursor->error.line = row->line;
    }
    return false;
}

static void open_table(struct dsl_row_cursor *cursor, const struct brig_dsl_row *table, const char *why)
{
    cursor->open[cursor->depth++] = (struct dsl_open_table){.table = table, .at = table, .why = why};
}

static bool open_use(struct dsl_row_cursor *cursor, const struct brig_dsl_row *use, const char *why)
{
    if (!use->table) {
        return fail(cursor, BRIG_BAD_ARGUMENT, "row.table", use);
    }
    bool is_cycle = cursor->depth == DSL_USE_DEPTH;
    for (unsigned i = 0; i < cursor->depth; i++) {
        is_cycle |= cursor->open[i].table == use->table;
    }
    if (is_cycle) {
        return fail(cursor, BRIG_BASE_CYCLE, cursor->policy->name, use);
    }
    open_table(cursor, use->table, why);
    return true;
}

// Returns: whether there was another policy; it may have no rows.
static bool open_policy(struct dsl_row_cursor *cursor)
{
    const struct brig_dsl_policy *policy = cursor->next;
    if (!policy) {
        return false;
    }
    if (cursor->policies++ == DSL_BASE_DEPTH) {
        return fail(cursor, BRIG_BASE_CYCLE, policy->name, NULL);
    }
    cursor->policy = policy;
    cursor->next = policy->base;
    if (policy->rows) {
        open_table(cursor, policy->rows, NULL);
    }
    return true;
}

static void fill_entry(const struct dsl_row_cursor *cursor, const struct dsl_open_table *open, struct dsl_entry *ret_entry)
{
    *ret_entry = (struct dsl_entry){.row = open->at - 1, .why = open->why, .is_handler = !cursor->policy};
    if (cursor->policy) {
        ret_entry->constants = cursor->policy->constants;
    }
}

void dsl_rows_start(struct dsl_row_cursor *cursor, const struct brig_dsl_policy *policy)
{
    cursor->policy = NULL;
    cursor->next = policy;
    cursor->policies = 0;
    cursor->depth = 0;
    cursor->error = (struct brig_error){.code = BRIG_OK};
    if (!policy->import) {
        open_table(cursor, dsl_handler_rows, NULL);
    }
}

bool dsl_rows_next(struct dsl_row_cursor *cursor, struct dsl_entry *ret_entry)
{
    for (;;) {
        if (cursor->depth == 0) {
            if (!open_policy(cursor)) {
                return false;
            }
            continue;
        }
        struct dsl_open_table *open = &cursor->open[cursor->depth - 1];
        const struct brig_dsl_row *row = open->at++;
        switch (row->kind) {
        case BRIG_DSL_ROW_END:
            // A row whose kind was forgotten would end the policy unseen.
            if (row->call != BRIG_SYS_NONE || row->set || row->table || row->why) {
                return fail(cursor, BRIG_BAD_ARGUMENT, "row.kind", row);
            }
            cursor->depth--;
            break;
        case BRIG_DSL_ROW_WHY:
            open->why = row->why;
            break;
        case BRIG_DSL_ROW_USE:
            if (!open_use(cursor, row, open->why)) {
                return false;
            }
            break;
        case BRIG_DSL_ROW_CALL:
        case BRIG_DSL_ROW_ELSE:
            fill_entry(cursor, open, ret_entry);
            return true;
        default:
            return fail(cursor, BRIG_BAD_ARGUMENT, "row.kind", row);
        }
    }
}
