/* GPTQ of one matrix: grids, order of columns, sweep (lib/sweep.h), and the int tensor that comes of
 * it. */
#ifndef KICK_GPTQ_H
#define KICK_GPTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "hessian.h"
#include "kernel.h"
#include "pool.h"

struct gptq {
    int bits;
    size_t group; /* 0: one a row */
    bool symmetric, mse, static_groups, keep_zeros;
    size_t block;

    /* Filled by gptq_run(), freed by gptq_free(): */
    size_t groups;
    uint8_t *codes;  /* (rows, cols) */
    float *scale;    /* (rows, groups) */
    uint8_t *zero;   /* (rows, groups) */
    int32_t *g_idx;  /* (cols): the group of a column; NULL where it is column / group */
};

/* The form of the factor that is faster: direct, but for grids of so many columns that are found on the
 * way that what that takes outweighs it. */
bool gptq_direct(size_t group, bool static_groups);

/* w (rows, sweep_stride(cols)) becomes the quantized weights. factor: of the columns in `order`
 * (NULL: as they are). Dead columns are cleared here: grids of whole rows are taken before. */
int gptq_run(struct gptq *g, float *w, size_t rows, size_t cols, const struct factor *factor,
             const uint32_t *order, const struct kernels *k, struct pool *pool, struct error *e);
void gptq_free(struct gptq *g);

#endif
