/* Every architecture: the tiny models of tests/data/models, and the goldens where ../shared is
 * there, must give the numbers of transformers; and each of them the same bits over processor
 * levels, threads, batches, streamed and resident, one pass and cached decoding. */
#include <dirent.h>
#include <math.h>

#include "golden.h"

#include "forward.h"
#include "memory.h"
#include "network.h"
#include "pass.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s: %s", directory, error.text);                                             \
    } while (0)
static struct error error;
static const char *directory; /* of the model at hand */

enum { SEQUENCES = 3, LONGEST = 256, PROMPTS = 9 };

static void model_open(struct source *s, struct pool *pool)
{
    OK(source_open(s, scratch_path("model.kick"), pool, &error));
}

static void ingest(void)
{
    char command[4096];
    const char *build = getenv("KICK_BUILD");
    snprintf(command, sizeof command, "%s/bin/kick-ingest-model -q '%s' -o '%s'",
             build ? build : "build", directory, scratch_path("model.kick"));
    if (system(command))
        fail_msg("%s: not ingested", directory);
}

static int32_t *id_list(const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    int32_t *ids = memory_new(*n, sizeof *ids, "a test", &error);
    for (size_t i = 0; i < *n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return ids;
}

struct expected {
    json_t *golden;
    struct pass_sequence sequence[SEQUENCES];
    int32_t *ids[SEQUENCES];
};

static void expected_read(struct expected *x)
{
    char path[4096];
    *x = (struct expected){0};
    snprintf(path, sizeof path, "%s/golden.json", directory);
    x->golden = json_read_file(path, 1 << 24, &error);
    assert_non_null(x->golden);
    const json_t *list = json_object_get(x->golden, "sequences");
    assert_int_equal(json_array_size(list), SEQUENCES);
    for (size_t i = 0; i < SEQUENCES; i++) {
        const json_t *ids = json_object_get(json_array_get(list, i), "input_ids");
        x->ids[i] = id_list(ids, &x->sequence[i].count);
        x->sequence[i].ids = x->ids[i];
        assert_true(x->sequence[i].count <= LONGEST);
    }
}

static void expected_free(struct expected *x)
{
    for (size_t i = 0; i < SEQUENCES; i++)
        free(x->ids[i]);
    json_decref(x->golden);
}

/* ---- the numbers of transformers ---------------------------------------------------------------
 */

static void check_numbers(const struct expected *x)
{
    struct source s;
    struct pass *p = NULL;
    double worst = 0;
    model_open(&s, NULL);
    OK(pass_run(&p, &s, x->sequence, SEQUENCES, NULL, NULL, NULL, &error));
    for (size_t i = 0; i < SEQUENCES; i++) {
        const json_t *list = json_object_get(x->golden, "sequences");
        const json_t *want = json_object_get(json_array_get(list, i), "nll_per_token");
        double nll[LONGEST];
        OK(pass_nll(p, i, 1, x->sequence[i].count - 1, nll, &error));
        for (size_t j = 0; j + 1 < x->sequence[i].count; j++)
            worst = fmax(worst, fabs(nll[j] - json_number_value(json_array_get(want, j))));
    }
    printf("%s: nll of a token off by %.2g\n", directory, worst);
    if (!(worst < 1e-4))
        fail_msg("%s: nll of a token off by %g", directory, worst);
    pass_free(p);
    source_close(&s);
}

static void check_greedy(const struct expected *x)
{
    const json_t *runs = json_object_get(x->golden, "greedy");
    struct source s;
    struct network n;
    model_open(&s, NULL);
    OK(network_load(&n, &s, NULL, NULL, &error));
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        const json_t *margin = json_object_get(run, "min_margin");
        struct generation g = {.item = i};
        size_t length = 0;
        int32_t *prompt = id_list(json_object_get(run, "prompt_ids"), &g.prompt_count);
        int32_t *want = id_list(json_object_get(run, "new_ids"), &length);
        const struct generate_options o = {.max_new = length, .batch = 1, .ignore_eos = true};
        g.prompt = prompt;
        OK(network_generate(&n, &o, &g, 1, NULL, &error));
        assert_int_equal(g.count, length);
        if ((!margin || json_number_value(margin) > 1e-3) &&
            memcmp(g.ids, want, length * sizeof *want))
            fail_msg("%s: other greedy ids", directory);
        free(g.ids);
        free(prompt);
        free(want);
    }
    network_free(&n);
    source_close(&s);
}

