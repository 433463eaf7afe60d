// Scripts of tools/ and tests/checks/: what they say goes where it belongs, and asking for help does nothing else.
#include "tests/tools/commands.h"

#define IN_DIRECTORY(line) "d=$(mktemp -d); { " line "; }; status=$?; rm -r $d; exit $status"

static const struct command rows[] = {
    {"tools/install --help", 0, {"tools/install --check    only say what is missing"}},
    {"tools/install --chekc", 2, {"usage: tools/install [--check]"}},
    {IN_DIRECTORY(
         "mkdir $d/tools; cp tools/bench $d/tools; printf '#!/bin/sh\n' > $d/tools/install; chmod +x $d/tools/install; "
         "printf '#!/bin/sh\necho ERROR at //BUILD.gn:1\nexit 1\n' > $d/gn; chmod +x $d/gn; PATH=$d:$PATH $d/tools/bench 2>&1 >/dev/null"),
     1,
     {"ERROR at //BUILD.gn:1\ntools/bench: failed: gn --root="}},
    {"tools/tables/fetch --help 2>/dev/null", 0, {"tools/tables/fetch DIRECTORY [NEWEST OLDER...]"}},
    {"tools/tables/fetch 2>&1 >/dev/null", 2, {"tools/tables/fetch DIRECTORY [NEWEST OLDER...]"}},
    {IN_DIRECTORY("tools/tables/fetch \"$d/a b\"; code=$?; ls $d; test $code = 2"), 0, {"with a space or a colon in its path: /"}},
    {IN_DIRECTORY("python=$(python3 -c 'import sys; print(sys.executable)'); PATH=$d $python tests/checks/tables.py"),
     1,
     {"clang is not installed, and reads"}},
    {"for check in tidy names headers; do tests/checks/$check.py --help || echo $check; done; ls -d -- --help",
     2,
     {"tidy.py BUILD_DIR [FILE...]", "names.py BUILD_DIR", "headers.py BUILD_DIR", "cannot access"}},
    {"tests/checks/tidy.py /no/such/directory", 2, {"there is no build directory /no/such/directory"}},
    {IN_DIRECTORY("tests/checks/names.py $d"), 1, {"has no objects of bpf_dsl: build it first"}},
};

TEST(scripts, say_what_they_do)
{
    check_commands(rows, COUNT_OF(rows));
}
