// run_list: from a command line to a broker's list.
//
// A list knows names as they are asked for. So a path stands in it as it was given, made absolute, and where links lead to it from
// elsewhere, by its real name too: relative paths of a program start at the real name of its working directory. If it is a link
// itself, so does each link on the way.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/unveil.h"
#include "tools/brig/run.h"

// What a dynamic program's loader, libc and interpreter read before the program's first line. Directories that are not there are
// left out; files may be made later.
static const char *const defaults[] = {
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/local/lib",
    "/usr/share/locale",
    "/etc/locale.alias",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
};

// Names that are files on every machine, and lead nowhere.
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"};

static bool is_own_in_proc(const char *path)
{
    static const char proc[] = "/proc/";
    const char *name = path + sizeof proc - 1;
    if (strncmp(path, proc, sizeof proc - 1) != 0) {
        return false;
    }
    const size_t bytes = strcspn(name, "/");
    return (bytes == strlen("self") && strncmp(name, "self", bytes) == 0) ||
           (bytes == strlen("thread-self") && strncmp(name, "thread-self", bytes) == 0) ||
           (bytes > 0 && strspn(name, "0123456789") == bytes);
}

// What glibc looks at on its way to an answer, whoever gives it.
static const char *const resolver_files[] = {
    "/etc/nsswitch.conf", "/etc/host.conf", "/etc/resolv.conf", "/etc/hosts", "/etc/gai.conf", "/etc/services",
};

bool run_is_own_in_proc(const char *path)
{
    char *real = realpath(path, NULL);
    const bool is_own = is_own_in_proc(path) || (real != NULL && is_own_in_proc(real)); // /proc/mounts, /dev/fd
    free(real);
    return is_own;
}

static struct brig_broker_entry *find(struct run_list *list, const char *path)
{
    for (size_t i = 0; i < list->entry_count; i++) {
        if (strcmp(list->entries[i].path, path) == 0) {
            return &list->entries[i];
        }
    }
    return NULL;
}

// Takes `path`. What two options say of the same path adds up; hidden is hidden.
static bool add_entry(struct run_list *list, char *path, uint32_t rights)
{
    struct brig_broker_entry *found = find(list, path);
    if (found != NULL) {
        const bool hides = (rights | found->rights) & BRIG_BROKER_DENY;
        found->rights = hides ? BRIG_BROKER_DENY : found->rights | rights;
        free(path);
        return true;
    }
    if (list->entry_count == RUN_ENTRY_MAX) {
        free(path);
        return tool_complain("run", "too many paths") < 0;
    }
    list->entries[list->entry_count++] = (struct brig_broker_entry){.path = path, .rights = rights};
    return true;
}

enum { LINKS_MAX = 40 }; // as many as the kernel follows

static void trim_slashes(char *path)
{
    for (size_t bytes = strlen(path); bytes > 1 && path[bytes - 1] == '/'; bytes--) {
        path[bytes - 1] = '\0';
    }
}

// The names of `path` and of what it leads to, as long as these are links. Those on the way are followed, and nobody's to change.
static bool add_links(struct run_list *list, const char *path, uint32_t rights)
{
    char at[PATH_MAX], folder[PATH_MAX], target[PATH_MAX], *name;
    int at_bytes = snprintf(at, sizeof at, "%s%s", *path == '/' ? "" : "./", path);
    for (int i = 0; i < LINKS_MAX && at_bytes < (int)sizeof at; i++) {
        trim_slashes(at);
        const ssize_t bytes = readlink(at, target, sizeof target - 1);
        if (bytes < 0) {
            break;
        }
        char *slash = strrchr(at, '/');
        target[bytes] = *slash = '\0';
        if (realpath(*at == '\0' ? "/" : at, folder) == NULL) {
            return tool_complain("run", "'%s': %s", path, strerror(errno)) < 0;
        }
        const char *parent = strcmp(folder, "/") == 0 ? "" : folder;
        if (asprintf(&name, "%s/%s", parent, slash + 1) < 0 || !add_entry(list, name, rights)) {
            return false;
        }
        rights = BRIG_BROKER_FOLLOW | (rights & BRIG_BROKER_READ);
        at_bytes = snprintf(at, sizeof at, "%s%s%s", *target == '/' ? "" : parent, *target == '/' ? "" : "/", target);
    }
    return true;
}

