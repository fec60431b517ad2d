/* Tensors as they travel: mask {none, bitmap, nm} x values {f32, f16, bf16, int}.
 *
 * The attachment of a tensor record is, in this order: mask (rows x ceil(cols/8) bytes, bit j of a
 * row at byte j/8, bit j%8, 1 = kept), values, and for int: scale (f32, rows x groups), then zero (u8)
 * or min (f32), likewise, then g_idx (i32 a column). Values are those of the kept columns only, row
 * after row. int codes are packed, low bits first, each row starting on a byte. Each part starts at
 * a multiple of 8 bytes; the gaps are zero.
 *   int:  w = scale * (code - zero), or scale * code + min
 * mask nm: a bitmap with exactly min(N, length) bits in each group of M columns of a row (the last
 * group may be shorter), so the place of a value follows from its group; spare places hold zero. */
#ifndef KICK_TENSOR_H
#define KICK_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "stream.h"

enum tensor_values { VALUES_F32, VALUES_F16, VALUES_BF16, VALUES_INT };
enum tensor_mask { MASK_NONE, MASK_BITMAP, MASK_NM };

enum { TENSOR_RANK_MAX = 8 };

struct tensor {
    const char *name;
    int rank;
    size_t shape[TENSOR_RANK_MAX];
    size_t rows, cols; /* cols: the last dimension; rows: the product of the others */

    enum tensor_values values;
    enum tensor_mask mask;
    int n, m;        /* nm: N of every M kept */
    int bits;        /* int: 2..8 */
    size_t group;    /* int: columns per group, 1..cols */
    size_t groups;   /* int: groups per row */
    size_t kept;     /* number of stored values */
    const uint8_t *mask_bits; /* (rows, ceil(cols/8)) */
    const void *data;         /* f32/f16/bf16: kept values; int: packed codes */
    const float *scale;       /* int: (rows, groups) */
    const uint8_t *zero;      /* int: (rows, groups), or NULL */
    const float *min;         /* int: (rows, groups), or NULL */
    const int32_t *g_idx;     /* int: group of each column, or NULL: column / group */
    float threshold;      /* int8 activations (LLM.int8()), but for inputs this large; 0: none */
    size_t *row_start; /* (rows + 1): where a row's values start: elements, or bytes of codes */
    size_t data_bytes;
};

/* Views a record (borrowed: t points into it) as a tensor; everything is checked. */
int tensor_parse(struct tensor *t, const struct stream_record *record, struct error *e);
/* Frees what tensor_parse() or the makers below allocated; not t's borrowed data. */
void tensor_free(struct tensor *t);

/* One row as f32, cols numbers, pruned ones 0. */
void tensor_row(const struct tensor *t, size_t row, float *out);

/* The same of masked 16-bit values, as they are stored. */
void tensor_row_halves(const struct tensor *t, size_t row, uint16_t *out);

/* One row of an int tensor as codes, one byte a column; keep: 1 where kept, 0 (and code 0) where
 * pruned. */
void tensor_row_codes(const struct tensor *t, size_t row, uint8_t *codes, uint8_t *keep);

/* The group of a column of an int tensor. */
static inline size_t tensor_group(const struct tensor *t, size_t col)
{
    return t->g_idx ? (size_t)t->g_idx[col] : col / t->group;
}

/* False where the mask leaves a weight out. */
bool tensor_kept(const struct tensor *t, size_t row, size_t col);

/* Bytes of the attachment, and per weight in bits. */
size_t tensor_bytes(const struct tensor *t);
double tensor_bits_per_weight(const struct tensor *t);
/* Number of weights that are zero. */
int tensor_zeros(const struct tensor *t, size_t *zeros, struct error *e);

/* Writes t as a record; extra (borrowed, may be NULL) holds further keys. */
int tensor_write(const struct tensor *t, json_t *extra, struct stream_writer *w, struct error *e);

/* Encodings: "auto" (the smallest), or "none", "bitmap", "nm" to force a mask. */
enum tensor_encoding { ENCODING_AUTO, ENCODING_NONE, ENCODING_BITMAP, ENCODING_NM };
/* text: auto, none, bitmap or nm. */
enum tensor_encoding tensor_encoding_of(const char *text);

/* A tensor with values f32/f16/bf16 from dense data of that type, (rows, cols), to be kept where
 * keep says so (NULL: where the bits are not +0). Owns its buffers: struct tensor_store frees them. n, m:
 * the N:M pattern to try for ENCODING_AUTO/NM (0: try 1:2, 2:4, 4:8). */
struct tensor_store {
    struct tensor tensor;
    void *memory[6];
};
int tensor_encode(struct tensor_store *s, const struct tensor *like, enum tensor_values values,
                  const void *dense, enum tensor_encoding encoding, int n, int m, struct error *e);
/* An int tensor from codes (one byte each, (rows, cols)), scale and zero (rows, groups), which are
 * borrowed as is the mask of `like`: what is pruned stays pruned. */
int tensor_encode_int(struct tensor_store *s, const struct tensor *like, int bits, size_t group,
                      const uint8_t *codes, const float *scale, const uint8_t *zero,
                      struct error *e);
void tensor_store_free(struct tensor_store *s);

/* Dense copy of a float tensor in its own type (f32, f16, bf16), malloc'ed; int becomes f32. */
void *tensor_dense(const struct tensor *t, enum tensor_values *values, struct error *e);

size_t values_size(enum tensor_values v);         /* bytes of a float type */
const char *values_name(enum tensor_values v);    /* "f32", "f16", "bf16", "int" */

/* Conversions; to the narrower types round to nearest even. */
float f16_to_f32(uint16_t h);
float bf16_to_f32(uint16_t h);
uint16_t f32_to_f16(float x);
uint16_t f32_to_bf16(float x);
void values_to_f32(enum tensor_values v, const void *in, size_t n, float *out);
void values_from_f32(enum tensor_values v, const float *in, size_t n, void *out);

#endif
