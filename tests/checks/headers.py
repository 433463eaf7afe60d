#!/usr/bin/env python3
"""Headers stand alone: every header compiles by itself, public ones also in their installed form, as C11 and as C++17.

headers.py BUILD_DIR

Installed headers are compiled with BUILD_DIR/include alone, by both compilers, as a stranger's program would.
"""

import os
import subprocess
import sys

import tree

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
C11 = ["-std=c11", "-x", "c", "-D_GNU_SOURCE"]
CXX17 = ["-std=c++17", "-x", "c++", "-D_GNU_SOURCE"]


def complaint(compiler, options, include):
    """Compiles a file that has nothing but one include, twice: the guard is part of the contract."""
    source = "#include %s\n#include %s\nextern int used;\n" % (include, include)
    command = [compiler] + options + WARNINGS + ["-"]
    run = subprocess.run(command, input=source, cwd=tree.ROOT, capture_output=True, text=True, check=False)
    return None if run.returncode == 0 else "%s %s: #include %s\n%s" % (compiler, options[0], include, run.stderr)


def check_installed(folder):
    for where, _, names in sorted(os.walk(os.path.join(folder, "brig"))):
        for name in sorted(name for name in names if name.endswith(".h")):
            include = "<%s>" % os.path.relpath(os.path.join(where, name), folder)
            for compiler in ("gcc", "clang-14"):
                yield complaint(compiler, C11 + ["-I", folder], include)
            for compiler in ("g++", "clang++-14"):
                yield complaint(compiler, CXX17 + ["-I", folder], include)


def check_own():
    for name in tree.tracked(".h"):
        # Other machines' headers are included by one file that chooses.
        if "/arch/" not in name and not name.startswith("tests/"):
            yield complaint("gcc", ["-std=gnu11", "-x", "c", "-D_GNU_SOURCE", "-I", "."], '"%s"' % name)


def main():
    folder = os.path.join(tree.build_directory(__doc__), "include")
    if not os.path.isdir(folder):
        sys.exit("headers.py: there is no %s; build //:headers first" % folder)
    tree.finish([text for text in list(check_installed(folder)) + list(check_own()) if text])


main()
