/* GGUF: block types against gguf-py's values, files, hostile files, metadata, tokenizers. */
#include "golden.h"

#include "gguf_model.h"
#include "gguf_pack.h"
#include "tokenizer.h"
#include "tokenizer_convert.h"

static void test_block_types(void **state)
{
    static const struct {
        uint32_t number;
        const char *name;
    } list[] = {{1, "F16"},      {2, "Q4_0"},     {3, "Q4_1"},    {6, "Q5_0"},    {7, "Q5_1"},
                {8, "Q8_0"},     {10, "Q2_K"},    {11, "Q3_K"},   {12, "Q4_K"},   {13, "Q5_K"},
                {14, "Q6_K"},    {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"},
                {20, "IQ4_NL"},  {21, "IQ3_S"},   {22, "IQ2_S"},  {23, "IQ4_XS"}, {29, "IQ1_M"},
                {30, "BF16"},    {34, "TQ1_0"},   {35, "TQ2_0"},  {39, "MXFP4"},  {40, "NVFP4"}};
    (void)state;
    if (!shared_path("goldens/gguf_quants"))
        skip();
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        const struct gguf_type *t = gguf_type(list[k].number);
        char path[64], *bytes;
        size_t n;
        struct error e;
        assert_non_null(t);
        assert_string_equal(t->name, list[k].name);
        snprintf(path, sizeof path, "goldens/gguf_quants/%s.bin", t->name);
        assert_done(file_read(shared_path(path), 1 << 20, &bytes, &n, &e), e);
        snprintf(path, sizeof path, "goldens/gguf_quants/%s.npy", t->name);
        struct golden want = golden_npy(shared_path(path));
        assert_int_equal(n % t->bytes, 0);
        assert_int_equal(n / t->bytes * t->block, want.count);
        float *got = malloc(want.count * 4);
        gguf_unpack(t, (const uint8_t *)bytes, n / t->bytes, got);
        for (size_t i = 0; i < want.count; i++)
            if (memcmp(got + i, (const float *)want.data + i, 4))
                fail_msg("%s: value %zu is %a, not %a", t->name, i, (double)got[i],
                         golden_at(&want, i));
        free(got);
        free(bytes);
        golden_free(&want);
    }
}

/* Quantizing: the bytes of gguf-py. */
static void test_packing(void **state)
{
    static const struct {
        uint32_t number;
        const char *name;
    } list[] = {{GGUF_TYPE_F16, "F16"},   {GGUF_TYPE_BF16, "BF16"}, {GGUF_TYPE_Q4_0, "Q4_0"},
                {GGUF_TYPE_Q4_1, "Q4_1"}, {GGUF_TYPE_Q5_0, "Q5_0"}, {GGUF_TYPE_Q5_1, "Q5_1"},
                {GGUF_TYPE_Q8_0, "Q8_0"}};
    (void)state;
    if (!shared_path("goldens/gguf_quants"))
        skip();
    struct golden x = golden_npy(shared_path("goldens/gguf_quants/quantize_input.npy"));
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        const struct gguf_type *t = gguf_type(list[k].number);
        char path[64], *want;
        size_t n;
        struct error e;
        snprintf(path, sizeof path, "goldens/gguf_quants/quantize_%s.bin", list[k].name);
        assert_done(file_read(shared_path(path), 1 << 20, &want, &n, &e), e);
        assert_int_equal(x.count / t->block * t->bytes, n);
        uint8_t *got = malloc(n);
        gguf_pack(list[k].number, (const float *)x.data, x.count, got);
        for (size_t i = 0; i < n; i++)
            if (got[i] != (uint8_t)want[i])
                fail_msg("%s: byte %zu is %d, not %d", list[k].name, i, got[i], (uint8_t)want[i]);
        free(got);
        free(want);
    }
    golden_free(&x);
}

/* Hostile files: as the list says, and each refused for a reason of its own. */
static void test_malformed(void **state)
{
    char line[1024], path[300];
    const char *list = shared_path("goldens/malformed-gguf/CASES.tsv");
    struct error e;
    size_t seen = 0;
    (void)state;
    if (!list)
        skip();
    FILE *in = fopen(list, "r");
    assert_non_null(in);
    assert_non_null(fgets(line, sizeof line, in));
    while (fgets(line, sizeof line, in)) {
        struct gguf *g;
        const char *file = strtok(line, "\t");
        strtok(NULL, "\t");
        const char *verdict = strtok(NULL, "\t");
        snprintf(path, sizeof path, "goldens/malformed-gguf/%.200s", file);
        const int result = gguf_open(&g, shared_path(path), &e);
        if (!strcmp(verdict, "reject"))
            assert_refused(result, e, ".gguf: ");
        if (!strcmp(verdict, "accept"))
            assert_done(result, e);
        if (!result)
            gguf_close(g);
        else
            printf("%s\n", strrchr(e.text, '/'));
        seen++;
    }
    fclose(in);
    assert_true(seen > 20);
}

