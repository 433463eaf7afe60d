// What verbs show of a compile: graphs, JSON, colours, completion.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/shim/test.h"
#include "tests/tools/commands.h"

// Runs a command and reads what it prints as JSON. Returns: NULL if it is none.
static json_t *run_json(const char *line)
{
    static struct command_outcome outcome;
    json_error_t error;
    test_message("%s", line);
    if (!CHECK(command_run(line, &outcome)) || !CHECK_EQ(outcome.exit_status, 0)) {
        return NULL;
    }
    json_t *json = json_loads(outcome.text, JSON_REJECT_DUPLICATES, &error);
    CHECK(json != NULL);
    return json;
}

TEST(views, dump_json_has_every_stage)
{
    static const char *const stages[] = {"expr", "ranges", "decisions", "tree", "insns"};
    json_t *json = run_json("brig dump renderer --json");
    json_t *all = json_object_get(json, "stages");
    CHECK_STR_EQ(json_string_value(json_object_get(json, "schema")), "brig-dump-1");
    CHECK(json_array_size(json_object_get(json_object_get(all, "rules"), "calls")) > 50);
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        CHECK(json_array_size(json_object_get(all, stages[i])) > 10);
    }
    json_decref(json);
}

// Every arrow of the graph leads to a node, and every node but the root has one.
TEST(views, dump_json_is_a_graph)
{
    json_t *json = run_json("brig dump renderer --json --stage=decisions");
    json_t *nodes = json_object_get(json_object_get(json, "stages"), "decisions");
    size_t index;
    json_t *node;
    static bool is_node[65536];
    static bool is_target[65536];
    json_array_foreach(nodes, index, node)
    {
        size_t run_index;
        json_t *run;
        uint64_t next = 0;
        is_node[json_integer_value(json_object_get(node, "id")) & 0xffff] = true;
        json_array_foreach(json_object_get(node, "runs"), run_index, run)
        {
            bool is_whole = json_integer_value(json_object_get(node, "mask")) == UINT32_MAX;
            CHECK(!is_whole || (uint64_t)json_integer_value(json_object_get(run, "first")) == next);
            next = (uint64_t)json_integer_value(json_object_get(run, "last")) + 1;
            is_target[json_integer_value(json_object_get(run, "target")) & 0xffff] = true;
        }
    }
    json_int_t root = json_integer_value(json_object_get(json_array_get(nodes, 0), "id"));
    for (json_int_t id = 0; id < 65536; id++) {
        CHECK_EQ(is_node[id], is_target[id] || id == root);
    }
    json_decref(json);
}

// A profile changes what the search takes to come by.
TEST(views, a_tree_has_its_weights)
{
    static const struct command weights[] = {
        {"brig dump renderer --stage=tree -a x86_64 | grep 'load nr'", 0, {" ; "}},
        {"for profile in 'futex\\t9' 'fcntl\\t9'; do printf \"syscall\\tcount\\n$profile\\n\" | brig dump renderer -a x86_64 --stage=tree "
         "--json --profile=- 2>/dev/null | python3 -c 'import json, sys; print(sum(node.get(\"weight\", 0) for node in "
         "json.load(sys.stdin)[\"stages\"][\"tree\"]))'; done | sort -u | wc -l",
         0,
         {"2\n"}},
    };
    check_commands(weights, COUNT_OF(weights));
}

TEST(views, dump_json_of_several_arches_is_an_array)
{
    json_t *json = run_json("brig dump renderer --json --stage=ranges -a arm -a riscv64");
    CHECK_EQ(json_array_size(json), 2u);
    CHECK_STR_EQ(json_string_value(json_object_get(json_array_get(json, 1), "arch")), "riscv64");
    json_decref(json);
}

TEST(views, disasm_json_is_the_program)
{
    json_t *listing = run_json("brig disasm renderer --json");
    json_t *program = run_json("brig compile renderer --json");
    json_t *insns = json_object_get(listing, "insns");
    size_t index;
    json_t *insn;
    CHECK_STR_EQ(json_string_value(json_object_get(listing, "schema")), "brig-disasm-1");
    CHECK_STR_EQ(json_string_value(json_object_get(listing, "hash")), json_string_value(json_object_get(program, "hash")));
    CHECK_EQ(json_array_size(insns), json_array_size(json_object_get(program, "insns")));
    json_array_foreach(insns, index, insn)
    {
        json_t *plain = json_array_get(json_object_get(program, "insns"), index);
        CHECK(json_equal(json_object_get(insn, "code"), json_array_get(plain, 0)));
        CHECK(json_equal(json_object_get(insn, "k"), json_array_get(plain, 3)));
    }
    CHECK_STR_EQ(json_string_value(json_object_get(json_array_get(insns, 0), "text")), "ld [4]");
    CHECK_STR_EQ(json_string_value(json_object_get(json_array_get(insns, 0), "comment")), "arch");
    json_decref(listing);
    json_decref(program);
}

