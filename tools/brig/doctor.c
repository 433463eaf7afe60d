// brig doctor: what this kernel offers, feature by feature, and what to do about what is missing. Three groups: what Brig needs,
// what it makes use of, and facts about this machine that a policy's author may want to know.
#include <string.h>

#include "sandbox/sandbox.h"
#include "tools/brig/tool.h"

const struct tool_option brig_doctor_options[] = {
    TOOL_OPTION_JSON,
    TOOL_OPTION_COLOR,
    {NULL, 0, NULL, NULL},
};
enum { JSON, COLOR };
enum { FEATURE_MAX = 64 };

static const struct brig_feature *find_feature(const struct brig_feature *features, size_t count, const char *name)
{
    const char *names[FEATURE_MAX] = {NULL};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(features[i].name, name) == 0) {
            return &features[i];
        }
        names[i] = features[i].name;
    }
    const char *closest = tool_closest(name, names, count);
    tool_complain("doctor", "there is no feature '%s'%s%s%s", name,
                  closest == NULL ? "; brig doctor lists them" : "; did you mean '", closest == NULL ? "" : closest,
                  closest == NULL ? "" : "'?");
    return NULL;
}

// Which features the caller asked for. Returns: false after having complained about a name.
static bool mark_wanted(const struct tool_arguments *arguments, const struct brig_feature *features, size_t count, bool *wanted)
{
    for (int i = 0; i < arguments->operand_count; i++) {
        const struct brig_feature *feature = find_feature(features, count, arguments->operands[i]);
        if (feature == NULL) {
            return false;
        }
        wanted[feature - features] = true;
    }
    return true;
}

static const struct {
    const char *title;
    const char *name; // in JSON
} kinds[] = {
    [BRIG_FEATURE_NEEDED] = {"Brig needs", "needed"},
    [BRIG_FEATURE_OPTIONAL] = {"Better with", "optional"},
    [BRIG_FEATURE_FACT] = {"This machine", "fact"},
};

// Of a fact neither presence nor absence is good or bad.
static const char *color_of(const struct brig_feature *feature)
{
    if (feature->kind == BRIG_FEATURE_FACT) {
        return "";
    }
    return feature->is_present ? "\033[32m" : feature->kind == BRIG_FEATURE_NEEDED ? "\033[31m" : "\033[33m";
}

static int width_of_values(const struct brig_feature *features, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(features[i].value);
        width = bytes > width ? bytes : width;
    }
    return (int)width;
}

static void print_feature(const struct brig_feature *feature, int width, bool colored)
{
    enum { NAME_WIDTH = 27 };
    const char *color = colored ? color_of(feature) : "";
    printf("  %-*s  %s%-*s%s  %s", NAME_WIDTH, feature->name, color, width, feature->value, *color ? "\033[0m" : "", feature->what);
    if (!feature->is_present && feature->sys_errno != 0 && feature->kind != BRIG_FEATURE_FACT) {
        const char *name = brig_dsl_constant_name("errno", feature->sys_errno, brig_dsl_arch_native());
        printf(" (%s)", name == NULL ? "unknown errno" : name);
    }
    fputc('\n', stdout);
    if (feature->hint != NULL) {
        printf("  %-*s  %-*s  -> %s\n", NAME_WIDTH, "", width, "", feature->hint);
    }
}

static void print_kind(const struct brig_feature *features, size_t count, const bool *shown, enum brig_feature_kind kind,
                       bool colored)
{
    bool has_title = false;
    for (size_t i = 0; i < count; i++) {
        if (!shown[i] || features[i].kind != kind) {
            continue;
        }
        if (!has_title) {
            printf("%s\n", kinds[kind].title);
        }
        has_title = true;
        print_feature(&features[i], width_of_values(features, count), colored);
    }
    if (has_title) {
        fputc('\n', stdout);
    }
}

static size_t count_missing(const struct brig_feature *features, size_t count)
{
    size_t missing = 0;
    for (size_t i = 0; i < count; i++) {
        missing += features[i].kind == BRIG_FEATURE_NEEDED && !features[i].is_present;
    }
    return missing;
}

static void print_verdict(const struct brig_feature *features, size_t count)
{
    const char *between = "Brig cannot work here without ";
    for (size_t i = 0; i < count; i++) {
        if (features[i].kind == BRIG_FEATURE_NEEDED && !features[i].is_present) {
            printf("%s%s", between, features[i].name);
            between = ", ";
        }
    }
    printf("%s.\n", count_missing(features, count) == 0 ? "Brig works here" : "");
}

static json_t *feature_json(const struct brig_feature *feature)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:s, s:i, s:I, s:s?}", "name", feature->name, "what", feature->what, "kind",
                     kinds[feature->kind].name, "present", (int)feature->is_present, "value", feature->value, "errno",
                     feature->sys_errno, "detail", (json_int_t)feature->detail, "hint", feature->hint);
}

static void print_json(const struct brig_feature *features, size_t count, const bool *shown)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (shown[i]) {
            json_array_append_new(array, feature_json(&features[i]));
        }
    }
    tool_print_json(stdout, json_pack("{s:s, s:b, s:o}", "schema", "brig-doctor-1", "works",
                                      (int)(count_missing(features, count) == 0), "features", array));
}

static void print_text(const struct brig_feature *features, size_t count, const bool *shown, bool colored)
{
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        print_kind(features, count, shown, (enum brig_feature_kind)kind, colored);
    }
}

// Without names: is all there that Brig needs? With names: are they?
static bool is_missing(const struct brig_feature *feature, bool is_wanted, bool all)
{
    return !feature->is_present && (all ? feature->kind == BRIG_FEATURE_NEEDED : is_wanted);
}

int brig_doctor_main(int argc, char **argv);
int brig_doctor_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct brig_error error;
    struct brig_feature features[FEATURE_MAX];
    bool wanted[FEATURE_MAX] = {false}, shown[FEATURE_MAX];
    size_t count = 0;
    int status = tool_parse("doctor", brig_doctor_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (brig_probe(features, FEATURE_MAX, &count, &error) != BRIG_OK) {
        return tool_fail("doctor", &error);
    }
    if (!tool_check_color("doctor", arguments.values[COLOR]) || !mark_wanted(&arguments, features, count, wanted)) {
        return TOOL_USAGE;
    }
    const bool all = arguments.operand_count == 0;
    for (size_t i = 0; i < count; i++) {
        shown[i] = all || wanted[i];
    }
    if (arguments.values[JSON] != NULL) {
        print_json(features, count, shown);
    } else {
        print_text(features, count, shown, tool_wants_color(arguments.values[COLOR]));
        if (all) {
            print_verdict(features, count);
        }
    }
    status = tool_flush("doctor");
    for (size_t i = 0; i < count && status == TOOL_OK; i++) {
        if (is_missing(&features[i], wanted[i], all)) {
            status = TOOL_LACKS;
        }
    }
    return status;
}
