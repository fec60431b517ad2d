/* Attention. Keys and values lie in the panels that weight matrices lie in, so scores (keys across
 * the lanes) and sums of values (dimensions across the lanes, keys in order) are the products of
 * kernel.h: bound by the FMA ports for many queries, by reading the cache for one. Queries come in
 * tiles; all scores of a tile exist before a maximum is taken, no T x T matrix ever does. */
#include "attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmath.h"
#include "memory.h"
#include "transpose.h"

enum {
    TILE_MOST = 24,          /* queries of a tile: more would see many keys of later ones */
    TILE_FLOATS = 64 * 1024, /* scores of a tile that stay in the second-level cache */
    VALUE_BLOCK = 256,       /* keys whose values stay in the first-level cache */
};

/* ---- rotary positions --------------------------------------------------------------------------
 */

int rope_new(struct rope *r, const struct model *m, struct error *e)
{
    const size_t half = m->rotary / 2;
    *r = (struct rope){0};
    if (half == 0)
        return 0;
    r->frequency = memory_new(half, sizeof *r->frequency, "rotary frequencies", e);
    if (!r->frequency)
        return -1;
    const float factor = (float)m->rope_factor;
    for (size_t i = 0; i < half; i++) {
        const float exponent = (float)(2 * i) / (float)m->rotary;
        float f = 1.0f / (float)fmath_pow(m->rope_theta, (double)exponent);
        if (m->rope == ROPE_LINEAR)
            f = f / factor;
        if (m->rope == ROPE_LLAMA3) {
            /* Long waves are stretched by the factor, short ones kept, those between blended. */
            const float low = (float)m->rope_low_freq, high = (float)m->rope_high_freq;
            const float positions = (float)m->rope_original_positions;
            const float wave = 6.283185307179586f / f;
            if (wave > (float)(m->rope_original_positions / m->rope_low_freq)) {
                f = f / factor;
            } else if (!(wave < (float)(m->rope_original_positions / m->rope_high_freq))) {
                const float smooth = (positions / wave - low) / (high - low);
                f = (1.0f - smooth) * f / factor + smooth * f;
            }
        }
        r->frequency[i] = f;
    }
    return 0;
}

int rope_reserve(struct rope *r, const struct model *m, size_t length, struct error *e)
{
    const size_t half = m->rotary / 2;
    if (length <= r->length || half == 0)
        return 0;
    if (length < r->length + r->length / 2)
        length = r->length + r->length / 2;
    float *cosine = memory_resize(r->cosine, length, half * sizeof *cosine, "rotary positions", e);
    if (!cosine)
        return -1;
    r->cosine = cosine;
    float *sine = memory_resize(r->sine, length, half * sizeof *sine, "rotary positions", e);
    if (!sine)
        return -1;
    r->sine = sine;
    for (size_t p = r->length; p < length; p++) {
        for (size_t i = 0; i < half; i++) {
            const float angle = (float)p * r->frequency[i];
            cosine[p * half + i] = (float)fmath_cos((double)angle);
            sine[p * half + i] = (float)fmath_sin((double)angle);
        }
    }
    r->length = length;
    return 0;
}

void rope_free(struct rope *r)
{
    free(r->frequency);
    free(r->cosine);
    free(r->sine);
    *r = (struct rope){0};
}

/* ---- cache -------------------------------------------------------------------------------------
 */

static size_t capacity_for(size_t length)
{
    return panel_size(length);
}

/* Floats of the keys, and of the values, of a cache. */
static size_t key_floats(const struct model *m, size_t capacity)
{
    return m->kv_heads * m->head_dim * capacity;
}

static size_t value_floats(const struct model *m, size_t capacity)
{
    return m->kv_heads * panel_size(m->head_dim) * capacity;
}

size_t cache_bytes(const struct model *m, size_t length)
{
    const size_t capacity = capacity_for(length);
    return (key_floats(m, capacity) + value_floats(m, capacity)) * sizeof(float);
}

