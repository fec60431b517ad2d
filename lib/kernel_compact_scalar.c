/* Kernels of compact weights in plain C: the definition. */
#include "kernel_compact.h"

#include <math.h>
#include <string.h>

#include "tensor.h"

static float widened(enum panel_type type, uint16_t h)
{
    return type == PANEL_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}

static size_t expand(enum panel_type type, const uint64_t *mask, size_t k, const uint16_t *values,
                     float *out, size_t ldo)
{
    size_t used = 0;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < FOUR_PANELS; j++)
            out[j / PANEL * ldo + i * PANEL + j % PANEL] =
                mask[i] >> j & 1 ? widened(type, values[used++]) : 0;
    return used;
}

size_t expand_f16_scalar(const uint64_t *mask, size_t k, const uint16_t *values, float *out,
                         size_t ldo)
{
    return expand(PANEL_F16, mask, k, values, out, ldo);
}

size_t expand_bf16_scalar(const uint64_t *mask, size_t k, const uint16_t *values, float *out,
                          size_t ldo)
{
    return expand(PANEL_BF16, mask, k, values, out, ldo);
}

static void product_bitmap(enum panel_type type, size_t panels, size_t k, const float *x,
                           const struct bitmap_panels *w, float *y, const float *bias)
{
    for (size_t q = 0; q < (panels + FOUR - 1) / FOUR; q++) {
        const uint64_t *mask = w->mask + q * w->ldm;
        const uint16_t *value = w->values + w->start[q];
        const size_t left = panels * PANEL - q * FOUR_PANELS;
        float sum[FOUR_PANELS] = {0};
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < FOUR_PANELS; j++)
                if (mask[i] >> j & 1)
                    sum[j] = fmaf(x[i], widened(type, *value++), sum[j]);
        for (size_t j = 0; j < FOUR_PANELS && j < left; j++)
            y[q * FOUR_PANELS + j] = sum[j] + bias[q * FOUR_PANELS + j];
    }
}

void product_bitmap_f16_scalar(size_t panels, size_t k, const float *x,
                               const struct bitmap_panels *w, float *y, const float *bias)
{
    product_bitmap(PANEL_F16, panels, k, x, w, y, bias);
}

void product_bitmap_bf16_scalar(size_t panels, size_t k, const float *x,
                                const struct bitmap_panels *w, float *y, const float *bias)
{
    product_bitmap(PANEL_BF16, panels, k, x, w, y, bias);
}

/* Pair `g` of output j, and the columns of its two values. */
static uint32_t pair_at(const uint32_t *w, size_t ldw, size_t g, size_t j, uint32_t place[2])
{
    const uint32_t *block = w + g / PAIRS * PAIRS_LINES * ldw, nibble = block[j] >> 4 * (g % PAIRS);
    place[0] = nibble & 3;
    place[1] = nibble >> 2 & 3;
    return block[(1 + g % PAIRS) * ldw + j];
}

void product_pairs_scalar(size_t panels, size_t k, const float *x, const uint32_t *w, float *y,
                          const float *bias)
{
    for (size_t p = 0; p < panels; p++) {
        size_t ldw;
        const uint32_t *panel = pairs_panel(w, panels, k, p, &ldw);
        for (size_t j = 0; j < PANEL; j++) {
            float sum = 0;
            for (size_t g = 0; g < (k + 3) / 4; g++) {
                uint32_t place[2];
                const uint32_t pair = pair_at(panel, ldw, g, j, place);
                sum = fmaf(x[4 * g + place[0]], bf16_to_f32((uint16_t)pair), sum);
                sum = fmaf(x[4 * g + place[1]], bf16_to_f32((uint16_t)(pair >> 16)), sum);
            }
            y[p * PANEL + j] = sum + bias[p * PANEL + j];
        }
    }
}

void spread_pairs_scalar(const uint32_t *w, size_t ldw, size_t first, size_t groups, float *out)
{
    for (size_t g = 0; g < groups; g++, out += SPREAD) {
        for (size_t j = 0; j < PANEL; j++) {
            uint32_t place[2];
            const uint32_t pair = pair_at(w, ldw, first + g, j, place);
            out[j] = bf16_to_f32((uint16_t)pair);
            out[PANEL + j] = bf16_to_f32((uint16_t)(pair >> 16));
            memcpy(&out[2 * PANEL + j], &place[0], sizeof *place);
            memcpy(&out[3 * PANEL + j], &place[1], sizeof *place);
        }
    }
}

void product_spread_scalar(size_t rows, size_t k, const float *x, size_t ldx, const float *w,
                           float *y, size_t ldy, const float *bias, bool more)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < PANEL; j++) {
            float sum = more ? y[r * ldy + j] : 0;
            for (size_t g = 0; g < (k + 3) / 4; g++) {
                uint32_t place[2];
                memcpy(&place[0], &w[g * SPREAD + 2 * PANEL + j], sizeof *place);
                memcpy(&place[1], &w[g * SPREAD + 3 * PANEL + j], sizeof *place);
                for (size_t h = 0; h < 2; h++)
                    sum = fmaf(x[r * ldx + 4 * g + place[h]], w[g * SPREAD + h * PANEL + j], sum);
            }
            y[r * ldy + j] = bias ? sum + bias[j] : sum;
        }
    }
}

void widen_nibbles_scalar(const uint32_t *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < PANEL; j++)
            out[i * PANEL + j] = (float)(in[i / 8 * PANEL + j] >> 4 * (i % 8) & 15);
}

static unsigned code_at(const void *codes, bool nibbles, size_t i, size_t j)
{
    if (nibbles)
        return ((const uint32_t *)codes)[i / 8 * PANEL + j] >> 4 * (i % 8) & 15;
    return ((const uint8_t *)codes)[i * PANEL + j];
}

static void product_codes(bool nibbles, size_t panels, const struct code_panels *w, const float *x,
                          const float *s, float *y, const float *bias)
{
    for (size_t p = 0; p < panels; p++) {
        for (size_t j = 0; j < PANEL; j++) {
            float sum = 0;
            for (size_t g = 0; g < w->groups; g++) {
                const char *codes = (const char *)w->codes + p * w->ldc +
                                    w->place[g] * (nibbles ? PANEL / 2 : PANEL);
                const size_t at = (p * w->groups + g) * PANEL + j;
                float a = 0;
                for (size_t i = w->start[g]; i < w->start[g + 1]; i++)
                    a = fmaf(x[i], (float)code_at(codes, nibbles, i - w->start[g], j), a);
                if (w->min)
                    sum = fmaf(w->scale[at], a, fmaf(w->offset[at], s[g], sum));
                else
                    sum = fmaf(w->scale[at], fmaf(w->offset[at], s[g], a), sum);
            }
            y[p * PANEL + j] = sum + bias[p * PANEL + j];
        }
    }
}

void product_nibbles_scalar(size_t panels, const struct code_panels *w, const float *x,
                            const float *s, float *y, const float *bias)
{
    product_codes(true, panels, w, x, s, y, bias);
}

void product_bytes_scalar(size_t panels, const struct code_panels *w, const float *x,
                          const float *s, float *y, const float *bias)
{
    product_codes(false, panels, w, x, s, y, bias);
}
