/* GGUF models: config, names, order of rows. The keys are those of the GGUF documentation. */
#include "gguf_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

enum { READ_BYTES = 1 << 20 };

static const struct architecture {
    const char *name, *model_type;
    bool permuted; /* Q and K */
    bool scaled;   /* rope_freqs.weight is understood */
} architectures[] = {
    {"llama", "llama", true, true},
    {"qwen2", "qwen2", false, false},
    {"qwen3", "qwen3", false, false},
};

/* "#" stands for the number of the layer. */
static const struct {
    const char *theirs, *ours;
} names[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"blk.#.attn_norm.weight", "model.layers.#.input_layernorm.weight"},
    {"blk.#.attn_q.weight", "model.layers.#.self_attn.q_proj.weight"},
    {"blk.#.attn_q.bias", "model.layers.#.self_attn.q_proj.bias"},
    {"blk.#.attn_k.weight", "model.layers.#.self_attn.k_proj.weight"},
    {"blk.#.attn_k.bias", "model.layers.#.self_attn.k_proj.bias"},
    {"blk.#.attn_v.weight", "model.layers.#.self_attn.v_proj.weight"},
    {"blk.#.attn_v.bias", "model.layers.#.self_attn.v_proj.bias"},
    {"blk.#.attn_output.weight", "model.layers.#.self_attn.o_proj.weight"},
    {"blk.#.attn_output.bias", "model.layers.#.self_attn.o_proj.bias"},
    {"blk.#.attn_q_norm.weight", "model.layers.#.self_attn.q_norm.weight"},
    {"blk.#.attn_k_norm.weight", "model.layers.#.self_attn.k_norm.weight"},
    {"blk.#.ffn_norm.weight", "model.layers.#.post_attention_layernorm.weight"},
    {"blk.#.ffn_gate.weight", "model.layers.#.mlp.gate_proj.weight"},
    {"blk.#.ffn_up.weight", "model.layers.#.mlp.up_proj.weight"},
    {"blk.#.ffn_down.weight", "model.layers.#.mlp.down_proj.weight"},
};

/* ---- config --------------------------------------------------------------------------------- */

/* The value of "ARCHITECTURE.key". */
static const struct gguf_value *find(const struct gguf *g, const char *architecture, const char *key)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s", architecture, key);
    return gguf_find(g, full);
}

static bool is_text(const struct gguf_value *v)
{
    return v && v->kind == GGUF_STRING && strlen(v->string->text) == v->string->length;
}

/* Copies an integer, or the one value of an array that holds it for each layer. */
static int copy_integer(json_t *config, const char *to, const struct gguf_value *v, const char *from,
                        bool needed, struct error *e)
{
    int64_t n, other;
    if (!v)
        return needed ? error_set(e, "its metadata has no %s", from) : 0;
    if (!gguf_integer(v, 0, &n))
        return error_set(e, "its metadata: %s is not an integer", from);
    for (size_t i = 1; i < v->count; i++)
        if (!gguf_integer(v, i, &other) || other != n)
            return error_set(e, "its metadata: %s differs between layers, which is not computed here",
                             from);
    return json_set(config, to, json_integer(n), e);
}

/* A real number in the fewest digits that give the same single-precision one: 1e-05 was meant. */
static json_t *shortest(double x, bool single)
{
    char text[40];
    for (int digits = 1; single && isfinite(x) && digits < 10; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtof(text, NULL) == (float)x)
            return json_real(strtod(text, NULL));
    }
    return json_number(x);
}

static int copy_real(json_t *config, const char *to, const struct gguf_value *v, const char *from,
                     struct error *e)
{
    double x;
    if (!v)
        return 0;
    if (!gguf_real(v, 0, &x) || !isfinite(x))
        return error_set(e, "its metadata: %s is not a number", from);
    return json_set(config, to, shortest(x, v->items == GGUF_F32), e);
}

static const struct gguf_entry *find_entry(const struct gguf *g, const char *name)
{
    for (size_t i = 0; i < gguf_count(g); i++)
        if (!strcmp(gguf_entry(g, i)->name, name))
            return gguf_entry(g, i);
    return NULL;
}

