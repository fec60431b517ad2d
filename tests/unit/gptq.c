/* GPTQ against the released code (goldens/prune) and a plain f64 form on odd groups. */
#include "layer.h"

#include "quantize.h"

static uint32_t *descending(const struct layer *l)
{
    uint32_t *order = malloc(l->cols * sizeof *order);
    for (size_t i = 0; i < l->cols; i++) {
        size_t rank = 0;
        float d = hessian_at(&l->h, i, i);
        d = d == 0 ? 1 : d;
        for (size_t j = 0; j < l->cols; j++) {
            float o = hessian_at(&l->h, j, j);
            o = o == 0 ? 1 : o;
            rank += o > d || (o == d && j < i);
        }
        order[rank] = (uint32_t)i;
    }
    return order;
}

struct setting {
    const char *name;
    int bits;
    size_t group;
    bool symmetric, act_order, static_groups;
};

static void run(const struct layer *l, const struct setting *s, size_t block, bool keep_zeros,
                float *w, struct gptq *g)
{
    struct error e;
    struct factor f;
    uint32_t *order = s->act_order ? descending(l) : NULL;
    *g = (struct gptq){.bits = s->bits, .group = s->group, .symmetric = s->symmetric,
                       .static_groups = s->static_groups, .keep_zeros = keep_zeros, .block = block};
    layer_factor(&f, &l->h, order, 0.01, FACTOR_AUTO, true);
    assert_done(gptq_run(g, w, l->rows, l->cols, &f, order, best_kernels(), NULL, &e), e);
    free(order);
    factor_free(&f);
    /* codes, scales and zero points say the same as w */
    const size_t group = s->group && s->group < l->cols ? s->group : l->cols;
    for (size_t r = 0; r < l->rows; r++)
        for (size_t j = 0; j < l->cols; j++) {
            const size_t at = r * g->groups + (g->g_idx ? (size_t)g->g_idx[j] : j / group);
            const float q = g->scale[at] * ((float)g->codes[r * l->cols + j] - (float)g->zero[at]);
            assert_true(q == w[r * sweep_stride(l->cols) + j]);
        }
}

static void goldens(void **state)
{
    static const struct setting list[] = {
        {"gptq_w4_g128_asym", 4, 128, false, false, false},
        {"gptq_w4_g128_sym", 4, 128, true, false, false},
        {"gptq_w3_rowwise_asym", 3, 0, false, false, false},
        {"gptq_w2_g128_asym", 2, 128, false, false, false},
        {"gptq_w4_rowwise_actorder", 4, 0, false, true, false},
        {"gptq_w4_g128_actorder_static", 4, 128, false, true, true},
    };
    (void)state;
    struct layer l;
    if (!layer_golden(&l))
        skip();
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct gptq g;
        float *w = layer_weights(&l);
        run(&l, &list[i], 128, false, w, &g);
        const double agree = golden_agreement(&l, w, list[i].name), error = layer_error(&l, w);
        print_message("%s: weights %.6f, error %.6f\n", list[i].name, agree, error);
        assert_true(agree >= 0.9995);
        assert_true(fabs(error / golden_error(list[i].name) - 1) < 0.01);
        gptq_free(&g);
        free(w);
    }
    layer_free(&l);
}

