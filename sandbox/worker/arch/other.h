// arch/other: arches whose 64-bit processes have no second way into the kernel.
#ifndef BRIG_SANDBOX_WORKER_ARCH_OTHER_H
#define BRIG_SANDBOX_WORKER_ARCH_OTHER_H

#include <errno.h>

static inline int box_arch_try_ia32(void)
{
    return ENOSYS;
}

static inline int box_arch_try_x32(void)
{
    return ENOSYS;
}

#endif
