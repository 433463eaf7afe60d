// demo: what the parts of the demo program share.
//
//   host.c        supervisor, workers, jobs          images.c      the default images, memory files
//   thumbnails.c  phase 1 and 3                      hijack.c      phase 2
//   verdicts.c    what is seen from outside          facts.c       a report's main facts
#ifndef BRIG_TOOLS_SAMPLE_DEMO_H
#define BRIG_TOOLS_SAMPLE_DEMO_H

#include <stdbool.h>
#include <stdio.h>

#include "sandbox/supervisor.h"
#include "tools/sample/sample.h"

#define DEMO_THUMBNAIL_EDGE 160
#define DEMO_RENDERERS 2
#define DEMO_ANSWER_MS 20000

// --- host.c -----------------------------------------------------------------------------------------------------------

// One worker, as the demo sees it; outlives the supervisor's.
struct demo_worker {
    struct brig_worker *worker; // NULL once it is gone
    int pid;
    int channel_fd;
    struct brig_status status; // read back from the kernel at launch
    int wait_status;           // once it is gone
    unsigned violations;
    char *report_json; // of the last violation, or NULL
    char *report_path;
    char *message;
};

struct demo_host {
    struct brig_supervisor *supervisor;
    struct demo_worker **workers; // those that may still have events
    size_t worker_count;
    const char *output_dir;
    bool is_quiet; // does not print messages of violations as they come
};

// Prints one line about a failed call of the library. Returns: false, so that it can be returned.
bool demo_complain(const char *what, const struct brig_error *error);

// Makes the output and report directories and the supervisor. Returns: false after saying why.
bool demo_host_start(struct demo_host *host, const char *output_dir);
void demo_host_end(struct demo_host *host);

// Launches a worker of type "renderer" or "network". `can_be_watched` leaves its /proc files readable for the user who runs the
// demo. Returns: the worker, freed by demo_worker_free, or NULL after saying why.
struct demo_worker *demo_launch(struct demo_host *host, const char *type, bool can_be_watched);
// Kills the worker if it lives, and forgets it.
void demo_worker_free(struct demo_host *host, struct demo_worker *worker);

enum demo_end { DEMO_ANSWERED, DEMO_WORKER_GONE, DEMO_SILENT, DEMO_NONSENSE };

// A job and what goes with it.
struct demo_task {
    struct sample_job job;
    int fds[SAMPLE_DESCRIPTORS_MAX];
    size_t fd_count;
};

// Gives a worker a job and handles events until it has answered or died.
enum demo_end demo_ask(struct demo_host *host, struct demo_worker *worker, const struct demo_task *task,
                       struct sample_answer *ret_answer);
// Handles events for a while, for those that follow an answer.
void demo_settle(struct demo_host *host, int milliseconds);

// --- images.c ---------------------------------------------------------------------------------------------------------

// Images that come with the distribution, ends in NULL.
extern const char *const demo_default_images[];

// Returns: an empty file in memory that can be sealed, or -1 with errno set.
int demo_memory_file(const char *name);
// Takes away all writing from a memory file and gives a descriptor that can only read it. Closes `fd`. Returns: -1 with errno set.
int demo_seal_for_reading(int fd);
// Returns: such a descriptor to a small picture that carries an attempt (NULL: none), or -1 with errno set.
int demo_hijacking_picture(const char *exploit);
// Copies at most SAMPLE_FILE_BYTES_MAX bytes from `fd` to `directory`/`name`. Returns: bytes copied, or -1 with errno set.
int64_t demo_save(int fd, const char *directory, const char *name);

// --- thumbnails.c -----------------------------------------------------------------------------------------------------

struct demo_crew {
    struct demo_worker *network;
    struct demo_worker *renderers[DEMO_RENDERERS];
    uint16_t port;
};

bool demo_crew_start(struct demo_host *host, struct demo_crew *crew);
void demo_crew_end(struct demo_host *host, struct demo_crew *crew);
// Makes and saves a thumbnail of paths[index], and prints a line. Returns: whether all of it worked.
bool demo_thumbnail(struct demo_host *host, struct demo_crew *crew, const char *const *paths, size_t index);

// --- hijack.c ---------------------------------------------------------------------------------------------------------

// Makes every attempt with and without the sandbox and prints the table, then the reports. Returns: whether each went as it must.
bool demo_attempts(struct demo_host *host);

// --- facts.c ----------------------------------------------------------------------------------------------------------

// Prints the main facts of a report. Returns: whether it had them.
bool demo_print_facts(const char *report_json, const char *report_path, FILE *out);

#endif
