/* The column sweep of SparseGPT and GPTQ. */
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrix.h"
#include "memory.h"
#include "quantize.h"
#include "sweep_kernel.h"
#include "transpose.h"

enum {
    TILE = 192, /* rows whose part of a block is updated together */
    SKIP_TILE = 384,
    LANES = SWEEP_LANES, /* rows that are swept together, one a lane */
    K_BLOCK = 256,
    FAR = 512, /* columns that are brought up to date together */
    NEAR = 16, /* columns that are swept before those behind them in the block are touched */
    BLOCK_MAX = 1024,
    BIN_BITS = 11, /* counts that fit the first-level cache */
    BINS = 1 << BIN_BITS,
};

/* Of pruned columns' errors all but those of removed weights are zero: skipping them pays below this
 * share. */
static const double SKIP = 0.75;

struct state {
    struct sweep *s;
    const struct sweep_kernels *kernels;
    size_t ld, groups;
    float *err; /* (most, ld): minus the errors; with a direct factor W until a column is reached */
    size_t *done;   /* (panels): columns that a panel of w has taken into account */
    uint16_t *kept; /* (row groups, cols): bit l: row l's weight is not zero; or NULL */
    bool skip;
    size_t first, last; /* columns of the block */
    size_t ready;       /* and the last of the groups that begin in it */
    float *inverse;     /* (ready - first, in panels): stale_weights() */
    float *stale;       /* (threads, 2, LANES, ready - first) */
    struct sweep_block block;
    float *near, *across;
    size_t panel, panels; /* to be brought up to date to column `upto` */
    size_t upto;
    uint32_t low, shift; /* a threshold is looked for among numbers low .. */
    size_t *count;       /* (threads, BINS) */
    uint32_t *saliency;  /* (threads, block) */
    float *scratch;      /* (threads, block, 5 LANES) */
};

size_t sweep_stride(size_t cols)
{
    return panel_size(cols) + PANEL;
}

static const struct sweep_kernels *kernels_for(enum cpu_level level)
{
#if defined(__x86_64__)
    if (level >= CPU_AVX2)
        return level >= CPU_AVX512 ? &sweep_avx512 : &sweep_avx2;
#endif
    (void)level;
    return &sweep_scalar;
}

/* Grids come from the weights, group by group on the way. */
static bool finds_grids(const struct sweep *s)
{
    return s->bits && !s->grid_of && s->group < s->cols;
}

/* ---- what earlier columns do to a block --------------------------------------------------------
 */

static void update_tile(void *context, size_t i, long thread)
{
    const struct state *t = context;
    const struct factor *f = t->s->factor;
    const size_t row = i * TILE, rows = t->s->rows - row < TILE ? t->s->rows - row : TILE;
    (void)thread;
    for (size_t k = t->done[t->panel], n; k < t->upto; k += n) {
        n = t->upto - k < K_BLOCK ? t->upto - k : K_BLOCK;
        t->s->kernels->product[PANEL_F32](rows, t->panels, n, t->err + row * t->ld + k, t->ld,
                                          f->panel + factor_at(f->padded, t->panel) + k * PANEL,
                                          factor_rows(f->padded, t->panel) * PANEL,
                                          t->s->w + row * t->ld + t->panel * PANEL, t->ld, NULL,
                                          true);
    }
}

/* The same where many errors are zero. A part of U is copied for many rows; what they become stays in
 * the second-level cache while errors stream by. */
static void skip_tile(void *context, size_t i, long thread)
{
    const struct state *t = context;
    const struct factor *f = t->s->factor;
    const size_t row = i * SKIP_TILE, rows = t->s->rows - row < SKIP_TILE ? t->s->rows - row : SKIP_TILE;
    const size_t end = t->panel + t->panels, step = SWEEP_SKIP_COLUMNS / PANEL;
    _Alignas(64) float u[SWEEP_SKIP_ROWS * SWEEP_SKIP_COLUMNS];
    (void)thread;
    for (size_t p = t->panel, panels; p < end; p += panels) {
        panels = end - p < step ? end - p : step;
        for (size_t k = t->done[t->panel], n; k < t->upto; k += n) {
            n = t->upto - k < SWEEP_SKIP_ROWS ? t->upto - k : SWEEP_SKIP_ROWS;
            for (size_t q = 0; q < panels; q++)
                for (size_t c = 0; c < n; c++)
                    memcpy(u + c * SWEEP_SKIP_COLUMNS + q * PANEL,
                           f->panel + factor_at(f->padded, p + q) + (k + c) * PANEL,
                           PANEL * sizeof *u);
            t->kernels->skip_product(rows, panels, n, t->err + row * t->ld + k, t->ld, u,
                                     t->s->w + row * t->ld + p * PANEL, t->ld);
        }
    }
}

