/* The column sweep of SparseGPT and GPTQ. */
#include "sweep.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "matrix.h"
#include "memory.h"
#include "quantize.h"

enum {
    TILE = 96, /* rows whose part of a block is updated together */
    LANES = PANEL, /* rows that are swept together, one a lane */
    K_BLOCK = 256,
    BLOCK_MAX = 1024,
    BINS = 1 << 16,
};

struct state {
    struct sweep *s;
    size_t ld, groups;
    float *err;     /* (rows, ld): minus the errors */
    size_t *done;   /* (panels): columns that a panel of w has taken into account */
    uint16_t *kept; /* (row groups, cols): bit l: row l's weight is not zero; or NULL */
    float *u;       /* (block, block): U of the block by rows */
    size_t first, last, ready; /* columns of the block; w is up to date before column `ready` */
    uint32_t threshold, high;
    int round;
    size_t *count; /* (threads, BINS) */
    float *scratch; /* (threads, block, LANES) */
};

size_t sweep_stride(size_t cols)
{
    return panel_size(cols) + PANEL;
}

size_t sweep_bytes(size_t rows, size_t cols)
{
    return rows * sweep_stride(cols) * sizeof(float);
}

/* ---- what earlier columns do to a block --------------------------------------------------------
 */

static void update_tile(void *context, size_t i, long thread)
{
    const struct state *t = context;
    const struct factor *f = t->s->factor;
    const size_t row = i * TILE, rows = t->s->rows - row < TILE ? t->s->rows - row : TILE;
    const float *err = t->err + row * t->ld;
    float *w = t->s->w + row * t->ld;
    (void)thread;
    for (size_t k = 0; k < t->first; k += K_BLOCK) {
        const size_t end = t->first - k < K_BLOCK ? t->first : k + K_BLOCK;
        for (size_t p = t->first / PANEL; p * PANEL < t->ready; p++) {
            const size_t from = t->done[p] > k ? t->done[p] : k;
            if (from < end)
                t->s->kernels->product[PANEL_F32](rows, 1, end - from, err + from, t->ld,
                                                  f->panel + (p * f->padded + from) * PANEL, 0,
                                                  w + p * PANEL, t->ld, NULL, true);
        }
    }
}

static void update(struct state *t)
{
    pool_run(t->s->pool, (t->s->rows + TILE - 1) / TILE, update_tile, t);
    for (size_t p = t->first / PANEL; p * PANEL < t->ready; p++)
        t->done[p] = t->first;
}

/* ---- the threshold of a block ------------------------------------------------------------------
 */

/* Saliency of a weight; its bits order as its value does. */
static uint32_t saliency(float w, float square)
{
    const float e = w * w / square;
    uint32_t u;
    memcpy(&u, &e, sizeof u);
    return u;
}

static void count_rows(void *context, size_t i, long thread)
{
    const struct state *t = context;
    size_t *count = t->count + (size_t)thread * BINS;
    float square[BLOCK_MAX];
    const size_t n = t->last - t->first;
    for (size_t c = 0; c < n; c++)
        square[c] = t->s->factor->diagonal[t->first + c] * t->s->factor->diagonal[t->first + c];
    for (size_t r = i * TILE; r < t->s->rows && r < (i + 1) * TILE; r++) {
        const float *w = t->s->w + r * t->ld + t->first;
        for (size_t c = 0; c < n; c++) {
            const uint32_t u = saliency(w[c], square[c]);
            if (t->round == 0)
                count[u >> 16]++;
            else if (u >> 16 == t->high)
                count[u & 0xFFFF]++;
        }
    }
}

/* Bin of the k-th smallest (from 0); *k becomes its rank within the bin. */
static uint32_t select_bin(struct state *t, size_t *k)
{
    const size_t threads = (size_t)pool_threads(t->s->pool);
    memset(t->count, 0, threads * BINS * sizeof *t->count);
    pool_run(t->s->pool, (t->s->rows + TILE - 1) / TILE, count_rows, t);
    for (uint32_t b = 0;; b++) {
        size_t n = 0;
        for (size_t i = 0; i < threads; i++)
            n += t->count[i * BINS + b];
        if (n > *k || b == BINS - 1)
            return b;
        *k -= n;
    }
}

static void choose_threshold(struct state *t)
{
    const size_t total = t->s->rows * (t->last - t->first);
    size_t k = (size_t)((double)total * t->s->sparsity);
    if (k >= total)
        k = total - 1;
    t->round = 0;
    t->high = select_bin(t, &k);
    t->round = 1;
    t->threshold = t->high << 16 | select_bin(t, &k);
}

