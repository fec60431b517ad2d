/* A model stream as a Hugging Face directory: config.json, the tokenizer's files and one
 * model.safetensors. Every tensor is read back through the code that reads checkpoints and compared,
 * number by number as a digest, before the directory gets its name. */
#include "checkpoint.h"
#include "checkpoint_write.h"
#include "cli.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "model_card.h"
#include "packed.h"
#include "safetensors_write.h"
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME = 160 };

static const char *layout = "dense", *directory, *results;

enum layout { DENSE, GPTQ, PACKED, BITMASK };
static const char *const layouts[] = {"dense", "gptq", "packed", "bitmask"};

/* A tensor that was written, under the name that a reader of checkpoints will find. */
struct entry {
    char name[NAME];
    bool transposed;
    char digest[STREAM_DIGEST_LENGTH]; /* of its numbers as f32, row after row of the stream */
};

/* Zero points of a matrix. They come last: their form depends on all of them. */
struct zeros {
    char name[NAME]; /* of the parts, without their ending */
    size_t rows, groups;
    uint8_t *zero; /* (rows, groups) */
};

struct export {
    struct cli *cli;
    struct pool *pool;
    struct source source;
    struct checkpoint_writer directory;
    struct safetensors_writer *out;
    struct entry *entry;
    size_t entries, tensors;
    bool wide[3]; /* types of floats that were written: f32, f16, bf16 */

    enum layout layout;
    size_t kept, of; /* bitmask: numbers that are not zero, of so many */

    /* Layouts gptq and packed: */
    bool packed;
    int bits;                     /* of all matrices; 0: there was none yet */
    size_t group, widest;         /* columns of a group; of the widest matrix that is one group */
    char single[NAME];            /* that one */
    bool ordered, symmetric, has_zero; /* g_idx; zeros all in the middle; a zero of 0 */
    struct zeros *zeros;
    size_t matrices;
};

/* ---- writing -----------------------------------------------------------------------------------
 */

static const char *const dtypes[] = {"F32", "F16", "BF16"};

static int put(struct export *x, const char *base, const char *part, const char *dtype, int rank,
               const size_t *shape, const void *data, size_t bytes, struct error *e)
{
    char name[NAME + 16];
    snprintf(name, sizeof name, "%s%s%s", base, part ? "." : "", part ? part : "");
    return safetensors_begin(x->out, name, dtype, rank, shape, e) ||
                   safetensors_append(x->out, data, bytes, e)
               ? -1
               : 0;
}

/* out (cols, rows) = the transpose of in (rows, cols). */
static void transpose(const unsigned char *in, size_t rows, size_t cols, size_t size,
                      unsigned char *out)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            memcpy(out + (c * rows + r) * size, in + (r * cols + c) * size, size);
}

/* Dense numbers in the tensor's own type; codes become f32. */
static int write_dense(struct export *x, const struct tensor *t, const struct entry *n,
                       struct error *e)
{
    enum tensor_values values;
    size_t shape[TENSOR_RANK_MAX];
    int result = -1;
    unsigned char *dense = tensor_dense(t, &values, e), *turned = NULL;
    if (!dense)
        return -1;
    const size_t size = values_size(values), bytes = t->rows * t->cols * size;
    memcpy(shape, t->shape, sizeof shape);
    if (n->transposed) {
        shape[0] = t->cols;
        shape[1] = t->rows;
        if (!(turned = memory_new(bytes, 1, t->name, e)))
            goto out;
        transpose(dense, t->rows, t->cols, size, turned);
    }
    x->wide[values] = true;
    result = put(x, n->name, NULL, dtypes[values], t->rank, shape, turned ? turned : dense, bytes, e);
out:
    free(dense);
    free(turned);
    return result;
}

