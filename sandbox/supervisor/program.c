// program: an executed program as its supervisor sees it: a worker, which is the front end, and what that one tells.
//
// Takes a spec, gives a front end that was launched as every worker is (descriptors, limits, its own filter, read back), with a
// preparation that forks the program. The front end's channel carries its news: started, refused something, ended.
//
// The front end has copied what a hostile program wrote, so its word is measured before it is used: sizes are checked against the
// message, a record as a worker's is, texts are terminated here. At worst it lies about its own program.
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sandbox/child/child.h"
#include "sandbox/notify/notify.h"
#include "sandbox/supervisor/internal.h"
#include "sandbox/worker/packet.h"

enum { STREAMS = 3, START_MS = 20000, NEWS_AT_ONCE = 16 };

static const char step_run[] = "run program";

static enum brig_code failed(struct brig_error *reterr, enum brig_code code, const char *subject)
{
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_run, .subject = subject};
    return brig_error_set(reterr, error);
}

static enum brig_code check_spec(const struct brig_program_spec *spec, struct brig_error *reterr)
{
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_run};
    if (!spec || !spec->file || !*spec->file)
        error.subject = "file";
    else if (!spec->argv || !spec->argv[0])
        error.subject = "argv";
    else if (!spec->envp)
        error.subject = "envp";
    else if (!spec->policy || spec->policy->import)
        error.subject = spec->policy ? "policy.import" : "policy";
    else if (!spec->front_policy)
        error.subject = "front_policy";
    else
        return BRIG_OK;
    return brig_error_set(reterr, error);
}

// --- before fork ------------------------------------------------------------------------------------------------------

// What the host's stream is says what it is kept as: a program has what whoever started it had.
static enum brig_keep_role role_of(int fd)
{
    struct stat status;
    struct statfs filesystem;
    if (fstat(fd, &status) != 0 || fstatfs(fd, &filesystem) != 0)
        return BRIG_KEEP_DATA;
    if (filesystem.f_type == PROC_SUPER_MAGIC || filesystem.f_type == SYSFS_MAGIC)
        return BRIG_KEEP_KERNEL_FILE;
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        return BRIG_KEEP_DEVICE;
    if (S_ISDIR(status.st_mode))
        return BRIG_KEEP_DIRECTORY;
    return S_ISSOCK(status.st_mode) ? BRIG_KEEP_SOCKET : BRIG_KEEP_DATA;
}

static size_t list_kept(const struct box_front *front, struct brig_keep keep[STREAMS + BOX_FRONT_THREADS])
{
    size_t count = 0;
    for (int fd = 0; fd < STREAMS; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            keep[count++] = (struct brig_keep){fd, role_of(fd)};
    }
    for (int i = 0; i < BOX_FRONT_THREADS; i++) {
        if (front->broker_fds[i] >= 0)
            keep[count++] = (struct brig_keep){front->broker_fds[i], BRIG_KEEP_DATA};
    }
    return count;
}

static uint32_t open_files_of(const struct brig_program_spec *spec)
{
    struct rlimit limit;
    if (spec->open_files)
        return spec->open_files;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < UINT16_MAX ? (uint32_t)limit.rlim_cur : 1024;
}

static void *map(size_t bytes, int flags)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static enum brig_code open_front(struct box_front *front, struct brig_broker *broker, struct brig_error *reterr)
{
    enum brig_code code = BRIG_OK;
    front->page = map(sizeof *front->page, MAP_SHARED);
    front->memory = map(BRIG_DSL_ARENA_BYTES, MAP_PRIVATE);
    if (!front->page || !front->memory)
        return failed(reterr, BRIG_OUT_OF_MEMORY, "the front end's memory");
    uint32_t client = 0;
    for (int i = 0; i < BOX_FRONT_THREADS && broker && code == BRIG_OK; i++)
        code = box_broker_socket(broker, &client, &front->broker_fds[i], reterr);
    return code;
}

