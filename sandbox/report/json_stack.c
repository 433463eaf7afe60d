// json_stack: the groups `stack`, `modules` and `snapshot` of a report.
//
// Takes: frames, mappings, a checked record. Gives: JSON. Guarantees: no stack byte gets into `stack` or `modules`; bounded sizes.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/report/base64.h"
#include "sandbox/report/json.h"
#include "sandbox/report/registers.h"
#include "sandbox/report/text.h"

const char *box_hex(uint64_t value, char buffer[BOX_HEX_TEXT])
{
    snprintf(buffer, BOX_HEX_TEXT, "0x%" PRIx64, value);
    return buffer;
}

const char *box_stop_name(enum brig_unwind_stop stop)
{
    static const char *const names[] = {
        [BRIG_UNWIND_END] = "end",
        [BRIG_UNWIND_TRUNCATED] = "truncated",
        [BRIG_UNWIND_NO_MODULE] = "no module",
        [BRIG_UNWIND_NO_INFO] = "no unwind information",
        [BRIG_UNWIND_NOT_GROWING] = "stack does not grow",
        [BRIG_UNWIND_LIMIT] = "limit",
        [BRIG_UNWIND_NO_STACK] = "no stack",
    };
    return names[stop];
}

static const char *how_name(enum brig_frame_how how)
{
    static const char *const names[] = {
        [BRIG_FRAME_REGISTERS] = "registers", [BRIG_FRAME_CFI] = "cfi", [BRIG_FRAME_POINTER] = "frame pointer"};
    return names[how];
}

// A key that is not known is left out.
static json_t *text_or_nothing(const char *text)
{
    return text[0] == '\0' ? NULL : json_string(text);
}

static json_t *frame_json(const struct brig_frame *frame)
{
    char ip[BOX_HEX_TEXT];
    char offset[BOX_HEX_TEXT];
    return json_pack("{s:s, s:o*, s:s, s:o*, s:o*, s:o*, s:s}", "ip", box_hex(frame->ip, ip), "module",
                     text_or_nothing(frame->module), "offset", box_hex(frame->module_offset, offset), "build_id",
                     text_or_nothing(frame->build_id), "function", text_or_nothing(frame->symbol), "function_offset",
                     frame->symbol[0] == '\0' ? NULL : json_integer((json_int_t)frame->symbol_offset), "how", how_name(frame->how));
}

json_t *box_json_stack(const struct brig_violation *violation, const struct brig_stack *stack)
{
    json_t *frames = json_array();
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (json_array_append_new(frames, frame_json(&stack->frames[i])) != 0) {
            json_decref(frames);
            return NULL;
        }
    }
    return json_pack("{s:s, s:i, s:b, s:o}", "stop", box_stop_name(stack->stop), "bytes", (int)violation->record->stack_bytes,
                     "cut", (violation->record->flags & BRIG_TRAP_FLAG_STACK_CUT) != 0, "frames", frames);
}

enum { PATH_SHOWN_BYTES = 512 };

// --- modules ----------------------------------------------------------------------------------------------------------

static const char *build_id_in(const struct brig_stack *stack, const struct box_mapping *mapping)
{
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (stack->frames[i].ip - 1 >= mapping->start && stack->frames[i].ip - 1 < mapping->end) {
            return stack->frames[i].build_id;
        }
    }
    return "";
}

static json_t *module_json(const struct box_mapping *mapping, const struct brig_stack *stack)
{
    char path[BOX_PATH_BYTES];
    char escaped[PATH_SHOWN_BYTES];
    char base[BOX_HEX_TEXT];
    char start[BOX_HEX_TEXT];
    char end[BOX_HEX_TEXT];
    char offset[BOX_HEX_TEXT];
    struct box_text text;
    box_text_init(&text, escaped, sizeof escaped);
    box_text_add_path(&text, box_mapping_path(mapping, path) ? path : "");
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o*}", "path", escaped, "base", box_hex(mapping->base, base), "start",
                     box_hex(mapping->start, start), "end", box_hex(mapping->end, end), "file_offset",
                     box_hex(mapping->offset, offset), "build_id", text_or_nothing(build_id_in(stack, mapping)));
}

json_t *box_json_modules(const struct box_maps *maps, const struct brig_stack *stack)
{
    json_t *modules = json_array();
    for (size_t i = 0; i < maps->count && json_array_size(modules) < BOX_MODULES_SHOWN_MAX; i++) {
        if (maps->mappings[i].path_bytes > 0 && json_array_append_new(modules, module_json(&maps->mappings[i], stack)) != 0) {
            json_decref(modules);
            return NULL;
        }
    }
    return modules;
}

// --- snapshot ---------------------------------------------------------------------------------------------------------

json_t *box_json_snapshot(const struct brig_trap_record *record)
{
    char number[BOX_HEX_TEXT];
    json_t *registers = json_array();
    const struct box_registers *layout = box_registers_of(brig_dsl_arch_native());
    for (unsigned i = 0; i < layout->count; i++) {
        if (json_array_append_new(registers, json_string(box_hex(record->registers[i], number))) != 0) {
            json_decref(registers);
            return NULL;
        }
    }
    char *stack = malloc(BOX_BASE64_TEXT(BRIG_TRAP_STACK_BYTES));
    if (stack == NULL) {
        json_decref(registers);
        return NULL;
    }
    box_base64_write(record->stack, record->stack_bytes, stack);
    json_t *snapshot = json_pack("{s:s, s:o, s:s, s:s}", "arch", brig_dsl_arch_name(brig_dsl_arch_native()), "registers", registers,
                                 "stack_address", box_hex(record->stack_address, number), "stack", stack);
    free(stack);
    return snapshot;
}
