// dump_rules: the stage `rules` as text: what is left of the rows after merging, with registers and numbers of the target.
//
// Takes: resolved rules. Gives: a listing that is the same for the same policy wherever its source lies: rows are not named by
// line, so a golden file changes only when a decision does. Weakness: calls without rows are counted, not listed.
#include <linux/seccomp.h>

#include "bpf_dsl/describe.h"
#include "bpf_dsl/program.h"
#include "bpf_dsl/text.h"

static void put_ret(const struct brig_dsl_sink *sink, uint32_t ret)
{
    char text[24];
    brig_dsl_ret_text(ret, text, sizeof text);
    dsl_put(sink, text);
}

// "cmd:1.32", the register and how much of it counts; in an imported policy "reg1.64".
static void put_register(const struct brig_dsl_rules *rules, enum brig_dsl_call call,
                         const struct brig_dsl_rule_condition *condition, struct dsl_buffer *buffer)
{
    struct brig_dsl_sink sink = dsl_buffer_sink(buffer);
    const struct brig_dsl_argument *argument = brig_dsl_call_argument(call, rules->arch, condition->argument);
    dsl_put(&sink, rules->is_import ? "reg" : argument ? argument->name : "?");
    dsl_put(&sink, rules->is_import ? "" : ":");
    dsl_put_decimal(&sink, condition->argument);
    dsl_put(&sink, condition->bits == 32 ? ".32" : ".64");
}

static void dump_rule(const struct brig_dsl_rules *rules, const struct brig_dsl_rule *rule, enum brig_dsl_call call,
                      const struct brig_dsl_sink *sink)
{
    dsl_put(sink, "    ");
    put_ret(sink, rule->ret);
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        char text[96];
        struct dsl_buffer name = {.text = text, .size_bytes = sizeof text};
        put_register(rules, call, &rule->conditions[i], &name);
        dsl_put(sink, i == 0 ? " when " : " and ");
        dsl_put_condition(sink, &rule->conditions[i], text);
    }
    dsl_put(sink, "\n");
}

static void dump_call(const struct brig_dsl_rules *rules, enum brig_dsl_call call, const struct brig_dsl_sink *sink)
{
    const struct brig_dsl_call_rules *list = brig_dsl_rules_of(rules, call);
    dsl_put(sink, brig_dsl_call_name(call));
    dsl_put(sink, " ");
    dsl_put_decimal(sink, brig_dsl_call_nr(call, rules->arch));
    dsl_put(sink, "\n");
    for (uint32_t i = 0; i < list->rule_count; i++) {
        dump_rule(rules, list->rules[i], call, sink);
    }
}

static void dump_traps(const struct brig_dsl_rules *rules, const struct brig_dsl_sink *sink)
{
    static const char *const origins[] = {
        [BRIG_DSL_ORIGIN_ROW] = "row",
        [BRIG_DSL_ORIGIN_FALLBACK] = "fallback",
        [BRIG_DSL_ORIGIN_FOREIGN_ARCH] = "foreign arch",
        [BRIG_DSL_ORIGIN_X32] = "x32",
    };
    dsl_put(sink, "traps\n");
    for (uint32_t id = 1; id < rules->trap_count; id++) {
        dsl_put(sink, "    ");
        dsl_put_decimal(sink, id);
        dsl_put(sink, " ");
        brig_dsl_describe_action(&rules->traps[id].action, sink);
        dsl_put(sink, ", ");
        dsl_put(sink, origins[rules->traps[id].origin]);
        dsl_put(sink, "\n");
    }
}

static void dump_default(const struct brig_dsl_sink *sink, const char *what, uint32_t ret)
{
    dsl_put(sink, "    ");
    put_ret(sink, ret);
    dsl_put(sink, " ");
    dsl_put(sink, what);
    dsl_put(sink, "\n");
}

static void dump_head(const struct brig_dsl_rules *rules, const struct brig_dsl_sink *sink)
{
    dsl_put(sink, "policy ");
    dsl_put(sink, rules->policy->name);
    dsl_put(sink, " for ");
    dsl_put(sink, brig_dsl_arch_name(rules->arch));
    if (rules->is_import) {
        dsl_put(sink, ", imported\n");
        return;
    }
    dsl_put(sink, ", Linux ");
    dsl_put_decimal(sink, rules->kernel >> 8);
    dsl_put(sink, ".");
    dsl_put_decimal(sink, rules->kernel & 0xff);
    if (rules->target != BRIG_DSL_LINKED) {
        dsl_put(sink, ", ");
        dsl_put(sink, brig_dsl_process_name(rules->target));
    }
    dsl_put(sink, "\n");
}

static void dump_defaults(const struct brig_dsl_rules *rules, const struct brig_dsl_sink *sink)
{
    if (rules->is_import) {
        dump_default(sink, "all of them", rules->fallback_ret);
    } else {
        dump_default(sink, "up to the baseline", rules->fallback_ret);
        dump_default(sink, "newer than the baseline, or no call", rules->unknown_ret);
    }
    dump_default(sink, "of another arch", rules->foreign_ret);
    if (rules->arch == BRIG_DSL_X86_64) {
        dump_default(sink, "of x32", rules->x32_ret);
    }
    if (rules->asks_broker) {
        dump_default(sink, "of the number that asks the broker", SECCOMP_RET_ALLOW);
    }
}

void dsl_dump_rules(const struct brig_dsl_rules *rules, const struct brig_dsl_sink *sink)
{
    uint32_t rowless = 0;
    dump_head(rules, sink);
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        if (brig_dsl_rules_of(rules, (enum brig_dsl_call)call)->rule_count > 0) {
            dump_call(rules, (enum brig_dsl_call)call, sink);
        } else {
            rowless += brig_dsl_call_nr((enum brig_dsl_call)call, rules->arch) >= 0;
        }
    }
    dsl_put_decimal(sink, rowless);
    dsl_put(sink, " calls without rows, and numbers that are no call\n");
    dump_defaults(rules, sink);
    if (!rules->is_import) {
        dump_traps(rules, sink);
    }
}
