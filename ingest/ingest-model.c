/* Turns a checkpoint (lib/checkpoint: config, weights in any container, tokenizer) into a model
 * stream: header, tokenizer, tensors in forward order, one in memory. */
#include "checkpoint.h"
#include "cli.h"
#include "json.h"
#include "memory.h"
#include "model.h"
#include "model_table.h"
#include "stream.h"
#include "tensor.h"
#include "tokenizer.h"
#include "variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EDGE = 4096 };

/* A tensor of the model, and where it is. */
struct place {
    const struct checkpoint_entry *entry;
    enum model_role role;
    size_t layer;
    enum tensor_values values;
    char name[160]; /* its usual name */
};

struct ingest {
    const char *path;
    struct checkpoint checkpoint;
    struct model model;
    struct place *place;
    size_t places;
    struct pool *pool;
    struct variant variant; /* with --of */
    void *dense;            /* one tensor's numbers, and the room for them */
    size_t room;
};

static const char *name, *role, *of, *method;
static bool list;

static int read_model(struct ingest *g, struct error *e)
{
    struct checkpoint *c = &g->checkpoint;
    struct tokenizer *t = NULL;
    if (checkpoint_open(c, g->path, e))
        return -1;
    if (model_parse(&g->model, c->config, e))
        return error_prefix(e, "%s: config.json", c->directory);
    if (c->tokenizer && tokenizer_new(&t, c->tokenizer_kind, c->tokenizer, c->tokenizer_bytes,
                                      c->settings, e))
        return error_prefix(e, "%s: its tokenizer", c->directory);
    tokenizer_free(t);
    return 0;
}

static int values_of(const char *dtype, enum tensor_values *values)
{
    *values = !strcmp(dtype, "F16") ? VALUES_F16 : !strcmp(dtype, "BF16") ? VALUES_BF16 : VALUES_F32;
    return !strcmp(dtype, "F32") || *values != VALUES_F32 ? 0 : -1;
}

/* GPT-2's matrices stand transposed in its own checkpoints, and upright in GGUF. */
static bool is_turned(const struct ingest *g, enum model_role r, int rank)
{
    return rank == 2 && !g->checkpoint.gguf.file && model_tensor_transposed(&g->model, r);
}

static int check_shape(const struct ingest *g, enum model_role r, const struct checkpoint_entry *t,
                       struct error *e)
{
    if (!is_turned(g, r, t->rank))
        return model_tensor_check(&g->model, r, t->name, t->rank, t->shape, e);
    const size_t shape[] = {t->shape[1], t->shape[0]};
    if (!model_tensor_check(&g->model, r, t->name, 2, shape, e))
        return 0;
    return error_prefix(e, "of a matrix that the file holds transposed");
}

/* Quantizers give every layer a bias; one that the model does not have is zero. */
static bool is_spare_bias(const struct checkpoint *c, const struct checkpoint_entry *t)
{
    unsigned char bytes[4096];
    const size_t n = strlen(t->name);
    if (!c->scheme.packing || n < 5 || strcmp(t->name + n - 5, ".bias"))
        return false;
    for (size_t at = 0; at < t->bytes; at += sizeof bytes) {
        const size_t k = t->bytes - at < sizeof bytes ? t->bytes - at : sizeof bytes;
        if (checkpoint_read(c, t, at, k, bytes, NULL))
            return false;
        for (size_t i = 0; i < k; i++)
            if (bytes[i])
                return false;
    }
    return true;
}

