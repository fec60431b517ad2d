/* The inner loops of the column sweep (sweep.c), for vectors of WIDTH floats: included by
 * sweep_scalar.c, sweep_avx2.c and sweep_avx512.c, which define WIDTH and LEVEL. Only elementwise
 * operations, each rounded once, so that all levels give the same bits. */
#ifndef KICK_SWEEP_LANES_H
#define KICK_SWEEP_LANES_H

#ifndef WIDTH /* read alone, by an editor or a checker */
#define WIDTH 4
#define LEVEL sweep_alone
#endif

#include <math.h>
#include <string.h>

#include "quantize.h"
#include "sweep_kernel.h"

#if WIDTH >= 8
#include <immintrin.h>
#endif

enum { PARTS = SWEEP_LANES / WIDTH, GROUP_MAX = 64 };

typedef float floats __attribute__((vector_size(4 * WIDTH)));
typedef int32_t ints __attribute__((vector_size(4 * WIDTH)));
typedef uint8_t bytes __attribute__((vector_size(WIDTH)));

#define INLINE static inline __attribute__((always_inline))

INLINE floats get(const float *x)
{
    floats v;
    memcpy(&v, x, sizeof v);
    return v;
}

INLINE void put(float *x, floats v)
{
    memcpy(x, &v, sizeof v);
}

INLINE floats spread(float x)
{
    return x - (floats){0};
}

/* m ? a : b */
INLINE floats choose(ints m, floats a, floats b)
{
    return (floats)(((ints)a & m) | ((ints)b & ~m));
}

