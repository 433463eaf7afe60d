"""Evaluates the constants of the kernel's uapi headers for each arch, with clang as a cross-compiler and without running anything.

`make headers` writes what users of the kernel see into a directory that nobody wrote to before, so nothing of another tree can be left.
All headers of headers.list go into one translation unit; its macros and enumerators that match families.def are the candidates;
each candidate becomes `const long long brig_N = NAME;`, and its value is read from the LLVM IR. What does not compile is no constant.
"""

import os
import re
import shutil
import subprocess

CLANG = shutil.which("clang") or shutil.which("clang-14")

_TARGETS = {
    "x86_64": ("x86", "x86_64-linux-gnu"),
    "i386": ("x86", "i686-linux-gnu"),
    "aarch64": ("arm64", "aarch64-linux-gnu"),
    "arm": ("arm", "arm-linux-gnueabihf"),
    "riscv64": ("riscv", "riscv64-linux-gnu"),
}

# Constants of the system call interface that the kernel keeps in internal headers: file, and what to take from it.
_INTERNAL = (
    ("include/linux/socket.h", r"^#define\s+((?:AF|PF|MSG|SOL|SCM)_\w+)\s+(.+)$"),
    ("include/linux/net.h", r"^#define\s+(SOCK_(?:CLOEXEC|NONBLOCK|TYPE_MASK))\s+(.+)$"),
    ("include/linux/splice.h", r"^#define\s+(SPLICE_F_(?:MOVE|NONBLOCK|MORE|GIFT))\s+(.+)$"),
    ("include/linux/fs.h", r"^#define\s+((?:MNT|UMOUNT)_(?:FORCE|DETACH|EXPIRE|NOFOLLOW))\s+(.+)$"),
    ("include/linux/swap.h", r"^#define\s+(SWAP_FLAG_\w+)\s+(.+)$"),
    ("include/linux/syslog.h", r"^#define\s+(SYSLOG_ACTION_\w+)\s+(.+)$"),
)
_INTERNAL_ENUMS = (("include/linux/net.h", "sock_type"), ("include/linux/net.h", "sock_shutdown_cmd"))

# What asm/unistd.h calls like a number and is none, and arm's second name of arm_sync_file_range.
NO_NUMBERS = {"__NR_syscalls", "__NR_arch_specific_syscall", "__NR_OABI_SYSCALL_BASE", "__NR_SYSCALL_BASE", "__NR_SYSCALL_MASK",
               "__ARM_NR_BASE", "__NR_sync_file_range2"}

_IS_IOCTL = re.compile(r"\b(?:_IO[RW]*|_IOC|DRM_IO[RW]*|BTRFS_IO\w*|\w+_IO[RW]*)\s*\(")

# libc headers that uapi headers ask for outside the kernel, with the little that they need of them.
_SHIM = {
    "stdint.h": "#include <linux/types.h>\ntypedef __u8 uint8_t; typedef __u16 uint16_t; typedef __u32 uint32_t; typedef __u64 uint64_t;\n"
                "typedef __s8 int8_t; typedef __s16 int16_t; typedef __s32 int32_t; typedef __s64 int64_t; typedef long intptr_t;\n"
                "typedef unsigned long uintptr_t;\n",
    "sys/types.h": "#include <stdint.h>\n",
    "sys/socket.h": "#ifndef BRIG_SOCKET\n#define BRIG_SOCKET\ntypedef unsigned short sa_family_t;\n"
                    "struct sockaddr { sa_family_t sa_family; char sa_data[14]; };\n#endif\n",
    "sys/time.h": "#include <time.h>\n",
    "time.h": "#ifndef BRIG_TIME\n#define BRIG_TIME\ntypedef long time_t;\n#include <linux/time.h>\n#endif\n",
    "sys/ioctl.h": "", "string.h": "", "limits.h": "", "stdbool.h": "",
    "endian.h": "", "stdlib.h": "", "net/if.h": "", "netinet/in.h": "",
}


def _read_header(path):
    with open(path, encoding="utf-8") as header:
        return re.sub(r"/\*.*?\*/", " ", header.read().replace("\\\n", " "), flags=re.S)


def _internal_header(tree):
    lines = []
    for path, pattern in _INTERNAL:
        for name, value in re.findall(pattern, _read_header(os.path.join(tree, path)), re.M):
            lines += [f"#ifndef {name}", f"#define {name} {value.strip()}", "#endif"]
    for path, enum in _INTERNAL_ENUMS:
        lines.append(re.search(rf"enum {enum} \{{.*?\}};", _read_header(os.path.join(tree, path)), re.S).group(0))
    return "\n".join(lines) + "\n"


def _words_of(path):
    with open(path, encoding="ascii") as lines:
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _any_of(expressions):
    return re.compile("|".join(f"(?:{expression})" for expression in expressions) or "(?!)")


