#!/usr/bin/env python3
"""The doors between rooms: every #include goes through one that is open.

GN's `visibility` says the same about targets; this also sees headers that no target lists, and system headers: the worker side
needs libc alone, so it may include what musl has, the compiler's own headers and the kernel's.
"""

import os
import re

import tree

# Room: what it may include beside its own files. A folder ends in "/".
DOORS = {
    "bpf_dsl": (),
    "trap": ("bpf_dsl/",),
    "policies": ("bpf_dsl/", "trap/trap.h"),
    "sandbox": ("bpf_dsl/", "trap/"),
    "tools": tree.ROOMS,
    "tests": tree.ROOMS,
}
LIBC_ONLY = ("bpf_dsl", "trap", "policies")
MUSL = "/usr/include/x86_64-linux-musl"
KERNEL = ("linux/", "asm/", "asm-generic/")
SANITIZER = ("sanitizer/",)
COMPILER = ("stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h", "float.h", "stdalign.h", "stdnoreturn.h")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)


def room_of(name):
    return name.split("/", 1)[0]


def check_own(name, included):
    room, target = room_of(name), room_of(included)
    if "/" not in included or target not in tree.ROOMS:
        return "\"%s\" does not start at the repository's root" % included
    if target == room or room not in DOORS or any(included.startswith(door) for door in DOORS[room]):
        return None
    return "%s has no door to %s" % (room, included)


def check_system(name, included):
    if room_of(name) not in LIBC_ONLY or included in COMPILER or included.startswith(KERNEL + SANITIZER):
        return None
    if os.path.isdir(MUSL) and not os.path.exists(os.path.join(MUSL, included)):
        return "<%s> is neither in every libc nor the kernel's" % included
    return None


def main():
    tree.options(__doc__)
    findings = []
    for name in tree.tracked(".c", ".h", ".cc", ".S", ".def"):
        if room_of(name) not in DOORS:
            continue
        text = tree.read(name)
        for match in INCLUDE.finditer(text):
            problem = (check_own if match.group(1) == '"' else check_system)(name, match.group(2))
            if problem:
                findings.append("%s:%d: %s" % (name, text.count("\n", 0, match.start()) + 1, problem))
    tree.finish(findings)


main()
