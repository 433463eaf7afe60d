// describe: a record's numbers as people write them. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_DESCRIBE_H
#define BRIG_SANDBOX_REPORT_DESCRIBE_H

#include "sandbox/report.h"
#include "sandbox/report/text.h"

// The call behind a record's number, as its arch has it.
struct box_call {
    enum brig_dsl_arch arch;
    enum brig_dsl_call call; // BRIG_SYS_NONE: no call has this number
    bool is_x32;
    int argument_count;
    int meaningful_count; // less where the kernel ignores the last ones: openat without O_CREAT has no mode
};

// What the policy said about it. `trap` is NULL where the record's id means nothing to the program.
struct box_decision {
    const struct brig_dsl_trap *trap;
    bool is_foreign;   // the trap came from another filter, stacked on ours
    bool is_confirmed; // the program, run here on the claimed number and arguments, gives the same trap
};

// `record` must have been checked. Context: any.
struct box_call box_call_of(const struct brig_trap_record *record);
struct box_decision box_decision_of(const struct brig_violation *violation);

// Adds "openat", "x32 write" or "syscall 1234". Context: any.
void box_describe_name(const struct brig_trap_record *record, struct box_text *text);

// Adds argument `index` (0 to box_call.argument_count - 1): numbers by their meaning, strings and known structs from what was read.
// Context: any.
void box_describe_argument(const struct brig_violation *violation, int index, struct box_text *text);

// Adds the whole call: openat(AT_FDCWD, "/etc/passwd", O_RDONLY, 0). Context: any.
void box_describe_call(const struct brig_violation *violation, struct box_text *text);

// Adds what became of the call: "killed", "answered EACCES". Context: any.
void box_describe_outcome(const struct brig_trap_record *record, struct box_text *text);

// Returns: "row", "fallback", "foreign arch", "x32 number", "another filter" or "unknown". Context: any.
const char *box_origin_name(const struct box_decision *decision);

// Returns: what argument `index` pointed to, or NULL if it was not read. Context: any.
const struct brig_pointee *box_pointee_of(const struct brig_violation *violation, int index);

// Returns: the index of the frame that made the call in the program's own words: the first one outside libc and the vdso, or 0.
// Context: any.
size_t box_interesting_frame(const struct brig_stack *stack);

// Returns: the part of a path behind the last slash. Context: any.
const char *box_base_name(const char *path);

#endif
