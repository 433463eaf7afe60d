// worker: a program that gives its risky part, here counting words, to a sandboxed process of its own.
#include <brig/bpf_dsl/words.h>
#include <brig/policies.h>
#include <brig/sandbox/supervisor.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct brig_dsl_row rows[] = {
    WHY("reads its jobs; it answers by write, which is in the baseline with all that libc itself needs"),
    ROW(read, ALLOW),
    ROWS_END,
};
static const struct brig_dsl_policy policy = {.name = "counter", .base = &brig_policy_baseline, .rows = rows};

static int count_words(void *data, int channel_fd) // runs in the worker, which is locked by then
{
    char text[1000];
    for (ssize_t bytes; (bytes = read(channel_fd, text, sizeof text - 1)) > 0;) {
        text[bytes] = '\0';
        if (text[0] == '!') // stands for an exploit
            open("/tmp/loot", O_WRONLY | O_CREAT, 0600);
        int words = 0;
        for (char *rest = text; strtok_r(rest, " ", &rest);)
            words++;
        if (write(channel_fd, &words, sizeof words) < 0)
            break;
    }
    return data != NULL;
}

static void on_event(void *context, const struct brig_event *event)
{
    fprintf(context, "%s\n", event->message);
}

int main(void)
{
    struct brig_supervisor *supervisor = NULL;
    struct brig_supervisor_options options = {.on_event = on_event, .context = stdout};
    struct brig_worker *worker = NULL;
    struct brig_worker_spec spec = {.name = "counter", .policy = &policy, .entry = count_words, .channel = true};
    struct brig_error error = {.code = BRIG_OK};
    if (brig_supervisor_new(&options, &supervisor, &error) || brig_supervisor_launch(supervisor, &spec, &worker, &error))
        return fprintf(stderr, "%s\n", brig_error_format(&error, (char[BRIG_ERROR_TEXT_BYTES]){0}, BRIG_ERROR_TEXT_BYTES)) > 0;
    for (const char *const *job = (const char *const[]){"to be or not to be", "! rm -rf ~", NULL}; *job; job++) {
        int words, fd = brig_worker_channel_fd(worker);
        ssize_t bytes = send(fd, *job, strlen(*job), MSG_NOSIGNAL);
        while (bytes > 0 && (bytes = recv(fd, &words, sizeof words, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
            bytes = !brig_supervisor_dispatch(supervisor, 10, &error); // calls on_event
        if (bytes != sizeof words)
            break; // the worker is gone
        printf("%s: %d words\n", *job, words);
    }
    brig_supervisor_free(supervisor);
}
