// serve: one request, from bytes that a stranger wrote to a reply.
//
// box_request_check looks at the form of a private copy: what passes it has lengths that fit, names that end where they say, and
// descriptors where its op has them. Nothing behind it looks at lengths again, and nothing before it is believed. box_serve then
// calls the op's function, which asks the list (resolve.c) and then the kernel.
//
// Guarantees: no allocation, no lock, no state beside the list, which nobody writes: any number of threads may serve at once.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/broker/serve.h"

// --- the form of a request --------------------------------------------------------------------------------------------

enum {
    SOCKET_ADDRESS_BYTES_MIN = sizeof(uint16_t),
    SOCKET_ADDRESS_BYTES_MAX = 128, // of any family (struct sockaddr_storage)
    TIMES_BYTES = 32,               // two times 64 bits of seconds and of nanoseconds
    HINTS_BYTES = sizeof(struct brig_broker_hints),
    NAME_0 = 1, // a descriptor may come for the name
    NAME_1 = 2,
    OBJECT = 4, // a descriptor has to come
};

// What an op's request has to have. Rows that say nothing of data have none.
static const struct shape {
    uint8_t names; // that have to be there
    uint8_t may_attach;
    uint8_t must_attach;
    uint8_t data_min;
    uint8_t data_max;
    bool may_lack_data;
} shapes[BRIG_BROKER_OP_COUNT] = {
    [BRIG_BROKER_OP_OPEN] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_ACCESS] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_STAT] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_READLINK] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_RENAME] = {.names = 2, .may_attach = NAME_0 | NAME_1},
    [BRIG_BROKER_OP_MKDIR] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_UNLINK] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_LINK] = {.names = 2, .may_attach = NAME_0 | NAME_1},
    [BRIG_BROKER_OP_SYMLINK] = {.names = 2, .may_attach = NAME_1},
    [BRIG_BROKER_OP_CHMOD] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_UTIMENS] =
        {.names = 1, .may_attach = NAME_0, .data_min = TIMES_BYTES, .data_max = TIMES_BYTES, .may_lack_data = true},
    // These calls have no directory of their own; a front end sends the program's working directory.
    [BRIG_BROKER_OP_TRUNCATE] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_STATFS] = {.names = 1, .may_attach = NAME_0},
    [BRIG_BROKER_OP_WATCH] = {.names = 1, .may_attach = NAME_0 | OBJECT, .must_attach = OBJECT},
    [BRIG_BROKER_OP_CONNECT] = {.may_attach = OBJECT,
                                .must_attach = OBJECT,
                                .data_min = SOCKET_ADDRESS_BYTES_MIN,
                                .data_max = SOCKET_ADDRESS_BYTES_MAX},
    // A host or a service may be left out; getaddrinfo wants one of them.
    [BRIG_BROKER_OP_RESOLVE] = {.data_min = HINTS_BYTES, .data_max = HINTS_BYTES, .may_lack_data = true},
};

static const uint8_t names_at_most[BRIG_BROKER_OP_COUNT] = {
#define OP(name, answer, paths, what) [BRIG_BROKER_OP_##name] = (paths),
#include "trap/broker_ops.def"
#undef OP
};

static const char *check_sizes(const struct brig_broker_request *request, size_t bytes)
{
    const uint32_t *paths = request->path_bytes;
    if (paths[0] > BRIG_BROKER_PATH_BYTES || paths[1] > BRIG_BROKER_PATH_BYTES || request->data_bytes > BRIG_BROKER_DATA_BYTES)
        return "a part that is too long";
    if (bytes != BRIG_BROKER_HEADER_BYTES + paths[0] + paths[1] + request->data_bytes)
        return "a length that is not the sum of its parts";
    return NULL;
}

static const char *check_names(const struct brig_broker_request *request)
{
    const uint8_t *at = request->bytes;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t bytes = request->path_bytes[i];
        if (bytes && i >= names_at_most[request->op])
            return "a name too many";
        if (!bytes && i < shapes[request->op].names)
            return "a name that is missing";
        if (bytes && memchr(at, '\0', bytes) != at + bytes - 1)
            return "a name that does not end where it says";
        at += bytes;
    }
    return NULL;
}

