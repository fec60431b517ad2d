/* Tensors: parsing and writing records, encodings, conversions. */
#include "tensor.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

static const char *const names[] = {"f32", "f16", "bf16", "int"};
static const char *const mask_names[] = {"none", "bitmap", "nm"};

size_t values_size(enum tensor_values v)
{
    return v == VALUES_F32 ? 4 : v == VALUES_INT ? 1 : 2;
}

const char *values_name(enum tensor_values v)
{
    return names[v];
}

/* ---- number formats ----------------------------------------------------------------------------- */

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}

float bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
    if (exponent == 31)
        return float_of(sign | 0x7F800000 | mantissa << 13);
    if (exponent)
        return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    float x = (float)mantissa * 0x1p-24f;
    return sign ? -x : x;
}

uint16_t f32_to_bf16(float x)
{
    uint32_t u = bits_of(x);
    if ((u & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

uint16_t f32_to_f16(float x)
{
    uint32_t u = bits_of(x), sign = u >> 16 & 0x8000, a = u & 0x7FFFFFFF;
    if (a > 0x7F800000)
        return (uint16_t)(sign | 0x7E00 | (a >> 13 & 0x1FF));
    if (a >= 0x477FF000) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7C00);
    if (a < 0x38800000) { /* subnormal: adding 0.5 leaves the rounded mantissa in the low bits */
        float m = float_of(a) + 0.5f;
        return (uint16_t)(sign | (bits_of(m) - 0x3F000000));
    }
    a += 0xC8000FFF + (a >> 13 & 1);
    return (uint16_t)(sign | a >> 13);
}

void values_to_f32(enum tensor_values v, const void *in, size_t n, float *out)
{
    const unsigned char *p = in;
    if (v == VALUES_F32) {
        memcpy(out, in, 4 * n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, 2);
        out[i] = v == VALUES_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
    }
}

void values_from_f32(enum tensor_values v, const float *in, size_t n, void *out)
{
    unsigned char *p = out;
    if (v == VALUES_F32) {
        memcpy(out, in, 4 * n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t h = v == VALUES_BF16 ? f32_to_bf16(in[i]) : f32_to_f16(in[i]);
        memcpy(p + 2 * i, &h, 2);
    }
}

/* ---- layout ---------------------------------------------------------------------------------- */

static size_t align8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static size_t mask_row_bytes(const struct tensor *t)
{
    return (t->cols + 7) / 8;
}

static size_t popcount(const uint8_t *p, size_t n)
{
    size_t k = 0;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        k += (size_t)__builtin_popcountll(x);
    }
    while (n--)
        k += (size_t)__builtin_popcount(*p++);
    return k;
}

/* Fills kept, row_start and data_bytes from the mask. */
static int measure(struct tensor *t, struct error *e)
{
    size_t width = t->values == VALUES_INT ? 0 : values_size(t->values);
    if (t->mask == MASK_NONE) {
        size_t row = t->values == VALUES_INT ? (t->cols * (size_t)t->bits + 7) / 8 : t->cols * width;
        t->kept = t->rows * t->cols;
        t->data_bytes = t->rows * row;
        return 0;
    }
    t->row_start = memory_new(t->rows + 1, sizeof *t->row_start, "a tensor's rows", e);
    if (!t->row_start)
        return -1;
    t->kept = 0;
    for (size_t r = 0; r < t->rows; r++) {
        size_t k = popcount(t->mask_bits + r * mask_row_bytes(t), mask_row_bytes(t));
        t->kept += k;
        t->row_start[r + 1] =
            t->row_start[r] + (t->values == VALUES_INT ? (k * (size_t)t->bits + 7) / 8 : k);
    }
    t->data_bytes = t->row_start[t->rows] * (width ? width : 1);
    return 0;
}

static size_t row_offset(const struct tensor *t, size_t row)
{
    if (t->row_start)
        return t->row_start[row];
    return row * (t->values == VALUES_INT ? (t->cols * (size_t)t->bits + 7) / 8 : t->cols);
}

size_t tensor_bytes(const struct tensor *t)
{
    size_t n = t->data_bytes;
    if (t->mask != MASK_NONE)
        n += t->rows * mask_row_bytes(t);
    if (t->values == VALUES_INT) {
        n += t->rows * t->groups * (4 + (t->min ? 4u : 1u));
        if (t->g_idx)
            n += 4 * t->cols;
    }
    return n;
}

double tensor_bits_per_weight(const struct tensor *t)
{
    size_t n = t->rows * t->cols;
    return n ? 8.0 * (double)tensor_bytes(t) / (double)n : 0;
}

/* ---- parsing ---------------------------------------------------------------------------------- */

static int name_index(const json_t *json, const char *key, const char *const *list, int n,
                      int missing, struct error *e)
{
    const char *s = json_get_string_or(json, key, NULL);
    if (!s && !json_object_get(json, key) && missing >= 0)
        return missing;
    for (int i = 0; s && i < n; i++)
        if (!strcmp(s, list[i]))
            return i;
    return error_set(e, "\"%s\" is '%.40s', which this version does not know", key, s ? s : "");
}

static int parse_shape(struct tensor *t, const json_t *shape, struct error *e)
{
    size_t n = 1;
    if (!json_is_array(shape) || json_array_size(shape) < 1 ||
        json_array_size(shape) > TENSOR_RANK_MAX)
        return error_set(e, "\"shape\" is not a list of 1 to %d sizes", TENSOR_RANK_MAX);
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++) {
        const json_t *v = json_array_get(shape, (size_t)i);
        if (!json_is_integer(v) || json_integer_value(v) < 1 ||
            !size_multiply(n, (size_t)json_integer_value(v), &n) || n > (size_t)1 << 46)
            return error_set(e, "\"shape\" holds no possible size");
        t->shape[i] = (size_t)json_integer_value(v);
    }
    t->cols = t->shape[t->rank - 1];
    t->rows = n / t->cols;
    return 0;
}

/* Takes the next part of n bytes from the attachment; it begins at a multiple of 8. */
static const unsigned char *take(const struct stream_record *record, size_t *at, size_t n,
                                 struct error *e)
{
    size_t begin = align8(*at);
    if (begin > record->bytes || n > record->bytes - begin) {
        error_set(e, "its %zu bytes are too few for its shape", record->bytes);
        return NULL;
    }
    for (size_t i = *at; i < begin; i++)
        if (record->data[i]) {
            error_set(e, "the gap at its byte %zu is not zero", i);
            return NULL;
        }
    *at = begin + n;
    return record->data + begin;
}

/* Bits 64 i … 64 i + 63 of a mask row of `bytes` bytes; those beyond it are 0. */
static uint64_t mask_word(const uint8_t *row, size_t bytes, size_t i)
{
    uint64_t x = 0;
    if (bytes >= 8 * i + 8)
        memcpy(&x, row + 8 * i, 8);
    else
        memcpy(&x, row + 8 * i, bytes - 8 * i);
    return x;
}

/* The first column from c on whose group may not have exactly n bits: passes over whole words of the
 * usual m by counting in all groups at once. */
static size_t skip_nm(const uint8_t *row, size_t cols, size_t c, int n, int m)
{
    uint64_t ones = m == 4 ? 0x1111111111111111u : 0x0101010101010101u;
    if ((m != 4 && m != 8) || c % 64)
        return c;
    for (; c + 64 <= cols; c += 64) {
        uint64_t x = mask_word(row, (cols + 7) / 8, c / 64);
        x = (x & 0x5555555555555555u) + (x >> 1 & 0x5555555555555555u);
        x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
        if (m == 8)
            x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
        if (x != ones * (uint64_t)n)
            break;
    }
    return c;
}

static int check_mask(const struct tensor *t, struct error *e)
{
    size_t bytes = mask_row_bytes(t);
    for (size_t r = 0; r < t->rows; r++) {
        const uint8_t *row = t->mask_bits + r * bytes;
        if (t->cols % 8 && row[bytes - 1] >> t->cols % 8)
            return error_set(e, "its mask has bits beyond the last column, in row %zu", r);
        if (t->mask != MASK_NM)
            continue;
        for (size_t c = 0; c < t->cols; c += (size_t)t->m) {
            c = skip_nm(row, t->cols, c, t->n, t->m);
            if (c == t->cols)
                break;
            size_t length = t->cols - c < (size_t)t->m ? t->cols - c : (size_t)t->m, k = 0;
            for (size_t j = c; j < c + length; j++)
                k += row[j / 8] >> j % 8 & 1;
            if (k != (length < (size_t)t->n ? length : (size_t)t->n))
                return error_set(e, "its mask is not %d:%d in row %zu", t->n, t->m, r);
        }
    }
    return 0;
}

static int parse_int(struct tensor *t, const json_t *json, struct error *e)
{
    int64_t bits, group;
    if (json_get_integer(json, "bits", 2, 8, &bits, e) ||
        json_get_integer(json, "group", 0, INT64_MAX, &group, e))
        return -1;
    t->bits = (int)bits;
    t->group = group == 0 || (size_t)group > t->cols ? t->cols : (size_t)group;
    t->groups = (t->cols + t->group - 1) / t->group;
    const char *activation = json_get_string_or(json, "activation", NULL);
    if (!activation)
        return 0;
    double threshold;
    if (strcmp(activation, "int8") || json_get_real_or(json, "threshold", 6, &threshold, e) ||
        !(threshold > 0 && threshold < 1e30))
        return error_set(e, "its \"activation\" is none that this version knows");
    t->threshold = (float)threshold;
    if (t->bits != 8 || t->groups != 1 || t->mask != MASK_NONE)
        return error_set(e, "int8 activations need 8 bits, one scale a row and no mask");
    return 0;
}

static int parse_parts(struct tensor *t, const struct stream_record *record, struct error *e)
{
    size_t at = 0;
    bool has_min, has_g_idx;
    if (t->mask != MASK_NONE) {
        t->mask_bits = take(record, &at, t->rows * mask_row_bytes(t), e);
        if (!t->mask_bits || check_mask(t, e))
            return -1;
    }
    if (measure(t, e))
        return -1;
    t->data = take(record, &at, t->data_bytes, e);
    if (!t->data)
        return -1;
    if (t->values == VALUES_INT) {
        size_t n = t->rows * t->groups;
        if (json_get_bool_or(record->json, "min", false, &has_min, e) ||
            json_get_bool_or(record->json, "g_idx", false, &has_g_idx, e))
            return -1;
        t->scale = (const void *)take(record, &at, 4 * n, e);
        if (!t->scale)
            return -1;
        const unsigned char *p = take(record, &at, has_min ? 4 * n : n, e);
        if (!p)
            return -1;
        if (has_min)
            t->min = (const void *)p;
        else
            t->zero = p;
        if (has_g_idx && !(t->g_idx = (const void *)take(record, &at, 4 * t->cols, e)))
            return -1;
        for (size_t j = 0; t->g_idx && j < t->cols; j++)
            if (t->g_idx[j] < 0 || (size_t)t->g_idx[j] >= t->groups)
                return error_set(e, "column %zu belongs to no group", j);
    }
    if (at != record->bytes)
        return error_set(e, "its %zu bytes are too many for its shape", record->bytes);
    return 0;
}

int tensor_parse(struct tensor *t, const struct stream_record *record, struct error *e)
{
    const json_t *json = record->json;
    *t = (struct tensor){0};
    if (json_get_string(json, "tensor", &t->name, e))
        return error_prefix(e, "a tensor record");
    int64_t n = 0, m = 0;
    int values = name_index(json, "values", names, 4, -1, e);
    int mask = values < 0 ? -1 : name_index(json, "mask", mask_names, 3, MASK_NONE, e);
    if (values < 0 || mask < 0 || parse_shape(t, json_object_get(json, "shape"), e))
        goto fail;
    t->values = (enum tensor_values)values;
    t->mask = (enum tensor_mask)mask;
    if (mask == MASK_NM && (json_get_integer(json, "n", 1, 64, &n, e) ||
                            json_get_integer(json, "m", n, 64, &m, e)))
        goto fail;
    t->n = (int)n;
    t->m = (int)m;
    if (values == VALUES_INT && parse_int(t, json, e))
        goto fail;
    if (!record->data) {
        error_set(e, "has no attachment");
        goto fail;
    }
    if (parse_parts(t, record, e))
        goto fail;
    return 0;
fail:
    error_prefix(e, "%.200s", t->name);
    tensor_free(t);
    return -1;
}

void tensor_free(struct tensor *t)
{
    free(t->row_start);
    t->row_start = NULL;
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* The columns that a row keeps, 64 at a time: all of them where there is no mask. */
static uint64_t kept_word(const struct tensor *t, size_t row, size_t i)
{
    size_t left = t->cols - 64 * i;
    if (t->mask == MASK_NONE)
        return left < 64 ? ((uint64_t)1 << left) - 1 : UINT64_MAX;
    return mask_word(t->mask_bits + row * mask_row_bytes(t), mask_row_bytes(t), i);
}

static float value_at(enum tensor_values v, const unsigned char *p, size_t i)
{
    uint16_t h;
    if (v == VALUES_F32) {
        float x;
        memcpy(&x, p + 4 * i, 4);
        return x;
    }
    memcpy(&h, p + 2 * i, 2);
    return v == VALUES_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}

static void float_row(const struct tensor *t, size_t row, float *out)
{
    size_t k = 0;
    const unsigned char *p =
        (const unsigned char *)t->data + row_offset(t, row) * values_size(t->values);
    if (t->mask == MASK_NONE) {
        values_to_f32(t->values, p, t->cols, out);
        return;
    }
    memset(out, 0, t->cols * sizeof *out);
    for (size_t i = 0; 64 * i < t->cols; i++)
        for (uint64_t b = kept_word(t, row, i); b; b &= b - 1)
            out[64 * i + (size_t)__builtin_ctzll(b)] = value_at(t->values, p, k++);
}

static void int_row(const struct tensor *t, size_t row, float *out)
{
    const uint8_t *p = (const uint8_t *)t->data + row_offset(t, row);
    const float *scale = t->scale + row * t->groups;
    const float *min = t->min ? t->min + row * t->groups : NULL;
    const uint8_t *zero = t->zero ? t->zero + row * t->groups : NULL;
    unsigned held = 0, low = (1u << t->bits) - 1;
    int have = 0;
    size_t g = 0, end = t->group;
    if (t->mask != MASK_NONE)
        memset(out, 0, t->cols * sizeof *out);
    for (size_t i = 0; 64 * i < t->cols; i++)
        for (uint64_t b = kept_word(t, row, i); b; b &= b - 1) {
            size_t j = 64 * i + (size_t)__builtin_ctzll(b);
            if (have < t->bits) {
                held |= (unsigned)*p++ << have;
                have += 8;
            }
            float code = (float)(int)(held & low);
            held >>= t->bits;
            have -= t->bits;
            if (t->g_idx) {
                g = (size_t)t->g_idx[j];
            } else {
                for (; j >= end; end += t->group)
                    g++;
            }
            out[j] = min ? scale[g] * code + min[g] : scale[g] * (code - (float)zero[g]);
        }
}

void tensor_row(const struct tensor *t, size_t row, float *out)
{
    if (t->values == VALUES_INT)
        int_row(t, row, out);
    else
        float_row(t, row, out);
}

static unsigned code_at(const uint8_t *row, size_t i, int bits)
{
    size_t bit = i * (size_t)bits;
    unsigned x = row[bit / 8];
    if (bit % 8 + (size_t)bits > 8)
        x |= (unsigned)row[bit / 8 + 1] << 8;
    return x >> bit % 8 & ((1u << bits) - 1);
}

void tensor_row_codes(const struct tensor *t, size_t row, uint8_t *codes, uint8_t *keep)
{
    const uint8_t *mask = t->mask == MASK_NONE ? NULL : t->mask_bits + row * mask_row_bytes(t);
    const uint8_t *packed = (const uint8_t *)t->data + row_offset(t, row);
    size_t k = 0;
    for (size_t j = 0; j < t->cols; j++) {
        keep[j] = !mask || (mask[j / 8] >> j % 8 & 1);
        codes[j] = keep[j] ? (uint8_t)code_at(packed, k++, t->bits) : 0;
    }
}

bool tensor_kept(const struct tensor *t, size_t row, size_t col)
{
    return t->mask == MASK_NONE ||
           (t->mask_bits[row * mask_row_bytes(t) + col / 8] >> col % 8 & 1);
}

/* Number of elements that are +0 (sign 0xFFFF…), or +0 or -0 (the sign bit left out of it). */
static size_t count_zeros16(const void *data, size_t n, uint16_t sign)
{
    const unsigned char *p = data;
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t x;
        memcpy(&x, p + 2 * i, 2);
        zeros += (x & sign) == 0;
    }
    return zeros;
}

static size_t count_zeros32(const void *data, size_t n, uint32_t sign)
{
    const unsigned char *p = data;
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x;
        memcpy(&x, p + 4 * i, 4);
        zeros += (x & sign) == 0;
    }
    return zeros;
}

