# Streams that were cut or have a bit flipped are refused with one line and exit 1, or decode to
# exactly the same records; no output appears; a damaged stage breaks the whole pipe.
. tests/cli/lib.bash
seed=${KICK_SEED:-20240611}
echo "seed $seed (KICK_SEED sets another)"
RANDOM=$seed
tools=$KICK_BUILD/tests

"$tools/make-model" "$work/model" --layers 2 --hidden 48 --intermediate 96 --vocab 64 || exit 1
kick-ingest-model "$work/model" | kick-prune-magnitude -s 0.5 -j1 -o "$work/good.kick" || exit 1
kick-stream-show --digests "$work/good.kick" >"$work/good.txt" || exit 1
check "a good stream is whole" kick-stream-check "$work/good.kick"
size=$(stat -c %s "$work/good.kick")

# try NAME WAY N: the stream damaged in one place.
refused=0 same=0 wrong=0
try() {
    local status said
    "$tools/damage" "$work/good.kick" "$work/bad.kick" "$1" "$2" || exit 1
    kick-stream-check -j1 "$work/bad.kick" >/dev/null 2>"$work/said"
    status=$?
    if [ $status -eq 0 ]; then
        kick-stream-show -j1 --digests "$work/bad.kick" >"$work/bad.txt" 2>"$work/said"
        if cmp -s "$work/good.txt" "$work/bad.txt"; then
            same=$((same + 1))
        else
            wrong=$((wrong + 1))
            echo "    $1 $2: accepted with other records"
        fi
    elif mapfile -t said <"$work/said" && [ $status -eq 1 ] && [ ${#said[@]} -eq 1 ]; then
        refused=$((refused + 1))
    else
        wrong=$((wrong + 1))
        echo "    $1 $2: exit $status: $(cat "$work/said")"
    fi
    # A program that reads it: refused likewise, and nothing under the name of its output.
    kick-prune-magnitude -j1 -s 0.6 "$work/bad.kick" -o "$work/out.kick" 2>"$work/said"
    if [ $? -ne $status ] || ! mapfile -t said <"$work/said" ||
        [ ${#said[@]} -ne $((status != 0)) ] || { [ $status -ne 0 ] && [ -e "$work/out.kick" ]; }; then
        wrong=$((wrong + 1))
        echo "    $1 $2: prune-magnitude: $(cat "$work/said")"
    fi
    [ $status -ne 0 ] || rm -f "$work/out.kick"
}

# report NAME COUNT
counted=0 lost=0
report() {
    counted=$((counted + $2)) lost=$((lost + wrong))
    if [ $wrong -eq 0 ] && [ $((refused + same)) -eq "$2" ] && [ "$2" -gt 0 ]; then
        echo "ok $1: $refused refused, $same the same"
    else
        echo "not ok $1: $wrong of $2 wrong"
    fi
    refused=0 same=0 wrong=0
}

for ((i = 0; i < 200; i++)); do
    try cut $(((RANDOM << 15 | RANDOM) % size))
done
report "cut at 200 places" 200
# Between frames nothing but the missing end tells.
places=$(LC_ALL=C grep -obUaP '\x28\xB5\x2F\xFD' "$work/good.kick" | cut -d: -f1)
for i in $places; do
    try cut "$i"
done
report "cut between frames" "$(wc -w <<<"$places")"
for ((i = 0; i < 200; i++)); do
    try flip $(((RANDOM << 15 | RANDOM) % (8 * size)))
done
echo "# $counted cuts of a stream"
counted=0
report "200 bits flipped" 200
echo "# $counted flips of a bit in a stream"
echo "# $lost survivors"
if ls -A "$work" | grep -q '\.tmp$'; then echo "not ok temporary files stay behind"; else echo "ok no temporary files"; fi

# A damaged middle breaks what follows; what follows does not finish its file.
"$tools/damage" "$work/good.kick" "$work/bad.kick" cut $((size / 2))
kick-prune-magnitude -s 0.6 "$work/bad.kick" 2>"$work/one" | kick-quantize-rtn 2>"$work/two" |
    kick-stream-check >"$work/three" 2>&1
status="${PIPESTATUS[*]}"
if [ "$status" = "1 1 1" ] && [ "$(cat "$work/one" "$work/two" "$work/three" | wc -l)" -eq 3 ]; then
    echo "ok a damaged stage breaks the pipe"
else
    echo "not ok a damaged stage breaks the pipe: $status"
    sed 's/^/    /' "$work/one" "$work/two" "$work/three"
fi
kick-prune-magnitude -s 0.6 "$work/bad.kick" 2>/dev/null | kick-quantize-rtn -o "$work/q.kick" 2>/dev/null
if [ -e "$work/q.kick" ]; then echo "not ok no file at the end of a broken pipe"; else echo "ok no file at the end of a broken pipe"; fi
kick-prune-magnitude -s 0.6 "$work/none.kick" 2>/dev/null | kick-quantize-rtn -o "$work/q.kick" 2>"$work/said"
if [ -e "$work/q.kick" ] || ! grep -q 'is empty' "$work/said"; then
    echo "not ok a stage that never began"
else
    echo "ok a stage that never began"
fi

# Streams one after another are a stream of streams for those who take several.
cat "$work/good.kick" "$work/good.kick" >"$work/both.kick"
check "concatenated streams are whole" kick-stream-check "$work/both.kick"
refuses "one model, not two" 1 "more than one stream" kick-prune-magnitude "$work/both.kick" -o "$work/x.kick"
check "zstd reads it too" bash -c "zstd -dcq '$work/good.kick' 2>/dev/null | head -1 | grep -aq '^{\"kick\":1'" 
