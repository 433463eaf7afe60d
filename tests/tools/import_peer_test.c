// OCI profiles beside libseccomp: random entries are given to the importer as JSON and to the library as rules, the way a runtime
// does it, and both programs decide the same calls, also where rules with several actions meet. Profiles for which the library's
// own answer is an error, or one of its mistakes, are not made.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/random.h"
#include "tests/shim/test.h"
#include "tools/import/import.h"

enum { ENTRY_MAX = 7, ARGUMENT_MAX = 3, JSON_BYTES = 8192, PROFILES = 600, CALLS = 400 };

static const struct {
    enum brig_dsl_arch arch;
    uint32_t token;
    const char *name;
} arches[] = {
    {BRIG_DSL_X86_64, SCMP_ARCH_X86_64, "SCMP_ARCH_X86_64"},    {BRIG_DSL_I386, SCMP_ARCH_X86, "SCMP_ARCH_X86"},
    {BRIG_DSL_AARCH64, SCMP_ARCH_AARCH64, "SCMP_ARCH_AARCH64"}, {BRIG_DSL_ARM, SCMP_ARCH_ARM, "SCMP_ARCH_ARM"},
    {BRIG_DSL_RISCV64, SCMP_ARCH_RISCV64, "SCMP_ARCH_RISCV64"},
};

static const struct {
    const char *name;
    uint32_t action;
} actions[] = {
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(1)}, {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_KILL", SCMP_ACT_KILL},      {"SCMP_ACT_LOG", SCMP_ACT_LOG},        {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(1)},
};

static const struct {
    const char *name;
    enum scmp_compare op;
} operators[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

// The first one is in every profile, without arguments: without such a call libseccomp 2.5.4 forgets to load the number on some
// arches.
static const char *const calls[] = {"getpid", "read",    "clone",       "socket", "accept",
                                    "semop",  "fcntl64", "personality", "send",   "mmap"};

static const uint64_t values[] = {0,          1,          2,           0x28,        0x7e020000,         0x7fffffff, 0x80000000,
                                  0xffffffff, 0xfffffffe, 0x100000000, 0x100000001, 0xffffffff00000000, INT64_MAX,  UINT64_MAX};

struct entry {
    unsigned call;
    unsigned action;
    unsigned argument_count;
    unsigned operators[ARGUMENT_MAX];
    struct scmp_arg_cmp arguments[ARGUMENT_MAX];
};

struct profile {
    unsigned arches[2];
    unsigned arch_count;
    unsigned fallback;
    unsigned entry_count;
    struct entry entries[ENTRY_MAX];
};

// --- making -----------------------------------------------------------------------------------------------------------

static uint64_t random_value(struct random *random)
{
    uint64_t value = values[random_below(random, COUNT_OF(values))];
    return random_once_in(random, 4) ? value + random_below(random, 3) - 1 : value;
}

static bool has_same_index_twice(const struct entry *entry)
{
    unsigned seen = 0;
    bool is_twice = false;
    for (unsigned i = 0; i < entry->argument_count; i++) {
        is_twice |= (seen >> entry->arguments[i].arg & 1u) != 0;
        seen |= 1u << entry->arguments[i].arg;
    }
    return is_twice;
}

// The library's own mistakes are not its meaning: comparisons of order that share an argument with another rule of the call are
// made from a stale word, and on 32-bit arches LE behind another argument becomes GT. So these stand alone.
static bool has_order(const struct entry *entry)
{
    bool found = false;
    for (unsigned i = 0; i < entry->argument_count; i++) {
        found |= entry->arguments[i].op != SCMP_CMP_EQ && entry->arguments[i].op != SCMP_CMP_MASKED_EQ;
    }
    return found;
}

static bool is_sound(const struct profile *profile, const struct entry *entry)
{
    bool is_64bit = true;
    for (unsigned i = 0; i < profile->arch_count; i++) {
        is_64bit &= brig_dsl_arch_is_64bit(arches[profile->arches[i]].arch);
    }
    if (has_order(entry) && entry->argument_count > 1 && (!is_64bit || has_same_index_twice(entry))) {
        return false;
    }
    for (unsigned i = 0; i < profile->entry_count; i++) {
        if (profile->entries[i].call == entry->call && (has_order(entry) || has_order(&profile->entries[i]))) {
            return false;
        }
    }
    return true;
}

static struct entry random_entry(struct random *random, unsigned call_count)
{
    struct entry entry = {.call = random_below(random, call_count)};
    entry.argument_count = random_once_in(random, 5) ? 0 : 1 + random_below(random, ARGUMENT_MAX);
    for (unsigned i = 0; i < entry.argument_count; i++) {
        entry.operators[i] = random_below(random, COUNT_OF(operators));
        entry.arguments[i] = (struct scmp_arg_cmp){.arg = random_below(random, 4),
                                                   .op = operators[entry.operators[i]].op,
                                                   .datum_a = random_value(random),
                                                   .datum_b = random_value(random)};
    }
    return entry;
}

static struct profile random_profile(uint64_t seed)
{
    struct random random = random_of_seed(seed);
    struct profile profile = {.fallback = random_below(&random, COUNT_OF(actions)), .arch_count = 1};
    profile.arches[0] = random_below(&random, COUNT_OF(arches));
    profile.arches[1] = random_below(&random, COUNT_OF(arches));
    profile.arch_count += profile.arches[1] != profile.arches[0] && random_once_in(&random, 3);
    unsigned action = random_below(&random, COUNT_OF(actions));
    bool is_mixed = random_once_in(&random, 2);
    while (action == profile.fallback) {
        action = random_below(&random, COUNT_OF(actions)); // or the first call has no rule
    }
    unsigned wanted = 1 + random_below(&random, ENTRY_MAX);
    unsigned call_count = is_mixed ? 5 : COUNT_OF(calls); // few, so that rules meet
    profile.entries[profile.entry_count++] = (struct entry){.call = 0, .action = action};
    while (profile.entry_count < wanted) {
        struct entry entry = random_entry(&random, call_count);
        entry.action = is_mixed ? random_below(&random, COUNT_OF(actions)) : action;
        if (is_sound(&profile, &entry)) {
            profile.entries[profile.entry_count++] = entry;
        }
    }
    return profile;
}

static size_t write_entry(const struct entry *entry, char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "{\"names\": [\"%s\"], \"action\": \"%s\", \"args\": [", calls[entry->call],
                                   actions[entry->action].name);
    for (unsigned i = 0; i < entry->argument_count; i++) {
        const struct scmp_arg_cmp *argument = &entry->arguments[i];
        used += (size_t)snprintf(text + used, room - used, "%s{\"index\": %u, \"op\": \"%s\", \"value\": %llu, \"valueTwo\": %llu}",
                                 i == 0 ? "" : ", ", argument->arg, operators[entry->operators[i]].name,
                                 (unsigned long long)argument->datum_a, (unsigned long long)argument->datum_b);
    }
    return used + (size_t)snprintf(text + used, room - used, "]}");
}