/* rope_freqs.weight holds what each frequency is divided by. Llama 3.1's and 3.2's rule (see
 * ROPE_LLAMA3) is found again in it; the file does not name its parameters. */
static int rope_factors(const struct gguf *g, const struct gguf_entry *t, double theta, json_t *config,
                        struct error *e)
{
    const double low = 1, high = 4, positions = 8192;
    float f[512];
    double most = 1;
    if (strcmp(t->type->name, "F32") || t->rows != 1 || t->cols > 512)
        return error_set(e, "rope_freqs.weight is not a list of up to 512 numbers of type F32");
    if (gguf_read_rows(g, t, 0, 1, f, e))
        return -1;
    for (size_t i = 0; i < t->cols; i++)
        most = (double)f[i] > most ? (double)f[i] : most;
    for (size_t i = 0; i < t->cols; i++) {
        const double length = 2 * 3.14159265358979323846 * pow(theta, (double)i / (double)t->cols);
        const double smooth = (positions / length - low) / (high - low);
        double want = length < positions / high  ? 1
                      : length > positions / low ? most
                                                 : 1 / ((1 - smooth) / most + smooth);
        if (!(fabs((double)f[i] - want) <= 1e-3 * want))
            return error_set(e, "rope_freqs.weight: factor %zu is %g; only Llama 3's rule is "
                                "computed here", i, (double)f[i]);
    }
    return json_set(config, "rope_scaling",
                    json_pack("{s:s, s:f, s:f, s:f, s:i}", "rope_type", "llama3", "factor", most,
                              "low_freq_factor", low, "high_freq_factor", high,
                              "original_max_position_embeddings", (int)positions), e);
}

static int make_rope(const struct gguf *g, const struct architecture *a, json_t *config,
                     struct error *e)
{
    const struct gguf_entry *freqs = find_entry(g, "rope_freqs.weight");
    const struct gguf_value *type = find(g, a->name, "rope.scaling.type"),
                            *factor = find(g, a->name, "rope.scaling.factor"),
                            *old = find(g, a->name, "rope.scale_linear");
    double x = 1, theta = 10000;
    if (freqs) {
        if (!a->scaled)
            return error_set(e, "rope_freqs.weight: a %s model has none", a->name);
        json_get_real_or(config, "rope_theta", 10000, &theta, NULL);
        return rope_factors(g, freqs, theta, config, e);
    }
    if (type && !is_text(type))
        return error_set(e, "its metadata: rope.scaling.type is not a text");
    if (!type && (!old || !gguf_real(old, 0, &x) || x == 1))
        return 0;
    if (type && !strcmp(type->string->text, "none"))
        return 0;
    if (type && !gguf_real(factor, 0, &x))
        return error_set(e, "its metadata has no rope.scaling.factor");
    return json_set(config, "rope_scaling",
                    json_pack("{s:s, s:o}", "rope_type", type ? type->string->text : "linear",
                              "factor", shortest(x, true)), e);
}

