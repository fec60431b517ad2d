/* eval-choice: multiple-choice questions (MMLU), block by block off the pipe. One pass scores, for
 * each item, the option texts, the letters, and the most likely next token:
 *   strict       the option text with the greatest log-likelihood, first of equals
 *   strict_norm  the same per UTF-8 byte of the option
 *   letter       the letter with the greatest log-likelihood
 *   paper        as the released LLM-KICK code: one greedy token, the last character of prompt and
 *                output decoded together is the answer, whatever it is
 * A continuation's ids are those of prompt + continuation that follow the prompt's. Shots are dropped
 * from the end until the prompt fits. Options that do not fit: strict is null, the item skipped. */
#include <stdlib.h>
#include <string.h>

#include "evaluation.h"
#include "json.h"
#include "memory.h"
#include "pass.h"

enum { OPTIONS_MAX = 26 };

static const char *data = NULL, *prompt_file = NULL;
static long limit = 0, shots = 5, max_prompt = 0;
static bool keep_prompts = false;

static struct cli_option options[] = {
    {'d', "data", CLI_TEXT, &data, "DATA", "task stream to evaluate on (needed)"},
    {'n', "count", CLI_INT, &limit, "N", "only the first N items (0: all)", .min = 0, .max = 1e12,
     .result = true},
    {'k', "shots", CLI_INT, &shots, "K", "examples before the question", .min = 0, .max = 100,
     .result = true},
    {0, "max-prompt", CLI_INT, &max_prompt, "L",
     "positions to fit into [min(2048, the model's)]", .min = 2, .max = 1 << 24,
     .result = true},
    {0, "prompt", CLI_TEXT, &prompt_file, "FILE", "first lines of the prompt; {subject}"},
    {0, "keep-prompts", CLI_FLAG, &keep_prompts, NULL, "also the prompts' texts", .result = true},
    {0},
};

struct question {
    struct buffer prompt;
    struct token_ids ids;
    size_t k;       /* shots that were kept */
    size_t letters; /* 0: an item with continuations of its own */
    size_t count;   /* options */
    long right;
    bool fits; /* the prompt does */
    struct pass_branch branch[2 * OPTIONS_MAX]; /* letters, then options; count 0: does not fit */
    size_t scored[2 * OPTIONS_MAX];             /* how many of a branch's ids are the continuation */
    struct token_ids own[2 * OPTIONS_MAX];
    const char *option[OPTIONS_MAX];
};

struct work {
    struct evaluation v;
    struct question *list;
    struct pass_sequence *sequence;
    size_t *of; /* question of a sequence */
    size_t sequences;
    struct pass *pass;
    char *intro;
    size_t room;
};

static int append(struct buffer *b, const char *text, struct error *e)
{
    return buffer_append(b, text, strlen(text), e);
}

/* "q\nA. …\nD. …\nAnswer:" */
static int append_question(struct buffer *b, const json_t *row, bool with_answer, struct error *e)
{
    const json_t *list = json_object_get(row, "options"), *one;
    const char *text = json_get_string_or(row, "question", NULL);
    size_t i;
    if (!text || json_array_size(list) < 2 || json_array_size(list) > OPTIONS_MAX)
        return error_set(e, "it has no question, or not 2 to %d options", OPTIONS_MAX);
    if (append(b, text, e))
        return -1;
    json_array_foreach(list, i, one)
    {
        const char letter[] = {'\n', (char)('A' + i), '.', ' ', 0};
        if (!json_is_string(one))
            return error_set(e, "its option %zu is not text", i);
        if (append(b, letter, e) || append(b, json_string_value(one), e))
            return -1;
    }
    if (append(b, "\nAnswer:", e))
        return -1;
    if (!with_answer)
        return 0;
    int64_t answer;
    if (json_get_integer(row, "answer", 0, (int64_t)json_array_size(list) - 1, &answer, e))
        return -1;
    const char tail[] = {' ', (char)('A' + answer), '\n', '\n', 0};
    return append(b, tail, e);
}

