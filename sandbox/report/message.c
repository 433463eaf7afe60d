// message: one event in one line, and the number that names its cause.
//
// Takes: a violation and its stack. Gives: a line for a log that ends in what to do. Guarantees: at most BRIG_MESSAGE_BYTES_MAX
// bytes with the terminator, valid UTF-8, no byte of the worker's unescaped; what comes last has its room reserved, so that a long
// path costs the path.
#include <string.h>

#include "sandbox/report/describe.h"

enum { NAME_BYTES = 40, PLACE_BYTES = 56, FRAME_BYTES = 72, END_BYTES = 272 };
_Static_assert(NAME_BYTES + END_BYTES + 64 < BRIG_MESSAGE_BYTES_MAX, "there is room for a call between who and where");

static void add_worker(const struct brig_violation *violation, struct box_text *text)
{
    char name[NAME_BYTES];
    struct box_text part;
    box_text_init(&part, name, sizeof name);
    box_text_add_clean(&part, violation->worker_name == NULL ? "worker" : violation->worker_name);
    box_text_format(text, "brig: %s[%d] ", name, violation->pid);
}

// The whole call, or as much of it as leaves room for `end`.
static void add_call(const struct brig_violation *violation, const struct box_text *end, struct box_text *text)
{
    static const char ellipsis[] = "...";
    char call[BRIG_MESSAGE_BYTES_MAX];
    struct box_text part;
    box_text_init(&part, call, text->size_bytes - text->used_bytes - end->used_bytes - (sizeof ellipsis - 1));
    box_describe_call(violation, &part);
    box_text_add(text, call);
    box_text_add(text, part.is_cut ? ellipsis : "");
}

static void add_decision(const struct brig_violation *violation, struct box_text *text)
{
    struct box_decision decision = box_decision_of(violation);
    char place[PLACE_BYTES];
    struct box_text part;
    box_text_init(&part, place, sizeof place);
    if (decision.trap != NULL && decision.trap->row != NULL) {
        box_text_add_clean(&part, box_base_name(decision.trap->row->file));
        box_text_format(&part, ":%d", decision.trap->row->line);
    } else {
        box_text_format(&part, "<%s>", box_origin_name(&decision));
    }
    box_text_format(text, "  by %s", place);
}

static void add_frame(const struct brig_stack *stack, struct box_text *text)
{
    char place[FRAME_BYTES];
    struct box_text part;
    if (stack == NULL || stack->frame_count == 0) {
        return;
    }
    const struct brig_frame *frame = &stack->frames[box_interesting_frame(stack)];
    box_text_init(&part, place, sizeof place);
    if (frame->symbol[0] != '\0') {
        box_text_add_clean(&part, frame->symbol);
        box_text_format(&part, "+0x%llx", (unsigned long long)frame->symbol_offset);
    } else {
        box_text_format(&part, "0x%llx", (unsigned long long)(frame->module[0] == '\0' ? frame->ip : frame->module_offset));
    }
    box_text_add(&part, frame->module[0] == '\0' ? "" : " (");
    box_text_add_clean(&part, box_base_name(frame->module));
    box_text_add(&part, frame->module[0] == '\0' ? "" : ")");
    box_text_format(text, "  at %s%s", place, part.is_cut ? "..." : "");
}

static void add_report(const struct brig_violation *violation, struct box_text *text)
{
    char command[END_BYTES];
    struct box_text part;
    box_text_init(&part, command, text->size_bytes - text->used_bytes);
    box_text_add(&part, "  try: brig report ");
    box_text_add_clean(&part, violation->report_name == NULL ? "" : violation->report_name);
    if (violation->report_name != NULL && !part.is_cut) {
        box_text_add(text, command); // a path cut short would name another file
    }
}

void brig_report_message(const struct brig_violation *violation, const struct brig_stack *stack,
                         char buffer[BRIG_MESSAGE_BYTES_MAX])
{
    char end_buffer[END_BYTES];
    struct box_text text;
    struct box_text end;
    struct brig_error error;
    box_text_init(&text, buffer, BRIG_MESSAGE_BYTES_MAX);
    box_text_init(&end, end_buffer, sizeof end_buffer);
    add_worker(violation, &text);
    if (violation->record == NULL || brig_record_check(violation->record, &error) != BRIG_OK) {
        box_text_format(&text, "sent a record that is none: bad %s", violation->record == NULL ? "record" : error.subject);
        return;
    }
    box_text_add(&end, " -> ");
    box_describe_outcome(violation->record, &end);
    add_decision(violation, &end);
    add_frame(stack, &end);
    add_report(violation, &end);
    add_call(violation, &end, &text);
    box_text_add(&text, end_buffer);
}

// --- the cause --------------------------------------------------------------------------------------------------------

enum { KEY_FRAMES = 3 };

// FNV-1a.
static uint64_t mix_byte(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        hash = mix_byte(hash, (unsigned char)(number >> shift));
    }
    return hash;
}

// With an end, so that two texts in a row cannot be mistaken for two others.
static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        hash = mix_byte(hash, (unsigned char)*text);
    }
    return mix_byte(hash, 0);
}

// Not by the program's hash: a program holds its worker's process id.
static uint64_t mix_decision(uint64_t hash, const struct brig_violation *violation)
{
    struct box_decision decision = box_decision_of(violation);
    const struct brig_dsl_row *row = decision.trap == NULL ? NULL : decision.trap->row;
    hash = mix_text(hash, violation->program == NULL ? NULL : violation->program->policy);
    hash = mix_text(hash, row == NULL ? box_origin_name(&decision) : row->file);
    return mix_number(hash, row == NULL ? 0 : (uint64_t)row->line);
}

uint64_t brig_report_key(const struct brig_violation *violation, const struct brig_stack *stack)
{
    const struct brig_trap_record *record = violation->record;
    uint64_t hash = mix_number(UINT64_C(0xcbf29ce484222325), (uint64_t)record->audit_arch << 32 | record->nr);
    hash = mix_decision(hash, violation);
    for (size_t i = 0; stack != NULL && i < stack->frame_count && i < KEY_FRAMES; i++) {
        const struct brig_frame *frame = &stack->frames[i];
        hash = mix_text(hash, frame->module);
        hash = mix_number(hash, frame->module[0] == '\0' ? 0 : frame->module_offset);
    }
    return hash;
}
