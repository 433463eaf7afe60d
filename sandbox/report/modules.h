// modules: the ELF files behind the mappings of one snapshot. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_MODULES_H
#define BRIG_SANDBOX_REPORT_MODULES_H

#include "sandbox/report/elf.h"
#include "sandbox/report/maps.h"

// Stacks that go through more files than this get no names and no unwind information for the rest.
enum { BOX_MODULES_OPEN_MAX = 24 };

struct box_module {
    const struct box_mapping *mapping;
    bool is_usable; // an ELF file that fits the mapping; otherwise remembered so that it is tried once
    struct box_file file;
    struct box_elf elf;
    uint64_t bias; // address in memory - address in the file
};

struct box_modules {
    struct box_module list[BOX_MODULES_OPEN_MAX];
    size_t count;
};

// Starts an empty list. Context: normal.
void box_modules_init(struct box_modules *modules);
// Closes all files. Context: normal.
void box_modules_close(struct box_modules *modules);

// Opens the file behind `mapping`, once: O_NOFOLLOW, a regular file, with the device and inode that the mapping says; the vdso is
// read from our own copy. Returns: NULL if that is not possible. Owns: the list does. Context: normal.
struct box_module *box_modules_get(struct box_modules *modules, const struct box_mapping *mapping);

// Reads bytes that are loaded at `address` from the files opened so far. Bytes behind a segment's end, in the same word, read as
// zero. Returns: false if no file has them in a segment that is never written. Context: normal.
bool box_modules_read(struct box_modules *modules, uint64_t address, void *buffer, size_t size_bytes);

#endif
