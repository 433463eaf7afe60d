// terms: see terms.h.
//
// Takes: instructions as symbolic_write.c writes them: what stands on the right is kept in X, or in a cell where the other side
// needs X; then comes what stands on the left and the operation; cells are nested, so read from the end each operation finds its
// two sides. Gives: the same with operators, a pair of parentheses for each operation that is part of another. Guarantees: numbers
// are of 32 bits and wrap around; a number beyond 2^31 that is added is shown as one that is taken away. Weakness: what the
// decompiler made of the program's own instructions is shown, not they: a comparison of two words is the borrow of a subtraction.
#include "bpf_dsl/terms.h"

struct writer {
    const struct brig_dsl_sink *sink;
    const struct sock_filter *insns;
    dsl_put_word_function *put_word;
};

static const char *operator_of(uint16_t op)
{
    static const char *const operators[] = {
        [BPF_ADD >> 4] = " + ", [BPF_SUB >> 4] = " - ",  [BPF_MUL >> 4] = " * ",  [BPF_DIV >> 4] = " / ", [BPF_OR >> 4] = " | ",
        [BPF_AND >> 4] = " & ", [BPF_LSH >> 4] = " << ", [BPF_RSH >> 4] = " >> ", [BPF_XOR >> 4] = " ^ ",
    };
    return (size_t)op >> 4 < sizeof operators / sizeof operators[0] && operators[op >> 4] ? operators[op >> 4] : " ? ";
}

static void put_with_constant(const struct brig_dsl_sink *sink, const struct sock_filter *insn)
{
    const bool is_less = BPF_OP(insn->code) == BPF_ADD && insn->k > INT32_MAX;
    dsl_put(sink, operator_of(is_less ? BPF_SUB : BPF_OP(insn->code)));
    if (BPF_OP(insn->code) == BPF_LSH || BPF_OP(insn->code) == BPF_RSH) {
        dsl_put_decimal(sink, insn->k);
    } else {
        dsl_put_hex(sink, is_less ? 0 - insn->k : insn->k);
    }
}

// Where the side ends that was kept by `code`, in `cell` if that is a store. Returns: the index of what kept it; 0 if nothing did.
static uint32_t find_kept(const struct writer *writer, uint32_t end, uint16_t code, uint32_t cell)
{
    while (end > 0 && (writer->insns[end - 1].code != code || writer->insns[end - 1].k != cell)) {
        end--;
    }
    return end == 0 ? 0 : end - 1;
}

static void put_value(const struct writer *writer, uint32_t end, bool is_part);

static void put_by_x(const struct writer *writer, uint32_t end)
{
    const struct sock_filter *before = &writer->insns[end - 2];
    const bool is_cell = before->code == (BPF_LDX | BPF_MEM); // ..., st M[k], ..., ldx M[k], op x; else ..., tax, ..., op x
    uint32_t left = is_cell ? end - 2 : end - 1;
    put_value(writer, left, true);
    dsl_put(writer->sink, operator_of(BPF_OP(writer->insns[end - 1].code)));
    put_value(writer, is_cell ? find_kept(writer, left, BPF_ST, before->k) : find_kept(writer, left, BPF_MISC | BPF_TAX, 0), true);
}

// Writes what the instructions before `end` leave in A: 0 where there are none.
static void put_value(const struct writer *writer, uint32_t end, bool is_part)
{
    static const struct sock_filter zero = {.code = BPF_LD | BPF_IMM};
    const struct sock_filter *last = end == 0 ? &zero : &writer->insns[end - 1];
    if (last->code == (BPF_LD | BPF_IMM)) {
        dsl_put_hex(writer->sink, last->k);
        return;
    }
    if (BPF_CLASS(last->code) != BPF_ALU) {
        writer->put_word(writer->sink, last->k / 4);
        return;
    }
    const bool is_not = last->code == (BPF_ALU | BPF_XOR | BPF_K) && last->k == UINT32_MAX;
    if (is_not || last->code == (BPF_ALU | BPF_NEG)) {
        dsl_put(writer->sink, is_not ? "~" : "-");
        put_value(writer, end - 1, true);
        return;
    }
    dsl_put(writer->sink, is_part ? "(" : "");
    if (BPF_SRC(last->code) == BPF_K) {
        put_value(writer, end - 1, true);
        put_with_constant(writer->sink, last);
    } else {
        put_by_x(writer, end);
    }
    dsl_put(writer->sink, is_part ? ")" : "");
}

void dsl_put_term(const struct brig_dsl_sink *sink, const struct dsl_term *term, dsl_put_word_function *put_word)
{
    put_value(&(struct writer){sink, term->insns, put_word}, term->count, false);
}

// --- all of a graph ---------------------------------------------------------------------------------------------------

static void put_word(const struct brig_dsl_sink *sink, uint32_t word)
{
    static const char *const names[DSL_WORD_ARGUMENTS] = {"nr", "arch", "ip.lo", "ip.hi"};
    if (word < DSL_WORD_ARGUMENTS) {
        dsl_put(sink, names[word]);
        return;
    }
    dsl_put(sink, "args[");
    dsl_put_decimal(sink, (word - DSL_WORD_ARGUMENTS) / 2);
    dsl_put(sink, word % 2 == 0 ? "].lo" : "].hi");
}

static void count(void *context, const char *text, size_t text_bytes)
{
    (void)text;
    *(size_t *)context += text_bytes;
}

static const char *describe(const struct dsl_term *term, struct brig_dsl_arena *arena)
{
    size_t bytes = 1;
    const struct brig_dsl_sink counter = {.write = count, .context = &bytes};
    dsl_put_term(&counter, term, put_word);
    struct dsl_buffer buffer = {.text = DSL_ARENA_ARRAY(arena, char, bytes), .size_bytes = bytes};
    if (buffer.text != NULL) {
        const struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
        dsl_put_term(&sink, term, put_word);
    }
    return buffer.text;
}

const char *const *dsl_terms_describe(const struct dsl_decisions *graph, struct brig_dsl_arena *arena)
{
    const char **texts = DSL_ARENA_ARRAY(arena, const char *, DSL_TERMS_MAX + graph->given_count);
    for (uint32_t i = 0; i < graph->term_count && !arena->exhausted; i++) {
        texts[i] = describe(&graph->terms[i], arena);
    }
    for (uint32_t i = 0; i < graph->given_count && !arena->exhausted; i++) {
        texts[DSL_TERMS_MAX + i] = describe(&graph->given[i], arena);
    }
    return arena->exhausted ? NULL : texts;
}
