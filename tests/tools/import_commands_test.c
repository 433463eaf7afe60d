// Imported policies on the command line: what a POLICY is taken for, its arches, its warnings, and every verb on one.
#include "tests/tools/commands.h"

#define PROFILE "tests/fuzz/corpus/oci/container.json"
#define X32_WARNING PROFILE ":7: warning: SCMP_ARCH_X32 is left out"

static const struct command rows[] = {
    // Every verb.
    {"brig compile " PROFILE " --stats", 0, {X32_WARNING, "container.json", "from rows to a checked program"}},
    {"brig compile " PROFILE " -a x86_64 | tail -n 2", 0, {"ret #0x"}},
    {"brig dump " PROFILE " --stage=rules", 0, {"## x86_64", "## i386", "ALLOW when reg0.64 & 0x7e020000 in {0x0}"}},
    {"brig disasm " PROFILE, 0, {"; x86_64", "; i386"}},
    {"brig explain " PROFILE " clone -a x86_64", 0, {"container.json (x86_64)\n", "container.json:87  no new namespaces"}},
    {"brig explain " PROFILE " clone socket -a x86_64 --json",
     0,
     {"\"when\": \"flags & CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS"}},
    {"echo '{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"ioctl\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": "
     "[{\"index\": 1, \"value\": 4294967295, \"valueTwo\": 21505, \"op\": \"SCMP_CMP_MASKED_EQ\"}]}]}' | "
     "brig explain - --from=oci -a x86_64",
     0,
     {"ioctl when cmd (low half) in {TCGETS}"}},
    {"brig explain " PROFILE " -a aarch64", 0, {"set_robust_list", "other architectures: KILL_THREAD"}},
    {"brig explain " PROFILE " --json -a riscv64",
     0,
     {"\"foreign\": \"KILL_THREAD\"", "\"x32\": null", "\"unknown\": \"DENY(EPERM)\""}},
    {"brig emu " PROFILE " clone 0x10000000 -q", 0, {"ERRNO(1)"}},
    {"brig emu " PROFILE " clone 0x11 -a x86_64", 0, {"ALLOW", "by tests/fuzz/corpus/oci/container.json:87"}},
    {"brig emu " PROFILE " ptrace -q --kernel=4.7", 0, {"ERRNO(1)"}},
    {"brig emu " PROFILE " mount -q --cap=CAP_KILL,CAP_SYS_ADMIN", 0, {"ALLOW"}},
    {"brig emu " PROFILE " open_by_handle_at -q --cap CAP_KILL --cap CAP_DAC_READ_SEARCH", 0, {"ALLOW"}},
    {"brig prove " PROFILE " | cat", 0, {X32_WARNING, "equal: proven"}},
    {"test $(brig prove " PROFILE " 2>&1 | grep -c X32) = 1", 0, {""}},
    {"brig diff " PROFILE " tests/fuzz/corpus/oci/single.json -a x86_64", 1, {"+ mount", "no row"}},
    {"brig compile " PROFILE " -a x86_64 -o p.tmp.bpf && brig prove " PROFILE " p.tmp.bpf -a x86_64; rm p.tmp.bpf",
     0,
     {"equal: proven"}},
    // What a name says.
    {"brig compile - --from=oci < " PROFILE, 0, {"<stdin>:7: warning", "ret #0x50001"}},
    {"brig compile - < " PROFILE, 2, {"'-' is not an array of 8-byte instructions", "say so with --from"}},
    {"brig compile - --from=ocy", 2, {"--from=ocy is not known; did you mean 'oci'?"}},
    {"brig compile - --from=something", 2, {"--from=something is not known; known are oci, "}},
    {"brig compile " PROFILE " --from=oci --stats", 0, {"cached_allow"}},
    {"brig compile " PROFILE " --from=minijail", 2, {"json' is oci, and --from=minijail says otherwise; rename it, or give it as"}},
    {"brig emu renderer read 0 --from=oci", 2, {"--from=oci says what a file or - is, and 'renderer' is neither"}},
    {"brig compile pledge:stdio --from=bpf", 2, {"and 'pledge:stdio' is neither"}},
    {"brig prove renderer network --from=oci", 2, {"and 'renderer' is neither"}},
    {"brig diff - renderer --from=oci < " PROFILE " | head -n 1", 0, {"A - -> B renderer "}},
    {"brig merge " PROFILE " - --from=bpf --stats < /dev/null", 2, {"'-' is not an array of 8-byte instructions: it has 0 bytes"}},
    {"cp " PROFILE " p.tmp; brig compile ./p.tmp --stats; brig compile p.tmp --from=oci --stats; rm p.tmp",
     0,
     {"./p.tmp:7: warning", "p.tmp:7: "}},
    {"echo 'read: 1' > p.tmp; brig compile ./p.tmp; status=$?; rm p.tmp; exit $status",
     2,
     {"cannot tell what './p.tmp' is; name it FILE.json", "--from"}},
    {"brig compile nothing.json", 2, {"cannot read 'nothing.json': No such file"}},
    {"brig compile profile", 2, {"there is no policy 'profile'", "a file is named FILE.json"}},
    {"brig compile renderer -a x86_64 -a i386", 2, {"a built-in policy's program is for one arch"}},
    // Mistakes.
    {"brig compile tests/fuzz/corpus/oci/misspelt.json",
     2,
     {"brig compile: tests/fuzz/corpus/oci/misspelt.json:1:61: there is no system call 'opentat'; did you mean 'openat'?"}},
    {"brig explain " PROFILE " --cap=CAP_SYS_ADMN",
     2,
     {"--cap: there is no capability 'CAP_SYS_ADMN'; did you mean 'CAP_SYS_ADMIN'?"}},
    {"brig compile " PROFILE " --cap=kill", 2, {"--cap: there is no capability 'kill'; did you mean 'CAP_KILL'?"}},
    {"brig compile " PROFILE " --cap=ALL", 2, {"--cap: there is no capability 'ALL'; known are CAP_SYS_ADMIN and"}},
    {"test \"$(brig emu -q " PROFILE " read 2>&1)\" = ALLOW", 0, {""}},
    {"brig explain " PROFILE " --cap=cap_sys_admin", 2, {"no capability 'cap_sys_admin'; did you mean 'CAP_SYS_ADMIN'?"}},
    {"brig prove - --from=oci < " PROFILE, 2, {"a policy alone is read twice, and standard input can be read once; give a file"}},
    {"brig compile " PROFILE " --kernel=99.1", 2, {"'99.1' is not a kernel version"}},
};

TEST(import_commands, do_what_they_say)
{
    check_commands(rows, COUNT_OF(rows));
}
