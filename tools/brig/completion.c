// brig completion: a script with which a shell completes command lines of brig.
//
// Everything comes from the tables by which brig parses: verbs.def, the verbs' options, the built-in policies, the system calls.
// What an option's value or an operand may be is told by the word that stands for it in the help (ARCH, FILE, POLICY ...).
#include <string.h>

#include "policies/policies.h"
#include "tools/brig/tool.h"

const struct tool_option brig_completion_options[] = {{NULL, 0, NULL, NULL}};

// --- what may stand somewhere -----------------------------------------------------------------------------------------

// Lists that are made when they are printed.
enum list { LIST_NONE, LIST_WORDS, LIST_ARCHES, LIST_STAGES, LIST_POLICIES, LIST_CALLS };

struct choices {
    const char *word;   // as the help has it
    const char *verb;   // NULL: any
    const char *option; // NULL: any, and operands
    enum list list;
    const char *words; // LIST_WORDS
    bool has_files;
};

// The first row that fits counts.
static const struct choices choices[] = {
    {"ARCH", NULL, NULL, LIST_ARCHES, NULL, false},
    {"STAGE", NULL, NULL, LIST_STAGES, NULL, false},
    {"WHEN", NULL, NULL, LIST_WORDS, "auto always never", false},
    {"PROCESS", NULL, "target", LIST_WORDS, "linked executed notified", false},
    {"FORMAT", NULL, "from", LIST_WORDS, "oci minijail bpf pledge", false},
    {"FORMAT", "asm", "format", LIST_WORDS, "raw c", false},
    {"FORMAT", NULL, "format", LIST_WORDS, "raw c text json", false},
    {"MODE", NULL, NULL, LIST_WORDS, "kill errno log", false},
    {"POLICY", NULL, NULL, LIST_POLICIES, NULL, true},
    {"A", NULL, NULL, LIST_POLICIES, NULL, true},
    {"B", NULL, NULL, LIST_POLICIES, NULL, true},
    {"SYSCALL", NULL, NULL, LIST_CALLS, NULL, false},
    {"FILE", NULL, NULL, LIST_NONE, NULL, true},
    {"FILE.bpf", NULL, NULL, LIST_NONE, NULL, true},
    {"DIRECTORY", NULL, NULL, LIST_NONE, NULL, true},
    {"DIR", NULL, NULL, LIST_NONE, NULL, true},
    {"PATH:PERMISSIONS", NULL, NULL, LIST_NONE, NULL, true},
    {"bash", NULL, NULL, LIST_WORDS, "bash zsh fish", false},
};

static const struct choices nothing = {.list = LIST_NONE};

static const struct choices *find_choices(const char *word, size_t word_bytes, const char *verb, const char *option)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        const struct choices *found = &choices[i];
        bool is_word = strlen(found->word) == word_bytes && memcmp(found->word, word, word_bytes) == 0;
        bool is_verb = found->verb == NULL || strcmp(found->verb, verb) == 0;
        if (is_word && is_verb && (found->option == NULL || (option != NULL && strcmp(found->option, option) == 0))) {
            return found;
        }
    }
    return &nothing;
}

static const struct choices *choices_of_option(const struct tool_verb *verb, const struct tool_option *option)
{
    return option->value == NULL ? &nothing : find_choices(option->value, strlen(option->value), verb->name, option->name);
}

// What operand `index` may be. A last kind with dots stands for all further ones.
static const struct choices *choices_of_operand(const struct tool_verb *verb, int index)
{
    const char *word = verb->arguments;
    const struct choices *found = &nothing;
    for (int i = 0; i <= index; i++) {
        word += strspn(word, " [");
        if (*word == '\0') {
            return strstr(verb->arguments, "...") == NULL ? &nothing : found;
        }
        size_t bytes = strcspn(word, " []|.");
        // FILE.bpf is one word, POLICY... and FILE|- are not.
        bytes += word[bytes] == '.' && word[bytes + 1] != '.' ? strcspn(word + bytes, " []|") : 0;
        found = find_choices(word, bytes, verb->name, NULL);
        word += strcspn(word, " ");
    }
    return found;
}

