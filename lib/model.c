/* The model table: configuration and tensor names as data. Widening it to a further architecture of
 * the same shape means adding a row to families[]; what a config may say beside that is in the
 * tables of keys below, each with the value that changes nothing. */
#include "model.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

/* When a tensor has to be there. */
enum presence {
    ALWAYS,
    WITH_ATTENTION_BIAS,
    WITH_MLP_BIAS,
    UNLESS_TIED, /* a copy in a tied checkpoint is ignored */
    NEVER,       /* may be in the file, means nothing */
};

/* A name; "#" stands for the number of the layer. The order is that of the forward pass. */
struct name_pattern {
    enum model_role role;
    enum presence presence;
    const char *name;
};

struct model_family {
    const char *name;                    /* model_type of config.json */
    const char *activation;              /* the only hidden_act it may have */
    bool tied_by_default;                /* tie_word_embeddings where the config is silent */
    const char *prefix;                  /* of the names below that may be left out */
    const struct name_pattern *patterns; /* ended by name == NULL */
};

static const struct name_pattern llama_patterns[] = {
    {ROLE_EMBEDDING, ALWAYS, "model.embed_tokens.weight"},
    {ROLE_ATTENTION_NORM, ALWAYS, "model.layers.#.input_layernorm.weight"},
    {ROLE_Q, ALWAYS, "model.layers.#.self_attn.q_proj.weight"},
    {ROLE_Q_BIAS, WITH_ATTENTION_BIAS, "model.layers.#.self_attn.q_proj.bias"},
    {ROLE_K, ALWAYS, "model.layers.#.self_attn.k_proj.weight"},
    {ROLE_K_BIAS, WITH_ATTENTION_BIAS, "model.layers.#.self_attn.k_proj.bias"},
    {ROLE_V, ALWAYS, "model.layers.#.self_attn.v_proj.weight"},
    {ROLE_V_BIAS, WITH_ATTENTION_BIAS, "model.layers.#.self_attn.v_proj.bias"},
    {ROLE_O, ALWAYS, "model.layers.#.self_attn.o_proj.weight"},
    {ROLE_O_BIAS, WITH_ATTENTION_BIAS, "model.layers.#.self_attn.o_proj.bias"},
    {ROLE_IGNORED, NEVER, "model.layers.#.self_attn.rotary_emb.inv_freq"},
    {ROLE_MLP_NORM, ALWAYS, "model.layers.#.post_attention_layernorm.weight"},
    {ROLE_GATE, ALWAYS, "model.layers.#.mlp.gate_proj.weight"},
    {ROLE_GATE_BIAS, WITH_MLP_BIAS, "model.layers.#.mlp.gate_proj.bias"},
    {ROLE_UP, ALWAYS, "model.layers.#.mlp.up_proj.weight"},
    {ROLE_UP_BIAS, WITH_MLP_BIAS, "model.layers.#.mlp.up_proj.bias"},
    {ROLE_DOWN, ALWAYS, "model.layers.#.mlp.down_proj.weight"},
    {ROLE_DOWN_BIAS, WITH_MLP_BIAS, "model.layers.#.mlp.down_proj.bias"},
    {ROLE_FINAL_NORM, ALWAYS, "model.norm.weight"},
    {ROLE_IGNORED, NEVER, "model.rotary_emb.inv_freq"},
    {ROLE_HEAD, UNLESS_TIED, "lm_head.weight"},
    {ROLE_COUNT, NEVER, NULL},
};

