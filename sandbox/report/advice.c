// advice: the smallest edit of the policy that would allow what was refused, what that would cost, and what to do instead.
//
// Takes: a checked record and the policy. Gives: rows of the policy language and sentences from const tables. Guarantees: an edit
// allows this call with the values that its flags and constants had, and nothing else; it is advice for a person and is never
// applied, because the record is the worker's claim and a hijacked worker would ask for what it needs. Calls that no worker should
// ever have get no edit. Weaknesses: descriptors, sizes and pointers are left open in the edit; a value that was seen once may not
// be the only one needed.
#include "sandbox/report/advice.h"

#include <string.h>

#include "bpf_dsl/rules.h"

struct danger {
    enum brig_dsl_call call;
    enum box_risk risk;
    const char *reason;
    const char *alternative;
};

static const struct danger dangers[] = {
#define DANGER(call_, risk_, reason_, alternative_) {BRIG_SYS_##call_, BOX_RISK_##risk_, reason_, alternative_},
#include "sandbox/report/dangers.def"
#undef DANGER
};

// What there is to say where the call itself is not the point.
struct verdict {
    const char *reason;
    const char *alternative;
};

static const struct verdict foreign_arch = {"no policy can allow calls of another arch: every argument means something else there",
                                            "build this part for the worker's own arch"};
static const struct verdict x32 = {"x32 numbers reach the same calls past every row", "build for x86_64"};
static const struct verdict other_filter = {"the trap belongs to another filter that was stacked on this one",
                                            "ask whoever installed it"};
static const struct verdict unknown_call = {"no kernel that this Brig knows has a call with this number",
                                            "find out where the call comes from: the stack says"};

const char *box_risk_name(enum box_risk risk)
{
    static const char *const names[] = {"low", "medium", "high", "never"};
    return names[risk];
}

static const struct danger *find_danger(enum brig_dsl_call call)
{
    for (size_t i = 0; i < sizeof dangers / sizeof dangers[0]; i++) {
        if (dangers[i].call == call) {
            return &dangers[i];
        }
    }
    return NULL;
}

// --- the edit ---------------------------------------------------------------------------------------------------------

// From here on a union's value is more likely an address than a number that could be pinned.
enum { UNION_NUMBER_MAX = 0xffff };

// Returns: the condition that ties the argument to its value, or NULL if it stays open. A union only counts behind its selector.
static const char *condition_for(const struct brig_dsl_argument *argument, uint64_t value, bool has_selector)
{
    if (argument->kind == BRIG_DSL_KIND_ENUM || argument->kind == BRIG_DSL_KIND_FLAGS) {
        return "IN";
    }
    return argument->is_union && has_selector && value <= UNION_NUMBER_MAX ? "LOW32_IN" : NULL;
}

// Writes the value as the language reads it: by name where the name reads back as the same value, else as a number.
static void add_value(const struct brig_dsl_argument *argument, uint64_t value, enum brig_dsl_arch arch, struct box_text *text)
{
    char names[512];
    uint64_t wanted = argument->width == BRIG_DSL_WIDTH_32 || !brig_dsl_arch_is_64bit(arch) ? value & UINT32_MAX : value;
    uint64_t read_back = 0;
    size_t length = brig_dsl_decode_value(argument, value, arch, names, sizeof names);
    bool is_same = brig_dsl_read_value(names, length, arch, NULL, &read_back, NULL) == BRIG_OK &&
                   (wanted == value ? read_back == value : (uint32_t)read_back == wanted);
    if (is_same) {
        box_text_add(text, names);
    } else if (wanted > INT64_MAX) {
        box_text_format(text, "U64(0x%llx)", (unsigned long long)wanted);
    } else {
        box_text_format(text, "0x%llx", (unsigned long long)wanted);
    }
}

// Writes "ROW(openat, ALLOW, IN(flags, O_RDONLY))," Returns: whether it has conditions.
static bool add_row(const struct brig_trap_record *record, const struct box_call *call, struct box_text *text)
{
    bool has_conditions = false;
    box_text_format(text, "ROW(%s, ALLOW", brig_dsl_call_name(call->call));
    int count = brig_dsl_call_has_memory_arguments(call->call, call->arch) ? 0 : call->meaningful_count;
    for (int i = 0; i < count; i++) {
        const struct brig_dsl_argument *argument = brig_dsl_call_argument(call->call, call->arch, i);
        const char *condition = argument == NULL ? NULL : condition_for(argument, record->args[i], has_conditions);
        if (condition != NULL) {
            box_text_format(text, ", %s(%s, ", condition, argument->name);
            add_value(argument, record->args[i], call->arch, text);
            box_text_add(text, ")");
            has_conditions = true;
        }
    }
    box_text_add(text, "),");
    return has_conditions;
}

