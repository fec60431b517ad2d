/* GGUF's architectures as rows: which model_type is which, what llama.cpp calls a tensor of a role,
 * and what its converter does to it on the way. Reading undoes that, export-gguf does it. */
#ifndef KICK_GGUF_NAMES_H
#define KICK_GGUF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

/* Gemma 2 with so many layers scales queries by another rule. */
enum { GGUF_GEMMA2_LARGE_LAYERS = 46 };

enum gguf_change {
    GGUF_AS_IS,
    GGUF_HALVES,   /* dimension j * half + i of each head of Q and K stands at 2 i + j */
    GGUF_TOGETHER, /* q, k, v of each head apart: all of q, all of k, all of v */
    GGUF_PLUS_ONE, /* the norms' weights plus 1 */
};

struct gguf_architecture {
    const char *name;       /* general.architecture */
    const char *model_type; /* several may share a name: the file's keys tell them apart */
    bool halves;
    bool scaled;            /* rope_freqs.weight is understood */
    struct {
        enum model_role role;
        const char *name;
    } other[2]; /* names unlike everyone's; ended by NULL */
};

/* The rows; NULL beyond the last. */
const struct gguf_architecture *gguf_architecture_at(size_t i);

/* The first row of a model_type, or NULL. */
const struct gguf_architecture *gguf_architecture_find(const char *model_type);

/* llama.cpp's name of a role's tensor: "#" stands for the layer. NULL: it has none. An expert's
 * tensor is one of those of a layer in a tensor of three dimensions. */
const char *gguf_role_name(const struct gguf_architecture *a, const struct model *m,
                           enum model_role role);

enum gguf_change gguf_role_change(const struct gguf_architecture *a, const struct model *m,
                                  enum model_role role);
/* Where row `row` of a tensor stands after the change. */
size_t gguf_row(const struct model *m, enum gguf_change c, size_t row);

/* "blk.#.x" with the layer's number, into out. */
void gguf_name_put(const char *pattern, size_t layer, char *out, size_t n);

#endif
