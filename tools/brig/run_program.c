// run_program: which file a command is, and what is executed for it.
//
// A program in a run starts no other. So a script whose first line names env, which would start its interpreter, is given to that
// interpreter here, as env would: #!/usr/bin/env python3 finds python3 in PATH. Scripts that name their interpreter are the
// kernel's business.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/brig/run.h"

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

// As execvp finds it. Returns: ours, or NULL.
static char *find_program(const char *name)
{
    const char *place = getenv("PATH");
    if (strchr(name, '/') != NULL) {
        return is_program(name) ? strdup(name) : NULL;
    }
    for (place = place == NULL ? "/usr/local/bin:/usr/bin:/bin" : place; place != NULL;) {
        const char *end = strchrnul(place, ':');
        char *path = NULL;
        const int bytes = (int)(end - place);
        if (asprintf(&path, "%.*s/%s", bytes == 0 ? 1 : bytes, bytes == 0 ? "." : place, name) < 0) {
            return NULL;
        }
        if (is_program(path) && access(path, X_OK) == 0) {
            return path;
        }
        free(path);
        place = *end == ':' ? end + 1 : NULL;
    }
    return NULL;
}

// Returns: the exit status.
static int complain_about_program(const char *name)
{
    struct stat status;
    if (strchr(name, '/') == NULL) {
        tool_complain("run", "there is no program '%s' in PATH", name);
        return RUN_EXIT_NOT_FOUND;
    }
    if (stat(name, &status) != 0) {
        tool_complain("run", "cannot run '%s': %s", name, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? RUN_EXIT_NOT_FOUND : RUN_EXIT_NOT_EXECUTABLE;
    }
    tool_complain("run", "cannot run '%s': it is %s", name, S_ISDIR(status.st_mode) ? "a directory" : "no regular file");
    return RUN_EXIT_NOT_EXECUTABLE;
}

// --- scripts ----------------------------------------------------------------------------------------------------------

struct first_line {
    char text[256]; // execve(2) reads as much
    char *interpreter;
    char *argument; // "" for none; all that stands behind the interpreter is one
};

// Returns: false if the file is no script.
static bool read_first_line(const char *path, struct first_line *ret_line)
{
    static const char blanks[] = " \t";
    FILE *file = fopen(path, "re");
    const bool is_script =
        file != NULL && fgets(ret_line->text, sizeof ret_line->text, file) != NULL && strncmp(ret_line->text, "#!", 2) == 0;
    if (file != NULL) {
        fclose(file);
    }
    if (!is_script) {
        return false;
    }
    char *end = ret_line->text + strcspn(ret_line->text, "\n");
    while (end > ret_line->text && strchr(" \t\n", end[-1]) != NULL) {
        end--;
    }
    *end = '\0';
    ret_line->interpreter = ret_line->text + 2 + strspn(ret_line->text + 2, blanks);
    ret_line->argument = ret_line->interpreter + strcspn(ret_line->interpreter, blanks);
    if (*ret_line->argument != '\0') {
        *ret_line->argument++ = '\0';
        ret_line->argument += strspn(ret_line->argument, blanks);
    }
    return true;
}

// Returns: whether a file is a script for which env would start line->argument, and do nothing else.
static bool is_of_env(const char *path, struct first_line *line)
{
    if (!read_first_line(path, line)) {
        return false;
    }
    const char *slash = strrchr(line->interpreter, '/');
    const bool is_plain = line->argument[0] != '\0' && line->argument[0] != '-' && strpbrk(line->argument, "= \t") == NULL;
    return slash != NULL && strcmp(slash, "/env") == 0 && is_plain;
}

// Puts an interpreter before the script. Returns: false if memory ran out.
static bool put_interpreter(struct run_program *program, const char *name)
{
    size_t count = 0;
    while (program->command[count] != NULL) {
        count++;
    }
    char **command = calloc(count + 2, sizeof *command);
    char *copy = strdup(name);
    if (command == NULL || copy == NULL) {
        free(command);
        free(copy);
        return false;
    }
    command[0] = copy;
    command[1] = program->files[program->file_count - 1];
    memcpy(command + 2, program->command + 1, count * sizeof *command); // with its end
    const size_t layer = program->file_count - 1;
    program->commands[layer] = command;
    program->names[layer] = copy;
    program->command = command;
    return true;
}

// --- for the verb -----------------------------------------------------------------------------------------------------

const char *run_executed(const struct run_program *program)
{
    return program->files[program->file_count - 1];
}

int run_find_program(char **command, struct run_program *ret_program)
{
    struct first_line line;
    *ret_program = (struct run_program){.command = command, .files = {find_program(command[0])}};
    if (ret_program->files[0] == NULL) {
        return complain_about_program(command[0]);
    }
    ret_program->file_count = 1;
    if (access(ret_program->files[0], X_OK) != 0) {
        tool_complain("run", "'%s': %s", ret_program->files[0], strerror(errno));
        return RUN_EXIT_NOT_EXECUTABLE;
    }
    while (ret_program->file_count < RUN_SCRIPT_MAX && is_of_env(run_executed(ret_program), &line)) {
        char *interpreter = find_program(line.argument);
        if (interpreter == NULL) {
            tool_complain("run", "cannot run '%s': there is no program '%s' in PATH, which it is a script of", command[0],
                          line.argument);
            return RUN_EXIT_NOT_FOUND;
        }
        if (!put_interpreter(ret_program, line.argument)) {
            free(interpreter);
            tool_complain("run", "out of memory");
            return RUN_EXIT_OWN_FAILURE;
        }
        ret_program->files[ret_program->file_count++] = interpreter;
    }
    return -1;
}

void run_complain_about_start(const struct run_program *program, int reason)
{
    struct first_line line;
    const char *file = run_executed(program);
    if (read_first_line(file, &line)) {
        tool_complain("run", "cannot run '%s', a script of '%s': %s", file, line.interpreter, strerror(reason));
    } else {
        tool_complain("run", "cannot run '%s': %s", file, strerror(reason));
    }
}

void run_free_program(struct run_program *program)
{
    for (size_t i = 0; i < program->file_count; i++) {
        free(program->files[i]);
        free(program->commands[i]);
        free(program->names[i]);
    }
    program->file_count = 0;
}
