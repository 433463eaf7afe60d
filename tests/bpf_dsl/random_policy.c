// random_policy: see random_policy.h; what the rows mean is random_meaning.c's affair.
#include "tests/bpf_dsl/random_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/arena.h"
#include "tests/bpf_dsl/random_text.h"
#include "tests/bpf_dsl/random_values.h"

enum {
    MOST_CHECKED = 60,
    MOST_ROWS = MOST_CHECKED + 60,
    MOST_CALLS = 60,
    MOST_CONDITIONS = 4,
    MOST_VALUES = 1000,
    SELF_PID = 4242,
    NOTIFY_FD = 9,
    BROKER_FD = 10
};

static const struct brig_dsl_constant own_constants[] = {
    {"OWN_SMALL", 7}, {"OWN_NEGATIVE", -3}, {"OWN_WIDE", 0x123456789a}, {.name = NULL}};

struct maker {
    struct random *random;
    struct brig_dsl_arena *arena;
    struct random_policy *made;
    struct brig_dsl_row *rows; // in the order in which they count
    struct meant_row *meant;
    struct random_text *text;
};

static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static char *keep(const struct maker *maker, const char *text, size_t bytes)
{
    char *copy = need(DSL_ARENA_ARRAY(maker->arena, char, bytes + 1));
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

static enum brig_dsl_arch arch_of(const struct maker *maker)
{
    return maker->made->options.arch;
}

static bool is_import(const struct maker *maker)
{
    return maker->made->policy.import != NULL;
}

// --- what a condition can stand on ------------------------------------------------------------------------------------

struct spot {
    const char *name;
    const char *group; // of constants, or NULL
    uint8_t bits;
    bool is_signed;
    bool is_pointer;
    bool is_union;
    bool is_split; // over two registers
};

static bool ends_in(const char *name, const char *end)
{
    size_t name_bytes = strlen(name);
    return name_bytes > 3 && strcmp(name + name_bytes - 3, end) == 0;
}

// Returns: false if a condition on this argument is not what the generator makes.
static bool spot_of(const struct maker *maker, enum brig_dsl_call call, int index, struct spot *ret_spot)
{
    if (is_import(maker)) {
        char name[8];
        snprintf(name, sizeof name, "reg%d", index);
        *ret_spot = (struct spot){.name = keep(maker, name, 4), .bits = 64};
        return true;
    }
    const struct brig_dsl_argument *argument = brig_dsl_call_argument(call, arch_of(maker), index);
    if (argument == NULL || brig_dsl_call_has_memory_arguments(call, arch_of(maker)) || strcmp(argument->name, "pad") == 0) {
        return false;
    }
    bool is_64bit = brig_dsl_arch_is_64bit(arch_of(maker));
    bool is_long = argument->is_pointer || argument->width == BRIG_DSL_WIDTH_64;
    *ret_spot = (struct spot){.name = argument->name,
                              .group = argument->group,
                              .bits = argument->width == BRIG_DSL_WIDTH_16 ? 16
                                      : is_long && is_64bit                ? 64
                                                                           : 32,
                              .is_signed = argument->is_signed,
                              .is_pointer = argument->is_pointer,
                              .is_union = argument->is_union};
    if (!is_64bit && ends_in(argument->name, "_lo") && random_once_in(maker->random, 2)) {
        ret_spot->name = keep(maker, argument->name, strlen(argument->name) - 3);
        ret_spot->bits = 64;
        ret_spot->is_signed = true;
        ret_spot->is_split = true;
    }
    ret_spot->bits = ret_spot->is_union ? 32 : ret_spot->bits;
    return true;
}

static enum brig_dsl_operator some_operator(struct random *random, const struct spot *spot, bool imports)
{
    static const uint8_t any[] = {BRIG_DSL_IN,         BRIG_DSL_IN,       BRIG_DSL_IN,      BRIG_DSL_MASKED,   BRIG_DSL_ONLY_BITS,
                                  BRIG_DSL_NO_BITS,    BRIG_DSL_ALL_BITS, BRIG_DSL_IN_SET,  BRIG_DSL_ANY_BITS, BRIG_DSL_NOT_IN,
                                  BRIG_DSL_NOT_MASKED, BRIG_DSL_AT_LEAST, BRIG_DSL_AT_MOST, BRIG_DSL_RANGE,    BRIG_DSL_RANGE};
    static const uint8_t split[] = {BRIG_DSL_IN,        BRIG_DSL_IN_SET,  BRIG_DSL_MASKED,   BRIG_DSL_RANGE,
                                    BRIG_DSL_ONLY_BITS, BRIG_DSL_NO_BITS, BRIG_DSL_ALL_BITS, BRIG_DSL_ANY_BITS};
    enum { ORDERED = 4 };
    if (spot->is_pointer && !imports) {
        return random_once_in(random, 2) ? BRIG_DSL_IS_NULL : BRIG_DSL_NOT_NULL;
    }
    if (spot->is_split) {
        return (enum brig_dsl_operator)split[random_below(random, sizeof split)];
    }
    bool has_no_order = spot->is_union || spot->bits == 16;
    return (enum brig_dsl_operator)any[random_below(random, sizeof any - (has_no_order ? ORDERED : 0))];
}

// --- values -----------------------------------------------------------------------------------------------------------

static uint64_t cut(uint64_t number, uint8_t bits)
{
    return number & UINT64_MAX >> (64 - bits);
}

static bool is_above(uint64_t a, uint64_t b, const struct meant_condition *meant)
{
    uint64_t flip = meant->is_signed ? (uint64_t)1 << (meant->bits - 1) : 0;
    return (a ^ flip) > (b ^ flip);
}

// Makes numbers that the operator takes on this argument.
static void fill_values(const struct maker *maker, const struct spot *spot, struct meant_condition *meant, uint64_t *values)
{
    struct random *random = maker->random;
    random_fill(random, (enum random_family)random_below(random, RANDOM_FAMILY_COUNT), values, meant->count);
    uint64_t high = values[0] & ~(uint64_t)UINT32_MAX;
    for (uint32_t i = 0; i < meant->count; i++) {
        bool is_mask = i == 0 && meant->op != BRIG_DSL_IN && meant->op != BRIG_DSL_IN_SET && meant->op != BRIG_DSL_RANGE;
        values[i] = spot->is_split && !is_mask ? high | (uint32_t)values[i] : cut(values[i], meant->bits);
    }
    if (meant->op == BRIG_DSL_ANY_BITS && spot->is_split) {
        values[0] &= random_once_in(random, 2) ? UINT32_MAX : ~(uint64_t)UINT32_MAX;
    }
    if (meant->op == BRIG_DSL_MASKED || meant->op == BRIG_DSL_NOT_MASKED) {
        values[0] = random_once_in(random, 2) ? cut(random_mask(random), meant->bits) : values[0];
        for (uint32_t i = 1; i < meant->count; i++) {
            values[i] &= is_import(maker) && random_once_in(random, 4) ? UINT64_MAX : values[0];
        }
    }
    if (meant->op == BRIG_DSL_RANGE && is_above(values[0], values[1], meant) && !(is_import(maker) && random_once_in(random, 8))) {
        uint64_t swap = values[0];
        values[0] = values[1];
        values[1] = swap;
    }
}

static uint32_t count_of(struct random *random, enum brig_dsl_operator op)
{
    switch (op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_IN_SET:
    case BRIG_DSL_NOT_IN:
        return 1 + random_below(random, random_once_in(random, 40) ? MOST_VALUES : 12);
    case BRIG_DSL_MASKED:
    case BRIG_DSL_NOT_MASKED:
        return 2 + random_below(random, 6);
    case BRIG_DSL_RANGE:
        return 2;
    case BRIG_DSL_IS_NULL:
    case BRIG_DSL_NOT_NULL:
        return 0;
    default:
        return 1;
    }
}

// Replaces a value by something with a name, now and then. Returns: the name, or NULL.
static const char *some_name(const struct maker *maker, const struct spot *spot, const struct meant_condition *meant,
                             uint64_t *value)
{
    struct random *random = maker->random;
    bool may_be_slot = meant->op == BRIG_DSL_IN || meant->op == BRIG_DSL_NOT_IN;
    bool is_list = may_be_slot || meant->op == BRIG_DSL_IN_SET;
    int64_t number = 0;
    const char *name = NULL;
    if (!is_list || spot->is_split || !random_once_in(random, 6)) {
        return NULL;
    }
    if (may_be_slot && random_once_in(random, 4)) {
        name = "SELF_PID";
        number = SELF_PID;
    } else if (spot->group != NULL) {
        name = brig_dsl_group_member(spot->group, random_below(random, 20), arch_of(maker), &number);
    } else {
        const struct brig_dsl_constant *own = &own_constants[random_below(random, spot->bits == 64 ? 3 : 2)];
        name = own->name;
        number = own->value;
    }
    bool fits = spot->bits == 64 || (number >= -((int64_t)1 << (spot->bits - 1)) && number < (int64_t)1 << spot->bits);
    if (name == NULL || !fits) {
        return NULL;
    }
    *value = cut((uint64_t)number, spot->bits);
    return name;
}

static const char *write_values(struct maker *maker, const struct spot *spot, const struct meant_condition *meant, uint64_t *values)
{
    bool is_ordered = meant->op == BRIG_DSL_RANGE || meant->op == BRIG_DSL_AT_LEAST || meant->op == BRIG_DSL_AT_MOST;
    const struct random_number_kind kind = {.bits = meant->bits, .is_ordered = is_ordered, .is_signed = meant->is_signed};
    maker->text->bytes = 0;
    for (uint32_t i = 0; i < meant->count; i++) {
        const char *name = some_name(maker, spot, meant, &values[i]);
        if (name != NULL) {
            random_text_word(maker->text, name);
        } else {
            random_text_number(maker->random, maker->text, values[i], &kind);
        }
    }
    return keep(maker, maker->text->text, maker->text->bytes);
}

// Makes a condition and its meaning.
static struct brig_dsl_condition make_condition(struct maker *maker, const struct spot *spot, struct meant_condition *ret_meant)
{
    struct brig_dsl_condition condition = {.op = some_operator(maker->random, spot, is_import(maker)), .argument = spot->name};
    condition.low32 = spot->is_union;
    *ret_meant =
        (struct meant_condition){.argument = spot->name, .op = condition.op, .bits = spot->bits, .is_signed = spot->is_signed};
    ret_meant->count = count_of(maker->random, condition.op);
    if (ret_meant->count == 0) {
        return condition;
    }
    uint64_t *values = need(DSL_ARENA_ARRAY(maker->arena, uint64_t, ret_meant->count));
    fill_values(maker, spot, ret_meant, values);
    ret_meant->values = values;
    condition.text = write_values(maker, spot, ret_meant, values);
    if (condition.op == BRIG_DSL_IN_SET) {
        struct brig_dsl_values *set = need(DSL_ARENA_NEW(maker->arena, struct brig_dsl_values));
        *set = (struct brig_dsl_values){.name = "some", .text = condition.text, .file = "random", .line = 1};
        condition.set = set;
        condition.text = NULL;
    }
    return condition;
}

// --- rows -------------------------------------------------------------------------------------------------------------

static struct brig_dsl_action some_action(const struct maker *maker, bool may_be_answered)
{
    static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
    static const struct brig_dsl_handler handler = {.name = "none", .calls = no_calls};
    static const uint8_t own[] = {BRIG_DSL_ALLOW,  BRIG_DSL_ALLOW,        BRIG_DSL_DENY,        BRIG_DSL_DENY,  BRIG_DSL_CRASH,
                                  BRIG_DSL_LOG,    BRIG_DSL_KILL_PROCESS, BRIG_DSL_KILL_THREAD, BRIG_DSL_TRACE, BRIG_DSL_NOTIFY,
                                  BRIG_DSL_REPORT, BRIG_DSL_EMULATE,      BRIG_DSL_BROKER};
    enum { ANSWERED = 4 };
    static const uint8_t imported[] = {BRIG_DSL_ALLOW,        BRIG_DSL_ALLOW,       BRIG_DSL_DENY,  BRIG_DSL_DENY,   BRIG_DSL_LOG,
                                       BRIG_DSL_KILL_PROCESS, BRIG_DSL_KILL_THREAD, BRIG_DSL_TRACE, BRIG_DSL_NOTIFY, BRIG_DSL_TRAP};
    struct random *random = maker->random;
    uint8_t verb = is_import(maker) ? imported[random_below(random, sizeof imported)]
                                    : own[random_below(random, sizeof own - (may_be_answered ? 0 : ANSWERED))];
    struct brig_dsl_action action = {.verb = (enum brig_dsl_verb)verb};
    bool has_data = verb == BRIG_DSL_DENY || verb == BRIG_DSL_REPORT || verb == BRIG_DSL_TRACE || verb == BRIG_DSL_TRAP;
    action.data = (uint16_t)(has_data ? random_below(random, random_once_in(random, 2) ? 4 : 4096) : 0);
    action.handler = verb == BRIG_DSL_EMULATE ? &handler : NULL;
    return action;
}

// Makes up to MOST_CONDITIONS conditions for `call`. A union's needs one on another argument beside it.
static void make_conditions(struct maker *maker, enum brig_dsl_call call, struct brig_dsl_row *row, struct meant_row *meant)
{
    struct brig_dsl_condition *conditions = need(DSL_ARENA_ARRAY(maker->arena, struct brig_dsl_condition, MOST_CONDITIONS + 1));
    struct meant_condition *meanings = need(DSL_ARENA_ARRAY(maker->arena, struct meant_condition, MOST_CONDITIONS));
    uint32_t wanted = 1 + random_below(maker->random, random_once_in(maker->random, 3) ? MOST_CONDITIONS : 1);
    uint32_t count = 0;
    bool has_selector = false;
    for (int tries = 0; tries < 12 && count < wanted; tries++) {
        struct spot spot;
        if (spot_of(maker, call, (int)random_below(maker->random, 6), &spot) && (!spot.is_union || has_selector)) {
            has_selector = has_selector || !spot.is_union;
            conditions[count] = make_condition(maker, &spot, &meanings[count]);
            count++;
        }
    }
    conditions[count] = (struct brig_dsl_condition){.op = BRIG_DSL_END};
    row->conditions = conditions;
    meant->conditions = meanings;
    meant->condition_count = count;
}

// The same calls as a set and as a list.
static void name_calls(struct maker *maker, const enum brig_dsl_call *calls, uint32_t count, struct brig_dsl_row *row)
{
    struct brig_dsl_set *set = need(DSL_ARENA_NEW(maker->arena, struct brig_dsl_set));
    maker->text->bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        random_text_word(maker->text, brig_dsl_call_name(calls[i]));
    }
    *set = (struct brig_dsl_set){.name = "some", .text = keep(maker, maker->text->text, maker->text->bytes), .file = "random"};
    row->set = set;
}