static int make_config(struct gguf_model *m, const struct architecture *a, struct error *e)
{
    static const struct {
        const char *from, *to;
        bool needed;
    } integers[] = {
        {"embedding_length", "hidden_size", true},
        {"feed_forward_length", "intermediate_size", true},
        {"block_count", "num_hidden_layers", true},
        {"attention.head_count", "num_attention_heads", true},
        {"attention.head_count_kv", "num_key_value_heads", false},
        {"attention.key_length", "head_dim", false},
        {"context_length", "max_position_embeddings", true},
        {"expert_count", "num_experts", false},
        {"attention.sliding_window", "sliding_window", false},
    };
    const struct gguf *g = m->file;
    const struct gguf_entry *embedding = find_entry(g, "token_embd.weight");
    json_t *c = m->config = json_object();
    int64_t id, eot, width, heads, rotary;
    if (json_set(c, "model_type", json_string(a->model_type), e))
        return -1;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        if (copy_integer(c, integers[i].to, find(g, a->name, integers[i].from), integers[i].from,
                         integers[i].needed, e))
            return -1;
    const struct gguf_value *v = find(g, a->name, "attention.value_length"),
                            *k = find(g, a->name, "attention.key_length");
    if (v && (!k || !gguf_integer(v, 0, &id) || !gguf_integer(k, 0, &width) || id != width))
        return error_set(e, "its metadata: keys and values of different lengths are not computed here");
    if (copy_real(c, "rms_norm_eps", find(g, a->name, "attention.layer_norm_rms_epsilon"),
                  "attention.layer_norm_rms_epsilon", e) ||
        copy_real(c, "rope_theta", find(g, a->name, "rope.freq_base"), "rope.freq_base", e))
        return -1;
    if (!embedding)
        return error_set(e, "tensor token_embd.weight is missing%s",
                         gguf_count(g) ? "" : ": the file holds no tensors");
    if (json_set(c, "vocab_size", json_integer((json_int_t)embedding->rows), e) ||
        json_set(c, "tie_word_embeddings", json_boolean(!find_entry(g, "output.weight")), e) ||
        (find_entry(g, "blk.0.attn_q.bias") && a->permuted &&
         json_set(c, "attention_bias", json_true(), e)) ||
        make_rope(g, a, c, e))
        return -1;
    /* Heads rotate in full here. */
    const json_t *head_dim = json_object_get(c, "head_dim");
    heads = json_integer_value(json_object_get(c, "num_attention_heads"));
    width = json_integer_value(json_object_get(c, "hidden_size"));
    if (heads < 1)
        return error_set(e, "its metadata: attention.head_count is %lld", (long long)heads);
    width = head_dim ? json_integer_value(head_dim) : width / heads;
    if (gguf_integer(find(g, a->name, "rope.dimension_count"), 0, &rotary) && rotary != width)
        return error_set(e, "its metadata: %lld of %lld dimensions of a head rotate, which is not "
                            "computed here", (long long)rotary, (long long)width);
    if (gguf_integer(gguf_find(g, "tokenizer.ggml.bos_token_id"), 0, &id) &&
        json_set(c, "bos_token_id", json_integer(id), e))
        return -1;
    if (gguf_integer(gguf_find(g, "tokenizer.ggml.eos_token_id"), 0, &id)) {
        json_t *stops = json_integer(id);
        if (gguf_integer(gguf_find(g, "tokenizer.ggml.eot_token_id"), 0, &eot) && eot != id) {
            json_decref(stops);
            stops = json_pack("[I,I]", (json_int_t)id, (json_int_t)eot);
        }
        if (json_set(c, "eos_token_id", stops, e))
            return -1;
    }
    return 0;
}

/* ---- tensors -------------------------------------------------------------------------------- */

/* The usual name of a tensor; one that is not known stays as it is, for the model table to refuse. */
static void usual_name(const char *theirs, char *out, size_t n)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *mark = strchr(names[i].theirs, '#'), *ours = strchr(names[i].ours, '#');
        if (!mark) {
            if (strcmp(names[i].theirs, theirs))
                continue;
            snprintf(out, n, "%s", names[i].ours);
            return;
        }
        const size_t before = (size_t)(mark - names[i].theirs);
        const char *digits = theirs + before;
        if (strncmp(theirs, names[i].theirs, before))
            continue;
        const size_t k = strspn(digits, "0123456789");
        if (!k || k > 6 || strcmp(digits + k, mark + 1))
            continue;
        snprintf(out, n, "%.*s%.*s%s", (int)(ours - names[i].ours), names[i].ours, (int)k, digits,
                 ours + 1);
        return;
    }
    snprintf(out, n, "%s", theirs);
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static int add_entries(struct gguf_model *m, const struct architecture *a, struct error *e)
{
    m->entry = memory_new(gguf_count(m->file), sizeof *m->entry, "a list of tensors", e);
    if (!m->entry)
        return -1;
    for (size_t i = 0; i < gguf_count(m->file); i++) {
        const struct gguf_entry *t = gguf_entry(m->file, i);
        struct gguf_model_entry *to = &m->entry[m->count];
        if (!strcmp(t->name, "rope_freqs.weight"))
            continue; /* part of the config */
        const bool plain = t->type->block == 1;
        to->entry = t;
        to->dtype = plain ? t->type->name : "F32";
        to->bytes = t->rows * (plain ? t->row_bytes : t->cols * 4);
        usual_name(t->name, to->name, sizeof to->name);
        const bool q = strstr(t->name, ".attn_q.") != NULL, k = strstr(t->name, ".attn_k.") != NULL;
        if (a->permuted && (q || k)) {
            const json_t *heads = json_object_get(m->config, "num_attention_heads"),
                         *kv = json_object_get(m->config, "num_key_value_heads");
            const json_int_t n = json_integer_value(k && kv ? kv : heads);
            /* a bias is a row in the file; as a column its elements are the rows */
            const size_t rows = ends_with(t->name, ".bias") ? t->cols : t->rows;
            if (n < 1 || rows % (2 * (size_t)n) || (t->rank > 1) == ends_with(t->name, ".bias") ||
                (t->rank == 1 && !plain))
                return error_set(e, "tensor %s: its shape does not fit %lld heads", t->name,
                                 (long long)n);
            to->heads = (size_t)n;
        }
        m->count++;
    }
    return 0;
}

