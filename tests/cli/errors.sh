# What is wrong is said in one line, with exit 1 (bad input) or 2 (wrong use).
. tests/cli/lib.bash
tools=$KICK_BUILD/tests
"$tools/make-model" "$work/model" --hidden 32 --intermediate 64 --vocab 64 || exit 1
kick-ingest-model "$work/model" -o "$work/m.kick" || exit 1
printf 'one two\n' >"$work/text"
kick-ingest-text "$work/text" -o "$work/t.kick" || exit 1

# ---- input
for p in prune-magnitude quantize-rtn stream-check stream-show; do
    refuses "$p: missing file" 1 "No such file" "kick-$p" "$work/none.kick"
    refuses "$p: wrong magic" 1 "is not a kick stream" "kick-$p" "$work/text"
    refuses "$p: a directory" 1 "$work" "kick-$p" "$work"
    refuses "$p: empty stdin" 1 "is empty" "kick-$p" </dev/null
    refuses "$p: unknown option" 2 "unknown option --colour" "kick-$p" --colour
    refuses "$p: -j 0" 2 "-j/--threads" "kick-$p" -j 0
done
for p in prune-magnitude quantize-rtn; do
    refuses "$p: a text stream" 1 "kind 'text', not 'model'" "kick-$p" "$work/t.kick"
    refuses "$p: two operands" 2 "one operand at most" "kick-$p" "$work/m.kick" "$work/m.kick"
    refuses "$p: -o without argument" 2 "-o needs an argument" "kick-$p" "$work/m.kick" -o
    refuses "$p: -o into a missing directory" 1 "cannot create it" "kick-$p" "$work/m.kick" -o "$work/no/x.kick"
    refuses "$p: -o onto a directory" 1 "is a directory" "kick-$p" "$work/m.kick" -o "$work/model"
    refuses "$p: -o with an empty name" 2 "is empty" "kick-$p" "$work/m.kick" -o ""
    refuses "$p: a full disk" 1 "the disk is full" bash -c "kick-$p '$work/m.kick' -q >/dev/full"
    refuses "$p: stdout closed" 1 "standard output" bash -c "kick-$p '$work/m.kick' -q >&-"
done
refuses "stream-show: a full disk" 1 "cannot write" bash -c "kick-stream-show '$work/m.kick' >/dev/full"
refuses "stream-check: a full disk" 1 "cannot write" bash -c "kick-stream-check '$work/m.kick' >/dev/full"
refuses "kick: a full disk" 1 "" bash -c "kick >/dev/full; test \$? = 1 && echo failed >&2 && exit 1"
refuses "a help to a full disk" 1 "" bash -c "kick-stream-show -h >/dev/full; test \$? = 1 && echo failed >&2 && exit 1"
refuses "kick: no such program" 2 "there is no such program" kick no-such-program
refuses "kick: a path is no program" 2 "no such program" kick ../bin/true

# ---- options
prune() { kick-prune-magnitude "$work/m.kick" "$@"; }
refuses "sparsity 1.5" 2 "1.5 is not within 0 and 1" prune -s 1.5
refuses "sparsity -0.1" 2 "is not within 0 and 1" prune -s -0.1
refuses "sparsity nan" 2 "is not a number" prune -s nan
refuses "sparsity 0.5x" 2 "is not a number" prune -s 0.5x
refuses "pattern 5:4" 2 "5 of every 4" prune -p 5:4
refuses "pattern 0:4" 2 "0 of every 4" prune -p 0:4
refuses "pattern 2:65" 2 "2 of every 65" prune -p 2:65
refuses "pattern 2:" 2 "is not N:M" prune -p 2:
refuses "pattern 2/4" 2 "is not N:M" prune -p 2/4
refuses "-s with -p" 2 "exclude each other" prune -s 0.5 -p 2:4
refuses "unknown encoding" 2 "is none of" prune --encoding gif
refuses "nm without a pattern" 1 "not of an N:M pattern" prune -s 0.1 --encoding nm
refuses "bits 1" 2 "1 is not within 2 and 8" kick-quantize-rtn "$work/m.kick" -b 1
refuses "bits 9" 2 "9 is not within 2 and 8" kick-quantize-rtn "$work/m.kick" -b 9
refuses "bits 4.5" 2 "is not an integer" kick-quantize-rtn "$work/m.kick" -b 4.5
refuses "group -1" 2 "-1 is not within" kick-quantize-rtn "$work/m.kick" -g -1
kick-quantize-rtn "$work/m.kick" -o "$work/q.kick"
refuses "quantized twice" 1 "is quantized already" kick-quantize-rtn "$work/q.kick"
refuses "quantized, then pruned" 1 "is quantized already" kick-prune-magnitude "$work/q.kick"

