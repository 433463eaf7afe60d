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

// Every piece starts at a multiple of this, which is enough for all that a compile makes, so that where the next one starts need
// not be computed. AddressSanitizer needs it as well: it keeps one shadow byte for eight bytes, so that the end of a piece is
// guarded exactly only if it starts on such a boundary.
enum { DSL_ARENA_ALIGN = 8 };

#ifdef DSL_ARENA_GUARD
enum { DSL_GUARD_BYTES = 16 };

// Opens a piece that was taken, and leaves a gap behind it.
void dsl_arena_guard(struct brig_dsl_arena *arena, const unsigned char *piece, size_t bytes);
// Closes all that is not taken.
void dsl_arena_close(struct brig_dsl_arena *arena);
#else
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

// Marks an arena as used up, all of it. Returns: NULL.
void *dsl_arena_exhaust(struct brig_dsl_arena *arena);

// Takes `bytes` at a multiple of `align` (a power of two). Never gives anything back: what is taken lives as long as the arena's
// memory.
//
// Failure is sticky: NULL is returned, arena->exhausted is set, and every later call fails too, however small. So a function that
// builds one thing out of many allocations may ignore a NULL that it does not write through, and the pass tests `exhausted` once.
// Returns: memory that is not cleared, unique even for 0 bytes; NULL once the arena is exhausted.
static inline void *dsl_arena_alloc(struct brig_dsl_arena *arena, size_t bytes, size_t align)
{
    const size_t odd = DSL_ARENA_ALIGN - 1;
    // Bytes to skip so that the address becomes a multiple: where the pieces before end, it is one of what is usual.
    size_t gap = align <= DSL_ARENA_ALIGN ? 0 : (size_t)(-(uintptr_t)(arena->memory + arena->used_bytes) & (align - 1));
    // One byte at least, so that two empty pieces have two addresses; 0 is what becomes of nearly SIZE_MAX.
    size_t taken = (bytes + (bytes == 0) + odd) & ~odd;
    size_t left = arena->size_bytes - arena->used_bytes; // 0 once the arena is exhausted
    if (gap > left || taken == 0 || taken > left - gap) {
        return dsl_arena_exhaust(arena);
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
        return dsl_arena_exhaust(arena);
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