int gguf_model_open(struct gguf_model *m, const char *path, struct error *e)
{
    *m = (struct gguf_model){0};
    if (gguf_open(&m->file, path, e))
        return -1;
    const struct gguf_value *name = gguf_find(m->file, "general.architecture");
    if (!is_text(name))
        return error_set(e, "%s: its metadata has no general.architecture", path);
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (!strcmp(architectures[i].name, name->string->text)) {
            if (make_config(m, &architectures[i], e) || add_entries(m, &architectures[i], e))
                return error_prefix(e, "%s", path);
            return 0;
        }
    return error_set(e, "%s: architecture '%.80s' of GGUF is not known (llama, qwen2, qwen3)", path,
                     name->string->text);
}

void gguf_model_free(struct gguf_model *m)
{
    gguf_close(m->file);
    json_decref(m->config);
    free(m->entry);
    *m = (struct gguf_model){0};
}

/* Where row `row` of `rows` stands in the file. llama.cpp rotates neighbouring dimensions of a head,
 * Hugging Face's code the i-th with the i-th of the second half: dimension 2 i + j there is
 * dimension j * half + i here. */
static size_t row_of(size_t row, size_t rows, size_t heads)
{
    if (!heads)
        return row;
    const size_t dim = rows / heads, half = dim / 2, d = row % dim;
    return row - d + d % half * 2 + d / half;
}

int gguf_model_read(const struct gguf_model *m, const struct gguf_model_entry *t, size_t offset,
                    size_t bytes, void *out, struct error *e)
{
    const struct gguf_entry *n = t->entry;
    const bool plain = n->type->block == 1, bias = t->heads && n->rank == 1;
    if (offset > t->bytes || bytes > t->bytes - offset)
        return error_set(e, "%s: is shorter than asked", n->name);
    if (!bytes)
        return 0;
    const size_t width = t->bytes / n->rows;
    size_t step = t->heads ? 1 : READ_BYTES / width + 1, at = 0;
    step = step < n->rows ? step : n->rows;
    unsigned char *raw = memory_new(step, n->row_bytes, n->name, e),
                  *rows = plain ? raw : memory_new(step, width, n->name, e);
    int result = -1;
    if (!raw || !rows)
        goto out;
    while (at < bytes) {
        const size_t row = (offset + at) / width, skip = (offset + at) % width;
        const size_t count = step < n->rows - row ? step : n->rows - row;
        const size_t from = bias ? row : row_of(row, n->rows, t->heads);
        if (gguf_read_rows(m->file, n, from, count, raw, e))
            goto out;
        if (!plain)
            gguf_unpack(n->type, raw, count * (n->cols / n->type->block), (float *)(void *)rows);
        size_t k = count * width - skip;
        k = k < bytes - at ? k : bytes - at;
        if (bias) { /* one row, whose elements change places */
            const size_t size = n->type->bytes;
            for (size_t i = 0; i < k / size; i++)
                memcpy((unsigned char *)out + at + i * size,
                       rows + row_of(skip / size + i, n->cols, t->heads) * size, size);
        } else {
            memcpy((unsigned char *)out + at, rows + skip, k);
        }
        at += k;
    }
    result = 0;
out:
    if (rows != raw)
        free(rows);
    free(raw);
    return result;
}
