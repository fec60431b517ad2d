/* One linear layer for the tests of the calibrated methods: inputs, weights, Hessian, errors; and a
 * plain f64 form of the column sweep to compare with. */
#ifndef KICK_TESTS_LAYER_H
#define KICK_TESTS_LAYER_H

#include "golden.h"

#include <math.h>

#include "gptq.h"
#include "hessian.h"
#include "matrix.h"
#include "memory.h"
#include "sweep.h"
#include "wanda.h"

struct layer {
    size_t rows, cols, samples, length, ld; /* ld: of x */
    float *x, *w;                           /* (samples * length, ld), (rows, cols) */
    struct hessian h;
};

static inline const struct kernels *best_kernels(void)
{
    return kernels_of(cpu_best());
}

static inline float *layer_floats(size_t n)
{
    struct error e;
    float *p = memory_new(n, sizeof *p, "a test", &e);
    assert_non_null(p);
    return p;
}

static inline void layer_measure(struct layer *l)
{
    struct error e;
    assert_done(hessian_new(&l->h, l->cols, &e), e);
    for (size_t s = 0; s < l->samples; s++)
        assert_done(hessian_add(&l->h, best_kernels(), NULL, l->length,
                                l->x + s * l->length * l->ld, l->ld, NULL, &e),
                    e);
}

/* goldens/prune; false where it is absent. */
static inline bool layer_golden(struct layer *l)
{
    if (!shared_path("goldens/prune/X.npy"))
        return false;
    struct golden x = golden_npy(shared_path("goldens/prune/X.npy"));
    struct golden w = golden_npy(shared_path("goldens/prune/W.npy"));
    *l = (struct layer){.rows = w.shape[0], .cols = w.shape[1], .samples = x.shape[0],
                        .length = x.shape[1], .ld = panel_size(w.shape[1])};
    l->x = layer_floats(l->samples * l->length * l->ld);
    l->w = layer_floats(w.count);
    for (size_t i = 0; i < x.count; i++)
        l->x[i / l->cols * l->ld + i % l->cols] = (float)golden_at(&x, i);
    for (size_t i = 0; i < w.count; i++)
        l->w[i] = (float)golden_at(&w, i);
    golden_free(&x);
    golden_free(&w);
    layer_measure(l);
    return true;
}

/* Correlated inputs; every dead-th column is zero. */
static inline void layer_random(struct layer *l, size_t rows, size_t cols, size_t samples,
                                size_t length, size_t dead, uint64_t seed)
{
    *l = (struct layer){.rows = rows, .cols = cols, .samples = samples, .length = length,
                        .ld = panel_size(cols)};
    l->x = layer_floats(samples * length * l->ld);
    l->w = layer_floats(rows * cols);
    for (size_t t = 0; t < samples * length; t++)
        for (size_t j = 0; j < cols; j++) {
            const float fresh = (float)(int64_t)random_next(&seed) * 0x1p-63f;
            l->x[t * l->ld + j] = fresh * (1 + (float)(j % 7)) + (j ? 0.3f * l->x[t * l->ld + j - 1] : 0);
        }
    for (size_t t = 0; dead && t < samples * length; t++)
        for (size_t j = dead - 1; j < cols; j += dead)
            l->x[t * l->ld + j] = 0;
    for (size_t i = 0; i < rows * cols; i++)
        l->w[i] = (float)(int64_t)random_next(&seed) * 0x1p-63f;
    layer_measure(l);
}

static inline void layer_free(struct layer *l)
{
    free(l->x);
    free(l->w);
    hessian_free(&l->h);
}

static inline void layer_factor(struct factor *f, const struct hessian *h, const uint32_t *order,
                                double damping, enum factor_precision precision, bool direct)
{
    const struct factor_options o = {damping, precision, direct};
    struct error e;
    assert_done(factor_new(f, h, order, &o, best_kernels(), NULL, &e), e);
}

/* The weights in rows of sweep_stride(). */
static inline float *layer_weights(const struct layer *l)
{
    float *w = layer_floats(l->rows * sweep_stride(l->cols));
    for (size_t r = 0; r < l->rows; r++)
        memcpy(w + r * sweep_stride(l->cols), l->w + r * l->cols, l->cols * sizeof *w);
    return w;
}

