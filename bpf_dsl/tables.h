// Tables: system calls and kernel constants of every target arch, known on any host.
//
//   enum brig_dsl_call call = brig_dsl_call_by_name("clone", 5);             // BRIG_SYS_clone
//   int32_t nr = brig_dsl_call_nr(BRIG_SYS_clone, BRIG_DSL_X86_64);          // 56
//   const struct brig_dsl_argument *argument = brig_dsl_call_argument(BRIG_SYS_clone, BRIG_DSL_X86_64, 4); // "tls"
//
// Rules that hold throughout:
// - All data is const, generated from the kernel's own tables (bpf_dsl/tables/README.md), and lives for ever.
// - All functions are pure look-ups: no allocation, no failure but "not found", safe in any context, a signal handler included.
// - Names are the kernel's names (newfstatat, not fstatat; pread64, not pread).
#ifndef BRIG_BPF_DSL_TABLES_H
#define BRIG_BPF_DSL_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Target arches. x32 is not a target: its numbers on x86_64 are refused.
enum brig_dsl_arch { BRIG_DSL_X86_64, BRIG_DSL_I386, BRIG_DSL_AARCH64, BRIG_DSL_ARM, BRIG_DSL_RISCV64, BRIG_DSL_ARCH_COUNT };

// One value per system call of any arch; arch-independent, sorted by name. BRIG_SYS_NONE is 0.
enum brig_dsl_call {
    BRIG_SYS_NONE,
#define CALL(name) BRIG_SYS_##name,
#include "bpf_dsl/tables/calls.def"
#undef CALL
    BRIG_SYS_COUNT
};

// How many bits of an argument the kernel looks at, and how.
enum brig_dsl_width {
    BRIG_DSL_WIDTH_16, // umode_t and the uids of old calls: the kernel drops all but the low 16 bits of the register
    BRIG_DSL_WIDTH_32, // an int or unsigned int: the upper half of the register is ignored by the kernel
    BRIG_DSL_WIDTH_64, // a long on a 64-bit arch: all of the register counts
};

// What an argument means, for decoding. Says nothing about its width.
enum brig_dsl_kind {
    BRIG_DSL_KIND_INTEGER, // print as a decimal number
    BRIG_DSL_KIND_HEX,     // print as a hexadecimal number (addresses that are not pointers, cookies)
    BRIG_DSL_KIND_FD,
    BRIG_DSL_KIND_DIRFD, // an fd or AT_FDCWD
    BRIG_DSL_KIND_PID,
    BRIG_DSL_KIND_SIZE,    // bytes or a count
    BRIG_DSL_KIND_MODE,    // permission bits, octal
    BRIG_DSL_KIND_ENUM,    // exactly one constant of `group`
    BRIG_DSL_KIND_FLAGS,   // an OR of constants of `group`
    BRIG_DSL_KIND_POINTER, // a pointer to something not decoded further
    BRIG_DSL_KIND_PATH,    // a pointer to a NUL-terminated path
    BRIG_DSL_KIND_STRING,  // a pointer to another NUL-terminated string
    BRIG_DSL_KIND_STRUCT,  // a pointer to the struct named in `pointee`
    BRIG_DSL_KIND_UNION,   // integer or pointer, decided by another argument (fcntl's arg)
};

struct brig_dsl_argument {
    const char *name;    // as in the kernel's prototype, cleaned ("fd", "cmd", "arg", "flags")
    const char *group;   // name of the constant group for ENUM and FLAGS, else NULL
    const char *pointee; // struct tag for STRUCT ("sockaddr"), else NULL
    uint8_t width;       // enum brig_dsl_width
    uint8_t kind;        // enum brig_dsl_kind
    bool is_signed;
    bool is_pointer; // always an address of user memory
    bool is_union;   // integer or pointer, as `kind` UNION says
};

// Kernel versions are written as (major << 8 | minor): 6.18 is 0x0612.
#define BRIG_DSL_KERNEL(major, minor) ((uint16_t)((major) << 8 | (minor)))
// The newest kernel that the tables know.
uint16_t brig_dsl_newest_kernel(void);

// --- system calls ---------------------------------------------------------------------------------------------------

// Finds a call by its kernel name of `name_bytes` bytes (no terminator needed). Returns: the id, or BRIG_SYS_NONE.
enum brig_dsl_call brig_dsl_call_by_name(const char *name, size_t name_bytes);

// Returns: the kernel's name of `call`, or NULL for BRIG_SYS_NONE and values outside the enumeration.
const char *brig_dsl_call_name(enum brig_dsl_call call);

// Returns: the number of `call` on `arch` (arm's private calls, 0x0f0001 and up, included), or -1 if `arch` has no such call.
int32_t brig_dsl_call_nr(enum brig_dsl_call call, enum brig_dsl_arch arch);