/* Every word of a subject gets a space in front, as in the release: hence two after "about". */
static int make_prompt(const struct work *w, const struct task_item *item, size_t k,
                       struct buffer *b, struct error *e)
{
    const json_t *rows = item->group ? json_object_get(w->v.tasks.shots, item->group) : NULL;
    const char *own = task_text(item, "prompt"), *group = item->group ? item->group : "";
    char subject[512];
    b->length = 0;
    if (own)
        return append(b, own, e);
    snprintf(subject, sizeof subject, " %s", group);
    for (char *p = subject; *p; p++)
        if (*p == '_')
            *p = ' ';
    static const char *const names[] = {"subject"};
    const char *const values[] = {subject};
    if (evaluation_fill(b, w->intro, names, values, 1, e))
        return -1;
    for (size_t i = 0; i < k; i++)
        if (append_question(b, json_array_get(rows, i), true, e))
            return error_prefix(e, "shot %zu", i);
    return append_question(b, item->json, false, e);
}

/* Branch r of q: the ids of `prompt` (`before` ids) + text behind those that it has in common with
 * the question's. */
static int add_branch(const struct work *w, struct question *q, size_t r, struct buffer *prompt,
                      size_t before, const char *space, const char *text, struct error *e)
{
    const size_t length = prompt->length;
    struct token_ids *all = &q->own[r];
    if (append(prompt, space, e) || append(prompt, text, e) ||
        evaluation_encode(&w->v, (const char *)prompt->data, prompt->length, all, e))
        return -1;
    prompt->length = length;
    size_t same = 0;
    while (same < q->ids.count && same < all->count && all->ids[same] == q->ids.ids[same])
        same++;
    if (same == all->count) /* nothing is left of the continuation */
        same = all->count ? all->count - 1 : 0;
    q->branch[r] = (struct pass_branch){0};
    q->scored[r] = all->count > before ? all->count - before : 1;
    if (all->count > w->room + 1 || same == 0) { /* the last id needs no position */
        token_ids_free(all);
        return 0;
    }
    all->count -= same; /* the prompt's ids are in q->ids */
    memmove(all->ids, all->ids + same, all->count * sizeof *all->ids);
    int32_t *ids = memory_resize(all->ids, all->count, sizeof *ids, "ids", e);
    if (!ids)
        return -1;
    all->ids = ids;
    all->capacity = all->count;
    q->branch[r] = (struct pass_branch){all->ids, all->count, same};
    return 0;
}

/* An option behind a prompt of its own, which the question's prompt need not begin like. */
static int add_own(const struct work *w, struct question *q, size_t i, const char *prompt,
                   struct error *e)
{
    struct buffer text = {0};
    struct token_ids ids = {0};
    int result = -1;
    if (!append(&text, prompt, e) &&
        !evaluation_encode(&w->v, (const char *)text.data, text.length, &ids, e))
        result = add_branch(w, q, i, &text, ids.count, "", q->option[i], e);
    buffer_free(&text);
    token_ids_free(&ids);
    return result;
}

static int make_question(const struct work *w, const struct task_item *item, struct question *q,
                         struct error *e)
{
    const json_t *rows = item->group ? json_object_get(w->v.tasks.shots, item->group) : NULL;
    const json_t *own = json_object_get(item->json, "continuations");
    const json_t *list = own ? own : json_object_get(item->json, "options");
    const json_t *prompts = json_object_get(item->json, "prompts");
    int64_t answer;
    size_t i;
    q->count = json_array_size(list);
    if (q->count < (own ? 1 : 2) || q->count > OPTIONS_MAX)
        return error_set(e, "it has %zu options; 2 to %d are understood", q->count, OPTIONS_MAX);
    if (prompts && json_array_size(prompts) != q->count)
        return error_set(e, "it has not as many \"prompts\" as options");
    if (json_get_integer(item->json, "answer", 0, (int64_t)q->count - 1, &answer, e))
        return -1;
    q->right = (long)answer;
    q->letters = own ? 0 : q->count;
    q->k = json_array_size(rows) < (size_t)shots ? json_array_size(rows) : (size_t)shots;
    for (;; q->k--) {
        if (make_prompt(w, item, q->k, &q->prompt, e) ||
            evaluation_encode(&w->v, (const char *)q->prompt.data, q->prompt.length, &q->ids, e))
            return -1;
        if (q->ids.count <= w->room || q->k == 0)
            break;
    }
    q->fits = q->ids.count > 0 && q->ids.count <= w->room;
    for (i = 0; i < q->count; i++) {
        const char letter[] = {(char)('A' + i), 0};
        const json_t *one = json_array_get(list, i);
        if (!json_is_string(one))
            return error_set(e, "its option %zu is not text", i);
        q->option[i] = json_string_value(one);
        if (!q->fits)
            continue;
        if (prompts && !json_is_string(json_array_get(prompts, i)))
            return error_set(e, "its prompt %zu is not text", i);
        if (q->letters && add_branch(w, q, i, &q->prompt, q->ids.count, " ", letter, e))
            return -1;
        if (prompts ? add_own(w, q, i, json_string_value(json_array_get(prompts, i)), e)
                    : add_branch(w, q, q->letters + i, &q->prompt, q->ids.count, own ? "" : " ",
                                 q->option[i], e))
            return -1;
    }
    return 0;
}