/* The texts of llama.cpp's tests of a vocabulary, and the ids that belong to them. */
static void check_texts(const char *name, const struct tokenizer *t)
{
    char path[300], *texts, *ids, *rest, *line;
    const char *separator = "\n__ggml_vocab_test__\n";
    size_t n, k, texts_seen = 0;
    struct error e;
    snprintf(path, sizeof path, "real/tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf.inp", name);
    assert_done(file_read(shared_path(path), 1 << 20, &texts, &n, &e), e);
    snprintf(path, sizeof path, "real/tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf.out", name);
    assert_done(file_read(shared_path(path), 1 << 20, &ids, &k, &e), e);
    char *text = texts;
    line = ids;
    for (char *end = strstr(text, separator); end; end = strstr(text, separator)) {
        struct token_ids got = {0};
        assert_done(tokenizer_encode(t, text, (size_t)(end - text), &got, &e), e);
        rest = line + strcspn(line, "\n");
        for (size_t i = 0;; i++) {
            char *after;
            const long want = strtol(line, &after, 10);
            const bool more = after != line && after <= rest;
            if (more != (i < got.count) || (more && want != got.ids[i]))
                fail_msg("%s: text %zu '%.*s': id %zu is %d, not %ld", name, texts_seen,
                         (int)(end - text), text, i, i < got.count ? got.ids[i] : -1,
                         more ? want : -1L);
            if (!more)
                break;
            line = after;
        }
        line = rest + (*rest != 0);
        token_ids_free(&got);
        text = end + strlen(separator);
        texts_seen++;
    }
    assert_true(texts_seen > 30);
    free(texts);
    free(ids);
}

static void check_vocabulary(const char *name)
{
    char path[300];
    const char *kind;
    struct gguf *g;
    struct tokenizer *t;
    struct buffer bytes = {0}, settings = {0};
    struct error e;
    snprintf(path, sizeof path, "real/tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf", name);
    assert_done(gguf_open(&g, shared_path(path), &e), e);
    assert_done(gguf_tokenizer(g, &kind, &bytes, &settings, &e), e);
    assert_non_null(kind);
    assert_done(tokenizer_new(&t, kind, bytes.data, bytes.length, (char *)settings.data, &e), e);
    check_texts(name, t);
    tokenizer_free(t);
    buffer_free(&bytes);
    buffer_free(&settings);
    gguf_close(g);
}

/* Llama 3's, which is there as its maker's file. */
static void check_llama3(void)
{
    char *text;
    size_t n;
    struct buffer json = {0};
    struct tokenizer *t;
    struct error e;
    const char *path = shared_path("real/tokenizers/llama3/tokenizer.model");
    assert_done(file_read(path, 1 << 24, &text, &n, &e), e);
    assert_done(tokenizer_from_tiktoken(text, n, NULL, &json, &e), e);
    assert_done(tokenizer_new(&t, "tokenizer.json", json.data, json.length, NULL, &e), e);
    check_texts("llama-bpe", t);
    tokenizer_free(t);
    buffer_free(&json);
    free(text);
}

static void test_vocabularies(void **state)
{
    (void)state;
    if (!shared_path("real/tokenizers/llama.cpp-vocab"))
        skip();
    check_vocabulary("llama-spm");
    check_vocabulary("phi-3");
    check_vocabulary("gpt-2");
    check_vocabulary("falcon");
    check_vocabulary("deepseek-llm");
    check_llama3();
}

/* Files of our own: config, names, vocabulary. */
static void test_models(void **state)
{
    static const struct {
        const char *file, *key, *config, *text;
        int32_t ids[3];
    } list[] = {
        {"spm", "eos_token_id", "[2,3]", "ab!", {7, 6, 0}},
        {"bpe", "rope_scaling",
         "{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
         "\"original_max_position_embeddings\":8192.0}", " abab!", {8, 7, 0}},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct gguf_model m;
        struct buffer bytes = {0}, settings = {0};
        struct token_ids got = {0};
        struct tokenizer *t;
        const char *kind;
        char path[64];
        struct error e;
        snprintf(path, sizeof path, "tests/data/gguf/%s.gguf", list[i].file);
        assert_done(gguf_model_open(&m, path, &e), e);
        char *text = json_dumps(json_object_get(m.config, list[i].key), JSON_COMPACT);
        assert_string_equal(text, list[i].config);
        free(text);
        assert_int_equal(m.count, 12);
        bool head = false;
        for (size_t k = 0; k < m.count; k++) {
            assert_null(strstr(m.entry[k].name, "blk."));
            head |= !strcmp(m.entry[k].name, "lm_head.weight");
        }
        assert_true(head);
        assert_done(gguf_tokenizer(m.file, &kind, &bytes, &settings, &e), e);
        assert_non_null(strstr((char *)settings.data, "\"chat_template\""));
        assert_done(tokenizer_new(&t, kind, bytes.data, bytes.length, (char *)settings.data, &e), e);
        assert_true(tokenizer_adds_bos(t));
        assert_int_equal(tokenizer_bos(t), 1);
        assert_done(tokenizer_encode(t, list[i].text, strlen(list[i].text), &got, &e), e);
        assert_int_equal(got.count, 3);
        assert_memory_equal(got.ids, list[i].ids, sizeof list[i].ids);
        token_ids_free(&got);
        tokenizer_free(t);
        buffer_free(&bytes);
        buffer_free(&settings);
        gguf_model_free(&m);
    }
}