static const struct model_family families[] = {
    {"llama", "silu", false, "model.", llama_patterns},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

/* Dimensions of the roles' tensors. */
enum dimension { NONE, VOCAB, HIDDEN, QUERY, KEY, INNER };
static const enum dimension role_shape[ROLE_COUNT][2] = {
    [ROLE_EMBEDDING] = {VOCAB, HIDDEN}, [ROLE_ATTENTION_NORM] = {HIDDEN, NONE},
    [ROLE_Q] = {QUERY, HIDDEN},         [ROLE_K] = {KEY, HIDDEN},
    [ROLE_V] = {KEY, HIDDEN},           [ROLE_Q_BIAS] = {QUERY, NONE},
    [ROLE_K_BIAS] = {KEY, NONE},        [ROLE_V_BIAS] = {KEY, NONE},
    [ROLE_O] = {HIDDEN, QUERY},         [ROLE_O_BIAS] = {HIDDEN, NONE},
    [ROLE_MLP_NORM] = {HIDDEN, NONE},   [ROLE_GATE] = {INNER, HIDDEN},
    [ROLE_GATE_BIAS] = {INNER, NONE},   [ROLE_UP] = {INNER, HIDDEN},
    [ROLE_UP_BIAS] = {INNER, NONE},     [ROLE_DOWN] = {HIDDEN, INNER},
    [ROLE_DOWN_BIAS] = {HIDDEN, NONE},  [ROLE_FINAL_NORM] = {HIDDEN, NONE},
    [ROLE_HEAD] = {VOCAB, HIDDEN},
};

/* Keys that would change the numbers in a way not computed here; the number is the neutral value
 * (null, false and a missing key are neutral too). */
static const struct {
    const char *key;
    double neutral;
} refused_keys[] = {
    {"sliding_window", NAN},
    {"attention_chunk_size", NAN},
    {"attn_logit_softcapping", NAN},
    {"final_logit_softcapping", NAN},
    {"logit_softcapping", NAN},
    {"logit_scale", 1},
    {"logits_scaling", 1},
    {"embedding_multiplier", 1},
    {"residual_multiplier", 1},
    {"attention_multiplier", NAN},
    {"query_pre_attn_scalar", NAN},
    {"partial_rotary_factor", 1},
    {"rotary_pct", 1},
    {"num_local_experts", 0},
    {"num_experts", 0},
    {"use_qk_norm", 0},
    {"qk_norm", 0},
    {"alibi", 0},
    {"quantization_config", NAN},
    {"compression_config", NAN},
    {"add_cross_attention", 0},
};

static const struct model_family *family_find(const char *name)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (!strcmp(families[i].name, name))
            return &families[i];
    return NULL;
}

