/* Choice of kernels by level. */
#include "kernel.h"

#include <pthread.h>

#include "kernel_compact.h"

#if defined(__x86_64__)
static struct kernels avx2, avx512;

/* Where 512 bits take twice the time of 256, tiles of AVX-512 still read what they need half as often;
 * only numbers of rows that they do not divide are AVX2's. Panels that have to be widened are taken one
 * at a time (measured, of the peak: 0.98; two 0.89, AVX2 0.94). */
#define HALVED(name, type)                                                                         \
    static void name(size_t rows, size_t panels, size_t k, const float *x, size_t ldx,             \
                     const void *w, size_t ldw, float *y, size_t ldy, const float *bias,           \
                     bool more)                                                                    \
    {                                                                                              \
        const bool wide = rows < 4 || rows >= 12 || rows % 4 == 0;                                 \
        const struct kernels *t = wide ? &kernels_avx512 : &kernels_avx2;                          \
        const size_t size = type == PANEL_F32 ? sizeof(float) : sizeof(uint16_t);                  \
        const size_t n = rows >= 4 && wide && type != PANEL_F32 ? 1 : panels;                      \
        for (size_t p = 0; p < panels; p += n)                                                     \
            t->product[type](rows, n, k, x, ldx, (const char *)w + p * ldw * size, ldw,            \
                             y + p * PANEL, ldy, bias ? bias + p * PANEL : NULL, more);            \
    }
HALVED(product_f32_halved, PANEL_F32)
HALVED(product_f16_halved, PANEL_F16)
HALVED(product_bf16_halved, PANEL_BF16)
#undef HALVED

/* Initialisers cannot name another table's functions, so that gaps are filled here. */
static void fill(void)
{
    const struct kernels *low = &kernels_avx2;
    avx2 = kernels_avx2;
    avx512 = kernels_avx512;
#define FILL(what) avx512.what = avx512.what ? avx512.what : low->what
    for (size_t i = 0; i < KERNEL_TYPES; i++) {
        FILL(product[i]);
        FILL(widen[i]);
        FILL(expand[i]);
        if (!cpu_has_vbmi2())
            avx512.product_bitmap[i] = low->product_bitmap[i];
    }
    avx512.together = 2;
    if (cpu_halves_avx512()) {
        avx512.product[PANEL_F32] = product_f32_halved;
        avx512.product[PANEL_F16] = product_f16_halved;
        avx512.product[PANEL_BF16] = product_bf16_halved;
        avx512.product_group = low->product_group;
        avx512.product_spread = low->product_spread;
        avx512.together = low->together;
    }
    if (cpu_subnormals_free()) {
        avx2.product_codes[CODE_NIBBLES] = product_nibbles_tiny_avx2;
        avx512.product_codes[CODE_NIBBLES] = product_nibbles_tiny_avx512;
    }
    for (size_t i = 0; i < ACTIVATIONS; i++)
        FILL(activate[i]);
    FILL(widen_u8);
    FILL(widen_bits);
    FILL(softmax);
    FILL(divide);
    FILL(rms_norm);
    FILL(layer_norm);
    FILL(silu_product);
    FILL(multiply);
    FILL(add_scaled);
    FILL(cap);
    FILL(rope);
    FILL(add);
    FILL(finite);
    FILL(extremes);
    FILL(codes);
    FILL(maximum);
    FILL(sum_exp);
    FILL(divergence);
#undef FILL
}
#endif

const struct kernels *kernels_of(enum cpu_level level)
{
#if defined(__x86_64__)
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (level >= CPU_AVX2) {
        pthread_once(&once, fill);
        return level >= CPU_AVX512 ? &avx512 : &avx2;
    }
#endif
    (void)level;
    return &kernels_scalar;
}
