// broker: a broker as its supervisor sees it: a worker of ours, with a channel and a table of refusals.
//
// Takes a spec, gives a process that was launched as every worker is: descriptors closed and audited, limits, no_new_privs, its own
// filter, read back from the kernel. So its death is an EXIT event and its violations are reported, as any worker's. On top of that
// it has a preparation (the list, Landlock), and its channel carries sessions down and news up.
//
// What it says is judged by somebody who knows that it reads hostile bytes: it can only name sessions that it was given, and what
// it says about paths is escaped.
#include "sandbox/supervisor/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/child/child.h"
#include "sandbox/report.h"
#include "sandbox/worker/proc.h"

// Descriptors of a broker: its list's directories, three for each worker, and those of requests.
enum { BROKER_OPEN_FILES = 4096 };
enum { TELL_MS = 1000, COUNT_MS = 200, LAST_WORDS_MS = 500, NEWS_AT_ONCE = 16 };

static const char step_start[] = "start broker";
static const struct box_rate news_rate = {.burst = 20, .per_second = 10}; // of one worker

static enum brig_code failed(struct brig_error *reterr, enum brig_code code, const char *subject)
{
    if (code == BRIG_KERNEL_REFUSED && errno == ENOSYS)
        code = BRIG_KERNEL_LACKS;
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_start, .subject = subject};
    return brig_error_set(reterr, error);
}

enum brig_code box_broker_is_gone(const struct brig_broker *broker, struct brig_error *reterr)
{
    // An error outlives the broker that it is about.
    char *copy = broker->supervisor->last_failure.subject;
    snprintf(copy, sizeof broker->supervisor->last_failure.subject, "broker %s", broker->name);
    struct brig_error error = {.code = BRIG_WORKER_DIED, .sys_errno = ECHILD, .step = "ask broker", .subject = copy};
    return brig_error_set(reterr, error);
}

// --- messages ---------------------------------------------------------------------------------------------------------

enum brig_code box_broker_tell(const struct brig_broker *broker, const struct box_control *control,
                               const struct box_packet_fds *fds, struct brig_error *reterr)
{
    if (!broker->process || broker->process->is_gone)
        return box_broker_is_gone(broker, reterr);
    const int channel_fd = broker->process->channel_fd;
    const int64_t deadline = box_clock_ms(CLOCK_MONOTONIC) + TELL_MS;
    while (box_packet_send(channel_fd, control, sizeof *control, fds, MSG_DONTWAIT) < 0) {
        struct pollfd polled = {.fd = channel_fd, .events = POLLOUT};
        if (errno == EPIPE || errno == ECONNRESET)
            return box_broker_is_gone(broker, reterr);
        if ((errno != EAGAIN && errno != EINTR) || box_clock_ms(CLOCK_MONOTONIC) >= deadline)
            return failed(reterr, BRIG_KERNEL_REFUSED, "the broker's channel");
        poll(&polled, 1, 10);
    }
    return BRIG_OK;
}

enum brig_code box_broker_socket(struct brig_broker *broker, uint32_t *client, int *ret_fd, struct brig_error *reterr)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "socketpair");
    const uint32_t number = ++broker->last_session;
    *client = *client ? *client : number;
    const struct box_control control = {.kind = BOX_CONTROL_MESSAGES, .session = number, .client = *client};
    enum brig_code code = box_broker_tell(broker, &control, &(struct box_packet_fds){1, {pair[0]}}, reterr);
    close(pair[0]);
    if (code == BRIG_OK)
        *ret_fd = pair[1];
    else
        close(pair[1]);
    return code;
}

void box_broker_dismiss(struct brig_broker *broker)
{
    if (broker->process && !broker->process->is_gone)
        shutdown(broker->process->channel_fd, SHUT_WR);
}

// --- news -------------------------------------------------------------------------------------------------------------

static struct brig_worker *find_client(const struct brig_broker *broker, uint32_t session)
{
    struct brig_worker *worker = broker->supervisor->workers;
    while (worker && (worker->link.broker != broker || worker->link.session != session || worker->is_gone))
        worker = worker->next;
    return worker;
}

