#!/bin/sh
# Runs every test of the project and ends with one line: `N passed, N failed, N skipped`.
#
# The sums come from what the test programs print, so nothing is counted that did not run. A test program that dies
# counts as a failure. A Rust test that cannot run here prints a line `skipped: WHY` and is counted as skipped.
set -eu
cd "$(dirname "$0")/.."

sums=$(mktemp -d)
mkdir "$sums/counted"
trap 'rm -rf "$sums"' EXIT INT TERM

# Rust. What successful tests print is hidden, but for the lines that say why one was skipped.
rust() {
    { cargo test --locked --workspace --no-fail-fast -- --show-output 2>&1 || echo "cargo exit $?"; } | awk -v sums="$sums/counted/rust" '
        /^cargo exit / { died = 1; next }
        /^successes:$/ { hidden = 1 }
        /^failures:$/ { hidden = 0 }
        /^skipped: / { skipped++; print "    " $0; next }
        /^test result: / {
            hidden = 0
            for (i = 3; i <= NF; i++) {
                if ($(i + 1) ~ /^passed/) passed += $i
                if ($(i + 1) ~ /^failed/) failed += $i
                if ($(i + 1) ~ /^ignored/) ignored += $i
            }
        }
        !hidden { print; fflush() }
        END {
            if (died && !failed) failed = 1
            print passed - skipped, failed + 0, skipped + ignored > sums
        }'
}

# PHP. The scripts print their own sums in their last line, in our words.
summed() {
    name=$1
    shift
    { "$@" 2>&1 || echo "summed exit $?"; } | awk -v sums="$sums/counted/$name" '
        /^summed exit / { died = 1; next }
        /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed = $1; failed = $3; skipped = $5; summed = 1; next }
        { print; fflush() }
        END {
            if ((died || !summed) && !failed) failed = 1
            print passed + 0, failed, skipped + 0 > sums
        }'
}

# A program that checks itself, and says in its last line what it did, or `skipped: WHY`; all of what it says when it fails.
whole() {
    name=$1
    shift
    if "$@" >"$sums/$name.log" 2>&1; then
        tail -n 1 "$sums/$name.log"
        case $(tail -n 1 "$sums/$name.log") in
            'skipped: '*) echo 0 0 1 >"$sums/counted/$name" ;;
            *) echo 1 0 0 >"$sums/counted/$name" ;;
        esac
    else
        cat "$sums/$name.log"
        echo "$name: FAILED"
        echo 0 1 0 >"$sums/counted/$name"
    fi
}

# A whole machine with a real cron, for some minutes; it waits most of them, so it goes beside the others. Nothing that it
# installs is kept. CR0SYNC_E2E_MINUTES makes it longer.
whole e2e python3 -B tests/e2e/e2e.py >"$sums/e2e.out" &
beside=$!

rust
summed php sh php/tests/run.sh build/cr0sync.so
# The same, compiled by opcache.
summed jit sh php/tests/run.sh --jit build/cr0sync.so
# The scripts that people and cron call.
summed wrappers sh tests/php/wrappers.sh build/cr0sync.so
# The system as it is installed, and its shell scripts.
summed system sh tests/system/run.sh build/cr0sync.so
whole style sh tests/php/style.sh
# The code in the documents.
whole docs sh tests/docs/run.sh build/cr0sync.so
# The documentation of the code: a link that leads nowhere is an error.
whole rustdoc env RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps
# The main job, as a person watches it: it fails when sides differ or anything is lost.
whole demo python3 -B tests/demo/demo.py --directory "$sums/playground"
# The admin pages on what that left, as a person tries them.
whole admin-demo python3 -B tests/demo/admin_check.py --directory "$sums/playground"
# Owners write while the sync is killed again and again. CR0SYNC_SOAK_SECONDS makes it longer.
whole soak python3 -B tests/soak/soak.py
# One run after the other is killed while it writes, and owners give out the ids that it had planned for others.
whole kills python3 -B tests/kills/kills.py build/cr0sync.so
# The extension under php-fpm.
whole web python3 -B tests/web/web.py
# The admin pages under php-fpm, in a browser, while cron runs.
whole admin python3 -B tests/admin/admin.py
# `make install` where something is not built, or is stale.
whole refuses sh tests/install/refuses.sh
# The C library.
whole abi python3 -B tests/abi/abi.py
# A real bouncer's logs.
whole bouncer python3 -B tests/logs/bouncer.py
# The bench of databases, small: what peers lose, and the shape of the report.
whole benches python3 -B tests/benches/smoke.py
# What Prometheus reads.
whole metrics python3 -B tests/metrics/metrics.py
# Broken files. CR0SYNC_FUZZ_SECONDS makes it longer.
whole fuzz sh tests/fuzz/run.sh

wait "$beside"
cat "$sums/e2e.out"
cat "$sums"/counted/* | awk '
    { passed += $1; failed += $2; skipped += $3 }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }'
