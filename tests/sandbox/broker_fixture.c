#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/sandbox/broker_fixture.h"

bool scratch_make(struct scratch *scratch)
{
    snprintf(scratch->path, sizeof scratch->path, "/tmp/brig-broker-XXXXXX");
    return CHECK(mkdtemp(scratch->path) != NULL);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void scratch_remove(struct scratch *scratch)
{
    CHECK_EQ(nftw(scratch->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *scratch_path(const struct scratch *scratch, const char *name)
{
    static _Thread_local char paths[8][512];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch->path, name);
    return path;
}

bool scratch_directory(const struct scratch *scratch, const char *name)
{
    return CHECK_EQ(mkdir(scratch_path(scratch, name), 0755), 0);
}

bool scratch_file(const struct scratch *scratch, const char *name, const char *text)
{
    int fd = open(scratch_path(scratch, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (!CHECK(fd >= 0))
        return false;
    bool is_written = CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return is_written;
}

bool scratch_link(const struct scratch *scratch, const char *name, const char *text)
{
    return CHECK_EQ(symlink(text, scratch_path(scratch, name)), 0);
}

static size_t put_path(struct brig_broker_request *request, unsigned i, const char *path, size_t at)
{
    if (!path)
        return at;
    request->path_bytes[i] = (uint32_t)strlen(path) + 1;
    memcpy(request->bytes + at, path, request->path_bytes[i]);
    return at + request->path_bytes[i];
}

struct answer broker_ask(const struct box_list *list, const struct asking *asking)
{
    struct brig_broker_request request;
    struct brig_broker_reply reply;
    struct box_job job = {.list = list, .request = &request, .attached = {-1, -1, -1}, .reply = &reply, .descriptor = -1};
    memset(&request, 0, BRIG_BROKER_HEADER_BYTES);
    request.op = asking->op;
    request.call = asking->call;
    request.flags = asking->flags;
    request.mode = asking->mode;
    request.number = asking->number;
    request.data_bytes = asking->data_bytes;
    size_t bytes = put_path(&request, 0, asking->paths[0], 0);
    bytes = put_path(&request, 1, asking->paths[1], bytes);
    if (asking->data_bytes)
        memcpy(request.bytes + bytes, asking->data, asking->data_bytes);
    for (unsigned i = 0; i < 3; i++) {
        request.attached |= asking->attached[i] ? 1u << i : 0;
        job.attached[i] = asking->attached[i] ? asking->attached[i] : -1;
    }
    CHECK_STR_EQ(box_request_check(&request, BRIG_BROKER_HEADER_BYTES + bytes + asking->data_bytes), NULL);
    job.path[0] = asking->paths[0] ? (const char *)request.bytes : NULL;
    job.path[1] = asking->paths[1] ? (const char *)request.bytes + request.path_bytes[0] : NULL;
    job.data = request.bytes + bytes;
    box_serve(&job);
    // What is settled is denied; which refusals are is not what a table of errnos is about.
    const enum brig_broker_verdict verdict = reply.verdict == BRIG_BROKER_SETTLED ? BRIG_BROKER_DENIED : reply.verdict;
    struct answer answer = {
        .result = reply.result, .verdict = verdict, .descriptor = job.descriptor, .answer_bytes = reply.answer_bytes};
    memcpy(answer.answer, reply.answer, reply.answer_bytes);
    return answer;
}

int64_t broker_try(const struct box_list *list, const struct asking *asking)
{
    struct answer answer = broker_ask(list, asking);
    if (answer.descriptor >= 0)
        close(answer.descriptor);
    return answer.result;
}
