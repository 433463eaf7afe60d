// error: turns struct brig_error into a sentence.
//
// Takes: an error of any room. Gives: one line for people. Guarantees: always terminated, at most the buffer's size, no control
// character from a subject gets through, no errno text of libc (strerror takes locks and locales, and errors are written after
// fork). Weakness: names of errors and signals are those of the arch that the library was built for.
#include <errno.h>
#include <string.h>

#include "bpf_dsl/faults.h"
#include "bpf_dsl/tables.h"
#include "bpf_dsl/text.h"

struct code_text {
    const char *name;
    const char *sentence;
    const char *detail; // what the number is, or NULL
};

static const struct code_text code_texts[] = {
#define STATUS(code_, sentence_, detail_) [BRIG_##code_] = {#code_, sentence_, detail_},
#include "bpf_dsl/status.def"
#undef STATUS
};
_Static_assert(sizeof code_texts / sizeof code_texts[0] == BRIG_CODE_COUNT, "one text per code");

struct hint {
    enum brig_code code;
    int sys_errno;
    const char *subject;
    const char *sentence;
};

static const struct hint hints[] = {
#define HINT(code_, sys_errno_, subject_, sentence_) {BRIG_##code_, sys_errno_, subject_, sentence_},
#include "bpf_dsl/hints.def"
#undef HINT
};

// Subjects come from people and from other processes; a sentence must stay one readable line.
enum { SUBJECT_SHOWN_BYTES = 160 };

static size_t subject_length(const struct brig_error *error)
{
    return error->subject_bytes != 0 ? error->subject_bytes : strlen(error->subject);
}

static void put_subject(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    size_t length = subject_length(error);
    size_t shown = length <= SUBJECT_SHOWN_BYTES ? length : dsl_whole_characters(error->subject, SUBJECT_SHOWN_BYTES);
    dsl_put(sink, ": '");
    dsl_put_shown(sink, error->subject, shown);
    dsl_put(sink, shown < length ? "...'" : "'");
}

static bool hint_fits(const struct hint *hint, const struct brig_error *error)
{
    if (hint->code != error->code || (hint->sys_errno != 0 && hint->sys_errno != error->sys_errno)) {
        return false;
    }
    if (!hint->subject) {
        return true;
    }
    size_t length = strlen(hint->subject);
    return error->subject && subject_length(error) == length && memcmp(error->subject, hint->subject, length) == 0;
}

// Returns: the first hint that fits, or NULL.
static const struct hint *find_hint(const struct brig_error *error)
{
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (hint_fits(&hints[i], error)) {
            return &hints[i];
        }
    }
    return NULL;
}

// --- remarks: what one code says beyond its sentence ------------------------------------------------------------------

// Returns: whether a name was close enough to be offered.
static bool remark_closest(const struct brig_dsl_sink *sink, const struct brig_error *error, char kind)
{
    const char *closest = error->subject ? brig_dsl_closest_name(error->subject, subject_length(error), kind) : NULL;
    if (closest) {
        dsl_put(sink, " (did you mean ");
        dsl_put(sink, closest);
        dsl_put(sink, "?)");
    }
    return closest != NULL;
}

static void remark_call(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    (void)remark_closest(sink, error, 'c');
}

static void remark_constant(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    // In a row, a name that is like none of the kernel's is libc's or the author's own.
    if (!remark_closest(sink, error, 'k') && error->file && !find_hint(error)) {
        dsl_put(sink, " (names that are not the kernel's go into the policy's .constants, as CONSTANT(name))");
    }
}

