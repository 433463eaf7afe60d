// The broker beside the kernel: two trees that begin alike, one behind a broker that may do everything there, one plain. The same
// random operations on both have to give the same results, errnos, descriptors and in the end the same trees.
//
// What the list refuses (a ".." out of the tree) is not done in the plain tree either; the test fails if that happens often.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/broker/serve.h"
#include "tests/sandbox/broker_fixture.h"

enum { NAME_BYTES = 400 };

struct same {
    struct scratch scratch;
    struct box_list *list;
    uint64_t state;
    unsigned skipped;
    unsigned succeeded;
    int fds[2]; // of a directory deep in each tree
    char root[2][80];
};

static unsigned draw(struct same *same, unsigned below)
{
    same->state ^= same->state << 13;
    same->state ^= same->state >> 7;
    same->state ^= same->state << 17;
    return (unsigned)(same->state >> 33) % below;
}

// --- names ------------------------------------------------------------------------------------------------------------

static const char *const components[] = {"a", "b", "c", "d", "a", "b", "c", "..", "..", ".", "a/", "no/", ""};

static void draw_relative(struct same *same, char text[NAME_BYTES])
{
    unsigned count = 1 + draw(same, 4);
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *component = components[draw(same, COUNT_OF(components))];
        bytes += (size_t)snprintf(text + bytes, NAME_BYTES - bytes, "%s%s", component, i + 1 < count ? "/" : "");
    }
    if (draw(same, 200) == 0) {
        memset(text, 'n', 256);
        text[256] = '\0';
    }
}

// The same name for both trees: relative to the descriptor, or absolute below the tree's root.
static bool draw_names(struct same *same, char names[2][NAME_BYTES])
{
    static const char *const inside[] = {"1/2/3/4", "1/2/3/4", "1/2/3/4", "1/2/3/4/a", "1/2/3/4/b"};
    char text[NAME_BYTES];
    draw_relative(same, text);
    bool is_relative = draw(same, 3) == 0;
    unsigned where = draw(same, COUNT_OF(inside));
    for (unsigned i = 0; i < 2; i++) {
        if (is_relative && *text != '/')
            memcpy(names[i], text, sizeof text);
        else
            snprintf(names[i], NAME_BYTES, "%.79s/%s/%.256s", same->root[i], inside[where], text);
    }
    return is_relative && *text != '/';
}

// --- operations -------------------------------------------------------------------------------------------------------

static const uint8_t paths_of[BRIG_BROKER_OP_COUNT] = {
#define OP(name, answer, paths, what) [BRIG_BROKER_OP_##name] = (paths),
#include "trap/broker_ops.def"
#undef OP
};

struct operation {
    struct asking asking;
    char names[2][2][NAME_BYTES]; // [path][tree]
};

static int64_t raw(long result)
{
    return result < 0 ? -errno : result;
}

static int directory_of(const struct same *same, const struct operation *operation, unsigned path)
{
    return operation->asking.attached[path] ? same->fds[1] : AT_FDCWD;
}

// Does in the plain tree what the request asks the broker for.
static int64_t do_plainly(const struct same *same, const struct operation *operation)
{
    const struct asking *asking = &operation->asking;
    const char *first = operation->names[0][1], *second = operation->names[1][1];
    const int dir = directory_of(same, operation, 0), other = directory_of(same, operation, 1);
    const unsigned flags = asking->flags;
    switch (asking->op) {
    case BRIG_BROKER_OP_OPEN:
        return raw(syscall(SYS_openat, dir, first, flags, asking->mode));
    case BRIG_BROKER_OP_ACCESS:
        return raw(syscall(SYS_faccessat2, dir, first, asking->mode, flags));
    case BRIG_BROKER_OP_RENAME:
        return raw(syscall(SYS_renameat2, dir, first, other, second, flags));
    case BRIG_BROKER_OP_MKDIR:
        return raw(mkdirat(dir, first, asking->mode));
    case BRIG_BROKER_OP_UNLINK:
        return raw(unlinkat(dir, first, (int)flags));
    case BRIG_BROKER_OP_LINK:
        return raw(linkat(dir, first, other, second, (int)flags));
    case BRIG_BROKER_OP_SYMLINK:
        return raw(symlinkat(first, other, second));
    case BRIG_BROKER_OP_CHMOD:
        return raw(syscall(SYS_fchmodat, dir, first, asking->mode));
    case BRIG_BROKER_OP_UTIMENS:
        return raw(utimensat(dir, first, asking->data, (int)flags));
    case BRIG_BROKER_OP_TRUNCATE:
        return raw(truncate(first, (off_t)asking->number));
    default:
        return -ENOSYS;
    }
}

