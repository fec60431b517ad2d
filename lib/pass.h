/* One pass of a model stream over many sequences: each block is packed as it comes off the pipe,
 * all sequences go through it, it is dropped. Memory: one block, the head, and the activations of
 * all sequences, which move to an unlinked temporary file (in TMPDIR) above a limit. */
#ifndef KICK_PASS_H
#define KICK_PASS_H

#include <stddef.h>
#include <stdint.h>

#include "cli.h"
#include "error.h"
#include "forward.h"
#include "pool.h"
#include "source.h"

/* A continuation of a sequence that shares its first `from` >= 1 positions: ids[0] stands at
 * position `from`. */
struct pass_branch {
    const int32_t *ids; /* borrowed */
    size_t count, from;
};

struct pass_sequence {
    const int32_t *ids; /* borrowed while the pass lives */
    size_t count;       /* >= 1; not checked against the model's positions */
    const struct pass_branch *branch; /* borrowed; may be NULL */
    size_t branches;
};

struct pass;

/* Reads the rest of the source. c (for --mem-max, -v and progress) may be NULL. hook may be NULL;
 * without it a sequence that begins like one shortly before it takes that one's keys and values.
 * After it the numbers after the last block are there, and the head. */
int pass_run(struct pass **out, struct source *s, const struct pass_sequence *sequence,
             size_t count, struct pool *pool, const struct cli *c, const struct forward_hook *hook,
             struct error *e);
void pass_free(struct pass *p);

/* nll[i] = negative log-likelihood (nats) of ids[first + i] after those before it, first >= 1, of
 * `count` ids of a sequence. */
int pass_nll(struct pass *p, size_t sequence, size_t first, size_t count, double *nll,
             struct error *e);

/* nll of the ids of all branches of a sequence, branch after branch, each after the shared ids and
 * those before it; best (or NULL): the most likely ids in their places, the lowest of equals; *next:
 * that after the sequence itself. */
int pass_branches(struct pass *p, size_t sequence, double *nll, int32_t *best, int32_t *next,
                  struct error *e);

/* logits (count, panel_size(vocab)) after each of `count` ids from `first` on. */
int pass_logits(struct pass *p, size_t sequence, size_t first, size_t count, float *logits,
                struct error *e);

#endif
