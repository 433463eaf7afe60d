// run_program: see run_program.h.
#include "tests/policies/run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/shim/test.h"

#define OUTPUT_BYTES_MAX ((size_t)4 << 20)
#define ARGUMENTS_MAX 8
#define PATH_BYTES 4096

static bool beside_test(const char *name, char *ret_path, size_t path_bytes)
{
    ssize_t bytes = readlink("/proc/self/exe", ret_path, path_bytes - 1);
    if (bytes <= 0) {
        return false;
    }
    ret_path[bytes] = '\0';
    char *slash = strrchr(ret_path, '/');
    size_t left = (size_t)(ret_path + path_bytes - (slash + 1));
    return (size_t)snprintf(slash + 1, left, "%s", name) < left;
}

bool run_program_path(const char *name, char *ret_path, size_t path_bytes)
{
    return beside_test(name, ret_path, path_bytes) && access(ret_path, X_OK) == 0;
}

__attribute__((noreturn)) static void become(const char *const *argv, int output_fd)
{
    static char paths[ARGUMENTS_MAX][PATH_BYTES];
    char *arguments[ARGUMENTS_MAX + 1] = {NULL};
    for (int i = 0; i < ARGUMENTS_MAX && argv[i]; i++) {
        if (argv[i][0] == '@') {
            beside_test(argv[i] + 1, paths[i], PATH_BYTES);
        }
        arguments[i] = argv[i][0] == '@' ? paths[i] : (char *)(uintptr_t)argv[i];
    }
    if (!arguments[0]) {
        _exit(127);
    }
    int null_fd = open("/dev/null", O_RDONLY);
    dup2(null_fd, 0);
    dup2(output_fd, 1);
    dup2(output_fd, 2);
    execvp(arguments[0], arguments);
    fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Reads until the other side's end. Returns: false when it is late.
static bool collect(int fd, int timeout_ms, char *output)
{
    int64_t end_ms = now_ms() + timeout_ms;
    size_t used = 0;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) <= 0) {
            return false;
        }
        ssize_t got = read(fd, output + used, OUTPUT_BYTES_MAX - used);
        if (got <= 0) {
            return true;
        }
        used += (size_t)got;
        output[used] = '\0';
    }
}

bool run_program(const char *const *argv, int timeout_ms, struct run_result *ret_result)
{
    int fds[2];
    char *output = calloc(1, OUTPUT_BYTES_MAX + 1);
    *ret_result = (struct run_result){.output = output};
    if (!output || pipe2(fds, O_CLOEXEC) != 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", argv[0], strerror(errno));
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(argv, fds[1]);
    }
    close(fds[1]);
    ret_result->is_late = !collect(fds[0], timeout_ms, output);
    close(fds[0]);
    if (ret_result->is_late) {
        kill(pid, SIGKILL);
    }
    return CHECK_EQ(waitpid(pid, &ret_result->wait_status, 0), pid);
}
