// peer: libseccomp's program of a policy.
//
// Takes: rules that peer_rules.c made. Gives: the program that the installed libseccomp exports, at an optimisation level: 1 is its
// default, a list in order of priority; 2 a binary tree. Guarantees: a program that was seen to decide otherwise than the rules on
// any of many inputs is not taken for a peer, and the first such call is named. What the two cannot mean alike is not asked:
// numbers that are no call, the two reserved numbers, x32 numbers, the data of a TRAP. Weakness: inputs, not a proof.
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/benchmarks/compiler/peer.h"

// --- building ---------------------------------------------------------------------------------------------------------

// Returns: the number of comparisons written.
static unsigned write_comparisons(const struct peer_rule *rule, struct scmp_arg_cmp ret_all[6])
{
    unsigned count = 0;
    for (unsigned i = 0; i < 6; i++) {
        const struct peer_comparison *from = &rule->arguments[i];
        switch (from->op) {
        case PEER_ANY:
            continue;
        case PEER_MASKED:
            ret_all[count] = from->mask == UINT64_MAX ? (struct scmp_arg_cmp){i, SCMP_CMP_EQ, from->value, 0}
                                                      : (struct scmp_arg_cmp){i, SCMP_CMP_MASKED_EQ, from->mask, from->value};
            break;
        case PEER_NE:
            ret_all[count] = (struct scmp_arg_cmp){i, SCMP_CMP_NE, from->value, 0};
            break;
        case PEER_GE:
            ret_all[count] = (struct scmp_arg_cmp){i, SCMP_CMP_GE, from->value, 0};
            break;
        case PEER_LE:
            ret_all[count] = (struct scmp_arg_cmp){i, SCMP_CMP_LE, from->value, 0};
            break;
        }
        count++;
    }
    return count;
}

// Returns: NULL, or what failed.
static const char *add_rules(scmp_filter_ctx filter, const struct peer_rules *rules)
{
    struct scmp_arg_cmp comparisons[6];
    for (size_t i = 0; i < rules->count; i++) {
        const struct peer_rule *rule = &rules->rules[i];
        const unsigned count = write_comparisons(rule, comparisons);
        const int result = seccomp_rule_add_array(filter, rule->action, (int)rule->nr, count, comparisons);
        if (result != 0 && result != -EEXIST) {
            return "libseccomp refuses a rule";
        }
    }
    return NULL;
}

// The file is kept, because making one is not what is measured.
static const char *export(scmp_filter_ctx filter, struct bench_code *ret_code)
{
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("program", MFD_CLOEXEC);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0 || seccomp_export_bpf(filter, fd) != 0) {
        return "libseccomp exports nothing";
    }
    const ssize_t bytes = pread(fd, ret_code->insns, sizeof ret_code->insns, 0);
    if (bytes <= 0 || lseek(fd, 0, SEEK_END) != bytes) {
        return "libseccomp's program has more than 4096 instructions";
    }
    ret_code->count = (size_t)bytes / sizeof ret_code->insns[0];
    return NULL;
}

bool peer_compile(const struct peer_rules *rules, uint32_t level, struct bench_code *ret_code, char *ret_why_not)
{
    const char *why_not = "libseccomp has no filter";
    ret_code->count = 0;
    scmp_filter_ctx filter = seccomp_init(rules->fallback);
    if (filter && seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, rules->foreign) == 0 &&
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, level) == 0) {
        why_not = add_rules(filter, rules);
        why_not = why_not ? why_not : export(filter, ret_code);
    }
    seccomp_release(filter);
    snprintf(ret_why_not, BENCH_TEXT_BYTES, "%s", why_not ? why_not : "");
    return why_not == NULL;
}

// --- comparing --------------------------------------------------------------------------------------------------------

// Other values of the same input: neighbours, single bits, upper halves.
static struct brig_dsl_data vary(struct brig_dsl_data data, struct bench_random *random)
{
    for (int i = 0; i < 6; i++) {
        const uint64_t bits = bench_random_next(random);
        switch (bits % 8) {
        case 0:
            data.args[i]--;
            break;
        case 1:
            data.args[i] ^= UINT64_C(1) << (bits >> 8) % 64;
            break;
        case 2:
            data.args[i] |= UINT64_MAX << 32;
            break;
        default:
            break;
        }
    }
    return data;
}

