// pair: loading two sides, and the line of progress. See pair.h.
#include "tools/brig/pair.h"

#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// --- traps ------------------------------------------------------------------------------------------------------------

static bool acts_alike(const struct brig_dsl_action *a, const struct brig_dsl_action *b)
{
    bool same_handler = a->handler == b->handler || (a->handler && b->handler && strcmp(a->handler->name, b->handler->name) == 0);
    return a->verb == b->verb && a->data == b->data && same_handler;
}

// Returns: the id that all traps with this action get.
static uint32_t find_trap(struct pair *pair, const struct brig_dsl_action *action)
{
    size_t id = 1;
    while (id < pair->trap_count && !acts_alike(pair->traps[id].action, action)) {
        id++;
    }
    if (id == pair->trap_count) {
        pair->traps[pair->trap_count++].action = action;
    }
    return (uint32_t)id;
}

static void rename_traps(struct pair *pair, int side)
{
    const struct brig_dsl_program *program = &pair->subjects[side].program;
    for (uint32_t i = 0; i < program->insn_count; i++) {
        struct sock_filter *insn = &pair->insns[side][i];
        uint32_t id = insn->k & SECCOMP_RET_DATA;
        bool is_trap = insn->code == (BPF_RET | BPF_K) && (insn->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP;
        if (is_trap && id > 0 && id < program->trap_count) {
            insn->k = SECCOMP_RET_TRAP | find_trap(pair, &program->traps[id].action);
        }
    }
}

// --- both sides -------------------------------------------------------------------------------------------------------

static bool copy_programs(struct pair *pair, bool keeps_ids)
{
    for (int side = 0; side < 2; side++) {
        const struct brig_dsl_program *program = &pair->subjects[side].program;
        pair->insns[side] = malloc(program->insn_count * sizeof *program->insns);
        if (pair->insns[side] == NULL) {
            return false;
        }
        memcpy(pair->insns[side], program->insns, program->insn_count * sizeof *program->insns);
    }
    if (keeps_ids || pair->subjects[0].policy == NULL || pair->subjects[1].policy == NULL) {
        return true;
    }
    size_t most = (size_t)pair->subjects[0].program.trap_count + pair->subjects[1].program.trap_count + 1;
    pair->traps = calloc(most, sizeof *pair->traps);
    if (pair->traps == NULL) {
        return false;
    }
    pair->trap_count = 1;
    rename_traps(pair, 0);
    rename_traps(pair, 1);
    return true;
}

int pair_load(const char *verb, const struct pair_side *sides, const struct tool_request *request, bool keeps_ids,
              struct pair *ret_pair)
{
    *ret_pair = (struct pair){.trap_count = 0};
    if (strcmp(sides[0].name, "-") == 0 && strcmp(sides[1].name, "-") == 0) {
        return tool_complain(verb, sides[1].is_plain
                                       ? "a policy alone is read twice, and standard input can be read once; give a file"
                                       : "only one of the two can be standard input");
    }
    for (int side = 0; side < 2; side++) {
        struct tool_request own = *request;
        own.options.plain = sides[side].is_plain;
        own.is_quiet = side == 1 && strcmp(sides[0].name, sides[1].name) == 0;
        if (sides[1].is_plain) { // the other side is the same policy
            own.refuses_raw = "a raw program has no plain form to be compared with; give two programs";
        }
        int status = tool_load(verb, sides[side].name, &own, &ret_pair->subjects[side]);
        if (status >= 0) {
            pair_free(ret_pair);
            return status;
        }
    }
    if (!copy_programs(ret_pair, keeps_ids)) {
        pair_free(ret_pair);
        return tool_complain(verb, "out of memory");
    }
    return -1;
}

void pair_free(struct pair *pair)
{
    for (int side = 0; side < 2; side++) {
        tool_free_subject(&pair->subjects[side]);
        free(pair->insns[side]);
    }
    free(pair->traps);
    *pair = (struct pair){.trap_count = 0};
}

long pair_read_timeout(const char *verb, const char *text)
{
    enum { DEFAULT_SECONDS = 120, MOST_SECONDS = 1000000 };
    char *end = NULL;
    if (text == NULL) {
        return DEFAULT_SECONDS;
    }
    long seconds = strtol(text, &end, 10);
    if (end == text || *end != '\0' || seconds < 1 || seconds > MOST_SECONDS) {
        tool_complain(verb, "--timeout is a number of seconds from 1 to %d, not '%s'", MOST_SECONDS, text);
        return -1;
    }
    return seconds;
}

struct prove_question pair_question(const struct pair *pair, enum prove_relation relation, long timeout_seconds)
{
    return (struct prove_question){
        .programs = {{pair->insns[0], pair->subjects[0].program.insn_count},
                     {pair->insns[1], pair->subjects[1].program.insn_count}},
        .relation = relation,
        .timeout_ms = (int64_t)timeout_seconds * 1000,
    };
}

// --- progress ---------------------------------------------------------------------------------------------------------

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Waits for the end, or until it is time to write again. Returns: whether it has ended. The mutex is held.
static bool wait_for_end(struct pair_progress *progress)
{
    enum { INTERVAL_NS = 250000000, SECOND_NS = 1000000000 };
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += INTERVAL_NS;
    until.tv_sec += until.tv_nsec / SECOND_NS;
    until.tv_nsec %= SECOND_NS;
    while (!progress->has_ended && pthread_cond_timedwait(&progress->ended, &progress->mutex, &until) == 0) {
    }
    return progress->has_ended;
}

static void *show_progress(void *context)
{
    struct pair_progress *progress = context;
    pthread_mutex_lock(&progress->mutex);
    while (!wait_for_end(progress)) {
        progress->is_shown = true;
        fprintf(stderr, "\r\033[Kbrig %s: ", progress->verb);
        if (progress->total > 0) {
            fprintf(stderr, "%zu of %zu parts, ", progress->done, progress->total);
        }
        fprintf(stderr, "%" PRId64 " s", (now_ms() - progress->start_ms) / 1000);
    }
    pthread_mutex_unlock(&progress->mutex);
    return NULL;
}

void pair_progress_start(struct pair_progress *progress, const char *verb)
{
    *progress = (struct pair_progress){.verb = verb, .start_ms = now_ms()};
    pthread_mutex_init(&progress->mutex, NULL);
    pthread_cond_init(&progress->ended, NULL);
    // Without a thread there is no line, and nothing else is lost.
    progress->is_running = isatty(STDERR_FILENO) != 0 && pthread_create(&progress->thread, NULL, show_progress, progress) == 0;
}

void pair_progress_set(struct pair_progress *progress, size_t done, size_t total)
{
    pthread_mutex_lock(&progress->mutex);
    progress->done = done;
    progress->total = total;
    pthread_mutex_unlock(&progress->mutex);
}

int64_t pair_progress_end(struct pair_progress *progress)
{
    if (progress->is_running) {
        pthread_mutex_lock(&progress->mutex);
        progress->has_ended = true;
        pthread_cond_signal(&progress->ended);
        pthread_mutex_unlock(&progress->mutex);
        pthread_join(progress->thread, NULL);
    }
    if (progress->is_shown) {
        fputs("\r\033[K", stderr);
    }
    pthread_cond_destroy(&progress->ended);
    pthread_mutex_destroy(&progress->mutex);
    return now_ms() - progress->start_ms;
}
