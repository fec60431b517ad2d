/* Unpacking quantized checkpoints. */
#include "packed.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"
#include "window.h"

enum { BLOCK = 64 };

static const char *const part_names[][PARTS] = {
    [PACKING_GPTQ] = {"qweight", "scales", "qzeros", "g_idx", NULL},
    [PACKING_AWQ] = {"qweight", "scales", "qzeros", NULL, NULL},
    [PACKING_COMPRESSED] = {"weight_packed", "weight_scale", "weight_zero_point", "weight_g_idx",
                            "weight_shape"},
};

const char *packed_part_name(enum packing packing, enum packed_part part)
{
    return packing == PACKING_NONE ? NULL : part_names[packing][part];
}

/* ---- quantization_config -------------------------------------------------------------------- */

static int get_group(const json_t *q, const char *key, size_t *out, struct error *e)
{
    int64_t n = 0;
    if (json_get_integer_or(q, key, -1, 1 << 24, -1, &n, e))
        return -1;
    *out = n > 0 ? (size_t)n : 0;
    return 0;
}

/* compressed-tensors: one group of settings, for the weights of linear layers alone. */
static int parse_compressed(struct packed_scheme *s, const json_t *q, struct error *e)
{
    const json_t *groups = json_object_get(q, "config_groups"), *only = NULL, *group;
    const char *format = json_get_string_or(q, "format", "?"), *key;
    int64_t bits = 0;
    bool symmetric = true;
    if (strcmp(format, "pack-quantized"))
        return error_set(e, "compressed-tensors format '%.40s' is not read (pack-quantized)", format);
    json_object_foreach((json_t *)(uintptr_t)groups, key, group)
        only = group;
    const json_t *w = json_object_get(only, "weights"), *in = json_object_get(only, "input_activations");
    if (json_object_size(groups) != 1 || !json_is_object(w))
        return error_set(e, "compressed-tensors: config_groups is not one group with weights");
    if (in && !json_is_null(in))
        return error_set(e, "compressed-tensors: quantized activations are not computed here");
    if (strcmp(json_get_string_or(w, "type", "int"), "int"))
        return error_set(e, "compressed-tensors: weights of type '%.20s' are not read (int)",
                         json_get_string_or(w, "type", "int"));
    if (json_get_integer(w, "num_bits", 2, 8, &bits, e) || get_group(w, "group_size", &s->group, e) ||
        json_get_bool_or(w, "symmetric", true, &symmetric, e))
        return -1;
    s->packing = PACKING_COMPRESSED;
    s->bits = (int)bits;
    s->zeros = !symmetric;
    return 0;
}

int packed_scheme_parse(struct packed_scheme *s, const json_t *config, struct error *e)
{
    const json_t *q = json_object_get(config, "quantization_config");
    int64_t bits = 0;
    *s = (struct packed_scheme){0};
    if (!q || json_is_null(q))
        return 0;
    const char *method = json_get_string_or(q, "quant_method", "?");
    if (!strcmp(method, "compressed-tensors"))
        return parse_compressed(s, q, e) ? error_prefix(e, "quantization_config") : 0;
    if (!strcmp(method, "gptq")) {
        const char *format = json_get_string_or(q, "checkpoint_format", "gptq");
        if (strcmp(format, "gptq") && strcmp(format, "gptq_v2"))
            return error_set(e, "quantization_config: checkpoint_format '%.40s' of GPTQ is not read "
                                "(gptq, gptq_v2)", format);
        s->packing = PACKING_GPTQ;
        s->less_one = !strcmp(format, "gptq");
    } else if (!strcmp(method, "awq")) {
        const char *version = json_get_string_or(q, "version", "gemm");
        if (strcmp(version, "gemm") && strcmp(version, "GEMM"))
            return error_set(e, "quantization_config: version '%.40s' of AWQ is not read (gemm)",
                             version);
        s->packing = PACKING_AWQ;
    } else {
        return error_set(e, "quantization_config: quant_method '%.40s' is not read (gptq, awq, "
                            "compressed-tensors)", method);
    }
    s->zeros = true;
    if (json_get_integer(q, json_object_get(q, "bits") ? "bits" : "w_bit", 2, 8, &bits, e) ||
        get_group(q, json_object_get(q, "group_size") ? "group_size" : "q_group_size", &s->group, e))
        return error_prefix(e, "quantization_config");
    s->bits = (int)bits;
    if (s->packing == PACKING_AWQ ? bits != 4 : bits != 2 && bits != 3 && bits != 4 && bits != 8)
        return error_set(e, "quantization_config: %d bits of %s are not read", s->bits, method);
    return 0;
}

/* ---- codes ---------------------------------------------------------------------------------- */

