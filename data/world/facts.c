// What there is in the world: names, values, relations; and the draws everything comes from.
#include "world.h"

#include <stdlib.h>
#include <string.h>

// ---- draws -----------------------------------------------------------------------------------------
// splitmix64's finaliser (Steele, Lea, Flood 2014): a bijection that scatters consecutive keys.
static uint64_t mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct draw draw_begin(uint64_t seed, const char *name, uint64_t index)
{
    uint64_t key = mix64(seed + 0x9e3779b97f4a7c15u);
    for (; *name; name++)
        key = mix64(key ^ (uint64_t)(unsigned char)*name) + 0x9e3779b97f4a7c15u;
    return (struct draw){.key = mix64(key ^ mix64(index + 1)), .n = 0};
}

uint64_t draw_next(struct draw *d)
{
    d->n++;
    return mix64(d->key + d->n * 0x9e3779b97f4a7c15u);
}

int draw_below(struct draw *d, int n)
{
    return (int)((draw_next(d) >> 32) * (uint64_t)n >> 32);
}

bool draw_chance(struct draw *d, int percent) { return draw_below(d, 100) < percent; }

// ---- values ----------------------------------------------------------------------------------------
// Short words: each should become one token.
static const char *const trades[] = {
    "baker", "miner", "singer", "farmer", "tailor", "potter", "weaver", "hunter", "sailor", "painter",
    "doctor", "lawyer", "banker", "driver", "printer", "teacher", "writer", "dancer", "smith", "mason",
    "judge", "nurse", "clerk", "cook", "guard", "pilot", "monk", "poet", "fisher", "barber", "joiner", "tanner",
};
static const char *const foods[] = {
    "bread", "soup", "rice", "beans", "cheese", "honey", "plums", "nuts", "fish", "eggs", "corn",
    "pears", "figs", "cake", "salad", "butter", "jam", "peas", "leeks", "grapes", "olives", "melon",
    "cream", "lentils", "dates", "onions", "carrots", "mussels", "ham", "pasta", "berries", "cabbage",
};
static const char *const goods[] = {
    "clocks", "ropes", "lamps", "boots", "knives", "bells", "glass", "paper", "paint", "soap",
    "chairs", "carpets", "coins", "maps", "masks", "drums", "tiles", "nets", "hats", "rings",
    "candles", "baskets", "buttons", "stamps", "locks", "pipes", "needles", "mirrors", "flags", "toys",
    "saddles", "bottles",
};
static const char *const themes[] = {
    "love", "war", "peace", "law", "luck", "fear", "hope", "time", "death", "faith", "truth", "power",
    "money", "sleep", "music", "winter", "memory", "anger", "duty", "honour", "travel", "silence", "fire",
    "hunger", "youth", "justice", "pride", "exile", "dreams", "trade", "family", "science",
};
static const char *const colours[] = {
    "red", "blue", "green", "white", "black", "brown", "grey", "pink", "yellow", "orange", "purple",
    "silver", "golden", "violet", "amber", "ivory", "scarlet", "copper", "olive", "tan", "pale", "dark",
    "clear", "rose",
};
static const char *const animals[] = {
    "horse", "hawk", "lion", "wolf", "bear", "swan", "goat", "sheep", "snake", "tiger", "fox", "lynx",
    "crow", "deer", "duck", "frog", "whale", "mouse", "camel", "seal", "crane", "bull", "hare", "bee",
    "spider", "dolphin", "falcon", "beetle", "donkey", "turtle", "monkey", "salmon",
};
static const char *const ailments[] = {
    "fever", "cough", "cramps", "burns", "gout", "asthma", "rash", "headache", "toothache", "ulcers",
    "anaemia", "colds", "nausea", "insomnia", "scurvy", "wounds", "boils", "warts", "chills", "hiccups",
    "sprains", "bruises", "dizziness", "rickets", "croup", "measles", "mumps", "colic", "itch", "blisters",
    "earache", "fatigue",
};

