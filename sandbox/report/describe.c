// describe: names, decoded arguments, strings, the policy's decision and the outcome of one event, as text.
//
// Takes: a checked record, the program that the worker runs under, and the bytes behind its pointers. Gives: text in a bounded
// buffer. Guarantees: whatever the worker chose goes through the escapes; tables and policy decide everything else. The decision is
// confirmed by running the program here, or asking the rules, with the claimed number, arguments and address: a record that names
// another row than its own arguments lead to is noticed.
#include "sandbox/report/describe.h"

#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/program.h"
#include "bpf_dsl/rules.h"
#include "sandbox/report/structs.h"

enum { X32_BIT = 0x40000000, ALL_ARGUMENTS = 6 };

// Last arguments that the kernel does not look at. `names` are the values of argument `selector` without which, or with which, it
// does not.
struct ignored_argument {
    const char *group; // of the selector
    int selector;      // counted back from the last argument
    bool is_needed;    // the last argument counts only with one of the names; otherwise it counts with all others
    const char *names[8];
};

static const struct ignored_argument ignored_arguments[] = {
    {"open_flags", 1, true, {"O_CREAT", "O_TMPFILE"}}, // open(2): mode
    {"fcntl_cmd",
     1,
     false,
     {"F_GETFD", "F_GETFL", "F_GETOWN", "F_GETSIG", "F_GETLEASE", "F_GETPIPE_SZ", "F_GET_SEALS"}}, // fcntl(2): arg
};

static bool has_named_value(const struct ignored_argument *rule, uint64_t value, enum brig_dsl_arch arch)
{
    for (size_t i = 0; i < sizeof rule->names / sizeof rule->names[0] && rule->names[i] != NULL; i++) {
        int64_t named;
        if (brig_dsl_constant_value(rule->names[i], strlen(rule->names[i]), arch, &named) == 0 &&
            (rule->is_needed ? (value & (uint64_t)named) == (uint64_t)named : (uint32_t)value == (uint32_t)named)) {
            return true;
        }
    }
    return false;
}

static int count_meaningful(const struct brig_trap_record *record, const struct box_call *call)
{
    for (size_t i = 0; i < sizeof ignored_arguments / sizeof ignored_arguments[0]; i++) {
        const struct ignored_argument *rule = &ignored_arguments[i];
        int selector = call->argument_count - 1 - rule->selector;
        const struct brig_dsl_argument *argument = selector < 0 ? NULL : brig_dsl_call_argument(call->call, call->arch, selector);
        if (argument != NULL && argument->group != NULL && strcmp(argument->group, rule->group) == 0 &&
            has_named_value(rule, record->args[selector], call->arch) != rule->is_needed) {
            return call->argument_count - 1;
        }
    }
    return call->argument_count;
}

struct box_call box_call_of(const struct brig_trap_record *record)
{
    struct box_call call = {.arch = brig_dsl_arch_native(), .call = BRIG_SYS_NONE};
    bool is_known = brig_dsl_arch_by_audit(record->audit_arch, &call.arch);
    call.is_x32 = is_known && call.arch == BRIG_DSL_X86_64 && (record->nr & X32_BIT) != 0;
    if (is_known) {
        call.call = brig_dsl_call_by_nr(call.is_x32 ? record->nr & ~(uint32_t)X32_BIT : record->nr, call.arch);
    }
    call.argument_count = call.call == BRIG_SYS_NONE ? ALL_ARGUMENTS : brig_dsl_call_argument_count(call.call, call.arch);
    call.meaningful_count = count_meaningful(record, &call);
    return call;
}

// --- the decision -----------------------------------------------------------------------------------------------------

static bool is_confirmed(const struct brig_violation *violation)
{
    const struct brig_trap_record *record = violation->record;
    struct brig_dsl_data data = {.nr = record->nr, .audit_arch = record->audit_arch, .ip = record->call_address};
    memcpy(data.args, record->args, sizeof data.args);
    if (violation->rules != NULL) { // all that is refused is a notification there, and no notification has an id
        const struct brig_dsl_trap *met = brig_dsl_decide(violation->rules, &data);
        return met != NULL && (uint64_t)(met - violation->rules->traps) == record->trap_id;
    }
    struct brig_dsl_run run = brig_dsl_interpret(violation->program->insns, violation->program->insn_count, &data, NULL);
    return run.ret == (SECCOMP_RET_TRAP | (record->trap_id & SECCOMP_RET_DATA));
}

struct box_decision box_decision_of(const struct brig_violation *violation)
{
    const struct brig_dsl_program *program = violation->program;
    uint32_t id = violation->record->trap_id;
    if ((violation->record->flags & BRIG_TRAP_FLAG_FOREIGN) != 0) {
        return (struct box_decision){.is_foreign = true};
    }
    if (program == NULL || id == 0 || id >= program->trap_count) {
        return (struct box_decision){.trap = NULL};
    }
    return (struct box_decision){.trap = &program->traps[id], .is_confirmed = is_confirmed(violation)};
}

