#!/usr/bin/env python3
"""Makes the files of this folder: small state dictionaries as torch.save() writes them, whose tensors
share storages, start within one, or have strides with gaps; the same tensors without all that in
expected.safetensors. Needs torch and safetensors: python3 tests/data/torch/make.py"""
import collections
import os
import pickle

import torch
from safetensors.torch import save_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(7)

base = torch.randn(6, 8)
half = torch.randn(3, 5).half()
state = collections.OrderedDict()
state["whole"] = base
state["tied"] = base
state["row"] = base[2]
state["column"] = base[:, 3]
state["transposed"] = base.t()
state["steps"] = base[1::2, ::3]
state["window"] = base[2:5, 1:4]
state["repeated"] = base[0, :4].expand(3, 4)
state["diagonal"] = base.diagonal()
state["permuted"] = torch.randn(2, 3, 4).permute(2, 0, 1)
state["half"] = half
state["half.transposed"] = half.t()
state["bfloat"] = torch.randn(7).bfloat16()
state["double"] = torch.randn(2, 2).double()
state["long"] = torch.arange(5)
state["byte"] = torch.arange(9, dtype=torch.uint8)[4:]
state["bool"] = torch.tensor([True, False, True])
state["scalar"] = torch.tensor(3.25)
state["empty"] = torch.zeros(0, 4)
state["parameter"] = torch.nn.Parameter(base[3:])
state._metadata = collections.OrderedDict({"": {"version": 1}})

torch.save(state, "zip.bin")
torch.save(state, "old.bin", _use_new_zipfile_serialization=False)
torch.save(dict(state), "protocol4.bin", pickle_protocol=4)
save_file({k: v.detach().contiguous().clone() for k, v in state.items()}, "expected.safetensors")

# Files that must be refused.
torch.save({"a": {"b": base}}, "nested.bin")
torch.save(torch.nn.Linear(2, 2), "module.bin")
torch.save({"a": torch.sparse_coo_tensor([[0]], [1.0], (2,))}, "sparse.bin")
