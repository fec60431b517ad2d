# GGUF out: every architecture that has a form there comes back as it went, whatever the type; codes
# keep their values; errors and what llama.cpp does not compute are said.
. tests/cli/lib.bash

models=$PWD/tests/data/models gguf=$PWD/tests/data/gguf make_model=$(realpath "$KICK_BUILD/tests/make-model")
cd "$work" || exit 1
seq 1 200 | awk '{ printf "%d%s", $1 * $1 % 59 + 4, $1 % 50 ? " " : "\n" }' >ids.txt
kick-ingest-text -f ids ids.txt -o ids.kick || exit 1
windows() { kick-eval-perplexity "$@" -d ids.kick --per-token | zstdcat | grep -a '^{"window"'; }

for name in llama mixtral_v5 phi3_partial_v5 mistral_v5 gpt2_bare gemma phi falcon_new falcon_one qwen2_moe \
    qwen3_moe_v5; do
    kick-ingest-model -q "$models/$name" -o m.kick
    windows m.kick >want
    check "$name is written" kick-export-gguf -q m.kick -o m.gguf --type f32
    kick-ingest-model -q m.gguf -o back.kick
    windows back.kick >got
    check "$name comes back with the same numbers" cmp want got
    kick-export-gguf -q -j1 m.kick -o one.gguf --type f32
    check "$name: one thread gives the same bytes" cmp m.gguf one.gguf
done

# A model of whole blocks: codes keep their values, so scales in half precision are all that changes.
"$make_model" wide --hidden 128 --intermediate 256 --layers 2 --heads 4 --kv-heads 2 \
    --vocab 64 || exit 1
kick-ingest-model -q wide -o wide.kick
# near ONE OTHER: no log-likelihood differs by more than 0.01
near() {
    paste <(windows "$1" | grep -o '[-0-9.e]\{6,\}') <(windows "$2" | grep -o '[-0-9.e]\{6,\}') |
        awk 'NF != 2 || $1 - $2 > 0.01 || $2 - $1 > 0.01 { far = 1 } END { exit far || NR < 100 }'
}
# fits QUANTIZER TYPE
fits() {
    kick-quantize-rtn -q wide.kick $1 -o q.kick
    kick-export-gguf -v q.kick -o q.gguf 2>said
    check "rtn $1: $2" grep -q "14 matrices as $2$" said
    check "rtn $1: its codes are kept" awk '/relative error/ { sub(/.*stream /, ""); exit !($1 + 0 < 1e-3) }' said
    kick-ingest-model -q q.gguf -o back.kick
    check "rtn $1: comes back" kick-stream-check back.kick
    check "rtn $1: comes back with the same numbers, but for scales in half precision" near q.kick back.kick
}
fits "-b 4 -g 32 --sym" q4_0
fits "-b 4 -g 64" q4_1
fits "-b 3 -g 128" q4_0
fits "-b 5 -g 32" q5_1
fits "-b 5 -g 32 --sym" q5_0
fits "-b 7 -g 32" q8_0
fits "-b 8 -g 0 --sym" q8_0
kick-quantize-rtn -q wide.kick -b 8 -o q.kick
check "what does not fit is said" grep -q "14 matrices do not fit" <(kick-export-gguf q.kick -o q.gguf 2>&1)
kick-quantize-rtn -q wide.kick -b 4 -g 48 -o q.kick
check "groups that a block has two of do not fit" \
    grep -q "14 matrices do not fit" <(kick-export-gguf q.kick -o q.gguf 2>&1)

# vocabularies
for name in spm bpe; do
    kick-ingest-model -q "$gguf/$name.gguf" -o v.kick
    check "vocabulary $name is written" kick-export-gguf -q v.kick -o v.gguf
    kick-ingest-model -q v.gguf -o w.kick
    check "vocabulary $name comes back" cmp \
        <(zstdcat v.kick | head -c 3000 | grep -ao '"tokenizer":.*}"' ) \
        <(zstdcat w.kick | head -c 3000 | grep -ao '"tokenizer":.*}"' )
done

kick-ingest-model -q "$models/opt" -o opt.kick
refuses "OPT has no form in GGUF" 1 "llama.cpp computes no opt models" kick-export-gguf opt.kick -o x.gguf
kick-ingest-model -q "$models/gpt2_scaled" -o m.kick
refuses "a variant of GPT-2 that llama.cpp does not compute" 1 "does not compute this variant" \
    kick-export-gguf m.kick -o x.gguf
refuses "a pipe" 2 "name it with -o" kick-export-gguf wide.kick
refuses "a type that is not known" 2 "fit" kick-export-gguf wide.kick --type q9 -o x.gguf
check "what was refused leaves nothing" test ! -e x.gguf
head -c 20000 wide.kick >cut.kick
refuses "a cut stream" 1 "cut.kick" kick-export-gguf cut.kick -o x.gguf
check "a cut stream leaves nothing" test ! -e x.gguf
check "a sliding window that llama.cpp does not have is said" \
    grep -q "no sliding window" <(kick-ingest-model -q "$models/mistral_v5" | kick-export-gguf -o x.gguf 2>&1)
