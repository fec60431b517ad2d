/* Second moments and their inverse factor. The work is done by the product kernels, over tiles
 * whose parts stay in the first- and second-level caches: bound by the FMA ports. */
#include "hessian.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrix.h"
#include "memory.h"

enum {
    TILE = 96,     /* rows and columns of a tile: a multiple of the kernels' six and of a panel */
    PANELS = TILE / PANEL,
    K_BLOCK = 256, /* 16 KiB of a panel */
    FEW = 512,     /* up to so many columns double precision costs next to nothing */
};

/* ---- accumulation ------------------------------------------------------------------------------
 */

static size_t triangle(size_t i)
{
    return i * (i + 1) / 2;
}

int hessian_new(struct hessian *h, size_t n, struct error *e)
{
    *h = (struct hessian){.n = n};
    h->sum = memory_new(triangle(n), sizeof *h->sum, "a Hessian", e);
    return h->sum ? 0 : -1;
}

void hessian_free(struct hessian *h)
{
    free(h->sum);
    free(h->settled);
    free(h->turned);
    *h = (struct hessian){0};
}

size_t hessian_bytes(size_t n)
{
    return triangle(n) * sizeof(double);
}

struct adding {
    struct hessian *h;
    const struct kernels *k;
    size_t rows;
    const float *x;
    size_t ldx;
    float *turned; /* (n rounded up, ldt) */
    size_t ldt;
};

static void turn_panel(void *context, size_t p, long thread)
{
    const struct adding *a = context;
    (void)thread;
    for (size_t t = 0; t < a->rows; t++) {
        const float *x = a->x + t * a->ldx + p * PANEL;
        for (size_t j = 0; j < PANEL; j++)
            a->turned[(p * PANEL + j) * a->ldt + t] = p * PANEL + j < a->h->n ? x[j] : 0;
    }
}

/* Tile number i of the lower triangle, rows first: which row and column tile. */
static void tile_place(size_t i, size_t *row, size_t *column)
{
    size_t r = (size_t)((sqrt(8.0 * (double)i + 1) - 1) / 2);
    while (triangle(r) > i)
        r--;
    while (triangle(r + 1) <= i)
        r++;
    *row = r;
    *column = i - triangle(r);
}

static void add_tile(void *context, size_t i, long thread)
{
    const struct adding *a = context;
    struct hessian *h = a->h;
    size_t row, column;
    float panel[PANELS * K_BLOCK * PANEL], sum[TILE * TILE];
    (void)thread;
    tile_place(i, &row, &column);
    row *= TILE;
    column *= TILE;
    const size_t n = panel_size(h->n), rows = n - row < TILE ? n - row : TILE;
    const size_t panels = (n - column < TILE ? n - column : TILE) / PANEL;
    for (size_t t = 0; t < a->rows; t += K_BLOCK) {
        const size_t length = a->rows - t < K_BLOCK ? a->rows - t : K_BLOCK;
        for (size_t p = 0; p < panels; p++) {
            float *to = panel + p * K_BLOCK * PANEL;
            const float *from = a->x + t * a->ldx + column + p * PANEL;
            for (size_t j = 0; j < length; j++)
                memcpy(to + j * PANEL, from + j * a->ldx, PANEL * sizeof *to);
        }
        a->k->product[PANEL_F32](rows, panels, length, a->turned + row * a->ldt + t, a->ldt, panel,
                                 K_BLOCK * PANEL, sum, TILE, NULL, t > 0);
    }
    for (size_t r = row; r < row + rows && r < h->n; r++) {
        double *to = h->sum + triangle(r) + column;
        const float *from = sum + (r - row) * TILE;
        const size_t last = r + 1 - column < TILE ? r + 1 - column : TILE;
        for (size_t j = 0; j < last; j++)
            to[j] += (double)from[j];
    }
}

