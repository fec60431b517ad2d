/* The block types of GGUF tensors: sizes, and blocks into f32. The arithmetic is that of gguf-py, in
 * its order and in single precision, so the results are equal bit for bit. */
#ifndef KICK_GGUF_QUANTS_H
#define KICK_GGUF_QUANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Blocks of codes: w = scale * (code - zero), or scale * code + min, in groups. */
struct gguf_codes {
    int bits;
    size_t group;
    uint8_t zero;
    bool min;
    /* One block: its codes, and the scales and minima of its groups. */
    void (*unpack)(const uint8_t *in, uint8_t *code, float *scale, float *min);
};

struct gguf_type {
    const char *name;
    size_t block, bytes; /* values in a block; bytes of one */
    /* One block into `block` floats; NULL for codes, and for F32 and integers. */
    void (*unpack)(const uint8_t *in, float *out);
    const struct gguf_codes *codes; /* NULL: it has none, or none in even steps */
};

/* A type of the file format by its number, or NULL where it is not known. */
const struct gguf_type *gguf_type(uint32_t number);

/* n blocks of any type but integers. */
void gguf_unpack(const struct gguf_type *t, const uint8_t *in, size_t n, float *out);

#endif
