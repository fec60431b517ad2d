/* Kernels of compact weights for AVX-512: weights are made in registers, sixteen at a time. Those
 * of a mask need VBMI2. Most of the others are in kernel_compact_wide.h. */
#include "kernel_compact.h"

#if defined(__x86_64__)
#ifdef KICK_SIMDE /* the emulation that tests these kernels anywhere */
#include "kernel_simde.h"
#else
#include <immintrin.h>
#endif
#include <string.h>

#include "kernel_bitmap.h"

/* ---- a mask and what it keeps --------------------------------------------------------------------
 */

INLINE __m512 first_of(__m512i pairs)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}

INLINE __m512 second_of(__m512i pairs)
{
    return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000)));
}

#ifdef KICK_SIMDE
#define VBMI2
#else
#define VBMI2 __attribute__((target("avx512vbmi2")))
#endif

/* A column of two panels: bf16 those of even outputs, then those of odd ones; f16 one panel, then the
 * other. Into zeros of which the compiler does not know: zero-masking waits for the register's last
 * user (AMD family 19h: 6 cycles against 3). */
VBMI2 INLINE void expanded(const enum panel_type type, const uint16_t *value, uint32_t mask,
                           __m512 w[2])
{
    __m512i nothing = _mm512_setzero_si512();
#ifndef KICK_SIMDE
    __asm__("" : "+v"(nothing));
#endif
    const __m512i all =
        _mm512_mask_expand_epi16(nothing, mask, _mm512_loadu_si512((const void *)value));
    if (type == PANEL_BF16) {
        w[0] = first_of(all);
        w[1] = second_of(all);
    } else {
        w[0] = _mm512_cvtph_ps(_mm512_castsi512_si256(all));
        w[1] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(all, 1));
    }
}

/* Two panels by expanding, which is bound by the ports of vectors, and two by shuffles, bound by the front
 * end and by loads. */
VBMI2 INLINE void bitmap_tile(const enum panel_type type, size_t k, const float *x,
                              const uint64_t *mask, const uint16_t *value, size_t panels, float *y,
                              const float *bias)
{
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()}, w[2];
    __m256 half[4];
#pragma GCC unroll 4
    for (size_t h = 0; h < 4; h++)
        half[h] = _mm256_setzero_ps();
    for (size_t i = 0; i < k; i++) {
        const __m512 a = _mm512_set1_ps(x[i]);
        const uint64_t m = mask[i];
        const uint16_t *from = value + count((uint32_t)m);
        prefetch(value);
        expanded(type, value, (uint32_t)m, w);
        sum[0] = _mm512_fmadd_ps(a, w[0], sum[0]);
        sum[1] = _mm512_fmadd_ps(a, w[1], sum[1]);
#pragma GCC unroll 4
        for (size_t h = 0; h < 4; h++) {
            const size_t place = place_of(m, 4 + h);
            half[h] = _mm256_fmadd_ps(_mm512_castps512_ps256(a), kept(type, from, place), half[h]);
            from += count(place);
        }
        value += count(m);
    }
    const __m512i step = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    for (size_t p = 0; p < 2 && p < panels; p++) {
        const __m512i at = _mm512_add_epi32(step, _mm512_set1_epi32((int)(8 * p)));
        const __m512 out = type == PANEL_BF16 ? _mm512_permutex2var_ps(sum[0], at, sum[1]) : sum[p];
        _mm512_storeu_ps(y + p * PANEL, _mm512_add_ps(out, _mm512_loadu_ps(bias + p * PANEL)));
    }
#pragma GCC unroll 4
    for (size_t h = 0; h < 4; h++)
        if (2 + h / 2 < panels)
            _mm256_storeu_ps(y + 2 * PANEL + 8 * h,
                             _mm256_add_ps(half[h], _mm256_loadu_ps(bias + 2 * PANEL + 8 * h)));
}

VBMI2 INLINE void product_bitmap(const enum panel_type type, size_t panels, size_t k,
                                 const float *x, const struct bitmap_panels *w, float *y,
                                 const float *bias)
{
    for (size_t p = 0, q = 0; p < panels; p += FOUR, q++)
        bitmap_tile(type, k, x, w->mask + q * w->ldm, w->values + w->start[q], panels - p,
                    y + p * PANEL, bias + p * PANEL);
}

VBMI2 void product_bitmap_f16_avx512(size_t panels, size_t k, const float *x,
                                     const struct bitmap_panels *w, float *y, const float *bias)
{
    product_bitmap(PANEL_F16, panels, k, x, w, y, bias);
}

VBMI2 void product_bitmap_bf16_avx512(size_t panels, size_t k, const float *x,
                                      const struct bitmap_panels *w, float *y, const float *bias)
{
    product_bitmap(PANEL_BF16, panels, k, x, w, y, bias);
}

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
#define TO_FLOATS _mm512_castsi512_ps
#define INT_OP(name) _mm512_##name##_si512
enum { LANES = 16 };
#include "kernel_compact_wide.h"
#else
typedef int kernel_compact_avx512_is_for_x86_64;
#endif
