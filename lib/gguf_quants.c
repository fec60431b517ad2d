/* GGUF's block types. In all of them a block is one or two half-precision scales and packed codes; the
 * larger ones (256 values) carry scales of sub-blocks too. Layouts: ggml's documentation of its
 * types; the half-precision numbers, little-endian, stand where each function reads them. */
#include "gguf_quants.h"

#include <string.h>

#include "gguf_grids.h"
#include "tensor.h"
#include "window.h"

static float half_at(const uint8_t *p)
{
    return f16_to_f32(load_u16(p));
}

/* ---- plain ---------------------------------------------------------------------------------- */

static void unpack_f16(const uint8_t *in, float *out)
{
    *out = half_at(in);
}

static void unpack_bf16(const uint8_t *in, float *out)
{
    *out = bf16_to_f32(load_u16(in));
}

/* ---- 32 values, one scale ------------------------------------------------------------------- */

/* Code i of 32 in 16 bytes: the low halves first, then the high ones. */
static unsigned nibble(const uint8_t *q, size_t i)
{
    return (unsigned)q[i % 16] >> (i < 16 ? 0 : 4) & 15;
}

static unsigned fifth_bit(const uint8_t *q, size_t i)
{
    return (load_u32(q) >> i & 1) << 4;
}

static void codes_q4_0(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    (void)min;
    *scale = half_at(in);
    for (size_t i = 0; i < 32; i++)
        code[i] = (uint8_t)nibble(in + 2, i);
}

static void codes_q4_1(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    *scale = half_at(in);
    *min = half_at(in + 2);
    for (size_t i = 0; i < 32; i++)
        code[i] = (uint8_t)nibble(in + 4, i);
}

static void codes_q5_0(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    (void)min;
    *scale = half_at(in);
    for (size_t i = 0; i < 32; i++)
        code[i] = (uint8_t)(nibble(in + 6, i) | fifth_bit(in + 2, i));
}

static void codes_q5_1(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    *scale = half_at(in);
    *min = half_at(in + 2);
    for (size_t i = 0; i < 32; i++)
        code[i] = (uint8_t)(nibble(in + 8, i) | fifth_bit(in + 4, i));
}

static void codes_q8_0(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    (void)min;
    *scale = half_at(in);
    for (size_t i = 0; i < 32; i++)
        code[i] = (uint8_t)(in[2 + i] ^ 128); /* + 128 */
}

/* ---- 256 values, scales of sub-blocks ------------------------------------------------------- */

