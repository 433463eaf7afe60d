// check_cut: whether a program is another one without sides that no call takes.
//
// Takes: a program that was proven, which sides of its tests calls take, and what was made of it. Gives: whether the two do the
// same for all calls. How: both are followed from their starts; what is asked, computed and returned must be the same, word for
// word, but for tests of the first one that all calls leave by one side, or whose sides lead to one place. Requires: both valid.
// Guarantees: yes is exact, as far as the sides are; linear. Weaknesses: says no where one place of the first program is two places
// of the second.
#include "bpf_dsl/check.h"
#include "bpf_dsl/clean.h"

#include <linux/filter.h>
#include <string.h>

static bool is_test(const struct sock_filter *insn)
{
    return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA;
}

// Finds where calls come to from each instruction without anything being done that matters.
static void lead(const struct dsl_code *code, const unsigned char *taken, uint16_t *ret_leads)
{
    for (uint32_t at = code->count; at-- > 0;) {
        const struct sock_filter *insn = &code->insns[at];
        ret_leads[at] = (uint16_t)at;
        if (insn->code == (BPF_JMP | BPF_JA)) {
            ret_leads[at] = ret_leads[at + 1 + insn->k];
        } else if (is_test(insn)) {
            uint16_t yes = ret_leads[at + 1 + insn->jt];
            uint16_t no = ret_leads[at + 1 + insn->jf];
            unsigned char sides = taken == NULL ? DSL_TAKEN_YES | DSL_TAKEN_NO : taken[at];
            bool is_one_way = sides == DSL_TAKEN_YES || sides == DSL_TAKEN_NO || yes == no;
            ret_leads[at] = !is_one_way ? (uint16_t)at : sides == DSL_TAKEN_NO ? no : yes;
        }
    }
}

// Both programs, and which place of the second belongs to each of the first.
struct pair {
    const struct dsl_code *whole;
    const struct dsl_code *cut;
    uint16_t whole_leads[BPF_MAXINSNS];
    uint16_t cut_leads[BPF_MAXINSNS];
    uint16_t place[BPF_MAXINSNS]; // + 1; 0: none so far
};

// Notes that what comes to one comes to the other. Returns: false if it comes elsewhere, too.
static bool go(struct pair *pair, uint32_t whole_at, uint32_t cut_at)
{
    uint16_t *place = &pair->place[pair->whole_leads[whole_at]];
    uint16_t wanted = (uint16_t)(pair->cut_leads[cut_at] + 1);
    uint16_t was = *place;
    *place = wanted;
    return was == 0 || was == wanted;
}

static bool go_on(struct pair *pair, uint32_t at)
{
    uint32_t there = pair->place[at] - 1u;
    const struct sock_filter *insn = &pair->whole->insns[at];
    const struct sock_filter *other = &pair->cut->insns[there];
    if (insn->code != other->code || insn->k != other->k) {
        return false;
    }
    if (BPF_CLASS(insn->code) == BPF_RET) {
        return true;
    }
    if (is_test(insn)) {
        return go(pair, at + 1 + insn->jt, there + 1 + other->jt) && go(pair, at + 1 + insn->jf, there + 1 + other->jf);
    }
    return go(pair, at + 1, there + 1);
}

bool dsl_check_is_cut(const struct dsl_code *whole, const unsigned char *taken, const struct dsl_code *cut)
{
    struct pair pair; // the places of both programs only are set
    pair.whole = whole;
    pair.cut = cut;
    if (whole->count == 0 || cut->count == 0) {
        return false;
    }
    lead(whole, taken, pair.whole_leads);
    lead(cut, NULL, pair.cut_leads);
    memset(pair.place, 0, whole->count * sizeof pair.place[0]);
    bool is_same = go(&pair, 0, 0);
    for (uint32_t at = 0; at < whole->count && is_same; at++) { // jumps go forward
        is_same = pair.place[at] == 0 || go_on(&pair, at);
    }
    return is_same;
}
