/* Magnitude pruning and rounding to nearest against goldens: of our own (tests/data), and of the
 * released code of others (../shared), on single matrices and through the programs. */
#include "golden.h"

#include <math.h>

#include "prune.h"
#include "quantize.h"
#include "stream.h"

#define OURS "tests/data/goldens.safetensors"

static uint16_t *to_bf16(const struct golden *w)
{
    uint16_t *p = malloc(w->count * 2);
    values_from_f32(VALUES_BF16, w->data, w->count, p);
    return p;
}

/* Zero exactly where the mask is 1, and unchanged elsewhere; what was zero before may stand either
 * way. */
static void check_mask(const char *what, enum tensor_values v, const void *before, const void *after,
                       const struct golden *mask)
{
    size_t width = values_size(v);
    assert_int_equal(mask->type[0], 'u');
    for (size_t i = 0; i < mask->count; i++) {
        const unsigned char *a = (const unsigned char *)before + i * width;
        const unsigned char *b = (const unsigned char *)after + i * width;
        int pruned = ((const uint8_t *)mask->data)[i], zero = 1;
        for (size_t k = 0; k < width; k++)
            zero &= b[k] == 0;
        if (pruned ? !zero : memcmp(a, b, width))
            fail_msg("%s: weight %zu is %s", what, i, pruned ? "not removed" : "removed or changed");
    }
}

static void prune_and_check(const char *what, const struct golden *w, enum tensor_values v,
                            double sparsity, int n, int m, const struct golden *mask)
{
    size_t rows = w->shape[0], cols = w->shape[1];
    struct error e = {{0}, 0};
    assert_int_equal(mask->count, w->count);
    for (long threads = 1; threads <= 3; threads += 2) {
        struct pool *pool;
        assert_done(pool_new(&pool, threads, &e), e);
        void *before = v == VALUES_BF16 ? (void *)to_bf16(w) : memcpy(malloc(4 * w->count), w->data, 4 * w->count);
        void *after = malloc(w->count * values_size(v));
        memcpy(after, before, w->count * values_size(v));
        assert_done(m ? prune_pattern(v, after, rows, cols, n, m, pool, &e)
                      : prune_magnitude(v, after, rows, cols, sparsity, pool, &e), e);
        check_mask(what, v, before, after, mask);
        free(before);
        free(after);
        pool_free(pool);
    }
}

static void own_masks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum tensor_values values;
        double sparsity;
        int n, m;
    } list[] = {
        {"magnitude_0", VALUES_F32, 0, 0, 0},       {"magnitude_0.3", VALUES_F32, 0.3, 0, 0},
        {"magnitude_0.5", VALUES_F32, 0.5, 0, 0},   {"magnitude_0.7", VALUES_F32, 0.7, 0, 0},
        {"magnitude_1", VALUES_F32, 1, 0, 0},       {"magnitude_bf16_0.5", VALUES_BF16, 0.5, 0, 0},
        {"pattern_2:4", VALUES_F32, 0, 2, 4},       {"pattern_4:8", VALUES_F32, 0, 4, 8},
        {"pattern_1:3", VALUES_F32, 0, 1, 3},       {"pattern_40:44", VALUES_F32, 0, 40, 44},
        {"pattern_1:64", VALUES_F32, 0, 1, 64},     {"pattern_bf16_2:4", VALUES_BF16, 0, 2, 4},
    };
    struct golden w = golden_tensor(OURS, "W");
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct golden mask = golden_tensor(OURS, list[i].name);
        prune_and_check(list[i].name, &w, list[i].values, list[i].sparsity, list[i].n, list[i].m,
                        &mask);
        golden_free(&mask);
    }
    golden_free(&w);
}

static void check_close(const char *what, size_t i, float got, float want, int ulps)
{
    float low = want, high = want;
    for (; ulps > 0; ulps--) {
        low = nextafterf(low, -INFINITY);
        high = nextafterf(high, INFINITY);
    }
    if (!(got >= low && got <= high))
        fail_msg("%s: number %zu is %.9g, not %.9g", what, i, (double)got, (double)want);
}