int hessian_add(struct hessian *h, const struct kernels *k, struct pool *pool, size_t rows,
                const float *x, size_t ldx, struct error *e)
{
    /* Rows a power of two apart would share a few sets of the caches. */
    struct adding a = {h, k, rows, x, ldx, NULL, panel_size(rows) + PANEL};
    const size_t n = panel_size(h->n), tiles = (n + TILE - 1) / TILE;
    if (h->room < n * a.ldt) {
        free(h->turned);
        h->room = 0;
        h->turned = memory_new(n, a.ldt * sizeof *h->turned, "a calibration sample", e);
        if (!h->turned)
            return -1;
        h->room = n * a.ldt;
    }
    a.turned = h->turned;
    pool_run(pool, n / PANEL, turn_panel, &a);
    pool_run(pool, triangle(tiles), add_tile, &a);
    h->samples++;
    return 0;
}

void hessian_identity(struct hessian *h)
{
    for (size_t i = 0; i < h->n; i++)
        h->sum[triangle(i) + i] = 1;
    h->samples = 1;
}

void hessian_settle(struct hessian *h)
{
    const size_t n = triangle(h->n);
    const double scale = 2.0 / (double)(h->samples ? h->samples : 1);
    unsigned char *to = (unsigned char *)h->sum; /* in place, from the start: never ahead */
    if (!h->sum)
        return;
    for (size_t i = 0; i < n; i++) {
        const float x = (float)(h->sum[i] * scale);
        memcpy(to + i * sizeof x, &x, sizeof x);
    }
    void *less = realloc(h->sum, n * sizeof(float));
    h->settled = less ? less : (void *)h->sum;
    h->sum = NULL;
}

float hessian_at(const struct hessian *h, size_t i, size_t j)
{
    if (h->settled)
        return i >= j ? h->settled[triangle(i) + j] : h->settled[triangle(j) + i];
    const double x = i >= j ? h->sum[triangle(i) + j] : h->sum[triangle(j) + i];
    return (float)(x * (2.0 / (double)(h->samples ? h->samples : 1)));
}

/* ---- the factor --------------------------------------------------------------------------------
 */

struct factoring {
    const struct kernels *k;
    struct pool *pool;
    size_t n;       /* rounded up to 16 */
    size_t ld;      /* of a */
    float *a;       /* (n, ld): the reversed matrix, its lower triangle becomes L */
    float *inverse; /* (n, TILE): inverses of the diagonal blocks of L, their signs turned */
    float *panel;   /* (PANELS, n, PANEL): a block column's part of -L, transposed */
    float *m;       /* (n / PANEL, n, PANEL): the inverse of L in panels */
    size_t at, width; /* the block at hand */
};

size_t factor_bytes(size_t n)
{
    const size_t padded = panel_size(n);
    return padded * (padded + PANEL) * sizeof(float) + padded * padded * sizeof(float);
}

static size_t tile_count(size_t n)
{
    return (n + TILE - 1) / TILE;
}

/* y (rows, panels) continues its chains by x (rows, k) with panels, block by block of k. */
static void chain(const struct kernels *kernels, size_t rows, size_t panels, size_t k,
                  const float *x, size_t ldx, const float *w, size_t ldw, float *y, size_t ldy,
                  bool more)
{
    for (size_t i = 0; i < k; i += K_BLOCK)
        kernels->product[PANEL_F32](rows, panels, k - i < K_BLOCK ? k - i : K_BLOCK, x + i, ldx,
                                    w + i * PANEL, ldw, y, ldy, NULL, more || i > 0);
}

/* Rows of the block column at hand: what the columns before take from them. */
static void update_tile(void *context, size_t i, long thread)
{
    const struct factoring *f = context;
    const size_t row = f->at + i * TILE, rows = f->n - row < TILE ? f->n - row : TILE;
    (void)thread;
    chain(f->k, rows, f->width / PANEL, f->at, f->a + row * f->ld, f->ld, f->panel, f->n * PANEL,
          f->a + row * f->ld + f->at, f->ld, true);
}

