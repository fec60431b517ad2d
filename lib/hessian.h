/* Second moments of a layer's inputs, and what SparseGPT and GPTQ need of them.
 *
 *   H = (2 / N) sum over the N calibration samples of X^T X        X: (tokens, columns)
 *   H^-1 = U^T U, U upper triangular                               (Frantar, Alistarh 2022, 2023)
 *
 * U comes straight from H: with the columns in reverse order H = L L^T (Cholesky), and U is the
 * inverse of L, reversed again: 2n^3/3 operations, where inverting H first takes 4n^3/3. What is done
 * with U can be done with U^-1, which is L reversed: n^3/3 operations (sweep.h).
 *
 * Exact: an entry of X^T X is one chain over the tokens of a sample (kernel.h); samples are added
 * in order in f64. All other products are chains too. Threads take tiles, never tokens. */
#ifndef KICK_HESSIAN_H
#define KICK_HESSIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "kernel.h"
#include "pool.h"

struct hessian {
    size_t n;       /* columns */
    double *sum;    /* lower triangle, row i at i (i + 1) / 2: sums of X^T X */
    float *settled; /* instead of sum, after hessian_settle(): H itself */
    size_t samples; /* N */
};

int hessian_new(struct hessian *h, size_t n, struct error *e);
void hessian_free(struct hessian *h);

/* Adds one sample: x (rows, n), rows ldx floats apart, readable up to n rounded up to 16. room:
 * hessian_room(rows) bytes for each thread, or NULL. */
int hessian_add(struct hessian *h, const struct kernels *k, struct pool *pool, size_t rows,
                const float *x, size_t ldx, float *room, struct error *e);

/* Of inputs that nobody saw: all columns alike. */
void hessian_identity(struct hessian *h);

/* After the last sample: keeps H in f32, as it is used, in half the memory. */
void hessian_settle(struct hessian *h);

/* Entry (i, j) as the released code has it, in f32. */
float hessian_at(const struct hessian *h, size_t i, size_t j);

enum factor_precision {
    FACTOR_AUTO, /* f32 (f64 up to 512 columns), then f64 where f32 fails, then more damping */
    FACTOR_F64,
    FACTOR_F32, /* f32 first for any size */
};

/* Bytes of a Hessian of n columns; for each thread while a sample of so many rows is added; of a
 * factor while it is made, at first in that precision. */
size_t hessian_bytes(size_t n);
size_t hessian_room(size_t rows);
size_t factor_bytes(size_t n, enum factor_precision precision);

struct factor_options {
    double damping; /* at least; where H is then not positive definite it grows tenfold, up to 1 */
    enum factor_precision precision;
    bool direct; /* the form of U^-1, without inverting it */
};

struct factor {
    size_t n, padded; /* padded: n rounded up to 16; what is beyond n is the identity */
    bool direct;
    float *panel;     /* U, columns in panels of 16: U_ij at factor_at(j / 16) + i * 16 + j % 16;
                       * direct: T = U^-1, T_ij / T_jj for i <= j */
    float *diagonal;  /* (padded) U_ii */
    uint8_t *dead;    /* (n) columns whose inputs are all zero; their H_ii was set to 1 */
    size_t dead_count;
    double damping; /* share of the mean of H's diagonal that was added to it */
    bool f64;       /* made in double precision */
};

enum { FACTOR_PANELS = 32 }; /* panels that have equally many rows */

/* Rows of a panel that are kept, what lies below the diagonal of its group being zero; numbers
 * before it. */
size_t factor_rows(size_t padded, size_t panel);
size_t factor_at(size_t padded, size_t panel);

/* The factor of H, its columns in `order` (n column numbers; NULL: as they are). */
int factor_new(struct factor *f, const struct hessian *h, const uint32_t *order,
               const struct factor_options *o, const struct kernels *k, struct pool *pool,
               struct error *e);
/* The same, and frees h as soon as it is of no more use, also after an error. */
int factor_take(struct factor *f, struct hessian *h, const uint32_t *order,
                const struct factor_options *o, const struct kernels *k, struct pool *pool,
                struct error *e);
void factor_free(struct factor *f);

#endif
