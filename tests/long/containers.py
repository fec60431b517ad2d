"""Random models in the containers and the styles that people have: each gives transformers' likelihoods. Prints
lines as the shell tests do.
    python3 containers.py BIN WORK"""
import collections
import copy
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
bin, work = sys.argv[1:]
torch.manual_seed(99)
IDS = [torch.randint(3, 90, (n,)).tolist() for n in (57, 19)]


def kick(program, *arguments):
    r = subprocess.run([f"{bin}/kick-{program}", "-q", *map(str, arguments)], capture_output=True)
    if r.returncode:
        raise RuntimeError(r.stderr.decode().strip())
    return r.stdout


def expected(model):
    out = []
    with torch.no_grad():
        for ids in IDS:
            logits = model(torch.tensor([ids])).logits[0].double()
            out.append(-torch.log_softmax(logits, -1)[:-1].gather(1, torch.tensor(ids)[1:, None])[:, 0].numpy())
    return out


def check(name, path, want):
    try:
        kick("ingest-model", path, "-o", f"{work}/m.kick")
        lines = subprocess.run(["zstdcat"], capture_output=True, check=True,
                               input=kick("eval-perplexity", "--per-token", "-d", f"{work}/ids.kick", f"{work}/m.kick")).stdout
        got = [np.array(json.loads(l)["nll"]) for l in lines.decode().splitlines() if l.startswith('{"window"')]
        worst = max(abs(a - b).max() for a, b in zip(got, want, strict=True))
        print("ok" if worst < 1e-4 else "not ok", f"{name}: within {worst:.1e}", flush=True)
    except RuntimeError as e:
        print("not ok", f"{name}: {e}", flush=True)


def fill(model, dtype):
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.randn_like(p) * (0.4 if p.dim() == 1 or "emb" in name else 1.3 / p.shape[-1] ** 0.5))
            if p.dim() == 1 and "bias" not in name:
                p.add_(1)
            p.copy_(p.to(dtype).float())
    return model.eval()


def folder(config, old_style=False):
    path = f"{work}/model"
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    keys = json.loads(json.dumps(config.to_dict(), default=str))
    if old_style:
        rope = keys.pop("rope_parameters", None) or {}
        keys["rope_theta"] = rope.pop("rope_theta", 10000.0)
        keys["torch_dtype"] = keys.pop("dtype", None)
    with open(f"{path}/config.json", "w") as f:
        json.dump(keys, f)
    return path


def shards(state, path, count, form):
    """Tensors dealt out to `count` files, and their index."""
    stem, ending = ("pytorch_model", "bin") if form == "bin" else ("model", "safetensors")
    index = {}
    for i in range(count):
        part = {n: state[n] for n in list(state)[i::count]}
        file = f"{stem}-{i + 1:05d}-of-{count:05d}.{ending}"
        torch.save(part, f"{path}/{file}") if form == "bin" else save_file(part, f"{path}/{file}", {"format": "pt"})
        index |= {n: file for n in part}
    with open(f"{path}/{stem}.{ending}.index.json", "w") as f:
        json.dump({"metadata": {"total_size": 1}, "weight_map": index}, f)


def llama(**more):
    return transformers.LlamaConfig(**{**dict(
        vocab_size=97, hidden_size=48, intermediate_size=88, num_hidden_layers=3, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=128, attn_implementation="eager"), **more})


def views(state):
    """The same numbers as views that are not contiguous, or of one storage."""
    flat = torch.cat([v.flatten() for v in state.values()])
    ends = np.cumsum([v.numel() for v in state.values()])
    yield "transposed and strided views", {
        k: v.t().contiguous().t() if v.dim() == 2 else torch.stack([v, v * 2, v * 3], 1).flatten()[::3]
        for k, v in state.items()}
    yield "views of one storage", {k: flat[end - v.numel():end].view(v.shape) for (k, v), end in zip(state.items(), ends)}
    yield "columns of a wider matrix", {
        k: torch.cat([v + 7, v, v * 9], 1)[:, v.shape[1]:2 * v.shape[1]] if v.dim() == 2 else v for k, v in state.items()}
    wrapped = collections.OrderedDict((k, torch.nn.Parameter(v)) for k, v in state.items())
    wrapped._metadata = {"": {"version": 1}}
    yield "Parameters in an OrderedDict with _metadata", wrapped


