# Architectures from checkpoint to perplexity: fused and turned matrices, equal numbers for every
# encoding of the same weights, refusals that name the key or the tensor.
. tests/cli/lib.bash

models=$PWD/tests/data/models make_model=$(realpath "$KICK_BUILD/tests/make-model")
cd "$work" || exit 1
seq 1 300 | awk '{ printf "%d%s", $1 * $1 % 59 + 4, $1 % 50 ? " " : "\n" }' >ids.txt
kick-ingest-text -f ids ids.txt -o ids.kick || exit 1

windows() { kick-eval-perplexity "$@" -d ids.kick --per-token | zstdcat | grep -a '^{"window"'; }
shape() { kick-stream-show --compression "$1" | awk -v name="$2" '$1 == name { print $2 "x" $4 }'; }

for name in llama mixtral_window phi3_partial_v5 gemma2_v5 opt_post gpt2_bare neox_serial phi \
    falcon_new qwen2_moe; do
    kick-ingest-model "$models/$name" -o m.kick || echo "not ok $name is ingested"
    windows m.kick >dense
    for pattern in "-s 0.5" "-p 2:4"; do
        kick-prune-magnitude m.kick $pattern --encoding none -o none.kick
        windows none.kick >none
        for encoding in bitmap nm; do
            [ "$pattern $encoding" = "-s 0.5 nm" ] && continue
            kick-prune-magnitude m.kick $pattern --encoding $encoding -o $encoding.kick
            windows $encoding.kick >got
            check "$name, $pattern: $encoding gives the numbers of dense zeros" cmp none got
        done
        check "$name, $pattern: pruning changes the numbers" test "$(cmp dense none)"
    done
    kick-quantize-rtn m.kick -b 8 -g 4 -o eight.kick
    check "$name runs quantized" windows eight.kick
done

# Large enough for a matrix to stay a bitmap.
"$make_model" wide --layers 1 --hidden 192 --intermediate 256 --heads 4 --kv-heads 4 --vocab 64
kick-ingest-model wide -o m.kick
for encoding in none bitmap; do
    kick-prune-magnitude m.kick -s 0.5 --encoding $encoding -o $encoding.kick
    windows $encoding.kick >$encoding
done
check "wide matrices: bitmap gives the numbers of dense zeros" cmp none bitmap

kick-ingest-model "$models/gpt2_bare" -o gpt2.kick
check "GPT-2's matrices are turned, and have their usual names" \
    test "$(shape gpt2.kick transformer.h.1.attn.c_attn.weight)" = 36x12
kick-ingest-model "$models/phi3_partial_v5" -o phi3.kick
check "a fused matrix stays one" \
    test "$(shape phi3.kick model.layers.0.mlp.gate_up_proj.weight)" = 40x12
check "learned positions: a window over them is refused" test "$(kick-eval-perplexity gpt2.kick \
    -d <(seq -s' ' 0 80 | sed 's/[6-9][0-9]/5/g' | kick-ingest-text -f ids -) 2>&1 |
    grep -c '80 positions')" -eq 1

# changed NAME SED: a copy of a model with another configuration.
changed() {
    rm -rf c && cp -r "$models/$1" c && sed -i "$2" c/config.json
}
# not_read NAME SED TEXT
not_read() {
    changed "$1" "$2"
    refuses "$1 with $2" 1 "$3" kick-ingest-model c -o none.kick
}
not_read llama 's/"model_type": "llama"/"model_type": "mamba"/' 'model_type "mamba" is not known'
not_read llama 's/"hidden_act"/"sliding_window": 4096, &/' '"sliding_window" is set'
not_read llama 's/"rope_scaling": null/"rope_scaling": {"type": "yarn", "factor": 2}/' '"yarn"'
not_read llama 's/"attention_bias": true/"attention_bias": false/' '_proj.bias: by its config'
not_read llama 's/"silu"/"swiglu"/' 'hidden_act "swiglu"'
not_read phi3_partial_v5 's/"rope_type": "default"/"rope_type": "longrope"/' '"longrope"'
not_read gemma2_v5 's/\("use_bidirectional_attention"\): null/\1: true/' 'use_bidirectional'
not_read gpt2_bare 's/"add_cross_attention": false/"add_cross_attention": true/' 'add_cross_attention'
not_read mixtral_window 's/"num_local_experts": 5/"num_local_experts": 4/' 'experts.4'
not_read mixtral_window 's/"num_local_experts": 5/"num_local_experts": 6/' 'gate.weight: its shape is (5, 12)'
not_read opt_post 's/"do_layer_norm_before": false/"do_layer_norm_before": true/' \
    'final_layer_norm.weight is missing'
not_read opt_post 's/"word_embed_proj_dim": 10/"word_embed_proj_dim": 12/' 'embed_tokens.weight: its shape'
not_read neox_serial 's/"hidden_size": 12/"hidden_size": 24/' 'by the config it is'
not_read qwen3_window_v5 's/"model_type": "qwen3"/"model_type": "qwen2"/' '_norm.weight: a qwen2 model has no tensor of this name'
not_read qwen2_moe 's/"decoder_sparse_step": 1/"decoder_sparse_step": 2/' 'layers without experts'
not_read qwen2_moe 's/"shared_expert_intermediate_size": 14/"shared_expert_intermediate_size": 13/' \
    'shared_expert.down_proj.weight: its shape is (12, 14)'
not_read falcon 's/"alibi": false/"alibi": true/' '"alibi" is set'
not_read falcon_new 's/"num_ln_in_parallel_attn": [a-z0-9]*/"num_ln_in_parallel_attn": 1/' 'by its config'
not_read phi 's/"qk_layernorm": false/"qk_layernorm": true/' '"qk_layernorm" is set'
# One tensor under both of its names, in a header that stays as long as it was; one that is not turned.
for edit in 's/{"__metadata__":{"format":"pt"},/{                   /; s/"h.1.ln_1.bias"/"transformer.h.0.ln_1.bias"/|ln_1.bias: is there twice' \
    's/\("h.0.attn.c_attn.weight":{"dtype":"F16","shape":\)\[12,36\]/\1[36,12]/|of a matrix that the file holds transposed: tensor h.0.attn.c_attn.weight'; do
    changed gpt2_bare ''
    LC_ALL=C sed -i "${edit%|*}" c/model.safetensors
    refuses "gpt2_bare: ${edit#*|}" 1 "${edit#*|}" kick-ingest-model c -o none.kick
done
check "all are listed" test "$(kick-ingest-model --list | sed 1d | wc -l)" -eq 16
check "what is listed is what is known" grep -q "$(kick-ingest-model --list | sed 1d | awk '{ printf "%s%s", s, $1; s = ", " }')" \
    <(changed llama 's/"model_type": "llama"/"model_type": "mamba"/'; kick-ingest-model c -o none.kick 2>&1)
