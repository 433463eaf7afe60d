// brig doctor: what this kernel offers, feature by feature, and what to do about what is missing.
#include <string.h>

#include "sandbox/sandbox.h"
#include "tools/brig/tool.h"

static const struct tool_option options[] = {
    TOOL_OPTION_JSON,
    {"color", 0, "WHEN", "auto, always or never"},
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
    tool_complain("doctor", "there is no feature '%s'%s%s%s", name, closest == NULL ? "; brig doctor lists them" : "; did you mean '",
                  closest == NULL ? "" : closest, closest == NULL ? "" : "'?");
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

static void print_feature(const struct brig_feature *feature, bool colored)
{
    const char *mark = feature->is_present ? "yes" : "no";
    const char *color = !colored ? "" : feature->is_present ? "\033[32m" : "\033[31m";
    printf("%s%-4s%s %-24s %s", color, mark, colored ? "\033[0m" : "", feature->name, feature->what);
    if (!feature->is_present && feature->sys_errno != 0) {
        const char *name = brig_dsl_constant_name("errno", feature->sys_errno, brig_dsl_arch_native());
        printf(" (%s)", name == NULL ? "unknown errno" : name);
    }
    fputc('\n', stdout);
    if (!feature->is_present && feature->hint != NULL) {
        printf("     %-24s %s\n", "", feature->hint);
    }
}

static json_t *feature_json(const struct brig_feature *feature)
{
    return json_pack("{s:s, s:s, s:b, s:i, s:I, s:s?}", "name", feature->name, "what", feature->what, "present", (int)feature->is_present,
                     "errno", feature->sys_errno, "detail", (json_int_t)feature->detail, "hint", feature->hint);
}

static void print_features(const struct brig_feature *features, size_t count, const bool *wanted, const struct tool_arguments *arguments)
{
    bool all = arguments->operand_count == 0;
    bool colored = tool_wants_color(arguments->values[COLOR]);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (!all && !wanted[i]) {
            continue;
        }
        if (arguments->values[JSON] != NULL) {
            json_array_append_new(array, feature_json(&features[i]));
        } else {
            print_feature(&features[i], colored);
        }
    }
    if (arguments->values[JSON] != NULL) {
        tool_print_json(stdout, json_pack("{s:s, s:o}", "schema", "brig-doctor-1", "features", array));
    } else {
        json_decref(array);
    }
}

int brig_doctor_main(int argc, char **argv);
int brig_doctor_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct brig_error error;
    struct brig_feature features[FEATURE_MAX];
    bool wanted[FEATURE_MAX] = {false};
    size_t count = 0;
    int status = tool_parse("doctor", options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (brig_probe(features, FEATURE_MAX, &count, &error) != BRIG_OK) {
        return tool_fail("doctor", &error);
    }
    if (!tool_check_color("doctor", arguments.values[COLOR]) || !mark_wanted(&arguments, features, count, wanted)) {
        return TOOL_USAGE;
    }
    print_features(features, count, wanted, &arguments);
    status = tool_close_output("doctor", stdout, NULL);
    for (size_t i = 0; i < count && status == TOOL_OK; i++) {
        if (wanted[i] && !features[i].is_present) {
            status = TOOL_LACKS;
        }
    }
    return status;
}
