// compare: one policy through every compiler, in a process of its own.
//
// Takes: a subject. Gives: a comparison; of what ended early, as much as was reached, and why there is no more. Guarantees: inputs
// come from the policy's plainest program, so that no compiler's own tests decide what it is measured with; where Brig has no
// program the others are measured all the same. A process of its own is for what is not ours to rule out: files of anybody's, and
// a library that crashes, or does not come back, on rules that nobody tried before. The others then still get their lines.
// Weakness: one arch, the one that this runs on.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf_dsl/optimize.h"
#include "tools/benchmarks/compiler/compiler.h"

enum { LIMIT_S = 300 }; // for all of one policy; seconds are usual

// What the child is at work with.
struct task {
    const struct brig_dsl_options *options;
    struct bench_subject subject;
    struct bench_comparison *comparison; // shared with the parent
    struct brig_dsl_rules rules;         // not of a raw program
    struct bench_code reference;
    struct bench_table failures;
};

// The program that inputs come from: the plain form, or where that does not fit, one that does; or the raw program itself.
static bool make_reference(struct task *task)
{
    static struct bench_result plain;
    struct brig_dsl_options options = *task->options;
    const struct bench_code *ours = &task->comparison->results[BENCH_BRIG].code;
    options.plain = true;
    if (task->subject.is_raw) {
        bench_read_raw(&task->subject, &task->reference);
        return true;
    }
    if (bench_brig_compile(&task->subject, &options, &plain)) {
        task->reference = plain.code;
        return true;
    }
    if (ours->count) {
        task->reference = *ours;
        return true;
    }
    return peer_make_reference(&task->rules, &task->reference);
}

static void compile_ours(struct task *task)
{
    struct bench_result *result = &task->comparison->results[BENCH_BRIG];
    task->comparison->step = "compiled by Brig";
    bool is_compiled = bench_brig_compile(&task->subject, task->options, result);
    if (is_compiled && result->needs_proof) {
        task->comparison->step = "proven by Z3";
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "bench: %s: Brig's own check did not come to an end, Z3 is asked; that may take minutes\n",
                    task->subject.path);
        }
        is_compiled = bench_brig_prove(&task->subject, result);
    }
    if (!is_compiled) {
        bench_fail(&task->failures, "%s: %s", task->subject.path ? task->subject.path : task->subject.name, result->why_not);
    }
}

static void measure(struct task *task, const struct bench_inputs *inputs)
{
    struct bench_comparison *comparison = task->comparison;
    struct bench_result *results = comparison->results;
    struct peer_rules *peer_rules = NULL;
    if (bench_is_peer(&results[BENCH_BRIG])) {
        results[BENCH_BRIG].figures = bench_figures_of(&results[BENCH_BRIG].code, inputs);
    }
    if (task->subject.is_raw) {
        results[BENCH_INPUT].is_wanted = true;
        results[BENCH_INPUT].code = task->reference;
    } else {
        comparison->step = "compiled by libseccomp";
        peer_rules = peer_make(&task->rules, inputs, results);
    }
    for (int i = BENCH_BRIG + 1; i < BENCH_COMPILER_COUNT; i++) {
        if (bench_is_peer(&results[i])) {
            results[i].figures = bench_figures_of(&results[i].code, inputs);
        }
    }
    comparison->step = "compiled again and again";
    bench_race(&(struct race){&task->subject, task->options, peer_rules}, results, &task->failures);
    comparison->step = "called";
    bench_hot_calls(inputs, comparison, &task->failures);
    peer_rules_free(peer_rules);
}

// Resolves the rules. Returns: false if there are none: then Brig has said why.
static bool resolve(struct task *task)
{
    static unsigned char memory[BRIG_DSL_OPTIMIZE_ARENA_BYTES];
    struct brig_dsl_arena arena;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    return task->subject.is_raw || brig_dsl_resolve(task->subject.policy, task->options, &arena, &task->rules, &error) == BRIG_OK;
}

