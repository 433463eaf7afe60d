// broker_parts: what the files of the broker's client share. Internal to trap/.
#ifndef BRIG_TRAP_BROKER_PARTS_H
#define BRIG_TRAP_BROKER_PARTS_H

#include <linux/stat.h>

#include "trap/broker.h"

#pragma GCC visibility push(hidden)

// Makes the struct that statx fills of the one that fstat (fstat64 on i386) has filled. Context: any, signal handler too.
void trap_statx_from_stat(enum brig_dsl_arch arch, const uint8_t *from, struct statx *ret_statx);

#pragma GCC visibility pop

#endif
