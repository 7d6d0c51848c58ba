#!/bin/sh
# That `make install` builds nothing, installs nothing stale, and like `make build` means the PHP of PHP_CONFIG: in a copy of
# the sources, with a PHP that only says where things go. What a real one does with it, install.py tries.
set -eu
cd "$(dirname "$0")/../.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT INT TERM
copy=$place/source
mkdir -p "$copy" "$place/bin"
tar -c Cargo.toml Cargo.lock Makefile build.rs .ci include php/ext php/src php/stubs php/website src | tar -x -C "$copy"

# As new as the one of this system, whose places are not its.
version=$(php-config --version 2>/dev/null || echo 8.2.1)
speaker() { # NAME DIRECTORY
    cat >"$place/$1" <<END
#!/bin/sh
case \$1 in
    --version) echo "$version" ;;
    --extension-dir) echo $2/extensions ;;
    --ini-dir) echo $2/conf.d ;;
    --php-binary) echo $2/bin/php ;;
    *) exit 1 ;;
esac
END
    chmod +x "$place/$1"
}
speaker php-config /opt/php
speaker other-config /opt/other
# Whoever compiles is told on.
printf '#!/bin/sh\necho "cargo was called for $PHP and $PHP_CONFIG" >&2\nexit 1\n' >"$place/bin/cargo"
chmod +x "$place/bin/cargo"
PATH=$place/bin:$PATH
export PATH

say() {
    echo "refuses: $1" >&2
    sed 's/^/    /' "$place/told" >&2
    exit 1
}
install() { # CONFIG
    make -s -C "$copy" install DESTDIR="$place/stage" PREFIX=/usr PHP_CONFIG="$place/$1" >"$place/told" 2>&1
}
refused() { # CONFIG WORDS
    if install "$1"; then say "it installed something, and should have said: $2"; fi
    grep -qF "$2" "$place/told" || say "it did not say: $2"
    if grep -qF 'cargo was called' "$place/told"; then say 'it compiled'; fi
}
installed() {
    rm -rf "${place:?}/stage"
    install php-config || say 'it refused a good build'
    for file in opt/php/extensions/cr0sync.so opt/php/conf.d/cr0sync.ini usr/lib/libcr0sync.a; do
        [ -f "$place/stage/$file" ] || say "it did not install $file"
    done
}
stamped() { # the extension, as .ci/extension does it
    (cd "$copy" && PHP_CONFIG="$place/php-config" sh .ci/stamp extension >build/cr0sync.stamp)
}

refused php-config 'run `make build` first'
[ ! -e "$place/stage" ] || say 'it installed something that was not built'
mkdir -p "$copy/build/library"
echo extension >"$copy/build/cr0sync.so"
# What an interrupted build left.
refused php-config 'run `make build` first'
stamped
refused php-config 'run `make library` first'
echo static >"$copy/build/library/libcr0sync.a"
echo shared >"$copy/build/library/libcr0sync.so.0.1.0"
echo 'Version: 0.1.0' >"$copy/build/library/cr0sync.pc"
(cd "$copy" && sh .ci/stamp library >build/library/stamp)
installed

# Times say nothing: an archive has those of its making.
touch "$copy/src/lib.rs"
installed
echo '// more' >>"$copy/src/lib.rs"
touch -d 2001-01-01 "$copy/src/lib.rs"
refused php-config 'run `make build` again'
stamped
refused php-config 'run `make library` again'
(cd "$copy" && sh .ci/stamp library >build/library/stamp)
installed
rm "$copy/php/ext/src/ini.rs"
refused php-config 'run `make build` again'
stamped
installed
# What phpize leaves is no source.
mkdir -p "$copy/php/ext/modules"
echo left >"$copy/php/ext/configure"
installed

# A build is for that PHP as well, and one that fails leaves what was there.
if make -s -C "$copy" build PHP_CONFIG="$place/php-config" >"$place/told" 2>&1; then say 'it built without cargo'; fi
grep -qxF "cargo was called for /opt/php/bin/php and $place/php-config" "$place/told" || say 'it built for another PHP'
installed
if make -s -C "$copy" build PHP_CONFIG="$place/no-config" >"$place/told" 2>&1; then say 'it built for no PHP'; fi
grep -qF "names $place/no-config" "$place/told" || say 'it did not say that there is no such PHP'

refused other-config 'or for another PHP'
refused no-config 'PHP_CONFIG=/path/to/php-config'
echo 'refuses: ok, make install builds nothing and installs nothing stale'
