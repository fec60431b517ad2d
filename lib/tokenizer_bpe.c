/* Byte-pair encoding as tokenizer.json describes it (model type BPE of Hugging Face tokenizers;
 * Sennrich et al. 2016, arXiv:1508.07909).
 *
 * A word's code points become ids; the neighbouring pair of ids whose merge has the lowest rank is
 * joined, leftmost first among equals, until no pair is in the list. What is no token falls back to
 * its bytes, to the unknown token, or, where the file has neither, is left out: so does the
 * original. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer_steps.h"

struct pair {
    uint64_t key; /* left << 32 | right, + 1; 0 is free */
    uint32_t rank;
    int32_t id;
};

enum { PAGE = 256, PAGES = 0x110000 / PAGE };

struct bpe {
    struct string_map vocab;
    uint32_t *entries; /* by id: entry of vocab + 1 */
    size_t size;
    struct pair *pairs;
    size_t pair_mask;
    int32_t *pages[PAGES]; /* ids of single code points */
    struct joints joints;
    int32_t unk;
    int32_t bytes[256];
    bool ignore_merges, byte_fallback, fuse_unk, may_cut;
};

static int32_t char_id(const struct bpe *m, uint32_t code)
{
    const int32_t *page = m->pages[code / PAGE];
    return page ? page[code % PAGE] : -1;
}

static const struct pair *pair_find(const struct bpe *m, int32_t left, int32_t right)
{
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1;
    uint64_t h = key * 0x9E3779B97F4A7C15u;
    for (size_t i = (h ^ h >> 32) & m->pair_mask;; i = (i + 1) & m->pair_mask)
        if (m->pairs[i].key == key || !m->pairs[i].key)
            return m->pairs + i;
}

static const struct pair *pair_get(const struct bpe *m, int32_t left, int32_t right)
{
    const struct pair *p = pair_find(m, left, right);
    return p->key ? p : NULL;
}

const unsigned char *bpe_text(const struct bpe *m, int32_t id, size_t *n)
{
    if (id < 0 || (size_t)id >= m->size || !m->entries[id])
        return NULL;
    const struct string_entry *f = m->vocab.entries + (m->entries[id] - 1);
    *n = f->length;
    return m->vocab.text.data + f->offset;
}

size_t bpe_size(const struct bpe *m)
{
    return m->size;
}

int32_t bpe_id(const struct bpe *m, const void *s, size_t n)
{
    return string_map_get(&m->vocab, s, n);
}

/* ---- the file ------------------------------------------------------------------------------- */

static int parse_vocab(struct bpe *m, const json_t *vocab, struct error *e)
{
    const char *key;
    size_t n;
    json_t *value;
    if (!json_is_object(vocab))
        return error_set(e, "tokenizer.json: model.vocab is not an object");
    json_object_keylen_foreach((json_t *)(uintptr_t)vocab, key, n, value)
    {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= TOKEN_IDS_MAX)
            return error_set(e, "tokenizer.json: vocab: '%s' has no id from 0 to %d", key,
                             TOKEN_IDS_MAX - 1);
        if (n > TOKEN_BYTES_MAX)
            return error_set(e, "tokenizer.json: vocab: token %lld has %zu bytes, more than %d",
                             (long long)id, n, TOKEN_BYTES_MAX);
        /* The parser keeps one entry of equal keys. */
        if (string_map_add(&m->vocab, key, n, string_hash(key, n), (int32_t)id, e))
            return -1;
        m->size = (size_t)id + 1 > m->size ? (size_t)id + 1 : m->size;
    }
    m->entries = memory_new(m->size, sizeof *m->entries, "token texts", e);
    if (!m->entries)
        return -1;
    for (size_t i = 0; i < m->vocab.count; i++) {
        const struct string_entry *f = m->vocab.entries + i;
        /* The text of a vocabulary whose only entry is empty is nowhere. */
        const unsigned char *s = f->length ? m->vocab.text.data + f->offset : (const unsigned char *)"";
        if (m->entries[f->value]) {
            const struct string_entry *g = m->vocab.entries + (m->entries[f->value] - 1);
            return error_set(e, "tokenizer.json: vocab: '%.*s' and '%.*s' both have id %d",
                             (int)g->length, (const char *)m->vocab.text.data + g->offset,
                             (int)f->length, (const char *)s, f->value);
        }
        m->entries[f->value] = (uint32_t)i + 1;
        size_t used = 0;
        uint32_t code = f->length ? utf8_next(s, &used) : 0;
        if (!used || used != f->length)
            continue;
        int32_t **page = &m->pages[code / PAGE];
        if (!*page) {
            *page = memory_new(PAGE, sizeof **page, "ids of characters", e);
            if (!*page)
                return -1;
            memset(*page, 0xFF, PAGE * sizeof **page);
        }
        (*page)[code % PAGE] = f->value;
    }
    return 0;
}

