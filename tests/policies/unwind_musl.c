// unwind_musl: lets Debian's C++ runtime, which is built for glibc, find frame information in a program on musl.
//
// Its unwinder asks glibc's _dl_find_object, which musl does not have; what it wants to know is in the program headers.
#include <link.h>
#include <pthread.h>
#include <stddef.h>

// As in glibc's <dlfcn.h> for x86_64 (since 2.35).
struct dl_find_object {
    unsigned long long flags;
    void *map_start;
    void *map_end;
    void *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct search {
    const char *address;
    struct dl_find_object *found;
};

int _dl_find_object(void *address, struct dl_find_object *found);

static int visit(struct dl_phdr_info *module, size_t size_bytes, void *context)
{
    (void)size_bytes;
    struct search *search = context;
    struct dl_find_object found = {0};
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &module->dlpi_phdr[i];
        char *start = (char *)module->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME) {
            found.eh_frame = start;
        } else if (header->p_type == PT_LOAD && search->address >= start && search->address < start + header->p_memsz) {
            found.map_start = start;
            found.map_end = start + header->p_memsz;
        }
    }
    if (!found.map_start || !found.eh_frame) {
        return 0;
    }
    *search->found = found;
    return 1;
}

// The runtime refers to these weakly, which does not pull them out of a static libc.
__attribute__((used)) static void (*const needed[])(void) = {
    (void (*)(void))pthread_once,        (void (*)(void))pthread_key_create, (void (*)(void))pthread_getspecific,
    (void (*)(void))pthread_setspecific, (void (*)(void))pthread_mutex_lock, (void (*)(void))pthread_mutex_unlock,
};

int _dl_find_object(void *address, struct dl_find_object *found)
{
    struct search search = {.address = address, .found = found};
    return dl_iterate_phdr(visit, &search) == 1 ? 0 : -1;
}
