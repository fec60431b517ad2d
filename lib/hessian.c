/* Second moments and their inverse factor. The work is done by the product kernels, over tiles
 * whose parts stay in the first- and second-level caches: bound by the FMA ports. */
#include "hessian.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrix.h"
#include "memory.h"
#include "transpose.h"

enum {
    TILE = 96,     /* rows and columns of a tile: a multiple of the kernels' six and of a panel */
    PANELS = TILE / PANEL,
    K_BLOCK = 256, /* 16 KiB of a panel */
    SUM_TILE = 192, /* of sums of products: the larger, the less is read again and again */
    SUM_TILES = 8,
    LDP = (K_BLOCK + 1) * PANEL, /* panels side by side do not share the sets of a cache */
    AHEAD = 8, /* rows of a sample, each in a page of its own: nothing reads ahead by itself */
    STRIP = 48,
    WIDE = 4 * TILE, /* of a factor: what lies before them is read once for so many rows or columns */
    FEW = 512,     /* up to so many columns double precision costs next to nothing */
    SQUARE = 64,   /* of a matrix that is turned */
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
    *h = (struct hessian){0};
}

size_t hessian_bytes(size_t n)
{
    return triangle(n) * sizeof(double);
}

/* Rows a power of two apart would share a few sets of the caches. */
static size_t turned_stride(size_t rows)
{
    return panel_size(rows) + PANEL;
}

size_t hessian_room(size_t rows)
{
    return SUM_TILE * turned_stride(rows) * sizeof(float);
}

struct adding {
    struct hessian *h;
    const struct kernels *k;
    size_t rows;
    const float *x;
    size_t ldx;
    float *turned; /* (threads, SUM_TILE, ldt): columns of x as rows */
    size_t ldt;
};

/* A panel of x, its columns as rows; those beyond n are zeros. */
static void turn_panel(const struct adding *a, size_t p, float *to)
{
    const size_t left = a->h->n - p * PANEL, n = left < PANEL ? left : PANEL;
    transpose_floats(a->rows, n, a->x + p * PANEL, a->ldx, to, a->ldt);
    for (size_t j = n; j < PANEL; j++)
        memset(to + j * a->ldt, 0, a->rows * sizeof *to);
}

/* A tile; one on the diagonal is done in strips, each as far as it has to be. turned: its rows. */
static void add_tile(const struct adding *a, size_t row, size_t column, const float *turned)
{
    struct hessian *h = a->h;
    float panel[SUM_TILE / PANEL * LDP], sum[SUM_TILE * SUM_TILE];
    const size_t n = panel_size(h->n), rows = n - row < SUM_TILE ? n - row : SUM_TILE;
    const size_t panels = (n - column < SUM_TILE ? n - column : SUM_TILE) / PANEL;
    const size_t strip = row == column ? STRIP : SUM_TILE;
    for (size_t t = 0; t < a->rows; t += K_BLOCK) {
        const size_t length = a->rows - t < K_BLOCK ? a->rows - t : K_BLOCK;
        for (size_t j = 0; j < length; j++) {
            const float *from = a->x + (t + j) * a->ldx + column;
            for (size_t p = 0; p < panels; p++) {
                __builtin_prefetch(from + AHEAD * a->ldx + p * PANEL);
                memcpy(panel + p * LDP + j * PANEL, from + p * PANEL, PANEL * sizeof *panel);
            }
        }
        for (size_t r = 0; r < rows; r += strip) {
            const size_t height = rows - r < strip ? rows - r : strip;
            const size_t wide = row == column ? (r + height + PANEL - 1) / PANEL : panels;
            a->k->product[PANEL_F32](height, wide, length, turned + r * a->ldt + t, a->ldt, panel,
                                     LDP, sum + r * SUM_TILE, SUM_TILE, NULL, t > 0);
        }
    }
    for (size_t r = row; r < row + rows && r < h->n; r++) {
        double *to = h->sum + triangle(r) + column;
        const float *from = sum + (r - row) * SUM_TILE;
        const size_t last = r + 1 - column < SUM_TILE ? r + 1 - column : SUM_TILE;
        for (size_t j = 0; j < last; j++)
            to[j] += (double)from[j];
    }
}

static size_t tiles_together(size_t row)
{
    return row / SUM_TILES + 1;
}

/* Up to SUM_TILES tiles of a row of tiles, which take its transposed columns together; the last rows,
 * which have most, first. */
