/* Checkpoints of any container. */
#include "checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "gguf_model.h"
#include "json.h"
#include "memory.h"
#include "safetensors.h"
#include "tensor.h"
#include "tokenizer_convert.h"
#include "torch_file.h"
#include "window.h"

enum { CONFIG_MAX = 16 << 20, TOKENIZER_MAX = 512 << 20 };

struct checkpoint_file { /* one of these */
    struct safetensors *safetensors;
    struct torch_file *torch;
};

/* Contents of an optional file of the directory; *text stays NULL if there is none. */
static int read_optional(const struct checkpoint *c, const char *file, size_t max, char **text,
                         size_t *n, struct error *e)
{
    char *path = path_join(c->directory, file, e);
    if (!path)
        return -1;
    int result = path_exists(path) ? file_read(path, max, text, n, e) : 0;
    free(path);
    return result;
}

static int read_config(struct checkpoint *c, struct error *e)
{
    char *text = NULL;
    size_t n = 0;
    int result = -1;
    if (read_optional(c, "config.json", CONFIG_MAX, &text, &n, e))
        return -1;
    if (!text && !strcmp(c->path, c->directory))
        return error_set(e, "%s: has no config.json; name the directory of a checkpoint", c->path);
    if (!text)
        return error_set(e, "%s: has no config.json beside it, without which its weights mean "
                            "nothing; put that of its model into %s", c->path, c->directory);
    c->config = json_parse(text, n, "config.json", e);
    if (!c->config || packed_scheme_parse(&c->scheme, c->config, e)) {
        error_prefix(e, "%s: config.json", c->directory);
        goto out;
    }
    free(text);
    text = NULL;
    if (read_optional(c, "generation_config.json", CONFIG_MAX, &text, &n, e))
        goto out;
    if (text && !(c->generation = json_parse(text, n, "generation_config.json", e)))
        goto out;
    result = 0;
out:
    free(text);
    return result;
}

/* Newer checkpoints keep the chat template in a file of its own: it joins the settings, where older
 * ones have it. */
static int add_chat_template(struct checkpoint *c, struct error *e)
{
    char *text = NULL;
    size_t n = 0;
    int result = -1;
    json_t *all = NULL;
    if (read_optional(c, "chat_template.jinja", CONFIG_MAX, &text, &n, e))
        return -1;
    if (!text)
        return 0;
    all = c->settings ? json_parse(c->settings, c->settings_bytes, "tokenizer_config.json", e)
                      : json_parse("{}", 2, "tokenizer_config.json", e);
    if (!all || json_set(all, "chat_template", json_stringn(text, n), e)) {
        error_prefix(e, "%s", c->directory);
        goto out;
    }
    free(c->settings);
    c->settings = json_dumps(all, JSON_INDENT(2));
    if (!c->settings) {
        error_set(e, "no memory for a chat template");
        goto out;
    }
    c->settings_bytes = strlen(c->settings);
    result = 0;
out:
    json_decref(all);
    free(text);
    return result;
}

/* Puts a converted vocabulary in the place of what was read. */
static int take_converted(struct checkpoint *c, struct buffer *json, struct error *e)
{
    if (buffer_append(json, "", 1, e)) {
        buffer_free(json);
        return -1;
    }
    free(c->tokenizer);
    c->tokenizer = (char *)json->data;
    c->tokenizer_bytes = json->length - 1;
    c->tokenizer_kind = "tokenizer.json";
    return 0;
}

