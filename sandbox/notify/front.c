// front: the notify front end's process: forks the program, locks itself, lets the program go, answers its calls, tells its end.
//
// It is a worker like others (own policy, own reports, read back by the supervisor) with one thing more: a child. Threads share one
// listener: each takes a notification, works on it, answers it, so that a slow file system stalls one of them. While all are busy,
// callers wait in the kernel, where only a fatal signal ends them (WAIT_KILLABLE_RECV): a call that is being worked on is not
// interrupted and asked again.
//
// The front end adopts what the program leaves behind (it is a subreaper) and kills it at the program's end: without an answer
// their calls would be refused for ever.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/child/child.h"
#include "sandbox/child/handshake.h"
#include "sandbox/notify/notify.h"
#include "sandbox/worker/packet.h"
#include "sandbox/worker/proc.h"

enum { START_ROUNDS = 100000, START_PAUSE_NS = 100000 }; // ten seconds
enum { LEFTOVER_ROUNDS = 10000 };

static const char step_start[] = "start program";

// What the threads share; there is one front end in a process.
struct front_state {
    struct box_front *front;
    struct box_teller teller;
    struct brig_dsl_rules rules; // of the program's policy
    int listener_fd;
    bool is_violation; // of the program itself: it was killed for one
};

struct front_thread {
    struct front_state *state;
    int broker_fd;
    struct box_workspace work;
};

// --- messages ---------------------------------------------------------------------------------------------------------

static void send_all(int channel_fd, const void *message, size_t bytes, int fd)
{
    const struct box_packet_fds fds = box_packet_fd(fd);
    while (box_packet_send(channel_fd, message, bytes, &fds, 0) < 0 && errno == EINTR)
        continue;
}

static void copy_text(char *to, size_t bytes, const char *from)
{
    snprintf(to, bytes, "%s", from ? from : "");
}

static void send_failure(int channel_fd, const struct brig_error *error)
{
    struct {
        struct box_front_message message;
        struct box_wire_error wire;
    } failure = {{.kind = BOX_FRONT_FAILED},
                 {.code = error->code, .sys_errno = error->sys_errno, .line = error->line, .detail = error->detail}};
    _Static_assert(sizeof failure == sizeof failure.message + sizeof failure.wire, "one behind the other");
    copy_text(failure.wire.step, sizeof failure.wire.step, error->step);
    copy_text(failure.wire.subject, sizeof failure.wire.subject, error->subject);
    copy_text(failure.wire.file, sizeof failure.wire.file, error->file);
    send_all(channel_fd, &failure, sizeof failure, -1);
}

// --- answering --------------------------------------------------------------------------------------------------------

static void send_result(const struct front_state *state, uint64_t id, int64_t result)
{
    struct seccomp_notif_resp response = {.id = id, .val = result};
    if (result < 0 && result >= -4095) {
        response.val = 0;
        response.error = (int32_t)result;
    }
    // ENOENT: the thread was killed meanwhile, and nobody waits.
    if (ioctl(state->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response) != 0)
        return;
}

