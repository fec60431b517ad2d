/* Scores of short answers, as the released and the official programs compute them. All texts are
 * valid UTF-8. "Normalised" is the TriviaQA normalisation: underscores to spaces, lower case,
 * punctuation to spaces (ASCII's and ‘ ’ ´), articles out, white space squeezed. */
#ifndef KICK_SCORE_H
#define KICK_SCORE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "memory.h"

/* Normalises n bytes into *out (emptied first; a NUL follows the text). */
int score_normalize(struct buffer *out, const char *text, size_t n, struct error *e);

struct score_em {
    int released_em;  /* LLM-KICK: either text contains the other, empty ones included */
    int official_em;  /* equality */
    double released_f1, official_f1; /* overlap of words; the same formula in both */
};

/* Maxima over the aliases (count >= 1), all normalised here. */
int score_answer(struct score_em *s, const char *prediction, size_t n, const char *const *alias,
                 size_t count, struct error *e);

/* LLM-KICK's rule for FreebaseQA: 1 if an alias is a substring of the text, both lower-cased,
 * stripped and without U+0020. The release applies it to prompt and output together. */
int score_freebase(int *score, const char *text, size_t n, const char *const *alias, size_t count,
                   struct error *e);

/* strict_equal: an alias equals the first line of the stripped output, both normalised.
 * contains: a non-empty normalised alias is whole words of the normalised output. */
int score_strict(int *equal, int *contains, const char *output, size_t n, const char *const *alias,
                 size_t count, struct error *e);

#endif
