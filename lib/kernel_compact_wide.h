/* What the kernels of compact weights for AVX2 and for AVX-512 have in common: all that only differs
 * in the length of vectors. Both include it behind their own first_of(), second_of(), right(),
 * four(), nibble() and byte(), and these:
 *   LEVEL          of the functions' names
 *   FLOATS, INTS   types of a vector, of LANES numbers
 *   OP, INT_OP     names of instructions, and of those on integers as a whole
 *   TO_FLOATS      a vector of integers read as floats
 * A panel is PARTS vectors; MOST vectors of sums hide the latency of an fma. */
#ifdef FLOATS
#define NAME_OF(name, level) name##_##level
#define NAMED(name, level) NAME_OF(name, level)
#define KERNEL(name) NAMED(name, LEVEL)

enum { PARTS = PANEL / LANES, MOST = 4, TOGETHER = MOST / PARTS, TINY_MOST = 8 };

/* ---- two of every four columns -------------------------------------------------------------------
 */

/* One group of P panels. places: those of the group in the lowest bits. */
INLINE void pair_step(const size_t P, const uint32_t *pairs, size_t g, FLOATS a, const INTS *places,
                      FLOATS *sum)
{
#pragma GCC unroll 8
    for (size_t h = 0; h < PARTS * P; h++) {
        const INTS both = INT_OP(loadu)((const void *)(pairs + h * LANES));
        const FLOATS one = OP(permutevar_ps)(a, right(places[h], 4 * g));
        const FLOATS two = OP(permutevar_ps)(a, right(places[h], 4 * g + 2));
        sum[h] = OP(fmadd_ps)(one, first_of(both), sum[h]);
        sum[h] = OP(fmadd_ps)(two, second_of(both), sum[h]);
    }
}

/* Bound by memory; AVX2 from a cache by the two ports of shuffles and shifts. */
INLINE void pairs_tile(const size_t P, size_t k, const float *x, const uint32_t *w, size_t ldw,
                       float *y, const float *bias)
{
    FLOATS sum[FOUR * PARTS];
    INTS places[FOUR * PARTS];
#pragma GCC unroll 8
    for (size_t h = 0; h < PARTS * P; h++)
        sum[h] = OP(setzero_ps)();
    for (size_t i = 0; i < k; i += 4 * PAIRS, w += PAIRS_LINES * ldw) {
#pragma GCC unroll 8
        for (size_t h = 0; h < PARTS * P; h++)
            places[h] = INT_OP(loadu)((const void *)(w + h * LANES));
        if (k - i >= 4 * PAIRS) {
#pragma GCC unroll 8
            for (size_t g = 0; g < PAIRS; g++)
                pair_step(P, w + (1 + g) * ldw, g, four(x + i + 4 * g, 4), places, sum);
        } else {
            for (size_t g = 0; i + 4 * g < k; g++)
                pair_step(P, w + (1 + g) * ldw, g, four(x + i + 4 * g, k - i - 4 * g), places, sum);
        }
    }
#pragma GCC unroll 8
    for (size_t h = 0; h < PARTS * P; h++)
        OP(storeu_ps)(y + h * LANES, OP(add_ps)(sum[h], OP(loadu_ps)(bias + h * LANES)));
}

void KERNEL(product_pairs)(size_t panels, size_t k, const float *x, const uint32_t *w, float *y,
                           const float *bias)
{
    for (size_t p = 0; p < panels;) {
        size_t ldw;
        const uint32_t *from = pairs_panel(w, panels, k, p, &ldw);
        const bool four = ldw == FOUR * PANEL;
        if (four)
            pairs_tile(FOUR, k, x, from, ldw, y + p * PANEL, bias + p * PANEL);
        else
            pairs_tile(1, k, x, from, ldw, y + p * PANEL, bias + p * PANEL);
        p += four ? FOUR : 1;
    }
}

