// arena: where everything that a compile makes is kept. Internal to bpf_dsl; the struct and its start are in bpf_dsl.h.
#ifndef BRIG_BPF_DSL_ARENA_H
#define BRIG_BPF_DSL_ARENA_H

#include "bpf_dsl/bpf_dsl.h"

#if defined(__SANITIZE_ADDRESS__)
#define DSL_ARENA_GUARD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DSL_ARENA_GUARD 1
#endif
#endif

#ifdef DSL_ARENA_GUARD
// AddressSanitizer keeps one shadow byte for eight bytes: a piece must start on such a boundary for its end to be guarded exactly.
enum { DSL_GUARD_ALIGN = 8, DSL_GUARD_BYTES = 16 };

// Opens a piece that was taken, and leaves a gap behind it.
void dsl_arena_guard(struct brig_dsl_arena *arena, const unsigned char *piece, size_t bytes);
// Closes all that is not taken.
void dsl_arena_close(struct brig_dsl_arena *arena);
#else
enum { DSL_GUARD_ALIGN = 1 };

static inline void dsl_arena_guard(struct brig_dsl_arena *arena, const unsigned char *piece, size_t bytes)
{
    (void)arena;
    (void)piece;
    (void)bytes;
}

static inline void dsl_arena_close(struct brig_dsl_arena *arena)
{
    (void)arena;
}
#endif

// Takes `bytes` at a multiple of `align` (a power of two). Never gives anything back: what is taken lives as long as the arena's
// memory.
//
// Failure is sticky: NULL is returned, arena->exhausted is set, and every later call fails too, however small. So a function that
// builds one thing out of many allocations may ignore a NULL that it does not write through, and the pass tests `exhausted` once.
// Returns: memory that is not cleared, unique even for 0 bytes; NULL once the arena is exhausted.
static inline void *dsl_arena_alloc(struct brig_dsl_arena *arena, size_t bytes, size_t align)
{
    size_t strict = align > DSL_GUARD_ALIGN ? align : DSL_GUARD_ALIGN;
    // Bytes to skip so that the address becomes a multiple.
    size_t gap = (size_t)(-(uintptr_t)(arena->memory + arena->used_bytes) & (strict - 1));
    // One byte at least, so that two empty pieces have two addresses.
    size_t taken = bytes + (bytes == 0);
    size_t left = arena->size_bytes - arena->used_bytes;
    if (arena->exhausted || gap > left || taken > left - gap) {
        arena->exhausted = true;
        return NULL;
    }
    unsigned char *piece = arena->memory + arena->used_bytes + gap;
    arena->used_bytes += gap + taken;
    dsl_arena_guard(arena, piece, bytes);
    return piece;
}

// The same for `count` items of `item_bytes`; a product that overflows exhausts the arena.
static inline void *dsl_arena_alloc_array(struct brig_dsl_arena *arena, size_t count, size_t item_bytes, size_t align)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes)) {
        arena->exhausted = true;
        return NULL;
    }
    return dsl_arena_alloc(arena, bytes, align);
}

// Gives back everything that was taken since `arena->used_bytes` was `used_bytes`; nothing of it may be used any more. An arena
// that was exhausted by it no longer is.
static inline void dsl_arena_rewind(struct brig_dsl_arena *arena, size_t used_bytes)
{
    arena->used_bytes = used_bytes;
    arena->exhausted = false;
    dsl_arena_close(arena);
}

// One `type`, or `count` of them, with the alignment that the type wants.
#define DSL_ARENA_NEW(arena_, type_) ((type_ *)dsl_arena_alloc((arena_), sizeof(type_), _Alignof(type_)))
#define DSL_ARENA_ARRAY(arena_, type_, count_) ((type_ *)dsl_arena_alloc_array((arena_), (count_), sizeof(type_), _Alignof(type_)))

#endif
