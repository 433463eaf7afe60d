// policies: who may do what. Const data with reasons; nothing here runs but look-ups by name.
//
//   brig_lock(&brig_policy_renderer, &options, &error);
//
//   // A policy of one's own, on the same ground:
//   static const struct brig_dsl_row rows[] = {
//       WHY("reads and answers on the descriptors it was given"),
//       ROW(SET(brig_policy_fd_io), ALLOW),
//       ROWS_END,
//   };
//   static const struct brig_dsl_policy own = {.name = "own", .base = &brig_policy_baseline, .rows = rows, FALLBACK(CRASH),
//                                              .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "glibc 2.36, musl 1.2.3"};
//
// Rules that hold throughout:
// - Everything is const and lives for ever. A restriction (brig_policy_restrict_*) is a table for USE that decides its calls
//   completely: its ELSE rows are in it.
// - A policy that is derived from `baseline` adds rows; what libc itself needs on glibc and musl, up to abort() and a failed
//   assertion, is already there.
// - Rows that use SELF_PID need brig_dsl_options.self_pid; brig_lock and the supervisor set it.
#ifndef BRIG_POLICIES_POLICIES_H
#define BRIG_POLICIES_POLICIES_H

#include "bpf_dsl/bpf_dsl.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- process types ----------------------------------------------------------------------------------------------------

// What every worker may do, whatever its job: memory, threads, signals to itself, time, dying loudly. No descriptor but stderr's
// kind of use, no path, no socket. A base for other policies.
extern const struct brig_dsl_policy brig_policy_baseline;
// A worker that decodes what strangers send (images, documents) from descriptors it is handed, and writes to such.
extern const struct brig_dsl_policy brig_policy_renderer;
// A worker that talks TCP with other hosts and hands on what it gets.
extern const struct brig_dsl_policy brig_policy_network;
// A worker that runs unmodified code on files (SQLite, stdio, opendir): what it opens and connects to, its broker opens and
// connects, as the list says. Without a broker it is refused, with EACCES.
extern const struct brig_dsl_policy brig_policy_files;
// A broker (sandbox/broker.h): files by name, no sockets of its own, no connections.
extern const struct brig_dsl_policy brig_policy_broker;
// The same, and it connects sockets of its workers and resolves names. Called "broker+network".
extern const struct brig_dsl_policy brig_policy_broker_network;
// An ordinary program that was executed (sandbox/program.h): computes, has threads and children, asks a broker for files by name
// and for connections. Its rows of BROKER need brig_program_spec.broker.
extern const struct brig_dsl_policy brig_policy_program;
// The front end of such a program: its brig_program_spec.front_policy.
extern const struct brig_dsl_policy brig_policy_notify;

// All policies of this build, ends in NULL. Builds with instrumentation (GN argument `debug_policies`) also have NAME+debug of
// each, which allow far more and must not ship; others do not contain them.
extern const struct brig_dsl_policy *const brig_policy_all[];

// Finds a policy of this build by its name. Returns: the policy, or NULL. Context: any.
const struct brig_dsl_policy *brig_policy_by_name(const char *name);

// Finds what a program of this very build has to run under to stay alive: NAME, or NAME+debug where the build is instrumented and
// the policy compiled in. For tests and samples; a program that ships names its policy. Returns: the policy, or NULL. Context: any.
const struct brig_dsl_policy *brig_policy_for_this_build(const char *name);

// --- promises ---------------------------------------------------------------------------------------------------------

// What a program may promise to need: the names of OpenBSD's pledge(2).
struct brig_policy_promise {
    const char *name;
    const char *why;
};

// All of them, ends in a NULL name.
extern const struct brig_policy_promise brig_policy_all_promises[];

#define BRIG_POLICY_PLEDGE_ROWS 64
#define BRIG_POLICY_PLEDGE_NAME_BYTES 192

// Where a policy of promises is written to. Fields are private.
struct brig_policy_pledge_memory {
    struct brig_dsl_policy policy;
    struct brig_dsl_row rows[BRIG_POLICY_PLEDGE_ROWS];
    char name[BRIG_POLICY_PLEDGE_NAME_BYTES];
};

