/* Products of packed matrices. A product is cut into tiles of rows x panels, taken by the threads.
 * One row goes to kernels that make the weights in registers. For more rows, blocks of k are made
 * f32 once for all rows of the tile and stay in the first-level cache while the rows pass by. No cut
 * changes a bit (kernel.h). */
#include "matrix.h"

#include <stdlib.h>
#include <string.h>

#include "matrix_int8.h"
#include "memory.h"

enum {
    ROW_BLOCK = 288,    /* rows of a tile: a multiple of the kernels' twelve */
    PANEL_BLOCK = FOUR, /* panels of a tile, or twice as many */
    K_BLOCK = 256,      /* 16 KiB of f32 panel: half of a small first-level cache */
    FEW_ROWS = 24,      /* below, dense 16-bit weights are widened in registers instead */
    VERY_FEW = 6,       /* below, four panels side by side hide the latency of an fma */
    SUMS = 8,           /* chains side by side */
    SMALL = 1 << 17,    /* multiplications for which waking a thread does not pay */
};

struct product {
    const struct matrix *m;
    const struct kernels *k;
    size_t rows, row_block, row_tiles, panel_block;
    const float *x;
    size_t ldx;
    float *y;
    size_t ldy;
    float *sum; /* codes without a mask: (rows, groups), the sums of x over each group */
};

/* ---- codes ------------------------------------------------------------------------------------- */

/* Columns first to first + n of the codes of group g, or of the mask, as f32. */
static void widen(const struct product *c, bool mask, size_t p, size_t g, size_t first, size_t n,
                  float *out)
{
    const struct matrix *m = c->m;
    const uint8_t *codes = m->codes + p * m->codes_bytes;
    const size_t place = m->place[g] + first;
    if (mask)
        c->k->widen_bits(m->mask + p * m->cols + m->start[g] + first, n, out);
    else if (m->layout == LAYOUT_BYTES)
        c->k->widen_u8(codes + place * PANEL, n * PANEL, out);
    else
        c->k->widen_nibbles((const uint32_t *)(const void *)(codes + place * PANEL / 2), n, out);
}

/* s (rows, 16), by output: sums of x over the columns of group g that the mask keeps. */
static void sum_kept(const struct product *c, size_t p, size_t g, const float *x, size_t rows,
                     float *s)
{
    const size_t first = c->m->start[g], n = c->m->start[g + 1] - first;
    float block[K_BLOCK * PANEL];
    for (size_t i = 0; i < n; i += K_BLOCK) {
        const size_t len = n - i < K_BLOCK ? n - i : K_BLOCK;
        widen(c, true, p, g, i, len, block);
        c->k->product[PANEL_F32](rows, 1, len, x + first + i, c->ldx, block, 0, s, PANEL, NULL,
                                 i > 0);
    }
}

static void product_group(const struct product *c, size_t p, size_t g, const float *x, size_t rows,
                          const struct group_terms *terms, float *y)
{
    const size_t first = c->m->start[g], n = c->m->start[g + 1] - first;
    float block[K_BLOCK * PANEL], a[ROW_BLOCK * PANEL];
    for (size_t i = 0; i < n; i += K_BLOCK) {
        const size_t len = n - i < K_BLOCK ? n - i : K_BLOCK;
        widen(c, false, p, g, i, len, block);
        if (i + len < n)
            c->k->product[PANEL_F32](rows, 1, len, x + first + i, c->ldx, block, 0, a, PANEL, NULL,
                                     i > 0);
        else
            c->k->product_group(rows, len, x + first + i, c->ldx, block, i ? a : NULL, terms, y,
                                c->ldy);
    }
}

static void tile_groups(const struct product *c, size_t first_panel, size_t last_panel, size_t row,
                        size_t rows)
{
    const struct matrix *m = c->m;
    const float *x = c->x + row * c->ldx;
    float *y = c->y + row * c->ldy + first_panel * PANEL, s[ROW_BLOCK * PANEL];
    if (rows == 1 && !m->mask) {
        const size_t at = first_panel * m->groups * PANEL;
        const struct code_panels w = {
            m->codes + first_panel * m->codes_bytes, m->codes_bytes,  m->groups, m->start, m->place,
            m->scale + at,                           m->offset + at, m->min};
        c->k->product_codes[m->layout == LAYOUT_NIBBLES ? CODE_NIBBLES : CODE_BYTES](
            last_panel - first_panel, &w, x, c->sum + row * m->groups, y,
            m->bias + first_panel * PANEL);
        return;
    }
    for (size_t p = first_panel; p < last_panel; p++, y += PANEL) {
        for (size_t r = 0; r < rows; r++)
            memset(y + r * c->ldy, 0, PANEL * sizeof *y);
        for (size_t g = 0; g < m->groups; g++) {
            const size_t at = (p * m->groups + g) * PANEL;
            struct group_terms terms = {s, PANEL, 1, m->scale + at, m->offset + at, m->min};
            if (m->mask) {
                sum_kept(c, p, g, x, rows, s);
            } else {
                terms.s = c->sum + row * m->groups + g;
                terms.lds = m->groups;
                terms.lane = 0;
            }
            product_group(c, p, g, x, rows, &terms, y);
        }
        c->k->product[PANEL_F32](rows, 1, 0, x, c->ldx, m->bias, 0, y, c->ldy, m->bias + p * PANEL,
                                 true);
    }
}

