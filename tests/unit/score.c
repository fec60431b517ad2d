/* Scorers, ROUGE and statistics against tables of our own, and against ../shared where it is. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "kernel.h"
#include "memory.h"
#include "rouge.h"
#include "score.h"
#include "statistics.h"

static struct error e;

/* Lines of a golden file as JSON; skips the test where it is absent. */
static json_t *golden(const char *name)
{
    char path[1024];
    const char *shared = getenv("KICK_SHARED");
    snprintf(path, sizeof path, "%s/goldens/eval/%s", shared ? shared : "../shared", name);
    FILE *f = fopen(path, "r");
    if (!f)
        skip();
    json_t *all = json_array();
    char *line = NULL;
    size_t room = 0;
    for (ssize_t n; (n = getline(&line, &room, f)) > 0;) {
        json_error_t je;
        json_t *row = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, &je);
        assert_non_null(row);
        json_array_append_new(all, row);
    }
    free(line);
    fclose(f);
    return all;
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static size_t strings(const json_t *list, const char ***out)
{
    const size_t n = json_array_size(list);
    *out = calloc(n + 1, sizeof **out);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = json_string_value(json_array_get(list, i));
    return n;
}

static void normal_form(const char *in, const char *want)
{
    struct buffer b = {0};
    assert_int_equal(score_normalize(&b, in, strlen(in), &e), 0);
    assert_string_equal((char *)b.data, want);
    buffer_free(&b);
}

static void normalization(void **unused)
{
    (void)unused;
    normal_form("", "");
    normal_form("The  Quick_brown FOX!", "quick brown fox");
    normal_form("a an the", "");
    normal_form("A-ha and Athena", "ha and athena");
    normal_form("\xc3\x84pfel \xe2\x80\x98x\xe2\x80\x99 \xe2\x80\x9cy\xe2\x80\x9d",
                "\xc3\xa4pfel x \xe2\x80\x9cy\xe2\x80\x9d");
    normal_form("a\xcc\x81 b", "\xcc\x81 b");          /* a combining mark is no word character */
    normal_form("\xce\x9f\xce\x94\xce\xa3", "\xce\xbf\xce\xb4\xcf\x82"); /* final sigma */
    normal_form("\xc4\xb0", "i\xcc\x87");
    normal_form("x\xc2\xa0y\xe3\x80\x80z", "x y z");
}

static void answers(void **unused)
{
    (void)unused;
    static const char *const gold[] = {"Paris", "the City of Light"};
    struct score_em s;
    int equal, within, f;
    assert_int_equal(score_answer(&s, "", 0, gold, 2, &e), 0);
    assert_int_equal(s.released_em, 1); /* the quirk: nothing is contained in everything */
    assert_int_equal(s.official_em, 0);
    assert_int_equal(score_answer(&s, "city of light, Paris", 20, gold, 2, &e), 0);
    assert_int_equal(s.released_em, 1);
    assert_int_equal(s.official_em, 0);
    assert_true(fabs(s.official_f1 - 2 * 0.75 * 1 / 1.75) < 1e-15);
    assert_int_equal(score_strict(&equal, &within, "\n Paris.\nmore", 13, gold, 2, &e), 0);
    assert_int_equal(equal, 1);
    assert_int_equal(score_strict(&equal, &within, "Parisian", 8, gold, 2, &e), 0);
    assert_int_equal(equal + within, 0);
    assert_int_equal(score_strict(&equal, &within, "in Paris now", 12, gold, 2, &e), 0);
    assert_int_equal(equal, 0);
    assert_int_equal(within, 1);
    assert_int_equal(score_freebase(&f, "xxPA risyy", 10, gold, 2, &e), 0);
    assert_int_equal(f, 1);
}