def containers(dtype):
    kind = str(dtype)[6:]
    config = llama()
    model = fill(transformers.LlamaForCausalLM(config), dtype)
    want = expected(model)
    state = {k: v.detach().to(dtype).clone() for k, v in model.state_dict().items()}
    for protocol in (2, 4, 5):
        for zip in (True, False):
            path = folder(config, old_style=protocol == 2)
            torch.save(state, f"{path}/pytorch_model.bin", pickle_protocol=protocol, _use_new_zipfile_serialization=zip)
            check(f"{kind} .bin, {'zip' if zip else 'before zip'}, protocol {protocol}", path, want)
    for form in ("bin", "safetensors"):
        path = folder(config)
        shards(state, path, 28, form)
        check(f"{kind} {form} in 28 shards", path, want)
    for name, some in views(state):
        for zip in (True, False):
            path = folder(config)
            torch.save(some, f"{path}/pytorch_model.bin", _use_new_zipfile_serialization=zip)
            check(f"{kind} {name}, {'zip' if zip else 'before zip'}", path, want)
    path = folder(config)
    torch.save(state, f"{path}/consolidated.pt")
    check(f"{kind} one .pt with config.json beside it", f"{path}/consolidated.pt", want)
    save_file(state, f"{path}/x.safetensors")
    check(f"{kind} one .safetensors with config.json beside it", f"{path}/x.safetensors", want)
    config = llama(tie_word_embeddings=True)
    model = fill(transformers.LlamaForCausalLM(config), dtype)
    state = {k: v.detach().to(dtype) for k, v in model.state_dict().items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    for zip in (True, False):
        path = folder(config)
        torch.save(state, f"{path}/pytorch_model.bin", _use_new_zipfile_serialization=zip)
        check(f"{kind} two names on one storage, {'zip' if zip else 'before zip'}", path, expected(model))


def styles():
    """What save_pretrained writes today, in many shards, then the same before zip."""
    common = dict(vocab_size=97, num_hidden_layers=3, max_position_embeddings=128, attn_implementation="eager")
    wide = dict(common, hidden_size=48, intermediate_size=88, num_attention_heads=6, num_key_value_heads=3)
    opt = dict(common, hidden_size=32, ffn_dim=64, num_attention_heads=4)
    mixture = dict(wide, num_experts=7, num_experts_per_tok=3, moe_intermediate_size=24)
    no_groups = {k: v for k, v in wide.items() if k != "num_key_value_heads"}
    for name, family, settings in (
        ("Llama 3.1", "Llama", dict(wide, rope_parameters={
            "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 32})),
        ("Vicuna, linear positions", "Llama", dict(wide, rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 3.0})),
        ("OPT-350m's form", "OPT", dict(opt, word_embed_proj_dim=16, do_layer_norm_before=False)),
        ("OPT", "OPT", dict(opt, word_embed_proj_dim=32)),
        ("GPT-2", "GPT2", dict(vocab_size=97, n_embd=40, n_layer=3, n_head=5, n_positions=128, attn_implementation="eager")),
        ("Pythia", "GPTNeoX", dict(no_groups, num_attention_heads=3)),
        ("Mistral", "Mistral", dict(wide, sliding_window=16)),
        ("Qwen 2.5", "Qwen2", wide),
        ("Qwen 3", "Qwen3", dict(wide, head_dim=16)),
        ("Gemma", "Gemma", dict(wide, head_dim=16)),
        ("Gemma 2", "Gemma2", dict(wide, head_dim=16, sliding_window=16, query_pre_attn_scalar=16)),
        ("Phi-2", "Phi", dict(no_groups, num_attention_heads=3)),
        ("Phi-3", "Phi3", dict(wide, pad_token_id=0)),
        ("Falcon-40B's form", "Falcon", dict(vocab_size=97, hidden_size=48, num_hidden_layers=3, num_attention_heads=6,
                                             num_kv_heads=2, new_decoder_architecture=True, attn_implementation="eager")),
        ("Mixtral", "Mixtral", dict(wide, num_local_experts=4, num_experts_per_tok=2)),
        ("Qwen 1.5 MoE", "Qwen2Moe", dict(mixture, shared_expert_intermediate_size=40)),
        ("Qwen 3 MoE", "Qwen3Moe", dict(mixture, head_dim=16)),
    ):
        config = getattr(transformers, f"{family}Config")(**settings)
        model = fill(getattr(transformers, family + ("LMHeadModel" if family == "GPT2" else "ForCausalLM"))(config), torch.bfloat16)
        want = expected(model)
        path = f"{work}/saved"
        shutil.rmtree(path, ignore_errors=True)
        copy.deepcopy(model).to(torch.bfloat16).save_pretrained(path, max_shard_size="20KB")
        files = [f for f in os.listdir(path) if f.endswith(".safetensors")]
        check(f"{name}, {len(files)} shards of save_pretrained", path, want)
        state = {}
        for f in files:
            state |= load_file(f"{path}/{f}")
        bin_path = folder(config)
        shutil.copy(f"{path}/config.json", bin_path)
        torch.save(state, f"{bin_path}/pytorch_model.bin", _use_new_zipfile_serialization=False)
        check(f"{name}, before zip", bin_path, want)
        if family == "GPT2":
            bare = {k.removeprefix("transformer."): v for k, v in state.items() if k != "lm_head.weight"}
            for i in range(3):
                bare[f"h.{i}.attn.bias"] = torch.tril(torch.ones(1, 1, 128, 128)).to(torch.bool)
                bare[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
            torch.save(bare, f"{bin_path}/pytorch_model.bin")
            check("GPT-2 without prefix, with its buffers, .bin", bin_path, want)
            save_file(bare, f"{bin_path}/model.safetensors")
            check("GPT-2 without prefix, with its buffers, .safetensors", bin_path, want)


with open(f"{work}/ids.txt", "w") as f:
    f.writelines(" ".join(map(str, ids)) + "\n" for ids in IDS)
kick("ingest-text", "-f", "ids", f"{work}/ids.txt", "-o", f"{work}/ids.kick")
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    containers(dtype)
styles()