/* Finds each tensor that the model must have among those of the files. */
static int find_tensors(struct ingest *g, struct error *e)
{
    g->places = model_tensor_count(&g->model);
    g->place = memory_new(g->places, sizeof *g->place, "the list of tensors", e);
    /* (layer, role and expert) -> place */
    const size_t wide = ROLE_COUNT * (g->model.experts ? g->model.experts : 1);
    size_t slots = g->model.layers * wide;
    size_t *slot = memory_new(slots, sizeof *slot, "the list of tensors", e);
    int result = -1;
    if (!g->place || !slot)
        goto out;
    for (size_t i = 0; i < g->places; i++) {
        struct place *p = &g->place[i];
        model_tensor_at(&g->model, i, &p->role, &p->layer, p->name, sizeof p->name);
        slot[p->layer * wide + model_tensor_expert(p->name) * ROLE_COUNT + p->role] = i + 1;
    }
    for (size_t i = 0; i < g->checkpoint.count; i++) {
        const struct checkpoint_entry *t = &g->checkpoint.entry[i];
        enum model_role r;
        size_t layer;
        if (model_tensor_role(&g->model, t->name, &r, &layer, e)) {
            if (is_spare_bias(&g->checkpoint, t))
                continue;
            goto out;
        }
        if (r == ROLE_IGNORED)
            continue;
        size_t at = slot[layer * wide + model_tensor_expert(t->name) * ROLE_COUNT + r];
        if (at == 0) {
            error_set(e, "%.200s: the config says that there is no such tensor", t->name);
            goto out;
        }
        struct place *p = &g->place[at - 1];
        if (p->entry) {
            error_set(e, "%.200s: is there twice", t->name);
            goto out;
        }
        if (strcmp(t->dtype, "INT") && values_of(t->dtype, &p->values)) {
            error_set(e, "%.200s: type %s; only F32, F16 and BF16 are read", t->name, t->dtype);
            goto out;
        }
        if (check_shape(g, r, t, e))
            goto out;
        p->entry = t;
    }
    for (size_t i = 0; i < g->places; i++)
        if (!g->place[i].entry) {
            error_set(e, "tensor %s is missing", g->place[i].name);
            goto out;
        }
    result = 0;
out:
    free(slot);
    if (result)
        error_prefix(e, "%s", g->path);
    return result;
}

/* Digest of config, tokenizer and, of every tensor, name, type, shape, first and last 4 KiB. */
static int source_id(const struct ingest *g, char id[STREAM_DIGEST_LENGTH], struct error *e)
{
    struct digest *d = digest_new(e);
    unsigned char edge[EDGE];
    char *config = json_dumps(g->checkpoint.config, JSON_COMPACT | JSON_SORT_KEYS);
    char *generation = g->checkpoint.generation
                           ? json_dumps(g->checkpoint.generation, JSON_COMPACT | JSON_SORT_KEYS)
                           : NULL;
    int result = -1;
    if (!d || !config) {
        error_set(e, "no memory for an id");
        goto out;
    }
    digest_add(d, config, strlen(config) + 1);
    if (generation)
        digest_add(d, generation, strlen(generation) + 1);
    if (g->checkpoint.tokenizer)
        digest_add(d, g->checkpoint.tokenizer, g->checkpoint.tokenizer_bytes);
    if (g->checkpoint.settings)
        digest_add(d, g->checkpoint.settings, g->checkpoint.settings_bytes);
    for (size_t i = 0; i < g->places; i++) {
        const struct checkpoint_entry *t = g->place[i].entry;
        char text[512];
        int n = snprintf(text, sizeof text, "%.200s %s", g->place[i].name, t->dtype);
        for (int k = 0; k < t->rank; k++)
            n += snprintf(text + n, sizeof text - (size_t)n, " %zu", t->shape[k]);
        digest_add(d, text, (size_t)n + 1);
        size_t k = t->bytes < EDGE ? t->bytes : EDGE;
        if (checkpoint_read(&g->checkpoint, t, 0, k, edge, e))
            goto out;
        digest_add(d, edge, k);
        if (checkpoint_read(&g->checkpoint, t, t->bytes - k, k, edge, e))
            goto out;
        digest_add(d, edge, k);
    }
    digest_hex(d, id);
    result = 0;
out:
    digest_free(d);
    free(config);
    free(generation);
    return result;
}

/* "llama-6.7B": the name of a checkpoint that nobody named. */
static void default_name(const struct ingest *g, char *out, size_t n)
{
    double parameters = (double)model_parameters(&g->model, false);
    const char *unit = parameters >= 1e9 ? "B" : parameters >= 1e6 ? "M" : "K";
    double x = parameters / (parameters >= 1e9 ? 1e9 : parameters >= 1e6 ? 1e6 : 1e3);
    snprintf(out, n, "%s-%.*f%s", g->model.architecture, x < 10 ? 1 : 0, x, unit);
}

/* ---- a variant of a dense model ------------------------------------------------------------- */

static int read_tensor(const struct ingest *g, const struct place *p, void *dense, struct error *e);

