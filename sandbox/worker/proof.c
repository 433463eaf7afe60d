// proof: whether a filter is on, asked from the inside.
//
// Takes a program before it is installed, gives a yes or no after that. The calling thread is asked by BRIG_DSL_PROBE_NR, which
// only a Brig program answers. The other threads are asked through /proc; after the install that needs pread64 and close, and a
// policy that does not allow them would end the process right here. So the program itself is asked first, by the interpreter,
// whether it will allow them; where it will not, the kernel's word for TSYNC has to do, and the supervisor reads back from outside.
//
// Weakness: a foreign filter from before may kill on pread64 as well. The files are read once before the install, so that this
// shows while nothing is half done.
#include "sandbox/worker/proof.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <unistd.h>

#include "bpf_dsl/program.h"
#include "sandbox/worker/proc.h"

static bool is_allowed(const struct brig_dsl_program *program, enum brig_dsl_call call, const uint64_t args[6])
{
    struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(call, program->arch),
                                 .audit_arch = brig_dsl_arch_audit(program->arch),
                                 .args = {args[0], args[1], args[2], args[3], args[4], args[5]}};
    return brig_dsl_interpret(program->insns, program->insn_count, &data, NULL).ret == SECCOMP_RET_ALLOW;
}

// The verdicts for one descriptor stand for all: no policy knows these numbers.
static bool will_be_readable(const struct brig_dsl_program *program, int fd)
{
    char text[1];
    const uint64_t read_args[6] = {(uint64_t)fd, (uint64_t)(uintptr_t)text, BOX_STATUS_BYTES - 1};
    const uint64_t close_args[6] = {(uint64_t)fd};
    return is_allowed(program, BRIG_SYS_pread64, read_args) && is_allowed(program, BRIG_SYS_close, close_args);
}

static void open_thread(struct box_proof *proof, const char *tid)
{
    char path[64], text[BOX_STATUS_BYTES];
    struct box_line name = {path, sizeof path, 0};
    box_line_add(&name, "/proc/self/task/");
    box_line_add(&name, tid);
    box_line_add(&name, "/status");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (box_pread_text(fd, text, sizeof text) > 0)
        proof->fds[proof->count++] = fd;
    else
        close(fd);
}

void box_proof_open(struct box_proof *proof, const struct brig_dsl_program *program)
{
    proof->count = 0;
    DIR *threads = opendir("/proc/self/task");
    if (!threads)
        return;
    if (will_be_readable(program, dirfd(threads))) {
        for (struct dirent *entry; proof->count < BOX_PROOF_THREADS && (entry = readdir(threads)) != NULL;) {
            if (entry->d_name[0] != '.')
                open_thread(proof, entry->d_name);
        }
    }
    closedir(threads);
}

void box_proof_close(struct box_proof *proof)
{
    for (size_t i = 0; i < proof->count; i++)
        close(proof->fds[i]);
    proof->count = 0;
}

static const char *check_thread(int fd)
{
    char text[BOX_STATUS_BYTES];
    struct box_thread_status status;
    if (box_pread_text(fd, text, sizeof text) <= 0 || !box_parse_status(text, &status))
        return NULL; // ended meanwhile
    if (status.seccomp_mode != 2)
        return "a thread without the filter";
    return status.no_new_privs ? NULL : "a thread without no_new_privs";
}

const char *box_proof_check(struct box_proof *proof)
{
    const char *wrong = NULL;
    if (syscall(BRIG_DSL_PROBE_NR) != -1 || errno != BRIG_DSL_PROBE_ERRNO)
        wrong = "the answer to the probe number";
    for (size_t i = 0; i < proof->count && !wrong; i++)
        wrong = check_thread(proof->fds[i]);
    box_proof_close(proof);
    return wrong;
}
