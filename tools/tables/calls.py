"""Puts tables, prototypes and the hand-kept meanings together: per call and arch the list of arguments as registers hold them."""

import re

import prototypes
import syscall_tables
from types_of_arguments import Type

_32BIT = ("i386", "arm")
# The arguments are in user memory: a filter sees only a pointer, or a call number and a pointer.
MEMORY_ARGUMENTS = {("i386", "socketcall"), ("i386", "ipc"), ("i386", "mmap"), ("i386", "select")}


class Register:
    """One argument register: what struct brig_dsl_argument holds."""

    def __init__(self, name, kind, bits, is_signed, is_pointer=False, pointee=None, group=None):
        self.name = name
        self.kind = kind
        self.bits = bits
        self.is_signed = is_signed
        self.is_pointer = is_pointer
        self.pointee = pointee
        self.group = group

    def key(self):
        """What makes two arguments the same."""
        return (self.name, self.kind, self.bits, self.is_signed, self.is_pointer, self.pointee or "", self.group or "")


def _lines(path):
    with open(path, encoding="ascii") as text:
        return [line.split("#")[0].strip() for line in text if line.split("#")[0].strip()]


def read_words(path):
    """{first word: rest of the words} of a .def file."""
    table = {}
    for line in _lines(path):
        word, *rest = line.split()
        if word in table:
            raise SystemExit(f"{path}: {word} appears twice")
        table[word] = rest
    return table


def _read_overrides(path):
    table = {}
    for line in _lines(path):
        call, text = (part.strip() for part in line.split("=", 1))
        table[call] = [_argument(part) for part in text.split(",") if part.strip()]
    return table


def _argument(text):
    ctype, name = re.fullmatch(r"(.*?)(\w+)", text.strip()).groups()
    return prototypes.Argument(" ".join(ctype.split()), name)


class Calls:
    """All that the hand-kept files and the kernel's sources say about arguments."""

    def __init__(self, tree, here):
        self.tables = syscall_tables.read_all(tree)
        self.prototypes = prototypes.read_prototypes(tree)
        self.overrides = _read_overrides(f"{here}/prototypes.def")
        self.meanings = read_words(f"{here}/arguments.def")
        self.renames = {old: new[0] for old, new in read_words(f"{here}/renames.def").items()}
        self.used = set()

    def names(self):
        """Every call of every arch, sorted."""
        return sorted(set().union(*self.tables.values()))

    def _lookup(self, table, call, arch):
        for key in (f"{call}@{arch}", call):
            if key in table:
                self.used.add((id(table), key))
                return table[key]
        return None

    def prototype(self, call, arch):
        """The kernel's own prototype of `call`; the i386 entries that take 64-bit values in halves give way to the plain ones."""
        override = self._lookup(self.overrides, call, arch)
        if override is not None:
            return override
        entry = self.tables[arch][call].entry or ""
        variants = self.prototypes[arch].get(entry.replace("sys_ia32_", "sys_"), [])
        if len(variants) != 1:
            raise SystemExit(f"{call} on {arch}: {len(variants)} prototypes of {entry!r} found; prototypes.def has to say")
        return variants[0]

    def _meaning(self, call, arch, argument, word):
        name, _, kind = word.partition(":")
        ctype = Type(argument.ctype)
        name = self.renames.get(argument.name, argument.name) if name == "." else name
        bits = ctype.bits
        if kind.endswith("!32"):
            kind, bits = kind[:-3], 32
        group = None
        if kind[:2] in ("e=", "f="):
            kind, group = {"e": "enum", "f": "flags"}[kind[0]], kind[2:]
        kind = kind or ctype.kind(name)
        is_signed = ctype.is_signed or (kind == "fd" and bits != ctype.bits)
        if ctype.is_pointer and kind in ("i", "size", "fd", "pid", "enum", "flags"):
            raise SystemExit(f"{call} on {arch}: {name} is a pointer, not {kind}")
        is_pointer = ctype.is_pointer and kind != "union"
        pointee = ctype.pointee if kind == "struct" else None
        return Register(name, kind, bits, is_signed, is_pointer, pointee, group), ctype.is_pair

    def arguments(self, call, arch):
        """The list of Register of `call` on `arch`."""
        prototype = self.prototype(call, arch)
        words = self._lookup(self.meanings, call, arch)
        if words is None:
            words = ["."] * len(prototype)
        if len(words) != len(prototype):
            raise SystemExit(f"{call} on {arch}: arguments.def names {len(words)} arguments, the kernel has {prototype}")
        registers = []
        for argument, word in zip(prototype, words):
            register, is_pair = self._meaning(call, arch, argument, word)
            registers += self._halves(register, arch, len(registers)) if is_pair and arch in _32BIT else [register]
        if len(registers) > 6:
            raise SystemExit(f"{call} on {arch}: more than six registers")
        return registers

    @staticmethod
    def _halves(register, arch, index):
        pad = [Register("pad", "i", 32, False)] if arch == "arm" and index % 2 else []
        return pad + [Register(register.name + half, "x", 32, False) for half in ("_lo", "_hi")]

    def check_ia32(self):
        """The i386 entries in halves must have as many arguments as our split of the plain prototype."""
        for call, row in self.tables["i386"].items():
            if row.entry and row.entry.startswith("sys_ia32_"):
                halves = self.prototypes["i386"][row.entry][0]
                if len(halves) != len(self.arguments(call, "i386")):
                    raise SystemExit(f"{call}: {row.entry} has {halves}, the split gives something else")

    def check_unused(self):
        """A line of a hand-kept file that nothing uses is a mistake."""
        for table, path in ((self.overrides, "prototypes.def"), (self.meanings, "arguments.def")):
            unused = sorted(key for key in table if (id(table), key) not in self.used)
            if unused:
                raise SystemExit(f"{path}: nothing uses {', '.join(unused)}")


def read_since(path, newest, older_tables):
    """{call: (major, minor)}; a call that is in none of the older tables must have a line."""
    since = {call: tuple(int(part) for part in words[0].split(".")) for call, words in read_words(path).items()}
    for call in newest:
        if older_tables and call not in since and not any(call in table for _, table in older_tables):
            raise SystemExit(f"since.def: {call} is in none of the older tables and has no line")
        for version, table in older_tables:
            if call in table and since.get(call, (0, 0)) > version:
                raise SystemExit(f"since.def: {call} is said to be newer than {version}, whose table has it")
    return since
