/* What the kernels of compact weights for AVX2 and for AVX-512 have in common: all that only differs
 * in the length of vectors. Both include it behind their own first_of(), second_of(), right(),
 * four(), nibble() and byte(), and these:
 *   LEVEL          of the functions' names
 *   FLOATS, INTS   types of a vector, of LANES numbers
 *   OP, INT_OP     names of instructions, and of those on integers as a whole
 * A panel is PARTS vectors; MOST vectors of sums hide the latency of an fma. */
#ifdef FLOATS
#define NAME_OF(name, level) name##_##level
#define NAMED(name, level) NAME_OF(name, level)
#define KERNEL(name) NAMED(name, LEVEL)

enum { PARTS = PANEL / LANES, MOST = 4, TOGETHER = MOST / PARTS };

/* ---- two of every four columns -------------------------------------------------------------------
 */

/* Read ahead of the same panels, at their end of the next ones: AVX2, whose two panels are two streams
 * alone. The four of AVX-512 need no help, and are slower with it. */
enum { BLOCKS_AHEAD = 8 };

/* One group of P panels. places: those of the group in the lowest bits. */
INLINE void pair_step(const size_t P, const uint32_t *w, size_t ldw, size_t g, FLOATS a,
                      const INTS *places, FLOATS *sum)
{
#pragma GCC unroll 4
    for (size_t h = 0; h < PARTS * P; h++) {
        const uint32_t *from = w + h / PARTS * ldw + (1 + g) * PANEL + h % PARTS * LANES;
        const INTS pairs = INT_OP(loadu)((const void *)from);
        const FLOATS one = OP(permutevar_ps)(a, right(places[h], 4 * g));
        const FLOATS two = OP(permutevar_ps)(a, right(places[h], 4 * g + 2));
        sum[h] = OP(fmadd_ps)(one, first_of(pairs), sum[h]);
        sum[h] = OP(fmadd_ps)(two, second_of(pairs), sum[h]);
    }
}

/* Bound by memory; AVX2 from a cache by the two ports of shuffles and shifts. */
INLINE void pairs_tile(const size_t P, size_t k, const float *x, const uint32_t *w, size_t ldw,
                       float *y, const float *bias)
{
    const size_t blocks = (k + 4 * PAIRS - 1) / (4 * PAIRS);
    FLOATS sum[MOST];
#pragma GCC unroll 4
    for (size_t h = 0; h < PARTS * P; h++)
        sum[h] = OP(setzero_ps)();
    for (size_t i = 0, block = 0; i < k; i += 4 * PAIRS, block++, w += PAIRS_BLOCK) {
        const size_t next = block + BLOCKS_AHEAD < blocks ? 0 : P * ldw - blocks * PAIRS_BLOCK;
        for (size_t p = 0; PARTS > 1 && p < P; p++)
#pragma GCC unroll 9
            for (size_t line = 0; line < PAIRS_BLOCK; line += 16)
                __builtin_prefetch(w + p * ldw + next + BLOCKS_AHEAD * PAIRS_BLOCK + line, 0, 2);
        INTS places[MOST];
#pragma GCC unroll 4
        for (size_t h = 0; h < PARTS * P; h++)
            places[h] = INT_OP(loadu)((const void *)(w + h / PARTS * ldw + h % PARTS * LANES));
        if (k - i >= 4 * PAIRS) {
#pragma GCC unroll 8
            for (size_t g = 0; g < PAIRS; g++)
                pair_step(P, w, ldw, g, four(x + i + 4 * g, 4), places, sum);
        } else {
            for (size_t g = 0; i + 4 * g < k; g++)
                pair_step(P, w, ldw, g, four(x + i + 4 * g, k - i - 4 * g), places, sum);
        }
    }
#pragma GCC unroll 4
    for (size_t h = 0; h < PARTS * P; h++)
        OP(storeu_ps)(y + h * LANES, OP(add_ps)(sum[h], OP(loadu_ps)(bias + h * LANES)));
}