/* GPT-2's form, where there are both files. */
static int read_merges(struct checkpoint *c, struct error *e)
{
    char *vocab = NULL, *merges = NULL, *added = NULL;
    size_t vocab_bytes = 0, merges_bytes = 0, n = 0;
    struct buffer json = {0};
    int result = -1;
    if (read_optional(c, "vocab.json", TOKENIZER_MAX, &vocab, &vocab_bytes, e) ||
        read_optional(c, "merges.txt", TOKENIZER_MAX, &merges, &merges_bytes, e) ||
        read_optional(c, "added_tokens.json", CONFIG_MAX, &added, &n, e))
        goto out;
    if (!vocab || !merges)
        result = 0;
    else if (tokenizer_from_merges(vocab, vocab_bytes, merges, merges_bytes, added, c->settings,
                                   &json, e))
        error_prefix(e, "%s", c->directory);
    else
        result = take_converted(c, &json, e);
out:
    if (result)
        buffer_free(&json);
    free(vocab);
    free(merges);
    free(added);
    return result;
}

static int read_tokenizer(struct checkpoint *c, struct error *e)
{
    static const struct {
        const char *file, *kind;
    } list[] = {{"tokenizer.model", "sentencepiece"}, {"tokenizer.json", "tokenizer.json"}};
    bool tiktoken = false;
    if (read_optional(c, "tokenizer_config.json", CONFIG_MAX, &c->settings, &c->settings_bytes, e))
        return -1;
    for (size_t i = 0; i < 2 && (!c->tokenizer || tiktoken); i++) {
        char *text = NULL;
        size_t n = 0;
        if (read_optional(c, list[i].file, TOKENIZER_MAX, &text, &n, e))
            return -1;
        if (!text)
            continue;
        free(c->tokenizer);
        c->tokenizer = text;
        c->tokenizer_bytes = n;
        c->tokenizer_kind = list[i].kind;
        tiktoken = i == 0 && tiktoken_looks_like(text, n);
    }
    if (tiktoken) {
        struct buffer json = {0};
        if (tokenizer_from_tiktoken(c->tokenizer, c->tokenizer_bytes, c->settings, &json, e)) {
            buffer_free(&json);
            return error_prefix(e, "%s: tokenizer.model", c->directory);
        }
        if (take_converted(c, &json, e))
            return -1;
    }
    if (!c->tokenizer && read_merges(c, e))
        return -1;
    if (c->tokenizer)
        return add_chat_template(c, e);
    free(c->settings); /* of a tokenizer that is not there */
    c->settings = NULL;
    c->settings_bytes = 0;
    return 0;
}

/* A GGUF file holds all of this itself. */
static int open_gguf(struct checkpoint *c, struct error *e)
{
    struct buffer bytes = {0}, settings = {0};
    const char *kind;
    if (gguf_model_open(&c->gguf, c->path, e))
        return -1;
    if (gguf_tokenizer(c->gguf.file, &kind, &bytes, &settings, e)) {
        buffer_free(&bytes);
        buffer_free(&settings);
        return error_prefix(e, "%s", c->path);
    }
    c->config = json_incref(c->gguf.config);
    c->tokenizer_kind = kind;
    c->tokenizer = (char *)bytes.data;
    c->tokenizer_bytes = bytes.length;
    c->settings = (char *)settings.data;
    c->settings_bytes = settings.length;
    return 0;
}

/* ---- weights -------------------------------------------------------------------------------- */

/* The format is what the first bytes say; a name can be wrong. */
static int open_file(struct checkpoint_file *f, const char *path, struct error *e)
{
    unsigned char start[8] = {0};
    uint64_t size;
    const size_t n = strlen(path);
    int fd = file_open(path, &size, e);
    if (fd < 0)
        return error_prefix(e, "%s", path);
    const size_t first = size < sizeof start ? (size_t)size : sizeof start;
    const int read = file_read_at(fd, 0, start, first, e);
    close(fd);
    if (read)
        return error_prefix(e, "%s", path);
    if (n > 12 && !strcmp(path + n - 12, ".safetensors"))
        return safetensors_open(&f->safetensors, path, e);
    if (torch_looks_like(start, first))
        return torch_open(&f->torch, path, e);
    /* An older pickle is refused, but for what it holds. */
    if (first && start[0] < 0x80 && strchr("(clICdi]}VSX", start[0]))
        return torch_open(&f->torch, path, e);
    if (first < sizeof start || load_u64(start) > size - 8)
        return error_set(e, "%s: is neither a safetensors nor a PyTorch file", path);
    return safetensors_open(&f->safetensors, path, e);
}