# ---- texts
text() { kick-ingest-text "$@" -o "$work/x.kick"; }
printf 'caf\351\n' >"$work/latin1"
: >"$work/empty"
printf '1 2 3\n4 x 6\n' >"$work/bad.ids"
printf '{"text": "a"}\n{"txt": "b"}\n' >"$work/bad.jsonl"
printf '{"text": "a"}\nnot json\n' >"$work/worse.jsonl"
printf 'abc' | gzip | head -c 15 >"$work/cut.gz"
printf '\037\213garbage here' >"$work/bad.gz"
refuses "text: missing file" 1 "No such file" text "$work/none.txt"
refuses "text: not UTF-8" 1 "is not UTF-8: byte 3" text "$work/latin1"
refuses "text: not UTF-8, by lines" 1 "line 1: is not UTF-8" text -f lines "$work/latin1"
refuses "text: empty" 1 "there is nothing to ingest" text "$work/empty"
refuses "text: empty stdin" 1 "there is nothing to ingest" text </dev/null
refuses "text: an empty jsonl" 1 "there is nothing to ingest" text -f jsonl "$work/empty"
refuses "text: no field text" 1 "line 2: has no field \"text\"" text "$work/bad.jsonl"
refuses "text: not JSON" 1 "line 2: " text "$work/worse.jsonl"
refuses "ids: not a number" 1 "line 2: 'x 6' is not a token id" text -f ids "$work/bad.ids"
refuses "ids: negative" 1 "is not a token id" text -f ids - <<<"1 -2"
refuses "ids: too large" 1 "is not a token id" text -f ids - <<<"1 99999999999999999999"
refuses "ids: an empty row" 1 "line 2: holds no token ids" text -f ids - <<<$'1 2\n\n3'
refuses "text: cut gzip" 1 "truncated" text "$work/cut.gz"
refuses "text: damaged gzip" 1 "damaged gzip" text "$work/bad.gz"
refuses "text: unknown format" 2 "is none of" text -f docx "$work/text"
refuses "text: -n 0" 2 "0 is not within" text -n 0 "$work/text"
refuses "text: a directory" 1 "is not a file" text "$work"
[ ! -e "$work/x.kick" ] && echo "ok no file of a refused text" || echo "not ok no file of a refused text"

# ---- evaluation: what the data lack (more in forward.sh)
evaluate() { kick-eval-perplexity "$work/m.kick" "$@" -o "$work/x.kick"; }
echo "1 2 64" | kick-ingest-text -f ids -o "$work/beyond.kick"
refuses "eval: a model without a tokenizer given text" 1 "okenizer" evaluate -d "$work/t.kick"
refuses "eval: an id outside the vocabulary" 1 "id 64" evaluate -d "$work/beyond.kick"
refuses "eval: data missing" 1 "No such file" evaluate -d "$work/none.kick"
refuses "eval: data that are no stream" 1 "is not a kick stream" evaluate -d "$work/text"
refuses "eval: a model for data" 1 "not 'text'" evaluate -d "$work/m.kick"
refuses "eval: an empty pipe" 1 "is empty" kick-eval-perplexity -d "$work/beyond.kick" </dev/null
refuses "generate: a model without a tokenizer given text" 1 "okenizer" kick-generate "$work/m.kick" --prompt a
[ ! -e "$work/x.kick" ] && echo "ok no file of a refused evaluation" || echo "not ok no file of a refused evaluation"

