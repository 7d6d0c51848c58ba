#!/bin/sh
# How long rate limits take from PHP, beside Symfony's over APCu and a rewritten JSON file: sh benches/limits.sh EXTENSION.so
set -eu

if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    echo 'usage: sh benches/limits.sh EXTENSION.so' >&2
    exit 64
fi
extension=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"
# Nothing is loaded but what is measured, and what that needs. A PHP that has one built in has no file for it.
system=$(php -r 'echo ini_get("extension_dir");')
load=
for name in ctype mbstring iconv apcu pcntl posix; do
    [ ! -f "$system/$name.so" ] || load="$load -d extension=$name"
done
# The arguments are single words, so splitting them is what we want.
# shellcheck disable=SC2086
exec php -n $load -d apc.enable_cli=1 -d apc.shm_size=128M -d memory_limit=1G -d extension="$extension" limits.php
