// survey: random policies through Brig's compiler and libseccomp's.
//
// Takes: nothing. Gives: a line for each policy that Brig takes longer to compile than libseccomp, and at the end how many these
// are and by how much. Guarantees: both compile in turns, in one process, from rules to the exported program, the same rules in the
// same order; libseccomp by the level that is quicker for the policy. Each policy has a process of its own, as in compare.c. What
// has nothing to be compared with is left out and counted; where that is Brig's fault, it has a line. Weaknesses: minima, so what a
// cold cache costs is not in them; where rules of one call overlap, libseccomp does not say which one counts, so that the two
// programs may not decide the same.
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/benchmarks/compiler/shapes.h"

enum { SURVEY_POLICIES = 400, LIMIT_S = 3, ROUNDS = 40, FEW_ROUNDS = 3 };
#define LITTLE_NS 40e6 // after which rounds are few

// What is found out about one policy. A child writes it.
struct finding {
    char name[SHAPE_NAME_BYTES];
    uint32_t insns;
    uint32_t peer_insns;
    double us;
    double peer_us;
    bool is_done;
    bool is_ours;                   // nothing to compare, for want of a program of Brig's
    char why_not[BENCH_TEXT_BYTES]; // not empty: there is nothing to compare
};

// --- one policy -------------------------------------------------------------------------------------------------------

static double time_brig(const struct bench_subject *subject, struct bench_result *result)
{
    const struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    const uint64_t start_ns = bench_now_ns();
    bench_brig_compile(subject, &options, result);
    return (double)(bench_now_ns() - start_ns) / 1e3;
}

static double time_peer(const struct peer_rules *rules, uint32_t level, struct bench_result *result)
{
    const uint64_t start_ns = bench_now_ns();
    peer_compile(rules, level, &result->code, result->why_not);
    return (double)(bench_now_ns() - start_ns) / 1e3;
}

static void race(const struct bench_subject *subject, const struct peer_rules *rules, struct finding *ret_finding)
{
    static struct bench_result ours, theirs;
    const uint64_t start_ns = bench_now_ns();
    ret_finding->us = ret_finding->peer_us = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        if (round >= FEW_ROUNDS && (double)(bench_now_ns() - start_ns) > LITTLE_NS) {
            return;
        }
        ret_finding->us = fmin(ret_finding->us, time_brig(subject, &ours));
        for (uint32_t level = 1; level <= 2; level++) {
            const double us = time_peer(rules, level, &theirs);
            if (theirs.code.count == 0) {
                snprintf(ret_finding->why_not, sizeof ret_finding->why_not, "%s", theirs.why_not);
                return;
            }
            ret_finding->peer_us = fmin(ret_finding->peer_us, us);
            ret_finding->peer_insns = (uint32_t)theirs.code.count;
        }
    }
}

static void examine(uint64_t number, struct finding *ret_finding)
{
    static struct shape shape;
    static struct bench_result result;
    struct bench_subject subject = {.import = import_oci};
    struct import_error error;
    shape_make(number, &shape);
    snprintf(ret_finding->name, sizeof ret_finding->name, "%s", shape.name);
    subject.path = shape.name;
    subject.text = shape.text;
    subject.text_bytes = shape.text_bytes;
    ret_finding->is_ours = true; // until there is one
    if (!bench_import(&subject, &subject.imported, &error)) {
        snprintf(ret_finding->why_not, sizeof ret_finding->why_not, "brig: %s", error.text);
        return;
    }
    subject.policy = subject.imported.targets[0].policy;
    time_brig(&subject, &result);
    ret_finding->insns = (uint32_t)result.code.count;
    if (ret_finding->insns == 0) {
        snprintf(ret_finding->why_not, sizeof ret_finding->why_not, "brig: %s", result.why_not);
        return;
    }
    ret_finding->is_ours = false;
    race(&subject, &shape.peer, ret_finding);
}

// --- all of them ------------------------------------------------------------------------------------------------------

// Never returns.
static void be_child(uint64_t number, struct finding *shared)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) {
        alarm(LIMIT_S);
        examine(number, shared);
        shared->is_done = true;
    }
    _exit(0);
}

static void find_out(uint64_t number, struct finding *shared)
{
    int status = -1;
    memset(shared, 0, sizeof *shared);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        be_child(number, shared);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 || !shared->is_done) {
        snprintf(shared->why_not, sizeof shared->why_not, "its process ended with wait status %#x", (unsigned)status);
    }
}

struct sum {
    size_t compared, slower, quarter_slower, twice_as_slow, left_out, without;
    double logs;
    double worst;
    uint64_t insns, peer_insns;
};

static void add(struct sum *sum, const struct finding *finding)
{
    const double ratio = finding->us / finding->peer_us;
    sum->compared++;
    sum->slower += ratio > 1;
    sum->quarter_slower += ratio > 1.25;
    sum->twice_as_slow += ratio > 2;
    sum->logs += log(ratio);
    sum->worst = fmax(sum->worst, ratio);
    sum->insns += finding->insns;
    sum->peer_insns += finding->peer_insns;
}

static void print_sum(const struct sum *sum)
{
    printf(
        "survey: %zu policies compared, %zu left out, %zu of them without a proven program of Brig's; slower to compile than libseccomp: %zu, by more than a quarter %zu, twice %zu;\n"
        "        worst %.2f, geometric mean %.3f; instructions: %llu, libseccomp's %llu\n\n",
        sum->compared, sum->left_out, sum->without, sum->slower, sum->quarter_slower, sum->twice_as_slow, sum->worst,
        exp(sum->logs / (double)(sum->compared ? sum->compared : 1)), (unsigned long long)sum->insns,
        (unsigned long long)sum->peer_insns);
}

void bench_survey(struct bench_table *table)
{
    struct sum sum = {0};
    struct finding *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); // zeroed
    if (shared == MAP_FAILED) {
        bench_fail(table, "survey: no shared memory");
        return;
    }
    puts("survey: number, shape (operators, values, arguments of a rule, actions, calls, rules), us and instructions of both");
    for (uint64_t number = 0; number < SURVEY_POLICIES; number++) {
        find_out(number, shared);
        sum.left_out += shared->why_not[0] != '\0';
        sum.without += shared->is_ours;
        if (shared->is_ours) {
            printf("  %4llu  %-32s %s\n", (unsigned long long)number, shared->name, shared->why_not);
        }
        if (shared->why_not[0] == '\0') {
            add(&sum, shared);
        }
        if (shared->why_not[0] == '\0' && shared->us > shared->peer_us) {
            printf("  %4llu  %-32s %9.1f %9.1f us  ratio %.2f  %5u %5u instructions\n", (unsigned long long)number, shared->name,
                   shared->us, shared->peer_us, shared->us / shared->peer_us, shared->insns, shared->peer_insns);
        }
    }
    print_sum(&sum);
    munmap(shared, sizeof *shared);
}
