// assemble_names: the names that only assembler has, and which of them somebody may have meant.
//
// Takes: a word. Gives: what it stands for, or the closest one that stands for something. Guarantees: pure look-ups in tables.
// Weaknesses: names are compared by what stands between their common beginning and end, so that two far typing errors count as
// many.
#include <string.h>

#include "bpf_dsl/assemble.h"
#include "bpf_dsl/mnemonics.h"
#include "bpf_dsl/program.h"

static const char *const words[] = {
    "nr",         "arch",       "ip.lo",      "ip.hi",      "args[0].lo", "args[0].hi", "args[1].lo", "args[1].hi",
    "args[2].lo", "args[2].hi", "args[3].lo", "args[3].hi", "args[4].lo", "args[4].hi", "args[5].lo", "args[5].hi",
};

static const struct {
    const char *name;
    enum brig_dsl_arch arch;
} audits[] = {
    {"AUDIT_ARCH_X86_64", BRIG_DSL_X86_64},   {"AUDIT_ARCH_I386", BRIG_DSL_I386}, {"AUDIT_ARCH_AARCH64", BRIG_DSL_AARCH64},
    {"AUDIT_ARCH_RISCV64", BRIG_DSL_RISCV64}, {"AUDIT_ARCH_ARM", BRIG_DSL_ARM},
};

static const struct {
    const char *name;
    const char *text;
} expected[] = {
    {"ld", "ld takes a word (nr, arch, ip.lo, args[0].hi), [OFFSET], M[N], #K or len"},
    {"ldx", "ldx takes M[N], #K or len"},
    {"st", "st takes M[N]"},
    {"stx", "stx takes M[N]"},
    {"ret", "ret takes an action (ALLOW, ERRNO(EPERM)), #K or a"},
    {"neg", "neg takes no operand"},
    {"tax", "tax takes no operand"},
    {"txa", "txa takes no operand"},
};

enum { WORD_COUNT = sizeof words / sizeof words[0], AUDIT_COUNT = sizeof audits / sizeof audits[0] };

static bool is(const char *name, size_t name_bytes, const char *known)
{
    return name_bytes == strlen(known) && memcmp(name, known, name_bytes) == 0;
}

int64_t dsl_assembler_word(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (is(name, name_bytes, words[i])) {
            return 4 * (int64_t)i;
        }
    }
    return -1;
}

const char *dsl_assembler_expected(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (is(name, name_bytes, expected[i].name)) {
            return expected[i].text;
        }
    }
    return "this instruction takes #K or x";
}

bool dsl_assembler_audit(const char *name, size_t name_bytes, uint32_t *ret_audit)
{
    for (size_t i = 0; i < AUDIT_COUNT; i++) {
        if (is(name, name_bytes, audits[i].name)) {
            *ret_audit = brig_dsl_arch_audit(audits[i].arch);
            return true;
        }
    }
    return false;
}

// --- suggestions ------------------------------------------------------------------------------------------------------

struct search {
    const char *name;
    size_t name_bytes;
    size_t least; // how different the closest one is
    const char *closest;
};

// How many letters stand between the common beginning and the common end of two names.
static size_t difference(const struct search *search, const char *known)
{
    const char *name = search->name;
    size_t known_bytes = strlen(known);
    size_t shorter = search->name_bytes < known_bytes ? search->name_bytes : known_bytes;
    size_t longer = search->name_bytes > known_bytes ? search->name_bytes : known_bytes;
    size_t head = 0;
    size_t tail = 0;
    while (head < shorter && name[head] == known[head]) {
        head++;
    }
    while (head + tail < shorter && name[search->name_bytes - 1 - tail] == known[known_bytes - 1 - tail]) {
        tail++;
    }
    return longer - head - tail;
}

static void consider(struct search *search, const char *known)
{
    size_t distance = difference(search, known);
    if (distance < search->least) {
        search->least = distance;
        search->closest = known;
    }
}

static void consider_instructions(struct search *search)
{
    for (size_t i = 0; i < DSL_MNEMONIC_COUNT; i++) {
        consider(search, dsl_mnemonics[i].name);
    }
}

static void consider_operands(struct search *search)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        consider(search, words[i]);
    }
    for (size_t i = 0; i < DSL_ACTION_NAME_COUNT; i++) {
        consider(search, dsl_action_names[i].name);
    }
    for (size_t i = 0; i < AUDIT_COUNT; i++) {
        consider(search, audits[i].name);
    }
}

const char *brig_dsl_assembler_closest(const struct brig_error *error)
{
    struct search search = {.name = error->subject, .name_bytes = error->subject_bytes, .least = error->subject_bytes / 3 + 2};
    if (error->code != BRIG_BAD_ASSEMBLER) {
        return NULL;
    }
    if (strcmp(error->step, DSL_ASSEMBLER_NO_CALL) == 0) {
        const char *call = brig_dsl_closest_name(search.name + 4, search.name_bytes - 4, 'c'); // behind SYS_
        // Another arch may have it.
        return call != NULL && is(search.name + 4, search.name_bytes - 4, call) ? NULL : call;
    }
    if (strcmp(error->step, DSL_ASSEMBLER_NO_INSTRUCTION) == 0) {
        consider_instructions(&search);
        return search.closest;
    }
    if (strcmp(error->step, DSL_ASSEMBLER_NO_CONSTANT) == 0) {
        consider_operands(&search);
        return search.closest != NULL ? search.closest : brig_dsl_closest_name(search.name, search.name_bytes, 'k');
    }
    return NULL;
}
