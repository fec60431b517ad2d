/* GGUF files that are refused, and models that have no form in GGUF: every message, from what provokes
 * it. */
#include "scratch.h"

#include <jansson.h>

#include "gguf_model.h"
#include "gguf_write.h"
#include "tokenizer.h"

static struct error e;

/* Writes what words say: r:TEXT the text; s:TEXT its length in 8 bytes and it; N:NUMBER the number in N
 * bytes; =N zeros up to a multiple of 32, and N more. */
static const char *made(const char *words)
{
    const char *path = scratch_path("made.gguf");
    FILE *f = fopen(path, "wb");
    char copy[4096], *rest = copy;
    assert_non_null(f);
    assert_true(strlen(words) < sizeof copy);
    strcpy(copy, words);
    for (char *word; (word = strtok_r(rest, " ", &rest));) {
        uint64_t n = *word == 's' ? strlen(word + 2) : strtoull(word + (*word == '=' ? 1 : 2), NULL, 10);
        const int width = *word == 's' ? 8 : *word == 'r' || *word == '=' ? 0 : *word - '0';
        for (int i = 0; i < width; i++, n >>= 8)
            fputc((int)(n & 255), f);
        if (*word == 's' || *word == 'r')
            fputs(word + 2, f);
        while (*word == '=' && (ftell(f) % 32 || n--))
            fputc(0, f);
    }
    fclose(f);
    return path;
}

#define FILE_OF "r:GGUF 4:3 "
#define TEXT(text) "4:8 s:" text
#define U32(n) "4:4 4:" #n
#define TENSOR(name, rank, sizes, type, offset) "s:" name " 4:" #rank " " sizes " 4:" #type " 8:" #offset " "

static void test_files(void **state)
{
    static const char *const rows[][2] = {
        {"r:GGUX 4:3 =0", "is not a GGUF file"},
        {"r:GGUF 4:50331648", "is a big-endian GGUF file"},
        {"r:GGUF 4:1", "is GGUF version 1; 2 and 3 are read"},
        {"r:GGUF 4:3 8:0", "ends early, at byte 16"},
        {FILE_OF "8:0 8:99", "would have 99 keys, more than the file holds"},
        {FILE_OF "8:0 8:1 8:99999 4:0 4:0", "key 0: a text of 99999 bytes is longer than"},
        {FILE_OF "8:0 8:1 8:0 4:0 4:0 4:0", "key 0: a name is empty"},
        {FILE_OF "8:0 8:1 s:k 4:99 8:0", "key k: is of type 99, which is not known"},
        {FILE_OF "8:0 8:1 s:k 4:9 4:9 8:0", "key k: is an array of arrays"},
        {FILE_OF "8:0 8:1 s:k 4:9 4:4 8:999", "key k: has 999 items, more than the file holds"},
        {FILE_OF "8:0 8:1 s:k 4:7 1:2", "key k: is a truth value of 2"},
        {FILE_OF "8:0 8:2 s:k 4:0 1:1 s:k 4:0 1:1", "key k: is there twice"},
        {FILE_OF "8:0 8:1 s:general.alignment " U32(3), "general.alignment is not a power of two"},
        {FILE_OF "8:9 8:0", "would have 9 tensors, more than the file holds"},
        {FILE_OF "8:1 8:0 8:0 =32", "tensor 0: a name is empty"},
        {FILE_OF "8:1 8:0 " TENSOR("t", 0, "8:0", 0, 0), "tensor t: has 0 dimensions"},
        {FILE_OF "8:1 8:0 " TENSOR("t", 1, "8:9223372036854775808", 0, 0), "t: its sizes are too large"},
        {FILE_OF "8:1 8:0 " TENSOR("t", 3, "8:1 8:4611686018427387904 8:4611686018427387904", 0, 0),
         "t: its sizes are too large"},
        {FILE_OF "8:1 8:0 " TENSOR("t", 1, "8:2305843009213693952", 0, 0), "t: its sizes are too large"},
        {FILE_OF "8:1 8:0 " TENSOR("t", 1, "8:4", 99, 0), "t: is of type 99, which is not known"},
        {FILE_OF "8:1 8:0 " TENSOR("t", 1, "8:5", 2, 0), "rows of 5 values are not whole blocks of Q4_0"},
        {FILE_OF "8:1 8:0 " TENSOR("t", 1, "8:4", 0, 1) "=64", "offset is not a multiple of the alignment"},
        {FILE_OF "8:1 8:0 " TENSOR("t", 1, "8:4", 0, 0), "t: goes past the end of the file"},
        {FILE_OF "8:2 8:0 " TENSOR("t", 1, "8:9", 0, 0) TENSOR("u", 1, "8:9", 0, 32) "=128",
         "tensor u: overlaps with t"},
        {FILE_OF "8:2 8:0 " TENSOR("t", 1, "8:4", 0, 0) TENSOR("t", 1, "8:4", 0, 32) "=128",
         "tensor t: is there twice"},
    };
    struct gguf *g;
    float x[8];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(gguf_open(&g, made(rows[i][0]), &e), e, rows[i][1]);
    assert_done(gguf_open(&g, made(FILE_OF "8:1 8:0 " TENSOR("t", 1, "8:4", 0, 0) "=16"), &e), e);
    assert_refused(gguf_read_rows(g, gguf_entry(g, 0), 1, 1, x, &e), e, "t: has no row 2");
    assert_int_equal(truncate(scratch_path("made.gguf"), 64), 0);
    assert_refused(gguf_read_rows(g, gguf_entry(g, 0), 0, 1, x, &e), e, "t: ends early: it was cut");
    gguf_close(g);
}

