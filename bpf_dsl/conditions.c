// conditions: IN(cmd, F_GETFL, F_GETFD) becomes "register 1, 32 bits, is 3 or 1".
//
// Takes: a row's conditions, by argument name and as text. Gives: conditions on registers, by number. Guarantees: width and sign
// are the kernel's (from the tables), never the author's; a value that the argument cannot have is an error, and so is a condition
// whose meaning is not what it seems: a pointer compared as a number, a union whose selector is not fixed, half a union where all
// of it was meant. In an imported policy arguments are registers, named reg0 to reg5, all of which is compared, and a condition
// that nothing can meet is no mistake. Weakness: any condition on another argument counts as the selector of a union; which one it
// is, the tables do not say.
#include <string.h>

#include "bpf_dsl/faults.h"
#include "bpf_dsl/resolve.h"
#include "bpf_dsl/values.h"

enum { MANY = UINT16_MAX };

// What an operator takes.
static const struct operator_facts {
    uint16_t values_min;
    uint16_t values_max;
    bool is_ordered; // compares by size, in the argument's sign
    bool may_be_low32;
    bool is_for_pointers;
} operators[] = {
    // clang-format off
    [BRIG_DSL_IN] =        {1, MANY, false, true, false},
    [BRIG_DSL_IN_SET] =    {1, MANY, false, true, false},
    [BRIG_DSL_RANGE] =     {2, 2, true, false, false},
    [BRIG_DSL_AT_LEAST] =  {1, 1, true, false, false},
    [BRIG_DSL_AT_MOST] =   {1, 1, true, false, false},
    [BRIG_DSL_MASKED] =    {2, MANY, false, true, false},
    [BRIG_DSL_ONLY_BITS] = {1, 1, false, true, false},
    [BRIG_DSL_NO_BITS] =   {1, 1, false, true, false},
    [BRIG_DSL_ALL_BITS] =  {1, 1, false, true, false},
    [BRIG_DSL_IS_NULL] =   {0, 0, false, false, true},
    [BRIG_DSL_NOT_NULL] =  {0, 0, false, false, true},
    [BRIG_DSL_NOT_IN] =    {1, MANY, false, true, false},
    [BRIG_DSL_ANY_BITS] =  {1, 1, false, true, false},
    [BRIG_DSL_NOT_MASKED] = {2, MANY, false, true, false},
    // clang-format on
};
_Static_assert(sizeof operators / sizeof operators[0] == BRIG_DSL_OPERATOR_COUNT, "one line per operator");

// Where a condition's argument is on the target.
struct place {
    const struct brig_dsl_argument *argument; // its low half where it is split
    int low_register;
    int high_register; // -1: one register holds it
    uint8_t bits;
};

static enum brig_code fail_argument(struct dsl_resolver *resolver, enum brig_code code, const char *argument)
{
    return dsl_resolve_fail(resolver, (struct brig_error){.code = code, .subject = argument});
}

static enum brig_code fail_condition(struct dsl_resolver *resolver, enum dsl_fault fault, const char *argument)
{
    return dsl_resolve_fail(resolver,
                            (struct brig_error){.code = BRIG_BAD_CONDITION, .subject = argument, .detail = (int64_t)fault});
}

// Returns: the register of argument NAME followed by `suffix`, or -1.
static int find_half(const struct dsl_resolver *resolver, const char *name, const char suffix[4])
{
    char text[64];
    size_t name_bytes = strlen(name);
    if (name_bytes > sizeof text - 4) {
        return -1;
    }
    memcpy(text, name, name_bytes);
    memcpy(text + name_bytes, suffix, 3);
    return brig_dsl_call_argument_index(resolver->call, resolver->options->arch, text, name_bytes + 3);
}

// reg0 to reg5 of an imported policy. A 32-bit arch has zeros in the upper halves, so there too all 64 bits are compared.
static bool find_register(struct dsl_resolver *resolver, const char *name, struct place *ret_place)
{
    static const struct brig_dsl_argument any = {.name = "register", .width = BRIG_DSL_WIDTH_64, .kind = BRIG_DSL_KIND_HEX};
    if (strlen(name) != 4 || strncmp(name, "reg", 3) != 0 || name[3] < '0' || name[3] > '5') {
        dsl_resolve_fail(resolver, (struct brig_error){.code = BRIG_NO_SUCH_ARGUMENT, .subject = name});
        return false;
    }
    *ret_place = (struct place){.argument = &any, .low_register = name[3] - '0', .high_register = -1, .bits = 64};
    return true;
}