int tensor_zeros(const struct tensor *t, size_t *zeros, struct error *e)
{
    if (t->values != VALUES_INT) {
        *zeros = t->rows * t->cols - t->kept;
        *zeros += t->values == VALUES_F32 ? count_zeros32(t->data, t->kept, 0x7FFFFFFF)
                                          : count_zeros16(t->data, t->kept, 0x7FFF);
        return 0;
    }
    float *row = memory_new(t->cols, sizeof *row, "a row", e);
    if (!row)
        return -1;
    *zeros = 0;
    for (size_t r = 0; r < t->rows; r++) {
        tensor_row(t, r, row);
        for (size_t j = 0; j < t->cols; j++)
            *zeros += row[j] == 0;
    }
    free(row);
    return 0;
}

/* Kept elements of a row from their columns to one after the other, or back. */
static inline size_t keep(const uint8_t *mask, size_t cols, const unsigned char *in, size_t width,
                          unsigned char *out)
{
    size_t k = 0;
    for (size_t i = 0; 64 * i < cols; i++)
        for (uint64_t b = mask_word(mask, (cols + 7) / 8, i); b; b &= b - 1)
            memcpy(out + k++ * width, in + (64 * i + (size_t)__builtin_ctzll(b)) * width, width);
    return k;
}

static inline size_t spread(const uint8_t *mask, size_t cols, const unsigned char *in, size_t width,
                            unsigned char *out)
{
    size_t k = 0;
    for (size_t i = 0; 64 * i < cols; i++)
        for (uint64_t b = mask_word(mask, (cols + 7) / 8, i); b; b &= b - 1)
            memcpy(out + (64 * i + (size_t)__builtin_ctzll(b)) * width, in + k++ * width, width);
    return k;
}

