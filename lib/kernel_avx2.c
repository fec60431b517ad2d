/* Kernels for AVX2, FMA and F16C; same bits as kernel_scalar.c, which also does the tails. */
#include "kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "fmath.h"
#include "kernel_compact.h"
#include "kernel_divergence.h"

#define INLINE static inline __attribute__((always_inline))

/* 16 weights of one k. */
INLINE void load(enum panel_type type, const void *w, size_t i, __m256 *low, __m256 *high)
{
    if (type == PANEL_F32) {
        *low = _mm256_loadu_ps((const float *)w + i);
        *high = _mm256_loadu_ps((const float *)w + i + 8);
    } else if (type == PANEL_BF16) {
        const __m128i a = _mm_loadu_si128((const void *)((const uint16_t *)w + i));
        const __m128i b = _mm_loadu_si128((const void *)((const uint16_t *)w + i + 8));
        *low = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(a), 16));
        *high = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(b), 16));
    } else {
        *low = _mm256_cvtph_ps(_mm_loadu_si128((const void *)((const uint16_t *)w + i)));
        *high = _mm256_cvtph_ps(_mm_loadu_si128((const void *)((const uint16_t *)w + i + 8)));
    }
}

/* R rows by P panels in 2 R P registers. With 12 of them (6 x 1) two loads and six broadcasts feed
 * twelve fma: bound by the two FMA ports as long as the panel's block comes from the first-level
 * cache. Single rows take four panels to fill the FMA latency; from memory they are bound by it. */
INLINE void tile(const size_t R, const size_t P, const enum panel_type type, size_t k,
                 const float *x, size_t ldx, const void *w, size_t ldw, float *y, size_t ldy,
                 const float *bias, bool more)
{
    __m256 sum[12];
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t h = 0; h < 2 * P; h++)
            sum[r * 2 * P + h] = more ? _mm256_loadu_ps(y + r * ldy + h * 8) : _mm256_setzero_ps();
    }
    for (size_t i = 0; i < k; i++) {
        __m256 v[8];
#pragma GCC unroll 4
        for (size_t p = 0; p < P; p++)
            load(type, w, p * ldw + i * PANEL, &v[2 * p], &v[2 * p + 1]);
#pragma GCC unroll 6
        for (size_t r = 0; r < R; r++) {
            const __m256 a = _mm256_broadcast_ss(x + r * ldx + i);
#pragma GCC unroll 8
            for (size_t h = 0; h < 2 * P; h++)
                sum[r * 2 * P + h] = _mm256_fmadd_ps(a, v[h], sum[r * 2 * P + h]);
        }
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t h = 0; h < 2 * P; h++) {
            __m256 out = sum[r * 2 * P + h];
            if (bias)
                out = _mm256_add_ps(out, _mm256_loadu_ps(bias + h * 8));
            _mm256_storeu_ps(y + r * ldy + h * 8, out);
        }
    }
}

INLINE void product(const enum panel_type type, size_t rows, size_t panels, size_t k,
                    const float *x, size_t ldx, const void *w, size_t ldw, float *y, size_t ldy,
                    const float *bias, bool more)
{
    const size_t size = type == PANEL_F32 ? sizeof(float) : sizeof(uint16_t);
    size_t p = 0;
#define TILE(R, P)                                                                                 \
    tile(R, P, type, k, x + r * ldx, ldx, (const char *)w + p * ldw * size, ldw,                   \
         y + r * ldy + p * PANEL, ldy, bias ? bias + p * PANEL : NULL, more)
    if (rows == 1) {
        const size_t r = 0;
        for (; p + 4 <= panels; p += 4)
            TILE(1, 4);
    } else if (rows == 2 || rows == 3) {
        const size_t r = 0;
        for (; p + 2 <= panels; p += 2) {
            if (rows == 2)
                TILE(2, 2);
            else
                TILE(3, 2);
        }
    }
    for (; p < panels; p++) {
        size_t r = 0;
        for (; r + 6 <= rows; r += 6)
            TILE(6, 1);
        switch (rows - r) {
        case 5:
            TILE(5, 1);
            break;
        case 4:
            TILE(4, 1);
            break;
        case 3:
            TILE(3, 1);
            break;
        case 2:
            TILE(2, 1);
            break;
        case 1:
            TILE(1, 1);
            break;
        default:
            break;
        }
    }
#undef TILE
}

