/* ingest-tasks: task items from plain jsonl, one object a line, for data that no other reader knows;
 * and the files that lm-evaluation-harness writes with --log_samples, with their prompts as sent.
 *
 *   choice     question, options (or choices), answer (letter, number from 0, or the option's text)
 *   factoid    question, aliases (or answers, gold, answer)
 *   retrieval  the same; wiki and web, or context, as evidence; normalized (or normalized_aliases)
 *   summary    article (or story), reference (or highlights, summary)
 *   chat       turns, or text
 * Any of them may have item (or id), group (or subject, bucket, category), and "prompt", which is
 * then sent as it stands. {"shots":GROUP,"rows":[…]} before the items of that group are its shots. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ingest.h"
#include "json.h"
#include "text_input.h"
#include "utf8.h"

static struct ingest_options o;
static const char *task = "auto";
static struct cli_option options[] = {
    {0, "task", CLI_CHOICE, &task, "T", "auto (by its first row), choice, factoid …",
     .choices = "auto|choice|factoid|retrieval|summary|chat", .result = true},
    INGEST_OPTIONS(o),
    {0},
};

static bool has(const json_t *row, const char *keys)
{
    return ingest_any(row, keys) != NULL;
}

static bool is_shots(const json_t *row)
{
    return has(row, "shots") && has(row, "rows");
}

/* A row of lm-evaluation-harness: "doc", "arguments" (a list of pairs, or an object of objects in
 * newer versions) and "target". */
static bool is_sample(const json_t *row)
{
    return has(row, "doc_id") && has(row, "arguments") && has(row, "doc");
}

/* An argument of a request in either of the two layouts: 0 the prompt, 1 the continuation (a text)
 * or how to generate (an object). */
static const json_t *argument(const json_t *row, size_t i, int which)
{
    const json_t *a = json_object_get(row, "arguments");
    char key[32];
    if (json_is_array(a))
        return json_array_get(json_array_get(a, i), (size_t)which);
    snprintf(key, sizeof key, "gen_args_%zu", i);
    return json_object_get(json_object_get(a, key), which ? "arg_1" : "arg_0");
}

static const char *task_of(const json_t *row)
{
    if (is_sample(row))
        return json_is_object(argument(row, 0, 1)) ? "factoid" : "choice";
    if (has(row, "options choices"))
        return "choice";
    if (has(row, "turns"))
        return "chat";
    if (has(row, "article story"))
        return "summary";
    if (has(row, "wiki web context normalized normalized_aliases"))
        return "retrieval";
    if (has(row, "question prompt"))
        return "factoid";
    return NULL;
}

static json_t *text_or_number(json_t *v)
{
    char text[32];
    if (json_is_string(v))
        return json_incref(v);
    if (!json_is_integer(v))
        return NULL;
    snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    return json_string(text);
}

static int copy(json_t *item, const json_t *row, const char *key, const char *keys, struct error *e)
{
    json_t *v = ingest_any(row, keys);
    if (!v)
        return 0;
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        return error_set(e, "its \"%s\" is not text", key);
    return json_object_set(item, key, v) ? error_set(e, "no memory for an item") : 0;
}

static int copy_list(json_t *item, const json_t *row, const char *key, const char *keys,
                     struct error *e)
{
    json_t *list = ingest_strings(row, keys, e);
    if (!list)
        return -1;
    return json_object_set_new(item, key, list) ? error_set(e, "no memory for an item") : 0;
}

/* A list in which the same text may stand twice. */
static int copy_turns(json_t *item, const json_t *row, const char *key, const char *keys,
                      struct error *e)
{
    json_t *given = ingest_any(row, keys);
    if (copy_list(item, row, key, keys, e))
        return -1;
    return json_is_array(given) && json_object_set(item, key, given)
               ? error_set(e, "no memory for an item")
               : 0;
}

