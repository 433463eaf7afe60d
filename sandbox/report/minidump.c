// minidump: a report with a snapshot becomes a minidump, the form in which crash tools exchange a process's end.
//
// Takes: a report's text, which anybody may have written. Gives: bytes that lldb, Breakpad's and rust-minidump's tools read:
// system, one thread with its registers and stack, modules with build-ids, the exception, and the report itself without its
// snapshot in a stream of our own. Guarantees: sizes come from what was read, never from numbers in the report; output of at most
// the snapshot, the report and the modules. Source: minidumpapiset.h; Breakpad's minidump_format.h and minidump_cpu_amd64.h for
// what Linux adds; winnt.h for the context. SIGSYS from seccomp is exception 31 with flags 1 (SYS_SECCOMP), two parameters (number,
// audit arch). Weakness: x86_64 only.
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/report.h"
#include "sandbox/report/base64.h"
#include "sandbox/report/json.h"

enum {
    STREAM_THREADS = 3,
    STREAM_MODULES = 4,
    STREAM_MEMORY = 5,
    STREAM_EXCEPTION = 6,
    STREAM_SYSTEM = 7,
    STREAM_MISC = 15,
    STREAM_BRIG = 0x47495242, // "BRIG", above LastReservedStream
};

#define DUMP_SIGNATURE 0x504d444du // "MDMP"
#define DUMP_VERSION 0xa793u
#define CPU_AMD64 9u
#define PLATFORM_LINUX 0x8201u
#define ELF_BUILD_ID 0x4270454cu     // "LEpB": CodeView record that holds a build-id
#define CONTEXT_AMD64_FULL 0x100003u // control and integer registers
#define EXCEPTION_SIGSYS 31u
#define EXCEPTION_SECCOMP 1u
#define MISC_PROCESS_ID 1u

enum {
    CONTEXT_BYTES = 1232,
    EXCEPTION_PARAMETERS = 15,
    VERSION_INFO_BYTES = 52,
    CPU_INFO_BYTES = 24,
    BUILD_ID_BYTES = 20,
    REGISTERS = 17
};

// A part of the file, as the format points at it.
struct location {
    uint32_t size_bytes;
    uint32_t rva;
};

// What is read from the report.
struct facts {
    json_t *report;
    const json_t *modules;
    uint64_t registers[REGISTERS];
    uint64_t stack_address;
    size_t stack_bytes;
    unsigned char stack[BRIG_TRAP_STACK_BYTES];
    struct location stack_place; // in the dump, once they are written
    struct location context_place;
};

// A growing file. Failure is sticky: what is appended afterwards goes nowhere.
struct dump {
    unsigned char *bytes;
    size_t used_bytes;
    size_t capacity_bytes;
    bool is_exhausted;
};

// --- writing ----------------------------------------------------------------------------------------------------------

static void put(struct dump *dump, const void *bytes, size_t size_bytes)
{
    if (dump->is_exhausted) {
        return;
    }
    if (size_bytes > dump->capacity_bytes - dump->used_bytes) {
        size_t capacity_bytes = 2 * (dump->capacity_bytes + size_bytes);
        unsigned char *grown = realloc(dump->bytes, capacity_bytes);
        if (grown == NULL) {
            dump->is_exhausted = true;
            return;
        }
        dump->bytes = grown;
        dump->capacity_bytes = capacity_bytes;
    }
    memcpy(dump->bytes + dump->used_bytes, bytes, size_bytes);
    dump->used_bytes += size_bytes;
}

static void put_number(struct dump *dump, uint64_t value, size_t size_bytes)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
    put(dump, bytes, size_bytes);
}

static void put_16(struct dump *dump, uint32_t value)
{
    put_number(dump, value, 2);
}

static void put_32(struct dump *dump, uint64_t value)
{
    put_number(dump, value, 4);
}

static void put_64(struct dump *dump, uint64_t value)
{
    put_number(dump, value, 8);
}

static void put_zeros(struct dump *dump, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        put_number(dump, 0, 1);
    }
}

static void put_location(struct dump *dump, struct location location)
{
    put_32(dump, location.size_bytes);
    put_32(dump, location.rva);
}

