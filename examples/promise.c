// promise: a program that opens what it will read, promises to open nothing more, and then reads what a stranger wrote.
#include <brig/policies.h>
#include <brig/sandbox.h>
#include <stdio.h>
#include <string.h>

static int promise(const char *promises)
{
    static unsigned char arena[BRIG_DSL_ARENA_BYTES];
    static struct brig_policy_pledge_memory memory; // the policy lives here, as long as the process
    const struct brig_dsl_policy *policy;
    struct brig_lock_options options = {.memory = arena, .memory_bytes = sizeof arena};
    struct brig_error error = {.code = BRIG_OK};
    if (brig_policy_pledge(promises, &memory, &policy, &error) || brig_lock(policy, &options, &error))
        return fprintf(stderr, "%s\n", brig_error_format(&error, (char[BRIG_ERROR_TEXT_BYTES]){0}, BRIG_ERROR_TEXT_BYTES));
    return 0;
}

int main(int argc, char **argv)
{
    char line[1000];
    int lines = 0;
    FILE *input = argc > 1 ? fopen(argv[1], "re") : stdin;
    if (!input)
        return perror(argv[1]), 1;
    if (promise("stdio"))
        return 1;
    while (fgets(line, sizeof line, input)) {
        lines++;
        if (line[0] == '!')  // stands for an exploit
            remove(argv[1]); // takes cpath: the kernel kills
    }
    printf("%d lines\n", lines);
    return 0;
}
