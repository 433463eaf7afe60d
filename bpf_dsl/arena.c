// arena: bump allocation over memory that the caller owns.
//
// Takes: the caller's memory, of any size and alignment. Gives: pieces of it. Guarantees: pieces are aligned as asked and never
// overlap; once a request did not fit, every later one fails, so that a half-built thing cannot be mistaken for a small one.
//
// Nothing is freed one by one: a compile makes a few thousand small immutable things that all die together, and the caller's memory
// may be on a stack, static, or in a worker that must not call malloc any more.
//
// Under AddressSanitizer every piece is its own object: memory that was not handed out is poisoned, and a gap of poisoned bytes
// stands between two pieces. That lasts until brig_dsl_arena_end, or free() of the memory.
#include "bpf_dsl/arena.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

#ifdef DSL_ARENA_GUARD
#include <sanitizer/asan_interface.h>

void dsl_arena_close(struct brig_dsl_arena *arena)
{
    __asan_poison_memory_region(arena->memory + arena->used_bytes, arena->size_bytes - arena->used_bytes);
}

static void release_all(const struct brig_dsl_arena *arena)
{
    __asan_unpoison_memory_region(arena->memory, arena->size_bytes);
}

void dsl_arena_guard(struct brig_dsl_arena *arena, const unsigned char *piece, size_t bytes)
{
    arena->used_bytes += smaller(arena->size_bytes - arena->used_bytes, DSL_GUARD_BYTES);
    __asan_unpoison_memory_region(piece, bytes);
}
#else
static void release_all(const struct brig_dsl_arena *arena)
{
    (void)arena;
}
#endif

void brig_dsl_arena_init(struct brig_dsl_arena *arena, void *memory, size_t size_bytes)
{
    size_t gap = (size_t)(-(uintptr_t)memory & (DSL_ARENA_ALIGN - 1));
    *arena = (struct brig_dsl_arena){.memory = memory, .size_bytes = size_bytes, .used_bytes = smaller(gap, size_bytes)};
    dsl_arena_close(arena);
}

void *dsl_arena_exhaust(struct brig_dsl_arena *arena)
{
    arena->used_bytes = arena->size_bytes;
    arena->exhausted = true;
    return NULL;
}

void brig_dsl_arena_end(struct brig_dsl_arena *arena)
{
    release_all(arena);
    *arena = (struct brig_dsl_arena){.exhausted = true};
}
