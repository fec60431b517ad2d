/* The forward pass of one block, and what stands before and after the blocks. Both ways of running
 * a model use it: streamed (a block comes off the pipe, everything passes through it, it is
 * dropped) and resident (all blocks packed, keys and values cached). One pass, chunks and one token
 * at a time give the same bits, whatever the batch, the threads and the processor's level.
 *
 * Activations are f32 in rows of `stride` floats: hidden size rounded up to 16. */
#ifndef KICK_FORWARD_H
#define KICK_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "kernel.h"
#include "matrix.h"
#include "model.h"
#include "pool.h"
#include "tensor.h"

/* ---- weights -----------------------------------------------------------------------------------
 */

struct expert {
    struct matrix gate, up, down;
};

/* One block's weights by role: matrices packed, vectors in f32. Zero-initialise it. */
struct block {
    struct matrix matrix[ROLE_COUNT];
    float *vector[ROLE_COUNT];
    bool present[ROLE_COUNT];
    struct expert *expert; /* (experts) of a mixture */
    size_t experts;
    size_t count; /* tensors so far */
};

/* Takes one tensor of the block, whose shape was checked; or one of those before the blocks, in a
 * block of their own. A bias needs its matrix before it. */
int block_take(struct block *b, enum model_role role, const struct tensor *t, struct pool *pool,
               struct error *e);
/* A block's matrix of this role (and expert). */
struct matrix *block_matrix(struct block *b, enum model_role role, size_t expert);
/* Number of tensors that a block of this model has. */
size_t block_tensors(const struct model *m);
void block_free(struct block *b);

/* ---- keys and values ---------------------------------------------------------------------------
 */

/* Keys and values of one sequence in one layer, laid out as panels: keys (kv_heads, capacity/16,
 * head_dim, 16) with 16 positions across, values (kv_heads, ceil(head_dim/16), capacity, 16). A
 * key's place is its absolute position. Zero-initialise it. */
struct cache {
    float *keys, *values;
    size_t length, capacity;
};

/* Room for `length` positions in all; what is there stays. */
int cache_reserve(struct cache *c, const struct model *m, size_t length, struct error *e);
/* How many ids a sequence begins with as another does, whose keys and values it can take for these:
 * all but its last at most, and 0 where they are too few to be worth it. */
size_t cache_common(const int32_t *ids, size_t count, const int32_t *other, size_t others);
/* c becomes the first `length` positions of `from`, which has so many. */
int cache_share(struct cache *c, const struct model *m, const struct cache *from, size_t length,
                struct error *e);
size_t cache_bytes(const struct model *m, size_t length);
void cache_free(struct cache *c);

/* ---- running -----------------------------------------------------------------------------------
 */

struct forward;

/* kernels by KICK_CPU; pool may be NULL. Neither m nor pool is owned. */
int forward_new(struct forward **out, const struct model *m, struct pool *pool, struct error *e);
void forward_free(struct forward *f);
size_t forward_stride(const struct model *m);
const struct kernels *forward_kernels(const struct forward *f);
/* Bytes of working memory for up to `rows` rows at once and sequences of up to `length`; of the
 * logits beside the head when `rows` rows are scored. */
size_t forward_bytes(const struct model *m, size_t rows, size_t length, long threads);
size_t forward_logits_bytes(const struct model *m, size_t rows);

/* `count` rows from `row` on are the next positions of a sequence whose cache (of the layer at
 * hand) holds those before. */
struct sequence {
    size_t row, count;
    struct cache *cache;
    size_t number; /* for messages and hooks: which window or prompt this is */
};

/* Inputs of the projections of one role (model_role_input()): those of the next `count` positions of
 * one sequence, from `position` on. An expert gets some of them, perhaps none. */
struct hooked {
    enum model_role role;
    size_t layer, expert;
    const struct sequence *sequence;
    size_t position, count;
    size_t rows; /* of x: count, but for experts */
    const size_t *row; /* of an expert: which of the positions each is; else NULL */
    const float *x;    /* (rows, columns of the matrix), ldx floats apart */
    size_t ldx;
};

/* Called by one thread, a sequence's positions in order. */
struct forward_hook {
    int (*see)(void *context, const struct hooked *h, struct error *e);
    /* Whether the block's output at this position is of use: else what leaves it there is anything, and
     * only a mixture works it out. NULL: all are. */
    bool (*wanted)(void *context, const struct sequence *s, size_t position);
    void *context;
};

/* Runs x, rows of all sequences, through block b in place. Numbers that are not finite are an error
 * that names the layer. hook may be NULL. */
int forward_block(struct forward *f, const struct block *b, size_t layer, float *x,
                  const struct sequence *s, size_t count, const struct forward_hook *hook,
                  struct error *e);

/* A sequence whose embeddings are made: the ids at positions first, first + 1 … become rows of x,
 * (count, stride). */
struct entry {
    const int32_t *ids;
    size_t first, count;
    float *x;
};

/* One of the tensors before the blocks (model_role_is_before()), applied to the entries: looked up,
 * projected, positions added. To be called with each that the model has, in its order. The weights
 * are t, or packed in m: the other is NULL. */
int forward_enter(struct forward *f, enum model_role role, const struct tensor *t,
                  const struct matrix *m, const struct entry *list, size_t count, struct error *e);

/* Takes a tensor after the blocks other than the norm's weight and the head. */
int forward_take(struct forward *f, enum model_role role, const struct tensor *t, struct error *e);

/* logits (rows, panel_size(vocab)) of x (rows, stride): final norm (weight NULL where the model has
 * none), projection, head, soft cap. */
int forward_logits(struct forward *f, const float *norm, const struct matrix *head, const float *x,
                   size_t rows, float *logits, struct error *e);

/* Negative log-likelihood in nats of `target` under logits of n ids. */
double forward_nll(const struct kernels *k, const float *logits, size_t n, int32_t target);
/* The most likely of n ids, the lowest of equals. */
int32_t forward_best(const float *logits, size_t n);

/* nll[i] of target[i] after row i of x, without holding all logits. */
int forward_score(struct forward *f, const float *norm, const struct matrix *head, const float *x,
                  size_t rows, const int32_t *target, double *nll, struct error *e);

#endif