void tensor_row_halves(const struct tensor *t, size_t row, uint16_t *out)
{
    memset(out, 0, t->cols * sizeof *out);
    spread(t->mask_bits + row * mask_row_bytes(t), t->cols,
           (const unsigned char *)t->data + 2 * t->row_start[row], 2, (unsigned char *)out);
}

void *tensor_dense(const struct tensor *t, enum tensor_values *values, struct error *e)
{
    *values = t->values == VALUES_INT ? VALUES_F32 : t->values;
    size_t width = values_size(*values);
    unsigned char *dense = memory_new(t->rows * t->cols, width, "a tensor", e);
    if (!dense)
        return NULL;
    if (t->values == VALUES_INT) {
        for (size_t r = 0; r < t->rows; r++)
            tensor_row(t, r, (float *)(void *)dense + r * t->cols);
        return dense;
    }
    if (t->mask == MASK_NONE) {
        memcpy(dense, t->data, t->data_bytes);
        return dense;
    }
    const unsigned char *p = t->data;
    for (size_t r = 0; r < t->rows; r++) {
        const uint8_t *mask = t->mask_bits + r * mask_row_bytes(t);
        unsigned char *out = dense + r * t->cols * width;
        /* Constant widths, so that an element is one load and one store. */
        p += width * (width == 2 ? spread(mask, t->cols, p, 2, out)
                                 : spread(mask, t->cols, p, 4, out));
    }
    return dense;
}

