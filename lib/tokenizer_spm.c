/* SentencePiece: tokenizer.model, a protobuf (sentencepiece_model.proto of google/sentencepiece).
 *
 * Text is normalised (an optional double-array trie of replacement rules, white space to U+2581, a
 * dummy space in front), then segmented:
 *   BPE      symbols are code points; the neighbouring pair whose concatenation is the piece of
 *            highest score is joined, leftmost first among equals, until no pair is a piece
 *            (Sennrich et al. 2016, arXiv:1508.07909, with scores in place of merge ranks)
 *   unigram  the sequence of pieces with the greatest sum of scores, by Viterbi (Kudo 2018,
 *            arXiv:1804.10959), in single precision as the original does
 * What is no piece becomes its UTF-8 bytes (<0xXX>) where the model has byte fallback, else one
 * unknown id for a run. User-defined pieces are matched before all else and never joined. */
#include "tokenizer_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum piece_type { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };
enum model_type { UNIGRAM = 1, BPE = 2, WORD = 3, CHAR = 4 };

#define SPACE "\xE2\x96\x81" /* U+2581 */

struct piece {
    size_t offset; /* into the map's text or, for what text never matches, into other */
    uint32_t length;
    uint32_t order; /* rises as the score falls; equal scores are equal */
    float score;
    uint8_t type, byte;
};

struct spm {
    struct piece *pieces;
    size_t count;
    struct buffer texts;       /* of all pieces */
    struct string_map matched; /* normal, user-defined and unused pieces */
    struct trie user;          /* user-defined pieces */
    struct trie all;           /* unigram: matched pieces */
    struct joints joints;
    size_t longest; /* bytes of the longest matched piece */
    int32_t unk;
    int32_t bytes[256];
    bool byte_fallback, has_user, has_unused, whitespace_suffix;
    int64_t model_type, bos, eos, unk_id;
    bool dummy_prefix, remove_extra, escape;
    uint32_t *rules; /* double-array trie */
    size_t rule_count;
    struct buffer rule_texts;
    float min_score, max_score;
};

/* ---- protobuf ------------------------------------------------------------------------------- */

struct reader {
    const unsigned char *p, *end, *start;
};

struct field {
    uint64_t number, value; /* value of a varint */
    unsigned wire;
    const unsigned char *data; /* of a string, bytes or message */
    size_t length;
};

static int malformed(const struct reader *r, const char *what, struct error *e)
{
    return error_set(e,
                     "tokenizer.model: %s at byte %zu: damaged, or not a SentencePiece model "
                     "(a tiktoken vocabulary must be converted to tokenizer.json)",
                     what, (size_t)(r->p - r->start));
}

static int read_varint(struct reader *r, uint64_t *out, struct error *e)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->p == r->end)
            return malformed(r, "the file ends inside a number", e);
        unsigned char c = *r->p++;
        if (shift < 64)
            v |= (uint64_t)(c & 127) << shift;
        if (!(c & 128)) {
            *out = v;
            return 0;
        }
    }
    return malformed(r, "a number has more than ten bytes", e);
}

static int read_field(struct reader *r, struct field *f, struct error *e)
{
    uint64_t tag;
    if (read_varint(r, &tag, e))
        return -1;
    f->number = tag >> 3;
    f->wire = (unsigned)(tag & 7);
    f->data = r->p;
    f->length = 0;
    f->value = 0;
    if (!f->number)
        return malformed(r, "a field has number 0", e);
    switch (f->wire) {
    case 0:
        return read_varint(r, &f->value, e);
    case 1:
        f->length = 8;
        break;
    case 5:
        f->length = 4;
        break;
    case 2: {
        uint64_t n;
        if (read_varint(r, &n, e))
            return -1;
        if (n > (size_t)(r->end - r->p))
            return malformed(r, "a field is longer than what holds it", e);
        f->length = (size_t)n;
        f->data = r->p;
        break;
    }
    default:
        return malformed(r, "a field has an unknown wire type", e);
    }
    if (f->length > (size_t)(r->end - r->p))
        return malformed(r, "the file ends inside a field", e);
    r->p += f->length;
    return 0;
}

