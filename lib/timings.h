/* --timings FILE: where a program's time went, in a stream of its own (kind "bench"), since other streams
 * hold nothing that differs from run to run. */
#ifndef KICK_TIMINGS_H
#define KICK_TIMINGS_H

#include <jansson.h>

#include "cli.h"
#include "error.h"

struct timings;

/* *out stays NULL without --timings; the functions below then do nothing. */
int timings_open(struct timings **out, const struct cli *c, struct error *e);
/* Takes over record. */
int timings_add(struct timings *t, json_t *record, struct error *e);
int timings_finish(struct timings *t, struct error *e);
void timings_free(struct timings *t);

/* Seconds of a clock that only goes forward. */
double timings_now(void);

#endif