// Adds a row. Conditions are made for the first of the calls; the others are there only in rows without.
static void add_row(struct maker *maker, const enum brig_dsl_call *calls, uint32_t call_count, bool has_conditions)
{
    struct random_policy *made = maker->made;
    struct brig_dsl_row *row = &maker->rows[made->row_count];
    struct meant_row *meant = &maker->meant[made->row_count++];
    bool may_be_answered = true;
    for (uint32_t i = 0; i < call_count && made->options.target == BRIG_DSL_LINKED; i++) {
        may_be_answered = may_be_answered && brig_dsl_blocked_reason(calls[i]) == NULL;
    }
    *row = (struct brig_dsl_row){.kind = BRIG_DSL_ROW_CALL, .file = "random", .line = (int)made->row_count};
    *meant = (struct meant_row){.calls = calls, .call_count = call_count};
    row->action = some_action(maker, may_be_answered);
    if (has_conditions) {
        make_conditions(maker, calls[0], row, meant);
    }
    if (call_count > 1) {
        name_calls(maker, calls, call_count, row);
    } else {
        row->call = calls[0];
        bool is_else = meant->condition_count == 0 && random_once_in(maker->random, 2);
        row->kind = is_else ? BRIG_DSL_ROW_ELSE : BRIG_DSL_ROW_CALL;
    }
}