// The front end and the program have their own.
static void close_front(struct box_front *front)
{
    for (int i = 0; i < BOX_FRONT_THREADS; i++) {
        if (front->broker_fds[i] >= 0)
            close(front->broker_fds[i]);
    }
    if (front->page)
        munmap(front->page, sizeof *front->page);
    if (front->memory)
        munmap(front->memory, BRIG_DSL_ARENA_BYTES);
}

// --- what the front end says ------------------------------------------------------------------------------------------

struct heard {
    struct box_front_message message; // first
    unsigned char rest[BOX_FRONT_MESSAGE_MAX - sizeof(struct box_front_message)];
};

// Reads one message. Returns: the bytes behind its header; -1 with errno where there is none that makes sense.
static ssize_t hear(const struct brig_worker *front, struct heard *ret_heard, int *ret_fd)
{
    struct box_packet_fds fds;
    const struct iovec part = {ret_heard, sizeof *ret_heard};
    errno = EPROTO;
    const ssize_t got = box_packet_receive(front->channel_fd, part, 1, MSG_DONTWAIT, &fds);
    if (got < (ssize_t)sizeof ret_heard->message)
        box_packet_close(&fds);
    *ret_fd = fds.fds[0];
    return got >= (ssize_t)sizeof ret_heard->message ? got - (ssize_t)sizeof ret_heard->message : -1;
}

static void hear_start(struct brig_worker *front, const struct box_front_message *message, int *pid_fd)
{
    struct box_program *program = front->program;
    if (program->pid_fd >= 0 || *pid_fd < 0)
        return;
    program->pid = (int)message->pid;
    program->pid_fd = *pid_fd;
    *pid_fd = -1;
    // Where it has ended already there is nothing to read, and reports say that it is not known.
    if (brig_read_status(program->pid, &program->status, NULL) != BRIG_OK)
        program->status = (struct brig_status){.pid = program->pid, .min_filters = -1};
}

static void hear_violation(struct brig_worker *front, const struct heard *heard, size_t bytes)
{
    struct brig_trap_record *record = &front->supervisor->record;
    struct box_evidence evidence = {.program = front->program, .pid = (int)heard->message.pid};
    struct brig_error error = {.code = BRIG_WORKER_LIED, .step = "hear of a violation", .subject = "a message that is none"};
    front->violation_count += 1u + heard->message.lost;
    front->unreported_count += heard->message.lost;
    if (box_front_take(&heard->message, heard->rest, bytes, record, &evidence) && brig_record_check(record, &error) == BRIG_OK)
        box_violation_tell(front, record, &evidence);
    else
        box_event_lost(front, &error, 1);
    box_evidence_free(&evidence);
}

static void send_verdict(struct brig_worker *front, const struct brig_answer *answer)
{
    const struct box_verdict_message verdict = {.kind = (uint32_t)answer->kind, .value = answer->value};
    const struct box_packet_fds fds = box_packet_fd(answer->descriptor);
    // Not waited for: the front end reads what it has asked for, and one that does not is no front end any more.
    if (box_packet_send(front->channel_fd, &verdict, sizeof verdict, &fds, MSG_DONTWAIT) < 0)
        brig_worker_kill(front);
}

static void hear_question(struct brig_worker *front, const struct heard *heard, size_t bytes)
{
    struct brig_answer answer = {.kind = BRIG_ANSWER_ERRNO, .value = ENOSYS, .descriptor = -1};
    struct box_evidence evidence = {.program = front->program, .pid = (int)heard->message.pid};
    const struct brig_error error = {.code = BRIG_WORKER_LIED, .step = "hear a question", .subject = "a message that is none"};
    if (box_front_take(&heard->message, heard->rest, bytes, &front->supervisor->record, &evidence))
        answer = box_question_of_program(front, &evidence);
    else
        box_event_lost(front, &error, 1);
    box_evidence_free(&evidence);
    send_verdict(front, &answer);
    if (answer.descriptor >= 0)
        close(answer.descriptor);
}