int cache_reserve(struct cache *c, const struct model *m, size_t length, struct error *e)
{
    if (length <= c->capacity)
        return 0;
    const size_t capacity = capacity_for(length);
    float *keys = memory_new(key_floats(m, capacity), sizeof *keys, "cached keys", e);
    float *values = memory_new(value_floats(m, capacity), sizeof *values, "cached values", e);
    if (!keys || !values) {
        free(keys);
        free(values);
        return -1;
    }
    const size_t panels = panel_size(m->head_dim) / PANEL;
    for (size_t h = 0; c->capacity && h < m->kv_heads; h++) {
        memcpy(keys + h * m->head_dim * capacity, c->keys + h * m->head_dim * c->capacity,
               m->head_dim * c->capacity * sizeof *keys);
        for (size_t p = h * panels; p < (h + 1) * panels; p++)
            memcpy(values + p * capacity * PANEL, c->values + p * c->capacity * PANEL,
                   c->length * PANEL * sizeof *values);
    }
    free(c->keys);
    free(c->values);
    c->keys = keys;
    c->values = values;
    c->capacity = capacity;
    return 0;
}

size_t cache_common(const int32_t *ids, size_t count, const int32_t *other, size_t others)
{
    enum { LEAST = 8 };
    const size_t most = others < count - 1 ? others : count - 1;
    size_t n = 0;
    while (n < most && ids[n] == other[n])
        n++;
    return n < LEAST ? 0 : n;
}

int cache_share(struct cache *c, const struct model *m, const struct cache *from, size_t length,
                struct error *e)
{
    const size_t d = m->head_dim, panels = panel_size(d) / PANEL;
    c->length = 0;
    if (cache_reserve(c, m, length, e))
        return -1;
    for (size_t h = 0; h < m->kv_heads; h++) {
        memcpy(c->keys + h * d * c->capacity, from->keys + h * d * from->capacity,
               panel_size(length) * d * sizeof *c->keys);
        for (size_t p = h * panels; p < (h + 1) * panels; p++)
            memcpy(c->values + p * c->capacity * PANEL, from->values + p * from->capacity * PANEL,
                   length * PANEL * sizeof *c->values);
    }
    c->length = length;
    return 0;
}

void cache_free(struct cache *c)
{
    free(c->keys);
    free(c->values);
    *c = (struct cache){0};
}

/* Puts `count` keys and values, (kv_heads, head_dim) each and ld floats apart, at positions of one
 * panel. */
static void cache_put(struct cache *c, const struct model *m, size_t position, size_t count,
                      const float *k, const float *v, size_t ld)
{
    const size_t d = m->head_dim, padded = panel_size(d);
    for (size_t h = 0; h < m->kv_heads; h++) {
        transpose_floats(
            count, d, k + h * d, ld,
            c->keys + (h * c->capacity + position / PANEL * PANEL) * d + position % PANEL, PANEL);
        for (size_t i = 0; i < d; i += PANEL) {
            float *value = c->values + (h * padded + i) * c->capacity + position * PANEL;
            for (size_t t = 0; t < count; t++)
                if (d - i >= PANEL)
                    memcpy(value + t * PANEL, v + t * ld + h * d + i, PANEL * sizeof *value);
                else
                    memcpy(value + t * PANEL, v + t * ld + h * d + i, (d - i) * sizeof *value);
        }
    }
}

/* ---- attention ---------------------------------------------------------------------------------
 */

static size_t tile_queries(size_t keys)
{
    size_t n = TILE_FLOATS / panel_size(keys) / 6 * 6;
    return n < 6 ? 6 : n > TILE_MOST ? TILE_MOST : n;
}

/* Floats of one tile: scores, and values before they are divided. */
static size_t scratch_floats(const struct model *m, size_t longest)
{
    const size_t group = m->heads / m->kv_heads;
    const size_t rows = tile_queries(longest) > group ? tile_queries(longest) : group;
    /* A shorter sequence has larger tiles of about as many scores. */
    size_t scores = rows * panel_size(longest);
    if (scores < TILE_FLOATS)
        scores = TILE_FLOATS;
    const size_t most = TILE_MOST > group ? TILE_MOST : group;
    return scores + most * panel_size(m->head_dim);
}

