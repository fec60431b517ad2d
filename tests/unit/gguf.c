/* GGUF: block types against gguf-py's values, files, hostile files, metadata, tokenizers. */
#include "golden.h"

#include "gguf_model.h"
#include "tokenizer.h"

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

/* A vocabulary of llama.cpp, and texts with the ids that belong to them. */
static void check_vocabulary(const char *name)
{
    char path[300], *texts, *ids, *rest, *line;
    const char *kind, *separator = "\n__ggml_vocab_test__\n";
    struct gguf *g;
    struct tokenizer *t;
    struct buffer bytes = {0}, settings = {0};
    size_t n, k, texts_seen = 0;
    struct error e;
    snprintf(path, sizeof path, "real/tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf", name);
    assert_done(gguf_open(&g, shared_path(path), &e), e);
    assert_done(gguf_tokenizer(g, &kind, &bytes, &settings, &e), e);
    assert_non_null(kind);
    assert_done(tokenizer_new(&t, kind, bytes.data, bytes.length, (char *)settings.data, &e), e);
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
    tokenizer_free(t);
    buffer_free(&bytes);
    buffer_free(&settings);
    gguf_close(g);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_types),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_vocabularies),
    };
    return cmocka_run_group_tests_name("gguf", tests, scratch_setup, scratch_teardown);
}
