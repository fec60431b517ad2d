/* A GGUF file's metadata, written: a model's configuration and its vocabulary under llama.cpp's keys. */
#ifndef KICK_GGUF_WRITE_H
#define KICK_GGUF_WRITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "gguf_names.h"
#include "memory.h"
#include "model.h"
#include "tokenizer.h"

/* Keys and values so far; zero-initialise it, buffer_free() its bytes. The first error stays and
 * is what gguf_put_done() gives. */
struct gguf_writer {
    struct buffer bytes;
    uint64_t keys;
    int failed;
    struct error *error;
};

void gguf_put_text(struct gguf_writer *w, const char *key, const char *text, size_t n);
void gguf_put_u32(struct gguf_writer *w, const char *key, uint64_t n);
void gguf_put_f32(struct gguf_writer *w, const char *key, double x);
void gguf_put_bool(struct gguf_writer *w, const char *key, bool on);
int gguf_put_done(const struct gguf_writer *w);

/* Plain numbers and a length with its text, as all parts of the file have them. */
void gguf_add_u32(struct gguf_writer *w, uint32_t n);
void gguf_add_u64(struct gguf_writer *w, uint64_t n);
void gguf_add_text(struct gguf_writer *w, const char *text, size_t n);

/* The row of a model that can be written; NULL with the reason. */
const struct gguf_architecture *gguf_architecture_of(const struct model *m, struct error *e);

/* The configuration. */
int gguf_put_model(struct gguf_writer *w, const struct gguf_architecture *a, const struct model *m,
                   struct error *e);

/* What each rotary frequency is divided by, (rotary / 2); false where there is no rope_freqs.weight. */
bool gguf_rope_factors(const struct model *m, float *out);

/* The vocabulary of a tokenizer's file: kind and bytes as in tokenizer_new(), t made of them, settings
 * the text of tokenizer_config.json or NULL; kind NULL: a model without a tokenizer. */
int gguf_put_vocabulary(struct gguf_writer *w, const struct model *m, const char *kind,
                        const void *bytes, size_t n, const struct tokenizer *t,
                        const char *settings, struct error *e);

/* The name of tokenizer.ggml.pre for what tokenizer.json says under "pre_tokenizer"; NULL: none is
 * known. */
const char *gguf_cutting_name(const json_t *pre_tokenizer);

#endif
