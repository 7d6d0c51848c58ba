#!/bin/sh
# Runs the tests of the scripts with PHPUnit: sh tests/php/wrappers.sh EXTENSION.so [OPTION OF PHPUNIT...]
#
# Each test runs a script in a process of its own, on files of its own. PHPUnit itself needs no extension of ours.
# The last line is `N passed, N failed, N skipped`, counted from what ran.
set -eu

if [ $# -lt 1 ] || [ ! -f "$1" ]; then
    echo 'usage: sh tests/php/wrappers.sh EXTENSION.so [OPTION OF PHPUNIT...]' >&2
    exit 64
fi
CR0SYNC_EXTENSION=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
here=$(cd "$(dirname "$0")" && pwd)
CR0SYNC_PHP=$here/../../php
export CR0SYNC_EXTENSION CR0SYNC_PHP
unset CR0SYNC_CONFIG CR0SYNC_PHP_OPTIONS NO_COLOR || true

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
TMPDIR=$work phpunit --configuration "$here/phpunit.xml.dist" --log-junit "$work/results.xml" "$@" >"$work/log" 2>&1 || failed=1
if [ -n "${failed:-}" ]; then
    cat "$work/log"
fi
php -r '
    $suite = @simplexml_load_file($argv[1])->testsuite ?? null;
    $all = (int) ($suite["tests"] ?? 0);
    $failed = (int) ($suite["failures"] ?? 0) + (int) ($suite["errors"] ?? 0);
    $skipped = (int) ($suite["skipped"] ?? 0);
    // It may also end badly without a test that failed.
    $failed = max($failed, (int) $argv[2]);
    printf("%d passed, %d failed, %d skipped\n", max(0, $all - $failed - $skipped), $failed, $skipped);
    exit($failed > 0 ? 1 : 0);' "$work/results.xml" "${failed:-0}"
