// internal: what the files of supervisor/ share. A worker as the supervisor sees it, and who does what with it.
//
// Everything that the worker can write (slots, handshake) is read once, copied, checked, and only then used.
#ifndef BRIG_SANDBOX_SUPERVISOR_INTERNAL_H
#define BRIG_SANDBOX_SUPERVISOR_INTERNAL_H

#include <time.h>

#include "bpf_dsl/rules.h"
#include "sandbox/child/handshake.h"
#include "sandbox/report.h"
#include "sandbox/supervisor.h"

// How long a thread that dies of a violation waits for us. We answer in microseconds; a host that is busy longer than this loses
// maps and strings.
#define BOX_VERDICT_WAIT_MS 2000
// How long a killed process may take to go. Longer only if it hangs inside the kernel.
#define BOX_DEATH_WAIT_MS 5000
#define BOX_HANDSHAKE_MS 10000
#define BOX_PATH_BYTES 4096
#define BOX_MAPS_BYTES ((size_t)1 << 20)

// --- limits on how much is said ---------------------------------------------------------------------------------------

// Allows `burst` at once and `per_second` after that. All zero is full.
struct box_bucket {
    int64_t used_milli; // thousandths of a token that are gone
    int64_t filled_ms;  // CLOCK_MONOTONIC
};
struct box_rate {
    int64_t burst;
    int64_t per_second;
};
// Takes a token. Returns: whether there was one.
bool box_bucket_take(struct box_bucket *bucket, const struct box_rate *rate, int64_t now_ms);

// Causes of violations, by brig_report_key; the least recently seen makes room.
#define BOX_CAUSES 256
struct box_cause {
    uint64_t key;
    uint64_t count;
    uint64_t seen; // sequence when last seen, 0: unused
    int64_t first_ms;
    struct box_bucket bucket;
};
struct box_causes {
    struct box_cause entries[BOX_CAUSES];
};
struct box_cause *box_causes_find(struct box_causes *causes, uint64_t key, uint64_t sequence);

// Report files of one worker, oldest first.
#define BOX_REPORT_NAME_BYTES 64
struct box_ledger_entry {
    struct box_ledger_entry *next;
    uint64_t bytes;
    char name[BOX_REPORT_NAME_BYTES];
};
struct box_ledger {
    struct box_ledger_entry *oldest, *newest;
    uint64_t bytes;
};
struct box_report_place {
    int dir_fd;
    const char *name;
    uint64_t quota_bytes;
};
// Writes a report, and deletes the worker's oldest ones until the quota holds again. Returns: as brig_report_write.
enum brig_code box_ledger_write(struct box_ledger *ledger, const struct box_report_place *place, const char *json,
                                struct brig_error *reterr);
void box_ledger_free(struct box_ledger *ledger);

// --- slots ------------------------------------------------------------------------------------------------------------

// What we did to a slot last; the state word in it is the worker's to write.
enum box_slot_view { BOX_SLOT_IDLE, BOX_SLOT_OURS, BOX_SLOT_ANSWERED, BOX_SLOT_BROKEN };

struct box_slots {
    struct brig_trap_slots *shared; // our mapping
    struct brig_trap_slots *worker; // the mapping that the worker inherits, gone from here after fork
    uint8_t views[BRIG_TRAP_SLOT_COUNT];
    uint64_t lost_seen;
};
enum brig_code box_slots_new(struct box_slots *slots, struct brig_error *reterr);
void box_slots_after_fork(struct box_slots *slots);
void box_slots_free(struct box_slots *slots);