/* The two parts of a merge: "a b" or ["a", "b"]. */
static int merge_parts(const json_t *j, size_t index, const char *s[2], size_t n[2],
                       struct error *e)
{
    if (json_is_array(j) && json_array_size(j) == 2) {
        for (size_t k = 0; k < 2; k++) {
            const json_t *part = json_array_get(j, k);
            if (!json_is_string(part))
                goto bad;
            s[k] = json_string_value(part);
            n[k] = json_string_length(part);
        }
        return 0;
    }
    if (json_is_string(j)) {
        size_t all = json_string_length(j);
        s[0] = json_string_value(j);
        const char *space = memchr(s[0], ' ', all);
        if (space) {
            n[0] = (size_t)(space - s[0]);
            s[1] = space + 1;
            n[1] = all - n[0] - 1;
            if (!memchr(s[1], ' ', n[1]))
                return 0;
        }
    }
bad:
    return error_set(e, "tokenizer.json: merge %zu is not two tokens", index);
}

static int add_merge(struct bpe *m, const json_t *j, size_t index, struct buffer *joined,
                     struct error *e)
{
    const char *s[2];
    size_t n[2];
    int32_t id[2];
    if (merge_parts(j, index, s, n, e))
        return -1;
    for (int k = 0; k < 2; k++) {
        id[k] = bpe_id(m, s[k], n[k]);
        if (id[k] < 0 || !n[k])
            return error_set(e, "tokenizer.json: merge %zu: '%.*s' is not in the vocabulary", index,
                             (int)(n[k] < 200 ? n[k] : 200), s[k]);
    }
    joined->length = 0;
    if (buffer_append(joined, s[0], n[0], e) || buffer_append(joined, s[1], n[1], e))
        return -1;
    int32_t to = bpe_id(m, joined->data, joined->length);
    if (to < 0)
        return error_set(e, "tokenizer.json: merge %zu: '%.*s' is not in the vocabulary", index,
                         (int)(joined->length < 200 ? joined->length : 200),
                         (const char *)joined->data);
    struct pair *p = (struct pair *)(uintptr_t)pair_find(m, id[0], id[1]);
    *p = (struct pair){.key = ((uint64_t)(uint32_t)id[0] << 32 | (uint32_t)id[1]) + 1,
                       .rank = (uint32_t)index,
                       .id = to};
    /* Ids that stand for text other than their own make the joints below incomplete. */
    for (int k = 0; k < 2; k++) {
        m->may_cut &= id[k] != m->unk;
        for (int b = 0; m->byte_fallback && n[k] == 6 && b < 256; b++)
            m->may_cut &= id[k] != m->bytes[b];
    }
    const unsigned char *left = (const unsigned char *)s[0];
    size_t last = n[0] - 1, used;
    while (last && (left[last] & 0xC0) == 0x80)
        last--;
    uint32_t before = utf8_next(left + last, &used);
    return joints_add(&m->joints, before, utf8_next((const unsigned char *)s[1], &used), e);
}

static int parse_merges(struct bpe *m, const json_t *merges, struct error *e)
{
    struct buffer joined = {0};
    int rc = -1;
    size_t count = json_array_size(merges), want = 16, rank = 0;
    if (!json_is_array(merges) || count > TOKEN_IDS_MAX)
        return error_set(e, "tokenizer.json: model.merges is not an array of at most %d",
                         TOKEN_IDS_MAX);
    while (want < 2 * count)
        want *= 2;
    m->pairs = memory_new(want, sizeof *m->pairs, "merges", e);
    if (!m->pairs)
        return -1;
    m->pair_mask = want - 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *j = json_array_get(merges, i);
        if (json_is_string(j) && !strncmp(json_string_value(j), "#version", 8))
            continue;
        if (add_merge(m, j, rank++, &joined, e))
            goto out;
    }
    rc = 0;