static void add_clean(struct box_line *line, const char *text)
{
    char clean[256];
    brig_report_clean(text, clean, sizeof clean);
    box_line_add(line, clean);
}

static void describe(const struct box_news *news, char *text, size_t text_bytes)
{
    struct box_line line = {text, text_bytes, 0};
    *text = '\0';
    if (news->kind == BOX_NEWS_CLOSED) {
        box_line_add(&line, "lost its broker, which was sent ");
        add_clean(&line, news->what);
        return;
    }
    const char *call = brig_dsl_call_name((enum brig_dsl_call)news->call);
    box_line_add(&line, "asked its broker for \"");
    add_clean(&line, news->path);
    box_line_add(&line, call ? "\" by " : "\"");
    box_line_add(&line, call ? call : "");
    box_line_add(&line, ", which nobody may touch: killed");
}

// Its handler knows what the broker's answer means, and has the call, its stack and its strings to report. It is given the moment
// that this takes, and then it dies, handler or not.
static void end_who_touched(struct brig_worker *worker)
{
    struct pollfd polled[] = {{.fd = worker->notify_fd, .events = POLLIN}, {.fd = worker->pid_fd, .events = POLLIN}};
    const int64_t deadline = box_clock_ms(CLOCK_MONOTONIC) + LAST_WORDS_MS;
    const uint64_t before = worker->violation_count;
    for (int64_t left = LAST_WORDS_MS; left > 0; left = deadline - box_clock_ms(CLOCK_MONOTONIC)) {
        box_notify_take(worker->notify_fd); // it may have been written to for something else
        box_worker_drain(worker);
        if (worker->violation_count != before || polled[1].revents)
            break;
        poll(polled, 2, (int)left);
    }
    brig_worker_kill(worker);
}

static void handle_news(const struct brig_broker *broker, struct box_news *news)
{
    char what[BRIG_MESSAGE_BYTES_MAX];
    struct brig_worker *worker = find_client(broker, news->session);
    news->what[sizeof news->what - 1] = news->path[sizeof news->path - 1] = '\0';
    if (!worker || (news->kind != BOX_NEWS_CLOSED && news->kind != BOX_NEWS_TOUCHED))
        return;
    if (box_bucket_take(&worker->bucket, &news_rate, box_clock_ms(CLOCK_MONOTONIC))) {
        describe(news, what, sizeof what);
        box_event_broker(worker, what);
    }
    if (news->kind == BOX_NEWS_TOUCHED)
        end_who_touched(worker);
}

void box_broker_hear(struct brig_worker *process)
{
    struct box_news news;
    // The host may stop the broker while it is told of something.
    for (int i = 0; i < NEWS_AT_ONCE && process->serves; i++) {
        const ssize_t got = recv(process->channel_fd, &news, sizeof news, MSG_DONTWAIT);
        if (got == sizeof news)
            handle_news(process->serves, &news);
        else if (got >= 0 || (errno != EAGAIN && errno != EINTR)) // it is dead, or speaks nonsense: nothing more is heard
            epoll_ctl(process->supervisor->epoll_fd, EPOLL_CTL_DEL, process->channel_fd, NULL);
        if (got != sizeof news)
            return;
    }
}

// --- life -------------------------------------------------------------------------------------------------------------

static enum brig_code check_spec(const struct brig_supervisor *supervisor, const struct brig_broker_spec *spec,
                                 struct brig_error *reterr)
{
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_start};
    if (!supervisor)
        error.subject = "supervisor";
    else if (!spec || !spec->name || !*spec->name)
        error.subject = "name";
    else if (!spec->policy)
        error.subject = "policy";
    else
        return BRIG_OK;
    return brig_error_set(reterr, error);
}

static enum brig_code read_names(struct brig_broker *broker, const struct brig_broker_list *list, struct brig_error *reterr)
{
    broker->names = calloc(1, sizeof *broker->names);
    return broker->names ? box_names_of(list, broker->names, reterr) : failed(reterr, BRIG_OUT_OF_MEMORY, NULL);
}

