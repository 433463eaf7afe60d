// The build host's own numbers (tables_host_numbers.h). i386's are in a file of their own: both headers define the same macros.

#include <asm/unistd.h>
#include <stdlib.h>

#include "tests/bpf_dsl/tables_host_numbers.h"

const struct host_number host_numbers[] = {
#define CALL(name) {#name, HOST_EXPANDED(__NR_##name)},
#include "bpf_dsl/tables/calls.def"
#undef CALL
};
const size_t host_number_count = sizeof host_numbers / sizeof host_numbers[0];

int32_t host_number_of(const struct host_number *number)
{
    char *end;
    long value = strtol(number->text, &end, 10);
    return end != number->text && *end == '\0' ? (int32_t)value : -1;
}
