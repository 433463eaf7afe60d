"""What a generated file says about its making: from which rules it comes, and what it is whole. tests/checks/tables.py reads it again, so
that a table that somebody edited, or that is older than the rules beside this file, is found without the kernel's sources."""

import hashlib
import os
import re

_STAMP = re.compile(r"// Rules ([0-9a-f]{16}), contents ([0-9a-f]{16})\.\n")


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rules(here):
    """A digest of the generator and of what people decide beside it; lines that are only comments do not count."""
    parts = []
    for name in sorted(name for name in os.listdir(here) if name.endswith((".py", ".def", ".list", ".h"))):
        with open(os.path.join(here, name), encoding="ascii") as text:
            lines = [line.rstrip() for line in text if line.strip() not in ("", "#") and not line.lstrip().startswith(("# ", "//"))]
        parts.append("\n".join([name, *lines]))
    return _digest("\n".join(parts))


def stamped(first_line, text, here):
    """The whole file: `first_line`, the stamp, `text`."""
    return f"{first_line}\n// Rules {rules(here)}, contents {_digest(text)}.\n{text}"


def complaint(whole, here):
    """What is wrong with a generated file, or None."""
    first_line, _, rest = whole.partition("\n")
    stamp = _STAMP.match(rest)
    if not stamp:
        return f"no stamp after its first line, {first_line!r}"
    if stamp.group(2) != _digest(rest[stamp.end() :]):
        return "edited by hand after tools/tables/generate.py wrote it"
    if stamp.group(1) != rules(here):
        return "older than the rules in tools/tables/: run tools/tables/generate.py"
    return None