/* Rows under the diagonal block times the transposed inverse of its factor. */
static void solve_tile(void *context, size_t i, long thread)
{
    const struct factoring *f = context;
    const size_t row = f->at + (i + 1) * TILE, rows = f->n - row < TILE ? f->n - row : TILE;
    float copy[TILE * TILE], w[TILE * TILE];
    const float *inverse = f->inverse + f->at * TILE;
    (void)thread;
    for (size_t r = 0; r < rows; r++)
        memcpy(copy + r * TILE, f->a + (row + r) * f->ld + f->at, f->width * sizeof *copy);
    for (size_t p = 0; p < f->width / PANEL; p++)
        for (size_t c = 0; c < f->width; c++)
            for (size_t j = 0; j < PANEL; j++)
                w[(p * TILE + c) * PANEL + j] = -inverse[(p * PANEL + j) * TILE + c];
    f->k->product[PANEL_F32](rows, f->width / PANEL, f->width, copy, TILE, w, TILE * PANEL,
                             f->a + row * f->ld + f->at, f->ld, NULL, false);
}

/* The diagonal block's factor in place, and minus its inverse. False: not positive definite. */
static bool diagonal_block(struct factoring *f)
{
    float *a = f->a + f->at * f->ld + f->at, *inverse = f->inverse + f->at * TILE;
    const size_t ld = f->ld, n = f->width;
    for (size_t j = 0; j < n; j++) {
        if (!(a[j * ld + j] > 0) || !isfinite(a[j * ld + j]))
            return false;
        const float d = sqrtf(a[j * ld + j]);
        a[j * ld + j] = d;
        for (size_t i = j + 1; i < n; i++)
            a[i * ld + j] /= d;
        for (size_t i = j + 1; i < n; i++)
            for (size_t c = j + 1; c <= i; c++)
                a[i * ld + c] -= a[i * ld + j] * a[c * ld + j];
    }
    memset(inverse, 0, n * TILE * sizeof *inverse);
    for (size_t i = 0; i < n; i++) {
        float *row = inverse + i * TILE;
        const float d = a[i * ld + i];
        for (size_t c = 0; c < i; c++) {
            const float l = a[i * ld + c];
            for (size_t j = 0; j <= c; j++)
                row[j] += l * -inverse[c * TILE + j];
        }
        for (size_t j = 0; j < i; j++)
            row[j] /= d;
        row[i] = -1 / d;
    }
    return true;
}

static bool cholesky(struct factoring *f)
{
    for (f->at = 0; f->at < f->n; f->at += TILE) {
        f->width = f->n - f->at < TILE ? f->n - f->at : TILE;
        for (size_t p = 0; p < f->width / PANEL; p++)
            for (size_t j = 0; j < PANEL; j++) {
                const float *row = f->a + (f->at + p * PANEL + j) * f->ld;
                float *to = f->panel + p * f->n * PANEL + j;
                for (size_t c = 0; c < f->at; c++)
                    to[c * PANEL] = -row[c];
            }
        pool_run(f->pool, tile_count(f->n - f->at), update_tile, f);
        if (!diagonal_block(f))
            return false;
        if (f->at + TILE < f->n)
            pool_run(f->pool, tile_count(f->n - f->at - TILE), solve_tile, f);
    }
    return true;
}

/* Rows of the block at hand, of the panels of one block column, of the inverse of L:
 *   M_bj = -L_bb^-1 sum of L_bk M_kj over k from j to b - 1 */
