/* Reading torch.save()'s files. */
#include "torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "pickle.h"
#include "window.h"
#include "zip.h"

enum { NAME_BYTES_MAX = 4096, GATHER_SLACK = 1 << 20 };

struct torch_file {
    char *path;
    int fd;
    uint64_t size;
    struct pickle *pickle; /* owns the names */
    struct zip zip;
    struct torch_entry *entry;
    size_t count;
};

bool torch_looks_like(const unsigned char *start, size_t n)
{
    return n >= 4 && ((start[0] == 0x80 && start[1] <= 5) || !memcmp(start, "PK\3\4", 4));
}

/* ---- the pickle's tree ---------------------------------------------------------------------- */

static const struct {
    enum pickle_global global;
    const char *dtype;
    size_t width;
} storages[] = {
    {GLOBAL_FLOAT_STORAGE, "F32", 4},  {GLOBAL_HALF_STORAGE, "F16", 2},
    {GLOBAL_BFLOAT16_STORAGE, "BF16", 2}, {GLOBAL_DOUBLE_STORAGE, "F64", 8},
    {GLOBAL_LONG_STORAGE, "I64", 8},   {GLOBAL_INT_STORAGE, "I32", 4},
    {GLOBAL_SHORT_STORAGE, "I16", 2},  {GLOBAL_CHAR_STORAGE, "I8", 1},
    {GLOBAL_BYTE_STORAGE, "U8", 1},    {GLOBAL_BOOL_STORAGE, "BOOL", 1},
};

static int size_of(const struct pickle_value *v, size_t *out, struct error *e)
{
    if (v->kind != PICKLE_INTEGER || v->integer < 0)
        return error_set(e, "one of its sizes is %s",
                         v->kind == PICKLE_INTEGER ? "negative" : pickle_kind_name(v->kind));
    *out = (size_t)v->integer;
    return 0;
}

/* ('storage', type, key, location, elements), in the older form with a view of another storage or
 * None behind: (name, first element, elements). */
static int read_storage(struct torch_entry *t, const struct pickle_value *v, struct error *e)
{
    if (v->kind != PICKLE_PERSISTENT || v->items->value[0].kind != PICKLE_TUPLE)
        return error_set(e, "its storage is %s", pickle_kind_name(v->kind));
    const struct pickle_items *id = v->items->value[0].items;
    const struct pickle_value *p = id->value;
    size_t elements, i;
    if (id->count < 5 || id->count > 6 || p[0].kind != PICKLE_TEXT || strcmp(p[0].text, "storage") ||
        p[1].kind != PICKLE_GLOBAL || p[2].kind != PICKLE_TEXT || !p[2].length ||
        p[2].length > 255 || strlen(p[2].text) != p[2].length || strchr(p[2].text, '/'))
        return error_set(e, "its storage is not named as torch.save() does");
    for (i = 0; storages[i].global != p[1].global; i++)
        if (i + 1 == sizeof storages / sizeof *storages)
            return error_set(e, "its storage is of type %s", pickle_global_name(p[1].global));
    if (size_of(&p[4], &elements, e))
        return -1;
    t->dtype = storages[i].dtype;
    t->width = storages[i].width;
    t->key = p[2].text;
    t->elements = elements;
    if (id->count == 6 && p[5].kind != PICKLE_NONE) {
        const struct pickle_items *view = p[5].kind == PICKLE_TUPLE ? p[5].items : NULL;
        size_t first, length;
        if (!view || view->count != 3)
            return error_set(e, "its storage is a view that is not three values");
        if (size_of(&view->value[1], &first, e) || size_of(&view->value[2], &length, e))
            return -1;
        if (first > elements || length > elements - first)
            return error_set(e, "its storage is a view beyond the end of another");
        t->first = first;
    }
    return 0;
}

/* _rebuild_tensor_v2(storage, first, sizes, strides, requires_grad, hooks[, metadata]), or the older
 * _rebuild_tensor of the first four. */
