// minijail_conditions: "arg0 == 1 && arg1 & O_CREAT || arg0 > 5" becomes clauses of conditions on registers.
//
// Takes: tokens. Gives: clauses; the whole holds where one of them does. Guarantees: an OR of ANDs of comparisons, unsigned, of all
// of a register, as in minijail; both are bounded. Comparisons that the width of registers decides alone ("arg1 & O_RDONLY", which
// is 0) are gone, with a warning, and so are clauses that cannot hold for that; all != of one register are one list.
#include <string.h>

#include "tools/import/minijail.h"

// --- comparisons ------------------------------------------------------------------------------------------------------

// A value for which a comparison has one answer for all arguments.
enum edge { EDGE_NONE, EDGE_ZERO, EDGE_MAX };

static const struct comparison {
    char text[3];
    uint8_t op; // enum brig_dsl_operator
    int8_t add; // to the value
    uint8_t edge;
    bool edge_holds;
} comparisons[] = {
    {"==", BRIG_DSL_IN, 0, EDGE_NONE, false},      {"!=", BRIG_DSL_NOT_IN, 0, EDGE_NONE, false},
    {"<", BRIG_DSL_AT_MOST, -1, EDGE_ZERO, false}, {"<=", BRIG_DSL_AT_MOST, 0, EDGE_MAX, true},
    {">", BRIG_DSL_AT_LEAST, 1, EDGE_MAX, false},  {">=", BRIG_DSL_AT_LEAST, 0, EDGE_ZERO, true},
    {"&", BRIG_DSL_ANY_BITS, 0, EDGE_ZERO, false}, {"in", BRIG_DSL_ONLY_BITS, 0, EDGE_MAX, true},
};

// Comparisons joined by &&, as they are read.
struct atom {
    enum brig_dsl_operator op;
    unsigned reg;
    uint64_t value;
};
struct clause {
    struct atom *atoms;
    size_t atom_count;
    bool never; // one of them cannot hold
};
enum { ATOMS_LIMIT = 1000 };

// Makes room for one more item; arrays have a power of two. Returns: the array, moved if it had to grow; NULL if there is no
// memory.
static void *grow(struct import_memory *memory, void *items, size_t count, size_t item_bytes)
{
    if ((count & (count - 1)) != 0) {
        return items;
    }
    void *larger = import_alloc(memory, (count == 0 ? 1 : 2 * count) * item_bytes);
    if (larger != NULL && count > 0) {
        memcpy(larger, items, count * item_bytes);
    }
    return larger;
}

bool minijail_is_argument(const struct minijail_token *token)
{
    return token->kind == MINIJAIL_WORD && token->text_bytes >= 3 && memcmp(token->text, "arg", 3) == 0;
}

static unsigned read_argument(struct minijail *mj)
{
    struct minijail_token token = mj->file->token;
    if (!minijail_is_argument(&token)) {
        minijail_expected(mj, minijail_is(mj, "(") || minijail_is(mj, "!") ? "arg0 to arg5 (only values have parentheses)"
                                                                           : "arg0 to arg5");
        return 0;
    }
    if (token.text_bytes != 4 || token.text[3] < '0' || token.text[3] > '5') {
        minijail_fail(mj, token.place, NULL, "there is no argument '%.*s'; a filter sees arg0 to arg5", minijail_shown(&token),
                      token.text);
        return 0;
    }
    minijail_advance(mj);
    return (unsigned)(token.text[3] - '0');
}

static const struct comparison *read_comparison(struct minijail *mj)
{
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
        if (minijail_accept(mj, comparisons[i].text)) {
            return &comparisons[i];
        }
    }
    minijail_expected(mj, "one of == != < <= > >= & in");
    return NULL;
}

static bool is_at_edge(const struct minijail *mj, const struct comparison *comparison, uint64_t value)
{
    switch (comparison->edge) {
    case EDGE_ZERO:
        return value == 0;
    case EDGE_MAX:
        return value == minijail_register_max(mj);
    default:
        return false;
    }
}

// Reads "arg0 == VALUE" and adds it to `clause`.
static void read_condition(struct minijail *mj, struct clause *clause, bool is_skipped)
{
    struct minijail_token token = mj->file->token;
    unsigned reg = read_argument(mj);
    const struct comparison *comparison = read_comparison(mj);
    uint64_t value = minijail_read_value(mj, is_skipped);
    if (mj->has_failed || is_skipped) {
        return;
    }
    if (is_at_edge(mj, comparison, value)) {
        clause->never |= !comparison->edge_holds;
        import_warn(mj->memory, token.place.file, token.place.line, "'arg%u %s %s' %s holds on %s", reg, comparison->text,
                    value == 0 ? "0" : "~0", comparison->edge_holds ? "always" : "never", brig_dsl_arch_name(mj->arch));
        return;
    }
    if (clause->atom_count == ATOMS_LIMIT) {
        minijail_fail(mj, token.place, NULL, "more than %d conditions are joined by &&", ATOMS_LIMIT);
        return;
    }
    clause->atoms = grow(mj->memory, clause->atoms, clause->atom_count, sizeof *clause->atoms);
    if (clause->atoms != NULL) {
        clause->atoms[clause->atom_count++] = (struct atom){
            .op = (enum brig_dsl_operator)comparison->op, .reg = reg, .value = value + (uint64_t)(int64_t)comparison->add};
    }
}

// --- expressions ------------------------------------------------------------------------------------------------------

// Makes one condition of `atoms[at]` and, where that is !=, of all others of its register. Returns: false if an earlier one has it.
static bool make_condition(struct minijail *mj, const struct clause *clause, size_t at, struct brig_dsl_condition *ret_condition)
{
    uint64_t values[ATOMS_LIMIT];
    size_t value_count = 0;
    const struct atom *first = &clause->atoms[at];
    for (size_t i = 0; first->op == BRIG_DSL_NOT_IN && i < clause->atom_count; i++) {
        const struct atom *atom = &clause->atoms[i];
        if (atom->op == first->op && atom->reg == first->reg) {
            if (i < at) {
                return false;
            }
            values[value_count++] = atom->value;
        }
    }
    *ret_condition = first->op == BRIG_DSL_NOT_IN ? import_condition(mj->memory, first->op, first->reg, values, value_count)
                                                  : import_condition(mj->memory, first->op, first->reg, &first->value, 1);
    return true;
}

static void read_clause(struct minijail *mj, struct minijail_clauses *clauses, bool is_skipped)
{
    struct clause clause = {.never = false};
    struct minijail_clause made = {.line = mj->file->token.place.line};
    do {
        read_condition(mj, &clause, is_skipped);
    } while (minijail_accept(mj, "&&"));
    if (clause.never || mj->has_failed) {
        return;
    }
    struct brig_dsl_condition *conditions = import_alloc(mj->memory, clause.atom_count * sizeof *conditions + 1);
    for (size_t i = 0; i < clause.atom_count && conditions != NULL; i++) {
        made.condition_count += make_condition(mj, &clause, i, &conditions[made.condition_count]);
    }
    made.conditions = conditions;
    clauses->items = grow(mj->memory, clauses->items, clauses->count, sizeof *clauses->items);
    if (clauses->items == NULL) {
        clauses->count = 0;
        return;
    }
    clauses->items[clauses->count++] = made;
}

struct minijail_clauses minijail_read_conditions(struct minijail *mj, bool is_skipped)
{
    struct minijail_clauses clauses = {.items = NULL};
    do {
        read_clause(mj, &clauses, is_skipped);
    } while (minijail_accept(mj, "||"));
    return clauses;
}
