# What the calibrated programs have in common: mixtures of experts, resumed runs, maps of sparsity,
# fallbacks, times, and blocks whose output is lost.
. tests/cli/lib.bash
make_model() { "$KICK_BUILD/tests/make-model" "$@" || exit 1; }
make_model "$work/own" --layers 4 --hidden 64 --intermediate 96 --vocab 300
kick-ingest-model -q --name m "$work/own" -o "$work/m.kick"
awk 'BEGIN { srand(3); for (r = 0; r < 8; r++) { for (i = 0; i < 40 + r; i++) printf "%d ", int(rand() * 300); print "" } }' >"$work/ids"
kick-ingest-text -q -f ids "$work/ids" -o "$work/c.kick"
c=(-q -c "$work/c.kick")
table() { kick-stream-show --compression "$1"; }
sparsities() { table "$1" | grep "$2" | awk '{print $7}' | sort -u | head -1; } # of matrices of floats

# ---- mixtures: one expert is an MLP; no token may be lost, whatever the threads
make_model "$work/one" --layers 4 --hidden 64 --intermediate 96 --vocab 300 --experts 1
kick-ingest-model -q --name m "$work/one" -o "$work/one.kick"
attachments() { kick-stream-show --digests "$1" | grep '^{"tensor"' | grep -v moe.gate | grep -o '"attachment":.*'; }
for method in "prune-wanda" "prune-sparsegpt --true-sequential" "quantize-gptq -g 32 -b 3"; do
    kick-$method "${c[@]}" "$work/m.kick" -o "$work/a.kick"
    kick-$method "${c[@]}" "$work/one.kick" -o "$work/b.kick"
    attachments "$work/a.kick" >"$work/a"
    attachments "$work/b.kick" >"$work/b"
    check "$method: a mixture of one expert is an MLP" test "$(wc -l <"$work/a")" -gt 30 -a "$(cmp "$work/a" "$work/b" && echo same)" = same
done
make_model "$work/many" --layers 2 --hidden 48 --intermediate 64 --vocab 300 --experts 5
kick-ingest-model -q "$work/many" -o "$work/many.kick"
for method in "prune-wanda -s 0.6" "quantize-gptq -b 3 -g 16" "quantize-awq -b 4 -g 16"; do
    kick-$method "${c[@]}" -j1 "$work/many.kick" -o "$work/a.kick"
    KICK_CPU=scalar kick-$method "${c[@]}" -j3 "$work/many.kick" -o "$work/b.kick"
    check "$method: a mixture, same for all threads and levels" cmp "$work/a.kick" "$work/b.kick"
    check "$method: each expert is compressed, with its error" test "$(table "$work/a.kick" | grep -c 'experts.* 0[.][0-9]* .*'"${method%% *}")" = 30
done
# One with a shared expert: the zeros are those of transformers' forward pass and Wanda's formulas.
kick-ingest-text -q -f ids tests/data/wanda/ids -o "$work/wanda-ids.kick"
kick-ingest-model -q tests/data/wanda -o "$work/golden.kick"
kick-ingest-model -q tests/data/models/qwen2_moe -o "$work/shared.kick"
kick-prune-wanda -q -s 0.5 -c "$work/wanda-ids.kick" "$work/shared.kick" -o "$work/a.kick"
attachments "$work/a.kick" >"$work/a"
attachments "$work/golden.kick" >"$work/b"
check "a shared expert: the golden's zeros" test "$(wc -l <"$work/a")" -gt 60 -a "$(cmp "$work/a" "$work/b" && echo same)" = same
for method in "prune-sparsegpt --true-sequential" "quantize-gptq -b 3 -g 4" "quantize-awq -b 4 -g 4"; do
    kick-$method -q -c "$work/wanda-ids.kick" -j1 "$work/shared.kick" -o "$work/a.kick"
    KICK_CPU=scalar kick-$method -q -c "$work/wanda-ids.kick" -j3 "$work/shared.kick" -o "$work/b.kick"
    check "$method: a shared expert, same for all threads and levels" cmp "$work/a.kick" "$work/b.kick"
    check "$method: it is compressed, with its error" test "$(table "$work/a.kick" | grep -c 'shared_expert[.].* 0[.][0-9]* .*'"${method%% *}")" = 6
