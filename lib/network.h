/* A whole model in memory, packed, and generation with cached keys and values. */
#ifndef KICK_NETWORK_H
#define KICK_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli.h"
#include "error.h"
#include "forward.h"
#include "pool.h"
#include "source.h"

struct network {
    const struct model *m; /* of the source */
    struct pool *pool;
    struct forward *forward;
    struct block *block;     /* (layers) */
    struct matrix embedding; /* and head, where tied */
    struct block before;     /* positions and a projection, where the model has them */
    struct matrix head;
    float *norm;
    uint64_t memory; /* estimate of what loading took */
};

/* Reads the rest of the source, which must outlive the network. c (for --mem-max) may be NULL. */
int network_load(struct network *n, struct source *s, struct pool *pool, const struct cli *c,
                 struct error *e);
void network_free(struct network *n);

struct generation;

struct generate_options {
    size_t max_new;
    size_t batch; /* sequences at a time; does not change results. 0: by the model's size */
    bool ignore_eos;
    double temperature; /* 0: greedy, the lowest id of equal logits */
    double top_p;       /* 1: all */
    uint64_t seed;
    const char *name;           /* of the random numbers */
    long stop[MODEL_STOPS_MAX]; /* ids that end a sequence */
    size_t stops;
    /* Called after each id of a sequence; true ends it there (g->stopped). NULL: never. */
    bool (*stop_when)(void *context, const struct generation *g);
    void *stop_context;
};

/* One prompt and what follows it. A sequence ends at a stop id (the last of ids then), after
 * max_new ids or at the model's last position. */
struct generation {
    const int32_t *prompt; /* borrowed; prompt_count >= 1, at most the model's positions */
    size_t prompt_count;
    uint64_t item; /* key of its random numbers */
    size_t max_new; /* 0: that of the options */
    int32_t *ids;   /* filled; freed by the caller */
    size_t count;
    bool eos, stopped;
    bool score;      /* fill logprob: ln of the probability of each id, at temperature 1 */
    double *logprob; /* freed by the caller */
};

int network_generate(struct network *n, const struct generate_options *o, struct generation *list,
                     size_t count, const struct cli *c, struct error *e);

#endif
