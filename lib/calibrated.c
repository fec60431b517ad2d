/* Streamed compression with calibration: reading, and what happens to a block. */
#include "calibrated_run.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "json.h"
#include "memory.h"
#include "sweep.h"

/* A block's error is told of where it is so many times that of any block before, and not small. */
static const double JUMP = 3, SMALL = 0.1;
static const size_t SPILL = (size_t)1 << 30; /* bytes of activations kept in memory */

/* ---- items -------------------------------------------------------------------------------------
 */

static void items_free(struct run *r)
{
    for (size_t i = 0; i < r->items; i++) {
        json_decref(r->item[i].json);
        free(r->item[i].data);
        free(r->item[i].name);
        tensor_store_free(&r->item[i].store);
    }
    r->items = r->written = 0;
}

static struct item *item_new(struct run *r, struct error *e)
{
    if (r->items == r->capacity) {
        const size_t n = r->capacity ? 2 * r->capacity : 16;
        struct item *list = memory_resize(r->item, n, sizeof *list, "records", e);
        if (!list)
            return NULL;
        r->item = list;
        r->capacity = n;
    }
    r->item[r->items] = (struct item){0};
    return &r->item[r->items++];
}

int run_write_copy(struct run *r, const json_t *json, const void *data, size_t bytes,
                   struct error *e)
{
    const struct stream_section section = {data, bytes, 1};
    json_t *copy = json_copy((json_t *)json);
    if (!copy)
        return error_set(e, "no memory for a record");
    json_object_del(copy, "bytes");
    const int result = stream_write(r->out, copy, &section, data ? 1 : 0, e);
    json_decref(copy);
    return result;
}

/* Writes what is ready, in order. */
static int write_ready(struct run *r, struct error *e)
{
    for (; r->written < r->items; r->written++) {
        struct item *i = &r->item[r->written];
        if (i->projection && !i->done)
            return 0;
        if (i->projection ? tensor_write(&i->store.tensor, i->json, r->out, e)
                          : run_write_copy(r, i->json, i->data, i->bytes, e))
            return -1;
        tensor_store_free(&i->store);
        free(i->data);
        i->data = NULL;
    }
    return 0;
}

/* ---- compressing -------------------------------------------------------------------------------
 */

/* y (probes, panels of rows): the products of a matrix, without its bias, with the inputs x. */
static int outputs(struct run *r, const struct calibrated_site *s, const struct matrix *m,
                   const float *x, float *y, struct error *e)
{
    const size_t ld = m->panels * PANEL;
    if (matrix_product(m, r->c->kernels, r->c->pool, s->probes, x, s->stride, y, ld, e))
        return -1;
    for (size_t i = 0; i < s->probes; i++)
        for (size_t j = 0; j < m->rows; j++)
            y[i * ld + j] -= m->bias[j];
    return 0;
}

static double norm(const float *y, size_t rows, size_t cols, size_t ld)
{
    double sum = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            sum += (double)y[i * ld + j] * (double)y[i * ld + j];
    return sum;
}

/* Puts the compressed matrix in the place of the dense one, and its error into the note. */
static int replace(struct run *r, struct item *i, struct calibrated_site *s, json_t *note,
                   struct error *e)
{
    struct matrix *old = block_matrix(&r->block, i->role, i->expert), new = {0};
    const size_t ld = old->panels * PANEL;
    float *y = memory_new(2 * s->probes, ld * sizeof *y, "outputs of the probes", e);
    size_t zeros;
    int result = -1;
    if (!y)
        return -1;
    float *z = y + s->probes * ld;
    if (outputs(r, s, old, s->probe, y, e))
        goto out;
    const double whole = norm(y, s->probes, old->rows, ld);
    if (matrix_pack(&new, &i->store.tensor, r->c->pool, e))
        goto out;
    memcpy(new.bias, old->bias, ld * sizeof *new.bias);
    matrix_free(old);
    *old = new;
    if (outputs(r, s, old, s->folded ? s->folded : s->probe, z, e) ||
        tensor_zeros(&i->store.tensor, &zeros, e))
        goto out;
    const float *fold = fold_rows(r, i);
    for (size_t k = 0; k < s->probes; k++)
        for (size_t j = 0; j < old->rows; j++)
            z[k * ld + j] = (fold ? z[k * ld + j] * fold[j] : z[k * ld + j]) - y[k * ld + j];
    for (size_t j = 0; fold && j < old->rows; j++)
        old->bias[j] /= fold[j];
    const double lost = norm(z, s->probes, old->rows, ld);
    const double weights = (double)(i->like.rows * i->like.cols);
    if (json_set(note, "sparsity", json_number((double)zeros / weights), e) ||
        json_set(note, "bits_per_weight", json_number(tensor_bits_per_weight(&i->store.tensor)),
                 e) ||
        (s->probes &&
         json_set(note, "error", json_number(whole > 0 ? sqrt(lost / whole) : 0), e)) ||
        json_set(note, "error_tokens", json_integer((json_int_t)s->probes), e))
        goto out;
    if (!isfinite(lost)) {
        error_set(e, "%s: the compressed matrix is not finite", i->name);
        goto out;
    }
    if (lost > whole)
        cli_warn(r->c->cli, "%s: the error of its output is larger than the output (%.3g times)",
                 i->name, sqrt(lost / whole));
    result = 0;
out:
    free(y);
    return result;
}

