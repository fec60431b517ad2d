/* The forward pass: norms, projections, attention, MLP or a mixture of them, over chunks of rows so
 * that working memory follows the chunk and never the context. */
#include "forward.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "fmath.h"
#include "memory.h"

enum {
    CHUNK = 576, /* rows that pass through a block at once: three tiles of a product */
    ROWS = 8,    /* rows of one piece of row-wise work */
    SCORE = 192, /* rows of logits at once */
};

/* Floats of a row in the buffers; 0: the model needs none. */
struct widths {
    size_t n, other, q, kv, wide, gate, up, router;
};

/* One of the experts that a row goes to. */
struct route {
    size_t expert;
    float weight;
};

struct forward {
    const struct model *m;
    const struct kernels *k;
    struct pool *pool;
    struct rope rope;
    struct attention_scratch attention;
    struct widths width; /* in whole panels */
    size_t rows;         /* that the buffers hold */
    float *n, *other;    /* inputs and outputs of the parts of a block */
    float *q, *kv[2], *wide, *gate, *up; /* wide: the outputs of a fused matrix */
    float *router, *gathered, *given;    /* scores of experts; one expert's inputs and outputs */
    struct route *route;                 /* (rows, experts_used), experts ascending */
    size_t *row;                         /* (rows): which rows an expert gets, */
    float *row_weight;                   /* and their weights */
    struct sequence *part;               /* (rows): the sequences of a chunk */
    float *logits;                       /* (SCORE, vocab) */
    float *weight, *ones, *zeros;        /* (stride): of norms */
    float *final_bias, *head_bias;
    struct matrix project_out;
};

/* ---- weights -----------------------------------------------------------------------------------
 */

static enum model_role bias_of(enum model_role role)
{
    switch (role) {
    case ROLE_Q_BIAS:
        return ROLE_Q;
    case ROLE_K_BIAS:
        return ROLE_K;
    case ROLE_V_BIAS:
        return ROLE_V;
    case ROLE_O_BIAS:
        return ROLE_O;
    case ROLE_GATE_BIAS:
        return ROLE_GATE;
    case ROLE_UP_BIAS:
        return ROLE_UP;
    case ROLE_DOWN_BIAS:
        return ROLE_DOWN;
    case ROLE_QKV_BIAS:
        return ROLE_QKV;
    default:
        return ROLE_COUNT;
    }
}

struct matrix *block_matrix(struct block *b, enum model_role role, size_t expert)
{
    switch (role) {
    case ROLE_EXPERT_GATE:
        return &b->expert[expert].gate;
    case ROLE_EXPERT_UP:
        return &b->expert[expert].up;
    case ROLE_EXPERT_DOWN:
        return &b->expert[expert].down;
    default:
        return &b->matrix[role];
    }
}

static int take_expert(struct block *b, enum model_role role, const struct tensor *t,
                       struct pool *pool, struct error *e)
{
    const size_t i = model_tensor_expert(t->name);
    if (i >= b->experts) {
        struct expert *list = memory_resize(b->expert, i + 1, sizeof *list, "experts", e);
        if (!list)
            return -1;
        memset(list + b->experts, 0, (i + 1 - b->experts) * sizeof *list);
        b->expert = list;
        b->experts = i + 1;
    }
    struct matrix *m = block_matrix(b, role, i);
    if (m->rows)
        return error_set(e, "%s: the tensor is there twice", t->name);
    if (matrix_pack(m, t, pool, e))
        return error_prefix(e, "%s", t->name);
    b->count++;
    return 0;
}

int block_take(struct block *b, enum model_role role, const struct tensor *t, struct pool *pool,
               struct error *e)
{
    const enum model_role matrix = bias_of(role);
    if (role == ROLE_EXPERT_GATE || role == ROLE_EXPERT_UP || role == ROLE_EXPERT_DOWN)
        return take_expert(b, role, t, pool, e);
    if (b->present[role])
        return error_set(e, "%s: the tensor is there twice", t->name);
    if (matrix != ROLE_COUNT) {
        if (!b->present[matrix])
            return error_set(e, "%s: the bias comes before its matrix", t->name);
        if (matrix_bias(&b->matrix[matrix], t, e))
            return -1;
    } else if (t->rank > 1) {
        if (matrix_pack(&b->matrix[role], t, pool, e))
            return error_prefix(e, "%s", t->name);
    } else {
        b->vector[role] = vector_read(t, e);
        if (!b->vector[role])
            return -1;
    }
    b->present[role] = true;
    b->count++;
    return 0;
}

size_t block_tensors(const struct model *m)
{
    struct model one = *m, two = *m;
    one.layers = 1;
    two.layers = 2;
    return model_tensor_count(&two) - model_tensor_count(&one);
}

