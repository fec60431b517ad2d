/* Kernels of compact weights for AVX2: weights are made in registers, eight at a time. Most are in
 * kernel_compact_wide.h. */
#include "kernel_compact.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "kernel_bitmap.h"

/* ---- a mask and what it keeps --------------------------------------------------------------------
 */

#define LANE(m, j) ((m) >> (j) & 1)
#define BELOW(m, j) __builtin_popcount((m) & ((1 << (j)) - 1))
#define BYTE(m, j, b) (LANE(m, j) ? (uint8_t)(2 * BELOW(m, j) + (b)) : 0x80)
#define WORD(m, j) 0x80, 0x80, BYTE(m, j, 0), BYTE(m, j, 1)
#define ROW(m)                                                                                     \
    {WORD(m, 0), WORD(m, 1), WORD(m, 2), WORD(m, 3), WORD(m, 4), WORD(m, 5), WORD(m, 6), WORD(m, 7)}
#define ROW4(m) ROW(m), ROW((m) + 1), ROW((m) + 2), ROW((m) + 3)
#define ROW16(m) ROW4(m), ROW4((m) + 4), ROW4((m) + 8), ROW4((m) + 12)
#define ROW64(m) ROW16(m), ROW16((m) + 16), ROW16((m) + 32), ROW16((m) + 48)
const _Alignas(64) uint8_t bitmap_places[256][32] = {ROW64(0), ROW64(64), ROW64(128), ROW64(192)};

/* Bound by the front end and by loads: seven instructions, of them two loads, for eight weights; where
 * more than half is kept, by memory. */
INLINE void bitmap_tile(const enum panel_type type, size_t k, const float *x, const uint64_t *mask,
                        const uint16_t *value, size_t panels, float *y, const float *bias)
{
    __m256 sum[8];
#pragma GCC unroll 8
    for (size_t h = 0; h < 8; h++)
        sum[h] = _mm256_setzero_ps();
    for (size_t i = 0; i < k; i++) {
        const __m256 a = _mm256_broadcast_ss(x + i);
        prefetch(value);
        const uint16_t *from = value;
#pragma GCC unroll 8
        for (size_t h = 0; h < 8; h++) {
            const size_t place = place_of(mask[i], h);
            sum[h] = _mm256_fmadd_ps(a, kept(type, from, place), sum[h]);
            from += count(place);
        }
        value += count(mask[i]);
    }
#pragma GCC unroll 8
    for (size_t h = 0; h < 8; h++)
        if (h / 2 < panels)
            _mm256_storeu_ps(y + h * 8, _mm256_add_ps(sum[h], _mm256_loadu_ps(bias + h * 8)));
}

INLINE void product_bitmap(const enum panel_type type, size_t panels, size_t k, const float *x,
                           const struct bitmap_panels *w, float *y, const float *bias)
{
    for (size_t p = 0, q = 0; p < panels; p += FOUR, q++)
        bitmap_tile(type, k, x, w->mask + q * w->ldm, w->values + w->start[q], panels - p,
                    y + p * PANEL, bias + p * PANEL);
}

void product_bitmap_f16_avx2(size_t panels, size_t k, const float *x,
                             const struct bitmap_panels *w, float *y, const float *bias)
{
    product_bitmap(PANEL_F16, panels, k, x, w, y, bias);
}

void product_bitmap_bf16_avx2(size_t panels, size_t k, const float *x,
                              const struct bitmap_panels *w, float *y, const float *bias)
{
    product_bitmap(PANEL_BF16, panels, k, x, w, y, bias);
}

INLINE size_t expand(const enum panel_type type, const uint64_t *mask, size_t k,
                     const uint16_t *values, float *out, size_t ldo)
{
    const uint16_t *value = values;
    for (size_t i = 0; i < k; i++, out += PANEL) {
#pragma GCC unroll 8
        for (size_t h = 0; h < 8; h++) {
            const size_t place = place_of(mask[i], h);
            _mm256_storeu_ps(out + h / 2 * ldo + h % 2 * 8, kept(type, value, place));
            value += count(place);
        }
    }
    return (size_t)(value - values);
}

size_t expand_f16_avx2(const uint64_t *mask, size_t k, const uint16_t *values, float *out,
                       size_t ldo)
{
    return expand(PANEL_F16, mask, k, values, out, ldo);
}

