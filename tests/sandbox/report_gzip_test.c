// Reports on disk: there whole or not at all, and read back only if they are what was written.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/sandbox/report_fixture.h"

static const char json[] = "{\"schema\": \"" BRIG_REPORT_SCHEMA "\", \"id\": {\"sequence\": 7}}";
static const char name[] = "20261118T103332-7-4711.json.gz";

struct place {
    char directory[64];
    char path[200];
    int dir_fd;
};

static bool place_new(struct place *place)
{
    if (!report_directory_new(place->directory)) {
        return false;
    }
    snprintf(place->path, sizeof place->path, "%s/%s", place->directory, name);
    place->dir_fd = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return CHECK_GE(place->dir_fd, 0);
}

static void place_free(struct place *place)
{
    close(place->dir_fd);
    report_directory_free(place->directory);
}

static size_t count_files(const struct place *place)
{
    size_t count = 0;
    DIR *directory = opendir(place->directory);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count;
}

TEST(report, a_report_comes_back_as_it_was)
{
    struct place place;
    struct brig_error error;
    struct stat status;
    char *text = NULL;
    REQUIRE(place_new(&place));
    REQUIRE_OK(brig_report_write(place.dir_fd, name, json, &error), &error);
    CHECK_EQ(count_files(&place), 1);
    CHECK_EQ(stat(place.path, &status), 0);
    CHECK_EQ(status.st_mode & 07777, 0600);
    if (CHECK_OK(brig_report_read(place.path, &text, &error), &error)) {
        CHECK_STR_EQ(text, json);
        free(text);
    }
    place_free(&place);
}

TEST(report, the_same_report_gives_the_same_bytes)
{
    struct place place;
    char bytes[2][4096];
    size_t sizes[2] = {0};
    REQUIRE(place_new(&place));
    for (size_t i = 0; i < 2; i++) {
        REQUIRE_OK(brig_report_write(place.dir_fd, name, json, NULL), NULL);
        int fd = open(place.path, O_RDONLY | O_CLOEXEC);
        ssize_t got = read(fd, bytes[i], sizeof bytes[i]);
        sizes[i] = got < 0 ? 0 : (size_t)got;
        close(fd);
        unlink(place.path);
    }
    CHECK_EQ(sizes[0], sizes[1]);
    CHECK_BYTES_EQ(bytes[0], bytes[1], sizes[0]);
    place_free(&place);
}

// --- what cannot be written -------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    enum brig_code code;
} bad_names[] = {
    {"", BRIG_BAD_ARGUMENT},    {".hidden", BRIG_BAD_ARGUMENT}, {"..", BRIG_BAD_ARGUMENT},
    {"a/b", BRIG_BAD_ARGUMENT}, {"/tmp/x", BRIG_BAD_ARGUMENT},
};

TEST(report, names_stay_in_the_directory)
{
    struct place place;
    struct brig_error error;
    REQUIRE(place_new(&place));
    for (size_t i = 0; i < COUNT_OF(bad_names); i++) {
        test_message("'%s'", bad_names[i].name);
        REQUIRE(CHECK_CODE(brig_report_write(place.dir_fd, bad_names[i].name, json, &error), bad_names[i].code, &error));
    }
    CHECK_EQ(count_files(&place), 0);
    place_free(&place);
}

TEST(report, nothing_is_overwritten_and_no_link_is_followed)
{
    struct place place;
    struct brig_error error;
    char target[200];
    char temporary[200];
    REQUIRE(place_new(&place));
    snprintf(target, sizeof target, "%s/target", place.directory);
    REQUIRE_OK(brig_report_write(place.dir_fd, name, json, NULL), NULL);
    REQUIRE(CHECK_CODE(brig_report_write(place.dir_fd, name, json, &error), BRIG_IO, &error));
    CHECK_EQ(error.sys_errno, EEXIST);
    CHECK_EQ(count_files(&place), 1);
    unlink(place.path);
    CHECK_EQ(symlink(target, place.path), 0);
    REQUIRE(CHECK_CODE(brig_report_write(place.dir_fd, name, json, &error), BRIG_IO, &error));
    CHECK_NE(access(target, F_OK), 0);
    snprintf(temporary, sizeof temporary, "%s/.%s.tmp", place.directory, name);
    CHECK_EQ(symlink(target, temporary), 0);
    REQUIRE(CHECK_CODE(brig_report_write(place.dir_fd, name, json, &error), BRIG_IO, &error));
    CHECK_NE(access(target, F_OK), 0);
    place_free(&place);
}

// A limit on file sizes stands for a full disk; the signal that comes with it must not end the process.
SANDBOX_TEST(report, what_does_not_fit_leaves_nothing_behind, .expect_exit = 0)
{
    struct place place;
    struct brig_error error;
    sigset_t pending;
    REQUIRE(place_new(&place));
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){16, 16});
    REQUIRE(CHECK_CODE(brig_report_write(place.dir_fd, name, json, &error), BRIG_IO, &error));
    CHECK_EQ(error.sys_errno, EFBIG);
    CHECK_STR_EQ(error.subject, name);
    CHECK_EQ(count_files(&place), 0);
    sigpending(&pending);
    CHECK_EQ(sigismember(&pending, SIGXFSZ), 0);
    place_free(&place);
}