enum box_slot_news { BOX_SLOT_NOTHING, BOX_SLOT_RECORD, BOX_SLOT_LIE };
// Looks at one slot. RECORD: the slot is taken, and `record` is the copy; a lie is told once, then the slot is not looked at again.
enum box_slot_news box_slots_look(struct box_slots *slots, size_t index, struct brig_trap_record *record);
// Lets the worker go on: the waiting thread to its death, or the slot to its next event.
void box_slots_answer(struct box_slots *slots, size_t index, bool is_waiting);
// The same for a thread that waits with a question.
void box_slots_answer_question(struct box_slots *slots, size_t index, enum brig_trap_verdict verdict, int64_t value);
// Returns: how many records were lost since the last time, as the worker claims.
uint64_t box_slots_newly_lost(struct box_slots *slots);

// --- a worker and its supervisor --------------------------------------------------------------------------------------

enum box_source_kind { BOX_SOURCE_NOTIFY, BOX_SOURCE_DEATH, BOX_SOURCE_NEWS };

// What an epoll event points to.
struct box_source {
    enum box_source_kind kind;
    struct brig_worker *worker;
};

struct box_text_file { // malloced text of a /proc file
    char *text;
    size_t bytes;
};
// Reads all of an open maps file, at most BOX_MAPS_BYTES; nothing if it cannot be read or the process is gone.
struct box_text_file box_maps_text(int maps_fd);

// mappings.c
// Looks for memory that the worker shares with a device or an object of the kernel's. Returns: NULL, or a static string that says
// what was found.
const char *box_maps_judge(const struct box_text_file *maps);

// What a worker and its broker have in common, and what of it is here for the time of the launch.
struct box_link {
    struct brig_broker *broker;      // NULL: none, or stopped
    struct brig_broker_slots *slots; // the mapping that the worker inherits, gone from here after fork
    int slots_fd;
    int socket_fd;        // the broker's end
    int worker_socket_fd; // the worker's, closed here after fork
    int worker_socket_number;
    uint32_t session; // 0: the broker does not know of it
};

// An executed program, as its front end (the worker) tells of it.
struct box_program {
    const struct brig_dsl_policy *policy;
    int pid;
    int pid_fd; // -1: not told yet
    struct brig_status status;
    bool has_ended;
    bool is_violation; // it ended because it was killed for one
    int wait_status;
    int exec_errno; // why it could not be executed
};

struct brig_worker {
    struct brig_supervisor *supervisor;
    struct brig_worker *next;
    struct box_source notify_source, death_source, news_source;
    char name[32];
    const struct brig_dsl_policy *policy;

    int pid;
    int pid_fd;
    int notify_fd;
    int channel_fd;                      // ours
    int worker_channel_fd;               // theirs, closed after fork
    int maps_fd;                         // /proc/PID/maps, -1: not readable
    int memory_fd;                       // /proc/PID/mem, -1: not readable
    struct box_text_file maps_at_launch; // for records of a worker that is gone

    struct box_link link;        // to its broker
    struct brig_broker *serves;  // it is the process of this broker; NULL: a worker of the host's
    struct box_program *program; // it is the front end of this program; NULL: it is none
    struct box_slots slots;
    struct box_handshake *handshake; // unmapped after launch
    void *memory;                    // for the worker's compiler; NULL after fork
    struct brig_status status;

    struct box_bucket bucket;
    struct box_ledger ledger;
    uint64_t violation_count;
    bool has_last_words;       // a thread that dies of its violation has said so
    uint64_t unreported_count; // of these, not told for their number
    uint64_t question_count;
    bool is_gone; // reaped
    int wait_status;
    int wait_errno; // why there is no wait status, 0: there is one
};

struct brig_supervisor {
    struct brig_supervisor_options options;
    char *report_dir; // copy, or NULL
    int report_dir_fd;
    int epoll_fd;
    int null_fd;
    struct brig_worker *workers;
    struct brig_broker *brokers;
    uint64_t sequence;
    struct box_causes causes;
    struct box_wire_error last_failure; // texts of the last error that a worker told at launch
    struct brig_trap_record record;     // the copy being worked on: too big for a stack
    struct brig_stack stack;            // the same
    struct brig_dsl_program program;    // what the process that was explained last runs under
    const void *program_of;             // its struct brig_worker or struct box_program, or NULL
    void *program_memory;               // under it
    struct brig_dsl_rules rules;        // the same for the worker that asked last
    const void *rules_of;
    void *rules_memory; // NULL: nobody has asked yet
};

