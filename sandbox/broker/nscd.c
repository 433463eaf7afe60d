// nscd: the connections of the stand-in, from connect to answer.
//
// A client's socket can only be connected to a socket that listens. Ours has an abstract name, which any process of this network
// namespace may connect to, so what was not connected by this very process (SO_PEERCRED) is closed unheard. Whose connection it is
// that accept gives is known by its turn: connects are made one at a time, and the kernel keeps their order.
//
// One thread has all connections: it accepts, reads without waiting, and ends what took too long. Threads of their own ask libc,
// which may take as long as name servers do. glibc gives a daemon five seconds for an answer and then does without one for its next
// hundred questions, so an answer that is late is "try again", in time; the thread goes on until libc is done, and counts as its
// client's meanwhile. An answer is sent at once or not at all: it fits into a new socket's buffer.
//
// A client can have CLIENT_CONNECTIONS connections and CLIENT_LOOKUPS lookups; it waits for its own. Everything ends after LIFE_MS.
// Guarantees: nothing that a client does or leaves undone makes a thread wait; nothing is allocated for a question.
//
// The name is abstract because a broker may have nowhere to write. Other databases are closed, and glibc reads its files.
//
// Weaknesses: before Linux 6.16 a client can send descriptors that are slow to close (SO_LINGER), which keep all who connect
// waiting. A client whose sockets are of another network namespace does not find the abstract name, and is refused (ECONNREFUSED).
// As many slow names as there are THREADS, by clients enough, keep all others waiting until they are told to try again. A process
// that asked while there was no nscd, or that was forked by such a one, asks nscd again at its 101st name; one that has LOCALDOMAIN
// in its environment never does. As with nscd itself, a name server that is silent is EAI_NONAME for getaddrinfo (TRY_AGAIN for
// gethostbyname), and addresses carry no scope. musl has a DNS client of its own.
#include "sandbox/broker/nscd.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS = 256,
    CLIENT_CONNECTIONS = 64,
    THREADS = 16,
    CLIENT_LOOKUPS = 8,
    LIFE_MS = 4000,
    FULL_MS = 50, // until accept is tried again where there was no descriptor left
    STACK_BYTES = 256 << 10,
};

// Newer than the oldest headers that this builds with. Source: include/uapi/asm-generic/socket.h, 6.16.
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

enum state {
    FREE,
    CONNECTED, // or about to be: accept has it to give
    READING,
    ASKED,
    LOOKED_UP, // by a thread, whose it is to free
};

struct connection {
    enum state state;
    uint32_t client;
    uint64_t number; // grows with each connect
    int fd;          // -1: not accepted yet, or over
    int64_t deadline_ms;
    size_t got;
    uint8_t bytes[BOX_NSCD_QUESTION_BYTES + 1]; // one byte too many is seen
    struct box_nscd_question question;
};

struct box_nscd {
    int listener_fd;
    int pid;
    bool is_full;
    pthread_mutex_t connecting; // one connect at a time
    pthread_mutex_t lock;       // all below
    pthread_cond_t is_asked;
    uint64_t last_number;
    unsigned threads, idle;
    struct connection connections[CONNECTIONS];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Of the oldest that `fits`. Returns: NULL if there is none.
static struct connection *find_oldest(struct box_nscd *nscd, enum state state,
                                      bool (*fits)(const struct box_nscd *nscd, const struct connection *connection))
{
    struct connection *oldest = NULL;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &nscd->connections[i];
        const bool is_older = connection->state == state && (!oldest || connection->number < oldest->number);
        if (is_older && (!fits || fits(nscd, connection)))
            oldest = connection;
    }
    return oldest;
}

static unsigned count_of(const struct box_nscd *nscd, uint32_t client, enum state from)
{
    unsigned count = 0;
    for (size_t i = 0; i < CONNECTIONS; i++)
        count += nscd->connections[i].state >= from && nscd->connections[i].client == client;
    return count;
}

// A descriptor that poll has in its hands is not closed by close alone.
static void close_connection(struct connection *connection)
{
    if (connection->fd >= 0) {
        shutdown(connection->fd, SHUT_RDWR);
        close(connection->fd);
    }
    connection->fd = -1;
    if (connection->state != LOOKED_UP)
        connection->state = FREE;
}