static void shared_scorers(void **unused)
{
    (void)unused;
    json_t *all = golden("scorers.jsonl"), *o;
    size_t i;
    int bad = 0;
    json_array_foreach(all, i, o)
    {
        const char **alias, *p = text(o, "prediction"), *prompt = text(o, "prompt");
        const size_t n = strings(json_object_get(o, "aliases"), &alias), k = strlen(p);
        struct buffer b = {0}, both = {0};
        struct score_em s;
        int f, g;
        assert_int_equal(score_normalize(&b, p, k, &e), 0);
        assert_int_equal(score_answer(&s, p, k, alias, n, &e), 0);
        buffer_append(&both, prompt, strlen(prompt), &e);
        buffer_append(&both, p, k, &e);
        assert_int_equal(score_freebase(&f, (char *)both.data, both.length, alias, n, &e), 0);
        assert_int_equal(score_freebase(&g, p, k, alias, n, &e), 0);
        const bool fine = !strcmp((char *)b.data, text(o, "norm_prediction")) &&
                          s.released_em == (int)number(o, "released_em") &&
                          s.official_em == (int)number(o, "official_em") &&
                          fabs(s.released_f1 - number(o, "released_f1")) < 1e-12 &&
                          fabs(s.official_f1 - number(o, "official_f1")) < 1e-12 &&
                          f == (int)number(o, "freebase") &&
                          g == (int)number(o, "freebase_output_only");
        if (!fine) {
            bad++;
            print_message("triple %zu (%s): '%s' for '%s'; %d %d %g %d %d\n", i, text(o, "category"), (char *)b.data,
                          text(o, "norm_prediction"), s.released_em, s.official_em, s.released_f1, f, g);
        }
        buffer_free(&b);
        buffer_free(&both);
        free(alias);
    }
    print_message("%zu triples, %d differ\n", json_array_size(all), bad);
    json_decref(all);
    assert_int_equal(bad, 0);
}

static void shared_factoid(void **unused)
{
    (void)unused;
    json_t *all = golden("factoid.jsonl"), *o;
    size_t i;
    json_array_foreach(all, i, o)
    {
        const char **gold, *out = text(o, "new_text"), *whole = text(o, "full_text");
        const size_t n = strings(json_object_get(o, "gold"), &gold);
        int equal, within, paper, own;
        assert_int_equal(score_strict(&equal, &within, out, strlen(out), gold, n, &e), 0);
        assert_int_equal(score_freebase(&paper, whole, strlen(whole), gold, n, &e), 0);
        assert_int_equal(score_freebase(&own, out, strlen(out), gold, n, &e), 0);
        assert_int_equal(equal, (int)number(o, "strict_equal"));
        assert_int_equal(within, (int)number(o, "strict_contains_words"));
        assert_int_equal(paper, (int)number(o, "paper"));
        assert_int_equal(own, (int)number(o, "paper_generated_only"));
        free(gold);
    }
    json_decref(all);
}

/* ---- ROUGE -------------------------------------------------------------------------------------
 */

static void stems(void **unused)
{
    (void)unused;
    static const char *const table[][2] = {
        {"caresses", "caress"}, {"ponies", "poni"},      {"dies", "die"},       {"cats", "cat"},
        {"agreed", "agre"},     {"plastered", "plaster"}, {"motoring", "motor"}, {"hopping", "hop"},
        {"hoping", "hope"},     {"happy", "happi"},      {"relational", "relat"}, {"skies", "sky"},
        {"geologi", "geolog"},  {"adjustment", "adjust"}, {"controll", "control"}, {"enjoy", "enjoy"},
        {"tied", "tie"},        {"probate", "probat"},   {"news", "news"},      {"using", "use"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char word[32];
        snprintf(word, sizeof word, "%s", table[i][0]);
        word[porter_stem(word, strlen(word))] = 0;
        assert_string_equal(word, table[i][1]);
    }
}

static void rouge_by_hand(void **unused)
{
    (void)unused;
    struct rouge r;
    static const char c[] = "the cat sat on the mat", t[] = "the cat lay on the mat";
    assert_int_equal(rouge_score(&r, c, strlen(c), t, strlen(t), false, &e), 0);
    assert_true(fabs(r.r1.f - 5.0 / 6) < 1e-15);
    assert_true(fabs(r.r2.f - 3.0 / 5) < 1e-15);
    assert_true(fabs(r.l.f - 5.0 / 6) < 1e-15);
    assert_int_equal(rouge_score(&r, "", 0, t, strlen(t), true, &e), 0);
    assert_true(r.r1.f == 0 && r.lsum.f == 0);
}

static double worst(const json_t *want, struct rouge_score got)
{
    const double d[] = {json_number_value(json_array_get(want, 0)) - got.precision,
                        json_number_value(json_array_get(want, 1)) - got.recall,
                        json_number_value(json_array_get(want, 2)) - got.f};
    return fmax(fabs(d[0]), fmax(fabs(d[1]), fabs(d[2])));
}

static void shared_rouge(void **unused)
{
    (void)unused;
    json_t *all = golden("summary.jsonl"), *o;
    size_t i;
    int n = 0, bad = 0;
    json_array_foreach(all, i, o)
    {
        if (strcmp(text(o, "kind"), "rouge"))
            continue;
        for (int stem = 0; stem < 2; stem++) {
            const char *c = text(o, "candidate"), *t = text(o, "reference");
            const json_t *want = json_object_get(o, stem ? "stemmed" : "plain");
            struct rouge r;
            assert_int_equal(rouge_score(&r, c, strlen(c), t, strlen(t), stem, &e), 0);
            const double d = fmax(fmax(worst(json_object_get(want, "rouge1"), r.r1),
                                       worst(json_object_get(want, "rouge2"), r.r2)),
                                  fmax(worst(json_object_get(want, "rougeL"), r.l),
                                       worst(json_object_get(want, "rougeLsum"), r.lsum)));
            n++;
            if (d > 1e-12) {
                bad++;
                print_message("%s %s %s: off by %g\n", text(o, "id"), text(o, "category"),
                              stem ? "stemmed" : "plain", d);
            }
        }
    }
    json_decref(all);
    print_message("%d pairs, %d differ\n", n, bad);
    assert_int_equal(bad, 0);
    assert_true(n > 0);
}

/* ---- statistics --------------------------------------------------------------------------------
 */

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1e-3, fabs(b));
}

