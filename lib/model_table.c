/* The architectures as rows. Another one of the same parts costs a row, and patterns where its
 * names are new. */
#include "model_table.h"

#include <string.h>

#define END {ROLE_COUNT, NEVER, NULL}
#define L "model.layers.#."

/* A weight and the bias of the same name, each with its presence. */
#define BOTH(role, weight, bias, name)                                                             \
    {ROLE_##role, weight, name ".weight"}, {ROLE_##role##_BIAS, bias, name ".bias"}

/* What Llama's descendants name alike. */
#define EMBEDDING {ROLE_EMBEDDING, ALWAYS, "model.embed_tokens.weight"}
#define INPUT_NORM {ROLE_ATTENTION_NORM, ALWAYS, L "input_layernorm.weight"}
#define QKV(bias)                                                                                  \
    BOTH(Q, ALWAYS, bias, L "self_attn.q_proj"), BOTH(K, ALWAYS, bias, L "self_attn.k_proj"),      \
        BOTH(V, ALWAYS, bias, L "self_attn.v_proj")
#define O(bias) BOTH(O, ALWAYS, bias, L "self_attn.o_proj")
#define OLD_ROTARY {ROLE_IGNORED, NEVER, L "self_attn.rotary_emb.inv_freq"}
#define QKV_O(bias, o_bias) QKV(bias), O(o_bias), OLD_ROTARY
#define MLP_NORM {ROLE_MLP_NORM, ALWAYS, L "post_attention_layernorm.weight"}
#define MLP(bias)                                                                                  \
    BOTH(GATE, ALWAYS, bias, L "mlp.gate_proj"), BOTH(UP, ALWAYS, bias, L "mlp.up_proj"),          \
        BOTH(DOWN, ALWAYS, bias, L "mlp.down_proj")
#define TAIL                                                                                       \
    {ROLE_FINAL_NORM, ALWAYS, "model.norm.weight"},                                                \
        {ROLE_IGNORED, NEVER, "model.rotary_emb.inv_freq"},                                        \
        {ROLE_HEAD, UNLESS_TIED, "lm_head.weight"}, END

static const struct name_pattern llama_patterns[] = {
    EMBEDDING,          INPUT_NORM, QKV_O(WITH_ATTENTION_BIAS, WITH_ATTENTION_BIAS), MLP_NORM,
    MLP(WITH_MLP_BIAS), TAIL};

static const struct name_pattern qwen2_patterns[] = {
    EMBEDDING, INPUT_NORM, QKV_O(ALWAYS, WITH_ATTENTION_BIAS), MLP_NORM, MLP(WITH_MLP_BIAS), TAIL};

static const struct name_pattern qwen3_patterns[] = {
    EMBEDDING,
    INPUT_NORM,
    QKV_O(WITH_ATTENTION_BIAS, WITH_ATTENTION_BIAS),
    {ROLE_Q_NORM, ALWAYS, L "self_attn.q_norm.weight"},
    {ROLE_K_NORM, ALWAYS, L "self_attn.k_norm.weight"},
    MLP_NORM,
    MLP(WITH_MLP_BIAS),
    TAIL};

static const struct name_pattern gemma2_patterns[] = {
    EMBEDDING,
    INPUT_NORM,
    QKV_O(WITH_ATTENTION_BIAS, WITH_ATTENTION_BIAS),
    {ROLE_ATTENTION_POST_NORM, ALWAYS, L "post_attention_layernorm.weight"},
    {ROLE_MLP_NORM, ALWAYS, L "pre_feedforward_layernorm.weight"},
    MLP(WITH_MLP_BIAS),
    {ROLE_MLP_POST_NORM, ALWAYS, L "post_feedforward_layernorm.weight"},
    TAIL};

static const struct name_pattern phi3_patterns[] = {
    EMBEDDING,
    INPUT_NORM,
    {ROLE_QKV, ALWAYS, L "self_attn.qkv_proj.weight"},
    O(WITH_ATTENTION_BIAS),
    OLD_ROTARY,
    MLP_NORM,
    {ROLE_GATE_UP, ALWAYS, L "mlp.gate_up_proj.weight"},
    {ROLE_DOWN, ALWAYS, L "mlp.down_proj.weight"},
    TAIL};

static const struct name_pattern mixtral_patterns[] = {
    EMBEDDING,
    INPUT_NORM,
    QKV_O(WITH_ATTENTION_BIAS, WITH_ATTENTION_BIAS),
    MLP_NORM,
    {ROLE_ROUTER, ALWAYS, L "block_sparse_moe.gate.weight"},
    {ROLE_EXPERT_GATE, ALWAYS, L "block_sparse_moe.experts.*.w1.weight"},
    {ROLE_EXPERT_UP, ALWAYS, L "block_sparse_moe.experts.*.w3.weight"},
    {ROLE_EXPERT_DOWN, ALWAYS, L "block_sparse_moe.experts.*.w2.weight"},
    TAIL};

#define QWEN_EXPERTS                                                                               \
    {ROLE_ROUTER, ALWAYS, L "mlp.gate.weight"},                                                    \
        {ROLE_EXPERT_GATE, ALWAYS, L "mlp.experts.*.gate_proj.weight"},                            \
        {ROLE_EXPERT_UP, ALWAYS, L "mlp.experts.*.up_proj.weight"},                                \
    {                                                                                              \
        ROLE_EXPERT_DOWN, ALWAYS, L "mlp.experts.*.down_proj.weight"                               \
    }
static const struct name_pattern qwen2_moe_patterns[] = {
    EMBEDDING,
    INPUT_NORM,
    QKV_O(ALWAYS, WITH_ATTENTION_BIAS),
    MLP_NORM,
    QWEN_EXPERTS,
    {ROLE_SHARED_GATE, ALWAYS, L "mlp.shared_expert.gate_proj.weight"},
    {ROLE_SHARED_UP, ALWAYS, L "mlp.shared_expert.up_proj.weight"},
    {ROLE_SHARED_DOWN, ALWAYS, L "mlp.shared_expert.down_proj.weight"},
    {ROLE_SHARED_ROUTER, ALWAYS, L "mlp.shared_expert_gate.weight"},
    TAIL};

static const struct name_pattern qwen3_moe_patterns[] = {
    EMBEDDING,
    INPUT_NORM,
    QKV_O(WITH_ATTENTION_BIAS, WITH_ATTENTION_BIAS),
    {ROLE_Q_NORM, ALWAYS, L "self_attn.q_norm.weight"},
    {ROLE_K_NORM, ALWAYS, L "self_attn.k_norm.weight"},
    MLP_NORM,
    QWEN_EXPERTS,
    TAIL};

static const struct name_pattern phi_patterns[] = {
    EMBEDDING,
    BOTH(ATTENTION_NORM, ALWAYS, ALWAYS, L "input_layernorm"),
    QKV(ALWAYS),
    BOTH(O, ALWAYS, ALWAYS, L "self_attn.dense"),
    OLD_ROTARY,
    BOTH(UP, ALWAYS, ALWAYS, L "mlp.fc1"),
    BOTH(DOWN, ALWAYS, ALWAYS, L "mlp.fc2"),
    BOTH(FINAL_NORM, ALWAYS, ALWAYS, "model.final_layernorm"),
    {ROLE_HEAD_BIAS, ALWAYS, "lm_head.bias"},
    {ROLE_HEAD, UNLESS_TIED, "lm_head.weight"},
    END};

static const struct name_pattern starcoder2_patterns[] = {
    EMBEDDING,
    BOTH(ATTENTION_NORM, ALWAYS, ALWAYS, L "input_layernorm"),
    QKV_O(ALWAYS, ALWAYS),
    BOTH(MLP_NORM, ALWAYS, ALWAYS, L "post_attention_layernorm"),
    BOTH(UP, ALWAYS, ALWAYS, L "mlp.c_fc"),
    BOTH(DOWN, ALWAYS, ALWAYS, L "mlp.c_proj"),
    BOTH(FINAL_NORM, ALWAYS, ALWAYS, "model.norm"),
    {ROLE_HEAD, UNLESS_TIED, "lm_head.weight"},
    END};

#undef L
#define L "transformer.h.#."
static const struct name_pattern falcon_patterns[] = {
    {ROLE_EMBEDDING, ALWAYS, "transformer.word_embeddings.weight"},
    BOTH(ATTENTION_NORM, WITH_FIRST_NORM, WITH_FIRST_NORM, L "input_layernorm"),
    BOTH(ATTENTION_NORM, WITH_TWO_NORMS, WITH_TWO_NORMS, L "ln_attn"),
    BOTH(QKV, ALWAYS, WITH_ATTENTION_BIAS, L "self_attention.query_key_value"),
    {ROLE_IGNORED, NEVER, L "self_attention.rotary_emb.inv_freq"},
    BOTH(O, ALWAYS, WITH_ATTENTION_BIAS, L "self_attention.dense"),
    BOTH(MLP_NORM, WITH_TWO_NORMS, WITH_TWO_NORMS, L "ln_mlp"),
    BOTH(MLP_NORM, WITH_SERIAL_NORMS, WITH_SERIAL_NORMS, L "post_attention_layernorm"),
    BOTH(UP, ALWAYS, WITH_MLP_BIAS, L "mlp.dense_h_to_4h"),
    BOTH(DOWN, ALWAYS, WITH_MLP_BIAS, L "mlp.dense_4h_to_h"),
    BOTH(FINAL_NORM, ALWAYS, ALWAYS, "transformer.ln_f"),
    {ROLE_HEAD, UNLESS_TIED, "lm_head.weight"},
    END};

#undef L
#define L "model.decoder.layers.#."
static const struct name_pattern opt_patterns[] = {
    {ROLE_EMBEDDING, ALWAYS, "model.decoder.embed_tokens.weight"},
    {ROLE_PROJECT_IN, WITH_PROJECTION, "model.decoder.project_in.weight"},
    {ROLE_POSITIONS, ALWAYS, "model.decoder.embed_positions.weight"},
    BOTH(ATTENTION_NORM, WITH_NORM_WEIGHTS, WITH_NORM_WEIGHTS, L "self_attn_layer_norm"),
    QKV(WITH_ATTENTION_BIAS),
    BOTH(O, ALWAYS, WITH_ATTENTION_BIAS, L "self_attn.out_proj"),
    BOTH(MLP_NORM, WITH_NORM_WEIGHTS, WITH_NORM_WEIGHTS, L "final_layer_norm"),
    BOTH(UP, ALWAYS, WITH_MLP_BIAS, L "fc1"),
    BOTH(DOWN, ALWAYS, WITH_MLP_BIAS, L "fc2"),
    BOTH(FINAL_NORM, WITH_FINAL_NORM, WITH_FINAL_NORM, "model.decoder.final_layer_norm"),
    {ROLE_PROJECT_OUT, WITH_PROJECTION, "model.decoder.project_out.weight"},
    {ROLE_HEAD, UNLESS_TIED, "lm_head.weight"},
    END};

#undef L
#define L "transformer.h.#."
static const struct name_pattern gpt2_patterns[] = {
    {ROLE_EMBEDDING, ALWAYS, "transformer.wte.weight"},
    {ROLE_POSITIONS, ALWAYS, "transformer.wpe.weight"},
    BOTH(ATTENTION_NORM, ALWAYS, ALWAYS, L "ln_1"),
    BOTH(QKV, ALWAYS, ALWAYS, L "attn.c_attn"),
    {ROLE_IGNORED, NEVER, L "attn.bias"},
    {ROLE_IGNORED, NEVER, L "attn.masked_bias"},
    BOTH(O, ALWAYS, ALWAYS, L "attn.c_proj"),
    BOTH(MLP_NORM, ALWAYS, ALWAYS, L "ln_2"),
    BOTH(UP, ALWAYS, ALWAYS, L "mlp.c_fc"),
    BOTH(DOWN, ALWAYS, ALWAYS, L "mlp.c_proj"),
    BOTH(FINAL_NORM, ALWAYS, ALWAYS, "transformer.ln_f"),
    {ROLE_HEAD, UNLESS_TIED, "lm_head.weight"},
    END};

#undef L
#define L "gpt_neox.layers.#."
static const struct name_pattern neox_patterns[] = {
    {ROLE_EMBEDDING, ALWAYS, "gpt_neox.embed_in.weight"},
    BOTH(ATTENTION_NORM, ALWAYS, ALWAYS, L "input_layernorm"),
    BOTH(QKV, ALWAYS, WITH_ATTENTION_BIAS, L "attention.query_key_value"),
    {ROLE_IGNORED, NEVER, L "attention.bias"},
    {ROLE_IGNORED, NEVER, L "attention.masked_bias"},
    {ROLE_IGNORED, NEVER, L "attention.rotary_emb.inv_freq"},
    BOTH(O, ALWAYS, WITH_ATTENTION_BIAS, L "attention.dense"),
    BOTH(MLP_NORM, ALWAYS, ALWAYS, L "post_attention_layernorm"),
    BOTH(UP, ALWAYS, ALWAYS, L "mlp.dense_h_to_4h"),
    BOTH(DOWN, ALWAYS, ALWAYS, L "mlp.dense_4h_to_h"),
    BOTH(FINAL_NORM, ALWAYS, ALWAYS, "gpt_neox.final_layer_norm"),
    {ROLE_IGNORED, NEVER, "gpt_neox.rotary_emb.inv_freq"},
    {ROLE_HEAD, UNLESS_TIED, "embed_out.weight"},
    END};

#define LLAMA_KEYS(activation)                                                                     \
    {                                                                                              \
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",            \
            "max_position_embeddings", "rms_norm_eps", activation                                  \
    }

#define MIXTURE_KEYS                                                                               \
    {                                                                                              \
        "hidden_size", "moe_intermediate_size", "num_hidden_layers", "num_attention_heads",        \
            "max_position_embeddings", "rms_norm_eps", "hidden_act"                                \
    }

static const struct model_family families[] = {
    {.name = "llama",
     .models = "Llama 1 to 3, Vicuna, Alpaca, CodeLlama, Yi, TinyLlama, SmolLM",
     .prefix = "model.",
     .patterns = llama_patterns,
     .key = LLAMA_KEYS("hidden_act"),
     .activation = "silu",
     .positions = 2048,
     .eps = 1e-6,
     .theta = 10000,
     .rotary_part = 1,
     .gated = true,
     .reads = READS_HEADS},
    {.name = "mistral",
     .models = "Mistral 7B and its fine-tunings",
     .prefix = "model.",
     .patterns = llama_patterns,
     .key = LLAMA_KEYS("hidden_act"),
     .activation = "silu",
     .positions = 131072,
     .kv_heads = 8,
     .eps = 1e-6,
     .theta = 10000,
     .rotary_part = 1,
     .window = 4096,
     .gated = true,
     .reads = READS_HEADS | READS_WINDOW},
    {.name = "mixtral",
     .models = "Mixtral 8x7B, 8x22B",
     .prefix = "model.",
     .patterns = mixtral_patterns,
     .key = LLAMA_KEYS("hidden_act"),
     .activation = "silu",
     .positions = 131072,
     .kv_heads = 8,
     .eps = 1e-5,
     .theta = 1e6,
     .rotary_part = 1,
     .experts = 8,
     .experts_used = 2,
     .gated = true,
     .reads = READS_HEADS | READS_WINDOW | READS_EXPERTS},
    {.name = "qwen2",
     .models = "Qwen 1.5, 2 and 2.5",
     .prefix = "model.",
     .patterns = qwen2_patterns,
     .key = LLAMA_KEYS("hidden_act"),
     .activation = "silu",
     .positions = 32768,
     .kv_heads = 32,
     .eps = 1e-6,
     .theta = 10000,
     .rotary_part = 1,
     .window = 4096,
     .gated = true,
     .reads = READS_HEADS | READS_WINDOW | READS_WINDOW_SWITCH | READS_LAYER_TYPES},
    {.name = "qwen3",
     .models = "Qwen 3",
     .prefix = "model.",
     .patterns = qwen3_patterns,
     .key = LLAMA_KEYS("hidden_act"),
     .activation = "silu",
     .positions = 32768,
     .kv_heads = 32,
     .head_dim = 128,
     .eps = 1e-6,
     .theta = 10000,
     .rotary_part = 1,
     .window = 4096,
     .gated = true,
     .reads = READS_HEADS | READS_WINDOW | READS_WINDOW_SWITCH | READS_LAYER_TYPES},
    {.name = "qwen2_moe",
     .models = "Qwen 1.5 and 2 with experts",
     .prefix = "model.",
     .patterns = qwen2_moe_patterns,
     .key = MIXTURE_KEYS,
     .activation = "silu",
     .positions = 32768,
     .kv_heads = 16,
     .eps = 1e-6,
     .theta = 10000,
     .rotary_part = 1,
     .experts = 60,
     .experts_used = 4,
     .gated = true,
     .reads = READS_HEADS | READS_MIXTURE},
    {.name = "qwen3_moe",
     .models = "Qwen 3 with experts",
     .prefix = "model.",
     .patterns = qwen3_moe_patterns,
     .key = MIXTURE_KEYS,
     .activation = "silu",
     .positions = 32768,
     .kv_heads = 4,
     .eps = 1e-6,
     .theta = 10000,
     .rotary_part = 1,
     .experts = 128,
     .experts_used = 8,
     .gated = true,
     .reads = READS_HEADS | READS_MIXTURE},
    {.name = "phi",
     .models = "Phi 1, 1.5 and 2",
     .prefix = "model.",
     .patterns = phi_patterns,
     .key = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
             "max_position_embeddings", "layer_norm_eps", "hidden_act"},
     .activation = "gelu_new",
     .positions = 2048,
     .eps = 1e-5,
     .theta = 10000,
     .rotary_part = 0.5,
     .norm = NORM_LAYER,
     .place = PLACE_PARALLEL,
     .reads = READS_HEADS | READS_PARTIAL},
    {.name = "starcoder2",
     .models = "StarCoder 2",
     .prefix = "model.",
     .patterns = starcoder2_patterns,
     .key = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
             "max_position_embeddings", "norm_epsilon", "hidden_act"},
     .activation = "gelu_pytorch_tanh",
     .tied = true,
     .positions = 4096,
     .kv_heads = 2,
     .eps = 1e-5,
     .theta = 10000,
     .rotary_part = 1,
     .norm = NORM_LAYER,
     .reads = READS_HEADS | READS_WINDOW},
    {.name = "phi3",
     .models = "Phi 3 and 3.5 mini, Phi 4",
     .prefix = "model.",
     .patterns = phi3_patterns,
     .key = LLAMA_KEYS("hidden_act"),
     .activation = "silu",
     .positions = 4096,
     .eps = 1e-5,
     .theta = 10000,
     .rotary_part = 1,
     .gated = true,
     .reads = READS_HEADS | READS_WINDOW | READS_PARTIAL},
    {.name = "gemma",
     .models = "Gemma 1, CodeGemma",
     .prefix = "model.",
     .patterns = llama_patterns,
     .key = LLAMA_KEYS("hidden_act"),
     .activation = "gelu_pytorch_tanh",
     .legacy_gelu = "gelu_pytorch_tanh",
     .tied = true,
     .positions = 8192,
     .kv_heads = 16,
     .head_dim = 256,
     .eps = 1e-6,
     .theta = 10000,
     .rotary_part = 1,
     .norm = NORM_RMS_PLUS_ONE,
     .gated = true,
     .scaled_embedding = true,
     .reads = READS_HEADS},
    {.name = "gemma2",
     .models = "Gemma 2",
     .prefix = "model.",
     .patterns = gemma2_patterns,
     .key = LLAMA_KEYS("hidden_activation"),
     .activation = "gelu_pytorch_tanh",
     .tied = true,
     .positions = 8192,
     .kv_heads = 4,
     .head_dim = 256,
     .eps = 1e-6,
     .theta = 10000,
     .rotary_part = 1,
     .window = 4096,
     .attention_cap = 50,
     .final_cap = 30,
     .query_scalar = 256,
     .norm = NORM_RMS_PLUS_ONE,
     .place = PLACE_SANDWICH,
     .gated = true,
     .scaled_embedding = true,
     .alternating = true,
     .reads = READS_HEADS | READS_WINDOW | READS_LAYER_TYPES | READS_CAPS | READS_QUERY_SCALAR},
    {.name = "opt",
     .models = "OPT",
     .prefix = "model.",
     .patterns = opt_patterns,
     .key = {"hidden_size", "ffn_dim", "num_hidden_layers", "num_attention_heads",
             "max_position_embeddings", NULL, "activation_function"},
     .activation = "relu",
     .tied = true,
     .positions = 2048,
     .eps = 1e-5,
     .norm = NORM_LAYER,
     .learned = true,
     .offset = 2,
     .reads = READS_OPT},
    {.name = "gpt2",
     .models = "GPT-2, DistilGPT-2",
     .prefix = "transformer.",
     .patterns = gpt2_patterns,
     .key = {"n_embd", "n_inner", "n_layer", "n_head", "n_positions", "layer_norm_epsilon",
             "activation_function"},
     .activation = "gelu_new",
     .tied = true,
     .positions = 1024,
     .eps = 1e-5,
     .norm = NORM_LAYER,
     .transposed = true,
     .learned = true,
     .reads = READS_SCALING},
    {.name = "gpt_neox",
     .models = "GPT-NeoX, Pythia, Dolly 2",
     .prefix = "gpt_neox.",
     .patterns = neox_patterns,
     .key = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
             "max_position_embeddings", "layer_norm_eps", "hidden_act"},
     .activation = "gelu",
     .attention_bias = true,
     .positions = 2048,
     .eps = 1e-5,
     .theta = 10000,
     .rotary_part = 0.25,
     .norm = NORM_LAYER,
     .place = PLACE_PARALLEL,
     .qkv_per_head = true,
     .reads = READS_PARTIAL | READS_PARALLEL},
    {.name = "falcon",
     .models = "Falcon 7B, 11B, 40B, 180B",
     .prefix = "transformer.",
     .patterns = falcon_patterns,
     .key = {"hidden_size", "ffn_hidden_size", "num_hidden_layers", "num_attention_heads",
             "max_position_embeddings", "layer_norm_epsilon", "activation"},
     .activation = "gelu",
     .tied = true,
     .positions = 2048,
     .eps = 1e-5,
     .theta = 10000,
     .rotary_part = 1,
     .norm = NORM_LAYER,
     .place = PLACE_PARALLEL,
     .qkv_per_head = true,
     .reads = READS_FALCON},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

const struct model_family *family_find(const char *name)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (!strcmp(families[i].name, name))
            return &families[i];
    return NULL;
}

const struct model_family *family_at(size_t i)
{
    return i < FAMILIES ? &families[i] : NULL;
}
