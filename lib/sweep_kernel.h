/* The inner loops of the column sweep, one set per processor level, all with the same bits. */
#ifndef KICK_SWEEP_KERNEL_H
#define KICK_SWEEP_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

enum { SWEEP_LANES = PANEL, SWEEP_SKIP_COLUMNS = 8 * PANEL, SWEEP_SKIP_ROWS = 48 };

/* What all row groups share of a block of n columns. */
struct sweep_block {
    size_t n;
    size_t near_cols;    /* columns that are swept one by one; what follows takes them all at once */
    const float *near;   /* (n, near_cols): row c of U, from where c's near columns begin */
    const float *across; /* (n, stride): U transposed */
    size_t stride;
    const float *diagonal; /* (n) U_cc; quantizing with direct does without */
    bool direct;           /* sweep.h */

    float threshold; /* pruning: of w^2 / U_cc^2; or groups of m columns, of which `gone` go */
    size_t m;
    int gone;
    float top; /* quantizing: the greatest code; 0: pruning */
    kernel_product *product;
};

/* A row group, one row a lane: all (n, SWEEP_LANES). */
struct sweep_rows {
    float *w;   /* weights, then what they become */
    float *err; /* with direct the weights as they were; then the errors */
    const float *scale, *zero; /* quantizing */
    int32_t *lost;             /* pruning: room */
    const uint16_t *kept; /* (n) bit l: lane l's weight may differ from zero; or NULL */
    uint8_t *codes;
};

struct sweep_kernels {
    void (*block)(const struct sweep_block *b, const struct sweep_rows *r);
    /* y (rows, 16 * panels) goes on with the chains of x (rows, k) and u (k, SWEEP_SKIP_COLUMNS), in
     * which zeros of x take no part; k <= SWEEP_SKIP_ROWS, so that u stays in the first-level cache.
     * Bound by loads: one of u an fma. */
    void (*skip_product)(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                         const float *u, float *y, size_t ldy);
    /* Bits of w^2 / square, which order as the numbers do. */
    void (*saliencies)(const float *w, const float *square, size_t n, uint32_t *out);
};

extern const struct sweep_kernels sweep_scalar, sweep_avx2, sweep_avx512;

#endif
