/* Every kernel at every level of this machine against the one in C, by memcmp: all sizes to 130 (in
 * products fewer), odd strides, unaligned starts, guard bytes, denormals and signed zeros. The seed
 * is printed; KICK_SEED sets it. KICK_BENCH=1 also times the products. Built with KICK_SIMDE, the
 * kernels of AVX-512 are emulated. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "kernel.h"
#include "kernel_compact.h"

enum { MOST = 130, SPACE = 1 << 13, GUARD = 64 };

static uint64_t state;
static uint32_t bits32(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

/* Mostly ordinary numbers, sometimes zeros of either sign and denormals. */
static float number(void)
{
    const uint32_t u = bits32();
    if (u % 16 == 0)
        return u & 16 ? -0.0f : 0.0f;
    if (u % 16 == 1)
        return ldexpf((float)(int32_t)bits32(), -160);
    return (float)(int32_t)bits32() * 0x1p-30f;
}

static float in1[SPACE], in2[SPACE], in3[SPACE];
static uint16_t half[SPACE];
static uint8_t bytes[SPACE];
static float out1[SPACE], out2[SPACE]; /* by the kernel in C, by the other */

static void fill(void)
{
    for (size_t i = 0; i < SPACE; i++) {
        in1[i] = number();
        in2[i] = number();
        in3[i] = number();
        half[i] = (uint16_t)(bits32() & 0xbfff); /* finite as f16 and as bf16 */
        bytes[i] = (uint8_t)bits32();
        out1[i] = number();
    }
    memcpy(out2, out1, sizeof out1);
}

static void same(const char *what, size_t a, size_t b, size_t c)
{
    for (size_t i = 0; i < SPACE; i++)
        if (memcmp(&out1[i], &out2[i], sizeof out1[i]))
            fail_msg("%s (%zu, %zu, %zu): place %zu has %a, not %a", what, a, b, c, i,
                     (double)out2[i], (double)out1[i]);
}

static void products(const struct kernels *k)
{
    for (int type = 0; type < KERNEL_TYPES; type++) {
        for (int run = 0; run < 400; run++) {
            const size_t rows = run < 30 ? (size_t)run : bits32() % 30;
            const size_t panels = 1 + bits32() % 12, n = bits32() % 40;
            const size_t ldx = n + bits32() % 5, ldy = panels * PANEL + bits32() % 5;
            const size_t ldw = n * PANEL + bits32() % 5;
            const size_t x = bits32() % 7, y = GUARD + bits32() % 7, w = bits32() % 7;
            const float *bias = bits32() % 2 ? in3 + bits32() % 7 : NULL;
            const bool more = bits32() % 2;
            const void *weights = type == PANEL_F32 ? (void *)(in2 + w) : (void *)(half + w);
            fill();
            kernels_scalar.product[type](rows, panels, n, in1 + x, ldx, weights, ldw, out1 + y, ldy,
                                         bias, more);
            k->product[type](rows, panels, n, in1 + x, ldx, weights, ldw, out2 + y, ldy, bias,
                             more);
            same("product", rows, panels, n);
            /* The same chain in two pieces. */
            memcpy(out2, out1, sizeof out1);
            const size_t cut = n ? bits32() % n : 0, size = type == PANEL_F32 ? 4 : 2;
            if (more)
                continue;
            k->product[type](rows, panels, cut, in1 + x, ldx, weights, ldw, out2 + y, ldy, NULL,
                             false);
            k->product[type](rows, panels, n - cut, in1 + x + cut, ldx,
                             (const char *)weights + cut * PANEL * size, ldw, out2 + y, ldy, bias,
                             true);
            same("product in two pieces", rows, panels, n);
        }
    }
}

