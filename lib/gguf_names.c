/* GGUF's architectures; names as in the GGUF documentation and in gguf-py. */
#include "gguf_names.h"

#include <stdio.h>
#include <string.h>

static const struct gguf_architecture architectures[] = {
    {.name = "llama", .model_type = "llama", .halves = true, .scaled = true},
    {.name = "llama", .model_type = "mistral", .halves = true},
    {.name = "llama", .model_type = "mixtral", .halves = true},
    {.name = "qwen2", .model_type = "qwen2"},
    {.name = "qwen3", .model_type = "qwen3"},
    {.name = "qwen2moe", .model_type = "qwen2_moe"},
    {.name = "qwen3moe", .model_type = "qwen3_moe"},
    {.name = "gemma", .model_type = "gemma"},
    {.name = "gemma2", .model_type = "gemma2"},
    {.name = "phi2", .model_type = "phi"},
    {.name = "starcoder2", .model_type = "starcoder2"},
    {.name = "phi3", .model_type = "phi3", .other = {{ROLE_GATE_UP, "blk.#.ffn_up.weight"}}},
    {.name = "gpt2", .model_type = "gpt2"},
    {.name = "gptneox", .model_type = "gpt_neox"},
    {.name = "falcon", .model_type = "falcon"},
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

static const char *const names[ROLE_COUNT] = {
    [ROLE_EMBEDDING] = "token_embd.weight",
    [ROLE_POSITIONS] = "position_embd.weight",
    [ROLE_ATTENTION_NORM] = "blk.#.attn_norm.weight",
    [ROLE_ATTENTION_NORM_BIAS] = "blk.#.attn_norm.bias",
    [ROLE_Q] = "blk.#.attn_q.weight",
    [ROLE_Q_BIAS] = "blk.#.attn_q.bias",
    [ROLE_K] = "blk.#.attn_k.weight",
    [ROLE_K_BIAS] = "blk.#.attn_k.bias",
    [ROLE_V] = "blk.#.attn_v.weight",
    [ROLE_V_BIAS] = "blk.#.attn_v.bias",
    [ROLE_QKV] = "blk.#.attn_qkv.weight",
    [ROLE_QKV_BIAS] = "blk.#.attn_qkv.bias",
    [ROLE_Q_NORM] = "blk.#.attn_q_norm.weight",
    [ROLE_K_NORM] = "blk.#.attn_k_norm.weight",
    [ROLE_O] = "blk.#.attn_output.weight",
    [ROLE_O_BIAS] = "blk.#.attn_output.bias",
    [ROLE_ATTENTION_POST_NORM] = "blk.#.post_attention_norm.weight",
    [ROLE_MLP_NORM] = "blk.#.ffn_norm.weight",
    [ROLE_MLP_NORM_BIAS] = "blk.#.ffn_norm.bias",
    [ROLE_GATE] = "blk.#.ffn_gate.weight",
    [ROLE_GATE_BIAS] = "blk.#.ffn_gate.bias",
    [ROLE_UP] = "blk.#.ffn_up.weight",
    [ROLE_UP_BIAS] = "blk.#.ffn_up.bias",
    [ROLE_DOWN] = "blk.#.ffn_down.weight",
    [ROLE_DOWN_BIAS] = "blk.#.ffn_down.bias",
    [ROLE_ROUTER] = "blk.#.ffn_gate_inp.weight",
    [ROLE_EXPERT_GATE] = "blk.#.ffn_gate_exps.weight",
    [ROLE_EXPERT_UP] = "blk.#.ffn_up_exps.weight",
    [ROLE_EXPERT_DOWN] = "blk.#.ffn_down_exps.weight",
    [ROLE_SHARED_GATE] = "blk.#.ffn_gate_shexp.weight",
    [ROLE_SHARED_UP] = "blk.#.ffn_up_shexp.weight",
    [ROLE_SHARED_DOWN] = "blk.#.ffn_down_shexp.weight",
    [ROLE_SHARED_ROUTER] = "blk.#.ffn_gate_inp_shexp.weight",
    [ROLE_MLP_POST_NORM] = "blk.#.post_ffw_norm.weight",
    [ROLE_FINAL_NORM] = "output_norm.weight",
    [ROLE_FINAL_NORM_BIAS] = "output_norm.bias",
    [ROLE_HEAD] = "output.weight",
    [ROLE_HEAD_BIAS] = "output.bias",
};

const struct gguf_architecture *gguf_architecture_at(size_t i)
{
    return i < ARCHITECTURES ? &architectures[i] : NULL;
}

const struct gguf_architecture *gguf_architecture_find(const char *model_type)
{
    for (size_t i = 0; i < ARCHITECTURES; i++)
        if (!strcmp(architectures[i].model_type, model_type))
            return &architectures[i];
    return NULL;
}

const char *gguf_role_name(const struct gguf_architecture *a, const struct model *m,
                           enum model_role role)
{
    /* Falcon's norms of the two parts: that of the MLP has everyone's name of the first. */
    if (m->norm_names == NORMS_TWO && (role == ROLE_ATTENTION_NORM || role == ROLE_MLP_NORM))
        return role == ROLE_MLP_NORM ? "blk.#.attn_norm.weight" : "blk.#.attn_norm_2.weight";
    if (m->norm_names == NORMS_TWO &&
        (role == ROLE_ATTENTION_NORM_BIAS || role == ROLE_MLP_NORM_BIAS))
        return role == ROLE_MLP_NORM_BIAS ? "blk.#.attn_norm.bias" : "blk.#.attn_norm_2.bias";
    for (size_t i = 0; i < sizeof a->other / sizeof *a->other; i++)
        if (a->other[i].name && a->other[i].role == role)
            return a->other[i].name;
    return names[role];
}

enum gguf_change gguf_role_change(const struct gguf_architecture *a, const struct model *m,
                                  enum model_role role)
{
    switch (role) {
    case ROLE_Q:
    case ROLE_K:
    case ROLE_Q_BIAS:
    case ROLE_K_BIAS:
        return a->halves ? GGUF_HALVES : GGUF_AS_IS;
    case ROLE_QKV:
    case ROLE_QKV_BIAS:
        return m->qkv_per_head ? GGUF_TOGETHER : GGUF_AS_IS;
    case ROLE_ATTENTION_NORM:
    case ROLE_ATTENTION_POST_NORM:
    case ROLE_MLP_NORM:
    case ROLE_MLP_POST_NORM:
    case ROLE_FINAL_NORM:
        return m->norm == NORM_RMS_PLUS_ONE ? GGUF_PLUS_ONE : GGUF_AS_IS;
    default:
        return GGUF_AS_IS;
    }
}

size_t gguf_row(const struct model *m, enum gguf_change c, size_t row)
{
    const size_t d = m->head_dim, half = d / 2, within = row % d;
    if (c == GGUF_HALVES)
        return row - within + within % half * 2 + within / half;
    if (c != GGUF_TOGETHER)
        return row;
    /* the heads of a group that share keys and values, then those */
    const size_t queries = m->heads / m->kv_heads, group = row / d / (queries + 2),
                 part = row / d % (queries + 2);
    const size_t head = part < queries    ? group * queries + part
                        : part == queries ? m->heads + group
                                          : m->heads + m->kv_heads + group;
    return head * d + within;
}

void gguf_name_put(const char *pattern, size_t layer, char *out, size_t n)
{
    const char *mark = strchr(pattern, '#');
    if (mark)
        snprintf(out, n, "%.*s%zu%s", (int)(mark - pattern), pattern, layer, mark + 1);
    else
        snprintf(out, n, "%s", pattern);
}
