// What a sandboxed worker costs: bringing it up, seeing what it was refused, and calling a kernel through its filter. Every figure
// stands beside what the same would be without Brig: a bare fork, a bare wake-up of another process, a loop without filter.
//
// Policies: renderer, as it ships.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/policies.h"
#include "sandbox/supervisor.h"
#include "tools/benchmarks/bench.h"

enum { ROUNDS = 60, ROUNDS_PER_SUPERVISOR = 15, DISPATCH_MS = 5000 }; // a cause gets 20 files at once

struct samples {
    double ns[ROUNDS];
    size_t count;
};

static int compare(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

// Returns: the minimum, for ratios of others against it.
static double add_samples(struct bench_table *table, const char *name, struct samples *samples, double base_ns)
{
    if (samples->count == 0) {
        bench_fail(table, "no samples of \"%s\"", name);
        return 0;
    }
    qsort(samples->ns, samples->count, sizeof samples->ns[0], compare);
    const double least = samples->ns[0];
    bench_add(table, name, least, samples->ns[samples->count / 2], base_ns > 0 ? least / base_ns : 1);
    return least;
}

static void add_sample(struct samples *samples, uint64_t from_ns, uint64_t to_ns)
{
    if (samples->count < ROUNDS && to_ns > from_ns)
        samples->ns[samples->count++] = (double)(to_ns - from_ns);
}

// --- a supervisor and what it told ------------------------------------------------------------------------------------

// Shared with the workers.
struct clock_page {
    uint64_t called_ns;
};

struct bench_host {
    struct brig_supervisor *supervisor;
    struct clock_page *page;
    char report_dir[64]; // empty: none
    uint64_t reported_ns;
    size_t exits;
};

static void on_event(void *context, const struct brig_event *event)
{
    struct bench_host *host = context;
    if (event->kind == BRIG_EVENT_VIOLATION)
        host->reported_ns = bench_now_ns();
    host->exits += event->kind == BRIG_EVENT_EXIT;
    if (event->report_path)
        unlink(event->report_path);
}

static bool open_host(struct bench_table *table, struct bench_host *host, const char *folder)
{
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    *host = (struct bench_host){.exits = 0};
    if (folder) {
        snprintf(host->report_dir, sizeof host->report_dir, "%s/brig-bench-XXXXXX", folder);
        if (!mkdtemp(host->report_dir)) {
            bench_fail(table, "no directory in %s", folder);
            return false;
        }
    }
    const struct brig_supervisor_options options = {
        .report_dir = folder ? host->report_dir : NULL, .on_event = on_event, .context = host};
    host->page = mmap(NULL, sizeof *host->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (host->page == MAP_FAILED || brig_supervisor_new(&options, &host->supervisor, &error) != BRIG_OK) {
        bench_fail(table, "no supervisor: %s", host->page == MAP_FAILED ? "mmap" : brig_error_format(&error, text, sizeof text));
        return false;
    }
    return true;
}

static void close_host(struct bench_host *host)
{
    brig_supervisor_free(host->supervisor);
    munmap(host->page, sizeof *host->page);
    if (*host->report_dir)
        rmdir(host->report_dir);
}

static void drain(struct bench_host *host, size_t exits)
{
    while (host->exits < exits && brig_supervisor_dispatch(host->supervisor, DISPATCH_MS, NULL) == BRIG_OK)
        continue;
}

static struct brig_worker *launch(struct bench_table *table, struct bench_host *host, brig_entry *entry)
{
    struct brig_worker *worker = NULL;
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    const struct brig_worker_spec spec = {
        .name = "bench", .policy = &brig_policy_renderer, .entry = entry, .data = host->page, .channel = true};
    if (brig_supervisor_launch(host->supervisor, &spec, &worker, &error) != BRIG_OK)
        bench_fail(table, "no worker: %s", brig_error_format(&error, text, sizeof text));
    return worker;
}

// --- launch -----------------------------------------------------------------------------------------------------------

static int end_at_once(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    return 0;
}

static void fork_to_ready_byte(struct samples *samples)
{
    int ends[2];
    char byte = 0;
    if (pipe(ends) != 0)
        return;
    const uint64_t start_ns = bench_now_ns();
    const pid_t pid = fork();
    if (pid == 0)
        _exit(write(ends[1], &byte, 1) != 1);
    if (pid > 0 && read(ends[0], &byte, 1) == 1)
        add_sample(samples, start_ns, bench_now_ns());
    close(ends[0]);
    close(ends[1]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void measure_launch(struct bench_table *table)
{
    struct bench_host host;
    struct samples bare = {.count = 0}, launches = {.count = 0};
    if (!open_host(table, &host, NULL))
        return;
    for (size_t round = 0; round < ROUNDS; round++) {
        fork_to_ready_byte(&bare);
        const uint64_t start_ns = bench_now_ns();
        if (!launch(table, &host, end_at_once))
            break;
        add_sample(&launches, start_ns, bench_now_ns());
        drain(&host, round + 1);
    }
    const double base_ns = add_samples(table, "fork to a ready byte", &bare, 0);
    add_samples(table, "launch to locked, read back and entered", &launches, base_ns);
    close_host(&host);
}

// --- from a forbidden call to its report ------------------------------------------------------------------------------

static int call_when_told(void *data, int channel_fd)
{
    struct clock_page *page = data;
    char byte;
    if (recv(channel_fd, &byte, 1, 0) != 1)
        return 1;
    page->called_ns = bench_now_ns();
    return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void wake_when_told(int channel_fd, int event_fd, struct clock_page *page)
{
    const uint64_t one = 1;
    char byte;
    while (recv(channel_fd, &byte, 1, 0) == 1) {
        page->called_ns = bench_now_ns();
        if (write(event_fd, &one, sizeof one) != sizeof one)
            return;
    }
}

// A process that only wakes another one, by the same means.
static void measure_bare_wake(struct bench_table *table, struct samples *samples)
{
    int pair[2], event_fd = eventfd(0, EFD_CLOEXEC);
    struct clock_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (event_fd < 0 || page == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        bench_fail(table, "no pair of processes");
        return;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        wake_when_told(pair[1], event_fd, page);
        _exit(0);
    }
    close(pair[1]);
    for (size_t round = 0; pid > 0 && round < ROUNDS; round++) {
        struct pollfd polled = {.fd = event_fd, .events = POLLIN};
        uint64_t count;
        if (send(pair[0], "", 1, 0) != 1 || poll(&polled, 1, DISPATCH_MS) != 1)
            break;
        add_sample(samples, page->called_ns, bench_now_ns());
        if (read(event_fd, &count, sizeof count) != sizeof count)
            break;
    }
    close(pair[0]);
    close(event_fd);
    munmap(page, sizeof *page);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

struct violation_samples {
    struct samples seen, reported;
};

// One worker, one forbidden call: when poll says that there is a record, and when the event has been delivered.
static bool violate_once(struct bench_table *table, struct bench_host *host, struct violation_samples *samples)
{
    const size_t exits = host->exits;
    struct pollfd polled = {.fd = brig_supervisor_fd(host->supervisor), .events = POLLIN};
    struct brig_worker *worker = launch(table, host, call_when_told);
    if (!worker || brig_supervisor_dispatch(host->supervisor, 0, NULL) != BRIG_OK)
        return false;
    if (send(brig_worker_channel_fd(worker), "", 1, 0) != 1 || poll(&polled, 1, DISPATCH_MS) != 1)
        return false;
    const uint64_t seen_ns = bench_now_ns();
    host->reported_ns = 0;
    drain(host, exits + 1);
    add_sample(&samples->seen, host->page->called_ns, seen_ns);
    add_sample(&samples->reported, seen_ns, host->reported_ns);
    return host->reported_ns != 0;
}

static void measure_violations(struct bench_table *table, const char *folder, struct violation_samples *samples)
{
    for (size_t round = 0; round < ROUNDS;) {
        struct bench_host host;
        if (!open_host(table, &host, folder))
            return;
        bool goes_on = true;
        for (size_t i = 0; goes_on && i < ROUNDS_PER_SUPERVISOR; i++, round++)
            goes_on = violate_once(table, &host, samples);
        close_host(&host);
        if (!goes_on) {
            bench_fail(table, "a violation was not reported");
            return;
        }
    }
}

static void measure_reports(struct bench_table *table)
{
    struct samples bare = {.count = 0};
    static struct violation_samples events, in_memory, on_disk;
    measure_bare_wake(table, &bare);
    measure_violations(table, NULL, &events);
    measure_violations(table, "/dev/shm", &in_memory);
    measure_violations(table, "/tmp", &on_disk);
    double base_ns = add_samples(table, "one process wakes another by an eventfd", &bare, 0);
    add_samples(table, "forbidden call to a record that the supervisor has", &events.seen, base_ns);
    base_ns = add_samples(table, "record to an event with its JSON, no file", &events.reported, 0);
    add_samples(table, "record to a report in a file, tmpfs", &in_memory.reported, base_ns);
    add_samples(table, "record to a report in a file, /tmp with fsync", &on_disk.reported, base_ns);
}

// --- calls ------------------------------------------------------------------------------------------------------------

static double getppid_ns(uint32_t iterations)
{
    const uint64_t start_ns = bench_now_ns();
    for (uint32_t i = 0; i < iterations; i++)
        syscall(SYS_getppid);
    return (double)(bench_now_ns() - start_ns) / iterations;
}

static void sample_getppid(struct samples *samples)
{
    for (; samples->count < ROUNDS; samples->count++)
        samples->ns[samples->count] = getppid_ns(5000);
}

static void measure_calls(struct bench_table *table)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    static struct samples before, after;
    const struct brig_lock_options options = {.memory = memory, .memory_bytes = sizeof memory};
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    sample_getppid(&before);
    if (brig_lock(&brig_policy_renderer, &options, &error) != BRIG_OK) {
        bench_fail(table, "not locked: %s", brig_error_format(&error, text, sizeof text));
        return;
    }
    sample_getppid(&after);
    const double base_ns = add_samples(table, "getppid", &before, 0);
    add_samples(table, "getppid, locked under renderer", &after, base_ns);
}

void bench_sandbox(struct bench_table *table)
{
    bench_in_child(table, measure_launch);
    bench_in_child(table, measure_reports);
    bench_in_child(table, measure_calls);
}
