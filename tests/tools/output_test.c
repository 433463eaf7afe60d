// Files that verbs write: whole, or as they were.
#include "tests/tools/commands.h"

// Rows run in a new directory, where `old` is a file of another time.
#define IN_DIRECTORY(line) \
    "d=$(mktemp -d) && cd $d && echo kept > old && chmod 640 old && { " line "; }; status=$?; cd /; rm -r $d; exit $status"

static const struct command rows[] = {
    // What fails leaves the file alone.
    {IN_DIRECTORY("brig dump no.bpf -o old; cat old; ls"), 0, {"cannot read 'no.bpf'", "kept\nold\n"}},
    {IN_DIRECTORY(
         "{ echo '{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": ['; seq -s , -f '{\"names\": [\"ioctl\"], \"action\": "
         "\"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 1, \"value\": %.0f7, \"op\": \"SCMP_CMP_EQ\"}]}' 5000; echo ']}'; } > big.json; "
         "brig dump big.json | head -n 1; brig compile big.json --plain; brig dump big.json -o old; brig dump big.json --json -o old; cat old"),
     0,
     {"# rules\n", "the plain program of 'big.json' would", "its program would have more than the 4096 instructions", "kept\n"}},
    {IN_DIRECTORY(
         "brig compile rendrer -o old; brig asm s -o old; brig graph renderer reed -o old; brig disasm no.bpf -o old; cat old"),
     0,
     {"no policy 'rendrer'", "cannot read 's'", "no system call", "cannot read 'no.bpf'", "kept\n"}},
    {IN_DIRECTORY("brig run -o old --broker-ro /no/such/directory -- cat x; cat old"), 0, {"/no/such/directory", "kept\n"}},
    {IN_DIRECTORY("echo 'read: 1' > \"$(printf 'a\\n{0}, b').policy\"; brig compile a*.policy --format=c | head -n 2"),
     0,
     {"// policy a\\n{0}, b.policy for ", "\n// code, jt"}},
    // A disk that is full, or a limit that is reached, too.
    {IN_DIRECTORY("trap '' XFSZ; ulimit -f 8; brig dump renderer -o old; brig dump renderer -o new; cat old; ls"),
     0,
     {"cannot write all of 'old': File too large", "cannot write all of 'new': File too large", "kept\nold\n"}},
    {"brig dump renderer -o /dev/full", 2, {"cannot write all of '/dev/full': No space left on device"}},
    {IN_DIRECTORY("brig compile renderer -o no/such/x"), 2, {"cannot write 'no/such/x': No such file or directory"}},
    {IN_DIRECTORY("brig compile renderer -o ."), 2, {"cannot write '.': Is a directory"}},
    {IN_DIRECTORY("brig compile renderer -o old/x"), 2, {"cannot write 'old/x': Not a directory"}},
    {"brig optimize no.bpf -o /no/such/x; brig merge no.bpf no.bpf -o /no/such/x",
     2,
     {"brig optimize: cannot write '/no/such/x'", "brig merge: cannot write '/no/such/x'"}},
    {"brig compile renderer -o ''", 2, {"cannot write '': No such file or directory"}},
    // What works takes its place, and keeps what is not its content: mode, links, descriptors.
    {IN_DIRECTORY("brig compile renderer -o old && stat -c '%a' old && brig prove renderer ./old --from=bpf && ls"),
     0,
     {"640\n", "equal: proven", "old\n"}},
    {IN_DIRECTORY("umask 027; brig compile renderer -o new && stat -c '%a %h' new; ls"), 0, {"640 1\nnew\nold\n"}},
    {IN_DIRECTORY("ln -s old link; ln old hard; echo 'ret ALLOW' | brig asm -o link - && stat -c '%F %h' link old && cmp old hard"),
     0,
     {"symbolic link 1\nregular file 2\n"}},
    {IN_DIRECTORY("ln -s new link; echo 'ret ALLOW' | brig asm -o link - && stat -c '%F %s' link new"),
     0,
     {"symbolic link 3\nregular file 8\n"}},
    {IN_DIRECTORY("chmod 0 old; brig compile renderer -o old && stat -c '%a.' old"), 0, {"0.\n"}},
    {IN_DIRECTORY("umask 077; chmod 664 old; brig compile renderer -o old && stat -c '%a' old"), 0, {"664\n"}},
    // Another group, more than permissions, something mounted: the file is written over, and stays the one it was.
    {IN_DIRECTORY("i=; if [ $(id -u) = 0 ]; then chgrp 1 . && chmod g+s . && chgrp 0 old && i=$(stat -c '%i %g' old); fi; "
                  "brig compile renderer -o old && if [ \"$i\" ]; then [ \"$(stat -c '%i %g' old)\" = \"$i\" ]; fi && echo same"),
     0,
     {"same\n"}},
    {IN_DIRECTORY(
         "if python3 -c 'import os; os.setxattr(\"old\", \"user.a\", b\"\")'; then i=$(stat -c '%i' old); fi 2> /dev/null; "
         "brig compile renderer -o old && [ $(stat -c '%i' old) = ${i-$(stat -c '%i' old)} ] && echo same"),
     0,
     {"same\n"}},
    {IN_DIRECTORY("if unshare -rm true; then touch on; unshare -rm sh -c 'mount --bind on old && brig compile renderer -o old && "
                  "cmp on old && test -s on'; fi 2> /dev/null; ls"),
     0,
     {"old\n"}},
    // Written over, it is whole or as it was as well.
    {IN_DIRECTORY("ln old hard; trap '' XFSZ; ulimit -f 8; brig dump renderer -o old; cat old hard; stat -c '%s %h' old; ls"),
     0,
     {"cannot write all of 'old': File too large", "kept\nkept\n5 2\nhard\nold\n"}},
    {IN_DIRECTORY("ln old hard; (ulimit -f 8; brig dump renderer -o old); cat old; ls"), 0, {"kept\nhard\nold\n"}},
    {IN_DIRECTORY(
         "mkdir m; unshare -rm true 2> /dev/null || { printf 'cannot mount: No space left on device\nkept\nkept\n'; false; } && "
         "unshare -rm sh -c 'mount -t tmpfs -o size=64k none m && cd m && echo kept > old && ln old hard && "
         "{ cat /dev/zero > fill; } 2> /dev/null; brig dump renderer -o old; cat old hard'; true"),
     0,
     {": No space left on device\n", "kept\nkept\n"}},
    {IN_DIRECTORY(
         "ln old hard; seq 100000 > old; echo 'ret ALLOW' | brig asm - -o old; stat -c '%s %h' old; brig disasm ./old --from=bpf"),
     0,
     {"8 2\n", "ret "}},
    // What a program printed to the same file stays.
    {IN_DIRECTORY("brig run -o /dev/stdout -- echo printed >> old; cat old"), 0, {"kept\nprinted\n"}},
    // Who is ended by a signal leaves nothing behind.
    {IN_DIRECTORY("(ulimit -f 8; brig dump renderer -o old); cat old; ls"), 0, {"kept\nold\n"}},
    {"echo 'ret ALLOW' | brig asm - -o /dev/stdout | brig disasm -", 0, {"ret "}},
    {IN_DIRECTORY("mkfifo pipe; echo 'ret ALLOW' | brig asm - -o pipe & cat pipe | brig disasm -; wait"), 0, {"ret "}},
};

// Files that a policy includes may have any name, and JSON only some.
TEST(output, json_has_all_rows_whatever_their_file_is_called)
{
    static const struct command names[] = {
        {IN_DIRECTORY(
             "i=$(printf 'i\\377.policy'); echo 'read: arg0 == 1' > $i; echo 'write: 1' > b.policy; "
             "printf '@include ./%s\\nwrite: 1\\n' $i > a.policy; "
             "brig dump a.policy --stage rules --json | grep -c xff.policy; "
             "brig explain a.policy --json | grep -c xff.policy; "
             "brig emu a.policy read 1 --json | grep 'xff.policy'; brig diff a.policy b.policy --json | grep -c 'xff.policy'"),
         0,
         {"i\\\\xff.policy\""}},
    };
    check_commands(names, COUNT_OF(names));
}

TEST(output, is_whole_or_as_it_was)
{
    check_commands(rows, COUNT_OF(rows));
}
