# export-hf: what goes out comes in again, number by number; what a layout has no place for.
. tests/cli/lib.bash
make-model() { "$KICK_BUILD/tests/make-model" "$@" || exit 1; }
make-model "$work/a" --hidden 64 --intermediate 96 --vocab 288 --layers 2 --type f16
kick-ingest-model -q --name a "$work/a" -o "$work/a.kick"
tensors() { kick-stream-show --digests "$1" | grep '^{"tensor"' | sed 's/,"compression":\[[^]]*\]//'; }
# numbers NAME STREAM: those of the stream, as dense floats
numbers() { tensors "$1" >"$work/numbers"; sha256sum <"$work/numbers"; }
round_trip() { # NAME STREAM LAYOUT: the directory's tensors, as a stream again
    rm -rf "$work/dir"
    kick-export-hf -q --layout "$3" -o "$work/dir" "$2" || { echo "not ok $1: export fails"; return 1; }
    kick-ingest-model -q "$work/dir" -o "$work/back.kick" || { echo "not ok $1: its directory is not read"; return 1; }
}
same_tensors() { # NAME STREAM LAYOUT
    round_trip "$@" || return
    tensors "$2" >"$work/one"
    tensors "$work/back.kick" >"$work/two"
    check "$1: the same tensors come back" cmp "$work/one" "$work/two"
}
awk 'BEGIN { srand(5); for (r = 0; r < 4; r++) { for (i = 0; i < 40; i++) printf "%d ", int(rand() * 288); print "" } }' >"$work/ids"
kick-ingest-text -q -f ids "$work/ids" -o "$work/c.kick"
nll() { kick-eval-perplexity -q -d "$work/c.kick" "$1" | kick-stream-show | sed -n 's/.*"nll_mean":\([-0-9.e]*\).*/\1/p'; }
same_nll() { # NAME STREAM
    round_trip "$1" "$2" dense || return
    local a b
    a=$(nll "$2") b=$(nll "$work/back.kick")
    check "$1: the same likelihood, $a and $b" awk -v a="$a" -v b="$b" 'BEGIN {d = a - b; exit !(a > 0 && d < 1e-6 && d > -1e-6)}'
}

same_tensors "dense" "$work/a.kick" dense
check "name of the type" grep -q '"torch_dtype": "float16"' "$work/dir/config.json"
kick-prune-magnitude -q -p 2:4 "$work/a.kick" -o "$work/p.kick"
same_tensors "pruned" "$work/p.kick" dense
for b in 2 3 4 8; do
    kick-quantize-rtn -q -b $b -g 32 "$work/a.kick" -o "$work/q$b.kick"
    same_tensors "$b bits as codes" "$work/q$b.kick" gptq
    same_nll "$b bits as numbers" "$work/q$b.kick"
done
check "name of codes' type" grep -q '"torch_dtype": "float32"' "$work/dir/config.json"
kick-quantize-rtn -q -b 4 -g 0 --sym "$work/a.kick" -o "$work/s.kick"
same_tensors "one group a row" "$work/s.kick" gptq
check "its config" grep -q '"bits":4,"group_size":-1,"desc_act":false,"sym":true,"checkpoint_format":"gptq"}' "$work/dir/config.json"
kick-quantize-gptq -q -b 4 -g 32 --act-order -c "$work/c.kick" "$work/a.kick" -o "$work/o.kick"
same_tensors "columns out of order" "$work/o.kick" gptq
check "its config too" grep -q '"desc_act":true' "$work/dir/config.json"
kick-quantize-awq -q -b 4 -g 32 -c "$work/c.kick" "$work/a.kick" -o "$work/w.kick"
same_tensors "awq's folded norms" "$work/w.kick" gptq
kick-quantize-rtn -q -b 4 -g 32 "$work/p.kick" -o "$work/both.kick"
same_nll "pruned and quantized" "$work/both.kick"
round_trip "pruned and quantized, as codes" "$work/both.kick" gptq
a=$(nll "$work/both.kick") b=$(nll "$work/back.kick")
check "pruned and quantized, as codes" awk -v a="$a" -v b="$b" 'BEGIN {d = a - b; exit !(a > 0 && d < 1e-6 && d > -1e-6)}'
# Weights of one sign have a zero point of 0, which only the second version of the format holds.
kick-quantize-rtn -q -b 2 -g 2 "$work/a.kick" -o "$work/zero.kick"
same_tensors "zero points of 0" "$work/zero.kick" gptq
check "the second version" grep -q '"checkpoint_format":"gptq_v2"' "$work/dir/config.json"

