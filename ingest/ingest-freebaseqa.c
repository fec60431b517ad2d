/* ingest-freebaseqa: FreebaseQA (Jiang, Wu and Jiang, NAACL 2019) as its authors publish it: one
 * JSON object with "Questions", each with parses and their answers. An item keeps "aliases", the
 * names of the first answer of the first parse (all that the released LLM-KICK code looks at), and
 * "answers", the names of all answers of all parses. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ingest.h"
#include "json.h"

static struct ingest_options o;
static struct cli_option options[] = {INGEST_OPTIONS(o), {0}};

static int names(const json_t *answer, json_t *list, struct error *e)
{
    const json_t *name = json_object_get(answer, "AnswersName"), *one;
    size_t i;
    if (json_is_string(name))
        return ingest_add(list, json_string_value(name), e);
    if (!json_is_array(name))
        return error_set(e, "an answer has no \"AnswersName\"");
    json_array_foreach(name, i, one)
    {
        if (!json_is_string(one))
            return error_set(e, "\"AnswersName\" holds something that is not text");
        if (ingest_add(list, json_string_value(one), e))
            return -1;
    }
    return 0;
}

static int question(struct ingest *g, const json_t *q, struct error *e)
{
    const char *text = ingest_string(q, "RawQuestion", e);
    const json_t *parses = json_object_get(q, "Parses"), *parse, *answers, *answer;
    json_t *first = json_array(), *all = json_array(), *id;
    size_t i, j;
    int result = -1;
    if (!text)
        goto out;
    id = ingest_any(q, "Question-ID");
    if (!json_is_string(id)) {
        error_set(e, "it has no text under \"Question-ID\"");
        goto out;
    }
    if (!json_is_array(parses) || json_array_size(parses) == 0) {
        error_set(e, "%s has no parses", json_string_value(id));
        goto out;
    }
    json_array_foreach(parses, i, parse)
    {
        answers = json_object_get(parse, "Answers");
        if (!json_is_array(answers) || json_array_size(answers) == 0) {
            error_set(e, "%s: parse %zu has no answers", json_string_value(id), i);
            goto out;
        }
        json_array_foreach(answers, j, answer)
        {
            if ((i == 0 && j == 0 && names(answer, first, e)) || names(answer, all, e))
                goto out;
        }
    }
    if (json_array_size(first) == 0) {
        error_set(e, "%s has no answer in its first parse", json_string_value(id));
        goto out;
    }
    result = ingest_item(g,
                         json_pack("{s:O, s:s, s:O, s:O, s:I}", "item", id, "question", text,
                                   "aliases", first, "answers", all, "parses",
                                   (json_int_t)json_array_size(parses)),
                         e);
    if (result)
        result = -2; /* writing failed: no matter of the row */
out:
    json_decref(first);
    json_decref(all);
    return result;
}

static int run(struct cli *c, struct error *e)
{
    struct ingest g;
    struct ingest_file f = {0};
    json_t *all = NULL, *q;
    size_t i;
    int result = -1;
    if (ingest_new(&g, c, &o, e))
        goto out;
    g.per_byte = INGEST_LIST;
    if (ingest_file_read(&g, &f, cli_input(c), e) ||
        !(all = json_parse((const char *)f.bytes.data, f.bytes.length, f.path, e)))
        goto out;
    const json_t *list = json_object_get(all, "Questions");
    if (!json_is_array(list)) {
        error_set(e, "%s: has no list \"Questions\": is it a FreebaseQA file?", f.path);
        goto out;
    }
    if (ingest_start(&g, "factoid", cli_input(c), e))
        goto out;
    json_array_foreach(list, i, q)
    {
        if (ingest_full(&g))
            break;
        const int got = question(&g, q, e);
        if (got == -2)
            goto out;
        if (got && ingest_bad(&g, f.path, ingest_element_line(&f, "Questions", i), e))
            goto out;
    }
    result = ingest_finish(&g, e);
out:
    json_decref(all);
    ingest_file_free(&f);
    ingest_free(&g);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "ingest-freebaseqa",
                    .revision = 1,
                    .summary = "read FreebaseQA as a stream of factoid questions",
                    .operand = "[FILE]",
                    .flags = CLI_OUTPUT | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