// What calls are made with: values that mean something, and one or two that are refused.
static const uint32_t opens[] = {O_RDONLY,
                                 O_RDWR,
                                 O_RDWR | O_CREAT,
                                 O_WRONLY | O_CREAT | O_EXCL,
                                 O_WRONLY | O_CREAT | O_TRUNC,
                                 O_RDONLY | O_DIRECTORY,
                                 O_RDONLY | O_NOFOLLOW,
                                 O_PATH,
                                 O_PATH | O_NOFOLLOW,
                                 O_PATH | O_DIRECTORY,
                                 O_RDWR | O_TMPFILE,
                                 O_RDONLY | O_CREAT | O_DIRECTORY,
                                 O_RDWR | O_CREAT | O_NOFOLLOW,
                                 O_ACCMODE,
                                 O_WRONLY | O_APPEND};
static const uint32_t modes[] = {0644, 0600, 0755, 0400, 0, 0111, 0711};
static const uint32_t links[] = {0, 0, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW};
static const uint32_t renames[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE | RENAME_NOREPLACE, 64};
static const uint32_t removals[] = {0, 0, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW};
static const uint32_t nofollows[] = {0, AT_SYMLINK_NOFOLLOW, 0x40000000};
static const uint32_t accesses[] = {F_OK, R_OK, W_OK, X_OK, R_OK | W_OK, 8};
static const int64_t times[][4] = {{1, 2, 3, 4}, {0, UTIME_NOW, 5, UTIME_OMIT}, {1, -5, 2, 3}, {0, 0, 1, 1000000000}};
static const enum brig_broker_op ops[] = {
    BRIG_BROKER_OP_OPEN,    BRIG_BROKER_OP_OPEN,     BRIG_BROKER_OP_OPEN,    BRIG_BROKER_OP_STAT,  BRIG_BROKER_OP_STAT,
    BRIG_BROKER_OP_ACCESS,  BRIG_BROKER_OP_RENAME,   BRIG_BROKER_OP_RENAME,  BRIG_BROKER_OP_MKDIR, BRIG_BROKER_OP_MKDIR,
    BRIG_BROKER_OP_UNLINK,  BRIG_BROKER_OP_LINK,     BRIG_BROKER_OP_SYMLINK, BRIG_BROKER_OP_CHMOD, BRIG_BROKER_OP_UTIMENS,
    BRIG_BROKER_OP_SYMLINK, BRIG_BROKER_OP_TRUNCATE, BRIG_BROKER_OP_READLINK};

static void choose(struct same *same, struct operation *operation)
{
    struct asking *asking = &operation->asking;
    asking->op = ops[draw(same, COUNT_OF(ops))];
    asking->mode = modes[draw(same, COUNT_OF(modes))];
#define PICK(table) table[draw(same, COUNT_OF(table))]
    switch (asking->op) {
    case BRIG_BROKER_OP_OPEN:
        asking->flags = PICK(opens);
        break;
    case BRIG_BROKER_OP_ACCESS:
        asking->mode = PICK(accesses);
        asking->flags = PICK(nofollows);
        break;
    case BRIG_BROKER_OP_STAT:
    case BRIG_BROKER_OP_UTIMENS:
        asking->flags = PICK(nofollows);
        asking->data = asking->op == BRIG_BROKER_OP_UTIMENS ? PICK(times) : NULL;
        asking->data_bytes = asking->data ? 32 : 0;
        break;
    case BRIG_BROKER_OP_RENAME:
        asking->flags = PICK(renames);
        break;
    case BRIG_BROKER_OP_UNLINK:
        asking->flags = PICK(removals);
        break;
    case BRIG_BROKER_OP_LINK:
        asking->flags = PICK(links);
        break;
    case BRIG_BROKER_OP_TRUNCATE:
        asking->number = draw(same, 3) ? draw(same, 9000) : UINT64_MAX;
        break;
    default:
        break;
    }
#undef PICK
}

static void draw_operation(struct same *same, struct operation *operation)
{
    struct asking *asking = &operation->asking;
    *operation = (struct operation){0};
    choose(same, operation);
    for (unsigned i = 0; i < paths_of[asking->op]; i++) {
        bool is_relative = draw_names(same, operation->names[i]);
        asking->paths[i] = operation->names[i][0];
        asking->attached[i] = is_relative ? same->fds[0] : 0;
    }
    // A link's text starts nowhere. A call without a directory has no descriptor.
    if (asking->op == BRIG_BROKER_OP_SYMLINK)
        asking->attached[0] = 0;
    if (asking->op == BRIG_BROKER_OP_TRUNCATE && asking->attached[0]) {
        asking->attached[0] = 0;
        for (unsigned i = 0; i < 2; i++)
            snprintf(operation->names[0][i], NAME_BYTES, "%.79s/1/2/3/4/a", same->root[i]);
    }
}

