/* Packing and products of matrices. A product is cut into tiles of rows x panels, taken by the
 * threads; inside, blocks of k are widened to f32 once for all rows of the tile and stay in the
 * first-level cache while the rows pass by. No cut changes a bit (kernel.h). */
#include "matrix.h"

#include <stdlib.h>
#include <string.h>

#include "matrix_int8.h"
#include "memory.h"

enum {
    ROW_BLOCK = 192,   /* rows of a tile: a multiple of the kernels' six */
    PANEL_BLOCK = 4,   /* panels of a tile … */
    PANEL_GROUPS = 16, /* … of int weights, which share the sums over x */
    K_BLOCK = 256,     /* 16 KiB of f32 panel: half of a small first-level cache */
    FEW_ROWS = 24,     /* below, 16-bit weights are widened in registers instead */
    SMALL = 1 << 17,   /* multiplications for which waking a thread does not pay */
};

/* ---- packing -----------------------------------------------------------------------------------
 */

struct packing {
    struct matrix *m;
    const struct tensor *t;
    float *row;     /* (threads, cols) */
    uint8_t *codes; /* (threads, 2, cols) */
};

static void pack_floats(const struct packing *c, size_t panel, long thread)
{
    struct matrix *m = c->m;
    const struct tensor *t = c->t;
    const size_t cols = m->cols, base = panel * cols * PANEL;
    float *row = c->row + (size_t)thread * cols;
    for (size_t j = 0; j < PANEL && panel * PANEL + j < m->rows; j++) {
        const size_t r = panel * PANEL + j;
        if (t->mask == MASK_NONE && t->values != VALUES_F32) {
            const uint16_t *in = (const uint16_t *)t->data + r * cols;
            uint16_t *out = (uint16_t *)m->panel + base + j;
            for (size_t i = 0; i < cols; i++)
                out[i * PANEL] = in[i];
            continue;
        }
        tensor_row(t, r, row);
        if (t->values == VALUES_F32) {
            float *out = (float *)m->panel + base + j;
            for (size_t i = 0; i < cols; i++)
                out[i * PANEL] = row[i];
        } else {
            uint16_t *out = (uint16_t *)m->panel + base + j;
            for (size_t i = 0; i < cols; i++)
                values_from_f32(t->values, &row[i], 1, &out[i * PANEL]);
        }
    }
}

static void pack_codes(const struct packing *c, size_t panel, long thread)
{
    struct matrix *m = c->m;
    const struct tensor *t = c->t;
    const size_t cols = m->cols;
    uint8_t *codes = c->codes + 2 * (size_t)thread * cols, *keep = codes + cols;
    for (size_t j = 0; j < PANEL && panel * PANEL + j < m->rows; j++) {
        const size_t r = panel * PANEL + j;
        tensor_row_codes(t, r, codes, keep);
        for (size_t i = 0; i < cols; i++) {
            const size_t column = m->order ? m->order[i] : i, at = panel * cols + i;
            m->codes[at * PANEL + j] = codes[column];
            if (m->mask && keep[column])
                m->mask[at] = (uint16_t)(m->mask[at] | 1u << j);
        }
        for (size_t g = 0; g < m->groups; g++) {
            const size_t at = (panel * m->groups + g) * PANEL + j, from = r * t->groups + g;
            memcpy(&m->scale[at], &t->scale[from], sizeof(float));
            m->offset[at] = t->min ? t->min[from] : -(float)t->zero[from];
        }
    }
}

static void pack_panel(void *context, size_t panel, long thread)
{
    const struct packing *c = context;
    if (c->t->values == VALUES_INT)
        pack_codes(c, panel, thread);
    else
        pack_floats(c, panel, thread);
}

/* Where each group's columns start; with g_idx also the columns in order of their groups, those of
 * one group ascending. */