const char *box_origin_name(const struct box_decision *decision)
{
    static const char *const names[] = {
        [BRIG_DSL_ORIGIN_ROW] = "row",
        [BRIG_DSL_ORIGIN_FALLBACK] = "fallback",
        [BRIG_DSL_ORIGIN_FOREIGN_ARCH] = "foreign arch",
        [BRIG_DSL_ORIGIN_X32] = "x32 number",
    };
    if (decision->trap == NULL) {
        return decision->is_foreign ? "another filter" : "unknown";
    }
    return names[decision->trap->origin];
}

// --- the call ---------------------------------------------------------------------------------------------------------

void box_describe_name(const struct brig_trap_record *record, struct box_text *text)
{
    struct box_call call = box_call_of(record);
    box_text_add(text, call.is_x32 ? "x32 " : "");
    if (call.call == BRIG_SYS_NONE) {
        box_text_format(text, "syscall %u", record->nr);
    } else {
        box_text_add(text, brig_dsl_call_name(call.call));
    }
}

const struct brig_pointee *box_pointee_of(const struct brig_violation *violation, int index)
{
    for (size_t i = 0; i < violation->pointee_count; i++) {
        if (violation->pointees[i].argument == index && violation->pointees[i].bytes != NULL) {
            return &violation->pointees[i];
        }
    }
    return NULL;
}

// A socket address ends where the next argument says; what follows in memory is something else.
static size_t struct_bytes(const struct brig_violation *violation, const struct box_call *call, const struct brig_pointee *pointee)
{
    const struct brig_dsl_argument *next = brig_dsl_call_argument(call->call, call->arch, pointee->argument + 1);
    if (next == NULL || strcmp(next->name, "addrlen") != 0) {
        return pointee->size_bytes;
    }
    uint64_t length = violation->record->args[pointee->argument + 1];
    return length < pointee->size_bytes ? (size_t)length : pointee->size_bytes;
}

// Adds what the argument points to. Returns: false, having added nothing, if that is not known.
static bool describe_pointee(const struct brig_violation *violation, const struct brig_dsl_argument *argument, int index,
                             struct box_text *text)
{
    const struct brig_pointee *pointee = box_pointee_of(violation, index);
    if (pointee == NULL) {
        return false;
    }
    if (argument->kind == BRIG_DSL_KIND_PATH || argument->kind == BRIG_DSL_KIND_STRING) {
        box_text_add_quoted(text, pointee->bytes, strnlen(pointee->bytes, pointee->size_bytes), pointee->is_cut);
        return true;
    }
    if (argument->kind != BRIG_DSL_KIND_STRUCT || argument->pointee == NULL) {
        return false;
    }
    struct box_call call = box_call_of(violation->record);
    struct brig_pointee whole = *pointee;
    whole.size_bytes = struct_bytes(violation, &call, pointee);
    whole.is_cut = pointee->is_cut && whole.size_bytes == pointee->size_bytes;
    return box_describe_struct(argument->pointee, &whole, call.arch, text);
}

void box_describe_argument(const struct brig_violation *violation, int index, struct box_text *text)
{
    struct box_call call = box_call_of(violation->record);
    const struct brig_dsl_argument *argument = brig_dsl_call_argument(call.call, call.arch, index);
    uint64_t value = violation->record->args[index];
    char value_text[512];
    if (argument == NULL) {
        box_text_format(text, "0x%llx", (unsigned long long)value);
    } else if (!describe_pointee(violation, argument, index, text)) {
        brig_dsl_decode_value(argument, value, call.arch, value_text, sizeof value_text);
        box_text_add(text, value_text);
    }
}

void box_describe_call(const struct brig_violation *violation, struct box_text *text)
{
    struct box_call call = box_call_of(violation->record);
    box_describe_name(violation->record, text);
    box_text_add(text, "(");
    for (int i = 0; i < call.meaningful_count; i++) {
        box_text_add(text, i == 0 ? "" : ", ");
        box_describe_argument(violation, i, text);
    }
    box_text_add(text, ")");
}

void box_describe_outcome(const struct brig_trap_record *record, struct box_text *text)
{
    const char *name = brig_dsl_constant_name("errno", record->data, brig_dsl_arch_native());
    if (record->verb != BRIG_DSL_REPORT) {
        box_text_add(text, "killed");
    } else if (name != NULL) {
        box_text_format(text, "answered %s", name);
    } else {
        box_text_format(text, "answered errno %u", record->data);
    }
}

// --- frames -----------------------------------------------------------------------------------------------------------

const char *box_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool is_libc(const char *module)
{
    static const char *const prefixes[] = {"libc.so", "libc-2.", "libc.musl", "libpthread", "ld-linux", "ld-musl", "[vdso]"};
    const char *name = box_base_name(module);
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

size_t box_interesting_frame(const struct brig_stack *stack)
{
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (stack->frames[i].module[0] != '\0' && !is_libc(stack->frames[i].module)) {
            return i;
        }
    }
    return 0;
}
