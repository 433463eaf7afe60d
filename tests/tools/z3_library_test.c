// Z3's library is loaded by the verbs that ask it, and by no other: they do without one that is broken, the others say what is
// wrong.
#include <stdlib.h>
#include <unistd.h>

#include "tests/shim/test.h"
#include "tests/tools/commands.h"

// What the dynamic linker finds instead of the library, which is in none of the places where it looks before it.
#define INSTEAD "cd $TMPDIR && export LD_LIBRARY_PATH=$TMPDIR && "

static const struct command rows[] = {
    // A file that is no library.
    {": > $TMPDIR/libz3.so.4", 0, {NULL}},
    {INSTEAD "brig prove renderer",
     4,
     {"brig prove: Z3 cannot be loaded: /tmp/brig-z3-", "/libz3.so.4: file too short (it is in Debian's package libz3-4)\n"}},
    {INSTEAD "brig prove renderer --json", 4, {"\"answer\": \"unable\"", "\"why\": \"Z3 cannot be loaded: ", "\"queries\": 0"}},
    {INSTEAD "brig diff renderer network", 4, {"brig diff: Z3 cannot be loaded: ", "libz3.so.4: file too short"}},
    // What the library's own check has shown is written; what only Z3 could show is not.
    {INSTEAD "brig optimize renderer --stats",
     0,
     {"brig optimize: note: equal by the library's check alone; Z3 cannot be loaded: ",
      "equal by the library's check, Z3 could not be asked; made in "}},
    {INSTEAD "brig merge --target=executed renderer network --json",
     0,
     {"brig merge: note: ", "\"proof\": \"equal by the library's"}},
    {INSTEAD
     "for i in 1 2; do printf \"ld [16]\\n tax\\n ld [24]\\n div x\\n jeq $i, a\\n ret ALLOW\\na: ret KILL_PROCESS\\n\" | brig asm - > $i.bpf; done && "
     "{ brig merge 1.bpf 2.bpf -o merged.bpf; status=$?; rm 1.bpf 2.bpf; ! test -e merged.bpf && exit $status; }",
     4,
     {"brig merge: the merged program could not be proven equal: Z3 cannot be loaded: "}},
    // Who does not ask does not notice.
    {INSTEAD "for verb in compile dump disasm graph explain; do brig $verb renderer || exit 9; done > /dev/null", 0, {""}},
    {INSTEAD "brig emu renderer getpid && brig --help && brig completion bash && brig doctor || test $? = 4", 0, {"ALLOW"}},
    {INSTEAD "brig run --unveil=/:rx -- /bin/echo it runs", 0, {"it runs\n"}},
    {INSTEAD "brig report .", 0, {""}},
    // A library that is another.
    {"ln -sf $(ldd $(command -v brig) | awk '/libjansson/ { print $3 }') $TMPDIR/libz3.so.4", 0, {NULL}},
    {INSTEAD "brig prove renderer", 4, {"brig prove: Z3 cannot be loaded: /", "libjansson.so.4: undefined symbol: Z3_"}},
    {"rm $TMPDIR/libz3.so.4", 0, {NULL}},
};

// Threads would get stacks as big as that, so there are none, and Z3 ends its process.
#define WITHOUT_THREADS "ulimit -s 200000000000 && "

TEST(z3_library, ends_no_verb_where_it_ends)
{
    static const struct command without[] = {
        {WITHOUT_THREADS "brig prove renderer",
         3,
         {"undecided: Z3 ended before it had an answer: it may want for memory, or for a thread"}},
        {WITHOUT_THREADS "brig diff renderer network", 3, {"undecided, and so not complete: Z3 ended before it had an answer"}},
        {WITHOUT_THREADS
         "printf 'ld [16]\\n jset 3, a\\n ret ALLOW\\na: ld [16]\\n jeq 1, b\\n ret ALLOW\\nb: ret KILL_PROCESS\\n' | brig asm - | brig optimize - --stats",
         0,
         {"equal by the library's check, Z3 did not finish"}},
    };
    check_commands(without, COUNT_OF(without));
}

TEST(z3_library, is_loaded_by_those_who_ask)
{
    char folder[] = "/tmp/brig-z3-XXXXXX";
    REQUIRE(mkdtemp(folder) != NULL);
    setenv("TMPDIR", folder, 1);
    check_commands(rows, COUNT_OF(rows));
    unsetenv("TMPDIR");
    CHECK_EQ(rmdir(folder), 0);
}
