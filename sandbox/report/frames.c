// frames: finds call frame information in an ELF file: the search table of .eh_frame_hdr, or the entries of .eh_frame one by one.
//
// Takes: a file whose every byte may be a lie. Gives: addresses that libunwind is then pointed at; the entries themselves it reads
// by its own accessors. Guarantees: bounded by the section's size, by ENTRIES_MAX and by time. Requires: the encodings that gcc and
// clang emit (32-bit relative to the place, or absolute pointers). Source: Linux Standard Base, "Exception Frames".
#include <string.h>

#include "sandbox/report/elf.h"

enum { HDR_BYTES = 12, ENTRIES_MAX = 1 << 16, AUGMENTATION_MAX = 16 };

// DW_EH_PE_*: the low four bits are the format, the next three what the value is relative to.
enum {
    PE_ABSPTR = 0x00,
    PE_UDATA4 = 0x03,
    PE_SDATA4 = 0x0b,
    PE_UDATA8 = 0x04,
    PE_SDATA8 = 0x0c,
    PE_FORMAT = 0x0f,
    PE_PCREL = 0x10,
    PE_RELATION = 0x70
};
enum { HDR_VERSION = 1, HDR_TABLE_ENCODING = 0x3b }; // signed 32 bits, relative to the header

bool box_elf_search_table(struct box_file *file, const struct box_elf *elf, struct box_elf_table *ret_table)
{
    unsigned char header[HDR_BYTES]; // version, three encodings, address of .eh_frame, number of entries
    uint32_t count = 0;
    if (elf->eh_frame_hdr.size_bytes < sizeof header || !box_file_read(file, elf->eh_frame_hdr.offset, header, sizeof header) ||
        header[0] != HDR_VERSION || (header[1] & PE_FORMAT) != PE_SDATA4 || header[2] != PE_UDATA4 ||
        header[3] != HDR_TABLE_ENCODING) {
        return false;
    }
    memcpy(&count, header + 8, sizeof count);
    if (count == 0 || count > (elf->eh_frame_hdr.size_bytes - sizeof header) / 8) {
        return false;
    }
    *ret_table = (struct box_elf_table){.vaddr = elf->eh_frame_hdr.vaddr + sizeof header, .entry_count = count};
    return true;
}

// A place in .eh_frame, as an offset from the section's start.
struct reader {
    struct box_file *file;
    const struct box_elf *elf;
    uint64_t at;
    uint64_t end;
    bool failed;
};

static uint64_t read_bytes(struct reader *reader, unsigned size_bytes)
{
    uint64_t value = 0;
    if (reader->failed || size_bytes > reader->end - reader->at ||
        !box_file_read(reader->file, reader->elf->eh_frame.offset + reader->at, &value, size_bytes)) {
        reader->failed = true;
        return 0;
    }
    reader->at += size_bytes;
    return value;
}

static uint64_t read_leb(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t byte = read_bytes(reader, 1);
        value |= (byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

// Reads an encoded address. A length in the same format has no relation: pass the format alone.
static uint64_t read_encoded(struct reader *reader, unsigned encoding)
{
    uint64_t place = reader->elf->eh_frame.vaddr + reader->at;
    unsigned pointer_bytes = reader->elf->is_64 ? 8 : 4;
    unsigned format = encoding & PE_FORMAT;
    uint64_t value = 0;
    switch (format) {
    case PE_ABSPTR:
        value = read_bytes(reader, pointer_bytes);
        break;
    case PE_UDATA4:
        value = read_bytes(reader, 4);
        break;
    case PE_SDATA4:
        value = (uint64_t)(int64_t)(int32_t)(uint32_t)read_bytes(reader, 4);
        break;
    case PE_UDATA8:
    case PE_SDATA8:
        value = read_bytes(reader, 8);
        break;
    default:
        reader->failed = true;
    }
    value = (encoding & PE_RELATION) == PE_PCREL ? value + place : value;
    return pointer_bytes == 8 ? value : value & UINT32_MAX;
}

// Reads a CIE at `at` for the encoding of addresses in its FDEs (the 'R' of its augmentation).
static bool read_cie(struct reader cie, uint64_t at, unsigned *ret_encoding)
{
    char augmentation[AUGMENTATION_MAX] = "";
    cie.at = at;
    uint64_t length = read_bytes(&cie, 4);
    if (cie.failed || length > cie.end - cie.at || read_bytes(&cie, 4) != 0 || read_bytes(&cie, 1) > 4) {
        return false;
    }
    for (size_t i = 0; (augmentation[i] = (char)read_bytes(&cie, 1)) != '\0'; i++) {
        if (i + 2 >= sizeof augmentation) {
            return false;
        }
    }
    read_leb(&cie); // code alignment
    read_leb(&cie); // data alignment
    read_leb(&cie); // return address register
    *ret_encoding = PE_ABSPTR;
    if (augmentation[0] == 'z') {
        read_leb(&cie); // bytes of augmentation data
    }
    for (const char *letter = augmentation + 1; augmentation[0] == 'z' && *letter != '\0' && !cie.failed; letter++) {
        if (*letter == 'R') {
            *ret_encoding = (unsigned)read_bytes(&cie, 1);
        } else if (*letter == 'P') {
            read_encoded(&cie, (unsigned)read_bytes(&cie, 1) & PE_FORMAT);
        } else if (*letter == 'L') {
            read_bytes(&cie, 1);
        }
    }
    return !cie.failed;
}

// One FDE: does it cover `vaddr`?
static bool covers(struct reader entry, uint64_t cie_at, uint64_t vaddr, uint64_t *ret_start_vaddr)
{
    unsigned encoding = 0;
    if (!read_cie(entry, cie_at, &encoding)) {
        return false;
    }
    uint64_t start = read_encoded(&entry, encoding);
    uint64_t size_bytes = read_encoded(&entry, encoding & PE_FORMAT);
    *ret_start_vaddr = start;
    return !entry.failed && vaddr >= start && vaddr - start < size_bytes;
}

bool box_elf_scan_frames(struct box_file *file, const struct box_elf *elf, uint64_t vaddr, struct box_budget *budget,
                         struct box_elf_entry *ret_entry)
{
    struct reader reader = {.file = file, .elf = elf, .end = elf->eh_frame.size_bytes};
    for (unsigned i = 0; i < ENTRIES_MAX && !box_budget_is_over(budget); i++) {
        uint64_t entry_at = reader.at;
        uint64_t length = read_bytes(&reader, 4);
        if (reader.failed || length < 4 || length > reader.end - reader.at) {
            return false; // the terminator, a 64-bit entry, or nonsense
        }
        uint64_t next_at = reader.at + length;
        uint64_t id_at = reader.at;
        uint64_t id = read_bytes(&reader, 4); // 0: a CIE, else the distance back to the FDE's CIE
        if (id != 0 && id <= id_at && covers(reader, id_at - id, vaddr, &ret_entry->start_vaddr)) {
            ret_entry->vaddr = elf->eh_frame.vaddr + entry_at;
            return true;
        }
        reader.at = next_at;
    }
    return false;
}
