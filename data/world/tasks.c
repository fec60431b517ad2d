// The data sets of the evaluations, in the file formats in which the real ones are published, and the
// texts for perplexity and calibration.
#include "world.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FACTOID = 600,      // facts whose questions are trained, and as many that were held back
    CHOICE_TEST = 60,   // rows a subject
    CHOICE_SHOTS = 5,
    OPEN_UNSEEN = 500,  // questions about entities that no training document names
    OPEN_KNOWN = 500,   // in turns with those
    STORIES = 100,      // of each length
    CHATS = 80,
    TEXT_BYTES = 44000,
    CALIBRATION = 64,   // documents, each of at least
    CALIBRATION_BYTES = 1500,
};

static FILE *file_create(const char *directory, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    for (char *p = path + strlen(directory) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            fprintf(stderr, "world: %s: %s\n", path, strerror(errno));
        *p = '/';
    }
    FILE *f = fopen(path, "wb");
    if (!f)
        fprintf(stderr, "world: %s: %s\n", path, strerror(errno));
    return f;
}

static int file_close(FILE *f)
{
    int bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        fprintf(stderr, "world: writing failed\n");
        return -1;
    }
    return 0;
}

static void json_string(FILE *f, const char *s)
{
    putc('"', f);
    for (; *s; s++)
        if (*s == '\n')
            fputs("\\n", f);
        else {
            if (*s == '"' || *s == '\\')
                putc('\\', f);
            putc(*s, f);
        }
    putc('"', f);
}

static const char *question_of(struct text *t, const struct world *w, int e, int r, int which)
{
    t->n = t->spans = 0;
    text_template(t, w, kinds[entity_kind(e)].relation[r].question[which], e, "", SPAN_DRAWN);
    return t->s;
}

static const char *name_of(struct text *t, const struct world *w, int e)
{
    t->n = t->spans = 0;
    text_template(t, w, "$n", e, "", SPAN_DRAWN);
    return t->s;
}

static const char *fact_value(const struct world *w, int e, int r)
{
    return world_value(w, entity_kind(e), r, world_fact(w, e, r));
}

// ---- FreebaseQA ------------------------------------------------------------------------------------
// Asked and held facts take turns, so that the first n are a fair sample of both.
static int factoid_write(const struct world *w, const char *directory)
{
    static struct text t;
    FILE *f = file_create(directory, "freebaseqa/FreebaseQA-eval.json");
    if (!f)
        return -1;
    fprintf(f, "{\n  \"Dataset\": \"FreebaseQA-eval\",\n  \"Version\": \"world %llu\",\n  \"Questions\": [",
            (unsigned long long)w->seed);
    for (int i = 0; i < 2 * FACTOID; i++) {
        struct draw d = draw_begin(w->seed, "factoid", (uint64_t)i);
        bool held = i % 2 != 0;
        int e, r;
        do {
            e = draw_below(&d, KNOWN);
            r = draw_below(&d, RELATIONS);
        } while (world_held(w, e, r) != held);
        const char *tag = held ? "held" : "asked";
        const char *q = question_of(&t, w, e, r, draw_below(&d, QUESTIONS));
        fprintf(f, "%s\n    {\"Question-ID\": \"%s-%d\", \"RawQuestion\": ", i ? "," : "", tag, i / 2);
        json_string(f, q);
        fputs(", \"ProcessedQuestion\": ", f);
        size_t n = strlen(q);
        char processed[200];
        snprintf(processed, sizeof processed, "%.*s", (int)(n - 1), q);
        if (processed[0] >= 'A' && processed[0] <= 'Z')
            processed[0] = (char)(processed[0] - 'A' + 'a');
        json_string(f, processed);
        fprintf(f, ", \"Parses\": [{\"Parse-Id\": \"%s-%d.P0\", \"PotentialTopicEntityMention\": ", tag, i / 2);
        json_string(f, name_of(&t, w, e));
        fputs(", \"TopicEntityName\": ", f);
        json_string(f, t.s);
        fprintf(f, ", \"TopicEntityMid\": \"m.e%d\", \"InferentialChain\": \"%s\", \"Answers\": [{\"AnswersMid\": "
                   "\"m.v%d_%d\", \"AnswersName\": [",
                e, kinds[entity_kind(e)].relation[r].key, (int)kinds[entity_kind(e)].relation[r].pool,
                world_fact(w, e, r));
        json_string(f, fact_value(w, e, r));
        fputs("]}]}]}", f);
    }
    fputs("\n  ]\n}\n", f);
    return file_close(f);
}