static void answer(struct connection *connection, const struct box_nscd_answer *answer)
{
    if (connection->fd >= 0 && send(connection->fd, answer->data, answer->bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        errno = 0; // it is gone, or does not read: nothing that it is owed
    close_connection(connection);
}

// --- connecting -------------------------------------------------------------------------------------------------------

// Whether the other end is a socket of this process.
static bool is_ours(const struct box_nscd *nscd, int fd)
{
    struct ucred peer = {.pid = 0};
    socklen_t bytes = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.pid == nscd->pid;
}

// Its place in the order, before it can be accepted. Returns: NULL if the client, or everybody, has too many.
static struct connection *reserve(struct box_nscd *nscd, uint32_t client)
{
    struct connection *place = NULL;
    pthread_mutex_lock(&nscd->lock);
    if (count_of(nscd, client, CONNECTED) < CLIENT_CONNECTIONS)
        place = find_oldest(nscd, FREE, NULL);
    if (place) {
        place->state = CONNECTED;
        place->client = client;
        place->number = ++nscd->last_number;
        place->fd = -1;
        place->got = 0;
    }
    pthread_mutex_unlock(&nscd->lock);
    return place;
}

static void give_back(struct box_nscd *nscd, struct connection *place)
{
    pthread_mutex_lock(&nscd->lock);
    place->state = FREE;
    pthread_mutex_unlock(&nscd->lock);
}

static int connect_to_listener(const struct box_nscd *nscd, int socket_fd)
{
    struct sockaddr_un address;
    socklen_t bytes = sizeof address;
    if (getsockname(nscd->listener_fd, (struct sockaddr *)&address, &bytes) != 0 ||
        connect(socket_fd, (const struct sockaddr *)&address, bytes) != 0)
        return -errno;
    // In a network namespace of its own somebody else may have that name.
    return is_ours(nscd, socket_fd) ? 0 : -ECONNREFUSED;
}

int box_nscd_connect(struct box_nscd *nscd, uint32_t client, int socket_fd)
{
    int result = -EAGAIN;
    pthread_mutex_lock(&nscd->connecting);
    struct connection *place = reserve(nscd, client);
    if (place)
        result = connect_to_listener(nscd, socket_fd);
    if (place && result != 0)
        give_back(nscd, place);
    pthread_mutex_unlock(&nscd->connecting);
    return result;
}

// --- lookups ----------------------------------------------------------------------------------------------------------

static bool may_look_up(const struct box_nscd *nscd, const struct connection *connection)
{
    return count_of(nscd, connection->client, LOOKED_UP) < CLIENT_LOOKUPS;
}

static void *look_up(void *argument)
{
    struct box_nscd *nscd = argument;
    struct box_nscd_question question;
    struct box_nscd_answer found;
    pthread_mutex_lock(&nscd->lock);
    for (;;) {
        struct connection *connection = find_oldest(nscd, ASKED, may_look_up);
        if (!connection) {
            nscd->idle++;
            pthread_cond_wait(&nscd->is_asked, &nscd->lock);
            nscd->idle--;
            continue;
        }
        connection->state = LOOKED_UP;
        question = connection->question;
        pthread_mutex_unlock(&nscd->lock);
        box_nscd_look_up(&question, &found);
        pthread_mutex_lock(&nscd->lock);
        connection->state = ASKED;
        answer(connection, &found);
    }
    return NULL;
}

static bool start_thread(struct box_nscd *nscd, void *(*run)(void *argument))
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const int reason = pthread_create(&thread, &attributes, run, nscd);
    pthread_attr_destroy(&attributes);
    return reason == 0;
}

// Under the lock. An idle thread that was called before may not have come yet, so questions are counted. Where no thread can be
// had, the others come to it, or its time does.
static void call_thread(struct box_nscd *nscd)
{
    unsigned asked = 0;
    for (size_t i = 0; i < CONNECTIONS; i++)
        asked += nscd->connections[i].state == ASKED;
    if (asked > nscd->idle && nscd->threads < THREADS && start_thread(nscd, look_up))
        nscd->threads++;
    pthread_cond_signal(&nscd->is_asked);
}

// --- the thread of all connections ------------------------------------------------------------------------------------

// Returns: whether there may be one more.
static bool accept_one(struct box_nscd *nscd)
{
    const int fd = accept4(nscd->listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        nscd->is_full = errno != EAGAIN && errno != ECONNABORTED && errno != EINTR;
        return false;
    }
    struct connection *connection = is_ours(nscd, fd) ? find_oldest(nscd, CONNECTED, NULL) : NULL;
    if (!connection) {
        close(fd);
        return true;
    }
    connection->state = READING;
    connection->fd = fd;
    connection->deadline_ms = now_ms() + LIFE_MS;
    return true;
}

static void read_question(struct box_nscd *nscd, struct connection *connection)
{
    uint8_t *end = connection->bytes + connection->got;
    const ssize_t got = recv(connection->fd, end, sizeof connection->bytes - connection->got, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    connection->got += got > 0 ? (size_t)got : 0;
    const enum box_nscd_read read =
        got > 0 ? box_nscd_read(connection->bytes, connection->got, &connection->question) : BOX_NSCD_REFUSED;
    if (read == BOX_NSCD_REFUSED)
        close_connection(connection);
    if (read != BOX_NSCD_QUESTION)
        return;
    connection->state = ASKED;
    call_thread(nscd);
}

static void end_late(struct connection *connection)
{
    struct box_nscd_answer late;
    box_nscd_say_nothing(connection->question.type, TRY_AGAIN, &late);
    if (connection->state == READING)
        close_connection(connection);
    else
        answer(connection, &late);
}

struct watched {
    nfds_t count;
    int wait_ms;
    struct pollfd polled[1 + CONNECTIONS]; // the listener first
    struct connection *connections[1 + CONNECTIONS];
    uint64_t numbers[1 + CONNECTIONS];
};

static void watch(struct box_nscd *nscd, struct watched *ret_watched)
{
    const int64_t now = now_ms();
    ret_watched->count = 1;
    ret_watched->wait_ms = nscd->is_full ? FULL_MS : -1;
    ret_watched->polled[0] = (struct pollfd){.fd = nscd->is_full ? -1 : nscd->listener_fd, .events = POLLIN};
    nscd->is_full = false;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &nscd->connections[i];
        if (connection->fd < 0 || connection->state < READING)
            continue;
        const int64_t left = connection->deadline_ms > now ? connection->deadline_ms - now : 0;
        if (ret_watched->wait_ms < 0 || left < ret_watched->wait_ms)
            ret_watched->wait_ms = (int)left;
        ret_watched->connections[ret_watched->count] = connection;
        ret_watched->numbers[ret_watched->count] = connection->number;
        ret_watched->polled[ret_watched->count++] =
            (struct pollfd){.fd = connection->fd, .events = connection->state == READING ? POLLIN : 0};
    }
}

// A connection that a thread has answered meanwhile is another one, or none.
static void tend(struct box_nscd *nscd, const struct watched *watched)
{
    const int64_t now = now_ms();
    for (nfds_t i = 1; i < watched->count; i++) {
        struct connection *connection = watched->connections[i];
        if (connection->fd < 0 || connection->state < READING || connection->number != watched->numbers[i])
            continue;
        if (connection->state == READING && watched->polled[i].revents)
            read_question(nscd, connection);
        else if (watched->polled[i].revents) // nobody waits for the answer any more
            close_connection(connection);
        else if (connection->deadline_ms <= now)
            end_late(connection);
    }
    for (int i = 0; i < CONNECTIONS && watched->polled[0].revents && accept_one(nscd); i++)
        continue;
}

static void *serve(void *argument)
{
    struct box_nscd *nscd = argument;
    struct watched watched;
    pthread_mutex_lock(&nscd->lock);
    for (;;) {
        watch(nscd, &watched);
        pthread_mutex_unlock(&nscd->lock);
        if (poll(watched.polled, watched.count, watched.wait_ms) < 0)
            watched.count = 0; // a signal: what was watched is watched again
        pthread_mutex_lock(&nscd->lock);
        if (watched.count > 0)
            tend(nscd, &watched);
    }
    return NULL;
}

// --- the beginning ----------------------------------------------------------------------------------------------------

// The kernel closes what nobody takes of what a client sends, in the thread that reads or closes: and that may wait as long as the
// client has said (SO_LINGER). What is accepted inherits this. A kernel before 6.16 does not know it.
static void take_no_descriptors(int fd)
{
    static const int no = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof no) != 0)
        return;
}

int box_nscd_listen(void)
{
    const struct sockaddr_un unnamed = {.sun_family = AF_UNIX}; // the kernel makes a name
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    take_no_descriptors(fd);
    if (bind(fd, (const struct sockaddr *)&unnamed, sizeof unnamed.sun_family) == 0 && listen(fd, CONNECTIONS) == 0)
        return fd;
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

struct box_nscd *box_nscd_start(int listener_fd)
{
    struct box_nscd *nscd = calloc(1, sizeof *nscd);
    if (nscd) {
        nscd->listener_fd = listener_fd;
        nscd->pid = getpid();
        pthread_mutex_init(&nscd->connecting, NULL);
        pthread_mutex_init(&nscd->lock, NULL);
        pthread_cond_init(&nscd->is_asked, NULL);
    }
    if (nscd && start_thread(nscd, serve))
        return nscd;
    free(nscd);
    close(listener_fd);
    return NULL;
}
