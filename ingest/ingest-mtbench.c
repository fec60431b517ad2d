/* ingest-mtbench: MT-Bench's question.jsonl (one or two turns; Zheng et al. 2023) and the older
 * Vicuna-80 format, in which a question is a "text". --reference FILE takes the answers that come
 * with it (reference_answer/gpt-4.jsonl). */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ingest.h"
#include "json.h"

static struct ingest_options o;
static const char *reference = NULL;
static struct cli_option options[] = {
    {0, "reference", CLI_TEXT, &reference, "FILE", "answers to compare with (jsonl)"},
    INGEST_OPTIONS(o),
    {0},
};

/* A question's name: numbers and texts are both met. */
static json_t *name_of(const json_t *row, struct error *e)
{
    char text[32];
    json_t *id = ingest_any(row, "question_id");
    if (json_is_integer(id)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(id));
        return json_string(text);
    }
    if (json_is_string(id))
        return json_incref(id);
    error_set(e, "it has no \"question_id\"");
    return NULL;
}

static int question(struct ingest *g, const json_t *row, const json_t *answers, struct error *e)
{
    json_t *turns = NULL, *id = name_of(row, e), *item = NULL;
    const json_t *given = json_object_get(row, "turns"), *one, *category, *answer;
    size_t i;
    int result = -1;
    if (!id)
        return -1;
    if (json_is_array(given)) {
        json_array_foreach(given, i, one)
        {
            if (!json_is_string(one)) {
                error_set(e, "its turn %zu is not text", i + 1);
                goto out;
            }
        }
        turns = json_incref((json_t *)given);
    } else {
        const char *text = ingest_string(row, "text", e);
        if (!text) {
            error_set(e, "it has neither \"turns\" nor \"text\"");
            goto out;
        }
        turns = json_pack("[s]", text);
    }
    if (json_array_size(turns) < 1 || json_array_size(turns) > 2) {
        error_set(e, "it has %zu turns; one or two are understood", json_array_size(turns));
        goto out;
    }
    category = ingest_any(row, "category");
    item = json_pack("{s:O, s:O?, s:O}", "item", id, "group",
                     json_is_string(category) ? category : NULL, "turns", turns);
    answer = json_object_get(answers, json_string_value(id));
    if (!answer)
        answer = json_object_get(row, "reference");
    if (item && json_is_array(answer))
        json_object_set(item, "reference", (json_t *)answer);
    result = ingest_item(g, item, e) ? -2 : 0;
out:
    json_decref(id);
    json_decref(turns);
    return result;
}

/* {"81": [answer to turn 1, …]} */
static json_t *read_answers(const struct ingest_file *f, struct error *e)
{
    json_t *all = json_object();
    const char *line;
    size_t at = 0, n, number = 0;
    while (ingest_line(&f->bytes, &at, &line, &n)) {
        number++;
        if (n == 0)
            continue;
        json_t *row = json_parse(line, n, "this row", e), *id = row ? name_of(row, e) : NULL;
        json_t *turns =
            json_object_get(json_array_get(json_object_get(row, "choices"), 0), "turns");
        if (id && json_is_array(turns))
            json_object_set(all, json_string_value(id), turns);
        else if (id)
            error_set(e, "it has no \"choices\" with \"turns\"");
        const bool bad = !id || !json_is_array(turns);
        json_decref(id);
        json_decref(row);
        if (bad) {
            error_prefix(e, "%s: line %zu", f->path, number);
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static int run(struct cli *c, struct error *e)
{
    struct ingest g;
    struct ingest_file f = {0}, ref = {0};
    json_t *answers = NULL;
    const char *line;
    size_t at = 0, n, number = 0;
    int result = -1;
    if (ingest_new(&g, c, &o, e) || ingest_file_read(&g, &f, cli_input(c), e) ||
        (reference && (ingest_file_read(&g, &ref, reference, e) || !(answers = read_answers(&ref, e)))) ||
        ingest_start(&g, "chat", cli_input(c), e))
        goto out;
    while (!ingest_full(&g) && ingest_line(&f.bytes, &at, &line, &n)) {
        number++;
        if (n == 0)
            continue;
        json_t *row = json_parse(line, n, "this row", e);
        const int got = row ? question(&g, row, answers, e) : -1;
        json_decref(row);
        if (got == -2 || (got && ingest_bad(&g, f.path, number, e)))
            goto out;
    }
    result = ingest_finish(&g, e);
out:
    json_decref(answers);
    ingest_file_free(&f);
    ingest_file_free(&ref);
    ingest_free(&g);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "ingest-mtbench",
                    .revision = 1,
                    .summary = "read MT-Bench or Vicuna-80 as a stream of instructions",
                    .operand = "[FILE]",
                    .flags = CLI_OUTPUT | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
