// addresses: what a broker may connect to.
//
// Takes texts ("unix:/run/app.sock", "unix:@name", "127.0.0.1:80", "[::1]:443", "10.0.0.0/8:53", "*:443"), gives rows that an
// address is compared with. An IPv4 address inside IPv6 (::ffff:a.b.c.d) is that IPv4 address, here and in the list.
//
// A socket in the file system is a name that is listed exactly, reached as files are: its directory is opened at set-up, the socket
// without following a link when it is asked for, and what is connected to is the socket that was opened (/proc/self/fd/N).
//
// Weakness: a datagram socket that was connected once may still send elsewhere (sendto), if the client's own policy lets it.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sandbox/broker/serve.h"

enum { ADDRESSES_MAX = 1024, BYTES_MAX = sizeof(((struct sockaddr_un *)NULL)->sun_path) };

struct box_address {
    int family; // AF_UNIX, AF_INET, AF_INET6; AF_UNSPEC: any of the two
    bool is_datagram;
    uint16_t port; // of the machine's byte order
    uint8_t prefix_bits;
    uint8_t ip[16];
    int dir_fd;               // AF_UNIX: the directory; -1: an abstract name
    uint32_t bytes;           // of `name`
    char name[BYTES_MAX + 1]; // AF_UNIX: the abstract name without its first NUL, or the whole path
    uint32_t last;            // AF_UNIX: where its last component starts
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; // the IPv6 addresses that are IPv4 addresses
static const char step_addresses[] = "check broker addresses";

static enum brig_code bad(struct brig_error *reterr, const char *subject, size_t index, int reason)
{
    struct brig_error error = {.code = reason ? BRIG_IO : BRIG_BAD_ARGUMENT,
                               .sys_errno = reason,
                               .step = step_addresses,
                               .subject = subject,
                               .detail = (int64_t)index};
    return brig_error_set(reterr, error);
}

// --- reading ----------------------------------------------------------------------------------------------------------

// Returns: false if `text` is no decimal number of at most `max`.
static bool read_number(const char *text, size_t bytes, unsigned max, unsigned *ret_number)
{
    unsigned number = 0;
    if (bytes == 0 || bytes > 5 || strspn(text, "0123456789") < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        number = number * 10 + (unsigned)(text[i] - '0');
    *ret_number = number;
    return number <= max;
}

// Returns: 0; -1 if the text cannot be read; or the errno of opening its directory.
static int read_unix(const char *text, struct box_address *ret_address)
{
    size_t bytes = strlen(text);
    struct box_name name;
    ret_address->family = AF_UNIX;
    if (*text == '@' && bytes > 1 && bytes <= BYTES_MAX) {
        ret_address->bytes = (uint32_t)bytes - 1;
        memcpy(ret_address->name, text + 1, bytes);
        return 0;
    }
    if (*text != '/' || box_name_join("/", text, &name) != 0 || name.bytes < 2 || name.bytes > BYTES_MAX || name.text[name.bytes])
        return -1;
    ret_address->bytes = name.bytes;
    memcpy(ret_address->name, name.text, name.bytes + 1);
    ret_address->last = (uint32_t)(strrchr(name.text, '/') - name.text) + 1;
    box_name_pop(&name);
    ret_address->dir_fd = box_openat2(AT_FDCWD, name.text, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS);
    return ret_address->dir_fd < 0 ? -ret_address->dir_fd : 0;
}

// "A.B.C.D", "A:B::C" or "*", with "/BITS".
static bool read_ip(const char *text, size_t bytes, bool is_bracketed, struct box_address *ret_address)
{
    char ip[INET6_ADDRSTRLEN + 1];
    const char *slash = memchr(text, '/', bytes);
    size_t ip_bytes = slash ? (size_t)(slash - text) : bytes;
    if (bytes == 1 && *text == '*' && !is_bracketed) {
        ret_address->family = AF_UNSPEC;
        return true;
    }
    if (ip_bytes >= sizeof ip)
        return false;
    memcpy(ip, text, ip_bytes);
    ip[ip_bytes] = '\0';
    ret_address->family = is_bracketed ? AF_INET6 : AF_INET;
    unsigned bits = is_bracketed ? 128 : 32;
    if (inet_pton(ret_address->family, ip, ret_address->ip) != 1)
        return false;
    if (slash && !read_number(slash + 1, bytes - ip_bytes - 1, bits, &bits))
        return false;
    if (is_bracketed && bits >= 96 && memcmp(ret_address->ip, mapped, sizeof mapped) == 0) {
        ret_address->family = AF_INET;
        memmove(ret_address->ip, ret_address->ip + sizeof mapped, 4);
        bits -= 96;
    }
    ret_address->prefix_bits = (uint8_t)bits;
    return true;
}

static bool read_inet(const char *text, struct box_address *ret_address)
{
    const char *colon = strrchr(text, ':');
    unsigned port;
    if (!colon || !read_number(colon + 1, strlen(colon + 1), 65535, &port))
        return false;
    ret_address->port = (uint16_t)port;
    size_t bytes = (size_t)(colon - text);
    bool is_bracketed = *text == '[' && bytes > 2 && colon[-1] == ']';
    return is_bracketed ? read_ip(text + 1, bytes - 2, true, ret_address) : read_ip(text, bytes, false, ret_address);
}

enum brig_code box_addresses_new(const struct brig_broker_list *list, struct box_list *made, struct brig_error *reterr)
{
    if (list->address_count > ADDRESSES_MAX || (list->address_count && !list->addresses))
        return bad(reterr, "list.address_count", list->address_count, 0);
    made->addresses = calloc(list->address_count + 1, sizeof *made->addresses);
    if (!made->addresses)
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = step_addresses});
    for (size_t i = 0; i < list->address_count; i++) {
        const char *text = list->addresses[i].text;
        struct box_address *address = &made->addresses[made->address_count++];
        *address = (struct box_address){.dir_fd = -1, .is_datagram = list->addresses[i].is_datagram};
        if (!text)
            return bad(reterr, "list.addresses.text", i, 0);
        bool is_unix = strncmp(text, "unix:", 5) == 0;
        int result = is_unix ? read_unix(text + 5, address) : read_inet(text, address) ? 0 : -1;
        if (result != 0)
            return bad(reterr, text, i, result < 0 ? 0 : result);
    }
    return BRIG_OK;
}