/* The number of the right option. */
static int answer_of(const json_t *row, const json_t *opt, json_int_t *answer, struct error *e)
{
    const json_t *v = ingest_any(row, "answer gold label");
    const size_t n = json_array_size(opt);
    if (json_is_integer(v)) {
        *answer = json_integer_value(v);
    } else {
        const char *s = json_string_value(v);
        *answer = -1;
        if (s && strlen(s) == 1 && *s >= 'A' && *s < 'A' + (int)n)
            *answer = *s - 'A';
        for (size_t i = 0; s && *answer < 0 && i < n; i++)
            if (!strcmp(s, json_string_value(json_array_get(opt, i))))
                *answer = (json_int_t)i;
    }
    if (*answer < 0 || *answer >= (json_int_t)n)
        return error_set(e, "its \"answer\" names none of its %zu options", n);
    return 0;
}

static int choice(json_t *item, const json_t *row, struct error *e)
{
    const json_t *opt = ingest_any(row, "options choices"), *one;
    json_int_t answer;
    size_t i;
    if (!json_is_array(opt) || json_array_size(opt) < 2 || json_array_size(opt) > 26)
        return error_set(e, "it has no list of 2 to 26 \"options\"");
    json_array_foreach(opt, i, one)
    {
        if (!json_is_string(one))
            return error_set(e, "its option %zu is not text", i);
    }
    if (answer_of(row, opt, &answer, e))
        return -1;
    if (json_object_set(item, "options", (json_t *)opt) ||
        json_object_set_new(item, "answer", json_integer(answer)))
        return error_set(e, "no memory for an item");
    return copy(item, row, "discipline", "discipline", e);
}

/* ---- lm-evaluation-harness ---------------------------------------------------------------------
 */

/* A request to generate: the gold answers are the target's texts, else the document's. */
static int sample_generation(json_t *item, const json_t *row, struct error *e)
{
    const json_t *how = argument(row, 0, 1), *target = json_object_get(row, "target");
    json_t *until = json_object_get(how, "until"), *most = json_object_get(how, "max_gen_toks");
    json_t *aliases = json_is_string(target) || json_is_array(target)
                          ? ingest_strings(row, "target", e)
                          : ingest_strings(json_object_get(row, "doc"), "answers answer aliases", e);
    if (!aliases)
        return -1;
    if (json_object_set_new(item, "aliases", aliases) ||
        (json_is_array(until) && json_object_set(item, "stop", until)) ||
        (json_is_string(until) &&
         json_object_set_new(item, "stop", json_pack("[O]", until))) ||
        (json_is_integer(most) && json_integer_value(most) > 0 &&
         json_object_set(item, "max_new", most)))
        return error_set(e, "no memory for an item");
    return 0;
}

/* Which of n options is right: the target's number; or the one option that is the target; or what
 * "acc" says about the option of greatest log-likelihood. -1: it cannot be told. */
static json_int_t sample_answer(const json_t *row, const json_t *list)
{
    const json_t *target = json_object_get(row, "target"), *one;
    const json_t *scored = ingest_any(row, "filtered_resps");
    const size_t n = json_array_size(list);
    json_int_t found = -1;
    size_t i, best = 0;
    char *end = NULL;
    if (n == 1)
        return 0;
    if (json_is_integer(target))
        return json_integer_value(target) < (json_int_t)n ? json_integer_value(target) : -1;
    const char *text = json_string_value(target);
    const long number = text ? strtol(text, &end, 10) : -1;
    if (text && end > text && !*end && number >= 0 && number < (long)n)
        return number;
    json_array_foreach(list, i, one)
    {
        const char *option = json_string_value(one);
        if (text && !strcmp(option + strspn(option, " "), text + strspn(text, " "))) {
            if (found >= 0)
                break; /* all options end alike: the prompts differ */
            found = (json_int_t)i;
        }
    }
    if (i == n && found >= 0)
        return found;
    const json_t *acc = json_object_get(row, "acc");
    if (!json_is_number(acc) || json_array_size(scored) < n)
        return -1;
    for (i = 0; i < n; i++) {
        if (!json_is_number(json_array_get(json_array_get(scored, i), 0)))
            return -1;
        if (json_number_value(json_array_get(json_array_get(scored, i), 0)) >
            json_number_value(json_array_get(json_array_get(scored, best), 0)))
            best = i;
    }
    return json_number_value(acc) == 1 ? (json_int_t)best : n == 2 ? 1 - (json_int_t)best : -1;
}

