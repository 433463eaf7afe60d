// check: proves that the bytes of a program decide what the rules say, for every arch, number and argument.
//
// Takes: a program, and the rules (or the evaluators) that it was made from, for each of its arches. Gives: equal, different, or
// undecided. Guarantees: "equal" is a proof over all inputs: each number that is a call is compared by itself, all numbers that
// are no call in bulk. Production code: it runs in every compile. Known weaknesses: it trusts the tables (number of each call) and
// the resolved rules; its budget ends before some programs that test many masks of one word, or whose rules overlap in many
// arguments at once.
#include "bpf_dsl/check.h"

#include <linux/seccomp.h>

#include "bpf_dsl/check_parts.h"

// --- what must be said about each number ------------------------------------------------------------------------------

struct reader {
    const struct dsl_check_input *input;
    const struct dsl_target *target; // at work
    struct brig_dsl_arena *arena;
    struct check_subjects subjects;
    const struct check_subject *unknown;
    const struct check_subject *latest; // constant
    struct check_numbers *numbers;
    uint32_t count;
    uint32_t node_count; // expressions that there were before an evaluator was asked again
    bool is_wavering;    // it answered something that was not there
    uint32_t wavering_nr;
    bool is_short; // the arena ran out
};

static const struct check_subject *constant(struct reader *reader, uint32_t ret)
{
    if (reader->latest != NULL && reader->latest->ret == ret) {
        return reader->latest;
    }
    struct check_subject *subject = DSL_ARENA_NEW(reader->arena, struct check_subject);
    if (subject != NULL) {
        *subject = (struct check_subject){.ret = ret};
        reader->latest = subject;
    }
    return subject;
}

// Equal expressions are one node, so an evaluator that says the same again makes no new ones.
static bool ask_again(struct reader *reader, enum brig_dsl_call call, struct check_subject *subject)
{
    enum brig_dsl_arch arch = reader->target->arch;
    const struct brig_dsl_evaluator *evaluator = &reader->target->evaluator;
    struct brig_dsl_builder *builder = reader->input->builder;
    struct brig_dsl_verdict verdict = dsl_builder_accept(builder, evaluator->evaluate(evaluator->context, builder, call, arch));
    if (builder->nodes.count > reader->node_count) {
        reader->wavering_nr = reader->is_wavering ? reader->wavering_nr : (uint32_t)brig_dsl_call_nr(call, arch);
        reader->is_wavering = true;
        *subject = (struct check_subject){.ret = 0};
        return true;
    }
    return dsl_check_read_verdict(&reader->subjects, verdict, reader->arena, subject);
}

// What the rules, or the evaluator, say about `call`; BRIG_SYS_NONE stands for every number that is none.
static const struct check_subject *read_call(struct reader *reader, enum brig_dsl_call call)
{
    const struct brig_dsl_rules *rules = reader->target->rules;
    if (rules != NULL && (call == BRIG_SYS_NONE || brig_dsl_rules_of(rules, call)->rule_count == 0)) {
        bool is_new = call == BRIG_SYS_NONE || brig_dsl_call_since(call) > rules->kernel;
        return constant(reader, is_new ? rules->unknown_ret : rules->fallback_ret);
    }
    if (rules != NULL && brig_dsl_rules_of(rules, call)->rule_count == 1) {
        return constant(reader, brig_dsl_rules_of(rules, call)->rules[0]->ret);
    }
    struct check_subject *subject = DSL_ARENA_NEW(reader->arena, struct check_subject);
    bool done = false;
    if (subject != NULL && rules != NULL) {
        done = dsl_check_read_rules(brig_dsl_rules_of(rules, call), reader->arena, subject);
    } else if (subject != NULL) {
        done = ask_again(reader, call, subject);
    }
    reader->is_short |= !done;
    return subject;
}

static bool says_constantly(const struct check_subject *subject)
{
    return subject->rule_count == 0 && subject->verdict == NULL;
}

