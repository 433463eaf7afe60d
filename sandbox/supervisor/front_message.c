// front_message: what a front end says about one call, taken apart. Bytes in, a record and its evidence out.
//
// The front end works on what a program gave it: somebody may have taken it over. Sizes are checked against what there is before
// anything is copied; what the record itself says is for brig_record_check.
#include <stdlib.h>
#include <string.h>

#include "sandbox/notify/notify.h"
#include "sandbox/supervisor/internal.h"

static bool take_pointees(const struct box_front_message *message, const unsigned char **at, const unsigned char *end,
                          struct box_evidence *evidence)
{
    if (message->pointee_count > sizeof evidence->pointees / sizeof evidence->pointees[0])
        return false;
    for (uint32_t i = 0; i < message->pointee_count; i++) {
        const struct box_front_pointee *told = &message->pointees[i];
        if (told->bytes > sizeof evidence->bytes[i] || told->bytes > (size_t)(end - *at) || told->argument > 5)
            return false;
        memcpy(evidence->bytes[i], *at, told->bytes);
        evidence->pointees[i] = (struct brig_pointee){
            .argument = (int)told->argument, .is_cut = told->is_cut != 0, .size_bytes = told->bytes, .bytes = evidence->bytes[i]};
        *at += told->bytes;
    }
    evidence->pointee_count = message->pointee_count;
    return true;
}

bool box_front_take(const struct box_front_message *message, const unsigned char *rest, size_t bytes,
                    struct brig_trap_record *ret_record, struct box_evidence *evidence)
{
    const unsigned char *at = rest, *end = rest + bytes;
    if (bytes < sizeof *ret_record)
        return false;
    memcpy(ret_record, at, sizeof *ret_record);
    at += sizeof *ret_record;
    if (!take_pointees(message, &at, end, evidence) || (size_t)(end - at) != message->maps_bytes)
        return false;
    evidence->maps.text = malloc(message->maps_bytes + (size_t)1);
    if (evidence->maps.text) {
        memcpy(evidence->maps.text, at, message->maps_bytes);
        evidence->maps.bytes = message->maps_bytes;
    }
    return true;
}
