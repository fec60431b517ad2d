/* Resident execution. Sequences of different lengths share each step: those that run bring one row,
 * new ones all of their prompt; one that ends leaves its place to the next. */
#include "network.h"

#include <stdlib.h>
#include <string.h>

#include "fmath.h"
#include "memory.h"
#include "random.h"

enum {
    STEP_ROWS = 576, /* no further prompt joins a step that has so many rows */
    BATCH_SMALL = 8, /* of a model that stays in the cache: then keys and values should, too */
    BATCH_LARGE = 32,
    SMALL = 4 << 20, /* parameters of such a model */
};

/* Every token reads all of a model that no cache holds: in large pages, which make that 1.05 to 1.3 times
 * as fast. */
static void settle(struct network *n)
{
    if (model_parameters(n->m, false) < SMALL)
        return;
    matrix_settle(&n->embedding);
    matrix_settle(&n->head);
    for (size_t i = 0; i < n->m->layers; i++) {
        const struct block *b = &n->block[i];
        for (size_t r = 0; r < ROLE_COUNT; r++)
            matrix_settle(&b->matrix[r]);
        for (size_t x = 0; x < b->experts; x++) {
            matrix_settle(&b->expert[x].gate);
            matrix_settle(&b->expert[x].up);
            matrix_settle(&b->expert[x].down);
        }
    }
}

/* ---- loading -----------------------------------------------------------------------------------
 */

static int take(struct network *n, const struct tensor *t, enum model_role role, size_t layer,
                struct error *e)
{
    struct matrix *m = role == ROLE_HEAD ? &n->head : &n->embedding;
    switch (role) {
    case ROLE_EMBEDDING:
    case ROLE_HEAD:
        if (m->rows)
            return error_set(e, "%s: the tensor is there twice", t->name);
        return matrix_pack(m, t, n->pool, e);
    case ROLE_PROJECT_IN:
    case ROLE_POSITIONS:
        return block_take(&n->before, role, t, n->pool, e);
    case ROLE_FINAL_NORM_BIAS:
    case ROLE_HEAD_BIAS:
    case ROLE_PROJECT_OUT:
        return forward_take(n->forward, role, t, e);
    case ROLE_FINAL_NORM:
        if (n->norm)
            return error_set(e, "%s: the tensor is there twice", t->name);
        n->norm = vector_read(t, e);
        return n->norm ? 0 : -1;
    default:
        return block_take(&n->block[layer], role, t, n->pool, e);
    }
}

int network_load(struct network *n, struct source *s, struct pool *pool, const struct cli *c,
                 struct error *e)
{
    struct tensor t;
    enum model_role role;
    size_t layer = 0, done = 0;
    int got = 0;
    *n = (struct network){.m = &s->model, .pool = pool};
    n->memory = source_memory_resident(s, pool);
    if (c && cli_memory(c, n->memory, e))
        return -1;
    n->block = memory_new(n->m->layers, sizeof *n->block, "the model", e);
    if (!n->block || forward_new(&n->forward, n->m, pool, e))
        goto fail;
    while ((got = source_next(s, &t, &role, &layer, e)) == 1) {
        const int result = take(n, &t, role, layer, e);
        if (result)
            error_prefix(e, "%s", stream_name(s->reader));
        tensor_free(&t);
        if (result)
            goto fail;
        if (c)
            cli_progress(c, ++done, model_tensor_count(n->m), "tensors");
    }
    if (got == 0) {
        settle(n);
        return 0;
    }
fail:
    network_free(n);
    return -1;
}

void network_free(struct network *n)
{
    for (size_t i = 0; n->block && i < n->m->layers; i++)
        block_free(&n->block[i]);
    free(n->block);
    matrix_free(&n->embedding);
    block_free(&n->before);
    matrix_free(&n->head);
    free(n->norm);
    forward_free(n->forward);
    *n = (struct network){0};
}

/* ---- choosing the next id ----------------------------------------------------------------------
 */

struct choice {
    double p;
    int32_t id;
};