static int add_file(struct checkpoint *c, const char *name, struct error *e)
{
    char *path = path_join(c->directory, name, e);
    if (!path)
        return -1;
    int result = open_file(&c->file[c->files], path, e);
    c->files += result == 0;
    free(path);
    return result;
}

static bool plain_name(const char *s)
{
    return *s && !strchr(s, '/') && strcmp(s, ".") && strcmp(s, "..");
}

/* The shards that an index names: 1, or 0 where there is no such index. */
static int open_shards(struct checkpoint *c, const char *name, struct error *e)
{
    char *text = NULL;
    size_t n = 0;
    json_t *index = NULL, *seen = NULL, *value;
    const char *key;
    int result = -1;
    if (read_optional(c, name, TOKENIZER_MAX, &text, &n, e))
        return -1;
    if (!text)
        return 0;
    index = json_parse(text, n, name, e);
    seen = json_object();
    json_t *map = json_object_get(index, "weight_map");
    if (!index || !seen)
        goto out;
    if (!json_is_object(map)) {
        error_set(e, "%s: %s: \"weight_map\" is missing", c->directory, name);
        goto out;
    }
    c->file = memory_new(json_object_size(map) + 1, sizeof *c->file, "files", e);
    if (!c->file)
        goto out;
    json_object_foreach(map, key, value) {
        const char *shard = json_string_value(value);
        if (!shard || !plain_name(shard)) {
            error_set(e, "%s: %s: %.80s: names no file of the directory", c->directory, name, key);
            goto out;
        }
        if (json_object_get(seen, shard))
            continue;
        if (json_set(seen, shard, json_true(), e) || add_file(c, shard, e))
            goto out;
    }
    result = 1;
out:
    json_decref(index);
    json_decref(seen);
    free(text);
    return result;
}

/* A directory's weights: the first form that there is. */
static int open_directory(struct checkpoint *c, struct error *e)
{
    static const char *const forms[] = {"model.safetensors", "pytorch_model.bin"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char *path = path_join(c->directory, forms[i], e), index[64];
        if (!path)
            return -1;
        const bool whole = path_exists(path);
        free(path);
        if (whole) {
            c->file = memory_new(1, sizeof *c->file, "files", e);
            return c->file ? add_file(c, forms[i], e) : -1;
        }
        snprintf(index, sizeof index, "%s.index.json", forms[i]);
        const int got = open_shards(c, index, e);
        if (got)
            return got < 0 ? -1 : 0;
    }
    return error_set(e, "%s: has neither model.safetensors nor pytorch_model.bin, nor the index of "
                        "one; name another file of weights itself", c->directory);
}

static void set_entry(struct checkpoint_entry *to, const char *name, const char *dtype, int rank,
                      const size_t *shape, size_t bytes)
{
    to->name = name;
    to->dtype = dtype;
    to->rank = rank;
    to->bytes = bytes;
    memcpy(to->shape, shape, sizeof to->shape);
}

