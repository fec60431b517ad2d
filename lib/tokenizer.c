/* Tokenizers: what is common to the formats: settings, special ids, checks of the arguments. */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tokenizer_impl.h"

struct tokenizer {
    struct spm *spm; /* one of the two */
    struct hf *hf;
    struct tokenizer_facts facts;
};

/* A special token in tokenizer_config.json is a string or an object with "content". */
static int settings_token(const json_t *root, const char *key, const char **text, size_t *length,
                          struct error *e)
{
    const json_t *j = json_object_get(root, key);
    if (json_is_object(j))
        j = json_object_get(j, "content");
    if (!j || json_is_null(j))
        return 0;
    if (!json_is_string(j))
        return error_set(e, "tokenizer_config.json: %s is neither a string nor null", key);
    *text = json_string_value(j);
    *length = json_string_length(j);
    return 0;
}

static int settings_parse(struct tokenizer_settings *s, json_t **root, const char *text,
                          struct error *e)
{
    json_error_t je;
    *root = json_loads(text, JSON_ALLOW_NUL, &je);
    if (!*root)
        return error_set(e, "tokenizer_config.json: line %d: %s", je.line, je.text);
    if (!json_is_object(*root))
        return error_set(e, "tokenizer_config.json: not an object");
    if (settings_token(*root, "bos_token", &s->bos, &s->bos_length, e) ||
        settings_token(*root, "eos_token", &s->eos, &s->eos_length, e))
        return -1;
    const json_t *j = json_object_get(*root, "add_bos_token");
    if (j && !json_is_null(j)) {
        if (!json_is_boolean(j))
            return error_set(e, "tokenizer_config.json: add_bos_token is neither true nor false");
        s->has_add_bos = true;
        s->add_bos = json_is_true(j);
    }
    return 0;
}

int tokenizer_new(struct tokenizer **out, const char *kind, const void *bytes, size_t n,
                  const char *settings, struct error *e)
{
    struct tokenizer_settings s = {0};
    json_t *root = NULL;
    int rc = -1;
    *out = NULL;
    struct tokenizer *t = memory_new(1, sizeof *t, "a tokenizer", e);
    if (!t)
        return -1;
    t->facts.bos = t->facts.eos = -1;
    if (settings && settings_parse(&s, &root, settings, e))
        goto out;
    if (!strcmp(kind, "sentencepiece")) {
        if (spm_new(&t->spm, bytes, n, &t->facts, e))
            goto out;
    } else if (!strcmp(kind, "tokenizer.json")) {
        if (hf_new(&t->hf, bytes, n, &s, &t->facts, e))
            goto out;
    } else {
        error_set(e, "tokenizer kind '%s' is not known (sentencepiece, tokenizer.json)", kind);
        goto out;
    }
    if (s.has_add_bos)
        t->facts.adds_bos = s.add_bos;
    if (t->facts.adds_bos && t->facts.bos < 0) {
        error_set(e, "tokenizer_config.json: add_bos_token is true, but the tokenizer has no BOS");
        goto out;
    }
    *out = t;
    t = NULL;
    rc = 0;
out:
    json_decref(root);
    tokenizer_free(t);
    return rc;
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t)
        return;
    spm_free(t->spm);
    hf_free(t->hf);
    free(t);
}

size_t tokenizer_size(const struct tokenizer *t)
{
    return t->facts.size;
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->facts.bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->facts.eos;
}

bool tokenizer_adds_bos(const struct tokenizer *t)
{
    return t->facts.adds_bos;
}

bool tokenizer_style(const struct tokenizer *t, struct tokenizer_style *out)
{
    if (t->spm)
        spm_style(t->spm, out);
    return t->spm != NULL;
}

bool tokenizer_piece(const struct tokenizer *t, size_t id, struct tokenizer_piece *out)
{
    return t->spm && spm_piece(t->spm, id, out);
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, struct token_ids *out,
                     struct error *e)
{
    if (!n)
        return 0;
    if (n > INT32_MAX)
        return error_set(e, "text of %zu bytes: more than 2 GiB in one piece", n);
    size_t bad = utf8_invalid_at(text, n);
    if (bad < n)
        return error_set(e, "text is not UTF-8 at byte %zu (0x%02X)", bad,
                         (unsigned)(unsigned char)text[bad]);
    size_t before = out->count;
    int rc = t->spm ? spm_encode(t->spm, text, n, out, e) : hf_encode(t->hf, text, n, out, e);
    if (rc)
        out->count = before;
    return rc;
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, char **text,
                     size_t *length, struct error *e)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0)
            return error_set(e, "token id %d at %zu is negative", ids[i], i);
    struct buffer b = {0};
    int rc = t->spm ? spm_decode(t->spm, ids, n, &b, e) : hf_decode(t->hf, ids, n, &b, e);
    if (!rc) {
        char *p = *length <= SIZE_MAX - 1 - b.length
                      ? memory_resize(*text, *length + b.length + 1, 1, "decoded text", e)
                      : NULL;
        if (p) {
            if (b.length)
                memcpy(p + *length, b.data, b.length);
            *length += b.length;
            p[*length] = '\0';
            *text = p;
        } else {
            rc = -1;
        }
    }
    buffer_free(&b);
    return rc;
}
