# The calibrated methods through their programs: the released code's perplexities, the same bytes for
# any number of threads and level of the processor, and what may be combined.
. tests/cli/lib.bash
"$KICK_BUILD/tests/make-model" "$work/own" --layers 2 --hidden 96 --intermediate 160 --vocab 300 || exit 1
kick-ingest-model -q "$work/own" -o "$work/m.kick"
awk 'BEGIN { srand(3); for (r = 0; r < 6; r++) { for (i = 0; i < 40 + r; i++) printf "%d ", int(rand() * 300); print "" } }' \
    >"$work/ids"
kick-ingest-text -q -f ids "$work/ids" -o "$work/c.kick"

end() { zstd -dcq "$1" | tail -1 | grep -ao '"xxh3":"[0-9a-f]*'; }

same() { # NAME PROGRAM OPTION…
    local name=$1 first= got i=0
    shift
    for how in "KICK_CPU=scalar -j1" "KICK_CPU= -j1" "KICK_CPU= -j2" "KICK_CPU= -j5 --mem-max=64M"; do
        set -- "$@"
        [ "${how%% *}" = KICK_CPU= ] && unset KICK_CPU || export KICK_CPU=scalar
        "$@" ${how#* } -q -c "$work/c.kick" "$work/m.kick" -o "$work/same.kick" || { echo "not ok $name: fails"; return; }
        got=$(end "$work/same.kick")
        i=$((i + 1))
        if [ -z "$got" ] || { [ -n "$first" ] && [ "$got" != "$first" ]; }; then
            echo "not ok $name: $how differs"
            unset KICK_CPU
            return
        fi
        first=$got
    done
    unset KICK_CPU
    echo "ok $name: the same for all threads and levels"
}

same "wanda" kick-prune-wanda -s 0.6
same "wanda 2:4" kick-prune-wanda -p 2:4
same "wanda alpha" kick-prune-wanda --alpha-search
same "sparsegpt" kick-prune-sparsegpt -s 0.5
same "sparsegpt sequential" kick-prune-sparsegpt -p 2:4 --true-sequential
same "gptq" kick-quantize-gptq -b 3 -g 32
same "gptq act-order" kick-quantize-gptq -b 4 -g 24 --act-order --sym
same "awq" kick-quantize-awq -b 4 -g 32

# Scales folded into norms, v and up cancel: at 8 bits nothing but rounding is left.
nll() { kick-eval-perplexity -q -d "$work/c.kick" "$1" | kick-stream-show | sed -n 's/.*"nll_mean":\([0-9.]*\).*/\1/p'; }
kick-quantize-awq -q -b 8 -g 32 -c "$work/c.kick" "$work/m.kick" -o "$work/awq8.kick"
check "awq folds its scales" awk -v a="$(nll "$work/awq8.kick")" -v b="$(nll "$work/m.kick")" \
    'BEGIN {d = a - b; exit !(a > 0 && d < 0.002 && d > -0.002)}'

# LLM.int8(): nearly the dense model, the same for any batch and level, and only once.
kick-quantize-int8 -q "$work/m.kick" -o "$work/int8.kick"
check "int8 is near the dense model" awk -v a="$(nll "$work/int8.kick")" -v b="$(nll "$work/m.kick")" \
    'BEGIN {d = a - b; exit !(a > 0 && a != b && d < 0.02 && d > -0.02)}'
a=$(nll "$work/int8.kick") b=$(KICK_CPU=scalar nll "$work/int8.kick")
check "int8: the same at all levels" test "$a" = "$b"
check "int8 asks readers to know it" grep -q '"must":\["activation"\]' <(kick-stream-show "$work/int8.kick")
refuses "int8 twice" 1 "is quantized already" kick-quantize-int8 "$work/int8.kick" -o "$work/x.kick"

# ---- what may be combined
sparsity() { kick-stream-show --compression "$1" | awk '/proj/ {for (i = 4; i <= NF; i++) if ($i ~ /^[01][.][0-9][0-9][0-9][0-9]$/) break; s += $i; n++} END {printf "%.4f\n", s / n}'; }
kick-prune-sparsegpt -q -p 2:4 -c "$work/c.kick" "$work/m.kick" |
    kick-quantize-gptq -q -b 4 -g 32 -c "$work/c.kick" -o "$work/both.kick"
check "sparsegpt, then gptq keeps the zeros" awk -v s="$(sparsity "$work/both.kick")" 'BEGIN {exit !(s >= 0.5 && s < 0.6)}'
check "errors are told" awk '/proj/ && $0 !~ /0[.][0-9]* +0[.]01 +prune-sparsegpt, quantize-gptq/ {exit 1}' <(kick-stream-show --compression "$work/both.kick")
check "both steps are told" grep -q "prune-sparsegpt, quantize-gptq" <(kick-stream-show --compression "$work/both.kick")
kick-prune-wanda -q -s 0.04 -c "$work/c.kick" "$work/m.kick" -o "$work/few.kick"
kick-quantize-gptq -q -c "$work/c.kick" "$work/few.kick" -o "$work/fewq.kick"
check "zeros stay without a mask too" awk -v a="$(sparsity "$work/few.kick")" -v b="$(sparsity "$work/fewq.kick")" 'BEGIN {exit !(a > 0.03 && b >= a)}'
kick-quantize-gptq -q -c "$work/c.kick" "$work/m.kick" -o "$work/q.kick"
refuses "quantized, then pruned" 1 "is quantized already" kick-prune-wanda -c "$work/c.kick" "$work/q.kick" -o "$work/x.kick"
refuses "without calibration" 2 "-c is needed" kick-prune-wanda "$work/m.kick" -o "$work/x.kick"
refuses "too little memory" 1 "--mem-max" kick-prune-sparsegpt --mem-max 100K -c "$work/c.kick" "$work/m.kick" -o "$work/x.kick"
refuses "a block that does not fit the pattern" 2 "multiple" kick-prune-sparsegpt -p 3:5 -c "$work/c.kick" "$work/m.kick" -o "$work/x.kick"

# ---- the released code's perplexities (goldens/e2e)
need "$shared/goldens/e2e/golden.json" "perplexities of the released code"
ids() { # FILE.npy: int32 rows
    tail -c +129 "$1" | od -An -v -td4 -w$((4 * $2)) | sed 's/^ *//; s/  */ /g'
}
ids "$shared/goldens/e2e/calib_ids.npy" 64 >"$work/calib"
ids "$shared/goldens/e2e/eval_ids.npy" 128 >"$work/eval"
kick-ingest-text -q -f ids "$work/calib" -o "$work/calib.kick"
kick-ingest-text -q -f ids "$work/eval" -o "$work/eval.kick"
kick-ingest-model -q "$shared/goldens/stories260K" -o "$work/stories.kick"
perplexity() { # NAME TOLERANCE WANTED PROGRAM OPTION…
    local name=$1 tolerance=$2 wanted=$3 got
    shift 3
    got=$("$@" -q -c "$work/calib.kick" "$work/stories.kick" | kick-eval-perplexity -q -d "$work/eval.kick" |
        kick-stream-show | sed -n 's/.*"perplexity":\([0-9.]*\).*/\1/p')
    check "$name: $got, released $wanted" awk -v a="$got" -v b="$wanted" -v t="$tolerance" \
        'BEGIN {d = a / b - 1; exit !(d < t && d > -t)}'
}
perplexity "wanda 50 %" 2e-3 16.782652 kick-prune-wanda -s 0.5
perplexity "wanda 2:4" 2e-3 67.314394 kick-prune-wanda -p 2:4
perplexity "wanda 4:8" 2e-3 44.625880 kick-prune-wanda -p 4:8
perplexity "wanda 70 %" 2e-3 175.707339 kick-prune-wanda -s 0.7
perplexity "sparsegpt 50 %" 2e-3 13.718650 kick-prune-sparsegpt -s 0.5
perplexity "sparsegpt 2:4" 2e-3 27.402236 kick-prune-sparsegpt -p 2:4
perplexity "sparsegpt 4:8" 2e-3 21.685448 kick-prune-sparsegpt -p 4:8
perplexity "sparsegpt 70 %" 2e-3 103.830518 kick-prune-sparsegpt -s 0.7
perplexity "gptq 4 bit" 1e-2 3.720701 kick-quantize-gptq -b 4 -g 0
perplexity "gptq 3 bit" 1e-2 6.148127 kick-quantize-gptq -b 3 -g 0
perplexity "gptq 2 bit" 1e-2 282.219225 kick-quantize-gptq -b 2 -g 0
