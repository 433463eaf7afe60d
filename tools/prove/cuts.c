// cuts: where to split the numbers and the arches, so that each part sees few tests that it does not know the answer of.
//
// Takes: programs. Gives: sorted intervals that cover all 32-bit values. Guarantees: none for the answer: whatever the cuts, all
// parts together are all inputs, and a test that still varies within a part is left to Z3. Weaknesses: follows nr and arch through
// A alone; a program that moves them through X or M[] before it compares is cut too little.
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "tools/prove/parts.h"

void prove_cuts_add(struct prove_cuts *cuts, uint32_t start)
{
    if (cuts->count == cuts->capacity) {
        size_t capacity = cuts->capacity == 0 ? 256 : cuts->capacity * 2;
        uint32_t *starts = realloc(cuts->starts, capacity * sizeof *starts);
        if (starts == NULL) {
            cuts->is_broken = true;
            return;
        }
        cuts->starts = starts;
        cuts->capacity = capacity;
    }
    cuts->starts[cuts->count++] = start;
}

void prove_cuts_add_point(struct prove_cuts *cuts, uint32_t value)
{
    prove_cuts_add(cuts, value);
    if (value < UINT32_MAX) {
        prove_cuts_add(cuts, value + 1);
    }
}

// A test of high bits, as for x32's, has one answer per run of numbers.
static void add_bit(struct prove_cuts *cuts, uint32_t bit)
{
    enum { LOWEST_BIT = 1 << 28 };
    if (bit >= LOWEST_BIT && (bit & (bit - 1)) == 0) {
        for (uint64_t start = bit; start <= UINT32_MAX; start += bit) {
            prove_cuts_add(cuts, (uint32_t)start);
        }
    }
}

static void add_test(struct prove_cuts *cuts, const struct sock_filter *insn)
{
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ:
        prove_cuts_add_point(cuts, insn->k);
        break;
    case BPF_JGE:
        prove_cuts_add(cuts, insn->k);
        break;
    case BPF_JGT:
        if (insn->k < UINT32_MAX) {
            prove_cuts_add(cuts, insn->k + 1);
        }
        break;
    case BPF_JSET:
        add_bit(cuts, insn->k);
        break;
    }
}

void prove_cuts_collect(struct prove_cuts *cuts, const struct prove_program *program, uint32_t word)
{
    bool may_hold[BPF_MAXINSNS] = {false}; // whether A may hold the word before each instruction
    for (size_t at = 0; at + 1 < program->insn_count; at++) {
        const struct sock_filter *insn = &program->insns[at];
        bool is_jump = BPF_CLASS(insn->code) == BPF_JMP;
        if (is_jump && BPF_OP(insn->code) == BPF_JA) {
            may_hold[at + 1 + insn->k] |= may_hold[at];
        } else if (is_jump) {
            may_hold[at + 1 + insn->jt] |= may_hold[at];
            may_hold[at + 1 + insn->jf] |= may_hold[at];
            if (may_hold[at] && BPF_SRC(insn->code) == BPF_K) {
                add_test(cuts, insn);
            }
        } else if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
            may_hold[at + 1] |= insn->k == 4 * word;
        } else if (BPF_CLASS(insn->code) == BPF_LDX || BPF_CLASS(insn->code) == BPF_ST || BPF_CLASS(insn->code) == BPF_STX ||
                   insn->code == (BPF_MISC | BPF_TAX)) {
            may_hold[at + 1] |= may_hold[at]; // A stays
        }
    }
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

bool prove_cuts_finish(struct prove_cuts *cuts)
{
    size_t kept = 0;
    prove_cuts_add(cuts, 0);
    if (cuts->is_broken) {
        return false;
    }
    qsort(cuts->starts, cuts->count, sizeof *cuts->starts, compare);
    for (size_t i = 0; i < cuts->count; i++) {
        if (kept == 0 || cuts->starts[kept - 1] != cuts->starts[i]) {
            cuts->starts[kept++] = cuts->starts[i];
        }
    }
    cuts->count = kept;
    return true;
}

uint32_t prove_cuts_end(const struct prove_cuts *cuts, size_t index)
{
    return index + 1 < cuts->count ? cuts->starts[index + 1] - 1 : UINT32_MAX;
}

void prove_cuts_free(struct prove_cuts *cuts)
{
    free(cuts->starts);
    *cuts = (struct prove_cuts){.starts = NULL};
}