/* The panels of columns first .. last - 1 take all columns before `upto` into account. */
static void update(struct state *t, size_t first, size_t last, size_t upto)
{
    const size_t end = (last + PANEL - 1) / PANEL, tile = t->skip ? SKIP_TILE : TILE;
    t->upto = upto;
    for (t->panel = first / PANEL; t->panel < end; t->panel += t->panels) {
        t->panels = 1;
        while (t->panel + t->panels < end && (t->panel + t->panels) % FACTOR_PANELS &&
               t->done[t->panel + t->panels] == t->done[t->panel])
            t->panels++;
        if (t->done[t->panel] < upto)
            pool_run(t->s->pool, (t->s->rows + tile - 1) / tile, t->skip ? skip_tile : update_tile, t);
        for (size_t p = t->panel; p < t->panel + t->panels; p++)
            t->done[p] = upto;
    }
}

/* ---- the threshold of a block ------------------------------------------------------------------
 */

static void count_rows(void *context, size_t i, long thread)
{
    const struct state *t = context;
    size_t *count = t->count + (size_t)thread * BINS;
    uint32_t *u = t->saliency + (size_t)thread * t->s->block;
    float square[BLOCK_MAX];
    const size_t n = t->last - t->first;
    for (size_t c = 0; c < n; c++)
        square[c] = t->block.diagonal[c] * t->block.diagonal[c];
    for (size_t r = i * TILE; r < t->s->rows && r < (i + 1) * TILE; r++) {
        t->kernels->saliencies(t->s->w + r * t->ld + t->first, square, n, u);
        for (size_t c = 0; c < n; c++) {
            const uint32_t bin = (u[c] - t->low) >> t->shift;
            if (bin < BINS)
                count[bin]++;
        }
    }
}

/* Narrows down to the bin of the k-th smallest (from 0); *k becomes its rank within the bin. */
static void select_bin(struct state *t, size_t *k)
{
    const size_t threads = (size_t)pool_threads(t->s->pool);
    uint32_t b = 0;
    memset(t->count, 0, threads * BINS * sizeof *t->count);
    pool_run(t->s->pool, (t->s->rows + TILE - 1) / TILE, count_rows, t);
    for (;; b++) {
        size_t n = 0;
        for (size_t i = 0; i < threads; i++)
            n += t->count[i * BINS + b];
        if (n > *k || b == BINS - 1)
            break;
        *k -= n;
    }
    t->low += b << t->shift;
}

/* Saliencies are not negative: 31 bits. */
static float find_threshold(struct state *t)
{
    const size_t total = t->s->rows * (t->last - t->first);
    size_t k = (size_t)((double)total * t->s->sparsity);
    float x;
    if (k >= total)
        k = total - 1;
    t->low = 0;
    for (uint32_t left = 31; left > 0; left = t->shift) {
        t->shift = left > BIN_BITS ? left - BIN_BITS : 0;
        select_bin(t, &k);
    }
    memcpy(&x, &t->low, sizeof x);
    return x;
}

/* ---- the sweep over a block --------------------------------------------------------------------
 */

/* out[l * ld + c] = codes[c * LANES + l] for rows l and columns c, in squares of 16: four times the first
 * half is interleaved with the second. */
static void turn_codes(const uint8_t *codes, size_t rows, size_t cols, uint8_t *out, size_t ld)
{
    typedef uint8_t line __attribute__((vector_size(LANES)));
    for (size_t c = 0; c < cols; c += LANES) {
        const size_t n = cols - c < LANES ? cols - c : LANES;
        line a[LANES] = {{0}}, b[LANES];
        memcpy(a, codes + c * LANES, n * sizeof *a);
        for (int step = 0; step < 4; step++) {
            for (size_t i = 0; i < LANES / 2; i++) {
                b[2 * i] = __builtin_shufflevector(a[i], a[i + LANES / 2], 0, 16, 1, 17, 2, 18, 3,
                                                   19, 4, 20, 5, 21, 6, 22, 7, 23);
                b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + LANES / 2], 8, 24, 9, 25, 10, 26,
                                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            }
            memcpy(a, b, sizeof a);
        }
        for (size_t l = 0; l < rows; l++)
            memcpy(out + l * ld + c, &a[l], n);
    }
}

