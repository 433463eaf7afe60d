// program_visitor: a program that knows nothing of Brig, and does what its first argument says. Not instrumented: it runs under the
// policy of ordinary programs. Exit status 0: as it should be; else the number of what went wrong, which it also prints.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// Reads a file. Returns: 0 or errno.
static int slurp(const char *path, char *text, size_t text_bytes)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    const ssize_t bytes = read(fd, text, text_bytes - 1);
    const int error = bytes < 0 ? errno : 0;
    close(fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    return error;
}

static int run_cat(char **arguments)
{
    char text[256];
    const int error = slurp(arguments[0], text, sizeof text);
    if (error)
        printf("errno %d\n", error);
    else
        fputs(text, stdout);
    return error != 0;
}

// --- memory that changes while it is looked at ------------------------------------------------------------------------

enum { SWAPS_LEAST = 3000, SWAPS_MOST = 100000 };
static char shared_path[256];
static atomic_bool is_over;

static void *swap_paths(void *argument)
{
    char **paths = argument;
    for (unsigned i = 0; !atomic_load(&is_over); i++)
        memcpy(shared_path, paths[i & 1], strlen(paths[i & 1]) + 1);
    return NULL;
}

// The names have the same length: whatever is read in between is one that no list has, or one of the two.
static int run_swap(char **arguments)
{
    pthread_t thread;
    char text[256];
    unsigned opened = 0, refused = 0, leaked = 0;
    if (pthread_create(&thread, NULL, swap_paths, arguments) != 0)
        return 2;
    // On a busy machine the other thread may not run for a while.
    for (int i = 0; i < SWAPS_LEAST || (i < SWAPS_MOST && (opened == 0 || refused == 0)); i++) {
        const int fd = (int)syscall(SYS_openat, AT_FDCWD, shared_path, O_RDONLY);
        refused += fd < 0;
        if (fd < 0)
            continue;
        const ssize_t bytes = read(fd, text, sizeof text - 1);
        text[bytes > 0 ? bytes : 0] = '\0';
        opened += strcmp(text, "hello\n") == 0;
        leaked += strcmp(text, "hello\n") != 0;
        close(fd);
    }
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    printf("opened %u refused %u leaked %u\n", opened, refused, leaked);
    return leaked != 0 || opened == 0 || refused == 0;
}

// --- many at once -----------------------------------------------------------------------------------------------------

static atomic_uint wrong_answers;

static void *open_many(void *argument)
{
    char text[256];
    struct stat status;
    for (int i = 0; i < 200; i++)
        wrong_answers += slurp(argument, text, sizeof text) != 0 || strcmp(text, "hello\n") != 0 || stat(argument, &status) != 0 ||
                         status.st_size != 6;
    return NULL;
}

static int run_threads(char **arguments)
{
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        if (pthread_create(&threads[i], NULL, open_many, arguments[0]) != 0)
            return 2;
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    printf("wrong %u\n", wrong_answers);
    return wrong_answers != 0;
}

static int run_forks(char **arguments)
{
    char text[256];
    for (int i = 0; i < 8; i++) {
        const pid_t pid = fork();
        int status = 0;
        if (pid == 0)
            _exit(slurp(arguments[0], text, sizeof text) == 0 && strcmp(text, "hello\n") == 0 && chdir("..") == 0 ? 0 : 1);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            printf("child %d status %x\n", i, (unsigned)status);
            return 1;
        }
    }
    return run_cat(arguments);
}

// What is left behind when this process ends must not stay.
static int run_orphan(char **arguments)
{
    const pid_t pid = fork();
    (void)arguments;
    if (pid == 0) {
        setsid();
        for (;;)
            pause();
    }
    printf("%d\n", (int)pid);
    return pid < 0;
}

static void count_signal(int number)
{
    (void)number;
}

// A call that is answered is not interrupted by a signal that does not kill; one that waits to be taken is, and starts again.
static int run_signals(char **arguments)
{
    const struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    const struct itimerval often = {.it_interval = {.tv_usec = 200}, .it_value = {.tv_usec = 200}};
    char text[256];
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 1000; i++) {
        const int error = slurp(arguments[0], text, sizeof text);
        if (error) {
            printf("errno %d\n", error);
            return 1;
        }
    }
    return 0;
}

static int run_alarm(char **arguments)
{
    alarm(1);
    return open(arguments[0], O_RDONLY) >= 0; // a FIFO that nobody writes to
}

// --- what is not allowed ----------------------------------------------------------------------------------------------

