/* Tokenizers against what their packages answer: tests/data/tokenizer (made by make.py there), and,
 * where ../shared (or $KICK_SHARED) is, real models with goldens of other people's programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "memory.h"
#include "tokenizer.h"

static struct error e;

static bool file_read(const char *folder, const char *name, struct buffer *b)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *b = (struct buffer){0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    unsigned char chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        assert_int_equal(buffer_append(b, chunk, n, &e), 0);
    fclose(f);
    assert_int_equal(buffer_append(b, "", 1, &e), 0); /* so that it can be read as a string */
    b->length--;
    return true;
}

static const char *shared(void)
{
    const char *s = getenv("KICK_SHARED");
    return s ? s : "../shared";
}

static bool shared_read(const char *name, struct buffer *b)
{
    return file_read(shared(), name, b);
}

static struct tokenizer *load(const char *kind, const struct buffer *b, const char *settings)
{
    struct tokenizer *t;
    if (tokenizer_new(&t, kind, b->data, b->length, settings, &e))
        fail_msg("%s", e.text);
    return t;
}

/* first: an id that the golden has in front and tokenizer_encode() does not add; -1 for none. */
static void check_ids(const struct tokenizer *t, const char *text, size_t n, int32_t first,
                      const json_t *want)
{
    struct token_ids got = {0};
    if (tokenizer_encode(t, text, n, &got, &e))
        fail_msg("%s", e.text);
    size_t skip = first >= 0;
    if (skip)
        assert_int_equal(json_integer_value(json_array_get(want, 0)), first);
    assert_int_equal(got.count + skip, json_array_size(want));
    for (size_t i = 0; i < got.count; i++)
        assert_int_equal(got.ids[i], json_integer_value(json_array_get(want, i + skip)));
    token_ids_free(&got);
}

static void check_text(const struct tokenizer *t, const json_t *ids, const json_t *more,
                       const char *want, size_t want_length)
{
    size_t a = json_array_size(ids), b = json_array_size(more), length = 0;
    int32_t *v = malloc((a + b + 1) * sizeof *v);
    char *text = NULL;
    for (size_t i = 0; i < a + b; i++)
        v[i] = (int32_t)json_integer_value(i < a ? json_array_get(ids, i)
                                                 : json_array_get(more, i - a));
    if (tokenizer_decode(t, v, a + b, &text, &length, &e))
        fail_msg("%s", e.text);
    assert_int_equal(length, want_length);
    assert_memory_equal(text, want, length + 1);
    free(text);
    free(v);
}

/* ---- small tokenizers of our own ------------------------------------------------------------ */

static void small_tokenizers(void **state)
{
    (void)state;
    struct buffer b, model;
    assert_true(file_read("tests/data/tokenizer", "expected.json", &b));
    json_t *root = json_loadb((char *)b.data, b.length, JSON_ALLOW_NUL, NULL), *x, *c;
    assert_int_equal(json_array_size(root), 5);
    size_t i, k;
    json_array_foreach(root, i, x)
    {
        assert_true(file_read("tests/data/tokenizer", json_string_value(json_object_get(x, "file")),
                              &model));
        char *settings = json_dumps(json_object_get(x, "settings"), 0);
        struct tokenizer *t = load(json_string_value(json_object_get(x, "kind")), &model,
                                   settings && strcmp(settings, "null") ? settings : NULL);
        free(settings);
        assert_int_equal(tokenizer_size(t), json_integer_value(json_object_get(x, "size")));
        assert_int_equal(tokenizer_bos(t), json_integer_value(json_object_get(x, "bos")));
        assert_int_equal(tokenizer_eos(t), json_integer_value(json_object_get(x, "eos")));
        assert_int_equal(tokenizer_adds_bos(t), json_is_true(json_object_get(x, "adds_bos")));
        json_array_foreach(json_object_get(x, "cases"), k, c)
        {
            const json_t *text = json_object_get(c, "text"), *ids = json_object_get(c, "ids"),
                         *decoded = json_object_get(c, "decoded");
            check_ids(t, json_string_value(text), json_string_length(text), -1, ids);
            check_text(t, ids, NULL, json_string_value(decoded), json_string_length(decoded));
        }
        tokenizer_free(t);
        buffer_free(&model);
    }
    json_decref(root);
    buffer_free(&b);
}

