/* Writing GGUF's block types; layouts as in gguf_quants.c. The order of the operations, each in
 * single precision, is that of gguf-py. */
#include "gguf_pack.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "gguf_quants.h"
#include "tensor.h"

static void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)v);
    put_u16(p + 2, (uint16_t)(v >> 16));
}

void gguf_pack_codes(uint32_t type, float scale, float min, const int *code, uint8_t *out)
{
    put_u16(out, f32_to_f16(scale));
    out += 2;
    if (type == GGUF_TYPE_Q8_0) {
        for (size_t i = 0; i < GGUF_BLOCK; i++)
            out[i] = (uint8_t)code[i];
        return;
    }
    if (type == GGUF_TYPE_Q4_1 || type == GGUF_TYPE_Q5_1) {
        put_u16(out, f32_to_f16(min));
        out += 2;
    }
    if (type == GGUF_TYPE_Q5_0 || type == GGUF_TYPE_Q5_1) {
        uint32_t fifth = 0;
        for (size_t i = 0; i < GGUF_BLOCK; i++)
            fifth |= (uint32_t)(code[i] >> 4 & 1) << i;
        put_u32(out, fifth);
        out += 4;
    }
    for (size_t i = 0; i < GGUF_BLOCK / 2; i++)
        out[i] = (uint8_t)((code[i] & 15) | (code[i + GGUF_BLOCK / 2] & 15) << 4);
}

static int clip(float x, int most)
{
    const int n = (int)truncf(x);
    return n < 0 ? 0 : n > most ? most : n;
}

static void pack_block(uint32_t type, const float *x, uint8_t *out)
{
    const bool five = type == GGUF_TYPE_Q5_0 || type == GGUF_TYPE_Q5_1;
    const int most = five ? 31 : 15;
    int code[GGUF_BLOCK];
    float low = x[0], high = x[0], far = x[0], d;
    for (size_t i = 1; i < GGUF_BLOCK; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        far = fabsf(x[i]) > fabsf(far) ? x[i] : far; /* the first of equals */
    }
    if (type == GGUF_TYPE_Q8_0)
        d = fabsf(far) / 127;
    else if (type == GGUF_TYPE_Q4_1 || type == GGUF_TYPE_Q5_1)
        d = (high - low) / (float)most;
    else
        d = far / (five ? -16.0f : -8.0f);
    const float inverse = d == 0 ? 0 : 1 / d, middle = five ? 16.5f : 8.5f;
    for (size_t i = 0; i < GGUF_BLOCK; i++) {
        if (type == GGUF_TYPE_Q8_0)
            code[i] = (int)roundf(x[i] * inverse);
        else if (type == GGUF_TYPE_Q4_1 || type == GGUF_TYPE_Q5_1)
            code[i] = clip((x[i] - low) * inverse + 0.5f, most);
        else
            code[i] = clip(x[i] * inverse + middle, most);
    }
    gguf_pack_codes(type, d, low, code, out);
}

void gguf_pack(uint32_t type, const float *x, size_t n, uint8_t *out)
{
    switch (type) {
    case GGUF_TYPE_F32:
        for (size_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, 4);
            put_u32(out + 4 * i, bits);
        }
        return;
    case GGUF_TYPE_F16:
    case GGUF_TYPE_BF16:
        for (size_t i = 0; i < n; i++)
            put_u16(out + 2 * i,
                    type == GGUF_TYPE_F16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]));
        return;
    default:
        for (size_t i = 0; i < n / GGUF_BLOCK; i++, out += gguf_type(type)->bytes)
            pack_block(type, x + i * GGUF_BLOCK, out);
    }
}
