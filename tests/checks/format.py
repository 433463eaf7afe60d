#!/usr/bin/env python3
"""Every C and C++ file is laid out as .clang-format says; generated tables are not looked at.

format.py          say which files are not
format.py --fix    lay them out
"""

import subprocess
import sys

import tree


def main():
    options = tree.options(__doc__, "--fix")
    names = [name for name in tree.tracked(".c", ".h", ".cc") if not tree.is_generated(name)]
    mode = ["-i"] if "--fix" in options else ["--dry-run", "-Werror"]
    sys.exit(subprocess.run(["clang-format-14"] + mode + names, cwd=tree.ROOT, check=False).returncode)


main()
