/* Scales that a method gives the inputs of matrices, folded into what produces these inputs. */
#include "calibrated_run.h"

#include <stdlib.h>

#include "json.h"
#include "memory.h"

void fold_matrix(float *w, size_t ld, size_t rows, size_t cols, const float *in, const float *out)
{
    for (size_t r = 0; (in || out) && r < rows; r++, w += ld)
        for (size_t j = 0; j < cols; j++) {
            w[j] = in ? w[j] * in[j] : w[j];
            w[j] = out ? w[j] / out[r] : w[j];
        }
}

/* A vector of the block divided by fold, in f32: its record and what the block computes with.
 * plus: what counts is plus + v. */
static int fold_vector(struct run *r, enum model_role role, float plus, const float *fold,
                       struct error *e)
{
    for (size_t i = 0; fold && i < r->items; i++) {
        struct item *item = &r->item[i];
        if (item->projection || item->role != role)
            continue;
        const struct stream_record record = {item->json, item->data, item->bytes};
        struct tensor t;
        if (tensor_parse(&t, &record, e))
            return -1;
        const size_t n = t.rows * t.cols;
        float *v = vector_read(&t, e);
        tensor_free(&t);
        if (!v)
            return -1;
        for (size_t k = 0; k < n; k++) {
            v[k] = (v[k] + plus) / fold[k] - plus;
            if (r->block.vector[role])
                r->block.vector[role][k] = v[k];
        }
        free(item->data);
        item->data = (unsigned char *)v;
        item->bytes = n * sizeof *v;
        if (json_set(item->json, "values", json_string("f32"), e))
            return -1;
    }
    return 0;
}

/* True where what produces a site's input is linear in each channel and goes nowhere else. */
static bool can_fold(const struct model *m, size_t kind)
{
    switch (kind) {
    case SITE_O:
        return m->heads == m->kv_heads && model_has_role(m, ROLE_V);
    case SITE_DOWN:
        return m->gated && (m->experts || model_has_role(m, ROLE_UP));
    case SITE_MLP:
        return m->norm_weights && m->place != PLACE_AFTER && !m->experts;
    default:
        return m->norm_weights && m->place != PLACE_AFTER;
    }
}

const float *fold_rows(const struct run *r, const struct item *i)
{
    switch (i->role) {
    case ROLE_V:
        return r->site[SITE_O].fold;
    case ROLE_UP:
    case ROLE_EXPERT_UP:
    case ROLE_SHARED_UP:
        return r->site[site_number(SITE_DOWN, i->expert)].fold;
    default:
        return NULL;
    }
}

static int fold_site(struct run *r, size_t number, struct error *e)
{
    enum { MOST = 4 };
    struct calibrated_site *s = &r->site[number];
    const struct matrix *list[MOST];
    size_t count = 0;
    for (size_t i = 0; i < r->items && count < MOST; i++)
        if (r->item[i].projection && run_site(&r->item[i]) == number)
            list[count++] = block_matrix(&r->block, r->item[i].role, r->item[i].expert);
    if (r->c->prepare(r->c, s, list, count, e))
        return -1;
    s->folded = memory_new(s->probes, s->stride * sizeof *s->folded, "probes", e);
    if (!s->folded)
        return -1;
    for (size_t t = 0; t < s->probes; t++)
        for (size_t j = 0; j < s->cols; j++)
            s->folded[t * s->stride + j] = s->probe[t * s->stride + j] / s->fold[j];
    return 0;
}

int fold_block(struct run *r, struct error *e)
{
    const struct model *m = &r->c->model;
    const float plus = m->norm == NORM_RMS_PLUS_ONE ? 1 : 0;
    if (!r->c->prepare)
        return 0;
    for (size_t i = 0; i < r->sites; i++)
        if (can_fold(m, site_kind(i)) && fold_site(r, i, e))
            return -1;
    const float *in = r->site[SITE_QKV].fold, *mlp = r->site[SITE_MLP].fold;
    return fold_vector(r, ROLE_ATTENTION_NORM, plus, in, e) ||
                   fold_vector(r, ROLE_ATTENTION_NORM_BIAS, 0, in, e) ||
                   fold_vector(r, ROLE_V_BIAS, 0, r->site[SITE_O].fold, e) ||
                   fold_vector(r, ROLE_MLP_NORM, plus, mlp, e) ||
                   fold_vector(r, ROLE_MLP_NORM_BIAS, 0, mlp, e) ||
                   fold_vector(r, ROLE_UP_BIAS, 0, r->site[SITE_DOWN].fold, e)
               ? -1
               : 0;
}
