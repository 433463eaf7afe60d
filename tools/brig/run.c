// brig run: a program under a policy, with a broker for the files and connections that it may have.
//
// Three processes stand between the program and what it asks for: this one (supervisor), the front end that sees its calls, and the
// broker that has the list. With --resolve the broker looks up host names too, for programs whose libc asks nscd first (glibc);
// without, and for others, there is what the program may read (/etc/hosts): a resolver's own datagrams could go anywhere.
//
// Exit status: the program's own; 128+N where signal N ended it, 159 (128+SIGSYS) for a violation; 125 where Brig failed; 126 and
// 127 as shells have them.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tools/brig/run.h"

const struct tool_option brig_run_options[] = {
    [RUN_POLICY] = {"policy", 'p', "POLICY", "what the program may do (program)"},
    [RUN_BROKER_RO] = {"broker-ro", 0, "DIR", "a directory with all below it, or a file, that may be read; repeatable"},
    [RUN_BROKER_RW] = {"broker-rw", 0, "DIR", "the same, to read, write, create and remove; repeatable"},
    [RUN_UNVEIL] = {"unveil", 0, "PATH:PERMISSIONS",
                    "the same in OpenBSD's letters, rwxc, also of what is not there; none hides the path; repeatable"},
    [RUN_CONNECT] = {"connect", 0, "ADDRESS",
                     "where it may connect: 127.0.0.1:80, [::1]:443, *:443, unix:/run/app.sock; repeatable"},
    [RUN_RESOLVE] = {"resolve", 0, NULL,
                     "look up host names for it, as this machine does; not for programs with a DNS client of their own"},
    [RUN_MODE] = {"mode", 0, "MODE", "what a violation does: kill (the default), errno (EPERM) or log (nothing: no sandbox)"},
    [RUN_REPORT_DIR] = {"report-dir", 0, "DIRECTORY", "where reports of violations and of the run go; made if it is not there"},
    [RUN_JSON] = {"json", 0, NULL, "say at the end what was refused and denied, as JSON (brig-run-1)"},
    [RUN_OUTPUT] = {"output", 'o', "FILE", "where that is written, as JSON or text (standard error)"},
    {NULL, 0, NULL, NULL},
};

enum { EXIT_SIGNAL = 128, DENIAL_MAX = 256, EVENT_MAX = 1000 };

struct run {
    struct tool_arguments arguments;
    struct tool_subject subject;
    struct run_policy policy; // the subject's, in its mode
    struct run_list list;
    struct run_program program;
    struct brig_supervisor *supervisor;
    struct brig_broker *broker;
    struct brig_worker *worker; // NULL: ended
    uint64_t violation_count;
    json_t *events;            // violations, the first EVENT_MAX
    struct tool_output output; // where the end is told, unless that is standard error
    int exit_status;
    int signal_fd;
};

// --- the command line -------------------------------------------------------------------------------------------------

// What stands behind -- is the program's, options too. Returns: -1 to go on, else the exit status.
static int read_command_line(struct run *run, int argc, char **argv)
{
    int own = 1;
    while (own < argc && strcmp(argv[own], "--") != 0) {
        own++;
    }
    const int status = tool_parse("run", brig_run_options, own, argv, &run->arguments);
    if (status >= 0) {
        return status == TOOL_OK ? status : RUN_EXIT_OWN_FAILURE;
    }
    if (run->arguments.operand_count > 0 || own >= argc - 1) {
        tool_complain("run", "the program stands behind --, as in: brig run --broker-ro . -- cat README.md");
        return RUN_EXIT_OWN_FAILURE;
    }
    return run_find_program(argv + own + 1, &run->program);
}

static int load_policy(struct run *run)
{
    const char *name = run->arguments.values[RUN_POLICY];
    struct tool_request request;
    if (!tool_make_request("run", &run->arguments, &request)) {
        return RUN_EXIT_OWN_FAILURE;
    }
    request.refuses_raw = "a raw program has no rows, and the front end answers by rows";
    request.options.target = BRIG_DSL_NOTIFIED;
    request.rows_only = true; // whoever locks the program compiles them
    if (tool_load("run", name == NULL ? "program" : name, &request, &run->subject) >= 0) {
        run->subject.policy = NULL;
        return RUN_EXIT_OWN_FAILURE;
    }
    if (run->subject.policy->import != NULL) {
        tool_complain("run", "'%s' was written for another tool, whose calls no broker answers; give a policy of Brig's own", name);
        return RUN_EXIT_OWN_FAILURE;
    }
    return run_change_policy(run->arguments.values[RUN_MODE], run->subject.policy, &run->policy) ? -1 : RUN_EXIT_OWN_FAILURE;
}

// --- the run ----------------------------------------------------------------------------------------------------------

