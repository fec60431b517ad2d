/* Kernels for AVX-512 (F, BW, DQ, VL): a panel is one register. Same bits as kernel_scalar.c; what
 * is not here comes from the level below (kernel.c). */
#include "kernel.h"

#if defined(__x86_64__)
#ifdef KICK_SIMDE /* the emulation that tests these kernels anywhere */
#include "kernel_simde.h"
#else
#include <immintrin.h>
#endif
#include <math.h>
#include <string.h>

#include "fmath.h"
#include "kernel_compact.h"

#define INLINE static inline __attribute__((always_inline))

/* 16 weights of one k. */
INLINE __m512 load(enum panel_type type, const void *w, size_t i)
{
    if (type == PANEL_F32)
        return _mm512_loadu_ps((const float *)w + i);
    const __m256i h = _mm256_loadu_si256((const void *)((const uint16_t *)w + i));
    if (type == PANEL_F16)
        return _mm512_cvtph_ps(h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

/* R rows by P panels in R P registers. With 24 of them (12 x 2) two loads and twelve broadcasts,
 * which are operands of the fma themselves, feed twenty-four fma: bound by the FMA ports as long as
 * the panels' blocks come from the first-level cache. Single rows take eight panels to fill the FMA
 * latency; from memory they are bound by it. */
INLINE void tile(const size_t R, const size_t P, const enum panel_type type, size_t k,
                 const float *x, size_t ldx, const void *w, size_t ldw, float *y, size_t ldy,
                 const float *bias, bool more)
{
    __m512 sum[24];
#pragma GCC unroll 12
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t p = 0; p < P; p++)
            sum[r * P + p] = more ? _mm512_loadu_ps(y + r * ldy + p * PANEL) : _mm512_setzero_ps();
    }
    /* One pointer for three rows: twelve of them would not stay in registers. */
    const float *row[4] = {x, x + 3 * ldx, x + 6 * ldx, x + 9 * ldx};
    for (size_t i = 0; i < k; i++) {
        __m512 v[8];
#pragma GCC unroll 8
        for (size_t p = 0; p < P; p++)
            v[p] = load(type, w, p * ldw + i * PANEL);
#pragma GCC unroll 12
        for (size_t r = 0; r < R; r++) {
            const __m512 a = _mm512_set1_ps(row[r / 3][r % 3 * ldx + i]);
#pragma GCC unroll 8
            for (size_t p = 0; p < P; p++)
                sum[r * P + p] = _mm512_fmadd_ps(a, v[p], sum[r * P + p]);
        }
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t p = 0; p < P; p++) {
            __m512 out = sum[r * P + p];
            if (bias)
                out = _mm512_add_ps(out, _mm512_loadu_ps(bias + p * PANEL));
            _mm512_storeu_ps(y + r * ldy + p * PANEL, out);
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
        for (; p + 8 <= panels; p += 8)
            TILE(1, 8);
        for (; p + 4 <= panels; p += 4)
            TILE(1, 4);
    } else if (rows < 4) {
        for (; p + 4 <= panels; p += 4)
            for (size_t r = 0; r < rows;) {
                if (r + 2 <= rows) {
                    TILE(2, 4);
                    r += 2;
                } else {
                    TILE(1, 4);
                    r++;
                }
            }
    }
    while (p < panels) {
        const bool two = p + 2 <= panels;
        for (size_t r = 0; r < rows;) {
            const size_t left = rows - r;
            const size_t n = left >= 12 ? 12 : left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
#define BOTH(R)                                                                                    \
    if (two)                                                                                       \
        TILE(R, 2);                                                                                \
    else                                                                                           \
        TILE(R, 1)
            switch (n) {
            case 12:
                BOTH(12);
                break;
            case 8:
                BOTH(8);
                break;
            case 4:
                BOTH(4);
                break;
            case 2:
                BOTH(2);
                break;
            default:
                BOTH(1);
                break;
            }
#undef BOTH
            r += n;
        }
        p += two ? 2 : 1;
    }
#undef TILE
}

