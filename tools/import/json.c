// json: see json.h. The text is given to jansson first; the scan that makes the tree then only sees text that is JSON, and needs no
// errors of its own.
#include "tools/import/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static const char *const kind_names[] = {"null", "true or false", "a number", "a string", "an array", "an object"};

// --- the scan ---------------------------------------------------------------------------------------------------------

struct scan {
    const struct import_json_reader *reader;
    const char *text;
    size_t at;
    int line;
};

// Newlines stand between words alone: a string has them escaped.
static void skip_space(struct scan *scan)
{
    while (scan->text[scan->at] == ' ' || (scan->text[scan->at] >= '\t' && scan->text[scan->at] <= '\r')) {
        scan->line += scan->text[scan->at] == '\n';
        scan->at++;
    }
}

// Moves behind a string. Returns: whether there is an escape in it.
static bool skip_string(struct scan *scan)
{
    bool has_escape = false;
    for (scan->at++; scan->text[scan->at] != '"'; scan->at++) {
        if (scan->text[scan->at] == '\\') {
            has_escape = true;
            scan->at++;
        }
    }
    scan->at++;
    return has_escape;
}

static const char *scan_string(struct scan *scan)
{
    size_t start = scan->at;
    if (!skip_string(scan)) {
        return import_copy(scan->reader->memory, scan->text + start + 1, scan->at - start - 2);
    }
    json_t *string = json_loadb(scan->text + start, scan->at - start, JSON_DECODE_ANY, NULL);
    const char *value = string == NULL ? "" : json_string_value(string);
    const char *copy = import_copy(scan->reader->memory, value, strlen(value));
    json_decref(string);
    return copy;
}

static const char *scan_word(struct scan *scan)
{
    size_t start = scan->at;
    scan->at += strcspn(scan->text + start, " \t\r\n,]}");
    return import_copy(scan->reader->memory, scan->text + start, scan->at - start);
}

static enum import_json_kind kind_of(char first)
{
    switch (first) {
    case '{':
        return IMPORT_JSON_OBJECT;
    case '[':
        return IMPORT_JSON_ARRAY;
    case '"':
        return IMPORT_JSON_STRING;
    case 'n':
        return IMPORT_JSON_NULL;
    case 't':
    case 'f':
        return IMPORT_JSON_BOOLEAN;
    default:
        return IMPORT_JSON_NUMBER;
    }
}

static struct import_json *scan_value(struct scan *scan);

// Moves to the next element or member, or behind the end. Returns: whether there is one.
static bool has_next(struct scan *scan, char end)
{
    skip_space(scan);
    if (scan->text[scan->at] == ',') {
        scan->at++;
        skip_space(scan);
    }
    if (scan->text[scan->at] != end) {
        return true;
    }
    scan->at++;
    return false;
}

// Returns: false if there is no memory.
static bool scan_members(struct scan *scan, struct import_json *parent)
{
    bool is_object = parent->kind == IMPORT_JSON_OBJECT;
    struct import_json **end = &parent->first;
    scan->at++;
    while (has_next(scan, is_object ? '}' : ']')) {
        size_t key_offset = scan->at;
        const char *key = is_object ? scan_string(scan) : NULL;
        skip_space(scan);
        scan->at += is_object; // the colon
        struct import_json *value = scan_value(scan);
        if (value == NULL) {
            return false;
        }
        value->key = key;
        value->key_offset = key_offset;
        *end = value;
        end = &value->next;
    }
    return true;
}

// Returns: NULL if there is no memory.
static struct import_json *scan_value(struct scan *scan)
{
    struct import_json *value = import_alloc(scan->reader->memory, sizeof *value);
    if (value == NULL) {
        return NULL;
    }
    skip_space(scan);
    value->offset = scan->at;
    value->line = scan->line;
    value->kind = kind_of(scan->text[scan->at]);
    if (value->kind >= IMPORT_JSON_ARRAY) {
        return scan_members(scan, value) ? value : NULL;
    }
    if (value->kind == IMPORT_JSON_STRING) {
        value->text = scan_string(scan);
    } else {
        value->text = scan_word(scan);
    }
    return value;
}

// What jansson refuses of JSON is said in other words than its own, which are for who calls it.
static void fail_json(struct import_error *reterr, struct import_place place, const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        import_fail(reterr, place, "%s: which one counts, readers of JSON do not agree on", error->text);
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        import_fail(reterr, place, "a string with \\u0000 in it");
        break;
    case json_error_stack_overflow:
        import_fail(reterr, place, "nested deeper than any profile: %s", error->text);
        break;
    default:
        import_fail(reterr, place, "not JSON: %s", error->text);
    }
}

