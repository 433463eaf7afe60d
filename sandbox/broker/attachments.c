// attachments: descriptors that clients send along, because a directory or a socket is known to them by a number only.
//
// Takes a socket with messages for any slot in any order, gives the descriptors of one request. What came for other slots waits
// here for their requests: at most one message for each, a newer one replaces an older. A client that sends without asking fills
// its socket and no more: it is read only when a request wants something, and then to its end, at most MESSAGES_AT_ONCE.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/broker/session.h"

enum { ALL_BITS_OF_ATTACHED = (1 << BOX_ATTACHED) - 1, MESSAGES_AT_ONCE = 4 * BRIG_BROKER_SLOT_COUNT };

void box_attached_close(int fds[BOX_ATTACHED])
{
    for (int i = 0; i < BOX_ATTACHED; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

bool box_attached_from(struct box_packet_fds *came, uint32_t attached, int fds[BOX_ATTACHED])
{
    const size_t wanted = (size_t)__builtin_popcount(attached);
    const bool fits = !(attached & ~(uint32_t)ALL_BITS_OF_ATTACHED) && came->count == wanted;
    if (!fits)
        box_packet_close(came);
    for (unsigned i = 0, next = 0; i < BOX_ATTACHED; i++)
        fds[i] = fits && (attached >> i & 1) ? came->fds[next++] : -1;
    return fits;
}

void box_attachments_init(struct box_attachments *attachments)
{
    pthread_mutex_init(&attachments->lock, NULL);
    for (size_t i = 0; i < BRIG_BROKER_SLOT_COUNT; i++)
        attachments->slots[i] = (struct box_attachment){.fds = {-1, -1, -1}};
}

void box_attachments_free(struct box_attachments *attachments)
{
    for (size_t i = 0; i < BRIG_BROKER_SLOT_COUNT; i++)
        box_attached_close(attachments->slots[i].fds);
    pthread_mutex_destroy(&attachments->lock);
}

// Returns: 1 for a message taken, 0 for none there, -1 for one that is malformed.
static int read_message(struct box_attachments *attachments, int socket_fd)
{
    struct brig_broker_attachment tag;
    struct box_packet_fds came;
    int fds[BOX_ATTACHED];
    const ssize_t got = box_packet_receive(socket_fd, (struct iovec){&tag, sizeof tag}, BOX_ATTACHED, MSG_DONTWAIT, &came);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (got == 0) // it is closed: what is wanted does not come, and that is malformed
        return 0;
    if (!box_attached_from(&came, got == sizeof tag ? tag.attached : 0, fds))
        return -1;
    if (got != sizeof tag || tag.slot >= BRIG_BROKER_SLOT_COUNT) {
        box_attached_close(fds);
        return -1;
    }
    struct box_attachment *slot = &attachments->slots[tag.slot];
    box_attached_close(slot->fds);
    *slot = (struct box_attachment){.generation = tag.generation, .attached = tag.attached, .fds = {fds[0], fds[1], fds[2]}};
    return 1;
}

static const char *read_all(struct box_attachments *attachments, int socket_fd)
{
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        const int got = read_message(attachments, socket_fd);
        if (got <= 0)
            return got < 0 ? "a message with descriptors that is none" : NULL;
    }
    return "more descriptors than it has requests";
}

const char *box_attachments_take(struct box_attachments *attachments, int socket_fd, const struct brig_broker_attachment *wanted,
                                 int fds[BOX_ATTACHED])
{
    pthread_mutex_lock(&attachments->lock);
    const char *wrong = read_all(attachments, socket_fd);
    struct box_attachment *slot = &attachments->slots[wanted->slot];
    if (!wrong && slot->generation == wanted->generation && slot->attached == wanted->attached) {
        memcpy(fds, slot->fds, sizeof slot->fds);
        *slot = (struct box_attachment){.fds = {-1, -1, -1}};
    }
    pthread_mutex_unlock(&attachments->lock);
    return wrong;
}
