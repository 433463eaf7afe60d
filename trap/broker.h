// broker: the wire between a process that may not open files and the broker that does it for it. What a request is, which calls
// become one and how, and the memory in which a linked worker leaves it.
//
// The layout is a wire format between a hostile writer and a careful reader, as record.h's is: fixed sizes, no pointers, no
// padding. The broker copies a request once into private memory, then checks it, then uses the copy.
//
//   linked worker     SIGSYS handler fills a slot, calls BRIG_DSL_BROKER_NR(slot number, generation); the phase-one filter makes it
//                     a notification; the answer is the call's result: a descriptor (ADDFD), a number or an errno, and bytes in the
//                     slot
//   executed program  the notify front end copies the program's memory into a request and sends it to the broker as one message
//
// One table (broker_calls.def) says which calls are brokered and where in their registers everything stands; another
// (broker_ops.def) says what the broker can be asked for. Client, front end, server, tests and documentation come from the two.
#ifndef BRIG_TRAP_BROKER_H
#define BRIG_TRAP_BROKER_H

#include <stddef.h>
#include <stdint.h>

#include "bpf_dsl/tables.h"
#include "trap/broker_refusals.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- requests ---------------------------------------------------------------------------------------------------------

#define BRIG_BROKER_PATH_BYTES 4096   // with the final NUL: PATH_MAX
#define BRIG_BROKER_DATA_BYTES 256    // what a request carries beside paths: times, a socket address
#define BRIG_BROKER_ANSWER_BYTES 4096 // what comes back: struct statx, statfs, a link's target, addresses
#define BRIG_BROKER_BYTES (2 * BRIG_BROKER_PATH_BYTES + BRIG_BROKER_DATA_BYTES)

enum brig_broker_op {
    BRIG_BROKER_OP_NONE,
#define OP(name, answer, paths, what) BRIG_BROKER_OP_##name,
#include "trap/broker_ops.def"
#undef OP
    BRIG_BROKER_OP_COUNT
};

// What comes back beside the result.
enum brig_broker_answer {
    BRIG_BROKER_ANSWER_NUMBER,     // 0, or what the op says
    BRIG_BROKER_ANSWER_DESCRIPTOR, // the result is the number of a new descriptor
    BRIG_BROKER_ANSWER_STATX,      // struct statx, whatever the call fills
    BRIG_BROKER_ANSWER_STATFS,     // struct brig_broker_statfs
    BRIG_BROKER_ANSWER_TEXT,       // bytes without a NUL; the result is how many
    BRIG_BROKER_ANSWER_ADDRESSES,  // struct brig_broker_resolved, one behind the other; the result is how many
};

struct brig_broker_request {
    uint32_t op;       // enum brig_broker_op
    uint32_t call;     // enum brig_dsl_call that asks, for reports; a claim
    uint32_t flags;    // O_*, AT_*, RENAME_*; of AT_ calls with the flags that the call itself implies
    uint32_t mode;     // of new files, the asking process's umask taken off already; of access: R_OK ...
    uint64_t number;   // openat2: RESOLVE_*; statx, inotify: mask; truncate: length
    uint32_t attached; // bit i: descriptor i came with the request (0, 1: directories of path 0 and 1; 2: the socket or inotify)
    uint32_t path_bytes[2]; // with their NUL; 0: there is none
    uint32_t data_bytes;
    uint8_t bytes[BRIG_BROKER_BYTES]; // path 0, path 1, data, one behind the other
};
// Without an attached directory a relative path starts at the working directory that the session was given. A file that is opened
// with O_CLOEXEC, 02000000 in `flags`, is handed over with that flag (ADDFD: newfd_flags). An O_PATH descriptor cannot be handed
// over: ADDFD answers EBADF (kernel/seccomp.c:seccomp_notify_addfd: fget). The broker itself has umask 0.

