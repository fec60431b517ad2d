#!/usr/bin/env python3
"""Makes the files of this folder: models of a few hundred weights in GGUF, as llama.cpp's converter
would name and order them. Needs gguf and numpy: python3 tests/data/gguf/make.py"""
import os

import gguf
import numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(5)
HIDDEN, INNER, HEADS, KV = 32, 64, 4, 2
T = gguf.GGMLQuantizationType


def model(path, kind, merges, rope=False, **tokens):
    w = gguf.GGUFWriter(path, "llama")
    w.add_context_length(64)
    w.add_embedding_length(HIDDEN)
    w.add_feed_forward_length(INNER)
    w.add_block_count(1)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV)
    w.add_rope_dimension_count(HIDDEN // HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_freq_base(500000.0 if rope else 10000.0)
    w.add_tokenizer_model(kind)
    w.add_token_list(tokens["tokens"])
    w.add_token_types(tokens["types"])
    if merges:
        w.add_tokenizer_pre("llama-bpe")
        w.add_token_merges(merges)
    else:
        w.add_token_scores([-float(i) for i in range(len(tokens["tokens"]))])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_eot_token_id(3)
    w.add_add_bos_token(True)
    w.add_chat_template("{{ bos_token }}{{ messages[0]['content'] }}")

    def put(name, rows, cols, q=None):
        x = rng.standard_normal((rows, cols) if rows else cols).astype(np.float32)
        if q is None:
            w.add_tensor(name, x)
        else:
            w.add_tensor(name, gguf.quants.quantize(x, q), raw_dtype=q)

    if rope:  # the rule of Llama 3.1, as its converter writes it
        d = HIDDEN // HEADS
        freq = 1.0 / (500000.0 ** (np.arange(0, d, 2, dtype=np.float32) / d))
        out = []
        for f in freq:
            length = 2 * np.pi / f
            smooth = (8192 / length - 1) / (4 - 1)
            out.append(1 if length < 8192 / 4 else 8 if length > 8192 else 1 / ((1 - smooth) / 8 + smooth))
        w.add_tensor("rope_freqs.weight", np.array(out, np.float32))
    put("token_embd.weight", len(tokens["tokens"]), HIDDEN, T.Q8_0)
    put("output_norm.weight", 0, HIDDEN)
    put("output.weight", len(tokens["tokens"]), HIDDEN, T.Q4_1)
    for name, rows, cols, q in (
        ("attn_q", HIDDEN, HIDDEN, T.Q4_0),
        ("attn_k", HIDDEN // HEADS * KV, HIDDEN, T.Q5_0),
        ("attn_v", HIDDEN // HEADS * KV, HIDDEN, T.Q5_1),
        ("attn_output", HIDDEN, HIDDEN, T.F16),
        ("ffn_gate", INNER, HIDDEN, T.BF16),
        ("ffn_up", INNER, HIDDEN, T.Q4_1),
        ("ffn_down", HIDDEN, INNER, T.Q4_0),
    ):
        put("blk.0.%s.weight" % name, rows, cols, q)
    put("blk.0.attn_norm.weight", 0, HIDDEN)
    put("blk.0.ffn_norm.weight", 0, HIDDEN)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


model("spm.gguf", "llama", None, tokens=["<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "▁a", "ab"],
      types=[2, 3, 3, 6, 1, 1, 1, 1, 1])
model("bpe.gguf", "gpt2", ["a b", "Ġ ab"], rope=True, tokens=["!", "<|begin|>", "<|end|>", "<|eot|>", "Ġ", "a", "b", "ab", "Ġab"],
      types=[1, 3, 3, 3, 1, 1, 1, 1, 1])


def experts(path, apart):
    """A mixture; llama.cpp's converter first wrote a matrix for each expert, later one of all of them."""
    rng = np.random.default_rng(6)
    w = gguf.GGUFWriter(path, "llama")
    w.add_context_length(64)
    w.add_embedding_length(HIDDEN)
    w.add_feed_forward_length(HIDDEN)
    w.add_block_count(2)
    w.add_head_count(HEADS)
    w.add_head_count_kv(HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_expert_count(3)
    w.add_expert_used_count(2)

    def put(name, *shape):
        x = rng.standard_normal(shape).astype(np.float32)
        q = T.F32 if len(shape) == 1 else T.Q4_0 if "attn" in name else T.Q8_0
        x = gguf.quants.quantize(x, q)
        if len(shape) == 3 and apart:
            for k in range(3):
                w.add_tensor(name.replace("_exps", f".{k}"), x[k], raw_dtype=q)
        else:
            w.add_tensor(name, x, raw_dtype=q)

    put("token_embd.weight", 8, HIDDEN)
    put("output_norm.weight", HIDDEN)
    for i in range(2):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            put(f"blk.{i}.{name}.weight", HIDDEN, HIDDEN)
        for name in ("ffn_gate", "ffn_up", "ffn_down"):
            put(f"blk.{i}.{name}_exps.weight", 3, HIDDEN, HIDDEN)
        put(f"blk.{i}.ffn_gate_inp.weight", 3, HIDDEN)
        put(f"blk.{i}.attn_norm.weight", HIDDEN)
        put(f"blk.{i}.ffn_norm.weight", HIDDEN)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


experts("experts.gguf", False)
experts("experts-apart.gguf", True)

w = gguf.GGUFWriter("part.gguf", "llama")
w.add_uint16("split.no", 1)
w.add_uint16("split.count", 3)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
