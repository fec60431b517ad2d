/* Writing GGUF metadata. */
#include "gguf_write.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf.h"
#include "gguf_model.h"
#include "json.h"

enum token_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

/* ---- keys and values ------------------------------------------------------------------------ */

static void add(struct gguf_writer *w, const void *p, size_t n)
{
    if (!w->failed)
        w->failed = buffer_append(&w->bytes, p, n, w->error);
}

void gguf_add_u32(struct gguf_writer *w, uint32_t n)
{
    const unsigned char b[4] = {(unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16),
                                (unsigned char)(n >> 24)};
    add(w, b, sizeof b);
}

void gguf_add_u64(struct gguf_writer *w, uint64_t n)
{
    gguf_add_u32(w, (uint32_t)n);
    gguf_add_u32(w, (uint32_t)(n >> 32));
}

static void add_f32(struct gguf_writer *w, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    gguf_add_u32(w, bits);
}

void gguf_add_text(struct gguf_writer *w, const char *text, size_t n)
{
    gguf_add_u64(w, n);
    add(w, text, n);
}

static void put_key(struct gguf_writer *w, const char *key, enum gguf_kind kind)
{
    gguf_add_text(w, key, strlen(key));
    gguf_add_u32(w, kind);
    w->keys++;
}

static void put_list(struct gguf_writer *w, const char *key, enum gguf_kind items, size_t n)
{
    put_key(w, key, GGUF_ARRAY);
    gguf_add_u32(w, items);
    gguf_add_u64(w, n);
}

void gguf_put_text(struct gguf_writer *w, const char *key, const char *text, size_t n)
{
    put_key(w, key, GGUF_STRING);
    gguf_add_text(w, text, n);
}

void gguf_put_u32(struct gguf_writer *w, const char *key, uint64_t n)
{
    put_key(w, key, GGUF_U32);
    gguf_add_u32(w, (uint32_t)n);
}

void gguf_put_f32(struct gguf_writer *w, const char *key, double x)
{
    put_key(w, key, GGUF_F32);
    add_f32(w, (float)x);
}

void gguf_put_bool(struct gguf_writer *w, const char *key, bool on)
{
    const unsigned char b = on;
    put_key(w, key, GGUF_BOOL);
    add(w, &b, 1);
}

int gguf_put_done(const struct gguf_writer *w)
{
    return w->failed;
}

/* ---- configuration -------------------------------------------------------------------------- */

const struct gguf_architecture *gguf_architecture_of(const struct model *m, struct error *e)
{
    const struct gguf_architecture *a = gguf_architecture_find(m->architecture);
    if (!a) {
        error_set(e, "llama.cpp computes no %s models, so GGUF has no form of them", m->architecture);
        return NULL;
    }
    if (m->rope == ROPE_LLAMA3 && !a->scaled) {
        error_set(e, "GGUF has no Llama-3 rotary scaling for a %s model", m->architecture);
        return NULL;
    }
    if (m->scale_by_layer || m->norm_names == NORMS_SERIAL ||
        (strstr(a->name, "moe") && m->experts_whole != (m->shared_inner != 0)) ||
        (m->activation == ACTIVATION_SILU) !=
                                 (m->gated && m->norm != NORM_RMS_PLUS_ONE)) {
        error_set(e, "llama.cpp does not compute this variant of %s", m->architecture);
        return NULL;
    }
    /* Some biases are looked for everywhere, some nowhere. */
    const bool never = !strncmp(a->name, "gemma", 5) || !strncmp(a->name, "qwen3", 5) ||
                       !strcmp(a->name, "qwen2moe") || !strcmp(a->name, "phi3") ||
                       !strcmp(a->name, "falcon"),
               always = !strcmp(a->name, "gptneox");
    if (((m->attention_bias || m->mlp_bias) && never) || (!m->attention_bias && always)) {
        error_set(e, "llama.cpp computes no %s model %s biases", m->architecture,
                  never ? "with" : "without");
        return NULL;
    }
    if (always && m->tied) {
        error_set(e, "llama.cpp computes no %s model without a head of its own", m->architecture);
        return NULL;
    }
    const bool large = m->layers == GGUF_GEMMA2_LARGE_LAYERS;
    const double usual = 1 / sqrt((double)(m->attention_cap > 0 && large ? m->hidden / m->heads
                                                                         : m->head_dim));
    if (fabs(m->attention_scale - usual) > 1e-6 * usual) {
        error_set(e, "llama.cpp scales attention by %.6g, this model by %.6g", usual,
                  m->attention_scale);
        return NULL;
    }
    return a;
}