// launch.c
struct box_preparation;
// Launches a worker of the host's, or with `preparation` one of ours. Returns: as brig_supervisor_launch.
enum brig_code box_launch(struct brig_supervisor *supervisor, const struct brig_worker_spec *spec,
                          const struct box_preparation *preparation, struct brig_worker **ret_worker, struct brig_error *reterr);

// broker.c, link.c
void box_link_init(struct box_link *link);
// Makes what a worker needs to ask a broker: slots and a socket. Nothing without a broker. Returns: OK; BAD_ARGUMENT (a broker of
// another supervisor); WORKER_DIED (subject: the broker has ended); KERNEL_REFUSED; KERNEL_LACKS.
enum brig_code box_link_new(struct brig_worker *worker, struct brig_broker *broker, struct brig_error *reterr);
void box_link_after_fork(struct box_link *link);
// Takes the listener from the locked worker and hands it, with all else, to the broker. Returns: OK; WORKER_LIED; WORKER_DIED
// (subject: the broker); KERNEL_REFUSED.
enum brig_code box_link_open(struct brig_worker *worker, struct brig_error *reterr);
// Tells the broker that the worker is gone; stops a broker that was to end with it.
void box_link_close(struct brig_worker *worker);
// Makes a socket (SOCK_SEQPACKET) over which a broker takes requests as messages, one at a time, until it is closed; it is none of
// the workers that a broker may end with. `*client` 0 is a new client, and gets its number; with that the next one is the same
// client's. Returns: OK; WORKER_DIED (subject: the broker); KERNEL_REFUSED. Owns: the caller closes *ret_fd.
enum brig_code box_broker_socket(struct brig_broker *broker, uint32_t *client, int *ret_fd, struct brig_error *reterr);
// Reads what a broker has to say. `process` is its worker.
void box_broker_hear(struct brig_worker *process);
// A broker's process is gone; its workers get EIO from the kernel.
void box_broker_lost(struct brig_worker *process);
void box_brokers_free(struct brig_supervisor *supervisor);

// worker.c
// Allocates what a worker needs before fork. Returns: OK; OUT_OF_MEMORY; KERNEL_REFUSED; KERNEL_LACKS.
enum brig_code box_worker_new(struct brig_supervisor *supervisor, const struct brig_worker_spec *spec,
                              struct brig_worker **ret_worker, struct brig_error *reterr);
void box_worker_drop_memory(struct brig_worker *worker);
// What the worker compiled with.
struct brig_dsl_options box_worker_options(const struct brig_worker *worker);
// Makes the supervisor's `program` this worker's, byte for byte what it compiled: the same policy, process id and notify
// descriptor; or that of the program whose front end the worker is. Most workers never need to be explained, and launching them
// should not wait for it. Returns: as brig_dsl_compile.
enum brig_code box_worker_compile(struct brig_worker *worker, const struct box_program *program, struct brig_error *reterr);
// Frees everything of a worker that is gone or was never forked, and takes it off its supervisor's list.
void box_worker_free(struct brig_worker *worker);
// Empties the counter of a notify descriptor; never waits. Leaves errno: EAGAIN if there was nothing.
void box_notify_take(int notify_fd);
// Waits at most wait_ms for the end, and reaps; what is left of the worker's process group is killed. Returns: whether the worker
// is gone.
bool box_worker_reap(struct brig_worker *worker, int wait_ms);
// Kills, waits a bounded time, reaps.
void box_worker_end(struct brig_worker *worker);

