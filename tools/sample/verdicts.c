// verdicts: /proc, the listener and the parent are the witnesses; what the attempt says about itself is not.
//
// The one exception needs no trust either: to have looked at a file (stat) leaves no trace, but who claims it must know its inode
// number.
#include "tools/sample/verdicts.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/sample/attempts.h"

static bool read_link(pid_t pid, const char *name, char *ret_target, size_t target_bytes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    ssize_t bytes = readlink(path, ret_target, target_bytes - 1);
    ret_target[bytes > 0 ? bytes : 0] = '\0';
    return bytes > 0;
}

// Looks for a descriptor whose link is `wanted`.
static bool has_descriptor(pid_t pid, const char *wanted, char seen[VERDICT_TEXT_BYTES])
{
    for (int fd = 0; fd < 256; fd++) {
        char name[16];
        char target[256];
        snprintf(name, sizeof name, "fd/%d", fd);
        if (read_link(pid, name, target, sizeof target) && strcmp(target, wanted) == 0) {
            snprintf(seen, VERDICT_TEXT_BYTES, "descriptor %d is %s", fd, wanted);
            return true;
        }
    }
    return false;
}

static bool has_descriptor_number(pid_t pid, int fd, char seen[VERDICT_TEXT_BYTES])
{
    char name[16];
    char target[256];
    snprintf(name, sizeof name, "fd/%d", fd);
    snprintf(seen, VERDICT_TEXT_BYTES, "descriptor %d was made", fd);
    return read_link(pid, name, target, sizeof target);
}

// Finds the first line of /proc/PID/FILE with `part` in it. Returns: false if there is none.
static bool find_line(pid_t pid, const char *file, const char *part, char *ret_line, size_t line_bytes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *stream = fopen(path, "re");
    bool is_found = false;
    while (stream && !is_found && fgets(ret_line, (int)line_bytes, stream)) {
        is_found = strstr(ret_line, part) != NULL;
    }
    if (stream) {
        fclose(stream);
    }
    return is_found;
}

static long status_number(pid_t pid, const char *key)
{
    char line[256];
    return find_line(pid, "status", key, line, sizeof line) ? strtol(strstr(line, key) + strlen(key), NULL, 10) : -1;
}

// Returns: the first process whose parent is `parent`, or 0.
static pid_t child_of(pid_t parent)
{
    DIR *processes = opendir("/proc");
    pid_t found = 0;
    for (const struct dirent *entry; processes && !found && (entry = readdir(processes));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && status_number(pid, "PPid:") == parent) {
            found = pid;
        }
    }
    if (processes) {
        closedir(processes);
    }
    return found;
}

void verdict_kill_children(pid_t pid)
{
    for (int tries = 0; tries < 8; tries++) {
        pid_t child = child_of(pid);
        if (child == 0 || kill(child, SIGKILL) != 0) {
            return;
        }
        usleep(2000); // until it is a zombie no more, or its parent is gone
    }
}

// --- the looks --------------------------------------------------------------------------------------------------------

bool verdict_open(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    return has_descriptor(scene->pid, "/etc/passwd", seen);
}

bool verdict_stat(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    struct stat status;
    char number[32];
    if (stat("/etc/passwd", &status) != 0) {
        return false;
    }
    snprintf(number, sizeof number, "%lld", (long long)status.st_ino);
    snprintf(seen, VERDICT_TEXT_BYTES, "it knows the inode number");
    return strcmp(scene->claim, number) == 0;
}

bool verdict_connect(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    int fd = accept4(scene->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    close(fd);
    snprintf(seen, VERDICT_TEXT_BYTES, "the listener has a connection");
    return true;
}

bool verdict_execve(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    char own[VERDICT_TEXT_BYTES * 8];
    char its[VERDICT_TEXT_BYTES * 8];
    if (!read_link(getpid(), "exe", own, sizeof own) || !read_link(scene->pid, "exe", its, sizeof its) || strcmp(own, its) == 0) {
        return false;
    }
    snprintf(seen, VERDICT_TEXT_BYTES, "it is %.60s now", its);
    return true;
}

bool verdict_fork(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    pid_t child = child_of(scene->pid);
    snprintf(seen, VERDICT_TEXT_BYTES, "it has a child, %d", (int)child);
    return child > 0;
}

bool verdict_ptrace(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    long tracer = status_number(scene->parent, "TracerPid:");
    snprintf(seen, VERDICT_TEXT_BYTES, "the parent's tracer is %ld", tracer);
    return tracer > 0;
}

bool verdict_kill(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    int status;
    sigset_t pending;
    snprintf(seen, VERDICT_TEXT_BYTES, "SIGTERM reached the parent");
    if (scene->parent == getpid()) {
        return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
    }
    return waitpid(scene->parent, &status, WNOHANG) == scene->parent && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
}

bool verdict_mmap(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    char line[512];
    snprintf(seen, VERDICT_TEXT_BYTES, "it has memory that is rwx");
    return find_line(scene->pid, "maps", " rwx", line, sizeof line);
}

bool verdict_io_uring(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    return has_descriptor(scene->pid, "anon_inode:[io_uring]", seen);
}

bool verdict_i386(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    return has_descriptor_number(scene->pid, ATTEMPT_I386_FD, seen);
}

bool verdict_x32(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    return has_descriptor_number(scene->pid, ATTEMPT_X32_FD, seen);
}

bool verdict_unknown(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES])
{
    (void)scene;
    seen[0] = '\0';
    return false; // a call that no kernel has cannot have an effect
}