bool gguf_rope_factors(const struct model *m, float *out)
{
    if (m->rope != ROPE_LLAMA3)
        return false;
    const struct gguf_rope rule = {m->rope_factor, m->rope_low_freq, m->rope_high_freq,
                                   m->rope_original_positions};
    const size_t n = m->rotary / 2;
    for (size_t i = 0; i < n; i++)
        out[i] = (float)gguf_rope_factor(&rule, gguf_rope_length(m->rope_theta, i, n));
    return true;
}

int gguf_put_model(struct gguf_writer *w, const struct gguf_architecture *a, const struct model *m,
                   struct error *e)
{
    /* A file can say one window for all layers, or for those of the family's rule. */
    bool windows = m->window != 0;
    for (size_t i = 0; strcmp(a->name, "gemma2") && i < m->layers; i++)
        windows &= model_layer_window(m, i) != 0;
    const struct {
        const char *key;
        size_t value; /* 0: not said */
    } integers[] = {
        {"context_length", m->positions},
        {"embedding_length", m->hidden},
        {"block_count", m->layers},
        {"feed_forward_length", m->intermediate},
        {"attention.head_count", m->heads},
        {"attention.head_count_kv", m->kv_heads},
        {"attention.key_length", m->rotary ? m->head_dim : 0},
        {"attention.value_length", m->rotary ? m->head_dim : 0},
        {"rope.dimension_count", m->rotary},
        {"attention.sliding_window", windows ? m->window : 0},
        {"expert_count", m->experts},
        {"expert_used_count", m->experts_used},
        {"expert_feed_forward_length", strstr(a->name, "moe") ? m->intermediate : 0},
        {"expert_shared_feed_forward_length", m->shared_inner},
        {"vocab_size", m->vocab},
    };
    char key[96];
    w->error = e;
    gguf_put_text(w, "general.architecture", a->name, strlen(a->name));
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        if (!integers[i].value)
            continue;
        snprintf(key, sizeof key, "%s.%s", a->name, integers[i].key);
        gguf_put_u32(w, key, integers[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_%sepsilon", a->name,
             m->norm == NORM_LAYER ? "" : "rms_");
    gguf_put_f32(w, key, m->norm_eps);
    if (m->rotary) {
        snprintf(key, sizeof key, "%s.rope.freq_base", a->name);
        gguf_put_f32(w, key, m->rope_theta);
    }
    if (m->rope == ROPE_LINEAR) {
        snprintf(key, sizeof key, "%s.rope.scaling.type", a->name);
        gguf_put_text(w, key, "linear", 6);
        snprintf(key, sizeof key, "%s.rope.scaling.factor", a->name);
        gguf_put_f32(w, key, m->rope_factor);
    }
    if (m->attention_cap > 0) {
        snprintf(key, sizeof key, "%s.attn_logit_softcapping", a->name);
        gguf_put_f32(w, key, m->attention_cap);
    }
    if (m->final_cap > 0) {
        snprintf(key, sizeof key, "%s.final_logit_softcapping", a->name);
        gguf_put_f32(w, key, m->final_cap);
    }
    if (!strcmp(a->name, "gptneox")) {
        snprintf(key, sizeof key, "%s.use_parallel_residual", a->name);
        gguf_put_bool(w, key, m->place == PLACE_PARALLEL);
    }
    return gguf_put_done(w);
}

/* ---- vocabulary ----------------------------------------------------------------------------- */

struct token {
    const char *text;
    size_t length;
    float score;
    enum token_type type;
};

struct vocabulary {
    struct token *token;
    size_t count;
    bool scored;
    const json_t *merges;
};

/* Ids without a token of their own get one that no text matches. */
static int put_tokens(struct gguf_writer *w, const struct vocabulary *v)
{
    put_list(w, "tokenizer.ggml.tokens", GGUF_STRING, v->count);
    for (size_t i = 0; i < v->count; i++) {
        char pad[32];
        const struct token *t = &v->token[i];
        if (t->text)
            gguf_add_text(w, t->text, t->length);
        else
            gguf_add_text(w, pad, (size_t)snprintf(pad, sizeof pad, "[PAD%zu]", i));
    }
    put_list(w, "tokenizer.ggml.token_type", GGUF_I32, v->count);
    for (size_t i = 0; i < v->count; i++)
        gguf_add_u32(w, v->token[i].text ? v->token[i].type : UNUSED);
    if (!v->scored)
        return gguf_put_done(w);
    put_list(w, "tokenizer.ggml.scores", GGUF_F32, v->count);
    for (size_t i = 0; i < v->count; i++)
        add_f32(w, v->token[i].text ? v->token[i].score : -10000);
    return gguf_put_done(w);
}

static int put_sentencepiece(struct gguf_writer *w, struct vocabulary *v, const struct tokenizer *t,
                             struct error *e)
{
    struct tokenizer_style style;
    struct tokenizer_piece p;
    if (!tokenizer_style(t, &style))
        return error_set(e, "its tokenizer is no SentencePiece model");
    if (style.unigram || style.rules)
        return error_set(e, "llama.cpp reads no SentencePiece model that %s",
                         style.unigram ? "is a unigram model" : "changes characters");
    for (size_t i = 0; tokenizer_piece(t, i, &p); i++) {
        if (i >= v->count)
            return error_set(e, "its tokenizer has more pieces than the model's %zu ids", v->count);
        v->token[i] = (struct token){p.text, p.length, p.score, (enum token_type)p.type};
    }
    v->scored = true;
    gguf_put_text(w, "tokenizer.ggml.model", "llama", 5);
    gguf_put_text(w, "tokenizer.ggml.pre", "default", 7);
    gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", style.dummy_prefix);
    gguf_put_bool(w, "tokenizer.ggml.remove_extra_whitespaces", style.remove_extra);
    if (style.unknown >= 0)
        gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", (uint64_t)style.unknown);
    return put_tokens(w, v);
}

static int take_tokens(const json_t *root, struct vocabulary *v, struct error *e)
{
    const json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab"),
                 *added = json_object_get(root, "added_tokens"), *t;
    const char *text;
    size_t i;
    json_t *id;
    json_object_foreach((json_t *)(uintptr_t)vocab, text, id) {
        const json_int_t n = json_integer_value(id);
        if (n < 0 || (uint64_t)n >= v->count)
            return error_set(e, "its tokenizer has the id %lld, the model %zu of them", (long long)n,
                             v->count);
        v->token[n] = (struct token){text, strlen(text), 0, NORMAL};
    }
    json_array_foreach(added, i, t) {
        const json_int_t n = json_integer_value(json_object_get(t, "id"));
        const char *content = json_string_value(json_object_get(t, "content"));
        if (!content || n < 0 || (uint64_t)n >= v->count)
            return error_set(e, "its tokenizer has the id %lld, the model %zu of them", (long long)n,
                             v->count);
        v->token[n] = (struct token){
            content, strlen(content), 0,
            json_is_true(json_object_get(t, "special")) ? CONTROL : USER_DEFINED};
    }
    v->merges = json_object_get(json_object_get(root, "model"), "merges");
    return 0;
}

/* A merge as "left right", from either of its two forms. */
static const char *merge_text(const json_t *merge, char **own)
{
    const char *left = json_string_value(json_array_get(merge, 0)),
               *right = json_string_value(json_array_get(merge, 1));
    *own = NULL;
    if (json_is_string(merge))
        return json_string_value(merge);
    if (!left || !right)
        return NULL;
    const size_t n = strlen(left) + strlen(right) + 2;
    *own = malloc(n);
    if (*own)
        snprintf(*own, n, "%s %s", left, right);
    return *own;
}

static int put_byte_level(struct gguf_writer *w, struct vocabulary *v, const json_t *root,
                          struct error *e)
{
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    const char *name = gguf_cutting_name(pre);
    if (!name)
        return error_set(e, "llama.cpp has no name for how its tokenizer cuts text into words");
    gguf_put_text(w, "tokenizer.ggml.model", "gpt2", 4);
    gguf_put_text(w, "tokenizer.ggml.pre", name, strlen(name));
    if (put_tokens(w, v))
        return -1;
    put_list(w, "tokenizer.ggml.merges", GGUF_STRING, json_array_size(v->merges));
    for (size_t i = 0; i < json_array_size(v->merges); i++) {
        char *own;
        const char *text = merge_text(json_array_get(v->merges, i), &own);
        if (!text)
            return error_set(e, "no memory for a merge");
        gguf_add_text(w, text, strlen(text));
        free(own);
    }
    return gguf_put_done(w);
}

/* Byte fallback, as tokenizer.json has it of SentencePiece models: the rank of a merge becomes the
 * score of what it makes. */
static int put_fallback(struct gguf_writer *w, struct vocabulary *v, const json_t *root,
                        struct error *e)
{
    const json_t *model = json_object_get(root, "model"),
                 *vocab = json_object_get(model, "vocab"), *steps, *step;
    const char *unknown = json_string_value(json_object_get(model, "unk_token"));
    const json_t *normalizer = json_object_get(root, "normalizer");
    size_t i;
    bool prefix = false;
    steps = json_object_get(normalizer, "normalizers");
    json_array_foreach(steps, i, step)
        prefix |= !strcmp(json_get_string_or(step, "type", ""), "Prepend");
    prefix |= !strcmp(json_get_string_or(normalizer, "type", ""), "Prepend");
    const char *scheme = json_string_value(
        json_object_get(json_object_get(root, "pre_tokenizer"), "prepend_scheme"));
    prefix |= scheme && strcmp(scheme, "never");
    for (i = 0; i < v->count; i++) {
        const struct token *t = &v->token[i];
        if (t->text && t->length == 6 && !strncmp(t->text, "<0x", 3))
            v->token[i].type = BYTE;
    }
    for (i = 0; i < json_array_size(v->merges); i++) {
        char *own;
        const char *text = merge_text(json_array_get(v->merges, i), &own), *space;
        if (!text || !(space = strchr(text, ' '))) {
            free(own);
            return error_set(e, "its tokenizer's merge %zu is not read", i);
        }
        char whole[1024];
        const int n = snprintf(whole, sizeof whole, "%.*s%s", (int)(space - text), text, space + 1);
        const json_t *id = json_object_get(vocab, whole);
        if (id && n < (int)sizeof whole) {
            struct token *t = &v->token[json_integer_value(id)];
            t->score = t->score == 0 ? -(float)(i + 1) : t->score;
        }
        free(own);
    }
    v->scored = true;
    gguf_put_text(w, "tokenizer.ggml.model", "llama", 5);
    gguf_put_text(w, "tokenizer.ggml.pre", "default", 7);
    gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", prefix);
    const json_t *id = unknown ? json_object_get(vocab, unknown) : NULL;
    if (id) {
        v->token[json_integer_value(id)].type = UNKNOWN;
        gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", (uint64_t)json_integer_value(id));
    }
    return put_tokens(w, v);
}

/* Ids, whether text gets a BOS, chat template. */
static int put_rules(struct gguf_writer *w, const struct model *m, const struct tokenizer *t,
                     const char *settings, struct error *e)
{
    const long bos = tokenizer_bos(t) >= 0 ? tokenizer_bos(t) : m->bos,
               eos = m->eos >= 0 ? m->eos : tokenizer_eos(t);
    if (bos >= 0)
        gguf_put_u32(w, "tokenizer.ggml.bos_token_id", (uint64_t)bos);
    if (eos >= 0)
        gguf_put_u32(w, "tokenizer.ggml.eos_token_id", (uint64_t)eos);
    if (m->stops > 1)
        gguf_put_u32(w, "tokenizer.ggml.eot_token_id", (uint64_t)m->stop[m->stops - 1]);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", tokenizer_adds_bos(t));
    gguf_put_bool(w, "tokenizer.ggml.add_eos_token", false);
    if (!settings)
        return gguf_put_done(w);
    json_t *all = json_parse(settings, strlen(settings), "tokenizer_config.json", e);
    if (!all)
        return -1;
    const json_t *chat = json_object_get(all, "chat_template"), *one;
    size_t i;
    json_array_foreach(chat, i, one)
        if (!strcmp(json_get_string_or(one, "name", ""), "default"))
            chat = json_object_get(one, "template");
    if (json_is_string(chat))
        gguf_put_text(w, "tokenizer.chat_template", json_string_value(chat),
                      json_string_length(chat));
    json_decref(all);
    return gguf_put_done(w);
}

int gguf_put_vocabulary(struct gguf_writer *w, const struct model *m, const char *kind,
                        const void *bytes, size_t n, const struct tokenizer *t,
                        const char *settings, struct error *e)
{
    struct vocabulary v = {.count = m->vocab};
    json_t *root = NULL;
    int result = -1;
    w->error = e;
    if (!kind) {
        gguf_put_text(w, "tokenizer.ggml.model", "no_vocab", 8);
        return gguf_put_done(w);
    }
    v.token = memory_new(v.count, sizeof *v.token, "a vocabulary", e);
    if (!v.token)
        goto out;
    if (!strcmp(kind, "sentencepiece")) {
        result = put_sentencepiece(w, &v, t, e) || put_rules(w, m, t, settings, e) ? -1 : 0;
        goto out;
    }
    if (!(root = json_parse(bytes, n, "tokenizer.json", e)) || take_tokens(root, &v, e))
        goto out;
    const bool fallback = json_is_true(json_object_get(json_object_get(root, "model"),
                                                       "byte_fallback"));
    if (fallback ? put_fallback(w, &v, root, e) : put_byte_level(w, &v, root, e))
        goto out;
    result = put_rules(w, m, t, settings, e);
out:
    json_decref(root);
    free(v.token);
    return result;
}
