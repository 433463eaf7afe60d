// race: how long compilers take for the same policy, in turns.
//
// Takes: a policy, and who has a program of it. Gives: the least and the median time of each, everything included: Brig from rows
// to a checked program (for raw programs: from the program to a checked one; for files of policies, from text to rows beside it),
// libseccomp from seccomp_init over its rules to the exported program. Guarantees: every round has each of them once. Weakness:
// libseccomp gets numbers where Brig looks up names.
#include <stdlib.h>

#include "tools/benchmarks/compiler/compiler.h"

enum { ROUNDS = 25, FEW_ROUNDS = 5 };
#define SLOW_NS 20e6 // a round that takes longer is not done often

struct runner {
    const struct race *race;
    struct bench_table *table; // where a failure is noted
    struct bench_code scratch;
};

static void run_brig(void *data, uint32_t iterations)
{
    struct runner *runner = data;
    static struct bench_result again;
    for (uint32_t i = 0; i < iterations; i++) {
        if (!bench_brig_compile(runner->race->subject, runner->race->options, &again)) {
            bench_fail(runner->table, "%s: %s", runner->race->subject->name, again.why_not);
        }
    }
}

static void run_import(void *data, uint32_t iterations)
{
    struct runner *runner = data;
    const struct bench_subject *subject = runner->race->subject;
    for (uint32_t i = 0; i < iterations; i++) {
        struct import_policies policies;
        struct import_error error;
        if (!bench_import(subject, &policies, &error)) {
            bench_fail(runner->table, "%s: cannot be imported again", subject->name);
            continue;
        }
        import_free(&policies);
    }
}

static void run_peer(struct runner *runner, uint32_t iterations, uint32_t level)
{
    char why_not[BENCH_TEXT_BYTES];
    for (uint32_t i = 0; i < iterations; i++) {
        if (!peer_compile(runner->race->peer_rules, level, &runner->scratch, why_not)) {
            bench_fail(runner->table, "%s: %s", runner->race->subject->name, why_not);
        }
    }
}

static void run_level_1(void *data, uint32_t iterations)
{
    run_peer(data, iterations, 1);
}

static void run_level_2(void *data, uint32_t iterations)
{
    run_peer(data, iterations, 2);
}

static struct bench_time time_of(const struct bench_row *row)
{
    return (struct bench_time){row->ns / 1e3, row->median_ns / 1e3};
}

// Who runs, and where the times go.
struct field {
    struct bench_case cases[BENCH_COMPILER_COUNT];
    struct bench_time *times[BENCH_COMPILER_COUNT];
    size_t count;
};

static void enter(struct field *field, struct bench_time *time, void (*run)(void *data, uint32_t iterations), struct runner *runner)
{
    field->times[field->count] = time;
    field->cases[field->count++] = (struct bench_case){runner->race->subject->name, NULL, run, runner};
}

// Returns: nanoseconds of one round.
static double measure(const struct field *field, uint32_t rounds)
{
    static struct bench_table table;
    double round_ns = 0;
    table.row_count = 0;
    bench_measure(&table, field->cases, field->count, &(struct bench_plan){.rounds = rounds, .iterations = 1});
    for (size_t i = 0; i < field->count && i < table.row_count; i++) {
        *field->times[i] = time_of(&table.rows[i]);
        round_ns += table.rows[i].ns;
    }
    return round_ns;
}

void bench_race(const struct race *race, struct bench_result results[BENCH_COMPILER_COUNT], struct bench_table *table)
{
    static struct runner runner;
    struct field field = {.count = 0};
    runner.race = race;
    runner.table = table;
    enter(&field, &results[BENCH_BRIG].compile_us, run_brig, &runner);
    if (race->subject->import) {
        enter(&field, &results[BENCH_BRIG].parse_us, run_import, &runner);
    }
    if (bench_is_peer(&results[BENCH_LIBSECCOMP_1])) {
        enter(&field, &results[BENCH_LIBSECCOMP_1].compile_us, run_level_1, &runner);
    }
    if (bench_is_peer(&results[BENCH_LIBSECCOMP_2])) {
        enter(&field, &results[BENCH_LIBSECCOMP_2].compile_us, run_level_2, &runner);
    }
    // One round first, to see how many more there can be.
    measure(&field, measure(&field, 1) < SLOW_NS ? ROUNDS : FEW_ROUNDS);
}