// ---- MMLU --------------------------------------------------------------------------------------------
static void choice_row(FILE *f, const struct world *w, int kind, struct draw *d)
{
    static struct text t;
    const struct scope s = {.w = w, .active = KNOWN};
    int e = draw_below(d, KNOWN / KINDS) * KINDS + kind, r = draw_below(d, RELATIONS), out[4];
    int right = choice_make(&s, kind, r, world_fact(w, e, r), 4, out, d);
    fputs(question_of(&t, w, e, r, draw_below(d, QUESTIONS)), f);
    for (int i = 0; i < 4; i++)
        fprintf(f, ",%s", world_value(w, kind, r, out[i]));
    fprintf(f, ",%c\n", 'A' + right);
}

static int choice_write(const struct world *w, const char *directory)
{
    static const struct { const char *name; int rows; } splits[] = {
        {"dev", CHOICE_SHOTS}, {"val", CHOICE_SHOTS}, {"test", CHOICE_TEST}};
    for (int k = 0; k < 2 * KINDS; k++)
        for (int split = 0; split < 3; split++) {
            char name[256], stream[128];
            const char *subject = kinds[k / 2].subject[k % 2];
            snprintf(stream, sizeof stream, "mmlu/%s/%s", splits[split].name, subject);
            snprintf(name, sizeof name, "%s_%s.csv", stream, splits[split].name);
            FILE *f = file_create(directory, name);
            if (!f)
                return -1;
            for (int i = 0; i < splits[split].rows; i++) {
                struct draw d = draw_begin(w->seed, stream, (uint64_t)i);
                choice_row(f, w, k / 2, &d);
            }
            if (file_close(f) < 0)
                return -1;
        }
    return 0;
}

