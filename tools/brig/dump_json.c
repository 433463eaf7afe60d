// dump_json: the stages of a compile as JSON, for `brig dump --json`.
//
// One object for each target: {"schema", "policy", "arch", "stages": {NAME: ...}}. `rules` is an object, the other stages are
// arrays of nodes in the order of the text. Values of 32 bits are numbers, values of 64 bits strings of hex: JSON has no integers
// that big.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/brig/dump.h"

static json_t *hex_json(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

static json_t *value_json(uint64_t value, int bits)
{
    return bits > 32 ? hex_json(value) : json_integer((json_int_t)value);
}

static json_t *ret_json(uint32_t ret)
{
    char text[32];
    brig_dsl_ret_text(ret, text, sizeof text);
    return json_string(text);
}

// --- rules ------------------------------------------------------------------------------------------------------------

static const char *const operator_names[BRIG_DSL_OPERATOR_COUNT] = {
    [BRIG_DSL_IN] = "in",
    [BRIG_DSL_IN_SET] = "in",
    [BRIG_DSL_RANGE] = "range",
    [BRIG_DSL_AT_LEAST] = "at_least",
    [BRIG_DSL_AT_MOST] = "at_most",
    [BRIG_DSL_MASKED] = "masked",
    [BRIG_DSL_ONLY_BITS] = "only_bits",
    [BRIG_DSL_NO_BITS] = "no_bits",
    [BRIG_DSL_ALL_BITS] = "all_bits",
    [BRIG_DSL_IS_NULL] = "is_null",
    [BRIG_DSL_NOT_NULL] = "not_null",
    [BRIG_DSL_NOT_IN] = "not_in",
    [BRIG_DSL_ANY_BITS] = "any_bits",
    [BRIG_DSL_NOT_MASKED] = "not_masked",
};

static json_t *condition_json(const struct brig_dsl_rule_condition *condition, enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    const struct brig_dsl_argument *argument = brig_dsl_call_argument(call, arch, condition->argument);
    json_t *values = json_array();
    for (uint32_t i = 0; i < condition->value_count; i++) {
        json_array_append_new(values, hex_json(condition->values[i]));
    }
    return json_pack("{s:s?, s:i, s:i, s:b, s:s?, s:o}", "argument", argument == NULL ? NULL : argument->name, "register",
                     (int)condition->argument, "bits", (int)condition->bits, "signed", (int)condition->is_signed, "operator",
                     operator_names[condition->op], "values", values);
}

static json_t *rule_json(const struct brig_dsl_rule *rule, enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    const struct brig_dsl_row *row = rule->row;
    json_t *conditions = json_array();
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        json_array_append_new(conditions, condition_json(&rule->conditions[i], call, arch));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "verdict", ret_json(rule->ret), "conditions", conditions, "file",
                     tool_json_text(row == NULL ? NULL : row->file), "line", row == NULL ? json_null() : json_integer(row->line));
}

static json_t *rules_json(const struct brig_dsl_rules *rules)
{
    json_t *calls = json_array();
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        const struct brig_dsl_call_rules *list = brig_dsl_rules_of(rules, (enum brig_dsl_call)call);
        json_t *array = json_array();
        for (uint32_t i = 0; i < list->rule_count; i++) {
            json_array_append_new(array, rule_json(list->rules[i], (enum brig_dsl_call)call, rules->arch));
        }
        if (list->rule_count > 0) {
            int32_t nr = brig_dsl_call_nr((enum brig_dsl_call)call, rules->arch);
            json_array_append_new(calls, json_pack("{s:s, s:i, s:O}", "call", brig_dsl_call_name((enum brig_dsl_call)call), "nr",
                                                   (int)nr, "rules", array));
        }
        json_decref(array);
    }
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "target", brig_dsl_process_name(rules->target), "asks_broker",
                     rules->asks_broker, "calls", calls, "fallback", ret_json(rules->fallback_ret), "unknown",
                     ret_json(rules->unknown_ret), "foreign", ret_json(rules->foreign_ret), "x32",
                     rules->arch == BRIG_DSL_X86_64 ? ret_json(rules->x32_ret) : json_null());
}

// --- nodes ------------------------------------------------------------------------------------------------------------

static json_t *word_json(const struct brig_dsl_word *word)
{
    static const char *const names[] = {
        [BRIG_DSL_WORD_NR] = "nr",      [BRIG_DSL_WORD_ARCH] = "arch",
        [BRIG_DSL_WORD_IP] = "ip",      [BRIG_DSL_WORD_ARGUMENT] = "args[%]",
        [BRIG_DSL_WORD_TERM] = "term%",
    };
    char text[24];
    const char *name = names[word->kind];
    const char *place = strchr(name, '%');
    bool is_half = word->bits == 32 && (word->kind == BRIG_DSL_WORD_IP || word->kind == BRIG_DSL_WORD_ARGUMENT);
    const char *half = !is_half ? "" : word->shift == 32 ? ".hi" : ".lo";
    if (place == NULL) {
        snprintf(text, sizeof text, "%s%s", name, half);
    } else {
        snprintf(text, sizeof text, "%.*s%u%s%s", (int)(place - name), name, word->index, place + 1, half);
    }
    return json_string(text);
}

static json_t *runs_json(const struct brig_dsl_node *node)
{
    json_t *runs = json_array();
    for (uint32_t i = 0; i < node->run_count; i++) {
        json_t *run = json_pack("{s:o, s:o}", "first", value_json(node->runs[i].first, node->word.bits), "last",
                                value_json(node->runs[i].last, node->word.bits));
        if (node->kind != BRIG_DSL_NODE_TEST) {
            json_object_set_new(run, "target", json_integer(node->runs[i].target));
        }
        json_array_append_new(runs, run);
    }
    return runs;
}

