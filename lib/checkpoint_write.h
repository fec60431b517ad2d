/* Writing a checkpoint directory: filled under a temporary name beside the final one, and renamed
 * when all of it is there. */
#ifndef KICK_CHECKPOINT_WRITE_H
#define KICK_CHECKPOINT_WRITE_H

#include <jansson.h>
#include <stddef.h>

#include "error.h"

struct checkpoint_writer {
    char *path, *temporary; /* the directory that it will be, and that it is now */
};

/* path must not exist yet, or be an empty directory. */
int checkpoint_create(struct checkpoint_writer *w, const char *path, struct error *e);
/* A file of it: n bytes, or a JSON object, a key a line. */
int checkpoint_put(const struct checkpoint_writer *w, const char *name, const void *data, size_t n,
                   struct error *e);
int checkpoint_put_json(const struct checkpoint_writer *w, const char *name, const json_t *json,
                        struct error *e);
int checkpoint_commit(struct checkpoint_writer *w, struct error *e);
/* Frees; removes what was not committed. */
void checkpoint_writer_free(struct checkpoint_writer *w);

#endif
