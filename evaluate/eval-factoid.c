/* eval-factoid: closed-book questions (FreebaseQA), answered in free text.
 *   strict    an answer of any parse equals the first line of the output, both normalised
 *   contains  such an answer is whole words of the output
 *   paper     as the released LLM-KICK code: an alias of the first parse is a substring of prompt
 *             and output together, lower-cased and without spaces; paper_output: of the output only
 * New tokens: twice those of the prompt (the release's max_length is three times), within the room. */
#include <stdlib.h>
#include <string.h>

#include "evaluation.h"
#include "json.h"
#include "memory.h"
#include "score.h"

static const char *data = NULL, *prompt_file = NULL;
static long limit = 0;
static bool keep_prompts = false;
static struct generation_options g = {.top_p = 1};

static struct cli_option options[] = {
    {'d', "data", CLI_TEXT, &data, "DATA", "task stream to evaluate on (needed)"},
    {'n', "count", CLI_INT, &limit, "N", "only the first N items (0: all)", .min = 0, .max = 1e12,
     .result = true},
    {0, "prompt", CLI_TEXT, &prompt_file, "FILE", "a prompt instead of the paper's; {question}"},
    GENERATION_OPTIONS(g),
    {0, "keep-prompts", CLI_FLAG, &keep_prompts, NULL, "also the prompts' texts", .result = true},
    {0},
};

struct sums {
    size_t n, skipped, strict, contains, paper, paper_output;
};

static int prepare(const struct evaluation *v, const struct task_item *item, const char *template,
                   struct answer *a, struct error *e)
{
    static const char *const names[] = {"question"};
    const char *question = task_text(item, "question"), *own = task_text(item, "prompt");
    const char *const values[] = {question};
    struct buffer text = {0};
    int result = -1;
    if (!question && !own)
        return error_set(e, "it has no question");
    if (own ? buffer_append(&text, own, strlen(own), e)
            : evaluation_fill(&text, template, names, values, 1, e))
        goto out;
    if (answer_prompt(v, a, (const char *)text.data, text.length, e))
        goto out;
    if (!(a->stop = task_texts(item, "stop", &a->stops, e)))
        goto out;
    const size_t room = evaluation_room(v), n = a->ids.count;
    a->skip = n >= room;
    if (!a->skip) {
        int64_t own_max = 0;
        if (json_object_get(item->json, "max_new") &&
            json_get_integer(item->json, "max_new", 1, 1 << 24, &own_max, e))
            goto out;
        a->max_new = g.max_new ? (size_t)g.max_new : own_max ? (size_t)own_max : 2 * n;
        if (a->max_new > room - n)
            a->max_new = room - n;
    }
    result = 0;
out:
    buffer_free(&text);
    return result;
}

static int write_item(struct evaluation *v, const struct task_item *item, const struct answer *a,
                      struct sums *s, struct error *e)
{
    json_t *record = evaluation_record(item, e);
    size_t aliases = 0, answers = 0;
    const char **alias = task_texts(item, "aliases", &aliases, e);
    const char **answer = task_texts(item, "answers", &answers, e);
    int equal = 0, contains = 0, paper = 0, own = 0, result = -1;
    if (!record || !alias || !answer)
        goto out;
    if (!aliases) {
        error_set(e, "%s: item %s has no aliases", v->tasks.name, item->name);
        goto out;
    }
    const size_t n = a->length - a->before;
    if (!a->skip && (score_strict(&equal, &contains, a->text + a->before, n,
                                  answers ? answer : alias, answers ? answers : aliases, e) ||
                     score_freebase(&paper, a->text, a->length, alias, aliases, e) ||
                     score_freebase(&own, a->text + a->before, n, alias, aliases, e)))
        goto out;
    s->n++;
    s->skipped += a->skip;
    s->strict += (size_t)equal;
    s->contains += (size_t)contains;
    s->paper += (size_t)paper;
    s->paper_output += (size_t)own;
    if (json_set(record, "strict", a->skip ? json_null() : json_integer(equal), e) ||
        json_set(record, "paper", a->skip ? json_null() : json_integer(paper), e) ||
        json_set(record, "contains", a->skip ? json_null() : json_integer(contains), e) ||
        json_set(record, "paper_output", a->skip ? json_null() : json_integer(own), e) ||
        answer_record(record, a, e) ||
        evaluation_prompt(record, a->prompt, a->prompt_length, keep_prompts, e))
        goto out;
    result = evaluation_write(v, record, e);
    record = NULL;
out:
    json_decref(record);
    free(alias);
    free(answer);
    return result;
}

static json_t *mean(size_t sum, size_t n)
{
    return n ? json_number((double)sum / (double)n) : json_null();
}

static int run(struct cli *c, struct error *e)
{
    struct evaluation v;
    struct network network = {0};
    struct answer *list = NULL;
    struct sums s = {0};
    char *template = NULL;
    int result = -1;
    if (evaluation_open(&v, c, data, "factoid retrieval", limit, e) ||
        !(template = evaluation_template(
              prompt_file, "Please give answer to this question: {question}\nThe answer is ", e)) ||
        !(list = memory_new(v.tasks.count, sizeof *list, "items", e)))
        goto out;
    for (size_t i = 0; i < v.tasks.count; i++)
        if (prepare(&v, &v.tasks.list[i], template, &list[i], e)) {
            error_prefix(e, "%s: item %s", v.tasks.name, v.tasks.list[i].name);
            goto out;
        }
    if (network_load(&network, &v.source, v.pool, c, e))
        goto out;
    struct generation_options own = g;
    own.max_new = own.max_new ? own.max_new : (long)evaluation_room(&v);
    if (evaluation_generate(&v, &network, &own, "eval-factoid", list, v.tasks.count, e) ||
        evaluation_begin(
            &v, "factoid",
            json_pack("{s:s, s:s, s:I, s:f, s:f, s:s, s:s, s:s}", "prompt", template, "new_tokens",
                      g.max_new ? "as given" : "the item's, else twice the prompt's", "room",
                      (json_int_t)evaluation_room(&v), "temperature", g.temperature, "top_p",
                      g.top_p, "strict", "an answer equals the first line, normalised", "contains",
                      "an answer is whole words of the output", "paper",
                      "an alias is a substring of prompt and output, without case and spaces"),
            NULL, e))
        goto out;
    for (size_t i = 0; i < v.tasks.count; i++)
        if (write_item(&v, &v.tasks.list[i], &list[i], &s, e))
            goto out;
    const size_t n = s.n - s.skipped;
    result = evaluation_end(&v,
                            json_pack("{s:I, s:o, s:o, s:o, s:o, s:I}", "n", (json_int_t)s.n,
                                      "strict", mean(s.strict, n), "paper", mean(s.paper, n),
                                      "contains", mean(s.contains, n), "paper_output",
                                      mean(s.paper_output, n), "skipped", (json_int_t)s.skipped),
                            e);
    cli_note(c, "%zu items: strict %zu, contains %zu, paper %zu, skipped %zu", s.n, s.strict,
             s.contains, s.paper, s.skipped);
out:
    for (size_t i = 0; list && i < v.tasks.count; i++)
        answer_free(&list[i]);
    free(list);
    free(template);
    network_free(&network);
    evaluation_free(&v);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "eval-factoid",
                    .revision = 2,
                    .summary = "closed-book questions answered in free text",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
