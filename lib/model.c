/* Configurations and tensor names, by the rows of model_table.c. What a config may say that is not
 * computed here is in the table of keys below, each with the value that changes nothing. */
#include "model.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "model_table.h"

/* Dimensions of the roles' tensors. */
enum dimension {
    NONE,
    VOCAB,
    HIDDEN,
    QUERY,
    KEY,
    INNER,
    WIDTH,
    POSITIONS,
    QUERY_KEY_VALUE,
    INNER_TWICE,
    HEAD,
    EXPERTS,
    SHARED,
    ONE,
};
static const enum dimension role_shape[ROLE_COUNT][2] = {
    [ROLE_EMBEDDING] = {VOCAB, WIDTH},
    [ROLE_ATTENTION_NORM] = {HIDDEN, NONE},
    [ROLE_Q] = {QUERY, HIDDEN},
    [ROLE_K] = {KEY, HIDDEN},
    [ROLE_V] = {KEY, HIDDEN},
    [ROLE_Q_BIAS] = {QUERY, NONE},
    [ROLE_K_BIAS] = {KEY, NONE},
    [ROLE_V_BIAS] = {KEY, NONE},
    [ROLE_O] = {HIDDEN, QUERY},
    [ROLE_O_BIAS] = {HIDDEN, NONE},
    [ROLE_MLP_NORM] = {HIDDEN, NONE},
    [ROLE_GATE] = {INNER, HIDDEN},
    [ROLE_GATE_BIAS] = {INNER, NONE},
    [ROLE_UP] = {INNER, HIDDEN},
    [ROLE_UP_BIAS] = {INNER, NONE},
    [ROLE_DOWN] = {HIDDEN, INNER},
    [ROLE_DOWN_BIAS] = {HIDDEN, NONE},
    [ROLE_FINAL_NORM] = {HIDDEN, NONE},
    [ROLE_HEAD] = {VOCAB, WIDTH},
    [ROLE_PROJECT_IN] = {HIDDEN, WIDTH},
    [ROLE_POSITIONS] = {POSITIONS, HIDDEN},
    [ROLE_ATTENTION_NORM_BIAS] = {HIDDEN, NONE},
    [ROLE_QKV] = {QUERY_KEY_VALUE, HIDDEN},
    [ROLE_QKV_BIAS] = {QUERY_KEY_VALUE, NONE},
    [ROLE_Q_NORM] = {HEAD, NONE},
    [ROLE_K_NORM] = {HEAD, NONE},
    [ROLE_ATTENTION_POST_NORM] = {HIDDEN, NONE},
    [ROLE_MLP_NORM_BIAS] = {HIDDEN, NONE},
    [ROLE_GATE_UP] = {INNER_TWICE, HIDDEN},
    [ROLE_ROUTER] = {EXPERTS, HIDDEN},
    [ROLE_EXPERT_GATE] = {INNER, HIDDEN},
    [ROLE_EXPERT_UP] = {INNER, HIDDEN},
    [ROLE_EXPERT_DOWN] = {HIDDEN, INNER},
    [ROLE_SHARED_GATE] = {SHARED, HIDDEN},
    [ROLE_SHARED_UP] = {SHARED, HIDDEN},
    [ROLE_SHARED_DOWN] = {HIDDEN, SHARED},
    [ROLE_SHARED_ROUTER] = {ONE, HIDDEN},
    [ROLE_HEAD_BIAS] = {VOCAB, NONE},
    [ROLE_MLP_POST_NORM] = {HIDDEN, NONE},
    [ROLE_FINAL_NORM_BIAS] = {HIDDEN, NONE},
    [ROLE_PROJECT_OUT] = {WIDTH, HIDDEN},
};

