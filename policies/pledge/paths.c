// paths: what is done to files by their names.
//
// A filter sees flags and modes but no path, so these promises are about every path that the process can reach; Landlock or a mount
// namespace says which those are. dns, getpw and tmppath, which OpenBSD keeps to a few paths, therefore allow here what they need
// for every path: to read, and tmppath to remove. As in OpenBSD, opening to read and write takes rpath and wpath, and creating
// takes cpath besides. Every row masks the same flags away, those that say how a file is used and not what is done to it, and lists
// what may be left; so a flag with a meaning of its own (O_TMPFILE creates, O_TRUNC writes, O_DIRECT goes its own way through each
// file system) is never let through by not having been thought of, and the rows of all promises together are one switch. Set-id
// bits cannot be made: nobody promises to leave a door open for later.
#include "bpf_dsl/words.h"
#include "policies/pledge/pledge.h"
#include "policies/policies.h"

// clang-format off

static const struct brig_dsl_set opens = CALLS(pledge_opens, "open a path with flags", open, openat);

static const struct brig_dsl_set questions =
    CALLS(pledge_questions, "what a path is",
          stat, lstat, stat64, lstat64, newfstatat, fstatat64, statx, access, faccessat, faccessat2, readlink, readlinkat, getcwd);

static const struct brig_dsl_set trees =
    CALLS(pledge_trees, "walk and watch directories, ask about their file system",
          chdir, getdents, getdents64, statfs, statfs64, getxattr, lgetxattr, fgetxattr, listxattr, llistxattr, flistxattr,
          inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch);

static const struct brig_dsl_set truncates = CALLS(pledge_truncates, "shorten a file by path", truncate, truncate64);

static const struct brig_dsl_set name_changes =
    CALLS(pledge_name_changes, "make and remove names of files and directories",
          mkdir, mkdirat, rmdir, unlink, unlinkat, rename, renameat, link, linkat, symlink, symlinkat);

static const struct brig_dsl_set makes_nodes = CALLS(pledge_makes_nodes, "make a node", mknod, mknodat);

static const struct brig_dsl_set removes =
    CALLS(pledge_removes, "remove a file, and look at it first without following a link",
          unlink, lstat, lstat64, newfstatat, fstatat64);

static const struct brig_dsl_set modes = CALLS(pledge_modes, "change a mode", chmod, fchmod, fchmodat, fchmodat2);

static const struct brig_dsl_set times =
    CALLS(pledge_times, "set times and extended attributes",
          utime, utimes, utimensat, utimensat_time64, futimesat, setxattr, lsetxattr, fsetxattr, removexattr, lremovexattr,
          fremovexattr);

static const struct brig_dsl_set chowns =
    CALLS(pledge_chowns, "change owner and group", chown, fchown, lchown, fchownat, chown32, fchown32, lchown32);

// clang-format on