/* ---- the sweep over a block --------------------------------------------------------------------
 */

/* Bit l of mask[c], c < m: lane l loses column c of a group, as many as are to go. */
static void choose_group(const struct sweep *s, const float *w, const float *diagonal, size_t n,
                         uint16_t *mask)
{
    const size_t gone = (size_t)(s->m - s->n) < n ? (size_t)(s->m - s->n) : n;
    float e[64];
    memset(mask, 0, n * sizeof *mask);
    for (size_t l = 0; l < LANES; l++) {
        for (size_t c = 0; c < n; c++)
            e[c] = w[c * LANES + l] * w[c * LANES + l] / (diagonal[c] * diagonal[c]);
        for (size_t i = 0; i < gone; i++) {
            size_t least = 0;
            for (size_t c = 1; c < n; c++)
                least = e[c] < e[least] ? c : least;
            mask[least] = (uint16_t)(mask[least] | 1u << l);
            e[least] = INFINITY;
        }
    }
}

/* Fills the grids of the rows from `row` on, of the group that begins at column c. */
static void find_grids(const struct state *t, size_t row, size_t rows, size_t c)
{
    const struct sweep *s = t->s;
    const size_t n = s->cols - c < s->group ? s->cols - c : s->group, g = c / s->group;
    for (size_t r = row; r < row + rows; r++)
        quantize_grid_search(s->w + r * t->ld + c, n, s->bits, s->symmetric, s->mse,
                             &s->scale[r * t->groups + g], &s->zero[r * t->groups + g]);
}

/* Column c of a row group: from weights w (LANES) to what they become, q. */
static void quantize_lanes(const struct state *t, size_t row, size_t rows, size_t c, uint16_t kept,
                           const float *w, float *q)
{
    const struct sweep *s = t->s;
    const size_t g = s->grid_of ? s->grid_of[c] : c / s->group;
    const float maxq = (float)((1 << s->bits) - 1);
    float scale[LANES], zero[LANES], code[LANES];
    for (size_t l = 0; l < LANES; l++) {
        scale[l] = l < rows ? s->scale[(row + l) * t->groups + g] : 1;
        zero[l] = l < rows ? (float)s->zero[(row + l) * t->groups + g] : 0;
    }
    for (size_t l = 0; l < LANES; l++)
        code[l] = quantize_round(w[l] / scale[l]) + zero[l];
    for (size_t l = 0; l < LANES; l++)
        code[l] = code[l] < 0 ? 0 : code[l] > maxq ? maxq : code[l];
    for (size_t l = 0; l < LANES; l++)
        code[l] = kept >> l & 1 ? code[l] : zero[l];
    for (size_t l = 0; l < LANES; l++)
        q[l] = scale[l] * (code[l] - zero[l]);
    for (size_t l = 0; l < rows; l++)
        s->codes[(row + l) * s->cols + c] = (uint8_t)code[l];
}

static void sweep_lanes(void *context, size_t i, long thread)
{
    const struct state *t = context;
    struct sweep *s = t->s;
    const size_t row = i * LANES, rows = s->rows - row < LANES ? s->rows - row : LANES;
    const size_t n = t->last - t->first;
    float *b = t->scratch + (size_t)thread * s->block * LANES;
    const float *diagonal = s->factor->diagonal + t->first;
    uint16_t mask[64 + 1];
    for (size_t l = 0; l < LANES; l++) {
        const float *w = s->w + (row + l) * t->ld + t->first;
        for (size_t c = 0; c < n; c++)
            b[c * LANES + l] = l < rows ? w[c] : 0;
    }
    uint16_t lost[BLOCK_MAX];
    for (size_t c = 0; c < n && !s->bits && !s->m; c++) {
        const float square = diagonal[c] * diagonal[c];
        unsigned bits = 0;
        for (size_t l = 0; l < LANES; l++)
            bits |= (unsigned)(saliency(b[c * LANES + l], square) <= t->threshold) << l;
        lost[c] = (uint16_t)bits;
    }
    for (size_t c = 0; c < n; c++) {
        const float d = diagonal[c];
        float *w = b + c * LANES, q[LANES], err[LANES];
        const size_t column = t->first + c;
        if (s->bits) {
            if (!s->grid_of && s->group < s->cols && column % s->group == 0)
                find_grids(t, row, rows, column);
            const uint16_t kept = t->kept ? t->kept[i * s->cols + column] : 0xFFFF;
            quantize_lanes(t, row, rows, column, kept, w, q);
        } else if (s->m) {
            const size_t m = (size_t)s->m, at = c % m;
            if (at == 0)
                choose_group(s, w, diagonal + c, n - c < m ? n - c : m, mask);
            for (size_t l = 0; l < LANES; l++)
                q[l] = mask[at] >> l & 1 ? 0 : w[l];
        } else {
            for (size_t l = 0; l < LANES; l++)
                q[l] = lost[c] >> l & 1 ? 0 : w[l];
        }
        for (size_t l = 0; l < LANES; l++)
            err[l] = (q[l] - w[l]) / d;
        s->kernels->product[PANEL_F32](n - c - 1, 1, 1, t->u + c * s->block + c + 1, 1, err, 0,
                                       w + LANES, LANES, NULL, true);
        memcpy(w, q, sizeof q);
        for (size_t l = 0; l < rows; l++)
            t->err[(row + l) * t->ld + column] = err[l];
    }
    for (size_t l = 0; l < rows; l++) {
        float *w = s->w + (row + l) * t->ld + t->first;
        for (size_t c = 0; c < n; c++)
            w[c] = b[c * LANES + l];
    }
}

