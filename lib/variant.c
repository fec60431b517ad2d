/* Other people's compressed checkpoints against the dense model. */
#include "variant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

static const struct {
    const char *text;
    size_t n, m;
} patterns[] = {{"1:4", 1, 4}, {"2:4", 2, 4}, {"4:8", 4, 8}};
enum { PATTERNS = sizeof patterns / sizeof *patterns };

void variant_shape_row(struct variant_shape *s, const float *row, size_t cols)
{
    s->seen = true;
    s->weights += cols;
    for (size_t c = 0; c < cols; c++)
        s->zeros += row[c] == 0;
    for (size_t p = 0; p < PATTERNS; p++)
        for (size_t c = 0; !s->broken[p] && c < cols; c += patterns[p].m) {
            size_t kept = 0;
            for (size_t i = c; i < cols && i < c + patterns[p].m; i++)
                kept += row[i] != 0;
            s->broken[p] = kept > patterns[p].n;
        }
}

void variant_shape_codes(struct variant_shape *s, int bits, size_t group, size_t weights)
{
    s->coded[bits] += weights;
    s->group[bits] = group;
}

int variant_shape_options(const struct variant_shape *s, json_t *options, struct error *e)
{
    const double sparsity = s->weights ? (double)s->zeros / (double)s->weights : 0;
    size_t bits = 0, pattern = 0;
    for (size_t b = 2; b <= 8; b++)
        bits = s->coded[b] > s->coded[bits] ? b : bits;
    if (bits && (json_set(options, "bits", json_integer((json_int_t)bits), e) ||
                 json_set(options, "group", json_integer((json_int_t)s->group[bits]), e)))
        return -1;
    while (s->seen && pattern < PATTERNS && s->broken[pattern])
        pattern++;
    if (s->seen && pattern < PATTERNS)
        return json_set(options, "pattern", json_string(patterns[pattern].text), e);
    if (bits || sparsity < 0.01)
        return 0;
    return json_set(options, "sparsity", json_real(round(sparsity * 100) / 100), e);
}

int variant_open(struct variant *v, const char *path, const struct model *m, struct pool *pool,
                 struct error *e)
{
    *v = (struct variant){0};
    if (source_open(&v->dense, path, pool, e))
        return -1;
    const struct model *d = &v->dense.model;
    if (strcmp(d->architecture, m->architecture) || d->layers != m->layers ||
        d->hidden != m->hidden || d->vocab != m->vocab ||
        model_tensor_count(d) != model_tensor_count(m))
        return error_set(e, "%s: a %s model of %zu layers, %zu wide, with %zu ids, is not what %s, "
                            "%zu layers, %zu wide, %zu ids, was made of", path, d->architecture,
                         d->layers, d->hidden, d->vocab, m->architecture, m->layers, m->hidden,
                         m->vocab);
    return 0;
}

void variant_close(struct variant *v)
{
    source_close(&v->dense);
}

int variant_next(struct variant *v, const struct tensor *t, double *lost, struct error *e)
{
    struct tensor d = {.name = "nothing"};
    enum model_role role;
    size_t layer;
    double error = 0, whole = 0;
    float *a = NULL;
    int result = -1;
    const int got = source_next(&v->dense, &d, &role, &layer, e);
    if (got < 0)
        return -1;
    if (strcmp(d.name, t->name) || d.rows != t->rows || d.cols != t->cols) {
        error_set(e, "%s: the dense model has %s here", t->name, d.name);
        goto out;
    }
    if (!(a = memory_new(t->cols, 2 * sizeof *a, t->name, e)))
        goto out;
    float *b = a + t->cols;
    for (size_t r = 0; r < t->rows; r++) {
        tensor_row(t, r, a);
        tensor_row(&d, r, b);
        for (size_t c = 0; c < t->cols; c++) {
            error += ((double)a[c] - (double)b[c]) * ((double)a[c] - (double)b[c]);
            whole += (double)b[c] * (double)b[c];
        }
    }
    if (!model_role_is_projection(role)) {
        v->others++;
        v->differ += error != 0;
    }
    *lost = whole > 0 ? sqrt(error / whole) : 0;
    result = 0;
out:
    free(a);
    tensor_free(&d);
    return result;
}

int variant_end(struct variant *v, struct error *e)
{
    struct tensor t;
    enum model_role role;
    size_t layer;
    const int got = source_next(&v->dense, &t, &role, &layer, e);
    if (got == 1) {
        error_set(e, "%s: only the dense model has it", t.name);
        tensor_free(&t);
    }
    return got ? -1 : 0;
}
