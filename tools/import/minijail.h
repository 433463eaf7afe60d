// minijail: what the parts of the importer of minijail policies share. Internal to tools/import.
//
// One struct minijail is one import for one arch. Failures are sticky: the first one is kept, the token to be read next becomes
// MINIJAIL_BAD, which fits nowhere, and so every loop ends; functions give anything after it and nobody uses that.
#ifndef BRIG_TOOLS_IMPORT_MINIJAIL_H
#define BRIG_TOOLS_IMPORT_MINIJAIL_H

#include "tools/import/rows.h"

enum minijail_kind {
    MINIJAIL_BAD,
    MINIJAIL_FILE_END,
    MINIJAIL_LINE_END,
    MINIJAIL_WORD,      // names, arg0, in, return, kill-process, group@namespace
    MINIJAIL_NUMBER,    // digits with a sign, and whatever letters stick to them
    MINIJAIL_SYMBOL,    // with its text
    MINIJAIL_DIRECTIVE, // @include and the like
};

struct minijail_token {
    enum minijail_kind kind;
    const char *text;
    size_t text_bytes;
    struct import_place place;
};

// How much of a token an error quotes.
static inline int minijail_shown(const struct minijail_token *token)
{
    return token->text_bytes < 64 ? (int)token->text_bytes : 64;
}

// A file that is being read.
struct minijail_file {
    struct import_source source;
    const struct minijail_file *parent; // the one that includes it, or NULL
    unsigned depth;                     // files around it
    bool is_denylist;                   // it has said so
    bool has_rules;                     // or has included some: too late to say so
    // The lexer's.
    size_t at;
    size_t line_start;
    int line;
    bool is_inside;              // an entry: some of its tokens were read
    bool is_continued;           // by a line of which nothing was read
    struct minijail_token token; // the one to be read next
};

// Conditions that must hold together.
struct minijail_clause {
    const struct brig_dsl_condition *conditions;
    size_t condition_count; // 0: always
    int line;               // where it starts
};

// One of which must hold.
struct minijail_clauses {
    struct minijail_clause *items;
    size_t count;
};

// "arg0 == 1 || arg0 == 2; return EPERM": an action where one of the clauses holds.
struct minijail_filter {
    struct minijail_clauses clauses;
    bool is_unconditional;         // then without clauses
    struct brig_dsl_action action; // no verb: what the policy does by default
    struct import_place place;
    const struct minijail_filter *next;
};

// What the entries of one call say, in the order in which they count.
struct minijail_entry {
    const struct minijail_filter *filters;
    const struct minijail_entry *next;
};

struct minijail_call {
    const struct minijail_entry *first;
    struct minijail_entry *last;
    struct import_place place;            // of the first entry
    const struct minijail_filter *closer; // what decides all that is left, or NULL
    bool is_counted;                      // by a frequency file
    uint64_t count;
};

struct minijail {
    struct import_memory *memory;
    const struct import_options *options;
    enum brig_dsl_arch arch;
    struct import_error *reterr;
    bool has_failed;
    bool has_chain;             // the error says through which files
    bool is_repeated;           // another arch has been before it
    uint32_t other_arches;      // bit: index of an arch that is no target of ours and was warned of
    struct minijail_file *file; // the innermost
    unsigned file_count;        // all that were opened
    bool is_denylist;
    bool has_frequencies;
    struct brig_dsl_action fallback;
    struct import_place fallback_place; // line 0: nobody has said it
    struct minijail_call calls[BRIG_SYS_COUNT];
    enum brig_dsl_call order[BRIG_SYS_COUNT]; // calls with entries, in the order of their first ones
    size_t order_count;
};

// The calls in front of a colon.
struct minijail_subjects {
    enum brig_dsl_call calls[BRIG_SYS_COUNT];
    size_t count;
    bool is_skipped; // all of them are for other arches
};

// --- failures ---------------------------------------------------------------------------------------------------------

// Keeps the first failure. `closest` may be NULL.
__attribute__((format(printf, 4, 5))) void minijail_fail(struct minijail *mj, struct import_place place, const char *closest,
                                                         const char *format, ...);
// Adds a warning that does not depend on the arch; said once for all of them.
__attribute__((format(printf, 3, 4))) void minijail_warn(const struct minijail *mj, struct import_place place, const char *format,
                                                         ...);
// Fails at the token to be read next: "expected ..., not '...'". Nothing after the lexer's own failure.
void minijail_expected(struct minijail *mj, const char *what);

// --- tokens -----------------------------------------------------------------------------------------------------------

// Starts a file: its first token becomes mj->file->token.
void minijail_open(struct minijail *mj, struct minijail_file *file);
// Goes to the next token.
void minijail_advance(struct minijail *mj);
// Returns: whether the token to be read next is `text`.
bool minijail_is(const struct minijail *mj, const char *text);
// Goes past the token to be read next if it is `text`.
bool minijail_accept(struct minijail *mj, const char *text);
// Goes past a token that has to be there; `place` is where what it closes was opened.
void minijail_close(struct minijail *mj, const char *text, struct import_place place);
// Reads all between the token to be read next and a blank or the end of the line as one word; goes past both.
struct minijail_token minijail_read_path(struct minijail *mj);

// --- parts of an entry ------------------------------------------------------------------------------------------------

// Returns: the greatest value of a register.
uint64_t minijail_register_max(const struct minijail *mj);
// Reads one number or constant, as a register holds it. In a skipped entry a constant that this arch lacks is 0.
uint64_t minijail_read_constant(struct minijail *mj, bool is_skipped);
// Reads constants with ~ | and parentheses.
uint64_t minijail_read_value(struct minijail *mj, bool is_skipped);
// Reads a token that starts with digits: decimal, 0x or 0 as in C; its sign is the caller's. Returns: false after a failure.
bool minijail_read_digits(struct minijail *mj, const struct minijail_token *token, uint64_t *ret_number);
// Reads a number that counts something.
uint64_t minijail_read_count(struct minijail *mj);

// Reads one call, with the arches that it is for, into `subjects`.
void minijail_read_subject(struct minijail *mj, struct minijail_subjects *subjects);
// Reads the calls of an entry: one, or several in braces.
void minijail_read_subjects(struct minijail *mj, struct minijail_subjects *ret_subjects);

// Returns: whether a condition starts with `token`.
bool minijail_is_argument(const struct minijail_token *token);
// Reads conditions joined by && and ||.
struct minijail_clauses minijail_read_conditions(struct minijail *mj, bool is_skipped);
// Reads what stands behind the colon.
const struct minijail_filter *minijail_read_filters(struct minijail *mj, bool is_skipped);
// Reads the action of @default.
struct brig_dsl_action minijail_read_default(struct minijail *mj);

// Reads a policy, and the files that it names, into mj->calls.
void minijail_read_policy(struct minijail *mj, const struct import_source *source);

#endif