void box_addresses_free(struct box_list *list)
{
    for (size_t i = 0; i < list->address_count; i++) {
        if (list->addresses[i].dir_fd >= 0)
            close(list->addresses[i].dir_fd);
    }
    free(list->addresses);
}

// --- comparing --------------------------------------------------------------------------------------------------------

// An address as a client gave it, and what of it is compared.
struct target {
    struct sockaddr_storage raw;
    socklen_t bytes;
    int family;
    uint8_t ip[16];
    uint16_t port;
};

// Returns: 0 or -errno, as the kernel would refuse the address.
static int read_target(const void *address, size_t bytes, struct target *ret_target)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (bytes < sizeof(sa_family_t) || bytes > sizeof ret_target->raw)
        return -EINVAL;
    memset(ret_target, 0, sizeof *ret_target);
    memcpy(&ret_target->raw, address, bytes);
    ret_target->bytes = (socklen_t)bytes;
    ret_target->family = ret_target->raw.ss_family;
    if (ret_target->family == AF_INET) {
        memcpy(&in, &ret_target->raw, sizeof in);
        memcpy(ret_target->ip, &in.sin_addr, sizeof in.sin_addr);
        ret_target->port = ntohs(in.sin_port);
        return bytes < sizeof in ? -EINVAL : 0;
    }
    if (ret_target->family != AF_INET6)
        return bytes > sizeof(struct sockaddr_un) ? -EINVAL : 0;
    memcpy(&in6, &ret_target->raw, sizeof in6);
    memcpy(ret_target->ip, &in6.sin6_addr, sizeof in6.sin6_addr);
    ret_target->port = ntohs(in6.sin6_port);
    if (memcmp(ret_target->ip, mapped, sizeof mapped) == 0) {
        ret_target->family = AF_INET;
        memmove(ret_target->ip, ret_target->ip + sizeof mapped, 4);
    }
    return bytes < sizeof in6 ? -EINVAL : 0; // without its scope a link-local address is another one
}

