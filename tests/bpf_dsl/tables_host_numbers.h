// System call numbers as the build host's own headers have them, to hold the tables against.
#ifndef BRIG_TESTS_BPF_DSL_TABLES_HOST_NUMBERS_H
#define BRIG_TESTS_BPF_DSL_TABLES_HOST_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

struct host_number {
    const char *name;
    const char *text; // what the preprocessor makes of __NR_name: digits, or the name itself where the headers do not have it
};

// Names whose macro is expanded by the preprocessor alone, so that one list works for headers of any age.
#define HOST_TEXT(words) #words
#define HOST_EXPANDED(words) HOST_TEXT(words)

extern const struct host_number host_numbers[];
extern const size_t host_number_count;
extern const struct host_number host_i386_numbers[]; // empty on hosts other than x86
extern const size_t host_i386_number_count;

// Returns: the number, or -1 where the headers do not have the call.
int32_t host_number_of(const struct host_number *number);

#endif
