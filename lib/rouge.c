/* ROUGE-1, -2, -L and -Lsum.
 *
 *   ROUGE-N   matches = sum over n-grams of min(count in candidate, count in reference)
 *   ROUGE-L   length of the longest common subsequence of the tokens
 *   ROUGE-Lsum  for each reference sentence the union of its longest common subsequences with all
 *             candidate sentences; a token is hit at most as often as it occurs in either text
 *   precision = matches / candidate, recall = matches / reference, F = 2pr / (p + r)
 * Which of several longest subsequences is taken matters to the union: the walk back through the
 * table goes to the left only where that is strictly better, else up. */
#include "rouge.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pytext.h"

/* Tokens as numbers: equal words have equal ones. */
struct words {
    struct buffer text; /* the words, each with a NUL */
    size_t *at;
    size_t count, capacity;
};

struct tokens {
    int32_t *id;
    size_t count;
};

struct sentences {
    struct tokens *list;
    size_t count;
};

static int add_word(struct words *w, const char *p, size_t n, int32_t *id, struct error *e)
{
    for (size_t i = 0; i < w->count; i++) {
        const char *known = (const char *)w->text.data + w->at[i];
        if (!strncmp(known, p, n) && !known[n]) {
            *id = (int32_t)i;
            return 0;
        }
    }
    if (w->count == w->capacity) {
        const size_t more = w->capacity ? 2 * w->capacity : 64;
        size_t *at = memory_resize(w->at, more, sizeof *at, "words", e);
        if (!at)
            return -1;
        w->at = at;
        w->capacity = more;
    }
    w->at[w->count] = w->text.length;
    *id = (int32_t)w->count++;
    return buffer_append(&w->text, p, n, e) || buffer_append(&w->text, "", 1, e) ? -1 : 0;
}

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int tokenize(struct words *w, struct tokens *t, const char *text, size_t n, bool stem,
                    struct error *e)
{
    struct buffer lower = {0};
    int result = -1;
    *t = (struct tokens){0};
    if (pytext_lower(&lower, text, n, e) || buffer_append(&lower, " ", 1, e))
        goto out;
    t->id = memory_new(lower.length / 2 + 1, sizeof *t->id, "tokens", e);
    if (!t->id)
        goto out;
    char *p = (char *)lower.data;
    for (size_t i = 0; i < lower.length; i++) {
        const size_t from = i;
        while (is_token(p[i]))
            i++;
        if (i == from)
            continue;
        const size_t k = stem && i - from > 3 ? porter_stem(p + from, i - from) : i - from;
        if (add_word(w, p + from, k, &t->id[t->count++], e))
            goto out;
    }
    result = 0;
out:
    buffer_free(&lower);
    return result;
}

static int split(struct words *w, struct sentences *s, const char *text, size_t n, bool stem,
                 struct error *e)
{
    size_t lines = 1;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    s->list = memory_new(lines, sizeof *s->list, "sentences", e);
    if (!s->list)
        return -1;
    for (size_t i = 0; i <= n;) {
        const char *end = i < n ? memchr(text + i, '\n', n - i) : NULL;
        const size_t k = end ? (size_t)(end - text) - i : n - i;
        if (k && tokenize(w, &s->list[s->count++], text + i, k, stem, e))
            return -1;
        i += k + 1;
    }
    return 0;
}

static void sentences_free(struct sentences *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->list[i].id);
    free(s->list);
}