void block_free(struct block *b)
{
    for (int i = 0; i < ROLE_COUNT; i++) {
        matrix_free(&b->matrix[i]);
        free(b->vector[i]);
    }
    for (size_t i = 0; i < b->experts; i++) {
        matrix_free(&b->expert[i].gate);
        matrix_free(&b->expert[i].up);
        matrix_free(&b->expert[i].down);
    }
    free(b->expert);
    *b = (struct block){0};
}

/* ---- buffers -----------------------------------------------------------------------------------
 */

size_t forward_stride(const struct model *m)
{
    return row_stride(m->width > m->hidden ? m->width : m->hidden);
}

const struct kernels *forward_kernels(const struct forward *f)
{
    return f->k;
}

static struct widths widths_of(const struct model *m)
{
    const size_t query = m->heads * m->head_dim, key = m->kv_heads * m->head_dim;
    const bool qkv = model_has_role(m, ROLE_QKV), gate_up = model_has_role(m, ROLE_GATE_UP);
    struct widths w = {.n = forward_stride(m)};
    if (m->place == PLACE_PARALLEL || m->experts || m->width != m->hidden)
        w.other = w.n;
    if (!qkv || m->qkv_per_head) {
        w.q = row_stride(query);
        w.kv = row_stride(key);
    }
    if (qkv)
        w.wide = row_stride(query + 2 * key);
    if (gate_up && row_stride(2 * m->intermediate) > w.wide)
        w.wide = row_stride(2 * m->intermediate);
    const size_t inner = m->shared_inner > m->intermediate ? m->shared_inner : m->intermediate;
    if (!gate_up)
        w.up = row_stride(inner);
    if (!gate_up && m->gated)
        w.gate = row_stride(inner);
    if (m->experts)
        w.router = row_stride(m->experts);
    return w;
}

int forward_new(struct forward **out, const struct model *m, struct pool *pool, struct error *e)
{
    enum cpu_level level;
    *out = NULL;
    if (cpu_choose(&level, e))
        return -1;
    struct forward *f = memory_new(1, sizeof *f, "the forward pass", e);
    if (!f)
        return -1;
    f->m = m;
    f->k = kernels_of(level);
    f->pool = pool;
    f->width = widths_of(m);
    f->attention.score =
        memory_new((size_t)pool_threads(pool), sizeof *f->attention.score, "the forward pass", e);
    f->weight = memory_new(f->width.n, 3 * sizeof *f->weight, "the forward pass", e);
    if (!f->attention.score || !f->weight || rope_new(&f->rope, m, e)) {
        forward_free(f);
        return -1;
    }
    f->ones = f->weight + f->width.n;
    f->zeros = f->ones + f->width.n;
    for (size_t i = 0; i < f->width.n; i++)
        f->ones[i] = 1;
    f->attention.threads = (size_t)pool_threads(pool);
    *out = f;
    return 0;
}

static void buffers_free(struct forward *f)
{
    free(f->n);
    free(f->other);
    free(f->q);
    free(f->kv[0]);
    free(f->kv[1]);
    free(f->wide);
    free(f->gate);
    free(f->up);
    free(f->router);
    free(f->gathered);
    free(f->given);
    free(f->route);
    free(f->row);
    free(f->row_weight);
    free(f->part);
    f->n = f->other = f->q = f->kv[0] = f->kv[1] = f->wide = f->gate = f->up = NULL;
    f->router = f->gathered = f->given = f->row_weight = NULL;
    f->route = NULL;
    f->row = NULL;
    f->part = NULL;
    f->rows = 0;
}

void forward_free(struct forward *f)
{
    if (!f)
        return;
    buffers_free(f);
    free(f->logits);
    free(f->weight);
    free(f->final_bias);
    free(f->head_bias);
    matrix_free(&f->project_out);
    rope_free(&f->rope);
    attention_free(&f->attention);
    free(f);
}

static int buffer(float **out, size_t rows, size_t width, struct error *e)
{
    if (width == 0)
        return 0;
    *out = memory_new(rows, width * sizeof **out, "activations of a block", e);
    return *out ? 0 : -1;
}

static int buffers_reserve(struct forward *f, size_t rows, struct error *e)
{
    const struct widths *w = &f->width;
    if (rows > CHUNK)
        rows = CHUNK;
    if (rows <= f->rows)
        return 0;
    buffers_free(f);
    f->part = memory_new(rows, sizeof *f->part, "activations of a block", e);
    if (!f->part || buffer(&f->n, rows, w->n, e) || buffer(&f->other, rows, w->other, e) ||
        buffer(&f->q, rows, w->q, e) || buffer(&f->kv[0], rows, w->kv, e) ||
        buffer(&f->kv[1], rows, w->kv, e) || buffer(&f->wide, rows, w->wide, e) ||
        buffer(&f->gate, rows, w->gate, e) || buffer(&f->up, rows, w->up, e))
        goto fail;
    if (f->m->experts) {
        f->route = memory_new(rows, f->m->experts_used * sizeof *f->route, "routes", e);
        f->row = memory_new(rows, sizeof *f->row, "routes", e);
        f->row_weight = memory_new(rows, sizeof *f->row_weight, "routes", e);
        if (!f->route || !f->row || !f->row_weight || buffer(&f->router, rows, w->router, e) ||
            buffer(&f->gathered, rows, w->n, e) || buffer(&f->given, rows, w->n, e))
            goto fail;
    }
    f->rows = rows;
    return 0;
fail:
    buffers_free(f);
    return -1;
}

