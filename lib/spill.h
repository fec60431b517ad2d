/* Large working memory: in memory up to a limit, above it in a temporary file without a name (in
 * TMPDIR, else /tmp), whose space is reserved at once so that a full disk is an early error. */
#ifndef KICK_SPILL_H
#define KICK_SPILL_H

#include <stddef.h>

#include "error.h"

struct spill {
    void *data;
    size_t mapped; /* bytes of a file's mapping; 0: in memory */
};

/* Zeroed memory for count items of size bytes. */
int spill_new(struct spill *s, size_t count, size_t size, size_t limit, struct error *e);
void spill_free(struct spill *s);

#endif
