// Decisions: the normal form, grafts against their meaning, and facts that cut off only what no word can reach.
#include "bpf_dsl/decisions.h"

#include "bpf_dsl/facts.h"
#include "tests/bpf_dsl/random_rules.h"
#include "tests/shim/test.h"

static _Alignas(16) unsigned char memory[8 << 20];
static struct brig_dsl_arena arena;
static struct dsl_decisions graph;

static bool start(void)
{
    struct dsl_order order = {{0}};
    for (int word = 0; word < DSL_WORD_COUNT; word++) {
        order.rank[word] = (uint8_t)word;
    }
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    bool started = dsl_decisions_init(&graph, &arena, 0);
    dsl_decisions_set_order(&graph, &order);
    return started;
}

// What a diagram says for three words, by walking it.
static uint32_t walk(uint32_t id, const uint32_t words[3])
{
    const struct dsl_decision *node = dsl_decision_get(&graph, id);
    while (node->kind == DSL_DECISION_SWITCH) {
        uint32_t value = words[node->word] & node->mask;
        uint32_t run = 0;
        while (dsl_run_last(node, run) < value) {
            run++;
        }
        id = node->runs[run].child;
        node = dsl_decision_get(&graph, id);
    }
    return id;
}

static bool is_normal(uint32_t id)
{
    const struct dsl_decision *node = dsl_decision_get(&graph, id);
    bool normal = node->kind != DSL_DECISION_SWITCH || (node->run_count > 1 && node->runs[0].first == 0);
    for (uint32_t i = 0; normal && i < node->run_count; i++) {
        normal = (node->runs[i].first & ~node->mask) == 0 && node->runs[i].child < id && is_normal(node->runs[i].child);
        normal =
            normal && (i == 0 || (node->runs[i - 1].first < node->runs[i].first && node->runs[i - 1].child != node->runs[i].child));
    }
    return normal;
}

TEST(decisions, next_in_mask)
{
    static const uint32_t masks[] = {0, 1, 0x80, 0xf0, 0x5a, 0xff};
    for (size_t m = 0; m < COUNT_OF(masks); m++) {
        for (uint32_t from = 0; from < 512; from++) {
            uint32_t expected = from;
            while (expected < 1024 && (expected & ~masks[m]) != 0) {
                expected++;
            }
            uint32_t found = 0;
            bool exists = dsl_next_in_mask(masks[m], from, &found);
            test_message("mask %#x from %#x", masks[m], from);
            CHECK_EQ(exists, expected < 1024);
            CHECK(!exists || found == expected);
        }
    }
    uint32_t found;
    CHECK(dsl_next_in_mask(UINT32_MAX, UINT32_MAX, &found) && found == UINT32_MAX);
    CHECK(dsl_next_in_mask(0x80000000, 1, &found) && found == 0x80000000);
    CHECK(!dsl_next_in_mask(0x80000000, 0x80000001, &found));
    test_message("%s", "");
}

TEST(decisions, switches_have_one_form)
{
    REQUIRE(start());
    const struct dsl_run split[] = {{0, DSL_DECISION_NO}, {5, DSL_DECISION_YES}, {7, DSL_DECISION_YES}, {9, DSL_DECISION_NO}};
    const struct dsl_run whole[] = {{0, DSL_DECISION_NO}, {5, DSL_DECISION_YES}, {9, DSL_DECISION_NO}};
    uint32_t id = dsl_decision_switch(&graph, DSL_WORD_NR, UINT32_MAX, split, 4);
    CHECK_EQ(dsl_decision_switch(&graph, DSL_WORD_NR, UINT32_MAX, whole, 3), id);
    CHECK_EQ(dsl_decision_get(&graph, id)->run_count, 3u);
    CHECK_NE(dsl_decision_switch(&graph, DSL_WORD_ARCH, UINT32_MAX, whole, 3), id);
    CHECK_NE(dsl_decision_switch(&graph, DSL_WORD_NR, 0xff, whole, 3), id);
    const struct dsl_run same[] = {{0, DSL_DECISION_YES}, {5, DSL_DECISION_YES}};
    CHECK_EQ(dsl_decision_switch(&graph, DSL_WORD_NR, UINT32_MAX, same, 2), (uint32_t)DSL_DECISION_YES);
    // Of 0 to 15, the mask 8 gives 0 and 8: the run of 5 to 7 has no value, and the one from 3 starts at 8.
    const struct dsl_run masked[] = {{0, DSL_DECISION_NO}, {3, DSL_DECISION_YES}, {5, DSL_DECISION_NO}, {8, DSL_DECISION_YES}};
    const struct dsl_decision *node = dsl_decision_get(&graph, dsl_decision_switch(&graph, DSL_WORD_NR, 8, masked, 4));
    CHECK_EQ(node->run_count, 2u);
    CHECK_EQ(node->runs[1].first, 8u);
}