int packed_new(struct packed *p, size_t rows, size_t cols, size_t group, int bits, bool zeros,
               struct error *e)
{
    size_t n;
    *p = (struct packed){.rows = rows, .cols = cols, .bits = bits};
    p->group = group == 0 || group > cols ? cols : group;
    p->groups = cols ? (cols + p->group - 1) / p->group : 0;
    if (!size_multiply(rows, cols, &n) || !size_multiply(rows, p->groups, &n))
        return error_set(e, "its sizes are too large");
    p->codes = memory_new(rows, cols, "codes", e);
    p->scale = memory_new(n, sizeof *p->scale, "scales", e);
    if (zeros)
        p->zero = memory_new(n, 1, "zeros", e);
    else
        p->min = memory_new(n, sizeof *p->min, "minima", e);
    if (!p->codes || !p->scale || (zeros ? !p->zero : !p->min)) {
        packed_free(p);
        return -1;
    }
    return 0;
}

void packed_free(struct packed *p)
{
    free(p->codes);
    free(p->scale);
    free(p->zero);
    free(p->min);
    free(p->g_idx);
    *p = (struct packed){0};
}

/* Codes in a word, or in three of them for 3 bits, where a code may lie across two. */
static size_t words(size_t n, int bits)
{
    return (n * (size_t)bits + 31) / 32;
}

int packed_shape(const struct packed_scheme *s, int rank, const size_t *shape, size_t *rows,
                 size_t *cols, struct error *e)
{
    if (rank != 2 || shape[0] > 1 << 28 || shape[1] > 1 << 28)
        return error_set(e, "its codes are not a matrix");
    const size_t bits = (size_t)s->bits;
    switch (s->packing) {
    case PACKING_GPTQ: /* (words of columns, rows) */
        *rows = shape[1];
        *cols = shape[0] * 32 / bits;
        return shape[0] * 32 % bits ? error_set(e, "its codes are not whole words") : 0;
    case PACKING_AWQ: /* (columns, words of rows) */
        *rows = shape[1] * 8;
        *cols = shape[0];
        return 0;
    default: /* (rows, words of columns) */
        *rows = shape[0];
        *cols = shape[1] * (32 / bits);
        return 0;
    }
}

/* Code i of a run of words that lie `stride` words apart. */
static unsigned code_at(const unsigned char *p, size_t stride, size_t i, int bits)
{
    const size_t bit = i * (size_t)bits, word = bit / 32, shift = bit % 32;
    uint64_t v = load_u32(p + 4 * word * stride);
    if (shift + (size_t)bits > 32)
        v |= (uint64_t)load_u32(p + 4 * (word + 1) * stride) << 32;
    return (unsigned)(v >> shift) & ((1u << bits) - 1);
}

/* compressed-tensors leaves the rest of a word unused where codes do not fill it. */
static unsigned whole_code_at(const unsigned char *p, size_t stride, size_t i, int bits)
{
    const size_t each = 32 / (size_t)bits;
    return load_u32(p + 4 * (i / each) * stride) >> i % each * (size_t)bits & ((1u << bits) - 1);
}

/* The place of column i of eight in an AWQ word. */
static const unsigned char awq_place[8] = {0, 4, 1, 5, 2, 6, 3, 7};

static unsigned awq_at(const unsigned char *row, size_t i)
{
    return load_u32(row + 4 * (i / 8)) >> 4 * awq_place[i % 8] & 15;
}

static unsigned weight_at(const struct packed_scheme *s, const unsigned char *codes, size_t rows,
                          size_t cols, size_t r, size_t c)
{
    if (s->packing == PACKING_GPTQ)
        return code_at(codes + 4 * r, rows, c, s->bits);
    if (s->packing == PACKING_AWQ)
        return awq_at(codes + c * (rows / 8) * 4, r);
    const size_t each = 32 / (size_t)s->bits, row = (cols + each - 1) / each;
    return whole_code_at(codes + 4 * r * row, 1, c, s->bits);
}

/* Bytes that each part must have. */
static int check_parts(const struct packed_scheme *s, const struct packed_parts *f,
                       const struct packed *p, struct error *e)
{
    size_t codes = 0, zeros = 0;
    const size_t each = 32 / (size_t)s->bits;
    switch (s->packing) {
    case PACKING_GPTQ:
        codes = words(p->cols, s->bits) * p->rows;
        zeros = words(p->rows, s->bits) * p->groups;
        break;
    case PACKING_AWQ:
        codes = p->cols * (p->rows / 8);
        zeros = p->groups * (p->rows / 8);
        break;
    default:
        codes = p->rows * ((p->cols + each - 1) / each);
        zeros = (p->rows + each - 1) / each * p->groups;
    }
    if (f->codes_bytes != 4 * codes || f->scales_count != p->rows * p->groups ||
        (s->zeros && (!f->zeros || f->zeros_bytes != 4 * zeros)) ||
        (f->order && f->order_bytes != 4 * p->cols))
        return error_set(e, "its codes, scales and zeros do not fit each other");
    return 0;
}

