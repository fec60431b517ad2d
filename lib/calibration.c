/* Drawing calibration samples. */
#include "calibration.h"

#include <stdlib.h>
#include <string.h>

#include "documents.h"
#include "memory.h"
#include "mt19937.h"
#include "random.h"

/* Ids of documents, tokenized when they are drawn; only the lengths of those seen are kept. */
struct corpus {
    const struct documents *documents;
    const struct tokenizer *tokenizer;
    const struct model *m;
    bool bos;
    size_t *length;  /* (documents): ids + 1; 0: not seen yet */
    size_t seen, fit; /* documents seen, and those of them that are long enough */
    struct token_ids ids; /* of document `at` */
    size_t at;
};

static int tokenize(struct corpus *c, size_t document, struct error *e)
{
    const struct document *d = &c->documents->list[document];
    if (c->at == document)
        return 0;
    c->at = SIZE_MAX;
    c->ids.count = 0;
    if (c->bos) {
        if (c->ids.capacity == 0) {
            c->ids.ids = memory_resize(NULL, 64, sizeof *c->ids.ids, "ids", e);
            if (!c->ids.ids)
                return -1;
            c->ids.capacity = 64;
        }
        c->ids.ids[c->ids.count++] = tokenizer_bos(c->tokenizer);
    }
    if (tokenizer_encode(c->tokenizer, d->text, d->bytes, &c->ids, e))
        return error_prefix(e, "%s: document %zu", c->documents->name, document);
    for (size_t i = 0; i < c->ids.count; i++)
        if (c->ids.ids[i] < 0 || (size_t)c->ids.ids[i] >= c->m->vocab)
            return error_set(e, "the tokenizer gives id %ld, outside the model's vocabulary of %zu",
                             (long)c->ids.ids[i], c->m->vocab);
    c->at = document;
    return 0;
}

/* Number of ids of a document; notes whether it has at least `least`. */
static int measure(struct corpus *c, size_t document, size_t least, size_t *length, struct error *e)
{
    if (c->length[document] == 0) {
        if (tokenize(c, document, e))
            return -1;
        c->length[document] = c->ids.count + 1;
        c->seen++;
        c->fit += c->ids.count >= least;
    }
    *length = c->length[document] - 1;
    return 0;
}

static int none_fits(const struct corpus *c, size_t least, struct error *e)
{
    if (c->fit || c->seen < c->documents->count)
        return 0;
    return error_set(e,
                     "%s: none of its %zu documents has %zu tokens; use a smaller -l or longer "
                     "documents",
                     c->documents->name, c->documents->count, least);
}

static int add(struct calibration *c, const int32_t *ids, size_t count, size_t document,
               size_t start, struct error *e)
{
    struct calibration_sample *s = &c->sample[c->count];
    s->ids = memory_new(count, sizeof *s->ids, "a calibration sample", e);
    if (!s->ids)
        return -1;
    memcpy(s->ids, ids, count * sizeof *ids);
    s->count = count;
    s->document = document;
    s->start = start;
    c->count++;
    c->tokens += count;
    c->longest = count > c->longest ? count : c->longest;
    return 0;
}

static int draw_python(struct calibration *c, struct corpus *from, size_t samples, size_t length,
                       int64_t seed, struct error *e)
{
    struct mt19937 g;
    mt19937_seed(&g, seed);
    while (c->count < samples) {
        const size_t document = mt19937_below(&g, from->documents->count);
        size_t n = 0;
        if (measure(from, document, length + 1, &n, e) || none_fits(from, length + 1, e))
            return -1;
        c->rejected += n < length;
        c->passed_over += n == length;
        if (n <= length)
            continue;
        const size_t start = mt19937_below(&g, n - length);
        if (tokenize(from, document, e) ||
            add(c, from->ids.ids + start, length, document, start, e))
            return -1;
    }
    return 0;
}

static int draw_counter(struct calibration *c, struct corpus *from, size_t samples, size_t length,
                        int64_t seed, struct error *e)
{
    const struct random_key key = random_key_new((uint64_t)seed, "calibration");
    const bool bos = tokenizer_adds_bos(from->tokenizer);
    const size_t take = length - bos;
    int32_t *ids = memory_new(length, sizeof *ids, "a calibration sample", e);
    int result = -1;
    if (!ids)
        return -1;
    if (bos)
        ids[0] = tokenizer_bos(from->tokenizer);
    for (uint64_t attempt = 0; c->count < samples; attempt++) {
        const size_t document =
            random_below(key, c->count, 2 * attempt, from->documents->count);
        size_t n = 0;
        if (measure(from, document, take, &n, e) || none_fits(from, take, e))
            goto out;
        c->rejected += n < take;
        if (n < take)
            continue;
        const size_t start = random_below(key, c->count, 2 * attempt + 1, n - take + 1);
        if (tokenize(from, document, e))
            goto out;
        memcpy(ids + bos, from->ids.ids + start, take * sizeof *ids);
        if (add(c, ids, length, document, start, e))
            goto out;
        attempt = UINT64_MAX; /* from 0 for the next sample */
    }
    result = 0;
out:
    free(ids);
    return result;
}

static int draw(struct calibration *c, const struct calibration_options *o,
                const struct documents *d, const struct model *m,
                const struct tokenizer *tokenizer, struct error *e)
{
    const size_t usual = m->positions < 2048 ? m->positions : 2048;
    const size_t length = o->length ? (size_t)o->length : usual;
    const bool python = !strcmp(o->draw, "python");
    struct corpus from = {.documents = d, .tokenizer = tokenizer, .m = m, .at = SIZE_MAX};
    int result = -1;
    if (!tokenizer)
        return error_set(e,
                         "%s: the model came without a tokenizer, which texts need; rows of ids "
                         "(ingest-text -f ids) do without",
                         d->name);
    if (length > m->positions)
        return error_usage(e, "-l %zu is over the model's %zu positions", length, m->positions);
    from.bos = python && tokenizer_adds_bos(tokenizer);
    from.length = memory_new(d->count, sizeof *from.length, "documents", e);
    if (from.length)
        result = python ? draw_python(c, &from, (size_t)o->samples, length, o->seed, e)
                        : draw_counter(c, &from, (size_t)o->samples, length, o->seed, e);
    free(from.length);
    token_ids_free(&from.ids);
    return result;
}

int calibration_read(struct calibration *c, const struct calibration_options *o,
                     const struct model *m, const struct tokenizer *tokenizer, struct error *e)
{
    struct documents d = {0};
    int result = -1;
    *c = (struct calibration){0};
    if (documents_read(&d, o->path, 0, e))
        return -1;
    c->ids = d.ids;
    c->sample = memory_new((size_t)o->samples, sizeof *c->sample, "calibration samples", e);
    if (!c->sample)
        goto out;
    if (!d.ids) {
        result = draw(c, o, &d, m, tokenizer, e);
        goto out;
    }
    if (documents_check_ids(&d, m, 2, e))
        goto out;
    for (size_t i = 0; i < d.count && i < (size_t)o->samples; i++)
        if (add(c, d.list[i].ids, d.list[i].count, i, 0, e))
            goto out;
    result = 0;
out:
    documents_free(&d);
    if (result)
        calibration_free(c);
    return result;
}

void calibration_free(struct calibration *c)
{
    for (size_t i = 0; c->sample && i < c->count; i++)
        free(c->sample[i].ids);
    free(c->sample);
    *c = (struct calibration){0};
}
