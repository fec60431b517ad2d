/* The AVX-512 kernels without AVX-512, for tests on any machine that has AVX2: SIMDe, and in plain C
 * what its version in Debian 12 lacks. Compile with -mavx2 -mfma, else its fma is not fused. */
#ifndef KICK_KERNEL_SIMDE_H
#define KICK_KERNEL_SIMDE_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#pragma GCC diagnostic pop

#include <string.h>

#include "tensor.h"

/* out[i] = expression of in[i], both arrays of the vectors' lanes. */
#define SHIM(name, to, from, out_type, in_type, lanes, expression)                                 \
    static inline to name(from v)                                                                  \
    {                                                                                              \
        in_type in[lanes];                                                                         \
        out_type out[lanes];                                                                       \
        to result;                                                                                 \
        memcpy(in, &v, sizeof in);                                                                 \
        for (size_t i = 0; i < lanes; i++)                                                         \
            out[i] = expression;                                                                   \
        memcpy(&result, out, sizeof out);                                                          \
        return result;                                                                             \
    }
SHIM(shim_cvtepu16_epi32, __m512i, __m256i, uint32_t, uint16_t, 16, in[i])
SHIM(shim_cvtepi32_epi16, __m256i, __m512i, uint16_t, uint32_t, 16, (uint16_t)in[i])
SHIM(shim_cvtph_ps, __m512, __m256i, float, uint16_t, 16, f16_to_f32(in[i]))
SHIM(shim_cvtepi32_ps, __m512, __m512i, float, int32_t, 16, (float)in[i])
SHIM(shim_cvtepu8_epi32, __m512i, __m128i, uint32_t, uint8_t, 16, in[i])
SHIM(shim_cvtps_epi32, __m512i, __m512, int32_t, float, 16, _mm_cvtss_si32(_mm_set_ss(in[i])))
SHIM(shim_halve_epi32, __m512i, __m512i, int32_t, int32_t, 16, in[i] >> 1)
#undef SHIM

/* Nothing is touched where the mask is 0. */
static inline __m512 shim_mask_loadu_ps(__m512 old, __mmask16 mask, const void *from)
{
    for (size_t i = 0; i < 16; i++)
        if (mask >> i & 1)
            memcpy((char *)&old + 4 * i, (const char *)from + 4 * i, 4);
    return old;
}

static inline void shim_mask_storeu_ps(void *to, __mmask16 mask, __m512 v)
{
    for (size_t i = 0; i < 16; i++)
        if (mask >> i & 1)
            memcpy((char *)to + 4 * i, (const char *)&v + 4 * i, 4);
}

static inline __m256 shim_upper_ps(__m512 v)
{
    __m256 out;
    memcpy(&out, (const char *)&v + sizeof out, sizeof out);
    return out;
}

static inline __m512 shim_permutevar_ps(__m512 v, __m512i places)
{
    float in[16], out[16];
    uint32_t place[16];
    memcpy(in, &v, sizeof in);
    memcpy(place, &places, sizeof place);
    for (size_t i = 0; i < 16; i++)
        out[i] = in[i / 4 * 4 + place[i] % 4];
    memcpy(&v, out, sizeof out);
    return v;
}

/* The lanes that the mask keeps get the numbers of v one after the other. */
#define SHIM(name, type, mask_type, lanes)                                                         \
    static inline __m512i name(__m512i old, mask_type mask, __m512i v)                             \
    {                                                                                              \
        type in[lanes], out[lanes];                                                                \
        size_t used = 0;                                                                           \
        memcpy(in, &v, sizeof in);                                                                 \
        memcpy(out, &old, sizeof out);                                                             \
        for (size_t i = 0; i < lanes; i++)                                                         \
            if (mask >> i & 1)                                                                     \
                out[i] = in[used++];                                                               \
        memcpy(&old, out, sizeof out);                                                             \
        return old;                                                                                \
    }
SHIM(shim_mask_expand_epi32, uint32_t, __mmask16, 16)
SHIM(shim_mask_expand_epi16, uint16_t, __mmask32, 32)
#undef SHIM

#define _mm512_cvtepu16_epi32 shim_cvtepu16_epi32
#define _mm512_cvtepi32_epi16 shim_cvtepi32_epi16
#define _mm512_cvtph_ps shim_cvtph_ps
#define _mm512_cvtepi32_ps shim_cvtepi32_ps
#define _mm512_cvtepu8_epi32 shim_cvtepu8_epi32
#define _mm512_permutevar_ps shim_permutevar_ps
#define _mm512_cvtps_epi32 shim_cvtps_epi32
#undef _mm512_srai_epi32
#define _mm512_srai_epi32(v, n) ((n) == 1 ? shim_halve_epi32(v) : (v)) /* the one shift in use */
#undef _mm512_extractf32x8_ps
#define _mm512_extractf32x8_ps(v, half) shim_upper_ps(v) /* the one half in use */
#define _mm512_mask_loadu_ps shim_mask_loadu_ps
#define _mm512_maskz_loadu_ps(mask, from) shim_mask_loadu_ps(_mm512_setzero_ps(), mask, from)
#define _mm512_mask_storeu_ps shim_mask_storeu_ps
#define _mm512_mask_expand_epi32 shim_mask_expand_epi32
#define _mm512_mask_expand_epi16 shim_mask_expand_epi16

#endif
