// parts: what the files of tools/profile share. See profile.h.
#ifndef BRIG_TOOLS_PROFILE_PARTS_H
#define BRIG_TOOLS_PROFILE_PARTS_H

#include "tools/profile/profile.h"

// What stands for an address: filters see no more of it than that it is not NULL.
#define PROFILE_SOME_POINTER 0x7f0000001000u

// --- table.c ----------------------------------------------------------------------------------------------------------

enum { PROFILE_NO_TYPE = -1 };

// Calls that are alike. Two entries are the same when all but the count of the sample is.
struct profile_entry {
    int type;      // index of the process type, or PROFILE_NO_TYPE
    bool is_total; // of a table of counts: calls that another table may give with arguments
    struct brig_dsl_sample sample;
};

// Entries by content, kept in the order in which they came.
struct profile_table {
    struct profile_entry *entries;
    size_t count;
    size_t capacity;
    uint32_t *slots; // indices + 1, 0 is empty; a power of two of them
    size_t slot_count;
};

enum profile_added { PROFILE_ADDED, PROFILE_TOO_MANY, PROFILE_OVERFLOW, PROFILE_NO_MEMORY };

// Adds to the count of the entry that is like `entry`, making it if there is none.
enum profile_added profile_table_add(struct profile_table *table, const struct profile_entry *entry);
// Returns: the entry like `entry`, or NULL.
struct profile_entry *profile_table_find(const struct profile_table *table, const struct profile_entry *entry);
void profile_table_free(struct profile_table *table);

// --- words.c ----------------------------------------------------------------------------------------------------------

// A call about which nothing is known: pointers hold an address, everything else is 0.
struct brig_dsl_sample profile_blank_sample(uint32_t nr, enum brig_dsl_call call, enum brig_dsl_arch arch);
// Reads what a table says of a call's arguments into `sample`. Returns: false, with `sample` untouched, if that gives no values or
// has a word that means nothing.
bool profile_read_words(struct brig_dsl_text words, enum brig_dsl_call call, enum brig_dsl_arch arch,
                        struct brig_dsl_sample *sample);

// --- lines.c ----------------------------------------------------------------------------------------------------------

enum { PROFILE_COLUMNS_MAX = 32, PROFILE_TYPES_MAX = 4096 };

enum profile_kind { PROFILE_KIND_UNKNOWN, PROFILE_KIND_TABLE, PROFILE_KIND_CALLS };

struct profile_reader {
    enum brig_dsl_arch arch;
    const char *type;               // asked for, or NULL
    char *types[PROFILE_TYPES_MAX]; // seen
    int type_count;
    struct profile_table table;
    uint64_t vague_count;
    uint64_t absent_count;

    int file_count;
    // Of the file that is being read.
    const char *name;
    int line;
    enum profile_kind kind;
    int column_count;
    int columns[4]; // by enum profile_heading: place in a row, or -1
};

// Reads one line, without its end. Returns: false after having written `reterr`.
bool profile_read_line(struct profile_reader *reader, struct brig_dsl_text line, struct profile_error *reterr);

#endif