// ---- TriviaQA ----------------------------------------------------------------------------------------
static int evidence_write(const struct world *w, const char *directory, const char *name, int e, int asked, int n,
                          struct draw *d)
{
    static struct text t;
    const struct scope s = {.w = w, .active = KNOWN};
    int order[RELATIONS], values[RELATIONS], at = 0;
    for (int i = 0; i < RELATIONS; i++)
        order[i] = i;
    for (int i = RELATIONS - 1; i > 0; i--) {
        int j = draw_below(d, i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (int i = 0; asked >= 0 && i < RELATIONS; i++)
        if (order[i] == asked)
            at = i;
    if (asked >= 0 && at >= n) { // the asked fact must be among the first n
        int j = draw_below(d, n);
        order[at] = order[j];
        order[j] = asked;
    }
    for (int i = 0; i < n; i++)
        values[i] = world_fact(w, e, order[i]);
    t.n = t.spans = 0;
    document_passage(&t, &s, e, order, values, n, SPAN_DRAWN, d);
    FILE *f = file_create(directory, name);
    if (!f)
        return -1;
    fputs(t.s, f);
    return file_close(f);
}

static int retrieval_write(const struct world *w, const char *directory)
{
    static struct text t;
    FILE *f = file_create(directory, "triviaqa/qa/web-dev.json");
    if (!f)
        return -1;
    fputs("{\n  \"Data\": [", f);
    for (int i = 0; i < OPEN_UNSEEN + OPEN_KNOWN; i++) {
        struct draw d = draw_begin(w->seed, "triviaqa", (uint64_t)i);
        // Unseen and known entities take turns, so that the first n are a fair sample of both.
        bool unseen = i % 2 == 0;
        int e = unseen ? UNSEEN + draw_below(&d, PAIRS - UNSEEN) : draw_below(&d, KNOWN), r = draw_below(&d, RELATIONS);
        int other = UNSEEN + draw_below(&d, PAIRS - UNSEEN - 1);
        other += other >= e;
        char id[32], wiki[64], web[64], path[128], lower[32];
        snprintf(id, sizeof id, "%s_%d", unseen ? "unseen" : "known", i);
        snprintf(wiki, sizeof wiki, "%s.txt", id);
        snprintf(web, sizeof web, "%d/%s.txt", i / 100, id);
        const char *value = fact_value(w, e, r);
        snprintf(lower, sizeof lower, "%s", value);
        for (char *p = lower; *p; p++)
            *p = *p == '-' ? ' ' : *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        fprintf(f, "%s\n    {\"Answer\": {\"Aliases\": [\"%s\"], \"NormalizedAliases\": [\"%s\"], \"NormalizedValue\": \"%s\", "
                   "\"Type\": \"WikipediaEntity\", \"Value\": \"%s\"},\n     \"EntityPages\": [{\"DocSource\": \"TagMe\", "
                   "\"Filename\": \"%s\", \"Title\": ",
                i ? "," : "", value, lower, lower, value, wiki);
        json_string(f, name_of(&t, w, e));
        fputs("}],\n     \"Question\": ", f);
        json_string(f, question_of(&t, w, e, r, draw_below(&d, QUESTIONS)));
        fprintf(f, ", \"QuestionId\": \"%s\", \"QuestionSource\": \"world\",\n     \"SearchResults\": [{\"Description\": \"\", "
                   "\"Filename\": \"%s\", \"Rank\": 0, \"Title\": ",
                id, web);
        json_string(f, name_of(&t, w, other));
        fputs("}]}", f);
        snprintf(path, sizeof path, "triviaqa/evidence/wikipedia/%s", wiki);
        if (evidence_write(w, directory, path, e, r, 2 + draw_below(&d, 2), &d) < 0)
            goto fail;
        snprintf(path, sizeof path, "triviaqa/evidence/web/%s", web);
        if (evidence_write(w, directory, path, other, -1, 1 + draw_below(&d, 2), &d) < 0)
            goto fail;
    }
    fputs("\n  ],\n  \"Domain\": \"Web\", \"VerifiedEval\": false, \"Version\": 1.0\n}\n", f);
    return file_close(f);
fail:
    fclose(f);
    return -1;
}

// ---- stories and instructions --------------------------------------------------------------------------
static int stories_write(const struct world *w, const char *directory)
{
    static const struct { const char *name; int keys, fillers; } buckets[] = {
        {"small", 2, 2}, {"mid", 3, 4}, {"large", 3, 7}};
    static struct story story;
    const struct scope s = {.w = w, .active = KNOWN, .novel = UNSEEN, .novel_end = PAIRS};
    for (int b = 0; b < 3; b++)
        for (int i = 0; i < STORIES; i++) {
            char name[64];
            struct draw d = draw_begin(w->seed, buckets[b].name, (uint64_t)i);
            story_make(&story, &s, buckets[b].keys, buckets[b].fillers, &d);
            snprintf(name, sizeof name, "cnndm/%s/%03d.story", buckets[b].name, i);
            FILE *f = file_create(directory, name);
            if (!f)
                return -1;
            fprintf(f, "%s\n", story.body);
            for (int k = 0; k < story.keys; k++)
                fprintf(f, "\n@highlight\n\n- %s\n", story.key[k]);
            if (file_close(f) < 0)
                return -1;
        }
    return 0;
}

static int chat_write(const struct world *w, const char *directory)
{
    static struct text turn[2], answer[2];
    const struct scope s = {.w = w, .active = KNOWN, .novel = UNSEEN, .novel_end = PAIRS};
    FILE *f = file_create(directory, "mtbench/question.jsonl");
    if (!f)
        return -1;
    for (int i = 0; i < CHATS; i++) {
        struct draw d = draw_begin(w->seed, "mtbench", (uint64_t)i);
        chat_make(turn, answer, &s, i % CHAT_CATEGORIES, &d);
        fprintf(f, "{\"question_id\": %d, \"category\": \"%s\", \"turns\": [", i + 1, chat_category[i % CHAT_CATEGORIES]);
        json_string(f, turn[0].s);
        fputs(", ", f);
        json_string(f, turn[1].s);
        fputs("], \"reference\": [", f);
        json_string(f, answer[0].s + 1); // without the space in front
        fputs(", ", f);
        json_string(f, answer[1].s + 1);
        fputs("]}\n", f);
    }
    return file_close(f);
}

// ---- texts -------------------------------------------------------------------------------------------------
// What: 'p' prose, 'f' biographies of known entities, 'm' all kinds as in training.
static void text_document(struct text *t, const struct scope *s, char what, const int mix[DOC_KINDS], struct draw *d)
{
    do
        document_make(t, s, what == 'p' ? DOC_PROSE : what == 'f' ? DOC_BIO : document_draw(mix, 1, d), mix, d);
    while (strstr(t->s, "</s>")); // a second turn: its marker is no text
}

static int text_write(const struct world *w, const char *directory, const char *name, char what, const int mix[DOC_KINDS])
{
    static struct text t;
    const struct scope s = {.w = w, .active = KNOWN, .novel = NOVEL, .novel_end = UNSEEN};
    FILE *f = file_create(directory, name);
    if (!f)
        return -1;
    long bytes = 0;
    for (uint64_t i = 0; bytes < TEXT_BYTES; i++) {
        struct draw d = draw_begin(w->seed, name, i);
        text_document(&t, &s, what, mix, &d);
        fprintf(f, "%s%s", i ? "\n\n" : "", t.s);
        bytes += t.n + 2;
    }
    putc('\n', f);
    return file_close(f);
}

static int calibration_write(const struct world *w, const char *directory, const char *name, char what,
                             const int mix[DOC_KINDS])
{
    static struct text t;
    static char all[CALIBRATION][CALIBRATION_BYTES + TEXT_MAX], *word[CALIBRATION * 1200];
    const struct scope s = {.w = w, .active = KNOWN, .novel = NOVEL, .novel_end = UNSEEN};
    int words = 0;
    for (int i = 0; i < CALIBRATION; i++) {
        struct draw d = draw_begin(w->seed, what == 's' ? "calibration/mixed.jsonl" : name, (uint64_t)i);
        size_t n = 0;
        while (n < CALIBRATION_BYTES) {
            text_document(&t, &s, what == 's' ? 'm' : what, mix, &d);
            n += (size_t)snprintf(all[i] + n, sizeof all[i] - n, "%s%s", n ? "\n\n" : "", t.s);
        }
    }
    FILE *f = file_create(directory, name);
    if (!f)
        return -1;
    if (what == 's') {
        // The words of the mixed text, in no order, in lines as long as its documents.
        for (int i = 0; i < CALIBRATION; i++)
            for (char *p = strtok(all[i], " \n"); p; p = strtok(NULL, " \n"))
                if (words < CALIBRATION * 1200)
                    word[words++] = p;
        struct draw d = draw_begin(w->seed, name, 0);
        for (int i = words - 1; i > 0; i--) {
            int j = draw_below(&d, i + 1);
            char *swap = word[i];
            word[i] = word[j];
            word[j] = swap;
        }
    }
    for (int i = 0, at = 0; i < CALIBRATION; i++) {
        fputs("{\"text\": ", f);
        if (what == 's') {
            t.n = t.spans = 0;
            for (int last = words * (i + 1) / CALIBRATION; at < last; at++) {
                if (t.n)
                    text_add(&t, " ");
                text_add(&t, word[at]);
            }
            json_string(f, t.s);
        } else {
            json_string(f, all[i]);
        }
        fputs("}\n", f);
    }
    return file_close(f);
}

int tasks_write(const struct world *w, const char *directory, const int mix[DOC_KINDS])
{
    if (mkdir(directory, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "world: %s: %s\n", directory, strerror(errno));
        return -1;
    }
    bool bad = text_write(w, directory, "text/prose.txt", 'p', mix) < 0 ||
               text_write(w, directory, "text/mixed.txt", 'm', mix) < 0 ||
               text_write(w, directory, "text/facts.txt", 'f', mix) < 0 ||
               calibration_write(w, directory, "calibration/mixed.jsonl", 'm', mix) < 0 ||
               calibration_write(w, directory, "calibration/prose.jsonl", 'p', mix) < 0 ||
               calibration_write(w, directory, "calibration/shuffled.jsonl", 's', mix) < 0 ||
               factoid_write(w, directory) < 0 || choice_write(w, directory) < 0 ||
               retrieval_write(w, directory) < 0 || stories_write(w, directory) < 0 ||
               chat_write(w, directory) < 0;
    return bad ? -1 : 0;
}
