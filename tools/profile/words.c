// words: what a table of counts says of a call's arguments, as values.
//
// Takes: a text such as "AT_FDCWD RDONLY|CLOEXEC", "level=1 opt=7", "R|W PRIVATE|ANON" and the call that it is about. Gives: the
// arguments whose values that tells, for one arch. A word NAME=NUMBER is about the argument of that name; a bare word is about the
// next argument of the call's row in `bare_words`, and its parts are constants of that argument without their prefix. Guarantees:
// an argument is known only where its whole value is. Weaknesses: the words are those of one recorder; a call without a row gives
// no more than NAME=NUMBER; what is said of whom (`self`, `x`, `dirfd`) is no value.
#include <stdlib.h>
#include <string.h>

#include "tools/profile/parts.h"

// --- tables -----------------------------------------------------------------------------------------------------------

enum { BARE_WORDS_MAX = 3 };

// Which arguments bare words are about, in order. An argument that stands twice gets the bits of both.
static const struct {
    enum brig_dsl_call call;
    const char *arguments[BARE_WORDS_MAX];
} bare_words[] = {
    {BRIG_SYS_clone, {"flags"}},
    {BRIG_SYS_faccessat, {"dirfd"}},
    {BRIG_SYS_faccessat2, {"dirfd"}},
    {BRIG_SYS_fcntl, {"cmd"}},
    {BRIG_SYS_fcntl64, {"cmd"}},
    {BRIG_SYS_futex, {"op"}},
    {BRIG_SYS_futex_time64, {"op"}},
    {BRIG_SYS_ioctl, {"cmd"}},
    {BRIG_SYS_madvise, {"advice"}},
    {BRIG_SYS_mmap, {"prot", "flags"}},
    {BRIG_SYS_mmap2, {"prot", "flags"}},
    {BRIG_SYS_mprotect, {"prot"}},
    {BRIG_SYS_newfstatat, {"dirfd"}},
    {BRIG_SYS_open, {"flags"}},
    {BRIG_SYS_openat, {"dirfd", "flags"}},
    {BRIG_SYS_prctl, {"option"}},
    {BRIG_SYS_readlinkat, {"dirfd"}},
    {BRIG_SYS_socket, {"domain", "type", "type"}},
    {BRIG_SYS_socketpair, {"domain", "type", "type"}},
    {BRIG_SYS_statx, {"dirfd"}},
    {BRIG_SYS_unlinkat, {"dirfd"}},
};

// Constants that are not their group's prefix and the word.
static const struct {
    const char *group;
    const char *word;
    const char *constant;
} short_words[] = {
    {"futex_op", "PRIVATE", "FUTEX_PRIVATE_FLAG"},
    {"futex_op", "REALTIME", "FUTEX_CLOCK_REALTIME"},
    {"mmap_prot", "R", "PROT_READ"},
    {"mmap_prot", "W", "PROT_WRITE"},
    {"mmap_prot", "X", "PROT_EXEC"},
};

// Names of arguments that are not the kernel's.
static const struct {
    enum brig_dsl_call call; // or BRIG_SYS_NONE for any
    const char *name;
    const char *argument;
} other_names[] = {
    {BRIG_SYS_clone, "sig", "flags"},     {BRIG_SYS_NONE, "clk", "clockid"},  {BRIG_SYS_NONE, "opt", "optname"},
    {BRIG_SYS_NONE, "proto", "protocol"}, {BRIG_SYS_NONE, "res", "resource"},
};

// Words that say that a pointer is NULL.
static const struct {
    enum brig_dsl_call call;
    const char *word;
    const char *argument;
} null_words[] = {
    {BRIG_SYS_prlimit64, "get", "new_limit"},
    {BRIG_SYS_recvfrom, "noaddr", "addr"},
    {BRIG_SYS_rt_sigaction, "get", "act"},
    {BRIG_SYS_sendto, "noaddr", "addr"},
};