static struct location location_from(const struct dump *dump, size_t start)
{
    return (struct location){(uint32_t)(dump->used_bytes - start), (uint32_t)start};
}

// A counted string of UTF-16. Names were escaped, but letters stay: pairs of surrogates for those above U+FFFF.
static uint32_t put_name(struct dump *dump, const char *name)
{
    size_t start = dump->used_bytes;
    put_32(dump, 0); // size, known afterwards
    for (const unsigned char *at = (const unsigned char *)name; *at != '\0';) {
        size_t more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3; // jansson accepts nothing but UTF-8
        uint32_t code_point = more == 0 ? *at : *at & (0x3fu >> more);
        for (at++; more > 0; more--, at++) {
            code_point = code_point << 6 | (*at & 0x3fu);
        }
        if (code_point > 0xffff) {
            put_16(dump, 0xd7c0 + (code_point >> 10));
            code_point = 0xdc00 | (code_point & 0x3ff);
        }
        put_16(dump, code_point);
    }
    size_t size_bytes = dump->used_bytes - start - 4;
    put_16(dump, 0);
    if (!dump->is_exhausted) {
        uint32_t size = (uint32_t)size_bytes;
        memcpy(dump->bytes + start, &size, sizeof size);
    }
    return (uint32_t)start;
}

// --- reading the report -----------------------------------------------------------------------------------------------

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static bool read_hex(const char *text, uint64_t *ret_value)
{
    char *end = NULL;
    errno = 0;
    *ret_value = strtoull(text, &end, 16);
    return text[0] == '0' && text[1] == 'x' && text[2] != '\0' && *end == '\0' && errno == 0;
}

static const char *read_snapshot(const json_t *snapshot, struct facts *facts)
{
    const json_t *registers = json_object_get(snapshot, "registers");
    if (snapshot == NULL) {
        return "snapshot";
    }
    if (strcmp(text_of(snapshot, "arch"), "x86_64") != 0) {
        return "snapshot.arch";
    }
    for (size_t i = 0; i < REGISTERS; i++) {
        const char *text = json_string_value(json_array_get(registers, i));
        if (text == NULL || !read_hex(text, &facts->registers[i])) {
            return "snapshot.registers";
        }
    }
    if (!read_hex(text_of(snapshot, "stack_address"), &facts->stack_address)) {
        return "snapshot.stack_address";
    }
    return box_base64_read(text_of(snapshot, "stack"), facts->stack, sizeof facts->stack, &facts->stack_bytes) ? NULL
                                                                                                               : "snapshot.stack";
}

// --- parts ------------------------------------------------------------------------------------------------------------

// struct _CONTEXT of winnt.h.
static struct location put_context(struct dump *dump, const struct facts *facts)
{
    // The order of the format, as DWARF numbers: rax rcx rdx rbx rsp rbp rsi rdi r8 to r15 rip.
    static const unsigned char order[REGISTERS] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    enum { BEFORE_FLAGS = 48, FLAGS_TO_REGISTERS = 68 };
    size_t start = dump->used_bytes;
    put_zeros(dump, BEFORE_FLAGS);
    put_32(dump, CONTEXT_AMD64_FULL);
    put_zeros(dump, FLAGS_TO_REGISTERS); // segments, flags and debug registers are not in a record
    for (size_t i = 0; i < REGISTERS; i++) {
        put_64(dump, facts->registers[order[i]]);
    }
    put_zeros(dump, start + CONTEXT_BYTES - dump->used_bytes);
    return location_from(dump, start);
}

static struct location put_build_id(struct dump *dump, const char *hex)
{
    size_t start = dump->used_bytes;
    if (strlen(hex) != 2 * (size_t)BUILD_ID_BYTES) {
        return (struct location){0, 0};
    }
    put_32(dump, ELF_BUILD_ID);
    for (size_t i = 0; i < BUILD_ID_BYTES; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        put_number(dump, strtoul(digits, NULL, 16), 1);
    }
    return location_from(dump, start);
}

// What a module's entry points at has to stand somewhere before the list.
struct module {
    uint64_t base;
    uint64_t end;
    uint32_t name_rva;
    struct location build_id;
};

