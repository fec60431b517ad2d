/* SparseGPT and GPTQ: the columns of a weight matrix are pruned or quantized one after another, and
 * those not yet done make up for the error (optimal brain surgeon over H, Frantar and Alistarh,
 * "SparseGPT" 2023, algorithm 1, and "GPTQ" 2022, algorithm 1). For column i, with H^-1 = U^T U:
 *
 *   q = w pruned or rounded,   err = (w - q) / U_ii,   w_j -= err U_ij for j > i
 *
 * Unstructured masks are chosen per block of columns over all rows: w^2 / U_jj^2 at most the
 * floor(rows * columns * sparsity)-th smallest. N:M masks are chosen group by group from the weights
 * as they are when the group is reached. Grids of GPTQ come from the weights as they are when their
 * first column is reached, without the updates from within the block, as in the released code.
 *
 * Order of sums: an entry of W takes the columns before it in ascending order, one chain; so rows,
 * tiles and threads can be cut anywhere. Columns are swept a few at a time with rows as lanes; what
 * they do to the rest of their block, to the next columns and to those far behind is a matrix product
 * each, done when these are reached (bound by FMA). Where pruning leaves errors zero, the product
 * skips them. */
#ifndef KICK_SWEEP_H
#define KICK_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "hessian.h"
#include "kernel.h"
#include "pool.h"

/* Row length of the arrays for `cols` columns: whole panels and one more, so that rows do not share
 * the sets of a cache. */
size_t sweep_stride(size_t cols);

struct sweep {
    const struct kernels *kernels;
    struct pool *pool;
    const struct factor *factor; /* of the columns in the order that w has */
    float *w;                    /* (rows, sweep_stride(cols)): W, then the result; zeros beyond cols */
    size_t rows, cols;
    size_t block; /* columns of a block, a multiple of 16 (and of m) */

    /* Pruning: bits is 0. sparsity 0 … 1, or n of every m columns kept where m > 0. */
    double sparsity;
    int n, m;

    /* Quantizing: bits 2 … 8, groups of `group` columns (>= cols: one a row). */
    int bits;
    size_t group;
    bool symmetric, mse;
    bool keep_zeros;           /* weights that are zero stay zero */
    const uint32_t *grid_of;   /* (cols): group of each column, where grids are given; else NULL */
    float *scale;              /* (rows, groups): given, or filled */
    uint8_t *zero;             /* likewise */
    uint8_t *codes;            /* (rows, cols), filled */
};

/* Sweeps. Dead columns of w must be zero; a grid of one group a row must be given. */
int sweep_run(struct sweep *s, struct error *e);

#endif
