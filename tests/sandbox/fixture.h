// fixture: what the tests of sandbox/ share: small policies, a supervisor that remembers its events, and kernels with something
// missing.
#ifndef BRIG_TESTS_SANDBOX_FIXTURE_H
#define BRIG_TESTS_SANDBOX_FIXTURE_H

#include "sandbox/supervisor.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

// Allows everything (sanitizers need much) but: uname, connect and openat with O_NOATIME crash, getpriority and sethostname report
// and answer EACCES, setpriority is killed without a handler.
extern const struct brig_dsl_policy fixture_policy;
// As above, and uname reports instead: another type of worker.
extern const struct brig_dsl_policy fixture_other_policy;
// Allows nothing of its own.
extern const struct brig_dsl_policy fixture_empty_policy;

// A policy with more distinct decisions than a program may have instructions.
#define FIXTURE_BIG_ROWS 2500
struct fixture_big {
    struct brig_dsl_policy policy;
    struct brig_dsl_row *rows;
    struct brig_dsl_condition (*conditions)[2];
    char (*texts)[16];
};
// Returns: false if there is no memory.
bool fixture_big_make(struct fixture_big *big);
void fixture_big_free(struct fixture_big *big);

#define FIXTURE_EVENTS 64

// The events of one supervisor, copied.
struct fixture {
    struct brig_supervisor *supervisor;
    char report_dir[64];
    size_t count;
    struct {
        enum brig_event_kind kind;
        int pid;
        char name[32];
        char message[400];
        char report_path[256]; // empty: none
        char *json;            // or NULL
        int wait_status;
        uint64_t violation_count;
        struct brig_trap_counts trap_counts;
        enum brig_code code; // of the error, BRIG_OK: none
        char error[512];
    } events[FIXTURE_EVENTS];
};

// Makes a supervisor with a report directory of its own. Returns: false after a failed check.
bool fixture_open(struct fixture *fixture);
bool fixture_open_with(struct fixture *fixture, const struct brig_supervisor_options *options);
// Ends everything and deletes the directory.
void fixture_close(struct fixture *fixture);

// Launches and checks that it works. Returns: the worker, or NULL after a failed check.
struct brig_worker *fixture_launch(struct fixture *fixture, const struct brig_worker_spec *spec);

// Dispatches until there are `exits` EXIT events in all, or five seconds are over. Returns: whether there are.
bool fixture_run(struct fixture *fixture, size_t exits);
// Dispatches until there are `count` events of a kind. Returns: whether there are.
bool fixture_wait(struct fixture *fixture, enum brig_event_kind kind, size_t count);

size_t fixture_count(const struct fixture *fixture, enum brig_event_kind kind);
// Returns: the index of event number `nth` of a kind (from 0), or -1.
int fixture_find(const struct fixture *fixture, enum brig_event_kind kind, size_t nth);

// Files in the report directory.
size_t fixture_files(const struct fixture *fixture);

// Makes the kernel answer `sys_errno` to a call from now on, in this process and its children; if `argument` is not negative, only
// where (register & mask) == value in its low half.
struct fixture_refusal {
    enum brig_dsl_call call;
    int sys_errno;
    int argument;
    uint32_t mask;
    uint32_t value;
};
bool fixture_refuse(const struct fixture_refusal *refusal);

// Runs `body` in a child and waits for it. Checks that fail there fail the test.
void fixture_in_child(void (*body)(const void *context), const void *context);

// Entry functions. `data` is what they say.
int fixture_entry_return(void *data, int channel_fd); // int: the exit status; NULL: 0
int fixture_entry_crash(void *data, int channel_fd);  // calls uname
int fixture_entry_hang(void *data, int channel_fd);   // for ever

// Sends a packet without waiting, with up to FIXTURE_FDS descriptors: more than anybody expects. Returns: as sendmsg(2).
#define FIXTURE_FDS 64
long fixture_send(int socket_fd, const void *bytes, size_t byte_count, const int *fds, size_t fd_count);

// What a hijacked worker can find out about its supervisor's descriptors: the first eventfd of this process, or -1.
int fixture_eventfd(void);
// A warm-up that keeps it in fixture_notify_fd, before the process is closed to itself.
int fixture_find_notify_fd(void *data);
extern int fixture_notify_fd;
// The slots that this process shares with its supervisor, found as a hijacked worker would; NULL if it has none.
struct brig_trap_slots *fixture_own_slots(void);

#endif
