// restrict_mmap: memory that is never executable, anonymous unless a policy adds rows for files.
//
// After the lock no code is added: not W+X, not by mapping a file, not by mprotect. So an exploit has to make do with the code that
// is there, and a library that wants to load another (dlopen) must do so in warm-up. i386's old `mmap` has its arguments in memory,
// out of a filter's sight; libc there uses mmap2.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_mmap[] = {
    WHY("malloc, thread stacks, guard pages: anonymous memory, readable and writable at most"),
    ROW(mmap, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE), ALL_BITS(flags, MAP_ANONYMOUS),
        ONLY_BITS(flags, MAP_ANONYMOUS | MAP_PRIVATE | MAP_SHARED | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_STACK)),
    ROW(mmap2, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE), ALL_BITS(flags, MAP_ANONYMOUS),
        ONLY_BITS(flags, MAP_ANONYMOUS | MAP_PRIVATE | MAP_SHARED | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_STACK)),
    WHY("malloc grows an arena, thread stacks get their guard: protection without PROT_EXEC"),
    ROW(mprotect, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE)),
    WHY("realloc moves big blocks"),
    ROW(mremap, ALLOW, ONLY_BITS(flags, MREMAP_MAYMOVE)),
    WHY("no new code after the lock: memory to write and run is an exploit's first wish; files are mapped where a policy says so"),
    ELSE(mmap, CRASH),
    ELSE(mmap2, CRASH),
    ELSE(mprotect, CRASH),
    WHY("moving pages over other mappings"),
    ELSE(mremap, CRASH),
    ROWS_END,
};
