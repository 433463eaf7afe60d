// unveil: OpenBSD's words as a broker's list.
//
// Takes entries, gives a list that means the same. The longest entry decides in both; what differs is said by errnos: ENOENT for
// what no entry covers, EACCES for what the entry does not permit. Without letters an entry hides: at the top of its tree it needs
// no entry for that, below another it is a DENY, which in a list holds for all below; so nothing can be given there.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/broker.h"
#include "sandbox/worker/unveil.h"

static const struct {
    uint32_t unveiled;
    uint32_t rights;
} rights_of[] = {
    {BOX_UNVEIL_READ, BRIG_BROKER_READ},
    {BOX_UNVEIL_WRITE, BRIG_BROKER_WRITE},
    {BOX_UNVEIL_CREATE, BRIG_BROKER_CREATE},
};

static enum brig_code failed(struct brig_error *reterr, enum brig_code code, const char *step, const char *subject)
{
    struct brig_error error = {.code = code, .sys_errno = code == BRIG_IO ? errno : 0, .step = step, .subject = subject};
    return brig_error_set(reterr, error);
}

// Whether an entry stands above this one, and whether one of those hides.
static bool is_covered(const struct brig_unveil *unveils, size_t count, const char *path, bool *ret_is_hidden)
{
    bool is_covered = false;
    *ret_is_hidden = false;
    for (size_t i = 0; i < count; i++) {
        if (box_unveil_is_above(unveils[i].path, path)) {
            is_covered = true;
            *ret_is_hidden |= unveils[i].permissions[0] == '\0';
        }
    }
    return is_covered;
}

// The last component may come later, its directory may not.
static bool has_directory(const char *path)
{
    char directory[PATH_MAX];
    const size_t bytes = strlen(path);
    struct stat status;
    memcpy(directory, path, bytes + 1);
    char *slash = strrchr(directory, '/');
    slash[slash == directory] = '\0';
    if (stat(directory, &status) < 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(status.st_mode);
}

static enum brig_code make_entry(const struct brig_unveil *unveil, struct brig_broker_entry *ret_entry, struct brig_error *reterr)
{
    const uint32_t unveiled = box_unveil_rights(unveil->permissions);
    struct stat status = {.st_mode = 0};
    *ret_entry = (struct brig_broker_entry){.path = unveil->path, .rights = BRIG_BROKER_FOLLOW, .deny_errno = EACCES};
    if (stat(unveil->path, &status) < 0 && !has_directory(unveil->path))
        return failed(reterr, BRIG_IO, "unveil", unveil->path);
    if (S_ISDIR(status.st_mode))
        ret_entry->rights |= BRIG_BROKER_RECURSIVE;
    for (size_t i = 0; i < sizeof rights_of / sizeof rights_of[0]; i++)
        ret_entry->rights |= unveiled & rights_of[i].unveiled ? rights_of[i].rights : 0;
    return BRIG_OK;
}

enum brig_code brig_unveil_list(const struct brig_unveil *unveils, size_t count, struct brig_broker_entry *entries,
                                struct brig_broker_list *ret_list, struct brig_error *reterr)
{
    size_t used = 0;
    bool is_hidden;
    enum brig_code code = box_unveil_check(unveils, count, reterr);
    for (size_t i = 0; i < count && code == BRIG_OK; i++) {
        const bool hides = unveils[i].permissions[0] == '\0';
        const bool covered = is_covered(unveils, count, unveils[i].path, &is_hidden);
        if (is_hidden && !hides)
            code = failed(reterr, BRIG_BAD_ARGUMENT, "unveil below what is hidden", unveils[i].path);
        else if (hides && covered && !is_hidden)
            entries[used++] = (struct brig_broker_entry){.path = unveils[i].path, .rights = BRIG_BROKER_DENY, .deny_errno = ENOENT};
        else if (!hides)
            code = make_entry(&unveils[i], &entries[used++], reterr);
    }
    if (code == BRIG_OK)
        *ret_list = (struct brig_broker_list){.entries = entries, .entry_count = used, .deny_errno = ENOENT};
    return code;
}