// Answer and descriptor in one step: nothing can come in between. Source: seccomp_unotify(2), SECCOMP_ADDFD_FLAG_SEND, 5.14.
static void send_descriptor(const struct front_state *state, uint64_t id, const struct box_answer *answer)
{
    struct seccomp_notif_addfd add = {.id = id,
                                      .flags = SECCOMP_ADDFD_FLAG_SEND,
                                      .srcfd = (uint32_t)answer->descriptor,
                                      .newfd_flags = answer->is_cloexec ? O_CLOEXEC : 0};
    if (ioctl(state->listener_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 && errno != ENOENT)
        send_result(state, id, -errno); // EMFILE: the program's own limit
}

// The notification is still there while its thread is not answered, so the number is that process'.
static void kill_asker(struct front_state *state, const struct box_asker *asker)
{
    const uint32_t process = box_proc_field(asker->tid, "Tgid", 10);
    const int pid_fd = process ? (int)syscall(SYS_pidfd_open, process, 0) : -1;
    if (process == (uint32_t)state->front->program_pid)
        __atomic_store_n(&state->is_violation, true, __ATOMIC_RELEASE);
    if (pid_fd >= 0 && asker->outside.is_waiting(&asker->outside))
        syscall(SYS_pidfd_send_signal, pid_fd, SIGKILL, NULL, 0);
    if (pid_fd >= 0)
        close(pid_fd);
    send_result(state, asker->id, -EPERM); // where it could not be killed, it is still refused
}

// The host's answer is to the copies that it was shown.
static void ask_host(const struct front_state *state, const struct box_asker *asker, const struct box_notice *notice,
                     const struct box_decision *decision, struct box_answer *answer)
{
    struct box_verdict verdict;
    if (!box_tell_question(&state->teller, asker, notice, decision, &verdict))
        return; // as answered: nobody is there
    answer->descriptor = verdict.descriptor;
    answer->is_cloexec = true;
    if (verdict.message.kind == BRIG_ANSWER_KILL)
        answer->kind = BOX_ANSWER_DEATH;
    else if (verdict.message.kind == BRIG_ANSWER_RESULT && verdict.descriptor >= 0)
        answer->kind = BOX_ANSWER_DESCRIPTOR;
    else
        answer->result = verdict.message.kind == BRIG_ANSWER_RESULT ? verdict.message.value : -verdict.message.value;
}

static void answer_one(struct front_thread *thread, struct box_asker *asker, const struct box_notice *notice)
{
    struct front_state *state = thread->state;
    const struct box_decision decision = box_decide(&state->rules, &notice->data);
    struct box_answer answer;
    box_answer(&decision, notice, &asker->outside, &thread->work, &answer);
    if (decision.verb == BRIG_DSL_NOTIFY)
        ask_host(state, asker, notice, &decision, &answer);
    if (answer.kind == BOX_ANSWER_DEATH || answer.is_reported)
        box_tell_violation(&state->teller, asker, notice, &decision);
    if (answer.kind == BOX_ANSWER_DEATH)
        kill_asker(state, asker);
    else if (answer.kind == BOX_ANSWER_DESCRIPTOR)
        send_descriptor(state, notice->id, &answer);
    else if (answer.kind == BOX_ANSWER_RESULT)
        send_result(state, notice->id, answer.result);
    if (answer.descriptor >= 0)
        close(answer.descriptor);
}

// Waits for a notification. Returns: false when there will be none any more.
static bool receive(int listener_fd, struct box_notice *ret_notice)
{
    struct pollfd polled = {.fd = listener_fd, .events = POLLIN};
    struct seccomp_notif notification;
    for (;;) {
        memset(&notification, 0, sizeof notification); // the kernel refuses anything else
        if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &notification) == 0)
            break;
        // ENOENT: the thread was gone before we had its call, or all are.
        if (errno != EINTR && (errno != ENOENT || (poll(&polled, 1, 0) > 0 && (polled.revents & POLLHUP))))
            return false;
    }
    *ret_notice = (struct box_notice){.id = notification.id,
                                      .tid = notification.pid,
                                      .data = {.nr = (uint32_t)notification.data.nr,
                                               .audit_arch = notification.data.arch,
                                               .ip = notification.data.instruction_pointer}};
    for (int i = 0; i < 6; i++)
        ret_notice->data.args[i] = notification.data.args[i];
    return true;
}

// One thread at a time waits for a call: the kernel wakes all that wait on a listener (kernel/seccomp.c:recv_wait_event), and of
// twelve that run to one call eleven go to sleep again.
static bool receive_alone(int listener_fd, struct box_notice *ret_notice)
{
    static pthread_mutex_t seat = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&seat);
    const bool is_there = receive(listener_fd, ret_notice);
    pthread_mutex_unlock(&seat);
    return is_there;
}