static int want_wire(const struct reader *r, const struct field *f, unsigned wire, struct error *e)
{
    return f->wire == wire ? 0 : malformed(r, "a field has the wrong wire type", e);
}

static struct reader reader_within(const struct reader *r, const struct field *f)
{
    return (struct reader){f->data, f->data + f->length, r->start};
}

static int parse_piece(struct spm *m, struct reader r, size_t *capacity, struct error *e)
{
    struct piece p = {.type = NORMAL};
    struct field text = {0}, f;
    while (r.p < r.end) {
        if (read_field(&r, &f, e))
            return -1;
        if (f.number == 1) {
            if (want_wire(&r, &f, 2, e))
                return -1;
            text = f;
        } else if (f.number == 2) {
            if (want_wire(&r, &f, 5, e))
                return -1;
            uint32_t bits = f.data[0] | (uint32_t)f.data[1] << 8 | (uint32_t)f.data[2] << 16 |
                            (uint32_t)f.data[3] << 24;
            memcpy(&p.score, &bits, 4);
        } else if (f.number == 3) {
            if (want_wire(&r, &f, 0, e))
                return -1;
            if (f.value < NORMAL || f.value > BYTE)
                return malformed(&r, "a piece has an unknown type", e);
            p.type = (uint8_t)f.value;
        }
    }
    if (m->count >= TOKEN_IDS_MAX)
        return error_set(e, "tokenizer.model: more than %d pieces", TOKEN_IDS_MAX);
    if (!text.length || text.length > TOKEN_BYTES_MAX)
        return error_set(e, "tokenizer.model: piece %zu has %zu bytes (1 to %d are possible)",
                         m->count, text.length, TOKEN_BYTES_MAX);
    if (utf8_invalid_at(text.data, text.length) < text.length)
        return error_set(e, "tokenizer.model: piece %zu is not UTF-8", m->count);
    if (!isfinite(p.score))
        return error_set(e, "tokenizer.model: piece %zu: its score is not finite", m->count);
    if (m->count == *capacity) {
        size_t want = *capacity ? 2 * *capacity : 1024;
        struct piece *q = memory_resize(m->pieces, want, sizeof *q, "pieces", e);
        if (!q)
            return -1;
        m->pieces = q;
        *capacity = want;
    }
    p.offset = m->texts.length;
    p.length = (uint32_t)text.length;
    m->pieces[m->count++] = p;
    return buffer_append(&m->texts, text.data, text.length, e);
}

static int parse_trainer(struct spm *m, struct reader r, struct error *e)
{
    struct field f;
    while (r.p < r.end) {
        if (read_field(&r, &f, e))
            return -1;
        switch (f.number) {
        case 3:
        case 24:
        case 35:
        case 40:
        case 41:
        case 42:
            if (want_wire(&r, &f, 0, e))
                return -1;
        }
        /* Negative numbers are sign-extended to 64 bits on the wire; ids are 32 bits wide. */
        int64_t v = (int32_t)(uint32_t)f.value;
        switch (f.number) {
        case 3:
            m->model_type = v;
            break;
        case 24:
            m->whitespace_suffix = f.value != 0;
            break;
        case 35:
            m->byte_fallback = f.value != 0;
            break;
        case 40:
            m->unk_id = v;
            break;
        case 41:
            m->bos = v;
            break;
        case 42:
            m->eos = v;
            break;
        }
    }
    return 0;
}

/* The rules: a little-endian size, a double-array trie of that many bytes, NUL-terminated texts. */
static int parse_rules(struct spm *m, const unsigned char *p, size_t n, struct error *e)
{
    free(m->rules);
    m->rules = NULL;
    m->rule_count = 0;
    m->rule_texts.length = 0;
    if (!n)
        return 0;
    size_t size =
        n < 4 ? SIZE_MAX : p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    if (n < 4 || size > n - 4 || size % 4 || !size)
        return error_set(e, "tokenizer.model: precompiled_charsmap is malformed");
    m->rules = memory_new(size / 4, 4, "normalisation rules", e);
    if (!m->rules)
        return -1;
    m->rule_count = size / 4;
    p += 4;
    for (size_t i = 0; i < m->rule_count; i++)
        m->rules[i] = p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 |
                      (uint32_t)p[4 * i + 3] << 24;
    if (utf8_invalid_at(p + size, n - 4 - size) < n - 4 - size)
        return error_set(e, "tokenizer.model: precompiled_charsmap: a replacement is not UTF-8");
    return buffer_append(&m->rule_texts, p + size, n - 4 - size, e) ||
                   buffer_append(&m->rule_texts, "", 1, e)
               ? -1
               : 0;
}