TEST(report, a_directory_that_is_gone_is_an_error)
{
    struct place place;
    struct brig_error error;
    REQUIRE(place_new(&place));
    CHECK_EQ(rmdir(place.directory), 0);
    REQUIRE(CHECK_CODE(brig_report_write(place.dir_fd, name, json, &error), BRIG_IO, &error));
    CHECK_EQ(error.sys_errno, ENOENT);
    close(place.dir_fd);
}

// --- what must not be read --------------------------------------------------------------------------------------------

static void put_file(const struct place *place, const void *bytes, size_t size_bytes)
{
    int fd = open(place->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_EQ(write(fd, bytes, size_bytes), (ssize_t)size_bytes);
    close(fd);
}

static size_t compress_bytes(const void *bytes, size_t size_bytes, void *buffer, size_t capacity_bytes)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size_bytes};
    stream.next_out = buffer;
    stream.avail_out = (uInt)capacity_bytes;
    CHECK_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    CHECK_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t used = capacity_bytes - stream.avail_out;
    deflateEnd(&stream);
    return used;
}

static void check_refused(const struct place *place, const char *what, enum brig_code code)
{
    struct brig_error error;
    char *text = NULL;
    test_message("%s", what);
    REQUIRE(CHECK_CODE(brig_report_read(place->path, &text, &error), code, &error));
    CHECK_STR_EQ(error.subject, place->path);
    CHECK(text == NULL);
    unlink(place->path);
}

TEST(report, a_cut_or_lengthened_file_is_refused)
{
    struct place place;
    unsigned char packed[4096];
    REQUIRE(place_new(&place));
    size_t size_bytes = compress_bytes(json, strlen(json), packed, sizeof packed);
    for (size_t kept = 0; kept < size_bytes; kept++) {
        char what[64];
        snprintf(what, sizeof what, "%zu of %zu bytes", kept, size_bytes);
        put_file(&place, packed, kept);
        check_refused(&place, what, BRIG_BAD_REPORT);
    }
    put_file(&place, packed, size_bytes + 1);
    check_refused(&place, "a byte behind the stream", BRIG_BAD_REPORT);
    memcpy(packed + size_bytes, packed, size_bytes);
    put_file(&place, packed, 2 * size_bytes);
    check_refused(&place, "a second member", BRIG_BAD_REPORT);
    packed[size_bytes / 2] ^= 1;
    put_file(&place, packed, size_bytes);
    check_refused(&place, "a changed bit", BRIG_BAD_REPORT);
    place_free(&place);
}

TEST(report, a_bomb_is_refused)
{
    struct place place;
    static char blanks[64 << 20];
    static unsigned char packed[1 << 20];
    REQUIRE(place_new(&place));
    memset(blanks, ' ', sizeof blanks);
    put_file(&place, packed, compress_bytes(blanks, sizeof blanks, packed, sizeof packed));
    check_refused(&place, "64 MiB in a small file", BRIG_TOO_BIG);
    put_file(&place, blanks, BRIG_REPORT_BYTES_MAX + 1);
    check_refused(&place, "a big plain file", BRIG_TOO_BIG);
    place_free(&place);
}

static const struct {
    const char *what;
    const char *text;
} no_reports[] = {
    {"empty", ""},
    {"no JSON", "hello"},
    {"an array", "[]"},
    {"no schema", "{}"},
    {"another schema", "{\"schema\": \"brig-report-0\"}"},
    {"a schema that is no string", "{\"schema\": 1}"},
    {"two schemas", "{\"schema\": \"" BRIG_REPORT_SCHEMA "\", \"schema\": \"" BRIG_REPORT_SCHEMA "\"}"},
    {"something behind", "{\"schema\": \"" BRIG_REPORT_SCHEMA "\"} x"},
    {"a text that is not UTF-8", "{\"schema\": \"" BRIG_REPORT_SCHEMA "\", \"a\": \"\xff\"}"},
};

TEST(report, what_is_no_report_is_refused)
{
    struct place place;
    char *text = NULL;
    struct brig_error error;
    REQUIRE(place_new(&place));
    for (size_t i = 0; i < COUNT_OF(no_reports); i++) {
        put_file(&place, no_reports[i].text, strlen(no_reports[i].text));
        check_refused(&place, no_reports[i].what, BRIG_BAD_REPORT);
    }
    put_file(&place, json, sizeof json); // with its NUL
    check_refused(&place, "a NUL byte", BRIG_BAD_REPORT);
    put_file(&place, json, sizeof json - 1);
    if (CHECK_OK(brig_report_read(place.path, &text, &error), &error)) {
        CHECK_STR_EQ(text, json);
        free(text);
    }
    REQUIRE(CHECK_CODE(brig_report_read("/no/such/report", &text, &error), BRIG_IO, &error));
    REQUIRE(CHECK_CODE(brig_report_read("/tmp", &text, &error), BRIG_BAD_REPORT, &error));
    REQUIRE(CHECK_CODE(brig_report_read("/dev/zero", &text, &error), BRIG_BAD_REPORT, &error));
    place_free(&place);
}
