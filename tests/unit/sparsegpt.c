/* Hessians, their factors and SparseGPT: against the released code (goldens/prune), against plain
 * f64 forms on ragged layers with dead columns, and all levels and threads by memcmp. */
#include "layer.h"

#include "pool.h"

static void hessian_is_the_sum(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 5, 16, 33, 97, 200};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct layer l;
        const size_t n = sizes[i];
        layer_random(&l, 1, n, 3, 37, 0, i);
        for (size_t r = 0; r < n; r++)
            for (size_t c = 0; c <= r; c++) {
                double sum = 0, size = 0;
                for (size_t t = 0; t < l.samples * l.length; t++) {
                    const double x = (double)l.x[t * l.ld + r] * (double)l.x[t * l.ld + c];
                    sum += x * 2 / (double)l.samples;
                    size += fabs(x);
                }
                assert_true(fabs(sum - (double)hessian_at(&l.h, r, c)) <= 1e-6 * size + 1e-9);
            }
        layer_free(&l);
    }
}

/* Settling keeps every entry as hessian_at() gave it before. */
static void settling(void **state)
{
    (void)state;
    struct layer l;
    layer_random(&l, 1, 77, 3, 40, 9, 4);
    float before[77 * 77];
    for (size_t i = 0; i < 77 * 77; i++)
        before[i] = hessian_at(&l.h, i / 77, i % 77);
    hessian_settle(&l.h);
    for (size_t i = 0; i < 77 * 77; i++)
        assert_true(before[i] == hessian_at(&l.h, i / 77, i % 77));
    layer_free(&l);
}

/* U H U^T is the identity. */
static void factor_inverts(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 15, 16, 50, 96, 97, 192, 230, 540, 600};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct layer l;
        struct factor f;
        const size_t n = sizes[i];
        layer_random(&l, 1, n, 4, n + 8, 9, i + 3);
        /* The blocked f32 form on small matrices too. */
        layer_factor(&f, &l.h, NULL, 0.01, n > 230 ? FACTOR_AUTO : FACTOR_F32, false);
        assert_int_equal(f.dead_count, n / 9);
        assert_false(f.f64);
        double mean = 0, worst = 0;
        for (size_t r = 0; r < n; r++)
            mean += (f.dead[r] ? 1 : (double)hessian_at(&l.h, r, r)) / (double)n;
        double *v = malloc(n * sizeof *v);
        for (size_t r = 0; r < n; r++) { /* v = H u_r */
            for (size_t c = 0; c < n; c++) {
                v[c] = 0;
                for (size_t k = r; k < n; k++) {
                    double h = c == k && f.dead[c] ? 1 : (double)hessian_at(&l.h, c, k);
                    h += c == k ? 0.01 * mean : 0;
                    v[c] += h * (double)f.panel[factor_at(f.padded, k / 16) + r * 16 + k % 16];
                }
            }
            for (size_t q = r; q < n && q < r + 40; q++) {
                double s = 0;
                for (size_t k = q; k < n; k++)
                    s += v[k] * (double)f.panel[factor_at(f.padded, k / 16) + q * 16 + k % 16];
                worst = fabs(s - (q == r)) > worst ? fabs(s - (q == r)) : worst;
            }
        }
        assert_true(worst < 1e-4);
        free(v);
        factor_free(&f);
        layer_free(&l);
    }
}

