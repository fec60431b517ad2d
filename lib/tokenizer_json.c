/* tokenizer.json of Hugging Face tokenizers: added tokens, the order of the steps, special ids.
 *
 * Encoding: the text is cut at added tokens that ask for the raw text; what lies between is
 * normalised, cut at the other added tokens, pre-tokenized into words, and each word goes through
 * the model. Decoding: the texts of the ids, without special tokens, go through the decoder. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer_steps.h"

struct added {
    char *text;
    size_t length;
    int32_t id;
    bool special, single_word, lstrip, rstrip, normalized;
};

struct call;

struct hf {
    _Atomic(struct call *) *spare; /* of the last call, for the next: texts come by the thousand */
    struct bpe *model;
    struct added *added;
    size_t added_count, size;
    struct trie raw, normal; /* values: index into added */
    int32_t *added_by_id;    /* index into added, -1 */
    struct steps normalizer, pre_tokenizer, decoder;
    bool has_decoder;
    pcre2_code *word, *space_before, *space_after;
};

/* ---- added tokens --------------------------------------------------------------------------- */

static int added_flag(const json_t *j, const char *key, bool fallback, bool *out, struct error *e)
{
    const json_t *f = json_object_get(j, key);
    if (f && !json_is_boolean(f))
        return error_set(e, "tokenizer.json: added_tokens: %s is neither true nor false", key);
    *out = f ? json_is_true(f) : fallback;
    return 0;
}

static int added_parse(struct hf *m, struct added *a, const json_t *j, struct error *e)
{
    const json_t *content = json_object_get(j, "content"), *id = json_object_get(j, "id");
    if (!json_is_string(content) || !json_is_integer(id))
        return error_set(e, "tokenizer.json: an added token has no content or no id");
    json_int_t v = json_integer_value(id);
    size_t n = json_string_length(content);
    const char *s = json_string_value(content);
    if (v < 0 || v >= TOKEN_IDS_MAX)
        return error_set(e, "tokenizer.json: added token '%s': id %lld is not from 0 to %d", s,
                         (long long)v, TOKEN_IDS_MAX - 1);
    if (n > TOKEN_BYTES_MAX)
        return error_set(e, "tokenizer.json: added token %lld has %zu bytes, more than %d",
                         (long long)v, n, TOKEN_BYTES_MAX);
    if (added_flag(j, "special", false, &a->special, e) ||
        added_flag(j, "single_word", false, &a->single_word, e) ||
        added_flag(j, "lstrip", false, &a->lstrip, e) ||
        added_flag(j, "rstrip", false, &a->rstrip, e) ||
        added_flag(j, "normalized", !a->special, &a->normalized, e))
        return -1;
    a->id = (int32_t)v;
    a->length = n;
    a->text = memory_new(n + 1, 1, "an added token", e);
    if (!a->text)
        return -1;
    memcpy(a->text, s, n);
    int32_t known = bpe_id(m->model, s, n);
    if (known >= 0 && known != a->id)
        return error_set(e, "tokenizer.json: added token '%s' has id %d, in the vocabulary %d", s,
                         a->id, known);
    size_t other_length;
    const unsigned char *other = bpe_text(m->model, a->id, &other_length);
    if (other && (other_length != n || memcmp(other, s, n)))
        return error_set(e, "tokenizer.json: added token '%s' has id %d, which is '%.*s'", s, a->id,
                         (int)other_length, (const char *)other);
    m->size = (size_t)a->id + 1 > m->size ? (size_t)a->id + 1 : m->size;
    return 0;
}

