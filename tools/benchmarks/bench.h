// bench: figures that can be compared. Every figure is measured beside the thing that it is a ratio of, in turns, in the same
// process and the same seconds, because on a shared machine only ratios last.
//
//   static const struct bench_case cases[] = {{"without", NULL, call_directly, NULL}, {"with", NULL, call_filtered, NULL}};
//   bench_measure(table, cases, 2, &(struct bench_plan){.rounds = 30, .iterations = 2000});   // ratios are against cases[0]
//
// A file of benchmarks offers `void bench_NAME(struct bench_table *table)`, which main calls. What cannot be undone (a filter) is
// measured in a child: see bench_in_child.
#ifndef BRIG_TOOLS_BENCHMARKS_BENCH_H
#define BRIG_TOOLS_BENCHMARKS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_ROWS_MAX 128
#define BENCH_NAME_BYTES 96

struct bench_row {
    char name[BENCH_NAME_BYTES];
    double ns;        // minimum over all rounds, per iteration
    double median_ns; // over all rounds, per iteration
    double ratio;     // of minima, against the first case measured with it; 1 for that case. Of pairs: their median
    double worst;     // of pairs: the highest ratio; else 0
};

struct bench_table {
    struct bench_row rows[BENCH_ROWS_MAX];
    size_t row_count;
    bool has_failed; // a benchmark could not be done; a line on stderr says why
};

struct bench_case {
    const char *name;
    void (*prepare)(void *data); // before each round, not measured; or NULL
    void (*run)(void *data, uint32_t iterations);
    void *data;
};

struct bench_plan {
    uint32_t rounds;     // at most 1000
    uint32_t iterations; // of `run`, in each round
};

// Runs all cases in turn, `rounds` times over after one round that does not count, and adds a row for each.
void bench_measure(struct bench_table *table, const struct bench_case *cases, size_t case_count, const struct bench_plan *plan);

// Adds a row that was measured in another way; ratio 0 is none.
void bench_add(struct bench_table *table, const char *name, double ns, double median_ns, double ratio);

// Adds a row for times that were taken in turn with those of `base`, round by round. At most 1000 rounds.
void bench_add_paired(struct bench_table *table, const char *name, const double *times_ns, const double *base_ns, size_t rounds);

// Calls `body` in a child and takes over the rows that it adds there. A child that does not exit with 0 fails the table.
void bench_in_child(struct bench_table *table, void (*body)(struct bench_table *table));

// Says on stderr what could not be done, and marks the table.
__attribute__((format(printf, 2, 3))) void bench_fail(struct bench_table *table, const char *format, ...);

// Returns: nanoseconds of CLOCK_MONOTONIC.
uint64_t bench_now_ns(void);

// Writes the table for people.
void bench_print(FILE *out, const struct bench_table *table);

// One per file, in the order in which main calls them.
void bench_compile(struct bench_table *table);
void bench_trap(struct bench_table *table);
void bench_broker(struct bench_table *table);
void bench_hammer(struct bench_table *table);
void bench_sandbox(struct bench_table *table);
void bench_survey(struct bench_table *table); // prints lines of its own

// What the group hammer executes this program for. Returns: an exit status.
int bench_hammer_program(void);

#endif
