// Any bytes as a report file, plain or gzipped: what is read back is JSON of our schema within its limit, or an error with its
// facts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "report_fuzz: %s\n", what);
        abort();
    }
}

static void check_minidump(const char *text)
{
    void *dump = NULL;
    size_t dump_bytes = 0;
    struct brig_error error;
    if (brig_report_minidump(text, &dump, &dump_bytes, &error) == BRIG_OK) {
        must(dump_bytes >= 32 && memcmp(dump, "MDMP", 4) == 0, "a minidump that is none");
        free(dump);
    } else {
        must(error.code == BRIG_BAD_REPORT && error.subject != NULL, "a failure without its facts");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char path[64];
    char *text = NULL;
    char clean[256];
    struct brig_error error = {.code = BRIG_OK};
    int fd = memfd_create("report", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes, "no file");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (brig_report_read(path, &text, &error) == BRIG_OK) {
        must(strlen(text) <= BRIG_REPORT_BYTES_MAX && strstr(text, "schema") != NULL, "a report that is none");
        brig_report_clean(text, clean, sizeof clean);
        must(strlen(clean) < sizeof clean, "a text without an end");
        check_minidump(text);
        free(text);
    } else {
        must(error.code != BRIG_OK && error.step != NULL && error.subject == path, "a failure without its facts");
    }
    close(fd);
    return 0;
}
