/* Tensors: number formats over every bit pattern, round trips over all values, masks, shapes, bits and
 * groups against element-wise arithmetic, hostile records. */
#include "scratch.h"

#include <math.h>

#include "json.h"
#include "stream.h"
#include "tensor.h"

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

/* ---- number formats --------------------------------------------------------------------------- */

/* The value of a 16-bit float by its definition. */
static double slow_value(unsigned h, int exponent_bits)
{
    int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(h >> mantissa_bits) & ((1 << exponent_bits) - 1);
    int mantissa = (int)(h & ((1u << mantissa_bits) - 1));
    double x;
    if (exponent == (1 << exponent_bits) - 1)
        x = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        x = ldexp(mantissa, 1 - bias - mantissa_bits);
    else
        x = ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
    return h & 0x8000 ? -x : x;
}

static void widening(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        float f = f16_to_f32((uint16_t)h), b = bf16_to_f32((uint16_t)h);
        double x = slow_value(h, 5), y = slow_value(h, 8);
        assert_true(isnan(x) ? isnan(f) : (double)f == x && !signbit(f) == !signbit(x));
        assert_true(isnan(y) ? isnan(b) : (double)b == y && !signbit(b) == !signbit(y));
        /* there and back, NaN payloads too (a signalling one may become quiet) */
        assert_int_equal(f32_to_f16(f) & (isnan(x) ? 0xFDFF : 0xFFFF), h & (isnan(x) ? 0xFDFF : 0xFFFF));
        assert_int_equal(f32_to_bf16(b) & (isnan(y) ? 0xFFBF : 0xFFFF), h & (isnan(y) ? 0xFFBF : 0xFFFF));
        assert_true(!isnan(x) || isnan(f16_to_f32(f32_to_f16(f))));
        assert_true(!isnan(y) || isnan(bf16_to_f32(f32_to_bf16(b))));
    }
}

/* Of all numbers the nearest; of two equally near ones the even. Checked around every number, at its
 * own value, at the middle to the next, and beside both. */
static void narrow_one(unsigned h, int exponent_bits, uint16_t (*narrow)(float))
{
    double x = slow_value(h, exponent_bits), next = slow_value(h + 1, exponent_bits);
    if (isinf(next)) /* what the next would be if there were no infinity */
        next = 2 * x - slow_value(h - 1, exponent_bits);
    double middle = (x + next) / 2;
    float m = (float)middle;
    assert_true((double)m == middle);
    assert_int_equal(narrow((float)x), h);
    assert_int_equal(narrow(m), h & 1 ? h + 1 : h);
    assert_int_equal(narrow(nextafterf(m, 0)), h);
    assert_int_equal(narrow(nextafterf(m, INFINITY)), h + 1);
    assert_int_equal(narrow(-m), 0x8000u | (h & 1 ? h + 1 : h));
}

static void narrowing(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7C00; h++)
        narrow_one(h, 5, f32_to_f16);
    for (unsigned h = 0; h < 0x7F80; h++)
        narrow_one(h, 8, f32_to_bf16);
    assert_int_equal(f32_to_f16(INFINITY), 0x7C00);
    assert_int_equal(f32_to_bf16(-INFINITY), 0xFF80);
    assert_int_equal(f32_to_f16(-0.0f), 0x8000);
    assert_int_equal(f32_to_bf16(-0.0f), 0x8000);
    assert_int_equal(f32_to_f16(float_of(1)), 0);
    assert_int_equal(f32_to_f16(1e30f), 0x7C00);
}

/* ---- round trips -------------------------------------------------------------------------------- */

static struct stream_writer *writer;
static struct output *output;

static void begin(void)
{
    struct error e;
    json_t *header = stream_header_new("model", "0", NULL, "test", 1, NULL, NULL, &e);
    assert_done(output_open(&output, scratch_path("tensors"), &e), e);
    assert_done(stream_create(&writer, output, header, NULL, &e), e);
    json_decref(header);
}

