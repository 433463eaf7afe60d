// brig as its users meet it: each row is a command line with what it must print and how it must exit.
#include <string.h>

#include "policies/policies.h"
#include "tests/shim/test.h"
#include "tests/tools/commands.h"

static const struct command rows[] = {
    // The frame.
    {"brig", 2, {"usage: brig VERB", "explain", "Exit status"}},
    {"brig --help", 0, {"usage: brig VERB", "doctor"}},
    {"brig explian renderer", 2, {"there is no verb 'explian'; did you mean 'explain'?"}},
    {"brig compile --help",
     0,
     {"usage: brig compile", "--arch=ARCH", "-o, --output=FILE", "For example:\n  brig compile renderer"}},
    {"brig help emu", 0, {"usage: brig emu", "--batch", "For example:\n  brig emu renderer openat"}},
    {"brig help explian", 2, {"there is no verb 'explian'; did you mean 'explain'?"}},
    {"for verb in $(brig --help | awk '/^  [a-z]/ { print $1 }'); do brig $verb --help | grep -A1 'For example' | grep -c brig; done | sort -u",
     0,
     {"1\n"}},
    {"brig compile --form=json renderer", 0, {"\"insns\""}}, // unambiguous beginnings are enough
    {"brig compile --stats=1 renderer", 2, {"option '--stats' takes no value"}},
    {"brig compile --stats -jq renderer", 2, {"option '-j' is not known"}},
    {"brig compile --json --format=c renderer", 2, {"--json and --format=c contradict each other"}},
    {"brig compile --stats --format=c renderer", 2, {"--stats has no format 'c'"}},
    {"brig compile --stats --format=json renderer", 0, {"\"ebpf_insns\":"}},
    {"brig compile --frmat=raw renderer", 2, {"'--frmat=raw' is not known"}},
    {"brig compile renderer --format", 2, {"option '--format' needs a value"}},
    {"brig compile -a vax renderer", 2, {"arch 'vax' is not known", "riscv64"}},
    {"brig explain -a x86_64 -a amd64 renderer", 2, {"arch 'x86_64' is given twice"}},
    {"brig compile --kernel=six renderer", 2, {"'six' is not a kernel version"}},
    {"brig compile --kernel=' 6.1' renderer", 2, {"' 6.1' is not a kernel version"}},
    {"brig compile --kernel=99.1 renderer", 2, {"'99.1' is not a kernel version from 2.6 to 7.3"}},
    {"brig compile rendrer", 2, {"there is no policy 'rendrer'; did you mean 'renderer'?"}},
    {"brig compile", 2, {"give one policy"}},
    {"brig compile \"$(printf '\\033[31mred')\"", 2, {"there is no policy '\\x1b[31mred'; built in are baseline, renderer"}},
    {"test $(brig compile $(head -c 100000 /dev/zero | tr '\\0' A) 2>&1 | wc -c) -lt 700", 0, {""}},
    {"brig compile $(head -c 100000 /dev/zero | tr '\\0' A)", 2, {"AAA...AAA", ", or ./FILE"}},
    {"brig compile renderer -o /no/such/directory/file", 2, {"cannot write '/no/such/directory/file': No such file"}},
    {"brig compile renderer --format=raw > /dev/full", 2, {"No space left on device"}},
    {"brig explain renderer >&-", 2, {"cannot write all of 'standard output': Bad file descriptor"}},
    // compile.
    {"brig compile renderer", 0, {"ld [4]", "ret "}},
    {"brig compile renderer --format=c", 0, {"// policy renderer for ", "{0x20,   0,   0, 0x00000004}, //    0: ld [4]"}},
    {"brig compile renderer --json", 0, {"\"schema\": \"brig-compile-1\"", "\"policy\": \"renderer\"", "\"insns\": ["}},
    {"brig compile renderer --stats", 0, {"cached_allow", "max_executed", "compile_us"}},
    {"brig compile renderer --stats --json", 0, {"\"ebpf_insns\":", "\"expected_executed\":", "\"hash\":", "\"cached_allow\":"}},
    {"brig compile renderer -a aarch64 --stats --json", 0, {"\"arch\": \"aarch64\""}},
    {"brig compile renderer --format=raw | wc -c | grep -E '^[1-9][0-9]*$'", 0, {""}},
    {"test \"$(brig compile renderer --format=raw | sha256sum)\" = \"$(brig compile renderer -o - --format=raw | sha256sum)\"",
     0,
     {""}},
    // dump.
    {"brig dump renderer --stage=ranges", 0, {""}},
    {"brig dump renderer", 0, {"# rules", "# expr", "# ranges", "# decisions", "# tree", "# insns"}},
    {"brig dump renderer --stage=nothing", 2, {"there is no stage 'nothing'; see brig dump --help"}},
    {"brig asm - < /dev/null", 2, {"brig asm: <stdin>: 1 to 4096 instructions are allowed\n"}},
    {"printf 'ld \\033[31mx' | brig asm -", 2, {"brig asm: <stdin>:1:4: ", "'\\x1b[31mx'"}},
    {"brig dump renderer --stage=insn", 2, {"there is no stage 'insn'; did you mean 'insns'?"}},
    {"brig dump renderer --stage=insns -a x86_64 -a aarch64", 0, {"## x86_64", "## aarch64"}},
    {"brig dump ./renderer.bpf", 2, {"a raw program has no stages; see brig disasm"}},
    {"file=$(mktemp); echo kept > $file; brig dump renderer --kernel=six -o $file; status=$?; cat $file; rm $file; exit $status",
     2,
     {"not a kernel version", "kept"}},
    {"test \"$(brig dump renderer | cksum)\" = \"$(LC_ALL=tr_TR.UTF-8 COLUMNS=20 brig dump renderer | cksum)\"", 0, {""}},
    // disasm.
    {"brig disasm renderer", 0, {"ld [4]", "ret "}},
    {"brig compile renderer --format=raw | brig disasm -", 0, {"ld [4]"}},
    {"printf 'rubbish' | brig disasm -", 2, {"'-' is not an array of 8-byte instructions: it has 7 bytes"}},
    {"printf 'rubbish!' | brig disasm -", 2, {"'-': the kernel would refuse instruction 0"}},
    {": | brig disasm -", 2, {"it has 0 bytes"}},
    {"brig disasm /dev/zero", 2, {"'/dev/zero' is too big: the limit is 16 MiB"}},
    {"brig disasm /", 2, {"cannot read '/': Is a directory"}},
    {"brig compile renderer --format=raw | head -c 80 | brig disasm -",
     2,
     {"the kernel would refuse instruction", "a jump out of"}},
    {"brig disasm /no/such/file.bpf", 2, {"cannot read '/no/such/file.bpf': No such file"}},
    // explain.
    {"brig explain renderer", 0, {"renderer (x86_64, baseline Linux ", "ALLOW ", "<fallback>", "other architectures, x32: CRASH"}},
    {"brig explain renderer fcntl", 0, {"fcntl when cmd in {", "policies/"}},
    {"brig explain renderer fcntl --json", 0, {"\"schema\": \"brig-explain-1\"", "\"when\": \"cmd in {"}},
    {"brig explain renderer 72", 0, {"fcntl when cmd in {"}},
    {"brig explain renderer 9999", 2, {"x86_64 has no call with the number '9999'"}},
    {"brig explain renderer uprobe", 0, {"CRASH  uprobe  no row: the fallback"}},
    {"brig explain renderer uprobe --json", 0, {"\"why\": \"the fallback\""}},
    {"brig explain renderer futex write | head -n 3 | tail -n 2",
     0,
     {"futex when op in {FUTEX_WAIT}", "write when fd in {NOTIFY_FD}"}},
    {"brig explain renderer --json -a x86_64 -a arm | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'", 0, {"2\n"}},
    {"brig explain renderer pread", 2, {"no system call has the name 'pread'; did you mean 'pread64'?"}},
    {"brig explain renderer opnat", 2, {"no system call has the name 'opnat'; did you mean 'openat'?"}},
    {"brig explain renderer open -a aarch64", 2, {"aarch64 has no call 'open'"}},
    {"brig explain filter.bpf", 2, {"a raw program has no rows"}},
    // emu.
    {"brig emu -q renderer read 0 0 0", 0, {"ALLOW\n"}},
    {"brig emu -q renderer 0xB169", 0, {"KILL_PROCESS\n"}},
    {"brig emu -q renderer clone3", 0, {"ERRNO(38)\n"}},
    {"brig emu renderer read 0 0 0", 0, {"> ", "ALLOW  ", "answered by the kernel's bitmap", "policies/"}},
    {"brig emu renderer --json read 0 0 0", 0, {"\"verdict\": \"ALLOW\"", "\"cached\": true"}},
    {"brig emu -q renderer fcntl 3 F_GETFL", 0, {"ALLOW\n"}},
    {"brig emu -q renderer kill -1 9", 0, {"TRAP("}},
    {"brig emu -q renderer kill SELF_PID SIGABRT", 0, {"ALLOW\n"}},
    {"brig emu -q renderer mmap NULL 4096 PROT_READ 'MAP_PRIVATE|MAP_ANONYMOUS' -1 0", 0, {"ALLOW\n"}},
    {"brig emu -q renderer openat AT_FDCWD /etc/passwd 'O_RDONLY|O_CLOEXEC'", 0, {"TRAP("}},
    {"brig emu -q renderer read 0xffffffffffffffff 18446744073709551615 -9223372036854775808", 0, {"ALLOW\n"}},
    {"brig emu -q renderer read 18446744073709551616", 2, {"it does not fit 64 bits"}},
    {"brig emu -q renderer -1", 0, {"ERRNO(38)\n"}},
    {"brig emu -q renderer 4294967296", 2, {"a call's number has 32 bits"}},
    {"brig emu renderer exit 1 2", 2, {"exit has 1 argument: status; to set other registers too, name it by its number, 60"}},
    {"brig emu -q renderer 60 1 2", 0, {"ALLOW\n"}},
    {"brig emu renderer swapon", 0, {"policies/baseline.c:", "  CRASH: "}},
    {"brig emu renderer 0x40000001", 0, {"by no row: an x32 number"}},
    {"brig emu renderer 1000", 0, {"by no row: no call has this number"}},
    {"brig emu renderer uprobe", 0, {"by no row: the fallback"}},
    {"brig emu renderer --json swapon", 0, {"\"path\": [", "\"file\": \"policies/baseline.c\"", "\"why\": \"no running"}},
    {"brig emu renderer openat AT_FDCWD '\"x\"' O_CLOSEXEC", 2, {"no constant has this name", "O_CLOSEXEC", "O_CLOEXEC"}},
    {"brig emu renderer read 1 2 3 4 5 6 7", 2, {"at most six arguments"}},
    {"echo 'c000003e 0 0 0 0 0 0 0 0' | brig emu --batch renderer", 0, {"ALLOW "}},
    {"echo '40000003 0 0 0 0 0 0 0 0' | brig emu --batch renderer", 0, {"TRAP("}},
    {"echo 'c000003e zero' | brig emu --batch renderer", 2, {"line 1: not `arch nr ip"}},
    {"echo 'c000003e -1 0 0 0 0 0 0 0' | brig emu --batch renderer", 2, {"line 1: not `arch nr ip"}},
    {"echo 'c000003e 0 10000000000000000 0 0 0 0 0 0' | brig emu --batch renderer", 2, {"line 1: not `arch nr ip"}},
    {"printf 'c000003e 0 0 0 0 0 0 0 0\\0x' | brig emu --batch renderer", 2, {"line 1: not `arch nr ip"}},
    {"brig emu --batch --json renderer", 2, {"--batch has no JSON form"}},
    {"brig emu --batch -", 2, {"standard input cannot be the program and the calls"}},
    {"brig compile renderer --format=raw | brig emu - read 0 0 0", 0, {"ALLOW  "}},
    // asm.
    {"test \"$(brig disasm renderer | brig asm - | sha256sum)\" = \"$(brig compile renderer --format=raw | sha256sum)\"", 0, {""}},
    {"echo 'ret ERRNO(EPERM)' | brig asm - --format=c", 0, {"{0x06,   0,   0, 0x00050001}"}},
    {"echo 'ret ALOW' | brig asm -", 2, {"<stdin>:1:5: no constant has this name: 'ALOW'; did you mean 'ALLOW'?"}},
    {"echo 'jeq SYS_opnat, +0' | brig asm -", 2, {"did you mean 'SYS_openat'?"}},
    {"brig asm - --format=json < /dev/null", 2, {"format 'json' is not known"}},
    {"brig asm /no/such/file", 2, {"cannot read '/no/such/file': No such file"}},
    {"brig asm", 2, {"give one file"}},
    // prove.
    {"brig prove renderer", 0, {"equal: proven for every call", " parts, "}},
    {"brig prove renderer -a aarch64 --whole", 0, {"equal: proven for every call", "(1 parts, 1 queries)"}},
    {"brig prove renderer network", 1, {"not equal, for example ", "A renderer: ", "B network: ", "policies/"}},
    {"brig prove renderer network --json", 1, {"\"schema\": \"brig-prove-1\"", "\"answer\": \"different\"", "\"witness\": {"}},
    {"brig prove baseline --subset-of=renderer", 0, {"a subset: proven"}},
    {"brig prove renderer --subset-of=baseline", 1, {"not a subset, for example ", "A renderer: ALLOW"}},
    {"brig prove baseline --subset-of=renderer --json", 0, {"\"answer\": \"subset\""}},
    {"brig compile renderer --format=raw | brig prove renderer - --actions-only", 0, {"equal in what the kernel does: proven"}},
    {"brig compile renderer --plain --format=raw | brig prove renderer -", 0, {"equal: proven"}},
    {"test \"$(brig disasm renderer --plain | brig asm - | sha256sum)\" = \"$(brig compile renderer --plain --format=raw | sha256sum)\"",
     0,
     {""}},
    {"brig compile x.bpf --plain", 2, {"a raw program has no plain form"}},
    {"brig disasm x.bpf --plain", 2, {"a raw program has no plain form"}},
    {"brig prove - -", 2, {"only one of the two can be standard input"}},
    {"brig prove x.bpf", 2, {"a raw program has no plain form"}},
    {"brig prove renderer rendrer", 2, {"did you mean 'renderer'?"}},
    {"brig prove renderer --timeout=never", 2, {"--timeout is a number of seconds from 1"}},
    {"brig prove renderer --subset-of=network --actions-only", 2, {"does not go with it"}},
    {"brig prove", 2, {"give two policies"}},
    // diff.
    {"brig diff renderer network", 1, {"A renderer -> B network", "+ socket", "socket(domain=AF_INET", "policies/network.c:"}},
    {"brig diff renderer network --json",
     1,
     {"\"schema\": \"brig-diff-1\"", "\"direction\": \"only-b-allows\"", "\"what\": \"socket\""}},
    {"brig diff renderer renderer", 0, {"no call differs"}},
    {"brig compile renderer --format=raw | brig diff renderer -", 0, {"no call differs"}},
    {"echo 'ret ALLOW' | brig asm - | brig diff renderer -", 1, {"and other arches", "+ every number"}},
    {"brig diff renderer", 2, {"give two policies"}},
    // doctor.
    {"brig doctor", 0, {"Brig needs\n  kernel ", "Better with\n", "This machine\n", "Brig works here.\n"}},
    {"brig doctor --json", 0, {"\"schema\": \"brig-doctor-1\"", "\"works\": true", "\"kind\": \"needed\"", "\"value\": \"yes\""}},
    {"brig doctor tsnc", 2, {"there is no feature 'tsnc'; did you mean 'tsync'?"}},
    {"brig doctor tsync", 0, {"tsync"}},
    {"brig doctor --color=always tsync", 0, {"\033[32myes "}},
    {"brig doctor --color=sometimes", 2, {"--color is auto, always or never"}},
};

TEST(tools, command_lines_do_what_they_say)
{
    check_commands(rows, COUNT_OF(rows));
}

TEST(tools, doctor_says_what_brig_cannot_do_without)
{
    static struct command_outcome outcome;
    if (strcmp(brig_policy_for_this_build("renderer")->name, "renderer") != 0) {
        test_skip("a sanitizer's runtime does not start without /proc");
        return;
    }
    REQUIRE(command_run("unshare $(test $(id -u) = 0 || echo -r) -m sh -c 'mount -t tmpfs none /proc && brig doctor'", &outcome));
    CHECK_EQ(outcome.exit_status, 4);
    CHECK_CONTAINS(outcome.text, "mount proc on /proc");
    CHECK_CONTAINS(outcome.text, "Brig cannot work here without proc.\n");
}