// Adds the numbers from where the last ones ended up to `last`.
static void add_numbers(struct reader *reader, uint32_t last, const struct check_subject *subject)
{
    if (subject == NULL || reader->numbers == NULL) {
        return; // out of arena, which was noted
    }
    struct check_numbers *before = reader->count > 0 ? &reader->numbers[reader->count - 1] : NULL;
    if (before != NULL && before->last >= last) {
        return;
    }
    if (before != NULL && says_constantly(subject) && says_constantly(before->subject) && before->subject->ret == subject->ret) {
        before->last = last;
        return;
    }
    reader->numbers[reader->count++] =
        (struct check_numbers){.first = before != NULL ? before->last + 1 : 0, .last = last, .subject = subject};
}

static void add_number(struct reader *reader, uint32_t nr, const struct check_subject *subject)
{
    if (nr > 0) {
        add_numbers(reader, nr - 1, reader->unknown);
    }
    add_numbers(reader, nr, subject);
}

static void add_reserved(struct reader *reader)
{
    add_number(reader, BRIG_DSL_DIE_NR, constant(reader, SECCOMP_RET_KILL_PROCESS));
    add_number(reader, BRIG_DSL_PROBE_NR, constant(reader, SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO));
    const struct dsl_target *target = reader->target;
    if (target->rules != NULL ? target->rules->asks_broker : target->evaluator.asks_broker) {
        add_number(reader, BRIG_DSL_BROKER_NR, constant(reader, SECCOMP_RET_ALLOW));
    }
}

// The numbers of calls about which something has to be said: where unknown numbers get the fallback too, calls without rules are
// nothing special, and of few calls there are rules where a policy of another tool names few.
struct notable {
    bool is_all;
    uint32_t count; // of calls with rules, where not all are notable
    uint32_t end;   // none of the rows' numbers is here or above
    uint64_t rows[BRIG_DSL_TRAP_NRS / 64];
};

static void note_call(const struct dsl_target *target, uint32_t call, struct notable *notable)
{
    uint32_t nr = (uint32_t)brig_dsl_call_nr((enum brig_dsl_call)call, target->arch); // or none, which is not below anything
    notable->count++;
    if (nr < BRIG_DSL_TRAP_NRS) {
        notable->rows[nr / 64] |= UINT64_C(1) << nr % 64;
        notable->end = nr >= notable->end ? nr + 1 : notable->end;
    }
}

static struct notable find_notable(const struct dsl_target *target)
{
    const struct brig_dsl_rules *rules = target->rules;
    struct notable notable = {.is_all = rules == NULL || rules->with_rules == NULL || rules->fallback_ret != rules->unknown_ret};
    for (uint32_t i = 0; !notable.is_all && i <= BRIG_SYS_COUNT / 64; i++) {
        for (uint64_t rest = rules->with_rules[i]; rest != 0; rest &= rest - 1) {
            note_call(target, 64 * i + (uint32_t)__builtin_ctzll(rest), &notable);
        }
    }
    return notable;
}

// The next number from `from` on that may be notable; few calls are above BRIG_DSL_TRAP_NRS, and all those count.
static uint32_t pass_silent(const struct notable *notable, uint32_t from)
{
    while (from < notable->end) {
        uint64_t row = notable->rows[from / 64] >> from % 64;
        if (row != 0) {
            return from + (uint32_t)__builtin_ctzll(row);
        }
        from = (from / 64 + 1) * 64;
    }
    return from < BRIG_DSL_TRAP_NRS ? BRIG_DSL_TRAP_NRS : from;
}

static enum brig_dsl_call next_notable(const struct notable *notable, enum brig_dsl_arch arch, uint32_t from, uint32_t *ret_nr)
{
    return brig_dsl_next_call(arch, notable->is_all ? from : pass_silent(notable, from), ret_nr);
}

static void read_numbers(struct reader *reader, const struct notable *notable)
{
    const struct dsl_target *target = reader->target;
    const struct brig_dsl_rules *rules = target->rules;
    bool is_bare = rules != NULL ? rules->is_import : target->evaluator.is_bare;
    bool has_reserved = is_bare;
    enum brig_dsl_call call;
    uint32_t nr = 0;
    for (uint32_t from = 0; (call = next_notable(notable, target->arch, from, &nr)) != BRIG_SYS_NONE; from = nr + 1) {
        if (!has_reserved && nr > BRIG_DSL_DIE_NR) {
            add_reserved(reader);
            has_reserved = true;
        }
        add_number(reader, nr, read_call(reader, call));
    }
    if (!has_reserved) {
        add_reserved(reader);
    }
    if (target->arch == BRIG_DSL_X86_64) {
        add_numbers(reader, 0x3fffffff, reader->unknown);
        // -1 is what a tracer leaves of a call that it skips: no call, whoever wrote the policy.
        add_numbers(reader, is_bare ? UINT32_MAX - 1 : 0x7fffffff,
                    constant(reader, rules != NULL ? rules->x32_ret : target->evaluator.x32_ret));
    }
    add_numbers(reader, UINT32_MAX, reader->unknown);
}

