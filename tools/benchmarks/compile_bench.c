// What a compile costs: the shipped policies, all of it and its parts, against the plain form of the same policy.
#include <stdlib.h>

#include "bpf_dsl/rules.h"
#include "policies/policies.h"
#include "tools/benchmarks/bench.h"

struct job {
    const struct brig_dsl_policy *policy;
    struct brig_dsl_options options;
    void *memory;
    struct bench_table *table;
};

static void compile(void *data, uint32_t iterations)
{
    struct job *job = data;
    struct brig_dsl_arena arena;
    struct brig_dsl_program program;
    struct brig_error error;
    for (uint32_t i = 0; i < iterations; i++) {
        brig_dsl_arena_init(&arena, job->memory, BRIG_DSL_ARENA_BYTES);
        if (brig_dsl_compile(job->policy, &job->options, &arena, &program, &error) != BRIG_OK) {
            bench_fail(job->table, "%s does not compile: %s", job->policy->name, brig_code_name(error.code));
            return;
        }
    }
}

static void resolve(void *data, uint32_t iterations)
{
    struct job *job = data;
    struct brig_dsl_arena arena;
    struct brig_dsl_rules rules;
    struct brig_error error;
    for (uint32_t i = 0; i < iterations; i++) {
        brig_dsl_arena_init(&arena, job->memory, BRIG_DSL_ARENA_BYTES);
        if (brig_dsl_resolve(job->policy, &job->options, &arena, &rules, &error) != BRIG_OK) {
            bench_fail(job->table, "%s does not resolve: %s", job->policy->name, brig_code_name(error.code));
            return;
        }
    }
}

void bench_compile(struct bench_table *table)
{
    struct job job = {.policy = &brig_policy_renderer,
                      .options = {.arch = brig_dsl_arch_native(), .self_pid = 4242, .notify_fd = 3},
                      .memory = malloc(BRIG_DSL_ARENA_BYTES),
                      .table = table};
    if (job.memory == NULL) {
        bench_fail(table, "no memory for an arena");
        return;
    }
    struct job plain = job;
    plain.options.plain = true;
    struct job network = job;
    network.policy = &brig_policy_network;
    const struct bench_case cases[] = {
        {"renderer: rows to a checked program", NULL, compile, &job},
        {"renderer: of that, rows to rules", NULL, resolve, &job},
        {"renderer: rows to the plain program, checked", NULL, compile, &plain},
        {"network: rows to a checked program", NULL, compile, &network},
    };
    bench_measure(table, cases, sizeof cases / sizeof cases[0], &(struct bench_plan){.rounds = 40, .iterations = 20});
    free(job.memory);
}
