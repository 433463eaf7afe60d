// Spellings that people write in policies and that only libc's headers define, with the kernel's values. Hand-kept.
// Included after all of headers.list; a name that the kernel defines stays the kernel's.
#ifndef ENOTSUP
#define ENOTSUP EOPNOTSUPP
#endif
#ifndef MAP_ANON
#define MAP_ANON MAP_ANONYMOUS
#endif
#ifndef MAP_FILE
#define MAP_FILE 0
#endif
#ifndef O_RSYNC
#define O_RSYNC O_SYNC
#endif
#ifndef O_FSYNC
#define O_FSYNC O_SYNC
#endif
#ifndef SIGCLD
#define SIGCLD SIGCHLD
#endif
// Defined by a word that x86's and arm's headers do not define outside the kernel.
#undef SIGRTMAX
#define SIGRTMAX 64
#ifndef SCHED_OTHER
#define SCHED_OTHER SCHED_NORMAL
#endif
#ifndef S_IREAD
#define S_IREAD S_IRUSR
#define S_IWRITE S_IWUSR
#define S_IEXEC S_IXUSR
#endif
#ifndef F_OK
#define F_OK 0
#define X_OK 1
#define W_OK 2
#define R_OK 4
#endif
// 64-bit arches have no separate commands; libc there passes the plain ones.
#ifndef F_GETLK64
#define F_GETLK64 F_GETLK
#define F_SETLK64 F_SETLK
#define F_SETLKW64 F_SETLKW
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
// The masks that the kernel applies, where its own headers keep them to itself.
#ifndef SOCK_TYPE_MASK
#define SOCK_TYPE_MASK 0xf
#endif
