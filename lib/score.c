/* Normalisation, containment, equality and F1. */
#include "score.h"

#include <stdlib.h>
#include <string.h>

#include "pytext.h"

/* ASCII punctuation and the three marks that TriviaQA's script adds. */
static bool is_punctuation(uint32_t c)
{
    return (c >= 0x21 && c <= 0x2f) || (c >= 0x3a && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
           (c >= 0x7b && c <= 0x7e) || c == 0x2018 || c == 0x2019 || c == 0xb4;
}

static bool is_article(const char *p, size_t n)
{
    return (n == 1 && *p == 'a') || (n == 2 && !memcmp(p, "an", 2)) ||
           (n == 3 && !memcmp(p, "the", 3));
}

int score_normalize(struct buffer *out, const char *text, size_t n, struct error *e)
{
    struct buffer lower = {0}, plain = {0};
    size_t k;
    int result = -1;
    out->length = 0;
    char *own = memory_new(n + 1, 1, "a text", e);
    if (!own)
        return -1;
    for (size_t i = 0; i < n; i++)
        own[i] = text[i] == '_' ? ' ' : text[i];
    if (pytext_lower(&lower, own, n, e))
        goto out;
    const char *p = (const char *)lower.data;
    for (size_t i = 0; i < lower.length; i += k) {
        const uint32_t c = pytext_at(p + i, lower.length - i, &k);
        if (is_punctuation(c) ? buffer_append(&plain, " ", 1, e)
                              : buffer_append(&plain, p + i, k, e))
            goto out;
    }
    /* Runs of word characters are what \b delimits: an article is a whole run. */
    lower.length = 0;
    p = (const char *)plain.data;
    for (size_t i = 0; i < plain.length;) {
        const size_t from = i;
        while (i < plain.length && pytext_word(pytext_at(p + i, plain.length - i, &k)))
            i += k;
        if (i > from && is_article(p + from, i - from)) {
            if (buffer_append(&lower, " ", 1, e))
                goto out;
            continue;
        }
        if (i == from) {
            pytext_at(p + i, plain.length - i, &k);
            i += k;
        }
        if (buffer_append(&lower, p + from, i - from, e))
            goto out;
    }
    const char *word;
    size_t at = 0, length;
    p = (const char *)lower.data;
    while (pytext_split(p, lower.length, &at, &word, &length))
        if ((out->length && buffer_append(out, " ", 1, e)) || buffer_append(out, word, length, e))
            goto out;
    if (buffer_append(out, "", 1, e))
        goto out;
    out->length--;
    result = 0;
out:
    free(own);
    buffer_free(&lower);
    buffer_free(&plain);
    return result;
}

static bool contains(const char *text, size_t n, const char *part, size_t k)
{
    return k == 0 || (n >= k && memmem(text, n, part, k) != NULL);
}

struct word {
    const char *p;
    size_t n;
};

static int word_compare(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    const int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static struct word *words_of(const struct buffer *b, size_t *count, struct error *e)
{
    struct word *list = memory_new(b->length / 2 + 1, sizeof *list, "words", e);
    const char *p;
    size_t at = 0, n;
    *count = 0;
    if (!list)
        return NULL;
    while (pytext_split((const char *)b->data, b->length, &at, &p, &n))
        list[(*count)++] = (struct word){p, n};
    qsort(list, *count, sizeof *list, word_compare);
    return list;
}

/* 2pr/(p+r) of the multisets of words; 0 when they share none. */
static int f1(double *out, const struct buffer *a, const struct buffer *b, struct error *e)
{
    size_t na = 0, nb = 0, same = 0;
    struct word *x = words_of(a, &na, e), *y = words_of(b, &nb, e);
    if (!x || !y) {
        free(x);
        free(y);
        return -1;
    }
    for (size_t i = 0, j = 0; i < na && j < nb;) {
        const int order = word_compare(&x[i], &y[j]);
        same += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    free(x);
    free(y);
    const double p = na ? (double)same / (double)na : 0, r = nb ? (double)same / (double)nb : 0;
    *out = same ? 2 * p * r / (p + r) : 0;
    return 0;
}

int score_answer(struct score_em *s, const char *prediction, size_t n, const char *const *alias,
                 size_t count, struct error *e)
{
    struct buffer p = {0}, a = {0};
    double f = 0;
    int result = -1;
    *s = (struct score_em){0};
    if (score_normalize(&p, prediction, n, e))
        goto out;
    for (size_t i = 0; i < count; i++) {
        if (score_normalize(&a, alias[i], strlen(alias[i]), e) || f1(&f, &p, &a, e))
            goto out;
        const char *x = (const char *)p.data, *y = (const char *)a.data;
        s->released_em |= contains(x, p.length, y, a.length) || contains(y, a.length, x, p.length);
        s->official_em |= p.length == a.length && !memcmp(x, y, p.length);
        if (f > s->official_f1)
            s->official_f1 = f;
    }
    s->released_f1 = s->official_f1;
    result = 0;
out:
    buffer_free(&p);
    buffer_free(&a);
    return result;
}

/* strip(), U+0020 deleted, lower(): in this order, which a final sigma tells from others. */
static int squeeze(struct buffer *out, const char *text, size_t n, struct error *e)
{
    char *own = memory_new(n + 1, 1, "a text", e);
    size_t k = 0;
    if (!own)
        return -1;
    if (n)
        pytext_strip(&text, &n);
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ')
            own[k++] = text[i];
    out->length = 0;
    const int result = pytext_lower(out, own, k, e) || buffer_append(out, "", 1, e) ? -1 : 0;
    out->length -= result == 0;
    free(own);
    return result;
}

int score_freebase(int *score, const char *text, size_t n, const char *const *alias, size_t count,
                   struct error *e)
{
    struct buffer t = {0}, a = {0};
    int result = -1;
    *score = 0;
    if (squeeze(&t, text, n, e))
        goto out;
    for (size_t i = 0; i < count && !*score; i++) {
        if (squeeze(&a, alias[i], strlen(alias[i]), e))
            goto out;
        *score = contains((const char *)t.data, t.length, (const char *)a.data, a.length);
    }
    result = 0;
out:
    buffer_free(&t);
    buffer_free(&a);
    return result;
}

/* True if a, not empty, is a run of whole words of t; both have single spaces between words. */
static bool whole_words(const struct buffer *t, const struct buffer *a)
{
    const char *text = (const char *)t->data, *part = (const char *)a->data;
    for (size_t i = 0; a->length && i + a->length <= t->length; i++)
        if ((i == 0 || text[i - 1] == ' ') &&
            (i + a->length == t->length || text[i + a->length] == ' ') &&
            !memcmp(text + i, part, a->length))
            return true;
    return false;
}

int score_strict(int *equal, int *within, const char *output, size_t n, const char *const *alias,
                 size_t count, struct error *e)
{
    struct buffer all = {0}, line = {0}, a = {0};
    const char *p = output;
    size_t k = n;
    int result = -1;
    *equal = *within = 0;
    if (k)
        pytext_strip(&p, &k);
    const char *end = k ? memchr(p, '\n', k) : NULL;
    if (score_normalize(&line, p, end ? (size_t)(end - p) : k, e) ||
        score_normalize(&all, output, n, e))
        goto out;
    for (size_t i = 0; i < count; i++) {
        if (score_normalize(&a, alias[i], strlen(alias[i]), e))
            goto out;
        *equal |= a.length == line.length && !memcmp(a.data, line.data, a.length);
        *within |= whole_words(&all, &a);
    }
    result = 0;
out:
    buffer_free(&all);
    buffer_free(&line);
    buffer_free(&a);
    return result;
}
