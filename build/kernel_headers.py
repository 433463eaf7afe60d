#!/usr/bin/env python3
"""Makes a folder of links to the kernel's own headers (linux/, asm/, asm-generic/ ...), for a libc other than glibc.

kernel_headers.py DIR

musl has no kernel headers, and /usr/include as a whole would let glibc's headers in unnoticed.
"""

import glob
import os
import sys

NAMES = ("linux", "asm", "asm-generic", "misc", "mtd", "rdma", "scsi", "sound", "video", "xen", "drm")


def find(name):
    for folder in ["/usr/include"] + sorted(glob.glob("/usr/include/%s-linux-gnu" % os.uname().machine)):
        if os.path.isdir(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return None


def main():
    target = sys.argv[1]
    os.makedirs(target, exist_ok=True)
    for name in NAMES:
        source, link = find(name), os.path.join(target, name)
        if source is None or os.path.islink(link):
            continue
        os.symlink(source, link)
    if not os.path.islink(os.path.join(target, "linux")):
        sys.exit("kernel_headers.py: no linux/ headers found (package linux-libc-dev)")


main()
