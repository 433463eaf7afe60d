// check_programs: proves that a program returns what another one, or a stack of them, returns.
//
// Takes: programs. Gives: equal, different, or undecided. How: all paths of the new program; where one returns, the old ones are
// run from their start under the facts of that path, which split it further where they tell apart what the new one did not; at the
// end the values are compared. Facts are those of check_facts.c; what registers hold is a constant, or one word under a mask with a
// few operations by constants on top (check_values.c), so bitmaps and biased tests are followed exactly. Guarantees: exact;
// anything else that is computed makes it undecided, never equal. Shares nothing with the passes that make programs. Weaknesses:
// paths that meet are walked once for each way; steps are counted, CHECK_PROGRAMS_STEPS of them.
#include "bpf_dsl/check_programs.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/check_values.h"

enum {
    CHECK_PROGRAMS_STEPS = 16000000,
    CHECK_MORE_FORKS = 1024, // beyond one per instruction of a path
    CHECK_MOST_PROGRAMS = 64,
};

// One place on a path: in which program, where, with what in its registers, and what the ones before have returned.
struct place {
    uint32_t program; // 0: the subject; then the stack from its end
    uint32_t pc;
    uint32_t registers[CHECK_REGISTERS];
    uint32_t ret;      // the subject's
    uint32_t combined; // of the stack so far
};

// A piece of a test still to be walked.
struct fork {
    struct place place;
    struct dsl_check_mark mark;
    uint32_t word;
    uint32_t mask;
    struct check_range range;
};

struct comparison {
    const struct dsl_code *programs; // the subject, then the stack from its end
    uint32_t program_count;
    struct check_facts facts;
    struct check_values values;
    struct fork *forks;
    uint32_t fork_count;
    uint32_t fork_limit;
    bool is_lost; // something is computed that is not followed, or there was no room
};

// --- what several programs return together ----------------------------------------------------------------------------

// The lower of two actions, as signed numbers; of equal ones, that of the program that runs first. Source: kernel/seccomp.c:
// seccomp_run_filters.
static uint32_t combine(uint32_t so_far, uint32_t ret)
{
    int32_t action = (int32_t)(ret & SECCOMP_RET_ACTION_FULL);
    return action < (int32_t)(so_far & SECCOMP_RET_ACTION_FULL) ? ret : so_far;
}

static enum dsl_checked compare(struct comparison *comparison, const struct place *place)
{
    if (place->ret == place->combined || !dsl_check_is_possible(&comparison->facts)) {
        return DSL_CHECKED_EQUAL;
    }
    return comparison->facts.overflowed ? DSL_CHECKED_UNDECIDED : DSL_CHECKED_DIFFERENT;
}

// --- tests ------------------------------------------------------------------------------------------------------------

static const struct sock_filter *insn_at(const struct comparison *comparison, const struct place *place)
{
    return &comparison->programs[place->program].insns[place->pc];
}

// Keeps a piece for later.
static void push(struct comparison *comparison, const struct place *place, uint32_t to, const struct check_piece *piece)
{
    if (comparison->fork_count == comparison->fork_limit) {
        comparison->is_lost = true;
        return;
    }
    struct fork *fork = &comparison->forks[comparison->fork_count++];
    *fork = (struct fork){.place = *place,
                          .mark = dsl_check_mark(&comparison->facts),
                          .word = piece->word,
                          .mask = piece->mask,
                          .range = piece->range};
    fork->place.pc = to;
}

// Goes on with one piece of a test, and keeps the others. Returns: false where there is none: no call comes here.
static bool take_test(struct comparison *comparison, struct place *place)
{
    const struct sock_filter *insn = insn_at(comparison, place);
    struct check_piece pieces[CHECK_PIECES];
    bool known;
    uint32_t targets[] = {place->pc + 1 + insn->jf, place->pc + 1 + insn->jt};
    if (targets[0] == targets[1]) {
        place->pc = targets[0];
        return true;
    }
    if (dsl_check_value_known(&comparison->values, &comparison->facts, place->registers, insn, &known)) {
        place->pc = targets[known];
        return true;
    }
    uint32_t count = dsl_check_value_split(&comparison->values, &comparison->facts, place->registers, insn, pieces);
    comparison->is_lost |= count == CHECK_TOO_MANY;
    if (count == 0 || comparison->is_lost) {
        return false;
    }
    for (uint32_t i = 1; i < count; i++) {
        push(comparison, place, targets[pieces[i].holds], &pieces[i]);
    }
    dsl_check_learn(&comparison->facts, pieces[0].word, pieces[0].mask, pieces[0].range);
    place->pc = targets[pieces[0].holds];
    return true;
}

// --- paths ------------------------------------------------------------------------------------------------------------

// The next program starts where one returned. Returns: whether there is one.
static bool take_return(struct comparison *comparison, struct place *place, uint32_t ret)
{
    if (place->program == 0) {
        place->ret = ret;
        place->combined = comparison->program_count > 2 ? SECCOMP_RET_ALLOW : 0;
    } else {
        place->combined = comparison->program_count > 2 ? combine(place->combined, ret) : ret;
    }
    place->program++;
    place->pc = 0;
    for (int i = 0; i < CHECK_REGISTERS; i++) {
        place->registers[i] = CHECK_ZERO;
    }
    return place->program < comparison->program_count;
}

