// throttle: how much of what a worker does is told. A worker decides how often it is refused; it must not decide how busy its
// supervisor is.
#include <string.h>

#include "sandbox/supervisor/internal.h"

bool box_bucket_take(struct box_bucket *bucket, const struct box_rate *rate, int64_t now_ms)
{
    enum { TOKEN_MILLI = 1000 };
    // So many tokens per second are as many thousandths of a token per millisecond.
    const int64_t refilled = (now_ms - bucket->filled_ms) * rate->per_second;
    bucket->filled_ms = now_ms;
    bucket->used_milli = refilled < bucket->used_milli ? bucket->used_milli - refilled : 0;
    if (bucket->used_milli + TOKEN_MILLI > rate->burst * TOKEN_MILLI)
        return false;
    bucket->used_milli += TOKEN_MILLI;
    return true;
}

struct box_cause *box_causes_find(struct box_causes *causes, uint64_t key, uint64_t sequence)
{
    struct box_cause *oldest = &causes->entries[0];
    struct box_cause *found = NULL;
    for (size_t i = 0; i < BOX_CAUSES && !found; i++) {
        struct box_cause *cause = &causes->entries[i];
        if (cause->seen && cause->key == key)
            found = cause;
        else if (cause->seen < oldest->seen)
            oldest = cause;
    }
    if (!found) {
        *oldest = (struct box_cause){.key = key};
        found = oldest;
    }
    found->seen = sequence;
    return found;
}