size_t forward_bytes(const struct model *m, size_t rows, size_t length, long threads)
{
    const struct widths w = widths_of(m);
    if (rows > CHUNK)
        rows = CHUNK;
    size_t row = w.n + w.other + w.q + 2 * w.kv + w.wide + w.gate + w.up;
    size_t others = sizeof(struct sequence);
    if (m->experts) {
        row += w.router + 2 * w.n + 1;
        others += m->experts_used * sizeof(struct route) + sizeof(size_t);
    }
    return rows * (row * sizeof(float) + others) + length * m->rotary * sizeof(float) +
           attention_bytes(m, length, threads);
}

size_t forward_logits_bytes(const struct model *m, size_t rows)
{
    return (rows < SCORE ? rows : SCORE) * panel_size(m->vocab) * sizeof(float);
}

/* ---- row-wise work -----------------------------------------------------------------------------
 */

/* y = op(x, w) for `rows` rows of n; a row of y that is not finite is noted. */
struct row_work {
    enum { NORM, ACTIVATE, ADD, CAP, SPLIT, CHECK } op;
    const struct kernels *k;
    size_t rows, n;
    const float *x, *w, *bias; /* bias: of a layer norm */
    size_t ldx;
    float *y;
    size_t ldy;
    float eps;
    enum activation activation; /* of y, then times x where there is one */
    float cap;
    const struct forward *f; /* SPLIT */
    atomic_bool bad;
};

/* A row of q, k and v, those of the heads that share k and v after one another, to rows of their own. */
static void split_heads(const struct forward *f, size_t r)
{
    const size_t d = f->m->head_dim, queries = f->m->heads / f->m->kv_heads * d;
    const float *from = f->wide + r * f->width.wide;
    for (size_t h = 0; h < f->m->kv_heads; h++, from += queries + 2 * d) {
        memcpy(f->q + r * f->width.q + h * queries, from, queries * sizeof *from);
        memcpy(f->kv[0] + r * f->width.kv + h * d, from + queries, d * sizeof *from);
        memcpy(f->kv[1] + r * f->width.kv + h * d, from + queries + d, d * sizeof *from);
    }
}

static void row_piece(void *context, size_t i, long thread)
{
    struct row_work *w = context;
    (void)thread;
    for (size_t r = i * ROWS; r < w->rows && r < (i + 1) * ROWS; r++) {
        const float *x = w->x ? w->x + r * w->ldx : NULL;
        float *y = w->y ? w->y + r * w->ldy : NULL;
        switch (w->op) {
        case NORM:
            if (w->bias)
                w->k->layer_norm(x, w->n, w->w, w->bias, w->eps, y);
            else
                w->k->rms_norm(x, w->n, w->w, w->eps, y);
            continue;
        case SPLIT:
            split_heads(w->f, r);
            continue;
        case ACTIVATE:
            if (x && w->activation == ACTIVATION_SILU) {
                w->k->silu_product(y, x, w->n, y);
                break;
            }
            w->k->activate[w->activation](y, w->n);
            if (x)
                w->k->multiply(y, x, w->n);
            break;
        case ADD:
            w->k->add(y, x, w->n);
            break;
        case CAP:
            w->k->cap(y, w->n, 1, w->cap);
            continue;
        case CHECK:
            break;
        }
        if (!w->k->finite(y, w->n))
            atomic_store(&w->bad, true);
    }
}

static void rows_run(struct forward *f, struct row_work *w)
{
    w->k = f->k;
    pool_run(w->rows * w->n < 1 << 14 ? NULL : f->pool, (w->rows + ROWS - 1) / ROWS, row_piece, w);
}

/* Names the place of the first row that is not finite. */
static int not_finite(const struct forward *f, const struct row_work *w, size_t layer,
                      const char *what, const struct sequence *s, size_t count, struct error *e)
{
    size_t i = 0, r = 0;
    while (f->k->finite(w->y + (s[i].row + r) * w->ldy, w->n) && (r + 1 < s[i].count || i + 1 < count)) {
        r = r + 1 < s[i].count ? r + 1 : 0;
        i += r == 0;
    }
    return error_set(e, "layer %zu: %s is not finite in sequence %zu, row %zu; the weights of this layer or of "
                        "one before are damaged or too large", layer, what, s[i].number, r);
}

/* ---- a block -----------------------------------------------------------------------------------
 */

