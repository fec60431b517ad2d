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


def save_raw(name, config, tensors):
    """Types that numpy does not have: tensors are name: (type, array of their bits)."""
    os.makedirs(name, exist_ok=True)
    json.dump({"quantization_config": config}, open(name + "/config.json", "w"))
    header, at = {}, 0
    for key, (dtype, x) in tensors.items():
        header[key] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(name + "/model.safetensors", "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for _, x in tensors.values():
            f.write(np.ascontiguousarray(x).tobytes())


def e4m3(b):
    """The fn form: sign, 4 bits of exponent with bias 7, 3 of fraction."""
    exponent, fraction = int(b) >> 3 & 15, int(b) & 7
    x = fraction * 2.0**-9 if exponent == 0 else (1 + fraction / 8) * 2.0 ** (exponent - 7)
    return -x if b & 128 else x


def fp8(name, config, scale_name, scale, block):
    rows, cols = 24, 40
    codes = rng.integers(0, 256, (rows, cols)).astype(np.uint8)
    codes[codes & 127 == 127] = 0  # not a number
    save_raw(name, config, {"x.weight": ("F8_E4M3", codes), "x." + scale_name: ("F32", scale),
                            "y.weight": ("F32", np.ones(3, np.float32))})
    wide = np.repeat(np.repeat(scale.reshape(-1, scale.shape[-1] if scale.ndim == 2 else 1), block[0], 0), block[1], 1)
    expected[name] = np.array([e4m3(b) for b in range(256)], np.float32)[codes] * wide[:rows, :cols]


def int8(name):
    rows, cols = 12, 20
    codes = rng.integers(-127, 128, (rows, cols)).astype(np.int8)
    most = rng.uniform(0.5, 2, rows).astype(np.float32)
    save_raw(name, {"quant_method": "bitsandbytes", "load_in_8bit": True, "llm_int8_threshold": 5.0},
             {"x.weight": ("I8", codes), "x.SCB": ("F32", most), "x.weight_format": ("U8", np.zeros((), np.uint8))})
    expected[name] = (most / np.float32(127))[:, None] * codes.astype(np.float32)


def bitmask(name, key):
    rows, cols = 10, 21
    w = rng.standard_normal((rows, cols)).astype(np.float16) * (rng.random((rows, cols)) < 0.4)
    mask = w != 0
    counts = mask.sum(1)
    save_raw(name, {"quant_method": "compressed-tensors", "format": "dense",
                    "sparsity_config": {"format": "sparse-bitmask"}},
             {key + "compressed": ("F16", w[mask]), key + "bitmask": ("U8", np.packbits(mask, 1, "little")),
              key + "shape": ("I64", np.array([rows, cols], np.int64)),
              key + "row_offsets": ("I64", (np.cumsum(counts) - counts).astype(np.int64))})
    expected[name] = w.astype(np.float32)


fp8_ct = {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": {"group_0": {
    "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}, "targets": ["Linear"]}}}
for b in (2, 3, 4, 8):
    gptq("gptq%d" % b, b)
gptq("gptq4-act-order", 4, act_order=True)
gptq("gptq4-v2", 4, v2=True)
awq("awq")
compressed("compressed4", 4, 64, 32, True)
compressed("compressed4-zeros", 4, 64, 32, False)
compressed("compressed3", 3, 36, 12, False)
fp8("fp8-block", {"quant_method": "fp8", "weight_block_size": [16, 32]}, "weight_scale_inv",
    rng.uniform(0.01, 0.1, (2, 2)).astype(np.float32), (16, 32))
fp8("fp8-row", fp8_ct, "weight_scale", rng.uniform(0.01, 0.1, (24, 1)).astype(np.float32), (1, 40))
fp8("fp8-one", fp8_ct, "weight_scale", np.full((1,), 0.03, np.float32), (24, 40))
int8("int8")
bitmask("bitmask", "x.weight.")
bitmask("bitmask-short", "x.")
save_file(expected, "expected.safetensors")
