"""What the kernel's argument types mean for a filter: width, sign, pointer, and the kind that follows from type and name."""

import re

_SIGNED_32 = {"int", "pid_t", "clockid_t", "key_t", "key_serial_t", "timer_t", "mqd_t", "rwf_t", "__s32", "s32"}
_UNSIGNED_32 = {"unsigned int", "unsigned", "u32", "__u32", "uid_t", "gid_t", "qid_t", "enum landlock_rule_type"}
_UNSIGNED_16 = {"old_uid_t", "old_gid_t", "umode_t"}
_SIGNED_LONG = {"long", "off_t", "loff_t", "ssize_t"}
_UNSIGNED_LONG = {"unsigned long", "size_t", "aio_context_t", "old_sigset_t", "uintptr_t", "u64", "__u64"}
_64BIT_EVERYWHERE = {"loff_t", "u64", "__u64"}
_POINTER_TYPEDEFS = {"cap_user_header_t", "cap_user_data_t", "__sighandler_t"}
_STRUCT_TYPEDEFS = {"sigset_t", "siginfo_t", "stack_t", "fd_set"}
# Names of libc's headers for structs that the kernel calls otherwise. Their layout is the same.
_STRUCT_NAMES = {"__kernel_timespec": "timespec", "__kernel_timex": "timex", "__kernel_itimerspec": "itimerspec",
                 "__kernel_old_timeval": "timeval", "__kernel_old_itimerval": "itimerval", "user_msghdr": "msghdr",
                 "new_utsname": "utsname", "siginfo": "siginfo_t", "__aio_sigset": "aio_sigset", "__sysctl_args": "sysctl_args"}

_KIND_OF_NAME = (
    (re.compile(r"(old|new|from_|to_)?dirfd"), "dirfd"),
    (re.compile(r"\w*fd|fd_(in|out)"), "fd"),
    (re.compile(r"start|addr"), "x"),
)


class Type:
    """One C type: `bits` that the kernel looks at (64 stands for a long), sign, pointer and struct tag."""

    def __init__(self, ctype):
        pointer = re.fullmatch(r"(.*?) ?((?:\* ?)+)", ctype)
        self.ctype = ctype
        self.target = pointer.group(1).strip() if pointer else None
        self.is_pointer = bool(pointer) or ctype in _POINTER_TYPEDEFS
        self.is_signed = ctype in _SIGNED_32 or ctype in _SIGNED_LONG
        self.is_pair = ctype in _64BIT_EVERYWHERE
        if ctype in _SIGNED_32 or ctype in _UNSIGNED_32:
            self.bits = 32
        elif ctype in _UNSIGNED_16:
            self.bits = 16
        elif self.is_pointer or ctype in _SIGNED_LONG or ctype in _UNSIGNED_LONG:
            self.bits = 64
        else:
            raise SystemExit(f"types_of_arguments.py does not know the type {ctype!r}")
        self.pointee = self._pointee(pointer)

    def _pointee(self, pointer):
        if not pointer or pointer.group(2).count("*") != 1:
            return None
        tag = re.fullmatch(r"(?:struct|union) (\w+)", self.target)
        if tag:
            return _STRUCT_NAMES.get(tag.group(1), tag.group(1))
        return self.target if self.target in _STRUCT_TYPEDEFS else None

    def kind(self, name):
        """The kind of an argument of this type called `name`, where arguments.def does not say."""
        if self.is_pointer:
            if self.target == "char":
                return "path" if name == "pathname" else "ptr"
            return "struct" if self.pointee else "ptr"
        if self.ctype in ("int", "unsigned int"):
            for pattern, kind in _KIND_OF_NAME[:2]:
                if pattern.fullmatch(name):
                    return kind
        by_type = {"pid_t": "pid", "size_t": "size", "umode_t": "mode", "uintptr_t": "x"}
        if self.ctype in by_type:
            return by_type[self.ctype]
        return "x" if self.bits == 64 and _KIND_OF_NAME[2][0].fullmatch(name) else "i"
