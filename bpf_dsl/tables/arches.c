// Arches: names and AUDIT_ARCH_* values of the targets.
//
// Guarantees: pure look-ups; safe in a signal handler.

#include <elf.h>
#include <linux/audit.h>
#include <string.h>

#include "bpf_dsl/tables/arch/native.h"
#include "bpf_dsl/tables/data.h"

struct arch {
    const char *name;
    const char *aliases[2];
    uint32_t audit;
    bool is_64bit;
};

#ifndef EM_RISCV
#define EM_RISCV 243
#endif
#ifndef AUDIT_ARCH_RISCV64
#define AUDIT_ARCH_RISCV64 (EM_RISCV | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)
#endif

static const struct arch arches[BRIG_DSL_ARCH_COUNT] = {
    [BRIG_DSL_X86_64] = {"x86_64", {"amd64", "x86-64"}, AUDIT_ARCH_X86_64, true},
    [BRIG_DSL_I386] = {"i386", {"x86", "i686"}, AUDIT_ARCH_I386, false},
    [BRIG_DSL_AARCH64] = {"aarch64", {"arm64", NULL}, AUDIT_ARCH_AARCH64, true},
    [BRIG_DSL_ARM] = {"arm", {NULL, NULL}, AUDIT_ARCH_ARM, false},
    [BRIG_DSL_RISCV64] = {"riscv64", {NULL, NULL}, AUDIT_ARCH_RISCV64, true},
};

static bool is_arch(enum brig_dsl_arch arch)
{
    return (unsigned int)arch < BRIG_DSL_ARCH_COUNT;
}

static bool is_named(const struct arch *arch, const char *name)
{
    if (strcmp(arch->name, name) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof arch->aliases / sizeof arch->aliases[0]; i++) {
        if (arch->aliases[i] != NULL && strcmp(arch->aliases[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const char *brig_dsl_arch_name(enum brig_dsl_arch arch)
{
    return is_arch(arch) ? arches[arch].name : NULL;
}

bool brig_dsl_arch_by_name(const char *name, enum brig_dsl_arch *ret_arch)
{
    for (size_t i = 0; i < BRIG_DSL_ARCH_COUNT; i++) {
        if (is_named(&arches[i], name)) {
            *ret_arch = (enum brig_dsl_arch)i;
            return true;
        }
    }
    return false;
}

uint32_t brig_dsl_arch_audit(enum brig_dsl_arch arch)
{
    return is_arch(arch) ? arches[arch].audit : 0;
}

bool brig_dsl_arch_by_audit(uint32_t audit_arch, enum brig_dsl_arch *ret_arch)
{
    for (size_t i = 0; i < BRIG_DSL_ARCH_COUNT; i++) {
        if (arches[i].audit == audit_arch) {
            *ret_arch = (enum brig_dsl_arch)i;
            return true;
        }
    }
    return false;
}

bool brig_dsl_arch_is_64bit(enum brig_dsl_arch arch)
{
    return is_arch(arch) && arches[arch].is_64bit;
}

enum brig_dsl_arch brig_dsl_arch_native(void)
{
    return DSL_NATIVE_ARCH;
}
