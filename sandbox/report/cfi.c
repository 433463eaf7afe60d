// cfi: one step up a copied stack by call frame information, done by libunwind over accessors of our own.
//
// Takes: a snapshot (registers, stack bytes, files). Gives: the caller's registers. Guarantees: libunwind sees the worker's stack
// bytes and read-only parts of files, nothing else; each access is counted against the time limit, so that an endless expression in
// hostile call frame information ends. This is the only file that knows libunwind. Weaknesses: _U*_dwarf_search_unwind_table is
// exported by libunwind 1.x but in no header; it is declared here and is weak, so that a libunwind without it costs frames (the
// walk goes by frame pointers), not the build. On its first use libunwind opens a pipe (close-on-exec, to probe addresses with,
// which we never ask for) and keeps it.
#include <stdlib.h>

#include <libunwind.h>

#include "sandbox/report/snapshot.h"

enum { ACCESSES_PER_STEP = 1 << 16, TABLE_ENTRY_BYTES = 8 };

// Where a search table that we made up appears to libunwind: an address that no process has. One entry: start of function, frame
// description.
#define MADE_UP_TABLE UINT64_C(0xffffe00000000000)

#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)
__attribute__((weak)) int search_unwind_table(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t *info,
                                              unw_proc_info_t *ret_info, int need_unwind_info, void *context);

struct box_cfi {
    struct box_snapshot *snapshot;
    unw_addr_space_t space;
    unw_cursor_t cursor;
    bool is_started;
    bool has_info;
    unsigned accesses;
    int32_t made_up[2]; // the entry behind MADE_UP_TABLE
};

bool box_cfi_is_available(void)
{
    return search_unwind_table != NULL;
}

// --- what libunwind asks us -------------------------------------------------------------------------------------------

static int access_mem(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int is_write, void *context)
{
    struct box_cfi *cfi = context;
    (void)space;
    if (is_write || cfi->accesses++ > ACCESSES_PER_STEP || box_budget_is_over(&cfi->snapshot->budget)) {
        return -UNW_EINVAL;
    }
    if (address == MADE_UP_TABLE) {
        *value = (uint64_t)(uint32_t)cfi->made_up[1] << 32 | (uint32_t)cfi->made_up[0];
        return 0;
    }
    uint64_t word = 0;
    if (!box_modules_read(&cfi->snapshot->modules, address, &word, sizeof word) &&
        !box_snapshot_word(cfi->snapshot, address, &word)) {
        return -UNW_EINVAL;
    }
    *value = word;
    return 0;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int is_write, void *context)
{
    const struct box_snapshot *snapshot = ((struct box_cfi *)context)->snapshot;
    (void)space;
    if (is_write || number < 0 || number >= snapshot->layout->count) {
        return -UNW_EBADREG;
    }
    // Both the address after `syscall` and a return address may belong to the next function already: look up the byte before.
    *value = snapshot->registers[number] - (number == snapshot->layout->ip);
    return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int is_write, void *context)
{
    (void)space, (void)number, (void)value, (void)is_write, (void)context;
    return -UNW_EBADREG;
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *ret_address, void *context)
{
    (void)space, (void)ret_address, (void)context;
    return -UNW_ENOINFO;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *context)
{
    (void)space, (void)cursor, (void)context;
    return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t ip, char *buffer, size_t buffer_bytes, unw_word_t *ret_offset,
                         void *context)
{
    (void)space, (void)ip, (void)buffer, (void)buffer_bytes, (void)ret_offset, (void)context;
    return -UNW_ENOINFO;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *context)
{
    (void)space, (void)info, (void)context;
}

// The table of .eh_frame_hdr as it lies in memory.
static bool use_table(struct box_module *module, unw_dyn_info_t *info)
{
    struct box_elf_table table;
    if (!box_elf_search_table(&module->file, &module->elf, &table)) {
        return false;
    }
    info->u.rti.segbase = module->bias + module->elf.eh_frame_hdr.vaddr;
    info->u.rti.table_data = module->bias + table.vaddr;
    info->u.rti.table_len = table.entry_count * TABLE_ENTRY_BYTES / sizeof(unw_word_t);
    return true;
}