/* ---- scores ------------------------------------------------------------------------------------
 */

struct outcome {
    double ll[2 * OPTIONS_MAX];
    bool has[2 * OPTIONS_MAX], greedy; /* every id of the only option is the most likely one */
    int strict, strict_norm, letter, paper; /* chosen, -1: none (paper: another character) */
    char *text;
    size_t length, before;
};

/* Index of the greatest of count values, the first of equals; -1 if one is missing. */
static int greatest(const struct outcome *o, size_t first, size_t count, const double *divide)
{
    int best = -1;
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        if (!o->has[first + i])
            return -1;
        const double x = o->ll[first + i] / (divide ? divide[i] : 1);
        if (best < 0 || x > most) {
            best = (int)i;
            most = x;
        }
    }
    return best;
}

static int score(struct work *w, size_t sequence, struct question *q, struct outcome *o,
                 double *nll, int32_t *best, struct error *e)
{
    double bytes[OPTIONS_MAX];
    int32_t next;
    size_t at = 0;
    if (pass_branches(w->pass, sequence, nll, q->count > 1 ? NULL : best, &next, e))
        return -1;
    for (size_t r = 0; r < q->letters + q->count; at += q->branch[r++].count) {
        const struct pass_branch *b = &q->branch[r];
        if (b->count == 0)
            continue;
        const size_t from = b->count > q->scored[r] ? b->count - q->scored[r] : 0;
        o->greedy = q->count == 1;
        for (size_t i = from; i < b->count; i++) {
            o->ll[r] -= nll[at + i];
            o->greedy = o->greedy && best[at + i] == b->ids[i];
        }
        o->has[r] = true;
    }
    for (size_t i = 0; i < q->count; i++) {
        const size_t k = strlen(q->option[i]);
        bytes[i] = k ? (double)k : 1;
    }
    o->letter = q->letters ? greatest(o, 0, q->letters, NULL) : -1;
    o->strict = greatest(o, q->letters, q->count, NULL);
    o->strict_norm = greatest(o, q->letters, q->count, bytes);
    if (evaluation_decode(&w->v, q->ids.ids, q->ids.count, &next, 1, &o->text, &o->length,
                          &o->before, e))
        return -1;
    const char last = o->length ? o->text[o->length - 1] : 0;
    o->paper = last >= 'A' && last < 'A' + (int)q->count ? last - 'A' : -1;
    return 0;
}

static json_t *list_of(const struct outcome *o, size_t first, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, o->has[first + i] ? json_number(o->ll[first + i])
                                                      : json_null());
    return list;
}

static json_t *right(bool known, bool yes)
{
    return known ? json_integer(yes) : json_null();
}

static json_t *letter_json(int i)
{
    const char text[] = {(char)('A' + i), 0};
    return i < 0 ? json_null() : json_string(text);
}

struct sums {
    size_t n, skipped, strict, strict_norm, letter, lettered, paper, papered;
};

static json_t *mean(size_t sum, size_t n)
{
    return n ? json_number((double)sum / (double)n) : json_null();
}

static json_t *sums_json(const struct sums *s)
{
    const size_t n = s->n - s->skipped;
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:I}", "n", (json_int_t)s->n, "strict",
                     mean(s->strict, n), "paper", mean(s->paper, s->papered), "strict_norm",
                     mean(s->strict_norm, n), "letter", mean(s->letter, s->lettered), "skipped",
                     (json_int_t)s->skipped);
}

