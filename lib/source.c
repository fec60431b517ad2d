/* Reading a model stream. */
#include "source.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

static int take_tokenizer(struct source *s, const struct stream_record *record, struct error *e)
{
    const char *kind = NULL, *settings = json_get_string_or(record->json, "settings", NULL);
    if (s->tokenizer)
        return error_set(e, "%s: has two tokenizers", stream_name(s->reader));
    if (json_get_string(record->json, "tokenizer", &kind, e) ||
        tokenizer_new(&s->tokenizer, kind, record->data, record->bytes, settings, e))
        return error_prefix(e, "%s: its tokenizer", stream_name(s->reader));
    if (settings && !(s->settings = strdup(settings)))
        return error_set(e, "no memory for a tokenizer");
    digest_buffer(record->data, record->bytes, s->tokenizer_digest);
    if (!s->keep_file)
        return 0;
    s->file = memory_new(record->bytes, 1, "a tokenizer", e);
    s->file_kind = strdup(kind);
    if (!s->file || !s->file_kind)
        return error_set(e, "no memory for a tokenizer");
    memcpy(s->file, record->data, record->bytes);
    s->file_bytes = record->bytes;
    return 0;
}

static int open_stream(struct source *s, const char *path, struct pool *pool, struct error *e)
{
    if (stream_open(&s->reader, path, "model", pool, e))
        return -1;
    const json_t *config = json_object_get(stream_header(s->reader), "config");
    if (model_parse(&s->model, config, e)) {
        error_prefix(e, "%s: its config", stream_name(s->reader));
        goto fail;
    }
    for (;;) {
        const int got = stream_next(s->reader, &s->record, e);
        if (got < 0)
            goto fail;
        s->pending = got == 1;
        if (!s->pending || json_object_get(s->record.json, "tensor"))
            return 0;
        if (json_object_get(s->record.json, "tokenizer") && take_tokenizer(s, &s->record, e))
            goto fail;
    }
fail:
    source_close(s);
    return -1;
}

int source_open(struct source *s, const char *path, struct pool *pool, struct error *e)
{
    *s = (struct source){0};
    return open_stream(s, path, pool, e);
}

int source_open_whole(struct source *s, const char *path, struct pool *pool, struct error *e)
{
    *s = (struct source){.keep_file = true};
    return open_stream(s, path, pool, e);
}

void source_close(struct source *s)
{
    stream_close(s->reader);
    tokenizer_free(s->tokenizer);
    free(s->settings);
    free(s->file);
    free(s->file_kind);
    *s = (struct source){0};
}

/* 1 and a record that is a tensor, 0 at the end. */
static int next_record(struct source *s, struct error *e)
{
    if (s->pending) {
        s->pending = false;
        return 1;
    }
    for (;;) {
        const int got = stream_next(s->reader, &s->record, e);
        if (got != 1)
            return got;
        if (json_object_get(s->record.json, "tensor"))
            return 1;
    }
}

static int count_size(struct source *s, const struct tensor *t, enum model_role role,
                      struct error *e)
{
    size_t zeros = 0;
    s->size.stored_bytes += tensor_bytes(t);
    if (!model_role_is_projection(role))
        return 0;
    if (tensor_zeros(t, &zeros, e))
        return -1;
    s->size.projection_bytes += tensor_bytes(t);
    s->size.weights += t->rows * t->cols;
    s->size.zeros += zeros;
    return 0;
}

int source_next(struct source *s, struct tensor *t, enum model_role *role, size_t *layer,
                struct error *e)
{
    for (;;) {
        const int got = s->reader ? next_record(s, e) : -1;
        if (got < 0)
            return -1;
        if (got == 0) {
            if (s->tensors == model_tensor_count(&s->model))
                return stream_done(s->reader, e) ? -1 : 0;
            return error_set(e, "%s: has %zu of the model's %zu tensors", stream_name(s->reader),
                             s->tensors, model_tensor_count(&s->model));
        }
        if (tensor_parse(t, &s->record, e))
            return error_prefix(e, "%s", stream_name(s->reader));
        if (model_tensor_role(&s->model, t->name, role, layer, e) ||
            model_tensor_check(&s->model, *role, t->name, t->rank, t->shape, e) ||
            count_size(s, t, *role, e)) {
            error_prefix(e, "%s", stream_name(s->reader));
            tensor_free(t);
            return -1;
        }
        if (*role != ROLE_IGNORED) {
            s->tensors++;
            return 1;
        }
        tensor_free(t);
    }
}

/* Bytes of a weight, of the record with most of them, and of the reader beside that: its frames,
 * and the program itself. */
static uint64_t weight_width(const struct source *s)
{
    const char *values = s->pending ? json_get_string_or(s->record.json, "values", "") : "";
    return strcmp(values, "f32") ? 2 : 4;
}

uint64_t source_memory_reading(const struct source *s, struct pool *pool)
{
    return weight_width(s) * model_largest(&s->model) + ((uint64_t)8 << 20) +
           ((uint64_t)14 << 20) * (uint64_t)pool_threads(pool);
}

uint64_t source_memory(const struct source *s, struct pool *pool, uint64_t logits)
{
    const struct model *m = &s->model;
    const uint64_t width = weight_width(s), head = width * m->vocab * m->width;
    const uint64_t block = width * model_parameters(m, true) / m->layers + (m->tied ? head : 0);
    return source_memory_reading(s, pool) + (block > head + logits ? block : head + logits);
}

uint64_t source_memory_resident(const struct source *s, struct pool *pool)
{
    return source_memory_reading(s, pool) + weight_width(s) * model_parameters(&s->model, false);
}

json_t *source_describe(const struct source *s, struct error *e)
{
    const json_t *header = stream_header(s->reader);
    json_t *steps = json_array(), *model = NULL;
    const json_t *step = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(header, "history"), i, step)
    {
        json_t *options = json_object_get(step, "options");
        json_array_append_new(steps,
                              json_pack("{s:O, s:O*}", "program", json_object_get(step, "program"),
                                        "options", options));
    }
    const double weights = (double)s->size.weights;
    model = json_pack(
        "{s:s, s:O*, s:O*, s:o, s:f, s:I, s:f}", "id", stream_header_id(s->reader), "name",
        json_object_get(header, "name"), "role", json_object_get(header, "role"), "steps", steps,
        "bits_per_weight", 8.0 * (double)s->size.projection_bytes / weights, "stored_bytes",
        (json_int_t)s->size.stored_bytes, "sparsity", (double)s->size.zeros / weights);
    if (!model)
        error_set(e, "no memory for a header");
    return model;
}
