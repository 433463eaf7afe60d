// Data: the shape of the generated tables. Only the files beside this one include it.
//
// Nothing here holds a pointer that the loader would have to relocate, except names of arguments and groups: names of calls and
// constants are offsets into one block of characters, so the big tables stay shared, read-only pages.
#ifndef BRIG_BPF_DSL_TABLES_DATA_H
#define BRIG_BPF_DSL_TABLES_DATA_H

#include "bpf_dsl/tables.h"

#define DSL_NR_COUNT 1024   // numbers with constant-time look-up; arm's private calls are above, in a list
#define DSL_CALL_SLOTS 1024 // hash tables: powers of two, at most half full
#define DSL_CONSTANT_SLOTS 16384
#define DSL_NAME_ROOM 64 // no name is longer; the blocks of names end with as many zeros, so that comparing cannot overrun

// One list of arguments; many calls share one.
struct dsl_shape {
    bool in_memory;
    uint8_t count;
    uint16_t arguments[6]; // into dsl_arguments
};

struct dsl_call {
    uint16_t name; // into dsl_call_names
    uint16_t since;
    int32_t nrs[BRIG_DSL_ARCH_COUNT];     // -1: not on this arch
    uint16_t shapes[BRIG_DSL_ARCH_COUNT]; // into dsl_shapes
};

// A call whose number is not below DSL_NR_COUNT.
struct dsl_far_call {
    uint8_t arch;  // enum brig_dsl_arch
    uint16_t call; // enum brig_dsl_call
};

// How `value` of a constant is to be read: in the top byte of `name`.
#define DSL_FORM_MASK UINT32_C(0xff000000)
#define DSL_ZERO_EXTENDED UINT32_C(0x00000000)
#define DSL_SIGN_EXTENDED UINT32_C(0x01000000)
#define DSL_SPREAD UINT32_C(0x02000000) // an index into dsl_spreads
#define DSL_WIDE UINT32_C(0x03000000)   // an index into dsl_wides

struct dsl_constant {
    uint32_t name; // into dsl_constant_names, and the form
    uint32_t value;
};

struct dsl_spread {
    uint8_t present; // one bit per arch
    int64_t values[BRIG_DSL_ARCH_COUNT];
};

struct dsl_member {
    uint16_t constant; // into dsl_constants
    uint32_t mask;     // of the field that the constant is a value of; 0: all bits
};

struct dsl_group {
    const char *name;
    uint16_t first; // into dsl_members
    uint16_t count;
};

#pragma GCC visibility push(hidden)
extern const uint16_t dsl_newest_kernel;
extern const struct brig_dsl_argument dsl_arguments[];
extern const struct dsl_shape dsl_shapes[];
extern const char *const dsl_call_names;
extern const struct dsl_call dsl_calls[BRIG_SYS_COUNT];
extern const uint16_t dsl_call_of_nr[BRIG_DSL_ARCH_COUNT][DSL_NR_COUNT];
extern const struct dsl_far_call dsl_far_calls[];
extern const size_t dsl_far_call_count;
extern const uint16_t dsl_call_slots[DSL_CALL_SLOTS]; // 0: free, else enum brig_dsl_call

extern const char *const dsl_constant_names;
extern const struct dsl_constant dsl_constants[];
extern const size_t dsl_constant_count;
extern const struct dsl_spread dsl_spreads[];
extern const int64_t dsl_wides[];
extern const uint16_t dsl_constant_slots[DSL_CONSTANT_SLOTS]; // 0: free, else an index into dsl_constants plus one
extern const struct dsl_member dsl_members[];
extern const struct dsl_group dsl_groups[];
extern const size_t dsl_group_count;

// names.c
uint32_t dsl_name_hash(const char *name, size_t name_bytes);
bool dsl_name_equals(const char *known, const char *name, size_t name_bytes);
const struct dsl_group *dsl_find_group(const char *name);

// constants.c
bool dsl_constant_read(size_t index, enum brig_dsl_arch arch, int64_t *ret_value);
const char *dsl_constant_name_at(size_t index);
#pragma GCC visibility pop

#endif
