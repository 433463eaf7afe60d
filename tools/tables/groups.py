"""Reads groups.def and turns it into lists of (constant, mask)."""

import fnmatch
import re


def _statements(path):
    text = []
    with open(path, encoding="ascii") as lines:
        for line in (line.split("#")[0].rstrip() for line in lines):
            if line.startswith(" ") and text:
                text[-1] += " " + line.strip()
            elif line:
                text.append(line)
    return text


class Groups:
    """The groups over `constants`, a {name: {arch: value}}."""

    def __init__(self, path, constants):
        self.constants = constants
        self.members = {}
        for statement in _statements(path):
            name, text = statement.split(":", 1)
            if name in self.members:
                raise SystemExit(f"groups.def: {name} appears twice")
            self.members[name] = self._read(name, text.split())

    def _mask(self, text):
        if re.fullmatch(r"0x[0-9a-f]+|\d+", text):
            return int(text, 0)
        values = set(self.constants[text].values())
        if len(values) != 1:
            raise SystemExit(f"groups.def: the mask {text} differs between arches")
        return values.pop() & 0xFFFFFFFF

    def _first_value(self, name):
        return next(iter(self.constants[name].values()))

    def _expand(self, pattern, never):
        names = fnmatch.filter(self.constants, pattern)
        return sorted((name for name in names if name not in never), key=lambda name: (self._first_value(name), name))

    def _read(self, group, words):
        members, never, mask = [], set(), 0
        for word in words:
            if word.startswith("{"):
                mask = self._mask(word[1:-1]) if word != "{}" else 0
            elif word.startswith("-"):
                never.update(fnmatch.filter(self.constants, word[1:]))
            elif word.startswith("@"):
                members += [(name, mask) for name, _ in self.members[word[1:]] if name not in never]
                never.update(name for name, _ in members)
            else:
                names = self._expand(word, never) if "*" in word else [word]
                missing = [name for name in names if name not in self.constants]
                if missing or not names:
                    raise SystemExit(f"groups.def: {group}: {word} is no constant")
                members += [(name, mask) for name in names if name not in never]
                never.update(names)
        return members
