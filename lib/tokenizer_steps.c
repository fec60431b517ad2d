/* Normalisers, pre-tokenizers and decoders of tokenizer.json, as the Hugging Face tokenizers
 * package defines them (docs: huggingface.co/docs/tokenizers/components). */
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "tokenizer_patterns.h"
#include "tokenizer_steps.h"

enum step_kind {
    STEP_UNICODE, /* NFC, NFD, NFKC, NFKD */
    STEP_LOWERCASE,
    STEP_PREPEND,
    STEP_REPLACE,
    STEP_STRIP,
    STEP_BYTE_LEVEL,
    STEP_SPLIT, /* and what can be said as a split: Digits, Punctuation, Whitespace, ... */
    STEP_METASPACE,
    STEP_BYTE_FALLBACK,
    STEP_FUSE,
};

enum behavior { REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS };
enum prepend { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

struct step {
    enum step_kind kind;
    enum step_role role;
    pcre2_code *re; /* of STEP_SPLIT, STEP_REPLACE, STEP_BYTE_LEVEL (NULL: use_regex is false) */
    char *content;
    size_t content_length;
    utf8proc_option_t unicode;
    enum behavior behavior;
    enum prepend prepend;
    bool invert, prefix_space, split, left, right;
    size_t start, stop;
};

/* The pattern of GPT-2 (Radford et al. 2019; encoder.py of the release). */
static const char GPT2_PATTERN[] = PATTERN_GPT2;

/* ---- spans ---------------------------------------------------------------------------------- */

int spans_push(struct spans *s, size_t start, size_t length, bool first, struct error *e)
{
    if (s->count == s->capacity) {
        size_t want = s->capacity ? 2 * s->capacity : 64;
        struct span *p = memory_resize(s->v, want, sizeof *p, "parts of a text", e);
        if (!p)
            return -1;
        s->v = p;
        s->capacity = want;
    }
    s->v[s->count++] = (struct span){start, length, first};
    return 0;
}

void spans_free(struct spans *s)
{
    buffer_free(&s->text);
    free(s->v);
    *s = (struct spans){0};
}

static void spans_swap(struct spans *a, struct spans *b)
{
    struct spans t = *a;
    *a = *b;
    *b = t;
}

/* ---- parsing -------------------------------------------------------------------------------- */

static const char *const ROLES[] = {"normalizer", "pre_tokenizer", "decoder"};

static int parse_bool(const json_t *j, const char *key, bool fallback, bool *out, struct error *e)
{
    const json_t *f = json_object_get(j, key);
    if (f && !json_is_boolean(f) && !json_is_null(f))
        return error_set(e, "tokenizer.json: %s is neither true nor false", key);
    *out = json_is_boolean(f) ? json_is_true(f) : fallback;
    return 0;
}

static int parse_text(const json_t *j, const char *key, struct step *s, struct error *e)
{
    const json_t *f = json_object_get(j, key);
    if (!json_is_string(f))
        return error_set(e, "tokenizer.json: %s is not a string", key);
    s->content_length = json_string_length(f);
    s->content = memory_new(s->content_length + 1, 1, "a step", e);
    if (!s->content)
        return -1;
    memcpy(s->content, json_string_value(f), s->content_length);
    return 0;
}

/* {"String": "..."} or {"Regex": "..."}. An empty string matches nothing, and leaves re NULL. */
static int parse_pattern(const json_t *j, struct step *s, struct error *e)
{
    const json_t *p = json_object_get(j, "pattern"), *text = json_object_get(p, "String"),
                 *regex = json_object_get(p, "Regex"), *f = text ? text : regex;
    if (!json_is_string(f))
        return error_set(e, "tokenizer.json: pattern is neither String nor Regex");
    if (text && !json_string_length(text))
        return 0;
    return pattern_compile(&s->re, json_string_value(f), json_string_length(f), text != NULL, e);
}

static int parse_behavior(const json_t *j, enum behavior fallback, struct step *s, struct error *e)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const json_t *f = json_object_get(j, "behavior");
    s->behavior = fallback;
    if (!f)
        return 0;
    for (int i = 0; json_is_string(f) && i < 5; i++)
        if (!strcmp(json_string_value(f), names[i])) {
            s->behavior = (enum behavior)i;
            return 0;
        }
    return error_set(e, "tokenizer.json: split behavior '%s' is not known",
                     json_is_string(f) ? json_string_value(f) : "(no string)");
}

