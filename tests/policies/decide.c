// decide: see decide.h.
#include "tests/policies/decide.h"

#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/shim/test.h"

bool decide_start(const struct brig_dsl_policy *policy, enum brig_dsl_arch arch, int self_pid, struct decided_policy *ret_policy)
{
    struct brig_dsl_options options = {.arch = arch, .self_pid = self_pid, .notify_fd = BRIG_DSL_SLOT_UNSET};
    struct brig_dsl_arena arena;
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    *ret_policy = (struct decided_policy){.policy = policy, .arch = arch, .memory = malloc(2 * BRIG_DSL_ARENA_BYTES)};
    brig_dsl_arena_init(&arena, ret_policy->memory, BRIG_DSL_ARENA_BYTES);
    enum brig_code code = brig_dsl_compile(policy, &options, &arena, &ret_policy->program, &error);
    if (code == BRIG_OK) {
        brig_dsl_arena_init(&arena, (unsigned char *)ret_policy->memory + BRIG_DSL_ARENA_BYTES, BRIG_DSL_ARENA_BYTES);
        code = brig_dsl_resolve(policy, &options, &arena, &ret_policy->rules, &error);
    }
    if (code != BRIG_OK) {
        test_fail(__FILE__, __LINE__, "%s for %s: %s", policy->name, brig_dsl_arch_name(arch),
                  brig_error_format(&error, text, sizeof text));
        decide_end(ret_policy);
    }
    return code == BRIG_OK;
}

void decide_end(struct decided_policy *policy)
{
    free(policy->memory);
    policy->memory = NULL;
}

// --- calls as text ----------------------------------------------------------------------------------------------------

static enum decide_call wrong(const char *text, const char *what)
{
    test_fail(__FILE__, __LINE__, "%s: %s", text, what);
    return DECIDE_WRONG;
}

// Reads one "name=value" of `bytes` bytes.
static bool read_argument(const char *text, size_t bytes, enum brig_dsl_call call, struct brig_dsl_data *data,
                          enum brig_dsl_arch arch)
{
    static const struct brig_dsl_constant own[] = {{.name = "SELF", .value = DECIDE_SELF_PID}, {.name = NULL}};
    const char *equals = memchr(text, '=', bytes);
    uint64_t value = 0;
    if (!equals) {
        return false;
    }
    int index = brig_dsl_call_argument_index(call, arch, text, (size_t)(equals - text));
    if (index < 0 || brig_dsl_read_value(equals + 1, bytes - (size_t)(equals + 1 - text), arch, own, &value, NULL) != BRIG_OK) {
        return false;
    }
    data->args[index] = value;
    return true;
}

enum decide_call decide_read(const char *text, enum brig_dsl_arch arch, struct brig_dsl_data *ret_data)
{
    size_t name_bytes = strcspn(text, "(");
    enum brig_dsl_call call = brig_dsl_call_by_name(text, name_bytes);
    if (call == BRIG_SYS_NONE || text[name_bytes] != '(' || text[strlen(text) - 1] != ')') {
        return wrong(text, "not a call");
    }
    int32_t nr = brig_dsl_call_nr(call, arch);
    bool has_arguments = text[name_bytes + 1] != ')';
    if (nr < 0 || (has_arguments && brig_dsl_call_has_memory_arguments(call, arch))) {
        return DECIDE_ABSENT;
    }
    *ret_data = (struct brig_dsl_data){.nr = (uint32_t)nr, .audit_arch = brig_dsl_arch_audit(arch), .ip = 0x1000};
    for (const char *at = text + name_bytes + 1; *at != ')';) {
        size_t bytes = strcspn(at, ",)");
        if (!read_argument(at, bytes, call, ret_data, arch)) {
            return wrong(text, at);
        }
        at += bytes + strspn(at + bytes, ", ");
    }
    return DECIDE_READ;
}

// --- decisions --------------------------------------------------------------------------------------------------------