static enum brig_dsl_call some_call(const struct maker *maker)
{
    for (int tries = 0;; tries++) {
        enum brig_dsl_call call = (enum brig_dsl_call)(1 + random_below(maker->random, BRIG_SYS_COUNT - 1));
        // One that the arch does not have is skipped, and may stand there all the same.
        if (brig_dsl_call_nr(call, arch_of(maker)) >= 0 || random_once_in(maker->random, 20)) {
            return call;
        }
    }
}

static void make_rows(struct maker *maker)
{
    struct random *random = maker->random;
    uint32_t call_count = 2 + random_below(random, MOST_CALLS - 2);
    enum brig_dsl_call *calls = need(DSL_ARENA_ARRAY(maker->arena, enum brig_dsl_call, call_count));
    for (uint32_t i = 0; i < call_count; i++) {
        calls[i] = some_call(maker);
    }
    uint32_t checked = 1 + random_below(random, call_count);
    for (uint32_t rows = random_below(random, MOST_CHECKED); rows > 0; rows--) {
        add_row(maker, &calls[random_below(random, checked)], 1, true);
    }
    // Every call ends in a row without conditions: alone, or in a set.
    for (uint32_t i = 0; i < call_count;) {
        uint32_t left = call_count - i;
        uint32_t together = random_once_in(random, 3) ? 1 + random_below(random, left < 20 ? left : 20) : 1;
        add_row(maker, &calls[i], together, false);
        i += together;
    }
}