// What of a dot file can be checked without Graphviz: tables end, arrows lead somewhere.
static void check_dot(const char *line)
{
    static struct command_outcome outcome;
    test_message("%s", line);
    REQUIRE(command_run(line, &outcome));
    CHECK_EQ(outcome.exit_status, 0);
    CHECK(strncmp(outcome.text, "digraph {\n", 10) == 0);
    CHECK(outcome.bytes > 2 && strcmp(outcome.text + outcome.bytes - 2, "}\n") == 0);
    int tables = 0;
    for (const char *at = outcome.text; (at = strstr(at, "TABLE")) != NULL; at++) {
        tables += at[-1] == '<' ? 1 : at[-1] == '/' ? -1 : 0;
    }
    CHECK_EQ(tables, 0);
    for (const char *at = outcome.text; (at = strstr(at, " -> ")) != NULL; at++) {
        char node[32];
        char definition[48];
        REQUIRE(sscanf(at, " -> %31[a-z0-9_]", node) == 1);
        snprintf(definition, sizeof definition, "\n  %s [", node);
        CHECK_CONTAINS(outcome.text, definition);
    }
}

TEST(views, graphs_are_whole)
{
    check_dot("brig graph renderer");
    check_dot("brig graph network -a aarch64");
    check_dot("brig graph renderer openat mmap futex");
    check_dot("brig compile renderer --format=raw | brig graph -");
    check_dot("brig compile renderer --format=raw | brig graph - clone");
    check_dot("brig graph --flow renderer");
    check_dot("brig graph --flow renderer fcntl");
}

