// The parts of the supervisor that need no worker: limits on what is told, and the state machine of slots.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/supervisor/internal.h"
#include "sandbox/worker/proc.h"
#include "tests/sandbox/fixture.h"

TEST(sandbox, buckets_give_a_burst_and_then_a_rate)
{
    const struct box_rate rate = {.burst = 3, .per_second = 10};
    static const struct {
        int64_t now_ms;
        bool gives;
    } rows[] = {
        {5000, true},  {5000, true}, {5000, true},  {5000, false}, {5099, false}, {5100, true},   {5150, false},
        {5199, false}, {5200, true}, {99000, true}, {99000, true}, {99000, true}, {99000, false},
    };
    struct box_bucket bucket = {.used_milli = 0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu at %lld ms", i, (long long)rows[i].now_ms);
        CHECK_EQ(box_bucket_take(&bucket, &rate, rows[i].now_ms), rows[i].gives);
    }
}

TEST(sandbox, causes_are_found_again_and_the_oldest_makes_room)
{
    struct box_causes *causes = calloc(1, sizeof *causes);
    REQUIRE(causes != NULL);
    uint64_t sequence = 0;
    for (uint64_t key = 0; key < BOX_CAUSES; key++)
        box_causes_find(causes, key, ++sequence)->count = key + 1;
    CHECK_EQ(box_causes_find(causes, 0, ++sequence)->count, 1u); // seen again: not the oldest any more
    CHECK_EQ(box_causes_find(causes, 7777, ++sequence)->count, 0u);
    CHECK_EQ(box_causes_find(causes, 0, ++sequence)->count, 1u);
    CHECK_EQ(box_causes_find(causes, 1, ++sequence)->count, 0u); // was the oldest, and gone
    CHECK_EQ(box_causes_find(causes, 3, ++sequence)->count, 4u);
    free(causes);
}

TEST(sandbox, slots_are_judged_by_what_we_did_last)
{
    static const struct {
        const char *what;
        enum box_slot_view view;
        uint32_t state;
        enum box_slot_news news;
        enum box_slot_view after;
    } rows[] = {
        {"free", BOX_SLOT_IDLE, BRIG_TRAP_SLOT_FREE, BOX_SLOT_NOTHING, BOX_SLOT_IDLE},
        {"writing", BOX_SLOT_IDLE, BRIG_TRAP_SLOT_WRITING, BOX_SLOT_NOTHING, BOX_SLOT_IDLE},
        {"ready", BOX_SLOT_IDLE, BRIG_TRAP_SLOT_READY, BOX_SLOT_RECORD, BOX_SLOT_OURS},
        {"taken by nobody", BOX_SLOT_IDLE, BRIG_TRAP_SLOT_TAKEN, BOX_SLOT_LIE, BOX_SLOT_BROKEN},
        {"answered by nobody", BOX_SLOT_IDLE, BRIG_TRAP_SLOT_DONE, BOX_SLOT_LIE, BOX_SLOT_BROKEN},
        {"no state", BOX_SLOT_IDLE, 5, BOX_SLOT_LIE, BOX_SLOT_BROKEN},
        {"answered, not yet woken", BOX_SLOT_ANSWERED, BRIG_TRAP_SLOT_DONE, BOX_SLOT_NOTHING, BOX_SLOT_ANSWERED},
        {"answered and used again", BOX_SLOT_ANSWERED, BRIG_TRAP_SLOT_READY, BOX_SLOT_RECORD, BOX_SLOT_OURS},
        {"answered and taken back", BOX_SLOT_ANSWERED, BRIG_TRAP_SLOT_TAKEN, BOX_SLOT_LIE, BOX_SLOT_BROKEN},
        {"broken", BOX_SLOT_BROKEN, BRIG_TRAP_SLOT_READY, BOX_SLOT_NOTHING, BOX_SLOT_BROKEN},
    };
    struct box_slots slots = {.shared = NULL};
    static struct brig_trap_record record; // too big for a stack
    struct brig_error error;
    REQUIRE(CHECK_OK(box_slots_new(&slots, &error), &error));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu: %s", i, rows[i].what);
        slots.views[2] = (uint8_t)rows[i].view;
        slots.shared->slots[2].state = rows[i].state;
        CHECK_EQ(box_slots_look(&slots, 2, &record), rows[i].news);
        CHECK_EQ(slots.views[2], rows[i].after);
    }
    box_slots_free(&slots);
}

TEST(sandbox, both_mappings_of_slots_are_the_same_memory)
{
    struct box_slots slots = {.shared = NULL};
    static struct brig_trap_record record; // too big for a stack
    struct brig_error error;
    REQUIRE(CHECK_OK(box_slots_new(&slots, &error), &error));
    CHECK_EQ(slots.worker->magic, BRIG_TRAP_RECORD_MAGIC);
    CHECK_EQ(slots.worker->slot_count, (uint32_t)BRIG_TRAP_SLOT_COUNT);
    slots.worker->slots[0].record.nr = 77;
    slots.worker->slots[0].state = BRIG_TRAP_SLOT_READY;
    CHECK_EQ(box_slots_look(&slots, 0, &record), BOX_SLOT_RECORD);
    CHECK_EQ(record.nr, 77u);
    CHECK_EQ(slots.worker->slots[0].state, BRIG_TRAP_SLOT_TAKEN);
    box_slots_answer(&slots, 0, true);
    CHECK_EQ(slots.worker->slots[0].state, BRIG_TRAP_SLOT_DONE);
    slots.worker->lost = 5;
    CHECK_EQ(box_slots_newly_lost(&slots), 5u);
    CHECK_EQ(box_slots_newly_lost(&slots), 0u);
    box_slots_free(&slots);
}

TEST(sandbox, status_files_are_read_field_by_field)
{
    static const struct {
        const char *text;
        bool is_known;
        struct box_thread_status status;
    } rows[] = {
        {"Name:\tx\nSigBlk:\t0000000040000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n", true, {2, 3, true, true}},
        {"SigBlk:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n", true, {0, -1, false, false}},
        {"Name:\tSeccomp:\t2\n", false, {0, 0, false, false}}, // a thread may call itself what it likes
        {"", false, {0, 0, false, false}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct box_thread_status status = {0, 0, false, false};
        test_message("row %zu", i);
        CHECK_EQ(box_parse_status(rows[i].text, &status), rows[i].is_known);
        CHECK_EQ(status.seccomp_mode, rows[i].status.seccomp_mode);
        CHECK_EQ(status.filters, rows[i].status.filters);
        CHECK_EQ(status.no_new_privs, rows[i].status.no_new_privs);
        CHECK_EQ(status.sigsys_blocked, rows[i].status.sigsys_blocked);
    }
}

TEST(sandbox, lines_are_cut_at_their_end)
{
    char buffer[8];
    struct box_line line = {buffer, sizeof buffer, 0};
    box_line_add(&line, "ab");
    box_line_add_number(&line, -12);
    CHECK_STR_EQ(buffer, "ab-12");
    box_line_add(&line, "xyzzy");
    CHECK_STR_EQ(buffer, "ab-12xy");
    line.used = 0;
    box_line_add_number(&line, INT64_MIN);
    CHECK_STR_EQ(buffer, "-922337");
}
