/* The forward pass: norm, projections, attention, gated MLP, over chunks of rows so that working
 * memory follows the chunk and never the context. */
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

struct forward {
    const struct model *m;
    const struct kernels *k;
    struct pool *pool;
    struct rope rope;
    struct attention_scratch attention;
    size_t stride, query, key, inner; /* row lengths, in whole panels */
    size_t rows;                      /* that the buffers hold */
    float *n, *q, *kv[2], *gate, *up;
    struct sequence *part; /* (rows): the sequences of a chunk */
    float *logits;         /* (SCORE, vocab) */
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
    default:
        return ROLE_COUNT;
    }
}

int block_take(struct block *b, enum model_role role, const struct tensor *t, struct pool *pool,
               struct error *e)
{
    const enum model_role matrix = bias_of(role);
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

size_t block_bytes(const struct block *b)
{
    size_t n = 0;
    for (int i = 0; i < ROLE_COUNT; i++)
        n += b->matrix[i].bytes;
    return n;
}

void block_free(struct block *b)
{
    for (int i = 0; i < ROLE_COUNT; i++) {
        matrix_free(&b->matrix[i]);
        free(b->vector[i]);
    }
    *b = (struct block){0};
}

/* ---- buffers -----------------------------------------------------------------------------------
 */

size_t forward_stride(const struct model *m)
{
    return panel_size(m->hidden);
}

const struct kernels *forward_kernels(const struct forward *f)
{
    return f->k;
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
    f->stride = forward_stride(m);
    f->query = panel_size(m->heads * m->head_dim);
    f->key = panel_size(m->kv_heads * m->head_dim);
    f->inner = panel_size(m->intermediate);
    f->attention.score =
        memory_new((size_t)pool_threads(pool), sizeof *f->attention.score, "the forward pass", e);
    if (!f->attention.score || rope_new(&f->rope, m, e)) {
        forward_free(f);
        return -1;
    }
    f->attention.threads = (size_t)pool_threads(pool);
    *out = f;
    return 0;
}

static void buffers_free(struct forward *f)
{
    free(f->n);
    free(f->q);
    free(f->kv[0]);
    free(f->kv[1]);
    free(f->gate);
    free(f->up);
    free(f->part);
    f->n = f->q = f->kv[0] = f->kv[1] = f->gate = f->up = NULL;
    f->part = NULL;
    f->rows = 0;
}

void forward_free(struct forward *f)
{
    if (!f)
        return;
    buffers_free(f);
    free(f->logits);
    rope_free(&f->rope);
    attention_free(&f->attention);
    free(f);
}

static int buffers_reserve(struct forward *f, size_t rows, struct error *e)
{
    if (rows > CHUNK)
        rows = CHUNK;
    if (rows <= f->rows)
        return 0;
    buffers_free(f);
    static const char what[] = "activations of a block";
    f->n = memory_new(rows, f->stride * sizeof *f->n, what, e);
    f->q = memory_new(rows, f->query * sizeof *f->q, what, e);
    f->kv[0] = memory_new(rows, f->key * sizeof *f->n, what, e);
    f->kv[1] = memory_new(rows, f->key * sizeof *f->n, what, e);
    f->gate = memory_new(rows, f->inner * sizeof *f->gate, what, e);
    f->up = memory_new(rows, f->inner * sizeof *f->up, what, e);
    f->part = memory_new(rows, sizeof *f->part, what, e);
    if (!f->n || !f->q || !f->kv[0] || !f->kv[1] || !f->gate || !f->up || !f->part) {
        buffers_free(f);
        return -1;
    }
    f->rows = rows;
    return 0;
}

size_t forward_bytes(const struct model *m, size_t rows, size_t length, long threads)
{
    if (rows > CHUNK)
        rows = CHUNK;
    const size_t row = forward_stride(m) + panel_size(m->heads * m->head_dim) +
                       2 * panel_size(m->kv_heads * m->head_dim) + 2 * panel_size(m->intermediate);
    return rows * (row * sizeof(float) + sizeof(struct sequence)) +
           length * m->head_dim * sizeof(float) + attention_bytes(m, length, threads) +
           (rows < SCORE ? rows : SCORE) * panel_size(m->vocab) * sizeof(float);
}

/* ---- row-wise work -----------------------------------------------------------------------------
 */

/* y = op(x, w) for `rows` rows of n; a row of y that is not finite is noted. */
struct row_work {
    enum { NORM, SILU, ADD, CHECK } op;
    const struct kernels *k;
    size_t rows, n;
    const float *x, *w;
    size_t ldx;
    float *y;
    size_t ldy;
    float eps;
    atomic_bool bad;
};

static void row_piece(void *context, size_t i, long thread)
{
    struct row_work *w = context;
    (void)thread;
    for (size_t r = i * ROWS; r < w->rows && r < (i + 1) * ROWS; r++) {
        const float *x = w->x ? w->x + r * w->ldx : NULL;
        float *y = w->y + r * w->ldy;
        switch (w->op) {
        case NORM:
            w->k->rms_norm(x, w->n, w->w, w->eps, y);
            break;
        case SILU:
            w->k->silu_product(y, x, w->n, y);
            break;
        case ADD:
            w->k->add(y, x, w->n);
            break;
        case CHECK:
            break;
        }
        if (w->op != NORM && !w->k->finite(y, w->n))
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
    for (size_t i = 0; i < count; i++)
        for (size_t r = 0; r < s[i].count; r++)
            if (!f->k->finite(w->y + (s[i].row + r) * w->ldy, w->n))
                return error_set(e,
                                 "layer %zu: %s is not finite in sequence %zu, row %zu; the "
                                 "weights of this layer or of one before are damaged or too large",
                                 layer, what, s[i].number, r);
    return error_set(e, "layer %zu: %s is not finite", layer, what);
}

/* ---- a block -----------------------------------------------------------------------------------
 */

static int hook_rows(const struct forward_hook *hook, enum model_role role, size_t layer,
                     const struct sequence *s, size_t count, bool cached, const float *x, size_t ld,
                     struct error *e)
{
    for (size_t i = 0; hook && i < count; i++) {
        const size_t position = s[i].cache->length - (cached ? s[i].count : 0);
        if (hook->see(hook->context, role, layer, &s[i], position, s[i].count, x + s[i].row * ld,
                      ld, e))
            return -1;
    }
    return 0;
}

static int project(struct forward *f, const struct block *b, enum model_role role, size_t rows,
                   const float *x, size_t ldx, float *y, size_t ldy, struct error *e)
{
    return matrix_product(&b->matrix[role], f->k, f->pool, rows, x, ldx, y, ldy, e);
}

/* One chunk: `rows` rows of x, whose sequences s have rows counted from x. */
static int chunk_run(struct forward *f, const struct block *b, size_t layer, float *x, size_t rows,
                     const struct sequence *s, size_t count, const struct forward_hook *hook,
                     struct error *e)
{
    const struct model *m = f->m;
    const size_t stride = f->stride, query = f->query, key = f->key, inner = f->inner;
    const float eps = (float)m->norm_eps;

    struct row_work norm = {.op = NORM, .rows = rows, .n = m->hidden, .x = x, .ldx = stride};
    norm.y = f->n;
    norm.ldy = stride;
    norm.w = b->vector[ROLE_ATTENTION_NORM];
    norm.eps = eps;
    rows_run(f, &norm);
    if (hook_rows(hook, ROLE_Q, layer, s, count, false, f->n, stride, e) ||
        project(f, b, ROLE_Q, rows, f->n, stride, f->q, query, e) ||
        project(f, b, ROLE_K, rows, f->n, stride, f->kv[0], key, e) ||
        project(f, b, ROLE_V, rows, f->n, stride, f->kv[1], key, e))
        return -1;
    attention_run(m, f->k, f->pool, &f->rope, &f->attention, f->q, query, f->kv[0], f->kv[1], key,
                  s, count);
    struct row_work check = {.op = CHECK, .rows = rows, .n = m->heads * m->head_dim};
    check.y = f->q;
    check.ldy = query;
    rows_run(f, &check);
    if (check.bad)
        return not_finite(f, &check, layer, "the attention's output", s, count, e);
    if (hook_rows(hook, ROLE_O, layer, s, count, true, f->q, query, e) ||
        project(f, b, ROLE_O, rows, f->q, query, f->n, stride, e))
        return -1;
    struct row_work add = {.op = ADD, .rows = rows, .n = m->hidden, .x = f->n, .ldx = stride};
    add.y = x;
    add.ldy = stride;
    rows_run(f, &add);

    norm.w = b->vector[ROLE_MLP_NORM];
    rows_run(f, &norm);
    if (hook_rows(hook, ROLE_GATE, layer, s, count, true, f->n, stride, e) ||
        project(f, b, ROLE_GATE, rows, f->n, stride, f->gate, inner, e) ||
        project(f, b, ROLE_UP, rows, f->n, stride, f->up, inner, e))
        return -1;
    struct row_work silu = {.op = SILU, .rows = rows, .n = m->intermediate, .x = f->up};
    silu.ldx = inner;
    silu.y = f->gate;
    silu.ldy = inner;
    rows_run(f, &silu);
    if (silu.bad)
        return not_finite(f, &silu, layer, "the MLP's inner activation", s, count, e);
    if (hook_rows(hook, ROLE_DOWN, layer, s, count, true, f->gate, inner, e) ||
        project(f, b, ROLE_DOWN, rows, f->gate, inner, f->n, stride, e))
        return -1;
    rows_run(f, &add);
    if (add.bad)
        return not_finite(f, &add, layer, "the block's output", s, count, e);
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
        size_t n = 0, parts = 0;
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
        if (n && chunk_run(f, b, layer, x + first * f->stride, n, f->part, parts, hook, e))
            return -1;
    }
    return 0;
}

/* ---- after the blocks --------------------------------------------------------------------------
 */

int forward_logits(struct forward *f, const float *norm, const struct matrix *head, const float *x,
                   size_t rows, float *logits, struct error *e)
{
    const size_t ld = panel_size(f->m->vocab);
    if (buffers_reserve(f, rows, e))
        return -1;
    for (size_t first = 0; first < rows; first += f->rows) {
        const size_t n = rows - first < f->rows ? rows - first : f->rows;
        struct row_work w = {.op = NORM, .rows = n, .n = f->m->hidden, .w = norm};
        w.x = x + first * f->stride;
        w.ldx = w.ldy = f->stride;
        w.y = f->n;
        w.eps = (float)f->m->norm_eps;
        rows_run(f, &w);
        if (matrix_product(head, f->k, f->pool, n, f->n, f->stride, logits + first * ld, ld, e))
            return -1;
    }
    struct row_work check = {.op = CHECK, .rows = rows, .n = f->m->vocab};
    check.y = logits;
    check.ldy = ld;
    rows_run(f, &check);
    if (check.bad)
        return error_set(e, "the logits are not finite; the final norm or the head is damaged");
    return 0;
}

double forward_nll(const struct kernels *k, const float *logits, size_t n, int32_t target)
{
    const float max = k->maximum(logits, n);
    return fmath_log(k->sum_exp(logits, n, max)) + ((double)max - (double)logits[target]);
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
        if (forward_logits(f, norm, head, x + first * f->stride, n, f->logits, e))
            return -1;
        struct scoring s = {f, target + first, nll + first};
        pool_run(f->pool, n, score_row, &s);
    }
    return 0;
}