static int parse_normalizer(struct spm *m, struct reader r, struct error *e)
{
    struct field f;
    while (r.p < r.end) {
        if (read_field(&r, &f, e))
            return -1;
        if (f.number == 2) {
            if (want_wire(&r, &f, 2, e) || parse_rules(m, f.data, f.length, e))
                return -1;
        } else if (f.number >= 3 && f.number <= 5) {
            if (want_wire(&r, &f, 0, e))
                return -1;
            *(f.number == 3   ? &m->dummy_prefix
              : f.number == 4 ? &m->remove_extra
                              : &m->escape) = f.value != 0;
        }
    }
    return 0;
}

static int parse_model(struct spm *m, const void *bytes, size_t n, struct error *e)
{
    const unsigned char *p = bytes;
    struct reader r = {p, p + n, p};
    struct field f;
    size_t capacity = 0;
    while (r.p < r.end) {
        if (read_field(&r, &f, e))
            return -1;
        if (f.number < 1 || f.number > 5)
            continue;
        if (want_wire(&r, &f, 2, e))
            return -1;
        struct reader inner = reader_within(&r, &f);
        if ((f.number == 1 && parse_piece(m, inner, &capacity, e)) ||
            (f.number == 2 && parse_trainer(m, inner, e)) ||
            (f.number == 3 && parse_normalizer(m, inner, e)))
            return -1;
        while (f.number == 5 && inner.p < inner.end) {
            struct field rule;
            if (read_field(&inner, &rule, e))
                return -1;
            if (rule.number == 2 && rule.length)
                return error_set(e, "tokenizer.model: denormalizer_spec has a "
                                    "precompiled_charsmap, which is not supported");
        }
    }
    if (!m->count)
        return error_set(e, "tokenizer.model: there are no pieces");
    return 0;
}

/* ---- tables --------------------------------------------------------------------------------- */

static const unsigned char *piece_text(const struct spm *m, size_t id)
{
    return m->texts.data + m->pieces[id].offset;
}

void spm_style(const struct spm *m, struct tokenizer_style *out)
{
    *out = (struct tokenizer_style){m->model_type == UNIGRAM, m->dummy_prefix, m->remove_extra,
                                    m->rule_count != 0, m->unk};
}

bool spm_piece(const struct spm *m, size_t id, struct tokenizer_piece *out)
{
    if (id >= m->count)
        return false;
    const struct piece *p = &m->pieces[id];
    *out = (struct tokenizer_piece){(const char *)piece_text(m, id), p->length, p->score, p->type};
    return true;
}

struct scored {
    float score;
    uint32_t id;
};

static int by_score(const void *a, const void *b)
{
    float x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;
    return x > y ? -1 : x < y;
}

static int rank_scores(struct spm *m, struct error *e)
{
    struct scored *s = memory_new(m->count, sizeof *s, "scores", e);
    if (!s)
        return -1;
    for (size_t i = 0; i < m->count; i++)
        s[i] = (struct scored){m->pieces[i].score, (uint32_t)i};
    qsort(s, m->count, sizeof *s, by_score);
    uint32_t order = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (i && s[i].score < s[i - 1].score)
            order++;
        m->pieces[s[i].id].order = order;
    }
    free(s);
    return 0;
}

