// record: what the SIGSYS handler writes down about one event, and the shared memory in which the supervisor finds it.
//
// The layout is a wire format between a hostile writer and a careful reader: fixed sizes, no pointers, no padding, versioned. The
// reader copies a slot once into private memory, then checks it, then uses it. Everything in a record is a claim of the worker.
//
// A slot belongs to an event, not to a thread:
//
//   FREE -> (worker, compare-and-swap) WRITING -> (worker) READY -> (supervisor) TAKEN
//        -> (supervisor, verdict written, futex wake) DONE -> (worker) FREE
//
// A worker that does not wait (REPORT) lets the supervisor free the slot: READY -> TAKEN -> FREE. The supervisor frees slots of
// dead workers. An event that finds no FREE slot is only counted.
//
// A question (NOTIFY) goes the first way, and the verdict says what the call answers. It waits for a slot, but leaves the last
// BRIG_TRAP_SLOTS_KEPT to other events. A worker that has waited long enough for its answer takes the question back: READY -> FREE,
// or, when the supervisor is at it, TAKEN -> LEFT -> (supervisor) FREE.
#ifndef BRIG_TRAP_RECORD_H
#define BRIG_TRAP_RECORD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRIG_TRAP_RECORD_MAGIC 0x67697262u // "brig"
#define BRIG_TRAP_RECORD_VERSION 2u
#define BRIG_TRAP_SLOT_COUNT 16
#define BRIG_TRAP_SLOTS_KEPT 4 // of these, never used for questions
#define BRIG_TRAP_STACK_BYTES 16384
#define BRIG_TRAP_REGISTERS 34 // enough for aarch64: x0-x30, sp, pc, pstate

enum brig_trap_slot_state {
    BRIG_TRAP_SLOT_FREE,
    BRIG_TRAP_SLOT_WRITING,
    BRIG_TRAP_SLOT_READY,
    BRIG_TRAP_SLOT_TAKEN,
    BRIG_TRAP_SLOT_DONE,
    BRIG_TRAP_SLOT_LEFT, // nobody waits for the answer any more
};

// What the supervisor has decided. Of events other than questions it is always NONE: go on and die.
enum brig_trap_verdict {
    BRIG_TRAP_VERDICT_NONE,   // of a question: nobody answers, so the call answers ENOSYS
    BRIG_TRAP_VERDICT_RESULT, // the call answers `value`, which is no -errno
    BRIG_TRAP_VERDICT_ERRNO,  // the call answers the errno `value`
};

enum brig_trap_record_flags {
    BRIG_TRAP_FLAG_WAITS = 1,          // the thread waits for a verdict
    BRIG_TRAP_FLAG_REENTERED = 2,      // a trap inside the handler: short record, without stack
    BRIG_TRAP_FLAG_FOREIGN = 4,        // the id does not fit number and arch: another filter's trap
    BRIG_TRAP_FLAG_ALT_STACK = 8,      // the handler ran on an alternate stack
    BRIG_TRAP_FLAG_STACK_CUT = 16,     // the stack goes on beyond what was copied
    BRIG_TRAP_FLAG_ASYNC_BLOCKED = 32, // the interrupted code had signals other than SIGSYS blocked
};

struct brig_trap_record {
    uint32_t magic;
    uint32_t version;
    uint32_t pid; // in the worker's namespace, as it was when the trap layer was armed
    uint32_t tid; // 0 when unknown (REENTERED)
    uint32_t nr;
    uint32_t audit_arch;
    uint32_t trap_id;
    uint32_t verb;  // what the handler does: BRIG_DSL_CRASH (also for an emulation that found a violation), BRIG_DSL_REPORT, or
                    // BRIG_DSL_NOTIFY: wait to be told
    uint32_t data;  // REPORT: its errno, else 0
    uint32_t flags; // enum brig_trap_record_flags
    uint64_t call_address; // si_call_addr: after the instruction
    uint64_t args[6];
    // DWARF numbering of the arch that the worker was built for, whatever audit_arch is; the rest 0.
    // x86_64: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip; i386: eax ecx edx ebx esp ebp esi edi eip; aarch64: x0..x30 sp pc pstate
    uint64_t registers[BRIG_TRAP_REGISTERS];
    uint64_t stack_address; // of stack[0]: sp - 128 rounded down to 16
    uint32_t stack_bytes;   // valid bytes in stack[], 0 in a question; what lies below sp on a page that does not exist is 0
    uint32_t reserved;
    char thread_name[16]; // empty when unknown, which is always so in records of this version's handler
    uint8_t stack[BRIG_TRAP_STACK_BYTES];
};

struct brig_trap_slot {
    uint32_t state;   // enum brig_trap_slot_state; accessed with __atomic builtins, futex word
    uint32_t verdict; // enum brig_trap_verdict; written by the supervisor before DONE
    int64_t value;
    struct brig_trap_record record;
};

// The whole shared mapping: a memfd of exactly this size, sealed against shrinking, growing and further seals.
struct brig_trap_slots {
    uint32_t magic;
    uint32_t version;
    uint32_t slot_count;
    uint32_t reserved;
    uint64_t events;    // traps handled, emulations included
    uint64_t reported;  // records written
    uint64_t lost;      // records that found no free slot
    uint64_t forged;    // SIGSYS that no filter sent
    uint64_t reentered; // traps inside the handler
    uint64_t emulated;  // calls answered by an emulation
    uint64_t asked;     // questions to the supervisor
    struct brig_trap_slot slots[BRIG_TRAP_SLOT_COUNT];
};

#ifdef __cplusplus
}
#endif
#endif
