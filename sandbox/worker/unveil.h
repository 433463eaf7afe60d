// unveil: what both meanings of an entry share. Internal.
#ifndef BRIG_SANDBOX_WORKER_UNVEIL_H
#define BRIG_SANDBOX_WORKER_UNVEIL_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/unveil.h"

enum box_unveil_rights { BOX_UNVEIL_READ = 1, BOX_UNVEIL_WRITE = 2, BOX_UNVEIL_EXECUTE = 4, BOX_UNVEIL_CREATE = 8 };

// Checks all entries by their text. Returns: OK or BAD_ARGUMENT. Context: any.
enum brig_code box_unveil_check(const struct brig_unveil *unveils, size_t count, struct brig_error *reterr);

// Returns: enum box_unveil_rights of letters that were checked. Context: any.
uint32_t box_unveil_rights(const char *permissions);

// Finds what these entries need of Landlock that an ABI of it does not have. Returns: NULL if nothing, else what, static. Context:
// any.
const char *box_unveil_lacks(int abi, const struct brig_unveil *unveils, size_t count);

// Whether `above` names a directory above `path`, by their text. Context: any.
bool box_unveil_is_above(const char *above, const char *path);

#endif
