/* The divergence kernel for AVX2, four lanes of double a vector. Bound by the arithmetic of four
 * exp and a log an element, about 40 instructions. AVX-512 takes this one, too. */
#include "kernel_divergence.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#include "fmath.h"

#define INLINE static inline __attribute__((always_inline))
#define ALL(x) _mm256_set1_pd(x)

/* 2^k of four 32-bit integers, -1022 <= k <= 1023. */
INLINE __m256d power4(__m128i k)
{
    const __m256i bits = _mm256_cvtepi32_epi64(_mm_add_epi32(k, _mm_set1_epi32(1023)));
    return _mm256_castsi256_pd(_mm256_slli_epi64(bits, 52));
}

/* fmath_exp() in four lanes, of no NaN. */
INLINE __m256d exp4(__m256d x)
{
    const __m256d shift = ALL(FMATH_SHIFT);
    const __m256d n =
        _mm256_sub_pd(_mm256_fmadd_pd(x, ALL(FMATH_1_LN2), shift), shift);
    const __m256d high = _mm256_fnmadd_pd(n, ALL(FMATH_LN2_TOP), x);
    const __m256d rest = _mm256_fnmadd_pd(n, ALL(FMATH_LN2_REST), _mm256_setzero_pd());
    const __m256d r = _mm256_add_pd(high, rest);
    const __m256d lost = _mm256_add_pd(_mm256_sub_pd(high, r), rest);
    __m256d p = ALL(fmath_exp_terms[0]);
#pragma GCC unroll 11
    for (int i = 1; i < FMATH_EXP_TERMS; i++)
        p = _mm256_fmadd_pd(p, r, ALL(fmath_exp_terms[i]));
    p = _mm256_fmadd_pd(_mm256_mul_pd(r, r), p, lost);
    p = _mm256_add_pd(ALL(1.0), _mm256_add_pd(r, p));
    const __m128i k = _mm256_cvtpd_epi32(n);
    const __m128i half = _mm_srai_epi32(_mm_add_epi32(k, _mm_srli_epi32(k, 31)), 1); /* k / 2 */
    p = _mm256_mul_pd(_mm256_mul_pd(p, power4(half)), power4(_mm_sub_epi32(k, half)));
    p = _mm256_andnot_pd(_mm256_cmp_pd(x, ALL(FMATH_EXP_MIN), _CMP_LT_OQ), p);
    return _mm256_blendv_pd(p, ALL(INFINITY), _mm256_cmp_pd(x, ALL(FMATH_EXP_MAX), _CMP_GT_OQ));
}

/* fmath_log() in four lanes, of finite numbers above 0; others give something. */
INLINE __m256d log4(__m256d x)
{
    const __m256d one = ALL(1.0), half = ALL(0.5), two = ALL(2.0), magic = ALL(0x1p52);
    const __m256d small = _mm256_cmp_pd(x, ALL(0x1p-1022), _CMP_LT_OQ);
    x = _mm256_blendv_pd(x, _mm256_mul_pd(x, ALL(0x1p54)), small);
    __m256d k = _mm256_castsi256_pd(_mm256_or_si256(
        _mm256_srli_epi64(_mm256_castpd_si256(x), 52), _mm256_castpd_si256(magic)));
    k = _mm256_sub_pd(k, ALL(0x1p52 + 1023));
    k = _mm256_sub_pd(k, _mm256_and_pd(small, ALL(54.0)));
    __m256d m = _mm256_and_pd(x, _mm256_castsi256_pd(_mm256_set1_epi64x(0xfffffffffffff)));
    m = _mm256_or_pd(m, one);
    const __m256d above = _mm256_cmp_pd(m, ALL(FMATH_SQRT2), _CMP_GT_OQ);
    m = _mm256_blendv_pd(m, _mm256_mul_pd(m, half), above);
    k = _mm256_add_pd(k, _mm256_and_pd(above, one));
    const __m256d top = _mm256_sub_pd(m, one), bottom = _mm256_add_pd(m, one);
    const __m256d bottom_low = _mm256_sub_pd(m, _mm256_sub_pd(bottom, one));
    const __m256d f = _mm256_div_pd(top, bottom);
    const __m256d f_low = _mm256_div_pd(
        _mm256_fnmadd_pd(f, bottom_low, _mm256_fnmadd_pd(f, bottom, top)), bottom);
    const __m256d s = _mm256_mul_pd(f, f), f2 = _mm256_mul_pd(two, f);
    __m256d p = ALL(fmath_log_terms[0]);
#pragma GCC unroll 12
    for (int i = 1; i < FMATH_LOG_TERMS; i++)
        p = _mm256_fmadd_pd(p, s, ALL(fmath_log_terms[i]));
    const __m256d a = _mm256_mul_pd(k, ALL(FMATH_LN2_TOP)), sum = _mm256_add_pd(a, f2);
    const __m256d lost = _mm256_add_pd(_mm256_sub_pd(a, sum), f2);
    const __m256d low =
        _mm256_fmadd_pd(k, ALL(FMATH_LN2_REST), _mm256_mul_pd(two, f_low));
    return _mm256_add_pd(sum, _mm256_add_pd(_mm256_fmadd_pd(_mm256_mul_pd(f2, s), p, low), lost));
}

