// modules: opens the files that a worker has mapped, without trusting what it says about them.
//
// Takes: a mapping, whose path is the worker's choice. Gives: an ELF file and where it was loaded. Guarantees: nothing but a
// regular file is opened (its kind is asked before, so that no device or FIFO is touched, and again after opening), nothing that is
// not the file that the kernel says is mapped, nothing above the size limit; nothing is mapped into this process. Weaknesses: btrfs
// and some overlays show another device in maps than stat(2) does, so files there are not used; what a worker could still write to
// is not known here.
#include "sandbox/report/modules.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((off_t)4 << 30)

void box_modules_init(struct box_modules *modules)
{
    modules->count = 0;
}

void box_modules_close(struct box_modules *modules)
{
    for (size_t i = 0; i < modules->count; i++) {
        if (modules->list[i].file.fd >= 0) {
            close(modules->list[i].file.fd);
        }
    }
    modules->count = 0;
}

static bool is_mapped_file(const struct stat *status, const struct box_mapping *mapping)
{
    return S_ISREG(status->st_mode) && status->st_ino == mapping->inode && major(status->st_dev) == mapping->dev_major &&
           minor(status->st_dev) == mapping->dev_minor && status->st_size > 0 && status->st_size <= FILE_BYTES_MAX;
}

static bool open_file(struct box_module *module)
{
    char path[BOX_PATH_BYTES];
    struct stat status;
    if (!box_mapping_has_file(module->mapping) || !box_mapping_path(module->mapping, path) || lstat(path, &status) != 0 ||
        !is_mapped_file(&status, module->mapping)) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) != 0 || !is_mapped_file(&status, module->mapping)) {
        close(fd);
        return false;
    }
    box_file_init(&module->file, fd, NULL, (uint64_t)status.st_size);
    return true;
}

// The kernel maps the same vdso into every process of an arch; there is no file of it.
static bool open_vdso(struct box_module *module)
{
    const unsigned char *image = (const unsigned char *)getauxval(AT_SYSINFO_EHDR); // NOLINT(performance-no-int-to-ptr)
    if (image == NULL || !box_mapping_is_vdso(module->mapping)) {
        return false;
    }
    ElfW(Ehdr) header;
    memcpy(&header, image, sizeof header);
    // The section headers are the last thing in it.
    box_file_init(&module->file, -1, image, header.e_shoff + (uint64_t)header.e_shnum * header.e_shentsize);
    return true;
}

struct box_module *box_modules_get(struct box_modules *modules, const struct box_mapping *mapping)
{
    for (size_t i = 0; i < modules->count; i++) {
        if (modules->list[i].mapping == mapping) {
            return modules->list[i].is_usable ? &modules->list[i] : NULL;
        }
    }
    if (modules->count == BOX_MODULES_OPEN_MAX) {
        return NULL;
    }
    struct box_module *module = &modules->list[modules->count++];
    module->mapping = mapping;
    module->file.fd = -1;
    module->is_usable = (open_file(module) || open_vdso(module)) && box_elf_read(&module->file, &module->elf) &&
                        box_elf_bias(&module->elf, mapping->start, mapping->offset, &module->bias);
    return module->is_usable ? module : NULL;
}

bool box_modules_read(struct box_modules *modules, uint64_t address, void *buffer, size_t size_bytes)
{
    for (size_t i = 0; i < modules->count; i++) {
        struct box_module *module = &modules->list[i];
        uint64_t offset = 0;
        uint64_t left = module->is_usable ? box_elf_offset(&module->elf, address - module->bias, &offset) : 0;
        if (left > 0) {
            size_t part = left < size_bytes ? (size_t)left : size_bytes;
            memset(buffer, 0, size_bytes);
            return box_file_read(&module->file, offset, buffer, part);
        }
    }
    return false;
}