// Finds the call with the smallest number at or above `from`. Returns: its id and number; BRIG_SYS_NONE when there is none left.
enum brig_dsl_call brig_dsl_next_call(enum brig_dsl_arch arch, uint32_t from, uint32_t *ret_nr);

// Finds the call behind a number. Returns: the id, or BRIG_SYS_NONE. Constant time for numbers below 1024.
enum brig_dsl_call brig_dsl_call_by_nr(uint32_t nr, enum brig_dsl_arch arch);

// Returns: the first kernel version that has `call` on any target arch (2.6 and older calls: 0).
// Source: syscalls(2), and the syscall tables of the kernel releases themselves.
uint16_t brig_dsl_call_since(enum brig_dsl_call call);

// Returns: number of arguments of `call` on `arch` as seen in registers (0 to 6; on 32-bit arches a 64-bit argument is two,
// named NAME_lo and NAME_hi, and arm's and riscv's alignment padding is one named "pad").
int brig_dsl_call_argument_count(enum brig_dsl_call call, enum brig_dsl_arch arch);

// Returns: argument `index` of `call` on `arch`, or NULL when there is none.
const struct brig_dsl_argument *brig_dsl_call_argument(enum brig_dsl_call call, enum brig_dsl_arch arch, int index);

// Finds an argument by name. Returns: its register index on `arch`, or -1.
int brig_dsl_call_argument_index(enum brig_dsl_call call, enum brig_dsl_arch arch, const char *name, size_t name_bytes);

// Returns: whether the real arguments of `call` on `arch` are in memory (socketcall, ipc, old i386 mmap and select), out of a
// filter's sight.
bool brig_dsl_call_has_memory_arguments(enum brig_dsl_call call, enum brig_dsl_arch arch);

// Writes the value of an argument as people write it: "O_WRONLY|O_CREAT|0x4000000", "AT_FDCWD", "0644", "-1", "NULL".
//
// `value` is the whole register; what the kernel ignores of it is ignored. Pointers are written as addresses, never followed. An
// `arch` outside the enumeration is no arch: pass one that brig_dsl_arch_name knows. Returns: bytes written without the terminator;
// text that does not fit is cut, and always terminated (`buffer_bytes` is at least 1).
size_t brig_dsl_decode_value(const struct brig_dsl_argument *argument, uint64_t value, enum brig_dsl_arch arch, char *buffer,
                             size_t buffer_bytes);

// --- arches ---------------------------------------------------------------------------------------------------------

// Returns: "x86_64", "i386", "aarch64", "arm" or "riscv64"; NULL outside the enumeration.
const char *brig_dsl_arch_name(enum brig_dsl_arch arch);
// Finds an arch by that name (also "amd64", "x86", "arm64"). Returns: false if there is none.
bool brig_dsl_arch_by_name(const char *name, enum brig_dsl_arch *ret_arch);
// Returns: the AUDIT_ARCH_* value that the kernel puts into seccomp_data.arch.
uint32_t brig_dsl_arch_audit(enum brig_dsl_arch arch);
// Finds an arch by AUDIT_ARCH_* value. Returns: false if it is none of ours.
bool brig_dsl_arch_by_audit(uint32_t audit_arch, enum brig_dsl_arch *ret_arch);
// Returns: whether registers and longs have 64 bits.
bool brig_dsl_arch_is_64bit(enum brig_dsl_arch arch);
// Returns: the arch that this library was built for.
enum brig_dsl_arch brig_dsl_arch_native(void);

// --- constants ------------------------------------------------------------------------------------------------------

// Finds a named constant (O_CLOEXEC, F_GETFL, TCGETS, EPERM, SIGKILL ...) as `arch` has it, whatever the build host's headers say.
// Returns: 0 found; 1 no such name; 2 the name exists, but not on `arch`.
int brig_dsl_constant_value(const char *name, size_t name_bytes, enum brig_dsl_arch arch, int64_t *ret_value);

// Names a value of a group: the constant of `group` that is exactly `value` on `arch`. Returns: its name, or NULL.
const char *brig_dsl_constant_name(const char *group, int64_t value, enum brig_dsl_arch arch);

// Walks a group in table order. Returns: the name of member `index`, with its value on `arch`, or NULL past the end; members that
// `arch` does not have are skipped over (the index counts only those that it has).
const char *brig_dsl_group_member(const char *group, size_t index, enum brig_dsl_arch arch, int64_t *ret_value);

// Finds the known name closest to `name`, for "did you mean": `kind` is 'c' for calls, 'k' for constants.
// Returns: for a libc function the call behind it ("pread": pread64), else a static name at an edit distance of at most a third of
// the length (swapped neighbours count as one edit), or NULL.
const char *brig_dsl_closest_name(const char *name, size_t name_bytes, char kind);

#ifdef __cplusplus
}
#endif
#endif
