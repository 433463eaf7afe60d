// oci_targets: which arches a profile serves, and which of its entries apply there.
//
// A runtime asks on the machine where it runs: the arch of a profile's filters is the machine's, and its kernel's and container's
// are the version and the capabilities. All of that is given here (struct import_options), so that the same profile always gives
// the same program.
#include <string.h>

#include "tools/import/oci.h"

// --- arches -----------------------------------------------------------------------------------------------------------

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

// As the filters of entries name them: Go's names, or nearly.
static const char *const filter_arches[] = {
    "amd64",    "x86",         "x32",         "arm64",  "arm", "riscv64", "loong64", "mips", "mips64", "mips64n32", "mipsel",
    "mipsel64", "mipsel64n32", "mips3l64n32", "mipsle", "ppc", "ppc64",   "ppc64le", "s390", "s390x",  "386",
};
enum { FILTER_ARCH_COUNT = sizeof filter_arches / sizeof filter_arches[0] };

static const char *const machine_names[BRIG_DSL_ARCH_COUNT] = {
    [BRIG_DSL_X86_64] = "amd64", [BRIG_DSL_I386] = "x86",        [BRIG_DSL_AARCH64] = "arm64",
    [BRIG_DSL_ARM] = "arm",      [BRIG_DSL_RISCV64] = "riscv64",
};

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

// --- filters ----------------------------------------------------------------------------------------------------------

static const char *const capability_names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};
enum { CAPABILITY_COUNT = sizeof capability_names / sizeof capability_names[0] };

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool oci_check_capabilities(const struct import_options *options, struct import_error *reterr)
{
    for (size_t i = 0; i < options->capability_count; i++) {
        const char *name = options->capabilities[i];
        if (!is_one_of(name, capability_names, CAPABILITY_COUNT)) {
            return import_fail_name(reterr, (struct import_place){.file = "--cap"},
                                    import_closest(name, capability_names, CAPABILITY_COUNT), "there is no capability '%s'", name);
        }
    }
    return true;
}

static const struct import_json_field filter_fields[] = {
    {"arches", IMPORT_JSON_ARRAY},
    {"caps", IMPORT_JSON_ARRAY},
    {"minKernel", IMPORT_JSON_STRING},
};
enum { FILTER_ARCHES, FILTER_CAPS, FILTER_KERNEL, FILTER_FIELDS };
static const struct import_json_shape filter_shape = IMPORT_JSON_SHAPE("a filter", filter_fields);

// Reads "4.8". Returns: false if it is anything else.
static bool read_kernel(const char *text, uint32_t *ret_kernel)
{
    uint32_t parts[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        const char *start = text;
        for (; *text >= '0' && *text <= '9' && text - start < 4; text++) {
            parts[i] = parts[i] * 10 + (uint32_t)(*text - '0');
        }
        if (text == start || *text != (i == 0 ? '.' : '\0')) {
            return false;
        }
        text++;
    }
    *ret_kernel = parts[0] << 16 | parts[1];
    return true;
}

static bool check_list(const struct import_json_reader *reader, const struct import_json *array, const char *const *names,
                       size_t count)
{
    if (array == NULL) {
        return true;
    }
    if (!import_json_elements(reader, array, array->key, IMPORT_JSON_STRING)) {
        return false;
    }
    for (const struct import_json *name = array->first; name != NULL; name = name->next) {
        if (!is_one_of(name->text, names, count)) {
            const char *what = array->key[0] == 'a' ? "arch" : "capability";
            return IMPORT_JSON_FAIL_NAME(reader, name, import_closest(name->text, names, count), "there is no %s '%s'", what,
                                         name->text);
        }
    }
    return true;
}

static bool check_filter(const struct import_json_reader *reader, const struct import_json *filter)
{
    const struct import_json *fields[FILTER_FIELDS];
    uint32_t kernel;
    if (filter == NULL) {
        return true;
    }
    if (!import_json_members(reader, filter, &filter_shape, fields) ||
        !check_list(reader, fields[FILTER_ARCHES], filter_arches, FILTER_ARCH_COUNT) ||
        !check_list(reader, fields[FILTER_CAPS], capability_names, CAPABILITY_COUNT)) {
        return false;
    }
    if (fields[FILTER_KERNEL] != NULL && fields[FILTER_KERNEL]->text[0] != '\0' &&
        !read_kernel(fields[FILTER_KERNEL]->text, &kernel)) {
        return IMPORT_JSON_FAIL(reader, fields[FILTER_KERNEL], "'minKernel' is a version as in 4.8, not '%s'",
                                fields[FILTER_KERNEL]->text);
    }
    return true;
}

bool oci_check_filters(const struct import_json_reader *reader, const struct oci_entry *entry)
{
    return check_filter(reader, entry->includes) && check_filter(reader, entry->excludes);
}

static bool has_kernel(const struct import_options *options, const char *minimum)
{
    uint16_t given = options->kernel == 0 ? brig_dsl_newest_kernel() : options->kernel;
    uint32_t kernel = 0;
    (void)read_kernel(minimum, &kernel);
    return ((uint32_t)(given >> 8) << 16 | (given & 0xffu)) >= kernel;
}

// How much of what a filter names is there.
struct matches {
    bool has_arches;
    bool is_arch;
    size_t caps;
    size_t caps_held;
    bool has_kernel;
    bool is_kernel;
};

static struct matches match(const struct oci_profile *profile, const struct import_json *filter, enum brig_dsl_arch machine)
{
    struct matches matches = {.has_arches = false};
    const struct import_options *options = profile->options;
    const struct import_json *arches = filter == NULL ? NULL : import_json_member(filter, "arches");
    const struct import_json *caps = filter == NULL ? NULL : import_json_member(filter, "caps");
    const struct import_json *kernel = filter == NULL ? NULL : import_json_member(filter, "minKernel");
    for (const struct import_json *name = arches == NULL ? NULL : arches->first; name != NULL; name = name->next) {
        matches.has_arches = true;
        matches.is_arch |= strcmp(name->text, machine_names[machine]) == 0;
    }
    for (const struct import_json *name = caps == NULL ? NULL : caps->first; name != NULL; name = name->next) {
        matches.caps++;
        matches.caps_held += is_one_of(name->text, options->capabilities, options->capability_count);
    }
    matches.has_kernel = kernel != NULL && kernel->text[0] != '\0';
    matches.is_kernel = matches.has_kernel && has_kernel(options, kernel->text);
    return matches;
}

bool oci_applies(const struct oci_profile *profile, const struct oci_entry *entry, enum brig_dsl_arch machine)
{
    struct matches excluded = match(profile, entry->excludes, machine);
    struct matches included = match(profile, entry->includes, machine);
    if (excluded.is_arch || excluded.caps_held > 0 || excluded.is_kernel) {
        return false;
    }
    return (!included.has_arches || included.is_arch) && included.caps_held == included.caps &&
           (!included.has_kernel || included.is_kernel);
}