static void write_json(const struct profile *profile, char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "{\"defaultAction\": \"%s\", \"architectures\": [\"%s\", \"%s\"], \"syscalls\": [\n",
                                   actions[profile->fallback].name, arches[profile->arches[0]].name,
                                   arches[profile->arches[profile->arch_count - 1]].name);
    for (unsigned i = 0; i < profile->entry_count; i++) {
        used += (size_t)snprintf(text + used, room - used, i == 0 ? "" : ",\n");
        used += write_entry(&profile->entries[i], text + used, room - used);
    }
    snprintf(text + used, room - used, "\n]}\n");
}

// --- both programs ----------------------------------------------------------------------------------------------------

struct programs {
    struct sock_filter peer[BPF_MAXINSNS];
    size_t peer_count;
    struct brig_dsl_program ours;
};

static unsigned char compile_memory[4 * BRIG_DSL_ARENA_BYTES];

static bool compile_ours(const struct profile *profile, const char *json, struct programs *programs)
{
    struct import_source source = {.name = "random.json", .text = json, .text_bytes = strlen(json)};
    enum brig_dsl_arch wanted[2] = {arches[profile->arches[0]].arch, arches[profile->arches[1]].arch};
    struct import_options options = {.arches = wanted, .arch_count = profile->arch_count};
    struct brig_dsl_options compile_options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_arena arena;
    struct import_policies policies;
    struct import_error error;
    char message[IMPORT_ERROR_TEXT_BYTES];
    if (!import_oci(&source, &options, &policies, &error)) {
        test_message("%s", import_error_format(&error, message, sizeof message));
        return CHECK(false);
    }
    brig_dsl_arena_init(&arena, compile_memory, sizeof compile_memory);
    bool is_made =
        CHECK_EQ(brig_dsl_compile_targets(policies.targets, policies.target_count, &compile_options, &arena, &programs->ours, NULL),
                 BRIG_OK);
    import_free(&policies); // the program's text is not looked at
    return is_made;
}

