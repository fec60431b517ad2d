/* LLM.int8() (Dettmers et al. 2022): products of 8-bit weights with 8-bit activations, large
 * activations apart. Per row x of inputs:
 *
 *   outliers   columns with |x_j| >= threshold
 *   s          max |x_j| over the others, / 127
 *   total      sum over the others of round(x_j / s) * (code_ij - zero): exact
 *   y_i        ((float)total * s) * scale_i, then y_i = fma(x_j, w_ij, y_i) over the outliers in
 *              column order, w = scale * (code - zero); then + bias
 *
 * Outliers are chosen row by row, so batches do not matter. */
#ifndef KICK_MATRIX_INT8_H
#define KICK_MATRIX_INT8_H

#include "matrix.h"

/* matrix_product() of a matrix with a threshold. */
int matrix_product_int8(const struct matrix *m, const struct kernels *k, struct pool *pool,
                        size_t rows, const float *x, size_t ldx, float *y, size_t ldy,
                        struct error *e);

#endif
