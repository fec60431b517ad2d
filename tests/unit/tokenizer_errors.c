/* Vocabularies that are refused: every message of the tokenizers, from the input that provokes it. */
#include "scratch.h"

#include "tokenizer.h"
#include "tokenizer_convert.h"
#include "tokenizer_impl.h"

static struct error e;

static void refused(const char *kind, const void *bytes, size_t n, const char *settings,
                    const char *says)
{
    struct tokenizer *t;
    assert_refused(tokenizer_new(&t, kind, bytes, n, settings, &e), e, says);
}

/* ---- tokenizer.json ------------------------------------------------------------------------- */

#define LONG (1 << 17) /* bytes of the longest part: a token of more than TOKEN_BYTES_MAX */

struct parts {
    const char *normalizer, *pre_tokenizer, *decoder, *post, *added, *model, *settings, *says;
};

static size_t whole(char *text, size_t room, const struct parts *p)
{
    const int n = snprintf(text, room,
                           "{\"normalizer\":%s,\"pre_tokenizer\":%s,\"decoder\":%s,"
                           "\"post_processor\":%s,\"added_tokens\":%s,\"model\":%s}",
                           p->normalizer ? p->normalizer : "null",
                           p->pre_tokenizer ? p->pre_tokenizer : "null",
                           p->decoder ? p->decoder : "null", p->post ? p->post : "null",
                           p->added ? p->added : "[]",
                           p->model ? p->model
                                    : "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}");
    assert_true(n > 0 && (size_t)n < room);
    return (size_t)n;
}

#define SPLIT(pattern) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"}}"
#define MODEL(rest) "{\"type\":\"BPE\",\"vocab\":{\"a\":0}," rest "}"
#define TEMPLATE(rest) "{\"type\":\"TemplateProcessing\"" rest "}"
#define TOKENS ",\"special_tokens\":{\"a\":{\"ids\":[0]},\"b\":{\"ids\":[1]},\"c\":{\"ids\":[2]}}"
#define PIECE(name) "{\"SpecialToken\":{\"id\":\"" name "\"}}"