static void product_f32_avx512(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                               const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                               bool more)
{
    product(PANEL_F32, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

static void product_f16_avx512(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                               const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                               bool more)
{
    product(PANEL_F16, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

static void product_bf16_avx512(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                                const void *w, size_t ldw, float *y, size_t ldy, const float *bias,
                                bool more)
{
    product(PANEL_BF16, rows, panels, k, x, ldx, w, ldw, y, ldy, bias, more);
}

/* Bound by memory. */
static void widen_u8_avx512(const uint8_t *in, size_t n, float *out)
{
    size_t i = 0;
    for (; i + PANEL <= n; i += PANEL)
        _mm512_storeu_ps(out + i, _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(
                                      _mm_loadu_si128((const void *)(in + i)))));
    kernels_scalar.widen_u8(in + i, n - i, out + i);
}

static void widen_bits_avx512(const uint16_t *in, size_t words, float *out)
{
    for (size_t i = 0; i < words; i++)
        _mm512_storeu_ps(out + i * 16,
                         _mm512_maskz_mov_ps((__mmask16)in[i], _mm512_set1_ps(1.0f)));
}

/* As tile(), for one panel of f32 codes; the sums end in registers and are combined there. */
INLINE void group_tile(const size_t R, size_t k, const float *x, size_t ldx, const float *w,
                       const float *a, const struct group_terms *g, size_t first, float *y,
                       size_t ldy)
{
    __m512 sum[12];
#pragma GCC unroll 12
    for (size_t r = 0; r < R; r++)
        sum[r] = a ? _mm512_loadu_ps(a + r * PANEL) : _mm512_setzero_ps();
    const float *row[4] = {x, x + 3 * ldx, x + 6 * ldx, x + 9 * ldx};
    for (size_t i = 0; i < k; i++) {
        const __m512 v = _mm512_loadu_ps(w + i * PANEL);
#pragma GCC unroll 12
        for (size_t r = 0; r < R; r++)
            sum[r] = _mm512_fmadd_ps(_mm512_set1_ps(row[r / 3][r % 3 * ldx + i]), v, sum[r]);
    }
    const __m512 factor = _mm512_loadu_ps(g->scale), shift = _mm512_loadu_ps(g->offset);
#pragma GCC unroll 12
    for (size_t r = 0; r < R; r++) {
        const float *s = g->s + (first + r) * g->lds;
        const __m512 total = g->lane ? _mm512_loadu_ps(s) : _mm512_set1_ps(*s);
        __m512 out = _mm512_loadu_ps(y + r * ldy);
        if (g->min)
            out = _mm512_fmadd_ps(factor, sum[r], _mm512_fmadd_ps(shift, total, out));
        else
            out = _mm512_fmadd_ps(factor, _mm512_fmadd_ps(shift, total, sum[r]), out);
        _mm512_storeu_ps(y + r * ldy, out);
    }
}

static void product_group_avx512(size_t rows, size_t k, const float *x, size_t ldx, const float *w,
                                 const float *a, const struct group_terms *g, float *y, size_t ldy)
{
    for (size_t r = 0; r < rows;) {
        const float *start = a ? a + r * PANEL : NULL;
#define TILE(R)                                                                                    \
    group_tile(R, k, x + r * ldx, ldx, w, start, g, r, y + r * ldy, ldy);                          \
    r += R
        if (rows - r >= 12) {
            TILE(12);
        } else if (rows - r >= 4) {
            TILE(4);
        } else {
            TILE(1);
        }
#undef TILE
    }
}

/* For x = n ln 2 + r: e^r in sixteen lanes. */
INLINE __m512 exp16_reduced(__m512 x, __m512 *n)
{
    const __m512 shift = _mm512_set1_ps(FMATH_EXPF_SHIFT);
    *n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(FMATH_LOG2E), shift), shift);
    __m512 r = _mm512_fnmadd_ps(*n, _mm512_set1_ps(FMATH_LN2_HIGH), x);
    r = _mm512_fnmadd_ps(*n, _mm512_set1_ps(FMATH_LN2_LOW), r);
    __m512 p = _mm512_set1_ps(FMATH_EXPF_C7);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FMATH_EXPF_C6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FMATH_EXPF_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FMATH_EXPF_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FMATH_EXPF_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FMATH_EXPF_C2));
    p = _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r);
    return _mm512_add_ps(p, _mm512_set1_ps(1.0f));
}