static int list_entries(struct checkpoint *c, struct error *e)
{
    size_t n = c->gguf.count;
    for (size_t f = 0; f < c->files; f++)
        n += c->file[f].torch ? torch_count(c->file[f].torch)
                              : safetensors_count(c->file[f].safetensors);
    c->entry = memory_new(n, sizeof *c->entry, "the list of tensors", e);
    if (!c->entry)
        return -1;
    for (size_t i = 0; i < c->gguf.count; i++) {
        const struct gguf_model_entry *t = &c->gguf.entry[i];
        size_t shape[CHECKPOINT_RANK_MAX] = {0};
        memcpy(shape, t->shape, sizeof t->shape);
        set_entry(&c->entry[c->count], t->name, t->dtype, t->rank, shape, t->bytes);
        c->entry[c->count++].at = i;
    }
    for (size_t f = 0; f < c->files; f++) {
        const struct checkpoint_file *file = &c->file[f];
        const size_t count = file->torch ? torch_count(file->torch)
                                         : safetensors_count(file->safetensors);
        for (size_t i = 0; i < count; i++) {
            struct checkpoint_entry *to = &c->entry[c->count++];
            to->file = f;
            to->at = i;
            if (file->torch) {
                const struct torch_entry *t = torch_entry(file->torch, i);
                set_entry(to, t->name, t->dtype, t->rank, t->shape, t->bytes);
            } else {
                const struct safetensors_entry *t = safetensors_entry(file->safetensors, i);
                set_entry(to, t->name, t->dtype, t->rank, t->shape, t->bytes);
            }
        }
    }
    return 0;
}

/* ---- quantized checkpoints ------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    const struct checkpoint_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The tensor "BASE.part" where BASE is the first n bytes of a name; NULL: there is none. */
static const struct checkpoint_entry *find_part(struct checkpoint_entry *const *sorted, size_t count,
                                                const char *base, size_t n, const char *part)
{
    char name[512];
    const struct checkpoint_entry key = {.name = name}, *wanted = &key;
    if (!part || n + strlen(part) + 2 > sizeof name)
        return NULL;
    snprintf(name, sizeof name, "%.*s.%s", (int)n, base, part);
    struct checkpoint_entry *const *found = bsearch(&wanted, sorted, count, sizeof *sorted, by_name);
    return found ? *found : NULL;
}

/* Which part of a quantized weight a tensor is, and the length of the name before that; PARTS: none. */
static enum packed_part part_of(enum packing packing, const char *name, size_t *base)
{
    const char *dot = strrchr(name, '.');
    for (int k = 0; dot && k < PARTS; k++) {
        const char *part = packed_part_name(packing, (enum packed_part)k);
        if (part && !strcmp(dot + 1, part)) {
            *base = (size_t)(dot - name);
            return (enum packed_part)k;
        }
    }
    return PARTS;
}

enum tensor_values checkpoint_values(const struct checkpoint_entry *t)
{
    return !strcmp(t->dtype, "F32")   ? VALUES_F32
           : !strcmp(t->dtype, "F16") ? VALUES_F16
                                      : VALUES_BF16;
}

static int check_float(const struct checkpoint_entry *t, struct error *e)
{
    if (!strcmp(t->dtype, "F32") || !strcmp(t->dtype, "F16") || !strcmp(t->dtype, "BF16"))
        return 0;
    return error_set(e, "%.200s: type %s; only F32, F16 and BF16 are read", t->name, t->dtype);
}

/* LLM.int8(): codes and a scale a row. */
static int set_int8(struct checkpoint *c, struct checkpoint_entry *to,
                    const struct checkpoint_entry *codes, struct error *e)
{
    const struct checkpoint_entry *scale = to->part[PART_SCALES], *format = to->part[PART_OTHER];
    unsigned char order = 0;
    if (strcmp(codes->dtype, "I8") || codes->rank != 2 || strcmp(scale->dtype, "F32") ||
        scale->bytes != 4 * codes->shape[0])
        return error_set(e, "%.200s: is no matrix of type I8 with an F32 scale for each row",
                         codes->name);
    if (format && (format->bytes != 1 || checkpoint_read(c, format, 0, 1, &order, e) || order))
        return error_set(e, "%.200s: the order of its codes is not that of rows", codes->name);
    set_entry(to, to->name, "INT", 2, codes->shape, codes->bytes);
    return 0;
}