/* ---- models --------------------------------------------------------------------------------- */

/* Keys of a small model; "." stands for its architecture. */
static const struct key {
    const char *name, *value;
} keys[] = {
    {".embedding_length", U32(8)},     {".feed_forward_length", U32(16)},
    {".block_count", U32(1)},          {".attention.head_count", U32(2)},
    {".context_length", U32(32)},      {".attention.layer_norm_rms_epsilon", "4:6 4:925353388"},
};
enum { KEYS = sizeof keys / sizeof *keys, CHANGES = 3 };

#define EMBEDDING TENSOR("token_embd.weight", 2, "8:8 8:4", 0, 0)
#define EXPERTS {".expert_count", U32(2)}, {".expert_used_count", U32(1)}

static const struct {
    const char *architecture;
    struct key change[CHANGES]; /* instead of the key of that name; value "": without it */
    int tensors;
    const char *words, *says;
} models[] = {
    {"dalek", {{0}}, 0, "", "architecture 'dalek' of GGUF is not known (llama, "},
    {"gemma", {EXPERTS}, 0, "", "experts of gemma are not computed here"},
    {"gemma", {{".attention.sliding_window", U32(4)}}, 0, "", "sliding windows of gemma are not computed"},
    {"llama", {{".block_count", ""}}, 0, "", "its metadata has no block_count"},
    {"llama", {{".block_count", TEXT("x")}}, 0, "", "block_count is not an integer"},
    {"llama", {{".block_count", "4:9 4:4 8:2 4:1 4:2"}}, 0, "", "block_count differs between layers"},
    {"llama", {{".block_count", U32(60000)}}, 1, EMBEDDING "=128", "a model of 540002 tensors, of which"},
    {"llama", {{0}}, 0, "", "token_embd.weight is missing: the file holds no tensors"},
    {"llama", {{0}}, 1, TENSOR("t", 1, "8:4", 0, 0) "=16", "tensor token_embd.weight is missing"},
    {"llama", {{0}}, 2, EMBEDDING TENSOR("t", 1, "8:4", 0, 128) "=144",
     "tensor t: by the file's metadata a llama model has no such tensor"},
    {"llama", {{".rope.freq_base", TEXT("x")}}, 1, EMBEDDING "=128", "rope.freq_base is not a number"},
    {"llama", {{".rope.scaling.type", U32(1)}}, 1, EMBEDDING "=128", "rope.scaling.type is not a text"},
    {"llama", {{".rope.scaling.type", TEXT("linear")}}, 1, EMBEDDING "=128", "has no rope.scaling.factor"},
    {"llama", {{".attention.head_count", U32(0)}}, 1, EMBEDDING "=128", "head_count is not a positive integer"},
    {"llama", {{".attention.key_length", U32(0)}}, 1, EMBEDDING "=128", "key_length is not a positive integer"},
    {"llama", {{".attention.value_length", U32(3)}}, 1, EMBEDDING "=128", "values of different lengths"},
    {"llama", {{".rope.dimension_count", U32(2)}}, 1, EMBEDDING "=128", "2 of 4 dimensions of a head rotate"},
    {"gpt2", {{".attention.key_length", U32(3)}}, 1, EMBEDDING "=128", "are not those of a gpt2 model"},
    {"llama", {{".embedding_length", U32(9)}}, 1, EMBEDDING "=128", "its metadata, as a config: "},
    {"qwen3moe", {EXPERTS, {".attention.sliding_window", U32(4)}}, 1, EMBEDDING "=128",
     "no expert_feed_forward_length"},
    {"llama", {{0}}, 2, EMBEDDING TENSOR("rope_freqs.weight", 1, "8:2", 1, 128) "=132",
     "rope_freqs.weight is not a list"},
    {"llama", {{0}}, 2, EMBEDDING TENSOR("rope_freqs.weight", 1, "8:2", 0, 128) "=128 4:1088421888 4:1077936128",
     "rope_freqs.weight: only Llama 3's rule is computed here"},
    {"qwen2", {{0}}, 2, EMBEDDING TENSOR("rope_freqs.weight", 1, "8:2", 0, 128) "=136",
     "rope_freqs.weight: a qwen2 model has none"},
    {"llama", {EXPERTS}, 2, EMBEDDING TENSOR("blk.0.ffn_gate_exps.weight", 2, "8:8 8:4", 0, 128) "=256",
     "tensor blk.0.ffn_gate_exps.weight: does not hold 2 experts"},
    {"gemma", {{".embedding_length", U32(32)}, {".attention.key_length", U32(16)}}, 2,
     TENSOR("token_embd.weight", 2, "8:32 8:4", 0, 0) TENSOR("blk.0.attn_norm.weight", 1, "8:32", 8, 512) "=546",
     "tensor blk.0.attn_norm.weight: is of type Q8_0"},
};

