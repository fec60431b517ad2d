/* The forward pass: the same bits in one pass, in chunks, one token at a time, in any batch, with
 * any number of threads and at any level; and the numbers of the goldens where ../shared is there.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "forward.h"
#include "json.h"
#include "memory.h"
#include "network.h"
#include "pass.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s", error.text);                                                            \
    } while (0)
static struct error error;

/* ---- a small random model ----------------------------------------------------------------------
 */

enum { LAYERS = 2, HIDDEN = 40, LENGTH = 700 };

static uint64_t state = 99;
static float number(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(state >> 32) * 0x1p-31f;
}

static struct model small_model(void)
{
    struct model m;
    json_t *config =
        json_loads("{\"model_type\":\"llama\",\"hidden_size\":40,\"intermediate_size\":70,"
                   "\"num_hidden_layers\":2,\"num_attention_heads\":6,\"num_key_value_heads\":2,"
                   "\"head_dim\":20,\"vocab_size\":50,\"attention_bias\":true,\"mlp_bias\":true}",
                   0, NULL);
    OK(model_parse(&m, config, &error));
    json_decref(config);
    return m;
}

static void small_block(struct block *b, const struct model *m, size_t layer)
{
    static float data[70 * 120];
    *b = (struct block){0};
    for (size_t i = 0; i < model_tensor_count(m); i++) {
        enum model_role role;
        size_t at;
        char name[100];
        model_tensor_at(m, i, &role, &at, name, sizeof name);
        if (!strstr(name, "layers") || at != layer)
            continue;
        static const size_t wide[] = {40, 120, 70};
        struct tensor t = {.name = name, .rank = 2, .data = data};
        for (size_t r = 0; r < 3; r++)
            for (size_t c = 0; c < 3; c++)
                for (int rank = 1; rank <= 2; rank++) {
                    const size_t shape[] = {wide[r], wide[c]}, one = wide[r];
                    if (!model_tensor_check(m, role, name, rank, rank == 1 ? &one : shape, NULL)) {
                        t.rank = rank;
                        t.rows = rank == 1 ? 1 : wide[r];
                        t.cols = rank == 1 ? wide[r] : wide[c];
                    }
                }
        assert_int_not_equal(t.rows, 0);
        t.shape[0] = t.rank == 1 ? t.cols : t.rows;
        t.shape[1] = t.cols;
        for (size_t j = 0; j < t.rows * t.cols; j++)
            data[j] = number() * (t.rank == 1 ? 1.0f : 0.3f);
        OK(block_take(b, role, &t, NULL, &error));
    }
    assert_int_equal(b->count, block_tensors(m));
}

/* Runs one sequence through the blocks in pieces of the given lengths (repeated). */
static void run_pieces(const struct model *m, struct block *b, struct pool *pool, const float *in,
                       size_t length, const size_t *piece, size_t pieces, float *out)
{
    struct forward *f = NULL;
    struct cache cache[LAYERS] = {{0}};
    const size_t stride = forward_stride(m);
    OK(forward_new(&f, m, pool, &error));
    memcpy(out, in, length * stride * sizeof *out);
    for (size_t at = 0, i = 0; at < length; i++) {
        size_t n = piece[i % pieces];
        n = n < length - at ? n : length - at;
        for (size_t layer = 0; layer < LAYERS; layer++) {
            const struct sequence s = {.row = at, .count = n, .cache = &cache[layer]};
            OK(forward_block(f, &b[layer], layer, out, &s, 1, NULL, &error));
        }
        at += n;
    }
    for (size_t layer = 0; layer < LAYERS; layer++)
        cache_free(&cache[layer]);
    forward_free(f);
}