/* compressed-tensors' bitmask: the numbers that are not zero, and where they are. */
static int write_bitmask(struct export *x, const struct tensor *t, const struct entry *n,
                         struct error *e)
{
    enum tensor_values values;
    const size_t row = (t->cols + 7) / 8, dims[] = {t->rows, row}, two = 2;
    const int64_t shape[] = {(int64_t)t->rows, (int64_t)t->cols};
    char base[NAME]; /* "weight" stands in no name of a part */
    size_t kept = 0;
    int result = -1;
    snprintf(base, sizeof base, "%.*s", (int)(strlen(n->name) - strlen(".weight")), n->name);
    if (t->values == VALUES_INT || n->transposed)
        return error_set(e, "%s: --layout bitmask is for matrices of floats that are not stored "
                            "transposed; use --layout %s", t->name, n->transposed ? "dense" : "packed");
    unsigned char *dense = tensor_dense(t, &values, e), *mask = memory_new(t->rows, row, t->name, e);
    int64_t *first = memory_new(t->rows, sizeof *first, t->name, e);
    if (!dense || !mask || !first)
        goto out;
    const size_t size = values_size(values);
    for (size_t i = 0; i < t->rows * t->cols; i++) {
        float number;
        values_to_f32(values, dense + i * size, 1, &number);
        if (i % t->cols == 0)
            first[i / t->cols] = (int64_t)kept;
        if (number == 0)
            continue;
        mask[i / t->cols * row + i % t->cols / 8] |= (unsigned char)(1 << i % t->cols % 8);
        memmove(dense + kept++ * size, dense + i * size, size);
    }
    x->kept += kept;
    x->of += t->rows * t->cols;
    x->wide[values] = true;
    result = put(x, base, "compressed", dtypes[values], 1, &kept, dense, kept * size, e) ||
                     put(x, base, "bitmask", "U8", 2, dims, mask, t->rows * row, e) ||
                     put(x, base, "shape", "I64", 1, &two, shape, sizeof shape, e) ||
                     put(x, base, "row_offsets", "I64", 1, &t->rows, first,
                         t->rows * sizeof *first, e)
                 ? -1
                 : 0;
out:
    free(dense);
    free(mask);
    free(first);
    return result;
}

/* What the layouts of codes have no place for. */
static int check_packed(struct export *x, const struct tensor *t, const struct entry *n,
                        struct error *e)
{
    static const char *const advice = "; use --layout dense";
    if (t->values != VALUES_INT)
        return error_set(e, "is not quantized, and in --layout %s all matrices are%s", layout, advice);
    if (t->threshold > 0 || t->min || n->transposed)
        return error_set(e, "--layout %s has no place for %s%s", layout,
                         t->threshold > 0 ? "LLM.int8()"
                         : t->min         ? "minima that are no multiples of the scale"
                                          : "matrices that are stored transposed",
                         advice);
    if (x->layout == GPTQ && t->bits != 2 && t->bits != 3 && t->bits != 4 && t->bits != 8)
        return error_set(e, "--layout gptq has 2, 3, 4 and 8 bits, not %d%s", t->bits, advice);
    if (x->bits && (t->bits != x->bits || (t->groups > 1 && x->group && t->group != x->group)))
        return error_set(e, "has %d bits in groups of %zu columns, another one %d in groups of %zu, "
                            "and --layout %s has one kind in a model%s",
                         t->bits, t->group, x->bits, x->group ? x->group : x->widest, layout, advice);
    if (x->layout == PACKED && !packed_compressed_fits(t->cols, t->bits))
        return error_set(e, "codes of %d bits in rows of %zu: readers of --layout packed could take them "
                            "for those of an older form%s", t->bits, t->cols, advice);
    if (x->layout == GPTQ && !packed_gptq_fits(t->rows, t->cols, t->bits))
        return error_set(e, "%zu x %zu codes of %d bits are not whole words of 32 bits, as --layout "
                            "gptq needs them%s",
                         t->rows, t->cols, t->bits, advice);
    return 0;
}

static int write_codes(struct export *x, const struct tensor *t, const char *base, struct error *e)
{
    const bool gptq = x->layout == GPTQ;
    const size_t words[] = {gptq ? t->cols * (size_t)t->bits / 32 : t->rows,
                            gptq ? t->rows : (t->cols * (size_t)t->bits + 31) / 32};
    const int64_t shape[] = {(int64_t)t->rows, (int64_t)t->cols};
    const size_t two = 2;
    uint8_t *codes = memory_new(t->rows, t->cols, "codes", e);
    uint8_t *keep = memory_new(t->cols, 1, "codes", e);
    unsigned char *packed = memory_new(words[0] * words[1], 4, "codes", e);
    int result = -1;
    if (!codes || !keep || !packed)
        goto out;
    for (size_t r = 0; r < t->rows; r++) {
        uint8_t *code = codes + r * t->cols;
        tensor_row_codes(t, r, code, keep);
        for (size_t c = 0; c < t->cols; c++) /* a pruned weight is zero */
            if (!keep[c])
                code[c] = t->zero[r * t->groups + tensor_group(t, c)];
    }
    (gptq ? packed_gptq_codes : packed_compressed_codes)(codes, t->rows, t->cols, t->bits, packed);
    result = put(x, base, gptq ? "qweight" : "weight_packed", "I32", 2, words, packed,
                 4 * words[0] * words[1], e) ||
                     (!gptq && put(x, base, "weight_shape", "I64", 1, &two, shape, sizeof shape, e))
                 ? -1
                 : 0;
out:
    free(codes);
    free(keep);
    free(packed);
    return result;
}

