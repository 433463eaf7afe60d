// evidence: what is only in the waiting worker's memory: its mappings, and the strings behind the refused call's pointers.
//
// Takes a checked record, gives copies. /proc/PID/maps and /proc/PID/mem were opened at launch, while the worker still was
// dumpable: they go on working when it is not, and they name the memory of that process, whatever becomes of its number. What the
// arguments are is the tables' business.
//
// All of it is claimed: another thread of the worker can change it while it is read. It is shown, never used.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "sandbox/supervisor/internal.h"

// Structs that reports decode, and how much of them. Source: include/uapi/linux/openat2.h, sched.h, socket.h.
static const struct {
    const char *tag;
    size_t bytes;
} structs[] = {
    {"sockaddr", 128},
    {"open_how", 24},
    {"clone_args", 88},
};

static size_t struct_bytes(const char *tag)
{
    for (size_t i = 0; tag && i < sizeof structs / sizeof structs[0]; i++) {
        if (strcmp(structs[i].tag, tag) == 0)
            return structs[i].bytes;
    }
    return 0;
}

// Page by page, because a read that runs into a hole gives nothing at all. Returns: bytes read; ends early behind a NUL if
// `is_string`.
static size_t read_memory(int memory_fd, uint64_t address, unsigned char *buffer, size_t bytes, bool is_string)
{
    enum { PAGE = 4096 };
    size_t used = 0;
    while (used < bytes) {
        const uint64_t from = address + used;
        size_t want = PAGE - (size_t)(from % PAGE);
        if (want > bytes - used)
            want = bytes - used;
        ssize_t got = pread(memory_fd, buffer + used, want, (off_t)from);
        if (got <= 0)
            break;
        const bool has_end = is_string && memchr(buffer + used, '\0', (size_t)got);
        used += (size_t)got;
        if (has_end || (size_t)got < want)
            break;
    }
    return used;
}

static void collect_argument(int memory_fd, const struct brig_dsl_argument *argument, uint64_t address,
                             struct box_evidence *evidence)
{
    const size_t at = evidence->pointee_count;
    struct brig_pointee *pointee = &evidence->pointees[at];
    unsigned char *buffer = evidence->bytes[at];
    const bool is_string = argument->kind == BRIG_DSL_KIND_PATH || argument->kind == BRIG_DSL_KIND_STRING;
    const size_t want = is_string ? BOX_STRING_BYTES : struct_bytes(argument->pointee);
    size_t got = address && want ? read_memory(memory_fd, address, buffer, want, is_string) : 0;
    if (got == 0)
        return;
    const unsigned char *end = is_string ? memchr(buffer, '\0', got) : NULL;
    pointee->bytes = buffer;
    pointee->size_bytes = end ? (size_t)(end - buffer) : got;
    pointee->is_cut = is_string ? !end : got < want;
    evidence->pointee_count++;
}

static void collect_pointees(int memory_fd, const struct brig_trap_record *record, struct box_evidence *evidence)
{
    enum brig_dsl_arch arch;
    if (memory_fd < 0 || !brig_dsl_arch_by_audit(record->audit_arch, &arch))
        return;
    const enum brig_dsl_call call = brig_dsl_call_by_nr(record->nr, arch);
    const uint64_t mask = brig_dsl_arch_is_64bit(arch) ? UINT64_MAX : UINT32_MAX;
    const int count = call == BRIG_SYS_NONE ? 0 : brig_dsl_call_argument_count(call, arch);
    for (int i = 0; i < count; i++) {
        const struct brig_dsl_argument *argument = brig_dsl_call_argument(call, arch, i);
        evidence->pointees[evidence->pointee_count].argument = i;
        collect_argument(memory_fd, argument, record->args[i] & mask, evidence);
    }
}

struct box_text_file box_maps_text(int maps_fd)
{
    size_t capacity = (size_t)32 << 10;
    struct box_text_file maps = {.text = maps_fd >= 0 ? malloc(capacity) : NULL};
    for (ssize_t got; maps.text && (got = pread(maps_fd, maps.text + maps.bytes, capacity - maps.bytes, (off_t)maps.bytes)) > 0;) {
        maps.bytes += (size_t)got;
        if (maps.bytes == BOX_MAPS_BYTES)
            break;
        if (maps.bytes == capacity) {
            char *bigger = realloc(maps.text, capacity * 2);
            if (!bigger)
                break; // what is there is better than nothing
            maps.text = bigger;
            capacity *= 2;
        }
    }
    return maps;
}

void box_evidence_collect_pointees(const struct brig_worker *worker, const struct brig_trap_record *record,
                                   struct box_evidence *evidence)
{
    evidence->maps = (struct box_text_file){.text = NULL};
    evidence->pointee_count = 0;
    evidence->program = NULL;
    collect_pointees(worker->memory_fd, record, evidence);
}

void box_evidence_copy_stack(const struct brig_worker *worker, struct brig_trap_record *record)
{
    if (record->stack_bytes || worker->memory_fd < 0)
        return;
    record->stack_bytes =
        (uint32_t)read_memory(worker->memory_fd, record->stack_address, record->stack, sizeof record->stack, false);
}

void box_evidence_collect(const struct brig_worker *worker, const struct brig_trap_record *record, struct box_evidence *evidence)
{
    box_evidence_collect_pointees(worker, record, evidence);
    evidence->maps = box_maps_text(worker->maps_fd);
}

void box_evidence_free(struct box_evidence *evidence)
{
    free(evidence->maps.text);
}
