// check_chains: programs that ask one rule after the other.
//
// Takes: where a subject with rules is decided. Gives: whether it is decided rightly, or undecided. How: a gate is an instruction
// that all ways come by which go on at all: between the code of one rule and that of the next there is one. From gate to gate all
// ways are walked with all facts. The first rule that is left on any of them when they come to the next gate is the one to begin
// with there, and what they know is forgotten, unless there is only one of them: "from here on the program says what this rule and
// those behind it say". So each rule's code is walked once, not once for each way through those before it. A way on which the rule
// at hand is still left comes by no gate but goes on. Requires: nothing. Guarantees: equal is exact. Weaknesses: what is wrong may
// be so because of what was forgotten, so it proves nothing; rules whose code is mixed stand between two gates, and have as many
// ways as that makes.
#include "bpf_dsl/check_parts.h"

#include <linux/filter.h>
#include <string.h>

enum {
    GATES_PATIENCE = 100, // steps for each instruction
    GATES_FACTS = 64,     // that are kept at gates: each makes the questions about its word dearer
    GATES_RULES = 16,     // that a way may be beyond its own at a gate: fewer are right as well, only more to prove
};

// --- gates ------------------------------------------------------------------------------------------------------------

// What A holds wherever ways come to an instruction.
enum held { HELD_NOTHING, HELD_WORD, HELD_MANY };

struct dsl_check_gate {
    uint32_t mask; // of what A holds
    uint8_t word;
    uint8_t held;
    bool is_reached;
    bool is_gate;
    bool is_wanted; // ways ended here
    uint32_t rule;  // the first one that is left on any of them
    uint32_t from;  // the first of the gates where they began
};

// What is found from the beginning on.
struct search {
    const struct dsl_check_walk *walk;
    struct dsl_check_gate *gates;
    uint32_t open; // instructions that are reached, but for returns, and were not looked at
};

static void come(struct search *search, uint32_t to, struct dsl_check_gate with)
{
    struct dsl_check_gate *gate = &search->gates[to];
    if (BPF_CLASS(search->walk->insns[to].code) == BPF_RET) {
        return;
    }
    if (!gate->is_reached) {
        *gate = (struct dsl_check_gate){.mask = with.mask, .word = with.word, .held = with.held, .is_reached = true};
        search->open++;
    } else if (gate->held != with.held || gate->word != with.word || gate->mask != with.mask) {
        gate->held = HELD_MANY;
    }
}

// What A holds behind an instruction that is no jump.
static struct dsl_check_gate held_behind(const struct sock_filter *insn, struct dsl_check_gate before)
{
    if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
        return (struct dsl_check_gate){.mask = UINT32_MAX, .word = (uint8_t)(insn->k / 4), .held = HELD_WORD};
    }
    if (insn->code == (BPF_ALU | BPF_AND | BPF_K)) {
        before.mask &= insn->k;
        return before;
    }
    return (struct dsl_check_gate){.held = HELD_MANY};
}

static bool can_be_gate(const struct dsl_check_walk *walk, const struct dsl_check_gate *gate, uint32_t pc)
{
    bool is_load = walk->insns[pc].code == (BPF_LD | BPF_W | BPF_ABS);
    return (is_load || gate->held == HELD_WORD) && !walk->about[pc].reads_x;
}

static void find_gates(struct search *search, const struct check_path *start)
{
    const struct dsl_check_walk *walk = search->walk;
    const struct check_register *a = &start->a;
    bool is_word = a->held == CHECK_HELD_WORD && a->minus == 0;
    come(search, start->pc,
         (struct dsl_check_gate){.mask = a->mask, .word = (uint8_t)a->word, .held = is_word ? HELD_WORD : HELD_MANY});
    for (uint32_t pc = start->pc; search->open > 0; pc++) {
        struct dsl_check_gate *gate = &search->gates[pc];
        const struct sock_filter *insn = &walk->insns[pc];
        if (!gate->is_reached) {
            continue;
        }
        gate->is_gate = search->open-- == 1 && pc != start->pc && can_be_gate(walk, gate, pc);
        if (insn->code == (BPF_JMP | BPF_JA)) {
            come(search, pc + 1 + insn->k, *gate);
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            come(search, pc + 1 + insn->jt, *gate);
            come(search, pc + 1 + insn->jf, *gate);
        } else {
            come(search, pc + 1, held_behind(insn, *gate));
        }
    }
}

// Returns: false when the arena is exhausted.
static bool prepare(struct dsl_check_walk *walk, const struct check_path *start)
{
    if (walk->gates == NULL) {
        walk->gates = DSL_ARENA_ARRAY(walk->arena, struct dsl_check_gate, walk->insn_count);
        if (walk->gates == NULL) {
            return false;
        }
    }
    if (!walk->is_read) {
        dsl_check_read_insns(walk);
    }
    memset(walk->gates, 0, walk->insn_count * sizeof *walk->gates);
    struct search search = {.walk = walk, .gates = walk->gates};
    find_gates(&search, start);
    return true;
}

// --- rules ------------------------------------------------------------------------------------------------------------

