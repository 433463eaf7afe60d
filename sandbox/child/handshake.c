// handshake: the worker's side. The futex calls are the ones that the handler's rows allow (FUTEX_WAIT, on shared memory), so that
// the same code serves before and after the lock.
#include "sandbox/child/handshake.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/child/child.h"

static uint32_t phase_of(struct box_handshake *handshake)
{
    return __atomic_load_n(&handshake->phase, __ATOMIC_ACQUIRE);
}

// `limit` NULL: for ever; the death signal ends a worker whose supervisor is gone. Returns: false at the limit.
static bool wait_while(struct box_handshake *handshake, uint32_t phase, const struct timespec *limit)
{
    while (phase_of(handshake) == phase) {
        if (syscall(SYS_futex, &handshake->phase, FUTEX_WAIT, phase, limit, NULL, 0) < 0 && errno == ETIMEDOUT)
            return false;
    }
    return true;
}

static void wake_supervisor(const struct box_child *child)
{
    static const uint64_t one = 1;
    // Cannot fail but by a full counter, which is readable as well; a supervisor that is not woken finds the phase at its time
    // limit.
    if (write(child->notify_fd, &one, sizeof one) < 0)
        return;
}

enum brig_code box_stage_start(const struct box_child *child, struct brig_error *reterr)
{
    const struct timespec limit = {.tv_sec = child->handshake_ms / 1000, .tv_nsec = (long)(child->handshake_ms % 1000) * 1000000};
    if (wait_while(child->handshake, BOX_PHASE_CREATED, &limit))
        return BRIG_OK;
    struct brig_error error = {.code = BRIG_TIMEOUT, .step = "wait for the supervisor", .detail = child->handshake_ms};
    return brig_error_set(reterr, error);
}

void box_announce_locked(const struct box_child *child)
{
    __atomic_store_n(&child->handshake->phase, BOX_PHASE_LOCKED, __ATOMIC_RELEASE);
    wake_supervisor(child);
    wait_while(child->handshake, BOX_PHASE_LOCKED, NULL);
}

static void copy_text(char *to, size_t to_bytes, const char *from, size_t from_bytes)
{
    size_t length = from ? (from_bytes ? from_bytes : strlen(from)) : 0;
    if (length >= to_bytes)
        length = to_bytes - 1;
    memcpy(to, from ? from : "", length);
    to[length] = '\0';
}

void box_announce_failed(const struct box_child *child, const struct brig_error *error)
{
    struct box_wire_error *wire = &child->handshake->error;
    wire->code = (uint32_t)error->code;
    wire->sys_errno = error->sys_errno;
    wire->line = error->line;
    wire->detail = error->detail;
    copy_text(wire->step, sizeof wire->step, error->step, 0);
    copy_text(wire->subject, sizeof wire->subject, error->subject, error->subject_bytes);
    copy_text(wire->file, sizeof wire->file, error->file, 0);
    __atomic_store_n(&child->handshake->phase, BOX_PHASE_FAILED, __ATOMIC_RELEASE);
    wake_supervisor(child);
    _exit(1);
}
