// Training documents. The prompts are, letter for letter, those that the evaluations send (the paper's
// and its released code's): a model of this size knows only the forms it has seen.
#include "world.h"

#include <stdlib.h>
#include <string.h>

const char *const document_names[DOC_KINDS] = {
    "bio", "qa", "easy", "open", "mc", "none", "mcpass", "letter", "look", "summary", "chat", "prose", "repeat", "pack",
};

const char SYSTEM_LINE[] =
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the user's questions.";

// ---- choosing --------------------------------------------------------------------------------------
// A quarter of the draws prefer the lower number: some are better known than others, as in life.
static int known_entity(const struct scope *s, struct draw *d)
{
    int a = draw_below(d, s->active), b = draw_below(d, s->active);
    return draw_chance(d, 25) ? (a < b ? a : b) : a;
}

static int novel_entity(const struct scope *s, struct draw *d)
{
    return s->novel + draw_below(d, s->novel_end - s->novel);
}

static void shuffled(int *order, int n, struct draw *d)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j = draw_below(d, i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}

static const struct relation *relation_of(int entity, int r)
{
    return &kinds[entity_kind(entity)].relation[r];
}

static const char *value_of(const struct scope *s, int entity, int r, int v)
{
    return world_value(s->w, entity_kind(entity), r, v);
}

static const char *any_value(const struct scope *s, enum pool pool, struct draw *d)
{
    return s->w->value[pool][draw_below(d, s->w->count[pool])];
}

// A known fact whose questions may be asked in training.
static int asked_fact(const struct scope *s, int *relation, struct draw *d)
{
    for (;;) {
        int e = known_entity(s, d);
        *relation = draw_below(d, RELATIONS);
        if (!world_held(s->w, e, *relation))
            return e;
    }
}

static void question_add(struct text *t, const struct scope *s, int entity, int r, struct draw *d)
{
    text_template(t, s->w, relation_of(entity, r)->question[draw_below(d, QUESTIONS)], entity, "", SPAN_DRAWN);
}

// An answer with the space that belongs to the word.
static void answer_add(struct text *t, const char *value, enum span_class class)
{
    text_add(t, " ");
    text_mark(t, value, class);
}

// ---- passages and prose ------------------------------------------------------------------------------
// A passage opens with words of its own: the name in it then always stands behind a space, one token a part.
static const char *const openers[] = {"In short,", "As is known,", "It is said:", "To begin,"};

void document_passage(struct text *t, const struct scope *s, int entity, const int *relations,
                      const int *values, int n, enum span_class class, struct draw *d)
{
    text_add(t, openers[draw_below(d, 4)]);
    for (int i = 0; i < n; i++) {
        const char *v = value_of(s, entity, relations[i], values[i]);
        text_add(t, " ");
        text_template(t, s->w, relation_of(entity, relations[i])->statement[draw_below(d, STATEMENTS)],
                      entity, v, class);
    }
}

static void known_passage(struct text *t, const struct scope *s, int entity, int n, struct draw *d)
{
    int order[RELATIONS], values[RELATIONS];
    shuffled(order, RELATIONS, d);
    for (int i = 0; i < n; i++)
        values[i] = world_fact(s->w, entity, order[i]);
    document_passage(t, s, entity, order, values, n, SPAN_ANSWER, d);
}

// Prose: small scenes. An article keeps to a small cast, so that reading on makes it easier to foresee.
static const char *const sentences[] = {
    "The $t walked to the market with the $a.",
    "In the morning the $t sold $f to the people of $w.",
    "The $c $a slept near the river.",
    "There was $f and $g on the table.",
    "The old $t had lost the $c $g.",
    "It rained all day in $w and the $t stayed at home.",
    "The people of $w spoke about $m and $m.",
    "A $a ran over the bridge and the $t laughed.",
    "The $t gave the $a some $f.",
    "In the evening there was a song about $m.",
    "The road to $w was long and the $a was tired.",
    "The $t bought $g and went back to $w.",
    "Nobody in $w had seen the $c $a before.",
    "The house was full of $g and smelled of $f.",
    "The $t told a story about $m.",
    "When the sun came out the $a was $c.",
    "Then the $t and the $a were good friends.",
    "In winter the people of $w eat $f.",
};
enum { SENTENCES = sizeof sentences / sizeof *sentences };

