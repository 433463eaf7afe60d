// check_sides: which values of a word go which way at a test.
//
// Takes: what a path knows, and the test that it comes to. Gives: both sides as ranges of the word under a mask. Guarantees: a side
// that is empty is taken by no call, and for facts that some call has, a side that is not empty is taken by one, unless it would
// take long to find that one (dsl_check_has_call): then nothing wrong is said, but a test may be kept that has only one side.
#include "bpf_dsl/check_parts.h"

#include <linux/filter.h>

#define ALL UINT32_MAX

static const struct check_range nothing = {.lo = 1, .hi = 0};

// The values of a set that are in `part`. Of a set without gaps every part is what it seems that has more values than holes.
static struct check_range fit(struct check_facts *facts, const struct check_set *set, struct check_range part)
{
    if (dsl_check_is_empty(&part) || (part.hi - part.lo >= part.hole_count && dsl_check_is_gapless(set))) {
        return part;
    }
    const struct check_set narrowed = {part, set->free, set->fixed};
    return dsl_check_fit(facts, &narrowed);
}

struct check_range dsl_check_part(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range values)
{
    const struct check_set set = dsl_check_set_of(facts, word, mask);
    struct check_range part = fit(facts, &set, dsl_check_clamp(set.range, values.lo, values.hi));
    return dsl_check_is_empty(&part) || dsl_check_has_call(facts, word, mask, part) ? part : nothing;
}

// --- tests ------------------------------------------------------------------------------------------------------------

// Where all bits that a mask takes away are known, the test is one of the whole word.
static void widen(const struct check_word *known, uint32_t *mask, uint32_t *k)
{
    if ((*mask | known->known) == ALL && (*k & ~*mask) == 0) {
        *k |= known->value & ~*mask;
        *mask = ALL;
    }
}

// Empties a side that no call takes, for all that is known of the word beside the set. Where one side is empty, calls take the
// other.
static void drop_untaken(struct check_facts *facts, struct check_sides *sides)
{
    bool is_one_set = sides->mask == ALL && facts->words[sides->word].masked == 0;
    if (is_one_set || dsl_check_is_empty(&sides->yes) || dsl_check_is_empty(&sides->no)) {
        return;
    }
    if (!dsl_check_has_call(facts, sides->word, sides->mask, sides->yes)) {
        sides->yes = nothing;
    } else if (!dsl_check_has_call(facts, sides->word, sides->mask, sides->no)) {
        sides->no = nothing;
    }
}

void dsl_check_sides(struct check_facts *facts, const struct check_register *a, const struct sock_filter *insn,
                     struct check_sides *ret_sides)
{
    uint32_t k = insn->k;
    uint32_t mask = a->mask;
    if (BPF_OP(insn->code) == BPF_JSET) {
        mask &= k;
    } else {
        widen(&facts->words[a->word], &mask, &k);
    }
    ret_sides->word = a->word;
    ret_sides->mask = mask;
    const struct check_set set = dsl_check_set_of(facts, a->word, mask);
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ:
        ret_sides->yes = dsl_check_set_meets(facts, &set, k, k) ? (struct check_range){.lo = k, .hi = k} : nothing;
        ret_sides->no = dsl_check_without(facts, set.range, k);
        break;
    case BPF_JGT:
        ret_sides->yes = k == ALL ? nothing : dsl_check_clamp(set.range, k + 1, ALL);
        ret_sides->no = dsl_check_clamp(set.range, 0, k);
        break;
    case BPF_JGE:
        ret_sides->yes = dsl_check_clamp(set.range, k, ALL);
        ret_sides->no = k == 0 ? nothing : dsl_check_clamp(set.range, 0, k - 1);
        break;
    default: // JSET
        ret_sides->yes = dsl_check_clamp(set.range, 1, ALL);
        ret_sides->no = dsl_check_clamp(set.range, 0, 0);
        break;
    }
    if (ret_sides->yes.hole != 0 || ret_sides->no.hole != 0 || !dsl_check_is_gapless(&set)) {
        ret_sides->yes = fit(facts, &set, ret_sides->yes);
        ret_sides->no = fit(facts, &set, ret_sides->no);
    }
    drop_untaken(facts, ret_sides);
}

// --- shifted words ----------------------------------------------------------------------------------------------------

struct check_shifted dsl_check_shifted(const struct check_facts *facts, const struct check_register *held)
{
    // Where all bits that the mask takes away are known, it is the whole word that was subtracted from.
    const struct check_word *known = &facts->words[held->word];
    bool is_whole = (held->mask | known->known) == ALL;
    uint32_t mask = is_whole ? ALL : held->mask;
    return (struct check_shifted){.word = held->word,
                                  .mask = mask,
                                  .set = dsl_check_set_of(facts, held->word, mask),
                                  .minus = held->minus + (is_whole ? known->value & ~held->mask : 0)};
}

bool dsl_check_is_bit_number(const struct check_shifted *shifted)
{
    return shifted->set.range.lo >= shifted->minus && shifted->set.range.hi - shifted->minus < 32;
}
