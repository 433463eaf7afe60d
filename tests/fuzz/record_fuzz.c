// Any bytes as a record, up to everything that is made of one: frames (over this program's own mappings), JSON, a line, a key.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/words.h"
#include "sandbox/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct brig_dsl_row rows[] = {ROW(openat, CRASH), ROW(getpid, REPORT(1)), ROWS_END};
static const struct brig_dsl_policy policy = {.name = "fuzz", .rows = rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};

static unsigned char memory[BRIG_DSL_ARENA_BYTES];
static struct brig_dsl_arena arena;
static struct brig_dsl_program program;
static char maps[65536];
static size_t maps_bytes;

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "record_fuzz: %s\n", what);
        abort();
    }
}

__attribute__((constructor)) static void prepare(void)
{
    struct brig_error error;
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    must(brig_dsl_compile(&policy, &options, &arena, &program, &error) == BRIG_OK, "the policy does not compile");
    FILE *file = fopen("/proc/self/maps", "re");
    must(file != NULL, "no maps");
    maps_bytes = fread(maps, 1, sizeof maps, file);
    fclose(file);
}

static void check_text(const char *text)
{
    static char clean[4 * BRIG_MESSAGE_BYTES_MAX];
    brig_report_clean(text, clean, sizeof clean);
    must(strcmp(text, clean) == 0, "a line with something hidden in it");
}

static void check_report(const struct brig_violation *violation, const struct brig_stack *stack)
{
    char *text = NULL;
    char line[BRIG_MESSAGE_BYTES_MAX];
    must(brig_report_json(violation, stack, &text, NULL) == BRIG_OK, "no report of a good record");
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    must(report != NULL, "a report that is no JSON");
    json_decref(report);
    free(text);
    brig_report_message(violation, stack, line);
    check_text(line);
    (void)brig_report_key(violation, stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct brig_trap_record record;
    static struct brig_stack stack;
    char line[BRIG_MESSAGE_BYTES_MAX];
    memset(&record, 0, sizeof record);
    memcpy(&record, data, bytes < sizeof record ? bytes : sizeof record);
    struct brig_pointee pointees[6];
    for (int i = 0; i < 6; i++) {
        pointees[i] = (struct brig_pointee){i, i % 2 == 0, sizeof record.stack / 8, record.stack + (size_t)i * 64};
    }
    struct brig_violation violation = {.record = &record,
                                       .program = &program,
                                       .policy = &policy,
                                       .worker_name = "fuzz",
                                       .maps = maps,
                                       .maps_bytes = maps_bytes,
                                       .pointees = pointees,
                                       .pointee_count = bytes % 7,
                                       .with_stack = bytes % 2 == 0};
    if (brig_record_check(&record, NULL) != BRIG_OK) {
        brig_report_message(&violation, NULL, line);
        check_text(line);
        return 0;
    }
    must(brig_unwind(&record, maps, maps_bytes, &stack, NULL) == BRIG_OK && stack.frame_count <= BRIG_FRAMES_MAX, "no stack");
    check_report(&violation, &stack);
    return 0;
}
