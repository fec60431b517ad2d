/* Wanda (Sun et al. 2023): a weight's score is |W_ij| * sqrt(a_j), a_j the mean over the calibration
 * samples of the squared norm of input j; the lowest scores of a row go, no weight changes. */
#ifndef KICK_WANDA_H
#define KICK_WANDA_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "pool.h"

struct wanda {
    float *w; /* (rows, ld): pruned weights become +0 */
    size_t rows, cols, ld;
    const float *norm; /* (cols): sqrt(a_j) */
    double sparsity;
    int n, m; /* m > 0: n of every m columns stay, of a last, shorter group all but m - n */
    /* The released code's variant: per row the lowest scores whose sum is at most alpha of the
     * row's; alpha by bisection in 0 … 0.8 until the matrix has the sparsity to 0.001. */
    bool alpha_search;
    double alpha; /* filled */
};

/* Exactly floor(cols * sparsity) of each row, the first of equals. */
int wanda_prune(struct wanda *p, struct pool *pool, struct error *e);

#endif
