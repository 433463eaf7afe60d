// oci_rows: entries become rows of one arch, with libseccomp's meaning (oci.c).
//
// An entry is one rule for each of its calls, or one for each argument where an index stands twice. What is known of a rule before
// any call is made counts: a comparison that always holds is left out, and a rule with one that never does. So it is found out
// first which calls have a rule without conditions, because that is then the only one; the others' rules are rows in their order.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/import/oci.h"

// Rows whose order does not matter stand as in the profile, then come those of calls whose rules have several actions.
enum pass { PASS_PLAIN, PASS_MIXED, PASS_MULTIPLEXED };

struct arch_rows {
    const struct oci_profile *profile;
    struct import_rows *rows;
    enum brig_dsl_arch arch;
    size_t unconditional[BRIG_SYS_COUNT]; // 1 + the index of the entry that decides a call alone; 0: none
    bool is_added[BRIG_SYS_COUNT];        // whether that row is there
    const struct oci_entry *first[BRIG_SYS_COUNT];
    bool is_mixed[BRIG_SYS_COUNT]; // whether a call's rules have several actions, so that their order matters
    bool has_mixed;                // whether there are such calls
    enum pass pass;
    const char *comment; // of the rows that were added last
    bool has_warned;     // of arguments that cannot be seen
};

// --- calls ------------------------------------------------------------------------------------------------------------

static const char *const other_calls[] = {
#define OTHER(name) #name,
#include "tools/import/other_calls.def"
#undef OTHER
};
enum { OTHER_COUNT = sizeof other_calls / sizeof other_calls[0] };

bool import_is_other_call(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < OTHER_COUNT; i++) {
        if (strlen(other_calls[i]) == name_bytes && memcmp(other_calls[i], name, name_bytes) == 0) {
            return true;
        }
    }
    return false;
}

enum brig_dsl_call oci_find_call(const char *name)
{
    return brig_dsl_call_by_name(name, strlen(name));
}

// i386 has these calls behind another one, whose first argument says which is meant; some of them only there.
// Source: include/uapi/linux/net.h, include/uapi/linux/ipc.h.
static const struct {
    enum brig_dsl_call call;
    enum brig_dsl_call behind;
    uint64_t selector;
} multiplexed[] = {
    {BRIG_SYS_socket, BRIG_SYS_socketcall, 1},
    {BRIG_SYS_bind, BRIG_SYS_socketcall, 2},
    {BRIG_SYS_connect, BRIG_SYS_socketcall, 3},
    {BRIG_SYS_listen, BRIG_SYS_socketcall, 4},
    {BRIG_SYS_accept, BRIG_SYS_socketcall, 5},
    {BRIG_SYS_getsockname, BRIG_SYS_socketcall, 6},
    {BRIG_SYS_getpeername, BRIG_SYS_socketcall, 7},
    {BRIG_SYS_socketpair, BRIG_SYS_socketcall, 8},
    {BRIG_SYS_send, BRIG_SYS_socketcall, 9},
    {BRIG_SYS_recv, BRIG_SYS_socketcall, 10},
    {BRIG_SYS_sendto, BRIG_SYS_socketcall, 11},
    {BRIG_SYS_recvfrom, BRIG_SYS_socketcall, 12},
    {BRIG_SYS_shutdown, BRIG_SYS_socketcall, 13},
    {BRIG_SYS_setsockopt, BRIG_SYS_socketcall, 14},
    {BRIG_SYS_getsockopt, BRIG_SYS_socketcall, 15},
    {BRIG_SYS_sendmsg, BRIG_SYS_socketcall, 16},
    {BRIG_SYS_recvmsg, BRIG_SYS_socketcall, 17},
    {BRIG_SYS_accept4, BRIG_SYS_socketcall, 18},
    {BRIG_SYS_recvmmsg, BRIG_SYS_socketcall, 19},
    {BRIG_SYS_sendmmsg, BRIG_SYS_socketcall, 20},
    {BRIG_SYS_semop, BRIG_SYS_ipc, 1},
    {BRIG_SYS_semget, BRIG_SYS_ipc, 2},
    {BRIG_SYS_semctl, BRIG_SYS_ipc, 3},
    {BRIG_SYS_semtimedop, BRIG_SYS_ipc, 4},
    {BRIG_SYS_msgsnd, BRIG_SYS_ipc, 11},
    {BRIG_SYS_msgrcv, BRIG_SYS_ipc, 12},
    {BRIG_SYS_msgget, BRIG_SYS_ipc, 13},
    {BRIG_SYS_msgctl, BRIG_SYS_ipc, 14},
    {BRIG_SYS_shmat, BRIG_SYS_ipc, 21},
    {BRIG_SYS_shmdt, BRIG_SYS_ipc, 22},
    {BRIG_SYS_shmget, BRIG_SYS_ipc, 23},
    {BRIG_SYS_shmctl, BRIG_SYS_ipc, 24},
};
enum { MULTIPLEXED_COUNT = sizeof multiplexed / sizeof multiplexed[0] };

