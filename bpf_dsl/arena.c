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

#if defined(__SANITIZE_ADDRESS__)
#define DSL_ARENA_GUARD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DSL_ARENA_GUARD 1
#endif
#endif

#ifdef DSL_ARENA_GUARD
#include <sanitizer/asan_interface.h>

// AddressSanitizer keeps one shadow byte for eight bytes: a piece must start on such a boundary for its end to be guarded exactly.
enum { DSL_GUARD_ALIGN = 8, DSL_GUARD_BYTES = 16 };

static void guard_all(const struct brig_dsl_arena *arena)
{
    __asan_poison_memory_region(arena->memory, arena->size_bytes);
}

static void guard_release(const unsigned char *piece, size_t bytes)
{
    __asan_unpoison_memory_region(piece, bytes);
}
#else
enum { DSL_GUARD_ALIGN = 1, DSL_GUARD_BYTES = 0 };

static void guard_all(const struct brig_dsl_arena *arena)
{
    (void)arena;
}

static void guard_release(const unsigned char *piece, size_t bytes)
{
    (void)piece;
    (void)bytes;
}
#endif

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Bytes to skip so that `address` becomes a multiple of `align`.
static size_t gap_before(uintptr_t address, size_t align)
{
    return (size_t)(-address & (align - 1));
}

void *dsl_arena_alloc(struct brig_dsl_arena *arena, size_t bytes, size_t align)
{
    if (arena->exhausted) {
        return NULL;
    }
    size_t strict = align > DSL_GUARD_ALIGN ? align : DSL_GUARD_ALIGN;
    size_t start = arena->used_bytes + gap_before((uintptr_t)(arena->memory + arena->used_bytes), strict);
    // One byte at least, so that two empty pieces have two addresses.
    size_t taken = bytes + (bytes == 0);
    if (start > arena->size_bytes || taken > arena->size_bytes - start) {
        arena->exhausted = true;
        return NULL;
    }
    unsigned char *piece = arena->memory + start;
    arena->used_bytes = start + taken;
    arena->used_bytes += smaller(arena->size_bytes - arena->used_bytes, DSL_GUARD_BYTES);
    guard_release(piece, bytes);
    return piece;
}

void *dsl_arena_alloc_array(struct brig_dsl_arena *arena, size_t count, size_t item_bytes, size_t align)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes)) {
        arena->exhausted = true;
        return NULL;
    }
    return dsl_arena_alloc(arena, bytes, align);
}

void brig_dsl_arena_init(struct brig_dsl_arena *arena, void *memory, size_t size_bytes)
{
    *arena = (struct brig_dsl_arena){.memory = memory, .size_bytes = size_bytes};
    guard_all(arena);
}

void brig_dsl_arena_end(struct brig_dsl_arena *arena)
{
    guard_release(arena->memory, arena->size_bytes);
    *arena = (struct brig_dsl_arena){.exhausted = true};
}
