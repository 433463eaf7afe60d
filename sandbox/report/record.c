// record: decides whether bytes that a worker wrote are a record at all.
//
// Takes: a private copy of a slot. Gives: yes, or the first field that cannot be. Guarantees: after OK every size, offset and
// enumeration of the record may be used without further checks. It does not say that the record is true: it is a claim.
#include "sandbox/report.h"
#include "sandbox/report/registers.h"

// PID_MAX_LIMIT of include/linux/threads.h: no process id is bigger. 0 is "unknown".
enum { PID_MAX = 1 << 22, ERRNO_MAX = 4095, TRAP_ID_MAX = 0xffff };

#define KNOWN_FLAGS \
    (BRIG_TRAP_FLAG_WAITS | BRIG_TRAP_FLAG_REENTERED | BRIG_TRAP_FLAG_FOREIGN | BRIG_TRAP_FLAG_ALT_STACK | \
     BRIG_TRAP_FLAG_STACK_CUT | BRIG_TRAP_FLAG_ASYNC_BLOCKED)

// The snapshot starts below the stack pointer by the red zone, rounded down.
enum { RED_ZONE_BYTES = 128, STACK_ALIGNMENT = 16 };

static const struct box_registers layouts[BRIG_DSL_ARCH_COUNT] = {
    [BRIG_DSL_X86_64] = {.count = 17, .ip = 16, .sp = 7, .fp = 6},
    [BRIG_DSL_AARCH64] = {.count = 34, .ip = 32, .sp = 31, .fp = 29},
};

const struct box_registers *box_registers_of(enum brig_dsl_arch arch)
{
    static const struct box_registers none = {.count = 0};
    return (unsigned)arch < BRIG_DSL_ARCH_COUNT ? &layouts[arch] : &none;
}

static bool is_known_arch(const struct brig_trap_record *record)
{
    enum brig_dsl_arch arch;
    return brig_dsl_arch_by_audit(record->audit_arch, &arch);
}

static bool is_known_verb(uint32_t verb)
{
    return verb == BRIG_DSL_CRASH || verb == BRIG_DSL_REPORT || verb == BRIG_DSL_NOTIFY;
}

// A question that nobody waits with cannot be answered.
static bool is_sound_question(const struct brig_trap_record *record)
{
    return record->verb != BRIG_DSL_NOTIFY || (record->flags & BRIG_TRAP_FLAG_WAITS) != 0;
}

// Whether the snapshot lies where the stack pointer says and does not wrap around.
static bool is_plausible_stack(const struct brig_trap_record *record)
{
    const struct box_registers *layout = box_registers_of(brig_dsl_arch_native());
    if (record->stack_bytes == 0 || layout->count == 0) {
        return true;
    }
    uint64_t below = record->registers[layout->sp] - record->stack_address;
    return record->stack_address % STACK_ALIGNMENT == 0 && record->stack_address <= UINT64_MAX - record->stack_bytes &&
           below < RED_ZONE_BYTES + STACK_ALIGNMENT;
}

static const char *find_bad_field(const struct brig_trap_record *record)
{
    const struct {
        bool is_good;
        const char *field;
    } checks[] = {
        {record->magic == BRIG_TRAP_RECORD_MAGIC, "magic"},
        {record->version == BRIG_TRAP_RECORD_VERSION, "version"},
        {record->pid <= PID_MAX, "pid"},
        {record->tid <= PID_MAX, "tid"},
        {is_known_arch(record), "audit_arch"},
        {record->trap_id <= TRAP_ID_MAX, "trap_id"},
        {is_known_verb(record->verb), "verb"},
        {record->data <= ERRNO_MAX, "data"},
        {(record->flags & ~(uint32_t)KNOWN_FLAGS) == 0 && is_sound_question(record), "flags"},
        {record->stack_bytes <= BRIG_TRAP_STACK_BYTES, "stack_bytes"},
        {is_plausible_stack(record), "stack_address"},
        {record->reserved == 0, "reserved"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!checks[i].is_good) {
            return checks[i].field;
        }
    }
    return NULL;
}

enum brig_code brig_record_check(const struct brig_trap_record *record, struct brig_error *reterr)
{
    const char *field = find_bad_field(record);
    if (field == NULL) {
        return BRIG_OK;
    }
    return brig_error_set(reterr, (struct brig_error){.code = BRIG_BAD_RECORD, .step = "check record", .subject = field});
}