// One instruction. Returns: whether the path goes on.
static bool take_insn(struct comparison *comparison, struct place *place)
{
    const struct sock_filter *insn = insn_at(comparison, place);
    uint32_t ret = insn->k;
    switch (BPF_CLASS(insn->code)) {
    case BPF_JMP:
        if (BPF_OP(insn->code) != BPF_JA) {
            return take_test(comparison, place);
        }
        place->pc += 1 + insn->k;
        return true;
    case BPF_RET:
        if (BPF_RVAL(insn->code) == BPF_A &&
            !dsl_check_value_is(&comparison->values, &comparison->facts, place->registers[CHECK_A], &ret)) {
            comparison->is_lost = true;
            return false;
        }
        return take_return(comparison, place, ret);
    default:
        place->pc++;
        switch (dsl_check_value_take(&comparison->values, place->registers, insn)) {
        case CHECK_TOOK:
            return true;
        case CHECK_ENDED: // a division by zero
            return take_return(comparison, place, 0);
        case CHECK_LOST:
            break;
        }
        comparison->is_lost = true;
        return false;
    }
}

static bool take_fork(struct comparison *comparison, struct place *place)
{
    if (comparison->fork_count == 0) {
        return false;
    }
    const struct fork *fork = &comparison->forks[--comparison->fork_count];
    dsl_check_rewind(&comparison->facts, fork->mark);
    dsl_check_learn(&comparison->facts, fork->word, fork->mask, fork->range);
    *place = fork->place;
    return true;
}

static enum dsl_checked walk(struct comparison *comparison, uint32_t *ret_nr)
{
    struct place place = {.program = 0};
    do {
        while (take_insn(comparison, &place)) {
            comparison->facts.steps++;
        }
        if (comparison->is_lost || comparison->facts.overflowed || comparison->facts.steps > CHECK_PROGRAMS_STEPS) {
            return DSL_CHECKED_UNDECIDED;
        }
        enum dsl_checked checked = place.program == comparison->program_count ? compare(comparison, &place) : DSL_CHECKED_EQUAL;
        if (checked != DSL_CHECKED_EQUAL) {
            *ret_nr = dsl_check_set_of(&comparison->facts, CHECK_NR, UINT32_MAX).range.lo;
            return checked;
        }
    } while (take_fork(comparison, &place));
    return DSL_CHECKED_EQUAL;
}

// --- the same but for what nothing reaches ----------------------------------------------------------------------------

enum { NOWHERE = 0xffff };

// Says that instruction `to` of the subject stands for instruction `at`. Returns: false if another one does.
static bool stands_for(uint16_t *places, uint32_t at, uint32_t to)
{
    bool is_new = places[at] == NOWHERE;
    places[at] = is_new ? (uint16_t)to : places[at];
    return places[at] == to;
}

// Whether the subject does the same, instruction by instruction, as far as the program can come.
static bool is_same_code(const struct dsl_code *program, const struct dsl_code *subject)
{
    uint16_t places[BPF_MAXINSNS];
    memset(places, 0xff, sizeof places);
    places[0] = 0;
    for (uint32_t at = 0; at < program->count; at++) {
        const struct sock_filter *insn = &program->insns[at];
        uint32_t to = places[at];
        if (to == NOWHERE) {
            continue;
        }
        const struct sock_filter *other = &subject->insns[to];
        bool is_jump = BPF_CLASS(insn->code) == BPF_JMP;
        bool is_always = is_jump && BPF_OP(insn->code) == BPF_JA;
        if (insn->code != other->code || (insn->k != other->k && !is_always)) {
            return false;
        }
        bool is_alike = true;
        if (is_always) {
            is_alike = stands_for(places, at + 1 + insn->k, to + 1 + other->k);
        } else if (is_jump) {
            is_alike = stands_for(places, at + 1 + insn->jt, to + 1 + other->jt) &&
                       stands_for(places, at + 1 + insn->jf, to + 1 + other->jf);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            is_alike = stands_for(places, at + 1, to + 1);
        }
        if (!is_alike) {
            return false;
        }
    }
    return true;
}

enum dsl_checked dsl_check_programs(const struct dsl_code *stack, uint32_t stack_count, const struct dsl_code *subject,
                                    struct brig_dsl_arena *arena, uint32_t *ret_nr)
{
    struct dsl_code programs[CHECK_MOST_PROGRAMS + 1];
    struct comparison comparison = {.programs = programs, .program_count = stack_count + 1};
    uint32_t depth = CHECK_MORE_FORKS;
    if (stack_count == 0 || stack_count > CHECK_MOST_PROGRAMS) {
        return DSL_CHECKED_UNDECIDED;
    }
    if (stack_count == 1 && is_same_code(&stack[0], subject)) {
        return DSL_CHECKED_EQUAL;
    }
    programs[0] = *subject;
    for (uint32_t i = 0; i < stack_count; i++) {
        programs[1 + i] = stack[stack_count - 1 - i];
    }
    for (uint32_t i = 0; i <= stack_count; i++) {
        depth += programs[i].count;
    }
    comparison.fork_limit = depth;
    comparison.forks = DSL_ARENA_ARRAY(arena, struct fork, depth);
    if (comparison.forks == NULL || !dsl_check_facts_init(&comparison.facts, arena, 2 * depth, CHECK_PROGRAMS_STEPS) ||
        !dsl_check_values_init(&comparison.values, arena)) {
        return DSL_CHECKED_UNDECIDED;
    }
    return walk(&comparison, ret_nr);
}
