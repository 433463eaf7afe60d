// registry: the tables that the handler reads, made from a program and sealed. Internal to trap/.
#ifndef BRIG_TRAP_REGISTRY_H
#define BRIG_TRAP_REGISTRY_H

#include "trap/handler/handler.h"

// Makes the tables of `program` on pages of their own, still writable, with nothing armed by them yet.
//
// Returns: OK; BAD_ARGUMENT (subject "handler", detail: the trap id); OUT_OF_MEMORY.
// Owns: the pages; trap_registry_drop unmaps them, trap_registry_seal makes that impossible.
// Context: single-threaded setup, after fork.
BRIG_MUST_CHECK enum brig_code trap_registry_make(const struct brig_dsl_program *program, const struct brig_trap_setup *setup,
                                                  struct trap_root *ret_root, struct brig_error *reterr);

void trap_registry_drop(const struct trap_root *root);

// Asks the kernel for what emulations answer from. Context: single-threaded setup, after fork.
void trap_facts_take(struct trap_facts *ret_facts);

// Puts `root` where the handler looks, and takes write access from it and its tables; where the kernel can, for ever.
//
// Returns: OK; KERNEL_REFUSED: the tables are as before and the handler's root is empty.
// Context: single-threaded setup, after fork. Source: mprotect(2), mseal(2) (6.10).
BRIG_MUST_CHECK enum brig_code trap_registry_seal(const struct trap_root *root, struct brig_error *reterr);

#endif