// Words that are understood and give no value.
static const char *const vague_words[] = {"addr", "dirfd", "other", "self", "set", "SET", "x"};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

// --- values -----------------------------------------------------------------------------------------------------------

struct reading {
    enum brig_dsl_call call;
    enum brig_dsl_arch arch;
    size_t bare_count; // bare words so far
    struct brig_dsl_sample sample;
};

static bool equals(struct brig_dsl_text text, const char *word)
{
    return strlen(word) == text.bytes && memcmp(word, text.text, text.bytes) == 0;
}

static bool is_vague(struct brig_dsl_text text)
{
    for (size_t i = 0; i < COUNT_OF(vague_words); i++) {
        if (equals(text, vague_words[i])) {
            return true;
        }
    }
    return false;
}

// A number, decimal or with 0x, of at most 64 bits.
static bool read_number(struct brig_dsl_text text, uint64_t *ret_value)
{
    struct brig_error error;
    if (text.bytes == 0 || text.text[0] < '0' || text.text[0] > '9') {
        return false;
    }
    return brig_dsl_read_value(text.text, text.bytes, BRIG_DSL_X86_64, NULL, ret_value, &error) == BRIG_OK;
}

// A constant of `group` as a table has it: its own name, one of short_words, or the group's prefix left out.
static bool read_constant(struct brig_dsl_text word, const char *group, enum brig_dsl_arch arch, int64_t *ret_value)
{
    char name[96];
    int64_t ignored;
    const char *member = group == NULL ? NULL : brig_dsl_group_member(group, 0, arch, &ignored);
    size_t prefix_bytes = member == NULL ? 0 : strcspn(member, "_") + 1;
    for (size_t i = 0; group != NULL && i < COUNT_OF(short_words); i++) {
        if (strcmp(short_words[i].group, group) == 0 && equals(word, short_words[i].word)) {
            return brig_dsl_constant_value(short_words[i].constant, strlen(short_words[i].constant), arch, ret_value) == 0;
        }
    }
    if (member != NULL && prefix_bytes <= strlen(member) && prefix_bytes + word.bytes < sizeof name) {
        memcpy(name, member, prefix_bytes);
        memcpy(name + prefix_bytes, word.text, word.bytes);
        if (brig_dsl_constant_value(name, prefix_bytes + word.bytes, arch, ret_value) == 0) {
            return true;
        }
    }
    return brig_dsl_constant_value(word.text, word.bytes, arch, ret_value) == 0;
}

// Parts joined by |: constants and numbers.
static bool read_parts(struct brig_dsl_text word, const char *group, enum brig_dsl_arch arch, uint64_t *ret_value)
{
    uint64_t value = 0;
    while (true) {
        const char *bar = memchr(word.text, '|', word.bytes);
        struct brig_dsl_text part = {word.text, bar == NULL ? word.bytes : (size_t)(bar - word.text)};
        uint64_t number;
        int64_t constant;
        if (read_number(part, &number)) {
            value |= number;
        } else if (part.bytes > 0 && read_constant(part, group, arch, &constant)) {
            value |= (uint64_t)constant;
        } else {
            return false;
        }
        if (bar == NULL) {
            *ret_value = value;
            return true;
        }
        word = (struct brig_dsl_text){bar + 1, word.bytes - part.bytes - 1};
    }
}

// Sets bits of an argument; one of 32 bits is passed as compilers do it, with nothing in the upper half.
static bool set_argument(struct reading *reading, int index, uint64_t value)
{
    const struct brig_dsl_argument *argument = brig_dsl_call_argument(reading->call, reading->arch, index);
    if (argument == NULL) {
        return false;
    }
    uint64_t *place = &reading->sample.args[index];
    *place = (reading->sample.known >> index & 1) == 0 ? 0 : *place;
    *place |= argument->width == BRIG_DSL_WIDTH_64 ? value : value & UINT32_MAX;
    reading->sample.known |= 1u << index;
    return true;
}

