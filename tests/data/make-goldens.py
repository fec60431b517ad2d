#!/usr/bin/env python3
"""Makes goldens.safetensors: what magnitude pruning and rounding to nearest do to a small matrix.

The arithmetic is written down a second time here, in numpy with float32 at each step, from the
formulas of the papers' released code. Needs numpy: python3 tests/data/make-goldens.py"""
import json
import os
import struct

import numpy as np

f32 = np.float32
rng = np.random.default_rng(20240611)
W = rng.standard_normal((12, 44)).astype(f32) * f32(0.05)
W[0, :8] = f32(0.03)  # equals, in one group
W[1, 3:9] = 0
W[1, 5] = f32(-0.0)
W[2, 8:16] *= f32(-1)
W[3] = 0  # a row of zeros: any grid will do
W[4] = np.abs(W[4]) + f32(0.01)  # all above zero, all below
W[5] = -np.abs(W[5]) - f32(0.01)
W[6, 10] = f32(3)  # an outlier
W[7, :16] = np.round(W[7, :16] * 50) / f32(50)  # many equals

out = {"W": W}


def magnitude(w, s):
    a = np.abs(w)
    n = a.size
    if s == 0:
        return np.zeros(a.shape, np.uint8)
    threshold = np.sort(a.flatten())[min(int(n * s), n - 1)]
    return (a <= threshold).astype(np.uint8)


def pattern(w, n, m):
    mask = np.zeros(w.shape, np.uint8)
    for r in range(w.shape[0]):
        for c in range(0, w.shape[1], m):
            group = np.abs(w[r, c:c + m])
            least = np.argsort(group, kind="stable")[:m - n]
            mask[r, c + least] = 1
    return mask


def bf16(w):
    u = w.view(np.uint32).astype(np.uint64)
    return ((u + 0x7FFF + (u >> 16 & 1)) >> 16).astype(np.uint16)


def rtn(w, bits, group, symmetric):
    rows, cols = w.shape
    group = min(group, cols) if group else cols
    groups = -(-cols // group)
    maxq = f32(2 ** bits - 1)
    scale = np.zeros((rows, groups), f32)
    zero = np.zeros((rows, groups), np.uint8)
    codes = np.zeros((rows, cols), np.uint8)
    for r in range(rows):
        for g in range(groups):
            x = w[r, g * group:(g + 1) * group]
            low, high = min(f32(0), x.min()), max(f32(0), x.max())
            if symmetric:
                high = max(abs(low), high)
                if low < 0:
                    low = -high
            if low == 0 and high == 0:
                low, high = f32(-1), f32(1)
            s = f32(f32(high - low) / maxq)
            z = f32((maxq + 1) / 2) if symmetric else np.round(f32(-low / s))
            q = np.clip(np.round((x / s).astype(f32)) + z, 0, maxq)
            scale[r, g], zero[r, g] = s, int(z)
            codes[r, g * group:(g + 1) * group] = q.astype(np.uint8)
    return scale, zero, codes


for s in (0, 0.3, 0.5, 0.7, 1):
    out[f"magnitude_{s}"] = magnitude(W, s)
B = bf16(W)
B32 = (B.astype(np.uint32) << 16).view(f32)
out["magnitude_bf16_0.5"] = magnitude(B32, 0.5)
for n, m in ((2, 4), (4, 8), (1, 3), (40, 44), (1, 64)):
    out[f"pattern_{n}:{m}"] = pattern(W, n, m)
out["pattern_bf16_2:4"] = pattern(B32, 2, 4)
for bits, group, symmetric in ((4, 0, 0), (4, 16, 0), (3, 32, 1), (2, 7, 0), (8, 0, 1), (8, 44, 0)):
    name = f"rtn_{bits}_{group}_{symmetric}"
    out[name + "_scale"], out[name + "_zero"], out[name + "_codes"] = rtn(W, bits, group, symmetric)

types = {"float32": "F32", "uint8": "U8"}
header, data = {}, b""
for name, a in out.items():
    header[name] = {"dtype": types[str(a.dtype)], "shape": list(a.shape),
                    "data_offsets": [len(data), len(data) + a.nbytes]}
    data += a.tobytes()
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens.safetensors")
with open(path, "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)
