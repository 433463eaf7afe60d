// Any registers and memory as a brokered call: what gather makes of them is a whole request, or an errno; and any reply to it is
// delivered into what the caller can write, or not at all.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trap/broker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define BASE UINT64_C(0x10000)

struct space {
    const uint8_t *bytes;
    size_t count;
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "gather_fuzz: %s\n", what);
        abort();
    }
}

static size_t read_space(const struct brig_broker_memory *memory, void *to, uint64_t address, size_t bytes)
{
    const struct space *space = memory->context;
    if (address < BASE || address - BASE >= space->count) {
        return 0;
    }
    const size_t left = space->count - (size_t)(address - BASE);
    const size_t got = bytes < left ? bytes : left;
    memcpy(to, space->bytes + (address - BASE), got);
    return got;
}

static bool write_space(const struct brig_broker_memory *memory, uint64_t address, const void *from, size_t bytes)
{
    static uint8_t sink[BRIG_BROKER_ANSWER_BYTES];
    (void)memory;
    must(bytes <= sizeof sink, "more is written than was answered");
    memcpy(sink, from, bytes); // a sanitizer looks at what is written
    return address % 2 == 0;
}

static void check_paths(const struct brig_broker_request *request)
{
    const uint8_t *path = request->bytes;
    for (size_t i = 0; i < 2; i++) {
        const uint32_t bytes = request->path_bytes[i];
        must(bytes <= BRIG_BROKER_PATH_BYTES, "a path that is too long");
        must(bytes == 0 || memchr(path, 0, bytes) == path + bytes - 1, "a path that does not end, or ends early");
        must(bytes != 1 || request->attached & 1, "an empty path without a descriptor");
        must(bytes == 0 || *path != '/' || !(request->attached >> i & 1), "an absolute path with a directory");
        path += bytes;
    }
}

static void check_request(const struct brig_broker_call *call, const struct brig_broker_request *request,
                          const int32_t descriptors[3])
{
    must(request->op == call->op && request->call == call->call, "another call's request");
    must(request->path_bytes[0] + request->path_bytes[1] + request->data_bytes <= BRIG_BROKER_BYTES, "a request without an end");
    must(request->data_bytes <= BRIG_BROKER_DATA_BYTES && request->attached <= 7, "sizes");
    check_paths(request);
    for (size_t i = 0; i < 3; i++) {
        must((request->attached >> i & 1) == (descriptors[i] >= 0), "a descriptor that is none");
    }
}

static bool is_errno(int value)
{
    static const int known[] = {EFAULT, ENAMETOOLONG, ENOENT, EINVAL, E2BIG, EBADF, EAGAIN};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (value == known[i]) {
            return true;
        }
    }
    return false;
}

static const struct brig_broker_call *next_call(uint32_t from)
{
    const struct brig_broker_call *call = NULL;
    while (!call) {
        call = brig_broker_find_call((enum brig_dsl_call)(from++ % BRIG_SYS_COUNT));
    }
    return call;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const enum brig_dsl_arch arches[] = {BRIG_DSL_X86_64, BRIG_DSL_I386, BRIG_DSL_AARCH64};
    static struct brig_broker_request request;
    static struct brig_broker_reply reply;
    uint64_t args[6];
    uint16_t head[2];
    int32_t descriptors[3];
    if (bytes < sizeof head + sizeof args) {
        return 0;
    }
    memcpy(head, data, sizeof head);
    memcpy(args, data + sizeof head, sizeof args);
    data += sizeof head + sizeof args;
    bytes -= sizeof head + sizeof args;
    for (size_t i = 0; i < 6; i++) {
        args[i] = head[1] >> (i + 2) & 1 ? args[i] % 128 : head[1] >> (i + 8) & 1 ? BASE + args[i] % 1024 : args[i];
    }
    const struct space space = {data, bytes};
    const struct brig_broker_memory memory = {
        .read = read_space, .write = write_space, .context = &space, .arch = arches[head[1] % 3], .umask = 022};
    const struct brig_broker_call *call = next_call(head[0]);
    memset(request.bytes, 0xff, sizeof request.bytes);
    const int gathered = brig_broker_gather(call, args, &memory, &request, descriptors);
    must(gathered <= 0 || is_errno(gathered), "an errno that the kernel does not have here");
    if (gathered == BRIG_BROKER_GATHERED || gathered == BRIG_BROKER_ABOUT_DESCRIPTOR) {
        check_request(call, &request, descriptors);
    }
    memcpy(&reply, data, bytes < sizeof reply ? bytes : sizeof reply);
    const int64_t result = brig_broker_deliver(call, args, &memory, &reply);
    must(reply.result >= 0 || result == reply.result, "an errno that is not the reply's");
    return 0;
}
