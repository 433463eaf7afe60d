// memory: the program's memory, read and written by emulations without ever faulting. Context of everything here: signal handler.
//
// Takes addresses that the program passed to the kernel, which may be anything; answers as the kernel's copies do. What can be
// read is asked of futex (kernel.c), what can be written of getrandom: it is told to put one random byte there, and the byte that
// was there is put back. Both copy in and out without a fault.
//
// Weaknesses: another thread can unmap a page between question and copy, then the program dies by SIGSEGV, which it would not if
// the kernel copied; and the byte that is put back may be older than one that another thread wrote meanwhile, into a buffer that
// the program has just called an output.

#include "trap/handler/handler.h"

#define PAGE_BYTES ((uint64_t)4096) // the smallest page of any kernel: on bigger ones some are asked for twice
#define WORD_BYTES 8u               // what the kernel writes by one instruction
#define GETRANDOM_NONBLOCK 1        // include/uapi/linux/random.h:GRND_NONBLOCK

static size_t bytes_on_page(uint64_t address, size_t bytes)
{
    const uint64_t to_page_end = PAGE_BYTES - address % PAGE_BYTES;
    return bytes < to_page_end ? bytes : (size_t)to_page_end;
}

// Not memcpy: a sanitizer's would object to what it has not seen allocated, and to what the program has freed.
static void copy(uint64_t to, uint64_t from, size_t bytes)
{
    volatile unsigned char *target = (volatile unsigned char *)(uintptr_t)to;
    const volatile unsigned char *source = (const volatile unsigned char *)(uintptr_t)from;
    for (size_t i = 0; i < bytes; i++) {
        target[i] = source[i];
    }
}

static bool is_writable(const struct brig_trap_call *call, uint64_t address)
{
    const uint64_t args[6] = {address, 1, GETRANDOM_NONBLOCK};
    unsigned char before;
    if (address > UINTPTR_MAX || !brig_trap_is_readable(call, address)) {
        return false; // of an address past the end of a 32-bit process the kernel sees the low word
    }
    copy((uintptr_t)&before, address, 1);
    if (brig_trap_syscall(call, SYS_getrandom, args) != 1) {
        return false;
    }
    copy(address, (uintptr_t)&before, 1);
    return true;
}

bool brig_trap_read(const struct brig_trap_call *call, uint64_t address, void *to, size_t bytes)
{
    unsigned char *target = to;
    while (bytes > 0) {
        const size_t part = bytes_on_page(address, bytes);
        if (address > UINTPTR_MAX || !brig_trap_is_readable(call, address)) {
            return false;
        }
        copy((uintptr_t)target, address, part);
        address += part;
        target += part;
        bytes -= part;
    }
    return true;
}

bool brig_trap_write(const struct brig_trap_call *call, uint64_t address, const void *from, size_t bytes)
{
    const unsigned char *source = from;
    const bool is_word = bytes > 0 && bytes <= WORD_BYTES;
    if (is_word && !is_writable(call, address + bytes - 1)) {
        return false;
    }
    while (bytes > 0) {
        const size_t part = bytes_on_page(address, bytes);
        if (!is_writable(call, address)) {
            return false;
        }
        copy(address, (uintptr_t)source, part);
        address += part;
        source += part;
        bytes -= part;
    }
    return true;
}
