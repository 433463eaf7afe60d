// brig report as its users meet it: over directories of reports made here.
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sandbox/report_fixture.h"

enum { OUTPUT_BYTES = 262144 };

// Runs brig, which was built beside this test, in `directory`. Returns: its exit status; what it printed on both streams.
static int run(const char *directory, const char *arguments, char output[OUTPUT_BYTES])
{
    char program[2048];
    char command[8192];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(program, '/');
    *(slash == NULL ? program : slash) = '\0';
    snprintf(command, sizeof command, "cd '%s' && { '%s/brig' report %s; } 2>&1", directory, program, arguments);
    FILE *pipe = popen(command, "re");
    if (!CHECK(pipe != NULL)) {
        return -1;
    }
    output[fread(output, 1, OUTPUT_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool write_report(const char *directory, const struct report_fixture *fixture, const char *name)
{
    char *text = NULL;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_written = CHECK_OK(brig_report_json(&fixture->violation, &fixture->stack, &text, NULL), NULL) &&
                      CHECK_OK(brig_report_write(fd, name, text, NULL), NULL);
    free(text);
    close(fd);
    return is_written;
}

static void write_text(const char *directory, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    REQUIRE(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

// Three reports with two causes, a file that is none, and one that is not looked at.
static bool fill(const char *directory)
{
    struct report_fixture *openat = report_fixture_new("openat", (uint64_t[6]){(uint64_t)-100, 4096, 0});
    struct report_fixture *getpid = report_fixture_new("getpid", (uint64_t[6]){0});
    if (openat == NULL || getpid == NULL) {
        return false;
    }
    report_point(openat, 1, "/etc/passwd", 11, false);
    openat->violation.count = 1;
    bool is_filled = write_report(directory, openat, "1.json.gz");
    openat->violation.time_ms += 60000;
    openat->violation.with_stack = true;
    openat->violation.count = 5;
    is_filled = is_filled && write_report(directory, openat, "2.json.gz") && write_report(directory, getpid, "3.json.gz");
    report_fixture_free(openat);
    report_fixture_free(getpid);
    return is_filled;
}

static const struct {
    const char *arguments;
    int exit_status;
    const char *says[6];
} rows[] = {
    {"1.json.gz",
     0,
     {"example[4711] openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) -> killed", "decided by policies/example.c:88  CRASH",
      "because    the worker opens nothing by name", "#1   load_font+0x1c", "ROW(openat, ALLOW, IN(flags, O_RDONLY)),",
      "before policies/example.c:88"}},
    {"3.json.gz", 0, {"getpid() -> answered EPERM", "REPORT(EPERM)", "ROW(getpid, ALLOW),", "gives the same row"}},
    {"1.json.gz --json", 0, {"\"schema\": \"brig-report-1\"", "\"text\": \"openat("}},
    {"1.json.gz --color=always", 0, {"\033[1;31mkilled"}},
    {".",
     0,
     {"3 reports in ., 2 causes\n\n    5 x example  openat(", "2 files, newest 2.json.gz", "    3 x example  getpid()",
      "openat64+0x7 < load_font+0x1c"}},
    {". --json", 0, {"\"schema\": \"brig-report-groups-1\"", "\"events\": 5", "\"files\": 2", "\"newest\": \"2.json.gz\""}},
    {"1.json.gz --html=-", 0, {"<!doctype html>", "&quot;/etc/passwd&quot;", "default-src 'none'"}},
    {". --html=-", 0, {"Violations by cause", "3 reports, 2 causes", "5&times;"}},
    {"2.json.gz --minidump=-", 0, {"MDMP"}},
    {"1.json.gz --minidump=-", 2, {"this report has no stack"}},
    {". --minidump=-", 2, {"--minidump takes one report, not a directory"}},
    {"", 2, {"give one report, or a directory of reports"}},
    {". 1.json.gz", 2, {"give one report, or a directory of reports"}},
    {"4.json.gz", 2, {"cannot read '4.json.gz': No such file or directory"}},
    {"/dev/null", 2, {"this is not a Brig report"}},
    {"1.json.gz --html=/no/such/directory/page", 2, {"cannot write '/no/such/directory/page'"}},
    {"1.json.gz --color=red", 2, {"--color is auto, always or never"}},
    {"1.json.gz --jsno", 2, {"did you mean '--json'?"}},
    {"1.json.gz > /dev/full", 2, {"No space left on device"}},
};

TEST(report, the_verb_prints_one_report_or_many)
{
    char directory[64];
    static char output[OUTPUT_BYTES];
    REQUIRE(report_directory_new(directory) && fill(directory));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("brig report %s", rows[i].arguments);
        CHECK_EQ(run(directory, rows[i].arguments, output), rows[i].exit_status);
        for (size_t part = 0; part < COUNT_OF(rows[i].says) && rows[i].says[part] != NULL; part++) {
            CHECK_CONTAINS(output, rows[i].says[part]);
        }
    }
    report_directory_free(directory);
}

TEST(report, the_verb_goes_on_past_files_that_are_no_reports)
{
    char directory[64];
    static char output[OUTPUT_BYTES];
    REQUIRE(report_directory_new(directory));
    CHECK_EQ(run(directory, ".", output), 0);
    CHECK_CONTAINS(output, "0 reports in ., 0 causes");
    REQUIRE(fill(directory));
    write_text(directory, "bad.json", "{");
    write_text(directory, "note.txt", "not looked at");
    write_text(directory, ".1.json.gz.tmp", "half a report");
    CHECK_EQ(run(directory, ".", output), 2);
    CHECK_CONTAINS(output, "./bad.json");
    CHECK_CONTAINS(output, "3 reports in ., 2 causes");
    CHECK(strstr(output, "note.txt") == NULL && strstr(output, ".tmp") == NULL);
    report_directory_free(directory);
}

// A report that somebody else wrote: everything in it that a terminal or a browser would obey.
static const char hostile[] =
    "{\"schema\": \"brig-report-1\", \"id\": {\"key\": \"\\u001b[2J\", \"count\": -1, \"time_ms\": 1e300},"
    "\"worker\": {\"name\": \"\\u001b]0;title\\u0007</title><script>alert(1)</script>\\u202e\"},"
    "\"event\": {\"text\": \"<img src=x onerror=alert(2)>\\u009b31m\", \"args\": [1, null, {\"name\": \"\\u001b\", \"text\": \"\\\"'<&>\"}]},"
    "\"stack\": {\"frames\": [{\"function\": \"\\u001b[31m<b>\", \"how\": \"\\u001b\"}, 7, {}], \"stop\": 3},"
    "\"advice\": {\"edit\": \"a\\u001b[1m\\nb\\u202e</pre>\", \"risk\": \"<i>\"}, \"policy\": {\"file\": \"\\u001bX\", \"baseline\": 4},"
    "\"modules\": 1, \"env\": []}";

TEST(report, a_report_of_lies_shows_as_text)
{
    static const char *const ways[] = {"r.json", "r.json --html=-", ".", ". --html=-"};
    char directory[64];
    static char output[OUTPUT_BYTES];
    REQUIRE(report_directory_new(directory));
    write_text(directory, "r.json", hostile);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        test_message("brig report %s", ways[i]);
        CHECK_EQ(run(directory, ways[i], output), 0);
        CHECK(strchr(output, '\033') == NULL && strchr(output, '\007') == NULL);
        // NOLINTNEXTLINE(misc-misleading-bidirectional)
        CHECK(strstr(output, "\xc2\x9b") == NULL && strstr(output, "\xe2\x80\xae") == NULL);
        if (strstr(ways[i], "--html") != NULL) {
            CHECK(strstr(output, "<script") == NULL && strstr(output, "<img") == NULL && strstr(output, "<b>a") == NULL);
            CHECK_CONTAINS(output, "&lt;img src=x onerror=alert(2)&gt;");
        }
    }
    report_directory_free(directory);
}
