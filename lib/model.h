/* A model as data: what its config.json says, and which tensor plays which role. One table of roles
 * and name patterns per architecture; no code per model. Unknown tensors and config keys that
 * matter but are not understood are errors that name them. */
#ifndef KICK_MODEL_H
#define KICK_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum model_role {
    ROLE_EMBEDDING, /* (vocab, hidden) */
    ROLE_ATTENTION_NORM,
    ROLE_Q, /* (heads * head_dim, hidden) */
    ROLE_K, /* (kv_heads * head_dim, hidden) */
    ROLE_V,
    ROLE_Q_BIAS,
    ROLE_K_BIAS,
    ROLE_V_BIAS,
    ROLE_O, /* (hidden, heads * head_dim) */
    ROLE_O_BIAS,
    ROLE_MLP_NORM,
    ROLE_GATE, /* (intermediate, hidden) */
    ROLE_GATE_BIAS,
    ROLE_UP,
    ROLE_UP_BIAS,
    ROLE_DOWN, /* (hidden, intermediate) */
    ROLE_DOWN_BIAS,
    ROLE_FINAL_NORM,
    ROLE_HEAD,    /* (vocab, hidden); absent when tied */
    ROLE_IGNORED, /* e.g. rotary_emb.inv_freq of old checkpoints: read, not kept */
    ROLE_COUNT,
};

enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3 };

enum { MODEL_STOPS_MAX = 16 };

struct model {
    const char *architecture; /* the table's name: "llama" */
    size_t hidden, intermediate, layers, heads, kv_heads, head_dim, vocab, positions;
    double norm_eps;
    bool tied, attention_bias, mlp_bias;
    double rope_theta;
    enum rope_kind rope;
    double rope_factor, rope_low_freq, rope_high_freq, rope_original_positions;
    long bos, eos; /* ids or -1 */
    size_t stops;  /* ids that end a text: all that eos_token_id lists, eos first */
    long stop[MODEL_STOPS_MAX];
    const struct model_family *family; /* row of the table in model.c */
};

/* Reads a config.json (transformers 4 and 5 style: rope_scaling or rope_parameters, torch_dtype or
 * dtype, head_dim given or not). Every number is range-checked. */
int model_parse(struct model *m, const json_t *config, struct error *e);

/* What a tensor name means: role, and layer (0 for those outside the blocks). An unknown name is an
 * error that names it. */
int model_tensor_role(const struct model *m, const char *name, enum model_role *role, size_t *layer,
                      struct error *e);

/* Checks a tensor's shape against its role. */
int model_tensor_check(const struct model *m, enum model_role role, const char *name, int rank,
                       const size_t *shape, struct error *e);

/* The tensors that a model must have, in forward order (embedding, blocks, final norm, head):
 * model_tensor_count() of them; the i-th one's role, layer and usual name (into name, at most n
 * bytes). */
size_t model_tensor_count(const struct model *m);
void model_tensor_at(const struct model *m, size_t i, enum model_role *role, size_t *layer,
                     char *name, size_t n);

/* True for the matrices that compression applies to: the projections of the blocks. */
bool model_role_is_projection(enum model_role role);

/* Parameters outside embedding and head, and in all. */
size_t model_parameters(const struct model *m, bool blocks_only);

#endif