// By its own name, and by its real one.
static bool add_path(struct run_list *list, const char *path, uint32_t rights)
{
    char *real = realpath(path, NULL), *copy = NULL, *here = NULL;
    struct stat status;
    if (real != NULL && stat(real, &status) == 0 && S_ISDIR(status.st_mode) && rights != BRIG_BROKER_DENY) {
        rights |= BRIG_BROKER_RECURSIVE;
    }
    if (*path == '/') {
        copy = strdup(path);
    } else if (real == NULL && (here = getcwd(NULL, 0)) != NULL && asprintf(&copy, "%s/%s", here, path) < 0) {
        copy = NULL;
    }
    free(here);
    if (copy != NULL) {
        trim_slashes(copy);
    }
    if (copy == NULL && real == NULL) {
        return tool_complain("run", "'%s': %s", path, strerror(errno)) < 0;
    }
    if (run_is_own_in_proc(copy == NULL ? real : copy)) {
        tool_complain("run", "'%s': nobody can be given that: a broker opens the files, and would find its own there", path);
        free(copy);
        free(real);
        return false;
    }
    const bool is_done = copy == NULL || add_entry(list, copy, rights);
    if (real == NULL) {
        return is_done;
    }
    return add_entry(list, real, rights) && is_done && (rights == BRIG_BROKER_DENY || add_links(list, path, rights));
}

static bool add_defaults(struct run_list *list, const struct run_program *program)
{
    bool is_done = true;
    for (size_t i = 0; i < program->file_count; i++) {
        is_done = is_done && add_path(list, program->files[i], BRIG_BROKER_READ | BRIG_BROKER_FOLLOW);
    }
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        if (strncmp(defaults[i], "/etc/", 5) == 0 || access(defaults[i], F_OK) == 0) {
            is_done = is_done && add_path(list, defaults[i], BRIG_BROKER_READ | BRIG_BROKER_FOLLOW);
        }
    }
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        is_done = is_done && add_path(list, devices[i], BRIG_BROKER_READ | BRIG_BROKER_WRITE);
    }
    return is_done;
}

static bool add_resolver(struct run_list *list)
{
    bool is_done = true;
    list->resolves = true;
    for (size_t i = 0; i < sizeof resolver_files / sizeof resolver_files[0]; i++) {
        is_done = is_done && add_path(list, resolver_files[i], BRIG_BROKER_READ | BRIG_BROKER_FOLLOW);
    }
    return is_done;
}

static bool add_directory(struct run_list *list, const char *path, uint32_t rights)
{
    if (access(path, F_OK) != 0) {
        return tool_complain("run", "'%s': %s", path, strerror(errno)) < 0;
    }
    return add_path(list, path, rights | BRIG_BROKER_FOLLOW);
}

// PATH:PERMISSIONS. The letters are read by the library.
static bool add_unveil(struct run_list *list, const char *text)
{
    const char *colon = strrchr(text, ':');
    struct brig_broker_entry entry;
    struct brig_broker_list unused;
    struct brig_error error;
    if (colon == NULL || colon == text) {
        return tool_complain("run", "--unveil takes PATH:PERMISSIONS, as in /tmp:rwc, not '%s'", text) < 0;
    }
    if (colon[1] == '\0') {
        char *path = strndup(text, (size_t)(colon - text));
        const bool is_hidden = path != NULL && add_path(list, path, BRIG_BROKER_DENY);
        free(path);
        return is_hidden;
    }
    // What is not there may be asked for nevertheless, and then is said to be missing.
    const struct brig_unveil unveil = {"/", colon + 1};
    if (brig_unveil_list(&unveil, 1, &entry, &unused, &error) != BRIG_OK) {
        tool_complain("run", "--unveil=%s: '%s' has other letters than r, w, x and c, or one twice", text, colon + 1);
        return false;
    }
    char *path = strndup(text, (size_t)(colon - text));
    const bool is_done = path != NULL && add_path(list, path, entry.rights & ~(uint32_t)BRIG_BROKER_RECURSIVE);
    free(path);
    return is_done;
}

static bool add_option(struct run_list *list, int option, const char *value)
{
    switch (option) {
    case RUN_BROKER_RO:
        return add_directory(list, value, BRIG_BROKER_READ);
    case RUN_BROKER_RW:
        return add_directory(list, value, BRIG_BROKER_READ | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE);
    case RUN_UNVEIL:
        return add_unveil(list, value);
    case RUN_CONNECT:
        list->addresses[list->address_count++] = (struct brig_broker_address){.text = value};
        return true;
    case RUN_RESOLVE:
        return add_resolver(list);
    default:
        return true;
    }
}

bool run_make_list(const struct tool_arguments *arguments, const struct run_program *program, struct run_list *ret_list)
{
    *ret_list = (struct run_list){.entry_count = 0};
    bool is_done = add_defaults(ret_list, program);
    for (int i = 0; i < arguments->given_count && is_done; i++) {
        is_done = add_option(ret_list, arguments->given[i].option, arguments->given[i].value);
    }
    return is_done;
}

void run_free_list(struct run_list *list)
{
    for (size_t i = 0; i < list->entry_count; i++) {
        free((char *)(uintptr_t)list->entries[i].path);
    }
}
