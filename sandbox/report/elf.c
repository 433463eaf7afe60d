// elf: headers, build-id and symbols of an ELF file.
//
// Takes: a file whose every byte may be a lie. Gives: segments, the places of the unwind tables, the build-id, names of functions.
// Guarantees: every offset and count is checked against the file's size before it is used; work is bounded (tables of at most 64
// program headers and 1024 sections, one pass over the symbols, which the caller can stop). 32-bit and 64-bit files go through the
// same code: a table says where each field stands. Weaknesses: no compressed sections, no separate debug files, no .gnu_debugdata.
#include "sandbox/report/elf.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { PHDRS_MAX = 64, SECTIONS_MAX = 1024, NOTE_BYTES_MAX = 4096, SYMBOL_BATCH_BYTES = 16384, SYMBOLS_MAX = 1 << 24 };

// Where a field stands in the on-disk structure.
struct field {
    uint8_t offset;
    uint8_t size_bytes;
};

#define FIELD(structure, member) \
    { \
        offsetof(structure, member), sizeof(((structure *)NULL)->member) \
    }

// Everything that differs between the two classes.
struct layout {
    uint8_t header_bytes, phdr_bytes, section_bytes, symbol_bytes;
    struct field phoff, phentsize, phnum, shoff, shentsize, shnum, shstrndx;
    struct field p_type, p_flags, p_offset, p_vaddr, p_filesz;
    struct field sh_name, sh_type, sh_addr, sh_offset, sh_size, sh_link;
    struct field st_name, st_info, st_shndx, st_value, st_size;
};

