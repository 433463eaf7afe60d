// oci_targets: which arches a profile serves, by its `architectures` or its `archMap`.
//
// A runtime serves the machine where it runs, and what the profile says goes with it. Here arches can be asked for instead, so that
// the same profile gives the same program anywhere.
#include <string.h>

#include "tools/import/oci.h"

enum { ARCH_OTHER = BRIG_DSL_ARCH_COUNT, ARCH_X32 };

// As `architectures` and `archMap` name arches.
static const struct {
    const char *name;
    int arch; // enum brig_dsl_arch, or one of the above
} tokens[] = {
    {"SCMP_ARCH_X86_64", BRIG_DSL_X86_64}, {"SCMP_ARCH_X86", BRIG_DSL_I386},
    {"SCMP_ARCH_X32", ARCH_X32},           {"SCMP_ARCH_AARCH64", BRIG_DSL_AARCH64},
    {"SCMP_ARCH_ARM", BRIG_DSL_ARM},       {"SCMP_ARCH_RISCV64", BRIG_DSL_RISCV64},
    {"SCMP_ARCH_LOONGARCH64", ARCH_OTHER}, {"SCMP_ARCH_M68K", ARCH_OTHER},
    {"SCMP_ARCH_MIPS", ARCH_OTHER},        {"SCMP_ARCH_MIPS64", ARCH_OTHER},
    {"SCMP_ARCH_MIPS64N32", ARCH_OTHER},   {"SCMP_ARCH_MIPSEL", ARCH_OTHER},
    {"SCMP_ARCH_MIPSEL64", ARCH_OTHER},    {"SCMP_ARCH_MIPSEL64N32", ARCH_OTHER},
    {"SCMP_ARCH_PARISC", ARCH_OTHER},      {"SCMP_ARCH_PARISC64", ARCH_OTHER},
    {"SCMP_ARCH_PPC", ARCH_OTHER},         {"SCMP_ARCH_PPC64", ARCH_OTHER},
    {"SCMP_ARCH_PPC64LE", ARCH_OTHER},     {"SCMP_ARCH_S390", ARCH_OTHER},
    {"SCMP_ARCH_S390X", ARCH_OTHER},       {"SCMP_ARCH_SH", ARCH_OTHER},
    {"SCMP_ARCH_SHEB", ARCH_OTHER},
};
enum { TOKEN_COUNT = sizeof tokens / sizeof tokens[0] };

// Returns: an index into `tokens`, -1 after having written the error.
static int find_token(const struct import_json_reader *reader, const struct import_json *name)
{
    const char *names[TOKEN_COUNT];
    for (int i = 0; i < TOKEN_COUNT; i++) {
        names[i] = tokens[i].name;
        if (strcmp(names[i], name->text) == 0) {
            return i;
        }
    }
    IMPORT_JSON_FAIL_NAME(reader, name, import_closest(name->text, names, TOKEN_COUNT), "there is no arch '%s'", name->text);
    return -1;
}

static bool check_tokens(const struct import_json_reader *reader, const struct import_json *array, const char *name)
{
    if (array == NULL) {
        return true;
    }
    if (!import_json_elements(reader, array, name, IMPORT_JSON_STRING)) {
        return false;
    }
    for (const struct import_json *element = array->first; element != NULL; element = element->next) {
        if (find_token(reader, element) < 0) {
            return false;
        }
    }
    return true;
}

static const struct import_json_field map_fields[] = {
    {"architecture", IMPORT_JSON_STRING},
    {"subArchitectures", IMPORT_JSON_ARRAY},
};
enum { MAP_ARCH, MAP_SUBS, MAP_FIELDS };
static const struct import_json_shape map_shape = IMPORT_JSON_SHAPE("an entry of 'archMap'", map_fields);

static bool check_map(const struct import_json_reader *reader, const struct import_json *map)
{
    const struct import_json *fields[MAP_FIELDS];
    if (!import_json_elements(reader, map, "archMap", IMPORT_JSON_OBJECT)) {
        return false;
    }
    for (const struct import_json *element = map->first; element != NULL; element = element->next) {
        if (!import_json_members(reader, element, &map_shape, fields)) {
            return false;
        }
        if (fields[MAP_ARCH] == NULL) {
            return IMPORT_JSON_FAIL(reader, element, "an entry of 'archMap' without 'architecture'");
        }
        if (find_token(reader, fields[MAP_ARCH]) < 0 || !check_tokens(reader, fields[MAP_SUBS], "subArchitectures")) {
            return false;
        }
    }
    return true;
}

static bool is_in_list(const struct oci_profile *profile, const struct import_json *list, enum brig_dsl_arch arch)
{
    for (const struct import_json *name = list; name != NULL; name = name->next) {
        if (tokens[find_token(profile->reader, name)].arch == (int)arch) {
            return true;
        }
    }
    return false;
}

