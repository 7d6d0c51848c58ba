#!/bin/sh
# The shell scripts of the project as their shell and shellcheck see them, then an installation of the system that is used as
# cron uses it: sh tests/system/run.sh EXTENSION.so. The last line is `N passed, N failed, N skipped`.
set -eu
cd "$(dirname "$0")/../.."
if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    echo 'usage: sh tests/system/run.sh EXTENSION.so' >&2
    exit 64
fi
exec python3 -B tests/system/system.py "$1"
