/* A checkpoint as its maker saved it: a directory, or one file of one. What is inside (safetensors or
 * PyTorch files, whole or in shards, GGUF) looks the same from here: a config, a tokenizer, tensors by name
 * that are read when they are wanted.
 *   directory            config.json; model.safetensors, its index and shards, or, where there is
 *                        neither, pytorch_model.bin, its index and shards
 *   X.safetensors X.bin  one file, with config.json beside it
 *   X.gguf               one file, which holds everything */
#ifndef KICK_CHECKPOINT_H
#define KICK_CHECKPOINT_H

#include <jansson.h>
#include <stddef.h>

#include "error.h"
#include "gguf_model.h"
#include "packed.h"

enum { CHECKPOINT_RANK_MAX = 8 };

struct checkpoint_entry {
    const char *name;
    const char *dtype; /* "F32", "BF16" …; "INT": quantized, for checkpoint_read_packed() */
    int rank;
    size_t shape[CHECKPOINT_RANK_MAX];
    size_t bytes;   /* as checkpoint_read() gives them: of an INT its packed codes */
    size_t file, at; /* which file of the checkpoint, and which entry of that */
    const struct checkpoint_entry *part[PARTS]; /* of a quantized one; NULL: there is none */
};

struct checkpoint {
    char *path, *directory; /* as given; where the other files are */
    json_t *config, *generation; /* generation: or NULL */
    /* The tokenizer's file, its kind (see tokenizer_new()) and tokenizer_config.json; or NULL. */
    char *tokenizer, *settings;
    size_t tokenizer_bytes, settings_bytes;
    const char *tokenizer_kind;
    struct gguf_model gguf; /* or its files: */
    struct checkpoint_file *file;
    size_t files;
    struct packed_scheme scheme;
    struct checkpoint_entry *entry;
    size_t count;
    struct checkpoint_entry *stored; /* of a quantized checkpoint: the tensors of its files */
    char *names;
};

/* Opens a checkpoint; the caller frees it, also after an error. */
int checkpoint_open(struct checkpoint *c, const char *path, struct error *e);
void checkpoint_free(struct checkpoint *c);

/* Reads `bytes` bytes of a tensor, row-major, from `offset` on, both multiples of 4096 or up to the
 * tensor's end. */
int checkpoint_read(const struct checkpoint *c, const struct checkpoint_entry *t, size_t offset,
                    size_t bytes, void *out, struct error *e);

/* The type of a float tensor: F32, F16 or BF16. */
enum tensor_values checkpoint_values(const struct checkpoint_entry *t);

/* Says that this tensor is read next, so that the disk can begin. */
void checkpoint_prefetch(const struct checkpoint *c, const struct checkpoint_entry *t);

/* Reads a tensor of dtype INT; packed_free() frees it. */
int checkpoint_read_packed(const struct checkpoint *c, const struct checkpoint_entry *t,
                           struct packed *out, struct error *e);

#endif
