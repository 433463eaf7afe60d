// Any bytes as a request, served in a scratch directory: nothing malformed passes, nothing well-formed breaks the broker, and what
// is handed over is in the directory.
//
// The bytes are checked as they are, and then once more with lengths and NULs put right, so that most of them reach the ops.
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/broker/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerInitialize(int *count, char ***arguments);

enum { RUNS_PER_TREE = 512, NAME_BYTES = 200 };

static char root[] = "/tmp/brig-fuzz-XXXXXX";
static char room[64], denied[64];
static struct box_list *list;
static unsigned runs;

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broker_request_fuzz: %s\n", what);
        abort();
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    return where->level == 0 ? 0 : remove(path);
}

static void remove_all(void)
{
    nftw(root, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    rmdir(root);
}

static void make_tree(void)
{
    char path[96];
    box_list_free(list);
    nftw(root, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    must(mkdir(room, 0700) == 0 && mkdir(denied, 0700) == 0, "no scratch directory");
    snprintf(path, sizeof path, "%s/a", room);
    must(mkdir(path, 0700) == 0, "no directory");
    snprintf(path, sizeof path, "%s/l", room);
    must(symlink("a/../..", path) == 0, "no link");
    const uint32_t all = BRIG_BROKER_READ | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE | BRIG_BROKER_RECURSIVE | BRIG_BROKER_FOLLOW;
    const struct brig_broker_entry entries[] = {{.path = room, .rights = all}, {.path = denied, .rights = BRIG_BROKER_CRASH}};
    const struct brig_broker_list given = {.entries = entries, .entry_count = 2, .working_directory = room};
    must(box_list_new(&given, &list, NULL) == BRIG_OK, "no list");
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    must(mkdtemp(root) != NULL, "no scratch directory");
    snprintf(room, sizeof room, "%s/room", root);
    snprintf(denied, sizeof denied, "%s/room/denied", root);
    atexit(remove_all);
    return 0;
}

// Puts a length and a NUL right. Returns: what is left of the bytes.
static size_t mend_path(struct brig_broker_request *request, unsigned i, size_t at, size_t end)
{
    uint32_t *bytes = &request->path_bytes[i];
    *bytes %= NAME_BYTES;
    if (*bytes > end - at)
        *bytes = (uint32_t)(end - at);
    for (uint32_t k = 0; k + 1 < *bytes; k++)
        request->bytes[at + k] = request->bytes[at + k] ? request->bytes[at + k] : '/';
    if (*bytes)
        request->bytes[at + *bytes - 1] = '\0';
    return at + *bytes;
}

static size_t mend(struct brig_broker_request *request, size_t bytes)
{
    size_t end = bytes - BRIG_BROKER_HEADER_BYTES;
    request->op = 1 + request->op % (BRIG_BROKER_OP_COUNT - 1);
    request->call %= BRIG_SYS_COUNT;
    request->attached %= 8;
    size_t at = mend_path(request, 0, 0, end);
    at = mend_path(request, 1, at, end);
    request->data_bytes %= BRIG_BROKER_DATA_BYTES + 1;
    if (request->data_bytes > end - at)
        request->data_bytes = (uint32_t)(end - at);
    return BRIG_BROKER_HEADER_BYTES + at + request->data_bytes;
}

static void check_descriptor(int fd)
{
    char link[64], path[BRIG_BROKER_PATH_BYTES];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, sizeof path - 1);
    must(bytes > 0, "a descriptor that is none");
    path[bytes] = '\0';
    must(strncmp(path, room, strlen(room)) == 0, "a descriptor of something else");
    must(strncmp(path, denied, strlen(denied)) != 0 || path[strlen(denied)] != '/', "a descriptor of what is denied");
}

static void serve(const struct brig_broker_request *request)
{
    struct brig_broker_reply reply;
    const uint8_t *second = request->bytes + request->path_bytes[0], *data = second + request->path_bytes[1];
    struct box_job job = {.list = list,
                          .request = request,
                          .path = {request->path_bytes[0] ? (const char *)request->bytes : NULL,
                                   request->path_bytes[1] ? (const char *)second : NULL},
                          .data = data,
                          .attached = {-1, -1, -1},
                          .reply = &reply};
    for (unsigned i = 0; i < 2; i++)
        job.attached[i] = request->attached >> i & 1 ? open(room, O_PATH | O_CLOEXEC) : -1;
    if (request->attached & 4)
        job.attached[2] = request->op == BRIG_BROKER_OP_WATCH ? inotify_init1(IN_CLOEXEC) : socket(AF_INET, SOCK_STREAM, 0);
    box_serve(&job);
    must(reply.result >= -4095 && reply.answer_bytes <= sizeof reply.answer, "a reply out of bounds");
    must((job.descriptor >= 0) == (request->op == BRIG_BROKER_OP_OPEN && reply.result == 0), "a descriptor without an open");
    must(reply.verdict == BRIG_BROKER_DONE || reply.result < 0, "refused and done");
    if (job.descriptor >= 0) {
        check_descriptor(job.descriptor);
        close(job.descriptor);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (job.attached[i] >= 0)
            close(job.attached[i]);
    }
}

// The same bytes as what a worker claims it refused itself.
static void claim(const uint8_t *data, size_t bytes)
{
    struct brig_broker_refusal refusal = {.op = 0};
    struct box_denial denial = {.sys_errno = 0};
    memcpy(&refusal, data, bytes < sizeof refusal ? bytes : sizeof refusal);
    if (box_refusal_check(list, &refusal, &denial))
        must(denial.sys_errno > 0 && strnlen(denial.path, sizeof denial.path) < sizeof denial.path,
             "a claim that nobody understands");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct brig_broker_request request;
    if (runs++ % RUNS_PER_TREE == 0)
        make_tree();
    if (bytes > sizeof request)
        bytes = sizeof request;
    claim(data, bytes);
    memset(&request, 0, sizeof request);
    memcpy(&request, data, bytes);
    const char *wrong = box_request_check(&request, bytes);
    if (!wrong)
        serve(&request);
    if (bytes < BRIG_BROKER_HEADER_BYTES) {
        must(wrong != NULL, "less than a header is a request");
        return 0;
    }
    bytes = mend(&request, bytes);
    if (!box_request_check(&request, bytes))
        serve(&request);
    return 0;
}
