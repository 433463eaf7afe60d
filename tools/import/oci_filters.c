// oci_filters: which entries apply, by their `includes` and `excludes`.
//
// A runtime asks on the machine where it runs: the arch of a profile's filters is the machine's, and its kernel's and container's
// are the version and the capabilities. All of that is given here (struct import_options), so that the same profile always gives
// the same program.
#include <stdio.h>
#include <string.h>

#include "tools/import/oci.h"

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

// People leave the prefix out.
static const char *closest_capability(const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "CAP_%s", name);
    const char *closest = strlen(name) > 3 ? import_closest(full, capability_names, CAPABILITY_COUNT) : NULL;
    return closest != NULL ? closest : import_closest(name, capability_names, CAPABILITY_COUNT);
}

bool oci_check_capabilities(const struct import_options *options, struct import_error *reterr)
{
    for (size_t i = 0; i < options->capability_count; i++) {
        const char *name = options->capabilities[i];
        if (!is_one_of(name, capability_names, CAPABILITY_COUNT)) {
            const char *closest = closest_capability(name);
            return import_fail_name(reterr, (struct import_place){.file = "--cap"}, closest, "there is no capability '%s'%s", name,
                                    closest == NULL ? "; known are CAP_SYS_ADMIN and the others of capabilities(7), each by name"
                                                    : "");
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
