// check_programs: proves that a program returns what another one, or a stack of them, returns.
//
// Takes: programs. Gives: equal, different, or undecided. How: all paths of the new program; where one returns, the old ones are
// run from their start under the facts of that path, which split it further where they tell apart what the new one did not; at the
// end the values are compared. Facts are those of check_facts.c; what registers hold is a constant, or one word under a mask with a
// few operations by constants on top (check_values.c), so bitmaps and biased tests are followed exactly; or a term (check_terms.c),
// of which only what it was asked for itself is known (check_asked.c). Guarantees: equal is exact; different is as well, since with
// answers about terms it is undecided. What makes programs and this have memory in common (arena.c), and numbers for equal nodes
// (intern.c), no step from one program to another. Weaknesses: paths that meet are walked once for each way; steps are counted,
// CHECK_PROGRAMS_STEPS of them.
#include "bpf_dsl/check_programs.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/check_asked.h"

enum {
    CHECK_PROGRAMS_STEPS = 16000000,
    CHECK_MORE_FORKS = 1024, // beyond one per instruction of a path; and what may be known of terms
    CHECK_MOST_PROGRAMS = 64,
};

// One place on a path: in which program, where, with what in its registers, and what the ones before have returned.
struct place {
    uint32_t program; // 0: the subject; then the stack from its end
    uint32_t pc;
    bool ends; // by a division by zero
    uint32_t registers[CHECK_REGISTERS];
    uint32_t ret;      // the subject's: a value
    uint32_t combined; // of the stack so far: a value
};

// A piece of a test still to be walked.
struct fork {
    struct place place;
    struct dsl_check_mark mark;
    struct dsl_check_mark asked_mark;
    bool is_asked; // the piece is one of a term
    uint32_t word;
    uint32_t mask;
    struct check_range range;
};

struct comparison {
    const struct dsl_code *programs; // the subject, then the stack from its end
    uint32_t program_count;
    struct check_facts facts;
    struct check_values values;
    struct check_asked asked;
    struct fork *forks;
    uint32_t fork_count;
    uint32_t fork_limit;
    bool is_lost; // something is computed that is not followed, or there was no room
};

// --- what several programs return together ----------------------------------------------------------------------------

static bool has_overflowed(const struct comparison *comparison)
{
    return comparison->facts.overflowed || comparison->asked.facts.overflowed;
}

// Whether some value may be none, since there was no room for it: then nothing that was compared counts.
static bool is_short(const struct comparison *comparison)
{
    const struct check_values *values = &comparison->values;
    return values->values.full || values->terms.terms.full || values->values.arena->exhausted;
}

static enum dsl_checked compare(struct comparison *comparison, const struct place *place)
{
    if (place->ret == place->combined || !dsl_check_is_possible(&comparison->facts) ||
        !dsl_check_is_possible(&comparison->asked.facts)) {
        return DSL_CHECKED_EQUAL;
    }
    enum dsl_checked checked = dsl_check_values_compare(&comparison->values, &comparison->facts, place->ret, place->combined);
    // What terms were found to be may be what no call has.
    bool is_sure = checked == DSL_CHECKED_EQUAL || comparison->asked.facts.undo_count == 0;
    return is_sure && !has_overflowed(comparison) ? checked : DSL_CHECKED_UNDECIDED;
}

// --- tests ------------------------------------------------------------------------------------------------------------

static const struct sock_filter *insn_at(const struct comparison *comparison, const struct place *place)
{
    return &comparison->programs[place->program].insns[place->pc];
}

// Keeps a piece for later.
static void push(struct comparison *comparison, const struct place *place, const struct check_piece *piece, bool is_asked)
{
    if (comparison->fork_count == comparison->fork_limit) {
        comparison->is_lost = true;
        return;
    }
    struct fork *fork = &comparison->forks[comparison->fork_count++];
    *fork = (struct fork){.place = *place,
                          .mark = dsl_check_mark(&comparison->facts),
                          .asked_mark = dsl_check_mark(&comparison->asked.facts),
                          .is_asked = is_asked,
                          .word = piece->word,
                          .mask = piece->mask,
                          .range = piece->range};
}

