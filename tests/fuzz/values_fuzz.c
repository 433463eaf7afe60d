// Any bytes as a value text: nothing is read outside them, spans lie within, and a value that was read can be written and read
// again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/rules.h"
#include "bpf_dsl/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "values_fuzz: %s\n", what);
        abort();
    }
}

static void check_error(const struct brig_error *error, const char *text, size_t text_bytes)
{
    char sentence[BRIG_ERROR_TEXT_BYTES];
    must(error->code != BRIG_OK && error->step && error->subject, "a failure without its facts");
    must(text_bytes == 0 || (error->subject >= text && error->subject + error->subject_bytes <= text + text_bytes),
         "a subject outside the text");
    must(error->code != BRIG_BAD_VALUE_SYNTAX || (error->detail >= 0 && (size_t)error->detail <= text_bytes),
         "an offset outside the text");
    // Looking for the closest of all names takes a thousand times as long as reading a value.
    bool is_slow = error->code == BRIG_NO_SUCH_CONSTANT && text_bytes % 64 != 0;
    must(is_slow || strlen(brig_error_format(error, sentence, sizeof sentence)) < sizeof sentence, "a sentence without an end");
}

static void check_list(const char *text, size_t text_bytes, enum brig_dsl_arch arch)
{
    struct brig_dsl_options options = {.self_pid = 77, .notify_fd = BRIG_DSL_SLOT_UNSET};
    struct dsl_value_reader reader = {.text = text, .text_bytes = text_bytes, .arch = arch, .slots = &options};
    struct dsl_value value;
    size_t count = 0;
    size_t end = 0;
    for (; dsl_value_next(&reader, &value); count++) {
        must(value.bytes > 0 && value.offset >= end && value.offset + value.bytes <= text_bytes, "a span out of order");
        end = value.offset + value.bytes;
    }
    must(count <= dsl_value_count_bound(text, text_bytes), "more values than the bound");
    if (reader.error.code != BRIG_OK) {
        check_error(&reader.error, text, text_bytes);
    }
}

static void check_value(const char *text, size_t text_bytes, enum brig_dsl_arch arch)
{
    uint64_t value;
    struct brig_error error;
    if (brig_dsl_read_value(text, text_bytes, arch, NULL, &value, &error) != BRIG_OK) {
        check_error(&error, text, text_bytes);
        return;
    }
    char written[40];
    uint64_t again;
    int written_bytes = snprintf(written, sizeof written, "U64(%llu)", (unsigned long long)value);
    must(brig_dsl_read_value(written, (size_t)written_bytes, arch, NULL, &again, &error) == BRIG_OK && again == value,
         "a value that cannot be read again");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    // The length picks the arch, so that seeds are plain texts.
    enum brig_dsl_arch arch = (enum brig_dsl_arch)(bytes % BRIG_DSL_ARCH_COUNT);
    check_list((const char *)data, bytes, arch);
    check_value((const char *)data, bytes, arch);
    return 0;
}