struct unpacking {
    const struct matrix *m;
    float *w;
    size_t ld;
    _Atomic size_t bad;
};

static void unpack_panel(void *context, size_t p, long thread)
{
    struct unpacking *u = context;
    (void)thread;
    for (size_t r = p * PANEL; r < (p + 1) * PANEL && r < u->m->rows; r++) {
        float *w = u->w + r * u->ld;
        matrix_row(u->m, r, w);
        for (size_t j = 0; j < u->m->cols; j++)
            if (!isfinite(w[j]))
                atomic_store(&u->bad, r + 1);
    }
}

static int compress_item(struct run *r, struct item *i, struct error *e)
{
    struct calibrated *c = r->c;
    const struct matrix *m = block_matrix(&r->block, i->role, i->expert);
    struct calibrated_site *s = &r->site[run_site(i)];
    const double start = timings_now();
    struct unpacking u = {m, NULL, sweep_stride(m->cols), 0};
    int result = -1;
    json_t *note = json_pack("{s:s}", "program", c->cli->name);
    if (!note)
        return error_set(e, "no memory for a record");
    if (s->unseen && fallback_take(&c->options->fallbacks, i->name, note, e,
                                   "no calibration token comes here, so all inputs count alike"))
        goto out;
    if (c->ready && c->ready(c, s, e)) {
        error_prefix(e, "%s", i->name);
        goto out;
    }
    u.w = memory_new(m->rows, u.ld * sizeof *u.w, "a weight matrix", e);
    if (!u.w)
        goto out;
    pool_run(c->pool, m->panels, unpack_panel, &u);
    if (atomic_load(&u.bad)) {
        error_set(e, "%s: row %zu is not finite; repair the checkpoint", i->name,
                  atomic_load(&u.bad) - 1);
        goto out;
    }
    fold_matrix(u.w, u.ld, m->rows, m->cols, s->fold, fold_rows(r, i));
    struct calibrated_layer l = {.like = &i->like,
                                 .role = i->role,
                                 .block = r->layer,
                                 .w = u.w,
                                 .pruned = i->pruned,
                                 .site = s,
                                 .note = note};
    if (c->compress(c, &l, &i->store, e)) {
        error_prefix(e, "%s", i->name);
        goto out;
    }
    free(u.w);
    u.w = NULL;
    if (replace(r, i, s, note, e) || filter_note(i->json, json_incref(note), e))
        goto out;
    i->done = true;
    if (write_ready(r, e))
        goto out;
    result = timings_add(r->timings, json_pack("{s:s, s:f}", "tensor", i->name, "seconds",
                                               timings_now() - start), e);
out:
    free(u.w);
    json_decref(note);
    return result;
}

