// A broker for the tests of its client: a process that plays the other side, with the real reserved call and a real listener, and
// serves every path as it stands. It has no list: what is tested is the way there and back.
//
//   struct broker_fixture fixture;
//   broker_start(&fixture, rules, COUNT_OF(rules));
//   REQUIRE(broker_lock(&fixture));                      // this process is the worker from here on
//   CHECK_EQ(fixture_call(SYS_access, (long)"/", R_OK, 0, 0), 0);
//   broker_end(&fixture);
//
// Some names are orders: BROKER_HOLD waits until nothing else comes for a moment, BROKER_DIE ends the broker without an answer,
// BROKER_SETTLED is EPERM for ever,
#ifndef BRIG_TESTS_TRAP_BROKER_FIXTURE_H
#define BRIG_TESTS_TRAP_BROKER_FIXTURE_H

#include "tests/trap/fixture.h"
#include "trap/broker.h"

#define BROKER_HOLD "/broker/hold"
#define BROKER_DIE "/broker/die"
#define BROKER_TOUCH "/broker/touch"
#define BROKER_SETTLED "/broker/settled"
#define BROKER_ASKED(nr) \
    { \
        nr, ANY, 0, \
        { \
            .verb = BRIG_DSL_BROKER \
        } \
    }

struct broker_fixture {
    struct trap_fixture trap;
    struct brig_broker_slots *slots;
    int socket; // the broker's end is its own
    int control;
    pid_t pid;
};

// Answers for host names that are numbers, for "localhost" and for none; NULL: nobody does. It is no reference to libc's, which a
// static program would get in whole.
struct addrinfo;
extern int (*broker_resolver)(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_infos);

void broker_start(struct broker_fixture *fixture, const struct trap_rule *rules, size_t rule_count);
// The same with rules for many calls, so that all a test makes are asked of the broker.
void broker_start_with_all(struct broker_fixture *fixture);
// Installs the phase-one filter and hands its listener over, then arms and locks. Returns: whether all worked.
bool broker_lock(struct broker_fixture *fixture);
// Kills and reaps the broker.
void broker_kill(const struct broker_fixture *fixture);
void broker_end(struct broker_fixture *fixture);

#endif