size_t attention_bytes(const struct model *m, size_t longest, long threads)
{
    return (size_t)threads * scratch_floats(m, longest) * sizeof(float);
}

int attention_reserve(struct attention_scratch *a, const struct model *m, size_t longest,
                      struct error *e)
{
    const size_t floats = scratch_floats(m, longest);
    if (floats <= a->floats)
        return 0;
    for (size_t i = 0; i < a->threads; i++) {
        free(a->score[i]);
        a->score[i] = memory_new(floats, sizeof **a->score, "attention scores", e);
        if (!a->score[i]) {
            a->floats = 0;
            return -1;
        }
    }
    a->floats = floats;
    return 0;
}

void attention_free(struct attention_scratch *a)
{
    for (size_t i = 0; a->score && i < a->threads; i++)
        free(a->score[i]);
    free(a->score);
    *a = (struct attention_scratch){0};
}

struct attention {
    const struct model *m;
    const struct attention_layer *layer;
    const struct kernels *kernels;
    const struct rope *r;
    const struct attention_scratch *scratch;
    float *q, *k;
    const float *v;
    size_t ldq, ldk;
    const struct sequence *s;
    size_t count;
};

static void norm_heads(const struct attention *a, const float *weight, size_t heads, float *x)
{
    const size_t d = a->m->head_dim;
    for (size_t h = 0; weight && h < heads; h++)
        a->kernels->rms_norm(x + h * d, d, weight, (float)a->m->norm_eps, x + h * d);
}

static void rotate_and_store(void *context, size_t i, long thread)
{
    const struct attention *a = context;
    const struct model *m = a->m;
    const struct sequence *s = &a->s[i];
    const size_t half = m->rotary / 2;
    (void)thread;
    for (size_t t = 0, first = 0; t < s->count; t++) {
        const size_t position = s->cache->length + t;
        float *q = a->q + (s->row + t) * a->ldq, *k = a->k + (s->row + t) * a->ldk;
        norm_heads(a, a->layer->q_norm, m->heads, q);
        norm_heads(a, a->layer->k_norm, m->kv_heads, k);
        if (half) {
            const float *cosine = a->r->cosine + position * half;
            const float *sine = a->r->sine + position * half;
            for (size_t h = 0; h < m->heads; h++)
                a->kernels->rope(q + h * m->head_dim, half, cosine, sine);
            for (size_t h = 0; h < m->kv_heads; h++)
                a->kernels->rope(k + h * m->head_dim, half, cosine, sine);
        }
        if (t + 1 == s->count || position % PANEL == PANEL - 1) {
            cache_put(s->cache, m, s->cache->length + first, t + 1 - first,
                      a->k + (s->row + first) * a->ldk, a->v + (s->row + first) * a->ldk, a->ldk);
            first = t + 1;
        }
    }
}

/* `rows` queries ldx floats apart; query r sees the first `visible + r * step` keys, of them the
 * last `window`. Keys that no query sees are left out in whole panels, so that lanes stay those of
 * their positions. The queries are left as the attention's output. */