/* Is what was chosen right? Where there is but one option, it must be what greedy decoding gives. */
static bool is_right(const struct question *q, const struct outcome *o, int chosen)
{
    return chosen == q->right && (q->count > 1 || o->greedy);
}

static void sums_add(struct sums *s, const struct question *q, const struct outcome *o)
{
    s->n++;
    s->skipped += o->strict < 0;
    s->strict += is_right(q, o, o->strict);
    s->strict_norm += o->strict >= 0 && is_right(q, o, o->strict_norm);
    s->lettered += o->letter >= 0;
    s->letter += o->letter >= 0 && o->letter == q->right;
    s->papered += q->letters && q->fits;
    s->paper += q->letters && q->fits && o->paper == q->right;
}

static int write_item(struct work *w, const struct task_item *item, const struct question *q,
                      const struct outcome *o, struct error *e)
{
    json_t *record = evaluation_record(item, e);
    const char *discipline = task_text(item, "discipline");
    const bool fits = q->fits;
    if (!record ||
        (discipline && json_set(record, "discipline", json_string(discipline), e)) ||
        json_set(record, "strict", right(o->strict >= 0, is_right(q, o, o->strict)), e) ||
        json_set(record, "paper", right(fits && q->letters, o->paper == q->right), e) ||
        json_set(record, "strict_norm", right(o->strict >= 0, is_right(q, o, o->strict_norm)), e) ||
        json_set(record, "letter", right(o->letter >= 0, o->letter == q->right), e) ||
        json_set(record, "answer", letter_json((int)q->right), e) ||
        json_set(record, "chosen",
                 json_pack("{s:o, s:o, s:o, s:o}", "strict", letter_json(o->strict), "strict_norm",
                           letter_json(o->strict_norm), "letter", letter_json(o->letter), "paper",
                           letter_json(o->paper)),
                 e) ||
        json_set(record, "output",
                 fits ? json_stringn(o->text + o->before, o->length - o->before) : json_null(),
                 e) ||
        json_set(record, "finish", json_string("length"), e) ||
        json_set(record, "logprob", list_of(o, 0, q->letters), e) ||
        json_set(record, "option_logprob", list_of(o, q->letters, q->count), e) ||
        json_set(record, "tokens", json_integer(fits), e) ||
        json_set(record, "prompt_tokens", json_integer((json_int_t)q->ids.count), e) ||
        json_set(record, "shots", json_integer((json_int_t)q->k), e) ||
        evaluation_prompt(record, (const char *)q->prompt.data, q->prompt.length, keep_prompts,
                          e)) {
        json_decref(record);
        return -1;
    }
    return evaluation_write(&w->v, record, e);
}

/* Scores of the items that have the same text under a key ("discipline"), as an object. */
static int add_sums(json_t *groups, const char *name, const struct question *q,
                    const struct outcome *o, struct sums *list, size_t *count)
{
    json_t *at = json_object_get(groups, name);
    if (!at) {
        at = json_integer((json_int_t)*count);
        if (json_object_set_new(groups, name, at))
            return -1;
        list[(*count)++] = (struct sums){0};
    }
    sums_add(&list[json_integer_value(at)], q, o);
    return 0;
}

static int add_groups(json_t *summary, const json_t *groups, const struct sums *list,
                      struct error *e)
{
    json_t *at;
    const char *name;
    json_object_foreach((json_t *)groups, name, at)
    {
        if (json_set(summary, name, sums_json(&list[json_integer_value(at)]), e))
            return -1;
    }
    return 0;
}

