// session: one client's threads, from its first request to its end.
//
// One thread at a time has the seat: it waits for a request. It leaves the seat with one, serves it, and comes back; if somebody
// else has sat down meanwhile, it parks. So a client that asks one thing after the other is served by one thread, without any
// wake-up between threads (the kernel wakes all that wait on a listener, kernel/seccomp.c:recv_wait_event: more than one would
// cost a switch each).
//
// The main thread looks after the seat at its tick. Found empty, it is given to a parked thread or a new one in two cases: if no
// thread has taken a request since the last tick, because a file system is slow; or if a request is waiting, and fewer threads than
// can be of use are taking any (a thread that hands over a descriptor waits until it is taken: kernel/seccomp.c:
// seccomp_notify_addfd). So slow requests delay the next by two ticks, and no more, up to as many threads as there are slots; and
// sixteen clients are served by as few threads as four, with the same caches. Threads beyond that number, which came while others
// were slow, park when they come back.
//
// The end: nobody enters a call on the listener any more; who is in one is woken by a signal; when the last is out, the listener is
// closed, and the kernel answers all that still wait with ENOSYS. A thread that hangs in a dead file system keeps its memory, not
// the listener. A socket is shut down there, and closed by the last thread with all that nobody has read.
#include "sandbox/broker/session.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/broker/list.h"

enum { TICK_MS = 4, QUIET_TICKS = 8, STACK_BYTES = 256 << 10 };

static const char no_room[] = "more work than it has room for";

// --- entering and ending ----------------------------------------------------------------------------------------------

bool box_session_enter(struct box_session *session)
{
    if (!(atomic_fetch_add(&session->users, 1) & BOX_SESSION_OVER))
        return true;
    atomic_fetch_sub(&session->users, 1);
    return false;
}

void box_session_leave(struct box_session *session)
{
    atomic_fetch_sub(&session->users, 1);
}

