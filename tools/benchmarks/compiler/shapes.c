// shapes: see shapes.h.
//
// Takes: a number. Gives: a policy whose shape that number chose: how many calls, rules of each, arguments of a rule and actions
// there are, which operators compare with which kind of values. All of that is in its name. Guarantees: the same text every time;
// both compilers are told the same rules in the same order. Weakness: shapes are chosen evenly, which real policies are not.
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>

#include "tools/benchmarks/compiler/shapes.h"

enum { ARGUMENTS = 6, POOL = 12, MASKS_MAX = 8, SMALL = 8 };

// Which values are compared with.
enum values { VALUES_SMALL, VALUES_BITS, VALUES_POOL, VALUES_32, VALUES_64, VALUES_COUNT };
static const char *const value_names[] = {"small", "bit", "pool", "r32", "r64"};

enum operators { EQUALS, MASKED_EQUALS, RANGES, MASKS, ALL, OPERATORS_COUNT };
static const char *const operator_names[] = {"equal", "masked", "ranges", "masks", "mix"};

struct maker {
    struct shape *shape;
    struct bench_random random;
    enum values values;
    enum operators operators;
    uint64_t pool[POOL];
    uint64_t masks[MASKS_MAX];
    uint32_t mask_count; // of MASKS: different ones
};

static uint64_t draw(struct maker *maker)
{
    return bench_random_next(&maker->random) >> 1; // JSON has no more than 63 bits
}

static uint32_t below(struct maker *maker, uint32_t end)
{
    return (uint32_t)(draw(maker) >> 20) % end;
}

static uint64_t value_of(struct maker *maker)
{
    const uint64_t bits = draw(maker);
    switch (maker->values) {
    case VALUES_SMALL:
        return bits % SMALL;
    case VALUES_BITS:
        return UINT64_C(1) << (bits >> 20) % 63;
    case VALUES_POOL:
        return maker->pool[(bits >> 20) % POOL];
    case VALUES_32:
        return (uint32_t)(bits >> 8);
    case VALUES_64:
    case VALUES_COUNT:
        break;
    }
    return bits;
}

// --- the text ---------------------------------------------------------------------------------------------------------

__attribute__((format(printf, 2, 3))) static void write_text(struct shape *shape, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int bytes = vsnprintf(shape->text + shape->text_bytes, sizeof shape->text - shape->text_bytes, format, arguments);
    va_end(arguments);
    shape->text_bytes += bytes > 0 ? (size_t)bytes : 0;
}

static void write_comparison(struct maker *maker, uint32_t argument, const char *op, uint64_t value, uint64_t other)
{
    write_text(maker->shape, "{\"index\":%u,\"op\":\"SCMP_CMP_%s\",\"value\":%llu,\"valueTwo\":%llu}", argument, op,
               (unsigned long long)value, (unsigned long long)other);
}

// --- rules ------------------------------------------------------------------------------------------------------------

static void fill_comparison(struct maker *maker, uint32_t argument, struct peer_comparison *ret_comparison)
{
    enum { EQ, MASKED, GE, LE, NE };
    static const char *const names[] = {"EQ", "MASKED_EQ", "GE", "LE", "NE"};
    uint32_t op = EQ;
    switch (maker->operators) {
    case EQUALS:
        break;
    case MASKED_EQUALS:
    case MASKS:
        op = MASKED;
        break;
    case RANGES:
        op = GE + below(maker, 2);
        break;
    case ALL:
    case OPERATORS_COUNT:
        op = below(maker, NE + 1);
        break;
    }
    const uint64_t value = value_of(maker);
    if (op == MASKED) {
        const uint64_t mask = maker->operators == MASKS ? maker->masks[below(maker, maker->mask_count)] : value_of(maker) | 1;
        write_comparison(maker, argument, names[op], mask, value & mask);
        *ret_comparison = (struct peer_comparison){PEER_MASKED, mask, value & mask};
        return;
    }
    write_comparison(maker, argument, names[op], value, 0);
    *ret_comparison = op == EQ   ? (struct peer_comparison){PEER_MASKED, UINT64_MAX, value}
                      : op == GE ? (struct peer_comparison){PEER_GE, 0, value}
                      : op == LE ? (struct peer_comparison){PEER_LE, 0, value}
                                 : (struct peer_comparison){PEER_NE, 0, value};
}

