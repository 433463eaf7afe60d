// Any text as promises: a word that is none is named within the text, and promises that were read give a policy that resolves, and
// whose own name says the same promises again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/rules.h"
#include "policies/policies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "pledge_fuzz: %s\n", what);
        abort();
    }
}

static void check_error(const struct brig_error *error, const char *text)
{
    char sentence[BRIG_ERROR_TEXT_BYTES];
    must(error->code == BRIG_NO_SUCH_PROMISE && error->step && error->subject_bytes > 0, "a failure without its facts");
    must(error->subject >= text && error->subject + error->subject_bytes <= text + strlen(text), "a subject outside the text");
    must(strlen(brig_error_format(error, sentence, sizeof sentence)) < sizeof sentence, "a sentence without an end");
    const char *closest = brig_policy_closest_promise(error->subject, error->subject_bytes);
    must(!closest || strlen(closest) != error->subject_bytes || memcmp(closest, error->subject, error->subject_bytes) != 0,
         "a word that is no promise and is one");
}

static void check_policy(const struct brig_dsl_policy *policy, enum brig_dsl_arch arch)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    static struct brig_policy_pledge_memory pledge;
    struct brig_dsl_options options = {.arch = arch, .self_pid = 77, .notify_fd = BRIG_DSL_SLOT_UNSET};
    struct brig_dsl_arena arena;
    struct brig_dsl_rules rules;
    const struct brig_dsl_policy *again;
    const char *promises = policy->name + strlen("pledge:");
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    must(brig_dsl_resolve(policy, &options, &arena, &rules, NULL) == BRIG_OK, "a policy that does not resolve");
    must(brig_policy_pledge(promises, &pledge, &again, NULL) == BRIG_OK, "a name that cannot be read");
    must(strcmp(again->name, policy->name) == 0, "a name that says other promises");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct brig_policy_pledge_memory pledge;
    const struct brig_dsl_policy *policy;
    struct brig_error error;
    char *text = malloc(bytes + 1);
    must(text != NULL, "no memory");
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    if (brig_policy_pledge(text, &pledge, &policy, &error) == BRIG_OK) {
        check_policy(policy, (enum brig_dsl_arch)(bytes % BRIG_DSL_ARCH_COUNT));
    } else {
        check_error(&error, text);
    }
    free(text);
    return 0;
}