// What STATFS answers: struct statfs of 64-bit arches, on every arch. Source: include/uapi/asm-generic/statfs.h.
struct brig_broker_statfs {
    uint64_t type, block_bytes, blocks, free_blocks, available_blocks, files, free_files;
    uint32_t fs_id[2];
    uint64_t name_bytes, fragment_bytes, flags;
    uint64_t spare[4];
};

// What RESOLVE takes as data, or nothing: AI_*, AF_*, SOCK_*, IPPROTO_* of libc's struct addrinfo.
struct brig_broker_hints {
    int32_t flags, family, type, protocol;
};

// What RESOLVE answers; behind the last one, where AI_CANONNAME was asked for, the canonical name with its NUL. What getaddrinfo
// calls an error is an errno (broker_errors.def).
struct brig_broker_resolved {
    int32_t family, type, protocol;
    uint32_t address_bytes;
    uint8_t address[28]; // a struct sockaddr_in or sockaddr_in6
    int32_t flags;       // AI_*, as libc gives them back
};

#define BRIG_BROKER_HEADER_BYTES offsetof(struct brig_broker_request, bytes)

// --- answers ----------------------------------------------------------------------------------------------------------

enum brig_broker_verdict {
    BRIG_BROKER_DONE,    // the kernel's answer, whatever it is
    BRIG_BROKER_DENIED,  // the list's answer
    BRIG_BROKER_SETTLED, // the list's answer to the words of the request alone, whatever is in the file system: the same for ever
    BRIG_BROKER_TOUCHED, // the list says that whoever touches this is to die
};

struct brig_broker_reply {
    int64_t result;   // or -errno
    uint32_t verdict; // enum brig_broker_verdict
    uint32_t answer_bytes;
    uint8_t answer[BRIG_BROKER_ANSWER_BYTES];
};

#define BRIG_BROKER_REPLY_HEADER_BYTES offsetof(struct brig_broker_reply, answer)

// --- a linked worker's memory -----------------------------------------------------------------------------------------

#define BRIG_BROKER_MAGIC 0x6b6f7262u // "brok"
#define BRIG_BROKER_VERSION 2u
#define BRIG_BROKER_SLOT_COUNT 32

enum brig_broker_slot_state { BRIG_BROKER_SLOT_FREE, BRIG_BROKER_SLOT_TAKEN };

struct brig_broker_slot {
    uint32_t state;                     // taken and given back by the worker alone; futex word for those that wait for a slot
    uint32_t generation;                // another one for each request: what came with an earlier one does not belong to this one
    struct brig_broker_request request; // worker to broker
    struct brig_broker_reply reply;     // broker to worker, but for `result`, which is the call's
};

// Requests that the broker answered as SETTLED, so that the worker need not ask again: libraries look for the same missing files
// time and again. Written and read by the worker alone, by the hash of the request: its upper bits, and below them the errno.
#define BRIG_BROKER_SETTLED_COUNT 512
#define BRIG_BROKER_SETTLED_ERRNO ((uint64_t)0xfff)

// The whole shared mapping: a memfd of exactly this size, sealed. Each worker has its own.
struct brig_broker_slots {
    uint32_t magic;
    uint32_t version;
    uint32_t slot_count;
    uint32_t umask;        // the worker's, as it was launched; taken off the modes of new files
    uint64_t settled_seed; // of the hashes: who only chooses names for a worker cannot make two of them meet
    uint64_t settled[BRIG_BROKER_SETTLED_COUNT];
    struct brig_broker_names names;
    struct brig_broker_refusals refusals;
    struct brig_broker_slot slots[BRIG_BROKER_SLOT_COUNT];
};

// Descriptors travel to the broker over the session's socket (SOCK_SEQPACKET), one message for a request, sent before the call:
// this, with SCM_RIGHTS in the order of the bits of `attached`.
struct brig_broker_attachment {
    uint32_t slot;
    uint32_t generation; // as in the slot, and the second argument of the call
    uint32_t attached;
    uint32_t reserved;
};