/* ---- writing ---------------------------------------------------------------------------------- */

int tensor_write(const struct tensor *t, json_t *extra, struct stream_writer *w, struct error *e)
{
    static const unsigned char zeros[8];
    struct stream_section section[10];
    size_t count = 0, at = 0;
    json_t *json = json_object(), *shape = json_array();
    int result = -1;
    for (int i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    if (json_set(json, "tensor", json_string(t->name), e) || json_set(json, "shape", json_incref(shape), e) ||
        json_set(json, "values", json_string(names[t->values]), e))
        goto out;
    if (t->values == VALUES_INT &&
        (json_set(json, "bits", json_integer(t->bits), e) ||
         json_set(json, "group", json_integer(t->groups == 1 ? 0 : (json_int_t)t->group), e) ||
         (t->min && json_set(json, "min", json_true(), e)) ||
         (t->g_idx && json_set(json, "g_idx", json_true(), e))))
        goto out;
    if (t->threshold > 0 &&
        (json_set(json, "activation", json_string("int8"), e) ||
         json_set(json, "threshold", json_number((double)t->threshold), e) ||
         json_set(json, "must", json_pack("[s]", "activation"), e)))
        goto out;
    if (t->mask != MASK_NONE && json_set(json, "mask", json_string(mask_names[t->mask]), e))
        goto out;
    if (t->mask == MASK_NM && (json_set(json, "n", json_integer(t->n), e) ||
                               json_set(json, "m", json_integer(t->m), e)))
        goto out;
    if (extra && json_object_update_missing(json, extra)) {
        error_set(e, "no memory for a record");
        goto out;
    }
    const struct stream_section part[] = {
        {t->mask == MASK_NONE ? NULL : t->mask_bits, t->rows * mask_row_bytes(t), 1},
        {t->data, t->data_bytes, t->values == VALUES_INT ? 1 : (int)values_size(t->values)},
        {t->scale, 4 * t->rows * t->groups, 4},
        {t->min ? (const void *)t->min : t->zero, (t->min ? 4 : 1) * t->rows * t->groups,
         t->min ? 4 : 1},
        {t->g_idx, 4 * t->cols, 4},
    };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (!part[i].data)
            continue;
        if (at % 8) {
            section[count++] = (struct stream_section){zeros, 8 - at % 8, 1};
            at = align8(at);
        }
        section[count++] = part[i];
        at += part[i].bytes;
    }
    result = stream_write(w, json, section, count, e);
out:
    json_decref(json);
    json_decref(shape);
    return result;
}

