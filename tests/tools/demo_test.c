// The demo and the example program as their users meet them: what they print, and how they exit.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tests/policies/run_program.h"
#include "tests/shim/test.h"

#define TESTS "/usr/libexec/installed-tests/gdk-pixbuf/"
static const char cut_short[] = TESTS "test-images/reftests/bug696331.png";
static const char too_big[] = TESTS "large.png";
static const char good[] = TESTS "test-image.png";
#define TIMEOUT_MS 120000
enum { PATH_BYTES = 200 };

// Instrumented builds have policies that are no sandbox: the demo says so, leaves out the attempts, and exits with 3.
static bool is_overlay(void)
{
    return strcmp(brig_policy_for_this_build("renderer")->name, "renderer") != 0;
}

static bool make_folder(char ret_path[PATH_BYTES])
{
    snprintf(ret_path, PATH_BYTES, "/tmp/brig-demo-test-XXXXXX");
    return CHECK(mkdtemp(ret_path) != NULL);
}

static void remove_folder(const char *path)
{
    const char *const argv[] = {"rm", "-rf", path, NULL};
    struct run_result result;
    if (run_program(argv, TIMEOUT_MS, &result)) {
        CHECK_EQ(result.wait_status, 0);
        free(result.output);
    }
}

static int exit_status(const struct run_result *result)
{
    return !result->is_late && WIFEXITED(result->wait_status) ? WEXITSTATUS(result->wait_status) : -1;
}

static void check_size(const char *folder, const char *name)
{
    char path[2 * PATH_BYTES];
    struct stat status = {.st_size = 0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    test_message("%s", path);
    CHECK_EQ(stat(path, &status), 0);
    CHECK_GT(status.st_size, 60);
    test_message("%s", "");
}

TEST(demo, does_all_of_it)
{
    char folder[PATH_BYTES];
    struct run_result result;
    REQUIRE(make_folder(folder));
    const char *const argv[] = {"@demo", "--output", folder, NULL};
    REQUIRE(run_program(argv, TIMEOUT_MS, &result));
    static const char *const says[] = {
        "threads filtered, 1 filter, no_new_privs on",
        "cat.jpg.ref.png ",
        "512x512 RGB",
        "All of it went as it must.",
    };
    static const char *const says_of_attempts[] = {
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) -> answered EACCES",
        "policies/restrict_mmap.c:",
        "< attempt_run <",
        "x32 number, which every policy refuses",
        ".json.gz",
        "killed: SIGSYS     nothing",
    };
    for (size_t i = 0; i < COUNT_OF(says); i++) {
        CHECK_CONTAINS(result.output, says[i]);
    }
    for (size_t i = 0; i < COUNT_OF(says_of_attempts) && !is_overlay(); i++) {
        CHECK_CONTAINS(result.output, says_of_attempts[i]);
    }
    CHECK_EQ(exit_status(&result), is_overlay() ? 3 : 0);
    check_size(folder, "00-cat.jpg.ref.png");
    check_size(folder, "07-gtk-logo-gray-16bpp-bottom-right.tga.ref.png");
    free(result.output);
    remove_folder(folder);
}

// Each bad image is one clear error, and the good one after them still gets its thumbnail.
TEST(demo, bad_images_are_errors_of_their_own)
{
    char folder[PATH_BYTES];
    struct run_result result;
    REQUIRE(make_folder(folder));
    const char *const argv[] = {"@demo",     "--output", folder, "tools/packages.txt", "/no/such/image.png",
                                "/dev/null", cut_short,  NULL};
    REQUIRE(run_program(argv, TIMEOUT_MS, &result));
    CHECK_CONTAINS(result.output, "tools/packages.txt: no thumbnail: not a PNG (it does not begin with");
    CHECK_CONTAINS(result.output, "/no/such/image.png: cannot be read: No such file or directory");
    CHECK_CONTAINS(result.output, "/dev/null: no thumbnail: not a PNG (it is empty)");
    CHECK_CONTAINS(result.output, TESTS "test-images/reftests/bug696331.png: no thumbnail: a damaged PNG (");
    CHECK_CONTAINS(result.output, "NOT all of it went as it must");
    CHECK_EQ(exit_status(&result), 1);
    free(result.output);
    const char *const more[] = {"@demo", "--output", folder, too_big, good, NULL};
    REQUIRE(run_program(more, TIMEOUT_MS, &result));
    CHECK_CONTAINS(result.output, "large.png: no thumbnail: too big (25200 x 33300 pixels)");
    CHECK_EQ(exit_status(&result), 1);
    check_size(folder, "01-test-image.png");
    free(result.output);
    remove_folder(folder);
}

TEST(demo, wrong_arguments_and_output_folders_are_named)
{
    static const struct {
        const char *argv[4];
        int exit_status;
        const char *says;
    } rows[] = {
        {{"@demo", "--outptu", "x", NULL}, 2, "usage: demo"},
        {{"@demo", "--help", NULL}, 0, "usage: demo"},
        {{"@demo", "--output", "/proc/nowhere", NULL}, 1, "/proc/nowhere/reports cannot be made"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct run_result result;
        test_message("row %zu", i);
        REQUIRE(run_program(rows[i].argv, TIMEOUT_MS, &result));
        CHECK_EQ(exit_status(&result), rows[i].exit_status);
        CHECK_CONTAINS(result.output, rows[i].says);
        free(result.output);
    }
    test_message("%s", "");
}

TEST(demo, example_program_stops_its_worker)
{
    static const char *const argv[] = {"@example-worker", NULL};
    struct run_result result;
    if (is_overlay()) {
        test_skip("the example has a policy of its own, which knows nothing of sanitizers");
        return;
    }
    REQUIRE(run_program(argv, TIMEOUT_MS, &result));
    CHECK_CONTAINS(result.output, "to be or not to be: 6 words");
    CHECK_CONTAINS(result.output, "openat(AT_FDCWD, \"/tmp/loot\", O_WRONLY|O_CREAT, 0600) -> killed  by restrict_paths.c:");
    CHECK_CONTAINS(result.output, "at count_words");
    CHECK_EQ(exit_status(&result), 0);
    free(result.output);
}