// The errno that says that what a request names is not there: ERESTART, which no system call returns. Before WAIT_KILLABLE_RECV
// (5.19) a signal ends the call while the broker works, and takes the descriptors with it; they are sent once more.
#define BRIG_BROKER_SEND_AGAIN 85

// --- requests as messages ---------------------------------------------------------------------------------------------
// The front end's socket (SOCK_SEQPACKET): a request's header and its used bytes, with SCM_RIGHTS; then a reply's header and its
// used bytes, with SCM_RIGHTS where the answer is a descriptor.

// --- which calls ------------------------------------------------------------------------------------------------------

// What a register of a call, or what it points to, is to a request.
enum brig_broker_shape {
    BRIG_BROKER_SHAPE_NONE,
    BRIG_BROKER_SHAPE_HOW,         // in: struct open_how, of the size in the next register
    BRIG_BROKER_SHAPE_TIMESPECS,   // in: two struct timespec of the arch's longs, or NULL
    BRIG_BROKER_SHAPE_TIMESPECS64, // in: two struct timespec of 64 bits, or NULL (utimensat_time64)
    BRIG_BROKER_SHAPE_TIMEVALS,    // in: two struct timeval, or NULL (utimes, futimesat)
    BRIG_BROKER_SHAPE_UTIMBUF,     // in: struct utimbuf, or NULL (utime)
    BRIG_BROKER_SHAPE_PAIR,        // in: no pointer: the high half of the number that starts in the register before
    BRIG_BROKER_SHAPE_ADDRESS,     // in: struct sockaddr, of the size in the next register
    BRIG_BROKER_SHAPE_STAT,        // out: the arch's struct stat
    BRIG_BROKER_SHAPE_STAT64,      // out: struct stat64 of a 32-bit arch
    BRIG_BROKER_SHAPE_STATX,       // out
    BRIG_BROKER_SHAPE_STATFS,      // out
    BRIG_BROKER_SHAPE_STATFS64,    // out: struct statfs64 of a 32-bit arch, its size in the register before
    BRIG_BROKER_SHAPE_TEXT,        // out: a buffer, of the size in the next register
};

// When a call's first path may be empty or NULL, and then means the directory's descriptor itself.
enum brig_broker_empty {
    BRIG_BROKER_EMPTY_NEVER,        // "" is ENOENT, NULL is EFAULT
    BRIG_BROKER_EMPTY_FLAG,         // "" with AT_EMPTY_PATH
    BRIG_BROKER_EMPTY_FLAG_OR_NULL, // "" or NULL with AT_EMPTY_PATH
    BRIG_BROKER_EMPTY_NULL,         // NULL
    BRIG_BROKER_EMPTY_NULL_OR_FLAG, // NULL, or "" with AT_EMPTY_PATH
    BRIG_BROKER_EMPTY_ALWAYS,       // ""
};

// Registers by number, BRIG_BROKER_ABSENT where the call has none.
#define BRIG_BROKER_ABSENT (-1)
struct brig_broker_call {
    uint16_t call; // enum brig_dsl_call
    uint8_t op;    // enum brig_broker_op
    int8_t dir[2];
    int8_t path[2];
    int8_t flags;
    int8_t mode;
    int8_t number;
    int8_t descriptor; // the socket or inotify descriptor
    int8_t in;         // pointer to what `in_shape` says
    int8_t out;
    uint8_t in_shape; // enum brig_broker_shape
    uint8_t out_shape;
    uint8_t empty;        // enum brig_broker_empty
    uint32_t fixed_flags; // what the call implies: creat, lstat, rmdir
};

// Finds how a call becomes a request. Returns: the row, or NULL if the call is not brokered. Context: any.
const struct brig_broker_call *brig_broker_find_call(enum brig_dsl_call call);

