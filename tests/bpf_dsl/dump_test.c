// Every stage of the sample policy, on every arch, against reviewed files: tests/bpf_dsl/golden/sample.ARCH.STAGE.txt. BRIG_BLESS=1
// rewrites them; the difference is what a reviewer reads.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/text.h"
#include "tests/bpf_dsl/sample_policy.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

enum { TEXT_BYTES = 1 << 18 };

static _Alignas(16) unsigned char memory[BRIG_DSL_ARENA_BYTES];
static char text[TEXT_BYTES];
static char expected[TEXT_BYTES];

static bool dump(enum brig_dsl_arch arch, enum brig_dsl_stage stage)
{
    struct brig_dsl_options options = {.arch = arch, .self_pid = 1234, .notify_fd = BRIG_DSL_SLOT_UNSET};
    struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
    struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
    struct brig_dsl_arena arena;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    return CHECK_OK(brig_dsl_dump(&sample_policy, &options, stage, &arena, &sink, &error), &error) && CHECK(!buffer.is_cut);
}

static bool read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t bytes = fread(expected, 1, sizeof expected - 1, file);
    expected[bytes] = '\0';
    fclose(file);
    return true;
}

static bool write_file(const char *path)
{
    FILE *file = fopen(path, "we");
    return file != NULL && fputs(text, file) >= 0 && fclose(file) == 0;
}

static bool is_as_reviewed(enum brig_dsl_arch arch, enum brig_dsl_stage stage)
{
    char path[100];
    snprintf(path, sizeof path, "tests/bpf_dsl/golden/sample.%s.%s.txt", brig_dsl_arch_name(arch), brig_dsl_stage_name(stage));
    test_message("%s", path);
    if (!dump(arch, stage)) {
        return false;
    }
    if (getenv("BRIG_BLESS") != NULL) {
        return CHECK(write_file(path));
    }
    return CHECK(read_file(path)) && CHECK_STR_EQ(text, expected);
}

TEST(dump, stages_are_as_reviewed)
{
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        for (int stage = 0; stage < BRIG_DSL_STAGE_COUNT; stage++) {
            is_as_reviewed((enum brig_dsl_arch)arch, (enum brig_dsl_stage)stage);
        }
    }
    test_message("%s", "");
}

TEST(dump, stages_have_names)
{
    CHECK_STR_EQ(brig_dsl_stage_name(BRIG_DSL_STAGE_RULES), "rules");
    CHECK_STR_EQ(brig_dsl_stage_name(BRIG_DSL_STAGE_INSNS), "insns");
    CHECK(brig_dsl_stage_name(BRIG_DSL_STAGE_COUNT) == NULL);
    CHECK(brig_dsl_stage_name((enum brig_dsl_stage) - 1) == NULL);
}

static void count_writes(void *context, const char *piece, size_t bytes)
{
    (void)piece;
    (void)bytes;
    ++*(int *)context;
}

TEST(dump, nothing_is_written_on_failure)
{
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT; // SELF_PID is not given
    int writes = 0;
    struct brig_dsl_sink sink = {count_writes, &writes};
    struct brig_dsl_arena arena;
    struct brig_error error = {.code = BRIG_OK};
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    CHECK(
        CHECK_CODE(brig_dsl_dump(&sample_policy, &options, BRIG_DSL_STAGE_INSNS, &arena, &sink, &error), BRIG_SLOT_UNSET, &error));
    CHECK_EQ(writes, 0);
}

static enum brig_code dump_within(size_t bytes, enum brig_dsl_stage stage, int *ret_writes, struct brig_error *reterr)
{
    const struct brig_dsl_options options = {.arch = BRIG_DSL_X86_64, .self_pid = 1234, .notify_fd = BRIG_DSL_SLOT_UNSET};
    const struct brig_dsl_sink sink = {count_writes, ret_writes};
    struct brig_dsl_arena arena;
    *ret_writes = 0;
    brig_dsl_arena_init(&arena, memory, bytes);
    return brig_dsl_dump(&sample_policy, &options, stage, &arena, &sink, reterr);
}

static bool compiles_within(size_t bytes)
{
    const struct brig_dsl_options options = {.arch = BRIG_DSL_X86_64, .self_pid = 1234, .notify_fd = BRIG_DSL_SLOT_UNSET};
    struct brig_dsl_program program;
    struct brig_dsl_arena arena;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, bytes);
    return brig_dsl_compile(&sample_policy, &options, &arena, &program, &error) == BRIG_OK && !program.is_plain;
}

// What is dumped takes memory too, behind the compile.
TEST(dump, an_arena_that_ends_within_the_dump_is_an_error)
{
    static const enum brig_dsl_stage stages[] = {BRIG_DSL_STAGE_DECISIONS, BRIG_DSL_STAGE_TREE};
    size_t enough = sizeof memory;
    for (size_t step = enough / 2; step > 0; step /= 2) {
        enough -= enough > step && compiles_within(enough - step) ? step : 0;
    }
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        int writes;
        struct brig_error error = {.code = BRIG_OK};
        test_message("%s within %zu bytes", brig_dsl_stage_name(stages[i]), enough);
        CHECK(CHECK_CODE(dump_within(enough, stages[i], &writes, &error), BRIG_OUT_OF_ARENA, &error));
        CHECK_EQ(writes, 0);
        CHECK_OK(dump_within(sizeof memory, stages[i], &writes, &error), &error);
        CHECK(writes > 0);
    }
    test_message("%s", "");
}
