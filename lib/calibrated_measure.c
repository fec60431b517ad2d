/* What is measured while the calibration samples go through a block. */
#include "calibrated_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { BATCH = 480 }; /* rows of short samples that go through a block together */

/* ---- sites -------------------------------------------------------------------------------------
 */

struct squaring {
    struct calibrated_site *site;
    size_t rows, ldx;
    const float *x;
    bool absolute;
};

/* Plain products and sums, bound by memory. */
static void squares_panel(void *context, size_t p, long thread)
{
    const struct squaring *s = context;
    float sum[PANEL] = {0};
    (void)thread;
    for (size_t t = 0; t < s->rows; t++) {
        const float *x = s->x + t * s->ldx + p * PANEL;
        for (size_t j = 0; j < PANEL; j++)
            sum[j] += s->absolute ? fabsf(x[j]) : x[j] * x[j];
    }
    for (size_t j = 0; j < PANEL && p * PANEL + j < s->site->cols; j++)
        s->site->squares[p * PANEL + j] += (double)sum[j];
}

/* One whole sample. */
static int add_sample(struct run *r, struct calibrated_site *s, size_t rows, const float *x,
                      size_t ldx, struct error *e)
{
    struct squaring work = {s, rows, ldx, x, r->c->statistic == STATISTIC_ABSOLUTE};
    s->samples++;
    s->tokens += rows;
    if (r->c->statistic == STATISTIC_HESSIAN)
        return hessian_add(&s->hessian, r->c->kernels, r->c->pool, rows, x, ldx, r->room, e);
    pool_run(r->c->pool, panel_size(s->cols) / PANEL, squares_panel, &work);
    return 0;
}

static size_t site_of_role(enum model_role role, size_t expert)
{
    switch (role) {
    case ROLE_Q:
        return SITE_QKV;
    case ROLE_O:
        return SITE_O;
    case ROLE_GATE:
    case ROLE_EXPERT_GATE:
    case ROLE_SHARED_GATE:
        return site_number(SITE_MLP, expert);
    default:
        return site_number(SITE_DOWN, expert);
    }
}

size_t run_site(const struct item *i)
{
    return site_of_role(model_role_input(i->role), i->expert);
}

static int see(void *context, const struct hooked *h, struct error *e)
{
    struct run *r = context;
    const size_t i = site_of_role(h->role, run_expert(r, h->role, h->expert));
    if (!r->active[i])
        return 0;
    struct calibrated_site *s = &r->site[i];
    const size_t number = h->sequence->number, count = r->set.sample[number].count;
    const size_t token = r->row[number] + h->position;
    const bool last = h->position + h->count == count;
    for (size_t k = 0; k < h->rows; k++)
        if ((token + (h->row ? h->row[k] : k)) % r->step == 0)
            memcpy(s->probe + s->probes++ * s->stride, h->x + k * h->ldx, s->cols * sizeof *h->x);
    if (h->count == count)
        return add_sample(r, s, h->rows, h->x, h->ldx, e);
    if (!s->held) {
        s->held = memory_new(r->set.longest, s->stride * sizeof *s->held, "a sample's inputs", e);
        if (!s->held)
            return -1;
    }
    for (size_t k = 0; k < h->rows; k++)
        memcpy(s->held + s->held_rows++ * s->stride, h->x + k * h->ldx, s->cols * sizeof *h->x);
    if (!last)
        return 0;
    const size_t rows = s->held_rows;
    s->held_rows = 0;
    return add_sample(r, s, rows, s->held, s->stride, e);
}

void site_free(struct calibrated_site *s)
{
    free(s->squares);
    free(s->order);
    free(s->probe);
    free(s->held);
    free(s->fold);
    free(s->folded);
    hessian_free(&s->hessian);
    factor_free(&s->factor);
    *s = (struct calibrated_site){0};
}

size_t site_columns(const struct run *r, size_t site)
{
    static const enum model_role role[SITE_KINDS] = {ROLE_Q, ROLE_O, ROLE_GATE, ROLE_DOWN};
    const struct model *m = &r->c->model;
    return m->shared_inner && site == site_number(SITE_DOWN, m->experts)
               ? m->shared_inner
               : model_role_columns(m, role[site_kind(site)]);
}

