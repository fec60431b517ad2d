/* Internals shared by the tokenizer units: UTF-8, tables, and the two formats' entry points. Only
 * lib/tokenizer*.c include this. */
#ifndef KICK_TOKENIZER_IMPL_H
#define KICK_TOKENIZER_IMPL_H

#include "error.h"
#include "memory.h"
#include "tokenizer.h"

/* Longest token text, and greatest id + 1, that a file may ask for. Real files stay below 1,000
 * bytes and 300,000 ids; the limits keep a hostile file from costing quadratic time or memory. */
#define TOKEN_BYTES_MAX 4096
#define TOKEN_IDS_MAX (1 << 24)

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

/* Decodes one code point of n > 0 bytes. True if well formed: *used is its length. Otherwise *used
 * is the length of the maximal ill-formed subpart (Unicode 15, section 3.9, table 3-8). */
bool utf8_decode(const unsigned char *s, size_t n, uint32_t *code, size_t *used);

/* Offset of the first byte that is not UTF-8; n if there is none. */
size_t utf8_invalid_at(const void *text, size_t n);

/* The same for text known to be well formed, without checks. */
static inline uint32_t utf8_next(const unsigned char *s, size_t *used)
{
    if (s[0] < 0x80) {
        *used = 1;
        return s[0];
    }
    if (s[0] < 0xE0) {
        *used = 2;
        return (uint32_t)(s[0] & 31) << 6 | (s[1] & 63);
    }
    if (s[0] < 0xF0) {
        *used = 3;
        return (uint32_t)(s[0] & 15) << 12 | (uint32_t)(s[1] & 63) << 6 | (s[2] & 63);
    }
    *used = 4;
    return (uint32_t)(s[0] & 7) << 18 | (uint32_t)(s[1] & 63) << 12 | (uint32_t)(s[2] & 63) << 6 |
           (s[3] & 63);
}

/* Writes a code point into out; returns its length. */
size_t utf8_put(unsigned char out[4], uint32_t code);

/* Appends n bytes to b; what is not UTF-8 becomes U+FFFD, one for each byte or one for each
 * maximal subpart. */
int utf8_append_lossy(struct buffer *b, const unsigned char *s, size_t n, bool each_byte,
                      struct error *e);

/* ---- ids ------------------------------------------------------------------------------------ */

int token_ids_append(struct token_ids *out, const int32_t *ids, size_t n, struct error *e);

static inline int token_ids_push(struct token_ids *out, int32_t id, struct error *e)
{
    if (out->count == out->capacity)
        return token_ids_append(out, &id, 1, e);
    out->ids[out->count++] = id;
    return 0;
}

/* ---- string -> value ------------------------------------------------------------------------ */

struct string_entry {
    uint64_t hash;
    size_t offset; /* into text */
    uint32_t length;
    int32_t value;
};

struct string_map {
    struct string_entry *entries;
    uint32_t *slots; /* entry index + 1; 0 is free */
    size_t count, capacity, mask;
    struct buffer text;
};

uint64_t string_hash(const void *s, size_t n);

/* The entry of a key or NULL. */
const struct string_entry *string_map_find(const struct string_map *m, const void *s, size_t n,
                                           uint64_t hash);

/* Adds a key that is not there yet. */
int string_map_add(struct string_map *m, const void *s, size_t n, uint64_t hash, int32_t value,
                   struct error *e);
void string_map_free(struct string_map *m);

/* The value of a key, or -1. */
static inline int32_t string_map_get(const struct string_map *m, const void *s, size_t n)
{
    const struct string_entry *f = string_map_find(m, s, n, string_hash(s, n));
    return f ? f->value : -1;
}

/* ---- prefix search -------------------------------------------------------------------------- */

/* A trie over bytes; edges live in one hash table keyed by (node, byte). */
struct trie {
    uint64_t *keys; /* node << 8 | byte, + 1; 0 is free */
    uint32_t *targets;
    size_t edges, mask;
    int32_t *values; /* by node; -1: no word ends here */
    size_t nodes, capacity;
    bool starts[256];
};

int trie_add(struct trie *t, const void *s, size_t n, int32_t value, struct error *e);

/* Child of a node, 0 if none (0 is the root). */
uint32_t trie_child(const struct trie *t, uint32_t node, unsigned char byte);