void KERNEL(spread_pairs)(const uint32_t *w, size_t ldw, size_t first, size_t groups, float *out)
{
    const INTS three = OP(set1_epi32)(3);
    for (size_t g = first; g < first + groups; g++, out += SPREAD) {
        const uint32_t *block = w + g / PAIRS * PAIRS_LINES * ldw;
        const __m128i shift = _mm_cvtsi32_si128((int)(4 * (g % PAIRS)));
        for (size_t h = 0; h < PANEL; h += LANES) {
            const INTS pairs = INT_OP(loadu)((const void *)(block + (1 + g % PAIRS) * ldw + h));
            const INTS at = OP(srl_epi32)(INT_OP(loadu)((const void *)(block + h)), shift);
            OP(storeu_ps)(out + h, first_of(pairs));
            OP(storeu_ps)(out + PANEL + h, second_of(pairs));
            INT_OP(storeu)((void *)(out + 2 * PANEL + h), INT_OP(and)(at, three));
            INT_OP(storeu)((void *)(out + 3 * PANEL + h), INT_OP(and)(right(at, 2), three));
        }
    }
}

/* ---- codes ---------------------------------------------------------------------------------------
 */

void KERNEL(widen_nibbles)(const uint32_t *in, size_t n, float *out)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8, in += PANEL, out += 8 * PANEL) {
        for (size_t h = 0; h < PANEL; h += LANES) {
            const INTS words = INT_OP(loadu)((const void *)(in + h));
#pragma GCC unroll 8
            for (size_t j = 0; j < 8; j++)
                OP(storeu_ps)(out + j * PANEL + h, nibble(words, j));
        }
    }
    kernels_scalar.widen_nibbles(in, n - i, out);
}

/* The chains of one group, of P panels. */
INLINE void code_chains(const size_t P, const bool nibbles, size_t n, const float *x,
                        const char *codes, size_t ldc, FLOATS *a)
{
#pragma GCC unroll 4
    for (size_t h = 0; h < PARTS * P; h++)
        a[h] = OP(setzero_ps)();
    size_t i = 0;
    for (; nibbles && i + 8 <= n; i += 8) {
        INTS words[MOST];
#pragma GCC unroll 4
        for (size_t h = 0; h < PARTS * P; h++)
            words[h] = INT_OP(loadu)(
                (const void *)(codes + h / PARTS * ldc + i * 8 + h % PARTS * LANES * 4));
#pragma GCC unroll 8
        for (size_t j = 0; j < 8; j++) {
            const FLOATS b = OP(set1_ps)(x[i + j]);
#pragma GCC unroll 4
            for (size_t h = 0; h < PARTS * P; h++)
                a[h] = OP(fmadd_ps)(b, nibble(words[h], j), a[h]);
        }
    }
    for (; i < n; i++) {
        const FLOATS b = OP(set1_ps)(x[i]);
        const __m128i shift = _mm_cvtsi32_si128((int)(4 * (i % 8)));
#pragma GCC unroll 4
        for (size_t h = 0; h < PARTS * P; h++) {
            const char *from = codes + h / PARTS * ldc;
            FLOATS q;
            if (nibbles) {
                from += i / 8 * 4 * PANEL + h % PARTS * LANES * 4;
                q = nibble(OP(srl_epi32)(INT_OP(loadu)((const void *)from), shift), 0);
            } else {
                q = byte((const uint8_t *)from + i * PANEL + h % PARTS * LANES);
            }
            a[h] = OP(fmadd_ps)(b, q, a[h]);
        }
    }
}

/* ---- nibbles as tiny numbers ---------------------------------------------------------------------
 * The bits below 2^24 of a word are, read as a float, the multiple of 2^-149 that they are as a number:
 * most of them subnormal. So a nibble needs neither a shift nor a conversion, one AND does; the power of
 * two that its place puts in is taken out of x beforehand. The chains are those of x q by 2^(UP - 149):
 * as long as no x is outside [2^(23 - UP), 2^(128 - UP)) but 0, everything in them is a multiple of
 * 2^-149 or has all its bits, and rounding does the same. Only for processors that are as fast with
 * subnormal numbers as with others. */

/* Codes are fetched into the second-level cache so many bytes ahead, at the end of panels those of the next
 * ones; scales and offsets by a group. */
