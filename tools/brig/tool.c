// tool: the verbs' shared parts. See tool.h.
#include "tools/brig/tool.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/import/rows.h"

// --- errors -----------------------------------------------------------------------------------------------------------

// How much of a long complaint is shown: it quotes what was typed, and the end says what to do about it.
enum { HEAD_BYTES = 400, TAIL_BYTES = 400 };

static bool is_inside(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

// Returns: how much of the first `text_bytes` ends with a character.
static size_t whole_characters(const char *text, size_t text_bytes)
{
    while (text_bytes > 0 && is_inside(text[text_bytes])) {
        text_bytes--;
    }
    return text_bytes;
}

int tool_complain(const char *verb, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    fprintf(stderr, verb == NULL ? "brig: " : "brig %s: ", verb);
    if (length < 0) {
        fputs("out of memory", stderr);
    } else if (length <= HEAD_BYTES + TAIL_BYTES) {
        tool_put_clean(stderr, text);
    } else {
        const char *tail = text + length - TAIL_BYTES;
        while (is_inside(*tail)) {
            tail++;
        }
        text[whole_characters(text, HEAD_BYTES)] = '\0';
        tool_put_clean(stderr, text);
        fputs("...", stderr);
        tool_put_clean(stderr, tail);
    }
    fputc('\n', stderr);
    free(length < 0 ? NULL : text);
    return TOOL_USAGE;
}

// What the library says of limits is for who calls it.
static const struct {
    enum brig_code code;
    const char *why; // it is too big
} limits[] = {
    {BRIG_OUT_OF_ARENA, "it takes more memory than one policy may have"},
    {BRIG_TOO_MANY_ROWS, "it has more rows than can be told apart"},
    {BRIG_PROGRAM_TOO_BIG, "its program would have more than the 4096 instructions that the kernel takes"},
};

static const char *find_limit(enum brig_code code)
{
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (limits[i].code == code) {
            return limits[i].why;
        }
    }
    return NULL;
}

int tool_fail(const char *verb, const struct brig_error *error)
{
    char text[BRIG_ERROR_TEXT_BYTES];
    const char *why = find_limit(error->code);
    if (why != NULL) {
        return tool_complain(
            verb, "this is too big: %s; name ranges and masks instead of single values, or decide by fewer of them", why);
    }
    tool_complain(verb, "%s", brig_error_format(error, text, sizeof text));
    switch (error->code) {
    case BRIG_KERNEL_LACKS:
        return TOOL_LACKS;
    case BRIG_TIMEOUT:
        return TOOL_UNDECIDED;
    default:
        return TOOL_USAGE;
    }
}

int tool_complain_about_call(const char *verb, const char *name)
{
    const char *closest = brig_dsl_closest_name(name, strlen(name), 'c');
    return tool_complain(verb, "no system call has the name '%s'%s%s%s", name, closest == NULL ? "" : "; did you mean '",
                         closest == NULL ? "" : closest, closest == NULL ? "" : "'?");
}

enum brig_dsl_call tool_find_call(const char *verb, const char *name, enum brig_dsl_arch arch)
{
    char *end = NULL;
    enum brig_dsl_call call = brig_dsl_call_by_name(name, strlen(name));
    if (call != BRIG_SYS_NONE && brig_dsl_call_nr(call, arch) < 0) {
        tool_complain(verb, "%s has no call '%s'", brig_dsl_arch_name(arch), name);
        return BRIG_SYS_NONE;
    }
    if (call == BRIG_SYS_NONE && isdigit((unsigned char)name[0])) {
        unsigned long long nr = strtoull(name, &end, 0);
        call = *end == '\0' && nr <= UINT32_MAX ? brig_dsl_call_by_nr((uint32_t)nr, arch) : BRIG_SYS_NONE;
        if (call == BRIG_SYS_NONE) {
            tool_complain(verb, "%s has no call with the number '%s'", brig_dsl_arch_name(arch), name);
        }
    } else if (call == BRIG_SYS_NONE) {
        tool_complain_about_call(verb, name);
    }
    return call;
}

const char *tool_closest(const char *name, const char *const *candidates, size_t candidate_count)
{
    return *name == '\0' ? NULL : import_closest(name, candidates, candidate_count);
}

// --- options ----------------------------------------------------------------------------------------------------------

enum { LONG_ONLY = 256 }; // getopt's value of option i without a letter is LONG_ONLY + i

enum { SPELLING_BYTES = 48, COLUMN_MIN = 26, COLUMN_MAX = 34 };

static int spell_option(const struct tool_option *option, char spelling[SPELLING_BYTES])
{
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    return snprintf(spelling, SPELLING_BYTES, "%s--%s%s%s", option->letter == 0 ? "    " : letter, option->name,
                    option->value == NULL ? "" : "=", option->value == NULL ? "" : option->value);
}