static int set_fp8(struct checkpoint *c, struct checkpoint_entry *to,
                   const struct checkpoint_entry *codes, struct error *e)
{
    const struct checkpoint_entry *scale = to->part[PART_SCALES];
    size_t block[2], bytes;
    if (strcmp(codes->dtype, "F8_E4M3") || codes->rank != 2 || !size_multiply(codes->bytes, 4, &bytes))
        return error_set(e, "%.200s: is no matrix of type F8_E4M3", codes->name);
    if (check_float(scale, e))
        return -1;
    if (packed_fp8_blocks(&c->scheme, codes->shape[0], codes->shape[1], scale->rank, scale->shape,
                          block, e))
        return error_prefix(e, "%.200s", codes->name);
    set_entry(to, to->name, "F32", 2, codes->shape, bytes);
    return 0;
}

/* The values that are not zero, and which those are. */
static int set_bitmask(struct checkpoint *c, struct checkpoint_entry *to,
                       const struct checkpoint_entry *values, struct error *e)
{
    const struct checkpoint_entry *mask = to->part[PART_SCALES], *said = to->part[PART_SHAPE];
    const size_t width = values_size(checkpoint_values(values));
    size_t shape[CHECKPOINT_RANK_MAX] = {0}, bytes;
    int64_t given[2];
    if (!said || strcmp(said->dtype, "I64") || said->bytes != sizeof given)
        return error_set(e, "%.200s: has no shape of two numbers beside it", values->name);
    if (check_float(values, e) || checkpoint_read(c, said, 0, sizeof given, given, e))
        return -1;
    for (int i = 0; i < 2; i++) {
        if (given[i] < 1 || given[i] > 1 << 28)
            return error_set(e, "%.200s: is no shape of a matrix", said->name);
        shape[i] = (size_t)given[i];
    }
    if (strcmp(mask->dtype, "U8") || mask->bytes != shape[0] * ((shape[1] + 7) / 8) ||
        values->bytes > shape[0] * shape[1] * width || !size_multiply(shape[0], shape[1] * width, &bytes))
        return error_set(e, "%.200s: mask, shape and values do not fit each other", values->name);
    set_entry(to, to->name, values->dtype, 2, shape, bytes);
    return 0;
}

static int set_packed(struct checkpoint *c, struct checkpoint_entry *to,
                      struct checkpoint_entry *const *sorted, size_t count,
                      const struct checkpoint_entry *codes, size_t base, struct error *e)
{
    size_t rows = 0, cols = 0;
    int64_t shape[2];
    for (int k = 0; k < PARTS; k++)
        to->part[k] = find_part(sorted, count, codes->name, base,
                                packed_part_name(c->scheme.packing, (enum packed_part)k));
    to->file = codes->file;
    to->at = codes->at;
    if (c->scheme.packing >= PACKING_INT8)
        return c->scheme.packing == PACKING_INT8      ? set_int8(c, to, codes, e)
               : c->scheme.packing == PACKING_BITMASK ? set_bitmask(c, to, codes, e)
                                                      : set_fp8(c, to, codes, e);
    const struct checkpoint_entry *order = to->part[PART_ORDER], *said = to->part[PART_SHAPE];
    if (!to->part[PART_SCALES] || (c->scheme.zeros && !to->part[PART_ZEROS]))
        return error_set(e, "%.200s: has no scales or no zeros beside it", codes->name);
    if (strcmp(codes->dtype, "I32") || (order && strcmp(order->dtype, "I32")) ||
        (c->scheme.zeros && strcmp(to->part[PART_ZEROS]->dtype, "I32")))
        return error_set(e, "%.200s: codes, zeros and g_idx are not all of type I32", codes->name);
    if (packed_shape(&c->scheme, codes->rank, codes->shape, &rows, &cols, e))
        return error_prefix(e, "%.200s", codes->name);
    if (said) {
        if (strcmp(said->dtype, "I64") || said->bytes != sizeof shape)
            return error_set(e, "%.200s: is not two numbers of type I64", said->name);
        if (checkpoint_read(c, said, 0, sizeof shape, shape, e))
            return -1;
        if (shape[0] < 0 || (size_t)shape[0] != rows || shape[1] < 0 || shape[1] > 1 << 28 ||
            !packed_width_fits(&c->scheme, codes->shape[1], (size_t)shape[1]))
            return error_set(e, "%.200s: disagrees with the codes", said->name);
        cols = (size_t)shape[1];
    }
    const size_t sizes[CHECKPOINT_RANK_MAX] = {rows, cols};
    set_entry(to, to->name, "INT", 2, sizes, codes->bytes);
    return 0;
}