static int exit_status_of(const struct brig_event *event)
{
    if (event->error != NULL) {
        return event->error->sys_errno == ENOENT || event->error->sys_errno == ENOTDIR ? RUN_EXIT_NOT_FOUND
                                                                                       : RUN_EXIT_NOT_EXECUTABLE;
    }
    return WIFEXITED(event->wait_status) ? WEXITSTATUS(event->wait_status) : EXIT_SIGNAL + WTERMSIG(event->wait_status);
}

// Keeps a violation, and tells of it unless its cause is known: a shell that goes along PATH is refused at every step.
static void note_violation(struct run *run, const struct brig_event *event)
{
    if (json_array_size(run->events) == EVENT_MAX) {
        return; // the supervisor goes on counting
    }
    json_t *report = event->report_json == NULL ? NULL : json_loads(event->report_json, 0, NULL);
    const json_t *id = json_object_get(report, "id"), *policy = json_object_get(report, "policy");
    json_t *noted =
        json_pack("{s:s, s:s?, s:s?, s:s?}", "message", event->message, "key", json_string_value(json_object_get(id, "key")), "why",
                  json_string_value(json_object_get(policy, "why")), "report", event->report_path);
    json_decref(report);
    if (noted == NULL || json_array_append_new(run->events, noted) != 0) {
        fprintf(stderr, "%s\n", event->message);
    } else if (run->arguments.values[RUN_JSON] == NULL && run_is_new_event(run->events, json_array_size(run->events) - 1)) {
        run_print_event(stderr, noted);
    }
}

static void on_event(void *context, const struct brig_event *event)
{
    struct run *run = context;
    if (event->kind == BRIG_EVENT_VIOLATION) {
        note_violation(run, event);
        return;
    }
    const bool is_program = run->worker != NULL && event->worker == run->worker;
    if (event->kind == BRIG_EVENT_EXIT && is_program) {
        run->worker = NULL;
        run->violation_count = event->violation_count;
        run->exit_status = exit_status_of(event);
        if (event->error == NULL && (WIFEXITED(event->wait_status) || event->violation_count == 0)) {
            return; // the exit status says it
        }
    }
    if (event->kind == BRIG_EVENT_EXIT && is_program && event->error != NULL) {
        run_complain_about_start(&run->program, event->error->sys_errno);
        return;
    }
    fprintf(stderr, "%s\n", event->message);
}

// Says which option the library did not take.
static void complain_about_options(const struct run *run, const struct brig_error *error)
{
    for (size_t i = 0; i < run->list.address_count; i++) {
        const char *address = run->list.addresses[i].text;
        if (error->subject == NULL || strcmp(error->subject, address) != 0) {
            continue;
        }
        if (error->sys_errno != 0) {
            tool_complain("run", "--connect=%s: %s", address, strerror(error->sys_errno));
        } else {
            tool_complain("run", "--connect=%s is no address; it is IP:PORT, [IPV6]:PORT, IP/BITS:PORT, *:PORT or unix:/PATH",
                          address);
        }
        return;
    }
    tool_fail("run", error);
}

static bool start(struct run *run)
{
    const bool connects = run->list.address_count > 0 || run->list.resolves;
    const struct brig_broker_spec broker = {.name = "broker",
                                            .policy = brig_policy_for_this_build(connects ? "broker+network" : "broker"),
                                            .list = {.entries = run->list.entries,
                                                     .entry_count = run->list.entry_count,
                                                     .addresses = run->list.addresses,
                                                     .address_count = run->list.address_count,
                                                     .may_resolve = run->list.resolves}};
    const char *file = run_executed(&run->program), *slash = strrchr(file, '/');
    const struct brig_supervisor_options options = {
        .report_dir = run->arguments.values[RUN_REPORT_DIR], .on_event = on_event, .context = run};
    struct brig_program_spec program = {.name = slash == NULL ? file : slash + 1,
                                        .file = file,
                                        .argv = run->program.command,
                                        .envp = environ,
                                        .policy = run->policy.policy,
                                        .front_policy = brig_policy_for_this_build("notify")};
    struct brig_error error;
    enum brig_code code = brig_supervisor_new(&options, &run->supervisor, &error);
    if (code == BRIG_OK) {
        code = brig_broker_start(run->supervisor, &broker, &run->broker, &error);
    }
    program.broker = run->broker;
    if (code == BRIG_OK) {
        code = brig_supervisor_run(run->supervisor, &program, &run->worker, &error);
    }
    if (code != BRIG_OK) {
        complain_about_options(run, &error);
    }
    return code == BRIG_OK;
}

// The program is in a session of its own, so that it cannot type into ours: what is sent to us is passed on.
static void pass_signal(const struct run *run)
{
    struct signalfd_siginfo info;
    if (read(run->signal_fd, &info, sizeof info) != sizeof info || run->worker == NULL) {
        return;
    }
    if (info.ssi_signo != SIGTSTP) {
        brig_program_signal(run->worker, (int)info.ssi_signo);
        return;
    }
    // It has no terminal to be stopped by, and runs on while the shell believes that it waits.
    brig_program_signal(run->worker, SIGSTOP);
    raise(SIGSTOP);
    brig_program_signal(run->worker, SIGCONT);
}