static void groups(const struct kernels *k)
{
    for (size_t run = 0; run < 300; run++) {
        const size_t rows = bits32() % 26, n = bits32() % 40, ldx = n + bits32() % 5;
        const size_t lds = 16 + bits32() % 3, ldy = 16 + bits32() % 3, x = bits32() % 7;
        fill();
        const struct group_terms g = {in2 + 5000, lds, run & 1, in3 + bits32() % 7, in3 + 40,
                                      run & 2};
        const float *a = run & 4 ? in3 + 100 : NULL;
        kernels_scalar.product_group(rows, n, in1 + x, ldx, in2 + 3, a, &g, out1 + GUARD, ldy);
        k->product_group(rows, n, in1 + x, ldx, in2 + 3, a, &g, out2 + GUARD, ldy);
        same("product_group", rows, n, run & 7);
    }
}

/* Masks of all shares: none, few, half, nearly all, all. */
static uint32_t some_mask(size_t run)
{
    const uint32_t u = bits32(), v = bits32();
    return run % 5 == 0 ? 0 : run % 5 == 1 ? u & v : run % 5 == 2 ? u : run % 5 == 3 ? u | v : ~0u;
}

static void bitmaps(const struct kernels *k)
{
    static uint64_t mask[3 * 50];
    for (size_t run = 0; run < 400; run++) {
        const size_t panels = 1 + bits32() % 9, n = bits32() % 30, ldm = n + bits32() % 3;
        const size_t ldo = n * PANEL + bits32() % 20;
        size_t start[4] = {bits32() % 5};
        for (size_t q = 0; FOUR * q < panels; q++) {
            const size_t left = panels - FOUR * q;
            start[q + 1] = start[q];
            for (size_t i = 0; i < n; i++) {
                uint64_t *m = &mask[q * ldm + i];
                *m = (uint64_t)some_mask(run) << 32 | some_mask(run);
                *m &= left < FOUR ? ((uint64_t)1 << left * PANEL) - 1 : ~(uint64_t)0;
                start[q + 1] += (size_t)__builtin_popcountll(*m);
            }
        }
        const struct bitmap_panels w = {mask, ldm, half, start};
        for (int type = PANEL_F16; type <= PANEL_BF16; type++) {
            fill();
            for (size_t i = 0; i < panels * PANEL; i++)
                in3[i] += 0.0f; /* no -0: matrix_bias() leaves none */
            kernels_scalar.product_bitmap[type](panels, n, in1 + run % 7, &w, out1 + GUARD, in3);
            k->product_bitmap[type](panels, n, in1 + run % 7, &w, out2 + GUARD, in3);
            same("product_bitmap", (size_t)type, panels, n);
            if (!k->expand[type])
                continue;
            const size_t a =
                kernels_scalar.expand[type](mask, n, half + start[0], out1 + GUARD, ldo);
            const size_t b = k->expand[type](mask, n, half + start[0], out2 + GUARD, ldo);
            same("expand", (size_t)type, n, ldo);
            assert_int_equal(a, b);
            assert_int_equal(a, start[1] - start[0]);
        }
    }
}

static void pairs(const struct kernels *k)
{
    static uint32_t words[8 * 4 * PAIRS_LINES * PANEL];
    for (size_t run = 0; run < 300; run++) {
        const size_t panels = 1 + bits32() % 8, n = bits32() % 100, rows = bits32() % 26;
        const size_t ldy = 16 + bits32() % 3, panel = bits32() % panels;
        const size_t groups = (n + 3) / 4, first = groups ? bits32() % groups : 0;
        const float *bias = bits32() % 2 ? in3 + bits32() % 7 : NULL;
        const bool more = bits32() % 2;
        fill();
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            words[i] = bits32() & 0xbfffbfff;
        /* Places within the last, shorter group; any bits elsewhere. */
        size_t ldw;
        for (size_t p = 0; n % 4 && p < panels; p++)
            for (size_t j = 0; j < PANEL; j++)
                pairs_panel(words, panels, n, p, &ldw)[n / 32 * PAIRS_LINES * ldw + j] &=
                    ~(15u << n % 32 / 4 * 4);
        kernels_scalar.product_pairs(panels, n, in1 + run % 7, words, out1 + GUARD, in3);
        k->product_pairs(panels, n, in1 + run % 7, words, out2 + GUARD, in3);
        same("product_pairs", panels, n, 0);
        static float spread1[32 * SPREAD], spread2[32 * SPREAD];
        memset(spread1, 1, sizeof spread1);
        memset(spread2, 1, sizeof spread2);
        const uint32_t *w = pairs_panel(words, panels, n, panel, &ldw);
        kernels_scalar.spread_pairs(w, ldw, first, groups - first, spread1 + 1);
        k->spread_pairs(w, ldw, first, groups - first, spread2 + 1);
        assert_memory_equal(spread1, spread2, sizeof spread1);
        const size_t left = n - 4 * first < 40 ? n - 4 * first : 40;
        if (n == 0 || left == 0 || (left % 4 && left < n - 4 * first))
            continue;
        kernels_scalar.product_spread(rows, left, in1 + 1, left + run % 3, spread1 + 1,
                                      out1 + GUARD, ldy, bias, more);
        k->product_spread(rows, left, in1 + 1, left + run % 3, spread2 + 1, out2 + GUARD, ldy, bias,
                          more);
        same("product_spread", rows, left, more);
    }
}

