/* GGUF vocabularies as files that lib/tokenizer reads.
 *   "llama"  pieces with scores and types are SentencePiece's: a ModelProto is written
 *   "gpt2"   tokens and merges are those of a byte-level BPE: a tokenizer.json is written. How text
 *            is cut into words first is only named; the names known are those of the table below. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_model.h"
#include "gguf_write.h"
#include "json.h"
#include "window.h"

enum token_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LETTERS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define REST " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT2                                                                                       \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
/* CJK, as DeepSeek's tokenizer.json writes it */
#define HAN "[\\x{4E00}-\\x{9FA5}\\x{0800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"

#define DIGIT "\\p{N}"
#define LLAMA3 CONTRACTIONS "|" LETTERS "|\\p{N}{1,3}|" REST
#define QWEN2 CONTRACTIONS "|" LETTERS "|\\p{N}|" REST

/* Names of tokenizer.ggml.pre, and the patterns that cut one after the other. The first name of
 * equal patterns is the one that is written. */
static const struct cutting {
    const char *name;
    bool whole_words; /* a word that is a token is not merged from parts */
    const char *patterns[6];
} cuttings[] = {
    {"gpt-2", false, {GPT2}},
    {"phi-2", false, {GPT2}},
    {"mpt", false, {GPT2}},
    {"olmo", false, {GPT2}},
    {"jais", false, {GPT2}},
    {"llama-bpe", true, {LLAMA3}},
    {"dbrx", false, {LLAMA3}},
    {"smaug-bpe", false, {LLAMA3}},
    {"qwen2", false, {QWEN2}},
    {"stablelm2", false, {QWEN2}},
    {"deepseek-r1-qwen", false, {QWEN2}},
    {"starcoder", false, {DIGIT, GPT2}},
    {"refact", false, {DIGIT, GPT2}},
    {"command-r", false, {DIGIT, GPT2}},
    {"smollm", false, {DIGIT, GPT2}},
    {"codeshell", false, {DIGIT, GPT2}},
    {"falcon", false, {"[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {"deepseek-llm",
     false,
     {"[\\r\\n]", "\\s?[\\p{Lu}\\p{Ll}\\p{Lt}]+",
      "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+",
      "\\s+$", HAN, "\\p{N}+"}},
};
enum { CUTTINGS = sizeof cuttings / sizeof *cuttings };

struct vocabulary {
    const struct gguf_string *token;
    size_t count;
    const struct gguf_value *scores, *types;
    int64_t bos, eos, unknown; /* -1: none */
};

static int64_t type_of(const struct vocabulary *v, size_t i)
{
    int64_t type = NORMAL;
    return gguf_integer(v->types, i, &type) ? type : NORMAL;
}

static int64_t id_of(const struct gguf *g, const char *key, size_t count)
{
    int64_t id;
    return gguf_integer(gguf_find(g, key), 0, &id) && id >= 0 && (uint64_t)id < count ? id : -1;
}

/* A truth value, or `other` where the key is missing. */
static bool flag(const struct gguf *g, const char *key, bool other)
{
    int64_t n;
    const struct gguf_value *v = gguf_find(g, key);
    return v && v->kind == GGUF_BOOL && gguf_integer(v, 0, &n) ? n != 0 : other;
}

static int read_vocabulary(const struct gguf *g, struct vocabulary *v, struct error *e)
{
    const struct gguf_value *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    v->scores = gguf_find(g, "tokenizer.ggml.scores");
    v->types = gguf_find(g, "tokenizer.ggml.token_type");
    if (!tokens || tokens->kind != GGUF_ARRAY || tokens->items != GGUF_STRING || !tokens->count)
        return error_set(e, "its metadata: tokenizer.ggml.tokens is not a list of texts");
    v->token = tokens->string;
    v->count = tokens->count;
    if ((v->scores && v->scores->count != v->count) || (v->types && v->types->count != v->count))
        return error_set(e, "its metadata: tokenizer.ggml has %zu tokens, but another number of "
                            "scores or types", v->count);
    for (size_t i = 0; i < v->count; i++)
        if (type_of(v, i) < NORMAL || type_of(v, i) > BYTE)
            return error_set(e, "its metadata: tokenizer.ggml.token_type: token %zu is of type %lld",
                             i, (long long)type_of(v, i));
    v->bos = id_of(g, "tokenizer.ggml.bos_token_id", v->count);
    v->eos = id_of(g, "tokenizer.ggml.eos_token_id", v->count);
    v->unknown = id_of(g, "tokenizer.ggml.unknown_token_id", v->count);
    return 0;
}

/* ---- SentencePiece -------------------------------------------------------------------------- */

static int put_varint(struct buffer *b, uint64_t n, struct error *e)
{
    unsigned char c[10];
    size_t k = 0;
    for (; n > 127; n >>= 7)
        c[k++] = (unsigned char)(n | 128);
    c[k++] = (unsigned char)n;
    return buffer_append(b, c, k, e);
}

/* A field with a number; one with bytes. */
static int put_number(struct buffer *b, unsigned field, uint64_t n, struct error *e)
{
    return put_varint(b, field << 3, e) || put_varint(b, n, e) ? -1 : 0;
}

static int put_bytes(struct buffer *b, unsigned field, const void *p, size_t n, struct error *e)
{
    return put_varint(b, field << 3 | 2, e) || put_varint(b, n, e) || buffer_append(b, p, n, e) ? -1
                                                                                                : 0;
}

static int put_piece(const struct vocabulary *v, size_t i, int64_t type, struct buffer *b,
                     struct buffer *part, struct error *e)
{
    double score = 0;
    float narrow;
    uint32_t bits;
    gguf_real(v->scores, i, &score);
    narrow = (float)score;
    memcpy(&bits, &narrow, 4);
    const unsigned char little[5] = {2 << 3 | 5, (unsigned char)bits, (unsigned char)(bits >> 8),
                                     (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
    part->length = 0;
    return put_bytes(part, 1, v->token[i].text, v->token[i].length, e) ||
                   buffer_append(part, little, sizeof little, e) ||
                   put_number(part, 3, (uint64_t)type, e) ||
                   put_bytes(b, 1, part->data, part->length, e)
               ? -1
               : 0;
}

static int make_pieces(const struct gguf *g, const struct vocabulary *v, struct buffer *b,
                       struct error *e)
{
    struct buffer part = {0};
    size_t bytes = 0, unknown = SIZE_MAX;
    int result = -1;
    for (size_t i = 0; i < v->count; i++) {
        bytes += type_of(v, i) == BYTE;
        if (type_of(v, i) == UNKNOWN && unknown == SIZE_MAX)
            unknown = i;
    }
    if (unknown == SIZE_MAX) /* some converters say so only by its id */
        unknown = v->unknown >= 0 ? (size_t)v->unknown : 0;
    for (size_t i = 0; i < v->count; i++) {
        /* Padding of a vocabulary is of type unknown too; one piece can be that. */
        int64_t type = type_of(v, i) == UNKNOWN ? CONTROL : type_of(v, i);
        type = i == unknown ? UNKNOWN : type;
        if (put_piece(v, i, type, b, &part, e))
            goto out;
    }
    part.length = 0;
    if (put_number(&part, 3, 2, e) || put_number(&part, 35, bytes == 256, e) ||
        put_number(&part, 40, unknown, e) || put_number(&part, 41, (uint64_t)v->bos, e) ||
        put_number(&part, 42, (uint64_t)v->eos, e) ||
        put_bytes(b, 2, part.data, part.length, e))
        goto out;
    part.length = 0;
    if (put_number(&part, 3, flag(g, "tokenizer.ggml.add_space_prefix", true), e) ||
        put_number(&part, 4, flag(g, "tokenizer.ggml.remove_extra_whitespaces", false), e) ||
        put_number(&part, 5, 1, e) || put_bytes(b, 3, part.data, part.length, e))
        goto out;
    result = 0;
out:
    buffer_free(&part);
    return result;
}

/* ---- byte-level BPE ------------------------------------------------------------------------- */

static const struct cutting *find_cutting(const struct gguf *g, struct error *e)
{
    const struct gguf_value *pre = gguf_find(g, "tokenizer.ggml.pre");
    if (!pre || pre->kind != GGUF_STRING) {
        error_set(e, "its metadata has no tokenizer.ggml.pre, so how text is cut into words is not "
                     "known; convert the model again");
        return NULL;
    }
    char known[512] = "";
    for (size_t i = 0, n = 0; i < CUTTINGS; i++) {
        if (!strcmp(cuttings[i].name, pre->string->text))
            return &cuttings[i];
        if (n < sizeof known)
            n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                                  cuttings[i].name);
    }
    error_set(e, "its metadata: tokenizer.ggml.pre '%.80s' is not known (%s)", pre->string->text,
              known);
    return NULL;
}

/* The pattern of one step of a pre-tokenizer; NULL: none, "?": it is something else. */
static const char *step_pattern(const json_t *step)
{
    const char *type = json_get_string_or(step, "type", "?");
    const json_t *regex = json_object_get(json_object_get(step, "pattern"), "Regex"),
                 *use = json_object_get(step, "use_regex");
    if (!strcmp(type, "ByteLevel"))
        return use && json_is_false(use) ? NULL : GPT2;
    if (!strcmp(type, "Digits") && json_is_true(json_object_get(step, "individual_digits")))
        return DIGIT;
    if (!strcmp(type, "Split") && regex && !json_is_true(json_object_get(step, "invert")) &&
        !strcmp(json_get_string_or(step, "behavior", "?"), "Isolated"))
        return json_string_value(regex);
    return "?";
}

const char *gguf_cutting_name(const json_t *pre_tokenizer)
{
    const json_t *list = json_object_get(pre_tokenizer, "pretokenizers");
    const size_t steps = list ? json_array_size(list) : 1;
    const char *pattern[6] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < steps; i++) {
        const char *p = step_pattern(list ? json_array_get(list, i) : pre_tokenizer);
        if (p && n == 6)
            return NULL;
        if (p)
            pattern[n++] = p;
    }
    for (size_t i = 0; i < CUTTINGS; i++) {
        bool same = true;
        for (size_t k = 0; k < 6; k++) {
            const char *p = cuttings[i].patterns[k];
            same &= p && pattern[k] ? !strcmp(p, pattern[k]) : !p && !pattern[k];
        }
        if (same)
            return cuttings[i].name;
    }
    return NULL;
}

static json_t *pre_tokenizer(const struct cutting *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof c->patterns / sizeof *c->patterns && c->patterns[i]; i++)
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern",
                                              "Regex", c->patterns[i], "behavior", "Isolated",
                                              "invert", 0));
    json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel",
                                          "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 0));
    return json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", list);
}

