// check_values: what registers hold while programs are compared.
//
// Takes: instructions and facts. Gives: what a test says for which values of a word. A value is a constant, or (word & mask) with
// up to eight operations by constants on top, or a term (check_terms.c). How a test of a word with operations is split: the range
// that the facts leave is halved until interval arithmetic knows the answer for each part; for one number it always does.
// Guarantees: exact. Weaknesses: tests of terms, and those whose answer changes more often than CHECK_PIECES times, are not split
// here; check_asked.c has them.
#include "bpf_dsl/check_values.h"

#include <string.h>

#define ALL UINT32_MAX

enum { VALUE_CONSTANT, VALUE_WORD, VALUE_TERM, VALUE_UNKNOWN };
enum { VALUE_OPS = 8, VALUE_SPANS = 2048 };

struct value_op {
    uint16_t op;      // BPF_ADD ...
    uint16_t is_left; // k op value instead of value op k
    uint32_t k;
};

struct value {
    uint32_t kind;
    uint32_t word;
    uint32_t mask; // CONSTANT: the value; TERM: which
    uint32_t count;
    struct value_op ops[VALUE_OPS];
};

// --- values -----------------------------------------------------------------------------------------------------------

static bool same_value(const void *node, const void *key)
{
    return memcmp(node, key, sizeof(struct value)) == 0;
}

static uint32_t keep(struct check_values *values, const struct value *key)
{
    uint64_t hash = dsl_hash((uint64_t)key->kind << 32 | key->word, (uint64_t)key->mask << 32 | key->count);
    for (uint32_t i = 0; i < key->count; i++) {
        hash = dsl_hash(hash, (uint64_t)key->ops[i].k << 32 | (uint32_t)key->ops[i].op << 1 | key->ops[i].is_left);
    }
    uint32_t id = dsl_intern_find(&values->values, dsl_hash_end(hash), same_value, key);
    if (id != DSL_INTERN_NONE) {
        return id;
    }
    struct value *kept = DSL_ARENA_NEW(values->values.arena, struct value);
    if (kept == NULL) {
        return DSL_INTERN_NONE;
    }
    *kept = *key;
    return dsl_intern_add(&values->values, dsl_hash_end(hash), kept);
}

static const struct value *value_of(const struct check_values *values, uint32_t id)
{
    static const struct value unknown = {.kind = VALUE_UNKNOWN};
    return id == DSL_INTERN_NONE ? &unknown : dsl_intern_get(&values->values, id);
}

uint32_t dsl_check_value_constant(struct check_values *values, uint32_t k)
{
    const struct value value = {.kind = VALUE_CONSTANT, .mask = k};
    return keep(values, &value);
}

bool dsl_check_values_init(struct check_values *values, struct brig_dsl_arena *arena)
{
    if (!dsl_intern_init(&values->values, arena, 64) || !dsl_check_terms_init(&values->terms, arena) ||
        dsl_check_value_constant(values, 0) != CHECK_ZERO) {
        return false;
    }
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        const struct value value = {.kind = VALUE_WORD, .word = word, .mask = ALL};
        values->words[word] = keep(values, &value);
    }
    return !arena->exhausted;
}

static uint32_t apply(struct value_op op, uint32_t value)
{
    uint32_t a = op.is_left != 0 ? op.k : value;
    uint32_t b = op.is_left != 0 ? value : op.k;
    switch (op.op) {
    case BPF_ADD:
        return a + b;
    case BPF_SUB:
        return a - b;
    case BPF_MUL:
        return a * b;
    case BPF_DIV: // never by zero
        return a / b;
    case BPF_AND:
        return a & b;
    case BPF_OR:
        return a | b;
    case BPF_XOR:
        return a ^ b;
    case BPF_LSH:
        return a << (b & 31);
    default:
        return a >> (b & 31);
    }
}

static uint32_t evaluate(const struct value *value, uint32_t masked)
{
    for (uint32_t i = 0; i < value->count; i++) {
        masked = apply(value->ops[i], masked);
    }
    return masked;
}

// Whether the low bits of a value depend on the low bits of its word only.
static bool goes_upwards(const struct value *value)
{
    for (uint32_t i = 0; i < value->count; i++) {
        const struct value_op *op = &value->ops[i];
        if (op->op == BPF_DIV || op->op == BPF_RSH || (op->op == BPF_LSH && op->is_left != 0)) {
            return false;
        }
    }
    return true;
}