class Evaluator:
    """Everything that one run needs: where the sources are, where to build, what to take."""

    def __init__(self, tree, build, here):
        self.tree = tree
        self.build = build
        self.headers = _words_of(os.path.join(here, "headers.list"))
        self.aliases = os.path.join(here, "aliases.h")
        words = _words_of(os.path.join(here, "families.def"))
        self.wanted = _any_of(word for word in words if not word.startswith(("-", "ioctl ")))
        self.wanted_ioctls = _any_of(word[6:] for word in words if word.startswith("ioctl "))
        self.unwanted = _any_of(word[1:] for word in words if word.startswith("-"))

    def _is_wanted(self, name, body):
        if self.unwanted.fullmatch(name):
            return False
        return self.wanted.fullmatch(name) or (_IS_IOCTL.search(body) and self.wanted_ioctls.fullmatch(name))

    def _install_headers(self, kernel_arch):
        where = os.path.join(self.build, kernel_arch)
        include = os.path.join(where, "usr/include")
        if not os.path.exists(include):
            command = ["make", "-s", "-j", str(os.cpu_count()), "-C", self.tree, "headers", f"ARCH={kernel_arch}", f"O={where}"]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                raise SystemExit(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}".rstrip())
        return include

    def _write_shim(self):
        shim = os.path.join(self.build, "shim")
        for name, text in {**_SHIM, "brig_internal.h": _internal_header(self.tree)}.items():
            path = os.path.join(shim, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as header:
                header.write(text)
        return shim

    def _clang(self, arch, arguments):
        kernel_arch, triple = _TARGETS[arch]
        include = self._install_headers(kernel_arch)
        command = [CLANG, f"--target={triple}", "-nostdinc", "-w", "-ferror-limit=0", "-isystem", include, "-isystem",
                   self._write_shim(), "-std=gnu11", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def _prologue(self, arch):
        include = self._install_headers(_TARGETS[arch][0])
        present = [header for header in self.headers if os.path.exists(os.path.join(include, header))]
        lines = ["typedef __SIZE_TYPE__ size_t;", "#define NULL ((void *)0)", "#define offsetof __builtin_offsetof",
                 "#define __poll_t unsigned", "#define __force", "#define __user", "#define __iomem"]
        lines += [f"#include <{header}>" for header in ("sys/socket.h", "time.h", *present)]
        return "\n".join([*lines, "#include <brig_internal.h>", f'#include "{self.aliases}"', ""])

    def _candidates(self, arch, source):
        macros = self._clang(arch, ["-E", "-dM", source])
        text = self._clang(arch, ["-E", "-P", source])
        if macros.returncode or text.returncode:
            raise SystemExit(f"{arch}: the headers do not preprocess:\n{macros.stderr}{text.stderr}")
        bodies = dict(re.findall(r"^#define (\w+) (.+)$", macros.stdout, re.M))
        for enum in re.findall(r"\benum\b[^{};()]*\{([^{}]*)\}", text.stdout):
            for name in re.findall(r"(?:^|,)\s*(\w+)\s*(?==|,|$)", enum):
                bodies.setdefault(name, "")
        return sorted(name for name, body in bodies.items() if self._is_wanted(name, body))

    def _values(self, arch, prologue, names):
        """{name: value} of those of `names` that are constant expressions after `prologue`."""
        source = os.path.join(self.build, f"constants_{arch}.c")
        while True:
            with open(source, "w", encoding="ascii") as out:
                out.write(prologue)
                out.write("#line 1 \"candidates\"\n")
                out.writelines(f"const long long brig_{i} = (long long)({name});\n" for i, name in enumerate(names))
            result = self._clang(arch, ["-S", "-emit-llvm", "-O0", "-o", "-", source])
            bad = {int(line) for line in re.findall(r"^candidates:(\d+):", result.stderr, re.M)}
            other = [line for line in result.stderr.splitlines() if ": error:" in line and not line.startswith("candidates:")]
            if result.returncode == 0:
                break
            if not bad:
                raise SystemExit(f"{arch}: the headers do not compile:\n" + "\n".join(other[:20]))
            names = [name for i, name in enumerate(names) if i + 1 not in bad]
        values = re.findall(r"^@brig_(\d+) = .*constant i64 (-?\d+)", result.stdout, re.M)
        return {names[int(i)]: int(value) for i, value in values}

    def evaluate(self, arch):
        """Returns {name: value} for `arch`."""
        source = os.path.join(self.build, f"constants_{arch}.c")
        prologue = self._prologue(arch)
        with open(source, "w", encoding="ascii") as out:
            out.write(prologue)
        return self._values(arch, prologue, self._candidates(arch, source))

    def numbers(self, arch):
        """Returns {call: number} as asm/unistd.h of `arch` has them."""
        prologue = "#include <asm/unistd.h>\n"
        source = os.path.join(self.build, f"numbers_{arch}.c")
        with open(source, "w", encoding="ascii") as out:
            out.write(prologue)
        macros = self._clang(arch, ["-E", "-dM", source])
        if macros.returncode:
            raise SystemExit(f"{arch}: asm/unistd.h does not preprocess:\n{macros.stderr}")
        values = self._values(arch, prologue, re.findall(r"^#define (__(?:ARM_)?NR_\w+) ", macros.stdout, re.M))
        return {name.split("NR_", 1)[1]: value for name, value in values.items() if name not in NO_NUMBERS}
