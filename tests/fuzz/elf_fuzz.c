// Any bytes as an ELF file: nothing is read outside it, texts end, and the time limit holds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/report/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { QUERIES = 8 };

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "elf_fuzz: %s\n", what);
        abort();
    }
}

static void check_segments(struct box_file *file, const struct box_elf *elf)
{
    unsigned char byte;
    for (size_t i = 0; i < elf->segment_count; i++) {
        uint64_t offset = 0;
        uint64_t bias = 0;
        uint64_t left = box_elf_offset(elf, elf->segments[i].vaddr, &offset);
        must(left == 0 || box_file_read(file, offset, &byte, 1), "an address outside the file");
        must(left == 0 || box_file_read(file, offset + left - 1, &byte, 1), "a segment beyond the file");
        (void)box_elf_bias(elf, 0x7f0000000000, elf->segments[i].offset, &bias);
    }
}

static void check_names(struct box_file *file, const struct box_elf *elf, struct box_budget *budget)
{
    static struct box_elf_query queries[QUERIES];
    for (size_t i = 0; i < QUERIES; i++) {
        queries[i] = (struct box_elf_query){.vaddr = elf->segments[0].vaddr + i * 0x40};
    }
    if (queries[QUERIES - 1].vaddr < queries[0].vaddr) {
        return; // the end of the address space: not sorted
    }
    box_elf_name(file, elf, queries, QUERIES, budget);
    for (size_t i = 0; i < QUERIES; i++) {
        must(memchr(queries[i].name, '\0', sizeof queries[i].name) != NULL, "a name without an end");
        must(queries[i].name[0] == '\0' || queries[i].vaddr - queries[i].symbol_vaddr < queries[i].symbol_bytes,
             "a symbol elsewhere");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct box_file file;
    struct box_elf elf;
    struct box_budget budget;
    struct box_elf_table table;
    struct box_elf_entry entry;
    box_budget_start(&budget, 50);
    box_file_init(&file, -1, data, bytes);
    if (!box_elf_read(&file, &elf)) {
        return 0;
    }
    must(memchr(elf.build_id, '\0', sizeof elf.build_id) != NULL, "a build-id without an end");
    check_segments(&file, &elf);
    check_names(&file, &elf, &budget);
    if (box_elf_search_table(&file, &elf, &table)) {
        must(table.entry_count <= bytes / 8, "more entries than the file can hold");
    }
    if (box_elf_scan_frames(&file, &elf, elf.segments[0].vaddr + 0x1000, &budget, &entry)) {
        must(entry.vaddr - elf.eh_frame.vaddr < elf.eh_frame.size_bytes, "a frame description elsewhere");
    }
    return 0;
}
