#!/usr/bin/env python3
"""clang-tidy on every C file of a clang build.

tidy.py BUILD_DIR [FILE...]

Needs BUILD_DIR/compile_commands.json (gn gen --export-compile-commands). A file whose preprocessed text, flags and .clang-tidy have
not changed since they were found clean is not looked at again; BUILD_DIR/tidy remembers.
"""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys

import tree


def commands(build):
    """Returns one (file, arguments) per tracked file that the clang toolchain compiles."""
    try:
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
            entries = json.load(file)
    except FileNotFoundError:
        sys.exit("tidy.py: %s has no compile_commands.json: gn gen --export-compile-commands" % build)
    known, found = set(tree.tracked(".c")), {}
    for entry in entries:
        name = os.path.relpath(os.path.join(entry["directory"], entry["file"]), tree.ROOT)
        arguments = shlex.split(entry["command"])
        if os.path.basename(arguments[0]).startswith("clang") and name in known and not tree.is_generated(name):
            found.setdefault(name, arguments)
    return found


def fingerprint(build, arguments):
    """Of everything that the verdict depends on."""
    start = arguments.index("-c")
    preprocess = arguments[:start] + ["-E", "-P", arguments[start + 1]]
    depfile = preprocess.index("-MMD")
    del preprocess[depfile:depfile + 3]  # -MMD -MF FILE
    text = subprocess.run(preprocess, cwd=build, capture_output=True, check=False).stdout  # clang-tidy says what is wrong
    source = open(os.path.join(build, arguments[start + 1]), "rb").read()
    parts = [" ".join(arguments).encode(), tree.read(".clang-tidy").encode(), source, text]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def check(build, name, arguments):
    """Returns what clang-tidy has to say about one file, "" for nothing."""
    mark = os.path.join(build, "tidy", fingerprint(build, arguments))
    if os.path.exists(mark):
        return ""
    # The clang toolchain's own arguments, not the database: it also has musl-gcc's for the same file, with options that clang lacks.
    command = ["clang-tidy-14", "--quiet", os.path.join(tree.ROOT, name), "--"] + arguments[1:arguments.index("-c")]
    run = subprocess.run(command, cwd=build, capture_output=True, text=True, check=False)
    if run.returncode != 0 or run.stdout.strip():
        return "%s\n%s%s" % (name, run.stdout, run.stderr if run.returncode not in (0, 1) else "")
    with open(mark, "w", encoding="utf-8"):
        pass
    return ""


def main():
    build = tree.build_directory(__doc__)
    todo = commands(build)
    os.makedirs(os.path.join(build, "tidy"), exist_ok=True)
    if not todo:
        sys.exit("tidy.py: no file of this tree is in %s/compile_commands.json" % build)
    if sys.argv[2:]:
        unknown = [name for name in sys.argv[2:] if name not in todo]
        if unknown:
            sys.exit("tidy.py: not compiled there, or generated: %s" % " ".join(unknown))
        todo = {name: todo[name] for name in sys.argv[2:]}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check, build, name, arguments) for name, arguments in sorted(todo.items())]
        results = [job.result() for job in jobs]
    up = os.path.relpath(tree.ROOT, build) + "/"
    tree.finish([text.replace(build + "/" + up, "").replace(up, "").replace(tree.ROOT + "/", "") for text in results if text])


main()
