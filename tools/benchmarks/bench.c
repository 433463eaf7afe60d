// bench: measuring in turns, and tables of it; bench.h says why.
#include "tools/benchmarks/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 1000
#define CASES_MAX 16

uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void bench_fail(struct bench_table *table, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    table->has_failed = true;
}

void bench_add(struct bench_table *table, const char *name, double ns, double median_ns, double ratio)
{
    if (table->row_count == BENCH_ROWS_MAX) {
        bench_fail(table, "no room for \"%s\"", name);
        return;
    }
    struct bench_row *row = &table->rows[table->row_count++];
    *row = (struct bench_row){.ns = ns, .median_ns = median_ns, .ratio = ratio};
    snprintf(row->name, sizeof row->name, "%s", name);
}

static int compare_times(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void bench_add_paired(struct bench_table *table, const char *name, const double *times_ns, const double *base_ns, size_t rounds)
{
    double times[ROUNDS_MAX], ratios[ROUNDS_MAX];
    const size_t count = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
    for (size_t i = 0; i < count; i++) {
        times[i] = times_ns[i];
        ratios[i] = times_ns[i] / base_ns[i];
    }
    qsort(times, count, sizeof times[0], compare_times);
    qsort(ratios, count, sizeof ratios[0], compare_times);
    bench_add(table, name, times[0], times[count / 2], ratios[count / 2]);
    table->rows[table->row_count - 1].worst = ratios[count - 1];
}

static double time_round(const struct bench_case *a_case, uint32_t iterations)
{
    if (a_case->prepare) {
        a_case->prepare(a_case->data);
    }
    const uint64_t start_ns = bench_now_ns();
    a_case->run(a_case->data, iterations);
    return (double)(bench_now_ns() - start_ns) / iterations;
}

void bench_measure(struct bench_table *table, const struct bench_case *cases, size_t case_count, const struct bench_plan *plan)
{
    static double times[CASES_MAX][ROUNDS_MAX];
    const uint32_t rounds = plan->rounds < ROUNDS_MAX ? plan->rounds : ROUNDS_MAX;
    if (case_count == 0 || case_count > CASES_MAX || rounds == 0 || plan->iterations == 0) {
        bench_fail(table, "a plan with %zu cases, %u rounds and %u iterations", case_count, rounds, plan->iterations);
        return;
    }
    for (size_t i = 0; i < case_count; i++) {
        time_round(&cases[i], plan->iterations);
    }
    for (uint32_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < case_count; i++) {
            times[i][round] = time_round(&cases[i], plan->iterations);
        }
    }
    for (size_t i = 0; i < case_count; i++) {
        qsort(times[i], rounds, sizeof times[i][0], compare_times);
        bench_add(table, cases[i].name, times[i][0], times[i][rounds / 2], times[i][0] / times[0][0]);
    }
}

void bench_in_child(struct bench_table *table, void (*body)(struct bench_table *table))
{
    int status = -1;
    struct bench_table *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        bench_fail(table, "no shared memory");
        return;
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        body(shared);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        bench_fail(table, "a child ended with wait status %#x", (unsigned)status);
    }
    for (size_t i = 0; i < shared->row_count && i < BENCH_ROWS_MAX; i++) {
        const struct bench_row *row = &shared->rows[i];
        bench_add(table, row->name, row->ns, row->median_ns, row->ratio);
        table->rows[table->row_count - 1].worst = row->worst;
    }
    table->has_failed = table->has_failed || shared->has_failed;
    munmap(shared, sizeof *shared);
}

void bench_print(FILE *out, const struct bench_table *table)
{
    fprintf(out, "%-64s %12s %12s %8s %8s\n", "what", "minimum ns", "median ns", "ratio", "worst");
    for (size_t i = 0; i < table->row_count; i++) {
        const struct bench_row *row = &table->rows[i];
        fprintf(out, "%-64s %12.0f %12.0f", row->name, row->ns, row->median_ns);
        if (row->ratio > 0) {
            fprintf(out, " %8.2f", row->ratio);
        }
        if (row->worst > 0) {
            fprintf(out, " %8.2f", row->worst);
        }
        fputc('\n', out);
    }
}