static int parse_metaspace(const json_t *j, struct step *s, struct error *e)
{
    const json_t *scheme = json_object_get(j, "prepend_scheme");
    bool prefix;
    if (parse_text(j, "replacement", s, e) || parse_bool(j, "split", true, &s->split, e) ||
        parse_bool(j, "add_prefix_space", true, &prefix, e))
        return -1;
    size_t used = 0;
    if (s->content_length)
        utf8_next((const unsigned char *)s->content, &used);
    if (!used || used != s->content_length)
        return error_set(e, "tokenizer.json: Metaspace: replacement is not one character");
    s->prepend = prefix ? PREPEND_ALWAYS : PREPEND_NEVER;
    if (scheme && !json_is_null(scheme)) {
        const char *name = json_is_string(scheme) ? json_string_value(scheme) : "(no string)";
        if (!strcmp(name, "always"))
            s->prepend = PREPEND_ALWAYS;
        else if (!strcmp(name, "first"))
            s->prepend = PREPEND_FIRST;
        else if (!strcmp(name, "never"))
            s->prepend = PREPEND_NEVER;
        else
            return error_set(e, "tokenizer.json: Metaspace: prepend_scheme '%s' is not known",
                             name);
    }
    if (s->role == STEP_PRE_TOKENIZER) {
        s->behavior = MERGED_WITH_NEXT;
        return pattern_compile(&s->re, s->content, s->content_length, true, e);
    }
    return 0;
}

static int parse_count(const json_t *j, const char *key, size_t *out, struct error *e)
{
    const json_t *f = json_object_get(j, key);
    if (!json_is_integer(f) || json_integer_value(f) < 0)
        return error_set(e, "tokenizer.json: Strip: %s is not a count", key);
    *out = (size_t)json_integer_value(f);
    return 0;
}

/* A split by a fixed pattern. */
static int parse_fixed(struct step *s, const char *pattern, enum behavior behavior, bool invert,
                       struct error *e)
{
    s->kind = STEP_SPLIT;
    s->behavior = behavior;
    s->invert = invert;
    return pattern_compile(&s->re, pattern, strlen(pattern), false, e);
}

