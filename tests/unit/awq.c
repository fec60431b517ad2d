/* AWQ on the layer of goldens/prune: its error is below that of rounding to nearest, and the searches
 * choose what is least by their own measure. */
#include "layer.h"

#include "awq.h"
#include "quantize.h"

static void below_rounding(void **state)
{
    (void)state;
    struct layer l;
    struct error e;
    if (!layer_golden(&l))
        skip();
    const struct awq a = {.bits = 4, .group = 128, .kernels = best_kernels()};
    float *mean = layer_floats(l.cols), *fold = layer_floats(l.cols), *w = layer_weights(&l);
    float *folded = layer_floats(l.samples * l.length * l.ld);
    for (size_t j = 0; j < l.cols; j++) {
        for (size_t t = 0; t < l.samples * l.length; t++)
            mean[j] += fabsf(l.x[t * l.ld + j]);
        mean[j] /= (float)(l.samples * l.length);
    }
    const struct tensor t = {.name = "w", .rank = 2, .rows = l.rows, .cols = l.cols,
                             .values = VALUES_F32, .data = l.w, .kept = l.rows * l.cols,
                             .data_bytes = l.rows * l.cols * sizeof(float)};
    struct matrix m;
    assert_done(matrix_pack(&m, &t, NULL, &e), e);
    const struct matrix *list[] = {&m};
    double alpha, share, error[3];
    /* every fourth token, as if they were the probes */
    const size_t tokens = l.samples * l.length / 4, stride = 4 * l.ld;
    assert_done(awq_search(&a, list, 1, mean, l.x, tokens, stride, fold, &alpha, &e), e);
    for (size_t i = 0; i < l.samples * l.length; i++)
        for (size_t j = 0; j < l.cols; j++)
            folded[i * l.ld + j] = l.x[i * l.ld + j] / fold[j];
    const size_t ld = sweep_stride(l.cols);
    for (int step = 0; step < 3; step++) { /* rounded, with scales, clipped too */
        memset(w, 0, l.rows * ld * sizeof *w);
        for (size_t r = 0; r < l.rows; r++)
            for (size_t j = 0; j < l.cols; j++)
                w[r * ld + j] = l.w[r * l.cols + j] * (step ? fold[j] : 1);
        if (step == 2)
            assert_done(awq_clip(&a, w, l.rows, l.cols, ld, folded, tokens, stride, &share, &e), e);
        for (size_t r = 0; r < l.rows; r++) {
            uint8_t codes[1024], zero[8];
            float scale[8];
            quantize_row(kernels_of(cpu_best()), w + r * ld, l.cols, 128, 4, false, codes, scale, zero);
            for (size_t j = 0; j < l.cols; j++)
                w[r * ld + j] = scale[j / 128] * ((float)codes[j] - (float)zero[j / 128]) /
                                (step ? fold[j] : 1);
        }
        error[step] = layer_error(&l, w);
    }
    print_message("rounded %.5f, alpha %.2f %.5f, %.3f of the groups clipped %.5f\n", error[0], alpha,
                  error[1], share, error[2]);
    assert_true(fabs(error[0] / golden_error("rtn_w4_g128_asym") - 1) < 0.01);
    assert_true(alpha > 0);
    assert_true(error[1] < error[0]);
    assert_true(error[2] <= error[1]);
    free(mean);
    free(fold);
    free(folded);
    free(w);
    matrix_free(&m);
    layer_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(below_rounding)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