/* One round: measures the inputs of the active sites, compresses what lies behind them. */
static int round_run(struct run *r, bool first, struct error *e)
{
    int result = -1;
    double start = timings_now();
    for (size_t i = 0; i < r->sites; i++)
        if (r->active[i] && site_new(r, i, e))
            goto out;
    if (measure_block(r, first ? MEASURE_FIRST : MEASURE_MORE, e))
        goto out;
    for (size_t i = 0; i < r->sites; i++)
        if (r->active[i])
            site_measured(r, i);
    r->seconds[0] += timings_now() - start;
    start = timings_now();
    if (fold_block(r, e))
        goto out;
    for (size_t s = 0; s < r->sites; s++) {
        for (size_t i = 0; r->active[s] && i < r->items; i++)
            if (r->item[i].projection && run_site(&r->item[i]) == s &&
                compress_item(r, &r->item[i], e))
                goto out;
        if (!r->c->prepare) /* else a later fold is still needed */
            site_free(&r->site[s]);
    }
    r->seconds[1] += timings_now() - start;
    result = 0;
out:
    for (size_t i = 0; i < r->sites; i++)
        site_free(&r->site[i]);
    return result;
}

/* Says at once what a block's outputs have lost; loudly, where that is far more than before. */
static void tell_error(struct run *r)
{
    const struct cli *c = r->c->cli;
    const double error = measure_error(r);
    if (r->layer ? error > JUMP * r->worst && error > SMALL : error > 1)
        cli_warn(c, "block %zu: its output is off by %.3g times what it adds%s%.3g", r->layer, error,
                 r->layer ? "; blocks before by at most " : ", against a limit of ",
                 r->layer ? r->worst : 1.0);
    else
        cli_note(c, "block %zu: its output is off by %.3g times what it adds", r->layer, error);
    r->worst = error > r->worst ? error : r->worst;
}

static int compress_block(struct run *r, struct error *e)
{
    const size_t rounds = r->c->options->sequential ? SITE_KINDS : 1;
    memset(r->seconds, 0, sizeof r->seconds);
    for (size_t n = 0; n < rounds; n++) {
        memset(r->active, 0, r->sites * sizeof *r->active);
        for (size_t i = 0; i < r->items; i++) {
            const size_t site = r->item[i].projection ? run_site(&r->item[i]) : 0;
            if (r->item[i].projection && (rounds == 1 || site_kind(site) == n))
                r->active[site] = true;
        }
        if (round_run(r, n == 0, e))
            return -1;
    }
    return write_ready(r, e);
}