static void product_f32_avx2(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                             const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                             bool more)
{
    product(PANEL_F32, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

static void product_f16_avx2(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                             const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                             bool more)
{
    product(PANEL_F16, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

static void product_bf16_avx2(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                              const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                              bool more)
{
    product(PANEL_BF16, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

static void widen_f32_avx2(const void *in, size_t n, float *out)
{
    memcpy(out, in, n * sizeof *out);
}

/* Bound by memory. */
static void widen_f16_avx2(const void *in, size_t n, float *out)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(
            out + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)((const uint16_t *)in + i))));
    kernels_scalar.widen[PANEL_F16]((const uint16_t *)in + i, n - i, out + i);
}

static void widen_bf16_avx2(const void *in, size_t n, float *out)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256 low, high;
        load(PANEL_BF16, in, i, &low, &high);
        _mm256_storeu_ps(out + i, low);
        _mm256_storeu_ps(out + i + 8, high);
    }
    kernels_scalar.widen[PANEL_BF16]((const uint16_t *)in + i, n - i, out + i);
}

static void widen_u8_avx2(const uint8_t *in, size_t n, float *out)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(in + i)));
        _mm256_storeu_ps(out + i, _mm256_cvtepi32_ps(v));
    }
    kernels_scalar.widen_u8(in + i, n - i, out + i);
}

static void widen_bits_avx2(const uint16_t *in, size_t words, float *out)
{
    const __m256i low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i high = _mm256_slli_epi32(low, 8);
    const __m256 one = _mm256_set1_ps(1.0f);
    for (size_t i = 0; i < words; i++) {
        const __m256i v = _mm256_set1_epi32(in[i]);
        const __m256i a = _mm256_cmpeq_epi32(_mm256_and_si256(v, low), low);
        const __m256i b = _mm256_cmpeq_epi32(_mm256_and_si256(v, high), high);
        _mm256_storeu_ps(out + i * 16, _mm256_and_ps(_mm256_castsi256_ps(a), one));
        _mm256_storeu_ps(out + i * 16 + 8, _mm256_and_ps(_mm256_castsi256_ps(b), one));
    }
}

/* As tile(), for one panel of f32 codes; the sums end in registers and are combined there. */
INLINE void group_tile(const size_t R, size_t k, const float *x, size_t ldx, const float *w,
                       const float *a, const struct group_terms *g, size_t row, float *y,
                       size_t ldy)
{
    __m256 sum[12];
#pragma GCC unroll 12
    for (size_t i = 0; i < 2 * R; i++)
        sum[i] = a ? _mm256_loadu_ps(a + i * 8) : _mm256_setzero_ps();
    for (size_t i = 0; i < k; i++) {
        const __m256 low = _mm256_loadu_ps(w + i * PANEL);
        const __m256 high = _mm256_loadu_ps(w + i * PANEL + 8);
#pragma GCC unroll 6
        for (size_t r = 0; r < R; r++) {
            const __m256 b = _mm256_broadcast_ss(x + r * ldx + i);
            sum[2 * r] = _mm256_fmadd_ps(b, low, sum[2 * r]);
            sum[2 * r + 1] = _mm256_fmadd_ps(b, high, sum[2 * r + 1]);
        }
    }
#pragma GCC unroll 12
    for (size_t i = 0; i < 2 * R; i++) {
        const float *s = g->s + (row + i / 2) * g->lds;
        const __m256 total =
            g->lane ? _mm256_loadu_ps(s + i % 2 * 8) : _mm256_broadcast_ss(s);
        const __m256 factor = _mm256_loadu_ps(g->scale + i % 2 * 8);
        const __m256 shift = _mm256_loadu_ps(g->offset + i % 2 * 8);
        float *to = y + i / 2 * ldy + i % 2 * 8;
        __m256 out = _mm256_loadu_ps(to);
        if (g->min)
            out = _mm256_fmadd_ps(factor, sum[i], _mm256_fmadd_ps(shift, total, out));
        else
            out = _mm256_fmadd_ps(factor, _mm256_fmadd_ps(shift, total, sum[i]), out);
        _mm256_storeu_ps(to, out);
    }
}