static int project(struct forward *f, const struct block *b, enum model_role role, size_t rows,
                   const float *x, size_t ldx, float *y, size_t ldy, struct error *e)
{
    return matrix_product(&b->matrix[role], f->k, f->pool, rows, x, ldx, y, ldy, e);
}

/* y = norm(x), rows of `stride` floats; y may be x. */
static void norm_rows(struct forward *f, const float *weight, const float *bias, size_t rows,
                      const float *x, float *y)
{
    const struct model *m = f->m;
    struct row_work w = {.op = NORM, .rows = rows, .n = m->hidden, .x = x, .y = y};
    w.ldx = w.ldy = f->width.n;
    w.eps = (float)m->norm_eps;
    w.w = weight ? weight : f->ones;
    if (m->norm == NORM_RMS_PLUS_ONE) {
        for (size_t i = 0; i < m->hidden; i++)
            f->weight[i] = 1.0f + w.w[i];
        w.w = f->weight;
    }
    if (m->norm == NORM_LAYER)
        w.bias = bias ? bias : f->zeros;
    rows_run(f, &w);
}

/* What the rows of a chunk are, for hooks and messages. */
struct chunk {
    const struct block *b;
    size_t layer, rows;
    const struct sequence *s;
    size_t count;
    const struct forward_hook *hook;
};

/* cached: the cache counts the chunk's positions already. */
static int hook_chunk(const struct chunk *c, enum model_role role, bool cached, const float *x,
                      size_t ld, struct error *e)
{
    for (size_t i = 0; c->hook && i < c->count; i++) {
        const struct sequence *s = &c->s[i];
        const struct hooked h = {.role = role,
                                 .layer = c->layer,
                                 .sequence = s,
                                 .position = s->cache->length - (cached ? s->count : 0),
                                 .count = s->count,
                                 .rows = s->count,
                                 .x = x + s->row * ld,
                                 .ldx = ld};
        if (c->hook->see(c->hook->context, &h, e))
            return -1;
    }
    return 0;
}

/* x: rows number row[0 .. n - 1] of the chunk, ascending. */
static int hook_expert(const struct chunk *c, enum model_role role, size_t expert, size_t n,
                       size_t *row, const float *x, size_t ld, struct error *e)
{
    for (size_t i = 0, first = 0; c->hook && i < c->count; i++) {
        const struct sequence *s = &c->s[i];
        size_t last = first;
        for (; last < n && row[last] < s->row + s->count; last++)
            row[last] -= s->row;
        const struct hooked h = {.role = role,
                                 .layer = c->layer,
                                 .expert = expert,
                                 .sequence = s,
                                 .position = s->cache->length - s->count,
                                 .count = s->count,
                                 .rows = last - first,
                                 .row = row + first,
                                 .x = x + first * ld,
                                 .ldx = ld};
        const int result = c->hook->see(c->hook->context, &h, e);
        for (; first < last; first++)
            row[first] += s->row;
        if (result)
            return -1;
    }
    return 0;
}

/* The attention of in, (rows, stride), to out; in may be out. */
static int attend(struct forward *f, const struct chunk *c, const float *in, float *out,
                  struct error *e)
{
    const struct model *m = f->m;
    const struct block *b = c->b;
    const struct widths *w = &f->width;
    const size_t rows = c->rows;
    float *q = f->q, *k = f->kv[0], *v = f->kv[1];
    size_t ldq = w->q, ldk = w->kv;
    if (hook_chunk(c, ROLE_Q, false, in, w->n, e))
        return -1;
    if (b->present[ROLE_QKV]) {
        if (project(f, b, ROLE_QKV, rows, in, w->n, f->wide, w->wide, e))
            return -1;
        if (m->qkv_per_head) {
            struct row_work split = {.op = SPLIT, .rows = rows, .n = w->wide, .f = f};
            rows_run(f, &split);
        } else {
            q = f->wide;
            k = q + m->heads * m->head_dim;
            v = k + m->kv_heads * m->head_dim;
            ldq = ldk = w->wide;
        }
    } else if (project(f, b, ROLE_Q, rows, in, w->n, q, ldq, e) ||
               project(f, b, ROLE_K, rows, in, w->n, k, ldk, e) ||
               project(f, b, ROLE_V, rows, in, w->n, v, ldk, e)) {
        return -1;
    }
    const double scale = m->attention_scale / (m->scale_by_layer ? (double)(c->layer + 1) : 1.0);
    const struct attention_layer layer = {.scale = (float)scale,
                                          .window = model_layer_window(m, c->layer),
                                          .q_norm = b->vector[ROLE_Q_NORM],
                                          .k_norm = b->vector[ROLE_K_NORM]};
    attention_run(m, &layer, f->k, f->pool, &f->rope, &f->attention, q, ldq, k, v, ldk, c->s,
                  c->count);
    struct row_work check = {.op = CHECK, .rows = rows, .n = m->heads * m->head_dim};
    check.y = q;
    check.ldy = ldq;
    rows_run(f, &check);
    if (check.bad)
        return not_finite(f, &check, c->layer, "the attention's output", c->s, c->count, e);
    return hook_chunk(c, ROLE_O, true, q, ldq, e) ||
                   project(f, b, ROLE_O, rows, q, ldq, out, w->n, e)
               ? -1
               : 0;
}

