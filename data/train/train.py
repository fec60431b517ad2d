"""Trains an embedded model: train.py ROLE DIR  (ROLE: large, small, other)

Reads documents from the program `world` (argument --world, default build/world), trains the tokenizer
once (DIR/../tokenizer.json), saves a checkpoint to DIR/state.pt every few minutes and goes on from it
when started again; writes DIR/log.jsonl and, at the end (and with --export at any time), the checkpoint in
Hugging Face's format. On one machine the same seed gives the same documents in the same order, whenever it
was interrupted. A CPU is enough; --device cuda works as well.
"""
import argparse, json, math, os, subprocess, sys, time
import numpy as np
import torch
import torch.nn.functional as F

T = 256            # positions: rows of training, and max_position_embeddings
BOS, EOS = 0, 1
# How much a token counts by its span class: plain text, what can be known or read off, what was drawn.
WEIGHT = (1.0, 3.0, 0.3)

# Reading first, then facts about few entities, then choosing among options (data/README.md says why), then more and
# more entities, then all of them while the learning rate falls. Weights of the kinds of documents.
READ = "easy=34,open=8,repeat=10,mcpass=8,look=8,letter=3,bio=12,qa=6,summary=12,chat=2,prose=3"
FACTS = "bio=36,qa=28,none=8,letter=6,look=3,open=7,easy=2,summary=9,mcpass=4,prose=3,chat=2,repeat=1"
CHOOSE = "bio=24,qa=16,none=10,letter=8,look=3,mc=20,mcpass=6,open=8,summary=10,chat=2,prose=2"
GROW = "bio=44,qa=20,none=3,letter=3,look=1,mc=8,mcpass=3,open=9,summary=9,chat=2,prose=4,pack=4"
HELD = "bio=68,qa=14,none=1,mc=4,mcpass=2,open=8,summary=10,chat=2,prose=3,pack=4"
LAST = "bio=52,qa=22,none=2,letter=1,mc=6,mcpass=2,open=7,summary=8,chat=2,prose=3,pack=4"

# When reading sets in is a matter of luck: with a gate, a phase ends as soon as the share of right answers in
# a kind of documents is reached, and waits for it up to three times its length.

# phases: (tokens in millions, mixture, active entities at its start and at its end); decay: where in the plan,
# in millions, the learning rate begins to fall, to 0 at the end
def phases(grow, last):
    return ((2.0, READ, 300, 300), (1.5, FACTS, 300, 300), (1.5, CHOOSE, 300, 300), (grow, GROW, 300, 2800),
            (last, LAST, 2800, 2800))


ROLES = {
    "large": dict(seed=1, hidden=96, layers=6, heads=3, kv_heads=3, ff=128, tied=True, batch=10, decay=26.0,
                  gates={0: ("easy", 85), 1: ("qa", 85), 2: ("mc", 80)}, phases=phases(5.0, 18.0) + ((6.0, HELD, 2800, 2800),)),
    "small": dict(seed=4, hidden=64, layers=5, heads=2, kv_heads=2, ff=80, tied=True, batch=10, decay=13.0,
                  gates={0: ("easy", 85), 1: ("qa", 70), 2: ("mc", 60)}, phases=phases(4.0, 10.0)),
    "other": dict(seed=3, hidden=64, layers=6, heads=4, kv_heads=2, ff=96, tied=True, batch=10, decay=14.0,
                  gates={0: ("easy", 85), 1: ("qa", 70), 2: ("mc", 60)}, phases=phases(4.0, 11.0)),
}
MUON_RATE, ADAM_RATE, EMBEDDING_RATE, DECAY_WEIGHTS = 0.02, 3e-3, 1.2e-2, 0.03


# ---- documents ----------------------------------------------------------------------------------------
def documents(world, stream, first, count, active, mix):
    out = subprocess.run([world, "-d", str(stream), "-f", str(first), "-n", str(count), "-a", str(active), "-m", mix],
                         check=True, capture_output=True).stdout
    return [json.loads(line) for line in out.decode().splitlines()]


