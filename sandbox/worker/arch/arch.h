// arch: picks the header of the arch that this is built for.
#ifndef BRIG_SANDBOX_WORKER_ARCH_ARCH_H
#define BRIG_SANDBOX_WORKER_ARCH_ARCH_H

#if defined(__x86_64__) && !defined(__ILP32__)
#include "sandbox/worker/arch/x86_64.h"
#else
#include "sandbox/worker/arch/other.h"
#endif

#endif
