#!/usr/bin/env python3
"""The names that rooms give away: every global symbol of a room's objects starts with the room's public or internal prefix, and
nobody invents names that start as the kernel's do.

names.py BUILD_DIR

Takes the objects of a plain gcc or clang build.
"""

import glob
import os
import re
import subprocess
import sys

import tree

PREFIXES = {
    "bpf_dsl": ("brig_dsl_", "brig_code_", "brig_error_", "dsl_"),
    "trap": ("brig_trap_", "brig_broker_", "trap_"),
    "policies": ("brig_policy_", "policy_"),
    "sandbox": ("brig_", "box_"),
}
# The one folder that defines names of libc: what its list says, under libc's own names or the linker's.
WRAPPED = re.compile(r"--wrap=(\w+)$", re.MULTILINE)
KERNEL_DEFINE = re.compile(r"^\s*#\s*define\s+((?:bpf_|BPF_|SECCOMP_|SYS_|__NR_)\w+)", re.MULTILINE)
# Also names that start so and are not object macros.
KERNEL_TYPE = re.compile(r"^\s*(?:struct|enum|union)\s+((?:bpf_|seccomp_)\w+)\s*\{", re.MULTILINE)


def globals_of(path):
    text = subprocess.run(["nm", "--defined-only", "--extern-only", "--format=posix", path], check=True, capture_output=True,
                          text=True).stdout
    return [line.split()[0] for line in text.splitlines()]


def check_symbols(build):
    wrapped = WRAPPED.findall(tree.read("trap/wrap/wrap.flags"))
    wrappers = set(wrapped + ["__wrap_" + name for name in wrapped])
    if not glob.glob(os.path.join(build, "obj", "bpf_dsl", "*.o")):
        yield "%s has no objects of bpf_dsl: build it first" % build
    for room, prefixes in PREFIXES.items():
        for path in sorted(glob.glob(os.path.join(build, "obj", room, "**", "*.o"), recursive=True)):
            exceptions = wrappers if "/obj/trap/wrap/" in path else ()
            for symbol in globals_of(path):
                if not symbol.startswith(prefixes) and symbol not in exceptions:
                    yield "%s: `%s` starts with none of %s" % (os.path.relpath(path, build), symbol, ", ".join(prefixes))


def check_kernel_names():
    for name in tree.tracked(".c", ".h"):
        text = tree.read(name)
        for pattern in (KERNEL_DEFINE, KERNEL_TYPE):
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start(1)) + 1
                # A value that old headers lack may be given under its own name, where it is missing.
                if "#ifndef " + match.group(1) not in text:
                    yield "%s:%d: `%s` is the kernel's kind of name" % (name, line, match.group(1))


tree.finish(list(check_symbols(tree.build_directory(__doc__))) + list(check_kernel_names()))