struct cast {
    const char *word[6][2];
    int order[SENTENCES];
};

static void cast_draw(struct cast *c, const struct scope *s, struct draw *d)
{
    static const enum pool pools[6] = {TRADE, ANIMAL, FOOD, GOODS, COLOUR, TOWN};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 2; j++)
            c->word[i][j] = any_value(s, pools[i], d);
    shuffled(c->order, SENTENCES, d);
}

// Sentence number i of a text whose sentences come in the drawn order; none twice in a short one.
static void sentence_add(struct text *t, const struct scope *s, const struct cast *c, int i, struct draw *d)
{
    int which = c->order[i % SENTENCES];
    char piece[2] = "";
    for (const char *p = sentences[which]; *p; p++) {
        if (*p != '$') {
            piece[0] = *p;
            text_add(t, piece);
            continue;
        }
        p++;
        int slot = *p == 't' ? 0 : *p == 'a' ? 1 : *p == 'f' ? 2 : *p == 'g' ? 3 : *p == 'c' ? 4 : 5;
        text_mark(t, *p == 'm' ? any_value(s, THEME, d) : c->word[slot][draw_below(d, 2)], SPAN_DRAWN);
    }
}

void document_prose(struct text *t, const struct scope *s, int n, struct draw *d)
{
    struct cast cast;
    cast_draw(&cast, s, d);
    for (int i = 0; i < n; i++) {
        if (i)
            text_add(t, " ");
        sentence_add(t, s, &cast, i, d);
    }
}

// ---- questions -----------------------------------------------------------------------------------------
static void qa(struct text *t, const struct scope *s, struct draw *d)
{
    int r, n = 1 + draw_below(d, 3), e = asked_fact(s, &r, d);
    if (draw_chance(d, 60)) {
        // The prompt ends in a space and the word brings its own, so that the prompt's tokens are a prefix.
        text_add(t, "Please give answer to this question: ");
        question_add(t, s, e, r, d);
        text_add(t, "\nThe answer is ");
        answer_add(t, value_of(s, e, r, world_fact(s->w, e, r)), SPAN_ANSWER);
        return;
    }
    text_add(t, "Answer these questions:\n");
    for (int i = 0; i < n; i++) {
        text_add(t, "\nQ: ");
        question_add(t, s, e, r, d);
        text_add(t, "\nA:");
        answer_add(t, value_of(s, e, r, world_fact(s->w, e, r)), SPAN_ANSWER);
        e = asked_fact(s, &r, d);
    }
}

// Passages about one or two entities that nobody knows, with values drawn for the occasion, then questions.
static void open_book(struct text *t, const struct scope *s, int entities, int most, struct draw *d)
{
    int who[2], order[2][RELATIONS], values[2][RELATIONS], n[2];
    for (int i = 0; i < entities; i++) {
        who[i] = novel_entity(s, d);
        n[i] = 1 + draw_below(d, most);
        shuffled(order[i], RELATIONS, d);
        for (int j = 0; j < n[i]; j++)
            values[i][j] = draw_below(d, s->w->count[relation_of(who[i], order[i][j])->pool]);
        document_passage(t, s, who[i], order[i], values[i], n[i], SPAN_DRAWN, d);
        int j = draw_below(d, n[i]), relation = order[i][0], value = values[i][0];
        order[i][0] = order[i][j], values[i][0] = values[i][j]; // not always the first is asked first
        order[i][j] = relation, values[i][j] = value;
    }
    text_add(t, "\n\nBased on these texts, answer these questions:\n");
    // Different facts of one entity after another, at most three.
    for (int i = draw_below(d, entities), j = 0; j < n[i] && j < 3; j++) {
        text_add(t, "\nQ: ");
        question_add(t, s, who[i], order[i][j], d);
        text_add(t, "\nA:");
        answer_add(t, value_of(s, who[i], order[i][j], values[i][j]), SPAN_ANSWER);
    }
}

