// SQLite as it stands, in a worker whose broker has one database for it: examples/sqlite_worker.c as its users meet it.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tests/policies/run_program.h"
#include "tests/shim/test.h"

enum { TIMEOUT_MS = 60000, JOBS_MAX = 6, PATH_BYTES = 64 };

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *level)
{
    (void)status, (void)kind, (void)level;
    return remove(path);
}

struct room {
    char folder[PATH_BYTES];
    char database[PATH_BYTES + 8];
};

static bool open_room(struct room *room)
{
    *room = (struct room){.folder = "/tmp/brig-sqlite-XXXXXX"};
    if (brig_policy_for_this_build("renderer") != &brig_policy_renderer) {
        test_skip("the policy `files` knows nothing of sanitizers");
        return false;
    }
    if (!CHECK(mkdtemp(room->folder) != NULL)) {
        return false;
    }
    snprintf(room->database, sizeof room->database, "%s/app.db", room->folder);
    return true;
}

static void close_room(const struct room *room)
{
    nftw(room->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

// Runs the example with jobs, whose list ends in NULL. The output is the caller's to free.
static struct run_result run_jobs(const struct room *room, const char *const *jobs)
{
    const char *argv[JOBS_MAX + 3] = {"@example-sqlite-worker", room->database};
    struct run_result result = {.wait_status = -1};
    for (size_t i = 0; jobs[i] && CHECK(i < JOBS_MAX); i++) {
        argv[2 + i] = jobs[i];
    }
    CHECK(run_program(argv, TIMEOUT_MS, &result));
    return result;
}

// What is in the database, by a program that no policy holds.
static void check_outside(const struct room *room, const char *expected)
{
    static const char program[] = "import sqlite3, sys\n"
                                  "base = sqlite3.connect(sys.argv[1])\n"
                                  "print(*base.execute('SELECT a, b FROM t ORDER BY a'), *base.execute('PRAGMA integrity_check'))";
    struct run_result result;
    REQUIRE(run_program((const char *const[]){"python3", "-c", program, room->database, NULL}, TIMEOUT_MS, &result));
    CHECK_STR_EQ(result.output, expected);
    free(result.output);
}

TEST(sqlite, a_worker_fills_its_database_in_both_journal_modes)
{
    struct room room;
    if (!open_room(&room)) {
        return;
    }
    static const char *const first[] = {
        "PRAGMA journal_mode=DELETE; CREATE TABLE t(a INTEGER, b TEXT)",
        "INSERT INTO t VALUES(1, 'one'), (2, 'two'), (9, 'nine'); BEGIN; DELETE FROM t; ROLLBACK; DELETE FROM t WHERE a = 9",
        "SELECT * FROM t ORDER BY a",
        "PRAGMA journal_mode=WAL",
        "INSERT INTO t VALUES(3, 'three')",
        "SELECT count(*), sum(a) FROM t",
        NULL,
    };
    struct run_result result = run_jobs(&room, first);
    CHECK_CONTAINS(result.output, "ORDER BY a\n1|one\n2|two\n>");
    CHECK_CONTAINS(result.output, "journal_mode=WAL\nwal\n");
    CHECK_CONTAINS(result.output, "FROM t\n3|6\n");
    CHECK(!strstr(result.output, "error"));
    CHECK_EQ(result.wait_status, 0);
    free(result.output);
    check_outside(&room, "(1, 'one') (2, 'two') (3, 'three') ('ok',)\n");
    // The next worker finds what the first one left.
    result = run_jobs(&room, (const char *const[]){"PRAGMA journal_mode", "INSERT INTO t VALUES(4, 'four'); VACUUM", NULL});
    CHECK_CONTAINS(result.output, "journal_mode\nwal\n");
    CHECK(!strstr(result.output, "error"));
    free(result.output);
    check_outside(&room, "(1, 'one') (2, 'two') (3, 'three') (4, 'four') ('ok',)\n");
    close_room(&room);
}

TEST(sqlite, a_worker_cannot_reach_another_file)
{
    struct room room;
    char attach[200];
    if (!open_room(&room)) {
        return;
    }
    snprintf(attach, sizeof attach, "ATTACH '%s/../brig-sqlite-other.db' AS y", room.folder);
    struct run_result result = run_jobs(
        &room, (const char *const[]){"CREATE TABLE t(a INTEGER, b TEXT)", "ATTACH '/etc/passwd' AS x", attach,
                                     "VACUUM INTO '/tmp/brig-sqlite-copy.db'", "INSERT INTO t VALUES(7, 'still there')", NULL});
    CHECK_CONTAINS(result.output, "error: unable to open database: /etc/passwd\n");
    CHECK_CONTAINS(result.output, "AS y\nerror: unable to open database: ");
    CHECK_CONTAINS(result.output, "copy.db'\nerror: ");
    CHECK_EQ(result.wait_status, 0);
    free(result.output);
    CHECK_EQ(access("/tmp/brig-sqlite-other.db", F_OK), -1);
    CHECK_EQ(access("/tmp/brig-sqlite-copy.db", F_OK), -1);
    check_outside(&room, "(7, 'still there') ('ok',)\n");
    close_room(&room);
}

TEST(sqlite, a_worker_that_touches_what_nobody_may_is_reported_and_dies)
{
    struct room room;
    char attach[200];
    if (!open_room(&room)) {
        return;
    }
    snprintf(attach, sizeof attach, "ATTACH '%s/private' AS z", room.folder);
    struct run_result result = run_jobs(&room, (const char *const[]){"SELECT 7", attach, "SELECT 8", NULL});
    CHECK_CONTAINS(result.output, "> SELECT 7\n7\n");
    CHECK_CONTAINS(result.output, "/private\", ");
    CHECK_CONTAINS(result.output, " -> killed  by broker_paths.c:");
    CHECK(!strstr(result.output, "SELECT 8"));
    free(result.output);
    close_room(&room);
}

// Pages are in the file already, and what was there before is in a journal that nobody has taken away.
TEST(sqlite, a_worker_takes_back_what_a_dead_one_left_half_done)
{
    struct room room;
    struct stat journal;
    char attach[200], path[PATH_BYTES + 16];
    if (!open_room(&room)) {
        return;
    }
    snprintf(attach, sizeof attach, "ATTACH '%s/private' AS z", room.folder);
    snprintf(path, sizeof path, "%s-journal", room.database);
    static const char fill[] = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
                               "INSERT INTO t SELECT i, 'lost' FROM n";
    struct run_result result =
        run_jobs(&room, (const char *const[]){"CREATE TABLE t(a INTEGER, b TEXT); INSERT INTO t VALUES(1, 'kept')",
                                              "PRAGMA cache_size=1; BEGIN", fill, attach, NULL});
    CHECK_CONTAINS(result.output, " -> killed  by broker_paths.c:");
    free(result.output);
    CHECK_EQ(stat(path, &journal), 0);
    result = run_jobs(&room, (const char *const[]){"SELECT count(*) FROM t", NULL});
    CHECK_STR_EQ(result.output, "> SELECT count(*) FROM t\n1\n");
    free(result.output);
    CHECK_EQ(stat(path, &journal), -1);
    check_outside(&room, "(1, 'kept') ('ok',)\n");
    close_room(&room);
}
