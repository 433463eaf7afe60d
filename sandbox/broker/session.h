// session: what the files of a broker's process share: the process, one session of it, and one request in the hands of a thread.
//
// A session is what one worker has of its broker: a way for requests to come in, and threads of its own. It ends when its worker is
// gone, when it was sent what is no request, or with the process; what a hostile client can do is bounded by it.
#ifndef BRIG_SANDBOX_BROKER_SESSION_H
#define BRIG_SANDBOX_BROKER_SESSION_H

#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "sandbox/broker/broker.h"
#include "sandbox/broker/control.h"
#include "sandbox/worker/packet.h"

// --- the process ------------------------------------------------------------------------------------------------------

struct box_session;

struct box_process {
    const struct box_list *list;
    struct box_nscd *nscd; // NULL: names are not resolved
    int channel_fd;
    int wake_fd; // eventfd, ends the main thread's wait
    // Whether the main thread waits without a limit: who takes a request then wakes it, and it looks after slow ones.
    atomic_bool is_asleep;
    pthread_mutex_t lock; // sessions, and their threads
    struct box_session *sessions;
    unsigned quiet_ticks;
    unsigned at_once; // threads of a session that can be of use, where none of them is slow
};

// SCHED_BATCH: the calling thread, when it is woken, does not preempt who woke it. Context: any thread.
void box_be_patient(void);

// Makes the main thread look after the sessions now. Context: any thread.
void box_process_wake(struct box_process *process);

// --- refusals (denials.c) ---------------------------------------------------------------------------------------------

// Counts a refused request in the table. There is one table in a process. Context: any thread.
void box_denials_count(struct box_denials *denials, const struct box_denial *denial);
// Fills a denial from a checked request and what it got.
void box_denial_of(const struct brig_broker_request *request, int64_t result, struct box_denial *ret_denial);

// What a session's worker refused itself (refusals.c) is put into the table. Context: any thread, until the session is freed.
void box_refusals_take(struct box_session *session);
// Whether there is something to take. Context: a thread of the session.
bool box_refusals_wait(const struct box_session *session);
// Says whether the list would refuse what a worker claims it refused. Context: any thread.
bool box_refusal_check(const struct box_list *list, const struct brig_broker_refusal *refusal, struct box_denial *ret_denial);

// --- descriptors that clients send (attachments.c) --------------------------------------------------------------------

#define BOX_ATTACHED BOX_PACKET_FDS

struct box_attachment {
    uint32_t generation;
    uint32_t attached; // 0: nothing is here
    int fds[BOX_ATTACHED];
};

// What came for each slot and was not yet asked for.
struct box_attachments {
    pthread_mutex_t lock;
    struct box_attachment slots[BRIG_BROKER_SLOT_COUNT];
};
void box_attachments_init(struct box_attachments *attachments);
void box_attachments_free(struct box_attachments *attachments);
// Takes what came for `slot` and `generation`; reads all that waits in the socket, never waits itself.
// Returns: NULL, and fds[i] is set for the bits of `attached`, or for none if they have not come; or a static string that says what
// is malformed.
const char *box_attachments_take(struct box_attachments *attachments, int socket_fd, const struct brig_broker_attachment *wanted,
                                 int fds[BOX_ATTACHED]);
// Puts a packet's descriptors into fds, in the order of the bits of `attached`. Returns: false if there are not exactly these; then
// all are closed.
bool box_attached_from(struct box_packet_fds *came, uint32_t attached, int fds[BOX_ATTACHED]);
void box_attached_close(int fds[BOX_ATTACHED]);

// --- one request ------------------------------------------------------------------------------------------------------

struct box_work {
    struct box_session *session;
    int thread;            // its index in the session
    atomic_uint taken;     // requests so far
    unsigned taken_before; // when the main thread looked last
    bool is_parked;
    const char *wrong;
    size_t request_bytes;
    int pid;                     // of who asks, 0: not known
    int came_with[BOX_ATTACHED]; // messages.c: between receive and collect
    struct box_job job;
    union { // newer kernels may write more than our headers know
        struct seccomp_notif fields;
        unsigned char room[256];
    } notification;
    struct brig_broker_request request;
    struct brig_broker_reply reply;
};

