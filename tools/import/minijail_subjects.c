// minijail_subjects: what stands in front of a colon: calls by name or number, one or several in braces, each with the arches that
// it is for: "{open[arch=x86_64,arm], openat}: ...".
//
// Takes: tokens and the target arch. Gives: the calls of the target that are meant. Guarantees: a name that no arch has, and one
// that the target does not have unless its arches leave the target out, are failures with the closest name; so are unknown arches.
// Groups (NAME@SPACE) are failures: minijail has them from a table of each build, not from the policy.
#include <stdio.h>
#include <string.h>

#include "tools/import/minijail.h"

// Names of minijail's arches that are no targets of ours (its arch.h). The targets' own names go through brig_dsl_arch_by_name.
static const char *const other_arches[] = {"ia64", "loong64", "mips", "mips64", "mipsel", "mipsel64", "parisc",
                                           "ppc",  "ppc64",   "s390", "s390x",  "sparc",  "sparc64"};
// What to suggest.
static const char *const known_arches[] = {"x86_64",  "x86",  "arm64",   "arm",  "riscv64", "amd64",  "i386",
                                           "aarch64", "ia64", "loong64", "mips", "mips64",  "mipsel", "mipsel64",
                                           "parisc",  "ppc",  "ppc64",   "s390", "s390x",   "sparc",  "sparc64"};

// The arches of [arch=...]; without it all are meant.
struct arches {
    bool is_given;
    bool has_target;
    uint32_t set; // bit: enum brig_dsl_arch; none for those that are no targets
};

// Takes a name of minijail's that is no target of ours; each is warned of once. Returns: whether there is one.
static bool accept_other_arch(struct minijail *mj)
{
    struct import_place place = mj->file->token.place;
    for (size_t i = 0; i < sizeof other_arches / sizeof other_arches[0]; i++) {
        if (minijail_accept(mj, other_arches[i])) {
            if ((mj->other_arches >> i & 1) == 0) {
                minijail_warn(mj, place, "no programs for %s are made here; what is for it alone is left out", other_arches[i]);
            }
            mj->other_arches |= 1u << i;
            return true;
        }
    }
    return false;
}

static void read_arch(struct minijail *mj, struct arches *arches)
{
    const struct minijail_token *token = &mj->file->token;
    enum brig_dsl_arch arch;
    char name[16];
    if (token->kind != MINIJAIL_WORD) {
        minijail_expected(mj, "the name of an arch");
        return;
    }
    snprintf(name, sizeof name, "%.*s", minijail_shown(token), token->text);
    if (brig_dsl_arch_by_name(name, &arch)) {
        arches->set |= 1u << arch;
        arches->has_target |= arch == mj->arch;
        minijail_advance(mj);
        return;
    }
    if (!accept_other_arch(mj)) {
        minijail_fail(mj, token->place, import_closest(name, known_arches, sizeof known_arches / sizeof known_arches[0]),
                      "there is no arch '%.*s'", minijail_shown(token), token->text);
    }
}

// [arch=NAME,NAME]; minijail knows no other key.
static struct arches read_arches(struct minijail *mj)
{
    struct arches arches = {.is_given = false};
    struct import_place place = mj->file->token.place;
    if (!minijail_accept(mj, "[")) {
        return arches;
    }
    arches.is_given = true;
    if (!minijail_accept(mj, "arch")) {
        minijail_expected(mj, "'arch', the only thing that is known to stand in brackets");
    }
    if (!minijail_accept(mj, "=")) {
        minijail_expected(mj, "'='");
    }
    do {
        read_arch(mj, &arches);
    } while (minijail_accept(mj, ","));
    minijail_close(mj, "]", place);
    return arches;
}

// Writes the target arches that have `call`, of those in `set`: "x86_64, i386 and arm". Returns: how many.
static int list_arches(enum brig_dsl_call call, uint32_t set, char *text, size_t text_bytes)
{
    const char *names[BRIG_DSL_ARCH_COUNT];
    int count = 0;
    size_t used = 0;
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        if (brig_dsl_call_nr(call, (enum brig_dsl_arch)arch) >= 0 && (set >> arch & 1) != 0) {
            names[count++] = brig_dsl_arch_name((enum brig_dsl_arch)arch);
        }
    }
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        const char *separator = i == 0 ? "" : i == count - 1 ? " and " : ", ";
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", separator, names[i]);
    }
    return count;
}

