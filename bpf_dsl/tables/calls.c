// Calls: the accessors of the system call tables.
//
// Takes: ids, names and numbers from anybody, valid or not. Gives: rows of calls_data.c. An id, arch or index outside its range is
// "not found", never undefined. Guarantees: pure look-ups; safe in a signal handler.

#include <string.h>

#include "bpf_dsl/tables/data.h"

static bool is_call(enum brig_dsl_call call)
{
    return (unsigned int)call > BRIG_SYS_NONE && (unsigned int)call < BRIG_SYS_COUNT;
}

// Whether `call` exists on `arch`, both checked.
static bool has_call(enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    return is_call(call) && (unsigned int)arch < BRIG_DSL_ARCH_COUNT && dsl_calls[call].nrs[arch] >= 0;
}

static const struct dsl_shape *shape_of(enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    return has_call(call, arch) ? &dsl_shapes[dsl_calls[call].shapes[arch]] : NULL;
}

uint16_t brig_dsl_newest_kernel(void)
{
    return dsl_newest_kernel;
}

enum brig_dsl_call brig_dsl_call_by_name(const char *name, size_t name_bytes)
{
    size_t slot = dsl_name_hash(name, name_bytes) % DSL_CALL_SLOTS;
    while (dsl_call_slots[slot] != 0) {
        enum brig_dsl_call call = (enum brig_dsl_call)dsl_call_slots[slot];
        if (dsl_name_equals(dsl_call_names + dsl_calls[call].name, name, name_bytes)) {
            return call;
        }
        slot = (slot + 1) % DSL_CALL_SLOTS;
    }
    return BRIG_SYS_NONE;
}

const char *brig_dsl_call_name(enum brig_dsl_call call)
{
    return is_call(call) ? dsl_call_names + dsl_calls[call].name : NULL;
}

int32_t brig_dsl_call_nr(enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    return is_call(call) && (unsigned int)arch < BRIG_DSL_ARCH_COUNT ? dsl_calls[call].nrs[arch] : -1;
}

// Finds the call with the smallest number at or above `from` among those that are not in dsl_call_of_nr.
static enum brig_dsl_call next_far_call(enum brig_dsl_arch arch, uint32_t from, uint32_t *ret_nr)
{
    for (size_t i = 0; i < dsl_far_call_count; i++) {
        const struct dsl_far_call *far = &dsl_far_calls[i];
        uint32_t nr = (uint32_t)dsl_calls[far->call].nrs[arch];
        if (far->arch == (uint8_t)arch && nr >= from) {
            *ret_nr = nr;
            return (enum brig_dsl_call)far->call;
        }
    }
    return BRIG_SYS_NONE;
}

enum brig_dsl_call brig_dsl_call_by_nr(uint32_t nr, enum brig_dsl_arch arch)
{
    if ((unsigned int)arch >= BRIG_DSL_ARCH_COUNT || nr > INT32_MAX) {
        return BRIG_SYS_NONE;
    }
    if (nr < DSL_NR_COUNT) {
        return (enum brig_dsl_call)dsl_call_of_nr[arch][nr];
    }
    uint32_t found;
    enum brig_dsl_call call = next_far_call(arch, nr, &found);
    return call != BRIG_SYS_NONE && found == nr ? call : BRIG_SYS_NONE;
}

enum brig_dsl_call brig_dsl_next_call(enum brig_dsl_arch arch, uint32_t from, uint32_t *ret_nr)
{
    if ((unsigned int)arch >= BRIG_DSL_ARCH_COUNT) {
        return BRIG_SYS_NONE;
    }
    for (; from < DSL_NR_COUNT; from++) {
        if (dsl_call_of_nr[arch][from] != BRIG_SYS_NONE) {
            *ret_nr = from;
            return (enum brig_dsl_call)dsl_call_of_nr[arch][from];
        }
    }
    return next_far_call(arch, from, ret_nr);
}

uint16_t brig_dsl_call_since(enum brig_dsl_call call)
{
    return is_call(call) ? dsl_calls[call].since : 0;
}

int brig_dsl_call_argument_count(enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    const struct dsl_shape *shape = shape_of(call, arch);
    return shape != NULL ? shape->count : 0;
}

const struct brig_dsl_argument *brig_dsl_call_argument(enum brig_dsl_call call, enum brig_dsl_arch arch, int index)
{
    const struct dsl_shape *shape = shape_of(call, arch);
    if (shape == NULL || index < 0 || index >= shape->count) {
        return NULL;
    }
    return &dsl_arguments[shape->arguments[index]];
}

int brig_dsl_call_argument_index(enum brig_dsl_call call, enum brig_dsl_arch arch, const char *name, size_t name_bytes)
{
    const struct dsl_shape *shape = shape_of(call, arch);
    for (int i = 0; shape != NULL && i < shape->count; i++) {
        const char *known = dsl_arguments[shape->arguments[i]].name;
        if (strlen(known) == name_bytes && memcmp(known, name, name_bytes) == 0) {
            return i;
        }
    }
    return -1;
}

bool brig_dsl_call_has_memory_arguments(enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    const struct dsl_shape *shape = shape_of(call, arch);
    return shape != NULL && shape->in_memory;
}