// Waits where the supervisor is slow: there is at most one message of each kind for a session.
void box_session_tell(struct box_session *session, const struct box_news *news)
{
    while (send(session->process->channel_fd, news, sizeof *news, MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

static void copy_text(char *to, size_t to_bytes, const char *from)
{
    const size_t bytes = strlen(from), room = to_bytes - 1;
    memcpy(to, from, bytes < room ? bytes : room);
    to[bytes < room ? bytes : room] = '\0';
}

void box_session_end(struct box_session *session, const char *wrong, int pid)
{
    struct box_news news = {.kind = BOX_NEWS_CLOSED, .session = session->number, .pid = pid};
    atomic_fetch_add(&session->users, 1); // so that the supervisor hears of it before the client feels it
    const bool was_over = atomic_fetch_or(&session->users, BOX_SESSION_OVER) & BOX_SESSION_OVER;
    if (wrong && !was_over) {
        copy_text(news.what, sizeof news.what, wrong);
        box_session_tell(session, &news);
    }
    atomic_fetch_sub(&session->users, 1);
    if (!was_over)
        box_process_wake(session->process);
}

void box_session_end_number(struct box_process *process, uint32_t number)
{
    for (struct box_session *session = process->sessions; session; session = session->next) {
        if (session->number == number)
            box_session_end(session, NULL, 0);
    }
}

// --- a thread ---------------------------------------------------------------------------------------------------------

static bool is_surplus(struct box_session *session)
{
    unsigned surplus = atomic_load_explicit(&session->surplus, memory_order_relaxed);
    return surplus && atomic_compare_exchange_strong(&session->surplus, &surplus, surplus - 1);
}

// Returns: false if the session is over.
static bool take_seat(struct box_work *work)
{
    struct box_session *session = work->session;
    bool waits = is_surplus(session);
    if (!waits && !atomic_exchange(&session->seat, true))
        return !box_session_is_over(session);
    pthread_mutex_lock(&session->process->lock);
    work->is_parked = true;
    session->parked++;
    while (!box_session_is_over(session) && (waits || atomic_exchange(&session->seat, true))) {
        pthread_cond_wait(&session->seat_is_free, &session->process->lock);
        waits = false;
    }
    session->parked--;
    work->is_parked = false;
    pthread_mutex_unlock(&session->process->lock);
    return !box_session_is_over(session);
}

static enum box_received receive(struct box_work *work)
{
    struct box_session *session = work->session;
    if (!box_session_enter(session))
        return BOX_RECEIVED_END;
    const enum box_received received = session->port->receive(work);
    box_session_leave(session);
    atomic_store(&session->seat, false);
    if (received != BOX_RECEIVED_REQUEST)
        return received;
    atomic_fetch_add_explicit(&work->taken, 1, memory_order_relaxed);
    if (atomic_load(&session->process->is_asleep) && atomic_exchange(&session->process->is_asleep, false))
        box_process_wake(session->process);
    return BOX_RECEIVED_REQUEST;
}

// The entry that covers a path of the request by its text, and lets nobody touch it. Returns: NULL if a link or ".." led there.
static const char *touched_entry(const struct box_job *job, int path)
{
    char buffer[BRIG_BROKER_PATH_BYTES];
    const char *start = job->list->working_directory.text;
    struct box_name name;
    if (job->attached[path] >= 0 && box_directory_path(job->attached[path], buffer) == 0)
        start = buffer;
    if (!job->path[path] || box_name_join(start, job->path[path], &name) != 0)
        return NULL;
    const struct box_found found = box_list_find(job->list, name.text, name.bytes);
    return found.entry && found.entry->rights & BRIG_BROKER_CRASH ? found.entry->path : NULL;
}

static void tell_touched(struct box_work *work, const struct box_denial *denial)
{
    struct box_session *session = work->session;
    struct box_news news = {.kind = BOX_NEWS_TOUCHED,
                            .session = session->number,
                            .pid = work->pid,
                            .op = denial->op,
                            .call = denial->call,
                            .sys_errno = denial->sys_errno};
    if (atomic_exchange(&session->has_touched, true))
        return;
    const char *entry = touched_entry(&work->job, 0);
    entry = entry ? entry : touched_entry(&work->job, 1);
    copy_text(news.what, sizeof news.what, entry ? entry : "behind a link or \"..\"");
    memcpy(news.path, denial->path, sizeof news.path);
    box_session_tell(session, &news);
}

// Who touched what nobody may touch gets its answer, so that its handler can report where it was asked, and nothing after that; the
// supervisor sees to its death, also if it has no such handler any more.
static void note_refusal(struct box_work *work)
{
    struct box_denial denial;
    if (work->reply.verdict == BRIG_BROKER_DONE)
        return;
    box_denial_of(&work->request, work->reply.result, &denial);
    box_denials_count(work->session->denials, &denial);
    if (work->reply.verdict == BRIG_BROKER_TOUCHED)
        tell_touched(work, &denial);
}

static void find_parts(struct box_work *work)
{
    struct brig_broker_request *request = &work->request;
    const uint8_t *at = request->bytes;
    for (int i = 0; i < 2; i++) {
        work->job.path[i] = request->path_bytes[i] ? (const char *)at : NULL;
        at += request->path_bytes[i];
    }
    work->job.data = at;
}

static bool lacks_descriptors(const struct box_work *work)
{
    bool lacks = false;
    for (unsigned i = 0; i < BOX_ATTACHED; i++)
        lacks |= (work->request.attached >> i & 1) && work->job.attached[i] < 0;
    return lacks;
}

static const char *serve(struct box_work *work)
{
    const char *wrong = box_request_check(&work->request, work->request_bytes);
    if (wrong)
        return wrong;
    find_parts(work);
    if (lacks_descriptors(work))
        work->reply.result = -BRIG_BROKER_SEND_AGAIN;
    else
        box_serve(&work->job);
    note_refusal(work); // before the answer: who sees the client's end finds it counted
    if (box_session_enter(work->session)) {
        work->session->port->answer(work);
        box_session_leave(work->session);
    }
    if (box_refusals_wait(work->session))
        box_refusals_take(work->session);
    if (work->reply.verdict == BRIG_BROKER_TOUCHED)
        box_session_end(work->session, NULL, 0);
    return NULL;
}

static void handle(struct box_work *work)
{
    work->job = (struct box_job){.list = work->session->process->list,
                                 .nscd = work->session->process->nscd,
                                 .client = work->session->client,
                                 .request = &work->request,
                                 .attached = {-1, -1, -1},
                                 .reply = &work->reply,
                                 .descriptor = -1};
    work->reply.result = -EIO;
    work->reply.verdict = BRIG_BROKER_DONE;
    work->reply.answer_bytes = 0;
    const char *wrong = work->session->port->collect(work);
    if (!wrong)
        wrong = serve(work);
    box_attached_close(work->job.attached);
    if (work->job.descriptor >= 0)
        close(work->job.descriptor);
    if (wrong)
        box_session_end(work->session, wrong, work->pid);
}

// The last that a thread does with its session: after it, the main thread may free it. Closing what a stranger sent may wait
// (SO_LINGER), so the last thread does it, which the main thread's signals wake, and not the main thread.
static void leave(struct box_work *work)
{
    struct box_session *session = work->session;
    struct box_process *process = session->process;
    pthread_mutex_lock(&process->lock);
    if (session->thread_count == 1) {
        const int fd = session->port->is_slow_to_close ? session->request_fd : -1;
        session->request_fd = fd >= 0 ? -1 : session->request_fd;
        pthread_mutex_unlock(&process->lock);
        session->port->free(session);
        if (fd >= 0)
            close(fd);
        pthread_mutex_lock(&process->lock);
    }
    session->tids[work->thread] = 0;
    session->works[work->thread] = NULL;
    session->thread_count--;
    pthread_mutex_unlock(&process->lock);
    free(work);
    box_process_wake(process); // which stays
}

// A kernel that refuses makes the broker slower and no worse.
void box_be_patient(void)
{
    const struct sched_param none = {.sched_priority = 0};
    if (syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none) != 0)
        return;
}

static void *run(void *argument)
{
    struct box_work *work = argument;
    struct box_session *session = work->session;
    if (session->port->is_patient)
        box_be_patient();
    pthread_mutex_lock(&session->process->lock);
    session->tids[work->thread] = (int)syscall(SYS_gettid);
    pthread_mutex_unlock(&session->process->lock);
    while (take_seat(work)) {
        switch (receive(work)) {
        case BOX_RECEIVED_REQUEST:
            handle(work);
            break;
        case BOX_RECEIVED_NOTHING:
            break;
        case BOX_RECEIVED_END:
            box_session_end(session, NULL, 0);
            break;
        case BOX_RECEIVED_WRONG:
            box_session_end(session, work->wrong, 0);
            break;
        }
    }
    leave(work);
    return NULL;
}

// --- the main thread's side -------------------------------------------------------------------------------------------

// Under the lock. Returns: whether there is one more thread.
static bool add_thread(struct box_session *session)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int free_place = 0;
    while (session->works[free_place])
        free_place++;
    struct box_work *work = malloc(sizeof *work);
    if (!work || pthread_attr_init(&attributes) != 0) {
        free(work);
        return false;
    }
    work->session = session;
    work->thread = free_place;
    atomic_init(&work->taken, 0);
    work->taken_before = 0;
    work->is_parked = false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    session->works[free_place] = work;
    session->thread_count++;
    const int reason = pthread_create(&thread, &attributes, run, work);
    pthread_attr_destroy(&attributes);
    if (reason == 0)
        return true;
    session->works[free_place] = NULL;
    session->thread_count--;
    free(work);
    return false;
}

// Under the lock. Returns: how many threads took a request since the last look, but for those that have parked.
static unsigned count_moving(struct box_session *session)
{
    unsigned moving = 0;
    for (unsigned i = 0; i < session->port->threads; i++) {
        struct box_work *work = session->works[i];
        if (!work)
            continue;
        const unsigned taken = atomic_load_explicit(&work->taken, memory_order_relaxed);
        moving += taken != work->taken_before && !work->is_parked;
        work->taken_before = taken;
    }
    return moving;
}

static bool has_help(const struct box_session *session)
{
    return session->parked || session->thread_count < session->port->threads;
}

static bool is_request_waiting(const struct box_session *session)
{
    struct pollfd polled = {.fd = session->request_fd, .events = POLLIN};
    return poll(&polled, 1, 0) > 0;
}

// Puts somebody on an empty seat. Returns: whether there is somebody.
static bool fill_seat(struct box_session *session)
{
    return session->parked ? pthread_cond_signal(&session->seat_is_free) == 0 : add_thread(session);
}

// Under the lock. Returns: whether something is going on that should be looked at again soon.
static bool tend_living(struct box_session *session)
{
    const unsigned moving = count_moving(session), most = session->process->at_once;
    atomic_store_explicit(&session->surplus, moving > most ? moving - most : 0, memory_order_relaxed);
    if (atomic_load(&session->seat) || !has_help(session))
        return moving > 0;
    const bool needs_help = moving == 0 || (moving < most && is_request_waiting(session));
    return (needs_help && fill_seat(session)) || moving;
}

static void free_session(struct box_session *session)
{
    if (session->request_fd >= 0)
        close(session->request_fd);
    session->port->free(session);
    pthread_cond_destroy(&session->seat_is_free);
    pthread_mutex_destroy(&session->refusals_lock);
    free(session);
}

// Moves a session that is over towards its end. Returns: whether nothing of it is left but memory.
static bool take_apart(struct box_session *session)
{
    pthread_cond_broadcast(&session->seat_is_free);
    for (unsigned i = 0; i < session->port->threads; i++) {
        if (session->tids[i])
            syscall(SYS_tgkill, getpid(), session->tids[i], SIGUSR1);
    }
    if (session->request_fd >= 0 && atomic_load(&session->users) == BOX_SESSION_OVER) {
        if (session->port->is_slow_to_close) {
            shutdown(session->request_fd, SHUT_RDWR);
        } else {
            close(session->request_fd);
            session->request_fd = -1;
        }
    }
    return session->thread_count == 0;
}

// Under the lock. Returns: whether something is going on that should be looked at again soon.
static bool tend(struct box_process *process)
{
    bool is_busy = false;
    for (struct box_session **link = &process->sessions; *link;) {
        struct box_session *session = *link;
        if (!box_session_is_over(session)) {
            is_busy |= tend_living(session);
            link = &session->next;
        } else if (take_apart(session)) {
            *link = session->next;
            free_session(session);
        } else {
            is_busy = true;
            link = &session->next;
        }
    }
    return is_busy;
}

// A thread that took a request before it could see that we are asleep is seen here.
static bool may_sleep(const struct box_process *process)
{
    for (struct box_session *session = process->sessions; session; session = session->next) {
        if (box_session_is_over(session) || (!atomic_load(&session->seat) && has_help(session)))
            return false;
    }
    return true;
}

int box_sessions_tend(struct box_process *process)
{
    atomic_store(&process->is_asleep, false);
    pthread_mutex_lock(&process->lock);
    process->quiet_ticks = tend(process) ? 0 : process->quiet_ticks + 1;
    bool sleeps = process->quiet_ticks >= QUIET_TICKS || !process->sessions;
    if (sleeps) {
        atomic_store(&process->is_asleep, true);
        sleeps = may_sleep(process);
    }
    pthread_mutex_unlock(&process->lock);
    return sleeps ? -1 : TICK_MS;
}

void box_sessions_count(struct box_process *process)
{
    pthread_mutex_lock(&process->lock);
    for (struct box_session *session = process->sessions; session; session = session->next)
        box_refusals_take(session);
    pthread_mutex_unlock(&process->lock);
}

// --- opening ----------------------------------------------------------------------------------------------------------

// Returns: false if there is no memory for the slots.
static bool take_slots(struct box_session *session, const int fds[BOX_CONTROL_FDS])
{
    void *address = mmap(NULL, sizeof *session->slots, PROT_READ | PROT_WRITE, MAP_SHARED, fds[BOX_CONTROL_SLOTS], 0);
    if (address == MAP_FAILED)
        return false;
    close(fds[BOX_CONTROL_SLOTS]);
    session->slots = address;
    session->socket_fd = fds[BOX_CONTROL_SOCKET];
    box_attachments_init(&session->attachments);
    return true;
}

static struct box_session *new_session(struct box_process *process, struct box_denials *denials, const struct box_control *control,
                                       const int fds[BOX_CONTROL_FDS])
{
    const bool is_linked = control->kind == BOX_CONTROL_OPEN;
    struct box_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    *session = (struct box_session){.process = process,
                                    .denials = denials,
                                    .port = is_linked ? &box_port_notified : &box_port_messages,
                                    .number = control->session,
                                    .client = control->client,
                                    .request_fd = fds[0],
                                    .socket_fd = -1};
    if (is_linked && !take_slots(session, fds)) {
        free(session);
        return NULL;
    }
    pthread_cond_init(&session->seat_is_free, NULL);
    pthread_mutex_init(&session->refusals_lock, NULL);
    return session;
}

static void refuse(struct box_process *process, uint32_t number, const int fds[BOX_CONTROL_FDS])
{
    struct box_session session = {.process = process, .number = number};
    struct box_news news = {.kind = BOX_NEWS_CLOSED, .session = number};
    copy_text(news.what, sizeof news.what, no_room);
    for (int i = 0; i < BOX_CONTROL_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    box_session_tell(&session, &news);
}

void box_session_open(struct box_process *process, struct box_denials *denials, const struct box_control *control,
                      const int fds[BOX_CONTROL_FDS])
{
    struct box_session *session = new_session(process, denials, control, fds);
    if (!session) {
        refuse(process, control->session, fds);
        return;
    }
    pthread_mutex_lock(&process->lock);
    session->next = process->sessions;
    process->sessions = session;
    const bool has_thread = add_thread(session);
    pthread_mutex_unlock(&process->lock);
    if (!has_thread)
        box_session_end(session, no_room, 0);
}