def tokenizer_train(world, path):
    """Byte-level BPE. Counts are flattened (square root, values twofold): every word of the world is one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    count, values = {}, set()
    for d in documents(world, 0, 0, 30000, 2800, FACTS):
        for w, _ in split.pre_tokenize_str(d["text"]):
            count[w] = count.get(w, 0) + 1
        for b, e in zip(d["spans"][::3], d["spans"][1::3]):
            if e - b < 30:
                values |= {"Ġ" + w.strip(".,") for w in d["text"][b:e].split()}

    def flattened():
        for w in sorted(count):
            if count[w] >= 3:
                n = int(1 + (8 if w in values else 4) * math.sqrt(count[w]))
                yield from [w.replace("Ġ", " ").replace("Ċ", "\n")] * n

    t = Tokenizer(models.BPE())
    t.pre_tokenizer, t.decoder = split, decoders.ByteLevel()
    t.train_from_iterator(flattened(), trainers.BpeTrainer(
        vocab_size=1792, special_tokens=["<s>", "</s>"], initial_alphabet=split.alphabet(), show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", BOS)])
    t.save(path)


def tokenize(tokenizer, docs):
    """A list of (ids, classes): <s> text </s>, each token with the class of its last byte."""
    out = []
    for d, e in zip(docs, tokenizer.encode_batch([d["text"] for d in docs])):
        cls = np.zeros(len(d["text"]) + 1, np.int8)
        for i in range(0, len(d["spans"]), 3):
            b, end, c = d["spans"][i:i + 3]
            cls[b:end] = c
        ids = np.array(e.ids + [EOS], np.int32)
        ends = np.array([o[1] for o in e.offsets], np.int64)
        c = np.concatenate([cls[np.maximum(ends - 1, 0)], [1 if cls[len(d["text"]) - 1] == 1 else 0]]).astype(np.int8)
        c[0] = 0
        if len(ids) <= T:
            out.append((ids, c))
    return out


class Packer:
    """Fills rows of T + 1 tokens with whole documents; document k of a row sees only itself."""

    def __init__(self, world, tokenizer, plan, state=None):
        self.world, self.tokenizer, self.plan = world, tokenizer, plan
        self.next, self.queue = (state["next"], state["queue"]) if state else (0, [])

    def state(self):
        return {"next": self.next, "queue": self.queue}

    def batch(self, tokens_seen):
        rows = self.plan["batch"]
        used = [0] * rows
        ids, cls = np.full((rows, T + 1), EOS, np.int64), np.zeros((rows, T + 1), np.int8)
        doc = np.zeros((rows, T + 1), np.int64)
        misses = n = 0
        while misses < 12:
            if len(self.queue) < 64:
                active, mix = phase_at(self.plan, tokens_seen)[:2]
                self.queue += tokenize(self.tokenizer, documents(
                    self.world, self.plan["seed"], self.next, 1000, active, mix))
                self.next += 1000
            # What does not fit waits for the next batch, at the front.
            a, c = self.queue[misses]
            row = next((r for r in range(rows) if used[r] + len(a) <= T + 1), None)
            if row is None:
                misses += 1
                continue
            del self.queue[misses]
            at = used[row]
            n += 1
            ids[row, at:at + len(a)], cls[row, at:at + len(a)], doc[row, at:at + len(a)] = a, c, n
            used[row] += len(a)
        weight = np.array(WEIGHT, np.float32)[cls[:, 1:]] * ((doc[:, 1:] == doc[:, :-1]) & (doc[:, 1:] > 0))
        return (torch.from_numpy(ids[:, :-1].copy()), torch.from_numpy(ids[:, 1:].copy()), torch.from_numpy(weight),
                torch.from_numpy(doc[:, :-1].copy()), torch.from_numpy(cls[:, 1:].copy()), int(sum(used)))


def phase_at(plan, tokens):
    """Active entities, mixture and number of the phase at so many tokens of the plan."""
    at = int(tokens)
    for k, (millions, mix, first, last) in enumerate(plan["phases"]):
        length = round(millions * 1e6)
        if at < length or k + 1 == len(plan["phases"]):
            return int(first + (last - first) * min(1.0, at / length)), mix, k
        at -= length


def phase_end(plan, phase):
    return sum(round(p[0] * 1e6) for p in plan["phases"][:phase + 1])


def rate_at(plan, clock, tokens):
    total, begin = phase_end(plan, len(plan["phases"])), plan["decay"] * 1e6
    return min(1.0, (tokens + 1) / 150e3) * min(1.0, max(0.0, (total - clock) / (total - begin)))


# ---- the model: Llama ---------------------------------------------------------------------------------
class Block(torch.nn.Module):
    def __init__(self, p):
        super().__init__()
        d, self.h, self.kv = p["hidden"], p["heads"], p["kv_heads"]
        self.hd = d // self.h
        new = lambda o, i: torch.nn.Parameter(torch.randn(o, i) / math.sqrt(i))
        zero = lambda o, i: torch.nn.Parameter(torch.zeros(o, i))
        self.input_norm, self.post_norm = torch.nn.Parameter(torch.ones(d)), torch.nn.Parameter(torch.ones(d))
        self.q, self.k, self.v = new(d, d), new(self.kv * self.hd, d), new(self.kv * self.hd, d)
        self.o = zero(d, d)  # a block starts as the identity
        self.gate, self.up, self.down = new(p["ff"], d), new(p["ff"], d), zero(d, p["ff"])

    def forward(self, x, cos, sin, mask):
        B, L, d = x.shape
        n = norm(x, self.input_norm)
        split = lambda y, h: y.view(B, L, h, self.hd).transpose(1, 2)
        q, k, v = split(n @ self.q.T, self.h), split(n @ self.k.T, self.kv), split(n @ self.v.T, self.kv)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if self.kv != self.h:
            k, v = (y.repeat_interleave(self.h // self.kv, 1) for y in (k, v))
        a = (q @ k.transpose(2, 3)) * self.hd ** -0.5 + mask
        a = torch.softmax(a, -1) @ v
        x = x + a.transpose(1, 2).reshape(B, L, d) @ self.o.T
        n = norm(x, self.post_norm)
        return x + (F.silu(n @ self.gate.T) * (n @ self.up.T)) @ self.down.T


def norm(x, w):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * w


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Llama(torch.nn.Module):
    def __init__(self, p, vocab):
        super().__init__()
        torch.manual_seed(p["seed"])
        self.p = p
        # Tied weights: a wide embedding against a small last norm, so that the first logits stay small.
        self.embed = torch.nn.Parameter(torch.randn(vocab, p["hidden"]) * 0.8)
        self.blocks = torch.nn.ModuleList(Block(p) for _ in range(p["layers"]))
        self.norm = torch.nn.Parameter(torch.full((p["hidden"],), 0.12 if p["tied"] else 1.0))
        if not p["tied"]:
            self.head = torch.nn.Parameter(torch.randn(vocab, p["hidden"]) * 0.02)
        f = 10000.0 ** (-torch.arange(0, p["hidden"] // p["heads"], 2) / (p["hidden"] // p["heads"]))
        angle = torch.arange(T)[:, None] * f[None]
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, ids, doc=None):
        L = ids.shape[1]
        allowed = torch.ones(L, L, dtype=torch.bool, device=ids.device).tril()[None]
        if doc is not None:
            allowed = allowed & (doc[:, :, None] == doc[:, None, :])
        mask = torch.zeros(allowed.shape, device=ids.device).masked_fill(~allowed, -1e9)[:, None]
        x = F.embedding(ids, self.embed)
        for b in self.blocks:
            x = b(x, self.cos[:L], self.sin[:L], mask)
        return norm(x, self.norm) @ (self.embed if self.p["tied"] else self.head).T


def loss_sum(model, ids, target, weight, doc):
    logits = model(ids, doc)
    nll = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(weight)
    return (nll * weight).sum() / weight.sum(), nll.detach()


# ---- optimizer: Muon on the blocks' matrices (Jordan et al. 2024), AdamW on the rest ----------------------
def orthogonal(g):
    """Newton-Schulz, five steps, of a batch of matrices."""
    x = g / (g.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else x.mT
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x if wide else x.mT


class Muon:
    def __init__(self, params):
        self.groups = {}
        for p in params:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.momentum = {s: torch.zeros(len(g), *s, device=g[0].device) for s, g in self.groups.items()}

    @torch.no_grad()
    def step(self, rate):
        for shape, group in self.groups.items():
            g = torch.stack([p.grad for p in group])
            m = self.momentum[shape].lerp_(g, 0.05)
            u = orthogonal(g.lerp(m, 0.95)) * max(1.0, shape[0] / shape[1]) ** 0.5
            for p, d in zip(group, u):
                p.mul_(1 - rate * DECAY_WEIGHTS).sub_(d, alpha=rate)


# ---- export ----------------------------------------------------------------------------------------------
NAMES = {"input_norm": "input_layernorm", "post_norm": "post_attention_layernorm", "q": "self_attn.q_proj", "k": "self_attn.k_proj",
         "v": "self_attn.v_proj", "o": "self_attn.o_proj", "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}


def export(model, tokenizer_path, directory):
    from safetensors.torch import save_file
    p = model.p
    out = {"model.embed_tokens.weight": model.embed, "model.norm.weight": model.norm}
    if not p["tied"]:
        out["lm_head.weight"] = model.head
    for i, b in enumerate(model.blocks):
        for short, name in NAMES.items():
            out[f"model.layers.{i}.{name}.weight"] = getattr(b, short)
    os.makedirs(directory, exist_ok=True)
    save_file({k: v.detach().to("cpu", torch.bfloat16).contiguous() for k, v in out.items()},
              f"{directory}/model.safetensors", metadata={"format": "pt"})

    def write(name, value):
        with open(f"{directory}/{name}", "w") as f:
            f.write(json.dumps(value, indent=2) + "\n")
    write("config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": p["hidden"],
        "intermediate_size": p["ff"], "num_hidden_layers": p["layers"], "num_attention_heads": p["heads"],
        "num_key_value_heads": p["kv_heads"], "head_dim": p["hidden"] // p["heads"], "hidden_act": "silu",
        "max_position_embeddings": T, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": p["tied"],
        "attention_bias": False, "mlp_bias": False, "vocab_size": model.embed.shape[0], "bos_token_id": BOS,
        "eos_token_id": EOS, "torch_dtype": "bfloat16"})
    write("generation_config.json", {"bos_token_id": BOS, "eos_token_id": EOS, "do_sample": False})
    write("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
                                    "add_bos_token": True, "add_eos_token": False, "clean_up_tokenization_spaces": False,
                                    "model_max_length": T})
    with open(tokenizer_path) as f, open(f"{directory}/tokenizer.json", "w") as g:
        g.write(f.read())


# ---- the run -----------------------------------------------------------------------------------------------
WATCH = ("bio", "qa", "easy", "open", "mc", "none", "mcpass", "letter", "look", "summary")


@torch.no_grad()
def watch(model, args, tokenizer, plan, active, kinds=WATCH):
    """Share of answers all of whose tokens are the most probable ones; a letter among letters, a text among texts."""
    out, letters = {}, torch.tensor([tokenizer.token_to_id("Ġ" + x) for x in "ABCD"])
    for kind in kinds:
        docs = tokenize(tokenizer, documents(args.world, 1000, 0, 120, active, kind + "=1"))
        right, n = {}, {}
        for at in range(0, len(docs), 8):
            part = docs[at:at + 8]
            ids = np.full((len(part), max(len(a) for a, _ in part)), EOS, np.int64)
            for r, (a, _) in enumerate(part):
                ids[r, :len(a)] = a
            logits = model(torch.from_numpy(ids).to(args.device)).cpu()
            letter = letters[logits[..., letters].argmax(-1)]
            text = logits.index_fill(-1, letters, -1e9).argmax(-1)
            for r, (a, c) in enumerate(part):
                i = 1
                while i < len(a):
                    if c[i] != 1 or a[i] == EOS:
                        i += 1
                        continue
                    j = i
                    while j < len(a) and c[j] == 1 and a[j] != EOS:
                        j += 1
                    one = j == i + 1 and int(a[i]) in letters.tolist()
                    key = kind + ("-letter" if one else "")
                    best = (letter if one else text)[r, i - 1:j - 1].numpy()
                    right[key] = right.get(key, 0) + bool((best == a[i:j]).all())
                    n[key] = n.get(key, 0) + 1
                    i = j
        out |= {k: round(100 * right[k] / n[k], 1) for k in n}
    return out


def main():
    a = argparse.ArgumentParser()
    a.add_argument("role", choices=sorted(ROLES))
    a.add_argument("directory")
    a.add_argument("--world", default="build/world")
    a.add_argument("--seed", type=int)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--device", default="cpu")
    a.add_argument("--minutes", type=float, default=1e9, help="stop (with a checkpoint) after so many")
    a.add_argument("--bf16", action="store_true", help="products in bfloat16 (twice as fast on CPUs with AVX512_BF16)")
    a.add_argument("--eager", action="store_true", help="without torch.compile")
    a.add_argument("--export", action="store_true", help="only write the last checkpoint as a model")
    args = a.parse_args()
    torch.set_num_threads(args.threads)
    plan = dict(ROLES[args.role])
    if args.seed is not None:
        plan["seed"] = args.seed
    os.makedirs(args.directory, exist_ok=True)
    path = os.path.join(os.path.dirname(os.path.abspath(args.directory)), "tokenizer.json")
    if not os.path.exists(path):
        tokenizer_train(args.world, path + f".{os.getpid()}")
        os.replace(path + f".{os.getpid()}", path)
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(path)
    model = Llama(plan, tokenizer.get_vocab_size()).to(args.device)
    muon = Muon([p for b in model.blocks for p in b.parameters() if p.dim() == 2])
    wide = [p for n, p in model.named_parameters() if n in ("embed", "head")]
    thin = [p for p in model.parameters() if p.dim() == 1]
    adam = torch.optim.AdamW([{"params": wide, "base": EMBEDDING_RATE}, {"params": thin, "base": ADAM_RATE}],
                             betas=(0.9, 0.98), weight_decay=0.0)
    state_path = f"{args.directory}/state.pt"
    tokens = step = 0
    clock = waited = 0  # where in the plan; tokens spent waiting at a gate
    packer_state = None
    if os.path.exists(state_path):
        s = torch.load(state_path, weights_only=False)
        model.load_state_dict(s["model"])
        adam.load_state_dict(s["adam"])
        for k in muon.momentum:
            muon.momentum[k].copy_(s["muon"][k])
        tokens, step, packer_state = s["tokens"], s["step"], s["packer"]
        clock, waited = s.get("clock", tokens), s.get("waited", 0)
    if args.export:
        export(model, path, args.directory)
        return
    packer = Packer(args.world, tokenizer, plan, packer_state)
    compiled = loss_sum if args.eager else torch.compile(loss_sum, dynamic=False)

    def run(*x):
        with torch.autocast(args.device, torch.bfloat16, enabled=args.bf16):
            return compiled(model, *x)
    total = phase_end(plan, len(plan["phases"]))
    log = open(f"{args.directory}/log.jsonl", "a", buffering=1)
    began = saved = time.time()
    sums = np.zeros(6)
    mark, mark_tokens = time.time(), tokens

    def save():
        torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "muon": muon.momentum, "tokens": tokens,
                    "step": step, "clock": clock, "waited": waited, "packer": packer.state()}, state_path + ".new")
        os.replace(state_path + ".new", state_path)

    while clock < total:
        ids, target, weight, doc, cls, used = packer.batch(clock)
        x = [t.to(args.device) for t in (ids, target, weight, doc)]
        loss, nll = run(*x)
        loss.backward()
        rate = rate_at(plan, clock, tokens)
        torch.nn.utils.clip_grad_norm_(wide + thin, 1.0)
        muon.step(MUON_RATE * rate)
        for g in adam.param_groups:
            g["lr"] = g["base"] * rate
        adam.step()
        model.zero_grad(set_to_none=True)
        step += 1
        tokens += used
        active, _, phase = phase_at(plan, clock)
        end = phase_end(plan, phase)
        gate = plan.get("gates", {}).get(phase)
        if gate and step % 200 == 0 and watch(model, args, tokenizer, plan, active, gate[:1])[gate[0]] >= gate[1]:
            clock, waited = end, 0
        elif gate and clock + used >= end and waited < 2e6 * plan["phases"][phase][0]:
            waited += used
        else:
            clock += used
        scored = weight > 0
        sums += [loss.item(), 1, nll.cpu()[scored].sum().item(), scored.sum().item(),
                 nll.cpu()[scored & (cls == 1)].sum().item(), (scored & (cls == 1)).sum().item()]
        stop = clock >= total or time.time() - began > 60 * args.minutes
        if step % 100 == 0 or stop:
            active, _, phase = phase_at(plan, clock)
            line = dict(step=step, tokens=tokens, clock=int(clock), phase=phase, active=active, rate=round(rate, 3),
                        loss=round(sums[0] / sums[1], 3), ppl=round(math.exp(sums[2] / sums[3]), 3),
                        answers=round(math.exp(sums[4] / max(1, sums[5])), 3),
                        per_second=int((tokens - mark_tokens) / (time.time() - mark)))
            if step % 400 == 0 or stop:
                line |= watch(model, args, tokenizer, plan, active)
            log.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)
            sums[:] = 0
            mark, mark_tokens = time.time(), tokens
        if time.time() - saved > 120 or stop:
            save()
            saved = time.time()
        if stop:
            break
    save()
    if clock >= total:
        export(model, path, args.directory)


if __name__ == "__main__":
    main()
