/* Quantization grids. Source: the quantizer of GPTQ (IST-DASLab/gptq, quant.py), as formulas. */
#include "quantize.h"

#include <math.h>

void quantize_grid(const float *w, size_t n, int bits, bool symmetric, float *scale, uint8_t *zero)
{
    float low = 0, high = 0, maxq = (float)((1 << bits) - 1);
    for (size_t i = 0; i < n; i++) {
        low = w[i] < low ? w[i] : low;
        high = w[i] > high ? w[i] : high;
    }
    if (symmetric) {
        high = -low > high ? -low : high;
        if (low < 0)
            low = -high;
    }
    if (low == 0 && high == 0) {
        low = -1;
        high = 1;
    }
    *scale = (high - low) / maxq;
    if (symmetric)
        *zero = (uint8_t)(1 << (bits - 1));
    else
        *zero = (uint8_t)nearbyintf(-low / *scale);
}

uint8_t quantize_code(float w, float scale, uint8_t zero, int bits)
{
    float q = nearbyintf(w / scale) + (float)zero, maxq = (float)((1 << bits) - 1);
    return (uint8_t)(q < 0 ? 0 : q > maxq ? maxq : q);
}

void quantize_row(const float *w, size_t cols, size_t group, int bits, bool symmetric,
                  uint8_t *codes, float *scale, uint8_t *zero)
{
    for (size_t g = 0, c = 0; c < cols; g++, c += group) {
        size_t n = cols - c < group ? cols - c : group;
        quantize_grid(w + c, n, bits, symmetric, &scale[g], &zero[g]);
        for (size_t i = c; i < c + n; i++)
            codes[i] = quantize_code(w[i], scale[g], zero[g], bits);
    }
}
