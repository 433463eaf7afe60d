// subject: what POLICY means on the command line. A built-in policy is resolved and compiled, a raw program is read and validated;
// after that the verbs do not care which it was, except where only rows can answer.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policies/policies.h"
#include "tools/brig/tool.h"

const struct brig_dsl_policy *tool_find_policy(const char *verb, const char *name)
{
    const char *names[64] = {NULL};
    size_t count = 0;
    for (; brig_policy_all[count] != NULL && count < sizeof names / sizeof names[0]; count++) {
        names[count] = brig_policy_all[count]->name;
        if (strcmp(names[count], name) == 0) {
            return brig_policy_all[count];
        }
    }
    const char *closest = tool_closest(name, names, count);
    if (closest != NULL) {
        tool_complain(verb, "there is no policy '%s'; did you mean '%s'?", name, closest);
        return NULL;
    }
    char known[160] = "";
    for (size_t i = 0, used = 0; i < count && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    tool_complain(verb, "there is no policy '%s'; built in are %s; a raw program is named FILE.bpf or ./FILE", name, known);
    return NULL;
}

bool tool_compile_options(const char *verb, enum brig_dsl_arch arch, const char *kernel, struct brig_dsl_options *ret_options)
{
    *ret_options = (struct brig_dsl_options){.arch = arch, .self_pid = TOOL_SELF_PID, .notify_fd = TOOL_NOTIFY_FD};
    if (kernel != NULL && !tool_read_kernel(kernel, &ret_options->kernel)) {
        tool_complain(verb, "'%s' is not a kernel version from 2.6 to %u.%u; give it as in 6.1", kernel,
                      brig_dsl_newest_kernel() >> 8, brig_dsl_newest_kernel() & 0xffu);
        return false;
    }
    return true;
}

static double elapsed_us(struct timespec from, struct timespec to)
{
    return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

static int load_policy(const char *verb, const struct brig_dsl_options *options, struct tool_subject *subject)
{
    struct brig_error error;
    struct brig_dsl_arena arena;
    struct timespec start;
    struct timespec end;
    unsigned char *memory = malloc(2 * BRIG_DSL_ARENA_BYTES);
    if (memory == NULL) {
        return tool_complain(verb, "out of memory");
    }
    subject->memory = memory;
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_ARENA_BYTES);
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (brig_dsl_compile(subject->policy, options, &arena, &subject->program, &error) != BRIG_OK) {
        return tool_fail(verb, &error);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    subject->compile_us = elapsed_us(start, end);
    brig_dsl_arena_init(&arena, memory + BRIG_DSL_ARENA_BYTES, BRIG_DSL_ARENA_BYTES);
    if (brig_dsl_resolve(subject->policy, options, &arena, &subject->rules, &error) != BRIG_OK) {
        return tool_fail(verb, &error);
    }
    return -1;
}

// FNV-1a over the instruction bytes, as brig_dsl_program.hash is made.
static uint64_t hash_insns(const struct sock_filter *insns, size_t insn_count)
{
    const unsigned char *bytes = (const unsigned char *)insns;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < insn_count * sizeof *insns; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

static int load_raw(const char *verb, FILE *in, struct tool_subject *subject)
{
    struct brig_error error;
    size_t limit = (BPF_MAXINSNS + 1) * sizeof(struct sock_filter);
    struct sock_filter *insns = malloc(limit);
    if (insns == NULL) {
        return tool_complain(verb, "out of memory");
    }
    subject->memory = insns;
    size_t bytes = fread(insns, 1, limit, in);
    if (ferror(in)) {
        return tool_complain(verb, "cannot read '%s': %s", subject->name, strerror(errno));
    }
    if (bytes == limit) {
        return tool_complain(verb, "'%s' is too big: a program has at most %d instructions of 8 bytes", subject->name,
                             BPF_MAXINSNS);
    }
    if (bytes == 0 || bytes % sizeof *insns != 0) {
        return tool_complain(verb, "'%s' is not an array of 8-byte instructions: it has %zu bytes", subject->name, bytes);
    }
    size_t count = bytes / sizeof *insns;
    if (brig_dsl_validate(insns, count, &error) != BRIG_OK) {
        return tool_complain(verb, "'%s': the kernel would refuse instruction %lld: %s", subject->name, (long long)error.detail,
                             error.subject);
    }
    subject->program.insns = insns;
    subject->program.insn_count = (uint32_t)count;
    subject->program.hash = hash_insns(insns, count);
    subject->program.policy = subject->name;
    return -1;
}

static bool ends_in(const char *text, const char *end)
{
    size_t text_bytes = strlen(text);
    size_t end_bytes = strlen(end);
    return text_bytes > end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

bool tool_is_raw(const char *name)
{
    return strcmp(name, "-") == 0 || strchr(name, '/') != NULL || ends_in(name, ".bpf");
}

int tool_load(const char *verb, const char *name, const struct brig_dsl_options *options, struct tool_subject *ret_subject)
{
    int status;
    *ret_subject = (struct tool_subject){.name = name};
    ret_subject->program.arch = options->arch;
    if (strcmp(name, "-") == 0) {
        status = load_raw(verb, stdin, ret_subject);
    } else if (tool_is_raw(name)) {
        FILE *in = fopen(name, "rbe");
        if (in == NULL) {
            return tool_complain(verb, "cannot read '%s': %s", name, strerror(errno));
        }
        status = load_raw(verb, in, ret_subject);
        fclose(in);
    } else {
        ret_subject->policy = tool_find_policy(verb, name);
        status = ret_subject->policy == NULL ? TOOL_USAGE : load_policy(verb, options, ret_subject);
    }
    if (status >= 0) {
        tool_free_subject(ret_subject);
    }
    return status;
}

void tool_free_subject(struct tool_subject *subject)
{
    free(subject->memory);
    *subject = (struct tool_subject){.name = NULL};
}