static int sort_columns(struct matrix *m, const struct tensor *t, struct error *e)
{
    m->start = memory_new(m->groups + 1, sizeof *m->start, "a matrix", e);
    if (!m->start)
        return -1;
    if (!t->g_idx) {
        for (size_t g = 0; g <= m->groups; g++)
            m->start[g] = g * t->group < m->cols ? g * t->group : m->cols;
        return 0;
    }
    m->order = memory_new(m->cols, sizeof *m->order, "a matrix", e);
    if (!m->order)
        return -1;
    for (size_t i = 0; i < m->cols; i++)
        m->start[(size_t)t->g_idx[i] + 1]++;
    for (size_t g = 0; g < m->groups; g++)
        m->start[g + 1] += m->start[g];
    for (size_t i = 0; i < m->cols; i++)
        m->order[m->start[t->g_idx[i]]++] = (uint32_t)i;
    for (size_t g = m->groups; g > 0; g--)
        m->start[g] = m->start[g - 1];
    m->start[0] = 0;
    return 0;
}

static int allocate(struct matrix *m, const struct tensor *t, struct error *e)
{
    const size_t panel = m->cols * PANEL, scales = m->panels * m->groups * PANEL;
    m->bias = memory_new(m->panels, PANEL * sizeof *m->bias, "a bias", e);
    if (!m->bias)
        return -1;
    if (t->values != VALUES_INT) {
        const size_t size = values_size(t->values);
        m->panel = memory_new(m->panels, panel * size, "a weight matrix", e);
        m->bytes = m->panels * (panel * size + PANEL * sizeof *m->bias);
        return m->panel ? 0 : -1;
    }
    m->codes = memory_new(m->panels, panel, "a weight matrix", e);
    m->scale = memory_new(scales, sizeof *m->scale, "a weight matrix's scales", e);
    m->offset = memory_new(scales, sizeof *m->offset, "a weight matrix's scales", e);
    if (!m->codes || !m->scale || !m->offset)
        return -1;
    m->bytes = m->panels * panel + 2 * scales * sizeof *m->scale;
    if (t->mask != MASK_NONE) {
        m->mask = memory_new(m->panels * m->cols, sizeof *m->mask, "a weight matrix", e);
        if (!m->mask)
            return -1;
        m->bytes += m->panels * m->cols * sizeof *m->mask;
    }
    return sort_columns(m, t, e);
}

int matrix_pack(struct matrix *m, const struct tensor *t, struct pool *pool, struct error *e)
{
    *m = (struct matrix){.rows = t->rows, .cols = t->cols, .groups = t->groups};
    m->panels = panel_size(t->rows) / PANEL;
    m->type = t->values == VALUES_F16    ? PANEL_F16
              : t->values == VALUES_BF16 ? PANEL_BF16
                                         : PANEL_F32;
    m->min = t->min != NULL;
    m->threshold = t->threshold;
    struct packing c = {.m = m, .t = t};
    int result = -1;
    const size_t threads = (size_t)pool_threads(pool);
    c.row = memory_new(threads, t->cols * sizeof *c.row, "a row", e);
    c.codes = memory_new(threads, 2 * t->cols, "a row", e);
    if (!c.row || !c.codes || allocate(m, t, e))
        goto out;
    pool_run(pool, m->panels, pack_panel, &c);
    result = 0;
out:
    free(c.row);
    free(c.codes);
    if (result)
        matrix_free(m);
    return result;
}

int matrix_bias(struct matrix *m, const struct tensor *t, struct error *e)
{
    if (t->rows * t->cols != m->rows)
        return error_set(e, "%s: %zu numbers for a matrix of %zu rows", t->name, t->rows * t->cols,
                         m->rows);
    for (size_t r = 0; r < t->rows; r++)
        tensor_row(t, r, m->bias + r * t->cols);
    (void)e;
    return 0;
}

void matrix_free(struct matrix *m)
{
    if (!m)
        return;
    free(m->panel);
    free(m->codes);
    free(m->mask);
    free(m->scale);
    free(m->offset);
    free(m->start);
    free(m->order);
    free(m->bias);
    *m = (struct matrix){0};
}

