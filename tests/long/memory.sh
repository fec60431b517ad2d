# The estimate of -v against the peak that the kernel saw, within 10 %: dense, tied, a mixture of experts.
. tests/cli/lib.bash
if ! [ -x /usr/bin/time ]; then
    echo "skip memory: no /usr/bin/time"
    exit 0
fi
awk 'BEGIN {srand(1); for (i = 0; i < 8; i++) {for (j = 0; j < 512; j++) printf "%d ", 32000 * rand(); print ""}}' \
    >"$work/ids.txt"
kick-ingest-text -f ids "$work/ids.txt" -o "$work/ids.kick" || exit 1

estimate() { # NAME options of make-model…
    local name=$1 announced peak
    shift
    "$KICK_BUILD/tests/make-model" "$work/model" --vocab 32000 --positions 2048 "$@" || exit 1
    kick-ingest-model "$work/model" -o "$work/model.kick" || exit 1
    rm -r "$work/model"
    for j in 1 2; do
        /usr/bin/time -f "%M" -o "$work/time" kick-eval-perplexity -v -j$j -d "$work/ids.kick" \
            "$work/model.kick" -o "$work/out.kick" 2>"$work/said" || exit 1
        announced=$(sed -n 's/.*needs about \([0-9.]*\) MiB.*/\1/p' "$work/said")
        peak=$(tail -1 "$work/time")
        awk -v name="$name -j$j" -v a="$announced" -v p="$peak" 'BEGIN {
            p /= 1024
            printf "%s %s: %.1f MiB announced, %.1f used\n", (p > 200 && a > 0.9 * p && a < 1.1 * p) ? "ok" : "not ok", name, a, p }'
    done
}

# What reads and writes tensor by tensor, and whole files of text.
other() { # NAME COMMAND…
    local name=$1
    shift
    /usr/bin/time -f "%M" -o "$work/time" "$@" -v 2>"$work/said" >/dev/null || exit 1
    awk -v name="$name" -v a="$(sed -n 's/.*needs about \([0-9.]*\) MiB.*/\1/p' "$work/said" | tail -1)" -v p="$(tail -1 "$work/time")" 'BEGIN {
        p /= 1024
        printf "%s %s: %.1f MiB announced, %.1f used\n", (p > 30 && a > 0.97 * p && a < 1.4 * p + 8) ? "ok" : "not ok", name, a, p }'
}
"$KICK_BUILD/tests/make-model" "$work/model" --layers 1 --hidden 1024 --intermediate 8192 --heads 16 --kv-heads 16 --vocab 16000
kick-ingest-model "$work/model" -o "$work/model.kick"
for j in 1 2 3; do
    other "prune-magnitude -j$j" kick-prune-magnitude -j$j -s 0.5 "$work/model.kick" -o "$work/out.kick"
    other "quantize-rtn -j$j" kick-quantize-rtn -j$j "$work/model.kick" -o "$work/out.kick"
    other "quantize-int8 -j$j" kick-quantize-int8 -j$j "$work/model.kick" -o "$work/out.kick"
    other "export-gguf -j$j" kick-export-gguf -j$j "$work/model.kick" -o "$work/out.gguf"
    other "stream-check -j$j" kick-stream-check -j$j "$work/model.kick"
    other "stream-show -j$j" kick-stream-show -j$j "$work/model.kick"
done
awk 'BEGIN {printf "{\"Questions\":["; for (i = 0; i < 60000; i++)
    printf "%s{\"Question-ID\":\"q%d\",\"RawQuestion\":\"who is the author of book number %d in the library\",\"Parses\":[{\"Answers\":[{\"AnswersName\":[\"Ann number %d\",\"Anna\"]}]}]}", i ? "," : "", i, i, i
    print "]}"}' >"$work/fb.json"
other ingest-freebaseqa kick-ingest-freebaseqa "$work/fb.json" -o "$work/out.kick"
yes 'the heron waits for a frog' | head -c 30000000 >"$work/big.txt"
other ingest-text kick-ingest-text "$work/big.txt" -o "$work/out.kick"

estimate dense --hidden 1536 --intermediate 4096 --heads 12 --kv-heads 12 --layers 3
estimate tied --hidden 1536 --intermediate 4096 --heads 12 --kv-heads 12 --layers 3 --tied
estimate experts --hidden 1024 --intermediate 2816 --heads 16 --kv-heads 4 --layers 3 --experts 8
estimate "experts, tied" --hidden 1024 --intermediate 2816 --heads 16 --kv-heads 4 --layers 2 --experts 4 --tied