static const struct parts json_rows[] = {
    {.normalizer = "{\"type\":\"Nmt\"}", .says = "normalizer 'Nmt' is not supported"},
    {.normalizer = "{\"type\":\"Sequence\"}", .says = "normalizer: a Sequence without list"},
    {.normalizer = "{\"type\":\"Strip\",\"strip_left\":1}", .says = "strip_left is neither true"},
    {.normalizer = "{\"type\":\"Prepend\"}", .says = "prepend is not a string"},
    {.normalizer = "{\"type\":\"Replace\",\"pattern\":7}", .says = "neither String nor Regex"},
    {.pre_tokenizer = "{\"type\":\"UnicodeScripts\"}",
     .says = "pre_tokenizer 'UnicodeScripts' is not supported"},
    {.pre_tokenizer = SPLIT("("), .says = "pattern '('"},
    {.pre_tokenizer = SPLIT("[a&&b]"), .says = "the intersection of classes is not supported"},
    {.pre_tokenizer = SPLIT("[a[b]]"), .says = "a class in a class is not supported"},
    {.pre_tokenizer = SPLIT("\\\\O"), .says = "\\O, \\Q or \\E is not supported"},
    {.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Kept\"}",
     .says = "split behavior 'Kept' is not known"},
    {.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"__\"}",
     .says = "replacement is not one character"},
    {.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}",
     .says = "prepend_scheme 'last' is not known"},
    {.decoder = "{\"type\":\"CTC\"}", .says = "decoder 'CTC' is not supported"},
    {.decoder = "{\"type\":\"Strip\",\"content\":\"a\",\"start\":-1}", .says = "start is not a count"},
    {.post = "{\"type\":\"Other\"}", .says = "post_processor 'Other' is not supported"},
    {.post = "{\"type\":\"BertProcessing\",\"cls\":[\"c\",2],\"sep\":[\"s\",1]}",
     .says = "an id is not from 0 to 1"},
    {.post = TEMPLATE(""), .says = "TemplateProcessing has no 'single'"},
    {.post = TEMPLATE(",\"single\":[{}]"), .says = "neither SpecialToken nor Sequence"},
    {.post = TEMPLATE(",\"single\":[" PIECE("q") "]" TOKENS), .says = "a special token has no ids"},
    {.post = TEMPLATE(",\"single\":[" PIECE("c") "]" TOKENS), .says = "an id is not from 0 to 1"},
    {.post = TEMPLATE(",\"single\":[" PIECE("a") "," PIECE("b") "]" TOKENS),
     .says = "puts 2 tokens before the text"},
    {.post = TEMPLATE(",\"single\":[" PIECE("a") "]" TOKENS),
     .settings = "{\"bos_token\":\"b\"}",
     .says = "begins a text with id 0, but bos_token of tokenizer_config.json is id 1"},
    {.added = "7", .says = "added_tokens is not an array"},
    {.added = "[{\"id\":1}]", .says = "has no content or no id"},
    {.added = "[{\"id\":-1,\"content\":\"a\"}]", .says = "'a': id -1 is not from 0"},
    {.added = "[{\"id\":99999999,\"content\":\"q\"}]", .says = "'q': id 99999999 is not from 0"},
    {.added = "[{\"id\":2,\"content\":\"q\",\"special\":1}]", .says = "special is neither true"},
    {.added = "[{\"id\":1,\"content\":\"a\"}]", .says = "'a' has id 1, in the vocabulary 0"},
    {.added = "[{\"id\":1,\"content\":\"q\"}]", .says = "'q' has id 1, which is 'b'"},
    {.added = "[{\"id\":2,\"content\":\"q\"},{\"id\":2,\"content\":\"r\"}]",
     .says = "'q' and 'r' both have id 2"},
    {.model = "7", .says = "there is no model"},
    {.model = "{\"type\":\"Unigram\"}", .says = "model type 'Unigram' is not supported"},
    {.model = "{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}", .says = "vocab is not an object"},
    {.model = "{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}", .says = "there are no tokens"},
    {.model = "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}",
     .says = "'a' and 'b' both have id 0"},
    {.model = "{\"type\":\"BPE\",\"vocab\":{\"a\":1e9},\"merges\":[]}", .says = "'a' has no id"},
    {.model = MODEL("\"merges\":7"), .says = "merges is not an array"},
    {.model = MODEL("\"merges\":[\"a b\"]"), .says = "merge 0: 'b' is not in the vocabulary"},
    {.model = MODEL("\"merges\":[\"a a\"]"), .says = "merge 0: 'aa' is not in the vocabulary"},
    {.model = MODEL("\"merges\":[[\"a\",1]]"), .says = "merge 0 is not two tokens"},
    {.model = MODEL("\"merges\":[\"a\"]"), .says = "merge 0 is not two tokens"},
    {.model = MODEL("\"merges\":[],\"unk_token\":\"u\"}"), .says = "line 1"},
    {.model = MODEL("\"merges\":[],\"unk_token\":\"u\""), .says = "unk_token is not in the vocab"},
    {.model = MODEL("\"merges\":[],\"fuse_unk\":1"), .says = "model.fuse_unk is neither true"},
    {.model = MODEL("\"merges\":[],\"end_of_word_suffix\":\"x\""), .says = "end_of_word_suffix is set"},
    {.settings = "", .says = "tokenizer_config.json: line 1"},
    {.settings = "[]", .says = "tokenizer_config.json: not an object"},
    {.settings = "{\"bos_token\":7}", .says = "bos_token is neither a string nor null"},
    {.settings = "{\"add_bos_token\":3}", .says = "add_bos_token is neither true nor false"},
    {.settings = "{\"add_bos_token\":true}", .says = "add_bos_token is true, but the tokenizer has no BOS"},
};

