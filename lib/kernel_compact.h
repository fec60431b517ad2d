/* Kernels of weights that stay compact in memory: a mask and what it keeps, two of every four
 * columns, codes. Part of the tables of kernel.h, where their contracts stand; one file per level. */
#ifndef KICK_KERNEL_COMPACT_H
#define KICK_KERNEL_COMPACT_H

#include "kernel.h"

#define KERNELS_COMPACT(level)                                                                     \
    void product_bitmap_f16_##level(size_t panels, size_t k, const float *x,                       \
                                    const struct bitmap_panels *w, float *y, const float *bias);   \
    void product_bitmap_bf16_##level(size_t panels, size_t k, const float *x,                      \
                                     const struct bitmap_panels *w, float *y, const float *bias);  \
    size_t expand_f16_##level(const uint64_t *mask, size_t k, const uint16_t *values, float *out,  \
                              size_t ldo);                                                         \
    size_t expand_bf16_##level(const uint64_t *mask, size_t k, const uint16_t *values, float *out, \
                               size_t ldo);                                                        \
    void product_pairs_##level(size_t panels, size_t k, const float *x, const uint32_t *w,         \
                               float *y, const float *bias);                                       \
    void spread_pairs_##level(const uint32_t *w, size_t ldw, size_t first, size_t groups,          \
                              float *out);                                                         \
    void product_spread_##level(size_t rows, size_t k, const float *x, size_t ldx, const float *w, \
                                float *y, size_t ldy, const float *bias, bool more);               \
    void widen_nibbles_##level(const uint32_t *in, size_t n, float *out);                          \
    void product_nibbles_##level(size_t panels, const struct code_panels *w, const float *x,       \
                                 const float *s, float *y, const float *bias);                     \
    void product_bytes_##level(size_t panels, const struct code_panels *w, const float *x,         \
                               const float *s, float *y, const float *bias);

KERNELS_COMPACT(scalar)
KERNELS_COMPACT(avx2)
KERNELS_COMPACT(avx512) /* without expand */
#undef KERNELS_COMPACT

/* product_codes[CODE_NIBBLES] for processors that take no longer for subnormal numbers. */
void product_nibbles_tiny_avx2(size_t panels, const struct code_panels *w, const float *x,
                               const float *s, float *y, const float *bias);
void product_nibbles_tiny_avx512(size_t panels, const struct code_panels *w, const float *x,
                                 const float *s, float *y, const float *bias);

/* For each mask of eight outputs, which bytes of its kept 16-bit numbers become eight f32: the upper
 * halves, 0x80 makes the lower ones 0. Vector levels share it. */
extern const uint8_t bitmap_places[256][32];

/* Members of struct kernels, but for expand. */
#define KERNELS_COMPACT(level)                                                                     \
    .product_bitmap = {NULL, product_bitmap_f16_##level, product_bitmap_bf16_##level},             \
    .product_pairs = product_pairs_##level, .spread_pairs = spread_pairs_##level,                  \
    .product_spread = product_spread_##level, .widen_nibbles = widen_nibbles_##level,              \
    .product_codes = {product_nibbles_##level, product_bytes_##level}

#endif
