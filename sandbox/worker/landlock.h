// landlock: the kernel's own rules about files and ports, as it takes them. Rights of newer kernels stand here by number, so that
// older headers do. Source: landlock(7), include/uapi/linux/landlock.h.
#ifndef BRIG_SANDBOX_WORKER_LANDLOCK_H
#define BRIG_SANDBOX_WORKER_LANDLOCK_H

#include <linux/landlock.h>
#include <stdint.h>

#define BOX_LANDLOCK_FS_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) // 5.13: all up to making symbolic links
#define BOX_LANDLOCK_FS_REFER ((uint64_t)1 << 13)                      // ABI 2, 5.19: renames and links between directories
#define BOX_LANDLOCK_FS_TRUNCATE ((uint64_t)1 << 14)                   // ABI 3, 6.2
#define BOX_LANDLOCK_FS_IOCTL_DEV ((uint64_t)1 << 15)                  // ABI 5, 6.10
#define BOX_LANDLOCK_NET_BIND_TCP ((uint64_t)1 << 0)                   // ABI 4, 6.7
#define BOX_LANDLOCK_NET_CONNECT_TCP ((uint64_t)1 << 1)
#define BOX_LANDLOCK_SCOPE_ABSTRACT_UNIX ((uint64_t)1 << 0) // ABI 6, 6.12
#define BOX_LANDLOCK_SCOPE_SIGNAL ((uint64_t)1 << 1)

// What a ruleset is about: what no rule allows of it is refused. Longer than the oldest kernel's struct; it takes a longer one
// whose end is zero.
struct box_landlock {
    uint64_t handled_fs, handled_net, scoped;
};

// Returns: the kernel's version of Landlock, or -1 with errno (ENOSYS, EOPNOTSUPP). Context: any.
int box_landlock_abi(void);

// Makes a ruleset. Returns: its descriptor, the caller's to close, or -1 with errno. Context: any.
int box_landlock_new(const struct box_landlock *landlock);

// Allows `access` below a directory, or to a file, that is open (O_PATH). Returns: 0, or -1 with errno. Context: any.
int box_landlock_allow(int ruleset_fd, int beneath_fd, uint64_t access);

// Allows `access` to a TCP port. Returns: 0, or -1 with errno. Context: any.
int box_landlock_allow_port(int ruleset_fd, uint64_t access, uint16_t port);

// Puts a ruleset on the calling thread and all that it will make, for ever. Needs no_new_privs. Returns: 0, or -1 with errno.
// Context: single-threaded setup.
int box_landlock_enforce(int ruleset_fd);

#endif