static const struct {
    const char *name;
    enum activation activation;
} activations[] = {
    {"silu", ACTIVATION_SILU},
    {"swish", ACTIVATION_SILU},
    {"gelu", ACTIVATION_GELU},
    {"gelu_python", ACTIVATION_GELU},
    {"gelu_new", ACTIVATION_GELU_TANH},
    {"gelu_fast", ACTIVATION_GELU_TANH},
    {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
    {"relu", ACTIVATION_RELU},
    {"quick_gelu", ACTIVATION_QUICK_GELU},
};

/* Keys that would change the numbers in a way not computed here, unless the family reads them; the
 * number is the neutral value (null, false and a missing key are neutral too). */
static const struct {
    const char *key;
    double neutral;
    unsigned reads;
} refused_keys[] = {
    {"sliding_window", NAN, READS_WINDOW},
    {"use_sliding_window", NAN, READS_WINDOW_SWITCH},
    {"attention_chunk_size", NAN, 0},
    {"attn_logit_softcapping", NAN, READS_CAPS},
    {"final_logit_softcapping", NAN, READS_CAPS},
    {"logit_softcapping", NAN, 0},
    {"logit_scale", 1, 0},
    {"logits_scaling", 1, 0},
    {"embedding_multiplier", 1, 0},
    {"residual_multiplier", 1, 0},
    {"attention_multiplier", NAN, 0},
    {"query_pre_attn_scalar", NAN, READS_QUERY_SCALAR},
    {"partial_rotary_factor", 1, READS_PARTIAL},
    {"rotary_pct", 1, READS_PARTIAL},
    {"num_local_experts", 0, READS_EXPERTS | READS_MIXTURE},
    {"num_experts", 0, READS_MIXTURE},
    {"use_qk_norm", 0, 0},
    {"qk_norm", 0, 0},
    {"qk_layernorm", 0, 0},
    {"clip_qkv", NAN, 0},
    {"no_rope_layers", NAN, 0},
    {"use_bidirectional_attention", 0, 0},
    {"use_parallel_residual", 0, READS_PARALLEL},
    {"parallel_attn", 0, READS_FALCON},
    {"scale_attn_by_inverse_layer_idx", 0, READS_SCALING},
    {"alibi", 0, 0},
    {"quantization_config", NAN, 0},
    {"compression_config", NAN, 0},
    {"add_cross_attention", 0, 0},
};

static int family_unknown(const char *name, struct error *e)
{
    char known[512] = "";
    const struct model_family *f = NULL;
    for (size_t i = 0, n = 0; (f = family_at(i)) && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", f->name);
    return error_set(e, "model_type \"%s\" is not known; known are: %s", name, known);
}

static int check_refused(const struct model *m, const json_t *config, struct error *e)
{
    for (size_t i = 0; i < sizeof refused_keys / sizeof refused_keys[0]; i++) {
        const json_t *v = json_object_get(config, refused_keys[i].key);
        if (!v || json_is_null(v) || json_is_false(v) || (m->family->reads & refused_keys[i].reads))
            continue;
        if (json_is_number(v) && json_number_value(v) == refused_keys[i].neutral)
            continue;
        /* Qwen's mixtures carry the length of a window that they do not use. */
        if ((m->family->reads & READS_MIXTURE) && refused_keys[i].reads == READS_WINDOW &&
            !json_is_true(json_object_get(config, "use_sliding_window")))
            continue;
        return error_set(e, "config key \"%s\" is set, and what it does is not computed here",
                         refused_keys[i].key);
    }
    return 0;
}

static int get_size(const json_t *o, const char *key, int64_t max, size_t *out, struct error *e)
{
    int64_t v = 0;
    if (json_get_integer(o, key, 1, max, &v, e))
        return -1;
    *out = (size_t)v;
    return 0;
}

static int get_size_or(const json_t *o, const char *key, int64_t max, size_t other, size_t *out,
                       struct error *e)
{
    int64_t v = 0;
    if (json_get_integer_or(o, key, 1, max, (int64_t)other, &v, e))
        return -1;
    *out = (size_t)v;
    return 0;
}

/* A number that must be there and lie in min..max. */
static int get_real(const json_t *o, const char *key, double min, double max, double *out,
                    struct error *e)
{
    if (json_get_real_or(o, key, NAN, out, e))
        return -1;
    if (!(*out >= min && *out <= max))
        return error_set(e, "rope parameter \"%s\" is missing or outside %g..%g", key, min, max);
    return 0;
}

/* One set of rotary parameters; o: rope_scaling, or rope_parameters, or one of its parts. */
static int parse_rope_set(struct model *m, const json_t *o, double *partial, struct error *e)
{
    m->rope = ROPE_DEFAULT;
    m->rope_factor = 1;
    if (!o || json_is_null(o))
        return 0;
    if (!json_is_object(o))
        return error_set(e, "rope_scaling is not an object");
    if (json_get_real_or(o, "rope_theta", m->rope_theta, &m->rope_theta, e) ||
        json_get_real_or(o, "partial_rotary_factor", *partial, partial, e))
        return -1;
    const char *type = json_get_string_or(o, "rope_type", json_get_string_or(o, "type", NULL));
    if (!type)
        type = json_object_get(o, "factor") ? "(none)" : "default";
    if (!strcmp(type, "linear")) {
        m->rope = ROPE_LINEAR;
        return get_real(o, "factor", 1e-3, 1e6, &m->rope_factor, e);
    }
    if (!strcmp(type, "llama3")) {
        m->rope = ROPE_LLAMA3;
        if (get_real(o, "factor", 1e-3, 1e6, &m->rope_factor, e) ||
            get_real(o, "low_freq_factor", 1e-3, 1e6, &m->rope_low_freq, e) ||
            get_real(o, "high_freq_factor", 1e-3, 1e6, &m->rope_high_freq, e) ||
            get_real(o, "original_max_position_embeddings", 1, 1e9, &m->rope_original_positions, e))
            return -1;
        if (m->rope_high_freq <= m->rope_low_freq)
            return error_set(e, "rope high_freq_factor %g is not above low_freq_factor %g",
                             m->rope_high_freq, m->rope_low_freq);
        return 0;
    }
    if (strcmp(type, "default"))
        return error_set(e, "rope type \"%s\" is not known; known are: default, linear, llama3",
                         type);
    return 0;
}

static bool same_rope(const struct model *a, const struct model *b)
{
    return a->rope == b->rope && a->rope_theta == b->rope_theta &&
           a->rope_factor == b->rope_factor && a->rope_low_freq == b->rope_low_freq &&
           a->rope_high_freq == b->rope_high_freq &&
           a->rope_original_positions == b->rope_original_positions;
}

/* RoPE: rope_theta and rope_scaling beside each other (transformers 4), or both in rope_parameters
 * (5), where each kind of layer may have a set of its own: here all must be the same. */
static int parse_rope(struct model *m, const json_t *config, struct error *e)
{
    const struct model_family *f = m->family;
    if (f->theta == 0)
        return 0;
    double partial = f->rotary_part;
    const json_t *o = json_object_get(config, "rope_parameters");
    if (!o || json_is_null(o))
        o = json_object_get(config, "rope_scaling");
    if (json_get_real_or(config, "rotary_emb_base", f->theta, &m->rope_theta, e) ||
        json_get_real_or(config, "rope_theta", m->rope_theta, &m->rope_theta, e) ||
        json_get_real_or(config, "rotary_pct", partial, &partial, e) ||
        json_get_real_or(config, "partial_rotary_factor", partial, &partial, e))
        return -1;
    const json_t *part = NULL;
    const char *key = NULL, *first = NULL;
    const struct model before = *m;
    const double part_before = partial;
    json_object_foreach((json_t *)(uintptr_t)o, key, part)
    {
        if (!json_is_object(part))
            continue;
        struct model other = before;
        double other_part = part_before;
        if (parse_rope_set(&other, part, &other_part, e))
            return error_prefix(e, "rope_parameters of \"%s\"", key);
        if (first && (!same_rope(m, &other) || other_part != partial))
            return error_set(e,
                             "rope_parameters of \"%s\" and \"%s\" differ; only one set for all "
                             "layers is computed here",
                             first, key);
        *m = other;
        partial = other_part;
        first = key;
    }
    if (!first && parse_rope_set(m, o, &partial, e))
        return -1;
    if (!(m->rope_theta >= 1 && m->rope_theta <= 1e15))
        return error_set(e, "rope_theta %g is outside 1..1e15", m->rope_theta);
    if (!(f->reads & READS_PARTIAL) && partial != 1)
        return error_set(e, "partial_rotary_factor %g: a %s model has 1", partial, f->name);
    if (!(partial > 0 && partial <= 1))
        return error_set(e, "partial_rotary_factor %g is outside 0..1", partial);
    m->rotary = (size_t)((double)m->head_dim * partial);
    if (m->rotary % 2 || m->rotary == 0)
        return error_set(e, "head_dim %zu x partial_rotary_factor %g is odd or 0; rotary positions "
                            "need pairs",
                         m->head_dim, partial);
    return 0;
}

/* bos_token_id and eos_token_id: a number, null, or (eos) a list. */
static int parse_stops(struct model *m, const json_t *config, struct error *e)
{
    int64_t id = -1;
    m->bos = m->eos = -1;
    const int64_t last = (int64_t)m->vocab - 1;
    const json_t *bos = json_object_get(config, "bos_token_id");
    if (json_is_array(bos))
        return error_set(e, "bos_token_id is a list");
    /* Some configs give -1, or an id outside the vocabulary, for "none". */
    if (json_get_integer_or(config, "bos_token_id", -1, INT32_MAX, -1, &id, e))
        return -1;
    m->bos = id <= last ? (long)id : -1;
    const json_t *eos = json_object_get(config, "eos_token_id");
    const size_t n = json_is_array(eos) ? json_array_size(eos) : 1;
    if (n > MODEL_STOPS_MAX)
        return error_set(e, "eos_token_id lists %zu ids; at most %d are allowed", n,
                         (int)MODEL_STOPS_MAX);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_is_array(eos) ? json_array_get(eos, i) : eos;
        if (!v || json_is_null(v))
            continue;
        if (!json_is_integer(v))
            return error_set(e, "eos_token_id is neither an id nor a list of ids");
        id = json_integer_value(v);
        if (id >= 0 && id <= last)
            m->stop[m->stops++] = (long)id;
    }
    if (m->stops)
        m->eos = m->stop[0];
    return 0;
}

/* Which layers look through the window: those that layer_types names, or by the family's rule. */
static int parse_window(struct model *m, const json_t *config, struct error *e)
{
    const struct model_family *f = m->family;
    int64_t window = 0, from = 0;
    const json_t *given = json_object_get(config, "sliding_window");
    bool use = true;
    if (f->reads & READS_WINDOW) {
        if (json_get_integer_or(config, "sliding_window", 1, INT64_MAX,
                                json_is_null(given) || f->window == 0 ? INT64_MAX
                                                                      : (int64_t)f->window,
                                &window, e))
            return -1;
        if ((f->reads & READS_WINDOW_SWITCH) &&
            (json_get_bool_or(config, "use_sliding_window", false, &use, e) ||
             json_get_integer_or(config, "max_window_layers", 0, INT32_MAX, 28, &from, e)))
            return -1;
    }
    /* A window as long as all positions hides nothing. */
    if (use && window && (uint64_t)window < m->positions)
        m->window = (size_t)window;
    const bool possible = use && window && window != INT64_MAX;
    const json_t *types = json_object_get(config, "layer_types");
    if (types && !json_is_null(types) && json_array_size(types) < m->layers)
        return error_set(e, "layer_types is no list with an entry for each of the %zu layers",
                         m->layers);
    if (m->window && m->layers > MODEL_SLIDING_MAX)
        return error_set(e, "num_hidden_layers %zu: with a sliding window at most %d are computed",
                         m->layers, (int)MODEL_SLIDING_MAX);
    for (size_t i = 0; i < m->layers; i++) {
        bool slides = possible && (f->alternating ? i % 2 == 0 : i >= (size_t)from);
        if (json_is_array(types)) {
            const char *type = json_string_value(json_array_get(types, i));
            const bool says = type && !strcmp(type, "sliding_attention");
            if ((!says && (!type || strcmp(type, "full_attention"))) || (says && !possible) ||
                (says != slides && !(f->reads & READS_LAYER_TYPES)))
                return error_set(e, "layer_types[%zu] is \"%s\"; here this layer of a %s model has "
                                    "%s",
                                 i, type ? type : "?", f->name,
                                 slides ? "sliding_attention" : "full_attention");
            slides = says;
        }
        if (m->window && slides)
            m->sliding[i / 64] |= (uint64_t)1 << i % 64;
    }
    return 0;
}

/* A positive number, or 0 for null; other where the key is missing. */
static int get_cap(const json_t *config, const char *key, double other, double *out,
                   struct error *e)
{
    if (json_get_real_or(config, key, json_object_get(config, key) ? 0 : other, out, e))
        return -1;
    if (!(*out >= 0 && *out <= 1e9))
        return error_set(e, "%s %g is outside 0..1e9", key, *out);
    return 0;
}

/* Qwen's mixtures: every layer must be one. */
static int parse_mixture(struct model *m, const json_t *config, struct error *e)
{
    int64_t step = 1;
    bool whole = false, bias = true;
    if (json_get_integer_or(config, "decoder_sparse_step", 0, INT32_MAX, 1, &step, e) ||
        json_get_bool_or(config, "norm_topk_prob", false, &whole, e) ||
        json_get_bool_or(config, "qkv_bias", true, &bias, e))
        return -1;
    if (step != 1 || json_array_size(json_object_get(config, "mlp_only_layers")))
        return error_set(e, "decoder_sparse_step or mlp_only_layers: layers without experts among "
                            "those with them are not computed here");
    if (!bias)
        return error_set(e, "qkv_bias is false, which is not computed here");
    m->experts_whole = !whole;
    if (model_has_role(m, ROLE_SHARED_GATE))
        return get_size_or(config, "shared_expert_intermediate_size", 1 << 24, 5632,
                           &m->shared_inner, e);
    return 0;
}

static int parse_falcon(struct model *m, const json_t *config, struct error *e)
{
    bool new = false, multi = true, parallel = true, bias = false;
    int64_t norms = 2;
    if (json_get_bool_or(config, "new_decoder_architecture", false, &new, e) ||
        json_get_bool_or(config, "multi_query", true, &multi, e) ||
        json_get_bool_or(config, "parallel_attn", true, &parallel, e) ||
        json_get_bool_or(config, "bias", false, &bias, e) ||
        json_get_integer_or(config, "num_ln_in_parallel_attn", 1, 2, new ? 2 : 1, &norms, e))
        return -1;
    m->kv_heads = multi ? 1 : m->heads;
    if (new && get_size_or(config, "num_kv_heads", 1 << 16, m->heads, &m->kv_heads, e))
        return -1;
    if (m->heads % m->kv_heads)
        return error_set(e, "num_attention_heads %zu is not a multiple of num_kv_heads %zu", m->heads,
                         m->kv_heads);
    m->attention_bias = m->mlp_bias = bias;
    m->place = new || parallel ? PLACE_PARALLEL : PLACE_BEFORE;
    m->norm_names = m->place == PLACE_BEFORE ? NORMS_SERIAL
                    : new && norms == 2      ? NORMS_TWO
                                             : NORMS_ONE;
    return 0;
}

static int parse_switches(struct model *m, const json_t *config, struct error *e)
{
    const struct model_family *f = m->family;
    bool before = true, parallel = true, drop_final = false, scaled = true, bias = true;
    const char *name = json_get_string_or(config, f->key.activation, f->activation);
    size_t i = 0;
    if (f->legacy_gelu && !strcmp(name, "gelu"))
        name = f->legacy_gelu;
    m->activation = ACTIVATIONS;
    for (i = 0; i < sizeof activations / sizeof activations[0]; i++)
        if (!strcmp(activations[i].name, name))
            m->activation = activations[i].activation;
    if (m->activation == ACTIVATIONS)
        return error_set(e, "%s \"%s\" is not computed here; known are silu, gelu, gelu_new, "
                            "gelu_fast, gelu_pytorch_tanh, quick_gelu and relu",
                         f->key.activation, name);
    m->norm = f->norm;
    m->place = f->place;
    m->gated = f->gated;
    m->qkv_per_head = f->qkv_per_head;
    m->norm_weights = m->final_norm = true;
    m->width = m->hidden;
    m->embedding_scale = f->scaled_embedding ? sqrt((double)m->hidden) : 1;
    m->position_offset = f->offset;
    m->position_rows = f->learned ? m->positions + f->offset : 0;
    if (f->reads & READS_OPT) {
        if (json_get_bool_or(config, "do_layer_norm_before", true, &before, e) ||
            json_get_bool_or(config, "_remove_final_layer_norm", false, &drop_final, e) ||
            json_get_bool_or(config, "layer_norm_elementwise_affine", true, &m->norm_weights, e) ||
            json_get_bool_or(config, "enable_bias", true, &bias, e) ||
            get_size_or(config, "word_embed_proj_dim", 1 << 20, m->hidden, &m->width, e))
            return -1;
        m->place = before ? PLACE_BEFORE : PLACE_AFTER;
        m->final_norm = before && !drop_final;
        m->attention_bias = m->mlp_bias = bias;
    }
    if (f->reads & READS_PARALLEL) {
        if (json_get_bool_or(config, "use_parallel_residual", true, &parallel, e))
            return -1;
        m->place = parallel ? PLACE_PARALLEL : PLACE_BEFORE;
    }
    if (f->experts) {
        const bool local = json_object_get(config, "num_local_experts") || !(f->reads & READS_MIXTURE);
        if (get_size_or(config, local ? "num_local_experts" : "num_experts", 4096, f->experts,
                        &m->experts, e) ||
            get_size_or(config, "num_experts_per_tok", 4096, f->experts_used, &m->experts_used, e) ||
            ((f->reads & READS_MIXTURE) && parse_mixture(m, config, e)))
            return -1;
        if (m->experts_used > m->experts)
            return error_set(e, "num_experts_per_tok %zu is above num_local_experts %zu",
                             m->experts_used, m->experts);
    }
    if ((f->reads & READS_FALCON) && parse_falcon(m, config, e))
        return -1;
    if ((f->reads & READS_CAPS) &&
        (get_cap(config, "attn_logit_softcapping", f->attention_cap, &m->attention_cap, e) ||
         get_cap(config, "final_logit_softcapping", f->final_cap, &m->final_cap, e)))
        return -1;
    double scalar = (double)m->head_dim;
    if ((f->reads & READS_QUERY_SCALAR) &&
        get_cap(config, "query_pre_attn_scalar", f->query_scalar, &scalar, e))
        return -1;
    if ((f->reads & READS_SCALING) &&
        (json_get_bool_or(config, "scale_attn_weights", true, &scaled, e) ||
         json_get_bool_or(config, "scale_attn_by_inverse_layer_idx", false, &m->scale_by_layer, e)))
        return -1;
    if (!(scalar > 0))
        return error_set(e, "query_pre_attn_scalar is 0");
    m->attention_scale = scaled ? 1.0 / sqrt(scalar) : 1;
    return 0;
}

static int parse_sizes(struct model *m, const json_t *config, struct error *e)
{
    const struct model_family *f = m->family;
    const bool reads = f->reads & READS_HEADS;
    if (get_size(config, f->key.hidden, 1 << 20, &m->hidden, e) ||
        /* GPT-2's n_inner is usually null, Falcon's ffn_hidden_size not there. */
        (f->transposed || (f->reads & READS_FALCON)
             ? get_size_or(config, f->key.inner, 1 << 24, 4 * m->hidden, &m->intermediate, e)
             : get_size(config, f->key.inner, 1 << 24, &m->intermediate, e)) ||
        get_size(config, f->key.layers, 1 << 16, &m->layers, e) ||
        get_size(config, f->key.heads, 1 << 16, &m->heads, e) ||
        get_size(config, "vocab_size", 1 << 26, &m->vocab, e) ||
        get_size_or(config, f->key.positions, INT32_MAX, f->positions, &m->positions, e))
        return -1;
    /* null means as many as heads; a missing key may mean another number. */
    const bool missing = !json_object_get(config, "num_key_value_heads");
    m->kv_heads = m->heads;
    if (reads && get_size_or(config, "num_key_value_heads", 1 << 16,
                             missing && f->kv_heads ? f->kv_heads : m->heads, &m->kv_heads, e))
        return -1;
    const json_t *given = json_object_get(config, "head_dim");
    const size_t usual = m->hidden / m->heads ? m->hidden / m->heads : 1;
    if ((!reads || (!f->head_dim && (!given || json_is_null(given)))) && m->hidden % m->heads)
        return error_set(e, "%s %zu is not a multiple of %s %zu", f->key.hidden, m->hidden,
                         f->key.heads, m->heads);
    m->head_dim = usual;
    if (reads && get_size_or(config, "head_dim", 1 << 16, f->head_dim ? f->head_dim : usual,
                             &m->head_dim, e))
        return -1;
    if (m->heads % m->kv_heads)
        return error_set(e, "num_attention_heads %zu is not a multiple of num_key_value_heads %zu",
                         m->heads, m->kv_heads);
    if (m->heads * m->head_dim > 1 << 24)
        return error_set(e, "num_attention_heads %zu x head_dim %zu is over 2^24", m->heads,
                         m->head_dim);
    m->norm_eps = f->eps;
    if (f->key.eps && json_get_real_or(config, f->key.eps, f->eps, &m->norm_eps, e))
        return -1;
    if (!(m->norm_eps >= 0 && m->norm_eps <= 1))
        return error_set(e, "%s %g is outside 0..1", f->key.eps, m->norm_eps);
    return 0;
}

int model_parse(struct model *m, const json_t *config, struct error *e)
{
    *m = (struct model){0};
    if (!json_is_object(config))
        return error_set(e, "the config is not a JSON object");
    const char *type = NULL;
    if (json_get_string(config, "model_type", &type, e))
        return -1;
    m->family = family_find(type);
    if (!m->family)
        return family_unknown(type, e);
    m->architecture = m->family->name;
    if (check_refused(m, config, e) || parse_sizes(m, config, e) ||
        json_get_bool_or(config, "tie_word_embeddings", m->family->tied, &m->tied, e) ||
        json_get_bool_or(config, "attention_bias", m->family->attention_bias, &m->attention_bias,
                         e) ||
        json_get_bool_or(config, "mlp_bias", false, &m->mlp_bias, e))
        return -1;
    return parse_switches(m, config, e) || parse_window(m, config, e) ||
                   parse_rope(m, config, e) || parse_stops(m, config, e)
               ? -1
               : 0;
}

static bool is_present(const struct model *m, enum presence p)
{
    switch (p) {
    case ALWAYS:
        return true;
    case WITH_ATTENTION_BIAS:
        return m->attention_bias;
    case WITH_MLP_BIAS:
        return m->mlp_bias;
    case WITH_NORM_WEIGHTS:
        return m->norm_weights;
    case WITH_FINAL_NORM:
        return m->norm_weights && m->final_norm;
    case WITH_PROJECTION:
        return m->width != m->hidden;
    case WITH_FIRST_NORM:
        return m->norm_names != NORMS_TWO;
    case WITH_TWO_NORMS:
        return m->norm_names == NORMS_TWO;
    case WITH_SERIAL_NORMS:
        return m->norm_names == NORMS_SERIAL;
    case UNLESS_TIED:
        return !m->tied;
    case NEVER:
        break;
    }
    return false;
}

static bool has_layer(const struct name_pattern *p)
{
    return strchr(p->name, '#') != NULL;
}

static bool has_expert(const struct name_pattern *p)
{
    return strchr(p->name, '*') != NULL;
}

/* Reads a number without leading zeros; SIZE_MAX when absurdly long. NULL if there is none. */
static const char *read_number(const char *s, size_t *out)
{
    const size_t digits = strspn(s, "0123456789");
    if (digits == 0 || (digits > 1 && *s == '0'))
        return NULL;
    *out = digits > 9 ? SIZE_MAX : 0;
    for (size_t i = 0; i < digits && digits <= 9; i++)
        *out = *out * 10 + (size_t)(s[i] - '0');
    return s + digits;
}

/* True if name follows the pattern; its numbers, if any, in *layer and *expert. */
static bool match(const char *pattern, const char *name, size_t *layer, size_t *expert)
{
    *layer = *expert = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '#' && *pattern != '*') {
            if (*name++ != *pattern)
                return false;
            continue;
        }
        name = read_number(name, *pattern == '#' ? layer : expert);
        if (!name)
            return false;
    }
    return *name == 0;
}