static void product_group_avx2(size_t rows, size_t k, const float *x, size_t ldx, const float *w,
                               const float *a, const struct group_terms *g, float *y, size_t ldy)
{
    for (size_t r = 0; r < rows;) {
        const float *start = a ? a + r * PANEL : NULL;
#define TILE(R)                                                                                    \
    group_tile(R, k, x + r * ldx, ldx, w, start, g, r, y + r * ldy, ldy);                          \
    r += R
        if (rows - r >= 6) {
            TILE(6);
        } else if (rows - r >= 3) {
            TILE(3);
        } else {
            TILE(1);
        }
#undef TILE
    }
}

/* e^r - 1 for x = n ln 2 + r, in eight lanes. */
INLINE __m256 exp8_reduced(__m256 x, __m256 *n)
{
    const __m256 shift = _mm256_set1_ps(FMATH_EXPF_SHIFT);
    *n = _mm256_sub_ps(_mm256_fmadd_ps(x, _mm256_set1_ps(FMATH_LOG2E), shift), shift);
    __m256 r = _mm256_fnmadd_ps(*n, _mm256_set1_ps(FMATH_LN2_HIGH), x);
    r = _mm256_fnmadd_ps(*n, _mm256_set1_ps(FMATH_LN2_LOW), r);
    __m256 p = _mm256_set1_ps(FMATH_EXPF_C7);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(FMATH_EXPF_C6));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(FMATH_EXPF_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(FMATH_EXPF_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(FMATH_EXPF_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(FMATH_EXPF_C2));
    return _mm256_fmadd_ps(_mm256_mul_ps(r, r), p, r);
}

/* fmath_expf() in eight lanes. */
INLINE __m256 exp8(__m256 x)
{
    __m256 n;
    __m256 p = _mm256_add_ps(exp8_reduced(x, &n), _mm256_set1_ps(1.0f));
    const __m256i k = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(k, 1);
    const __m256i bias = _mm256_set1_epi32(127);
    const __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(k, half), bias), 23);
    p = _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
    const __m256 under = _mm256_cmp_ps(x, _mm256_set1_ps(FMATH_EXPF_MIN), _CMP_LT_OQ);
    const __m256 over = _mm256_cmp_ps(x, _mm256_set1_ps(FMATH_EXPF_MAX), _CMP_GT_OQ);
    p = _mm256_andnot_ps(under, p);
    return _mm256_blendv_ps(p, _mm256_set1_ps(INFINITY), over);
}

/* fmath_tanhf() in eight lanes. */
INLINE __m256 tanh8(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    const __m256 a = _mm256_andnot_ps(sign, x);
    const __m256 t = _mm256_min_ps(_mm256_set1_ps(FMATH_TANHF_MAX), a); /* a NaN stays */
    __m256 n;
    const __m256 q = exp8_reduced(_mm256_add_ps(t, t), &n);
    const __m256i k = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    const __m256 s = _mm256_castsi256_ps(_mm256_slli_epi32(k, 23));
    const __m256 e = _mm256_fmadd_ps(q, s, _mm256_sub_ps(s, one));
    const __m256 y = _mm256_div_ps(e, _mm256_add_ps(e, _mm256_set1_ps(2.0f)));
    return _mm256_or_ps(y, _mm256_and_ps(sign, x));
}

/* fmath_normalf() in eight lanes. */
INLINE __m256 normal8(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f), half = _mm256_set1_ps(0.5f);
    const __m256 a = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
    const __m256 t = _mm256_mul_ps(a, _mm256_set1_ps(FMATH_SQRT_HALF));
    const __m256 u =
        _mm256_div_ps(one, _mm256_fmadd_ps(_mm256_set1_ps(FMATH_ERFC_STRETCH), t, one));
    __m256 p = _mm256_set1_ps(fmath_erfc[FMATH_ERFC_TERMS - 1]);
#pragma GCC unroll 9
    for (int i = FMATH_ERFC_TERMS - 2; i >= 0; i--)
        p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(fmath_erfc[i]));
    const __m256 h = _mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(-0.5f), x), x);
    const __m256 tail = _mm256_mul_ps(_mm256_mul_ps(p, exp8(h)), half);
    const __m256 below = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
    return _mm256_blendv_ps(_mm256_sub_ps(one, tail), tail, below);
}