/* ---- the same bits -----------------------------------------------------------------------------
 */

/* Logits of all sequences, one after another. */
static float *run_pass(const struct expected *x, struct pool *pool, bool together, size_t *floats)
{
    struct source s;
    struct pass *p = NULL;
    size_t rows = 0, ld = 0;
    float *out = NULL;
    for (size_t i = 0; i < SEQUENCES; i++)
        rows += x->sequence[i].count;
    for (size_t i = 0, row = 0; i < SEQUENCES; i++) {
        if (i == 0 || !together) {
            model_open(&s, pool);
            ld = panel_size(s.model.vocab);
            OK(pass_run(&p, &s, x->sequence + i, together ? SEQUENCES : 1, pool, NULL, NULL,
                        &error));
        }
        if (!out)
            out = memory_new(rows, ld * sizeof *out, "a test", &error);
        OK(pass_logits(p, together ? i : 0, 0, x->sequence[i].count, out + row * ld, &error));
        row += x->sequence[i].count;
        if (!together || i + 1 == SEQUENCES) {
            pass_free(p);
            source_close(&s);
        }
    }
    *floats = rows * ld;
    return out;
}

/* The same by the resident network, in pieces of the given lengths (repeated). */
static float *run_pieces(const struct expected *x, struct pool *pool, const size_t *piece,
                         size_t pieces, size_t *floats)
{
    struct source s;
    struct network n;
    model_open(&s, pool);
    OK(network_load(&n, &s, pool, NULL, &error));
    const size_t ld = panel_size(s.model.vocab), stride = forward_stride(&s.model);
    size_t rows = 0;
    for (size_t i = 0; i < SEQUENCES; i++)
        rows += x->sequence[i].count;
    float *out = memory_new(rows, ld * sizeof *out, "a test", &error);
    float *act = memory_new(LONGEST, stride * sizeof *act, "a test", &error);
    struct cache *cache = memory_new(s.model.layers, sizeof *cache, "a test", &error);
    *floats = rows * ld;
    for (size_t i = 0, row = 0; i < SEQUENCES; i++) {
        const struct pass_sequence *q = &x->sequence[i];
        for (size_t layer = 0; layer < s.model.layers; layer++)
            cache[layer].length = 0;
        for (size_t at = 0, k = 0; at < q->count; k++) {
            size_t m = piece[k % pieces];
            m = m < q->count - at ? m : q->count - at;
            const struct entry entry = {q->ids + at, at, m, act};
            OK(forward_enter(n.forward, ROLE_EMBEDDING, NULL, &n.embedding, &entry, 1, &error));
            for (enum model_role r = ROLE_PROJECT_IN; r <= ROLE_POSITIONS; r++)
                if (n.before.present[r])
                    OK(forward_enter(n.forward, r, NULL, &n.before.matrix[r], &entry, 1, &error));
            for (size_t layer = 0; layer < s.model.layers; layer++) {
                const struct sequence part = {.count = m, .cache = &cache[layer]};
                OK(forward_block(n.forward, &n.block[layer], layer, act, &part, 1, NULL, &error));
            }
            OK(forward_logits(n.forward, n.norm, s.model.tied ? &n.embedding : &n.head, act, m,
                              out + (row + at) * ld, &error));
            at += m;
        }
        row += q->count;
    }
    for (size_t layer = 0; layer < s.model.layers; layer++)
        cache_free(&cache[layer]);
    free(cache);
    free(act);
    network_free(&n);
    source_close(&s);
    return out;
}

static void same(float *got, const float *want, size_t floats, const char *what)
{
    if (memcmp(got, want, floats * sizeof *got))
        fail_msg("%s: other bits %s", directory, what);
    free(got);
}