static int added_load(struct hf *m, const json_t *list, struct error *e)
{
    struct matcher match = {0};
    struct buffer text = {0};
    int rc = -1;
    size_t count = json_array_size(list);
    if (list && !json_is_null(list) && !json_is_array(list))
        return error_set(e, "tokenizer.json: added_tokens is not an array");
    m->added = memory_new(count, sizeof *m->added, "added tokens", e);
    if (!m->added)
        return -1;
    for (size_t i = 0; i < count; i++) {
        m->added_count = i + 1;
        if (added_parse(m, m->added + i, json_array_get(list, i), e))
            goto out;
    }
    m->added_by_id = memory_new(m->size, sizeof *m->added_by_id, "added tokens", e);
    if (!m->added_by_id)
        goto out;
    for (size_t i = 0; i < m->size; i++)
        m->added_by_id[i] = -1;
    for (size_t i = 0; i < count; i++) {
        struct added *a = m->added + i;
        if (m->added_by_id[a->id] >= 0) {
            const struct added *b = m->added + m->added_by_id[a->id];
            if (b->length != a->length || memcmp(b->text, a->text, a->length)) {
                error_set(e, "tokenizer.json: added tokens '%s' and '%s' both have id %d", b->text,
                          a->text, a->id);
                goto out;
            }
        }
        m->added_by_id[a->id] = (int32_t)i;
    }
    /* Where normalisation makes two tokens equal, the first special one counts, else the first. */
    for (size_t k = 0; k < 2 * count; k++) {
        size_t i = k % count, length;
        struct added *a = m->added + i;
        int32_t other;
        if (a->special != (k < count))
            continue;
        struct trie *t = a->normalized ? &m->normal : &m->raw;
        text.length = 0;
        if (buffer_append(&text, a->text, a->length, e) ||
            (a->normalized && steps_normalize(&m->normalizer, &match, &text, e)))
            goto out;
        length = text.length;
        if (length && length <= TOKEN_BYTES_MAX &&
            trie_longest(t, text.data, length, &other) != length &&
            trie_add(t, text.data, length, (int32_t)i, e))
            goto out;
    }
    rc = 0;
out:
    matcher_free(&match);
    buffer_free(&text);
    return rc;
}

/* ---- special ids ---------------------------------------------------------------------------- */

static int32_t token_id(const struct hf *m, const char *s, size_t n)
{
    for (size_t i = 0; i < m->added_count; i++)
        if (m->added[i].length == n && !memcmp(m->added[i].text, s, n))
            return m->added[i].id;
    return bpe_id(m->model, s, n);
}

/* What the post-processor puts around one text. */
struct frame {
    int32_t before, after; /* -1: nothing */
    size_t before_count, after_count;
};

static int frame_id(const struct hf *m, const json_t *j, int32_t *out, struct error *e)
{
    json_int_t v = json_is_integer(j) ? json_integer_value(j) : -1;
    if (v < 0 || (size_t)v >= m->size)
        return error_set(e, "tokenizer.json: post_processor: an id is not from 0 to %zu",
                         m->size - 1);
    *out = (int32_t)v;
    return 0;
}

static int frame_template(const struct hf *m, const json_t *j, struct frame *f, struct error *e)
{
    const json_t *single = json_object_get(j, "single"),
                 *tokens = json_object_get(j, "special_tokens");
    bool seen = false;
    if (!json_is_array(single))
        return error_set(e, "tokenizer.json: post_processor: TemplateProcessing has no 'single'");
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *piece = json_array_get(single, i),
                     *special = json_object_get(piece, "SpecialToken");
        if (!special) {
            if (!json_object_get(piece, "Sequence"))
                return error_set(e, "tokenizer.json: post_processor: a piece of the template is "
                                    "neither SpecialToken nor Sequence");
            seen = true;
            continue;
        }
        const json_t *name = json_object_get(special, "id");
        const json_t *ids = json_object_get(
            json_is_string(name) ? json_object_get(tokens, json_string_value(name)) : NULL, "ids");
        if (!json_array_size(ids))
            return error_set(e, "tokenizer.json: post_processor: a special token has no ids");
        for (size_t k = 0; k < json_array_size(ids); k++) {
            int32_t id = -1;
            if (frame_id(m, json_array_get(ids, k), &id, e))
                return -1;
            if (!seen && !f->before_count++)
                f->before = id;
            if (seen && !f->after_count++)
                f->after = id;
        }
    }
    return 0;
}