static void same_bits(void **unused)
{
    (void)unused;
    const struct model m = small_model();
    const size_t stride = forward_stride(&m), bytes = LENGTH * stride * sizeof(float);
    struct block b[LAYERS];
    for (size_t i = 0; i < LAYERS; i++)
        small_block(&b[i], &m, i);
    float *in = memory_new(LENGTH, stride * sizeof *in, "a test", &error);
    float *want = memory_new(LENGTH, stride * sizeof *in, "a test", &error);
    float *got = memory_new(LENGTH, stride * sizeof *in, "a test", &error);
    for (size_t r = 0; r < LENGTH; r++)
        for (size_t i = 0; i < HIDDEN; i++)
            in[r * stride + i] = number();
    static const size_t whole[] = {LENGTH}, one[] = {1}, odd[] = {1, 100, 3, 17, 1, 1, 250, 16};
    run_pieces(&m, b, NULL, in, LENGTH, whole, 1, want);
    run_pieces(&m, b, NULL, in, LENGTH, one, 1, got);
    assert_memory_equal(got, want, bytes);
    run_pieces(&m, b, NULL, in, LENGTH, odd, 8, got);
    assert_memory_equal(got, want, bytes);
    for (long threads = 2; threads <= 3; threads++) {
        struct pool *pool = NULL;
        OK(pool_new(&pool, threads, &error));
        run_pieces(&m, b, pool, in, LENGTH, whole, 1, got);
        assert_memory_equal(got, want, bytes);
        run_pieces(&m, b, pool, in, LENGTH, odd, 8, got);
        assert_memory_equal(got, want, bytes);
        pool_free(pool);
    }
    for (int i = 0; i <= (int)cpu_best(); i++) {
        setenv("KICK_CPU", cpu_level_name((enum cpu_level)i), 1);
        run_pieces(&m, b, NULL, in, LENGTH / 4, whole, 1, got);
        assert_memory_equal(got, want, bytes / 4);
    }
    unsetenv("KICK_CPU");
    /* Three sequences side by side, each a part of the input from its own start. */
    struct forward *f = NULL;
    struct cache cache[3] = {{0}}, alone = {0};
    OK(forward_new(&f, &m, NULL, &error));
    const struct sequence s[3] = {{.row = 0, .count = 5, .cache = &cache[0]},
                                  {.row = 5, .count = 1, .cache = &cache[1]},
                                  {.row = 6, .count = 600, .cache = &cache[2]}};
    memcpy(got, in, bytes);
    OK(forward_block(f, &b[0], 0, got, s, 3, NULL, &error));
    for (size_t i = 0; i < 3; i++) {
        memcpy(want, in, bytes);
        struct sequence single = s[i];
        single.cache = &alone;
        alone.length = 0;
        OK(forward_block(f, &b[0], 0, want, &single, 1, NULL, &error));
        assert_memory_equal(got + s[i].row * stride, want + s[i].row * stride,
                            s[i].count * stride * sizeof *got);
    }
    /* What is not finite stops the run and names the layer. */
    memcpy(want, in, bytes);
    want[7] = INFINITY;
    alone.length = 0;
    const struct sequence single = {.row = 0, .count = 5, .cache = &alone};
    assert_int_equal(forward_block(f, &b[0], 17, want, &single, 1, NULL, &error), -1);
    assert_non_null(strstr(error.text, "layer 17"));
    for (size_t i = 0; i < 3; i++)
        cache_free(&cache[i]);
    cache_free(&alone);
    forward_free(f);
    for (size_t i = 0; i < LAYERS; i++)
        block_free(&b[i]);
    free(in);
    free(want);
    free(got);
}

/* ---- goldens -----------------------------------------------------------------------------------
 */

static char shared[4096], stream[64];

static json_t *golden(const char *model, const char *file)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/goldens/%s/%s", shared, model, file);
    return json_read_file(path, 1 << 24, &error);
}

