#!/bin/sh
# Runs the code of the documents: sh tests/docs/run.sh EXTENSION.so. The last line counts it.
set -eu
cd "$(dirname "$0")/../.."
if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    echo 'usage: sh tests/docs/run.sh EXTENSION.so' >&2
    exit 64
fi
extension=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
# Where it is installed already, PHP would say so of the second one.
set -- tests/docs/docs.php "$extension"
if ! php -m | grep -qx cr0sync; then
    set -- -d "extension=$extension" "$@"
fi
exec php "$@"
