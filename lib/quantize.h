/* Quantization grids: integer codes with a scale and a zero point per row and group of columns. */
#ifndef KICK_QUANTIZE_H
#define KICK_QUANTIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

/* What the programs are asked for, and their options, for a table of struct cli_option. */
struct grid_options {
    long bits, group;
    bool symmetric;
};
#define GRID_DEFAULTS {4, 128, false}
#define GRID_OPTIONS(o)                                                                            \
    {'b', "bits", CLI_INT, &(o).bits, "B", "bits per code, 2 to 8", .min = 2, .max = 8,            \
     .result = true},                                                                              \
        {'g', "group", CLI_INT, &(o).group, "G", "columns per scale; 0: one scale a row",          \
         .min = 0, .max = 1 << 30, .result = true},                                                \
    {                                                                                              \
        0, "sym", CLI_FLAG, &(o).symmetric, NULL, "symmetric grids instead of min to max",         \
            .result = true                                                                         \
    }

/* The grid of n weights (GPTQ's quantizer; f32 arithmetic in its order):
 *   xmin = min(0, min w), xmax = max(0, max w), all zero: -1 and 1; maxq = 2^bits - 1
 *   symmetric: xmax = max(|xmin|, xmax), xmin = -xmax where it was negative
 *   scale = (xmax - xmin) / maxq, zero = round(-xmin / scale), or (maxq + 1) / 2 when symmetric */
void quantize_grid(const float *w, size_t n, int bits, bool symmetric, float *scale, uint8_t *zero);

/* The same grid, with mse shrunk to the one of p xmin, p xmax, p = 1, 0.99 … 0.21, whose sum of
 * |q - w|^2.4 is least (the first of equals). */
void quantize_grid_search(const struct kernels *k, const float *w, size_t n, int bits,
                          bool symmetric, bool mse, float *scale, uint8_t *zero);

/* Nearest integer, halves to even, for |x| < 2^22; beyond, something beyond 2^21 of x's sign. */
static inline float quantize_round(float x)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    return (x + shift) - shift;
}

/* Code of one weight: clamp(round(w / scale) + zero, 0, maxq), halves rounded to even. */
uint8_t quantize_code(float w, float scale, uint8_t zero, int bits);

/* Round to nearest of a (cols) row in groups of `group` columns (the last may be shorter): codes
 * (cols), scale and zero (groups). */
void quantize_row(const struct kernels *k, const float *w, size_t cols, size_t group, int bits,
                  bool symmetric, uint8_t *codes, float *scale, uint8_t *zero);

#endif
