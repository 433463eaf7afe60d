// notify: what the files of notify/ share. One notification as a notice, what the front end needs of the outside to answer it,
// and what it tells the supervisor. Internal.
#ifndef BRIG_SANDBOX_NOTIFY_NOTIFY_H
#define BRIG_SANDBOX_NOTIFY_NOTIFY_H

#include <sys/types.h>

#include "bpf_dsl/rules.h"
#include "sandbox/program.h"

// --- what the policy says of a call (decide.c) ------------------------------------------------------------------------

struct box_decision {
    enum brig_dsl_call call;                // BRIG_SYS_NONE: no call of this arch
    enum brig_dsl_verb verb;                // CRASH, REPORT, EMULATE, BROKER, NOTIFY
    uint16_t data;                          // REPORT: its errno
    uint32_t trap_id;                       // in the program's table
    const struct brig_dsl_handler *handler; // EMULATE
};

// How the policy of a program with the process id `pid` is compiled, here and by whoever makes reports.
struct brig_dsl_options box_program_options(int pid);
// Context: any thread.
struct box_decision box_decide(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data);

// --- one notification (answer.c, local.c) -----------------------------------------------------------------------------

struct box_notice {
    uint64_t id;
    uint32_t tid;
    struct brig_dsl_data data;
};

// What answering takes from the outside: a table, so that tests and the fuzzer can be the outside.
struct box_outside {
    size_t (*read)(const struct box_outside *outside, void *to, uint64_t address, size_t bytes);
    bool (*write)(const struct box_outside *outside, uint64_t address, const void *from, size_t bytes);
    // A copy of the asking thread's descriptor. Returns: ours, to be closed, or -errno.
    int (*fetch)(const struct box_outside *outside, int fd);
    // The asking thread's working directory (O_PATH). Returns: ours, to be closed, or -errno.
    int (*directory)(const struct box_outside *outside);
    // Whether the call still waits: what was read so far was read from the process that asks.
    bool (*is_waiting)(const struct box_outside *outside);
    // Asks the broker. *ret_descriptor is -1 or ours. Returns: false if there is no broker any more.
    bool (*ask)(const struct box_outside *outside, const struct brig_broker_request *request, const int attached[3],
                struct brig_broker_reply *reply, int *ret_descriptor);
    uint32_t (*umask)(const struct box_outside *outside);  // of the asking process
    uint32_t (*parent)(const struct box_outside *outside); // its parent's number, 0: unknown
    // The path of what it executes, without an end. Returns: its bytes, or -errno.
    int64_t (*program)(const struct box_outside *outside, void *path, size_t bytes);
    bool has_broker;
};

enum box_answer_kind {
    BOX_ANSWER_RESULT,     // `result`, or -errno
    BOX_ANSWER_DESCRIPTOR, // `descriptor` becomes the program's
    BOX_ANSWER_DEATH,      // a violation: report, and kill
    BOX_ANSWER_GONE,       // nobody waits for an answer any more
};

struct box_answer {
    enum box_answer_kind kind;
    bool is_reported; // REPORT: answered, and told
    bool is_cloexec;
    int descriptor; // DESCRIPTOR: closed by the caller
    int64_t result;
};

// Memory of one thread of the front end: too big for a stack frame.
struct box_workspace {
    struct brig_broker_request request;
    struct brig_broker_reply reply;
    int32_t numbers[3]; // descriptors of the program that go with the request
};

// Answers one notification: decides, gathers, asks, delivers. Never waits but in outside->ask. Context: any thread.
void box_answer(const struct box_decision *decision, const struct box_notice *notice, const struct box_outside *outside,
                struct box_workspace *work, struct box_answer *ret_answer);

// The asking process' memory for gather and deliver; writes only while the call waits.
struct brig_broker_memory box_memory_of(const struct box_outside *outside, uint32_t umask);

// Does what a request asks of the descriptor `number` itself. Returns: the call's result or -errno. Context: any thread.
int64_t box_answer_descriptor(const struct brig_broker_call *call, const struct box_notice *notice,
                              const struct box_outside *outside, struct box_workspace *work, int number);
// Whether a request asks for the link to the asking process' own program, which no list can have: to a broker it would be the
// broker's. Glibc asks for it in every static program. Context: any.
bool box_asks_own_program(const struct brig_broker_request *request);
// Answers that. Returns: the call's result or -errno. Context: any thread.
int64_t box_answer_own_program(const struct brig_broker_call *call, const struct box_notice *notice,
                               const struct box_outside *outside, struct box_workspace *work);
// Returns: result or -errno; ENOSYS for a handler that makes no sense outside. Context: any thread.
int64_t box_emulate(const struct box_decision *decision, const struct box_notice *notice, const struct box_outside *outside,
                    struct box_workspace *work);

// --- the outside as it is (outside.c) ---------------------------------------------------------------------------------

