// nscd: a stand-in for the name service cache daemon, for code that knows nothing of Brig. glibc's getaddrinfo, gethostbyname and
// their like, in any program and linked in any way, first connect to /var/run/nscd/socket and ask there. Internal.
//
//   connect(/var/run/nscd/socket) -> serve_connect.c -> box_nscd_connect     the client's own socket, to a listener of ours
//   client -> nscd.c, which reads -> nscd_wire.c, a question -> nscd_lookup.c, libc's answer -> nscd_wire.c, bytes -> client
#ifndef BRIG_SANDBOX_BROKER_NSCD_H
#define BRIG_SANDBOX_BROKER_NSCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Where glibc looks for it. Source: glibc, nscd/nscd-client.h: _PATH_NSCDSOCKET.
#define BOX_NSCD_PATH "/var/run/nscd/socket"

// --- the protocol (nscd_wire.c) ---------------------------------------------------------------------------------------
// Version 2, of the machine's byte order, the same since glibc 2.2; the same for programs of 32 bits. A question is a header and a
// key, an answer a header and what it says; the daemon then closes.

enum {
    BOX_NSCD_VERSION = 2,
    BOX_NSCD_HEADER_BYTES = 12, // version, type, bytes of the key
    BOX_NSCD_KEY_BYTES = 1024,
    BOX_NSCD_QUESTION_BYTES = BOX_NSCD_HEADER_BYTES + BOX_NSCD_KEY_BYTES,
    BOX_NSCD_ANSWER_BYTES = 4096,
};

// What is answered. All other types, of users, groups, services, of nscd's own control, are not: who is sent nothing goes on
// without, as with a daemon that does not have the database.
enum box_nscd_type {
    BOX_NSCD_HOST_BY_NAME = 4,
    BOX_NSCD_HOST_BY_NAME_6 = 5,
    BOX_NSCD_HOST_BY_ADDRESS = 6,
    BOX_NSCD_HOST_BY_ADDRESS_6 = 7,
    BOX_NSCD_ADDRESSES = 14, // getaddrinfo
};

struct box_nscd_question {
    enum box_nscd_type type;
    int family;                    // of the addresses; AF_UNSPEC: any
    uint8_t address[16];           // by address
    char name[BOX_NSCD_KEY_BYTES]; // by name; ends in NUL
};

struct box_nscd_answer {
    size_t bytes;
    uint8_t data[BOX_NSCD_ANSWER_BYTES];
};

enum box_nscd_read { BOX_NSCD_MORE, BOX_NSCD_QUESTION, BOX_NSCD_REFUSED };

// Reads what a stranger sent so far. Returns: MORE, as long as it may become a question; QUESTION, and fills it; REFUSED: it is
// none that is answered.
enum box_nscd_read box_nscd_read(const uint8_t *bytes, size_t count, struct box_nscd_question *ret_question);

struct addrinfo;
struct hostent;
// Fill an answer: that nothing was found (HOST_NOT_FOUND, TRY_AGAIN ...); addresses, with the first one's canonical name; a host.
// What does not fit is left out.
void box_nscd_say_nothing(enum box_nscd_type type, int reason, struct box_nscd_answer *ret_answer);
void box_nscd_say_addresses(const struct addrinfo *addresses, struct box_nscd_answer *ret_answer);
void box_nscd_say_host(const struct hostent *host, struct box_nscd_answer *ret_answer);

// --- answers (nscd_lookup.c) ------------------------------------------------------------------------------------------

// Asks libc, and waits as long as libc does. Context: any thread.
void box_nscd_look_up(const struct box_nscd_question *question, struct box_nscd_answer *ret_answer);

// --- connections (nscd.c) ---------------------------------------------------------------------------------------------

struct box_nscd;

// Makes the listener. Context: before the filter; behind Landlock, which lets a process connect to abstract sockets of its own
// domain alone. Returns: a descriptor, or -1 with errno.
int box_nscd_listen(void);

// Starts to serve it, in a thread. Returns: NULL if there is no memory or no thread; the listener is closed. It is there for as
// long as the process is.
struct box_nscd *box_nscd_start(int listener_fd);

// Connects a client's socket. `client` is for the limits: what one client has under way keeps no other one from being served.
// Returns: 0 or -errno. EAGAIN: more than it may have. Context: any thread.
int box_nscd_connect(struct box_nscd *nscd, uint32_t client, int socket_fd);

#endif