/* Fills c->sum for a tile of rows: a chain for each group of each row, several at a time to hide the latency. */
static void sum_rows(void *context, size_t tile, long thread)
{
    const struct product *c = context;
    const size_t *start = c->m->start, groups = c->m->groups;
    const size_t row = tile * c->row_block;
    const size_t rows = c->rows - row < c->row_block ? c->rows - row : c->row_block;
    (void)thread;
    for (size_t i = row * groups; i < (row + rows) * groups; i += SUMS) {
        const size_t left = (row + rows) * groups - i, n = left < SUMS ? left : SUMS;
        const float *from[SUMS];
        float s[SUMS] = {0};
        size_t length[SUMS], common = SIZE_MAX;
        for (size_t j = 0; j < SUMS; j++) {
            const size_t at = j < n ? i + j : i, g = at % groups;
            from[j] = c->x + at / groups * c->ldx + start[g];
            length[j] = start[g + 1] - start[g];
            common = length[j] < common ? length[j] : common;
        }
        for (size_t k = 0; k < common; k++)
            for (size_t j = 0; j < SUMS; j++)
                s[j] += from[j][k];
        for (size_t j = 0; j < n; j++) {
            for (size_t k = common; k < length[j]; k++)
                s[j] += from[j][k];
            c->sum[i + j] = s[j];
        }
    }
}

/* ---- floats ------------------------------------------------------------------------------------ */

/* Panels side by side, in blocks of k that take the same room. */
static void tile_blocks(const struct product *c, size_t first_panel, size_t last_panel,
                        const float *x, size_t rows, float *y)
{
    const struct matrix *m = c->m;
    const size_t cols = m->cols, size = m->type == PANEL_F32 ? sizeof(float) : sizeof(uint16_t);
    const bool bitmap = m->layout == LAYOUT_BITMAP;
    const size_t together = rows < VERY_FEW || bitmap ? PANEL_BLOCK : c->k->together;
    const size_t most = bitmap ? K_BLOCK : K_BLOCK / together;
    float block[PANEL_BLOCK * K_BLOCK * PANEL];
    for (size_t p = first_panel; p < last_panel; p += together) {
        const size_t n = last_panel - p < together ? last_panel - p : together;
        const char *panel = (const char *)m->panel + p * cols * PANEL * size;
        size_t value = bitmap ? m->value[p / FOUR] : 0;
        for (size_t i = 0; i < cols; i += most) {
            const size_t len = cols - i < most ? cols - i : most;
            const void *w = block;
            size_t ldw = most * PANEL;
            if (bitmap) {
                value += c->k->expand[m->type](m->bitmap + p / FOUR * cols + i, len,
                                               (const uint16_t *)m->panel + value, block, ldw);
            } else if (m->type != PANEL_F32) {
                for (size_t j = 0; j < n; j++)
                    c->k->widen[m->type](panel + (j * cols + i) * PANEL * size, len * PANEL,
                                         block + j * ldw);
            } else {
                w = panel + i * PANEL * size;
                ldw = cols * PANEL;
            }
            c->k->product[PANEL_F32](rows, n, len, x + i, c->ldx, w, ldw, y + p * PANEL, c->ldy,
                                     i + len == cols ? m->bias + p * PANEL : NULL, i > 0);
        }
    }
}

static void tile_pairs(const struct product *c, size_t first_panel, size_t last_panel,
                       const float *x, size_t rows, float *y)
{
    const struct matrix *m = c->m;
    float block[K_BLOCK / 4 * SPREAD];
    for (size_t p = first_panel; p < last_panel; p++) {
        size_t ldw;
        const uint32_t *w = pairs_panel(m->panel, m->panels, m->cols, p, &ldw);
        for (size_t i = 0; i < m->cols; i += K_BLOCK) {
            const size_t len = m->cols - i < K_BLOCK ? m->cols - i : K_BLOCK;
            c->k->spread_pairs(w, ldw, i / 4, (len + 3) / 4, block);
            c->k->product_spread(rows, len, x + i, c->ldx, block, y + p * PANEL, c->ldy,
                                 i + len == m->cols ? m->bias + p * PANEL : NULL, i > 0);
        }
    }
}