static void *answer_calls(void *argument)
{
    struct front_thread *thread = argument;
    struct box_asker asker;
    struct box_notice notice;
    box_asker_init(&asker, thread->state->listener_fd, thread->broker_fd);
    while (receive_alone(asker.listener_fd, &notice)) {
        asker.id = notice.id;
        asker.tid = notice.tid;
        memcpy(asker.args, notice.data.args, sizeof asker.args);
        answer_one(thread, &asker, &notice);
    }
    free(thread);
    return NULL;
}

static bool start_threads(struct front_state *state)
{
    for (int i = 0; i < BOX_FRONT_THREADS; i++) {
        struct front_thread *thread = calloc(1, sizeof *thread);
        pthread_t id;
        if (thread) {
            thread->state = state;
            thread->broker_fd = state->front->broker_fds[i];
            if (pthread_create(&id, NULL, answer_calls, thread) == 0 && pthread_detach(id) == 0)
                continue;
        }
        free(thread);
        return i > 0; // fewer do as well
    }
    return true;
}

// --- starting ---------------------------------------------------------------------------------------------------------

static enum brig_code failed(struct brig_error *reterr, enum brig_code code, const char *subject)
{
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_start, .subject = subject};
    return brig_error_set(reterr, error);
}

// What the program said of a stage that failed. Texts live on the page.
static enum brig_code failed_stage(const struct box_front *front, struct brig_error *reterr)
{
    static struct box_wire_error wire;
    memcpy(&wire, front->page->error, sizeof wire);
    struct brig_error error = {.code = (enum brig_code)wire.code,
                               .sys_errno = wire.sys_errno,
                               .step = wire.step,
                               .subject = *wire.subject ? wire.subject : NULL,
                               .file = *wire.file ? wire.file : NULL,
                               .line = wire.line,
                               .detail = wire.detail};
    return brig_error_set(reterr, error);
}

