// ranges: every number of an arch from 0 to 2^32-1, once.
//
// Takes: an evaluator. Gives: sorted runs of numbers, neighbours with different verdicts; then the decision over those of all
// arches. Requires: the tables. Guarantees: the runs cover everything: calls, numbers between them that are no call, the
// reserved numbers where there are any, x32 numbers on x86_64, and what is above. The evaluator is asked once per call.
// A bare evaluator says the same of x32 numbers and of all above them but the last: -1 is what a tracer leaves of a call that it
// skips, filters run after tracers (since Linux 4.8), and other tools' compilers take it for any number that is no call.
// Weaknesses: none known.
#include "bpf_dsl/ranges.h"

#include <linux/seccomp.h>

// x32 numbers have this bit and not the one above it.
#define DSL_X32_FIRST 0x40000000u
#define DSL_X32_LAST 0x7fffffffu
#define DSL_SKIPPED_NR 0xffffffffu
// Besides a run for each call: one after it, the reserved numbers, x32 and what is above.
enum { DSL_MORE_RANGES = 16 };

struct range_list {
    struct dsl_range *ranges;
    uint32_t count;
};

static void push(struct range_list *list, uint32_t first, struct brig_dsl_verdict verdict)
{
    if (list->count > 0 && list->ranges[list->count - 1].first == first) { // nothing was between
        list->count--;
    }
    if (list->count == 0 || list->ranges[list->count - 1].verdict.node != verdict.node) {
        list->ranges[list->count++] = (struct dsl_range){first, verdict};
    }
}

static struct brig_dsl_verdict ask(const struct brig_dsl_evaluator *evaluator, struct brig_dsl_builder *builder,
                                   enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    return dsl_builder_accept(builder, evaluator->evaluate(evaluator->context, builder, call, arch));
}

static void push_one(struct range_list *list, uint32_t nr, struct brig_dsl_verdict verdict, struct brig_dsl_verdict unknown)
{
    push(list, nr, verdict);
    push(list, nr + 1, unknown);
}

static void push_reserved(struct range_list *list, struct brig_dsl_builder *builder, const struct brig_dsl_evaluator *evaluator,
                          struct brig_dsl_verdict unknown)
{
    push_one(list, BRIG_DSL_DIE_NR, brig_dsl_ret(builder, SECCOMP_RET_KILL_PROCESS), unknown);
    push_one(list, BRIG_DSL_PROBE_NR, brig_dsl_ret(builder, SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO), unknown);
    if (evaluator->asks_broker) {
        push_one(list, BRIG_DSL_BROKER_NR, brig_dsl_ret(builder, SECCOMP_RET_ALLOW), unknown);
    }
}

bool dsl_ranges_build(const struct brig_dsl_evaluator *evaluator, enum brig_dsl_arch arch, struct brig_dsl_builder *builder,
                      struct dsl_ranges *ret_ranges)
{
    struct dsl_asked_calls asked = dsl_asked_calls(evaluator, arch);
    struct range_list list = {DSL_ARENA_ARRAY(builder->nodes.arena, struct dsl_range, 2 * asked.most + DSL_MORE_RANGES), 0};
    if (list.ranges == NULL) {
        return false;
    }
    struct brig_dsl_verdict unknown = ask(evaluator, builder, BRIG_SYS_NONE, arch);
    push(&list, 0, unknown);
    bool needs_reserved = !evaluator->is_bare;
    enum brig_dsl_call call;
    uint32_t nr = 0;
    while ((call = dsl_asked_next(&asked, &nr)) != BRIG_SYS_NONE) {
        if (needs_reserved && nr > BRIG_DSL_BROKER_NR) {
            push_reserved(&list, builder, evaluator, unknown);
            needs_reserved = false;
        }
        push_one(&list, nr, ask(evaluator, builder, call, arch), unknown);
    }
    if (needs_reserved) {
        push_reserved(&list, builder, evaluator, unknown);
    }
    if (arch == BRIG_DSL_X86_64) {
        const uint32_t last = evaluator->is_bare ? DSL_SKIPPED_NR - 1 : DSL_X32_LAST;
        push(&list, DSL_X32_FIRST, brig_dsl_ret(builder, evaluator->x32_ret));
        push(&list, last + 1, unknown);
    }
    *ret_ranges = (struct dsl_ranges){.arch = arch, .ranges = list.ranges, .count = list.count};
    return !builder->nodes.arena->exhausted;
}

static uint32_t decide_numbers(const struct dsl_ranges *ranges, struct dsl_lowering *lowering)
{
    struct dsl_decisions *graph = lowering->graph;
    struct dsl_run *runs = DSL_ARENA_ARRAY(graph->nodes.arena, struct dsl_run, ranges->count);
    if (runs == NULL) {
        return DSL_DECISION_NO;
    }
    for (uint32_t i = 0; i < ranges->count; i++) {
        uint32_t nr = ranges->ranges[i].first;
        uint32_t node = ranges->ranges[i].verdict.node;
        runs[i] = (struct dsl_run){nr, dsl_lower_verdict(lowering, ranges->ranges[i].verdict)};
        if (lowering->is_chain[node] && nr < BRIG_DSL_TRAP_NRS) {
            lowering->chains[nr / 64] |= UINT64_C(1) << nr % 64;
        }
    }
    return dsl_decision_switch(graph, DSL_WORD_NR, UINT32_MAX, runs, ranges->count);
}

// Of `count` arches the one with the smallest number at or above `from`. Returns: its index, or `count` if there is none.
static uint32_t next_arch(const struct dsl_ranges *ranges, uint32_t count, uint32_t from)
{
    uint32_t next = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t audit_arch = brig_dsl_arch_audit(ranges[i].arch);
        if (audit_arch >= from && (next == count || audit_arch < brig_dsl_arch_audit(ranges[next].arch))) {
            next = i;
        }
    }
    return next;
}

uint32_t dsl_ranges_decide(const struct dsl_ranges *ranges, uint32_t count, uint32_t foreign_ret, struct dsl_lowering *lowering)
{
    struct dsl_decisions *graph = lowering->graph;
    uint32_t ours[BRIG_DSL_ARCH_COUNT];
    for (uint32_t i = 0; i < count; i++) {
        ours[i] = decide_numbers(&ranges[i], lowering);
    }
    uint32_t foreign = dsl_decision_ret(graph, foreign_ret);
    struct dsl_run runs[2 * BRIG_DSL_ARCH_COUNT + 1] = {{0, foreign}};
    uint32_t run_count = 1;
    uint32_t which;
    for (uint32_t from = 0; (which = next_arch(ranges, count, from)) < count;) {
        uint32_t audit_arch = brig_dsl_arch_audit(ranges[which].arch);
        if (runs[run_count - 1].first == audit_arch) { // nothing was between
            run_count--;
        }
        from = audit_arch + 1;
        runs[run_count++] = (struct dsl_run){audit_arch, ours[which]};
        runs[run_count++] = (struct dsl_run){from, foreign};
    }
    return dsl_decision_switch(graph, DSL_WORD_ARCH, UINT32_MAX, runs, run_count);
}