/* Ingests a model of the goldens into a temporary file and opens it. */
static void open_golden(struct source *s, const char *model, struct pool *pool)
{
    char command[12000];
    const char *build = getenv("KICK_BUILD");
    snprintf(command, sizeof command, "%s/bin/kick-ingest-model -q %s/goldens/%s -o %s",
             build ? build : "build", shared, model, stream);
    assert_int_equal(system(command), 0);
    OK(source_open(s, stream, pool, &error));
}

static int32_t *id_list(const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    int32_t *ids = memory_new(*n, sizeof *ids, "a test", &error);
    for (size_t i = 0; i < *n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return ids;
}

/* The floats of an .npy file. */
static float *npy(const char *model, const char *file, size_t *n)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/goldens/%s/%s", shared, model, file);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    unsigned char head[10];
    assert_int_equal(fread(head, 1, 10, in), 10);
    const long start = 10 + head[8] + 256 * head[9];
    fseek(in, 0, SEEK_END);
    *n = (size_t)(ftell(in) - start) / 4;
    fseek(in, start, SEEK_SET);
    float *x = memory_new(*n, sizeof *x, "a test", &error);
    assert_int_equal(fread(x, 4, *n, in), *n);
    fclose(in);
    return x;
}

/* Largest difference of a sequence's logits from a file's. */
static double logits_off(struct pass *p, const struct model *m, size_t sequence, size_t rows,
                         const char *model, const char *file)
{
    const size_t ld = panel_size(m->vocab);
    size_t n = 0;
    double worst = 0;
    float *want = npy(model, file, &n), *got = memory_new(rows, ld * sizeof *got, "", &error);
    assert_int_equal(n, rows * m->vocab);
    OK(pass_logits(p, sequence, 0, rows, got, &error));
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)got[i / m->vocab * ld + i % m->vocab] - (double)want[i]));
    free(want);
    free(got);
    return worst;
}

static void check_greedy(const char *model, const json_t *runs, struct pool *pool)
{
    struct source s;
    struct network n;
    struct generation list[4] = {{0}};
    const size_t count = json_array_size(runs);
    open_golden(&s, model, pool);
    OK(network_load(&n, &s, pool, NULL, &error));
    for (size_t i = 0; i < count; i++) {
        const json_t *run = json_array_get(runs, i);
        list[i].prompt = id_list(json_object_get(run, "prompt_ids"), &list[i].prompt_count);
        list[i].item = i;
    }
    const struct generate_options o = {.max_new = 32, .batch = 4, .ignore_eos = true};
    OK(network_generate(&n, &o, list, count, NULL, &error));
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        int32_t *want = id_list(json_object_get(json_array_get(runs, i), "new_ids"), &length);
        assert_int_equal(list[i].count, length);
        assert_memory_equal(list[i].ids, want, length * sizeof *want);
        free(want);
        free((void *)(uintptr_t)list[i].prompt);
        free(list[i].ids);
    }
    network_free(&n);
    source_close(&s);
}

static void check_model(const char *model, struct pool *pool)
{
    struct source s;
    struct pass *p = NULL;
    struct pass_sequence list[8] = {{0}};
    double worst_token = 0, worst_loss = 0, worst_logit = 0;
    json_t *g = golden(model, "golden.json");
    assert_non_null(g);
    const json_t *sequences = json_object_get(g, "sequences");
    const size_t count = json_array_size(sequences);
    for (size_t i = 0; i < count; i++)
        list[i].ids =
            id_list(json_object_get(json_array_get(sequences, i), "input_ids"), &list[i].count);
    open_golden(&s, model, pool);
    OK(pass_run(&p, &s, list, count, pool, NULL, NULL, &error));
    for (size_t i = 0; i < count; i++) {
        const json_t *want = json_array_get(sequences, i);
        const size_t n = list[i].count - 1;
        double nll[256], sum = 0;
        OK(pass_nll(p, i, 1, n, nll, &error));
        for (size_t j = 0; j < n; j++) {
            const json_t *v = json_array_get(json_object_get(want, "nll_per_token"), j);
            worst_token = fmax(worst_token, fabs(nll[j] - json_number_value(v)));
            sum += nll[j];
        }
        const double loss = json_number_value(json_object_get(want, "loss"));
        worst_loss = fmax(worst_loss, fabs(sum / (double)n - loss) / loss);
        const char *file = json_string_value(json_object_get(want, "logits"));
        worst_logit = fmax(worst_logit, logits_off(p, &s.model, i, list[i].count, model, file));
        free((void *)(uintptr_t)list[i].ids);
    }
    printf("%s: nll of a token off by %.2g, loss by %.2g, logits by %.2g\n", model, worst_token,
           worst_loss, worst_logit);
    assert_true(worst_token < 1e-4 && worst_loss < 1e-6 && worst_logit < 1e-4);
    pass_free(p);
    source_close(&s);
    check_greedy(model, json_object_get(g, "greedy"), pool);
    json_decref(g);
}