static int read_tensor(struct torch_entry *t, const struct pickle_value *v, struct error *e)
{
    const struct pickle_items *a = v->kind == PICKLE_CALL ? v->items : NULL;
    if (a && v->global == GLOBAL_REBUILD_PARAMETER && a->count == 3) {
        v = &a->value[0];
        a = v->kind == PICKLE_CALL ? v->items : NULL;
    }
    if (!a)
        return error_set(e, "is %s, not a tensor; save the state_dict alone",
                         pickle_kind_name(v->kind));
    const bool v2 = v->global == GLOBAL_REBUILD_TENSOR_V2;
    if (v2 ? a->count < 6 || a->count > 7 : v->global != GLOBAL_REBUILD_TENSOR || a->count != 4)
        return error_set(e, "is made by %s with %zu arguments", pickle_global_name(v->global),
                         a->count);
    if (a->count == 7 && a->value[6].kind != PICKLE_NONE &&
        (a->value[6].kind != PICKLE_DICT || a->value[6].items->count))
        return error_set(e, "has metadata (conjugated, negated), which is not read");
    const struct pickle_value *sizes = &a->value[2], *strides = &a->value[3];
    size_t first = 0;
    if (read_storage(t, &a->value[0], e) || size_of(&a->value[1], &first, e))
        return -1;
    if (sizes->kind != PICKLE_TUPLE || strides->kind != PICKLE_TUPLE ||
        sizes->items->count != strides->items->count || sizes->items->count > TORCH_RANK_MAX)
        return error_set(e, "its sizes and strides are not two lists of at most %d", TORCH_RANK_MAX);
    t->rank = (int)sizes->items->count;
    size_t elements = 1, last, reach;
    if (first > t->elements || (t->first += first) > t->elements)
        return error_set(e, "starts beyond the end of its storage");
    last = t->first;
    for (int i = 0; i < t->rank; i++)
        if (size_of(&sizes->items->value[i], &t->shape[i], e) ||
            size_of(&strides->items->value[i], &t->stride[i], e))
            return -1;
    for (int i = 0; i < t->rank; i++)
        if (!size_multiply(elements, t->shape[i], &elements))
            return error_set(e, "its sizes are too large");
    for (int i = 0; elements && i < t->rank; i++) {
        if (!size_multiply(t->shape[i] - 1, t->stride[i], &reach) || reach > t->elements ||
            last + reach > t->elements)
            return error_set(e, "goes beyond the end of its storage");
        last += reach;
    }
    if (elements && last >= t->elements)
        return error_set(e, "goes beyond the end of its storage");
    if (!size_multiply(elements, t->width, &t->bytes))
        return error_set(e, "its sizes are too large");
    return 0;
}

static int read_root(struct torch_file *f, struct error *e)
{
    const struct pickle_value *root = pickle_root(f->pickle);
    if (root->kind != PICKLE_DICT)
        return error_set(e, "is no file of weights: its pickle holds %s, not a dictionary of tensors",
                         pickle_kind_name(root->kind));
    const struct pickle_items *items = root->items;
    if (!items->count)
        return error_set(e, "is no file of weights: its pickle holds no tensors");
    f->entry = memory_new(items->count / 2, sizeof *f->entry, "a list of tensors", e);
    if (!f->entry)
        return -1;
    for (; f->count < items->count / 2; f->count++) {
        const struct pickle_value *key = &items->value[2 * f->count];
        struct torch_entry *t = &f->entry[f->count];
        if (key->kind != PICKLE_TEXT || key->length > NAME_BYTES_MAX ||
            strlen(key->text) != key->length)
            return error_set(e, "is no file of weights: the name of a tensor is %s",
                             key->kind == PICKLE_TEXT ? "too long, or holds a NUL"
                                                      : pickle_kind_name(key->kind));
        t->name = key->text;
        if (read_tensor(t, key + 1, e))
            return error_prefix(e, "%.200s", t->name);
    }
    return 0;
}

