// report: from the bytes of a record to a report's text, a file, and a line for people. Part of libbrig-supervisor.
//
// Everything here takes bytes and gives bytes: no descriptor of the worker, no process id, no pointer into shared memory. What must
// be read while the worker waits (/proc/PID/maps, strings behind pointers) is fetched by the supervisor and handed in. So all of it
// can be fuzzed, and move into a process of its own.
#ifndef BRIG_SANDBOX_REPORT_H
#define BRIG_SANDBOX_REPORT_H

#include "bpf_dsl/bpf_dsl.h"
#include "trap/record.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRIG_REPORT_SCHEMA "brig-report-1"
#define BRIG_REPORT_BYTES_MAX ((size_t)256 << 10)
#define BRIG_MESSAGE_BYTES_MAX 400
#define BRIG_FRAMES_MAX 128

// A string or small struct that an argument pointed to, as read from the waiting worker.
struct brig_pointee {
    int argument; // register index
    bool is_cut;
    size_t size_bytes;
    const void *bytes;
};

// Everything known about one event.
struct brig_violation {
    const struct brig_trap_record *record;  // private copy, not yet checked
    const struct brig_dsl_program *program; // what the worker runs under: row, reason
    const struct brig_dsl_rules *rules;     // of an executed program, whose filter tells no row; or NULL
    const struct brig_dsl_policy *policy;
    const char *worker_name;
    const char *maps; // text of /proc/PID/maps, or NULL
    size_t maps_bytes;
    const struct brig_pointee *pointees;
    size_t pointee_count;
    uint64_t sequence;       // of this supervisor
    uint64_t count;          // same cause so far, this event included; 0 counts as 1
    int64_t first_ms;        // when the cause was seen first; 0: now
    int64_t time_ms;         // CLOCK_REALTIME, Unix epoch
    int pid;                 // as the kernel told the supervisor
    int threads;             // as read back from the kernel at launch; 0: not known, then so are the next two
    int filtered_threads;    // of them, in seccomp filter mode
    int stacked_filters;     // least over all threads
    const char *report_name; // file that the message names, or NULL
    bool with_stack; // put registers and stack bytes into the report, for brig_report_minidump; they may hold the worker's secrets
};

enum brig_frame_how { BRIG_FRAME_REGISTERS, BRIG_FRAME_CFI, BRIG_FRAME_POINTER };

struct brig_frame {
    uint64_t ip;
    uint64_t module_offset; // file offset address: ip relative to the module's load bias
    uint64_t symbol_offset;
    char module[128];  // path of the mapping, cut; empty if none
    char symbol[128];  // function, cut; empty if unknown
    char build_id[41]; // hex, empty if unknown
    enum brig_frame_how how;
};

// Why a walk ended.
enum brig_unwind_stop {
    BRIG_UNWIND_END,         // the outermost frame
    BRIG_UNWIND_TRUNCATED,   // the next frame lies above the copied bytes
    BRIG_UNWIND_NO_MODULE,   // the caller is in no file's code (made at run time, or not code at all)
    BRIG_UNWIND_NO_INFO,     // a function without call frame information and without a frame-pointer chain
    BRIG_UNWIND_NOT_GROWING, // the caller's stack pointer would not be above the callee's
    BRIG_UNWIND_LIMIT,       // BRIG_FRAMES_MAX or the time limit
    BRIG_UNWIND_NO_STACK,    // no stack bytes in the record, or an arch that cannot be unwound
};

struct brig_stack {
    struct brig_frame frames[BRIG_FRAMES_MAX];
    size_t frame_count;
    enum brig_unwind_stop stop;
};

// Checks a copied record: magic, version, sizes, enumerations, alignment.
//
// Returns: OK; BAD_RECORD with the field in subject. Context: normal.
BRIG_MUST_CHECK enum brig_code brig_record_check(const struct brig_trap_record *record, struct brig_error *reterr);

