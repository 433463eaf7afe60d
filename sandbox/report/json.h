// json: the groups of a report. Internal to sandbox/report.
//
// Every function returns a new object, or NULL where memory ran out or a text was not UTF-8 (which the escapes exclude).
#ifndef BRIG_SANDBOX_REPORT_JSON_H
#define BRIG_SANDBOX_REPORT_JSON_H

#include <jansson.h>

#include "sandbox/report.h"
#include "sandbox/report/maps.h"

enum { BOX_HEX_TEXT = 19, BOX_MODULES_SHOWN_MAX = 128 };

// Writes "0x1f" into `buffer`. Returns: `buffer`. Numbers of 64 bits travel as text, because many readers of JSON keep 53.
const char *box_hex(uint64_t value, char buffer[BOX_HEX_TEXT]);

json_t *box_json_stack(const struct brig_violation *violation, const struct brig_stack *stack);
json_t *box_json_modules(const struct box_maps *maps, const struct brig_stack *stack);
// Registers and stack bytes, for a minidump.
json_t *box_json_snapshot(const struct brig_trap_record *record);

// Returns: "end", "truncated", "no module" ... Context: any.
const char *box_stop_name(enum brig_unwind_stop stop);

#endif