static void own_rtn(void **state)
{
    (void)state;
    static const struct {
        int bits;
        size_t group;
        bool symmetric;
    } list[] = {{4, 0, 0}, {4, 16, 0}, {3, 32, 1}, {2, 7, 0}, {8, 0, 1}, {8, 44, 0}};
    struct golden w = golden_tensor(OURS, "W");
    size_t rows = w.shape[0], cols = w.shape[1];
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char name[64];
        int n = snprintf(name, sizeof name, "rtn_%d_%zu_%d", list[i].bits, list[i].group,
                         list[i].symmetric);
        strcpy(name + n, "_scale");
        struct golden scale = golden_tensor(OURS, name);
        strcpy(name + n, "_zero");
        struct golden zero = golden_tensor(OURS, name);
        strcpy(name + n, "_codes");
        struct golden codes = golden_tensor(OURS, name);
        size_t group = list[i].group ? list[i].group : cols, groups = (cols + group - 1) / group;
        assert_int_equal(scale.count, rows * groups);
        for (size_t r = 0; r < rows; r++) {
            uint8_t c[64], z[64];
            float s[64];
            quantize_row(kernels_of(cpu_best()), (const float *)w.data + r * cols, cols, group, list[i].bits,
                         list[i].symmetric, c, s, z);
            assert_memory_equal(c, (const uint8_t *)codes.data + r * cols, cols);
            assert_memory_equal(z, (const uint8_t *)zero.data + r * groups, groups);
            assert_memory_equal(s, (const float *)scale.data + r * groups, groups * sizeof *s);
        }
        golden_free(&scale);
        golden_free(&zero);
        golden_free(&codes);
    }
    golden_free(&w);
}

/* Halves go to even, far weights to the ends; a range whose scale underflows is a grid of any kind. */
static void code_edges(void **state)
{
    (void)state;
    float scale, tiny[20] = {0};
    uint8_t zero;
    assert_int_equal(quantize_code(0.5f, 1, 8, 4), 8);
    assert_int_equal(quantize_code(1.5f, 1, 8, 4), 10);
    assert_int_equal(quantize_code(2.5f, 1, 8, 4), 10);
    assert_int_equal(quantize_code(-0.5f, 1, 8, 4), 8);
    assert_int_equal(quantize_code(-1.5f, 1, 8, 4), 6);
    assert_int_equal(quantize_code(1e30f, 1e-30f, 8, 4), 15);
    assert_int_equal(quantize_code(-1e30f, 1e-30f, 8, 4), 0);
    assert_int_equal(quantize_code(7.5f, 1, 8, 4), 15);
    for (int bits = 2; bits <= 8; bits++)
        for (int k = 1; k < 600; k++) {
            tiny[3] = -(float)k * 0x1p-149f;
            tiny[17] = (float)(k / 3) * 0x1p-149f;
            quantize_grid(tiny, 20, bits, false, &scale, &zero);
            assert_true(scale > 0 && zero < 1 << bits);
            assert_int_equal(quantize_code(0, scale, zero, bits), zero); /* zero stays zero */
        }
}

static void not_finite(void **state)
{
    (void)state;
    struct error e;
    float w[300 * 8] = {0};
    w[299 * 8 + 3] = INFINITY;
    w[130 * 8 + 5] = NAN;
    struct pool *pool;
    assert_done(pool_new(&pool, 3, &e), e);
    assert_refused(prune_magnitude(VALUES_F32, w, 300, 8, 0.5, pool, &e), e, "row 130 is not finite");
    assert_refused(prune_pattern(VALUES_F32, w, 300, 8, 2, 4, pool, &e), e, "row 130 is not finite");
    pool_free(pool);
}

/* ---- ../shared/goldens/prune ----------------------------------------------------------------------- */

static struct golden weights;
static double *gram; /* sum over calibration tokens of x x^T: errors are traces against it */

static bool shared_prune(void)
{
    if (!shared_path("goldens/prune/W.npy"))
        return false;
    if (gram)
        return true;
    weights = golden_npy(shared_path("goldens/prune/W.npy"));
    struct golden x = golden_npy(shared_path("goldens/prune/X.npy"));
    size_t cols = weights.shape[1], tokens = x.count / cols;
    gram = calloc(cols * cols, sizeof *gram);
    double *row = malloc(cols * sizeof *row);
    for (size_t t = 0; t < tokens; t++) {
        for (size_t j = 0; j < cols; j++)
            row[j] = golden_at(&x, t * cols + j);
        for (size_t i = 0; i < cols; i++)
            for (size_t j = 0; j < cols; j++)
                gram[i * cols + j] += row[i] * row[j];
    }
    free(row);
    golden_free(&x);
    return true;
}

/* sqrt of the sum over rows w of w G w^T. */
static double norm(const float *w, const float *minus)
{
    size_t rows = weights.shape[0], cols = weights.shape[1];
    double sum = 0, *d = malloc(cols * sizeof *d);
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < cols; j++)
            d[j] = (double)w[r * cols + j] - (minus ? (double)minus[r * cols + j] : 0);
        for (size_t i = 0; i < cols; i++) {
            double s = 0;
            for (size_t j = 0; j < cols; j++)
                s += gram[i * cols + j] * d[j];
            sum += d[i] * s;
        }
    }
    free(d);
    return sqrt(sum);
}

