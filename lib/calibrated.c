/* Streamed compression with calibration. */
#include "calibrated.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "json.h"
#include "memory.h"
#include "spill.h"
#include "sweep.h"

enum {
    BATCH = 480,  /* rows of short samples that go through a block together */
    PROBES = 256, /* inputs, evenly spread over all tokens, on which errors are measured */
    SITES = 4,
};
static const size_t SPILL = (size_t)1 << 30; /* bytes of activations kept in memory */

static const enum model_role site_role[SITES] = {ROLE_Q, ROLE_O, ROLE_GATE, ROLE_DOWN};

/* A record of the block at hand: as it came, or a projection on its way. */
struct item {
    json_t *json; /* the record; of a projection its further keys */
    unsigned char *data;
    size_t bytes;
    struct tensor like; /* a projection's name and shape; name borrowed from `name` */
    char *name;
    enum model_role role;
    bool projection, pruned, done;
    struct tensor_store store;
};

struct run {
    struct calibrated *c;
    struct stream_reader *in;
    struct stream_writer *out;
    struct tokenizer *tokenizer;
    struct calibration set;
    struct forward *forward;
    struct spill x;     /* (rows, stride): the inputs of the block at hand */
    float *dense_x;     /* (rows of a batch, stride): a copy that goes through the dense block */
    size_t *row;        /* (samples + 1): first row of a sample */
    struct cache *cache;
    struct sequence *part;
    size_t caches;
    size_t entered; /* tensors before the blocks */
    bool embedded;  /* all of them */

    struct item *item;
    size_t items, capacity, written;
    struct block block;
    size_t layer;
    struct calibrated_site site[SITES];
    float *held[SITES]; /* (longest, stride): the rows of a sample that comes in pieces */
    bool active[SITES];
    size_t step; /* every step-th token is a probe */
    uint64_t work; /* samples that went through a block, for the progress */
};

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

static int write_copy(struct run *r, const json_t *json, const void *data, size_t bytes,
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
                          : write_copy(r, i->json, i->data, i->bytes, e))
            return -1;
        tensor_store_free(&i->store);
        free(i->data);
        i->data = NULL;
    }
    return 0;
}

/* ---- measuring ---------------------------------------------------------------------------------
 */

struct squaring {
    struct calibrated_site *site;
    size_t rows, ldx;
    const float *x;
    bool absolute;
};

/* Plain products and sums, bound by memory. */
static void squares_panel(void *context, size_t p, long thread)
{
    const struct squaring *s = context;
    float sum[PANEL] = {0};
    (void)thread;
    for (size_t t = 0; t < s->rows; t++) {
        const float *x = s->x + t * s->ldx + p * PANEL;
        for (size_t j = 0; j < PANEL; j++)
            sum[j] += s->absolute ? fabsf(x[j]) : x[j] * x[j];
    }
    for (size_t j = 0; j < PANEL && p * PANEL + j < s->site->cols; j++)
        s->site->squares[p * PANEL + j] += (double)sum[j];
}

/* One whole sample. */
static int add_sample(struct run *r, struct calibrated_site *s, size_t rows, const float *x,
                      size_t ldx, struct error *e)
{
    struct squaring work = {s, rows, ldx, x, r->c->statistic == STATISTIC_ABSOLUTE};
    s->samples++;
    s->tokens += rows;
    if (r->c->statistic == STATISTIC_HESSIAN)
        return hessian_add(&s->hessian, r->c->kernels, r->c->pool, rows, x, ldx, e);
    pool_run(r->c->pool, panel_size(s->cols) / PANEL, squares_panel, &work);
    return 0;
}

static int see(void *context, enum model_role role, size_t layer, const struct sequence *q,
               size_t position, size_t rows, const float *x, size_t ldx, struct error *e)
{
    struct run *r = context;
    size_t i = 0;
    (void)layer;
    while (i < SITES && site_role[i] != role)
        i++;
    if (i == SITES || !r->active[i])
        return 0;
    struct calibrated_site *s = &r->site[i];
    const size_t token = r->row[q->number] + position, count = r->set.sample[q->number].count;
    for (size_t t = (token + r->step - 1) / r->step * r->step; t < token + rows; t += r->step)
        memcpy(s->probe + s->probes++ * s->stride, x + (t - token) * ldx, s->cols * sizeof *x);
    if (rows == count)
        return add_sample(r, s, rows, x, ldx, e);
    if (!r->held[i]) {
        r->held[i] = memory_new(r->set.longest, s->stride * sizeof *x, "a sample's inputs", e);
        if (!r->held[i])
            return -1;
    }
    for (size_t t = 0; t < rows; t++)
        memcpy(r->held[i] + (position + t) * s->stride, x + t * ldx, s->cols * sizeof *x);
    if (position + rows < count)
        return 0;
    return add_sample(r, s, count, r->held[i], s->stride, e);
}

