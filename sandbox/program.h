// program (libbrig-supervisor): runs a program that was not written for Brig under a policy, and lets a broker open what it may
// have.
//
//   struct brig_program_spec spec = {.name = "cat", .file = "/usr/bin/cat", .argv = argv, .envp = environ,
//                                    .policy = &brig_policy_program, .front_policy = &brig_policy_notify, .broker = broker};
//   code = brig_supervisor_run(supervisor, &spec, &worker, &error);
//   ... brig_supervisor_dispatch(supervisor, -1, &error) until the EXIT event of `worker` ...
//
// The program keeps nothing of Brig in its memory: handlers do not survive execve. So what the policy would trap in a linked worker
// (CRASH, REPORT, EMULATE, BROKER) the kernel tells to a *notify front end*: a process of its own, under a policy of its own,
// parent of the program. It copies what the call points to, asks the broker, and answers with a descriptor, a number or an errno.
//
// Rules that hold throughout:
// - No call is ever let go on ("continue") because of what was seen in the program's memory: between look and use it could change.
//   The one call that is let go on is the execve by which our own code, single-threaded, becomes the program.
// - What the front end does is done to its own copies, after it has asked the kernel that the call still waits.
// - The program keeps descriptors 0, 1 and 2 of the host, and no other.
// - What the policy says NOTIFY of is asked of the host (on_question, whose `worker` is what brig_supervisor_run gave).
// - A violation kills the process that made it; its wait status is told as that of a SIGSYS.
// - Whoever kills the front end (brig_worker_kill) kills the program.
#ifndef BRIG_SANDBOX_PROGRAM_H
#define BRIG_SANDBOX_PROGRAM_H

#include "sandbox/broker.h"

#ifdef __cplusplus
extern "C" {
#endif

struct brig_program_spec {
    const char *name;                           // for messages, reports and ps ("cat"); copied, 31 bytes
    const char *file;                           // what is executed: a path, absolute or from our working directory
    char *const *argv;                          // ends in NULL
    char *const *envp;                          // ends in NULL
    const struct brig_dsl_policy *policy;       // the program's; must live as long as the worker
    const struct brig_dsl_policy *front_policy; // the front end's; never NULL; must live as long
    struct brig_broker *broker;                 // or NULL: BROKER rows then answer EACCES
    const char *working_directory;              // where the program starts; NULL: where we are
    uint32_t open_files;                        // RLIMIT_NOFILE, 0: as the host's
};

// Starts a program: forks the front end, which forks the program, locks itself, and lets it go once the kernel has shown that the
// program's filter is on.
//
// Events are those of a worker: VIOLATION for what the program was refused (and the front end, should it be hijacked), EXIT with
// the program's wait status. A program that cannot be executed exits with status 127 (not found) or 126, with the event's error
// saying why.
// Returns: OK; BAD_ARGUMENT; KERNEL_LACKS (USER_NOTIF with WAIT_KILLABLE_RECV, Linux 5.19; pidfd_getfd, 5.6); READ_BACK_DIFFERS;
// and every code of brig_supervisor_launch and brig_dsl_compile.
// Owns: the worker, as brig_supervisor_launch says. `spec` and what it points to may go, but for the policies.
// Context: normal, as brig_supervisor_launch.
// Source: seccomp_unotify(2), pidfd_getfd(2), process_vm_readv(2).
BRIG_MUST_CHECK enum brig_code brig_supervisor_run(struct brig_supervisor *supervisor, const struct brig_program_spec *spec,
                                                   struct brig_worker **ret_worker, struct brig_error *reterr);

// Returns: the program's process id in our namespace; 0 for a worker that is no program. Context: any.
int brig_program_pid(const struct brig_worker *worker);

// Sends a signal to the program; does nothing when it has ended, or the worker is no program. Context: any.
void brig_program_signal(struct brig_worker *worker, int signal_nr);

#ifdef __cplusplus
}
#endif
#endif