static void tile(const struct attention *a, const struct cache *c, size_t kv_head, float *x,
                 size_t ldx, size_t rows, size_t visible, size_t step, float *score)
{
    const struct model *m = a->m;
    const struct kernels *kernels = a->kernels;
    const size_t window = a->layer->window;
    const size_t start = window && visible > window ? (visible - window) / PANEL * PANEL : 0;
    const size_t d = m->head_dim, padded = panel_size(d);
    const size_t keys = visible + (rows - 1) * step - start, columns = panel_size(keys);
    const float scale = a->layer->scale;
    kernel_product *product = kernels->product[PANEL_F32];
    float *sum = score + rows * columns, total[TILE_MOST];
    product(rows, columns / PANEL, d, x, ldx, c->keys + (kv_head * c->capacity + start) * d,
            d * PANEL, score, columns, NULL, false);
    for (size_t r = 0; r < rows; r++) {
        const size_t last = visible + r * step;
        const size_t first = window && last > window ? last - window : 0; /* >= start */
        float *row = score + r * columns, factor = scale;
        if (m->attention_cap > 0) {
            kernels->cap(row, last - start, scale, (float)m->attention_cap);
            factor = 1;
        }
        total[r] = kernels->softmax(row, first - start, last - start, columns, factor);
    }
    const float *values = c->values + kv_head * padded * c->capacity + start * PANEL;
    for (size_t j = 0; j < keys; j += VALUE_BLOCK) {
        const size_t n = keys - j < VALUE_BLOCK ? keys - j : VALUE_BLOCK;
        product(rows, padded / PANEL, n, score + j, columns, values + j * PANEL,
                c->capacity * PANEL, sum, padded, NULL, j > 0);
    }
    for (size_t r = 0; r < rows; r++)
        kernels->divide(sum + r * padded, d, total[r], x + r * ldx);
}

/* One head's queries of one sequence; for a single position, all heads that share keys at once. */
static void attend(const struct attention *a, const struct sequence *s, size_t head, size_t first,
                   size_t n, float *score)
{
    const struct model *m = a->m;
    const size_t group = m->heads / m->kv_heads, before = s->cache->length;
    if (s->count == 1) {
        float *x = a->q + s->row * a->ldq + head * group * m->head_dim;
        for (size_t h = 0; h < group; h += TILE_MOST)
            tile(a, s->cache, head, x + h * m->head_dim, m->head_dim,
                 group - h < TILE_MOST ? group - h : TILE_MOST, before + 1, 0, score);
        return;
    }
    tile(a, s->cache, head / group, a->q + (s->row + first) * a->ldq + head * m->head_dim, a->ldq,
         n, before + first + 1, 1, score);
}

/* Work is numbered: sequence after sequence, in each head after head, in each tile after tile; the
 * last tiles, which see most keys, first. */
static size_t heads_of(const struct model *m, const struct sequence *s)
{
    return s->count == 1 ? m->kv_heads : m->heads;
}

static size_t tiles_of(const struct sequence *s)
{
    const size_t n = tile_queries(s->cache->length + s->count);
    return (s->count + n - 1) / n;
}

static void attend_item(void *context, size_t i, long thread)
{
    const struct attention *a = context;
    const struct sequence *s = a->s;
    for (; i >= heads_of(a->m, s) * tiles_of(s); s++)
        i -= heads_of(a->m, s) * tiles_of(s);
    const size_t tiles = tiles_of(s), n = tile_queries(s->cache->length + s->count);
    const size_t first = (tiles - 1 - i % tiles) * n;
    attend(a, s, i / tiles, first, s->count - first < n ? s->count - first : n,
           a->scratch->score[thread]);
}

void attention_run(const struct model *m, const struct attention_layer *layer,
                   const struct kernels *kernels, struct pool *pool, const struct rope *r,
                   const struct attention_scratch *scratch, float *q, size_t ldq, float *k,
                   const float *v, size_t ldk, const struct sequence *s, size_t count)
{
    struct attention a = {m, layer, kernels, r, scratch, q, k, v, ldq, ldk, s, count};
    size_t items = 0;
    double work = 0;
    for (size_t i = 0; i < count; i++) {
        items += heads_of(m, &s[i]) * tiles_of(&s[i]);
        work += (double)s[i].count * (double)(s[i].cache->length + s[i].count) *
                (double)(m->heads * m->head_dim);
    }
    if (work < 1 << 17) /* waking a thread would not pay */
        pool = NULL;
    pool_run(pool, count, rotate_and_store, &a);
    pool_run(pool, items, attend_item, &a);
    for (size_t i = 0; i < count; i++)
        s[i].cache->length += s[i].count;
}
