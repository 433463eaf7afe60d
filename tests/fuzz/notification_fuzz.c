// Any notification, any memory behind it, any answers of the outside: what the front end makes of them.
//
// What must hold whatever comes: the broker is asked at most once, only after the kernel said that the call still waits, after the
// last look at the program; what it is asked is a whole request; nothing is written to a program that does not wait; a descriptor
// is only handed over for an open; nobody dies but for a violation; no descriptor stays open.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policies/policies.h"
#include "sandbox/broker/broker.h"
#include "sandbox/notify/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define BASE UINT64_C(0x10000)

// The outside of one notification.
struct world {
    struct box_outside outside; // first
    const uint8_t *bytes;
    size_t count;
    uint32_t choices;   // bits that say how the outside behaves
    uint32_t questions; // how many of them are used
    bool is_settled;    // the kernel said that the call waits, and nothing was looked at since
    unsigned asked;
    uint32_t asked_op;
    uint32_t verdict;
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "notification_fuzz: %s\n", what);
        abort();
    }
}

static struct world *world_of(const struct box_outside *outside)
{
    return (struct world *)(uintptr_t)outside;
}

static bool choose(struct world *world)
{
    return (world->choices >> (world->questions++ % 32) & 1) != 0;
}

// Memory that is another one each time it is looked at.
static size_t read_space(const struct box_outside *outside, void *to, uint64_t address, size_t bytes)
{
    struct world *world = world_of(outside);
    world->is_settled = false;
    if (address < BASE || address - BASE >= world->count)
        return 0;
    const size_t left = world->count - (size_t)(address - BASE);
    const size_t got = bytes < left ? bytes : left;
    memcpy(to, world->bytes + (address - BASE), got);
    if (got && choose(world))
        ((uint8_t *)to)[got / 2] ^= 0x20;
    return got;
}

static bool write_space(const struct box_outside *outside, uint64_t address, const void *from, size_t bytes)
{
    static uint8_t sink[BRIG_BROKER_ANSWER_BYTES];
    must(world_of(outside)->is_settled, "a write to a program that may be gone");
    must(bytes <= sizeof sink, "more is written than was answered");
    memcpy(sink, from, bytes); // a sanitizer looks at what is written
    return address % 2 == 0;
}

static int fetch(const struct box_outside *outside, int number)
{
    struct world *world = world_of(outside);
    world->is_settled = false;
    return number >= 0 && choose(world) ? (int)memfd_create("fetched", MFD_CLOEXEC) : -EBADF;
}

static int directory(const struct box_outside *outside)
{
    world_of(outside)->is_settled = false;
    return choose(world_of(outside)) ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -ENOENT;
}

static bool is_waiting(const struct box_outside *outside)
{
    struct world *world = world_of(outside);
    world->is_settled = (world->choices >> 29) != 0 || choose(world);
    return world->is_settled;
}

static bool ask(const struct box_outside *outside, const struct brig_broker_request *request, const int attached[3],
                struct brig_broker_reply *reply, int *ret_descriptor)
{
    struct world *world = world_of(outside);
    const size_t used = (size_t)request->path_bytes[0] + request->path_bytes[1] + request->data_bytes;
    must(world->is_settled, "a broker is asked for a call that may be gone");
    must(world->asked++ == 0, "a broker is asked twice");
    const char *wrong = box_request_check(request, BRIG_BROKER_HEADER_BYTES + used);
    must(!wrong, wrong);
    for (int i = 0; i < 3; i++)
        must((request->attached >> i & 1) == (attached[i] >= 0), "a descriptor that is said to be there and is not");
    world->asked_op = request->op;
    *ret_descriptor = choose(world) ? (int)memfd_create("answer", MFD_CLOEXEC) : -1;
    world->verdict = choose(world) ? (choose(world) ? BRIG_BROKER_TOUCHED : BRIG_BROKER_DENIED) : BRIG_BROKER_DONE;
    reply->verdict = world->verdict;
    reply->result = choose(world) ? -(int64_t)(world->choices % 200) : (int64_t)(world->choices % 200);
    reply->answer_bytes = world->choices % (BRIG_BROKER_ANSWER_BYTES + 1);
    memset(reply->answer, 0x41, reply->answer_bytes);
    return choose(world);
}