// Not inherited by other workers: one that could write it could lie to us about its siblings.
static enum brig_code map_denials(struct brig_broker *broker, int *ret_fd, struct brig_error *reterr)
{
    const int fd = (int)syscall(SYS_memfd_create, "brig-denials", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "memfd_create");
    void *address = MAP_FAILED;
    if (ftruncate(fd, sizeof *broker->denials) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        address = mmap(NULL, sizeof *broker->denials, PROT_READ, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED || madvise(address, sizeof *broker->denials, MADV_DONTFORK) != 0) {
        const enum brig_code code = failed(reterr, BRIG_KERNEL_REFUSED, "the table of refusals");
        close(fd);
        return code;
    }
    broker->denials = address;
    *ret_fd = fd;
    return BRIG_OK;
}

static enum brig_code launch(struct brig_broker *broker, const struct brig_broker_spec *spec, int denials_fd,
                             struct brig_error *reterr)
{
    struct box_broker_start start = {.list = &spec->list, .denials_fd = denials_fd};
    const struct box_preparation preparation = {.prepare = box_broker_prepare, .data = &start};
    const struct brig_keep keep[] = {{denials_fd, BRIG_KEEP_DATA}};
    const struct brig_worker_spec worker = {.name = spec->name,
                                            .policy = spec->policy,
                                            .entry = box_broker_run,
                                            .data = &start,
                                            .channel = true,
                                            .keep = keep,
                                            .keep_count = 1,
                                            .open_files = BROKER_OPEN_FILES};
    struct brig_worker *process;
    enum brig_code code = box_launch(broker->supervisor, &worker, &preparation, &process, reterr);
    if (code != BRIG_OK)
        return code;
    broker->process = process;
    broker->pid = process->pid;
    process->serves = broker;
    process->news_source = (struct box_source){BOX_SOURCE_NEWS, process};
    struct epoll_event news = {.events = EPOLLIN, .data.ptr = &process->news_source};
    if (epoll_ctl(broker->supervisor->epoll_fd, EPOLL_CTL_ADD, process->channel_fd, &news) != 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "epoll_ctl");
    return BRIG_OK;
}

enum brig_code brig_broker_start(struct brig_supervisor *supervisor, const struct brig_broker_spec *spec,
                                 struct brig_broker **ret_broker, struct brig_error *reterr)
{
    int denials_fd = -1;
    enum brig_code code = check_spec(supervisor, spec, reterr);
    if (code != BRIG_OK)
        return code;
    struct brig_broker *broker = calloc(1, sizeof *broker);
    if (!broker)
        return failed(reterr, BRIG_OUT_OF_MEMORY, NULL);
    broker->supervisor = supervisor;
    broker->ends_with_last_worker = spec->ends_with_last_worker;
    snprintf(broker->name, sizeof broker->name, "%s", spec->name);
    broker->next = supervisor->brokers;
    supervisor->brokers = broker;
    code = read_names(broker, &spec->list, reterr);
    if (code == BRIG_OK)
        code = map_denials(broker, &denials_fd, reterr);
    if (code == BRIG_OK)
        code = launch(broker, spec, denials_fd, reterr);
    if (denials_fd >= 0)
        close(denials_fd);
    if (code == BRIG_OK)
        *ret_broker = broker;
    else
        brig_broker_stop(broker);
    return code;
}

void box_broker_lost(struct brig_worker *process)
{
    if (process->serves)
        process->serves->process = NULL;
    process->serves = NULL;
}

static void forget(struct brig_broker *broker)
{
    struct brig_broker **link = &broker->supervisor->brokers;
    while (*link && *link != broker)
        link = &(*link)->next;
    if (*link)
        *link = broker->next;
    for (struct brig_worker *worker = broker->supervisor->workers; worker; worker = worker->next) {
        if (worker->link.broker == broker)
            worker->link.broker = NULL;
    }
}

// The process is freed by the next dispatch, as other workers that are gone: this may be called inside one.
void brig_broker_stop(struct brig_broker *broker)
{
    if (!broker)
        return;
    struct brig_worker *process = broker->process;
    if (process) {
        box_worker_end(process);
        process->is_gone = true;
        box_broker_lost(process);
    }
    forget(broker);
    if (broker->denials)
        munmap(broker->denials, sizeof *broker->denials);
    free(broker->names);
    free(broker);
}

void box_brokers_free(struct brig_supervisor *supervisor)
{
    for (struct brig_broker *broker = supervisor->brokers, *next; broker; broker = next) {
        next = broker->next;
        brig_broker_stop(broker);
    }
}

int brig_broker_pid(const struct brig_broker *broker)
{
    return broker->pid;
}

// --- refusals ---------------------------------------------------------------------------------------------------------

static int by_count(const void *left, const void *right)
{
    const struct brig_broker_denial *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->path, b->path);
}

