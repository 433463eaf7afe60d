// i386's numbers as an x86 host has them (tables_host_numbers.h).

#if __has_include(<asm/unistd_32.h>) && (defined(__x86_64__) || defined(__i386__))
#include <asm/unistd_32.h>
#define HOST_HAS_I386 1
#else
#define HOST_HAS_I386 0
#endif

#include "tests/bpf_dsl/tables_host_numbers.h"

const struct host_number host_i386_numbers[] = {
#define CALL(name) {#name, HOST_EXPANDED(__NR_##name)},
#include "bpf_dsl/tables/calls.def"
#undef CALL
};
const size_t host_i386_number_count = HOST_HAS_I386 * (sizeof host_i386_numbers / sizeof host_i386_numbers[0]);