static struct rouge_score ratio(size_t hits, size_t candidate, size_t reference)
{
    struct rouge_score s = {0};
    if (candidate && reference) {
        s.precision = (double)hits / (double)candidate;
        s.recall = (double)hits / (double)reference;
    }
    if (s.precision + s.recall > 0)
        s.f = 2 * s.precision * s.recall / (s.precision + s.recall);
    return s;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t *grams(const struct tokens *t, size_t n, size_t *count, struct error *e)
{
    *count = t->count + 1 > n ? t->count + 1 - n : 0;
    uint64_t *g = memory_new(*count + 1, sizeof *g, "n-grams", e);
    for (size_t i = 0; g && i < *count; i++)
        g[i] = n == 1 ? (uint64_t)t->id[i] : (uint64_t)t->id[i] << 32 | (uint64_t)t->id[i + 1];
    if (g)
        qsort(g, *count, sizeof *g, compare);
    return g;
}

static int rouge_n(struct rouge_score *s, const struct tokens *c, const struct tokens *r, size_t n,
                   struct error *e)
{
    size_t nx = 0, ny = 0, hits = 0;
    uint64_t *x = grams(c, n, &nx, e), *y = grams(r, n, &ny, e);
    if (!x || !y) {
        free(x);
        free(y);
        return -1;
    }
    for (size_t i = 0, j = 0; i < nx && j < ny;) {
        const int order = (x[i] > y[j]) - (x[i] < y[j]);
        hits += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    free(x);
    free(y);
    *s = ratio(hits, nx, ny);
    return 0;
}

/* Marks in `taken` (r->count) the tokens of r on one longest common subsequence with c; returns its
 * length in *length. */
static int lcs(const struct tokens *r, const struct tokens *c, bool *taken, size_t *length,
               struct error *e)
{
    const size_t rows = r->count + 1, columns = c->count + 1;
    uint32_t *t = memory_new(rows, columns * sizeof *t, "ROUGE-L", e);
    *length = 0;
    if (!t)
        return -1;
    for (size_t i = 1; i < rows; i++)
        for (size_t j = 1; j < columns; j++) {
            const uint32_t up = t[(i - 1) * columns + j], left = t[i * columns + j - 1];
            t[i * columns + j] = r->id[i - 1] == c->id[j - 1] ? t[(i - 1) * columns + j - 1] + 1
                                 : up > left                  ? up
                                                              : left;
        }
    *length = t[rows * columns - 1];
    for (size_t i = r->count, j = c->count; taken && i > 0 && j > 0;) {
        if (r->id[i - 1] == c->id[j - 1]) {
            taken[i - 1] = true;
            i--;
            j--;
        } else if (t[i * columns + j - 1] > t[(i - 1) * columns + j]) {
            j--;
        } else {
            i--;
        }
    }
    free(t);
    return 0;
}

static int rouge_lsum(struct rouge_score *s, const struct sentences *c, const struct sentences *r,
                      size_t words, struct error *e)
{
    size_t *in_c = memory_new(words + 1, sizeof *in_c, "counts", e);
    size_t *in_r = memory_new(words + 1, sizeof *in_r, "counts", e);
    bool *taken = NULL;
    size_t nc = 0, nr = 0, hits = 0, ignored;
    int result = -1;
    if (!in_c || !in_r)
        goto out;
    for (size_t i = 0; i < c->count; nc += c->list[i++].count)
        for (size_t j = 0; j < c->list[i].count; j++)
            in_c[c->list[i].id[j]]++;
    for (size_t i = 0; i < r->count; nr += r->list[i++].count)
        for (size_t j = 0; j < r->list[i].count; j++)
            in_r[r->list[i].id[j]]++;
    for (size_t i = 0; i < r->count; i++) {
        const struct tokens *one = &r->list[i];
        free(taken);
        if (!(taken = memory_new(one->count + 1, sizeof *taken, "counts", e)))
            goto out;
        for (size_t j = 0; j < c->count; j++)
            if (lcs(one, &c->list[j], taken, &ignored, e))
                goto out;
        for (size_t j = 0; j < one->count; j++)
            if (taken[j] && in_c[one->id[j]] && in_r[one->id[j]]) {
                hits++;
                in_c[one->id[j]]--;
                in_r[one->id[j]]--;
            }
    }
    *s = ratio(hits, nc, nr);
    result = 0;
out:
    free(in_c);
    free(in_r);
    free(taken);
    return result;
}

int rouge_score(struct rouge *r, const char *candidate, size_t n, const char *reference, size_t m,
                bool stem, struct error *e)
{
    struct words w = {0};
    struct tokens c = {0}, t = {0};
    struct sentences cs = {0}, ts = {0};
    size_t length = 0;
    int result = -1;
    *r = (struct rouge){0};
    if (tokenize(&w, &c, candidate, n, stem, e) || tokenize(&w, &t, reference, m, stem, e) ||
        split(&w, &cs, candidate, n, stem, e) || split(&w, &ts, reference, m, stem, e) ||
        rouge_n(&r->r1, &c, &t, 1, e) || rouge_n(&r->r2, &c, &t, 2, e) ||
        lcs(&t, &c, NULL, &length, e) || rouge_lsum(&r->lsum, &cs, &ts, w.count, e))
        goto out;
    r->l = ratio(length, c.count, t.count);
    result = 0;
out:
    free(c.id);
    free(t.id);
    sentences_free(&cs);
    sentences_free(&ts);
    buffer_free(&w.text);
    free(w.at);
    return result;
}
