// policy_bytes: every policy, and every promise with stdio, compiled for every arch, as text: instructions, and what each trap
// means.
//
// Built for several CPUs and run on all of them: the texts must be the same to the byte, because nothing of the machine that a
// policy was compiled on may be in it. cross_test.c compares.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "policies/policies.h"

static unsigned char memory[BRIG_DSL_ARENA_BYTES];

static void print_traps(const struct brig_dsl_program *program)
{
    for (uint32_t id = 1; id < program->trap_count; id++) {
        const struct brig_dsl_trap *trap = &program->traps[id];
        printf("trap %u origin %d verb %d data %d row %s:%d handler %s\n", id, (int)trap->origin, (int)trap->action.verb,
               trap->action.data, trap->row ? trap->row->file : "-", trap->row ? trap->row->line : 0,
               trap->action.handler ? trap->action.handler->name : "-");
    }
}

static int print_program(const struct brig_dsl_policy *policy, enum brig_dsl_arch arch)
{
    struct brig_dsl_options options = {.arch = arch, .self_pid = 4242, .notify_fd = 7};
    struct brig_dsl_arena arena;
    struct brig_dsl_program program;
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (brig_dsl_compile(policy, &options, &arena, &program, &error) != BRIG_OK) {
        fprintf(stderr, "%s for %s: %s\n", policy->name, brig_dsl_arch_name(arch), brig_error_format(&error, text, sizeof text));
        return 1;
    }
    printf("%s %s %u insns hash %016" PRIx64 " plain %d\n", policy->name, brig_dsl_arch_name(arch), program.insn_count,
           program.hash, program.is_plain);
    for (uint32_t i = 0; i < program.insn_count; i++) {
        const struct sock_filter *insn = &program.insns[i];
        printf("%04x %02x %02x %08x\n", insn->code, insn->jt, insn->jf, insn->k);
    }
    print_traps(&program);
    return 0;
}

static int print_policy(const struct brig_dsl_policy *policy)
{
    int failures = 0;
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        failures += print_program(policy, (enum brig_dsl_arch)arch);
    }
    return failures;
}

static int print_promise(const char *name)
{
    static struct brig_policy_pledge_memory pledge;
    const struct brig_dsl_policy *policy;
    char promises[40];
    snprintf(promises, sizeof promises, "stdio %s", name);
    return brig_policy_pledge(promises, &pledge, &policy, NULL) == BRIG_OK ? print_policy(policy) : 1;
}

int main(void)
{
    int failures = 0;
    for (size_t i = 0; brig_policy_all[i]; i++) {
        failures += print_policy(brig_policy_all[i]);
    }
    for (const struct brig_policy_promise *promise = brig_policy_all_promises; promise->name; promise++) {
        failures += print_promise(promise->name);
    }
    return failures ? 1 : 0;
}
