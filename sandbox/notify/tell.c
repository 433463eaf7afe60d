// tell: from a waiting call to a message for the supervisor, who makes a report of it.
//
// What the kernel says of the thread: number, arguments, stack pointer and program counter (/proc/TID/syscall); the other registers
// cannot be had without stopping it, so code with frame pointers unwinds only as far as its tables say. The arguments in the
// notification are the kernel's, the bytes behind them the program's: they are shown, never used.
//
// Wire: struct box_front_message, the record, the bytes of the pointees, the maps, in one packet.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/notify/notify.h"
#include "sandbox/worker/packet.h"
#include "sandbox/worker/proc.h"

enum { BURST = 20, PER_SECOND = 10, RED_ZONE_BYTES = 128, POINTEES = 6 };

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

// --- how much is told -------------------------------------------------------------------------------------------------

static bool take_token(struct box_teller *teller)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    teller->used_milli -= (now_ms - teller->filled_ms) * PER_SECOND;
    teller->filled_ms = now_ms;
    if (teller->used_milli < 0)
        teller->used_milli = 0;
    if (teller->used_milli > INT64_C(1000) * (BURST - 1))
        return false;
    teller->used_milli += 1000;
    return true;
}

// --- the record -------------------------------------------------------------------------------------------------------

// The end of the line "NR ARG*6 SP PC". Returns: false where the kernel does not say.
static bool read_stack_pointer(uint32_t tid, uint64_t *ret_sp, uint64_t *ret_pc)
{
    char path[48], text[256];
    snprintf(path, sizeof path, "/proc/%u/syscall", tid);
    const long bytes = box_read_text(path, text, sizeof text);
    char *last = bytes > 0 ? strrchr(text, ' ') : NULL;
    if (!last)
        return false;
    *ret_pc = strtoull(last, NULL, 16);
    *last = '\0';
    last = strrchr(text, ' ');
    *ret_sp = last ? strtoull(last, NULL, 16) : 0;
    return last != NULL;
}

// DWARF numbers of registers that hold what the call was made with. Source: psABIs of x86_64 and aarch64, syscall(2).
static const struct {
    uint8_t result, args[6], sp, pc;
    bool is_known;
} layouts[BRIG_DSL_ARCH_COUNT] = {
    [BRIG_DSL_X86_64] = {.result = 0, .args = {5, 4, 1, 10, 8, 9}, .sp = 7, .pc = 16, .is_known = true},
    [BRIG_DSL_AARCH64] = {.result = 8, .args = {0, 1, 2, 3, 4, 5}, .sp = 31, .pc = 32, .is_known = true},
};

static void fill_registers(struct brig_trap_record *record, const struct box_asker *asker)
{
    const enum brig_dsl_arch arch = brig_dsl_arch_native();
    uint64_t sp, pc;
    if (!layouts[arch].is_known || !read_stack_pointer(asker->tid, &sp, &pc))
        return;
    record->registers[layouts[arch].result] = record->nr;
    for (int i = 0; i < 6; i++)
        record->registers[layouts[arch].args[i]] = record->args[i];
    record->registers[layouts[arch].sp] = sp;
    record->registers[layouts[arch].pc] = pc;
    record->stack_address = (sp - RED_ZONE_BYTES) & ~(uint64_t)15;
    record->stack_bytes =
        (uint32_t)asker->outside.read(&asker->outside, record->stack, record->stack_address, BRIG_TRAP_STACK_BYTES);
    if (record->stack_bytes == BRIG_TRAP_STACK_BYTES)
        record->flags |= BRIG_TRAP_FLAG_STACK_CUT;
}

static void fill_record(struct brig_trap_record *record, uint32_t process, const struct box_asker *asker,
                        const struct box_notice *notice, const struct box_decision *decision)
{
    *record = (struct brig_trap_record){.magic = BRIG_TRAP_RECORD_MAGIC,
                                        .version = BRIG_TRAP_RECORD_VERSION,
                                        .pid = process,
                                        .tid = asker->tid,
                                        .nr = notice->data.nr,
                                        .audit_arch = notice->data.audit_arch,
                                        .trap_id = decision->trap_id,
                                        .verb = decision->verb == BRIG_DSL_REPORT ? BRIG_DSL_REPORT : BRIG_DSL_CRASH,
                                        .data = decision->verb == BRIG_DSL_REPORT ? decision->data : 0,
                                        .call_address = notice->data.ip};
    memcpy(record->args, notice->data.args, sizeof record->args);
    fill_registers(record, asker);
}

// --- what is behind the arguments -------------------------------------------------------------------------------------

// Structs that reports decode. Source: include/uapi/linux/socket.h, openat2.h, sched.h.
static size_t struct_bytes(const char *tag)
{
    static const struct {
        const char *tag;
        size_t bytes;
    } structs[] = {{"sockaddr", 128}, {"open_how", 24}, {"clone_args", 88}};
    for (size_t i = 0; tag && i < sizeof structs / sizeof structs[0]; i++) {
        if (strcmp(structs[i].tag, tag) == 0)
            return structs[i].bytes;
    }
    return 0;
}

