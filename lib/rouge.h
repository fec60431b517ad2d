/* ROUGE (Lin 2004) as the rouge-score package computes it: tokens are runs of [a-z0-9] of the
 * lower-cased text, optionally stemmed (Porter 1980 in NLTK's extended form, tokens over three
 * letters). */
#ifndef KICK_ROUGE_H
#define KICK_ROUGE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "memory.h"

struct rouge_score {
    double precision, recall, f;
};

struct rouge {
    struct rouge_score r1, r2, l, lsum;
};

/* candidate against reference; Lsum takes lines as sentences. */
int rouge_score(struct rouge *r, const char *candidate, size_t n, const char *reference, size_t m,
                bool stem, struct error *e);

/* Stems a word of [a-z0-9] in place; returns its new length (never longer than n + 1; word needs
 * room for one more). */
size_t porter_stem(char *word, size_t n);

#endif