// Makes a policy that allows what the promises say and kills what breaks them: names between spaces, as in "stdio rpath inet".
//
//   static struct brig_policy_pledge_memory memory;
//   code = brig_policy_pledge("stdio rpath", &memory, &policy, &error);
//   code = brig_lock(policy, &options, &error);
//
// Order and repetition mean nothing; "" allows nothing but the end. With `error` what was not promised fails with ENOSYS. Stricter
// than OpenBSD where a filter cannot see what is asked, and wider where it cannot see which file: policies/README.md. Not base of
// other policies: its last rows decide every call that it lets through on conditions.
// Returns: OK; NO_SUCH_PROMISE (subject: the word, in `promises`); BAD_ARGUMENT (promises or memory is NULL).
// Owns: the policy is in `memory` and lives as long as that; `memory` must not be copied or written to in the meantime.
// Context: any, after fork.
// Source: OpenBSD pledge(2).
BRIG_MUST_CHECK enum brig_code brig_policy_pledge(const char *promises, struct brig_policy_pledge_memory *memory,
                                                  const struct brig_dsl_policy **ret_policy, struct brig_error *reterr);

// Finds the promise closest to a word that is none, for "did you mean". Returns: its name, or NULL if none is close. Context: any.
const char *brig_policy_closest_promise(const char *word, size_t word_bytes);

// --- sets -------------------------------------------------------------------------------------------------------------
// What they are for stands beside them in sets.c, and in `why`.

extern const struct brig_dsl_set brig_policy_fd_io;
extern const struct brig_dsl_set brig_policy_fd_wait;
extern const struct brig_dsl_set brig_policy_fd_stat;
extern const struct brig_dsl_set brig_policy_fd_storage;
extern const struct brig_dsl_set brig_policy_path_calls;
extern const struct brig_dsl_set brig_policy_memory;
extern const struct brig_dsl_set brig_policy_threads;
extern const struct brig_dsl_set brig_policy_signals;
extern const struct brig_dsl_set brig_policy_panic;
extern const struct brig_dsl_set brig_policy_time;
extern const struct brig_dsl_set brig_policy_getters;
extern const struct brig_dsl_set brig_policy_newer_twins;
extern const struct brig_dsl_set brig_policy_path_questions;
extern const struct brig_dsl_set brig_policy_path_changes;
extern const struct brig_dsl_set brig_policy_new_programs;
extern const struct brig_dsl_set brig_policy_other_processes;
extern const struct brig_dsl_set brig_policy_async_io;
extern const struct brig_dsl_set brig_policy_kernel_programs;
extern const struct brig_dsl_set brig_policy_keyrings;
extern const struct brig_dsl_set brig_policy_namespaces;
extern const struct brig_dsl_set brig_policy_administration;
extern const struct brig_dsl_set brig_policy_identity;
extern const struct brig_dsl_set brig_policy_shared_ipc;
extern const struct brig_dsl_set brig_policy_page_tricks;
extern const struct brig_dsl_set brig_policy_numa;

// All of them, ends in NULL.
extern const struct brig_dsl_set *const brig_policy_all_sets[];

// --- for workers with a broker ----------------------------------------------------------------------------------------
// Tables for USE in a policy that is derived from `baseline`, before what they are to replace.

extern const struct brig_dsl_row brig_policy_broker_paths[];     // every call that names a file is asked of the broker
extern const struct brig_dsl_row brig_policy_broker_connect[];   // streams that the broker connects; beside restrict_socket_io
extern const struct brig_dsl_row brig_policy_file_descriptors[]; // what is done with files once they are open; no exec

// --- restrictions -----------------------------------------------------------------------------------------------------

extern const struct brig_dsl_row brig_policy_restrict_clone[];
extern const struct brig_dsl_row brig_policy_restrict_clock_ids[];
extern const struct brig_dsl_row brig_policy_restrict_fcntl[];
extern const struct brig_dsl_row brig_policy_restrict_futex[];
extern const struct brig_dsl_row brig_policy_restrict_ioctl[];
extern const struct brig_dsl_row brig_policy_restrict_kill[];
extern const struct brig_dsl_row brig_policy_restrict_limits[];
extern const struct brig_dsl_row brig_policy_restrict_madvise[];
extern const struct brig_dsl_row brig_policy_restrict_membarrier[];
extern const struct brig_dsl_row brig_policy_restrict_mmap[];
extern const struct brig_dsl_row brig_policy_restrict_paths[];
extern const struct brig_dsl_row brig_policy_restrict_prctl[];
extern const struct brig_dsl_row brig_policy_restrict_sched[];
extern const struct brig_dsl_row brig_policy_restrict_sigaction[];
extern const struct brig_dsl_row brig_policy_restrict_socket[];
extern const struct brig_dsl_row brig_policy_restrict_socket_io[];

#ifdef __cplusplus
}
#endif
#endif
