/* Tables of the tokenizers: UTF-8, string map, trie, joints between code points, the merge heap.
 *
 * Hash tables are open-addressed with linear probing, at most half full; xxHash's XXH3 spreads the
 * keys. Nothing here knows a file format. */
#include "tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

bool utf8_decode(const unsigned char *s, size_t n, uint32_t *code, size_t *used)
{
    unsigned char c = s[0];
    *used = 1;
    *code = c;
    if (c < 0x80)
        return true;
    size_t need = c >= 0xC2 && c <= 0xDF   ? 1
                  : (c & 0xF0) == 0xE0     ? 2
                  : c >= 0xF0 && c <= 0xF4 ? 3
                                           : 0;
    if (!need)
        return false;
    unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    uint32_t v = c & (0x3Fu >> need);
    for (size_t i = 1; i <= need; i++) {
        if (i >= n || s[i] < low || s[i] > high)
            return false;
        v = v << 6 | (s[i] & 63);
        *used = i + 1;
        low = 0x80;
        high = 0xBF;
    }
    *code = v;
    return true;
}

size_t utf8_invalid_at(const void *text, size_t n)
{
    const unsigned char *s = text;
    size_t i = 0;
    while (i < n) {
        uint64_t eight;
        if (n - i >= 8 && (memcpy(&eight, s + i, 8), !(eight & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        uint32_t code;
        size_t used;
        if (!utf8_decode(s + i, n - i, &code, &used))
            return i;
        i += used;
    }
    return n;
}

size_t utf8_put(unsigned char out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (unsigned char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (unsigned char)(0xC0 | code >> 6);
        out[1] = (unsigned char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (unsigned char)(0xE0 | code >> 12);
        out[1] = (unsigned char)(0x80 | (code >> 6 & 63));
        out[2] = (unsigned char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 | code >> 18);
    out[1] = (unsigned char)(0x80 | (code >> 12 & 63));
    out[2] = (unsigned char)(0x80 | (code >> 6 & 63));
    out[3] = (unsigned char)(0x80 | (code & 63));
    return 4;
}

int utf8_append_lossy(struct buffer *b, const unsigned char *s, size_t n, bool each_byte,
                      struct error *e)
{
    size_t i = 0;
    while (i < n) {
        size_t good = utf8_invalid_at(s + i, n - i);
        if (buffer_append(b, s + i, good, e))
            return -1;
        i += good;
        if (i == n)
            break;
        uint32_t code;
        size_t used;
        utf8_decode(s + i, n - i, &code, &used);
        i += each_byte ? 1 : used;
        if (buffer_append(b, "\xEF\xBF\xBD", 3, e))
            return -1;
    }
    return 0;
}

/* ---- ids ------------------------------------------------------------------------------------ */

int token_ids_append(struct token_ids *out, const int32_t *ids, size_t n, struct error *e)
{
    if (n > out->capacity - out->count) {
        size_t want = out->count + n;
        want = want < 64 ? 64 : want + want / 2;
        int32_t *p = memory_resize(out->ids, want, sizeof *p, "token ids", e);
        if (!p)
            return -1;
        out->ids = p;
        out->capacity = want;
    }
    if (n)
        memcpy(out->ids + out->count, ids, n * sizeof *ids);
    out->count += n;
    return 0;
}

void token_ids_free(struct token_ids *ids)
{
    free(ids->ids);
    *ids = (struct token_ids){0};
}

/* ---- string -> value ------------------------------------------------------------------------ */

uint64_t string_hash(const void *s, size_t n)
{
    return XXH3_64bits(s, n);
}

const struct string_entry *string_map_find(const struct string_map *m, const void *s, size_t n,
                                           uint64_t hash)
{
    if (!m->slots)
        return NULL;
    for (size_t i = hash & m->mask;; i = (i + 1) & m->mask) {
        if (!m->slots[i])
            return NULL;
        const struct string_entry *f = m->entries + (m->slots[i] - 1);
        if (f->hash == hash && f->length == n && !memcmp(m->text.data + f->offset, s, n))
            return f;
    }
}

int string_map_add(struct string_map *m, const void *s, size_t n, uint64_t hash, int32_t value,
                   struct error *e)
{
    if (m->count == m->capacity) {
        size_t want = m->capacity ? 2 * m->capacity : 64;
        if (want > UINT32_MAX / 4 || n > UINT32_MAX)
            return error_set(e, "too many strings in a table");
        struct string_entry *p = memory_resize(m->entries, want, sizeof *p, "a string table", e);
        if (!p)
            return -1;
        m->entries = p;
        uint32_t *slots = memory_new(2 * want, sizeof *slots, "a string table", e);
        if (!slots)
            return -1;
        free(m->slots);
        m->slots = slots;
        m->capacity = want;
        m->mask = 2 * want - 1;
        for (size_t k = 0; k < m->count; k++) {
            size_t i = m->entries[k].hash & m->mask;
            while (m->slots[i])
                i = (i + 1) & m->mask;
            m->slots[i] = (uint32_t)(k + 1);
        }
    }
    size_t offset = m->text.length;
    if (n > m->text.capacity - m->text.length && buffer_reserve(&m->text, n + m->text.length, e))
        return -1;
    if (buffer_append(&m->text, s, n, e))
        return -1;
    size_t i = hash & m->mask;
    while (m->slots[i])
        i = (i + 1) & m->mask;
    m->entries[m->count] = (struct string_entry){
        .hash = hash, .offset = offset, .length = (uint32_t)n, .value = value};
    m->slots[i] = (uint32_t)++m->count;
    return 0;
}

void string_map_free(struct string_map *m)
{
    free(m->entries);
    free(m->slots);
    buffer_free(&m->text);
    *m = (struct string_map){0};
}

/* ---- prefix search -------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0x9E3779B97F4A7C15u;
    return x ^ x >> 29;
}

static int trie_grow(struct trie *t, struct error *e)
{
    size_t want = t->keys ? 2 * (t->mask + 1) : 256;
    uint64_t *keys = memory_new(want, sizeof *keys, "a trie", e);
    uint32_t *targets = memory_new(want, sizeof *targets, "a trie", e);
    if (!keys || !targets) {
        free(keys);
        free(targets);
        return -1;
    }
    for (size_t k = 0; t->keys && k <= t->mask; k++) {
        if (!t->keys[k])
            continue;
        size_t i = mix(t->keys[k]) & (want - 1);
        while (keys[i])
            i = (i + 1) & (want - 1);
        keys[i] = t->keys[k];
        targets[i] = t->targets[k];
    }
    free(t->keys);
    free(t->targets);
    t->keys = keys;
    t->targets = targets;
    t->mask = want - 1;
    return 0;
}

static int trie_node(struct trie *t, uint32_t *node, struct error *e)
{
    if (t->nodes == t->capacity) {
        size_t want = t->capacity ? 2 * t->capacity : 64;
        if (want > UINT32_MAX / 2)
            return error_set(e, "too many nodes in a trie");
        int32_t *p = memory_resize(t->values, want, sizeof *p, "a trie", e);
        if (!p)
            return -1;
        t->values = p;
        t->capacity = want;
    }
    *node = (uint32_t)t->nodes;
    t->values[t->nodes++] = -1;
    return 0;
}

uint32_t trie_child(const struct trie *t, uint32_t node, unsigned char byte)
{
    if (!t->keys)
        return 0;
    uint64_t key = ((uint64_t)node << 8 | byte) + 1;
    for (size_t i = mix(key) & t->mask; t->keys[i]; i = (i + 1) & t->mask)
        if (t->keys[i] == key)
            return t->targets[i];
    return 0;
}

int trie_add(struct trie *t, const void *s, size_t n, int32_t value, struct error *e)
{
    const unsigned char *p = s;
    uint32_t node = 0;
    if (!t->nodes && trie_node(t, &node, e))
        return -1;
    for (size_t i = 0; i < n; i++) {
        uint32_t next = trie_child(t, node, p[i]);
        if (!next) {
            if ((!t->keys || 2 * t->edges > t->mask) && trie_grow(t, e))
                return -1;
            if (trie_node(t, &next, e))
                return -1;
            uint64_t key = ((uint64_t)node << 8 | p[i]) + 1;
            size_t k = mix(key) & t->mask;
            while (t->keys[k])
                k = (k + 1) & t->mask;
            t->keys[k] = key;
            t->targets[k] = next;
            t->edges++;
        }
        node = next;
    }
    if (n)
        t->starts[p[0]] = true;
    t->values[node] = value;
    return 0;
}

size_t trie_longest(const struct trie *t, const unsigned char *s, size_t n, int32_t *value)
{
    if (!n || !t->starts[s[0]])
        return 0;
    size_t best = 0;
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        node = trie_child(t, node, s[i]);
        if (!node)
            break;
        if (t->values[node] >= 0) {
            best = i + 1;
            *value = t->values[node];
        }
    }
    return best;
}

void trie_free(struct trie *t)
{
    free(t->keys);
    free(t->targets);
    free(t->values);
    *t = (struct trie){0};
}

/* ---- where a text may be cut ---------------------------------------------------------------- */

static size_t joints_slot(const uint64_t *pairs, size_t mask, uint64_t key)
{
    size_t i = mix(key) & mask;
    while (pairs[i] && pairs[i] != key)
        i = (i + 1) & mask;
    return i;
}

int joints_add(struct joints *j, uint32_t left, uint32_t right, struct error *e)
{
    uint32_t a = joints_class(left), b = joints_class(right);
    if (a < 129 && b < 129) {
        j->dense[a][b] = true;
        return 0;
    }
    if (!j->pairs || 2 * j->count > j->mask) {
        size_t want = j->pairs ? 2 * (j->mask + 1) : 256;
        uint64_t *p = memory_new(want, sizeof *p, "a table of joints", e);
        if (!p)
            return -1;
        for (size_t i = 0; j->pairs && i <= j->mask; i++)
            if (j->pairs[i])
                p[joints_slot(p, want - 1, j->pairs[i])] = j->pairs[i];
        free(j->pairs);
        j->pairs = p;
        j->mask = want - 1;
    }
    uint64_t key = ((uint64_t)left << 32 | right) + 1;
    size_t i = joints_slot(j->pairs, j->mask, key);
    if (!j->pairs[i])
        j->count++;
    j->pairs[i] = key;
    return 0;
}

bool joints_have_sparse(const struct joints *j, uint32_t left, uint32_t right)
{
    uint64_t key = ((uint64_t)left << 32 | right) + 1;
    return j->pairs && j->pairs[joints_slot(j->pairs, j->mask, key)] == key;
}

void joints_free(struct joints *j)
{
    free(j->pairs);
    *j = (struct joints){0};
}

/* ---- merging -------------------------------------------------------------------------------- */

int merger_symbols(struct merger *m, size_t n, struct error *e)
{
    if (n > INT32_MAX)
        return error_set(e, "a part of %zu characters without a place to cut it is too long", n);
    if (n <= m->symbol_capacity)
        return 0;
    size_t want = n + n / 2 + 64;
    struct symbol *p = memory_resize(m->symbols, want, sizeof *p, "symbols to merge", e);
    if (!p)
        return -1;
    m->symbols = p;
    m->symbol_capacity = want;
    return 0;
}

int merger_push(struct merger *m, uint64_t key, uint32_t extra, struct error *e)
{
    if (m->heap_count == m->heap_capacity) {
        size_t want = m->heap_capacity ? 2 * m->heap_capacity : 128;
        struct candidate *p = memory_resize(m->heap, want, sizeof *p, "merge candidates", e);
        if (!p)
            return -1;
        m->heap = p;
        m->heap_capacity = want;
    }
    size_t i = m->heap_count++;
    for (; i && m->heap[(i - 1) / 2].key > key; i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = (struct candidate){key, extra};
    return 0;
}

bool merger_pop(struct merger *m, struct candidate *out)
{
    if (!m->heap_count)
        return false;
    *out = m->heap[0];
    struct candidate last = m->heap[--m->heap_count];
    size_t n = m->heap_count, i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && m->heap[child + 1].key < m->heap[child].key)
            child++;
        if (m->heap[child].key >= last.key)
            break;
        m->heap[i] = m->heap[child];
    }
    if (n)
        m->heap[i] = last;
    return true;
}

int merger_recall(const struct merger *m, const void *s, size_t n, uint64_t hash,
                  struct token_ids *out, bool *found, struct error *e)
{
    const struct string_entry *f = string_map_find(&m->known, s, n, hash);
    *found = f != NULL;
    if (!f || m->slices[f->value].count == 0)
        return 0;
    return token_ids_append(out, m->known_ids.ids + m->slices[f->value].start,
                            m->slices[f->value].count, e);
}

int merger_remember(struct merger *m, const void *s, size_t n, uint64_t hash, const int32_t *ids,
                    size_t count, struct error *e)
{
    enum { PARTS_MAX = 1 << 20 }; /* bounds the memory of a call; later parts are just merged */
    if (n > MERGER_PART_MAX || m->known.count >= PARTS_MAX)
        return 0;
    size_t index = m->known.count;
    if (index == m->slice_capacity) {
        size_t want = m->slice_capacity ? 2 * m->slice_capacity : 64;
        void *p = memory_resize(m->slices, want, sizeof *m->slices, "known parts", e);
        if (!p)
            return -1;
        m->slices = p;
        m->slice_capacity = want;
    }
    m->slices[index].start = m->known_ids.count;
    m->slices[index].count = count;
    if (token_ids_append(&m->known_ids, ids, count, e))
        return -1;
    return string_map_add(&m->known, s, n, hash, (int32_t)index, e);
}

void merger_free(struct merger *m)
{
    free(m->symbols);
    free(m->heap);
    free(m->slices);
    string_map_free(&m->known);
    token_ids_free(&m->known_ids);
    *m = (struct merger){0};
}