static int parse_normalizer(struct step *s, const char *name, const json_t *j, struct error *e)
{
    static const struct {
        const char *name;
        utf8proc_option_t options;
    } forms[] = {{"NFC", UTF8PROC_COMPOSE},
                 {"NFD", UTF8PROC_DECOMPOSE},
                 {"NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, forms[i].name)) {
            s->kind = STEP_UNICODE;
            s->unicode = forms[i].options | UTF8PROC_STABLE;
            return 0;
        }
    if (!strcmp(name, "Lowercase")) {
        s->kind = STEP_LOWERCASE;
        return 0;
    }
    if (!strcmp(name, "Prepend")) {
        s->kind = STEP_PREPEND;
        return parse_text(j, "prepend", s, e);
    }
    if (!strcmp(name, "Strip")) {
        s->kind = STEP_STRIP;
        return parse_bool(j, "strip_left", true, &s->left, e) ||
                       parse_bool(j, "strip_right", true, &s->right, e)
                   ? -1
                   : 0;
    }
    return 1;
}

static int parse_pre_tokenizer(struct step *s, const char *name, const json_t *j, struct error *e)
{
    bool each;
    if (!strcmp(name, "Split")) {
        s->kind = STEP_SPLIT;
        return parse_pattern(j, s, e) || parse_behavior(j, ISOLATED, s, e) ||
                       parse_bool(j, "invert", false, &s->invert, e)
                   ? -1
                   : 0;
    }
    if (!strcmp(name, "Digits")) {
        if (parse_bool(j, "individual_digits", false, &each, e))
            return -1;
        return parse_fixed(s, "\\p{N}", each ? ISOLATED : CONTIGUOUS, false, e);
    }
    if (!strcmp(name, "Punctuation")) {
        if (parse_fixed(s, "[!-/:-@\\[-`{-~\\p{P}]", ISOLATED, false, e))
            return -1;
        return parse_behavior(j, ISOLATED, s, e);
    }
    if (!strcmp(name, "Whitespace"))
        return parse_fixed(s,
                           "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]+|"
                           "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}\\s]+",
                           REMOVED, true, e);
    if (!strcmp(name, "WhitespaceSplit"))
        return parse_fixed(s, "\\s", REMOVED, false, e);
    return 1;
}

static int parse_decoder(struct step *s, const char *name, const json_t *j, struct error *e)
{
    if (!strcmp(name, "ByteFallback")) {
        s->kind = STEP_BYTE_FALLBACK;
        return 0;
    }
    if (!strcmp(name, "Fuse")) {
        s->kind = STEP_FUSE;
        return 0;
    }
    if (!strcmp(name, "Strip")) {
        s->kind = STEP_STRIP;
        return parse_text(j, "content", s, e) || parse_count(j, "start", &s->start, e) ||
                       parse_count(j, "stop", &s->stop, e)
                   ? -1
                   : 0;
    }
    return 1;
}

/* 0, -1, or 1: no component of that name and role. */
static int parse_step(struct step *s, const char *name, const json_t *j, struct error *e)
{
    if (!strcmp(name, "Replace") && s->role != STEP_PRE_TOKENIZER) {
        s->kind = STEP_REPLACE;
        return parse_pattern(j, s, e) || parse_text(j, "content", s, e) ? -1 : 0;
    }
    if (!strcmp(name, "Metaspace") && s->role != STEP_NORMALIZER) {
        s->kind = STEP_METASPACE;
        return parse_metaspace(j, s, e);
    }
    if (!strcmp(name, "ByteLevel") && s->role != STEP_NORMALIZER) {
        bool regex;
        s->kind = STEP_BYTE_LEVEL;
        s->behavior = ISOLATED;
        if (parse_bool(j, "add_prefix_space", true, &s->prefix_space, e) ||
            parse_bool(j, "use_regex", true, &regex, e))
            return -1;
        return regex && s->role == STEP_PRE_TOKENIZER
                   ? pattern_compile(&s->re, GPT2_PATTERN, sizeof GPT2_PATTERN - 1, false, e)
                   : 0;
    }
    return s->role == STEP_NORMALIZER      ? parse_normalizer(s, name, j, e)
           : s->role == STEP_PRE_TOKENIZER ? parse_pre_tokenizer(s, name, j, e)
                                           : parse_decoder(s, name, j, e);
}

static int parse_nested(struct steps *s, enum step_role role, const json_t *j, int depth,
                        struct error *e)
{
    static const char *const lists[] = {"normalizers", "pretokenizers", "decoders"};
    if (!j || json_is_null(j))
        return 0;
    const json_t *type = json_object_get(j, "type");
    const char *name = json_is_string(type) ? json_string_value(type) : "(none)";
    if (!strcmp(name, "Sequence")) {
        const json_t *list = json_object_get(j, lists[role]);
        if (!json_is_array(list) || depth > 16)
            return error_set(e, "tokenizer.json: %s: a Sequence without list or nested too deep",
                             ROLES[role]);
        for (size_t i = 0; i < json_array_size(list); i++)
            if (parse_nested(s, role, json_array_get(list, i), depth + 1, e))
                return -1;
        return 0;
    }
    if (s->count == s->capacity) {
        if (s->count >= 256)
            return error_set(e, "tokenizer.json: %s: more than 256 steps", ROLES[role]);
        size_t want = s->capacity ? 2 * s->capacity : 8;
        struct step *p = memory_resize(s->v, want, sizeof *p, "steps", e);
        if (!p)
            return -1;
        s->v = p;
        s->capacity = want;
    }
    struct step *step = s->v + s->count++;
    *step = (struct step){.role = role};
    int rc = parse_step(step, name, j, e);
    if (rc > 0)
        return error_set(e, "tokenizer.json: %s '%s' is not supported", ROLES[role], name);
    return rc;
}

int steps_parse(struct steps *s, enum step_role role, const json_t *j, struct error *e)
{
    return parse_nested(s, role, j, 0, e);
}

void steps_free(struct steps *s)
{
    for (size_t i = 0; i < s->count; i++) {
        pcre2_code_free(s->v[i].re);
        free(s->v[i].content);
    }
    free(s->v);
    *s = (struct steps){0};
}

/* ---- matching ------------------------------------------------------------------------------- */

/* Goes through the matches of a text. An empty match right behind another match does not count. */
struct matches {
    const pcre2_code *re; /* NULL: none */
    const unsigned char *s;
    size_t n, from, last; /* last: end of the match before, SIZE_MAX at first */
};

static int matches_next(struct matches *it, struct matcher *m, size_t *start, size_t *end,
                        struct error *e)
{
    while (it->re && it->n && it->from <= it->n) {
        int rc = pattern_next(it->re, m, it->s, it->n, it->from, start, end, e);
        if (rc <= 0) {
            it->from = it->n + 1;
            return rc;
        }
        size_t used = 1;
        if (*end > *start) {
            it->from = *end;
        } else {
            if (*end < it->n)
                utf8_next(it->s + *end, &used);
            it->from = *end + used;
            if (*end == it->last)
                continue;
        }
        it->last = *end;
        return 1;
    }
    return 0;
}

static int replace(const struct step *s, struct matcher *m, const unsigned char *text, size_t n,
                   struct buffer *out, struct error *e)
{
    struct matches it = {s->re, text, n, 0, SIZE_MAX};
    size_t start, end, at = 0;
    int rc;
    while ((rc = matches_next(&it, m, &start, &end, e)) > 0) {
        if (buffer_append(out, text + at, start - at, e) ||
            buffer_append(out, s->content, s->content_length, e))
            return -1;
        at = end;
    }
    return rc ? rc : buffer_append(out, text + at, n - at, e);
}

/* ---- normalising ---------------------------------------------------------------------------- */

/* ASCII stays as it is in every form, but its last character may take what follows it. */
static int unicode_form(const struct step *s, const struct buffer *in, struct buffer *out,
                        struct error *e)
{
    for (size_t i = 0; i < in->length;) {
        size_t k = i;
        while (k < in->length && in->data[k] < 0x80)
            k++;
        size_t plain = k < in->length && k > i ? k - 1 : k;
        if (buffer_append(out, in->data + i, plain - i, e))
            return -1;
        while (k < in->length && in->data[k] >= 0x80)
            k++;
        if (k > plain) {
            utf8proc_uint8_t *form = NULL;
            utf8proc_ssize_t n =
                utf8proc_map(in->data + plain, (utf8proc_ssize_t)(k - plain), &form, s->unicode);
            int rc = n < 0 ? error_set(e, "Unicode normalisation: %s", utf8proc_errmsg(n))
                           : buffer_append(out, form, (size_t)n, e);
            free(form);
            if (rc)
                return -1;
        }
        i = k;
    }
    return 0;
}

static int lowercase(const struct buffer *in, struct buffer *out, struct error *e)
{
    for (size_t i = 0; i < in->length;) {
        size_t used;
        unsigned char c[4];
        uint32_t code = utf8_next(in->data + i, &used);
        i += used;
        /* The one letter whose lower case is two characters whatever stands around it. */
        if (code == 0x130) {
            if (buffer_append(out, "i\xCC\x87", 3, e))
                return -1;
            continue;
        }
        uint32_t low = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
        if (buffer_append(out, c, utf8_put(c, low), e))
            return -1;
    }
    return 0;
}

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

static int strip_spaces(const struct step *s, const struct buffer *in, struct buffer *out,
                        struct error *e)
{
    size_t start = 0, end = in->length, used;
    while (s->left && start < end && is_space(utf8_next(in->data + start, &used)))
        start += used;
    while (s->right && end > start) {
        size_t at = end - 1;
        while (at > start && (in->data[at] & 0xC0) == 0x80)
            at--;
        if (!is_space(utf8_next(in->data + at, &used)))
            break;
        end = at;
    }
    return buffer_append(out, in->data + start, end - start, e);
}

int steps_normalize(const struct steps *s, struct matcher *m, struct buffer *text, struct error *e)
{
    struct buffer out = {0};
    int rc = 0;
    for (size_t i = 0; !rc && i < s->count && text->length; i++) {
        const struct step *step = s->v + i;
        out.length = 0;
        switch (step->kind) {
        case STEP_UNICODE:
            rc = unicode_form(step, text, &out, e);
            break;
        case STEP_LOWERCASE:
            rc = lowercase(text, &out, e);
            break;
        case STEP_PREPEND:
            rc = buffer_append(&out, step->content, step->content_length, e) ||
                         buffer_append(&out, text->data, text->length, e)
                     ? -1
                     : 0;
            break;
        case STEP_REPLACE:
            rc = replace(step, m, text->data, text->length, &out, e);
            break;
        default:
            rc = strip_spaces(step, text, &out, e);
        }
        if (!rc) {
            struct buffer t = *text;
            *text = out;
            out = t;
        }
    }
    buffer_free(&out);
    return rc;
}

/* ---- splitting ------------------------------------------------------------------------------ */

/* What one span falls into: matches and what lies between them, alternating. */
struct part {
    size_t start, end;
    bool match;
};

struct parts {
    struct part *v;
    size_t count, capacity;
};

static int parts_push(struct parts *p, size_t start, size_t end, bool match, struct error *e)
{
    if (p->count == p->capacity) {
        size_t want = p->capacity ? 2 * p->capacity : 64;
        struct part *q = memory_resize(p->v, want, sizeof *q, "parts of a text", e);
        if (!q)
            return -1;
        p->v = q;
        p->capacity = want;
    }
    p->v[p->count++] = (struct part){start, end, match};
    return 0;
}

static int parts_find(struct parts *p, const struct step *s, struct matcher *m,
                      const unsigned char *text, size_t n, struct error *e)
{
    struct matches it = {s->re, text, n, 0, SIZE_MAX};
    size_t start, end, at = 0;
    int rc;
    p->count = 0;
    while ((rc = matches_next(&it, m, &start, &end, e)) > 0) {
        if ((at < start && parts_push(p, at, start, s->invert, e)) ||
            parts_push(p, start, end, !s->invert, e))
            return -1;
        at = end;
    }
    if (rc)
        return -1;
    return at < n ? parts_push(p, at, n, s->invert, e) : 0;
}

/* Joins parts as the behaviour says; joined parts are emptied into their neighbour. */
static void parts_join(struct parts *p, enum behavior behavior)
{
    bool before = false;
    size_t kept = 0;
    if (behavior == REMOVED) {
        for (size_t i = 0; i < p->count; i++)
            if (!p->v[i].match)
                p->v[kept++] = p->v[i];
        p->count = kept;
    } else if (behavior == MERGED_WITH_NEXT) {
        size_t low = p->count; /* kept parts grow down from the end */
        for (size_t i = p->count; i-- > 0;) {
            struct part q = p->v[i];
            if (q.match && !before && low < p->count)
                p->v[low].start = q.start;
            else
                p->v[--low] = q;
            before = q.match;
        }
        kept = p->count - low;
        if (kept)
            memmove(p->v, p->v + low, kept * sizeof *p->v);
        p->count = kept;
    } else if (behavior != ISOLATED) {
        for (size_t i = 0; i < p->count; i++) {
            struct part q = p->v[i];
            bool join = behavior == CONTIGUOUS ? q.match == before : q.match && !before;
            if (join && kept)
                p->v[kept - 1].end = q.end;
            else
                p->v[kept++] = q;
            before = q.match;
        }
        p->count = kept;
    }
}

static int split(const struct step *s, struct matcher *m, struct spans *spans, struct error *e)
{
    struct spans out = {0};
    struct parts parts = {0};
    int rc = -1;
    for (size_t i = 0; i < spans->count; i++) {
        const struct span *v = spans->v + i;
        if (parts_find(&parts, s, m, spans->text.data + v->start, v->length, e))
            goto out;
        parts_join(&parts, s->behavior);
        for (size_t k = 0; k < parts.count; k++) {
            const struct part *p = parts.v + k;
            if (p->end > p->start &&
                spans_push(&out, v->start + p->start, p->end - p->start, v->first && !p->start, e))
                goto out;
        }
    }
    out.text = spans->text;
    spans->text = (struct buffer){0};
    spans_swap(spans, &out);
    rc = 0;
out:
    free(parts.v);
    spans_free(&out);
    return rc;
}

/* ---- bytes as characters -------------------------------------------------------------------- */

uint32_t tokenizer_byte_letter(unsigned byte)
{
    if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174)
        return byte;
    return byte < 33 ? 256 + byte : byte < 161 ? 256 + 33 + byte - 127 : 256 + 67;
}

