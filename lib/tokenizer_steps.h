/* The steps of tokenizer.json around its model: normalisers, pre-tokenizers, decoders. Each turns a
 * list of spans over a text into another. Only lib/tokenizer*.c include this. */
#ifndef KICK_TOKENIZER_STEPS_H
#define KICK_TOKENIZER_STEPS_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <pcre2.h>

#include "tokenizer_impl.h"

enum step_role { STEP_NORMALIZER, STEP_PRE_TOKENIZER, STEP_DECODER };

struct step;
struct steps {
    struct step *v; /* sequences are flattened */
    size_t count, capacity;
};

/* Adds what JSON describes (null: nothing). An unknown component is an error that names it. */
int steps_parse(struct steps *s, enum step_role role, const json_t *j, struct error *e);
void steps_free(struct steps *s);

struct span {
    size_t start, length;
    bool first; /* begins where the whole text begins */
};

/* Spans over a text, which need not cover it. */
struct spans {
    struct buffer text;
    struct span *v;
    size_t count, capacity;
};

int spans_push(struct spans *s, size_t start, size_t length, bool first, struct error *e);
void spans_free(struct spans *s);

/* PCRE2's working memory of one call. */
struct matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};
void matcher_free(struct matcher *m);

/* Normalises text in place. */
int steps_normalize(const struct steps *s, struct matcher *m, struct buffer *text, struct error *e);

/* Pre-tokenizes or decodes the spans in place; spans may become empty. */
int steps_run(const struct steps *s, struct matcher *m, struct spans *spans, struct error *e);

/* A pattern in the dialect of the tokenizers package (Oniguruma, Ruby syntax) or, literal, a text.
 */
int pattern_compile(pcre2_code **out, const char *pattern, size_t n, bool literal, struct error *e);

/* The next match in s at or after from, where a character begins: 1, 0 if there is none, -1. */
int pattern_next(const pcre2_code *re, struct matcher *m, const unsigned char *s, size_t n,
                 size_t from, size_t *start, size_t *end, struct error *e);

/* The BPE model of tokenizer.json. */
struct bpe;
int bpe_new(struct bpe **out, const json_t *model, struct error *e);
void bpe_free(struct bpe *m);
size_t bpe_size(const struct bpe *m); /* greatest id + 1 */
int32_t bpe_id(const struct bpe *m, const void *s, size_t n);
/* The text of an id; NULL if there is no such token. */
const unsigned char *bpe_text(const struct bpe *m, int32_t id, size_t *n);
int bpe_encode(const struct bpe *m, struct merger *g, const unsigned char *s, size_t n,
               struct token_ids *out, struct error *e);

#endif