// Returns: whether a command line of another program stands behind --, which is completed as that program's own.
static bool starts_program(const struct tool_verb *verb)
{
    return strncmp(verb->arguments, "-- ", strlen("-- ")) == 0;
}

static void put_list(const struct choices *chosen)
{
    switch (chosen->list) {
    case LIST_NONE:
        break;
    case LIST_WORDS:
        fputs(chosen->words, stdout);
        break;
    case LIST_ARCHES:
        for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
            printf("%s%s", arch == 0 ? "" : " ", brig_dsl_arch_name((enum brig_dsl_arch)arch));
        }
        break;
    case LIST_STAGES:
        for (int stage = 0; stage < BRIG_DSL_STAGE_COUNT; stage++) {
            printf("%s%s", stage == 0 ? "" : " ", brig_dsl_stage_name((enum brig_dsl_stage)stage));
        }
        break;
    case LIST_POLICIES:
        for (size_t i = 0; brig_policy_all[i] != NULL; i++) {
            printf("%s%s", i == 0 ? "" : " ", brig_policy_all[i]->name);
        }
        break;
    case LIST_CALLS:
        for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
            printf("%s%s", call == BRIG_SYS_NONE + 1 ? "" : " ", brig_dsl_call_name((enum brig_dsl_call)call));
        }
        break;
    }
}

// --- bash -------------------------------------------------------------------------------------------------------------

static void put_bash_choice(const struct choices *chosen)
{
    fputs("words='", stdout);
    put_list(chosen);
    printf("'%s ;;\n", chosen->has_files ? " files=1" : "");
}

// Names the options that take a value: the word behind one is no operand.
static void put_bash_valued(const struct tool_verb *verb)
{
    printf("    %s) valued=' ", verb->name);
    for (const struct tool_option *option = verb->options; option->name != NULL; option++) {
        if (option->value != NULL) {
            printf("--%s ", option->name);
            if (option->letter != 0) {
                printf("-%c ", option->letter);
            }
        }
    }
    fputs("' ;;\n", stdout);
}

static void put_bash_verb(const struct tool_verb *verb)
{
    printf("    %s)\n        options='", verb->name);
    for (const struct tool_option *option = verb->options; option->name != NULL; option++) {
        printf("--%s ", option->name);
    }
    fputs("--help'\n        case $previous in\n", stdout);
    for (const struct tool_option *option = verb->options; option->name != NULL; option++) {
        if (option->value != NULL) {
            printf("        --%s", option->name);
            if (option->letter != 0) {
                printf(" | -%c", option->letter);
            }
            fputs(") is_value=1 ", stdout);
            put_bash_choice(choices_of_option(verb, option));
        }
    }
    fputs("        *)\n            case $operand in\n            0) ", stdout);
    put_bash_choice(choices_of_operand(verb, 0));
    fputs("            *) ", stdout);
    put_bash_choice(choices_of_operand(verb, 1));
    fputs("            esac\n            ;;\n        esac\n        ;;\n", stdout);
}

// What stands behind -- in bash: the name of a program, then what bash-completion knows of it, or files.
static void put_bash_program(const struct tool_verb *verb)
{
    printf("    for ((i = 2; i < COMP_CWORD; i++)); do\n"
           "        [[ $verb == %s && ${COMP_WORDS[i]} == -- ]] || continue\n"
           "        if declare -F _command_offset >/dev/null; then\n            _command_offset $((i + 1))\n            return\n"
           "        fi\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        mapfile -t COMPREPLY < <(compgen -$( ((i + 1 == COMP_CWORD)) && echo c || echo f) -- \"$word\" | sort -u)\n"
           "        return\n    done\n",
           verb->name);
}

