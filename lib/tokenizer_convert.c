/* Older vocabularies as tokenizer.json. */
#include "tokenizer_convert.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "tokenizer_impl.h"
#include "tokenizer_patterns.h"

enum { LLAMA3_RANKS = 128000, LLAMA3_SPECIAL = 256 };

/* ---- classes -------------------------------------------------------------------------------- */

static const struct class {
    const char *name; /* of tokenizer_config.json, "Fast" left out; NULL: it names none */
    const char *pattern;
    bool nfc, whole_words;
} classes[] = {
    {NULL, PATTERN_GPT2, false, false},
    {"GPT2Tokenizer", PATTERN_GPT2, false, false},
    {"CodeGenTokenizer", PATTERN_GPT2, false, false},
    {"GPTNeoXTokenizer", PATTERN_GPT2, false, false},
    {"OPTTokenizer", PATTERN_GPT2, false, false},
    {"Qwen2Tokenizer", PATTERN_QWEN2, true, false},
};
static const struct class llama3 = {NULL, PATTERN_LLAMA3, false, true};

static const struct class *find_class(const json_t *settings, struct error *e)
{
    const char *name = json_get_string_or(settings, "tokenizer_class", NULL);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        const char *known = classes[i].name;
        const size_t n = known ? strlen(known) : 0;
        if (known && name ? !strncmp(name, known, n) && (!name[n] || !strcmp(name + n, "Fast"))
                          : known == name)
            return &classes[i];
    }
    error_set(e, "tokenizer_config.json: how a %.80s cuts text into words is not known; put its "
                 "tokenizer.json there", name);
    return NULL;
}

/* ---- tokenizer.json ------------------------------------------------------------------------- */

static json_t *byte_level(void)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                     "trim_offsets", 1, "use_regex", 0);
}

/* Adds a token once; one whose id is there already is taken over. */
static int add_token(json_t *list, json_t *by_id, json_int_t id, const json_t *like,
                     const char *content, bool special, struct error *e)
{
    char key[32];
    snprintf(key, sizeof key, "%lld", (long long)id);
    if (json_object_get(by_id, key))
        return 0;
    json_t *t = like ? json_deep_copy(like)
                     : json_pack("{s:s, s:b, s:b}", "content", content, "special", special,
                                 "normalized", 0);
    if (json_set(t, "id", json_integer(id), e) || json_array_append(list, t) ||
        json_object_set(by_id, key, t)) {
        json_decref(t);
        return error_set(e, "no memory for a tokenizer");
    }
    json_decref(t);
    return 0;
}

/* Tokens that text is cut at: added_tokens_decoder and the special ones of the settings, and those of
 * added_tokens.json. */
static int add_tokens(json_t *root, const json_t *vocab, const json_t *added, const json_t *settings,
                      json_t *by_id, struct error *e)
{
    static const char *const roles[] = {"bos_token", "eos_token", "unk_token", "pad_token"};
    json_t *list = json_object_get(root, "added_tokens");
    const char *key;
    json_t *v;
    json_object_foreach(json_object_get(settings, "added_tokens_decoder"), key, v) {
        char *end;
        const long long id = strtoll(key, &end, 10);
        if (*end || id < 0 || id >= TOKEN_IDS_MAX || !json_is_string(json_object_get(v, "content")))
            return error_set(e, "tokenizer_config.json: added_tokens_decoder: %.40s is no token", key);
        if (add_token(list, by_id, id, v, NULL, true, e))
            return -1;
    }
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const json_t *t = json_object_get(settings, roles[i]);
        const char *content = json_is_object(t) ? json_get_string_or(t, "content", NULL)
                                                : json_string_value(t);
        const json_t *id = content ? json_object_get(vocab, content) : NULL;
        if (id && add_token(list, by_id, json_integer_value(id), NULL, content, true, e))
            return -1;
    }
    json_object_foreach((json_t *)(uintptr_t)added, key, v) {
        if (!json_is_integer(v))
            return error_set(e, "added_tokens.json: %.40s has no id", key);
        if (add_token(list, by_id, json_integer_value(v), NULL, key, false, e))
            return -1;
    }
    return 0;
}

static json_t *make_root(const struct class *c, json_t *vocab, json_t *merges)
{
    json_t *split = json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                              c->pattern, "behavior", "Isolated", "invert", 0);
    return json_pack("{s:s, s:o, s:o, s:o, s:n, s:o, s:{s:s, s:b, s:O, s:O}}", "version", "1.0",
                     "added_tokens", json_array(), "normalizer",
                     c->nfc ? json_pack("{s:s}", "type", "NFC") : json_null(), "pre_tokenizer",
                     json_pack("{s:s, s:[o, o]}", "type", "Sequence", "pretokenizers", split,
                               byte_level()),
                     "post_processor", "decoder", byte_level(), "model", "type", "BPE",
                     "ignore_merges", c->whole_words, "vocab", vocab, "merges", merges);
}

