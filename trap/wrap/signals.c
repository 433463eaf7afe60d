// signals: SIGSYS stays ours and open, whatever the program sets.
//
// Takes what libc's functions for signals take. Until the process is armed it goes to libc as it is. After that a handler for
// SIGSYS is answered with success and not installed, and SIGSYS is left out of every mask: of threads, of other signals' handlers,
// of calls that wait with a mask of their own. So a runtime that sets every signal, or blocks all of them around a critical
// section, is told that it was done.
//
// What the program is told back, where it asks: for a handler of SIGSYS what it set last (SIG_DFL if it never did), so that code
// that saves and restores, or chains to an earlier handler, never gets hold of ours; for masks the truth, in which SIGSYS is open:
// a mask changes also without us (by the end of a signal handler, by siglongjmp), and a remembered one would soon be a lie.
//
// Weakness: two threads that set SIGSYS at once may be told a mixture of both. Nothing of it was ever in use.
#include <errno.h>
#include <string.h>

#include "trap/wrap/wrap.h"

// --- the handler of SIGSYS that the program believes in ---------------------------------------------------------------

// Word by word, without a lock: sigaction is also called in signal handlers. `mask` is what the kernel knows of a sigset_t.
static struct {
    trap_wrap_handler *handler;
    uint64_t mask;
    int flags;
} believed;

static void believe(const struct sigaction *wanted)
{
    uint64_t mask;
    memcpy(&mask, &wanted->sa_mask, sizeof mask);
    __atomic_store_n(&believed.handler, wanted->sa_handler, __ATOMIC_RELAXED);
    __atomic_store_n(&believed.mask, mask, __ATOMIC_RELAXED);
    __atomic_store_n(&believed.flags, wanted->sa_flags, __ATOMIC_RELAXED);
}

static struct sigaction recall(void)
{
    struct sigaction action;
    const uint64_t mask = __atomic_load_n(&believed.mask, __ATOMIC_RELAXED);
    memset(&action, 0, sizeof action);
    memcpy(&action.sa_mask, &mask, sizeof mask);
    action.sa_handler = __atomic_load_n(&believed.handler, __ATOMIC_RELAXED); // the same place as sa_sigaction
    action.sa_flags = __atomic_load_n(&believed.flags, __ATOMIC_RELAXED);
    return action;
}

static bool is_armed(void)
{
    return brig_trap_is_armed && brig_trap_is_armed();
}

static void pretend(const struct sigaction *wanted, struct sigaction *ret_before)
{
    const struct sigaction before = recall();
    if (wanted) {
        believe(wanted);
    }
    if (ret_before) {
        *ret_before = before;
    }
}

// The mask to use in place of `asked`: that, or a copy in `room` without SIGSYS.
static const sigset_t *open_mask(const sigset_t *asked, sigset_t *room)
{
    if (!asked || !is_armed()) {
        return asked;
    }
    *room = *asked;
    sigdelset(room, SIGSYS);
    return room;
}

// --- handlers ---------------------------------------------------------------------------------------------------------

int trap_wrap_sigaction(int signal_nr, const struct sigaction *wanted, struct sigaction *ret_before)
{
    const bool is_ours = signal_nr == SIGSYS && is_armed();
    struct sigaction action;
    if (is_ours) {
        pretend(wanted, ret_before);
        return 0;
    }
    if (wanted) {
        action = *wanted; // may be where ret_before is
        open_mask(&wanted->sa_mask, &action.sa_mask);
    }
    const int result = trap_wrap_real()->sigaction(signal_nr, wanted ? &action : NULL, ret_before);
    if (result == 0 && wanted && signal_nr == SIGSYS) {
        believe(&action);
    }
    return result;
}

// signal(3) in all its forms, by way of sigaction.
static trap_wrap_handler *set_handler(int signal_nr, trap_wrap_handler *handler, int flags)
{
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    return trap_wrap_sigaction(signal_nr, &action, &before) == 0 ? before.sa_handler : SIG_ERR;
}