enum tensor_encoding tensor_encoding_of(const char *text)
{
    static const char *const list[] = {"auto", "none", "bitmap", "nm"};
    int i = 3;
    while (i && strcmp(text, list[i]))
        i--;
    return (enum tensor_encoding)i;
}

static void *store_new(struct tensor_store *s, size_t n, size_t size, const char *what,
                       struct error *e)
{
    int i = 0;
    while (s->memory[i])
        i++;
    return s->memory[i] = memory_new(n, size, what, e);
}

void tensor_store_free(struct tensor_store *s)
{
    tensor_free(&s->tensor);
    for (size_t i = 0; i < sizeof s->memory / sizeof *s->memory; i++)
        free(s->memory[i]);
    *s = (struct tensor_store){0};
}

static void copy_shape(struct tensor *t, const struct tensor *like)
{
    *t = (struct tensor){.name = like->name, .rank = like->rank, .rows = like->rows,
                         .cols = like->cols};
    memcpy(t->shape, like->shape, sizeof t->shape);
}

/* True if every group of m columns keeps at most n; then spare places (of zeros) fill the mask up. */
static bool fill_nm(struct tensor *t, uint8_t *bits, int n, int m, bool write)
{
    size_t bytes = mask_row_bytes(t);
    for (size_t r = 0; r < t->rows; r++) {
        uint8_t *row = bits + r * bytes;
        for (size_t c = 0; c < t->cols; c += (size_t)m) {
            c = skip_nm(row, t->cols, c, n, m);
            if (c == t->cols)
                break;
            size_t length = t->cols - c < (size_t)m ? t->cols - c : (size_t)m, k = 0;
            size_t want = length < (size_t)n ? length : (size_t)n;
            for (size_t j = c; j < c + length; j++)
                k += row[j / 8] >> j % 8 & 1;
            if (k > want)
                return false;
            for (size_t j = c; write && j < c + length && k < want; j++)
                if (!(row[j / 8] >> j % 8 & 1)) {
                    row[j / 8] = (uint8_t)(row[j / 8] | 1u << j % 8);
                    k++;
                }
        }
    }
    return true;
}

