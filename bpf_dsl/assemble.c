// assemble: text as instructions, the way back from the disassembler.
//
// Takes: assembler, a line at a time: what brig_dsl_list writes, and what people write by hand (labels, names of words, calls,
// constants and actions, tests with one target or of the opposite meaning, comments behind `;` or `//`). Gives: a program that the
// kernel would accept. Requires: the caller's memory for the instructions; labels are kept in a table on the stack. Guarantees:
// what brig_dsl_list wrote of a valid program gives the same bytes again; every mistake is told with line, column, the words at
// fault and what was expected. Linear time: one pass counts instructions and collects labels, a second one encodes. Weaknesses: the
// first mistake only; a line holds at most one instruction.
//
//   start:  ld arch                          ; also [4], ip.lo, ip.hi, args[0].lo ... args[5].hi
//           jne AUDIT_ARCH_X86_64, kill      ; a test with one target goes on with the next line otherwise
//           ld nr
//           jeq SYS_read, allow, +0          ; +N skips N instructions
//           ret ERRNO(EPERM)
//   12:     ret KILL_PROCESS                 ; the indices of a listing are labels like others
#include <string.h>

#include "bpf_dsl/assemble.h"
#include "bpf_dsl/mnemonics.h"
#include "bpf_dsl/program.h"

struct span {
    const char *text;
    size_t bytes;
};

// Where a label stands. `offset` is its place in the text, so that a free slot has no bytes.
struct label {
    uint32_t offset;
    uint16_t bytes;
    uint16_t index;
};

enum { LABEL_MAX = BPF_MAXINSNS, LABEL_SLOTS = 2 * LABEL_MAX, LABEL_BYTES_MAX = 255, OPERAND_MAX = 4 };

struct assembler {
    const char *text;
    size_t text_bytes;
    enum brig_dsl_arch arch;
    struct brig_error error; // the first one
    size_t at;               // where reading goes on
    size_t line_start;
    int line;
    uint32_t insn_count; // so far
    uint32_t label_count;
    struct label labels[LABEL_SLOTS]; // open addressing
};

// One line without labels and comment.
struct line {
    struct span name; // empty: no instruction
    struct span operands[OPERAND_MAX];
    size_t operand_count;
};

// Tests that the kernel does not have, as ones that it has with the targets exchanged; and other names.
static const struct {
    const char *name;
    const char *as;
    bool is_inverse;
} aliases[] = {
    {"jne", "jeq", true}, {"jneq", "jeq", true},   {"jle", "jgt", true},
    {"jlt", "jge", true}, {"jnset", "jset", true}, {"jmp", "ja", false},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

// --- text -------------------------------------------------------------------------------------------------------------

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is(struct span span, const char *text)
{
    return span.bytes == strlen(text) && memcmp(span.text, text, span.bytes) == 0;
}

static bool starts(struct span span, const char *text)
{
    return span.bytes >= strlen(text) && memcmp(span.text, text, strlen(text)) == 0;
}

static struct span trim(struct span span)
{
    while (span.bytes > 0 && is_blank(span.text[0])) {
        span.text++;
        span.bytes--;
    }
    while (span.bytes > 0 && is_blank(span.text[span.bytes - 1])) {
        span.bytes--;
    }
    return span;
}

static struct span skip(struct span span, size_t bytes)
{
    return trim((struct span){span.text + bytes, span.bytes - bytes});
}

// What stands between `open` at the start of `span` and `close` at its end. Returns: false if they do not stand there.
static bool unwrap(struct span span, const char *open, char close, struct span *ret_inside)
{
    if (!starts(span, open) || span.bytes <= strlen(open) || span.text[span.bytes - 1] != close) {
        return false;
    }
    *ret_inside = skip((struct span){span.text, span.bytes - 1}, strlen(open));
    return true;
}

// Records the first mistake. Returns: false.
static bool fail(struct assembler *assembler, struct span at, const char *what)
{
    if (assembler->error.code == BRIG_OK) {
        assembler->error = (struct brig_error){
            .code = BRIG_BAD_ASSEMBLER,
            .step = what,
            .subject = at.text,
            .subject_bytes = (uint32_t)at.bytes,
            .line = assembler->line,
            .detail = at.text - (assembler->text + assembler->line_start) + 1,
        };
    }
    return false;
}

// --- labels -----------------------------------------------------------------------------------------------------------

// Returns: the slot of `name`, or the free one where it belongs.
static struct label *find_slot(struct assembler *assembler, struct span name)
{
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = 0; i < name.bytes; i++) {
        hash = (hash ^ (unsigned char)name.text[i]) * 0x01000193u;
    }
    for (;; hash++) {
        struct label *slot = &assembler->labels[hash % LABEL_SLOTS];
        if (slot->bytes == 0 || (slot->bytes == name.bytes && memcmp(assembler->text + slot->offset, name.text, name.bytes) == 0)) {
            return slot;
        }
    }
}