static int family_unknown(const char *name, struct error *e)
{
    char known[256] = "";
    for (size_t i = 0, n = 0; i < FAMILIES && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", families[i].name);
    return error_set(e, "model_type \"%s\" is not known; known are: %s", name, known);
}

static int check_refused(const json_t *config, struct error *e)
{
    for (size_t i = 0; i < sizeof refused_keys / sizeof refused_keys[0]; i++) {
        const json_t *v = json_object_get(config, refused_keys[i].key);
        if (!v || json_is_null(v) || json_is_false(v))
            continue;
        if (json_is_number(v) && json_number_value(v) == refused_keys[i].neutral)
            continue;
        return error_set(e, "config key \"%s\" is set, and what it does is not computed here",
                         refused_keys[i].key);
    }
    const json_t *types = json_object_get(config, "layer_types");
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *type = json_string_value(json_array_get(types, i));
        if (!type || strcmp(type, "full_attention"))
            return error_set(e, "layer_types[%zu] is \"%s\"; only full_attention is computed here",
                             i, type ? type : "?");
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

/* RoPE: rope_theta and rope_scaling beside each other (transformers 4), or both in rope_parameters
 * (5). */
static int parse_rope(struct model *m, const json_t *config, struct error *e)
{
    const json_t *o = json_object_get(config, "rope_parameters");
    if (!o || json_is_null(o))
        o = json_object_get(config, "rope_scaling");
    if (json_get_real_or(config, "rope_theta", 10000.0, &m->rope_theta, e))
        return -1;
    m->rope = ROPE_DEFAULT;
    m->rope_factor = 1;
    if (o && !json_is_null(o)) {
        if (!json_is_object(o))
            return error_set(e, "rope_scaling is not an object");
        if (json_get_real_or(o, "rope_theta", m->rope_theta, &m->rope_theta, e))
            return -1;
        const json_t *part = NULL;
        const char *key = NULL;
        json_object_foreach((json_t *)(uintptr_t)o, key, part)
        {
            if (json_is_object(part))
                return error_set(e,
                                 "rope_parameters has settings of its own for \"%s\"; only one "
                                 "set for all layers is computed here",
                                 key);
        }
        double partial = 1;
        if (json_get_real_or(o, "partial_rotary_factor", 1, &partial, e))
            return -1;
        if (partial != 1)
            return error_set(e, "partial_rotary_factor %g: only 1 is computed here", partial);
        const char *type = json_get_string_or(o, "rope_type", json_get_string_or(o, "type", NULL));
        if (!type)
            type = json_object_get(o, "factor") ? "(none)" : "default";
        if (!strcmp(type, "linear")) {
            m->rope = ROPE_LINEAR;
            if (get_real(o, "factor", 1e-3, 1e6, &m->rope_factor, e))
                return -1;
        } else if (!strcmp(type, "llama3")) {
            m->rope = ROPE_LLAMA3;
            if (get_real(o, "factor", 1e-3, 1e6, &m->rope_factor, e) ||
                get_real(o, "low_freq_factor", 1e-3, 1e6, &m->rope_low_freq, e) ||
                get_real(o, "high_freq_factor", 1e-3, 1e6, &m->rope_high_freq, e) ||
                get_real(o, "original_max_position_embeddings", 1, 1e9, &m->rope_original_positions,
                         e))
                return -1;
            if (m->rope_high_freq <= m->rope_low_freq)
                return error_set(e, "rope high_freq_factor %g is not above low_freq_factor %g",
                                 m->rope_high_freq, m->rope_low_freq);
        } else if (strcmp(type, "default")) {
            return error_set(e, "rope type \"%s\" is not known; known are: default, linear, llama3",
                             type);
        }
    }
    if (!(m->rope_theta >= 1 && m->rope_theta <= 1e15))
        return error_set(e, "rope_theta %g is outside 1..1e15", m->rope_theta);
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

int model_parse(struct model *m, const json_t *config, struct error *e)
{
    *m = (struct model){0};
    if (!json_is_object(config))
        return error_set(e, "the config is not a JSON object");
    const char *type = NULL, *activation = NULL;
    if (json_get_string(config, "model_type", &type, e))
        return -1;
    m->family = family_find(type);
    if (!m->family)
        return family_unknown(type, e);
    m->architecture = m->family->name;
    activation = json_get_string_or(config, "hidden_act", m->family->activation);
    if (strcmp(activation, m->family->activation))
        return error_set(e, "hidden_act \"%s\": a %s model has \"%s\"", activation, m->architecture,
                         m->family->activation);
    if (check_refused(config, e))
        return -1;

    if (get_size(config, "hidden_size", 1 << 20, &m->hidden, e) ||
        get_size(config, "intermediate_size", 1 << 24, &m->intermediate, e) ||
        get_size(config, "num_hidden_layers", 1 << 16, &m->layers, e) ||
        get_size(config, "num_attention_heads", 1 << 16, &m->heads, e) ||
        get_size(config, "vocab_size", 1 << 26, &m->vocab, e) ||
        get_size_or(config, "num_key_value_heads", 1 << 16, m->heads, &m->kv_heads, e) ||
        get_size_or(config, "max_position_embeddings", INT32_MAX, 2048, &m->positions, e))
        return -1;
    const json_t *head_dim = json_object_get(config, "head_dim");
    if ((!head_dim || json_is_null(head_dim)) && m->hidden % m->heads)
        return error_set(e, "hidden_size %zu is not a multiple of num_attention_heads %zu",
                         m->hidden, m->heads);
    if (get_size_or(config, "head_dim", 1 << 16, m->hidden / m->heads ? m->hidden / m->heads : 1,
                    &m->head_dim, e))
        return -1;
    if (m->head_dim % 2)
        return error_set(e, "head_dim %zu is odd; rotary positions need pairs", m->head_dim);
    if (m->heads % m->kv_heads)
        return error_set(e, "num_attention_heads %zu is not a multiple of num_key_value_heads %zu",
                         m->heads, m->kv_heads);
    if (m->heads * m->head_dim > 1 << 24)
        return error_set(e, "num_attention_heads %zu x head_dim %zu is over 2^24", m->heads,
                         m->head_dim);
    if (json_get_real_or(config, "rms_norm_eps", 1e-6, &m->norm_eps, e))
        return -1;
    if (!(m->norm_eps >= 0 && m->norm_eps <= 1))
        return error_set(e, "rms_norm_eps %g is outside 0..1", m->norm_eps);
    if (json_get_bool_or(config, "tie_word_embeddings", m->family->tied_by_default, &m->tied, e) ||
        json_get_bool_or(config, "attention_bias", false, &m->attention_bias, e) ||
        json_get_bool_or(config, "mlp_bias", false, &m->mlp_bias, e))
        return -1;
    return parse_rope(m, config, e) || parse_stops(m, config, e) ? -1 : 0;
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

/* True if name follows the pattern; its number, if any, in *layer (SIZE_MAX when absurdly long). */
static bool match(const char *pattern, const char *name, size_t *layer)
{
    *layer = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '#') {
            if (*name++ != *pattern)
                return false;
            continue;
        }
        size_t digits = strspn(name, "0123456789");
        if (digits == 0 || (digits > 1 && *name == '0'))
            return false;
        if (digits > 9)
            *layer = SIZE_MAX;
        else
            for (size_t i = 0; i < digits; i++)
                *layer = *layer * 10 + (size_t)(name[i] - '0');
        name += digits;
    }
    return *name == 0;
}

int model_tensor_role(const struct model *m, const char *name, enum model_role *role, size_t *layer,
                      struct error *e)
{
    const size_t skip = strlen(m->family->prefix);
    for (const struct name_pattern *p = m->family->patterns; p->name; p++) {
        bool found = match(p->name, name, layer);
        if (!found && !strncmp(p->name, m->family->prefix, skip))
            found = match(p->name + skip, name, layer);
        if (!found)
            continue;
        if (has_layer(p) && *layer >= m->layers)
            return error_set(e, "tensor %s: the config says %zu layers", name, m->layers);
        if (p->presence == UNLESS_TIED && m->tied)
            *role = ROLE_IGNORED;
        else if (p->presence != NEVER && !is_present(m, p->presence))
            return error_set(e, "tensor %s: by its config the model has no such bias", name);
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

/* Number of tensors before, in and after one block. */
static void count_parts(const struct model *m, size_t count[3])
{
    int part = 0;
    count[0] = count[1] = count[2] = 0;
    for (const struct name_pattern *p = m->family->patterns; p->name; p++) {
        part = has_layer(p) ? 1 : part == 0 ? 0 : 2;
        if (is_present(m, p->presence))
            count[part]++;
    }
}

size_t model_tensor_count(const struct model *m)
{
    size_t count[3];
    count_parts(m, count);
    return count[0] + count[1] * m->layers + count[2];
}

void model_tensor_at(const struct model *m, size_t i, enum model_role *role, size_t *layer,
                     char *name, size_t n)
{
    size_t count[3];
    count_parts(m, count);
    size_t place = i; /* among the patterns that are present */
    *layer = 0;
    if (i >= count[0] + count[1] * m->layers) {
        place = i - count[1] * (m->layers - 1);
    } else if (i >= count[0]) {
        *layer = (i - count[0]) / count[1];
        place = count[0] + (i - count[0]) % count[1];
    }
    const struct name_pattern *p = m->family->patterns;
    for (;; p++)
        if (is_present(m, p->presence) && place-- == 0)
            break;
    *role = p->role;
    const char *hash = strchr(p->name, '#');
    if (hash)
        snprintf(name, n, "%.*s%zu%s", (int)(hash - p->name), p->name, *layer, hash + 1);
    else
        snprintf(name, n, "%s", p->name);
}

bool model_role_is_projection(enum model_role role)
{
    switch (role) {
    case ROLE_Q:
    case ROLE_K:
    case ROLE_V:
    case ROLE_O:
    case ROLE_GATE:
    case ROLE_UP:
    case ROLE_DOWN:
        return true;
    default:
        return false;
    }
}

size_t model_parameters(const struct model *m, bool blocks_only)
{
    size_t sum = 0;
    for (const struct name_pattern *p = m->family->patterns; p->name; p++) {
        if (!is_present(m, p->presence))
            continue;
        if (blocks_only && (p->role == ROLE_EMBEDDING || p->role == ROLE_HEAD))
            continue;
        const enum dimension *d = role_shape[p->role];
        sum += dimension_size(m, d[0]) * dimension_size(m, d[1]) * (has_layer(p) ? m->layers : 1);
    }
    return sum;
}
