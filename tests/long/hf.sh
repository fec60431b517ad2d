# export-hf against transformers: the directories load, and give our perplexities; codes in GPTQ's layout
# are unpacked by rules written here a second time. Needs PYTHON with torch and transformers.
. "$(dirname "$0")/../cli/lib.bash"
python=${PYTHON:-python3}
"$python" -c 'import torch, transformers, safetensors' 2>/dev/null ||
    { echo "skip export-hf against transformers: $python has no torch or no transformers"; exit 0; }
cat >"$work/ppl.py" <<'END'
import json, sys, torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM
directory, ids = sys.argv[1:3]
torch.set_num_threads(1)
config = AutoConfig.from_pretrained(directory)
scheme = getattr(config, "quantization_config", None)
if scheme and scheme["quant_method"] == "gptq":
    bits, one = scheme["bits"], scheme["checkpoint_format"] == "gptq"
    def codes(words, count):  # along the first dimension, low bits first, over the edges of words
        flat = (words.to(torch.int64) & 0xFFFFFFFF)[:, None] >> torch.arange(32)[None, :, None] & 1
        flat = flat.reshape(-1, words.shape[1])[: count * bits].reshape(count, bits, -1)
        return (flat << torch.arange(bits)[None, :, None]).sum(1)
    state = load_file(directory + "/model.safetensors")
    for name in [n[:-8] for n in state if n.endswith(".qweight")]:
        scale, order = state.pop(name + ".scales").float(), state.pop(name + ".g_idx").long()
        q = codes(state.pop(name + ".qweight"), len(order))
        z = codes(state.pop(name + ".qzeros").t(), scale.shape[1]).t() + one
        state[name + ".weight"] = (scale[order] * (q - z[order])).t().contiguous()
    del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, torch_dtype=torch.float32)
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and set(missing.missing_keys) <= {"lm_head.weight"}, missing
    model.tie_weights()
else:
    model, info = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager",
                                                       output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
model.eval()
means = []
for line in open(ids):
    row = torch.tensor([[int(x) for x in line.split()]])
    with torch.no_grad():
        logits = model(row).logits[0, :-1].double()
    means.append(torch.nn.functional.cross_entropy(logits, row[0, 1:]).item())