// Fails if `call`, which is known, is none of the target's or, where others are meant, of those.
static void check_arches(struct minijail *mj, const struct minijail_token *token, enum brig_dsl_call call,
                         const struct arches *arches)
{
    char having[96];
    if (!arches->is_given || arches->has_target) {
        if (brig_dsl_call_nr(call, mj->arch) < 0) {
            int count = list_arches(call, UINT32_MAX, having, sizeof having);
            minijail_fail(mj, token->place, NULL,
                          "%s has no system call '%.*s'; %s %s it (say for which arches the entry is: %.*s[arch=...])",
                          brig_dsl_arch_name(mj->arch), minijail_shown(token), token->text, having, count == 1 ? "has" : "have",
                          minijail_shown(token), token->text);
        }
    } else if (arches->set != 0 && list_arches(call, arches->set, having, sizeof having) == 0) {
        minijail_fail(mj, token->place, NULL, "none of the arches in brackets has a system call '%.*s'", minijail_shown(token),
                      token->text);
    }
}

// minijail has arm's private calls by the names of their macros: __ARM_NR_set_tls is ARM_set_tls.
static enum brig_dsl_call call_by_name(const char *name, size_t name_bytes)
{
    static const char prefix[] = {'A', 'R', 'M', '_'};
    enum { FIRST_PRIVATE_NR = 0x0f0000 };
    enum brig_dsl_call call = brig_dsl_call_by_name(name, name_bytes);
    if (call == BRIG_SYS_NONE && name_bytes > sizeof prefix && memcmp(name, prefix, sizeof prefix) == 0) {
        call = brig_dsl_call_by_name(name + sizeof prefix, name_bytes - sizeof prefix);
        return brig_dsl_call_nr(call, BRIG_DSL_ARM) >= FIRST_PRIVATE_NR ? call : BRIG_SYS_NONE;
    }
    return call;
}

static enum brig_dsl_call find_call(struct minijail *mj, const struct minijail_token *token)
{
    if (memchr(token->text, '@', token->text_bytes) != NULL) {
        minijail_fail(mj, token->place, NULL,
                      "groups of calls are not known here ('%.*s'): minijail has them from its constants.json",
                      minijail_shown(token), token->text);
        return BRIG_SYS_NONE;
    }
    enum brig_dsl_call call = call_by_name(token->text, token->text_bytes);
    if (call == BRIG_SYS_NONE && import_is_other_call(token->text, token->text_bytes)) {
        minijail_fail(mj, token->place, NULL,
                      "'%.*s' is a system call of arches that are not known here (say which: %.*s[arch=...])",
                      minijail_shown(token), token->text, minijail_shown(token), token->text);
    } else if (call == BRIG_SYS_NONE) {
        minijail_fail(mj, token->place, brig_dsl_closest_name(token->text, token->text_bytes, 'c'),
                      "there is no system call '%.*s'", minijail_shown(token), token->text);
    }
    return call;
}

// minijail0(5) has calls by number as well.
static enum brig_dsl_call find_number(struct minijail *mj, const struct minijail_token *token)
{
    uint64_t nr;
    if (!minijail_read_digits(mj, token, &nr)) {
        return BRIG_SYS_NONE;
    }
    bool is_number = token->text[0] != '-' && nr <= UINT32_MAX;
    enum brig_dsl_call call = is_number ? brig_dsl_call_by_nr((uint32_t)nr, mj->arch) : BRIG_SYS_NONE;
    if (call == BRIG_SYS_NONE) {
        minijail_fail(mj, token->place, NULL, "%s has no system call of number %.*s", brig_dsl_arch_name(mj->arch),
                      minijail_shown(token), token->text);
    }
    return call;
}

void minijail_read_subject(struct minijail *mj, struct minijail_subjects *subjects)
{
    struct minijail_token token = mj->file->token;
    enum brig_dsl_call call = BRIG_SYS_NONE;
    if (token.kind != MINIJAIL_WORD && token.kind != MINIJAIL_NUMBER) {
        minijail_expected(mj, "the name of a system call");
        return;
    }
    minijail_advance(mj);
    struct arches arches = read_arches(mj);
    bool is_meant = !arches.is_given || arches.has_target;
    if (token.kind == MINIJAIL_NUMBER) {
        call = is_meant ? find_number(mj, &token) : BRIG_SYS_NONE;
    } else if (is_meant || arches.set != 0) {
        call = find_call(mj, &token);
        check_arches(mj, &token, call, &arches);
    }
    for (size_t i = 0; i < subjects->count; i++) {
        if (subjects->calls[i] == call) {
            minijail_fail(mj, token.place, NULL, "'%.*s' stands twice in front of one colon", minijail_shown(&token), token.text);
        }
    }
    if (!mj->has_failed && is_meant) {
        subjects->calls[subjects->count++] = call;
    }
}

void minijail_read_subjects(struct minijail *mj, struct minijail_subjects *ret_subjects)
{
    struct import_place place = mj->file->token.place;
    ret_subjects->count = 0;
    if (!minijail_accept(mj, "{")) {
        minijail_read_subject(mj, ret_subjects);
    } else {
        do {
            minijail_read_subject(mj, ret_subjects);
        } while (minijail_accept(mj, ","));
        minijail_close(mj, "}", place);
    }
    ret_subjects->is_skipped = ret_subjects->count == 0;
}
