/* Quantization grids. Source: the quantizer of GPTQ (IST-DASLab/gptq, quant.py), as formulas. */
#include "quantize.h"

#include <math.h>

#include "fmath.h"

/* The grid from low to high. */
static void grid_of(float low, float high, int bits, bool symmetric, float *scale, uint8_t *zero)
{
    const float maxq = (float)((1 << bits) - 1);
    if (symmetric) {
        high = -low > high ? -low : high;
        if (low < 0)
            low = -high;
    }
    *scale = (high - low) / maxq;
    /* All zero, or so small that the scale underflows: any grid will do. */
    if (*scale == 0) {
        low = -1;
        high = 1;
        *scale = (high - low) / maxq;
    }
    const float z = quantize_round(-low / *scale);
    /* A subnormal scale is rounded so much that the zero point could leave the codes. */
    *zero = (uint8_t)(symmetric ? 1 << (bits - 1) : (int)(z < maxq ? z : maxq));
}

void quantize_grid(const float *w, size_t n, int bits, bool symmetric, float *scale, uint8_t *zero)
{
    float low, high;
    kernels_scalar.extremes(w, n, &low, &high);
    grid_of(low, high, bits, symmetric, scale, zero);
}

void quantize_grid_search(const struct kernels *k, const float *w, size_t n, int bits,
                          bool symmetric, bool mse, float *scale, uint8_t *zero)
{
    float low, high;
    const float maxq = (float)((1 << bits) - 1);
    double best = INFINITY;
    k->extremes(w, n, &low, &high);
    grid_of(low, high, bits, symmetric, scale, zero);
    if (!mse)
        return;
    if (symmetric) {
        high = -low > high ? -low : high;
        low = low < 0 ? -high : low;
    }
    if (low == 0 && high == 0)
        return;
    for (int step = 0; step < 80; step++) {
        const double p = 1 - step / 100.0;
        const float a = (float)p * low, b = (float)p * high, s = (b - a) / maxq;
        const float z = symmetric ? (float)(1 << (bits - 1)) : quantize_round(-a / s);
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            float q = quantize_round(w[i] / s) + z;
            q = s * ((q < 0 ? 0 : q > maxq ? maxq : q) - z) - w[i];
            if (q != 0)
                sum += fmath_pow(fabs((double)q), 2.4);
        }
        if (sum < best) {
            best = sum;
            *scale = s;
            *zero = (uint8_t)z;
        }
    }
}

uint8_t quantize_code(float w, float scale, uint8_t zero, int bits)
{
    uint8_t code;
    kernels_scalar.codes(&w, 1, scale, (float)zero, (float)((1 << bits) - 1), &code);
    return code;
}

void quantize_row(const struct kernels *k, const float *w, size_t cols, size_t group, int bits,
                  bool symmetric, uint8_t *codes, float *scale, uint8_t *zero)
{
    /* First all grids: from the extremes to the scale is a long way, on which several can be at once. */
    for (size_t g = 0, c = 0; c < cols; g++, c += group) {
        float low, high;
        k->extremes(w + c, cols - c < group ? cols - c : group, &low, &high);
        grid_of(low, high, bits, symmetric, &scale[g], &zero[g]);
    }
    for (size_t g = 0, c = 0; c < cols; g++, c += group) {
        const size_t n = cols - c < group ? cols - c : group;
        for (size_t i = c; i < c + n; i += PANEL) /* the next row, if that is what follows */
            __builtin_prefetch(w + cols + i, 0, 2);
        k->codes(w + c, n, scale[g], (float)zero[g], (float)((1 << bits) - 1), codes + c);
    }
}