static void print_usage(const char *verb, const struct tool_option *options)
{
    const char *examples = "";
    char spelling[SPELLING_BYTES];
    int column = COLUMN_MIN;
    for (const struct tool_verb *known = tool_verbs; known->name != NULL; known++) {
        if (strcmp(known->name, verb) == 0) {
            printf("usage: brig %s [OPTION...] %s\n\n%s\n\n%s\n\n", verb, known->arguments, known->summary, known->about);
            examples = known->examples;
        }
    }
    for (const struct tool_option *option = options; option->name != NULL; option++) {
        const int bytes = spell_option(option, spelling);
        column = bytes > column && bytes <= COLUMN_MAX ? bytes : column;
    }
    for (const struct tool_option *option = options; option->name != NULL; option++) {
        spell_option(option, spelling);
        printf("  %-*s %s\n", column, spelling, option->help);
    }
    printf("  %-*s %s\n\nFor example:\n%s", column, "-h, --help", "print this", examples);
}

static int find_option(const struct tool_option *options, int value)
{
    for (int i = 0; options[i].name != NULL; i++) {
        if (value == options[i].letter || value == LONG_ONLY + i) {
            return i;
        }
    }
    return -1;
}

// getopt says no more than that something is wrong. `optopt` is a letter that is not known, the value of a long option that takes
// none but got one, or 0 for a long option that is not known, in the word before the next.
static int complain_about_option(const char *verb, const struct tool_option *options, const char *word)
{
    const char *names[TOOL_OPTION_MAX + 1] = {"help"};
    char name[64];
    size_t count = 1;
    int known = optopt == 0 ? -1 : find_option(options, optopt);
    if (known >= 0 || optopt == 'h') {
        return tool_complain(verb, "option '--%s' takes no value", known >= 0 ? options[known].name : "help");
    }
    if (optopt != 0) {
        return tool_complain(verb, "option '-%c' is not known; see brig %s --help", optopt, verb);
    }
    for (const struct tool_option *option = options; option->name != NULL; option++) {
        names[count++] = option->name;
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *closest = tool_closest(name, names, count);
    if (closest != NULL) {
        return tool_complain(verb, "option '%s' is not known; did you mean '--%s'?", word, closest);
    }
    return tool_complain(verb, "option '%s' is not known; see brig %s --help", word, verb);
}

// Fills getopt's two tables from ours.
static void make_getopt_tables(const struct tool_option *options, struct option *ret_long, char *ret_short)
{
    size_t count = 0;
    size_t letters = 0;
    ret_short[letters++] = ':'; // getopt stays silent and tells a missing value apart
    for (; options[count].name != NULL; count++) {
        int takes_value = options[count].value == NULL ? no_argument : required_argument;
        int value = options[count].letter == 0 ? LONG_ONLY + (int)count : options[count].letter;
        ret_long[count] = (struct option){options[count].name, takes_value, NULL, value};
        if (options[count].letter != 0) {
            ret_short[letters++] = options[count].letter;
            if (takes_value == required_argument) {
                ret_short[letters++] = ':';
            }
        }
    }
    ret_long[count] = (struct option){"help", no_argument, NULL, 'h'};
    ret_long[count + 1] = (struct option){NULL, 0, NULL, 0};
    ret_short[letters++] = 'h';
    ret_short[letters] = '\0';
}

static int add_arch(const char *verb, const char *name, struct tool_arguments *arguments)
{
    enum brig_dsl_arch arch;
    if (!brig_dsl_arch_by_name(name, &arch)) {
        return tool_complain(verb, "arch '%s' is not known; known are x86_64, i386, aarch64, arm, riscv64", name);
    }
    for (int i = 0; i < arguments->arch_count; i++) {
        if (arguments->arches[i] == arch) {
            return tool_complain(verb, "arch '%s' is given twice", brig_dsl_arch_name(arch));
        }
    }
    arguments->arches[arguments->arch_count++] = arch;
    return -1;
}

static int add_capabilities(const char *verb, char *names, struct tool_arguments *arguments)
{
    char *rest = NULL;
    for (char *name = strtok_r(names, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (arguments->capability_count == TOOL_CAPABILITY_MAX) {
            return tool_complain(verb, "more than %d capabilities", TOOL_CAPABILITY_MAX);
        }
        arguments->capabilities[arguments->capability_count++] = name;
    }
    return -1;
}

static int read_target(const char *verb, const char *name, enum brig_dsl_process *ret_target)
{
    for (int i = 0; i < BRIG_DSL_PROCESS_COUNT; i++) {
        if (strcmp(name, brig_dsl_process_name((enum brig_dsl_process)i)) == 0) {
            *ret_target = (enum brig_dsl_process)i;
            return -1;
        }
    }
    return tool_complain(verb, "--target is linked, executed or notified, not '%s'", name);
}

// Notes an option that means the same to every verb that has it. Returns: -1 to go on, else the exit status.
static int note_shared(const char *verb, const char *option, char *value, struct tool_arguments *arguments)
{
    if (strcmp(option, "arch") == 0) {
        arguments->has_arch = true;
        return add_arch(verb, value, arguments);
    }
    if (strcmp(option, "cap") == 0) {
        return add_capabilities(verb, value, arguments);
    }
    if (strcmp(option, "target") == 0) {
        return read_target(verb, value == NULL ? "" : value, &arguments->target);
    }
    if (strcmp(option, "kernel") == 0) {
        arguments->kernel = value;
    } else if (strcmp(option, "from") == 0) {
        arguments->from = value;
    }
    return -1;
}

// A negative number is an operand, not an option: a space before it hides it from getopt, and no reader of numbers minds.
static void hide_negative_numbers(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] >= '0' && argv[i][1] <= '9') {
            char *hidden = NULL;
            if (asprintf(&hidden, " %s", argv[i]) >= 0) {
                argv[i] = hidden; // lives as long as argv
            }
        }
    }
}