static int frame_parse(const struct hf *m, const json_t *j, struct frame *f, int depth,
                       struct error *e)
{
    if (!j || json_is_null(j))
        return 0;
    const json_t *type = json_object_get(j, "type");
    const char *name = json_is_string(type) ? json_string_value(type) : "(none)";
    if (!strcmp(name, "ByteLevel"))
        return 0; /* moves offsets only */
    if (!strcmp(name, "TemplateProcessing"))
        return frame_template(m, j, f, e);
    if (!strcmp(name, "RobertaProcessing") || !strcmp(name, "BertProcessing")) {
        f->before_count++;
        f->after_count++;
        return frame_id(m, json_array_get(json_object_get(j, "cls"), 1), &f->before, e) ||
                       frame_id(m, json_array_get(json_object_get(j, "sep"), 1), &f->after, e)
                   ? -1
                   : 0;
    }
    if (!strcmp(name, "Sequence") && depth < 16) {
        const json_t *list = json_object_get(j, "processors");
        for (size_t i = 0; i < json_array_size(list); i++)
            if (frame_parse(m, json_array_get(list, i), f, depth + 1, e))
                return -1;
        return 0;
    }
    return error_set(e, "tokenizer.json: post_processor '%s' is not supported", name);
}

static int find_specials(const struct hf *m, const json_t *post,
                         const struct tokenizer_settings *settings, struct tokenizer_facts *facts,
                         struct error *e)
{
    struct frame f = {.before = -1, .after = -1};
    if (frame_parse(m, post, &f, 0, e))
        return -1;
    if (f.before_count > 1)
        return error_set(e,
                         "tokenizer.json: post_processor puts %zu tokens before the text; one "
                         "is supported",
                         f.before_count);
    facts->bos = settings->bos ? token_id(m, settings->bos, settings->bos_length) : f.before;
    facts->eos = settings->eos        ? token_id(m, settings->eos, settings->eos_length)
                 : f.after_count == 1 ? f.after
                                      : -1;
    facts->adds_bos = f.before >= 0;
    if (f.before >= 0 && facts->bos != f.before)
        return error_set(e,
                         "tokenizer.json: post_processor begins a text with id %d, but bos_token "
                         "of tokenizer_config.json is id %d",
                         f.before, facts->bos);
    return 0;
}

/* Working memory of a call. */
struct call {
    struct merger merger;
    struct matcher matcher;
    struct buffer normal;
    struct spans spans;
};

static void call_free(struct call *c)
{
    if (!c)
        return;
    merger_free(&c->merger);
    matcher_free(&c->matcher);
    buffer_free(&c->normal);
    spans_free(&c->spans);
    free(c);
}

/* ---- the file ------------------------------------------------------------------------------- */

int hf_new(struct hf **out, const void *bytes, size_t n, const struct tokenizer_settings *settings,
           struct tokenizer_facts *facts, struct error *e)
{
    json_error_t je;
    json_t *root = json_loadb(bytes, n, JSON_ALLOW_NUL, &je);
    const json_t *decoder;
    struct hf *m = NULL;
    int rc = -1;
    if (!root)
        return error_set(e, "tokenizer.json: line %d: %s", je.line, je.text);
    if (!json_is_object(root)) {
        error_set(e, "tokenizer.json: not an object");
        goto out;
    }
    m = memory_new(1, sizeof *m, "a tokenizer", e);
    if (!m || !(m->spare = memory_new(1, sizeof *m->spare, "a tokenizer", e)) ||
        bpe_new(&m->model, json_object_get(root, "model"), e))
        goto out;
    m->size = bpe_size(m->model);
    decoder = json_object_get(root, "decoder");
    m->has_decoder = decoder && !json_is_null(decoder);
    /* \w as the original's added tokens understand it, which is wider than PCRE2's. */
    const char *word = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
    if (steps_parse(&m->normalizer, STEP_NORMALIZER, json_object_get(root, "normalizer"), e) ||
        steps_parse(&m->pre_tokenizer, STEP_PRE_TOKENIZER, json_object_get(root, "pre_tokenizer"),
                    e) ||
        steps_parse(&m->decoder, STEP_DECODER, decoder, e) ||
        pattern_compile(&m->word, word, strlen(word), false, e) ||
        pattern_compile(&m->space_before, "\\s+\\z", 5, false, e) ||
        pattern_compile(&m->space_after, "\\A\\s+", 5, false, e) ||
        added_load(m, json_object_get(root, "added_tokens"), e) ||
        find_specials(m, json_object_get(root, "post_processor"), settings, facts, e))
        goto out;
    facts->size = m->size;
    if (!m->size) {
        error_set(e, "tokenizer.json: there are no tokens");
        goto out;
    }
    *out = m;
    m = NULL;
    rc = 0;
out:
    hf_free(m);
    json_decref(root);
    return rc;
}