/* A mask costs a bit a weight and saves `bits` for each weight left out. */
static enum tensor_mask choose(struct tensor *t, uint8_t *bits, size_t left_out, unsigned width,
                               enum tensor_encoding encoding, int n, int m, struct error *e)
{
    static const int patterns[][2] = {{1, 2}, {2, 4}, {4, 8}};
    size_t total = t->rows * t->cols;
    bool smaller = left_out * width > total;
    if (encoding == ENCODING_NONE || (encoding == ENCODING_AUTO && !smaller))
        return MASK_NONE;
    if (encoding == ENCODING_BITMAP)
        return MASK_BITMAP;
    for (int i = -1; i < 3; i++) {
        int a = i < 0 ? n : patterns[i][0], b = i < 0 ? m : patterns[i][1];
        /* Spare places must not cost more than they are worth: a pattern given, or nearly full. */
        if ((i < 0 && n == 0) || (i >= 0 && n != 0) ||
            (i >= 0 && (double)(total - left_out) < 0.98 * (double)total * a / b) ||
            !fill_nm(t, bits, a, b, false))
            continue;
        fill_nm(t, bits, a, b, true);
        t->n = a;
        t->m = b;
        return MASK_NM;
    }
    if (encoding == ENCODING_NM) {
        error_set(e, "%.200s: is not of an N:M pattern; use --encoding bitmap", t->name);
        return MASK_NONE;
    }
    return MASK_BITMAP;
}

