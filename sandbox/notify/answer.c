// answer: one call of a program, from registers to result.
//
//   gather   what the registers point to is copied, once
//   ask      whether the call still waits: the copies are that process'
//   attach   directories and sockets that the call names by number are fetched
//   act      the broker is asked, or what concerns nobody else is done here
//   deliver  what came back is written to where the program wants it
//
// Pure but for `outside`. A program may change its memory between any two steps: nothing is read twice, and what is acted upon is
// the copy. An answer can only come too late, never be another call's: ids are not used again.
//
// Where a path starts that is relative to the working directory is asked of the kernel (/proc/TID/cwd) and attached as a directory:
// it gives no right to anything, the broker asks its list about the whole path.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/notify/notify.h"

enum { PATHS = 2, DESCRIPTORS = 3 };

static void answer_result(struct box_answer *answer, int64_t result)
{
    answer->kind = BOX_ANSWER_RESULT;
    answer->result = result;
}

static size_t read_memory(const struct brig_broker_memory *memory, void *to, uint64_t address, size_t bytes)
{
    const struct box_outside *outside = memory->context;
    return outside->read(outside, to, address, bytes);
}

static bool write_memory(const struct brig_broker_memory *memory, uint64_t address, const void *from, size_t bytes)
{
    const struct box_outside *outside = memory->context;
    return outside->is_waiting(outside) && outside->write(outside, address, from, bytes);
}

struct brig_broker_memory box_memory_of(const struct box_outside *outside, uint32_t umask)
{
    return (struct brig_broker_memory){
        .read = read_memory, .write = write_memory, .context = outside, .arch = brig_dsl_arch_native(), .umask = umask};
}

// --- what goes with a request -----------------------------------------------------------------------------------------

static void close_all(int descriptors[DESCRIPTORS])
{
    for (int i = 0; i < DESCRIPTORS; i++) {
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    }
}

// Whether path `index` starts at the working directory. The text of a symbolic link starts nowhere.
static bool starts_at_working_directory(const struct brig_broker_request *request, int index)
{
    const uint32_t before = index == 0 ? 0 : request->path_bytes[0];
    const bool is_link_text = request->op == BRIG_BROKER_OP_SYMLINK && index == 0;
    return index < brig_broker_ops[request->op].paths && request->path_bytes[index] != 0 && !is_link_text &&
           !(request->attached >> index & 1) && request->bytes[before] != '/';
}

// Returns: 0 or -errno; what was fetched is in ret_attached either way.
static int attach(struct box_workspace *work, const struct box_outside *outside, int ret_attached[DESCRIPTORS])
{
    struct brig_broker_request *request = &work->request;
    for (int i = 0; i < DESCRIPTORS; i++) {
        if (!(request->attached >> i & 1))
            continue;
        ret_attached[i] = outside->fetch(outside, work->numbers[i]);
        if (ret_attached[i] < 0)
            return ret_attached[i];
    }
    for (int i = 0; i < PATHS; i++) {
        if (!starts_at_working_directory(request, i))
            continue;
        ret_attached[i] = outside->directory(outside);
        if (ret_attached[i] < 0)
            return ret_attached[i];
        request->attached |= 1u << i;
    }
    return 0;
}

// --- BROKER -----------------------------------------------------------------------------------------------------------

static void take_reply(const struct brig_broker_call *call, const struct box_notice *notice, const struct box_outside *outside,
                       struct box_workspace *work, struct box_answer *answer)
{
    const struct brig_broker_memory memory = box_memory_of(outside, 0);
    answer->is_cloexec = (work->request.flags & O_CLOEXEC) != 0;
    if (work->reply.verdict == BRIG_BROKER_TOUCHED)
        answer->kind = BOX_ANSWER_DEATH;
    else if (answer->descriptor >= 0 && work->request.op == BRIG_BROKER_OP_OPEN)
        answer->kind = BOX_ANSWER_DESCRIPTOR;
    else
        answer_result(answer, brig_broker_deliver(call, notice->data.args, &memory, &work->reply));
}

// With everything copied that the call points to.
static void ask_broker(const struct brig_broker_call *call, const struct box_notice *notice, const struct box_outside *outside,
                       struct box_workspace *work, struct box_answer *answer)
{
    int attached[DESCRIPTORS] = {-1, -1, -1};
    const int error = outside->has_broker ? attach(work, outside, attached) : -EACCES;
    if (error)
        answer_result(answer, error);
    else if (!outside->is_waiting(outside)) // the descriptors, too, are that process'
        answer->kind = BOX_ANSWER_GONE;
    else if (!outside->ask(outside, &work->request, attached, &work->reply, &answer->descriptor))
        answer_result(answer, -EIO);
    else
        take_reply(call, notice, outside, work, answer);
    close_all(attached);
}

// Only calls that make something need the mask, which has to be read from /proc.
static bool makes_something(const struct brig_broker_call *call, const uint64_t args[6])
{
    const uint32_t flags = call->flags >= 0 ? (uint32_t)args[call->flags] : 0;
    if (call->op == BRIG_BROKER_OP_OPEN)
        return call->in_shape == BRIG_BROKER_SHAPE_HOW || ((flags | call->fixed_flags) & (O_CREAT | O_TMPFILE)) != 0;
    return call->op == BRIG_BROKER_OP_MKDIR;
}

static void broker(const struct brig_broker_call *call, const struct box_notice *notice, const struct box_outside *outside,
                   struct box_workspace *work, struct box_answer *answer)
{
    const uint32_t umask = makes_something(call, notice->data.args) ? outside->umask(outside) : 0;
    const struct brig_broker_memory memory = box_memory_of(outside, umask);
    const int gathered = brig_broker_gather(call, notice->data.args, &memory, &work->request, work->numbers);
    if (!outside->is_waiting(outside))
        answer->kind = BOX_ANSWER_GONE;
    else if (gathered == BRIG_BROKER_ABOUT_DESCRIPTOR)
        answer_result(answer, box_answer_descriptor(call, notice, outside, work, work->numbers[0]));
    else if (gathered == BRIG_BROKER_GATHERED && box_asks_own_program(&work->request))
        answer_result(answer, box_answer_own_program(call, notice, outside, work));
    else if (gathered == BRIG_BROKER_NOTHING_TO_DO)
        answer_result(answer, 0);
    else if (gathered != BRIG_BROKER_GATHERED)
        answer_result(answer, -(int64_t)gathered);
    else
        ask_broker(call, notice, outside, work, answer);
}

void box_answer(const struct box_decision *decision, const struct box_notice *notice, const struct box_outside *outside,
                struct box_workspace *work, struct box_answer *ret_answer)
{
    const struct brig_broker_call *call = decision->verb == BRIG_DSL_BROKER ? brig_broker_find_call(decision->call) : NULL;
    *ret_answer = (struct box_answer){.kind = BOX_ANSWER_DEATH, .descriptor = -1};
    switch (decision->verb) {
    case BRIG_DSL_BROKER:
        if (call)
            broker(call, notice, outside, work, ret_answer);
        else
            answer_result(ret_answer, -EACCES);
        break;
    case BRIG_DSL_EMULATE:
        answer_result(ret_answer, box_emulate(decision, notice, outside, work));
        break;
    case BRIG_DSL_REPORT:
        answer_result(ret_answer, -(int64_t)decision->data);
        ret_answer->is_reported = true;
        break;
    case BRIG_DSL_NOTIFY: // until the host has said something else (front.c)
        answer_result(ret_answer, -ENOSYS);
        break;
    default: // CRASH; foreign arches and x32 are told as such
        break;
    }
}
