#!/usr/bin/env python3
"""Makes the folders beside it: one small matrix each, quantized and packed as a tool of that name does,
and in expected.safetensors what it stands for. The packing is written down here from the tools' own
loops. Needs numpy and safetensors: python3 tests/data/packed/make.py"""
import json
import os

import numpy as np
from safetensors.numpy import save_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(3)
expected = {}


def save(name, config, tensors):
    os.makedirs(name, exist_ok=True)
    json.dump({"quantization_config": config}, open(name + "/config.json", "w"))
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, name + "/model.safetensors")


def draw(rows, cols, bits, group):
    groups = cols // group
    q = rng.integers(0, 2**bits, (rows, cols), dtype=np.int64)
    zero = rng.integers(0, 2**bits, (rows, groups), dtype=np.int64)
    scale = rng.uniform(0.01, 0.1, (rows, groups)).astype(np.float16)
    return q, zero, scale


def gptq_pack(x, bits):
    """AutoGPTQ's loop over rows of x (n, m) into (n * bits / 32, m)."""
    x = x.astype(np.uint32)
    out = np.zeros((x.shape[0] * bits // 32, x.shape[1]), np.uint32)
    i = row = 0
    while row < out.shape[0]:
        if bits in (2, 4, 8):
            for j in range(i, i + 32 // bits):
                out[row] |= x[j] << np.uint32(bits * (j - i))
            i += 32 // bits
            row += 1
        else:
            for j in range(i, i + 10):
                out[row] |= x[j] << np.uint32(3 * (j - i))
            i += 10
            out[row] |= x[i] << np.uint32(30)
            row += 1
            out[row] |= (x[i] >> np.uint32(2)) & np.uint32(1)
            i += 1
            for j in range(i, i + 10):
                out[row] |= x[j] << np.uint32(3 * (j - i) + 1)
            i += 10
            out[row] |= x[i] << np.uint32(31)
            row += 1
            out[row] |= (x[i] >> np.uint32(1)) & np.uint32(3)
            i += 1
            for j in range(i, i + 10):
                out[row] |= x[j] << np.uint32(3 * (j - i) + 2)
            i += 10
            row += 1
    return out.view(np.int32)


def gptq(name, bits, act_order=False, v2=False):
    rows, cols, group = 32, 64, 32
    q, zero, scale = draw(rows, cols, bits, group)
    g_idx = np.arange(cols, dtype=np.int32) // group
    if act_order:
        g_idx = rng.permutation(g_idx).astype(np.int32)
    stored = zero if v2 else (zero - 1) & (2**bits - 1)
    save(name, {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": act_order,
                **({"checkpoint_format": "gptq_v2"} if v2 else {})},
         {"x.qweight": gptq_pack(q.T, bits), "x.qzeros": gptq_pack(stored, bits).T,
          "x.scales": scale.T, "x.g_idx": g_idx, "y.weight": np.ones(3, np.float32)})
    w = scale.astype(np.float32)[:, g_idx] * (q - zero[:, g_idx]).astype(np.float32)
    expected[name] = w


def awq_pack(x):
    out = np.zeros((x.shape[0], x.shape[1] // 8), np.uint32)
    for col in range(out.shape[1]):
        for i, k in enumerate([0, 2, 4, 6, 1, 3, 5, 7]):
            out[:, col] |= x[:, col * 8 + k].astype(np.uint32) << np.uint32(4 * i)
    return out.view(np.int32)


def awq(name):
    rows, cols, group = 16, 64, 32
    q, zero, scale = draw(rows, cols, 4, group)
    save(name, {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm", "zero_point": True},
         {"x.qweight": awq_pack(q.T), "x.qzeros": awq_pack(zero.T), "x.scales": scale.T})
    expected[name] = np.repeat(scale.astype(np.float32), group, 1) * (q - np.repeat(zero, group, 1)).astype(np.float32)


def ct_pack(x, bits):
    each = 32 // bits
    pad = -x.shape[1] % each
    x = np.pad(x, ((0, 0), (0, pad))).astype(np.uint32)
    out = np.zeros((x.shape[0], x.shape[1] // each), np.uint32)
    for i in range(each):
        out |= x[:, i::each] << np.uint32(bits * i)
    return out.view(np.int32)


def compressed(name, bits, cols, group, symmetric):
    rows = 16
    q, zero, scale = draw(rows, cols, bits, group)
    tensors = {"x.weight_packed": ct_pack(q, bits), "x.weight_scale": scale,
               "x.weight_shape": np.array([rows, cols], np.int64)}
    if symmetric:
        zero = np.full_like(zero, 2 ** (bits - 1))
    else:
        tensors["x.weight_zero_point"] = ct_pack(zero.T, bits).T
    save(name, {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": {
        "weights": {"num_bits": bits, "group_size": group, "symmetric": symmetric, "type": "int",
                    "strategy": "group"}, "targets": ["Linear"]}}}, tensors)
    expected[name] = np.repeat(scale.astype(np.float32), group, 1) * (q - np.repeat(zero, group, 1)).astype(np.float32)


for b in (2, 3, 4, 8):
    gptq("gptq%d" % b, b)
gptq("gptq4-act-order", 4, act_order=True)
gptq("gptq4-v2", 4, v2=True)
awq("awq")
compressed("compressed4", 4, 64, 32, True)
compressed("compressed4-zeros", 4, 64, 32, False)
compressed("compressed3", 3, 36, 12, False)
save_file(expected, "expected.safetensors")