static bool read_module(struct dump *dump, const json_t *json, struct module *ret_module)
{
    if (!read_hex(text_of(json, "base"), &ret_module->base) || !read_hex(text_of(json, "end"), &ret_module->end) ||
        ret_module->end <= ret_module->base) {
        return false;
    }
    ret_module->name_rva = put_name(dump, text_of(json, "path"));
    ret_module->build_id = put_build_id(dump, text_of(json, "build_id"));
    return true;
}

static void put_module(struct dump *dump, const struct module *module)
{
    uint64_t size_bytes = module->end - module->base;
    put_64(dump, module->base);
    put_32(dump, size_bytes < UINT32_MAX ? size_bytes : UINT32_MAX);
    put_zeros(dump, 8); // check sum, time
    put_32(dump, module->name_rva);
    put_zeros(dump, VERSION_INFO_BYTES);
    put_location(dump, module->build_id);
    put_zeros(dump, 8 + 16); // miscellaneous record, reserved
}

static struct location put_modules(struct dump *dump, const struct facts *facts)
{
    static const size_t modules_max = BOX_MODULES_SHOWN_MAX;
    struct module modules[BOX_MODULES_SHOWN_MAX];
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(facts->modules) && count < modules_max; i++) {
        count += read_module(dump, json_array_get(facts->modules, i), &modules[count]);
    }
    size_t start = dump->used_bytes;
    put_32(dump, count);
    for (size_t i = 0; i < count; i++) {
        put_module(dump, &modules[i]);
    }
    return location_from(dump, start);
}

static uint32_t thread_id(const struct facts *facts)
{
    const json_t *worker = json_object_get(facts->report, "worker");
    json_int_t inside = json_integer_value(json_object_get(worker, "tid_inside"));
    return (uint32_t)(inside != 0 ? inside : json_integer_value(json_object_get(worker, "pid")));
}

static struct location put_thread(struct dump *dump, const struct facts *facts)
{
    size_t start = dump->used_bytes;
    put_32(dump, 1);
    put_32(dump, thread_id(facts));
    put_zeros(dump, 12 + 8); // suspend count, priorities, TEB
    put_64(dump, facts->stack_address);
    put_location(dump, facts->stack_place);
    put_location(dump, facts->context_place);
    return location_from(dump, start);
}

static struct location put_memory(struct dump *dump, const struct facts *facts)
{
    size_t start = dump->used_bytes;
    put_32(dump, 1);
    put_64(dump, facts->stack_address);
    put_location(dump, facts->stack_place);
    return location_from(dump, start);
}

static struct location put_exception(struct dump *dump, const struct facts *facts)
{
    const json_t *event = json_object_get(facts->report, "event");
    enum brig_dsl_arch arch = BRIG_DSL_X86_64;
    uint64_t address = 0;
    size_t start = dump->used_bytes;
    (void)brig_dsl_arch_by_name(text_of(event, "arch"), &arch);
    (void)read_hex(text_of(event, "call_address"), &address);
    put_32(dump, thread_id(facts));
    put_32(dump, 0);
    put_32(dump, EXCEPTION_SIGSYS);
    put_32(dump, EXCEPTION_SECCOMP);
    put_64(dump, 0);
    put_64(dump, address);
    put_32(dump, 2);
    put_32(dump, 0);
    put_64(dump, (uint64_t)json_integer_value(json_object_get(event, "nr")));
    put_64(dump, brig_dsl_arch_audit(arch));
    put_zeros(dump, (EXCEPTION_PARAMETERS - 2) * sizeof(uint64_t));
    put_location(dump, facts->context_place);
    return location_from(dump, start);
}

static struct location put_system(struct dump *dump, const struct facts *facts)
{
    uint32_t version_rva = put_name(dump, text_of(json_object_get(facts->report, "env"), "kernel"));
    size_t start = dump->used_bytes;
    put_16(dump, CPU_AMD64);
    put_zeros(dump, 6 + 12); // processor, its count and product type; version numbers: the text has them
    put_32(dump, PLATFORM_LINUX);
    put_32(dump, version_rva);
    put_zeros(dump, 4 + CPU_INFO_BYTES);
    return location_from(dump, start);
}

