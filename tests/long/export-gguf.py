"""export-gguf against other readers: gguf-py sees the same numbers as ingest-model, and llama.cpp (the
package cyllama) gives the perplexity of kick. Prints lines as the shell tests do.
    python3 export-gguf.py BIN WORK SHARED MODEL..."""
import json
import math
import os
import subprocess
import sys

import gguf
import numpy as np

try:
    import cyllama.llama.llama_cpp as llama

    class Model(llama.LlamaModel):  # the package's logits ask for it
        n_vocab = property(lambda self: self.vocabulary)

    llama.disable_logging()
except ImportError:
    llama = None

bin, work, shared, *models = sys.argv[1:]


def kick(program, *arguments):
    return subprocess.run([f"{bin}/kick-{program}", *map(str, arguments)], check=True, capture_output=True).stdout


def perplexity(stream, ids):
    with open(f"{work}/ids.txt", "w") as f:
        print(*ids, file=f)
    kick("ingest-text", "-q", "-f", "ids", f"{work}/ids.txt", "-o", f"{work}/ids.kick")
    out = kick("eval-perplexity", "-q", "-d", f"{work}/ids.kick", stream)
    plain = subprocess.run(["zstdcat"], input=out, check=True, capture_output=True).stdout.decode()
    return next(json.loads(l)["summary"]["perplexity"] for l in plain.splitlines() if l.startswith('{"summary"'))


def llama_perplexity(path, ids, vocabulary):
    Model.vocabulary = vocabulary
    model = Model(path, llama.LlamaModelParams())
    p = llama.LlamaContextParams()
    p.n_ctx = p.n_batch = p.n_ubatch = max(512, len(ids))
    p.n_threads = p.n_threads_batch = 1
    p.flash_attn_type = p.type_k = p.type_v = 0
    context = llama.LlamaContext(model, p)
    batch = llama.LlamaBatch(n_tokens=len(ids), embd=0, n_seq_max=1)
    batch.set_batch(list(ids), 0, True)
    context.decode(batch)
    nll = 0
    for i in range(len(ids) - 1):
        x = np.array(context.get_logits_ith(i), dtype=np.float64)
        nll += x.max() + math.log(np.exp(x - x.max()).sum()) - x[ids[i + 1]]
    return math.exp(nll / (len(ids) - 1))


def say(ok, text):
    print("ok" if ok else "not ok", text, flush=True)


def check(model, step, type, ids, tolerance):
    """tolerance: of llama.cpp's perplexity, relative; it rounds activations where weights are narrow."""
    name = f"{os.path.basename(model.rstrip('/'))} {' '.join(step)} {type}"
    kick("ingest-model", "-q", model, "-o", f"{work}/m.kick")
    stream = f"{work}/m.kick"
    if step:
        kick(step[0], "-q", *step[1:], stream, "-o", f"{work}/v.kick")
        stream = f"{work}/v.kick"
    file = f"{work}/m.gguf"
    try:
        kick("export-gguf", "-q", "--type", type, stream, "-o", file)
    except subprocess.CalledProcessError as e:
        said = e.stderr.decode().strip().split(": ")[-1]
        say("llama.cpp" in said, f"{name} is refused: {said}")
        return
    reader = gguf.GGUFReader(file)
    finite = all(np.isfinite(gguf.dequantize(t.data, t.tensor_type)).all() for t in reader.tensors)
    say(finite and len(reader.tensors) > 0, f"{name}: gguf-py reads {len(reader.tensors)} tensors")
    config = json.load(open(f"{model}/config.json"))
    if config.get("sliding_window") and config["model_type"] != "gemma2":
        ids = ids[: config["sliding_window"]]  # llama.cpp has no other windows
    kick("ingest-model", "-q", file, "-o", f"{work}/back.kick")
    own, back = perplexity(stream, ids), perplexity(f"{work}/back.kick", ids)
    stated = float(reader.fields["kick.relative_error"].contents())
    say(abs(back / own - 1) < max(1e-3, 8 * stated), f"{name}: {own:.6f}, read back {back:.6f}")
    if not llama:
        print("skip", f"{name}: no package cyllama")
        return
    got = llama_perplexity(file, ids, config["vocab_size"])
    say(abs(got / back - 1) < tolerance, f"{name}: llama.cpp gives {got:.6f}, kick of the same file {back:.6f}")


def ids_of(model):
    g = json.load(open(f"{model}/golden.json"))
    return g["input_ids"] if "input_ids" in g else g["sequences"][1]["input_ids"]


for model in models:
    check(model, [], "f32", ids_of(model), 1e-3)
stories = f"{shared}/goldens/stories260K"
if os.path.isdir(stories):
    ids = ids_of(stories)
    for type, tolerance in (("f16", 1e-3), ("bf16", 2e-3), ("q8_0", 1e-3), ("q4_0", 5e-3), ("q4_1", 5e-3)):
        check(stories, [], type, ids, tolerance)
    for bits, *more in (("4", "-g", "32"), ("4", "--sym"), ("3",), ("5",), ("6",), ("8", "-g", "0", "--sym")):
        check(stories, ["quantize-rtn", "-b", bits, *more], "fit", ids, 5e-3)
    check(stories, ["prune-magnitude", "-s", "0.3"], "fit", ids, 1e-3)
