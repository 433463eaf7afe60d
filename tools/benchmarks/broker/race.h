// race: several ways to have openat answered by another process, each in a client process of its own that waits for its turn.
//
// A client is pinned to a processor and obeys messages on a SOCK_SEQPACKET descriptor: "do this so many times" is answered with the
// nanoseconds it took. So clients that run under different filters take turns in the same seconds.
#ifndef BRIG_TOOLS_BENCHMARKS_BROKER_RACE_H
#define BRIG_TOOLS_BENCHMARKS_BROKER_RACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RACE_FILE "/etc/hostname" // every broker here gives it
#define RACE_SECRET "/etc/hosts"  // ... and refuses this

// Refused are one name again and again, and names that were never asked for before.
enum race_task { RACE_OPEN, RACE_REFUSED, RACE_REFUSED_NEW, RACE_TASK_COUNT };

struct race_order {
    uint32_t task;       // enum race_task
    uint32_t is_trapped; // the bare system call; else libc's open, for which libbrig-wrap stands in
    uint32_t iterations;
};

struct race_result {
    uint64_t ns;       // 0: a call was not answered as it should be
    int64_t sys_errno; // then: the wrong answer
};

struct race_client {
    const char *name;
    int fd;          // orders; -1: not running
    bool is_trapped; // as in its orders
    pid_t pids[2];   // client and broker of a peer, 0: not ours to end
};

// Obeys orders until the other end is closed. The calls go through libc. Context: the client process, under its filter.
int race_obey(int fd);

// Pins the calling process to one processor, and so what it forks. Returns: false if the kernel refuses.
bool race_pin(int processor);

// Starts a peer on two processors: the client's and the broker's. Returns: false, and says why on stderr.
bool race_start_one_pair(struct race_client *client, int client_processor, int broker_processor);
bool race_start_pair_per_request(struct race_client *client, int client_processor, int broker_processor);

// Closes, kills and reaps. Context: the process that started it.
void race_end(struct race_client *client);

#endif