// The bits of the word that an operation leaves any trace of: the fewer there are, the less is halved.
static uint32_t bits_kept(const struct value *value, struct value_op op)
{
    bool is_first = value->count == 0 && op.is_left == 0;
    if (op.op == BPF_AND && op.k != 0 && (op.k & (op.k + 1)) == 0 && goes_upwards(value)) {
        return op.k;
    }
    if (is_first && (op.op == BPF_LSH || op.op == BPF_RSH)) {
        return op.op == BPF_LSH ? ALL >> (op.k & 31) : ALL << (op.k & 31);
    }
    return ALL;
}

static uint32_t term_by(struct check_values *values, uint32_t term, struct value_op op)
{
    uint32_t k = dsl_check_term_constant(&values->terms, op.k);
    return dsl_check_term_op(&values->terms, op.op, op.is_left != 0 ? k : term, op.is_left != 0 ? term : k);
}

static uint32_t term_of(struct check_values *values, const struct value *value)
{
    switch (value->kind) {
    case VALUE_CONSTANT:
        return dsl_check_term_constant(&values->terms, value->mask);
    case VALUE_TERM:
        return value->mask;
    case VALUE_UNKNOWN:
        return DSL_INTERN_NONE;
    default:
        break;
    }
    uint32_t term = dsl_check_term_word(&values->terms, value->word);
    term = term_by(values, term, (struct value_op){BPF_AND, 0, value->mask});
    for (uint32_t i = 0; i < value->count; i++) {
        term = term_by(values, term, value->ops[i]);
    }
    return term;
}

static uint32_t of_term(struct check_values *values, uint32_t term)
{
    uint32_t k;
    if (dsl_check_term_is(&values->terms, term, &k)) {
        return dsl_check_value_constant(values, k);
    }
    return term == DSL_INTERN_NONE ? term : keep(values, &(struct value){.kind = VALUE_TERM, .mask = term});
}

static uint32_t with_op(struct check_values *values, const struct value *before, struct value_op op)
{
    struct value value = *before;
    if (value.kind == VALUE_CONSTANT) {
        return dsl_check_value_constant(values, apply(op, value.mask));
    }
    if (value.kind != VALUE_WORD) {
        return of_term(values, term_by(values, term_of(values, &value), op));
    }
    value.mask &= bits_kept(&value, op);
    if (op.op == BPF_AND && value.count == 0) {
        value.mask &= op.k;
    } else if (value.count < VALUE_OPS) {
        value.ops[value.count++] = op;
    } else {
        return of_term(values, term_by(values, term_of(values, before), op));
    }
    return keep(values, &value);
}

// --- instructions -----------------------------------------------------------------------------------------------------

static uint32_t load(struct check_values *values, const uint32_t *registers, const struct sock_filter *insn)
{
    switch (BPF_MODE(insn->code)) {
    case BPF_ABS:
        return values->words[insn->k / 4];
    case BPF_LEN:
        return dsl_check_value_constant(values, 64); // of struct seccomp_data
    case BPF_MEM:
        return registers[CHECK_CELLS + insn->k];
    default:
        return dsl_check_value_constant(values, insn->k);
    }
}

static enum check_taken calculate(struct check_values *values, uint32_t *registers, const struct sock_filter *insn)
{
    uint32_t *a = &registers[CHECK_A];
    const struct value *left = value_of(values, *a);
    uint16_t op = BPF_OP(insn->code);
    if (op == BPF_NEG) {
        *a = with_op(values, left, (struct value_op){BPF_SUB, 1, 0});
        return CHECK_TOOK;
    }
    const struct value by_k = {.kind = VALUE_CONSTANT, .mask = insn->k};
    const struct value *right = BPF_SRC(insn->code) == BPF_X ? value_of(values, registers[CHECK_X]) : &by_k;
    bool divides = op == BPF_DIV && right->kind != VALUE_CONSTANT;
    if (op == BPF_DIV && right->kind == VALUE_CONSTANT && right->mask == 0) {
        return CHECK_ENDED;
    }
    if (right->kind == VALUE_CONSTANT) {
        *a = with_op(values, left, (struct value_op){op, 0, right->mask});
    } else if (left->kind == VALUE_CONSTANT && !divides) {
        *a = with_op(values, right, (struct value_op){op, op != BPF_AND, left->mask});
    } else {
        uint32_t term = term_of(values, left);
        *a = of_term(values, dsl_check_term_op(&values->terms, op, term, term_of(values, right)));
    }
    return divides ? CHECK_DIVIDES : CHECK_TOOK;
}

