/* GGUF models: config, names, order of rows. The keys are those of the GGUF documentation. */
#include "gguf_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmath.h"
#include "json.h"
#include "model_table.h"

enum { READ_BYTES = 1 << 20 };

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

double gguf_rope_factor(const struct gguf_rope *r, double length)
{
    const double smooth = (r->positions / length - r->low) / (r->high - r->low);
    return length < r->positions / r->high  ? 1
           : length > r->positions / r->low ? r->most
                                            : 1 / ((1 - smooth) / r->most + smooth);
}

double gguf_rope_length(double theta, size_t i, size_t n)
{
    return 2 * 3.14159265358979323846 * fmath_pow(theta, (double)i / (double)n);
}

/* The rule that gives the factors strictly between 1 and the greatest; smooth is linear in
 * 1 / length, so two of them tell all but a common multiple: low = 1. */
static bool find_rule(const float *f, size_t n, double theta, struct gguf_rope *r)
{
    double x[2] = {0}, y[2] = {0};
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        const double g = (double)f[i];
        if (!(g > 1.000001 && g < 0.999999 * r->most))
            continue;
        const size_t k = found ? 1 : 0; /* the first and the last */
        x[k] = 1 / gguf_rope_length(theta, i, n);
        y[k] = (1 / g - 1 / r->most) / (1 - 1 / r->most);
        found++;
    }
    if (found == 1) { /* with the usual high / low */
        r->positions = (1 + 3 * y[0]) / x[0];
        return true;
    }
    if (found < 1)
        return false;
    const double slope = (y[1] - y[0]) / (x[1] - x[0]), offset = slope * x[0] - y[0];
    r->low = 1;
    r->high = 1 + 1 / offset;
    r->positions = slope * (r->high - r->low);
    return offset > 0 && slope > 0;
}

static bool follows(const float *f, size_t n, double theta, const struct gguf_rope *r)
{
    for (size_t i = 0; i < n; i++) {
        const double want = gguf_rope_factor(r, gguf_rope_length(theta, i, n));
        if (!(fabs((double)f[i] - want) <= 1e-4 * want))
            return false;
    }
    return true;
}

/* rope_freqs.weight holds what each frequency is divided by. The rule is found again in it; the file
 * does not name its parameters. */
static int rope_factors(const struct gguf *g, const struct gguf_entry *t, double theta, json_t *config,
                        struct error *e)
{
    struct gguf_rope r = {.most = 1, .low = 1, .high = 4, .positions = 8192};
    float f[512];
    if (strcmp(t->type->name, "F32") || t->rows != 1 || t->cols > 512)
        return error_set(e, "rope_freqs.weight is not a list of up to 512 numbers of type F32");
    if (gguf_read_rows(g, t, 0, 1, f, e))
        return -1;
    for (size_t i = 0; i < t->cols; i++)
        r.most = (double)f[i] > r.most ? (double)f[i] : r.most;
    if (!follows(f, t->cols, theta, &r) &&
        (!find_rule(f, t->cols, theta, &r) || !follows(f, t->cols, theta, &r)))
        return error_set(e, "rope_freqs.weight: only Llama 3's rule is computed here");
    return json_set(config, "rope_scaling",
                    json_pack("{s:s, s:f, s:f, s:f, s:f}", "rope_type", "llama3", "factor", r.most,
                              "low_freq_factor", r.low, "high_freq_factor", r.high,
                              "original_max_position_embeddings", r.positions), e);
}

