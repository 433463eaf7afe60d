// Errors: the one way in which every room of Brig says that something went wrong.
//
//   struct brig_error error;
//   if (brig_supervisor_new(&options, &supervisor, &error) != BRIG_OK) {
//       char text[BRIG_ERROR_TEXT_BYTES];
//       fprintf(stderr, "%s\n", brig_error_format(&error, text, sizeof text));
//   }
//
// Rules that hold throughout:
// - A function that can fail returns enum brig_code (BRIG_OK is 0) and takes `struct brig_error *reterr` last.
// - `reterr` is written only on failure, `ret_` outputs only on success. Both belong to the caller; nothing is allocated.
// - `reterr` may be NULL where the caller only wants the code.
// - Pointers inside an error have static lifetime or point into what the caller passed in; they live as long as that does.
// - BRIG_BUG_* codes are our mistakes, all others are the world's. The sentences are in status.def.
#ifndef BRIG_BPF_DSL_ERROR_H
#define BRIG_BPF_DSL_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRIG_MUST_CHECK __attribute__((warn_unused_result))

enum brig_code {
#define STATUS(code, sentence, detail) BRIG_##code,
#include "bpf_dsl/status.def"
#undef STATUS
    BRIG_CODE_COUNT
};

// Everything that is known about one failure.
struct brig_error {
    enum brig_code code;
    int sys_errno;          // errno of the failed system call, 0 if none failed
    const char *step;       // what was being done, a static string ("install filter"); never NULL after a failure
    const char *subject;    // the thing that is wrong (a name, a path, a text span), or NULL; not owned
    uint32_t subject_bytes; // its length where it is a span inside a longer text; 0: it ends in NUL
    const char *file;       // source file of the policy row at fault, or NULL
    int line;               // its line, 0 if none
    int64_t detail;         // one number whose meaning is given beside the code in status.def, 0 if none
};

// Writes `error` to `reterr` unless that is NULL, so that a failure is one statement:
// `return brig_error_set(reterr, (struct brig_error){.code = BRIG_IO, .step = "open report", .subject = path});`
//
// Returns: error.code.
// Owns: nothing; `error`'s pointers are kept.
// Context: any, a signal handler included.
static inline enum brig_code brig_error_set(struct brig_error *reterr, struct brig_error error)
{
    if (reterr) {
        *reterr = error;
    }
    return error.code;
}

// Enough for every sentence of brig_error_format; longer subjects are cut.
#define BRIG_ERROR_TEXT_BYTES 512

// Names a code as it is written in C, without the BRIG_ prefix.
//
// For logs and machine-readable output; the names are stable, the numbers are not.
// Returns: a static string such as "NO_SUCH_CALL"; "UNKNOWN_CODE" for a value outside the enumeration.
// Context: any, a signal handler included.
const char *brig_code_name(enum brig_code code);

// Writes one sentence: where, what was being done, what is wrong, errno, and a hint where one is known.
//
// Returns: `buffer`, always terminated; cut at `buffer_bytes` (which must be at least 1) at a character's end.
// Owns: nothing; `error`'s pointers must still be alive.
// Context: normal, and after fork (no allocation, no locale, no stdio).
const char *brig_error_format(const struct brig_error *error, char *buffer, size_t buffer_bytes);

#ifdef __cplusplus
}
#endif
#endif