// libc's own remembers what siginterrupt said about the signal.
trap_wrap_handler *trap_wrap_signal(int signal_nr, trap_wrap_handler *handler)
{
    return signal_nr == SIGSYS ? set_handler(signal_nr, handler, SA_RESTART) : trap_wrap_real()->signal(signal_nr, handler);
}

trap_wrap_handler *trap_wrap_bsd_signal(int signal_nr, trap_wrap_handler *handler)
{
    return trap_wrap_signal(signal_nr, handler);
}

trap_wrap_handler *trap_wrap_ssignal(int signal_nr, trap_wrap_handler *handler)
{
    return trap_wrap_signal(signal_nr, handler);
}

trap_wrap_handler *trap_wrap_sysv_signal(int signal_nr, trap_wrap_handler *handler)
{
    return set_handler(signal_nr, handler, (int)SA_RESETHAND | SA_NODEFER);
}

trap_wrap_handler *trap_wrap___sysv_signal(int signal_nr, trap_wrap_handler *handler)
{
    return trap_wrap_sysv_signal(signal_nr, handler);
}

trap_wrap_handler *trap_wrap_sigset(int signal_nr, trap_wrap_handler *handler)
{
    if (signal_nr != SIGSYS || !is_armed()) {
        return trap_wrap_real()->sigset(signal_nr, handler);
    }
    return handler == SIG_HOLD ? recall().sa_handler : set_handler(signal_nr, handler, 0);
}

int trap_wrap_sigignore(int signal_nr)
{
    return set_handler(signal_nr, SIG_IGN, 0) == SIG_ERR ? -1 : 0;
}

// --- masks ------------------------------------------------------------------------------------------------------------

int trap_wrap_sigprocmask(int how, const sigset_t *wanted, sigset_t *ret_before)
{
    sigset_t room;
    return trap_wrap_real()->sigprocmask(how, how == SIG_UNBLOCK ? wanted : open_mask(wanted, &room), ret_before);
}

int trap_wrap_pthread_sigmask(int how, const sigset_t *wanted, sigset_t *ret_before)
{
    sigset_t room;
    return trap_wrap_real()->pthread_sigmask(how, how == SIG_UNBLOCK ? wanted : open_mask(wanted, &room), ret_before);
}

int trap_wrap_sighold(int signal_nr)
{
    sigset_t one;
    sigemptyset(&one);
    return sigaddset(&one, signal_nr) == 0 ? trap_wrap_sigprocmask(SIG_BLOCK, &one, NULL) : -1;
}

// The BSD calls know the first 32 signals, one bit each.
static int set_signals(int how, int signals)
{
    sigset_t wanted, before;
    const uint32_t bits = (uint32_t)signals;
    uint64_t before_bits;
    sigemptyset(&wanted);
    memcpy(&wanted, &bits, sizeof bits);
    if (trap_wrap_sigprocmask(how, &wanted, &before) != 0) {
        return -1;
    }
    memcpy(&before_bits, &before, sizeof before_bits);
    return (int)(uint32_t)before_bits;
}

int trap_wrap_sigblock(int signals)
{
    return set_signals(SIG_BLOCK, signals);
}

int trap_wrap_sigsetmask(int signals)
{
    return set_signals(SIG_SETMASK, signals);
}

// --- waiting with a mask: handlers that run meanwhile have it too -----------------------------------------------------

#define WRAP(type, name, parameters, arguments)
#define REPLACE(type, name, parameters, arguments)
#define WAIT(type, name, parameters, arguments) \
    type trap_wrap_##name parameters \
    { \
        sigset_t room; \
        mask = open_mask(mask, &room); \
        return trap_wrap_real()->name arguments; \
    }
#define OPEN(name, parameters, arguments)
#include "trap/wrap/wrap.def"