// Returns: an index into `multiplexed`, or -1.
static int find_multiplexed(enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    for (int i = 0; arch == BRIG_DSL_I386 && i < MULTIPLEXED_COUNT; i++) {
        if (multiplexed[i].call == call) {
            return i;
        }
    }
    return -1;
}

// --- conditions -------------------------------------------------------------------------------------------------------

// What is known of a rule without looking at a call.
enum outcome { SOMETIMES, ALWAYS, NEVER };

// One comparison as a condition. `width` is all ones, of as many bits as the arch's arguments have.
static enum outcome make_condition(struct import_memory *memory, const struct oci_argument *argument, uint64_t width,
                                   struct brig_dsl_condition *ret_condition)
{
    uint64_t values[2] = {argument->value & width, argument->value_two & argument->value & width};
    uint64_t value = values[0];
    enum brig_dsl_operator op = BRIG_DSL_IN;
    size_t count = 1;
    switch (argument->op) {
    case OCI_EQ:
        break;
    case OCI_NE:
        op = BRIG_DSL_NOT_IN;
        break;
    case OCI_LT:
    case OCI_LE:
        if (value == (argument->op == OCI_LT ? 0 : width)) {
            return argument->op == OCI_LT ? NEVER : ALWAYS;
        }
        op = BRIG_DSL_AT_MOST;
        values[0] -= argument->op == OCI_LT;
        break;
    case OCI_GE:
    case OCI_GT:
        if (value == (argument->op == OCI_GE ? 0 : width)) {
            return argument->op == OCI_GE ? ALWAYS : NEVER;
        }
        op = BRIG_DSL_AT_LEAST;
        values[0] += argument->op == OCI_GT;
        break;
    case OCI_MASKED_EQ:
    default:
        op = BRIG_DSL_MASKED;
        count = 2;
        if (value == 0) {
            return ALWAYS;
        }
        break;
    }
    *ret_condition = import_condition(memory, op, argument->index, values, count);
    return SOMETIMES;
}

// A rule, and what became of it.
struct rule {
    const struct oci_argument *arguments;
    size_t argument_count;
    enum outcome outcome;
    struct brig_dsl_condition conditions[8];
    size_t count;
};

// All ones, of as many bits as the arguments of an arch have.
static uint64_t width_of(enum brig_dsl_arch arch)
{
    return brig_dsl_arch_is_64bit(arch) ? UINT64_MAX : UINT32_MAX;
}

// Adds the rule's comparisons to its conditions, but those of the first `skipped` registers.
static void add_conditions(struct arch_rows *arch_rows, struct rule *rule, unsigned skipped)
{
    uint64_t width = width_of(arch_rows->arch);
    for (size_t i = 0; i < rule->argument_count && rule->outcome != NEVER; i++) {
        const struct oci_argument *argument = &rule->arguments[i];
        if (argument->index < skipped) {
            continue;
        }
        enum outcome outcome = make_condition(arch_rows->rows->memory, argument, width, &rule->conditions[rule->count]);
        rule->count += outcome == SOMETIMES;
        rule->outcome = outcome == ALWAYS ? rule->outcome : outcome;
    }
}

// --- rules ------------------------------------------------------------------------------------------------------------

typedef void visitor(struct arch_rows *arch_rows, const struct oci_entry *entry, const struct rule *rule);

static void visit_rules(struct arch_rows *arch_rows, const struct oci_rules *rules, visitor *visit)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct oci_rule *listed = &rules->rules[i];
        struct rule rule = {.arguments = listed->arguments, .argument_count = listed->argument_count, .outcome = ALWAYS};
        add_conditions(arch_rows, &rule, 0);
        visit(arch_rows, listed->entry, &rule);
    }
}

static void note_action(struct arch_rows *arch_rows, enum brig_dsl_call call, const struct oci_entry *entry)
{
    const struct oci_entry *first = arch_rows->first[call];
    if (first == NULL) {
        arch_rows->first[call] = entry;
    } else if (first->action.verb != entry->action.verb || first->action.data != entry->action.data) {
        arch_rows->is_mixed[call] = true;
        arch_rows->has_mixed = true;
    }
}

static void note_rule(struct arch_rows *arch_rows, const struct oci_entry *entry, const struct rule *rule)
{
    for (const struct import_json *name = entry->names; name != NULL; name = name->next) {
        enum brig_dsl_call call = oci_find_call(name->text);
        int index = find_multiplexed(call, arch_rows->arch);
        if (rule->outcome == ALWAYS && arch_rows->unconditional[call] == 0) {
            arch_rows->unconditional[call] = 1 + (size_t)(entry - arch_rows->profile->entries);
        }
        note_action(arch_rows, call, entry);
        if (index >= 0) {
            note_action(arch_rows, multiplexed[index].behind, entry);
        }
    }
}

// --- rows -------------------------------------------------------------------------------------------------------------

