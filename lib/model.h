/* A model as data: what its config.json says, and which tensor plays which role. One table of roles
 * and name patterns per architecture; no code per model. Unknown tensors and config keys that
 * matter but are not understood are errors that name them. */
#ifndef KICK_MODEL_H
#define KICK_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "kernel.h"

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
    /* Before the blocks. */
    ROLE_PROJECT_IN, /* (hidden, width): embeddings narrower than the hidden size */
    ROLE_POSITIONS,  /* (positions + offset, hidden) */
    /* In them. A fused matrix is one matrix, as in the checkpoint. */
    ROLE_ATTENTION_NORM_BIAS,
    ROLE_QKV, /* (query + 2 key, hidden): q, k, v one after another, or so within each head */
    ROLE_QKV_BIAS,
    ROLE_Q_NORM, /* (head_dim) */
    ROLE_K_NORM,
    ROLE_ATTENTION_POST_NORM,
    ROLE_MLP_NORM_BIAS,
    ROLE_GATE_UP, /* (2 intermediate, hidden): gate, then up */
    ROLE_ROUTER,  /* (experts, hidden) */
    ROLE_EXPERT_GATE, /* one expert's, like those of an MLP */
    ROLE_EXPERT_UP,
    ROLE_EXPERT_DOWN,
    ROLE_SHARED_GATE, /* (shared inner, hidden): an MLP for every row beside the experts, */
    ROLE_SHARED_UP,
    ROLE_SHARED_DOWN,
    ROLE_SHARED_ROUTER, /* (1, hidden): and the sigmoid of this times it */
    ROLE_MLP_POST_NORM,
    /* After them. */
    ROLE_FINAL_NORM_BIAS,
    ROLE_HEAD_BIAS, /* (vocab), before the head */
    ROLE_PROJECT_OUT, /* (width, hidden) */
    ROLE_COUNT,
};

/* x / rms(x) * weight; the same with 1 + weight; (x - mean) / deviation * weight + bias. */
enum norm_kind { NORM_RMS, NORM_RMS_PLUS_ONE, NORM_LAYER };
/* Where norms stand: x += f(norm(x)); x = norm(x + f(x)); both parts of a block from the same x;
 * x += norm(f(norm(x))). */
enum norm_place { PLACE_BEFORE, PLACE_AFTER, PLACE_PARALLEL, PLACE_SANDWICH };

/* Falcon's: one norm a block; two for its two parts, or, one after another, for each. */
enum norm_names { NORMS_ONE, NORMS_TWO, NORMS_SERIAL };

enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3 };

enum { MODEL_STOPS_MAX = 16, MODEL_SLIDING_MAX = 1024 };

struct model {
    const char *architecture; /* the table's name: "llama" */
    size_t hidden, intermediate, layers, heads, kv_heads, head_dim, vocab, positions;
    double norm_eps;
    bool tied, attention_bias, mlp_bias;
    double rope_theta;
    enum rope_kind rope;
    double rope_factor, rope_low_freq, rope_high_freq, rope_original_positions;
    size_t rotary; /* the first dimensions of a head, which rotate; 0: learned positions */
    size_t position_rows, position_offset; /* learned positions: rows, and that of position 0 */
    size_t width;                          /* of an embedding: hidden, or what is projected */
    double embedding_scale;
    enum norm_kind norm;
    enum norm_place place;
    bool norm_weights, final_norm; /* norms have weights; there is one after the blocks */
    enum activation activation;
    bool gated, qkv_per_head;
    double attention_scale; /* of scores; divided by the layer's number, from 1 on, */
    bool scale_by_layer;    /* if this is set */
    double attention_cap, final_cap; /* 0: none, else cap * tanh(x / cap) */
    size_t window;                   /* keys that a query sees, its own included; 0: all */
    uint64_t sliding[MODEL_SLIDING_MAX / 64]; /* bit: the layer has the window */
    size_t experts, experts_used; /* 0: an MLP */
    bool experts_whole; /* their weights are those of the softmax over all, not over the chosen */
    size_t shared_inner; /* of the MLP beside the experts; 0: there is none */
    enum norm_names norm_names;
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

/* How many of them come before the blocks. */
size_t model_tensors_before(const struct model *m);

/* True if the model's blocks, or what is around them, have a tensor of this role. */
bool model_has_role(const struct model *m, enum model_role role);

/* The number of the expert that a tensor's name says; 0 where it says none. */
size_t model_tensor_expert(const char *name);

/* True if the checkpoint holds this matrix as (columns, rows): GPT-2's Conv1D. In a stream and
 * everywhere else it is (rows, columns). */
bool model_tensor_transposed(const struct model *m, enum model_role role);

/* True for the matrices that compression applies to: the projections of the blocks. */
bool model_role_is_projection(enum model_role role);
/* How many of them the model has. */
size_t model_projections(const struct model *m);

/* The role under which a forward_hook sees the input of a projection: ROLE_Q (for q, k and v, fused or
 * not), ROLE_O, ROLE_GATE (for gate and up), ROLE_DOWN, ROLE_EXPERT_GATE, ROLE_EXPERT_DOWN; of others
 * ROLE_COUNT. */
enum model_role model_role_input(enum model_role role);

/* Columns of a matrix: the length of its input; numbers of a tensor. */
size_t model_role_columns(const struct model *m, enum model_role role);
size_t model_role_size(const struct model *m, enum model_role role);
/* Of the largest tensor. */
size_t model_largest(const struct model *m);

/* True for tensors that stand before the blocks; true for those after the blocks. */
bool model_role_is_before(enum model_role role);
bool model_role_is_after(enum model_role role);

/* Keys that a query of a layer sees, its own included; 0: all before it. */
size_t model_layer_window(const struct model *m, size_t layer);

/* Parameters outside embedding and head, and in all. */
size_t model_parameters(const struct model *m, bool blocks_only);

#endif
