// Describe: what `brig explain` and the stage `rules` print.
#include "bpf_dsl/describe.h"

#include <string.h>

#include "bpf_dsl/text.h"
#include "bpf_dsl/words.h"
#include "tests/bpf_dsl/rules_fixture.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

static const struct brig_dsl_values terminals = VALUES(terminals, "asked by isatty", TCGETS, TIOCGWINSZ);

static const struct {
    struct brig_dsl_row row;
    enum brig_dsl_arch arch;
    const char *text;
} phrases[] = {
    {ROW(read, ALLOW), BRIG_DSL_X86_64, ""},
    {ROW(fcntl, ALLOW, IN(cmd, F_GETFL, F_GETFD)), BRIG_DSL_X86_64, "cmd in {F_GETFL, F_GETFD}"},
    {ROW(ioctl, ALLOW, IN_SET(cmd, terminals)), BRIG_DSL_X86_64, "cmd in {TCGETS, TIOCGWINSZ}"},
    {ROW(kill, ALLOW, IN(pid, SELF_PID), RANGE(sig, 0, 64)), BRIG_DSL_X86_64, "pid in {SELF_PID} and sig from 0 to 64"},
    {ROW(kill, ALLOW, AT_LEAST(sig, 1), AT_MOST(sig, 1 << 5)), BRIG_DSL_X86_64, "sig at least 1 and sig at most 1 << 5"},
    {ROW(futex, ALLOW, MASKED(op, FUTEX_CMD_MASK, FUTEX_WAIT, FUTEX_WAKE)), BRIG_DSL_X86_64,
     "op & FUTEX_CMD_MASK in {FUTEX_WAIT, FUTEX_WAKE}"},
    {ROW(fcntl, ALLOW, IN(cmd, F_SETFL), LOW32_ONLY_BITS(arg, O_APPEND | O_NONBLOCK)), BRIG_DSL_X86_64,
     "cmd in {F_SETFL} and arg (low half) has only {O_APPEND | O_NONBLOCK}"},
    {ROW(clone, ALLOW, NO_BITS(flags, CLONE_VM), ALL_BITS(flags, CLONE_FS)), BRIG_DSL_X86_64,
     "flags has none of {CLONE_VM} and flags has all of {CLONE_FS}"},
    {ROW(read, ALLOW, IS_NULL(buf)), BRIG_DSL_X86_64, "buf is NULL"},
    {ROW(read, ALLOW, NOT_NULL(buf)), BRIG_DSL_X86_64, "buf is not NULL"},
    {ROW(ioctl, ALLOW, MASKED(cmd, ',' | 0xff, ',')), BRIG_DSL_X86_64, "cmd & ',' | 0xff in {','}"},
    {ROW(fcntl, ALLOW, NOT_IN(cmd, F_SETFL, F_SETFD)), BRIG_DSL_X86_64, "cmd not in {F_SETFL, F_SETFD}"},
    {ROW(mmap, ALLOW, ANY_BITS(prot, PROT_EXEC)), BRIG_DSL_X86_64, "prot has any of {PROT_EXEC}"},
    {ROW(futex, ALLOW, NOT_MASKED(op, 127, FUTEX_WAIT)), BRIG_DSL_X86_64, "op & 127 not in {FUTEX_WAIT}"},
    {ROW(pread64, ALLOW, IN(pos, 0), IN(fd, 1)), BRIG_DSL_I386, "pos in {0} and fd in {1}"}, // two registers, one phrase
};

TEST(describe, conditions)
{
    for (size_t i = 0; i < COUNT_OF(phrases); i++) {
        const struct brig_dsl_row table[] = {
            phrases[i].row,
            {.kind = BRIG_DSL_ROW_ELSE, .call = phrases[i].row.call, .action = BRIG_DSL_ACTION_CRASH},
            {.kind = BRIG_DSL_ROW_END},
        };
        struct brig_dsl_rules rules;
        struct brig_error error;
        char text[256];
        struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
        struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
        test_message("%s", phrases[i].text);
        REQUIRE(CHECK_OK(fixture_resolve_rows(table, phrases[i].arch, &rules, &error), &error));
        const struct brig_dsl_call_rules *list = brig_dsl_rules_of(&rules, phrases[i].row.call);
        uint32_t at = 0;
        while (list->rules[at]->row != table) {
            at++; // the handler's own rows
        }
        brig_dsl_describe_rule(list->rules[at], phrases[i].row.call, phrases[i].arch, &sink);
        CHECK_STR_EQ(text, phrases[i].text);
    }
}

TEST(describe, rules_without_a_source)
{
    static const uint64_t values[] = {UINT64_MAX, 3};
    const struct brig_dsl_rule_condition conditions[] = {
        {.op = BRIG_DSL_IN, .argument = 1, .bits = 32, .value_count = 2, .values = values},
        {.op = BRIG_DSL_RANGE, .argument = 2, .bits = 64, .value_count = 2, .values = values},
    };
    const struct brig_dsl_rule rule = {.condition_count = 2, .conditions = conditions};
    char text[256];
    struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
    struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
    brig_dsl_describe_rule(&rule, BRIG_SYS_fcntl, BRIG_DSL_X86_64, &sink);
    CHECK_STR_EQ(text, "cmd in {0xffffffff, 0x3} and arg from 0xffffffffffffffff to 0x3");
}

static const struct brig_dsl_row listed[] = {
    ROW(fcntl, ALLOW, IN(cmd, F_GETFL), LOW32_ONLY_BITS(arg, 0)),
    ELSE(fcntl, CRASH),
    ROW(read, DENY(EPERM)),
    ROWS_END,
};

TEST(describe, stage_rules)
{
    static char text[4096];
    struct brig_dsl_rules rules;
    struct brig_error error;
    struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
    struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
    REQUIRE(CHECK_OK(fixture_resolve_rows(listed, BRIG_DSL_X86_64, &rules, &error), &error));
    dsl_dump_rules(&rules, &sink);
    CHECK_CONTAINS(text, "policy fixture for x86_64, Linux 6.18\n");
    CHECK_CONTAINS(text, "\nfcntl 72\n    ALLOW when cmd:1.32 in {0x3} and arg:2.32 has only {0x0}\n    TRAP(4)\n");
    CHECK_CONTAINS(text, "\nread 0\n    ERRNO(1)\n");
    CHECK_CONTAINS(text, "    ERRNO(38) newer than the baseline, or no call\n");
    CHECK_CONTAINS(text, "traps\n    1 CRASH, foreign arch\n    2 CRASH, x32\n    3 CRASH, fallback\n    4 CRASH, row\n");
    CHECK(!buffer.is_cut);
}

TEST(describe, source_text_is_tidied)
{
    static const struct {
        const char *text;
        const char *tidy;
    } rows[] = {{"", ""}, {"  ", ""}, {" a ", "a"}, {"a\n\t  b", "a b"}, {"a b", "a b"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[16];
        struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
        struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
        dsl_put_source(&sink, rows[i].text, strlen(rows[i].text));
        CHECK_STR_EQ(text, rows[i].tidy);
    }
}