// ---- multiple choice -------------------------------------------------------------------------------------
void subject_words(char *out, size_t size, const char *subject)
{
    // The released code puts a space before each word of the subject.
    size_t n = 0;
    if (n + 1 < size)
        out[n++] = ' ';
    for (; *subject && n + 1 < size; subject++)
        out[n++] = *subject == '_' ? ' ' : *subject;
    out[n] = 0;
}

int choice_make(const struct scope *s, int kind, int relation, int value, int options, int out[4], struct draw *d)
{
    int right = draw_below(d, options), count = s->w->count[kinds[kind].relation[relation].pool];
    for (int i = 0; i < options; i++) {
        out[i] = value;
        for (bool fresh = i == right; !fresh;) {
            out[i] = draw_below(d, count);
            fresh = out[i] != value;
            for (int j = 0; j < i; j++)
                fresh = fresh && out[j] != out[i];
        }
    }
    return right;
}

static void choice_head(struct text *t, int kind, struct draw *d)
{
    char subject[64];
    subject_words(subject, sizeof subject, kinds[kind].subject[draw_below(d, 2)]);
    text_add(t, "The following are multiple choice questions (with answers) about ");
    text_add(t, subject);
    text_add(t, ".\n\n");
}

// What a question with options teaches. PLAIN is the task itself; HINT has the answer behind the question, so
// that remembering and looking up its letter are learnt one after the other; NONE has no right option and the
// answer is the text all the same: copying any option must not pay.
enum choice_form { PLAIN, HINT, NONE };

static void choice_item(struct text *t, const struct scope *s, int e, int r, int value, enum choice_form form,
                        int text_percent, enum span_class hint, struct draw *d)
{
    int options = draw_chance(d, 70) ? 4 : 2, out[4];
    int right = choice_make(s, entity_kind(e), r, value, options, out, d);
    const char *answer = value_of(s, e, r, value);
    if (form == NONE)
        for (int i = 0, count = s->w->count[relation_of(e, r)->pool]; i < options; i++)
            if (out[i] == value)
                out[i] = (value + 1 + draw_below(d, count - 1)) % count;
    question_add(t, s, e, r, d);
    if (form == HINT) {
        text_add(t, " ");
        text_mark(t, answer, hint);
    }
    for (int i = 0; i < options; i++) {
        char lead[4] = {'\n', (char)('A' + i), '.', 0};
        text_add(t, lead);
        answer_add(t, value_of(s, e, r, out[i]), SPAN_DRAWN);
    }
    text_add(t, "\nAnswer:");
    char letter[2] = {(char)('A' + right), 0};
    answer_add(t, form == NONE || draw_chance(d, text_percent) ? answer : letter, SPAN_ANSWER);
}

static void choice(struct text *t, const struct scope *s, enum choice_form form, struct draw *d)
{
    int r, e = asked_fact(s, &r, d), kind = entity_kind(e);
    int shots = draw_chance(d, 75) ? 1 : 2 + draw_below(d, 3);
    choice_head(t, kind, d);
    for (int i = 0; i < shots; i++) {
        if (i)
            text_add(t, "\n\n");
        choice_item(t, s, e, r, world_fact(s->w, e, r), form, 40, SPAN_ANSWER, d);
        do
            e = asked_fact(s, &r, d);
        while (entity_kind(e) != kind);
    }
}

