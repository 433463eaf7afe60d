// coverage: see coverage.h. Paths are followed from the start; what they ask of each word is kept as it stands, and a word that
// answers all of it is looked for bit by bit.
#include "tests/bpf_dsl/coverage.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 16 };

struct demand {
    uint32_t word;
    uint32_t mask;
    uint16_t op;
    uint32_t k;
    bool holds;
};

struct search {
    const struct sock_filter *insns;
    uint32_t count;
    uint32_t target;
    bool target_holds;
    bool reaches[BPF_MAXINSNS]; // the target, from here
    struct demand demands[BPF_MAXINSNS];
    uint32_t demand_count;
    long steps;
};

static bool is_test(const struct sock_filter *insn)
{
    return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA;
}

uint32_t coverage_run(const struct sock_filter *insns, uint32_t count, const struct brig_dsl_data *data, unsigned char *covered)
{
    unsigned char trace[BPF_MAXINSNS];
    memset(trace, 0, count);
    uint32_t ret = brig_dsl_interpret(insns, count, data, trace).ret;
    // A test held if the next instruction that ran is its target for "yes"; equal targets cannot be told apart, and need not be.
    for (uint32_t at = 0; at < count; at++) {
        if (!trace[at]) {
            continue;
        }
        covered[at] |= COVERED_RAN;
        if (is_test(&insns[at])) {
            uint32_t next = at + 1;
            while (!trace[next]) {
                next++;
            }
            covered[at] |= next == at + 1 + insns[at].jt ? COVERED_YES : 0;
            covered[at] |= next == at + 1 + insns[at].jf ? COVERED_NO : 0;
        }
    }
    return ret;
}

// --- one word ---------------------------------------------------------------------------------------------------------

// Whether a word with undecided `free` bits can (1), must (2) or must not (0) answer a demand.
static int judge(const struct demand *demand, uint32_t free, uint32_t fixed)
{
    uint32_t lo = fixed & demand->mask;
    uint32_t hi = (fixed | free) & demand->mask;
    bool can;
    bool must;
    switch (demand->op) {
    case BPF_JEQ:
        can = ((lo ^ demand->k) & ~(free & demand->mask)) == 0;
        must = can && lo == hi;
        break;
    case BPF_JGT:
        can = hi > demand->k;
        must = lo > demand->k;
        break;
    case BPF_JGE:
        can = hi >= demand->k;
        must = lo >= demand->k;
        break;
    default:
        can = (hi & demand->k) != 0;
        must = (lo & demand->k) != 0;
        break;
    }
    if (demand->holds) {
        return can + must;
    }
    return !must + !can;
}

static bool find_word(const struct search *search, uint32_t word, uint32_t free, uint32_t fixed, uint32_t *ret_word)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < search->demand_count; i++) {
        const struct demand *demand = &search->demands[i];
        int judged = demand->word == word ? judge(demand, free, fixed) : 2;
        if (judged == 0) {
            return false;
        }
        open |= judged == 1 ? demand->mask : 0;
    }
    open &= free;
    if (open == 0) {
        *ret_word = fixed;
        return true;
    }
    uint32_t bit = 0x80000000u >> __builtin_clz(open);
    return find_word(search, word, free & ~bit, fixed, ret_word) || find_word(search, word, free & ~bit, fixed | bit, ret_word);
}

// --- paths ------------------------------------------------------------------------------------------------------------

static void mark_reaching(struct search *search)
{
    for (uint32_t at = search->count; at-- > 0;) {
        const struct sock_filter *insn = &search->insns[at];
        if (at == search->target) {
            search->reaches[at] = true;
        } else if (is_test(insn)) {
            search->reaches[at] = search->reaches[at + 1 + insn->jt] || search->reaches[at + 1 + insn->jf];
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            search->reaches[at] = search->reaches[at + 1 + insn->k];
        } else {
            search->reaches[at] = BPF_CLASS(insn->code) != BPF_RET && search->reaches[at + 1];
        }
    }
}

static bool fill(const struct search *search, struct brig_dsl_data *data)
{
    uint32_t words[WORDS];
    for (uint32_t word = 0; word < WORDS; word++) {
        if (!find_word(search, word, UINT32_MAX, 0, &words[word])) {
            return false;
        }
    }
    *data = (struct brig_dsl_data){.nr = words[0], .audit_arch = words[1], .ip = words[2] | (uint64_t)words[3] << 32};
    for (int i = 0; i < 6; i++) {
        data->args[i] = words[4 + 2 * i] | (uint64_t)words[5 + 2 * i] << 32;
    }
    return true;
}

// What A holds.
struct masked {
    uint32_t word;
    uint32_t mask;
};

static bool follow(struct search *search, uint32_t at, struct masked a, struct brig_dsl_data *data);

static bool follow_side(struct search *search, uint32_t at, struct masked a, bool holds, struct brig_dsl_data *data)
{
    const struct sock_filter *insn = &search->insns[at];
    uint32_t next = at + 1u + (holds ? insn->jt : insn->jf);
    uint32_t unused;
    bool is_target = at == search->target;
    if (is_target ? holds != search->target_holds : !search->reaches[next]) {
        return false;
    }
    search->demands[search->demand_count++] = (struct demand){a.word, a.mask, BPF_OP(insn->code), insn->k, holds};
    bool found =
        find_word(search, a.word, UINT32_MAX, 0, &unused) && (is_target ? fill(search, data) : follow(search, next, a, data));
    search->demand_count--;
    return found;
}

static bool follow(struct search *search, uint32_t at, struct masked a, struct brig_dsl_data *data)
{
    for (;;) {
        const struct sock_filter *insn = &search->insns[at];
        if (++search->steps > 2000000) {
            abort(); // more paths than a test should have
        }
        if (is_test(insn)) {
            return follow_side(search, at, a, true, data) || follow_side(search, at, a, false, data);
        }
        if (at == search->target) {
            return fill(search, data);
        }
        switch (insn->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            a = (struct masked){insn->k / 4, UINT32_MAX};
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a.mask &= insn->k;
            break;
        case BPF_JMP | BPF_JA:
            at += insn->k;
            break;
        default:
            return false;
        }
        at++;
        if (!search->reaches[at]) {
            return false;
        }
    }
}

static bool cover(const struct sock_filter *insns, uint32_t count, uint32_t target, bool holds, unsigned char *covered)
{
    static struct search search;
    struct brig_dsl_data data;
    memset(&search, 0, sizeof search);
    search.insns = insns;
    search.count = count;
    search.target = target;
    search.target_holds = holds;
    mark_reaching(&search);
    if (!follow(&search, 0, (struct masked){0, 0}, &data)) {
        return false;
    }
    coverage_run(insns, count, &data, covered);
    return true;
}

uint32_t coverage_complete(const struct sock_filter *insns, uint32_t count, unsigned char *covered)
{
    for (uint32_t at = 0; at < count; at++) {
        bool test = is_test(&insns[at]);
        bool same = test && insns[at].jt == insns[at].jf;
        bool ran = (covered[at] & COVERED_RAN) != 0;
        bool yes = !test || same || (covered[at] & COVERED_YES) != 0;
        bool no = !test || same || (covered[at] & COVERED_NO) != 0;
        if ((!yes && !cover(insns, count, at, true, covered)) || (!no && !cover(insns, count, at, false, covered)) ||
            (!ran && (covered[at] & COVERED_RAN) == 0 && !cover(insns, count, at, true, covered))) {
            return at;
        }
    }
    return count;
}