static void hear_end(struct brig_worker *front, const struct box_front_message *message)
{
    struct box_program *program = front->program;
    front->violation_count += message->lost;
    front->unreported_count += message->lost;
    program->has_ended = true;
    program->is_violation = message->is_violation != 0;
    program->wait_status = message->wait_status;
    program->exec_errno = message->exec_errno;
}

void box_program_hear(struct brig_worker *front)
{
    struct heard *heard = malloc(sizeof *heard);
    for (int i = 0; heard && i < NEWS_AT_ONCE; i++) {
        int fd;
        const ssize_t bytes = hear(front, heard, &fd);
        if (bytes < 0 && errno != EAGAIN && errno != EINTR) // it is dead, or speaks nonsense: nothing more is heard
            epoll_ctl(front->supervisor->epoll_fd, EPOLL_CTL_DEL, front->channel_fd, NULL);
        if (bytes < 0)
            break;
        if (heard->message.kind == BOX_FRONT_STARTED)
            hear_start(front, &heard->message, &fd);
        else if (heard->message.kind == BOX_FRONT_VIOLATION)
            hear_violation(front, heard, (size_t)bytes);
        else if (heard->message.kind == BOX_FRONT_QUESTION)
            hear_question(front, heard, (size_t)bytes);
        else if (heard->message.kind == BOX_FRONT_ENDED)
            hear_end(front, &heard->message);
        if (fd >= 0)
            close(fd);
    }
    free(heard);
}

void box_program_exit(struct brig_worker *front)
{
    const struct box_program *program = front->program;
    struct brig_error error = {.code = BRIG_IO, .sys_errno = program->exec_errno, .step = "execute", .subject = front->name};
    const bool is_lost = !program->has_ended;
    if (is_lost)
        error = (struct brig_error){.code = BRIG_WORKER_DIED,
                                    .step = step_run,
                                    .subject = "its front end, and so it was killed",
                                    .detail = front->wait_status};
    else
        front->wait_status = program->wait_status;
    box_event_program_exit(front, is_lost || program->exec_errno ? &error : NULL);
}

void box_program_free(struct box_program *program)
{
    if (program && program->pid_fd >= 0)
        close(program->pid_fd);
    free(program);
}

// --- starting ---------------------------------------------------------------------------------------------------------

static enum brig_code front_failed(struct brig_worker *front, const struct heard *heard, size_t bytes, struct brig_error *reterr)
{
    struct box_wire_error *wire = &front->supervisor->last_failure;
    if (bytes != sizeof *wire) {
        errno = EPROTO;
        return failed(reterr, BRIG_WORKER_LIED, "a message of its front end");
    }
    memcpy(wire, heard->rest, sizeof *wire);
    wire->step[sizeof wire->step - 1] = wire->subject[sizeof wire->subject - 1] = wire->file[sizeof wire->file - 1] = '\0';
    struct brig_error error = {.code = wire->code > BRIG_OK && wire->code < BRIG_CODE_COUNT ? (enum brig_code)wire->code
                                                                                            : BRIG_WORKER_LIED,
                               .sys_errno = wire->sys_errno,
                               .step = wire->step,
                               .subject = *wire->subject ? wire->subject : NULL,
                               .file = *wire->file ? wire->file : NULL,
                               .line = wire->line,
                               .detail = wire->detail};
    return brig_error_set(reterr, error);
}

// Waits until the program has been let go, or the front end says why not.
static enum brig_code wait_for_start(struct brig_worker *front, struct brig_error *reterr)
{
    struct pollfd polled = {.fd = front->channel_fd, .events = POLLIN};
    struct heard *heard = malloc(sizeof *heard);
    enum brig_code code = heard ? BRIG_OK : failed(reterr, BRIG_OUT_OF_MEMORY, NULL);
    const int64_t deadline = box_clock_ms(CLOCK_MONOTONIC) + START_MS;
    while (code == BRIG_OK && front->program->pid_fd < 0) {
        int fd = -1;
        const int64_t left_ms = deadline - box_clock_ms(CLOCK_MONOTONIC);
        if (left_ms <= 0 || poll(&polled, 1, (int)left_ms) == 0) {
            errno = ETIMEDOUT;
            code = failed(reterr, BRIG_WORKER_SILENT, "its front end");
            break;
        }
        const ssize_t bytes = hear(front, heard, &fd);
        if (bytes < 0 && errno != EINTR && errno != EAGAIN)
            code = failed(reterr, BRIG_WORKER_DIED, "its front end");
        else if (bytes >= 0 && heard->message.kind == BOX_FRONT_STARTED && fd >= 0)
            hear_start(front, &heard->message, &fd);
        else if (bytes >= 0)
            code = front_failed(front, heard, (size_t)bytes, reterr);
        if (fd >= 0)
            close(fd);
    }
    free(heard);
    return code;
}

