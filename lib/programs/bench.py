"""Other software for kick-bench: bench.py WHO TASK TYPE WHAT prints units a second, or "absent" and why.
WHO PyTorch: products of WHAT x WHAT weights; transformers: the checkpoint in directory WHAT; llama.cpp: TYPE.gguf
there; official: SparseGPT by the released code there. One thread."""
import contextlib
import io
import os
import random
import sys
import time

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
who, task, kind, what = sys.argv[1:]
BATCH, WINDOWS, WINDOW, FEW, MANY = 512, 8, 512, 8, 136


def rate(run, seconds):
    run()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        run()
        calls += 1
    return calls / (time.perf_counter() - start)


def llama(path):
    from llama_cpp import Llama
    model = Llama(path, n_ctx=WINDOW, n_batch=WINDOW, n_ubatch=WINDOW, n_threads=1, n_threads_batch=1,
                  logits_all=task == "perplexity", verbose=False)
    random.seed(1)
    ids = [random.randrange(3, model.n_vocab()) for _ in range(WINDOW)]

    def score():
        model.reset()
        model.eval(ids)

    if task == "perplexity":
        return rate(score, 1) / WINDOWS
    model.eval(ids[:16])
    start = time.perf_counter()
    for i in range(MANY - FEW):
        model.eval([ids[i]])
    return (MANY - FEW) / (time.perf_counter() - start)


def fasterprune(folder):
    sys.path.insert(0, folder)
    torch.cuda.synchronize = lambda *a: None
    from sparsegpt import SparseGPT
    n = int(task.split()[-1])
    layer = torch.nn.Linear(n, n, bias=False)
    pruner = SparseGPT(layer)
    pruner.add_batch(torch.randn(2 * n, n), None)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        pruner.fasterprune(0.5)
    return 1 / (time.perf_counter() - start)


try:
    if who == "llama.cpp":
        print(llama(f"{what}/{kind}.gguf"))
        sys.exit()
    import torch
    torch.set_num_threads(1)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[kind]
    if who == "transformers":
        from transformers import AutoModelForCausalLM
except (ImportError, ValueError) as e:
    print("absent:", e)
    sys.exit()

with torch.inference_mode():
    torch.manual_seed(1)
    if who == "PyTorch":
        n = int(what)
        w = torch.randn(n, n, dtype=torch.float32).to(dtype)
        x = torch.randn(BATCH if "512" in task else 1, n).to(dtype)
        print(rate(lambda: torch.nn.functional.linear(x, w), 0.3))
    elif who == "official":
        print(fasterprune(what))
    else:
        model = AutoModelForCausalLM.from_pretrained(what, dtype=dtype)
        vocab = model.config.vocab_size
        if task == "perplexity":
            ids = torch.randint(3, vocab, (1, WINDOW))
            score = lambda: model(ids, labels=ids).loss
            print(rate(score, 1) / WINDOWS)
        else:
            ids = torch.randint(3, vocab, (1, 16))

            def go(n):
                start = time.perf_counter()
                model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0,
                               min_new_tokens=n, max_new_tokens=n)
                return time.perf_counter() - start
            go(2)
            print((MANY - FEW) / (go(MANY) - go(FEW)))