/* Anything that the kernel for tiny numbers takes: 0, and 2^-77 up to but not 2^28. */
static float fitting(void)
{
    const uint32_t u = bits32();
    const float sign = u & 1 ? -1 : 1;
    if (u % 16 < 2)
        return sign * 0.0f;
    return sign * ldexpf((float)(bits32() >> 8 | 1 << 23), (u % 16 < 4 ? -100 : (int)(bits32() % 105) - 100));
}

/* Any that fit; one too large; few, all at the lower end; or below it, where a bit would be lost. What does
 * not fit goes the ordinary way. */
static void tiny_codes(const struct kernels *k, size_t panels, const struct code_panels *w)
{
    const size_t n = w->start[w->groups];
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < n; i++)
            in1[i] = kind < 2       ? fitting()
                     : bits32() % 8 ? 0
                                    : ldexpf((float)(1 << 23 | bits32() >> 9 | 1), -98 - kind);
        if (kind == 1 && n)
            in1[bits32() % n] = 0x1p28f;
        kernels_scalar.product_codes[CODE_NIBBLES](panels, w, in1, in3 + 200, out1 + GUARD, in3);
        (k->level == CPU_AVX2 ? product_nibbles_tiny_avx2
                              : product_nibbles_tiny_avx512)(panels, w, in1, in3 + 200, out2 + GUARD, in3);
        same("product_nibbles_tiny", panels, n, (size_t)kind);
    }
}

static void codes(const struct kernels *k)
{
    static uint32_t words[8 * 16 * 60];
    for (size_t run = 0; run < 300; run++) {
        const size_t panels = 1 + bits32() % 8, groups = 1 + bits32() % 5;
        size_t start[7] = {0}, place[7] = {0};
        const bool nibbles = run % 2;
        for (size_t g = 0; g < groups; g++) {
            const size_t n = run % 50 == 7 && g == 0 ? bits32() % 300 : run % 3 ? 8 * (bits32() % 3) : bits32() % 23;
            start[g + 1] = start[g] + n;
            place[g + 1] = place[g] + (nibbles ? (n + 7) / 8 * 8 : n);
        }
        fill();
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            words[i] = bits32();
        const struct code_panels w = {words,      place[groups] * (nibbles ? 8 : 16),
                                      groups,     start,
                                      place,      in2 + 3,
                                      in2 + 4000, run & 4};
        const enum code_layout layout = nibbles ? CODE_NIBBLES : CODE_BYTES;
        kernels_scalar.product_codes[layout](panels, &w, in1 + run % 7, in3 + 200, out1 + GUARD,
                                             in3);
        k->product_codes[layout](panels, &w, in1 + run % 7, in3 + 200, out2 + GUARD, in3);
        same("product_codes", panels, start[groups], nibbles);
        if (nibbles && k->level >= CPU_AVX2)
            tiny_codes(k, panels, &w);
        kernels_scalar.widen_nibbles(words, start[groups], out1 + GUARD + run % 5);
        k->widen_nibbles(words, start[groups], out2 + GUARD + run % 5);
        same("widen_nibbles", start[groups], 0, 0);
    }
}

