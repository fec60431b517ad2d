#!/usr/bin/env python3
"""Makes what lies beside it: tests/data/models/qwen2_moe with half of each row gone, as Wanda's released code
prunes (its sums and its stable sort, written down again over transformers' forward pass), the routed experts
by the tokens that come to them, the shared expert by all. Needs torch and transformers 5."""
import json
import os
import random

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
source = os.path.join(here, "..", "models", "qwen2_moe")
random.seed(3)
ids = [[random.randrange(3, 64) for _ in range(40)] for _ in range(8)]
open(os.path.join(here, "ids"), "w").write("".join(" ".join(map(str, row)) + "\n" for row in ids))
model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager",
                                             experts_implementation="eager")
tensors = load_file(os.path.join(source, "model.safetensors"))


def prune(name, w, inputs):
    """Half of each row of w (rows, columns) goes; inputs: a (tokens, columns) tensor a sample."""
    score = w.abs() * (sum((x ** 2).sum(0) for x in inputs) / len(inputs)).sqrt()
    gone = torch.sort(score, dim=1, stable=True)[1][:, :w.shape[1] // 2]
    tensors[name + ".weight"].scatter_(1, gone, 0)
    return lambda: w.scatter_(1, gone, 0)


with torch.no_grad():
    for i, layer in enumerate(model.model.layers):
        linear = {n: m for n, m in layer.named_modules()
                  if isinstance(m, torch.nn.Linear) and n not in ("mlp.gate", "mlp.shared_expert_gate")}
        seen = {n: [] for n in [*linear, "mlp"]}
        hooks = [layer.get_submodule(n).register_forward_hook(
            lambda _, x, y, n=n: seen[n].append(x[0].flatten(0, -2))) for n in seen]
        for row in ids:
            model(torch.tensor([row]))
        for h in hooks:
            h.remove()
        prefix = f"model.layers.{i}."
        todo = [prune(prefix + n, m.weight.data, seen[n]) for n, m in linear.items()]
        experts, router = layer.mlp.experts, layer.mlp.gate.weight
        for e in range(model.config.num_experts):
            gate, up = experts.gate_up_proj.data[e].chunk(2)
            down, name = experts.down_proj.data[e], f"{prefix}mlp.experts.{e}."
            x = [x[((x @ router.T).topk(model.config.num_experts_per_tok)[1] == e).any(1)] for x in seen["mlp"]]
            y = [torch.nn.functional.silu(x @ gate.T) * (x @ up.T) for x in x]
            todo += [prune(name + "gate_proj", gate, x), prune(name + "up_proj", up, x),
                     prune(name + "down_proj", down, y)]
        for go in todo:
            go()
save_file(tensors, os.path.join(here, "model.safetensors"))
json.dump(json.load(open(os.path.join(source, "config.json"))), open(os.path.join(here, "config.json"), "w"))