// What a graft that ran out of steps left behind is not taken for the result of the next one.
TEST(decisions, an_explosion_is_forgotten)
{
    REQUIRE(start());
    const struct dsl_run runs[] = {{0, DSL_DECISION_NO}, {5, DSL_DECISION_YES}, {9, DSL_DECISION_NO}};
    uint32_t base = dsl_decision_switch(&graph, DSL_WORD_NR, UINT32_MAX, runs, 3);
    uint32_t graft = dsl_decision_switch(&graph, DSL_WORD_ARCH, UINT32_MAX, runs, 3);
    dsl_decisions_allow_steps(&graph, 0);
    dsl_decision_graft(&graph, base, DSL_DECISION_YES, graft);
    CHECK(graph.exploded);
    dsl_decisions_allow_steps(&graph, 1000);
    uint32_t both = dsl_decision_graft(&graph, base, DSL_DECISION_YES, graft);
    CHECK(!graph.exploded);
    const struct dsl_run expected[] = {{0, DSL_DECISION_NO}, {5, graft}, {9, DSL_DECISION_NO}};
    CHECK_EQ(both, dsl_decision_switch(&graph, DSL_WORD_NR, UINT32_MAX, expected, 3));
}

// A diagram over three words of four bits, with one test per (word, mask) on each path.
static uint32_t some_test(struct random *random, enum dsl_word word)
{
    static const uint32_t masks[] = {UINT32_MAX, 6, 9, 3};
    uint32_t mask = masks[random_below(random, 4)];
    struct dsl_run runs[6] = {{0, random_below(random, 2)}};
    uint32_t count = 1;
    for (uint32_t first = 1 + random_below(random, 4); first < 16 && count < 6; first += 1 + random_below(random, 5)) {
        runs[count++] = (struct dsl_run){first, random_below(random, 2)};
    }
    return dsl_decision_switch(&graph, word, mask, runs, count);
}

static uint32_t some_diagram(struct random *random, int tests)
{
    uint32_t id = some_test(random, (enum dsl_word)random_below(random, 3));
    for (int i = 1; i < tests; i++) {
        enum dsl_decision_kind leaf = random_below(random, 2) == 0 ? DSL_DECISION_YES : DSL_DECISION_NO;
        id = dsl_decision_graft(&graph, id, leaf, some_test(random, (enum dsl_word)random_below(random, 3)));
    }
    return id;
}

TEST(decisions, grafts_mean_what_they_say)
{
    struct random random = {99};
    for (int round = 0; round < 60; round++) {
        REQUIRE(start());
        uint32_t base = some_diagram(&random, 5);
        uint32_t graft = some_diagram(&random, 4);
        uint32_t both = dsl_decision_graft(&graph, base, DSL_DECISION_YES, graft);
        uint32_t either = dsl_decision_graft(&graph, base, DSL_DECISION_NO, graft);
        uint32_t narrowed = dsl_facts_narrow(&graph, both, dsl_facts_most);
        REQUIRE(CHECK(is_normal(both) && is_normal(either) && is_normal(narrowed)));
        for (uint32_t i = 0; i < 16 * 16 * 16; i++) {
            const uint32_t words[3] = {i & 15, i >> 4 & 15, i >> 8};
            bool in_base = walk(base, words) == DSL_DECISION_YES;
            bool in_graft = walk(graft, words) == DSL_DECISION_YES;
            test_message("round %d, words %u %u %u", round, words[0], words[1], words[2]);
            REQUIRE(CHECK_EQ(walk(both, words), in_base && in_graft));
            REQUIRE(CHECK_EQ(walk(either, words), in_base || in_graft));
            REQUIRE(CHECK_EQ(walk(narrowed, words), in_base && in_graft));
        }
    }
    test_message("%s", "");
}