json_t *dump_node_json(const struct brig_dsl_node *node)
{
    json_t *json = json_pack("{s:i, s:s}", "id", (int)node->id, "kind", brig_dsl_node_kind_name(node->kind));
    if (node->kind == BRIG_DSL_NODE_RET) {
        json_object_set_new(json, "verdict", ret_json(node->value));
        return json;
    }
    if (node->word.kind != BRIG_DSL_WORD_NONE) {
        json_object_set_new(json, "word", word_json(&node->word));
    }
    if (node->word.kind == BRIG_DSL_WORD_TERM) {
        json_object_set_new(json, "term", json_string(node->word.term));
    }
    if (node->kind == BRIG_DSL_NODE_TEST || node->kind == BRIG_DSL_NODE_SWITCH) {
        json_object_set_new(json, "mask", value_json(node->mask, node->word.bits));
    }
    if (node->kind == BRIG_DSL_NODE_TURN) {
        char text[64];
        brig_dsl_disassemble(node->turn, text, sizeof text);
        json_object_set_new(json, "turn", json_string(text));
    } else if (node->kind >= BRIG_DSL_NODE_AND) {
        json_object_set_new(json, "value", json_integer(node->value));
    }
    if (node->kind >= BRIG_DSL_NODE_LOAD) {
        json_object_set_new(json, "weight", json_integer((json_int_t)node->weight));
    }
    if (node->run_count > 0) {
        json_object_set_new(json, "runs", runs_json(node));
    }
    if (node->part_count > 0) {
        json_t *parts = json_array();
        for (uint32_t i = 0; i < node->part_count; i++) {
            json_array_append_new(parts, json_integer(node->parts[i]));
        }
        json_object_set_new(json, "parts", parts);
    }
    return json;
}

static void append_node(void *context, const struct brig_dsl_node *node)
{
    json_array_append_new((json_t *)context, dump_node_json(node));
}

static json_t *insns_json(const struct brig_dsl_program *program)
{
    json_t *insns = json_array();
    for (uint32_t i = 0; i < program->insn_count; i++) {
        const struct sock_filter *insn = &program->insns[i];
        char text[64];
        brig_dsl_disassemble(insn, text, sizeof text);
        json_array_append_new(insns, json_pack("{s:i, s:i, s:i, s:I, s:s}", "code", (int)insn->code, "jt", (int)insn->jt, "jf",
                                               (int)insn->jf, "k", (json_int_t)insn->k, "text", text));
    }
    return insns;
}

// --- stages -----------------------------------------------------------------------------------------------------------

static json_t *optimized_json(const struct dump *dump, struct brig_dsl_arena *arena, struct brig_error *reterr)
{
    struct brig_dsl_optimized optimized;
    if (brig_dsl_optimize(&dump->filter, dump->options, arena, &optimized, reterr) != BRIG_OK) {
        return NULL;
    }
    return insns_json(&(struct brig_dsl_program){.insns = optimized.insns, .insn_count = optimized.insn_count});
}

// Makes one stage, whatever it takes. Returns: NULL after a failure.
static json_t *stage_json(const struct dump *dump, enum brig_dsl_stage stage, struct brig_dsl_arena *arena,
                          struct brig_error *reterr)
{
    struct brig_dsl_program program;
    if (stage == BRIG_DSL_STAGE_RULES) {
        return rules_json(dump->rules);
    }
    if (stage == BRIG_DSL_STAGE_INSNS && dump->target == NULL) {
        return optimized_json(dump, arena, reterr);
    }
    if (stage == BRIG_DSL_STAGE_INSNS) {
        enum brig_code code = brig_dsl_compile(dump->target->policy, dump->options, arena, &program, reterr);
        return code == BRIG_OK ? insns_json(&program) : NULL;
    }
    json_t *nodes = json_array();
    struct brig_dsl_visitor visitor = {.stage = stage, .visit = append_node, .context = nodes};
    enum brig_code code = dump->target == NULL ? brig_dsl_visit_program(&dump->filter, dump->options, arena, &visitor, reterr)
                                               : brig_dsl_visit(dump->target, 1, dump->options, arena, &visitor, reterr);
    if (code != BRIG_OK) {
        json_decref(nodes);
        return NULL;
    }
    return nodes;
}

static json_t *add_stages(const struct dump *dump, json_t *stages, struct brig_error *reterr)
{
    void *memory = malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    json_t *json = stages;
    for (int stage = dump->target == NULL ? DUMP_FIRST_OF_RAW : 0; stage < BRIG_DSL_STAGE_COUNT && json != NULL && memory != NULL;
         stage++) {
        struct brig_dsl_arena arena;
        if (dump->stage != stage && dump->stage != BRIG_DSL_STAGE_COUNT) {
            continue;
        }
        brig_dsl_arena_init(&arena, memory, dump->target == NULL ? BRIG_DSL_OPTIMIZE_ARENA_BYTES : TOOL_ARENA_BYTES);
        json = stage_json(dump, (enum brig_dsl_stage)stage, &arena, reterr);
        json_object_set_new(stages, brig_dsl_stage_name((enum brig_dsl_stage)stage), json);
    }
    if (memory == NULL) {
        *reterr = (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = "make JSON"};
    }
    free(memory);
    return memory == NULL ? NULL : json;
}

int dump_add_json(const struct dump *dump, json_t *targets)
{
    struct brig_error error;
    json_t *stages = json_object();
    json_array_append_new(targets, json_pack("{s:s, s:s, s:s, s:o}", "schema", "brig-dump-1", "policy", dump->name, "arch",
                                             brig_dsl_arch_name(dump->options->arch), "stages", stages));
    return add_stages(dump, stages, &error) == NULL ? tool_fail("dump", &error) : -1;
}
