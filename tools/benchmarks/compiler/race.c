// race: how long compilers take for the same policy, in turns.
//
// Takes: a policy, and who has a program of it. Gives: the least and the median time of each, everything included: Brig from rows
// to a checked program (for raw programs: from the program to a checked one; for files of policies, from text to rows beside it),
// libseccomp from seccomp_init over its rules to the exported program. Guarantees: every round has each of them, several times in a
// row where that is quick, so that the least is with warm caches and the median is not only that; no new round once time is up.
// Weakness: libseccomp gets numbers where Brig may have to look up names.
#include <stdlib.h>

#include "tools/benchmarks/compiler/compiler.h"

enum { ROUNDS = 25, FEW_ROUNDS = 5, IN_A_ROW = 4, TIMES_MAX = ROUNDS * IN_A_ROW };

// A round in which each compiles once may take so long and be done often, or several times in a row.
#define SLOW_NS 20e6
#define QUICK_NS 4e6
#define ALL_NS 15e9 // for all rounds

struct runner {
    const struct race *race;
    struct bench_table *table; // where a failure is noted
    struct bench_code scratch;
};

static void run_brig(void *data)
{
    struct runner *runner = data;
    static struct bench_result again;
    if (!bench_brig_compile(runner->race->subject, runner->race->options, &again)) {
        bench_fail(runner->table, "%s: %s", runner->race->subject->name, again.why_not);
    }
}

static void run_import(void *data)
{
    struct runner *runner = data;
    struct import_policies policies;
    struct import_error error;
    if (bench_import(runner->race->subject, &policies, &error)) {
        import_free(&policies);
    } else {
        bench_fail(runner->table, "%s: cannot be imported again", runner->race->subject->name);
    }
}

static void run_peer(struct runner *runner, uint32_t level)
{
    char why_not[BENCH_TEXT_BYTES];
    if (!peer_compile(runner->race->peer_rules, level, &runner->scratch, why_not)) {
        bench_fail(runner->table, "%s: %s", runner->race->subject->name, why_not);
    }
}

static void run_level_1(void *data)
{
    run_peer(data, 1);
}

static void run_level_2(void *data)
{
    run_peer(data, 2);
}

// --- turns ------------------------------------------------------------------------------------------------------------

struct entrant {
    void (*run)(void *data);
    struct bench_time *result;
    double ns[TIMES_MAX];
    size_t count;
};

struct field {
    struct entrant entrants[BENCH_COMPILER_COUNT];
    size_t count;
    struct runner *runner;
};

static void enter(struct field *field, void (*run)(void *data), struct bench_time *result)
{
    struct entrant *entrant = &field->entrants[field->count++];
    entrant->run = run;
    entrant->result = result;
    entrant->count = 0;
}

// Returns: how long the round took.
static double run_round(struct field *field, uint32_t in_a_row)
{
    const uint64_t round_ns = bench_now_ns();
    for (size_t i = 0; i < field->count; i++) {
        struct entrant *entrant = &field->entrants[i];
        for (uint32_t j = 0; j < in_a_row && entrant->count < TIMES_MAX; j++) {
            const uint64_t start_ns = bench_now_ns();
            entrant->run(field->runner);
            entrant->ns[entrant->count++] = (double)(bench_now_ns() - start_ns);
        }
    }
    return (double)(bench_now_ns() - round_ns);
}

static int compare_times(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void keep_time(struct entrant *entrant)
{
    qsort(entrant->ns, entrant->count, sizeof entrant->ns[0], compare_times);
    *entrant->result = (struct bench_time){entrant->ns[0] / 1e3, entrant->ns[entrant->count / 2] / 1e3};
}

// --- entry ------------------------------------------------------------------------------------------------------------

void bench_race(const struct race *race, struct bench_result results[BENCH_COMPILER_COUNT], struct bench_table *table)
{
    static struct runner runner;
    static struct field field;
    runner.race = race;
    runner.table = table;
    field.runner = &runner;
    field.count = 0;
    if (bench_is_peer(&results[BENCH_BRIG])) {
        enter(&field, run_brig, &results[BENCH_BRIG].compile_us);
    }
    if (race->subject->import) {
        enter(&field, run_import, &results[BENCH_BRIG].parse_us);
    }
    if (bench_is_peer(&results[BENCH_LIBSECCOMP_1])) {
        enter(&field, run_level_1, &results[BENCH_LIBSECCOMP_1].compile_us);
    }
    if (bench_is_peer(&results[BENCH_LIBSECCOMP_2])) {
        enter(&field, run_level_2, &results[BENCH_LIBSECCOMP_2].compile_us);
    }
    const double first_ns = run_round(&field, 1); // says how many more there can be
    double all_ns = first_ns;
    for (uint32_t round = 1; round < (first_ns < SLOW_NS ? ROUNDS : FEW_ROUNDS) && all_ns < ALL_NS; round++) {
        all_ns += run_round(&field, first_ns < QUICK_NS ? IN_A_ROW : 1);
    }
    for (size_t i = 0; i < field.count; i++) {
        keep_time(&field.entrants[i]);
    }
}
