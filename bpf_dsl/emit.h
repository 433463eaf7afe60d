// emit: instructions written from the end of the program to its beginning. Internal to bpf_dsl.
//
// Jumps only go forward, so whatever an instruction can jump to is there before it, and its place, counted from the end, never
// changes. There are no labels to resolve and no offsets to count.
#ifndef BRIG_BPF_DSL_EMIT_H
#define BRIG_BPF_DSL_EMIT_H

#include <linux/filter.h>

#include "bpf_dsl/arena.h"

// Where an instruction is, counted from the end: the last one is at 1. 0: nowhere yet.
typedef uint32_t dsl_place;

struct dsl_emitter {
    struct sock_filter *insns; // BPF_MAXINSNS of them, filled from the back
    dsl_place head;            // the instruction emitted last, the first one of the program so far
};

// Somewhere to jump to, from wherever it is needed.
struct dsl_label {
    dsl_place origin; // the instruction itself; 0: not emitted, or a return
    dsl_place nearby; // the latest instruction that leads to it: itself, a jump to it, a copy of the return; 0: none
    bool is_return;   // of `ret`: copied where it is out of reach, which is never longer than a jump
    bool is_of_a;     // of what A holds, rather
    uint32_t ret;
};

// Starts an empty program. Returns: false when the arena is exhausted.
bool dsl_emitter_init(struct dsl_emitter *emitter, struct brig_dsl_arena *arena);

// Emits one instruction before all others. Beyond BPF_MAXINSNS it only counts. Returns: its place.
dsl_place dsl_emit(struct dsl_emitter *emitter, uint16_t code, uint32_t k);

// Lets a test emitted next, or after `spare` more instructions, reach the label, by a jump or a copy if there is no other way.
void dsl_emit_nearby(struct dsl_emitter *emitter, struct dsl_label *label, uint32_t spare);

// Emits a conditional jump (BPF_JMP | op | BPF_K). Returns: its place.
dsl_place dsl_emit_test(struct dsl_emitter *emitter, uint16_t code, uint32_t k, struct dsl_label *yes, struct dsl_label *no);

// Makes what is emitted next run into the label.
void dsl_emit_into(struct dsl_emitter *emitter, struct dsl_label *label);

// The label of the instruction emitted last.
static inline struct dsl_label dsl_label_here(const struct dsl_emitter *emitter)
{
    return (struct dsl_label){.origin = emitter->head, .nearby = emitter->head};
}

// The program so far; NULL when it is too big, or was not begun.
const struct sock_filter *dsl_emitted(const struct dsl_emitter *emitter);

#endif