static void put_bash(void)
{
    fputs("# Completion of brig for bash; made by `brig completion bash`.\n"
          "_brig()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}\n"
          "    local options='' words='' files='' is_value='' valued='' operand=0 i\n"
          "    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '",
          stdout);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        printf("%s ", verb->name);
    }
    fputs("help --help' -- \"$word\"))\n        return\n    fi\n"
          "    # bash takes --option=value for three words.\n"
          "    [[ $word == = ]] && word='' && previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}\n",
          stdout);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        if (starts_program(verb)) {
            put_bash_program(verb);
        }
    }
    fputs("    case $verb in\n", stdout);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        put_bash_valued(verb);
    }
    fputs("    esac\n"
          "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
          "        [[ ${COMP_WORDS[i]} == -?* || ${COMP_WORDS[i]} == = || ${COMP_WORDS[i - 1]} == = ||\n"
          "            $valued == *\" ${COMP_WORDS[i - 1]} \"* ]] || ((operand++))\n"
          "    done\n"
          "    case $verb in\n",
          stdout);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        put_bash_verb(verb);
    }
    fputs("    help) words='", stdout);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        printf("%s ", verb->name);
    }
    fputs("' ;;\n    esac\n"
          "    [[ $word == -* && -z $is_value ]] && words=$options files=''\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "    if [[ -n $files ]]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$word\")\n"
          "    fi\n"
          "}\ncomplete -F _brig brig\n",
          stdout);
}

// --- zsh --------------------------------------------------------------------------------------------------------------

// Writes text inside single quotes; `also` are characters that the shell's completion gives a meaning to.
static void put_quoted(const char *text, const char *also)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else {
            printf("%s%c", strchr(also, *text) != NULL ? "\\" : "", *text);
        }
    }
}

static void put_zsh_action(const struct choices *chosen)
{
    if (chosen->list == LIST_POLICIES || chosen->list == LIST_CALLS) {
        fputs(chosen->list == LIST_POLICIES ? "_brig_policies" : "_brig_calls", stdout);
    } else if (chosen->list != LIST_NONE) {
        putchar('(');
        put_list(chosen);
        putchar(')');
    } else {
        fputs(chosen->has_files ? "_files" : " ", stdout);
    }
}

static void put_zsh_option(const struct tool_verb *verb, const struct tool_option *option)
{
    if (option->letter != 0) {
        printf(" \\\n            '*'{-%c%s,--%s%s}'[", option->letter, option->value == NULL ? "" : "+", option->name,
               option->value == NULL ? "" : "=");
    } else {
        printf(" \\\n            '*--%s%s[", option->name, option->value == NULL ? "" : "=");
    }
    put_quoted(option->help, "[]:\\");
    putchar(']');
    if (option->value != NULL) {
        printf(":%s:", option->value);
        put_zsh_action(choices_of_option(verb, option));
    }
    putchar('\'');
}

static void put_zsh_verb(const struct tool_verb *verb)
{
    printf("    %s)\n        _arguments -s%s", verb->name, starts_program(verb) ? " -S" : "");
    for (const struct tool_option *option = verb->options; option->name != NULL; option++) {
        put_zsh_option(verb, option);
    }
    if (starts_program(verb)) {
        fputs(" \\\n            '--help[print help]' '(-)1:program:_command_names -e' '*::arguments:_normal'\n        ;;\n",
              stdout);
        return;
    }
    fputs(" \\\n            '--help[print help]' '1:operand:", stdout);
    put_zsh_action(choices_of_operand(verb, 0));
    fputs("' '*:operand:", stdout);
    put_zsh_action(choices_of_operand(verb, 1));
    fputs("'\n        ;;\n", stdout);
}

