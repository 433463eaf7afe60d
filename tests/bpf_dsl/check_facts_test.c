// What the check knows of words: exact, compared with trying out all values of a small word.
#include <string.h>

#include "bpf_dsl/check_parts.h"
#include "tests/bpf_dsl/random.h"
#include "tests/shim/test.h"

static _Alignas(16) unsigned char memory[1 << 20];

enum { WORD = CHECK_ARGUMENTS, BITS = 8 };

// What a fact about one word says, for trying out all values.
struct fact {
    uint32_t mask;
    uint32_t lo;
    uint32_t hi;
    uint32_t hole;
};

static bool has_fact(const struct fact *fact, uint32_t value)
{
    uint32_t masked = value & fact->mask;
    return masked >= fact->lo && masked <= fact->hi && masked != fact->hole;
}

// Learns up to three random facts about a word of which only the low bits are not 0.
static uint32_t learn_some(struct random *random, struct check_facts *facts, struct fact *ret_facts)
{
    static const uint32_t masks[] = {UINT32_MAX, 0x0f, 0x3c, 0xa5};
    uint32_t count = 0;
    dsl_check_learn(facts, WORD, UINT32_MAX << BITS, (struct check_range){.hi = 0});
    for (uint32_t used = 0; count < random_below(random, 4); used++) {
        uint32_t lo = random_below(random, 1 << BITS);
        uint32_t hi = random_below(random, 1 << BITS);
        struct fact fact = {masks[used % 4], lo < hi ? lo : hi, lo < hi ? hi : lo, random_below(random, 1 << BITS)};
        fact.lo &= fact.mask;
        fact.hi &= fact.mask;
        if (fact.lo > fact.hi) {
            continue;
        }
        struct check_set set = dsl_check_set_of(facts, WORD, fact.mask);
        set.range.lo = fact.lo > set.range.lo ? fact.lo : set.range.lo;
        set.range.hi = fact.hi < set.range.hi ? fact.hi : set.range.hi;
        set.range = dsl_check_without(facts, set.range, fact.hole);
        struct check_range range = dsl_check_fit(facts, &set);
        if (range.lo > range.hi) {
            continue;
        }
        dsl_check_learn(facts, WORD, fact.mask, range);
        ret_facts[count++] = fact;
        if (used == 3) {
            break;
        }
    }
    return count;
}

static bool has_facts(const struct fact *facts, uint32_t count, uint32_t value)
{
    bool has = true;
    for (uint32_t i = 0; i < count; i++) {
        has = has && has_fact(&facts[i], value);
    }
    return has;
}

static unsigned can_by_trying(const struct fact *facts, uint32_t count, const struct check_condition *condition)
{
    unsigned can = 0;
    for (uint32_t value = 0; value < 1 << BITS; value++) {
        bool possible = has_facts(facts, count, value);
        bool holds = false;
        for (uint32_t i = 0; i < condition->count; i++) {
            uint64_t masked = value & condition->mask;
            holds = holds || (masked >= condition->spans[i].first && masked <= condition->spans[i].last);
        }
        can |= !possible ? 0 : holds ? CHECK_CAN_HOLD : CHECK_CAN_FAIL;
    }
    return can;
}

// Whether a side of a test has calls, as tried out; any part of the set under a random mask is one.
static bool is_side_exact(struct random *random, struct check_facts *facts, const struct fact *known, uint32_t count, uint32_t mask)
{
    uint32_t hole = random_below(random, 1 << BITS) & mask;
    struct check_set set = dsl_check_set_of(facts, WORD, mask);
    set.range = dsl_check_clamp(set.range, random_below(random, 1 << BITS) & mask, UINT32_MAX);
    set.range = dsl_check_is_empty(&set.range) ? set.range : dsl_check_without(facts, set.range, hole);
    struct check_range side = dsl_check_is_empty(&set.range) ? set.range : dsl_check_fit(facts, &set);
    if (dsl_check_is_empty(&side)) {
        return true;
    }
    bool has_call = false;
    for (uint32_t value = 0; value < 1 << BITS; value++) {
        bool is_inside = (value & mask) >= side.lo && (value & mask) <= side.hi && (value & mask) != hole;
        has_call = has_call || (is_inside && has_facts(known, count, value));
    }
    return CHECK_EQ(dsl_check_has_call(facts, WORD, mask, side), has_call);
}

TEST(check_facts, facts_are_exact)
{
    static const uint32_t masks[] = {UINT32_MAX, 0x0f, 0x3c, 0xa5, 0xf0, 0x10};
    struct random random = {12};
    for (int round = 0; round < 6000; round++) {
        struct brig_dsl_arena arena;
        struct check_facts facts;
        struct fact known[4];
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        REQUIRE(dsl_check_facts_init(&facts, &arena, 64, UINT32_MAX));
        uint32_t count = learn_some(&random, &facts, known);
        struct check_span spans[3];
        uint32_t span_count = 1 + random_below(&random, 3);
        uint64_t mask = masks[random_below(&random, COUNT_OF(masks))];
        for (uint32_t i = 0; i < span_count; i++) {
            spans[i].first = random_below(&random, 1 << BITS) & mask;
            spans[i].last = spans[i].first | (random_below(&random, 2) == 0 ? random_below(&random, 1 << BITS) & mask : 0);
        }
        struct check_condition condition = dsl_check_make_condition(0, false, mask, spans, span_count);
        test_message("round %d", round);
        unsigned expected = can_by_trying(known, count, &condition);
        REQUIRE(CHECK(expected == 0 || dsl_check_condition_can(&facts, &condition) == expected));
        REQUIRE(CHECK_EQ(dsl_check_is_possible(&facts), expected != 0));
        REQUIRE(expected == 0 || is_side_exact(&random, &facts, known, count, (uint32_t)mask));
    }
    test_message("%s", "");
}