static int add_matched(struct spm *m, size_t id, struct error *e)
{
    struct piece *p = m->pieces + id;
    const unsigned char *s = piece_text(m, id);
    uint64_t hash = string_hash(s, p->length);
    if (string_map_find(&m->matched, s, p->length, hash))
        return error_set(e, "tokenizer.model: piece %zu, '%.*s', is there twice", id,
                         (int)p->length, (const char *)s);
    if (string_map_add(&m->matched, s, p->length, hash, (int32_t)id, e))
        return -1;
    if (p->length > m->longest)
        m->longest = p->length;
    if (p->type == USER_DEFINED) {
        m->has_user = true;
        if (trie_add(&m->user, s, p->length, (int32_t)id, e))
            return -1;
    }
    m->has_unused |= p->type == UNUSED;
    if (m->model_type == UNIGRAM)
        return trie_add(&m->all, s, p->length, (int32_t)id, e);
    uint32_t before = 0;
    size_t used;
    for (size_t i = 0; i < p->length; i += used) {
        uint32_t code = utf8_next(s + i, &used);
        if (i && joints_add(&m->joints, before, code, e))
            return -1;
        before = code;
    }
    return 0;
}

static int add_byte(struct spm *m, size_t id, struct error *e)
{
    struct piece *p = m->pieces + id;
    const unsigned char *s = piece_text(m, id);
    unsigned value = 0;
    bool good = p->length == 6 && !memcmp(s, "<0x", 3) && s[5] == '>';
    for (int i = 3; good && i < 5; i++) {
        const char *digits = "0123456789ABCDEF", *d = s[i] ? strchr(digits, s[i]) : NULL;
        good = d != NULL;
        value = value * 16 + (d ? (unsigned)(d - digits) : 0);
    }
    if (!good)
        return error_set(e, "tokenizer.model: byte piece %zu, '%.*s', is not of the form <0xAB>",
                         id, (int)p->length, (const char *)s);
    if (m->bytes[value] >= 0)
        return error_set(e, "tokenizer.model: byte piece %zu, '%.*s', is there twice", id,
                         (int)p->length, (const char *)s);
    p->byte = (uint8_t)value;
    m->bytes[value] = (int32_t)id;
    return 0;
}

static int build_tables(struct spm *m, struct error *e)
{
    bool any = false;
    m->unk = -1;
    for (size_t i = 0; i < m->count; i++) {
        struct piece *p = m->pieces + i;
        switch (p->type) {
        case NORMAL:
            m->min_score = any && m->min_score < p->score ? m->min_score : p->score;
            m->max_score = any && m->max_score > p->score ? m->max_score : p->score;
            any = true;
            if (add_matched(m, i, e))
                return -1;
            break;
        case USER_DEFINED:
        case UNUSED:
            if (add_matched(m, i, e))
                return -1;
            break;
        case BYTE:
            if (add_byte(m, i, e))
                return -1;
            break;
        case UNKNOWN:
            if (m->unk >= 0)
                return error_set(e, "tokenizer.model: pieces %d and %zu are both of type unknown",
                                 m->unk, i);
            m->unk = (int32_t)i;
            break;
        }
    }
    if (m->unk < 0)
        return error_set(e, "tokenizer.model: no piece is of type unknown");
    for (int b = 0; m->byte_fallback && b < 256; b++)
        if (m->bytes[b] < 0)
            return error_set(e, "tokenizer.model: byte_fallback is on, but <0x%02X> is missing",
                             (unsigned)b);
    return rank_scores(m, e);
}

static int special_id(const struct spm *m, const char *name, int64_t id, int32_t *out,
                      struct error *e)
{
    if (id >= (int64_t)m->count)
        return error_set(e, "tokenizer.model: %s_id is %lld, but there are %zu pieces", name,
                         (long long)id, m->count);
    *out = id < 0 ? -1 : (int32_t)id;
    return 0;
}

int spm_new(struct spm **out, const void *bytes, size_t n, struct tokenizer_facts *facts,
            struct error *e)
{
    struct spm *m = memory_new(1, sizeof *m, "a tokenizer", e);
    if (!m)
        return -1;
    *m = (struct spm){.model_type = UNIGRAM,
                      .bos = 1,
                      .eos = 2,
                      .dummy_prefix = true,
                      .remove_extra = true,
                      .escape = true};
    memset(m->bytes, 0xFF, sizeof m->bytes);
    if (parse_model(m, bytes, n, e))
        goto fail;
    if (m->model_type != BPE && m->model_type != UNIGRAM) {
        error_set(e, "tokenizer.model: model type '%s' is not supported (bpe, unigram)",
                  m->model_type == WORD   ? "word"
                  : m->model_type == CHAR ? "char"
                                          : "unknown");
        goto fail;
    }
    if (build_tables(m, e) || special_id(m, "bos", m->bos, &facts->bos, e) ||
        special_id(m, "eos", m->eos, &facts->eos, e))
        goto fail;
    facts->size = m->count;
    facts->adds_bos = facts->bos >= 0;
    *out = m;
    return 0;
fail:
    spm_free(m);
    return -1;
}