/* Puts the parts of each weight together: afterwards a quantized checkpoint has the tensors of one
 * that is not. */
static int combine(struct checkpoint *c, struct error *e)
{
    const size_t count = c->count;
    size_t names = 0, base = 0;
    int result = -1;
    struct checkpoint_entry **sorted = memory_new(count, sizeof *sorted, "a list of tensors", e);
    c->stored = c->entry;
    c->entry = memory_new(count, sizeof *c->entry, "a list of tensors", e);
    c->count = 0;
    if (!sorted || !c->entry)
        goto out;
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &c->stored[i];
        names += strlen(c->stored[i].name) + 8;
    }
    if (count)
        qsort(sorted, count, sizeof *sorted, by_name);
    if (!(c->names = memory_new(names, 1, "names of tensors", e)))
        goto out;
    char *name = c->names;
    for (size_t i = 0; i < count; i++) {
        const struct checkpoint_entry *t = &c->stored[i];
        const enum packed_part part = part_of(c->scheme.packing, t->name, &base);
        /* a "weight" without scales is one */
        const char *scales = packed_part_name(c->scheme.packing, PART_SCALES);
        if (part == PARTS || (part == PART_CODES && c->scheme.packing >= PACKING_INT8 &&
                              !find_part(sorted, count, t->name, base, scales))) {
            c->entry[c->count++] = *t;
            continue;
        }
        if (part != PART_CODES)
            continue;
        struct checkpoint_entry *to = &c->entry[c->count++];
        to->name = name;
        const bool whole = base > 7 && !strncmp(t->name + base - 7, ".weight", 7);
        name += sprintf(name, "%.*s%s", (int)base, t->name, whole ? "" : ".weight") + 1;
        if (set_packed(c, to, sorted, count, t, base, e))
            goto out;
    }
    /* What follows takes the weights for what they stand for. */
    json_object_del(c->config, "quantization_config");
    json_object_del(c->config, "compression_config");
    result = 0;
out:
    free(sorted);
    return result;
}

/* A whole part; *bytes stays NULL where there is none. */
static int read_part(const struct checkpoint *c, const struct checkpoint_entry *t, void **bytes,
                     struct error *e)
{
    if (!t)
        return 0;
    *bytes = memory_new(t->bytes, 1, t->name, e);
    return *bytes ? checkpoint_read(c, t, 0, t->bytes, *bytes, e) : -1;
}

/* LLM.int8() holds int8 codes and the greatest magnitude of a row: w = code * that / 127. */
static int read_int8(const struct checkpoint *c, const struct checkpoint_entry *t, struct packed *out,
                     struct error *e)
{
    if (packed_new(out, t->shape[0], t->shape[1], 0, 8, true, e))
        return -1;
    if (checkpoint_read(c, t->part[PART_CODES], 0, t->bytes, out->codes, e) ||
        checkpoint_read(c, t->part[PART_SCALES], 0, 4 * out->rows, out->scale, e)) {
        packed_free(out);
        return -1;
    }
    for (size_t i = 0; i < out->rows * out->cols; i++)
        out->codes[i] ^= 128; /* + 128 */
    for (size_t r = 0; r < out->rows; r++)
        out->scale[r] /= 127;
    memset(out->zero, 128, out->rows);
    return 0;
}

