/* Reading GGUF files. */
#include "gguf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "window.h"

/* Limits of llama.cpp, and what no real file reaches. */
enum { NAME_BYTES = 64, KEY_BYTES_MAX = 65535, KEYS_MAX = 65536, STRING_MAX = 64 << 20,
       CHUNK = 1 << 18 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

struct gguf {
    char *path;
    int fd;
    uint64_t size;
    struct window window;
    struct chunk *chunks;
    struct gguf_value *value;
    struct gguf_entry *entry;
    size_t values, count;
};

/* Bytes of a kind; 0: a string or an array. */
static size_t kind_bytes(enum gguf_kind k)
{
    static const unsigned char bytes[GGUF_KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return bytes[k];
}

bool gguf_looks_like(const unsigned char *start, size_t n)
{
    return n >= 4 && !memcmp(start, "GGUF", 4);
}

static void *chunk_new(struct gguf *g, size_t n, struct error *e)
{
    n = (n + 15) / 16 * 16;
    if (!g->chunks || g->chunks->size - g->chunks->used < n) {
        const size_t size = n > CHUNK ? n : CHUNK;
        struct chunk *c = memory_new(1, sizeof *c + size, "a GGUF file's metadata", e);
        if (!c)
            return NULL;
        c->size = size;
        c->next = g->chunks;
        g->chunks = c;
    }
    void *p = g->chunks->data + g->chunks->used;
    g->chunks->used += n;
    return p;
}

static int read_u32(struct gguf *g, uint32_t *out, struct error *e)
{
    unsigned char b[4] = {0};
    if (window_read(&g->window, b, 4, e))
        return -1;
    *out = load_u32(b);
    return 0;
}

static int read_u64(struct gguf *g, uint64_t *out, struct error *e)
{
    unsigned char b[8] = {0};
    if (window_read(&g->window, b, 8, e))
        return -1;
    *out = load_u64(b);
    return 0;
}

static int read_string(struct gguf *g, size_t max, struct gguf_string *out, struct error *e)
{
    uint64_t n = 0;
    if (read_u64(g, &n, e))
        return -1;
    if (n > max || n > window_left(&g->window))
        return error_set(e, "a text of %llu bytes is longer than the file, or than the %zu that it "
                            "may have", (unsigned long long)n, max);
    char *s = chunk_new(g, (size_t)n + 1, e);
    if (!s || window_read(&g->window, s, (size_t)n, e))
        return -1;
    *out = (struct gguf_string){s, (size_t)n};
    return 0;
}

/* A name: no NUL in it, so that it is the same for every reader. */
static int read_name(struct gguf *g, size_t max, const char **out, struct error *e)
{
    struct gguf_string s;
    if (read_string(g, max, &s, e))
        return -1;
    if (!s.length || strlen(s.text) != s.length)
        return error_set(e, "a name is empty, or has a NUL in it");
    *out = s.text;
    return 0;
}

static int read_kind(struct gguf *g, enum gguf_kind *out, struct error *e)
{
    uint32_t k = 0;
    if (read_u32(g, &k, e))
        return -1;
    if (k >= GGUF_KINDS)
        return error_set(e, "is of type %u, which is not known", k);
    *out = (enum gguf_kind)k;
    return 0;
}

static int read_value(struct gguf *g, struct gguf_value *v, struct error *e)
{
    uint64_t n = 1;
    if (read_kind(g, &v->kind, e))
        return -1;
    v->items = v->kind;
    if (v->kind == GGUF_ARRAY) {
        if (read_kind(g, &v->items, e) || read_u64(g, &n, e))
            return -1;
        if (v->items == GGUF_ARRAY)
            return error_set(e, "is an array of arrays, which is not read");
    }
    const size_t width = v->items == GGUF_STRING ? 8 : kind_bytes(v->items);
    if (n > window_left(&g->window) / width)
        return error_set(e, "has %llu items, more than the file holds", (unsigned long long)n);
    v->count = (size_t)n;
    if (v->items == GGUF_STRING) {
        struct gguf_string *s = chunk_new(g, v->count * sizeof *s, e);
        if (!s)
            return -1;
        v->string = s;
        for (size_t i = 0; i < v->count; i++)
            if (read_string(g, STRING_MAX, &s[i], e))
                return -1;
        return 0;
    }
    unsigned char *p = chunk_new(g, v->count * width, e);
    if (!p || window_read(&g->window, p, v->count * width, e))
        return -1;
    v->bytes = p;
    for (size_t i = 0; v->items == GGUF_BOOL && i < v->count; i++)
        if (p[i] > 1)
            return error_set(e, "is a truth value of %d", p[i]);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct gguf_value *)a)->key, ((const struct gguf_value *)b)->key);
}