/* The tree over lanes 0–7 in a, 8–15 in b. */
INLINE float tree(__m256 a, __m256 b)
{
    const __m256 s = _mm256_add_ps(a, b);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    q = _mm_add_ss(q, _mm_shuffle_ps(q, q, 1));
    return _mm_cvtss_f32(q);
}

INLINE float max8(__m256 v)
{
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    q = _mm_max_ss(q, _mm_shuffle_ps(q, q, 1));
    return _mm_cvtss_f32(q);
}

/* Bound by the arithmetic of exp, about 20 operations a vector. */
static float softmax_avx2(float *s, size_t first, size_t last, size_t n, float scale)
{
    const __m256 factor = _mm256_set1_ps(scale);
    __m256 most = _mm256_set1_ps(-INFINITY);
    size_t j = first;
    for (; j + 8 <= last; j += 8) {
        const __m256 v = _mm256_mul_ps(_mm256_loadu_ps(s + j), factor);
        _mm256_storeu_ps(s + j, v);
        most = _mm256_max_ps(v, most);
    }
    float max = max8(most);
    for (; j < last; j++) {
        s[j] *= scale;
        max = s[j] > max ? s[j] : max;
    }
    /* Whole vectors of 16 from the start, so that lanes are positions; what is masked, and the
     * part before and after the vectors that may be read, goes through a small copy. */
    const __m256 top = _mm256_set1_ps(max);
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (j = 0; j < n; j += PANEL) {
        if (j >= first && j + PANEL <= last) {
            const __m256 a = exp8(_mm256_sub_ps(_mm256_loadu_ps(s + j), top));
            const __m256 b = exp8(_mm256_sub_ps(_mm256_loadu_ps(s + j + 8), top));
            _mm256_storeu_ps(s + j, a);
            _mm256_storeu_ps(s + j + 8, b);
            low = _mm256_add_ps(low, a);
            high = _mm256_add_ps(high, b);
            continue;
        }
        const size_t here = n - j < PANEL ? n - j : PANEL;
        if (j >= last || j + PANEL <= first) { /* adding +0 changes no lane */
            memset(s + j, 0, here * sizeof *s);
            continue;
        }
        /* exp(-inf) is +0. */
        float part[PANEL];
        for (size_t i = 0; i < PANEL; i++)
            part[i] = j + i >= first && j + i < last ? s[j + i] : -INFINITY;
        const __m256 a = exp8(_mm256_sub_ps(_mm256_loadu_ps(part), top));
        const __m256 b = exp8(_mm256_sub_ps(_mm256_loadu_ps(part + 8), top));
        _mm256_storeu_ps(part, a);
        _mm256_storeu_ps(part + 8, b);
        memcpy(s + j, part, here * sizeof *part);
        low = _mm256_add_ps(low, a);
        high = _mm256_add_ps(high, b);
    }
    return tree(low, high);
}

static void divide_avx2(const float *x, size_t n, float d, float *y)
{
    const __m256 by = _mm256_set1_ps(d);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 q = _mm256_div_ps(_mm256_loadu_ps(x + i), by);
        _mm256_storeu_ps(y + i, _mm256_add_ps(q, _mm256_setzero_ps()));
    }
    kernels_scalar.divide(x + i, n - i, d, y + i);
}

/* Bound by memory: two passes over a row. */
static void rms_norm_avx2(const float *x, size_t n, const float *weight, float eps, float *y)
{
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + PANEL <= n; i += PANEL) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
        low = _mm256_fmadd_ps(a, a, low);
        high = _mm256_fmadd_ps(b, b, high);
    }
    if (i < n) {
        float part[PANEL] = {0}; /* fma(0, 0, lane) leaves a lane as it is */
        memcpy(part, x + i, (n - i) * sizeof *part);
        const __m256 a = _mm256_loadu_ps(part), b = _mm256_loadu_ps(part + 8);
        low = _mm256_fmadd_ps(a, a, low);
        high = _mm256_fmadd_ps(b, b, high);
    }
    const float factor = 1.0f / sqrtf(tree(low, high) / (float)n + eps);
    const __m256 f = _mm256_set1_ps(factor);
    for (i = 0; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_loadu_ps(weight + i),
                                              _mm256_mul_ps(_mm256_loadu_ps(x + i), f)));
    for (; i < n; i++)
        y[i] = weight[i] * (x[i] * factor);
}

