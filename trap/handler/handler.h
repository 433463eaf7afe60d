// handler: what the files of the handler share with each other, and with the set-up half that fills the sealed pages. Internal to
// trap/.
//
// The handler reads three kinds of memory: the sealed pages (trap_root and what it points to), its own stack, and the slots that it
// shares with the supervisor, which it takes for scratch. It has no other state: how deep traps are nested is told by the
// interrupted registers.
//
// Nesting. All calls of the handler go through trap_arch_syscall, which keeps a *level* where the handler of a trap that interrupts
// it finds it: the depth (1 in the trap of ordinary code), and what the interrupted handler was doing. A trap of handler code from
// anywhere else (an emulation that did not use brig_trap_syscall) is known by the signal mask, which no other code has.
#ifndef BRIG_TRAP_HANDLER_HANDLER_H
#define BRIG_TRAP_HANDLER_HANDLER_H

#include <signal.h>

#include "trap/broker.h"
#include "trap/handler/arch/arch.h"
#include "trap/trap.h"

#pragma GCC visibility push(hidden)

// --- what set-up leaves on sealed pages -------------------------------------------------------------------------------

// What one trap id means. Copied from struct brig_dsl_trap, so that nothing points into the program's memory.
struct trap_entry {
    uint8_t origin; // enum brig_dsl_origin
    uint8_t verb;   // enum brig_dsl_verb: CRASH, REPORT, EMULATE, BROKER or NOTIFY
    uint16_t data;
    bool other_nrs;
    struct brig_trap_outcome (*emulate)(const struct brig_trap_call *call); // EMULATE, BROKER
    uint64_t nr_set[BRIG_DSL_TRAP_NRS / 64];
};

#define TRAP_UNAME_BYTES (6 * 65) // include/uapi/linux/utsname.h:struct new_utsname

// What emulations answer from: as it was when the trap layer was armed.
struct trap_facts {
    uint32_t page_bytes;
    uint32_t parent_pid;
    bool has_uname;
    char uname[TRAP_UNAME_BYTES];
};

struct trap_root {
    const struct trap_entry *entries; // NULL: not armed; entries[0] is unused
    const uint16_t *call_of_nr;       // BRIG_DSL_TRAP_NRS values of enum brig_dsl_call
    uint32_t entry_count;
    uint32_t audit_arch; // of the program
    enum brig_dsl_arch arch;
    struct brig_trap_slots *slots;
    int notify_fd;
    uint32_t verdict_wait_ms;
    uint64_t brokered[BRIG_DSL_TRAP_NRS / 64]; // numbers that always ask the broker
    struct brig_broker_slots *broker_slots;    // NULL: no broker
    int broker_fd;
    uint32_t pid;
    uint64_t hash; // of the program
    struct trap_facts facts;
};

// A page that can be sealed alone.
union trap_root_page {
    struct trap_root root;
    unsigned char page[TRAP_ARCH_PAGE_BYTES];
};
extern union trap_root_page trap_root_page;

// --- levels -----------------------------------------------------------------------------------------------------------

// Emulations may be nested so deep. One trap more is a violation.
#define TRAP_DEPTH_MAX 4u

// What a handler is doing when it makes a call.
enum trap_stage {
    TRAP_STAGE_EMULATING, // a trap of this call is ordinary, one deeper
    TRAP_STAGE_RECORDING, // ... is recorded in short, without calls that can be left out
    TRAP_STAGE_SHORT,     // ... cannot even be recorded in short: die
    TRAP_STAGE_DYING,     // ... is a foreign filter's answer to the reserved call: go on and die in another way
};

static inline uint32_t trap_level(uint32_t depth, enum trap_stage stage)
{
    return depth | (uint32_t)stage << 8;
}

static inline uint32_t trap_level_depth(uint32_t level)
{
    return level & 0xff;
}

static inline uint32_t trap_level_stage(uint32_t level)
{
    return level >> 8;
}

#define TRAP_SIGNAL_BIT(signal_nr) (1ull << ((signal_nr)-1))

