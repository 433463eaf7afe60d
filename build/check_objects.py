#!/usr/bin/env python3
"""Fails the build when code that runs where little is allowed calls or writes something that it must not.

Links the objects with each other and lists what is still undefined (every call that leaves them) and what is writable (every
variable that could be half-written when a signal arrives, or shared after fork). Both must be in the allow-lists. Thread-local
variables are writable data as well.

Weakness: a call through a pointer is not seen; tables of functions have to hold functions of the same objects.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

# What compilers add by themselves: position-independent code and the stack protector, under each ABI's name, and libgcc's arithmetic.
COMPILER = re.compile(r"_GLOBAL_OFFSET_TABLE_$|__x86\.get_pc_thunk\.|__stack_chk_(fail|fail_local|guard)$|"
                      r"__(popcount|u?div|u?mod|u?divmod|mul|ashl|ashr|lshr|clz|ctz|ffs|parity|bswap)[sdt]i[234]$")
# Calls that they add in instrumented builds.
INSTRUMENTED = {
    "none": r"$^",
    "coverage": r"__gcov_",
    "sanitizer": r"__(asan|ubsan|tsan|sanitizer|sancov)_|__(start|stop)___sancov_",
}
WRITABLE = "dDbBCsSgG"


def read_list(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.split("#")[0].strip() for line in file]
    return {line for line in lines if line}


def symbols(prefix, path):
    """Yields (type, name) of each symbol of an object file."""
    text = subprocess.run([prefix + "nm", "--format=posix", path], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        fields = line.split()
        yield fields[1], fields[0]


def is_relro(section):
    return section.startswith(".data.rel.ro")


def relro_symbols(prefix, path):
    """Names of const data that only the dynamic loader writes: nm calls it data, but it is read-only when the program runs."""
    text = subprocess.run([prefix + "objdump", "--syms", path], check=True, capture_output=True, text=True).stdout
    names = set()
    for line in text.splitlines():
        match = re.match(r"[0-9a-f]+ .{7} (\S+)\t[0-9a-f]+\s+(?:\.\w+ )?(\S+)$", line)
        if match and is_relro(match.group(1)):
            names.add(match.group(2))
    return names


def check(options, path):
    allowed, data = read_list(options.symbols), read_list(options.data) if options.data else set()
    instrumented = re.compile(INSTRUMENTED[options.instrumented])

    def is_allowed(name):
        return name in allowed or COMPILER.match(name) or instrumented.match(name)

    relro = relro_symbols(options.prefix, path)
    problems = []
    for kind, name in symbols(options.prefix, path):
        if kind in "Uwv" and not is_allowed(name):
            problems.append("calls or reads `%s`, which is not in %s" % (name, options.symbols))
        writable = kind in WRITABLE and name not in relro and not name.startswith(".")
        if writable and re.sub(r"\.\d+$", "", name) not in data and options.instrumented == "none":
            problems.append("has writable data `%s`, which is not in %s" % (name, options.data or "any list"))
    return problems


def users(options, name):
    return [path for path in options.objects if any(name == symbol for _, symbol in symbols(options.prefix, path))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--symbols", required=True)
    parser.add_argument("--data")
    parser.add_argument("--instrumented", choices=sorted(INSTRUMENTED), required=True)
    parser.add_argument("--stamp", required=True)
    parser.add_argument("--depfile", required=True)
    parser.add_argument("--prefix", default="", help="of the binutils that read these objects")
    parser.add_argument("objects", nargs="+")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        linked = os.path.join(folder, "linked.o")
        subprocess.run([options.prefix + "ld", "-r", "-o", linked] + options.objects, check=True)
        problems = check(options, linked)
    if problems:
        for problem in problems:
            name = problem.split("`")[1]
            places = users(options, name)
            print("%s: %s (%s)" % (options.name, problem, ", ".join(places[:3] + ["..."] * (len(places) > 3))), file=sys.stderr)
        sys.exit(1)

    with open(options.depfile, "w", encoding="utf-8") as file:
        file.write("%s: %s\n" % (options.stamp, " ".join(options.objects)))
    with open(options.stamp, "w", encoding="utf-8"):
        pass


main()
