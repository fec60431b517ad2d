/* A GGUF file as a checkpoint: its metadata as a config.json, llama.cpp's tensor names as Hugging
 * Face's, its blocks as floats, its vocabulary as a tokenizer's file. What llama.cpp's converter
 * changes (see gguf_names) is undone. Matrices are (rows, columns) for every architecture. */
#ifndef KICK_GGUF_MODEL_H
#define KICK_GGUF_MODEL_H

#include <jansson.h>
#include <stddef.h>

#include "gguf.h"
#include "gguf_names.h"
#include "memory.h"
#include "packed.h"

struct gguf_model_entry {
    const struct gguf_entry *entry;
    size_t first, rows; /* of its rows: an expert's are some of those of all experts */
    int rank;
    size_t shape[GGUF_RANK_MAX];
    char name[96];
    const char *dtype; /* "INT" for codes of projections, "F32" for what else is in blocks */
    size_t bytes;      /* as floats */
    enum gguf_change change; /* to be undone */
};

struct gguf_model {
    struct gguf *file;
    json_t *config;
    struct model model; /* what the config says */
    struct gguf_model_entry *entry;
    size_t count;
};

/* The caller frees it, also after an error. */
int gguf_model_open(struct gguf_model *m, const char *path, struct error *e);
void gguf_model_free(struct gguf_model *m);
/* `bytes` bytes of a tensor, row-major, from `offset` on. */
int gguf_model_read(const struct gguf_model *m, const struct gguf_model_entry *t, size_t offset,
                    size_t bytes, void *out, struct error *e);

/* A tensor of dtype INT, its codes as they are; packed_free() frees it. */
int gguf_model_read_packed(const struct gguf_model *m, const struct gguf_model_entry *t,
                           struct packed *out, struct error *e);

/* Llama 3's rule (see ROPE_LLAMA3), as rope_freqs.weight has it: what the frequency of a wave of so
 * many positions is divided by; and the length of wave i of n. */
struct gguf_rope {
    double most, low, high, positions;
};
double gguf_rope_factor(const struct gguf_rope *r, double length);
double gguf_rope_length(double theta, size_t i, size_t n);

/* The vocabulary as the bytes of a tokenizer's file of the kind *kind (see tokenizer_new()), and the
 * text of a tokenizer_config.json. No vocabulary: *kind is NULL. */
int gguf_tokenizer(const struct gguf *g, const char **kind, struct buffer *bytes,
                   struct buffer *settings, struct error *e);

#endif
