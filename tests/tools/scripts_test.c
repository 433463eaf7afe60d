// Scripts of tools/ and tests/checks/: what they say goes where it belongs, and asking for help does nothing else.
#include "tests/tools/commands.h"

#define IN_DIRECTORY(line) "d=$(mktemp -d); { " line "; }; status=$?; rm -r $d; exit $status"

// In a tree where nothing can be installed or built: a script that begins to work fails.
#define WITHOUT_WORK(line) \
    IN_DIRECTORY( \
        "mkdir $d/tools; cp tools/test tools/demo tools/bench tools/soak $d/tools; ln -s /bin/false $d/tools/install; " line)

static const struct command rows[] = {
    {"tools/install --help", 0, {"tools/install --check    only say what is missing"}},
    {"tools/install --check --chekc", 2, {"tools/install: '--chekc' means nothing here; usage: tools/install [--check]"}},
    {WITHOUT_WORK(
         "(for t in test demo bench soak; do $d/tools/$t --help && $d/tools/$t -h >/dev/null || exit 9; done; ! ls $d/out)"),
     0,
     {"tools/test --quick    installs nothing", "tools/demo [IMAGE.png ...]", "tools/bench [GROUP...] compiler [DIR]",
      "tools/soak [MINUTES [SEED]]", "/out': No such file"}},
    {WITHOUT_WORK("(for t in test demo bench soak; do $d/tools/$t --nothing; test $? = 2 || exit 9; done; ! ls $d/out)"),
     0,
     {"tools/test: '--nothing' means nothing here", "tools/demo: there is no option '--nothing'",
      "tools/bench: there is no option '--nothing'", "tools/soak: '--nothing' means nothing here", "/out': No such file"}},
    {WITHOUT_WORK("$d/tools/test --quick --again"), 2, {"tools/test: '--again' means nothing here"}},
    {WITHOUT_WORK("$d/tools/demo a.png --output"), 2, {"tools/demo: there is no option '--output'"}},
    {WITHOUT_WORK("$d/tools/bench compile nothing"), 2, {"tools/bench: there is no group 'nothing'"}},
    {WITHOUT_WORK("$d/tools/bench compiler --profile"), 2, {"tools/bench: '--profile' needs something behind it"}},
    {WITHOUT_WORK("$d/tools/bench compile compiler --json - --profile=--help . --nothing"),
     2,
     {"tools/bench: there is no option '--nothing'"}},
    // The script says without a build what the program says.
    {IN_DIRECTORY(
         "tools/bench --help >$d/help; (brig_bench --help | sed 's/; see compiler --help//'; brig_bench compiler --help) | "
         "grep '^  [a-zD-]' | tee $d/lines | grep -vxFf $d/help; test $? = 1 && wc -l <$d/lines"),
     0,
     {"10\n"}},
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
    {"(for check in style doors format readme listed requests tables; do tests/checks/$check.py --nothing; test $? = 2 || exit 9; "
     "tests/checks/$check.py --help || exit 9; done)",
     0,
     {"style.py takes nothing, not '--nothing'", "format.py takes --fix, not '--nothing'", "format.py --fix    lay them out",
      "The numbers of the house style"}},
    {"tests/checks/tidy.py /no/such/directory", 2, {"there is no build directory /no/such/directory"}},
    {IN_DIRECTORY("tests/checks/names.py $d"), 1, {"has no objects of bpf_dsl: build it first"}},
};

TEST(scripts, say_what_they_do)
{
    check_commands(rows, COUNT_OF(rows));
}
