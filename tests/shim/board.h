// The board: memory that the test program shares with everything that it forks. Failures of children stand on it, and the
// rendezvous at a body's end, which must work without a system call.
#ifndef BRIG_TESTS_SHIM_BOARD_H
#define BRIG_TESTS_SHIM_BOARD_H

#include <stdarg.h>
#include <stdatomic.h>

#include "tests/shim/processes.h"

enum { BOARD_RECORDS = 64, BOARD_TEXT_BYTES = 1536 };

// Where a sandboxed child is, and what its parent tells it at the end of the body.
enum board_stage { BOARD_RUNNING, BOARD_BODY_DONE, BOARD_LEAVE_LOCKED, BOARD_LEAVE };

struct board_record {
    atomic_bool is_complete;
    int line;
    const char *file; // a string of the program, at one address in all forks of it
    char text[BOARD_TEXT_BYTES];
};

struct board {
    atomic_int stage;
    atomic_uint record_count; // may pass BOARD_RECORDS: the rest is only counted
    atomic_bool is_skipped;
    char skip_reason[256];
    struct descriptor_list before; // descriptors open before the body
    struct board_record records[BOARD_RECORDS];
};

// Maps the board. Returns: false if there is no memory.
bool board_start(void);
struct board *board_get(void);
void board_clear(void);

// Records one failure; in the test program itself it goes straight to the driver.
void board_fail(const char *file, int line, const char *format, va_list arguments);

// Gives what children recorded to the driver.
void board_drain(void);

#endif