fails() { # NAME TEXT STREAM LAYOUT
    rm -rf "$work/no"
    refuses "$1" 1 "$2" kick-export-hf -q --layout "$4" -o "$work/no" "$3"
    [ ! -e "$work/no" ] || echo "not ok $1: left a directory"
}
kick-quantize-rtn -q -b 5 "$work/a.kick" -o "$work/five.kick"
fails "5 bits" "q_proj.weight: --layout gptq has 2, 3, 4 and 8 bits, not 5" "$work/five.kick" gptq
fails "floats" "is not quantized" "$work/a.kick" gptq
kick-quantize-int8 -q "$work/a.kick" -o "$work/int8.kick"
fails "int8" "no place for LLM.int8()" "$work/int8.kick" gptq
refuses "int8 goes out with a warning" 0 "rounds no activations" kick-export-hf -o "$work/int8" "$work/int8.kick"
make-model "$work/odd" --hidden 64 --intermediate 72 --vocab 288
kick-ingest-model -q "$work/odd" | kick-quantize-rtn -q -b 3 -g 0 -o "$work/odd.kick"
fails "codes that fill no words" "not whole words" "$work/odd.kick" gptq
head -c 30000 "$work/a.kick" >"$work/cut.kick"
fails "a cut stream" "cut.kick" "$work/cut.kick" dense
mkdir "$work/full"
touch "$work/full/file"
refuses "a directory that is there" 1 "is there already" kick-export-hf -o "$work/full" "$work/a.kick"
refuses "no directory" 2 "-o is needed" kick-export-hf "$work/a.kick"
refuses "too little memory" 1 "--mem-max" kick-export-hf --mem-max 1M -o "$work/no" "$work/a.kick"
mkdir "$work/empty"
check "an empty directory is filled" kick-export-hf -q -o "$work/empty" "$work/a.kick"
check "the tokenizer goes along" bash -c 'kick-ingest-model -q data/models/small | kick-export-hf -q -o "$0/small" && cmp "$0/small/tokenizer.json" data/models/small/tokenizer.json' "$work"
check "nothing is left over" test -z "$(find "$work" -name '.*.??????' -o -name '*.tmp')"

# compressed-tensors
for b in 2 3 4 5 7 8; do
    kick-quantize-rtn -q -b $b -g 32 "$work/a.kick" -o "$work/q.kick"
    same_tensors "$b bits, packed" "$work/q.kick" packed
done
same_tensors "one group a row, packed" "$work/s.kick" packed
check "symmetric codes have no zero points" test "$(grep -ac zero_point "$work/dir/model.safetensors")" -eq 0
check "their config" grep -q '"strategy":"channel"' "$work/dir/config.json"
same_tensors "columns out of order, packed" "$work/o.kick" packed
kick-ingest-model -q "$work/odd" | kick-quantize-rtn -q -b 3 -g 0 -o "$work/odd.kick"
same_tensors "codes that fill no words, packed" "$work/odd.kick" packed
kick-prune-magnitude -q -s 0.6 "$work/a.kick" -o "$work/p6.kick"
same_tensors "pruned, as a bitmask" "$work/p6.kick" bitmask
check "parts of a weight are named without its last word" test "$(grep -aoE '[a-z_.0-9]*down_proj[a-z_.]*' "$work/dir/model.safetensors" | sed 's/.*mlp/mlp/' |
    sort -u | tr '\n' ' ')" = "mlp.down_proj.bitmask mlp.down_proj.compressed mlp.down_proj.row_offsets mlp.down_proj.shape "
check "the sparsity in its config" grep -q '"global_sparsity":0.6' "$work/dir/config.json"
same_tensors "2:4 as a bitmask" "$work/p.kick" bitmask
fails "codes as a bitmask" "for matrices of floats" "$work/q.kick" bitmask

# the model card
kick-eval-perplexity -q -d "$work/c.kick" "$work/p6.kick" -o "$work/p6.result"
rm -rf "$work/dir"
kick-export-hf -q --results "$work/p6.result" -o "$work/dir" "$work/p6.kick"
card=$work/dir/README.md
check "model card: base model" grep -q '^base_model: "a"$' "$card"
check "model card: sparsity" grep -q '^| sparsity | 0.600' "$card"
check "model card: steps" grep -q '^2. prune-magnitude `{"sparsity":0.6' "$card"
check "model card: what was measured" grep -Eq '^\| perplexity \| .* \| perplexity \| [0-9.]+ \|$' "$card"
rm -rf "$work/no"
refuses "results of another model" 1 "holds a result of another model" \
    kick-export-hf -q --results "$work/p6.result" -o "$work/no" "$work/a.kick"
check "leave no directory" test ! -e "$work/no"

# every architecture
for model in tests/data/models/*/; do
    name=$(basename "$model")
    kick-ingest-model -q "$model" -o "$work/m.kick"
    same_tensors "$name" "$work/m.kick" dense
done
