/* Which weights to remove by their magnitude. Thresholds are found by counting, not by sorting: a
 * pass over the matrix is bound by memory. */
#ifndef KICK_PRUNE_H
#define KICK_PRUNE_H

#include <stddef.h>

#include "error.h"
#include "pool.h"
#include "tensor.h"

/* Zeroes, in a dense (rows, cols) matrix of a float type, all |w| <= t where t is the floor(rows *
 * cols * sparsity)-th smallest magnitude, counted from 0: one more than asked, and ties with it, as
 * the released code does. sparsity 0 changes nothing, 1 zeroes all. A weight that is not finite is an
 * error. */
int prune_magnitude(enum tensor_values type, void *dense, size_t rows, size_t cols, double sparsity,
                    struct pool *pool, struct error *e);

/* Keeps the n largest of every m columns of a row (the first of equals is removed first); m - n are
 * removed from the last, shorter group too. */
int prune_pattern(enum tensor_values type, void *dense, size_t rows, size_t cols, int n, int m,
                  struct pool *pool, struct error *e);

#endif
