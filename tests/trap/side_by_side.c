// Runs what side_by_side.h describes.
#include "tests/trap/side_by_side.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CALLS_MAX 4000
#define BYTES ((size_t)SIDE_PAGES * SIDE_PAGE_BYTES)

struct seen {
    long result;
    uint64_t hash; // of the memory after the call
};

static unsigned char *memory;

static unsigned char *page(int number)
{
    return memory + (size_t)number * SIDE_PAGE_BYTES;
}

static bool map_memory(void)
{
    memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(memory != MAP_FAILED)) {
        return false;
    }
    munmap(page(SIDE_HOLE), SIDE_PAGE_BYTES);
    munmap(page(SIDE_HOLE2), SIDE_PAGE_BYTES);
    return true;
}

static void protect(int protection)
{
    mprotect(page(SIDE_READ_ONLY), SIDE_PAGE_BYTES, protection);
    mprotect(page(SIDE_READ_ONLY2), SIDE_PAGE_BYTES, protection);
}

void *side_address(int64_t place)
{
    return memory + (place - SIDE_MARK);
}

static long argument(int64_t value)
{
    const bool is_place = value >= SIDE_MARK - SIDE_PAGE_BYTES && value <= SIDE_MARK + (int64_t)BYTES;
    return is_place ? (long)(intptr_t)side_address(value) : (long)value;
}

static void fill(const struct side_call *call)
{
    protect(PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < SIDE_PAGES; i++) {
        if (i != SIDE_HOLE && i != SIDE_HOLE2) {
            memset(page((int)i), 0x5a, SIDE_PAGE_BYTES);
        }
    }
    if (call->text) {
        memcpy(side_address(SIDE_TEXT), call->text, strlen(call->text) + 1);
    }
    const uint32_t count = call->word_count ? call->word_count : COUNT_OF(call->words);
    for (uint32_t i = 0; call->words_at && i < count; i++) {
        const uint32_t word = (uint32_t)argument(call->words[i]);
        memcpy((unsigned char *)side_address(call->words_at) + i * sizeof word, &word, sizeof word);
    }
    protect(PROT_READ);
}

static uint64_t hash_of_memory(void)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < BYTES; i++) {
        if (i / SIDE_PAGE_BYTES != SIDE_HOLE && i / SIDE_PAGE_BYTES != SIDE_HOLE2) {
            hash = (hash ^ memory[i]) * UINT64_C(0x100000001b3);
        }
    }
    return hash;
}

long side_make(const struct side_call *call)
{
    fill(call);
    const long result = syscall(call->nr, argument(call->args[0]), argument(call->args[1]), argument(call->args[2]),
                                argument(call->args[3]), argument(call->args[4]), argument(call->args[5]));
    return result == -1 ? -errno : result;
}

static void get_call(const struct side_by_side *test, size_t index, struct side_call *ret_call)
{
    if (test->make) {
        *ret_call = (struct side_call){.what = "made"};
        test->make(index, ret_call);
    } else {
        *ret_call = test->calls[index];
    }
}

static struct seen look(const struct side_by_side *test, const struct side_call *call)
{
    const long result = side_make(call);
    const uint64_t hash = hash_of_memory();
    return (struct seen){test->settle ? test->settle(call, result) : result, hash};
}

static void compare(const struct side_by_side *test, size_t index, const struct seen *real)
{
    struct side_call call;
    get_call(test, index, &call);
    test_message("call %zu: %s (%ld: %#llx %#llx %#llx %#llx)", index, call.what, call.nr, (unsigned long long)call.args[0],
                 (unsigned long long)call.args[1], (unsigned long long)call.args[2], (unsigned long long)call.args[3]);
    const struct seen emulated = look(test, &call);
    CHECK_EQ(emulated.result, call.differs ? call.expected : real->result);
    if (!call.differs) {
        CHECK_EQ(emulated.hash, real->hash);
    }
}

void side_by_side(const struct side_by_side *test)
{
    struct trap_fixture fixture;
    struct side_call call;
    static struct seen real[CALLS_MAX];
    REQUIRE(CHECK_LE(test->count, CALLS_MAX));
    REQUIRE(map_memory());
    fixture_start(&fixture, test->rules, test->rule_count, ALLOW_ALL); // its descriptor is there in both runs
    for (size_t i = 0; i < test->count; i++) {
        get_call(test, i, &call);
        real[i] = look(test, &call);
    }
    REQUIRE(fixture_lock(&fixture));
    const uint64_t before = fixture.slots->emulated;
    for (size_t i = 0; i < test->count; i++) {
        compare(test, i, &real[i]);
    }
    test_message("%s", "");
    CHECK_GE(fixture.slots->emulated - before, test->count);
    CHECK_EQ(fixture_record_count(&fixture), 0);
    fixture_end(&fixture);
    munmap(memory, BYTES);
}

// A linear congruence: Numerical Recipes' constants; the high bits are the good ones.
uint32_t side_random(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)*state * below >> 32);
}