void spm_free(struct spm *m)
{
    if (!m)
        return;
    free(m->pieces);
    buffer_free(&m->texts);
    string_map_free(&m->matched);
    trie_free(&m->user);
    trie_free(&m->all);
    joints_free(&m->joints);
    free(m->rules);
    buffer_free(&m->rule_texts);
    free(m);
}

/* ---- normalisation -------------------------------------------------------------------------- */

/* The longest rule that begins s, by the double array's units (Darts-clone): bits 0-7 and 31 the
 * label, 8 whether a value hangs below, 9 and 10-30 the offset; a value's unit has bit 31 set. */
static size_t rule_longest(const struct spm *m, const unsigned char *s, size_t n, uint32_t *value)
{
    size_t best = 0;
    uint32_t node = 0, unit = m->rules[0];
    node ^= (unit >> 10) << ((unit & 1u << 9) >> 6);
    for (size_t i = 0; i < n; i++) {
        node ^= s[i];
        if (node >= m->rule_count)
            break;
        unit = m->rules[node];
        if ((unit & (1u << 31 | 0xFF)) != s[i])
            break;
        node ^= (unit >> 10) << ((unit & 1u << 9) >> 6);
        /* A rule of real files ends between characters; a hostile one must not cut one in two. */
        if (unit >> 8 & 1 && node < m->rule_count && (i + 1 == n || (s[i + 1] & 0xC0) != 0x80)) {
            best = i + 1;
            *value = m->rules[node] & 0x7FFFFFFF;
        }
    }
    return best;
}

/* What the beginning of s (n > 0 bytes) becomes; returns how much of s that covers. */
static size_t normalize_prefix(const struct spm *m, const unsigned char *s, size_t n,
                               const unsigned char **text, size_t *length)
{
    int32_t id;
    size_t used = m->has_user ? trie_longest(&m->user, s, n, &id) : 0;
    uint32_t value;
    size_t ruled;
    *text = s;
    if (!used && m->rules && (ruled = rule_longest(m, s, n, &value)) > 0 &&
        value < m->rule_texts.length && (m->rule_texts.data[value] & 0xC0) != 0x80) {
        *text = m->rule_texts.data + value;
        *length = strlen((const char *)*text);
        return ruled;
    }
    if (!used)
        utf8_next(s, &used);
    *length = used;
    return used;
}

static int put_space(const struct spm *m, struct buffer *b, struct error *e)
{
    return m->escape ? buffer_append(b, SPACE, 3, e) : buffer_append(b, " ", 1, e);
}

static int put_escaped(const struct spm *m, struct buffer *b, const unsigned char *s, size_t n,
                       struct error *e)
{
    for (size_t i = 0; i < n;) {
        const unsigned char *space = m->escape ? memchr(s + i, ' ', n - i) : NULL;
        size_t plain = space ? (size_t)(space - s) - i : n - i;
        if (buffer_append(b, s + i, plain, e) || (space && put_space(m, b, e)))
            return -1;
        i += plain + (space != NULL);
    }
    return 0;
}