// What a test is asked of.
struct part {
    struct check_facts *facts;
    const uint32_t *registers;
    const struct sock_filter *test;
    const struct place *ways; // where the test does not hold, and where it does
    bool is_asked;            // of a term
    bool is_turned;           // the other way round
};

enum parted { PART_NONE, PART_TAKEN, PART_TOO_MANY };

// Goes on with one piece of a test at the place that its answer leads to; the others are kept. Returns: NONE where there is no
// piece: no call comes here.
static enum parted take_part(struct comparison *comparison, const struct part *part, struct place *ret_place)
{
    struct check_piece pieces[CHECK_PIECES];
    bool known;
    if (dsl_check_value_known(&comparison->values, part->facts, part->registers, part->test, &known)) {
        *ret_place = part->ways[known != part->is_turned];
        return PART_TAKEN;
    }
    uint32_t count = dsl_check_value_split(&comparison->values, part->facts, part->registers, part->test, pieces);
    if (count == 0 || count == CHECK_TOO_MANY) {
        return count == 0 ? PART_NONE : PART_TOO_MANY;
    }
    for (uint32_t i = 1; i < count; i++) {
        push(comparison, &part->ways[pieces[i].holds != part->is_turned], &pieces[i], part->is_asked);
    }
    dsl_check_learn(part->facts, pieces[0].word, pieces[0].mask, pieces[0].range);
    *ret_place = part->ways[pieces[0].holds != part->is_turned];
    return PART_TAKEN;
}

// Tests A and X of `registers`, as what they are or as a term. Returns: whether some call comes so far.
static bool part(struct comparison *comparison, const uint32_t *registers, const struct sock_filter *test, const struct place *ways,
                 struct place *ret_place)
{
    struct check_question question;
    struct part part = {.facts = &comparison->facts, .registers = registers, .test = test, .ways = ways};
    enum parted parted = take_part(comparison, &part, ret_place);
    if (parted == PART_TOO_MANY && dsl_check_ask(&comparison->values, &comparison->asked, registers, test, &question)) {
        part.facts = question.is_word ? &comparison->facts : &comparison->asked.facts;
        part.registers = question.registers;
        part.test = &question.test;
        part.is_asked = !question.is_word;
        part.is_turned = question.is_turned;
        parted = take_part(comparison, &part, ret_place);
    }
    comparison->is_lost |= parted == PART_TOO_MANY;
    return parted == PART_TAKEN;
}

static bool take_test(struct comparison *comparison, struct place *place)
{
    const struct sock_filter *insn = insn_at(comparison, place);
    const uint32_t targets[] = {place->pc + 1 + insn->jf, place->pc + 1 + insn->jt};
    bool known = false;
    if (targets[0] == targets[1] ||
        dsl_check_value_known(&comparison->values, &comparison->facts, place->registers, insn, &known)) {
        place->pc = targets[known];
        return true;
    }
    struct place ways[] = {*place, *place};
    ways[0].pc = targets[0];
    ways[1].pc = targets[1];
    return part(comparison, place->registers, insn, ways, place);
}

// --- paths ------------------------------------------------------------------------------------------------------------

// The next program starts where one returned, with what comes out of the stack so far.
static struct place start_next(const struct place *place, uint32_t combined)
{
    struct place next = {.program = place->program + 1, .ret = place->ret, .combined = combined};
    for (int i = 0; i < CHECK_REGISTERS; i++) {
        next.registers[i] = CHECK_ZERO;
    }
    return next;
}

// An action as a number of 16 bits, such that the lower one counts.
static uint32_t action_of(struct comparison *comparison, uint32_t value)
{
    static const struct sock_filter insns[] = {{BPF_ALU | BPF_RSH | BPF_K, 0, 0, 16}, {BPF_ALU | BPF_XOR | BPF_K, 0, 0, 0x8000}};
    uint32_t registers[CHECK_REGISTERS] = {[CHECK_A] = value};
    for (size_t i = 0; i < sizeof insns / sizeof insns[0]; i++) {
        dsl_check_value_take(&comparison->values, registers, &insns[i]);
    }
    uint32_t k;
    bool is_known = dsl_check_value_is(&comparison->values, &comparison->facts, registers[CHECK_A], &k);
    return is_known ? dsl_check_value_constant(&comparison->values, k) : registers[CHECK_A];
}

