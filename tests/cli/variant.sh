# Other people's variants: a checkpoint compressed elsewhere, beside its dense model, in a report.
. tests/cli/lib.bash

models=$PWD/tests/data/models make_model=$(realpath "$KICK_BUILD/tests/make-model")
command -v sqlite3 >/dev/null || { python3 -c 'import sqlite3' 2>/dev/null || { echo "skip variants: no sqlite3"; exit 0; }; }
cd "$work" || exit 1
"$make_model" dense --hidden 64 --intermediate 128 --layers 2 --heads 4 --kv-heads 2 --vocab 64 || exit 1
seq 1 100 | awk '{ printf "%d%s", $1 * $1 % 59 + 4, $1 % 50 ? " " : "\n" }' >ids.txt
kick-ingest-text -f ids ids.txt -o ids.kick
kick-ingest-model -q dense -o dense.kick --name toy --role large
options() { kick-stream-show --header "$1" 2>/dev/null | grep -o '"options":{"method[^}]*}'; }

# made NAME STEP…: what another tool would have saved; floats only, so that nothing tells how it was made
made() {
    local name=$1
    shift
    "$@" -q dense.kick -o step.kick && kick-export-gguf -q --type f32 step.kick -o "$name.gguf" &&
        kick-ingest-model -q "$name.gguf" --of dense.kick --method "$name" -o "$name.kick" &&
        kick-eval-perplexity -q -d ids.kick "$name.kick" -o "$name.result"
}
# says NAME OPTIONS
says() { check "$1: $2" test "$(options "$1.kick")" = "\"options\":{\"method\":\"$1\"$2}"; }
check "half the weights" made half kick-prune-magnitude -s 0.5
says half ',"sparsity":0.5'
check "two of four" made two kick-prune-magnitude -p 2:4
says two ',"pattern":"2:4"'
check "nothing" made none kick-quantize-rtn -b 8
says none ''
kick-quantize-rtn -q dense.kick -b 4 -g 64 --sym -o step.kick
kick-export-gguf -q step.kick -o coded.gguf
check "codes" kick-ingest-model -q coded.gguf --of dense.kick --method coded -o coded.kick
says coded ',"bits":4,"group":32'
kick-eval-perplexity -q -d ids.kick coded.kick -o coded.result
kick-eval-perplexity -q -d ids.kick dense.kick -o dense.result

error() { kick-stream-show --compression "$1" | awk '$1 ~ /layers.1.mlp.down/ { print $9 }'; }
check "the error against the dense weights is measured" awk -v half="$(error half.kick)" -v two="$(error two.kick)" \
    -v eight="$(error none.kick)" 'BEGIN { exit !(eight + 0 > 0 && eight < 0.02 && half > 0.2 && two > half) }'

kick-analyze-load -q -D r.db ./*.result
rows() { if command -v sqlite3 >/dev/null; then sqlite3 r.db "$1"; else
    python3 -c 'import sqlite3, sys
for r in sqlite3.connect("r.db").execute(sys.argv[1]): print(*("" if x is None else x for x in r), sep="|")' "$1"; fi; }
check "they are listed beside their dense model" test "$(rows "SELECT method, compression, sparsity_target, pattern, bits
    FROM variant ORDER BY method" | tr '\n' ' ')" = \
    "coded|quantized|||4 dense|none||| half|unstructured|0.5|| none|other||| two|n:m||2:4| "
check "under one name, of one checkpoint" test "$(rows "SELECT count(DISTINCT checkpoint_id), count(DISTINCT model),
    count(DISTINCT role), min(model) FROM variant")" = "1|1|1|toy"

"$make_model" other --seed 2 --hidden 64 --intermediate 128 --layers 2 --heads 4 --kv-heads 2 --vocab 64
check "what is not compressed and yet differs is said" grep -q ' of 7 norms, biases, embeddings differ from the dense' \
    <(kick-ingest-model -v other --of dense.kick --method x -o other.kick 2>&1)
refuses "--of without --method" 2 "go together" kick-ingest-model none.gguf --of dense.kick -o x.kick
refuses "a model of another shape" 1 "was made of" \
    kick-ingest-model "$models/llama" --of dense.kick --method x -o x.kick
refuses "no such dense model" 1 "nothing.kick" kick-ingest-model none.gguf --of nothing.kick --method x -o x.kick
head -c 30000 dense.kick >cut.kick
refuses "a cut dense model" 1 "cut.kick" kick-ingest-model none.gguf --of cut.kick --method x -o x.kick
check "what was refused leaves nothing" test ! -e x.kick
