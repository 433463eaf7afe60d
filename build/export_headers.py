#!/usr/bin/env python3
"""Writes the installed form of the public headers: what another program includes as <brig/...>.

export_headers.py LIST ROOT TARGET STAMP

LIST has one repository-relative path a line. ROOM/ROOM.h becomes TARGET/ROOM.h, every other ROOM/PATH stays TARGET/ROOM/PATH, and
`#include "ROOM/PATH"` inside is rewritten to match. A header that includes one that is not public is an error. Files that are no
longer public are removed, so that nothing compiles against a leftover.
"""

import os
import re
import sys

INCLUDE = re.compile(r'^(\s*#\s*include\s+)"([^"]+)"', re.MULTILINE)


def installed_name(path):
    room, name = path.split("/", 1)
    return room + ".h" if name == room + ".h" else path


def rewrite(path, text, public):
    def replace(match):
        if match.group(2) not in public:
            sys.exit("%s: includes \"%s\", which is not a public header" % (path, match.group(2)))
        return "%s<brig/%s>" % (match.group(1), installed_name(match.group(2)))

    return INCLUDE.sub(replace, text)


def write_if_changed(path, text):
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def remove_others(target, wanted):
    for folder, _, names in os.walk(target):
        for name in names:
            path = os.path.join(folder, name)
            if path not in wanted:
                os.remove(path)


def main():
    listing, root, target, stamp = sys.argv[1:]
    with open(listing, encoding="utf-8") as file:
        public = sorted(set(file.read().split()))
    written = set()
    for path in public:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        name = os.path.join(target, installed_name(path))
        write_if_changed(name, rewrite(path, text, public))
        written.add(name)
    remove_others(target, written)
    with open(stamp, "w", encoding="utf-8"):
        pass
    with open(stamp + ".d", "w", encoding="utf-8") as file:
        file.write("%s: %s\n" % (stamp, " ".join(os.path.join(root, path) for path in public)))


main()