static const char *made_model(const char *architecture, const struct key *change, int tensors,
                              const char *words)
{
    char list[3072] = "", file[4096], more[512];
    int count = 1;
    for (size_t i = 0; i < KEYS + CHANGES; i++) {
        const struct key *k = i < KEYS ? &keys[i] : &change[i - KEYS];
        bool changed = false;
        for (size_t c = 0; i < KEYS && c < CHANGES; c++)
            changed |= change[c].name && !strcmp(k->name, change[c].name);
        if (changed || !k->name || !*k->value)
            continue;
        count++;
        snprintf(more, sizeof more, "s:%s%s %s ", *k->name == '.' ? architecture : "", k->name, k->value);
        strcat(list, more);
    }
    snprintf(file, sizeof file, FILE_OF "8:%d 8:%d s:general.architecture 4:8 s:%s %s%s", tensors, count,
             architecture, list, words);
    return made(file);
}

static void test_models(void **state)
{
    struct gguf_model m;
    float x[40];
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const int got = gguf_model_open(&m, made_model(models[i].architecture, models[i].change,
                                                       models[i].tensors, models[i].words), &e);
        gguf_model_free(&m);
        assert_refused(got, e, models[i].says);
    }
    assert_refused(gguf_model_open(&m, made(FILE_OF "8:0 8:0"), &e), e, "has no general.architecture");
    gguf_model_free(&m);
    /* a window beside experts that have none; the other row of its kind lacks a length */
    const struct key window[CHANGES] = {{".attention.sliding_window", U32(4)}, {".expert_count", U32(2)},
                                        {".expert_feed_forward_length", U32(16)}};
    assert_refused(gguf_model_open(&m, made_model("qwen3moe", window, 1, EMBEDDING "=128"), &e), e,
                   "attention.sliding_window: a qwen3_moe model has none");
    gguf_model_free(&m);
    const struct key none[CHANGES] = {{0}};
    assert_done(gguf_model_open(&m, made_model("llama", none, 1, EMBEDDING "=128"), &e), e);
    assert_refused(gguf_model_read(&m, &m.entry[0], 64, 80, x, &e), e, "is shorter than asked");
    gguf_model_free(&m);
}