static void add_tiles(void *context, size_t i, long thread)
{
    const struct adding *a = context;
    const size_t n = panel_size(a->h->n);
    float *turned = a->turned + (size_t)thread * SUM_TILE * a->ldt;
    size_t row = (n - 1) / SUM_TILE;
    for (; i >= tiles_together(row); row--)
        i -= tiles_together(row);
    for (size_t p = 0; p < SUM_TILE / PANEL && row * SUM_TILE + p * PANEL < n; p++)
        turn_panel(a, row * SUM_TILE / PANEL + p, turned + p * PANEL * a->ldt);
    for (size_t c = i * SUM_TILES; c <= row && c < (i + 1) * SUM_TILES; c++)
        add_tile(a, row * SUM_TILE, c * SUM_TILE, turned);
}

int hessian_add(struct hessian *h, const struct kernels *k, struct pool *pool, size_t rows,
                const float *x, size_t ldx, float *room, struct error *e)
{
    struct adding a = {h, k, rows, x, ldx, room, turned_stride(rows)};
    float *own = NULL;
    size_t parts = 0;
    if (!room && !(a.turned = own = memory_new((size_t)pool_threads(pool), hessian_room(rows),
                                               "a calibration sample", e)))
        return -1;
    for (size_t row = 0; row * SUM_TILE < h->n; row++)
        parts += tiles_together(row);
    pool_run(pool, parts, add_tiles, &a);
    free(own);
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
    float *a;       /* the reversed matrix, by lower_row(), becomes L */
    float *inverse; /* (n, TILE): inverses of the diagonal blocks of L, their signs turned */
    float *panel;   /* (WIDE / PANEL, n, PANEL): block columns' part of -L, transposed */
    float *m;       /* the inverse of L in panels, by inverse_at() */
    size_t at, width; /* the block, or the blocks, at hand */
    size_t from, to;  /* columns that they have to take into account */
};

size_t factor_rows(size_t padded, size_t panel)
{
    const size_t rows = (panel / FACTOR_PANELS + 1) * FACTOR_PANELS * PANEL;
    return rows < padded ? rows : padded;
}

size_t factor_at(size_t padded, size_t panel)
{
    const size_t group = panel / FACTOR_PANELS, square = FACTOR_PANELS * PANEL;
    return triangle(group) * square * square +
           panel % FACTOR_PANELS * factor_rows(padded, panel) * PANEL;
}

static size_t factor_size(size_t padded)
{
    const size_t last = padded / PANEL - 1;
    return factor_at(padded, last) + factor_rows(padded, last) * PANEL;
}

/* A lower triangle by rows: WIDE of them have the same length. Rows that are a power of two apart
 * would share a few sets of the caches. */
static size_t lower_stride(size_t row)
{
    return (row / WIDE + 1) * WIDE + PANEL;
}

static size_t lower_row(size_t row)
{
    const size_t blocks = row / WIDE;
    return WIDE * (triangle(blocks) * WIDE + blocks * PANEL) + row % WIDE * lower_stride(row);
}

/* Where row r of panel p of the inverse of L lies: what reverse() makes a factor's panel. */
static size_t inverse_at(size_t padded, size_t p, size_t r)
{
    return factor_size(padded) - factor_at(padded, padded / PANEL - 1 - p) - (padded - r) * PANEL;
}

