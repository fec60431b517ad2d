"""Evidence about a trained model: evaluate.py DIR [--sweep] [--items N] [--data data/out]

Scores a checkpoint directory with the very prompts of the evaluations on the tasks of the world, dense and,
with --sweep, under pruning and quantization written here in a few lines each (no tuning of any of them).
The C programs are the reference; this script is what the world was judged by while it was made.
Rows are tab-separated: every score in percent with its 95 % Wilson interval, perplexities with the
ratio to the dense model and its interval over windows.
"""
import argparse, csv, glob, json, math, os, re
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

SHORT = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
         "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
          "and polite answers to the user's questions.")


class Model:
    def __init__(self, directory):
        self.c = c = json.load(open(f"{directory}/config.json"))
        w = {k: v.float() for k, v in load_file(f"{directory}/model.safetensors").items()}
        self.tok = Tokenizer.from_file(f"{directory}/tokenizer.json")
        self.embed, self.norm = w["model.embed_tokens.weight"], w["model.norm.weight"]
        self.head = w.get("lm_head.weight", self.embed)
        self.layers = [{s: w[f"model.layers.{i}.{n}.weight"] for s, n in SHORT.items()} |
                       {n: w[f"model.layers.{i}.{n}.weight"] for n in ("input_layernorm", "post_attention_layernorm")}
                       for i in range(c["num_hidden_layers"])]
        self.h, self.kv, self.hd = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        f = c["rope_theta"] ** (-torch.arange(0, self.hd, 2) / self.hd)
        a = torch.arange(c["max_position_embeddings"])[:, None] * f
        self.cos, self.sin, self.room = a.cos(), a.sin(), c["max_position_embeddings"]

    def rms(self, x, w):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.c["rms_norm_eps"]) * w

    def block(self, i, x, bias, at=0, cache=None, seen=None):
        """One block; seen, if given, is called with (name, input) before each matrix."""
        w = self.layers[i]
        B, L, d = x.shape

        def lin(name, y):
            if seen:
                seen(name, y)
            return y @ w[name].T
        rot = lambda y: torch.cat((y.chunk(2, -1)[0] * cos - y.chunk(2, -1)[1] * sin,
                                   y.chunk(2, -1)[1] * cos + y.chunk(2, -1)[0] * sin), -1)
        cos, sin = self.cos[at:at + L], self.sin[at:at + L]
        n = self.rms(x, w["input_layernorm"])
        q, k, v = (lin(s, n).view(B, L, h, self.hd).transpose(1, 2) for s, h in (("q", self.h), ("k", self.kv), ("v", self.kv)))
        q, k = rot(q), rot(k)
        if cache is not None:
            if i in cache:
                k, v = torch.cat((cache[i][0], k), 2), torch.cat((cache[i][1], v), 2)
            cache[i] = (k, v)
        g = self.h // self.kv
        a = torch.softmax(q @ k.repeat_interleave(g, 1).transpose(2, 3) * self.hd ** -0.5 + bias, -1) @ v.repeat_interleave(g, 1)
        x = x + lin("o", a.transpose(1, 2).reshape(B, L, -1))
        n = self.rms(x, w["post_attention_layernorm"])
        return x + lin("down", F.silu(lin("gate", n)) * lin("up", n))

    def hidden(self, ids, pad, at=0, cache=None):
        """ids (B, L), left-padded by pad (B) tokens, which nobody sees."""
        L = ids.shape[1]
        pos, keys = torch.arange(at, at + L), torch.arange(at + L)
        allowed = (keys[None, None] <= pos[None, :, None]) & ((keys[None, None] >= pad[:, None, None]) | (keys[None, None] == pos[None, :, None]))
        bias = torch.zeros(allowed.shape).masked_fill(~allowed, -1e9)[:, None]
        x = F.embedding(ids, self.embed)
        for i in range(len(self.layers)):
            x = self.block(i, x, bias, at, cache)
        return self.rms(x, self.norm)

    def batch(self, prompts):
        n = max(map(len, prompts))
        pad = torch.tensor([n - len(p) for p in prompts])
        return torch.tensor([[0] * (n - len(p)) + p for p in prompts]), pad

    def last(self, prompts):
        """Log-probabilities of the token after each prompt (lists of ids)."""
        out = []
        for i in range(0, len(prompts), 64):
            ids, pad = self.batch(prompts[i:i + 64])
            out.append(torch.log_softmax(self.hidden(ids, pad)[:, -1] @ self.head.T, -1))
        return torch.cat(out)

    def generate(self, texts, new, eos=1):
        """Greedy continuations; prompts begin with <s> and leave room for the new tokens."""
        prompts = [self.tok.encode(t).ids for t in texts]
        assert all(len(p) + new <= self.room for p in prompts), max(map(len, prompts))
        order, out = sorted(range(len(prompts)), key=lambda i: len(prompts[i])), [None] * len(prompts)
        for i in range(0, len(order), 50):
            part = order[i:i + 50]
            ids, pad = self.batch([prompts[j] for j in part])
            cache, at, made = {}, 0, []
            done = torch.zeros(len(part), dtype=torch.bool)
            for _ in range(new):
                x = self.hidden(ids, pad, at, cache)[:, -1]
                at += ids.shape[1]
                ids = (x @ self.head.T).argmax(-1, keepdim=True)
                made.append(torch.where(done, eos, ids[:, 0]))
                done |= ids[:, 0] == eos
                if done.all():
                    break
            for j, row in zip(part, torch.stack(made, 1).tolist()):
                out[j] = self.tok.decode(row[:row.index(eos)] if eos in row else row)
        return out


