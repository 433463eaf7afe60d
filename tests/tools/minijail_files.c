// minijail_files: the files that the policies of the tests name. See minijail_files.h.
#include "tests/tools/minijail_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/shim/test.h"

static const struct {
    const char *path;
    const char *text;
} files[] = {
    {"dir/base.policy", "read: 1\n@include ./deeper/more.policy\n"},
    {"dir/deeper/more.policy", "write: arg0 == 1\n"},
    {"/etc/all.policy", "close: 1"},
    {"dir/self.policy", "@include ./self.policy\n"},
    {"dir/turn.policy", "@include ./turned.policy\n"},
    {"dir/turned.policy", "\n @include ./turn.policy\n"},
    {"dir/wrong.policy", "# two\n  opeen: 1\n"},
    {"dir/outer.policy", "@include ./wrong.policy"},
    {"dir/deny.policy", "@denylist\nread: return EPERM\n"},
    {"dir/kill.policy", "@default kill-thread\n"},
    {"dir/1.policy", "@include ./2.policy"},
    {"dir/2.policy", "@include ./3.policy"},
    {"dir/3.policy", "@include ./4.policy"},
    {"dir/4.policy", "@include ./5.policy"},
    {"dir/5.policy", "@include ./6.policy"},
    {"dir/6.policy", "@include ./7.policy"},
    {"dir/7.policy", "@include ./8.policy"},
    {"dir/8.policy", "@include ./9.policy"},
    {"dir/9.policy", "@include ./10.policy"},
    {"dir/calls.frequency", "# seen\nread: 100\nwrite : 0x10\nclose[arch=arm]: 7\ngetpid: 2\nread: 1\nmmap: 0\n"},
    {"dir/hot.frequency", "chroot: 1000000\n"},
    {"dir/big.frequency", "read: 0xffffffffffffffff\nread: 1\n"},
    {"dir/minus.frequency", "read: -1\n"},
    {"dir/bare.frequency", "read\n"},
    {"dir/unknown.frequency", "reed: 1\n"},
};

static int read_file(void *context, const char *path, char **ret_text, size_t *ret_text_bytes)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (strcmp(files[i].path, path) == 0) {
            *ret_text = strdup(files[i].text);
            *ret_text_bytes = strlen(files[i].text);
            return 0;
        }
    }
    return ENOENT;
}

bool import_text(const char *text, enum brig_dsl_arch arch, struct import_policies *ret_policies, struct import_error *reterr)
{
    static const struct import_reader reader = {.read = read_file};
    struct import_source source = {.name = "dir/main.policy", .text = text, .text_bytes = strlen(text)};
    struct import_options options = {.arches = &arch, .arch_count = 1, .reader = &reader};
    return import_minijail(&source, &options, ret_policies, reterr);
}
