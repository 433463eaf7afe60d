// stages: the inside of a compile as data, for whoever draws it or converts it. brig_dsl_dump writes the same for people.
//
//   struct brig_dsl_visitor visitor = {.stage = BRIG_DSL_STAGE_DECISIONS, .visit = draw, .context = picture};
//   code = brig_dsl_visit(&target, 1, &options, &arena, &visitor, &error);
//
// Rules that hold throughout: nodes come in the order of brig_dsl_dump, users before what they use (expressions: after); a node's
// arrays are gone after the visit. Stages `rules` and `insns` have no nodes: brig_dsl_resolve and brig_dsl_compile give them.
#ifndef BRIG_BPF_DSL_STAGES_H
#define BRIG_BPF_DSL_STAGES_H

#include "bpf_dsl/optimize.h"

#ifdef __cplusplus
extern "C" {
#endif

enum brig_dsl_node_kind {
    BRIG_DSL_NODE_FALSE,  // expr: a test that never holds
    BRIG_DSL_NODE_TRUE,   // expr: a test that always holds
    BRIG_DSL_NODE_TEST,   // expr: (word & mask) is in one of the runs
    BRIG_DSL_NODE_NOT,    // expr: of parts[0]
    BRIG_DSL_NODE_ALL,    // expr: all of the parts
    BRIG_DSL_NODE_ANY,    // expr: any of the parts
    BRIG_DSL_NODE_IF,     // expr: parts[0] is the test, then parts[1], else parts[2]
    BRIG_DSL_NODE_RET,    // all stages: return `value`
    BRIG_DSL_NODE_GIVE,   // raw programs' decisions: return `word`; their tree: return A
    BRIG_DSL_NODE_RANGE,  // ranges: runs[0] are numbers, its target is their expression
    BRIG_DSL_NODE_SWITCH, // decisions: by the run that (word & mask) is in; only runs that have such values
    BRIG_DSL_NODE_LOAD,   // tree: A = word, go to parts[0]
    BRIG_DSL_NODE_AND,    // tree: A &= value, go to parts[0]
    BRIG_DSL_NODE_SUB,    // tree: A -= value, go to parts[0]
    BRIG_DSL_NODE_PICK,   // tree: A = value >> A, go to parts[0]
    BRIG_DSL_NODE_TURN,   // raw programs' tree: do `turn` to A, go to parts[0]
    BRIG_DSL_NODE_JEQ,    // tree: A == value, then parts[0], else parts[1]
    BRIG_DSL_NODE_JGE,
    BRIG_DSL_NODE_JGT,
    BRIG_DSL_NODE_JSET, // tree: (A & value) != 0
    BRIG_DSL_NODE_KIND_COUNT
};

// Returns: "false", "true", "test", "not", "all", "any", "if", "ret", "give", "range", "switch", "load", "and", "sub", "pick",
// "turn", "jeq", "jge", "jgt", "jset"; NULL outside the enumeration.
const char *brig_dsl_node_kind_name(enum brig_dsl_node_kind kind);

// Where a value comes from.
enum brig_dsl_word_kind {
    BRIG_DSL_WORD_NONE,
    BRIG_DSL_WORD_NR,
    BRIG_DSL_WORD_ARCH,
    BRIG_DSL_WORD_IP,
    BRIG_DSL_WORD_ARGUMENT,
    BRIG_DSL_WORD_TERM, // what a foreign program computes
};

struct brig_dsl_word {
    enum brig_dsl_word_kind kind;
    uint8_t index;    // ARGUMENT: 0 to 5; TERM: tells terms of one program apart
    uint8_t shift;    // 32: the upper half
    uint8_t bits;     // 32, in expressions also 64
    const char *term; // TERM: how it is computed, "args[1].lo + (args[0].lo * 0x3)"; lives as long as the arena
};

struct brig_dsl_node_run {
    uint64_t first;
    uint64_t last;
    uint32_t target; // RANGE, SWITCH
};

struct brig_dsl_node {
    uint32_t id; // of this stage
    enum brig_dsl_node_kind kind;
    struct brig_dsl_word word;
    uint64_t mask;   // TEST, SWITCH
    uint32_t value;  // RET, AND and tests of the tree
    uint64_t weight; // tree, but RET: in the search; calls of the profile, or what is assumed without one
    uint32_t run_count;
    const struct brig_dsl_node_run *runs;
    uint32_t part_count;
    const uint32_t *parts;
    const struct sock_filter *turn; // TURN: an instruction on A
};

struct brig_dsl_visitor {
    enum brig_dsl_stage stage;
    void (*visit)(void *context, const struct brig_dsl_node *node);
    void *context;
};

// Compiles as brig_dsl_compile_targets and shows the nodes of one stage.
//
// The first node shown of `decisions` and `tree` is the root; both are empty where the program had to be emitted plain. `ranges`
// start anew at 0 for each target.
// Returns: as brig_dsl_compile_targets; nothing is visited on failure, but for OUT_OF_ARENA.
// Context: as brig_dsl_compile.
BRIG_MUST_CHECK enum brig_code brig_dsl_visit(const struct brig_dsl_target *targets, size_t target_count,
                                              const struct brig_dsl_options *options, struct brig_dsl_arena *arena,
                                              const struct brig_dsl_visitor *visitor, struct brig_error *reterr);

// Reads a raw program as brig_dsl_optimize does and shows the nodes of one stage, `decisions` or `tree`: the arch first, then the
// number, then arguments. `arena` as for brig_dsl_optimize; options->profile is for the tree.
//
// Returns: OK, also where the program cannot be read so (it computes too much) and nothing is visited; BAD_PROGRAM (as
// brig_dsl_validate); BAD_ARGUMENT (a stage before `decisions`, which no raw program has); OUT_OF_ARENA.
// Context: as brig_dsl_optimize.
BRIG_MUST_CHECK enum brig_code brig_dsl_visit_program(const struct brig_dsl_filter *filter, const struct brig_dsl_options *options,
                                                      struct brig_dsl_arena *arena, const struct brig_dsl_visitor *visitor,
                                                      struct brig_error *reterr);

// Writes one stage of a raw program as brig_dsl_dump does a policy's: `decisions`, `tree`, or `insns`, which are what
// brig_dsl_optimize makes of it.
//
// Returns: as brig_dsl_visit_program and brig_dsl_optimize; nothing is written where the program has no such form.
// Context: as brig_dsl_optimize.
BRIG_MUST_CHECK enum brig_code brig_dsl_dump_program(const struct brig_dsl_filter *filter, const struct brig_dsl_options *options,
                                                     enum brig_dsl_stage stage, struct brig_dsl_arena *arena,
                                                     const struct brig_dsl_sink *sink, struct brig_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
