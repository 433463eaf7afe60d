// rows: what importers share: memory, rows, conditions on registers, warnings, errors.
//
// Memory is sticky: after malloc has failed once nothing more is added, strings are "", and import_finish says so; no importer has
// to look before that. Nothing is freed before import_free.
#ifndef BRIG_TOOLS_IMPORT_ROWS_H
#define BRIG_TOOLS_IMPORT_ROWS_H

#include "tools/import/import.h"

// --- memory -----------------------------------------------------------------------------------------------------------

// Returns: NULL if there is none.
struct import_memory *import_memory_new(void);
void import_memory_free(struct import_memory *memory);
// Returns: zeroed memory, aligned for anything; NULL if there is none, and then always.
void *import_alloc(struct import_memory *memory, size_t bytes);
// Returns: a terminated copy, "" if there is no memory.
const char *import_copy(struct import_memory *memory, const char *text, size_t text_bytes);
__attribute__((format(printf, 2, 3))) const char *import_print(struct import_memory *memory, const char *format, ...);
// Adds a warning; those of one import stay in the order of the calls. `file` is kept, the text is copied.
__attribute__((format(printf, 4, 5))) void import_warn(struct import_memory *memory, const char *file, int line, const char *format,
                                                       ...);

// --- rows -------------------------------------------------------------------------------------------------------------

// The most values that import_condition writes.
#define IMPORT_VALUES_MAX 1024

// Rows of one arch as they are added. Start with the memory alone: {.memory = memory}.
struct import_rows {
    struct import_memory *memory;
    struct brig_dsl_row *rows;
    size_t count;
    size_t room;
};

// Makes a condition on register `reg` (0 to 5), all 64 bits, unsigned; `values` as `op` wants them (MASKED: the mask first).
struct brig_dsl_condition import_condition(struct import_memory *memory, enum brig_dsl_operator op, unsigned reg,
                                           const uint64_t *values, size_t value_count);
// Copies conditions and closes them with BRIG_DSL_END, for rows to share. Returns: an empty list if there is no memory.
const struct brig_dsl_condition *import_conditions(struct import_memory *memory, const struct brig_dsl_condition *conditions,
                                                   size_t condition_count);
// Adds a row. If it has conditions they are kept as they are: rows of one line that share them are shown as one. If not, it gets
// a copy of `condition_count` others. Its file and its texts are kept.
void import_add_row(struct import_rows *rows, const struct brig_dsl_row *row, const struct brig_dsl_condition *conditions,
                    size_t condition_count);

// What is said of one arch beside its rows.
struct import_heading {
    const char *name; // of the policy, for people; copied
    enum brig_dsl_arch arch;
    uint16_t kernel; // 0: the newest
    struct brig_dsl_action fallback;
    struct brig_dsl_import import;
};

// Closes `rows` and adds them to `policies` as its next target.
void import_add_target(struct import_rows *rows, const struct import_heading *heading, struct import_policies *policies);
// Ends an import: `policies` gets the memory and its warnings. Returns: false with `reterr` written, and the memory freed, if there
// was not enough of it.
bool import_finish(struct import_memory *memory, const char *file, struct import_policies *policies, struct import_error *reterr);

// --- errors and names -------------------------------------------------------------------------------------------------

// Where in which text.
struct import_place {
    const char *file;
    int line;
    int column;
};

// Writes `reterr`, without a closest name. Returns: false.
__attribute__((format(printf, 3, 4))) bool import_fail(struct import_error *reterr, struct import_place place, const char *format,
                                                       ...);
// As import_fail, with a closest name; NULL: none.
__attribute__((format(printf, 4, 5))) bool import_fail_name(struct import_error *reterr, struct import_place place,
                                                            const char *closest, const char *format, ...);
// Finds the candidate closest to `name`. Returns: it, or NULL if none is close.
const char *import_closest(const char *name, const char *const *candidates, size_t candidate_count);
// Finds the place of `offset` in a text.
struct import_place import_place_at(const struct import_source *source, size_t offset);

// Returns: whether a call that we do not know is one of other arches or of kernels past (s390, powerpc, mips, sparc, ...), as
// profiles for many arches name them.
bool import_is_other_call(const char *name, size_t name_bytes);

#endif
