// process: a broker's process, from its preparation to its end.
//
// Takes a list, gives a process that serves sessions until its supervisor closes the channel (or dies, and then it is killed). The
// preparation runs with one thread, after descriptors, limits and no_new_privs and before the filter: the list's directories are
// opened, what resolving names needs is loaded, and Landlock takes away the rest of the file system. Threads come after the filter
// and inherit all of it.
//
// The main thread takes sessions in, and looks after those that there are; it serves no requests itself, so nothing that a client
// asks for keeps it from that.
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/broker/nscd.h"
#include "sandbox/broker/session.h"

static const char step_prepare[] = "prepare broker";

// --- before the filter ------------------------------------------------------------------------------------------------

static enum brig_code failed(struct brig_error *reterr, const char *subject)
{
    const enum brig_code code = errno == ENOSYS || errno == EINVAL ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED;
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_prepare, .subject = subject};
    return brig_error_set(reterr, error);
}

static enum brig_code check_kernel(struct brig_error *reterr)
{
    struct seccomp_notif_sizes sizes;
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
        return failed(reterr, "seccomp user notifications");
    if (sizes.seccomp_notif <= sizeof((struct box_work *)NULL)->notification)
        return BRIG_OK;
    errno = ENOSYS;
    return failed(reterr, "seccomp notifications of a known size");
}

static enum brig_code map_denials(struct box_broker_start *start, struct brig_error *reterr)
{
    void *address = mmap(NULL, sizeof *start->denials, PROT_READ | PROT_WRITE, MAP_SHARED, start->denials_fd, 0);
    if (address == MAP_FAILED)
        return failed(reterr, "the table of refusals");
    close(start->denials_fd);
    start->denials = address;
    return BRIG_OK;
}

static enum brig_code make_wake_fd(struct box_broker_start *start, struct brig_error *reterr)
{
    start->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return start->wake_fd >= 0 ? BRIG_OK : failed(reterr, "eventfd");
}

static void wake_up(int number)
{
    (void)number; // the call that it interrupts is what it is for
}

static enum brig_code set_up_signals(struct brig_error *reterr)
{
    struct sigaction action = {.sa_handler = wake_up}; // no SA_RESTART
    sigemptyset(&action.sa_mask);
    return sigaction(SIGUSR1, &action, NULL) == 0 ? BRIG_OK : failed(reterr, "sigaction");
}

static unsigned count_processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : CPU_SETSIZE; // more than a set has room for
}

// One of libc's modules for host names, as nsswitch.conf(5) calls it. What cannot be loaded now, libc will do without later.
static void load_module(const char *name)
{
    char file[64];
    if (snprintf(file, sizeof file, "libnss_%s.so.2", name) < (int)sizeof file && !dlopen(file, RTLD_NOW))
        return; // built into libc, as files and dns are, or not installed
}

// "hosts: files mdns4_minimal [NOTFOUND=return] dns", "services: db files"
static void load_modules(void)
{
    char line[256], *rest;
    FILE *file = fopen("/etc/nsswitch.conf", "re");
    while (file && fgets(line, sizeof line, file)) {
        const char *word = strtok_r(line, " \t\n", &rest);
        if (!word || (strcmp(word, "hosts:") != 0 && strcmp(word, "services:") != 0))
            continue;
        while ((word = strtok_r(NULL, " \t\n", &rest))) {
            if (*word != '[')
                load_module(word);
        }
    }
    if (file)
        fclose(file);
}

// Loads what resolving a name needs, in files that Landlock will not let through and a filter will not let be mapped.
static void load_resolver(void)
{
    struct addrinfo *addresses = NULL;
    load_modules();
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo("localhost", "80", &hints, &addresses) == 0)
        freeaddrinfo(addresses);
}

// For code that asks nscd: a listener, which has to be made behind Landlock, see box_nscd_listen.
static enum brig_code make_nscd_fd(struct box_broker_start *start, struct brig_error *reterr)
{
    start->nscd_fd = start->list->may_resolve ? box_nscd_listen() : -1;
    return start->nscd_fd >= 0 || !start->list->may_resolve ? BRIG_OK : failed(reterr, "a listening socket");
}

