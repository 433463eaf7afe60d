#include "tests/sandbox/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "sandbox/report.h"

static const struct brig_dsl_row rows[] = {
    WHY("the tests refuse these and nothing else"),
    ROW(uname, CRASH),
    ROW(openat, CRASH, ALL_BITS(flags, O_NOATIME)),
    ROW(connect, CRASH),
    ROW(getpriority, REPORT(EACCES)),
    ROW(sethostname, REPORT(EACCES)),
    ROW(setpriority, KILL_PROCESS),
    ELSE(openat, ALLOW),
    ROWS_END,
};
const struct brig_dsl_policy fixture_policy = {
    .name = "fixture", .rows = rows, FALLBACK(ALLOW), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

static const struct brig_dsl_row other_rows[] = {
    WHY("another type of worker: asks and gets an answer"),
    ROW(uname, REPORT(EPERM)),
    ROWS_END,
};
const struct brig_dsl_policy fixture_other_policy = {
    .name = "other", .rows = other_rows, FALLBACK(ALLOW), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

static const struct brig_dsl_row no_rows[] = {ROWS_END};
const struct brig_dsl_policy fixture_empty_policy = {
    .name = "empty", .rows = no_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

// Outside of functions, where what the macros point to stays.
static const struct brig_dsl_condition big_condition = IN(cmd, 77);
static const struct brig_dsl_row big_else = ELSE(fcntl, CRASH);

bool fixture_big_make(struct fixture_big *big)
{
    big->rows = calloc(FIXTURE_BIG_ROWS + 2, sizeof *big->rows);
    big->texts = calloc(FIXTURE_BIG_ROWS, sizeof *big->texts);
    big->conditions = calloc(FIXTURE_BIG_ROWS, sizeof *big->conditions);
    big->policy = (struct brig_dsl_policy){
        .name = "big", .rows = big->rows, FALLBACK(ALLOW), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};
    for (size_t i = 0; i < FIXTURE_BIG_ROWS && big->rows && big->texts && big->conditions; i++) {
        // Distinct odd values with distinct answers: nothing to merge.
        snprintf(big->texts[i], sizeof big->texts[i], "%zu", 1001 + 2 * i);
        big->conditions[i][0] = big_condition;
        big->conditions[i][0].text = big->texts[i];
        big->conditions[i][1] = (struct brig_dsl_condition){.op = BRIG_DSL_END};
        big->rows[i] = (struct brig_dsl_row){.kind = BRIG_DSL_ROW_CALL,
                                             .call = BRIG_SYS_fcntl,
                                             .action = {.verb = BRIG_DSL_DENY, .data = (uint16_t)(1 + i)},
                                             .conditions = big->conditions[i],
                                             .file = __FILE__,
                                             .line = (int)i};
    }
    if (big->rows)
        big->rows[FIXTURE_BIG_ROWS] = big_else;
    return CHECK(big->rows && big->texts && big->conditions);
}

void fixture_big_free(struct fixture_big *big)
{
    free(big->rows);
    free(big->texts);
    free(big->conditions);
}

// libunwind opens a pipe at its first use and keeps it: before the first test, so that no test seems to have left it open.
__attribute__((constructor)) static void load_unwinder(void)
{
    static struct brig_trap_record record = {.magic = BRIG_TRAP_RECORD_MAGIC,
                                             .version = BRIG_TRAP_RECORD_VERSION,
                                             .pid = 1,
                                             .tid = 1,
                                             .trap_id = 1,
                                             .verb = BRIG_DSL_CRASH,
                                             .stack_bytes = 512};
    static struct brig_stack stack;
    static char maps[1 << 16];
    const bool is_x86 = brig_dsl_arch_native() == BRIG_DSL_X86_64;
    const uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0) & ~(uint64_t)15;
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    for (ssize_t got; fd >= 0 && (got = read(fd, maps + used, sizeof maps - used)) > 0;)
        used += (size_t)got;
    close(fd);
    record.audit_arch = brig_dsl_arch_audit(brig_dsl_arch_native());
    record.registers[is_x86 ? 7 : 31] = here;
    record.registers[is_x86 ? 16 : 32] = record.call_address = (uint64_t)(uintptr_t)load_unwinder + 8;
    record.stack_address = here - 128;
    if (brig_unwind(&record, maps, used, &stack, NULL) != BRIG_OK)
        fprintf(stderr, "the unwinder does not work on this process\n");
}

// --- a supervisor that remembers --------------------------------------------------------------------------------------

static void remember(void *context, const struct brig_event *event)
{
    struct fixture *fixture = context;
    if (fixture->count == FIXTURE_EVENTS)
        return;
    size_t at = fixture->count++;
    fixture->events[at].kind = event->kind;
    fixture->events[at].pid = brig_worker_pid(event->worker);
    fixture->events[at].wait_status = event->wait_status;
    fixture->events[at].violation_count = event->violation_count;
    fixture->events[at].trap_counts = brig_worker_trap_counts(event->worker);
    fixture->events[at].json = event->report_json ? strdup(event->report_json) : NULL;
    fixture->events[at].code = event->error ? event->error->code : BRIG_OK;
    snprintf(fixture->events[at].name, sizeof fixture->events[at].name, "%s", brig_worker_name(event->worker));
    snprintf(fixture->events[at].message, sizeof fixture->events[at].message, "%s", event->message);
    snprintf(fixture->events[at].report_path, sizeof fixture->events[at].report_path, "%s",
             event->report_path ? event->report_path : "");
    if (event->error)
        brig_error_format(event->error, fixture->events[at].error, sizeof fixture->events[at].error);
}

bool fixture_open_with(struct fixture *fixture, const struct brig_supervisor_options *options)
{
    struct brig_supervisor_options with_events = *options;
    struct brig_error error;
    with_events.on_event = remember;
    with_events.context = fixture;
    return CHECK_OK(brig_supervisor_new(&with_events, &fixture->supervisor, &error), &error);
}

bool fixture_open(struct fixture *fixture)
{
    *fixture = (struct fixture){.count = 0};
    snprintf(fixture->report_dir, sizeof fixture->report_dir, "/tmp/brig-sandbox-XXXXXX");
    return CHECK(mkdtemp(fixture->report_dir) != NULL) &&
           fixture_open_with(fixture, &(struct brig_supervisor_options){.report_dir = fixture->report_dir});
}

static size_t each_file(const char *folder, bool is_deleting)
{
    DIR *entries = opendir(folder);
    size_t count = 0;
    for (struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
        count += entry->d_name[0] != '.';
        if (is_deleting && entry->d_name[0] != '.')
            unlinkat(dirfd(entries), entry->d_name, 0);
    }
    if (entries)
        closedir(entries);
    return count;
}

size_t fixture_files(const struct fixture *fixture)
{
    return each_file(fixture->report_dir, false);
}

void fixture_close(struct fixture *fixture)
{
    brig_supervisor_free(fixture->supervisor);
    for (size_t i = 0; i < fixture->count; i++)
        free(fixture->events[i].json);
    if (*fixture->report_dir) {
        each_file(fixture->report_dir, true);
        rmdir(fixture->report_dir);
    }
}

struct brig_worker *fixture_launch(struct fixture *fixture, const struct brig_worker_spec *spec)
{
    struct brig_worker *worker = NULL;
    struct brig_error error;
    CHECK_OK(brig_supervisor_launch(fixture->supervisor, spec, &worker, &error), &error);
    return worker;
}

size_t fixture_count(const struct fixture *fixture, enum brig_event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < fixture->count; i++)
        count += fixture->events[i].kind == kind;
    return count;
}

int fixture_find(const struct fixture *fixture, enum brig_event_kind kind, size_t nth)
{
    for (size_t i = 0; i < fixture->count; i++) {
        if (fixture->events[i].kind == kind && nth-- == 0)
            return (int)i;
    }
    return -1;
}

bool fixture_wait(struct fixture *fixture, enum brig_event_kind kind, size_t count)
{
    struct brig_error error;
    const time_t deadline = time(NULL) + 6;
    while (fixture_count(fixture, kind) < count && time(NULL) < deadline) {
        if (!CHECK_OK(brig_supervisor_dispatch(fixture->supervisor, 100, &error), &error))
            return false;
    }
    return CHECK_GE(fixture_count(fixture, kind), count);
}

bool fixture_run(struct fixture *fixture, size_t exits)
{
    return fixture_wait(fixture, BRIG_EVENT_EXIT, exits);
}

// --- kernels with something missing -----------------------------------------------------------------------------------

bool fixture_refuse(const struct fixture_refusal *refusal)
{
    const uint32_t nr = (uint32_t)brig_dsl_call_nr(refusal->call, brig_dsl_arch_native());
    const uint32_t argument = refusal->argument < 0 ? 0 : (uint32_t)refusal->argument;
    const uint32_t mask = refusal->argument < 0 ? 0 : refusal->mask;
    const uint32_t value = refusal->argument < 0 ? 0 : refusal->value;
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16 + 8 * argument),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)refusal->sys_errno),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog fprog = {.len = COUNT_OF(insns), .filter = insns};
    return CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0) &&
           CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog), 0);
}

