// words: the short words in which policies are written. Included by policies/*.c, examples and tests, never by a header.
//
//   ROW(openat, DENY(EACCES), ALL_BITS(flags, O_CREAT)),
//
// Tables of rows stand at file scope, where C lets a row point to its conditions. Call names are checked by the C compiler (a
// misspelt one is an undeclared BRIG_SYS_...). Arguments and values are kept as text and resolved for the target when the policy is
// compiled, so that no constant of the build host can slip in.
#ifndef BRIG_BPF_DSL_WORDS_H
#define BRIG_BPF_DSL_WORDS_H

#include <errno.h>

#include "bpf_dsl/bpf_dsl.h"

// Each word is an initializer of one line, which clang-format takes for a block.
// clang-format off

// Rows. In the place of a call SET(name) names a struct brig_dsl_set in scope.
#define WHY(text_) {.kind = BRIG_DSL_ROW_WHY, .why = text_, .file = __FILE__, .line = __LINE__}
// The pasting keeps the C library's own macros (fcntl, stat64 ...) and an action's commas from being expanded too early.
#define ROW(call_, ...) BRIG_DSL_ROW_(BRIG_SYS_##call_, BRIG_DSL_ACTION_##__VA_ARGS__, BRIG_DSL_CONDITIONS_END)
#define ELSE(call_, action_) \
    {.kind = BRIG_DSL_ROW_ELSE, .call = BRIG_SYS_##call_, .action = BRIG_DSL_ACTION_##action_, \
     .conditions = (const struct brig_dsl_condition[]){BRIG_DSL_CONDITIONS_END}, .file = __FILE__, .line = __LINE__}
#define USE(table_) {.kind = BRIG_DSL_ROW_USE, .table = table_, .file = __FILE__, .line = __LINE__}
#define ROWS_END {.kind = BRIG_DSL_ROW_END}

#define BRIG_SYS_SET(set_) BRIG_SYS_NONE, .set = &set_
#define BRIG_DSL_CONDITIONS_END {.op = BRIG_DSL_END}
#define BRIG_DSL_ROW_(call_, action_, ...) \
    {.kind = BRIG_DSL_ROW_CALL, .call = call_, .action = action_, \
     .conditions = (const struct brig_dsl_condition[]){__VA_ARGS__}, .file = __FILE__, .line = __LINE__}

// Actions, written without their prefix in ROW, ELSE and FALLBACK.
#define BRIG_DSL_ACTION_ALLOW {.verb = BRIG_DSL_ALLOW}
#define BRIG_DSL_ACTION_DENY(errno_) {.verb = BRIG_DSL_DENY, .data = errno_}
#define BRIG_DSL_ACTION_CRASH {.verb = BRIG_DSL_CRASH}
#define BRIG_DSL_ACTION_REPORT(errno_) {.verb = BRIG_DSL_REPORT, .data = errno_}
#define BRIG_DSL_ACTION_EMULATE(name_) {.verb = BRIG_DSL_EMULATE, .handler = &brig_trap_emulate_##name_.dsl}
#define BRIG_DSL_ACTION_BROKER {.verb = BRIG_DSL_BROKER}
#define BRIG_DSL_ACTION_LOG {.verb = BRIG_DSL_LOG}
#define BRIG_DSL_ACTION_KILL_PROCESS {.verb = BRIG_DSL_KILL_PROCESS}
#define BRIG_DSL_ACTION_KILL_THREAD {.verb = BRIG_DSL_KILL_THREAD}
#define BRIG_DSL_ACTION_TRACE(data_) {.verb = BRIG_DSL_TRACE, .data = data_}
#define BRIG_DSL_ACTION_NOTIFY {.verb = BRIG_DSL_NOTIFY}
#define BRIG_DSL_ACTION_TRAP(data_) {.verb = BRIG_DSL_TRAP, .data = data_}
// A policy's action for known calls without a row: `FALLBACK(CRASH)` in its initializer.
#define FALLBACK(action_) .fallback = BRIG_DSL_ACTION_##action_

// Conditions.
#define BRIG_DSL_CONDITION_(op_, low32_, argument_, ...) {.op = op_, .low32 = low32_, .argument = argument_, .text = __VA_ARGS__}
#define IN(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_IN, false, #argument_, #__VA_ARGS__)
#define RANGE(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_RANGE, false, #argument_, #__VA_ARGS__)
#define AT_LEAST(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_AT_LEAST, false, #argument_, #__VA_ARGS__)
#define AT_MOST(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_AT_MOST, false, #argument_, #__VA_ARGS__)
#define MASKED(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_MASKED, false, #argument_, #__VA_ARGS__)
#define ONLY_BITS(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_ONLY_BITS, false, #argument_, #__VA_ARGS__)
#define NO_BITS(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_NO_BITS, false, #argument_, #__VA_ARGS__)
#define ALL_BITS(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_ALL_BITS, false, #argument_, #__VA_ARGS__)
#define NOT_IN(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_NOT_IN, false, #argument_, #__VA_ARGS__)
#define NOT_MASKED(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_NOT_MASKED, false, #argument_, #__VA_ARGS__)
#define ANY_BITS(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_ANY_BITS, false, #argument_, #__VA_ARGS__)
#define IS_NULL(argument_) {.op = BRIG_DSL_IS_NULL, .argument = #argument_}
#define NOT_NULL(argument_) {.op = BRIG_DSL_NOT_NULL, .argument = #argument_}
#define IN_SET(argument_, values_) {.op = BRIG_DSL_IN_SET, .argument = #argument_, .set = &values_}
#define LOW32_IN(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_IN, true, #argument_, #__VA_ARGS__)
#define LOW32_MASKED(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_MASKED, true, #argument_, #__VA_ARGS__)
#define LOW32_ONLY_BITS(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_ONLY_BITS, true, #argument_, #__VA_ARGS__)
#define LOW32_NO_BITS(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_NO_BITS, true, #argument_, #__VA_ARGS__)
#define LOW32_ALL_BITS(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_ALL_BITS, true, #argument_, #__VA_ARGS__)
#define LOW32_NOT_IN(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_NOT_IN, true, #argument_, #__VA_ARGS__)
#define LOW32_NOT_MASKED(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_NOT_MASKED, true, #argument_, #__VA_ARGS__)
#define LOW32_ANY_BITS(argument_, ...) BRIG_DSL_CONDITION_(BRIG_DSL_ANY_BITS, true, #argument_, #__VA_ARGS__)

// Named lists: `const struct brig_dsl_set brig_policy_fd_io = CALLS(fd_io, "plain I/O", read, write, close);`
#define CALLS(name_, why_, ...) {.name = #name_, .why = why_, .text = #__VA_ARGS__, .file = __FILE__, .line = __LINE__}
#define VALUES(name_, why_, ...) {.name = #name_, .why = why_, .text = #__VA_ARGS__, .file = __FILE__, .line = __LINE__}
// Constants of the policy's own: `static const struct brig_dsl_constant own[] = {CONSTANT(LOG_FD), CONSTANTS_END};`
#define CONSTANT(name_) {.name = #name_, .value = name_}
#define CONSTANTS_END {.name = NULL}

// clang-format on

#endif