/* activation(gate) * up, or activation(up), left in *y with *ld floats a row. */
static void activate(struct forward *f, size_t rows, size_t inner, bool *bad, struct row_work *w,
                     float **y, size_t *ld)
{
    const struct model *m = f->m;
    *w = (struct row_work){.op = ACTIVATE, .rows = rows, .n = inner};
    w->activation = m->activation;
    if (f->width.up == 0) {
        w->y = f->wide;
        w->x = f->wide + m->intermediate;
        w->ldx = w->ldy = f->width.wide;
    } else {
        w->y = m->gated ? f->gate : f->up;
        w->x = m->gated ? f->up : NULL;
        w->ldx = w->ldy = f->width.up;
    }
    rows_run(f, w);
    *bad = w->bad;
    *y = w->y;
    *ld = w->ldy;
}

/* The chunk's row r, of sequence s, is wanted. */
static bool wants(const struct chunk *c, const struct sequence *s, size_t r)
{
    return c->hook->wanted(c->hook->context, s, s->cache->length - s->count + r - s->row);
}

/* The MLP's last matrix for those rows alone that are wanted: they are moved together, and what becomes
 * of them apart again. */
static int project_wanted(struct forward *f, const struct chunk *c, float *y, size_t ld, float *out,
                          struct error *e)
{
    const size_t stride = f->width.n;
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        for (size_t r = c->s[i].row; r < c->s[i].row + c->s[i].count; r++)
            if (wants(c, &c->s[i], r))
                memmove(y + n++ * ld, y + r * ld, f->m->intermediate * sizeof *y);
    if (n && project(f, c->b, ROLE_DOWN, n, y, ld, out, stride, e))
        return -1;
    for (size_t i = c->count; i-- > 0;)
        for (size_t r = c->s[i].row + c->s[i].count; r-- > c->s[i].row;)
            if (wants(c, &c->s[i], r))
                memmove(out + r * stride, out + --n * stride, stride * sizeof *out);
            else
                memset(out + r * stride, 0, stride * sizeof *out);
    return 0;
}

static const char inner[] = "the MLP's inner activation";

/* The MLP of in, (rows, stride), to out; in may be out. */
static int mlp(struct forward *f, const struct chunk *c, const float *in, float *out,
               struct error *e)
{
    const struct block *b = c->b;
    const struct widths *w = &f->width;
    struct row_work work;
    float *y = NULL;
    size_t ld = 0;
    bool bad = false;
    if (hook_chunk(c, ROLE_GATE, true, in, w->n, e))
        return -1;
    if (b->present[ROLE_GATE_UP]) {
        if (project(f, b, ROLE_GATE_UP, c->rows, in, w->n, f->wide, w->wide, e))
            return -1;
    } else if ((f->m->gated && project(f, b, ROLE_GATE, c->rows, in, w->n, f->gate, w->gate, e)) ||
               project(f, b, ROLE_UP, c->rows, in, w->n, f->up, w->up, e)) {
        return -1;
    }
    activate(f, c->rows, f->m->intermediate, &bad, &work, &y, &ld);
    if (bad)
        return not_finite(f, &work, c->layer, inner, c->s, c->count, e);
    if (hook_chunk(c, ROLE_DOWN, true, y, ld, e))
        return -1;
    return c->hook && c->hook->wanted ? project_wanted(f, c, y, ld, out, e)
                                      : project(f, b, ROLE_DOWN, c->rows, y, ld, out, w->n, e);
}

/* The experts of a row with the highest scores (of equal ones the first), ascending, with their
 * softmax over all scores, or over these alone. */
static void choose(const struct model *m, const float *score, struct route *route)
{
    const size_t used = m->experts_used;
    for (size_t i = 0; i < used; i++) {
        size_t best = SIZE_MAX;
        for (size_t j = 0; j < m->experts; j++) {
            bool taken = false;
            for (size_t t = 0; t < i; t++)
                taken |= route[t].expert == j;
            if (!taken && (best == SIZE_MAX || score[j] > score[best]))
                best = j;
        }
        route[i].expert = best;
    }
    const float max = score[route[0].expert]; /* before they are put in order */
    for (size_t i = 1; i < used; i++)
        for (size_t t = i; t > 0 && route[t].expert < route[t - 1].expert; t--) {
            const size_t expert = route[t].expert;
            route[t].expert = route[t - 1].expert;
            route[t - 1].expert = expert;
        }
    float sum = 0;
    for (size_t i = 0; i < used; i++)
        sum += route[i].weight = fmath_expf(score[route[i].expert] - max);
    if (m->experts_whole) {
        sum = 0;
        for (size_t i = 0; i < m->experts; i++)
            sum += fmath_expf(score[i] - max);
    }
    for (size_t i = 0; i < used; i++)
        route[i].weight /= sum;
}