static const char *check_rest(const struct brig_broker_request *request)
{
    const struct shape *shape = &shapes[request->op];
    uint32_t data = request->data_bytes;
    if ((data < shape->data_min || data > shape->data_max) && !(data == 0 && shape->may_lack_data))
        return "data of a wrong length";
    if (request->attached & ~(uint32_t)shape->may_attach)
        return "a descriptor too many";
    if (shape->must_attach & ~request->attached)
        return "a descriptor that is missing";
    return NULL;
}

const char *box_request_check(const struct brig_broker_request *request, size_t bytes)
{
    if (bytes < BRIG_BROKER_HEADER_BYTES)
        return "less than a header";
    if (request->op == BRIG_BROKER_OP_NONE || request->op >= BRIG_BROKER_OP_COUNT)
        return "an op that there is not";
    if (request->call >= BRIG_SYS_COUNT)
        return "a call that there is not";
    const char *wrong = check_sizes(request, bytes);
    if (!wrong)
        wrong = check_names(request);
    return wrong ? wrong : check_rest(request);
}

// --- what the ops share -----------------------------------------------------------------------------------------------

struct box_fd_name box_fd_name(int fd)
{
    struct box_fd_name name;
    snprintf(name.text, sizeof name.text, "/proc/self/fd/%d", fd);
    return name;
}

// Where a relative name starts. Returns: 0 or -errno.
static int start_of(const struct box_job *job, unsigned path, char buffer[BRIG_BROKER_PATH_BYTES], const char **ret_start)
{
    *ret_start = job->list->working_directory.text;
    if (*job->path[path] == '/' || !(job->request->attached >> path & 1))
        return 0;
    *ret_start = buffer;
    return box_directory_path(job->attached[path], buffer);
}

int box_job_open(struct box_job *job, const struct box_wish *wish, const struct box_opening *opening, struct box_place *ret_place)
{
    char buffer[BRIG_BROKER_PATH_BYTES];
    enum brig_broker_verdict verdict = BRIG_BROKER_DONE;
    struct box_question question = {.name = job->path[wish->path],
                                    .purposes = wish->purposes,
                                    .ending = wish->ending,
                                    .makes_file = wish->makes_file,
                                    .resolve = wish->resolve};
    if (!*question.name)
        return -ENOENT;
    int result = start_of(job, wish->path, buffer, &question.start);
    if (result == 0 && job->only_decides) {
        result = box_resolve(job->list, &question, ret_place, &verdict);
        result = result == 0 ? -ECANCELED : result;
    } else if (result == 0) {
        result = box_open(job->list, &question, opening, ret_place, &verdict);
    }
    job->reply->verdict = verdict;
    return result;
}

int box_job_hold(struct box_job *job, const struct box_wish *wish, struct box_place *ret_place)
{
    const struct box_opening opening = {.flags = O_PATH | (wish->ending == BOX_KEEP ? (uint64_t)O_NOFOLLOW : 0)};
    return box_job_open(job, wish, &opening, ret_place);
}

int box_job_hold_parent(struct box_job *job, unsigned path, struct box_place *ret_place)
{
    static const struct box_opening opening = {.wants_parent = true};
    const struct box_wish wish = {.path = path, .purposes = 1u << BOX_CREATE, .ending = BOX_NAME};
    return box_job_open(job, &wish, &opening, ret_place);
}

int box_job_refuse(struct box_job *job, const struct box_place *place)
{
    job->reply->verdict = BRIG_BROKER_DENIED;
    return -(int)place->deny_errno;
}

bool box_job_is_empty(const struct box_job *job, unsigned path)
{
    return job->request->flags & AT_EMPTY_PATH && !*job->path[path];
}

// --- the door ---------------------------------------------------------------------------------------------------------

static void (*const functions[BRIG_BROKER_OP_COUNT])(struct box_job *job) = {
#define OP(name, answer, paths, what) [BRIG_BROKER_OP_##name] = box_serve_##name,
#include "trap/broker_ops.def"
#undef OP
};

void box_serve(struct box_job *job)
{
    job->descriptor = -1;
    job->reply->result = -EACCES;
    job->reply->verdict = BRIG_BROKER_DONE;
    job->reply->answer_bytes = 0;
    // Ops that are not about one name have more to do than to decide.
    if (job->only_decides && shapes[job->request->op].names != 1)
        return;
    functions[job->request->op](job);
    // Of two names the first may have been looked at before the second settled it.
    if (job->reply->verdict == BRIG_BROKER_SETTLED && names_at_most[job->request->op] > 1)
        job->reply->verdict = BRIG_BROKER_DENIED;
}
