// Recorded calls of any bytes: either a profile that holds what profile.h says, or an error with a place.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/profile/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "profile_fuzz: %s\n", what);
        abort();
    }
}

static int compare(const struct brig_dsl_sample *a, const struct brig_dsl_sample *b)
{
    if (a->nr != b->nr) {
        return a->nr < b->nr ? -1 : 1;
    }
    return a->known != b->known ? (a->known < b->known ? -1 : 1) : -2;
}

static void check_profile(const struct profile *profile, size_t bytes)
{
    uint64_t calls = 0;
    require(profile->calls.sample_count > 0, "a profile without calls");
    require(profile->calls.sample_count <= bytes, "more samples than bytes");
    for (size_t i = 0; i < profile->calls.sample_count; i++) {
        const struct brig_dsl_sample *sample = &profile->calls.samples[i];
        require(sample->count > 0 && sample->known < 64, "a sample that says nothing");
        require(i == 0 || compare(sample - 1, sample) < 0, "samples out of order");
        calls += sample->count;
    }
    require(calls == profile->call_count, "a sum that is wrong");
}

// The first byte chooses the arch and whether the text is cut in two files.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct profile profile;
    struct profile_error error = {.line = -1};
    char text[768];
    if (bytes < 2) {
        return 0;
    }
    size_t cut = (data[0] & 8) != 0 ? (bytes - 1) / 2 : bytes - 1;
    struct brig_dsl_text halves[] = {{(const char *)data + 1, cut}, {(const char *)data + 1 + cut, bytes - 1 - cut}};
    struct profile_reader *reader =
        profile_new((enum brig_dsl_arch)((data[0] & 7) % BRIG_DSL_ARCH_COUNT), (data[0] & 16) != 0 ? "renderer" : NULL);
    require(reader != NULL, "out of memory");
    bool is_read = profile_read_text(reader, "one", halves[0], &error) &&
                   (halves[1].bytes == 0 || profile_read_text(reader, "two", halves[1], &error));
    if (is_read && profile_finish(reader, &profile, &error)) {
        check_profile(&profile, bytes);
        profile_free(&profile);
    } else {
        require(error.line >= 0 && error.text[0] != '\0', "an error without a reason");
        profile_error_format(&error, text, sizeof text);
    }
    profile_delete(reader);
    return 0;
}