static bool add_label(struct assembler *assembler, struct span name)
{
    struct label *slot = find_slot(assembler, name);
    if (slot->bytes != 0) {
        return fail(assembler, name, "this label stands on two lines; rename one");
    }
    if (name.bytes > LABEL_BYTES_MAX || assembler->label_count == LABEL_MAX) {
        return fail(assembler, name, "labels have at most 255 letters, and a program at most 4096 of them");
    }
    assembler->label_count++;
    *slot = (struct label){
        .offset = (uint32_t)(name.text - assembler->text), .bytes = (uint16_t)name.bytes, .index = (uint16_t)assembler->insn_count};
    return true;
}

// --- lines ------------------------------------------------------------------------------------------------------------

// Takes the next line, without its comment. Returns: false at the end of the text.
static bool next_line(struct assembler *assembler, struct span *ret_line)
{
    if (assembler->at >= assembler->text_bytes) {
        return false;
    }
    const char *start = assembler->text + assembler->at;
    size_t left = assembler->text_bytes - assembler->at;
    const char *newline = memchr(start, '\n', left);
    size_t bytes = newline == NULL ? left : (size_t)(newline - start);
    assembler->line_start = assembler->at;
    assembler->line++;
    assembler->at += bytes + (newline != NULL);
    for (size_t i = 0; i < bytes; i++) {
        if (start[i] == ';' || (start[i] == '/' && i + 1 < bytes && start[i + 1] == '/')) {
            bytes = i;
        }
    }
    *ret_line = trim((struct span){start, bytes});
    return true;
}

static struct span take_word(struct span *rest)
{
    size_t bytes = 0;
    while (bytes < rest->bytes && is_word_char(rest->text[bytes])) {
        bytes++;
    }
    struct span word = {rest->text, bytes};
    *rest = skip(*rest, bytes);
    return word;
}

static bool split_operands(struct assembler *assembler, struct span rest, struct line *line)
{
    while (rest.bytes > 0) {
        const char *comma = memchr(rest.text, ',', rest.bytes);
        size_t bytes = comma == NULL ? rest.bytes : (size_t)(comma - rest.text);
        struct span operand = trim((struct span){rest.text, bytes});
        if (operand.bytes == 0 || (comma != NULL && bytes + 1 == rest.bytes)) {
            return fail(assembler, (struct span){rest.text + bytes, 1}, "an operand is missing at this comma");
        }
        if (line->operand_count == OPERAND_MAX) {
            return fail(assembler, operand, "too many operands");
        }
        line->operands[line->operand_count++] = operand;
        rest = skip(rest, comma == NULL ? bytes : bytes + 1);
    }
    return true;
}

// Reads labels, name and operands of a line. Labels are added while `collects`.
static bool read_line(struct assembler *assembler, struct span text, bool collects, struct line *ret_line)
{
    *ret_line = (struct line){.operand_count = 0};
    while (text.bytes > 0) {
        struct span start = text;
        struct span word = take_word(&text);
        if (word.bytes == 0) {
            return fail(assembler, (struct span){start.text, 1},
                        "an instruction or a label starts with a letter, a digit or a point");
        }
        if (!starts(text, ":")) {
            ret_line->name = word;
            return split_operands(assembler, text, ret_line);
        }
        text = skip(text, 1);
        if (collects && !add_label(assembler, word)) {
            return false;
        }
    }
    return true;
}

// --- operands ---------------------------------------------------------------------------------------------------------