// What sa_mask leaves open: SIGSYS, because handlers nest, and faults, which would kill silently if they were blocked.
#define TRAP_OPEN_SIGNALS \
    (TRAP_SIGNAL_BIT(SIGSYS) | TRAP_SIGNAL_BIT(SIGSEGV) | TRAP_SIGNAL_BIT(SIGBUS) | TRAP_SIGNAL_BIT(SIGFPE) | \
     TRAP_SIGNAL_BIT(SIGILL) | TRAP_SIGNAL_BIT(SIGTRAP) | TRAP_SIGNAL_BIT(SIGABRT))
// The mask of handler code. libc's own signals are in it, which programs cannot block through libc: so no ordinary code has this
// mask.
#define TRAP_HANDLER_MASK (~(TRAP_OPEN_SIGNALS | TRAP_SIGNAL_BIT(SIGKILL) | TRAP_SIGNAL_BIT(SIGSTOP)))

// --- one trap ---------------------------------------------------------------------------------------------------------

struct trap_event {
    ucontext_t *context;
    const struct trap_entry *entry; // NULL: the id is not ours
    uint32_t id;
    uint32_t outer_stage;       // enum trap_stage of the interrupted handler; of no meaning at depth 1
    struct brig_trap_call call; // its level: this event's depth, TRAP_STAGE_EMULATING
};

static inline uint32_t trap_event_depth(const struct trap_event *event)
{
    return trap_level_depth(event->call.level);
}

static inline uint64_t trap_context_mask(const ucontext_t *context)
{
    uint64_t mask;
    __builtin_memcpy(&mask, &context->uc_sigmask, sizeof mask); // the kernel writes these eight bytes, whatever libc's type is
    return mask;
}

// Adds to a counter of struct brig_trap_slots, named by its offset.
void trap_count(size_t counter_offset);

// The SIGSYS handler.
void trap_handler(int signal_nr, siginfo_t *info, void *context);

// Answers one trap: emulates, or records and answers, or records and dies.
void trap_dispatch(const struct trap_event *event);

// Writes a record of `event`, in short where the event interrupted a handler, and wakes the supervisor. With BRIG_TRAP_FLAG_WAITS
// in `flags` it waits, for a bounded time, until the supervisor is done with it.
void trap_record(const struct trap_event *event, enum brig_dsl_verb verb, uint32_t flags);

// What a record is made of, for record.c and question.c. A slot that is FREE, of the first `slot_count`: claimed for the caller, or
// NULL. All of a record but thread id, stack and flags; every field is written, because slots are used again. Then it is READY, and
// the supervisor is woken.
struct brig_trap_slot *trap_slot_claim(uint32_t slot_count);
void trap_record_fill(struct brig_trap_record *record, const struct trap_event *event, enum brig_dsl_verb verb);
uint32_t trap_own_tid(uint32_t level);
void trap_slot_publish(struct brig_trap_slot *slot, const struct trap_event *event, uint32_t flags, uint32_t level);

// Answers a trap whose row says NOTIFY: asks the supervisor and waits, for a bounded time.
struct brig_trap_outcome trap_ask_supervisor(const struct trap_event *event);

__attribute__((noreturn)) void trap_die(void);

// Answers a trap whose row says BROKER.
struct brig_trap_outcome trap_ask_broker(const struct brig_trap_call *call);

// The same outside of a handler: memory of the call that cannot be read or written is the program's own fault, as in libc's
// functions.
struct brig_trap_outcome trap_ask_broker_unprobed(const struct brig_trap_call *call);
// A slot to make a request in, NULL if none comes free in ten seconds; and what becomes of a request that stands there whole: the
// result or -errno, which stands in the slot's reply too. Context: these three, any; where there is a broker.
struct brig_broker_slot *trap_broker_claim(const struct brig_trap_call *call);
int64_t trap_broker_exchange(const struct brig_trap_call *call, struct brig_broker_slot *slot);
void trap_broker_release(struct brig_broker_slot *slot);

// Refuses what the words of a request decide alone, and posts that it did. Returns: the errno; 0: ask, and if the answer is
// settled, hand it to trap_broker_settle with *ret_hash. Context: as those.
int trap_broker_refuse(const struct brig_broker_request *request, uint64_t *ret_hash);
void trap_broker_settle(uint64_t hash, int64_t result);

int64_t trap_syscall(uint32_t level, uint32_t nr, const uint64_t args[6]);
bool trap_is_readable(uint32_t level, uint64_t address);

#pragma GCC visibility pop

#endif