static void sweep_golden(const struct layer *l, const char *name, double sparsity, int n, int m)
{
    struct error e;
    struct factor f;
    char path[128];
    for (int precision = FACTOR_AUTO; precision <= FACTOR_F32; precision++) {
        float *w = layer_weights(l);
        layer_factor(&f, &l->h, NULL, 0.01, (enum factor_precision)precision, false);
        struct sweep s = {.kernels = best_kernels(), .factor = &f, .w = w, .rows = l->rows,
                          .cols = l->cols, .block = 128, .sparsity = sparsity, .n = n, .m = m};
        assert_done(sweep_run(&s, &e), e);
        snprintf(path, sizeof path, "goldens/prune/%s_mask.npy", name);
        struct golden mask = golden_npy(shared_path(path));
        const double masks = mask_agreement(l, w, &mask), weights = golden_agreement(l, w, name);
        const double error = layer_error(l, w);
        print_message("%s: masks %.6f, weights %.6f, error %.6f\n", name, masks, weights, error);
        assert_true(masks >= 0.9995);
        /* In f32 a pair of nearly equal weights may change places, and their rows with them. */
        assert_true(weights >= (f.f64 ? 0.9995 : 0.997));
        assert_true(fabs(error / golden_error(name) - 1) < 0.01);
        golden_free(&mask);
        factor_free(&f);
        free(w);
    }
}

static void goldens(void **state)
{
    (void)state;
    struct layer l;
    if (!layer_golden(&l))
        skip();
    sweep_golden(&l, "sparsegpt_unstructured", 0.5, 0, 0);
    sweep_golden(&l, "sparsegpt_2of4", 0, 2, 4);
    sweep_golden(&l, "sparsegpt_4of8", 0, 4, 8);
    layer_free(&l);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The algorithm as the released code has it, in f64. */
static double *plain(const struct layer *l, size_t block, double sparsity, size_t n, size_t m)
{
    const size_t rows = l->rows, cols = l->cols;
    double *u = plain_factor(l, NULL, 0.01), *w = malloc(rows * cols * sizeof *w);
    double *e = malloc(rows * block * sizeof *e), *sorted = malloc(rows * block * sizeof *e);
    for (size_t i = 0; i < rows * cols; i++)
        w[i] = hessian_at(&l->h, i % cols, i % cols) == 0 ? 0 : (double)l->w[i];
    for (size_t a = 0; a < cols; a += block) {
        const size_t count = cols - a < block ? cols - a : block;
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < count; c++)
                e[r * count + c] = w[r * cols + a + c] * w[r * cols + a + c] /
                                   (u[(a + c) * cols + a + c] * u[(a + c) * cols + a + c]);
        memcpy(sorted, e, rows * count * sizeof *e);
        qsort(sorted, rows * count, sizeof *e, by_value);
        const double limit = sorted[(size_t)((double)(rows * count) * sparsity)];
        for (size_t r = 0; r < rows; r++) {
            double *v = w + r * cols;
            bool gone[64] = {0};
            for (size_t c = 0; c < count; c++) {
                const size_t i = a + c;
                if (m && c % m == 0) {
                    const size_t length = count - c < m ? count - c : m;
                    memset(gone, 0, sizeof gone);
                    for (size_t k = 0; k < m - n && k < length; k++) {
                        size_t least = SIZE_MAX;
                        double low = INFINITY;
                        for (size_t q = 0; q < length; q++) {
                            const double d = u[(i + q) * cols + i + q];
                            if (!gone[q] && v[i + q] * v[i + q] / (d * d) < low) {
                                low = v[i + q] * v[i + q] / (d * d);
                                least = q;
                            }
                        }
                        gone[least] = true;
                    }
                }
                const bool prune = m ? gone[c % m] : e[r * count + c] <= limit;
                const double err = prune ? v[i] / u[i * cols + i] : 0;
                for (size_t j = i + 1; j < cols; j++)
                    v[j] -= err * u[i * cols + j];
                v[i] = prune ? 0 : v[i];
            }
        }
    }
    free(u);
    free(e);
    free(sorted);
    return w;
}

