// snapshot: the state of one walk up a copied stack. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_SNAPSHOT_H
#define BRIG_SANDBOX_REPORT_SNAPSHOT_H

#include "sandbox/report/modules.h"
#include "sandbox/report/registers.h"
#include "trap/record.h"

struct box_snapshot {
    const struct brig_trap_record *record;
    const struct box_registers *layout;
    uint64_t registers[BRIG_TRAP_REGISTERS]; // of the frame reached so far; only ip, sp and fp are kept up to date
    struct box_maps maps;
    struct box_modules modules;
    struct box_budget budget;
    bool needs_beyond; // something above the copied bytes was wanted
};

// Reads a word of the copied stack. An address above the copy is remembered as the reason. Returns: false if the word was not
// copied. Context: normal.
bool box_snapshot_word(struct box_snapshot *snapshot, uint64_t address, uint64_t *ret_word);

// --- by call frame information (cfi.c, libunwind) ---------------------------------------------------------------------

enum box_step {
    BOX_STEP_OK,      // registers are those of the caller
    BOX_STEP_END,     // the outermost frame
    BOX_STEP_NO_INFO, // nothing describes this function
    BOX_STEP_FAILED,  // it is described, but the walk cannot go on
};

struct box_cfi;

// Starts a walk at snapshot->registers, whose ip is the address after a call. Returns: NULL if this libunwind cannot do it, or out
// of memory. Owns: end it by box_cfi_free; `snapshot` must live as long. Context: normal.
struct box_cfi *box_cfi_new(struct box_snapshot *snapshot);
void box_cfi_free(struct box_cfi *cfi);

// Goes to the caller. On BOX_STEP_OK ip, sp and fp in snapshot->registers are the caller's. Context: normal.
enum box_step box_cfi_step(struct box_cfi *cfi);

// Tells the walk that snapshot->registers were changed from outside. Context: normal.
void box_cfi_restart(struct box_cfi *cfi);

// Returns: whether libunwind exports the search function that this needs. A test demands it. Context: any.
bool box_cfi_is_available(void);

#endif
