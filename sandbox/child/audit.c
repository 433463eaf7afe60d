// audit: what an open descriptor lets its holder do, whatever the filter says about opening new ones.
//
// Takes a descriptor and the role that the host named for it, gives "may stay" or what it is. A directory is a way to all files
// below it, a file of /proc may be another process's memory, a tty takes input on behalf of its user, an unconnected UNIX socket
// reaches every service: these stay only where somebody wrote down that they should.
//
// The rules are ordered, the first that fits decides; what fits none is refused. Context of everything here: after fork.
//
// Weakness: what comes over a kept socket later is not seen here; policies decide about recvmsg.
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sandbox/child/child.h"

// Newer than the oldest headers that this builds with. Source: include/uapi/linux/magic.h.
enum { PIDFS_SUPER_MAGIC = 0x50494446 };
// In no header of the kernel's. Source: fs/configfs/mount.c.
enum { CONFIGFS_SUPER_MAGIC = 0x62656570 };

// Everything that is asked about a descriptor, once.
struct box_subject {
    int fd;
    mode_t mode;
    dev_t device;
    uint64_t filesystem;
    int open_flags;
    char target[48]; // of /proc/self/fd/FD, cut; empty if unknown
};

static bool is_kernel_filesystem(const struct box_subject *subject)
{
    static const uint32_t magics[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC,        DEBUGFS_MAGIC,        TRACEFS_MAGIC,
                                      SECURITYFS_MAGIC, CGROUP_SUPER_MAGIC, SELINUX_MAGIC,        BPF_FS_MAGIC,
                                      BINFMTFS_MAGIC,   EFIVARFS_MAGIC,     CGROUP2_SUPER_MAGIC,  PSTOREFS_MAGIC,
                                      AAFS_MAGIC,       SMACK_MAGIC,        RDTGROUP_SUPER_MAGIC, CONFIGFS_SUPER_MAGIC};
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (subject->filesystem == magics[i])
            return true;
    }
    return false;
}

static bool is_handle(const struct box_subject *subject)
{
    return subject->filesystem == NSFS_MAGIC || subject->filesystem == PIDFS_SUPER_MAGIC;
}

static bool is_directory(const struct box_subject *subject)
{
    return S_ISDIR(subject->mode);
}

static bool is_path_only(const struct box_subject *subject)
{
    return (subject->open_flags & O_PATH) != 0;
}

// null, zero, full, random, urandom: nothing behind them.
static bool is_harmless_device(const struct box_subject *subject)
{
    enum { MEMORY_MAJOR = 1 };
    const unsigned device = minor(subject->device);
    return S_ISCHR(subject->mode) && major(subject->device) == MEMORY_MAJOR &&
           (device == 3 || device == 5 || device == 7 || device == 8 || device == 9);
}

static bool is_tty(const struct box_subject *subject)
{
    return S_ISCHR(subject->mode) && isatty(subject->fd);
}

static bool is_device(const struct box_subject *subject)
{
    return S_ISCHR(subject->mode) || S_ISBLK(subject->mode);
}