int site_new(struct run *r, size_t i, struct error *e)
{
    struct calibrated_site *s = &r->site[i];
    *s = (struct calibrated_site){.cols = site_columns(r, i)};
    s->stride = panel_size(s->cols);
    s->probe = memory_new(PROBES, s->stride * sizeof *s->probe, "probes", e);
    if (!s->probe)
        return -1;
    if (r->c->statistic == STATISTIC_HESSIAN)
        return hessian_new(&s->hessian, s->cols, e);
    s->squares = memory_new(s->cols, sizeof *s->squares, "sums of squares", e);
    return s->squares ? 0 : -1;
}

/* All columns are alike. */
static void see_nothing(struct run *r, struct calibrated_site *s)
{
    s->unseen = true;
    s->samples = s->tokens = 1;
    if (r->c->statistic == STATISTIC_HESSIAN)
        hessian_identity(&s->hessian);
    else
        for (size_t j = 0; j < s->cols; j++)
            s->squares[j] = 1;
}

void site_measured(struct run *r, size_t i)
{
    struct calibrated_site *s = &r->site[i];
    free(s->held);
    s->held = NULL;
    if (!s->tokens)
        see_nothing(r, s);
    if (r->c->statistic == STATISTIC_HESSIAN)
        hessian_settle(&s->hessian);
}

/* ---- running samples through the block ---------------------------------------------------------
 */

size_t measure_batch(const struct run *r, size_t first)
{
    size_t n = 1;
    while (first + n < r->set.count && r->row[first + n + 1] - r->row[first] <= BATCH)
        n++;
    return n;
}

/* Keeps, or compares, those of the rows first .. last - 1 that are probes; x: the first of them. */
static void probe_rows(struct run *r, float *kept, const float *x, size_t first, size_t last)
{
    const size_t stride = forward_stride(&r->c->model), n = r->c->model.hidden;
    for (size_t t = (first + r->step - 1) / r->step; t * r->step < last; t++) {
        const float *now = x + (t * r->step - first) * stride;
        if (kept) {
            memcpy(kept + t * stride, now, n * sizeof *now);
            continue;
        }
        const float *in = r->probe_in + t * stride, *out = r->probe_out + t * stride;
        for (size_t j = 0; j < n; j++) {
            const double lost = (double)now[j] - (double)out[j], whole = (double)out[j] - (double)in[j];
            r->lost += lost * lost;
            r->whole += whole * whole;
        }
    }
}

double measure_error(const struct run *r)
{
    return r->whole > 0 ? sqrt(r->lost / r->whole) : 0;
}

/* Of a dense block's output only the probes are looked at, and only once. */
static bool is_probe(void *context, const struct sequence *s, size_t position)
{
    const struct run *r = context;
    return (r->row[s->number] + position) % r->step == 0;
}

static bool is_none(void *context, const struct sequence *s, size_t position)
{
    (void)context;
    (void)s;
    (void)position;
    return false;
}

int measure_block(struct run *r, enum measure what, struct error *e)
{
    const struct forward_hook hook = {see, what == MEASURE_FIRST ? is_probe : is_none, r};
    const size_t stride = forward_stride(&r->c->model), layers = r->c->model.layers;
    const bool dense = what == MEASURE_FIRST || what == MEASURE_MORE;
    r->lost = r->whole = 0;
    for (size_t i = 0; i < r->set.count;) {
        const size_t n = measure_batch(r, i), rows = r->row[i + n] - r->row[i];
        float *x = (float *)r->x.data + r->row[i] * stride;
        for (size_t j = 0; j < n; j++) {
            r->cache[j].length = 0;
            r->part[j] = (struct sequence){.row = r->row[i + j] - r->row[i],
                                           .count = r->set.sample[i + j].count,
                                           .cache = &r->cache[j],
                                           .number = i + j};
        }
        if (what != MEASURE_PASS_ON) {
            if (what == MEASURE_FIRST)
                probe_rows(r, r->probe_in, x, r->row[i], r->row[i + n]);
            memcpy(r->dense_x, x, rows * stride * sizeof *x);
            x = r->dense_x;
        }
        if (forward_block(r->forward, &r->block, r->layer, x, r->part, n, dense ? &hook : NULL, e))
            return -1;
        if (what != MEASURE_MORE && r->probed)
            probe_rows(r, what == MEASURE_FIRST ? r->probe_out : NULL, x, r->row[i], r->row[i + n]);
        if (what == MEASURE_ERROR)
            break; /* a batch will do */
        i += n;
        r->work += n;
        cli_progress(r->c->cli, r->work,
                     r->set.count * (layers * (r->c->options->sequential ? 5 : 2) - 1),
                     "samples through a block");
    }
    return 0;
}
