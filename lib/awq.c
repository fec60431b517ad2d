/* AWQ's searches. Sums: outputs are chains (kernel.h), their squares are added in f64 per panel of
 * rows, panels in order. */
#include "awq.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmath.h"
#include "memory.h"
#include "quantize.h"

enum { STEPS = 20, SHRINKS = 10, K_BLOCK = 256 };

static size_t group_of(const struct awq *a, size_t cols)
{
    return a->group == 0 || a->group > cols ? cols : a->group;
}

/* w (cols) rounded to its grids. */
static void round_row(const struct awq *a, const float *w, size_t cols, float *out)
{
    const size_t group = group_of(a, cols);
    for (size_t c = 0; c < cols; c += group) {
        const size_t n = cols - c < group ? cols - c : group;
        float scale;
        uint8_t zero;
        quantize_grid(w + c, n, a->bits, a->symmetric, &scale, &zero);
        for (size_t i = c; i < c + n; i++)
            out[i] = scale * ((float)quantize_code(w[i], scale, zero, a->bits) - (float)zero);
    }
}

/* ---- scales ------------------------------------------------------------------------------------
 */

struct trial {
    const struct awq *a;
    const struct matrix *m;
    const float *fold, *x;
    size_t rows, stride;
    float *row;    /* (threads, 2, cols) */
    float *panel;  /* (threads, cols, PANEL) */
    float *y;      /* (threads, rows, PANEL) */
    double *loss;  /* (panels) */
};

static void try_panel(void *context, size_t p, long thread)
{
    const struct trial *t = context;
    const size_t cols = t->m->cols;
    float *w = t->row + 2 * (size_t)thread * cols, *q = w + cols;
    float *panel = t->panel + (size_t)thread * cols * PANEL;
    float *y = t->y + (size_t)thread * t->rows * PANEL;
    memset(panel, 0, cols * PANEL * sizeof *panel);
    for (size_t j = 0; j < PANEL && p * PANEL + j < t->m->rows; j++) {
        matrix_row(t->m, p * PANEL + j, w);
        for (size_t i = 0; i < cols; i++)
            w[i] *= t->fold[i];
        round_row(t->a, w, cols, q);
        for (size_t i = 0; i < cols; i++)
            panel[i * PANEL + j] = (q[i] - w[i]) / t->fold[i];
    }
    for (size_t i = 0; i < cols; i += K_BLOCK)
        t->a->kernels->product[PANEL_F32](t->rows, 1, cols - i < K_BLOCK ? cols - i : K_BLOCK,
                                          t->x + i, t->stride, panel + i * PANEL, 0, y, PANEL, NULL,
                                          i > 0);
    t->loss[p] = 0;
    for (size_t i = 0; i < t->rows * PANEL; i++)
        t->loss[p] += (double)y[i] * (double)y[i];
}

static void scales(const float *mean, size_t cols, double alpha, float *fold)
{
    double low = INFINITY, high = 0;
    for (size_t j = 0; j < cols; j++) {
        const double x = mean[j] > 0 ? fmath_pow((double)mean[j], alpha) : alpha > 0 ? 0 : 1;
        const double s = x < 1e-4 ? 1e-4 : x;
        fold[j] = (float)s;
        low = s < low ? s : low;
        high = s > high ? s : high;
    }
    for (size_t j = 0; j < cols; j++)
        fold[j] = (float)((double)fold[j] / sqrt(low * high));
}

int awq_search(const struct awq *a, const struct matrix *const *m, size_t count, const float *mean,
               const float *x, size_t rows, size_t stride, float *fold, double *alpha,
               struct error *e)
{
    const size_t cols = m[0]->cols, threads = (size_t)pool_threads(a->pool);
    struct trial t = {.a = a, .x = x, .rows = rows, .stride = stride, .fold = fold};
    double best = INFINITY;
    size_t panels = 0;
    int result = -1;
    for (size_t i = 0; i < count; i++)
        panels = m[i]->panels > panels ? m[i]->panels : panels;
    t.row = memory_new(threads, 2 * cols * sizeof *t.row, "a row", e);
    t.panel = memory_new(threads, cols * PANEL * sizeof *t.panel, "a panel", e);
    t.y = memory_new(threads, rows * PANEL * sizeof *t.y, "outputs", e);
    t.loss = memory_new(panels, sizeof *t.loss, "errors", e);
    if (!t.row || !t.panel || !t.y || !t.loss)
        goto out;
    *alpha = 0;
    for (int step = 0; step < STEPS; step++) {
        double loss = 0;
        scales(mean, cols, (double)step / STEPS, fold);
        for (size_t i = 0; i < count; i++) {
            t.m = m[i];
            pool_run(a->pool, m[i]->panels, try_panel, &t);
            for (size_t p = 0; p < m[i]->panels; p++)
                loss += t.loss[p];
        }
        if (loss < best) {
            best = loss;
            *alpha = (double)step / STEPS;
        }
    }
    scales(mean, cols, *alpha, fold);
    result = 0;
out:
    free(t.row);
    free(t.panel);
    free(t.y);
    free(t.loss);
    return result;
}

