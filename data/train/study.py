"""Evidence about a trained model: study.py MODEL_DIR DATA_DIR [--sweep] [--items N]

Runs the project's own programs (on the PATH) on the tasks of the world and prints a Markdown table: perplexity of
the three texts (with --sweep as ratios to the dense model), and strict scores in percent with their 95 % Wilson
intervals. Needs nothing but Python and zstdcat.
"""
import argparse, json, math, os, subprocess, tempfile

SWEEP = (
    [f"prune-magnitude -s 0.{s}" for s in range(1, 8)] + [f"prune-wanda CAL -s 0.{s}" for s in range(1, 8)] +
    ["prune-sparsegpt CAL -s 0.25"] + [f"prune-sparsegpt CAL -s 0.{s}" for s in range(1, 8)] +
    [f"prune-{m} -p {p}" for m in ("magnitude", "wanda CAL", "sparsegpt CAL") for p in ("1:2", "2:4", "4:8")] +
    [f"quantize-rtn -b {b}" for b in (8, 4, 3, 2)] + [f"quantize-gptq CAL -b {b}" for b in (8, 4, 3, 2)])


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more).stdout


def records(path):
    return [json.loads(line) for line in run("zstdcat", path).decode().splitlines()]


def wilson(k, n):
    p, z = k / n, 1.959964
    c, h = (p + z * z / 2 / n) / (1 + z * z / n), z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    return f"{100 * p:.1f} [{100 * (c - h):.0f}–{100 * (c + h):.0f}]"


def main():
    a = argparse.ArgumentParser()
    a.add_argument("model")
    a.add_argument("data")
    a.add_argument("--sweep", action="store_true")
    a.add_argument("--items", type=int, default=0, help="of each task (0: all)")
    a = a.parse_args()
    with tempfile.TemporaryDirectory() as d:
        for name, program, source in (
                ("factoid", "freebaseqa", "freebaseqa/FreebaseQA-eval.json"), ("mmlu", "mmlu", "mmlu"),
                ("trivia", "triviaqa", "triviaqa/qa/web-dev.json"), ("cnndm", "cnndm", "cnndm")):
            run(f"kick-ingest-{program}", "-q", f"{a.data}/{source}", "-o", f"{d}/{name}.kick")
        for text in ("mixed", "prose", "facts"):
            run("kick-ingest-text", "-q", f"{a.data}/text/{text}.txt", "-o", f"{d}/{text}.kick")
        run("kick-ingest-text", "-q", f"{a.data}/calibration/mixed.jsonl", "-o", f"{d}/cal.kick")
        run("kick-ingest-model", "-q", a.model, "-o", f"{d}/dense.kick")
        calibration = f"-c {d}/cal.kick --draw counter -n 32"
        head = ("ppl mixed", "prose", "facts", "asked", "held", "choice", "letter", "open, unseen", "closed, those",
                "open, known", "closed, those", "summary")
        print("| variant | " + " | ".join(head) + " |\n|" + "---|" * (len(head) + 1), flush=True)
        dense = None
        for variant in ["dense"] + (SWEEP if a.sweep else []):
            model = f"{d}/dense.kick"
            if variant != "dense":
                name, *options = variant.replace("CAL", calibration).split()
                model = f"{d}/variant.kick"
                run(f"kick-{name}", "-q", *options, f"{d}/dense.kick", "-o", model)
            n = ["-n", str(a.items)]

            def evaluate(program, data, *options):
                run(f"kick-eval-{program}", "-q", *options, "-d", f"{d}/{data}.kick", model, "-o", f"{d}/out.kick")
                return records(f"{d}/out.kick")

            def score(list, key="strict", group=""):
                x = [r[key] for r in list if str(r.get("item", "")).startswith(group) and key in r and "item" in r]
                return wilson(sum(v or 0 for v in x), len(x)) if x else "–"
            nll = [next(r["summary"]["nll_mean"] for r in evaluate("perplexity", t) if "summary" in r)
                   for t in ("mixed", "prose", "facts")]
            dense = dense or nll
            row = [f"{math.exp(x):.2f}" if variant == "dense" else f"×{math.exp(x - y):.3f}" for x, y in zip(nll, dense)]
            facts = evaluate("factoid", "factoid", *n)
            choice = evaluate("choice", "mmlu", "-k", "0", *n)
            opened, closed = (evaluate("retrieval", "trivia", "--mode", m, *n) for m in ("open", "closed"))
            summary = evaluate("summary", "cnndm", "--max-new", "48", *(["-n", str(a.items // 4)] if a.items else []))
            row += [score(facts, group="asked"), score(facts, group="held"), score(choice), score(choice, "letter")]
            for g in ("unseen", "known"):
                row += [score(opened, group=g), score(closed, group=g)]
            row.append(recall(summary, a.data))
            print(f"| {variant.replace(' CAL', '')} | " + " | ".join(row) + " |", flush=True)


def recall(list, data):
    """Key sentences that the summary holds word for word."""
    k = n = 0
    for r in list:
        if "item" in r:
            bucket, name = r["item"].split("/")
            with open(os.path.join(data, "cnndm", bucket, name if name.endswith(".story") else name + ".story")) as f:
                for key in f.read().split("@highlight\n\n- ")[1:]:
                    n += 1
                    k += key.strip() in r["output"]
    return wilson(k, n)


main()