static const struct command rows[] = {
    // graph.
    {"brig graph renderer prctl", 0, {"<B>prctl</B>", "PR_SET_VMA", "renderer (x86_64)"}},
    {"brig graph renderer read", 0, {"<B>read</B>", "x86_64 0", "ALLOW"}},
    {"brig graph renderer madvise", 0, {"MADV_DONTNEED", "otherwise"}},
    {"brig graph renderer sendmsg",
     0,
     {"not set</TD><TD BGCOLOR=\"#d3ecd0\" ALIGN=\"LEFT\">ALLOW<", ">set</TD><TD BGCOLOR=\"#f6cfcb\" ALIGN=\"LEFT\">CRASH<"}},
    {"brig graph renderer openat", 0, {"none of them</TD>", "REPORT(EACCES)", "any of them</TD>", "CRASH"}},
    {"brig graph renderer", 0, {"x32 numbers", "every other number", "EMULATE"}},
    // Each number is drawn once, and those that are no call as numbers in all rows but the last.
    {"brig graph tests/fuzz/corpus/oci/container.json -a x86_64",
     0,
     {"LEFT\">x32 numbers, 0x80000000 to 0xfffffffe<", "every other number</TD><TD BGCOLOR=\"#fcedbb\" ALIGN=\"LEFT\">ERRNO(1)<"}},
    {"printf 'ld nr\njge #300, +0, k\njgt #350, k\nret ALLOW\nk: ret LOG\n' | brig asm - | brig graph - -a x86_64",
     0,
     {">337 to 350</TD>", "every other number</TD>"}},
    {"brig graph renderer opnat", 2, {"no system call has the name 'opnat'; did you mean 'openat'?"}},
    {"brig graph renderer open -a aarch64", 2, {"aarch64 has no call 'open'"}},
    {"brig graph", 2, {"give a policy"}},
    {"brig graph renderer kill --json", 0, {"\"schema\": \"brig-graph-1\"", "\"call\": \"kill\"", "\"root\": null", "args[0].lo"}},
    {"brig compile renderer --format=raw | brig graph --json - | python3 -m json.tool | grep -c verdict | grep -E '^[0-9][0-9]'",
     0,
     {""}},
    {"brig graph --flow --json renderer", 2, {"instructions have no JSON form here"}},
    {"echo kept > graph.tmp; brig graph --flow renderer read write -o graph.tmp; cat graph.tmp; rm graph.tmp",
     0,
     {"for one call at most", "kept"}},
    {"brig graph --flow renderer read write", 2, {"for one call at most"}},
    {"echo 'ret ALLOW' | brig asm - | brig graph -", 0, {"every call<BR/>ALLOW>"}},
    // What is computed is said, wherever it is named.
    {"printf 'ld args[1].lo\ntax\nld args[0].lo\nmul #3\nadd x\nand #0xff0\njeq #0x70, a, b\na: ret ALLOW\nb: ret LOG\n' | brig asm - | "
     "brig graph -",
     0,
     {"<B>(args[1].lo + (args[0].lo * 0x3)) &amp; (0xff0)</B>"}},
    // What is computed and returned.
    {"printf 'ld nr\\nadd #1\\nret a\\n' | brig asm - | brig graph -", 0, {"every call<BR/>return nr + 0x1>"}},
    {"printf 'ld nr\\njeq #1, a\\nret ALLOW\\na: ld args[0].lo\\nor #0x50000\\nret a\\n' | brig asm -a x86_64 - | brig graph - -a x86_64",
     0,
     {"return args[0].lo | 0x50000</TD>"}},
    {"printf 'ld args[0].lo\\nldx #0\\ntax\\nld args[1].lo\\nadd x\\nor #0x50000\\nret a\\n' | brig asm - | brig dump -",
     0,
     {"d2: return (a0.lo + a1.lo) | 0x50000\n", "term0 = a0.lo + a1.lo\n", "s0: return it\n", "s1: or #0x50000, s0"}},
    {"printf 'ld args[0].lo\\nor #0x50000\\nret a\\n' | brig asm - | brig dump - --stage=tree --json",
     0,
     {"\"kind\": \"give\"", "\"kind\": \"turn\"", "\"turn\": \"or #0x50000\""}},
    {"brig graph renderer -o /no/such/file", 2, {"cannot write '/no/such/file'"}},
    {"brig graph renderer > /dev/full", 2, {"No space left on device"}},
    // Colours.
    {"brig disasm renderer --color=always", 0, {"\033[32m", "\033[0m"}},
    {"brig disasm renderer --color=auto | grep -c \"$(printf '\\033')\" || true", 0, {"0\n"}},
    {"test \"$(brig disasm renderer --color=always | sed 's/\\x1b\\[[0-9;]*m//g' | cksum)\" = \"$(brig disasm renderer | cksum)\"",
     0,
     {""}},
    {"brig disasm renderer --color=sometimes", 2, {"--color is auto, always or never"}},
    {"brig emu renderer read --color=always", 0, {"\033[32mALLOW"}},
    {"brig emu renderer read --color=red", 2, {"--color is auto, always or never"}},
    {"brig explain renderer --color=always", 0, {"\033[32mALLOW"}},
    {"brig explain renderer --color=x", 2, {"--color is auto, always or never"}},
    {"brig diff baseline renderer --color=always", 1, {"\033[31m+ "}},
    // emu, many calls.
    {"yes 'c000003e 0 0 0 0 0 0 0 0' | head -n 200000 | brig emu --batch renderer | sort | uniq -c", 0, {" 200000 ALLOW "}},
    {"printf 'c000003e 0 0 0 0 0 0 0 0\\nc000003e 0 0 0 0 0 0 0\\n' | brig emu --batch renderer", 2, {"line 2: not `arch nr ip"}},
    {"yes 'c000003e 0 0 0 0 0 0 0 0' | head -n 100000 | brig emu --batch renderer > /dev/full", 2, {"No space left on device"}},
    {"printf '\\nc000003e 0 0 0 0 0 0 0 0\\r\\n\\n' | brig emu --batch renderer | wc -l", 0, {"1\n"}},
    {"brig emu renderer 1000 --json", 0, {"\"cached\": false", "\"ebpf_executed\": "}},
    {"echo 'ret ALLOW' | brig asm - | brig emu - 1000", 0, {"ALLOW  1 instruction\n"}},
    {"echo 'ret ALLOW' | brig asm - | brig emu - 400", 0, {"ALLOW  1 instruction, answered by the kernel's bitmap"}},
    // A default of ALLOW is cached for every number that a kernel has.
    {"echo 'ret ALLOW' | brig asm - | brig compile - --stats --json", 0, {"\"cached_allow\": 471"}},
    // Completion.
    {"brig completion bash | bash -n && brig completion bash",
     0,
     {"complete -F _brig brig", "--profile-type", "baseline", "renderer"}},
    {"brig completion zsh", 0, {"#compdef brig", "_brig_calls"}},
    {"brig completion fish", 0, {"complete -c brig -f", "-l stage -x -a 'rules expr ranges decisions tree insns'"}},
    {"brig completion csh", 2, {"the shell 'csh' is not known"}},
    {"brig completion zhs", 2, {"did you mean 'zsh'?"}},
    {"brig completion", 2, {"give one shell"}},
};

