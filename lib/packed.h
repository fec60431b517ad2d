/* Quantized matrices as Hugging Face checkpoints hold them: several tensors that make up one weight.
 *   GPTQ   qweight (codes down the columns in 32-bit words), qzeros, scales, g_idx; 2, 3, 4, 8 bits;
 *          the first version stores zeros less 1
 *   AWQ    qweight, qzeros, scales: 4 bits, eight codes of a word in the order 0 2 4 6 1 3 5 7
 *   compressed-tensors, pack-quantized   weight_packed (codes along rows), weight_scale,
 *          weight_zero_point, weight_g_idx, weight_shape
 * Each becomes codes, scales and zeros of an `int` tensor, without a detour through floats:
 * w = scale * (code - zero). Sources: the packing code of AutoGPTQ, AutoAWQ and compressed-tensors. */
#ifndef KICK_PACKED_H
#define KICK_PACKED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum packing { PACKING_NONE, PACKING_GPTQ, PACKING_AWQ, PACKING_COMPRESSED };

/* What a config's quantization_config says. */
struct packed_scheme {
    enum packing packing;
    int bits;
    size_t group; /* 0: one group a row */
    bool less_one, zeros;
};

/* A missing quantization_config gives PACKING_NONE; an unknown one is an error that names it. */
int packed_scheme_parse(struct packed_scheme *s, const json_t *config, struct error *e);

/* The parts of a weight's name: "qweight" and its like; NULL where a scheme has no such part. */
enum packed_part { PART_CODES, PART_SCALES, PART_ZEROS, PART_ORDER, PART_SHAPE, PARTS };
const char *packed_part_name(enum packing packing, enum packed_part part);

/* Codes of a matrix (rows, cols), and what they stand for. */
struct packed {
    size_t rows, cols, group, groups;
    int bits;
    uint8_t *codes;  /* (rows, cols) */
    float *scale;    /* (rows, groups) */
    uint8_t *zero;   /* (rows, groups), or NULL: then */
    float *min;      /* (rows, groups): w = scale * code + min */
    int32_t *g_idx;  /* (cols), or NULL: column / group */
};
int packed_new(struct packed *p, size_t rows, size_t cols, size_t group, int bits, bool zeros,
               struct error *e);
void packed_free(struct packed *p);

/* Shape of the weight whose codes have this shape. */
int packed_shape(const struct packed_scheme *s, int rank, const size_t *shape, size_t *rows,
                 size_t *cols, struct error *e);

/* The bytes of the parts; those of the codes are words of 32 bits, little-endian, zeros and order
 * may be NULL. scales: already f32, in their own order. */
struct packed_parts {
    const unsigned char *codes, *zeros, *order;
    const float *scales;
    size_t codes_bytes, zeros_bytes, order_bytes, scales_count;
};
/* Fills p, made by packed_new(). */
int packed_unpack(const struct packed_scheme *s, const struct packed_parts *from, struct packed *p,
                  struct error *e);

/* The other way, for GPTQ: words of codes (words of columns, rows), made of a matrix's codes; and of
 * zeros, (groups, words of rows), less one where less_one says so. packed_gptq_fits(): both are whole
 * words. They are zeroed before. */
bool packed_gptq_fits(size_t rows, size_t cols, int bits);
void packed_gptq_codes(const uint8_t *codes, size_t rows, size_t cols, int bits,
                       unsigned char *words);
void packed_gptq_zeros(const uint8_t *zero, size_t rows, size_t groups, int bits, bool less_one,
                       unsigned char *words);

/* Row `row` as floats. */
void packed_row(const struct packed *p, size_t row, float *out);

#endif