/* fmath_expf() in sixteen lanes. */
INLINE __m512 exp16(__m512 x)
{
    __m512 n, p = exp16_reduced(x, &n);
    const __m512i k = _mm512_cvtps_epi32(n), half = _mm512_srai_epi32(k, 1);
    const __m512i bias = _mm512_set1_epi32(127);
    const __m512i a = _mm512_slli_epi32(_mm512_add_epi32(half, bias), 23);
    const __m512i b = _mm512_slli_epi32(_mm512_add_epi32(_mm512_sub_epi32(k, half), bias), 23);
    p = _mm512_mul_ps(_mm512_mul_ps(p, _mm512_castsi512_ps(a)), _mm512_castsi512_ps(b));
    const __mmask16 under = _mm512_cmp_ps_mask(x, _mm512_set1_ps(FMATH_EXPF_MIN), _CMP_LT_OQ);
    const __mmask16 over = _mm512_cmp_ps_mask(x, _mm512_set1_ps(FMATH_EXPF_MAX), _CMP_GT_OQ);
    p = _mm512_mask_blend_ps(under, p, _mm512_setzero_ps());
    return _mm512_mask_blend_ps(over, p, _mm512_set1_ps(INFINITY));
}

/* fmath_expf() for x of at most 0 (or NaN), in half the operations: 2^n is one of them, and nothing
 * overflows. (For n = 128, which fmath_expf() knows, SIMDe's 2^n is infinite.) */
INLINE __m512 exp16_falling(__m512 x)
{
    __m512 n;
    const __m512 p = exp16_reduced(x, &n);
    const __mmask16 there = _mm512_cmp_ps_mask(x, _mm512_set1_ps(FMATH_EXPF_MIN), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(there, p, n);
}

/* The tree over 16 lanes. */
INLINE float tree(__m512 v)
{
    const __m256 s = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    q = _mm_add_ss(q, _mm_shuffle_ps(q, q, 1));
    return _mm_cvtss_f32(q);
}

INLINE __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n >= PANEL ? 0xffff : (1u << n) - 1);
}

/* Bound by the arithmetic of exp, about 15 operations a vector. */
static float softmax_avx512(float *s, size_t first, size_t last, size_t n, float scale)
{
    const __m512 factor = _mm512_set1_ps(scale), least = _mm512_set1_ps(-INFINITY);
    __m512 most = least, lanes = _mm512_setzero_ps();
    for (size_t j = first; j < last; j += PANEL) {
        const __mmask16 here = first_lanes(last - j);
        const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(here, s + j), factor);
        _mm512_mask_storeu_ps(s + j, here, v);
        most = _mm512_mask_max_ps(most, here, v, most);
    }
    float lane[PANEL], max = -INFINITY;
    _mm512_storeu_ps(lane, most);
    for (size_t i = 0; i < PANEL; i++)
        max = lane[i] > max ? lane[i] : max;
    const __m512 top = _mm512_set1_ps(max);
    /* Vectors from the start, so that lanes are positions; exp(-inf) is +0. */
    for (size_t j = 0; j < n; j += PANEL) {
        const __mmask16 there = first_lanes(n - j);
        if (j >= last || j + PANEL <= first) { /* adding +0 changes no lane */
            _mm512_mask_storeu_ps(s + j, there, _mm512_setzero_ps());
            continue;
        }
        __mmask16 seen = first_lanes(last - j);
        if (first > j)
            seen = (__mmask16)(seen & ~first_lanes(first - j));
        const __m512 v = _mm512_mask_loadu_ps(least, seen, s + j);
        const __m512 e = exp16_falling(_mm512_sub_ps(v, top));
        _mm512_mask_storeu_ps(s + j, there, e);
        lanes = _mm512_add_ps(lanes, e);
    }
    return tree(lanes);
}

