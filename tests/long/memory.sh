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

estimate dense --hidden 1536 --intermediate 4096 --heads 12 --kv-heads 12 --layers 3
estimate tied --hidden 1536 --intermediate 4096 --heads 12 --kv-heads 12 --layers 3 --tied
estimate experts --hidden 1024 --intermediate 2816 --heads 16 --kv-heads 4 --layers 3 --experts 8
estimate "experts, tied" --hidden 1024 --intermediate 2816 --heads 16 --kv-heads 4 --layers 2 --experts 4 --tied