static void remark_argument(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    enum brig_dsl_call call = (enum brig_dsl_call)error->detail;
    enum brig_dsl_arch arch = brig_dsl_arch_native();
    const char *name = brig_dsl_call_name(call);
    int count = name ? brig_dsl_call_argument_count(call, arch) : 0;
    for (int i = 0; i < count; i++) {
        if (i == 0) {
            dsl_put(sink, " (");
            dsl_put(sink, name);
            dsl_put(sink, " has ");
        } else {
            dsl_put(sink, ", ");
        }
        dsl_put(sink, brig_dsl_call_argument(call, arch, i)->name);
    }
    dsl_put(sink, count > 0 ? ")" : "");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins_with(const char *text, size_t length, const char *word)
{
    return length >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

// What people mean by text that cannot be read from its character `offset` on. Returns: what to write instead, or NULL.
static const char *syntax_reason(const char *text, size_t length, size_t offset)
{
    char at = text[offset];
    char before = offset > 0 ? text[offset - 1] : '\0';
    size_t last = offset;
    while (last > 0 && text[last - 1] == ' ') {
        last--;
    }
    // The reader stops at the second of two equal operators.
    if ((at == '|' || at == '&') && before == at) {
        return at == '|' ? "for the union of bits write |" : "for the common bits write &";
    }
    if (begins_with(text + offset, length - offset, "SELF_PID") || begins_with(text + offset, length - offset, "NOTIFY_FD") ||
        begins_with(text + offset, length - offset, "BROKER_FD")) {
        return "a run-time value stands alone in IN or NOT_IN, not in an expression or a bound";
    }
    if (at == ',' || at == ')') {
        return "a value is missing";
    }
    if (last > 0 && text[last - 1] == ',') {
        return "a value too many; bits are joined with |";
    }
    if (is_digit(before) && (at == '8' || at == '9')) {
        return "a number that begins with 0 is octal";
    }
    if (is_digit(before) && strchr("uUlL", at)) {
        return "numbers have no suffix here";
    }
    return strchr("*/%^><?!=", at) ? "the operators are | & << + - ~" : NULL;
}

static void remark_syntax(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    size_t length = error->subject ? subject_length(error) : 0;
    dsl_put(sink, " at character ");
    dsl_put_decimal(sink, error->detail + 1);
    if (error->detail < 0 || (uint64_t)error->detail >= length) {
        dsl_put(sink, " (a value is missing)");
        return;
    }
    const char *reason = syntax_reason(error->subject, length, (size_t)error->detail);
    if (reason) {
        dsl_put(sink, " (");
        dsl_put(sink, reason);
        dsl_put(sink, ")");
    }
}

static void remark_fault(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    static const char *const sentences[DSL_FAULT_COUNT] = {
#define FAULT(name, sentence) sentence,
#include "bpf_dsl/faults.def"
#undef FAULT
    };
    if (error->detail > DSL_FAULT_NONE && error->detail < DSL_FAULT_COUNT) {
        dsl_put(sink, ": ");
        dsl_put(sink, sentences[error->detail]);
    }
}

static void remark_arch(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    const char *name = brig_dsl_arch_name((enum brig_dsl_arch)error->detail);
    dsl_put(sink, name ? ", " : "");
    dsl_put(sink, name ? name : "");
}

static void remark_wait_status(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    // As wait(2) encodes it: the low seven bits are the signal, or 0 after an exit.
    int64_t signal_number = error->detail & 0x7f;
    const char *name = brig_dsl_constant_name("signal", signal_number, brig_dsl_arch_native());
    dsl_put(sink, signal_number != 0 ? " (signal " : " (exit status ");
    dsl_put_decimal(sink, signal_number != 0 ? signal_number : error->detail >> 8 & 0xff);
    if (signal_number != 0 && name) {
        dsl_put(sink, ", ");
        dsl_put(sink, name);
    }
    dsl_put(sink, ")");
}

static const struct remark {
    enum brig_code code;
    void (*write)(const struct brig_dsl_sink *sink, const struct brig_error *error);
} remarks[] = {
    {BRIG_NO_SUCH_CALL, remark_call},        {BRIG_NO_SUCH_CONSTANT, remark_constant}, {BRIG_NO_SUCH_ARGUMENT, remark_argument},
    {BRIG_BAD_VALUE_SYNTAX, remark_syntax},  {BRIG_WORKER_DIED, remark_wait_status},   {BRIG_BAD_CONDITION, remark_fault},
    {BRIG_VALUE_OUT_OF_RANGE, remark_fault}, {BRIG_ABSENT_ON_ARCH, remark_arch},
};

static void put_remark(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    for (size_t i = 0; i < sizeof remarks / sizeof remarks[0]; i++) {
        if (remarks[i].code == error->code) {
            remarks[i].write(sink, error);
        }
    }
    if (code_texts[error->code].detail && error->detail != 0) {
        dsl_put(sink, " (");
        dsl_put(sink, code_texts[error->code].detail);
        dsl_put(sink, ": ");
        dsl_put_decimal(sink, error->detail);
        dsl_put(sink, ")");
    }
}

// --- the other parts of the sentence ----------------------------------------------------------------------------------

static void put_where(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    if (!error->file) {
        return;
    }
    dsl_put(sink, error->file);
    if (error->line > 0) {
        dsl_put(sink, ":");
        dsl_put_decimal(sink, error->line);
    }
    dsl_put(sink, ": ");
}

static void put_errno(const struct brig_dsl_sink *sink, int sys_errno)
{
    const char *name = brig_dsl_constant_name("errno", sys_errno, brig_dsl_arch_native());
    dsl_put(sink, ": ");
    if (name) {
        dsl_put(sink, name);
    } else {
        dsl_put(sink, "errno ");
        dsl_put_decimal(sink, sys_errno);
    }
}

static void put_hint(const struct brig_dsl_sink *sink, const struct brig_error *error)
{
    const struct hint *hint = find_hint(error);
    if (hint) {
        dsl_put(sink, "; ");
        dsl_put(sink, hint->sentence);
    }
}

const char *brig_code_name(enum brig_code code)
{
    return (unsigned)code < BRIG_CODE_COUNT ? code_texts[code].name : "UNKNOWN_CODE";
}

const char *brig_error_format(const struct brig_error *error, char *buffer, size_t buffer_bytes)
{
    struct dsl_buffer text = {.text = buffer, .size_bytes = buffer_bytes};
    struct brig_dsl_sink sink = dsl_buffer_sink(&text);
    if ((unsigned)error->code >= BRIG_CODE_COUNT) {
        dsl_put(&sink, "unknown code ");
        dsl_put_decimal(&sink, (int64_t)error->code);
        return buffer;
    }
    put_where(&sink, error);
    if (error->step) {
        dsl_put(&sink, error->step);
        dsl_put(&sink, ": ");
    }
    dsl_put(&sink, code_texts[error->code].sentence);
    if (error->subject) {
        put_subject(&sink, error);
    }
    put_remark(&sink, error);
    if (error->sys_errno != 0) {
        put_errno(&sink, error->sys_errno);
    }
    put_hint(&sink, error);
    return buffer;
}
