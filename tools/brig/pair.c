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

static void rename_traps(struct pair *pair, struct pair_member *member)
{
    const struct brig_dsl_program *program = &member->subject.program;
    for (uint32_t i = 0; i < program->insn_count; i++) {
        struct sock_filter *insn = &member->insns[i];
        uint32_t id = insn->k & SECCOMP_RET_DATA;
        bool is_trap = insn->code == (BPF_RET | BPF_K) && (insn->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP;
        if (is_trap && id > 0 && id < program->trap_count) {
            insn->k = SECCOMP_RET_TRAP | find_trap(pair, &program->traps[id].action);
        }
    }
}

// Returns: false if memory ran out.
static bool rename_all_traps(struct pair *pair)
{
    size_t most = 1;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < pair->sides[side].count; i++) {
            if (pair->sides[side].members[i].subject.policy == NULL) {
                return true; // what a raw program's ids mean nobody knows
            }
            most += pair->sides[side].members[i].subject.program.trap_count;
        }
    }
    pair->traps = calloc(most, sizeof *pair->traps);
    if (pair->traps == NULL) {
        return false;
    }
    pair->trap_count = 1;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < pair->sides[side].count; i++) {
            rename_traps(pair, &pair->sides[side].members[i]);
        }
    }
    return true;
}

// --- one side ---------------------------------------------------------------------------------------------------------

bool pair_add_name(const char *verb, struct pair_names *names, const char *name)
{
    if (names->count == PAIR_MOST_PROGRAMS) {
        tool_complain(verb, "more than %d programs of one process", PAIR_MOST_PROGRAMS);
        return false;
    }
    names->names[names->count++] = name;
    return true;
}

static bool make_side(const struct pair_names *names, struct pair_side *side)
{
    size_t bytes = 1;
    for (size_t i = 0; i < names->count; i++) {
        bytes += strlen(names->names[i]) + strlen(" + ");
    }
    side->name = malloc(bytes);
    side->members = calloc(names->count + 1, sizeof *side->members);
    side->programs = calloc(names->count + 1, sizeof *side->programs);
    if (side->name == NULL || side->members == NULL || side->programs == NULL) {
        return false;
    }
    size_t used = 0;
    for (size_t i = 0; i < names->count; i++) {
        used += (size_t)snprintf(side->name + used, bytes - used, "%s%s", i == 0 ? "" : " + ", names->names[i]);
    }
    return true;
}

// Adds the program of a subject that was loaded, and owns it. Returns: false if memory ran out.
static bool copy_program(struct pair_side *side)
{
    struct pair_member *member = &side->members[side->count];
    const struct brig_dsl_program *program = &member->subject.program;
    member->insns = malloc(program->insn_count * sizeof *program->insns);
    side->programs[side->count] = (struct prove_program){member->insns, program->insn_count};
    side->count++;
    if (member->insns == NULL) {
        return false;
    }
    memcpy(member->insns, program->insns, program->insn_count * sizeof *program->insns);
    return true;
}

static int load_side(const char *verb, const struct pair_names *names, const struct tool_request *request, struct pair_side *side)
{
    if (!make_side(names, side)) {
        return tool_complain(verb, "out of memory");
    }
    for (size_t i = 0; i < names->count; i++) {
        int status = tool_load(verb, names->names[i], request, &side->members[i].subject);
        if (status >= 0) {
            return status;
        }
        if (!copy_program(side)) {
            return tool_complain(verb, "out of memory");
        }
    }
    return -1;
}

// --- both sides -------------------------------------------------------------------------------------------------------

static bool is_stdin(const char *name)
{
    return strcmp(name, "-") == 0;
}

// Returns: how many names of both sides are so.
static int count_names(const struct pair_names *names, bool (*is_so)(const char *name))
{
    int count = 0;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < names[side].count; i++) {
            count += is_so(names[side].names[i]);
        }
    }
    return count;
}

// Returns: -1 to go on, else the exit status.
static int check_stdin(const char *verb, const struct pair_names *names)
{
    return count_names(names, is_stdin) < 2
               ? -1
               : tool_complain(verb, names[1].is_plain
                                         ? "a policy alone is read twice, and standard input can be read once; give a file"
                                         : "only one of them can be standard input");
}

static int load_sides(const char *verb, const struct pair_names *names, const struct tool_request *request, struct pair *pair)
{
    for (int side = 0; side < 2; side++) {
        struct tool_request own = *request;
        own.options.plain = names[side].is_plain;
        own.is_of_any_arch = true;
        own.is_from_used = count_names(names, tool_needs_from) > 0;
        own.is_quiet = side == 1 && names[1].is_plain; // told for the other side
        if (names[1].is_plain) {                       // the other side is the same policy
            own.refuses_raw = "a raw program has no plain form to be compared with; give two programs";
        }
        int status = load_side(verb, &names[side], &own, &pair->sides[side]);
        if (status >= 0) {
            return status;
        }
    }
    return -1;
}

int pair_load(const char *verb, const struct pair_names *names, const struct tool_request *request, bool keeps_ids,
              struct pair *ret_pair)
{
    int status = check_stdin(verb, names);
    *ret_pair = (struct pair){.trap_count = 0};
    status = status >= 0 ? status : load_sides(verb, names, request, ret_pair);
    if (status < 0 && !keeps_ids && !rename_all_traps(ret_pair)) {
        status = tool_complain(verb, "out of memory");
    }
    if (status >= 0) {
        pair_free(ret_pair);
    }
    return status;
}

void pair_free(struct pair *pair)
{
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < pair->sides[side].count; i++) {
            tool_free_subject(&pair->sides[side].members[i].subject);
            free(pair->sides[side].members[i].insns);
        }
        free(pair->sides[side].members);
        free(pair->sides[side].programs);
        free(pair->sides[side].name);
    }
    free(pair->traps);
    *pair = (struct pair){.trap_count = 0};
}

const struct pair_member *pair_decider(const struct pair_side *side, const struct brig_dsl_data *data)
{
    const struct pair_member *decider = NULL;
    int32_t lowest = INT32_MAX;
    for (size_t i = side->count; i > 0; i--) {
        const struct prove_program *program = &side->programs[i - 1];
        uint32_t ret = brig_dsl_interpret(program->insns, program->insn_count, data, NULL).ret;
        int32_t precedence = (int32_t)(ret & SECCOMP_RET_ACTION_FULL);
        if (decider == NULL || precedence < lowest) {
            decider = &side->members[i - 1];
            lowest = precedence;
        }
    }
    return decider;
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
    struct prove_question question = {.relation = relation, .timeout_ms = (int64_t)timeout_seconds * 1000};
    for (int i = 0; i < 2; i++) {
        const struct pair_side *side = &pair->sides[i];
        question.programs[i] = side->programs[0];
        question.stacks[i] = (struct prove_stack){side->programs, side->count > 1 ? side->count : 0};
    }
    return question;
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