/* ---- the zip form --------------------------------------------------------------------------- */

static int open_zip(struct torch_file *f, struct error *e)
{
    const struct zip_entry *pickle = NULL;
    char name[1024];
    size_t archive = 0;
    if (zip_open(&f->zip, f->fd, f->size, e))
        return -1;
    for (size_t i = 0; i < f->zip.count; i++) {
        const char *s = f->zip.entry[i].name, *slash = strchr(s, '/');
        if (!slash || strcmp(slash, "/data.pkl"))
            continue;
        if (pickle)
            return error_set(e, "holds two archives in one: %.200s and %.200s", pickle->name, s);
        pickle = &f->zip.entry[i];
        archive = (size_t)(slash - s);
    }
    if (!pickle || archive > 512)
        return error_set(e, "is a zip archive, but not one of torch.save(): has no ARCHIVE/data.pkl");
    snprintf(name, sizeof name, "%.*s/constants.pkl", (int)archive, pickle->name);
    if (zip_find(&f->zip, name))
        return error_set(e, "is a TorchScript program, which is not read; save its state_dict");
    snprintf(name, sizeof name, "%.*s/byteorder", (int)archive, pickle->name);
    const struct zip_entry *order = zip_find(&f->zip, name);
    char text[16] = "";
    if (order && (order->bytes >= sizeof text ||
                  file_read_at(f->fd, order->offset, text, (size_t)order->bytes, e)))
        return order->bytes >= sizeof text ? error_set(e, "its byteorder is not known") : -1;
    if (order && strcmp(text, "little"))
        return error_set(e, "its byteorder is '%s'; little is read", text);
    uint64_t at = pickle->offset;
    if (zip_check(pickle, f->fd, e) ||
        pickle_read(&f->pickle, f->fd, &at, pickle->offset + pickle->bytes, e))
        return -1;
    if (at != pickle->offset + pickle->bytes)
        return error_set(e, "something stands behind the pickle of %.200s", pickle->name);
    if (read_root(f, e))
        return -1;
    for (size_t i = 0; i < f->count; i++) {
        struct torch_entry *t = &f->entry[i];
        size_t bytes;
        snprintf(name, sizeof name, "%.*s/data/%s", (int)archive, pickle->name, t->key);
        const struct zip_entry *data = zip_find(&f->zip, name);
        if (!data)
            return error_set(e, "%.200s: its storage, %.200s, is missing", t->name, name);
        if (!size_multiply((size_t)t->elements, t->width, &bytes) || bytes != data->bytes)
            return error_set(e, "%.200s: its storage has %llu bytes, not %llu elements of %s",
                             t->name, (unsigned long long)data->bytes,
                             (unsigned long long)t->elements, t->dtype);
        t->offset = data->offset;
    }
    return 0;
}

