/* LLM.int8(): the product against its formula, whatever the rows at once, threads and level. */
#include "scratch.h"

#include <math.h>

#include "matrix.h"
#include "memory.h"
#include "pool.h"
#include "tensor.h"

static uint64_t seed = 11;

static float draw(void)
{
    return (float)(int64_t)random_next(&seed) * 0x1p-63f;
}

static void formula(void **state)
{
    static const size_t shapes[][3] = {{1, 5, 3}, {7, 300, 33}, {100, 513, 20}, {97, 64, 16}};
    (void)state;
    struct pool *pool;
    struct error e;
    assert_done(pool_new(&pool, 3, &e), e);
    for (size_t i = 0; i < 4; i++) {
        const size_t rows = shapes[i][0], cols = shapes[i][1], out = shapes[i][2];
        uint8_t *codes = malloc(out * cols), *zero = malloc(out);
        float *scale = malloc(out * sizeof *scale), *x = memory_new(rows * cols, 4, "x", &e);
        for (size_t j = 0; j < out * cols; j++)
            codes[j] = (uint8_t)(1 + random_next(&seed) % 255);
        for (size_t j = 0; j < out; j++) {
            scale[j] = fabsf(draw()) * 0.01f;
            zero[j] = 128;
        }
        for (size_t j = 0; j < rows * cols; j++)
            x[j] = draw() * (random_next(&seed) % 20 ? 3 : 15);
        if (rows > 2)
            memset(x + cols, 0, cols * sizeof *x); /* a row of zeros */
        const struct tensor like = {.name = "w", .rank = 2, .shape = {out, cols}, .rows = out, .cols = cols};
        struct tensor_store s;
        struct matrix m;
        assert_done(tensor_encode_int(&s, &like, 8, 0, codes, scale, zero, &e), e);
        s.tensor.threshold = 6;
        assert_done(matrix_pack(&m, &s.tensor, NULL, &e), e);
        const size_t ld = m.panels * PANEL;
        for (size_t j = 0; j < out; j++)
            m.bias[j] = (float)j;
        float *y = memory_new(rows * ld, 4, "y", &e), *z = memory_new(rows * ld, 4, "z", &e);
        assert_done(matrix_product(&m, kernels_of(cpu_best()), pool, rows, x, cols, y, ld, &e), e);
        for (size_t r = 0; r < rows; r++) {
            float most = 0;
            for (size_t j = 0; j < cols; j++)
                if (fabsf(x[r * cols + j]) < 6 && fabsf(x[r * cols + j]) > most)
                    most = fabsf(x[r * cols + j]);
            const float step = most > 0 ? most / 127 : 1;
            for (size_t o = 0; o < out; o++) {
                int64_t sum = 0;
                float want;
                for (size_t j = 0; j < cols; j++)
                    if (fabsf(x[r * cols + j]) < 6)
                        sum += (int64_t)nearbyintf(x[r * cols + j] / step) * (codes[o * cols + j] - 128);
                want = (float)sum * step * scale[o];
                for (size_t j = 0; j < cols; j++)
                    if (!(fabsf(x[r * cols + j]) < 6))
                        want = fmaf(x[r * cols + j], scale[o] * (float)(codes[o * cols + j] - 128), want);
                want += (float)o;
                assert_memory_equal(&y[r * ld + o], &want, sizeof want);
            }
        }
        /* row by row, in C */
        for (size_t r = 0; r < rows; r++)
            assert_done(matrix_product(&m, &kernels_scalar, NULL, 1, x + r * cols, cols, z + r * ld, ld, &e), e);
        assert_memory_equal(y, z, rows * ld * sizeof *y);
        free(y);
        free(z);
        free(x);
        free(codes);
        free(zero);
        free(scale);
        matrix_free(&m);
        tensor_store_free(&s);
    }
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(formula)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