/* The MLP beside the experts: out += sigmoid(router in) * MLP(in). */
static int shared_expert(struct forward *f, const struct chunk *c, const float *in, float *out,
                         struct error *e)
{
    const struct model *m = f->m;
    const struct widths *w = &f->width;
    struct row_work work;
    float *y = NULL;
    size_t ld = 0;
    bool bad = false;
    if (hook_chunk(c, ROLE_SHARED_GATE, true, in, w->n, e) ||
        project(f, c->b, ROLE_SHARED_GATE, c->rows, in, w->n, f->gate, w->gate, e) ||
        project(f, c->b, ROLE_SHARED_UP, c->rows, in, w->n, f->up, w->up, e) ||
        project(f, c->b, ROLE_SHARED_ROUTER, c->rows, in, w->n, f->router, w->router, e))
        return -1;
    activate(f, c->rows, m->shared_inner, &bad, &work, &y, &ld);
    if (bad)
        return not_finite(f, &work, c->layer, "the shared expert's inner activation", c->s, c->count, e);
    if (hook_chunk(c, ROLE_SHARED_DOWN, true, y, ld, e) ||
        project(f, c->b, ROLE_SHARED_DOWN, c->rows, y, ld, f->given, w->n, e))
        return -1;
    for (size_t r = 0; r < c->rows; r++)
        f->k->add_scaled(out + r * w->n, f->given + r * w->n, m->hidden,
                         1.0f / (1.0f + fmath_expf(-f->router[r * w->router])));
    return 0;
}

/* A mixture of experts: out = sum of weight * MLP_expert(in), experts ascending, each a chain of
 * fma. in and out differ. */
static int mixture(struct forward *f, const struct chunk *c, const float *in, float *out,
                   struct error *e)
{
    const struct model *m = f->m;
    const struct widths *w = &f->width;
    const size_t stride = w->n, used = m->experts_used;
    if (project(f, c->b, ROLE_ROUTER, c->rows, in, stride, f->router, w->router, e))
        return -1;
    struct row_work check = {.op = CHECK, .rows = c->rows, .n = m->experts, .y = f->router};
    check.ldy = w->router;
    rows_run(f, &check);
    if (check.bad)
        return not_finite(f, &check, c->layer, "the router's output", c->s, c->count, e);
    for (size_t r = 0; r < c->rows; r++)
        choose(m, f->router + r * w->router, f->route + r * used);
    memset(out, 0, c->rows * stride * sizeof *out);
    for (size_t i = 0; i < m->experts; i++) {
        const struct expert *x = &c->b->expert[i];
        size_t n = 0, ld = 0;
        for (size_t r = 0; r < c->rows; r++)
            for (size_t j = 0; j < used; j++)
                if (f->route[r * used + j].expert == i) {
                    memcpy(f->gathered + n * stride, in + r * stride, m->hidden * sizeof *in);
                    f->row_weight[n] = f->route[r * used + j].weight;
                    f->row[n++] = r;
                }
        if (hook_expert(c, ROLE_EXPERT_GATE, i, n, f->row, f->gathered, stride, e))
            return -1;
        if (n == 0) {
            if (hook_expert(c, ROLE_EXPERT_DOWN, i, n, f->row, f->up, ld, e))
                return -1;
            continue;
        }
        if (matrix_product(&x->gate, f->k, f->pool, n, f->gathered, stride, f->gate, w->gate, e) ||
            matrix_product(&x->up, f->k, f->pool, n, f->gathered, stride, f->up, w->up, e))
            return -1;
        struct row_work work;
        float *y = NULL;
        bool bad = false;
        activate(f, n, m->intermediate, &bad, &work, &y, &ld);
        if (bad)
            return error_set(e, "layer %zu, expert %zu: %s is not finite", c->layer, i, inner);
        if (hook_expert(c, ROLE_EXPERT_DOWN, i, n, f->row, y, ld, e) ||
            matrix_product(&x->down, f->k, f->pool, n, y, ld, f->given, stride, e))
            return -1;
        for (size_t j = 0; j < n; j++)
            f->k->add_scaled(out + f->row[j] * stride, f->given + j * stride, m->hidden,
                             f->row_weight[j]);
    }
    return m->shared_inner ? shared_expert(f, c, in, out, e) : 0;
}