// Returns: false after a failure.
static bool find_place(struct dsl_resolver *resolver, const char *name, struct place *ret_place)
{
    if (resolver->import) {
        return find_register(resolver, name, ret_place);
    }
    enum brig_dsl_arch arch = resolver->options->arch;
    int low = brig_dsl_call_argument_index(resolver->call, arch, name, strlen(name));
    int high = -1;
    // On 64-bit arches preadv and its like have such a pair too, but there the low one is the whole number.
    bool may_be_split = low < 0 && !brig_dsl_arch_is_64bit(arch);
    if (may_be_split) {
        low = find_half(resolver, name, "_lo");
        high = find_half(resolver, name, "_hi");
    }
    if (low < 0 || (may_be_split && high < 0)) {
        dsl_resolve_fail(resolver,
                         (struct brig_error){.code = BRIG_NO_SUCH_ARGUMENT, .subject = name, .detail = (int64_t)resolver->call});
        return false;
    }
    const struct brig_dsl_argument *argument = brig_dsl_call_argument(resolver->call, arch, low);
    // A long has 64 bits only where registers do; pointers are longs.
    bool is_long = argument->width == BRIG_DSL_WIDTH_64 || argument->is_pointer;
    bool is_wide = high >= 0 || (is_long && brig_dsl_arch_is_64bit(arch));
    uint8_t bits = argument->width == BRIG_DSL_WIDTH_16 ? 16 : 32;
    *ret_place = (struct place){.argument = argument, .low_register = low, .high_register = high, .bits = is_wide ? 64 : bits};
    return true;
}

// Returns: why the operator may not stand on this kind of argument at all, DSL_FAULT_NONE if it may.
static enum dsl_fault fault_of(const struct brig_dsl_condition *condition, const struct place *place)
{
    if (condition->op <= BRIG_DSL_END || (unsigned)condition->op >= BRIG_DSL_OPERATOR_COUNT) {
        return DSL_FAULT_OPERATOR;
    }
    const struct operator_facts *facts = &operators[condition->op];
    if (place->argument->is_union) {
        return condition->low32 && facts->may_be_low32 ? DSL_FAULT_NONE : DSL_FAULT_UNION;
    }
    if (facts->is_for_pointers != place->argument->is_pointer) {
        return facts->is_for_pointers ? DSL_FAULT_NO_POINTER : DSL_FAULT_POINTER;
    }
    if (condition->low32) {
        return DSL_FAULT_NO_UNION;
    }
    return facts->is_ordered && place->bits == 16 ? DSL_FAULT_ORDER : DSL_FAULT_NONE;
}

// --- values -----------------------------------------------------------------------------------------------------------

// All bits of a number that has `bits` of them.
static uint64_t all_bits(uint8_t bits)
{
    return UINT64_MAX >> (64 - bits);
}

// Equality takes both readings of a number, -1 and 0xffffffff; order only the argument's own.
static bool fits_narrow(const struct dsl_value *value, uint8_t bits, bool is_ordered, bool is_signed)
{
    uint64_t signed_max = all_bits(bits) >> 1;
    if (value->is_negative) {
        return value->bits >= ~signed_max && (!is_ordered || is_signed);
    }
    return value->bits <= (is_ordered && is_signed ? signed_max : all_bits(bits));
}

static bool fits_64(const struct dsl_value *value, bool is_ordered, bool is_signed)
{
    if (!is_ordered) {
        return true;
    }
    return is_signed ? value->is_negative || value->bits <= (uint64_t)INT64_MAX : !value->is_negative;
}

// Makes the pattern that the rules keep. Returns: false if the argument cannot have this value.
static bool fit_value(const struct dsl_value *value, const struct brig_dsl_rule_condition *rule, uint64_t *ret_pattern)
{
    bool is_ordered = operators[rule->op].is_ordered;
    *ret_pattern = value->bits;
    if (rule->bits == 64 ? fits_64(value, is_ordered, rule->is_signed)
                         : fits_narrow(value, rule->bits, is_ordered, rule->is_signed)) {
        return true;
    }
    // ~flags is meant within the width of the argument, and so below zero only by the way that C counts.
    if (!value->is_complement || (is_ordered && rule->is_signed)) {
        return false;
    }
    *ret_pattern &= all_bits(rule->bits);
    return (value->bits | all_bits(rule->bits)) == UINT64_MAX;
}