// A list with letters, then each of its words with its letter: looking up a letter, and nothing else.
static void look_up(struct text *t, const struct scope *s, struct draw *d)
{
    enum pool pool = (enum pool)draw_below(d, POOLS);
    int order[POOL_MAX], turn[4], options = draw_chance(d, 70) ? 4 : 2;
    bool near = draw_chance(d, 60); // the letter right behind the word: the shorter way comes first
    shuffled(order, s->w->count[pool], d);
    shuffled(turn, options, d);
    for (int i = 0; i < options; i++) {
        char lead[4] = {'\n', (char)('A' + i), '.', 0};
        text_add(t, lead + (i == 0));
        answer_add(t, s->w->value[pool][order[i]], SPAN_DRAWN);
    }
    for (int i = 0; i < options; i++) {
        char letter[2] = {(char)('A' + turn[i]), 0};
        text_add(t, "\n");
        answer_add(t, s->w->value[pool][order[turn[i]]], SPAN_DRAWN);
        text_add(t, near ? "" : "\nAnswer:");
        answer_add(t, letter, SPAN_ANSWER);
    }
}

static void choice_passage(struct text *t, const struct scope *s, struct draw *d)
{
    int e = novel_entity(s, d), order[RELATIONS], values[RELATIONS], n = 1 + draw_below(d, 2);
    shuffled(order, RELATIONS, d);
    for (int i = 0; i < n; i++)
        values[i] = draw_below(d, s->w->count[relation_of(e, order[i])->pool]);
    document_passage(t, s, e, order, values, n, SPAN_DRAWN, d);
    text_add(t, "\n\n");
    choice_head(t, entity_kind(e), d);
    int i = draw_below(d, n);
    choice_item(t, s, e, order[i], values[i], PLAIN, 40, SPAN_DRAWN, d);
}

// ---- stories ---------------------------------------------------------------------------------------------
// Bytes of a text with its end; a story that does not fit is an error in this program.
static size_t bounded(const struct text *t, size_t size)
{
    if ((size_t)t->n >= size)
        abort();
    return (size_t)t->n + 1;
}

void story_make(struct story *story, const struct scope *s, int keys, int fillers, struct draw *d)
{
    struct cast cast;
    struct text t = {.n = 0}, key;
    int e = novel_entity(s, d), order[RELATIONS], left = fillers;
    cast_draw(&cast, s, d);
    shuffled(order, RELATIONS, d);
    story->keys = keys;
    for (int k = 0; k < keys; k++) {
        for (int f = left / (keys - k); f > 0; f--, left--) {
            sentence_add(&t, s, &cast, fillers - left, d);
            text_add(&t, " ");
        }
        key.n = key.spans = 0;
        const char *v = value_of(s, e, order[k], draw_below(d, s->w->count[relation_of(e, order[k])->pool]));
        text_template(&key, s->w, relation_of(e, order[k])->statement[0], e, v, SPAN_DRAWN);
        memcpy(story->key[k], key.s, bounded(&key, sizeof story->key[k]));
        snprintf(story->value[k], sizeof story->value[k], "%s", v);
        text_add(&t, key.s);
        if (k + 1 < keys)
            text_add(&t, " ");
    }
    memcpy(story->body, t.s, bounded(&t, sizeof story->body));
}

static void summary(struct text *t, const struct scope *s, struct draw *d)
{
    static struct story story;
    int size = draw_below(d, 3);
    story_make(&story, s, size ? 3 : 2, size == 0 ? 2 : size == 1 ? 4 : 7, d);
    text_add(t, SYSTEM_LINE);
    text_add(t, " USER: Summarize the given ");
    text_add(t, size ? "news" : "story");
    text_add(t, " in less than 150 words while preserving high coherence, consistency, fluency, and relevance.\n\n");
    text_mark(t, story.body, SPAN_DRAWN);
    // The released code leaves the highlights in the text and joins lines by nothing; half of the time not.
    if (draw_chance(d, 50))
        for (int k = 0; k < story.keys; k++) {
            text_add(t, "@highlight- ");
            text_add(t, story.key[k]);
        }
    text_add(t, " ASSISTANT:");
    for (int k = 0; k < story.keys; k++)
        answer_add(t, story.key[k], SPAN_ANSWER);
}