/* Groups of columns, where they are not simply in order. */
static int read_order(const unsigned char *order, struct packed *p, struct error *e)
{
    bool plain = true;
    if (!(p->g_idx = memory_new(p->cols, sizeof *p->g_idx, "groups", e)))
        return -1;
    for (size_t i = 0; i < p->cols; i++) {
        const uint32_t g = load_u32(order + 4 * i);
        if (g >= p->groups)
            return error_set(e, "its g_idx names group %u of %zu", g, p->groups);
        p->g_idx[i] = (int32_t)g;
        plain &= g == i / p->group;
    }
    if (plain) {
        free(p->g_idx);
        p->g_idx = NULL;
    }
    return 0;
}

int packed_unpack(const struct packed_scheme *s, const struct packed_parts *f, struct packed *p,
                  struct error *e)
{
    const unsigned top = (1u << s->bits) - 1;
    const size_t rows = p->rows, cols = p->cols, groups = p->groups;
    if (check_parts(s, f, p, e) || (f->order && read_order(f->order, p, e)))
        return -1;
    /* Blocks of rows, since GPTQ and AWQ keep those of a column together. */
    for (size_t first = 0; first < rows; first += BLOCK) {
        const size_t end = first + BLOCK < rows ? first + BLOCK : rows;
        for (size_t c = 0; c < cols; c++)
            for (size_t r = first; r < end; r++)
                p->codes[r * cols + c] = (uint8_t)weight_at(s, f->codes, rows, cols, r, c);
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t g = 0; g < groups; g++) {
            unsigned zero = 1u << (s->bits - 1);
            float scale = f->scales[g * rows + r];
            switch (s->packing) {
            case PACKING_GPTQ:
                zero = code_at(f->zeros + g * words(rows, s->bits) * 4, 1, r, s->bits);
                zero = s->less_one ? (zero + 1) & top : zero;
                break;
            case PACKING_AWQ:
                zero = awq_at(f->zeros + g * (rows / 8) * 4, r);
                break;
            default:
                scale = f->scales[r * groups + g];
                if (s->zeros)
                    zero = whole_code_at(f->zeros + 4 * g, groups, r, s->bits);
            }
            p->scale[r * groups + g] = scale;
            p->zero[r * groups + g] = (uint8_t)zero;
        }
    }
    return 0;
}

/* ---- packing -------------------------------------------------------------------------------- */

static void put_bits(unsigned char *word, uint32_t bits)
{
    for (int i = 0; i < 4; i++)
        word[i] |= (unsigned char)(bits >> 8 * i);
}

/* The inverse of code_at(). */
static void put_code(unsigned char *p, size_t stride, size_t i, int bits, unsigned code)
{
    const size_t bit = i * (size_t)bits, word = bit / 32, shift = bit % 32;
    put_bits(p + 4 * word * stride, (uint32_t)code << shift);
    if (shift + (size_t)bits > 32)
        put_bits(p + 4 * (word + 1) * stride, (uint32_t)code >> (32 - shift));
}

bool packed_gptq_fits(size_t rows, size_t cols, int bits)
{
    return rows * (size_t)bits % 32 == 0 && cols * (size_t)bits % 32 == 0;
}

void packed_gptq_codes(const uint8_t *codes, size_t rows, size_t cols, int bits,
                       unsigned char *words)
{
    for (size_t first = 0; first < rows; first += BLOCK) {
        const size_t end = first + BLOCK < rows ? first + BLOCK : rows;
        for (size_t c = 0; c < cols; c++)
            for (size_t r = first; r < end; r++)
                put_code(words + 4 * r, rows, c, bits, codes[r * cols + c]);
    }
}

void packed_gptq_zeros(const uint8_t *zero, size_t rows, size_t groups, int bits, bool less_one,
                       unsigned char *out)
{
    const unsigned top = (1u << bits) - 1;
    for (size_t g = 0; g < groups; g++)
        for (size_t r = 0; r < rows; r++)
            put_code(out + 4 * g * words(rows, bits), 1, r, bits,
                     (zero[r * groups + g] - (less_one ? 1u : 0u)) & top);
}

void packed_row(const struct packed *p, size_t row, float *out)
{
    const uint8_t *code = p->codes + row * p->cols;
    const float *scale = p->scale + row * p->groups;
    for (size_t c = 0; c < p->cols; c++) {
        const size_t g = p->g_idx ? (size_t)p->g_idx[c] : c / p->group, at = row * p->groups + g;
        out[c] = p->zero ? scale[g] * (float)((int)code[c] - (int)p->zero[at])
                         : scale[g] * (float)code[c] + p->min[at];
    }
}
