// hijack: phase 2 of the demo. Each attempt is made twice by the same code on the same image: in a plain child process, and in a
// worker.
//
// Without the sandbox the attempt's parent is a process made for it, since two attempts go for the parent. With it, the parent is
// the demo itself: a sandbox that fails here would hit it, and SIGTERM is blocked meanwhile so that it could say so. A verdict is
// what was seen from outside.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/sample/demo.h"
#include "tools/sample/verdicts.h"

#define PLAIN_ANSWER_MS 3000
#define LOOKS_WITHOUT 20 // effects may come late: a signal, an exec
#define LOOKS_WITH 3
#define EVENT_WAITS 20
#define LOOK_PAUSE_US 10000

enum answer { ANSWER_KILLED, ANSWER_REPORTED, ANSWER_EMULATED, ANSWER_ERRNO };

static const struct hijack {
    const char *what;
    const char *text; // for attempts.c; %d is the listener's port
    verdict_look *look;
    enum answer answer;  // of the policy
    const char *refusal; // errno's name, unless killed
} hijacks[] = {
    {"open /etc/passwd", "open", verdict_open, ANSWER_REPORTED, "EACCES"},
    {"stat /etc/passwd", "stat", verdict_stat, ANSWER_EMULATED, "EACCES"},
    {"socket and connect", "connect %d", verdict_connect, ANSWER_KILLED, NULL},
    {"execve /bin/sleep", "execve /bin/sleep", verdict_execve, ANSWER_KILLED, NULL},
    {"fork", "fork", verdict_fork, ANSWER_ERRNO, "EPERM"},
    {"ptrace its parent", "ptrace", verdict_ptrace, ANSWER_KILLED, NULL},
    {"kill its parent", "kill", verdict_kill, ANSWER_KILLED, NULL},
    {"mmap W+X", "mmap", verdict_mmap, ANSWER_KILLED, NULL},
    {"io_uring_setup", "io_uring", verdict_io_uring, ANSWER_KILLED, NULL},
#ifdef __x86_64__
    {"i386 dup2 by int 0x80", "i386", verdict_i386, ANSWER_KILLED, NULL},
    {"x32 dup2", "x32", verdict_x32, ANSWER_KILLED, NULL},
#endif
    {"unknown call 1000", "unknown", verdict_unknown, ANSWER_ERRNO, "ENOSYS"},
};
enum { HIJACKS = sizeof hijacks / sizeof hijacks[0] };

struct outcome {
    char without[VERDICT_TEXT_BYTES + 40];
    char with[VERDICT_TEXT_BYTES];
    char seen[VERDICT_TEXT_BYTES];
    char *report_json;
    char *report_path;
    bool is_faulting; // already without the sandbox
    bool is_fine;
};

static bool look(const struct hijack *hijack, const struct verdict_scene *scene, int looks, char seen[VERDICT_TEXT_BYTES])
{
    for (int i = 0; i < looks; i++) {
        if (hijack->look(scene, seen)) {
            return true;
        }
        usleep(LOOK_PAUSE_US);
    }
    return false;
}

static bool is_errno_name(const char *text)
{
    return text[0] == 'E';
}

// Returns: the image and a place for the thumbnail, or false with errno set.
static bool make_job(const struct hijack *hijack, uint16_t port, int ret_fds[2])
{
    char text[SAMPLE_TEXT_BYTES];
    snprintf(text, sizeof text, "%s", hijack->text);
    char *mark = strstr(text, "%d");
    if (mark) {
        snprintf(mark, sizeof text - (size_t)(mark - text), "%u", port);
    }
    ret_fds[0] = demo_hijacking_picture(text);
    ret_fds[1] = demo_memory_file("thumbnail");
    return ret_fds[0] >= 0 && ret_fds[1] >= 0;
}

// --- without ----------------------------------------------------------------------------------------------------------

// The sacrificial parent: makes the worker, says its pid, and stays.
__attribute__((noreturn)) static void be_parent(int channel_fd, int pid_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && sample_renderer_warm_up(NULL) == 0) {
            _exit(sample_renderer(NULL, channel_fd));
        }
        _exit(1);
    }
    close(channel_fd);
    if (write(pid_fd, &pid, sizeof pid) != sizeof pid) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

struct plain {
    pid_t parent;
    pid_t pid;
    int channel_fd;
};

static bool start_plain(struct plain *plain)
{
    int channel[2];
    int pipe_fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0 || pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return false;
    }
    plain->parent = fork();
    if (plain->parent == 0) {
        close(channel[0]);
        close(pipe_fds[0]);
        be_parent(channel[1], pipe_fds[1]);
    }
    close(channel[1]);
    close(pipe_fds[1]);
    bool is_started = plain->parent > 0 && read(pipe_fds[0], &plain->pid, sizeof plain->pid) == sizeof plain->pid && plain->pid > 0;
    close(pipe_fds[0]);
    plain->channel_fd = channel[0];
    return is_started;
}

