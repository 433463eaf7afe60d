// rows: what importers share. See rows.h.
//
// Memory is a list of chunks that are freed together; a row, a condition and its text are one small piece each.
#include "tools/import/rows.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- memory -----------------------------------------------------------------------------------------------------------

#define CHUNK_BYTES ((size_t)1 << 16)

struct chunk {
    struct chunk *next;
    size_t size_bytes;
    size_t used_bytes;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct import_memory {
    struct chunk *chunks; // the last one first
    struct import_warning *warnings;
    size_t warning_count;
    size_t warning_room;
    bool is_exhausted;
};

struct import_memory *import_memory_new(void)
{
    return calloc(1, sizeof(struct import_memory));
}

void import_memory_free(struct import_memory *memory)
{
    struct chunk *chunk = memory == NULL ? NULL : memory->chunks;
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(memory);
}

static bool add_chunk(struct import_memory *memory, size_t least)
{
    size_t bytes = least > CHUNK_BYTES ? least : CHUNK_BYTES;
    struct chunk *chunk = memory->is_exhausted ? NULL : calloc(1, sizeof *chunk + bytes);
    if (chunk == NULL) {
        memory->is_exhausted = true;
        return false;
    }
    chunk->size_bytes = bytes;
    chunk->next = memory->chunks;
    memory->chunks = chunk;
    return true;
}

void *import_alloc(struct import_memory *memory, size_t bytes)
{
    size_t rounded = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (memory->chunks == NULL || memory->chunks->size_bytes - memory->chunks->used_bytes < rounded || memory->is_exhausted) {
        if (!add_chunk(memory, rounded)) {
            return NULL;
        }
    }
    struct chunk *chunk = memory->chunks;
    void *at = chunk->bytes + chunk->used_bytes;
    chunk->used_bytes += rounded;
    return at;
}

const char *import_copy(struct import_memory *memory, const char *text, size_t text_bytes)
{
    char *copy = import_alloc(memory, text_bytes + 1);
    if (copy == NULL) {
        return "";
    }
    memcpy(copy, text, text_bytes);
    return copy;
}

static const char *print(struct import_memory *memory, const char *format, va_list arguments)
{
    char *text = NULL;
    int bytes = vasprintf(&text, format, arguments);
    if (bytes < 0) {
        memory->is_exhausted = true;
        return "";
    }
    const char *copy = import_copy(memory, text, (size_t)bytes);
    free(text);
    return copy;
}

const char *import_print(struct import_memory *memory, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = print(memory, format, arguments);
    va_end(arguments);
    return text;
}

// Makes room for one more element. Returns: the array, moved if it had to grow; NULL if there is no memory.
static void *grow(struct import_memory *memory, void *array, size_t count, size_t *room, size_t element_bytes)
{
    if (count < *room) {
        return array;
    }
    size_t more = *room == 0 ? 16 : *room * 2;
    void *larger = import_alloc(memory, more * element_bytes);
    if (larger != NULL && count > 0) {
        memcpy(larger, array, count * element_bytes);
    }
    *room = larger == NULL ? *room : more;
    return larger;
}

void import_warn(struct import_memory *memory, const char *file, int line, const char *format, ...)
{
    va_list arguments;
    struct import_warning *warnings =
        grow(memory, memory->warnings, memory->warning_count, &memory->warning_room, sizeof *warnings);
    if (warnings == NULL) {
        return;
    }
    va_start(arguments, format);
    memory->warnings = warnings;
    warnings[memory->warning_count++] =
        (struct import_warning){.file = file, .line = line, .text = print(memory, format, arguments)};
    va_end(arguments);
}

// --- rows -------------------------------------------------------------------------------------------------------------

static const char *const register_names[] = {"reg0", "reg1", "reg2", "reg3", "reg4", "reg5"};

struct brig_dsl_condition import_condition(struct import_memory *memory, enum brig_dsl_operator op, unsigned reg,
                                           const uint64_t *values, size_t value_count)
{
    enum { VALUE_BYTES = sizeof "U64(0x0123456789abcdef), " };
    struct brig_dsl_condition condition = {.op = op, .argument = register_names[reg], .text = ""};
    char *text = import_alloc(memory, value_count * VALUE_BYTES + 1);
    size_t used = 0;
    for (size_t i = 0; text != NULL && i < value_count; i++) {
        const char *format = values[i] > INT64_MAX ? "%sU64(0x%" PRIx64 ")" : "%s0x%" PRIx64;
        used += (size_t)sprintf(text + used, format, i == 0 ? "" : ", ", values[i]);
        condition.text = text;
    }
    return condition;
}

static const struct brig_dsl_condition no_conditions[] = {{.op = BRIG_DSL_END}};

const struct brig_dsl_condition *import_conditions(struct import_memory *memory, const struct brig_dsl_condition *conditions,
                                                   size_t condition_count)
{
    struct brig_dsl_condition *copies =
        condition_count == 0 ? NULL : import_alloc(memory, (condition_count + 1) * sizeof *copies); // zero is BRIG_DSL_END
    if (copies == NULL) {
        return no_conditions;
    }
    memcpy(copies, conditions, condition_count * sizeof *copies);
    return copies;
}

void import_add_row(struct import_rows *rows, const struct brig_dsl_row *row, const struct brig_dsl_condition *conditions,
                    size_t condition_count)
{
    struct brig_dsl_row *grown = grow(rows->memory, rows->rows, rows->count, &rows->room, sizeof *grown);
    if (grown == NULL) {
        return;
    }
    rows->rows = grown;
    rows->rows[rows->count] = *row;
    if (row->conditions == NULL) {
        rows->rows[rows->count].conditions = import_conditions(rows->memory, conditions, condition_count);
    }
    rows->count++;
}

void import_add_target(struct import_rows *rows, const struct import_heading *heading, struct import_policies *policies)
{
    struct import_memory *memory = rows->memory;
    struct brig_dsl_policy *policy = import_alloc(memory, sizeof *policy);
    struct brig_dsl_import *import = import_alloc(memory, sizeof *import);
    import_add_row(rows, &(struct brig_dsl_row){.kind = BRIG_DSL_ROW_END}, NULL, 0);
    if (policy == NULL || import == NULL || memory->is_exhausted) {
        return;
    }
    *import = heading->import;
    *policy = (struct brig_dsl_policy){.name = import_copy(memory, heading->name, strlen(heading->name)),
                                       .rows = rows->rows,
                                       .fallback = heading->fallback,
                                       .kernel = heading->kernel == 0 ? brig_dsl_newest_kernel() : heading->kernel,
                                       .import = import};
    policies->targets[policies->target_count++] = (struct brig_dsl_target){.arch = heading->arch, .policy = policy};
}

bool import_finish(struct import_memory *memory, const char *file, struct import_policies *policies, struct import_error *reterr)
{
    if (memory->is_exhausted) {
        import_memory_free(memory);
        return import_fail(reterr, (struct import_place){.file = file}, "out of memory");
    }
    policies->warnings = memory->warnings;
    policies->warning_count = memory->warning_count;
    policies->memory = memory;
    return true;
}

void import_free(struct import_policies *policies)
{
    import_memory_free(policies->memory);
    *policies = (struct import_policies){.target_count = 0};
}

// --- errors and names -------------------------------------------------------------------------------------------------

static bool fail(struct import_error *reterr, struct import_place place, const char *closest, const char *format, va_list arguments)
{
    *reterr = (struct import_error){.line = place.line, .column = place.column};
    snprintf(reterr->file, sizeof reterr->file, "%s", place.file);
    snprintf(reterr->closest, sizeof reterr->closest, "%s", closest == NULL ? "" : closest);
    vsnprintf(reterr->text, sizeof reterr->text, format, arguments);
    return false;
}

bool import_fail(struct import_error *reterr, struct import_place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(reterr, place, NULL, format, arguments);
    va_end(arguments);
    return false;
}

bool import_fail_name(struct import_error *reterr, struct import_place place, const char *closest, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(reterr, place, closest, format, arguments);
    va_end(arguments);
    return false;
}

const char *import_error_format(const struct import_error *error, char *buffer, size_t buffer_bytes)
{
    char place[32] = "";
    if (error->line > 0 && error->column > 0) {
        snprintf(place, sizeof place, ":%d:%d", error->line, error->column);
    } else if (error->line > 0) {
        snprintf(place, sizeof place, ":%d", error->line);
    }
    bool has_closest = error->closest[0] != '\0';
    snprintf(buffer, buffer_bytes, "%s%s: %s%s%s%s", error->file, place, error->text, has_closest ? "; did you mean '" : "",
             error->closest, has_closest ? "'?" : "");
    return buffer;
}

enum { NAME_BYTES_MAX = 63 };

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

// Levenshtein distance of two short names, whatever case they are in; one that cannot be in reach for long ones.
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_BYTES_MAX + 1];
    size_t a_bytes = strlen(a);
    size_t b_bytes = strlen(b);
    if (a_bytes > NAME_BYTES_MAX || b_bytes > NAME_BYTES_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_bytes; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t changed = diagonal + (toupper((unsigned char)a[i - 1]) != toupper((unsigned char)b[j - 1]));
            diagonal = row[j];
            row[j] = least_of(changed, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b_bytes];
}

const char *import_closest(const char *name, const char *const *candidates, size_t candidate_count)
{
    const char *closest = NULL;
    size_t least = strlen(name) / 3 + 2;
    for (size_t i = 0; i < candidate_count; i++) {
        size_t distance = edit_distance(name, candidates[i]);
        if (distance < least) {
            least = distance;
            closest = candidates[i];
        }
    }
    return closest;
}

struct import_place import_place_at(const struct import_source *source, size_t offset)
{
    struct import_place place = {.file = source->name, .line = 1, .column = 1};
    for (size_t i = 0; i < offset && i < source->text_bytes; i++) {
        place.column = source->text[i] == '\n' ? 1 : place.column + 1;
        place.line += source->text[i] == '\n';
    }
    return place;
}