static void fill_rule(struct maker *maker, struct peer_rule *rule, uint32_t argument_count)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < argument_count; i++) {
        uint32_t argument = below(maker, ARGUMENTS);
        while ((used >> argument & 1) != 0) {
            argument = (argument + 1) % ARGUMENTS;
        }
        used |= 1u << argument;
        write_text(maker->shape, i ? "," : "");
        fill_comparison(maker, argument, &rule->arguments[argument]);
    }
}

static void add_rule(struct maker *maker, const char *name, uint32_t action, uint32_t argument_count)
{
    struct shape *shape = maker->shape;
    struct peer_rule *rule = &shape->rules[shape->peer.count];
    *rule = (struct peer_rule){.nr = (uint32_t)seccomp_syscall_resolve_name(name),
                               .action = action ? SCMP_ACT_ERRNO(action + 1) : SCMP_ACT_ALLOW};
    write_text(shape, "%s{\"names\":[\"%s\"],\"action\":\"%s\",\"errnoRet\":%u,\"args\":[", shape->peer.count ? ",\n" : "", name,
               action ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW", action + 1);
    fill_rule(maker, rule, argument_count);
    write_text(shape, "]}");
    shape->peer.count++;
}

// --- entry ------------------------------------------------------------------------------------------------------------

static void prepare(struct maker *maker)
{
    maker->values = (enum values)below(maker, VALUES_COUNT);
    maker->operators = (enum operators)below(maker, OPERATORS_COUNT);
    for (uint32_t i = 0; i < POOL; i++) {
        const uint64_t bits = draw(maker);
        maker->pool[i] = i % 3 == 0 ? bits : i % 3 == 1 ? bits % 100 : (uint32_t)(bits >> 8);
    }
    for (uint32_t i = 0; i < MASKS_MAX; i++) {
        maker->masks[i] = value_of(maker) | draw(maker) % SMALL | 1;
    }
    maker->mask_count = 1 + below(maker, MASKS_MAX);
}

void shape_make(uint64_t number, struct shape *ret_shape)
{
    static const uint32_t call_counts[] = {1, 1, 1, 2, 4, 16}, rule_counts[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 100};
    static const char *const names[] = {"read",  "write",    "mmap",   "ioctl", "clone",      "fcntl",   "socket", "prctl",
                                        "futex", "mprotect", "openat", "kill",  "setsockopt", "madvise", "bpf",    "keyctl"};
    struct maker maker = {.shape = ret_shape, .random = {number * 0x9e3779b97f4a7c15 + 1}};
    for (int i = 0; i < SMALL; i++) {
        draw(&maker);
    }
    prepare(&maker);
    const uint32_t call_count = call_counts[below(&maker, 6)], arguments = 1 + below(&maker, 4), actions = 1 + below(&maker, 6);
    uint32_t rule_count = rule_counts[below(&maker, 12)];
    rule_count = call_count * rule_count > SHAPE_RULES_MAX ? SHAPE_RULES_MAX / call_count : rule_count;
    const bool is_exact = below(&maker, 2) != 0; // each rule has as many arguments
    ret_shape->peer =
        (struct peer_rules){.fallback = SCMP_ACT_ERRNO(1), .foreign = SCMP_ACT_KILL_PROCESS, .rules = ret_shape->rules};
    ret_shape->text_bytes = 0;
    write_text(ret_shape, "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"syscalls\":[\n");
    for (uint32_t i = 0; i < call_count * rule_count; i++) {
        const uint32_t action = below(&maker, actions);
        add_rule(&maker, names[i / rule_count], action, is_exact ? arguments : 1 + below(&maker, arguments));
    }
    write_text(ret_shape, "\n]}\n");
    snprintf(ret_shape->name, sizeof ret_shape->name, "%s-%s-%sa%u-acts%u c%u r%u", operator_names[maker.operators],
             value_names[maker.values], is_exact ? "=" : "", arguments, actions, call_count, rule_count);
}