// glibc counts processors by files that the broker may not open when a thread wants an arena of its own. Nothing here allocates in
// a hurry.
static void share_one_arena(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 1);
#endif
}

enum brig_code box_broker_prepare(void *data, struct brig_error *reterr)
{
    struct box_broker_start *start = data;
    enum brig_code code = check_kernel(reterr);
    if (code == BRIG_OK)
        code = map_denials(start, reterr);
    if (code == BRIG_OK)
        code = make_wake_fd(start, reterr);
    if (code == BRIG_OK)
        code = box_list_new(start->list, &start->opened, reterr);
    if (code == BRIG_OK)
        code = set_up_signals(reterr);
    if (code != BRIG_OK)
        return code;
    if (start->list->may_resolve)
        load_resolver();
    start->processors = count_processors();
    if (start->processors == 1) // no stranger's slice on another one to wait for
        box_be_patient();
    share_one_arena();
    umask(0); // the client's is taken off by the client
    code = box_landlock(start->list, reterr);
    return code == BRIG_OK ? make_nscd_fd(start, reterr) : code;
}

// --- behind it --------------------------------------------------------------------------------------------------------

void box_process_wake(struct box_process *process)
{
    static const uint64_t one = 1;
    if (write(process->wake_fd, &one, sizeof one) < 0)
        return; // full: it wakes up anyway
}

// As a set, in the order in which they are sent.
static uint32_t descriptors_of(uint32_t kind)
{
    _Static_assert((int)BOX_ATTACHED == (int)BOX_CONTROL_FDS, "box_attached_from reads both");
    return kind == BOX_CONTROL_OPEN ? (1u << BOX_CONTROL_FDS) - 1 : kind == BOX_CONTROL_MESSAGES ? 1 : 0;
}

static void count(struct box_process *process, struct box_denials *denials, uint32_t question)
{
    box_sessions_count(process);
    __atomic_store_n(&denials->counted, question, __ATOMIC_RELEASE);
    syscall(SYS_futex, &denials->counted, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

// Returns: false if the supervisor has closed the channel, or speaks nonsense.
static bool obey(struct box_process *process, struct box_denials *denials)
{
    struct box_control control;
    struct box_packet_fds came;
    int fds[BOX_ATTACHED];
    const struct iovec part = {&control, sizeof control};
    const ssize_t got = box_packet_receive(process->channel_fd, part, BOX_ATTACHED, MSG_DONTWAIT, &came);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got != sizeof control || !box_attached_from(&came, descriptors_of(control.kind), fds))
        return false;
    if (control.kind == BOX_CONTROL_CLOSE)
        box_session_end_number(process, control.session);
    else if (control.kind == BOX_CONTROL_COUNT)
        count(process, denials, control.session);
    else
        box_session_open(process, denials, &control, fds);
    return true;
}

static void empty(int wake_fd)
{
    uint64_t count;
    if (read(wake_fd, &count, sizeof count) < 0)
        return; // nothing was there
}

// While one thread waits until its client takes a descriptor, another serves the next request; the least that does well is enough
// for two processors.
static unsigned useful_at_once(unsigned processors)
{
    enum { LEAST = 4, EACH = 2 };
    return processors * EACH < LEAST ? LEAST : processors * EACH;
}

int box_broker_run(void *data, int channel_fd)
{
    const struct box_broker_start *start = data;
    struct box_process process = {.list = start->opened,
                                  .channel_fd = channel_fd,
                                  .wake_fd = start->wake_fd,
                                  .lock = PTHREAD_MUTEX_INITIALIZER,
                                  .at_once = useful_at_once(start->processors)};
    if (start->nscd_fd >= 0)
        process.nscd = box_nscd_start(start->nscd_fd); // or names are asked for by RESOLVE alone
    for (;;) {
        struct pollfd polled[] = {{.fd = channel_fd, .events = POLLIN}, {.fd = process.wake_fd, .events = POLLIN}};
        if (poll(polled, 2, box_sessions_tend(&process)) < 0 && errno != EINTR)
            return 1;
        if (polled[1].revents)
            empty(process.wake_fd);
        if (polled[0].revents && !obey(&process, start->denials))
            return 0;
    }
}