static void invert_tile(void *context, size_t i, long thread)
{
    const struct factoring *f = context;
    const size_t column = i * TILE, ldw = f->n * PANEL, width = f->width;
    float *m = f->m + column / PANEL * ldw;
    const float *inverse = f->inverse + f->at * TILE;
    (void)thread;
    if (column == f->at) {
        for (size_t p = 0; p < width / PANEL; p++)
            for (size_t r = 0; r < width; r++)
                for (size_t j = 0; j < PANEL; j++)
                    m[p * ldw + (f->at + r) * PANEL + j] = -inverse[r * TILE + p * PANEL + j];
        return;
    }
    float sum[PANELS * TILE * PANEL];
    const float *l = f->a + f->at * f->ld + column;
    for (size_t k = 0; k < f->at - column; k += K_BLOCK) {
        const size_t left = f->at - column - k, length = left < K_BLOCK ? left : K_BLOCK;
        for (size_t p = 0; p < PANELS; p++)
            f->k->product[PANEL_F32](width, 1, length, l + k, f->ld,
                                     m + p * ldw + (column + k) * PANEL, 0, sum + p * TILE * PANEL,
                                     PANEL, NULL, k > 0);
    }
    for (size_t p = 0; p < PANELS; p++)
        f->k->product[PANEL_F32](width, 1, width, inverse, TILE, sum + p * TILE * PANEL, 0,
                                 m + p * ldw + f->at * PANEL, PANEL, NULL, false);
}

static void invert(struct factoring *f)
{
    for (f->at = 0; f->at < f->n; f->at += TILE) {
        f->width = f->n - f->at < TILE ? f->n - f->at : TILE;
        pool_run(f->pool, f->at / TILE + 1, invert_tile, f);
    }
}

struct source_matrix {
    const struct hessian *h;
    const uint32_t *order;
    const uint8_t *dead;
    double damp;
    size_t padded;
};

/* Entry (r, c), r >= c, of the reversed, damped matrix. */
static double entry(const struct source_matrix *s, size_t r, size_t c)
{
    size_t i = s->padded - 1 - r, j = s->padded - 1 - c;
    if (i >= s->h->n || j >= s->h->n)
        return i == j;
    i = s->order ? s->order[i] : i;
    j = s->order ? s->order[j] : j;
    const double x = (double)hessian_at(s->h, i, j);
    return i != j ? x : (s->dead[i] ? 1 : x) + s->damp;
}

struct filling {
    const struct source_matrix *s;
    float *a;
    size_t ld;
};

static void fill_row(void *context, size_t r, long thread)
{
    const struct filling *f = context;
    (void)thread;
    for (size_t c = 0; c <= r; c++)
        f->a[r * f->ld + c] = (float)entry(f->s, r, c);
}

/* 1: done; 0: not positive definite; -1: an error. */
static int factor_f32(float *m, const struct source_matrix *s, const struct kernels *k,
                      struct pool *pool, struct error *e)
{
    struct factoring f = {.k = k, .pool = pool, .n = s->padded, .ld = s->padded + PANEL, .m = m};
    int result = -1;
    f.a = memory_new(f.n, f.ld * sizeof *f.a, "a Hessian's factor", e);
    f.inverse = memory_new(f.n, TILE * sizeof *f.inverse, "a Hessian's factor", e);
    f.panel = memory_new(PANELS, f.n * PANEL * sizeof *f.panel, "a Hessian's factor", e);
    if (f.a && f.inverse && f.panel) {
        pool_run(pool, f.n, fill_row, &(struct filling){s, f.a, f.ld});
        result = cholesky(&f);
        if (result)
            invert(&f);
    }
    free(f.a);
    free(f.inverse);
    free(f.panel);
    return result;
}

