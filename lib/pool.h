/* Threads: tiles taken from an atomic counter, workers asleep on a condition (a futex) between jobs, after looking for the next one
 * for some microseconds: decoding has hundreds of short jobs a token.
 * A job ends when its last tile is done; a thread that never got a core is not waited for. Results must not depend on which thread ran a
 * tile, nor on how many threads there are. */
#ifndef KICK_POOL_H
#define KICK_POOL_H

#include <stddef.h>

#include "error.h"

struct pool;

/* threads >= 1, the caller included: one thread starts nothing. */
int pool_new(struct pool **out, long threads, struct error *e);
void pool_free(struct pool *p);
long pool_threads(const struct pool *p);

/* Calls run(context, i, thread) for every i in 0..count-1, in any order, thread in
 * 0..threads-1; returns when all are done. A NULL pool runs them here. Not to be nested. */
void pool_run(struct pool *p, size_t count, void (*run)(void *context, size_t i, long thread),
              void *context);

#endif
