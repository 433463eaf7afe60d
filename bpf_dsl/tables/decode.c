// Decode: an argument's value as people write it in C.
//
// Takes: an argument's description and the register's 64 bits. Gives: "O_WRONLY|O_CREAT|O_CLOEXEC", "AT_FDCWD", "0644", "-1",
// "NULL", "0x7ffd1000"; bits that no constant of the group explains stand as one hexadecimal number at the end. Requires: nothing
// of the value; it may come from an attacker. Guarantees: no allocation, no stdio, safe in a signal handler. Weakness: flags are
// taken greedily in the order of the group (tools/tables/groups.def), so a wrong order there hides single bits; of two constants
// with one value the first is printed.

#include "bpf_dsl/tables/data.h"
#include "bpf_dsl/text.h"

// From here on, a union's or an unknown number is more likely an address or a set of bits than a count.
#define FIRST_HEX 0x10000

struct decoding {
    const struct brig_dsl_argument *argument;
    struct brig_dsl_sink sink;
    enum brig_dsl_arch arch;
    uint64_t mask; // the bits of the register that the kernel looks at
    uint64_t value;
};

static int64_t as_signed(const struct decoding *decoding, uint64_t value)
{
    return decoding->mask == UINT32_MAX ? (int32_t)(uint32_t)value : (int64_t)value;
}

static void put_unsigned(const struct decoding *decoding, uint64_t value)
{
    if (value > INT64_MAX) {
        dsl_put_hex(&decoding->sink, value);
    } else {
        dsl_put_decimal(&decoding->sink, (int64_t)value);
    }
}

static void put_integer(const struct decoding *decoding)
{
    if (decoding->argument->is_signed) {
        dsl_put_decimal(&decoding->sink, as_signed(decoding, decoding->value));
    } else {
        put_unsigned(decoding, decoding->value);
    }
}

// Descriptors and pids are ints whatever the prototype says: -1 has to read as -1.
static void put_int(const struct decoding *decoding)
{
    int32_t value = (int32_t)(uint32_t)decoding->value;
    int64_t at_fdcwd;
    bool is_dirfd = decoding->argument->kind == BRIG_DSL_KIND_DIRFD;
    if (is_dirfd && brig_dsl_constant_value("AT_FDCWD", 8, decoding->arch, &at_fdcwd) == 0 && value == at_fdcwd) {
        dsl_put(&decoding->sink, "AT_FDCWD");
    } else {
        dsl_put_decimal(&decoding->sink, value);
    }
}

static void put_octal(const struct decoding *decoding)
{
    char digits[24];
    size_t at = sizeof digits;
    for (uint64_t rest = decoding->value; rest != 0; rest >>= 3) {
        digits[--at] = (char)('0' + (rest & 7));
    }
    digits[--at] = '0';
    dsl_put_bytes(&decoding->sink, digits + at, sizeof digits - at);
}

static void put_pointer(const struct decoding *decoding)
{
    if (decoding->value == 0) {
        dsl_put(&decoding->sink, "NULL");
    } else {
        dsl_put_hex(&decoding->sink, decoding->value);
    }
}

static void put_hex(const struct decoding *decoding)
{
    dsl_put_hex(&decoding->sink, decoding->value);
}

static void put_small_or_hex(const struct decoding *decoding)
{
    int64_t value = as_signed(decoding, decoding->value);
    if (value > -FIRST_HEX && value < FIRST_HEX) {
        dsl_put_decimal(&decoding->sink, value);
    } else {
        dsl_put_hex(&decoding->sink, decoding->value);
    }
}

static const struct dsl_member *members_of(const struct decoding *decoding, size_t *ret_count)
{
    const struct dsl_group *group = decoding->argument->group != NULL ? dsl_find_group(decoding->argument->group) : NULL;
    *ret_count = group != NULL ? group->count : 0;
    return group != NULL ? &dsl_members[group->first] : NULL;
}

static bool read_member(const struct decoding *decoding, const struct dsl_member *member, uint64_t *ret_value)
{
    int64_t value;
    if (!dsl_constant_read(member->constant, decoding->arch, &value)) {
        return false;
    }
    *ret_value = (uint64_t)value & decoding->mask;
    return decoding->mask == UINT64_MAX || (value >= INT32_MIN && value <= UINT32_MAX); // clone3's flags are in clone's group, too
}

