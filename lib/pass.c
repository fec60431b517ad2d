/* Streamed execution. */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "spill.h"

enum {
    BATCH = 576,        /* rows of short sequences that go through a block together */
    CACHED = 8 * BATCH, /* positions of those that do so because they begin alike */
};
static const uint64_t SPILL = (uint64_t)1 << 30; /* bytes of activations kept in memory */

struct pass {
    struct forward *forward;
    const struct model *m;
    const struct pass_sequence *sequence;
    size_t count;
    size_t *row;   /* (count + 1): first own row of a sequence */
    size_t *leader, *shared; /* (count): the sequence before it in its batch (or itself) that it
                              * begins like, and for how many ids; it has no rows for those */
    size_t *batch; /* (count): of its first sequence, how many go through a block together */
    size_t *branch_row;   /* first row of a branch: those of all sequences' r-th branches together */
    size_t *first_branch; /* (count): number of a sequence's first branch */
    size_t rounds, rows;  /* most branches of a sequence; all rows */
    struct spill spill; /* of x */
    float *x;           /* (rows, stride) */
    struct block block;
    size_t layer; /* of the block that is being collected */
    struct cache *cache;
    struct sequence *part;
    size_t caches;
    struct matrix head;
    float *norm;
    size_t entered, entries; /* tensors before the blocks: those that came, all */
    const struct cli *cli;
};

void pass_free(struct pass *p)
{
    if (!p)
        return;
    spill_free(&p->spill);
    for (size_t i = 0; p->cache && i < p->caches; i++)
        cache_free(&p->cache[i]);
    free(p->cache);
    free(p->part);
    free(p->row);
    free(p->leader);
    free(p->shared);
    free(p->batch);
    free(p->branch_row);
    free(p->first_branch);
    free(p->norm);
    matrix_free(&p->head);
    block_free(&p->block);
    forward_free(p->forward);
    free(p);
}

/* Positions that a sequence and its branches reach. */
static size_t reach(const struct pass_sequence *s)
{
    size_t n = s->count;
    for (size_t r = 0; r < s->branches; r++)
        if (s->branch[r].from + s->branch[r].count > n)
            n = s->branch[r].from + s->branch[r].count;
    return n;
}

/* How many of the sequences from `first` on go through a block together: their rows, leaders and
 * what they share are set. share: may they? */
static size_t batch_prepare(struct pass *p, size_t first, bool share)
{
    const struct pass_sequence *s = p->sequence;
    size_t n = 0, leader = first, cached = 0;
    for (; first + n < p->count; n++) {
        const size_t i = first + n;
        const size_t shared = n && share ? cache_common(s[i].ids, s[i].count, s[leader].ids,
                                                        s[leader].count)
                                         : 0;
        const size_t rows = p->row[i] - p->row[first] + s[i].count - shared;
        /* Those that share go on where the leader alone has more rows than a batch. */
        if (n && (rows - (shared ? s[leader].count : 0) > BATCH ||
                  (shared && cached + reach(&s[i]) > CACHED)))
            break;
        leader = shared ? leader : i;
        cached += reach(&s[i]);
        p->leader[i] = leader;
        p->shared[i] = shared;
        p->row[i + 1] = p->row[i] + s[i].count - shared;
    }
    return n;
}

/* Activations of a sequence at a position. */
static const float *row_at(const struct pass *p, size_t sequence, size_t position)
{
    const size_t shared = p->shared[sequence];
    const size_t row = position < shared ? p->row[p->leader[sequence]] + position
                                         : p->row[sequence] + position - shared;
    return p->x + row * forward_stride(p->m);
}

static int check_ids(const struct model *m, const int32_t *ids, size_t n, size_t sequence,
                     struct error *e)
{
    for (size_t j = 0; j < n; j++)
        if (ids[j] < 0 || (size_t)ids[j] >= m->vocab)
            return error_set(e, "sequence %zu: id %ld is outside the vocabulary of %zu", sequence,
                             (long)ids[j], m->vocab);
    return 0;
}