/* One chunk: rows of x, whose sequences have rows counted from x. */
static int chunk_run(struct forward *f, const struct chunk *c, float *x, struct error *e)
{
    const struct model *m = f->m;
    float *const *v = c->b->vector;
    const enum norm_place place = m->place;
    const bool after = place == PLACE_AFTER;
    const size_t rows = c->rows;
    struct row_work add = {.op = ADD, .rows = rows, .n = m->hidden, .x = f->n, .y = x};
    add.ldx = add.ldy = f->width.n;

    if (!after)
        norm_rows(f, v[ROLE_ATTENTION_NORM], v[ROLE_ATTENTION_NORM_BIAS], rows, x, f->n);
    if (place == PLACE_PARALLEL) { /* where there is one norm, it is that of both parts */
        const bool own = c->b->present[ROLE_MLP_NORM];
        norm_rows(f, v[own ? ROLE_MLP_NORM : ROLE_ATTENTION_NORM],
                  v[own ? ROLE_MLP_NORM_BIAS : ROLE_ATTENTION_NORM_BIAS], rows, x, f->other);
    }
    if (attend(f, c, after ? x : f->n, f->n, e))
        return -1;
    if (place == PLACE_SANDWICH)
        norm_rows(f, v[ROLE_ATTENTION_POST_NORM], NULL, rows, f->n, f->n);
    rows_run(f, &add);
    if (after)
        norm_rows(f, v[ROLE_ATTENTION_NORM], v[ROLE_ATTENTION_NORM_BIAS], rows, x, x);

    const float *in = after ? x : place == PLACE_PARALLEL ? f->other : f->n;
    if (in == f->n)
        norm_rows(f, v[ROLE_MLP_NORM], v[ROLE_MLP_NORM_BIAS], rows, x, f->n);
    float *out = m->experts ? f->other : f->n;
    if (m->experts ? mixture(f, c, in, out, e) : mlp(f, c, in, out, e))
        return -1;
    if (place == PLACE_SANDWICH)
        norm_rows(f, v[ROLE_MLP_POST_NORM], NULL, rows, out, out);
    add.x = out;
    rows_run(f, &add);
    if (add.bad)
        return not_finite(f, &add, c->layer, "the block's output", c->s, c->count, e);
    if (after)
        norm_rows(f, v[ROLE_MLP_NORM], v[ROLE_MLP_NORM_BIAS], rows, x, x);
    return 0;
}

int forward_block(struct forward *f, const struct block *b, size_t layer, float *x,
                  const struct sequence *s, size_t count, const struct forward_hook *hook,
                  struct error *e)
{
    size_t rows = 0, longest = 1;
    for (size_t i = 0; i < count; i++) {
        const size_t length = s[i].cache->length + s[i].count;
        rows += s[i].count;
        longest = length > longest ? length : longest;
        if (cache_reserve(s[i].cache, f->m, length, e))
            return -1;
    }
    if (buffers_reserve(f, rows, e) || rope_reserve(&f->rope, f->m, longest, e) ||
        attention_reserve(&f->attention, f->m, longest, e))
        return -1;
    /* Pieces of sequences whose rows follow each other, up to CHUNK rows. */
    size_t i = 0, done = 0; /* done: rows of sequence i */
    while (i < count) {
        const size_t first = s[i].row + done;
        size_t n = 0, parts = 0; /* rows and sequences of the chunk */
        while (i < count && n < CHUNK && s[i].row + done == first + n) {
            const size_t left = s[i].count - done;
            const size_t take = left < CHUNK - n ? left : CHUNK - n;
            if (take) {
                f->part[parts] = s[i];
                f->part[parts].row = n;
                f->part[parts++].count = take;
            }
            n += take;
            done += take;
            if (done == s[i].count) {
                i++;
                done = 0;
            }
        }
        const struct chunk c = {b, layer, n, f->part, parts, hook};
        if (n && chunk_run(f, &c, x + first * f->width.n, e))
            return -1;
    }
    return 0;
}

/* ---- before and after the blocks ---------------------------------------------------------------
 */

static void weight_row(const struct tensor *t, const struct matrix *m, size_t row, float *out)
{
    if (t)
        tensor_row(t, row, out);
    else
        matrix_row(m, row, out);
}

static int enter_projection(struct forward *f, const struct matrix *m, const struct entry *entry,
                            struct error *e)
{
    const size_t stride = f->width.n;
    if (buffers_reserve(f, entry->count, e))
        return -1;
    for (size_t first = 0; first < entry->count; first += f->rows) {
        const size_t left = entry->count - first, n = left < f->rows ? left : f->rows;
        float *x = entry->x + first * stride;
        if (matrix_product(m, f->k, f->pool, n, x, stride, f->n, stride, e))
            return -1;
        memcpy(x, f->n, n * stride * sizeof *x);
    }
    return 0;
}

