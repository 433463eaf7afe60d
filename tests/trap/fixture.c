// Builds, installs and runs what fixture.h describes.
#include "tests/trap/fixture.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// --- the program ------------------------------------------------------------------------------------------------------

static void emit(struct trap_fixture *fixture, struct sock_filter insn)
{
    fixture->insns[fixture->program.insn_count++] = insn;
}

static void emit_load(struct trap_fixture *fixture, size_t offset)
{
    emit(fixture, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void emit_return(struct trap_fixture *fixture, uint32_t value)
{
    emit(fixture, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
}

static uint32_t return_of(const struct brig_dsl_action *action, uint32_t trap_id)
{
    switch (action->verb) {
    case BRIG_DSL_ALLOW:
        return SECCOMP_RET_ALLOW;
    case BRIG_DSL_DENY:
        return SECCOMP_RET_ERRNO | action->data;
    case BRIG_DSL_KILL_PROCESS:
        return SECCOMP_RET_KILL_PROCESS;
    default:
        return SECCOMP_RET_TRAP | trap_id;
    }
}

// Loads the number, and answers if it is `nr` and the argument, if one is asked for, has its value.
static void emit_rule(struct trap_fixture *fixture, const struct trap_rule *rule, uint32_t ret)
{
    emit_load(fixture, offsetof(struct seccomp_data, nr));
    if (rule->argument == ANY) {
        emit(fixture, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->nr, 0, 1));
    } else {
        emit(fixture, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->nr, 0, 3));
        emit_load(fixture, offsetof(struct seccomp_data, args) + 8 * (size_t)rule->argument);
        emit(fixture, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->value, 0, 1));
    }
    emit_return(fixture, ret);
}

static void note_nr(struct brig_dsl_trap *trap, uint32_t nr)
{
    if (nr < BRIG_DSL_TRAP_NRS) {
        trap->nr_set[nr / 64] |= UINT64_C(1) << nr % 64;
    } else {
        trap->other_nrs = true;
    }
}

static void emit_checks(struct trap_fixture *fixture)
{
    const uint32_t audit_arch = brig_dsl_arch_audit(fixture->program.arch);
    const uint32_t x32_bit = fixture->program.arch == BRIG_DSL_X86_64 ? 0x40000000u : 0;
    const struct trap_rule die = {BRIG_DSL_DIE_NR, ANY, 0, {.verb = BRIG_DSL_KILL_PROCESS}};
    emit_load(fixture, offsetof(struct seccomp_data, arch));
    emit(fixture, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit_arch, 1, 0));
    emit_return(fixture, SECCOMP_RET_TRAP | FIXTURE_FOREIGN_ID);
    emit_load(fixture, offsetof(struct seccomp_data, nr));
    emit(fixture, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, x32_bit, 0, 1));
    emit_return(fixture, SECCOMP_RET_TRAP | FIXTURE_X32_ID);
    emit_rule(fixture, &die, SECCOMP_RET_KILL_PROCESS);
}

