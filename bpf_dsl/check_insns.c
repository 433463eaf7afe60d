// check_insns: what can be said about a program as text, before any path is walked.
//
// Takes: a valid program. Gives: how deep it is; for long walks, for each instruction what may be loaded from there on, whether X
// may be looked at below, and whether ways met there or since the last load. Requires: nothing. Guarantees: linear; jumps go
// forward, so one look from the end to the start knows everything below. Weaknesses: says what may happen, for ways that no call
// takes as well.
#include "bpf_dsl/check_parts.h"

#include <linux/filter.h>
#include <string.h>

enum {
    CHECK_PICKS = 16, // shifts by X that one path may come by
    CHECK_SHORT = 64, // instructions of a program whose paths are taken to be as long as itself
};

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

// Returns: false when the arena is exhausted.
static bool measure_depth(const struct dsl_check_walk *walk, struct brig_dsl_arena *arena, uint32_t *ret_depth)
{
    uint16_t *depth = DSL_ARENA_ARRAY(arena, uint16_t, walk->insn_count);
    if (depth == NULL) {
        return false;
    }
    for (uint32_t pc = walk->insn_count; pc-- > 0;) {
        const struct sock_filter *insn = &walk->insns[pc];
        uint32_t below = 0;
        if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA) {
            below = 1u + larger(depth[pc + 1 + insn->jt], depth[pc + 1 + insn->jf]);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            below = 1u + depth[pc + 1 + (BPF_CLASS(insn->code) == BPF_JMP ? insn->k : 0)];
        }
        depth[pc] = (uint16_t)below;
    }
    *ret_depth = depth[0];
    return true;
}

bool dsl_check_measure(const struct dsl_check_walk *walk, struct brig_dsl_arena *arena, uint32_t *ret_depth, uint32_t *ret_picks)
{
    uint32_t picks = 0;
    for (uint32_t pc = 0; pc < walk->insn_count; pc++) {
        picks += walk->insns[pc].code == (BPF_ALU | BPF_RSH | BPF_X);
    }
    *ret_depth = walk->insn_count;
    *ret_picks = picks < CHECK_PICKS ? picks : CHECK_PICKS;
    return walk->insn_count <= CHECK_SHORT || measure_depth(walk, arena, ret_depth);
}

static void follow(struct check_insn *about, uint32_t from, uint32_t to)
{
    about[from].words |= about[to].words;
    about[from].reads_x |= about[to].reads_x;
    uint32_t ends = (uint32_t)about[from].ends + about[to].ends;
    about[from].ends = (uint16_t)(ends < CHECK_MOST_ENDS ? ends : CHECK_MOST_ENDS);
    about[to].ways = about[to].ways == 0 ? 1 : 2;
}

// Ways that meet behind a load meet at the next one: nothing is asked in between but what they asked already.
static void pass_on(const struct sock_filter *insn, struct check_insn *about)
{
    if (insn->code == (BPF_JMP | BPF_JA)) {
        about[1 + insn->k].ways = 2;
    } else if (BPF_CLASS(insn->code) == BPF_JMP) {
        about[1 + insn->jt].ways = 2;
        about[1 + insn->jf].ways = 2;
    } else if (BPF_CLASS(insn->code) != BPF_RET && insn->code != (BPF_LD | BPF_W | BPF_ABS)) {
        about[1].ways = 2;
    }
}

void dsl_check_read_insns(struct dsl_check_walk *walk)
{
    struct check_insn *about = walk->about;
    memset(about, 0, walk->insn_count * sizeof *about);
    for (uint32_t pc = walk->insn_count; pc-- > 0;) {
        const struct sock_filter *insn = &walk->insns[pc];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            follow(about, pc, pc + 1 + insn->k);
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            follow(about, pc, pc + 1 + insn->jt);
            follow(about, pc, pc + 1 + insn->jf);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            follow(about, pc, pc + 1);
        } else {
            about[pc].ends = 1;
        }
        if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
            about[pc].words |= (uint16_t)(1u << insn->k / 4);
        }
        if (insn->code == (BPF_MISC | BPF_TAX)) {
            about[pc].reads_x = false;
        } else if (insn->code == (BPF_ALU | BPF_RSH | BPF_X)) { // nothing else that looks at X is followed
            about[pc].reads_x = true;
        }
    }
    for (uint32_t pc = 0; pc < walk->insn_count; pc++) {
        if (about[pc].ways > 1) {
            pass_on(&walk->insns[pc], &about[pc]);
        }
    }
    walk->is_read = true;
}
