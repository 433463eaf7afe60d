// pledge: "stdio rpath" becomes a policy.
//
// Takes: promises, as people and programs write them for OpenBSD's pledge(2): names between spaces, any order, again and again.
// Gives: a policy whose rows are tables that stand in this folder, in the order of grants.def, and whose name is "pledge:" with the
// promises in the order of promises.def, so that equal sets of promises give equal programs. Guarantees: pure; a word that is no
// promise is an error; a promise more allows more. Weakness: what OpenBSD keeps to devices and sysctls that Linux does not have
// (audio, bpf, disklabel, drm, pf, tape, video, vmm, wroute) is no promise here, and an error.
#include <errno.h>
#include <string.h>

#include "bpf_dsl/words.h"
#include "policies/pledge/pledge.h"
#include "policies/policies.h"

enum promise {
#define PROMISE(name, why) PROMISE_##name,
#include "policies/pledge/promises.def"
#undef PROMISE
    PROMISE_COUNT
};

const struct brig_policy_promise brig_policy_all_promises[] = {
#define PROMISE(name_, why_) {.name = #name_, .why = why_},
#include "policies/pledge/promises.def"
#undef PROMISE
    {.name = NULL},
};

#define HAS(promise) (UINT32_C(1) << PROMISE_##promise)
_Static_assert(PROMISE_COUNT <= 32, "promises are bits of a word");

static const struct grant {
    uint32_t needs; // all of these
    const struct brig_dsl_row *rows;
} grants[] = {
#define GRANT(table, promises) {.needs = promises, .rows = policy_pledge_##table},
#include "policies/pledge/grants.def"
#undef GRANT
};
enum { GRANT_COUNT = sizeof grants / sizeof grants[0] };

// always, the grants, the rest, and the end.
_Static_assert(GRANT_COUNT + 3 <= BRIG_POLICY_PLEDGE_ROWS, "every table has a place");

#define PREFIX "pledge:"
enum {
#define PROMISE(name, why) +sizeof #name // the zero behind the last name is the end's, of the others a space
    NAME_BYTES = sizeof PREFIX
#include "policies/pledge/promises.def"
#undef PROMISE
};
_Static_assert(NAME_BYTES <= BRIG_POLICY_PLEDGE_NAME_BYTES, "all promises at once have a name");

// --- reading ----------------------------------------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

// Returns: a bit; 0 for a word that is no promise.
static uint32_t find_promise(const char *word, size_t word_bytes)
{
    for (int i = 0; i < PROMISE_COUNT; i++) {
        const char *name = brig_policy_all_promises[i].name;
        if (strlen(name) == word_bytes && memcmp(name, word, word_bytes) == 0) {
            return UINT32_C(1) << i;
        }
    }
    return 0;
}

static enum brig_code read_promises(const char *text, uint32_t *ret_promises, struct brig_error *reterr)
{
    uint32_t promises = 0;
    for (const char *at = text; *at != '\0';) {
        const char *word = at;
        while (*at != '\0' && !is_blank(*at)) {
            at++;
        }
        uint32_t promise = find_promise(word, (size_t)(at - word));
        if (at > word && promise == 0) {
            return brig_error_set(reterr, (struct brig_error){.code = BRIG_NO_SUCH_PROMISE,
                                                              .step = "read promises",
                                                              .subject = word,
                                                              .subject_bytes = (uint32_t)(at - word)});
        }
        promises |= promise;
        at += is_blank(*at);
    }
    *ret_promises = promises;
    return BRIG_OK;
}

// --- the policy -------------------------------------------------------------------------------------------------------

static void write_name(uint32_t promises, char *ret_name)
{
    char *at = ret_name;
    memcpy(at, PREFIX, sizeof PREFIX);
    at += sizeof PREFIX - 1;
    for (int i = 0; i < PROMISE_COUNT; i++) {
        if (!(promises >> i & 1)) {
            continue;
        }
        size_t bytes = strlen(brig_policy_all_promises[i].name);
        if (at[-1] != ':') {
            *at++ = ' ';
        }
        memcpy(at, brig_policy_all_promises[i].name, bytes + 1);
        at += bytes;
    }
}

static struct brig_dsl_row *use(struct brig_dsl_row *row, const struct brig_dsl_row *table)
{
    *row = (struct brig_dsl_row)USE(table);
    return row + 1;
}

static void write_rows(uint32_t promises, struct brig_dsl_row *ret_rows)
{
    struct brig_dsl_row *row = use(ret_rows, policy_pledge_always);
    for (size_t i = 0; i < GRANT_COUNT; i++) {
        if ((grants[i].needs & ~promises) == 0) {
            row = use(row, grants[i].rows);
        }
    }
    row = use(row, promises & HAS(error) ? policy_pledge_rest_fails : policy_pledge_rest_kills);
    *row = (struct brig_dsl_row)ROWS_END;
}

enum brig_code brig_policy_pledge(const char *promises, struct brig_policy_pledge_memory *memory,
                                  const struct brig_dsl_policy **ret_policy, struct brig_error *reterr)
{
    static const struct brig_dsl_policy kills = {FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18),
                                                 .libc = "glibc 2.42, musl 1.2.5"};
    static const struct brig_dsl_policy fails = {FALLBACK(DENY(ENOSYS)), .kernel = BRIG_DSL_KERNEL(6, 18),
                                                 .libc = "glibc 2.42, musl 1.2.5"};
    uint32_t set;
    if (!promises || !memory) {
        return brig_error_set(
            reterr, (struct brig_error){.code = BRIG_BAD_ARGUMENT, .step = "pledge", .subject = promises ? "memory" : "promises"});
    }
    enum brig_code code = read_promises(promises, &set, reterr);
    if (code != BRIG_OK) {
        return code;
    }
    write_name(set, memory->name);
    write_rows(set, memory->rows);
    memory->policy = set & HAS(error) ? fails : kills;
    memory->policy.name = memory->name;
    memory->policy.rows = memory->rows;
    *ret_policy = &memory->policy;
    return BRIG_OK;
}