static const char *errno_name(uint16_t number)
{
    const char *name = brig_dsl_constant_name("errno", number, BRIG_DSL_X86_64);
    return name ? name : "?";
}

static void describe(const struct brig_dsl_action *action, char *ret_text, unsigned long text_bytes)
{
    switch (action->verb) {
    case BRIG_DSL_ALLOW:
        snprintf(ret_text, text_bytes, "ALLOW");
        break;
    case BRIG_DSL_DENY:
        snprintf(ret_text, text_bytes, "%s", errno_name(action->data));
        break;
    case BRIG_DSL_CRASH:
        snprintf(ret_text, text_bytes, "CRASH");
        break;
    case BRIG_DSL_REPORT:
        snprintf(ret_text, text_bytes, "REPORT %s", errno_name(action->data));
        break;
    case BRIG_DSL_BROKER:
        snprintf(ret_text, text_bytes, "BROKER");
        break;
    case BRIG_DSL_EMULATE:
        snprintf(ret_text, text_bytes, "EMULATE %s", action->handler->name);
        break;
    default:
        snprintf(ret_text, text_bytes, "verb %d", (int)action->verb);
    }
}

const struct brig_dsl_row *decide(const struct decided_policy *policy, const struct brig_dsl_data *data, char *ret_text,
                                  unsigned long text_bytes)
{
    const struct brig_dsl_rule *rule = NULL;
    uint32_t meant = brig_dsl_evaluate(&policy->rules, data, &rule);
    struct brig_dsl_run run = brig_dsl_interpret(policy->program.insns, policy->program.insn_count, data, NULL);
    if (run.ret != meant) {
        test_fail(__FILE__, __LINE__, "the program says %#x where the rows say %#x", run.ret, meant);
    }
    if (rule) {
        describe(&rule->action, ret_text, text_bytes);
        return rule->row;
    }
    uint32_t data_bits = meant & SECCOMP_RET_DATA;
    bool is_trap = (meant & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP && data_bits < policy->rules.trap_count;
    struct brig_dsl_action action = {.verb = BRIG_DSL_DENY, .data = (uint16_t)data_bits};
    describe(is_trap ? &policy->rules.traps[data_bits].action : &action, ret_text, text_bytes);
    return NULL;
}

// --- rows that were reached -------------------------------------------------------------------------------------------

static bool is_reached(const struct decide_reached *reached, const struct brig_dsl_row *row)
{
    for (size_t i = 0; i < reached->count; i++) {
        if (reached->rows[i] == row) {
            return true;
        }
    }
    return false;
}

bool decide_check(const struct decided_policy *policy, const char *call, const char *expected, struct decide_reached *reached)
{
    struct brig_dsl_data data;
    char text[80];
    if (decide_read(call, policy->arch, &data) != DECIDE_READ) {
        return false;
    }
    test_message("%s under %s on %s", call, policy->policy->name, brig_dsl_arch_name(policy->arch));
    const struct brig_dsl_row *row = decide(policy, &data, text, sizeof text);
    CHECK_STR_EQ(text, expected);
    if (row && !is_reached(reached, row) && reached->count < COUNT_OF(reached->rows)) {
        reached->rows[reached->count++] = row;
    }
    return true;
}

void decide_check_reached(const struct brig_dsl_row *rows, const struct decide_reached *reached, bool of_promises)
{
    for (const struct brig_dsl_row *row = rows; row->kind != BRIG_DSL_ROW_END; row++) {
        if (row->kind == BRIG_DSL_ROW_USE) {
            decide_check_reached(row->table, reached, of_promises);
        } else if (row->kind != BRIG_DSL_ROW_WHY && (strstr(row->file, "policies/pledge/") != NULL) == of_promises) {
            test_message("no decision reaches %s:%d", row->file, row->line);
            CHECK(is_reached(reached, row));
        }
    }
}
