/* AWQ (Lin et al. 2023, "Activation-aware Weight Quantization"): input channels that carry large
 * activations get finer weights. For the matrices behind one input, with
 *
 *   s_j = (mean |x_j|)^alpha / sqrt(max s min s),   alpha = 0, 0.05 … 0.95
 *
 * the alpha is taken whose sum of ||Q(W diag(s)) diag(1/s) X - W X||^2 is least (equation 4 and 5);
 * W diag(s) is then quantized, and what produces the input is divided by s. Clipping: of each group
 * of a row the range shrinks to the share 1, 0.95 … 0.55 of its greatest |w| for which the error of
 * the group's part of the output is least. Both are measured on some of the calibration inputs. */
#ifndef KICK_AWQ_H
#define KICK_AWQ_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "kernel.h"
#include "matrix.h"
#include "pool.h"

struct awq {
    int bits;
    size_t group; /* 0: one a row */
    bool symmetric;
    const struct kernels *kernels;
    struct pool *pool;
};

/* fold (cols): s for the `count` matrices behind an input whose mean absolute values are mean (cols)
 * and of which x (rows, stride) are some. *alpha is filled. */
int awq_search(const struct awq *a, const struct matrix *const *m, size_t count, const float *mean,
               const float *x, size_t rows, size_t stride, float *fold, double *alpha,
               struct error *e);

/* Clips w (rows, ld) of `cols` columns, for inputs x (samples, stride). *share: of the groups that were
 * clipped. */
int awq_clip(const struct awq *a, float *w, size_t rows, size_t cols, size_t ld, const float *x,
             size_t samples, size_t stride, double *share, struct error *e);

#endif