static void golden_models(void **unused)
{
    (void)unused;
    if (!*shared)
        skip();
    struct pool *pool = NULL;
    OK(pool_new(&pool, 2, &error));
    static const char *const models[] = {
        "llama_gqa_untied", "llama_mha_tied", "llama_rope_linear", "llama_rope_llama3",
        "mistral_swa",      "mixtral",        "qwen2",             "qwen3",
        "phi3",             "gemma2",         "opt",               "gpt2",
        "gptneox_parallel"};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        char model[64];
        snprintf(model, sizeof model, "models/%s", models[i]);
        check_model(model, pool);
    }
    pool_free(pool);
}

static void golden_stories(void **unused)
{
    (void)unused;
    if (!*shared)
        skip();
    struct source s;
    struct pass *p = NULL;
    struct network n;
    struct pass_sequence sequence = {0};
    double nll[512], sum = 0;
    json_t *g = golden("stories260K", "golden.json");
    assert_non_null(g);
    const json_t *file = json_object_get(json_object_get(g, "files"), "model.safetensors");
    int32_t *ids = id_list(json_object_get(g, "input_ids"), &sequence.count);
    sequence.ids = ids;
    open_golden(&s, "stories260K", NULL);
    OK(pass_run(&p, &s, &sequence, 1, NULL, NULL, NULL, &error));
    OK(pass_nll(p, 0, 1, sequence.count - 1, nll, &error));
    for (size_t i = 0; i + 1 < sequence.count; i++)
        sum += nll[i];
    const double loss = json_number_value(json_object_get(file, "loss"));
    assert_true(fabs(sum / (double)(sequence.count - 1) - loss) < 1e-6);
    assert_true(logits_off(p, &s.model, 0, sequence.count, "stories260K",
                           "logits_model.safetensors.npy") < 1e-4);
    pass_free(p);
    source_close(&s);

    size_t length = 0;
    int32_t *want = id_list(json_object_get(file, "greedy_ids"), &length);
    struct token_ids prompt = {0};
    open_golden(&s, "stories260K", NULL);
    prompt.ids = memory_resize(NULL, 8, sizeof *prompt.ids, "a test", &error);
    prompt.capacity = 8;
    prompt.ids[prompt.count++] = tokenizer_bos(s.tokenizer);
    OK(tokenizer_encode(s.tokenizer, "Once upon a time", 16, &prompt, &error));
    OK(network_load(&n, &s, NULL, NULL, &error));
    struct generation one = {.prompt = prompt.ids, .prompt_count = prompt.count};
    const struct generate_options o = {.max_new = length, .batch = 1};
    OK(network_generate(&n, &o, &one, 1, NULL, &error));
    assert_int_equal(one.count, length);
    assert_memory_equal(one.ids, want, length * sizeof *want);
    free(one.ids);
    free(want);
    free(ids);
    token_ids_free(&prompt);
    network_free(&n);
    source_close(&s);
    json_decref(g);
}