size_t expand_bf16_avx2(const uint64_t *mask, size_t k, const uint16_t *values, float *out,
                        size_t ldo)
{
    return expand(PANEL_BF16, mask, k, values, out, ldo);
}

/* ---- two of every four columns -------------------------------------------------------------------
 */

INLINE __m256 first_of(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

INLINE __m256 second_of(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000)));
}

INLINE __m256i right(__m256i words, size_t bits)
{
    return _mm256_srli_epi32(words, (int)bits);
}

/* Four numbers of x, of which n are there, in both halves. */
INLINE __m256 four(const float *x, size_t n)
{
    float part[4] = {0};
    if (n >= 4)
        return _mm256_broadcast_ps((const void *)x);
    memcpy(part, x, n * sizeof *part);
    return _mm256_broadcast_ps((const void *)part);
}

/* Half the fma of a dense product, but a shuffle for each: three rows fill the registers and are
 * bound by the ports of both, 8 of 12 cycles, or by the latency of their chains, which is as long. */
INLINE void spread_tile(const size_t R, const bool whole, size_t k, const float *x, size_t ldx,
                        const float *w, float *y, size_t ldy, const float *bias, bool more)
{
    __m256 sum[6];
#pragma GCC unroll 6
    for (size_t i = 0; i < 2 * R; i++)
        sum[i] = more ? _mm256_loadu_ps(y + i / 2 * ldy + i % 2 * 8) : _mm256_setzero_ps();
    for (size_t i = 0; i < k; i += 4, w += SPREAD) {
        __m256 v[4];
        __m256i at[4];
#pragma GCC unroll 4
        for (size_t h = 0; h < 4; h++) {
            v[h] = _mm256_loadu_ps(w + h * 8);
            at[h] = _mm256_loadu_si256((const void *)(w + 2 * PANEL + h * 8));
        }
#pragma GCC unroll 3
        for (size_t r = 0; r < R; r++) {
            const __m256 a = four(x + r * ldx + i, whole ? 4 : k);
#pragma GCC unroll 4
            for (size_t h = 0; h < 4; h++)
                sum[2 * r + h % 2] =
                    _mm256_fmadd_ps(_mm256_permutevar_ps(a, at[h]), v[h], sum[2 * r + h % 2]);
        }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < 2 * R; i++) {
        const __m256 out = bias ? _mm256_add_ps(sum[i], _mm256_loadu_ps(bias + i % 2 * 8)) : sum[i];
        _mm256_storeu_ps(y + i / 2 * ldy + i % 2 * 8, out);
    }
}

void product_spread_avx2(size_t rows, size_t k, const float *x, size_t ldx, const float *w,
                         float *y, size_t ldy, const float *bias, bool more)
{
    /* The last, shorter group apart, so that the loop has no condition. */
    const size_t whole = k / 4 * 4;
    const float *last = whole == k ? bias : NULL;
    for (size_t r = 0; r < rows && (whole || k == 0);) {
        const float *in = x + r * ldx;
        if (rows - r >= 3) {
            spread_tile(3, true, whole, in, ldx, w, y + r * ldy, ldy, last, more);
            r += 3;
        } else if (rows - r == 2) {
            spread_tile(2, true, whole, in, ldx, w, y + r * ldy, ldy, last, more);
            r += 2;
        } else {
            spread_tile(1, true, whole, in, ldx, w, y + r * ldy, ldy, last, more);
            r++;
        }
    }
    for (size_t r = 0; r < rows && whole < k; r++)
        spread_tile(1, false, k - whole, x + r * ldx + whole, ldx, w + whole / 4 * SPREAD,
                    y + r * ldy, ldy, bias, more || whole);
}

/* ---- codes ---------------------------------------------------------------------------------------
 */

/* Codes of eight outputs. */
INLINE __m256 nibble(__m256i words, size_t i)
{
    return _mm256_cvtepi32_ps(_mm256_and_si256(right(words, 4 * i), _mm256_set1_epi32(15)));
}

INLINE __m256 byte(const uint8_t *codes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)codes)));
}

#define LEVEL avx2
#define FLOATS __m256
#define INTS __m256i
#define OP(name) _mm256_##name
#define TO_FLOATS _mm256_castsi256_ps
#define INT_OP(name) _mm256_##name##_si256
enum { LANES = 8 };
#include "kernel_compact_wide.h"
#else
typedef int kernel_compact_avx2_is_for_x86_64;
#endif