/* (groups, rows), of compressed-tensors (rows, groups), in f16 where that holds them exactly. */
static int write_scales(struct export *x, const struct tensor *t, const char *base, struct error *e)
{
    const bool gptq = x->layout == GPTQ;
    const size_t shape[] = {gptq ? t->groups : t->rows, gptq ? t->rows : t->groups},
                 count = t->rows * t->groups;
    float *scale = memory_new(count, sizeof *scale, "scales", e);
    bool narrow = true;
    if (!scale)
        return -1;
    for (size_t i = 0; i < count; i++)
        narrow = narrow && f16_to_f32(f32_to_f16(t->scale[i])) == t->scale[i];
    if (gptq)
        transpose((const unsigned char *)t->scale, t->rows, t->groups, sizeof *scale,
                  (unsigned char *)scale);
    else
        memcpy(scale, t->scale, count * sizeof *scale);
    if (narrow) /* in place: each is written where it or an earlier one was read */
        for (size_t i = 0; i < count; i++) {
            const uint16_t h = f32_to_f16(scale[i]);
            memcpy((unsigned char *)scale + 2 * i, &h, 2);
        }
    const int result = put(x, base, gptq ? "scales" : "weight_scale", narrow ? "F16" : "F32", 2, shape, scale,
                           count * (narrow ? 2 : 4), e);
    free(scale);
    return result;
}

static int write_order(struct export *x, const struct tensor *t, const char *base, struct error *e)
{
    if (x->layout == PACKED && !t->g_idx)
        return 0;
    int32_t *order = memory_new(t->cols, sizeof *order, "an order of columns", e);
    if (!order)
        return -1;
    for (size_t c = 0; c < t->cols; c++)
        order[c] = (int32_t)tensor_group(t, c);
    const int result = put(x, base, x->layout == GPTQ ? "g_idx" : "weight_g_idx", "I32", 1,
                           &t->cols, order, t->cols * sizeof *order, e);
    free(order);
    return result;
}

static int write_packed(struct export *x, const struct tensor *t, const struct entry *n,
                        struct error *e)
{
    struct zeros *z = &x->zeros[x->matrices];
    const size_t count = t->rows * t->groups;
    if (check_packed(x, t, n, e))
        return error_prefix(e, "%s", t->name);
    snprintf(z->name, sizeof z->name, "%.*s", (int)(strlen(n->name) - strlen(".weight")), n->name);
    z->rows = t->rows;
    z->groups = t->groups;
    if (!(z->zero = memory_new(count, 1, "zero points", e)))
        return -1;
    x->matrices++;
    memcpy(z->zero, t->zero, count);
    for (size_t i = 0; i < count; i++) {
        x->symmetric &= z->zero[i] == 1u << (t->bits - 1);
        x->has_zero |= z->zero[i] == 0;
    }
    x->bits = t->bits;
    x->ordered |= t->g_idx != NULL;
    if (t->groups > 1)
        x->group = t->group;
    else if (t->cols > x->widest) {
        x->widest = t->cols;
        memcpy(x->single, n->name, sizeof x->single);
    }
    return write_codes(x, t, z->name, e) || write_scales(x, t, z->name, e) ||
                   write_order(x, t, z->name, e)
               ? -1
               : 0;
}

/* compressed-tensors: none where all are in the middle. The first version of GPTQ's format holds zero
 * points less one, so 0 needs the second. */
static int write_zeros(struct export *x, struct error *e)
{
    int result = 0;
    for (size_t i = 0; !result && i < x->matrices; i++) {
        const struct zeros *z = &x->zeros[i];
        const bool gptq = x->layout == GPTQ;
        const size_t words[] = {gptq ? z->groups : (z->rows * (size_t)x->bits + 31) / 32,
                                gptq ? z->rows * (size_t)x->bits / 32 : z->groups};
        if (!gptq && x->symmetric)
            continue;
        unsigned char *packed = memory_new(words[0] * words[1], 4, "zero points", e);
        if (!packed)
            return -1;
        if (gptq)
            packed_gptq_zeros(z->zero, z->rows, z->groups, x->bits, !x->has_zero, packed);
        else
            packed_compressed_zeros(z->zero, z->rows, z->groups, x->bits, packed);
        result = put(x, z->name, gptq ? "qzeros" : "weight_zero_point", "I32", 2, words, packed,
                     4 * words[0] * words[1], e);
        free(packed);
    }
    return result;
}

