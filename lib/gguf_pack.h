/* Numbers into GGUF's plain and 32-value block types: the way back of gguf_quants. Floats are
 * quantized by the arithmetic of gguf-py, so the bytes are equal; codes that are there already keep
 * their values, only their scale and minimum become half precision. */
#ifndef KICK_GGUF_PACK_H
#define KICK_GGUF_PACK_H

#include <stddef.h>
#include <stdint.h>

enum { GGUF_BLOCK = 32 };

/* The types that are written, by their numbers in the file format. */
enum {
    GGUF_TYPE_F32 = 0,
    GGUF_TYPE_F16 = 1,
    GGUF_TYPE_Q4_0 = 2,
    GGUF_TYPE_Q4_1 = 3,
    GGUF_TYPE_Q5_0 = 6,
    GGUF_TYPE_Q5_1 = 7,
    GGUF_TYPE_Q8_0 = 8,
    GGUF_TYPE_BF16 = 30,
};

/* n finite floats, whole blocks of `type`. */
void gguf_pack(uint32_t type, const float *x, size_t n, uint8_t *out);

/* One block of codes as the type stores them: Q4_0, Q4_1 0 to 15; Q5_0, Q5_1 0 to 31; Q8_0 -128 to
 * 127. min: of Q4_1 and Q5_1. */
void gguf_pack_codes(uint32_t type, float scale, float min, const int *code, uint8_t *out);

#endif
