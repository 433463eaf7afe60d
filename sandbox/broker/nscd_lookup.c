// nscd_lookup: what libc of the broker says to a question, in nscd's words.
//
// Of a name's addresses in general (getaddrinfo) the order is the broker's; the client's libc sorts them once more, without asking
// the kernel which of them can be reached where its policy has no datagram sockets.
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "sandbox/broker/nscd.h"

enum { HOST_BYTES = 16 << 10 }; // of a host with many addresses and names; what needs more is no host

static int reason_of(int code)
{
    switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return HOST_NOT_FOUND;
    case EAI_AGAIN:
        return TRY_AGAIN;
    default:
        return NO_RECOVERY;
    }
}

static void look_up_addresses(const struct box_nscd_question *question, struct box_nscd_answer *ret_answer)
{
    // One type of socket: else each address is there once for each type.
    const struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    const int code = getaddrinfo(question->name, NULL, &hints, &addresses);
    if (code != 0) {
        box_nscd_say_nothing(question->type, reason_of(code), ret_answer);
        return;
    }
    box_nscd_say_addresses(addresses, ret_answer);
    freeaddrinfo(addresses);
}

static void look_up_host(const struct box_nscd_question *question, struct box_nscd_answer *ret_answer)
{
    char buffer[HOST_BYTES];
    struct hostent host, *found = NULL;
    int error, reason = NO_RECOVERY;
    if (question->type == BOX_NSCD_HOST_BY_ADDRESS || question->type == BOX_NSCD_HOST_BY_ADDRESS_6)
        error = gethostbyaddr_r(question->address, question->family == AF_INET ? 4 : 16, question->family, &host, buffer,
                                sizeof buffer, &found, &reason);
    else
        error = gethostbyname2_r(question->name, question->family, &host, buffer, sizeof buffer, &found, &reason);
    if (error == 0 && found)
        box_nscd_say_host(found, ret_answer);
    else
        box_nscd_say_nothing(question->type, reason == NETDB_INTERNAL || reason == NETDB_SUCCESS ? NO_RECOVERY : reason,
                             ret_answer);
}

void box_nscd_look_up(const struct box_nscd_question *question, struct box_nscd_answer *ret_answer)
{
    if (question->type == BOX_NSCD_ADDRESSES)
        look_up_addresses(question, ret_answer);
    else
        look_up_host(question, ret_answer);
}
