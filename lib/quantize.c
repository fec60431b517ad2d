/* Quantization grids. Source: the quantizer of GPTQ (IST-DASLab/gptq, quant.py), as formulas. */
#include "quantize.h"

#include <math.h>

#include "fmath.h"

enum { LANES = 16 };

void quantize_grid(const float *w, size_t n, int bits, bool symmetric, float *scale, uint8_t *zero)
{
    float low = 0, high = 0, maxq = (float)((1 << bits) - 1);
    float least[LANES] = {0}, most[LANES] = {0};
    size_t i = 0;
    /* The order of minima does not matter, so they are taken in lanes. */
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            least[k] = w[i + k] < least[k] ? w[i + k] : least[k];
            most[k] = w[i + k] > most[k] ? w[i + k] : most[k];
        }
    for (size_t k = 0; i + k < n; k++) {
        least[k] = w[i + k] < least[k] ? w[i + k] : least[k];
        most[k] = w[i + k] > most[k] ? w[i + k] : most[k];
    }
    for (size_t k = 0; k < LANES; k++) {
        low = least[k] < low ? least[k] : low;
        high = most[k] > high ? most[k] : high;
    }
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
    float z = nearbyintf(-low / *scale);
    /* A subnormal scale is rounded so much that the zero point could leave the codes. */
    *zero = (uint8_t)(symmetric ? 1 << (bits - 1) : (int)(z < maxq ? z : maxq));
}

/* Rounding by adding 1.5 * 2^23 is that of nearbyintf() for |q| < 2^22; beyond +-1024 the code is
 * clamped in any case. */
static inline uint8_t code_of(float w, float scale, float zero, float maxq)
{
    const float big = 0x1.8p23f;
    float q = w / scale;
    q = q < -1024 ? -1024 : q;
    q = q > 1024 ? 1024 : q;
    q = q + big - big + zero;
    q = q < 0 ? 0 : q;
    q = q > maxq ? maxq : q;
    return (uint8_t)(int)q;
}

void quantize_grid_search(const float *w, size_t n, int bits, bool symmetric, bool mse,
                          float *scale, uint8_t *zero)
{
    float low = 0, high = 0, maxq = (float)((1 << bits) - 1);
    double best = INFINITY;
    quantize_grid(w, n, bits, symmetric, scale, zero);
    if (!mse)
        return;
    for (size_t i = 0; i < n; i++) {
        low = w[i] < low ? w[i] : low;
        high = w[i] > high ? w[i] : high;
    }
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
    return code_of(w, scale, (float)zero, (float)((1 << bits) - 1));
}

void quantize_row(const float *w, size_t cols, size_t group, int bits, bool symmetric,
                  uint8_t *codes, float *scale, uint8_t *zero)
{
    float maxq = (float)((1 << bits) - 1);
    for (size_t g = 0, c = 0; c < cols; g++, c += group) {
        size_t n = cols - c < group ? cols - c : group, i = 0;
        quantize_grid(w + c, n, bits, symmetric, &scale[g], &zero[g]);
        float s = scale[g], z = (float)zero[g];
        for (; i + LANES <= n; i += LANES)
            for (size_t k = 0; k < LANES; k++)
                codes[c + i + k] = code_of(w[c + i + k], s, z, maxq);
        for (; i < n; i++)
            codes[c + i] = code_of(w[c + i], s, z, maxq);
    }
}
