/* Rotary positions and attention over cached keys and values; part of the forward pass. */
#ifndef KICK_ATTENTION_H
#define KICK_ATTENTION_H

#include <stddef.h>

#include "error.h"
#include "forward.h"

/* cos and sin of position x frequency, (length, rotary / 2) each, grown as needed. Frequencies
 * and angles are rounded to f32 where transformers rounds them. */
struct rope {
    float *frequency; /* (rotary / 2) */
    float *cosine, *sine;
    size_t length;
};
int rope_new(struct rope *r, const struct model *m, struct error *e);
int rope_reserve(struct rope *r, const struct model *m, size_t length, struct error *e);
void rope_free(struct rope *r);

/* Scores of one tile of queries, one buffer a thread. */
struct attention_scratch {
    float **score; /* (threads) */
    size_t threads, floats;
};
int attention_reserve(struct attention_scratch *a, const struct model *m, size_t longest,
                      struct error *e);
void attention_free(struct attention_scratch *a);
size_t attention_bytes(const struct model *m, size_t longest, long threads);

/* What differs between layers. Norms (head_dim) of each head of q and k come before the rotation;
 * NULL: none. */
struct attention_layer {
    float scale;
    size_t window; /* keys that a query sees, its own included; 0: all before it */
    const float *q_norm, *k_norm;
};

/* For each sequence: norms and rotates its rows of q (rows, heads, head_dim) and k, appends k and v
 * to its cache (which has room), attends, and leaves the result in q. */
void attention_run(const struct model *m, const struct attention_layer *layer,
                   const struct kernels *kernels, struct pool *pool, const struct rope *r,
                   const struct attention_scratch *a, float *q, size_t ldq, float *k,
                   const float *v, size_t ldk, const struct sequence *s, size_t count);

#endif
