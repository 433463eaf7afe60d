// elf: what unwinding and naming need from an ELF file, read with distrust. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_ELF_H
#define BRIG_SANDBOX_REPORT_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// --- limits -----------------------------------------------------------------------------------------------------------

// A point in time after which work stops. Asking is cheap: the clock is read every few calls.
struct box_budget {
    int64_t end_ns; // CLOCK_MONOTONIC
    unsigned calls;
    bool is_over; // sticky
};

// Starts a budget of `limit_ms` from now. Context: normal.
void box_budget_start(struct box_budget *budget, int64_t limit_ms);
// Returns: whether the time is over. Context: normal.
bool box_budget_is_over(struct box_budget *budget);

// --- bytes of a file --------------------------------------------------------------------------------------------------

enum { BOX_CHUNK_BYTES = 4096, BOX_CHUNK_COUNT = 8 };

struct box_chunk {
    uint64_t offset; // in the file, multiple of BOX_CHUNK_BYTES
    size_t size_bytes;
    unsigned char bytes[BOX_CHUNK_BYTES];
};

// A file that is read by pread, never mapped: a file that shrinks must not become a SIGBUS.
struct box_file {
    int fd;                     // -1 where `image` is given
    const unsigned char *image; // or NULL
    uint64_t size_bytes;
    struct box_chunk chunks[BOX_CHUNK_COUNT]; // cache of small reads
};

// Starts reading from a descriptor (not owned), or from memory. Context: normal.
void box_file_init(struct box_file *file, int fd, const void *image, uint64_t size_bytes);

// Reads exactly `size_bytes` at `offset`. Returns: false if the file does not have them. Context: normal.
bool box_file_read(struct box_file *file, uint64_t offset, void *buffer, size_t size_bytes);
// The same without the cache, for reads of many chunks.
bool box_file_read_through(struct box_file *file, uint64_t offset, void *buffer, size_t size_bytes);

// --- what an ELF file says --------------------------------------------------------------------------------------------

enum { BOX_ELF_SEGMENTS_MAX = 16, BOX_BUILD_ID_TEXT = 41, BOX_SYMBOL_NAME = 128 };

struct box_elf_segment {
    uint64_t offset;
    uint64_t vaddr;
    uint64_t file_bytes;
    bool is_writable;
    bool is_executable;
};

// A run of bytes; `vaddr` where it is loaded, `offset` in the file. size_bytes 0: there is none.
struct box_elf_span {
    uint64_t vaddr;
    uint64_t offset;
    uint64_t size_bytes;
};

struct box_elf_symbols {
    uint64_t offset;
    uint64_t count;
    uint64_t names_offset;
    uint64_t names_bytes;
};

struct box_elf {
    bool is_64;
    struct box_elf_segment segments[BOX_ELF_SEGMENTS_MAX];
    size_t segment_count;
    struct box_elf_span eh_frame_hdr;
    struct box_elf_span eh_frame;
    struct box_elf_symbols symbols;   // .symtab, or .dynsym where the file was stripped
    char build_id[BOX_BUILD_ID_TEXT]; // hexadecimal, empty if none
};

// Reads headers, build-id and the places of the tables. Returns: false if it is no ELF file of this machine's byte order, or one
// that contradicts itself. Context: normal.
bool box_elf_read(struct box_file *file, struct box_elf *ret_elf);

// Says where the byte that is loaded at `vaddr` stands in the file, for segments that are never writable.
// Returns: how many bytes follow in the segment, 0 if there is no such byte. Context: any.
uint64_t box_elf_offset(const struct box_elf *elf, uint64_t vaddr, uint64_t *ret_offset);

// Computes what was added to the file's addresses when the part at `file_offset` was mapped executable at `address`.
// Returns: false if no executable segment has that part. Context: any.
bool box_elf_bias(const struct box_elf *elf, uint64_t address, uint64_t file_offset, uint64_t *ret_bias);

// --- symbols ----------------------------------------------------------------------------------------------------------

// One question to the symbol table, and its answer.
struct box_elf_query {
    uint64_t vaddr;
    uint64_t symbol_vaddr;
    uint64_t symbol_bytes;
    char name[BOX_SYMBOL_NAME]; // empty: not found
};

// Answers `queries`, sorted by vaddr, in one pass over the table. Stops early when the time is over.
// Context: normal.
void box_elf_name(struct box_file *file, const struct box_elf *elf, struct box_elf_query *queries, size_t query_count,
                  struct box_budget *budget);

// --- call frame information -------------------------------------------------------------------------------------------

// Where the search table of .eh_frame_hdr is: pairs of 32-bit offsets relative to the header.
struct box_elf_table {
    uint64_t vaddr;
    uint64_t entry_count;
};

// Returns: false if the file has no such table in the usual encoding. Context: normal.
bool box_elf_search_table(struct box_file *file, const struct box_elf *elf, struct box_elf_table *ret_table);

// One frame description: the function that it starts with, and where it stands.
struct box_elf_entry {
    uint64_t start_vaddr;
    uint64_t vaddr;
};

// Finds the frame description that covers `vaddr` by reading .eh_frame from its start, for files without a search table.
// Returns: false if there is none. Context: normal.
bool box_elf_scan_frames(struct box_file *file, const struct box_elf *elf, uint64_t vaddr, struct box_budget *budget,
                         struct box_elf_entry *ret_entry);

#endif
