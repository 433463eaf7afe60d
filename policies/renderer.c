// renderer: decodes what strangers send.
//
// The worker gets descriptors with each job over its channel (a sealed memfd or file to read, another to write to), decodes with
// libpng or its like, in one thread or many, and answers. It opens nothing. Descriptors carry their own rights: hand it read-only
// ones for input.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_row renderer_rows[] = {
    WHY("reads its input and writes its output, both handed to it by the supervisor"),
    ROW(SET(brig_policy_fd_io), ALLOW),
    WHY("maps its input instead of copying it: read-only, never executable"),
    ROW(mmap, ALLOW, ONLY_BITS(prot, PROT_READ), ONLY_BITS(flags, MAP_PRIVATE | MAP_SHARED | MAP_NORESERVE | MAP_POPULATE)),
    ROW(mmap2, ALLOW, ONLY_BITS(prot, PROT_READ), ONLY_BITS(flags, MAP_PRIVATE | MAP_SHARED | MAP_NORESERVE | MAP_POPULATE)),
    WHY("waits for the next job"),
    ROW(SET(brig_policy_fd_wait), ALLOW),
    USE(brig_policy_restrict_socket_io),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_renderer = {.name = "renderer",
                                                     .base = &brig_policy_baseline,
                                                     .rows = renderer_rows,
                                                     FALLBACK(CRASH),
                                                     .kernel = BRIG_DSL_KERNEL(6, 18),
                                                     .libc = "glibc 2.42, musl 1.2.5"};