/* Code i of 2 bits: each 32 bytes hold four runs of 32. */
static unsigned quarter(const uint8_t *q, size_t i)
{
    return (unsigned)q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

static void codes_q2_k(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    const float d = half_at(in + 80), m = half_at(in + 82);
    for (size_t s = 0; s < 16; s++) {
        scale[s] = d * (float)(in[s] & 15);
        min[s] = -(m * (float)(in[s] >> 4));
    }
    for (size_t i = 0; i < 256; i++)
        code[i] = (uint8_t)quarter(in + 16, i);
}

static void codes_q3_k(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    const uint8_t *mask = in, *scales = in + 96;
    const float d = half_at(in + 108);
    (void)min;
    for (size_t s = 0; s < 16; s++) {
        const unsigned low = scales[s % 8] >> (s < 8 ? 0 : 4) & 15;
        const unsigned high = scales[8 + s % 4] >> s / 4 * 2 & 3;
        scale[s] = d * (float)((int)(low | high << 4) - 32);
    }
    for (size_t i = 0; i < 256; i++)
        code[i] = (uint8_t)(quarter(in + 32, i) + (mask[i % 32] >> i / 32 & 1 ? 4 : 0));
}

/* Scale and minimum, 6 bits each, of sub-block s of 8. */
static void scale_min(const uint8_t *p, size_t s, unsigned *scale, unsigned *min)
{
    if (s < 4) {
        *scale = p[s] & 63u;
        *min = p[s + 4] & 63u;
    } else {
        *scale = (p[s + 4] & 15u) | (p[s - 4] >> 2 & 0x30u);
        *min = (unsigned)p[s + 4] >> 4 | (p[s] >> 2 & 0x30u);
    }
}

/* Q4_K, and Q5_K with its fifth bits. */
static void codes_k(const uint8_t *in, const uint8_t *fifth, const uint8_t *q, uint8_t *code,
                    float *scale, float *min)
{
    const float d = half_at(in), m = half_at(in + 2);
    for (size_t s = 0; s < 8; s++) {
        unsigned sub_scale, sub_min;
        scale_min(in + 4, s, &sub_scale, &sub_min);
        scale[s] = d * (float)sub_scale;
        min[s] = -(m * (float)sub_min);
        for (size_t i = 0; i < 32; i++) {
            unsigned c = (unsigned)q[s / 2 * 32 + i] >> s % 2 * 4 & 15;
            if (fifth)
                c |= ((unsigned)fifth[i] >> s & 1) << 4;
            code[32 * s + i] = (uint8_t)c;
        }
    }
}

static void codes_q4_k(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    codes_k(in, NULL, in + 16, code, scale, min);
}

static void codes_q5_k(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    codes_k(in, in + 16, in + 48, code, scale, min);
}

static void codes_q6_k(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    const uint8_t *low = in, *high = in + 128, *scales = in + 192;
    const float d = half_at(in + 208);
    (void)min;
    for (size_t s = 0; s < 16; s++)
        scale[s] = d * (float)(int8_t)scales[s];
    for (size_t i = 0; i < 256; i++) {
        const size_t c = i / 128, r = i % 128;
        code[i] = (uint8_t)(((unsigned)low[c * 64 + r % 64] >> r / 64 * 4 & 15) |
                            ((unsigned)high[c * 32 + r % 32] >> r / 32 * 2 & 3) << 4);
    }
}

/* ---- ternary -------------------------------------------------------------------------------- */

/* n bytes, each `digits` digits of base 3 as a fraction of 243: the first digit of all, then the
 * second … */
static float *unpack_ternary(const uint8_t *q, size_t n, size_t digits, float d, float *out)
{
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    for (size_t k = 0; k < digits; k++)
        for (size_t i = 0; i < n; i++)
            *out++ = d * (float)((int)((unsigned)(uint8_t)(q[i] * powers[k]) * 3 >> 8) - 1);
    return out;
}

static void unpack_tq1_0(const uint8_t *in, float *out)
{
    const float d = half_at(in + 52);
    out = unpack_ternary(in, 32, 5, d, out);
    out = unpack_ternary(in + 32, 16, 5, d, out);
    unpack_ternary(in + 48, 4, 4, d, out);
}

static void codes_tq2_0(const uint8_t *in, uint8_t *code, float *scale, float *min)
{
    (void)min;
    *scale = half_at(in + 64);
    for (size_t i = 0; i < 256; i++)
        code[i] = (uint8_t)quarter(in, i);
}

/* ---- codes that name values of a table ------------------------------------------------------ */

static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
/* E2M1, doubled */
static const int8_t fp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void unpack_iq4_nl(const uint8_t *in, float *out)
{
    const float d = half_at(in);
    for (size_t i = 0; i < 32; i++)
        out[i] = d * (float)iq4_values[nibble(in + 2, i)];
}

static void unpack_iq4_xs(const uint8_t *in, float *out)
{
    const float d = half_at(in);
    for (size_t s = 0; s < 8; s++) {
        const unsigned low = in[4 + s / 2] >> s % 2 * 4 & 15, high = load_u16(in + 2) >> 2 * s & 3;
        const float ds = d * (float)((int)(low | high << 4) - 32);
        for (size_t i = 0; i < 32; i++)
            out[32 * s + i] = ds * (float)iq4_values[nibble(in + 8 + 16 * s, i)];
    }
}

/* The scale is a power of two, E8M0, halved since the values are doubled. */
static void unpack_mxfp4(const uint8_t *in, float *out)
{
    const uint32_t bits = in[0] < 2 ? 0x00200000u << in[0] : (uint32_t)(in[0] - 1) << 23;
    float d;
    memcpy(&d, &bits, 4);
    for (size_t i = 0; i < 32; i++)
        out[i] = d * (float)fp4_values[nibble(in + 1, i)];
}

/* Four sub-blocks of 16, each with an unsigned E4M3 scale, halved likewise. */
static void unpack_nvfp4(const uint8_t *in, float *out)
{
    for (size_t s = 0; s < 4; s++) {
        const unsigned exponent = in[s] >> 3 & 15, mantissa = in[s] & 7;
        float d = (float)mantissa * 0x1p-9f;
        if (exponent) {
            const uint32_t bits = (exponent + 120) << 23 | mantissa << 20;
            memcpy(&d, &bits, 4);
        }
        d = in[s] == 0 || in[s] == 0x7F ? 0 : d * 0.5f;
        for (size_t i = 0; i < 16; i++)
            out[16 * s + i] = d * (float)fp4_values[in[4 + 8 * s + i % 8] >> (i < 8 ? 0 : 4) & 15];
    }
}

/* ---- lattices ------------------------------------------------------------------------------- */

/* The eighth sign of a group makes their product positive. */
static unsigned signs_of(unsigned seven)
{
    unsigned parity = seven;
    parity ^= parity >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return seven | (parity & 1) << 7;
}

/* n = 8 or 4 values of a point, from sign `first` on. */
static void put_point(unsigned point, unsigned width, const uint8_t *values, unsigned signs, float d,
                      size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned digit = point >> width * i & ((1u << width) - 1);
        const float sign = signs >> i & 1 ? -1.0f : 1.0f;
        out[i] = d * (float)values[digit] * sign;
    }
}