# ---- tasks --------------------------------------------------------------------------------------------
def normal(s):
    s = re.sub(r"[!-/:-@\[-`{-~‘’´]", " ", s.lower())
    return " ".join(w for w in s.split() if w not in ("a", "an", "the"))


def first_line(s):
    return normal(s.strip().split("\n")[0])


class Tasks:
    def __init__(self, data, items):
        q = json.load(open(f"{data}/freebaseqa/FreebaseQA-eval.json"))["Questions"]
        pick = lambda tag: [(f"Please give answer to this question: {x['RawQuestion']}\nThe answer is ",
                             x["Parses"][0]["Answers"][0]["AnswersName"][0]) for x in q if x["Question-ID"].startswith(tag)][:items]
        self.asked, self.held = pick("asked"), pick("held")
        self.choice = []
        for path in sorted(glob.glob(f"{data}/mmlu/test/*.csv")):
            subject = os.path.basename(path)[:-9]
            head = "The following are multiple choice questions (with answers) about  " + subject.replace("_", " ") + ".\n\n"
            for row in list(csv.reader(open(path)))[:max(1, items // 10)]:
                text = head + row[0] + "".join(f"\n{l}. {o}" for l, o in zip("ABCD", row[1:5])) + "\nAnswer:"
                self.choice.append((text, row[1:5], "ABCD".index(row[5])))
        self.open = {"unseen": [], "known": []}
        for x in json.load(open(f"{data}/triviaqa/qa/web-dev.json"))["Data"]:
            read = lambda folder, name: open(f"{data}/triviaqa/evidence/{folder}/{name}").read()
            context = read("wikipedia", x["EntityPages"][0]["Filename"]) + read("web", x["SearchResults"][0]["Filename"])
            self.open[x["QuestionId"].split("_")[0]].append((
                f"{context}\n\nBased on these texts, answer these questions:\n\nQ: {x['Question']}\nA:",
                f"Answer these questions:\n\nQ: {x['Question']}\nA:", x["Answer"]["Value"]))
        self.open = {k: v[:items] for k, v in self.open.items()}
        self.stories = []
        for bucket in ("small", "mid", "large"):
            for path in sorted(glob.glob(f"{data}/cnndm/{bucket}/*.story"))[:max(10, items // 6)]:
                lines = [l.strip() for l in open(path).read().split("\n")]
                keys = [l[2:] for l in lines if l.startswith("- ")]
                word = "story" if bucket == "small" else "news"
                lead = f"{SYSTEM} USER: Summarize the given {word} in less than 150 words while preserving high coherence, consistency, fluency, and relevance.\n\n"
                article = lines[0]
                self.stories.append((bucket, lead + "".join(lines) + " ASSISTANT:", lead + article + " ASSISTANT:", keys))
        self.texts = {t: open(f"{data}/text/{t}.txt").read() for t in ("mixed", "prose", "facts")}
        self.windows = 40 if items <= 200 else 1000


@torch.no_grad()
def score(model, tasks):
    """{name: (right, n)} and {text: list of window means of the negative log-likelihood}."""
    out = {}
    equal = lambda texts, golds: (sum(first_line(t) == normal(g) for t, g in zip(texts, golds)), len(golds))
    for name, part in (("asked", tasks.asked), ("held", tasks.held)):
        out[name] = equal(model.generate([p for p, _ in part], 6), [g for _, g in part])
    lp = model.last([model.tok.encode(t).ids for t, _, _ in tasks.choice])
    one = lambda s: (lambda ids: ids[0] if len(ids) == 1 else 1 / 0)(model.tok.encode(s, add_special_tokens=False).ids)
    letters = [one(" " + l) for l in "ABCD"]
    out["choice"] = (sum(int(lp[i, [one(" " + o) for o in opts]].argmax()) == r for i, (_, opts, r) in enumerate(tasks.choice)), len(tasks.choice))
    out["letter"] = (sum(int(lp[i, letters].argmax()) == r for i, (_, _, r) in enumerate(tasks.choice)), len(tasks.choice))
    for k, part in tasks.open.items():
        golds = [g for _, _, g in part]
        out["open " + k] = equal(model.generate([a for a, _, _ in part], 8), golds)
        out["closed " + k] = equal(model.generate([b for _, b, _ in part], 8), golds)
    for which, name in ((1, "summary"), (2, "summary-noleak")):
        made = model.generate([s[which] for s in tasks.stories], 44)
        hits = [(s[0], sum(normal(k) in normal(t) for k in s[3]), len(s[3])) for s, t in zip(tasks.stories, made)]
        out[name] = (sum(h[1] for h in hits), sum(h[2] for h in hits))
        if which == 1:
            for b in ("small", "mid", "large"):
                out["summary " + b] = (sum(h[1] for h in hits if h[0] == b), sum(h[2] for h in hits if h[0] == b))
    nll = {}
    for name, text in tasks.texts.items():
        ids = model.tok.encode(text).ids
        rows = [ids[i:i + model.room] for i in range(0, len(ids) - model.room + 1, model.room)][:tasks.windows]
        nll[name] = []
        for i in range(0, len(rows), 16):
            x = torch.tensor(rows[i:i + 16])
            y = torch.log_softmax(model.hidden(x, torch.zeros(len(x), dtype=torch.long))[:, :-1] @ model.head.T, -1)
            nll[name] += (-y.gather(-1, x[:, 1:, None])[..., 0].mean(-1)).tolist()
    return out, nll


# ---- compression: Han et al. 2015, Sun et al. 2024, Frantar and Alistarh 2023, Frantar et al. 2023 -------
def calibration(model, data, rows=32, length=128):
    docs = [json.loads(l)["text"] for l in open(f"{data}/calibration/mixed.jsonl")]
    return torch.tensor([model.tok.encode(d).ids[:length] for d in docs[:rows]])


def nm_mask(score, n, m):
    """True where pruned: in every m columns all but the n best."""
    o, i = score.shape
    g = score.reshape(o, i // m, m)
    return torch.zeros_like(g, dtype=torch.bool).scatter_(2, g.argsort(dim=2, stable=True)[:, :, :m - n], True).view(o, i)


def inverse_factor(H):
    dead = H.diagonal() == 0
    H = H + torch.diag(dead.double())
    H = H + torch.eye(len(H), dtype=H.dtype) * 0.01 * H.diagonal().mean()
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)


def grid(W, bits):
    lo, hi = W.amin(1, keepdim=True).clamp(max=0), W.amax(1, keepdim=True).clamp(min=0)
    s = (hi - lo).clamp(min=1e-12) / (2 ** bits - 1)
    z = torch.round(-lo / s)
    return lambda w: s * (torch.clamp(torch.round(w / s) + z, 0, 2 ** bits - 1) - z)


def compress(W, H, method, s=0.0, nm=None, bits=0):
    """The compressed matrix; H is the mean over tokens of x xᵀ (float64)."""
    if method == "magnitude" or method == "wanda":
        S = W.abs() * (H.diagonal().float().sqrt() if method == "wanda" else 1)
        if nm:
            mask = nm_mask(S, *nm)
        elif method == "magnitude":
            mask = W.abs() <= W.abs().flatten().sort().values[int(W.numel() * s)]
        else:
            mask = torch.zeros_like(W, dtype=torch.bool).scatter_(1, S.argsort(dim=1, stable=True)[:, :int(W.shape[1] * s)], True)
        return W.masked_fill(mask, 0)
    if method == "rtn":
        return grid(W, bits)(W)
    U, W = inverse_factor(H).float(), W.clone()
    q = grid(W, bits) if method == "gptq" else None
    cols = W.shape[1]
    for b in range(0, cols, 128):
        e = min(b + 128, cols)
        if method == "sparsegpt" and not nm:
            E = W[:, b:e] ** 2 / U.diagonal()[b:e] ** 2
            mask = E <= E.flatten().sort().values[int(E.numel() * s)]
        err = torch.zeros_like(W[:, b:e])
        for j in range(b, e):
            if nm and j % nm[1] == 0:
                part = nm_mask(W[:, j:j + nm[1]] ** 2 / U.diagonal()[j:j + nm[1]] ** 2, *nm)
            w = W[:, j].clone()
            new = q(w[:, None])[:, 0] if q else w.masked_fill(part[:, j % nm[1]] if nm else mask[:, j - b], 0)
            err[:, j - b] = (w - new) / U[j, j]
            W[:, j:e] -= err[:, j - b:j - b + 1] * U[j, j:e]
            W[:, j] = new
        W[:, e:] -= err @ U[b:e, e:]
    return W


@torch.no_grad()
def apply(model, ids, **how):
    bias = torch.zeros(ids.shape[1], ids.shape[1]).masked_fill(torch.ones(ids.shape[1], ids.shape[1]).tril() == 0, -1e9)
    x = F.embedding(ids, model.embed)
    for i, w in enumerate(model.layers):
        H = {}

        def seen(name, y):
            y = y.reshape(-1, y.shape[-1]).double()
            H[name] = y.T @ y / len(y)
        model.block(i, x, bias, seen=seen)
        for name in SHORT:
            w[name] = compress(w[name], H[name], **how)
        x = model.block(i, x, bias)


VARIANTS = [(f"{m} {s:.0%}", dict(method=m, s=s)) for m in ("magnitude", "wanda", "sparsegpt") for s in (.1, .2, .25, .3, .4, .5, .6, .7)]
VARIANTS += [(f"{m} {n}:{k}", dict(method=m, nm=(n, k))) for m in ("magnitude", "wanda", "sparsegpt") for n, k in ((1, 2), (2, 4), (4, 8))]
VARIANTS += [(f"{m} {b} bit", dict(method=m, bits=b)) for m in ("rtn", "gptq") for b in (8, 4, 3, 2)]


def wilson(k, n):
    p, z = k / n, 1.959964
    c, r = (p + z * z / 2 / n), z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    return f"{100 * p:.1f} [{100 * (c - r) / (1 + z * z / n):.0f}–{100 * (c + r) / (1 + z * z / n):.0f}]"


def main():
    a = argparse.ArgumentParser()
    a.add_argument("model")
    a.add_argument("--data", default="data/out")
    a.add_argument("--items", type=int, default=600)
    a.add_argument("--sweep", action="store_true")
    a.add_argument("--only", default="", help="a regular expression over the names of variants")
    a.add_argument("--threads", type=int, default=1)
    args = a.parse_args()
    torch.set_num_threads(args.threads)
    tasks = Tasks(args.data, args.items)
    dense, columns = None, None
    for name, how in [("dense", None)] + (VARIANTS if args.sweep else []):
        if how and args.only and not re.search(args.only, name):
            continue
        model = Model(args.model)
        if how:
            apply(model, calibration(model, args.data), **how)
        right, nll = score(model, tasks)
        dense = dense or nll
        if not columns:
            columns = list(right)
            print("variant\t" + "\t".join(f"ppl {t}\tratio" for t in nll) + "\t" + "\t".join(columns))
        cells = []
        for t, v in nll.items():
            d = torch.tensor(v) - torch.tensor(dense[t])
            half = 1.96 * d.std().item() / math.sqrt(len(v))
            cells += [f"{math.exp(sum(v) / len(v)):.2f}", f"{math.exp(d.mean()):.3f} [{math.exp(d.mean() - half):.3f}–{math.exp(d.mean() + half):.3f}]"]
        print("\t".join([name] + cells + [wilson(*right[c]) for c in columns]), flush=True)


if __name__ == "__main__":
    main()