static void add_edit(const struct brig_violation *violation, const struct box_call *call, const struct brig_dsl_trap *trap,
                     struct box_advice *advice)
{
    struct box_text edit;
    struct box_text place;
    box_text_init(&edit, advice->edit, sizeof advice->edit);
    box_text_init(&place, advice->place, sizeof advice->place);
    bool has_conditions = add_row(violation->record, call, &edit);
    if (trap->row != NULL) {
        box_text_add(&place, "before ");
        box_text_add_clean(&place, trap->row->file);
        box_text_format(&place, ":%d", trap->row->line);
    } else {
        if (has_conditions) {
            box_text_format(&edit, "\nELSE(%s, CRASH),", brig_dsl_call_name(call->call));
        }
        box_text_add(&place, "among the rows of policy ");
        box_text_add_clean(&place, violation->policy == NULL ? violation->program->policy : violation->policy->name);
    }
    if (edit.is_cut || place.is_cut) {
        advice->edit[0] = '\0'; // half a row is worse than none
        advice->place[0] = '\0';
    }
}

static void refuse(struct box_advice *advice, const struct verdict *verdict)
{
    advice->risk = BOX_RISK_NEVER;
    advice->reason = verdict->reason;
    advice->alternative = verdict->alternative;
}

// Says why nothing should be allowed, if so. Returns: NULL if it may be.
static const struct verdict *find_objection(const struct box_call *call, const struct box_decision *decision)
{
    if (decision->is_foreign) {
        return &other_filter;
    }
    if (decision->trap != NULL && decision->trap->origin == BRIG_DSL_ORIGIN_FOREIGN_ARCH) {
        return &foreign_arch;
    }
    if (call->is_x32) {
        return &x32;
    }
    return call->call == BRIG_SYS_NONE || decision->trap == NULL ? &unknown_call : NULL;
}

// Memory that is writable and executable at once, whichever call asks for it.
static bool makes_code(const struct brig_trap_record *record, const struct box_call *call)
{
    static const char *const calls[] = {"mmap", "mmap2", "mprotect", "pkey_mprotect"};
    enum { PROT_ARGUMENT = 2, PROT_WRITE_EXEC = 6 }; // the same place and bits on every arch (uapi/asm-generic/mman-common.h)
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(brig_dsl_call_name(call->call), calls[i]) == 0) {
            return (record->args[PROT_ARGUMENT] & PROT_WRITE_EXEC) == PROT_WRITE_EXEC;
        }
    }
    return false;
}

void box_advise(const struct brig_violation *violation, struct box_advice *ret_advice)
{
    static const struct verdict writable_code = {
        "memory that is writable and executable turns every overflow into code of the attacker's choice",
        "make code before the lock, or write it through one mapping and run it through another"};
    static const struct danger ordinary = {BRIG_SYS_NONE, BOX_RISK_LOW,
                                           "not known as dangerous; every call adds kernel code in reach",
                                           "ask whether the worker needs it; DENY(EPERM) if the program copes"};
    struct box_call call = box_call_of(violation->record);
    struct box_decision decision = box_decision_of(violation);
    const struct verdict *objection = find_objection(&call, &decision);
    *ret_advice = (struct box_advice){.risk = BOX_RISK_LOW};
    if (objection == NULL && makes_code(violation->record, &call)) {
        objection = &writable_code;
    }
    if (objection != NULL) {
        refuse(ret_advice, objection);
        return;
    }
    const struct danger *danger = find_danger(call.call);
    danger = danger == NULL ? &ordinary : danger;
    ret_advice->risk = danger->risk;
    ret_advice->reason = danger->reason;
    ret_advice->alternative = danger->alternative;
    if (danger->risk != BOX_RISK_NEVER) {
        add_edit(violation, &call, decision.trap, ret_advice);
    }
}
