/* Model stream in, model stream out. */
#include "filter.h"

#include <string.h>

#include "json.h"

json_t *filter_extra_keys(const json_t *record, struct error *e)
{
    static const char *const made[] = {"tensor", "shape", "values", "mask", "n",     "m",
                                       "bits",   "group", "min",    "g_idx", "bytes"};
    json_t *extra = json_deep_copy(record);
    if (!extra)
        error_set(e, "no memory for a record");
    for (size_t i = 0; extra && i < sizeof made / sizeof *made; i++)
        json_object_del(extra, made[i]);
    return extra;
}

int filter_note(json_t *extra, json_t *entry, struct error *e)
{
    json_t *list = json_object_get(extra, "compression");
    if (!list) {
        list = json_array();
        if (json_set(extra, "compression", list, e)) {
            json_decref(entry);
            return -1;
        }
    }
    if (!entry || json_array_append_new(list, entry))
        return error_set(e, "no memory for a record");
    return 0;
}

int filter_write(struct filter *f, const struct tensor *t, json_t *extra, json_t *note,
                 struct error *e)
{
    size_t zeros;
    json_t *all = json_pack("{s:s}", "program", f->cli->name);
    if (!all || (note && json_object_update(all, note)))
        error_set(e, "no memory for a record");
    else if (!tensor_zeros(t, &zeros, e) &&
             !json_set(all, "sparsity", json_number((double)zeros / (double)(t->rows * t->cols)), e) &&
             !json_set(all, "bits_per_weight", json_number(tensor_bits_per_weight(t)), e)) {
        json_decref(note);
        return filter_note(extra, all, e) || tensor_write(t, extra, f->out, e) ? -1 : 0;
    }
    json_decref(all);
    json_decref(note);
    return -1;
}

/* A record that is no tensor, as it came. */
static int copy_record(struct filter *f, const struct stream_record *record, struct error *e)
{
    struct stream_section section = {record->data, record->bytes, 1};
    json_t *json = json_copy(record->json);
    if (!json)
        return error_set(e, "no memory for a record");
    json_object_del(json, "bytes");
    int result = stream_write(f->out, json, &section, record->data ? 1 : 0, e);
    json_decref(json);
    return result;
}

/* Said once, at the first tensor, taking all in its type: the largest as it is read, a projection as it
 * is worked on and as it is written, and frames on their way out. */
static int announce(struct filter *f, const struct tensor *first, struct error *e)
{
    const uint64_t width = first->values == VALUES_F32 ? 4 : 2, made = f->codes ? 2 : 2 * width;
    const uint64_t frames = (uint64_t)pool_threads(f->pool) * (13 << 20);
    uint64_t most = 0;
    for (int role = 0; role < ROLE_COUNT; role++)
        if (model_role_is_projection((enum model_role)role) && model_has_role(&f->model, (enum model_role)role) &&
            model_role_size(&f->model, (enum model_role)role) > most)
            most = model_role_size(&f->model, (enum model_role)role);
    f->announced = true;
    return cli_memory(f->cli, cli_memory_small(f->cli) + frames + width * model_largest(&f->model) + made * most, e);
}

static int take_tensor(struct filter *f, const struct stream_record *record, struct error *e)
{
    struct tensor t;
    enum model_role role;
    size_t layer;
    int result = -1;
    if (tensor_parse(&t, record, e))
        return error_prefix(e, "%s", stream_name(f->in));
    json_t *extra = filter_extra_keys(record->json, e);
    if (!extra || (!f->announced && announce(f, &t, e)) || model_tensor_role(&f->model, t.name, &role, &layer, e) ||
        model_tensor_check(&f->model, role, t.name, t.rank, t.shape, e))
        goto out;
    if (model_role_is_projection(role)) {
        f->projections++;
        result = f->projection(f, &t, extra, e);
        cli_progress(f->cli, f->projections, model_projections(&f->model), "matrices");
    } else {
        result = tensor_write(&t, extra, f->out, e);
    }
out:
    json_decref(extra);
    tensor_free(&t);
    return result;
}

int filter_run(struct filter *f, struct error *e)
{
    struct cli *c = f->cli;
    struct output *output = NULL;
    struct stream_record record;
    json_t *options = NULL, *header = NULL;
    const char *key;
    json_t *value;
    int result = -1, got;
    if (pool_new(&f->pool, c->threads, e) ||
        stream_open(&f->in, cli_input(c), "model", f->pool, e))
        goto out;
    json_t *old = stream_header(f->in);
    if (model_parse(&f->model, json_object_get(old, "config"), e)) {
        error_prefix(e, "%s: its config", stream_name(f->in));
        goto out;
    }
    if (f->check && f->check(f, e))
        goto out;
    options = cli_options_json(c);
    header = stream_header_new("model", stream_header_id(f->in), old, c->name, c->revision, options,
                               f->sides, e);
    if (!header)
        goto out;
    json_object_foreach(old, key, value) {
        if (!json_object_get(header, key) && json_object_set(header, key, value)) {
            error_set(e, "no memory for a header");
            goto out;
        }
    }
    if (output_open(&output, c->output, e) || stream_create(&f->out, output, header, f->pool, e))
        goto out;
    while ((got = stream_next(f->in, &record, e)) == 1) {
        bool tensor = json_object_get(record.json, "tensor") != NULL;
        if (tensor ? take_tensor(f, &record, e) : copy_record(f, &record, e))
            goto out;
    }
    if (got || stream_done(f->in, e))
        goto out;
    if (f->projections == 0) {
        error_set(e, "%s: holds no projection matrix; is it a whole model?", stream_name(f->in));
        goto out;
    }
    if (stream_finish(f->out, stream_end_digest(f->in), e) || output_commit(output, e))
        goto out;
    result = 0;
out:
    stream_writer_free(f->out);
    stream_close(f->in);
    output_free(output);
    pool_free(f->pool);
    json_decref(options);
    json_decref(header);
    return result;
}
