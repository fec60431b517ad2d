"""Tokenizers on 10,000 lines of prose, languages, code, emoji and broken UTF-8 against the packages
tokenizers, sentencepiece and tiktoken. Prints lines as the shell tests do.
    python3 tokenizer_lines.py BIN TOOLS WORK SHARED"""
import base64
import glob
import os
import random
import shutil
import subprocess
import sys

bin, tools, work, shared = sys.argv[1:]
real = f"{shared}/real"


def lines():
    random.seed(20250101)
    out = []

    def take(paths, n):
        text = b"".join(open(p, "rb").read() for p in paths)
        pool = [l for l in text.split(b"\n") if l.strip()]
        random.shuffle(pool)
        out.extend(pool[:n])

    take(glob.glob(f"{real}/datasets/wikitext-2-raw/*"), 3000)
    calibration = f"{real}/datasets/calibration/"
    take([calibration + "multilingual.utf8"], 1500)
    take([calibration + "technical.utf8", calibration + "c4.utf8"], 1500)
    take(glob.glob("lib/*.c") + glob.glob("tests/long/*.py"), 2000)
    faces = [0x1F600, 0x1F468, 0x200D, 0x1F469, 0xFE0F, 0x2764, 0x1F3FD, 0x1F1E9, 0x1F1EA, 0x20E3, 0x31, 0xE0067]
    for _ in range(700):  # emoji among words, marks, spaces of all kinds
        some = random.choices(faces + list(range(0x1F300, 0x1F6FF)), k=random.randint(1, 12))
        gaps = random.choices([" ", "", "  ", "\t", "\u00a0", "\u3000", "e\u0301", "can't", "\u2581", "123456", "\r"], k=12)
        out.append("".join(chr(c) + g for c, g in zip(some, gaps)).encode())
    for _ in range(800):  # any code points
        code = [random.choice([random.randint(32, 126), random.randint(0xA0, 0x2FFF), random.randint(0x3000, 0xD7FF),
                               random.randint(0xE000, 0x10FFFF)]) for _ in range(random.randint(1, 40))]
        out.append("".join(map(chr, code)).encode())
    good = len(out)
    for _ in range(10000 - good):  # broken
        line = bytearray(random.choice(out[:good]))
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(line) + 1)
            line[at:at + random.randint(0, 2)] = bytes(random.choices([0x80, 0xBF, 0xC0, 0xC3, 0xE2, 0xED, 0xF0, 0xF5, 0xFF], k=1))
        out.append(bytes(line))
    return [l.replace(b"\n", b" ").replace(b"\0", b" ") for l in out]


LINES = lines()


def ours(name, files):
    """Ids by line of a model that has these files beside it; of a refused line the byte it names."""
    shutil.rmtree(f"{work}/model", ignore_errors=True)
    subprocess.run([f"{tools}/make-model", f"{work}/model", "--hidden", "16", "--intermediate", "16", "--layers", "1",
                    "--heads", "1", "--kv-heads", "1", "--vocab", "16"], check=True)
    for f in glob.glob(f"{work}/model/tokenizer*"):
        os.remove(f)
    for to, source in files.items():
        shutil.copy(source, f"{work}/model/{to}")
    subprocess.run([f"{bin}/kick-ingest-model", "-q", f"{work}/model", "-o", f"{work}/m.kick"], check=True)
    r = subprocess.run([f"{tools}/encode", f"{work}/m.kick"], input=b"\n".join(LINES) + b"\n", check=True,
                       capture_output=True)
    got = []
    for l in r.stdout.decode().split("\n")[:-1]:
        got.append(int(l.split("byte ")[1].split()[0]) if l.startswith("!") else [int(x) for x in l.split()])
    bytes, seconds = r.stderr.decode().split()
    return got, float(bytes) / float(seconds) / 1e6


def check(name, files, encode):
    got, speed = ours(name, files)
    bad = first = 0
    for line, ids in zip(LINES, got):
        try:
            want = encode(line.decode())
        except UnicodeDecodeError as e:
            want = e.start
        if ids != want:
            bad += 1
            if bad == 1:
                first = f"; first: {line!r}: {ids} instead of {want}"
    print("ok" if not bad and len(got) == len(LINES) else "not ok",
          f"{name}: {len(LINES)} lines, {bad} differ{first or ''}")
    print("ok" if speed >= 5 else "not ok", f"{name}: {speed:.1f} MB/s")


def package(name):
    try:
        return __import__(name)
    except ImportError:
        print("skip", f"no package {name}")
        return None


folder = f"{real}/tokenizers"
tokenizers = package("tokenizers")
if tokenizers:
    gpt2 = tokenizers.Tokenizer.from_file(f"{folder}/gpt2/tokenizer.json")
    gpt2.no_truncation()
    encode = lambda text: gpt2.encode(text, add_special_tokens=False).ids
    check("gpt2 tokenizer.json", {"tokenizer.json": f"{folder}/gpt2/tokenizer.json"}, encode)
    check("gpt2 vocab.json and merges.txt", {f: f"{folder}/gpt2/{f}" for f in ("vocab.json", "merges.txt")}, encode)
sentencepiece = package("sentencepiece")
if sentencepiece:
    for name in ("llama2/tokenizer.model", "sentencepiece-test/test_model.model", "sentencepiece-test/test_ja_model.model"):
        model = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/{name}")
        check(name, {"tokenizer.model": f"{folder}/{name}"}, model.encode)
tiktoken = package("tiktoken")
if tiktoken:
    path = f"{folder}/llama3/tokenizer.model"
    ranks = {base64.b64decode(t): int(r) for t, r in (l.split() for l in open(path, "rb") if l.strip())}
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
               r"\s*[\r\n]+|\s+(?!\S)|\s+")
    special = {f"<|reserved_special_token_{i - 2 if i < 6 else 4 if i == 8 else i - 5}|>": 128000 + i for i in range(256)
               if i not in (0, 1, 6, 7, 9)}
    special |= {"<|begin_of_text|>": 128000, "<|end_of_text|>": 128001, "<|start_header_id|>": 128006,
                "<|end_header_id|>": 128007, "<|eot_id|>": 128009}
    llama3 = tiktoken.Encoding("llama3", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    check("llama3/tokenizer.model", {"tokenizer.model": path}, lambda text: llama3.encode(text, allowed_special="all"))