int forward_enter(struct forward *f, enum model_role role, const struct tensor *t,
                  const struct matrix *m, const struct entry *list, size_t count, struct error *e)
{
    const size_t stride = f->width.n, width = f->m->width, hidden = f->m->hidden;
    const float scale = (float)f->m->embedding_scale;
    struct matrix packed = {0};
    int result = -1;
    if (role == ROLE_PROJECT_IN && t) {
        if (matrix_pack(&packed, t, f->pool, e))
            return -1;
        m = &packed;
    }
    if (role == ROLE_POSITIONS && buffers_reserve(f, 1, e))
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &list[i];
        if (role == ROLE_PROJECT_IN && enter_projection(f, m, entry, e))
            goto out;
        for (size_t j = 0; role != ROLE_PROJECT_IN && j < entry->count; j++) {
            float *x = entry->x + j * stride;
            const size_t position = entry->first + j;
            if (role == ROLE_EMBEDDING) {
                weight_row(t, m, (size_t)entry->ids[j], x);
                for (size_t k = 0; scale != 1 && k < width; k++)
                    x[k] *= scale;
                continue;
            }
            if (position >= f->m->positions) {
                error_set(e, "position %zu: the model has %zu", position, f->m->positions);
                goto out;
            }
            weight_row(t, m, position + f->m->position_offset, f->n);
            f->k->add(x, f->n, hidden);
        }
    }
    result = 0;
out:
    matrix_free(&packed);
    return result;
}

int forward_take(struct forward *f, enum model_role role, const struct tensor *t, struct error *e)
{
    if (role == ROLE_PROJECT_OUT && !f->project_out.rows)
        return matrix_pack(&f->project_out, t, f->pool, e);
    if (role == ROLE_FINAL_NORM_BIAS && !f->final_bias) {
        f->final_bias = vector_read(t, e);
        return f->final_bias ? 0 : -1;
    }
    if (role == ROLE_HEAD_BIAS && !f->head_bias) {
        f->head_bias = vector_read(t, e);
        return f->head_bias ? 0 : -1;
    }
    return error_set(e, "%s: the tensor is there twice", t->name);
}

int forward_logits(struct forward *f, const float *norm, const struct matrix *head, const float *x,
                   size_t rows, float *logits, struct error *e)
{
    const struct model *m = f->m;
    const size_t ld = panel_size(m->vocab), stride = f->width.n;
    if (buffers_reserve(f, rows, e))
        return -1;
    for (size_t first = 0; first < rows; first += f->rows) {
        const size_t n = rows - first < f->rows ? rows - first : f->rows;
        const float *y = x + first * stride;
        if (m->final_norm) {
            norm_rows(f, norm, f->final_bias, n, y, f->n);
            y = f->n;
        }
        if (f->project_out.rows) {
            if (matrix_product(&f->project_out, f->k, f->pool, n, y, stride, f->other, stride, e))
                return -1;
            y = f->other;
        }
        if (matrix_product(head, f->k, f->pool, n, y, stride, logits + first * ld, ld, e))
            return -1;
    }
    struct row_work work = {.op = CHECK, .rows = rows, .n = m->vocab, .y = logits, .ldy = ld};
    if (f->head_bias) { /* the same row of x each time */
        work.op = ADD;
        work.x = f->head_bias;
    }
    rows_run(f, &work);
    if (work.bad)
        return error_set(e, "the logits are not finite; the final norm or the head is damaged");
    if (m->final_cap > 0) {
        work.op = CAP;
        work.cap = (float)m->final_cap;
        rows_run(f, &work);
    }
    return 0;
}

double forward_nll(const struct kernels *k, const float *logits, size_t n, int32_t target)
{
    const float max = k->maximum(logits, n);
    return fmath_log(k->sum_exp(logits, n, max)) + ((double)max - (double)logits[target]);
}

int32_t forward_best(const float *logits, size_t n)
{
    return (int32_t)largest(logits, n);
}

struct scoring {
    struct forward *f;
    const int32_t *target;
    double *nll;
};

static void score_row(void *context, size_t i, long thread)
{
    const struct scoring *s = context;
    const size_t vocab = s->f->m->vocab;
    (void)thread;
    s->nll[i] = forward_nll(s->f->k, s->f->logits + i * panel_size(vocab), vocab, s->target[i]);
}

int forward_score(struct forward *f, const float *norm, const struct matrix *head, const float *x,
                  size_t rows, const int32_t *target, double *nll, struct error *e)
{
    if (!f->logits) {
        f->logits = memory_new(SCORE, panel_size(f->m->vocab) * sizeof *f->logits, "logits", e);
        if (!f->logits)
            return -1;
    }
    for (size_t first = 0; first < rows; first += SCORE) {
        const size_t n = rows - first < SCORE ? rows - first : SCORE;
        if (forward_logits(f, norm, head, x + first * f->width.n, n, f->logits, e))
            return -1;
        struct scoring s = {f, target + first, nll + first};
        pool_run(f->pool, n, score_row, &s);
    }
    return 0;
}
