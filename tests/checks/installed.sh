#!/bin/bash
# A stranger's program builds and runs against what is installed: <brig/...> and libbrig, static and shared, and nothing else.
#
# installed.sh BUILD_DIR
set -eu
build=$(cd -- "$1" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/program.c" <<'END'
#include <brig/policies.h>
#include <brig/sandbox.h>
#include <stdio.h>

static unsigned char memory[BRIG_DSL_ARENA_BYTES];

int main(void)
{
    struct brig_lock_options options = {.memory = memory, .memory_bytes = sizeof memory};
    struct brig_error error;
    char text[BRIG_ERROR_TEXT_BYTES];
    if (brig_lock(&brig_policy_renderer, &options, &error) != BRIG_OK) {
        fprintf(stderr, "%s\n", brig_error_format(&error, text, sizeof text));
        return 1;
    }
    puts("locked");
    return 0;
}
END

# A thread that trapped calls are answered in whatever it does with its signals.
cat >"$folder/wrapped.c" <<'END'
#include <brig/policies.h>
#include <brig/sandbox.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static unsigned char memory[BRIG_DSL_ARENA_BYTES];

static void *run(void *argument)
{
    struct stat file;
    stack_t stack;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    int is_fine = fstatat(0, "", &file, 0x1000) == 0 && sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE);
    return is_fine ? argument : NULL;
}

int main(void)
{
    struct brig_lock_options options = {.memory = memory, .memory_bytes = sizeof memory};
    pthread_t thread;
    void *result = NULL;
    int is_locked = brig_lock(&brig_policy_renderer, &options, NULL) == BRIG_OK;
    pthread_create(&thread, NULL, run, memory);
    pthread_join(thread, &result);
    puts(is_locked && result ? "locked" : "not ready for traps");
    return 0;
}
END

# Says what is wrong and stops.
fail()
{
    echo "installed.sh: $*" >&2
    exit 1
}

try()
{
    local source=$1 name=$2
    shift 2
    gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I "$build/include" "$folder/$source" -o "$folder/$name" "$@" ||
        fail "$name does not build"
    [ "$("$folder/$name" </dev/null)" = locked ] || fail "$name does not run"
}

try program.c shared -L "$build" -lbrig -Wl,-rpath,"$build"
try program.c static "$build/libbrig.a"
try program.c all_static -static "$build/libbrig.a"

try wrapped.c wrapped_shared -L "$build" -lbrig-wrap -lbrig -Wl,-rpath,"$build"
try wrapped.c wrapped_half -L "$build" -lbrig-wrap -Wl,-rpath,"$build" "$build/libbrig.a"
try wrapped.c wrapped_static @"$build/libbrig-wrap.flags" "$build/libbrig-wrap.a" "$build/libbrig.a"
try wrapped.c wrapped_all_static -static @"$build/libbrig-wrap.flags" "$build/libbrig-wrap.a" "$build/libbrig.a"

# libc is two files: thread-local variables are the loader's.
needed=$(readelf -d "$build/libbrig.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e '^libc\.so' -e '^ld-linux' || true)
[ -z "$needed" ] || fail "libbrig.so needs more than libc: $needed"

foreign=$(nm -D --defined-only --format=posix "$build/libbrig.so" | cut -d' ' -f1 | grep -v '^brig_' || true)
[ -z "$foreign" ] || fail "libbrig.so exports more than brig_*: $foreign"
