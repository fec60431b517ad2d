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

/* Panels by the four, of which only the kept weights are stored: bit j of mask[q * ldm + i] says that
 * output j of the 64 of four q keeps column i; those of outputs that are not there are 0. The values
 * follow each other column by column, in the order of the bits, from values[start[q]] on. Up to 32
 * values beyond a four's last are read. */
enum { FOUR = 4, FOUR_PANELS = FOUR * PANEL };
struct bitmap_panels {
    const uint64_t *mask;
    size_t ldm;
    const uint16_t *values;
    const size_t *start;
};

/* Two weights of every four columns, bf16. Of 8 such groups: 16 words of places, for each output
 * four bits a group (which columns of the group the two are, two bits each), then for each group 16
 * words of pairs, the first weight in the lower half. The columns of a pair ascend, so that its
 * chain is that of the whole matrix without zeros. Four panels, the last perhaps fewer, lie side by
 * side, 16 words of each in turn, so that the product of a row reads on and on. */
enum { PAIRS = 8, PAIRS_LINES = 1 + PAIRS };
/* Words of a panel of k columns. */
static inline size_t pairs_words(size_t k)
{
    return (k + 4 * PAIRS - 1) / (4 * PAIRS) * PAIRS_LINES * PANEL;
}
/* Where panel p of `panels` begins, and how many words its lines are apart. */
static inline uint32_t *pairs_panel(const uint32_t *w, size_t panels, size_t k, size_t p,
                                    size_t *ldw)
{
    const size_t first = p / FOUR * FOUR, left = panels - first;
    *ldw = (left < FOUR ? left : FOUR) * PANEL;
    return (uint32_t *)w + first * pairs_words(k) + p % FOUR * PANEL;
}
/* A group spread for many rows: 16 first weights, 16 second, 16 places of each as integers. */
enum { SPREAD = 4 * PANEL };

/* Panels of codes: 4-bit ones (nibbles) eight columns to the 32-bit word of an output, 16 words a
 * step; or bytes, (columns, 16). Columns start[g] to start[g + 1] make up group g; its codes lie
 * from column place[g] on, a multiple of 8 where they are nibbles. Panels are ldc bytes apart, scale
 * and offset (panels, groups, 16); min as below. */
struct code_panels {
    const void *codes;
    size_t ldc, groups;
    const size_t *start, *place;
    const float *scale, *offset;
    bool min;
};
/* s of row r, output j at s[r * lds + j * lane], lane 0 or 1; scale and offset (16). */
struct group_terms {
    const float *s;
    size_t lds, lane;
    const float *scale, *offset;
    bool min;
};
enum code_layout { CODE_NIBBLES, CODE_BYTES, CODE_LAYOUTS };

/* KL(p|q) = sum p ln(p/q), KL(q|p), JS = KL(p|m)/2 + KL(q|m)/2 with m = (p + q)/2, in nats; whether
 * both have the same largest (the first of equals). */
struct divergence {
    double kl_pq, kl_qp, js;
    bool agree;
};

struct kernels {
    enum cpu_level level;
    kernel_product *product[KERNEL_TYPES]; /* by enum panel_type */
    size_t together; /* panels that a product of many rows likes side by side */

    /* To f32: n numbers of a panel type; n bytes; and bits (16 a word, low first) to 0 and 1. */
    void (*widen[KERNEL_TYPES])(const void *in, size_t n, float *out);
    void (*widen_u8)(const uint8_t *in, size_t n, float *out);
    void (*widen_bits)(const uint16_t *in, size_t words, float *out);

    /* y (16 * panels) of one row x (k): chains over the kept columns, + bias; the last four need
     * not be whole. By enum panel_type, none for f32. */
    void (*product_bitmap[KERNEL_TYPES])(size_t panels, size_t k, const float *x,
                                         const struct bitmap_panels *w, float *y,
                                         const float *bias);
    /* k columns of four panels to f32, what is not kept to +0: (k, 16) of each, ldo floats apart; the
     * number of values taken. */
    size_t (*expand[KERNEL_TYPES])(const uint64_t *mask, size_t k, const uint16_t *values,
                                   float *out, size_t ldo);

    /* y (16 * panels) of one row x (k) with pairs: blocks of FOUR panels, the last perhaps of
     * fewer. */
    void (*product_pairs)(size_t panels, size_t k, const float *x, const uint32_t *w, float *y,
                          const float *bias);
    /* Groups from `first` on of one panel, whose lines are ldw words apart, (groups, SPREAD); and
     * the product of many rows with them as kernel_product has it, for one panel. */
    void (*spread_pairs)(const uint32_t *w, size_t ldw, size_t first, size_t groups, float *out);
    void (*product_spread)(size_t rows, size_t k, const float *x, size_t ldx, const float *w,
                           float *y, size_t ldy, const float *bias, bool more);

    /* n columns of nibbles to f32, (n, 16). */
    void (*widen_nibbles)(const uint32_t *in, size_t n, float *out);
    /* y (16 * panels) of one row x, s (groups) the sums of x over each group: for every group the
     * chain over x q and what product_group() makes of it, in ascending order; + bias. */
    void (*product_codes[CODE_LAYOUTS])(size_t panels, const struct code_panels *w, const float *x,
                                        const float *s, float *y, const float *bias);

    /* One group of a group-quantized product of many rows with one panel w (k, 16) of its codes. The
     * chains go on from a (rows, 16), or start where it is NULL; then, y (rows, 16) of stride ldy:
     *   zero: y = fma(scale, fma(offset, s, a), y), offset = -zero
     *   min:  y = fma(scale, a, fma(offset, s, y)), offset = min */
    void (*product_group)(size_t rows, size_t k, const float *x, size_t ldx, const float *w,
                          const float *a, const struct group_terms *g, float *y, size_t ldy);

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
    /* Sum of (double)exp(x[i] - shift), none above shift, in lanes of double. */
    double (*sum_exp)(const float *x, size_t n, float shift);
    /* Of the softmax of two rows of n >= 1 finite logits, in double. */
    struct divergence (*divergence)(const float *p, const float *q, size_t n);
};

/* The first of the largest of n >= 1 numbers. */
static inline size_t largest(const float *x, size_t n)
{
    float lane[PANEL], most;
    size_t i = 0;
    for (size_t j = 0; j < PANEL; j++)
        lane[j] = x[0];
    for (; i + PANEL <= n; i += PANEL)
        for (size_t j = 0; j < PANEL; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    most = lane[0];
    for (size_t j = 1; j < PANEL; j++)
        most = lane[j] > most ? lane[j] : most;
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (i = 0; i + 1 < n && x[i] != most; i++)
        ;
    return i;
}

/* The tree over PANEL lanes of double, which it overwrites. */
static inline double lanes_sum(double *lane)
{
    for (size_t step = PANEL / 2; step; step /= 2)
        for (size_t j = 0; j < step; j++)
            lane[j] += lane[j + step];
    return lane[0];
}

/* Kernels of a level; where a level has none of its own, those of the level below. */
const struct kernels *kernels_of(enum cpu_level level);

/* The tables and, for the tails of vector kernels, the functions in C. That of AVX-512 has gaps,
 * which kernels_of() fills. */
extern const struct kernels kernels_scalar, kernels_avx2, kernels_avx512;

#endif