/* The released code's loop in f64, with the grids in f32. */
static double *plain(const struct layer *l, const struct setting *s, size_t block)
{
    const size_t rows = l->rows, cols = l->cols;
    const size_t group = s->group && s->group < cols ? s->group : cols;
    uint32_t *order = s->act_order ? descending(l) : NULL;
    double *u = plain_factor(l, order, 0.01), *out = malloc(rows * cols * sizeof *out);
    float *part = malloc(cols * sizeof *part);
    for (size_t r = 0; r < rows; r++) {
        double *w = calloc(cols, sizeof *w), *seen = calloc(cols, sizeof *seen);
        float scale = 1, *scales = calloc(cols, sizeof *scales);
        uint8_t zero = 0, *zeros = calloc(cols, 1);
        if (group == cols)
            quantize_grid(l->w + r * cols, cols, s->bits, s->symmetric, &scale, &zero);
        for (size_t i = 0; i < cols; i++) {
            const size_t j = order ? order[i] : i;
            w[i] = hessian_at(&l->h, j, j) == 0 ? 0 : (double)l->w[r * cols + j];
        }
        for (size_t c = 0; c < cols; c += group) {
            const size_t n = cols - c < group ? cols - c : group;
            for (size_t j = 0; j < n; j++)
                part[j] = hessian_at(&l->h, c + j, c + j) == 0 ? 0 : l->w[r * cols + c + j];
            quantize_grid(part, n, s->bits, s->symmetric, &scales[c / group], &zeros[c / group]);
        }
        for (size_t i = 0; i < cols; i++) {
            const size_t j = order ? order[i] : i;
            if (i % block == 0)
                memcpy(seen, w, cols * sizeof *w); /* W: without the updates within the block */
            if (group < cols && s->static_groups) {
                scale = scales[j / group];
                zero = zeros[j / group];
            } else if (group < cols && i % group == 0) {
                const size_t n = cols - i < group ? cols - i : group;
                for (size_t k = 0; k < n; k++)
                    part[k] = (float)seen[i + k];
                quantize_grid(part, n, s->bits, s->symmetric, &scale, &zero);
            }
            const double top = (1 << s->bits) - 1;
            double q = nearbyint(w[i] / (double)scale) + zero;
            q = (double)scale * ((q < 0 ? 0 : q > top ? top : q) - zero);
            const double err = (w[i] - q) / u[i * cols + i];
            for (size_t k = i + 1; k < cols; k++)
                w[k] -= err * u[i * cols + k];
            out[r * cols + j] = q;
        }
        free(w);
        free(seen);
        free(scales);
        free(zeros);
    }
    free(part);
    free(u);
    free(order);
    return out;
}

static void odd_groups(void **state)
{
    static const struct setting list[] = {
        {"", 4, 24, false, false, false}, {"", 3, 200, true, false, false},
        {"", 4, 40, false, true, false},  {"", 2, 40, false, true, true},
        {"", 5, 100, false, false, true}, {"", 8, 7, false, false, false},
        {"", 4, 0, false, true, false},   {"", 4, 96, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        for (size_t dead = 0; dead < 20; dead += 13) {
            struct layer l;
            struct gptq g;
            const size_t block = i % 2 ? 32 : 64;
            layer_random(&l, 19, 172, 6, 50, dead, i + 1);
            float *w = layer_weights(&l);
            double *wanted = plain(&l, &list[i], block);
            run(&l, &list[i], block, false, w, &g);
            const double agree = weight_agreement(&l, w, wanted);
            /* One weight at the edge of two codes takes the row after it along. */
            if (agree < 0.97)
                fail_msg("case %zu, dead %zu: %.5f of the weights agree", i, dead, agree);
            free(wanted);
            gptq_free(&g);
            free(w);
            layer_free(&l);
        }
}

static void zeros_stay(void **state)
{
    const struct setting s = {"", 3, 32, false, true, false};
    (void)state;
    struct layer l;
    struct gptq g;
    layer_random(&l, 20, 100, 4, 50, 0, 9);
    for (size_t i = 0; i < l.rows * l.cols; i += 3)
        l.w[i] = 0;
    float *w = layer_weights(&l);
    run(&l, &s, 64, true, w, &g);
    for (size_t i = 0; i < l.rows * l.cols; i += 3)
        assert_true(w[i / l.cols * sweep_stride(l.cols) + i % l.cols] == 0);
    gptq_free(&g);
    free(w);
    layer_free(&l);
}

/* Shrunk grids are at least as near in the measure they are chosen by. */
static void mse_grids(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 50; i++) {
        float w[64], scale[2];
        uint8_t zero[2];
        double lost[2] = {0};
        for (size_t j = 0; j < 64; j++) {
            const float x = (float)(int64_t)random_next(&seed) * 0x1p-63f;
            w[j] = x * x * x;
        }
        for (int m = 0; m < 2; m++) {
            quantize_grid_search(best_kernels(), w, 64, 3, i % 2, m, &scale[m], &zero[m]);
            for (size_t j = 0; j < 64; j++) {
                const float q = (float)quantize_code(w[j], scale[m], zero[m], 3) - (float)zero[m];
                lost[m] += pow(fabs((double)(scale[m] * q - w[j])), 2.4);
            }
        }
        assert_true(lost[1] <= lost[0] * (1 + 1e-6));
        assert_true(scale[1] <= scale[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens),
        cmocka_unit_test(odd_groups),
        cmocka_unit_test(zeros_stay),
        cmocka_unit_test(mse_grids),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
