// emulate_open: libc opens files that nobody asked it to (glibc's free() looks at /proc/sys/vm/overcommit_memory), and does without
// them. Context of everything here: signal handler.
//
// Takes open and openat to read, gives ENOENT for those paths, as if the file were not there, and a violation for all others: under
// a policy that kills for opening files, libc's own habits must not kill. Nothing is ever opened. The path is looked at where it
// stands, and another thread may change it in between: that changes who is told no and who is reported, no more.

#include <errno.h>

#include "trap/handler/handler.h"

// A path that ends in "/" stands for all below it. One text, because pointers would have to be relocated.
static const char paths[] = "/proc/sys/vm/overcommit_memory\0" // glibc: a heap of a thread's arena shrinks
                            "/sys/devices/system/cpu/\0"       // glibc: how many processors there are; asks sched_getaffinity then
                            "/proc/stat\0"                     // the same
                            "/proc/cpuinfo\0"                  // the same
                            "/etc/localtime\0"                 // localtime: is UTC then, unless the program called tzset before
                            "/usr/share/zoneinfo/\0"           // the same
                            "/usr/share/locale/\0"             // messages of libc in another language
                            "/usr/lib/locale/\0"               // the same
                            "/etc/ld.so.cache\0"               // dlopen: libgcc_s for a stack, gconv for a character set
                            "/usr/lib/\0"                      // the same
                            "/lib/\0";                         // the same

static const char *next_path(const char *path)
{
    while (*path != '\0') {
        path++;
    }
    return path + 1;
}

// Reads one byte of the program's. Returns: false if nothing can be read there.
static bool read_byte(const struct brig_trap_call *call, uint64_t address, bool is_first, char *ret_byte)
{
    if ((is_first || address % 4096 == 0) && !brig_trap_is_readable(call, address)) {
        return false;
    }
    *ret_byte = *(const volatile char *)(uintptr_t)address;
    return true;
}

// Returns: 0 for another path, else the errno to answer.
static int compare(const struct brig_trap_call *call, uint64_t address, const char *path)
{
    for (uint64_t i = 0;; i++) {
        char byte;
        if (i > 0 && path[i] == '\0' && path[i - 1] == '/') {
            return ENOENT;
        }
        if (!read_byte(call, address + i, i == 0, &byte)) {
            return EFAULT;
        }
        if (byte != path[i]) {
            return 0;
        }
        if (byte == '\0') {
            return ENOENT;
        }
    }
}

static struct brig_trap_outcome open_libc_probe(const struct brig_trap_call *call)
{
    const uint64_t address = call->args[call->call == BRIG_SYS_open ? 0 : 1];
    for (const char *path = paths; path < paths + sizeof paths - 1; path = next_path(path)) {
        const int error = compare(call, address, path);
        if (error) {
            return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, error};
        }
    }
    return (struct brig_trap_outcome){BRIG_TRAP_VIOLATION, 0};
}

static const enum brig_dsl_call calls[] = {BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_open_libc_probe = {
    .dsl = {.name = "open_libc_probe", .calls = calls},
    .emulate = open_libc_probe,
};
