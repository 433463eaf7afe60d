// brig run as people meet it: programs of the machine, as they stand, in a room with a list, and what they cannot reach from there.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tools/commands.h"

// ROOM has ro/hello, ro/out (a link to /etc/passwd), ro/inside (a link to hello), secret/key, and rw.
static const char make_room[] =
    "cd \"$ROOM\" && mkdir ro rw secret && echo hello there > ro/hello && echo key > secret/key && ln -s /etc/passwd ro/out && "
    "ln -s hello ro/inside && ln -s ../secret ro/up";

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *level)
{
    (void)status, (void)kind, (void)level;
    return remove(path);
}

static void check_in_room(const struct command *rows, size_t row_count)
{
    static struct command_outcome outcome;
    char room[] = "/tmp/brig-run-XXXXXX";
    REQUIRE(mkdtemp(room) != NULL);
    setenv("ROOM", room, 1);
    setenv("PY", "/usr/bin/python3", 1);
    CHECK(command_run(make_room, &outcome));
    CHECK_EQ(outcome.exit_status, 0);
    check_commands(rows, row_count);
    nftw(room, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TEST(run, cat_reads_what_the_list_has_and_nothing_else)
{
    static const struct command rows[] = {
        {"brig run --broker-ro \"$ROOM/ro\" -- cat \"$ROOM/ro/hello\" \"$ROOM/ro/inside\"", 0, {"hello there\nhello there\n"}},
        {"cd \"$ROOM\" && brig run --broker-ro . -- cat ro/hello ./ro/../secret/key", 0, {"hello there\nkey\n"}},
        {"cd \"$ROOM/ro\" && brig run --broker-ro . -- cat < ../secret/key", 0, {"key\n"}},
        {"brig run -- cat \"$ROOM/ro/hello\"",
         1,
         {"Permission denied", "brig: denied openat(\"/tmp/brig-run-", "try: --broker-ro /tmp/"}},
        {"cd \"$ROOM\" && brig run --broker-ro ro -- cat ro/../../../../../../etc/shadow ro/out ro/up/key ro/../secret/key "
         "/proc/self/root/etc/passwd /proc/1/environ /proc/self/environ /proc/self/cwd/ro/hello 2>&1 | grep -c 'Permission denied'",
         0,
         {"8\n"}},
        {"cd \"$ROOM\" && brig run --unveil .:r --unveil secret: -- cat ro/hello secret/key",
         1,
         {"hello there", "secret/key: Permission"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, nobody_is_given_what_is_of_its_own_in_proc)
{
    static const struct command rows[] = {
        {"brig run -- cat /proc/mounts 2>&1 | grep try:", 1, {NULL}},
        {"brig run --broker-ro /proc/mounts -- true", 125, {"'/proc/mounts': nobody can be given that"}},
        {"cd /dev && brig run --broker-ro fd -- true", 125, {"'fd': nobody can be given that"}},
        {"brig run --broker-ro /proc/self/maps -- true", 125, {"nobody can be given that"}},
        {"brig run --broker-ro /proc/uptime -- cat /proc/uptime", 0, {NULL}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, a_link_is_given_with_all_that_it_leads_over)
{
    static const struct command rows[] = {
        {"cd \"$ROOM\" && ln -s \"$ROOM/secret/key\" rw/3 && ln -s ../rw/3 ro/2 && ln -s 2 ro/1 && ln -s ro/1 0", 0, {NULL}},
        {"brig run -- cat \"$ROOM/0\"", 1, {"try: --broker-ro /tmp/brig-run-"}},
        {"brig run --broker-ro \"$ROOM/0\" -- cat \"$ROOM/0\" \"$ROOM/ro/1\" \"$ROOM/rw/3\"", 0, {"key\nkey\nkey\n"}},
        {"cd \"$ROOM/ro\" && brig run --broker-ro 1 -- cat 1", 0, {"key\n"}},
        {"cd \"$ROOM/ro\" && brig run --broker-ro ../0 -- cat ../0 ../rw/3", 0, {"key\nkey\n"}},
        {"cd \"$ROOM\" && brig run --broker-ro 0 -- cat ro/hello", 1, {"Permission denied"}},
        {"cd \"$ROOM\" && brig run --broker-rw 0 -- rm -f ro/1 rw/3", 1, {"'ro/1': Permission", "'rw/3': Permission"}},
        {"cd \"$ROOM\" && ln -s ../secret/ rw/up && brig run --broker-ro ro/up/ --broker-ro rw/up/ -- cat rw/up/key ro/up/key",
         0,
         {"key\nkey\n"}},
        {"cd \"$ROOM\" && ln -s loop loop && brig run --broker-ro loop -- true", 125, {"loop"}},
        {"cd \"$ROOM\" && brig run --broker-rw 0 -- sh -c 'echo new > 0' && cat secret/key", 0, {"new\n"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, other_programs_of_the_machine_work)
{
    static const struct command rows[] = {
        {"brig run -- /sbin/ldconfig -p", 0, {"libc.so.6"}}, // static
        {"brig run -- readlink /proc/self/exe && brig run -- readlink /proc/self/exe 2>&1 | grep -c denied", 1, {"/readlink\n0\n"}},
        {"brig run -- $PY -c 'import os; print(len(os.readlink(\"/proc/self/exe\")), os.fork() and os.wait() and 1); "
         "print(os.readlink(\"/proc/self/exe\")[:8])'",
         0,
         {"/usr/bin\n"}},
        {"brig run -- $PY -c 'import ctypes; b = ctypes.create_string_buffer(8); "
         "print(ctypes.CDLL(None).readlink(b\"/proc/self/exe\", b, 4), b.value)'",
         0,
         {"4 b'/usr'\n"}},
        {"brig run --broker-ro \"$ROOM/ro\" -- ls \"$ROOM/ro\"", 0, {"hello\ninside\nout\nup\n"}},
        {"brig run --broker-ro \"$ROOM/ro\" -- grep -r here \"$ROOM/ro/hello\"", 0, {"hello there"}},
        {"brig run --broker-ro \"$ROOM/ro\" --broker-rw \"$ROOM/rw\" -- cp \"$ROOM/ro/hello\" \"$ROOM/rw/copy\" && cat \"$ROOM/rw/copy\"",
         0,
         {"hello there\n"}},
        {"brig run --broker-ro \"$ROOM/ro\" -- rm -f \"$ROOM/ro/hello\"", 1, {"Permission denied", "try: --broker-rw"}},
        {"echo one | brig run -- sort", 0, {"one\n"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, python_reads_writes_lists_and_forks)
{
    static const struct command rows[] = {
        {"cd \"$ROOM\" && brig run --broker-ro ro --broker-rw rw -- $PY -c '\n"
         "import os, threading\n"
         "open(\"rw/a\", \"w\").write(open(\"ro/hello\").read() * 2)\n"
         "os.rename(\"rw/a\", \"rw/b\"); os.mkdir(\"rw/d\")\n"
         "print(sorted(os.listdir(\"rw\")), os.stat(\"rw/b\").st_size, os.path.realpath(\"ro/inside\")[-8:])\n"
         "os.chdir(\"rw\"); print(os.path.exists(\"b\"), os.getcwd()[-3:])\n"
         "t = [threading.Thread(target=lambda: [open(\"b\").read() for i in range(50)]) for j in range(8)]\n"
         "[x.start() for x in t]; [x.join() for x in t]\n"
         "p = os.fork()\n"
         "if p == 0: open(\"child\", \"w\").write(\"c\"); os._exit(7)\n"
         "print(os.waitpid(p, 0)[1] >> 8, open(\"child\").read())'",
         0,
         {"['b', 'd'] 24 ro/hello\nTrue /rw\n7 c\n"}},
        {"cd \"$ROOM\" && brig run --broker-ro ro -- $PY -c '\n"
         "import os\n"
         "for f in (\"secret/key\", \"/etc/shadow\", \"ro/../../../etc/passwd\", \"ro/out\"):\n"
         "    try: open(f); print(\"OPENED\", f)\n"
         "    except PermissionError: print(\"refused\")\n"
         "for call in (lambda: open(\"ro/new\", \"w\"), lambda: os.unlink(\"ro/hello\"), lambda: os.listdir(\"secret\"),\n"
         "             lambda: os.execv(\"/bin/true\", [\"true\"]), lambda: os.chmod(\"ro/hello\", 0o777)):\n"
         "    try: call(); print(\"DONE\")\n"
         "    except PermissionError: print(\"refused\")' 2>/dev/null | sort | uniq -c",
         0,
         {" 9 refused\n"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, sqlite_has_a_database)
{
    static const struct command rows[] = {
        {"cd \"$ROOM\" && brig run --broker-rw rw -- sqlite3 rw/app.db 'create table t(a); insert into t values (40), (2); select sum(a) from t;'",
         0,
         {"42\n"}},
        {"cd \"$ROOM\" && brig run --broker-ro rw -- sqlite3 rw/app.db 'select max(a) from t;'", 0, {"40\n"}},
        {"cd \"$ROOM\" && brig run --broker-ro rw -- sqlite3 rw/app.db 'insert into t values (1);'", 8, {"readonly"}},
        {"cd \"$ROOM\" && brig run -- sqlite3 rw/app.db 'select 1 from t;'", 1, {"unable to open database"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, curl_reaches_the_address_of_the_list)
{
    static const struct command rows[] = {
        {"cd \"$ROOM/ro\" && { $PY -c 'import http.server as h, os\n"
         "s = h.HTTPServer((\"127.0.0.1\", 0), h.SimpleHTTPRequestHandler); s.timeout = 20\n"
         "open(\"../new\", \"w\").write(str(s.server_port)); os.rename(\"../new\", \"../port\"); s.handle_request()' >/dev/null 2>&1 & } &&"
         " for i in $(seq 100); do [ -e ../port ] && break; sleep 0.1; done && "
         "brig run --connect 127.0.0.1:$(cat ../port) -- curl -sS http://127.0.0.1:$(cat ../port)/hello && wait",
         0,
         {"hello there\n"}},
        {"brig run --connect 127.0.0.1:81 -- curl -sS http://127.0.0.1:80/",
         7,
         {"denied connect(\"127.0.0.1:80\")", "try: --connect 127.0.0.1:80\n"}},
        {"brig run -- $PY -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)'", 1, {"not supported"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

// /etc/hosts is hidden from them, so that they cannot know the answer by themselves.
TEST(run, programs_that_ask_glibc_get_the_names_of_hosts)
{
    static const struct command rows[] = {
        {"brig run --resolve --unveil /etc/hosts: -- getent ahosts localhost | sort -u | head -1", 0, {"127.0.0.1"}},
        {"brig run --resolve --unveil /etc/hosts: -- getent hosts 127.0.0.1", 0, {"127.0.0.1"}},
        {"cd / && brig run --resolve --unveil /etc/hosts: -- $PY -c 'import socket as s\n"
         "print((s.AF_INET, s.SOCK_STREAM, 6, \"\", (\"127.0.0.1\", 80)) in s.getaddrinfo(\"localhost\", \"http\"))\n"
         "print(s.gethostbyname(\"localhost\"), s.getfqdn(\"127.0.0.1\") != \"127.0.0.1\")'",
         0,
         {"True\n127.0.0.1 True\n"}},
        {"printf '%s\\n' '#include <netdb.h>' 'struct addrinfo *a; int main(void) { return getaddrinfo(\"localhost\", 0, 0, &a); }' | "
         "cc -static -w -x c - -o \"$ROOM/static\" 2>/dev/null && brig run --resolve --unveil /etc/hosts: -- \"$ROOM/static\"",
         0,
         {NULL}},
        {"cd / && brig run --resolve -- $PY -c 'import concurrent.futures as c, socket as s\n"
         "print(len(list(c.ThreadPoolExecutor(16).map(lambda i: s.getaddrinfo(\"localhost\", i), range(1, 201)))))'",
         0,
         {"200\n"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, names_are_looked_up_and_connections_still_have_to_be_listed)
{
    static const struct command rows[] = {
        {"cd \"$ROOM/ro\" && { $PY -c 'import http.server as h, os\n"
         "s = h.HTTPServer((\"127.0.0.1\", 0), h.SimpleHTTPRequestHandler); s.timeout = 20\n"
         "open(\"../new\", \"w\").write(str(s.server_port)); os.rename(\"../new\", \"../port\"); s.handle_request(), s.handle_request()'"
         " >/dev/null 2>&1 & } && for i in $(seq 100); do [ -e ../port ] && break; sleep 0.1; done && P=$(cat ../port) && "
         "brig run --resolve --connect 127.0.0.1:$P -- curl -sS http://localhost:$P/hello && "
         "brig run --resolve --connect 127.0.0.1:$P -- $PY -c 'import sys, urllib.request as u\n"
         "print(u.urlopen(\"http://localhost:%s/hello\" % sys.argv[1]).read())' $P && wait",
         0,
         {"hello there\n", "b'hello there\\n'\n"}},
        {"brig run --resolve -- curl -sS http://localhost:80/",
         7,
         {"denied connect(\"127.0.0.1:80\")", "try: --connect 127.0.0.1:80\n"}},
        {"brig run -- getent ahosts localhost", 2, {"denied connect(\"unix:/var/run/nscd/socket\")", "try: --resolve\n"}},
        {"brig run --json -- getent ahosts localhost", 2, {"\"option\": \"--resolve\"", "\"unix:/var/run/nscd/socket\""}},
        {"brig run --resolve -- $PY -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)'", 1, {"not supported"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, exit_statuses_are_those_of_shells)
{
    static const struct command rows[] = {
        {"brig run -- sh -c 'exit 3'", 3, {NULL}},
        {"brig run -- sh -c 'kill -9 $$'", 137, {NULL}},
        {"timeout --preserve-status -s TERM 1 brig run -- sleep 30", 143, {NULL}},
        {"brig run -- no-such-program", 127, {"no program 'no-such-program' in PATH"}},
        {"brig run -- /etc/passwd", 126, {"Permission denied"}},
        {"brig run -- /no/such/program", 127, {"cannot run '/no/such/program': No such file"}},
        {"brig run -- /etc", 126, {"cannot run '/etc': it is a directory"}},
        {"cd \"$ROOM/rw\" && echo rubbish > rubbish && chmod +x rubbish && brig run -- ./rubbish",
         126,
         {"'./rubbish': Exec format error"}},
        {"cd \"$ROOM/rw\" && printf '#! /no/such/sh -x\\n' > script && chmod +x script && brig run -- ./script",
         127,
         {"cannot run './script', a script of '/no/such/sh': No such file"}},
        {"cd \"$ROOM/rw\" && printf '#!/bin/sh\\necho $1; exit 9\\n' > script && chmod +x script && brig run -- ./script argument",
         9,
         {"argument\n"}},
        {"brig run -- sh -c 'kill -SEGV $$'", 139, {NULL}},
        {"timeout -s USR1 1 brig run -- $PY -c 'import signal; signal.signal(signal.SIGUSR1, lambda *a: exit(6)); print(1, flush=True)\n"
         "signal.pause()'",
         124,
         {"1\n"}},
        {"brig run cat", 125, {"behind --"}},
        {"brig run --broker-ro /nowhere -- true", 125, {"/nowhere"}},
        {"brig run --connect nonsense -- true", 125, {"--connect=nonsense is no address; it is IP:PORT"}},
        {"brig run --connect unix:/no/such/socket -- true", 125, {"--connect=unix:/no/such/socket: No such file or directory"}},
        {"brig run --report-dir /etc/passwd -- true", 125, {"'/etc/passwd' is there, and is no directory"}},
        {"brig run --unveil \"$ROOM\" -- true", 125, {"PATH:PERMISSIONS"}},
        {"brig run --unveil \"$ROOM:rz\" -- true", 125, {"'rz' has other letters than r, w, x and c"}},
        {"brig run --broker-ro /proc/self/status -- true", 125, {"'/proc/self/status': nobody can be given that"}},
        {"brig run -o /no/such/directory/x -- touch \"$ROOM/rw/ran\"; brig run -o /dev/full -- cat nothing 2>/dev/null",
         125,
         {"cannot write '/no/such/directory/x'"}},
        {"test ! -e \"$ROOM/rw/ran\"", 0, {NULL}},
        {"brig run --policy rendere -- true", 125, {"renderer"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

// A program in a run starts no other, and env is one.
TEST(run, scripts_of_env_are_given_to_their_interpreters)
{
    static const struct command rows[] = {
        {"cd \"$ROOM/rw\" && printf '#!/usr/bin/env sh\\necho \"$0\" $#; exit 9\\n' > script && chmod +x script && brig run -- ./script 'a b' c",
         9,
         {"./script 2\n"}},
        {"cd \"$ROOM/rw\" && printf '#!/usr/bin/env script\\n' > twice && chmod +x twice && PATH=.:$PATH brig run -- twice x",
         9,
         {"./script 2\n"}},
        {"cd \"$ROOM/rw\" && printf '#!/usr/bin/env no-such-sh\\n' > script && brig run -- ./script",
         127,
         {"there is no program 'no-such-sh' in PATH, which it is a script of"}},
        {"cd \"$ROOM/rw\" && printf '#!/usr/bin/env -S sh -x\\n' > script && brig run -- ./script",
         126,
         {"because no other program"}},
        {"cd \"$ROOM/rw\" && printf '#!/usr/bin/env round\\n' > round && chmod +x round && PATH=.:$PATH brig run -- round",
         126,
         {NULL}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

// What a terminal's shell does with ^Z and fg.
TEST(run, a_stopped_run_has_a_stopped_program)
{
    static const struct command rows[] = {
        {"brig run -- $PY -c 'import time\nwhile 1: print(end=\".\", flush=True); time.sleep(0.05)' > \"$ROOM/rw/ticks\" 2>/dev/null & "
         "run=$!; size() { wc -c < \"$ROOM/rw/ticks\"; }; until [ $(size) -gt 0 ]; do sleep 0.05; done; kill -TSTP $run; "
         "until grep -q '^State:.T' /proc/$run/status; do sleep 0.05; done; sleep 0.2; "
         "before=$(size); sleep 0.4; test $before = $(size) && echo stands; kill -CONT $run; "
         "for i in $(seq 100); do [ $(size) -gt $before ] && break; sleep 0.05; done; test $(size) -gt $before && echo goes on; "
         "kill $run; wait $run",
         143,
         {"stands\ngoes on\n"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, a_violation_is_reported_and_what_was_denied_is_json)
{
    static const struct command rows[] = {
        {"cd \"$ROOM\" && brig run --report-dir reports -- $PY -c 'import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)'",
         159,
         {"ptrace", "try: brig report reports/2"}},
        {"cd \"$ROOM\" && brig report reports/*.json.gz",
         0,
         {"ptrace", "program", "run here on the claimed call, gives the same row"}},
        {"cd \"$ROOM\" && brig run --mode errno --report-dir $(printf '%0120d' 0) -- $PY -c 'import ctypes; "
         "ctypes.CDLL(None).ptrace(0, 0, 0, 0)'",
         0,
         {"try: brig report 2"}},
        {"cd \"$ROOM\" && cat reports/run-*.json", 0, {"\"schema\": \"brig-run-1\"", "\"exit_status\": 159", "\"violations\": 1"}},
        {"cd \"$ROOM\" && brig run --json --report-dir twice -- cat secret/key && false",
         1,
         {"\"path\": \"secret/key\"", "\"errno\": \"EACCES\"", "\"option\": \"--broker-ro secret/key\"", "\"call\": \"openat\""}},
        {"cd \"$ROOM\" && $PY -c 'import json, glob; print(json.load(open(glob.glob(\"twice/*.json\")[0]))[\"schema\"])'",
         0,
         {"brig-run-1"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

// What a run says at the end, taken at its word.
TEST(run, what_was_denied_names_the_option_that_helps)
{
    static const struct command rows[] = {
        {"cd \"$ROOM\" && mkdir 'a b' && echo spaced > 'a b/it' && brig run --json -o out.json -- cat ro/hello 'a b/it' missing; cd /; "
         "cd \"$ROOM\" && brig run $($PY -c 'import json; print(\" \".join(d[\"option\"] for d in json.load(open(\"out.json\"))[\"denied\"] "
         "if \" b\" not in d[\"path\"]))') --broker-ro 'a b/it' -- cat ro/hello 'a b/it' missing",
         1,
         {"hello there\nspaced\n", "missing: No such file"}},
        {"cd \"$ROOM\" && brig run -- cat 'a b/it' \"it's\"",
         1,
         {"denied openat(\"a b/it\") EACCES, 1 time; try: --broker-ro 'a b/it'\n",
          "(\"it's\") EACCES, 1 time, and it does not exist\n"}},
        {"cd \"$ROOM\" && brig run -- $PY -c 'open(\"'$ROOM'/rw/new\", \"w\")'",
         1,
         {"/rw/new\") EACCES, 1 time, and it does not exist; try: --unveil /tmp/brig-run-"}},
        {"brig run --unveil \"$ROOM/rw/new:rwc\" --unveil \"$ROOM/rw/no/such:r\" -- $PY -c 'open(\"'$ROOM'/rw/new\", \"w\")\n"
         "try: open(\"'$ROOM'/rw/no/such\")\nexcept FileNotFoundError: print(\"missing\")'; test -e \"$ROOM/rw/new\"",
         0,
         {"missing\n"}},
        {"brig run -- cat /proc/self/status", 1, {"no option allows that"}},
        {"mkdir -p \"$(printf \"$ROOM/b\\377\")\" && cd \"$(printf \"$ROOM/b\\377\")\" && cp /bin/cat \"$(printf 'c\\377')\" && "
         "brig run --json -o - -- \"$(printf './c\\377')\" nothing 2>/dev/null | $PY -c 'import json, sys; run = json.load(sys.stdin)\n"
         "print(run[\"command\"], run[\"denied\"][-1][\"path\"], run[\"denied\"][-1][\"option\"])'",
         0,
         {"./c\\xff nothing None\n"}},
        // Many names are one line.
        {"brig run -- sh -c 'ls /one /two /three /four /five' 2>/dev/null; PATH=/1:/2:/3:/4:/5 $(which brig) run -o - -- /bin/sh -c 'no-such'",
         127,
         {"denied 5 names that do not exist either, such as \"/1/no-such\", \"/2/no-such\", \"/3/no-such\", 5 times; if the program "
          "minds, try: --unveil /1/no-such:r\n"}},
        {"cd \"$ROOM/rw\" && touch 1 2 3 4 5 6 && brig run -o - -- cat \"$ROOM\"/rw/[1-6] 2>/dev/null",
         1,
         {"denied openat of 6 names in \"/tmp/brig-run-", "\" EACCES, 6 times; try: --broker-ro /tmp/brig-run-"}},
        {"cd \"$ROOM/rw\" && brig run -o - -- $PY -c 'for i in range(8):\n"
         "    try: open(\"'$ROOM'/rw/new%d\" % i, \"w\")\n    except OSError: pass'",
         0,
         {"denied openat of 8 names in \"/tmp/brig-run-", "/rw:rwc\n"}},
        {"mkdir \"$ROOM/rw/a;\\$(b)\" && cd \"$ROOM/rw/a;\\$(b)\" && touch 1 2 3 4 5 6 && brig run -o - -- cat \"$PWD\"/[1-6] 2>/dev/null",
         1,
         {"denied openat of 6 names in \"/tmp/", "; try: --broker-ro '/tmp/brig-run-", "/rw/a;$(b)'  (with all below it)\n"}},
        {"brig run -o - -- $PY -c 'for i in range(300):\n    try: open(\"'$ROOM'/new%d\" % i)\n    except OSError: pass'",
         0,
         {"brig: denied ", " more, too many to be kept one by one\n"}},
        {"brig run -- cat /etc", 1, {"denied openat(\"/etc\") EACCES, 1 time; try: --broker-ro /etc  (with all below it)\n"}},
        {"brig run -- cat / /etc/resolv.conf",
         1,
         {"denied openat(\"/\") EACCES, 1 time\n", "/etc/resolv.conf\") EACCES, 1 time; try: --resolve\n"}},
        {"brig run -- $PY -c 'open(\"/etc/resolv.conf\", \"r+\")' 2>&1 | grep denied", 0, {"try: --broker-rw /etc/resolv.conf\n"}},
        {"brig run --unveil /etc: -- cat /etc/passwd", 1, {"denied openat(\"/etc/passwd\") EACCES, 1 time\n"}},
        {"brig run --mode errno -- $PY -c 'import ctypes\nfor i in range(100): ctypes.CDLL(None).ptrace(0, 0, 0, 0)'",
         0,
         {" more violations, which came too fast to be told one by one\n"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, a_cause_is_told_once_and_counted)
{
    static const struct command rows[] = {
        {"cd \"$ROOM\" && PATH=/1:/2:/3:/4:/bin $(which brig) run --report-dir reports -- /usr/bin/env true",
         126,
         {"execve(\"/1/true\", ", "because no other program", "the same 4 times more, the last: env[", "execve(\"/bin/true\", "}},
        {"cd \"$ROOM\" && brig report reports/run-*.json",
         0,
         {"/usr/bin/env under program: exit status 126, 5 violations\n", "execve(\"/1/true\"", "the same 4 times more"}},
        {"cd \"$ROOM\" && brig report reports",
         0,
         {" 5 x env  execve(", "1 run; what the program was denied: brig report reports/run-"}},
        {"cd \"$ROOM\" && brig report reports/run-*.json --html=-", 2, {"has text and JSON only"}},
        {"PATH=/1:/2:/3:/4:/bin $(which brig) run --json -o - -- /usr/bin/env true 2>/dev/null | "
         "$PY -c 'import json, sys; print(len(json.load(sys.stdin)[\"events\"]))'",
         0,
         {"5\n"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}

TEST(run, a_mode_says_what_a_violation_does)
{
    static const struct command rows[] = {
        {"brig run --mode kill -- $PY -c 'import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)'",
         159,
         {"-> killed  by baseline.c:"}},
        {"brig run --mode errno -- $PY -c 'import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))'",
         0,
         {"-1", "-> answered EPERM  by baseline.c:"}},
        {"brig run --mode log -- $PY -c 'import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))'", 0, {"this is no sandbox"}},
        {"brig run --mode log -- cat \"$ROOM/secret/key\"", 1, {"Permission denied"}}, // the list holds
        {"brig run --mode log -- sh -c /bin/true", 126, {"Permission denied"}},
        {"brig run --mode errno --policy renderer -- cat", 127, {"-> answered EACCES  by restrict_paths.c:"}},
        {"brig run --policy 'pledge:stdio rpath exec prot_exec' -- cat \"$ROOM/ro/hello\"", 125, {"execve is not asked about"}},
        {"brig run --mode log --policy 'pledge:stdio rpath exec prot_exec' -- cat \"$ROOM/ro/hello\"", 0, {"hello there"}},
        {"brig run --mode logs -- true", 125, {"did you mean 'log'?"}},
        {"brig run --mode something -- true", 125, {"known are kill, errno and log"}},
    };
    check_in_room(rows, COUNT_OF(rows));
}
