// run_mode: what --mode makes of a policy: a copy whose refusals end in another way.
//
//   kill   as the policy says: what no program does by chance kills
//   errno  it fails with EPERM instead, and is reported all the same: for a program that asks too much and could go on
//   log    what would be killed or refused by a row is done, and the kernel logs it (auditd, dmesg): to find out what a program
//          needs. No sandbox; the broker's list holds as ever, and further programs are not started.
//
// Rows keep their file and line, so that reports name the policy's own. The copy is compiled and checked as any policy is.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/brig/run.h"

enum { DEPTH_MAX = 16 };

static const char *const modes[] = {[RUN_MODE_KILL] = "kill", [RUN_MODE_ERRNO] = "errno", [RUN_MODE_LOG] = "log"};
enum { MODE_COUNT = sizeof modes / sizeof modes[0] };

// Stands before all others in a log: the program's own start has to be asked about.
static const struct brig_dsl_condition no_conditions[] = {{.op = BRIG_DSL_END}};
static const struct brig_dsl_row start_rows[] = {
    {.kind = BRIG_DSL_ROW_WHY, .why = "no other program: nobody would be there to start it", .file = __FILE__, .line = __LINE__},
    {.kind = BRIG_DSL_ROW_ELSE,
     .call = BRIG_SYS_execve,
     .action = {.verb = BRIG_DSL_REPORT, .data = EACCES},
     .conditions = no_conditions,
     .file = __FILE__,
     .line = __LINE__},
    {.kind = BRIG_DSL_ROW_ELSE,
     .call = BRIG_SYS_execveat,
     .action = {.verb = BRIG_DSL_REPORT, .data = EACCES},
     .conditions = no_conditions,
     .file = __FILE__,
     .line = __LINE__},
    {.kind = BRIG_DSL_ROW_END},
};

// What is copied, so that it can be freed.
struct copier {
    struct run_policy *copy;
    enum run_mode mode;
    int depth;
    bool has_failed;
};

static void *take(struct copier *copier, size_t count, size_t bytes)
{
    void *block = copier->copy->block_count < RUN_BLOCK_MAX ? calloc(count, bytes) : NULL;
    if (block == NULL) {
        copier->has_failed = true;
    } else {
        copier->copy->blocks[copier->copy->block_count++] = block;
    }
    return block;
}

static struct brig_dsl_action change(const struct copier *copier, struct brig_dsl_action action)
{
    if (copier->mode == RUN_MODE_ERRNO && action.verb == BRIG_DSL_CRASH) {
        return (struct brig_dsl_action){.verb = BRIG_DSL_REPORT, .data = EPERM};
    }
    if (copier->mode == RUN_MODE_LOG && (action.verb == BRIG_DSL_CRASH || action.verb == BRIG_DSL_REPORT)) {
        return (struct brig_dsl_action){.verb = BRIG_DSL_LOG};
    }
    return action;
}

static const struct brig_dsl_row *copy_rows(struct copier *copier, const struct brig_dsl_row *rows)
{
    size_t count = 0;
    while (rows[count].kind != BRIG_DSL_ROW_END) {
        count++;
    }
    struct brig_dsl_row *copies = take(copier, count + 1, sizeof *copies);
    if (copies == NULL || copier->depth == DEPTH_MAX) {
        copier->has_failed = true;
        return rows;
    }
    memcpy(copies, rows, (count + 1) * sizeof *copies);
    copier->depth++;
    for (size_t i = 0; i < count; i++) {
        copies[i].action = change(copier, rows[i].action);
        if (rows[i].kind == BRIG_DSL_ROW_USE) {
            copies[i].table = copy_rows(copier, rows[i].table);
        }
    }
    copier->depth--;
    return copies;
}

static const struct brig_dsl_policy *copy_policy(struct copier *copier, const struct brig_dsl_policy *policy)
{
    struct brig_dsl_policy *copy = take(copier, 1, sizeof *copy);
    if (copy == NULL || copier->depth == DEPTH_MAX) {
        copier->has_failed = true;
        return policy;
    }
    *copy = *policy;
    copy->rows = copy_rows(copier, policy->rows);
    copy->fallback = change(copier, policy->fallback);
    if (policy->base != NULL) {
        copier->depth++;
        copy->base = copy_policy(copier, policy->base);
        copier->depth--;
    }
    return copy;
}

static const struct brig_dsl_policy *put_start_before(struct copier *copier, const struct brig_dsl_policy *policy)
{
    struct brig_dsl_policy *first = take(copier, 1, sizeof *first);
    if (first == NULL) {
        return policy;
    }
    *first = (struct brig_dsl_policy){.name = policy->name, .base = policy, .rows = start_rows};
    return first;
}

static bool find_mode(const char *name, enum run_mode *ret_mode)
{
    for (int i = 0; i < MODE_COUNT; i++) {
        if (name == NULL || strcmp(modes[i], name) == 0) {
            *ret_mode = (enum run_mode)i;
            return true;
        }
    }
    const char *closest = tool_closest(name, modes, MODE_COUNT);
    tool_complain("run", "--mode=%s is not known; %s%s%s", name,
                  closest == NULL ? "known are kill, errno and log" : "did you mean '", closest == NULL ? "" : closest,
                  closest == NULL ? "" : "'?");
    return false;
}

bool run_change_policy(const char *mode, const struct brig_dsl_policy *policy, struct run_policy *ret_policy)
{
    struct copier copier = {.copy = ret_policy};
    *ret_policy = (struct run_policy){.policy = policy};
    if (!find_mode(mode, &copier.mode)) {
        return false;
    }
    if (copier.mode == RUN_MODE_KILL) {
        return true;
    }
    ret_policy->policy = copy_policy(&copier, policy);
    if (copier.mode == RUN_MODE_LOG) {
        ret_policy->policy = put_start_before(&copier, ret_policy->policy);
        tool_complain("run", "--mode=log: what the policy refuses is done and logged by the kernel; this is no sandbox");
    }
    if (copier.has_failed) {
        tool_complain("run", "the policy cannot be copied: out of memory, or nested too deep");
    }
    return !copier.has_failed;
}

void run_free_policy(struct run_policy *policy)
{
    for (size_t i = 0; i < policy->block_count; i++) {
        free(policy->blocks[i]);
    }
    policy->block_count = 0;
}
