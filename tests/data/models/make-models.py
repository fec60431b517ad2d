#!/usr/bin/env python3
"""Makes the tiny random models of this folder, and what they must give.

Each NAME/ holds config.json, model.safetensors and golden.json: three sequences of ids with the
negative log-likelihood of each token after the first, and a greedy run, by transformers (eager
attention, float32, one thread). Weights are rounded to the stored type first. Needs torch,
transformers, safetensors and numpy; the files themselves were made with torch 2.9.1 and
transformers 5.23.0, those of Gemma, Phi, Falcon, StarCoder 2 and
Qwen's mixtures with 5.24.0.

  make-models.py FOLDER [NAME ...]
"""
import copy
import json
import os
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)

BASE = dict(vocab_size=64, hidden_size=12, intermediate_size=20, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=80,
            bos_token_id=1, eos_token_id=2, pad_token_id=0, attn_implementation="eager")


def base(**k):
    return {**BASE, **k}


def plain(**k):
    """For families without grouped queries."""
    d = base(**k)
    del d["num_key_value_heads"]
    return d


GPT2 = dict(vocab_size=64, n_embd=12, n_layer=2, n_head=2, n_positions=80, bos_token_id=1,
            eos_token_id=2, attn_implementation="eager")


def falcon(**k):
    d = plain(**k)
    del d["intermediate_size"]
    return d


def opt(**k):
    d = plain(ffn_dim=20, **k)
    del d["intermediate_size"]
    return d


# name: (class, arguments, dtype, how it is stored: "4" or "5" (style of the config) and changes)
MODELS = {
    "llama": ("Llama", base(attention_bias=True, mlp_bias=True, head_dim=10,
                            num_attention_heads=4, num_key_value_heads=2), "float32", "4", {}),
    "llama_gelu_v5": ("Llama", base(hidden_act="gelu", tie_word_embeddings=True, rope_parameters={
        "rope_type": "llama3", "rope_theta": 1e4, "factor": 4.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 32}), "bfloat16", "5", {}),
    "mistral_v5": ("Mistral", base(sliding_window=17, head_dim=6, num_attention_heads=6,
                                   num_key_value_heads=2),
                   "bfloat16", "5", {}),
    "mixtral_window": ("Mixtral", base(num_local_experts=5, num_experts_per_tok=3,
                                       sliding_window=19, head_dim=8, num_hidden_layers=1),
                       "bfloat16", "4", {}),
    "mixtral_v5": ("Mixtral", base(num_local_experts=12, num_experts_per_tok=1, head_dim=8,
                                   intermediate_size=8, tie_word_embeddings=True), "bfloat16",
                   "5", {}),
    "qwen2_window": ("Qwen2", base(use_sliding_window=True, sliding_window=11, max_window_layers=1,
                                   num_hidden_layers=3), "bfloat16", "4", {"no_layer_types": True}),
    "qwen3_window_v5": ("Qwen3", base(use_sliding_window=True, sliding_window=11, head_dim=12,
                                      max_window_layers=1, attention_bias=True,
                                      tie_word_embeddings=True), "bfloat16", "5", {}),
    "phi3_partial_v5": ("Phi3", base(partial_rotary_factor=0.5, sliding_window=21,
                                     num_attention_heads=3, num_key_value_heads=1), "bfloat16",
                        "5", {}),
    "gemma2_v5": ("Gemma2", base(head_dim=12, query_pre_attn_scalar=20, sliding_window=13,
                                 attn_logit_softcapping=3.0, final_logit_softcapping=2.0,
                                 num_hidden_layers=3), "bfloat16", "5", {}),
    "gemma2_untied": ("Gemma2", base(head_dim=8, num_key_value_heads=2, query_pre_attn_scalar=8, sliding_window=13,
                                     attn_logit_softcapping=None, final_logit_softcapping=None,
                                     tie_word_embeddings=False, attention_bias=True), "bfloat16",
                      "4", {"no_layer_types": True}),
    "opt": ("OPT", opt(), "float16", "4", {}),
    "opt_post": ("OPT", opt(do_layer_norm_before=False, word_embed_proj_dim=10), "float16", "4",
                 {}),
    "opt_wide": ("OPT", opt(word_embed_proj_dim=20, activation_function="gelu", enable_bias=False,
                            layer_norm_elementwise_affine=False, tie_word_embeddings=True),
                 "float16", "4", {"strip": "model."}),
    "gpt2_bare": ("GPT2", GPT2, "float16", "4", {"strip": "transformer.", "buffers": True}),
    "gpt2_scaled": ("GPT2", {**GPT2, "scale_attn_weights": False, "n_inner": 20,
                             "scale_attn_by_inverse_layer_idx": True,
                             "activation_function": "quick_gelu", "tie_word_embeddings": False},
                    "float16", "5", {}),
    "neox_serial": ("GPTNeoX", plain(use_parallel_residual=False, rotary_pct=1.0,
                                     attention_bias=False), "float16", "4",
                    {"neox_buffers": True}),
    "gemma": ("Gemma", base(head_dim=8, num_attention_heads=3, num_key_value_heads=1), "bfloat16", "4",
              {"set": {"hidden_act": "gelu"}}),
    "phi": ("Phi", base(partial_rotary_factor=0.4, num_key_value_heads=2, head_dim=6), "float16", "4", {}),
    "phi_v5": ("Phi", base(hidden_size=24, num_attention_heads=3), "float16", "5", {}),
    "falcon": ("Falcon", falcon(), "bfloat16", "4", {}),
    "falcon_new": ("Falcon", falcon(new_decoder_architecture=True, num_kv_heads=2,
                                    num_attention_heads=6, ffn_hidden_size=20), "bfloat16", "5", {}),
    "falcon_one": ("Falcon", falcon(new_decoder_architecture=True, num_kv_heads=3, num_attention_heads=3,
                                    num_ln_in_parallel_attn=1, tie_word_embeddings=False), "bfloat16", "4", {}),
    "falcon_serial": ("Falcon", falcon(parallel_attn=False, multi_query=False, bias=True), "bfloat16", "4", {}),
    "qwen2_moe": ("Qwen2Moe", base(num_experts=6, num_experts_per_tok=3, moe_intermediate_size=8,
                                   shared_expert_intermediate_size=14), "bfloat16", "4", {}),
    "qwen3_moe_v5": ("Qwen3Moe", base(num_experts=5, num_experts_per_tok=2, moe_intermediate_size=10,
                                      head_dim=8, norm_topk_prob=True, experts_implementation="eager"), "bfloat16", "5", {}),
    "starcoder2_v5": ("Starcoder2", base(sliding_window=15), "bfloat16", "5", {}),
    "neox_v5": ("GPTNeoX", plain(hidden_act="gelu_fast", num_attention_heads=3, tie_word_embeddings=True,
                                 rope_parameters={"rope_type": "linear", "factor": 2.0,
                                                  "rope_theta": 5000.0,
                                                  "partial_rotary_factor": 0.5}),
                "float16", "5", {}),
}