out:
    buffer_free(&joined);
    return rc;
}

static int flag(const json_t *model, const char *key, bool *out, struct error *e)
{
    const json_t *j = json_object_get(model, key);
    if (j && !json_is_null(j) && !json_is_boolean(j))
        return error_set(e, "tokenizer.json: model.%s is neither true nor false", key);
    *out = json_is_true(j);
    return 0;
}

static int refuse(const json_t *model, const char *key, struct error *e)
{
    const json_t *j = json_object_get(model, key);
    if (!j || json_is_null(j) || (json_is_string(j) && !json_string_length(j)) ||
        (json_is_number(j) && !(json_number_value(j) > 0 || json_number_value(j) < 0)))
        return 0;
    return error_set(e, "tokenizer.json: model.%s is set, which is not supported", key);
}

int bpe_new(struct bpe **out, const json_t *model, struct error *e)
{
    const json_t *type = json_object_get(model, "type"), *unk;
    if (!json_is_object(model))
        return error_set(e, "tokenizer.json: there is no model");
    /* Files of the first versions don't name the type. */
    const char *name = json_is_string(type)               ? json_string_value(type)
                       : json_object_get(model, "merges") ? "BPE"
                                                          : "(none)";
    if (strcmp(name, "BPE"))
        return error_set(e, "tokenizer.json: model type '%s' is not supported (BPE)", name);
    struct bpe *m = memory_new(1, sizeof *m, "a tokenizer", e);
    if (!m)
        return -1;
    m->unk = -1;
    m->may_cut = true;
    if (refuse(model, "continuing_subword_prefix", e) || refuse(model, "end_of_word_suffix", e) ||
        refuse(model, "dropout", e) || flag(model, "ignore_merges", &m->ignore_merges, e) ||
        flag(model, "byte_fallback", &m->byte_fallback, e) ||
        flag(model, "fuse_unk", &m->fuse_unk, e) ||
        parse_vocab(m, json_object_get(model, "vocab"), e))
        goto fail;
    unk = json_object_get(model, "unk_token");
    if (unk && !json_is_null(unk)) {
        m->unk =
            json_is_string(unk) ? bpe_id(m, json_string_value(unk), json_string_length(unk)) : -1;
        if (m->unk < 0) {
            error_set(e, "tokenizer.json: model.unk_token is not in the vocabulary");
            goto fail;
        }
    }
    for (unsigned b = 0; b < 256; b++) {
        const char *hex = "0123456789ABCDEF";
        char token[6] = {'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'};
        m->bytes[b] = bpe_id(m, token, sizeof token);
    }
    if (parse_merges(m, json_object_get(model, "merges"), e))
        goto fail;
    *out = m;
    return 0;
fail:
    bpe_free(m);
    return -1;
}

void bpe_free(struct bpe *m)
{
    if (!m)
        return;
    string_map_free(&m->vocab);
    free(m->entries);
    free(m->pairs);
    for (size_t i = 0; i < PAGES; i++)
        free(m->pages[i]);
    joints_free(&m->joints);
    free(m);
}

/* ---- encoding ------------------------------------------------------------------------------- */

static int add_symbol(struct merger *g, size_t *count, int32_t id, struct error *e)
{
    if (merger_symbols(g, *count + 1, e))
        return -1;
    g->symbols[*count] = (struct symbol){
        .prev = (int32_t)*count - 1, .next = (int32_t)*count + 1, .id = id, .length = 1};
    ++*count;
    return 0;
}

/* One code point. An unknown one is kept back in *unknown, so that a run can be fused. */
static int add_character(const struct bpe *m, struct merger *g, const unsigned char *s, size_t n,
                         size_t *count, bool *unknown, struct error *e)
{
    size_t used;
    int32_t id = char_id(m, utf8_next(s, &used));
    if (id >= 0) {
        if (*unknown && add_symbol(g, count, m->unk, e))
            return -1;
        *unknown = false;
        return add_symbol(g, count, id, e);
    }
    bool all = m->byte_fallback;
    for (size_t i = 0; i < n; i++)
        all &= m->bytes[s[i]] >= 0;
    if (all) {
        /* An unknown kept back stays so: the original puts it after the bytes too. */
        for (size_t i = 0; i < n; i++)
            if (add_symbol(g, count, m->bytes[s[i]], e))
                return -1;
        return 0;
    }
    if (m->unk < 0)
        return 0;
    if (*unknown && !m->fuse_unk && add_symbol(g, count, m->unk, e))
        return -1;
    *unknown = true;
    return 0;
}

