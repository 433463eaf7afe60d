// attempts: the wishes of shellcode, one function each. Stands in for an exploit: it is what an attacker's code would do once it
// runs.
//
// Takes the text of a chunk. Gives a line that says what the attempt believes; nobody relies on it. Each function leaves behind
// something that the host can see from outside: a descriptor, a mapping, a child, a connection. Nothing here is undone: the worker
// is thrown away.
#include "tools/sample/attempts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ATTEMPT __attribute__((noinline)) static long

// Each returns what the call did: -1 with errno, or something else.

ATTEMPT open_passwd(const char *argument)
{
    (void)argument;
    return open("/etc/passwd", O_RDONLY);
}

// Returns: the inode number, which only who could look can know.
ATTEMPT stat_passwd(const char *argument)
{
    (void)argument;
    struct stat status;
    return stat("/etc/passwd", &status) == 0 ? (long)status.st_ino : -1;
}

ATTEMPT connect_out(const char *argument)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argument))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&address, sizeof address);
}

ATTEMPT run_program(const char *argument)
{
    char *const command[] = {(char *)(uintptr_t)argument, (char *)(uintptr_t) "60", NULL};
    char *const environment[] = {NULL};
    return execve(argument, command, environment);
}

ATTEMPT make_child(const char *argument)
{
    (void)argument;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            pause();
        }
    }
    return child;
}

ATTEMPT trace_parent(const char *argument)
{
    (void)argument;
    return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

ATTEMPT kill_parent(const char *argument)
{
    (void)argument;
    return kill(getppid(), SIGTERM);
}

ATTEMPT map_code(const char *argument)
{
    (void)argument;
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? -1 : 0;
}

ATTEMPT set_up_ring(const char *argument)
{
    (void)argument;
    unsigned char parameters[120] = {0}; // struct io_uring_params; older kernel headers lack it
    return syscall(SYS_io_uring_setup, 4, parameters);
}

// dup2 in the i386 table: its number is another call's in the x86_64 table, and no filter that forgets the arch sees it.
ATTEMPT call_i386(const char *argument)
{
    (void)argument;
    long result = -ENOSYS;
#ifdef __x86_64__
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(63L), "b"(0L), "c"((long)ATTEMPT_I386_FD)
                     : "memory", "r8", "r9", "r10", "r11");
#endif
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : result;
}

// dup2 again, with the bit that makes it x32's.
ATTEMPT call_x32(const char *argument)
{
    (void)argument;
    return syscall(0x40000000L + 33, 0, ATTEMPT_X32_FD);
}

ATTEMPT call_unknown(const char *argument)
{
    (void)argument;
    return syscall(1000);
}

static const struct attempt {
    const char *name;
    long (*run)(const char *argument);
} attempts[] = {
    {"open", open_passwd},     {"stat", stat_passwd},    {"connect", connect_out}, {"execve", run_program},
    {"fork", make_child},      {"ptrace", trace_parent}, {"kill", kill_parent},    {"mmap", map_code},
    {"io_uring", set_up_ring}, {"i386", call_i386},      {"x32", call_x32},        {"unknown", call_unknown},
};

void attempt_run(const char *text, char *ret_outcome, size_t outcome_bytes)
{
    size_t name_bytes = strcspn(text, " ");
    const char *argument = text[name_bytes] ? text + name_bytes + 1 : "";
    snprintf(ret_outcome, outcome_bytes, "no such attempt");
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        if (strlen(attempts[i].name) == name_bytes && strncmp(attempts[i].name, text, name_bytes) == 0) {
            long result = attempts[i].run(argument);
            if (result == -1) {
                snprintf(ret_outcome, outcome_bytes, "%s", strerrorname_np(errno));
            } else {
                snprintf(ret_outcome, outcome_bytes, "%ld", result);
            }
        }
    }
}