struct box_asker {
    struct box_outside outside; // first
    uint64_t id;
    uint32_t tid;
    uint64_t args[6];
    int listener_fd;
    int broker_fd; // -1: none
};
void box_asker_init(struct box_asker *asker, int listener_fd, int broker_fd);

// Reads "Tgid", "PPid" of a thread, or its octal "Umask". Returns: 0 if it cannot be read.
uint32_t box_proc_field(uint32_t tid, const char *name, unsigned base);

// --- what the supervisor is told (tell.c) -----------------------------------------------------------------------------

// How much is told: as of a worker, 20 events at once and 10 a second.
struct box_teller {
    int channel_fd;
    uint32_t lost;      // not told since the last one that was
    int64_t used_milli; // thousandths of a token that are gone
    int64_t filled_ms;
};

// Copies what only the waiting thread has (registers, stack, strings, mappings) and sends it. Returns: false where it was only
// counted. Context: any thread, before the answer.
bool box_tell_violation(struct box_teller *teller, const struct box_asker *asker, const struct box_notice *notice,
                        const struct box_decision *decision);

// Returns: how many were not told since the last one that was; they count as told from now on. Context: any thread.
uint32_t box_tell_lost(struct box_teller *teller);

struct box_verdict; // below
// Asks the supervisor about a call that the policy has questions for, and waits for what it says, one question at a time. Returns:
// false where nobody answers. Owns: the caller closes ret_verdict->descriptor. Context: any thread.
bool box_tell_question(const struct box_teller *teller, const struct box_asker *asker, const struct box_notice *notice,
                       const struct box_decision *decision, struct box_verdict *ret_verdict);

// Messages over the worker's channel (SOCK_SEQPACKET), front end to supervisor.

enum box_front_kind {
    BOX_FRONT_STARTED = 1, // with the program's pidfd
    BOX_FRONT_FAILED,      // before that: error
    BOX_FRONT_VIOLATION,
    BOX_FRONT_ENDED,
    BOX_FRONT_QUESTION, // answered by a struct box_verdict_message, with a descriptor where there is one
};

#define BOX_FRONT_MAPS_BYTES ((uint32_t)96 << 10)
#define BOX_FRONT_STRING_BYTES 4096u

struct box_front_pointee {
    uint32_t argument;
    uint32_t is_cut;
    uint32_t bytes;
    uint32_t reserved;
};

struct box_front_message {
    uint32_t kind; // enum box_front_kind
    uint32_t pid;  // STARTED, ENDED: the program's; VIOLATION: the process that made it
    int32_t wait_status;
    uint32_t is_violation; // ENDED: the front end killed it
    int32_t exec_errno;    // ENDED: why it could not be executed
    uint32_t lost;         // VIOLATION, ENDED: how many were not told since the last
    uint32_t pointee_count;
    uint32_t maps_bytes;
    struct box_front_pointee pointees[6];
};
// behind it: FAILED a struct box_wire_error; VIOLATION a struct brig_trap_record, the pointees' bytes, the maps; QUESTION the same
// without maps

// Supervisor to front end: the answer to the one question that waits.
struct box_verdict_message {
    uint32_t kind; // enum brig_answer_kind
    uint32_t reserved;
    int64_t value;
};

struct box_verdict {
    struct box_verdict_message message;
    int descriptor; // -1, or the caller's
};

#define BOX_FRONT_MESSAGE_MAX \
    (sizeof(struct box_front_message) + sizeof(struct brig_trap_record) + (size_t)6 * BOX_FRONT_STRING_BYTES + BOX_FRONT_MAPS_BYTES)

// --- the front end (front.c, start.c) ---------------------------------------------------------------------------------

// At most so many calls of a program are worked on at a time; the others wait in the kernel.
#define BOX_FRONT_THREADS 12

// What the front end and the program that it starts share until execve.
struct box_start_page {
    uint32_t go;          // futex word
    uint32_t listener_fd; // of the program, plus one
    uint32_t has_failed;
    int32_t exec_errno;
    uint8_t error[512]; // struct box_wire_error
};

// Made by the supervisor before fork; the front end and the program have their copies.
struct box_front {
    const struct brig_program_spec *spec;
    const char *file; // absolute
    struct box_start_page *page;
    void *memory;                      // for the compiler, BRIG_DSL_ARENA_BYTES
    int broker_fds[BOX_FRONT_THREADS]; // -1: there is no broker
    int program_pid;
    int filters_before; // of the launching thread
};

// The preparation of the front end: forks the program, which waits. Returns: OK; KERNEL_REFUSED; KERNEL_LACKS. Context: after fork.
enum brig_code box_front_prepare(void *data, struct brig_error *reterr);
// The entry of the front end. Context: locked.
int box_front_enter(void *data, int channel_fd);

// From fork to execve, in the process that becomes the program (start.c). Context: after fork.
__attribute__((noreturn)) void box_program_become(const struct box_front *front, int front_pid);

#endif
