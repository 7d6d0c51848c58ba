#!/bin/sh
# Runs the tests of the PHP side: sh php/tests/run.sh [--jit | --valgrind] EXTENSION.so [TEST...]
#
# PHP's own run-tests.php runs them, with nothing loaded but what is named here and nothing written into the source.
# The last line is `N passed, N failed, N skipped`, counted from what ran. With --jit everything is compiled by opcache,
# what tests start as well; with --valgrind each test runs under valgrind, which takes many minutes, and fails where that
# finds something.
set -eu

mode=plain
case ${1:-} in
    --jit | --valgrind)
        mode=${1#--}
        shift
        ;;
esac
if [ $# -lt 1 ] || [ ! -f "$1" ]; then
    echo 'usage: sh php/tests/run.sh [--jit | --valgrind] EXTENSION.so [TEST...]' >&2
    exit 64
fi
absolute() { (cd "$(dirname "$1")" && printf '%s/%s' "$(pwd)" "$(basename "$1")"); }
extension=$(absolute "$1")
shift
source=$(cd "$(dirname "$0")" && pwd)
php=$(command -v php)
system=$(php-config --extension-dir)
runner=
for candidate in "$system/build/run-tests.php" "$(php-config --prefix)/lib/php/build/run-tests.php"; do
    if [ -f "$candidate" ]; then
        runner=$candidate
        break
    fi
done
if [ -z "$runner" ]; then
    echo 'run-tests.php is missing; it comes with the headers of PHP (php-dev).' >&2
    echo '0 passed, 1 failed, 0 skipped'
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/modules" "$work/tests"
# It writes beside itself, and belongs to the system where it is.
cp "$runner" "$work/run-tests.php"
cp "$source"/*.phpt "$source"/*.inc "$work/tests/"
ln -s "$extension" "$work/modules/cr0sync.so"

# What tests need beside us; a PHP that has one built in has no file for it. pdo goes before pdo_sqlite.
# The arguments are single words, so splitting them is what we want.
load="-d extension_dir=$work/modules"
for name in posix pcntl pdo pdo_sqlite sqlite3; do
    if [ -f "$system/$name.so" ]; then
        ln -s "$system/$name.so" "$work/modules/$name.so"
        load="$load -d extension=$name"
    fi
done
load="$load -d extension=cr0sync"

CR0SYNC_PHP_OPTIONS=
memory=
case $mode in
    jit)
        CR0SYNC_PHP_OPTIONS='opcache.enable_cli=1 opcache.jit_buffer_size=16M opcache.jit=tracing'
        # Built in from PHP 8.5 on.
        if [ -f "$system/opcache.so" ]; then
            ln -s "$system/opcache.so" "$work/modules/opcache.so"
            CR0SYNC_PHP_OPTIONS="zend_extension=opcache $CR0SYNC_PHP_OPTIONS"
        fi
        ;;
    valgrind)
        # What PCRE compiles reads behind the end of texts, in whole words, and knows that.
        CR0SYNC_PHP_OPTIONS='pcre.jit=0'
        ;;
esac
for option in $CR0SYNC_PHP_OPTIONS; do
    load="$load -d $option"
done
case $mode in
    jit)
        # A pass that compiles nothing would prove nothing.
        # shellcheck disable=SC2086
        if ! "$php" -n $load -r 'exit(opcache_get_status()["jit"]["on"] ? 0 : 1);'; then
            echo 'opcache has no JIT here.' >&2
            echo '0 passed, 1 failed, 0 skipped'
            exit 1
        fi
        ;;
    valgrind)
        memory=-m
        # Else PHP keeps blocks of its own, into which nobody can look.
        USE_ZEND_ALLOC=0
        # What PHP keeps until it ends is no leak; what nobody knows of any more is one.
        VALGRIND_OPTS='--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite'
        # Nor are programs of others looked at.
        VALGRIND_OPTS="$VALGRIND_OPTS --vgdb=no --trace-children-skip=*/readelf,*/nm,*/script"
        VALGRIND_OPTS="$VALGRIND_OPTS --suppressions=$source/valgrind.supp"
        # Of tests that need many processes at once, or seconds to be seconds.
        SKIP_SLOW_TESTS=1
        export USE_ZEND_ALLOC VALGRIND_OPTS SKIP_SLOW_TESTS
        ;;
esac
export CR0SYNC_PHP_OPTIONS

CR0SYNC_EXTENSION=$extension
CR0SYNC_PHP=$(dirname "$source")
TEST_PHP_EXECUTABLE=$php
NO_INTERACTION=1
export CR0SYNC_EXTENSION CR0SYNC_PHP TEST_PHP_EXECUTABLE NO_INTERACTION
unset CR0SYNC_CONFIG NO_COLOR || true

if [ $# -eq 0 ]; then
    set -- "$work"/tests/*.phpt
else
    for test in "$@"; do
        shift
        set -- "$@" "$work/tests/$(basename "$test" .phpt).phpt"
    done
fi
# shellcheck disable=SC2086
"$php" -n "$work/run-tests.php" -n -q $memory --offline --no-color --show-diff -W "$work/results" \
    $load "$@" >"$work/log" 2>&1 || true

if [ ! -s "$work/results" ]; then
    cat "$work/log"
    echo '0 passed, 1 failed, 0 skipped'
    exit 1
fi
# That valgrind does not know a system call is no finding: the call fails, as on an older Linux. Tests of which nothing
# else is told have passed.
: >"$work/clean"
for found in "$work"/tests/*.mem; do
    [ -f "$found" ] || continue
    sed -i -e '/^--[0-9]*-- WARNING: unhandled [^ ]* syscall: [0-9]*$/d' \
        -e '/^--[0-9]*-- You may be able to write your own handler\.$/d' \
        -e '/^--[0-9]*-- Read the file README_MISSING_SYSCALL_OR_IOCTL\.$/d' \
        -e '/^--[0-9]*-- Nevertheless we consider this a bug\.  Please report$/d' \
        -e '/^--[0-9]*-- it at http[^ ]*$/d' "$found"
    # One that failed beside that has a difference.
    [ -s "$found" ] || [ -f "${found%.mem}.diff" ] || printf '%s\n' "${found%.mem}.phpt" >>"$work/clean"
done
# What ran and how it differs; the rest says nothing that the last line does not.
awk -v tests="$work/tests/" -v clean="$work/clean" '
    BEGIN { while ((getline test < clean) > 0) { sub(/^.*\//, "", test); is_clean[test] = 1 } }
    /^FAILED TEST SUMMARY/ { exit }
    { sub(/^.*\r/, ""); gsub(tests, "") }
    /^LEAK / { test = $NF; gsub(/^.*[\/[]|\]$/, "", test); if (test in is_clean) sub(/^LEAK/, "PASS") }
    /^========DIFF/ { differs = 1 }
    differs || /^(PASS|SKIP|FAIL|WARN|BORK|LEAK)[ &]/ { print }
    /^========DONE/ { differs = 0 }' "$work/log"
# What valgrind found, of each test as long as it is readable.
for found in "$work"/tests/*.mem; do
    if [ -s "$found" ]; then
        echo "${found##*/}:"
        head -n 60 "$found"
    fi
done
awk -v clean="$work/clean" '
    BEGIN { while ((getline test < clean) > 0) is_clean[test] = 1 }
    $1 == "PASSED" || ($1 == "LEAKED" && $2 in is_clean) { passed++; next }
    $1 == "SKIPPED" { skipped++; next }
    { failed++ }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }' "$work/results"
