// emulate_openat2: openat2(2) hides what it asks for in memory, where no filter can look. Context of everything here: signal
// handler.
//
// Takes openat2, reads its struct once, answers what is wrong with it as the kernel does (fs/open.c: openat2, build_open_flags;
// lib/usercopy.c: copy_struct_from_user), and gives openat with the flags and mode, which the policy's rows for openat then decide.
// Answers other than the kernel's: how to resolve cannot be said to openat. RESOLVE_CACHED is EAGAIN, as if nothing were cached;
// any other of these flags is ENOSYS, as from a kernel without openat2: callers fall back to a walk of their own, and never to an
// open that resolves more than they asked for. A struct longer than this file knows is E2BIG unless the rest is zeros.

#include <errno.h>
#include <fcntl.h>

#include "trap/handler/handler.h"

// include/uapi/linux/openat2.h: struct open_how and its flags, Linux 5.6 (RESOLVE_CACHED: 5.12).
struct how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};
enum { NO_XDEV = 0x01, NO_MAGICLINKS = 0x02, NO_SYMLINKS = 0x04, BENEATH = 0x08, IN_ROOT = 0x10, CACHED = 0x20 };
#define ALL_RESOLVE_FLAGS ((uint64_t)(NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS | BENEATH | IN_ROOT | CACHED))

#define ACCESS_BITS 03 // O_ACCMODE; musl's has O_PATH in it
#define MODE_BITS ((uint64_t)07777)
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
#define PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)
// include/linux/fcntl.h:VALID_OPEN_FLAGS.
#define ALL_OPEN_FLAGS \
    ((uint64_t)(ACCESS_BITS | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_ASYNC | \
                O_DIRECT | TRAP_ARCH_O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE))

// Whether all of [address, end) is zeros. Returns: 0, or the errno of the first byte that is not, or cannot be read.
static int check_zeros(const struct brig_trap_call *call, uint64_t address, uint64_t end)
{
    unsigned char bytes[64];
    while (address < end) {
        const uint64_t to_line_end = sizeof bytes - address % sizeof bytes; // a line is on one page
        const size_t part = (size_t)(end - address < to_line_end ? end - address : to_line_end);
        if (!brig_trap_read(call, address, bytes, part)) {
            return EFAULT;
        }
        for (size_t i = 0; i < part; i++) {
            if (bytes[i] != 0) {
                return E2BIG;
            }
        }
        address += part;
    }
    return 0;
}

// Returns: 0, or the errno. The kernel looks at the rest before the struct.
static int read_how(const struct brig_trap_call *call, struct how *ret_how)
{
    const uint64_t address = call->args[2];
    const uint64_t bytes = call->args[3];
    if (bytes < sizeof *ret_how) {
        return EINVAL;
    }
    if (bytes > trap_root_page.root.facts.page_bytes) {
        return E2BIG;
    }
    const int error = check_zeros(call, address + sizeof *ret_how, address + bytes);
    if (error) {
        return error;
    }
    return brig_trap_read(call, address, ret_how, sizeof *ret_how) ? 0 : EFAULT;
}

static bool is_well_formed(const struct how *how)
{
    const bool creates = how->flags & (O_CREAT | TMPFILE_BIT);
    const bool scopes_twice = (how->resolve & BENEATH) && (how->resolve & IN_ROOT);
    if ((how->flags & ~ALL_OPEN_FLAGS) || (how->resolve & ~ALL_RESOLVE_FLAGS) || scopes_twice) {
        return false;
    }
    if (how->mode & (creates ? ~MODE_BITS : ~(uint64_t)0)) {
        return false;
    }
    if ((how->flags & O_CREAT) && (how->flags & O_DIRECTORY)) {
        return false; // since Linux 6.4; made a file before
    }
    if ((how->flags & TMPFILE_BIT) && (!(how->flags & O_DIRECTORY) || !(how->flags & ACCESS_BITS))) {
        return false;
    }
    return !(how->flags & O_PATH) || !(how->flags & ~(uint64_t)PATH_FLAGS);
}

// Returns: 0 where openat does the same.
static int check_how(const struct how *how)
{
    if (!is_well_formed(how)) {
        return EINVAL;
    }
    if (how->resolve & CACHED) {
        return EAGAIN;
    }
    return how->resolve ? ENOSYS : 0;
}

// A 64-bit kernel makes every file that openat2 opens a large one, for 32-bit programs as well, where openat does not:
// fs/open.c:force_o_largefile.
static uint64_t added_flags(const struct how *how)
{
    const bool is_32_bit = sizeof(long) == 4;
    return is_32_bit && !(how->flags & O_PATH) ? TRAP_ARCH_O_LARGEFILE : 0;
}

static struct brig_trap_outcome openat2_by_openat(const struct brig_trap_call *call)
{
    struct how how;
    int error = read_how(call, &how);
    if (!error) {
        error = check_how(&how);
    }
    if (error) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, error};
    }
    const uint64_t args[6] = {call->args[0], call->args[1], how.flags | added_flags(&how), how.mode};
    return brig_trap_answer(brig_trap_syscall_interruptible(call, SYS_openat, args));
}

// Not openat: what its row says is the answer, a refusal too.
static const enum brig_dsl_call calls[] = {BRIG_SYS_rt_sigprocmask, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_openat2_by_openat = {
    .dsl = {.name = "openat2_by_openat", .calls = calls},
    .emulate = openat2_by_openat,
};