static enum brig_code watch(struct brig_worker *front, struct brig_error *reterr)
{
    struct epoll_event news = {.events = EPOLLIN, .data.ptr = &front->news_source};
    front->news_source = (struct box_source){BOX_SOURCE_NEWS, front};
    return epoll_ctl(front->supervisor->epoll_fd, EPOLL_CTL_ADD, front->channel_fd, &news) == 0
               ? BRIG_OK
               : failed(reterr, BRIG_KERNEL_REFUSED, "epoll_ctl");
}

static enum brig_code launch(struct brig_supervisor *supervisor, struct box_front *front, struct brig_worker **ret_worker,
                             struct brig_error *reterr)
{
    struct brig_keep keep[STREAMS + BOX_FRONT_THREADS];
    const struct box_preparation preparation = {.prepare = box_front_prepare, .data = front, .leaves_process = true};
    const struct brig_worker_spec spec = {.name = front->spec->name ? front->spec->name : front->spec->argv[0],
                                          .policy = front->spec->front_policy,
                                          .entry = box_front_enter,
                                          .data = front,
                                          .channel = true,
                                          .keep = keep,
                                          .keep_count = list_kept(front, keep),
                                          .open_files = open_files_of(front->spec)};
    return box_launch(supervisor, &spec, &preparation, ret_worker, reterr);
}

static enum brig_code start(struct brig_worker *worker, const struct brig_program_spec *spec, struct brig_error *reterr)
{
    worker->program = calloc(1, sizeof *worker->program);
    if (!worker->program)
        return failed(reterr, BRIG_OUT_OF_MEMORY, NULL);
    worker->program->policy = spec->policy;
    worker->program->pid_fd = -1;
    enum brig_code code = wait_for_start(worker, reterr);
    return code == BRIG_OK ? watch(worker, reterr) : code;
}

enum brig_code brig_supervisor_run(struct brig_supervisor *supervisor, const struct brig_program_spec *spec,
                                   struct brig_worker **ret_worker, struct brig_error *reterr)
{
    struct box_front front = {.spec = spec, .file = spec ? spec->file : NULL};
    struct brig_worker *worker = NULL;
    for (int i = 0; i < BOX_FRONT_THREADS; i++)
        front.broker_fds[i] = -1;
    errno = 0;
    enum brig_code code = supervisor ? check_spec(spec, reterr) : failed(reterr, BRIG_BAD_ARGUMENT, "supervisor");
    if (code == BRIG_OK)
        code = open_front(&front, spec->broker, reterr);
    if (code == BRIG_OK)
        code = launch(supervisor, &front, &worker, reterr);
    close_front(&front);
    if (code != BRIG_OK)
        return code;
    code = start(worker, spec, reterr);
    if (code != BRIG_OK) {
        box_worker_end(worker);
        box_worker_free(worker);
        return code;
    }
    if (ret_worker)
        *ret_worker = worker;
    return BRIG_OK;
}

int brig_program_pid(const struct brig_worker *worker)
{
    return worker->program ? worker->program->pid : 0;
}

void brig_program_signal(struct brig_worker *worker, int signal_nr)
{
    if (worker->program && worker->program->pid_fd >= 0)
        syscall(SYS_pidfd_send_signal, worker->program->pid_fd, signal_nr, NULL, 0); // ESRCH: it has ended
}