size_t model_tensor_expert(const char *name)
{
    const char *at = strstr(name, ".experts.");
    size_t expert = 0;
    return at && read_number(at + strlen(".experts."), &expert) ? expert : 0;
}

int model_tensor_role(const struct model *m, const char *name, enum model_role *role, size_t *layer,
                      struct error *e)
{
    const size_t skip = strlen(m->family->prefix);
    size_t expert = 0;
    for (const struct name_pattern *p = m->family->patterns; p->name; p++) {
        bool found = match(p->name, name, layer, &expert);
        if (!found && !strncmp(p->name, m->family->prefix, skip))
            found = match(p->name + skip, name, layer, &expert);
        if (!found)
            continue;
        if (has_layer(p) && *layer >= m->layers)
            return error_set(e, "tensor %s: the config says %zu layers", name, m->layers);
        if (has_expert(p) && expert >= m->experts)
            return error_set(e, "tensor %s: the config says %zu experts", name, m->experts);
        if (p->presence == UNLESS_TIED && m->tied)
            *role = ROLE_IGNORED;
        else if (p->presence != NEVER && !is_present(m, p->presence))
            return error_set(e, "tensor %s: by its config the model has no such tensor", name);
        else
            *role = p->role;
        return 0;
    }
    return error_set(e, "tensor %s: a %s model has no tensor of this name", name, m->architecture);
}