static const char *value_fault(enum brig_code code)
{
    switch (code) {
    case BRIG_NO_SUCH_CONSTANT:
        return "no constant has this name";
    case BRIG_ABSENT_ON_ARCH:
        return "this constant does not exist on this arch";
    default:
        return "not a number: decimal, 0x hexadecimal or a constant's name is expected";
    }
}

// Finds what only assembler names: calls and arches. Returns: 1 found, 0 no such kind of name, -1 after a failure.
static int read_name(struct assembler *assembler, struct span span, uint32_t *ret_value)
{
    if (dsl_assembler_audit(span.text, span.bytes, ret_value)) {
        return 1;
    }
    if (!starts(span, "SYS_")) {
        return 0;
    }
    int32_t nr = brig_dsl_call_nr(brig_dsl_call_by_name(span.text + 4, span.bytes - 4), assembler->arch);
    if (nr < 0) {
        fail(assembler, span, "this arch has no such system call");
        return -1;
    }
    *ret_value = (uint32_t)nr;
    return 1;
}

// Reads 32 bits: a number, a constant, an expression of them, a call, an arch.
static bool read_value(struct assembler *assembler, struct span span, uint32_t *ret_value)
{
    struct brig_error error;
    uint64_t value;
    int named = read_name(assembler, span, ret_value);
    if (named != 0) {
        return named > 0;
    }
    enum brig_code code = brig_dsl_read_value(span.text, span.bytes, assembler->arch, NULL, &value, &error);
    if (code != BRIG_OK) {
        bool has_subject = error.subject != NULL && error.subject_bytes > 0 && code != BRIG_BAD_VALUE_SYNTAX;
        return fail(assembler, has_subject ? (struct span){error.subject, error.subject_bytes} : span, value_fault(code));
    }
    if (value > UINT32_MAX && value < UINT64_MAX - INT32_MAX) { // negative numbers are sign-extended
        return fail(assembler, span, "this number does not fit 32 bits");
    }
    *ret_value = (uint32_t)value;
    return true;
}

// Reads ALLOW, ERRNO(EPERM) and the like. Returns: 1 found, 0 it is no action, -1 after a failure.
static int read_action(struct assembler *assembler, struct span span, uint32_t *ret_k)
{
    struct span inside = {span.text, 0};
    for (size_t i = 0; i < DSL_ACTION_NAME_COUNT; i++) {
        const struct dsl_action_name *action = &dsl_action_names[i];
        struct span rest = starts(span, action->name) ? skip(span, strlen(action->name)) : (struct span){NULL, 0};
        uint32_t data = 0;
        if (is(span, action->name) && !action->has_data) {
            *ret_k = action->action;
            return 1;
        }
        if (rest.bytes == 0 || !unwrap(rest, "(", ')', &inside)) {
            continue;
        }
        if (!read_value(assembler, inside, &data)) {
            return -1;
        }
        if (data > SECCOMP_RET_DATA) {
            fail(assembler, inside, "an action's data has 16 bits");
            return -1;
        }
        *ret_k = action->action | data;
        return 1;
    }
    return 0;
}

// Reads a first operand. Returns: false after a failure.
static bool read_operand(struct assembler *assembler, const struct line *line, uint8_t *ret_kind, uint32_t *ret_k)
{
    struct span operand = line->operands[0];
    struct span inside;
    int64_t word = starts(line->name, "ld") ? dsl_assembler_word(operand.text, operand.bytes) : -1;
    if (line->operand_count == 0) {
        *ret_kind = DSL_OPERANDS_NONE;
    } else if (is(operand, "x") || is(operand, "X")) {
        *ret_kind = DSL_OPERANDS_X;
    } else if (is(operand, "a") || is(operand, "A")) {
        *ret_kind = DSL_OPERANDS_A;
    } else if (is(operand, "len")) {
        *ret_kind = DSL_OPERANDS_LEN;
    } else if (word >= 0) {
        *ret_kind = DSL_OPERANDS_OFFSET;
        *ret_k = (uint32_t)word;
    } else if (unwrap(operand, "[", ']', &inside)) {
        *ret_kind = DSL_OPERANDS_OFFSET;
        return read_value(assembler, inside, ret_k);
    } else if (unwrap(operand, "M[", ']', &inside)) {
        *ret_kind = DSL_OPERANDS_CELL;
        return read_value(assembler, inside, ret_k);
    } else {
        *ret_kind = DSL_OPERANDS_K;
        int action = is(line->name, "ret") ? read_action(assembler, operand, ret_k) : 0;
        return action != 0 ? action > 0 : read_value(assembler, starts(operand, "#") ? skip(operand, 1) : operand, ret_k);
    }
    return true;
}

