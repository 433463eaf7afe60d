// Tables: numbers and arguments of the calls of all arches, looked up in every direction.
//
// The generator evaluated the kernel's sources; these tests hold its output against what was known without it: the build host's own
// headers (tables_host_numbers.c), and spot checks of everything that is known to differ between arches.

#include <stdio.h>
#include <string.h>

#include "bpf_dsl/tables.h"
#include "bpf_dsl/tables/data.h"
#include "tests/bpf_dsl/tables_host_numbers.h"
#include "tests/shim/test.h"

static enum brig_dsl_call call_named(const char *name)
{
    return brig_dsl_call_by_name(name, strlen(name));
}

TEST(tables, calls_round_trip)
{
    CHECK_EQ(BRIG_SYS_NONE, 0);
    CHECK(brig_dsl_call_name(BRIG_SYS_NONE) == NULL);
    CHECK(brig_dsl_call_name(BRIG_SYS_COUNT) == NULL);
    for (unsigned int i = BRIG_SYS_NONE + 1; i < BRIG_SYS_COUNT; i++) {
        enum brig_dsl_call call = (enum brig_dsl_call)i;
        const char *name = brig_dsl_call_name(call);
        test_message("%s", name);
        CHECK_EQ(call_named(name), call);
        CHECK(i == 1 || strcmp(brig_dsl_call_name((enum brig_dsl_call)(i - 1)), name) < 0);
        int arches = 0;
        for (unsigned int a = 0; a < BRIG_DSL_ARCH_COUNT; a++) {
            int32_t nr = brig_dsl_call_nr(call, (enum brig_dsl_arch)a);
            CHECK(nr < 0 || brig_dsl_call_by_nr((uint32_t)nr, (enum brig_dsl_arch)a) == call);
            arches += nr >= 0;
        }
        CHECK(arches > 0);
    }
}

TEST(tables, numbers_round_trip)
{
    for (unsigned int a = 0; a < BRIG_DSL_ARCH_COUNT; a++) {
        enum brig_dsl_arch arch = (enum brig_dsl_arch)a;
        int found = 0;
        for (uint32_t nr = 0; nr < 2048; nr++) {
            enum brig_dsl_call call = brig_dsl_call_by_nr(nr, arch);
            test_message("%s %u", brig_dsl_arch_name(arch), nr);
            CHECK(call == BRIG_SYS_NONE || brig_dsl_call_nr(call, arch) == (int32_t)nr);
            found += call != BRIG_SYS_NONE;
        }
        CHECK(found > 300);
        CHECK_EQ(brig_dsl_call_by_nr(UINT32_MAX, arch), BRIG_SYS_NONE);
        CHECK_EQ(brig_dsl_call_by_nr(0x40000000, arch), BRIG_SYS_NONE); // x32's bit
    }
}

TEST(tables, what_does_not_exist)
{
    enum brig_dsl_arch no_arch = BRIG_DSL_ARCH_COUNT;
    CHECK_EQ(call_named("fstatat"), BRIG_SYS_NONE);
    CHECK_EQ(call_named(""), BRIG_SYS_NONE);
    CHECK_EQ(call_named("read "), BRIG_SYS_NONE);
    CHECK_EQ(brig_dsl_call_by_name("reads", 4), BRIG_SYS_read); // the length counts, not a terminator
    char long_name[300];
    memset(long_name, 'a', sizeof long_name);
    CHECK_EQ(brig_dsl_call_by_name(long_name, sizeof long_name), BRIG_SYS_NONE);
    CHECK_EQ(brig_dsl_call_nr(BRIG_SYS_read, no_arch), -1);
    CHECK_EQ(brig_dsl_call_nr(BRIG_SYS_NONE, BRIG_DSL_ARM), -1);
    CHECK_EQ(brig_dsl_call_by_nr(0, no_arch), BRIG_SYS_NONE);
    CHECK_EQ(brig_dsl_call_argument_count(BRIG_SYS_open, BRIG_DSL_AARCH64), 0);
    CHECK(brig_dsl_call_argument(BRIG_SYS_read, BRIG_DSL_X86_64, 3) == NULL);
    CHECK(brig_dsl_call_argument(BRIG_SYS_read, BRIG_DSL_X86_64, -1) == NULL);
    CHECK_EQ(brig_dsl_call_argument_index(BRIG_SYS_read, BRIG_DSL_X86_64, "flags", 5), -1);
    CHECK_EQ(brig_dsl_call_argument_index(BRIG_SYS_read, BRIG_DSL_X86_64, "f", 1), -1);
    int64_t value;
    CHECK_EQ(brig_dsl_constant_value("O_CLOEXE", 8, BRIG_DSL_X86_64, &value), 1);
    CHECK_EQ(brig_dsl_constant_value(long_name, sizeof long_name, BRIG_DSL_X86_64, &value), 1);
    CHECK_EQ(brig_dsl_constant_value("O_CLOEXEC", 9, no_arch, &value), 2);
    CHECK(brig_dsl_constant_name("no_such_group", 0, BRIG_DSL_X86_64) == NULL);
    CHECK(brig_dsl_group_member("errno", 100000, BRIG_DSL_X86_64, &value) == NULL);
}

