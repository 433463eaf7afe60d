// blocked_calls: what libc does with all signals blocked, done one at a time. blocked_calls_test.c watches which calls that takes.
//
//   blocked_calls MODE     MODE is a name of the table at the end; exit status 0 if it was done, 64 if there is no such mode
//
// Runs without a sandbox, on every libc.
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static bool has_run;

static void *run_and_return(void *argument)
{
    free(malloc(1 << 20));
    has_run = true;
    return argument;
}

static void *run_and_exit(void *argument)
{
    has_run = true;
    pthread_exit(argument);
}

static void *wait_for_ever(void *argument)
{
    __atomic_store_n(&has_run, true, __ATOMIC_RELAXED);
    for (;;) {
        pause();
    }
    return argument;
}

static bool wait_until_it_has_run(void)
{
    for (int i = 0; i < 2000 && !__atomic_load_n(&has_run, __ATOMIC_RELAXED); i++) {
        usleep(1000);
    }
    usleep(20000); // to its very end
    return __atomic_load_n(&has_run, __ATOMIC_RELAXED);
}

static bool run_thread(void *(*run)(void *), bool cancels)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)64 << 20); // so big that libc does not keep it
    has_run = false;
    // glibc sends a signal only to a thread that waits where it can be cancelled.
    return pthread_create(&thread, &attributes, run, NULL) == 0 &&
           (!cancels || (wait_until_it_has_run() && pthread_cancel(thread) == 0)) && pthread_join(thread, NULL) == 0;
}

static bool do_thread(void)
{
    return run_thread(run_and_return, false) && run_thread(run_and_exit, false);
}

static bool do_cancel(void)
{
    return run_thread(wait_for_ever, true);
}

static bool do_detached(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, run_and_return, NULL) == 0 && pthread_detach(thread) == 0 && wait_until_it_has_run();
}

static int run_c11(void *argument)
{
    (void)argument;
    return 7;
}

static bool do_c11_thread(void)
{
    thrd_t thread;
    int result = 0;
    return thrd_create(&thread, run_c11, NULL) == thrd_success && thrd_join(thread, &result) == thrd_success && result == 7;
}

// Priorities and signal masks of a new thread are set by libc before its start function runs.
static bool do_scheduled_thread(void)
{
    const struct sched_param scheduling = {.sched_priority = 0};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    pthread_attr_setschedparam(&attributes, &scheduling);
    return pthread_create(&thread, &attributes, run_and_return, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

static bool is_status_zero(int status)
{
    return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool do_system(void)
{
    return is_status_zero(system("exit 0"));
}

static bool do_popen(void)
{
    char text[8] = "";
    FILE *pipe = popen("echo done", "r");
    return pipe && fgets(text, sizeof text, pipe) && strcmp(text, "done\n") == 0 && is_status_zero(pclose(pipe));
}

static bool do_spawn(void)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t signals;
    pid_t pid = -1;
    int status = -1;
    sigfillset(&signals);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, 100);
    posix_spawn_file_actions_adddup2(&actions, 0, 101);
    posix_spawn_file_actions_addopen(&actions, 102, "/dev/null", 0, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_RESETIDS);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    return posix_spawnp(&pid, "true", &actions, &attributes, arguments, environment) == 0 && waitpid(pid, &status, 0) == pid &&
           is_status_zero(status);
}

static bool do_fork(void)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && is_status_zero(status);
}

static bool do_abort(void)
{
    abort();
}

static void nothing(int signal_nr)
{
    (void)signal_nr;
}

static bool do_raise(void)
{
    return signal(SIGUSR1, nothing) != SIG_ERR && raise(SIGUSR1) == 0 && pthread_kill(pthread_self(), SIGUSR1) == 0;
}

static void run_by_timer(union sigval value)
{
    (void)value;
    __atomic_store_n(&has_run, true, __ATOMIC_RELAXED);
}

static bool do_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD};
    const struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
    timer_t timer;
    event.sigev_notify_function = run_by_timer;
    return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0 &&
           wait_until_it_has_run() && timer_delete(timer) == 0;
}

static bool do_getaddrinfo(void)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo("localhost", "80", &hints, &found) == 0) {
        freeaddrinfo(found);
    }
    return true; // there may be no network
}

// musl makes every thread set its ids, one after the other.
static bool do_setuid(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, wait_for_ever, NULL) == 0 && setgid(getgid()) == 0;
}

static const struct {
    const char *name;
    bool (*run)(void);
} modes[] = {
    {"thread", do_thread},
    {"cancel", do_cancel},
    {"detached", do_detached},
    {"c11", do_c11_thread},
    {"scheduled", do_scheduled_thread},
    {"system", do_system},
    {"popen", do_popen},
    {"spawn", do_spawn},
    {"fork", do_fork},
    {"abort", do_abort},
    {"raise", do_raise},
    {"timer", do_timer},
    {"getaddrinfo", do_getaddrinfo},
    {"setuid", do_setuid},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            return modes[i].run() ? 0 : 1;
        }
    }
    return 64;
}
