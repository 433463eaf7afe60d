// Emulations against the kernel: the same calls, first as they are and then trapped, must answer the same and leave the same bytes
// in memory.
//
//   static const struct side_call calls[] = {
//       {"a good buffer", SYS_uname, {SIDE_MEMORY(0)}},
//       {"no buffer", SYS_uname, {0}},
//   };
//   side_by_side(&(struct side_by_side){.rules = rules, .rule_count = COUNT_OF(rules), .calls = calls, .count = COUNT_OF(calls)});
//
// Arguments name places in a piece of memory that is filled anew before each call: readable and writable pages, a read-only one,
// and holes. After a call that gave a new descriptor `settle` makes of it what can be compared, and closes it.
#ifndef BRIG_TESTS_TRAP_SIDE_BY_SIDE_H
#define BRIG_TESTS_TRAP_SIDE_BY_SIDE_H

#include "tests/trap/fixture.h"

#define SIDE_PAGE_BYTES 4096 // pages of this size on every arch that tests run on

// The pages of the memory, in order. Each run of pages ends before a hole.
enum {
    SIDE_WRITABLE,  // the first page
    SIDE_WRITABLE2, // and the next
    SIDE_HOLE,
    SIDE_READ_ONLY,
    SIDE_WRITABLE3, // after the read-only one
    SIDE_READ_ONLY2,
    SIDE_HOLE2,
    SIDE_PAGES
};

// An argument that is a place in the memory: an offset from its start, behind a mark that no other argument has.
#define SIDE_MARK 0x51de000000000000ll
#define SIDE_MEMORY(offset) (SIDE_MARK + (offset))
#define SIDE_PAGE(page, offset) SIDE_MEMORY((int64_t)(page)*SIDE_PAGE_BYTES + (offset))
// So many bytes before the end of a page.
#define SIDE_END(page, bytes) SIDE_PAGE((page) + 1, -(bytes))
// The text of the call, on a page of its own kind.
#define SIDE_TEXT SIDE_PAGE(SIDE_WRITABLE, 512)

struct side_call {
    const char *what;
    long nr;
    int64_t args[6];
    const char *text;    // put at SIDE_TEXT, with its zero; or NULL
    int64_t words[16];   // put where `words_at` says, which may be read-only, as 32 bits each; may name places
    int64_t words_at;    // SIDE_MEMORY(...); 0: nowhere
    uint32_t word_count; // how many of them; 0: all
    long expected;       // -errno, where `differs`: the emulation says that it answers so
    bool differs;
};

struct side_by_side {
    const struct trap_rule *rules;
    size_t rule_count;
    const struct side_call *calls;
    size_t count;
    // Makes call `index`; for calls that are made and not listed. Instead of `calls`.
    void (*make)(size_t index, struct side_call *ret_call);
    // What is compared instead of the result; or NULL.
    long (*settle)(const struct side_call *call, long result);
};

// Runs all calls, locks this process, and runs them again. Every row must reach the emulation, none may leave a record.
void side_by_side(const struct side_by_side *test);

// The address of a place.
void *side_address(int64_t place);

// Makes one call as it is, in memory that has been filled for it. Returns: the result, or -errno.
long side_make(const struct side_call *call);

// Numbers that look like chance and are the same in every run.
uint32_t side_random(uint32_t *state, uint32_t below);

#endif