TEST(decisions, equal_meaning_is_one_node)
{
    struct random random = {7};
    for (int round = 0; round < 200; round++) {
        REQUIRE(start());
        uint32_t a = some_test(&random, DSL_WORD_NR);
        uint32_t b = some_test(&random, DSL_WORD_ARCH);
        uint32_t c = some_test(&random, DSL_WORD_IP_LO);
        uint32_t left = dsl_decision_graft(&graph, dsl_decision_graft(&graph, a, DSL_DECISION_YES, b), DSL_DECISION_YES, c);
        uint32_t right = dsl_decision_graft(&graph, c, DSL_DECISION_YES, dsl_decision_graft(&graph, b, DSL_DECISION_YES, a));
        CHECK_EQ(left, right);
    }
}

// After narrowing, each branch of each node is taken by some words.
static void mark_branches(uint32_t id, const uint32_t words[3], unsigned char *taken, uint32_t per_node)
{
    const struct dsl_decision *node = dsl_decision_get(&graph, id);
    while (node->kind == DSL_DECISION_SWITCH) {
        uint32_t run = 0;
        while (dsl_run_last(node, run) < (words[node->word] & node->mask)) {
            run++;
        }
        taken[id * per_node + run] = 1;
        id = node->runs[run].child;
        node = dsl_decision_get(&graph, id);
    }
}

// Switches and runs, each switch once.
static uint32_t size_of(uint32_t root)
{
    const unsigned char *marks = dsl_decisions_mark(&graph, root);
    uint32_t size = 0;
    for (uint32_t id = 0; id <= root; id++) {
        const struct dsl_decision *node = dsl_decision_get(&graph, id);
        size += marks[id] && node->kind == DSL_DECISION_SWITCH ? 1 + node->run_count : 0;
    }
    return size;
}

TEST(decisions, size_is_what_can_be_reached)
{
    struct random random = {7};
    for (int round = 0; round < 60; round++) {
        REQUIRE(start());
        uint32_t root = some_diagram(&random, 6);
        uint32_t size = size_of(root);
        CHECK(!dsl_decision_exceeds(&graph, root, size));
        CHECK_EQ(size > 0 && dsl_decision_exceeds(&graph, root, size - 1), size > 0);
        CHECK_EQ(dsl_decision_exceeds(&graph, root, 0), size > 0);
    }
}

TEST(decisions, narrowing_leaves_no_dead_branch)
{
    enum { PER_NODE = 32, NODES = 4096 };
    static unsigned char taken[NODES * PER_NODE];
    struct random random = {3};
    for (int round = 0; round < 60; round++) {
        REQUIRE(start());
        uint32_t root = dsl_facts_narrow(&graph, some_diagram(&random, 8), dsl_facts_most);
        REQUIRE(CHECK_LT(root, (uint32_t)NODES));
        for (size_t i = 0; i < sizeof taken; i++) {
            taken[i] = 0;
        }
        // Values above 15 are all alike to masks of four bits, but not to tests of the whole word.
        for (uint32_t i = 0; i < 20 * 20 * 20; i++) {
            uint32_t words[3] = {i % 20, i / 20 % 20, i / 400};
            for (int w = 0; w < 3; w++) {
                words[w] = words[w] < 16 ? words[w] : 0xfffffff0u + 5 * (words[w] - 16);
            }
            mark_branches(root, words, taken, PER_NODE);
        }
        const unsigned char *marks = dsl_decisions_mark(&graph, root);
        for (uint32_t id = 0; id <= root; id++) {
            const struct dsl_decision *node = dsl_decision_get(&graph, id);
            for (uint32_t run = 0; marks[id] && run < node->run_count; run++) {
                test_message("round %d, node %u, run %u", round, id, run);
                CHECK_EQ(taken[id * PER_NODE + run], 1);
            }
        }
    }
    test_message("%s", "");
}

TEST(decisions, too_much_work_is_noticed_and_forgotten)
{
    REQUIRE(start());
    struct random random = {5};
    dsl_decisions_allow_steps(&graph, 10);
    some_diagram(&random, 12);
    CHECK(graph.exploded);
    CHECK_EQ(graph.scratch_used, 0u);
    dsl_decisions_allow_steps(&graph, 100000);
    CHECK(!graph.exploded);
    CHECK(is_normal(some_diagram(&random, 6)));
}
