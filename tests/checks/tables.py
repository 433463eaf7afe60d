#!/usr/bin/env python3
"""The generated tables of calls and constants are what tools/tables/generate.py wrote from the rules beside it, and their numbers are those
of other people: of the kernel's headers for each arch, as far as this machine has them (linux-libc-dev and its -cross packages; of any
version, because numbers never change), and of libseccomp, if it is here. Prints what was compared; none at all is a failure."""

import ctypes
import ctypes.util
import os
import re
import subprocess
import sys

import tree

RULES = os.path.join(tree.ROOT, "tools/tables")
sys.dont_write_bytecode = True
sys.path.insert(0, RULES)

import stamp
import syscall_tables
from constants import CLANG, NO_NUMBERS

FILES = ("bpf_dsl/tables/calls.def", "bpf_dsl/tables/calls_data.c", "bpf_dsl/tables/constants_data.c")
# Per arch: clang's target, directories that hold its asm/ (of a cross package, of multiarch, of this machine), libseccomp's token.
ARCHES = {
    "x86_64": ("x86_64-linux-gnu", ("/usr/x86_64-linux-gnu/include", "/usr/include/x86_64-linux-gnu"), 0xC000003E),
    "i386": ("i686-linux-gnu", ("/usr/i686-linux-gnu/include", "/usr/include/i386-linux-gnu", "/usr/include/x86_64-linux-gnu"), 0x40000003),
    "aarch64": ("aarch64-linux-gnu", ("/usr/aarch64-linux-gnu/include", "/usr/include/aarch64-linux-gnu"), 0xC00000B7),
    "arm": ("arm-linux-gnueabihf", ("/usr/arm-linux-gnueabihf/include", "/usr/include/arm-linux-gnueabihf"), 0x40000028),
    "riscv64": ("riscv64-linux-gnu", ("/usr/riscv64-linux-gnu/include", "/usr/include/riscv64-linux-gnu"), 0xC00000F3),
}
FEWEST = 300  # calls that any headers and any libseccomp know on every arch
HIGHEST = 0x0F0010  # past arm's private calls


def read_numbers():
    """{arch: {call: number}} of calls_data.c."""
    numbers = {arch: {} for arch in ARCHES}
    row = re.compile(r"^    \[BRIG_SYS_(\w+)\] = \{N\(\1\), [^{}]*, \{([-\d, ]+)\}", re.MULTILINE)
    for name, columns in row.findall(tree.read("bpf_dsl/tables/calls_data.c")):
        for arch, nr in zip(syscall_tables.ARCHES, columns.split(", ")):
            if int(nr) >= 0:
                numbers[arch][name] = int(nr)
    return numbers


def preprocess(target, include, text, *options):
    includes = ["-isystem", include, "-isystem", "/usr/include"]
    command = [CLANG, "--target=" + target, "-nostdinc", *includes, "-E", "-x", "c", *options, "-"]
    return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout


def header_numbers(target, include):
    """{call: number} of asm/unistd.h in `include`."""
    header = "#include <asm/unistd.h>\n"
    names = re.findall(r"^#define (__(?:ARM_)?NR_\w+) ", preprocess(target, include, header, "-dM"), re.MULTILINE)
    lines = "".join('"%s" %s\n' % (name, name) for name in names if name not in NO_NUMBERS)
    found = {}
    for name, value in re.findall(r'^"\w*?NR_(\w+)" ([+()\s\dxa-fA-F]+)$', preprocess(target, include, header + lines, "-P"), re.MULTILINE):
        found[name] = sum(int(term, 0) for term in re.findall(r"\w+", value))
    return found


def compare(source, arch, ours, theirs):
    highest = max(nr for nr in ours.values() if nr < 1024)
    newer = sorted(name for name, nr in theirs.items() if highest < nr < 1024)
    print("%s: %d calls of %s compared%s" % (source, len(theirs), arch, ", newer than the tables: %s" % newer if newer else ""))
    if len(theirs) < FEWEST:
        yield "%s: only %d calls of %s found" % (source, len(theirs), arch)
    for name in sorted(theirs):
        if name not in newer and ours.get(name) != theirs[name]:
            yield "bpf_dsl/tables/calls_data.c: %s on %s: %s here, %s in %s" % (name, arch, ours.get(name), theirs[name], source)


def check_headers(numbers):
    compared = 0
    if not CLANG:
        yield "clang is not installed, and reads the headers of each arch: tools/install"
        return
    for arch, (target, includes, _) in ARCHES.items():
        for include in includes:
            if os.path.exists(os.path.join(include, "asm/unistd.h")):
                yield from compare(include, arch, numbers[arch], header_numbers(target, include))
                compared += 1
    if not compared:
        yield "no asm/unistd.h of any arch found: tools/install"


def seccomp_numbers(library, token, names):
    """What libseccomp resolves of `names` and of numbers; its negative numbers stand for calls that an arch lacks or multiplexes."""
    by_name = library.seccomp_syscall_resolve_name_arch
    by_name.argtypes, by_name.restype = [ctypes.c_uint32, ctypes.c_char_p], ctypes.c_int
    by_nr = library.seccomp_syscall_resolve_num_arch
    by_nr.argtypes, by_nr.restype = [ctypes.c_uint32, ctypes.c_int], ctypes.c_void_p
    libc = ctypes.CDLL(None)
    libc.free.argtypes = [ctypes.c_void_p]
    found = {name: by_name(token, name.encode()) for name in names}
    for nr in (*range(1024), *range(HIGHEST - 16, HIGHEST)):
        name = by_nr(token, nr)
        if name:
            found[ctypes.string_at(name).decode()] = nr
            libc.free(name)
    return {name: nr for name, nr in found.items() if nr >= 0}


def check_seccomp(numbers):
    path = ctypes.util.find_library("seccomp")
    if not path:
        print("no libseccomp here")
        return
    library = ctypes.CDLL(path)
    names = sorted(set().union(*numbers.values()))
    for arch, (_, _, token) in ARCHES.items():
        theirs = seccomp_numbers(library, token, names)
        yield from compare(path, arch, numbers[arch], theirs)


def main():
    tree.options(__doc__)
    findings = []
    for name in FILES:
        complaint = stamp.complaint(tree.read(name), RULES)
        if complaint:
            findings.append("%s: %s" % (name, complaint))
    numbers = read_numbers()
    findings += check_headers(numbers)
    findings += check_seccomp(numbers)
    tree.finish(findings)


main()
