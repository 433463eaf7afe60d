// Any bytes as programs: whatever passes validation is optimised, and merged with a part of itself. What comes out is valid,
// returns the same for calls near the program's constants, is never bigger, and loses nothing of the kernel's bitmap. Its decisions
// can be looked at.
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/measure.h"
#include "bpf_dsl/optimize.h"
#include "bpf_dsl/stages.h"
#include "tests/bpf_dsl/random_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { CALLS = 96, NUMBERS = 48, LONGEST = 400 };

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "optimize_fuzz: %s\n", what);
        abort();
    }
}

static unsigned char *arena_memory(void)
{
    static unsigned char *memory;
    memory = memory == NULL ? malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES) : memory;
    must(memory != NULL, "no memory");
    return memory;
}

static uint32_t run(const struct sock_filter *insns, size_t count, const struct brig_dsl_data *call)
{
    return brig_dsl_interpret(insns, count, call, NULL).ret;
}

static void check_optimize(const struct brig_dsl_filter *filter)
{
    struct brig_dsl_options options = {.arch = BRIG_DSL_X86_64};
    struct brig_dsl_optimized optimized;
    struct brig_dsl_arena arena;
    struct random random = {filter->insn_count + 1};
    brig_dsl_arena_init(&arena, arena_memory(), BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    must(brig_dsl_optimize(filter, &options, &arena, &optimized, NULL) == BRIG_OK, "a valid program that is not optimised");
    must(brig_dsl_validate(optimized.insns, optimized.insn_count, NULL) == BRIG_OK, "a result that the kernel would refuse");
    must(optimized.insn_count <= filter->insn_count, "more instructions than before");
    must(dsl_ebpf_size(optimized.insns, optimized.insn_count) <= dsl_ebpf_size(filter->insns, filter->insn_count),
         "more of the kernel's instructions than before");
    for (uint32_t nr = 0; nr < NUMBERS; nr++) {
        must(!brig_dsl_is_cached_allow(filter->insns, filter->insn_count, AUDIT_ARCH_X86_64, nr) ||
                 brig_dsl_is_cached_allow(optimized.insns, optimized.insn_count, AUDIT_ARCH_X86_64, nr),
             "a number that the bitmap has lost");
    }
    for (int i = 0; i < CALLS; i++) {
        struct brig_dsl_data call = random_filter_call(&random, filter->insns, (uint32_t)filter->insn_count);
        must(run(optimized.insns, optimized.insn_count, &call) == run(filter->insns, filter->insn_count, &call),
             "a call that is decided otherwise");
    }
}

// The program below its own second half, where that is a program as well.
static void check_merge(const struct brig_dsl_filter *filter)
{
    struct brig_dsl_options options = {.arch = BRIG_DSL_X86_64};
    struct brig_dsl_optimized merged;
    struct brig_dsl_arena arena;
    struct random random = {filter->insn_count + 2};
    size_t half = filter->insn_count / 2;
    const struct brig_dsl_filter filters[] = {*filter, {filter->insns + half, filter->insn_count - half}};
    if (brig_dsl_validate(filters[1].insns, filters[1].insn_count, NULL) != BRIG_OK) {
        return;
    }
    brig_dsl_arena_init(&arena, arena_memory(), BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    enum brig_code code = brig_dsl_merge(filters, 2, &options, &arena, &merged, NULL);
    must(code != BRIG_BUG_CHECK_FAILED && code != BRIG_BAD_PROGRAM, "a stack that is not merged");
    for (int i = 0; code == BRIG_OK && i < CALLS; i++) {
        struct brig_dsl_data call = random_filter_call(&random, filter->insns, (uint32_t)filter->insn_count);
        uint32_t upper = run(filters[1].insns, filters[1].insn_count, &call);
        uint32_t lower = run(filters[0].insns, filters[0].insn_count, &call);
        int32_t upper_action = (int32_t)(upper & SECCOMP_RET_ACTION_FULL);
        int32_t lower_action = (int32_t)(lower & SECCOMP_RET_ACTION_FULL);
        uint32_t both = lower_action < upper_action ? lower : upper;
        both = (int32_t)(both & SECCOMP_RET_ACTION_FULL) >= (int32_t)SECCOMP_RET_ALLOW ? SECCOMP_RET_ALLOW : both;
        must(run(merged.insns, merged.insn_count, &call) == both, "a call that the stack decides otherwise");
    }
}

// Nodes come with falling ids, users first, and what a node is about is in order.
static void look(void *context, const struct brig_dsl_node *node)
{
    uint32_t *last = context;
    must(node->id < *last, "a node that comes twice, or too late");
    *last = node->id;
    for (uint32_t i = 0; i < node->run_count; i++) {
        const struct brig_dsl_node_run *now = &node->runs[i];
        must(now->first <= now->last && now->last <= UINT32_MAX, "a run that is none");
        must(i == 0 || now[-1].last < now->first, "runs out of order");
        must(now->target < node->id, "an arrow that goes back");
    }
}

static void check_visit(const struct brig_dsl_filter *filter)
{
    uint32_t last = UINT32_MAX;
    struct brig_dsl_options options = {.arch = BRIG_DSL_X86_64};
    struct brig_dsl_visitor visitor = {.stage = BRIG_DSL_STAGE_DECISIONS, .visit = look, .context = &last};
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, arena_memory(), BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    must(brig_dsl_visit_program(filter, &options, &arena, &visitor, NULL) == BRIG_OK, "a valid program that is not read");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct sock_filter insns[LONGEST];
    size_t count = bytes / sizeof *insns;
    count = count > LONGEST ? LONGEST : count;
    memcpy(insns, data, count * sizeof *insns);
    const struct brig_dsl_filter filter = {insns, count};
    if (brig_dsl_validate(insns, count, NULL) == BRIG_OK) {
        check_optimize(&filter);
        check_merge(&filter);
        check_visit(&filter);
    }
    return 0;
}