// --- words ------------------------------------------------------------------------------------------------------------

static int find_argument(const struct reading *reading, struct brig_dsl_text name)
{
    for (size_t i = 0; i < COUNT_OF(other_names); i++) {
        bool is_for_call = other_names[i].call == BRIG_SYS_NONE || other_names[i].call == reading->call;
        if (is_for_call && equals(name, other_names[i].name)) {
            name = (struct brig_dsl_text){other_names[i].argument, strlen(other_names[i].argument)};
            break;
        }
    }
    return brig_dsl_call_argument_index(reading->call, reading->arch, name.text, name.bytes);
}

static bool read_named(struct reading *reading, struct brig_dsl_text name, struct brig_dsl_text text)
{
    uint64_t value;
    int index = find_argument(reading, name);
    const struct brig_dsl_argument *argument = brig_dsl_call_argument(reading->call, reading->arch, index);
    if (argument == NULL) {
        return false;
    }
    return is_vague(text) || (read_parts(text, argument->group, reading->arch, &value) && set_argument(reading, index, value));
}

static bool read_null(struct reading *reading, struct brig_dsl_text word)
{
    for (size_t i = 0; i < COUNT_OF(null_words); i++) {
        if (null_words[i].call == reading->call && equals(word, null_words[i].word)) {
            const char *name = null_words[i].argument;
            return set_argument(reading, find_argument(reading, (struct brig_dsl_text){name, strlen(name)}), 0);
        }
    }
    return false;
}

static bool read_bare(struct reading *reading, struct brig_dsl_text word)
{
    const char *name = NULL;
    for (size_t i = 0; i < COUNT_OF(bare_words) && reading->bare_count < BARE_WORDS_MAX; i++) {
        name = bare_words[i].call == reading->call ? bare_words[i].arguments[reading->bare_count] : name;
    }
    reading->bare_count++;
    return name != NULL && read_named(reading, (struct brig_dsl_text){name, strlen(name)}, word);
}

static bool read_word(struct reading *reading, struct brig_dsl_text word)
{
    const char *sign = memchr(word.text, '=', word.bytes);
    if (sign != NULL) {
        size_t name_bytes = (size_t)(sign - word.text);
        return read_named(reading, (struct brig_dsl_text){word.text, name_bytes},
                          (struct brig_dsl_text){sign + 1, word.bytes - name_bytes - 1});
    }
    if (read_null(reading, word)) {
        return true;
    }
    size_t bare_count = reading->bare_count;
    if (read_bare(reading, word)) {
        return true;
    }
    reading->bare_count = bare_count;
    return is_vague(word);
}

struct brig_dsl_sample profile_blank_sample(uint32_t nr, enum brig_dsl_call call, enum brig_dsl_arch arch)
{
    struct brig_dsl_sample sample = {.nr = nr};
    for (int i = 0; i < brig_dsl_call_argument_count(call, arch); i++) {
        sample.args[i] = brig_dsl_call_argument(call, arch, i)->is_pointer ? PROFILE_SOME_POINTER : 0;
    }
    return sample;
}

bool profile_read_words(struct brig_dsl_text words, enum brig_dsl_call call, enum brig_dsl_arch arch,
                        struct brig_dsl_sample *sample)
{
    struct reading reading = {.call = call, .arch = arch, .sample = *sample};
    while (words.bytes > 0) {
        const char *space = memchr(words.text, ' ', words.bytes);
        size_t bytes = space == NULL ? words.bytes : (size_t)(space - words.text);
        if (bytes > 0 && !read_word(&reading, (struct brig_dsl_text){words.text, bytes})) {
            return false;
        }
        bytes += space == NULL ? 0 : 1;
        words = (struct brig_dsl_text){words.text + bytes, words.bytes - bytes};
    }
    if (reading.sample.known == sample->known) {
        return false;
    }
    *sample = reading.sample;
    return true;
}