const struct brig_dsl_row policy_pledge_open_to_read[] = {
    WHY("opens to read what is there; O_TRUNC would write, O_CREAT and O_TMPFILE would create"),
    ROW(SET(opens), ALLOW,
        MASKED(flags, ~(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC | O_APPEND | O_NOATIME), O_RDONLY,
               O_DIRECTORY, O_PATH, O_PATH | O_DIRECTORY)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_look[] = {
    WHY("asks what a path is"),
    ROW(SET(questions), ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_look_at_trees[] = {
    WHY("walks and watches directories"),
    ROW(SET(trees), ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_open_to_write[] = {
    WHY("opens to write what is there, and shortens it"),
    ROW(SET(opens), ALLOW,
        MASKED(flags, ~(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC | O_APPEND | O_NOATIME), O_WRONLY,
               O_WRONLY | O_TRUNC)),
    ROW(SET(truncates), ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_open_to_change[] = {
    WHY("opens to read and write what is there: takes both promises, since either would be gone round"),
    ROW(SET(opens), ALLOW,
        MASKED(flags, ~(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC | O_APPEND | O_NOATIME), O_RDWR,
               O_RDWR | O_TRUNC)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_create_to_read[] = {
    WHY("opens to read, and creates what is not there; never with set-id bits"),
    ROW(SET(opens), ALLOW,
        MASKED(flags, ~(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC | O_APPEND | O_NOATIME), O_CREAT,
               O_CREAT | O_EXCL),
        NO_BITS(mode, S_ISUID | S_ISGID | S_ISVTX)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_create_to_write[] = {
    WHY("opens to write, and creates what is not there, or a file without a name; never with set-id bits"),
    ROW(SET(opens), ALLOW,
        MASKED(flags, ~(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC | O_APPEND | O_NOATIME),
               O_WRONLY | O_CREAT, O_WRONLY | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_EXCL | O_TRUNC,
               O_WRONLY | O_TMPFILE, O_WRONLY | O_TMPFILE | O_EXCL),
        NO_BITS(mode, S_ISUID | S_ISGID | S_ISVTX)),
    ROW(creat, ALLOW, NO_BITS(mode, S_ISUID | S_ISGID | S_ISVTX)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_create_to_change[] = {
    WHY("opens to read and write, and creates what is not there, or a file without a name; never with set-id bits"),
    ROW(SET(opens), ALLOW,
        MASKED(flags, ~(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC | O_APPEND | O_NOATIME),
               O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_CREAT | O_TRUNC, O_RDWR | O_CREAT | O_EXCL | O_TRUNC,
               O_RDWR | O_TMPFILE, O_RDWR | O_TMPFILE | O_EXCL),
        NO_BITS(mode, S_ISUID | S_ISGID | S_ISVTX)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_names[] = {
    WHY("makes, renames and removes files and directories"),
    ROW(SET(name_changes), ALLOW),
    WHY("the same with a condition on what is there; RENAME_WHITEOUT would make a device node"),
    ROW(renameat2, ALLOW, ONLY_BITS(flags, RENAME_NOREPLACE | RENAME_EXCHANGE)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_nodes[] = {
    WHY("makes FIFOs, sockets and, where the kernel lets it, device nodes; regular files are cpath's"),
    ROW(SET(makes_nodes), ALLOW, MASKED(mode, S_IFMT, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK),
        NO_BITS(mode, S_ISUID | S_ISGID | S_ISVTX)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_temporary[] = {
    WHY("makes files that were not there (mkstemp), or have no name (tmpfile): O_EXCL keeps it from everything that is there"),
    ROW(SET(opens), ALLOW,
        MASKED(flags, ~(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC | O_APPEND | O_NOATIME),
               O_WRONLY | O_CREAT | O_EXCL, O_RDWR | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_EXCL | O_TRUNC,
               O_RDWR | O_CREAT | O_EXCL | O_TRUNC, O_WRONLY | O_TMPFILE, O_WRONLY | O_TMPFILE | O_EXCL, O_RDWR | O_TMPFILE,
               O_RDWR | O_TMPFILE | O_EXCL),
        NO_BITS(mode, S_ISUID | S_ISGID | S_ISVTX)),
    WHY("makes files in memory, sealed or not; MFD_EXEC and huge pages are not asked for"),
    ROW(memfd_create, ALLOW, ONLY_BITS(flags, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)),
    ROW(fcntl, ALLOW, IN(cmd, F_ADD_SEALS)),
    ROW(fcntl64, ALLOW, IN(cmd, F_ADD_SEALS)),
    WHY("removes files; by whatever path, which a filter cannot see"),
    ROW(SET(removes), ALLOW),
    ROW(unlinkat, ALLOW, IN(flags, 0)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_attributes[] = {
    WHY("changes modes, without set-id bits"),
    ROW(SET(modes), ALLOW, NO_BITS(mode, S_ISUID | S_ISGID | S_ISVTX)),
    WHY("changes times and extended attributes"),
    ROW(SET(times), ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_owners[] = {
    WHY("changes owners and groups, as far as the kernel lets this user"),
    ROW(SET(chowns), ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_locks[] = {
    WHY("locks whole files, and parts of them"),
    ROW(flock, ALLOW),
    ROW(fcntl, ALLOW, IN(cmd, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)),
    ROW(fcntl64, ALLOW, IN(cmd, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)),
    ROW(fcntl64, ALLOW, IN(cmd, F_GETLK64, F_SETLK64, F_SETLKW64)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_landlock[] = {
    WHY("opens paths to name them in a rule, which gives no right to what is there"),
    ROW(SET(opens), ALLOW,
        MASKED(flags, ~(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC | O_APPEND | O_NOATIME), O_PATH,
               O_PATH | O_DIRECTORY)),
    WHY("gives up rights to files: Landlock can only narrow"),
    ROW(landlock_create_ruleset, ALLOW),
    ROW(landlock_add_rule, ALLOW),
    ROW(landlock_restrict_self, ALLOW),
    ROWS_END,
};
