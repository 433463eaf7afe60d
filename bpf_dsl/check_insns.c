// check_insns: what can be said about a program as text, before any path is walked.
//
// Takes: a valid program. Gives: for each instruction what may be loaded from there on, how long the way to a return is, and
// whether ways met there, or since the last load, that X does not tell apart below. Requires: nothing. Guarantees: linear; jumps go
// forward, so one look from the end to the start knows everything below. Weaknesses: says what may happen, for ways that no call
// takes as well.
#include "bpf_dsl/check_parts.h"

#include <linux/filter.h>
#include <string.h>

enum { CHECK_PICKS = 16 }; // shifts by X that one path may come by

static void follow(struct check_insn *about, uint32_t from, uint32_t to, uint8_t *ways)
{
    about[from].words |= about[to].words;
    about[from].reads_x |= about[to].reads_x;
    uint16_t depth = (uint16_t)(about[to].depth + 1);
    about[from].depth = depth > about[from].depth ? depth : about[from].depth;
    ways[to] = ways[to] < 2 ? (uint8_t)(ways[to] + 1) : 2;
}

// Ways that meet behind a load meet at the next one: nothing is asked in between but what they asked already.
static void pass_on(const struct sock_filter *insn, uint32_t pc, uint8_t *ways)
{
    if (insn->code == (BPF_JMP | BPF_JA)) {
        ways[pc + 1 + insn->k] = 2;
    } else if (BPF_CLASS(insn->code) == BPF_JMP) {
        ways[pc + 1 + insn->jt] = 2;
        ways[pc + 1 + insn->jf] = 2;
    } else if (BPF_CLASS(insn->code) != BPF_RET && insn->code != (BPF_LD | BPF_W | BPF_ABS)) {
        ways[pc + 1] = 2;
    }
}

const struct check_insn *dsl_check_read_insns(const struct dsl_check_walk *walk, struct brig_dsl_arena *arena)
{
    struct check_insn *about = DSL_ARENA_ARRAY(arena, struct check_insn, walk->insn_count);
    uint8_t *ways = DSL_ARENA_ARRAY(arena, uint8_t, walk->insn_count);
    if (about == NULL || ways == NULL) {
        return NULL;
    }
    memset(about, 0, walk->insn_count * sizeof *about);
    memset(ways, 0, walk->insn_count);
    for (uint32_t pc = walk->insn_count; pc-- > 0;) {
        const struct sock_filter *insn = &walk->insns[pc];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            follow(about, pc, pc + 1 + insn->k, ways);
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            follow(about, pc, pc + 1 + insn->jt, ways);
            follow(about, pc, pc + 1 + insn->jf, ways);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            follow(about, pc, pc + 1, ways);
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
        about[pc].is_join = ways[pc] > 1 && !about[pc].reads_x;
        if (ways[pc] > 1) {
            pass_on(&walk->insns[pc], pc, ways);
        }
    }
    return about;
}

uint32_t dsl_check_count_picks(const struct dsl_check_walk *walk)
{
    uint32_t picks = 0;
    for (uint32_t i = 0; i < walk->insn_count && picks < CHECK_PICKS; i++) {
        picks += walk->insns[i].code == (BPF_ALU | BPF_RSH | BPF_X);
    }
    return picks;
}
