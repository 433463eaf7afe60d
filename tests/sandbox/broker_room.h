// broker_room: a folder, a broker for it, and workers that ask it. What the tests of the broker's process share.
#ifndef BRIG_TESTS_SANDBOX_BROKER_ROOM_H
#define BRIG_TESTS_SANDBOX_BROKER_ROOM_H

#include "sandbox/broker.h"
#include "tests/sandbox/fixture.h"

// Allows everything, but every call that names a file, and connect, asks the broker.
extern const struct brig_dsl_policy room_policy;

// FOLDER/ro/hello "hello\n", ro/link -> hello, ro/sub/: READ, RECURSIVE, FOLLOW
// FOLDER/rw/: READ, WRITE, CREATE, RECURSIVE
// FOLDER/trap/file: CRASH
// FOLDER/secret/file: no entry
// FOLDER/socket, listening: an address
// Relative paths start at FOLDER.
struct room {
    struct fixture fixture;
    char folder[64];
    char paths[3][80];
    char address[80];
    struct brig_broker_entry entries[3];
    struct brig_broker_address addresses[1];
    struct brig_broker *broker;
    int listening_fd;
};

// What `room` holds is also here, in the worker.
extern struct room *room_here;

// Makes folder and broker. Returns: false after a failed check.
bool room_open(struct room *room);
bool room_start(struct room *room, const char *name, bool ends_with_last_worker, struct brig_broker **ret_broker);
void room_close(struct room *room);
void room_remove(const char *folder);
// Launches a worker of the room's policy. Returns: the worker, or NULL after a failed check.
struct brig_worker *room_launch(struct room *room, brig_entry *entry, void *data);
// The same, and waits until it has ended; checks that its status is 0.
bool room_run(struct room *room, brig_entry *entry, void *data);
// FOLDER/NAME, in one of four buffers.
const char *room_path(const char *name);
bool room_write(const char *name, const char *text);
// Whether the file `name` has `text`; opens it through whatever is there to be asked.
bool room_has(const char *name, const char *text);

// In a worker: its slots and its socket to the broker, found before the lock.
extern struct brig_broker_slots *room_slots;
extern int room_socket;
// A warm-up that finds them.
int room_find_slots(void *data);
// Puts an OPEN of `path`, O_RDONLY | O_CLOEXEC, into a slot.
void room_fill(uint32_t slot, const char *path);

// Open descriptors of a process, counted by /proc. Returns: -1 if it cannot be read.
int room_descriptors(int pid);
// Waits until a broker has `count` of them, at most five seconds. Returns: how many it has.
int room_settled_descriptors(const struct brig_broker *broker, int count);

#endif