// The lower of two actions, as signed numbers, comes out; of equal ones, that of the program that runs first. Source: kernel/
// seccomp.c:seccomp_run_filters. Returns: whether some call comes so far.
static bool combine(struct comparison *comparison, struct place *place, uint32_t ret)
{
    static const struct sock_filter minus = {BPF_ALU | BPF_SUB | BPF_X, 0, 0, 0};
    static const struct sock_filter is_negative = {BPF_JMP | BPF_JSET | BPF_K, 0, 0, 0x80000000u};
    const struct place ways[] = {start_next(place, place->combined), start_next(place, ret)};
    uint32_t registers[CHECK_REGISTERS] = {
        [CHECK_A] = action_of(comparison, ret), [CHECK_X] = action_of(comparison, place->combined)};
    dsl_check_value_take(&comparison->values, registers, &minus);
    return part(comparison, registers, &is_negative, ways, place);
}

// A program returns. Returns: whether there is another one, and some call comes to it.
static bool take_return(struct comparison *comparison, struct place *place, uint32_t value)
{
    uint32_t k;
    bool is_known = dsl_check_value_is(&comparison->values, &comparison->facts, value, &k) ||
                    dsl_check_asked_is(&comparison->values, &comparison->asked, value, &k);
    uint32_t ret = is_known ? dsl_check_value_constant(&comparison->values, k) : value;
    bool is_stack = comparison->program_count > 2;
    if (place->program == 0) {
        place->ret = ret;
        *place = start_next(place, dsl_check_value_constant(&comparison->values, is_stack ? SECCOMP_RET_ALLOW : 0));
    } else if (!is_stack) {
        *place = start_next(place, ret);
    } else if (!combine(comparison, place, ret)) {
        return false;
    }
    return place->program < comparison->program_count;
}

// A division has been taken that ends the program where X is 0.
static bool ask_divisor(struct comparison *comparison, struct place *place)
{
    static const struct sock_filter is_zero = {BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0};
    const uint32_t divisor[CHECK_REGISTERS] = {[CHECK_A] = place->registers[CHECK_X]};
    struct place ways[] = {*place, *place};
    ways[1].ends = true;
    return part(comparison, divisor, &is_zero, ways, place);
}

// One instruction that is no jump and no return. Returns: whether the path goes on.
static bool take_straight(struct comparison *comparison, struct place *place)
{
    enum check_taken taken = dsl_check_value_take(&comparison->values, place->registers, insn_at(comparison, place));
    place->pc++;
    if (taken == CHECK_ENDED) {
        place->ends = true;
    }
    return taken != CHECK_DIVIDES || ask_divisor(comparison, place);
}

// One instruction. Returns: whether the path goes on.
static bool take_insn(struct comparison *comparison, struct place *place)
{
    const struct sock_filter *insn = insn_at(comparison, place);
    bool is_of_a = BPF_RVAL(insn->code) == BPF_A;
    if (place->ends) {
        return take_return(comparison, place, CHECK_ZERO);
    }
    switch (BPF_CLASS(insn->code)) {
    case BPF_JMP:
        if (BPF_OP(insn->code) != BPF_JA) {
            return take_test(comparison, place);
        }
        place->pc += 1 + insn->k;
        return true;
    case BPF_RET:
        return take_return(comparison, place,
                           is_of_a ? place->registers[CHECK_A] : dsl_check_value_constant(&comparison->values, insn->k));
    default:
        return take_straight(comparison, place);
    }
}

static bool take_fork(struct comparison *comparison, struct place *place)
{
    if (comparison->fork_count == 0) {
        return false;
    }
    const struct fork *fork = &comparison->forks[--comparison->fork_count];
    dsl_check_rewind(&comparison->facts, fork->mark);
    dsl_check_rewind(&comparison->asked.facts, fork->asked_mark);
    dsl_check_learn(fork->is_asked ? &comparison->asked.facts : &comparison->facts, fork->word, fork->mask, fork->range);
    *place = fork->place;
    return true;
}