// One row of broker_ops.def.
struct brig_broker_op_info {
    const char *name; // "OPEN"
    enum brig_broker_answer answer;
    uint8_t paths;    // how many
    const char *what; // one line
};
extern const struct brig_broker_op_info brig_broker_ops[BRIG_BROKER_OP_COUNT];

// --- from registers to a request, and back ----------------------------------------------------------------------------

// How the caller's memory is reached: its own in the handler, another process's in the front end.
struct brig_broker_memory {
    // Copies up to `bytes` from `address`. Returns: how many could be copied before the first that could not.
    size_t (*read)(const struct brig_broker_memory *memory, void *to, uint64_t address, size_t bytes);
    // Copies exactly `bytes` to `address`. Returns: false if not all of them could be written.
    bool (*write)(const struct brig_broker_memory *memory, uint64_t address, const void *from, size_t bytes);
    const void *context;
    enum brig_dsl_arch arch; // of the calling code: x86_64, i386 or aarch64
    uint32_t umask;          // of the calling process
};

// What gather says beside errnos, which are above 0.
enum brig_broker_gathered {
    BRIG_BROKER_GATHERED = 0,
    BRIG_BROKER_ABOUT_DESCRIPTOR = -1, // of the descriptor ret_descriptors[0] itself (AT_EMPTY_PATH, NULL): no question to a broker
    BRIG_BROKER_NOTHING_TO_DO = -2,    // the call succeeds without looking at anything: utimensat with UTIME_OMIT twice
};

// Fills a request from a call's registers. Descriptors that have to be attached are noted in ret_request->attached, and their
// numbers in ret_descriptors (of bits 0, 1, 2).
//
// Returns: enum brig_broker_gathered, or the errno with which the kernel itself would refuse the arguments (EFAULT, ENAMETOOLONG,
// EINVAL, E2BIG ...). Of ret_request only the header and the used bytes are written.
// Context: any, signal handler too.
int brig_broker_gather(const struct brig_broker_call *call, const uint64_t args[6], const struct brig_broker_memory *memory,
                       struct brig_broker_request *ret_request, int32_t ret_descriptors[3]);

// Writes what came back to where the caller wants it, in the form that the call has for it.
//
// Returns: what the call returns, -errno included (EFAULT: the caller's memory cannot be written).
// Context: any, signal handler too.
int64_t brig_broker_deliver(const struct brig_broker_call *call, const uint64_t args[6], const struct brig_broker_memory *memory,
                            const struct brig_broker_reply *reply);

// --- requests that are no system call ---------------------------------------------------------------------------------

struct addrinfo;

// Asks the broker for the addresses of a host and a service, as getaddrinfo does; for a list with may_resolve. libbrig-wrap's
// getaddrinfo does this, and libc's where there is nobody to ask.
//
// Returns: 0; EAI_SYSTEM with errno EACCES where this process has no broker or the list refuses; EAI_AGAIN, also when no slot comes
// free in ten seconds; EAI_FAIL, also when the broker is dead; EAI_BADFLAGS, also for flags that make libc load something
// (AI_IDN); and all others of getaddrinfo.
// Owns: the caller frees *ret_addresses, the whole list at once, by brig_broker_freeaddrinfo and by nothing else.
// Context: normal, once armed. A signal handler that leaves by siglongjmp takes a slot with it.
// Source: getaddrinfo(3).
int brig_broker_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_addresses);
void brig_broker_freeaddrinfo(struct addrinfo *addresses);

// --- calls without a trap ---------------------------------------------------------------------------------------------

// Asks the broker about a call that has not been made, where this process's policy says BROKER of it whatever its arguments are.
// For replacements of libc's functions: libbrig-wrap's open and stat do, and fall back to libc's own.
//
// Returns: true, and *ret_result is what the call returns, -errno included; false: make the call itself. Context: normal, signal
// handler; not a cancellation point.
bool brig_broker_try(enum brig_dsl_call call, const uint64_t args[6], int64_t *ret_result);

#ifdef __cplusplus
}
#endif
#endif