done
# Few tokens reach few experts: those that none reaches are told, or refused.
make_model "$work/crowd" --layers 1 --hidden 48 --intermediate 64 --vocab 300 --experts 64
head -1 "$work/ids" | cut -d' ' -f1-4 >"$work/few"
kick-ingest-text -q -f ids "$work/few" -o "$work/few.kick"
kick-ingest-model -q "$work/crowd" -o "$work/crowd.kick"
kick-prune-sparsegpt -q -c "$work/few.kick" "$work/crowd.kick" -o "$work/a.kick"
kick-prune-magnitude -q "$work/crowd.kick" -o "$work/b.kick"
check "an expert without tokens is told" test "$(table "$work/a.kick" | grep -c 'no calibration token')" -ge 160
check "and is pruned by magnitude" test "$(sparsities "$work/a.kick" experts)" != 1.0000
refuses "an expert without tokens is refused" 1 "which --no-fallback refuses" kick-prune-sparsegpt --no-fallback "${c[@]}" -c "$work/few.kick" "$work/crowd.kick" -o "$work/x.kick"

# ---- fallbacks
kick-quantize-rtn -q "$work/m.kick" -o "$work/a.kick"
check "a group wider than a row is told" test "$(table "$work/a.kick" | grep -c 'one group of its 64 columns, not of 128')" = 24
for method in "quantize-rtn -q" "quantize-gptq ${c[*]}" "quantize-awq ${c[*]}"; do
    refuses "${method%% *}: a group wider than a row is refused" 1 "q_proj.weight: one group of its 64 columns" kick-$method --no-fallback "$work/m.kick" -o "$work/x.kick"
done
check "nothing to refuse" kick-quantize-gptq "${c[@]}" -g 32 --no-fallback "$work/m.kick" -o "$work/a.kick"
refuses "scales that nothing can take" 1 "no scales" kick-quantize-awq "${c[@]}" -g 16 --no-fallback "$work/many.kick" -o "$work/x.kick"

# ---- maps
printf '# first and last blocks stay\nmodel.layers.[03].*  skip\n*.down_proj.weight 0.25 # later rules win\n*.1.mlp.up_proj.weight 2:4\n' >"$work/map"
for method in "prune-magnitude -q" "prune-wanda ${c[*]}" "prune-sparsegpt ${c[*]}"; do
    kick-$method --sparsity-map "$work/map" -s 0.75 "$work/m.kick" -o "$work/a.kick"
    got="$(sparsities "$work/a.kick" 'layers.0.self') $(sparsities "$work/a.kick" 'layers.1.self_attn.q') $(sparsities "$work/a.kick" '1.mlp.up') $(sparsities "$work/a.kick" '3.mlp.down')"
    check "${method%% *}: a map: $got" awk -v g="$got" 'function near(x, y) {return x - y < 0.02 && y - x < 0.02} BEGIN {split(g, a, " "); exit !(a[1] < 0.01 && near(a[2], 0.75) && near(a[3], 0.5) && near(a[4], 0.25))}'
    check "${method%% *}: what is skipped has no step" test "$(table "$work/a.kick" | grep -c "${method%% *}")" = 16
done
id() { kick-stream-show --header "$1" | grep -o '"id":"[^"]*"' | head -1; }
kick-prune-magnitude -q -s 0.75 "$work/m.kick" -o "$work/b.kick"
kick-prune-magnitude -q -s 0.75 --sparsity-map "$work/map" "$work/m.kick" -o "$work/a.kick"
check "a map is part of the id" test "$(id "$work/a.kick")" != "$(id "$work/b.kick")"
bad_map() { # NAME TEXT LINE
    printf '%s\n' "$3" >"$work/map"
    refuses "map: $1" 1 "$2" kick-prune-magnitude --sparsity-map "$work/map" "$work/m.kick" -o "$work/x.kick"
}
bad_map "a name that is none" "line 1: 'model.layer.*' is the name of no matrix" "model.layer.* 0.5"
bad_map "norms are no matrices" "is the name of no matrix" "*.input_layernorm.weight skip"
bad_map "a share above 1" "line 1: '1.5' is neither" "* 1.5"
bad_map "a pattern that is none" "'5:4' is no pattern" "* 5:4"
bad_map "one word" "is not NAME-PATTERN VALUE" "*.up_proj.weight"
bad_map "three words" "is not NAME-PATTERN VALUE" "*.up_proj.weight 0.5 0.6"
refuses "map: no file" 1 "nowhere" kick-prune-wanda "${c[@]}" --sparsity-map "$work/nowhere" "$work/m.kick" -o "$work/x.kick"
printf '* 3:5\n' >"$work/map"
refuses "map: a pattern that does not fit the block" 2 "multiple" kick-prune-sparsegpt "${c[@]}" --sparsity-map "$work/map" "$work/m.kick" -o "$work/x.kick"

