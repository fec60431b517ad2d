# Stored size and speed on a model of a gibibyte: bf16, N(0, 0.02), all but a little in projections.
#   KICK_SIZE_LAYERS sets the number of blocks (11: 1.1 GB).
. tests/cli/lib.bash
layers=${KICK_SIZE_LAYERS:-11}
size() { stat -c %s "$1"; }
free=$(df --output=avail -k "$work" | tail -1)
if [ "$free" -lt $((layers * 400000)) ]; then
    echo "skip size: $free KiB free in $work are too few"
    exit 0
fi
"$KICK_BUILD/tests/make-model" "$work/model" --hidden 2048 --intermediate 5632 --layers "$layers" --heads 16 \
    --kv-heads 16 --vocab 64 || exit 1
raw=$((layers * (4 * 2048 * 2048 + 3 * 2048 * 5632) * 2)) # the projections alone

# timed NAME COMMAND…: sets seconds and peak (KiB)
timed() {
    local name=$1
    shift
    /usr/bin/time -f "%e %U %S %M" -o "$work/time" "$@" 2>"$work/said" || {
        echo "not ok $name: $(cat "$work/said")"
        exit 1
    }
    read -r seconds user sys peak < <(tail -1 "$work/time")
}

# at_most NAME FILE SHARE: of the raw projections, counting the whole file.
at_most() {
    awk -v name="$1" -v n="$(size "$2")" -v raw=$raw -v most="$3" 'BEGIN {
        printf "%s %s: %.4f of raw, at most %.2f\n", n / raw <= most ? "ok" : "not ok", name, n / raw, most }'
}

speed() { # NAME: of raw bytes, wall clock and processor
    awk -v name="$1" -v raw=$raw -v t="$seconds" -v c="$user" -v s="$sys" -v p="$peak" 'BEGIN {
        printf "    %s: %.0f MB/s, %.0f MB/s a core, peak %.0f MiB\n", name, raw / t / 1e6, raw / (c + s) / 1e6, p / 1024 }'
}

if ! [ -x /usr/bin/time ]; then
    echo "skip size: no /usr/bin/time"
    exit 0
fi
cat "$work/model/model.safetensors" >/dev/null
timed "ingest" kick-ingest-model "$work/model" -o "$work/dense.kick"
speed ingest-model
ingest=$seconds ingest_peak=$peak
# What the disk takes, of as many bytes as were written.
dd if=/dev/urandom of="$work/block" bs=4M count=16 2>/dev/null
start=$(date +%s.%N)
for ((i = 0; i < $(size "$work/dense.kick") / 67108864 + 1; i++)); do cat "$work/block"; done |
    dd of="$work/dd" bs=4M conv=fsync iflag=fullblock 2>/dev/null
disk=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')
rm -f "$work/dd" "$work/block"
awk -v raw=$raw -v t="$ingest" -v disk="$disk" 'BEGIN {
    ok = raw / t >= 200e6 || disk / t >= 0.8
    printf "%s ingest-model to a file: %.0f MB/s; the disk alone takes %.2f s of its %.2f s\n", ok ? "ok" : "not ok", raw / t / 1e6, disk, t }'
awk -v p="$ingest_peak" 'BEGIN {
    printf "%s ingest-model holds a few tensors of 22 MiB: peak %.0f MiB\n", p / 1024 < 200 ? "ok" : "not ok", p / 1024 }'
at_most "dense" "$work/dense.kick" 0.70

timed "-s 0.5" kick-prune-magnitude -s 0.5 "$work/dense.kick" -o "$work/x.kick"
speed "prune-magnitude -s 0.5"
at_most "50 % unstructured" "$work/x.kick" 0.40
timed "-p 2:4" kick-prune-magnitude -p 2:4 "$work/dense.kick" -o "$work/x.kick"
speed "prune-magnitude -p 2:4"
at_most "2:4" "$work/x.kick" 0.40
timed "rtn" kick-quantize-rtn -b 4 -g 128 "$work/dense.kick" -o "$work/x.kick"
speed "quantize-rtn"
at_most "4 bits, groups of 128" "$work/x.kick" 0.25
timed "check" kick-stream-check "$work/dense.kick"
speed "stream-check"
awk -v p="$peak" 'BEGIN { printf "%s peak of readers: %.0f MiB\n", p / 1024 < 200 ? "ok" : "not ok", p / 1024 }'
