// codegen: steps become instructions, from the last to the first.
//
// Takes: steps, which only lead to steps with smaller ids. Gives: a program in which every step but the last stands once, or again
// where many calls would have to take a detour to it. Requires: nothing. Guarantees: every conditional jump reaches its targets;
// deterministic. What a step becomes:
//
//     LOAD w     ld  [4 * w]        falls into its successor, or is followed by ja
//     AND m      and #m             likewise
//     SUB n      sub #n             likewise
//     PICK b     tax; ld #b; rsh x  likewise; nothing else uses X, but to load what a foreign program computes
//     TURN op k  op #k              likewise
//     JEQ k      jeq #k, yes, no    one successor stands right behind where that is possible: the kernel turns a conditional jump
//                                   that falls through on neither side into two
//     RET k      ret #k             as often as needed so that every jump reaches one
//     GIVE       ret a              likewise
//
// Order: the successor that is emitted last stands right behind its test. It is the one that far more calls go to, else the smaller
// one, so that the jump over it stays short; JSET cannot be inverted by the kernel, so there it is the one for "no" where both are
// new. A load stands right before what it loads for, so that those who have the word in A already jump past it. Known weaknesses:
// each test is laid out by itself; a far jump costs a ja at the first place from which it is needed.
#include "bpf_dsl/codegen.h"

enum {
    LAYOUT_HOT = 8,   // a successor with so many times the weight of the other one stands behind their test, however big it is
    COPY_PART = 16,   // what more than one call in so many goes to is rather emitted twice than jumped to by a detour
    COPY_DEPTH = 12,  // steps in a row
    COPY_REACH = 240, // instructions from which on a test may not reach it, with room for what comes between
};

// What is known about one step.
struct spot {
    struct dsl_label label;
    uint32_t size;    // instructions below, shared ones counted again (saturates)
    uint32_t load;    // LOAD step that falls into this one, + 1; 0: none
    bool is_used;     // something leads to it already
    bool is_there;    // it need not be emitted: it was, or it is a return
    dsl_place latest; // where it was emitted last; label.nearby may be a mere jump to it
};

struct codegen {
    const struct dsl_tree *tree;
    struct dsl_emitter *emitter;
    struct spot *spots;
    uint32_t *stack; // steps to emit; a step is on it once at most per parent on the path
    uint32_t depth;
    uint64_t heaviest; // weight of the step that most calls come by
};

static const uint16_t codes[] = {
    [DSL_STEP_LOAD] = BPF_LD | BPF_W | BPF_ABS,   [DSL_STEP_AND] = BPF_ALU | BPF_AND | BPF_K,
    [DSL_STEP_SUB] = BPF_ALU | BPF_SUB | BPF_K,   [DSL_STEP_JEQ] = BPF_JMP | BPF_JEQ | BPF_K,
    [DSL_STEP_JGE] = BPF_JMP | BPF_JGE | BPF_K,   [DSL_STEP_JGT] = BPF_JMP | BPF_JGT | BPF_K,
    [DSL_STEP_JSET] = BPF_JMP | BPF_JSET | BPF_K,
};

static const struct dsl_step *step_of(const struct codegen *codegen, uint32_t id)
{
    return dsl_step_get(codegen->tree, id);
}

// --- sizes and reachability -------------------------------------------------------------------------------------------

// Starts all spots: steps lead to those with smaller ids, which are known then.
static void measure(struct codegen *codegen, const unsigned char *marks)
{
    for (uint32_t id = 0; id <= codegen->tree->root; id++) {
        const struct dsl_step *step = step_of(codegen, id);
        bool is_end = dsl_step_is_end(step);
        uint64_t size = 1;
        if (!is_end) {
            size += codegen->spots[step->yes].size;
            size += dsl_step_is_test(step) ? codegen->spots[step->no].size : 0;
        }
        codegen->spots[id] = (struct spot){.label = {.is_return = is_end, .is_of_a = step->kind == DSL_STEP_GIVE, .ret = step->k},
                                           .size = (uint32_t)(size > UINT32_MAX ? UINT32_MAX : size),
                                           .is_there = is_end};
        codegen->heaviest = marks[id] && step->weight > codegen->heaviest ? step->weight : codegen->heaviest;
        if (marks[id] && step->kind == DSL_STEP_LOAD) {
            codegen->spots[step->yes].load = id + 1;
        }
    }
}

// --- emitting ---------------------------------------------------------------------------------------------------------

static void emit_straight(struct codegen *codegen, const struct dsl_step *step)
{
    if (step->kind == DSL_STEP_LOAD && step->word >= DSL_WORD_COUNT) {
        const struct dsl_term *term = &codegen->tree->terms[step->word - DSL_WORD_COUNT];
        for (uint32_t i = term->count; i-- > 0;) {
            dsl_emit(codegen->emitter, term->insns[i].code, term->insns[i].k);
        }
        return;
    }
    if (step->kind == DSL_STEP_PICK) {
        dsl_emit(codegen->emitter, BPF_ALU | BPF_RSH | BPF_X, 0);
        dsl_emit(codegen->emitter, BPF_LD | BPF_W | BPF_IMM, step->k);
        dsl_emit(codegen->emitter, BPF_MISC | BPF_TAX, 0);
        return;
    }
    uint16_t code = step->kind == DSL_STEP_TURN ? step->op : codes[step->kind];
    dsl_emit(codegen->emitter, code, step->kind == DSL_STEP_LOAD ? 4u * step->word : step->k);
}