static void text_must_be_utf8(void **state)
{
    (void)state;
    struct buffer b;
    assert_true(file_read("tests/data/tokenizer", "bpe.model", &b));
    struct tokenizer *t = load("sentencepiece", &b, NULL);
    struct token_ids ids = {0};
    static const struct {
        const char *text;
        size_t n;
        const char *at;
    } bad[] = {{"abc\xFF", 4, "byte 3"},
               {"\xC3", 1, "byte 0"},
               {"0123456789\xED\xA0\x80", 13, "byte 10"},
               {"\xC0\x80", 2, "byte 0"},
               {"x\xF4\x90\x80\x80", 5, "byte 1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(tokenizer_encode(t, bad[i].text, bad[i].n, &ids, &e), -1);
        assert_non_null(strstr(e.text, bad[i].at));
        assert_int_equal(ids.count, 0);
    }
    token_ids_free(&ids);
    tokenizer_free(t);
    buffer_free(&b);
}

static void settings(void **state)
{
    (void)state;
    struct buffer b;
    struct tokenizer *t;
    assert_true(file_read("tests/data/tokenizer", "bpe.model", &b));
    t = load("sentencepiece", &b, "{\"add_bos_token\": false}");
    assert_false(tokenizer_adds_bos(t));
    tokenizer_free(t);
    buffer_free(&b);
}

/* Loads and, where that works, encodes and decodes; the result does not matter. */
static void try_bytes(const char *kind, const unsigned char *data, size_t n)
{
    static const char text[] = "The heron of Old Quill,  \xE2\x96\x81 42 \xF0\x9F\x98\x80[MASK] heron\n";
    unsigned char *exact = malloc(n ? n : 1); /* so that the sanitizer sees a read past the end */
    memcpy(exact, data, n);
    struct tokenizer *t;
    if (!tokenizer_new(&t, kind, exact, n, NULL, &e)) {
        struct token_ids ids = {0};
        char *back = NULL;
        size_t length = 0;
        if (!tokenizer_encode(t, text, sizeof text - 1, &ids, &e)) {
            for (size_t i = 0; i < ids.count; i++)
                assert_in_range(ids.ids[i], 0, tokenizer_size(t) - 1);
            tokenizer_decode(t, ids.ids, ids.count, &back, &length, &e);
        }
        free(back);
        token_ids_free(&ids);
        tokenizer_free(t);
    }
    free(exact);
}

/* Found by fuzzing: an empty text as the only entry; words that become no token, twice (undefined behaviour,
 * which clang's sanitizer sees, gcc's not). */
static void vocabularies_of_nothing(void **state)
{
    static const char *const texts[] = {
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\":5},\"merges\":[]}}",
        "{\"pre_tokenizer\":{\"type\":\"Whitespace\"},"
        "\"model\":{\"type\":\"BPE\",\"vocab\":{\"=\":0},\"merges\":[]}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        try_bytes("tokenizer.json", (const unsigned char *)texts[i], strlen(texts[i]));
}

static void damaged_files(void **state)
{
    (void)state;
    static const char *const files[] = {"bpe.model", "rules.model", "unigram.model", "bytes.json",
                                        "steps.json"};
    uint64_t seed = 1;
    for (size_t f = 0; f < 5; f++) {
        const char *kind = f < 3 ? "sentencepiece" : "tokenizer.json";
        struct buffer b;
        assert_true(file_read("tests/data/tokenizer", files[f], &b));
        for (size_t n = 0; n < b.length; n += 1 + b.length / 150)
            try_bytes(kind, b.data, n);
        for (int round = 0; round < 400; round++) {
            unsigned char saved[4];
            size_t at[4];
            for (int k = 0; k < 4; k++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                at[k] = (size_t)(seed >> 33) % b.length;
                saved[k] = b.data[at[k]];
                unsigned changed =
                    round % 3 ? (unsigned)(seed >> 20) : saved[k] ^ 1u << (seed >> 20 & 7);
                if (k <= round % 4)
                    b.data[at[k]] = (unsigned char)(changed & 255);
            }
            try_bytes(kind, b.data, b.length);
            for (int k = 4; k-- > 0;)
                b.data[at[k]] = saved[k];
        }
        buffer_free(&b);
    }
}

static void deep_nesting(void **state)
{
    (void)state;
    struct buffer b = {0};
    for (int i = 0; i < 100; i++)
        assert_int_equal(buffer_append(&b, "{\"type\":\"Sequence\",\"normalizers\":[", 34, &e), 0);
    assert_int_equal(buffer_append(&b, "null", 4, &e), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buffer_append(&b, "]}", 2, &e), 0);
    assert_int_equal(buffer_append(&b, "", 1, &e), 0);
    size_t n = b.length + 100;
    char *text = malloc(n);
    int m = snprintf(text, n, "{\"normalizer\":%s,\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
                     (char *)b.data);
    struct tokenizer *t;
    assert_int_equal(tokenizer_new(&t, "tokenizer.json", text, (size_t)m, NULL, &e), -1);
    assert_non_null(strstr(e.text, "nested"));
    free(text);
    buffer_free(&b);
    char brackets[10000];
    memset(brackets, '[', sizeof brackets);
    assert_int_equal(tokenizer_new(&t, "tokenizer.json", brackets, sizeof brackets, NULL, &e), -1);
}

/* A megabyte that can be cut nowhere must not take quadratic time (the runner's limit would tell).
 */
static void long_words(void **state)
{
    (void)state;
    static const char *const files[] = {"bpe.model", "rules.model", "unigram.model", "bytes.json",
                                        "steps.json"};
    const size_t n = 1 << 20;
    char *text = malloc(n);
    for (size_t f = 0; f < 5; f++) {
        struct buffer b;
        assert_true(file_read("tests/data/tokenizer", files[f], &b));
        struct tokenizer *t = load(f < 3 ? "sentencepiece" : "tokenizer.json", &b, NULL);
        for (int c = 0; c < 3; c++) {
            struct token_ids ids = {0};
            for (size_t i = 0; i < n; i++)
                text[i] = "aaa  \nthe"[c * 3 + (int)(i % 3)];
            assert_int_equal(tokenizer_encode(t, text, n, &ids, &e), 0);
            token_ids_free(&ids);
        }
        tokenizer_free(t);
        buffer_free(&b);
    }
    free(text);
}

/* ---- real models ---------------------------------------------------------------------------- */

static void stories260K(void **state)
{
    (void)state;
    struct buffer model, b;
    if (!shared_read("goldens/stories260K/tokenizer.model", &model))
        skip();
    struct tokenizer *t = load("sentencepiece", &model, NULL);
    assert_int_equal(tokenizer_size(t), 512);
    assert_true(tokenizer_adds_bos(t));
    assert_true(shared_read("goldens/stories260K/golden.json", &b));
    json_t *root = json_loadb((char *)b.data, b.length, 0, NULL), *x;
    size_t i;
    json_array_foreach(json_object_get(root, "tokenizer"), i, x)
    {
        const json_t *text = json_object_get(x, "text");
        check_ids(t, json_string_value(text), json_string_length(text), -1,
                  json_object_get(x, "ids"));
    }
    assert_true(i > 2);
    json_decref(root);
    buffer_free(&b);
    static const char *const files[] = {"choice", "factoid", "retrieval", "summary"};
    for (size_t f = 0; f < 4; f++) {
        char name[100];
        size_t encoded = 0;
        snprintf(name, sizeof name, "goldens/eval/%s.jsonl", files[f]);
        assert_true(shared_read(name, &b));
        for (char *line = (char *)b.data, *end; *line; line = end + 1) {
            end = strchr(line, '\n');
            assert_non_null(end);
            root = json_loadb(line, (size_t)(end - line), 0, NULL);
            const json_t *prompt = json_object_get(root, "prompt"),
                         *ids = json_object_get(root, "ids"),
                         *more = json_object_get(root, "new_ids"),
                         *full = json_object_get(root, "full_text");
            if (prompt && json_is_array(ids)) {
                check_ids(t, json_string_value(prompt), json_string_length(prompt), 1, ids);
                encoded++;
            }
            if (full && more)
                check_text(t, ids, more, json_string_value(full), json_string_length(full));
            json_decref(root);
        }
        assert_true(encoded >= 10);
        buffer_free(&b);
    }
    tokenizer_free(t);
    buffer_free(&model);
}

/* The texts of .inp are separated by a line; .out has a line of ids for each. */
static void check_vocab(const char *kind, const char *model_name, const char *golden)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char name[200];
    struct buffer model, in, out;
    if (!shared_read(model_name, &model))
        skip();
    struct tokenizer *t = load(kind, &model, NULL);
    snprintf(name, sizeof name, "real/tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf.inp", golden);
    assert_true(shared_read(name, &in));
    snprintf(name, sizeof name, "real/tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf.out", golden);
    assert_true(shared_read(name, &out));
    char *text = (char *)in.data, *ids = (char *)out.data, *end;
    size_t cases = 0;
    for (; (end = strstr(text, mark)) != NULL; text = end + sizeof mark - 1, cases++) {
        char *line_end = strchr(ids, '\n');
        assert_non_null(line_end);
        struct token_ids got = {0};
        assert_int_equal(tokenizer_encode(t, text, (size_t)(end - text), &got, &e), 0);
        for (size_t i = 0; i < got.count; i++) {
            char *after;
            assert_int_equal(strtol(ids, &after, 10), got.ids[i]);
            assert_true(after > ids && after <= line_end);
            ids = after;
        }
        assert_int_equal(strspn(ids, " "), line_end - ids);
        ids = line_end + 1;
        token_ids_free(&got);
    }
    assert_int_equal(cases, 46);
    tokenizer_free(t);
    buffer_free(&model);
    buffer_free(&in);
    buffer_free(&out);
}

static void llama2(void **state)
{
    (void)state;
    check_vocab("sentencepiece", "real/tokenizers/llama2/tokenizer.model", "llama-spm");
}

static void gpt2(void **state)
{
    (void)state;
    check_vocab("tokenizer.json", "real/tokenizers/gpt2/tokenizer.json", "gpt-2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_tokenizers), cmocka_unit_test(text_must_be_utf8),
        cmocka_unit_test(settings),         cmocka_unit_test(vocabularies_of_nothing),
        cmocka_unit_test(damaged_files),    cmocka_unit_test(deep_nesting),
        cmocka_unit_test(long_words),       cmocka_unit_test(stories260K),
        cmocka_unit_test(llama2),           cmocka_unit_test(gpt2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
