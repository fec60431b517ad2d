/* Kernels of the forward pass: one table of functions per processor level, all levels with the same
 * bits. The order of every sum is part of the contract:
 *
 *   chain   s = fma(a_{n-1}, b_{n-1}, … fma(a_0, b_0, +0)), k ascending
 *   lanes   element i goes to lane i mod 16, each lane a chain (or a plain sum) in ascending order;
 *           then the tree: lane j + lane j+8, then j+4, j+2, j+1
 *
 * A panel holds the weights of 16 outputs, (k, 16) row-major, so that outputs lie across vector
 * lanes and every output is a chain of its own: rows, panels and blocks of k can be cut anywhere.
 */
#ifndef KICK_KERNEL_H
#define KICK_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu.h"

enum { PANEL = 16, KERNEL_TYPES = 3 };

/* gelu: x Phi(x); gelu_tanh: x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3))), which is the form
 * with tanh; quick_gelu: x / (1 + exp(-1.702 x)). */
enum activation {
    ACTIVATION_SILU,
    ACTIVATION_GELU,
    ACTIVATION_GELU_TANH,
    ACTIVATION_RELU,
    ACTIVATION_QUICK_GELU,
    ACTIVATIONS,
};

#define GELU_CUBIC 0.044715f
#define GELU_FACTOR -1.5957691216057308f /* -2 sqrt(2 / pi) */
#define QUICK_GELU_FACTOR -1.702f

/* What a panel holds; all are widened to f32 exactly. */
enum panel_type { PANEL_F32, PANEL_F16, PANEL_BF16 };

/* y (rows, 16 * panels) = chains over k of x (rows, k) with the panels; panel p lies at
 * w + p * ldw elements of its type. more: the chains go on from what is in y. bias: 16 * panels
 * numbers added once at the end; NULL while a later call goes on. Rows of x are ldx, of y ldy
 * floats apart; nothing needs alignment and nothing outside is read. */
typedef void kernel_product(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                            const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                            bool more);

struct kernels {
    enum cpu_level level;
    kernel_product *product[KERNEL_TYPES]; /* by enum panel_type */
    size_t together; /* panels that a product of many rows likes side by side */

    /* To f32: n numbers of a panel type; n bytes; and bits (16 a word, low first) to 0 and 1. */
    void (*widen[KERNEL_TYPES])(const void *in, size_t n, float *out);
    void (*widen_u8)(const uint8_t *in, size_t n, float *out);
    void (*widen_bits)(const uint16_t *in, size_t words, float *out);

    /* One group of a group-quantized product, y (rows, 16) of stride ldy:
     *   zero: y = fma(scale, fma(offset, s, a), y), offset = -zero
     *   min:  y = fma(scale, a, fma(offset, s, y)), offset = min
     * a (rows, 16) of stride 16; s of row r, lane j at s[r * lds + j * lane], lane 0 or 1; scale
     * and offset (16). */
    void (*combine)(size_t rows, const float *a, const float *s, size_t lds, size_t lane,
                    const float *scale, const float *offset, bool min, float *y, size_t ldy);

    /* Scores of a query to weights: s[j] = exp(s[j] * scale - max) for first <= j < last, else +0,
     * for j < n. Returns their sum in lanes. The maximum is taken over all before the first exp. */
    float (*softmax)(float *s, size_t first, size_t last, size_t n, float scale);

    /* y[i] = x[i] / d + 0 */
    void (*divide)(const float *x, size_t n, float d, float *y);
    /* y[i] = weight[i] * (x[i] * (1 / sqrt(mean of x^2 + eps))), the squares in lanes. */
    void (*rms_norm)(const float *x, size_t n, const float *weight, float eps, float *y);
    /* y[i] = gate[i] / (1 + exp(-gate[i])) * up[i]; y may be gate or up. */
    void (*silu_product)(const float *gate, const float *up, size_t n, float *y);
    /* y[i] = fma((x[i] - mean) * (1 / sqrt(variance + eps)), weight[i], bias[i]); the mean from
     * sums, the variance from squares of x[i] - mean, both in lanes. */
    void (*layer_norm)(const float *x, size_t n, const float *weight, const float *bias, float eps,
                       float *y);
    void (*activate[ACTIVATIONS])(float *x, size_t n); /* in place, by enum activation */
    /* y[i] *= x[i] */
    void (*multiply)(float *y, const float *x, size_t n);
    /* y[i] = fma(scale, x[i], y[i]) */
    void (*add_scaled)(float *y, const float *x, size_t n, float scale);
    /* x[i] = cap * tanh(x[i] * scale / cap) */
    void (*cap)(float *x, size_t n, float scale, float cap);
    /* Rotates the pairs x[i], x[half + i]: a cos - b sin, b cos + a sin, each product rounded. */
    void (*rope)(float *x, size_t half, const float *cosine, const float *sine);
    /* y[i] += x[i] */
    void (*add)(float *y, const float *x, size_t n);
    bool (*finite)(const float *x, size_t n);

    float (*maximum)(const float *x, size_t n); /* n >= 1 */
    /* The least number and 0, the greatest and 0. */
    void (*extremes)(const float *x, size_t n, float *low, float *high);
    /* clamp(round(x[i] / scale) + zero, 0, top), halves to even, for finite numbers */
    void (*codes)(const float *x, size_t n, float scale, float zero, float top, uint8_t *out);
    /* Sum of (double)exp(x[i] - shift) in lanes of double. */
    double (*sum_exp)(const float *x, size_t n, float shift);
};

/* Kernels of a level; where a level has none of its own, those of the level below. */
const struct kernels *kernels_of(enum cpu_level level);

/* The tables and, for the tails of vector kernels, the functions in C. That of AVX-512 has gaps,
 * which kernels_of() fills. */
extern const struct kernels kernels_scalar, kernels_avx2, kernels_avx512;

#endif