// Unwinds from a record's registers and stack bytes, with unwind and symbol data only from the files named in `maps` (opened
// O_NOFOLLOW, regular, device and inode as in maps, read by pread, size-capped). Takes at most 50 ms.
//
// Returns: OK, also with few frames: ret_stack->stop says why the walk ended; BAD_RECORD; OUT_OF_MEMORY.
// Context: normal.
BRIG_MUST_CHECK enum brig_code brig_unwind(const struct brig_trap_record *record, const char *maps, size_t maps_bytes,
                                           struct brig_stack *ret_stack, struct brig_error *reterr);

// Names the cause of an event, for counting and for limits: a hash of policy, row, arch, number, and the top three frames by module
// and offset. Neither address randomisation nor the worker's process id (which is in its program, and so in the program's hash)
// changes it.
//
// Returns: the same number for the same cause. Context: normal.
uint64_t brig_report_key(const struct brig_violation *violation, const struct brig_stack *stack);

// Writes the report's JSON (one object, fixed key order, `schema` first).
//
// Returns: OK; BAD_RECORD; BAD_ARGUMENT (no record, program or name); TOO_BIG; OUT_OF_MEMORY.
// Owns: *ret_json is malloced and NUL-terminated, free() it. Context: normal.
BRIG_MUST_CHECK enum brig_code brig_report_json(const struct brig_violation *violation, const struct brig_stack *stack,
                                                char **ret_json, struct brig_error *reterr);

// Writes the one-line message into `buffer`: "brig: renderer[4711] openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) -> killed  by
// renderer.c:88 ...". A record that brig_record_check refuses gives a line that says so.
//
// Returns: nothing; always terminated, at most BRIG_MESSAGE_BYTES_MAX bytes with the terminator, escaped, valid UTF-8.
// Context: normal.
void brig_report_message(const struct brig_violation *violation, const struct brig_stack *stack,
                         char buffer[BRIG_MESSAGE_BYTES_MAX]);

// Writes `json` gzipped as `name` in the directory `dir_fd`: temporary file, fsync, rename; mode 0600, never over an existing file.
//
// Returns: OK; IO (subject: name); BAD_ARGUMENT (a name with a slash or a leading dot); TOO_BIG; OUT_OF_MEMORY. After a failure
// nothing is left behind. Context: normal.
BRIG_MUST_CHECK enum brig_code brig_report_write(int dir_fd, const char *name, const char *json, struct brig_error *reterr);

// Reads a report back: plain or gzipped JSON, size-capped, trailing data refused.
//
// Returns: OK; IO; BAD_REPORT (detail: the line where the JSON ends to make sense, or the offset where the gzip does); TOO_BIG;
// OUT_OF_MEMORY. The subject is the path.
// Owns: *ret_json is malloced, free() it. Context: normal.
BRIG_MUST_CHECK enum brig_code brig_report_read(const char *path, char **ret_json, struct brig_error *reterr);

// Turns a report that was made with `with_stack` into a minidump, which lldb and Breakpad's tools read: system, thread with
// registers, stack, modules with build-ids, exception, and the report itself without its snapshot.
//
// Returns: OK; BAD_REPORT (subject: the field; "snapshot" if the report has none; "snapshot.arch": x86_64 only); OUT_OF_MEMORY.
// Owns: *ret_dump is malloced, free() it. Context: normal.
// Source: minidumpapiset.h; Breakpad's minidump_format.h for the Linux parts.
BRIG_MUST_CHECK enum brig_code brig_report_minidump(const char *json, void **ret_dump, size_t *ret_dump_bytes,
                                                    struct brig_error *reterr);

// Makes a string from a report safe to show: reports may have been written by anybody, and a JSON string can hold what a terminal
// obeys. Control characters, bytes that are not UTF-8, and marks that hide or reorder text become \xNN and \uNNNN.
//
// Returns: nothing; always terminated, cut at `buffer_bytes` (at least 1). Context: normal.
void brig_report_clean(const char *text, char *buffer, size_t buffer_bytes);

#ifdef __cplusplus
}
#endif
#endif