/* ---- vocabularies --------------------------------------------------------------------------- */

#define VOCABULARY(kind) "s:tokenizer.ggml.model 4:8 s:" kind " "
#define LIST(name, kind, items) "s:tokenizer.ggml." name " 4:9 4:" #kind " " items " "

static void test_vocabularies(void **state)
{
    static const struct {
        int keys;
        const char *words, *says;
    } rows[] = {
        {1, VOCABULARY("x"), "tokenizer.ggml.model 'x' is not known (llama, gpt2)"},
        {1, VOCABULARY("llama"), "tokenizer.ggml.tokens is not a list of texts"},
        {3, VOCABULARY("llama") LIST("tokens", 8, "8:2 s:a s:b") LIST("scores", 6, "8:1 4:0"),
         "has 2 tokens, but another number of scores or types"},
        {3, VOCABULARY("llama") LIST("tokens", 8, "8:1 s:a") LIST("token_type", 5, "8:1 4:9"),
         "token_type: token 0 is of type 9"},
        {2, VOCABULARY("gpt2") LIST("tokens", 8, "8:1 s:a"), "has no tokenizer.ggml.pre"},
        {3, VOCABULARY("gpt2") LIST("tokens", 8, "8:1 s:a") "s:tokenizer.ggml.pre 4:8 s:x",
         "tokenizer.ggml.pre 'x' is not known (gpt-2, "},
        {3, VOCABULARY("gpt2") LIST("tokens", 8, "8:1 s:a") "s:tokenizer.ggml.pre 4:8 s:gpt-2",
         "tokenizer.ggml.merges is not a list of texts"},
        {4, VOCABULARY("gpt2") LIST("tokens", 8, "8:1 s:\xff") "s:tokenizer.ggml.pre 4:8 s:gpt-2 "
         LIST("merges", 8, "8:0"), "token 0 is not UTF-8"},
        {4, VOCABULARY("gpt2") LIST("tokens", 8, "8:2 s:a s:a") "s:tokenizer.ggml.pre 4:8 s:gpt-2 "
         LIST("merges", 8, "8:0"), "token 1 is there twice"},
        {4, VOCABULARY("gpt2") LIST("tokens", 8, "8:1 s:a") "s:tokenizer.ggml.pre 4:8 s:gpt-2 "
         LIST("merges", 8, "8:1 s:\xff"), "merge 0 is not UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char words[1024];
        struct gguf *g;
        const char *kind;
        struct buffer bytes = {0}, settings = {0};
        snprintf(words, sizeof words, FILE_OF "8:0 8:%d %s", rows[i].keys, rows[i].words);
        assert_done(gguf_open(&g, made(words), &e), e);
        const int got = gguf_tokenizer(g, &kind, &bytes, &settings, &e);
        buffer_free(&bytes);
        buffer_free(&settings);
        gguf_close(g);
        assert_refused(got, e, rows[i].says);
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static void model_of(struct model *m, const char *family, const char *more)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"model_type\":\"%s\",\"hidden_size\":64,\"intermediate_size\":96,"
             "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
             "\"vocab_size\":1%s}", family, more);
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    assert_done(model_parse(m, j, &e), e);
    json_decref(j);
}

static void test_models_without_a_form(void **state)
{
    static const char *const rows[][3] = {
        {"opt", ",\"ffn_dim\":96", "llama.cpp computes no opt models"},
        {"qwen2", ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,"
         "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":64}",
         "GGUF has no Llama-3 rotary scaling for a qwen2 model"},
        {"llama", ",\"hidden_act\":\"gelu\"", "llama.cpp does not compute this variant of llama"},
        {"gemma", ",\"attention_bias\":true", "llama.cpp computes no gemma model with biases"},
        {"gpt_neox", ",\"attention_bias\":false", "llama.cpp computes no gpt_neox model without biases"},
        {"gpt_neox", ",\"tie_word_embeddings\":true", "gpt_neox model without a head of its own"},
        {"gemma2", ",\"query_pre_attn_scalar\":9", "this model by 0.333333"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        model_of(&m, rows[i][0], rows[i][1]);
        assert_refused(!gguf_architecture_of(&m, &e), e, rows[i][2]);
    }
}

#define PIECE_UNKNOWN "\x0a\x09\x0a\x05<unk>\x18\x02"
#define PIECE(name) "\x0a\x03\x0a\x01" name
#define BPE(vocab, more) "{\"model\":{\"type\":\"BPE\",\"vocab\":{" vocab "},\"merges\":[]" more "}"

static void test_vocabularies_without_a_form(void **state)
{
    static const char byte_pair[] = PIECE_UNKNOWN PIECE("x") PIECE("y") "\x12\x02\x18\x02",
                      unigram[] = PIECE_UNKNOWN PIECE("x") PIECE("y");
    static const struct {
        const char *kind, *bytes;
        size_t n;
        const char *says;
    } rows[] = {
        {"sentencepiece", unigram, sizeof unigram - 1, "reads no SentencePiece model that is a unigram model"},
        {"sentencepiece", byte_pair, sizeof byte_pair - 1, "has more pieces than the model's 1 ids"},
        {"tokenizer.json", BPE("\"a\":0,\"b\":1", "") "}", 0, "has the id 1, the model 1 of them"},
        {"tokenizer.json", BPE("\"a\":0", "") ",\"added_tokens\":[{\"id\":1,\"content\":\"b\"}]}", 0,
         "has the id 1, the model 1 of them"},
        {"tokenizer.json", BPE("\"a\":0", "") ",\"pre_tokenizer\":{\"type\":\"Whitespace\"}}", 0,
         "no name for how its tokenizer cuts text into words"},
        {"tokenizer.json",
         "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"#version\"],\"byte_fallback\":true}}", 0,
         "merge 0 is not read"},
    };
    struct model m;
    (void)state;
    model_of(&m, "llama", "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gguf_writer w = {0};
        struct tokenizer *t;
        const size_t n = rows[i].n ? rows[i].n : strlen(rows[i].bytes);
        assert_done(tokenizer_new(&t, rows[i].kind, rows[i].bytes, n, NULL, &e), e);
        const int got = gguf_put_vocabulary(&w, &m, rows[i].kind, rows[i].bytes, n, t, NULL, &e);
        buffer_free(&w.bytes);
        tokenizer_free(t);
        assert_refused(got, e, rows[i].says);
    }
    static const char json[] = BPE("\"a\":0", "") "}";
    struct gguf_writer w = {0};
    struct tokenizer *t;
    assert_done(tokenizer_new(&t, "tokenizer.json", json, sizeof json - 1, NULL, &e), e);
    assert_refused(gguf_put_vocabulary(&w, &m, "sentencepiece", "", 0, t, NULL, &e), e,
                   "is no SentencePiece model");
    tokenizer_free(t);
    buffer_free(&w.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_vocabularies),
        cmocka_unit_test(test_models_without_a_form),
        cmocka_unit_test(test_vocabularies_without_a_form),
    };
    return cmocka_run_group_tests_name("gguf_errors", tests, scratch_setup, scratch_teardown);
}