/* Rows for the branches, after those of the sequences. The last id of a branch needs none. */
static int prepare_branches(struct pass *p, struct error *e)
{
    size_t branches = 0;
    p->rows = p->row[p->count];
    p->first_branch = memory_new(p->count, sizeof *p->first_branch, "sequences", e);
    if (!p->first_branch)
        return -1;
    for (size_t i = 0; i < p->count; i++) {
        const struct pass_sequence *s = &p->sequence[i];
        p->first_branch[i] = branches;
        branches += s->branches;
        p->rounds = s->branches > p->rounds ? s->branches : p->rounds;
        for (size_t r = 0; r < s->branches; r++)
            if (check_ids(p->m, s->branch[r].ids, s->branch[r].count, i, e))
                return -1;
    }
    p->branch_row = memory_new(branches, sizeof *p->branch_row, "sequences", e);
    if (!p->branch_row)
        return -1;
    for (size_t r = 0; r < p->rounds; r++)
        for (size_t i = 0; i < p->count; i++) {
            const struct pass_sequence *s = &p->sequence[i];
            if (r >= s->branches || s->branch[r].count == 0)
                continue;
            p->branch_row[p->first_branch[i] + r] = p->rows;
            p->rows += s->branch[r].count - 1;
        }
    return 0;
}

static int prepare(struct pass *p, const struct source *s, struct pool *pool, bool share,
                   struct error *e)
{
    const struct model *m = p->m;
    size_t longest = 0, cached = 0, bytes = 0;
    p->row = memory_new(p->count + 1, sizeof *p->row, "sequences", e);
    p->leader = memory_new(p->count, sizeof *p->leader, "sequences", e);
    p->shared = memory_new(p->count, sizeof *p->shared, "sequences", e);
    p->batch = memory_new(p->count, sizeof *p->batch, "sequences", e);
    if (!p->row || !p->leader || !p->shared || !p->batch)
        return -1;
    for (size_t i = 0; i < p->count; i++) {
        const size_t most = reach(&p->sequence[i]);
        longest = most > longest ? most : longest;
        if (check_ids(m, p->sequence[i].ids, p->sequence[i].count, i, e))
            return -1;
    }
    for (size_t i = 0; i < p->count; i += p->batch[i])
        p->batch[i] = batch_prepare(p, i, share);
    if (prepare_branches(p, e))
        return -1;
    for (size_t i = 0; i < p->count;) {
        const size_t n = p->batch[i];
        size_t sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += cache_bytes(m, reach(&p->sequence[i + j]));
        p->caches = n > p->caches ? n : p->caches;
        cached = sum > cached ? sum : cached;
        i += n;
    }
    bytes = p->rows * forward_stride(m) * sizeof(float); /* which spill_new() checks */
    uint64_t limit = SPILL;
    if (p->cli && p->cli->mem_max && p->cli->mem_max / 2 < limit)
        limit = p->cli->mem_max / 2;
    const uint64_t need = source_memory(s, pool, forward_logits_bytes(m, p->row[p->count])) +
                          (bytes > limit ? 0 : bytes) + cached +
                          forward_bytes(m, p->row[p->count], longest, pool_threads(pool));
    if (p->cli && cli_memory(p->cli, need, e))
        return -1;
    p->cache = memory_new(p->caches, sizeof *p->cache, "sequences", e);
    p->part = memory_new(p->caches, sizeof *p->part, "sequences", e);
    if (!p->cache || !p->part)
        return -1;
    if (spill_new(&p->spill, p->rows, forward_stride(m) * sizeof *p->x, limit, e))
        return -1;
    p->x = p->spill.data;
    return 0;
}

/* The r-th branches of n sequences from `first` on, whose caches hold them. */
static int run_round(struct pass *p, size_t first, size_t n, size_t r,
                     const struct forward_hook *hook, struct error *e)
{
    const size_t stride = forward_stride(p->m);
    size_t parts = 0, base = 0;
    for (size_t j = 0; j < n; j++) {
        const struct pass_sequence *s = &p->sequence[first + j];
        if (r >= s->branches || s->branch[r].count < 2)
            continue;
        const size_t row = p->branch_row[p->first_branch[first + j] + r];
        base = parts ? base : row;
        p->cache[j].length = s->branch[r].from;
        p->part[parts++] = (struct sequence){.row = row - base,
                                             .count = s->branch[r].count - 1,
                                             .cache = &p->cache[j],
                                             .number = first + j};
    }
    return parts ? forward_block(p->forward, &p->block, p->layer, p->x + base * stride, p->part,
                                 parts, hook, e)
                 : 0;
}

/* Own rows of the leaders among n sequences from `first` on, or of those that share. */
static int run_own(struct pass *p, size_t first, size_t n, bool leaders,
                   const struct forward_hook *hook, struct error *e)
{
    size_t parts = 0;
    for (size_t j = 0; j < n; j++) {
        const size_t i = first + j, shared = p->shared[i];
        if (leaders == (shared > 0))
            continue;
        p->cache[j].length = 0;
        if (shared && cache_share(&p->cache[j], p->m, &p->cache[p->leader[i] - first], shared, e))
            return -1;
        p->part[parts++] = (struct sequence){.row = p->row[i] - p->row[first],
                                             .count = p->sequence[i].count - shared,
                                             .cache = &p->cache[j],
                                             .number = i};
    }
    return parts ? forward_block(p->forward, &p->block, p->layer,
                                 p->x + p->row[first] * forward_stride(p->m), p->part, parts, hook,
                                 e)
                 : 0;
}

