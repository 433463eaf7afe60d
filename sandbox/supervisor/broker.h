// broker: a broker as its supervisor holds it. Internal.
#ifndef BRIG_SANDBOX_SUPERVISOR_BROKER_H
#define BRIG_SANDBOX_SUPERVISOR_BROKER_H

#include "sandbox/broker/control.h"
#include "sandbox/supervisor/internal.h"
#include "sandbox/worker/packet.h"

struct brig_broker {
    struct brig_supervisor *supervisor;
    struct brig_broker *next;
    struct brig_worker *process; // NULL: gone
    int pid;
    char name[32];
    struct box_denials *denials; // the broker writes, we read
    struct brig_broker_names *names;
    uint32_t last_session;
    uint32_t last_count;
    size_t session_count;
    bool ends_with_last_worker;
};

// Says that there is no process behind `broker` any more. Returns: WORKER_DIED.
enum brig_code box_broker_is_gone(const struct brig_broker *broker, struct brig_error *reterr);
// Sends a message; waits at most a second for room. Returns: OK; WORKER_DIED; KERNEL_REFUSED.
enum brig_code box_broker_tell(const struct brig_broker *broker, const struct box_control *control,
                               const struct box_packet_fds *fds, struct brig_error *reterr);
// Asks it to end by itself; its EXIT event follows.
void box_broker_dismiss(struct brig_broker *broker);

#endif