static enum brig_code fail_value(struct dsl_resolver *resolver, const char *text, const struct dsl_value *value,
                                 enum dsl_fault fault)
{
    return dsl_resolve_fail(resolver, (struct brig_error){.code = BRIG_VALUE_OUT_OF_RANGE,
                                                          .subject = text + value->offset,
                                                          .subject_bytes = value->bytes,
                                                          .detail = (int64_t)fault});
}

// Why a value does not fit, for fail_value.
static enum dsl_fault misfit_of(const struct brig_dsl_rule_condition *rule)
{
    if (!operators[rule->op].is_ordered && rule->bits < 64) {
        return rule->bits == 16 ? DSL_FAULT_BITS_16 : DSL_FAULT_BITS_32;
    }
    if (rule->bits == 64) {
        return rule->is_signed ? DSL_FAULT_SIGNED_LONG : DSL_FAULT_UNSIGNED_LONG;
    }
    return rule->is_signed ? DSL_FAULT_SIGNED : DSL_FAULT_UNSIGNED;
}

// A value that no argument can be equal to, because of the values before it: it says nothing, and was meant to.
static bool is_impossible(const struct brig_dsl_rule_condition *rule, const uint64_t *values, uint32_t index)
{
    if (index == 0) {
        return false;
    }
    if (rule->op == BRIG_DSL_MASKED || rule->op == BRIG_DSL_NOT_MASKED) {
        return (values[index] & ~values[0] & all_bits(rule->bits)) != 0;
    }
    if (rule->op == BRIG_DSL_RANGE) {
        return rule->is_signed ? (int64_t)values[0] > (int64_t)values[1] : values[0] > values[1];
    }
    return false;
}

// A list with too few or too many values is a mistake in the text, at its end or at the first value too many.
static enum brig_code fail_count(struct dsl_resolver *resolver, const struct dsl_value_reader *reader, size_t offset)
{
    bool has_text = reader->text_bytes > 0;
    return dsl_resolve_fail(resolver, (struct brig_error){.code = BRIG_BAD_VALUE_SYNTAX,
                                                          .subject = has_text ? reader->text : "",
                                                          .subject_bytes = (uint32_t)reader->text_bytes,
                                                          .detail = (int64_t)offset});
}

static enum brig_code read_values(struct dsl_resolver *resolver, struct dsl_value_reader *reader,
                                  struct brig_dsl_rule_condition *rule)
{
    const struct operator_facts *facts = &operators[rule->op];
    size_t bound = dsl_value_count_bound(reader->text, reader->text_bytes);
    uint64_t *values = DSL_ARENA_ARRAY(resolver->arena, uint64_t, bound);
    if (!values) {
        return dsl_resolve_exhausted(resolver);
    }
    struct dsl_value value;
    uint32_t count = 0;
    while (dsl_value_next(reader, &value)) {
        if (count == facts->values_max) {
            return fail_count(resolver, reader, value.offset);
        }
        if (!fit_value(&value, rule, &values[count])) {
            return fail_value(resolver, reader->text, &value, misfit_of(rule));
        }
        if (!resolver->import && is_impossible(rule, values, count)) {
            return fail_value(resolver, reader->text, &value, facts->is_ordered ? DSL_FAULT_EMPTY_RANGE : DSL_FAULT_OUTSIDE_MASK);
        }
        count++;
    }
    if (reader->error.code != BRIG_OK) {
        return dsl_resolve_fail(resolver, reader->error);
    }
    if (count < facts->values_min) {
        return fail_count(resolver, reader, reader->text_bytes);
    }
    rule->values = values;
    rule->value_count = count;
    return BRIG_OK;
}

// The text of a condition, and where it stands if that is not the row itself.
static enum brig_code read_text(struct dsl_resolver *resolver, const struct brig_dsl_condition *condition,
                                struct brig_dsl_rule_condition *rule)
{
    const struct brig_dsl_values *set = condition->op == BRIG_DSL_IN_SET ? condition->set : NULL;
    bool is_list = condition->op == BRIG_DSL_IN || condition->op == BRIG_DSL_NOT_IN;
    const char *text = set ? set->text : condition->text;
    text = text ? text : "";
    struct dsl_value_reader reader = {.text = text,
                                      .text_bytes = strlen(text),
                                      .arch = resolver->options->arch,
                                      .own = resolver->entry.constants,
                                      .slots = is_list ? resolver->options : NULL};
    enum brig_code code = read_values(resolver, &reader, rule);
    if (code != BRIG_OK && set && set->file) {
        resolver->error.file = set->file;
        resolver->error.line = set->line;
    }
    return code;
}