// Finds the map's entry for a machine. Returns: NULL if there is none.
static const struct import_json *map_entry(const struct oci_profile *profile, enum brig_dsl_arch machine)
{
    const struct import_json *element = profile->arch_map == NULL ? NULL : profile->arch_map->first;
    for (; element != NULL; element = element->next) {
        if (tokens[find_token(profile->reader, import_json_member(element, "architecture"))].arch == (int)machine) {
            return element;
        }
    }
    return NULL;
}

// What a profile says goes with a machine: its architectures, or what its map has beside that machine. Returns: the first of a list
// of names, NULL if there are none.
static const struct import_json *list_of(const struct oci_profile *profile, enum brig_dsl_arch machine)
{
    const struct import_json *entry = map_entry(profile, machine);
    const struct import_json *list = entry == NULL ? profile->architectures : import_json_member(entry, "subArchitectures");
    return list == NULL ? NULL : list->first;
}

// Returns: whether a profile says anything against a program for a machine.
static bool lists_machine(const struct oci_profile *profile, enum brig_dsl_arch machine)
{
    bool has_map = profile->arch_map != NULL && profile->arch_map->first != NULL;
    const struct import_json *list = list_of(profile, machine);
    return map_entry(profile, machine) != NULL || (!has_map && (list == NULL || is_in_list(profile, list, machine)));
}

static void add_target(struct oci_targets *targets, enum brig_dsl_arch arch, enum brig_dsl_arch machine)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->arches[i] == arch) {
            return;
        }
    }
    targets->arches[targets->count] = arch;
    targets->machines[targets->count++] = machine;
}

// Adds the arches of a list of names, and says which are left out.
static void add_list(const struct oci_profile *profile, const struct import_json *list, enum brig_dsl_arch machine,
                     struct oci_targets *targets)
{
    for (const struct import_json *name = list; name != NULL; name = name->next) {
        int arch = tokens[find_token(profile->reader, name)].arch;
        if (arch < BRIG_DSL_ARCH_COUNT) {
            add_target(targets, (enum brig_dsl_arch)arch, machine);
        } else if (arch == ARCH_X32) {
            import_warn(profile->reader->memory, profile->reader->source->name, name->line,
                        "SCMP_ARCH_X32 is left out: calls with x32 numbers kill the thread");
        } else {
            import_warn(profile->reader->memory, profile->reader->source->name, name->line,
                        "%s is left out: there are no tables for it", name->text);
        }
    }
}

// The machine whose kernel runs programs for `arch` beside its own.
static enum brig_dsl_arch host_of(enum brig_dsl_arch arch)
{
    return arch == BRIG_DSL_I386 ? BRIG_DSL_X86_64 : arch == BRIG_DSL_ARM ? BRIG_DSL_AARCH64 : arch;
}

// The machine that an arch that was asked for is meant to be on: another one if that is asked for too, or if the profile serves
// this arch beside it alone.
static enum brig_dsl_arch machine_of(const struct oci_profile *profile, enum brig_dsl_arch arch)
{
    enum brig_dsl_arch host = host_of(arch);
    for (size_t i = 0; i < profile->options->arch_count; i++) {
        if (profile->options->arches[i] == host) {
            return host;
        }
    }
    bool is_beside = host != arch && lists_machine(profile, host) && is_in_list(profile, list_of(profile, host), arch);
    return is_beside && map_entry(profile, arch) == NULL ? host : arch;
}

static void warn_unlisted(const struct oci_profile *profile, enum brig_dsl_arch arch)
{
    import_warn(profile->reader->memory, profile->reader->source->name, 0,
                "the profile does not list %s; it is served all the same, as a runtime on such a machine does",
                brig_dsl_arch_name(arch));
}

static void add_asked(const struct oci_profile *profile, struct oci_targets *targets)
{
    for (size_t i = 0; i < profile->options->arch_count; i++) {
        enum brig_dsl_arch arch = profile->options->arches[i];
        enum brig_dsl_arch machine = machine_of(profile, arch);
        if (!lists_machine(profile, arch) && !is_in_list(profile, list_of(profile, machine), arch)) {
            warn_unlisted(profile, arch);
        }
        add_target(targets, arch, machine);
    }
}

bool oci_find_targets(const struct oci_profile *profile, struct oci_targets *ret_targets)
{
    const struct import_json *architectures = profile->architectures;
    const struct import_json *map = profile->arch_map;
    *ret_targets = (struct oci_targets){.count = 0};
    if (!check_tokens(profile->reader, architectures, "architectures") || (map != NULL && !check_map(profile->reader, map))) {
        return false;
    }
    if (map != NULL && map->first != NULL && architectures != NULL && architectures->first != NULL) {
        return IMPORT_JSON_FAIL(profile->reader, map, "'architectures' and 'archMap' are both given");
    }
    if (profile->options->arch_count > 0) {
        add_asked(profile, ret_targets);
        return true;
    }
    enum brig_dsl_arch native = brig_dsl_arch_native();
    if (!lists_machine(profile, native)) {
        warn_unlisted(profile, native);
    }
    add_target(ret_targets, native, native);
    add_list(profile, list_of(profile, native), native, ret_targets);
    return true;
}