print(torch.tensor(means).double().mean().exp().item())
END
cat >"$work/words.py" <<'END'
import sys
from transformers import AutoTokenizer
t = AutoTokenizer.from_pretrained(sys.argv[1])
print(*t(sys.argv[2]).input_ids)
END
agree() { # NAME STREAM LAYOUT
    rm -rf "$work/dir"
    local a b
    kick-export-hf -q --layout "$3" -o "$work/dir" "$2" || { echo "not ok $1: export fails"; return; }
    a=$(kick-eval-perplexity -q -d "$work/ids.kick" "$2" | kick-stream-show | sed -n 's/.*"perplexity":\([0-9.e+]*\).*/\1/p')
    b=$("$python" "$work/ppl.py" "$work/dir" "$work/ids" 2>"$work/python.log") || tail -3 "$work/python.log"
    check "$1: $a, transformers $b" awk -v a="$a" -v b="$b" 'BEGIN {d = a / b - 1; exit !(a > 1 && d < 1e-4 && d > -1e-4)}'
}
random_ids() { # SIZE
    awk -v n="$1" 'BEGIN { srand(9); for (r = 0; r < 3; r++) { for (i = 0; i < 60; i++) printf "%d ", 3 + int(rand() * (n - 3)); print "" } }' >"$work/ids"
}
variants() { # NAME DIRECTORY
    kick-ingest-text -q -f ids "$work/ids" -o "$work/ids.kick"
    kick-ingest-model -q "$2" -o "$work/m.kick"
    agree "$1" "$work/m.kick" dense
    kick-prune-wanda -q -c "$work/ids.kick" "$work/m.kick" -o "$work/p.kick"
    agree "$1, wanda 50 %" "$work/p.kick" dense
    kick-quantize-gptq -q -g 32 -c "$work/ids.kick" "$work/m.kick" -o "$work/q.kick"
    agree "$1, gptq 4 bits, numbers" "$work/q.kick" dense
}
text='The river runs through the old town; nobody counts its 17 bridges.'
"$python" "$work/words.py" data/models/large "$(head -c 6000 README.md)" | xargs -n 100 | head -4 >"$work/ids"
variants large data/models/large
agree "large, gptq 4 bits, codes" "$work/q.kick" gptq
kick-quantize-awq -q -b 2 -g 4 -c "$work/ids.kick" "$work/m.kick" -o "$work/q.kick"
agree "large, awq 2 bits, zero points of 0, codes" "$work/q.kick" gptq
check "the tokenizer loads and agrees with the original's" test "$("$python" "$work/words.py" "$work/dir" "$text")" = "$("$python" "$work/words.py" data/models/large "$text")"
"$KICK_BUILD/tests/make-model" "$work/own" --layers 2 --kv-heads 4 --hidden 96 --intermediate 160 --vocab 300 --tied || exit 1
random_ids 300
variants "tied" "$work/own"
kick-quantize-gptq -q -b 3 -g 32 --act-order -c "$work/ids.kick" "$work/p.kick" -o "$work/q.kick"
agree "tied, wanda, gptq 3 bits, columns out of order, codes" "$work/q.kick" gptq
# Our own models, of every architecture; and compressed-tensors' codes, which transformers unpacks itself.
random_ids 60
kick-ingest-text -q -f ids "$work/ids" -o "$work/ids.kick"
for m in tests/data/models/*/; do
    kick-ingest-model -q "$m" -o "$work/m.kick"
    agree "$(basename "$m")" "$work/m.kick" dense
done
"$python" -c 'import compressed_tensors' 2>/dev/null ||
    echo "skip compressed-tensors: $python has no such package"
"$KICK_BUILD/tests/make-model" "$work/wide" --hidden 128 --intermediate 256 --layers 2 --heads 4 --kv-heads 2 --vocab 64
kick-ingest-model -q "$work/wide" -o "$work/m.kick"
"$python" -c 'import compressed_tensors' 2>/dev/null && for options in "-b 4 -g 32" "-b 4 -g 0" "-b 8 -g 64" "-b 3 -g 32" "-b 6 -g 0"; do
    kick-quantize-rtn -q --sym $options "$work/m.kick" -o "$work/q.kick"
    agree "rtn --sym $options, packed" "$work/q.kick" packed
done
# compressed-tensors' bitmask, which the package itself unpacks; versions after 0.12 have dropped it.
cat >"$work/bitmask.py" <<'END'
import json, sys
from compressed_tensors import SparsityCompressionConfig
from compressed_tensors.compressors.base import BaseCompressor
from safetensors.torch import load_file
directory, dense = sys.argv[1:]
scheme = json.load(open(directory + "/config.json"))["quantization_config"]["sparsity_config"]
kind = scheme.pop("format")
reader = BaseCompressor.load_from_registry(kind, config=SparsityCompressionConfig.load_from_registry(kind, **scheme))
got, want = dict(reader.decompress(directory)), load_file(dense + "/model.safetensors")
assert got.keys() == want.keys(), got.keys() ^ want.keys()
assert all(got[n].dtype == want[n].dtype and (got[n] == want[n]).all() for n in want)
END
if "$python" -c 'import compressed_tensors.compressors.sparse_compressors' 2>/dev/null; then
    for options in "-s 0.6" "-p 2:4"; do
        kick-ingest-model -q "$work/wide" | kick-prune-magnitude -q $options -o "$work/p.kick"
        rm -rf "$work/dir" "$work/dense"
        kick-export-hf -q --layout bitmask -o "$work/dir" "$work/p.kick"
        kick-export-hf -q -o "$work/dense" "$work/p.kick"
        check "magnitude $options, bitmask" "$python" "$work/bitmask.py" "$work/dir" "$work/dense"
    done
else
    echo "skip bitmasks: $python has no compressed_tensors of at most 0.12"
fi
[ -e "$shared/goldens/models" ] || { echo "skip architectures: no $shared/goldens/models"; exit 0; }
for m in "$shared"/goldens/models/*/; do
    n=$(basename "$m")
    random_ids 253
    kick-ingest-text -q -f ids "$work/ids" -o "$work/ids.kick"
    kick-ingest-model -q "$m" | kick-quantize-rtn -q -g 16 -o "$work/m.kick"
    agree "$n, rtn" "$work/m.kick" dense
done
