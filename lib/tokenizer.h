/* Text to token ids and back, from the files that a checkpoint carries.
 *
 * A tokenizer travels through the pipe as its original bytes; this unit parses them:
 *   "sentencepiece"   tokenizer.model: a protobuf; BPE with scores, byte fallback, dummy prefix,
 *                     user-defined and control pieces
 *   "tokenizer.json"  Hugging Face tokenizers: byte-level BPE; normaliser, pre-tokenizer patterns
 *                     (compiled with PCRE2), added tokens, template post-processor
 * Every byte is hostile: lengths are checked, unknown components are errors that name them. */
#ifndef KICK_TOKENIZER_H
#define KICK_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct tokenizer;

struct token_ids {
    int32_t *ids; /* freed by token_ids_free() */
    size_t count, capacity;
};
void token_ids_free(struct token_ids *ids);

/* Parses n bytes of a tokenizer file. kind: "sentencepiece" or "tokenizer.json". settings: the
 * text of tokenizer_config.json (it may turn BOS on or off: add_bos_token), or NULL. The bytes are
 * not needed afterwards. */
int tokenizer_new(struct tokenizer **out, const char *kind, const void *bytes, size_t n,
                  const char *settings, struct error *e);
void tokenizer_free(struct tokenizer *t);

/* Number of ids (greatest id + 1). */
size_t tokenizer_size(const struct tokenizer *t);

/* Ids of the special tokens, -1 where the tokenizer has none. */
int32_t tokenizer_bos(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);

/* What a SentencePiece model says of itself and of a piece; false for other tokenizers, and beyond
 * the last piece. */
struct tokenizer_style {
    bool unigram, dummy_prefix, remove_extra, rules; /* rules: it changes characters */
    int32_t unknown;
};
struct tokenizer_piece {
    const char *text; /* not ended by NUL */
    size_t length;
    float score;
    int type; /* as in the file: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte */
};
bool tokenizer_style(const struct tokenizer *t, struct tokenizer_style *out);
bool tokenizer_piece(const struct tokenizer *t, size_t id, struct tokenizer_piece *out);

/* True if text gets a BOS at its start by the tokenizer's own rule: add_bos_token, else the
 * post-processor of tokenizer.json, else the family's custom (SentencePiece: yes). */
bool tokenizer_adds_bos(const struct tokenizer *t);

/* Appends the ids of n bytes of UTF-8 to out; never adds BOS or EOS. Special tokens written out in
 * the text ("<s>") are recognised only where the format's own rule does so with its defaults (added
 * tokens of tokenizer.json; user-defined, not control, pieces of SentencePiece).
 * Errors: text that is not UTF-8 (the byte offset is named). One tokenizer may be used by several
 * threads at once. */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, struct token_ids *out,
                     struct error *e);

/* Appends to *text (a malloc'ed, NUL-terminated buffer of *length bytes that grows; NULL and 0 at
 * first) the text of n ids. Control/special tokens (BOS, EOS, pad, unk of SentencePiece) are left
 * out; the leading dummy space of SentencePiece is dropped once, at the start of the sequence;
 * bytes that do not form UTF-8 become U+FFFD. */
int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, char **text,
                     size_t *length, struct error *e);

#endif
