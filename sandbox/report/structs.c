// structs: the few structures whose contents decide what a call does: sockaddr, open_how, clone_args.
//
// Takes: bytes that were read from the worker while it waited. Gives: one line. Guarantees: reads only the bytes that are there;
// text in them (socket paths) is escaped. Weakness: between the check of these bytes and the call another thread can change them;
// they are evidence, not a decision.
#include "sandbox/report/structs.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sandbox/report/describe.h"

// --- structs of 64-bit fields -----------------------------------------------------------------------------------------

static const struct brig_dsl_argument open_flags = {.group = "open_flags", .width = BRIG_DSL_WIDTH_64, .kind = BRIG_DSL_KIND_FLAGS};
static const struct brig_dsl_argument mode = {.width = BRIG_DSL_WIDTH_64, .kind = BRIG_DSL_KIND_MODE};
static const struct brig_dsl_argument resolve = {.group = "resolve_flags", .width = BRIG_DSL_WIDTH_64, .kind = BRIG_DSL_KIND_FLAGS};
static const struct brig_dsl_argument clone_flags = {
    .group = "clone_flags", .width = BRIG_DSL_WIDTH_64, .kind = BRIG_DSL_KIND_FLAGS};
static const struct brig_dsl_argument signal_number = {.group = "signal", .width = BRIG_DSL_WIDTH_64, .kind = BRIG_DSL_KIND_ENUM};
static const struct brig_dsl_argument number = {.width = BRIG_DSL_WIDTH_64, .kind = BRIG_DSL_KIND_INTEGER};

struct field {
    const char *name;
    unsigned index; // of the 64-bit word
    const struct brig_dsl_argument *meaning;
};

enum { FIELDS_MAX = 3 };

struct word_struct {
    const char *tag;
    struct field fields[FIELDS_MAX];
};

static const struct word_struct word_structs[] = {
    {"open_how", {{"flags", 0, &open_flags}, {"mode", 1, &mode}, {"resolve", 2, &resolve}}}, // uapi/linux/openat2.h
    {"clone_args",
     {{"flags", 0, &clone_flags}, {"exit_signal", 4, &signal_number}, {"stack_size", 6, &number}}}, // uapi/linux/sched.h
};

static bool describe_words(const struct word_struct *structure, const struct brig_pointee *pointee, enum brig_dsl_arch arch,
                           struct box_text *text)
{
    if (pointee->size_bytes < (structure->fields[FIELDS_MAX - 1].index + 1) * sizeof(uint64_t)) {
        return false;
    }
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        const struct field *field = &structure->fields[i];
        char value_text[512];
        uint64_t value;
        memcpy(&value, (const char *)pointee->bytes + field->index * sizeof value, sizeof value);
        brig_dsl_decode_value(field->meaning, value, arch, value_text, sizeof value_text);
        box_text_format(text, "%s%s=", i == 0 ? "{" : ", ", field->name);
        box_text_add(text, value_text);
    }
    box_text_add(text, "}");
    return true;
}

// --- socket addresses -------------------------------------------------------------------------------------------------

static bool describe_inet(const struct brig_pointee *pointee, struct box_text *text)
{
    struct sockaddr_in address;
    char host[INET_ADDRSTRLEN];
    if (pointee->size_bytes < sizeof address) {
        return false;
    }
    memcpy(&address, pointee->bytes, sizeof address);
    box_text_format(text, "{AF_INET, %s:%u}", inet_ntop(AF_INET, &address.sin_addr, host, sizeof host), ntohs(address.sin_port));
    return true;
}

static bool describe_inet6(const struct brig_pointee *pointee, struct box_text *text)
{
    struct sockaddr_in6 address;
    char host[INET6_ADDRSTRLEN];
    if (pointee->size_bytes < sizeof address) {
        return false;
    }
    memcpy(&address, pointee->bytes, sizeof address);
    box_text_format(text, "{AF_INET6, [%s]:%u}", inet_ntop(AF_INET6, &address.sin6_addr, host, sizeof host),
                    ntohs(address.sin6_port));
    return true;
}

// An abstract name starts with a NUL byte, is written with @ as ss(8) does, and runs to the end of the address.
static bool describe_unix(const struct brig_pointee *pointee, struct box_text *text)
{
    if (pointee->size_bytes < offsetof(struct sockaddr_un, sun_path)) {
        return false;
    }
    const char *path = (const char *)pointee->bytes + offsetof(struct sockaddr_un, sun_path);
    size_t path_bytes = pointee->size_bytes - offsetof(struct sockaddr_un, sun_path);
    bool is_abstract = path_bytes > 0 && path[0] == '\0';
    box_text_add(text, is_abstract ? "{AF_UNIX, @" : "{AF_UNIX, ");
    box_text_add_quoted(text, path + is_abstract, is_abstract ? path_bytes - 1 : strnlen(path, path_bytes), pointee->is_cut);
    box_text_add(text, "}");
    return true;
}

static bool describe_netlink(const struct brig_pointee *pointee, struct box_text *text)
{
    struct sockaddr_nl address;
    if (pointee->size_bytes < sizeof address) {
        return false;
    }
    memcpy(&address, pointee->bytes, sizeof address);
    box_text_format(text, "{AF_NETLINK, pid=%u, groups=0x%x}", address.nl_pid, address.nl_groups);
    return true;
}

static const struct {
    uint16_t family;
    bool (*describe)(const struct brig_pointee *pointee, struct box_text *text);
} families[] = {
    {AF_INET, describe_inet},
    {AF_INET6, describe_inet6},
    {AF_UNIX, describe_unix},
    {AF_NETLINK, describe_netlink},
};

static bool describe_sockaddr(const struct brig_pointee *pointee, enum brig_dsl_arch arch, struct box_text *text)
{
    uint16_t family;
    if (pointee->size_bytes < sizeof family) {
        return false;
    }
    memcpy(&family, pointee->bytes, sizeof family);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (families[i].family == family) {
            return families[i].describe(pointee, text);
        }
    }
    const char *name = brig_dsl_constant_name("socket_domain", family, arch);
    if (name == NULL) {
        box_text_format(text, "{family %u}", family);
    } else {
        box_text_format(text, "{%s}", name);
    }
    return true;
}

bool box_describe_struct(const char *tag, const struct brig_pointee *pointee, enum brig_dsl_arch arch, struct box_text *text)
{
    if (strcmp(tag, "sockaddr") == 0) {
        return describe_sockaddr(pointee, arch, text);
    }
    for (size_t i = 0; i < sizeof word_structs / sizeof word_structs[0]; i++) {
        if (strcmp(tag, word_structs[i].tag) == 0) {
            return describe_words(&word_structs[i], pointee, arch, text);
        }
    }
    return false;
}
