// Any bytes as assembler, and as a program: an error has its facts and lies within the text; what was assembled or could be
// installed is the same after being written and read again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "asm_fuzz: %s\n", what);
        abort();
    }
}

struct listing {
    size_t bytes;
    char text[BRIG_DSL_ASSEMBLER_BYTES_MAX];
};

static void append(void *context, const char *text, size_t text_bytes)
{
    struct listing *listing = context;
    must(text_bytes <= sizeof listing->text - listing->bytes, "a listing that is too long to be read again");
    memcpy(listing->text + listing->bytes, text, text_bytes);
    listing->bytes += text_bytes;
}

static void check_round_trip(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch)
{
    static struct listing listing;
    static struct sock_filter again[BPF_MAXINSNS];
    struct brig_dsl_sink sink = {.write = append, .context = &listing};
    size_t again_count;
    listing.bytes = 0;
    brig_dsl_list(insns, insn_count, arch, &sink);
    must(brig_dsl_assemble((struct brig_dsl_text){listing.text, listing.bytes}, arch, again, &again_count, NULL) == BRIG_OK,
         "a listing that cannot be read");
    must(again_count == insn_count && memcmp(again, insns, insn_count * sizeof *insns) == 0,
         "a listing that gives another program");
}

static void check_error(const struct brig_error *error, const char *text, size_t text_bytes)
{
    must(error->step != NULL && error->subject != NULL, "a failure without its facts");
    if (error->code != BRIG_BAD_ASSEMBLER) {
        must(error->code == BRIG_TOO_BIG, "an unexpected code");
        return;
    }
    must(error->subject >= text && error->subject + error->subject_bytes <= text + text_bytes, "words outside the text");
    must(error->line >= 0 && error->detail >= 1 && (size_t)error->detail <= text_bytes + 1, "a place outside the text");
    // Looking for the closest of all names takes a thousand times as long as reading a line.
    if (text_bytes % 64 == 0) {
        brig_dsl_assembler_closest(error);
    }
}

static void check_text(const char *text, size_t text_bytes, enum brig_dsl_arch arch)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    struct brig_error error = {.code = BRIG_OK};
    size_t insn_count;
    if (brig_dsl_assemble((struct brig_dsl_text){text, text_bytes}, arch, insns, &insn_count, &error) != BRIG_OK) {
        check_error(&error, text, text_bytes);
        return;
    }
    must(brig_dsl_validate(insns, insn_count, NULL) == BRIG_OK, "a program that the kernel would refuse");
    check_round_trip(insns, insn_count, arch);
}

static void check_program(const uint8_t *data, size_t bytes, enum brig_dsl_arch arch)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    size_t insn_count = bytes / sizeof *insns;
    if (insn_count == 0 || insn_count > BPF_MAXINSNS) {
        return;
    }
    memcpy(insns, data, insn_count * sizeof *insns);
    if (brig_dsl_validate(insns, insn_count, NULL) == BRIG_OK) {
        check_round_trip(insns, insn_count, arch);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    // The length picks the arch, so that seeds are plain texts and plain programs.
    enum brig_dsl_arch arch = (enum brig_dsl_arch)(bytes % BRIG_DSL_ARCH_COUNT);
    check_text((const char *)data, bytes, arch);
    check_program(data, bytes, arch);
    return 0;
}
