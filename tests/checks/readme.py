#!/usr/bin/env python3
"""What README.md shows of programs is in examples/, to the letter: first worker.c, whole, which has at most 60 lines; then pieces."""

import re

import tree

LINES_MAX = 60


def main():
    tree.options(__doc__)
    findings = []
    program = tree.read("examples/worker.c")
    shown = re.findall(r"```c\n(.*?)```", tree.read("README.md"), re.DOTALL)
    examples = [tree.read(name) for name in tree.tracked(".c") if name.startswith("examples/")]
    if shown[:1] != [program]:
        findings.append("README.md: the program that it shows is not examples/worker.c as it stands")
    for piece in shown[1:]:
        if not any(piece in example for example in examples):
            findings.append("README.md: no example has this: %s ..." % piece.splitlines()[0].strip())
    if program.count("\n") > LINES_MAX:
        findings.append("examples/worker.c: more than %d lines" % LINES_MAX)
    tree.finish(findings)


main()