static void site_free(struct calibrated_site *s)
{
    free(s->squares);
    free(s->order);
    free(s->probe);
    free(s->fold);
    free(s->folded);
    hessian_free(&s->hessian);
    factor_free(&s->factor);
    *s = (struct calibrated_site){0};
}

static int site_new(struct run *r, size_t i, struct error *e)
{
    struct calibrated_site *s = &r->site[i];
    *s = (struct calibrated_site){.cols = model_role_columns(&r->c->model, site_role[i])};
    s->stride = panel_size(s->cols);
    s->probe = memory_new(PROBES, s->stride * sizeof *s->probe, "probes", e);
    if (!s->probe)
        return -1;
    if (r->c->statistic == STATISTIC_HESSIAN)
        return hessian_new(&s->hessian, s->cols, e);
    s->squares = memory_new(s->cols, sizeof *s->squares, "sums of squares", e);
    return s->squares ? 0 : -1;
}

/* ---- running samples through the block ---------------------------------------------------------
 */

static size_t batch_at(const struct run *r, size_t first)
{
    size_t n = 1;
    while (first + n < r->set.count && r->row[first + n + 1] - r->row[first] <= BATCH)
        n++;
    return n;
}

/* With a hook the inputs stay as they are; without one they become the block's outputs. */
static int run_block(struct run *r, const struct forward_hook *hook, struct error *e)
{
    const size_t stride = forward_stride(&r->c->model);
    for (size_t i = 0; i < r->set.count;) {
        const size_t n = batch_at(r, i), rows = r->row[i + n] - r->row[i];
        float *x = (float *)r->x.data + r->row[i] * stride;
        for (size_t j = 0; j < n; j++) {
            r->cache[j].length = 0;
            r->part[j] = (struct sequence){.row = r->row[i + j] - r->row[i],
                                           .count = r->set.sample[i + j].count,
                                           .cache = &r->cache[j],
                                           .number = i + j};
        }
        if (hook) {
            memcpy(r->dense_x, x, rows * stride * sizeof *x);
            x = r->dense_x;
        }
        if (forward_block(r->forward, &r->block, r->layer, x, r->part, n, hook, e))
            return -1;
        i += n;
        r->work += n;
        cli_progress(r->c->cli, r->work,
                     r->set.count * (r->c->model.layers * (r->c->sequential ? 5 : 2) - 1),
                     "samples through a block");
    }
    return 0;
}

/* ---- compressing -------------------------------------------------------------------------------
 */

static size_t site_of(enum model_role role)
{
    size_t i = 0;
    while (i + 1 < SITES && site_role[i] != model_role_input(role))
        i++;
    return i;
}

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

