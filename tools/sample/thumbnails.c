// thumbnails: the demo's main job. A network worker fetches each image, a renderer makes a small one of it, the host only carries
// descriptors from one to the other and looks into neither file.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/sample/demo.h"

static bool all_threads_locked(const struct brig_status *status)
{
    return status->thread_count > 0 && status->filtered_thread_count == status->thread_count &&
           status->no_new_privs_count == status->thread_count && status->min_filters != 0;
}

static bool introduce(const struct demo_worker *worker, const char *type)
{
    const struct brig_status *status = &worker->status;
    printf("   %-9s pid %-7d sandbox on: %d of %d threads filtered, %d filter%s, no_new_privs on %d (read back from the kernel)\n",
           type, worker->pid, status->filtered_thread_count, status->thread_count, status->min_filters,
           status->min_filters == 1 ? "" : "s", status->no_new_privs_count);
    return all_threads_locked(status);
}

bool demo_crew_start(struct demo_host *host, struct demo_crew *crew)
{
    bool are_locked = true;
    crew->network = demo_launch(host, "network", false);
    if (!crew->network) {
        return false;
    }
    are_locked &= introduce(crew->network, "network");
    for (int i = 0; i < DEMO_RENDERERS; i++) {
        crew->renderers[i] = demo_launch(host, "renderer", false);
        if (!crew->renderers[i]) {
            return false;
        }
        are_locked &= introduce(crew->renderers[i], "renderer");
    }
    if (!are_locked) {
        fprintf(stderr, "demo: a worker is not locked\n");
    }
    return are_locked;
}

void demo_crew_end(struct demo_host *host, struct demo_crew *crew)
{
    if (crew->network) {
        demo_worker_free(host, crew->network);
    }
    for (int i = 0; i < DEMO_RENDERERS; i++) {
        if (crew->renderers[i]) {
            demo_worker_free(host, crew->renderers[i]);
        }
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Prints why there is no thumbnail. Returns: false.
static bool refuse(const char *path, const struct demo_worker *worker, enum demo_end end, const struct sample_answer *answer)
{
    fprintf(stderr, "demo: %s: no thumbnail: ", path);
    if (end == DEMO_ANSWERED) {
        fprintf(stderr, "%s%s%s%s\n", sample_status_text(answer->status), answer->detail[0] ? " (" : "", answer->detail,
                answer->detail[0] ? ")" : "");
    } else if (end == DEMO_WORKER_GONE) {
        bool is_signal = WIFSIGNALED(worker->wait_status);
        fprintf(stderr, "worker %d died (%s %d)\n", worker->pid, is_signal ? "signal" : "status",
                is_signal ? WTERMSIG(worker->wait_status) : WEXITSTATUS(worker->wait_status));
    } else {
        fprintf(stderr, "worker %d %s\n", worker->pid, end == DEMO_SILENT ? "did not answer" : "answered nonsense");
    }
    return false;
}

static bool refuse_errno(const char *path, const char *what)
{
    fprintf(stderr, "demo: %s: %s: %s\n", path, what, strerror(errno));
    return false;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

// Returns: a descriptor to read what the network worker fetched, or -1 after saying why.
static int fetch(struct demo_host *host, struct demo_crew *crew, const char *path, size_t index)
{
    struct sample_answer answer;
    int fd = demo_memory_file("fetched");
    struct demo_task task = {.job = {.port = crew->port}, .fds = {fd}, .fd_count = 1};
    snprintf(task.job.path, sizeof task.job.path, "/%zu", index);
    if (fd < 0) {
        refuse_errno(path, "memfd_create");
        return -1;
    }
    enum demo_end end = demo_ask(host, crew->network, &task, &answer);
    if (end != DEMO_ANSWERED || answer.status != SAMPLE_OK) {
        refuse(path, crew->network, end, &answer);
        close(fd);
        return -1;
    }
    int read_fd = demo_seal_for_reading(fd);
    if (read_fd < 0) {
        refuse_errno(path, "seal");
    }
    return read_fd;
}

static void print_line(const char *path, const struct demo_worker *worker, const struct sample_answer *answer, double milliseconds,
                       const int64_t bytes[2])
{
    static const char *const kinds[] = {[0] = "gray", [2] = "RGB", [3] = "palette", [4] = "gray+alpha", [6] = "RGBA"};
    const char *kind = answer->colour_type < sizeof kinds / sizeof kinds[0] ? kinds[answer->colour_type] : NULL;
    char from[32];
    char to[32];
    char filtered[32];
    snprintf(from, sizeof from, "%ux%u", answer->width, answer->height);
    snprintf(to, sizeof to, "%ux%u", answer->thumbnail_width, answer->thumbnail_height);
    snprintf(filtered, sizeof filtered, "%d of %d", worker->status.filtered_thread_count, worker->status.thread_count);
    printf("   %-36.36s %-7d %-8s %6.1f ms %9s %-10s %7lld B -> %7s %6lld B\n", base_name(path), worker->pid, filtered,
           milliseconds, from, kind ? kind : "?", (long long)bytes[0], to, (long long)bytes[1]);
}

// Asks the kernel again: the worker may have started threads since.
static bool is_still_locked(const char *path, struct demo_worker *worker)
{
    struct brig_error error;
    if (brig_read_status(worker->pid, &worker->status, &error) != BRIG_OK) {
        return demo_complain(path, &error);
    }
    if (!all_threads_locked(&worker->status)) {
        fprintf(stderr, "demo: %s: its worker %d is not locked\n", path, worker->pid);
        return false;
    }
    return true;
}

static bool save(struct demo_host *host, const char *path, size_t index, int output_fd, int64_t *ret_bytes)
{
    char name[300];
    snprintf(name, sizeof name, "%02zu-%.250s", index, base_name(path));
    *ret_bytes = demo_save(output_fd, host->output_dir, name);
    return *ret_bytes >= 0 || refuse_errno(path, "the thumbnail cannot be saved");
}

static bool render(struct demo_host *host, struct demo_worker *worker, const char *path, size_t index, const int fds[2])
{
    struct demo_task task = {.job = {.edge = DEMO_THUMBNAIL_EDGE}, .fds = {fds[0], fds[1]}, .fd_count = 2};
    struct sample_answer answer;
    struct stat status;
    int64_t bytes[2] = {fstat(fds[0], &status) == 0 ? status.st_size : -1, 0};
    double start_ms = now_ms();
    enum demo_end end = demo_ask(host, worker, &task, &answer);
    double took_ms = now_ms() - start_ms;
    if (end != DEMO_ANSWERED || answer.status != SAMPLE_OK) {
        return refuse(path, worker, end, &answer);
    }
    if (!save(host, path, index, fds[1], &bytes[1])) {
        return false;
    }
    bool is_locked = is_still_locked(path, worker);
    print_line(path, worker, &answer, took_ms, bytes);
    return is_locked;
}

bool demo_thumbnail(struct demo_host *host, struct demo_crew *crew, const char *const *paths, size_t index)
{
    const char *path = paths[index];
    if (access(path, R_OK) != 0) {
        return refuse_errno(path, "cannot be read");
    }
    int fds[2] = {fetch(host, crew, path, index), demo_memory_file("thumbnail")};
    bool is_done = fds[0] >= 0 && fds[1] >= 0 && render(host, crew->renderers[index % DEMO_RENDERERS], path, index, fds);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    return is_done;
}