static bool watch(struct run *run)
{
    struct brig_error error;
    struct pollfd polled[] = {{.fd = brig_supervisor_fd(run->supervisor), .events = POLLIN},
                              {.fd = run->signal_fd, .events = POLLIN}};
    while (run->worker != NULL) {
        if (poll(polled, 2, -1) < 0 && errno != EINTR) {
            return tool_complain("run", "poll: %s", strerror(errno)) < 0;
        }
        if (polled[1].revents != 0) {
            pass_signal(run);
        }
        if (brig_supervisor_dispatch(run->supervisor, 0, &error) != BRIG_OK) {
            tool_fail("run", &error);
            return false;
        }
    }
    return true;
}

static bool is_told_apart(const struct run *run)
{
    return run->arguments.values[RUN_OUTPUT] != NULL;
}

static bool print_outcome(struct run *run, json_t *outcome)
{
    if (outcome == NULL) {
        return tool_complain("run", "out of memory") < 0;
    }
    FILE *out = is_told_apart(run) ? run->output.file : stderr;
    if (run->arguments.values[RUN_JSON] != NULL) {
        tool_print_json(out, json_incref(outcome));
    } else {
        run_print_rest(out, outcome);
    }
    return !is_told_apart(run) || tool_close_output("run", &run->output) == TOOL_OK;
}

static bool tell(struct run *run)
{
    static struct brig_broker_denial denials[DENIAL_MAX];
    const char *directory = run->arguments.values[RUN_REPORT_DIR];
    struct brig_error error;
    struct run_outcome outcome = {.command = run->program.files[0],
                                  .policy = run->subject.policy->name,
                                  .exit_status = run->exit_status,
                                  .violation_count = run->violation_count,
                                  .events = run->events,
                                  .list = &run->list,
                                  .denials = denials};
    if (brig_broker_denials(run->broker, denials, DENIAL_MAX, &outcome.denial_count, &error) != BRIG_OK) {
        tool_fail("run", &error);
        return false;
    }
    json_t *json = run_outcome_json(&outcome);
    const bool is_told = print_outcome(run, json) && (directory == NULL || run_write_outcome(json, directory, getpid()));
    json_decref(json);
    return is_told;
}

// Signals wait for us from before the first fork on; what we fork opens them again.
static bool take_signals(struct run *run)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP};
    sigset_t passed;
    sigemptyset(&passed);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaddset(&passed, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &passed, NULL);
    run->signal_fd = signalfd(-1, &passed, SFD_CLOEXEC);
    return run->signal_fd >= 0 || tool_complain("run", "signalfd: %s", strerror(errno)) < 0;
}

static bool make_report_dir(const struct run *run)
{
    const char *directory = run->arguments.values[RUN_REPORT_DIR];
    struct stat status;
    if (directory == NULL || mkdir(directory, 0700) == 0) {
        return true;
    }
    if (errno != EEXIST || stat(directory, &status) != 0) {
        return tool_complain("run", "cannot make '%s': %s", directory, strerror(errno)) < 0;
    }
    return S_ISDIR(status.st_mode) || tool_complain("run", "'%s' is there, and is no directory", directory) < 0;
}

static int run_program(struct run *run)
{
    run->events = json_array();
    bool is_ready = make_report_dir(run) && run_make_list(&run->arguments, &run->program, &run->list) && take_signals(run);
    // The program may be allowed to put something else, or a link, where its output's name is.
    is_ready = is_ready && (!is_told_apart(run) || tool_hold_output("run", run->arguments.values[RUN_OUTPUT], &run->output));
    const bool is_told = is_ready && start(run) && watch(run) && tell(run);
    tool_drop_output(&run->output); // nothing once it has been closed
    return is_told ? run->exit_status : RUN_EXIT_OWN_FAILURE;
}

int brig_run_main(int argc, char **argv);
int brig_run_main(int argc, char **argv)
{
    static struct run run;
    run.signal_fd = -1;
    int status = read_command_line(&run, argc, argv);
    if (status >= 0) {
        run_free_program(&run.program);
        return status;
    }
    status = load_policy(&run);
    if (status < 0) {
        status = run_program(&run);
        brig_supervisor_free(run.supervisor);
        run_free_list(&run.list);
    }
    if (run.subject.policy != NULL) {
        run_free_policy(&run.policy);
        tool_free_subject(&run.subject);
    }
    json_decref(run.events);
    if (run.signal_fd >= 0) {
        close(run.signal_fd);
    }
    run_free_program(&run.program);
    return status;
}