static size_t dimension_size(const struct model *m, enum dimension d)
{
    switch (d) {
    case VOCAB:
        return m->vocab;
    case HIDDEN:
        return m->hidden;
    case QUERY:
        return m->heads * m->head_dim;
    case KEY:
        return m->kv_heads * m->head_dim;
    case INNER:
        return m->intermediate;
    case WIDTH:
        return m->width;
    case POSITIONS:
        return m->position_rows;
    case QUERY_KEY_VALUE:
        return (m->heads + 2 * m->kv_heads) * m->head_dim;
    case INNER_TWICE:
        return 2 * m->intermediate;
    case HEAD:
        return m->head_dim;
    case EXPERTS:
        return m->experts;
    case SHARED:
        return m->shared_inner;
    case ONE:
    case NONE:
        break;
    }
    return 1;
}

int model_tensor_check(const struct model *m, enum model_role role, const char *name, int rank,
                       const size_t *shape, struct error *e)
{
    if (role == ROLE_IGNORED)
        return 0;
    const enum dimension *d = role_shape[role];
    const size_t rows = dimension_size(m, d[0]), cols = dimension_size(m, d[1]);
    const int want = d[1] == NONE ? 1 : 2;
    if (rank == want && shape[0] == rows && (want == 1 || shape[1] == cols))
        return 0;
    char got[128] = "";
    for (int i = 0, n = 0; i < rank && n < (int)sizeof got; i++)
        n += snprintf(got + n, sizeof got - (size_t)n, "%s%zu", i ? ", " : "", shape[i]);
    if (want == 1)
        return error_set(e, "tensor %s: its shape is (%s), by the config it is (%zu)", name, got,
                         rows);
    return error_set(e, "tensor %s: its shape is (%s), by the config it is (%zu, %zu)", name, got,
                     rows, cols);
}