static struct location put_misc(struct dump *dump, const struct facts *facts)
{
    enum { MISC_BYTES = 24 };
    size_t start = dump->used_bytes;
    put_32(dump, MISC_BYTES);
    put_32(dump, MISC_PROCESS_ID);
    put_32(dump, (uint64_t)json_integer_value(json_object_get(json_object_get(facts->report, "worker"), "pid")));
    put_zeros(dump, 12); // times
    return location_from(dump, start);
}

static struct location put_report(struct dump *dump, const struct facts *facts)
{
    size_t start = dump->used_bytes;
    json_object_del(facts->report, "snapshot");
    char *text = json_dumps(facts->report, JSON_INDENT(1));
    put(dump, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
    free(text);
    return location_from(dump, start);
}

static struct location put_stack(struct dump *dump, const struct facts *facts)
{
    size_t start = dump->used_bytes;
    put(dump, facts->stack, facts->stack_bytes);
    return location_from(dump, start);
}

static const struct {
    uint32_t type;
    struct location (*put)(struct dump *dump, const struct facts *facts);
} streams[] = {
    {STREAM_SYSTEM, put_system}, {STREAM_THREADS, put_thread}, {STREAM_MODULES, put_modules}, {STREAM_EXCEPTION, put_exception},
    {STREAM_MEMORY, put_memory}, {STREAM_MISC, put_misc},      {STREAM_BRIG, put_report},
};
enum { STREAM_COUNT = sizeof streams / sizeof streams[0], HEADER_BYTES = 32, ENTRY_BYTES = 12 };

// The header and the directory, which stand first and are known last.
static void put_front(struct dump *dump, const struct facts *facts, const struct location places[STREAM_COUNT])
{
    json_int_t time_ms = json_integer_value(json_object_get(json_object_get(facts->report, "id"), "time_ms"));
    put_32(dump, DUMP_SIGNATURE);
    put_32(dump, DUMP_VERSION);
    put_32(dump, STREAM_COUNT);
    put_32(dump, HEADER_BYTES); // the directory follows
    put_32(dump, 0);
    put_32(dump, (uint64_t)(time_ms / 1000));
    put_64(dump, 0);
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        put_32(dump, streams[i].type);
        put_location(dump, places[i]);
    }
}

static void put_dump(struct dump *dump, struct facts *facts)
{
    struct location places[STREAM_COUNT];
    put_zeros(dump, HEADER_BYTES + STREAM_COUNT * ENTRY_BYTES);
    facts->context_place = put_context(dump, facts);
    facts->stack_place = put_stack(dump, facts);
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        places[i] = streams[i].put(dump, facts);
    }
    struct dump front = {.bytes = NULL};
    put_front(&front, facts, places);
    dump->is_exhausted = dump->is_exhausted || front.is_exhausted;
    if (!dump->is_exhausted) {
        memcpy(dump->bytes, front.bytes, front.used_bytes);
    }
    free(front.bytes);
}

static enum brig_code fail(enum brig_code code, const char *subject, struct brig_error *reterr)
{
    return brig_error_set(reterr, (struct brig_error){.code = code, .step = "make minidump", .subject = subject});
}

enum brig_code brig_report_minidump(const char *json, void **ret_dump, size_t *ret_dump_bytes, struct brig_error *reterr)
{
    struct facts *facts = malloc(sizeof *facts);
    struct dump dump = {.bytes = NULL};
    if (facts == NULL) {
        return fail(BRIG_OUT_OF_MEMORY, NULL, reterr);
    }
    facts->report = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    facts->modules = json_object_get(facts->report, "modules");
    const char *bad_field =
        json_is_object(facts->report) ? read_snapshot(json_object_get(facts->report, "snapshot"), facts) : "report";
    if (bad_field == NULL) {
        put_dump(&dump, facts);
    }
    json_decref(facts->report);
    free(facts);
    if (bad_field != NULL) {
        return fail(BRIG_BAD_REPORT, bad_field, reterr);
    }
    if (dump.is_exhausted) {
        free(dump.bytes);
        return fail(BRIG_OUT_OF_MEMORY, NULL, reterr);
    }
    *ret_dump = dump.bytes;
    *ret_dump_bytes = dump.used_bytes;
    return BRIG_OK;
}