void KERNEL(product_pairs)(size_t panels, size_t k, const float *x, const uint32_t *w, size_t ldw,
                           float *y, const float *bias)
{
    size_t p = 0;
    for (; p + TOGETHER <= panels; p += TOGETHER)
        pairs_tile(TOGETHER, k, x, w + p * ldw, ldw, y + p * PANEL, bias + p * PANEL);
    for (; p < panels; p++)
        pairs_tile(1, k, x, w + p * ldw, ldw, y + p * PANEL, bias + p * PANEL);
}

void KERNEL(spread_pairs)(const uint32_t *w, size_t first, size_t groups, float *out)
{
    const INTS three = OP(set1_epi32)(3);
    for (size_t g = first; g < first + groups; g++, out += SPREAD) {
        const uint32_t *block = w + g / PAIRS * PAIRS_BLOCK;
        const __m128i shift = _mm_cvtsi32_si128((int)(4 * (g % PAIRS)));
        for (size_t h = 0; h < PANEL; h += LANES) {
            const INTS pairs = INT_OP(loadu)((const void *)(block + (1 + g % PAIRS) * PANEL + h));
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

/* AVX2: bound by the four vector ports: shift, mask, conversion and fma for eight weights; AVX-512: by
 * the ports of shifts, shuffles and fma, one each for sixteen. Both by memory from 8 bits on. */
INLINE void codes_tile(const size_t P, const bool nibbles, const struct code_panels *w,
                       size_t panel, const float *x, const float *s, float *y, const float *bias)
{
    FLOATS sum[MOST], a[MOST];
#pragma GCC unroll 4
    for (size_t h = 0; h < PARTS * P; h++)
        sum[h] = OP(setzero_ps)();
    for (size_t g = 0; g < w->groups; g++) {
        const char *codes = (const char *)w->codes + panel * w->ldc +
                            w->place[g] * (nibbles ? PANEL / 2 : PANEL);
        code_chains(P, nibbles, w->start[g + 1] - w->start[g], x + w->start[g], codes, w->ldc, a);
        const FLOATS total = OP(set1_ps)(s[g]);
#pragma GCC unroll 4
        for (size_t h = 0; h < PARTS * P; h++) {
            const size_t at = ((panel + h / PARTS) * w->groups + g) * PANEL + h % PARTS * LANES;
            const FLOATS factor = OP(loadu_ps)(w->scale + at), shift = OP(loadu_ps)(w->offset + at);
            if (w->min)
                sum[h] = OP(fmadd_ps)(factor, a[h], OP(fmadd_ps)(shift, total, sum[h]));
            else
                sum[h] = OP(fmadd_ps)(factor, OP(fmadd_ps)(shift, total, a[h]), sum[h]);
        }
    }
#pragma GCC unroll 4
    for (size_t h = 0; h < PARTS * P; h++)
        OP(storeu_ps)(y + panel * PANEL + h * LANES,
                      OP(add_ps)(sum[h], OP(loadu_ps)(bias + panel * PANEL + h * LANES)));
}

INLINE void product_codes(const bool nibbles, size_t panels, const struct code_panels *w,
                          const float *x, const float *s, float *y, const float *bias)
{
    size_t p = 0;
    for (; p + TOGETHER <= panels; p += TOGETHER)
        codes_tile(TOGETHER, nibbles, w, p, x, s, y, bias);
    for (; p < panels; p++)
        codes_tile(1, nibbles, w, p, x, s, y, bias);
}

void KERNEL(product_nibbles)(size_t panels, const struct code_panels *w, const float *x,
                             const float *s, float *y, const float *bias)
{
    product_codes(true, panels, w, x, s, y, bias);
}

void KERNEL(product_bytes)(size_t panels, const struct code_panels *w, const float *x,
                           const float *s, float *y, const float *bias)
{
    product_codes(false, panels, w, x, s, y, bias);
}
#endif