// As runc adds an entry. Returns: whether the library took it.
static bool add_entry(scmp_filter_ctx context, const struct profile *profile, const struct entry *entry)
{
    int nr = seccomp_syscall_resolve_name(calls[entry->call]);
    uint32_t action = actions[entry->action].action;
    int code = 0;
    if (nr == __NR_SCMP_ERROR || entry->action == profile->fallback) {
        return true;
    }
    if (!has_same_index_twice(entry)) {
        return seccomp_rule_add_array(context, action, nr, entry->argument_count, entry->arguments) == 0;
    }
    for (unsigned i = 0; i < entry->argument_count && code == 0; i++) {
        code = seccomp_rule_add_array(context, action, nr, 1, &entry->arguments[i]);
    }
    return code == 0;
}

static bool export(scmp_filter_ctx context, struct programs *programs)
{
    int fd = memfd_create("peer", MFD_CLOEXEC);
    ssize_t bytes = -1;
    if (fd >= 0 && seccomp_export_bpf(context, fd) == 0 && lseek(fd, 0, SEEK_SET) == 0) {
        bytes = read(fd, programs->peer, sizeof programs->peer);
    }
    close(fd);
    programs->peer_count = bytes < 0 ? 0 : (size_t)bytes / sizeof programs->peer[0];
    return bytes > 0;
}

static bool compile_peer(const struct profile *profile, struct programs *programs)
{
    scmp_filter_ctx context = seccomp_init(actions[profile->fallback].action);
    bool is_made = context != NULL;
    bool has_native = false;
    for (unsigned i = 0; i < profile->arch_count && is_made; i++) {
        uint32_t token = arches[profile->arches[i]].token;
        has_native |= token == seccomp_arch_native();
        is_made = token == seccomp_arch_native() || seccomp_arch_add(context, token) == 0;
    }
    is_made = is_made && (has_native || seccomp_arch_remove(context, seccomp_arch_native()) == 0);
    for (unsigned i = 0; i < profile->entry_count && is_made; i++) {
        is_made = add_entry(context, profile, &profile->entries[i]);
    }
    is_made = is_made && export(context, programs);
    seccomp_release(context);
    return is_made;
}

// --- comparing --------------------------------------------------------------------------------------------------------

static struct brig_dsl_data random_data(struct random *random, const struct profile *profile)
{
    enum brig_dsl_arch arch = arches[profile->arches[random_below(random, profile->arch_count)]].arch;
    struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(arch)};
    const char *name = calls[random_below(random, COUNT_OF(calls))];
    if (arch == BRIG_DSL_I386 && random_once_in(random, 3)) {
        name = random_once_in(random, 2) ? "socketcall" : "ipc";
    }
    data.nr = random_once_in(random, 16) ? random_below(random, 500)
                                         : (uint32_t)brig_dsl_call_nr(brig_dsl_call_by_name(name, strlen(name)), arch);
    if (random_once_in(random, 32)) {
        data.nr = UINT32_MAX - random_below(random, 2); // -1, as the calls that are not there, and its neighbour
    }
    for (int i = 0; i < 4; i++) {
        data.args[i] = random_once_in(random, 2) ? random_value(random) : random_below(random, 20);
        data.args[i] &= brig_dsl_arch_is_64bit(arch) ? UINT64_MAX : UINT32_MAX;
    }
    return data;
}

static bool decides_alike(const struct programs *programs, const struct brig_dsl_data *data)
{
    uint32_t ours = brig_dsl_interpret(programs->ours.insns, programs->ours.insn_count, data, NULL).ret;
    uint32_t peer = brig_dsl_interpret(programs->peer, programs->peer_count, data, NULL).ret;
    return CHECK_EQ(ours, peer);
}

TEST(import_peer, profiles_mean_what_libseccomp_makes_of_them)
{
    static struct programs programs;
    static char json[JSON_BYTES];
    uint32_t made = 0;
    for (uint64_t seed = random_first_seed(), end = seed + random_policies(PROFILES); seed < end; seed++) {
        struct profile profile = random_profile(seed);
        struct random random = random_of_seed(seed * 7919);
        write_json(&profile, json, sizeof json);
        test_message("seed %llu", (unsigned long long)seed);
        if (!compile_peer(&profile, &programs)) {
            continue;
        }
        made++;
        REQUIRE(compile_ours(&profile, json, &programs));
        for (int i = 0; i < CALLS; i++) {
            struct brig_dsl_data data = random_data(&random, &profile);
            test_message("seed %llu: nr %d, %#llx %#llx %#llx %#llx", (unsigned long long)seed, (int)data.nr,
                         (unsigned long long)data.args[0], (unsigned long long)data.args[1], (unsigned long long)data.args[2],
                         (unsigned long long)data.args[3]);
            if (!decides_alike(&programs, &data)) {
                fputs(json, stdout); // too long for a message
                return;
            }
        }
    }
    CHECK_GT(made, random_policies(PROFILES) / 2);
    test_message("%s", "");
}
