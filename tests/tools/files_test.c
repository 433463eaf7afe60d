// Whole files, and what is none.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/shim/test.h"
#include "tools/files/files.h"

TEST(files, are_read_whole_within_the_limit)
{
    static const struct {
        off_t bytes;
        int code;
    } rows[] = {{0, 0}, {1, 0}, {65536, 0}, {65537, 0}, {FILES_BYTES_MAX, 0}, {FILES_BYTES_MAX + 1, EFBIG}};
    char path[] = "/tmp/brig-files-XXXXXX";
    const int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *text = NULL;
        size_t bytes = 0;
        test_message("%lld bytes", (long long)rows[i].bytes);
        CHECK(ftruncate(fd, rows[i].bytes) == 0);
        CHECK_EQ(files_read_regular(path, &text, &bytes), rows[i].code);
        CHECK_EQ(bytes, rows[i].code == 0 ? (size_t)rows[i].bytes : 0);
        CHECK((text != NULL) == (rows[i].code == 0));
        free(text);
    }
    test_message("%s", "");
    close(fd);
    unlink(path);
}

// What is too big is left alone behind the limit, but for what a stream reads ahead.
TEST(files, are_not_read_far_behind_the_limit)
{
    char path[] = "/tmp/brig-files-XXXXXX";
    const int fd = mkstemp(path);
    FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
    char *text = NULL;
    size_t bytes = 0;
    REQUIRE(in != NULL);
    CHECK(ftruncate(fd, 4 * (off_t)FILES_BYTES_MAX) == 0);
    CHECK_EQ(files_read_stream(in, &text, &bytes), EFBIG);
    CHECK_LE(lseek(fd, 0, SEEK_CUR), FILES_BYTES_MAX + 65536);
    CHECK(text == NULL);
    fclose(in);
    unlink(path);
}

TEST(files, that_are_none_are_said_to_be_and_not_waited_for)
{
    char directory[] = "/tmp/brig-files-XXXXXX";
    char pipe[64];
    char *text = NULL;
    size_t bytes = 0;
    REQUIRE(mkdtemp(directory) != NULL);
    snprintf(pipe, sizeof pipe, "%s/pipe", directory);
    CHECK(mkfifo(pipe, 0600) == 0);
    CHECK_EQ(files_read_regular(pipe, &text, &bytes), ENODEV);
    CHECK_EQ(files_read_regular(directory, &text, &bytes), ENODEV);
    CHECK_EQ(files_read_regular("/dev/zero", &text, &bytes), ENODEV);
    CHECK_EQ(files_read_regular("/no/such/file", &text, &bytes), ENOENT);
    CHECK_EQ(files_read(directory, &text, &bytes), EISDIR);
    CHECK_EQ(files_read("/dev/zero", &text, &bytes), EFBIG);
    CHECK(text == NULL && bytes == 0);
    unlink(pipe);
    rmdir(directory);
}