static int read_fp8(const struct checkpoint *c, const struct checkpoint_entry *t, size_t offset,
                    size_t bytes, float *out, struct error *e)
{
    const struct checkpoint_entry *codes = t->part[PART_CODES], *scales = t->part[PART_SCALES];
    const enum tensor_values values = checkpoint_values(scales);
    const size_t n = bytes / 4, count = scales->bytes / values_size(values);
    size_t block[2];
    unsigned char *raw = memory_new(n, 1, t->name, e);
    float *scale = memory_new(count, sizeof *scale, scales->name, e);
    void *narrow = NULL;
    int result = -1;
    if (!raw || !scale || read_part(c, scales, &narrow, e) ||
        checkpoint_read(c, codes, offset / 4, n, raw, e) ||
        packed_fp8_blocks(&c->scheme, t->shape[0], t->shape[1], scales->rank, scales->shape, block, e))
        goto out;
    values_to_f32(values, narrow, count, scale);
    packed_fp8(raw, offset / 4, n, t->shape[1], scale, block, out);
    result = 0;
out:
    free(raw);
    free(scale);
    free(narrow);
    return result;
}

/* Each row of the mask starts at a byte; low bits first. */
static int read_bitmask(const struct checkpoint *c, const struct checkpoint_entry *t, size_t offset,
                        size_t bytes, unsigned char *out, struct error *e)
{
    const struct checkpoint_entry *values = t->part[PART_CODES];
    const size_t size = values_size(checkpoint_values(t)), cols = t->shape[1], row = (cols + 7) / 8;
    const size_t first = offset / size, end = first + bytes / size, held = values->bytes / size;
    size_t before = 0, seen = 0;
    void *bits = NULL, *kept = NULL;
    int result = -1;
    if (read_part(c, t->part[PART_SCALES], &bits, e) || read_part(c, values, &kept, e))
        goto out;
    const unsigned char *mask = bits;
    memset(out, 0, bytes);
    for (size_t i = 0; i < t->shape[0] * cols; i++) {
        if (!(mask[i / cols * row + i % cols / 8] >> i % cols % 8 & 1))
            continue;
        before = seen++;
        if (before >= held)
            break;
        if (i >= first && i < end)
            memcpy(out + (i - first) * size, (unsigned char *)kept + before * size, size);
    }
    result = seen == held ? 0
                          : error_set(e, "%.200s: its mask keeps another number of values than the %zu "
                                         "that are there", t->name, held);
out:
    free(bits);
    free(kept);
    return result;
}

