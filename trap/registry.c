// registry: from a program's traps to tables that only the handler needs and nobody can change.
//
// Takes struct brig_dsl_program, which points into an arena and a policy; gives one mapping with all entries and the numbers of
// calls, and the root in the handler's own page. Both are read-only afterwards, so that a stray write of the program ends in a
// fault instead of another policy. Weakness: code that runs in the worker can still map other pages over them on kernels without
// mseal.

#include "trap/registry.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(BRIG_SYS_COUNT <= UINT16_MAX, "a call fits the table of calls");
_Static_assert(BRIG_DSL_VERB_COUNT <= UINT8_MAX, "a verb fits an entry");

// The mapping: entries first, the calls by number behind them.
static size_t table_bytes(uint32_t entry_count)
{
    const size_t bytes = entry_count * sizeof(struct trap_entry) + BRIG_DSL_TRAP_NRS * sizeof(uint16_t);
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

static bool fill_entry(struct trap_entry *entry, const struct brig_dsl_trap *trap)
{
    entry->origin = (uint8_t)trap->origin;
    entry->verb = (uint8_t)trap->action.verb;
    entry->data = trap->action.data;
    entry->other_nrs = trap->other_nrs;
    memcpy(entry->nr_set, trap->nr_set, sizeof entry->nr_set);
    if (trap->action.verb == BRIG_DSL_BROKER) {
        entry->emulate = trap_ask_broker;
        return true;
    }
    if (trap->action.verb != BRIG_DSL_EMULATE) {
        return true;
    }
    const struct brig_trap_emulation *emulation = (const struct brig_trap_emulation *)(const void *)trap->action.handler;
    entry->emulate = emulation ? emulation->emulate : NULL;
    return entry->emulate != NULL;
}

// What libbrig-wrap need not trap for.
static void fill_brokered(uint64_t brokered[BRIG_DSL_TRAP_NRS / 64], const struct brig_dsl_program *program)
{
    for (uint32_t id = 1; id < program->trap_count; id++) {
        for (size_t i = 0; i < BRIG_DSL_TRAP_NRS / 64 && program->traps[id].action.verb == BRIG_DSL_BROKER; i++) {
            brokered[i] |= program->traps[id].all_set[i];
        }
    }
}

static void fill_calls(uint16_t call_of_nr[BRIG_DSL_TRAP_NRS], enum brig_dsl_arch arch)
{
    for (uint32_t nr = 0; nr < BRIG_DSL_TRAP_NRS; nr++) {
        call_of_nr[nr] = (uint16_t)brig_dsl_call_by_nr(nr, arch);
    }
}

enum brig_code trap_registry_make(const struct brig_dsl_program *program, const struct brig_trap_setup *setup,
                                  struct trap_root *ret_root, struct brig_error *reterr)
{
    const size_t bytes = table_bytes(program->trap_count);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return brig_error_set(reterr,
                              (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = "map trap tables", .sys_errno = errno});
    }
    struct trap_entry *entries = memory;
    uint16_t *call_of_nr = (uint16_t *)(void *)(entries + program->trap_count);
    struct trap_root root = {
        .entries = entries,
        .call_of_nr = call_of_nr,
        .entry_count = program->trap_count,
        .audit_arch = brig_dsl_arch_audit(program->arch),
        .arch = program->arch,
        .slots = setup->slots,
        .notify_fd = setup->notify_fd,
        .verdict_wait_ms = setup->verdict_wait_ms,
        .broker_slots = setup->broker_slots,
        .broker_fd = setup->broker_fd,
        .pid = (uint32_t)getpid(),
        .hash = program->hash,
    };
    for (uint32_t id = 1; id < program->trap_count; id++) {
        if (!fill_entry(&entries[id], &program->traps[id])) {
            trap_registry_drop(&root);
            return brig_error_set(
                reterr,
                (struct brig_error){.code = BRIG_BAD_ARGUMENT, .step = "fill trap tables", .subject = "handler", .detail = id});
        }
    }
    fill_calls(call_of_nr, program->arch);
    fill_brokered(root.brokered, program);
    trap_facts_take(&root.facts);
    *ret_root = root;
    return BRIG_OK;
}

void trap_registry_drop(const struct trap_root *root)
{
    munmap((void *)(uintptr_t)root->entries, table_bytes(root->entry_count));
}

static bool protect(const void *memory, size_t bytes, int protection)
{
    return mprotect((void *)(uintptr_t)memory, bytes, protection) == 0;
}

// Older kernels, and filters that were here before us, answer ENOSYS or EPERM: then read-only has to do.
static void seal_mapping(const void *memory, size_t bytes)
{
    syscall(brig_dsl_call_nr(BRIG_SYS_mseal, brig_dsl_arch_native()), memory, bytes, 0ul);
}

enum brig_code trap_registry_seal(const struct trap_root *root, struct brig_error *reterr)
{
    const size_t bytes = table_bytes(root->entry_count);
    trap_root_page.root = *root;
    if (!protect(root->entries, bytes, PROT_READ) || !protect(&trap_root_page, sizeof trap_root_page, PROT_READ)) {
        const int error = errno;
        memset(&trap_root_page, 0, sizeof trap_root_page);
        return brig_error_set(
            reterr, (struct brig_error){
                        .code = BRIG_KERNEL_REFUSED, .step = "seal trap tables", .subject = "mprotect", .sys_errno = error});
    }
    seal_mapping(root->entries, bytes);
    seal_mapping(&trap_root_page, sizeof trap_root_page);
    return BRIG_OK;
}