static bool has_prefix(const uint8_t *ip, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(ip, prefix, whole) != 0)
        return false;
    return rest == 0 || ((ip[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static bool covers_inet(const struct box_address *address, const struct target *target)
{
    if (address->port != target->port || address->family == AF_UNIX)
        return false;
    return address->family == AF_UNSPEC ||
           (address->family == target->family && has_prefix(target->ip, address->ip, address->prefix_bits));
}

static bool covers_unix(const struct box_address *address, const char *name, size_t bytes, bool is_abstract)
{
    return address->family == AF_UNIX && (address->last == 0) == is_abstract && address->bytes == bytes &&
           memcmp(address->name, name, bytes) == 0;
}

// --- connecting -------------------------------------------------------------------------------------------------------

static int deny(const struct box_list *list, enum brig_broker_verdict *ret_verdict)
{
    *ret_verdict = BRIG_BROKER_DENIED;
    return -(int)list->deny_errno;
}

static int connect_to(int socket_fd, const void *address, socklen_t bytes)
{
    return connect(socket_fd, (const struct sockaddr *)address, bytes) == 0 ? 0 : -errno;
}

static int connect_to_file(int socket_fd, const struct box_address *address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = box_openat2(address->dir_fd, address->name + address->last, O_PATH | O_NOFOLLOW, 0,
                         RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return fd;
    const struct box_fd_name name = box_fd_name(fd);
    memcpy(un.sun_path, name.text, sizeof name.text);
    int result = connect_to(socket_fd, &un, sizeof un);
    close(fd);
    return result;
}

static int connect_unix(const struct box_list *list, int socket_fd, const struct target *target, bool is_datagram,
                        enum brig_broker_verdict *ret_verdict)
{
    const size_t bytes = target->bytes - offsetof(struct sockaddr_un, sun_path);
    const char *path = ((const struct sockaddr_un *)&target->raw)->sun_path;
    char text[BYTES_MAX + 1] = "";
    struct box_name name;
    if (target->bytes <= offsetof(struct sockaddr_un, sun_path))
        return -EINVAL;
    bool is_abstract = *path == '\0';
    memcpy(text, path, bytes);
    if (!is_abstract && (box_name_join(list->working_directory.text, text, &name) != 0 || name.text[name.bytes]))
        return deny(list, ret_verdict);
    for (size_t i = 0; i < list->address_count; i++) {
        const struct box_address *address = &list->addresses[i];
        bool is_listed =
            is_abstract ? covers_unix(address, path + 1, bytes - 1, true) : covers_unix(address, name.text, name.bytes, false);
        if (is_listed && address->is_datagram == is_datagram)
            return is_abstract ? connect_to(socket_fd, &target->raw, target->bytes) : connect_to_file(socket_fd, address);
    }
    return deny(list, ret_verdict);
}

static bool is_listed_inet(const struct box_list *list, const struct target *target, bool is_datagram)
{
    for (size_t i = 0; i < list->address_count; i++) {
        if (list->addresses[i].is_datagram == is_datagram && covers_inet(&list->addresses[i], target))
            return true;
    }
    return false;
}

int box_addresses_connect(const struct box_list *list, int socket_fd, const void *address, size_t bytes,
                          enum brig_broker_verdict *ret_verdict)
{
    struct target target;
    int family, type;
    socklen_t family_bytes = sizeof family, type_bytes = sizeof type;
    if (getsockopt(socket_fd, SOL_SOCKET, SO_DOMAIN, &family, &family_bytes) != 0 ||
        getsockopt(socket_fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0)
        return -errno;
    int result = read_target(address, bytes, &target);
    if (result < 0)
        return result;
    // Raw and packet sockets have no ports to be listed by; to be disconnected again is not listed either.
    bool is_datagram = type == SOCK_DGRAM, is_known = is_datagram || type == SOCK_STREAM || type == SOCK_SEQPACKET;
    if (!is_known || target.raw.ss_family == AF_UNSPEC)
        return deny(list, ret_verdict);
    if (family != target.raw.ss_family)
        return family == AF_UNIX ? -EINVAL : -EAFNOSUPPORT;
    if (family == AF_UNIX)
        return connect_unix(list, socket_fd, &target, is_datagram, ret_verdict);
    if (family != AF_INET && family != AF_INET6)
        return deny(list, ret_verdict);
    if (!is_listed_inet(list, &target, is_datagram))
        return deny(list, ret_verdict);
    return connect_to(socket_fd, &target.raw, target.bytes);
}