static size_t add_pointee(struct box_front_message *message, unsigned char *to, const struct box_asker *asker,
                          const struct brig_dsl_argument *argument, const struct box_front_pointee *wanted)
{
    const bool is_string = argument->kind == BRIG_DSL_KIND_PATH || argument->kind == BRIG_DSL_KIND_STRING;
    const size_t want = is_string ? BOX_FRONT_STRING_BYTES : struct_bytes(argument->pointee);
    const uint64_t address = asker->args[wanted->argument];
    const size_t got = address && want ? asker->outside.read(&asker->outside, to, address, want) : 0;
    const unsigned char *end = is_string ? memchr(to, '\0', got) : NULL;
    if (got == 0)
        return 0;
    struct box_front_pointee *pointee = &message->pointees[message->pointee_count++];
    pointee->argument = wanted->argument;
    pointee->bytes = (uint32_t)(end ? (size_t)(end - to) : got);
    pointee->is_cut = is_string ? !end : got < want;
    return pointee->bytes;
}

static size_t add_pointees(struct box_front_message *message, unsigned char *to, const struct box_asker *asker,
                           const struct box_decision *decision)
{
    const enum brig_dsl_arch arch = brig_dsl_arch_native();
    const int count = decision->call == BRIG_SYS_NONE ? 0 : brig_dsl_call_argument_count(decision->call, arch);
    size_t used = 0;
    for (int i = 0; i < count && i < POINTEES; i++) {
        const struct box_front_pointee wanted = {.argument = (uint32_t)i};
        used += add_pointee(message, to + used, asker, brig_dsl_call_argument(decision->call, arch, i), &wanted);
    }
    return used;
}

static uint32_t read_maps(uint32_t process, unsigned char *to)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%u/maps", process);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint32_t used = 0;
    for (ssize_t got; fd >= 0 && used < BOX_FRONT_MAPS_BYTES && (got = read(fd, to + used, BOX_FRONT_MAPS_BYTES - used)) > 0;)
        used += (uint32_t)got;
    if (fd >= 0)
        close(fd);
    while (used > 0 && to[used - 1] != '\n') // a line that was cut names something else
        used--;
    return used;
}

// Returns: how many bytes the message has.
static size_t fill_message(struct box_front_message *message, const struct box_asker *asker, const struct box_notice *notice,
                           const struct box_decision *decision)
{
    struct brig_trap_record *record = (struct brig_trap_record *)(void *)(message + 1);
    unsigned char *rest = (unsigned char *)(record + 1);
    message->pid = box_proc_field(asker->tid, "Tgid", 10);
    fill_record(record, message->pid, asker, notice, decision);
    rest += add_pointees(message, rest, asker, decision);
    message->maps_bytes = message->kind == BOX_FRONT_VIOLATION ? read_maps(message->pid, rest) : 0;
    return (size_t)(rest - (unsigned char *)message) + message->maps_bytes;
}

bool box_tell_violation(struct box_teller *teller, const struct box_asker *asker, const struct box_notice *notice,
                        const struct box_decision *decision)
{
    pthread_mutex_lock(&one_at_a_time);
    const bool is_wanted = take_token(teller);
    const uint32_t lost = is_wanted ? teller->lost : 0;
    teller->lost = is_wanted ? 0 : teller->lost + 1;
    pthread_mutex_unlock(&one_at_a_time);
    struct box_front_message *message = is_wanted ? calloc(1, BOX_FRONT_MESSAGE_MAX) : NULL;
    if (!message)
        return false;
    *message = (struct box_front_message){.kind = BOX_FRONT_VIOLATION, .lost = lost};
    const size_t bytes = fill_message(message, asker, notice, decision);
    // Not waited for: a supervisor that is busy must not hold up the program.
    const bool is_sent = send(teller->channel_fd, message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
    free(message);
    return is_sent;
}

uint32_t box_tell_lost(struct box_teller *teller)
{
    pthread_mutex_lock(&one_at_a_time);
    const uint32_t lost = teller->lost;
    teller->lost = 0;
    pthread_mutex_unlock(&one_at_a_time);
    return lost;
}

// --- questions --------------------------------------------------------------------------------------------------------

static bool hear_verdict(int channel_fd, struct box_verdict *ret_verdict)
{
    const struct iovec part = {&ret_verdict->message, sizeof ret_verdict->message};
    struct box_packet_fds fds;
    ssize_t got;
    do
        got = box_packet_receive(channel_fd, part, 1, 0, &fds);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof ret_verdict->message)
        box_packet_close(&fds);
    ret_verdict->descriptor = fds.fds[0];
    return got == (ssize_t)sizeof ret_verdict->message;
}

bool box_tell_question(const struct box_teller *teller, const struct box_asker *asker, const struct box_notice *notice,
                       const struct box_decision *decision, struct box_verdict *ret_verdict)
{
    // The supervisor is one thread, so nobody waits longer for that; and the next message on the channel is the answer.
    static pthread_mutex_t one_question = PTHREAD_MUTEX_INITIALIZER;
    struct box_front_message *message = calloc(1, BOX_FRONT_MESSAGE_MAX);
    if (!message)
        return false;
    message->kind = BOX_FRONT_QUESTION;
    const size_t bytes = fill_message(message, asker, notice, decision);
    pthread_mutex_lock(&one_question);
    const bool is_heard =
        send(teller->channel_fd, message, bytes, MSG_NOSIGNAL) > 0 && hear_verdict(teller->channel_fd, ret_verdict);
    pthread_mutex_unlock(&one_question);
    free(message);
    return is_heard;
}