static int measure_packed(const struct ingest *g, const struct place *p, struct variant_shape *shape,
                          struct error *e)
{
    struct packed q = {0};
    if (checkpoint_read_packed(&g->checkpoint, p->entry, &q, e))
        return -1;
    float *row = memory_new(q.cols, sizeof *row, p->name, e);
    for (size_t r = 0; row && r < q.rows; r++) {
        packed_row(&q, r, row);
        variant_shape_row(shape, row, q.cols);
    }
    variant_shape_codes(shape, q.bits, q.group < q.cols ? q.group : 0, q.rows * q.cols);
    const int result = row ? 0 : -1;
    free(row);
    packed_free(&q);
    return result;
}

static int measure_floats(const struct ingest *g, const struct place *p, struct variant_shape *shape,
                          struct error *e)
{
    const size_t cols = model_role_columns(&g->model, p->role), size = values_size(p->values);
    unsigned char *dense = memory_new(p->entry->bytes, 1, p->name, e);
    float *row = memory_new(cols, sizeof *row, p->name, e);
    int result = -1;
    if (!dense || !row || read_tensor(g, p, dense, e))
        goto out;
    for (size_t at = 0; at < p->entry->bytes; at += cols * size) {
        values_to_f32(p->values, dense + at, cols, row);
        variant_shape_row(shape, row, cols);
    }
    result = 0;
out:
    free(row);
    free(dense);
    return result;
}

/* What the matrices say was done: the options of a step that would have done it. */
static int measure(const struct ingest *g, const struct cli *c, json_t *options, struct error *e)
{
    struct variant_shape shape = {0};
    size_t done = 0;
    for (size_t i = 0; i < g->places; i++) {
        const struct place *p = &g->place[i];
        if (!model_role_is_projection(p->role))
            continue;
        const bool packed = !strcmp(p->entry->dtype, "INT");
        if (packed ? measure_packed(g, p, &shape, e) : measure_floats(g, p, &shape, e))
            return -1;
        cli_progress(c, ++done, model_projections(&g->model), "matrices measured");
    }
    return variant_shape_options(&shape, options, e);
}

/* A step after those of the dense model, under whose name reports list it. */
static json_t *make_history(const struct ingest *g, struct cli *c, const char *id, json_t *options,
                            struct error *e)
{
    char digest[STREAM_DIGEST_LENGTH];
    json_t *sides = NULL, *header = NULL;
    json_t *dense = of ? stream_header(g->variant.dense.reader) : NULL;
    if (of && (measure(g, c, options, e) || stream_file_digest(of, digest, e) ||
               !(sides = json_pack("{s:s}", "of", digest))))
        return NULL;
    header = stream_header_new("model", id, dense, c->name, c->revision, options, sides, e);
    json_decref(sides);
    return header;
}

static json_t *make_header(const struct ingest *g, struct cli *c, struct error *e)
{
    char id[STREAM_DIGEST_LENGTH], own[64];
    json_t *options = cli_options_json(c), *header = NULL;
    default_name(g, own, sizeof own);
    if (!source_id(g, id, e))
        header = make_history(g, c, id, options, e);
    json_decref(options);
    if (!header)
        return NULL;
    const json_t *dense = of ? stream_header(g->variant.dense.reader) : NULL;
    const char *called = name ? name : json_get_string_or(dense, "name", own),
               *part = role ? role : json_get_string_or(dense, "role", NULL);
    if (json_set(header, "name", json_string(called), e) ||
        (part && json_set(header, "role", json_string(part), e)) ||
        json_set(header, "config", json_incref(g->checkpoint.config), e) ||
        (g->checkpoint.generation &&
         json_set(header, "generation_config", json_incref(g->checkpoint.generation), e))) {
        json_decref(header);
        return NULL;
    }
    return header;
}

/* Writes a tensor; of a variant with what was found about it. */
static int write_record(struct ingest *g, const struct place *p, const struct tensor *t,
                        struct stream_writer *w, struct error *e)
{
    double lost = 0;
    size_t zeros = 0;
    if (!of)
        return tensor_write(t, NULL, w, e);
    if (variant_next(&g->variant, t, &lost, e))
        return -1;
    if (!model_role_is_projection(p->role))
        return tensor_write(t, NULL, w, e);
    if (tensor_zeros(t, &zeros, e))
        return -1;
    json_t *extra = json_pack("{s:[{s:s, s:f, s:f, s:f}]}", "compression", "program", method,
                              "sparsity", (double)zeros / (double)(t->rows * t->cols),
                              "bits_per_weight", tensor_bits_per_weight(t), "error", lost);
    const int result = extra ? tensor_write(t, extra, w, e) : error_set(e, "no memory for a record");
    json_decref(extra);
    return result;
}