static int code_byte(uint32_t code)
{
    if (code < 256)
        return tokenizer_byte_letter(code) == code ? (int)code : -1;
    if (code < 256 + 33)
        return (int)code - 256;
    if (code < 256 + 67)
        return (int)code - 256 - 33 + 127;
    return code == 256 + 67 ? 173 : -1;
}

/* Appends text with c for every space (c NULL: as it is), begun with c where wanted. */
static int put_prefixed(struct spans *out, const struct spans *in, const struct span *v,
                        const char *c, size_t n, bool prefix, bool spaces, struct error *e)
{
    const unsigned char *s = in->text.data + v->start, *end = s + v->length;
    size_t start = out->text.length;
    if (prefix && buffer_append(&out->text, c, n, e))
        return -1;
    while (s < end) {
        const unsigned char *space = spaces ? memchr(s, ' ', (size_t)(end - s)) : NULL;
        size_t plain = (size_t)((space ? space : end) - s);
        if (buffer_append(&out->text, s, plain, e) || (space && buffer_append(&out->text, c, n, e)))
            return -1;
        s += plain + (space != NULL);
    }
    return spans_push(out, start, out->text.length - start, v->first, e);
}

static int byte_level(const struct step *s, struct matcher *m, struct spans *spans, struct error *e)
{
    struct spans out = {0};
    int rc = -1;
    bool prefix = false;
    for (size_t i = 0; s->prefix_space && i < spans->count; i++)
        prefix |= spans->v[i].length && spans->text.data[spans->v[i].start] != ' ';
    for (size_t i = 0; prefix && i < spans->count; i++) {
        const struct span *v = spans->v + i;
        bool add = v->length && spans->text.data[v->start] != ' ';
        if (put_prefixed(&out, spans, v, " ", 1, add, false, e))
            goto out;
    }
    if (prefix)
        spans_swap(spans, &out);
    if (s->re && split(s, m, spans, e))
        goto out;
    out.count = out.text.length = 0;
    if (buffer_reserve(&out.text, spans->text.length + spans->text.length / 2, e))
        goto out;
    for (size_t i = 0; i < spans->count; i++) {
        const struct span *v = spans->v + i;
        const unsigned char *b = spans->text.data + v->start;
        size_t start = out.text.length;
        if (buffer_reserve(&out.text, 2 * v->length + 4, e))
            goto out;
        unsigned char *to = out.text.data + start;
        for (size_t k = 0; k < v->length; k++)
            to += utf8_put(to, tokenizer_byte_letter(b[k]));
        out.text.length = (size_t)(to - out.text.data);
        if (spans_push(&out, start, out.text.length - start, v->first, e))
            goto out;
    }
    spans_swap(spans, &out);
    rc = 0;
out:
    spans_free(&out);
    return rc;
}