/* Bound by the arithmetic of exp and a division. */
static void silu_product_avx2(const float *gate, const float *up, size_t n, float *y)
{
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 g = _mm256_loadu_ps(gate + i), u = _mm256_loadu_ps(up + i);
        const __m256 d = _mm256_add_ps(one, exp8(_mm256_xor_ps(g, sign)));
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_div_ps(g, d), u));
    }
    kernels_scalar.silu_product(gate + i, up + i, n - i, y + i);
}

/* Bound by memory: three passes over a row. */
static void layer_norm_avx2(const float *x, size_t n, const float *weight, const float *bias,
                            float eps, float *y)
{
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    float part[PANEL] = {0}; /* +0 leaves a lane as it is: none is ever -0 */
    size_t i = 0;
    for (; i + PANEL <= n; i += PANEL) {
        low = _mm256_add_ps(low, _mm256_loadu_ps(x + i));
        high = _mm256_add_ps(high, _mm256_loadu_ps(x + i + 8));
    }
    memcpy(part, x + i, (n - i) * sizeof *part);
    low = _mm256_add_ps(low, _mm256_loadu_ps(part));
    high = _mm256_add_ps(high, _mm256_loadu_ps(part + 8));
    const float mean = tree(low, high) / (float)n;
    const __m256 m = _mm256_set1_ps(mean);
    low = high = _mm256_setzero_ps();
    for (i = 0; i + PANEL <= n; i += PANEL) {
        const __m256 a = _mm256_sub_ps(_mm256_loadu_ps(x + i), m);
        const __m256 b = _mm256_sub_ps(_mm256_loadu_ps(x + i + 8), m);
        low = _mm256_fmadd_ps(a, a, low);
        high = _mm256_fmadd_ps(b, b, high);
    }
    for (size_t j = i; j < n; j++)
        part[j - i] = x[j] - mean;
    const __m256 a = _mm256_loadu_ps(part), b = _mm256_loadu_ps(part + 8);
    low = _mm256_fmadd_ps(a, a, low);
    high = _mm256_fmadd_ps(b, b, high);
    const float factor = 1.0f / sqrtf(tree(low, high) / (float)n + eps);
    const __m256 f = _mm256_set1_ps(factor);
    for (i = 0; i + 8 <= n; i += 8) {
        const __m256 d = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), m), f);
        _mm256_storeu_ps(
            y + i, _mm256_fmadd_ps(d, _mm256_loadu_ps(weight + i), _mm256_loadu_ps(bias + i)));
    }
    for (; i < n; i++)
        y[i] = fmaf((x[i] - mean) * factor, weight[i], bias[i]);
}

/* Activations: bound by the arithmetic of exp and one or two divisions. */
static void silu_avx2(float *x, size_t n)
{
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_loadu_ps(x + i);
        const __m256 d = _mm256_add_ps(one, exp8(_mm256_xor_ps(v, sign)));
        _mm256_storeu_ps(x + i, _mm256_div_ps(v, d));
    }
    kernels_scalar.activate[ACTIVATION_SILU](x + i, n - i);
}

static void gelu_avx2(float *x, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_loadu_ps(x + i);
        _mm256_storeu_ps(x + i, _mm256_mul_ps(v, normal8(v)));
    }
    kernels_scalar.activate[ACTIVATION_GELU](x + i, n - i);
}

static void gelu_tanh_avx2(float *x, size_t n)
{
    const __m256 one = _mm256_set1_ps(1.0f), cubic = _mm256_set1_ps(GELU_CUBIC);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_loadu_ps(x + i);
        const __m256 u = _mm256_mul_ps(v, _mm256_fmadd_ps(_mm256_mul_ps(v, v), cubic, one));
        const __m256 d = _mm256_add_ps(one, exp8(_mm256_mul_ps(_mm256_set1_ps(GELU_FACTOR), u)));
        _mm256_storeu_ps(x + i, _mm256_div_ps(v, d));
    }
    kernels_scalar.activate[ACTIVATION_GELU_TANH](x + i, n - i);
}