static int run_block(struct pass *p, const struct forward_hook *hook, struct error *e)
{
    for (size_t i = 0; i < p->count;) {
        const size_t n = p->batch[i];
        if (run_own(p, i, n, true, hook, e) || run_own(p, i, n, false, hook, e))
            return -1;
        for (size_t r = 0; r < p->rounds; r++)
            if (run_round(p, i, n, r, hook, e))
                return -1;
        i += n;
        if (p->cli)
            cli_progress(p->cli, p->layer * p->count + i, p->m->layers * p->count, "windows");
    }
    return 0;
}

/* A tensor before the blocks, applied to all rows as it comes. */
static int enter(struct pass *p, const struct tensor *t, enum model_role role, struct pool *pool,
                 struct error *e)
{
    const size_t stride = forward_stride(p->m);
    size_t n = p->count, layer;
    enum model_role want;
    char name[160];
    model_tensor_at(p->m, p->entered, &want, &layer, name, sizeof name);
    if (role != want)
        return error_set(e, "%s: the tensors are not in forward order, %s comes first", t->name,
                         name);
    for (size_t i = 0; i < p->count; i++)
        n += p->sequence[i].branches;
    struct entry *list = memory_new(n, sizeof *list, "sequences", e);
    if (!list)
        return -1;
    n = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct pass_sequence *s = &p->sequence[i];
        const size_t shared = p->shared[i];
        list[n++] = (struct entry){s->ids + shared, shared, s->count - shared,
                                   p->x + p->row[i] * stride};
        for (size_t r = 0; r < s->branches; r++) {
            const struct pass_branch *b = &s->branch[r];
            const size_t row = p->branch_row[p->first_branch[i] + r];
            if (b->count > 1)
                list[n++] = (struct entry){b->ids, b->from, b->count - 1, p->x + row * stride};
        }
    }
    const int result = forward_enter(p->forward, role, t, NULL, list, n, e);
    free(list);
    if (result)
        return -1;
    p->entered++;
    return role == ROLE_EMBEDDING && p->m->tied ? matrix_pack(&p->head, t, pool, e) : 0;
}

static int take(struct pass *p, const struct tensor *t, enum model_role role, size_t layer,
                struct pool *pool, const struct forward_hook *hook, struct error *e)
{
    switch (role) {
    case ROLE_EMBEDDING:
    case ROLE_PROJECT_IN:
    case ROLE_POSITIONS:
        return enter(p, t, role, pool, e);
    case ROLE_FINAL_NORM_BIAS:
    case ROLE_HEAD_BIAS:
    case ROLE_PROJECT_OUT:
        return forward_take(p->forward, role, t, e);
    case ROLE_FINAL_NORM:
        if (p->norm)
            return error_set(e, "%s: the tensor is there twice", t->name);
        p->norm = vector_read(t, e);
        return p->norm ? 0 : -1;
    case ROLE_HEAD:
        if (p->head.rows)
            return error_set(e, "%s: the tensor is there twice", t->name);
        return matrix_pack(&p->head, t, pool, e);
    default:
        break;
    }
    if (p->entered < p->entries || layer != p->layer)
        return error_set(e, "%s: the tensors are not in forward order", t->name);
    if (block_take(&p->block, role, t, pool, e))
        return -1;
    if (p->block.count < block_tensors(p->m))
        return 0;
    if (run_block(p, hook, e))
        return -1;
    block_free(&p->block);
    p->layer++;
    return 0;
}

int pass_run(struct pass **out, struct source *s, const struct pass_sequence *sequence,
             size_t count, struct pool *pool, const struct cli *c, const struct forward_hook *hook,
             struct error *e)
{
    struct tensor t;
    enum model_role role;
    size_t layer = 0;
    int got = 0;
    *out = NULL;
    struct pass *p = memory_new(1, sizeof *p, "a pass", e);
    if (!p)
        return -1;
    p->m = &s->model;
    p->sequence = sequence;
    p->count = count;
    p->cli = c;
    p->entries = model_tensors_before(p->m);
    if (forward_new(&p->forward, p->m, pool, e) || prepare(p, s, pool, !hook, e))
        goto fail;
    while ((got = source_next(s, &t, &role, &layer, e)) == 1) {
        const int result = take(p, &t, role, layer, pool, hook, e);
        if (result)
            error_prefix(e, "%s", stream_name(s->reader));
        tensor_free(&t);
        if (result)
            goto fail;
    }
    if (got)
        goto fail;
    *out = p;
    return 0;
fail:
    pass_free(p);
    return -1;
}