void hf_free(struct hf *m)
{
    if (!m)
        return;
    call_free(m->spare ? atomic_load(m->spare) : NULL);
    free(m->spare);
    bpe_free(m->model);
    for (size_t i = 0; i < m->added_count; i++)
        free(m->added[i].text);
    free(m->added);
    free(m->added_by_id);
    trie_free(&m->raw);
    trie_free(&m->normal);
    steps_free(&m->normalizer);
    steps_free(&m->pre_tokenizer);
    steps_free(&m->decoder);
    pcre2_code_free(m->word);
    pcre2_code_free(m->space_before);
    pcre2_code_free(m->space_after);
    free(m);
}

/* ---- encoding ------------------------------------------------------------------------------- */

/* 1 if one character, that before or that at a position, is of a word. */
static int is_word(const struct hf *m, struct call *c, const unsigned char *s, size_t n,
                   struct error *e)
{
    size_t start, end;
    return n ? pattern_next(m->word, &c->matcher, s, n, 0, &start, &end, e) : 0;
}

static int stands_alone(const struct hf *m, struct call *c, const unsigned char *s, size_t n,
                        size_t start, size_t stop, struct error *e)
{
    size_t before = start, after = 0;
    while (before && (s[--before] & 0xC0) == 0x80)
        ;
    if (stop < n)
        utf8_next(s + stop, &after);
    int left = is_word(m, c, s + before, start - before, e);
    int right = left ? left : is_word(m, c, s + stop, after, e);
    return right < 0 ? -1 : !right;
}

/* White space before start, but not before from. */
static int widen(const struct hf *m, struct call *c, const struct added *a, const unsigned char *s,
                 size_t n, size_t from, size_t *start, size_t *stop, struct error *e)
{
    size_t b, t;
    /* Going back character by character: a pattern anchored at the end would be tried from every
     * white space of the text. */
    while (a->lstrip && *start > from) {
        size_t at = *start;
        while (at > from && (s[--at] & 0xC0) == 0x80)
            ;
        int rc = pattern_next(m->space_before, &c->matcher, s + at, *start - at, 0, &b, &t, e);
        if (rc < 0)
            return -1;
        if (!rc)
            break;
        *start = at;
    }
    if (a->rstrip) {
        int rc = pattern_next(m->space_after, &c->matcher, s + *stop, n - *stop, 0, &b, &t, e);
        if (rc < 0)
            return -1;
        if (rc)
            *stop += t;
    }
    return 0;
}

typedef int take_text(const struct hf *m, struct call *c, const unsigned char *s, size_t n,
                      bool first, struct token_ids *out, struct error *e);

/* Cuts s at added tokens: their ids go to out, what lies between to take. */
static int cut_added(const struct hf *m, struct call *c, const struct trie *t, take_text *take,
                     const unsigned char *s, size_t n, bool first, struct token_ids *out,
                     struct error *e)
{
    size_t from = 0;
    for (size_t i = 0; t->nodes && i < n;) {
        int32_t which;
        size_t length = trie_longest(t, s + i, n - i, &which);
        if (!length) {
            i++;
            continue;
        }
        const struct added *a = m->added + which;
        size_t start = i, stop = i + length;
        i = stop;
        if (a->single_word) {
            int alone = stands_alone(m, c, s, n, start, stop, e);
            if (alone < 0)
                return -1;
            if (!alone)
                continue;
        }
        if (widen(m, c, a, s, n, from, &start, &stop, e))
            return -1;
        /* What another token's rstrip has taken already can leave nothing of this one. */
        if (a->lstrip && start < from)
            start = from;
        if (start >= stop)
            continue;
        if (from < start && take(m, c, s + from, start - from, first && !from, out, e))
            return -1;
        if (token_ids_push(out, a->id, e))
            return -1;
        from = stop;
    }
    return from < n ? take(m, c, s + from, n - from, first && !from, out, e) : 0;
}