static void copy_denial(const struct box_denial *shared, struct brig_broker_denial *ret_denial)
{
    char path[sizeof shared->path];
    const uint32_t call = __atomic_load_n(&shared->call, __ATOMIC_RELAXED), op = __atomic_load_n(&shared->op, __ATOMIC_RELAXED);
    memcpy(path, shared->path, sizeof path);
    path[sizeof path - 1] = '\0';
    *ret_denial = (struct brig_broker_denial){.call = call < BRIG_SYS_COUNT ? (enum brig_dsl_call)call : BRIG_SYS_NONE,
                                              .op = op < BRIG_BROKER_OP_COUNT ? (enum brig_broker_op)op : BRIG_BROKER_OP_NONE,
                                              .flags = shared->flags,
                                              .sys_errno = shared->sys_errno,
                                              .count = __atomic_load_n(&shared->count, __ATOMIC_RELAXED)};
    brig_report_clean(path, ret_denial->path, sizeof ret_denial->path);
}

// What workers refused themselves is in their memory, and the broker reads it now. A broker that does not answer has counted less.
static void wait_for_counts(struct brig_broker *broker)
{
    const struct box_control control = {.kind = BOX_CONTROL_COUNT, .session = ++broker->last_count};
    struct brig_error error;
    if (!broker->process || box_broker_tell(broker, &control, &(struct box_packet_fds){.count = 0}, &error) != BRIG_OK)
        return;
    const int64_t deadline = box_clock_ms(CLOCK_MONOTONIC) + COUNT_MS;
    for (int64_t left = COUNT_MS; left > 0; left = deadline - box_clock_ms(CLOCK_MONOTONIC)) {
        const uint32_t counted = __atomic_load_n(&broker->denials->counted, __ATOMIC_ACQUIRE);
        const struct timespec limit = {.tv_nsec = 10000000}; // and another look, at a broker that is dead as well
        struct pollfd process = {.fd = broker->process->pid_fd, .events = POLLIN};
        if (counted == broker->last_count || poll(&process, 1, 0) != 0)
            return;
        syscall(SYS_futex, &broker->denials->counted, FUTEX_WAIT, counted, &limit, NULL, 0);
    }
}

enum brig_code brig_broker_denials(struct brig_broker *broker, struct brig_broker_denial *ret_denials, size_t capacity,
                                   size_t *ret_count, struct brig_error *reterr)
{
    wait_for_counts(broker);
    size_t used = __atomic_load_n(&broker->denials->used, __ATOMIC_ACQUIRE);
    if (used > BOX_DENIALS)
        used = BOX_DENIALS;
    if (used > capacity) {
        struct brig_error error = {
            .code = BRIG_TOO_SMALL, .step = "fetch refusals", .subject = "capacity", .detail = (int64_t)used};
        return brig_error_set(reterr, error);
    }
    for (size_t i = 0; i < used; i++)
        copy_denial(&broker->denials->entries[i], &ret_denials[i]);
    qsort(ret_denials, used, sizeof *ret_denials, by_count);
    *ret_count = used;
    return BRIG_OK;
}
