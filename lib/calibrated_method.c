/* What the calibrated methods share: results as tensors, factors of Hessians. */
#include "calibrated.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"
#include "sweep.h"

/* A place of the store for what it is to own. */
static void **free_slot(struct tensor_store *s)
{
    void **slot = s->memory;
    while (*slot)
        slot++;
    return slot;
}

int calibrated_floats(const struct calibrated_layer *l, enum tensor_encoding encoding, int n, int m,
                      struct tensor_store *out, struct error *e)
{
    const struct tensor *like = l->like;
    const size_t width = values_size(like->values);
    unsigned char *dense = memory_new(like->rows * like->cols, width, "a tensor", e);
    if (!dense)
        return -1;
    for (size_t r = 0; r < like->rows; r++)
        values_from_f32(like->values, l->w + r * sweep_stride(like->cols), like->cols,
                        dense + r * like->cols * width);
    if (tensor_encode(out, like, like->values, dense, encoding, n, m, e)) {
        free(dense);
        return -1;
    }
    if (out->tensor.data == dense)
        *free_slot(out) = dense;
    else
        free(dense);
    return 0;
}

/* A copy that the store owns. */
static void *keep(struct tensor_store *s, const void *data, size_t bytes, struct error *e)
{
    void *copy = *free_slot(s) = memory_new(bytes, 1, "a tensor", e);
    if (copy)
        memcpy(copy, data, bytes);
    return copy;
}

int calibrated_codes(const struct calibrated_layer *l, int bits, size_t groups, size_t group,
                     const uint8_t *codes, const float *scale, const uint8_t *zero,
                     const int32_t *g_idx, struct tensor_store *out, struct error *e)
{
    const struct tensor *like = l->like;
    const size_t weights = like->rows * like->cols, count = like->rows * groups;
    struct tensor_store masked = {0};
    struct tensor shape = *like;
    int result = -1;
    if (l->pruned) {
        /* The mask is that of the weights as floats; it pays where it saves more codes than bits. */
        if (calibrated_floats(l, ENCODING_AUTO, 0, 0, &masked, e))
            return -1;
        if (masked.tensor.mask != MASK_NONE &&
            (weights - masked.tensor.kept) * (size_t)bits > weights)
            shape = masked.tensor;
    }
    if (tensor_encode_int(out, &shape, bits, group, codes, scale, zero, e))
        goto out;
    out->tensor.scale = keep(out, scale, count * sizeof *scale, e);
    out->tensor.zero = keep(out, zero, count, e);
    out->tensor.g_idx = g_idx ? keep(out, g_idx, like->cols * sizeof *g_idx, e) : NULL;
    if (shape.mask != MASK_NONE)
        out->tensor.mask_bits = keep(out, shape.mask_bits, like->rows * ((like->cols + 7) / 8), e);
    if (out->tensor.scale && out->tensor.zero && (!g_idx || out->tensor.g_idx) &&
        (shape.mask == MASK_NONE || out->tensor.mask_bits))
        result = 0;
    out->tensor.name = like->name;
out:
    tensor_store_free(&masked);
    if (result)
        tensor_store_free(out);
    return result;
}

struct ranked {
    float value;
    uint32_t column;
};

/* Descending, equals by column. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->column < y->column ? -1 : 1;
}

/* The columns by descending diagonal of H, in which dead ones count as 1. */
static int sort_columns(struct calibrated_site *s, struct error *e)
{
    struct ranked *list = memory_new(s->cols, sizeof *list, "an order of columns", e);
    s->order = memory_new(s->cols, sizeof *s->order, "an order of columns", e);
    if (list && s->order) {
        for (size_t i = 0; i < s->cols; i++) {
            const float d = hessian_at(&s->hessian, i, i);
            list[i] = (struct ranked){d == 0 ? 1 : d, (uint32_t)i};
        }
        qsort(list, s->cols, sizeof *list, compare_ranked);
        for (size_t i = 0; i < s->cols; i++)
            s->order[i] = list[i].column;
    }
    free(list);
    return s->order ? 0 : -1;
}

int calibrated_factor(struct calibrated *c, struct calibrated_site *s, bool direct, bool by_diagonal,
                      struct error *e)
{
    const struct factor_options o = {.damping = c->options->damping,
                                     .precision = c->options->f64 ? FACTOR_F64 : FACTOR_AUTO,
                                     .direct = direct};
    if (s->factor.panel)
        return 0;
    if (by_diagonal && sort_columns(s, e))
        return -1;
    return factor_take(&s->factor, &s->hessian, s->order, &o, c->kernels, c->pool, e);
}

int calibrated_factor_note(struct calibrated *c, struct calibrated_layer *l, struct error *e)
{
    const struct factor *f = &l->site->factor;
    if (f->damping > c->options->damping &&
        fallback_take(&c->options->fallbacks, l->like->name, l->note, e,
                      "H is not positive definite with damping %g, so %g", c->options->damping,
                      f->damping))
        return -1;
    return json_set(l->note, "damping", json_number(f->damping), e) ||
                   (f->f64 && json_set(l->note, "factor", json_string("f64"), e)) ||
                   (f->dead_count && json_set(l->note, "dead_columns",
                                              json_integer((json_int_t)f->dead_count), e))
               ? -1
               : 0;
}