static int offer(const struct bpe *m, struct merger *g, int32_t left, int32_t right,
                 struct error *e)
{
    const struct pair *p = pair_get(m, g->symbols[left].id, g->symbols[right].id);
    return p ? merger_push(g, (uint64_t)p->rank << 32 | (uint32_t)left, (uint32_t)p->id, e) : 0;
}

static int merge(const struct bpe *m, struct merger *g, const unsigned char *s, size_t n,
                 struct token_ids *out, struct error *e)
{
    size_t count = 0, used;
    bool unknown = false;
    for (size_t i = 0; i < n; i += used) {
        utf8_next(s + i, &used);
        if (add_character(m, g, s + i, used, &count, &unknown, e))
            return -1;
    }
    if (unknown && add_symbol(g, &count, m->unk, e))
        return -1;
    if (!count)
        return 0;
    g->symbols[count - 1].next = -1;
    for (size_t i = 0; i + 1 < count; i++)
        if (offer(m, g, (int32_t)i, (int32_t)i + 1, e))
            return -1;
    struct candidate top;
    while (merger_pop(g, &top)) {
        int32_t at = (int32_t)(uint32_t)top.key;
        struct symbol *left = g->symbols + at;
        if (!left->length || left->next < 0)
            continue;
        struct symbol *right = g->symbols + left->next;
        const struct pair *p = pair_get(m, left->id, right->id);
        if (!p || p->id != (int32_t)top.extra)
            continue; /* one of the two has changed since */
        left->id = p->id;
        right->length = 0;
        left->next = right->next;
        if (left->next >= 0) {
            g->symbols[left->next].prev = at;
        }
        if ((left->prev >= 0 && offer(m, g, left->prev, at, e)) ||
            (left->next >= 0 && offer(m, g, at, left->next, e)))
            return -1;
    }
    for (int32_t i = 0; i >= 0; i = g->symbols[i].next)
        if (token_ids_push(out, g->symbols[i].id, e))
            return -1;
    return 0;
}

static int encode_part(const struct bpe *m, struct merger *g, const unsigned char *s, size_t n,
                       struct token_ids *out, struct error *e)
{
    if (n > MERGER_PART_MAX)
        return merge(m, g, s, n, out, e);
    uint64_t hash = string_hash(s, n);
    bool found;
    if (merger_recall(g, s, n, hash, out, &found, e))
        return -1;
    if (found)
        return 0;
    const size_t before = out->count;
    if (merge(m, g, s, n, out, e))
        return -1;
    const int32_t *ids = out->count > before ? out->ids + before : NULL;
    return merger_remember(g, s, n, hash, ids, out->count - before, e);
}

int bpe_encode(const struct bpe *m, struct merger *g, const unsigned char *s, size_t n,
               struct token_ids *out, struct error *e)
{
    if (m->ignore_merges && n <= TOKEN_BYTES_MAX) {
        int32_t id = bpe_id(m, s, n);
        if (id >= 0)
            return token_ids_push(out, id, e);
    }
    if (n <= MERGER_PART_MAX || !m->may_cut)
        return encode_part(m, g, s, n, out, e);
    /* A long word, or a text without pre-tokenizer. Unknown characters are not cut apart: they may
     * be fused. */
    size_t start = 0, used;
    uint32_t before = 0;
    bool was_known = false;
    for (size_t i = 0; i < n; i += used) {
        uint32_t code = utf8_next(s + i, &used);
        bool known = char_id(m, code) >= 0;
        if (i && known && was_known && !joints_have(&m->joints, before, code)) {
            if (encode_part(m, g, s + start, i - start, out, e))
                return -1;
            start = i;
        }
        before = code;
        was_known = known;
    }
    return encode_part(m, g, s + start, n - start, out, e);
}