static void relu_avx2(float *x, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) /* of two zeros the second is taken: -0 + 0 is +0 */
        _mm256_storeu_ps(x + i, _mm256_add_ps(_mm256_max_ps(_mm256_setzero_ps(),
                                                            _mm256_loadu_ps(x + i)),
                                              _mm256_setzero_ps()));
    kernels_scalar.activate[ACTIVATION_RELU](x + i, n - i);
}

static void quick_gelu_avx2(float *x, size_t n)
{
    const __m256 one = _mm256_set1_ps(1.0f), factor = _mm256_set1_ps(QUICK_GELU_FACTOR);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_loadu_ps(x + i);
        const __m256 d = _mm256_add_ps(one, exp8(_mm256_mul_ps(factor, v)));
        _mm256_storeu_ps(x + i, _mm256_div_ps(v, d));
    }
    kernels_scalar.activate[ACTIVATION_QUICK_GELU](x + i, n - i);
}

static void multiply_avx2(float *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_loadu_ps(y + i), _mm256_loadu_ps(x + i)));
    for (; i < n; i++)
        y[i] *= x[i];
}

static void add_scaled_avx2(float *y, const float *x, size_t n, float scale)
{
    const __m256 factor = _mm256_set1_ps(scale);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(
            y + i, _mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    for (; i < n; i++)
        y[i] = fmaf(scale, x[i], y[i]);
}

static void cap_avx2(float *x, size_t n, float scale, float cap)
{
    const __m256 factor = _mm256_set1_ps(scale), by = _mm256_set1_ps(cap);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_div_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), factor), by);
        _mm256_storeu_ps(x + i, _mm256_mul_ps(by, tanh8(v)));
    }
    kernels_scalar.cap(x + i, n - i, scale, cap);
}

static void rope_avx2(float *x, size_t half, const float *cosine, const float *sine)
{
    size_t i = 0;
    for (; i + 8 <= half; i += 8) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + half + i);
        const __m256 c = _mm256_loadu_ps(cosine + i), s = _mm256_loadu_ps(sine + i);
        _mm256_storeu_ps(x + i, _mm256_sub_ps(_mm256_mul_ps(a, c), _mm256_mul_ps(b, s)));
        _mm256_storeu_ps(x + half + i, _mm256_add_ps(_mm256_mul_ps(b, c), _mm256_mul_ps(a, s)));
    }
    for (; i < half; i++) {
        const float a = x[i], b = x[half + i];
        x[i] = a * cosine[i] - b * sine[i];
        x[half + i] = b * cosine[i] + a * sine[i];
    }
}

static void add_avx2(float *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_add_ps(_mm256_loadu_ps(y + i), _mm256_loadu_ps(x + i)));
    for (; i < n; i++)
        y[i] += x[i];
}

static bool finite_avx2(const float *x, size_t n)
{
    const __m256i exponent = _mm256_set1_epi32(0x7f800000);
    __m256i bad = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i v = _mm256_and_si256(_mm256_loadu_si256((const void *)(x + i)), exponent);
        bad = _mm256_or_si256(bad, _mm256_cmpeq_epi32(v, exponent));
    }
    return _mm256_testz_si256(bad, bad) && kernels_scalar.finite(x + i, n - i);
}

static float lowest(__m256 v)
{
    __m128 x = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x = _mm_min_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_min_ss(x, _mm_movehdup_ps(x)));
}

/* Bound by reading x. No -0 comes in: where x is 0 what is there stays. */
static void extremes_avx2(const float *x, size_t n, float *low, float *high)
{
    __m256 least[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, most[2] = {least[0], least[0]};
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
        least[0] = _mm256_min_ps(a, least[0]);
        least[1] = _mm256_min_ps(b, least[1]);
        most[0] = _mm256_max_ps(a, most[0]);
        most[1] = _mm256_max_ps(b, most[1]);
    }
    *low = lowest(_mm256_min_ps(least[0], least[1]));
    *high = max8(_mm256_max_ps(most[0], most[1]));
    for (; i < n; i++) {
        *low = x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
    }
}

