#include "tests/sandbox/report_fixture.h"

#include <dirent.h>
#include <jansson.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf_dsl/program.h"

// By hand instead of by words.h, so that lines in golden files do not move with this file.
static const struct brig_dsl_condition no_conditions[] = {{.op = BRIG_DSL_END}};
static const struct brig_dsl_row rows[] = {
    {.kind = BRIG_DSL_ROW_WHY, .why = "the worker opens nothing by name", .file = "policies/example.c", .line = 87},
    {.kind = BRIG_DSL_ROW_CALL,
     .call = BRIG_SYS_openat,
     .action = {.verb = BRIG_DSL_CRASH},
     .conditions = no_conditions,
     .file = "policies/example.c",
     .line = 88},
    {.kind = BRIG_DSL_ROW_WHY, .why = "nobody needs to know its pid", .file = "policies/example.c", .line = 89},
    {.kind = BRIG_DSL_ROW_CALL,
     .call = BRIG_SYS_getpid,
     .action = {.verb = BRIG_DSL_REPORT, .data = 1},
     .conditions = no_conditions,
     .file = "policies/example.c",
     .line = 90},
    {.kind = BRIG_DSL_ROW_END},
};
const struct brig_dsl_policy report_policy = {
    .name = "example", .rows = rows, .fallback = {.verb = BRIG_DSL_CRASH}, .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "glibc 2.36"};

void report_record_init(struct brig_trap_record *record)
{
    memset(record, 0, sizeof *record);
    record->magic = BRIG_TRAP_RECORD_MAGIC;
    record->version = BRIG_TRAP_RECORD_VERSION;
    record->pid = 2;
    record->tid = 3;
    record->audit_arch = AUDIT_ARCH_X86_64;
    record->verb = BRIG_DSL_CRASH;
    record->call_address = 0x7f0000001000;
    record->registers[7] = 0x7ffd00001080; // rsp
    record->registers[16] = record->call_address;
    record->stack_address = 0x7ffd00001000;
    record->stack_bytes = 4096;
    memcpy(record->thread_name, "png-decoder", sizeof "png-decoder");
}

// What the program says about the record is what the record claims.
static bool decide(struct report_fixture *fixture)
{
    struct brig_trap_record *record = &fixture->record;
    struct brig_dsl_data data = {.nr = record->nr, .audit_arch = record->audit_arch, .ip = record->call_address};
    memcpy(data.args, record->args, sizeof data.args);
    record->trap_id = brig_dsl_interpret(fixture->program.insns, fixture->program.insn_count, &data, NULL).ret & 0xffff;
    if (!CHECK_GT(record->trap_id, 0) || !CHECK_LT(record->trap_id, fixture->program.trap_count)) {
        return false;
    }
    record->verb = (uint32_t)fixture->program.traps[record->trap_id].action.verb;
    record->data = record->verb == BRIG_DSL_REPORT ? fixture->program.traps[record->trap_id].action.data : 0;
    return true;
}

static bool fill(struct report_fixture *fixture, const char *call, const uint64_t args[6])
{
    struct brig_error error;
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    options.arch = BRIG_DSL_X86_64;
    brig_dsl_arena_init(&fixture->arena, fixture->memory, sizeof fixture->memory);
    if (!CHECK_OK(brig_dsl_compile(&report_policy, &options, &fixture->arena, &fixture->program, &error), &error)) {
        return false;
    }
    int32_t nr = brig_dsl_call_nr(brig_dsl_call_by_name(call, strlen(call)), BRIG_DSL_X86_64);
    report_record_init(&fixture->record);
    fixture->record.nr = nr < 0 ? (uint32_t)strtoul(call, NULL, 0) : (uint32_t)nr;
    memcpy(fixture->record.args, args, sizeof fixture->record.args);
    fixture->violation = (struct brig_violation){.record = &fixture->record,
                                                 .program = &fixture->program,
                                                 .policy = &report_policy,
                                                 .worker_name = "example",
                                                 .pointees = fixture->pointees,
                                                 .sequence = 7,
                                                 .count = 3,
                                                 .first_ms = 1795000000000,
                                                 .time_ms = 1795000012345,
                                                 .pid = 4711,
                                                 .report_name = "20261118T103332-7-4711.json.gz"};
    fixture->stack = (struct brig_stack){.stop = BRIG_UNWIND_END, .frame_count = 2};
    fixture->stack.frames[0] = (struct brig_frame){.ip = 0x7f0000001000,
                                                   .module_offset = 0x1000,
                                                   .symbol_offset = 7,
                                                   .module = "/usr/lib/libc.so.6",
                                                   .symbol = "openat64",
                                                   .build_id = "00112233445566778899aabbccddeeff00112233"};
    fixture->stack.frames[1] = (struct brig_frame){.ip = 0x550000002000,
                                                   .module_offset = 0x2000,
                                                   .symbol_offset = 0x1c,
                                                   .module = "/opt/example/libfont.so",
                                                   .symbol = "load_font",
                                                   .how = BRIG_FRAME_CFI};
    return decide(fixture);
}

struct report_fixture *report_fixture_new(const char *call, const uint64_t args[6])
{
    struct report_fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL || !fill(fixture, call, args)) {
        CHECK(fixture != NULL);
        free(fixture);
        return NULL;
    }
    return fixture;
}

void report_fixture_free(struct report_fixture *fixture)
{
    free(fixture);
}

void report_point(struct report_fixture *fixture, int argument, const void *bytes, size_t size_bytes, bool is_cut)
{
    fixture->pointees[fixture->violation.pointee_count++] =
        (struct brig_pointee){.argument = argument, .is_cut = is_cut, .size_bytes = size_bytes, .bytes = bytes};
}

json_t *report_fixture_json(struct report_fixture *fixture)
{
    char *text = NULL;
    struct brig_error error;
    if (!CHECK_OK(brig_report_json(&fixture->violation, &fixture->stack, &text, &error), &error)) {
        return NULL;
    }
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    CHECK(report != NULL);
    free(text);
    return report;
}

bool report_directory_new(char path[64])
{
    snprintf(path, 64, "/tmp/brig-report-test-XXXXXX");
    return CHECK(mkdtemp(path) != NULL);
}

void report_directory_free(const char *path)
{
    char name[512];
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (directory != NULL) {
        closedir(directory);
    }
    CHECK_EQ(rmdir(path), 0);
}