def old_style(config):
    """The keys of transformers 4."""
    rope = config.pop("rope_parameters", None) or {}
    if rope:
        config["rope_theta"] = rope.pop("rope_theta", 10000.0)
        partial = rope.pop("partial_rotary_factor", None)
        if partial is not None:
            config["partial_rotary_factor"] = partial
        kind = rope.get("rope_type", "default")
        config["rope_scaling"] = None if kind == "default" else rope
    config["torch_dtype"] = config.pop("dtype", None)
    config["transformers_version"] = "4.46.0"
    if config["model_type"] == "gpt_neox":
        config["rotary_pct"] = config.pop("partial_rotary_factor", 0.25)
        config["rotary_emb_base"] = config["rope_theta"]


def make(folder, name):
    family, arguments, dtype, style, change = MODELS[name]
    config = getattr(transformers, family + "Config")(**arguments)
    torch.manual_seed(sum(map(ord, name)))
    head = "LMHeadModel" if family == "GPT2" else "ForCausalLM"
    model = getattr(transformers, family + head)(config).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            scale = 0.5 if p.dim() == 1 or "embed" in key or "wte" in key else 1.5 / p.shape[-1] ** .5
            p.copy_(torch.randn_like(p) * scale)
            if p.dim() == 1 and "bias" not in key and not family.startswith("Gemma"):
                p.add_(1)
            p.copy_(p.to(getattr(torch, dtype)).float())
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    # A copy, since to() would round buffers (frequencies, Gemma's scale) too.
    copy.deepcopy(model).to(getattr(torch, dtype)).save_pretrained(path)
    stored = load_file(os.path.join(path, "model.safetensors"))
    if "strip" in change:
        stored = {k.removeprefix(change["strip"]): v for k, v in stored.items()}
    if "buffers" in change:
        for i in range(config.n_layer):
            n = config.n_positions
            stored[f"h.{i}.attn.bias"] = torch.tril(torch.ones(1, 1, n, n)).to(torch.uint8)
            stored[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    if "neox_buffers" in change:
        for i in range(config.num_hidden_layers):
            k = f"gpt_neox.layers.{i}.attention."
            stored[k + "bias"] = torch.tril(torch.ones(1, 1, 80, 80)).to(torch.bool)
            stored[k + "masked_bias"] = torch.tensor(-1e9)
            stored[k + "rotary_emb.inv_freq"] = torch.ones(4)
    save_file(stored, os.path.join(path, "model.safetensors"), {"format": "pt"})
    os.chmod(os.path.join(path, "model.safetensors"), 0o644)
    with open(os.path.join(path, "config.json")) as f:
        config_json = json.load(f)
    if style == "4":
        old_style(config_json)
    config_json.update(change.get("set", {}))
    if "no_layer_types" in change:
        config_json.pop("layer_types", None)
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump(config_json, f, indent=1)
        f.write("\n")
    for extra in ("generation_config.json",):
        if os.path.exists(os.path.join(path, extra)):
            os.remove(os.path.join(path, extra))

    generator = torch.Generator().manual_seed(7)
    sequences = []
    with torch.no_grad():
        for length in (70, 33, 2):
            ids = torch.randint(3, 64, (1, length), generator=generator)
            logits = model(ids).logits[0].double()
            nll = -torch.log_softmax(logits, -1)[:-1].gather(1, ids[0, 1:, None])[:, 0]
            sequences.append({"input_ids": ids[0].tolist(), "nll_per_token": nll.tolist(),
                              "loss": nll.mean().item()})
        ids, margin = [5, 17, 9], 1e9
        prompt = list(ids)
        for _ in range(24):
            top = torch.topk(model(torch.tensor([ids])).logits[0, -1].double(), 2)
            margin = min(margin, (top.values[0] - top.values[1]).item())
            ids.append(top.indices[0].item())
    golden = {"sequences": sequences,
              "greedy": [{"prompt_ids": prompt, "new_ids": ids[3:], "min_margin": margin}]}
    with open(os.path.join(path, "golden.json"), "w") as f:
        json.dump(golden, f)
        f.write("\n")
    print(name, [round(s["loss"], 3) for s in sequences], f"margin {margin:.2g}", sorted(stored)[:3])


if __name__ == "__main__":
    for name in sys.argv[2:] or MODELS:
        make(sys.argv[1], name)
