// maps: the executable file mappings of a process, read from the text of /proc/PID/maps. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_MAPS_H
#define BRIG_SANDBOX_REPORT_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BOX_MAPS_MAX = 512, BOX_MAPS_BYTES_MAX = 1 << 20, BOX_PATH_BYTES = 4096 };

// One executable mapping. `path` points into the text, is not terminated, and is still escaped as the kernel wrote it.
struct box_mapping {
    uint64_t start;
    uint64_t end;
    uint64_t base;   // where the mappings of the same file that stand before it without a gap in the list begin
    uint64_t offset; // in the file
    uint64_t inode;  // 0: no file (anonymous, vdso, vsyscall)
    uint32_t dev_major;
    uint32_t dev_minor;
    const char *path;
    size_t path_bytes;
    bool is_deleted;
};

struct box_maps {
    struct box_mapping mappings[BOX_MAPS_MAX]; // sorted by address, as in the text
    size_t count;
    bool is_cut; // there were more mappings, or more text, than the limits allow
};

// Reads the lines of `text` (NULL is empty). Lines that are not the kernel's form are skipped, mappings that are not executable are
// left out. Context: any.
void box_maps_read(const char *text, size_t text_bytes, struct box_maps *ret_maps);

// Returns: the mapping that contains `address`, or NULL. Context: any.
const struct box_mapping *box_maps_find(const struct box_maps *maps, uint64_t address);

// Returns: whether a file that can be opened is behind it. Context: any.
bool box_mapping_has_file(const struct box_mapping *mapping);

// Returns: whether it is the code that the kernel maps into every process. Context: any.
bool box_mapping_is_vdso(const struct box_mapping *mapping);

// Writes the path as open(2) wants it into `buffer` (BOX_PATH_BYTES): the kernel's \012 becomes a newline.
// Returns: false if it does not fit or contains a NUL. Context: any.
bool box_mapping_path(const struct box_mapping *mapping, char buffer[BOX_PATH_BYTES]);

#endif