/* Bound by memory: two passes over a row. */
static void rms_norm_avx512(const float *x, size_t n, const float *weight, float eps, float *y)
{
    __m512 sum = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += PANEL) { /* fma(0, 0, lane) leaves a lane as it is */
        const __m512 v = _mm512_maskz_loadu_ps(first_lanes(n - i), x + i);
        sum = _mm512_fmadd_ps(v, v, sum);
    }
    const __m512 f = _mm512_set1_ps(1.0f / sqrtf(tree(sum) / (float)n + eps));
    for (size_t i = 0; i < n; i += PANEL) {
        const __mmask16 here = first_lanes(n - i);
        const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(here, x + i), f);
        _mm512_mask_storeu_ps(y + i, here,
                              _mm512_mul_ps(_mm512_maskz_loadu_ps(here, weight + i), v));
    }
}

/* Bound by the arithmetic of exp and a division. */
static void silu_product_avx512(const float *gate, const float *up, size_t n, float *y)
{
    const __m512 one = _mm512_set1_ps(1.0f), sign = _mm512_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += PANEL) {
        const __mmask16 here = first_lanes(n - i);
        const __m512 g = _mm512_maskz_loadu_ps(here, gate + i);
        const __m512 u = _mm512_maskz_loadu_ps(here, up + i);
        const __m512 d = _mm512_add_ps(one, exp16(_mm512_xor_ps(g, sign)));
        _mm512_mask_storeu_ps(y + i, here, _mm512_mul_ps(_mm512_div_ps(g, d), u));
    }
}

/* Bound by the arithmetic of exp. */
static double sum_exp_avx512(const float *x, size_t n, float shift)
{
    const __m512 s = _mm512_set1_ps(shift);
    __m256d lane[PANEL / 4] = {_mm256_setzero_pd()};
    for (size_t i = 0; i < n; i += PANEL) { /* exp(-inf) is +0, which changes no lane */
        const __mmask16 here = first_lanes(n - i);
        const __m512 v = _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), here, x + i);
        const __m512 e = exp16_falling(_mm512_sub_ps(v, s));
        const __m256 low = _mm512_castps512_ps256(e), high = _mm512_extractf32x8_ps(e, 1);
        lane[0] = _mm256_add_pd(lane[0], _mm256_cvtps_pd(_mm256_castps256_ps128(low)));
        lane[1] = _mm256_add_pd(lane[1], _mm256_cvtps_pd(_mm256_extractf128_ps(low, 1)));
        lane[2] = _mm256_add_pd(lane[2], _mm256_cvtps_pd(_mm256_castps256_ps128(high)));
        lane[3] = _mm256_add_pd(lane[3], _mm256_cvtps_pd(_mm256_extractf128_ps(high, 1)));
    }
    double sum[PANEL];
    for (size_t i = 0; i < PANEL / 4; i++)
        _mm256_storeu_pd(sum + 4 * i, lane[i]);
    return lanes_sum(sum);
}

const struct kernels kernels_avx512 = {
    .level = CPU_AVX512,
    .product = {product_f32_avx512, product_f16_avx512, product_bf16_avx512},
    .widen_u8 = widen_u8_avx512,
    .widen_bits = widen_bits_avx512,
    .product_group = product_group_avx512,
    .softmax = softmax_avx512,
    .rms_norm = rms_norm_avx512,
    .silu_product = silu_product_avx512,
    .sum_exp = sum_exp_avx512,
    KERNELS_COMPACT(avx512),
};
#else
typedef int kernel_avx512_is_for_x86_64;
#endif