/* How many of `count` rows from a position on lie together. */
static size_t together(const struct pass *p, size_t sequence, size_t position, size_t count)
{
    const size_t shared = p->shared[sequence];
    return position < shared && shared - position < count ? shared - position : count;
}

int pass_nll(struct pass *p, size_t sequence, size_t first, size_t count, double *nll,
             struct error *e)
{
    for (size_t n; count; first += n, nll += n, count -= n) {
        n = together(p, sequence, first - 1, count);
        if (forward_score(p->forward, p->norm, &p->head, row_at(p, sequence, first - 1), n,
                          p->sequence[sequence].ids + first, nll, e))
            return -1;
    }
    return 0;
}

int pass_logits(struct pass *p, size_t sequence, size_t first, size_t count, float *logits,
                struct error *e)
{
    for (size_t n; count; first += n, logits += n * panel_size(p->m->vocab), count -= n) {
        n = together(p, sequence, first, count);
        if (forward_logits(p->forward, p->norm, &p->head, row_at(p, sequence, first), n, logits,
                           e))
            return -1;
    }
    return 0;
}

/* ---- branches ----------------------------------------------------------------------------------
 */

/* A row whose logits are wanted, and what of them. */
struct wanted {
    const float *x;
    int32_t id;
    double *nll; /* of id, or NULL */
    int32_t *best; /* the most likely id, or NULL */
};

/* Logits of the rows of `list`, of which neighbours may be the same. Returns how many were dealt
 * with: all, or as many as `most` rows of logits serve; 0: an error. */
static size_t answer(struct pass *p, const struct wanted *list, size_t count, size_t most, float *x,
                     float *logits, struct error *e)
{
    const size_t stride = forward_stride(p->m), vocab = p->m->vocab, ld = panel_size(vocab);
    size_t rows = 0, n = 0;
    for (; n < count && (rows < most || list[n].x == list[n - 1].x); n++)
        if (n == 0 || list[n].x != list[n - 1].x)
            memcpy(x + rows++ * stride, list[n].x, stride * sizeof *x);
    if (forward_logits(p->forward, p->norm, &p->head, x, rows, logits, e))
        return 0;
    for (size_t i = 0; i < n; i++) {
        logits += i && list[i].x != list[i - 1].x ? ld : 0;
        if (list[i].nll)
            *list[i].nll = forward_nll(forward_kernels(p->forward), logits, vocab, list[i].id);
        if (list[i].best)
            *list[i].best = forward_best(logits, vocab);
    }
    return n;
}

int pass_branches(struct pass *p, size_t sequence, double *nll, int32_t *best, int32_t *next,
                  struct error *e)
{
    enum { MOST = 96 };
    const struct pass_sequence *s = &p->sequence[sequence];
    const size_t stride = forward_stride(p->m), ld = panel_size(p->m->vocab);
    size_t count = 1, n = 1, done = 0;
    int result = -1;
    for (size_t r = 0; r < s->branches; r++)
        count += s->branch[r].count;
    const size_t most = count < MOST ? count : MOST;
    struct wanted *list = memory_new(count, sizeof *list, "scores", e);
    float *x = memory_new(most, stride * sizeof *x, "scores", e);
    float *logits = memory_new(most, ld * sizeof *logits, "logits", e);
    if (!list || !x || !logits)
        goto out;
    list[0] = (struct wanted){.x = row_at(p, sequence, s->count - 1), .best = next};
    /* First ids follow a row of the sequence, mostly the same; the rest rows of the branches. */
    for (int rest = 0; rest < 2; rest++) {
        size_t at = 0;
        for (size_t r = 0; r < s->branches; at += s->branch[r++].count) {
            const struct pass_branch *b = &s->branch[r];
            const float *row = p->x + p->branch_row[p->first_branch[sequence] + r] * stride;
            const size_t end = rest ? b->count : b->count > 0;
            for (size_t i = (size_t)rest; i < end; i++)
                list[n++] = (struct wanted){i ? row + (i - 1) * stride
                                              : row_at(p, sequence, b->from - 1),
                                            b->ids[i], nll + at + i, best ? best + at + i : NULL};
        }
    }
    while (done < count) {
        n = answer(p, list + done, count - done, most, x, logits, e);
        if (n == 0)
            goto out;
        done += n;
    }
    result = 0;
out:
    free(list);
    free(x);
    free(logits);
    return result;
}