static void rows(const struct kernels *k)
{
    const float scale = 0.125f;
    for (size_t n = 0; n <= MOST; n++) {
        const size_t at = GUARD + n % 7;
        fill();
        for (int t = 0; t < KERNEL_TYPES; t++) {
            kernels_scalar.widen[t](t == PANEL_F32 ? (void *)in1 : (void *)half, n,
                                    out1 + at + 200 * t);
            k->widen[t](t == PANEL_F32 ? (void *)in1 : (void *)half, n, out2 + at + 200 * t);
        }
        kernels_scalar.widen_u8(bytes + n % 3, n, out1 + at + 600);
        k->widen_u8(bytes + n % 3, n, out2 + at + 600);
        kernels_scalar.widen_bits(half, n, out1 + at + 800);
        k->widen_bits(half, n, out2 + at + 800);
        same("widen", n, 0, 0);

        fill();
        kernels_scalar.divide(in1 + 1, n, in2[n], out1 + at);
        k->divide(in1 + 1, n, in2[n], out2 + at);
        same("divide", n, 0, 0);

        fill();
        kernels_scalar.rms_norm(in1 + n % 5, n, in2 + 1, 1e-5f, out1 + at);
        k->rms_norm(in1 + n % 5, n, in2 + 1, 1e-5f, out2 + at);
        same("rms_norm", n, 0, 0);

        fill();
        for (size_t i = 0; i < MOST; i++)
            in1[i] *= i % 3 ? 1.0f : 100.0f;
        kernels_scalar.silu_product(in1 + n % 5, in2 + 1, n, out1 + at);
        k->silu_product(in1 + n % 5, in2 + 1, n, out2 + at);
        same("silu_product", n, 0, 0);

        fill();
        kernels_scalar.layer_norm(in1 + n % 5, n, in2 + 1, in3 + 2, 1e-5f, out1 + at);
        k->layer_norm(in1 + n % 5, n, in2 + 1, in3 + 2, 1e-5f, out2 + at);
        same("layer_norm", n, 0, 0);
        memcpy(out2, out1, sizeof out1);
        kernels_scalar.layer_norm(out1 + at, n, in2 + 1, in3 + 2, 0, out1 + at);
        k->layer_norm(out2 + at, n, in2 + 1, in3 + 2, 0, out2 + at);
        same("layer_norm in place", n, 0, 0);

        for (int a = 0; a < ACTIVATIONS; a++) {
            fill();
            for (size_t i = 0; i < n; i++) /* small, ordinary, and so large that exp overflows */
                out1[at + i] *= i % 3 == 0 ? 1.0f : i % 3 == 1 ? 10.0f : 200.0f;
            if (n > 4 && n % 2) {
                out1[at] = -0.0f;
                out1[at + 1] = 3e38f;
                out1[at + 2] = -3e38f;
                out1[at + 3] = -1e-39f;
                out1[at + 4] = INFINITY;
            }
            memcpy(out2, out1, sizeof out1);
            kernels_scalar.activate[a](out1 + at, n);
            k->activate[a](out2 + at, n);
            same("activate", (size_t)a, n, 0);
        }

        fill();
        kernels_scalar.multiply(out1 + at, in1 + 1, n);
        k->multiply(out2 + at, in1 + 1, n);
        kernels_scalar.add_scaled(out1 + at, in2 + 1, n, 0.3f);
        k->add_scaled(out2 + at, in2 + 1, n, 0.3f);
        same("multiply, add_scaled", n, 0, 0);

        fill();
        for (size_t i = 0; i < n; i++)
            out1[at + i] *= i % 3 == 0 ? 1.0f : i % 3 == 1 ? 30.0f : 1e6f;
        if (n > 2) {
            out1[at] = INFINITY;
            out1[at + 1] = -INFINITY;
        }
        memcpy(out2, out1, sizeof out1);
        kernels_scalar.cap(out1 + at, n, 0.7f, 5.0f);
        k->cap(out2 + at, n, 0.7f, 5.0f);
        same("cap", n, 0, 0);

        /* A NaN stays one in each place, so that it is found. */
        for (size_t i = 0; i < n; i++) {
            for (int a = 0; a <= ACTIVATIONS; a++) {
                for (size_t j = 0; j < n; j++)
                    out2[at + j] = j == i ? NAN : 1.0f;
                if (a < ACTIVATIONS)
                    k->activate[a](out2 + at, n);
                else
                    k->cap(out2 + at, n, 1.0f, 5.0f);
                for (size_t j = 0; j < n; j++)
                    assert_true((out2[at + j] != out2[at + j]) == (j == i));
            }
        }

        fill();
        kernels_scalar.rope(out1 + at, n, in1 + 1, in2);
        k->rope(out2 + at, n, in1 + 1, in2);
        same("rope", n, 0, 0);

        fill();
        kernels_scalar.add(out1 + at, in1 + 1, n);
        k->add(out2 + at, in1 + 1, n);
        same("add", n, 0, 0);

        for (size_t i = 0; i < n; i++) {
            const float keep = in1[i + 1];
            in1[i + 1] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
            assert_false(k->finite(in1 + 1, n));
            in1[i + 1] = keep;
        }
        assert_true(k->finite(in1 + 1, n));
        float low[2], high[2];
        kernels_scalar.extremes(in1 + 1, n, &low[0], &high[0]);
        k->extremes(in1 + 1, n, &low[1], &high[1]);
        assert_memory_equal(&low[0], &low[1], sizeof *low);
        assert_memory_equal(&high[0], &high[1], sizeof *high);
        for (int bits = 2; bits <= 8; bits++) {
            const float step = (high[0] - low[0]) / (float)(1 << bits), top = (float)((1 << bits) - 1);
            uint8_t *a = (uint8_t *)out1, *b = (uint8_t *)out2;
            memset(out1, 7, (n + 1) * sizeof *out1);
            memset(out2, 7, (n + 1) * sizeof *out2);
            kernels_scalar.codes(in1 + 1, n, step, (float)(bits - 2), top, a + 1);
            k->codes(in1 + 1, n, step, (float)(bits - 2), top, b + 1);
            assert_memory_equal(a, b, n + 2);
            if (n == 0)
                continue;
            const float keep =
                in1[n]; /* no number is code 0; seen by clang's sanitizer where it is none */
            in1[n] = NAN;
            kernels_scalar.codes(in1 + 1, n, step, (float)(bits - 2), top, a + 1);
            k->codes(in1 + 1, n, step, (float)(bits - 2), top, b + 1);
            in1[n] = keep;
            assert_memory_equal(a, b, n + 2);
            assert_int_equal(a[n], 0);
        }

        for (size_t last = n; last >= 1 && last + 20 > n; last--) {
            const size_t first = bits32() % last;
            for (float factor = 50; factor < 6000; factor *= 10) { /* to exp() of 0 */
                fill();
                const float a = kernels_scalar.softmax(out1 + at, first, last, n, scale * factor);
                const float b = k->softmax(out2 + at, first, last, n, scale * factor);
                same("softmax", first, last, n);
                assert_memory_equal(&a, &b, sizeof a);
            }
        }
        if (n == 0)
            continue;
        float a = kernels_scalar.maximum(in1 + 1, n), b = k->maximum(in1 + 1, n);
        assert_memory_equal(&a, &b, sizeof a);
        for (float factor = 1; factor < 3000; factor *= 9) { /* to denormal probabilities and 0 */
            for (size_t i = 0; i < n; i++) {
                out1[1 + i] = factor * in1[i];
                out2[2 + i] = factor * in2[i];
            }
            a = kernels_scalar.maximum(out1 + 1, n);
            const double c = kernels_scalar.sum_exp(out1 + 1, n, a);
            const double d = k->sum_exp(out1 + 1, n, a);
            assert_memory_equal(&c, &d, sizeof c);
            const struct divergence f = kernels_scalar.divergence(out1 + 1, out2 + 2, n);
            const struct divergence g = k->divergence(out1 + 1, out2 + 2, n);
            assert_true(isfinite(f.kl_pq) && f.kl_pq > -1e-12 && f.js < 0.6932);
            assert_memory_equal(&f.kl_pq, &g.kl_pq, sizeof f.kl_pq);
            assert_memory_equal(&f.kl_qp, &g.kl_qp, sizeof f.kl_qp);
            assert_memory_equal(&f.js, &g.js, sizeof f.js);
            assert_int_equal(f.agree, g.agree);
        }
    }
}

