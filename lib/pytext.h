/* Text as Python 3 sees it, which the scorers of others are written in: UTF-8 in, UTF-8 out. Input
 * must be valid UTF-8. */
#ifndef KICK_PYTEXT_H
#define KICK_PYTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory.h"

/* The code point at text (left >= 1 bytes) and its length. */
uint32_t pytext_at(const char *text, size_t left, size_t *n);
int pytext_put(struct buffer *b, uint32_t c, struct error *e);

/* str.isspace() of one code point; true if it is a word character of `re`. */
bool pytext_space(uint32_t c);
bool pytext_word(uint32_t c);

/* str.strip(): narrows *text and *n. */
void pytext_strip(const char **text, size_t *n);

/* str.lower(), appended to out: full Unicode, final sigma by its context. */
int pytext_lower(struct buffer *out, const char *text, size_t n, struct error *e);

/* str.split(): next run of what is no white space from *at on; false at the end. */
bool pytext_split(const char *text, size_t n, size_t *at, const char **word, size_t *length);

/* Number of words, and of code points. */
size_t pytext_words(const char *text, size_t n);
size_t pytext_length(const char *text, size_t n);
/* Bytes of the first `count` code points. */
size_t pytext_prefix(const char *text, size_t n, size_t count);

#endif