INLINE floats chain(floats a, floats b, floats c)
{
#if WIDTH == 16
    return (floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif WIDTH == 8
    return (floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    for (size_t i = 0; i < WIDTH; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
#endif
}

/* ---- a block of a row group --------------------------------------------------------------------
 */

/* gone[c], c < n: all bits of the lanes that lose column c of a group, as many as are to go: the least
 * w^2 / U_cc^2, of equals the first. */
INLINE void choose_group(const struct sweep_block *b, const float *w, const float *diagonal, size_t n,
                         ints gone[][PARTS])
{
    const int least = (int)((size_t)b->gone < n ? (size_t)b->gone : n);
    floats e[GROUP_MAX];
    for (size_t h = 0; h < PARTS; h++) {
        for (size_t c = 0; c < n; c++) {
            const floats v = get(w + c * SWEEP_LANES + h * WIDTH);
            e[c] = v * v / spread(diagonal[c] * diagonal[c]);
        }
        for (size_t c = 0; c < n; c++) {
            ints before = {0}; /* minus their number */
            for (size_t i = 0; i < n; i++)
                before += i < c ? e[i] <= e[c] : e[i] < e[c];
            gone[c][h] = -before < least;
        }
    }
}

INLINE floats quantize(const struct sweep_block *b, const struct sweep_rows *r, size_t c, size_t h,
                       floats w)
{
    static const int32_t bit[SWEEP_LANES] = {1 << 0, 1 << 1, 1 << 2,  1 << 3,  1 << 4,  1 << 5,
                                             1 << 6, 1 << 7, 1 << 8,  1 << 9,  1 << 10, 1 << 11,
                                             1 << 12, 1 << 13, 1 << 14, 1 << 15};
    const size_t at = c * SWEEP_LANES + h * WIDTH;
    const floats scale = get(r->scale + at), zero = get(r->zero + at), top = spread(b->top);
    const floats x = w / scale, shift = spread(12582912.0f); /* as quantize_round() */
    floats code = ((x + shift) - shift) + zero;
    code = choose(code < 0, (floats){0}, code);
    code = choose(code > top, top, code);
    if (r->kept) {
        ints bits;
        memcpy(&bits, bit + h * WIDTH, sizeof bits);
        code = choose((bits & (int32_t)r->kept[c]) != 0, code, zero);
    }
    const bytes narrow = __builtin_convertvector(__builtin_convertvector(code, ints), bytes);
    memcpy(r->codes + at, &narrow, sizeof narrow);
    return scale * (code - zero);
}

/* Which weights go, before the first column changes. */
INLINE void choose_all(const struct sweep_block *b, const struct sweep_rows *r)
{
    for (size_t c = 0; c < b->n; c++)
        for (size_t i = c * SWEEP_LANES; i < (c + 1) * SWEEP_LANES; i += WIDTH) {
            const floats v = get(r->w + i);
            const ints lost = v * v / spread(b->diagonal[c] * b->diagonal[c]) <= b->threshold;
            memcpy(r->lost + i, &lost, sizeof lost);
        }
}

static void sweep_block(const struct sweep_block *b, const struct sweep_rows *r)
{
    ints gone[GROUP_MAX][PARTS];
    if (!b->m && b->top == 0)
        choose_all(b, r);
    for (size_t first = 0, last; first < b->n; first = last) {
        last = b->n - first < b->near_cols ? b->n : first + b->near_cols;
        for (size_t c = first; c < last; c++) {
            float *w = r->w + c * SWEEP_LANES, *e = r->err + c * SWEEP_LANES;
            const float *u = b->near + c * b->near_cols - first;
            const size_t in_group = b->m ? c % b->m : 0;
            if (b->m && in_group == 0)
                choose_group(b, w, b->diagonal + c, b->n - c < b->m ? b->n - c : b->m, gone);
            for (size_t h = 0; h < PARTS; h++) {
                const floats v = get(w + h * WIDTH);
                floats q, err;
                if (b->top > 0) {
                    q = quantize(b, r, c, h, v);
                } else {
                    ints lost;
                    memcpy(&lost, r->lost + c * SWEEP_LANES + h * WIDTH, sizeof lost);
                    q = choose(b->m ? gone[in_group][h] : lost, (floats){0}, v);
                }
                err = b->direct ? get(e + h * WIDTH) - q : (q - v) / spread(b->diagonal[c]);
                put(w + h * WIDTH, q);
                put(e + h * WIDTH, err);
                for (size_t i = c + 1; i < last; i++) {
                    float *next = r->w + i * SWEEP_LANES + h * WIDTH;
                    put(next, chain(err, spread(u[i]), get(next)));
                }
            }
        }
        if (last < b->n)
            b->product(b->n - last, 1, last - first, b->across + last * b->stride + first, b->stride,
                       r->err + first * SWEEP_LANES, 0, r->w + last * SWEEP_LANES, SWEEP_LANES, NULL,
                       true);
    }
}

/* ---- products that skip zeros ------------------------------------------------------------------
 */

/* P panels of one row. The chains are as many as registers take and their latency needs. */
INLINE void skip_row(const size_t P, uint64_t kept, const float *x, const float *u, float *y)
{
    floats sum[8 * PARTS];
#pragma GCC unroll 16
    for (size_t i = 0; i < P * PARTS; i++)
        sum[i] = get(y + i * WIDTH);
    for (; kept; kept &= kept - 1) {
        const size_t k = (size_t)__builtin_ctzll(kept);
        const floats a = spread(x[k]);
        const float *row = u + k * SWEEP_SKIP_COLUMNS;
        __asm__("" : "+r"(row)); /* one address, not one for each vector */
#pragma GCC unroll 16
        for (size_t i = 0; i < P * PARTS; i++)
            sum[i] = chain(a, get(row + i * WIDTH), sum[i]);
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < P * PARTS; i++)
        put(y + i * WIDTH, sum[i]);
}

static void skip_product(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,
                         const float *u, float *y, size_t ldy)
{
    for (size_t r = 0; r < rows; r++, x += ldx, y += ldy) {
        uint64_t kept = 0;
        size_t i = 0;
#if WIDTH == 16
        for (; i + 16 <= k; i += 16) {
            const __m512 v = _mm512_loadu_ps(x + i);
            kept |= (uint64_t)_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ) << i;
        }
#elif WIDTH == 8
        for (; i + 8 <= k; i += 8) {
            const __m256 m = _mm256_cmp_ps(_mm256_loadu_ps(x + i), _mm256_setzero_ps(), _CMP_NEQ_UQ);
            kept |= (uint64_t)(uint32_t)_mm256_movemask_ps(m) << i;
        }
#endif
        for (; i < k; i++)
            kept |= (uint64_t)(x[i] != 0) << i;
        for (size_t j = 0; j < k; j += PANEL) { /* for the next call, and the next row */
            __builtin_prefetch(x + k + j);
            __builtin_prefetch(x + ldx + j);
        }
        for (size_t p = 0; p < panels; p++)
            __builtin_prefetch(y + ldy + p * PANEL);
        size_t p = 0;
#if WIDTH == 16
        for (; p + 8 <= panels; p += 8)
            skip_row(8, kept, x, u + p * PANEL, y + p * PANEL);
#endif
        for (; p + 4 <= panels; p += 4)
            skip_row(4, kept, x, u + p * PANEL, y + p * PANEL);
        for (; p < panels; p++)
            skip_row(1, kept, x, u + p * PANEL, y + p * PANEL);
    }
}

/* ---- the threshold of a block ------------------------------------------------------------------
 */

static void saliencies(const float *w, const float *square, size_t n, uint32_t *out)
{
    size_t c = 0;
    for (; c + WIDTH <= n; c += WIDTH) {
        const floats v = get(w + c), e = v * v / get(square + c);
        memcpy(out + c, &e, sizeof e);
    }
    for (; c < n; c++) {
        const float e = w[c] * w[c] / square[c];
        memcpy(out + c, &e, sizeof e);
    }
}

const struct sweep_kernels LEVEL = {sweep_block, skip_product, saliencies};

#endif