// --- a session --------------------------------------------------------------------------------------------------------

enum box_received { BOX_RECEIVED_REQUEST, BOX_RECEIVED_NOTHING, BOX_RECEIVED_END, BOX_RECEIVED_WRONG };

// How requests come in and answers go out.
struct box_port {
    unsigned threads;      // at most
    bool is_patient;       // who is woken does not preempt
    bool is_slow_to_close; // request_fd holds what a stranger sent
    // Waits for a request. Context: inside box_session_enter.
    enum box_received (*receive)(struct box_work *work);
    // Copies it: fills request, request_bytes, job.attached. Returns: NULL, or what is malformed.
    const char *(*collect)(struct box_work *work);
    // Context: inside box_session_enter.
    void (*answer)(struct box_work *work);
    void (*free)(struct box_session *session); // once by the last thread, and once more by the main thread
};

#define BOX_SESSION_OVER 0x80000000u

struct box_session {
    struct box_session *next;
    struct box_process *process;
    struct box_denials *denials;
    const struct box_port *port;
    uint32_t number; // the supervisor's
    uint32_t client; // the number of its client's first session
    int request_fd;  // listener: closed when nobody is in a call on it any more; or socket: the last thread's to close
    int socket_fd;   // for attachments, or -1
    struct brig_broker_slots *slots;
    // Passed on from the thread that answered in a slot to the one that reads it next. The kernel and an honest client order the
    // two, where neither C nor a checker of races can see it.
    atomic_uint turns[BRIG_BROKER_SLOT_COUNT];
    struct box_attachments attachments;
    pthread_mutex_t refusals_lock; // and so long `slots` stay mapped
    uint32_t refusals_taken;

    atomic_uint users;   // threads in a call on request_fd; BOX_SESSION_OVER
    atomic_bool seat;    // a thread waits for requests, or is about to
    atomic_uint surplus; // threads that are to park when they come back, though the seat may be free
    atomic_bool has_touched;
    // Under the process's lock.
    pthread_cond_t seat_is_free;
    unsigned parked, thread_count;
    int tids[BRIG_BROKER_SLOT_COUNT];
    struct box_work *works[BRIG_BROKER_SLOT_COUNT];
};

// Starts a session, or says to the supervisor why not. Owns: the descriptors are the session's in any case.
void box_session_open(struct box_process *process, struct box_denials *denials, const struct box_control *control,
                      const int fds[BOX_CONTROL_FDS]);
// Ends a session: nothing is received any more. `wrong` NULL: as was to be; else the supervisor is told.
void box_session_end(struct box_session *session, const char *wrong, int pid);
// Ends the one with a number. Context: the main thread.
void box_session_end_number(struct box_process *process, uint32_t number);
// Puts into the table of refusals what workers refused themselves. Context: the main thread.
void box_sessions_count(struct box_process *process);
// Puts a thread more where all are busy, takes apart what is over. Returns: milliseconds until it wants to be called again, -1:
// when woken. Context: the main thread.
int box_sessions_tend(struct box_process *process);

// Around calls on request_fd. Returns: false if the session is over.
bool box_session_enter(struct box_session *session);
void box_session_leave(struct box_session *session);
static inline bool box_session_is_over(struct box_session *session)
{
    return (atomic_load(&session->users) & BOX_SESSION_OVER) != 0;
}
// Tells the supervisor.
void box_session_tell(struct box_session *session, const struct box_news *news);

extern const struct box_port box_port_notified; // notified.c
extern const struct box_port box_port_messages; // messages.c

// landlock.c
// Gives up, for ever, what the list does not need. Returns: OK; KERNEL_LACKS; KERNEL_REFUSED; IO.
enum brig_code box_landlock(const struct brig_broker_list *list, struct brig_error *reterr);

#endif