static enum dsl_checked walk(struct comparison *comparison, uint32_t *ret_nr)
{
    struct place place = {.program = 0};
    do {
        // A fork may be one of what the last program returned.
        while (place.program < comparison->program_count && take_insn(comparison, &place)) {
            comparison->facts.steps++;
        }
        uint32_t steps = comparison->facts.steps + comparison->asked.facts.steps;
        if (comparison->is_lost || has_overflowed(comparison) || steps > CHECK_PROGRAMS_STEPS) {
            return DSL_CHECKED_UNDECIDED;
        }
        enum dsl_checked checked = place.program == comparison->program_count ? compare(comparison, &place) : DSL_CHECKED_EQUAL;
        if (is_short(comparison)) {
            return DSL_CHECKED_UNDECIDED;
        }
        if (checked != DSL_CHECKED_EQUAL) {
            *ret_nr = dsl_check_set_of(&comparison->facts, CHECK_NR, UINT32_MAX).range.lo;
            return checked;
        }
    } while (take_fork(comparison, &place));
    return DSL_CHECKED_EQUAL;
}

// --- the same but for what nothing reaches ----------------------------------------------------------------------------

enum { NOWHERE = 0xffff };

// Where one comes from each instruction of a program without doing anything: jumps, and tests whose sides lead to one place.
static void follow(const struct dsl_code *code, uint16_t *ret_leads)
{
    for (uint32_t at = code->count; at-- > 0;) {
        const struct sock_filter *insn = &code->insns[at];
        ret_leads[at] = (uint16_t)at;
        if (insn->code == (BPF_JMP | BPF_JA)) {
            ret_leads[at] = ret_leads[at + 1 + insn->k];
        } else if (BPF_CLASS(insn->code) == BPF_JMP && ret_leads[at + 1 + insn->jt] == ret_leads[at + 1 + insn->jf]) {
            ret_leads[at] = ret_leads[at + 1 + insn->jt];
        }
    }
}

// Two programs, and where the instructions of one are in the other.
struct alike {
    uint16_t program_leads[BPF_MAXINSNS];
    uint16_t subject_leads[BPF_MAXINSNS];
    uint16_t places[BPF_MAXINSNS];
};

// Says that the subject goes on at `to` where the program goes on at `at`. Returns: false if it does so elsewhere already.
static bool stands_for(struct alike *alike, uint32_t at, uint32_t to)
{
    uint16_t *place = &alike->places[alike->program_leads[at]];
    uint16_t found = alike->subject_leads[to];
    *place = *place == NOWHERE ? found : *place;
    return *place == found;
}

// Whether the subject does the same, instruction by instruction, as far as the program can come.
static bool is_same_code(const struct dsl_code *program, const struct dsl_code *subject)
{
    struct alike alike = {.places = {0}};
    memset(alike.places, 0xff, sizeof alike.places);
    follow(program, alike.program_leads);
    follow(subject, alike.subject_leads);
    bool is_alike = stands_for(&alike, 0, 0);
    for (uint32_t at = 0; at < program->count && is_alike; at++) {
        const struct sock_filter *insn = &program->insns[at];
        uint32_t to = alike.places[at];
        if (to == NOWHERE) {
            continue;
        }
        const struct sock_filter *other = &subject->insns[to];
        is_alike = insn->code == other->code && insn->k == other->k;
        if (BPF_CLASS(insn->code) == BPF_JMP) {
            is_alike = is_alike && stands_for(&alike, at + 1 + insn->jt, to + 1 + other->jt) &&
                       stands_for(&alike, at + 1 + insn->jf, to + 1 + other->jf);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            is_alike = is_alike && stands_for(&alike, at + 1, to + 1);
        }
    }
    return is_alike;
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
        !dsl_check_asked_init(&comparison.asked, arena, CHECK_MORE_FORKS, CHECK_PROGRAMS_STEPS) ||
        !dsl_check_values_init(&comparison.values, arena)) {
        return DSL_CHECKED_UNDECIDED;
    }
    return walk(&comparison, ret_nr);
}