TEST(tables, newest_kernel)
{
    CHECK(brig_dsl_newest_kernel() >= BRIG_DSL_KERNEL(6, 18));
    static const struct {
        enum brig_dsl_call call;
        uint16_t since;
    } rows[] = {
        {BRIG_SYS_read, 0},
        {BRIG_SYS_openat, 0},
        {BRIG_SYS_seccomp, BRIG_DSL_KERNEL(3, 17)},
        {BRIG_SYS_statx, BRIG_DSL_KERNEL(4, 11)},
        {BRIG_SYS_clone3, BRIG_DSL_KERNEL(5, 3)},
        {BRIG_SYS_landlock_create_ruleset, BRIG_DSL_KERNEL(5, 13)},
        {BRIG_SYS_futex_waitv, BRIG_DSL_KERNEL(5, 16)},
        {BRIG_SYS_cachestat, BRIG_DSL_KERNEL(6, 5)},
        {BRIG_SYS_mseal, BRIG_DSL_KERNEL(6, 10)},
        {BRIG_SYS_file_getattr, BRIG_DSL_KERNEL(6, 17)},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("%s", brig_dsl_call_name(rows[i].call));
        CHECK_EQ(brig_dsl_call_since(rows[i].call), rows[i].since);
    }
    for (unsigned int i = 0; i < BRIG_SYS_COUNT; i++) {
        CHECK(brig_dsl_call_since((enum brig_dsl_call)i) <= brig_dsl_newest_kernel());
    }
}

static void check_host_numbers(const struct host_number *numbers, size_t count, enum brig_dsl_arch arch)
{
    int compared = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t nr = host_number_of(&numbers[i]);
        test_message("%s on %s", numbers[i].name, brig_dsl_arch_name(arch));
        if (nr >= 0) {
            CHECK_EQ(brig_dsl_call_nr(call_named(numbers[i].name), arch), nr);
            compared++;
        }
    }
    test_message("%d names compared", compared);
    CHECK(count == 0 || compared > 300);
}

TEST(tables, numbers_are_those_of_the_host_headers)
{
    check_host_numbers(host_numbers, host_number_count, brig_dsl_arch_native());
    check_host_numbers(host_i386_numbers, host_i386_number_count, BRIG_DSL_I386);
}

