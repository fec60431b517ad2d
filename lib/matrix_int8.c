/* The product of LLM.int8(). The integer sums go through the f32 kernel: over 256 columns they stay
 * below 2^24 (127 * 255 * 256 < 2^23), where f32 is exact; the blocks are added as integers. */
#include "matrix_int8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { ROWS = 96, K_BLOCK = 256 };

struct product8 {
    const struct matrix *m;
    const struct kernels *k;
    size_t rows, row_tiles;
    const float *x;
    size_t ldx;
    float *y;
    size_t ldy;
    float *rounded;    /* (rows, cols): round(x / s), 0 at outliers */
    float *s;          /* (rows) */
    int32_t *sum;      /* (rows): of rounded */
    size_t *outliers;  /* (rows) */
    uint32_t *outlier; /* (rows, cols): their columns */
};

static void round_rows(void *context, size_t tile, long thread)
{
    const struct product8 *p = context;
    const size_t cols = p->m->cols;
    (void)thread;
    for (size_t r = tile * ROWS; r < p->rows && r < (tile + 1) * ROWS; r++) {
        const float *x = p->x + r * p->ldx;
        float *to = p->rounded + r * cols, most = 0;
        size_t n = 0;
        for (size_t j = 0; j < cols; j++) {
            const float size = fabsf(x[j]);
            if (size >= p->m->threshold)
                p->outlier[r * cols + n++] = (uint32_t)j;
            else
                most = size > most ? size : most;
        }
        const float s = most > 0 ? most / 127 : 1;
        int32_t sum = 0;
        for (size_t j = 0; j < cols; j++) {
            const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to even */
            const float q = fabsf(x[j]) >= p->m->threshold ? 0 : (x[j] / s + shift) - shift;
            to[j] = q;
            sum += (int32_t)q;
        }
        p->s[r] = s;
        p->sum[r] = sum;
        p->outliers[r] = n;
    }
}

static void add_outliers(const struct product8 *p, size_t panel, size_t r, float *y)
{
    const struct matrix *m = p->m;
    for (size_t i = 0; i < p->outliers[r]; i++) {
        const size_t j = p->outlier[r * m->cols + i];
        const uint8_t *code = m->codes + (panel * m->cols + j) * PANEL;
        float w[PANEL];
        for (size_t l = 0; l < PANEL; l++)
            w[l] = m->scale[panel * PANEL + l] * ((float)code[l] + m->offset[panel * PANEL + l]);
        p->k->product[PANEL_F32](1, 1, 1, p->x + r * p->ldx + j, 1, w, 0, y, PANEL, NULL, true);
    }
}

static void product_tile(void *context, size_t i, long thread)
{
    const struct product8 *p = context;
    const struct matrix *m = p->m;
    const size_t first = i % p->row_tiles * ROWS, panel = i / p->row_tiles, cols = m->cols;
    const size_t rows = p->rows - first < ROWS ? p->rows - first : ROWS;
    float block[K_BLOCK * PANEL], part[ROWS * PANEL];
    int64_t total[ROWS * PANEL];
    (void)thread;
    memset(total, 0, sizeof total);
    for (size_t c = 0; c < cols; c += K_BLOCK) {
        const size_t n = cols - c < K_BLOCK ? cols - c : K_BLOCK;
        p->k->widen_u8(m->codes + (panel * cols + c) * PANEL, n * PANEL, block);
        p->k->product[PANEL_F32](rows, 1, n, p->rounded + first * cols + c, cols, block, 0, part,
                                 PANEL, NULL, false);
        for (size_t j = 0; j < rows * PANEL; j++)
            total[j] += (int32_t)part[j];
    }
    for (size_t r = 0; r < rows; r++) {
        float *y = part + r * PANEL;
        for (size_t l = 0; l < PANEL; l++) {
            const size_t at = panel * PANEL + l;
            const int64_t sum = total[r * PANEL + l] +
                                (int64_t)m->offset[at] * (int64_t)p->sum[first + r];
            y[l] = (float)sum * p->s[first + r] * m->scale[at];
        }
        add_outliers(p, panel, first + r, y);
        for (size_t l = 0; l < PANEL; l++)
            p->y[(first + r) * p->ldy + panel * PANEL + l] = y[l] + m->bias[panel * PANEL + l];
    }
}

int matrix_product_int8(const struct matrix *m, const struct kernels *k, struct pool *pool,
                        size_t rows, const float *x, size_t ldx, float *y, size_t ldy,
                        struct error *e)
{
    struct product8 p = {.m = m, .k = k, .rows = rows, .x = x, .ldx = ldx, .y = y, .ldy = ldy};
    const size_t cols = m->cols;
    int result = -1;
    p.row_tiles = (rows + ROWS - 1) / ROWS;
    p.rounded = memory_new(rows, cols * sizeof *p.rounded, "rounded activations", e);
    p.outlier = memory_new(rows, cols * sizeof *p.outlier, "outlier columns", e);
    p.s = memory_new(rows, sizeof *p.s, "rounded activations", e);
    p.sum = memory_new(rows, sizeof *p.sum, "rounded activations", e);
    p.outliers = memory_new(rows, sizeof *p.outliers, "outlier columns", e);
    if (p.rounded && p.outlier && p.s && p.sum && p.outliers) {
        const bool small = (double)rows * (double)cols * (double)m->rows < 1 << 17;
        pool_run(small ? NULL : pool, p.row_tiles, round_rows, &p);
        pool_run(small ? NULL : pool, p.row_tiles * m->panels, product_tile, &p);
        result = 0;
    }
    free(p.rounded);
    free(p.outlier);
    free(p.s);
    free(p.sum);
    free(p.outliers);
    return result;
}