static int normalize(const struct spm *m, const unsigned char *s, size_t n, struct buffer *b,
                     struct error *e)
{
    const unsigned char *text;
    size_t length, i = 0;
    if (buffer_reserve(b, n + n / 2 + 16, e))
        return -1;
    while (m->remove_extra && i < n) {
        size_t used = normalize_prefix(m, s + i, n - i, &text, &length);
        if (length != 1 || *text != ' ')
            break;
        i += used;
    }
    if (i == n)
        return 0;
    if (m->dummy_prefix && !m->whitespace_suffix && put_space(m, b, e))
        return -1;
    if (!m->has_user && !m->rules && !m->remove_extra) {
        if (put_escaped(m, b, s + i, n - i, e))
            return -1;
        i = n;
    }
    bool after_space = m->remove_extra;
    while (i < n) {
        i += normalize_prefix(m, s + i, n - i, &text, &length);
        while (after_space && length && *text == ' ') {
            text++;
            length--;
        }
        if (length) {
            if (put_escaped(m, b, text, length, e))
                return -1;
            after_space = text[length - 1] == ' ';
        }
        after_space &= m->remove_extra;
    }
    size_t width = m->escape ? 3 : 1;
    while (m->remove_extra && b->length >= width &&
           !memcmp(b->data + b->length - width, m->escape ? SPACE : " ", width))
        b->length -= width;
    if (m->dummy_prefix && m->whitespace_suffix)
        return put_space(m, b, e);
    return 0;
}

/* ---- BPE ------------------------------------------------------------------------------------ */

struct call {
    struct merger merger;
    struct token_ids part; /* ids of one part before they are appended */
    uint32_t *splits;      /* by id: where an unused piece was joined last; NULL without such */
    bool after_unknown;
};

/* The symbol at s: a user-defined piece or one code point. */
static size_t symbol_at(const struct spm *m, const unsigned char *s, size_t n, bool *frozen)
{
    int32_t id;
    size_t used = m->has_user ? trie_longest(&m->user, s, n, &id) : 0;
    *frozen = used > 0;
    if (!used)
        utf8_next(s, &used);
    return used;
}

static int offer(const struct spm *m, struct call *c, const unsigned char *s, int32_t left,
                 int32_t right, struct error *e)
{
    if (left < 0 || right < 0)
        return 0;
    const struct symbol *a = c->merger.symbols + left, *b = c->merger.symbols + right;
    size_t length = (size_t)a->length + b->length;
    if (a->frozen || b->frozen || length > m->longest)
        return 0;
    int32_t id = string_map_get(&m->matched, s + a->start, length);
    if (id < 0)
        return 0;
    if (c->splits && m->pieces[id].type == UNUSED)
        c->splits[id] = a->length;
    return merger_push(&c->merger, (uint64_t)m->pieces[id].order << 32 | (uint32_t)left,
                       (uint32_t)length, e);
}

/* The ids of one final symbol; an unused piece falls back into what it was joined from. */
static int emit(const struct spm *m, struct call *c, const unsigned char *s, size_t n,
                struct error *e)
{
    int32_t id = string_map_get(&m->matched, s, n);
    if (id >= 0 && c->splits && m->pieces[id].type == UNUSED && c->splits[id] &&
        c->splits[id] < n) {
        size_t left = c->splits[id];
        return emit(m, c, s, left, e) || emit(m, c, s + left, n - left, e) ? -1 : 0;
    }
    if (id >= 0)
        return token_ids_push(&c->part, id, e);
    if (!m->byte_fallback)
        return token_ids_push(&c->part, m->unk, e);
    for (size_t i = 0; i < n; i++)
        if (token_ids_push(&c->part, m->bytes[s[i]], e))
            return -1;
    return 0;
}

static int merge(const struct spm *m, struct call *c, const unsigned char *s, size_t n,
                 struct error *e)
{
    struct merger *g = &c->merger;
    size_t count = 0, used;
    for (size_t i = 0; i < n; i += used, count++) {
        if (merger_symbols(g, count + 1, e))
            return -1;
        bool frozen;
        used = symbol_at(m, s + i, n - i, &frozen);
        g->symbols[count] = (struct symbol){.prev = (int32_t)count - 1,
                                            .next = i + used < n ? (int32_t)count + 1 : -1,
                                            .start = (uint32_t)i,
                                            .length = (uint32_t)used,
                                            .frozen = frozen};
    }
    for (size_t i = 0; i + 1 < count; i++)
        if (offer(m, c, s, (int32_t)i, (int32_t)i + 1, e))
            return -1;
    struct candidate top;
    while (merger_pop(g, &top)) {
        int32_t at = (int32_t)(uint32_t)top.key;
        struct symbol *left = g->symbols + at;
        if (!left->length || left->next < 0)
            continue;
        struct symbol *right = g->symbols + left->next;
        if (left->length + right->length != top.extra)
            continue; /* one of the two has grown since */
        left->length += right->length;
        right->length = 0;
        left->next = right->next;
        if (left->next >= 0)
            g->symbols[left->next].prev = at;
        if (offer(m, c, s, left->prev, at, e) || offer(m, c, s, at, left->next, e))
            return -1;
    }
    for (int32_t i = 0; i >= 0; i = g->symbols[i].next)
        if (emit(m, c, s + g->symbols[i].start, g->symbols[i].length, e))
            return -1;
    return 0;
}

