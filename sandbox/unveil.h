// unveil: which files a process may still name, in the words of OpenBSD's unveil(2).
//
//   static const struct brig_unveil visible[] = {{"/usr/share/zoneinfo", "r"}, {"/var/lib/app", "rwc"}};
//   if (brig_unveil_enforce(visible, 2, &error) || brig_lock(policy_of_rpath, &options, &error)) ...
//
// Two ways, for two kinds of worker. One that opens files itself (`pledge:stdio rpath`): Landlock, by brig_unveil_enforce or
// brig_worker_spec.unveil. One whose broker opens them (`files`): a broker's list, by brig_unveil_list.
//
// Rules that hold throughout:
// - Paths are absolute, without "..". A directory stands for all below it, a file for itself; the longest entry decides.
// - Letters: `r` read, `w` write, truncate, change modes and times, `c` create, remove and rename, `x` execute. No letter: hidden.
// - Each path once. OpenBSD lets a later call take rights away; here all is said at once, so that is a mistake.
// - What is open stays open.
#ifndef BRIG_SANDBOX_UNVEIL_H
#define BRIG_SANDBOX_UNVEIL_H

#include <stddef.h>

#include "bpf_dsl/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct brig_broker_entry; // sandbox/broker.h
struct brig_broker_list;

#define BRIG_UNVEIL_MAX 128 // entries

struct brig_unveil {
    const char *path;        // must exist; for a broker's list its last component need not
    const char *permissions; // letters of "rwxc", each at most once; "" hides
};

// Gives up all files of the calling process but these, for ever, by Landlock. Call it before brig_lock, with one thread; after
// brig_lock where the policy lets it: `pledge:stdio rpath unveil` does.
//
// What Landlock cannot do is an error and not a smaller sandbox: rights that are less than those of an entry above (they only add
// up going down), "" beside anything above it, `c` for a file alone, a path that is not there. Sets no_new_privs. Weaker than
// OpenBSD: names can still be looked at (stat, access, readlink), modes, times and owners be changed, and sockets in the file
// system be connected to, as far as the policy has these calls; what is refused is EACCES, never ENOENT; ioctl is not restricted.
// A program to be executed needs `x` for itself and its loader, and `r` for its libraries.
// Returns: OK; BAD_ARGUMENT (subject: the path or its letters, detail: the entry; more than BRIG_UNVEIL_MAX); IO (subject: the
// path, or /proc/self/task); KERNEL_LACKS (subject: what of Landlock, 5.13, truncate 6.2, renames between directories 5.19; or the
// path of an entry for which it has no rule); NOT_SINGLE_THREADED; KERNEL_REFUSED; READ_BACK_DIFFERS (subject: the path; the rules
// are on). Context: single-threaded setup. Source: landlock(7), OpenBSD unveil(2).
BRIG_MUST_CHECK enum brig_code brig_unveil_enforce(const struct brig_unveil *unveils, size_t count, struct brig_error *reterr);

// Makes a broker's list that means the same (libbrig-supervisor): ENOENT for what no entry covers, EACCES for what the entry does
// not permit. Links are followed to wherever the list goes.
//
// Different from OpenBSD: any letter lets a name be looked at (there it takes `r`), a link to a file leads only to what is unveiled
// by its own name, and nothing can be given below what "" hides.
// `x` gives nothing else: a broker executes nothing. Call it shortly before brig_broker_start: which paths are directories is asked
// here.
// Returns: OK; BAD_ARGUMENT (subject: the path or its letters, detail: the entry); IO (subject: a path whose directory is not
// there). Owns: entries is the caller's, of `count` elements, and belongs to *ret_list, as do the paths, until brig_broker_start
// returns. Context: normal.
BRIG_MUST_CHECK enum brig_code brig_unveil_list(const struct brig_unveil *unveils, size_t count, struct brig_broker_entry *entries,
                                                struct brig_broker_list *ret_list, struct brig_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
