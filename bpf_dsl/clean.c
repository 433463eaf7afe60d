// clean: leaves out instructions that are never run.
//
// Takes: a valid program, and where it is known which sides of its tests calls take. Gives: the program without what nothing jumps
// to, without tests that always go one way or lead to one place, and without jumps to what stands behind them. Requires: nothing.
// Guarantees: jumps only become shorter, so the result is valid. Weaknesses: a test that always goes one way leaves a jump behind
// where that way is far.
#include "bpf_dsl/clean.h"

#include <string.h>

static bool is_test(const struct sock_filter *insn)
{
    return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA;
}

// Marks what can be reached, without looking at what is tested.
static void reach(const struct dsl_code *code, unsigned char *reached)
{
    memset(reached, 0, code->count);
    reached[0] = 1;
    for (uint32_t at = 0; at < code->count; at++) {
        const struct sock_filter *insn = &code->insns[at];
        if (!reached[at] || BPF_CLASS(insn->code) == BPF_RET) {
            continue;
        }
        if (BPF_CLASS(insn->code) != BPF_JMP) {
            reached[at + 1] = 1;
        } else if (BPF_OP(insn->code) == BPF_JA) {
            reached[at + 1 + insn->k] = 1;
        } else {
            reached[at + 1 + insn->jt] = 1;
            reached[at + 1 + insn->jf] = 1;
        }
    }
}

// Makes jumps of tests whose sides lead to one place without doing anything.
static void make_jumps(const struct dsl_code *code, struct sock_filter *ret_insns)
{
    uint16_t leads[BPF_MAXINSNS]; // where one comes from each instruction so
    for (uint32_t at = code->count; at-- > 0;) {
        struct sock_filter *insn = &ret_insns[at];
        *insn = code->insns[at];
        if (is_test(insn) && leads[at + 1 + insn->jt] == leads[at + 1 + insn->jf]) {
            *insn = (struct sock_filter){.code = BPF_JMP | BPF_JA, .k = insn->jt < insn->jf ? insn->jt : insn->jf};
        }
        leads[at] = insn->code == (BPF_JMP | BPF_JA) ? leads[at + 1 + insn->k] : (uint16_t)at;
    }
}

// A jump over nothing that stays is left out; who jumps to it comes to what stands behind it.
static void drop_jumps(const struct dsl_code *code, unsigned char *kept)
{
    for (uint32_t at = code->count; at-- > 0;) {
        const struct sock_filter *insn = &code->insns[at];
        bool is_jump = kept[at] && insn->code == (BPF_JMP | BPF_JA);
        for (uint32_t over = at + 1; is_jump && over < at + 1 + insn->k; over++) {
            is_jump = !kept[over];
        }
        kept[at] = kept[at] && !is_jump;
    }
}

struct dsl_code dsl_clean(const struct dsl_code *code, struct brig_dsl_arena *arena)
{
    unsigned char kept[BPF_MAXINSNS];
    uint32_t place[BPF_MAXINSNS];
    uint32_t count = 0;
    struct sock_filter *insns = DSL_ARENA_ARRAY(arena, struct sock_filter, code->count);
    if (insns == NULL) {
        return (struct dsl_code){.insns = NULL};
    }
    make_jumps(code, insns);
    const struct dsl_code jumping = {insns, code->count};
    reach(&jumping, kept);
    drop_jumps(&jumping, kept);
    for (uint32_t at = 0; at < code->count; at++) {
        place[at] = count;
        count += kept[at];
    }
    for (uint32_t at = 0; at < code->count; at++) { // to places that have been read
        struct sock_filter insn = insns[at];
        if (!kept[at]) {
            continue;
        }
        if (insn.code == (BPF_JMP | BPF_JA)) {
            insn.k = place[at + 1 + insn.k] - place[at] - 1;
        } else if (BPF_CLASS(insn.code) == BPF_JMP) {
            insn.jt = (uint8_t)(place[at + 1 + insn.jt] - place[at] - 1);
            insn.jf = (uint8_t)(place[at + 1 + insn.jf] - place[at] - 1);
        }
        insns[place[at]] = insn;
    }
    return (struct dsl_code){insns, count};
}

// --- tests that always go one way -------------------------------------------------------------------------------------

static bool is_one_way(const struct sock_filter *insn, unsigned char taken)
{
    return is_test(insn) && insn->jt != insn->jf && (taken == DSL_TAKEN_YES || taken == DSL_TAKEN_NO);
}

bool dsl_has_untaken(const struct dsl_code *code, const unsigned char *taken)
{
    for (uint32_t at = 0; at < code->count; at++) {
        if (is_one_way(&code->insns[at], taken[at])) {
            return true;
        }
    }
    return false;
}

// Jumps that led to a test which always goes one way lead there at once, where they reach it.
static uint8_t shorten(const struct sock_filter *insns, uint32_t at, uint8_t offset)
{
    uint32_t target = at + 1 + offset;
    while (insns[target].code == (BPF_JMP | BPF_JA) && target + insns[target].k - at <= UINT8_MAX) {
        target += 1 + insns[target].k;
    }
    return (uint8_t)(target - at - 1);
}

struct dsl_code dsl_cut_untaken(const struct dsl_code *code, const unsigned char *taken, struct brig_dsl_arena *arena)
{
    struct sock_filter *insns = DSL_ARENA_ARRAY(arena, struct sock_filter, code->count);
    if (insns == NULL) {
        return (struct dsl_code){.insns = NULL};
    }
    memcpy(insns, code->insns, code->count * sizeof *insns);
    for (uint32_t at = code->count; at-- > 0;) {
        struct sock_filter *insn = &insns[at];
        if (is_one_way(insn, taken[at])) {
            *insn = (struct sock_filter){.code = BPF_JMP | BPF_JA, .k = taken[at] == DSL_TAKEN_YES ? insn->jt : insn->jf};
        } else if (is_test(insn)) {
            insn->jt = shorten(insns, at, insn->jt);
            insn->jf = shorten(insns, at, insn->jf);
        }
    }
    const struct dsl_code cut = {insns, code->count};
    return dsl_clean(&cut, arena);
}
