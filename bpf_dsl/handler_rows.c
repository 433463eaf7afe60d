// handler_rows: the set @handler, what every policy allows whether it says so or not.
//
// A violation is answered by code that runs under the filter. If the filter stops that code too, the worker dies without a word, or
// a polite answer becomes a crash. So these rows stand before those of every policy and no policy can take them back. They are as
// narrow as they can be: a call that is dangerous in general is let through only with the arguments that the handler uses. Dying
// needs no row: BRIG_DSL_DIE_NR is in every program.
#include "bpf_dsl/rows.h"
#include "bpf_dsl/words.h"

const struct brig_dsl_row dsl_broker_rows[] = {
    WHY("the directory that a path starts at, and the socket to connect, travel to the broker, which has no other way to them; with "
        "the handler's own flags, because a socket put in the channel's place could be connected by others (MSG_FASTOPEN)"),
    ROW(sendmsg, ALLOW, IN(fd, BROKER_FD), IN(flags, MSG_DONTWAIT | MSG_NOSIGNAL)),
    ROWS_END,
};

const struct brig_dsl_row dsl_handler_rows[] = {
    WHY("leave a signal handler: without it, every trap that is answered kills"),
    ROW(rt_sigreturn, ALLOW),
    ROW(sigreturn, ALLOW), // the older frame of the 32-bit arches

    WHY("the kernel itself makes a sleeping call go on after a stop or a signal"),
    ROW(restart_syscall, ALLOW),

    WHY("end the process on purpose: takes nothing but this process"),
    ROW(exit_group, ALLOW),

    WHY("the record of a violation names its thread, and libc's own copy of the number may be forged or stale"),
    ROW(gettid, ALLOW),

    WHY("the handler waits a bounded time for the supervisor's verdict, on a word of shared memory"),
    ROW(futex, ALLOW, IN(op, FUTEX_WAIT)),

    WHY("one byte tells the supervisor that there is a record"),
    ROW(write, ALLOW, IN(fd, NOTIFY_FD)),

    USE(dsl_broker_rows),
    ROWS_END,
};
