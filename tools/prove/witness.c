// witness: a call that Z3 found, run by the interpreter and made simple.
//
// Takes: a call that should violate a relation. Gives: one that does, with as many words 0 as can be, and what both programs return
// for it. Guarantees: what is given was seen to happen; a call that does not do it is an error of Z3, of the encoding or of the
// interpreter.
#include "tools/prove/parts.h"

static bool violates(const struct prove_question *question, enum prove_relation relation, const struct brig_dsl_data *data,
                     uint32_t *ret_rets)
{
    for (int i = 0; i < 2; i++) {
        const struct prove_program *program = &question->programs[i];
        const struct prove_stack *stack = &question->stacks[i];
        ret_rets[i] = stack->count > 0 ? prove_stack_run(stack, data)
                                       : brig_dsl_interpret(program->insns, program->insn_count, data, NULL).ret;
    }
    return !prove_relation_holds(relation, ret_rets[0], ret_rets[1]);
}

// Keeps a simpler word if the call still is a witness.
static void try_word(const struct prove_question *question, enum prove_relation relation, uint64_t *word, uint64_t simpler,
                     struct prove_witness *witness)
{
    uint64_t before = *word;
    uint32_t rets[2];
    *word = simpler;
    if (!violates(question, relation, &witness->data, rets)) {
        *word = before;
    }
}

bool prove_confirm(const struct prove_question *question, enum prove_relation relation, const struct brig_dsl_data *data,
                   struct prove_witness *ret_witness)
{
    struct prove_witness witness = {.data = *data};
    if (!violates(question, relation, data, witness.rets)) {
        return false;
    }
    try_word(question, relation, &witness.data.ip, 0, &witness);
    for (size_t i = 0; i < 6; i++) {
        try_word(question, relation, &witness.data.args[i], witness.data.args[i] & UINT32_MAX, &witness);
        try_word(question, relation, &witness.data.args[i], 0, &witness);
        for (unsigned bit = 64; bit > 0 && witness.data.args[i] != 0; bit--) {
            try_word(question, relation, &witness.data.args[i], witness.data.args[i] & ~(UINT64_C(1) << (bit - 1)), &witness);
        }
    }
    violates(question, relation, &witness.data, witness.rets);
    *ret_witness = witness;
    return true;
}
