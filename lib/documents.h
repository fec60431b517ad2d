/* A text stream in memory: documents of text, or rows of token ids. */
#ifndef KICK_DOCUMENTS_H
#define KICK_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "model.h"
#include "stream.h"

struct document {
    char *text; /* `bytes` bytes of UTF-8 and a NUL; NULL in a row of ids */
    size_t bytes;
    int32_t *ids;
    size_t count;
};

struct documents {
    struct document *list;
    size_t count;
    bool ids;                          /* rows of ids rather than texts; never both */
    char *name;                        /* what the stream calls itself, or its file */
    char digest[STREAM_DIGEST_LENGTH]; /* of the stream */
};

/* Reads the text stream at path; limit: at most so many documents (0: all). An empty stream, one of
 * texts and ids mixed, and ids that are no ids are errors. Never "-": stdin is the model's. */
int documents_read(struct documents *d, const char *path, size_t limit, struct error *e);
void documents_free(struct documents *d);

/* Rows of ids for a model: at least `least` ids, at most its positions, all in its vocabulary. An
 * error names row and id. */
int documents_check_ids(const struct documents *d, const struct model *m, size_t least,
                        struct error *e);

#endif
