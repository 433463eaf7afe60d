// Arena: alignment, no overlap, and failure that stays.
#include "bpf_dsl/arena.h"

#include <string.h>

#include "tests/shim/test.h"

TEST(arena, pieces_are_aligned_and_apart)
{
    static unsigned char memory[4096];
    static const struct {
        size_t bytes;
        size_t align;
    } rows[] = {{1, 1}, {8, 8}, {3, 1}, {0, 1}, {0, 16}, {64, 64}, {5, 4}, {1, 32}, {100, 2}};
    struct brig_dsl_arena arena;
    // From an address that fits nothing.
    brig_dsl_arena_init(&arena, memory + 3, sizeof memory - 3);
    unsigned char *last_end = memory + 3;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("%zu bytes at %zu", rows[i].bytes, rows[i].align);
        unsigned char *piece = dsl_arena_alloc(&arena, rows[i].bytes, rows[i].align);
        REQUIRE(piece != NULL);
        CHECK_EQ((uintptr_t)piece % rows[i].align, 0);
        CHECK(piece >= last_end);
        CHECK(piece + rows[i].bytes <= memory + sizeof memory);
        memset(piece, (int)i, rows[i].bytes);
        last_end = piece + (rows[i].bytes > 0 ? rows[i].bytes : 1);
    }
    CHECK(!arena.exhausted);
}

TEST(arena, failure_stays)
{
    static _Alignas(16) unsigned char memory[256];
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    CHECK(dsl_arena_alloc(&arena, 64, 8) != NULL);
    CHECK(dsl_arena_alloc(&arena, sizeof memory, 1) == NULL);
    CHECK(arena.exhausted);
    CHECK(dsl_arena_alloc(&arena, 1, 1) == NULL);
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    CHECK(dsl_arena_alloc(&arena, sizeof memory, 16) == memory);
    CHECK(dsl_arena_alloc(&arena, 0, 1) == NULL);
}

TEST(arena, sizes_that_overflow)
{
    static unsigned char memory[64];
    static const struct {
        size_t count;
        size_t item_bytes;
    } rows[] = {{SIZE_MAX, 2}, {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX, 1}, {SIZE_MAX - 8, 1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_arena arena;
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        CHECK(dsl_arena_alloc_array(&arena, rows[i].count, rows[i].item_bytes, 16) == NULL);
        CHECK(arena.exhausted);
    }
}