static void json_files(void **state)
{
    (void)state;
    char *text = malloc(2 * LONG), *longer = malloc(2 * LONG), *part = longer;
    for (size_t i = 0; i < sizeof json_rows / sizeof *json_rows; i++)
        refused("tokenizer.json", text, whole(text, 2 * LONG, &json_rows[i]), json_rows[i].settings,
                json_rows[i].says);
    refused("tokenizer.json", "[]", 2, NULL, "tokenizer.json: not an object");
    refused("wordpiece", "[]", 2, NULL, "kind 'wordpiece' is not known");
    /* parts that are long */
    snprintf(longer, LONG, "[{\"id\":2,\"content\":\"%0*d\"}]", TOKEN_BYTES_MAX + 1, 7);
    refused("tokenizer.json", text, whole(text, 2 * LONG, &(struct parts){.added = longer}), NULL,
            "added token 2 has");
    snprintf(longer, LONG, "{\"type\":\"BPE\",\"vocab\":{\"%0*d\":0},\"merges\":[]}",
             TOKEN_BYTES_MAX + 1, 7);
    refused("tokenizer.json", text, whole(text, 2 * LONG, &(struct parts){.model = longer}), NULL,
            "vocab: token 0 has");
    part += sprintf(part, "{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < 257; i++)
        part += sprintf(part, "{\"type\":\"NFC\"}%s", i < 256 ? "," : "]}");
    refused("tokenizer.json", text, whole(text, 2 * LONG, &(struct parts){.normalizer = longer}),
            NULL, "normalizer: more than 256 steps");
    free(longer);
    free(text);
}

/* Patterns that compile, and fail on a text. */
static void patterns_on_texts(void **state)
{
    static const struct {
        const char *pattern, *text, *says;
    } rows[] = {
        {SPLIT("(?:a|a?)+[0-9]b"), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1c1b", "a pattern failed at byte 0"},
        {SPLIT("a(?=(?1))|(b\\\\K)"), "ab", "a pattern "}, /* backwards; newer PCRE2 fail by themselves */
    };
    char text[4096];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct parts p = {.pre_tokenizer = rows[i].pattern};
        struct tokenizer *t;
        struct token_ids ids = {0};
        assert_done(tokenizer_new(&t, "tokenizer.json", text, whole(text, sizeof text, &p), NULL, &e), e);
        assert_refused(tokenizer_encode(t, rows[i].text, strlen(rows[i].text), &ids, &e), e,
                       rows[i].says);
        token_ids_free(&ids);
        tokenizer_free(t);
    }
}

/* ---- tokenizer.model ------------------------------------------------------------------------ */

#define UNKNOWN "\x0a\x09\x0a\x05<unk>\x18\x02"
#define BYTE(length, text) "\x0a" length text "\x18\x06"

#define ROW(bytes, says)                                                                           \
    {                                                                                              \
        bytes, sizeof bytes - 1, says                                                              \
    }

static void sentencepiece_files(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } rows[] = {
        ROW("\x80", "the file ends inside a number at byte 1"),
        ROW("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", "more than ten bytes"),
        ROW("\x02\x01", "a field has number 0"),
        ROW("\x0a\x05", "a field is longer than what holds it"),
        ROW("\x0b", "an unknown wire type"),
        ROW("\x0d\x01", "the file ends inside a field"),
        ROW("\x08\x01", "the wrong wire type"),
        ROW("\x0a\x02\x08\x01", "the wrong wire type"),     /* a piece's text, */
        ROW("\x0a\x02\x10\x01", "the wrong wire type"),     /* score */
        ROW("\x0a\x02\x1a\x00", "the wrong wire type"),     /* and type */
        ROW("\x12\x02\x1a\x00", "the wrong wire type"),     /* the trainer's */
        ROW("\x1a\x02\x18\x00\x1a\x02\x1a\x00", "the wrong wire type"), /* the normaliser's */
        ROW("\x0a\x02\x18\x07", "a piece has an unknown type"),
        ROW("\x0a\x00", "piece 0 has 0 bytes"),
        ROW("\x0a\x03\x0a\x01\xff", "piece 0 is not UTF-8"),
        ROW("\x0a\x08\x0a\x01x\x15\x00\x00\xc0\x7f", "piece 0: its score is not finite"),
        ROW("\x1a\x03\x12\x01x", "precompiled_charsmap is malformed"),
        ROW("\x1a\x0b\x12\x09\4\0\0\0\0\0\0\0\xff", "a replacement is not UTF-8"),
        ROW("\x2a\x03\x12\x01x", "denormalizer_spec has a precompiled_charsmap"),
        ROW("\x12\x00", "there are no pieces"),
        ROW(UNKNOWN "\x0a\x03\x0a\x01x\x0a\x03\x0a\x01x", "piece 2, 'x', is there twice"),
        ROW(BYTE("\x05", "\x0a\x01x"), "byte piece 0, 'x', is not of the form <0xAB>"),
        ROW(BYTE("\x0a", "\x0a\x06<0x0A>") BYTE("\x0a", "\x0a\x06<0x0A>"), "'<0x0A>', is there twice"),
        ROW(UNKNOWN UNKNOWN, "pieces 0 and 1 are both of type unknown"),
        ROW("\x0a\x03\x0a\x01x", "no piece is of type unknown"),
        ROW(UNKNOWN "\x12\x03\x98\x02\x01", "byte_fallback is on, but <0x00> is missing"),
        ROW(UNKNOWN "\x12\x03\xc8\x02\x7f", "bos_id is 127, but there are 1 pieces"),
        ROW(UNKNOWN "\x12\x02\x18\x03", "model type 'word' is not supported"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refused("sentencepiece", rows[i].bytes, rows[i].n, NULL, rows[i].says);
    const size_t count = TOKEN_IDS_MAX + 1;
    char *many = malloc(count * 5);
    for (size_t i = 0; i < count; i++)
        memcpy(many + 5 * i, "\x0a\x03\x0a\x01x", 5);
    refused("sentencepiece", many, count * 5, NULL, "more than ");
    free(many);
}

/* ---- older forms ---------------------------------------------------------------------------- */

static void merges(const char *vocab, const char *list, const char *added, const char *settings,
                   const char *says)
{
    struct buffer out = {0};
    const int got = tokenizer_from_merges(vocab, strlen(vocab), list, strlen(list), added, settings,
                                          &out, &e);
    buffer_free(&out);
    assert_refused(got, e, says);
}

static void tiktoken(const char *text, const char *settings, const char *says)
{
    struct buffer out = {0};
    const int got = tokenizer_from_tiktoken(text, strlen(text), settings, &out, &e);
    buffer_free(&out);
    assert_refused(got, e, says);
}

static void older_forms(void **state)
{
    (void)state;
    merges("{", "", NULL, NULL, "vocab.json");
    merges("{\"a\":0}", "", "{", NULL, "added_tokens.json");
    merges("{\"a\":0}", "", "{\"b\":\"1\"}", NULL, "added_tokens.json: b has no id");
    merges("{\"a\":0}", "a b c\n", NULL, NULL, "merges.txt: line 1 is not two tokens");
    merges("{\"a\":0}", "#version: 0.2\r\na \xff\n", NULL, NULL, "merges.txt: line 2 is not UTF-8");
    merges("{\"a\":0}", "", NULL, "{", "tokenizer_config.json");
    merges("{\"a\":0}", "", NULL, "{\"tokenizer_class\":\"XTokenizer\"}",
           "how a XTokenizer cuts text into words is not known");
    merges("{\"a\":0}", "", NULL, "{\"added_tokens_decoder\":{\"x\":{\"content\":\"b\"}}}",
           "added_tokens_decoder: x is no token");
    tiktoken("YQ== 0\nYg== 1\n", NULL, "a tiktoken vocabulary of 2 tokens");
    tiktoken("YQ== 0\nYg= 1\n", NULL, "line 2 is not a token in base64 and its rank");
    tiktoken("YQ== x\n", NULL, "line 1: its rank is not a number");
    tiktoken("YQ== 1\n", NULL, "line 1: ranks are not 0, 1, 2");
    tiktoken("YQ== 0\n", "{", "tokenizer_config.json");
}

/* ---- texts and ids -------------------------------------------------------------------------- */

static void texts_and_ids(void **state)
{
    static const char model[] = UNKNOWN "\x0a\x03\x0a\x01x\x0a\x03\x0a\x01y";
    static const int32_t negative = -1;
    struct tokenizer *t;
    struct token_ids ids = {0};
    char *text = NULL;
    size_t n = 0;
    (void)state;
    assert_done(tokenizer_new(&t, "sentencepiece", model, sizeof model - 1, "{\"add_bos_token\":false}", &e), e);
    assert_refused(tokenizer_encode(t, "x", (size_t)INT32_MAX + 1, &ids, &e), e, "more than 2 GiB");
    assert_refused(tokenizer_decode(t, &negative, 1, &text, &n, &e), e, "id -1 at 0 is negative");
    tokenizer_free(t);
    /* tables at their ends */
    struct string_map map = {0};
    struct trie trie = {.nodes = UINT32_MAX / 2, .capacity = UINT32_MAX / 2};
    struct merger merger = {0};
    assert_refused(string_map_add(&map, "", (size_t)UINT32_MAX + 1, 0, 0, &e), e, "too many strings in a table");
    assert_refused(trie_add(&trie, "a", 1, 0, &e), e, "too many nodes in a trie");
    trie_free(&trie);
    assert_refused(merger_symbols(&merger, (size_t)INT32_MAX + 1, &e), e, "without a place to cut it is too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_files),  cmocka_unit_test(patterns_on_texts),
        cmocka_unit_test(sentencepiece_files), cmocka_unit_test(older_forms),
        cmocka_unit_test(texts_and_ids),
    };
    return cmocka_run_group_tests_name("tokenizer_errors", tests, NULL, NULL);
}
