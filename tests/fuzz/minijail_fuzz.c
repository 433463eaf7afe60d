// Any bytes as a minijail policy: an error has its facts and lies within a text; what is read compiles. What stands behind the
// first zero byte is what every file holds that the policy names.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "minijail_fuzz: %s\n", what);
        abort();
    }
}

static int give_rest(void *context, const char *path, char **ret_text, size_t *ret_text_bytes)
{
    const struct import_source *rest = context;
    must(path[0] != '\0', "a file without a name");
    *ret_text = malloc(rest->text_bytes + 1);
    must(*ret_text != NULL, "no memory");
    memcpy(*ret_text, rest->text, rest->text_bytes);
    *ret_text_bytes = rest->text_bytes;
    return 0;
}

// A text may end in half of a line end.
static int line_count(const struct import_source *source)
{
    int count = 1 + (source->text_bytes > 0 && source->text[source->text_bytes - 1] == '\r');
    for (size_t i = 0; i < source->text_bytes; i++) {
        count += source->text[i] == '\n';
    }
    return count;
}

static void check_error(const struct import_error *error, const struct import_source *source, const struct import_source *rest)
{
    char text[IMPORT_ERROR_TEXT_BYTES];
    must(error->text[0] != '\0' && error->file[0] != '\0', "a failure without its facts");
    must(error->line >= 1 && error->column >= 1, "a failure without its place");
    must(error->line <= line_count(source) || error->line <= line_count(rest), "a place outside the text");
    must(import_error_format(error, text, sizeof text)[0] != '\0', "an error without a line");
}

static void compile(const struct import_policies *policies)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    struct brig_dsl_arena arena;
    struct brig_dsl_program program;
    struct brig_error error;
    struct brig_dsl_options options = {.profile = policies->profile};
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    enum brig_code code = brig_dsl_compile_targets(policies->targets, policies->target_count, &options, &arena, &program, &error);
    must(code == BRIG_OK || code == BRIG_OUT_OF_ARENA || code == BRIG_PROGRAM_TOO_BIG, "a policy that does not compile");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    // The length picks the arch, so that seeds are plain texts.
    enum brig_dsl_arch arch = (enum brig_dsl_arch)(bytes % BRIG_DSL_ARCH_COUNT);
    const uint8_t *zero = bytes == 0 ? NULL : memchr(data, '\0', bytes);
    size_t text_bytes = zero == NULL ? bytes : (size_t)(zero - data);
    struct import_source source = {.name = "fuzz.policy", .text = (const char *)data, .text_bytes = text_bytes};
    struct import_source rest = {.text = zero == NULL ? "" : (const char *)zero + 1,
                                 .text_bytes = zero == NULL ? 0 : bytes - text_bytes - 1};
    struct import_reader reader = {.read = give_rest, .context = &rest};
    struct import_options options = {.arches = &arch, .arch_count = 1, .reader = &reader};
    struct import_policies policies;
    struct import_error error;
    if (!import_minijail(&source, &options, &policies, &error)) {
        check_error(&error, &source, &rest);
        return 0;
    }
    compile(&policies);
    import_free(&policies);
    return 0;
}