/* Length of the longest word that begins s, 0 if none. */
size_t trie_longest(const struct trie *t, const unsigned char *s, size_t n, int32_t *value);
void trie_free(struct trie *t);

/* ---- where a text may be cut ---------------------------------------------------------------- */

/* The pairs of neighbouring code points that some merge joins. Between two code points that no
 * merge joins, a text falls into parts that are merged independently, with the same result as in
 * one piece: that makes the cost linear in practice and lets repeated parts be looked up. */
struct joints {
    uint64_t *pairs; /* pair + 1; 0 is free */
    size_t count, mask;
    bool dense[129][129]; /* ASCII, and U+2581 as 128 */
};

int joints_add(struct joints *j, uint32_t left, uint32_t right, struct error *e);
bool joints_have_sparse(const struct joints *j, uint32_t left, uint32_t right);
void joints_free(struct joints *j);

static inline uint32_t joints_class(uint32_t code)
{
    return code < 128 ? code : code == 0x2581 ? 128 : 129;
}

static inline bool joints_have(const struct joints *j, uint32_t left, uint32_t right)
{
    uint32_t a = joints_class(left), b = joints_class(right);
    return a < 129 && b < 129 ? j->dense[a][b] : joints_have_sparse(j, left, right);
}

/* ---- merging -------------------------------------------------------------------------------- */

/* A symbol of the sequence being merged: a doubly linked list in an array. */
struct symbol {
    int32_t prev, next; /* -1: none */
    uint32_t start, length;
    int32_t id;
    bool frozen;
};

/* The least key first: priority << 32 | position of the left symbol. */
struct candidate {
    uint64_t key;
    uint32_t extra;
};

/* Working memory of one call, with the ids of parts met before: texts repeat their words. */
struct merger {
    struct symbol *symbols;
    size_t symbol_capacity;
    struct candidate *heap;
    size_t heap_count, heap_capacity;
    struct string_map known; /* part -> index into slices */
    struct token_ids known_ids;
    struct {
        size_t start;
        size_t count;
    } * slices;
    size_t slice_capacity;
};

#define MERGER_PART_MAX 64 /* bytes of a part that is worth remembering */

int merger_symbols(struct merger *m, size_t n, struct error *e);
int merger_push(struct merger *m, uint64_t key, uint32_t extra, struct error *e);
bool merger_pop(struct merger *m, struct candidate *out);

/* True if the part is known: its ids were appended to out. */
int merger_recall(const struct merger *m, const void *s, size_t n, uint64_t hash,
                  struct token_ids *out, bool *found, struct error *e);
int merger_remember(struct merger *m, const void *s, size_t n, uint64_t hash, const int32_t *ids,
                    size_t count, struct error *e);
void merger_free(struct merger *m);

/* GPT-2's printable stand-ins: a byte that is a visible Latin-1 character is that character, the
 * others take U+0100 and up in order. */
uint32_t tokenizer_byte_letter(unsigned byte);

/* ---- the formats ---------------------------------------------------------------------------- */

/* What tokenizer_config.json says; texts are borrowed from the parsed file. */
struct tokenizer_settings {
    const char *bos, *eos; /* NULL: not said */
    size_t bos_length, eos_length;
    bool has_add_bos, add_bos;
};

struct tokenizer_facts {
    size_t size;
    int32_t bos, eos;
    bool adds_bos;
};

struct spm;
int spm_new(struct spm **out, const void *bytes, size_t n, struct tokenizer_facts *facts,
            struct error *e);
void spm_free(struct spm *m);
int spm_encode(const struct spm *m, const char *text, size_t n, struct token_ids *out,
               struct error *e);
int spm_decode(const struct spm *m, const int32_t *ids, size_t n, struct buffer *text,
               struct error *e);

void spm_style(const struct spm *m, struct tokenizer_style *out);
bool spm_piece(const struct spm *m, size_t id, struct tokenizer_piece *out);

struct hf;
int hf_new(struct hf **out, const void *bytes, size_t n, const struct tokenizer_settings *settings,
           struct tokenizer_facts *facts, struct error *e);
void hf_free(struct hf *m);
int hf_encode(const struct hf *m, const char *text, size_t n, struct token_ids *out,
              struct error *e);
int hf_decode(const struct hf *m, const int32_t *ids, size_t n, struct buffer *text,
              struct error *e);

#endif