// Reads what is said about every number of one arch.
static void read_target(struct reader *reader, const struct dsl_target *target, struct check_target *ret_target)
{
    reader->target = target;
    const struct notable notable = find_notable(target);
    // Each call gives a run of its own and one after it; then the reserved numbers, x32, and the end.
    uint32_t most = 2 * (notable.is_all ? BRIG_SYS_COUNT : notable.count) + 8;
    reader->numbers = DSL_ARENA_ARRAY(reader->arena, struct check_numbers, most);
    reader->count = 0;
    reader->unknown = read_call(reader, BRIG_SYS_NONE);
    if (reader->unknown != NULL) {
        read_numbers(reader, &notable);
    }
    *ret_target = (struct check_target){
        .audit_arch = brig_dsl_arch_audit(target->arch), .numbers = reader->numbers, .number_count = reader->count};
}

// An evaluator is asked again, so its conditions are read by node. All nodes that there will be are there already.
static bool start_expressions(struct reader *reader)
{
    size_t count = reader->input->builder->nodes.count;
    reader->node_count = (uint32_t)count;
    reader->subjects.builder = reader->input->builder;
    reader->subjects.of_expression = DSL_ARENA_ARRAY(reader->arena, const struct check_condition *, count);
    reader->subjects.needed = DSL_ARENA_ARRAY(reader->arena, bool, count);
    if (reader->subjects.of_expression == NULL || reader->subjects.needed == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        reader->subjects.of_expression[i] = NULL;
    }
    return true;
}

// Reads all targets. Returns: EQUAL, or what comes of it already.
static enum dsl_checked read_targets(struct reader *reader, struct check_target *ret_targets, uint32_t *ret_nr)
{
    if (reader->input->targets[0].rules == NULL && !start_expressions(reader)) {
        return DSL_CHECKED_UNDECIDED;
    }
    for (uint32_t i = 0; i < reader->input->target_count; i++) {
        read_target(reader, &reader->input->targets[i], &ret_targets[i]);
    }
    if (reader->is_wavering) {
        *ret_nr = reader->wavering_nr;
        return DSL_CHECKED_DIFFERENT;
    }
    return reader->is_short || reader->arena->exhausted ? DSL_CHECKED_UNDECIDED : DSL_CHECKED_EQUAL;
}

enum dsl_checked dsl_check(const struct dsl_check_input *input, struct brig_dsl_arena *arena, uint32_t *ret_nr)
{
    struct reader reader = {.input = input, .arena = arena};
    const struct dsl_target *first = &input->targets[0];
    struct dsl_check_walk *walk = DSL_ARENA_NEW(arena, struct dsl_check_walk);
    struct check_target *targets = DSL_ARENA_ARRAY(arena, struct check_target, input->target_count);
    if (walk == NULL || targets == NULL) {
        return DSL_CHECKED_UNDECIDED;
    }
    enum dsl_checked checked = read_targets(&reader, targets, ret_nr);
    if (checked != DSL_CHECKED_EQUAL) {
        return checked;
    }
    *walk = (struct dsl_check_walk){
        .insns = input->insns,
        .insn_count = input->insn_count,
        .subjects = &reader.subjects,
        .targets = targets,
        .target_count = input->target_count,
        .steps = input->steps,
        .patience = input->patience,
        .chains = input->chains,
        .few_ways = input->few_ways,
        .taken = input->taken,
        .foreign = constant(&reader, first->rules != NULL ? first->rules->foreign_ret : first->evaluator.foreign_ret)};
    if (walk->foreign == NULL) {
        return DSL_CHECKED_UNDECIDED;
    }
    checked = dsl_check_walk(walk, arena);
    *ret_nr = walk->nr;
    return checked;
}