/* Lanes are positions: what lies beyond the last key adds nothing. */
static void softmax_padding(const struct kernels *k)
{
    for (size_t n = 1; n < MOST; n++) {
        fill();
        const float a = k->softmax(out1, 0, n, n, 0.3f);
        const float b = k->softmax(out2, 0, n, (n + 63) / 16 * 16, 0.3f);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_equal(out1, out2, n * sizeof *out1);
    }
}

static void all_levels(void **unused)
{
    (void)unused;
#ifdef KICK_SIMDE /* the AVX-512 kernels of this binary are emulated */
    const int best = CPU_AVX512;
#else
    const int best = (int)cpu_best();
#endif
    for (int level = CPU_SCALAR; level <= best; level++) {
        const struct kernels *k = kernels_of((enum cpu_level)level);
        printf("level %s: kernels %s\n", cpu_level_name((enum cpu_level)level),
               cpu_level_name(k->level));
        products(k);
        groups(k);
        bitmaps(k);
        pairs(k);
        codes(k);
        rows(k);
        softmax_padding(k);
#if defined(__x86_64__)
        if (level == CPU_AVX512) { /* some machines use other kernels in their place */
            products(&kernels_avx512);
            groups(&kernels_avx512);
#ifndef KICK_SIMDE
            if (cpu_has_vbmi2())
#endif
                bitmaps(&kernels_avx512);
            pairs(&kernels_avx512);
        }
#endif
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void timed(void **unused)
{
    (void)unused;
    if (!getenv("KICK_BENCH"))
        skip();
    const struct kernels *k = kernels_of(cpu_best());
    fill();
    for (size_t n = 1; n <= 48; n = n < 6 ? n + 1 : n * 2) {
        const size_t panels = 4, cols = 64;
        for (int type = 0; type < KERNEL_TYPES; type++) {
            const void *w = type == PANEL_F32 ? (void *)in2 : (void *)half;
            const double start = now();
            long count = 0;
            for (; now() - start < 0.05; count++)
                k->product[type](n, panels, cols, in1, cols, w, cols * PANEL, out1, 64, NULL,
                                 false);
            printf("product type %d rows %zu: %.1f GFLOP/s\n", type, n,
                   2.0 * (double)(n * panels * PANEL * cols) * (double)count / (now() - start) /
                       1e9);
        }
    }
}

/* The first, whichever lane it is in. */
static void first_of_the_largest(void **unused)
{
    (void)unused;
    float x[70];
    for (size_t n = 1; n <= 70; n++)
        for (int run = 0; run < 50; run++) {
            size_t best = 0;
            for (size_t i = 0; i < n; i++)
                x[i] = (float)(int)(bits32() % 9) * (run % 2 ? -1.0f : 0.5f);
            for (size_t i = 1; i < n; i++)
                if (x[i] > x[best])
                    best = i;
            assert_int_equal(largest(x, n), best);
        }
}

int main(void)
{
    const char *seed = getenv("KICK_SEED");
    state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
    printf("KICK_SEED=%llu\n", (unsigned long long)state);
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_levels),
                                       cmocka_unit_test(first_of_the_largest),
                                       cmocka_unit_test(timed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
