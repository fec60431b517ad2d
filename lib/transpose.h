/* Transposition of floats. */
#ifndef KICK_TRANSPOSE_H
#define KICK_TRANSPOSE_H

#include <stddef.h>

/* y (cols, rows) = x (rows, cols) transposed; rows of x are ldx, of y ldy floats apart. */
void transpose_floats(size_t rows, size_t cols, const float *x, size_t ldx, float *y, size_t ldy);

#endif