static void end(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
        // This process adopts what its children leave behind.
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

static void end_plain(const struct plain *plain)
{
    if (plain->pid > 0) {
        verdict_kill_children(plain->pid);
        kill(plain->pid, SIGKILL);
    }
    end(plain->parent);
    end(plain->pid);
    if (plain->channel_fd >= 0) {
        close(plain->channel_fd);
    }
}

// Returns: whether a process has died of SIGSEGV; its parent leaves it for us to see. (int 0x80 faults in a kernel without i386.)
static bool has_faulted(pid_t pid)
{
    char path[64];
    char text[1024] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *stream = fopen(path, "re");
    bool is_read = stream && fgets(text, sizeof text, stream);
    if (stream) {
        fclose(stream);
    }
    // proc(5): the state stands after the name, the wait status is the last number.
    const char *name_end = strrchr(text, ')');
    const char *last = strrchr(text, ' ');
    return is_read && name_end && last && strncmp(name_end, ") Z", 3) == 0 && WTERMSIG(atoi(last)) == SIGSEGV;
}

// Returns: whether it worked, or the kernel itself said no.
static bool judge_plain(const struct hijack *hijack, const struct verdict_scene *scene, struct outcome *outcome)
{
    char seen[VERDICT_TEXT_BYTES];
    bool is_done = look(hijack, scene, LOOKS_WITHOUT, seen);
    outcome->is_faulting = !is_done && has_faulted(scene->pid);
    if (is_done) {
        snprintf(outcome->without, sizeof outcome->without, "done: %s", seen);
    } else if (outcome->is_faulting) {
        snprintf(outcome->without, sizeof outcome->without, "the kernel itself kills it: SIGSEGV");
    } else if (is_errno_name(scene->claim)) {
        snprintf(outcome->without, sizeof outcome->without, "the kernel itself says %.40s", scene->claim);
    } else {
        snprintf(outcome->without, sizeof outcome->without, "nothing happened");
        return false;
    }
    return true;
}

static bool try_without(const struct hijack *hijack, const int fds[2], int listen_fd, struct outcome *outcome)
{
    struct plain plain = {.channel_fd = -1};
    struct sample_job job = {.edge = DEMO_THUMBNAIL_EDGE};
    struct sample_answer answer = {.status = SAMPLE_OK};
    bool is_fine = start_plain(&plain) && sample_send(plain.channel_fd, &job, sizeof job, fds, 2);
    if (is_fine) {
        struct pollfd wait = {.fd = plain.channel_fd, .events = POLLIN};
        if (poll(&wait, 1, PLAIN_ANSWER_MS) <= 0 || !sample_receive_answer(plain.channel_fd, &answer)) {
            answer.attempt[0] = '\0'; // replaced by another program, or dead with its parent
        }
        struct verdict_scene scene = {.pid = plain.pid, .parent = plain.parent, .listen_fd = listen_fd, .claim = answer.attempt};
        is_fine = judge_plain(hijack, &scene, outcome);
    } else {
        snprintf(outcome->without, sizeof outcome->without, "could not be tried: %s", strerror(errno));
    }
    end_plain(&plain);
    return is_fine;
}

// --- with -------------------------------------------------------------------------------------------------------------

// Waits for the events that belong to the answer: a report, or the death.
static bool has_ended_as_expected(struct demo_host *host, const struct hijack *hijack, const struct demo_worker *worker,
                                  const struct sample_answer *answer, bool is_faulting)
{
    bool wants_end = hijack->answer == ANSWER_KILLED;
    bool wants_report = (wants_end && !is_faulting) || hijack->answer == ANSWER_REPORTED;
    for (int i = 0; i < EVENT_WAITS && ((wants_report && worker->violations == 0) || (wants_end && worker->worker)); i++) {
        demo_settle(host, LOOK_PAUSE_US / 1000);
    }
    if ((worker->violations > 0) != wants_report) {
        return false;
    }
    if (wants_end) {
        int signal = is_faulting ? SIGSEGV : SIGSYS;
        return !worker->worker && WIFSIGNALED(worker->wait_status) && WTERMSIG(worker->wait_status) == signal;
    }
    return worker->worker && strcmp(answer->attempt, hijack->refusal) == 0;
}

static void describe_end(const struct demo_worker *worker, const struct sample_answer *answer, uint64_t emulated,
                         char text[VERDICT_TEXT_BYTES])
{
    if (!worker->worker) {
        bool is_signal = WIFSIGNALED(worker->wait_status);
        snprintf(text, VERDICT_TEXT_BYTES, "killed: %s%s", is_signal ? "SIG" : "exit",
                 is_signal ? sigabbrev_np(WTERMSIG(worker->wait_status)) : "");
    } else {
        const char *how = worker->violations ? ", reported" : emulated ? ", emulated" : "";
        const char *what = !answer->attempt[0] ? "no answer" : is_errno_name(answer->attempt) ? "" : "ALLOWED: ";
        snprintf(text, VERDICT_TEXT_BYTES, "%s%.40s%s", what, answer->attempt, how);
    }
}

static uint64_t emulated_by(const struct demo_worker *worker)
{
    return worker->worker ? brig_worker_trap_counts(worker->worker).emulated : 0;
}

// An honest image first: it shows that the worker works, and how many calls of a job are emulated without any attempt (fstat is).
static uint64_t emulated_by_one_job(struct demo_host *host, struct demo_worker *worker)
{
    struct demo_task task = {.job = {.edge = DEMO_THUMBNAIL_EDGE}, .fd_count = 2};
    struct sample_answer answer = {.status = SAMPLE_BAD_JOB};
    task.fds[0] = demo_hijacking_picture(NULL);
    task.fds[1] = demo_memory_file("thumbnail");
    bool is_ready = task.fds[0] >= 0 && task.fds[1] >= 0;
    if (!is_ready || demo_ask(host, worker, &task, &answer) != DEMO_ANSWERED || answer.status != SAMPLE_OK) {
        fprintf(stderr, "demo: worker %d cannot make a thumbnail of an honest image\n", worker->pid);
    }
    for (int i = 0; i < 2; i++) {
        if (task.fds[i] >= 0) {
            close(task.fds[i]);
        }
    }
    return emulated_by(worker);
}

static bool try_with(struct demo_host *host, const struct hijack *hijack, const int fds[2], int listen_fd, struct outcome *outcome)
{
    struct demo_task task = {.job = {.edge = DEMO_THUMBNAIL_EDGE}, .fds = {fds[0], fds[1]}, .fd_count = 2};
    struct sample_answer answer = {.status = SAMPLE_OK};
    struct demo_worker *worker = demo_launch(host, "renderer", true);
    if (!worker) {
        snprintf(outcome->with, sizeof outcome->with, "could not be tried");
        return false;
    }
    uint64_t emulated = emulated_by_one_job(host, worker);
    if (demo_ask(host, worker, &task, &answer) != DEMO_ANSWERED) {
        answer.attempt[0] = '\0';
    }
    bool is_fine = has_ended_as_expected(host, hijack, worker, &answer, outcome->is_faulting);
    emulated = emulated_by(worker) - 2 * emulated;
    is_fine &= !worker->worker || (hijack->answer == ANSWER_EMULATED) == (emulated > 0);
    describe_end(worker, &answer, emulated, outcome->with);
    struct verdict_scene scene = {.pid = worker->pid, .parent = getpid(), .listen_fd = listen_fd, .claim = answer.attempt};
    bool is_done = look(hijack, &scene, LOOKS_WITH, outcome->seen);
    if (!is_done) {
        snprintf(outcome->seen, sizeof outcome->seen, "nothing");
    }
    if (worker->report_json) {
        outcome->report_json = strdup(worker->report_json);
        outcome->report_path = worker->report_path ? strdup(worker->report_path) : NULL;
    }
    verdict_kill_children(worker->pid);
    demo_worker_free(host, worker);
    return is_fine && !is_done;
}

// --- all --------------------------------------------------------------------------------------------------------------

static int listen_on_loopback(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t address_bytes = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &address_bytes) == 0) {
        *ret_port = ntohs(address.sin_port);
        return fd;
    }
    perror("demo: listen on 127.0.0.1");
    return -1;
}