static void statistics_by_hand(void **unused)
{
    (void)unused;
    /* b = 1, c = 5: 2 (1 + 6) / 64 = 0.21875, mid-p less 6/64 */
    const struct mcnemar m = statistics_mcnemar(1, 5);
    assert_true(near(m.exact, 0.21875) && near(m.mid, 0.125));
    assert_true(near(statistics_mcnemar(0, 0).exact, 1) && near(statistics_mcnemar(3, 3).exact, 1));
    double adjusted[3];
    assert_int_equal(statistics_holm((double[]){0.04, 0.01, 0.03}, 3, adjusted, &e), 0);
    assert_true(near(adjusted[0], 0.06) && near(adjusted[1], 0.03) && near(adjusted[2], 0.06));
    assert_true(near(statistics_normal_quantile(0.975), 1.959963984540054));
    assert_true(near(statistics_log_gamma(0.5), 0.5723649429247001));
    assert_true(near(statistics_clopper_pearson(0, 1, 0.95).high, 0.975));
    const float p[] = {0, 0}, q[] = {0, 1.0986122886681098f}; /* 1/2 1/2 and 1/4 3/4 */
    const struct divergence d = kernels_scalar.divergence(p, q, 2);
    assert_true(fabs(d.kl_pq - 0.5 * log(4.0 / 3)) < 1e-7);
    struct flips f = {0};
    flips_add(&f, true, false, false);
    flips_add(&f, false, false, false);
    flips_add(&f, false, false, true);
    assert_int_equal(f.right_to_wrong + f.wrong_to_right, 1);
    assert_int_equal(f.wrong_to_other, 1);
}

/* A nominal 95 % interval must hold the true mean 94 to 96 times in 100 at n = 500: of differences of
 * two right-or-wrong scores, of right-or-wrong scores, and of skewed numbers as windows have. With so
 * many trials the share found is within 0.7 points of the true one. */
static void coverage(void **unused)
{
    (void)unused;
    enum { N = 500, TRIALS = 4000, DRAWS = 1000, KINDS = 3 };
    static const double mean[KINDS] = {-0.05, 0.3, 1};
    struct draws d;
    assert_int_equal(draws_new(&d, N, DRAWS, random_key_new(1, "bootstrap"), &e), 0);
    for (size_t kind = 0; kind < KINDS; kind++) {
        const struct random_key data = random_key_new(kind, "test data");
        double x[N];
        int inside = 0;
        for (uint64_t t = 0; t < TRIALS; t++) {
            struct bootstrap b;
            for (size_t i = 0; i < N; i++) {
                const double u = random_uniform(data, t, i);
                x[i] = kind == 0 ? (u < 0.15) * -1.0 + (u >= 0.15 && u < 0.25)
                       : kind == 1 ? u < 0.3
                                   : -log(1 - u);
            }
            assert_int_equal(draws_bootstrap(&d, x, 1, 0.95, data, &b, &e), 0);
            inside += b.interval.low <= mean[kind] && b.interval.high >= mean[kind];
        }
        print_message("coverage %.2f %%\n", 100.0 * inside / TRIALS);
        assert_in_range(inside, TRIALS * 94 / 100, TRIALS * 96 / 100);
    }
    draws_free(&d);
}

