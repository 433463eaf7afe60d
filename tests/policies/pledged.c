// pledged: what a program does that keeps its promises, or breaks them.
//
//   pledged MODE PROMISES      MODE is a name of the table at the end
//
// Takes: a mode, and promises to make first. Gives: exit status 0 and "kept" where all of the mode worked; 1 and what did not; or
// the signal that a broken promise ends in. Built for glibc, and for musl dynamic and static; pledged_test.c knows how each must
// end. Weakness: musl's resolver asks port 53 only, so that mode `server`, which is its own name server, works on glibc alone.
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "policies/policies.h"
#include "sandbox/sandbox.h"

#include <resolv.h> // leaves a macro STATUS behind

// Makes the mode fail, and says where, unless `condition` holds.
#define MUST(condition) \
    if (!(condition)) \
    return #condition

// What a mode opened before it promised.
static FILE *own_file;
static int terminal_fd = -1;
static int server_fd = -1;
static struct sockaddr_in server_address;

// --- stdio ------------------------------------------------------------------------------------------------------------

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static int compare(const void *left, const void *right)
{
    int a = *(const int *)left;
    int b = *(const int *)right;
    return (a > b) - (a < b);
}

static void *work(void *argument)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    size_t count = 5000 + (size_t)(uintptr_t)argument;
    int *numbers = malloc(count * sizeof *numbers);
    if (!numbers || getrandom(numbers, 4096, 0) != 4096) {
        return NULL;
    }
    for (size_t i = 1024; i < count; i++) {
        numbers[i] = (int)((unsigned)numbers[i - 1] * 1103515245u + 12345u);
    }
    qsort(numbers, count, sizeof *numbers, compare);
    pthread_mutex_lock(&lock);
    bool is_sorted = numbers[0] <= numbers[count - 1];
    pthread_mutex_unlock(&lock);
    free(numbers);
    return is_sorted ? argument : NULL;
}

static const char *use_threads(void)
{
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) {
        MUST(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
    }
    for (uintptr_t i = 0; i < 4; i++) {
        void *result = NULL;
        MUST(pthread_join(threads[i], &result) == 0 && result == (void *)(i + 1));
    }
    return NULL;
}

static const char *use_descriptors(void)
{
    int fds[2];
    int pair[2];
    char text[16];
    MUST(pipe2(fds, O_CLOEXEC) == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = timer_fd};
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    MUST(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &event) == 0 && timerfd_settime(timer_fd, 0, &soon, NULL) == 0);
    MUST(epoll_wait(epoll_fd, &event, 1, 10000) == 1 && event.data.fd == timer_fd);
    MUST(write(fds[1], "abc", 3) == 3 && poll(&(struct pollfd){.fd = fds[0], .events = POLLIN}, 1, 1000) == 1);
    MUST(read(fds[0], text, sizeof text) == 3 && send(pair[0], "xyz", 3, MSG_NOSIGNAL) == 3);
    MUST(recv(pair[1], text, sizeof text, 0) == 3 && dup2(fds[0], 50) == 50 && close(50) == 0);
    int flags = fcntl(fds[0], F_GETFL);
    MUST(flags >= 0 && fcntl(fds[0], F_SETFL, flags | O_NONBLOCK) == 0 && read(fds[0], text, sizeof text) == -1);
    int waiting = 0;
    MUST(ioctl(fds[0], FIONREAD, &waiting) == 0 && waiting == 0);
    return NULL;
}

