/* Vocabularies in older forms, as the tokenizer.json that says the same:
 *   tiktoken        lines "BASE64 RANK" (Llama 3's tokenizer.model)
 *   vocab.json and merges.txt   GPT-2's form
 * How such a vocabulary cuts text into words is not in these files: it follows from the class that
 * tokenizer_config.json names, and one that is not known is an error. */
#ifndef KICK_TOKENIZER_CONVERT_H
#define KICK_TOKENIZER_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "memory.h"

/* True for text in tiktoken's form. */
bool tiktoken_looks_like(const char *text, size_t n);

/* settings: the text of tokenizer_config.json, or NULL. The texts end with a NUL. */
int tokenizer_from_tiktoken(const char *text, size_t n, const char *settings, struct buffer *out,
                            struct error *e);
/* added: the text of added_tokens.json, or NULL. */
int tokenizer_from_merges(const char *vocab, size_t vocab_bytes, const char *merges,
                          size_t merges_bytes, const char *added, const char *settings,
                          struct buffer *out, struct error *e);

#endif