static void ragged_and_dead(void **state)
{
    static const struct {
        size_t rows, cols, block, dead;
        double sparsity;
        int n, m;
    } list[] = {{20, 172, 128, 0, 0.5, 0, 0}, {33, 200, 64, 7, 0.7, 0, 0},
                {7, 77, 32, 5, 0.3, 0, 0},    {20, 172, 128, 11, 0, 4, 8},
                {5, 100, 16, 0, 0, 1, 2},     {17, 70, 48, 3, 0, 2, 4},
                {9, 15, 128, 0, 0.5, 0, 0},   {24, 64, 16, 64, 0, 5, 16}};
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct layer l;
        struct factor f;
        struct error e;
        layer_random(&l, list[i].rows, list[i].cols, 5, 60, list[i].dead, i + 1);
        double *wanted = plain(&l, list[i].block, list[i].sparsity, (size_t)list[i].n, (size_t)list[i].m);
        float *w = layer_weights(&l);
        layer_factor(&f, &l.h, NULL, 0.01, FACTOR_AUTO, false);
        for (size_t r = 0; r < l.rows; r++)
            for (size_t j = 0; j < l.cols; j++)
                w[r * sweep_stride(l.cols) + j] *= f.dead[j] ? 0 : 1;
        struct sweep s = {.kernels = best_kernels(), .factor = &f, .w = w, .rows = l.rows,
                          .cols = l.cols, .block = list[i].block, .sparsity = list[i].sparsity,
                          .n = list[i].n, .m = list[i].m};
        assert_done(sweep_run(&s, &e), e);
        const double agree = weight_agreement(&l, w, wanted);
        if (agree < 0.9995)
            fail_msg("case %zu: %.5f of the weights agree", i, agree);
        free(wanted);
        free(w);
        factor_free(&f);
        layer_free(&l);
    }
}

/* All levels and numbers of threads give the same bytes. */
static void same_bytes(void **state)
{
    (void)state;
    struct layer l;
    struct pool *pool;
    struct error e;
    layer_random(&l, 70, 560, 3, 200, 13,
                 5); /* more than a group of panels, and than rows of one length */
    assert_done(pool_new(&pool, 3, &e), e);
    float *first = NULL;
    for (int i = 0; i < 4; i++) {
        const struct kernels *k = i < 2 ? &kernels_scalar : best_kernels();
        struct pool *p = i % 2 ? pool : NULL;
        struct hessian h;
        struct factor f;
        assert_done(hessian_new(&h, l.cols, &e), e);
        for (size_t s = 0; s < l.samples; s++)
            assert_done(hessian_add(&h, k, p, l.length, l.x + s * l.length * l.ld, l.ld, NULL, &e),
                        e);
        const struct factor_options o = {0.01, FACTOR_F32, false};
        assert_done(factor_new(&f, &h, NULL, &o, k, p, &e), e);
        float *w = layer_weights(&l);
        struct sweep s = {.kernels = k, .pool = p, .factor = &f, .w = w, .rows = l.rows,
                          .cols = l.cols, .block = 64, .sparsity = 0.6};
        assert_done(sweep_run(&s, &e), e);
        if (first)
            assert_memory_equal(first, w, l.rows * sweep_stride(l.cols) * sizeof *w);
        else
            first = w;
        if (first != w)
            free(w);
        hessian_free(&h);
        factor_free(&f);
    }
    free(first);
    pool_free(pool);
    layer_free(&l);
}

/* A Hessian of fewer samples than columns, without damping: f64, then more damping, and told. */
static void damping_ladder(void **state)
{
    (void)state;
    struct layer l;
    struct factor f;
    struct error e;
    layer_random(&l, 1, 64, 1, 8, 0, 2);
    layer_factor(&f, &l.h, NULL, 0, FACTOR_AUTO, false);
    assert_true(f.damping > 0);
    factor_free(&f);
    l.x[3] = INFINITY;
    assert_done(hessian_add(&l.h, best_kernels(), NULL, l.length, l.x, l.ld, NULL, &e), e);
    assert_int_equal(factor_new(&f, &l.h, NULL, &(struct factor_options){.damping = 0.01},
                                best_kernels(), NULL, &e),
                     -1);
    assert_non_null(strstr(e.text, "column 3"));
    layer_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hessian_is_the_sum), cmocka_unit_test(settling), cmocka_unit_test(factor_inverts),
        cmocka_unit_test(goldens),            cmocka_unit_test(ragged_and_dead),
        cmocka_unit_test(same_bytes),         cmocka_unit_test(damping_ladder),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
