// Constants: the accessors of the constant tables.
//
// Takes: names, groups and values from anybody. Gives: values as the target arch has them; the build host's headers have no say.
// Guarantees: pure look-ups; safe in a signal handler. A name is found in one hash and one comparison as a rule.

#include "bpf_dsl/tables/data.h"

const char *dsl_constant_name_at(size_t index)
{
    return dsl_constant_names + (dsl_constants[index].name & ~DSL_FORM_MASK);
}

static bool read_spread(const struct dsl_spread *spread, enum brig_dsl_arch arch, int64_t *ret_value)
{
    if ((spread->present >> arch & 1) == 0) {
        return false;
    }
    *ret_value = spread->values[arch];
    return true;
}

// Reads constant `index`. Returns: false if `arch` (which must be valid) does not have it.
bool dsl_constant_read(size_t index, enum brig_dsl_arch arch, int64_t *ret_value)
{
    const struct dsl_constant *constant = &dsl_constants[index];
    switch (constant->name & DSL_FORM_MASK) {
    case DSL_SPREAD:
        return read_spread(&dsl_spreads[constant->value], arch, ret_value);
    case DSL_WIDE:
        *ret_value = dsl_wides[constant->value];
        return true;
    case DSL_SIGN_EXTENDED:
        *ret_value = (int32_t)constant->value;
        return true;
    default:
        *ret_value = constant->value;
        return true;
    }
}

int brig_dsl_constant_value(const char *name, size_t name_bytes, enum brig_dsl_arch arch, int64_t *ret_value)
{
    size_t slot = dsl_name_hash(name, name_bytes) % DSL_CONSTANT_SLOTS;
    for (; dsl_constant_slots[slot] != 0; slot = (slot + 1) % DSL_CONSTANT_SLOTS) {
        size_t index = dsl_constant_slots[slot] - 1U;
        if (!dsl_name_equals(dsl_constant_name_at(index), name, name_bytes)) {
            continue;
        }
        bool is_there = (unsigned int)arch < BRIG_DSL_ARCH_COUNT && dsl_constant_read(index, arch, ret_value);
        return is_there ? 0 : 2;
    }
    return 1;
}

const char *brig_dsl_constant_name(const char *group, int64_t value, enum brig_dsl_arch arch)
{
    const struct dsl_group *found = dsl_find_group(group);
    if (found == NULL || (unsigned int)arch >= BRIG_DSL_ARCH_COUNT) {
        return NULL;
    }
    for (size_t i = 0; i < found->count; i++) {
        size_t constant = dsl_members[found->first + i].constant;
        int64_t member_value;
        if (dsl_constant_read(constant, arch, &member_value) && member_value == value) {
            return dsl_constant_name_at(constant);
        }
    }
    return NULL;
}

const char *brig_dsl_group_member(const char *group, size_t index, enum brig_dsl_arch arch, int64_t *ret_value)
{
    const struct dsl_group *found = dsl_find_group(group);
    if (found == NULL || (unsigned int)arch >= BRIG_DSL_ARCH_COUNT) {
        return NULL;
    }
    for (size_t i = 0; i < found->count; i++) {
        size_t constant = dsl_members[found->first + i].constant;
        int64_t value;
        if (dsl_constant_read(constant, arch, &value) && index-- == 0) {
            *ret_value = value;
            return dsl_constant_name_at(constant);
        }
    }
    return NULL;
}
