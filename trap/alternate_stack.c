// alternate_stack: a signal stack for each thread that asks, so that a trap can be answered when the thread's own stack is used up.
//
// Gives a mapping [guard page][stack] per thread, remembered in the thread's own storage (ordinary code only: the handler has no
// such thing). A stack that somebody else gave the thread (a sanitizer, a language runtime) stays. Weakness: a thread that ends
// without brig_trap_thread_leave leaves its stack mapped.

#include "trap/alternate_stack.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trap/handler/handler.h"

#define HANDLER_BYTES ((size_t)4096) // what one level of handler and emulation uses, generously
#define STACK_BYTES_MIN ((size_t)32768)

struct own_stack {
    unsigned char *memory; // guard page first; NULL: none
    size_t bytes;          // guard page included
};

static _Thread_local struct own_stack own_stack;

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

// The kernel's frame alone takes 3 KiB with AVX-512 and 11 KiB with AMX; only the kernel knows.
static size_t stack_bytes(void)
{
    const size_t frame_bytes = (size_t)getauxval(AT_MINSIGSTKSZ); // 0 before Linux 5.14: STACK_BYTES_MIN is enough then
    const size_t levels = TRAP_DEPTH_MAX + 1;
    const size_t wanted = levels * (frame_bytes + HANDLER_BYTES);
    const size_t bytes = wanted > STACK_BYTES_MIN ? wanted : STACK_BYTES_MIN;
    return (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
}

static bool map_stack(struct own_stack *ret_stack)
{
    const size_t guard_bytes = page_bytes();
    const size_t bytes = guard_bytes + stack_bytes();
    unsigned char *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    if (mprotect(memory + guard_bytes, bytes - guard_bytes, PROT_READ | PROT_WRITE) != 0) {
        const int error = errno;
        munmap(memory, bytes);
        errno = error;
        return false;
    }
    *ret_stack = (struct own_stack){memory, bytes};
    return true;
}

enum brig_code trap_stack_give(struct brig_error *reterr)
{
    struct brig_error error = {.code = BRIG_KERNEL_REFUSED, .step = "give thread a signal stack", .subject = "sigaltstack"};
    stack_t now;
    if (sigaltstack(NULL, &now) != 0) {
        error.sys_errno = errno;
        return brig_error_set(reterr, error);
    }
    if (!(now.ss_flags & SS_DISABLE)) {
        return BRIG_OK;
    }
    if (!own_stack.memory && !map_stack(&own_stack)) {
        error = (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = "map signal stack", .sys_errno = errno};
        return brig_error_set(reterr, error);
    }
    const stack_t wanted = {.ss_sp = own_stack.memory + page_bytes(), .ss_size = own_stack.bytes - page_bytes()};
    if (sigaltstack(&wanted, NULL) != 0) {
        error.sys_errno = errno; // the mapping stays for the next attempt, or for brig_trap_thread_leave
        return brig_error_set(reterr, error);
    }
    return BRIG_OK;
}

void brig_trap_thread_leave(void)
{
    stack_t now;
    const stack_t none = {.ss_flags = SS_DISABLE};
    if (!own_stack.memory || sigaltstack(NULL, &now) != 0) {
        return;
    }
    const bool is_in_use = now.ss_sp == own_stack.memory + page_bytes();
    if (is_in_use && sigaltstack(&none, NULL) != 0) {
        return; // the thread is on it just now
    }
    munmap(own_stack.memory, own_stack.bytes);
    own_stack = (struct own_stack){NULL, 0};
}
