// wrap: what stands between a program and libc, so that threads and signals stay as the trap layer needs them. Internal to
// trap/wrap/.
//
//   interposed.c   libc's names; libc's own functions are found by dlsym(RTLD_NEXT)       libbrig-wrap.so, dynamic programs
//   linked.c       __wrap_NAME; libc's own are __real_NAME (ld's --wrap, wrap.flags)      libbrig-wrap.a, any program
//   threads.c, signals.c, files.c, streams.c, names.c   what both do
//
// Libraries of their own, because a program has to want this: libbrig itself exports brig_* and changes nothing for those who link
// it. The references to libbrig are weak: whichever form of it the program has answers, and without one nothing is changed.
//
// What is not wrapped stays as it is: what libc calls inside (abort, system, posix_spawn, siglongjmp, setcontext, the threads of
// timer_create), threads of raw clone, epoll_pwait2, sigpause, siginterrupt, and the checking names of _FORTIFY_SOURCE
// (__ppoll_chk). Those threads run the handler on their own stack; the filter refuses to change SIGSYS.
#ifndef BRIG_TRAP_WRAP_WRAP_H
#define BRIG_TRAP_WRAP_WRAP_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <threads.h>

#include "trap/broker.h"
#include "trap/trap.h"

typedef void trap_wrap_handler(int signal_nr);

// musl's second names for the same functions are macros.
#undef open64
#undef openat64
#undef stat64
#undef lstat64
#undef fstatat64
#undef fopen64
struct stat;
struct stat64;

#pragma GCC visibility push(hidden)

// libc's own functions.
struct trap_wrap_real {
#define WRAP(type, name, parameters, arguments) type(*name) parameters;
#define REPLACE(type, name, parameters, arguments)
#define WAIT WRAP
#define OPEN(name, parameters, arguments) WRAP(int, name, parameters, arguments)
#include "trap/wrap/wrap.def"
#undef WRAP
#undef REPLACE
#undef WAIT
#undef OPEN
};

// Returns: the table, filled. Context: any, after this library's constructors have run; before that, normal.
const struct trap_wrap_real *trap_wrap_real(void);

// What is done instead. Arguments and results are those of libc's functions.
#define WRAP(type, name, parameters, arguments) type trap_wrap_##name parameters;
#define REPLACE WRAP
#define WAIT WRAP
#define OPEN(name, parameters, arguments)
#include "trap/wrap/wrap.def"
#undef WRAP
#undef REPLACE
#undef WAIT
#undef OPEN
int trap_wrap_open(const char *path, int flags, unsigned mode);
int trap_wrap_open64(const char *path, int flags, unsigned mode);
int trap_wrap_openat(int dir_fd, const char *path, int flags, unsigned mode);
int trap_wrap_openat64(int dir_fd, const char *path, int flags, unsigned mode);

// Opens by the broker. Returns: whether *ret_result is what openat(2) of libc returns; then errno is set.
bool trap_wrap_try_open(int dir_fd, const char *path, int flags, unsigned mode, int *ret_result);

// --- host names, beside the table: a program that does not resolve any is not to get libc's resolver ---------------------

struct addrinfo;
struct trap_wrap_resolver {
    int (*getaddrinfo)(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_infos);
    void (*freeaddrinfo)(struct addrinfo *infos);
};
const struct trap_wrap_resolver *trap_wrap_resolver(void);
int trap_wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_infos);
void trap_wrap_freeaddrinfo(struct addrinfo *infos);

// Whether a call with these flags has a mode behind them.
bool trap_wrap_has_mode(int flags);
#define TRAP_WRAP_OPEN_BODY(name, arguments) \
    { \
        unsigned mode = 0; \
        if (trap_wrap_has_mode(flags)) { \
            va_list list; \
            va_start(list, flags); \
            mode = va_arg(list, unsigned); \
            va_end(list); \
        } \
        return trap_wrap_##name arguments; \
    }

#pragma GCC visibility pop

#pragma weak brig_broker_freeaddrinfo
#pragma weak brig_broker_getaddrinfo
#pragma weak brig_broker_try
#pragma weak brig_trap_is_armed
#pragma weak brig_trap_thread_enter
#pragma weak brig_trap_thread_leave

#endif
