/* Sources of the limits.
 *
 * peak_fma_avx2: bound by the two FMA ports: twelve chains hide the latency of four cycles.
 * peak_read_avx2: bound by memory; four streams at once, since one does not fill its queue. */
#include "peak_avx2.h"

#include <immintrin.h>

double peak_fma_avx2(size_t rounds, float *sink)
{
    __m256 a[12];
    const __m256 half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1.0f);
    for (int j = 0; j < 12; j++)
        a[j] = _mm256_set1_ps((float)j);
    for (size_t i = 0; i < rounds; i++) {
        a[0] = _mm256_fmadd_ps(a[0], half, one);
        a[1] = _mm256_fmadd_ps(a[1], half, one);
        a[2] = _mm256_fmadd_ps(a[2], half, one);
        a[3] = _mm256_fmadd_ps(a[3], half, one);
        a[4] = _mm256_fmadd_ps(a[4], half, one);
        a[5] = _mm256_fmadd_ps(a[5], half, one);
        a[6] = _mm256_fmadd_ps(a[6], half, one);
        a[7] = _mm256_fmadd_ps(a[7], half, one);
        a[8] = _mm256_fmadd_ps(a[8], half, one);
        a[9] = _mm256_fmadd_ps(a[9], half, one);
        a[10] = _mm256_fmadd_ps(a[10], half, one);
        a[11] = _mm256_fmadd_ps(a[11], half, one);
    }
    __m256 sum = a[0];
    for (int j = 1; j < 12; j++)
        sum = _mm256_add_ps(sum, a[j]);
    *sink = _mm256_cvtss_f32(sum);
    return 12 * 8 * 2.0 * (double)rounds;
}

double peak_read_avx2(const void *data, size_t n)
{
    const size_t quarter = n / 4 / 64 * 64;
    const unsigned char *p = data;
    __m256i sum[4];
    for (int s = 0; s < 4; s++)
        sum[s] = _mm256_setzero_si256();
    for (size_t i = 0; i < quarter; i += 64)
        for (int s = 0; s < 4; s++) {
            const __m256i *q = (const void *)(p + (size_t)s * quarter + i);
            sum[s] = _mm256_add_epi64(sum[s], _mm256_loadu_si256(q));
            sum[s] = _mm256_add_epi64(sum[s], _mm256_loadu_si256(q + 1));
        }
    sum[0] = _mm256_add_epi64(_mm256_add_epi64(sum[0], sum[1]), _mm256_add_epi64(sum[2], sum[3]));
    return (double)_mm256_extract_epi64(sum[0], 0) + (double)_mm256_extract_epi64(sum[0], 3);
}