static struct stream_reader *end(void)
{
    struct error e;
    struct stream_reader *r;
    assert_done(stream_finish(writer, NULL, &e), e);
    assert_done(output_commit(output, &e), e);
    stream_writer_free(writer);
    output_free(output);
    assert_done(stream_open(&r, scratch_path("tensors"), "model", NULL, &e), e);
    return r;
}

static const size_t shapes[][2] = {{1, 1}, {1, 8},  {3, 7},   {5, 9},    {2, 64}, {4, 63},
                                   {3, 65}, {1, 200}, {7, 172}, {16, 128}, {9, 131}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Elements of a float type with the awkward ones among them: -0, subnormals, infinities, NaN. `zeros`
 * of 100 are +0. pattern: at most n of m are not +0. */
static void *elements(enum tensor_values v, size_t rows, size_t cols, int zeros, int n, int m)
{
    static const uint32_t odd[] = {0x80000000, 1, 0x7F800000, 0xFF800000, 0x7FC12345, 0xFFA00001,
                                   0x00800000, 0x80000001, 0x3F800000};
    size_t width = values_size(v);
    unsigned char *p = malloc(rows * cols * width + 1);
    uint64_t seed = rows * 1000 + cols * 10 + (size_t)v;
    for (size_t r = 0; r < rows; r++) {
        int left = n;
        for (size_t j = 0; j < cols; j++) {
            uint64_t x = random_next(&seed);
            uint32_t u = (uint32_t)x;
            if (x >> 60 == 0)
                u = odd[(x >> 40) % 9];
            if (width == 2)
                u = u >> 16 ? u >> 16 : 1;
            u = u ? u : 1;
            if (m && j % (size_t)m == 0)
                left = n;
            if ((int)(x >> 33 & 0xFFFF) % 100 < zeros || (m && left-- <= 0))
                u = 0;
            memcpy(p + (r * cols + j) * width, &u, width);
        }
    }
    return p;
}

static float element(enum tensor_values v, const void *p, size_t i)
{
    uint16_t h;
    float x;
    if (v == VALUES_F32) {
        memcpy(&x, (const unsigned char *)p + 4 * i, 4);
        return x;
    }
    memcpy(&h, (const unsigned char *)p + 2 * i, 2);
    return v == VALUES_F16 ? f16_to_f32(h) : bf16_to_f32(h);
}

struct plan {
    enum tensor_values values;
    enum tensor_encoding encoding;
    int zeros, n, m;
    enum tensor_mask want; /* the mask that comes of it, for large tensors */
};

static const struct plan plans[] = {
    {VALUES_F32, ENCODING_AUTO, 0, 0, 0, MASK_NONE},
    {VALUES_F32, ENCODING_AUTO, 50, 0, 0, MASK_BITMAP},
    {VALUES_F16, ENCODING_NONE, 50, 0, 0, MASK_NONE},
    {VALUES_F16, ENCODING_BITMAP, 30, 0, 0, MASK_BITMAP},
    {VALUES_BF16, ENCODING_AUTO, 3, 0, 0, MASK_NONE}, /* a mask would cost more than it saves */
    {VALUES_BF16, ENCODING_AUTO, 60, 0, 0, MASK_BITMAP},
    {VALUES_BF16, ENCODING_BITMAP, 100, 0, 0, MASK_BITMAP}, /* nothing is kept */
    {VALUES_BF16, ENCODING_AUTO, 0, 2, 4, MASK_NM},
    {VALUES_F32, ENCODING_NM, 0, 4, 8, MASK_NM},
    {VALUES_F16, ENCODING_NM, 20, 4, 8, MASK_NM}, /* spare places */
    {VALUES_BF16, ENCODING_NM, 0, 1, 2, MASK_NM},
    {VALUES_BF16, ENCODING_NM, 10, 3, 7, MASK_NM},
    {VALUES_F32, ENCODING_NM, 10, 33, 64, MASK_NM},
    {VALUES_BF16, ENCODING_NM, 0, 4, 4, MASK_NM},
};
enum { PLANS = sizeof plans / sizeof *plans };

static void check_float(const struct plan *p, const struct tensor *t, size_t rows, size_t cols)
{
    void *want = elements(p->values, rows, cols, p->zeros, p->n, p->m);
    size_t width = values_size(p->values), zeros, expected = 0;
    float *row = malloc(cols * sizeof *row);
    enum tensor_values type;
    struct error e;
    assert_int_equal(t->rows, rows);
    assert_int_equal(t->cols, cols);
    if (rows * cols > 1000)
        assert_int_equal(t->mask, p->want);
    void *dense = tensor_dense(t, &type, &e);
    assert_int_equal(type, p->values);
    assert_memory_equal(dense, want, rows * cols * width);
    for (size_t r = 0; r < rows; r++) {
        tensor_row(t, r, row);
        for (size_t j = 0; j < cols; j++) {
            float x = element(p->values, want, r * cols + j);
            assert_int_equal(bits_of(row[j]), bits_of(x)); /* -0 and NaN payloads too */
            expected += x == 0;
            if (bits_of(x) && !tensor_kept(t, r, j))
                fail_msg("row %zu column %zu is lost", r, j);
        }
    }
    assert_done(tensor_zeros(t, &zeros, &e), e);
    assert_int_equal(zeros, expected);
    free(dense);
    free(want);
    free(row);
}

static void float_round_trip(void **state)
{
    (void)state;
    struct error e;
    struct stream_record record;
    begin();
    for (int i = 0; i < PLANS; i++)
        for (int s = 0; s < SHAPES; s++) {
            const struct plan *p = &plans[i];
            size_t rows = shapes[s][0], cols = shapes[s][1];
            struct tensor like = {.name = "t", .rank = 2, .shape = {rows, cols}, .rows = rows,
                                  .cols = cols};
            struct tensor_store store;
            void *dense = elements(p->values, rows, cols, p->zeros, p->n, p->m);
            json_t *extra = json_pack("{s:i}", "colour", i);
            if (tensor_encode(&store, &like, p->values, dense, p->encoding, p->n, p->m, &e))
                fail_msg("plan %d shape %d: %s", i, s, e.text);
            check_float(p, &store.tensor, rows, cols);
            assert_done(tensor_write(&store.tensor, extra, writer, &e), e);
            tensor_store_free(&store);
            json_decref(extra);
            free(dense);
        }
    struct stream_reader *r = end();
    for (int i = 0; i < PLANS; i++)
        for (int s = 0; s < SHAPES; s++) {
            struct tensor t;
            assert_int_equal(stream_next(r, &record, &e), 1);
            assert_int_equal(json_integer_value(json_object_get(record.json, "colour")), i);
            assert_done(tensor_parse(&t, &record, &e), e);
            assert_int_equal(tensor_bytes(&t) <= record.bytes, 1);
            check_float(&plans[i], &t, shapes[s][0], shapes[s][1]);
            tensor_free(&t);
        }
    assert_int_equal(stream_next(r, &record, &e), 0);
    stream_close(r);
}

static void nm_refused(void **state)
{
    (void)state;
    struct error e;
    struct tensor_store store;
    struct tensor like = {.name = "t", .rank = 1, .shape = {8}, .rows = 1, .cols = 8};
    uint16_t dense[8] = {1, 2, 3, 0, 0, 0, 0, 1};
    assert_refused(tensor_encode(&store, &like, VALUES_BF16, dense, ENCODING_NM, 2, 4, &e), e,
                   "not of an N:M pattern");
}

/* Codes, scales and zero points of a quantized tensor, by formulas of the indices. */
static unsigned code_of(size_t r, size_t j, int bits)
{
    uint64_t seed = r * 100003 + j * 17 + (unsigned)bits;
    return (unsigned)random_next(&seed) & ((1u << bits) - 1);
}

static float scale_of(size_t r, size_t g)
{
    return 0.001f * (float)(r + 1) + 0.25f * (float)g;
}

static void check_int(const struct tensor *t, int bits, size_t group, int mask)
{
    float *row = malloc(t->cols * sizeof *row);
    size_t zeros, expected = 0;
    struct error e;
    assert_int_equal(t->bits, bits);
    for (size_t r = 0; r < t->rows; r++) {
        tensor_row(t, r, row);
        for (size_t j = 0; j < t->cols; j++) {
            size_t g = group ? j / group : 0;
            float want = scale_of(r, g) * ((float)code_of(r, j, bits) - (float)((r + g) % 200));
            if (mask == 1 ? (r + j) % 3 == 0 : mask == 2 ? j % 4 >= 2 : 0)
                want = 0;
            assert_int_equal(bits_of(row[j]), bits_of(want));
            expected += want == 0;
        }
    }
    assert_done(tensor_zeros(t, &zeros, &e), e);
    assert_int_equal(zeros, expected);
    free(row);
}

static void int_round_trip(void **state)
{
    (void)state;
    static const size_t groups[] = {0, 1, 5, 64, 128, 1000};
    struct error e;
    struct stream_record record;
    struct stream_reader *r = NULL;
    for (int pass = 0; pass < 2; pass++) { /* write all, then read all */
        if (pass == 0)
            begin();
        else
            r = end();
        for (int s = 0; s < SHAPES; s++)
            for (int bits = 2; bits <= 8; bits++)
                for (int k = 0; k < 6; k++)
                    for (int mask = 0; mask < 3; mask++) {
                        size_t rows = shapes[s][0], cols = shapes[s][1], group = groups[k];
                        if (pass == 1) {
                            struct tensor t;
                            assert_int_equal(stream_next(r, &record, &e), 1);
                            assert_done(tensor_parse(&t, &record, &e), e);
                            assert_int_equal(t.mask, mask);
                            check_int(&t, bits, group > cols ? 0 : group, mask);
                            tensor_free(&t);
                            continue;
                        }
                        size_t width = (cols + 7) / 8, g = group && group < cols ? group : cols;
                        size_t n = (cols + g - 1) / g;
                        uint8_t *kept = calloc(rows, width), *codes = malloc(rows * cols);
                        float *scale = malloc(rows * n * sizeof *scale);
                        uint8_t *zero = malloc(rows * n);
                        for (size_t i = 0; i < rows; i++) {
                            for (size_t j = 0; j < cols; j++) {
                                codes[i * cols + j] = (uint8_t)code_of(i, j, bits);
                                if (mask == 1 ? (i + j) % 3 : j % 4 < 2)
                                    kept[i * width + j / 8] |= (uint8_t)(1 << j % 8);
                            }
                            for (size_t j = 0; j < n; j++) {
                                scale[i * n + j] = scale_of(i, j);
                                zero[i * n + j] = (uint8_t)((i + j) % 200);
                            }
                        }
                        struct tensor like = {.name = "q", .rank = 2, .shape = {rows, cols},
                                              .rows = rows, .cols = cols,
                                              .mask = (enum tensor_mask)mask, .n = 2, .m = 4,
                                              .mask_bits = mask ? kept : NULL};
                        struct tensor_store store;
                        assert_done(tensor_encode_int(&store, &like, bits, group, codes, scale,
                                                      zero, &e), e);
                        check_int(&store.tensor, bits, group > cols ? 0 : group, mask);
                        assert_done(tensor_write(&store.tensor, NULL, writer, &e), e);
                        tensor_store_free(&store);
                        free(kept);
                        free(codes);
                        free(scale);
                        free(zero);
                    }
    }
    assert_int_equal(stream_next(r, &record, &e), 0);
    stream_close(r);
}

/* Imported types: a minimum instead of a zero point, and groups by index. */
static void min_and_g_idx(void **state)
{
    (void)state;
    static const uint8_t codes[2 * 2] = {0x21, 0x43, 0x65, 0x07}; /* 4 columns of 4 bits, 2 rows */
    static const float scale[4] = {1, 10, 100, 1000}, min[4] = {0.5f, 0.25f, -1, 2};
    static const int32_t g_idx[4] = {1, 0, 1, 0};
    static const float want[8] = {10.25f, 2.5f, 30.25f, 4.5f, 5002, 599, 7002, -1};
    struct tensor t = {.name = "k", .rank = 2, .shape = {2, 4}, .rows = 2, .cols = 4,
                       .values = VALUES_INT, .bits = 4, .group = 2, .groups = 2, .kept = 8,
                       .data = codes, .data_bytes = 4, .scale = scale, .min = min, .g_idx = g_idx};
    struct error e;
    struct stream_record record;
    begin();
    assert_done(tensor_write(&t, NULL, writer, &e), e);
    struct stream_reader *r = end();
    assert_int_equal(stream_next(r, &record, &e), 1);
    assert_done(tensor_parse(&t, &record, &e), e);
    for (size_t i = 0; i < 2; i++) {
        float row[4];
        tensor_row(&t, i, row);
        assert_memory_equal(row, want + 4 * i, sizeof row);
    }
    tensor_free(&t);
    stream_close(r);
}

/* ---- hostile records ------------------------------------------------------------------------------ */

#define T "\"tensor\":\"t\","
static const struct {
    const char *json, *data;
    size_t bytes;
    const char *refused;
} hostile[] = {
    {"{" T "\"shape\":[2,2],\"values\":\"bf16\"}", "abcdefgh", 8, NULL},
    {"{\"shape\":[2,2],\"values\":\"bf16\"}", "abcdefgh", 8, "\"tensor\" is missing"},
    {"{\"tensor\":5,\"shape\":[2,2],\"values\":\"bf16\"}", "abcdefgh", 8, "\"tensor\" is not a text"},
    {"{" T "\"shape\":[2,2]}", "abcdefgh", 8, "\"values\""},
    {"{" T "\"shape\":[2,2],\"values\":\"f8\"}", "abcd", 4, "\"values\" is 'f8'"},
    {"{" T "\"shape\":[2,2],\"values\":\"bf16\",\"mask\":\"stripes\"}", "abcdefgh", 8, "\"mask\" is"},
    {"{" T "\"shape\":[2,2],\"values\":\"bf16\",\"mask\":1}", "abcdefgh", 8, "\"mask\" is"},
    {"{" T "\"shape\":4,\"values\":\"bf16\"}", "abcdefgh", 8, "\"shape\""},
    {"{" T "\"shape\":[],\"values\":\"bf16\"}", "", 0, "\"shape\""},
    {"{" T "\"shape\":[0,2],\"values\":\"bf16\"}", "", 0, "no possible size"},
    {"{" T "\"shape\":[-2,2],\"values\":\"bf16\"}", "", 0, "no possible size"},
    {"{" T "\"shape\":[2.0,2],\"values\":\"bf16\"}", "abcdefgh", 8, "no possible size"},
    {"{" T "\"shape\":[1,1,1,1,1,1,1,1,1],\"values\":\"bf16\"}", "ab", 2, "\"shape\""},
    {"{" T "\"shape\":[4294967296,4294967296],\"values\":\"bf16\"}", "ab", 2, "no possible size"},
    {"{" T "\"shape\":[9000000000000000000,3],\"values\":\"bf16\"}", "ab", 2, "no possible size"},
    {"{" T "\"shape\":[70368744177664],\"values\":\"f32\"}", "ab", 2, "too few"},
    {"{" T "\"shape\":[70368744177664,1],\"values\":\"f32\",\"mask\":\"bitmap\"}", "ab", 2, "too few"},
    {"{" T "\"shape\":[70368744177664,1],\"values\":\"int\",\"bits\":2,\"group\":0}", "ab", 2, "too few"},
    {"{" T "\"shape\":[2,2],\"values\":\"bf16\"}", "abcdefg", 7, "too few"},
    {"{" T "\"shape\":[2,2],\"values\":\"bf16\"}", "abcdefghi", 9, "too many"},
    {"{" T "\"shape\":[2,2],\"values\":\"bf16\"}", NULL, 0, "no attachment"},
    {"{" T "\"shape\":[3],\"values\":\"bf16\",\"mask\":\"bitmap\"}", "\3\0\0\0\0\0\0\0abcd", 12, NULL},
    {"{" T "\"shape\":[3],\"values\":\"bf16\",\"mask\":\"bitmap\"}", "\3\0\0\0\0\1\0\0abcd", 12, "the gap"},
    {"{" T "\"shape\":[3],\"values\":\"bf16\",\"mask\":\"bitmap\"}", "\13\0\0\0\0\0\0\0abcdef", 14,
     "beyond the last column"},
    {"{" T "\"shape\":[3],\"values\":\"bf16\",\"mask\":\"bitmap\"}", "\7\0\0\0\0\0\0\0abcd", 12, "too few"},
    {"{" T "\"shape\":[4],\"values\":\"bf16\",\"mask\":\"nm\",\"n\":2,\"m\":4}",
     "\3\0\0\0\0\0\0\0abcd", 12, NULL},
    {"{" T "\"shape\":[4],\"values\":\"bf16\",\"mask\":\"nm\",\"n\":2,\"m\":4}",
     "\7\0\0\0\0\0\0\0abcdef", 14, "is not 2:4 in row 0"},
    {"{" T "\"shape\":[4],\"values\":\"bf16\",\"mask\":\"nm\",\"n\":2,\"m\":4}",
     "\1\0\0\0\0\0\0\0ab", 10, "is not 2:4 in row 0"},
    {"{" T "\"shape\":[4],\"values\":\"bf16\",\"mask\":\"nm\",\"n\":5,\"m\":4}",
     "\3\0\0\0\0\0\0\0abcd", 12, "\"m\" is 4"},
    {"{" T "\"shape\":[4],\"values\":\"bf16\",\"mask\":\"nm\"}", "\3\0\0\0\0\0\0\0abcd", 12, "\"n\""},
    {"{" T "\"shape\":[4],\"values\":\"bf16\",\"mask\":\"nm\",\"n\":0,\"m\":4}",
     "\0\0\0\0\0\0\0\0", 8, "\"n\" is 0"},
    {"{" T "\"shape\":[4],\"values\":\"int\",\"bits\":4,\"group\":0}",
     "ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0z", 17, NULL},
    {"{" T "\"shape\":[4],\"values\":\"int\",\"bits\":4,\"group\":0}",
     "ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, "too few"},
    {"{" T "\"shape\":[4],\"values\":\"int\",\"bits\":1,\"group\":0}", "a", 1, "\"bits\" is 1"},
    {"{" T "\"shape\":[4],\"values\":\"int\",\"bits\":9,\"group\":0}", "a", 1, "\"bits\" is 9"},
    {"{" T "\"shape\":[4],\"values\":\"int\",\"bits\":4}", "a", 1, "\"group\""},
    {"{" T "\"shape\":[4],\"values\":\"int\",\"bits\":4,\"group\":-1}", "a", 1, "\"group\""},
    {"{" T "\"shape\":[2],\"values\":\"int\",\"bits\":4,\"group\":0,\"g_idx\":true}",
     "a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0z\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32, NULL},
    {"{" T "\"shape\":[2],\"values\":\"int\",\"bits\":4,\"group\":0,\"g_idx\":true}",
     "a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0z\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0", 32, "belongs to no group"},
    {"{" T "\"shape\":[2],\"values\":\"int\",\"bits\":4,\"group\":0,\"g_idx\":true}",
     "a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0z\0\0\0\0\0\0\0\377\377\377\377\0\0\0\0", 32,
     "belongs to no group"},
};

static void hostile_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct error e = {{0}, 0};
        struct tensor t;
        unsigned char *data = aligned_alloc(64, 64);
        if (hostile[i].data)
            memcpy(data, hostile[i].data, hostile[i].bytes);
        struct stream_record record = {json_loads(hostile[i].json, 0, NULL),
                                       hostile[i].data ? data : NULL, hostile[i].bytes};
        assert_non_null(record.json);
        int got = tensor_parse(&t, &record, &e);
        if (hostile[i].refused ? !got || !strstr(e.text, hostile[i].refused) : got)
            fail_msg("%s: %s", hostile[i].json, got ? e.text : "was not refused");
        if (!got)
            tensor_free(&t);
        json_decref(record.json);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widening),       cmocka_unit_test(narrowing),
        cmocka_unit_test(float_round_trip), cmocka_unit_test(nm_refused),
        cmocka_unit_test(int_round_trip), cmocka_unit_test(min_and_g_idx),
        cmocka_unit_test(hostile_records),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
