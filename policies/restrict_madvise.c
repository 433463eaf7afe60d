// restrict_madvise: the advice that memory allocators and thread stacks give.
//
// Advice that is refused is harmless by definition, so what is not listed answers EINVAL as on a kernel that does not know it.
// Never a trap: glibc gives back a thread's stack by madvise at thread exit, with all signals blocked.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_values allocator_advice = VALUES(
    allocator_advice,
    "DONTNEED: malloc and thread stacks of glibc, musl; FREE: musl, jemalloc; GUARD_INSTALL, GUARD_REMOVE: stacks, glibc 2.42; "
    "HUGEPAGE, NOHUGEPAGE: glibc malloc's tunable, tcmalloc; the rest: mapped input files",
    MADV_DONTNEED, MADV_FREE, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_RANDOM,
    MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTDUMP, MADV_DODUMP);

const struct brig_dsl_row brig_policy_restrict_madvise[] = {
    WHY("malloc and thread stacks give memory back and guard it"),
    ROW(madvise, ALLOW, IN_SET(advice, allocator_advice)),
    WHY("as if the kernel did not know it: MADV_REMOVE punches holes into files, MADV_MERGEABLE reaches others' pages"),
    ELSE(madvise, DENY(EINVAL)),
    ROWS_END,
};