// A table with the one entry that matters, for files that have none.
static bool make_up_table(struct box_cfi *cfi, struct box_module *module, unw_word_t ip, unw_dyn_info_t *info)
{
    struct box_elf_entry entry;
    if (!box_elf_scan_frames(&module->file, &module->elf, ip - module->bias, &cfi->snapshot->budget, &entry)) {
        return false;
    }
    uint64_t base = module->elf.eh_frame.vaddr;
    int64_t start = (int64_t)(entry.start_vaddr - base);
    if (start < INT32_MIN || start > INT32_MAX || entry.vaddr - base > INT32_MAX) {
        return false;
    }
    cfi->made_up[0] = (int32_t)start;
    cfi->made_up[1] = (int32_t)(entry.vaddr - base);
    info->u.rti.segbase = module->bias + base;
    info->u.rti.table_data = MADE_UP_TABLE;
    info->u.rti.table_len = TABLE_ENTRY_BYTES / sizeof(unw_word_t);
    return true;
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *ret_info, int need_unwind_info, void *context)
{
    struct box_cfi *cfi = context;
    const struct box_mapping *mapping = box_maps_find(&cfi->snapshot->maps, ip);
    struct box_module *module = mapping == NULL ? NULL : box_modules_get(&cfi->snapshot->modules, mapping);
    unw_dyn_info_t info = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
    if (module == NULL || (!use_table(module, &info) && !make_up_table(cfi, module, ip, &info))) {
        return -UNW_ENOINFO;
    }
    info.start_ip = mapping->start;
    info.end_ip = mapping->end;
    int status = search_unwind_table(space, ip, &info, ret_info, need_unwind_info, cfi);
    cfi->has_info = status == 0;
    return status;
}

static unw_accessors_t accessors = {.find_proc_info = find_proc_info,
                                    .put_unwind_info = put_unwind_info,
                                    .get_dyn_info_list_addr = get_dyn_info_list_addr,
                                    .access_mem = access_mem,
                                    .access_reg = access_reg,
                                    .access_fpreg = access_fpreg,
                                    .resume = resume,
                                    .get_proc_name = get_proc_name};

// --- the walk ---------------------------------------------------------------------------------------------------------

struct box_cfi *box_cfi_new(struct box_snapshot *snapshot)
{
    struct box_cfi *cfi = NULL;
    // Records have DWARF order; where libunwind's differs, this arch has not been looked at.
    if (!box_cfi_is_available() || snapshot->layout->ip != UNW_TDEP_IP || snapshot->layout->sp != UNW_TDEP_SP ||
        (cfi = calloc(1, sizeof *cfi)) == NULL) {
        return NULL;
    }
    cfi->snapshot = snapshot;
    cfi->space = unw_create_addr_space(&accessors, 0);
    if (cfi->space == NULL) {
        free(cfi);
        return NULL;
    }
    unw_set_caching_policy(cfi->space, UNW_CACHE_NONE);
    return cfi;
}

void box_cfi_free(struct box_cfi *cfi)
{
    if (cfi != NULL) {
        unw_destroy_addr_space(cfi->space);
        free(cfi);
    }
}

void box_cfi_restart(struct box_cfi *cfi)
{
    cfi->is_started = false;
}

static bool read_registers(struct box_cfi *cfi)
{
    const struct box_registers *layout = cfi->snapshot->layout;
    uint64_t *registers = cfi->snapshot->registers;
    unw_word_t ip = 0;
    unw_word_t sp = 0;
    unw_word_t fp = 0;
    if (unw_get_reg(&cfi->cursor, UNW_REG_IP, &ip) != 0 || unw_get_reg(&cfi->cursor, UNW_REG_SP, &sp) != 0) {
        return false;
    }
    if (unw_get_reg(&cfi->cursor, layout->fp, &fp) != 0) {
        fp = 0; // not known in this frame: no fallback from here
    }
    registers[layout->ip] = ip;
    registers[layout->sp] = sp;
    registers[layout->fp] = fp;
    return true;
}

enum box_step box_cfi_step(struct box_cfi *cfi)
{
    cfi->accesses = 0;
    cfi->has_info = false;
    cfi->snapshot->needs_beyond = false;
    if (!cfi->is_started && unw_init_remote(&cfi->cursor, cfi->space, cfi) != 0) {
        return BOX_STEP_FAILED;
    }
    cfi->is_started = true;
    int status = unw_step(&cfi->cursor);
    if (!cfi->has_info) {
        return BOX_STEP_NO_INFO; // whatever libunwind guessed without
    }
    if (status < 0) {
        return BOX_STEP_FAILED;
    }
    return status == 0 ? BOX_STEP_END : read_registers(cfi) ? BOX_STEP_OK : BOX_STEP_FAILED;
}
