// broker (libbrig-supervisor): a process that opens, for locked workers and for programs under a filter, what a list says they may
// have.
//
//   static const struct brig_broker_entry entries[] = {
//       {"/usr/share/fonts", BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE | BRIG_BROKER_FOLLOW},
//       {"/var/lib/app/data.db", BRIG_BROKER_READ | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE},
//   };
//   struct brig_broker_spec spec = {.name = "files", .policy = &brig_policy_broker, .list = {.entries = entries, .entry_count =
//   2}}; code = brig_broker_start(supervisor, &spec, &broker, &error); struct brig_worker_spec worker = {..., .policy =
//   &with_broker_rows, .broker = broker};
//
// Rules that hold throughout:
// - A list names *paths as they are asked for*: absolute, without symbolic links below an entry's own path unless the entry says
//   FOLLOW. What is opened in the end is always a path that the list was asked about, reached without a link, relative to a
//   directory that was opened when the broker started, and never above it (openat2 RESOLVE_BENEATH).
// - The entry with the longest path that covers a name decides; a DENY or CRASH entry decides for all below it, whatever else is
//   said there. What no entry covers is refused with the list's errno.
// - Directories above an entry that allows something may be looked at (stat, access, readlink), but not opened or listed: realpath
//   and its kind go through them.
// - Links in an entry's own path are followed once, when the broker starts: a recursive entry is like a mount point.
// - Names in /proc that mean whoever asks (self, thread-self, numbers) are refused: they would mean the broker.
// - No right is won by renaming or linking a file, and a directory that holds listed names stays where it is.
// - The broker is a process of its own, under the policy of the spec and a Landlock ruleset made of the list. It reads requests and
//   nothing of the worker's memory.
// - It is a worker to its supervisor, as far as events go: they tell its violations and its end under its name.
// - It dies with its supervisor; a worker whose broker is dead gets EIO, at once.
#ifndef BRIG_SANDBOX_BROKER_H
#define BRIG_SANDBOX_BROKER_H

#include "sandbox/supervisor.h"
#include "trap/broker.h"

#ifdef __cplusplus
extern "C" {
#endif

enum brig_broker_rights {
    BRIG_BROKER_STAT_ONLY = 0,  // an entry without rights: what is there may be looked at (stat, access), not opened
    BRIG_BROKER_READ = 1,       // open to read (and O_PATH), list, readlink, watch; and to look at
    BRIG_BROKER_WRITE = 2,      // open to write, truncate, change mode and times
    BRIG_BROKER_CREATE = 4,     // make, remove, rename, link: files, directories, links; O_CREAT of what is there does not need it
    BRIG_BROKER_RECURSIVE = 8,  // the path and everything below it; else exactly the path
    BRIG_BROKER_FOLLOW = 16,    // symbolic links are followed, to wherever the list allows what is asked; else they are ELOOP
    BRIG_BROKER_TEMPORARY = 32, // with CREATE: only new files (O_CREAT|O_EXCL), whose name is removed before they are handed over
    BRIG_BROKER_DENY = 64,      // nothing, though an entry above or below says otherwise
    BRIG_BROKER_CRASH = 128,    // as DENY, and whoever asks is reported and dies
};

struct brig_broker_entry {
    const char *path;    // absolute; "/" for all
    uint32_t rights;     // enum brig_broker_rights
    uint16_t deny_errno; // what a request gets that this entry refuses; 0: the list's
};

// A place to connect to.
struct brig_broker_address {
    const char *text; // "unix:/run/app.sock", "unix:@abstract", "127.0.0.1:80", "[::1]:443", "10.0.0.0/8:53", "*:443"
    bool is_datagram; // else a stream (or SEQPACKET)
};

struct brig_broker_list {
    const struct brig_broker_entry *entries;
    size_t entry_count;
    const struct brig_broker_address *addresses;
    size_t address_count;
    const char *working_directory; // where relative paths start, absolute; NULL: "/"
    uint16_t deny_errno;           // 0: EACCES
    bool may_resolve;              // host names, with the broker's own resolver: RESOLVE, and whatever glibc asks nscd for
};

struct brig_broker_spec {
    const char *name;                     // for messages and ps ("broker"); copied
    const struct brig_dsl_policy *policy; // the broker's own; never NULL
    struct brig_broker_list list;         // copied
    bool ends_with_last_worker;           // else it waits for the next one, until brig_broker_stop
};

struct brig_broker;

// Starts a broker: checks the list, opens every entry's directory, forks, applies Landlock and the policy, reads the lock back.
//
// An entry whose path does not exist is allowed if a directory above it does: it is opened when it exists. Paths that are not
// absolute, hold ".." or are too long, addresses that cannot be read, and entries that contradict each other (the same path twice,
// TEMPORARY without CREATE) are errors that name the entry.
// Returns: OK; BAD_ARGUMENT (subject: the field or the entry's text, detail: its index); IO (subject: the path); KERNEL_LACKS
// (Landlock 5.13, openat2 5.6, seccomp ADDFD 5.9); and every code of brig_supervisor_launch.
// Owns: the broker belongs to the supervisor; brig_broker_stop ends it. `spec` may go, but for `policy`.
// Context: normal.
// Source: openat2(2), landlock(7), seccomp_unotify(2).
BRIG_MUST_CHECK enum brig_code brig_broker_start(struct brig_supervisor *supervisor, const struct brig_broker_spec *spec,
                                                 struct brig_broker **ret_broker, struct brig_error *reterr);

// Kills and reaps the broker. Its workers get EIO for what they asked and ask. NULL is allowed. Context: normal.
void brig_broker_stop(struct brig_broker *broker);

// Returns: process id in our namespace. Context: any.
int brig_broker_pid(const struct brig_broker *broker);

// One request that the list refused, counted.
struct brig_broker_denial {
    enum brig_dsl_call call; // as the asking side claims
    enum brig_broker_op op;
    uint32_t flags;
    int sys_errno;  // what it got
    uint64_t count; // how often, also where a linked worker knew the answer and did not ask
    char path[256]; // as asked, escaped, its end if cut; of connect the address, as lists have them
};

// Fetches what was refused so far, most frequent first: at most 256 different ones are kept, what is beyond is counted in the last
// one's place with an empty path.
//
// Returns: OK; TOO_SMALL (detail: how many there are). *ret_count is how many were written. Context: normal.
BRIG_MUST_CHECK enum brig_code brig_broker_denials(struct brig_broker *broker, struct brig_broker_denial *ret_denials,
                                                   size_t capacity, size_t *ret_count, struct brig_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
