/* Weight matrices packed for products, and vectors. */
#ifndef KICK_MATRIX_H
#define KICK_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "kernel.h"
#include "pool.h"
#include "tensor.h"

/* Panels of 16 outputs, zero beyond the last. Floats keep their own type (masked ones are dense
 * with zeros, which add nothing). int tensors keep their codes; their columns are sorted by group.
 */
struct matrix {
    size_t rows, cols, panels;
    enum panel_type type;
    void *panel; /* floats: (panels, cols, 16); NULL for int */

    uint8_t *codes;  /* (panels, cols, 16) */
    uint16_t *mask;  /* (panels, cols), bit j = output j keeps the column; NULL: all do */
    float *scale;    /* (panels, groups, 16) */
    float *offset;   /* likewise: -zero, or min */
    bool min;        /* w = scale * code + min */
    size_t groups;   /* a row */
    size_t *start;   /* (groups + 1): columns of a group, in the sorted order */
    uint32_t *order; /* (cols): the column at a place, NULL where they are in order */

    float threshold; /* int: LLM.int8() (matrix_int8.h) with this threshold; 0: weights alone */

    float *bias; /* (16 * panels), zeros where the model has none */
    size_t bytes;
};

/* Packs t, (rows, cols). pool may be NULL. */
int matrix_pack(struct matrix *m, const struct tensor *t, struct pool *pool, struct error *e);
/* Gives m the bias t of m->rows numbers. */
int matrix_bias(struct matrix *m, const struct tensor *t, struct error *e);
void matrix_free(struct matrix *m);

/* One row as f32, (cols): the same numbers as tensor_row() gives. */
void matrix_row(const struct matrix *m, size_t row, float *out);

/* y (rows, 16 * panels) = x (rows, cols) times the transpose of m, + bias, in the order of
 * kernel.h; columns beyond m->rows become 0. int, in order of the groups g, with the chains a_g
 * over x q and s_g over x, both over the kept columns only: y = fma(scale_g, fma(-zero_g, s_g,
 * a_g), y), or fma(scale_g, a_g, fma(min_g, s_g, y)) */
int matrix_product(const struct matrix *m, const struct kernels *k, struct pool *pool, size_t rows,
                   const float *x, size_t ldx, float *y, size_t ldy, struct error *e);

/* A tensor of rank 1 as f32, padded with zeros to a multiple of 16; freed with free(). */
float *vector_read(const struct tensor *t, struct error *e);

/* n rounded up to whole panels. */
static inline size_t panel_size(size_t n)
{
    return (n + PANEL - 1) / PANEL * PANEL;
}

#endif