static int write_tokenizer(const struct ingest *g, struct stream_writer *w, struct error *e)
{
    const struct checkpoint *c = &g->checkpoint;
    struct stream_section section = {c->tokenizer, c->tokenizer_bytes, 1};
    json_t *json = json_object();
    int result = -1;
    if (!json_set(json, "tokenizer", json_string(c->tokenizer_kind), e) &&
        (!c->settings || !json_set(json, "settings", json_stringn(c->settings, c->settings_bytes), e)))
        result = stream_write(w, json, &section, 1, e);
    json_decref(json);
    return result;
}

/* out (cols, rows) = the transpose of in (rows, cols), in squares that the cache holds. */
static void transpose(const unsigned char *in, size_t rows, size_t cols, size_t size,
                      unsigned char *out)
{
    enum { SIDE = 32 };
    for (size_t r = 0; r < rows; r += SIDE)
        for (size_t c = 0; c < cols; c += SIDE)
            for (size_t i = r; i < rows && i < r + SIDE; i++)
                for (size_t j = c; j < cols && j < c + SIDE; j++)
                    memcpy(out + (j * rows + i) * size, in + (i * cols + j) * size, size);
}

/* Reads a tensor's numbers, in the order of a stream. */
static int read_tensor(const struct ingest *g, const struct place *p, void *dense, struct error *e)
{
    const struct checkpoint_entry *t = p->entry;
    if (!is_turned(g, p->role, t->rank))
        return checkpoint_read(&g->checkpoint, t, 0, t->bytes, dense, e);
    void *stored = memory_new(t->bytes, 1, p->name, e);
    if (!stored)
        return -1;
    const int result = checkpoint_read(&g->checkpoint, t, 0, t->bytes, stored, e);
    if (!result)
        transpose(stored, t->shape[0], t->shape[1], values_size(p->values), dense);
    free(stored);
    return result;
}

/* A matrix that is quantized already stays so. */
static int write_packed(struct ingest *g, const struct place *p, struct stream_writer *w,
                        struct error *e)
{
    struct tensor_store store = {0};
    struct packed q = {0};
    struct tensor like = {.name = p->name, .rank = 2};
    int result = -1;
    if (is_turned(g, p->role, 2))
        return error_set(e, "%s: quantized, but transposed, which is not read", p->name);
    if (checkpoint_read_packed(&g->checkpoint, p->entry, &q, e))
        return -1;
    like.rows = like.shape[0] = q.rows;
    like.cols = like.shape[1] = q.cols;
    if (!tensor_encode_int(&store, &like, q.bits, q.group, q.codes, q.scale, q.zero, e)) {
        store.tensor.threshold = g->checkpoint.scheme.threshold;
        store.tensor.min = q.min;
        store.tensor.g_idx = q.g_idx;
        result = write_record(g, p, &store.tensor, w, e);
    }
    tensor_store_free(&store);
    packed_free(&q);
    return result;
}

static int write_tensor(struct ingest *g, const struct place *p, struct stream_writer *w,
                        struct error *e)
{
    struct tensor_store store = {0};
    struct tensor like = {.name = p->name, .rank = p->entry->rank, .rows = 1, .cols = 1};
    int result = -1;
    if (!strcmp(p->entry->dtype, "INT"))
        return write_packed(g, p, w, e);
    const bool turned = is_turned(g, p->role, like.rank);
    for (int i = 0; i < like.rank; i++) {
        like.shape[i] = p->entry->shape[turned ? 1 - i : i];
        like.rows *= like.cols;
        like.cols = like.shape[i];
    }
    if (p->entry->bytes > g->room) {
        free(g->dense);
        g->room = 0;
        if (!(g->dense = memory_new(p->entry->bytes, 1, p->name, e)))
            return -1;
        g->room = p->entry->bytes;
    }
    /* Only matrices that compression touches are worth a mask. */
    enum tensor_encoding encoding =
        model_role_is_projection(p->role) ? ENCODING_AUTO : ENCODING_NONE;
    if (!read_tensor(g, p, g->dense, e) &&
        !tensor_encode(&store, &like, p->values, g->dense, encoding, 0, 0, e))
        result = write_record(g, p, &store.tensor, w, e);
    tensor_store_free(&store);
    return result;
}

