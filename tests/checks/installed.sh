#!/bin/bash
# A stranger's program builds and runs against what is installed: <brig/...> and libbrig, static and shared, and nothing else.
#
# installed.sh BUILD_DIR
set -eu
build=$(cd "$1" && pwd)
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

# Says what is wrong and stops.
fail()
{
    echo "installed.sh: $*" >&2
    exit 1
}

try()
{
    local name=$1
    shift
    gcc -std=c11 -Wall -Wextra -Werror -I "$build/include" "$folder/program.c" -o "$folder/$name" "$@" ||
        fail "$name does not build"
    [ "$("$folder/$name")" = locked ] || fail "$name does not run"
}

try shared -L "$build" -lbrig -Wl,-rpath,"$build"
try static "$build/libbrig.a"
try all_static -static "$build/libbrig.a"

# libc is two files: thread-local variables are the loader's.
needed=$(readelf -d "$build/libbrig.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e '^libc\.so' -e '^ld-linux' || true)
[ -z "$needed" ] || fail "libbrig.so needs more than libc: $needed"

foreign=$(nm -D --defined-only --format=posix "$build/libbrig.so" | cut -d' ' -f1 | grep -v '^brig_' || true)
[ -z "$foreign" ] || fail "libbrig.so exports more than brig_*: $foreign"