// Reads a target: +N, or a label further down. Returns: false after a failure.
static bool read_target(struct assembler *assembler, struct span span, uint32_t limit, uint32_t *ret_offset)
{
    uint32_t next = assembler->insn_count + 1;
    if (starts(span, "+")) {
        if (!read_value(assembler, skip(span, 1), ret_offset)) {
            return false;
        }
    } else {
        const struct label *label = find_slot(assembler, span);
        if (label->bytes == 0) {
            return fail(assembler, span, "no line has this label; a target is a label or +N");
        }
        if (label->index < next) {
            return fail(assembler, span, "jumps go forward only, and this label stands above");
        }
        *ret_offset = label->index - next;
    }
    return *ret_offset <= limit ||
           fail(assembler, span, "the target is too far: a test reaches 255 instructions; jump there through a ja");
}

// --- instructions -----------------------------------------------------------------------------------------------------

// Writes `.insn OPCODE, +JT, +JF, #K`, for what has no other text.
static bool encode_raw(struct assembler *assembler, const struct line *line, struct sock_filter *ret_insn)
{
    static const uint32_t limits[OPERAND_MAX] = {UINT16_MAX, UINT8_MAX, UINT8_MAX, UINT32_MAX};
    uint32_t fields[OPERAND_MAX];
    if (line->operand_count != OPERAND_MAX) {
        return fail(assembler, line->name, ".insn takes four operands: OPCODE, +JT, +JF, #K");
    }
    for (size_t i = 0; i < OPERAND_MAX; i++) {
        struct span operand = line->operands[i];
        bool is_marked = starts(operand, "+") || starts(operand, "#");
        if (!read_value(assembler, is_marked ? skip(operand, 1) : operand, &fields[i])) {
            return false;
        }
        if (fields[i] > limits[i]) {
            return fail(assembler, operand, "this number does not fit its field");
        }
    }
    *ret_insn = (struct sock_filter){(uint16_t)fields[0], (uint8_t)fields[1], (uint8_t)fields[2], fields[3]};
    return true;
}

static bool encode_targets(struct assembler *assembler, const struct line *line, bool is_inverse, struct sock_filter *insn)
{
    uint32_t offsets[2] = {0, 0};
    if (line->operand_count < 2 || line->operand_count > 3) {
        return fail(assembler, line->name, "a test takes a number or x, then one target or two");
    }
    for (size_t i = 1; i < line->operand_count; i++) {
        if (!read_target(assembler, line->operands[i], UINT8_MAX, &offsets[i - 1])) {
            return false;
        }
    }
    insn->jt = (uint8_t)offsets[is_inverse];
    insn->jf = (uint8_t)offsets[!is_inverse];
    return true;
}

static struct span resolve_alias(struct span name, bool *ret_is_inverse)
{
    *ret_is_inverse = false;
    for (size_t i = 0; i < COUNT(aliases); i++) {
        if (is(name, aliases[i].name)) {
            *ret_is_inverse = aliases[i].is_inverse;
            return (struct span){aliases[i].as, strlen(aliases[i].as)};
        }
    }
    return name;
}

// Finds the instruction of this name and kind of operand; *ret_is_name says whether at least the name is one.
static const struct dsl_mnemonic *find_mnemonic(struct span name, uint8_t kind, bool *ret_is_name)
{
    *ret_is_name = false;
    for (size_t i = 0; i < DSL_MNEMONIC_COUNT; i++) {
        if (is(name, dsl_mnemonics[i].name)) {
            *ret_is_name = true;
            if (dsl_mnemonics[i].operands == kind) {
                return &dsl_mnemonics[i];
            }
        }
    }
    return NULL;
}

