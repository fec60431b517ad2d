/* Kernels in plain C: the definition that the vector kernels must match bit for bit. fmaf() is the
 * C library's, correctly rounded with or without the instruction. */
#include "kernel.h"

#include <math.h>
#include <string.h>

#include "fmath.h"
#include "kernel_compact.h"
#include "kernel_divergence.h"
#include "tensor.h"

static float widened(enum panel_type type, const void *w, size_t i)
{
    if (type == PANEL_F32)
        return ((const float *)w)[i];
    const uint16_t h = ((const uint16_t *)w)[i];
    return type == PANEL_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}

static void product(enum panel_type type, size_t rows, size_t panels, size_t k, const float *x,
                    size_t ldx, const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                    bool more)
{
    for (size_t p = 0; p < panels; p++) {
        for (size_t r = 0; r < rows; r++) {
            float *out = y + r * ldy + p * PANEL;
            float sum[PANEL] = {0};
            if (more)
                memcpy(sum, out, sizeof sum);
            for (size_t i = 0; i < k; i++)
                for (size_t j = 0; j < PANEL; j++)
                    sum[j] =
                        fmaf(x[r * ldx + i], widened(type, w, p * ldw + i * PANEL + j), sum[j]);
            for (size_t j = 0; j < PANEL; j++)
                out[j] = bias ? sum[j] + bias[p * PANEL + j] : sum[j];
        }
    }
}

static void product_f32_scalar(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                               const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                               bool more)
{
    product(PANEL_F32, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

static void product_f16_scalar(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                               const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                               bool more)
{
    product(PANEL_F16, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

static void product_bf16_scalar(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                                const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                                bool more)
{
    product(PANEL_BF16, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

static void widen_f32_scalar(const void *in, size_t n, float *out)
{
    memcpy(out, in, n * sizeof *out);
}

static void widen_f16_scalar(const void *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = widened(PANEL_F16, in, i);
}

static void widen_bf16_scalar(const void *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = widened(PANEL_BF16, in, i);
}

static void widen_u8_scalar(const uint8_t *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)in[i];
}

static void widen_bits_scalar(const uint16_t *in, size_t words, float *out)
{
    for (size_t i = 0; i < words * 16; i++)
        out[i] = (float)(in[i / 16] >> i % 16 & 1);
}

static void product_group_scalar(size_t rows, size_t k, const float *x, size_t ldx, const float *w,
                                 const float *a, const struct group_terms *g, float *y, size_t ldy)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < PANEL; j++) {
            const float s = g->s[r * g->lds + j * g->lane];
            float sum = a ? a[r * PANEL + j] : 0, *out = y + r * ldy + j;
            for (size_t i = 0; i < k; i++)
                sum = fmaf(x[r * ldx + i], w[i * PANEL + j], sum);
            if (g->min)
                *out = fmaf(g->scale[j], sum, fmaf(g->offset[j], s, *out));
            else
                *out = fmaf(g->scale[j], fmaf(g->offset[j], s, sum), *out);
        }
    }
}

static float tree(float lane[PANEL])
{
    for (size_t step = PANEL / 2; step; step /= 2)
        for (size_t j = 0; j < step; j++)
            lane[j] += lane[j + step];
    return lane[0];
}

static float softmax_scalar(float *s, size_t first, size_t last, size_t n, float scale)
{
    float max = -INFINITY, lane[PANEL] = {0};
    for (size_t j = first; j < last; j++) {
        s[j] *= scale;
        max = s[j] > max ? s[j] : max;
    }
    for (size_t j = 0; j < n; j++) {
        s[j] = j >= first && j < last ? fmath_expf(s[j] - max) : 0;
        lane[j % PANEL] += s[j];
    }
    return tree(lane);
}

static void divide_scalar(const float *x, size_t n, float d, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] / d + 0.0f;
}

static void rms_norm_scalar(const float *x, size_t n, const float *weight, float eps, float *y)
{
    float lane[PANEL] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % PANEL] = fmaf(x[i], x[i], lane[i % PANEL]);
    const float factor = 1.0f / sqrtf(tree(lane) / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = weight[i] * (x[i] * factor);
}

static void silu_product_scalar(const float *gate, const float *up, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + fmath_expf(-gate[i])) * up[i];
}