static void check_golden_error(const char *result, const float *w)
{
    struct error e;
    json_t *golden = json_read_file(shared_path("goldens/prune/golden.json"), 1 << 24, &e);
    const json_t *entry = json_object_get(json_object_get(golden, "results"), result);
    double want = json_number_value(json_object_get(entry, "rel_error"));
    double got = norm(weights.data, w) / norm(weights.data, NULL);
    size_t zeros = 0;
    for (size_t i = 0; i < weights.count; i++)
        zeros += w[i] == 0;
    if (!(fabs(got - want) <= 1e-6 * want))
        fail_msg("%s: relative error %.9g, not %.9g", result, got, want);
    assert_int_equal(zeros, json_integer_value(json_object_get(entry, "zeros")));
    json_decref(golden);
}

static void shared_masks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double sparsity;
        int n, m;
    } list[] = {{"magnitude_unstructured", 0.5, 0, 0}, {"magnitude_2of4", 0, 2, 4},
                {"magnitude_4of8", 0, 4, 8}};
    if (!shared_prune())
        skip();
    for (int i = 0; i < 3; i++) {
        char path[128];
        struct error e;
        snprintf(path, sizeof path, "goldens/prune/%s_mask.npy", list[i].name);
        struct golden mask = golden_npy(shared_path(path));
        prune_and_check(list[i].name, &weights, VALUES_F32, list[i].sparsity, list[i].n, list[i].m,
                        &mask);
        float *w = malloc(weights.count * sizeof *w);
        memcpy(w, weights.data, weights.count * sizeof *w);
        assert_done(list[i].m ? prune_pattern(VALUES_F32, w, weights.shape[0], weights.shape[1],
                                              list[i].n, list[i].m, NULL, &e)
                              : prune_magnitude(VALUES_F32, w, weights.shape[0], weights.shape[1],
                                                list[i].sparsity, NULL, &e), e);
        check_golden_error(list[i].name, w);
        free(w);
        golden_free(&mask);
    }
}

static void shared_rtn(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int bits;
        size_t group;
        bool symmetric;
    } list[] = {{"rtn_w8_rowwise_sym", 8, 0, true},
                {"rtn_w4_g128_asym", 4, 128, false},
                {"rtn_w3_g128_asym", 3, 128, false},
                {"rtn_w2_g128_asym", 2, 128, false},
                {"rtn_w4_rowwise_asym", 4, 0, false}};
    if (!shared_prune())
        skip();
    size_t rows = weights.shape[0], cols = weights.shape[1];
    for (int i = 0; i < 5; i++) {
        char path[128];
        snprintf(path, sizeof path, "goldens/prune/%s_scale.npy", list[i].name);
        struct golden scale = golden_npy(shared_path(path));
        snprintf(path, sizeof path, "goldens/prune/%s_zero.npy", list[i].name);
        struct golden zero = golden_npy(shared_path(path));
        size_t group = list[i].group ? list[i].group : cols, groups = cols / group;
        float *w = malloc(weights.count * sizeof *w);
        uint8_t *codes = malloc(cols);
        for (size_t r = 0; r < rows; r++) {
            float s[8];
            uint8_t z[8];
            quantize_row(kernels_of(cpu_best()), (const float *)weights.data + r * cols, cols, group, list[i].bits,
                         list[i].symmetric, codes, s, z);
            for (size_t g = 0; g < groups; g++) {
                check_close("scale", r * groups + g, s[g], (float)golden_at(&scale, r * groups + g),
                            1);
                assert_int_equal(z[g], (int)golden_at(&zero, r * groups + g));
            }
            for (size_t j = 0; j < cols; j++)
                w[r * cols + j] = s[j / group] * ((float)codes[j] - (float)z[j / group]);
        }
        check_golden_error(list[i].name, w);
        snprintf(path, sizeof path, "goldens/prune/%s.npy", list[i].name);
        if (shared_path(path)) {
            struct golden want = golden_npy(shared_path(path));
            for (size_t k = 0; k < want.count; k++)
                check_close(list[i].name, k, w[k], (float)golden_at(&want, k), 1);
            golden_free(&want);
        }
        free(w);
        free(codes);
        golden_free(&scale);
        golden_free(&zero);
    }
}