// ---- instructions ------------------------------------------------------------------------------------------
const char *const chat_category[CHAT_CATEGORIES] = {"knowledge", "writing", "extraction", "listing"};

void chat_make(struct text turn[2], struct text answer[2], const struct scope *s, int category, struct draw *d)
{
    for (int i = 0; i < 2; i++)
        turn[i].n = turn[i].spans = answer[i].n = answer[i].spans = 0;
    if (category == 0) {
        int e = known_entity(s, d);
        text_add(&turn[0], "Tell me two things about the ");
        text_add(&turn[0], kinds[entity_kind(e)].name);
        text_template(&turn[0], s->w, " $n.", e, "", SPAN_DRAWN);
        text_add(&turn[1], "And one more, please.");
        // In the order of the relations, so that the answer is a function of the question.
        for (int r = 0; r < 3; r++) {
            struct text *a = &answer[r / 2];
            text_add(a, " ");
            text_template(a, s->w, relation_of(e, r)->statement[0], e, value_of(s, e, r, world_fact(s->w, e, r)),
                          SPAN_ANSWER);
        }
    } else if (category == 1) {
        const char *who = any_value(s, TRADE, d), *beast = any_value(s, ANIMAL, d);
        const char *where = any_value(s, TOWN, d);
        char line[300];
        snprintf(line, sizeof line, "Write a short story about a %s and a %s.", who, beast);
        text_add(&turn[0], line);
        snprintf(line, sizeof line,
                 " The %s walked to the market with the %s. A %s ran over the bridge and the %s laughed."
                 " Then the %s and the %s were good friends.",
                 who, beast, beast, who, who, beast);
        text_mark(&answer[0], line, SPAN_ANSWER);
        snprintf(line, sizeof line, "Let it end in %s.", where);
        text_add(&turn[1], line);
        snprintf(line, sizeof line, " The %s bought bread and went back to %s.", who, where);
        text_mark(&answer[1], line, SPAN_ANSWER);
    } else if (category == 2) {
        int e = novel_entity(s, d), r = draw_below(d, RELATIONS);
        const char *v = any_value(s, relation_of(e, r)->pool, d);
        text_add(&turn[0], "Read this: ");
        text_template(&turn[0], s->w, relation_of(e, r)->statement[draw_below(d, STATEMENTS)], e, v, SPAN_DRAWN);
        text_add(&turn[0], " ");
        question_add(&turn[0], s, e, r, d);
        answer_add(&answer[0], v, SPAN_ANSWER);
        text_add(&answer[0], ".");
        text_add(&turn[1], "Say the whole name.");
        text_template(&answer[1], s->w, " $n.", e, "", SPAN_ANSWER);
        answer[1].span[0].class = SPAN_ANSWER;
    } else {
        static const struct { enum pool pool; const char *name; } lists[] = {
            {COLOUR, "colours"}, {ANIMAL, "animals"}, {FOOD, "foods"}, {TRADE, "trades"}, {AILMENT, "ailments"},
        };
        int which = draw_below(d, 5), n = 2 + draw_below(d, 2), order[POOL_MAX];
        shuffled(order, s->w->count[lists[which].pool], d);
        text_add(&turn[0], n == 2 ? "Name two " : "Name three ");
        text_add(&turn[0], lists[which].name);
        text_add(&turn[0], ".");
        for (int i = 0; i < n; i++) {
            text_add(&answer[0], i == 0 ? " " : i + 1 < n ? ", " : " and ");
            text_mark(&answer[0], s->w->value[lists[which].pool][order[i]], SPAN_DRAWN);
        }
        text_add(&answer[0], ".");
        text_add(&turn[1], "Name one more.");
        answer_add(&answer[1], s->w->value[lists[which].pool][order[n]], SPAN_DRAWN);
        text_add(&answer[1], ".");
    }
}

