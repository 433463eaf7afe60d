#!/usr/bin/env python3
"""The numbers of the house style that can be counted: lengths of files, functions and READMEs, density of #if, and words that have
no place in what is shipped. Layout is clang-format's business.

Weakness: a function is found by its layout (a brace alone in column 1 opens it, another closes it), which clang-format guarantees.
"""

import re

import tree

FILE_LINES = 600
FUNCTION_LINES = 100
PARAMETERS = 5
README_LINES = 60
IFS_PER_1000 = 3
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX|HACK|placeholder|for now)\b")
CONDITIONAL = re.compile(r"^\s*#\s*(?:if|elif)\b(?!.*__cplusplus)", re.MULTILINE)


def functions(text):
    """Yields (first line, number of lines, heading, body) of each function definition."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines):
        if line == "{" and start is None:
            start = number
        elif line == "}" and start is not None:
            heading = number_of_heading(lines, start)
            yield heading + 1, number - start + 1, " ".join(lines[heading:start]), lines[start:number + 1]
            start = None


def number_of_heading(lines, brace):
    first = brace - 1
    while first > 0 and lines[first].startswith(" "):
        first -= 1
    return first


def parameter_count(heading):
    match = re.search(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*$", heading)
    if not match or match.group(1).strip() in ("", "void"):
        return 0
    if "unw_" in match.group(1):
        return 0  # libunwind's own signature
    # Every function that can fail has the error as well; it does not count.
    inside, depth, count = re.sub(r",\s*struct brig_error \*reterr$", "", match.group(1)), 0, 1
    for char in inside:
        depth += char == "("
        depth -= char == ")"
        count += char == "," and depth == 0
    return count


def is_one_switch(body):
    return sum(line.startswith("    switch (") for line in body) == 1


def check_functions(name, text):
    for line, length, heading, body in functions(text):
        if length > FUNCTION_LINES and not is_one_switch(body):
            yield "%s:%d: a function of %d lines (at most %d)" % (name, line, length, FUNCTION_LINES)
        if parameter_count(heading) > PARAMETERS:
            yield "%s:%d: a function of %d parameters (at most %d)" % (name, line, parameter_count(heading), PARAMETERS)


def check_file(name, text):
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield "%s: %d lines (at most %d)" % (name, lines, FILE_LINES)


def check_ifs():
    """By room, because a small file may need its one."""
    for room in ("bpf_dsl", "trap", "policies", "sandbox", "tools"):
        names = [name for name in tree.tracked(".c", ".h") if name.startswith(room + "/") and "/arch/" not in name]
        names = [name for name in names if not tree.is_generated(name)]
        lines = sum(tree.read(name).count("\n") for name in names)
        count = sum(len(CONDITIONAL.findall(tree.read(name))) for name in names)
        if lines and count > max(1, lines * IFS_PER_1000 / 1000):
            yield "%s: %d #if in %d lines (at most %d per 1000)" % (room, count, lines, IFS_PER_1000)


def check_readmes():
    for room in tree.ROOMS + ("build",):
        name = room + "/README.md"
        if name not in tree.tracked("README.md"):
            yield "%s: this room has no README.md" % room
        elif tree.read(name).count("\n") > README_LINES:
            yield "%s: %d lines (at most %d)" % (name, tree.read(name).count("\n"), README_LINES)


def check_words():
    for name in tree.tracked(".c", ".h", ".cc", ".S", ".def", ".py", ".gn", ".gni", ".md", ".sh"):
        if name.startswith("tests/checks/"):
            continue
        for number, line in enumerate(tree.read(name).splitlines(), 1):
            match = LEFTOVER.search(line)
            if match:
                yield "%s:%d: `%s`" % (name, number, match.group(1))


def main():
    tree.options(__doc__)
    findings = []
    for name in tree.tracked(".c", ".h", ".cc"):
        if not tree.is_generated(name):
            findings += check_file(name, tree.read(name))
            findings += check_functions(name, tree.read(name))
    findings += check_ifs()
    findings += check_readmes()
    findings += check_words()
    tree.finish(findings)


main()