/* Digest of rows of f32; a zero has no sign. */
static void add_row(struct digest *d, float *row, size_t cols)
{
    for (size_t c = 0; c < cols; c++)
        row[c] += 0.0f;
    digest_add(d, row, cols * sizeof *row);
}

static int digest_tensor(const struct tensor *t, char *hex, struct error *e)
{
    struct digest *d = digest_new(e);
    float *row = memory_new(t->cols, sizeof *row, "a row", e);
    if (d && row) {
        for (size_t r = 0; r < t->rows; r++) {
            tensor_row(t, r, row);
            add_row(d, row, t->cols);
        }
        digest_hex(d, hex);
    }
    free(row);
    digest_free(d);
    return d && row ? 0 : -1;
}

static int write_tensors(struct export *x, struct error *e)
{
    struct tensor t;
    enum model_role role, want;
    size_t layer, at;
    int got;
    while ((got = source_next(&x->source, &t, &role, &layer, e)) == 1) {
        struct entry *n = &x->entry[x->entries];
        int result = -1;
        if (x->entries < x->tensors)
            model_tensor_at(&x->source.model, x->entries, &want, &at, n->name, sizeof n->name);
        if (x->entries == x->tensors || role != want || layer != at ||
            model_tensor_expert(t.name) != model_tensor_expert(n->name)) {
            error_set(e, "%s: the tensors are not in forward order", t.name);
        } else {
            n->transposed = t.rank == 2 && model_tensor_transposed(&x->source.model, role);
            x->entries++;
            if (!digest_tensor(&t, n->digest, e))
                result = !model_role_is_projection(role) ? write_dense(x, &t, n, e)
                         : x->packed                     ? write_packed(x, &t, n, e)
                         : x->layout == BITMASK          ? write_bitmask(x, &t, n, e)
                                                         : write_dense(x, &t, n, e);
        }
        tensor_free(&t);
        if (result)
            return -1;
        cli_progress(x->cli, x->entries, x->tensors, "tensors");
    }
    return got;
}

/* ---- the other files ---------------------------------------------------------------------------
 */

/* quantization_config; NULL where the layout has none. */
static json_t *describe_layout(const struct export *x)
{
    const json_int_t group = x->group ? (json_int_t)x->group : -1;
    if (x->layout == GPTQ)
        return json_pack("{s:s, s:i, s:I, s:b, s:b, s:s}", "quant_method", "gptq", "bits", x->bits,
                         "group_size", group, "desc_act", x->ordered, "sym", x->symmetric,
                         "checkpoint_format", x->has_zero ? "gptq_v2" : "gptq");
    if (x->layout == PACKED)
        return json_pack("{s:s, s:s, s:s, s:[s, s], s:{s:{s:[s], s:{s:i, s:s, s:b, s:s, s:o*, s:s*}}}}",
                         "quant_method", "compressed-tensors", "format", "pack-quantized",
                         "quantization_status", "compressed", "ignore", "lm_head", "re:.*gate$",
                         "config_groups", "group_0", "targets", "Linear", "weights", "num_bits",
                         x->bits, "type", "int", "symmetric", x->symmetric, "strategy",
                         group > 0 ? "group" : "channel", "group_size",
                         group > 0 ? json_integer(group) : NULL, "actorder",
                         x->ordered ? "group" : NULL);
    return json_pack("{s:s, s:s, s:[s], s:{s:s, s:f, s:s, s:[s], s:[s]}}", "quant_method",
                     "compressed-tensors", "format", "dense", "ignore", "lm_head", "sparsity_config",
                     "format", "sparse-bitmask", "global_sparsity",
                     x->of ? 1 - (double)x->kept / (double)x->of : 0, "sparsity_structure",
                     "unstructured", "targets", "Linear", "ignore", "lm_head");
}

