#!/bin/sh
# Measures the verification of API keys from PHP: sh benches/access.sh EXTENSION.so
set -eu

if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    echo 'usage: sh benches/access.sh EXTENSION.so' >&2
    exit 64
fi
# Nothing else is loaded, so that what is compared is what is named.
load="-d extension=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
modules=$(php-config --extension-dir)
if [ -f "$modules/apcu.so" ]; then
    load="$load -d extension=$modules/apcu.so -d apc.enable_cli=1"
fi
# Words only, so splitting is what we want.
# shellcheck disable=SC2086
exec php -n $load "$(dirname "$0")/access.php"
