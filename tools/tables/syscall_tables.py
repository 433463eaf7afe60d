"""Reads the kernel's syscall tables (*.tbl) of the five target arches."""

import os
import re

ARCHES = ("x86_64", "i386", "aarch64", "arm", "riscv64")

# arch -> (table paths, newest layout first; the abis of the table that the arch has)
_TABLES = {
    "x86_64": (("arch/x86/entry/syscalls/syscall_64.tbl",), {"common", "64"}),
    "i386": (("arch/x86/entry/syscalls/syscall_32.tbl",), {"i386"}),
    "aarch64": (("arch/arm64/tools/syscall_64.tbl", "scripts/syscall.tbl"),
                {"common", "64", "renameat", "rlimit", "memfd_secret"}),
    "arm": (("arch/arm/tools/syscall.tbl",), {"common", "eabi"}),
    "riscv64": (("scripts/syscall.tbl",), {"common", "64", "riscv", "rlimit", "memfd_secret"}),
}

# arch/arm/include/uapi/asm/unistd.h: __ARM_NR_*, above the table, dispatched by arch/arm/kernel/traps.c:arm_syscall.
_ARM_PRIVATE = {
    "breakpoint": 0x0F0001,
    "cacheflush": 0x0F0002,
    "usr26": 0x0F0003,
    "usr32": 0x0F0004,
    "set_tls": 0x0F0005,
    "get_tls": 0x0F0006,
}


class Row:
    """One line of a table: number, name, native entry point or None, compat entry point or None."""

    def __init__(self, nr, name, entry, compat):
        self.nr = nr
        self.name = name
        self.entry = entry
        self.compat = compat


def _entry(fields, index):
    return fields[index] if len(fields) > index and fields[index] != "-" else None


def read_table(path, abis):
    """Returns {name: Row} of one .tbl file, of the lines whose abi is one of `abis`."""
    rows = {}
    with open(path, encoding="ascii") as table:
        for line in table:
            fields = line.split("#")[0].split()
            if len(fields) < 3 or fields[1] not in abis:
                continue
            if fields[2] in rows:
                raise SystemExit(f"{path}: {fields[2]} appears twice")
            rows[fields[2]] = Row(int(fields[0]), fields[2], _entry(fields, 3), _entry(fields, 4))
    return rows


def read_arch(tree, arch):
    """Returns {name: Row} of `arch` in the kernel sources at `tree`, or None if that tree has no table for it."""
    paths, abis = _TABLES[arch]
    for path in (os.path.join(tree, path) for path in paths):
        if os.path.exists(path):
            rows = read_table(path, abis)
            break
    else:
        return None
    if arch == "arm":
        for name, nr in _ARM_PRIVATE.items():
            rows[name] = Row(nr, name, None, None)
    return rows


def read_all(tree):
    """Returns {arch: {name: Row}}; every arch must have its table."""
    tables = {arch: read_arch(tree, arch) for arch in ARCHES}
    missing = [arch for arch, rows in tables.items() if rows is None]
    if missing:
        raise SystemExit(f"{tree}: no syscall table for {', '.join(missing)} (Linux 6.12 or later is needed)")
    return tables


def kernel_version(tree):
    """Returns (major, minor, release) from the tree's Makefile: (7, 3, "7.3.4")."""
    path = os.path.join(tree, "Makefile")
    if not os.path.exists(path):
        raise SystemExit(f"{tree}: no kernel sources: it has no Makefile")
    with open(path, encoding="ascii") as makefile:
        text = makefile.read(2000)
    words = re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$", text, re.M)
    if [word for word, _ in words] != ["VERSION", "PATCHLEVEL", "SUBLEVEL"]:
        raise SystemExit(f"{path}: not the Makefile of a kernel: it has no VERSION, PATCHLEVEL and SUBLEVEL")
    numbers = [number for _, number in words]
    return int(numbers[0]), int(numbers[1]), ".".join(numbers)
