/* eval-retrieval: questions with their evidence in the prompt (open book) or without (closed book),
 * TriviaQA. The context is the wiki text and the web text with nothing between, cut to the most
 * characters (at most 3072) for which prompt and answer fit; no retriever. The prediction is the
 * stripped output's first line.
 *   strict  the official exact match: equality after normalisation;  strict_f1 the overlap of words
 *   paper   the released LLM-KICK code's: either text contains the other, so that an empty prediction
 *           scores 1;  paper_f1 the same F1 */
#include <stdlib.h>
#include <string.h>

#include "evaluation.h"
#include "json.h"
#include "memory.h"
#include "pytext.h"
#include "score.h"

static const char *data = NULL, *prompt_file = NULL, *mode = "open";
static long limit = 0, characters = 3072, max_prompt = 0;
static bool keep_prompts = false;
static struct generation_options g = {.max_new = 32, .top_p = 1};

static struct cli_option options[] = {
    {'d', "data", CLI_TEXT, &data, "DATA", "task stream to evaluate on (needed)"},
    {0, "mode", CLI_CHOICE, &mode, "M", "closed or open book", .choices = "closed|open",
     .result = true},
    {'n', "count", CLI_INT, &limit, "N", "only the first N items (0: all)", .min = 0, .max = 1e12,
     .result = true},
    {'l', "length", CLI_INT, &characters, "L", "characters of context at most", .min = 0,
     .max = 1e9, .result = true},
    {0, "max-prompt", CLI_INT, &max_prompt, "L", "tokens of the prompt at most [what fits]",
     .min = 2, .max = 1 << 24, .result = true},
    {0, "prompt", CLI_TEXT, &prompt_file, "FILE", "another prompt; {context}, {question}"},
    GENERATION_OPTIONS(g),
    {0, "first-line", CLI_FLAG, &g.first_line, NULL, "end answers with the line that is scored",
     .result = true},
    {0, "keep-prompts", CLI_FLAG, &keep_prompts, NULL, "also the prompts' texts", .result = true},
    {0},
};

struct sums {
    size_t n, skipped, strict, paper;
    double strict_f1, paper_f1;
};

struct asking {
    const struct evaluation *v;
    const char *template, *question;
    char *context; /* (bytes), with room for a NUL */
    struct buffer text;
    struct token_ids ids;
    size_t budget;
};

/* Ids of the prompt with `bytes` bytes of the context; 1: they fit. */
static int attempt(void *context, size_t bytes, struct error *e)
{
    struct asking *a = context;
    static const char *const names[] = {"context", "question"};
    const char kept = a->context[bytes];
    a->context[bytes] = 0;
    const char *const values[] = {a->context, a->question};
    const int failed = evaluation_fill(&a->text, a->template, names, values, 2, e);
    a->context[bytes] = kept;
    if (failed)
        return -1;
    const char *p = (const char *)a->text.data;
    size_t n = a->text.length;
    pytext_strip(&p, &n);
    memmove(a->text.data, p, n);
    a->text.data[n] = 0;
    a->text.length = n;
    if (evaluation_encode(a->v, (const char *)a->text.data, n, &a->ids, e))
        return -1;
    return a->ids.count <= a->budget;
}

static int prepare(const struct evaluation *v, const struct task_item *item, const char *template,
                   struct answer *a, size_t *kept, struct error *e)
{
    const char *wiki = task_text(item, "wiki"), *web = task_text(item, "web");
    const char *own = task_text(item, "prompt");
    const bool open = !strcmp(mode, "open");
    struct asking q = {v, template, task_text(item, "question"), NULL, {0}, {0}, 0};
    const size_t room = evaluation_room(v);
    int result = -1;
    q.budget = max_prompt ? (size_t)max_prompt
               : (size_t)g.max_new < room ? room - (size_t)g.max_new
                                          : 1;
    if (q.budget >= room)
        q.budget = room - 1;
    *kept = 0;
    if (!q.question && !own)
        return error_set(e, "it has no question");
    const size_t size = (wiki ? strlen(wiki) : 0) + (web ? strlen(web) : 0) + 1;
    if (!(q.context = memory_new(size, 1, "evidence", e)))
        return -1;
    if (open)
        snprintf(q.context, size, "%s%s", wiki ? wiki : "", web ? web : "");
    if (!(a->stop = task_texts(item, "stop", &a->stops, e)))
        goto out;
    if (own) {
        result = answer_prompt(v, a, own, strlen(own), e);
    } else if (!evaluation_fit(q.context, (size_t)characters, attempt, &q, kept, e)) {
        result = answer_prompt(v, a, (const char *)q.text.data, q.text.length, e);
    }
    a->skip = a->ids.count > (own ? room - 1 : q.budget);
out:
    free(q.context);
    buffer_free(&q.text);
    token_ids_free(&q.ids);
    return result;
}

static bool has_evidence(const struct tasks *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (task_text(&t->list[i], "wiki") || task_text(&t->list[i], "web") ||
            task_text(&t->list[i], "prompt"))
            return true;
    return false;
}