// --- tables -----------------------------------------------------------------------------------------------------------

// Copies rows into a table of their own, some of them behind a USE. What they mean points to the copies.
static const struct brig_dsl_row *make_table(struct maker *maker, uint32_t from, uint32_t to, bool may_use)
{
    struct brig_dsl_row *table = need(DSL_ARENA_ARRAY(maker->arena, struct brig_dsl_row, (size_t)(to - from) + 4));
    uint32_t used_from = from + random_below(maker->random, to - from + 1);
    uint32_t used_to = used_from + random_below(maker->random, to - used_from + 1);
    uint32_t count = 0;
    table[count++] = (struct brig_dsl_row){.kind = BRIG_DSL_ROW_WHY, .why = "random"};
    for (uint32_t i = from; i < to; i++) {
        if (may_use && i >= used_from && i < used_to) {
            if (i == used_from) {
                table[count++] =
                    (struct brig_dsl_row){.kind = BRIG_DSL_ROW_USE, .table = make_table(maker, used_from, used_to, false)};
            }
            continue;
        }
        maker->meant[i].row = &table[count];
        table[count++] = maker->rows[i];
    }
    table[count] = (struct brig_dsl_row){.kind = BRIG_DSL_ROW_END};
    return table;
}

static void make_policy(struct maker *maker)
{
    struct random_policy *made = maker->made;
    bool has_base = !is_import(maker) && random_once_in(maker->random, 3);
    uint32_t own = has_base ? random_below(maker->random, made->row_count + 1) : made->row_count;
    made->policy.name = "random";
    made->policy.rows = make_table(maker, 0, own, true);
    made->policy.constants = own_constants;
    made->policy.fallback = some_action(maker, true);
    // An emulation as a fallback is for nobody.
    made->policy.fallback.verb = made->policy.fallback.handler != NULL ? BRIG_DSL_CRASH : made->policy.fallback.verb;
    made->policy.fallback.handler = NULL;
    made->policy.kernel = is_import(maker) ? 0 : BRIG_DSL_KERNEL(5, 10);
    if (has_base) {
        made->base = made->policy;
        made->base.rows = make_table(maker, own, made->row_count, true);
        made->policy.base = &made->base;
        made->policy.kernel = random_once_in(maker->random, 2) ? made->policy.kernel : 0;
    }
}