static json_t *parse_settings(const char *settings, struct error *e)
{
    settings = settings ? settings : "{}";
    return json_parse(settings, strlen(settings), "tokenizer_config.json", e);
}

/* ---- vocab.json and merges.txt -------------------------------------------------------------- */

static int read_merges(const char *text, size_t n, json_t *merges, struct error *e)
{
    size_t line = 0;
    for (const char *at = text, *end = text + n; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t k = (size_t)((stop ? stop : end) - at);
        const char *start = at;
        at += k + 1;
        if (k && start[k - 1] == '\r')
            k--;
        if (!k || (line == 0 && k >= 8 && !strncmp(start, "#version", 8)))
            continue;
        const char *space = memchr(start, ' ', k);
        if (!space || space == start || space + 1 == start + k ||
            memchr(space + 1, ' ', (size_t)(start + k - space - 1)))
            return error_set(e, "merges.txt: line %zu is not two tokens", line + 1);
        if (json_array_append_new(merges, json_stringn(start, k)))
            return error_set(e, "merges.txt: line %zu is not UTF-8", line + 1);
    }
    return 0;
}

int tokenizer_from_merges(const char *vocab, size_t vocab_bytes, const char *merges,
                          size_t merges_bytes, const char *added, const char *settings,
                          struct buffer *out, struct error *e)
{
    json_t *ids = json_parse(vocab, vocab_bytes, "vocab.json", e), *root = NULL,
           *list = json_array(), *all = NULL, *more = NULL, *by_id = json_object();
    int result = -1;
    if (!ids || !(all = parse_settings(settings, e)) ||
        (added && !(more = json_parse(added, strlen(added), "added_tokens.json", e))))
        goto out;
    const struct class *c = find_class(all, e);
    if (!c || read_merges(merges, merges_bytes, list, e))
        goto out;
    if (!(root = make_root(c, ids, list))) {
        error_set(e, "no memory for a tokenizer");
        goto out;
    }
    /* The classes' own special token, where the settings name none. */
    const json_t *end = json_object_get(ids, "<|endoftext|>");
    if (add_tokens(root, ids, more, all, by_id, e) ||
        (end && add_token(json_object_get(root, "added_tokens"), by_id, json_integer_value(end),
                          NULL, "<|endoftext|>", true, e)))
        goto out;
    result = json_append(root, out, e);
out:
    json_decref(ids);
    json_decref(root);
    json_decref(list);
    json_decref(all);
    json_decref(more);
    json_decref(by_id);
    return result;
}

/* ---- tiktoken ------------------------------------------------------------------------------- */

static int digit_of(unsigned char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Decodes one word of base64; bytes of it, or 0. */
static size_t base64(const char *s, size_t n, unsigned char *out, size_t room)
{
    uint32_t held = 0;
    size_t bits = 0, k = 0;
    if (n % 4)
        return 0;
    while (n && s[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        const int d = digit_of((unsigned char)s[i]);
        if (d < 0)
            return 0;
        held = held << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            if (k == room)
                return 0;
            bits -= 8;
            out[k++] = (unsigned char)(held >> bits);
        }
    }
    return k;
}

struct ranks {
    struct string_map map; /* bytes -> rank */
    size_t count;
};

/* One line: 1, 0 at the end, -1. */
static int read_line(const char **at, const char *end, size_t line, unsigned char *token, size_t room,
                     size_t *n, size_t *rank, struct error *e)
{
    while (*at < end && **at == '\n')
        ++*at;
    if (*at == end)
        return 0;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at)), *start = *at;
    stop = stop ? stop : end;
    const char *space = memchr(start, ' ', (size_t)(stop - start));
    *at = stop;
    *n = space ? base64(start, (size_t)(space - start), token, room) : 0;
    *rank = 0;
    const char *p = space ? space + 1 : stop;
    if (!*n || p == stop || stop - p > 8)
        return error_set(e, "line %zu is not a token in base64 and its rank", line);
    for (; p < stop && *p != '\r'; p++) {
        if (*p < '0' || *p > '9')
            return error_set(e, "line %zu: its rank is not a number", line);
        *rank = *rank * 10 + (size_t)(*p - '0');
    }
    return 1;
}

bool tiktoken_looks_like(const char *text, size_t n)
{
    unsigned char token[TOKEN_BYTES_MAX];
    const char *at = text;
    size_t k, rank;
    return read_line(&at, text + (n < 4096 ? n : 4096), 1, token, sizeof token, &k, &rank, NULL) == 1;
}

/* A token in GPT-2's letters for bytes. */
static json_t *letters(const unsigned char *s, size_t n)
{
    unsigned char text[2 * TOKEN_BYTES_MAX];
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += utf8_put(text + k, tokenizer_byte_letter(s[i]));
    return json_stringn((char *)text, k);
}

struct halves {
    int32_t left, right;
    size_t cut;
};