static void tile_floats(const struct product *c, size_t first_panel, size_t last_panel,
                        const float *x, size_t rows, float *y)
{
    const struct matrix *m = c->m;
    const size_t panels = last_panel - first_panel, cols = m->cols;
    const float *bias = m->bias + first_panel * PANEL;
    if (m->layout == LAYOUT_DENSE && rows < FEW_ROWS) {
        const size_t size = m->type == PANEL_F32 ? sizeof(float) : sizeof(uint16_t);
        c->k->product[m->type](rows, panels, cols, x, c->ldx,
                               (const char *)m->panel + first_panel * cols * PANEL * size,
                               cols * PANEL, y + first_panel * PANEL, c->ldy, bias, false);
    } else if (m->layout == LAYOUT_BITMAP && rows == 1) {
        const size_t first = first_panel / FOUR;
        const struct bitmap_panels w = {m->bitmap + first * cols, cols, m->panel, m->value + first};
        c->k->product_bitmap[m->type](panels, cols, x, &w, y + first_panel * PANEL, bias);
    } else if (m->layout == LAYOUT_PAIRS && rows == 1) {
        c->k->product_pairs(panels, cols, x,
                            (const uint32_t *)m->panel + first_panel * pairs_words(cols),
                            y + first_panel * PANEL, bias);
    } else if (m->layout == LAYOUT_PAIRS) {
        tile_pairs(c, first_panel, last_panel, x, rows, y);
    } else {
        tile_blocks(c, first_panel, last_panel, x, rows, y);
    }
}

static void product_tile(void *context, size_t i, long thread)
{
    const struct product *c = context;
    (void)thread;
    const size_t row = i % c->row_tiles * c->row_block, first = i / c->row_tiles * c->panel_block;
    const size_t rows = c->rows - row < c->row_block ? c->rows - row : c->row_block;
    const size_t left = c->m->panels - first;
    const size_t last = first + (left < c->panel_block ? left : c->panel_block);
    if (c->m->codes)
        tile_groups(c, first, last, row, rows);
    else
        tile_floats(c, first, last, c->x + row * c->ldx, rows, c->y + row * c->ldy);
}

int matrix_product(const struct matrix *m, const struct kernels *k, struct pool *pool, size_t rows,
                   const float *x, size_t ldx, float *y, size_t ldy, struct error *e)
{
    struct product c = {.m = m, .k = k, .rows = rows, .x = x, .ldx = ldx, .y = y, .ldy = ldy};
    if (m->threshold > 0)
        return matrix_product_int8(m, k, pool, rows, x, ldx, y, ldy, e);
    const bool small = (double)rows * (double)m->cols * (double)m->rows < SMALL;
    const size_t threads = small ? 1 : (size_t)pool_threads(pool);
    /* Kernels of one row and codes take eight panels at once where they can. */
    c.panel_block = PANEL_BLOCK;
    if (rows == 1 && m->codes && m->panels >= 4 * PANEL_BLOCK * threads)
        c.panel_block *= 2;
    const size_t strips = (m->panels + c.panel_block - 1) / c.panel_block;
    float *sorted = NULL;
    int result = -1;
    c.row_block = ROW_BLOCK;
    /* Enough tiles for all threads. */
    while (threads > 1 && c.row_block > ROW_BLOCK / 8 &&
           strips * ((rows + c.row_block - 1) / c.row_block) < 4 * threads)
        c.row_block /= 2;
    c.row_tiles = (rows + c.row_block - 1) / c.row_block;
    if (m->order) {
        sorted = memory_new(rows, m->cols * sizeof *sorted, "sorted columns", e);
        if (!sorted)
            goto out;
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < m->cols; i++)
                sorted[r * m->cols + i] = x[r * ldx + m->order[i]];
        c.x = sorted;
        c.ldx = m->cols;
    }
    if (m->codes && !m->mask) {
        c.sum = memory_new(rows, m->groups * sizeof *c.sum, "sums of activations", e);
        if (!c.sum)
            goto out;
        pool_run(small ? NULL : pool, c.row_tiles, sum_rows, &c);
    }
    pool_run(small ? NULL : pool, c.row_tiles * strips, product_tile, &c);
    result = 0;
out:
    free(c.sum);
    free(sorted);
    return result;
}