// A process under its filter cannot wake us: it has no call for that. So the word is looked at until it is there, which takes as
// long as a compile.
static enum brig_code wait_for_listener(const struct box_front *front, int *ret_number, struct brig_error *reterr)
{
    const struct timespec pause = {.tv_nsec = START_PAUSE_NS};
    struct box_start_page *page = front->page;
    __atomic_store_n(&page->go, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &page->go, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    for (int i = 0; i < START_ROUNDS; i++) {
        siginfo_t info = {.si_pid = 0};
        const uint32_t number = __atomic_load_n(&page->listener_fd, __ATOMIC_ACQUIRE);
        if (number) {
            *ret_number = (int)number - 1;
            return BRIG_OK;
        }
        if (__atomic_load_n(&page->has_failed, __ATOMIC_ACQUIRE))
            return failed_stage(front, reterr);
        if (waitid(P_PID, (id_t)front->program_pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
            break;
        nanosleep(&pause, NULL);
    }
    return failed(reterr, BRIG_WORKER_DIED, "the program before its execve");
}

static enum brig_code fetch_listener(struct front_state *state, struct brig_error *reterr)
{
    int number = -1;
    enum brig_code code = wait_for_listener(state->front, &number, reterr);
    if (code != BRIG_OK)
        return code;
    const int pid_fd = (int)syscall(SYS_pidfd_open, state->front->program_pid, 0);
    if (pid_fd < 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "pidfd_open");
    state->listener_fd = (int)syscall(SYS_pidfd_getfd, pid_fd, number, 0);
    const int reason = errno;
    close(pid_fd);
    errno = reason;
    if (state->listener_fd < 0)
        return failed(reterr, reason == ENOSYS ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED, "pidfd_getfd");
    box_listener_keep_together(state->listener_fd);
    return BRIG_OK;
}

static enum brig_code read_back(const struct box_front *front, struct brig_error *reterr)
{
    struct brig_status status;
    enum brig_code code = brig_read_status(front->program_pid, &status, reterr);
    const char *what = NULL;
    if (code != BRIG_OK)
        return code;
    if (status.thread_count != 1)
        what = "more than one thread";
    else if (status.filtered_thread_count != 1)
        what = "a thread without a filter";
    else if (status.no_new_privs_count != 1)
        what = "a thread without no_new_privs";
    else if (status.min_filters >= 0 && status.min_filters <= front->filters_before)
        what = "no more filters than before";
    if (!what)
        return BRIG_OK;
    return brig_error_set(
        reterr,
        (struct brig_error){.code = BRIG_READ_BACK_DIFFERS, .step = "read back", .subject = what, .detail = front->program_pid});
}

// The first notification has to be the execve of our own code: by its process, its number, and the three pointers that we know
// because it was forked from this memory.
static bool is_own_execve(const struct box_front *front, const struct box_notice *notice)
{
    const int32_t nr = brig_dsl_call_nr(BRIG_SYS_execve, brig_dsl_arch_native());
    return notice->tid == (uint32_t)front->program_pid && (int32_t)notice->data.nr == nr &&
           notice->data.audit_arch == brig_dsl_arch_audit(brig_dsl_arch_native()) &&
           notice->data.args[0] == (uintptr_t)front->file && notice->data.args[1] == (uintptr_t)front->spec->argv &&
           notice->data.args[2] == (uintptr_t)front->spec->envp;
}

// The one place where a call is let go on.
static enum brig_code let_go(const struct front_state *state, struct brig_error *reterr)
{
    struct box_notice notice;
    struct pollfd polled = {.fd = state->listener_fd, .events = POLLIN};
    if (poll(&polled, 1, 10000) != 1 || !receive(state->listener_fd, &notice) || !is_own_execve(state->front, &notice)) {
        errno = 0;
        return failed(reterr, BRIG_WORKER_DIED, "the program before its execve");
    }
    enum brig_code code = read_back(state->front, reterr);
    if (code != BRIG_OK)
        return code;
    struct seccomp_notif_resp response = {.id = notice.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    return ioctl(state->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0 ? BRIG_OK
                                                                               : failed(reterr, BRIG_WORKER_DIED, "execve");
}

static enum brig_code start(struct front_state *state, struct brig_error *reterr)
{
    static struct brig_dsl_arena arena;
    const struct box_front *front = state->front;
    const struct brig_dsl_options options = box_program_options(front->program_pid);
    brig_dsl_arena_init(&arena, front->memory, BRIG_DSL_ARENA_BYTES);
    enum brig_code code = brig_dsl_resolve(front->spec->policy, &options, &arena, &state->rules, reterr);
    if (code == BRIG_OK)
        code = fetch_listener(state, reterr);
    return code == BRIG_OK ? let_go(state, reterr) : code;
}

// --- the end ----------------------------------------------------------------------------------------------------------

static int wait_status_of(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? (info->si_status & 0xff) << 8 : info->si_status;
}

// What the program forked and did not wait for. Each that dies leaves its own children to us.
static void end_leftovers(void)
{
    char path[64], text[4096];
    siginfo_t info;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    for (int i = 0; i < LEFTOVER_ROUNDS && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0; i++) {
        char *end = text;
        if (box_read_text(path, text, sizeof text) <= 0)
            *text = '\0';
        for (long pid; (pid = strtol(end, &end, 10)) > 0;) {
            const int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
            if (pid_fd >= 0) {
                syscall(SYS_pidfd_send_signal, pid_fd, SIGKILL, NULL, 0);
                close(pid_fd);
            }
        }
        waitid(P_ALL, 0, &info, WEXITED);
    }
}

static void wait_for_end(struct front_state *state)
{
    const struct box_front *front = state->front;
    siginfo_t info = {.si_pid = 0};
    while (waitid(P_PID, (id_t)front->program_pid, &info, WEXITED) != 0 && errno == EINTR)
        continue;
    const bool is_violation = __atomic_load_n(&state->is_violation, __ATOMIC_ACQUIRE);
    struct box_front_message message = {.kind = BOX_FRONT_ENDED,
                                        .pid = (uint32_t)front->program_pid,
                                        .wait_status = is_violation ? SIGSYS : wait_status_of(&info),
                                        .is_violation = is_violation,
                                        .exec_errno = __atomic_load_n(&front->page->exec_errno, __ATOMIC_ACQUIRE)};
    end_leftovers();
    message.lost = box_tell_lost(&state->teller);
    send_all(state->teller.channel_fd, &message, sizeof message, -1);
}

static void kill_program(const struct box_front *front)
{
    const int pid_fd = (int)syscall(SYS_pidfd_open, front->program_pid, 0);
    if (pid_fd >= 0)
        syscall(SYS_pidfd_send_signal, pid_fd, SIGKILL, NULL, 0);
    close(pid_fd);
}

static void send_start(const struct front_state *state)
{
    const int pid_fd = (int)syscall(SYS_pidfd_open, state->front->program_pid, 0);
    const struct box_front_message message = {.kind = BOX_FRONT_STARTED, .pid = (uint32_t)state->front->program_pid};
    send_all(state->teller.channel_fd, &message, sizeof message, pid_fd);
    close(pid_fd);
}

int box_front_enter(void *data, int channel_fd)
{
    static struct front_state state;
    struct brig_error error;
    state = (struct front_state){.front = data, .teller = {.channel_fd = channel_fd}, .listener_fd = -1};
    if (start(&state, &error) != BRIG_OK) {
        send_failure(channel_fd, &error);
        kill_program(data);
        end_leftovers();
        return 1;
    }
    send_start(&state); // before there is a thread that could have a violation to tell
    if (!start_threads(&state))
        kill_program(data);
    wait_for_end(&state);
    return 0;
}

// --- before the lock --------------------------------------------------------------------------------------------------

static enum brig_code check_sizes(struct brig_error *reterr)
{
    struct seccomp_notif_sizes sizes;
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
        return failed(reterr, BRIG_KERNEL_LACKS, "seccomp notifications");
    errno = 0; // a kernel with bigger structs would write past ours
    return sizes.seccomp_notif <= sizeof(struct seccomp_notif) && sizes.seccomp_notif_resp <= sizeof(struct seccomp_notif_resp)
               ? BRIG_OK
               : failed(reterr, BRIG_KERNEL_LACKS, "seccomp notifications of the size that this was built for");
}

// Filters that the host has are on top of the program's as well.
static enum brig_code count_filters(struct box_front *front, struct brig_error *reterr)
{
    struct brig_status status;
    enum brig_code code = brig_read_status(getpid(), &status, reterr);
    if (code == BRIG_OK)
        front->filters_before = status.min_filters > 0 ? status.min_filters : 0;
    return code;
}

// The program's streams are not ours: whoever reads from it must see their end when it closes them.
static enum brig_code drop_streams(struct brig_error *reterr)
{
    const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool is_done = null_fd >= 0;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && is_done; fd++)
        is_done = dup2(null_fd, fd) == fd;
    if (!is_done)
        return failed(reterr, BRIG_KERNEL_REFUSED, "/dev/null");
    close(null_fd);
    return BRIG_OK;
}

// SCHED_BATCH: a thread that is woken does not preempt who woke it. On one processor an open of the program then takes a tenth
// less; where there are more, each wake-up would wait for a slice of whoever works where it wakes. A kernel that refuses makes the
// front end slower and no worse.
static void be_patient_on_one_processor(void)
{
    const struct sched_param none = {.sched_priority = 0};
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) > 1 || sched_setscheduler(0, SCHED_BATCH, &none) != 0)
        return;
}

enum brig_code box_front_prepare(void *data, struct brig_error *reterr)
{
    struct box_front *front = data;
    const int front_pid = getpid();
    enum brig_code code = check_sizes(reterr);
    if (code == BRIG_OK)
        code = count_filters(front, reterr);
    if (code != BRIG_OK)
        return code;
    front->program_pid = fork();
    if (front->program_pid == 0)
        box_program_become(front, front_pid);
    if (front->program_pid < 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "fork");
    be_patient_on_one_processor();
    return drop_streams(reterr);
}