enum { UP = 100, TINY_COLUMNS = 128, CODES_AHEAD = 2048 };

static bool fits_tiny(const float *x, size_t n)
{
    const uint32_t least = (23 - UP + 127) << 23, end = (uint32_t)(128 - UP + 127) << 23;
    uint32_t low[LANES], high[LANES];
    INTS lowest = OP(set1_epi32)(-1), highest = OP(set1_epi32)(0);
    for (size_t i = 0; i < n; i += LANES) {
        float part[LANES] = {0};
        INTS bits;
        if (n - i < LANES)
            memcpy(part, x + i, (n - i) * sizeof *x);
        bits = INT_OP(loadu)((const void *)(n - i < LANES ? part : x + i));
        bits = INT_OP(and)(bits, OP(set1_epi32)(0x7fffffff));
        highest = OP(max_epu32)(highest, bits);
        lowest = OP(min_epu32)(lowest, OP(sub_epi32)(bits, OP(set1_epi32)(1))); /* 0 is the greatest */
    }
    INT_OP(storeu)((void *)low, lowest);
    INT_OP(storeu)((void *)high, highest);
    for (size_t i = 0; i < LANES; i++)
        if (low[i] < least - 1 || high[i] >= end)
            return false;
    return true;
}

/* out (n, rounded up to 8 by zeros) = x by the powers of two for its places in words. */
INLINE void scale_tiny(const float *x, size_t n, float *out)
{
#define TIMES(place) 0x1p100f / (float)(1 << 4 * (place))
    static const float power[16] = {TIMES(0), TIMES(1), TIMES(2), TIMES(3), TIMES(4), TIMES(5),
                                    TIMES(4), TIMES(5), TIMES(0), TIMES(1), TIMES(2), TIMES(3),
                                    TIMES(4), TIMES(5), TIMES(4), TIMES(5)};
#undef TIMES
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        OP(storeu_ps)(out + i, OP(mul_ps)(OP(loadu_ps)(x + i), OP(loadu_ps)(power)));
    for (; i < n; i++)
        out[i] = x[i] * power[i % 8];
    for (; i % 8; i++)
        out[i] = 0;
}

/* The chains of one group, of P panels, which have `left` bytes of codes from here on. */
INLINE void tiny_chains(const size_t P, size_t n, const float *x, const char *codes, size_t ldc,
                        size_t left, FLOATS *a)
{
#pragma GCC unroll 8
    for (size_t h = 0; h < PARTS * P; h++)
        a[h] = OP(setzero_ps)();
    for (size_t first = 0; first < n; first += TINY_COLUMNS) {
        const size_t cols = n - first < TINY_COLUMNS ? n - first : TINY_COLUMNS;
        float part[TINY_COLUMNS];
        scale_tiny(x + first, cols, part);
        for (size_t i = 0; i < cols; i += 8) {
            const char *from = codes + (first + i) * (PANEL / 2);
            const char *next = from + CODES_AHEAD +
                               ((first + i) * (PANEL / 2) + CODES_AHEAD < left ? 0 : (P - 1) * ldc);
#pragma GCC unroll 8
            for (size_t p = 0; p < P; p++)
                __builtin_prefetch(next + p * ldc, 0, 1);
#pragma GCC unroll 8
            for (size_t j = 0; j < 8; j++) {
                const FLOATS b = OP(set1_ps)(part[i + j]);
                const INTS mask = OP(set1_epi32)(15 << 4 * (j < 6 ? j : j - 2));
#pragma GCC unroll 8
                for (size_t h = 0; h < PARTS * P; h++) {
                    const INTS words =
                        INT_OP(loadu)((const void *)(from + h / PARTS * ldc + h % PARTS * LANES * 4));
                    const INTS q = INT_OP(and)(mask, j < 6 ? words : right(words, 8));
                    a[h] = OP(fmadd_ps)(b, TO_FLOATS(q), a[h]);
                }
            }
        }
    }
#pragma GCC unroll 8
    for (size_t h = 0; h < PARTS * P; h++)
        a[h] = OP(mul_ps)(a[h], OP(set1_ps)(0x1p49f)); /* 149 - UP */
}

