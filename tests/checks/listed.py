#!/usr/bin/env python3
"""Every target of tests is one that tools/test builds and runs: a brig_test is in tests/BUILD.gn, a brig_fuzzer in the group of its
file. A target that is not still builds when it is named, and so nobody misses its tests."""

import os
import re

import tree


def main():
    tree.options(__doc__)
    findings = []
    run = tree.read("tests/BUILD.gn")
    for name in tree.tracked("BUILD.gn"):
        folder, text = os.path.dirname(name), tree.read(name)
        for kind, target in re.findall(r'^brig_(test|fuzzer)\("(\w+)"\)', text, re.MULTILINE):
            listed = '"//%s:%s"' % (folder, target) in run if kind == "test" else '":%s",' % target in text
            if not listed:
                findings.append("%s: nothing runs %s" % (name, target))
    tree.finish(findings)


main()
