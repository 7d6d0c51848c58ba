#!/bin/sh
# Fuzzes what reads bytes that others may have written or broken: pages, logs, configurations, requests, the state.
#
# run.sh [SECONDS]. First every input that is kept below corpus and found, then new ones for SECONDS a target. Without it
# CR0SYNC_FUZZ_SECONDS says how long (10 unless given); hours are as good, and the next run goes on where this one ended.
# CR0SYNC_FUZZ_TARGETS="page config" chooses. It prints a line for each target. A crash, an overflow, half a minute or a
# gigabyte for one input fails it, and the file with the input is named: mended, it goes to found/TARGET and stays there.
#
# Stable Rust and a C++ compiler are enough: the coverage comes from a pass of LLVM that only has to be asked for.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

seconds=${1:-${CR0SYNC_FUZZ_SECONDS:-10}}
targets=${CR0SYNC_FUZZ_TARGETS:-"page trees record state config request schema files"}
case ${CARGO_TARGET_DIR:-target} in
    /*) built=${CARGO_TARGET_DIR:-target}/fuzz ;;
    *) built=$PWD/${CARGO_TARGET_DIR:-target}/fuzz ;;
esac
host=$(rustc -vV | sed -n 's/^host: //p')

# With a target of its own the flags are for what is fuzzed, not for build scripts; and nothing else is built anew.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares" \
    cargo build --quiet --locked --manifest-path tests/fuzz/Cargo.toml --target-dir "$built" --target "$host" --bins

# What is tried lies in memory where that can be.
memory=/dev/shm
[ -w "$memory" ] || memory=${TMPDIR:-/tmp}
scratch=$(mktemp -d "$memory/cr0sync-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT INT TERM

failed=0
: >"$scratch/lines"
# Runs one target; what it prints is in $scratch/log.
fuzz() {
    target=$1
    shift
    mkdir -p "$built/corpus/$target" "$built/crashes" "$scratch/tmp"
    found=
    [ ! -d "$here/found/$target" ] || found=$here/found/$target
    TMPDIR=$scratch/tmp RUST_BACKTRACE=1 "$built/$host/debug/$target" -rss_limit_mb=1024 -timeout=30 \
        -artifact_prefix="$built/crashes/$target-" -print_final_stats=1 "$@" \
        "$built/corpus/$target" "$here/corpus/$target" ${found:+"$found"} >"$scratch/log" 2>&1
}

for target in $targets; do
    if fuzz "$target" -runs=0 && fuzz "$target" -max_total_time="$seconds"; then
        awk -v target="$target" '
            /^#[0-9]+/ { for (i = 2; i < NF; i++) { if ($i == "cov:") edges = $(i + 1); if ($i == "corp:") inputs = $(i + 1) } }
            /^stat::number_of_executed_units:/ { executions = $2 }
            /^stat::peak_rss_mb:/ { memory = $2 }
            END { sub("/.*", "", inputs)
                printf "fuzz %s: %d executions, %d edges, %d inputs, %d MB\n", target, executions, edges, inputs, memory }
        ' "$scratch/log" | tee -a "$scratch/lines"
    else
        failed=1
        # The panic and the file, without what it is like inside of the fuzzer.
        tail -n 60 "$scratch/log"
        file=$(sed -n 's/.*Test unit written to //p' "$scratch/log" | tail -n 1)
        echo "fuzz $target: FAILED with ${file:-an input that was not kept}"
    fi
done
[ $failed = 0 ] || exit 1
awk '{ executions += $3; edges += $5 }
    END { printf "fuzz: ok, %d targets, %d executions, %d edges\n", NR, executions, edges }' "$scratch/lines"