static void add_row(struct arch_rows *arch_rows, const struct oci_entry *entry, enum brig_dsl_call call,
                    const struct brig_dsl_condition *conditions)
{
    const char *file = arch_rows->profile->reader->source->name;
    struct brig_dsl_row row = {.kind = BRIG_DSL_ROW_CALL,
                               .call = call,
                               .action = entry->action,
                               .conditions = conditions,
                               .file = file,
                               .line = entry->line};
    size_t decides = arch_rows->unconditional[call];
    if (decides != 0) {
        bool is_it = arch_rows->profile->entries + (decides - 1) == entry && conditions->op == BRIG_DSL_END;
        if (!is_it || arch_rows->is_added[call]) {
            return;
        }
        arch_rows->is_added[call] = true;
    }
    if (arch_rows->comment != entry->comment) {
        struct brig_dsl_row why = {.kind = BRIG_DSL_ROW_WHY, .why = entry->comment, .file = file, .line = entry->line};
        import_add_row(arch_rows->rows, &why, NULL, 0);
        arch_rows->comment = entry->comment;
    }
    import_add_row(arch_rows->rows, &row, NULL, 0);
}

// The calls of an entry that one other call can make.
struct selection {
    enum brig_dsl_call behind;
    uint64_t selectors[MULTIPLEXED_COUNT];
    size_t count;
    const char *first; // its name
};

static void select_call(struct selection *selections, size_t index)
{
    struct selection *selection = &selections[multiplexed[index].behind == BRIG_SYS_ipc];
    for (size_t i = 0; i < selection->count; i++) {
        if (selection->selectors[i] == multiplexed[index].selector) {
            return;
        }
    }
    selection->first = selection->count == 0 ? brig_dsl_call_name(multiplexed[index].call) : selection->first;
    selection->behind = multiplexed[index].behind;
    selection->selectors[selection->count++] = multiplexed[index].selector;
}

// The same rule for a call behind another one: the first argument is the selector, and what is said of it is lost. So is, for
// people, what is said of the others: they are in memory, and the registers hold something else.
static void add_selection(struct arch_rows *arch_rows, const struct oci_entry *entry, const struct rule *rule,
                          const struct selection *selection)
{
    struct import_memory *memory = arch_rows->rows->memory;
    struct rule selecting = {.arguments = rule->arguments, .argument_count = rule->argument_count, .outcome = ALWAYS};
    if (selection->count == 0 || arch_rows->unconditional[selection->behind] != 0) {
        return;
    }
    selecting.conditions[selecting.count++] = import_condition(memory, BRIG_DSL_IN, 0, selection->selectors, selection->count);
    add_conditions(arch_rows, &selecting, 1);
    if (selecting.outcome == NEVER) {
        return;
    }
    add_row(arch_rows, entry, selection->behind, import_conditions(memory, selecting.conditions, selecting.count));
    if (rule->argument_count > 0 && !arch_rows->has_warned) {
        arch_rows->has_warned = true;
        import_warn(memory, arch_rows->profile->reader->source->name, entry->line,
                    "on i386 %s can be made by %s, with its arguments in memory, where no filter sees them", selection->first,
                    brig_dsl_call_name(selection->behind));
    }
}

static void add_rows(struct arch_rows *arch_rows, const struct oci_entry *entry, const struct rule *rule)
{
    struct selection selections[2] = {{.count = 0}, {.count = 0}};
    const struct brig_dsl_condition *conditions = import_conditions(arch_rows->rows->memory, rule->conditions, rule->count);
    for (const struct import_json *name = entry->names; name != NULL; name = name->next) {
        enum brig_dsl_call call = oci_find_call(name->text);
        int index = find_multiplexed(call, arch_rows->arch);
        if (index >= 0 && arch_rows->pass == (arch_rows->is_mixed[multiplexed[index].behind] ? PASS_MULTIPLEXED : PASS_PLAIN)) {
            select_call(selections, (size_t)index);
        }
        if (rule->outcome != NEVER && arch_rows->pass == (arch_rows->is_mixed[call] ? PASS_MIXED : PASS_PLAIN) &&
            call != BRIG_SYS_NONE && brig_dsl_call_nr(call, arch_rows->arch) >= 0) {
            add_row(arch_rows, entry, call, conditions);
        }
    }
    add_selection(arch_rows, entry, rule, &selections[0]);
    add_selection(arch_rows, entry, rule, &selections[1]);
}

void oci_add_rows(const struct oci_profile *profile, enum brig_dsl_arch arch, enum brig_dsl_arch machine, struct import_rows *rows)
{
    struct arch_rows *arch_rows = import_alloc(rows->memory, sizeof *arch_rows);
    if (arch_rows == NULL) {
        return;
    }
    arch_rows->profile = profile;
    arch_rows->rows = rows;
    arch_rows->arch = arch;
    struct oci_rules rules = oci_list_rules(profile, machine);
    visit_rules(arch_rows, &rules, note_rule);
    visit_rules(arch_rows, &rules, add_rows);
    if (arch_rows->has_mixed) {
        arch_rows->pass = PASS_MIXED;
        oci_order_rules(rows->memory, width_of(arch), 0, &rules);
        visit_rules(arch_rows, &rules, add_rows);
        arch_rows->pass = PASS_MULTIPLEXED; // without the first argument, which is another one there
        rules = oci_list_rules(profile, machine);
        oci_order_rules(rows->memory, width_of(arch), 1, &rules);
        visit_rules(arch_rows, &rules, add_rows);
    }
}