static int write_results(struct work *w, struct error *e)
{
    const size_t count = w->v.tasks.count;
    struct sums all = {0};
    size_t longest = 1, sequence = 0, disciplines = 0;
    json_t *by_discipline = json_object(), *summary = NULL;
    struct sums *discipline = memory_new(count, sizeof *discipline, "groups", e);
    double *nll = NULL;
    int32_t *best = NULL;
    int result = -1;
    for (size_t i = 0; i < count; i++) {
        size_t ids = 0;
        for (size_t r = 0; r < 2 * OPTIONS_MAX; r++)
            ids += w->list[i].branch[r].count;
        longest = ids > longest ? ids : longest;
    }
    nll = memory_new(longest, sizeof *nll, "scores", e);
    best = memory_new(longest, sizeof *best, "scores", e);
    if (!discipline || !nll || !best || !by_discipline)
        goto out;
    for (size_t i = 0; i < count; i++) {
        const struct task_item *item = &w->v.tasks.list[i];
        struct question *q = &w->list[i];
        struct outcome o = {.strict = -1, .strict_norm = -1, .letter = -1, .paper = -1};
        const char *name = task_text(item, "discipline");
        int got = q->fits ? score(w, sequence++, q, &o, nll, best, e) : 0;
        if (!got) {
            sums_add(&all, q, &o);
            got = write_item(w, item, q, &o, e);
        }
        free(o.text);
        if (got || (name && add_sums(by_discipline, name, q, &o, discipline, &disciplines)))
            goto out;
    }
    summary = sums_json(&all);
    if (!summary || add_groups(summary, by_discipline, discipline, e))
        goto out;
    result = evaluation_end(&w->v, json_incref(summary), e);
    cli_note(w->v.cli, "%zu items: strict %zu, letter %zu, paper %zu, skipped %zu", all.n,
             all.strict, all.letter, all.paper, all.skipped);
out:
    json_decref(summary);
    json_decref(by_discipline);
    free(discipline);
    free(nll);
    free(best);
    return result;
}

static int prepare(struct work *w, struct error *e)
{
    const size_t count = w->v.tasks.count;
    w->room = max_prompt ? (size_t)max_prompt : evaluation_room(&w->v);
    if (w->room > w->v.source.model.positions)
        return error_usage(e, "--max-prompt %zu is over the model's %zu positions", w->room,
                           w->v.source.model.positions);
    w->intro = evaluation_template(
        prompt_file,
        "The following are multiple choice questions (with answers) about {subject}.\n\n", e);
    w->list = memory_new(count, sizeof *w->list, "questions", e);
    w->sequence = memory_new(count, sizeof *w->sequence, "questions", e);
    if (!w->intro || !w->list || !w->sequence)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct question *q = &w->list[i];
        if (make_question(w, &w->v.tasks.list[i], q, e))
            return error_prefix(e, "%s: item %s", w->v.tasks.name, w->v.tasks.list[i].name);
        if (q->fits)
            w->sequence[w->sequences++] = (struct pass_sequence){
                q->ids.ids, q->ids.count, q->branch, q->letters + q->count};
    }
    return w->sequences ? 0
                        : error_set(e, "%s: no item's prompt fits into %zu tokens",
                                    w->v.tasks.name, w->room);
}

static void work_free(struct work *w)
{
    for (size_t i = 0; w->list && i < w->v.tasks.count; i++) {
        buffer_free(&w->list[i].prompt);
        token_ids_free(&w->list[i].ids);
        for (size_t r = 0; r < 2 * OPTIONS_MAX; r++)
            token_ids_free(&w->list[i].own[r]);
    }
    free(w->list);
    free(w->sequence);
    free(w->intro);
    pass_free(w->pass);
    evaluation_free(&w->v);
}

static int run(struct cli *c, struct error *e)
{
    struct work w = {0};
    int result = -1;
    if (evaluation_open(&w.v, c, data, "choice", limit, e) || prepare(&w, e) ||
        pass_run(&w.pass, &w.v.source, w.sequence, w.sequences, w.v.pool, c, NULL, e) ||
        evaluation_begin(&w.v, "choice",
                         json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s}", "shots",
                                   (json_int_t)shots, "room", (json_int_t)w.room, "prompt",
                                   w.intro, "strict", "option text of greatest log-likelihood",
                                   "strict_norm", "the same per byte", "letter",
                                   "letter of greatest log-likelihood", "paper",
                                   "last character after one greedy token"),
                         NULL, e) ||
        write_results(&w, e))
        goto out;
    result = 0;
out:
    work_free(&w);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "eval-choice",
                    .revision = 1,
                    .summary = "multiple-choice questions by likelihood and by letter",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