// --- comparing --------------------------------------------------------------------------------------------------------

// Everything that has to be alike in both trees: no inode numbers, no times of now.
static bool check_status(const struct stat *left, const struct stat *right)
{
    return CHECK_EQ(left->st_mode, right->st_mode) && CHECK_EQ(left->st_nlink, right->st_nlink) &&
           CHECK_EQ(left->st_size, right->st_size) && CHECK_EQ(left->st_uid, right->st_uid);
}

static bool check_descriptors(int left, int right)
{
    struct stat statuses[2];
    return CHECK_EQ(fstat(left, &statuses[0]), 0) && CHECK_EQ(fstat(right, &statuses[1]), 0) &&
           check_status(&statuses[0], &statuses[1]) && CHECK_EQ(fcntl(left, F_GETFL), fcntl(right, F_GETFL));
}

static bool check_statx(const struct answer *answer, int64_t expected, const struct stat *plain)
{
    struct statx status;
    if (!CHECK_EQ(answer->result, expected) || expected != 0)
        return answer->result == expected;
    memcpy(&status, answer->answer, sizeof status);
    return CHECK_EQ(status.stx_mode, plain->st_mode) && CHECK_EQ(status.stx_nlink, plain->st_nlink) &&
           CHECK_EQ(status.stx_size, plain->st_size);
}

// The roots differ in one character, so absolute links are alike but for that.
static bool check_link(const struct same *same, const struct answer *answer, int64_t expected, char *plain)
{
    size_t root = strlen(same->root[1]);
    if (!CHECK_EQ(answer->result, expected) || expected < 0)
        return answer->result == expected;
    if ((size_t)expected >= root && memcmp(plain, same->root[1], root) == 0)
        memcpy(plain, same->root[0], root);
    return CHECK_BYTES_EQ(answer->answer, plain, (size_t)expected);
}

static bool check_plainly(struct same *same, const struct operation *operation, const struct answer *answer)
{
    const int dir = directory_of(same, operation, 0);
    const char *name = operation->names[0][1];
    char text[BRIG_BROKER_ANSWER_BYTES];
    struct stat status;
    if (operation->asking.op == BRIG_BROKER_OP_STAT)
        return check_statx(answer, raw(fstatat(dir, name, &status, (int)operation->asking.flags)), &status);
    if (operation->asking.op == BRIG_BROKER_OP_READLINK)
        return check_link(same, answer, raw(readlinkat(dir, name, text, sizeof text)), text);
    int64_t expected = do_plainly(same, operation);
    if (operation->asking.op != BRIG_BROKER_OP_OPEN || expected < 0)
        return CHECK_EQ(answer->result, expected);
    bool is_same = CHECK_EQ(answer->result, 0) && check_descriptors(answer->descriptor, (int)expected);
    close((int)expected);
    return is_same;
}

// The directory of the entry itself is like a mount point, which a plain tree's root is not.
static bool is_of_the_root(const struct answer *answer, const struct operation *operation)
{
    const char *last = strrchr(operation->names[0][0], '/');
    return answer->result == -EBUSY && last && strcmp(last, "/.") != 0;
}

// A descriptor of a directory is a name to the broker, which somebody who is not root may not reach any more.
static bool is_out_of_reach(const struct answer *answer, const struct operation *operation)
{
    return answer->result == -EACCES && (operation->asking.attached[0] || operation->asking.attached[1]);
}

static bool run_one(struct same *same, unsigned number)
{
    struct operation operation;
    draw_operation(same, &operation);
    struct answer answer = broker_ask(same->list, &operation.asking);
    test_message("operation %u: op %u flags %#x mode %#o \"%s\" \"%s\"%s", number, operation.asking.op, operation.asking.flags,
                 operation.asking.mode, operation.names[0][0], operation.names[1][0], operation.asking.attached[0] ? " at" : "");
    bool is_same = true;
    if (answer.verdict != BRIG_BROKER_DONE || is_of_the_root(&answer, &operation) || is_out_of_reach(&answer, &operation))
        same->skipped++;
    else
        is_same = check_plainly(same, &operation, &answer);
    same->succeeded += answer.result >= 0;
    if (answer.descriptor >= 0)
        close(answer.descriptor);
    return is_same;
}

// --- the end ----------------------------------------------------------------------------------------------------------

static bool check_trees(const struct same *same, const char *left, const char *right);