void fixture_in_child(void (*body)(const void *context), const void *context)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        body(context);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

// --- entry functions --------------------------------------------------------------------------------------------------

int fixture_entry_return(void *data, int channel_fd)
{
    (void)channel_fd;
    return data ? *(const int *)data : 0;
}

int fixture_entry_crash(void *data, int channel_fd)
{
    struct utsname name;
    (void)data;
    (void)channel_fd;
    return uname(&name) == 0 ? 1 : 2;
}

int fixture_entry_hang(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    for (;;)
        pause();
}

int fixture_eventfd(void)
{
    char path[64], target[64];
    for (int fd = 3; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, "anon_inode:[eventfd]") == 0)
            return fd;
    }
    return -1;
}

long fixture_send(int socket_fd, const void *bytes, size_t byte_count, const int *fds, size_t fd_count)
{
    struct iovec part = {(void *)(uintptr_t)bytes, byte_count};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * FIXTURE_FDS)];
    } control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    }
    return sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int fixture_notify_fd;

int fixture_find_notify_fd(void *data)
{
    (void)data;
    fixture_notify_fd = fixture_eventfd();
    return fixture_notify_fd < 0;
}

struct brig_trap_slots *fixture_own_slots(void)
{
    char line[512];
    unsigned long from = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        if (strstr(line, "memfd:brig-slots"))
            sscanf(line, "%lx", &from);
    }
    if (maps)
        fclose(maps);
    return (struct brig_trap_slots *)from;
}