static int put_config(struct export *x, struct error *e)
{
    json_t *config = json_deep_copy(json_object_get(stream_header(x->source.reader), "config"));
    const char *key = json_object_get(config, "dtype") ? "dtype" : "torch_dtype";
    const bool mixed = x->wide[VALUES_F16] && x->wide[VALUES_BF16];
    int result = -1;
    if (json_set(config, key,
                 json_string(x->wide[VALUES_F32] || mixed ? "float32"
                             : x->wide[VALUES_F16]        ? "float16"
                                                          : "bfloat16"),
                 e))
        goto out;
    if (x->layout != DENSE && json_set(config, "quantization_config", describe_layout(x), e))
        goto out;
    result = checkpoint_put_json(&x->directory, "config.json", config, e);
out:
    json_decref(config);
    return result;
}

static int put_card(struct export *x, struct error *e)
{
    struct buffer text = {0};
    char *path = path_join(x->directory.temporary, "model.safetensors", e);
    struct stat st;
    int result = -1;
    if (path && stat(path, &st))
        error_set(e, "%s: cannot find its size", path);
    else if (path && !model_card(&x->source, layout, (uint64_t)st.st_size, results, &text, e))
        result = checkpoint_put(&x->directory, "README.md", text.data, text.length, e);
    free(path);
    buffer_free(&text);
    return result;
}

static int put_files(struct export *x, struct error *e)
{
    const struct source *s = &x->source;
    const json_t *generation = json_object_get(stream_header(s->reader), "generation_config");
    if (put_config(x, e) || put_card(x, e) ||
        (generation && checkpoint_put_json(&x->directory, "generation_config.json", generation, e)))
        return -1;
    if (s->file && checkpoint_put(&x->directory,
                                  strcmp(s->file_kind, "sentencepiece") ? "tokenizer.json"
                                                                        : "tokenizer.model",
                                  s->file, s->file_bytes, e))
        return -1;
    return s->settings ? checkpoint_put(&x->directory, "tokenizer_config.json", s->settings,
                                        strlen(s->settings), e)
                       : 0;
}

/* ---- reading back ------------------------------------------------------------------------------
 */

static int digest_packed(const struct checkpoint *c, const struct checkpoint_entry *t, char *hex,
                         struct error *e)
{
    struct packed p;
    struct digest *d = NULL;
    float *row = NULL;
    int result = -1;
    if (checkpoint_read_packed(c, t, &p, e))
        return -1;
    if ((d = digest_new(e)) && (row = memory_new(p.cols, sizeof *row, "a row", e))) {
        for (size_t r = 0; r < p.rows; r++) {
            packed_row(&p, r, row);
            add_row(d, row, p.cols);
        }
        digest_hex(d, hex);
        result = 0;
    }
    free(row);
    digest_free(d);
    packed_free(&p);
    return result;
}

static int digest_dense(const struct checkpoint *c, const struct checkpoint_entry *t,
                        bool transposed, char *hex, struct error *e)
{
    const enum tensor_values values = checkpoint_values(t);
    const size_t size = values_size(values), last = t->rank ? t->shape[t->rank - 1] : 1;
    const size_t cols = transposed ? t->shape[0] : last, rows = cols ? t->bytes / size / cols : 0;
    struct digest *d = digest_new(e);
    unsigned char *data = memory_new(t->bytes, 1, t->name, e);
    unsigned char *line = memory_new(cols, size, "a row", e);
    float *row = memory_new(cols, sizeof *row, "a row", e);
    int result = -1;
    if (!d || !data || !line || !row || checkpoint_read(c, t, 0, t->bytes, data, e))
        goto out;
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; transposed && i < cols; i++)
            memcpy(line + i * size, data + (i * rows + r) * size, size);
        values_to_f32(values, transposed ? line : data + r * cols * size, cols, row);
        add_row(d, row, cols);
    }
    digest_hex(d, hex);
    result = 0;
out:
    free(row);
    free(line);
    free(data);
    digest_free(d);
    return result;
}

