// The shim's shared memory and the checks that write to it.
//
// Takes: results of checks, from any process that descends from the test program. Gives: driver calls, in the test program only.
// Guarantees: no check makes a system call in a child, so checks work behind any filter; no failure is lost, short of more than
// BOARD_RECORDS in one test, which are still counted. Weakness: a child that calls exec leaves the board.
#include "tests/shim/board.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/shim/runner.h"

static struct board *the_board;
// One page that the kernel clears in every child, however it was made: it tells the test program from its children without getpid.
static volatile char *is_test_program;

static _Thread_local char message[256];

bool board_start(void)
{
    the_board = mmap(NULL, sizeof *the_board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (the_board == MAP_FAILED || page == MAP_FAILED || madvise(page, page_bytes, MADV_WIPEONFORK) != 0)
        return false;
    is_test_program = page;
    *is_test_program = 1;
    return true;
}

struct board *board_get(void)
{
    return the_board;
}

void board_clear(void)
{
    memset(the_board, 0, sizeof *the_board);
    message[0] = '\0';
}

static void record(const char *file, int line, const char *text)
{
    unsigned index = atomic_fetch_add(&the_board->record_count, 1);
    if (index >= BOARD_RECORDS)
        return;
    struct board_record *entry = &the_board->records[index];
    entry->file = file;
    entry->line = line;
    snprintf(entry->text, sizeof entry->text, "%s", text);
    atomic_store(&entry->is_complete, true);
}

void board_fail(const char *file, int line, const char *format, va_list arguments)
{
    char text[BOARD_TEXT_BYTES];
    int used = vsnprintf(text, sizeof text, format, arguments);
    if (message[0] && used >= 0 && (size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, "\n  at %s", message);
    if (*is_test_program)
        test_driver_failure(file, line, text);
    else
        record(file, line, text);
}

void board_drain(void)
{
    unsigned count = atomic_load(&the_board->record_count);
    for (unsigned i = 0; i < count && i < BOARD_RECORDS; i++) {
        const struct board_record *entry = &the_board->records[i];
        if (atomic_load(&entry->is_complete))
            test_driver_failure(entry->file, entry->line, entry->text);
        else
            test_driver_failure(__FILE__, __LINE__, "a child died while it recorded a failed check");
    }
    if (count > BOARD_RECORDS) {
        char text[80];
        snprintf(text, sizeof text, "%u more checks failed in children", count - BOARD_RECORDS);
        test_driver_failure(__FILE__, __LINE__, text);
    }
}

// --- test.h: messages -------------------------------------------------------------------------------------------------

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    board_fail(file, line, format, arguments);
    va_end(arguments);
}

void test_message(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
}

void test_skip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(the_board->skip_reason, sizeof the_board->skip_reason, format, arguments);
    va_end(arguments);
    atomic_store(&the_board->is_skipped, true);
}