/* A run of unknown symbols is one id. */
static int append_part(const struct spm *m, struct call *c, const int32_t *ids, size_t n,
                       struct token_ids *out, struct error *e)
{
    if (m->byte_fallback)
        return token_ids_append(out, ids, n, e);
    for (size_t i = 0; i < n; i++) {
        bool unknown = ids[i] == m->unk;
        if (!(unknown && c->after_unknown) && token_ids_push(out, ids[i], e))
            return -1;
        c->after_unknown = unknown;
    }
    return 0;
}

static int encode_part(const struct spm *m, struct call *c, const unsigned char *s, size_t n,
                       struct token_ids *out, struct error *e)
{
    uint64_t hash = n <= MERGER_PART_MAX ? string_hash(s, n) : 0;
    bool found = false;
    c->part.count = 0;
    if (n <= MERGER_PART_MAX && merger_recall(&c->merger, s, n, hash, &c->part, &found, e))
        return -1;
    if (!found) {
        if (merge(m, c, s, n, e) ||
            merger_remember(&c->merger, s, n, hash, c->part.ids, c->part.count, e))
            return -1;
    }
    return append_part(m, c, c->part.ids, c->part.count, out, e);
}

static int encode_bpe(const struct spm *m, struct call *c, const unsigned char *s, size_t n,
                      struct token_ids *out, struct error *e)
{
    if (m->has_unused) {
        /* Which way an unused piece falls apart depends on the last join of its text anywhere. */
        c->splits = memory_new(m->count, sizeof *c->splits, "unused pieces", e);
        c->part.count = 0;
        return !c->splits || merge(m, c, s, n, e) ||
                       append_part(m, c, c->part.ids, c->part.count, out, e)
                   ? -1
                   : 0;
    }
    size_t start = 0, used;
    uint32_t before = 0;
    bool was_frozen = false;
    for (size_t i = 0; i < n; i += used) {
        bool frozen;
        used = symbol_at(m, s + i, n - i, &frozen);
        size_t ignored;
        uint32_t code = utf8_next(s + i, &ignored);
        if (i && (frozen || was_frozen || !joints_have(&m->joints, before, code))) {
            if (encode_part(m, c, s + start, i - start, out, e))
                return -1;
            start = i;
        }
        before = code;
        was_frozen = frozen;
    }
    return start < n ? encode_part(m, c, s + start, n - start, out, e) : 0;
}

/* ---- unigram -------------------------------------------------------------------------------- */

/* Where every segmentation passes and the score has fallen below this, counting starts again at 0:
 * in a text of megabytes a single-precision sum would no longer tell two segmentations apart. With
 * this value the result is the original's on every text compared, of lines and of megabytes. */
#define REBASE -1e5f

struct path {
    float score; /* of the best segmentation of the text up to here */
    int32_t id;
    int32_t start; /* of its last piece; -1: none yet */
};

static void path_offer(struct path *to, double score, int32_t id, size_t start)
{
    if (to->start < 0 || (float)score > to->score)
        *to = (struct path){(float)score, id, (int32_t)start};
}