/* Mask of a row: bit 1 where the element is not +0. */
static inline void mask_row(const unsigned char *in, size_t cols, size_t width, uint8_t *out)
{
    for (size_t j = 0; j < cols; j += 8) {
        size_t n = cols - j < 8 ? cols - j : 8;
        unsigned b = 0;
        for (size_t i = 0; i < n; i++) {
            uint32_t x = 0;
            memcpy(&x, in + (j + i) * width, width);
            b |= (unsigned)(x != 0) << i;
        }
        out[j / 8] = (uint8_t)b;
    }
}

int tensor_encode(struct tensor_store *s, const struct tensor *like, enum tensor_values values,
                  const void *dense, enum tensor_encoding encoding, int n, int m, struct error *e)
{
    struct tensor *t = &s->tensor;
    size_t width = values_size(values), bytes = (like->cols + 7) / 8, left_out = 0;
    const unsigned char *p = dense;
    *s = (struct tensor_store){0};
    copy_shape(t, like);
    t->values = values;
    t->data = dense;
    uint8_t *bits = NULL;
    if (encoding != ENCODING_NONE)
        left_out = width == 2 ? count_zeros16(dense, t->rows * t->cols, 0xFFFF)
                              : count_zeros32(dense, t->rows * t->cols, 0xFFFFFFFF);
    if (encoding == ENCODING_BITMAP || encoding == ENCODING_NM ||
        left_out * 8 * width > t->rows * t->cols) {
        bits = store_new(s, t->rows * bytes, 1, "a mask", e);
        if (!bits)
            goto fail;
        for (size_t r = 0; r < t->rows; r++) {
            const unsigned char *row = p + r * t->cols * width;
            if (width == 2)
                mask_row(row, t->cols, 2, bits + r * bytes);
            else
                mask_row(row, t->cols, 4, bits + r * bytes);
        }
        t->mask = choose(t, bits, left_out, (unsigned)(8 * width), encoding, n, m, e);
        if (encoding == ENCODING_NM && t->mask != MASK_NM)
            goto fail;
    }
    if (t->mask == MASK_NONE)
        return measure(t, e);
    t->mask_bits = bits;
    if (measure(t, e))
        goto fail;
    unsigned char *kept = store_new(s, t->kept, width, "a tensor", e);
    if (!kept)
        goto fail;
    t->data = kept;
    for (size_t r = 0; r < t->rows; r++) {
        const uint8_t *mask = bits + r * bytes;
        const unsigned char *row = p + r * t->cols * width;
        kept += width * (width == 2 ? keep(mask, t->cols, row, 2, kept)
                                    : keep(mask, t->cols, row, 4, kept));
    }
    return 0;
fail:
    tensor_store_free(s);
    return -1;
}

