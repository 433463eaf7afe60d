// dispatch: one trap, one answer. Context of everything here: signal handler.
//
// Takes an event whose entry, if it has one, fits its number and arch. Gives back a context with the result register written, or
// does not return.

#include <errno.h>

#include "trap/handler/handler.h"

#define ERRNO_MAX 4095 // include/linux/err.h:MAX_ERRNO

__attribute__((noreturn)) static void die_of(const struct trap_event *event, uint32_t flags)
{
    trap_record(event, BRIG_DSL_CRASH, flags | BRIG_TRAP_FLAG_WAITS);
    trap_die();
}

static void answer(const struct trap_event *event, struct brig_trap_outcome outcome)
{
    if (outcome.kind == BRIG_TRAP_RESULT && (outcome.value >= 0 || outcome.value < -ERRNO_MAX)) {
        trap_arch_set_result(event->context, outcome.value);
    } else if (outcome.kind == BRIG_TRAP_ERRNO && outcome.value > 0 && outcome.value <= ERRNO_MAX) {
        trap_arch_set_result(event->context, -outcome.value);
    } else {
        die_of(event, 0);
    }
}

static void emulate(const struct trap_event *event)
{
    if (trap_event_depth(event) > TRAP_DEPTH_MAX) {
        die_of(event, 0);
    }
    answer(event, event->entry->emulate(&event->call));
    trap_count(offsetof(struct brig_trap_slots, emulated));
}

static void ask(const struct trap_event *event)
{
    if (trap_event_depth(event) > TRAP_DEPTH_MAX) {
        die_of(event, 0);
    }
    trap_count(offsetof(struct brig_trap_slots, asked));
    answer(event, trap_ask_supervisor(event));
}

static void report(const struct trap_event *event)
{
    trap_record(event, BRIG_DSL_REPORT, 0);
    trap_arch_set_result(event->context, -(int64_t)event->entry->data);
}

void trap_dispatch(const struct trap_event *event)
{
    const bool is_nested = trap_event_depth(event) > 1;
    trap_count(offsetof(struct brig_trap_slots, events));
    if (is_nested) {
        trap_count(offsetof(struct brig_trap_slots, reentered));
        if (event->outer_stage == TRAP_STAGE_SHORT) {
            trap_die();
        }
        if (event->outer_stage >= TRAP_STAGE_DYING) {
            trap_arch_set_result(event->context, -ENOSYS);
            return;
        }
    }
    if (!event->entry) {
        die_of(event, BRIG_TRAP_FLAG_FOREIGN);
    } else if (event->entry->verb == BRIG_DSL_EMULATE || event->entry->verb == BRIG_DSL_BROKER) {
        emulate(event);
    } else if (event->entry->verb == BRIG_DSL_REPORT) {
        report(event);
    } else if (event->entry->verb == BRIG_DSL_NOTIFY) {
        ask(event);
    } else {
        die_of(event, 0);
    }
}