/* The parts of a matrix are one entry again, in the place of its codes. */
static int compare(struct export *x, struct error *e)
{
    struct checkpoint c;
    char hex[STREAM_DIGEST_LENGTH];
    int result = -1;
    if (checkpoint_open(&c, x->directory.temporary, e))
        goto out;
    for (size_t i = 0; i < x->entries; i++) {
        const struct entry *n = &x->entry[i];
        const struct checkpoint_entry *t = &c.entry[i];
        if (c.count != x->entries || strcmp(t->name, n->name)) {
            error_set(e, "%s: is not where it was written", n->name);
            goto out;
        }
        if (strcmp(t->dtype, "INT") ? digest_dense(&c, t, n->transposed, hex, e)
                                    : digest_packed(&c, t, hex, e))
            goto out;
        if (strcmp(hex, n->digest)) {
            error_set(e, "%s: was read back other than it was written; the disk may be failing",
                      n->name);
            goto out;
        }
        cli_progress(x->cli, i + 1, x->entries, "tensors read back");
    }
    cli_note(x->cli, "%zu tensors read back and compared", x->entries);
    result = 0;
out:
    checkpoint_free(&c);
    return result ? error_prefix(e, "%s", x->directory.path) : 0;
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static int start(struct export *x, struct error *e)
{
    const struct model *m = &x->source.model;
    char *path = path_join(x->directory.temporary, "model.safetensors", e);
    int result = -1;
    if (!path)
        return -1;
    x->tensors = model_tensor_count(m);
    x->entry = memory_new(x->tensors, sizeof *x->entry, "a list of tensors", e);
    x->zeros = memory_new(x->tensors, sizeof *x->zeros, "a list of tensors", e);
    if (x->entry && x->zeros)
        result = safetensors_create(&x->out, path, (x->layout == DENSE ? 1 : 5) * x->tensors, NAME, e);
    free(path);
    return result;
}

/* Beside what is read: the largest tensor as it is written, and turned where files hold it so. */
static uint64_t working_memory(const struct export *x)
{
    const struct model *m = &x->source.model;
    uint64_t most = 0;
    for (int role = 0; role < ROLE_COUNT; role++)
        if (model_has_role(m, (enum model_role)role)) {
            const uint64_t turned = model_tensor_transposed(m, (enum model_role)role) ? 2 : 1;
            const uint64_t bytes = turned * 4 * model_role_size(m, (enum model_role)role);
            most = bytes > most ? bytes : most;
        }
    return most;
}

static int check_single(const struct export *x, struct error *e)
{
    if (!x->packed || !x->group || x->widest <= x->group)
        return 0;
    return error_set(e, "%s: has one scale a row, others one for %zu columns, and --layout %s has "
                        "one kind in a model; use --layout dense", x->single, x->group, layout);
}

static void warn(const struct export *x)
{
    const json_t *step;
    size_t i;
    json_array_foreach(json_object_get(stream_header(x->source.reader), "history"), i, step)
        if (!x->packed && !strcmp(json_get_string_or(step, "program", ""), "quantize-int8"))
            cli_warn(x->cli, "the weights of LLM.int8() go out as floats: what reads them rounds no "
                             "activations");
}

static int run(struct cli *c, struct error *e)
{
    struct export x = {.cli = c, .symmetric = true};
    int result = -1;
    while (strcmp(layouts[x.layout], layout))
        x.layout++;
    x.packed = x.layout == GPTQ || x.layout == PACKED;
    if (!directory)
        return error_usage(e, "-o is needed: the directory to make");
    if (pool_new(&x.pool, c->threads, e) ||
        source_open_whole(&x.source, cli_input(c), x.pool, e) ||
        cli_memory(c, source_memory_reading(&x.source, x.pool) + working_memory(&x), e) ||
        checkpoint_create(&x.directory, directory, e) || start(&x, e) || write_tensors(&x, e) ||
        check_single(&x, e) || write_zeros(&x, e) || safetensors_finish(x.out, e) ||
        put_files(&x, e))
        goto out;
    warn(&x);
    if (compare(&x, e) || checkpoint_commit(&x.directory, e))
        goto out;
    result = 0;
out:
    safetensors_writer_free(x.out);
    checkpoint_writer_free(&x.directory);
    source_close(&x.source);
    for (size_t i = 0; i < x.matrices; i++)
        free(x.zeros[i].zero);
    free(x.zeros);
    free(x.entry);
    pool_free(x.pool);
    return result;
}

static struct cli_option options[] = {
    {'o', "output", CLI_TEXT, &directory, "DIR", "the directory to make"},
    {0, "layout", CLI_CHOICE, &layout, "L", "how matrices are stored",
     .choices = "dense|gptq|packed|bitmask"},
    {0, "results", CLI_TEXT, &results, "FILE", "result streams of this model, for its README.md"},
    {0},
};

int main(int argc, char **argv)
{
    struct cli c = {.name = "export-hf",
                    .revision = 1,
                    .summary = "write a model as a Hugging Face directory",
                    .operand = "[MODEL]",
                    .flags = CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
