// json: a JSON text as a tree that knows where everything stands, with numbers as they are written.
//
// jansson decides what is JSON; it gives neither positions of values nor integers above INT64_MAX, and both are needed here.
#ifndef BRIG_TOOLS_IMPORT_JSON_H
#define BRIG_TOOLS_IMPORT_JSON_H

#include "tools/import/rows.h"

enum import_json_kind {
    IMPORT_JSON_NULL,
    IMPORT_JSON_BOOLEAN,
    IMPORT_JSON_NUMBER,
    IMPORT_JSON_STRING,
    IMPORT_JSON_ARRAY,
    IMPORT_JSON_OBJECT,
};

struct import_json {
    enum import_json_kind kind;
    const char *key;   // of a member of an object
    size_t key_offset; // where it stands
    size_t offset;     // where the value stands
    int line;
    const char *text;          // a string's characters, a number's digits
    struct import_json *first; // of an array's elements, or an object's members
    struct import_json *next;
};

// What reading a tree needs all the time.
struct import_json_reader {
    const struct import_source *source;
    struct import_memory *memory;
    struct import_error *reterr;
};

// Reads a whole text: an object, without duplicate keys. Returns: NULL after having written the error.
struct import_json *import_json_read(const struct import_json_reader *reader);

// One of the members that an object may have.
struct import_json_field {
    const char *name;
    enum import_json_kind kind;
};

// All of them.
struct import_json_shape {
    const char *what; // the object, in errors
    const struct import_json_field *fields;
    size_t field_count;
};
#define IMPORT_JSON_SHAPE(what_it_is, table) \
    { \
        .what = (what_it_is), .fields = (table), .field_count = sizeof(table) / sizeof(table)[0] \
    }

// Finds an object's members: ret_members[i] is that of fields[i], NULL where it is not there or null. Other members, and other
// kinds, are errors.
bool import_json_members(const struct import_json_reader *reader, const struct import_json *object,
                         const struct import_json_shape *shape, const struct import_json **ret_members);
// Finds one member of an object that may have any. Returns: NULL if it is not there or null.
const struct import_json *import_json_member(const struct import_json *object, const char *name);
// Reads a whole number from 0 to `most`. `name` says in the error which one it is.
bool import_json_number(const struct import_json_reader *reader, const struct import_json *number, const char *name, uint64_t most,
                        uint64_t *ret_number);
// Checks that all elements of an array are of one kind.
bool import_json_elements(const struct import_json_reader *reader, const struct import_json *array, const char *name,
                          enum import_json_kind kind);

// Writes an error about a value. Returns: false.
#define IMPORT_JSON_FAIL(reader, value, ...) \
    import_fail((reader)->reterr, import_place_at((reader)->source, (value)->offset), __VA_ARGS__)
#define IMPORT_JSON_FAIL_NAME(reader, value, closest, ...) \
    import_fail_name((reader)->reterr, import_place_at((reader)->source, (value)->offset), closest, __VA_ARGS__)

#endif
