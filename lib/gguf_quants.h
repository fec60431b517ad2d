/* The block types of GGUF tensors: sizes, and blocks into f32. The arithmetic is that of gguf-py, in
 * its order and in single precision, so the results are equal bit for bit. */
#ifndef KICK_GGUF_QUANTS_H
#define KICK_GGUF_QUANTS_H

#include <stddef.h>
#include <stdint.h>

struct gguf_type {
    const char *name;
    size_t block, bytes; /* values in a block; bytes of one */
    /* One block into `block` floats; NULL for the types that need no unpacking (F32, integers). */
    void (*unpack)(const uint8_t *in, float *out);
};

/* A type of the file format by its number, or NULL where it is not known. */
const struct gguf_type *gguf_type(uint32_t number);

/* n blocks. */
void gguf_unpack(const struct gguf_type *t, const uint8_t *in, size_t n, float *out);

#endif
