// unwind: from a record's registers and stack bytes to frames with modules and function names.
//
// Takes: a checked record and the text of /proc/PID/maps. Gives: frames, and why the walk ended. Guarantees: it starts at the
// registers that the trap interrupted, so that signal frames and alternate stacks never matter; a frame is taken only if its ip
// lies in an executable file mapping and its sp grew; an address above the copied bytes ends the walk as TRUNCATED, never as the
// end; at most BRIG_FRAMES_MAX frames and LIMIT_MS, names included. Each frame says how it was found: call frame information first,
// the frame-pointer chain where a function has none. Weaknesses: everything is the worker's claim, and a frame that was found by
// the chain may skip its caller.
#include <stdlib.h>
#include <string.h>

#include "sandbox/report.h"
#include "sandbox/report/snapshot.h"
#include "sandbox/report/text.h"

enum { LIMIT_MS = 50 };

bool box_snapshot_word(struct box_snapshot *snapshot, uint64_t address, uint64_t *ret_word)
{
    const struct brig_trap_record *record = snapshot->record;
    uint64_t end = record->stack_address + record->stack_bytes;
    if (address >= record->stack_address && end >= sizeof *ret_word && address <= end - sizeof *ret_word) {
        memcpy(ret_word, record->stack + (address - record->stack_address), sizeof *ret_word);
        return true;
    }
    snapshot->needs_beyond = snapshot->needs_beyond || address >= record->stack_address;
    return false;
}

// --- the walk ---------------------------------------------------------------------------------------------------------

// Code that came from a file, or the kernel's vdso. Anonymous executable memory is nobody's.
static bool is_code(const struct box_snapshot *snapshot, uint64_t ip)
{
    const struct box_mapping *mapping = box_maps_find(&snapshot->maps, ip - 1);
    return mapping != NULL && ((mapping->inode != 0 && mapping->path_bytes > 0) || box_mapping_is_vdso(mapping));
}

// Saved frame pointer and return address stand side by side at the frame pointer (System V ABI, AAPCS64).
static enum box_step step_by_pointer(struct box_snapshot *snapshot)
{
    uint64_t *fp = &snapshot->registers[snapshot->layout->fp];
    uint64_t *sp = &snapshot->registers[snapshot->layout->sp];
    uint64_t saved_fp = 0;
    uint64_t saved_ip = 0;
    snapshot->needs_beyond = false;
    if (*fp % sizeof *fp != 0 || *fp < *sp || *fp > UINT64_MAX - 2 * sizeof *fp) {
        return BOX_STEP_NO_INFO;
    }
    if (!box_snapshot_word(snapshot, *fp, &saved_fp) || !box_snapshot_word(snapshot, *fp + sizeof *fp, &saved_ip)) {
        return BOX_STEP_FAILED;
    }
    if (saved_ip == 0 && saved_fp == 0) {
        return BOX_STEP_END;
    }
    if (!is_code(snapshot, saved_ip)) {
        return BOX_STEP_NO_INFO;
    }
    *sp = *fp + 2 * sizeof *fp;
    *fp = saved_fp;
    snapshot->registers[snapshot->layout->ip] = saved_ip;
    return BOX_STEP_OK;
}

static void add_frame(const struct box_snapshot *snapshot, enum brig_frame_how how, struct brig_stack *stack)
{
    stack->frames[stack->frame_count++] = (struct brig_frame){.ip = snapshot->registers[snapshot->layout->ip], .how = how};
}

static enum brig_unwind_stop stop_after(const struct box_snapshot *snapshot, enum box_step step)
{
    if (snapshot->budget.is_over) {
        return BRIG_UNWIND_LIMIT;
    }
    if (step == BOX_STEP_END) {
        return BRIG_UNWIND_END;
    }
    return step == BOX_STEP_FAILED && snapshot->needs_beyond ? BRIG_UNWIND_TRUNCATED : BRIG_UNWIND_NO_INFO;
}

// Goes to the caller by the best means there is.
static enum box_step step(struct box_snapshot *snapshot, struct box_cfi *cfi, enum brig_frame_how *ret_how)
{
    enum box_step result = cfi == NULL ? BOX_STEP_NO_INFO : box_cfi_step(cfi);
    *ret_how = BRIG_FRAME_CFI;
    if (result != BOX_STEP_NO_INFO) {
        return result;
    }
    *ret_how = BRIG_FRAME_POINTER;
    if (cfi != NULL) {
        box_cfi_restart(cfi);
    }
    return step_by_pointer(snapshot);
}

static enum brig_unwind_stop walk(struct box_snapshot *snapshot, struct box_cfi *cfi, struct brig_stack *stack)
{
    const uint64_t *ip = &snapshot->registers[snapshot->layout->ip];
    const uint64_t *sp = &snapshot->registers[snapshot->layout->sp];
    add_frame(snapshot, BRIG_FRAME_REGISTERS, stack);
    if (snapshot->record->stack_bytes == 0) {
        return BRIG_UNWIND_NO_STACK;
    }
    while (is_code(snapshot, *ip)) {
        enum brig_frame_how how = BRIG_FRAME_CFI;
        uint64_t last_sp = *sp;
        if (stack->frame_count == BRIG_FRAMES_MAX) {
            return BRIG_UNWIND_LIMIT;
        }
        enum box_step result = step(snapshot, cfi, &how);
        if (result != BOX_STEP_OK) {
            return stop_after(snapshot, result);
        }
        if (*ip == 0) {
            return BRIG_UNWIND_END;
        }
        if (*sp <= last_sp) {
            return BRIG_UNWIND_NOT_GROWING;
        }
        if (is_code(snapshot, *ip)) {
            add_frame(snapshot, how, stack);
        }
    }
    return BRIG_UNWIND_NO_MODULE;
}

