// oci: seccomp profiles of OCI runtimes, as Docker, Podman, containerd and Kubernetes have them, become policies of ours.
//
// Takes: JSON text: the object `linux.seccomp` of the OCI runtime specification, alone or inside a whole config.json, with what
// Docker adds to it (archMap, includes, excludes, comment, a single `name`) and Podman (errno, defaultErrno). Gives: a policy for
// each arch that the program has to serve (oci_targets.c). Requires: what a runtime would ask its machine, in struct
// import_options. Guarantees: the program decides as the one that runc makes with libseccomp, call by call:
//
// - An entry is a rule for each of its names. All comparisons of a rule have to hold; they are of 64 bits, unsigned. Where an index
//   stands twice in an entry, each comparison is a rule of its own (runc does that since before an index could stand once only).
// - An entry whose action is the default is no rule at all (runc), so it takes nothing away from others.
// - Rules of a call are a union (seccomp_rule_add(3)). One without conditions replaces those with; if there are several, the first
//   counts. Of rules with conditions and different actions that hold for the same call, the manual leaves open which one counts;
//   here it is mostly the one that libseccomp 2.5 takes (oci_rules.c says when not), and a warning says so.
// - On 32-bit arches comparisons are of the low 32 bits of what is written.
// - On i386, a rule for a call that socketcall(2) or ipc(2) can make too is also a rule for that, as far as a filter can see it.
// - Calls of other arches, and x32 numbers, kill the thread: libseccomp's default for what it does not know, which runc leaves. The
//   number -1 gets the profile's default there too: a tracer that skips a call, as `strace --inject` does, leaves it.
// - Calls that a target does not have are skipped there. Names that no arch has are errors.
//
// Weaknesses: runc puts a program of its own before libseccomp's, which answers ENOSYS for calls newer than all that the profile
// names; that is not a part of the profile and not made here. What is said of s390, mips, powerpc and others is left out.
#include <string.h>

#include "tools/import/oci.h"

// Finds the profile: the whole text, or a part of a config.json. Returns: NULL after having written the error.
static const struct import_json *find_profile(const struct import_json_reader *reader, const struct import_json *root)
{
    const struct import_json *linux_part = import_json_member(root, "linux");
    if (linux_part == NULL || import_json_member(root, "defaultAction") != NULL) {
        return root;
    }
    const struct import_json *profile = linux_part->kind == IMPORT_JSON_OBJECT ? import_json_member(linux_part, "seccomp") : NULL;
    if (profile == NULL || profile->kind != IMPORT_JSON_OBJECT) {
        IMPORT_JSON_FAIL(reader, linux_part, "there is no object 'linux.seccomp'");
        return NULL;
    }
    return profile;
}

// Which arches a name is for cannot be seen when it is read: a profile may be for many.
static void warn_others(const struct oci_profile *profile, enum brig_dsl_arch machine)
{
    const char *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < profile->entry_count; i++) {
        const struct import_json *name = oci_applies(profile, &profile->entries[i], machine) ? profile->entries[i].names : NULL;
        for (; name != NULL; name = name->next) {
            if (oci_find_call(name->text) == BRIG_SYS_NONE) {
                first = first == NULL ? name->text : first;
                count++;
            }
        }
    }
    if (count > 0) {
        import_warn(profile->reader->memory, profile->reader->source->name, 0,
                    "%zu name%s of calls that only other arches have %s left out, the first is %s", count, count == 1 ? "" : "s",
                    count == 1 ? "is" : "are", first);
    }
}

static void add_targets(const struct oci_profile *profile, const struct oci_targets *targets, struct import_policies *policies)
{
    const struct brig_dsl_action bad_arch = {.verb = BRIG_DSL_KILL_THREAD};
    for (size_t i = 0; i < targets->count; i++) {
        struct import_rows rows = {.memory = profile->reader->memory};
        struct import_heading heading = {.name = profile->reader->source->name,
                                         .arch = targets->arches[i],
                                         .fallback = profile->fallback,
                                         .import = {.foreign = bad_arch, .x32 = bad_arch}};
        oci_add_rows(profile, targets->arches[i], targets->machines[i], &rows);
        import_add_target(&rows, &heading, policies);
    }
    oci_warn_overlaps(profile, targets->machines[0]);
    warn_others(profile, targets->machines[0]);
}

static bool import_text(const struct import_json_reader *reader, const struct import_options *options,
                        struct import_policies *policies)
{
    struct oci_profile profile = {.options = options};
    struct oci_targets targets;
    if (!oci_check_capabilities(options, reader->reterr)) {
        return false;
    }
    const struct import_json *root = import_json_read(reader);
    const struct import_json *object = root == NULL ? NULL : find_profile(reader, root);
    if (object == NULL || !oci_read_profile(reader, object, &profile) || !oci_find_targets(&profile, &targets)) {
        return false;
    }
    add_targets(&profile, &targets, policies);
    return true;
}

bool import_oci(const struct import_source *source, const struct import_options *options, struct import_policies *ret_policies,
                struct import_error *reterr)
{
    struct import_policies policies = {.target_count = 0};
    struct import_memory *memory = import_memory_new();
    if (memory == NULL) {
        return import_fail(reterr, (struct import_place){.file = source->name}, "out of memory");
    }
    // Rows and warnings point to the name for as long as they live.
    struct import_source kept = *source;
    kept.name = import_copy(memory, source->name, strlen(source->name));
    struct import_json_reader reader = {.source = &kept, .memory = memory, .reterr = reterr};
    if (!import_text(&reader, options, &policies)) {
        import_memory_free(memory);
        return false;
    }
    if (!import_finish(memory, kept.name, &policies, reterr)) {
        return false;
    }
    *ret_policies = policies;
    return true;
}