static void put_enum(const struct decoding *decoding)
{
    size_t count;
    const struct dsl_member *members = members_of(decoding, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        if (read_member(decoding, &members[i], &value) && value == decoding->value) {
            dsl_put(&decoding->sink, dsl_constant_name_at(members[i].constant));
            return;
        }
    }
    if (decoding->argument->is_signed) {
        put_small_or_hex(decoding);
    } else if (decoding->value < FIRST_HEX) {
        put_unsigned(decoding, decoding->value);
    } else {
        dsl_put_hex(&decoding->sink, decoding->value);
    }
}

// Whether `member` is in what is left of the value. Fields count even when zero, as long as no other member of the field was named.
static bool is_present(const struct decoding *decoding, const struct dsl_member *member, uint64_t rest, uint64_t named_fields)
{
    uint64_t value;
    if (!read_member(decoding, member, &value)) {
        return false;
    }
    if (member->mask != 0) {
        return (named_fields & member->mask) == 0 && (decoding->value & member->mask) == value;
    }
    return value != 0 ? (rest & value) == value : decoding->value == 0;
}

static void put_flags(const struct decoding *decoding)
{
    size_t count;
    const struct dsl_member *members = members_of(decoding, &count);
    uint64_t rest = decoding->value;
    uint64_t named_fields = 0;
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        if (!is_present(decoding, &members[i], rest, named_fields)) {
            continue;
        }
        uint64_t value = 0;
        (void)read_member(decoding, &members[i], &value);
        rest &= ~value;
        named_fields |= members[i].mask;
        dsl_put(&decoding->sink, is_first ? "" : "|");
        dsl_put(&decoding->sink, dsl_constant_name_at(members[i].constant));
        is_first = false;
        if (decoding->value == 0) {
            return; // one name for nothing is enough
        }
    }
    if (rest != 0) {
        dsl_put(&decoding->sink, is_first ? "" : "|");
        dsl_put_hex(&decoding->sink, rest);
    } else if (is_first) {
        dsl_put(&decoding->sink, "0");
    }
}

static void (*const writers[])(const struct decoding *) = {
    [BRIG_DSL_KIND_INTEGER] = put_integer, [BRIG_DSL_KIND_HEX] = put_hex,
    [BRIG_DSL_KIND_FD] = put_int,          [BRIG_DSL_KIND_DIRFD] = put_int,
    [BRIG_DSL_KIND_PID] = put_int,         [BRIG_DSL_KIND_SIZE] = put_integer,
    [BRIG_DSL_KIND_MODE] = put_octal,      [BRIG_DSL_KIND_ENUM] = put_enum,
    [BRIG_DSL_KIND_FLAGS] = put_flags,     [BRIG_DSL_KIND_POINTER] = put_pointer,
    [BRIG_DSL_KIND_PATH] = put_pointer,    [BRIG_DSL_KIND_STRING] = put_pointer,
    [BRIG_DSL_KIND_STRUCT] = put_pointer,  [BRIG_DSL_KIND_UNION] = put_small_or_hex,
};
_Static_assert(sizeof writers / sizeof writers[0] == BRIG_DSL_KIND_UNION + 1, "one writer per kind");

// The bits that the kernel looks at.
static uint64_t mask_of(const struct brig_dsl_argument *argument, enum brig_dsl_arch arch)
{
    if (argument->width == BRIG_DSL_WIDTH_16) {
        return UINT16_MAX;
    }
    return argument->width == BRIG_DSL_WIDTH_32 || !brig_dsl_arch_is_64bit(arch) ? UINT32_MAX : UINT64_MAX;
}

size_t brig_dsl_decode_value(const struct brig_dsl_argument *argument, uint64_t value, enum brig_dsl_arch arch, char *buffer,
                             size_t buffer_bytes)
{
    struct dsl_buffer text = {.text = buffer, .size_bytes = buffer_bytes};
    struct decoding decoding = {
        .argument = argument,
        .sink = dsl_buffer_sink(&text),
        .arch = arch,
        .mask = mask_of(argument, arch),
    };
    decoding.value = value & decoding.mask;
    writers[argument->kind](&decoding);
    return text.used_bytes;
}