static size_t repeated(const struct model *m, const struct name_pattern *p)
{
    return has_expert(p) ? m->experts : 1;
}

/* Number of tensors before, in and after one block. */
static void count_parts(const struct model *m, size_t count[3])
{
    int part = 0;
    count[0] = count[1] = count[2] = 0;
    for (const struct name_pattern *p = m->family->patterns; p->name; p++) {
        part = has_layer(p) ? 1 : part == 0 ? 0 : 2;
        if (is_present(m, p->presence))
            count[part] += repeated(m, p);
    }
}

size_t model_tensor_count(const struct model *m)
{
    size_t count[3];
    count_parts(m, count);
    return count[0] + count[1] * m->layers + count[2];
}

size_t model_tensors_before(const struct model *m)
{
    size_t count[3];
    count_parts(m, count);
    return count[0];
}

void model_tensor_at(const struct model *m, size_t i, enum model_role *role, size_t *layer,
                     char *name, size_t n)
{
    size_t count[3], expert = 0;
    count_parts(m, count);
    size_t place = i; /* among the tensors of one block and those outside */
    *layer = 0;
    if (i >= count[0] + count[1] * m->layers) {
        place = i - count[1] * (m->layers - 1);
    } else if (i >= count[0]) {
        *layer = (i - count[0]) / count[1];
        place = count[0] + (i - count[0]) % count[1];
    }
    const struct name_pattern *p = m->family->patterns;
    for (;; p++) {
        size_t each = 0; /* tensors of one expert, whose patterns follow each other */
        while (has_expert(p + each))
            each++;
        if (each && place < each * m->experts) {
            expert = place / each;
            p += place % each;
            break;
        }
        if (each) {
            place -= each * m->experts;
            p += each - 1;
        } else if (is_present(m, p->presence) && place-- == 0) {
            break;
        }
    }
    *role = p->role;
    size_t at = 0;
    for (const char *c = p->name; *c && at + 1 < n; c++) {
        if (*c == '#' || *c == '*') {
            const int digits = snprintf(name + at, n - at, "%zu", *c == '#' ? *layer : expert);
            at += (size_t)digits < n - at ? (size_t)digits : n - at - 1;
        } else {
            name[at++] = *c;
        }
    }
    name[at] = 0;
}