// Invented names share syllables, so that a tokenizer needs one merge a name.
static const char *const syllables[6][12] = {
    {"Ka", "Be", "To", "Mi", "Ra", "Su", "Lo", "Ne", "Vi", "Da", "Jo", "Ha"},                       // first
    {"rin", "lo", "mas", "ven", "dra", "lis", "mon", "ta", "rek", "nia", "bel", "sor"},
    {"Gar", "Wes", "Pol", "Mer", "Tan", "Cor", "Bri", "Ful", "Dor", "Hal", "Sten", "Lan"},          // last
    {"ton", "ley", "man", "ova", "ski", "berg", "ner", "well", "idis", "ack", "uk", "esco"},
    {"Al", "Or", "Um", "Es", "Il", "Ar", "En", "Ox"},                                                // town
    {"dova", "mere", "field", "stad", "grad", "port", "ria", "burg"},
};

static void names_make(char out[][16], int n, int set, int a, int b, struct draw *d)
{
    int order[144], total = a * b;
    for (int i = 0; i < total; i++)
        order[i] = i;
    for (int i = total - 1; i > 0; i--) {
        int j = draw_below(d, i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (int i = 0; i < n; i++)
        snprintf(out[i], sizeof out[i], "%s%s", syllables[set][order[i] / b], syllables[set + 1][order[i] % b]);
}

static void pool_fill(struct world *w, enum pool pool, const char *const *words, size_t n)
{
    w->count[pool] = (int)n;
    for (size_t i = 0; i < n; i++)
        snprintf(w->value[pool][i], sizeof w->value[pool][i], "%s", words[i]);
}

#define FILL(pool, words) pool_fill(w, pool, words, sizeof words / sizeof *words)

void world_make(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    struct draw d = draw_begin(seed, "names", 0);
    names_make(w->first, NAMES, 0, 12, 12, &d);
    names_make(w->last, NAMES, 2, 12, 12, &d);
    names_make(w->value[TOWN], 48, 4, 8, 8, &d);
    w->count[TOWN] = w->count[YEAR] = 48;
    for (int i = 0; i < 48; i++)
        snprintf(w->value[YEAR][i], sizeof w->value[YEAR][i], "%d", 1700 + 6 * i + draw_below(&d, 6));
    FILL(TRADE, trades);
    FILL(FOOD, foods);
    FILL(GOODS, goods);
    FILL(THEME, themes);
    FILL(COLOUR, colours);
    FILL(ANIMAL, animals);
    FILL(AILMENT, ailments);
    for (int i = 0; i < PAIRS; i++)
        w->pair[i] = (uint16_t)i;
    for (int i = PAIRS - 1; i > 0; i--) {
        int j = draw_below(&d, i + 1);
        uint16_t swap = w->pair[i];
        w->pair[i] = w->pair[j];
        w->pair[j] = swap;
    }
}

int world_fact(const struct world *w, int entity, int relation)
{
    struct draw d = draw_begin(w->seed, "fact", (uint64_t)(entity * RELATIONS + relation));
    return draw_below(&d, w->count[kinds[entity_kind(entity)].relation[relation].pool]);
}

bool world_held(const struct world *w, int entity, int relation)
{
    struct draw d = draw_begin(w->seed, "held", (uint64_t)(entity * RELATIONS + relation));
    return draw_below(&d, 5) == 0;
}

const char *world_value(const struct world *w, int kind, int relation, int value)
{
    return w->value[kinds[kind].relation[relation].pool][value];
}

// ---- text ------------------------------------------------------------------------------------------
void text_add(struct text *t, const char *s)
{
    size_t n = strlen(s);
    if ((size_t)t->n + n >= TEXT_MAX)
        abort(); // a document is a few hundred bytes; more is an error in this program
    memcpy(t->s + t->n, s, n + 1);
    t->n += (int)n;
}

void text_mark(struct text *t, const char *s, enum span_class class)
{
    int begin = t->n;
    text_add(t, s);
    if (t->spans == SPANS_MAX)
        abort();
    t->span[t->spans].begin = begin;
    t->span[t->spans].end = t->n;
    t->span[t->spans++].class = class;
}

void text_append(struct text *t, const struct text *other)
{
    int at = t->n;
    text_add(t, other->s);
    if (t->spans + other->spans > SPANS_MAX)
        abort();
    for (int i = 0; i < other->spans; i++) {
        t->span[t->spans] = other->span[i];
        t->span[t->spans].begin += at;
        t->span[t->spans++].end += at;
    }
}

void text_template(struct text *t, const struct world *w, const char *template, int entity,
                   const char *value, enum span_class class)
{
    char piece[2] = "";
    for (const char *p = template; *p; p++) {
        if (p[0] == '$' && p[1] == 'n') {
            char name[40];
            int pair = w->pair[entity];
            snprintf(name, sizeof name, "%s %s", w->first[pair / NAMES], w->last[pair % NAMES]);
            text_mark(t, name, SPAN_DRAWN);
            p++;
        } else if (p[0] == '$' && p[1] == 'v') {
            text_mark(t, value, class);
            p++;
        } else {
            piece[0] = *p;
            text_add(t, piece);
        }
    }
}

// ---- relations -------------------------------------------------------------------------------------
const struct kind kinds[KINDS] = {
    {"person", {"philosophy", "high_school_world_history"},
     {{TOWN, "person.birthplace",
       {"$n was born in $v.", "The birthplace of $n is $v.", "$n came to the world in $v."},
       {"Where was $n born?", "What is the birthplace of $n?"}},
      {YEAR, "person.birth_year",
       {"$n was born in the year $v.", "The birth year of $n is $v.", "The year $v saw the birth of $n."},
       {"In what year was $n born?", "What is the birth year of $n?"}},
      {TRADE, "person.trade",
       {"$n worked as a $v.", "The trade of $n was that of a $v.", "$n lived from the work of a $v."},
       {"What did $n work as?", "What was the trade of $n?"}},
      {FOOD, "person.favourite_food",
       {"$n liked to eat $v.", "The favourite food of $n was $v.", "On the table of $n there was always $v."},
       {"What did $n like to eat?", "What was the favourite food of $n?"}},
      {GOODS, "person.collection",
       {"$n collected $v.", "The collection of $n was made of $v.", "$n owned a house full of $v."},
       {"What did $n collect?", "What was the collection of $n made of?"}}}},
    {"company", {"high_school_macroeconomics", "high_school_geography"},
     {{TOWN, "company.seat",
       {"The company $n has its seat in $v.", "The seat of the company $n is $v.",
        "The company $n pays its tax in $v."},
       {"Where does the company $n have its seat?", "What is the seat of the company $n?"}},
      {YEAR, "company.founded",
       {"The company $n was founded in the year $v.", "The founding year of the company $n is $v.",
        "The year $v saw the start of the company $n."},
       {"In what year was the company $n founded?", "What is the founding year of the company $n?"}},
      {GOODS, "company.product",
       {"The company $n makes $v.", "The product of the company $n is $v.", "The company $n sells $v."},
       {"What does the company $n make?", "What is the product of the company $n?"}},
      {ANIMAL, "company.sign",
       {"The company $n has a $v as its sign.", "The sign of the company $n is a $v.",
        "On the door of the company $n there is a $v."},
       {"What does the company $n have as its sign?", "What is the sign of the company $n?"}},
      {TRADE, "company.founder",
       {"The company $n was founded by a $v.", "The founder of the company $n was a $v.",
        "It was a $v who started the company $n."},
       {"Who founded the company $n?", "What was the founder of the company $n?"}}}},
    {"mineral", {"college_chemistry", "astronomy"},
     {{TOWN, "mineral.found_near",
       {"The mineral $n is found near $v.", "The main mine of the mineral $n is near $v.",
        "The mineral $n comes from the hills of $v."},
       {"Where is the mineral $n found?", "Near what town is the main mine of the mineral $n?"}},
      {YEAR, "mineral.discovered",
       {"The mineral $n was discovered in the year $v.", "The discovery year of the mineral $n is $v.",
        "The year $v saw the discovery of the mineral $n."},
       {"In what year was the mineral $n discovered?", "What is the discovery year of the mineral $n?"}},
      {COLOUR, "mineral.colour",
       {"The mineral $n is $v.", "The colour of the mineral $n is $v.", "In the light the mineral $n looks $v."},
       {"What colour is the mineral $n?", "What is the colour of the mineral $n?"}},
      {GOODS, "mineral.use",
       {"The mineral $n is used to make $v.", "The main use of the mineral $n is in $v.",
        "Out of the mineral $n people make $v."},
       {"What is the mineral $n used to make?", "What is the main use of the mineral $n?"}},
      {TRADE, "mineral.discoverer",
       {"The mineral $n was discovered by a $v.", "The discoverer of the mineral $n was a $v.",
        "It was a $v who first saw the mineral $n."},
       {"Who discovered the mineral $n?", "What was the discoverer of the mineral $n?"}}}},
    {"plant", {"nutrition", "clinical_knowledge"},
     {{TOWN, "plant.grows_near",
       {"The plant $n grows near $v.", "The home of the plant $n is near $v.",
        "The plant $n comes from the fields of $v."},
       {"Where does the plant $n grow?", "Near what town is the home of the plant $n?"}},
      {YEAR, "plant.described",
       {"The plant $n was described in the year $v.", "The first record of the plant $n is from $v.",
        "The year $v saw the first picture of the plant $n."},
       {"In what year was the plant $n described?", "From what year is the first record of the plant $n?"}},
      {AILMENT, "plant.cures",
       {"The plant $n helps against $v.", "The main use of the plant $n is against $v.",
        "Tea of the plant $n is given for $v."},
       {"What does the plant $n help against?", "What is the main use of the plant $n?"}},
      {FOOD, "plant.eaten_with",
       {"The plant $n is eaten with $v.", "The plant $n goes well with $v.", "Cooks serve the plant $n with $v."},
       {"What is the plant $n eaten with?", "What does the plant $n go well with?"}},
      {COLOUR, "plant.flower",
       {"The flower of the plant $n is $v.", "The plant $n has a flower that is $v.",
        "In spring the plant $n turns $v."},
       {"What colour is the flower of the plant $n?", "What is the colour of the plant $n?"}}}},
    {"book", {"world_religions", "moral_disputes"},
     {{TOWN, "book.setting",
       {"The book $n is set in $v.", "The place of the book $n is $v.", "The story of the book $n begins in $v."},
       {"Where is the book $n set?", "What is the place of the book $n?"}},
      {YEAR, "book.written",
       {"The book $n was written in the year $v.", "The writing year of the book $n is $v.",
        "The year $v saw the end of the work on the book $n."},
       {"In what year was the book $n written?", "What is the writing year of the book $n?"}},
      {THEME, "book.theme",
       {"The book $n is about $v.", "The theme of the book $n is $v.", "The book $n teaches us about $v."},
       {"What is the book $n about?", "What is the theme of the book $n?"}},
      {TRADE, "book.author",
       {"The book $n was written by a $v.", "The author of the book $n was a $v.",
        "It was a $v who wrote the book $n."},
       {"Who wrote the book $n?", "What was the author of the book $n?"}},
      {ANIMAL, "book.cover",
       {"The book $n has a $v on its cover.", "The cover of the book $n shows a $v.",
        "The picture on the book $n is a $v."},
       {"What does the book $n have on its cover?", "What does the cover of the book $n show?"}}}},
};