static bool is_utf8(const char *text)
{
    json_t *json = json_string(text);
    const bool is_valid = json != NULL;
    json_decref(json);
    return is_valid;
}

// Names of files may be any bytes, and strings of JSON may not. Returns: -1 to go on, else the exit status.
static int check_json(const char *verb, const struct tool_option *options, const struct tool_arguments *arguments)
{
    bool is_asked = false;
    const char *bad = NULL;
    for (int i = 0; i < arguments->given_count; i++) {
        const char *name = options[arguments->given[i].option].name, *value = arguments->given[i].value;
        is_asked = is_asked || strcmp(name, "json") == 0 || (strcmp(name, "format") == 0 && strcmp(value, "json") == 0);
        bad = is_utf8(value) ? bad : value;
    }
    for (int i = 0; i < arguments->operand_count; i++) {
        bad = is_utf8(arguments->operands[i]) ? bad : arguments->operands[i];
    }
    return !is_asked || bad == NULL ? -1 : tool_complain(verb, "'%s' is not UTF-8, and JSON is", bad);
}

int tool_parse(const char *verb, const struct tool_option *options, int argc, char **argv, struct tool_arguments *ret_arguments)
{
    struct option long_options[TOOL_OPTION_MAX + 2];
    char short_options[2 * TOOL_OPTION_MAX + 4];
    int value;
    make_getopt_tables(options, long_options, short_options);
    hide_negative_numbers(argc, argv);
    *ret_arguments = (struct tool_arguments){.arch_count = 0};
    optind = 0; // start anew, inside a word of letters too
    while ((value = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (value == 'h') {
            print_usage(verb, options);
            return tool_flush(verb);
        }
        if (value == ':') {
            return tool_complain(verb, "option '%s' needs a value", argv[optind - 1]);
        }
        int index = value == '?' ? -1 : find_option(options, value);
        if (index < 0) {
            return complain_about_option(verb, options, argv[optind - 1]);
        }
        ret_arguments->values[index] = optarg == NULL ? "" : optarg;
        if (ret_arguments->given_count == TOOL_GIVEN_MAX) {
            return tool_complain(verb, "more than %d options", TOOL_GIVEN_MAX);
        }
        ret_arguments->given[ret_arguments->given_count].option = index;
        ret_arguments->given[ret_arguments->given_count++].value = ret_arguments->values[index];
        int status = note_shared(verb, options[index].name, optarg, ret_arguments);
        if (status >= 0) {
            return status;
        }
    }
    if (ret_arguments->arch_count == 0) {
        ret_arguments->arches[ret_arguments->arch_count++] = brig_dsl_arch_native();
    }
    ret_arguments->operands = argv + optind;
    ret_arguments->operand_count = argc - optind;
    return check_json(verb, options, ret_arguments);
}

bool tool_read_kernel(const char *text, uint16_t *ret_kernel)
{
    char *end = NULL;
    unsigned long major = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 0;
    if (major < 2 || major > 255 || *end != '.' || !isdigit((unsigned char)end[1])) {
        return false;
    }
    unsigned long minor = strtoul(end + 1, &end, 10);
    // What `uname -r` says goes on: 6.1.0-18-amd64.
    if ((*end != '\0' && *end != '.' && *end != '-') || minor > 255) {
        return false;
    }
    *ret_kernel = (uint16_t)BRIG_DSL_KERNEL(major, minor);
    return *ret_kernel <= brig_dsl_newest_kernel();
}