static int encode_unigram(const struct spm *m, struct call *c, const unsigned char *s, size_t n,
                          struct token_ids *out, struct error *e)
{
    int rc = -1;
    const float unknown = m->min_score - 10.0f; /* the penalty of an unknown character */
    size_t *ends = NULL;
    struct path *paths =
        n < INT32_MAX ? memory_new(n + 1, sizeof *paths, "Viterbi paths", e) : NULL;
    if (!paths) {
        if (n >= INT32_MAX)
            error_set(e, "text of %zu bytes after normalisation is too long for one piece", n);
        return -1;
    }
    for (size_t i = 0; i <= n; i++)
        paths[i].start = -1;
    size_t width, reach = 0; /* the furthest end of a piece so far */
    for (size_t i = 0; i < n; i += width) {
        if (reach == i && paths[i].score < REBASE)
            paths[i].score = 0;
        const float here = paths[i].score;
        bool single = false;
        uint32_t node = 0;
        utf8_next(s + i, &width);
        for (size_t k = i; k < n && (node = trie_child(&m->all, node, s[k])) != 0; k++) {
            int32_t id = m->all.values[node];
            if (id < 0 || m->pieces[id].type == UNUSED)
                continue;
            size_t length = k + 1 - i;
            reach = k + 1 > reach ? k + 1 : reach;
            /* A user-defined piece gets a bonus that makes it win over its parts. */
            double score = m->pieces[id].type == USER_DEFINED
                               ? (double)((float)length * m->max_score) - 0.1
                               : (double)m->pieces[id].score;
            path_offer(paths + k + 1, score + (double)here, id, i);
            single |= length == width;
        }
        if (!single) {
            reach = i + width > reach ? i + width : reach;
            path_offer(paths + i + width, (double)(unknown + here), m->unk, i);
        }
    }
    size_t count = 0;
    for (size_t at = n; at; at = (size_t)paths[at].start)
        count++;
    ends = memory_new(count, sizeof *ends, "a segmentation", e);
    if (!ends)
        goto out;
    for (size_t at = n, k = count; at; at = (size_t)paths[at].start)
        ends[--k] = at;
    for (size_t k = 0; k < count; k++) {
        const struct path *p = paths + ends[k];
        c->part.count = 0;
        for (size_t i = (size_t)p->start; i < ends[k]; i++) {
            bool bytes = p->id == m->unk && m->byte_fallback;
            if (token_ids_push(&c->part, bytes ? m->bytes[s[i]] : p->id, e))
                goto out;
            if (!bytes)
                break;
        }
        if (append_part(m, c, c->part.ids, c->part.count, out, e))
            goto out;
    }
    rc = 0;
out:
    free(ends);
    free(paths);
    return rc;
}

int spm_encode(const struct spm *m, const char *text, size_t n, struct token_ids *out,
               struct error *e)
{
    struct call c = {0};
    struct buffer b = {0};
    int rc = normalize(m, (const unsigned char *)text, n, &b, e);
    if (!rc && b.length)
        rc = m->model_type == BPE ? encode_bpe(m, &c, b.data, b.length, out, e)
                                  : encode_unigram(m, &c, b.data, b.length, out, e);
    buffer_free(&b);
    merger_free(&c.merger);
    token_ids_free(&c.part);
    free(c.splits);
    return rc;
}

/* ---- decoding ------------------------------------------------------------------------------- */

int spm_decode(const struct spm *m, const int32_t *ids, size_t n, struct buffer *text,
               struct error *e)
{
    struct buffer run = {0}; /* of byte pieces */
    int rc = -1;
    bool at_start = true;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && (size_t)ids[i] >= m->count)
            continue; /* padding of an embedding that has more rows than there are pieces */
        const struct piece *p = i < n ? m->pieces + ids[i] : NULL;
        if (p && (p->type == CONTROL || p->type == UNKNOWN))
            continue;
        if (p && p->type == BYTE) {
            if (buffer_append(&run, &p->byte, 1, e))
                goto out;
            continue;
        }
        if (utf8_append_lossy(text, run.data, run.length, true, e))
            goto out;
        run.length = 0;
        if (!p)
            break;
        at_start &= !text->length;
        const unsigned char *s = piece_text(m, (size_t)ids[i]), *end = s + p->length;
        if (at_start && (m->dummy_prefix || m->remove_extra) && end - s >= 3 &&
            !memcmp(s, SPACE, 3)) {
            s += 3;
            at_start = m->remove_extra;
        }
        while (s < end) {
            bool space = end - s >= 3 && !memcmp(s, SPACE, 3);
            if (buffer_append(text, space ? (const unsigned char *)" " : s, 1, e))
                goto out;
            s += space ? 3 : 1;
        }
    }
    rc = 0;
out:
    buffer_free(&run);
    return rc;
}
