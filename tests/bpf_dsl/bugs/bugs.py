#!/usr/bin/env python3
"""Makes sources with deliberate mistakes out of good ones.

bugs.py list LIST HEADER             writes the names of all mistakes and their files as a C header
bugs.py source LIST SOURCE OUTPUT    writes SOURCE with its mistakes from LIST, each as a conditional expression

An expression that is not in its file exactly once is an error: the list has to be kept in step with the sources.
"""
import os
import re
import sys


def read_list(path):
    """Returns: [(name, file, [(good, bad)])] in order; the place in the list, from 1, is what switches a mistake on."""
    bugs = []
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        if line.startswith("- "):
            good = line[2:]
        elif line.startswith("+ "):
            bugs[-1][2].append((good, line[2:]))
        else:
            name, file = line.split()
            bugs.append((name, file, []))
    for name, _, changes in bugs:
        if not changes:
            sys.exit(f"{path}: {name} changes nothing")
    return bugs


def declaration(good):
    """Splits `const T *x = value` and `return value`: what comes before the value stays outside the condition."""
    match = re.match(r"(return |const [^=]*= )(.*)", good)
    return (match.group(1), match.group(2)) if match else ("", good)


def pattern(good):
    """The expression with any white space between its words, since the sources are formatted."""
    words = re.findall(r"\w+|[^\w\s]", good)
    return r"\s*".join(re.escape(word) for word in words)


def conditional(number, good, bad):
    before, good = declaration(good)
    _, bad = declaration(bad)
    switch = f"dsl_deliberate_bug == {number}"
    if good.startswith("{"):  # a compound literal's values, one by one
        pairs = zip(split_values(good[1:-1]), split_values(bad[1:-1]))
        return "{" + ", ".join(f"({switch} ? ({b}) : ({g}))" for g, b in pairs) + "}"
    if good.startswith("."):  # designated initializers, one by one
        closing = "}" if good.endswith("}") else ""
        pairs = zip(split_values(good.rstrip("}")), split_values(bad.rstrip("}")))
        fields = [(g.split(" = ", 1), b.split(" = ", 1)[1]) for g, b in pairs]
        return ", ".join(f"{g[0]} = ({switch} ? ({b}) : ({g[1]}))" for g, b in fields) + closing
    if ";" in good:  # the head of a loop: the initial value, which both share, and the condition
        (start, test), (_, bad_test) = good.rstrip(";").split("; "), bad.rstrip(";").split("; ")
        # i-- happens once, whichever side is taken.
        return f"{start}; {switch} ? ({bad_test}) : ({test});"
    if before == "" and len(split_values(good)) > 1 and not balanced_call(good):  # arguments, one by one
        pairs = zip(split_values(good), split_values(bad))
        return ", ".join(g if g == b else f"({switch} ? ({b}) : ({g}))" for g, b in pairs)
    return f"{before}({switch} ? ({bad}) : ({good}))"


def balanced_call(text):
    """Whether all commas are inside brackets that the text itself opens."""
    return len(split_values(text)) == 1


def split_values(text):
    values, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += char in "({["
        depth -= char in ")}]"
        if char == "," and depth == 0:
            values.append(text[start:at].strip())
            start = at + 1
    values.append(text[start:].strip())
    return values


def write_list(path, header):
    bugs = read_list(path)
    with open(header, "w", encoding="utf-8") as out:
        out.write("// Written by bugs.py: the mistakes and the files that they are in; the first is number 1.\n")
        out.write("static const struct bug {\n    const char *name;\n    const char *file;\n} bugs[] = {\n")
        out.write("".join(f'    {{"{name}", "{file}"}},\n' for name, file, _ in bugs))
        out.write("};\n")


def write_source(path, source, output):
    text = open(source, encoding="utf-8").read()
    for number, (name, file, changes) in enumerate(read_list(path), 1):
        for good, bad in changes if file == os.path.basename(source) else ():
            found = re.findall(pattern(good), text)
            if len(found) != 1:
                sys.exit(f"{path}: {name}: {len(found)} places in {source} instead of one: {good}")
            text = text.replace(found[0], conditional(number, " ".join(found[0].split()), bad))
    with open(output, "w", encoding="utf-8") as out:
        out.write("extern int dsl_deliberate_bug;\n" + text)


if __name__ == "__main__":
    if sys.argv[1] == "list":
        write_list(*sys.argv[2:])
    else:
        write_source(*sys.argv[2:])
