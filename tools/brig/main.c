// brig: one program, verbs as sub-commands. Takes argv, finds the verb, hands the rest over.
#include <string.h>

#include "tools/brig/tool.h"

#define VERB(name, arguments, summary) int brig_##name##_main(int argc, char **argv);
#include "tools/brig/verbs.def"
#undef VERB

const struct tool_verb tool_verbs[] = {
#define VERB(name, arguments, summary) {#name, arguments, summary, brig_##name##_main},
#include "tools/brig/verbs.def"
#undef VERB
    {NULL, NULL, NULL, NULL},
};

static void print_help(FILE *out)
{
    fputs("usage: brig VERB [OPTION...] [ARGUMENT...]\n\n", out);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        fprintf(out, "  %-8s %-30s %s\n", verb->name, verb->arguments, verb->summary);
    }
    fputs("\nPOLICY is a built-in name, FILE.bpf (an array of struct sock_filter), or - for such an array on standard input.\n"
          "`brig VERB --help` lists a verb's options.\n"
          "Exit status: 0 fine, 1 findings, 2 wrong arguments or input, 3 undecided, 4 the kernel lacks something asked for.\n",
          out);
}

static int complain_about_verb(const char *name)
{
    const char *names[16] = {NULL};
    size_t count = 0;
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        names[count++] = verb->name;
    }
    const char *closest = tool_closest(name, names, count);
    fprintf(stderr, "brig: there is no verb '%s'%s%s%s\n", name, closest == NULL ? "; see brig --help" : "; did you mean '",
            closest == NULL ? "" : closest, closest == NULL ? "" : "'?");
    return TOOL_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return tool_close_output("help", stdout, NULL);
    }
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        if (strcmp(argv[1], verb->name) == 0) {
            return verb->run(argc - 1, argv + 1);
        }
    }
    return complain_about_verb(argv[1]);
}
