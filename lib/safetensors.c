/* Reading safetensors. */
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "memory.h"

enum { HEADER_MAX = 100000000 };

struct safetensors {
    char *path;
    int fd;
    json_t *header;
    struct safetensors_entry *entry;
    size_t count;
};

static int read_at(int fd, uint64_t offset, void *out, size_t n)
{
    unsigned char *p = out;
    while (n) {
        ssize_t k = pread(fd, p, n, (off_t)offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            errno = k ? errno : EIO;
            return -1;
        }
        p += k;
        n -= (size_t)k;
        offset += (uint64_t)k;
    }
    return 0;
}

/* Bits of an element; 0: unknown. */
static size_t dtype_bits(const char *s)
{
    static const struct {
        const char *name;
        size_t bits;
    } list[] = {{"BOOL", 8},   {"U8", 8},       {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8},
                {"F8_E8M0", 8}, {"I16", 16},     {"U16", 16},    {"F16", 16},    {"BF16", 16},
                {"I32", 32},   {"U32", 32},     {"F32", 32},    {"F64", 64},    {"I64", 64},
                {"U64", 64},   {"C64", 64},     {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (!strcmp(list[i].name, s))
            return list[i].bits;
    return 0;
}

static int parse_entry(struct safetensors_entry *t, const char *name, const json_t *json,
                       uint64_t data, uint64_t room, struct error *e)
{
    const json_t *shape = json_object_get(json, "shape");
    const json_t *offsets = json_object_get(json, "data_offsets");
    size_t n = 1, bits;
    t->name = name;
    if (json_get_string(json, "dtype", &t->dtype, e))
        return -1;
    bits = dtype_bits(t->dtype);
    if (bits == 0)
        return error_set(e, "unknown type '%.20s'", t->dtype);
    if (!json_is_array(shape) || json_array_size(shape) > SAFETENSORS_RANK_MAX)
        return error_set(e, "\"shape\" is not a list of at most %d sizes", SAFETENSORS_RANK_MAX);
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++) {
        const json_t *v = json_array_get(shape, (size_t)i);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return error_set(e, "\"shape\" holds something that is no size");
        t->shape[i] = (size_t)json_integer_value(v);
        if (!size_multiply(n, t->shape[i], &n))
            return error_set(e, "its shape is too large");
    }
    if (!size_multiply(n, bits, &n) || n % 8)
        return error_set(e, "its shape is too large, or not of whole bytes");
    n /= 8;
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin) ||
        (uint64_t)json_integer_value(end) > room)
        return error_set(e, "its data_offsets do not lie within the file");
    if ((uint64_t)(json_integer_value(end) - json_integer_value(begin)) != n)
        return error_set(e, "its data_offsets disagree with its shape and type");
    t->offset = data + (uint64_t)json_integer_value(begin);
    t->bytes = n;
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct safetensors_entry *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int parse_header(struct safetensors *s, uint64_t data, uint64_t room, struct error *e)
{
    const char *name, *key;
    json_t *value, *text;
    s->entry = memory_new(json_object_size(s->header), sizeof *s->entry, "a header", e);
    if (!s->entry)
        return -1;
    json_object_foreach(s->header, name, value) {
        if (!strcmp(name, "__metadata__")) {
            if (!json_is_object(value))
                return error_set(e, "__metadata__ is not an object");
            json_object_foreach(value, key, text) {
                if (!json_is_string(text))
                    return error_set(e, "__metadata__: \"%.80s\" is not a text", key);
            }
            continue;
        }
        if (parse_entry(&s->entry[s->count], name, value, data, room, e))
            return error_prefix(e, "tensor %.200s", name);
        s->count++;
    }
    qsort(s->entry, s->count, sizeof *s->entry, by_offset);
    uint64_t at = data;
    for (size_t i = 0; i < s->count; i++) {
        if (s->entry[i].offset != at)
            return error_set(e, "tensor %.200s: %s before it", s->entry[i].name,
                             s->entry[i].offset > at ? "a hole" : "an overlap with the tensor");
        at += s->entry[i].bytes;
    }
    if (at != data + room)
        return error_set(e, "its tensors do not cover the file, which may be cut or padded");
    return 0;
}

int safetensors_open(struct safetensors **out, const char *path, struct error *e)
{
    unsigned char length[8];
    struct stat st;
    char *text = NULL;
    json_error_t why;
    struct safetensors *s = memory_new(1, sizeof *s, "a file", e);
    if (!s)
        return -1;
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    s->path = strdup(path);
    if (s->fd < 0 || !s->path) {
        error_set(e, "cannot open it: %s", strerror(errno));
        goto fail;
    }
    if (fstat(s->fd, &st) || !S_ISREG(st.st_mode)) {
        error_set(e, "is not a file");
        goto fail;
    }
    uint64_t size = (uint64_t)st.st_size, n = 0;
    if (size < 8) {
        error_set(e, "is too small for a safetensors header");
        goto fail;
    }
    if (read_at(s->fd, 0, length, 8)) {
        error_set(e, "cannot read it: %s", strerror(errno));
        goto fail;
    }
    for (int i = 7; i >= 0; i--)
        n = n << 8 | length[i];
    if (n > HEADER_MAX || n > size - 8) {
        error_set(e, "is not a safetensors file: its header would have %llu bytes",
                  (unsigned long long)n);
        goto fail;
    }
    text = memory_new((size_t)n + 1, 1, "a header", e);
    if (!text)
        goto fail;
    if (read_at(s->fd, 8, text, (size_t)n)) {
        error_set(e, "cannot read it: %s", strerror(errno));
        goto fail;
    }
    /* As the reference does, the last of equal names counts. */
    s->header = json_loadb(text, (size_t)n, 0, &why);
    if (!json_is_object(s->header)) {
        error_set(e, "its header is not valid JSON: %.160s", s->header ? "no object" : why.line < 0 ? "no memory" : why.text);
        goto fail;
    }
    if (parse_header(s, 8 + n, size - 8 - n, e))
        goto fail;
    free(text);
    *out = s;
    return 0;
fail:
    free(text);
    error_prefix(e, "%s", path);
    safetensors_close(s);
    return -1;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    json_decref(s->header);
    free(s->entry);
    free(s->path);
    free(s);
}

size_t safetensors_count(const struct safetensors *s)
{
    return s->count;
}

const struct safetensors_entry *safetensors_entry(const struct safetensors *s, size_t i)
{
    return &s->entry[i];
}

void safetensors_prefetch(const struct safetensors *s, const struct safetensors_entry *t)
{
    posix_fadvise(s->fd, (off_t)t->offset, (off_t)t->bytes, POSIX_FADV_WILLNEED);
}

int safetensors_read(const struct safetensors *s, const struct safetensors_entry *t, size_t offset,
                     size_t bytes, void *out, struct error *e)
{
    if (offset > t->bytes || bytes > t->bytes - offset)
        return error_set(e, "%s: %s: is shorter than asked", s->path, t->name);
    if (read_at(s->fd, t->offset + offset, out, bytes))
        return error_set(e, "%s: %s: cannot read it: %s", s->path, t->name, strerror(errno));
    return 0;
}
