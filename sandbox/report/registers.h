// registers: where a record's registers are, per arch. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_REGISTERS_H
#define BRIG_SANDBOX_REPORT_REGISTERS_H

#include "bpf_dsl/tables.h"

// Indices into brig_trap_record.registers, which has DWARF order. `count` 0: records of this arch cannot be unwound.
struct box_registers {
    uint8_t count;
    uint8_t ip;
    uint8_t sp;
    uint8_t fp;
};

// Returns: the layout for `arch`; never NULL. Context: any.
const struct box_registers *box_registers_of(enum brig_dsl_arch arch);

#endif
