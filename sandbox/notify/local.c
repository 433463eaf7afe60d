// local.c: calls that concern nothing but the asking process' own things, and so need no broker: what is asked of an open
// descriptor, and the emulations that make sense from outside.
//
// glibc spells fstat as newfstatat(fd, "", AT_EMPTY_PATH): every stream of every program. The descriptor is fetched and looked at
// here; it is the program's own, so nothing is told that it could not find out by fstat. What changes a file (times, modes) is
// done only through a descriptor that may write: one that a list gave for reading gives no more than that.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/notify/notify.h"
#include "trap/trap.h"

static void fill_reply(struct brig_broker_reply *reply, int64_t result, const void *answer, size_t bytes)
{
    reply->result = result;
    reply->verdict = BRIG_BROKER_DONE;
    reply->answer_bytes = result < 0 ? 0 : (uint32_t)bytes;
    if (bytes)
        memcpy(reply->answer, answer, bytes);
}

static void stat_descriptor(int fd, struct box_workspace *work)
{
    const unsigned wants = work->request.number ? (unsigned)work->request.number : STATX_BASIC_STATS;
    const int flags = AT_EMPTY_PATH | (int)(work->request.flags & (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC));
    struct statx status;
    memset(&status, 0, sizeof status);
    const int64_t result = syscall(SYS_statx, fd, "", flags, wants, &status) == 0 ? 0 : -errno;
    fill_reply(&work->reply, result, &status, sizeof status);
}

static void read_descriptor_link(int fd, struct box_workspace *work)
{
    const ssize_t bytes = readlinkat(fd, "", (char *)work->reply.answer, BRIG_BROKER_ANSWER_BYTES);
    fill_reply(&work->reply, bytes >= 0 ? bytes : -errno, NULL, 0);
    work->reply.answer_bytes = bytes >= 0 ? (uint32_t)bytes : 0;
}

static bool may_write(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY;
}

static void change_times(int fd, struct box_workspace *work)
{
    struct {
        int64_t seconds, nanoseconds;
    } times[2]; // of 64 bits on every arch
    const uint8_t *data = work->request.bytes + work->request.path_bytes[0] + work->request.path_bytes[1];
    struct timespec spec[2];
    const bool has_times = work->request.data_bytes == sizeof times;
    memcpy(&times, data, has_times ? sizeof times : 0);
    for (int i = 0; i < 2 && has_times; i++)
        spec[i] = (struct timespec){.tv_sec = (time_t)times[i].seconds, .tv_nsec = (long)times[i].nanoseconds};
    const int64_t result = !may_write(fd) ? -EPERM : futimens(fd, has_times ? spec : NULL) == 0 ? 0 : -errno;
    fill_reply(&work->reply, result, NULL, 0);
}

// What is not here changes something else too (linkat), or is not worth a row: refused.
static const struct {
    enum brig_broker_op op;
    void (*answer)(int fd, struct box_workspace *work);
} of_descriptors[] = {
    {BRIG_BROKER_OP_STAT, stat_descriptor},
    {BRIG_BROKER_OP_READLINK, read_descriptor_link},
    {BRIG_BROKER_OP_UTIMENS, change_times},
};

int64_t box_answer_descriptor(const struct brig_broker_call *call, const struct box_notice *notice,
                              const struct box_outside *outside, struct box_workspace *work, int number)
{
    const struct brig_broker_memory memory = box_memory_of(outside, 0);
    size_t at = 0;
    while (at < sizeof of_descriptors / sizeof of_descriptors[0] && of_descriptors[at].op != call->op)
        at++;
    if (at == sizeof of_descriptors / sizeof of_descriptors[0])
        return -EACCES;
    const int fd = number == AT_FDCWD ? outside->directory(outside) : outside->fetch(outside, number);
    if (fd < 0)
        return fd;
    if (!outside->is_waiting(outside))
        fill_reply(&work->reply, -ENOENT, NULL, 0);
    else
        of_descriptors[at].answer(fd, work);
    close(fd);
    return brig_broker_deliver(call, notice->data.args, &memory, &work->reply);
}

bool box_asks_own_program(const struct brig_broker_request *request)
{
    static const char name[] = "/proc/self/exe";
    return request->op == BRIG_BROKER_OP_READLINK && request->path_bytes[0] == sizeof name &&
           memcmp(request->bytes, name, sizeof name) == 0;
}

int64_t box_answer_own_program(const struct brig_broker_call *call, const struct box_notice *notice,
                               const struct box_outside *outside, struct box_workspace *work)
{
    const struct brig_broker_memory memory = box_memory_of(outside, 0);
    const int64_t bytes = outside->program(outside, work->reply.answer, BRIG_BROKER_ANSWER_BYTES);
    fill_reply(&work->reply, bytes, NULL, 0);
    work->reply.answer_bytes = bytes >= 0 ? (uint32_t)bytes : 0;
    return brig_broker_deliver(call, notice->data.args, &memory, &work->reply);
}

// --- emulations -------------------------------------------------------------------------------------------------------

static int64_t emulate_fstatat(const struct box_decision *decision, const struct box_notice *notice,
                               const struct box_outside *outside, struct box_workspace *work)
{
    const struct brig_broker_call *call = brig_broker_find_call(decision->call);
    const struct brig_broker_memory memory = box_memory_of(outside, 0);
    int32_t descriptors[3] = {-1, -1, -1};
    if (!call)
        return -ENOSYS;
    const int gathered = brig_broker_gather(call, notice->data.args, &memory, &work->request, descriptors);
    if (gathered != BRIG_BROKER_ABOUT_DESCRIPTOR || descriptors[0] == AT_FDCWD)
        return gathered > 0 ? -gathered : -EACCES;
    return box_answer_descriptor(call, notice, outside, work, descriptors[0]);
}

static int64_t emulate_uname(const struct box_notice *notice, const struct box_outside *outside)
{
    struct utsname name;
    if (uname(&name) != 0)
        return -errno;
    return outside->is_waiting(outside) && outside->write(outside, notice->data.args[0], &name, sizeof name) ? 0 : -EFAULT;
}

int64_t box_emulate(const struct box_decision *decision, const struct box_notice *notice, const struct box_outside *outside,
                    struct box_workspace *work)
{
    if (decision->handler == &brig_trap_emulate_fstatat_empty_path.dsl)
        return emulate_fstatat(decision, notice, outside, work);
    if (decision->call == BRIG_SYS_uname)
        return emulate_uname(notice, outside);
    if (decision->call == BRIG_SYS_getppid)
        return (int64_t)outside->parent(outside);
    return -ENOSYS;
}