size_t factor_bytes(size_t n, enum factor_precision precision)
{
    const size_t padded = panel_size(n);
    if (precision == FACTOR_F64)
        return 2 * padded * padded * sizeof(double) + factor_size(padded) * sizeof(float);
    return (lower_row(padded) + padded * (TILE + WIDE) + factor_size(padded)) * sizeof(float);
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

/* Rows of the block columns at hand: what the columns before take from them. */
static void update_tile(void *context, size_t i, long thread)
{
    const struct factoring *f = context;
    const size_t row = f->at + i * TILE, rows = f->n - row < TILE ? f->n - row : TILE;
    const size_t width = row + rows - f->at < f->width ? row + rows - f->at : f->width;
    float *a = f->a + lower_row(row);
    (void)thread;
    chain(f->k, rows, width / PANEL, f->to - f->from, a + f->from, lower_stride(row),
          f->panel + f->from * PANEL, f->n * PANEL, a + f->at, lower_stride(row), true);
}

/* The block columns from `at` on take the columns from .. to - 1 into account. */
static void update(struct factoring *f, size_t at, size_t width, size_t from, size_t to)
{
    f->at = at;
    f->width = width;
    f->from = from;
    f->to = to;
    for (size_t p = 0; p < width / PANEL; p++)
        for (size_t first = from; first < to; first += SQUARE)
            for (size_t j = 0; j < PANEL; j++) {
                const float *row = f->a + lower_row(at + p * PANEL + j);
                float *out = f->panel + p * f->n * PANEL + j;
                for (size_t c = first; c < to && c < first + SQUARE; c++)
                    out[c * PANEL] = -row[c];
            }
    if (from < to)
        pool_run(f->pool, tile_count(f->n - at), update_tile, f);
}

/* Rows under the diagonal block times the transposed inverse of its factor. */
static void solve_tile(void *context, size_t i, long thread)
{
    const struct factoring *f = context;
    const size_t row = f->at + (i + 1) * TILE, rows = f->n - row < TILE ? f->n - row : TILE;
    const size_t ld = lower_stride(row);
    float copy[TILE * TILE], w[TILE * TILE], *a = f->a + lower_row(row) + f->at;
    const float *inverse = f->inverse + f->at * TILE;
    (void)thread;
    for (size_t r = 0; r < rows; r++)
        memcpy(copy + r * TILE, a + r * ld, f->width * sizeof *copy);
    for (size_t p = 0; p < f->width / PANEL; p++)
        for (size_t c = 0; c < f->width; c++)
            for (size_t j = 0; j < PANEL; j++)
                w[(p * TILE + c) * PANEL + j] = -inverse[(p * PANEL + j) * TILE + c];
    f->k->product[PANEL_F32](rows, f->width / PANEL, f->width, copy, TILE, w, TILE * PANEL, a, ld,
                             NULL, false);
}

/* The diagonal block's factor in place, and minus its inverse. False: not positive definite. */
static bool diagonal_block(struct factoring *f)
{
    float *a = f->a + lower_row(f->at) + f->at, *inverse = f->inverse + f->at * TILE;
    const size_t ld = lower_stride(f->at), n = f->width;
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
    for (size_t first = 0, last; first < f->n; first = last) {
        last = f->n - first < WIDE ? f->n : first + WIDE;
        update(f, first, last - first, 0, first);
        for (size_t at = first; at < last; at += TILE) {
            update(f, at, last - at < TILE ? last - at : TILE, first, at);
            if (!diagonal_block(f))
                return false;
            if (at + TILE < f->n)
                pool_run(f->pool, tile_count(f->n - at - TILE), solve_tile, f);
        }
    }
    return true;
}

/* A diagonal block of the inverse of L. */
static void invert_diagonal(const struct factoring *f, size_t at, size_t width)
{
    const float *inverse = f->inverse + at * TILE;
    for (size_t p = 0; p < width / PANEL; p++)
        for (size_t r = p * PANEL; r < width; r++)
            for (size_t j = 0; j < PANEL; j++)
                f->m[inverse_at(f->n, at / PANEL + p, at + r) + j] =
                    -inverse[r * TILE + p * PANEL + j];
}

/* Rows of the blocks at hand, of the panels of one block column, of the inverse of L:
 *   M_bj = -L_bb^-1 sum of L_bk M_kj over k from j to b - 1 */
static void invert_tile(void *context, size_t i, long thread)
{
    const struct factoring *f = context;
    const size_t column = i * TILE, last = f->at + f->width, ld = lower_stride(f->at);
    const size_t from = column < f->at ? f->at : column;
    const float *l = f->a + lower_row(f->at);
    float sum[PANELS * WIDE * PANEL];
    (void)thread;
    for (size_t k = column, n; k < f->at; k += n) {
        n = f->at - k < K_BLOCK ? f->at - k : K_BLOCK;
        for (size_t p = 0; p < PANELS; p++) {
            const size_t skip = k == column ? p * PANEL : 0; /* zeros, some of them not there */
            f->k->product[PANEL_F32](f->width, 1, n - skip, l + k + skip, ld,
                                     f->m + inverse_at(f->n, column / PANEL + p, k + skip), 0,
                                     sum + p * WIDE * PANEL, PANEL, NULL, k > column);
        }
    }
    for (size_t at = from; at < last; at += TILE) {
        const size_t rows = last - at < TILE ? last - at : TILE;
        if (at == column) {
            invert_diagonal(f, at, rows);
            continue;
        }
        for (size_t p = 0; p < PANELS; p++) {
            const size_t skip = from == column ? p * PANEL : 0;
            float *part = sum + (p * WIDE + at - f->at) * PANEL;
            float *m = f->m + inverse_at(f->n, column / PANEL + p, at);
            chain(f->k, rows, 1, at - from - skip, l + (at - f->at) * ld + from + skip, ld,
                  m - (at - from - skip) * PANEL, 0, part, PANEL, column < f->at);
            f->k->product[PANEL_F32](rows, 1, rows, f->inverse + at * TILE, TILE, part, 0, m, PANEL,
                                     NULL, false);
        }
    }
}

static void invert(struct factoring *f)
{
    for (f->at = 0; f->at < f->n; f->at += WIDE) {
        f->width = f->n - f->at < WIDE ? f->n - f->at : WIDE;
        pool_run(f->pool, tile_count(f->at + f->width), invert_tile, f);
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
};

/* Rows of the reversed matrix, in squares: the columns of H are their rows. */
static void fill_rows(void *context, size_t block, long thread)
{
    const struct filling *f = context;
    const struct source_matrix *s = f->s;
    const bool plain = s->h->settled && !s->order && s->h->n == s->padded;
    const size_t row = block * SQUARE, end = s->padded - row < SQUARE ? s->padded : row + SQUARE;
    const size_t ld = lower_stride(row);
    float *a = f->a + lower_row(row);
    (void)thread;
    for (size_t column = 0; column < end; column += SQUARE)
        for (size_t c = column; c < column + SQUARE && c < end; c++) {
            const size_t j = s->padded - 1 - c;
            const float *h = plain ? s->h->settled + triangle(j) + s->padded - 1 : NULL;
            size_t r = row > c ? row : c;
            if (r == c) {
                a[(r - row) * ld + c] = (float)entry(s, r, c);
                r++;
            }
            for (; r < end; r++)
                a[(r - row) * ld + c] = plain ? *(h - r) : (float)entry(s, r, c);
        }
}

/* The columns of L divided by their diagonal, reversed and in panels. */
struct turning {
    const float *l;     /* by lower_row(); or */
    const double *wide; /* (n, n) */
    size_t n;
    float *panel;
};

static void turn_rows(void *context, size_t block, long thread)
{
    const struct turning *t = context;
    const size_t first = block * SQUARE, last = t->n - first < SQUARE ? t->n : first + SQUARE;
    (void)thread;
    for (size_t p = first / PANEL; p < t->n / PANEL; p++) {
        double d[PANEL];
        for (size_t q = 0; q < PANEL; q++) {
            const size_t c = t->n - 1 - p * PANEL - q;
            d[q] = t->wide ? t->wide[c * t->n + c] : (double)t->l[lower_row(c) + c];
        }
        for (size_t i = first; i < last && i < (p + 1) * PANEL; i++) {
            const size_t r = t->n - 1 - i, c = t->n - 1 - p * PANEL;
            const size_t at = (t->wide ? r * t->n : lower_row(r)) + c;
            float *to = t->panel + factor_at(t->n, p) + i * PANEL;
            for (size_t q = i > p * PANEL ? i - p * PANEL : 0; q < PANEL; q++)
                to[q] = t->wide ? (float)(t->wide[at - q] / d[q]) : t->l[at - q] / (float)d[q];
        }
    }
}

/* From the inverse of L of the reversed matrix to U: rows, columns and lanes turn around. */
static void reverse(struct factor *f)
{
    typedef float quad __attribute__((vector_size(16)));
    const size_t n = factor_size(f->padded); /* a multiple of 256 */
    for (size_t i = 0; i < n / 2; i += 4) {
        quad a, b;
        memcpy(&a, f->panel + i, sizeof a);
        memcpy(&b, f->panel + n - 4 - i, sizeof b);
        a = __builtin_shufflevector(a, a, 3, 2, 1, 0);
        b = __builtin_shufflevector(b, b, 3, 2, 1, 0);
        memcpy(f->panel + i, &b, sizeof b);
        memcpy(f->panel + n - 4 - i, &a, sizeof a);
    }
    for (size_t i = 0; i < f->padded; i++)
        f->diagonal[i] = f->panel[factor_at(f->padded, i / PANEL) + i * PANEL + i % PANEL];
}

/* 1: done; 0: not positive definite; -1: an error. spent: the matrix's Hessian, of which nothing more is
 * needed once L is there; or NULL. The factor's panel is made. */
static int factor_f32(struct factor *to, const struct source_matrix *s, struct hessian *spent,
                      const struct kernels *k, struct pool *pool, struct error *e)
{
    struct factoring f = {.k = k, .pool = pool, .n = s->padded};
    int result = -1;
    f.a = memory_new(lower_row(f.n), sizeof *f.a, "a Hessian's factor", e);
    f.inverse = memory_new(f.n, TILE * sizeof *f.inverse, "a Hessian's factor", e);
    f.panel = memory_new(WIDE / PANEL, f.n * PANEL * sizeof *f.panel, "a Hessian's factor", e);
    if (!f.a || !f.inverse || !f.panel)
        goto out;
    pool_run(pool, (f.n + SQUARE - 1) / SQUARE, fill_rows, &(struct filling){s, f.a});
    if (!cholesky(&f)) {
        result = 0;
        goto out;
    }
    if (spent)
        hessian_free(spent);
    if (!(to->panel = f.m = memory_new(factor_size(f.n), sizeof *f.m, "a Hessian's factor", e)))
        goto out;
    if (to->direct) {
        pool_run(pool, (f.n + SQUARE - 1) / SQUARE, turn_rows,
                 &(struct turning){.l = f.a, .n = f.n, .panel = f.m});
        for (size_t i = 0; i < f.n; i++)
            to->diagonal[i] = 1 / f.a[lower_row(f.n - 1 - i) + f.n - 1 - i];
    } else {
        invert(&f);
        reverse(to);
    }
    result = 1;
out:
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
        d->m[inverse_at(n, c / PANEL, r) + c % PANEL] = (float)t[r];
}

static int factor_f64(struct factor *to, const struct source_matrix *s, struct pool *pool,
                      struct error *e)
{
    const size_t n = s->padded;
    struct doubles d = {.n = n};
    int result = -1;
    d.l = memory_new(n, n * sizeof *d.l, "a Hessian's factor in f64", e);
    if (!d.l)
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
    if (!(to->panel = d.m = memory_new(factor_size(n), sizeof *d.m, "a Hessian's factor", e)))
        goto out;
    if (to->direct) {
        pool_run(pool, (n + SQUARE - 1) / SQUARE, turn_rows,
                 &(struct turning){.wide = d.l, .n = n, .panel = d.m});
        for (size_t i = 0; i < n; i++)
            to->diagonal[i] = (float)(1 / d.l[(n - 1 - i) * (n + 1)]);
    } else {
        if (!(d.t = memory_new(n, n * sizeof *d.t, "a Hessian's factor in f64", e)))
            goto out;
        pool_run(pool, n, double_column, &d);
        reverse(to);
    }
    result = 1;
out:
    free(d.l);
    free(d.t);
    return result;
}

/* spent: h, or NULL where it has to stay. */
static int make_factor(struct factor *f, const struct hessian *h, struct hessian *spent,
                       const uint32_t *order, const struct factor_options *o,
                       const struct kernels *k, struct pool *pool, struct error *e)
{
    const size_t n = h->n, padded = panel_size(n);
    *f = (struct factor){.n = n, .padded = padded, .direct = o->direct, .damping = o->damping};
    struct source_matrix s = {.h = h, .order = order, .padded = padded};
    f->dead = memory_new(n, 1, "a Hessian's factor", e);
    f->diagonal = memory_new(padded, sizeof *f->diagonal, "a Hessian's factor", e);
    if (!f->dead || !f->diagonal)
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
        if (o->precision == FACTOR_F32 || (o->precision == FACTOR_AUTO && n > FEW))
            done = factor_f32(f, &s, spent, k, pool, e);
        if (done == 0) {
            done = factor_f64(f, &s, pool, e);
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
    return 0;
fail:
    factor_free(f);
    return -1;
}

int factor_new(struct factor *f, const struct hessian *h, const uint32_t *order,
               const struct factor_options *o, const struct kernels *k, struct pool *pool,
               struct error *e)
{
    return make_factor(f, h, NULL, order, o, k, pool, e);
}

int factor_take(struct factor *f, struct hessian *h, const uint32_t *order,
                const struct factor_options *o, const struct kernels *k, struct pool *pool,
                struct error *e)
{
    const int result = make_factor(f, h, h, order, o, k, pool, e);
    hessian_free(h);
    return result;
}

void factor_free(struct factor *f)
{
    free(f->panel);
    free(f->diagonal);
    free(f->dead);
    *f = (struct factor){0};
}