/* Rows of one number each: only drawing them spreads. Equal rows: as one of them. */
static void seeds(void **unused)
{
    (void)unused;
    enum { N = 50, DRAWS = 20000 };
    const struct random_key key = random_key_new(3, "seeds");
    double x[3 * N];
    struct bootstrap b, one;
    struct draws d;
    assert_int_equal(draws_new(&d, N, DRAWS, random_key_new(4, "items"), &e), 0);
    for (size_t i = 0; i < 3 * N; i++)
        x[i] = (double)(i / N);
    assert_int_equal(draws_bootstrap(&d, x, 3, 0.95, key, &b, &e), 0);
    assert_true(fabs(b.mean - 1) < 1e-12);
    assert_true(fabs(b.deviation - sqrt(2.0 / 9)) < 0.005); /* of three draws of 0, 1, 2 */
    assert_true(b.interval.low == 0 && b.interval.high == 2);  /* 1 / 27 each */
    for (size_t i = 0; i < 3 * N; i++)
        x[i] = (double)(i % N % 7);
    assert_int_equal(draws_bootstrap(&d, x, 3, 0.95, key, &b, &e), 0);
    assert_int_equal(draws_bootstrap(&d, x, 1, 0.95, key, &one, &e), 0);
    assert_true(fabs(b.interval.low - one.interval.low) < 1e-12);
    assert_true(fabs(b.interval.high - one.interval.high) < 1e-12);
    /* The draws are those of statistics_bootstrap(): of integers, and of differences of right-or-wrong
     * scores, the sums are exact. */
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < N; i++)
            x[i] = kind ? (double)(i % 7) : (double)(i % 3) - 1;
        assert_int_equal(draws_bootstrap(&d, x, 1, 0.95, key, &one, &e), 0);
        assert_int_equal(statistics_bootstrap(x, N, DRAWS, 0.95, random_key_new(4, "items"), &b, &e), 0);
        assert_memory_equal(&b, &one, sizeof b);
    }
    draws_free(&d);
}

static void pair(const json_t *o, const char *key, struct interval got)
{
    const json_t *want = json_object_get(o, key);
    if (!near(got.low, json_number_value(json_array_get(want, 0))) ||
        !near(got.high, json_number_value(json_array_get(want, 1))))
        fail_msg("%s %s: %.12g %.12g", text(o, "id"), key, got.low, got.high);
}

static void one_bootstrap(const json_t *o)
{
    const json_t *x = json_object_get(o, "x"), *rows = json_object_get(o, "indices");
    const json_t *want = json_object_get(o, "boot_means");
    const size_t n = json_array_size(x), draws = (size_t)number(o, "B");
    double *mean = calloc(draws, sizeof *mean);
    uint32_t s = 12345;
    for (size_t b = 0; b < draws; b++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            s = 1664525 * s + 1013904223;
            const size_t at = json_is_array(rows) ? (size_t)json_integer_value(json_array_get(
                                                        json_array_get(rows, b), i))
                                                  : (s >> 16) % n;
            sum += json_number_value(json_array_get(x, at));
        }
        mean[b] = sum / (double)n;
        if (b < json_array_size(want))
            assert_true(near(mean[b], json_number_value(json_array_get(want, b))));
    }
    const char *q;
    json_t *v;
    json_object_foreach(json_object_get(o, "percentile_linear"), q, v)
    {
        assert_true(near(statistics_quantile(mean, draws, strtod(q, NULL) / 100),
                         json_number_value(v)));
    }
    free(mean);
}

static void shared_statistics(void **unused)
{
    (void)unused;
    json_t *all = golden("stats.jsonl"), *o;
    size_t i, seen = 0;
    json_array_foreach(all, i, o)
    {
        const char *kind = text(o, "kind");
        seen++;
        if (!strcmp(kind, "mcnemar")) {
            const struct mcnemar m =
                statistics_mcnemar((uint64_t)number(o, "b"), (uint64_t)number(o, "c"));
            const json_t *c = json_object_get(o, "p_chi2_corrected");
            if (!near(m.exact, number(o, "p_exact")) || !near(m.mid, number(o, "p_mid")) ||
                (!json_is_null(c) && !near(m.corrected, json_number_value(c))))
                fail_msg("%s: %.12g %.12g %.12g", text(o, "id"), m.exact, m.mid, m.corrected);
        } else if (!strcmp(kind, "holm")) {
            const json_t *p = json_object_get(o, "p"), *want = json_object_get(o, "adjusted");
            double in[256], out[256];
            const size_t n = json_array_size(p);
            for (size_t k = 0; k < n; k++)
                in[k] = json_number_value(json_array_get(p, k));
            assert_int_equal(statistics_holm(in, n, out, &e), 0);
            for (size_t k = 0; k < n; k++)
                assert_true(near(out[k], json_number_value(json_array_get(want, k))));
        } else if (!strcmp(kind, "proportion")) {
            const uint64_t k = (uint64_t)number(o, "k"), n = (uint64_t)number(o, "n");
            pair(o, "wilson_0.95", statistics_wilson(k, n, 0.95));
            pair(o, "wilson_0.99", statistics_wilson(k, n, 0.99));
            pair(o, "wilson_0.9", statistics_wilson(k, n, 0.9));
            pair(o, "clopper_pearson_0.95", statistics_clopper_pearson(k, n, 0.95));
            pair(o, "clopper_pearson_0.99", statistics_clopper_pearson(k, n, 0.99));
            pair(o, "clopper_pearson_0.9", statistics_clopper_pearson(k, n, 0.9));
        } else if (!strcmp(kind, "flips")) {
            const char *g = text(o, "gold"), *a = text(o, "dense"), *b = text(o, "compressed");
            struct flips f = {0};
            for (size_t k = 0; g[k]; k++)
                flips_add(&f, a[k] == g[k], b[k] == g[k], a[k] == b[k]);
            assert_int_equal(f.right_to_wrong, (int)number(o, "right_to_wrong"));
            assert_int_equal(f.wrong_to_right, (int)number(o, "wrong_to_right"));
            assert_int_equal(f.wrong_to_other, (int)number(o, "wrong_to_other_wrong"));
            assert_true(near((double)(f.right_to_wrong + f.wrong_to_right) / (double)f.n,
                             number(o, "flips")));
            assert_true(near(statistics_mcnemar(f.right_to_wrong, f.wrong_to_right).exact,
                             number(o, "mcnemar_p")));
        } else if (!strcmp(kind, "bootstrap")) {
            one_bootstrap(o);
        } else {
            seen--;
        }
    }
    print_message("%zu cases\n", seen);
    json_decref(all);
    assert_true(seen > 0);
}