# ---- checkpoints
ingest() { kick-ingest-model "$1" -o "$work/x.kick"; }
broken() { # a copy of the model to break
    rm -rf "$work/broken" && cp -r "$work/model" "$work/broken"
}
refuses "model: no operand" 2 "name a checkpoint directory" kick-ingest-model
refuses "model: missing directory" 1 "no such directory" ingest "$work/none"
refuses "model: a file" 1 "has no config.json beside it" ingest "$work/text"
mkdir "$work/bare"
refuses "model: no config.json" 1 "has no config.json" ingest "$work/bare"
broken; sed -i 's/"model_type": "llama",//' "$work/broken/config.json"
refuses "model: no model_type" 1 "config.json" ingest "$work/broken"
broken; sed -i 's/"model_type": "llama"/"model_type": "dalek"/' "$work/broken/config.json"
refuses "model: unknown model_type" 1 "dalek" ingest "$work/broken"
broken; sed -i 's/"hidden_size": 32/"hidden_size": 31/' "$work/broken/config.json"
refuses "model: sizes that do not fit" 1 "broken" ingest "$work/broken"
broken; sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 3/' "$work/broken/config.json"
refuses "model: a layer is missing" 1 "layers.2" ingest "$work/broken"
broken; sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 1/' "$work/broken/config.json"
refuses "model: a layer too many" 1 "layers.1" ingest "$work/broken"
broken; sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 999999999999/' "$work/broken/config.json"
refuses "model: layers without number" 1 "num_hidden_layers" ingest "$work/broken"
broken; echo '{' >"$work/broken/config.json"
refuses "model: config is not JSON" 1 "config.json" ingest "$work/broken"
broken; rm "$work/broken/model.safetensors"
refuses "model: no weights" 1 "neither model.safetensors nor" ingest "$work/broken"
broken; : >"$work/broken/tokenizer.model"
refuses "model: an empty tokenizer" 1 "tokenizer" ingest "$work/broken"
broken; head -c 1000 "$work/model/model.safetensors" >"$work/broken/model.safetensors"
refuses "model: cut weights" 1 "model.safetensors" ingest "$work/broken"
broken; LC_ALL=C sed -i 's/"dtype":"BF16"/"dtype":"I16" /' "$work/broken/model.safetensors"
refuses "model: integers for weights" 1 "embed_tokens.weight: type I16; only F32, F16 and BF16 are read" ingest "$work/broken"
"$tools/make-model" "$work/shards" --hidden 32 --intermediate 64 --vocab 64 --shards 3
rm "$work/shards/model-00002-of-00003.safetensors"
refuses "model: a shard is missing" 1 "model-00002-of-00003.safetensors" ingest "$work/shards"
"$tools/make-model" "$work/shards" --hidden 32 --intermediate 64 --vocab 64 --shards 3
sed -i 's|model-00002-of|../model-00002-of|' "$work/shards/model.safetensors.index.json"
refuses "model: a shard elsewhere" 1 "names no file of the directory" ingest "$work/shards"
refuses "model: --mem-max" 1 "more than --mem-max" kick-ingest-model "$work/model" --mem-max 1M -o "$work/x.kick"
# A weight that is not finite, the last bf16 of the file.
"$tools/make-model" "$work/tied" --hidden 32 --intermediate 64 --vocab 64 --tied || exit 1
check "model: tied" kick-ingest-model "$work/tied" -o "$work/tied.kick"
[ ! -e "$work/x.kick" ] && echo "ok no file of a refused model" || echo "not ok no file of a refused model"

# ---- hostile safetensors: what must be refused is, for its own reason; what is valid lacks tensors
malformed=$shared/goldens/malformed-safetensors
if [ ! -e "$malformed/CASES.tsv" ]; then
    echo "skip malformed safetensors: no $malformed"
    exit 0
fi
while IFS=$'\t' read -r file what verdict _; do
    [ "$file" = file ] && continue
    broken
    cp "$malformed/$file" "$work/broken/model.safetensors"
    kick-ingest-model "$work/broken" -o "$work/x.kick" >/dev/null 2>"$work/said"
    status=$?
    case $verdict in
    accepted) wanted='has no tensor of this name|tensor .* is missing|unknown tensor|does not know|no such tensor' ;;
    *) wanted='model\.safetensors: ' ;;
    esac
    if [ $status -eq 1 ] && [ "$(wc -l <"$work/said")" -eq 1 ] && grep -qE "$wanted" "$work/said" &&
        { [ "$verdict" = accepted ] || ! grep -q 'is missing$' "$work/said"; }; then
        echo "ok safetensors $file: $what"
    else
        echo "not ok safetensors $file ($verdict): exit $status: $(cat "$work/said")"
    fi
done <"$malformed/CASES.tsv"