void matrix_row(const struct matrix *m, size_t row, float *out)
{
    const size_t panel = row / PANEL, j = row % PANEL;
    if (m->panel) {
        for (size_t i = 0; i < m->cols; i++) {
            const size_t at = (panel * m->cols + i) * PANEL + j;
            if (m->type == PANEL_F32)
                out[i] = ((const float *)m->panel)[at];
            else if (m->type == PANEL_F16)
                out[i] = f16_to_f32(((const uint16_t *)m->panel)[at]);
            else
                out[i] = bf16_to_f32(((const uint16_t *)m->panel)[at]);
        }
        return;
    }
    for (size_t g = 0; g < m->groups; g++) {
        const size_t at = (panel * m->groups + g) * PANEL + j;
        for (size_t i = m->start[g]; i < m->start[g + 1]; i++) {
            const size_t column = m->order ? m->order[i] : i, place = panel * m->cols + i;
            const float code = (float)m->codes[place * PANEL + j];
            out[column] = 0;
            if (!m->mask || (m->mask[place] >> j & 1))
                out[column] = m->min ? m->scale[at] * code + m->offset[at]
                                     : m->scale[at] * (code + m->offset[at]);
        }
    }
}

/* ---- products ----------------------------------------------------------------------------------
 */

struct product {
    const struct matrix *m;
    const struct kernels *k;
    size_t rows, row_block, row_tiles, panel_block;
    const float *x;
    size_t ldx;
    float *y;
    size_t ldy;
};

/* Chains over `n` columns from `first` of panel p, of weights widened block by block. what: codes
 * or mask. */
static void product_widened(const struct product *c, bool mask, size_t p, size_t first, size_t n,
                            const float *x, size_t rows, float *y)
{
    const struct matrix *m = c->m;
    float block[K_BLOCK * PANEL];
    for (size_t i = 0; i < n; i += K_BLOCK) {
        const size_t len = n - i < K_BLOCK ? n - i : K_BLOCK, at = p * m->cols + first + i;
        if (mask)
            c->k->widen_bits(m->mask + at, len, block);
        else
            c->k->widen_u8(m->codes + at * PANEL, len * PANEL, block);
        c->k->product[PANEL_F32](rows, 1, len, x + first + i, c->ldx, block, 0, y, PANEL, NULL,
                                 i > 0);
    }
}

/* s_g of all rows: sums of x, the same in each of the 16 lanes. */
static void sum_columns(const struct product *c, size_t first, size_t n, const float *x,
                        size_t rows, float *s)
{
    float ones[K_BLOCK * PANEL];
    const size_t most = n < K_BLOCK ? n : K_BLOCK;
    for (size_t i = 0; i < most * PANEL; i++)
        ones[i] = 1;
    for (size_t i = 0; i < n; i += K_BLOCK) {
        const size_t len = n - i < K_BLOCK ? n - i : K_BLOCK;
        c->k->product[PANEL_F32](rows, 1, len, x + first + i, c->ldx, ones, 0, s, PANEL, NULL,
                                 i > 0);
    }
}

static void tile_groups(const struct product *c, size_t first_panel, size_t last_panel,
                        const float *x, size_t rows, float *y)
{
    const struct matrix *m = c->m;
    float a[ROW_BLOCK * PANEL], s[ROW_BLOCK * PANEL];
    for (size_t r = 0; r < rows; r++)
        memset(y + r * c->ldy + first_panel * PANEL, 0,
               (last_panel - first_panel) * PANEL * sizeof *y);
    for (size_t g = 0; g < m->groups; g++) {
        const size_t first = m->start[g], n = m->start[g + 1] - first;
        if (n == 0)
            continue;
        if (!m->mask)
            sum_columns(c, first, n, x, rows, s);
        for (size_t p = first_panel; p < last_panel; p++) {
            const size_t at = (p * m->groups + g) * PANEL;
            if (m->mask)
                product_widened(c, true, p, first, n, x, rows, s);
            product_widened(c, false, p, first, n, x, rows, a);
            c->k->combine(rows, a, s, PANEL, 1, m->scale + at, m->offset + at, m->min,
                          y + p * PANEL, c->ldy);
        }
    }
    for (size_t p = first_panel; p < last_panel; p++)
        c->k->product[PANEL_F32](rows, 1, 0, x, c->ldx, m->bias, 0, y + p * PANEL, c->ldy,
                                 m->bias + p * PANEL, true);
}

