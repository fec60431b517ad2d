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

/* Panels of 16 outputs, zero beyond the last; kernel.h describes the layouts. */
enum matrix_layout {
    LAYOUT_DENSE,   /* floats: (panels, cols, 16) of their own type, pruned ones zero */
    LAYOUT_BITMAP,  /* bf16, f16: a mask and the values that it keeps */
    LAYOUT_PAIRS,   /* bf16: two of every four columns */
    LAYOUT_NIBBLES, /* codes of up to 4 bits */
    LAYOUT_BYTES,   /* codes of 5 to 8 bits: (panels, cols, 16) */
};

/* Above this share, and below so many weights (64 KiB, which stay in the caches), a bitmap is kept
 * dense: its kernel would be no faster. */
#define BITMAP_MOST 0.75
enum { BITMAP_LEAST = 32 << 10 };

struct matrix {
    size_t rows, cols, panels;
    enum matrix_layout layout;
    enum panel_type type;
    void *panel;      /* floats: what the panels hold; NULL for codes */
    uint64_t *bitmap; /* (fours of panels, cols) */
    size_t *value;    /* bitmap: (fours + 1): where the values of four start */

    /* Codes; columns are sorted by group. */
    uint8_t *codes;
    size_t codes_bytes; /* of a panel */
    uint16_t *mask;     /* (panels, cols), bit j = output j keeps the column; NULL: all do */
    float *scale;       /* (panels, groups, 16) */
    float *offset;      /* likewise: -zero, or min */
    bool min;           /* w = scale * code + min */
    size_t groups;      /* a row */
    size_t *start;      /* (groups + 1): columns of a group, in the sorted order */
    size_t *place;      /* (groups + 1): where its codes lie: whole words of nibbles */
    uint32_t *order;    /* (cols): the column at a place, NULL where they are in order */

    float threshold; /* int: LLM.int8() (matrix_int8.h) with this threshold; 0: weights alone */

    float *bias; /* (16 * panels), zeros where the model has none */
    size_t bytes;
};

/* Panels by the four, the last perhaps fewer. */
static inline size_t matrix_fours(const struct matrix *m)
{
    return (m->panels + FOUR - 1) / FOUR;
}

/* Packs t, (rows, cols), in the layout that suits it best, or in another that can hold it. pool may
 * be NULL. */
int matrix_pack(struct matrix *m, const struct tensor *t, struct pool *pool, struct error *e);
enum matrix_layout matrix_layout_of(const struct tensor *t);
int matrix_pack_as(struct matrix *m, const struct tensor *t, enum matrix_layout layout,
                   struct pool *pool, struct error *e);
/* Gives m the bias t of m->rows numbers. */
int matrix_bias(struct matrix *m, const struct tensor *t, struct error *e);
/* Large pages for what products read (memory_settle()). */
void matrix_settle(const struct matrix *m);
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

/* How far rows of n activations are apart: rows that are 2 KiB or a multiple of it apart would
 * share a few sets of the caches (512 rows times 4096 x 4096: 0.63 of FMA peak instead of 0.87). */
static inline size_t row_stride(size_t n)
{
    n = panel_size(n);
    return n % 512 ? n : n + PANEL;
}

#endif