enum check_taken dsl_check_value_take(struct check_values *values, uint32_t *registers, const struct sock_filter *insn)
{
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        registers[CHECK_A] = load(values, registers, insn);
        break;
    case BPF_LDX:
        registers[CHECK_X] = load(values, registers, insn);
        break;
    case BPF_ST:
        registers[CHECK_CELLS + insn->k] = registers[CHECK_A];
        break;
    case BPF_STX:
        registers[CHECK_CELLS + insn->k] = registers[CHECK_X];
        break;
    case BPF_ALU:
        return calculate(values, registers, insn);
    default: // MISC
        registers[BPF_MISCOP(insn->code) == BPF_TAX ? CHECK_X : CHECK_A] =
            registers[BPF_MISCOP(insn->code) == BPF_TAX ? CHECK_A : CHECK_X];
        break;
    }
    return CHECK_TOOK;
}

// --- tests ------------------------------------------------------------------------------------------------------------

// A test with its constant on the right.
struct test {
    const struct value *value; // NULL: a term, or unknown
    uint16_t op;               // BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET
    bool is_turned;            // the answer is the contrary
    uint32_t k;
};

static struct test read_test(const struct check_values *values, const uint32_t *registers, const struct sock_filter *insn)
{
    const struct value *left = value_of(values, registers[CHECK_A]);
    const struct value *right = value_of(values, registers[CHECK_X]);
    struct test test = {.value = left, .op = BPF_OP(insn->code), .k = insn->k};
    if (BPF_SRC(insn->code) == BPF_X && right->kind == VALUE_CONSTANT) {
        test.k = right->mask;
    } else if (BPF_SRC(insn->code) == BPF_X && left->kind == VALUE_CONSTANT) {
        // k > x is not x >= k; k >= x is not x > k.
        test.value = right;
        test.k = left->mask;
        test.is_turned = test.op == BPF_JGT || test.op == BPF_JGE;
        test.op = test.op == BPF_JGT ? BPF_JGE : test.op == BPF_JGE ? BPF_JGT : test.op;
    } else if (BPF_SRC(insn->code) == BPF_X) {
        test.value = NULL;
    }
    if (test.value != NULL && (test.value->kind == VALUE_TERM || test.value->kind == VALUE_UNKNOWN)) {
        test.value = NULL;
    }
    return test;
}

enum { ANSWER_NO, ANSWER_YES, ANSWER_OPEN };

// What a test says of all numbers in a span.
static int answer(const struct test *test, struct check_range span)
{
    uint32_t varies = span.lo == span.hi ? 0 : ALL >> __builtin_clz(span.lo ^ span.hi);
    int result = ANSWER_OPEN;
    switch (test->op) {
    case BPF_JEQ:
        result = test->k < span.lo || test->k > span.hi ? ANSWER_NO : span.lo == span.hi ? ANSWER_YES : ANSWER_OPEN;
        break;
    case BPF_JGT:
        result = span.lo > test->k ? ANSWER_YES : span.hi <= test->k ? ANSWER_NO : ANSWER_OPEN;
        break;
    case BPF_JGE:
        result = span.lo >= test->k ? ANSWER_YES : span.hi < test->k ? ANSWER_NO : ANSWER_OPEN;
        break;
    default: // JSET
        if ((span.lo & ~varies & test->k) != 0) {
            result = ANSWER_YES;
        } else if (((span.lo | varies) & test->k) == 0) {
            result = ANSWER_NO;
        }
        break;
    }
    return result == ANSWER_OPEN || !test->is_turned ? result : result == ANSWER_YES ? ANSWER_NO : ANSWER_YES;
}

uint32_t dsl_check_value_term(struct check_values *values, uint32_t id)
{
    return term_of(values, value_of(values, id));
}