/* Rows of Q stand where llama.cpp's converter leaves them: dimension j * half + i at 2 i + j. */
static void test_row_order(void **state)
{
    struct gguf_model m;
    struct error e;
    (void)state;
    assert_done(gguf_model_open(&m, "tests/data/gguf/spm.gguf", &e), e);
    for (size_t k = 0; k < m.count; k++) {
        const struct gguf_model_entry *t = &m.entry[k];
        float raw[32], row[32], part[8];
        unsigned char block[64];
        if (!strstr(t->name, "q_proj"))
            continue;
        for (size_t r = 0; r < 32; r++) { /* 4 heads of 8 dimensions */
            const size_t j = r % 8 / 4, i = r % 4;
            assert_done(gguf_read_rows(m.file, t->entry, r / 8 * 8 + 2 * i + j, 1, block, &e), e);
            gguf_unpack(t->entry->type, block, 1, raw);
            assert_done(gguf_model_read(&m, t, r * sizeof row, sizeof row, row, &e), e);
            assert_memory_equal(row, raw, sizeof row);
            assert_done(gguf_model_read(&m, t, r * sizeof row + 64, sizeof part, part, &e), e);
            assert_memory_equal(part, raw + 16, sizeof part);
        }
        gguf_model_free(&m);
        return;
    }
    fail_msg("there is no q_proj");
}

/* Files of experts, together and as older converters wrote them apart, hold the same model. */
static void test_experts(void **state)
{
    static const char *const files[] = {"tests/data/gguf/experts.gguf",
                                        "tests/data/gguf/experts-apart.gguf"};
    struct gguf_model m[2];
    size_t seen = 0;
    struct error e;
    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_done(gguf_model_open(&m[i], files[i], &e), e);
    assert_int_equal(m[0].count, 2 + 2 * (4 + 3 * 3 + 1 + 2));
    assert_int_equal(m[1].count, m[0].count);
    for (size_t k = 0; k < m[0].count; k++) {
        const struct gguf_model_entry *a = &m[0].entry[k], *b = &m[1].entry[k];
        float x[2][32 * 32];
        assert_string_equal(a->name, b->name);
        assert_string_equal(a->dtype, b->dtype);
        assert_int_equal(a->bytes, b->bytes);
        assert_true(a->bytes <= sizeof x[0]);
        assert_done(gguf_model_read(&m[0], a, 0, a->bytes, x[0], &e), e);
        assert_done(gguf_model_read(&m[1], b, 0, b->bytes, x[1], &e), e);
        assert_memory_equal(x[0], x[1], a->bytes);
        seen += strstr(a->name, ".experts.2.") != NULL;
    }
    assert_int_equal(seen, 2 * 3);
    gguf_model_free(&m[0]);
    gguf_model_free(&m[1]);
}

/* Version 2 is read like 3; a part of a model is refused as that. */
static void test_versions(void **state)
{
    const char *path;
    char *bytes;
    size_t n, wanted;
    struct gguf_model m;
    struct error e;
    (void)state;
    assert_done(file_read("tests/data/gguf/spm.gguf", 1 << 20, &bytes, &n, &e), e);
    assert_int_equal(bytes[4], 3);
    bytes[4] = 2;
    path = scratch_file("made.gguf", bytes, n);
    assert_done(gguf_model_open(&m, path, &e), e);
    wanted = m.count;
    gguf_model_free(&m);
    assert_int_equal(wanted, 12);
    assert_refused(gguf_model_open(&m, "tests/data/gguf/part.gguf", &e), e,
                   "is one of 3 parts of a model");
    gguf_model_free(&m);
    free(bytes);
    /* gguf-split gives the later parts no metadata but their numbers. */
    const size_t at = 24, architecture = 8 + 20 + 4 + 8 + 5;
    assert_done(file_read("tests/data/gguf/part.gguf", 1 << 20, &bytes, &n, &e), e);
    bytes[16] = 2;
    memmove(bytes + at, bytes + at + architecture, n - at - architecture);
    memset(bytes + n - architecture, 0, architecture);
    path = scratch_file("made.gguf", bytes, n);
    assert_refused(gguf_model_open(&m, path, &e), e, "is one of 3 parts of a model");
    gguf_model_free(&m);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_types),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_row_order),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_vocabularies),
    };
    return cmocka_run_group_tests_name("gguf", tests, scratch_setup, scratch_teardown);
}
