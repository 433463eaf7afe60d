"""Reads the argument types and names of system calls from the kernel's SYSCALL_DEFINEn lines.

Gives a dictionary from entry point ("sys_openat") to a list of prototypes, because one entry can have several: clone's argument order
depends on CONFIG_CLONE_BACKWARDS, and each arch may have its own mmap. The caller chooses by the hand-kept prototypes.def.
"""

import os
import re

_COMMON = ("block", "drivers/char", "drivers/pci", "fs", "io_uring", "ipc", "kernel", "mm", "net", "security")
_OWN = {
    "x86_64": ("arch/x86/kernel",),
    "i386": ("arch/x86/kernel",),
    "aarch64": ("arch/arm64/kernel", "arch/arm64/mm"),
    "arm": ("arch/arm/kernel",),
    "riscv64": ("arch/riscv/kernel",),
}
_DEFINE = re.compile(r"^\s*SYSCALL(?:32)?_DEFINE([0-6])\s*\(([^{;]*?)\)\s*(?:\{|$)", re.M | re.S)


class Argument:
    """Type and name, as the kernel writes them."""

    def __init__(self, ctype, name):
        self.ctype = ctype
        self.name = name

    def __eq__(self, other):
        return (self.ctype, self.name) == (other.ctype, other.name)

    def __repr__(self):
        return f"{self.ctype} {self.name}"


def _clean_type(text):
    text = re.sub(r"\b(__user|const|volatile|__force)\b", " ", text)
    text = re.sub(r"\s*\*\s*", " *", text)
    return " ".join(text.split())


def _strip_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def _parse_file(path):
    with open(path, encoding="utf-8", errors="replace") as source:
        text = source.read()
    if "SYSCALL_DEFINE" not in text and "SYSCALL32_DEFINE" not in text:
        return
    for match in _DEFINE.finditer(_strip_comments(text)):
        count = int(match.group(1))
        parts = [" ".join(part.split()) for part in match.group(2).split(",")]
        if len(parts) != 1 + 2 * count:
            continue  # a use inside a macro definition
        arguments = [Argument(_clean_type(parts[i]), parts[i + 1]) for i in range(1, len(parts), 2)]
        yield "sys_" + parts[0], arguments


def _c_files(tree, roots):
    for root in roots:
        for folder, folders, files in os.walk(os.path.join(tree, root)):
            folders.sort()
            yield from (os.path.join(folder, name) for name in sorted(files) if name.endswith(".c"))


def _collect(tree, roots):
    found = {}
    for path in _c_files(tree, roots):
        for entry, arguments in _parse_file(path):
            variants = found.setdefault(entry, [])
            if arguments not in variants:
                variants.append(arguments)
    return found


def read_prototypes(tree):
    """Returns {arch: {entry: [arguments, ...]}}: what the arch's own files define, else what the common files do."""
    missing = [root for roots in (_COMMON, *_OWN.values()) for root in roots if not os.path.isdir(os.path.join(tree, root))]
    if missing:
        raise SystemExit(f"{tree}: only a part of the kernel's sources: {', '.join(dict.fromkeys(missing))} is missing")
    common = _collect(tree, _COMMON)
    return {arch: {**common, **_collect(tree, roots)} for arch, roots in _OWN.items()}