static int make_rope(const struct gguf *g, const struct gguf_architecture *a, json_t *config,
                     struct error *e)
{
    const struct gguf_entry *freqs = find_entry(g, "rope_freqs.weight");
    const struct gguf_value *type = find(g, a->name, "rope.scaling.type"),
                            *factor = find(g, a->name, "rope.scaling.factor"),
                            *old = find(g, a->name, "rope.scale_linear");
    double x = 1, theta = 10000;
    if (freqs) {
        if (!a->scaled)
            return error_set(e, "rope_freqs.weight: a %s model has none", a->model_type);
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

/* Heads: how many, how wide, and how much of one rotates. */
static int make_heads(const struct gguf *g, const struct gguf_architecture *a,
                      const struct model_family *f, json_t *c, struct error *e)
{
    const struct gguf_value *kv = find(g, a->name, "attention.head_count_kv"),
                            *key = find(g, a->name, "attention.key_length"),
                            *value = find(g, a->name, "attention.value_length"),
                            *heads = find(g, a->name, "attention.head_count");
    int64_t n = 0, width = 0, other = 0, rotary = 0;
    const int64_t hidden = json_integer_value(json_object_get(c, f->key.hidden));
    if (!gguf_integer(heads, 0, &n) || n < 1)
        return error_set(e, "its metadata: attention.head_count is not a positive integer");
    width = hidden / n;
    if (key && (!gguf_integer(key, 0, &width) || width < 1))
        return error_set(e, "its metadata: attention.key_length is not a positive integer");
    if (value && (!gguf_integer(value, 0, &other) || other != width))
        return error_set(e, "its metadata: keys and values of different lengths are not computed here");
    if (f->reads & READS_HEADS) {
        if (copy_integer(c, "num_key_value_heads", kv ? kv : heads, "attention.head_count_kv", true,
                         e) ||
            ((key || f->head_dim) && json_set(c, "head_dim", json_integer(width), e)))
            return -1;
    } else if (width * n != hidden ||
               (!(f->reads & READS_FALCON) && gguf_integer(kv, 0, &other) && other != n)) {
        return error_set(e, "its metadata: these numbers of heads and their lengths are not those of "
                            "a %s model", a->model_type);
    }
    if (f->theta == 0 || !gguf_integer(find(g, a->name, "rope.dimension_count"), 0, &rotary))
        return 0;
    if (rotary == width && !(f->reads & READS_PARTIAL))
        return 0;
    if (rotary < 1 || rotary > width || !(f->reads & READS_PARTIAL))
        return error_set(e, "its metadata: %lld of %lld dimensions of a head rotate, which is not "
                            "computed here", (long long)rotary, (long long)width);
    double part = (double)rotary / (double)width;
    while ((int64_t)(part * (double)width) < rotary)
        part = nextafter(part, 2);
    return json_set(c, "partial_rotary_factor", json_real(part), e);
}

/* What only some architectures have. */
static int make_special(const struct gguf *g, const struct gguf_architecture *a,
                        const struct model_family *f, json_t *c, struct error *e)
{
    const struct gguf_value *window = find(g, a->name, "attention.sliding_window"),
                            *parallel = find(g, a->name, "use_parallel_residual");
    int64_t n = 0;
    if (f->reads & READS_WINDOW) {
        const bool none = !window || (gguf_integer(window, 0, &n) && n == 0);
        if (none ? json_set(c, "sliding_window", json_null(), e)
                 : copy_integer(c, "sliding_window", window, "attention.sliding_window", true, e))
            return -1;
    } else if (window) {
        return error_set(e, "its metadata: attention.sliding_window: a %s model has none",
                         a->model_type);
    }
    if ((f->reads & READS_WINDOW_SWITCH) && window &&
        (json_set(c, "use_sliding_window", json_true(), e) ||
         json_set(c, "max_window_layers", json_integer(0), e)))
        return -1;
    if ((f->reads & READS_CAPS) &&
        (copy_real(c, "attn_logit_softcapping", find(g, a->name, "attn_logit_softcapping"),
                   "attn_logit_softcapping", e) ||
         copy_real(c, "final_logit_softcapping", find(g, a->name, "final_logit_softcapping"),
                   "final_logit_softcapping", e)))
        return -1;
    if (f->reads & READS_QUERY_SCALAR) {
        /* llama.cpp's rule: the length of a head, but for the largest model of the family */
        const int64_t layers = json_integer_value(json_object_get(c, f->key.layers)),
                      hidden = json_integer_value(json_object_get(c, f->key.hidden)),
                      heads = json_integer_value(json_object_get(c, f->key.heads)),
                      dim = json_integer_value(json_object_get(c, "head_dim"));
        if (json_set(c, "query_pre_attn_scalar",
                     json_integer(layers == GGUF_GEMMA2_LARGE_LAYERS ? hidden / heads : dim), e))
            return -1;
    }
    if ((f->reads & READS_PARALLEL) && parallel && gguf_integer(parallel, 0, &n) &&
        json_set(c, "use_parallel_residual", json_boolean(n), e))
        return -1;
    if (f->reads & READS_FALCON) {
        const struct gguf_value *kv = find(g, a->name, "attention.head_count_kv"),
                                *heads = find(g, a->name, "attention.head_count");
        const bool two = find_entry(g, "blk.0.attn_norm_2.weight") != NULL;
        return json_set(c, "new_decoder_architecture", json_true(), e) ||
                       copy_integer(c, "num_kv_heads", kv ? kv : heads, "attention.head_count_kv",
                                    true, e) ||
                       json_set(c, "num_ln_in_parallel_attn", json_integer(two ? 2 : 1), e)
                   ? -1
                   : 0;
    }
    if ((f->reads & READS_MIXTURE) &&
        (json_set(c, "norm_topk_prob", json_boolean(!strcmp(a->name, "qwen3moe")), e) ||
         copy_integer(c, "shared_expert_intermediate_size",
                      find(g, a->name, "expert_shared_feed_forward_length"),
                      "expert_shared_feed_forward_length", false, e)))
        return -1;
    if (f->experts)
        return copy_integer(c, "num_local_experts", find(g, a->name, "expert_count"),
                            "expert_count", true, e) ||
                       copy_integer(c, "num_experts_per_tok", find(g, a->name, "expert_used_count"),
                                    "expert_used_count", true, e)
                   ? -1
                   : 0;
    return 0;
}

/* bos_token_id, eos_token_id. */
static int make_stops(const struct gguf *g, json_t *c, struct error *e)
{
    int64_t id, eot;
    if (gguf_integer(gguf_find(g, "tokenizer.ggml.bos_token_id"), 0, &id) &&
        json_set(c, "bos_token_id", json_integer(id), e))
        return -1;
    if (!gguf_integer(gguf_find(g, "tokenizer.ggml.eos_token_id"), 0, &id))
        return 0;
    json_t *stops = json_integer(id);
    if (gguf_integer(gguf_find(g, "tokenizer.ggml.eot_token_id"), 0, &eot) && eot != id) {
        json_decref(stops);
        stops = json_pack("[I,I]", (json_int_t)id, (json_int_t)eot);
    }
    return json_set(c, "eos_token_id", stops, e);
}

static int make_config(struct gguf_model *m, const struct gguf_architecture *a, struct error *e)
{
    const struct model_family *f = family_find(a->model_type);
    const char *inner = f->reads & READS_MIXTURE ? "expert_feed_forward_length"
                                                 : "feed_forward_length";
    const struct {
        const char *from, *to;
    } integers[] = {
        {"embedding_length", f->key.hidden},     {inner, f->key.inner},
        {"block_count", f->key.layers},          {"attention.head_count", f->key.heads},
        {"context_length", f->key.positions},
    };
    const char *eps = f->norm == NORM_LAYER ? "attention.layer_norm_epsilon"
                                            : "attention.layer_norm_rms_epsilon";
    const struct gguf *g = m->file;
    const struct gguf_entry *embedding = find_entry(g, "token_embd.weight");
    json_t *c = m->config = json_object();
    if (json_set(c, "model_type", json_string(a->model_type), e))
        return -1;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        if (copy_integer(c, integers[i].to, find(g, a->name, integers[i].from), integers[i].from,
                         true, e))
            return -1;
    if (!embedding)
        return error_set(e, "tensor token_embd.weight is missing%s",
                         gguf_count(g) ? "" : ": the file holds no tensors");
    if (copy_real(c, f->key.eps, find(g, a->name, eps), eps, e) ||
        (f->theta != 0 &&
         copy_real(c, "rope_theta", find(g, a->name, "rope.freq_base"), "rope.freq_base", e)) ||
        json_set(c, "vocab_size", json_integer((json_int_t)embedding->rows), e) ||
        json_set(c, "tie_word_embeddings", json_boolean(!find_entry(g, "output.weight")), e) ||
        (find_entry(g, "blk.0.attn_q.bias") && a->halves &&
         json_set(c, "attention_bias", json_true(), e)) ||
        (find_entry(g, "blk.0.ffn_down.bias") && a->halves &&
         json_set(c, "mlp_bias", json_true(), e)) ||
        make_heads(g, a, f, c, e) || make_special(g, a, f, c, e) ||
        (f->theta != 0 && make_rope(g, a, c, e)) || make_stops(g, c, e))
        return -1;
    if (model_parse(&m->model, c, e))
        return error_prefix(e, "its metadata, as a config");
    return 0;
}

/* ---- tensors -------------------------------------------------------------------------------- */

/* A tensor's place is found by its name. */
static int by_name(const void *a, const void *b)
{
    const struct gguf_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Means nothing, or is part of the config. */
static bool is_spare(const char *name)
{
    const size_t n = strlen(name), k = strlen(".attn_rot_embd");
    return !strcmp(name, "rope_freqs.weight") || (n > k && !strcmp(name + n - k, ".attn_rot_embd"));
}

static int set_entry(struct gguf_model *m, const struct gguf_architecture *a,
                     const struct gguf_entry *t, enum model_role role, struct error *e)
{
    struct gguf_model_entry *to = &m->entry[m->count];
    const bool part = role == ROLE_EXPERT_GATE || role == ROLE_EXPERT_UP || role == ROLE_EXPERT_DOWN;
    to->entry = t;
    to->rank = t->rank;
    to->rows = t->rows;
    memcpy(to->shape, t->shape, sizeof to->shape);
    if (part && strstr(t->name, "_exps.")) { /* (experts, rows, cols); else a matrix for each */
        if (t->rank != 3 || t->shape[0] != m->model.experts)
            return error_set(e, "tensor %s: does not hold %zu experts", t->name, m->model.experts);
        to->rank = 2;
        to->rows = to->shape[0] = t->shape[1];
        to->shape[1] = t->cols;
        to->first = model_tensor_expert(to->name) * to->rows;
    }
    if (role == ROLE_SHARED_ROUTER && t->rank == 1) { /* a matrix of one row */
        to->rank = 2;
        to->shape[0] = 1;
        to->shape[1] = t->cols;
    }
    to->change = gguf_role_change(a, &m->model, role);
    const bool plain = t->type->block == 1 && to->change != GGUF_PLUS_ONE;
    if (t->rank == 1 && to->change != GGUF_AS_IS &&
        strcmp(t->type->name, "F32") && strcmp(t->type->name, "F16") && strcmp(t->type->name, "BF16"))
        return error_set(e, "tensor %s: is of type %s", t->name, t->type->name);
    const bool packed = t->type->codes && model_role_is_projection(role);
    to->dtype = plain ? t->type->name : packed ? "INT" : "F32";
    to->bytes = to->rows * (plain ? t->row_bytes : t->cols * 4);
    /* rows that change places are those that the model has */
    if (to->change != GGUF_AS_IS &&
        model_tensor_check(&m->model, role, t->name, to->rank, to->shape, e))
        return -1;
    m->count++;
    return 0;
}

/* The entry of this name, NULL: there is none. */
static const struct gguf_entry **find_sorted(const struct gguf_entry **sorted, size_t count,
                                             const char *name)
{
    const struct gguf_entry key = {.name = name}, *like = &key;
    return count ? bsearch(&like, sorted, count, sizeof *sorted, by_name) : NULL;
}

/* Files of before April 2024 have a matrix for each expert: "blk.#.ffn_up.EXPERT.weight". */
static const struct gguf_entry **find_old_expert(const struct gguf_entry **sorted, size_t count,
                                                 const char *name, size_t expert)
{
    const char *end = strstr(name, "_exps.weight");
    char old[64];
    if (!end)
        return NULL;
    snprintf(old, sizeof old, "%.*s.%zu.weight", (int)(end - name), name, expert);
    return find_sorted(sorted, count, old);
}

/* Each tensor of the model, where the file has it; what the model does not have is refused. */
static int add_entries(struct gguf_model *m, const struct gguf_architecture *a, struct error *e)
{
    const size_t count = gguf_count(m->file), wanted = model_tensor_count(&m->model);
    int result = -1;
    if (wanted > 65536 + 65536 * count) /* many more tensors than a file of this size can give */
        return error_set(e, "its metadata: a model of %zu tensors, of which the file has %zu", wanted,
                         count);
    const struct gguf_entry **sorted = memory_new(count, sizeof *sorted, "a list of tensors", e);
    bool *used = memory_new(count, sizeof *used, "a list of tensors", e);
    m->entry = memory_new(wanted, sizeof *m->entry, "a list of tensors", e);
    if (!sorted || !used || !m->entry)
        goto out;
    for (size_t i = 0; i < count; i++)
        sorted[i] = gguf_entry(m->file, i);
    if (count)
        qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < wanted; i++) {
        struct gguf_model_entry *to = &m->entry[m->count];
        enum model_role role;
        size_t layer;
        char name[64];
        model_tensor_at(&m->model, i, &role, &layer, to->name, sizeof to->name);
        const char *pattern = gguf_role_name(a, &m->model, role);
        if (!pattern)
            continue;
        gguf_name_put(pattern, layer, name, sizeof name);
        const struct gguf_entry **found = find_sorted(sorted, count, name);
        if (!found)
            found = find_old_expert(sorted, count, name, model_tensor_expert(to->name));
        if (!found)
            continue;
        used[found - sorted] = true;
        if (set_entry(m, a, *found, role, e))
            goto out;
    }
    for (size_t i = 0; i < count; i++)
        if (!used[i] && !is_spare(sorted[i]->name)) {
            error_set(e, "tensor %s: by the file's metadata a %s model has no such tensor",
                      sorted[i]->name, a->model_type);
            goto out;
        }
    result = 0;
out:
    free(sorted);
    free(used);
    return result;
}

/* The row of the table that the file's name and keys ask for. */
static const struct gguf_architecture *find_architecture(const struct gguf *g, const char *name,
                                                         struct error *e)
{
    const struct gguf_architecture *a, *found = NULL;
    char known[256] = "";
    size_t n = 0;
    int64_t k = 0;
    const bool experts = gguf_integer(find(g, name, "expert_count"), 0, &k) && k != 0;
    const bool window = find(g, name, "attention.sliding_window") != NULL;
    for (size_t i = 0; (a = gguf_architecture_at(i)); i++) {
        const struct model_family *f = family_find(a->model_type);
        if ((i == 0 || strcmp(a->name, gguf_architecture_at(i - 1)->name)) && n < sizeof known)
            n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", a->name);
        if (strcmp(a->name, name))
            continue;
        found = a;
        if (experts == (f->experts != 0) &&
            (experts || !window || (f->reads & READS_WINDOW)))
            return a;
    }
    if (found)
        error_set(e, "its metadata: %s of %s are not computed here",
                  experts ? "experts" : "sliding windows", name);
    else
        error_set(e, "architecture '%.80s' of GGUF is not known (%s)", name, known);
    return NULL;
}

int gguf_model_open(struct gguf_model *m, const char *path, struct error *e)
{
    *m = (struct gguf_model){0};
    if (gguf_open(&m->file, path, e))
        return -1;
    int64_t parts; /* only the first one has more metadata */
    if (gguf_integer(gguf_find(m->file, "split.count"), 0, &parts) && parts > 1)
        return error_set(e, "%s: is one of %lld parts of a model; join them with llama.cpp's "
                            "gguf-split --merge", path, (long long)parts);
    const struct gguf_value *name = gguf_find(m->file, "general.architecture");
    if (!is_text(name))
        return error_set(e, "%s: its metadata has no general.architecture", path);
    const struct gguf_architecture *a = find_architecture(m->file, name->string->text, e);
    if (!a || make_config(m, a, e) || add_entries(m, a, e))
        return error_prefix(e, "%s", path);
    return 0;
}

void gguf_model_free(struct gguf_model *m)
{
    gguf_close(m->file);
    json_decref(m->config);
    free(m->entry);
    *m = (struct gguf_model){0};
}

int gguf_model_read(const struct gguf_model *m, const struct gguf_model_entry *t, size_t offset,
                    size_t bytes, void *out, struct error *e)
{
    const struct gguf_entry *n = t->entry;
    const bool plain = n->type->block == 1 && t->change != GGUF_PLUS_ONE;
    const bool moved = t->change == GGUF_HALVES || t->change == GGUF_TOGETHER;
    const bool bias = moved && n->rank == 1;
    if (offset > t->bytes || bytes > t->bytes - offset)
        return error_set(e, "%s: is shorter than asked", n->name);
    if (!bytes)
        return 0;
    const size_t width = t->bytes / t->rows;
    size_t step = moved ? 1 : READ_BYTES / width + 1, at = 0;
    step = step < t->rows ? step : t->rows;
    unsigned char *raw = memory_new(step, n->row_bytes, n->name, e),
                  *rows = plain ? raw : memory_new(step, width, n->name, e);
    int result = -1;
    if (!raw || !rows)
        goto out;
    while (at < bytes) {
        const size_t row = (offset + at) / width, skip = (offset + at) % width;
        const size_t count = step < t->rows - row ? step : t->rows - row;
        const size_t from = t->first + (bias ? row : gguf_row(&m->model, t->change, row));
        if (gguf_read_rows(m->file, n, from, count, raw, e))
            goto out;
        if (!plain)
            gguf_unpack(n->type, raw, count * (n->cols / n->type->block), (float *)(void *)rows);
        for (size_t i = 0; t->change == GGUF_PLUS_ONE && i < count * n->cols; i++)
            ((float *)(void *)rows)[i] -= 1;
        size_t k = count * width - skip;
        k = k < bytes - at ? k : bytes - at;
        if (bias) { /* one row, whose elements change places */
            const size_t size = n->type->bytes;
            for (size_t i = 0; i < k / size; i++)
                memcpy((unsigned char *)out + at + i * size,
                       rows + gguf_row(&m->model, t->change, skip / size + i) * size, size);
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

int gguf_model_read_packed(const struct gguf_model *m, const struct gguf_model_entry *t,
                           struct packed *out, struct error *e)
{
    const struct gguf_entry *n = t->entry;
    const struct gguf_type *type = n->type;
    const struct gguf_codes *c = type->codes;
    unsigned char *raw = memory_new(n->row_bytes, 1, n->name, e);
    float *min = memory_new(type->block / c->group, sizeof *min, n->name, e);
    int result = -1;
    if (!raw || !min || packed_new(out, t->rows, n->cols, c->group, c->bits, !c->min, e))
        goto out;
    for (size_t r = 0; r < t->rows; r++) {
        const size_t from = t->first + gguf_row(&m->model, t->change, r);
        if (gguf_read_rows(m->file, n, from, 1, raw, e))
            goto out;
        for (size_t b = 0; b < n->cols / type->block; b++) {
            const size_t groups = type->block / c->group, at = r * out->groups + b * groups;
            c->unpack(raw + b * type->bytes, out->codes + r * n->cols + b * type->block,
                      out->scale + at, min);
            if (c->min)
                memcpy(out->min + at, min, groups * sizeof *min);
            else
                memset(out->zero + at, c->zero, groups);
        }
    }
    result = 0;
out:
    free(raw);
    free(min);
    if (result)
        packed_free(out);
    return result;
}