static void put_zsh(void)
{
    fputs("#compdef brig\n# Completion of brig for zsh; made by `brig completion zsh`.\n_brig_policies() {\n    compadd -- ",
          stdout);
    put_list(&(struct choices){.list = LIST_POLICIES});
    fputs("\n    _files\n}\n_brig_calls() {\n    compadd -- ", stdout);
    put_list(&(struct choices){.list = LIST_CALLS});
    fputs("\n}\n_brig() {\n    local -a verbs\n    verbs=(\n", stdout);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        printf("        '%s:", verb->name);
        put_quoted(verb->summary, ":\\");
        fputs("'\n", stdout);
    }
    fputs("        'help:say what a verb does'\n    )\n"
          "    if ((CURRENT == 2)); then\n        _describe verb verbs\n        return\n    fi\n"
          "    local verb=$words[2]\n    shift words\n    ((CURRENT--))\n    case $verb in\n",
          stdout);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        put_zsh_verb(verb);
    }
    fputs("    help) _describe verb verbs ;;\n    esac\n}\n"
          "if [[ $funcstack[1] == _brig ]]; then\n    _brig \"$@\"\nelse\n    compdef _brig brig\nfi\n",
          stdout);
}

// --- fish -------------------------------------------------------------------------------------------------------------

static void put_fish_choices(const struct choices *chosen)
{
    if (chosen->list != LIST_NONE) {
        fputs(" -a '", stdout);
        put_list(chosen);
        putchar('\'');
    }
}

static void put_fish_verb(const struct tool_verb *verb)
{
    for (const struct tool_option *option = verb->options; option->name != NULL; option++) {
        const struct choices *chosen = choices_of_option(verb, option);
        printf("complete -c brig -n '__fish_seen_subcommand_from %s' -l %s", verb->name, option->name);
        if (option->letter != 0) {
            printf(" -s %c", option->letter);
        }
        fputs(option->value == NULL ? "" : chosen->has_files ? " -r -F" : " -x", stdout);
        put_fish_choices(chosen);
        fputs(" -d '", stdout);
        put_quoted(option->help, "\\");
        fputs("'\n", stdout);
    }
    if (starts_program(verb)) {
        printf("complete -c brig -n '__fish_seen_subcommand_from %s; and contains -- -- (commandline -opc)' -F "
               "-a '(__fish_complete_command)'\n",
               verb->name);
        return;
    }
    for (int i = 0; i < 2; i++) {
        const struct choices *chosen = choices_of_operand(verb, i);
        bool is_new = i == 0 || chosen != choices_of_operand(verb, 0);
        if (is_new && (chosen->list != LIST_NONE || chosen->has_files)) {
            // Words of the command line so far: brig, the verb, and the first operand where it is not the one to complete.
            printf("complete -c brig -n '__fish_seen_subcommand_from %s; and test (count (commandline -opc)) -%s 2'%s", verb->name,
                   i == 0 ? "ge" : "gt", chosen->has_files ? " -F" : "");
            put_fish_choices(chosen);
            putchar('\n');
        }
    }
}

static void put_fish(void)
{
    fputs("# Completion of brig for fish; made by `brig completion fish`.\ncomplete -c brig -f\n", stdout);
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        printf("complete -c brig -n __fish_use_subcommand -a %s -d '", verb->name);
        put_quoted(verb->summary, "\\");
        fputs("'\n", stdout);
    }
    for (const struct tool_verb *verb = tool_verbs; verb->name != NULL; verb++) {
        put_fish_verb(verb);
    }
}

// --- the verb ---------------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    void (*put)(void);
} shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
enum { SHELL_COUNT = sizeof shells / sizeof shells[0] };

int brig_completion_main(int argc, char **argv);
int brig_completion_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    const char *names[SHELL_COUNT];
    int status = tool_parse("completion", brig_completion_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count != 1) {
        return tool_complain("completion", "give one shell: bash, zsh or fish");
    }
    for (size_t i = 0; i < SHELL_COUNT; i++) {
        names[i] = shells[i].name;
        if (strcmp(names[i], arguments.operands[0]) == 0) {
            shells[i].put();
            return tool_flush("completion");
        }
    }
    const char *closest = tool_closest(arguments.operands[0], names, SHELL_COUNT);
    return tool_complain("completion", "the shell '%s' is not known; %s%s%s", arguments.operands[0],
                         closest == NULL ? "known are bash, zsh and fish" : "did you mean '", closest == NULL ? "" : closest,
                         closest == NULL ? "" : "'?");
}