static void layer_norm_scalar(const float *x, size_t n, const float *weight, const float *bias,
                              float eps, float *y)
{
    float lane[PANEL] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % PANEL] += x[i];
    const float mean = tree(lane) / (float)n;
    memset(lane, 0, sizeof lane);
    for (size_t i = 0; i < n; i++)
        lane[i % PANEL] = fmaf(x[i] - mean, x[i] - mean, lane[i % PANEL]);
    const float factor = 1.0f / sqrtf(tree(lane) / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = fmaf((x[i] - mean) * factor, weight[i], bias[i]);
}

static void silu_scalar(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] / (1.0f + fmath_expf(-x[i]));
}

static void gelu_scalar(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= fmath_normalf(x[i]);
}

static void gelu_tanh_scalar(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float u = x[i] * fmaf(x[i] * x[i], GELU_CUBIC, 1.0f);
        x[i] = x[i] / (1.0f + fmath_expf(GELU_FACTOR * u));
    }
}

static void relu_scalar(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.0f < x[i] || x[i] != x[i] ? x[i] : 0.0f;
}

static void quick_gelu_scalar(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] / (1.0f + fmath_expf(QUICK_GELU_FACTOR * x[i]));
}

static void multiply_scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= x[i];
}

static void add_scaled_scalar(float *y, const float *x, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fmaf(scale, x[i], y[i]);
}

static void cap_scalar(float *x, size_t n, float scale, float cap)
{
    for (size_t i = 0; i < n; i++)
        x[i] = cap * fmath_tanhf(x[i] * scale / cap);
}

static void rope_scalar(float *x, size_t half, const float *cosine, const float *sine)
{
    for (size_t i = 0; i < half; i++) {
        const float a = x[i], b = x[half + i];
        x[i] = a * cosine[i] - b * sine[i];
        x[half + i] = b * cosine[i] + a * sine[i];
    }
}

static void add_scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static bool finite_scalar(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static float maximum_scalar(const float *x, size_t n)
{
    float max = x[0];
    for (size_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max + 0.0f; /* one zero */
}

static void extremes_scalar(const float *x, size_t n, float *low, float *high)
{
    *low = *high = 0;
    for (size_t i = 0; i < n; i++) {
        *low = x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
    }
}

/* Rounding by adding 1.5 * 2^23 is that of nearbyintf() for |q| < 2^22; beyond +-1024 the code is
 * clamped in any case. */
static void codes_scalar(const float *x, size_t n, float scale, float zero, float top, uint8_t *out)
{
    const float big = 0x1.8p23f;
    for (size_t i = 0; i < n; i++) {
        float q = x[i] / scale;
        q = q < -1024 ? -1024 : q;
        q = q > 1024 ? 1024 : q;
        q = q + big - big + zero;
        q = q > 0 ? q : 0; /* also what is no number */
        q = q > top ? top : q;
        out[i] = (uint8_t)(int)q;
    }
}

static double sum_exp_scalar(const float *x, size_t n, float shift)
{
    double lane[PANEL] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % PANEL] += (double)fmath_expf(x[i] - shift);
    return lanes_sum(lane);
}

const struct kernels kernels_scalar = {
    .level = CPU_SCALAR,
    .product = {product_f32_scalar, product_f16_scalar, product_bf16_scalar},
    .together = 1,
    .widen = {widen_f32_scalar, widen_f16_scalar, widen_bf16_scalar},
    .widen_u8 = widen_u8_scalar,
    .widen_bits = widen_bits_scalar,
    .product_group = product_group_scalar,
    .softmax = softmax_scalar,
    .divide = divide_scalar,
    .rms_norm = rms_norm_scalar,
    .silu_product = silu_product_scalar,
    .layer_norm = layer_norm_scalar,
    .activate = {silu_scalar, gelu_scalar, gelu_tanh_scalar, relu_scalar, quick_gelu_scalar},
    .multiply = multiply_scalar,
    .add_scaled = add_scaled_scalar,
    .cap = cap_scalar,
    .rope = rope_scalar,
    .add = add_scalar,
    .finite = finite_scalar,
    .extremes = extremes_scalar,
    .codes = codes_scalar,
    .maximum = maximum_scalar,
    .sum_exp = sum_exp_scalar,
    .divergence = divergence_scalar,
    .expand = {NULL, expand_f16_scalar, expand_bf16_scalar},
    KERNELS_COMPACT(scalar),
};