// --- names ------------------------------------------------------------------------------------------------------------

static void name_module(struct box_snapshot *snapshot, struct brig_frame *frame)
{
    char path[BOX_PATH_BYTES];
    const struct box_mapping *mapping = box_maps_find(&snapshot->maps, frame->ip - 1);
    if (mapping == NULL || mapping->path_bytes == 0) {
        return;
    }
    struct box_text text;
    box_text_init(&text, frame->module, sizeof frame->module);
    box_text_add_path(&text, box_mapping_path(mapping, path) ? path : "");
    struct box_module *module = box_modules_get(&snapshot->modules, mapping);
    frame->module_offset = module == NULL ? frame->ip - mapping->start + mapping->offset : frame->ip - module->bias;
    if (module != NULL) {
        memcpy(frame->build_id, module->elf.build_id, sizeof frame->build_id);
    }
}

static int compare_queries(const void *left, const void *right)
{
    uint64_t a = ((const struct box_elf_query *)left)->vaddr;
    uint64_t b = ((const struct box_elf_query *)right)->vaddr;
    return (a > b) - (a < b);
}

static struct box_module *module_of(struct box_snapshot *snapshot, const struct brig_frame *frame)
{
    const struct box_mapping *mapping = box_maps_find(&snapshot->maps, frame->ip - 1);
    return mapping == NULL ? NULL : box_modules_get(&snapshot->modules, mapping);
}

static void take_name(struct brig_frame *frame, const struct box_elf_query *query)
{
    struct box_text text;
    if (query == NULL || query->name[0] == '\0') {
        return;
    }
    box_text_init(&text, frame->symbol, sizeof frame->symbol);
    box_text_add_escaped(&text, query->name, strlen(query->name));
    frame->symbol_offset = frame->module_offset - query->symbol_vaddr;
}

// Names all frames of one module in one pass over its symbols.
static void name_functions(struct box_snapshot *snapshot, struct box_module *module, struct brig_stack *stack,
                           struct box_elf_query queries[BRIG_FRAMES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (module_of(snapshot, &stack->frames[i]) == module) {
            queries[count++] = (struct box_elf_query){.vaddr = stack->frames[i].ip - 1 - module->bias};
        }
    }
    if (count == 0) {
        return;
    }
    qsort(queries, count, sizeof *queries, compare_queries);
    box_elf_name(&module->file, &module->elf, queries, count, &snapshot->budget);
    for (size_t i = 0; i < stack->frame_count; i++) {
        struct brig_frame *frame = &stack->frames[i];
        if (module_of(snapshot, frame) == module) {
            struct box_elf_query key = {.vaddr = frame->ip - 1 - module->bias};
            take_name(frame, bsearch(&key, queries, count, sizeof *queries, compare_queries));
        }
    }
}

static void name_frames(struct box_snapshot *snapshot, struct brig_stack *stack)
{
    static const size_t query_bytes = sizeof(struct box_elf_query) * BRIG_FRAMES_MAX;
    for (size_t i = 0; i < stack->frame_count; i++) {
        name_module(snapshot, &stack->frames[i]);
    }
    struct box_elf_query *queries = malloc(query_bytes);
    for (size_t i = 0; queries != NULL && i < snapshot->modules.count; i++) {
        if (snapshot->modules.list[i].is_usable) {
            name_functions(snapshot, &snapshot->modules.list[i], stack, queries);
        }
    }
    free(queries);
}

enum brig_code brig_unwind(const struct brig_trap_record *record, const char *maps, size_t maps_bytes, struct brig_stack *ret_stack,
                           struct brig_error *reterr)
{
    enum brig_code code = brig_record_check(record, reterr);
    if (code != BRIG_OK) {
        return code;
    }
    struct box_snapshot *snapshot = malloc(sizeof *snapshot);
    if (snapshot == NULL) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = "unwind"});
    }
    snapshot->record = record;
    snapshot->layout = box_registers_of(brig_dsl_arch_native());
    snapshot->needs_beyond = false;
    memcpy(snapshot->registers, record->registers, sizeof snapshot->registers);
    box_budget_start(&snapshot->budget, LIMIT_MS);
    box_maps_read(maps, maps_bytes, &snapshot->maps);
    box_modules_init(&snapshot->modules);
    ret_stack->frame_count = 0;
    struct box_cfi *cfi = box_cfi_new(snapshot);
    ret_stack->stop = snapshot->layout->count == 0 ? BRIG_UNWIND_NO_STACK : walk(snapshot, cfi, ret_stack);
    box_cfi_free(cfi);
    name_frames(snapshot, ret_stack);
    box_modules_close(&snapshot->modules);
    free(snapshot);
    return BRIG_OK;
}