// Every way to the file that is given, and to what only the front end or the broker has. Prints the ways that were open.
static int run_escape(char **arguments)
{
    const char *secret = arguments[0], *folder = arguments[1];
    char paths[9][512], text[256];
    int open_ways = 0;
    snprintf(paths[0], sizeof paths[0], "%s", secret);
    snprintf(paths[1], sizeof paths[1], "%s/../secret/file", folder);
    snprintf(paths[2], sizeof paths[2], "%s/sub/../../secret/file", folder);
    snprintf(paths[3], sizeof paths[3], "/proc/self/root%s", secret);
    snprintf(paths[4], sizeof paths[4], "/proc/1/root%s", secret);
    snprintf(paths[5], sizeof paths[5], "/proc/self/cwd/secret/file");
    snprintf(paths[6], sizeof paths[6], "%s/out", folder); // a symbolic link to the secret
    snprintf(paths[7], sizeof paths[7], "../secret/file");
    snprintf(paths[8], sizeof paths[8], "/proc/self/environ");
    if (chdir(folder) != 0)
        return 2;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (slurp(paths[i], text, sizeof text) == 0) {
            printf("open: %s\n", paths[i]);
            open_ways++;
        }
    }
    const int directory = open(folder, O_RDONLY | O_DIRECTORY);
    if (directory < 0 || openat(directory, "../secret/file", O_RDONLY) >= 0 || openat(directory, secret, O_RDONLY) >= 0)
        open_ways += 100;
    return open_ways;
}

// A descriptor for reading changes nothing, and a socket reaches nobody but by the broker.
static int run_refused(char **arguments)
{
    const int fd = open(arguments[0], O_RDONLY);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (fd < 0)
        return 2;
    if (futimens(fd, times) == 0 || fchmod(fd, 0777) == 0 || chmod(arguments[0], 0777) == 0 || unlink(arguments[0]) == 0)
        return 3;
    if (socket(AF_INET, SOCK_DGRAM, 0) >= 0 || socket(AF_UNIX, SOCK_DGRAM, 0) >= 0 || socket(AF_NETLINK, SOCK_RAW, 0) >= 0)
        return 4;
    const int stream = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", arguments[1]);
    if (stream < 0 || connect(stream, (struct sockaddr *)&address, sizeof address) != 0)
        return 5;
    snprintf(address.sun_path, sizeof address.sun_path, "%s.not", arguments[1]);
    if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) == 0 || errno != EACCES)
        return 6;
    if (execl("/bin/true", "true", (char *)NULL) == 0 || errno != EACCES)
        return 7;
    return 0;
}

// Calls whose path starts at the working directory though they know no other, and addresses that are none: each is answered as the
// kernel would, and what is asked afterwards still is. `arguments[0]` is a file below the working directory.
static int run_relative(char **arguments)
{
    struct statfs filesystem;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    for (int i = 0; i < 40; i++) {
        if (statfs(arguments[0], &filesystem) != 0 || truncate(arguments[0], 3) != 0)
            return 2;
        const int watch = inotify_init1(IN_CLOEXEC);
        if (watch < 0 || inotify_add_watch(watch, arguments[0], IN_MODIFY) < 0)
            return 3;
        close(watch);
        const int stream = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(stream, (struct sockaddr *)&address, 1) == 0 || errno != EINVAL)
            return 4;
        close(stream);
    }
    return run_cat(arguments);
}

static int run_crash(char **arguments)
{
    (void)arguments;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return 1;
}

static int run_foreign(char **arguments)
{
    (void)arguments;
#ifdef __x86_64__
    long result = 20; // getpid of i386
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
#endif
    return 1;
}

// Opens until the broker is gone.
static int run_loop(char **arguments)
{
    char text[256];
    int error;
    do {
        error = slurp(arguments[0], text, sizeof text);
    } while (error == 0);
    printf("errno %d\n", error);
    return error != EIO;
}

static int run_hang(char **arguments)
{
    (void)arguments;
    for (;;)
        pause();
    return 1;
}

static const struct {
    const char *name;
    int (*run)(char **arguments);
} ways[] = {
    {"cat", run_cat},         {"swap", run_swap},         {"threads", run_threads}, {"forks", run_forks},
    {"orphan", run_orphan},   {"signals", run_signals},   {"alarm", run_alarm},     {"escape", run_escape},
    {"refused", run_refused}, {"relative", run_relative}, {"crash", run_crash},     {"foreign", run_foreign},
    {"loop", run_loop},       {"hang", run_hang},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COUNT_OF(ways); i++) {
        if (strcmp(argv[1], ways[i].name) == 0)
            return ways[i].run(argv + 2);
    }
    return 99;
}