static int choice_compare(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* Nucleus sampling (Holtzman et al. 2020): the fewest most probable ids that hold top_p. */
static int32_t sample(const struct generate_options *o, const float *logits, size_t n,
                      struct choice *list, double uniform)
{
    double max = (double)logits[0], sum = 0, kept = 0;
    for (size_t i = 1; i < n; i++)
        max = (double)logits[i] > max ? (double)logits[i] : max;
    for (size_t i = 0; i < n; i++) {
        list[i].p = fmath_exp(((double)logits[i] - max) / o->temperature);
        list[i].id = (int32_t)i;
        sum += list[i].p;
    }
    size_t count = n;
    if (o->top_p < 1) {
        qsort(list, n, sizeof *list, choice_compare);
        for (count = 0; count < n && (count == 0 || kept < o->top_p * sum); count++)
            kept += list[count].p;
        sum = kept;
    }
    double at = uniform * sum;
    for (size_t i = 0; i + 1 < count; i++) {
        if (at < list[i].p)
            return list[i].id;
        at -= list[i].p;
    }
    return list[count - 1].id;
}

/* ---- generation --------------------------------------------------------------------------------
 */

struct slot {
    struct generation *g;          /* NULL: free */
    const struct generation *held; /* whose prompt the cache holds, also after its end */
    struct cache *cache;           /* (layers) */
    size_t fed;                    /* ids that have gone through the model */
};

struct run {
    struct network *n;
    const struct generate_options *o;
    struct random_key key;
    struct slot *slot;
    size_t slots;
    float *x, *last, *logits; /* rows of a step; last rows; their logits */
    size_t rows;              /* that x holds */
    struct sequence *part;
    size_t *part_slot;
    struct entry *entry; /* (2 x slots) */
    struct choice *choice;
};

static bool is_stop(const struct generate_options *o, int32_t id)
{
    for (size_t i = 0; i < o->stops; i++)
        if (o->stop[i] == id)
            return true;
    return false;
}

static size_t room(const struct run *r, const struct generation *g)
{
    const size_t left = r->n->m->positions - g->prompt_count;
    /* The last id needs no position: nothing follows it. */
    const size_t most = g->max_new ? g->max_new : r->o->max_new;
    return left + 1 < most ? left + 1 : most;
}

/* The slot whose cache begins with the most ids of a prompt, or NULL; *length: how many. fed: only
 * among those whose prompts have gone through the model. */
static const struct slot *slot_like(const struct run *r, const struct generation *g, bool fed,
                                    size_t *length)
{
    const struct slot *best = NULL;
    *length = 0;
    for (size_t i = 0; i < r->slots; i++) {
        const struct slot *s = &r->slot[i];
        if (!s->held || (fed && s->g && s->fed < s->g->prompt_count))
            continue;
        const size_t n = cache_common(g->prompt, g->prompt_count, s->held->prompt,
                                      s->held->prompt_count);
        if (n > *length) {
            *length = n;
            best = s;
        }
    }
    return best;
}

/* from: the slot, perhaps s itself, whose cache begins with the first `shared` ids of the prompt;
 * NULL: none. */
static int slot_start(struct run *r, struct slot *s, struct generation *g, const struct slot *from,
                      size_t shared, struct error *e)
{
    s->g = g;
    s->held = g;
    s->fed = shared;
    g->count = 0;
    g->eos = g->stopped = false;
    if (g->score) {
        g->logprob = memory_new(room(r, g), sizeof *g->logprob, "generated ids", e);
        if (!g->logprob)
            return -1;
    }
    g->ids = memory_new(room(r, g), sizeof *g->ids, "generated ids", e);
    if (!g->ids)
        return -1;
    for (size_t i = 0; i < r->n->m->layers; i++) {
        struct cache *c = &s->cache[i];
        if (from && from != s && cache_share(c, r->n->m, &from->cache[i], shared, e))
            return -1;
        c->length = shared;
        if (cache_reserve(c, r->n->m, g->prompt_count + room(r, g), e))
            return -1;
    }
    return 0;
}

/* Gathers the rows of a step into x: what each sequence has not yet been fed. */
static int step_rows(struct run *r, size_t parts, size_t rows, struct error *e)
{
    const size_t stride = forward_stride(r->n->m);
    if (rows > r->rows) {
        free(r->x);
        r->rows = 0;
        r->x = memory_new(rows, stride * sizeof *r->x, "activations", e);
        if (!r->x)
            return -1;
        r->rows = rows;
    }
    /* From the prompt, then from what was generated. */
    size_t entries = 0;
    for (size_t i = 0; i < parts; i++) {
        const struct slot *s = &r->slot[r->part_slot[i]];
        const struct generation *g = s->g;
        const size_t end = s->fed + r->part[i].count;
        for (size_t at = s->fed; at < end;) {
            const bool prompt = at < g->prompt_count;
            const size_t stop = prompt && g->prompt_count < end ? g->prompt_count : end;
            r->entry[entries++] =
                (struct entry){prompt ? g->prompt + at : g->ids + (at - g->prompt_count), at,
                               stop - at, r->x + (r->part[i].row + at - s->fed) * stride};
            at = stop;
        }
    }
    struct network *n = r->n;
    if (forward_enter(n->forward, ROLE_EMBEDDING, NULL, &n->embedding, r->entry, entries, e))
        return -1;
    for (enum model_role role = ROLE_PROJECT_IN; role <= ROLE_POSITIONS; role++)
        if (n->before.present[role] && forward_enter(n->forward, role, NULL, &n->before.matrix[role],
                                                     r->entry, entries, e))
            return -1;
    return 0;
}

static int step(struct run *r, struct generation *list, size_t count, size_t *next, size_t *done,
                struct error *e)
{
    struct network *n = r->n;
    const size_t stride = forward_stride(n->m), ld = panel_size(n->m->vocab);
    const struct matrix *head = n->m->tied ? &n->embedding : &n->head;
    size_t parts = 0, rows = 0;
    for (size_t i = 0; i < r->slots; i++)
        rows += r->slot[i].g != NULL;
    for (size_t i = 0; i < r->slots && *next < count; i++) {
        struct slot *s = &r->slot[i];
        struct generation *g = &list[*next];
        size_t like, there;
        if (s->g)
            continue;
        /* A prompt that begins as one that joined just now waits until that one has been fed. */
        const struct slot *from = slot_like(r, g, true, &there);
        slot_like(r, g, false, &like);
        if (like > there)
            break;
        const size_t fresh = g->prompt_count - there;
        if (rows && rows + fresh > STEP_ROWS)
            break;
        rows += fresh;
        ++*next;
        if (slot_start(r, s, g, from, there, e))
            return -1;
    }
    rows = 0;
    for (size_t i = 0; i < r->slots; i++) {
        const struct slot *s = &r->slot[i];
        if (!s->g)
            continue;
        const size_t fresh = s->g->prompt_count + s->g->count - s->fed;
        r->part_slot[parts] = i;
        r->part[parts++] = (struct sequence){.row = rows, .count = fresh, .number = s->g->item};
        rows += fresh;
    }
    if (step_rows(r, parts, rows, e))
        return -1;
    for (size_t layer = 0; layer < n->m->layers; layer++) {
        for (size_t i = 0; i < parts; i++)
            r->part[i].cache = &r->slot[r->part_slot[i]].cache[layer];
        if (forward_block(n->forward, &n->block[layer], layer, r->x, r->part, parts, NULL, e))
            return -1;
    }
    for (size_t i = 0; i < parts; i++)
        memcpy(r->last + i * stride, r->x + (r->part[i].row + r->part[i].count - 1) * stride,
               stride * sizeof *r->last);
    if (forward_logits(n->forward, n->norm, head, r->last, parts, r->logits, e))
        return -1;
    for (size_t i = 0; i < parts; i++) {
        struct slot *s = &r->slot[r->part_slot[i]];
        struct generation *g = s->g;
        const float *logits = r->logits + i * ld;
        s->fed += r->part[i].count;
        const int32_t id = r->o->temperature > 0 ? sample(r->o, logits, n->m->vocab, r->choice,
                                                          random_uniform(r->key, g->item, g->count))
                                                 : forward_best(logits, n->m->vocab);
        if (g->score)
            g->logprob[g->count] =
                -forward_nll(forward_kernels(n->forward), logits, n->m->vocab, id);
        g->ids[g->count++] = id;
        g->eos = !r->o->ignore_eos && is_stop(r->o, id);
        g->stopped = !g->eos && r->o->stop_when && r->o->stop_when(r->o->stop_context, g);
        if (g->eos || g->stopped || g->count == room(r, g)) {
            s->g = NULL;
            ++*done;
        }
    }
    return 0;
}

int network_generate(struct network *n, const struct generate_options *o, struct generation *list,
                     size_t count, const struct cli *c, struct error *e)
{
    struct run r = {.n = n, .o = o, .key = random_key_new(o->seed, o->name ? o->name : "generate")};
    const size_t stride = forward_stride(n->m), ld = panel_size(n->m->vocab);
    size_t next = 0, done = 0;
    int result = -1;
    for (size_t i = 0; i < count; i++)
        if (list[i].prompt_count == 0 || list[i].prompt_count > n->m->positions)
            return error_set(e, "prompt %zu has %zu ids; the model has %zu positions", i,
                             list[i].prompt_count, n->m->positions);
    if (o->max_new == 0)
        return 0;
    const size_t own = model_parameters(n->m, false) < SMALL ? BATCH_SMALL : BATCH_LARGE;
    const size_t batch = o->batch ? o->batch : own;
    r.slots = batch < count ? batch : count;
    size_t longest = 0, prompts = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t length = list[i].prompt_count + room(&r, &list[i]);
        longest = length > longest ? length : longest;
        prompts = list[i].prompt_count > prompts ? list[i].prompt_count : prompts;
    }
    const uint64_t need = n->memory + r.slots * n->m->layers * cache_bytes(n->m, longest) +
                          forward_bytes(n->m, r.slots * prompts, longest, pool_threads(n->pool)) +
                          r.slots * (ld + stride) * sizeof(float);
    if (c && cli_memory(c, need, e))
        return -1;
    r.slot = memory_new(r.slots, sizeof *r.slot, "sequences", e);
    r.part = memory_new(r.slots, sizeof *r.part, "sequences", e);
    r.part_slot = memory_new(r.slots, sizeof *r.part_slot, "sequences", e);
    r.entry = memory_new(r.slots, 2 * sizeof *r.entry, "sequences", e);
    r.last = memory_new(r.slots, stride * sizeof *r.last, "activations", e);
    r.logits = memory_new(r.slots, ld * sizeof *r.logits, "logits", e);
    r.choice = memory_new(n->m->vocab, sizeof *r.choice, "logits", e);
    if (!r.slot || !r.part || !r.part_slot || !r.entry || !r.last || !r.logits || !r.choice)
        goto out;
    for (size_t i = 0; i < r.slots; i++) {
        r.slot[i].cache = memory_new(n->m->layers, sizeof *r.slot[i].cache, "sequences", e);
        if (!r.slot[i].cache)
            goto out;
    }
    while (done < count) {
        if (step(&r, list, count, &next, &done, e))
            goto out;
        if (c)
            cli_progress(c, done, count, "prompts");
    }
    result = 0;
out:
    for (size_t i = 0; r.slot && i < r.slots; i++) {
        for (size_t j = 0; r.slot[i].cache && j < n->m->layers; j++)
            cache_free(&r.slot[i].cache[j]);
        free(r.slot[i].cache);
    }
    free(r.slot);
    free(r.part);
    free(r.part_slot);
    free(r.entry);
    free(r.x);
    free(r.last);
    free(r.logits);
    free(r.choice);
    return result;
}