/* The rows from `row` on as they are before the block: columns first .. ready - 1 as those before
 * `first` left them, which a direct factor does not say. With V those of T^-1 of these columns, its
 * rows divided by their first entry, and s what w has taken into account so far: W + s V. */
static const float *stale_weights(const struct state *t, size_t row, size_t rows, float *room)
{
    const size_t n = t->ready - t->first, ld = panel_size(n);
    float *sum = room, *stale = room + LANES * ld;
    for (size_t l = 0; l < rows; l++) {
        const float *w = t->s->w + (row + l) * t->ld + t->first;
        const float *was = t->err + (row + l) * t->ld + t->first;
        for (size_t c = 0; c < n; c++) {
            sum[l * ld + c] = w[c] - was[c];
            stale[l * ld + c] = was[c];
        }
    }
    for (size_t p = 0; p < ld / PANEL; p++)
        t->s->kernels->product[PANEL_F32](rows, 1, n < (p + 1) * PANEL ? n : (p + 1) * PANEL, sum, ld,
                                          t->inverse + p * ld * PANEL, 0, stale + p * PANEL, ld, NULL,
                                          true);
    return stale;
}

/* V, from the last row up: V_m = e_m - sum of T_mk V_k over k > m. */
static void invert_block(struct state *t)
{
    const struct factor *f = t->s->factor;
    const size_t n = t->ready - t->first, ld = panel_size(n);
    float *x = t->stale, *v = t->stale + ld;
    memset(t->inverse, 0, ld * ld * sizeof *t->inverse);
    for (size_t m = n; m-- > 0;) {
        memset(v, 0, ld * sizeof *v);
        v[m] = 1;
        for (size_t k = m + 1; k < n; k++) {
            const size_t column = t->first + k;
            x[k] = -f->panel[factor_at(f->padded, column / PANEL) + (t->first + m) * PANEL +
                             column % PANEL];
        }
        t->s->kernels->product[PANEL_F32](1, ld / PANEL, n - m - 1, x + m + 1, 0,
                                          t->inverse + (m + 1) * PANEL, ld * PANEL, v, 0, NULL, true);
        for (size_t c = m / PANEL * PANEL; c < n; c++)
            t->inverse[(c / PANEL * ld + m) * PANEL + c % PANEL] = v[c];
    }
}

/* Fills the grids of the rows from `row` on, of the groups that begin in the block: from the weights
 * as they are before it. */
static void find_grids(const struct state *t, size_t row, size_t rows, long thread)
{
    const struct sweep *s = t->s;
    const size_t first = (t->first + s->group - 1) / s->group;
    const float *w = s->w + row * t->ld + t->first;
    size_t ld = t->ld;
    if (t->block.direct && t->first && first * s->group < t->last) {
        ld = panel_size(t->ready - t->first);
        w = stale_weights(t, row, rows, t->stale + (size_t)thread * 2 * LANES * ld);
    }
    for (size_t g = first, c; (c = g * s->group) < t->last; g++) {
        const size_t n = s->cols - c < s->group ? s->cols - c : s->group;
        for (size_t r = 0; r < rows; r++)
            quantize_grid_search(s->kernels, w + r * ld + c - t->first, n, s->bits, s->symmetric, s->mse,
                                 &s->scale[(row + r) * t->groups + g],
                                 &s->zero[(row + r) * t->groups + g]);
    }
}

/* The grids of each column of the block, rows as lanes: (n, LANES) each. */
static void spread_grids(const struct state *t, size_t row, size_t rows, float *scale, float *zero)
{
    const struct sweep *s = t->s;
    for (size_t c = 0, last = SIZE_MAX; c < t->block.n; c++, scale += LANES, zero += LANES) {
        const size_t column = t->first + c, g = s->grid_of ? s->grid_of[column] : column / s->group;
        if (g == last) {
            memcpy(scale, scale - LANES, LANES * sizeof *scale);
            memcpy(zero, zero - LANES, LANES * sizeof *zero);
            continue;
        }
        last = g;
        for (size_t l = 0; l < LANES; l++) {
            scale[l] = l < rows ? s->scale[(row + l) * t->groups + g] : 1;
            zero[l] = l < rows ? (float)s->zero[(row + l) * t->groups + g] : 0;
        }
    }
}