static int take_words(const struct hf *m, struct call *c, const unsigned char *s, size_t n,
                      bool first, struct token_ids *out, struct error *e)
{
    if (!m->pre_tokenizer.count)
        return bpe_encode(m->model, &c->merger, s, n, out, e);
    struct spans *p = &c->spans;
    p->text.length = p->count = 0;
    if (buffer_append(&p->text, s, n, e) || spans_push(p, 0, n, first, e) ||
        steps_run(&m->pre_tokenizer, &c->matcher, p, e))
        return -1;
    for (size_t i = 0; i < p->count; i++)
        if (p->v[i].length &&
            bpe_encode(m->model, &c->merger, p->text.data + p->v[i].start, p->v[i].length, out, e))
            return -1;
    return 0;
}

static int take_raw(const struct hf *m, struct call *c, const unsigned char *s, size_t n,
                    bool first, struct token_ids *out, struct error *e)
{
    if (!m->normalizer.count)
        return cut_added(m, c, &m->normal, take_words, s, n, first, out, e);
    c->normal.length = 0;
    if (buffer_append(&c->normal, s, n, e) ||
        steps_normalize(&m->normalizer, &c->matcher, &c->normal, e))
        return -1;
    return cut_added(m, c, &m->normal, take_words, c->normal.data, c->normal.length, first, out, e);
}

int hf_encode(const struct hf *m, const char *text, size_t n, struct token_ids *out,
              struct error *e)
{
    enum { KNOWN_MAX = 1 << 14, TEXT_MAX = 1 << 16 }; /* what is worth keeping between calls */
    struct call *c = atomic_exchange(m->spare, NULL);
    if (!c && !(c = memory_new(1, sizeof *c, "a text", e)))
        return -1;
    const int rc = cut_added(m, c, &m->raw, take_raw, (const unsigned char *)text, n, true, out, e);
    if (rc || c->merger.known.count > KNOWN_MAX || n > TEXT_MAX) {
        call_free(c);
        return rc;
    }
    call_free(atomic_exchange(m->spare, c));
    return 0;
}

/* ---- decoding ------------------------------------------------------------------------------- */

int hf_decode(const struct hf *m, const int32_t *ids, size_t n, struct buffer *text,
              struct error *e)
{
    struct spans p = {0};
    struct matcher match = {0};
    int rc = -1;
    for (size_t i = 0; i < n; i++) {
        if ((size_t)ids[i] >= m->size)
            continue; /* padding of an embedding that has more rows than there are tokens */
        const struct added *a =
            m->added_by_id[ids[i]] >= 0 ? m->added + m->added_by_id[ids[i]] : NULL;
        size_t length = a ? a->length : 0;
        const unsigned char *s =
            a ? (const unsigned char *)a->text : bpe_text(m->model, ids[i], &length);
        if (!s || (a && a->special))
            continue;
        if (spans_push(&p, p.text.length, length, false, e) || buffer_append(&p.text, s, length, e))
            goto out;
    }
    if (steps_run(&m->decoder, &match, &p, e))
        goto out;
    for (size_t i = 0; i < p.count; i++)
        if ((i && !m->has_decoder && buffer_append(text, " ", 1, e)) ||
            buffer_append(text, p.text.data + p.v[i].start, p.v[i].length, e))
            goto out;
    rc = 0;
out:
    spans_free(&p);
    matcher_free(&match);
    return rc;
}