static int write_item(struct evaluation *v, const struct task_item *item, const struct answer *a,
                      size_t kept, struct sums *s, struct error *e)
{
    json_t *record = evaluation_record(item, e);
    size_t count = 0;
    const char **alias = task_texts(item, "normalized", &count, e);
    struct score_em em = {0};
    const char *p = a->skip ? "" : a->text + a->before, *end;
    size_t n = a->skip ? 0 : a->length - a->before;
    int result = -1;
    if (alias && count == 0) {
        free(alias);
        alias = task_texts(item, "aliases", &count, e);
    }
    if (!record || !alias)
        goto out;
    if (count == 0) {
        error_set(e, "%s: item %s has no aliases", v->tasks.name, item->name);
        goto out;
    }
    pytext_strip(&p, &n);
    if (n && (end = memchr(p, '\n', n)))
        n = (size_t)(end - p);
    if (!a->skip && score_answer(&em, p, n, alias, count, e))
        goto out;
    s->n++;
    s->skipped += a->skip;
    s->strict += (size_t)em.official_em;
    s->paper += (size_t)em.released_em;
    s->strict_f1 += em.official_f1;
    s->paper_f1 += em.released_f1;
    if (json_set(record, "strict", a->skip ? json_null() : json_integer(em.official_em), e) ||
        json_set(record, "paper", a->skip ? json_null() : json_integer(em.released_em), e) ||
        json_set(record, "strict_f1", a->skip ? json_null() : json_number(em.official_f1), e) ||
        json_set(record, "paper_f1", a->skip ? json_null() : json_number(em.released_f1), e) ||
        answer_record(record, a, e) ||
        json_set(record, "prediction", a->skip ? json_null() : json_stringn(p, n), e) ||
        json_set(record, "context_chars", json_integer((json_int_t)kept), e) ||
        evaluation_prompt(record, a->prompt, a->prompt_length, keep_prompts, e))
        goto out;
    result = evaluation_write(v, record, e);
    record = NULL;
out:
    json_decref(record);
    free(alias);
    return result;
}

static json_t *mean(double sum, size_t n)
{
    return n ? json_number(sum / (double)n) : json_null();
}

static int run(struct cli *c, struct error *e)
{
    struct evaluation v;
    struct network network = {0};
    struct answer *list = NULL;
    size_t *kept = NULL;
    struct sums s = {0};
    char *template = NULL;
    const char *const usual = !strcmp(mode, "open")
                                  ? "{context}\n\nBased on these texts, answer these questions:"
                                    "\n\nQ: {question}\nA:"
                                  : "Answer these questions:\n\nQ: {question}\nA:";
    int result = -1;
    if (evaluation_open(&v, c, data, "retrieval factoid", limit, e) ||
        !(template = evaluation_template(prompt_file, usual, e)) ||
        !(list = memory_new(v.tasks.count, sizeof *list, "items", e)) ||
        !(kept = memory_new(v.tasks.count, sizeof *kept, "items", e)))
        goto out;
    if (!strcmp(mode, "open") && !has_evidence(&v.tasks)) {
        error_set(e, "%s: no item has evidence; use --mode closed", v.tasks.name);
        goto out;
    }
    for (size_t i = 0; i < v.tasks.count; i++)
        if (prepare(&v, &v.tasks.list[i], template, &list[i], &kept[i], e)) {
            error_prefix(e, "%s: item %s", v.tasks.name, v.tasks.list[i].name);
            goto out;
        }
    if (network_load(&network, &v.source, v.pool, c, e) ||
        evaluation_generate(&v, &network, &g, "eval-retrieval", list, v.tasks.count, e) ||
        evaluation_begin(
            &v, "retrieval",
            json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:s, s:s}", "prompt", template,
                      "context_chars", (json_int_t)characters, "max_new", (json_int_t)g.max_new,
                      "room", (json_int_t)evaluation_room(&v), "temperature", g.temperature,
                      "top_p", g.top_p, "strict", "equality after normalisation", "paper",
                      "either text contains the other after normalisation"),
            json_pack("{s:s}", "mode", mode), e))
        goto out;
    for (size_t i = 0; i < v.tasks.count; i++)
        if (write_item(&v, &v.tasks.list[i], &list[i], kept[i], &s, e))
            goto out;
    const size_t n = s.n - s.skipped;
    result = evaluation_end(
        &v,
        json_pack("{s:I, s:o, s:o, s:o, s:o, s:I}", "n", (json_int_t)s.n, "strict",
                  mean((double)s.strict, n), "paper", mean((double)s.paper, n), "strict_f1",
                  mean(s.strict_f1, n), "paper_f1", mean(s.paper_f1, n), "skipped",
                  (json_int_t)s.skipped),
        e);
    cli_note(c, "%zu items: strict %zu, paper %zu, skipped %zu", s.n, s.strict, s.paper, s.skipped);
out:
    for (size_t i = 0; list && i < v.tasks.count; i++)
        answer_free(&list[i]);
    free(list);
    free(kept);
    free(template);
    network_free(&network);
    evaluation_free(&v);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "eval-retrieval",
                    .revision = 1,
                    .summary = "questions with and without their evidence in the prompt",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
