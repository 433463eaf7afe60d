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

// Letters to insert, delete, replace, or swap with their neighbour to make one of the other.
static size_t edits(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t table[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
    for (size_t i = 0; i <= a_bytes; i++) {
        for (size_t j = 0; j <= b_bytes; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            table[i][j] = table[i - 1][j - 1] + (size_t)(a[i - 1] != b[j - 1]);
            table[i][j] = smaller(table[i][j], smaller(table[i - 1][j], table[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                table[i][j] = smaller(table[i][j], table[i - 2][j - 2] + 1);
            }
        }
    }
    return table[a_bytes][b_bytes];
}

const char *brig_policy_closest_promise(const char *word, size_t word_bytes)
{
    const char *closest = NULL;
    size_t least = word_bytes / 3 + 1;
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