/* ---- clipping ----------------------------------------------------------------------------------
 */

struct clipping {
    const struct awq *a;
    float *w;
    size_t ld, rows, first, n, padded; /* columns of the group at hand */
    const float *x;
    size_t samples, stride;
    float *moment; /* (padded / PANEL, n, PANEL): the group's X^T X */
    float *part;   /* (threads, 2, SHRINKS, padded) */
    size_t *clipped; /* (rows) */
};

static void moment_panel(void *context, size_t p, long thread)
{
    const struct clipping *c = context;
    float *to = c->moment + p * c->n * PANEL;
    (void)thread;
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < PANEL; j++) {
            float sum = 0;
            for (size_t t = 0; p * PANEL + j < c->n && t < c->samples; t++) {
                const float *x = c->x + t * c->stride + c->first;
                sum += x[i] * x[p * PANEL + j];
            }
            to[i * PANEL + j] = sum;
        }
}

static void clip_row(void *context, size_t r, long thread)
{
    const struct clipping *c = context;
    float *w = c->w + r * c->ld + c->first, most = 0;
    float *lost = c->part + 2 * (size_t)thread * SHRINKS * c->padded;
    float *y = lost + SHRINKS * c->padded;
    for (size_t i = 0; i < c->n; i++)
        most = fabsf(w[i]) > most ? fabsf(w[i]) : most;
    for (size_t s = 0; s < SHRINKS; s++) {
        const float limit = most * (1 - (float)s / (2 * SHRINKS));
        float *d = lost + s * c->padded;
        for (size_t i = 0; i < c->n; i++)
            y[i] = w[i] > limit ? limit : w[i] < -limit ? -limit : w[i];
        struct awq whole = *c->a;
        whole.group = 0;
        round_row(&whole, y, c->n, d);
        for (size_t i = 0; i < c->n; i++)
            d[i] -= w[i];
    }
    c->a->kernels->product[PANEL_F32](SHRINKS, c->padded / PANEL, c->n, lost, c->padded, c->moment,
                                      c->n * PANEL, y, c->padded, NULL, false);
    size_t best = 0;
    double least = INFINITY;
    for (size_t s = 0; s < SHRINKS; s++) {
        double sum = 0;
        for (size_t i = 0; i < c->n; i++)
            sum += (double)lost[s * c->padded + i] * (double)y[s * c->padded + i];
        if (sum < least) {
            least = sum;
            best = s;
        }
    }
    if (best == 0)
        return;
    const float limit = most * (1 - (float)best / (2 * SHRINKS));
    for (size_t i = 0; i < c->n; i++)
        w[i] = w[i] > limit ? limit : w[i] < -limit ? -limit : w[i];
    c->clipped[r]++;
}

int awq_clip(const struct awq *a, float *w, size_t rows, size_t cols, size_t ld, const float *x,
             size_t samples, size_t stride, double *share, struct error *e)
{
    const size_t group = group_of(a, cols), threads = (size_t)pool_threads(a->pool);
    const size_t padded = panel_size(group);
    struct clipping c = {.a = a, .w = w, .ld = ld, .rows = rows, .x = x, .samples = samples,
                         .stride = stride};
    int result = -1;
    size_t sum = 0;
    c.moment = memory_new(padded, padded * sizeof *c.moment, "a group's inputs", e);
    c.part = memory_new(threads, 2 * SHRINKS * padded * sizeof *c.part, "a row", e);
    c.clipped = memory_new(rows, sizeof *c.clipped, "counts", e);
    if (!c.moment || !c.part || !c.clipped)
        goto out;
    for (c.first = 0; c.first < cols; c.first += group) {
        c.n = cols - c.first < group ? cols - c.first : group;
        c.padded = panel_size(c.n);
        pool_run(a->pool, c.padded / PANEL, moment_panel, &c);
        pool_run(a->pool, rows, clip_row, &c);
    }
    for (size_t r = 0; r < rows; r++)
        sum += c.clipped[r];
    *share = (double)sum / ((double)rows * (double)((cols + group - 1) / group));
    result = 0;
out:
    free(c.moment);
    free(c.part);
    free(c.clipped);
    return result;
}
