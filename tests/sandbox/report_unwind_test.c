// Unwinding: programs that really trapped, and snapshots that lie.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/report/snapshot.h"
#include "tests/sandbox/report_fixture.h"

// What a trapped program wrote down.
struct snapshot {
    struct brig_trap_record record;
    size_t maps_bytes;
    char maps[65536];
};

// libunwind opens a pipe of its own when it is used first, and keeps it: not a leak of any test.
__attribute__((constructor)) static void use_libunwind_first(void)
{
    static struct brig_trap_record record;
    static struct brig_stack stack;
    report_record_init(&record);
    record.registers[16] = (uintptr_t)use_libunwind_first;
    char maps[] = "0-7fffffffffff r-xp 0 0:1 1 /\n";
    (void)!brig_unwind(&record, maps, sizeof maps - 1, &stack, NULL);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void path_beside(const char *program, char path[4096])
{
    ssize_t length = readlink("/proc/self/exe", path, 2048);
    path[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(path, '/');
    snprintf(slash == NULL ? path : slash + 1, 1024, "%s", program);
}

static size_t read_all(int fd, void *buffer, size_t size_bytes)
{
    size_t used = 0;
    for (ssize_t got; used < size_bytes && (got = read(fd, (char *)buffer + used, size_bytes - used)) > 0;) {
        used += (size_t)got;
    }
    return used;
}

// Runs a trapped program. Returns: false after having failed the test.
static bool run_trapped(const char *program, const char *scenario, struct snapshot *ret_snapshot)
{
    char path[4096];
    int ends[2];
    int status = -1;
    path_beside(program, path);
    if (!CHECK_EQ(pipe2(ends, O_CLOEXEC), 0)) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        execl(path, path, scenario, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    bool is_whole = read_all(ends[0], &ret_snapshot->record, sizeof ret_snapshot->record) == sizeof ret_snapshot->record;
    ret_snapshot->maps_bytes = read_all(ends[0], ret_snapshot->maps, sizeof ret_snapshot->maps - 1);
    ret_snapshot->maps[ret_snapshot->maps_bytes] = '\0';
    close(ends[0]);
    return CHECK_EQ(waitpid(pid, &status, 0), pid) && CHECK_EQ(status, 0) && CHECK(is_whole);
}

// --- programs that really trapped -------------------------------------------------------------------------------------

#define FUNCTIONS_MAX 8

static const struct {
    const char *program;
    const char *scenario;
    enum brig_unwind_stop stop;
    const char *functions[FUNCTIONS_MAX]; // in this order, others may stand between them
} walks[] = {
    // Without frame pointers: by call frame information alone, through a function of libc and its callback.
    {"trapped", "qsort", BRIG_UNWIND_END, {"getppid", "forbidden", "compare_numbers", "qsort_r", "sort_two", "main", "_start"}},
    {"trapped", "signal", BRIG_UNWIND_END, {"getppid", "forbidden", "on_user_signal", "raise", "raise_signal", "main", "_start"}},
    {"trapped", "thread", BRIG_UNWIND_END, {"getppid", "forbidden", "in_thread"}},
    {"trapped", "deep", BRIG_UNWIND_LIMIT, {"getppid", "forbidden", "recurse", "recurse"}},
    {"trapped", "big-frame", BRIG_UNWIND_TRUNCATED, {"getppid", "forbidden", "big_frame"}},
    {"trapped", "made-code", BRIG_UNWIND_NO_MODULE, {NULL}},
    // Static, and linked without a search table for its call frame information.
    {"trapped_static",
     "qsort",
     BRIG_UNWIND_END,
     {"getppid", "forbidden", "compare_numbers", "qsort_r", "sort_two", "main", "_start"}},
    {"trapped_static", "thread", BRIG_UNWIND_END, {"getppid", "forbidden", "in_thread"}},
    {"trapped_static", "big-frame", BRIG_UNWIND_TRUNCATED, {"getppid", "forbidden", "big_frame"}},
    // Without call frame information of its own: by frame pointers where it has to be.
    {"trapped_pointers",
     "qsort",
     BRIG_UNWIND_END,
     {"getppid", "forbidden", "compare_numbers", "qsort_r", "sort_two", "main", "_start"}},
    {"trapped_pointers", "deep", BRIG_UNWIND_LIMIT, {"getppid", "forbidden", "recurse", "recurse"}},
    {"trapped_pointers", "big-frame", BRIG_UNWIND_TRUNCATED, {"getppid", "forbidden", "big_frame"}},
};

static void check_functions(const struct brig_stack *stack, const char *const functions[FUNCTIONS_MAX])
{
    size_t frame = 0;
    for (size_t i = 0; i < FUNCTIONS_MAX && functions[i] != NULL; i++) {
        while (frame < stack->frame_count && strcmp(stack->frames[frame].symbol, functions[i]) != 0) {
            frame++;
        }
        if (frame == stack->frame_count) {
            test_fail(__FILE__, __LINE__, "%s is not in its place on the stack", functions[i]);
            return;
        }
        frame++;
    }
}

TEST(report, stacks_of_trapped_programs)
{
    static struct snapshot snapshot[1];
    static struct brig_stack stack[1];
    struct brig_error error;
    for (size_t i = 0; i < COUNT_OF(walks); i++) {
        test_message("%s %s", walks[i].program, walks[i].scenario);
        if (run_trapped(walks[i].program, walks[i].scenario, snapshot) &&
            CHECK_OK(brig_unwind(&snapshot->record, snapshot->maps, snapshot->maps_bytes, stack, &error), &error)) {
            CHECK_EQ(stack->stop, walks[i].stop);
            CHECK_EQ(stack->frames[0].ip, snapshot->record.call_address);
            check_functions(stack, walks[i].functions);
        }
    }
}

static size_t count_found_by(const struct brig_stack *stack, enum brig_frame_how how)
{
    size_t count = 0;
    for (size_t i = 0; i < stack->frame_count; i++) {
        count += stack->frames[i].how == how;
    }
    return count;
}

TEST(report, each_frame_says_how_it_was_found)
{
    static struct snapshot snapshot[1];
    static struct brig_stack stack[1];
    REQUIRE(run_trapped("trapped", "qsort", snapshot));
    REQUIRE_OK(brig_unwind(&snapshot->record, snapshot->maps, snapshot->maps_bytes, stack, NULL), NULL);
    CHECK_EQ(count_found_by(stack, BRIG_FRAME_REGISTERS), 1);
    CHECK_EQ(count_found_by(stack, BRIG_FRAME_POINTER), 0);
    CHECK_EQ(strlen(stack->frames[1].build_id), 40);
    CHECK_CONTAINS(stack->frames[0].module, "/libc.so.6");
    REQUIRE(run_trapped("trapped_pointers", "qsort", snapshot));
    REQUIRE_OK(brig_unwind(&snapshot->record, snapshot->maps, snapshot->maps_bytes, stack, NULL), NULL);
    CHECK_GE(count_found_by(stack, BRIG_FRAME_POINTER), 3);
    CHECK_GE(count_found_by(stack, BRIG_FRAME_CFI), 3);
}

TEST(report, libunwind_exports_what_the_walk_needs)
{
    CHECK(box_cfi_is_available());
}

TEST(report, without_maps_only_the_call_site_is_known)
{
    static struct snapshot snapshot[1];
    static struct brig_stack stack[1];
    REQUIRE(run_trapped("trapped", "qsort", snapshot));
    REQUIRE_OK(brig_unwind(&snapshot->record, NULL, 0, stack, NULL), NULL);
    CHECK_EQ(stack->frame_count, 1);
    CHECK_EQ(stack->stop, BRIG_UNWIND_NO_MODULE);
    snapshot->record.stack_bytes = 0;
    REQUIRE_OK(brig_unwind(&snapshot->record, snapshot->maps, snapshot->maps_bytes, stack, NULL), NULL);
    CHECK_EQ(stack->frame_count, 1);
    CHECK_EQ(stack->stop, BRIG_UNWIND_NO_STACK);
    CHECK_STR_EQ(stack->frames[0].symbol, "getppid");
}

// --- snapshots that lie -----------------------------------------------------------------------------------------------

enum { LIMIT_MS = 150, HOSTILE_ROUNDS = 400 }; // the walk's own limit is 50 ms; a busy machine adds to it

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 16 ^ *state << 24;
}

// Words that a hostile stack would hold: addresses of code, of itself, and noise.
static void fill_with_lies(struct brig_trap_record *record, uint64_t *random)
{
    for (size_t i = 0; i < BRIG_TRAP_STACK_BYTES / 8; i++) {
        uint64_t word = next_random(random);
        switch (word % 4) {
        case 0:
            word = record->call_address + word / 4 % 65536;
            break;
        case 1:
            word = record->stack_address + word / 4 % BRIG_TRAP_STACK_BYTES;
            break;
        case 2:
            word = record->stack_address + word / 4 % BRIG_TRAP_STACK_BYTES / 8 * 8;
            break;
        default:
            break;
        }
        memcpy(record->stack + 8 * i, &word, sizeof word);
    }
    record->stack_bytes = BRIG_TRAP_STACK_BYTES;
    record->registers[6] = record->stack_address + next_random(random) % BRIG_TRAP_STACK_BYTES / 8 * 8;
}

TEST(report, stacks_of_lies_end_in_time)
{
    static const char *const programs[] = {"trapped", "trapped_pointers", "trapped_static"};
    static struct snapshot snapshot[1];
    static struct brig_stack stack[1];
    uint64_t random = 1;
    for (size_t program = 0; program < COUNT_OF(programs); program++) {
        REQUIRE(run_trapped(programs[program], "qsort", snapshot));
        for (size_t round = 0; round < HOSTILE_ROUNDS; round++) {
            double start = now_ms();
            test_message("%s, round %zu", programs[program], round);
            fill_with_lies(&snapshot->record, &random);
            CHECK_OK(brig_unwind(&snapshot->record, snapshot->maps, snapshot->maps_bytes, stack, NULL), NULL);
            CHECK_LE(stack->frame_count, BRIG_FRAMES_MAX);
            CHECK_LT((int)(now_ms() - start), LIMIT_MS);
        }
    }
}

// A frame-pointer chain that points at itself must not go round.
TEST(report, a_loop_of_frame_pointers_ends)
{
    static struct snapshot snapshot[1];
    static struct brig_stack stack[1];
    REQUIRE(run_trapped("trapped_pointers", "deep", snapshot));
    struct brig_trap_record *record = &snapshot->record;
    for (size_t i = 0; i + 16 <= record->stack_bytes; i += 16) {
        uint64_t frame[2] = {record->registers[7] + 64, record->call_address};
        memcpy(record->stack + i, frame, sizeof frame);
    }
    REQUIRE_OK(brig_unwind(record, snapshot->maps, snapshot->maps_bytes, stack, NULL), NULL);
    CHECK_LT(stack->frame_count, 16);
}

TEST(report, registers_of_lies_give_no_frames)
{
    static const uint64_t values[] = {0, 1, 8, 0x7fffffffffff, 0x800000000000, UINT64_MAX - 7, UINT64_MAX};
    static struct snapshot snapshot[1];
    static struct brig_stack stack[1];
    REQUIRE(run_trapped("trapped", "qsort", snapshot));
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        test_message("value %#llx", (unsigned long long)values[i]);
        snapshot->record.registers[16] = values[i];
        REQUIRE_OK(brig_unwind(&snapshot->record, snapshot->maps, snapshot->maps_bytes, stack, NULL), NULL);
        CHECK_EQ(stack->frame_count, 1);
    }
}

// --- maps that lie ----------------------------------------------------------------------------------------------------

// One executable mapping over everything, with a file that is not what it should be.
static void check_refused(struct snapshot *snapshot, const char *what, const char *path, const struct stat *status)
{
    char maps[8192];
    static struct brig_stack stack[1];
    double start = now_ms();
    int bytes = snprintf(maps, sizeof maps, "00000000-ffffffffffffffff r-xp 00000000 %02x:%02x %llu    %s\n",
                         (unsigned)(status->st_dev >> 8 & 0xfff), (unsigned)(status->st_dev & 0xff),
                         (unsigned long long)status->st_ino, path);
    test_message("%s", what);
    CHECK_OK(brig_unwind(&snapshot->record, maps, (size_t)bytes, stack, NULL), NULL);
    CHECK_STR_EQ(stack->frames[0].symbol, "");
    CHECK_STR_EQ(stack->frames[0].build_id, "");
    CHECK_LT((int)(now_ms() - start), LIMIT_MS);
}

TEST(report, only_the_mapped_regular_file_is_opened)
{
    static struct snapshot snapshot[1];
    char directory[64];
    char path[4096];
    char name[5000];
    struct stat status = {0};
    REQUIRE(run_trapped("trapped", "qsort", snapshot));
    REQUIRE(report_directory_new(directory));
    path_beside("trapped", path);

    check_refused(snapshot, "no such file", "/no/such/file", &status);
    stat("/tmp", &status);
    check_refused(snapshot, "a directory", "/tmp", &status);
    stat("/dev/null", &status);
    check_refused(snapshot, "a device", "/dev/null", &status);
    snprintf(name, sizeof name, "%s/fifo", directory);
    CHECK_EQ(mkfifo(name, 0600), 0);
    stat(name, &status);
    check_refused(snapshot, "a FIFO", name, &status);
    snprintf(name, sizeof name, "%s/link", directory);
    CHECK_EQ(symlink(path, name), 0);
    stat(name, &status);
    check_refused(snapshot, "a symbolic link to the file", name, &status);
    stat(path, &status);
    snprintf(name, sizeof name, "%s (deleted)", path);
    check_refused(snapshot, "a deleted file", name, &status);
    status.st_ino++;
    check_refused(snapshot, "another inode", path, &status);
    stat(path, &status);
    status.st_dev ^= 1;
    check_refused(snapshot, "another device", path, &status);
    snprintf(name, sizeof name, "%s/empty", directory);
    close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    stat(name, &status);
    check_refused(snapshot, "an empty file", name, &status);
    stat("/etc/passwd", &status);
    check_refused(snapshot, "a file that is no ELF", "/etc/passwd", &status);

    report_directory_free(directory);
}

static const struct {
    const char *line;
    size_t count; // of executable mappings
    const char *path;
} map_lines[] = {
    {"1000-2000 r-xp 00000000 08:01 12                    /bin/true\n", 1, "/bin/true"},
    {"1000-2000 r-xp 00000000 08:01 12 /bin/true", 1, "/bin/true"}, // no newline
    {"1000-2000 r--p 00000000 08:01 12 /bin/true\n", 0, NULL},
    {"1000-2000 r-xp 00000000 08:01 12                    /a b  c\n", 1, "/a b  c"},
    {"1000-2000 r-xp 00000000 08:01 12                    /a\\012b\n", 1, "/a\nb"},
    {"1000-2000 r-xp 00000000 08:01 12                    /a\\01\n", 1, "/a\\01"},
    {"1000-2000 r-xp 00000000 00:00 0 \n", 1, ""},
    {"2000-1000 r-xp 00000000 08:01 12 /bin/true\n", 0, NULL},
    {"1000-1000 r-xp 00000000 08:01 12 /bin/true\n", 0, NULL},
    {"-2000 r-xp 00000000 08:01 12 /bin/true\n", 0, NULL},
    {"1000-2000 r-xp\n", 0, NULL},
    {"1000-2000 r-xp 00000000 08:01 /bin/true\n", 0, NULL},
    {"11111111111111111-2000 r-xp 00000000 08:01 12 /bin/true\n", 0, NULL},
    {"1000-2000 r-xp 00000000 108000000:01 12 /bin/true\n", 0, NULL},
    {"\n\n\n", 0, NULL},
    {"", 0, NULL},
};

TEST(report, maps_are_read_as_the_kernel_writes_them)
{
    static struct box_maps maps[1];
    char path[BOX_PATH_BYTES];
    for (size_t i = 0; i < COUNT_OF(map_lines); i++) {
        test_message("%s", map_lines[i].line);
        box_maps_read(map_lines[i].line, strlen(map_lines[i].line), maps);
        if (CHECK_EQ(maps->count, map_lines[i].count) && maps->count == 1) {
            CHECK(box_mapping_path(&maps->mappings[0], path));
            CHECK_STR_EQ(path, map_lines[i].path);
        }
    }
}

TEST(report, maps_have_limits)
{
    static struct box_maps maps[1];
    static char text[2 << 20];
    size_t used = 0;
    for (unsigned long i = 1; used + 128 < sizeof text; i++) {
        used += (size_t)sprintf(text + used, "%lx000-%lx800 r-xp 00000000 08:01 12 /bin/true\n", i, i);
    }
    box_maps_read(text, used, maps);
    CHECK_EQ(maps->count, BOX_MAPS_MAX);
    CHECK(maps->is_cut);
    CHECK(box_maps_find(maps, 0x1000) == &maps->mappings[0]);
    CHECK(box_maps_find(maps, 0x1800) == NULL);
    memset(text, 'f', sizeof text);
    box_maps_read(text, sizeof text, maps);
    CHECK_EQ(maps->count, 0);
    static const char unsorted[] = "3000-4000 r-xp 0 08:01 12 /a\n1000-2000 r-xp 0 08:01 12 /b\n3800-5000 r-xp 0 08:01 12 /c\n";
    box_maps_read(unsorted, sizeof unsorted - 1, maps);
    CHECK_EQ(maps->count, 1);
}

// --- files that lie ---------------------------------------------------------------------------------------------------

enum { PROGRAM_BYTES = 1 << 20 };

// Returns: bytes read, 0 after having failed the test.
static size_t read_program(unsigned char bytes[PROGRAM_BYTES])
{
    char path[4096];
    path_beside("trapped", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size_bytes = fd < 0 ? 0 : read_all(fd, bytes, PROGRAM_BYTES);
    CHECK_GT(size_bytes, 0);
    close(fd);
    return size_bytes;
}

static void use_file(const unsigned char *bytes, size_t size_bytes)
{
    static struct box_file file[1];
    struct box_elf elf;
    struct box_budget budget;
    struct box_elf_query query = {.vaddr = 0x1700};
    struct box_elf_table table;
    struct box_elf_entry entry;
    box_budget_start(&budget, 50);
    box_file_init(file, -1, bytes, size_bytes);
    if (box_elf_read(file, &elf)) {
        box_elf_name(file, &elf, &query, 1, &budget);
        (void)box_elf_search_table(file, &elf, &table);
        (void)box_elf_scan_frames(file, &elf, query.vaddr, &budget, &entry);
    }
}

TEST(report, files_of_lies_are_read_in_time)
{
    static unsigned char whole[PROGRAM_BYTES];
    static unsigned char bytes[PROGRAM_BYTES];
    uint64_t random = 7;
    size_t size_bytes = read_program(whole);
    if (size_bytes == 0) {
        return;
    }
    for (size_t round = 0; round < 4 * (size_t)HOSTILE_ROUNDS; round++) {
        double start = now_ms();
        size_t kept = round % 3 == 0 ? (size_t)next_random(&random) % size_bytes : size_bytes;
        test_message("round %zu", round);
        memcpy(bytes, whole, size_bytes);
        for (size_t i = 0; i < 1 + round % 64; i++) {
            // Half of the changes hit the headers, where they hurt most.
            bytes[next_random(&random) % (i % 2 == 0 ? size_bytes : 1024)] = (unsigned char)next_random(&random);
        }
        use_file(bytes, kept);
        CHECK_LT((int)(now_ms() - start), LIMIT_MS);
    }
}

// The maps of a snapshot with `program` replaced by the file at `path`.
static size_t maps_with_file(const struct snapshot *snapshot, const char *program, const char *path, char maps[65536])
{
    struct stat status;
    size_t used = 0;
    CHECK_EQ(stat(path, &status), 0);
    for (const char *line = snapshot->maps; *line != '\0';) {
        size_t line_bytes = strcspn(line, "\n") + 1;
        char place[3][64];
        bool is_program =
            line_bytes > strlen(program) && strncmp(line + line_bytes - 1 - strlen(program), program, strlen(program)) == 0;
        if (is_program && sscanf(line, "%63s %63s %63s", place[0], place[1], place[2]) == 3) {
            used += (size_t)snprintf(maps + used, 65536 - used, "%s %s %s %02x:%02x %llu %s\n", place[0], place[1], place[2],
                                     major(status.st_dev), minor(status.st_dev), (unsigned long long)status.st_ino, path);
        } else {
            memcpy(maps + used, line, line_bytes);
            used += line_bytes;
        }
        line += line_bytes;
    }
    return used;
}

// Call frame information that was made to hurt: libunwind reads it, by accessors that count.
TEST(report, call_frame_information_of_lies_ends_in_time)
{
    static struct snapshot snapshot[1];
    static struct brig_stack stack[1];
    static struct box_file file[1];
    struct box_elf elf;
    char directory[64];
    char path[128];
    static char maps[65536];
    static unsigned char whole[PROGRAM_BYTES];
    static unsigned char bytes[PROGRAM_BYTES];
    uint64_t random = 3;
    size_t size_bytes = read_program(whole);
    if (size_bytes == 0) {
        return;
    }
    REQUIRE(run_trapped("trapped", "qsort", snapshot) && report_directory_new(directory));
    box_file_init(file, -1, whole, size_bytes);
    REQUIRE(box_elf_read(file, &elf) && elf.eh_frame.size_bytes > 64);
    snprintf(path, sizeof path, "%s/trapped", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t round = 0; round < HOSTILE_ROUNDS; round++) {
        memcpy(bytes, whole, size_bytes);
        for (size_t i = 0; i <= round % 40; i++) {
            bytes[elf.eh_frame.offset + next_random(&random) % elf.eh_frame.size_bytes] = (unsigned char)next_random(&random);
        }
        CHECK_EQ(pwrite(fd, bytes, size_bytes, 0), (ssize_t)size_bytes);
        size_t maps_bytes = maps_with_file(snapshot, "/trapped", path, maps);
        double start = now_ms();
        test_message("round %zu", round);
        CHECK_OK(brig_unwind(&snapshot->record, maps, maps_bytes, stack, NULL), NULL);
        CHECK_GE(stack->frame_count, 2);
        CHECK_LT((int)(now_ms() - start), LIMIT_MS);
    }
    close(fd);
    report_directory_free(directory);
}
