// closest: which promise a misspelt one may have meant.
//
// Takes: a word. Gives: the promise that is fewest edits away, if those are few for its length. Guarantees: pure, bounded: longer
// words than any promise can be misspelt into are not looked at.
#include <string.h>

#include "policies/policies.h"

enum { WORD_BYTES_MAX = 16 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Letters to insert, delete or replace to make one of the other.
static size_t edits(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t row[WORD_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_bytes; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t replaced = diagonal + (size_t)(a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(replaced, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_bytes];
}

const char *brig_policy_closest_promise(const char *word, size_t word_bytes)
{
    const char *closest = NULL;
    size_t least = word_bytes / 3 + 2;
    if (word_bytes > WORD_BYTES_MAX) {
        return NULL;
    }
    for (const struct brig_policy_promise *promise = brig_policy_all_promises; promise->name; promise++) {
        size_t distance = edits(word, word_bytes, promise->name, smaller(strlen(promise->name), WORD_BYTES_MAX));
        if (distance < least) {
            least = distance;
            closest = promise->name;
        }
    }
    return closest;
}