static const uint8_t iq2_values[4] = {0x08, 0x19, 0x2b, 0};

static void unpack_iq2_xxs(const uint8_t *in, float *out)
{
    const float d = half_at(in);
    for (size_t s = 0; s < 8; s++) {
        const uint8_t *q = in + 2 + 8 * s;
        const uint32_t more = load_u32(q + 4);
        const float ds = d * (0.5f + (float)(more >> 28)) * 0.25f;
        for (size_t k = 0; k < 4; k++)
            put_point(gguf_iq2_xxs[q[k]], 2, iq2_values, signs_of(more >> 7 * k & 127), ds, 8,
                      out + 32 * s + 8 * k);
    }
}

/* Scale of 16 values, of 4 bits, for the types whose sub-blocks have that many. */
static float iq2_scale(float d, const uint8_t *scales, size_t s)
{
    return d * (0.5f + (float)(scales[s / 2] >> s % 2 * 4 & 15)) * 0.25f;
}

static void unpack_iq2_xs(const uint8_t *in, float *out)
{
    const float d = half_at(in);
    for (size_t k = 0; k < 32; k++) {
        const unsigned q = load_u16(in + 2 + 2 * k);
        put_point(gguf_iq2_xs[q & 511], 2, iq2_values, signs_of(q >> 9),
                  iq2_scale(d, in + 66, k / 2), 8, out + 8 * k);
    }
}

static void unpack_iq2_s(const uint8_t *in, float *out)
{
    const uint8_t *q = in + 2, *signs = in + 34, *high = in + 66, *scales = in + 74;
    const float d = half_at(in);
    for (size_t k = 0; k < 32; k++) {
        const unsigned point = q[k] | ((unsigned)high[k / 4] >> k % 4 * 2 & 3) << 8;
        put_point(gguf_iq2_s[point], 2, iq2_values, signs[k], iq2_scale(d, scales, k / 2), 8,
                  out + 8 * k);
    }
}

static void unpack_iq3_xxs(const uint8_t *in, float *out)
{
    static const uint8_t values[8] = {0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3e};
    const float d = half_at(in);
    for (size_t s = 0; s < 8; s++) {
        const uint32_t more = load_u32(in + 66 + 4 * s);
        const float ds = d * (0.5f + (float)(more >> 28)) * 0.5f;
        for (size_t k = 0; k < 8; k++)
            put_point(gguf_iq3_xxs[in[2 + 8 * s + k]], 3, values,
                      signs_of(more >> k / 2 * 7 & 127) >> k % 2 * 4, ds, 4, out + 32 * s + 4 * k);
    }
}

static void unpack_iq3_s(const uint8_t *in, float *out)
{
    static const uint8_t values[8] = {1, 3, 5, 7, 9, 11, 13, 15};
    const uint8_t *q = in + 2, *high = in + 66, *signs = in + 74, *scales = in + 106;
    const float d = half_at(in);
    for (size_t k = 0; k < 64; k++) {
        const size_t s = k / 8;
        const unsigned point = q[k] | ((unsigned)high[s] >> k % 8 & 1) << 8;
        const float ds = d * (float)(1 + 2 * (scales[s / 2] >> s % 2 * 4 & 15));
        put_point(gguf_iq3_s[point], 3, values, (unsigned)signs[k / 2] >> k % 2 * 4, ds, 4,
                  out + 4 * k);
    }
}

/* Points of -1, 0, 1, moved by an eighth up or down. */
static void put_ternary(unsigned point, float d, float delta, float *out)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = d * ((float)((int)(point >> 2 * i & 3) - 1) + delta);
}

static void unpack_iq1_s(const uint8_t *in, float *out)
{
    const float d = half_at(in);
    for (size_t s = 0; s < 8; s++) {
        const unsigned high = load_u16(in + 34 + 2 * s);
        const float ds = d * (float)(2 * (high >> 12 & 7) + 1), delta = high & 0x8000 ? -0.125f : 0.125f;
        for (size_t k = 0; k < 4; k++)
            put_ternary(gguf_iq1[in[2 + 4 * s + k] | (high >> 3 * k & 7) << 8], ds, delta,
                        out + 32 * s + 8 * k);
    }
}

