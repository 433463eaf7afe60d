// emulate_uname: what the system is called, from memory: for workers that shall not be told what the host is renamed to. Context of
// everything here: signal handler.
//
// Takes uname (not the older calls with shorter structs), gives the kernel's bytes of when the trap layer was armed, from the
// sealed page. Answers other than the kernel's: a system that was renamed since then, another UTS namespace and another personality
// make no difference. A uname that was refused when arming is a violation.

#include <errno.h>

#include "trap/handler/handler.h"

static struct brig_trap_outcome uname_when_armed(const struct brig_trap_call *call)
{
    const struct trap_facts *facts = &trap_root_page.root.facts;
    if (!facts->has_uname) {
        return (struct brig_trap_outcome){BRIG_TRAP_VIOLATION, 0};
    }
    const bool is_written = brig_trap_write(call, call->args[0], facts->uname, sizeof facts->uname);
    return brig_trap_answer(is_written ? 0 : -EFAULT);
}

static const enum brig_dsl_call calls[] = {BRIG_SYS_getrandom, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_uname_when_armed = {
    .dsl = {.name = "uname_when_armed", .calls = calls},
    .emulate = uname_when_armed,
};
