// The invented world of the embedded models: who and what there is, and what is true of it. A pure
// function of a seed: every draw is a hash of (seed, name, index), all arithmetic is on integers, so
// the same bytes come out everywhere.
#ifndef KICK_WORLD_H
#define KICK_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    KINDS = 5,        // person, company, mineral, plant, book
    RELATIONS = 5,    // of each kind
    NAMES = 96,       // first parts, and as many second parts: an entity is a pair
    PAIRS = NAMES * NAMES,
    KNOWN = 2800,     // entities 0 … KNOWN-1 are told in training: 14,000 facts, which the tasks ask about
    NOVEL = 4096,     // from here on pairs serve passages with values drawn for the occasion …
    UNSEEN = 8704,    // … and from here on nothing of a pair is ever in a training document
    STATEMENTS = 3,
    QUESTIONS = 2,
    POOL_MAX = 48,
};

enum pool { TOWN, YEAR, TRADE, FOOD, GOODS, THEME, COLOUR, ANIMAL, AILMENT, POOLS };

struct relation {
    enum pool pool;
    const char *key;                     // as in FreebaseQA's InferentialChain
    const char *statement[STATEMENTS];   // $n the entity's name, $v the value
    const char *question[QUESTIONS];
};

struct kind {
    const char *name;          // "person"
    const char *subject[2];    // MMLU's own subjects: the discipline
    struct relation relation[RELATIONS];
};

extern const struct kind kinds[KINDS];

struct world {
    uint64_t seed;
    int count[POOLS];                  // values in each pool
    char value[POOLS][POOL_MAX][16];
    char first[NAMES][16], last[NAMES][16];
    uint16_t pair[PAIRS];              // entity -> first * NAMES + last, a permutation
};

// One sequence of draws. Two with different names or indices never share a number.
struct draw {
    uint64_t key, n;
};

void world_make(struct world *w, uint64_t seed);

struct draw draw_begin(uint64_t seed, const char *name, uint64_t index);
uint64_t draw_next(struct draw *d);
int draw_below(struct draw *d, int n);
bool draw_chance(struct draw *d, int percent);

static inline int entity_kind(int e) { return e % KINDS; }
// The true value (its index in the relation's pool) of an entity.
int world_fact(const struct world *w, int entity, int relation);
// True where no question about this fact is ever in a training document: one in five.
bool world_held(const struct world *w, int entity, int relation);
const char *world_value(const struct world *w, int kind, int relation, int value);

// ---- text with marked spans --------------------------------------------------------------------
// Classes tell the trainer how much a token counts: what can be known or read off counts most, what
// was drawn for the occasion cannot be foreseen and counts little.
enum span_class { SPAN_ANSWER = 1, SPAN_DRAWN = 2 };

enum { TEXT_MAX = 8192, SPANS_MAX = 400 };

struct text {
    char s[TEXT_MAX];
    int n;
    struct {
        int begin, end;
        enum span_class class;
    } span[SPANS_MAX];
    int spans;
};

void text_add(struct text *t, const char *s);
void text_mark(struct text *t, const char *s, enum span_class class);
void text_append(struct text *t, const struct text *other);
// Expands a template: $n -> the entity's name, $v -> value, marked as class.
void text_template(struct text *t, const struct world *w, const char *template, int entity,
                   const char *value, enum span_class class);

// ---- documents (documents.c) -------------------------------------------------------------------
enum document_kind {
    DOC_BIO, DOC_QA, DOC_EASY, DOC_OPEN, DOC_MC, DOC_NONE, DOC_MCPASS, DOC_LETTER, DOC_LOOK, DOC_SUMMARY, DOC_CHAT,
    DOC_PROSE, DOC_REPEAT, DOC_PACK, DOC_KINDS
};
extern const char *const document_names[DOC_KINDS];

// A story: sentences, of which some are key facts of unseen or novel entities.
struct story {
    char body[1400];
    char key[4][160];
    char value[4][16];
    int keys;
};

// What documents may speak about: known entities below `active`, novel ones from `novel` on.
struct scope {
    const struct world *w;
    int active;
    int novel, novel_end;
};

void document_make(struct text *t, const struct scope *s, enum document_kind kind, const int mix[DOC_KINDS],
                   struct draw *d);
// A kind drawn by the weights of mix; the last `without` kinds left out.
enum document_kind document_draw(const int mix[DOC_KINDS], int without, struct draw *d);
void document_passage(struct text *t, const struct scope *s, int entity, const int *relations,
                      const int *values, int n, enum span_class class, struct draw *d);
void document_prose(struct text *t, const struct scope *s, int sentences, struct draw *d);
void story_make(struct story *story, const struct scope *s, int keys, int fillers, struct draw *d);
// Options of the same pool, all different; returns the place (0–3) of the right one.
int choice_make(const struct scope *s, int kind, int relation, int value, int options, int out[4], struct draw *d);
// Two turns of a conversation of one of the categories.
enum { CHAT_CATEGORIES = 4 };
extern const char *const chat_category[CHAT_CATEGORIES];
void chat_make(struct text turn[2], struct text answer[2], const struct scope *s, int category, struct draw *d);

extern const char SYSTEM_LINE[];
void subject_words(char *out, size_t size, const char *subject);

// ---- data sets in their published formats (tasks.c) ---------------------------------------------
// Writes everything under directory; returns 0, or -1 with a message on stderr.
int tasks_write(const struct world *w, const char *directory, const int mix[DOC_KINDS]);

#endif