/* The unstructured mask of a block is chosen before its first column changes. */
static void mask_block(struct state *t)
{
    if (t->s->bits || t->s->m)
        return;
    if (t->s->sparsity > 0)
        choose_threshold(t);
}

static void run_block(struct state *t)
{
    struct sweep *s = t->s;
    const struct factor *f = s->factor;
    t->ready = t->last;
    if (s->bits && !s->grid_of && s->group < s->cols) {
        /* The last group that begins in the block reaches beyond it. */
        const size_t begin = (t->last - 1) / s->group * s->group;
        const size_t end = begin + s->group < s->cols ? begin + s->group : s->cols;
        if (begin >= t->first && end > t->ready)
            t->ready = end;
    }
    if (t->first)
        update(t);
    for (size_t r = t->first; r < t->last; r++)
        for (size_t c = r; c < t->last; c++)
            t->u[(r - t->first) * s->block + c - t->first] =
                f->panel[(c / PANEL * f->padded + r) * PANEL + c % PANEL];
    mask_block(t);
    pool_run(s->pool, (s->rows + LANES - 1) / LANES, sweep_lanes, t);
}

static void prepare(struct state *t)
{
    struct sweep *s = t->s;
    for (size_t r = 0; r < s->rows; r++) {
        float *w = s->w + r * t->ld;
        for (size_t c = 0; t->kept && c < s->cols; c++) {
            uint16_t *kept = &t->kept[r / LANES * s->cols + c];
            *kept = (uint16_t)(*kept | (unsigned)(w[c] != 0) << r % LANES);
        }
    }
}

int sweep_run(struct sweep *s, struct error *e)
{
    struct state t = {.s = s, .ld = sweep_stride(s->cols)};
    const size_t panels = panel_size(s->cols) / PANEL, threads = (size_t)pool_threads(s->pool);
    int result = -1;
    if (s->block > BLOCK_MAX || s->block % PANEL)
        return error_set(e, "blocks of %zu columns: use a multiple of 16 up to %d", s->block,
                         BLOCK_MAX);
    if (s->group == 0 || s->group > s->cols)
        s->group = s->cols;
    t.groups = (s->cols + s->group - 1) / s->group;
    t.err = memory_new(s->rows, t.ld * sizeof *t.err, "a matrix's errors", e);
    t.done = memory_new(panels, sizeof *t.done, "a matrix", e);
    t.u = memory_new(s->block, s->block * sizeof *t.u, "a matrix", e);
    t.scratch = memory_new(threads, s->block * LANES * sizeof *t.scratch, "a matrix", e);
    t.count = memory_new(s->bits || s->m ? 1 : threads * BINS, sizeof *t.count, "counting", e);
    if (s->bits && s->keep_zeros) {
        t.kept = memory_new((s->rows + LANES - 1) / LANES, s->cols * sizeof *t.kept, "a mask", e);
        if (!t.kept)
            goto out;
    }
    if (!t.err || !t.done || !t.u || !t.scratch || !t.count)
        goto out;
    prepare(&t);
    if (s->bits || s->m || s->sparsity > 0)
        for (t.first = 0; t.first < s->cols; t.first = t.last) {
            t.last = s->cols - t.first < s->block ? s->cols : t.first + s->block;
            run_block(&t);
        }
    result = 0;
out:
    free(t.err);
    free(t.done);
    free(t.u);
    free(t.scratch);
    free(t.count);
    free(t.kept);
    return result;
}