TEST(tables, numbers_of_all_arches)
{
    static const struct {
        enum brig_dsl_call call;
        int32_t nrs[BRIG_DSL_ARCH_COUNT]; // x86_64, i386, aarch64, arm, riscv64
    } rows[] = {
        {BRIG_SYS_read, {0, 3, 63, 3, 63}},
        {BRIG_SYS_open, {2, 5, -1, 5, -1}},
        {BRIG_SYS_clone, {56, 120, 220, 120, 220}},
        {BRIG_SYS_newfstatat, {262, -1, 79, -1, 79}},
        {BRIG_SYS_fstatat64, {-1, 300, -1, 327, -1}},
        {BRIG_SYS_renameat, {264, 302, 38, 329, -1}},
        {BRIG_SYS_memfd_secret, {447, 447, 447, -1, 447}},
        {BRIG_SYS_riscv_flush_icache, {-1, -1, -1, -1, 259}},
        {BRIG_SYS_socketcall, {-1, 102, -1, -1, -1}},
        {BRIG_SYS_set_tls, {-1, -1, -1, 0x0f0005, -1}},
        {BRIG_SYS_cacheflush, {-1, -1, -1, 0x0f0002, -1}},
        {BRIG_SYS_mseal, {462, 462, 462, 462, 462}},
        {BRIG_SYS_uretprobe, {335, -1, -1, -1, -1}},
        {BRIG_SYS_uprobe, {336, -1, -1, -1, -1}},
        {BRIG_SYS_open_tree_attr, {467, 467, 467, 467, 467}},
        {BRIG_SYS_file_setattr, {469, 469, 469, 469, 469}},
        {BRIG_SYS_fchroot, {472, 472, 472, 472, 472}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (unsigned int a = 0; a < BRIG_DSL_ARCH_COUNT; a++) {
            test_message("%s on %s", brig_dsl_call_name(rows[i].call), brig_dsl_arch_name((enum brig_dsl_arch)a));
            CHECK_EQ(brig_dsl_call_nr(rows[i].call, (enum brig_dsl_arch)a), rows[i].nrs[a]);
        }
    }
}

TEST(tables, arguments_in_order)
{
    static const struct {
        enum brig_dsl_call call;
        enum brig_dsl_arch arch;
        const char *names;
    } rows[] = {
        {BRIG_SYS_clone, BRIG_DSL_X86_64, "flags stack parent_tid child_tid tls"},
        {BRIG_SYS_clone, BRIG_DSL_I386, "flags stack parent_tid tls child_tid"},
        {BRIG_SYS_clone, BRIG_DSL_AARCH64, "flags stack parent_tid tls child_tid"},
        {BRIG_SYS_clone, BRIG_DSL_ARM, "flags stack parent_tid tls child_tid"},
        {BRIG_SYS_clone, BRIG_DSL_RISCV64, "flags stack parent_tid tls child_tid"},
        {BRIG_SYS_pread64, BRIG_DSL_X86_64, "fd buf count pos"},
        {BRIG_SYS_pread64, BRIG_DSL_I386, "fd buf count pos_lo pos_hi"},
        {BRIG_SYS_pread64, BRIG_DSL_ARM, "fd buf count pad pos_lo pos_hi"},
        {BRIG_SYS_truncate64, BRIG_DSL_ARM, "pathname pad length_lo length_hi"},
        {BRIG_SYS_fallocate, BRIG_DSL_ARM, "fd mode offset_lo offset_hi len_lo len_hi"},
        {BRIG_SYS_arm_fadvise64_64, BRIG_DSL_ARM, "fd advice offset_lo offset_hi len_lo len_hi"},
        {BRIG_SYS_fadvise64_64, BRIG_DSL_I386, "fd offset_lo offset_hi len_lo len_hi advice"},
        {BRIG_SYS_mmap, BRIG_DSL_X86_64, "addr length prot flags fd offset"},
        {BRIG_SYS_mmap, BRIG_DSL_I386, "arg"},
        {BRIG_SYS_mmap2, BRIG_DSL_ARM, "addr length prot flags fd pgoffset"},
        {BRIG_SYS_futex, BRIG_DSL_AARCH64, "uaddr op val timeout uaddr2 val3"},
        {BRIG_SYS_fcntl, BRIG_DSL_X86_64, "fd cmd arg"},
        {BRIG_SYS_fcntl64, BRIG_DSL_I386, "fd cmd arg"},
        {BRIG_SYS_socket, BRIG_DSL_I386, "domain type protocol"},
        {BRIG_SYS_newfstatat, BRIG_DSL_X86_64, "dirfd pathname statbuf flags"},
        {BRIG_SYS_getpid, BRIG_DSL_X86_64, ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char names[200] = "";
        int count = brig_dsl_call_argument_count(rows[i].call, rows[i].arch);
        for (int j = 0; j < count; j++) {
            const char *name = brig_dsl_call_argument(rows[i].call, rows[i].arch, j)->name;
            size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", j == 0 ? "" : " ", name);
            CHECK_EQ(brig_dsl_call_argument_index(rows[i].call, rows[i].arch, name, strlen(name)), j);
        }
        test_message("%s on %s: %s", brig_dsl_call_name(rows[i].call), brig_dsl_arch_name(rows[i].arch), names);
        CHECK_STR_EQ(names, rows[i].names);
    }
}

TEST(tables, arguments_have_width_and_sign)
{
    static const struct {
        enum brig_dsl_call call;
        const char *name;
        enum brig_dsl_width width;
        bool is_signed;
        bool is_pointer;
        enum brig_dsl_kind kind;
    } rows[] = {
        {BRIG_SYS_kill, "pid", BRIG_DSL_WIDTH_32, true, false, BRIG_DSL_KIND_PID},
        {BRIG_SYS_kill, "sig", BRIG_DSL_WIDTH_32, true, false, BRIG_DSL_KIND_ENUM},
        {BRIG_SYS_fcntl, "fd", BRIG_DSL_WIDTH_32, false, false, BRIG_DSL_KIND_FD},
        {BRIG_SYS_fcntl, "cmd", BRIG_DSL_WIDTH_32, false, false, BRIG_DSL_KIND_ENUM},
        {BRIG_SYS_fcntl, "arg", BRIG_DSL_WIDTH_64, false, false, BRIG_DSL_KIND_UNION},
        {BRIG_SYS_prctl, "option", BRIG_DSL_WIDTH_32, true, false, BRIG_DSL_KIND_ENUM},
        {BRIG_SYS_prctl, "arg5", BRIG_DSL_WIDTH_64, false, false, BRIG_DSL_KIND_UNION},
        {BRIG_SYS_clone, "flags", BRIG_DSL_WIDTH_32, false, false, BRIG_DSL_KIND_FLAGS},
        {BRIG_SYS_unshare, "flags", BRIG_DSL_WIDTH_64, false, false, BRIG_DSL_KIND_FLAGS},
        {BRIG_SYS_mmap, "prot", BRIG_DSL_WIDTH_64, false, false, BRIG_DSL_KIND_FLAGS},
        {BRIG_SYS_mmap, "fd", BRIG_DSL_WIDTH_32, true, false, BRIG_DSL_KIND_FD},
        {BRIG_SYS_madvise, "advice", BRIG_DSL_WIDTH_32, true, false, BRIG_DSL_KIND_ENUM},
        {BRIG_SYS_mbind, "mode", BRIG_DSL_WIDTH_32, false, false, BRIG_DSL_KIND_FLAGS},
        {BRIG_SYS_ptrace, "pid", BRIG_DSL_WIDTH_32, true, false, BRIG_DSL_KIND_PID},
        {BRIG_SYS_process_vm_readv, "liovcnt", BRIG_DSL_WIDTH_32, false, false, BRIG_DSL_KIND_SIZE},
        {BRIG_SYS_process_vm_readv, "riovcnt", BRIG_DSL_WIDTH_64, false, false, BRIG_DSL_KIND_SIZE},
        {BRIG_SYS_ptrace, "request", BRIG_DSL_WIDTH_64, true, false, BRIG_DSL_KIND_ENUM},
        {BRIG_SYS_openat, "dirfd", BRIG_DSL_WIDTH_32, true, false, BRIG_DSL_KIND_DIRFD},
        {BRIG_SYS_openat, "pathname", BRIG_DSL_WIDTH_64, false, true, BRIG_DSL_KIND_PATH},
        {BRIG_SYS_openat, "mode", BRIG_DSL_WIDTH_16, false, false, BRIG_DSL_KIND_MODE},
        {BRIG_SYS_connect, "addr", BRIG_DSL_WIDTH_64, false, true, BRIG_DSL_KIND_STRUCT},
        {BRIG_SYS_clock_gettime, "clockid", BRIG_DSL_WIDTH_32, true, false, BRIG_DSL_KIND_ENUM},
        {BRIG_SYS_write, "count", BRIG_DSL_WIDTH_64, false, false, BRIG_DSL_KIND_SIZE},
        {BRIG_SYS_lseek, "offset", BRIG_DSL_WIDTH_64, true, false, BRIG_DSL_KIND_INTEGER},
        {BRIG_SYS_futex, "val", BRIG_DSL_WIDTH_32, false, false, BRIG_DSL_KIND_INTEGER},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("%s %s", brig_dsl_call_name(rows[i].call), rows[i].name);
        int index = brig_dsl_call_argument_index(rows[i].call, BRIG_DSL_X86_64, rows[i].name, strlen(rows[i].name));
        const struct brig_dsl_argument *argument = brig_dsl_call_argument(rows[i].call, BRIG_DSL_X86_64, index);
        REQUIRE(argument != NULL);
        CHECK_EQ(argument->width, rows[i].width);
        CHECK_EQ(argument->is_signed, rows[i].is_signed);
        CHECK_EQ(argument->is_pointer, rows[i].is_pointer);
        CHECK_EQ(argument->kind, rows[i].kind);
        CHECK_EQ(argument->is_union, rows[i].kind == BRIG_DSL_KIND_UNION);
    }
}

static void check_argument(const struct brig_dsl_argument *argument)
{
    bool has_group = argument->kind == BRIG_DSL_KIND_ENUM || argument->kind == BRIG_DSL_KIND_FLAGS;
    CHECK_EQ(argument->group != NULL, has_group);
    CHECK(!has_group || dsl_find_group(argument->group) != NULL);
    CHECK_EQ(argument->pointee != NULL, argument->kind == BRIG_DSL_KIND_STRUCT);
    CHECK_EQ(argument->is_union, argument->kind == BRIG_DSL_KIND_UNION);
    CHECK(!(argument->is_union && argument->is_pointer));
    CHECK(!argument->is_pointer || argument->width == BRIG_DSL_WIDTH_64);
}

TEST(tables, arguments_are_consistent)
{
    for (unsigned int i = 1; i < BRIG_SYS_COUNT; i++) {
        for (unsigned int a = 0; a < BRIG_DSL_ARCH_COUNT; a++) {
            int count = brig_dsl_call_argument_count((enum brig_dsl_call)i, (enum brig_dsl_arch)a);
            CHECK(count >= 0 && count <= 6);
            for (int j = 0; j < count; j++) {
                test_message("%s on arch %u, argument %d", brig_dsl_call_name((enum brig_dsl_call)i), a, j);
                check_argument(brig_dsl_call_argument((enum brig_dsl_call)i, (enum brig_dsl_arch)a, j));
            }
        }
    }
}

TEST(tables, memory_arguments)
{
    CHECK(brig_dsl_call_has_memory_arguments(BRIG_SYS_socketcall, BRIG_DSL_I386));
    CHECK(brig_dsl_call_has_memory_arguments(BRIG_SYS_ipc, BRIG_DSL_I386));
    CHECK(brig_dsl_call_has_memory_arguments(BRIG_SYS_mmap, BRIG_DSL_I386));
    CHECK(brig_dsl_call_has_memory_arguments(BRIG_SYS_select, BRIG_DSL_I386));
    CHECK(!brig_dsl_call_has_memory_arguments(BRIG_SYS_mmap, BRIG_DSL_X86_64));
    CHECK(!brig_dsl_call_has_memory_arguments(BRIG_SYS_mmap2, BRIG_DSL_I386));
    CHECK(!brig_dsl_call_has_memory_arguments(BRIG_SYS_socketcall, BRIG_DSL_X86_64));
}

TEST(tables, arches)
{
    static const uint32_t audits[BRIG_DSL_ARCH_COUNT] = {0xc000003e, 0x40000003, 0xc00000b7, 0x40000028, 0xc00000f3};
    for (unsigned int a = 0; a < BRIG_DSL_ARCH_COUNT; a++) {
        enum brig_dsl_arch arch = BRIG_DSL_ARCH_COUNT;
        CHECK(brig_dsl_arch_by_name(brig_dsl_arch_name((enum brig_dsl_arch)a), &arch));
        CHECK_EQ(arch, a);
        CHECK_EQ(brig_dsl_arch_audit((enum brig_dsl_arch)a), audits[a]);
        arch = BRIG_DSL_ARCH_COUNT;
        CHECK(brig_dsl_arch_by_audit(audits[a], &arch));
        CHECK_EQ(arch, a);
    }
    enum brig_dsl_arch arch;
    CHECK(brig_dsl_arch_by_name("arm64", &arch) && arch == BRIG_DSL_AARCH64);
    CHECK(brig_dsl_arch_by_name("amd64", &arch) && arch == BRIG_DSL_X86_64);
    CHECK(brig_dsl_arch_by_name("x86", &arch) && arch == BRIG_DSL_I386);
    CHECK(!brig_dsl_arch_by_name("mips", &arch));
    CHECK(!brig_dsl_arch_by_audit(0xc0000015, &arch));
    CHECK(brig_dsl_arch_is_64bit(BRIG_DSL_RISCV64) && !brig_dsl_arch_is_64bit(BRIG_DSL_ARM));
    CHECK_EQ(brig_dsl_arch_is_64bit(brig_dsl_arch_native()), sizeof(long) == 8);
}
