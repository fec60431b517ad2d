/* A checkpoint that another tool compressed, beside the dense model that it came from: what the
 * weights say was done to them (sparsity, pattern), and how far each tensor is from the dense one. */
#ifndef KICK_VARIANT_H
#define KICK_VARIANT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "source.h"
#include "tensor.h"

/* Zeros of matrices, and the patterns N:M that all of them follow. Zero-initialise it. */
struct variant_shape {
    size_t weights, zeros;
    size_t coded[9], group[9]; /* by bits: how many weights are codes, and their last group */
    bool seen, broken[3]; /* patterns 1:4, 2:4, 4:8 that some matrix does not follow */
};

/* Adds one row of a matrix. */
void variant_shape_row(struct variant_shape *s, const float *row, size_t cols);

/* Adds a matrix of codes, in groups of so many columns (0: a row). */
void variant_shape_codes(struct variant_shape *s, int bits, size_t group, size_t weights);

/* Adds to `options` what a step of compression would have been asked for: "pattern", or
 * "sparsity" in hundredths, nothing where there are hardly more zeros than by chance; "bits" and
 * "group" that most weights have, where there are codes: then zeros are those of the grid. */
int variant_shape_options(const struct variant_shape *s, json_t *options, struct error *e);

/* The dense model, read along. */
struct variant {
    struct source dense;
    size_t others, differ; /* tensors that are no projections; of these not equal */
};

/* Opens it and checks that it is of the shape of m. The caller closes it, also after an error. */
int variant_open(struct variant *v, const char *path, const struct model *m, struct pool *pool,
                 struct error *e);
void variant_close(struct variant *v);

/* Compares the next tensor of the stream: relative error of the weights, the root of the sum of
 * squared differences over that of the dense squares, in *lost. */
int variant_next(struct variant *v, const struct tensor *t, double *lost, struct error *e);
/* After the last: the dense stream must have ended too. */
int variant_end(struct variant *v, struct error *e);

#endif
