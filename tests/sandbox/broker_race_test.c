// A hostile second process changes the tree as fast as it can while the broker serves: it swaps a directory for a link to a secret
// one, and moves a directory out of the tree and back. Nothing of the secret may ever be opened, looked at, made or changed.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sandbox/broker_fixture.h"

enum { SECRETS = 4, REQUESTS_PER_THREAD = 20000, THREADS = 2 };

static const char *const secret_names[SECRETS] = {"secret", "secret/f", "secret/sub", "secret/sub/f"};

struct race {
    struct scratch scratch;
    struct box_list *list;
    struct stat secrets[SECRETS];
    pid_t hostile;
    unsigned opened, looked, refused; // of all threads
    pthread_mutex_t lock;
};

// --- the other side ---------------------------------------------------------------------------------------------------

static void swap_for_ever(const struct scratch *scratch)
{
    char paths[6][512];
    static const char *const names[] = {"room/x", "room/y", "room/d", "outside/d", "room/x/sub", "room/y/sub"};
    for (unsigned i = 0; i < COUNT_OF(names); i++)
        snprintf(paths[i], sizeof paths[i], "%s", scratch_path(scratch, names[i]));
    for (;;) {
        syscall(SYS_renameat2, AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE);
        rename(paths[2], paths[3]);
        syscall(SYS_renameat2, AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE);
        rename(paths[3], paths[2]);
    }
}

static bool start_hostile(struct race *race)
{
    race->hostile = fork();
    if (race->hostile == 0)
        swap_for_ever(&race->scratch);
    return CHECK(race->hostile > 0);
}

// --- what may not come back -------------------------------------------------------------------------------------------

static bool is_secret(const struct race *race, uint64_t device, uint64_t inode)
{
    for (unsigned i = 0; i < SECRETS; i++) {
        if (race->secrets[i].st_dev == device && race->secrets[i].st_ino == inode)
            return true;
    }
    return false;
}

static bool judge_descriptor(const struct race *race, int fd)
{
    struct stat status;
    return CHECK_EQ(fstat(fd, &status), 0) && CHECK(!is_secret(race, status.st_dev, status.st_ino));
}

static bool judge_answer(const struct race *race, const struct asking *asking, const struct answer *answer)
{
    struct statx status;
    if (asking->op == BRIG_BROKER_OP_READLINK && answer->result > 0)
        return CHECK(!memmem(answer->answer, answer->answer_bytes, "confidential", 12));
    if (asking->op != BRIG_BROKER_OP_STAT || answer->result != 0)
        return true;
    memcpy(&status, answer->answer, sizeof status);
    // The file system is the scratch directory's: the inode alone tells.
    return CHECK(!is_secret(race, race->secrets[0].st_dev, status.stx_ino));
}

// --- our side ---------------------------------------------------------------------------------------------------------

static const int64_t times[4] = {1, 1, 1, 1};

static const struct asking askings[] = {
    {.op = BRIG_BROKER_OP_OPEN, .flags = O_RDONLY},
    {.op = BRIG_BROKER_OP_OPEN, .flags = O_RDWR | O_CREAT | O_TRUNC, .mode = 0600},
    {.op = BRIG_BROKER_OP_OPEN, .flags = O_WRONLY | O_CREAT | O_EXCL, .mode = 0600},
    {.op = BRIG_BROKER_OP_OPEN, .flags = O_RDONLY | O_DIRECTORY},
    {.op = BRIG_BROKER_OP_OPEN, .flags = O_PATH},
    {.op = BRIG_BROKER_OP_OPEN, .flags = O_RDWR | O_TMPFILE, .mode = 0600},
    {.op = BRIG_BROKER_OP_STAT},
    {.op = BRIG_BROKER_OP_STAT, .flags = AT_SYMLINK_NOFOLLOW},
    {.op = BRIG_BROKER_OP_ACCESS, .mode = R_OK},
    {.op = BRIG_BROKER_OP_READLINK},
    {.op = BRIG_BROKER_OP_RENAME},
    {.op = BRIG_BROKER_OP_MKDIR, .mode = 0700},
    {.op = BRIG_BROKER_OP_UNLINK},
    {.op = BRIG_BROKER_OP_UNLINK, .flags = AT_REMOVEDIR},
    {.op = BRIG_BROKER_OP_LINK},
    {.op = BRIG_BROKER_OP_SYMLINK},
    {.op = BRIG_BROKER_OP_CHMOD, .mode = 0111},
    {.op = BRIG_BROKER_OP_UTIMENS, .data = times, .data_bytes = sizeof times},
    {.op = BRIG_BROKER_OP_TRUNCATE, .number = 1},
    {.op = BRIG_BROKER_OP_STATFS},
    {.op = BRIG_BROKER_OP_WATCH, .number = IN_MODIFY},
};

