/* Kernels of compact weights for AVX-512: weights are made in registers, sixteen at a time. With
 * VBMI2 16-bit numbers are put in place by themselves; without it after widening. Most of the others
 * are in kernel_compact_wide.h. */
#include "kernel_compact.h"

#if defined(__x86_64__)
#ifdef KICK_SIMDE /* the emulation that tests these kernels anywhere */
#include "kernel_simde.h"
#else
#include <immintrin.h>
#endif
#include <string.h>

#include "tensor.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- a mask and what it keeps --------------------------------------------------------------------
 */

/* Zeros of which the compiler does not know: numbers are expanded into them rather than with
 * zero-masking, which waits for the register's last user (AMD family 19h: 6 cycles against 3). */
INLINE __m512i nothing(void)
{
    __m512i v = _mm512_setzero_si512();
#ifndef KICK_SIMDE
    __asm__("" : "+v"(v));
#endif
    return v;
}

/* Sixteen outputs of two columns, in pairs. Without VBMI2 in two steps of eight outputs. */
INLINE __m512i kept(const uint16_t *values, uint32_t mask)
{
    const uint16_t *next = values + __builtin_popcount(mask & 0xffff);
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)values));
    const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)next));
    const __m512i a = _mm512_mask_expand_epi32(nothing(), (__mmask16)mask, low);
    const __m512i b = _mm512_mask_expand_epi32(nothing(), (__mmask16)(mask >> 16), high);
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(a)),
                              _mm512_cvtepi32_epi16(b), 1);
}

#ifdef KICK_SIMDE
#define VBMI2
#else
#define VBMI2 __attribute__((target("avx512vbmi2")))
#endif

VBMI2 INLINE __m512i kept_vbmi2(const uint16_t *values, uint32_t mask)
{
    return _mm512_mask_expand_epi16(nothing(), mask, _mm512_loadu_si512((const void *)values));
}

INLINE __m512 first_of(__m512i pairs)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}

INLINE __m512 second_of(__m512i pairs)
{
    return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000)));
}

/* f32 of the first and of the second column. */
INLINE void widen_pairs(const enum panel_type type, __m512i pairs, __m512 out[2])
{
    if (type == PANEL_BF16) {
        out[0] = first_of(pairs);
        out[1] = second_of(pairs);
    } else {
        out[0] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs));
        out[1] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)));
    }
}

/* With VBMI2 bound by memory or, where little is kept, by the ports of shuffles and fma; four panels
 * hide the latency of their sums. */
#define BITMAP(name, type, kept, attributes)                                                       \
    attributes INLINE void tile_##name(const size_t P, size_t k, const float *x,                   \
                                       const uint32_t *mask, size_t ldm, const uint16_t *values,   \
                                       const size_t *start, float *y, const float *bias)           \
    {                                                                                              \
        const uint16_t *value[4];                                                                  \
        __m512 sum[4], w[2];                                                                       \
        _Pragma("GCC unroll 4") for (size_t p = 0; p < P; p++)                                     \
        {                                                                                          \
            value[p] = values + start[p];                                                          \
            sum[p] = _mm512_setzero_ps();                                                          \
        }                                                                                          \
        for (size_t i = 0; i < k; i += 2) {                                                        \
            const __m512 a = _mm512_set1_ps(x[i]);                                                 \
            const __m512 b = _mm512_set1_ps(x[i + 1 < k ? i + 1 : i]); /* its weights are 0 */     \
            _Pragma("GCC unroll 4") for (size_t p = 0; p < P; p++)                                 \
            {                                                                                      \
                const uint32_t m = mask[p * ldm + i / 2];                                          \
                widen_pairs(type, kept(value[p], m), w);                                           \
                sum[p] = _mm512_fmadd_ps(a, w[0], sum[p]);                                         \
                sum[p] = _mm512_fmadd_ps(b, w[1], sum[p]);                                         \
                value[p] += __builtin_popcountll(m);                                               \
            }                                                                                      \
        }                                                                                          \
        _Pragma("GCC unroll 4") for (size_t p = 0; p < P; p++)                                     \
            _mm512_storeu_ps(y + p * PANEL,                                                        \
                             _mm512_add_ps(sum[p], _mm512_loadu_ps(bias + p * PANEL)));            \
    }                                                                                              \
                                                                                                   \
    attributes void product_bitmap_##name(size_t panels, size_t k, const float *x,                 \
                                          const struct bitmap_panels *w, float *y,                 \
                                          const float *bias)                                       \
    {                                                                                              \
        size_t p = 0;                                                                              \
        for (; p + 4 <= panels; p += 4)                                                            \
            tile_##name(4, k, x, w->mask + p * w->ldm, w->ldm, w->values, w->start + p,            \
                        y + p * PANEL, bias + p * PANEL);                                          \
        for (; p < panels; p++)                                                                    \
            tile_##name(1, k, x, w->mask + p * w->ldm, w->ldm, w->values, w->start + p,            \
                        y + p * PANEL, bias + p * PANEL);                                          \
    }                                                                                              \
                                                                                                   \
    attributes size_t expand_##name(const uint32_t *mask, size_t k, const uint16_t *values,        \
                                    float *out)                                                    \
    {                                                                                              \
        const uint16_t *value = values;                                                            \
        for (size_t i = 0; i < k; i += 2, out += 2 * PANEL) {                                      \
            __m512 w[2];                                                                           \
            widen_pairs(type, kept(value, mask[i / 2]), w);                                        \
            value += __builtin_popcount(mask[i / 2]);                                              \
            _mm512_storeu_ps(out, w[0]);                                                           \
            if (i + 1 < k)                                                                         \
                _mm512_storeu_ps(out + PANEL, w[1]);                                               \
        }                                                                                          \
        return (size_t)(value - values);                                                           \
    }

