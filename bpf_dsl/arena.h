// arena: where everything that a compile makes is kept. Internal to bpf_dsl; the struct and its start are in bpf_dsl.h.
#ifndef BRIG_BPF_DSL_ARENA_H
#define BRIG_BPF_DSL_ARENA_H

#include "bpf_dsl/bpf_dsl.h"

// Takes `bytes` at a multiple of `align` (a power of two). Never gives anything back: what is taken lives as long as the arena's
// memory.
//
// Failure is sticky: NULL is returned, arena->exhausted is set, and every later call fails too, however small. So a function that
// builds one thing out of many allocations may ignore a NULL that it does not write through, and the pass tests `exhausted` once.
// Returns: memory that is not cleared, unique even for 0 bytes; NULL once the arena is exhausted.
void *dsl_arena_alloc(struct brig_dsl_arena *arena, size_t bytes, size_t align);

// The same for `count` items of `item_bytes`; a product that overflows exhausts the arena.
void *dsl_arena_alloc_array(struct brig_dsl_arena *arena, size_t count, size_t item_bytes, size_t align);

// One `type`, or `count` of them, with the alignment that the type wants.
#define DSL_ARENA_NEW(arena_, type_) ((type_ *)dsl_arena_alloc((arena_), sizeof(type_), _Alignof(type_)))
#define DSL_ARENA_ARRAY(arena_, type_, count_) ((type_ *)dsl_arena_alloc_array((arena_), (count_), sizeof(type_), _Alignof(type_)))

#endif