// "f" is in the secret directory, too; what is made gets names of its own.
static const char *const targets[] = {"room/x/f",
                                      "room/y/f",
                                      "room/x/sub/f",
                                      "room/y/sub",
                                      "room/x/../x/f",
                                      "room/y/sub/../f",
                                      "room/x/new",
                                      "room/y/new",
                                      "room/d/e/../../f",
                                      "room/d/e/../../x",
                                      "room/d/e/../../../secret/f",
                                      "room/y/.",
                                      "room/y/../secret",
                                      "room/link/f",
                                      "room/link",
                                      "room/x/l"};

struct server {
    struct race *race;
    uint64_t state;
    int inotify_fd;
};

static const char *target_of(struct server *server)
{
    server->state = server->state * 6364136223846793005u + 1442695040888963407u;
    return scratch_path(&server->race->scratch, targets[(server->state >> 33) % COUNT_OF(targets)]);
}

static bool serve_one(struct server *server, unsigned number, unsigned counts[3])
{
    struct asking asking = askings[number % COUNT_OF(askings)];
    bool has_two = asking.op == BRIG_BROKER_OP_RENAME || asking.op == BRIG_BROKER_OP_LINK || asking.op == BRIG_BROKER_OP_SYMLINK;
    asking.call = BRIG_SYS_openat;
    asking.paths[0] = target_of(server);
    asking.paths[1] = has_two ? target_of(server) : NULL;
    asking.attached[2] = asking.op == BRIG_BROKER_OP_WATCH ? server->inotify_fd : 0;
    struct answer answer = broker_ask(server->race->list, &asking);
    bool is_good = judge_answer(server->race, &asking, &answer);
    if (answer.descriptor >= 0) {
        is_good &= judge_descriptor(server->race, answer.descriptor);
        close(answer.descriptor);
        counts[0]++;
    }
    counts[1] += answer.result == 0;
    counts[2] += answer.verdict != BRIG_BROKER_DONE;
    return is_good;
}

// What the requests break is mended, so that there is always something to get at.
static void mend(const struct race *race)
{
    mkdir(scratch_path(&race->scratch, "room/x"), 0755);
    mkdir(scratch_path(&race->scratch, "room/d"), 0755);
    mkdir(scratch_path(&race->scratch, "room/d/e"), 0755);
    mkdir(scratch_path(&race->scratch, "room/x/sub"), 0755);
    bool is_there = symlink(scratch_path(&race->scratch, "secret"), scratch_path(&race->scratch, "room/y")) != 0;
    is_there &= symlink("../secret", scratch_path(&race->scratch, "room/link")) != 0;
    (void)is_there;
}

static void *serve(void *argument)
{
    struct server *server = argument;
    unsigned counts[3] = {0};
    for (unsigned i = 0; i < REQUESTS_PER_THREAD; i++) {
        if (!serve_one(server, i, counts))
            break;
        if (i % 64 == 0 && server->state % 2)
            mend(server->race);
    }
    pthread_mutex_lock(&server->race->lock);
    server->race->opened += counts[0];
    server->race->looked += counts[1];
    server->race->refused += counts[2];
    pthread_mutex_unlock(&server->race->lock);
    return NULL;
}

