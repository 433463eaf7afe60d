// landlock: what the kernel itself keeps the broker from, whatever its own checks would say.
//
// Takes the list, gives a ruleset that is on for this thread and all that it will make: each entry's rights as LANDLOCK_ACCESS_FS_*
// below the directory where the entry can be; connects to the listed TCP ports; no abstract socket if none is listed, no signal to
// other processes. What this kernel's ABI cannot name is left to the list and the policy; the rights of the newest ABI that is
// known here are handled, so what no rule grants is refused.
//
// Weaknesses: Landlock knows trees and inodes, the list knows names. An entry for exactly one file is a rule for its directory,
// because the file may be replaced by another one of that name (as editors and package managers do); one for what is not there yet
// is a rule for the nearest directory above; a DENY entry below an allowed one is not Landlock's. Looking at files, modes and times
// are not restricted by it at all.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/broker/session.h"
#include "sandbox/worker/landlock.h"

static const char step_landlock[] = "apply Landlock";

// --- from the list to rights --------------------------------------------------------------------------------------------

static const struct {
    uint32_t right;
    uint64_t access;
} accesses[] = {
    {BRIG_BROKER_READ, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR},
    {BRIG_BROKER_WRITE, LANDLOCK_ACCESS_FS_WRITE_FILE | BOX_LANDLOCK_FS_TRUNCATE},
    {BRIG_BROKER_CREATE, LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SYM |
                             LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | BOX_LANDLOCK_FS_REFER},
    {BRIG_BROKER_TEMPORARY, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | BOX_LANDLOCK_FS_TRUNCATE},
};

static uint64_t access_of(uint32_t rights)
{
    uint64_t access = 0;
    if (rights & (BRIG_BROKER_DENY | BRIG_BROKER_CRASH))
        return 0;
    for (size_t i = 0; i < sizeof accesses / sizeof accesses[0]; i++)
        access |= rights & accesses[i].right ? accesses[i].access : 0;
    return access;
}

static uint64_t handled_by(int abi)
{
    return BOX_LANDLOCK_FS_ABI_1 | (abi >= 2 ? BOX_LANDLOCK_FS_REFER : 0) | (abi >= 3 ? BOX_LANDLOCK_FS_TRUNCATE : 0) |
           (abi >= 5 ? BOX_LANDLOCK_FS_IOCTL_DEV : 0);
}

// --- rules --------------------------------------------------------------------------------------------------------------

static enum brig_code failed(struct brig_error *reterr, const char *subject)
{
    const enum brig_code code = errno == ENOSYS || errno == EOPNOTSUPP ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED;
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_landlock, .subject = subject};
    return brig_error_set(reterr, error);
}

// Cuts the last component off. The root stays.
static void to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    slash[slash == path] = '\0';
}

// Opens the nearest directory at or above `path` that exists.
static int open_above(char *path)
{
    for (;;) {
        const int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 || !strcmp(path, "/") || (errno != ENOENT && errno != ENOTDIR))
            return fd;
        to_parent(path);
    }
}

static enum brig_code add_directory(int ruleset, char *path, uint64_t access, struct brig_error *reterr)
{
    if (!access)
        return BRIG_OK;
    const int beneath_fd = open_above(path);
    if (beneath_fd < 0) // what we cannot even look into needs no rule
        return errno == EACCES ? BRIG_OK : failed(reterr, "a directory of the list");
    const int result = box_landlock_allow(ruleset, beneath_fd, access);
    const int reason = errno;
    close(beneath_fd);
    errno = reason;
    return result == 0 ? BRIG_OK : failed(reterr, "landlock_add_rule");
}

// A device that is named: what its descriptor may be told (ioctl) is for the policy of the worker to say. The rule is the device's
// alone.
static enum brig_code add_device(int ruleset, const char *path, uint64_t access, struct brig_error *reterr)
{
    struct stat status;
    if (!access || stat(path, &status) != 0 || !(S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)))
        return BRIG_OK;
    const int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EACCES ? BRIG_OK : failed(reterr, "a device of the list");
    const int result = box_landlock_allow(ruleset, fd, access);
    const int reason = errno;
    close(fd);
    errno = reason;
    return result == 0 ? BRIG_OK : failed(reterr, "landlock_add_rule");
}

