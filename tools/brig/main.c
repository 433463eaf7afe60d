// brig: one program, verbs as sub-commands. Takes argv, finds the verb, hands the rest over.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tools/brig/tool.h"

#define VERB(name, arguments, summary, about, examples) \
    int brig_##name##_main(int argc, char **argv); \
    extern const struct tool_option brig_##name##_options[];
#include "tools/brig/verbs.def"
#undef VERB

const struct tool_verb tool_verbs[] = {
#define VERB(name, arguments, summary, about, examples) \
    {#name, arguments, summary, about, examples, brig_##name##_options, brig_##name##_main},
#include "tools/brig/verbs.def"
#undef VERB
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

static void print_help(FILE *out)
{
    fputs("usage: brig VERB [OPTION...] [ARGUMENT...]\n\n", out);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        fprintf(out, "  %-10s %-30s %s\n", verb->name, verb->arguments, verb->summary);
    }
    fputs("\nPOLICY is a built-in name (", out);
    for (size_t i = 0; brig_policy_all[i] != NULL; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : ", ", brig_policy_all[i]->name);
    }
    fputs(
        "),\n"
        "pledge:PROMISES, FILE.json (an OCI or Docker seccomp profile), FILE.policy (minijail's), FILE.pledge (promises, and\n"
        "comments behind #), FILE.bpf (an array of struct sock_filter) or - for standard input. What - or a file of another name is,\n"
        "--from says; without it - is a .bpf.\n"
        "`brig VERB --help` says what a verb does, with its options and an example; `brig --version` which system calls are known.\n"
        "Exit status: 0 fine, 1 findings, 2 wrong arguments or input, 3 undecided, 4 the kernel or this machine lacks something asked for;\n"
        "of run that of its program, or 125 to 127.\n",
        out);
}

// There are no releases with numbers: what tells two builds apart for their users is what they know.
static void print_version(void)
{
    printf("brig for %s, with the system calls of Linux %d.%d\n", brig_dsl_arch_name(brig_dsl_arch_native()),
           brig_dsl_newest_kernel() >> 8, brig_dsl_newest_kernel() & 0xff);
}

// What is closed would be opened for something else, and be read, written or handed to a program as if it were ours to use so.
static void open_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
            _exit(TOOL_USAGE); // nobody can be told
        }
    }
}

static int complain_about_verb(const char *name)
{
    const char *names[32] = {NULL};
    size_t count = 0;
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        names[count++] = verb->name;
    }
    const char *closest = tool_closest(name, names, count);
    return tool_complain(NULL, "there is no verb '%s'%s%s%s", name, closest == NULL ? "; see brig --help" : "; did you mean '",
                         closest == NULL ? "" : closest, closest == NULL ? "" : "'?");
}

static int run_verb(int argc, char **argv)
{
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        if (strcmp(argv[0], verb->name) == 0) {
            return verb->run(argc, argv);
        }
    }
    return complain_about_verb(argv[0]);
}

int main(int argc, char **argv)
{
    static char help_option[] = "--help";
    open_standard_streams();
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    bool wants_help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--version") == 0 && argc == 2) {
        print_version();
        return tool_flush("version");
    }
    if (wants_help && argc == 2) {
        print_help(stdout);
        return tool_flush("help");
    }
    if (wants_help) { // brig help VERB
        char *swapped[] = {argv[2], help_option, NULL};
        return run_verb(2, swapped);
    }
    return run_verb(argc - 1, argv + 1);
}
