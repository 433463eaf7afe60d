// broker_fixture: what the tests of the broker's server share: scratch trees, lists, and one request at a time.
#ifndef BRIG_TESTS_SANDBOX_BROKER_FIXTURE_H
#define BRIG_TESTS_SANDBOX_BROKER_FIXTURE_H

#include "sandbox/broker/list.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

#define ALL_RIGHTS (BRIG_BROKER_READ | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE | BRIG_BROKER_RECURSIVE | BRIG_BROKER_FOLLOW)

// A scratch directory, its real path, and how to get rid of it.
struct scratch {
    char path[64];
};
bool scratch_make(struct scratch *scratch);
void scratch_remove(struct scratch *scratch);

// A path below the scratch directory, valid until the eighth next call in this thread.
const char *scratch_path(const struct scratch *scratch, const char *name);

// Make things there. Returns: false after a failed check.
bool scratch_directory(const struct scratch *scratch, const char *name);
bool scratch_file(const struct scratch *scratch, const char *name, const char *text);
bool scratch_link(const struct scratch *scratch, const char *name, const char *text);

// One request, by what tests say about it; the rest is as a client would send it.
struct asking {
    enum brig_broker_op op;
    enum brig_dsl_call call;
    uint32_t flags;
    uint32_t mode;
    uint64_t number;
    const char *paths[2];
    const void *data;
    uint32_t data_bytes;
    int attached[3]; // 0: none
};

struct answer {
    int64_t result;
    enum brig_broker_verdict verdict;
    int descriptor; // or -1; the asker closes it
    uint32_t answer_bytes;
    uint8_t answer[BRIG_BROKER_ANSWER_BYTES];
};

// Builds the request, checks it as the broker does, and serves it.
struct answer broker_ask(const struct box_list *list, const struct asking *asking);

// The same for a descriptor that nobody wants. Returns: the result.
int64_t broker_try(const struct box_list *list, const struct asking *asking);

#endif