static int block_run(struct run *r, struct error *e)
{
    const bool last = r->layer + 1 == r->c->model.layers;
    const int there = part_take_block(r, e);
    if (there < 0)
        return -1;
    r->probed = !there;
    if (!there && compress_block(r, e))
        return -1;
    const double start = timings_now();
    if (!(there && last) && measure_block(r, last ? MEASURE_ERROR : MEASURE_PASS_ON, e))
        return -1;
    r->seconds[2] = timings_now() - start;
    if (!there) {
        tell_error(r);
        if (part_save(r, e) ||
            timings_add(r->timings,
                        json_pack("{s:I, s:f, s:f, s:f}", "block", (json_int_t)r->layer, "measuring",
                                  r->seconds[0], "compressing", r->seconds[1], "passing", r->seconds[2]),
                        e))
            return -1;
    }
    items_free(r);
    block_free(&r->block);
    r->layer++;
    return 0;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What is held while inputs are measured, while a factor is made, and while a matrix is compressed:
 * the most of these, beside a block of `width` bytes a weight. */
static int estimate(struct run *r, uint64_t width, size_t *limit, struct error *e)
{
    const struct model *m = &r->c->model;
    const size_t inner = m->shared_inner > m->intermediate ? m->shared_inner : m->intermediate;
    size_t batch = 0, cached = 0, widest = 0;
    for (size_t i = 0; i < r->set.count;) {
        const size_t n = measure_batch(r, i), rows = r->row[i + n] - r->row[i];
        size_t sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += cache_bytes(m, r->set.sample[i + j].count);
        r->caches = n > r->caches ? n : r->caches;
        cached = sum > cached ? sum : cached;
        batch = rows > batch ? rows : batch;
        i += n;
    }
    uint64_t bytes = model_parameters(m, true) / m->layers * width + cached;
    bytes += batch * forward_stride(m) * sizeof(float);
    bytes += forward_bytes(m, batch, r->set.longest, r->c->cli->threads);
    uint64_t measured = 0, held = 0;
    for (size_t i = 0; i < r->sites; i++) {
        const size_t n = site_columns(r, i);
        measured += r->c->statistic == STATISTIC_HESSIAN ? hessian_bytes(n) : 8 * n;
        held += (PROBES + r->set.longest) * panel_size(n) * sizeof(float);
        widest = n > widest ? n : widest;
    }
    const uint64_t matrix = m->hidden * inner * (width + r->c->matrix_bytes);
    uint64_t most = measured + held;
    if (r->c->statistic == STATISTIC_HESSIAN) { /* half of it, once it is settled */
        const bool f64 = r->c->options->f64;
        const enum factor_precision precision = f64 ? FACTOR_F64 : FACTOR_F32;
        const uint64_t own = hessian_bytes(widest) / 2, factor = factor_bytes(widest, precision);
        bytes += (uint64_t)r->c->cli->threads * hessian_room(r->set.longest);
        most = larger(most, measured / 2 + factor_bytes(m->hidden, precision) / 2 + matrix);
        most = larger(most, f64 ? own + factor : larger(own + factor / 2, factor));
        most = larger(most, factor / 2 + matrix);
    }
    /* What is being written, and the frames of both streams. */
    bytes += most + m->hidden * inner * width + ((uint64_t)24 << 20);
    const uint64_t rows = (uint64_t)r->row[r->set.count] * forward_stride(m) * sizeof(float);
    *limit = SPILL;
    if (r->c->cli->mem_max)
        *limit = r->c->cli->mem_max > bytes && r->c->cli->mem_max - bytes < SPILL
                     ? (size_t)(r->c->cli->mem_max - bytes)
                     : SPILL;
    r->dense_x = memory_new(batch, forward_stride(m) * sizeof *r->dense_x, "activations", e);
    if (!r->dense_x)
        return -1;
    if (r->c->statistic == STATISTIC_HESSIAN &&
        !(r->room = memory_new((size_t)r->c->cli->threads, hessian_room(r->set.longest),
                               "a calibration sample", e)))
        return -1;
    return cli_memory(r->c->cli, bytes + (rows > *limit ? 0 : rows), e);
}

/* Draws the calibration set and makes room for its activations. */
static int prepare(struct run *r, const struct tensor *embedding, struct error *e)
{
    const struct model *m = &r->c->model;
    size_t limit;
    const struct calibration_options *o = &r->c->options->calibration;
    if (calibration_read(&r->set, o, m, r->tokenizer, e))
        return -1;
    cli_note(r->c->cli, "%zu calibration samples, %zu tokens", r->set.count, r->set.tokens);
    if (r->set.passed_over)
        cli_note(r->c->cli, "%zu documents of exactly the sample's length were passed over",
                 r->set.passed_over);
    if (r->set.ids && r->set.count < (size_t)o->samples)
        cli_note(r->c->cli, "there are %zu rows of ids, fewer than -n %ld", r->set.count,
                 o->samples);
    r->row = memory_new(r->set.count + 1, sizeof *r->row, "samples", e);
    if (!r->row)
        return -1;
    for (size_t i = 0; i < r->set.count; i++)
        r->row[i + 1] = r->row[i] + r->set.sample[i].count;
    r->step = (r->row[r->set.count] + PROBES - 1) / PROBES;
    const uint64_t width =
        values_size(embedding->values == VALUES_INT ? VALUES_F32 : embedding->values);
    if (estimate(r, width, &limit, e) || forward_new(&r->forward, m, r->c->pool, e) ||
        spill_new(&r->x, r->row[r->set.count], forward_stride(m) * sizeof(float), limit, e))
        return -1;
    r->c->kernels = forward_kernels(r->forward);
    r->cache = memory_new(r->caches, sizeof *r->cache, "samples", e);
    r->part = memory_new(r->caches, sizeof *r->part, "samples", e);
    r->probe_in = memory_new(PROBES, forward_stride(m) * sizeof(float), "probes", e);
    r->probe_out = memory_new(PROBES, forward_stride(m) * sizeof(float), "probes", e);
    return r->cache && r->part && r->probe_in && r->probe_out ? 0 : -1;
}

/* A tensor before the blocks, applied to all samples as it comes. */
static int enter(struct run *r, enum model_role role, const struct tensor *t, struct error *e)
{
    const size_t stride = forward_stride(&r->c->model);
    enum model_role want;
    char usual[160];
    size_t layer;
    model_tensor_at(&r->c->model, r->entered, &want, &layer, usual, sizeof usual);
    if (role != want)
        return error_set(e, "%s: the tensors are not in forward order, %s comes first", t->name,
                         usual);
    if (r->entered == 0 && prepare(r, t, e))
        return -1;
    struct entry *list = memory_new(r->set.count, sizeof *list, "samples", e);
    if (!list)
        return -1;
    for (size_t i = 0; i < r->set.count; i++)
        list[i] = (struct entry){r->set.sample[i].ids, 0, r->set.sample[i].count,
                                 (float *)r->x.data + r->row[i] * stride};
    const int result = forward_enter(r->forward, role, t, NULL, list, r->set.count, e);
    free(list);
    r->entered++;
    r->embedded = r->entered == model_tensors_before(&r->c->model);
    return result;
}

/* True if a step removed weights. */
static bool was_pruned(const struct tensor *t, const json_t *record)
{
    const json_t *note;
    size_t i;
    json_array_foreach(json_object_get(record, "compression"), i, note)
        if (!strncmp(json_get_string_or(note, "program", ""), "prune-", 6))
            return true;
    return t->mask != MASK_NONE;
}

static int take_projection(struct run *r, struct item *i, const struct tensor *t,
                           const struct stream_record *record, struct error *e)
{
    if (t->values == VALUES_INT)
        return error_set(e, "%s: is quantized already; %s needs float weights: prune first, then "
                            "quantize once",
                         t->name, r->c->cli->name);
    i->projection = true;
    i->pruned = was_pruned(t, record->json);
    if (!(i->json = filter_extra_keys(record->json, e)))
        return -1;
    i->like = (struct tensor){.name = i->name,
                              .rank = t->rank,
                              .rows = t->rows,
                              .cols = t->cols,
                              .values = t->values};
    memcpy(i->like.shape, t->shape, sizeof t->shape);
    return 0;
}

static int take_copy(struct item *i, const struct stream_record *record, struct error *e)
{
    i->json = json_deep_copy(record->json);
    i->data = memory_new(record->bytes, 1, "a record", e);
    if (!i->json || !i->data)
        return error_set(e, "no memory for a record");
    memcpy(i->data, record->data, record->bytes);
    i->bytes = record->bytes;
    return 0;
}

static int take_tensor(struct run *r, const struct stream_record *record, struct error *e)
{
    struct tensor t;
    enum model_role role;
    size_t layer;
    int result = -1;
    if (tensor_parse(&t, record, e))
        return -1;
    if (model_tensor_role(&r->c->model, t.name, &role, &layer, e) ||
        model_tensor_check(&r->c->model, role, t.name, t.rank, t.shape, e))
        goto out;
    if (model_role_is_before(role) || model_role_is_after(role) ||
        (role == ROLE_IGNORED && r->items == 0)) {
        if (model_role_is_before(role) && enter(r, role, &t, e))
            goto out;
        result = run_write_copy(r, record->json, record->data, record->bytes, e);
        goto out;
    }
    struct item *i = item_new(r, e);
    if (!i)
        goto out;
    if (!(i->name = strdup(t.name))) {
        error_set(e, "no memory for a record");
        goto out;
    }
    i->role = role;
    i->expert = run_expert(r, role, model_tensor_expert(t.name));
    if (role == ROLE_IGNORED) {
        result = take_copy(i, record, e);
        goto out;
    }
    if (!r->embedded || layer != r->layer) {
        error_set(e, "%s: the tensors are not in forward order", t.name);
        goto out;
    }
    const bool wanted =
        model_role_is_projection(role) && !(r->c->skips && r->c->skips(r->c, t.name));
    if (block_take(&r->block, role, &t, r->c->pool, e) ||
        (wanted ? take_projection(r, i, &t, record, e) : take_copy(i, record, e)))
        goto out;
    result = 0;
out:
    tensor_free(&t);
    if (result || r->block.count < block_tensors(&r->c->model) || !r->items)
        return result;
    stream_release(r->in);
    return block_run(r, e);
}

static int take_record(struct run *r, const struct stream_record *record, struct error *e)
{
    const char *kind = json_get_string_or(record->json, "tokenizer", NULL);
    if (json_object_get(record->json, "tensor"))
        return take_tensor(r, record, e);
    if (kind && !r->tokenizer &&
        tokenizer_new(&r->tokenizer, kind, record->data, record->bytes,
                      json_get_string_or(record->json, "settings", NULL), e))
        return error_prefix(e, "its tokenizer");
    return run_write_copy(r, record->json, record->data, record->bytes, e);
}

static void run_free(struct run *r)
{
    items_free(r);
    free(r->item);
    block_free(&r->block);
    for (size_t i = 0; r->site && i < r->sites; i++)
        site_free(&r->site[i]);
    free(r->site);
    free(r->active);
    for (size_t i = 0; r->cache && i < r->caches; i++)
        cache_free(&r->cache[i]);
    free(r->cache);
    free(r->part);
    free(r->row);
    free(r->dense_x);
    free(r->room);
    free(r->probe_in);
    free(r->probe_out);
    spill_free(&r->x);
    forward_free(r->forward);
    calibration_free(&r->set);
    tokenizer_free(r->tokenizer);
    part_free(r->earlier);
    timings_free(r->timings);
    stream_writer_free(r->out);
    stream_close(r->in);
    output_free(r->output);
}

/* The header of the result: the calibration text is part of its id. */
static json_t *new_header(struct run *r, struct error *e)
{
    const char *path = r->c->options->calibration.path, *key;
    char digest[STREAM_DIGEST_LENGTH];
    json_t *old = stream_header(r->in), *header = NULL, *value;
    json_t *options = cli_options_json(r->c->cli), *sides = NULL;
    if (!path || !strcmp(path, "-"))
        error_usage(e, "-c is needed: a file with a text stream to calibrate on "
                       "(kick ingest-text)");
    else if (!stream_file_digest(path, digest, e))
        sides = json_pack("{s:s}", "calibration", digest);
    if (sides && r->c->sides)
        json_object_update(sides, r->c->sides);
    if (sides)
        header = stream_header_new("model", stream_header_id(r->in), old, r->c->cli->name,
                                   r->c->cli->revision, options, sides, e);
    if (header) {
        json_object_foreach(old, key, value)
            if (!json_object_get(header, key))
                json_object_set(header, key, value);
    }
    json_decref(options);
    json_decref(sides);
    return header;
}

static int start(struct run *r, json_t **header, struct error *e)
{
    struct calibrated *c = r->c;
    if (c->statistic == STATISTIC_HESSIAN && c->options->block % PANEL)
        return error_usage(e, "--block %ld is not a multiple of %d", c->options->block, PANEL);
    c->options->fallbacks.cli = c->cli;
    if (pool_new(&c->pool, c->cli->threads, e) ||
        stream_open(&r->in, cli_input(c->cli), "model", c->pool, e))
        return -1;
    if (model_parse(&c->model, json_object_get(stream_header(r->in), "config"), e))
        return error_prefix(e, "%s: its config", stream_name(r->in));
    if (c->check && c->check(c, e))
        return -1;
    const size_t experts = c->model.experts + (c->model.shared_inner > 0);
    r->sites = site_number(SITE_DOWN, experts ? experts - 1 : 0) + 1;
    r->site = memory_new(r->sites, sizeof *r->site, "what is measured", e);
    r->active = memory_new(r->sites, sizeof *r->active, "what is measured", e);
    return !r->site || !r->active || !(*header = new_header(r, e)) ||
                   timings_open(&r->timings, c->cli, e) ||
                   output_open(&r->output, c->cli->output, e) ||
                   stream_create(&r->out, r->output, *header, c->pool, e) ||
                   part_open(r, *header, e)
               ? -1
               : 0;
}

int calibrated_run(struct calibrated *c, struct error *e)
{
    struct run r = {.c = c};
    struct stream_record record;
    json_t *header = NULL;
    int result = -1, got;
    if (start(&r, &header, e))
        goto out;
    while ((got = stream_next(r.in, &record, e)) == 1)
        if (take_record(&r, &record, e)) {
            error_prefix(e, "%s", stream_name(r.in));
            goto out;
        }
    if (got || stream_done(r.in, e))
        goto out;
    if (r.layer < c->model.layers || r.items) {
        error_set(e, "%s: has %zu of the model's %zu blocks", stream_name(r.in), r.layer,
                  c->model.layers);
        goto out;
    }
    if (stream_finish(r.out, stream_end_digest(r.in), e) || output_commit(r.output, e) ||
        timings_finish(r.timings, e))
        goto out;
    part_remove(&r);
    fallback_tell(&c->options->fallbacks);
    result = 0;
out:
    run_free(&r);
    pool_free(c->pool);
    json_decref(header);
    return result;
}
