// handshake: the supervisor's side of launch. Every wait here has one deadline and ends early when the worker dies.
//
// Takes a forked worker, gives "it says that it is locked" or why not. What it says is not believed: launch.c reads back from the
// kernel.
#include "sandbox/child/handshake.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/supervisor/internal.h"

static const char step_handshake[] = "launch worker";

enum brig_code box_handshake_new(struct brig_worker *worker, struct brig_error *reterr)
{
    void *page = mmap(NULL, sizeof *worker->handshake, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        struct brig_error error = {
            .code = BRIG_OUT_OF_MEMORY, .sys_errno = errno, .step = step_handshake, .subject = "the handshake page"};
        return brig_error_set(reterr, error);
    }
    worker->handshake = page;
    return BRIG_OK;
}

void box_handshake_free(struct brig_worker *worker)
{
    if (worker->handshake)
        munmap(worker->handshake, sizeof *worker->handshake);
    worker->handshake = NULL;
}

bool box_handshake_step(struct brig_worker *worker, enum box_phase from, enum box_phase to)
{
    uint32_t expected = from;
    bool stepped =
        __atomic_compare_exchange_n(&worker->handshake->phase, &expected, (uint32_t)to, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    syscall(SYS_futex, &worker->handshake->phase, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    return stepped;
}

static enum brig_code lied(const struct brig_worker *worker, const char *what, struct brig_error *reterr)
{
    struct brig_error error = {.code = BRIG_WORKER_LIED, .step = step_handshake, .subject = what, .detail = worker->pid};
    return brig_error_set(reterr, error);
}

static bool is_text(const char *text, size_t text_bytes)
{
    return memchr(text, '\0', text_bytes) != NULL;
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

// The copy lives in the supervisor until the next launch: an error's texts must outlive the worker.
static enum brig_code take_failure(struct brig_worker *worker, struct brig_error *reterr)
{
    struct box_wire_error *wire = &worker->supervisor->last_failure;
    memcpy(wire, &worker->handshake->error, sizeof *wire);
    if (wire->code == BRIG_OK || wire->code >= BRIG_CODE_COUNT)
        return lied(worker, "an error without a code", reterr);
    if (!is_text(wire->step, sizeof wire->step) || !is_text(wire->subject, sizeof wire->subject) ||
        !is_text(wire->file, sizeof wire->file))
        return lied(worker, "an error with a text that does not end", reterr);
    struct brig_error error = {.code = (enum brig_code)wire->code,
                               .sys_errno = wire->sys_errno,
                               .step = *wire->step ? wire->step : step_handshake,
                               .subject = text_or_null(wire->subject),
                               .file = text_or_null(wire->file),
                               .line = wire->line,
                               .detail = wire->detail};
    return brig_error_set(reterr, error);
}

// An error outlives the worker that it is about.
static const char *lasting_name(struct brig_worker *worker)
{
    char *copy = worker->supervisor->last_failure.subject;
    snprintf(copy, sizeof worker->supervisor->last_failure.subject, "%s", worker->name);
    return copy;
}

static enum brig_code died(struct brig_worker *worker, struct brig_error *reterr)
{
    struct brig_error error = {.code = BRIG_WORKER_DIED,
                               .sys_errno = worker->wait_errno, // somebody else has taken its status
                               .step = step_handshake,
                               .subject = lasting_name(worker),
                               .detail = worker->wait_status};
    return brig_error_set(reterr, error);
}

enum brig_code box_handshake_ended(struct brig_worker *worker, enum brig_code otherwise, struct brig_error *reterr)
{
    enum { ENDING_MS = 100 };
    if (__atomic_load_n(&worker->handshake->phase, __ATOMIC_ACQUIRE) == BOX_PHASE_FAILED)
        return take_failure(worker, reterr);
    return worker->pid_fd >= 0 && box_worker_reap(worker, ENDING_MS) ? died(worker, reterr) : otherwise;
}

// Returns: BRIG_OK with *ret_done false: wait on.
static enum brig_code look_at_phase(struct brig_worker *worker, bool *ret_done, struct brig_error *reterr)
{
    *ret_done = true;
    switch (__atomic_load_n(&worker->handshake->phase, __ATOMIC_ACQUIRE)) {
    case BOX_PHASE_LOCKED:
        return BRIG_OK;
    case BOX_PHASE_FAILED:
        return take_failure(worker, reterr);
    case BOX_PHASE_START:
        *ret_done = false;
        return BRIG_OK;
    default:
        return lied(worker, "an impossible phase of the handshake", reterr);
    }
}

enum brig_code box_handshake_wait(struct brig_worker *worker, uint32_t limit_ms, struct brig_error *reterr)
{
    const int64_t deadline = box_clock_ms(CLOCK_MONOTONIC) + limit_ms;
    for (;;) {
        bool is_done;
        enum brig_code code = look_at_phase(worker, &is_done, reterr);
        const int64_t left = deadline - box_clock_ms(CLOCK_MONOTONIC);
        if (is_done)
            return code;
        if (left <= 0)
            break;
        struct pollfd polled[] = {{.fd = worker->notify_fd, .events = POLLIN}, {.fd = worker->pid_fd, .events = POLLIN}};
        if (poll(polled, 2, left > INT_MAX ? INT_MAX : (int)left) <= 0)
            continue;
        box_notify_take(worker->notify_fd);
        // A worker that failed has said so before it ended.
        code = look_at_phase(worker, &is_done, reterr);
        if (polled[1].revents && !(is_done && code != BRIG_OK)) {
            box_worker_reap(worker, BOX_DEATH_WAIT_MS);
            return died(worker, reterr);
        }
    }
    struct brig_error error = {
        .code = BRIG_WORKER_SILENT, .step = step_handshake, .subject = lasting_name(worker), .detail = limit_ms};
    return brig_error_set(reterr, error);
}
