#!/usr/bin/env python3
"""The program that README.md shows is examples/worker.c, to the letter, and has at most 60 lines."""

import re

import tree

LINES_MAX = 60


def main():
    findings = []
    program = tree.read("examples/worker.c")
    if re.findall(r"```c\n(.*?)```", tree.read("README.md"), re.DOTALL) != [program]:
        findings.append("README.md: the program that it shows is not examples/worker.c as it stands")
    if program.count("\n") > LINES_MAX:
        findings.append("examples/worker.c: more than %d lines" % LINES_MAX)
    tree.finish(findings)


main()