static bool encode(struct assembler *assembler, const struct line *line, struct sock_filter *ret_insn)
{
    bool is_inverse;
    bool is_name;
    uint8_t kind = DSL_OPERANDS_JUMP;
    uint32_t k = 0;
    struct span name = resolve_alias(line->name, &is_inverse);
    if (is(name, ".insn")) {
        return encode_raw(assembler, line, ret_insn);
    }
    find_mnemonic(name, kind, &is_name);
    if (!is_name) {
        return fail(assembler, line->name, "no instruction has this name");
    }
    bool is_ja = is(name, "ja");
    if (!is_ja && !read_operand(assembler, line, &kind, &k)) {
        return false;
    }
    const struct dsl_mnemonic *mnemonic = find_mnemonic(name, kind, &is_name);
    if (mnemonic == NULL) {
        return fail(assembler, line->operand_count == 0 ? line->name : line->operands[0],
                    dsl_assembler_expected(name.text, name.bytes));
    }
    *ret_insn = (struct sock_filter){.code = mnemonic->code, .k = k};
    if (mnemonic->is_test) {
        return encode_targets(assembler, line, is_inverse, ret_insn);
    }
    if (line->operand_count != (kind != DSL_OPERANDS_NONE)) {
        return fail(assembler, line->name, is_ja ? "ja takes one target" : dsl_assembler_expected(name.text, name.bytes));
    }
    if (is_ja) {
        return read_target(assembler, line->operands[0], BPF_MAXINSNS, &ret_insn->k);
    }
    return true;
}

// --- programs ---------------------------------------------------------------------------------------------------------

static bool collect_labels(struct assembler *assembler)
{
    struct span text;
    struct line line;
    while (next_line(assembler, &text)) {
        if (!read_line(assembler, text, true, &line)) {
            return false;
        }
        if (line.name.bytes > 0 && assembler->insn_count == BPF_MAXINSNS) {
            return fail(assembler, line.name, "a program has at most 4096 instructions");
        }
        assembler->insn_count += line.name.bytes > 0;
    }
    return true;
}

// Goes back to the start of the text.
static void rewind_text(struct assembler *assembler)
{
    assembler->at = 0;
    assembler->line_start = 0;
    assembler->line = 0;
    assembler->insn_count = 0;
}

static bool encode_all(struct assembler *assembler, struct sock_filter *insns)
{
    struct span text;
    struct line line;
    while (next_line(assembler, &text)) {
        if (!read_line(assembler, text, false, &line)) {
            return false;
        }
        if (line.name.bytes > 0) {
            if (!encode(assembler, &line, &insns[assembler->insn_count])) {
                return false;
            }
            assembler->insn_count++;
        }
    }
    return true;
}

// Points the error of the kernel's checks at the line of the instruction.
static void blame(struct assembler *assembler, int64_t insn, const char *reason)
{
    struct span text = {assembler->text, 0};
    struct line line;
    rewind_text(assembler);
    while (next_line(assembler, &text) && read_line(assembler, text, false, &line)) {
        assembler->insn_count += line.name.bytes > 0;
        if (line.name.bytes > 0 && assembler->insn_count == (uint32_t)insn + 1) {
            text = (struct span){line.name.text, (size_t)(text.text + text.bytes - line.name.text)}; // without labels
            break;
        }
    }
    fail(assembler, text, reason);
}

enum brig_code brig_dsl_assemble(struct brig_dsl_text text, enum brig_dsl_arch arch, struct sock_filter *ret_insns,
                                 size_t *ret_insn_count, struct brig_error *reterr)
{
    struct brig_error error;
    struct assembler assembler = {.text = text.text, .text_bytes = text.bytes, .arch = arch};
    if (text.bytes > BRIG_DSL_ASSEMBLER_BYTES_MAX) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_TOO_BIG,
                                                          .step = "assemble",
                                                          .subject = "assembler text",
                                                          .detail = BRIG_DSL_ASSEMBLER_BYTES_MAX});
    }
    bool is_read = collect_labels(&assembler);
    if (is_read) {
        rewind_text(&assembler);
        is_read = encode_all(&assembler, ret_insns);
    }
    size_t count = assembler.insn_count;
    if (is_read && brig_dsl_validate(ret_insns, count, &error) != BRIG_OK) {
        blame(&assembler, error.detail, error.subject);
    }
    if (assembler.error.code != BRIG_OK) {
        return brig_error_set(reterr, assembler.error);
    }
    *ret_insn_count = count;
    return BRIG_OK;
}
