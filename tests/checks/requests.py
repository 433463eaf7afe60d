#!/usr/bin/env python3
"""What a broker can be asked for is complete: each row of trap/broker_ops.def has a function that serves it, a call or a function
of ours that asks for it, and a test from end to end; and sandbox/broker/REQUESTS.md says the same. --fix writes that file."""

import os
import re

import tree

PAGE = "sandbox/broker/REQUESTS.md"
TEST = "tests/sandbox/broker_ops_test.c"
# Asked for by a function and not by a call: op -> the function in trap/broker.h.
FUNCTIONS = {"RESOLVE": "brig_broker_getaddrinfo"}
ANSWERS = {
    "NUMBER": "a number",
    "DESCRIPTOR": "a descriptor",
    "STATX": "`struct statx`",
    "STATFS": "`struct brig_broker_statfs`",
    "TEXT": "text",
    "ADDRESSES": "`struct brig_broker_resolved`, one or more",
}
HEAD = """# What a broker can be asked for

Made by `tests/checks/requests.py --fix` from `trap/broker_ops.def` and `trap/broker_calls.def`, never edited. A request is the first word of a
row; its function is `box_serve_` with that word, its test `try_` with it in `tests/sandbox/broker_ops_test.c`. Every call below is one that a row
`ROW(call, BROKER)` of a policy can hand over; `brig_policy_broker_paths` and `brig_policy_broker_connect` hand over all of them.

| request | what it does | answer | asked for by |
|---|---|---|---|
"""


def read_ops():
    row = re.compile(r'^OP\((\w+), (\w+), (\d), "([^"]*)"\)$', re.MULTILINE)
    return row.findall(tree.read("trap/broker_ops.def"))


def read_calls():
    """op -> names of calls."""
    calls = {}
    for name, op in re.findall(r"^CALL\((\w+), +(\w+),", tree.read("trap/broker_calls.def"), re.MULTILINE):
        calls.setdefault(op, []).append(name)
    return calls


def make_page(ops, calls):
    rows = []
    for op, answer, _, what in ops:
        asked = ["`%s`" % name for name in calls.get(op, [])]
        asked += ["`%s` (`trap/broker.h`)" % FUNCTIONS[op]] if op in FUNCTIONS else []
        rows.append("| `%s` | %s | %s | %s |\n" % (op, what, ANSWERS[answer], ", ".join(asked)))
    return HEAD + "".join(rows)


def check_op(op, calls, served, tests, header):
    if not re.search(r"^void box_serve_%s\(" % op, served, re.MULTILINE):
        yield "trap/broker_ops.def: %s: no box_serve_%s in sandbox/broker/" % (op, op)
    if op not in calls and op not in FUNCTIONS:
        yield "trap/broker_ops.def: %s: no line of trap/broker_calls.def asks for it" % op
    if op in FUNCTIONS and not re.search(r"\b%s\(" % FUNCTIONS[op], header):
        yield "trap/broker_ops.def: %s: %s is not in trap/broker.h" % (op, FUNCTIONS[op])
    if not re.search(r"^static void try_%s\(" % op, tests, re.MULTILINE):
        yield "%s: no try_%s" % (TEST, op)


def main():
    options = tree.options(__doc__, "--fix")
    findings = []
    ops, calls = read_ops(), read_calls()
    lines = [line for line in tree.read("trap/broker_ops.def").splitlines() if line.startswith("OP(")]
    if len(lines) != len(ops):
        findings.append("trap/broker_ops.def: a row that cannot be read")
    served = "".join(tree.read(name) for name in tree.tracked(".c") if name.startswith("sandbox/broker/serve"))
    tests, header = tree.read(TEST), tree.read("trap/broker.h")
    for op, *_ in ops:
        findings += check_op(op, calls, served, tests, header)
    findings += ["trap/broker_calls.def: %s is no request" % op for op in sorted(set(calls) - {op for op, *_ in ops})]
    page = make_page(ops, calls)
    path = os.path.join(tree.ROOT, PAGE)
    if "--fix" in options:
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
    elif not os.path.exists(path) or tree.read(PAGE) != page:
        findings.append("%s: not what the tables say; tests/checks/requests.py --fix writes it" % PAGE)
    tree.finish(findings)


main()