static int read_values(struct gguf *g, uint64_t n, struct error *e)
{
    if (n > KEYS_MAX || n > window_left(&g->window) / 13)
        return error_set(e, "would have %llu keys, more than the file holds, or than %d",
                         (unsigned long long)n, KEYS_MAX);
    g->value = memory_new((size_t)n, sizeof *g->value, "a GGUF file's metadata", e);
    if (!g->value)
        return -1;
    for (; g->values < n; g->values++) {
        struct gguf_value *v = &g->value[g->values];
        if (read_name(g, KEY_BYTES_MAX, &v->key, e))
            return error_prefix(e, "key %zu", g->values);
        if (read_value(g, v, e))
            return error_prefix(e, "key %.200s", v->key);
    }
    if (g->values)
        qsort(g->value, g->values, sizeof *g->value, by_key);
    for (size_t i = 1; i < g->values; i++)
        if (!strcmp(g->value[i].key, g->value[i - 1].key))
            return error_set(e, "key %.200s: is there twice", g->value[i].key);
    return 0;
}

static int read_entry(struct gguf *g, struct gguf_entry *t, struct error *e)
{
    uint32_t rank = 0, type = 0;
    size_t n;
    if (read_u32(g, &rank, e))
        return -1;
    if (rank < 1 || rank > GGUF_RANK_MAX)
        return error_set(e, "has %u dimensions; 1 to %d are possible", rank, GGUF_RANK_MAX);
    t->rank = (int)rank;
    t->rows = 1;
    for (size_t i = rank; i-- > 0;) {
        uint64_t size = 0;
        if (read_u64(g, &size, e))
            return -1;
        if (size > INT64_MAX)
            return error_set(e, "its sizes are too large");
        t->shape[i] = (size_t)size;
        if (i < rank - 1 && !size_multiply(t->rows, t->shape[i], &t->rows))
            return error_set(e, "its sizes are too large");
    }
    t->cols = t->shape[rank - 1];
    if (read_u32(g, &type, e) || read_u64(g, &t->offset, e))
        return -1;
    t->type = gguf_type(type);
    if (!t->type)
        return error_set(e, "is of type %u, which is not known", type);
    if (t->cols % t->type->block)
        return error_set(e, "its rows of %zu values are not whole blocks of %s, of %zu", t->cols,
                         t->type->name, t->type->block);
    /* the values too must be countable: they become floats */
    if (!size_multiply(t->cols, 8, &n) || !size_multiply(n, t->rows, &n) ||
        !size_multiply(t->cols / t->type->block, t->type->bytes, &t->row_bytes) ||
        !size_multiply(t->row_bytes, t->rows, &n))
        return error_set(e, "its sizes are too large");
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct gguf_entry *const *x = a, *const *y = b;
    if ((*x)->offset != (*y)->offset)
        return (*x)->offset < (*y)->offset ? -1 : 1;
    return (*x)->row_bytes * (*x)->rows < (*y)->row_bytes * (*y)->rows ? -1 : 1;
}