/* Sampled ids of prompts of different lengths, in batches. */
static void check_batches(void)
{
    static const size_t batches[] = {1, 7, 64};
    int32_t *first[PROMPTS] = {0};
    size_t counts[PROMPTS] = {0};
    struct source s;
    struct network n;
    model_open(&s, NULL);
    OK(network_load(&n, &s, NULL, NULL, &error));
    for (size_t b = 0; b < 3; b++) {
        static int32_t ids[PROMPTS][2 * PROMPTS];
        struct generation list[PROMPTS] = {{0}};
        for (size_t i = 0; i < PROMPTS; i++) {
            for (size_t j = 0; j < 1 + 2 * i; j++)
                ids[i][j] = (int32_t)((7 * i + 3 * j + 2) % s.model.vocab);
            list[i] =
                (struct generation){.prompt = ids[i], .prompt_count = 1 + 2 * i, .item = i};
        }
        const struct generate_options o = {
            .max_new = 24, .batch = batches[b], .temperature = 1.2, .top_p = 0.95, .seed = 3};
        OK(network_generate(&n, &o, list, PROMPTS, NULL, &error));
        for (size_t i = 0; i < PROMPTS; i++) {
            if (b == 0) {
                first[i] = list[i].ids;
                counts[i] = list[i].count;
                continue;
            }
            assert_int_equal(list[i].count, counts[i]);
            if (memcmp(list[i].ids, first[i], counts[i] * sizeof *first[i]))
                fail_msg("%s: other ids with a batch of %zu", directory, batches[b]);
            free(list[i].ids);
        }
    }
    for (size_t i = 0; i < PROMPTS; i++)
        free(first[i]);
    network_free(&n);
    source_close(&s);
}

/* Sequences, and prompts, that begin alike share what they have in common: no bit may differ from
 * each alone. Branches: against the sequence that has their ids. */
static void check_alike(const struct expected *x)
{
    enum { ALIKE = 6 };
    int32_t ids[ALIKE][LONGEST];
    struct pass_sequence list[ALIKE] = {{0}};
    struct generation prompts[ALIKE] = {{0}};
    struct pass *p = NULL, *one = NULL;
    struct source s, whole;
    struct network n;
    size_t longest = 0;
    for (size_t i = 0; i < SEQUENCES; i++)
        if (x->sequence[i].count > x->sequence[longest].count)
            longest = i;
    const struct pass_sequence *from = &x->sequence[longest];
    model_open(&whole, NULL);
    const size_t vocab = whole.model.vocab, ld = panel_size(vocab);
    float *a = memory_new(LONGEST, ld * sizeof *a, "a test", &error);
    float *b = memory_new(LONGEST, ld * sizeof *b, "a test", &error);
    /* Whole, cut, other ends, another begin, the same once more. */
    for (size_t i = 0; i < ALIKE; i++) {
        list[i] = (struct pass_sequence){ids[i], from->count - (i == 1 ? 5 : 0), NULL, 0};
        memcpy(ids[i], from->ids, list[i].count * sizeof **ids);
        if (i == 2 || i == 3)
            ids[i][list[i].count - 6 * (i - 1)] ^= 1;
        if (i == 4)
            ids[i][2] ^= 1;
    }
    const int32_t tail[] = {ids[0][3], ids[0][1], ids[0][4]};
    const struct pass_branch branch[] = {{tail, 3, list[3].count - 3},
                                         {tail + 1, 1, list[3].count - 3}};
    list[3].branch = branch;
    list[3].branches = 2;
    OK(pass_run(&p, &whole, list, ALIKE, NULL, NULL, NULL, &error));
    for (size_t i = 0; i < ALIKE; i++) {
        double nll[LONGEST], want[LONGEST];
        model_open(&s, NULL);
        OK(pass_run(&one, &s, &list[i], 1, NULL, NULL, NULL, &error));
        OK(pass_logits(p, i, 0, list[i].count, a, &error));
        OK(pass_logits(one, 0, 0, list[i].count, b, &error));
        OK(pass_nll(p, i, 1, list[i].count - 1, nll, &error));
        OK(pass_nll(one, 0, 1, list[i].count - 1, want, &error));
        if (memcmp(a, b, list[i].count * ld * sizeof *a) ||
            memcmp(nll, want, (list[i].count - 1) * sizeof *nll))
            fail_msg("%s: other bits of sequence %zu beside its like", directory, i);
        pass_free(one);
        source_close(&s);
    }
    double nll[4], want[3];
    int32_t next, likely[4], best = 0;
    OK(pass_logits(p, 3, list[3].count - 1, 1, a, &error));
    for (size_t i = 1; i < vocab; i++)
        best = a[i] > a[best] ? (int32_t)i : best;
    OK(pass_branches(p, 3, nll, likely, &next, &error));
    OK(pass_logits(p, 3, list[3].count - 4, 1, a, &error));
    for (size_t i = 1, k = 0; i <= vocab; i++) {
        k = i < vocab && a[i] > a[k] ? i : k;
        assert_true(i < vocab || (likely[0] == (int32_t)k && likely[3] == (int32_t)k));
    }
    pass_free(p);
    source_close(&whole);
    memcpy(ids[0], ids[3], (list[3].count - 3) * sizeof **ids);
    memcpy(ids[0] + list[3].count - 3, tail, sizeof tail);
    model_open(&s, NULL);
    OK(pass_run(&one, &s, &list[0], 1, NULL, NULL, NULL, &error));
    OK(pass_nll(one, 0, list[3].count - 3, 3, want, &error));
    if (next != best || memcmp(nll, want, sizeof want))
        fail_msg("%s: other bits of a branch", directory);
    ids[0][list[3].count - 3] = tail[1];
    OK(pass_nll(one, 0, list[3].count - 3, 1, want, &error));
    assert_memory_equal(&nll[3], want, sizeof *want);
    pass_free(one);
    source_close(&s);

    model_open(&s, NULL);
    OK(network_load(&n, &s, NULL, NULL, &error));
    for (size_t batch = 1; batch <= ALIKE; batch += 2) {
        const struct generate_options o = {.max_new = 12, .batch = batch, .ignore_eos = true};
        for (size_t i = 0; i < ALIKE; i++)
            prompts[i] = (struct generation){
                .prompt = ids[i], .prompt_count = list[i].count / 2, .item = i, .score = true};
        OK(network_generate(&n, &o, prompts, ALIKE, NULL, &error));
        for (size_t i = 0; i < ALIKE; i++) {
            struct generation g = prompts[i];
            OK(network_generate(&n, &o, &g, 1, NULL, &error));
            if (g.count != prompts[i].count ||
                memcmp(g.ids, prompts[i].ids, g.count * sizeof *g.ids) ||
                memcmp(g.logprob, prompts[i].logprob, g.count * sizeof *g.logprob))
                fail_msg("%s: another answer to prompt %zu beside its like", directory, i);
            free(g.ids);
            free(g.logprob);
            free(prompts[i].ids);
            free(prompts[i].logprob);
        }
    }
    network_free(&n);
    source_close(&s);
    free(a);
    free(b);
}