static uint64_t hash_of(const struct trap_fixture *fixture)
{
    uint64_t hash = fixture->program.insn_count;
    for (uint32_t i = 0; i < fixture->program.insn_count; i++) {
        hash = (hash ^ fixture->insns[i].code ^ (uint64_t)fixture->insns[i].k << 16) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void build(struct trap_fixture *fixture, const struct trap_rule *rules, size_t rule_count, struct brig_dsl_action fallback)
{
    const struct brig_dsl_action crash = {.verb = BRIG_DSL_CRASH};
    struct brig_dsl_trap *traps = fixture->traps;
    traps[FIXTURE_FOREIGN_ID] = (struct brig_dsl_trap){.origin = BRIG_DSL_ORIGIN_FOREIGN_ARCH, .action = crash};
    traps[FIXTURE_X32_ID] = (struct brig_dsl_trap){.origin = BRIG_DSL_ORIGIN_X32, .action = crash};
    const bool traps_others = return_of(&fallback, FIXTURE_FALLBACK_ID) == (SECCOMP_RET_TRAP | FIXTURE_FALLBACK_ID);
    traps[FIXTURE_FALLBACK_ID] = (struct brig_dsl_trap){
        .origin = BRIG_DSL_ORIGIN_FALLBACK, .action = traps_others ? fallback : crash, .other_nrs = traps_others};
    memset(traps[FIXTURE_FALLBACK_ID].nr_set, traps_others ? 0xff : 0, sizeof traps->nr_set);
    emit_checks(fixture);
    uint32_t id = FIXTURE_FIRST_RULE_ID;
    for (size_t i = 0; i < rule_count; i++, id++) {
        const struct brig_dsl_action *action = &rules[i].action;
        const bool is_trap = return_of(action, id) == (SECCOMP_RET_TRAP | id);
        traps[id] = (struct brig_dsl_trap){.origin = BRIG_DSL_ORIGIN_ROW, .action = is_trap ? *action : crash};
        note_nr(&traps[id], (uint32_t)rules[i].nr);
        emit_rule(fixture, &rules[i], return_of(action, id));
    }
    emit_return(fixture, return_of(&fallback, FIXTURE_FALLBACK_ID));
    fixture->program.trap_count = id;
}

void fixture_start(struct trap_fixture *fixture, const struct trap_rule *rules, size_t rule_count, struct brig_dsl_action fallback)
{
    *fixture = (struct trap_fixture){.program = {.arch = brig_dsl_arch_native(), .policy = "fixture"}};
    fixture->program.insns = fixture->insns;
    fixture->program.traps = fixture->traps;
    build(fixture, rules, rule_count, fallback);
    fixture->program.hash = hash_of(fixture);

    fixture->slots = mmap(NULL, sizeof *fixture->slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(fixture->slots != MAP_FAILED);
    fixture->slots->magic = BRIG_TRAP_RECORD_MAGIC;
    fixture->slots->version = BRIG_TRAP_RECORD_VERSION;
    fixture->slots->slot_count = BRIG_TRAP_SLOT_COUNT;
    fixture->setup = (struct brig_trap_setup){.slots = fixture->slots, .notify_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    CHECK(fixture->setup.notify_fd >= 0);
}

void fixture_end(struct trap_fixture *fixture)
{
    munmap(fixture->slots, sizeof *fixture->slots);
    close(fixture->setup.notify_fd);
}

// --- processes --------------------------------------------------------------------------------------------------------

bool fixture_install(const struct trap_fixture *fixture)
{
    const struct sock_fprog program = {.len = (unsigned short)fixture->program.insn_count,
                                       .filter = (struct sock_filter *)(uintptr_t)fixture->program.insns};
    return CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0) &&
           CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program), 0);
}

bool fixture_lock(struct trap_fixture *fixture)
{
    struct brig_error error;
    return CHECK_OK(brig_trap_arm(&fixture->program, &fixture->setup, &error), &error) && fixture_install(fixture);
}

int fixture_run(struct trap_fixture *fixture, void (*body)(void))
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        if (fixture_lock(fixture)) {
            body();
        }
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

size_t fixture_record_count(const struct trap_fixture *fixture)
{
    size_t count = 0;
    for (size_t i = 0; i < BRIG_TRAP_SLOT_COUNT; i++) {
        count += __atomic_load_n(&fixture->slots->slots[i].state, __ATOMIC_ACQUIRE) == BRIG_TRAP_SLOT_READY;
    }
    return count;
}

const struct brig_trap_record *fixture_record(const struct trap_fixture *fixture, size_t index)
{
    for (size_t i = 0; i < BRIG_TRAP_SLOT_COUNT; i++) {
        const struct brig_trap_slot *slot = &fixture->slots->slots[i];
        if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) == BRIG_TRAP_SLOT_READY && index-- == 0) {
            return &slot->record;
        }
    }
    return NULL;
}

long fixture_call(long nr, long a, long b, long c, long d)
{
    const long result = syscall(nr, a, b, c, d);
    return result == -1 ? -errno : result;
}

__thread uintptr_t fixture_handler_at;

static struct brig_trap_outcome note(const struct brig_trap_call *call)
{
    (void)call;
    fixture_handler_at = (uintptr_t)__builtin_frame_address(0);
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, FIXTURE_NOTED};
}

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
const struct brig_trap_emulation fixture_noting = {.dsl = {.name = "note", .calls = no_calls}, .emulate = note};