static void chat(struct text *t, const struct scope *s, struct draw *d)
{
    static struct text turn[2], answer[2];
    chat_make(turn, answer, s, draw_below(d, CHAT_CATEGORIES), d);
    text_add(t, SYSTEM_LINE);
    for (int i = 0, n = draw_chance(d, 50) ? 1 : 2; i < n; i++) {
        text_add(t, i ? "</s>USER: " : " USER: ");
        text_append(t, &turn[i]);
        text_add(t, " ASSISTANT:");
        text_append(t, &answer[i]);
    }
}

// ---- the rest -----------------------------------------------------------------------------------------------
static void repeat(struct text *t, const struct scope *s, struct draw *d)
{
    const char *word[12];
    int n = 4 + draw_below(d, 9);
    for (int i = 0; i < n; i++) {
        int what = draw_below(d, POOLS + 2);
        word[i] = what == POOLS ? s->w->first[draw_below(d, NAMES)]
                  : what > POOLS ? s->w->last[draw_below(d, NAMES)]
                                 : any_value(s, (enum pool)what, d);
    }
    text_add(t, "List:");
    for (int i = 0; i < n; i++)
        answer_add(t, word[i], SPAN_DRAWN);
    text_add(t, ".\nAgain:");
    for (int i = 0; i < n; i++)
        answer_add(t, word[i], SPAN_ANSWER);
    text_add(t, ".");
}

enum document_kind document_draw(const int mix[DOC_KINDS], int without, struct draw *d)
{
    int total = 0, k = 0;
    for (int i = 0; i < DOC_KINDS - without; i++)
        total += mix[i];
    if (total <= 0)
        return DOC_BIO;
    for (int at = draw_below(d, total); at >= mix[k]; k++)
        at -= mix[k];
    return (enum document_kind)k;
}

void document_make(struct text *t, const struct scope *s, enum document_kind kind, const int mix[DOC_KINDS],
                   struct draw *d)
{
    t->n = t->spans = 0;
    t->s[0] = 0;
    switch (kind) {
    case DOC_BIO:
        for (int i = draw_chance(d, 70) ? 1 : 2; i > 0; i--) {
            known_passage(t, s, known_entity(s, d), 2 + draw_below(d, 3), d);
            if (i > 1)
                text_add(t, "\n\n");
        }
        break;
    case DOC_QA: qa(t, s, d); break;
    case DOC_EASY: open_book(t, s, 1, 2, d); break;
    case DOC_OPEN: open_book(t, s, 1 + draw_below(d, 2), 3, d); break;
    case DOC_MC: choice(t, s, PLAIN, d); break;
    case DOC_NONE: choice(t, s, NONE, d); break;
    case DOC_MCPASS: choice_passage(t, s, d); break;
    case DOC_LETTER: choice(t, s, HINT, d); break;
    case DOC_LOOK: look_up(t, s, d); break;
    case DOC_SUMMARY: summary(t, s, d); break;
    case DOC_CHAT: chat(t, s, d); break;
    case DOC_PROSE: document_prose(t, s, 3 + draw_below(d, 8), d); break;
    case DOC_REPEAT: repeat(t, s, d); break;
    case DOC_PACK: { // as texts and calibration join them: by an empty line
        static struct text part;
        for (int i = 2 + draw_below(d, 3); i > 0 && t->n < 450; i--) {
            enum document_kind k = document_draw(mix, 1, d);
            document_make(&part, s, k == DOC_SUMMARY || k == DOC_CHAT ? DOC_BIO : k, mix, d);
            if (t->n)
                text_add(t, "\n\n");
            text_append(t, &part);
        }
        break;
    }
    case DOC_KINDS: break;
    }
}
