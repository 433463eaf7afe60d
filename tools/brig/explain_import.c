// explain_import: conditions of imported policies as a person reads them.
//
// Takes: a rule on registers and numbers, and the calls it is for. Gives: "domain not in {AF_VSOCK}" for "reg0 not in {0x28}", in
// the words that rows of ours are described in. Guarantees: a name stands only where it is the number that is compared, all bits
// of it, on this arch; everything else stays a number. Weaknesses: names are the kernel's, which need not be those that the policy
// was written with.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/brig/explain.h"

enum { VALUE_BYTES = 128, NAME_BYTES = 8 };

// Returns: the argument in a register, or NULL where the calls have different ones there, or none.
static const struct brig_dsl_argument *find_argument(unsigned reg, const enum brig_dsl_call *calls, uint32_t call_count,
                                                     enum brig_dsl_arch arch)
{
    const struct brig_dsl_argument *found = NULL;
    for (uint32_t i = 0; i < call_count; i++) {
        const struct brig_dsl_argument *argument = brig_dsl_call_argument(calls[i], arch, (int)reg);
        bool agrees = argument != NULL && (found == NULL || (strcmp(found->name, argument->name) == 0 &&
                                                             found->kind == argument->kind && found->group == argument->group));
        if (!agrees) {
            return NULL;
        }
        found = argument;
    }
    return found;
}

// Writes a value by name if it has one. Of an argument with fewer bits than the register the kernel does not look at all that the
// filter compares; such numbers stay what they are.
static void put_value(FILE *out, const struct brig_dsl_argument *argument, uint64_t value, enum brig_dsl_arch arch)
{
    char text[VALUE_BYTES] = "";
    uint64_t most = argument == NULL || argument->is_signed ? INT32_MAX : UINT32_MAX;
    bool has_names = argument != NULL && argument->group != NULL && value <= most;
    if (has_names) {
        brig_dsl_decode_value(argument, value, arch, text, sizeof text);
    }
    bool is_whole = strlen(text) + 1 < sizeof text; // else it may have been cut
    if (text[0] != '\0' && is_whole) {
        for (const char *at = text; *at != '\0'; at++) { // with spaces, lines can be broken there
            fprintf(out, *at == '|' ? " %c " : "%c", *at);
        }
    } else {
        fprintf(out, value < 10 ? "%" PRIu64 : "0x%" PRIx64, value);
    }
}

// How a condition is said.
struct form {
    enum brig_dsl_operator op;
    bool is_low_half;
    bool is_inverted;     // values are said the other way round
    uint32_t first_value; // those before it are in the form
};

static struct form find_form(const struct brig_dsl_rule_condition *condition)
{
    struct form form = {.op = (enum brig_dsl_operator)condition->op};
    bool is_masked = form.op == BRIG_DSL_MASKED || form.op == BRIG_DSL_NOT_MASKED;
    if (is_masked && condition->values[0] == UINT32_MAX) { // how tools that know 64 bits only say it
        form.op = form.op == BRIG_DSL_MASKED ? BRIG_DSL_IN : BRIG_DSL_NOT_IN;
        form.is_low_half = true;
        form.first_value = 1;
    } else if (form.op == BRIG_DSL_ONLY_BITS && condition->value_count == 1 && condition->values[0] > INT64_MAX) {
        form.op = BRIG_DSL_NO_BITS; // "only everything but X"
        form.is_inverted = true;
    }
    return form;
}

static char *describe_values(const struct brig_dsl_rule_condition *condition, const struct form *form,
                             const struct brig_dsl_argument *argument, enum brig_dsl_arch arch)
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    for (uint32_t i = form->first_value; out != NULL && i < condition->value_count; i++) {
        fputs(i == form->first_value ? "" : ", ", out);
        put_value(out, argument, form->is_inverted ? ~condition->values[i] : condition->values[i], arch);
    }
    if (out != NULL) {
        fclose(out);
    }
    return text;
}

static void put_condition(const struct brig_dsl_rule_condition *condition, const struct brig_dsl_argument *argument,
                          enum brig_dsl_arch arch, FILE *out)
{
    char name[NAME_BYTES];
    struct form form = find_form(condition);
    bool is_order = form.op == BRIG_DSL_AT_LEAST || form.op == BRIG_DSL_AT_MOST || form.op == BRIG_DSL_RANGE;
    char *values = describe_values(condition, &form, is_order ? NULL : argument, arch); // names have no order
    snprintf(name, sizeof name, "arg%u", condition->argument);
    struct brig_dsl_condition source = {
        .op = form.op, .low32 = form.is_low_half, .argument = argument == NULL ? name : argument->name, .text = values};
    struct brig_dsl_rule_condition named = *condition;
    named.source = &source;
    struct brig_dsl_rule rule = {.condition_count = 1, .conditions = &named};
    struct brig_dsl_sink sink = tool_sink(out);
    brig_dsl_describe_rule(&rule, BRIG_SYS_NONE, arch, &sink);
    free(values);
}

void explain_import(const struct brig_dsl_rule *rule, const enum brig_dsl_call *calls, uint32_t call_count, enum brig_dsl_arch arch,
                    FILE *out)
{
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        const struct brig_dsl_rule_condition *condition = &rule->conditions[i];
        fputs(i == 0 ? "" : " and ", out);
        put_condition(condition, find_argument(condition->argument, calls, call_count, arch), arch, out);
    }
}