static void serve_in_threads(struct race *race)
{
    struct server servers[THREADS];
    pthread_t threads[THREADS];
    int inotify_fd = inotify_init1(IN_CLOEXEC);
    REQUIRE(inotify_fd >= 0);
    for (unsigned i = 0; i < THREADS; i++) {
        servers[i] = (struct server){.race = race, .state = 0x9e3779b97f4a7c15u * (i + 1), .inotify_fd = inotify_fd};
        REQUIRE(pthread_create(&threads[i], NULL, serve, &servers[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    close(inotify_fd);
}

static bool begin(struct race *race)
{
    static const char *const directories[] = {"room",   "outside",    "secret", "secret/sub",
                                              "room/x", "room/x/sub", "room/d", "room/d/e"};
    bool is_made = scratch_make(&race->scratch);
    for (unsigned i = 0; i < COUNT_OF(directories) && is_made; i++)
        is_made = scratch_directory(&race->scratch, directories[i]);
    is_made = is_made && scratch_file(&race->scratch, "secret/f", "confidential") &&
              scratch_file(&race->scratch, "secret/sub/f", "confidential") && scratch_file(&race->scratch, "room/x/f", "open") &&
              scratch_file(&race->scratch, "room/f", "open") && scratch_link(&race->scratch, "secret/l", "confidential") &&
              scratch_link(&race->scratch, "room/y", scratch_path(&race->scratch, "secret")) &&
              scratch_link(&race->scratch, "room/link", "../secret");
    for (unsigned i = 0; i < SECRETS && is_made; i++)
        is_made = CHECK_EQ(stat(scratch_path(&race->scratch, secret_names[i]), &race->secrets[i]), 0);
    if (!is_made)
        return false;
    const struct brig_broker_entry entry = {.path = scratch_path(&race->scratch, "room"), .rights = ALL_RIGHTS};
    const struct brig_broker_list list = {.entries = &entry, .entry_count = 1};
    struct brig_error error;
    return CHECK_OK(box_list_new(&list, &race->list, &error), &error);
}

// Nothing of the secret has changed, and nothing came to it.
static void check_secrets(const struct race *race)
{
    for (unsigned i = 0; i < SECRETS; i++) {
        struct stat status;
        test_message("%s", secret_names[i]);
        REQUIRE(CHECK_EQ(stat(scratch_path(&race->scratch, secret_names[i]), &status), 0));
        CHECK_EQ(status.st_ino, race->secrets[i].st_ino);
        CHECK_EQ(status.st_mode, race->secrets[i].st_mode);
        CHECK_EQ(status.st_size, race->secrets[i].st_size);
        CHECK_EQ(status.st_nlink, race->secrets[i].st_nlink);
        CHECK_EQ(status.st_mtim.tv_sec, race->secrets[i].st_mtim.tv_sec);
        CHECK_EQ(status.st_mtim.tv_nsec, race->secrets[i].st_mtim.tv_nsec);
    }
}

TEST(broker, no_race_leads_out_of_the_list_threads)
{
    static struct race race = {.lock = PTHREAD_MUTEX_INITIALIZER};
    if (begin(&race) && start_hostile(&race)) {
        serve_in_threads(&race);
        kill(race.hostile, SIGKILL);
        waitpid(race.hostile, NULL, 0);
        check_secrets(&race);
        test_message("opened %u, looked %u, refused %u", race.opened, race.looked, race.refused);
        CHECK_GT(race.opened, 100);
        CHECK_GT(race.refused, 100);
    }
    box_list_free(race.list);
    // Modes were changed as well: nothing here is unreadable to root, and all of it belongs to us otherwise.
    for (unsigned i = 0; i < COUNT_OF(targets); i++)
        chmod(scratch_path(&race.scratch, targets[i]), 0700);
    scratch_remove(&race.scratch);
}
