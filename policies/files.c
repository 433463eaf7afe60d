// files: runs a library that opens files by itself, on those that its broker's list has.
//
// SQLite on one database, stdio, opendir, a configuration parser: code that nobody wants to change. Which files is said in the list
// of the broker that the worker is launched with; the rows here are about what such code does with a descriptor once it has one:
// lock, size, flush and map it. Nothing is ever mapped to be run, and what a descriptor for reading could change (modes, owners,
// attributes) is refused here, where no list would be asked.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_file_descriptors[] = {
    WHY("reads and writes files, and what it was handed"),
    ROW(SET(brig_policy_fd_io), ALLOW),
    WHY("sizes a file and brings it to the disk: databases live by it"),
    ROW(SET(brig_policy_fd_storage), ALLOW),
    WHY("room ahead of a write; punching holes into it is another thing (CVE-2014-4171)"),
    ROW(fallocate, ALLOW, IN(mode, 0, FALLOC_FL_KEEP_SIZE)),
    ELSE(fallocate, DENY(EOPNOTSUPP)),
    WHY("locks whole files and parts of them, of the process (SQLite) and of the open file (OFD)"),
    ROW(flock, ALLOW),
    ROW(fcntl, ALLOW, IN(cmd, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)),
    ROW(fcntl64, ALLOW, IN(cmd, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)),
    ROW(fcntl64, ALLOW, IN(cmd, F_GETLK64, F_SETLK64, F_SETLKW64)),
    WHY("a descriptor that was given to read would change the mode of what the list says is only read; by name it is asked"),
    ROW(fchmod, DENY(EPERM)),
    WHY("what is in a directory that it was given"),
    ROW(getdents, ALLOW),
    ROW(getdents64, ALLOW),
    WHY("maps files to read and change them: SQLite's shared index, LMDB; never executable, never over what is there"),
    ROW(mmap, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE),
        ONLY_BITS(flags, MAP_PRIVATE | MAP_SHARED | MAP_NORESERVE | MAP_POPULATE)),
    ROW(mmap2, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE),
        ONLY_BITS(flags, MAP_PRIVATE | MAP_SHARED | MAP_NORESERVE | MAP_POPULATE)),
    ROW(msync, ALLOW, ONLY_BITS(flags, MS_ASYNC | MS_INVALIDATE | MS_SYNC)),
    ELSE(msync, DENY(EINVAL)),
    WHY("freopen and runtimes move descriptors to the number that they want"),
    ROW(dup, ALLOW),
    ROW(dup2, ALLOW),
    ROW(dup3, ALLOW, ONLY_BITS(flags, O_CLOEXEC)),
    ELSE(dup3, DENY(EINVAL)),
    WHY("waits for descriptors"),
    ROW(SET(brig_policy_fd_wait), ALLOW),
    WHY("makes what watches files; each name to watch is asked of the broker"),
    ROW(inotify_init, ALLOW),
    ROW(inotify_init1, ALLOW, ONLY_BITS(flags, IN_CLOEXEC | IN_NONBLOCK)),
    ELSE(inotify_init1, DENY(EINVAL)),
    ROW(inotify_rm_watch, ALLOW),
    WHY("copies between files by read and write: libstdc++ and coreutils fall back, and Dirty Pipe's family stays out"),
    ROW(copy_file_range, DENY(ENOSYS)),
    ROW(sendfile, DENY(ENOSYS)),
    ROW(sendfile64, DENY(ENOSYS)),
    WHY("who asks for a mask or a place of its own gets none: new files have the mask that the worker was launched with"),
    ROW(umask, REPORT(EPERM)),
    ROWS_END,
};

static const struct brig_dsl_row files_rows[] = {
    USE(brig_policy_broker_paths),
    USE(brig_policy_file_descriptors),
    USE(brig_policy_broker_connect),
    USE(brig_policy_restrict_socket_io),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_files = {.name = "files",
                                                  .base = &brig_policy_baseline,
                                                  .rows = files_rows,
                                                  FALLBACK(CRASH),
                                                  .kernel = BRIG_DSL_KERNEL(6, 18),
                                                  .libc = "glibc 2.42, musl 1.2.5"};