/* AVX2: bound by the four vector ports: shift, mask, conversion and fma for eight weights; AVX-512: by
 * the ports of shifts, shuffles and fma, one each for sixteen. Both by memory from 8 bits on. */
INLINE void codes_tile(const size_t P, const bool nibbles, const bool tiny, const struct code_panels *w,
                       size_t panel, const float *x, const float *s, float *y, const float *bias)
{
    FLOATS sum[TINY_MOST], a[TINY_MOST];
#pragma GCC unroll 8
    for (size_t h = 0; h < PARTS * P; h++)
        sum[h] = OP(setzero_ps)();
    for (size_t g = 0; g < w->groups; g++) {
        const char *codes = (const char *)w->codes + panel * w->ldc +
                            w->place[g] * (nibbles ? PANEL / 2 : PANEL);
        for (size_t p = 0; tiny && p < P; p++) {
            const size_t next = g + 1 < w->groups ? panel + p : panel + p + P - 1;
            const size_t at = (next * w->groups + g + 1) * PANEL;
            __builtin_prefetch(w->scale + at);
            __builtin_prefetch(w->offset + at);
        }
        if (tiny)
            tiny_chains(P, w->start[g + 1] - w->start[g], x + w->start[g], codes, w->ldc,
                        w->ldc - w->place[g] * (PANEL / 2), a);
        else
            code_chains(P, nibbles, w->start[g + 1] - w->start[g], x + w->start[g], codes, w->ldc, a);
        const FLOATS total = OP(set1_ps)(s[g]);
#pragma GCC unroll 8
        for (size_t h = 0; h < PARTS * P; h++) {
            const size_t at = ((panel + h / PARTS) * w->groups + g) * PANEL + h % PARTS * LANES;
            const FLOATS factor = OP(loadu_ps)(w->scale + at), shift = OP(loadu_ps)(w->offset + at);
            if (w->min)
                sum[h] = OP(fmadd_ps)(factor, a[h], OP(fmadd_ps)(shift, total, sum[h]));
            else
                sum[h] = OP(fmadd_ps)(factor, OP(fmadd_ps)(shift, total, a[h]), sum[h]);
        }
    }
#pragma GCC unroll 8
    for (size_t h = 0; h < PARTS * P; h++)
        OP(storeu_ps)(y + panel * PANEL + h * LANES,
                      OP(add_ps)(sum[h], OP(loadu_ps)(bias + panel * PANEL + h * LANES)));
}

INLINE void product_codes(const bool nibbles, const bool tiny, size_t panels, const struct code_panels *w,
                          const float *x, const float *s, float *y, const float *bias)
{
    size_t p = 0;
    for (; tiny && p + TINY_MOST / PARTS <= panels; p += TINY_MOST / PARTS)
        codes_tile(TINY_MOST / PARTS, nibbles, tiny, w, p, x, s, y, bias);
    for (; p + TOGETHER <= panels; p += TOGETHER)
        codes_tile(TOGETHER, nibbles, tiny, w, p, x, s, y, bias);
    for (; p < panels; p++)
        codes_tile(1, nibbles, tiny, w, p, x, s, y, bias);
}

void KERNEL(product_nibbles)(size_t panels, const struct code_panels *w, const float *x,
                             const float *s, float *y, const float *bias)
{
    product_codes(true, false, panels, w, x, s, y, bias);
}

void KERNEL(product_nibbles_tiny)(size_t panels, const struct code_panels *w, const float *x,
                                  const float *s, float *y, const float *bias)
{
    if (fits_tiny(x, w->start[w->groups]))
        product_codes(true, true, panels, w, x, s, y, bias);
    else
        product_codes(true, false, panels, w, x, s, y, bias);
}

void KERNEL(product_bytes)(size_t panels, const struct code_panels *w, const float *x,
                           const float *s, float *y, const float *bias)
{
    product_codes(false, false, panels, w, x, s, y, bias);
}
#endif