static uint32_t some_number(const struct box_outside *outside)
{
    return world_of(outside)->choices & 0777;
}

static int64_t some_program(const struct box_outside *outside, void *path, size_t bytes)
{
    const size_t some = world_of(outside)->choices & 0777;
    memset(path, 'p', some < bytes ? some : bytes);
    return some == 0 ? -ENOENT : (int64_t)(some < bytes ? some : bytes);
}

static const struct brig_dsl_rules *rules_of_programs(void)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    static struct brig_dsl_arena arena;
    static struct brig_dsl_rules rules;
    const struct brig_dsl_options options = box_program_options(4242);
    struct brig_error error;
    if (!rules.calls) {
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        must(brig_dsl_resolve(&brig_policy_program, &options, &arena, &rules, &error) == BRIG_OK, "the policy of programs");
    }
    return &rules;
}

static void check_answer(const struct world *world, const struct box_decision *decision, const struct box_answer *answer)
{
    const bool is_crash = decision->verb == BRIG_DSL_CRASH;
    must(answer->kind != BOX_ANSWER_DEATH || is_crash || (world->asked && world->verdict == BRIG_BROKER_TOUCHED),
         "a death for nothing");
    must(answer->kind == BOX_ANSWER_DEATH || !is_crash, "a violation that is answered");
    must(answer->kind != BOX_ANSWER_DESCRIPTOR || (world->asked_op == BRIG_BROKER_OP_OPEN && answer->descriptor >= 0),
         "a descriptor for something else than an open");
    must(answer->kind != BOX_ANSWER_RESULT || answer->result >= -4095, "a result that is neither a number nor an errno");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct box_workspace work;
    struct {
        uint16_t call, shape;
        uint32_t choices;
        uint64_t args[6];
    } head;
    if (bytes < sizeof head)
        return 0;
    memcpy(&head, data, sizeof head);
    struct world world = {.outside = {.read = read_space,
                                      .write = write_space,
                                      .fetch = fetch,
                                      .directory = directory,
                                      .is_waiting = is_waiting,
                                      .ask = ask,
                                      .umask = some_number,
                                      .parent = some_number,
                                      .program = some_program,
                                      .has_broker = head.shape & 1},
                          .bytes = data + sizeof head,
                          .count = bytes - sizeof head,
                          .choices = head.choices};
    const int32_t nr = brig_dsl_call_nr((enum brig_dsl_call)(head.call % BRIG_SYS_COUNT), brig_dsl_arch_native());
    struct box_notice notice = {
        .id = 1,
        .tid = 4242,
        .data = {.nr = head.shape & 2 || nr < 0 ? head.call : (uint32_t)nr,
                 .audit_arch = head.shape & 4 ? head.choices : brig_dsl_arch_audit(brig_dsl_arch_native())}};
    for (int i = 0; i < 6; i++)
        notice.data.args[i] = head.shape >> (i + 4) & 1    ? head.args[i] % 128
                              : head.shape >> (i + 10) & 1 ? BASE + head.args[i] % 1024
                                                           : head.args[i];
    const int free_before = dup(STDERR_FILENO);
    close(free_before);
    struct box_answer answer;
    const struct box_decision decision = box_decide(rules_of_programs(), &notice.data);
    box_answer(&decision, &notice, &world.outside, &work, &answer);
    check_answer(&world, &decision, &answer);
    if (answer.descriptor >= 0)
        close(answer.descriptor);
    const int free_after = dup(STDERR_FILENO);
    close(free_after);
    must(free_before == free_after, "a descriptor that stays open");
    return 0;
}
