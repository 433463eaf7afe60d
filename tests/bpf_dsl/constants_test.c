// Constants: values per arch, groups, values as text, and the nearest name (see tables_test.c).

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "bpf_dsl/tables.h"
#include "bpf_dsl/tables/data.h"
#include "tests/shim/test.h"

TEST(constants, constants_are_found)
{
    for (size_t i = 0; i < dsl_constant_count; i++) {
        const char *name = dsl_constant_name_at(i);
        test_message("%s", name);
        int arches = 0;
        for (unsigned int a = 0; a < BRIG_DSL_ARCH_COUNT; a++) {
            int64_t value = 0;
            int64_t same = 1;
            bool is_there = dsl_constant_read(i, (enum brig_dsl_arch)a, &value);
            CHECK_EQ(brig_dsl_constant_value(name, strlen(name), (enum brig_dsl_arch)a, &same), is_there ? 0 : 2);
            CHECK(!is_there || value == same);
            arches += is_there;
        }
        CHECK(arches > 0);
    }
}

#define ABSENT INT64_MIN

TEST(constants, constants_of_all_arches)
{
    static const struct {
        const char *name;
        int64_t values[BRIG_DSL_ARCH_COUNT]; // x86_64, i386, aarch64, arm, riscv64
    } rows[] = {
        {"O_DIRECTORY", {0200000, 0200000, 040000, 040000, 0200000}},
        {"O_NOFOLLOW", {0400000, 0400000, 0100000, 0100000, 0400000}},
        {"O_DIRECT", {040000, 040000, 0200000, 0200000, 040000}},
        {"O_LARGEFILE", {0100000, 0100000, 0400000, 0400000, 0100000}},
        {"O_TMPFILE", {020200000, 020200000, 020040000, 020040000, 020200000}},
        {"F_GETLK64", {5, 12, 5, 12, 5}},
        {"TCGETS2", {0x802c542a, 0x802c542a, 0x802c542a, 0x802c542a, 0x802c542a}},
        {"FS_IOC_GETFLAGS", {0x80086601, 0x80046601, 0x80086601, 0x80046601, 0x80086601}},
        {"PROT_BTI", {ABSENT, ABSENT, 0x10, ABSENT, ABSENT}},
        {"MAP_32BIT", {0x40, 0x40, ABSENT, ABSENT, ABSENT}},
        {"ARCH_SET_FS", {0x1002, 0x1002, ABSENT, ABSENT, ABSENT}},
        {"SIGRTMIN", {32, 32, 32, 32, 32}},
        {"SIGRTMAX", {64, 64, 64, 64, 64}},
        {"SOCK_CLOEXEC", {02000000, 02000000, 02000000, 02000000, 02000000}},
        {"EWOULDBLOCK", {11, 11, 11, 11, 11}},
        {"ENOTSUP", {95, 95, 95, 95, 95}},
        {"AT_FDCWD", {-100, -100, -100, -100, -100}},
        {"FD_FAILFS_ROOT", {-10004, -10004, -10004, -10004, -10004}},
        {"CLONE_IO", {0x80000000, 0x80000000, 0x80000000, 0x80000000, 0x80000000}},
        {"CLONE_CLEAR_SIGHAND", {0x100000000, 0x100000000, 0x100000000, 0x100000000, 0x100000000}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (unsigned int a = 0; a < BRIG_DSL_ARCH_COUNT; a++) {
            int64_t value = ABSENT;
            int answer = brig_dsl_constant_value(rows[i].name, strlen(rows[i].name), (enum brig_dsl_arch)a, &value);
            test_message("%s on %s", rows[i].name, brig_dsl_arch_name((enum brig_dsl_arch)a));
            CHECK_EQ(answer, rows[i].values[a] == ABSENT ? 2 : 0);
            CHECK_EQ(value, rows[i].values[a]);
        }
    }
}

#define LIBC(name) \
    { \
#name, (int64_t)(name) \
    }
static const struct {
    const char *name;
    int64_t value;
} libc_constants[] = {
    LIBC(O_CREAT),
    LIBC(O_CLOEXEC),
    LIBC(O_APPEND),
    LIBC(O_NONBLOCK),
    LIBC(O_SYNC),
    LIBC(O_NOCTTY),
    LIBC(F_DUPFD_CLOEXEC),
    LIBC(F_SETOWN),
    LIBC(F_GETFL),
    LIBC(F_SETLK),
    LIBC(FD_CLOEXEC),
    LIBC(AT_REMOVEDIR),
    LIBC(AT_EACCESS),
    LIBC(PROT_EXEC),
    LIBC(MAP_ANONYMOUS),
    LIBC(MAP_FIXED),
    LIBC(MAP_STACK),
    LIBC(MAP_NORESERVE),
    LIBC(MADV_DONTNEED),
    LIBC(MADV_WILLNEED),
    LIBC(MS_SYNC),
    LIBC(MCL_CURRENT),
    LIBC(EPERM),
    LIBC(ENOSYS),
    LIBC(EOPNOTSUPP),
    LIBC(EDEADLK),
    LIBC(ENAMETOOLONG),
    LIBC(ECONNREFUSED),
    LIBC(EOVERFLOW),
    LIBC(SIGSYS),
    LIBC(SIGKILL),
    LIBC(SIGCHLD),
    LIBC(SIGUSR1),
    LIBC(SA_SIGINFO),
    LIBC(SA_ONSTACK),
    LIBC(SIG_SETMASK),
    LIBC(AF_UNIX),
    LIBC(AF_INET6),
    LIBC(SOCK_STREAM),
    LIBC(SOCK_DGRAM),
    LIBC(SOCK_NONBLOCK),
    LIBC(SOL_SOCKET),
    LIBC(SO_PEERCRED),
    LIBC(SO_REUSEADDR),
    LIBC(MSG_NOSIGNAL),
    LIBC(MSG_DONTWAIT),
    LIBC(SHUT_RDWR),
    LIBC(PR_SET_NAME),
    LIBC(PR_SET_NO_NEW_PRIVS),
    LIBC(PR_SET_PDEATHSIG),
    LIBC(CLOCK_MONOTONIC),
    LIBC(CLOCK_REALTIME),
    LIBC(FIONREAD),
    LIBC(FIONBIO),
    LIBC(FIOCLEX),
    LIBC(TIOCGWINSZ),
    LIBC(TIOCSTI),
    LIBC(TCGETS),
};
#undef LIBC

TEST(constants, constants_are_those_of_libc)
{
    for (size_t i = 0; i < COUNT_OF(libc_constants); i++) {
        int64_t value = 0;
        test_message("%s", libc_constants[i].name);
        CHECK_EQ(brig_dsl_constant_value(libc_constants[i].name, strlen(libc_constants[i].name), brig_dsl_arch_native(), &value),
                 0);
        CHECK_EQ(value, libc_constants[i].value);
    }
}

TEST(constants, groups_name_values)
{
    static const struct {
        const char *group;
        int64_t value;
        const char *name;
    } rows[] = {
        {"errno", 11, "EAGAIN"},
        {"errno", 95, "EOPNOTSUPP"},
        {"signal", 17, "SIGCHLD"},
        {"fcntl_cmd", 3, "F_GETFL"},
        {"ioctl_cmd", 0x5401, "TCGETS"},
        {"ioctl_cmd", 0x541b, "FIONREAD"},
        {"prctl_option", 15, "PR_SET_NAME"},
        {"socket_domain", 1, "AF_UNIX"},
        {"clockid", 1, "CLOCK_MONOTONIC"},
        {"madvise_advice", 4, "MADV_DONTNEED"},
        {"bpf_cmd", 5, "BPF_PROG_LOAD"},
        {"signal", 99, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = brig_dsl_constant_name(rows[i].group, rows[i].value, BRIG_DSL_X86_64);
        test_message("%s %lld", rows[i].group, (long long)rows[i].value);
        CHECK((name == NULL) == (rows[i].name == NULL));
        CHECK(name == NULL || rows[i].name == NULL || strcmp(name, rows[i].name) == 0);
    }
}

static size_t members_on(const char *group, enum brig_dsl_arch arch)
{
    size_t count = 0;
    int64_t value;
    while (brig_dsl_group_member(group, count, arch, &value) != NULL) {
        count++;
    }
    return count;
}

TEST(constants, groups_skip_what_an_arch_lacks)
{
    int64_t value = 0;
    CHECK_STR_EQ(brig_dsl_group_member("clockid", 1, BRIG_DSL_ARM, &value), "CLOCK_MONOTONIC");
    CHECK_EQ(value, 1);
    CHECK_EQ(members_on("mmap_prot", BRIG_DSL_AARCH64), members_on("mmap_prot", BRIG_DSL_X86_64) + 2);
}

static const struct {
    enum brig_dsl_call call;
    const char *argument;
    enum brig_dsl_arch arch;
    uint64_t value;
    const char *text;
} decoded_values[] = {
    {BRIG_SYS_openat, "flags", BRIG_DSL_X86_64, 0, "O_RDONLY"},
    {BRIG_SYS_openat, "flags", BRIG_DSL_X86_64, 02000101, "O_WRONLY|O_CREAT|O_CLOEXEC"},
    {BRIG_SYS_openat, "flags", BRIG_DSL_X86_64, 0x48000001, "O_WRONLY|0x48000000"},
    {BRIG_SYS_openat, "flags", BRIG_DSL_X86_64, 0200000, "O_RDONLY|O_DIRECTORY"},
    {BRIG_SYS_openat, "flags", BRIG_DSL_AARCH64, 0200000, "O_RDONLY|O_DIRECT"},
    {BRIG_SYS_openat, "flags", BRIG_DSL_X86_64, 020200002, "O_RDWR|O_TMPFILE"},
    {BRIG_SYS_openat, "flags", BRIG_DSL_X86_64, 04010000, "O_RDONLY|O_SYNC"},
    {BRIG_SYS_openat, "flags", BRIG_DSL_X86_64, 010001, "O_WRONLY|O_DSYNC"},
    {BRIG_SYS_openat, "flags", BRIG_DSL_X86_64, 3, "0x3"},
    {BRIG_SYS_openat, "dirfd", BRIG_DSL_X86_64, 0xffffff9c, "AT_FDCWD"},
    {BRIG_SYS_openat, "dirfd", BRIG_DSL_X86_64, 0xffffffffffffff9c, "AT_FDCWD"},
    {BRIG_SYS_openat, "dirfd", BRIG_DSL_X86_64, 7, "7"},
    {BRIG_SYS_openat, "mode", BRIG_DSL_X86_64, 0644, "0644"},
    {BRIG_SYS_openat, "mode", BRIG_DSL_X86_64, 0, "0"},
    {BRIG_SYS_openat, "pathname", BRIG_DSL_X86_64, 0, "NULL"},
    {BRIG_SYS_openat, "pathname", BRIG_DSL_X86_64, 0x7ffd1000, "0x7ffd1000"},
    {BRIG_SYS_mmap, "prot", BRIG_DSL_X86_64, 0, "PROT_NONE"},
    {BRIG_SYS_mmap, "prot", BRIG_DSL_X86_64, 7, "PROT_READ|PROT_WRITE|PROT_EXEC"},
    {BRIG_SYS_mmap, "flags", BRIG_DSL_X86_64, 0x22, "MAP_PRIVATE|MAP_ANONYMOUS"},
    {BRIG_SYS_mmap, "flags", BRIG_DSL_X86_64, 0x54040022, "MAP_PRIVATE|MAP_HUGE_2MB|MAP_ANONYMOUS|MAP_HUGETLB"},
    {BRIG_SYS_mmap, "fd", BRIG_DSL_X86_64, 0xffffffff, "-1"},
    {BRIG_SYS_mmap, "addr", BRIG_DSL_X86_64, 0, "0x0"},
    {BRIG_SYS_clone, "flags", BRIG_DSL_X86_64, 0x1200011, "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"},
    {BRIG_SYS_clone, "flags", BRIG_DSL_X86_64, 0x3d0f00,
     "CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID"},
    {BRIG_SYS_clone, "flags", BRIG_DSL_X86_64, 0, "0"},
    {BRIG_SYS_unshare, "flags", BRIG_DSL_X86_64, 0x10000080, "CLONE_NEWTIME|CLONE_NEWUSER"},
    {BRIG_SYS_futex, "op", BRIG_DSL_X86_64, 0x80, "FUTEX_WAIT|FUTEX_PRIVATE_FLAG"},
    {BRIG_SYS_futex, "op", BRIG_DSL_X86_64, 0x189, "FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME"},
    {BRIG_SYS_socket, "type", BRIG_DSL_X86_64, 0x80801, "SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK"},
    {BRIG_SYS_socket, "domain", BRIG_DSL_X86_64, 2, "AF_INET"},
    {BRIG_SYS_socket, "domain", BRIG_DSL_X86_64, 99, "99"},
    {BRIG_SYS_fcntl, "cmd", BRIG_DSL_X86_64, 1030, "F_DUPFD_CLOEXEC"},
    {BRIG_SYS_fcntl, "fd", BRIG_DSL_X86_64, 0xffffffff, "-1"},
    {BRIG_SYS_fcntl, "arg", BRIG_DSL_X86_64, 10, "10"},
    {BRIG_SYS_fcntl, "arg", BRIG_DSL_X86_64, 0x7ffd0000, "0x7ffd0000"},
    {BRIG_SYS_fcntl64, "arg", BRIG_DSL_I386, 0xffffffffffffffff, "-1"},
    {BRIG_SYS_ioctl, "cmd", BRIG_DSL_X86_64, 0x5413, "TIOCGWINSZ"},
    {BRIG_SYS_ioctl, "cmd", BRIG_DSL_X86_64, 0x80086601, "FS_IOC_GETFLAGS"},
    {BRIG_SYS_ioctl, "cmd", BRIG_DSL_X86_64, 0xdeadbeef, "0xdeadbeef"},
    {BRIG_SYS_kill, "sig", BRIG_DSL_X86_64, 9, "SIGKILL"},
    {BRIG_SYS_kill, "sig", BRIG_DSL_X86_64, 0, "0"},
    {BRIG_SYS_kill, "pid", BRIG_DSL_X86_64, 0xffffffffffffffff, "-1"},
    {BRIG_SYS_write, "count", BRIG_DSL_X86_64, 4096, "4096"},
    {BRIG_SYS_write, "count", BRIG_DSL_X86_64, UINT64_MAX, "0xffffffffffffffff"},
    {BRIG_SYS_write, "count", BRIG_DSL_I386, UINT64_MAX, "4294967295"},
    {BRIG_SYS_lseek, "offset", BRIG_DSL_X86_64, UINT64_MAX, "-1"},
    {BRIG_SYS_lseek, "offset", BRIG_DSL_I386, 0xffffffff, "-1"},
    {BRIG_SYS_lseek, "whence", BRIG_DSL_I386, 2, "SEEK_END"},
    {BRIG_SYS_prctl, "option", BRIG_DSL_X86_64, 0x59616d61, "PR_SET_PTRACER"},
    {BRIG_SYS_newfstatat, "flags", BRIG_DSL_X86_64, 0x1100, "AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH"},
    {BRIG_SYS_statx, "mask", BRIG_DSL_X86_64, 0x7ff, "STATX_BASIC_STATS"},
    {BRIG_SYS_getrusage, "who", BRIG_DSL_X86_64, 0xffffffff, "RUSAGE_CHILDREN"},
    {BRIG_SYS_landlock_add_rule, "flags", BRIG_DSL_X86_64, 3, "LANDLOCK_ADD_RULE_QUIET|0x2"},
    {BRIG_SYS_swapon, "flags", BRIG_DSL_X86_64, 0x18005, "SWAP_FLAG_PREFER|SWAP_FLAG_DISCARD|0x5"},
    {BRIG_SYS_syslog, "type", BRIG_DSL_X86_64, 3, "SYSLOG_ACTION_READ_ALL"},
    {BRIG_SYS_pkey_alloc, "access_rights", BRIG_DSL_X86_64, 0, "PKEY_UNRESTRICTED"},
    {BRIG_SYS_file_setattr, "at_flags", BRIG_DSL_ARM, 0x1100, "AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH"},
    {BRIG_SYS_mbind, "mode", BRIG_DSL_X86_64, 0xf00000002, "MPOL_BIND"},
    {BRIG_SYS_ptrace, "pid", BRIG_DSL_X86_64, 0xffffffff, "-1"},
    {BRIG_SYS_readv, "iovcnt", BRIG_DSL_X86_64, 0xf00000002, "2"},
};

TEST(constants, values_as_text)
{
    for (size_t i = 0; i < COUNT_OF(decoded_values); i++) {
        int index = brig_dsl_call_argument_index(decoded_values[i].call, decoded_values[i].arch, decoded_values[i].argument,
                                                 strlen(decoded_values[i].argument));
        const struct brig_dsl_argument *argument = brig_dsl_call_argument(decoded_values[i].call, decoded_values[i].arch, index);
        test_message("%s %s %#llx", brig_dsl_call_name(decoded_values[i].call), decoded_values[i].argument,
                     (unsigned long long)decoded_values[i].value);
        REQUIRE(argument != NULL);
        char text[256];
        size_t bytes = brig_dsl_decode_value(argument, decoded_values[i].value, decoded_values[i].arch, text, sizeof text);
        CHECK_STR_EQ(text, decoded_values[i].text);
        CHECK_EQ(bytes, strlen(text));
    }
}

TEST(constants, long_values_are_cut)
{
    const struct brig_dsl_argument *flags = brig_dsl_call_argument(BRIG_SYS_openat, BRIG_DSL_X86_64, 2);
    char text[12];
    CHECK_EQ(brig_dsl_decode_value(flags, 02000101, BRIG_DSL_X86_64, text, sizeof text), sizeof text - 1);
    CHECK_STR_EQ(text, "O_WRONLY|O_");
    CHECK_EQ(brig_dsl_decode_value(flags, 02000101, BRIG_DSL_X86_64, text, 1), 0);
    CHECK_STR_EQ(text, "");
}

TEST(constants, every_value_has_a_text)
{
    static const uint64_t values[] = {0,          1,           0x7f,      0xff,       0x80000000,
                                      UINT32_MAX, 0x100000000, INT64_MAX, UINT64_MAX, 0x5555555555555555};
    for (unsigned int i = 1; i < BRIG_SYS_COUNT; i++) {
        for (int j = 0; j < brig_dsl_call_argument_count((enum brig_dsl_call)i, BRIG_DSL_X86_64); j++) {
            const struct brig_dsl_argument *argument = brig_dsl_call_argument((enum brig_dsl_call)i, BRIG_DSL_X86_64, j);
            for (size_t k = 0; k < COUNT_OF(values); k++) {
                char text[2048];
                test_message("%s %s %#llx", brig_dsl_call_name((enum brig_dsl_call)i), argument->name,
                             (unsigned long long)values[k]);
                CHECK(brig_dsl_decode_value(argument, values[k], BRIG_DSL_X86_64, text, sizeof text) > 0);
            }
        }
    }
}

TEST(constants, closest_names)
{
    static const struct {
        const char *name;
        char kind;
        const char *closest;
    } rows[] = {
        {"opneat", 'c', "openat"},
        {"fcntl63", 'c', "fcntl64"},
        {"newfstata", 'c', "newfstatat"},
        {"wriet", 'c', "write"}, // two neighbours, one slip
        {"erad", 'c', "read"},
        {"fstatat", 'c', "newfstatat"}, // not fstat, which is nearer
        {"pread", 'c', "pread64"},
        {"O_CLOSEXEC", 'k', "O_CLOEXEC"},
        {"EPERMM", 'k', "EPERM"},
        {"O_CLOEXEC", 'k', "O_CLOEXEC"},
        {"zzzzzzzzzz", 'c', NULL},
        {"x", 'c', NULL},
        {"read", 'q', NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *closest = brig_dsl_closest_name(rows[i].name, strlen(rows[i].name), rows[i].kind);
        test_message("%s: %s", rows[i].name, closest != NULL ? closest : "nothing");
        CHECK((closest == NULL) == (rows[i].closest == NULL));
        CHECK(closest == NULL || rows[i].closest == NULL || strcmp(closest, rows[i].closest) == 0);
    }
}