static void emit_insns(struct codegen *codegen, const struct dsl_step *step)
{
    codegen->spots[step->yes].is_used = true;
    codegen->spots[step->no].is_used |= dsl_step_is_test(step);
    if (dsl_step_is_test(step)) {
        dsl_emit_test(codegen->emitter, codes[step->kind], step->k, &codegen->spots[step->yes].label,
                      &codegen->spots[step->no].label);
    } else {
        dsl_emit_into(codegen->emitter, &codegen->spots[step->yes].label);
        emit_straight(codegen, step);
    }
}

// Whether a step that is there already is better emitted once more than jumped to, since many calls go there from this one.
static bool is_worth_copying(const struct codegen *codegen, uint32_t from, uint32_t id)
{
    const struct spot *spot = &codegen->spots[id];
    uint64_t from_weight = step_of(codegen, from)->weight;
    uint64_t weight = step_of(codegen, id)->weight;
    weight = weight < from_weight ? weight : from_weight;
    // What nobody jumps to yet would be left behind unused.
    return spot->is_used && !spot->label.is_return && weight > codegen->heaviest / COPY_PART &&
           codegen->emitter->head - spot->latest >= COPY_REACH;
}

// Brings what a step leads to near, where that is worth a copy. Recursion: along the way of most calls, COPY_DEPTH steps at most.
static void copy_successors(struct codegen *codegen, uint32_t id, uint32_t depth)
{
    const struct dsl_step *step = step_of(codegen, id);
    const uint32_t successors[] = {step->no, step->yes};
    for (int i = dsl_step_is_test(step) ? 0 : 1; i < 2 && !dsl_step_is_end(step) && depth < COPY_DEPTH; i++) {
        if (is_worth_copying(codegen, id, successors[i])) {
            copy_successors(codegen, successors[i], depth + 1);
            emit_insns(codegen, step_of(codegen, successors[i]));
            codegen->spots[successors[i]].label.nearby = codegen->emitter->head;
            codegen->spots[successors[i]].latest = codegen->emitter->head;
        }
    }
}

static void emit_step(struct codegen *codegen, uint32_t id)
{
    const struct dsl_step *step = step_of(codegen, id);
    struct spot *spot = &codegen->spots[id];
    if (codegen->emitter->head >= COPY_REACH) { // nothing is further away than that before
        copy_successors(codegen, id, 0);
    }
    emit_insns(codegen, step);
    spot->label = dsl_label_here(codegen->emitter);
    spot->is_there = true;
    spot->latest = codegen->emitter->head;
    if (spot->load != 0 && !codegen->spots[spot->load - 1].is_there) {
        emit_step(codegen, spot->load - 1); // once: nothing loads for a load
    }
}

// --- order ------------------------------------------------------------------------------------------------------------

// Which of two successors is emitted first, and so stands further from their test: the one that far fewer calls come by; of two
// alike the bigger one, so that the jump over the other one stays short.
static bool stands_further(const struct codegen *codegen, uint32_t yes, uint32_t no)
{
    uint64_t yes_weight = step_of(codegen, yes)->weight;
    uint64_t no_weight = step_of(codegen, no)->weight;
    if (yes_weight / LAYOUT_HOT > no_weight || no_weight / LAYOUT_HOT > yes_weight) {
        return yes_weight < no_weight;
    }
    return codegen->spots[yes].size > codegen->spots[no].size;
}

// The successor to emit next, so that the one emitted last is the one to stand behind its test. Returns: false when all are there.
static bool next_successor(const struct codegen *codegen, const struct dsl_step *step, uint32_t *ret_id)
{
    bool yes_there = codegen->spots[step->yes].is_there;
    bool no_there = !dsl_step_is_test(step) || codegen->spots[step->no].is_there;
    if (yes_there && no_there) {
        return false;
    }
    bool yes_first = step->kind == DSL_STEP_JSET || stands_further(codegen, step->yes, step->no);
    *ret_id = !yes_there && (no_there || yes_first) ? step->yes : step->no;
    return true;
}

static bool start(struct codegen *codegen)
{
    struct brig_dsl_arena *arena = codegen->tree->steps.arena;
    size_t count = (size_t)codegen->tree->root + 1;
    codegen->spots = DSL_ARENA_ARRAY(arena, struct spot, count);
    codegen->stack = DSL_ARENA_ARRAY(arena, uint32_t, count);
    const unsigned char *marks = dsl_tree_mark(codegen->tree);
    if (marks == NULL || codegen->spots == NULL || codegen->stack == NULL) {
        return false;
    }
    measure(codegen, marks);
    return true;
}

bool dsl_codegen(const struct dsl_tree *tree, struct dsl_emitter *emitter)
{
    struct codegen codegen = {.tree = tree, .emitter = emitter};
    if (!start(&codegen)) {
        return false;
    }
    // The stack holds a path of steps, each with a smaller id than the one below it.
    codegen.stack[codegen.depth++] = tree->root;
    while (codegen.depth > 0) {
        uint32_t id = codegen.stack[codegen.depth - 1];
        uint32_t successor;
        if (next_successor(&codegen, step_of(&codegen, id), &successor)) {
            codegen.stack[codegen.depth++] = successor;
            continue;
        }
        codegen.depth--;
        if (!codegen.spots[id].is_there) {
            emit_step(&codegen, id);
        }
    }
    dsl_emit_into(emitter, &codegen.spots[tree->root].label); // only where the program is one RET
    return true;
}