static int socket_option(const struct box_subject *subject, int option)
{
    int value = -1;
    socklen_t length = sizeof value;
    return S_ISSOCK(subject->mode) && getsockopt(subject->fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

// A connected stream or sequence of packets goes to one place. A datagram socket can send anywhere, also when it is connected.
static bool is_connected_unix(const struct box_subject *subject)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    return socket_option(subject, SO_DOMAIN) == AF_UNIX && socket_option(subject, SO_TYPE) != SOCK_DGRAM &&
           getpeername(subject->fd, (struct sockaddr *)&peer, &length) == 0;
}

// It goes nowhere by itself; who accepts gets what comes.
static bool is_listening_unix(const struct box_subject *subject)
{
    return socket_option(subject, SO_DOMAIN) == AF_UNIX && socket_option(subject, SO_ACCEPTCONN) == 1;
}

static bool is_network_socket(const struct box_subject *subject)
{
    const int domain = socket_option(subject, SO_DOMAIN), type = socket_option(subject, SO_TYPE);
    return (domain == AF_UNIX || domain == AF_INET || domain == AF_INET6 || domain == AF_VSOCK) &&
           (type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET);
}

static bool is_socket(const struct box_subject *subject)
{
    return S_ISSOCK(subject->mode);
}

static bool is_data(const struct box_subject *subject)
{
    return S_ISREG(subject->mode) || S_ISFIFO(subject->mode);
}

// Anonymous inodes have no file type; their name is what there is.
static bool is_event(const struct box_subject *subject)
{
    static const char *const names[] = {"anon_inode:[eventfd]", "anon_inode:[timerfd]", "anon_inode:[signalfd]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(subject->target, names[i]) == 0)
            return true;
    }
    return false;
}

// Whoever shares a loop's epoll can put data of his own into it, which the loop takes for its pointers.
static bool is_epoll(const struct box_subject *subject)
{
    return strcmp(subject->target, "anon_inode:[eventpoll]") == 0;
}

static bool is_anything(const struct box_subject *subject)
{
    (void)subject;
    return true;
}

enum { FOR_DATA = 1 << BRIG_KEEP_DATA, FOR_SOCKET = 1 << BRIG_KEEP_SOCKET, FOR_DIRECTORY = 1 << BRIG_KEEP_DIRECTORY };
enum { FOR_DEVICE = 1 << BRIG_KEEP_DEVICE, FOR_KERNEL_FILE = 1 << BRIG_KEEP_KERNEL_FILE, FOR_NONE = 0, FOR_ALL = ~0 };
enum { FOR_MADE_HERE = 1 << BOX_MADE_HERE, FOR_US = 1 << BOX_MADE_BY_US };

static const struct {
    const char *what;
    bool (*fits)(const struct box_subject *subject);
    int roles; // that may have it
} rules[] = {
    {"a file of /proc, /sys or another file system of the kernel's", is_kernel_filesystem, FOR_KERNEL_FILE | FOR_US},
    {"a namespace or a process handle", is_handle, FOR_NONE},
    {"a directory", is_directory, FOR_DIRECTORY | FOR_US},
    {"a path without access (O_PATH)", is_path_only, FOR_US},
    {"a harmless device", is_harmless_device, FOR_ALL},
    {"a tty", is_tty, FOR_DEVICE},
    {"a device", is_device, FOR_DEVICE},
    {"a connected UNIX socket", is_connected_unix, FOR_ALL},
    {"a UNIX socket that listens", is_listening_unix, FOR_SOCKET | FOR_US},
    {"a network socket, or a UNIX socket without a fixed peer", is_network_socket, FOR_SOCKET},
    {"a socket of an unusual kind", is_socket, FOR_NONE},
    {"a file or pipe", is_data, FOR_ALL},
    {"an eventfd, timerfd or signalfd", is_event, FOR_ALL},
    {"an epoll of the host's", is_epoll, FOR_MADE_HERE},
    {"a kernel object", is_anything, FOR_NONE},
};

static void read_target(struct box_subject *subject)
{
    char path[32] = "/proc/self/fd/";
    char *end = path + strlen(path);
    int rest = subject->fd, digits = 1;
    for (int power = rest; power >= 10; power /= 10)
        digits++;
    end[digits] = '\0';
    for (; digits > 0; rest /= 10)
        end[--digits] = (char)('0' + rest % 10);
    ssize_t length = readlink(path, subject->target, sizeof subject->target - 1);
    subject->target[length > 0 ? length : 0] = '\0';
}

const char *box_audit(int fd, int role)
{
    struct stat status;
    struct statfs filesystem;
    if (fstat(fd, &status) != 0)
        return "not open";
    if (fstatfs(fd, &filesystem) != 0)
        return "a kernel object without a file system";
    struct box_subject subject = {.fd = fd,
                                  .mode = status.st_mode,
                                  .device = status.st_rdev,
                                  .filesystem = (uint64_t)(uint32_t)filesystem.f_type,
                                  .open_flags = fcntl(fd, F_GETFL)};
    if ((subject.mode & S_IFMT) == 0)
        read_target(&subject);
    size_t at = 0;
    while (!rules[at].fits(&subject))
        at++;
    return (rules[at].roles >> role & 1) ? NULL : rules[at].what;
}