/* Eight codes. */
static inline __m256i codes_of(const float *x, __m256 scale, __m256 zero, __m256 top)
{
    const __m256 big = _mm256_set1_ps(0x1.8p23f), far = _mm256_set1_ps(1024);
    __m256 q = _mm256_div_ps(_mm256_loadu_ps(x), scale);
    q = _mm256_min_ps(far, _mm256_max_ps(_mm256_set1_ps(-1024), q));
    q = _mm256_add_ps(_mm256_sub_ps(_mm256_add_ps(q, big), big), zero);
    return _mm256_cvttps_epi32(_mm256_min_ps(top, _mm256_max_ps(_mm256_setzero_ps(), q)));
}

/* Bound by the division. */
static void codes_avx2(const float *x, size_t n, float scale, float zero, float top, uint8_t *out)
{
    const __m256 s = _mm256_set1_ps(scale), z = _mm256_set1_ps(zero), most = _mm256_set1_ps(top);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m256i a = _mm256_packs_epi32(codes_of(x + i, s, z, most), codes_of(x + i + 8, s, z, most));
        const __m256i b =
            _mm256_packs_epi32(codes_of(x + i + 16, s, z, most), codes_of(x + i + 24, s, z, most));
        _mm256_storeu_si256((void *)(out + i),
                            _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), order));
    }
    if (i < n)
        kernels_scalar.codes(x + i, n - i, scale, zero, top, out + i);
}

static float maximum_avx2(const float *x, size_t n)
{
    if (n < 8)
        return kernels_scalar.maximum(x, n);
    __m256 most = _mm256_loadu_ps(x);
    size_t i = 8;
    for (; i + 8 <= n; i += 8)
        most = _mm256_max_ps(_mm256_loadu_ps(x + i), most);
    float max = max8(most);
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max + 0.0f;
}

static double sum_exp_avx2(const float *x, size_t n, float shift)
{
    const __m256 s = _mm256_set1_ps(shift);
    __m256d a = _mm256_setzero_pd(), b = a, c = a, d = a; /* lanes 0–3, 4–7, 8–11, 12–15 */
    size_t i = 0;
    for (; i + PANEL <= n; i += PANEL) {
        const __m256 low = exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i), s));
        const __m256 high = exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i + 8), s));
        a = _mm256_add_pd(a, _mm256_cvtps_pd(_mm256_castps256_ps128(low)));
        b = _mm256_add_pd(b, _mm256_cvtps_pd(_mm256_extractf128_ps(low, 1)));
        c = _mm256_add_pd(c, _mm256_cvtps_pd(_mm256_castps256_ps128(high)));
        d = _mm256_add_pd(d, _mm256_cvtps_pd(_mm256_extractf128_ps(high, 1)));
    }
    double lane[PANEL];
    _mm256_storeu_pd(lane, a);
    _mm256_storeu_pd(lane + 4, b);
    _mm256_storeu_pd(lane + 8, c);
    _mm256_storeu_pd(lane + 12, d);
    for (; i < n; i++)
        lane[i % PANEL] += (double)fmath_expf(x[i] - shift);
    return lanes_sum(lane);
}

const struct kernels kernels_avx2 = {
    .level = CPU_AVX2,
    .product = {product_f32_avx2, product_f16_avx2, product_bf16_avx2},
    .together = 1,
    .widen = {widen_f32_avx2, widen_f16_avx2, widen_bf16_avx2},
    .widen_u8 = widen_u8_avx2,
    .widen_bits = widen_bits_avx2,
    .product_group = product_group_avx2,
    .softmax = softmax_avx2,
    .divide = divide_avx2,
    .rms_norm = rms_norm_avx2,
    .silu_product = silu_product_avx2,
    .layer_norm = layer_norm_avx2,
    .activate = {silu_avx2, gelu_avx2, gelu_tanh_avx2, relu_avx2, quick_gelu_avx2},
    .multiply = multiply_avx2,
    .add_scaled = add_scaled_avx2,
    .cap = cap_avx2,
    .rope = rope_avx2,
    .add = add_avx2,
    .finite = finite_avx2,
    .extremes = extremes_avx2,
    .codes = codes_avx2,
    .maximum = maximum_avx2,
    .sum_exp = sum_exp_avx2,
    .divergence = divergence_avx2,
    .expand = {NULL, expand_f16_avx2, expand_bf16_avx2},
    KERNELS_COMPACT(avx2),
};
#else
typedef int kernel_avx2_is_for_x86_64;
#endif
