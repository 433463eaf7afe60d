// Any bytes as an OCI profile: an error has its facts and lies within the text; what is read compiles for every arch that it has.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "oci_fuzz: %s\n", what);
        abort();
    }
}

static void check_error(const struct import_error *error, const uint8_t *data, size_t bytes)
{
    char text[IMPORT_ERROR_TEXT_BYTES];
    int lines = 1;
    for (size_t i = 0; i < bytes; i++) {
        lines += data[i] == '\n';
    }
    must(error->text[0] != '\0' && error->file[0] != '\0', "a failure without its facts");
    must(error->line >= 0 && error->line <= lines && error->column >= 0, "a place outside the text");
    must(import_error_format(error, text, sizeof text)[0] != '\0', "an error without a line");
}

static void check_rows(const struct import_policies *policies)
{
    for (size_t i = 0; i < policies->target_count; i++) {
        for (const struct brig_dsl_row *row = policies->targets[i].policy->rows; row->kind != BRIG_DSL_ROW_END; row++) {
            must(row->line >= 1 && strcmp(row->file, "fuzz.json") == 0, "a row from nowhere");
        }
    }
}

static void compile(const struct import_policies *policies)
{
    static unsigned char memory[4 * BRIG_DSL_ARENA_BYTES];
    struct brig_dsl_arena arena;
    struct brig_dsl_program program;
    struct brig_error error;
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    enum brig_code code = brig_dsl_compile_targets(policies->targets, policies->target_count, &options, &arena, &program, &error);
    must(code == BRIG_OK || code == BRIG_OUT_OF_ARENA || code == BRIG_PROGRAM_TOO_BIG, "a profile that does not compile");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const capabilities[] = {"CAP_SYS_ADMIN"};
    // The length picks the arch, so that seeds are plain texts; one more is all arches that the profile has.
    enum brig_dsl_arch arch = (enum brig_dsl_arch)(bytes % (BRIG_DSL_ARCH_COUNT + 1));
    struct import_source source = {.name = "fuzz.json", .text = (const char *)data, .text_bytes = bytes};
    struct import_options options = {
        .arches = &arch, .arch_count = arch < BRIG_DSL_ARCH_COUNT, .capabilities = capabilities, .capability_count = bytes / 8 % 2};
    struct import_policies policies;
    struct import_error error;
    if (!import_oci(&source, &options, &policies, &error)) {
        check_error(&error, data, bytes);
        return 0;
    }
    check_rows(&policies);
    compile(&policies);
    import_free(&policies);
    return 0;
}
