// refusals: what a linked worker refused itself (trap/broker_refusals.h), for the table of what was refused.
//
// The ring lies in memory that a hostile worker writes, so what stands there is a claim: a copy of it is made a request, the list
// is asked whether it would refuse these words, and only then it counts. A ring that makes no sense is left alone; the worker then
// asks about everything, which is its own loss.
//
// Who takes: a thread that served a request, after its answer; whoever wants to count; the last one out, before the memory goes.
#include <string.h>

#include "sandbox/broker/session.h"

// Returns: false if the next one is not there, or not whole.
static bool copy_next(const struct brig_broker_refusals *refusals, uint32_t taken, struct brig_broker_refusal *ret_refusal)
{
    const struct brig_broker_refusal *next = &refusals->ring[taken % BRIG_BROKER_REFUSALS];
    if (__atomic_load_n(&next->turn, __ATOMIC_ACQUIRE) != taken + 1)
        return false;
    memcpy(ret_refusal, next, sizeof *ret_refusal);
    __asm__ volatile("" ::: "memory"); // the copy is what is used from here on
    return true;
}

bool box_refusal_check(const struct box_list *list, const struct brig_broker_refusal *refusal, struct box_denial *ret_denial)
{
    struct brig_broker_request request;
    struct brig_broker_reply reply;
    const uint32_t bytes = refusal->path_bytes;
    if (bytes > sizeof refusal->path)
        return false;
    memset(&request, 0, BRIG_BROKER_HEADER_BYTES);
    request.op = refusal->op;
    request.call = refusal->call;
    request.flags = refusal->flags;
    request.mode = refusal->mode;
    request.number = refusal->number;
    request.path_bytes[0] = bytes;
    memcpy(request.bytes, refusal->path, bytes);
    if (box_request_check(&request, BRIG_BROKER_HEADER_BYTES + bytes) != NULL)
        return false;
    struct box_job job = {.list = list,
                          .request = &request,
                          .path = {bytes ? (const char *)request.bytes : NULL},
                          .attached = {-1, -1, -1},
                          .reply = &reply,
                          .only_decides = true};
    box_serve(&job);
    if (reply.verdict != BRIG_BROKER_SETTLED)
        return false;
    box_denial_of(&request, reply.result, ret_denial);
    return true;
}

void box_refusals_take(struct box_session *session)
{
    struct brig_broker_refusal refusal;
    struct box_denial denial;
    pthread_mutex_lock(&session->refusals_lock);
    struct brig_broker_refusals *refusals = session->slots ? &session->slots->refusals : NULL;
    for (unsigned i = 0; refusals && i < BRIG_BROKER_REFUSALS && copy_next(refusals, session->refusals_taken, &refusal); i++) {
        session->refusals_taken++;
        if (box_refusal_check(session->process->list, &refusal, &denial))
            box_denials_count(session->denials, &denial);
    }
    if (refusals)
        __atomic_store_n(&refusals->taken, session->refusals_taken, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&session->refusals_lock);
}

bool box_refusals_wait(const struct box_session *session)
{
    return session->slots && __atomic_load_n(&session->slots->refusals.posted, __ATOMIC_RELAXED) !=
                                 __atomic_load_n(&session->slots->refusals.taken, __ATOMIC_RELAXED);
}