bool model_has_role(const struct model *m, enum model_role role)
{
    for (const struct name_pattern *p = m->family->patterns; p->name; p++)
        if (p->role == role && is_present(m, p->presence))
            return true;
    return false;
}

bool model_tensor_transposed(const struct model *m, enum model_role role)
{
    return m->family->transposed && model_role_is_projection(role);
}

bool model_role_is_before(enum model_role role)
{
    return role == ROLE_EMBEDDING || role == ROLE_PROJECT_IN || role == ROLE_POSITIONS;
}

bool model_role_is_after(enum model_role role)
{
    return role == ROLE_FINAL_NORM || role == ROLE_FINAL_NORM_BIAS || role == ROLE_PROJECT_OUT ||
           role == ROLE_HEAD_BIAS || role == ROLE_HEAD;
}

size_t model_layer_window(const struct model *m, size_t layer)
{
    const bool slides = layer < MODEL_SLIDING_MAX && (m->sliding[layer / 64] >> layer % 64 & 1);
    return slides ? m->window : 0;
}

enum model_role model_role_input(enum model_role role)
{
    switch (role) {
    case ROLE_Q:
    case ROLE_K:
    case ROLE_V:
    case ROLE_QKV:
        return ROLE_Q;
    case ROLE_O:
        return ROLE_O;
    case ROLE_GATE:
    case ROLE_UP:
    case ROLE_GATE_UP:
        return ROLE_GATE;
    case ROLE_EXPERT_GATE:
    case ROLE_EXPERT_UP:
        return ROLE_EXPERT_GATE;
    case ROLE_SHARED_GATE:
    case ROLE_SHARED_UP:
        return ROLE_SHARED_GATE;
    case ROLE_DOWN:
    case ROLE_EXPERT_DOWN:
    case ROLE_SHARED_DOWN:
        return role;
    default:
        return ROLE_COUNT;
    }
}