static bool try_one(struct demo_host *host, const struct hijack *hijack, uint16_t port, int listen_fd, struct outcome *outcome)
{
    int fds[2] = {-1, -1};
    sigset_t term;
    sigset_t previous;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    fflush(stdout); // children must not have it to write again
    bool is_fine = make_job(hijack, port, fds);
    if (!is_fine) {
        fprintf(stderr, "demo: no hijacking picture: %s\n", strerror(errno));
    }
    is_fine = is_fine && try_without(hijack, fds, listen_fd, outcome);
    // Not before: the plain processes would inherit it.
    sigprocmask(SIG_BLOCK, &term, &previous);
    is_fine = try_with(host, hijack, fds, listen_fd, outcome) && is_fine;
    sigprocmask(SIG_SETMASK, &previous, NULL);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    printf("   %-22s %-50s %-18s %s%s\n", hijack->what, outcome->without, outcome->with, outcome->seen,
           is_fine ? "" : "   <-- WRONG");
    return is_fine;
}

static bool print_reports(struct outcome outcomes[HIJACKS])
{
    bool are_complete = true;
    printf("\n   What the supervisor was told, and wrote down:\n");
    for (int i = 0; i < HIJACKS; i++) {
        if (outcomes[i].report_json) {
            printf("\n");
            are_complete &= demo_print_facts(outcomes[i].report_json, outcomes[i].report_path, stdout);
        }
        free(outcomes[i].report_json);
        free(outcomes[i].report_path);
    }
    return are_complete;
}

bool demo_attempts(struct demo_host *host)
{
    struct outcome outcomes[HIJACKS] = {{.is_fine = false}};
    uint16_t port;
    int listen_fd = listen_on_loopback(&port);
    if (listen_fd < 0) {
        return false;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    printf("   %-22s %-50s %-18s %s\n", "attempt", "without Brig, seen from outside", "with Brig", "seen from outside");
    bool are_fine = true;
    for (int i = 0; i < HIJACKS; i++) {
        are_fine &= try_one(host, &hijacks[i], port, listen_fd, &outcomes[i]);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    close(listen_fd);
    return print_reports(outcomes) && are_fine;
}