static enum brig_code add_entry(int ruleset, const struct brig_broker_entry *entry, uint64_t handled, struct brig_error *reterr)
{
    char path[BRIG_BROKER_PATH_BYTES];
    const size_t bytes = strlen(entry->path);
    if (bytes >= sizeof path) // box_list_new has refused it
        return BRIG_OK;
    memcpy(path, entry->path, bytes + 1);
    const uint64_t access = access_of(entry->rights) & handled;
    if (entry->rights & BRIG_BROKER_RECURSIVE)
        return add_directory(ruleset, path, access, reterr);
    const enum brig_code code = add_device(ruleset, path, access ? handled & BOX_LANDLOCK_FS_IOCTL_DEV : 0, reterr);
    to_parent(path);
    return code == BRIG_OK ? add_directory(ruleset, path, access, reterr) : code;
}

static enum brig_code add_entries(int ruleset, const struct brig_broker_list *list, uint64_t handled, struct brig_error *reterr)
{
    enum brig_code code = BRIG_OK;
    for (size_t i = 0; i < list->entry_count && code == BRIG_OK; i++)
        code = add_entry(ruleset, &list->entries[i], handled, reterr);
    return code;
}

// What libc reads for host names. resolv.conf is a link into /run where a service writes it.
static enum brig_code add_resolver(int ruleset, uint64_t handled, struct brig_error *reterr)
{
    static const char *const folders[] = {"/etc", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf"};
    enum brig_code code = BRIG_OK;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && code == BRIG_OK; i++) {
        char path[64];
        memcpy(path, folders[i], strlen(folders[i]) + 1);
        if (access(path, F_OK) == 0)
            code = add_directory(ruleset, path, LANDLOCK_ACCESS_FS_READ_FILE & handled, reterr);
    }
    return code;
}

static enum brig_code add_port(int ruleset, uint16_t port, struct brig_error *reterr)
{
    const int result = box_landlock_allow_port(ruleset, BOX_LANDLOCK_NET_CONNECT_TCP, port);
    return result == 0 ? BRIG_OK : failed(reterr, "landlock_add_rule");
}

// Behind the last colon: "127.0.0.1:80", "[::1]:443", "*:443". Returns: -1 for addresses without one.
static long port_of(const struct brig_broker_address *address)
{
    const char *colon = strrchr(address->text, ':');
    char *end = NULL;
    if (!colon || !strncmp(address->text, "unix:", 5) || address->is_datagram)
        return -1;
    const long port = strtol(colon + 1, &end, 10);
    return *end == '\0' && end != colon + 1 && port >= 0 && port <= UINT16_MAX ? port : -1;
}

static enum brig_code add_ports(int ruleset, const struct brig_broker_list *list, struct brig_error *reterr)
{
    enum { DNS_PORT = 53 };
    enum brig_code code = list->may_resolve ? add_port(ruleset, DNS_PORT, reterr) : BRIG_OK;
    for (size_t i = 0; i < list->address_count && code == BRIG_OK; i++) {
        const long port = port_of(&list->addresses[i]);
        if (port >= 0)
            code = add_port(ruleset, (uint16_t)port, reterr);
    }
    return code;
}

static bool has_abstract(const struct brig_broker_list *list)
{
    for (size_t i = 0; i < list->address_count; i++) {
        if (!strncmp(list->addresses[i].text, "unix:@", 6))
            return true;
    }
    return false;
}

static enum brig_code add_rules(int ruleset, const struct brig_broker_list *list, const struct box_landlock *attributes,
                                struct brig_error *reterr)
{
    enum brig_code code = add_entries(ruleset, list, attributes->handled_fs, reterr);
    if (code == BRIG_OK && list->may_resolve)
        code = add_resolver(ruleset, attributes->handled_fs, reterr);
    if (code == BRIG_OK && attributes->handled_net)
        code = add_ports(ruleset, list, reterr);
    if (code == BRIG_OK && box_landlock_enforce(ruleset) != 0)
        code = failed(reterr, "landlock_restrict_self");
    return code;
}

enum brig_code box_landlock(const struct brig_broker_list *list, struct brig_error *reterr)
{
    const int abi = box_landlock_abi();
    if (abi < 0)
        return failed(reterr, "Landlock");
    const uint64_t scoped = BOX_LANDLOCK_SCOPE_SIGNAL | (has_abstract(list) ? 0 : BOX_LANDLOCK_SCOPE_ABSTRACT_UNIX);
    const struct box_landlock attributes = {.handled_fs = handled_by(abi),
                                            .handled_net = abi >= 4 ? BOX_LANDLOCK_NET_BIND_TCP | BOX_LANDLOCK_NET_CONNECT_TCP : 0,
                                            .scoped = abi >= 6 ? scoped : 0};
    const int ruleset = box_landlock_new(&attributes);
    if (ruleset < 0)
        return failed(reterr, "landlock_create_ruleset");
    enum brig_code code = add_rules(ruleset, list, &attributes, reterr);
    close(ruleset);
    return code;
}