struct import_json *import_json_read(const struct import_json_reader *reader)
{
    json_error_t error;
    const struct import_source *source = reader->source;
    struct import_place place = {.file = source->name};
    const char *zero = source->text_bytes == 0 ? NULL : memchr(source->text, '\0', source->text_bytes);
    if (zero != NULL) { // jansson overlooks some of them
        import_fail(reader->reterr, import_place_at(source, (size_t)(zero - source->text)), "not JSON: a byte that is 0");
        return NULL;
    }
    json_t *json =
        json_loadb(source->text, source->text_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY, &error);
    if (json == NULL) {
        place.line = error.line > 0 ? error.line : 0;
        place.column = error.column > 0 ? error.column : 0;
        fail_json(reader->reterr, place, &error);
        return NULL;
    }
    json_decref(json);
    struct scan scan = {.reader = reader, .text = import_copy(reader->memory, source->text, source->text_bytes), .line = 1};
    struct import_json *root = scan.text[0] == '\0' ? NULL : scan_value(&scan);
    if (root == NULL) {
        import_fail(reader->reterr, place, "out of memory");
        return NULL;
    }
    if (root->kind != IMPORT_JSON_OBJECT) {
        import_fail(reader->reterr, place, "not a profile: it is %s, not an object", kind_names[root->kind]);
        return NULL;
    }
    return root;
}

// --- what stands where ------------------------------------------------------------------------------------------------

static bool fail_unknown(const struct import_json_reader *reader, const struct import_json *member,
                         const struct import_json_shape *shape)
{
    const char *names[16] = {NULL};
    size_t count = shape->field_count < 16 ? shape->field_count : 16;
    for (size_t i = 0; i < count; i++) {
        names[i] = shape->fields[i].name;
    }
    return import_fail_name(reader->reterr, import_place_at(reader->source, member->key_offset),
                            import_closest(member->key, names, count), "%s has no key '%s'", shape->what, member->key);
}

bool import_json_members(const struct import_json_reader *reader, const struct import_json *object,
                         const struct import_json_shape *shape, const struct import_json **ret_members)
{
    memset(ret_members, 0, shape->field_count * sizeof(const struct import_json *));
    for (const struct import_json *member = object->first; member != NULL; member = member->next) {
        size_t i = 0;
        while (i < shape->field_count && strcmp(shape->fields[i].name, member->key) != 0) {
            i++;
        }
        if (i == shape->field_count) {
            return fail_unknown(reader, member, shape);
        }
        if (member->kind != IMPORT_JSON_NULL && member->kind != shape->fields[i].kind) {
            return IMPORT_JSON_FAIL(reader, member, "'%s' is %s, not %s", member->key, kind_names[member->kind],
                                    kind_names[shape->fields[i].kind]);
        }
        ret_members[i] = member->kind == IMPORT_JSON_NULL ? NULL : member;
    }
    return true;
}

const struct import_json *import_json_member(const struct import_json *object, const char *name)
{
    for (const struct import_json *member = object->first; member != NULL; member = member->next) {
        if (strcmp(member->key, name) == 0) {
            return member->kind == IMPORT_JSON_NULL ? NULL : member;
        }
    }
    return NULL;
}

bool import_json_number(const struct import_json_reader *reader, const struct import_json *number, const char *name, uint64_t most,
                        uint64_t *ret_number)
{
    uint64_t value = 0;
    bool is_wrong = false;
    for (const char *digit = number->text; *digit != '\0'; digit++) {
        is_wrong |= *digit < '0' || *digit > '9';
        is_wrong |= __builtin_mul_overflow(value, (uint64_t)10, &value);
        is_wrong |= __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value);
    }
    if (is_wrong || value > most) {
        return IMPORT_JSON_FAIL(reader, number, "'%s' is a whole number from 0 to %" PRIu64 ", not %s", name, most, number->text);
    }
    *ret_number = value;
    return true;
}

bool import_json_elements(const struct import_json_reader *reader, const struct import_json *array, const char *name,
                          enum import_json_kind kind)
{
    for (const struct import_json *element = array->first; element != NULL; element = element->next) {
        if (element->kind != kind) {
            return IMPORT_JSON_FAIL(reader, element, "an element of '%s' is %s, not %s", name, kind_names[element->kind],
                                    kind_names[kind]);
        }
    }
    return true;
}