static bool check_entries(const struct same *same, const char *left, const char *right, const char *name)
{
    char paths[2][1024], texts[2][BRIG_BROKER_PATH_BYTES] = {"", ""};
    struct stat statuses[2];
    snprintf(paths[0], sizeof paths[0], "%s/%s", left, name);
    snprintf(paths[1], sizeof paths[1], "%s/%s", right, name);
    test_message("%s", paths[0]);
    if (!CHECK_EQ(lstat(paths[0], &statuses[0]), 0) || !CHECK_EQ(lstat(paths[1], &statuses[1]), 0) ||
        !check_status(&statuses[0], &statuses[1]))
        return false;
    if (S_ISDIR(statuses[0].st_mode))
        return check_trees(same, paths[0], paths[1]);
    if (!S_ISLNK(statuses[0].st_mode))
        return true;
    for (unsigned i = 0; i < 2; i++)
        CHECK(readlink(paths[i], texts[i], sizeof texts[i] - 1) >= 0);
    size_t root = strlen(same->root[1]);
    if (memcmp(texts[1], same->root[1], root) == 0)
        memcpy(texts[1], same->root[0], root);
    return CHECK_STR_EQ(texts[0], texts[1]);
}

static bool check_trees(const struct same *same, const char *left, const char *right)
{
    DIR *directory = opendir(left);
    bool is_same = true;
    if (!directory)
        return errno == EACCES; // by its mode, for those who are not root
    for (struct dirent *entry = readdir(directory); entry && is_same; entry = readdir(directory)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            is_same = check_entries(same, left, right, entry->d_name);
    }
    closedir(directory);
    return is_same;
}

// The scratch directory may have become unreadable to us: give everything back before it is removed.
static void restore_modes(const struct scratch *scratch)
{
    char command[160];
    snprintf(command, sizeof command, "chmod -R u+rwx %s", scratch->path);
    CHECK_EQ(system(command), 0);
}

static bool begin(struct same *same, uint64_t seed)
{
    static const char *const directories[] = {"s", "s/1", "s/1/2", "s/1/2/3", "s/1/2/3/4",
                                              "k", "k/1", "k/1/2", "k/1/2/3", "k/1/2/3/4"};
    *same = (struct same){.state = seed};
    if (!scratch_make(&same->scratch))
        return false;
    for (unsigned i = 0; i < COUNT_OF(directories); i++) {
        if (!scratch_directory(&same->scratch, directories[i]))
            return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        snprintf(same->root[i], sizeof same->root[i], "%s/%c", same->scratch.path, "sk"[i]);
        same->fds[i] = open(scratch_path(&same->scratch, i ? "k/1/2/3/4" : "s/1/2/3/4"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    const struct brig_broker_entry entry = {.path = same->root[0], .rights = ALL_RIGHTS};
    const struct brig_broker_list list = {.entries = &entry, .entry_count = 1};
    struct brig_error error;
    return CHECK_OK(box_list_new(&list, &same->list, &error), &error);
}

// A directory that cannot be searched ends what can be seen of the rest.
static void open_up(const struct same *same)
{
    static const char *const directories[] = {"1", "1/2", "1/2/3", "1/2/3/4", "1/2/3/4/a", "1/2/3/4/b"};
    char path[120];
    for (unsigned i = 0; i < 2 * COUNT_OF(directories); i++) {
        snprintf(path, sizeof path, "%s/%s", same->root[i % 2], directories[i / 2]);
        // Not through links: they may lead into the other tree's part that this one lacks.
        int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        chmod(box_fd_name(fd).text, 0755);
        close(fd);
    }
}

static void run(uint64_t seed, unsigned count)
{
    struct same same;
    bool is_same = begin(&same, seed);
    for (unsigned i = 0; i < count && is_same; i++) {
        is_same = run_one(&same, i);
        if (i % 32 == 0)
            open_up(&same);
    }
    test_message("seed %#llx", (unsigned long long)seed);
    if (is_same)
        check_trees(&same, same.root[0], same.root[1]);
    CHECK_LT(same.skipped, count / 5);
    CHECK_GT(same.succeeded, count / 20);
    close(same.fds[0]);
    close(same.fds[1]);
    box_list_free(same.list);
    restore_modes(&same.scratch);
    scratch_remove(&same.scratch);
}

TEST(broker, what_it_does_is_what_the_kernel_does)
{
    static const uint64_t seeds[] = {0x9e3779b97f4a7c15, 0xd1b54a32d192ed03, 0x2545f4914f6cdd1d};
    for (unsigned i = 0; i < COUNT_OF(seeds); i++)
        run(seeds[i], 8000);
}

// Root is asked for no permissions: the same as somebody who is.
SANDBOX_TEST(broker, what_it_does_for_others_is_what_the_kernel_does, .expect_exit = 0, .timeout_ms = 60000)
{
    if (getuid() == 0)
        REQUIRE(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    run(0x853c49e6748fea9b, 12000);
}