enum dsl_checked dsl_check_values_compare(struct check_values *values, struct check_facts *facts, uint32_t a, uint32_t b)
{
    uint32_t of_a = dsl_check_value_term(values, a);
    uint32_t of_b = dsl_check_value_term(values, b);
    return dsl_check_terms_compare(&values->terms, facts, of_a, of_b);
}

bool dsl_check_value_is(struct check_values *values, const struct check_facts *facts, uint32_t id, uint32_t *ret_value)
{
    const struct value *value = value_of(values, id);
    if (value->kind == VALUE_CONSTANT) {
        *ret_value = value->mask;
        return true;
    }
    if (value->kind != VALUE_WORD) {
        return false;
    }
    struct check_set set = dsl_check_set_of(facts, value->word, value->mask);
    *ret_value = evaluate(value, set.range.lo);
    return set.range.lo == set.range.hi || dsl_check_term_is(&values->terms, term_of(values, value), ret_value);
}

bool dsl_check_value_known(const struct check_values *values, const struct check_facts *facts, const uint32_t *registers,
                           const struct sock_filter *insn, bool *ret_holds)
{
    struct test test = read_test(values, registers, insn);
    if (test.value == NULL) {
        return false;
    }
    struct check_range span = {.lo = test.value->mask, .hi = test.value->mask};
    if (test.value->kind == VALUE_WORD) {
        if (test.value->mask != ALL || test.value->count > 0) {
            return false;
        }
        span = facts->words[test.value->word].whole;
    }
    int found = answer(&test, span);
    *ret_holds = found == ANSWER_YES;
    return found != ANSWER_OPEN;
}

// --- splitting --------------------------------------------------------------------------------------------------------

static struct check_range whole(void)
{
    return (struct check_range){.lo = 0, .hi = ALL};
}

// Numbers between which the results of an operation on a span lie.
static struct check_range apply_to_span(struct value_op op, struct check_range span)
{
    uint32_t varies = ALL >> __builtin_clz(span.lo ^ span.hi);
    uint32_t fixed = span.lo & ~varies;
    uint32_t lo = apply(op, span.lo);
    uint32_t hi = apply(op, span.hi);
    switch (op.op) {
    case BPF_ADD:
    case BPF_SUB: // where both ends went round or none did, they are still in order
        if (op.op == BPF_SUB && op.is_left != 0) {
            return hi <= lo ? (struct check_range){.lo = hi, .hi = lo} : whole();
        }
        return lo <= hi ? (struct check_range){.lo = lo, .hi = hi} : whole();
    case BPF_AND:
        return (struct check_range){.lo = fixed & op.k, .hi = (fixed | varies) & op.k};
    case BPF_OR:
        return (struct check_range){.lo = fixed | op.k, .hi = fixed | varies | op.k};
    case BPF_XOR:
        return (struct check_range){.lo = (fixed ^ op.k) & ~varies, .hi = (fixed ^ op.k) | varies};
    case BPF_MUL:
        return (uint64_t)span.hi * op.k <= ALL ? (struct check_range){.lo = lo, .hi = hi} : whole();
    case BPF_LSH:
        return op.is_left == 0 && (uint64_t)span.hi << (op.k & 31) <= ALL ? (struct check_range){.lo = lo, .hi = hi} : whole();
    default: // DIV, RSH
        return op.is_left == 0 ? (struct check_range){.lo = lo, .hi = hi} : whole();
    }
}

struct splitting {
    const struct test *test;
    struct check_facts *facts;
    struct check_set set; // of the word under the value's mask
    struct check_piece *pieces;
    uint32_t count;
    uint32_t looked; // spans looked at
};

static int answer_for(const struct splitting *splitting, struct check_range span)
{
    const struct value *value = splitting->test->value;
    if (span.lo == span.hi) {
        span.lo = evaluate(value, span.lo);
        span.hi = span.lo;
        return answer(splitting->test, span);
    }
    for (uint32_t i = 0; i < value->count; i++) {
        span = span.lo == span.hi ? (struct check_range){.lo = apply(value->ops[i], span.lo), .hi = apply(value->ops[i], span.lo)}
                                  : apply_to_span(value->ops[i], span);
    }
    return answer(splitting->test, span);
}