static int by_ranks(const void *a, const void *b)
{
    const struct halves *x = a, *y = b;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

/* The pairs that make a token: all of its cuts into two tokens. */
static int add_merges(const struct ranks *r, const unsigned char *s, size_t n, json_t *merges,
                      struct error *e)
{
    struct halves list[128];
    size_t count = 0;
    for (size_t cut = 1; cut < n && n <= 128; cut++) {
        const int32_t left = string_map_get(&r->map, s, cut),
                      right = string_map_get(&r->map, s + cut, n - cut);
        if (left >= 0 && right >= 0)
            list[count++] = (struct halves){left, right, cut};
    }
    if (count)
        qsort(list, count, sizeof *list, by_ranks);
    for (size_t i = 0; i < count; i++) {
        json_t *pair = json_pack("[o, o]", letters(s, list[i].cut),
                                 letters(s + list[i].cut, n - list[i].cut));
        if (json_array_append_new(merges, pair))
            return error_set(e, "no memory for a tokenizer");
    }
    return 0;
}

/* Llama 3's special tokens by number; its files hold none. */
static void llama3_name(size_t i, char *out, size_t n)
{
    static const char *const names[] = {"begin_of_text", "end_of_text", NULL, NULL, NULL, NULL,
                                        "start_header_id", "end_header_id", NULL, "eot_id"};
    if (i < 10 && names[i])
        snprintf(out, n, "<|%s|>", names[i]);
    else
        snprintf(out, n, "<|reserved_special_token_%zu|>", i < 6 ? i - 2 : i == 8 ? 4 : i - 5);
}

static int add_llama3(json_t *root, json_t *by_id, struct error *e)
{
    char name[64];
    for (size_t i = 0; i < LLAMA3_SPECIAL; i++) {
        llama3_name(i, name, sizeof name);
        if (add_token(json_object_get(root, "added_tokens"), by_id, (json_int_t)(LLAMA3_RANKS + i),
                      NULL, name, true, e))
            return -1;
    }
    return json_set(root, "post_processor",
                    json_pack("{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}], s:[], s:{s:{s:s, s:[i], s:[s]}}}",
                              "type", "TemplateProcessing", "single", "SpecialToken", "id",
                              "<|begin_of_text|>", "type_id", 0, "Sequence", "id", "A", "type_id", 0,
                              "pair", "special_tokens", "<|begin_of_text|>", "id",
                              "<|begin_of_text|>", "ids", LLAMA3_RANKS, "tokens",
                              "<|begin_of_text|>"),
                    e);
}

int tokenizer_from_tiktoken(const char *text, size_t n, const char *settings, struct buffer *out,
                            struct error *e)
{
    struct ranks r = {0};
    unsigned char token[TOKEN_BYTES_MAX];
    json_t *vocab = json_object(), *merges = json_array(), *root = NULL, *by_id = json_object(),
           *all = parse_settings(settings, e);
    const char *at = text, *end = text + n;
    size_t k, rank, line = 0;
    int got = -1, result = -1;
    if (!all)
        goto out;
    while ((got = read_line(&at, end, ++line, token, sizeof token, &k, &rank, e)) == 1) {
        json_t *name = letters(token, k);
        if (rank != r.count++ || string_map_get(&r.map, token, k) >= 0) {
            json_decref(name);
            error_set(e, "line %zu: ranks are not 0, 1, 2 … or a token is there twice", line);
            goto out;
        }
        const int bad = !name || json_object_setn_new(vocab, json_string_value(name),
                                                      json_string_length(name),
                                                      json_integer((json_int_t)rank));
        json_decref(name);
        if (bad)
            error_set(e, "no memory for a tokenizer");
        if (bad || string_map_add(&r.map, token, k, string_hash(token, k), (int32_t)rank, e))
            goto out;
    }
    at = text;
    for (line = 0; got == 0 && line < r.count; line++)
        if (read_line(&at, end, line + 1, token, sizeof token, &k, &rank, e) != 1 ||
            add_merges(&r, token, k, merges, e))
            goto out;
    if (got)
        goto out;
    if (r.count != LLAMA3_RANKS) {
        error_set(e, "a tiktoken vocabulary of %zu tokens: how it cuts text into words is not known "
                     "(Llama 3's has %d); put its tokenizer.json there", r.count, LLAMA3_RANKS);
        goto out;
    }
    if (!(root = make_root(&llama3, vocab, merges))) {
        error_set(e, "no memory for a tokenizer");
        goto out;
    }
    if (add_tokens(root, vocab, NULL, all, by_id, e) || add_llama3(root, by_id, e))
        goto out;
    result = json_append(root, out, e);
out:
    string_map_free(&r.map);
    json_decref(vocab);
    json_decref(merges);
    json_decref(root);
    json_decref(by_id);
    json_decref(all);
    return result ? error_prefix(e, "a tiktoken vocabulary") : 0;
}