static void sweep_group(void *context, size_t i, long thread)
{
    const struct state *t = context;
    const struct sweep *s = t->s;
    const size_t row = i * LANES, rows = s->rows - row < LANES ? s->rows - row : LANES;
    const size_t n = t->block.n, part = s->block * LANES;
    float *b = t->scratch + (size_t)thread * 5 * part, *scale = b + 2 * part, *zero = b + 3 * part;
    float *w = s->w + row * t->ld + t->first, *err = t->err + row * t->ld + t->first;
    const struct sweep_rows r = {.w = b,
                                 .err = b + part,
                                 .scale = scale,
                                 .zero = zero,
                                 .lost = (int32_t *)scale,
                                 .kept = t->kept ? t->kept + i * s->cols + t->first : NULL,
                                 .codes = (uint8_t *)(b + 4 * part)};
    if (rows < LANES)
        memset(b, 0, 2 * part * sizeof *b);
    transpose_floats(rows, n, w, t->ld, r.w, LANES);
    if (t->block.direct)
        transpose_floats(rows, n, err, t->ld, r.err, LANES);
    if (s->bits) {
        if (finds_grids(s))
            find_grids(t, row, rows, thread);
        spread_grids(t, row, rows, scale, zero);
    }
    t->kernels->block(&t->block, &r);
    transpose_floats(n, rows, r.w, LANES, w, t->ld);
    transpose_floats(n, rows, r.err, LANES, err, t->ld);
    if (s->bits)
        turn_codes(r.codes, rows, n, s->codes + row * s->cols + t->first, s->cols);
}

/* U of the block by rows and by columns. */
static void copy_factor(struct state *t)
{
    const struct factor *f = t->s->factor;
    const size_t near = t->block.near_cols;
    for (size_t c = 0; c < t->block.n; c++)
        for (size_t j = c + 1; j < t->block.n; j++) {
            const size_t column = t->first + j;
            const float u = f->panel[factor_at(f->padded, column / PANEL) + (t->first + c) * PANEL +
                                     column % PANEL];
            t->across[j * t->block.stride + c] = u;
            if (j / near == c / near)
                t->near[c * near + j % near] = u;
        }
}

static void run_block(struct state *t)
{
    struct sweep *s = t->s;
    t->ready = t->last;
    if (finds_grids(s)) {
        /* The last group that begins in the block reaches beyond it. */
        const size_t begin = (t->last - 1) / s->group * s->group;
        const size_t end = begin + s->group < s->cols ? begin + s->group : s->cols;
        if (begin >= t->first && end > t->ready)
            t->ready = end;
    }
    update(t, t->first, t->ready, t->first);
    t->block.n = t->last - t->first;
    t->block.diagonal = s->factor->diagonal + t->first;
    copy_factor(t);
    if (t->inverse && t->first)
        invert_block(t);
    /* The unstructured mask of a block is chosen before its first column changes. */
    if (!s->bits && !s->m)
        t->block.threshold = find_threshold(t);
    pool_run(s->pool, (s->rows + LANES - 1) / LANES, sweep_group, t);
}

/* From left to right: a column's chain takes the columns before it in ascending order, those of
 * earlier FAR columns together, then block by block. */
static void run_blocks(struct state *t)
{
    const struct sweep *s = t->s;
    const size_t far = FAR > s->block ? FAR / s->block * s->block : s->block;
    for (t->first = 0; t->first < s->cols; t->first = t->last) {
        t->last = s->cols - t->first < s->block ? s->cols : t->first + s->block;
        if (t->first % far == 0)
            update(t, t->first, s->cols - t->first < far ? s->cols : t->first + far, t->first);
        run_block(t);
    }
}

