/* Products of packed matrices against their definition, written out with fmaf(): every encoding,
 * all levels, thread and row counts, by memcmp. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "matrix.h"
#include "memory.h"

enum { ROWS = 53, OUT_MOST = 40, IN_MOST = 300 };

static uint64_t state = 12345;
static uint32_t bits32(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static float number(void)
{
    return (float)(int32_t)bits32() * 0x1p-31f;
}

static float x[ROWS * IN_MOST], weight[OUT_MOST * IN_MOST], bias[OUT_MOST];
static float got[ROWS * 80], want[ROWS * 80];
static uint8_t codes[OUT_MOST * IN_MOST], keep[OUT_MOST * IN_MOST], zero[OUT_MOST * IN_MOST];
static uint8_t mask[OUT_MOST * IN_MOST];
static float scale[OUT_MOST * IN_MOST], min[OUT_MOST * IN_MOST];
static int32_t g_idx[IN_MOST];

static void fill(void)
{
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = bits32() % 9 ? number() : 0;
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++) {
        weight[i] = bits32() % 3 ? number() : 0;
        codes[i] = (uint8_t)(bits32() % 16);
        keep[i] = bits32() % 2;
        zero[i] = (uint8_t)(bits32() % 16);
        scale[i] = number();
        min[i] = number();
    }
    for (size_t i = 0; i < OUT_MOST; i++)
        bias[i] = number();
}

static void define_floats(const struct tensor *t, bool with_bias)
{
    float row[IN_MOST];
    for (size_t o = 0; o < t->rows; o++) {
        tensor_row(t, o, row);
        for (size_t r = 0; r < ROWS; r++) {
            float sum = 0;
            for (size_t i = 0; i < t->cols; i++)
                if (row[i] != 0) /* leaving zeros out is the same */
                    sum = fmaf(x[r * IN_MOST + i], row[i], sum);
            want[r * 80 + o] = sum + (with_bias ? bias[o] : 0.0f);
        }
    }
}

static void define_groups(const struct tensor *t, bool with_bias)
{
    uint8_t code[IN_MOST], kept[IN_MOST];
    for (size_t o = 0; o < t->rows; o++) {
        tensor_row_codes(t, o, code, kept);
        for (size_t r = 0; r < ROWS; r++) {
            float y = 0;
            for (size_t g = 0; g < t->groups; g++) {
                const size_t at = o * t->groups + g;
                float a = 0, s = 0;
                for (size_t i = 0; i < t->cols; i++) {
                    if ((t->g_idx ? (size_t)t->g_idx[i] : i / t->group) != g || !kept[i])
                        continue;
                    a = fmaf(x[r * IN_MOST + i], (float)code[i], a);
                    s = fmaf(x[r * IN_MOST + i], 1.0f, s);
                }
                if (t->min)
                    y = fmaf(t->scale[at], a, fmaf(t->min[at], s, y));
                else
                    y = fmaf(t->scale[at], fmaf(-(float)t->zero[at], s, a), y);
            }
            want[r * 80 + o] = y + (with_bias ? bias[o] : 0.0f);
        }
    }
}

static void compare(const struct tensor *t, const char *what, enum matrix_layout layout,
                    bool with_bias)
{
    struct error e = {0};
    struct matrix m;
    struct pool *pool = NULL;
    if (pool_new(&pool, 3, &e) || matrix_pack_as(&m, t, layout, pool, &e))
        fail_msg("%s", e.text);
    const struct tensor b = {.name = "bias",
                             .rank = 1,
                             .rows = 1,
                             .cols = t->rows,
                             .data = bias,
                             .shape = {t->rows},
                             .kept = t->rows};
    if (with_bias && matrix_bias(&m, &b, &e))
        fail_msg("%s", e.text);
    float row[IN_MOST], packed[IN_MOST];
    for (size_t o = 0; o < t->rows; o++) {
        tensor_row(t, o, row);
        matrix_row(&m, o, packed);
        assert_memory_equal(row, packed, t->cols * sizeof *row);
    }
    memset(want, 0, sizeof want);
    if (t->values == VALUES_INT)
        define_groups(t, with_bias);
    else
        define_floats(t, with_bias);
    static const size_t counts[] = {1, 2, 3, 5, 7, 30, ROWS};
    for (int run = 0; run <= 2 * (int)cpu_best() + 1; run++) {
        const int level = run / 2; /* each with one panel and with two side by side */
        struct kernels k = *kernels_of((enum cpu_level)level);
        k.together = run % 2 ? 2 : 1;
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            memset(got, 0, sizeof got);
            assert_int_equal(matrix_product(&m, &k,
                                            level % 2 ? pool : NULL, counts[c], x, IN_MOST, got, 80,
                                            &e),
                             0);
            for (size_t i = 0; i < counts[c] * 80; i++)
                if (memcmp(&got[i], &want[i], sizeof *got))
                    fail_msg("%s, %zu x %zu, level %d, %zu rows: row %zu, output %zu is %a, not %a",
                             what, t->rows, t->cols, level, counts[c], i / 80, i % 80,
                             (double)got[i], (double)want[i]);
        }
    }
    matrix_free(&m);
    pool_free(pool);
}