/* The half-precision scale is in the top four bits of each of the four words of scales. */
static void unpack_iq1_m(const uint8_t *in, float *out)
{
    const uint8_t *high = in + 32, *scales = in + 48;
    unsigned bits = 0;
    for (size_t i = 0; i < 4; i++)
        bits |= (unsigned)(load_u16(scales + 2 * i) >> 12) << 4 * i;
    const float d = f16_to_f32((uint16_t)bits);
    for (size_t k = 0; k < 32; k++) {
        const size_t s = k / 2;
        const unsigned more = high[k / 2] >> k % 2 * 4 & 15;
        const float ds = d * (float)(2 * (load_u16(scales + s / 4 * 2) >> s % 4 * 3 & 7) + 1);
        put_ternary(gguf_iq1[in[k] | (more & 7) << 8], ds, more & 8 ? -0.125f : 0.125f, out + 8 * k);
    }
}

/* ---- the table ------------------------------------------------------------------------------ */

const struct gguf_type *gguf_type(uint32_t number)
{
    static const struct gguf_codes q4_0 = {4, 32, 8, false, codes_q4_0},
        q4_1 = {4, 32, 0, true, codes_q4_1},
        q5_0 = {5, 32, 16, false, codes_q5_0},
        q5_1 = {5, 32, 0, true, codes_q5_1},
        q8_0 = {8, 32, 128, false, codes_q8_0},
        q2_k = {2, 16, 0, true, codes_q2_k},
        q3_k = {3, 16, 4, false, codes_q3_k},
        q4_k = {4, 32, 0, true, codes_q4_k},
        q5_k = {5, 32, 0, true, codes_q5_k},
        q6_k = {6, 16, 32, false, codes_q6_k},
        tq2_0 = {2, 256, 1, false, codes_tq2_0};
    static const struct gguf_type types[] = {
        [0] = {"F32", 1, 4, NULL, NULL},
        [1] = {"F16", 1, 2, unpack_f16, NULL},
        [2] = {"Q4_0", 32, 18, NULL, &q4_0},
        [3] = {"Q4_1", 32, 20, NULL, &q4_1},
        [6] = {"Q5_0", 32, 22, NULL, &q5_0},
        [7] = {"Q5_1", 32, 24, NULL, &q5_1},
        [8] = {"Q8_0", 32, 34, NULL, &q8_0},
        [10] = {"Q2_K", 256, 84, NULL, &q2_k},
        [11] = {"Q3_K", 256, 110, NULL, &q3_k},
        [12] = {"Q4_K", 256, 144, NULL, &q4_k},
        [13] = {"Q5_K", 256, 176, NULL, &q5_k},
        [14] = {"Q6_K", 256, 210, NULL, &q6_k},
        [16] = {"IQ2_XXS", 256, 66, unpack_iq2_xxs, NULL},
        [17] = {"IQ2_XS", 256, 74, unpack_iq2_xs, NULL},
        [18] = {"IQ3_XXS", 256, 98, unpack_iq3_xxs, NULL},
        [19] = {"IQ1_S", 256, 50, unpack_iq1_s, NULL},
        [20] = {"IQ4_NL", 32, 18, unpack_iq4_nl, NULL},
        [21] = {"IQ3_S", 256, 110, unpack_iq3_s, NULL},
        [22] = {"IQ2_S", 256, 82, unpack_iq2_s, NULL},
        [23] = {"IQ4_XS", 256, 136, unpack_iq4_xs, NULL},
        [24] = {"I8", 1, 1, NULL, NULL},
        [25] = {"I16", 1, 2, NULL, NULL},
        [26] = {"I32", 1, 4, NULL, NULL},
        [27] = {"I64", 1, 8, NULL, NULL},
        [28] = {"F64", 1, 8, NULL, NULL},
        [29] = {"IQ1_M", 256, 56, unpack_iq1_m, NULL},
        [30] = {"BF16", 1, 2, unpack_bf16, NULL},
        [34] = {"TQ1_0", 256, 54, unpack_tq1_0, NULL},
        [35] = {"TQ2_0", 256, 66, NULL, &tq2_0},
        [39] = {"MXFP4", 32, 17, unpack_mxfp4, NULL},
        [40] = {"NVFP4", 64, 36, unpack_nvfp4, NULL},
    };
    return number < sizeof types / sizeof *types && types[number].name ? &types[number] : NULL;
}

static void unpack_codes(const struct gguf_codes *c, const uint8_t *in, size_t n, float *out)
{
    uint8_t code[256];
    float scale[16], min[16];
    c->unpack(in, code, scale, min);
    for (size_t i = 0; i < n; i++) {
        const size_t g = i / c->group;
        out[i] = c->min ? scale[g] * (float)code[i] + min[g]
                        : scale[g] * (float)((int)code[i] - c->zero);
    }
}

void gguf_unpack(const struct gguf_type *t, const uint8_t *in, size_t n, float *out)
{
    if (!t->unpack && !t->codes) {
        memcpy(out, in, n * t->bytes);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (t->codes)
            unpack_codes(t->codes, in + i * t->bytes, t->block, out + i * t->block);
        else
            t->unpack(in + i * t->bytes, out + i * t->block);
    }
}
