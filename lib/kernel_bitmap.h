/* Weights made of a mask and what it keeps, eight at a time by shuffles: for the kernels of AVX2, and of
 * AVX-512 beside its own way. */
#ifndef KICK_KERNEL_BITMAP_H
#define KICK_KERNEL_BITMAP_H

#include "kernel_compact.h"

#ifdef __AVX2__
#ifndef KICK_SIMDE
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

enum { AHEAD = 4096 }; /* values: 8 KiB */

/* Into the second-level cache, two lines a column, of which half of the weights take one: one stream
 * alone does not fill the queue of reads (50 % from memory: 0.88 of a dense product without, 1.2 with). */
INLINE void prefetch(const uint16_t *value)
{
    __builtin_prefetch(value + AHEAD, 0, 2);
    __builtin_prefetch(value + AHEAD + 32, 0, 2);
}

/* Into a register of its own, which compilers avoid for the sake of processors where that waits. */
INLINE size_t count(uint64_t bits)
{
    size_t n;
    __asm__("popcnt %1, %0" : "=r"(n) : "r"(bits));
    return n;
}

/* Eight outputs of a column. */
INLINE __m256 kept(const enum panel_type type, const uint16_t *values, size_t place)
{
    const __m256i eight = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)values));
    const __m256i places = _mm256_load_si256((const void *)((const uint8_t *)bitmap_places + place));
    const __m256i w = _mm256_shuffle_epi8(eight, places);
    if (type == PANEL_BF16)
        return _mm256_castsi256_ps(w);
    const __m256i low = _mm256_srli_epi32(w, 16), both = _mm256_packus_epi32(low, low);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(both, 0x08)));
}

/* Byte h of the mask times 32, the size of its places. */
INLINE size_t place_of(uint64_t mask, size_t h)
{
    const size_t turn = (8 * h - 5) % 64;
    return (mask >> turn | mask << (64 - turn)) & 0xff * sizeof *bitmap_places;
}

#endif
#endif