int checkpoint_read_packed(const struct checkpoint *c, const struct checkpoint_entry *t,
                           struct packed *out, struct error *e)
{
    void *part[PARTS] = {NULL};
    if (c->gguf.file)
        return gguf_model_read_packed(&c->gguf, &c->gguf.entry[t->at], out, e);
    if (c->scheme.packing == PACKING_INT8)
        return read_int8(c, t, out, e);
    const struct checkpoint_entry *scales = t->part[PART_SCALES];
    const enum tensor_values values = checkpoint_values(scales);
    const size_t count = scales->bytes / values_size(values);
    float *wide = NULL;
    int result = -1;
    *out = (struct packed){0};
    for (int k = 0; k < PART_SHAPE; k++)
        if (read_part(c, t->part[k], &part[k], e))
            goto out;
    if (check_float(scales, e) || !(wide = memory_new(count, sizeof *wide, scales->name, e)))
        goto out;
    values_to_f32(values, part[PART_SCALES], count, wide);
    const struct packed_parts from = {
        .codes = part[PART_CODES],
        .zeros = part[PART_ZEROS],
        .order = part[PART_ORDER],
        .scales = wide,
        .codes_bytes = t->bytes,
        .zeros_bytes = t->part[PART_ZEROS] ? t->part[PART_ZEROS]->bytes : 0,
        .order_bytes = t->part[PART_ORDER] ? t->part[PART_ORDER]->bytes : 0,
        .scales_count = count,
    };
    if (packed_new(out, t->shape[0], t->shape[1], c->scheme.group, c->scheme.bits, true, e) ||
        packed_unpack(&c->scheme, &from, out, e)) {
        error_prefix(e, "%.200s", t->name);
        goto out;
    }
    result = 0;
out:
    for (int k = 0; k < PARTS; k++)
        free(part[k]);
    free(wide);
    if (result)
        packed_free(out);
    return result;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* By its first bytes, or by its name, so that a damaged one is called that: 1, 0 or -1. */
static int is_gguf(const char *path, struct error *e)
{
    unsigned char start[4];
    uint64_t size;
    const size_t n = strlen(path);
    const int fd = file_open(path, &size, e);
    if (fd < 0)
        return error_prefix(e, "%s", path);
    const bool found = size >= 4 && !file_read_at(fd, 0, start, 4, NULL) && gguf_looks_like(start, 4);
    close(fd);
    return found || (n > 5 && !strcmp(path + n - 5, ".gguf"));
}

int checkpoint_open(struct checkpoint *c, const char *path, struct error *e)
{
    *c = (struct checkpoint){0};
    c->path = strdup(path);
    c->directory = strdup(path);
    if (!c->path || !c->directory)
        return error_set(e, "no memory for a path");
    if (!path_exists(path))
        return error_set(e, "%s: there is no such directory or file", path);
    if (path_is_directory(path)) {
        if (read_config(c, e) || read_tokenizer(c, e) || open_directory(c, e))
            return -1;
        return list_entries(c, e) || (c->scheme.packing && combine(c, e)) ? -1 : 0;
    }
    const int gguf = is_gguf(path, e);
    if (gguf)
        return gguf < 0 || open_gguf(c, e) ? -1 : list_entries(c, e);
    char *slash = strrchr(c->directory, '/');
    if (slash)
        slash[slash == c->directory] = '\0';
    else
        strcpy(c->directory, ".");
    if (read_config(c, e) || read_tokenizer(c, e))
        return -1;
    c->file = memory_new(1, sizeof *c->file, "files", e);
    if (!c->file || open_file(c->file, path, e))
        return -1;
    c->files = 1;
    return list_entries(c, e) || (c->scheme.packing && combine(c, e)) ? -1 : 0;
}

void checkpoint_free(struct checkpoint *c)
{
    for (size_t i = 0; i < c->files; i++) {
        safetensors_close(c->file[i].safetensors);
        torch_close(c->file[i].torch);
    }
    gguf_model_free(&c->gguf);
    free(c->file);
    free(c->entry);
    free(c->stored);
    free(c->names);
    json_decref(c->config);
    json_decref(c->generation);
    free(c->tokenizer);
    free(c->settings);
    free(c->directory);
    free(c->path);
    *c = (struct checkpoint){0};
}

void checkpoint_prefetch(const struct checkpoint *c, const struct checkpoint_entry *t)
{
    if (!c->gguf.file && c->file[t->file].safetensors)
        safetensors_prefetch(c->file[t->file].safetensors,
                             safetensors_entry(c->file[t->file].safetensors, t->at));
}

int checkpoint_read(const struct checkpoint *c, const struct checkpoint_entry *t, size_t offset,
                    size_t bytes, void *out, struct error *e)
{
    if (c->gguf.file)
        return gguf_model_read(&c->gguf, &c->gguf.entry[t->at], offset, bytes, out, e);
    if (t->part[PART_CODES] && c->scheme.packing == PACKING_BITMASK)
        return read_bitmask(c, t, offset, bytes, out, e);
    if (t->part[PART_CODES] && c->scheme.packing >= PACKING_FP8)
        return read_fp8(c, t, offset, bytes, out, e);
    const struct checkpoint_file *f = &c->file[t->file];
    if (f->torch)
        return torch_read(f->torch, torch_entry(f->torch, t->at), offset, bytes, out, e);
    return safetensors_read(f->safetensors, safetensors_entry(f->safetensors, t->at), offset, bytes,
                            out, e);
}