/* The four numbers from i on, 0 from n on; and which of them are there. */
INLINE __m256d load4(const float *x, size_t i, size_t n, __m256d *there)
{
    if (i + 4 <= n) {
        *there = _mm256_castsi256_pd(_mm256_set1_epi64x(-1));
        return _mm256_cvtps_pd(_mm_loadu_ps(x + i));
    }
    float part[4] = {0};
    double is[4] = {0};
    for (size_t j = i; j < n; j++) {
        part[j - i] = x[j];
        is[j - i] = 1;
    }
    *there = _mm256_cmp_pd(_mm256_loadu_pd(is), _mm256_setzero_pd(), _CMP_GT_OQ);
    return _mm256_cvtps_pd(_mm_loadu_ps(part));
}

INLINE void add4(double *lane, __m256d x, __m256d there)
{
    _mm256_storeu_pd(lane, _mm256_add_pd(_mm256_loadu_pd(lane), _mm256_and_pd(x, there)));
}

static double log_sum(const float *x, size_t n, double max)
{
    double lane[PANEL] = {0};
    __m256d there;
    for (size_t i = 0; i < n; i += 4) {
        const __m256d v = load4(x, i, n, &there);
        add4(lane + i % PANEL, exp4(_mm256_sub_pd(v, ALL(max))), there);
    }
    return max + fmath_log(lanes_sum(lane));
}

struct divergence divergence_avx2(const float *p, const float *q, size_t n)
{
    const size_t best_p = largest(p, n), best_q = largest(q, n);
    const double lp = log_sum(p, n, (double)p[best_p]), lq = log_sum(q, n, (double)q[best_q]);
    double pq[PANEL] = {0}, qp[PANEL] = {0}, js[PANEL] = {0};
    __m256d there;
    for (size_t i = 0; i < n; i += 4) {
        const size_t j = i % PANEL;
        const __m256d a = _mm256_sub_pd(load4(p, i, n, &there), ALL(lp));
        const __m256d b = _mm256_sub_pd(load4(q, i, n, &there), ALL(lq));
        const __m256d x = exp4(a), y = exp4(b), m = _mm256_mul_pd(ALL(0.5), _mm256_add_pd(x, y));
        const __m256d log_m = log4(m);
        add4(pq + j, _mm256_mul_pd(x, _mm256_sub_pd(a, b)), there);
        add4(qp + j, _mm256_mul_pd(y, _mm256_sub_pd(b, a)), there);
        const __m256d term = _mm256_add_pd(_mm256_mul_pd(x, _mm256_sub_pd(a, log_m)),
                                           _mm256_mul_pd(y, _mm256_sub_pd(b, log_m)));
        there = _mm256_and_pd(there, _mm256_cmp_pd(m, _mm256_setzero_pd(), _CMP_GT_OQ));
        add4(js + j, _mm256_mul_pd(ALL(0.5), term), there);
    }
    return (struct divergence){lanes_sum(pq), lanes_sum(qp), lanes_sum(js), best_p == best_q};
}
#else
typedef int kernel_divergence_avx2_is_for_x86_64;
#endif