BITMAP(f16_avx512, PANEL_F16, kept, )
BITMAP(bf16_avx512, PANEL_BF16, kept, )
BITMAP(f16_vbmi2, PANEL_F16, kept_vbmi2, VBMI2)
BITMAP(bf16_vbmi2, PANEL_BF16, kept_vbmi2, VBMI2)

/* ---- two of every four columns -------------------------------------------------------------------
 */

INLINE __m512i right(__m512i words, size_t bits)
{
    return _mm512_srli_epi32(words, (unsigned)bits);
}

/* Four numbers of x, of which n are there, in each quarter. */
INLINE __m512 four(const float *x, size_t n)
{
    float part[4] = {0};
    if (n >= 4)
        return _mm512_broadcast_f32x4(_mm_loadu_ps(x));
    memcpy(part, x, n * sizeof *part);
    return _mm512_broadcast_f32x4(_mm_loadu_ps(part));
}

/* Bound by the ports of fma and shuffles together: half the fma of a dense product, a shuffle for
 * each. Twelve rows hide the latency. */
INLINE void spread_tile(const size_t R, const bool whole, size_t k, const float *x, size_t ldx,
                        const float *w, float *y, size_t ldy, const float *bias, bool more)
{
    __m512 sum[12];
#pragma GCC unroll 12
    for (size_t r = 0; r < R; r++)
        sum[r] = more ? _mm512_loadu_ps(y + r * ldy) : _mm512_setzero_ps();
    const float *row[4] = {x, x + 3 * ldx, x + 6 * ldx, x + 9 * ldx};
    for (size_t i = 0; i < k; i += 4, w += SPREAD) {
        const __m512 v[2] = {_mm512_loadu_ps(w), _mm512_loadu_ps(w + PANEL)};
        const __m512i at[2] = {_mm512_loadu_si512((const void *)(w + 2 * PANEL)),
                               _mm512_loadu_si512((const void *)(w + 3 * PANEL))};
#pragma GCC unroll 12
        for (size_t r = 0; r < R; r++) {
            const __m512 a = four(row[r / 3] + r % 3 * ldx + i, whole ? 4 : k);
            sum[r] = _mm512_fmadd_ps(_mm512_permutevar_ps(a, at[0]), v[0], sum[r]);
            sum[r] = _mm512_fmadd_ps(_mm512_permutevar_ps(a, at[1]), v[1], sum[r]);
        }
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < R; r++)
        _mm512_storeu_ps(y + r * ldy, bias ? _mm512_add_ps(sum[r], _mm512_loadu_ps(bias)) : sum[r]);
}

void product_spread_avx512(size_t rows, size_t k, const float *x, size_t ldx, const float *w,
                           float *y, size_t ldy, const float *bias, bool more)
{
    /* The last, shorter group apart, so that the loop has no condition. */
    const size_t whole = k / 4 * 4;
    const float *last = whole == k ? bias : NULL;
    for (size_t r = 0; r < rows && (whole || k == 0);) {
        const size_t left = rows - r, n = left >= 12 ? 12 : left >= 4 ? 4 : 1;
        const float *in = x + r * ldx;
        if (n == 12)
            spread_tile(12, true, whole, in, ldx, w, y + r * ldy, ldy, last, more);
        else if (n == 4)
            spread_tile(4, true, whole, in, ldx, w, y + r * ldy, ldy, last, more);
        else
            spread_tile(1, true, whole, in, ldx, w, y + r * ldy, ldy, last, more);
        r += n;
    }
    for (size_t r = 0; r < rows && whole < k; r++)
        spread_tile(1, false, k - whole, x + r * ldx + whole, ldx, w + whole / 4 * SPREAD,
                    y + r * ldy, ldy, bias, more || whole);
}

/* ---- codes ---------------------------------------------------------------------------------------
 */

/* 0 to 15, looked up by the lowest four bits of each word. */
INLINE __m512 numbers(void)
{
    return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

INLINE __m512 nibble(__m512i words, size_t i)
{
    return _mm512_permutexvar_ps(right(words, 4 * i), numbers());
}

INLINE __m512 byte(const uint8_t *codes)
{
    const __m128i v = _mm_loadu_si128((const void *)codes);
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(v));
}

#define LEVEL avx512
#define FLOATS __m512
#define INTS __m512i
#define OP(name) _mm512_##name
#define INT_OP(name) _mm512_##name##_si512
enum { LANES = 16 };
#include "kernel_compact_wide.h"
#else
typedef int kernel_compact_avx512_is_for_x86_64;
#endif
