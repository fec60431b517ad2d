#!/usr/bin/env python3
"""Makes the small tokenizers of this folder and expected.json, what their packages do with them.

Needs sentencepiece (0.2.3), protobuf and tokenizers (0.23.3) of PyPI. The training text is invented.
Written files: bpe.model, rules.model, unigram.model, bytes.json, steps.json, expected.json.
"""
import io
import json
import random

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import Tokenizer, AddedToken, Regex, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

random.seed(7)
NOUNS = "heron lantern quarry ferry orchard kettle miller harbour cartwright willow".split()
VERBS = "mends carries remembers follows paints forgets weighs greets".split()
PLACES = "Brackwater Upper Tarn Old Quill Low Fenwick".split()
LINES = []
for i in range(400):
    LINES.append("The %s of %s %s the %s, and %d %ss wait by the %s." % (
        random.choice(NOUNS), random.choice(PLACES), random.choice(VERBS), random.choice(NOUNS),
        random.randrange(2000), random.choice(NOUNS), random.choice(NOUNS)))
    LINES.append("I've said it'll rain; they're late -- don't ask why! (No. %d)" % i)

TEXTS = [
    "The heron of Old Quill mends the lantern.",
    " The  miller   greets\tthe ferry \n\nand 1234567 kettles ",
    "I'LL say they've 'seen it; DON'T.",
    "naïve café e\u0301 ﬁne Å Ⅳ ½ ＡＢＣ",
    "日本 and 😀👍🏽 and \u200d\u00a0\u3000x\u180ey",
    "<s>not a control</s> <unk> <0x41> <sep>the<sep> quill qqu",
    "\u2581the\u2581\u2581heron",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "the\x00kettle\x7f\r\nend", "  ", "\n", "z", "",
    "mask[MASK]ed a [MASK] b  [MASK]. <|end|><|end|>x [WORD] x[WORD] [WORD]y _[WORD]",
    "harbourharbour orchard-orchard Low;Low,,..!?'s",
    "\u0130stanbul \u03a3\u03a3 \u1e9e straße",
]
expected = []


def train_spm(**options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=out, minloglevel=2, **options)
    model = pb.ModelProto()
    model.ParseFromString(out.getvalue())
    return model


def save_spm(name, model):
    data = model.SerializeToString()
    open(name, "wb").write(data)
    sp = sentencepiece.SentencePieceProcessor(model_proto=data)
    cases = []
    for text in TEXTS:
        ids = sp.EncodeAsIds(text)
        plain = [i for i in ids if not sp.is_unknown(i) and not sp.is_control(i)]
        cases.append({"text": text, "ids": ids, "decoded": sp.DecodeIds(plain)})
    expected.append({"file": name, "kind": "sentencepiece", "size": sp.vocab_size(),
                     "bos": sp.bos_id(), "eos": sp.eos_id(), "adds_bos": sp.bos_id() >= 0,
                     "cases": cases})


# As Llama's: byte fallback, nothing normalised; with user-defined pieces.
save_spm("bpe.model", train_spm(
    model_type="bpe", vocab_size=340, byte_fallback=True, normalization_rule_name="identity",
    remove_extra_whitespaces=False, user_defined_symbols=["<sep>", "qu"]))

# Rules of our own, white space cleaned, no byte fallback, other ids, some pieces unused.
open("/tmp/rules.tsv", "w").write(
    "".join("%X\t%X\n" % (ord(c), ord(c) + 32) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    + "9\t20\nA\t20\nA0\t20\n3000\t20\nFB01\t66 69\n2163\t69 76\n65 301\tE9\n200D\t\n")
rules = train_spm(model_type="bpe", vocab_size=120, normalization_rule_tsv="/tmp/rules.tsv",
                  unk_id=3, bos_id=0, eos_id=-1, pad_id=1, character_coverage=0.99)
rules.trainer_spec.ClearField("input")
rules.normalizer_spec.ClearField("normalization_rule_tsv")
longer = [p for p in rules.pieces if p.type == 1 and len(p.piece) > 2]
for piece in longer[::3]:
    piece.type = 5
save_spm("rules.model", rules)

save_spm("unigram.model", train_spm(
    model_type="unigram", vocab_size=130, normalization_rule_name="identity",
    user_defined_symbols=["<sep>"]))


def save_json(name, tok, settings, bos, eos, adds_bos):
    data = tok.to_str()
    open(name, "w").write(data)
    cases = []
    for text in TEXTS:
        ids = tok.encode(text, add_special_tokens=False).ids
        cases.append({"text": text, "ids": ids, "decoded": tok.decode(ids)})
    expected.append({"file": name, "kind": "tokenizer.json", "settings": settings,
                     "size": max(tok.get_vocab().values()) + 1, "bos": bos, "eos": eos,
                     "adds_bos": adds_bos, "cases": cases})


tok = Tokenizer(models.BPE())
tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tok.decoder = decoders.ByteLevel()
tok.train_from_iterator(LINES, trainers.BpeTrainer(
    vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
tok.add_special_tokens([AddedToken("<|end|>", special=True)])
tok.add_tokens([AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False),
                AddedToken("[WORD]", single_word=True), AddedToken("[MASK", normalized=False)])
save_json("bytes.json", tok, {"bos_token": {"content": "<|end|>"}, "eos_token": "<|end|>"},
          tok.token_to_id("<|end|>"), tok.token_to_id("<|end|>"), False)

tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
tok.normalizer = normalizers.Sequence([
    normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip(left=False),
    normalizers.Replace(Regex(r"\d{3,}"), "#"), normalizers.Replace("-", " - ")])
tok.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Metaspace(prepend_scheme="first"), pre_tokenizers.Digits(individual_digits=True),
    pre_tokenizers.Punctuation(behavior="merged_with_previous"),
    pre_tokenizers.Split(Regex("[qz]+"), behavior="merged_with_next", invert=False)])
tok.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
tok.train_from_iterator(LINES, trainers.BpeTrainer(
    vocab_size=90, show_progress=False,
    special_tokens=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(0xC0, 0xF0)]))
tok.post_processor = processors.TemplateProcessing(
    single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
save_json("steps.json", tok, None, 1, 2, True)

with open("expected.json", "w") as f:
    json.dump(expected, f, indent=None, separators=(",", ":"))
    f.write("\n")
