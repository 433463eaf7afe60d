// apart: the search in a process of its own.
//
// Z3 ends its process where no thread can be made for its clock, and where memory runs out in the wrong place. Takes: a question.
// Gives: its answer, as prove_run does, and PROVE_UNDECIDED where the search came to such an end. Guarantees: what was found is
// handed on in the caller's process and thread; nothing outlives the call, nor this process. Weaknesses: what Z3 says at its end
// goes to standard error, as it comes.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/prove/parts.h"

// What the search says, one after the other, the answer last. The search is a copy of this process: its sentences are here as well.
struct message {
    enum { MESSAGE_PROGRESS, MESSAGE_DIFFERENCE, MESSAGE_ANSWER } kind;
    enum prove_answer answer;
    size_t done;
    size_t total;
    struct prove_difference difference;
    struct prove_result result;
};

// --- the search -------------------------------------------------------------------------------------------------------

static void send(const int *fd, const struct message *message)
{
    const char *bytes = (const char *)message;
    for (size_t done = 0; done < sizeof *message;) {
        const ssize_t written = write(*fd, bytes + done, sizeof *message - done);
        if (written < 0 && errno != EINTR) {
            _exit(1); // nobody listens any more
        }
        done += written > 0 ? (size_t)written : 0;
    }
}

static void send_progress(void *context, size_t done, size_t total)
{
    send(context, &(struct message){.kind = MESSAGE_PROGRESS, .done = done, .total = total});
}

static void send_difference(void *context, const struct prove_difference *difference)
{
    send(context, &(struct message){.kind = MESSAGE_DIFFERENCE, .difference = *difference});
}

__attribute__((noreturn)) static void search(const struct prove_question *question, int fd, pid_t parent)
{
    struct prove_question own = *question;
    struct message message = {.kind = MESSAGE_ANSWER};
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(1);
    }
    own.context = &fd;
    own.report = question->report == NULL ? NULL : send_difference;
    own.progress = question->progress == NULL ? NULL : send_progress;
    message.answer = prove_run(&own, &message.result);
    send(&fd, &message);
    _exit(0);
}

// --- the caller -------------------------------------------------------------------------------------------------------

// Returns: false at the end.
static bool receive(int fd, struct message *ret_message)
{
    char *bytes = (char *)ret_message;
    for (size_t done = 0; done < sizeof *ret_message;) {
        const ssize_t taken = read(fd, bytes + done, sizeof *ret_message - done);
        if (taken == 0 || (taken < 0 && errno != EINTR)) {
            return false;
        }
        done += taken > 0 ? (size_t)taken : 0;
    }
    return true;
}

// Hands on what the search says. Returns: its answer.
static enum prove_answer listen_to(const struct prove_question *question, int fd, struct prove_result *ret_result)
{
    struct message message;
    while (receive(fd, &message)) {
        switch (message.kind) {
        case MESSAGE_PROGRESS:
            question->progress(question->context, message.done, message.total);
            break;
        case MESSAGE_DIFFERENCE:
            question->report(question->context, &message.difference);
            break;
        case MESSAGE_ANSWER:
            *ret_result = message.result;
            return message.answer;
        }
    }
    ret_result->why = "Z3 ended before it had an answer: it may want for memory, or for a thread";
    return PROVE_UNDECIDED;
}

enum prove_answer prove_run_apart(const struct prove_question *question, struct prove_result *ret_result)
{
    int fds[2];
    const pid_t parent = getpid();
    *ret_result = (struct prove_result){.why = prove_z3_load()};
    if (ret_result->why != NULL) {
        return PROVE_UNABLE;
    }
    if (pipe2(fds, O_CLOEXEC) != 0) {
        ret_result->why = "no pipe can be made to a process for Z3";
        return PROVE_UNABLE;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        search(question, fds[1], parent);
    }
    close(fds[1]);
    enum prove_answer answer = PROVE_UNABLE;
    if (pid < 0) {
        ret_result->why = "no process can be made for Z3";
    } else {
        answer = listen_to(question, fds[0], ret_result);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    close(fds[0]);
    return answer;
}