// Passes over rules that are out, up to rule `end`. Returns: the first one that is left.
static uint32_t pass_rules(struct dsl_check_walk *walk, const struct check_path *path, uint32_t end)
{
    const struct check_rule *rules = path->subject->rules;
    uint32_t rule = path->first_rule;
    // A dead rule is out where the one is that takes its calls, unless the program was found to ask for it all the same.
    while (rule < end && ((rule > path->first_rule && rules[rule].is_dead) || dsl_check_is_out(&rules[rule], NULL, &walk->facts))) {
        rule++;
    }
    return rule;
}

uint32_t dsl_check_pass_rules(struct dsl_check_walk *walk, const struct check_path *path)
{
    return pass_rules(walk, path, path->subject->rule_count - 1);
}

// Rules that matter at a gate: none behind the first one that ways are known to go on with, or far behind the path's.
static uint32_t end_of_rules(const struct check_path *path, const struct dsl_check_gate *gate)
{
    const uint32_t last = path->subject->rule_count - 1;
    const uint32_t end = gate->is_wanted ? gate->rule : path->first_rule + GATES_RULES;
    return end < last ? end : last;
}

bool dsl_check_is_at_gate(struct dsl_check_walk *walk, const struct check_path *path)
{
    struct dsl_check_gate *gate = &walk->gates[path->pc];
    if (!gate->is_gate || path->pc == walk->gate) {
        return false;
    }
    bool is_behind = gate->is_wanted && gate->rule <= path->first_rule;
    uint32_t rule = is_behind ? gate->rule : pass_rules(walk, path, end_of_rules(path, gate));
    if (rule == path->first_rule && !is_behind) { // in the midst of its code
        gate->is_gate = false;
        walk->facts.overflowed |= gate->is_wanted; // by a way that has nothing to do with it: once more without this gate
        return false;
    }
    gate->rule = gate->is_wanted && gate->rule < rule ? gate->rule : rule;
    gate->from = gate->is_wanted ? gate->from : walk->gate;
    gate->is_wanted = true;
    walk->arrivals++;
    return true;
}

// Opens a way behind the gates that turned out to stand in the midst of some rule's code. Returns: false where ways from further up
// count on one of them, or there is none.
static bool drop_gates(struct dsl_check_walk *walk)
{
    bool has_dropped = false;
    bool is_needed = false;
    for (uint32_t pc = walk->gate + 1; pc < walk->insn_count; pc++) {
        struct dsl_check_gate *gate = &walk->gates[pc];
        if (gate->is_wanted && !gate->is_gate) {
            has_dropped = true;
            is_needed |= gate->from != walk->gate;
        }
        gate->is_wanted = gate->is_wanted && gate->from != walk->gate;
    }
    return has_dropped && !is_needed;
}

// The first gate that ways came to behind an instruction. Returns: how many instructions there are for none.
static uint32_t next_gate(const struct dsl_check_walk *walk, uint32_t pc)
{
    do {
        pc++;
    } while (pc < walk->insn_count && !walk->gates[pc].is_wanted);
    return pc;
}

// Walks all ways from where the path is to the next gates. Returns: EQUAL or UNDECIDED.
static enum dsl_checked walk_to_gates(struct dsl_check_walk *walk, const struct check_path *path, uint32_t step_limit)
{
    enum dsl_checked checked = DSL_CHECKED_UNDECIDED;
    walk->gate = path->pc;
    do {
        uint32_t steps = walk->facts.steps;
        walk->arrivals = 0;
        checked = steps < step_limit ? dsl_check_walk_again(walk, path, CHECK_RULE_BY_RULE, step_limit - steps) : checked;
    } while (checked == DSL_CHECKED_UNDECIDED && drop_gates(walk));
    return checked == DSL_CHECKED_EQUAL ? checked : DSL_CHECKED_UNDECIDED;
}

// Puts the path at a gate that was found, where it is its turn. Facts that are kept are those of the gate before, if all ways began
// there, and of the way from there, if there is but one.
static void go_to_gate(struct dsl_check_walk *walk, struct check_path *path, uint32_t pc, struct dsl_check_mark base)
{
    struct dsl_check_gate *gate = &walk->gates[pc];
    bool is_next = gate->from == path->pc;
    bool is_only_way = is_next && walk->arrivals == 1 && walk->facts.undo_count - base.undo < GATES_FACTS;
    if (!is_next || (is_only_way && !dsl_check_follow(walk, path))) {
        dsl_check_rewind(&walk->facts, base);
    }
    gate->is_wanted = false;
    path->pc = pc;
    path->first_rule = gate->rule;
    path->a = (struct check_register){.word = gate->word, .mask = gate->mask};
}

enum dsl_checked dsl_check_walk_chain(struct dsl_check_walk *walk, const struct check_path *start)
{
    const struct dsl_check_mark base = dsl_check_mark(&walk->facts);
    const uint32_t step_limit = walk->facts.steps + GATES_PATIENCE * walk->insn_count;
    struct check_path path = *start;
    if (!prepare(walk, start)) {
        return DSL_CHECKED_UNDECIDED;
    }
    enum dsl_checked checked = walk_to_gates(walk, &path, step_limit);
    for (uint32_t pc; checked == DSL_CHECKED_EQUAL && (pc = next_gate(walk, path.pc)) < walk->insn_count;) {
        go_to_gate(walk, &path, pc, base);
        checked = walk_to_gates(walk, &path, step_limit);
    }
    dsl_check_rewind(&walk->facts, base);
    return checked;
}