// A name of a file and a comment of a profile that colour, erase, turn round and begin lines anew.
#define HOSTILE "\\033[31m\\302\\233\\342\\200\\256\\r\\177"
#define SHOWN "\\x1b[31m\\u009b\\u202e\\r\\x7f"
#define WITH_HOSTILE_FILE(line) \
    "d=$(mktemp -d) && cd $d && f=$(printf 'e" HOSTILE \
    ".json') && printf '{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [" \
    "{\"names\": [\"read\"], \"comment\": \"\\\\u001b[31m\\302\\233\\342\\200\\256\\\\r\\177\", \"action\": \"SCMP_ACT_ALLOW\"}]}' >\"$f\" && { " line \
    "; } >out 2>&1; status=$?; LC_ALL=C grep -n '[^ -~]' out | cat -v | grep . && status=99; cat out; rm -r $d; exit $status"

// Whatever a terminal obeys is shown and not obeyed, on standard output as well as in complaints.
TEST(views, texts_of_files_and_arguments_are_shown_not_obeyed)
{
    static const struct command hostile[] = {
        {WITH_HOSTILE_FILE("brig explain \"$f\""), 0, {"e" SHOWN ".json (", "  e" SHOWN ".json:1  " SHOWN "\n"}},
        {WITH_HOSTILE_FILE("brig emu \"$f\" read"), 0, {" by e" SHOWN ".json:1  ALLOW: " SHOWN "\n"}},
        {WITH_HOSTILE_FILE("brig compile \"$f\" --stats"), 0, {"policy             e" SHOWN ".json\n"}},
        {WITH_HOSTILE_FILE("brig compile \"$f\" --format=c"), 0, {"// policy e" SHOWN ".json for "}},
        {WITH_HOSTILE_FILE("brig optimize \"$f\" --stats"), 0, {"  e" SHOWN ".json\n"}},
        {WITH_HOSTILE_FILE("brig dump \"$f\""), 0, {"policy e" SHOWN ".json for "}},
        {WITH_HOSTILE_FILE("brig graph \"$f\""), 0, {"label=<e" SHOWN ".json ("}},
        {WITH_HOSTILE_FILE("brig diff \"$f\" pledge:"), 1, {"A e" SHOWN ".json -> B pledge: ", "by e" SHOWN ".json:1 | "}},
        {WITH_HOSTILE_FILE("brig diff pledge: -- \"$f\""), 1, {"A pledge: -> B e" SHOWN ".json ", " | e" SHOWN ".json:1"}},
        {WITH_HOSTILE_FILE("brig prove \"$f\" pledge:"), 1, {"  A e" SHOWN ".json: ALLOW  by e" SHOWN ".json:1\n"}},
        {WITH_HOSTILE_FILE("brig report \"$f\""), 2, {"brig report: ", "'e\\x1b[31m\\xc2\\x9b\\xe2\\x80\\xae\\x0d\\x7f.json'\n"}},
    };
    check_commands(hostile, COUNT_OF(hostile));
}

TEST(views, command_lines_do_what_they_say)
{
    check_commands(rows, COUNT_OF(rows));
}

// What bash offers at the end of a command line.
TEST(views, bash_completes)
{
    static const struct {
        const char *words;
        const char *offers;
    } lines[] = {
        {"brig ex", "explain"},
        {"brig compile renderer ''", ""},
        {"brig compile --form", "--format"},
        {"brig compile --format = r", "raw"},
        {"brig compile -a risc", "riscv64"},
        {"brig emu -a x86_64 renderer pread", "pread64 preadv preadv2"},
        {"brig graph renderer read mmap", "mmap mmap2"},
        {"brig completion z", "zsh"},
        {"brig help pro", "prove"},
        {"brig prove renderer baseline progr", "program"},
        {"brig run --mo", "--mode"},
        {"brig run -- mkfif", "mkfifo"}, // what stands behind -- is another program's
        {"brig run --mode kill -- mkfifo /proc/cmdlin", "/proc/cmdline"},
    };
    static struct command_outcome outcome;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char line[512];
        test_message("%s", lines[i].words);
        snprintf(line, sizeof line,
                 "bash -c 'eval \"$(brig completion bash)\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _brig; echo "
                 "\"${COMPREPLY[*]}\"' x %s",
                 lines[i].words);
        if (CHECK(command_run(line, &outcome))) {
            outcome.text[strcspn(outcome.text, "\n")] = '\0';
            CHECK_STR_EQ(outcome.text, lines[i].offers);
        }
    }
    test_message("%s", "");
}
