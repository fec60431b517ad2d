/* A model coming in: header and configuration, tokenizer, then its tensors with their roles. */
#ifndef KICK_SOURCE_H
#define KICK_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "model.h"
#include "pool.h"
#include "stream.h"
#include "tensor.h"
#include "tokenizer.h"

/* What the tensors read so far hold. */
struct source_size {
    size_t stored_bytes;     /* all tensors, as encoded */
    size_t projection_bytes; /* those of the projections */
    size_t weights, zeros;   /* of the projections */
};

struct source {
    struct stream_reader *reader;
    struct model model;
    struct tokenizer *tokenizer;                 /* NULL: the model came without one */
    char tokenizer_digest[STREAM_DIGEST_LENGTH]; /* of its file; "" without */
    char *settings;                              /* text of tokenizer_config.json, or NULL */
    bool keep_file;                              /* keep that file: */
    unsigned char *file;                         /* its bytes and kind (tokenizer_new()), or NULL */
    size_t file_bytes;
    char *file_kind;
    struct source_size size;
    struct stream_record record; /* the first tensor, met while looking for a tokenizer */
    bool pending;
    size_t tensors; /* required ones so far */
};

/* Opens a model stream ("-": stdin) and reads up to its first tensor. */
int source_open(struct source *s, const char *path, struct pool *pool, struct error *e);
/* The same, for those who pass the tokenizer on: its file is kept. */
int source_open_whole(struct source *s, const char *path, struct pool *pool, struct error *e);
void source_close(struct source *s);

/* Next tensor (freed with tensor_free(); it borrows until the next call), its shape checked,
 * ignored ones left out. 1: there is one; 0: the stream ended whole, with all tensors a model must
 * have; -1: an error. */
int source_next(struct source *s, struct tensor *t, enum model_role *role, size_t *layer,
                struct error *e);

/* Estimates in bytes, before the tensors are read, taking all in the type of the first: what
 * reading it tensor by tensor takes; with one block packed at a time (and the head, at the end or all
 * the time where tied; beside it alone live so many bytes of logits); and with all of it packed. */
uint64_t source_memory_reading(const struct source *s, struct pool *pool);
uint64_t source_memory(const struct source *s, struct pool *pool, uint64_t logits);
uint64_t source_memory_resident(const struct source *s, struct pool *pool);

/* The object under "model" in a result stream, after the last tensor: id, name, steps,
 * bits_per_weight, stored_bytes, sparsity. NULL on error. */
json_t *source_describe(const struct source *s, struct error *e);

#endif