/* The architectures, one a line: model_type, its name in GGUF, the models. */
static int list_architectures(const struct cli *c, struct error *e)
{
    struct buffer text = {0};
    const struct model_family *f;
    char line[256];
    int n = snprintf(line, sizeof line, "%-12s%-12s%s\n", "model_type", "GGUF", "models");
    int result = buffer_append(&text, line, (size_t)n, e);
    for (size_t i = 0; !result && (f = family_at(i)); i++) {
        const struct gguf_architecture *a = gguf_architecture_find(f->name);
        n = snprintf(line, sizeof line, "%-12s%-12s%s\n", f->name, a ? a->name : "-", f->models);
        result = buffer_append(&text, line, (size_t)n, e);
    }
    result = result || output_file(c->output, text.data, text.length, e) ? -1 : 0;
    buffer_free(&text);
    return result;
}

static struct cli_option options[] = {
    {0, "name", CLI_TEXT, &name, "NAME", "what reports call the model", .result = true},
    {0, "role", CLI_TEXT, &role, "ROLE", "its part in a report: large, small or other",
     .result = true},
    {0, "of", CLI_TEXT, &of, "DENSE", "the stream of the dense model that it was made of"},
    {0, "method", CLI_TEXT, &method, "NAME", "with --of: how reports call what was done to it",
     .result = true},
    {0, "list", CLI_FLAG, &list, NULL, "print the architectures that are read, and stop",
     .text = true},
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct ingest g = {0};
    struct output *output = NULL;
    struct stream_writer *writer = NULL;
    json_t *header = NULL;
    int result = -1;
    if (list)
        return list_architectures(c, e);
    if (!c->operands)
        return error_usage(e, "name a checkpoint directory or a file of one; see kick-%s -h",
                           c->name);
    if (!of != !method || (method && !*method))
        return error_usage(e, "--of DENSE and --method NAME go together");
    g.path = c->operand_list[0];
    if (pool_new(&g.pool, c->threads, e) || read_model(&g, e) || find_tensors(&g, e) ||
        (of && variant_open(&g.variant, of, &g.model, g.pool, e)) ||
        !(header = make_header(&g, c, e)))
        goto out;
    uint64_t most = 0;
    for (size_t i = 0; i < g.places; i++) {
        /* packed codes of 2 bits become bytes, and are packed again; GGUF's count as floats */
        const bool packed = !strcmp(g.place[i].entry->dtype, "INT") && !g.checkpoint.gguf.file;
        const bool twice = model_tensor_transposed(&g.model, g.place[i].role) ||
                           g.place[i].entry->part[PART_CODES];
        const uint64_t copies = packed ? 7 : twice ? 2 : 1;
        const uint64_t bytes = copies * g.place[i].entry->bytes;
        most = bytes > most ? bytes : most;
    }
    if (cli_memory(c, most + (uint64_t)pool_threads(g.pool) * (18 << 20) + (8 << 20), e))
        goto out;
    if (g.checkpoint.scheme.activations)
        cli_warn(c, "this checkpoint is meant to run with activations in 8 bits; here they stay floats");
    if (output_open(&output, c->output, e) || stream_create(&writer, output, header, g.pool, e) ||
        (g.checkpoint.tokenizer && write_tokenizer(&g, writer, e)))
        goto out;
    for (size_t i = 0; i < g.places; i++) {
        if (i + 1 < g.places)
            checkpoint_prefetch(&g.checkpoint, g.place[i + 1].entry);
        if (write_tensor(&g, &g.place[i], writer, e))
            goto out;
        cli_progress(c, i + 1, g.places, "tensors");
    }
    if (of && variant_end(&g.variant, e))
        goto out;
    if (g.variant.differ)
        cli_note(c, "%zu of %zu norms, biases, embeddings differ from the dense model's",
                 g.variant.differ, g.variant.others);
    if (stream_finish(writer, NULL, e) || output_commit(output, e))
        goto out;
    result = 0;
out:
    stream_writer_free(writer);
    output_free(output);
    json_decref(header);
    variant_close(&g.variant);
    checkpoint_free(&g.checkpoint);
    free(g.place);
    free(g.dense);
    pool_free(g.pool);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "ingest-model",
                    .revision = 2,
                    .summary = "read a checkpoint as a model stream",
                    .operand = "CHECKPOINT",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_NO_INPUT | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