/* Logits of a small .npy file (f32, little-endian, C order). */
static float *npy(const char *name, size_t *rows, size_t *columns)
{
    char path[1024], head[256];
    const char *shared = getenv("KICK_SHARED");
    snprintf(path, sizeof path, "%s/goldens/%s", shared ? shared : "../shared", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(head, 1, 10, f), 10);
    const size_t n = (size_t)(unsigned char)head[8] | (size_t)(unsigned char)head[9] << 8;
    assert_true(n < sizeof head - 1);
    assert_int_equal(fread(head, 1, n, f), n);
    head[n] = 0;
    const char *shape = strchr(strstr(head, "shape"), '(');
    char *end;
    *rows = strtoul(shape + 1, &end, 10);
    *columns = strtoul(end + 1, &end, 10);
    if (*end == ',' && strtoul(end + 1, NULL, 10)) { /* a leading dimension of one */
        *rows *= *columns;
        *columns = strtoul(end + 1, NULL, 10);
    }
    float *x = calloc(*rows * *columns, sizeof *x);
    assert_int_equal(fread(x, sizeof *x, *rows * *columns, f), *rows * *columns);
    fclose(f);
    return x;
}

static void shared_divergence(void **unused)
{
    (void)unused;
    json_t *all = golden("stats.jsonl"), *o;
    size_t i, seen = 0;
    json_array_foreach(all, i, o)
    {
        if (strcmp(text(o, "kind"), "divergence_files"))
            continue;
        size_t rows, columns, rows_q, columns_q, agree = 0;
        float *p = npy(text(o, "p_logits"), &rows, &columns);
        float *q = npy(text(o, "q_logits"), &rows_q, &columns_q);
        double pq = 0, qp = 0, js = 0;
        assert_true(columns == columns_q);
        rows = rows < rows_q ? rows : rows_q;
        for (size_t r = 0; r < rows; r++) {
            const struct divergence d =
                kernels_scalar.divergence(p + r * columns, q + r * columns, columns);
            pq += d.kl_pq;
            qp += d.kl_qp;
            js += d.js;
            agree += d.agree;
        }
        const double n = (double)rows;
        assert_int_equal(rows, (int)number(o, "n_tokens"));
        assert_true(near(pq / n, number(o, "kl_pq")) && near(qp / n, number(o, "kl_qp")) &&
                    near(js / n, number(o, "js")));
        assert_int_equal(agree, (int)number(o, "top1_agree_count"));
        seen++;
        free(p);
        free(q);
    }
    json_decref(all);
    assert_true(seen > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalization),      cmocka_unit_test(answers),
        cmocka_unit_test(shared_scorers),     cmocka_unit_test(shared_factoid),
        cmocka_unit_test(stems),              cmocka_unit_test(rouge_by_hand),
        cmocka_unit_test(shared_rouge),       cmocka_unit_test(statistics_by_hand),
        cmocka_unit_test(coverage),           cmocka_unit_test(seeds),
        cmocka_unit_test(shared_statistics),
        cmocka_unit_test(shared_divergence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
