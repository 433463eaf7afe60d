// Recorded calls: what files of them mean, what is wrong with them, and what becomes of them on the command line.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/shim/test.h"
#include "tests/tools/commands.h"
#include "tools/profile/profile.h"

static struct brig_dsl_text text_of(const char *text)
{
    return (struct brig_dsl_text){text, strlen(text)};
}

// Reads one text, for x86_64. Returns: whether that worked.
static bool read_one(const char *text, const char *type, struct profile *ret_profile, struct profile_error *reterr)
{
    struct profile_reader *reader = profile_new(BRIG_DSL_X86_64, type);
    bool is_read = profile_read_text(reader, "calls", text_of(text), reterr) && profile_finish(reader, ret_profile, reterr);
    profile_delete(reader);
    return is_read;
}

#define TYPE_OF_60_LETTERS "typetypetypetypetypetypetypetypetypetypetypetypetypetypetype"
#define HEAD "syscall\tcount\n"
#define ARGUMENT_HEAD "syscall\tcount\targument\n"

TEST(profile, words_are_values)
{
    static const struct {
        const char *row; // of a table with arguments
        uint32_t known;
        uint64_t args[6];
    } rows[] = {
        {"openat\t1\tAT_FDCWD RDONLY|CLOEXEC", 5, {0xffffff9c, 0, 0x80000}},
        {"openat\t1\tdirfd RDONLY|0", 4, {0, 0, 0}},
        {"openat\t1\tAT_FDCWD O_WRONLY|O_CREAT", 5, {0xffffff9c, 0, 0x41}},
        {"futex\t1\tWAKE|PRIVATE", 2, {0, 0x81}},
        {"futex\t1\tWAIT_BITSET|PRIVATE|REALTIME", 2, {0, 0x189}},
        {"mmap\t1\tR|W PRIVATE|ANON", 12, {0, 0, 3, 0x22}},
        {"mprotect\t1\t0", 4, {0, 0, 0}},
        {"mprotect\t1\tR|X", 4, {0, 0, 5}},
        {"madvise\t1\tDONTNEED", 4, {0, 0, 4}},
        {"madvise\t1\t4294967295", 4, {0, 0, 0xffffffff}},
        {"fcntl\t1\tDUPFD_CLOEXEC", 2, {0, 0x406}},
        {"ioctl\t1\t0x5401", 2, {0, 0x5401}},
        {"prctl\t1\tSET_NAME", 1, {15}},
        {"clone\t1\tVM|THREAD sig=17", 1, {0x10111}},
        {"socket\t1\tUNIX STREAM CLOEXEC|NONBLOCK proto=0", 7, {1, 0x80801, 0}},
        {"socket\t1\tNETLINK RAW 0 proto=15", 7, {16, 3, 15}},
        {"recvmsg\t1\tflags=0x40000040", 4, {0, 0, 0x40000040}},
        {"sendto\t1\tflags=0x4000 noaddr", 24, {0, 0, 0, 0x4000, 0}},
        {"sendto\t1\tflags=0x0 addr", 8, {0, 0, 0, 0}},
        {"setsockopt\t1\tlevel=1 opt=9", 6, {0, 1, 9}},
        {"prlimit64\t1\tself res=3 get", 6, {0, 3, 0}},
        {"kill\t1\tother sig=15", 2, {0, 15}},
        {"clock_gettime\t1\tclk=3", 1, {3}},
        {"newfstatat\t1\tdirfd flags=0x1000", 8, {0, 0, 0, 0x1000}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[256];
        struct profile profile;
        struct profile_error error = {.text = ""};
        snprintf(text, sizeof text, ARGUMENT_HEAD "%s\n", rows[i].row);
        test_message("%s", rows[i].row);
        if (!CHECK(read_one(text, NULL, &profile, &error)) || !CHECK_EQ(profile.calls.sample_count, 1u)) {
            continue;
        }
        CHECK_EQ(profile.vague_count, 0u);
        CHECK_EQ(profile.calls.samples[0].known, rows[i].known);
        for (int j = 0; j < 6; j++) {
            uint64_t expected = (rows[i].known >> j & 1) != 0 ? rows[i].args[j] : profile.calls.samples[0].args[j];
            CHECK_EQ(profile.calls.samples[0].args[j], expected);
        }
        profile_free(&profile);
    }
    test_message("%s", "");
}

// What a word does not say for certain is not taken for a value, and is counted.
TEST(profile, vague_words_are_counted)
{
    static const char *const rows[] = {
        "futex\t7\tWAIT|SHARED", "futex\t7\tself", "statx\t7\tdirfd",  "read\t7\tfd",      "openat\t7\tAT_FDCWD RDONLY CLOEXEC",
        "kill\t7\tsig=x",        "ioctl\t7\t",     "read\t7\tflags=1", "fcntl\t7\tGETFL|",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[256];
        struct profile profile;
        struct profile_error error = {.text = ""};
        snprintf(text, sizeof text, ARGUMENT_HEAD "%s\n", rows[i]);
        test_message("%s", rows[i]);
        if (CHECK(read_one(text, NULL, &profile, &error))) {
            CHECK_EQ(profile.vague_count, 7u);
            CHECK_EQ(profile.call_count, 7u);
            CHECK_EQ(profile.calls.samples[0].known, 0u);
            profile_free(&profile);
        }
    }
    test_message("%s", "");
}

TEST(profile, calls_are_summed)
{
    static const char text[] = "# recorded\n\n"
                               "202 P 81 1 0 0 0\r\n"
                               "0 5 7f00 10 0 0 0\n"
                               "202 P 81 1 P P 7\n" // futex has six arguments, of which these are a pointer each, and a number
                               "202 P 81 1 0 0 0\n"
                               "0 5 7f11 10 1 2 3\n" // another address, and registers that read does not look at
                               "999 1 2 3 4 5 ffffffffffffffff";
    struct profile profile;
    struct profile_error error = {.text = ""};
    REQUIRE(read_one(text, NULL, &profile, &error));
    CHECK_EQ(profile.call_count, 6u);
    REQUIRE(CHECK_EQ(profile.calls.sample_count, 4u));
    const struct brig_dsl_sample *samples = profile.calls.samples;
    CHECK_EQ(samples[0].nr, 0u);
    CHECK_EQ(samples[0].count, 2u);
    CHECK_EQ(samples[0].known, 7u);
    CHECK(samples[0].args[1] != 0);
    CHECK_EQ(samples[1].nr, 202u);
    CHECK_EQ(samples[1].count + samples[2].count, 3u);
    CHECK_EQ(samples[3].nr, 999u);
    CHECK_EQ(samples[3].known, 63u);
    CHECK_EQ(samples[3].args[5], UINT64_MAX);
    profile_free(&profile);
}

TEST(profile, tables_of_one_run_count_once)
{
    struct profile_error error = {.text = ""};
    struct profile profile;
    struct profile_reader *reader = profile_new(BRIG_DSL_X86_64, "b");
    REQUIRE(profile_read_text(
        reader, "1", text_of("process_type\tsyscall\tnr\tcount\na\tread\t0\t5\nb\tfutex\t202\t100\nb\tread\t0\t1\n"), &error));
    REQUIRE(profile_read_text(
        reader, "2", text_of("process_type\tsyscall\tnr\targument\tcount\nb\tfutex\t202\tWAKE\t60\na\tfutex\t202\tWAIT\t3\n"),
        &error));
    REQUIRE(profile_finish(reader, &profile, &error));
    CHECK_EQ(profile.call_count, 101u);
    REQUIRE(CHECK_EQ(profile.calls.sample_count, 3u));
    CHECK_EQ(profile.calls.samples[1].count, 40u); // futex without arguments
    CHECK_EQ(profile.calls.samples[2].count, 60u);
    profile_free(&profile);
    profile_delete(reader);
}

TEST(profile, order_does_not_matter)
{
    struct profile profiles[2];
    struct profile_error error = {.text = ""};
    REQUIRE(read_one("1 2 3 4 0 0 0\n0 1 2 3 0 0 0\n1 9 3 4 0 0 0\n", NULL, &profiles[0], &error));
    REQUIRE(read_one("1 9 3 4 0 0 0\n1 2 3 4 0 0 0\n0 1 2 3 0 0 0\n", NULL, &profiles[1], &error));
    REQUIRE(CHECK_EQ(profiles[0].calls.sample_count, profiles[1].calls.sample_count));
    CHECK(memcmp(profiles[0].calls.samples, profiles[1].calls.samples,
                 profiles[0].calls.sample_count * sizeof *profiles[0].calls.samples) == 0);
    profile_free(&profiles[0]);
    profile_free(&profiles[1]);
}

TEST(profile, calls_of_other_arches_are_absent)
{
    struct profile_error error = {.text = ""};
    struct profile profile;
    struct profile_reader *reader = profile_new(BRIG_DSL_AARCH64, NULL);
    REQUIRE(profile_read_text(reader, "1", text_of(HEAD "open\t5\nread\t3\n"), &error));
    REQUIRE(profile_finish(reader, &profile, &error));
    CHECK_EQ(profile.absent_count, 5u);
    CHECK_EQ(profile.call_count, 3u);
    CHECK_EQ(profile.calls.samples[0].nr, 63u);
    profile_free(&profile);
    profile_delete(reader);
}

TEST(profile, mistakes_have_a_place)
{
    static const struct {
        const char *text;
        const char *type;
        const char *says;
    } rows[] = {
        {"", NULL, "calls: no calls in it"},
        {"# nothing\n\n", NULL, "calls: no calls in it"},
        {HEAD, NULL, "calls: no calls that this arch has"},
        {HEAD "read\t0\n", NULL, "calls: no calls that this arch has"},
        {HEAD "read\t5\nopnat\t1\n", NULL, "calls:3:1: no system call has the name 'opnat'; did you mean 'openat'?"},
        {"count\tsyscall\n5\topnat\n", NULL, "calls:2:3: no system call has the name 'opnat'"},
        {HEAD "read\tmany\n", NULL, "calls:2:6: 'many' is not a count"},
        {HEAD "read\t-1\n", NULL, "calls:2:6: '-1' is not a count"},
        {HEAD "read\t18446744073709551616\n", NULL, "calls:2:6: '18446744073709551616' is not a count"},
        {HEAD "read\t18446744073709551615\nread\t1\n", NULL, "calls:3:1: counts that add up to more than 64 bits"},
        {HEAD "read\t18446744073709551615\nwrite\t1\n", NULL, "calls: too many calls"},
        {HEAD "read\n", NULL, "calls:2:1: 1 fields, and the headings are 2"},
        {HEAD "read\t1\t2\n", NULL, "calls:2:1: 3 fields, and the headings are 2"},
        {"syscall\tcount\tcount\n", NULL, "calls:1:15: two columns 'count'"},
        {"syscall\tnumber\n", NULL, "calls:1:1: neither a call (NR A0 A1 A2 A3 A4 A5) nor headings with `syscall` and `count`"},
        {"syscall count\n", NULL, "calls:1:1: neither a call"},
        {"{\"read\": 5}\n", NULL, "calls:1:1: neither a call"},
        {"0 1 2\n", NULL, "calls:1:6: a call has a number and six arguments, these are 2"},
        {"0 1 2 3 4 5 6 7\n", NULL, "calls:1:15: a call has six arguments, and here is one more"},
        {"0 1 2 3 4 5 g\n", NULL, "calls:1:13: 'g' is neither a hexadecimal number of 64 bits nor P"},
        {"0 1 2 3 4 5 10000000000000000\n", NULL, "calls:1:13: '10000000000000000' is neither"},
        {"0 1 2 3 4 5 6\n0x1 1 2 3 4 5 6\n", NULL, "calls:2:1: '0x1' is not the number of a call, in decimal"},
        {"0 1 2 3 4 5 6\nread\t5\n", NULL, "calls:2:1: 'read' is not the number of a call"},
        {"4294967296 1 2 3 4 5 6\n", NULL, "calls:1:1: '4294967296' is not the number of a call"},
        {HEAD "read\t5\n", "renderer", "calls: no process types are named in it"},
        {"process_type\tsyscall\tcount\ngpu\tread\t1\nbroker\tread\t1\n", "renderer",
         "calls: no rows of the process type 'renderer'; there are gpu, broker"},
        {"process_type\tsyscall\tcount\ngpu\tread\t1\n" TYPE_OF_60_LETTERS "a\tread\t1\n" TYPE_OF_60_LETTERS "b\tread\t1\n",
         "renderer", "there are gpu, " TYPE_OF_60_LETTERS "a, ..."},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct profile profile;
        struct profile_error error = {.text = ""};
        char text[768];
        test_message("%s", rows[i].text);
        if (CHECK(!read_one(rows[i].text, rows[i].type, &profile, &error))) {
            CHECK_CONTAINS(profile_error_format(&error, text, sizeof text), rows[i].says);
        }
    }
    test_message("%s", "");
}

// Writes `count` bytes of `byte`, then a newline, to a file in memory. Returns: its descriptor.
static int make_line(char byte, size_t count)
{
    static char line[PROFILE_LINE_BYTES_MAX + 2];
    int fd = memfd_create("line", MFD_CLOEXEC);
    memset(line, byte, count);
    line[count] = '\n';
    CHECK_EQ(write(fd, line, count + 1), (ssize_t)count + 1);
    return fd;
}

TEST(profile, lines_have_a_limit)
{
    for (size_t more = 0; more < 2; more++) {
        char path[64];
        struct profile_error error = {.text = ""};
        struct profile_reader *reader = profile_new(BRIG_DSL_X86_64, NULL);
        int fd = make_line('#', PROFILE_LINE_BYTES_MAX + more);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        CHECK(!profile_read_file(reader, path, &error));
        CHECK_CONTAINS(error.text, more == 0 ? "no calls in it" : "a line of more than 4096 bytes");
        CHECK_EQ(error.line, (int)more);
        profile_delete(reader);
        close(fd);
    }
}

static const struct command rows[] = {
    {"printf '0 1 P 3 0 0 0\\n202 P 80 0 0 0 0\\n' | brig compile renderer --stats --profile -",
     0,
     {"cached_share       50.0 %  of the profile's 2 calls\n"}},
    {"printf '0 1 P 3 0 0 0\\n202 P 80 0 0 0 0\\n' | gzip | brig compile renderer --stats --profile=-",
     0,
     {"cached_share       50.0 %"}},
    {"printf '0 1 P 3 0 0 0\\n' | gzip | head -c 25 | brig compile renderer --stats --profile=-",
     2,
     {"<stdin>: cannot read it: unexpected end of file"}},
    {"printf 'syscall\\tcount\\nread\\t3\\nfutex\\t1\\n' | brig compile renderer --stats --json --profile=-",
     0,
     {"\"cached_share\": 0.75", "\"calls\": 4", "\"different\": 2", "\"expected_ebpf\": "}},
    {"brig compile renderer --stats --json", 0, {"\"cached_share\": null", "\"profile\": null"}},
    {"brig compile renderer --stats", 0, {"alike, arguments 0 (no --profile)"}},
    {"printf 'syscall\\tcount\\topen\\nread\\t3\\tx\\nopen\\t1\\tx\\n' | brig compile renderer -a aarch64 --stats --profile=-",
     0,
     {"note: 1 calls of the profile are left out, aarch64 has no such calls"}},
    {"printf 'syscall\\tcount\\targument\\nread\\t3\\tx\\n' | brig compile renderer --stats --profile=-",
     0,
     {"note: 3 of 3 calls of the profile count without arguments"}},
    {"printf 'syscall\\tcount\\nopnat\\t3\\n' | brig compile renderer --profile=-",
     2,
     {"brig compile: <stdin>:2:1: no system call has the name 'opnat'; did you mean 'openat'?"}},
    {"printf '\\033[31m\\n' | brig compile renderer --profile=-", 2, {"<stdin>:1:1: neither a call"}},
    {"brig compile renderer --profile=/no/such/file", 2, {"/no/such/file: cannot read it: No such file"}},
    {"brig compile renderer --profile=/", 2, {"/: cannot read it: Is a directory"}},
    {"brig compile renderer --profile=/dev/null", 2, {"/dev/null: no calls in it"}},
    {"brig compile renderer --profile=/dev/zero", 2, {"/dev/zero:1: a line of more than 4096 bytes"}},
    {"brig compile renderer --profile-type=gpu", 2, {"--profile-type goes with --profile"}},
    {"brig dump renderer --stage=tree --profile=/dev/null", 2, {"/dev/null: no calls in it"}},
    {"printf '0 1 2 3 4 5 6\\n' > profile.tmp; brig compile renderer --stats --json --profile profile.tmp --profile profile.tmp | grep calls; "
     "rm profile.tmp",
     0,
     {"\"calls\": 2"}},
    // The same profile gives the same program.
    {"printf '202 P 80 0 0 0 0\\n' > profile.tmp; brig compile renderer --profile profile.tmp -o a.tmp; brig compile renderer --profile "
     "profile.tmp -o b.tmp; cmp a.tmp b.tmp && brig prove renderer ./a.tmp --actions-only; rm a.tmp b.tmp profile.tmp",
     0,
     {"equal in what the kernel does: proven"}},
};

TEST(profile, command_lines_do_what_they_say)
{
    check_commands(rows, COUNT_OF(rows));
}
