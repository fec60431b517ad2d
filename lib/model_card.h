/* The README.md of an exported model: what it was made of, by which steps, what is left of its
 * weights, and what was measured of it. */
#ifndef KICK_MODEL_CARD_H
#define KICK_MODEL_CARD_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory.h"
#include "source.h"

/* s: all of it read. layout: how the weights are stored; bytes: of their file. results: a file of
 * result streams of this very model, or NULL. */
int model_card(const struct source *s, const char *layout, uint64_t bytes, const char *results,
               struct buffer *out, struct error *e);

#endif