// --- conditions -------------------------------------------------------------------------------------------------------

// Writes one rule condition, or two for a split argument. `ret_count` grows by their number.
static enum brig_code resolve_condition(struct dsl_resolver *resolver, const struct brig_dsl_condition *condition,
                                        const struct place *place, struct brig_dsl_rule_condition *ret_rules, uint32_t *ret_count)
{
    struct brig_dsl_rule_condition rule = {.op = (uint8_t)(condition->op == BRIG_DSL_IN_SET ? BRIG_DSL_IN : condition->op),
                                           .argument = (uint8_t)place->low_register,
                                           .bits = condition->low32 ? 32 : place->bits,
                                           // What is split is a file offset or length, and those are signed.
                                           .is_signed = place->argument->is_signed || place->high_register >= 0,
                                           .source = condition};
    if (!operators[condition->op].is_for_pointers) {
        enum brig_code code = read_text(resolver, condition, &rule);
        if (code != BRIG_OK) {
            return code;
        }
    }
    if (rule.bits == 16 && !dsl_narrow_condition(&rule, resolver->arena)) {
        return dsl_resolve_exhausted(resolver);
    }
    if (place->high_register < 0) {
        ret_rules[0] = rule;
        *ret_count += 1;
        return BRIG_OK;
    }
    if (!dsl_split_condition(&rule, place->low_register, place->high_register, resolver->arena, ret_rules)) {
        return fail_condition(resolver, DSL_FAULT_SPLIT, condition->argument);
    }
    *ret_count += 2;
    return BRIG_OK;
}

// How many conditions the row has, and on what: `union_argument` is one that needs a selector, NULL if there is none.
static enum brig_code resolve_all(struct dsl_resolver *resolver, const struct brig_dsl_condition *conditions,
                                  struct brig_dsl_rule_condition *ret_rules, uint32_t *ret_count)
{
    const char *union_argument = NULL;
    bool has_selector = false;
    for (const struct brig_dsl_condition *condition = conditions; condition->op != BRIG_DSL_END; condition++) {
        struct place place;
        if (!condition->argument) {
            return fail_argument(resolver, BRIG_BAD_ARGUMENT, "condition.argument");
        }
        if (!find_place(resolver, condition->argument, &place)) {
            return resolver->error.code;
        }
        enum dsl_fault fault = fault_of(condition, &place);
        if (fault != DSL_FAULT_NONE) {
            return fail_condition(resolver, fault, condition->argument);
        }
        enum brig_code code = resolve_condition(resolver, condition, &place, ret_rules + *ret_count, ret_count);
        if (code != BRIG_OK) {
            return code;
        }
        if (place.argument->is_union) {
            union_argument = condition->argument;
        } else {
            has_selector = true;
        }
    }
    return union_argument && !has_selector ? fail_argument(resolver, BRIG_NEEDS_SELECTOR, union_argument) : BRIG_OK;
}

enum brig_code dsl_resolve_conditions(struct dsl_resolver *resolver, struct brig_dsl_rule *rule)
{
    const struct brig_dsl_condition *conditions = resolver->entry.row->conditions;
    if (!conditions || conditions->op == BRIG_DSL_END) {
        return BRIG_OK;
    }
    if (resolver->entry.row->kind == BRIG_DSL_ROW_ELSE) {
        return fail_condition(resolver, DSL_FAULT_ELSE, conditions->argument);
    }
    if (!resolver->import && brig_dsl_call_has_memory_arguments(resolver->call, resolver->options->arch)) {
        return fail_argument(resolver, BRIG_MEMORY_ARGUMENTS, brig_dsl_call_name(resolver->call));
    }
    uint32_t count = 0;
    while (conditions[count].op != BRIG_DSL_END) {
        count++;
    }
    // A split argument takes two.
    struct brig_dsl_rule_condition *rules = DSL_ARENA_ARRAY(resolver->arena, struct brig_dsl_rule_condition, (size_t)count * 2);
    if (!rules) {
        return dsl_resolve_exhausted(resolver);
    }
    rule->conditions = rules;
    rule->condition_count = 0;
    return resolve_all(resolver, conditions, rules, &rule->condition_count);
}