int tensor_encode_int(struct tensor_store *s, const struct tensor *like, int bits, size_t group,
                      const uint8_t *codes, const float *scale, const uint8_t *zero,
                      struct error *e)
{
    struct tensor *t = &s->tensor;
    *s = (struct tensor_store){0};
    copy_shape(t, like);
    t->values = VALUES_INT;
    t->bits = bits;
    t->group = group == 0 || group > t->cols ? t->cols : group;
    t->groups = (t->cols + t->group - 1) / t->group;
    t->scale = scale;
    t->zero = zero;
    t->mask = like->mask;
    t->n = like->n;
    t->m = like->m;
    t->mask_bits = like->mask_bits;
    if (measure(t, e))
        goto fail;
    uint8_t *packed = store_new(s, t->data_bytes, 1, "a tensor", e);
    if (!packed)
        goto fail;
    t->data = packed;
    for (size_t r = 0; r < t->rows; r++) {
        uint8_t *row = packed + row_offset(t, r);
        const uint8_t *code = codes + r * t->cols;
        unsigned held = 0;
        int have = 0;
        for (size_t i = 0; 64 * i < t->cols; i++)
            for (uint64_t b = kept_word(t, r, i); b; b &= b - 1) {
                held |= (unsigned)code[64 * i + (size_t)__builtin_ctzll(b)] << have;
                have += bits;
                if (have >= 8) {
                    *row++ = (uint8_t)held;
                    held >>= 8;
                    have -= 8;
                }
            }
        if (have)
            *row = (uint8_t)held;
    }
    return 0;
fail:
    tensor_store_free(s);
    return -1;
}