/* Requests for log-likelihoods: the continuations are the options; where their prompts differ, each
 * has its own. */
static int sample_choice(json_t *item, const json_t *row, struct error *e)
{
    json_t *list = json_array(), *prompts = json_array();
    const char *first = json_string_value(argument(row, 0, 0));
    bool differ = false;
    for (size_t i = 0;; i++) {
        const json_t *next = argument(row, i, 1), *before = argument(row, i, 0);
        const char *text = json_string_value(before);
        if (!json_is_string(next) || !text || (i && !*text && *first))
            break; /* an empty prompt: acc_mutual_info asks for the options once more, alone */
        differ = differ || strcmp(text, first);
        json_array_append(list, (json_t *)next);
        json_array_append(prompts, (json_t *)before);
    }
    const json_int_t answer = sample_answer(row, list);
    const size_t n = json_array_size(list);
    int result = -1;
    if (json_object_set_new(item, "continuations", list) ||
        (differ && json_object_set(item, "prompts", prompts)) ||
        json_object_set_new(item, "answer", json_integer(answer)))
        error_set(e, "no memory for an item");
    else if (n == 0)
        error_set(e, "its requests have no continuations; documents of a rolling log-likelihood are "
                     "for kick-ingest-text");
    else if (answer < 0)
        error_set(e, "its \"target\" names none of its %zu options", n);
    else
        result = 0;
    json_decref(prompts);
    return result;
}

static int sample(json_t *item, const json_t *row, const char *kind, struct error *e)
{
    const json_t *prompt = argument(row, 0, 0), *doc = json_object_get(row, "doc");
    json_t *group = ingest_any(doc, "subject category");
    if (!json_is_string(prompt))
        return error_set(e, "its \"arguments\" have no prompt");
    if (json_object_set(item, "prompt", (json_t *)prompt) ||
        (json_is_string(group) && json_object_set(item, "group", group)))
        return error_set(e, "no memory for an item");
    return strcmp(kind, "choice") ? sample_generation(item, row, e) : sample_choice(item, row, e);
}

static int convert(json_t *item, const json_t *row, const char *kind, struct error *e)
{
    if (copy(item, row, "question", "question", e) || copy(item, row, "prompt", "prompt", e))
        return -1;
    if (!strcmp(kind, "choice"))
        return choice(item, row, e);
    if (!strcmp(kind, "chat")) {
        if (copy_turns(item, row, "turns", "turns text", e))
            return -1;
        return has(row, "reference") ? copy_turns(item, row, "reference", "reference", e) : 0;
    }
    if (!strcmp(kind, "summary"))
        return copy(item, row, "story", "story article", e) ||
                       copy(item, row, "article", "article story", e) ||
                       copy(item, row, "reference", "reference highlights summary", e)
                   ? -1
                   : 0;
    if (copy_list(item, row, "aliases", "aliases answers gold normalized normalized_aliases answer",
                  e))
        return -1;
    if (has(row, "normalized normalized_aliases") &&
        copy_list(item, row, "normalized", "normalized normalized_aliases", e))
        return -1;
    return copy(item, row, "wiki", "wiki", e) || copy(item, row, "web", "web context", e) ? -1 : 0;
}

/* -1: an error of the row; -2: of what is written. *filter: the first sample's. A harness repeats every
 * document for each of its filters. */
