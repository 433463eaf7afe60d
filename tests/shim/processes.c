// Descriptors and processes that a test leaves behind.
//
// Weakness: a process that is not dumpable shows its descriptors to root alone; run by somebody else, the shim does not compare
// there.
#include "tests/shim/processes.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/shim/test.h"

enum { GRACE_MS = 1000 };

// --- descriptors ------------------------------------------------------------------------------------------------------

static void add_descriptor(struct descriptor_list *list, DIR *folder, const char *name)
{
    int fd = atoi(name);
    if (name[0] == '.' || list->count == DESCRIPTORS)
        return;
    char *target = list->entries[list->count].target;
    ssize_t length = readlinkat(dirfd(folder), name, target, sizeof list->entries[0].target - 1);
    if (length < 0)
        return;
    target[length] = '\0';
    list->entries[list->count++].fd = fd;
}

void descriptors_read(pid_t pid, struct descriptor_list *ret_list)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    ret_list->count = 0;
    ret_list->is_known = folder != NULL;
    if (!folder)
        return;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (pid != getpid() || atoi(entry->d_name) != dirfd(folder))
            add_descriptor(ret_list, folder, entry->d_name);
    }
    closedir(folder);
}

static bool has_descriptor(const struct descriptor_list *list, int fd, const char *target)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].fd == fd && strcmp(list->entries[i].target, target) == 0)
            return true;
    }
    return false;
}

void descriptors_compare(const struct descriptor_list *before, const struct descriptor_list *after, const char *file, int line)
{
    if (!before->is_known || !after->is_known)
        return;
    for (size_t i = 0; i < after->count; i++) {
        int fd = after->entries[i].fd;
        const char *target = after->entries[i].target;
        if (!has_descriptor(before, fd, target))
            test_fail(file, line, "descriptor %d was left open: %s", fd, target);
    }
}

// --- processes --------------------------------------------------------------------------------------------------------

bool process_is_filtered(pid_t pid)
{
    char path[32], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return true;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *field = strstr(text, "\nSeccomp:\t");
    return !field || field[strlen("\nSeccomp:\t")] != '0';
}

bool processes_adopt(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

// Reaps what has ended. Returns: whether a child is still alive.
static bool reap_ended(void)
{
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid == 0)
            return true;
        if (pid < 0 && errno != EINTR)
            return false;
    }
}

// Reads the name and the parent of process `pid`. Returns: false if it has gone.
static bool read_stat(int pid, char *ret_name, size_t name_bytes, int *ret_parent)
{
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    // The name is in parentheses and may contain some itself.
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close)
        return false;
    *close = '\0';
    snprintf(ret_name, name_bytes, "%s", open + 1);
    return sscanf(close + 1, " %*c %d", ret_parent) == 1;
}

// Calls `visit` for each child of this process.
static void each_child(void (*visit)(int pid, const char *name, const struct test_place *place), const struct test_place *place)
{
    DIR *folder = opendir("/proc");
    if (!folder)
        return;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char name[64];
        int pid = atoi(entry->d_name), parent = 0;
        if (pid > 0 && read_stat(pid, name, sizeof name, &parent) && parent == getpid())
            visit(pid, name, place);
    }
    closedir(folder);
}

static void say_left(int pid, const char *name, const struct test_place *place)
{
    test_fail(place->file, place->line, "process %d (%s) was left running", pid, name);
}

static void kill_one(int pid, const char *name, const struct test_place *place)
{
    (void)name;
    (void)place;
    kill(pid, SIGKILL);
}

void processes_end_all(void)
{
    // A killed child's own children become ours, so this goes down one generation at a time.
    while (reap_ended()) {
        each_child(kill_one, NULL);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

void processes_check_none_left(const char *file, int line)
{
    for (int ms = 0; ms < GRACE_MS && reap_ended(); ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (!reap_ended())
        return;
    each_child(say_left, &(struct test_place){.file = file, .line = line});
    processes_end_all();
}
