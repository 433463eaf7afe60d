// Any bytes as what a front end says of a call: the supervisor takes them apart, and what it has then is what was said and no more.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/notify/notify.h"
#include "sandbox/supervisor/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "front_fuzz: %s\n", what);
        abort();
    }
}

// Inputs are the header, and what follows after a record of zeros: seeds need not carry sixteen kilobytes of stack.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct brig_trap_record record;
    static struct box_evidence evidence;
    struct box_front_message message;
    if (bytes < sizeof message || bytes > BOX_FRONT_MESSAGE_MAX - sizeof record)
        return 0;
    memcpy(&message, data, sizeof message);
    const size_t tail_bytes = bytes - sizeof message;
    const bool has_record = !(message.pid & 1);
    const size_t rest_bytes = has_record ? sizeof record + tail_bytes : tail_bytes;
    unsigned char *rest = calloc(1, rest_bytes + 1);
    must(rest != NULL, "no memory");
    memcpy(rest + rest_bytes - tail_bytes, data + sizeof message, tail_bytes);
    evidence = (struct box_evidence){.pid = 1};
    if (box_front_take(&message, rest, rest_bytes, &record, &evidence)) {
        size_t taken = sizeof record + evidence.maps.bytes;
        for (size_t i = 0; i < evidence.pointee_count; i++) {
            must(evidence.pointees[i].size_bytes <= sizeof evidence.bytes[i], "more than there is room for");
            must(evidence.pointees[i].argument >= 0 && evidence.pointees[i].argument < 6, "an argument that there is not");
            taken += evidence.pointees[i].size_bytes;
        }
        must(taken == rest_bytes || !evidence.maps.text, "not all of it, or more");
    }
    box_evidence_free(&evidence);
    free(rest);
    return 0;
}