size_t model_role_columns(const struct model *m, enum model_role role)
{
    return dimension_size(m, role_shape[role][1]);
}

size_t model_role_size(const struct model *m, enum model_role role)
{
    const enum dimension *d = role_shape[role];
    return d[0] == NONE ? 0 : dimension_size(m, d[0]) * dimension_size(m, d[1]);
}

size_t model_largest(const struct model *m)
{
    size_t most = m->vocab * m->width;
    for (int role = 0; role < ROLE_COUNT; role++)
        if (model_has_role(m, (enum model_role)role) && model_role_size(m, (enum model_role)role) > most)
            most = model_role_size(m, (enum model_role)role);
    return most;
}

bool model_role_is_projection(enum model_role role)
{
    switch (role) {
    case ROLE_Q:
    case ROLE_K:
    case ROLE_V:
    case ROLE_QKV:
    case ROLE_O:
    case ROLE_GATE:
    case ROLE_UP:
    case ROLE_GATE_UP:
    case ROLE_DOWN:
    case ROLE_EXPERT_GATE:
    case ROLE_EXPERT_UP:
    case ROLE_EXPERT_DOWN:
    case ROLE_SHARED_GATE:
    case ROLE_SHARED_UP:
    case ROLE_SHARED_DOWN:
        return true;
    default:
        return false;
    }
}

size_t model_projections(const struct model *m)
{
    size_t n = 0;
    for (const struct name_pattern *p = m->family->patterns; p->name; p++)
        if (is_present(m, p->presence) && model_role_is_projection(p->role))
            n += m->layers * repeated(m, p);
    return n;
}

size_t model_parameters(const struct model *m, bool blocks_only)
{
    size_t sum = 0;
    for (const struct name_pattern *p = m->family->patterns; p->name; p++) {
        if (!is_present(m, p->presence))
            continue;
        if (blocks_only && (p->role == ROLE_EMBEDDING || p->role == ROLE_POSITIONS ||
                            p->role == ROLE_HEAD))
            continue;
        sum += model_role_size(m, p->role) * (has_layer(p) ? m->layers : 1) * repeated(m, p);
    }
    return sum;
}