static int make_bpe(const struct gguf *g, const struct vocabulary *v, json_t *root, struct error *e)
{
    const struct gguf_value *merges = gguf_find(g, "tokenizer.ggml.merges");
    const struct cutting *cutting = find_cutting(g, e);
    json_t *vocab = json_object(), *added = json_array(), *list = json_array(),
           *model = json_pack("{s:s, s:b}", "type", "BPE", "ignore_merges",
                              cutting && cutting->whole_words);
    if (json_set(root, "added_tokens", added, e) || json_set(model, "vocab", vocab, e) ||
        json_set(model, "merges", list, e) || json_set(root, "model", model, e) || !cutting)
        return -1;
    if (!merges || merges->kind != GGUF_ARRAY || merges->items != GGUF_STRING)
        return error_set(e, "its metadata: tokenizer.ggml.merges is not a list of texts");
    for (size_t i = 0; i < v->count; i++) {
        json_t *text = json_stringn(v->token[i].text, v->token[i].length);
        const int64_t type = type_of(v, i);
        if (!text)
            return error_set(e, "its metadata: token %zu is not UTF-8", i);
        if (json_object_getn(vocab, v->token[i].text, v->token[i].length)) {
            json_decref(text);
            return error_set(e, "its metadata: token %zu is there twice", i);
        }
        json_object_setn_new(vocab, v->token[i].text, v->token[i].length,
                             json_integer((json_int_t)i));
        if (type == CONTROL || type == USER_DEFINED || type == UNKNOWN)
            json_array_append_new(
                added, json_pack("{s:I, s:O, s:b, s:b}", "id", (json_int_t)i, "content", text,
                                 "special", type != USER_DEFINED, "normalized", 0));
        json_decref(text);
    }
    for (size_t i = 0; i < merges->count; i++)
        if (json_array_append_new(list,
                                  json_stringn(merges->string[i].text, merges->string[i].length)))
            return error_set(e, "its metadata: merge %zu is not UTF-8", i);
    return json_set(root, "pre_tokenizer", pre_tokenizer(cutting), e) ||
                   json_set(root, "decoder",
                            json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel",
                                      "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 0),
                            e)
               ? -1
               : 0;
}

