#!/usr/bin/env bash
# Everything in figures: builds, measures, prints the table beside the goals. `make bench` calls it; GLADHAND_BENCH=quick takes
# one repetition of shorter streams without Node-RED and Python.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${CARGO:=cargo}" "${CARGO_TARGET_DIR:=$PWD/target}" "${GLADHAND_BENCH:=full}"
export CARGO_TARGET_DIR PYTHONDONTWRITEBYTECODE=1 PATH="$PATH:/usr/sbin"
out=$CARGO_TARGET_DIR/bench
mkdir -p "$out"

# The daemon too.
$CARGO bench --locked --quiet --no-run --bench decode --bench decide --bench store
CARGO_TARGET_DIR=$out/kit $CARGO build --locked --release --quiet --manifest-path bench/Cargo.toml

peers=()
if [ "$GLADHAND_BENCH" = full ]; then
    if command -v npm >/dev/null && mkdir -p "$out/node-red" && cp bench/peers/nodered/package.json "$out/node-red" &&
        npm install --prefix "$out/node-red" --silent --no-audit --no-fund; then
        peers+=(--node-red "$out/node-red")
    else
        echo "Node-RED is left out: npm cannot install it"
    fi
    if python3 -m venv "$out/python" && "$out/python/bin/pip" install --quiet --disable-pip-version-check -r bench/peers/python/requirements.txt; then
        peers+=(--python "$out/python/bin/python")
    else
        echo "Python is left out: pip cannot install what it needs"
    fi
else
    peers+=(--quick)
fi

# The slowest median of the lines that begin so.
slowest() { awk -F '  +' -v part="$1" -v column="$3" 'index($0, part) == 1 && $column + 0 > most { most = $column + 0 } END { print most }' "$2"; }
$CARGO bench --locked --quiet --bench decode | tee "$out/decode.txt"
$CARGO bench --locked --quiet --bench decide -- decide, | tee "$out/decide.txt"
$CARGO bench --locked --quiet --bench store | tee "$out/store.txt"
exec python3 bench/run.py --gladhand "$CARGO_TARGET_DIR/release/gladhand" --kit "$out/kit/release/sepbench" --out "$out/runs" \
    --decode-ns "$(slowest gladhand, "$out/decode.txt" 4)" --decide-ns "$(slowest "decide, 200 " "$out/decide.txt" 3)" \
    --decide-many-ns "$(slowest "decide, 20000 " "$out/decide.txt" 3)" "${peers[@]}"