static const char *use_time(void)
{
    struct timespec now;
    struct itimerval timer = {.it_value.tv_usec = 1000};
    signal(SIGALRM, on_alarm);
    MUST(clock_gettime(CLOCK_REALTIME, &now) == 0 && syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
    MUST(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    for (int i = 0; i < 1000 && !alarms; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    MUST(alarms == 1 && raise(SIGALRM) == 0 && alarms == 2 && time(NULL) > 1000000000);
    time_t seconds = 0;
    MUST(localtime(&seconds)); // glibc has read its time zone before, see prepare_file
    return NULL;
}

static void prepare_file(void)
{
    own_file = fopen("/proc/self/exe", "rbe");
    tzset();
}

static const char *run_stdio(void)
{
    char magic[4];
    struct stat status;
    MUST(own_file && fread(magic, 1, 4, own_file) == 4 && memcmp(magic, "\177ELF", 4) == 0);
    MUST(fstat(fileno(own_file), &status) == 0 && status.st_size > 1000 && fclose(own_file) == 0);
    MUST(printf("%d %s %.3f\n", 42, "numbers", 3.14) > 0 && fflush(stdout) == 0);
    MUST(!isatty(STDOUT_FILENO) && sysconf(_SC_NPROCESSORS_ONLN) > 0);
    const char *wrong = use_threads();
    wrong = wrong ? wrong : use_descriptors();
    return wrong ? wrong : use_time();
}

// --- paths ------------------------------------------------------------------------------------------------------------

static const char *run_read(void)
{
    char path[4096];
    struct stat status;
    DIR *directory = opendir("/proc/self");
    MUST(directory && readdir(directory) && closedir(directory) == 0);
    FILE *file = fopen("/proc/self/status", "re");
    MUST(file && fgets(path, sizeof path, file) && fclose(file) == 0);
    MUST(stat("/proc", &status) == 0 && S_ISDIR(status.st_mode) && lstat("/proc/self", &status) == 0);
    MUST(access("/proc", R_OK) == 0 && readlink("/proc/self/exe", path, sizeof path) > 0 && getcwd(path, sizeof path));
    MUST(realpath("/proc/self/exe", path));
    MUST(open("/no/such/file", O_RDONLY | O_CLOEXEC) == -1 && errno == ENOENT);
    return NULL;
}

static const char *run_temporary(void)
{
    char name[] = "/tmp/pledged-XXXXXX";
    int fd = mkstemp(name);
    MUST(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 && unlink(name) == 0);
    FILE *file = tmpfile();
    MUST(file && fputs("text", file) >= 0 && fclose(file) == 0);
    return NULL;
}

static const char *run_write(void)
{
    char name[] = "/tmp/pledged-XXXXXX";
    char other[64];
    int fd = mkstemp(name);
    snprintf(other, sizeof other, "%s-2", name);
    MUST(fd >= 0 && close(fd) == 0 && rename(name, other) == 0);
    FILE *file = fopen(other, "w+e");
    MUST(file && fputs("text", file) >= 0 && fclose(file) == 0);
    MUST(truncate(other, 1) == 0 && unlink(other) == 0 && mkdir(name, 0700) == 0 && rmdir(name) == 0);
    return NULL;
}

static const char *run_attributes(void)
{
    char name[] = "/tmp/pledged-XXXXXX";
    int fd = mkstemp(name);
    MUST(fd >= 0 && fchmod(fd, 0640) == 0 && futimens(fd, NULL) == 0 && chown(name, getuid(), getgid()) == 0);
    MUST(flock(fd, LOCK_EX) == 0);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    MUST(fcntl(fd, F_SETLK, &lock) == 0 && unlink(name) == 0);
    return NULL;
}

// --- sockets ----------------------------------------------------------------------------------------------------------

static const char *talk(int listener, int client, const struct sockaddr *address, socklen_t address_bytes)
{
    char text[8];
    MUST(connect(client, address, address_bytes) == 0);
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    MUST(server >= 0 && send(client, "hello", 5, MSG_NOSIGNAL) == 5 && recv(server, text, sizeof text, 0) == 5);
    MUST(shutdown(client, SHUT_WR) == 0 && recv(server, text, sizeof text, 0) == 0);
    return NULL;
}

static const char *run_inet(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    MUST(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    MUST(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    MUST(bind(listener, (struct sockaddr *)&address, bytes) == 0 && listen(listener, 1) == 0);
    MUST(getsockname(listener, (struct sockaddr *)&address, &bytes) == 0);
    MUST(socket(AF_UNIX, SOCK_STREAM, 0) == -1 && errno == EAFNOSUPPORT);
    return talk(listener, client, (struct sockaddr *)&address, bytes);
}

static const char *run_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t bytes = sizeof(sa_family_t); // the kernel finds an abstract name
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(bind(listener, (struct sockaddr *)&address, bytes) == 0 && listen(listener, 1) == 0);
    bytes = sizeof address;
    MUST(getsockname(listener, (struct sockaddr *)&address, &bytes) == 0);
    return talk(listener, client, (struct sockaddr *)&address, bytes);
}

static const char *run_messages(void)
{
    int pair[2];
    char byte = 'x';
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    memcpy(CMSG_DATA(&control.header), &pair[0], sizeof(int));
    MUST(sendmsg(pair[0], &message, MSG_NOSIGNAL) == 1 && recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) == 1);
    return NULL;
}

static const char *run_names(void)
{
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    MUST(getaddrinfo("localhost", "80", &hints, &list) == 0 && list);
    freeaddrinfo(list);
    MUST(getaddrinfo("127.0.0.1", "80", &hints, &list) == 0 && list);
    freeaddrinfo(list);
    return NULL;
}

static void prepare_server(void)
{
    socklen_t bytes = sizeof server_address;
    server_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(server_fd, (struct sockaddr *)&server_address, bytes) != 0 ||
        getsockname(server_fd, (struct sockaddr *)&server_address, &bytes) != 0) {
        perror("server");
    }
}

// Answers two questions: there is no such name.
static void *serve(void *argument)
{
    for (int i = 0; i < 2; i++) {
        unsigned char question[512];
        struct sockaddr_in client;
        socklen_t client_bytes = sizeof client;
        ssize_t bytes = recvfrom(server_fd, question, sizeof question, 0, (struct sockaddr *)&client, &client_bytes);
        if (bytes < 12) {
            return NULL;
        }
        question[2] |= 0x80; // an answer
        question[3] = 3;     // NXDOMAIN
        sendto(server_fd, question, (size_t)bytes, 0, (struct sockaddr *)&client, client_bytes);
    }
    return argument;
}

static const char *run_server(void)
{
    pthread_t thread;
    struct addrinfo *list = NULL;
    void *result = NULL;
    MUST(res_init() == 0 && pthread_create(&thread, NULL, serve, &server_fd) == 0);
    _res.nscount = 1;
    _res.nsaddr_list[0] = server_address;
    int code = getaddrinfo("no-such-name.invalid.", NULL, NULL, &list);
    MUST((code == EAI_NONAME || code == EAI_NODATA) && pthread_join(thread, &result) == 0 && result == &server_fd);
    return NULL;
}

static const char *run_interfaces(void)
{
    struct ifaddrs *list = NULL;
    MUST(getifaddrs(&list) == 0 && list);
    freeifaddrs(list);
    return NULL;
}

static const char *run_users(void)
{
    struct passwd *root = getpwuid(0);
    MUST(root && strcmp(root->pw_name, "root") == 0);
    return NULL;
}

// --- processes --------------------------------------------------------------------------------------------------------

static void prepare_terminal(void)
{
    int master_fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (master_fd < 0 || grantpt(master_fd) != 0 || unlockpt(master_fd) != 0) {
        perror("terminal");
        return;
    }
    terminal_fd = open(ptsname(master_fd), O_RDWR | O_NOCTTY);
}

static const char *run_terminal(void)
{
    struct termios modes;
    struct winsize size = {.ws_row = 25, .ws_col = 80};
    MUST(isatty(terminal_fd) && tcgetattr(terminal_fd, &modes) == 0 && tcsetattr(terminal_fd, TCSAFLUSH, &modes) == 0);
    MUST(ioctl(terminal_fd, TIOCSWINSZ, &size) == 0 && ioctl(terminal_fd, TIOCGWINSZ, &size) == 0 && size.ws_row == 25);
    return NULL;
}

static const char *run_fork(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        _exit(7);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
    child = fork();
    if (child == 0) {
        pause();
    }
    MUST(child > 0 && kill(child, SIGTERM) == 0 && waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
    return NULL;
}

static const char *run_system(void)
{
    int status = system("exit 3");
    MUST(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    FILE *child = popen("echo from the shell", "re");
    char text[64];
    MUST(child && fgets(text, sizeof text, child) && strcmp(text, "from the shell\n") == 0 && pclose(child) == 0);
    return NULL;
}

static const char *run_code(void)
{
    unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(page != MAP_FAILED);
    page[0] = 1;
    MUST(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == -1 && errno == EACCES);
    MUST(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
    return NULL;
}

static const char *run_identity(void)
{
    MUST(setuid(getuid()) == 0 && setgid(getgid()) == 0);
    return NULL;
}

static const char *run_clock(void)
{
    struct timespec now = {.tv_sec = 1};
    MUST(clock_settime(CLOCK_MONOTONIC, &now) == -1 && (errno == EINVAL || errno == EPERM));
    return NULL;
}

static const char *run_landlock(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
    MUST(version > 0 || errno == ENOSYS || errno == EOPNOTSUPP);
    return NULL;
}

// --- broken promises --------------------------------------------------------------------------------------------------

static const char *run_open(void)
{
    MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) == -1 && errno == ENOSYS);
    return NULL;
}

static const char *run_create(void)
{
    MUST(open("/tmp/pledged", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) == -1 && errno == ENOSYS);
    return NULL;
}

static const char *run_kill(void)
{
    MUST(kill(getppid(), 0) == -1 && errno == ENOSYS);
    return NULL;
}

static const char *run_exec(void)
{
    MUST(execl("/bin/true", "true", (char *)NULL) == -1 && errno == ENOSYS);
    return NULL;
}

static const char *run_socket(void)
{
    MUST(socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == ENOSYS);
    return NULL;
}

static const char *run_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == -1 && errno == ENOSYS);
    return NULL;
}

static const char *run_end(void)
{
    _exit(0);
}

static const char *run_abort(void)
{
    abort();
}

static const struct mode {
    const char *name;
    void (*prepare)(void);
    const char *(*run)(void); // Returns: what went wrong, or NULL
} modes[] = {
    {"stdio", prepare_file, run_stdio},
    {"read", NULL, run_read},
    {"temporary", NULL, run_temporary},
    {"write", NULL, run_write},
    {"attributes", NULL, run_attributes},
    {"inet", NULL, run_inet},
    {"unix", NULL, run_unix},
    {"messages", NULL, run_messages},
    {"names", NULL, run_names},
    {"server", prepare_server, run_server},
    {"interfaces", NULL, run_interfaces},
    {"users", NULL, run_users},
    {"terminal", prepare_terminal, run_terminal},
    {"fork", NULL, run_fork},
    {"system", NULL, run_system},
    {"code", NULL, run_code},
    {"identity", NULL, run_identity},
    {"clock", NULL, run_clock},
    {"landlock", NULL, run_landlock},
    {"open", NULL, run_open},
    {"create", NULL, run_create},
    {"kill", NULL, run_kill},
    {"exec", NULL, run_exec},
    {"socket", NULL, run_socket},
    {"connect", NULL, run_connect},
    {"end", NULL, run_end},
    {"abort", NULL, run_abort},
};

static enum brig_code promise(const char *promises, struct brig_error *reterr)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    static struct brig_policy_pledge_memory pledge;
    const struct brig_dsl_policy *policy;
    struct brig_lock_options options = {.memory = memory, .memory_bytes = sizeof memory, .notify_fd = -1};
    enum brig_code code = brig_policy_pledge(promises, &pledge, &policy, reterr);
    return code == BRIG_OK ? brig_lock(policy, &options, reterr) : code;
}

static int run(const struct mode *mode, const char *promises)
{
    struct brig_error error;
    if (mode->prepare) {
        mode->prepare();
    }
    if (promise(promises, &error) != BRIG_OK) {
        char text[BRIG_ERROR_TEXT_BYTES];
        fprintf(stderr, "pledged: %s\n", brig_error_format(&error, text, sizeof text));
        return 2;
    }
    const char *wrong = mode->run();
    if (wrong) {
        fprintf(stderr, "pledged: %s: %s\n", wrong, strerror(errno));
        return 1;
    }
    puts("kept");
    return 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            return run(&modes[i], argv[2]);
        }
    }
    fprintf(stderr, "usage: pledged MODE PROMISES\n");
    return 64;
}