/* The scales by which a matrix's own outputs were divided for what follows, or NULL. */
static const float *row_fold(const struct run *r, enum model_role role)
{
    return role == ROLE_V ? r->site[1].fold : role == ROLE_UP ? r->site[3].fold : NULL;
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
    struct matrix *old = &r->block.matrix[i->role], new = {0};
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
    const float *fold = row_fold(r, i->role);
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
        json_set(note, "error", json_number(whole > 0 ? sqrt(lost / whole) : 0), e) ||
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

/* Columns times what their inputs are divided by, rows divided by what follows is multiplied by. */
static void fold_matrix(float *w, size_t ld, size_t rows, size_t cols, const float *in,
                        const float *out)
{
    for (size_t r = 0; (in || out) && r < rows; r++, w += ld)
        for (size_t j = 0; j < cols; j++) {
            w[j] = in ? w[j] * in[j] : w[j];
            w[j] = out ? w[j] / out[r] : w[j];
        }
}

/* A vector of the block divided by fold, in f32: its record and what the block computes with.
 * plus: what counts is plus + v. */
static int fold_vector(struct run *r, enum model_role role, float plus, const float *fold,
                       struct error *e)
{
    for (size_t i = 0; fold && i < r->items; i++) {
        struct item *item = &r->item[i];
        if (item->projection || item->role != role)
            continue;
        const struct stream_record record = {item->json, item->data, item->bytes};
        struct tensor t;
        if (tensor_parse(&t, &record, e))
            return -1;
        const size_t n = t.rows * t.cols;
        float *v = memory_new(n, sizeof *v, "a vector", e);
        if (!v) {
            tensor_free(&t);
            return -1;
        }
        for (size_t k = 0; k < t.rows; k++)
            tensor_row(&t, k, v + k * t.cols);
        tensor_free(&t);
        for (size_t k = 0; k < n; k++) {
            v[k] = (v[k] + plus) / fold[k] - plus;
            if (r->block.vector[role])
                r->block.vector[role][k] = v[k];
        }
        free(item->data);
        item->data = (unsigned char *)v;
        item->bytes = n * sizeof *v;
        if (json_set(item->json, "values", json_string("f32"), e))
            return -1;
    }
    return 0;
}

/* True where what produces a site's input is linear in each channel and goes nowhere else. */
static bool can_fold(const struct model *m, size_t site)
{
    switch (site) {
    case 1:
        return m->heads == m->kv_heads && model_has_role(m, ROLE_V);
    case 3:
        return m->gated && model_has_role(m, ROLE_UP);
    default:
        return m->norm_weights && m->place != PLACE_AFTER;
    }
}

/* Asks the method for the folds of all sites and changes the vectors that they reach. */
static int fold_block(struct run *r, struct error *e)
{
    enum { MOST = 4 };
    static const enum model_role behind[SITES][MOST] = {
        {ROLE_Q, ROLE_K, ROLE_V, ROLE_QKV}, {ROLE_O}, {ROLE_GATE, ROLE_UP, ROLE_GATE_UP}, {ROLE_DOWN}};
    static const char *const name[SITES] = {"norm and q, k, v", "v and o", "norm and MLP",
                                            "up and down"};
    const struct model *m = &r->c->model;
    const float plus = m->norm == NORM_RMS_PLUS_ONE ? 1 : 0;
    if (!r->c->prepare)
        return 0;
    for (size_t i = 0; i < SITES; i++) {
        struct calibrated_site *s = &r->site[i];
        const struct matrix *list[MOST];
        size_t count = 0;
        if (!can_fold(m, i)) {
            if (r->layer == 0)
                cli_note(r->c->cli, "no scale between %s: no factor can pass there", name[i]);
            continue;
        }
        for (size_t k = 0; k < MOST; k++) /* the embedding's role, 0, is no block's matrix */
            if (r->block.matrix[behind[i][k]].rows)
                list[count++] = &r->block.matrix[behind[i][k]];
        if (r->c->prepare(r->c, s, list, count, e))
            return -1;
        s->folded = memory_new(s->probes, s->stride * sizeof *s->folded, "probes", e);
        if (!s->folded)
            return -1;
        for (size_t t = 0; t < s->probes; t++)
            for (size_t j = 0; j < s->cols; j++)
                s->folded[t * s->stride + j] = s->probe[t * s->stride + j] / s->fold[j];
    }
    return fold_vector(r, ROLE_ATTENTION_NORM, plus, r->site[0].fold, e) ||
                   fold_vector(r, ROLE_ATTENTION_NORM_BIAS, 0, r->site[0].fold, e) ||
                   fold_vector(r, ROLE_V_BIAS, 0, r->site[1].fold, e) ||
                   fold_vector(r, ROLE_MLP_NORM, plus, r->site[2].fold, e) ||
                   fold_vector(r, ROLE_MLP_NORM_BIAS, 0, r->site[2].fold, e) ||
                   fold_vector(r, ROLE_UP_BIAS, 0, r->site[3].fold, e)
               ? -1
               : 0;
}

static int compress_item(struct run *r, struct item *i, struct error *e)
{
    struct calibrated *c = r->c;
    const struct matrix *m = &r->block.matrix[i->role];
    struct calibrated_site *s = &r->site[site_of(i->role)];
    struct unpacking u = {m, NULL, sweep_stride(m->cols), 0};
    int result = -1;
    json_t *note = json_pack("{s:s}", "program", c->cli->name);
    if (!note)
        return error_set(e, "no memory for a record");
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
    fold_matrix(u.w, u.ld, m->rows, m->cols, s->fold, row_fold(r, i->role));
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
    result = write_ready(r, e);
out:
    free(u.w);
    json_decref(note);
    return result;
}

/* One round: measures the inputs of the active sites, compresses what lies behind them. */
static int round_run(struct run *r, struct error *e)
{
    const struct forward_hook hook = {see, r};
    int result = -1;
    for (size_t i = 0; i < SITES; i++)
        if (r->active[i] && site_new(r, i, e))
            goto out;
    if (run_block(r, &hook, e))
        goto out;
    for (size_t i = 0; i < SITES; i++) {
        free(r->held[i]);
        r->held[i] = NULL;
        free(r->site[i].hessian.turned);
        r->site[i].hessian.turned = NULL;
        r->site[i].hessian.room = 0;
    }
    if (fold_block(r, e))
        goto out;
    for (size_t s = 0; s < SITES; s++) {
        for (size_t i = 0; r->active[s] && i < r->items; i++)
            if (r->item[i].projection && site_of(r->item[i].role) == s &&
                compress_item(r, &r->item[i], e))
                goto out;
        if (!r->c->prepare) /* else a later fold is still needed */
            site_free(&r->site[s]);
    }
    result = 0;
out:
    for (size_t i = 0; i < SITES; i++)
        site_free(&r->site[i]);
    return result;
}

static int block_run(struct run *r, struct error *e)
{
    const size_t rounds = r->c->sequential ? SITES : 1;
    for (size_t n = 0; n < rounds; n++) {
        for (size_t i = 0; i < SITES; i++)
            r->active[i] = rounds == 1 || i == n;
        if (round_run(r, e))
            return -1;
    }
    if (r->layer + 1 < r->c->model.layers && run_block(r, NULL, e))
        return -1;
    if (write_ready(r, e))
        return -1;
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
    const size_t cols[SITES] = {m->hidden, m->heads * m->head_dim, m->hidden, m->intermediate};
    size_t batch = 0, cached = 0, widest = 0;
    for (size_t i = 0; i < r->set.count;) {
        const size_t n = batch_at(r, i), rows = r->row[i + n] - r->row[i];
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
    uint64_t hessians = 0;
    for (size_t i = 0; i < SITES; i++) {
        hessians += r->c->statistic == STATISTIC_HESSIAN ? hessian_bytes(cols[i]) : 8 * cols[i];
        widest = cols[i] > widest ? cols[i] : widest;
    }
    const uint64_t matrix = m->hidden * m->intermediate * (width + r->c->matrix_bytes);
    uint64_t most = larger(hessians + 2 * (uint64_t)r->set.longest * widest * sizeof(float),
                           hessians + matrix);
    if (r->c->statistic == STATISTIC_HESSIAN) {
        most = larger(most, hessians + factor_bytes(m->hidden));
        most = larger(most, hessian_bytes(widest) / 2 + factor_bytes(widest));
        most = larger(most, factor_bytes(widest) / 2 + matrix);
    }
    /* The reader's last record, what is being written, and the frames of both streams. */
    bytes += most + 2 * m->hidden * m->intermediate * width + ((uint64_t)16 << 20);
    const uint64_t rows = (uint64_t)r->row[r->set.count] * forward_stride(m) * sizeof(float);
    *limit = SPILL;
    if (r->c->cli->mem_max)
        *limit = r->c->cli->mem_max > bytes && r->c->cli->mem_max - bytes < SPILL
                     ? (size_t)(r->c->cli->mem_max - bytes)
                     : SPILL;
    r->dense_x = memory_new(batch, forward_stride(m) * sizeof *r->dense_x, "activations", e);
    if (!r->dense_x)
        return -1;
    return cli_memory(r->c->cli, bytes + (rows > *limit ? 0 : rows), e);
}

/* Draws the calibration set and makes room for its activations. */
static int prepare(struct run *r, const struct tensor *embedding, struct error *e)
{
    const struct model *m = &r->c->model;
    size_t limit;
    if (calibration_read(&r->set, r->c->calibration, m, r->tokenizer, e))
        return -1;
    cli_note(r->c->cli, "%zu calibration samples, %zu tokens", r->set.count, r->set.tokens);
    if (r->set.passed_over)
        cli_note(r->c->cli, "%zu documents of exactly the sample's length were passed over",
                 r->set.passed_over);
    if (r->set.ids && r->set.count < (size_t)r->c->calibration->samples)
        cli_note(r->c->cli, "there are %zu rows of ids, fewer than -n %ld", r->set.count,
                 r->c->calibration->samples);
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
    return r->cache && r->part ? 0 : -1;
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
    static const char *const made[] = {"tensor", "shape", "values", "mask", "n", "m", "bytes"};
    if (t->values == VALUES_INT)
        return error_set(e, "%s: is quantized already; %s needs float weights: prune first, then "
                            "quantize once",
                         t->name, r->c->cli->name);
    i->projection = true;
    i->pruned = was_pruned(t, record->json);
    i->json = json_deep_copy(record->json);
    i->name = strdup(t->name);
    if (!i->json || !i->name)
        return error_set(e, "no memory for a record");
    for (size_t j = 0; j < sizeof made / sizeof *made; j++)
        json_object_del(i->json, made[j]);
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
        result = write_copy(r, record->json, record->data, record->bytes, e);
        goto out;
    }
    struct item *i = item_new(r, e);
    if (!i)
        goto out;
    if (role == ROLE_IGNORED) {
        result = take_copy(i, record, e);
        goto out;
    }
    if (!r->embedded || layer != r->layer) {
        error_set(e, "%s: the tensors are not in forward order", t.name);
        goto out;
    }
    i->role = role;
    if (block_take(&r->block, role, &t, r->c->pool, e) ||
        (model_role_is_projection(role) ? take_projection(r, i, &t, record, e)
                                        : take_copy(i, record, e)))
        goto out;
    result = r->block.count < block_tensors(&r->c->model) ? 0 : block_run(r, e);
out:
    tensor_free(&t);
    return result;
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
    return write_copy(r, record->json, record->data, record->bytes, e);
}

static void run_free(struct run *r)
{
    items_free(r);
    free(r->item);
    block_free(&r->block);
    for (size_t i = 0; i < SITES; i++) {
        site_free(&r->site[i]);
        free(r->held[i]);
    }
    for (size_t i = 0; r->cache && i < r->caches; i++)
        cache_free(&r->cache[i]);
    free(r->cache);
    free(r->part);
    free(r->row);
    free(r->dense_x);
    spill_free(&r->x);
    forward_free(r->forward);
    calibration_free(&r->set);
    tokenizer_free(r->tokenizer);
}

/* The header of the result: the calibration text is part of its id. */
static json_t *new_header(struct run *r, struct error *e)
{
    const char *path = r->c->calibration->path, *key;
    char digest[STREAM_DIGEST_LENGTH];
    json_t *old = stream_header(r->in), *header = NULL, *value;
    json_t *options = cli_options_json(r->c->cli), *sides = NULL;
    if (!path || !strcmp(path, "-"))
        error_usage(e, "-c is needed: a file with a text stream to calibrate on "
                       "(kick ingest-text)");
    else if (!stream_file_digest(path, digest, e))
        sides = json_pack("{s:s}", "calibration", digest);
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

int calibrated_run(struct calibrated *c, struct error *e)
{
    struct run r = {.c = c};
    struct output *output = NULL;
    struct stream_record record;
    json_t *header = NULL;
    int result = -1, got;
    if (pool_new(&c->pool, c->cli->threads, e) ||
        stream_open(&r.in, cli_input(c->cli), "model", c->pool, e))
        goto out;
    if (model_parse(&c->model, json_object_get(stream_header(r.in), "config"), e)) {
        error_prefix(e, "%s: its config", stream_name(r.in));
        goto out;
    }
    if (c->model.experts) {
        error_set(e, "%s: %s does not calibrate mixtures of experts; prune-magnitude and "
                     "quantize-rtn need no calibration",
                  stream_name(r.in), c->cli->name);
        goto out;
    }
    header = new_header(&r, e);
    if (!header || output_open(&output, c->cli->output, e) ||
        stream_create(&r.out, output, header, c->pool, e))
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
    if (stream_finish(r.out, stream_end_digest(r.in), e) || output_commit(output, e))
        goto out;
    result = 0;
out:
    run_free(&r);
    stream_writer_free(r.out);
    stream_close(r.in);
    output_free(output);
    pool_free(c->pool);
    json_decref(header);
    return result;
}

/* ---- for the methods ---------------------------------------------------------------------------
 */

int calibrated_floats(const struct calibrated_layer *l, enum tensor_encoding encoding, int n, int m,
                      struct tensor_store *out, struct error *e)
{
    const struct tensor *like = l->like;
    const size_t width = values_size(like->values);
    unsigned char *dense = memory_new(like->rows * like->cols, width, "a tensor", e);
    size_t slot = 0;
    if (!dense)
        return -1;
    for (size_t r = 0; r < like->rows; r++)
        values_from_f32(like->values, l->w + r * sweep_stride(like->cols), like->cols,
                        dense + r * like->cols * width);
    if (tensor_encode(out, like, like->values, dense, encoding, n, m, e)) {
        free(dense);
        return -1;
    }
    if (out->tensor.data != dense) {
        free(dense);
        return 0;
    }
    while (out->memory[slot])
        slot++;
    out->memory[slot] = dense;
    return 0;
}

/* A copy that the store owns. */
static void *keep(struct tensor_store *s, const void *data, size_t bytes, struct error *e)
{
    size_t slot = 0;
    while (s->memory[slot])
        slot++;
    s->memory[slot] = memory_new(bytes, 1, "a tensor", e);
    if (s->memory[slot])
        memcpy(s->memory[slot], data, bytes);
    return s->memory[slot];
}

int calibrated_codes(const struct calibrated_layer *l, int bits, size_t groups, size_t group,
                     const uint8_t *codes, const float *scale, const uint8_t *zero,
                     const int32_t *g_idx, struct tensor_store *out, struct error *e)
{
    const struct tensor *like = l->like;
    const size_t weights = like->rows * like->cols, count = like->rows * groups;
    struct tensor_store masked = {0};
    struct tensor shape = *like;
    int result = -1;
    if (l->pruned) {
        /* The mask is that of the weights as floats; it pays where it saves more codes than bits. */
        if (calibrated_floats(l, ENCODING_AUTO, 0, 0, &masked, e))
            return -1;
        if (masked.tensor.mask != MASK_NONE &&
            (weights - masked.tensor.kept) * (size_t)bits > weights)
            shape = masked.tensor;
    }
    if (tensor_encode_int(out, &shape, bits, group, codes, scale, zero, e))
        goto out;
    out->tensor.scale = keep(out, scale, count * sizeof *scale, e);
    out->tensor.zero = keep(out, zero, count, e);
    out->tensor.g_idx = g_idx ? keep(out, g_idx, like->cols * sizeof *g_idx, e) : NULL;
    if (shape.mask != MASK_NONE)
        out->tensor.mask_bits = keep(out, shape.mask_bits, like->rows * ((like->cols + 7) / 8), e);
    if (out->tensor.scale && out->tensor.zero && (!g_idx || out->tensor.g_idx) &&
        (shape.mask == MASK_NONE || out->tensor.mask_bits))
        result = 0;
    out->tensor.name = like->name;
out:
    tensor_store_free(&masked);
    if (result)
        tensor_store_free(out);
    return result;
}

struct ranked {
    float value;
    uint32_t column;
};

/* Descending, equals by column. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->column < y->column ? -1 : 1;
}

/* The columns by descending diagonal of H, in which dead ones count as 1. */
static int sort_columns(struct calibrated_site *s, struct error *e)
{
    struct ranked *list = memory_new(s->cols, sizeof *list, "an order of columns", e);
    s->order = memory_new(s->cols, sizeof *s->order, "an order of columns", e);
    if (list && s->order) {
        for (size_t i = 0; i < s->cols; i++) {
            const float d = hessian_at(&s->hessian, i, i);
            list[i] = (struct ranked){d == 0 ? 1 : d, (uint32_t)i};
        }
        qsort(list, s->cols, sizeof *list, compare_ranked);
        for (size_t i = 0; i < s->cols; i++)
            s->order[i] = list[i].column;
    }
    free(list);
    return s->order ? 0 : -1;
}

int calibrated_factor(struct calibrated *c, struct calibrated_site *s, double damping,
                      enum factor_precision precision, bool by_diagonal, struct error *e)
{
    if (s->factor.panel)
        return 0;
    hessian_settle(&s->hessian);
    if ((by_diagonal && sort_columns(s, e)) ||
        factor_new(&s->factor, &s->hessian, s->order, damping, precision, c->kernels, c->pool, e))
        return -1;
    hessian_free(&s->hessian);
    return 0;
}

int calibrated_factor_note(struct calibrated_layer *l, struct error *e)
{
    const struct factor *f = &l->site->factor;
    return json_set(l->note, "damping", json_number(f->damping), e) ||
                   (f->f64 && json_set(l->note, "factor", json_string("f64"), e)) ||
                   (f->dead_count && json_set(l->note, "dead_columns",
                                              json_integer((json_int_t)f->dead_count), e))
               ? -1
               : 0;
}