/* || X W^T - X W'^T || / || X W^T || in f64. */
static inline double layer_error(const struct layer *l, const float *after)
{
    double lost = 0, whole = 0;
    for (size_t t = 0; t < l->samples * l->length; t++)
        for (size_t r = 0; r < l->rows; r++) {
            double y = 0, z = 0;
            for (size_t j = 0; j < l->cols; j++) {
                const double x = (double)l->x[t * l->ld + j];
                y += x * (double)l->w[r * l->cols + j];
                z += x * (double)after[r * sweep_stride(l->cols) + j];
            }
            lost += (y - z) * (y - z);
            whole += y * y;
        }
    return sqrt(lost / whole);
}

/* Shares of places that are zero in both or in neither, and of weights within 1e-4 of the largest. */
static inline double mask_agreement(const struct layer *l, const float *w, const struct golden *mask)
{
    size_t same = 0;
    for (size_t r = 0; r < l->rows; r++)
        for (size_t j = 0; j < l->cols; j++)
            same += (w[r * sweep_stride(l->cols) + j] == 0) ==
                    (golden_at(mask, r * l->cols + j) != 0);
    return (double)same / (double)(l->rows * l->cols);
}

static inline double weight_agreement(const struct layer *l, const float *w, const double *wanted)
{
    double most = 0;
    size_t same = 0;
    for (size_t i = 0; i < l->rows * l->cols; i++)
        most = fabs(wanted[i]) > most ? fabs(wanted[i]) : most;
    for (size_t r = 0; r < l->rows; r++)
        for (size_t j = 0; j < l->cols; j++)
            same += fabs((double)w[r * sweep_stride(l->cols) + j] - wanted[r * l->cols + j]) <=
                    1e-4 * most;
    return (double)same / (double)(l->rows * l->cols);
}

static inline double golden_agreement(const struct layer *l, const float *w, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "goldens/prune/%s.npy", name);
    struct golden g = golden_npy(shared_path(path));
    double *wanted = malloc(g.count * sizeof *wanted);
    for (size_t i = 0; i < g.count; i++)
        wanted[i] = golden_at(&g, i);
    const double share = weight_agreement(l, w, wanted);
    free(wanted);
    golden_free(&g);
    return share;
}

/* "rel_error" of a result in goldens/prune/golden.json. */
static inline double golden_error(const char *name)
{
    struct error e;
    json_t *all = json_read_file(shared_path("goldens/prune/golden.json"), 1 << 20, &e);
    assert_non_null(all);
    const json_t *result = json_object_get(json_object_get(all, "results"), name);
    assert_non_null(result);
    const double x = json_number_value(json_object_get(result, "rel_error"));
    json_decref(all);
    return x;
}

/* ---- the same in f64, straight from the formulas -----------------------------------------------
 */

/* U (n, n): U_ij, i <= j, with H^-1 = U^T U of the damped H, by Gauss and Cholesky. */
static inline double *plain_factor(const struct layer *l, const uint32_t *order, double damping)
{
    const size_t n = l->cols;
    double *a = calloc(n * 2 * n, sizeof *a), *u = calloc(n * n, sizeof *u), mean = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            a[i * 2 * n + j] = (double)hessian_at(&l->h, order ? order[i] : i, order ? order[j] : j);
    for (size_t i = 0; i < n; i++) {
        if (a[i * 2 * n + i] == 0)
            a[i * 2 * n + i] = 1;
        mean += a[i * 2 * n + i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        a[i * 2 * n + i] += damping * mean;
        a[i * 2 * n + n + i] = 1;
    }
    for (size_t p = 0; p < n; p++) { /* positive definite: no pivoting */
        const double d = a[p * 2 * n + p];
        for (size_t j = 0; j < 2 * n; j++)
            a[p * 2 * n + j] /= d;
        for (size_t i = 0; i < n; i++) {
            const double f = a[i * 2 * n + p];
            for (size_t j = 0; i != p && f != 0 && j < 2 * n; j++)
                a[i * 2 * n + j] -= f * a[p * 2 * n + j];
        }
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++) {
            double s = a[i * 2 * n + n + j];
            for (size_t k = 0; k < i; k++)
                s -= u[k * n + i] * u[k * n + j];
            u[i * n + j] = i == j ? sqrt(s) : s / u[i * n + i];
        }
    free(a);
    return u;
}

#endif