# ---- a block that is lost
printf 'model.layers.[013].* 0.02\nmodel.layers.2.* 0.97\n' >"$work/map"
refuses "a block whose output is lost is told at once" 0 "block 2: its output is off by" kick-prune-wanda -c "$work/c.kick" --sparsity-map "$work/map" "$work/m.kick" -o "$work/a.kick"

# ---- times
kick-quantize-gptq "${c[@]}" -g 32 "$work/m.kick" --timings "$work/times.kick" -o "$work/a.kick"
kick-quantize-gptq "${c[@]}" -g 32 "$work/m.kick" -o "$work/b.kick"
check "times are in a stream of their own" cmp "$work/a.kick" "$work/b.kick"
check "a time a matrix and a block" test "$(kick-stream-show "$work/times.kick" | grep -c '^{"tensor":.*"seconds":') $(kick-stream-show "$work/times.kick" | grep -c '^{"block":.*"measuring":')" = "28 4"

# ---- killed and resumed
make_model "$work/deep" --layers 12 --hidden 160 --intermediate 320 --vocab 300
kick-ingest-model -q "$work/deep" -o "$work/deep.kick"
killed() { # NAME PROGRAM OPTION…: kills the run twice once more of it is done, then lets it end
    local name=$1 size=0 kills=0 pid now
    shift
    "$@" "${c[@]}" "$work/deep.kick" -o "$work/whole.kick"
    rm -f "$work/end.kick"
    while [ ! -e "$work/end.kick" ]; do
        "$@" "${c[@]}" --resume -v "$work/deep.kick" -o "$work/end.kick" 2>"$work/resumed" &
        pid=$!
        while kill -0 "$pid" 2>/dev/null; do
            now=$(stat -c %s "$work/.end.kick.part" 2>/dev/null || echo 0)
            if [ "$kills" -lt 2 ] && [ "$now" -gt $((size + 200000)) ]; then
                kill -9 "$pid" && kills=$((kills + 1)) size=$now
                break
            fi
            sleep 0.01
        done
        wait "$pid" 2>/dev/null
    done
    check "$name: killed twice" test "$kills" = 2
    check "$name: blocks are taken over" grep -q '[1-9][0-9]* blocks are taken over' "$work/resumed"
    check "$name: the same bytes" cmp "$work/end.kick" "$work/whole.kick"
    check "$name: nothing is left over" test ! -e "$work/.end.kick.part"
}
killed "wanda" kick-prune-wanda
killed "sparsegpt" kick-prune-sparsegpt -p 2:4
killed "gptq" kick-quantize-gptq -b 3 -g 32
killed "awq" kick-quantize-awq -g 32
# Of other work nothing is taken; a part that is damaged is used as far as it goes.
killed_once() { # OPTION…
    kick-prune-wanda "${c[@]}" --resume "$@" "$work/deep.kick" -o "$work/end.kick" 2>/dev/null &
    local pid=$!
    while kill -0 "$pid" 2>/dev/null && [ "$(stat -c %s "$work/.end.kick.part" 2>/dev/null || echo 0)" -lt 200000 ]; do sleep 0.01; done
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
}
rm -f "$work/end.kick"
kick-prune-wanda "${c[@]}" -s 0.25 "$work/deep.kick" -o "$work/whole.kick"
killed_once
refuses "other work is not taken up" 0 "not taken up" kick-prune-wanda -c "$work/c.kick" -s 0.25 --resume "$work/deep.kick" -o "$work/end.kick"
check "other work: the right bytes" cmp "$work/end.kick" "$work/whole.kick"
rm -f "$work/end.kick"
killed_once -s 0.25
"$KICK_BUILD/tests/damage" flip "$work/.end.kick.part" 150000 2>/dev/null ||
    printf 'XXXX' | dd of="$work/.end.kick.part" bs=1 seek=150000 conv=notrunc 2>/dev/null
kick-prune-wanda "${c[@]}" -s 0.25 --resume "$work/deep.kick" -o "$work/end.kick"
check "a damaged part: the right bytes" cmp "$work/end.kick" "$work/whole.kick"
refuses "resuming a pipe" 2 "--resume needs -o FILE" kick-prune-wanda "${c[@]}" --resume "$work/m.kick"
