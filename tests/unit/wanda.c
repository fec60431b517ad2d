/* Wanda's masks against the released code's (goldens/prune) and a plain form. */
#include "layer.h"

#include "pool.h"

static void norms(const struct layer *l, float *norm)
{
    for (size_t j = 0; j < l->cols; j++) {
        double sum = 0;
        for (size_t t = 0; t < l->samples * l->length; t++)
            sum += (double)l->x[t * l->ld + j] * (double)l->x[t * l->ld + j];
        norm[j] = sqrtf((float)(sum / (double)l->samples));
    }
}

static void goldens(void **state)
{
    static const struct {
        const char *name;
        double sparsity;
        int n, m;
        bool alpha;
    } list[] = {{"wanda_unstructured", 0.5, 0, 0, false},
                {"wanda_2of4", 0, 2, 4, false},
                {"wanda_4of8", 0, 4, 8, false},
                {"wanda_variant", 0.5, 0, 0, true}};
    (void)state;
    struct layer l;
    struct error e;
    if (!layer_golden(&l))
        skip();
    float *norm = layer_floats(l.cols);
    norms(&l, norm);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char path[128];
        snprintf(path, sizeof path, "goldens/prune/%s_mask.npy", list[i].name);
        struct golden mask = golden_npy(shared_path(path));
        float *w = layer_weights(&l);
        struct wanda p = {w, l.rows, l.cols, sweep_stride(l.cols), norm, list[i].sparsity,
                          list[i].n, list[i].m, list[i].alpha, 0};
        assert_done(wanda_prune(&p, NULL, &e), e);
        const double agree = mask_agreement(&l, w, &mask), error = layer_error(&l, w);
        print_message("%s: masks %.6f, error %.6f\n", list[i].name, agree, error);
        assert_true(agree >= 0.9995);
        assert_true(fabs(error / golden_error(list[i].name) - 1) < 0.01);
        golden_free(&mask);
        free(w);
    }
    free(norm);
    layer_free(&l);
}

/* Exactly floor(cols * s) of a row go: the lowest scores, the first of equals. */
static void shares_and_ties(void **state)
{
    (void)state;
    struct error e;
    uint64_t seed = 7;
    for (size_t cols = 1; cols < 70; cols++)
        for (int s = 0; s <= 10; s++) {
            float w[2 * 80], before[2 * 80], norm[80];
            for (size_t i = 0; i < 160; i++)
                w[i] = before[i] = (float)(random_next(&seed) % 5 + 1) * (i % 2 ? -1.0f : 1.0f);
            for (size_t i = 0; i < 80; i++)
                norm[i] = (float)(1 + random_next(&seed) % 2);
            struct wanda p = {.w = w, .rows = 2, .cols = cols, .ld = 80, .norm = norm,
                              .sparsity = s / 10.0};
            assert_done(wanda_prune(&p, NULL, &e), e);
            for (size_t r = 0; r < 2; r++) {
                const float *b = before + r * 80;
                size_t gone = (size_t)((double)cols * (s / 10.0)), count = 0;
                for (size_t i = 0; i < cols; i++) {
                    size_t rank = 0;
                    for (size_t j = 0; j < cols; j++) {
                        const float x = fabsf(b[i]) * norm[i], y = fabsf(b[j]) * norm[j];
                        rank += y < x || (y == x && j < i);
                    }
                    assert_int_equal(w[r * 80 + i] == 0, rank < gone);
                    count += w[r * 80 + i] == 0;
                }
                assert_int_equal(count, gone);
            }
        }
}

static void pattern_with_rest(void **state)
{
    (void)state;
    struct error e;
    float w[13] = {1, 2, 3, 4, 8, 7, 6, 5, 9, 9, 9, 9, 1}, norm[13];
    for (size_t i = 0; i < 13; i++)
        norm[i] = 1;
    struct wanda p = {.w = w, .rows = 1, .cols = 13, .ld = 13, .norm = norm, .n = 2, .m = 4};
    assert_done(wanda_prune(&p, NULL, &e), e);
    const float wanted[13] = {0, 0, 3, 4, 8, 7, 0, 0, 0, 0, 9, 9, 0};
    assert_memory_equal(w, wanted, sizeof w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens),
        cmocka_unit_test(shares_and_ties),
        cmocka_unit_test(pattern_with_rest),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