// handshake.c
enum brig_code box_handshake_new(struct brig_worker *worker, struct brig_error *reterr);
void box_handshake_free(struct brig_worker *worker);
// Moves the phase on and wakes the worker. Returns: false if the phase was not `from`.
bool box_handshake_step(struct brig_worker *worker, enum box_phase from, enum box_phase to);
// Waits for LOCKED. Returns: OK; the worker's own error; WORKER_DIED; WORKER_SILENT; WORKER_LIED.
enum brig_code box_handshake_wait(struct brig_worker *worker, uint32_t limit_ms, struct brig_error *reterr);

// Says why a step of the launch failed with `otherwise`: because the worker had ended, if it has. What the worker said before its
// end comes first. Returns: the code of that; `otherwise`, with *reterr as it was, where the worker lives.
enum brig_code box_handshake_ended(struct brig_worker *worker, enum brig_code otherwise, struct brig_error *reterr);

// violation.c
// Handles every slot that has something. Calls on_event.
void box_worker_drain(struct brig_worker *worker);

// evidence.c
#define BOX_STRING_BYTES 4096
struct box_evidence {
    struct box_text_file maps;
    struct brig_pointee pointees[6];
    size_t pointee_count;
    unsigned char bytes[6][BOX_STRING_BYTES];
    const struct box_program *program; // it is about this one, and not about the worker; or NULL
    int pid;                           // of the program's process that was refused something
};
// Reads what only the waiting worker's memory has. What cannot be read is left out.
void box_evidence_collect(const struct brig_worker *worker, const struct brig_trap_record *record, struct box_evidence *evidence);
void box_evidence_free(struct box_evidence *evidence);
// The same of the pointees alone.
void box_evidence_collect_pointees(const struct brig_worker *worker, const struct brig_trap_record *record,
                                   struct box_evidence *evidence);
// Copies the stack of the thread that waits, where the record has none.
void box_evidence_copy_stack(const struct brig_worker *worker, struct brig_trap_record *record);

// violation.c
// Takes a token of what may be told about a worker. Returns: whether there was one.
bool box_violation_may_tell(struct brig_worker *worker);
// Explains a checked record to the host.
void box_violation_tell(struct brig_worker *worker, const struct brig_trap_record *record, const struct box_evidence *evidence);

// program.c
// Reads what the front end of a program has to say.
void box_program_hear(struct brig_worker *front);

// front_message.c
struct box_front_message;
// Takes a VIOLATION or a QUESTION of a front end apart; `rest` is what came behind its header. Returns: false if it does not fit
// together. Owns: evidence is freed by box_evidence_free, also then.
bool box_front_take(const struct box_front_message *message, const unsigned char *rest, size_t bytes,
                    struct brig_trap_record *ret_record, struct box_evidence *evidence);
// The EXIT event of a program, whose front end is gone.
void box_program_exit(struct brig_worker *front);
void box_program_free(struct box_program *program);

// question.c
// Answers the question in the supervisor's `record`, a copy of `slot`. Calls on_question.
void box_question_handle(struct brig_worker *worker, size_t slot);
// Makes the supervisor's `rules` those of this worker, or of the program whose front end it is. Returns: as brig_dsl_resolve.
enum brig_code box_worker_resolve(struct brig_worker *worker, const struct box_program *program, struct brig_error *reterr);
// Answers the question of a program: the supervisor's `record`, with what its arguments point to. Calls on_question. Owns: the
// caller closes the answer's descriptor.
struct brig_answer box_question_of_program(struct brig_worker *front, const struct box_evidence *evidence);

// events.c
void box_event_send(struct brig_worker *worker, struct brig_event event);
// A LOST event with a message made from `error` and a number.
void box_event_lost(struct brig_worker *worker, const struct brig_error *error, uint64_t count);
// A BROKER event: `what` is what the broker says of the worker, escaped.
void box_event_broker(struct brig_worker *worker, const char *what);
void box_event_exit(struct brig_worker *worker, const struct brig_error *error);
// The same of a program, whose status is in its front end's wait_status; `error` says why it could not be executed, or NULL.
void box_event_program_exit(struct brig_worker *front, const struct brig_error *error);

static inline int64_t box_clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