// Halves a span until each half has one answer. Returns: false when there are too many pieces.
static bool halve(struct splitting *splitting, struct check_range span)
{
    splitting->facts->steps++;
    if (++splitting->looked > VALUE_SPANS) {
        return false;
    }
    if (!dsl_check_set_meets(splitting->facts, &splitting->set, span.lo, span.hi)) {
        return true;
    }
    int found = answer_for(splitting, span);
    if (found == ANSWER_OPEN) {
        uint32_t middle = span.lo + (span.hi - span.lo) / 2;
        struct check_range below = span;
        struct check_range above = span;
        below.hi = middle;
        above.lo = middle + 1;
        return halve(splitting, below) && halve(splitting, above);
    }
    struct check_piece *last = splitting->count > 0 ? &splitting->pieces[splitting->count - 1] : NULL;
    if (last != NULL && last->holds == (found == ANSWER_YES)) {
        last->range.hi = span.hi; // what lies between is nobody's
        return true;
    }
    if (splitting->count == CHECK_PIECES) {
        return false;
    }
    splitting->pieces[splitting->count++] = (struct check_piece){
        .word = splitting->test->value->word, .mask = splitting->test->value->mask, .range = span, .holds = found == ANSWER_YES};
    return true;
}

// The test of a word as it is, or masked: one piece for each answer.
static uint32_t split_plain(const struct test *test, struct check_facts *facts, struct check_piece *ret_pieces)
{
    uint32_t mask = test->op == BPF_JSET ? test->value->mask & test->k : test->value->mask;
    struct check_set set = dsl_check_set_of(facts, test->value->word, mask);
    struct check_range yes = set.range;
    struct check_range no = set.range;
    uint32_t count = 0;
    switch (test->op) {
    case BPF_JEQ:
        yes.lo = yes.lo > test->k ? yes.lo : test->k;
        yes.hi = yes.hi < test->k ? yes.hi : test->k;
        no = dsl_check_without(facts, no, test->k);
        break;
    case BPF_JSET:
        yes.lo = yes.lo > 1 ? yes.lo : 1;
        no.hi = 0;
        break;
    default: { // the first number that is above
        uint64_t first = (uint64_t)test->k + (test->op == BPF_JGT);
        if (first > yes.hi) {
            yes = (struct check_range){.lo = 1, .hi = 0};
        } else {
            yes.lo = yes.lo > first ? yes.lo : (uint32_t)first;
        }
        if (first == 0) {
            no = (struct check_range){.lo = 1, .hi = 0};
        } else {
            no.hi = no.hi < first - 1 ? no.hi : (uint32_t)(first - 1);
        }
        break;
    }
    }
    for (int holds = 0; holds <= 1; holds++) {
        const struct check_set side = {holds ? yes : no, set.free, set.fixed};
        if (side.range.lo > side.range.hi || !dsl_check_set_meets(facts, &side, 0, ALL)) {
            continue;
        }
        ret_pieces[count++] = (struct check_piece){.word = test->value->word,
                                                   .mask = mask,
                                                   .range = dsl_check_fit(facts, &side),
                                                   .holds = (holds != 0) != test->is_turned};
    }
    return count;
}

uint32_t dsl_check_value_split(struct check_values *values, struct check_facts *facts, const uint32_t *registers,
                               const struct sock_filter *insn, struct check_piece *ret_pieces)
{
    struct test test = read_test(values, registers, insn);
    if (test.value == NULL) {
        return CHECK_TOO_MANY;
    }
    if (test.value->count == 0) {
        return split_plain(&test, facts, ret_pieces);
    }
    struct splitting splitting = {.test = &test, .facts = facts, .pieces = ret_pieces};
    splitting.set = dsl_check_set_of(facts, test.value->word, test.value->mask);
    if (!halve(&splitting, splitting.set.range)) {
        return CHECK_TOO_MANY;
    }
    // Pieces keep the holes of the range that they are of.
    for (uint32_t i = 0; i < splitting.count; i++) {
        struct check_set side = {ret_pieces[i].range, splitting.set.free, splitting.set.fixed};
        side.range.hole = splitting.set.range.hole;
        side.range.hole_count = splitting.set.range.hole_count;
        ret_pieces[i].range = dsl_check_fit(facts, &side);
    }
    return splitting.count;
}