/* ---- both ----------------------------------------------------------------------------------- */

/* tokenizer_config.json: BOS, EOS, whether text gets a BOS, chat template. */
static int make_settings(const struct gguf *g, const struct vocabulary *v, bool adds_bos,
                         struct buffer *out, struct error *e)
{
    const struct gguf_value *chat = gguf_find(g, "tokenizer.chat_template");
    json_t *o = json_object();
    const struct {
        const char *key;
        int64_t id;
    } special[] = {{"bos_token", v->bos}, {"eos_token", v->eos}};
    int result = -1;
    if (json_set(o, "add_bos_token",
                 json_boolean(v->bos >= 0 && flag(g, "tokenizer.ggml.add_bos_token", adds_bos)), e))
        goto out;
    for (size_t i = 0; i < 2; i++)
        if (special[i].id >= 0 &&
            json_set(o, special[i].key,
                     json_stringn(v->token[special[i].id].text, v->token[special[i].id].length), e))
            goto out;
    if (chat && chat->kind == GGUF_STRING &&
        json_set(o, "chat_template", json_stringn(chat->string->text, chat->string->length), e))
        goto out;
    result = json_append(o, out, e) || buffer_append(out, "", 1, e);
    if (!result)
        out->length--;
out:
    json_decref(o);
    return result ? -1 : 0;
}

int gguf_tokenizer(const struct gguf *g, const char **kind, struct buffer *bytes,
                   struct buffer *settings, struct error *e)
{
    const struct gguf_value *model = gguf_find(g, "tokenizer.ggml.model");
    struct vocabulary v = {0};
    *kind = NULL;
    if (!model || (model->kind == GGUF_STRING && !strcmp(model->string->text, "no_vocab")))
        return 0;
    if (model->kind != GGUF_STRING || (strcmp(model->string->text, "llama") &&
                                       strcmp(model->string->text, "gpt2")))
        return error_set(e, "its metadata: tokenizer.ggml.model '%.80s' is not known (llama, gpt2)",
                         model->kind == GGUF_STRING ? model->string->text : "?");
    if (read_vocabulary(g, &v, e))
        return -1;
    if (!strcmp(model->string->text, "llama")) {
        *kind = "sentencepiece";
        return make_pieces(g, &v, bytes, e) || make_settings(g, &v, true, settings, e) ? -1 : 0;
    }
    json_t *root = json_object();
    *kind = "tokenizer.json";
    const int result = make_bpe(g, &v, root, e) || json_append(root, bytes, e) ||
                       make_settings(g, &v, false, settings, e);
    json_decref(root);
    return result ? -1 : 0;
}