#define LAYOUT(bits) \
    { \
        .header_bytes = sizeof(Elf##bits##_Ehdr), .phdr_bytes = sizeof(Elf##bits##_Phdr), \
        .section_bytes = sizeof(Elf##bits##_Shdr), .symbol_bytes = sizeof(Elf##bits##_Sym), \
        .phoff = FIELD(Elf##bits##_Ehdr, e_phoff), .phentsize = FIELD(Elf##bits##_Ehdr, e_phentsize), \
        .phnum = FIELD(Elf##bits##_Ehdr, e_phnum), .shoff = FIELD(Elf##bits##_Ehdr, e_shoff), \
        .shentsize = FIELD(Elf##bits##_Ehdr, e_shentsize), .shnum = FIELD(Elf##bits##_Ehdr, e_shnum), \
        .shstrndx = FIELD(Elf##bits##_Ehdr, e_shstrndx), .p_type = FIELD(Elf##bits##_Phdr, p_type), \
        .p_flags = FIELD(Elf##bits##_Phdr, p_flags), .p_offset = FIELD(Elf##bits##_Phdr, p_offset), \
        .p_vaddr = FIELD(Elf##bits##_Phdr, p_vaddr), .p_filesz = FIELD(Elf##bits##_Phdr, p_filesz), \
        .sh_name = FIELD(Elf##bits##_Shdr, sh_name), .sh_type = FIELD(Elf##bits##_Shdr, sh_type), \
        .sh_addr = FIELD(Elf##bits##_Shdr, sh_addr), .sh_offset = FIELD(Elf##bits##_Shdr, sh_offset), \
        .sh_size = FIELD(Elf##bits##_Shdr, sh_size), .sh_link = FIELD(Elf##bits##_Shdr, sh_link), \
        .st_name = FIELD(Elf##bits##_Sym, st_name), .st_info = FIELD(Elf##bits##_Sym, st_info), \
        .st_shndx = FIELD(Elf##bits##_Sym, st_shndx), .st_value = FIELD(Elf##bits##_Sym, st_value), \
        .st_size = FIELD(Elf##bits##_Sym, st_size) \
    }

static const struct layout layouts[2] = {LAYOUT(32), LAYOUT(64)};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files of the host's byte order are read as they are");

// One load for each size, because millions of symbols go through it.
static inline uint64_t get(const unsigned char *structure, struct field field)
{
    uint64_t wide;
    uint32_t word;
    uint16_t half;
    switch (field.size_bytes) {
    case sizeof wide:
        memcpy(&wide, structure + field.offset, sizeof wide);
        return wide;
    case sizeof word:
        memcpy(&word, structure + field.offset, sizeof word);
        return word;
    case sizeof half:
        memcpy(&half, structure + field.offset, sizeof half);
        return half;
    default:
        return structure[field.offset];
    }
}

static bool is_in_file(const struct box_file *file, uint64_t offset, uint64_t size_bytes)
{
    return offset <= file->size_bytes && size_bytes <= file->size_bytes - offset;
}

// --- program headers --------------------------------------------------------------------------------------------------

static void add_segment(struct box_elf *elf, const struct box_elf_segment *segment)
{
    if (elf->segment_count < BOX_ELF_SEGMENTS_MAX && segment->file_bytes <= UINT64_MAX - segment->vaddr) {
        elf->segments[elf->segment_count++] = *segment;
    }
}

static void hex_text(const unsigned char *bytes, size_t size_bytes, char *ret_text)
{
    for (size_t i = 0; i < size_bytes; i++) {
        ret_text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        ret_text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    ret_text[2 * size_bytes] = '\0';
}

// Looks for the GNU build-id in a note segment.
static void read_notes(struct box_file *file, uint64_t offset, uint64_t size_bytes, struct box_elf *elf)
{
    unsigned char notes[NOTE_BYTES_MAX];
    size_t left = size_bytes < sizeof notes ? (size_t)size_bytes : sizeof notes;
    if (elf->build_id[0] != '\0' || !box_file_read(file, offset, notes, left)) {
        return;
    }
    for (const unsigned char *note = notes; left >= sizeof(Elf64_Nhdr);) {
        Elf64_Nhdr header;
        memcpy(&header, note, sizeof header);
        uint64_t name_bytes = ((uint64_t)header.n_namesz + 3) & ~UINT64_C(3);
        uint64_t desc_bytes = ((uint64_t)header.n_descsz + 3) & ~UINT64_C(3);
        uint64_t all_bytes = sizeof header + name_bytes + desc_bytes;
        if (all_bytes > left) {
            return;
        }
        if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && memcmp(note + sizeof header, "GNU", 4) == 0) {
            size_t shown = header.n_descsz < (BOX_BUILD_ID_TEXT - 1) / 2 ? header.n_descsz : (BOX_BUILD_ID_TEXT - 1) / 2;
            hex_text(note + sizeof header + name_bytes, shown, elf->build_id);
            return;
        }
        note += all_bytes;
        left -= (size_t)all_bytes;
    }
}

static void read_phdr(struct box_file *file, const struct layout *layout, const unsigned char *phdr, struct box_elf *elf)
{
    uint64_t offset = get(phdr, layout->p_offset);
    uint64_t vaddr = get(phdr, layout->p_vaddr);
    uint64_t size_bytes = get(phdr, layout->p_filesz);
    if (!is_in_file(file, offset, size_bytes)) {
        return;
    }
    switch (get(phdr, layout->p_type)) {
    case PT_LOAD:
        add_segment(elf, &(struct box_elf_segment){.offset = offset,
                                                   .vaddr = vaddr,
                                                   .file_bytes = size_bytes,
                                                   .is_writable = (get(phdr, layout->p_flags) & PF_W) != 0,
                                                   .is_executable = (get(phdr, layout->p_flags) & PF_X) != 0});
        break;
    case PT_GNU_EH_FRAME:
        elf->eh_frame_hdr = (struct box_elf_span){vaddr, offset, size_bytes};
        break;
    case PT_NOTE:
        read_notes(file, offset, size_bytes, elf);
        break;
    default:
        break;
    }
}

static bool read_phdrs(struct box_file *file, const struct layout *layout, const unsigned char *header, struct box_elf *elf)
{
    uint64_t offset = get(header, layout->phoff);
    uint64_t count = get(header, layout->phnum);
    if (get(header, layout->phentsize) != layout->phdr_bytes || count > PHDRS_MAX ||
        !is_in_file(file, offset, count * layout->phdr_bytes)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        unsigned char phdr[sizeof(Elf64_Phdr)];
        if (!box_file_read(file, offset + i * layout->phdr_bytes, phdr, layout->phdr_bytes)) {
            return false;
        }
        read_phdr(file, layout, phdr, elf);
    }
    return elf->segment_count > 0;
}

// --- sections (optional: a file may have none) ------------------------------------------------------------------------

struct sections {
    uint64_t offset;
    uint64_t count;
    uint64_t names_offset;
    uint64_t names_bytes;
};

static bool read_section(struct box_file *file, const struct layout *layout, const struct sections *sections, uint64_t index,
                         unsigned char section[sizeof(Elf64_Shdr)])
{
    if (index >= sections->count ||
        !box_file_read(file, sections->offset + index * layout->section_bytes, section, layout->section_bytes)) {
        return false;
    }
    return get(section, layout->sh_type) == SHT_NOBITS ||
           is_in_file(file, get(section, layout->sh_offset), get(section, layout->sh_size));
}

static bool has_name(struct box_file *file, const struct sections *sections, uint64_t name, const char *expected)
{
    char buffer[16];
    size_t size_bytes = strlen(expected) + 1;
    return size_bytes <= sizeof buffer && name <= sections->names_bytes && size_bytes <= sections->names_bytes - name &&
           box_file_read(file, sections->names_offset + name, buffer, size_bytes) && memcmp(buffer, expected, size_bytes) == 0;
}

static void use_symbols(struct box_file *file, const struct layout *layout, const struct sections *sections,
                        const unsigned char *section, struct box_elf *elf)
{
    unsigned char names[sizeof(Elf64_Shdr)];
    if (!read_section(file, layout, sections, get(section, layout->sh_link), names) || get(names, layout->sh_type) != SHT_STRTAB) {
        return;
    }
    uint64_t count = get(section, layout->sh_size) / layout->symbol_bytes;
    elf->symbols = (struct box_elf_symbols){.offset = get(section, layout->sh_offset),
                                            .count = count < SYMBOLS_MAX ? count : SYMBOLS_MAX,
                                            .names_offset = get(names, layout->sh_offset),
                                            .names_bytes = get(names, layout->sh_size)};
}

static void use_section(struct box_file *file, const struct layout *layout, const struct sections *sections,
                        const unsigned char *section, struct box_elf *elf)
{
    uint64_t type = get(section, layout->sh_type);
    if (type == SHT_SYMTAB || (type == SHT_DYNSYM && elf->symbols.count == 0)) {
        use_symbols(file, layout, sections, section, elf);
    } else if (type != SHT_NOBITS && has_name(file, sections, get(section, layout->sh_name), ".eh_frame")) {
        elf->eh_frame =
            (struct box_elf_span){get(section, layout->sh_addr), get(section, layout->sh_offset), get(section, layout->sh_size)};
    }
}

static void read_sections(struct box_file *file, const struct layout *layout, const unsigned char *header, struct box_elf *elf)
{
    struct sections sections = {.offset = get(header, layout->shoff), .count = get(header, layout->shnum)};
    unsigned char section[sizeof(Elf64_Shdr)];
    if (get(header, layout->shentsize) != layout->section_bytes || sections.count > SECTIONS_MAX ||
        !is_in_file(file, sections.offset, sections.count * layout->section_bytes)) {
        return;
    }
    if (read_section(file, layout, &sections, get(header, layout->shstrndx), section)) {
        sections.names_offset = get(section, layout->sh_offset);
        sections.names_bytes = get(section, layout->sh_type) == SHT_STRTAB ? get(section, layout->sh_size) : 0;
    }
    for (uint64_t i = 1; i < sections.count; i++) {
        if (read_section(file, layout, &sections, i, section)) {
            use_section(file, layout, &sections, section, elf);
        }
    }
}

bool box_elf_read(struct box_file *file, struct box_elf *ret_elf)
{
    unsigned char header[sizeof(Elf64_Ehdr)];
    *ret_elf = (struct box_elf){.is_64 = false};
    if (!box_file_read(file, 0, header, sizeof(Elf32_Ehdr)) || memcmp(header, ELFMAG, SELFMAG) != 0 ||
        header[EI_DATA] != ELFDATA2LSB || (header[EI_CLASS] != ELFCLASS32 && header[EI_CLASS] != ELFCLASS64)) {
        return false;
    }
    ret_elf->is_64 = header[EI_CLASS] == ELFCLASS64;
    const struct layout *layout = &layouts[ret_elf->is_64];
    if (!box_file_read(file, 0, header, layout->header_bytes) || !read_phdrs(file, layout, header, ret_elf)) {
        return false;
    }
    read_sections(file, layout, header, ret_elf);
    return true;
}

// --- addresses --------------------------------------------------------------------------------------------------------

uint64_t box_elf_offset(const struct box_elf *elf, uint64_t vaddr, uint64_t *ret_offset)
{
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct box_elf_segment *segment = &elf->segments[i];
        if (vaddr >= segment->vaddr && vaddr - segment->vaddr < segment->file_bytes && !segment->is_writable) {
            *ret_offset = segment->offset + (vaddr - segment->vaddr);
            return segment->file_bytes - (vaddr - segment->vaddr);
        }
    }
    return 0;
}

bool box_elf_bias(const struct box_elf *elf, uint64_t address, uint64_t file_offset, uint64_t *ret_bias)
{
    // A mapping starts at a page of the file, a segment anywhere in its first page.
    const uint64_t page_mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct box_elf_segment *segment = &elf->segments[i];
        if (file_offset >= (segment->offset & ~page_mask) && file_offset < segment->offset + segment->file_bytes &&
            segment->is_executable) {
            *ret_bias = address - file_offset + segment->offset - segment->vaddr;
            return true;
        }
    }
    return false;
}

// --- symbols ----------------------------------------------------------------------------------------------------------

// Questions sorted by address, and the time there is to answer them.
struct query_list {
    struct box_elf_query *queries;
    size_t count;
    struct box_budget *budget;
};

struct symbol {
    uint64_t name;
    uint64_t vaddr;
    uint64_t size_bytes;
};

static bool read_name(struct box_file *file, const struct box_elf *elf, uint64_t name, char ret_name[BOX_SYMBOL_NAME])
{
    uint64_t left = name < elf->symbols.names_bytes ? elf->symbols.names_bytes - name : 0;
    size_t size_bytes = left < BOX_SYMBOL_NAME ? (size_t)left : BOX_SYMBOL_NAME;
    if (size_bytes == 0 || !box_file_read(file, elf->symbols.names_offset + name, ret_name, size_bytes)) {
        return false;
    }
    ret_name[size_bytes - 1] = '\0';
    return ret_name[0] != '\0';
}

static size_t count_underscores(const char *name)
{
    return strspn(name, "_");
}

// Of two names for one place people want the one that they call: without underscores, then the short one.
static bool is_nicer(const char *name, const char *than)
{
    if (count_underscores(name) != count_underscores(than)) {
        return count_underscores(name) < count_underscores(than);
    }
    return strlen(name) != strlen(than) ? strlen(name) < strlen(than) : strcmp(name, than) < 0;
}

static void offer(struct box_file *file, const struct box_elf *elf, const struct symbol *symbol, struct box_elf_query *query)
{
    char name[BOX_SYMBOL_NAME];
    bool is_tie = query->name[0] != '\0' && symbol->vaddr == query->symbol_vaddr && symbol->size_bytes == query->symbol_bytes;
    bool is_closer = query->name[0] == '\0' || symbol->vaddr > query->symbol_vaddr ||
                     (symbol->vaddr == query->symbol_vaddr && symbol->size_bytes < query->symbol_bytes);
    if ((!is_tie && !is_closer) || !read_name(file, elf, symbol->name, name) || (is_tie && !is_nicer(name, query->name))) {
        return;
    }
    query->symbol_vaddr = symbol->vaddr;
    query->symbol_bytes = symbol->size_bytes;
    memcpy(query->name, name, sizeof name);
}

static size_t first_query_from(const struct box_elf_query *queries, size_t query_count, uint64_t vaddr)
{
    size_t low = 0;
    size_t high = query_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (queries[middle].vaddr < vaddr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Returns: whether the entry is a function with a place and a size. A label without a size covers nothing that can be known.
static bool read_symbol(const struct layout *layout, const unsigned char *entry, struct symbol *ret_symbol)
{
    unsigned char type = ELF64_ST_TYPE((unsigned char)get(entry, layout->st_info));
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || get(entry, layout->st_shndx) == SHN_UNDEF) {
        return false;
    }
    *ret_symbol = (struct symbol){get(entry, layout->st_name), get(entry, layout->st_value), get(entry, layout->st_size)};
    return ret_symbol->size_bytes > 0;
}

static void offer_to_all(struct box_file *file, const struct box_elf *elf, const struct symbol *symbol, struct query_list list)
{
    for (size_t i = first_query_from(list.queries, list.count, symbol->vaddr);
         i < list.count && list.queries[i].vaddr - symbol->vaddr < symbol->size_bytes && !box_budget_is_over(list.budget); i++) {
        offer(file, elf, symbol, &list.queries[i]);
    }
}

void box_elf_name(struct box_file *file, const struct box_elf *elf, struct box_elf_query *queries, size_t query_count,
                  struct box_budget *budget)
{
    unsigned char batch[SYMBOL_BATCH_BYTES];
    const struct layout *layout = &layouts[elf->is_64];
    const uint64_t batch_count = sizeof batch / layout->symbol_bytes;
    for (uint64_t done = 0; done < elf->symbols.count && !box_budget_is_over(budget);) {
        uint64_t count = elf->symbols.count - done < batch_count ? elf->symbols.count - done : batch_count;
        if (!box_file_read_through(file, elf->symbols.offset + done * layout->symbol_bytes, batch,
                                   (size_t)(count * layout->symbol_bytes))) {
            return;
        }
        for (uint64_t i = 0; i < count; i++) {
            struct symbol symbol;
            if (read_symbol(layout, batch + i * layout->symbol_bytes, &symbol)) {
                offer_to_all(file, elf, &symbol, (struct query_list){queries, query_count, budget});
            }
        }
        done += count;
    }
}