/* ---- through the programs --------------------------------------------------------------------------- */

static const char *program_directory(void)
{
    static char path[512];
    const char *build = getenv("KICK_BUILD");
    snprintf(path, sizeof path, "%s/bin", build ? build : "build");
    return path;
}

/* The checkpoint of ../shared through one program, opened. */
static struct stream_reader *run_program(const char *program)
{
    char command[2048];
    struct error e;
    struct stream_reader *r;
    const char *bin = program_directory();
    snprintf(command, sizeof command, "'%s/kick-ingest-model' '%s' | '%s'/kick-%s -o '%s'", bin,
             shared_path("goldens/stories260K"), bin, program, scratch_path("e2e"));
    if (system(command))
        fail_msg("failed: %s", command);
    assert_done(stream_open(&r, scratch_path("e2e"), "model", NULL, &e), e);
    return r;
}

static void programs_magnitude(void **state)
{
    (void)state;
    static const struct {
        const char *options, *file;
    } list[] = {{"-s 0.5", "50"}, {"-s 0.7", "70"}, {"-p 2:4", "2of4"}, {"-p 4:8", "4of8"}};
    if (!shared_path("goldens/e2e/magnitude_50_mask.safetensors"))
        skip();
    for (int i = 0; i < 4; i++) {
        char command[64], file[128];
        struct stream_record record;
        struct error e;
        int got, matrices = 0;
        snprintf(command, sizeof command, "prune-magnitude %s", list[i].options);
        snprintf(file, sizeof file, "goldens/e2e/magnitude_%s_mask.safetensors", list[i].file);
        struct stream_reader *r = run_program(command);
        while ((got = stream_next(r, &record, &e)) == 1) {
            struct tensor t;
            char name[200];
            if (!json_object_get(record.json, "tensor"))
                continue;
            assert_done(tensor_parse(&t, &record, &e), e);
            snprintf(name, sizeof name, "%.*s.mask", (int)(strlen(t.name) - strlen(".weight")),
                     t.name);
            struct golden mask = golden_tensor(shared_path(file), name);
            float *row = malloc(t.cols * sizeof *row);
            for (size_t k = 0; k < t.rows && mask.count; k++) {
                tensor_row(&t, k, row);
                for (size_t j = 0; j < t.cols; j++)
                    if ((row[j] == 0) != (golden_at(&mask, k * t.cols + j) != 0))
                        fail_msg("%s %s: row %zu column %zu", command, t.name, k, j);
            }
            matrices += mask.count > 0;
            free(row);
            golden_free(&mask);
            tensor_free(&t);
        }
        assert_done(got, e);
        assert_int_equal(matrices, 35); /* 7 matrices in each of 5 blocks */
        stream_close(r);
    }
}

static void programs_rtn(void **state)
{
    (void)state;
    static const char *const results[] = {"rtn_w4", "rtn_w3", "rtn_w2"};
    if (!shared_path("goldens/e2e/golden.json"))
        skip();
    struct error e;
    json_t *golden = json_read_file(shared_path("goldens/e2e/golden.json"), 1 << 24, &e);
    for (int i = 0; i < 3; i++) {
        char command[64];
        struct stream_record record;
        int got;
        size_t zeros = 0, total = 0;
        snprintf(command, sizeof command, "quantize-rtn -b %d -g 0", 4 - i);
        struct stream_reader *r = run_program(command);
        while ((got = stream_next(r, &record, &e)) == 1) {
            struct tensor t;
            size_t n;
            if (!json_object_get(record.json, "compression"))
                continue;
            assert_done(tensor_parse(&t, &record, &e), e);
            assert_done(tensor_zeros(&t, &n, &e), e);
            zeros += n;
            total += t.rows * t.cols;
            tensor_free(&t);
        }
        assert_done(got, e);
        const json_t *result = json_object_get(json_object_get(golden, "results"), results[i]);
        double want = json_number_value(json_object_get(result, "sparsity"));
        assert_int_equal(zeros, llround(want * (double)total)); /* the golden's share is an f32 */
        stream_close(r);
    }
    json_decref(golden);
}

static int teardown(void **state)
{
    golden_free(&weights);
    free(gram);
    return scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_masks),     cmocka_unit_test(own_rtn),
        cmocka_unit_test(code_edges),    cmocka_unit_test(not_finite),
        cmocka_unit_test(shared_masks),  cmocka_unit_test(shared_rtn),
        cmocka_unit_test(programs_magnitude), cmocka_unit_test(programs_rtn),
    };
    return cmocka_run_group_tests(tests, scratch_setup, teardown);
}