static int metaspace(const struct step *s, struct matcher *m, struct spans *spans, struct error *e)
{
    struct spans out = {0};
    const size_t n = s->content_length;
    int rc = -1;
    for (size_t i = 0; i < spans->count; i++) {
        const struct span *v = spans->v + i;
        const unsigned char *text = spans->text.data + v->start;
        bool there =
            v->length && (*text == ' ' || (v->length >= n && !memcmp(text, s->content, n)));
        bool add = v->length && !there &&
                   (s->prepend == PREPEND_ALWAYS || (s->prepend == PREPEND_FIRST && v->first));
        if (put_prefixed(&out, spans, v, s->content, n, add, true, e))
            goto out;
    }
    spans_swap(spans, &out);
    rc = s->split ? split(s, m, spans, e) : 0;
out:
    spans_free(&out);
    return rc;
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* A token goes through as bytes if every character stands for one, else as it is. */
static int decode_byte_level(const struct spans *in, struct spans *out, struct error *e)
{
    struct buffer bytes = {0};
    int rc = -1;
    for (size_t i = 0; i < in->count; i++) {
        const unsigned char *s = in->text.data + in->v[i].start;
        size_t n = in->v[i].length, mark = bytes.length, used;
        for (size_t k = 0; k < n; k += used) {
            int byte = code_byte(utf8_next(s + k, &used));
            unsigned char c = (unsigned char)byte;
            if (byte < 0) {
                bytes.length = mark;
                if (buffer_append(&bytes, s, n, e))
                    goto out;
                break;
            }
            if (buffer_append(&bytes, &c, 1, e))
                goto out;
        }
    }
    if (utf8_append_lossy(&out->text, bytes.data, bytes.length, false, e) ||
        spans_push(out, 0, out->text.length, false, e))
        goto out;
    rc = 0;
out:
    buffer_free(&bytes);
    return rc;
}

static int hex_digit(unsigned char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Runs of <0xAB> become text, or one U+FFFD a byte if the run is not UTF-8. */
static int decode_byte_fallback(const struct spans *in, struct spans *out, struct error *e)
{
    struct buffer run = {0};
    int rc = -1;
    for (size_t i = 0; i <= in->count; i++) {
        const unsigned char *s = i < in->count ? in->text.data + in->v[i].start : NULL;
        size_t n = s ? in->v[i].length : 0;
        if (n == 6 && !memcmp(s, "<0x", 3) && s[5] == '>' && hex_digit(s[3]) >= 0 &&
            hex_digit(s[4]) >= 0) {
            unsigned char c = (unsigned char)(hex_digit(s[3]) * 16 + hex_digit(s[4]));
            if (buffer_append(&run, &c, 1, e))
                goto out;
            continue;
        }
        size_t start = out->text.length;
        bool good = utf8_invalid_at(run.data, run.length) == run.length;
        if (good && buffer_append(&out->text, run.data, run.length, e))
            goto out;
        for (size_t k = 0; !good && k < run.length; k++)
            if (buffer_append(&out->text, "\xEF\xBF\xBD", 3, e))
                goto out;
        if (run.length && spans_push(out, start, out->text.length - start, false, e))
            goto out;
        run.length = 0;
        start = out->text.length;
        if (s && (buffer_append(&out->text, s, n, e) || spans_push(out, start, n, false, e)))
            goto out;
    }
    rc = 0;
out:
    buffer_free(&run);
    return rc;
}

/* Every replacement character of the first token goes if one is put there when encoding. */
static int decode_metaspace(const struct step *s, const struct spans *in, struct spans *out,
                            struct error *e)
{
    for (size_t i = 0; i < in->count; i++) {
        const unsigned char *p = in->text.data + in->v[i].start, *end = p + in->v[i].length;
        size_t start = out->text.length, n = s->content_length, used;
        for (; p < end; p += used) {
            bool hit = (size_t)(end - p) >= n && !memcmp(p, s->content, n);
            utf8_next(p, &used);
            if (hit && !i && s->prepend != PREPEND_NEVER)
                continue;
            if (hit ? buffer_append(&out->text, " ", 1, e) : buffer_append(&out->text, p, used, e))
                return -1;
        }
        if (spans_push(out, start, out->text.length - start, false, e))
            return -1;
    }
    return 0;
}

/* At most start times the content off the front, at most stop times off the end. */
static void decode_strip(const struct step *s, struct spans *spans)
{
    const size_t n = s->content_length;
    for (size_t i = 0; n && i < spans->count; i++) {
        struct span *v = spans->v + i;
        const unsigned char *text = spans->text.data;
        for (size_t k = 0; k < s->start && v->length >= n; k++) {
            if (memcmp(text + v->start, s->content, n))
                break;
            v->start += n;
            v->length -= n;
        }
        for (size_t k = 0; k < s->stop && v->length >= n; k++) {
            if (memcmp(text + v->start + v->length - n, s->content, n))
                break;
            v->length -= n;
        }
    }
}

static int decode_step(const struct step *s, struct matcher *m, struct spans *spans,
                       struct error *e)
{
    struct spans out = {0};
    int rc = 0;
    switch (s->kind) {
    case STEP_BYTE_LEVEL:
        rc = decode_byte_level(spans, &out, e);
        break;
    case STEP_BYTE_FALLBACK:
        rc = decode_byte_fallback(spans, &out, e);
        break;
    case STEP_METASPACE:
        rc = decode_metaspace(s, spans, &out, e);
        break;
    case STEP_STRIP:
        decode_strip(s, spans);
        return 0;
    case STEP_REPLACE:
        for (size_t i = 0; !rc && i < spans->count; i++) {
            size_t start = out.text.length;
            rc = replace(s, m, spans->text.data + spans->v[i].start, spans->v[i].length, &out.text,
                         e) ||
                         spans_push(&out, start, out.text.length - start, false, e)
                     ? -1
                     : 0;
        }
        break;
    default: /* STEP_FUSE */
        for (size_t i = 0; !rc && i < spans->count; i++)
            rc = buffer_append(&out.text, spans->text.data + spans->v[i].start, spans->v[i].length,
                               e);
        if (!rc)
            rc = spans_push(&out, 0, out.text.length, false, e);
    }
    if (!rc)
        spans_swap(spans, &out);
    spans_free(&out);
    return rc;
}

/* Spans of nothing lie somewhere, too: no arithmetic on a null pointer. */
static int have_text(struct spans *s, struct error *e)
{
    return s->text.data ? 0 : buffer_reserve(&s->text, 1, e);
}

int steps_run(const struct steps *s, struct matcher *m, struct spans *spans, struct error *e)
{
    if (have_text(spans, e))
        return -1;
    for (size_t i = 0; i < s->count; i++) {
        const struct step *step = s->v + i;
        int rc = step->role == STEP_DECODER      ? decode_step(step, m, spans, e)
                 : step->kind == STEP_BYTE_LEVEL ? byte_level(step, m, spans, e)
                 : step->kind == STEP_METASPACE  ? metaspace(step, m, spans, e)
                                                 : split(step, m, spans, e);
        if (rc || have_text(spans, e))
            return -1;
    }
    return 0;
}
