#include "tests/sandbox/broker_room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_set asked = CALLS(
    asked, "what a broker can be asked for", open, openat, openat2, creat, access, faccessat, faccessat2, stat, lstat, newfstatat,
    statx, readlink, readlinkat, rename, renameat, renameat2, mkdir, mkdirat, rmdir, unlink, unlinkat, link, linkat, symlink,
    symlinkat, chmod, fchmodat, fchmodat2, utime, utimes, futimesat, utimensat, truncate, statfs, inotify_add_watch, connect);

static const struct brig_dsl_row room_rows[] = {
    WHY("the tests ask the broker for everything that has a name"),
    ROW(SET(asked), BROKER),
    ROWS_END,
};
const struct brig_dsl_policy room_policy = {
    .name = "room", .rows = room_rows, FALLBACK(ALLOW), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

struct room *room_here;
struct brig_broker_slots *room_slots;
int room_socket;

const char *room_path(const char *name)
{
    static _Thread_local char buffers[4][128];
    static _Thread_local unsigned next;
    char *buffer = buffers[next++ % COUNT_OF(buffers)];
    snprintf(buffer, sizeof buffers[0], "%s/%s", room_here->folder, name);
    return buffer;
}

bool room_write(const char *name, const char *text)
{
    const int fd = open(room_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    const size_t bytes = strlen(text);
    const bool is_written = fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes;
    close(fd);
    return is_written;
}

bool room_has(const char *name, const char *text)
{
    char found[64];
    const int fd = open(room_path(name), O_RDONLY | O_CLOEXEC);
    const ssize_t bytes = fd >= 0 ? read(fd, found, sizeof found - 1) : -1;
    close(fd);
    found[bytes > 0 ? bytes : 0] = '\0';
    return bytes >= 0 && strcmp(found, text) == 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool make_files(void)
{
    static const char *const folders[] = {"ro", "ro/sub", "rw", "trap", "secret"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        if (!CHECK_EQ(mkdir(room_path(folders[i]), 0777), 0))
            return false;
    }
    return CHECK(room_write("ro/hello", "hello\n")) && CHECK(room_write("trap/file", "trap\n")) &&
           CHECK(room_write("secret/file", "secret\n")) && CHECK_EQ(symlink("hello", room_path("ro/link")), 0);
}

static void make_list(struct room *room)
{
    static const struct {
        const char *path;
        uint32_t rights;
    } entries[] = {
        {"ro", BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE | BRIG_BROKER_FOLLOW},
        {"rw", BRIG_BROKER_READ | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE | BRIG_BROKER_RECURSIVE},
        {"trap/file", BRIG_BROKER_CRASH},
    };
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        snprintf(room->paths[i], sizeof room->paths[i], "%s/%s", room->folder, entries[i].path);
        room->entries[i] = (struct brig_broker_entry){.path = room->paths[i], .rights = entries[i].rights};
    }
    snprintf(room->address, sizeof room->address, "unix:%s/socket", room->folder);
    room->addresses[0] = (struct brig_broker_address){.text = room->address};
}

bool room_start(struct room *room, const char *name, bool ends_with_last_worker, struct brig_broker **ret_broker)
{
    const struct brig_broker_spec spec = {.name = name,
                                          .policy = brig_policy_for_this_build("broker+network"),
                                          .list = {.entries = room->entries,
                                                   .entry_count = COUNT_OF(room->entries),
                                                   .addresses = room->addresses,
                                                   .address_count = COUNT_OF(room->addresses),
                                                   .working_directory = room->folder},
                                          .ends_with_last_worker = ends_with_last_worker};
    struct brig_error error;
    return CHECK_OK(brig_broker_start(room->fixture.supervisor, &spec, ret_broker, &error), &error);
}

bool room_open(struct room *room)
{
    *room = (struct room){.listening_fd = -1};
    room_here = room;
    snprintf(room->folder, sizeof room->folder, "/tmp/brig-room-XXXXXX");
    if (!CHECK(mkdtemp(room->folder) != NULL) || !fixture_open(&room->fixture) || !make_files())
        return false;
    make_list(room);
    room->listening_fd = listen_at(room_path("socket"));
    return CHECK_GE(room->listening_fd, 0) && room_start(room, "files", false, &room->broker);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void room_remove(const char *folder)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void room_close(struct room *room)
{
    fixture_close(&room->fixture);
    close(room->listening_fd);
    room_remove(room->folder);
    room_here = NULL;
}

// --- workers ----------------------------------------------------------------------------------------------------------

int room_find_slots(void *data)
{
    char line[512];
    unsigned long from = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    (void)data;
    while (maps && fgets(line, sizeof line, maps)) {
        if (strstr(line, "memfd:brig-requests"))
            sscanf(line, "%lx", &from);
    }
    if (maps)
        fclose(maps);
    room_slots = (struct brig_broker_slots *)from;
    room_socket = -1;
    for (int fd = 3; fd < 64 && room_socket < 0; fd++) {
        int type = 0;
        socklen_t bytes = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_SEQPACKET)
            room_socket = fd;
    }
    return !room_slots || room_socket < 0;
}

struct brig_worker *room_launch(struct room *room, brig_entry *entry, void *data)
{
    return fixture_launch(&room->fixture, &(struct brig_worker_spec){.name = "client",
                                                                     .policy = &room_policy,
                                                                     .warm_up = room_find_slots,
                                                                     .entry = entry,
                                                                     .data = data,
                                                                     .dumpable = true,
                                                                     .broker = room->broker});
}

bool room_run(struct room *room, brig_entry *entry, void *data)
{
    const size_t exits = fixture_count(&room->fixture, BRIG_EVENT_EXIT);
    if (!room_launch(room, entry, data) || !fixture_run(&room->fixture, exits + 1))
        return false;
    const int last = fixture_find(&room->fixture, BRIG_EVENT_EXIT, exits);
    return CHECK_EQ(room->fixture.events[last].wait_status, 0);
}

void room_fill(uint32_t slot, const char *path)
{
    struct brig_broker_request *request = &room_slots->slots[slot].request;
    memset(request, 0, BRIG_BROKER_HEADER_BYTES);
    request->op = BRIG_BROKER_OP_OPEN;
    request->call = BRIG_SYS_openat;
    request->flags = O_RDONLY | O_CLOEXEC;
    request->path_bytes[0] = (uint32_t)strlen(path) + 1;
    memcpy(request->bytes, path, request->path_bytes[0]);
}

int room_descriptors(int pid)
{
    char path[32];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *entries = opendir(path);
    if (!entries)
        return -1;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

int room_settled_descriptors(const struct brig_broker *broker, int count)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    int found = room_descriptors(brig_broker_pid(broker));
    for (int i = 0; i < 500 && found != count; i++) {
        nanosleep(&pause, NULL);
        found = room_descriptors(brig_broker_pid(broker));
    }
    return found;
}
