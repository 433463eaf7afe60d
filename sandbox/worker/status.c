// status: what the kernel says about the threads of a process, whatever the process says about itself.
//
// Takes a process id, gives counts over all threads. /proc/PID/task/TID/status is readable for everybody (unless /proc is mounted
// with hidepid), also where the process is not dumpable.
//
// Weakness: threads are read one after the other. One that starts meanwhile is missed; it inherits its creator's filters, so for
// the question "is all of it filtered" that does not matter.
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "sandbox/sandbox.h"
#include "sandbox/worker/proc.h"

static void add_thread(struct brig_status *status, const struct box_thread_status *thread, int tid)
{
    bool filtered = thread->seccomp_mode == 2;
    if (status->thread_count == 0 || thread->filters < status->min_filters)
        status->min_filters = (int)thread->filters;
    status->thread_count++;
    status->filtered_thread_count += filtered;
    status->no_new_privs_count += thread->no_new_privs;
    status->sigsys_blocked |= thread->sigsys_blocked;
    if (status->odd_tid == 0 && (!filtered || !thread->no_new_privs || thread->sigsys_blocked))
        status->odd_tid = tid;
}

// Returns: false with errno when the thread could not be read.
static bool read_thread(int pid, const char *tid, struct box_thread_status *ret_thread)
{
    char path[64], text[BOX_STATUS_BYTES];
    struct box_line name = {path, sizeof path, 0};
    box_line_add(&name, "/proc/");
    box_line_add_number(&name, pid);
    box_line_add(&name, "/task/");
    box_line_add(&name, tid);
    box_line_add(&name, "/status");
    errno = ENODATA; // a kernel that shows no seccomp mode
    return box_read_text(path, text, sizeof text) > 0 && box_parse_status(text, ret_thread);
}

static int number_of(const char *name)
{
    int number = 0;
    for (; *name >= '0' && *name <= '9'; name++)
        number = number * 10 + (*name - '0');
    return number;
}

// Returns: false with errno where a thread that may be there could not be read. One that has just ended is left out.
static bool add_threads(struct brig_status *status, int pid, DIR *threads)
{
    for (struct dirent *entry; (errno = 0, entry = readdir(threads)) != NULL;) {
        struct box_thread_status thread;
        if (entry->d_name[0] == '.')
            continue;
        if (read_thread(pid, entry->d_name, &thread))
            add_thread(status, &thread, number_of(entry->d_name));
        else if (errno != ENOENT && errno != ESRCH)
            return false;
    }
    return errno == 0;
}

enum brig_code brig_read_status(int pid, struct brig_status *ret_status, struct brig_error *reterr)
{
    char path[64];
    struct box_line name = {path, sizeof path, 0};
    box_line_add(&name, "/proc/");
    box_line_add_number(&name, pid);
    box_line_add(&name, "/task");
    DIR *threads = opendir(path);
    if (!threads) {
        struct brig_error error = {
            .code = BRIG_IO, .sys_errno = errno, .step = "list threads", .subject = "/proc/PID/task", .detail = pid};
        return brig_error_set(reterr, error);
    }
    struct brig_status status = {.pid = pid, .min_filters = -1};
    const int reason = add_threads(&status, pid, threads) ? 0 : errno;
    closedir(threads);
    if (reason || status.thread_count == 0) {
        struct brig_error error = {.code = BRIG_IO,
                                   .sys_errno = reason ? reason : ESRCH,
                                   .step = "read threads",
                                   .subject = "/proc/PID/task/TID/status",
                                   .detail = pid};
        return brig_error_set(reterr, error);
    }
    *ret_status = status;
    return BRIG_OK;
}