static const size_t sizes[][2] = {{1, 1}, {16, 16}, {17, 40}, {40, 257}, {33, 300}, {5, 128}};

static void floats(void **unused)
{
    (void)unused;
    static uint16_t narrow[OUT_MOST * IN_MOST];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (int v = VALUES_F32; v <= VALUES_BF16; v++) {
            for (int masked = 0; masked < 4; masked++) { /* dense, bitmap, 2:4, 1:4 */
                struct tensor_store store = {0};
                struct error e = {0};
                fill();
                const size_t rows = sizes[s][0], cols = sizes[s][1];
                for (size_t i = 0; masked > 1 && i < rows * cols; i++) {
                    const size_t one = i / cols * 5 + i % cols / 4 * 3, column = i % cols % 4;
                    if (column != one % 4 && (masked == 3 || column != (one + 1 + one / 4 % 3) % 4))
                        weight[i] = 0;
                }
                const struct tensor like = {
                    .name = "w", .rank = 2, .shape = {rows, cols}, .rows = rows, .cols = cols};
                if (v != VALUES_F32)
                    values_from_f32((enum tensor_values)v, weight, rows * cols, narrow);
                const void *dense = v == VALUES_F32 ? (void *)weight : (void *)narrow;
                if (tensor_encode(&store, &like, (enum tensor_values)v, dense,
                                  masked > 1 ? ENCODING_NM : masked ? ENCODING_BITMAP : ENCODING_NONE,
                                  masked > 1 ? 4 - masked : 0, masked > 1 ? 4 : 0, &e))
                    fail_msg("%s", e.text);
                compare(&store.tensor, values_name((enum tensor_values)v),
                        matrix_layout_of(&store.tensor), s % 2);
                if (masked == 1 && v != VALUES_F32) /* however small */
                    compare(&store.tensor, values_name((enum tensor_values)v), LAYOUT_BITMAP,
                            s % 2);
                tensor_store_free(&store);
            }
        }
    }
}

static void groups(void **unused)
{
    (void)unused;
    static const size_t lengths[] = {1, 7, 128, 300};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            const size_t rows = sizes[s][0], cols = sizes[s][1];
            const size_t group = lengths[l] < cols ? lengths[l] : cols;
            const struct tensor like = {
                .name = "w", .rank = 2, .shape = {rows, cols}, .rows = rows, .cols = cols};
            fill();
            for (int masked = 0; masked < 2; masked++) {
                struct tensor_store store = {0};
                struct error e = {0};
                struct tensor from = like;
                const size_t row = (cols + 7) / 8;
                memset(mask, 0, sizeof mask);
                for (size_t i = 0; i < rows * cols; i++)
                    if (keep[i])
                        mask[i / cols * row + i % cols / 8] |= (uint8_t)(1u << i % cols % 8);
                from.mask = masked ? MASK_BITMAP : MASK_NONE;
                from.mask_bits = masked ? mask : NULL;
                if (tensor_encode_int(&store, &from, 4, group, codes, scale, zero, &e))
                    fail_msg("%s", e.text);
                compare(&store.tensor, masked ? "masked int" : "int",
                        matrix_layout_of(&store.tensor), s % 2);
                tensor_store_free(&store);
            }
            struct tensor t = like;
            t.values = VALUES_INT;
            t.bits = 8;
            t.group = group;
            t.groups = (cols + group - 1) / group;
            t.data = codes;
            t.scale = scale;
            t.min = min;
            compare(&t, "int with min", matrix_layout_of(&t), false);
            t.min = NULL;
            t.zero = zero;
            for (size_t i = 0; i < cols; i++)
                g_idx[i] = (int32_t)(bits32() % t.groups);
            t.g_idx = g_idx;
            compare(&t, "int with g_idx", matrix_layout_of(&t), true);
        }
    }
}

/* A bitmap that pays is one. */
static void layouts(void **unused)
{
    (void)unused;
    struct tensor t = {
        .values = VALUES_BF16, .mask = MASK_BITMAP, .rows = 128, .cols = BITMAP_LEAST / 128};
    t.kept = BITMAP_LEAST / 2;
    assert_int_equal(matrix_layout_of(&t), LAYOUT_BITMAP);
    t.kept = BITMAP_LEAST / 5 * 4;
    assert_int_equal(matrix_layout_of(&t), LAYOUT_DENSE);
    t.kept = BITMAP_LEAST / 2;
    t.rows--;
    assert_int_equal(matrix_layout_of(&t), LAYOUT_DENSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(floats), cmocka_unit_test(groups),
                                       cmocka_unit_test(layouts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
