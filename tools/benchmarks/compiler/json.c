// json: the comparison for programs. Schema brig-bench-compiler-1: what could not be measured is null, times have minimum and
// median. Files that were not measured stand in a list of their own.
#include <jansson.h>
#include <sys/utsname.h>

#include "tools/benchmarks/compiler/compiler.h"

static json_t *mean_json(const struct bench_mean *mean)
{
    return mean->count > 0 ? json_pack("{s:f, s:f}", "cost", mean->cost, "calls", mean->count) : json_null();
}

static json_t *time_json(const struct bench_time *time)
{
    return time->least > 0 ? json_pack("{s:f, s:f}", "min", time->least, "median", time->median) : json_null();
}

static json_t *ratio_json(double ratio)
{
    return ratio > 0 ? json_real(ratio) : json_null();
}

static json_t *result_json(enum bench_compiler compiler, const struct bench_result *result)
{
    const struct bench_figures *figures = &result->figures;
    json_t *json = json_pack("{s:s}", "compiler", bench_compiler_name(compiler));
    if (!bench_is_peer(result)) {
        json_object_set_new(json, "why_not", json_string(result->why_not));
        return json;
    }
    json_object_set_new(json, "insns", json_integer(figures->insns));
    json_object_set_new(json, "ebpf_insns", json_integer(figures->ebpf_insns));
    json_object_set_new(json, "cached_allow", json_integer(figures->cached));
    json_object_set_new(json, "max_executed", json_integer(figures->longest));
    json_object_set_new(json, "by_arguments_ebpf", mean_json(&figures->arguments));
    json_object_set_new(json, "by_named_arguments_ebpf", mean_json(&figures->named));
    json_object_set_new(json, "denied_ebpf", mean_json(&figures->denied));
    json_object_set_new(json, "recorded_by_arguments_ebpf", mean_json(&figures->recorded_arguments));
    json_object_set_new(json, "recorded_denied_ebpf", mean_json(&figures->recorded_denied));
    json_object_set_new(json, "recorded_ebpf", mean_json(&figures->recorded));
    if (result->arena_bytes) {
        json_object_set_new(json, "arena_bytes", json_integer((json_int_t)result->arena_bytes));
    }
    if (result->proof_ms > 0) {
        json_object_set_new(json, "proof_ms", json_real(result->proof_ms));
    }
    json_object_set_new(json, "compile_us", time_json(&result->compile_us));
    json_object_set_new(json, "parse_us", time_json(&result->parse_us));
    json_object_set_new(json, "by_arguments_ns", time_json(&result->calls[BENCH_MIX_ARGUMENTS].ns));
    json_object_set_new(json, "denied_ns", time_json(&result->calls[BENCH_MIX_DENIED].ns));
    json_object_set_new(json, "by_arguments_over_brig", ratio_json(result->calls[BENCH_MIX_ARGUMENTS].relative));
    json_object_set_new(json, "denied_over_brig", ratio_json(result->calls[BENCH_MIX_DENIED].relative));
    return json;
}

static json_t *noise_json(const struct bench_comparison *comparison, int mix)
{
    return comparison->again_ns[mix].least > 0 ? json_real(comparison->noise[mix]) : json_null();
}

static json_t *comparison_json(const struct bench_comparison *comparison)
{
    json_t *results = json_array();
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        if (comparison->results[i].is_wanted) {
            json_array_append_new(results, result_json((enum bench_compiler)i, &comparison->results[i]));
        }
    }
    const struct bench_time *again = comparison->again_ns;
    return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "name", comparison->subject->name, "kind",
                     comparison->subject->kind, "hot_calls", (json_int_t)comparison->hot_calls, "again_by_arguments_ns",
                     time_json(&again[BENCH_MIX_ARGUMENTS]), "again_denied_ns", time_json(&again[BENCH_MIX_DENIED]),
                     "noise_by_arguments", noise_json(comparison, BENCH_MIX_ARGUMENTS), "noise_denied",
                     noise_json(comparison, BENCH_MIX_DENIED), "results", results);
}

static json_t *aims_json(const struct bench_aims *aims)
{
    json_t *json = json_array();
    for (size_t i = 0; i < aims->count; i++) {
        const struct bench_aim *aim = &aims->aims[i];
        json_t *limit = aim->limit >= 0 ? json_real(aim->limit) : json_null();
        json_t *value = aim->value >= 0 ? json_real(aim->value) : json_null();
        json_t *is_met = aim->limit >= 0 && aim->value >= 0 ? json_boolean(aim->value <= aim->limit) : json_null();
        json_array_append_new(
            json, json_pack("{s:s, s:o, s:o, s:o}", "what", aim->what, "value", value, "at_most", limit, "met", is_met));
    }
    return json;
}

bool bench_write_json(FILE *out, const struct bench_comparison *comparisons, size_t count, const struct bench_aims *aims)
{
    struct utsname system;
    char version[32];
    json_t *policies = json_array();
    json_t *left_out = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct bench_comparison *comparison = &comparisons[i];
        if (comparison->left_out[0] == '\0') {
            json_array_append_new(policies, comparison_json(comparison));
        } else {
            json_array_append_new(left_out,
                                  json_pack("{s:s, s:s}", "name", comparison->subject->name, "why", comparison->left_out));
        }
    }
    uname(&system);
    peer_version(version, sizeof version);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "schema", "brig-bench-compiler-1", "arch",
                             brig_dsl_arch_name(brig_dsl_arch_native()), "kernel", system.release, "libseccomp", version,
                             "policies", policies, "left_out", left_out, "aims", aims_json(aims));
    const bool is_written = json && json_dumpf(json, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;
    json_decref(json);
    return is_written;
}