/* Chains of four interleaved sums, added as (0 + 1) + (2 + 3). */
static double dot(const double *x, const double *y, size_t n)
{
    double s[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            s[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        s[i % 4] += x[i] * y[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

struct doubles {
    double *l, *t; /* (n, n): L by rows, then its inverse by columns in t */
    size_t n, at;
    float *m;
};

static void double_row(void *context, size_t i, long thread)
{
    const struct doubles *d = context;
    const size_t r = d->at + 1 + i, n = d->n;
    (void)thread;
    d->l[r * n + d->at] = (d->l[r * n + d->at] - dot(d->l + r * n, d->l + d->at * n, d->at)) /
                          d->l[d->at * n + d->at];
}

static void double_column(void *context, size_t c, long thread)
{
    const struct doubles *d = context;
    const size_t n = d->n;
    double *t = d->t + c * n;
    (void)thread;
    t[c] = 1 / d->l[c * n + c];
    for (size_t r = c + 1; r < n; r++)
        t[r] = -dot(d->l + r * n + c, t + c, r - c) / d->l[r * n + r];
    for (size_t r = c; r < n; r++)
        d->m[(c / PANEL * n + r) * PANEL + c % PANEL] = (float)t[r];
}

static int factor_f64(float *m, const struct source_matrix *s, struct pool *pool, struct error *e)
{
    const size_t n = s->padded;
    struct doubles d = {.n = n, .m = m};
    int result = -1;
    d.l = memory_new(n, n * sizeof *d.l, "a Hessian's factor in f64", e);
    d.t = memory_new(n, n * sizeof *d.t, "a Hessian's factor in f64", e);
    if (!d.l || !d.t)
        goto out;
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c <= r; c++)
            d.l[r * n + c] = entry(s, r, c);
    for (d.at = 0; d.at < n; d.at++) {
        double *row = d.l + d.at * n;
        const double pivot = row[d.at] - dot(row, row, d.at);
        if (!(pivot > 0) || !isfinite(pivot)) {
            result = 0;
            goto out;
        }
        row[d.at] = sqrt(pivot);
        pool_run(n - d.at < 256 ? NULL : pool, n - d.at - 1, double_row, &d);
    }
    pool_run(pool, n, double_column, &d);
    result = 1;
out:
    free(d.l);
    free(d.t);
    return result;
}

static void reverse(float *x, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const float t = x[i];
        x[i] = x[n - 1 - i];
        x[n - 1 - i] = t;
    }
}

int factor_new(struct factor *f, const struct hessian *h, const uint32_t *order, double damping,
               enum factor_precision precision, const struct kernels *k, struct pool *pool,
               struct error *e)
{
    const size_t n = h->n, padded = panel_size(n);
    *f = (struct factor){.n = n, .padded = padded, .damping = damping};
    struct source_matrix s = {.h = h, .order = order, .padded = padded};
    f->dead = memory_new(n, 1, "a Hessian's factor", e);
    f->diagonal = memory_new(padded, sizeof *f->diagonal, "a Hessian's factor", e);
    f->panel = memory_new(padded, padded * sizeof *f->panel, "a Hessian's factor", e);
    if (!f->dead || !f->diagonal || !f->panel)
        goto fail;
    s.dead = f->dead;
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        const float d = hessian_at(h, i, i);
        if (!isfinite(d)) {
            error_set(e, "its inputs overflow in column %zu; the weights before are damaged", i);
            goto fail;
        }
        f->dead[i] = d == 0;
        f->dead_count += d == 0;
        mean += d == 0 ? 1 : (double)d;
    }
    mean /= (double)n;
    for (;;) {
        int done = 0;
        s.damp = f->damping * mean;
        if (precision == FACTOR_F32 || (precision == FACTOR_AUTO && n > FEW))
            done = factor_f32(f->panel, &s, k, pool, e);
        if (done == 0) {
            memset(f->panel, 0, padded * padded * sizeof *f->panel);
            done = factor_f64(f->panel, &s, pool, e);
            f->f64 = true;
        }
        if (done < 0)
            goto fail;
        if (done)
            break;
        if (f->damping >= 1) {
            error_set(e, "its Hessian is not positive definite even with damping %g; use other or "
                         "more calibration samples", f->damping);
            goto fail;
        }
        f->damping = f->damping > 0 ? f->damping * 10 : 0.001;
        f->damping = f->damping > 1 ? 1 : f->damping;
    }
    /* From the inverse of L of the reversed matrix to U: rows, columns and lanes turn around. */
    reverse(f->panel, padded * padded);
    for (size_t i = 0; i < padded; i++)
        f->diagonal[i] = f->panel[(i / PANEL * padded + i) * PANEL + i % PANEL];
    return 0;
fail:
    factor_free(f);
    return -1;
}

void factor_free(struct factor *f)
{
    free(f->panel);
    free(f->diagonal);
    free(f->dead);
    *f = (struct factor){0};
}