static void note_no_reference(struct bench_result *results)
{
    for (int i = BENCH_LIBSECCOMP_1; i <= BENCH_LIBSECCOMP_2; i++) {
        results[i].is_wanted = true;
        snprintf(results[i].why_not, sizeof results[i].why_not, "not measured: there is no program to find inputs with");
    }
}

static void compare(struct task *task)
{
    struct bench_inputs inputs;
    task->comparison->step = "read";
    if (!bench_load(&task->subject, task->comparison->left_out)) {
        bench_fail(&task->failures, "%s", task->comparison->left_out);
        return;
    }
    compile_ours(task);
    task->comparison->step = "prepared";
    if (!resolve(task)) {
        if (task->comparison->results[BENCH_BRIG].why_not[0] == '\0') {
            bench_fail(&task->failures, "%s: no memory for its rules", task->subject.name);
        }
        return;
    }
    if (!make_reference(task)) {
        note_no_reference(task->comparison->results);
        return;
    }
    const struct bench_source source = {
        .reference = &task->reference, .rules = task->subject.is_raw ? NULL : &task->rules, .profile = task->options->profile};
    if (bench_inputs_make(&source, &inputs)) {
        measure(task, &inputs);
        bench_inputs_free(&inputs);
    } else {
        bench_fail(&task->failures, "%s: no memory for inputs", task->subject.name);
    }
}

// --- the parent's side ------------------------------------------------------------------------------------------------

// Never returns.
static void be_child(const struct bench_subject *subject, const struct brig_dsl_options *options, struct bench_comparison *shared)
{
    static struct task task;
    task.options = options;
    task.subject = *subject;
    task.comparison = shared;
    shared->subject = subject;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) {
        alarm(LIMIT_S);
        compare(&task);
        shared->has_failed = task.failures.has_failed;
        shared->step = NULL;
    }
    _exit(0);
}

// What has a program, and was not yet measured, gets the reason instead.
static void note_end(struct bench_comparison *comparison, int status, struct bench_table *table)
{
    char how[BENCH_TEXT_BYTES];
    const char *step = comparison->step ? comparison->step : "ended";
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        snprintf(how, sizeof how, "took more than %d s, while it was %s", LIMIT_S, step);
    } else if (WIFSIGNALED(status)) {
        snprintf(how, sizeof how, "its process died of signal %d (%s), while it was %s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)), step);
    } else {
        snprintf(how, sizeof how, "its process ended with wait status %#x, while it was %s", (unsigned)status, step);
    }
    bench_fail(table, "%s: %s", comparison->subject->name, how);
    bool has_any = false;
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        struct bench_result *result = &comparison->results[i];
        has_any |= result->is_wanted;
        if (result->is_wanted && result->why_not[0] == '\0' && result->figures.insns == 0) {
            result->code.count = 0;
            snprintf(result->why_not, sizeof result->why_not, "not measured: %s", how);
        }
    }
    if (!has_any) {
        snprintf(comparison->left_out, sizeof comparison->left_out, "%s: %s", comparison->subject->name, how);
    }
}

void bench_compare(const struct bench_subject *subject, const struct brig_dsl_options *options,
                   struct bench_comparison *ret_comparison, struct bench_table *table)
{
    int status = -1;
    struct bench_comparison *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); // zeroed
    ret_comparison->subject = subject;
    if (shared == MAP_FAILED) {
        snprintf(ret_comparison->left_out, sizeof ret_comparison->left_out, "%s: no shared memory", subject->name);
        bench_fail(table, "%s", ret_comparison->left_out);
        return;
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        be_child(subject, options, shared);
    }
    const bool has_ended = pid > 0 && waitpid(pid, &status, 0) == pid;
    *ret_comparison = *shared;
    ret_comparison->subject = subject;
    if (!has_ended || status != 0 || shared->step) {
        note_end(ret_comparison, status, table);
    }
    table->has_failed = table->has_failed || shared->has_failed;
    munmap(shared, sizeof *shared);
}
