// sqlite_worker: SQLite as it stands, in a sandboxed process that can open one database and nothing else.
//
//   sqlite_worker DATABASE [SQL...]     each SQL is one job; DATABASE is an absolute path without links
#include <brig/policies.h>
#include <brig/sandbox/broker.h>
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 4000, OWN = BRIG_BROKER_READ | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE };

static int add_row(void *answer, int columns, char **values, char **names)
{
    for (int i = 0; i < columns; i++)
        snprintf((char *)answer + strlen(answer), ANSWER_BYTES - strlen(answer), "%s%s", i ? "|" : "", values[i] ? values[i] : "");
    snprintf((char *)answer + strlen(answer), ANSWER_BYTES - strlen(answer), "\n");
    return names == NULL;
}

static int serve(void *path, int channel_fd) // runs in the worker: its opens, stats and unlinks are the broker's to do
{
    sqlite3 *database;
    char sql[ANSWER_BYTES], answer[ANSWER_BYTES];
    if (sqlite3_open(path, &database) != SQLITE_OK)
        return 1;
    for (ssize_t bytes; (bytes = recv(channel_fd, sql, sizeof sql - 1, 0)) > 0;) {
        sql[bytes] = answer[0] = '\0';
        if (sqlite3_exec(database, sql, add_row, answer, NULL) != SQLITE_OK)
            snprintf(answer, sizeof answer, "error: %s\n", sqlite3_errmsg(database));
        if (send(channel_fd, answer, strlen(answer) + 1, 0) < 0)
            break;
    }
    return sqlite3_close(database);
}

static void on_event(void *context, const struct brig_event *event)
{
    fprintf(context, "%s\n", event->message);
}

// Everything that SQLite touches for one database. The folder is opened for fsync, after a journal's name came or went.
static enum brig_code start_broker(struct brig_supervisor *supervisor, const char *path, struct brig_broker **ret_broker,
                                   struct brig_error *reterr)
{
    char journal[PATH_MAX], wal[PATH_MAX], shm[PATH_MAX], folder[PATH_MAX], trap[PATH_MAX];
    snprintf(journal, sizeof journal, "%s-journal", path);
    snprintf(wal, sizeof wal, "%s-wal", path);
    snprintf(shm, sizeof shm, "%s-shm", path);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    snprintf(trap, sizeof trap, "%s/private", folder);
    const struct brig_broker_entry entries[] = {
        {.path = path, .rights = OWN},
        {.path = journal, .rights = OWN},
        {.path = wal, .rights = OWN},
        {.path = shm, .rights = OWN},
        {.path = folder, .rights = BRIG_BROKER_READ},
        {.path = "/dev/urandom", .rights = BRIG_BROKER_READ},
        {.path = trap, .rights = BRIG_BROKER_CRASH}, // nobody asks for this by mistake
    };
    const struct brig_broker_spec spec = {.name = "broker",
                                          .policy = &brig_policy_broker,
                                          .list = {.entries = entries, .entry_count = sizeof entries / sizeof entries[0]}};
    return brig_broker_start(supervisor, &spec, ret_broker, reterr);
}

// Sends one job and prints its answer. Returns: whether the worker is still there.
static int ask(struct brig_supervisor *supervisor, int fd, const char *sql)
{
    char answer[ANSWER_BYTES];
    ssize_t bytes = send(fd, sql, strlen(sql), MSG_NOSIGNAL);
    while (bytes > 0 && (bytes = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
        bytes = !brig_supervisor_dispatch(supervisor, 10, NULL); // calls on_event
    if (bytes > 0)
        printf("> %s\n%s", sql, answer);
    return bytes > 0;
}

int main(int argc, char **argv)
{
    struct brig_supervisor *supervisor = NULL;
    struct brig_supervisor_options options = {.on_event = on_event, .context = stdout};
    struct brig_broker *broker = NULL;
    struct brig_worker *worker = NULL;
    struct brig_worker_spec spec = {.name = "sqlite", .policy = &brig_policy_files, .entry = serve, .channel = true};
    struct brig_error error = {.code = BRIG_OK};
    if (argc < 3 || argv[1][0] != '/')
        return fprintf(stderr, "usage: %s /DATABASE SQL...\n", argv[0]) > 0;
    if (brig_supervisor_new(&options, &supervisor, &error) || start_broker(supervisor, argv[1], &broker, &error))
        return fprintf(stderr, "%s\n", brig_error_format(&error, (char[BRIG_ERROR_TEXT_BYTES]){0}, BRIG_ERROR_TEXT_BYTES)) > 0;
    spec.data = argv[1];
    spec.broker = broker;
    if (brig_supervisor_launch(supervisor, &spec, &worker, &error))
        return fprintf(stderr, "%s\n", brig_error_format(&error, (char[BRIG_ERROR_TEXT_BYTES]){0}, BRIG_ERROR_TEXT_BYTES)) > 0;
    for (int i = 2; i < argc && ask(supervisor, brig_worker_channel_fd(worker), argv[i]); i++) {
    }
    brig_supervisor_free(supervisor);
}