static int by_name(const void *a, const void *b)
{
    const struct gguf_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Alignment, place within the file, overlaps, names twice. */
static int check_entries(const struct gguf *g, uint64_t alignment, uint64_t data, struct error *e)
{
    int result = -1;
    struct gguf_entry **sorted = memory_new(g->count, sizeof *sorted, "a list of tensors", e);
    if (!sorted)
        return -1;
    for (size_t i = 0; i < g->count; i++) {
        struct gguf_entry *t = sorted[i] = &g->entry[i];
        if (t->offset % alignment) {
            error_set(e, "tensor %s: its offset is not a multiple of the alignment, %llu", t->name,
                      (unsigned long long)alignment);
            goto out;
        }
        if (data > g->size || t->offset > g->size - data ||
            t->row_bytes * t->rows > g->size - data - t->offset) {
            error_set(e, "tensor %s: goes past the end of the file, which may be cut", t->name);
            goto out;
        }
        t->offset += data;
    }
    if (g->count)
        qsort(sorted, g->count, sizeof *sorted, by_offset);
    for (size_t i = 1; i < g->count; i++)
        if (sorted[i]->offset < sorted[i - 1]->offset + sorted[i - 1]->row_bytes * sorted[i - 1]->rows) {
            error_set(e, "tensor %s: overlaps with %s", sorted[i]->name, sorted[i - 1]->name);
            goto out;
        }
    if (g->count)
        qsort(sorted, g->count, sizeof *sorted, by_name);
    for (size_t i = 1; i < g->count; i++)
        if (!strcmp(sorted[i]->name, sorted[i - 1]->name)) {
            error_set(e, "tensor %s: is there twice", sorted[i]->name);
            goto out;
        }
    result = 0;
out:
    free(sorted);
    return result;
}

static int read_header(struct gguf *g, struct error *e)
{
    unsigned char magic[4] = {0};
    uint32_t version = 0;
    uint64_t tensors = 0, keys = 0;
    int64_t alignment = 32;
    window_start(&g->window, g->fd, 0, g->size);
    if (window_read(&g->window, magic, 4, e) || read_u32(g, &version, e))
        return -1;
    if (!gguf_looks_like(magic, 4))
        return error_set(e, "is not a GGUF file");
    if (version > 0xFFFF && !(version & 0xFFFF))
        return error_set(e, "is a big-endian GGUF file, which is not read");
    if (version < 2 || version > 3)
        return error_set(e, "is GGUF version %u; 2 and 3 are read; convert it", version);
    if (read_u64(g, &tensors, e) || read_u64(g, &keys, e) || read_values(g, keys, e))
        return -1;
    const struct gguf_value *v = gguf_find(g, "general.alignment");
    if (v && (v->kind != GGUF_U32 || !gguf_integer(v, 0, &alignment) || alignment < 1 ||
              (alignment & (alignment - 1))))
        return error_set(e, "its general.alignment is not a power of two");
    if (tensors > window_left(&g->window) / 25)
        return error_set(e, "would have %llu tensors, more than the file holds",
                         (unsigned long long)tensors);
    g->entry = memory_new((size_t)tensors, sizeof *g->entry, "a list of tensors", e);
    if (!g->entry)
        return -1;
    for (; g->count < tensors; g->count++) {
        struct gguf_entry *t = &g->entry[g->count];
        if (read_name(g, NAME_BYTES - 1, &t->name, e))
            return error_prefix(e, "tensor %zu", g->count);
        if (read_entry(g, t, e))
            return error_prefix(e, "tensor %s", t->name);
    }
    const uint64_t step = (uint64_t)alignment;
    return check_entries(g, step, (g->window.at + step - 1) / step * step, e);
}

int gguf_open(struct gguf **out, const char *path, struct error *e)
{
    struct gguf *g = memory_new(1, sizeof *g, "a file", e);
    if (!g)
        return -1;
    g->fd = -1;
    if (!(g->path = strdup(path)))
        error_set(e, "no memory for a path");
    else
        g->fd = file_open(path, &g->size, e);
    if (g->fd < 0 || read_header(g, e)) {
        error_prefix(e, "%s", path);
        gguf_close(g);
        return -1;
    }
    *out = g;
    return 0;
}

void gguf_close(struct gguf *g)
{
    if (!g)
        return;
    if (g->fd >= 0)
        close(g->fd);
    while (g->chunks) {
        struct chunk *next = g->chunks->next;
        free(g->chunks);
        g->chunks = next;
    }
    free(g->value);
    free(g->entry);
    free(g->path);
    free(g);
}

const struct gguf_value *gguf_find(const struct gguf *g, const char *key)
{
    const struct gguf_value wanted = {.key = key};
    return g->values ? bsearch(&wanted, g->value, g->values, sizeof wanted, by_key) : NULL;
}

bool gguf_integer(const struct gguf_value *v, size_t i, int64_t *out)
{
    if (!v || i >= v->count || v->items == GGUF_STRING || v->items == GGUF_F32 ||
        v->items == GGUF_F64)
        return false;
    const unsigned char *p = v->bytes + i * kind_bytes(v->items);
    switch (v->items) {
    case GGUF_I8:
        *out = (int8_t)*p;
        return true;
    case GGUF_U16:
        *out = load_u16(p);
        return true;
    case GGUF_I16:
        *out = (int16_t)load_u16(p);
        return true;
    case GGUF_U32:
        *out = load_u32(p);
        return true;
    case GGUF_I32:
        *out = (int32_t)load_u32(p);
        return true;
    case GGUF_U64:
        if (load_u64(p) > INT64_MAX)
            return false;
        *out = (int64_t)load_u64(p);
        return true;
    case GGUF_I64:
        *out = (int64_t)load_u64(p);
        return true;
    default: /* u8, bool */
        *out = *p;
        return true;
    }
}

bool gguf_real(const struct gguf_value *v, size_t i, double *out)
{
    int64_t n;
    if (gguf_integer(v, i, &n)) {
        *out = (double)n;
        return true;
    }
    if (!v || i >= v->count || (v->items != GGUF_F32 && v->items != GGUF_F64))
        return false;
    const unsigned char *p = v->bytes + i * kind_bytes(v->items);
    if (v->items == GGUF_F32) {
        const uint32_t bits = load_u32(p);
        float x;
        memcpy(&x, &bits, 4);
        *out = (double)x;
    } else {
        const uint64_t bits = load_u64(p);
        memcpy(out, &bits, 8);
    }
    return true;
}

size_t gguf_count(const struct gguf *g)
{
    return g->count;
}

const struct gguf_entry *gguf_entry(const struct gguf *g, size_t i)
{
    return &g->entry[i];
}

int gguf_read_rows(const struct gguf *g, const struct gguf_entry *t, size_t row, size_t n, void *out,
                  struct error *e)
{
    if (row > t->rows || n > t->rows - row)
        return error_set(e, "%s: %s: has no row %zu", g->path, t->name, row + n);
    if (file_read_at(g->fd, t->offset + (uint64_t)row * t->row_bytes, out, n * t->row_bytes, e))
        return error_prefix(e, "%s: %s", g->path, t->name);
    return 0;
}