/* A sequence draws the same whatever runs beside it, and every slot serves several prompts. */
static void sampled(void **unused)
{
    (void)unused;
    if (!*shared)
        skip();
    enum { COUNT = 7 };
    static const int32_t ids[] = {1, 403, 407, 261, 378, 432, 383, 286};
    int32_t *first[COUNT];
    size_t counts[COUNT];
    for (size_t batch = 1; batch <= 8; batch *= 2) {
        struct source s;
        struct network n;
        struct generation list[COUNT] = {{0}};
        open_golden(&s, "stories260K", NULL);
        OK(network_load(&n, &s, NULL, NULL, &error));
        for (size_t i = 0; i < COUNT; i++)
            list[i] = (struct generation){.prompt = ids, .prompt_count = i + 1, .item = i};
        const struct generate_options o = {
            .max_new = 20, .batch = batch, .temperature = 1.5, .top_p = 0.9, .seed = 5};
        OK(network_generate(&n, &o, list, COUNT, NULL, &error));
        for (size_t i = 0; i < COUNT; i++) {
            if (batch == 1) {
                first[i] = list[i].ids;
                counts[i] = list[i].count;
                continue;
            }
            assert_int_equal(list[i].count, counts[i]);
            assert_memory_equal(list[i].ids, first[i], counts[i] * sizeof *first[i]);
            free(list[i].ids);
        }
        network_free(&n);
        source_close(&s);
    }
    assert_memory_not_equal(first[0], first[1], 20 * sizeof *first[0]);
    for (size_t i = 0; i < COUNT; i++)
        free(first[i]);
}

static void refusals(void **unused)
{
    struct source s;
    struct pass *p = NULL;
    struct forward *f = NULL;
    struct model m;
    struct error e;
    char command[4200];
    float x[64] = {0};
    const int32_t id = 50;
    const struct tensor t = {.name = "wpe", .rank = 2, .rows = 8, .cols = 16, .data = x};
    const char *build = getenv("KICK_BUILD");
    (void)unused;
    /* an id that the model has not */
    snprintf(command, sizeof command, "%s/bin/kick-ingest-model -q tests/data/models/llama -o %s",
             build ? build : "build", stream);
    assert_int_equal(system(command), 0);
    OK(source_open(&s, stream, NULL, &error));
    const int32_t ids[] = {1, (int32_t)s.model.vocab};
    const struct pass_sequence sequence = {.ids = ids, .count = 2};
    assert_int_equal(pass_run(&p, &s, &sequence, 1, NULL, NULL, NULL, &e), -1);
    assert_non_null(strstr(e.text, "sequence 0: id "));
    assert_non_null(strstr(e.text, " is outside the vocabulary of "));
    pass_free(p);
    source_close(&s);
    /* a position that it has not */
    json_t *config = json_loads("{\"model_type\":\"gpt2\",\"n_embd\":16,\"n_layer\":1,\"n_head\":2,"
                                "\"vocab_size\":50,\"n_positions\":8}", 0, NULL);
    OK(model_parse(&m, config, &error));
    json_decref(config);
    OK(forward_new(&f, &m, NULL, &error));
    const struct entry entry = {.ids = &id, .first = 8, .count = 1, .x = x};
    assert_int_equal(forward_enter(f, ROLE_POSITIONS, &t, NULL, &entry, 1, &e), -1);
    assert_non_null(strstr(e.text, "position 8: the model has 8"));
    forward_free(f);
}

int main(void)
{
    const char *place = getenv("KICK_SHARED");
    snprintf(shared, sizeof shared, "%s", place ? place : "../shared");
    if (access(shared, R_OK))
        *shared = 0;
    snprintf(stream, sizeof stream, "/tmp/kick-forward-%ld.kick", (long)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),
        cmocka_unit_test(golden_models),
        cmocka_unit_test(golden_stories),
        cmocka_unit_test(sampled),
        cmocka_unit_test(refusals),
    };
    const int result = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(stream);
    return result;
}