/* ---- the form before it --------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const struct torch_entry *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

/* Behind the list of storages' names: of each, in that order, 8 bytes of count and its elements. */
static int place_storages(struct torch_file *f, const struct pickle_value *keys, uint64_t at,
                          struct error *e)
{
    struct torch_entry **sorted = NULL;
    int result = -1;
    if (keys->kind != PICKLE_LIST)
        return error_set(e, "its list of storages is %s", pickle_kind_name(keys->kind));
    if (!(sorted = memory_new(f->count, sizeof *sorted, "a list of storages", e)))
        return -1;
    for (size_t i = 0; i < f->count; i++)
        sorted[i] = &f->entry[i];
    qsort(sorted, f->count, sizeof *sorted, by_key);
    for (size_t i = 0; i < keys->items->count; i++) {
        const struct pickle_value *key = &keys->items->value[i];
        unsigned char b[8];
        size_t low = 0, high = f->count, bytes;
        if (key->kind != PICKLE_TEXT) {
            error_set(e, "the name of storage %zu is %s", i, pickle_kind_name(key->kind));
            goto out;
        }
        while (low < high) { /* the first of that name */
            const size_t middle = low + (high - low) / 2;
            if (strcmp(sorted[middle]->key, key->text) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == f->count || strcmp(sorted[low]->key, key->text)) {
            error_set(e, "storage %.80s belongs to no tensor", key->text);
            goto out;
        }
        const struct torch_entry *first = sorted[low];
        if (first->offset) {
            error_set(e, "storage %.80s is there twice", key->text);
            goto out;
        }
        if (at > f->size || f->size - at < 8) {
            error_set(e, "ends before storage %.80s: it was cut", key->text);
            goto out;
        }
        if (file_read_at(f->fd, at, b, 8, e))
            goto out;
        at += 8;
        if (load_u64(b) != first->elements ||
            !size_multiply((size_t)first->elements, first->width, &bytes) || bytes > f->size - at) {
            error_set(e, "storage %.80s: has not the %llu elements of its tensors, or was cut",
                      key->text, (unsigned long long)first->elements);
            goto out;
        }
        for (; low < f->count && !strcmp(sorted[low]->key, key->text); low++) {
            if (sorted[low]->elements != first->elements || sorted[low]->dtype != first->dtype) {
                error_set(e, "%.200s: sees its storage otherwise than %.200s", sorted[low]->name,
                          first->name);
                goto out;
            }
            sorted[low]->offset = at;
        }
        at += bytes;
    }
    for (size_t i = 0; i < f->count; i++)
        if (!f->entry[i].offset) {
            error_set(e, "%.200s: its storage is missing", f->entry[i].name);
            goto out;
        }
    if (at != f->size) {
        error_set(e, "has %llu bytes behind its last storage", (unsigned long long)(f->size - at));
        goto out;
    }
    result = 0;
out:
    free(sorted);
    return result;
}

static const struct pickle_value *lookup(const struct pickle_value *dict, const char *key)
{
    for (size_t i = 0; dict->kind == PICKLE_DICT && i < dict->items->count; i += 2)
        if (dict->items->value[i].kind == PICKLE_TEXT &&
            !strcmp(dict->items->value[i].text, key))
            return &dict->items->value[i + 1];
    return NULL;
}

/* True for a small pickle of that number. */
static bool is_number(const struct pickle_value *v, int64_t n)
{
    return v->kind == PICKLE_INTEGER && v->integer == n;
}

static int open_old(struct torch_file *f, struct error *e)
{
    /* 0x1950a86a20f9469cfc6c, little-endian */
    static const unsigned char magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    struct pickle *p = NULL;
    uint64_t at = 0;
    int result = -1;
    if (pickle_read(&p, f->fd, &at, f->size, e))
        goto out;
    const struct pickle_value *v = pickle_root(p);
    if (v->kind != PICKLE_BIG || v->length != sizeof magic || memcmp(v->text, magic, sizeof magic)) {
        error_set(e, "is no file of torch.save(): its pickle holds %s; save a state_dict, or use "
                     "safetensors", pickle_kind_name(v->kind));
        goto out;
    }
    pickle_free(p);
    p = NULL;
    if (pickle_read(&p, f->fd, &at, f->size, e))
        goto out;
    if (!is_number(pickle_root(p), 1001)) {
        error_set(e, "is of a version of torch.save() that is not known");
        goto out;
    }
    pickle_free(p);
    p = NULL;
    if (pickle_read(&p, f->fd, &at, f->size, e))
        goto out;
    const struct pickle_value *little = lookup(pickle_root(p), "little_endian");
    if (little && (little->kind != PICKLE_BOOL || !little->integer)) {
        error_set(e, "was saved by a big-endian machine, which is not read");
        goto out;
    }
    pickle_free(p);
    p = NULL;
    if (pickle_read(&f->pickle, f->fd, &at, f->size, e) || read_root(f, e) ||
        pickle_read(&p, f->fd, &at, f->size, e) || place_storages(f, pickle_root(p), at, e))
        goto out;
    result = 0;
out:
    pickle_free(p);
    return result;
}

/* ---- the interface -------------------------------------------------------------------------- */

int torch_open(struct torch_file **out, const char *path, struct error *e)
{
    unsigned char start[4] = {0};
    struct torch_file *f = memory_new(1, sizeof *f, "a file", e);
    if (!f)
        return -1;
    f->path = strdup(path);
    f->fd = file_open(path, &f->size, e);
    if (f->fd < 0 || !f->path)
        goto fail;
    if (f->size < 4) {
        error_set(e, "is too small for a file of torch.save()");
        goto fail;
    }
    if (file_read_at(f->fd, 0, start, 4, e))
        goto fail;
    if (memcmp(start, "PK\3\4", 4) ? open_old(f, e) : open_zip(f, e))
        goto fail;
    *out = f;
    return 0;
fail:
    error_prefix(e, "%s", path);
    torch_close(f);
    return -1;
}

void torch_close(struct torch_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    zip_free(&f->zip);
    pickle_free(f->pickle);
    free(f->entry);
    free(f->path);
    free(f);
}

size_t torch_count(const struct torch_file *f)
{
    return f->count;
}

const struct torch_entry *torch_entry(const struct torch_file *f, size_t i)
{
    return &f->entry[i];
}

static bool is_dense(const struct torch_entry *t)
{
    size_t want = 1;
    for (int i = t->rank; i-- > 0;) {
        if (t->shape[i] != 1 && t->stride[i] != want)
            return false;
        want *= t->shape[i];
    }
    return true;
}

/* Place in the storage of the i-th element in row-major order. */
static size_t place_of(const struct torch_entry *t, size_t i)
{
    size_t place = t->first;
    for (int k = t->rank; k-- > 0;) {
        place += i % t->shape[k] * t->stride[k];
        i /= t->shape[k];
    }
    return place;
}

/* Elements from..from+n of a view with gaps. Where they are most of what they span, that is read in
 * one piece, otherwise one by one. */
static int gather(const struct torch_file *f, const struct torch_entry *t, size_t from, size_t n,
                  unsigned char *out, struct error *e)
{
    size_t low = SIZE_MAX, high = 0;
    unsigned char *span = NULL;
    int result = -1;
    for (size_t i = 0; i < n; i++) {
        const size_t place = place_of(t, from + i);
        low = place < low ? place : low;
        high = place > high ? place : high;
    }
    const size_t reach = (high - low + 1) * t->width;
    if (reach / 4 <= n * t->width + GATHER_SLACK) {
        span = memory_new(reach, 1, t->name, e);
        if (!span || file_read_at(f->fd, t->offset + (uint64_t)low * t->width, span, reach, e))
            goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t place = place_of(t, from + i);
        if (span)
            memcpy(out + i * t->width, span + (place - low) * t->width, t->width);
        else if (file_read_at(f->fd, t->offset + (uint64_t)place * t->width, out + i * t->width,
                              t->width, e))
            goto out;
    }
    result = 0;
out:
    free(span);
    return result;
}

int torch_read(const struct torch_file *f, const struct torch_entry *t, size_t offset, size_t bytes,
               void *out, struct error *e)
{
    if (offset > t->bytes || bytes > t->bytes - offset || offset % t->width || bytes % t->width)
        return error_set(e, "%s: %s: is shorter than asked", f->path, t->name);
    if (!bytes)
        return 0;
    if (is_dense(t)
            ? file_read_at(f->fd, t->offset + (uint64_t)t->first * t->width + offset, out, bytes, e)
            : gather(f, t, offset / t->width, bytes / t->width, out, e))
        return error_prefix(e, "%s: %s", f->path, t->name);
    return 0;
}