static int put(struct ingest *g, const json_t *row, const char *kind, size_t number,
               char **filter, struct error *e)
{
    char fallback[32];
    const char *own = is_sample(row) ? json_get_string_or(row, "filter", "") : NULL;
    if (own && !*filter && !(*filter = strdup(own)))
        return error_set(e, "no memory for an item");
    if (own && strcmp(own, *filter))
        return 0;
    if (is_shots(row))
        return ingest_record(g, json_incref((json_t *)row), e) ? -2 : 0;
    json_t *item = json_object(), *id = text_or_number(ingest_any(row, "item id doc_id"));
    json_t *group = text_or_number(ingest_any(row, "group subject bucket category"));
    snprintf(fallback, sizeof fallback, "%zu", number - 1);
    if (!id)
        id = json_string(fallback);
    if (!item || json_object_set_new(item, "item", id) ||
        (group && json_object_set_new(item, "group", group))) {
        json_decref(item);
        return error_set(e, "no memory for an item");
    }
    if (is_sample(row) ? sample(item, row, kind, e) : convert(item, row, kind, e)) {
        json_decref(item);
        return -1;
    }
    if (json_is_array(json_object_get(row, "stop")))
        json_object_set(item, "stop", json_object_get(row, "stop"));
    return ingest_item(g, item, e) ? -2 : 0;
}

/* The next row: 1, 0 at the end, -1 an error of the row, -2 one of the file; *row NULL for an empty
 * line. */
static int next_row(struct text_input *in, struct buffer *line, size_t *number, json_t **row,
                    struct error *e)
{
    const int got = text_input_line(in, line, e);
    *row = NULL;
    if (got != 1)
        return got ? -2 : 0;
    const char *p = (const char *)line->data;
    size_t n = line->length;
    if (++*number == 1 && n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) /* a byte order mark is no text */
        p += 3, n -= 3;
    n -= n && p[n - 1] == '\r';
    if (!n)
        return 1;
    const size_t bad = utf8_check(p, n);
    if (bad < n) {
        error_set(e, "is not UTF-8: byte 0x%02x; convert it", (unsigned)(unsigned char)p[bad]);
        return -1;
    }
    return (*row = json_parse(p, n, "this row", e)) ? 1 : -1;
}

/* The task that the first row which is an object tells; NULL: none does, or an error. */
static const char *first_task(struct text_input *in, struct buffer *line, struct error *e)
{
    const char *kind = NULL;
    size_t number = 0;
    int got = 1;
    while (!kind && got) {
        json_t *row;
        got = next_row(in, line, &number, &row, e);
        if (got == -2)
            return NULL;
        if (row && !is_shots(row))
            kind = task_of(row);
        json_decref(row);
    }
    if (!kind)
        error_set(e, "%s: no row tells which task it is of; say --task", text_input_name(in));
    return kind && !text_input_rewind(in, e) ? kind : NULL;
}

static int run(struct cli *c, struct error *e)
{
    struct ingest g;
    struct text_input *in = NULL;
    struct buffer line = {0};
    const char *kind = task;
    char *filter = NULL;
    size_t number = 0;
    int result = -1, more;
    if (ingest_new(&g, c, &o, e) || text_input_open(&in, cli_input(c), e) || text_input_digest(in, g.digest, e) ||
        (!strcmp(task, "auto") && !(kind = first_task(in, &line, e))) || ingest_start(&g, kind, cli_input(c), e))
        goto out;
    do {
        json_t *row = NULL;
        more = ingest_full(&g) ? 0 : next_row(in, &line, &number, &row, e);
        const int got = row ? put(&g, row, kind, number, &filter, e) : more < 0 ? more : 0;
        json_decref(row);
        if (got == -2 || (got && ingest_bad(&g, text_input_name(in), number, e)))
            goto out;
    } while (more);
    result = ingest_finish(&g, e);
out:
    free(filter);
    buffer_free(&line);
    text_input_close(in);
    ingest_free(&g);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "ingest-tasks",
                    .revision = 3,
                    .summary = "read plain jsonl, or lm-evaluation-harness samples, as a task stream",
                    .operand = "[FILE]",
                    .flags = CLI_OUTPUT,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