static void prepare(struct state *t)
{
    struct sweep *s = t->s;
    const size_t m = (size_t)s->m;
    t->block = (struct sweep_block){.near_cols = m == 0 ? NEAR : m < NEAR ? NEAR / m * m : m,
                                    .near = t->near,
                                    .across = t->across,
                                    .stride = s->block,
                                    .direct = s->factor->direct,
                                    .m = m,
                                    .gone = s->m - s->n,
                                    .top = s->bits ? (float)((1 << s->bits) - 1) : 0,
                                    .product = s->kernels->product[PANEL_F32]};
    if (t->kept)
        memset(t->kept, 0, (s->rows + LANES - 1) / LANES * s->cols * sizeof *t->kept);
    memset(t->done, 0, panel_size(s->cols) / PANEL * sizeof *t->done);
    t->skip = !s->bits && (m ? (double)t->block.gone / (double)m : s->sparsity) <= SKIP;
    for (size_t r = 0; r < s->rows; r++) {
        const float *w = s->w + r * t->ld;
        if (t->block.direct)
            memcpy(t->err + r * t->ld, w, s->cols * sizeof *w);
        for (size_t c = 0; t->kept && c < s->cols; c++) {
            uint16_t *kept = &t->kept[r / LANES * s->cols + c];
            *kept = (uint16_t)(*kept | (unsigned)(w[c] != 0) << r % LANES);
        }
    }
}

/* Rows have nothing to do with each other but for the threshold of unstructured masks: few of them,
 * with their errors, stay in the caches. */
static size_t rows_together(const struct sweep *s)
{
    const size_t wanted = 2 * SKIP_TILE * (size_t)((pool_threads(s->pool) + 1) / 2);
    return (s->bits || s->m) && wanted < s->rows ? wanted : s->rows;
}

static void run_rows(const struct state *all, size_t most)
{
    const struct sweep *whole = all->s;
    struct sweep s = *whole;
    struct state t = *all;
    t.s = &s;
    for (size_t row = 0; row < whole->rows; row += most) {
        s.rows = whole->rows - row < most ? whole->rows - row : most;
        s.w = whole->w + row * t.ld;
        if (s.bits) {
            s.scale = whole->scale + row * t.groups;
            s.zero = whole->zero + row * t.groups;
            s.codes = whole->codes + row * s.cols;
        }
        prepare(&t);
        run_blocks(&t);
    }
}

int sweep_run(struct sweep *s, struct error *e)
{
    struct state t = {.s = s, .kernels = kernels_for(s->kernels->level), .ld = sweep_stride(s->cols)};
    const size_t panels = panel_size(s->cols) / PANEL, threads = (size_t)pool_threads(s->pool);
    const size_t near = s->m > NEAR ? (size_t)s->m : NEAR;
    const size_t most = rows_together(s);
    int result = -1;
    if (s->block > BLOCK_MAX || s->block % PANEL)
        return error_set(e, "blocks of %zu columns: use a multiple of 16 up to %d", s->block,
                         BLOCK_MAX);
    if (s->group == 0 || s->group > s->cols)
        s->group = s->cols;
    t.groups = (s->cols + s->group - 1) / s->group;
    t.err = memory_new(most, t.ld * sizeof *t.err, "a matrix's errors", e);
    t.done = memory_new(panels, sizeof *t.done, "a matrix", e);
    t.across = memory_new(s->block, s->block * sizeof *t.across, "a matrix", e);
    t.near = memory_new(s->block, near * sizeof *t.near, "a matrix", e);
    t.scratch = memory_new(threads, 5 * s->block * LANES * sizeof *t.scratch, "a matrix", e);
    t.count = memory_new(threads, BINS * sizeof *t.count, "counting", e);
    t.saliency = memory_new(threads, s->block * sizeof *t.saliency, "counting", e);
    if (!t.err || !t.done || !t.across || !t.near || !t.scratch || !t.count || !t.saliency)
        goto out;
    if (s->bits && s->keep_zeros &&
        !(t.kept = memory_new((most + LANES - 1) / LANES, s->cols * sizeof *t.kept, "a mask", e)))
        goto out;
    if (s->factor->direct && finds_grids(s)) {
        const size_t room = panel_size(s->block + s->group);
        t.inverse = memory_new(room, room * sizeof *t.inverse, "grids", e);
        t.stale = memory_new(threads, 2 * LANES * room * sizeof *t.stale, "grids", e);
        if (!t.inverse || !t.stale)
            goto out;
    }
    if (s->bits || s->m || s->sparsity > 0)
        run_rows(&t, most);
    result = 0;
out:
    free(t.err);
    free(t.done);
    free(t.across);
    free(t.near);
    free(t.scratch);
    free(t.count);
    free(t.saliency);
    free(t.kept);
    free(t.inverse);
    free(t.stale);
    return result;
}