static void tile_floats(const struct product *c, size_t first_panel, size_t last_panel,
                        const float *x, size_t rows, float *y)
{
    const struct matrix *m = c->m;
    const size_t cols = m->cols, size = m->type == PANEL_F32 ? sizeof(float) : sizeof(uint16_t);
    const char *panel = (const char *)m->panel + first_panel * cols * PANEL * size;
    if (rows < FEW_ROWS) {
        c->k->product[m->type](rows, last_panel - first_panel, cols, x, c->ldx, panel, cols * PANEL,
                               y + first_panel * PANEL, c->ldy, m->bias + first_panel * PANEL,
                               false);
        return;
    }
    /* As many panels side by side as the kernel likes, in blocks that take the same room. */
    const size_t together = c->k->together, most = K_BLOCK / together;
    float block[K_BLOCK * PANEL];
    for (size_t p = first_panel; p < last_panel;) {
        const size_t n = last_panel - p < together ? last_panel - p : together;
        for (size_t i = 0; i < cols; i += most) {
            const size_t len = cols - i < most ? cols - i : most;
            const void *w = panel + i * PANEL * size;
            size_t ldw = cols * PANEL;
            if (m->type != PANEL_F32) {
                for (size_t j = 0; j < n; j++)
                    c->k->widen[m->type](panel + (j * cols + i) * PANEL * size, len * PANEL,
                                         block + j * most * PANEL);
                w = block;
                ldw = most * PANEL;
            }
            c->k->product[PANEL_F32](rows, n, len, x + i, c->ldx, w, ldw, y + p * PANEL, c->ldy,
                                     i + len == cols ? m->bias + p * PANEL : NULL, i > 0);
        }
        p += n;
        panel += n * cols * PANEL * size;
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
    const float *x = c->x + row * c->ldx;
    float *y = c->y + row * c->ldy;
    if (c->m->panel)
        tile_floats(c, first, last, x, rows, y);
    else
        tile_groups(c, first, last, x, rows, y);
}

int matrix_product(const struct matrix *m, const struct kernels *k, struct pool *pool, size_t rows,
                   const float *x, size_t ldx, float *y, size_t ldy, struct error *e)
{
    struct product c = {.m = m, .k = k, .rows = rows, .x = x, .ldx = ldx, .y = y, .ldy = ldy};
    if (m->threshold > 0)
        return matrix_product_int8(m, k, pool, rows, x, ldx, y, ldy, e);
    const bool small = (double)rows * (double)m->cols * (double)m->rows < SMALL;
    const size_t threads = small ? 1 : (size_t)pool_threads(pool);
    float *sorted = NULL;
    c.panel_block = m->codes ? PANEL_GROUPS : PANEL_BLOCK;
    c.row_block = ROW_BLOCK;
    const size_t strips = (m->panels + c.panel_block - 1) / c.panel_block;
    /* Enough tiles for all threads. */
    while (threads > 1 && c.row_block > ROW_BLOCK / 8 &&
           strips * ((rows + c.row_block - 1) / c.row_block) < 4 * threads)
        c.row_block /= 2;
    c.row_tiles = (rows + c.row_block - 1) / c.row_block;
    if (m->order) {
        sorted = memory_new(rows, m->cols * sizeof *sorted, "sorted columns", e);
        if (!sorted)
            return -1;
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < m->cols; i++)
                sorted[r * m->cols + i] = x[r * ldx + m->order[i]];
        c.x = sorted;
        c.ldx = m->cols;
    }
    pool_run(small ? NULL : pool, c.row_tiles * strips, product_tile, &c);
    free(sorted);
    return 0;
}

float *vector_read(const struct tensor *t, struct error *e)
{
    float *v = memory_new(panel_size(t->rows * t->cols), sizeof *v, "a vector", e);
    if (!v)
        return NULL;
    for (size_t r = 0; r < t->rows; r++)
        tensor_row(t, r, v + r * t->cols);
    return v;
}
