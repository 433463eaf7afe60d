// oci: an OCI profile as it is read, before it becomes rows; and the parts of the importer. See oci.c.
#ifndef BRIG_TOOLS_IMPORT_OCI_H
#define BRIG_TOOLS_IMPORT_OCI_H

#include "tools/import/json.h"

enum oci_operator { OCI_NE, OCI_LT, OCI_LE, OCI_EQ, OCI_GE, OCI_GT, OCI_MASKED_EQ, OCI_OPERATOR_COUNT };

struct oci_argument {
    unsigned index; // 0 to 5
    enum oci_operator op;
    uint64_t value;     // MASKED_EQ: the mask
    uint64_t value_two; // MASKED_EQ: what the masked argument is compared with
};

// One element of syscalls[].
struct oci_entry {
    const struct import_json *names; // the first one; a list of strings
    struct brig_dsl_action action;
    const struct oci_argument *arguments;
    size_t argument_count;
    bool is_any; // an index stands twice: each argument is a rule of its own
    const struct import_json *includes;
    const struct import_json *excludes;
    const char *comment; // or NULL
    int line;
};

struct oci_profile {
    const struct import_json_reader *reader;
    const struct import_options *options;
    struct brig_dsl_action fallback;
    const struct import_json *architectures; // or NULL
    const struct import_json *arch_map;      // or NULL
    struct oci_entry *entries;
    size_t entry_count;
};

// Reads all of a profile but its arches and filters. Every syntax error is found here, in entries that will not apply too.
bool oci_read_profile(const struct import_json_reader *reader, const struct import_json *object, struct oci_profile *ret_profile);

// The arches that a program for this profile serves, in order, with the arch of the machine that each is on: a kernel for x86_64
// runs programs for i386 too.
struct oci_targets {
    enum brig_dsl_arch arches[BRIG_DSL_ARCH_COUNT];
    enum brig_dsl_arch machines[BRIG_DSL_ARCH_COUNT];
    size_t count;
};
bool oci_find_targets(const struct oci_profile *profile, struct oci_targets *ret_targets);

// Checks what stands in an entry's includes and excludes.
bool oci_check_filters(const struct import_json_reader *reader, const struct oci_entry *entry);
// Checks the names of the capabilities that are given.
bool oci_check_capabilities(const struct import_options *options, struct import_error *reterr);
// Returns: whether an entry's includes and excludes let it apply on a machine.
bool oci_applies(const struct oci_profile *profile, const struct oci_entry *entry, enum brig_dsl_arch machine);

// What libseccomp calls a rule: all of its comparisons have to hold. An entry is one, or one for each argument.
struct oci_rule {
    const struct oci_entry *entry;
    const struct oci_argument *arguments; // by index
    size_t argument_count;
};
struct oci_rules {
    struct oci_rule *rules;
    size_t count;
};

// Lists the rules of all entries that apply on a machine, in the order of the profile; an entry whose action is the default is
// none.
struct oci_rules oci_list_rules(const struct oci_profile *profile, enum brig_dsl_arch machine);
// Sorts them into the order in which libseccomp looks at those of a call. `width` is all ones, of as many bits as arguments have;
// arguments before `first_index` are not looked at.
void oci_order_rules(struct import_memory *memory, uint64_t width, unsigned first_index, struct oci_rules *rules);

// Adds the rows of one arch.
void oci_add_rows(const struct oci_profile *profile, enum brig_dsl_arch arch, enum brig_dsl_arch machine, struct import_rows *rows);

// Warns of rules of one call whose actions differ, and which may hold for the same arguments on this machine.
void oci_warn_overlaps(const struct oci_profile *profile, enum brig_dsl_arch machine);

// Finds a call by its name in a profile. Returns: BRIG_SYS_NONE if it is none of ours.
enum brig_dsl_call oci_find_call(const char *name);

#endif