// Hundreds of masks of five bits that each leave one value out: to know whether a word is left takes billions of steps.
TEST(check_facts, a_search_ends_with_the_budget)
{
    enum { MASKS = 800, MASK_BITS = 5, STEPS = 100000 };
    struct random random = {3};
    struct brig_dsl_arena arena;
    struct check_facts facts;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    REQUIRE(dsl_check_facts_init(&facts, &arena, 2 * MASKS, STEPS));
    for (int i = 0; i < MASKS; i++) {
        uint32_t mask = 0;
        while (__builtin_popcount(mask) < MASK_BITS) {
            mask |= (uint32_t)1 << random_below(&random, 32);
        }
        struct check_set set = dsl_check_set_of(&facts, WORD, mask);
        set.range = dsl_check_without(&facts, set.range, (uint32_t)random_next(&random) & mask);
        dsl_check_learn(&facts, WORD, mask, set.range);
    }
    REQUIRE(CHECK(!facts.overflowed));
    CHECK(dsl_check_is_possible(&facts));
    CHECK(facts.overflowed);
    CHECK_LT(facts.steps / 2, STEPS);
}

// A few steps forwards or back: what a condition was worth before must not be taken for what it is worth now.
TEST(check_facts, what_is_remembered_is_what_is_found)
{
    enum { WALKS = 300, STEPS = 40, MOST_MARKS = 8 };
    static const uint32_t masks[] = {UINT32_MAX, 0x0f, 0x3c, 0xa5};
    struct random random = {21};
    for (int round = 0; round < WALKS; round++) {
        struct brig_dsl_arena arena;
        struct check_facts facts;
        struct check_memo memo = {.can = 0};
        struct check_span span = {random_below(&random, 1 << BITS), (uint64_t)random_below(&random, 3) << 32 | 0xc0};
        struct check_condition condition = dsl_check_make_condition(0, true, UINT64_MAX, &span, 1);
        struct dsl_check_mark marks[MOST_MARKS];
        uint32_t depth = 0;
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        REQUIRE(dsl_check_facts_init(&facts, &arena, 4 * STEPS, UINT32_MAX));
        for (int step = 0; step < STEPS; step++) {
            if (depth > 0 && (depth == MOST_MARKS || random_below(&random, 2) == 0)) {
                dsl_check_rewind(&facts, marks[--depth]);
            } else {
                uint32_t word = WORD + random_below(&random, 2);
                uint32_t mask = masks[random_below(&random, COUNT_OF(masks))];
                struct check_set set = dsl_check_set_of(&facts, word, mask);
                set.range = dsl_check_clamp(set.range, 0, word == WORD ? 0xff : random_below(&random, 4));
                set.range = dsl_check_without(&facts, set.range, random_below(&random, 1 << BITS) & mask);
                struct check_range range = dsl_check_is_empty(&set.range) ? set.range : dsl_check_fit(&facts, &set);
                marks[depth++] = dsl_check_mark(&facts);
                if (!dsl_check_is_empty(&range) && dsl_check_has_call(&facts, word, mask, range)) {
                    dsl_check_learn(&facts, word, mask, range);
                }
            }
            condition.memo = NULL;
            unsigned expected = dsl_check_condition_can(&facts, &condition);
            condition.memo = &memo;
            test_message("round %d, step %d", round, step);
            REQUIRE(CHECK_EQ(dsl_check_condition_can(&facts, &condition), expected));
            REQUIRE(CHECK_EQ(dsl_check_condition_can(&facts, &condition), expected));
        }
    }
    test_message("%s", "");
}

TEST(check_facts, going_back_forgets)
{
    struct brig_dsl_arena arena;
    struct check_facts facts;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    REQUIRE(dsl_check_facts_init(&facts, &arena, 16, UINT32_MAX));
    struct dsl_check_mark mark = dsl_check_mark(&facts);
    dsl_check_learn(&facts, WORD, UINT32_MAX, (struct check_range){.lo = 3, .hi = 9});
    dsl_check_learn(&facts, WORD, 0xf0, (struct check_range){.lo = 0, .hi = 0});
    dsl_check_learn(&facts, WORD + 1, 0x0f, (struct check_range){.lo = 1, .hi = 7});
    CHECK(!dsl_check_is_untouched(&facts, WORD));
    CHECK(!dsl_check_is_untouched(&facts, WORD + 1));
    dsl_check_rewind(&facts, mark);
    CHECK(dsl_check_is_untouched(&facts, WORD));
    CHECK(dsl_check_is_untouched(&facts, WORD + 1));
    for (uint32_t i = 0; i < 20; i++) {
        dsl_check_learn(&facts, WORD, UINT32_MAX, (struct check_range){.lo = 3, .hi = 99 - i});
    }
    CHECK(facts.overflowed);
}