const struct random_policy *random_policy_of(uint64_t seed, struct brig_dsl_arena *arena)
{
    static struct random_text text;
    struct maker maker = {.random = NULL};
    struct random random = random_of_seed(seed);
    struct random_policy *made = need(DSL_ARENA_NEW(arena, struct random_policy));
    enum brig_dsl_arch arch = (enum brig_dsl_arch)(seed % BRIG_DSL_ARCH_COUNT);
    *made = (struct random_policy){.options = {.arch = arch, .self_pid = SELF_PID, .notify_fd = NOTIFY_FD, .broker_fd = BROKER_FD}};
    maker.random = &random;
    maker.text = &text;
    maker.arena = arena;
    maker.made = made;
    maker.rows = need(DSL_ARENA_ARRAY(arena, struct brig_dsl_row, MOST_ROWS));
    maker.meant = need(DSL_ARENA_ARRAY(arena, struct meant_row, MOST_ROWS));
    made->rows = maker.meant;
    if (random_once_in(&random, 3)) {
        made->policy.import = &made->import;
        made->import.foreign = some_action(&maker, false);
        made->import.x32 = some_action(&maker, false);
    }
    if (random_once_in(&random, 2)) {
        made->options.notify_fd = BRIG_DSL_SLOT_UNSET;
    }
    if (random_once_in(&random, 3)) {
        made->options.broker_fd = BRIG_DSL_SLOT_UNSET;
    }
    if (random_once_in(&random, 2)) {
        made->options.target = (enum brig_dsl_process)random_below(&random, BRIG_DSL_PROCESS_COUNT);
    }
    make_rows(&maker);
    make_policy(&maker);
    made->asks_broker = random_policy_asks_broker(made);
    return made;
}
