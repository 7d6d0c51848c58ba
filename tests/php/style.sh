#!/bin/sh
# Every PHP file of the project: whether the PHP at hand understands it, and whether it is written as phpcs.xml.dist says.
#
# Ends with a line for the tests. `phpcbf FILE` mends most of what is found.
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
# Without git (a source archive) whatever lies there.
if ! git ls-files --cached --others --exclude-standard -- '*.php' '*.inc' >"$work/listed" 2>/dev/null ||
    [ ! -s "$work/listed" ]; then
    find benches php tests -name '*.php' -o -name '*.inc' >"$work/listed"
fi

failed=0
count=0
while IFS= read -r file; do
    # What git still lists though it is gone.
    [ -f "$file" ] || continue
    count=$((count + 1))
    echo "$file" >>"$work/files"
    said=$(php -n -l "$file" 2>&1) || {
        echo "$said"
        failed=1
    }
done <"$work/listed"
if [ "$count" -eq 0 ]; then
    echo 'there is no PHP here; the list is wrong'
    exit 1
fi

phpcs --version
phpcs -q -s --no-colors --report-width=120 --file-list="$work/files" || failed=1
[ "$failed" -eq 0 ] || exit 1
echo "php style: $count files are written as phpcs.xml.dist says"
