// pair_text: calls, verdicts and rows of a pair, for people and as JSON. See pair.h.
#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>

#include "tools/brig/pair.h"

// --- calls ------------------------------------------------------------------------------------------------------------

static void print_argument(FILE *out, const struct brig_dsl_argument *argument, uint64_t value, enum brig_dsl_arch arch)
{
    char text[256];
    brig_dsl_decode_value(argument, value, arch, text, sizeof text);
    fprintf(out, "%s=%s", argument->name, text);
    // A filter sees all of a register, also what the kernel ignores.
    if (argument->width == BRIG_DSL_WIDTH_32 && value > UINT32_MAX) {
        fprintf(out, " in 0x%" PRIx64, value);
    }
}

static void print_arguments(FILE *out, const struct brig_dsl_data *data, enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    const char *separator = "";
    for (int i = 0; i < 6; i++) {
        const struct brig_dsl_argument *argument = brig_dsl_call_argument(call, arch, i);
        if (argument == NULL && data->args[i] == 0) {
            continue;
        }
        fputs(separator, out);
        separator = ", ";
        if (argument != NULL) {
            print_argument(out, argument, data->args[i], arch);
        } else {
            fprintf(out, "args[%d]=0x%" PRIx64, i, data->args[i]);
        }
    }
}

void pair_print_call(FILE *out, const struct brig_dsl_data *data, bool with_arch)
{
    enum brig_dsl_arch arch = BRIG_DSL_ARCH_COUNT;
    enum brig_dsl_call call = BRIG_SYS_NONE;
    bool is_known = brig_dsl_arch_by_audit(data->audit_arch, &arch);
    if (is_known) {
        call = brig_dsl_call_by_nr(data->nr, arch);
    }
    if (is_known && with_arch) {
        fprintf(out, "%s ", brig_dsl_arch_name(arch));
    } else if (with_arch) {
        fprintf(out, "arch 0x%" PRIx32 " ", data->audit_arch);
    }
    if (call != BRIG_SYS_NONE) {
        fprintf(out, "%s(", brig_dsl_call_name(call));
    } else {
        fprintf(out, "call %" PRIu32 "(", data->nr);
    }
    print_arguments(out, data, call, arch);
    fputs(")", out);
    if (data->ip != 0) {
        fprintf(out, " at 0x%" PRIx64, data->ip);
    }
}

// --- verdicts ---------------------------------------------------------------------------------------------------------

// A sink into `text`, which has room for what actions are called.
struct text_end {
    char *text;
    size_t left;
};

static void append(void *context, const char *text, size_t text_bytes)
{
    struct text_end *end = context;
    size_t bytes = text_bytes < end->left ? text_bytes : end->left;
    memcpy(end->text, text, bytes);
    end->text += bytes;
    end->left -= bytes;
    *end->text = '\0';
}

void pair_verdict(const struct pair *pair, uint32_t ret, char *text, size_t text_bytes)
{
    uint32_t id = ret & SECCOMP_RET_DATA;
    if (pair->traps != NULL && (ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP && id > 0 && id < pair->trap_count) {
        struct text_end end = {text, text_bytes - 1};
        struct brig_dsl_sink sink = {.write = append, .context = &end};
        brig_dsl_describe_action(pair->traps[id].action, &sink);
        return;
    }
    brig_dsl_ret_text(ret, text, text_bytes);
}

void pair_row(const struct pair *pair, int side, const struct brig_dsl_data *data, char *text, size_t text_bytes)
{
    const struct brig_dsl_rule *rule = NULL;
    const struct tool_subject *subject = &pair_decider(&pair->sides[side], data)->subject;
    text[0] = '\0';
    if (subject->policy == NULL) {
        return;
    }
    brig_dsl_evaluate(tool_rules(subject, data->audit_arch), data, &rule);
    if (rule != NULL && rule->row != NULL) {
        snprintf(text, text_bytes, "%s:%d", rule->row->file, rule->row->line);
    }
}

// --- JSON -------------------------------------------------------------------------------------------------------------

static json_t *hex_json(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

static json_t *side_json(const struct pair *pair, int side, const struct prove_witness *witness)
{
    char verdict[64];
    char row[512];
    const struct pair_member *decider = pair_decider(&pair->sides[side], &witness->data);
    const struct brig_dsl_program *program = &decider->subject.program;
    uint32_t ret = brig_dsl_interpret(program->insns, program->insn_count, &witness->data, NULL).ret; // with the id of its own
    pair_verdict(pair, witness->rets[side], verdict, sizeof verdict);
    pair_row(pair, side, &witness->data, row, sizeof row);
    return json_pack("{s:s, s:I, s:o, s:s}", "verdict", verdict, "ret", (json_int_t)ret, "row",
                     tool_json_text(row[0] == '\0' ? NULL : row), "decided_by", decider->subject.name);
}

json_t *pair_names_json(const struct pair_side *side)
{
    json_t *names = json_array();
    for (size_t i = 0; i < side->count; i++) {
        json_array_append_new(names, json_string(side->members[i].subject.name));
    }
    return names;
}

json_t *pair_witness_json(const struct pair *pair, const struct prove_witness *witness)
{
    const struct brig_dsl_data *data = &witness->data;
    enum brig_dsl_arch arch;
    bool is_known = brig_dsl_arch_by_audit(data->audit_arch, &arch);
    json_t *args = json_array();
    for (int i = 0; i < 6; i++) {
        json_array_append_new(args, hex_json(data->args[i]));
    }
    return json_pack("{s:s?, s:o, s:I, s:s?, s:o, s:o, s:o, s:o}", "arch", is_known ? brig_dsl_arch_name(arch) : NULL, "audit_arch",
                     hex_json(data->audit_arch), "nr", (json_int_t)data->nr, "call",
                     is_known ? brig_dsl_call_name(brig_dsl_call_by_nr(data->nr, arch)) : NULL, "ip", hex_json(data->ip), "args",
                     args, "a", side_json(pair, 0, witness), "b", side_json(pair, 1, witness));
}
