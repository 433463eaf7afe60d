// describe: rules as a person reads them.
//
// Takes: a resolved rule. Gives: "cmd in {F_GETFL, F_GETFD} and arg (low half) has only {O_NONBLOCK}". Guarantees: values stand as
// the author wrote them, white space tidied; one condition of the source is one phrase, even where a 32-bit arch tests it in two
// registers. A second form has the numbers that the target compares. Nothing is broken into lines: how wide a line is, the caller
// knows.
#include <string.h>

#include "bpf_dsl/describe.h"
#include "bpf_dsl/text.h"

// ARGUMENT + open + values + close; RANGE and what masks have their first value apart, with `between` behind it.
static const struct phrase {
    const char *open;
    const char *between;
    const char *close;
} phrases[] = {
    [BRIG_DSL_IN] = {" in {", NULL, "}"},
    [BRIG_DSL_IN_SET] = {" in {", NULL, "}"},
    [BRIG_DSL_RANGE] = {" from ", " to ", ""},
    [BRIG_DSL_AT_LEAST] = {" at least ", NULL, ""},
    [BRIG_DSL_AT_MOST] = {" at most ", NULL, ""},
    [BRIG_DSL_MASKED] = {" & ", " in {", "}"},
    [BRIG_DSL_ONLY_BITS] = {" has only {", NULL, "}"},
    [BRIG_DSL_NO_BITS] = {" has none of {", NULL, "}"},
    [BRIG_DSL_ALL_BITS] = {" has all of {", NULL, "}"},
    [BRIG_DSL_IS_NULL] = {" is NULL", NULL, ""},
    [BRIG_DSL_NOT_NULL] = {" is not NULL", NULL, ""},
    [BRIG_DSL_NOT_IN] = {" not in {", NULL, "}"},
    [BRIG_DSL_ANY_BITS] = {" has any of {", NULL, "}"},
    [BRIG_DSL_NOT_MASKED] = {" & ", " not in {", "}"},
};
_Static_assert(sizeof phrases / sizeof phrases[0] == BRIG_DSL_OPERATOR_COUNT, "one phrase per operator");

// --- as written -------------------------------------------------------------------------------------------------------

// Returns: the comma behind the first value, or the end of the text. A ',' in quotes belongs to the value.
static const char *first_comma(const char *text)
{
    while (*text != '\0' && *text != ',') {
        bool is_quoted = text[0] == '\'' && text[1] != '\0' && text[2] == '\'';
        text += is_quoted ? 3 : 1;
    }
    return text;
}

static const char *source_text(const struct brig_dsl_condition *condition)
{
    const char *text = condition->op == BRIG_DSL_IN_SET ? condition->set->text : condition->text;
    return text ? text : "";
}

static void put_as_written(const struct brig_dsl_sink *sink, const struct brig_dsl_condition *condition)
{
    const struct phrase *phrase = &phrases[condition->op];
    const char *text = source_text(condition);
    dsl_put(sink, condition->argument);
    dsl_put(sink, condition->low32 ? " (low half)" : "");
    dsl_put(sink, phrase->open);
    if (phrase->between) {
        const char *comma = first_comma(text);
        dsl_put_source(sink, text, (size_t)(comma - text));
        dsl_put(sink, phrase->between);
        text = *comma == ',' ? comma + 1 : comma;
    }
    dsl_put_source(sink, text, strlen(text));
    dsl_put(sink, phrase->close);
}

// --- as compared ------------------------------------------------------------------------------------------------------

static void put_number(const struct brig_dsl_sink *sink, const struct brig_dsl_rule_condition *condition, uint32_t index)
{
    uint64_t value = condition->values[index];
    dsl_put_hex(sink, condition->bits == 32 ? (uint32_t)value : value);
}

void dsl_put_condition(const struct brig_dsl_sink *sink, const struct brig_dsl_rule_condition *condition, const char *argument)
{
    const struct phrase *phrase = &phrases[condition->op];
    uint32_t first = 0;
    dsl_put(sink, argument);
    dsl_put(sink, phrase->open);
    if (phrase->between && condition->value_count > 0) {
        put_number(sink, condition, first++);
        dsl_put(sink, phrase->between);
    }
    for (uint32_t i = first; i < condition->value_count; i++) {
        dsl_put(sink, i > first ? ", " : "");
        put_number(sink, condition, i);
    }
    dsl_put(sink, phrase->close);
}

void brig_dsl_describe_rule(const struct brig_dsl_rule *rule, enum brig_dsl_call call, enum brig_dsl_arch arch,
                            const struct brig_dsl_sink *sink)
{
    const struct brig_dsl_condition *last = NULL;
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        const struct brig_dsl_rule_condition *condition = &rule->conditions[i];
        if (condition->source && condition->source == last) {
            continue; // the other half of a split argument
        }
        dsl_put(sink, i > 0 ? " and " : "");
        last = condition->source;
        if (last) {
            put_as_written(sink, last);
        } else {
            const struct brig_dsl_argument *argument = brig_dsl_call_argument(call, arch, condition->argument);
            dsl_put_condition(sink, condition, argument ? argument->name : "?");
        }
    }
}