static void check_bits(const struct expected *x)
{
    static const size_t whole[] = {LONGEST}, one[] = {1}, odd[] = {1, 18, 3, 1, 40, 7};
    size_t floats = 0;
    float *want = run_pass(x, NULL, true, &floats);
    same(run_pass(x, NULL, false, &floats), want, floats, "one sequence at a time");
    same(run_pieces(x, NULL, whole, 1, &floats), want, floats, "resident");
    same(run_pieces(x, NULL, one, 1, &floats), want, floats, "one token at a time");
    same(run_pieces(x, NULL, odd, 6, &floats), want, floats, "in pieces");
    for (long threads = 2; threads <= 3; threads++) {
        struct pool *pool = NULL;
        OK(pool_new(&pool, threads, &error));
        same(run_pass(x, pool, true, &floats), want, floats, "with more threads");
        same(run_pieces(x, pool, odd, 6, &floats), want, floats, "in pieces with more threads");
        pool_free(pool);
    }
    for (int i = 0; i <= (int)cpu_best(); i++) {
        setenv("KICK_CPU", cpu_level_name((enum cpu_level)i), 1);
        same(run_pass(x, NULL, true, &floats), want, floats, cpu_level_name((enum cpu_level)i));
    }
    unsetenv("KICK_CPU");
    free(want);
    check_batches();
}

/* ---- all of them -------------------------------------------------------------------------------
 */

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.' && !strchr(d->d_name, '.');
}

static size_t check_folder(const char *folder)
{
    struct dirent **list = NULL;
    const int n = scandir(folder, &list, visible, alphasort);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        char path[2048];
        struct expected x;
        snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
        directory = path;
        ingest();
        expected_read(&x);
        check_numbers(&x);
        check_greedy(&x);
        check_bits(&x);
        check_alike(&x);
        expected_free(&x);
        free(list[i]);
    }
    free(list);
    return (size_t)n;
}

static void own_models(void **unused)
{
    (void)unused;
    assert_true(check_folder("tests/data/models") >= 17);
}

static void golden_models(void **unused)
{
    (void)unused;
    const char *folder = shared_path("goldens/models");
    if (!folder)
        skip();
    assert_true(check_folder(folder) >= 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(own_models),
                                       cmocka_unit_test(golden_models)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