static bool decides_as(const struct brig_dsl_rules *rules, const struct bench_code *code, const struct brig_dsl_data *data)
{
    return peer_action(brig_dsl_interpret(code->insns, code->count, data, NULL).ret) ==
           peer_action(brig_dsl_evaluate(rules, data, NULL));
}

static bool decides_call_as(const struct brig_dsl_rules *rules, const struct bench_code *code, const struct bench_call *call)
{
    enum { VARIANTS = 8 };
    struct bench_random random = {call->nr};
    for (size_t i = 0; i < call->input_count; i++) {
        struct brig_dsl_data data = call->inputs[i];
        for (int variant = 0; variant < VARIANTS; variant++) {
            if (!decides_as(rules, code, &data)) {
                return false;
            }
            data = vary(call->inputs[i], &random);
        }
    }
    return true;
}

static bool is_same(const struct brig_dsl_rules *rules, const struct bench_code *theirs, const struct bench_inputs *inputs,
                    char *ret_why_not)
{
    for (size_t i = 0; i < inputs->call_count; i++) {
        const struct bench_call *call = &inputs->calls[i];
        const enum brig_dsl_call name = brig_dsl_call_by_nr(call->nr, brig_dsl_arch_native());
        if (name != BRIG_SYS_NONE && !decides_call_as(rules, theirs, call)) {
            snprintf(ret_why_not, BENCH_TEXT_BYTES, "not expressible: libseccomp's program decides %s in another way",
                     brig_dsl_call_name(name));
            return false;
        }
    }
    return true;
}

// --- entry ------------------------------------------------------------------------------------------------------------

// Returns: whether other rules would not help: these make peers, or more than libseccomp can compile.
static bool try_rules(const struct peer_rules *peer_rules, const struct brig_dsl_rules *rules, const struct bench_inputs *inputs,
                      struct bench_result results[BENCH_COMPILER_COUNT])
{
    bool is_final = true;
    for (uint32_t level = 1; level <= 2; level++) {
        struct bench_result *result = &results[BENCH_LIBSECCOMP_1 + level - 1];
        if (peer_rules->why_not[0] != '\0') {
            snprintf(result->why_not, sizeof result->why_not, "%s", peer_rules->why_not);
            is_final = false;
        } else if (peer_compile(peer_rules, level, &result->code, result->why_not) &&
                   !is_same(rules, &result->code, inputs, result->why_not)) {
            result->code.count = 0;
            is_final = false;
        }
    }
    return is_final;
}

struct peer_rules *peer_make(const struct brig_dsl_rules *rules, const struct bench_inputs *inputs,
                             struct bench_result results[BENCH_COMPILER_COUNT])
{
    results[BENCH_LIBSECCOMP_1].is_wanted = results[BENCH_LIBSECCOMP_2].is_wanted = true;
    // In the policy's own words first: shorter, and what people would write.
    struct peer_rules *in_order = peer_rules_make(rules, true);
    if (!in_order || try_rules(in_order, rules, inputs, results)) {
        return in_order;
    }
    peer_rules_free(in_order);
    struct peer_rules *apart = peer_rules_make(rules, false);
    if (apart) {
        try_rules(apart, rules, inputs, results);
    }
    return apart;
}

bool peer_make_reference(const struct brig_dsl_rules *rules, struct bench_code *ret_code)
{
    char why_not[BENCH_TEXT_BYTES];
    struct peer_rules *in_order = peer_rules_make(rules, true);
    const bool is_made = in_order && in_order->why_not[0] == '\0' && peer_compile(in_order, 1, ret_code, why_not);
    peer_rules_free(in_order);
    return is_made;
}

void peer_version(char *ret_text, size_t text_bytes)
{
    const struct scmp_version *version = seccomp_version();
    snprintf(ret_text, text_bytes, "%u.%u.%u", version->major, version->minor, version->micro);
}
