// ledger: which report files a worker has caused, so that it cannot fill the disk.
//
// Takes reports, gives files whose sizes together stay below a quota. Only files that this supervisor wrote are ever deleted, by
// the name under which they were written. Weakness: the ledger lives as long as the worker; reports of earlier workers are the
// host's to clean up.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/supervisor/internal.h"

static void drop_oldest(struct box_ledger *ledger, int dir_fd)
{
    struct box_ledger_entry *entry = ledger->oldest;
    ledger->oldest = entry->next;
    if (!ledger->oldest)
        ledger->newest = NULL;
    ledger->bytes -= entry->bytes;
    if (dir_fd >= 0)
        unlinkat(dir_fd, entry->name, 0); // one that is gone already has been cleaned up by somebody else
    free(entry);
}

static enum brig_code append(struct box_ledger *ledger, int dir_fd, const char *name, struct brig_error *reterr)
{
    struct stat status;
    struct box_ledger_entry *entry = calloc(1, sizeof *entry);
    if (!entry || fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        struct brig_error error = {
            .code = entry ? BRIG_IO : BRIG_OUT_OF_MEMORY, .sys_errno = errno, .step = "account for a report", .subject = "report"};
        free(entry);
        unlinkat(dir_fd, name, 0); // what cannot be counted must not stay
        return brig_error_set(reterr, error);
    }
    entry->bytes = (uint64_t)status.st_size;
    memcpy(entry->name, name, strlen(name) + 1);
    if (ledger->newest)
        ledger->newest->next = entry;
    else
        ledger->oldest = entry;
    ledger->newest = entry;
    ledger->bytes += entry->bytes;
    return BRIG_OK;
}

enum brig_code box_ledger_write(struct box_ledger *ledger, const struct box_report_place *place, const char *json,
                                struct brig_error *reterr)
{
    enum brig_code code = brig_report_write(place->dir_fd, place->name, json, reterr);
    if (code == BRIG_OK)
        code = append(ledger, place->dir_fd, place->name, reterr);
    while (code == BRIG_OK && ledger->bytes > place->quota_bytes && ledger->oldest != ledger->newest)
        drop_oldest(ledger, place->dir_fd);
    return code;
}

void box_ledger_free(struct box_ledger *ledger)
{
    while (ledger->oldest)
        drop_oldest(ledger, -1);
}
