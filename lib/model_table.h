/* The table of architectures: names of tensors and of configuration keys, defaults, and switches
 * for what differs in the arithmetic. Read by model.c, and by what writes configurations. */
#ifndef KICK_MODEL_TABLE_H
#define KICK_MODEL_TABLE_H

#include "model.h"

/* When a tensor has to be there. */
enum presence {
    ALWAYS,
    WITH_ATTENTION_BIAS,
    WITH_MLP_BIAS,
    WITH_NORM_WEIGHTS,   /* OPT's layer_norm_elementwise_affine */
    WITH_FINAL_NORM,     /* absent from OPT's form that norms after adding */
    WITH_PROJECTION,     /* embeddings narrower than the hidden size */
    WITH_FIRST_NORM,     /* Falcon's one norm, or the first of those one after another, */
    WITH_TWO_NORMS,      /* those of its two parts, */
    WITH_SERIAL_NORMS,   /* the second of those one after another */
    UNLESS_TIED,         /* a copy in a tied checkpoint is ignored */
    NEVER,               /* may be in the file, means nothing */
};

/* A name; "#" stands for the number of the layer, "*" for that of the expert. The order is that of
 * the forward pass; what has experts follows each other and is repeated for each of them. */
struct name_pattern {
    enum model_role role;
    enum presence presence;
    const char *name;
};

/* What a family's configuration may say beside the shape; elsewhere such keys are refused. */
enum {
    READS_HEADS = 1 << 0,         /* num_key_value_heads, head_dim */
    READS_WINDOW = 1 << 1,        /* sliding_window */
    READS_WINDOW_SWITCH = 1 << 2, /* use_sliding_window, max_window_layers */
    READS_LAYER_TYPES = 1 << 3,   /* layer_types may differ from the family's rule */
    READS_CAPS = 1 << 4,          /* attn_logit_softcapping, final_logit_softcapping */
    READS_QUERY_SCALAR = 1 << 5,  /* query_pre_attn_scalar */
    READS_PARTIAL = 1 << 6,       /* rotary_pct, partial_rotary_factor */
    READS_EXPERTS = 1 << 7,       /* num_local_experts, num_experts_per_tok */
    READS_PARALLEL = 1 << 8,      /* use_parallel_residual */
    READS_OPT = 1 << 9,           /* do_layer_norm_before and the like */
    READS_SCALING = 1 << 10,      /* scale_attn_weights, scale_attn_by_inverse_layer_idx */
    READS_MIXTURE = 1 << 11,      /* num_experts, norm_topk_prob … of Qwen; each layer has experts */
    READS_FALCON = 1 << 12,       /* new_decoder_architecture, multi_query, parallel_attn, bias */
};

struct model_family {
    const char *name;                    /* model_type of config.json */
    const char *models;                  /* which they are, for people */
    const char *prefix;                  /* of the names below that may be left out */
    const struct name_pattern *patterns; /* ended by name == NULL */
    struct {
        const char *hidden, *inner, *layers, *heads, *positions, *eps, *activation;
    } key;
    /* Where the configuration is silent, as transformers has it. */
    const char *activation;
    bool tied, attention_bias;
    size_t positions, kv_heads, head_dim; /* 0: as many as heads; hidden size / heads */
    double eps, theta, rotary_part;       /* theta 0: no rotary positions */
    size_t window;
    double attention_cap, final_cap, query_scalar;
    size_t experts, experts_used;
    const char *legacy_gelu; /* what "gelu" means in it; NULL: gelu */

    enum norm_kind norm;
    enum norm_place place;
    bool gated, qkv_per_head, transposed;
    bool scaled_embedding, alternating; /* sqrt(hidden); even layers have the window */
    bool learned;                       /* positions, from row `offset` on */
    size_t offset;
    unsigned reads;
};

const struct model_family *family_find(const char *name);
/* The i-th; NULL beyond the last. */
const struct model_family *family_at(size_t i);

#endif
