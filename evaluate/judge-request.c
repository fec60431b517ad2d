/* judge-request: what an LLM judge is to be asked, as OpenAI-style batch JSONL (one request a line,
 * "custom_id" = order:item). The paper's pairwise set-up: the texts of two models side by side, one
 * line of two scores from 1 to 10 for each quality (summary: coherence, consistency, fluency,
 * relevance; chat: one overall score), then an explanation. Unlike the paper both orders are asked:
 * 12 has the judged model as assistant 2, 21 as assistant 1. No network here. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "judged.h"
#include "memory.h"
#include "output.h"
#include "tasks.h"

static const char *data = NULL, *other = NULL, *judge = "gpt-4";
static double temperature = 0.2;
static long max_tokens = 1024;

static struct cli_option options[] = {
    {'d', "data", CLI_TEXT, &data, "DATA", "task stream with the questions or stories (needed)"},
    {'m', "model", CLI_TEXT, &other, "RESULTS",
     "answers to compare with [the data's own references]"},
    {0, "judge", CLI_TEXT, &judge, "NAME", "model to be asked"},
    {0, "temperature", CLI_REAL, &temperature, "T", "of the judge", .min = 0, .max = 2},
    {0, "max-new", CLI_INT, &max_tokens, "N", "tokens of a verdict at most", .min = 1,
     .max = 1 << 20},
    {0},
};

static const char summary_system[] =
    "You check summaries carefully. Two assistants have summarised the same story in at most 150 "
    "words.";
static const char summary_task[] =
    "Rate both summaries for coherence, consistency with the story, fluency and relevance, each on "
    "a scale of 1 to 10, where a higher score is better. Write four lines first, one for each "
    "quality in this order. Each line holds nothing but two numbers with a space between: the score "
    "of Assistant 1 and the score of Assistant 2. Then explain your ratings. The order in which the "
    "summaries are shown must not affect them.";
static const char chat_system[] =
    "You check answers carefully. Two assistants have answered the same user.";
static const char chat_task[] =
    "Rate the helpfulness, relevance, accuracy and level of detail of both assistants with one "
    "overall score each on a scale of 1 to 10, where a higher score is better. Write one line first "
    "that holds nothing but two numbers with a space between: the score of Assistant 1 and the "
    "score of Assistant 2. Then explain your ratings. The order in which the answers are shown must "
    "not affect them.";

static int add(struct buffer *b, const char *text, struct error *e)
{
    return buffer_append(b, text, strlen(text), e);
}

static int section(struct buffer *b, const char *title, const char *text, struct error *e)
{
    return add(b, "[", e) || add(b, title, e) || add(b, "]\n", e) || add(b, text, e) ||
                   add(b, "\n\n", e)
               ? -1
               : 0;
}

/* One side's answers, turn by turn with the user's messages. */
static int conversation(struct buffer *b, const char *title, const char **user, size_t turns,
                        const char *const *answer, struct error *e)
{
    struct buffer text = {0};
    int result = -1;
    for (size_t t = 0; t < turns; t++)
        if ((turns > 1 && (add(&text, "User: ", e) || add(&text, user[t], e) ||
                           add(&text, "\n\nAssistant: ", e))) ||
            add(&text, answer[t] ? answer[t] : "", e) ||
            (t + 1 < turns && add(&text, "\n\n", e)))
            goto out;
    if (buffer_append(&text, "", 1, e))
        goto out;
    result = section(b, title, (const char *)text.data, e);
out:
    buffer_free(&text);
    return result;
}

enum { TURNS = 2 };

static int request(struct output *o, const struct task_item *item, bool summary, const char **user,
                   size_t turns, const char *const *mine, const char *const *theirs, bool first,
                   struct error *e)
{
    struct buffer text = {0}, line = {0};
    json_t *body = NULL, *all = NULL;
    const size_t size = strlen(item->name) + 8;
    char *id = memory_new(size, 1, "a name", e);
    int result = -1;
    if (!id)
        return -1;
    snprintf(id, size, "%s:%s", first ? "21" : "12", item->name);
    if (section(&text, summary ? "Story" : "Question",
                summary ? task_text(item, "article") : user[0], e) ||
        conversation(&text, "Assistant 1", user, turns, first ? mine : theirs, e) ||
        conversation(&text, "Assistant 2", user, turns, first ? theirs : mine, e) ||
        section(&text, "Task", summary ? summary_task : chat_task, e))
        goto out;
    body = json_pack("{s:s, s:f, s:I, s:[{s:s, s:s}, {s:s, s:s%}]}", "model", judge, "temperature",
                     temperature, "max_tokens", (json_int_t)max_tokens, "messages", "role",
                     "system", "content", summary ? summary_system : chat_system, "role", "user",
                     "content", text.data, text.length - 2);
    all = json_pack("{s:s, s:s, s:s, s:O}", "custom_id", id, "method", "POST", "url",
                    "/v1/chat/completions", "body", body);
    if (!all) {
        error_set(e, "no memory for a request");
        goto out;
    }
    if (json_append(all, &line, e) || buffer_append(&line, "\n", 1, e))
        goto out;
    result = output_write(o, line.data, line.length, e);
out:
    json_decref(body);
    json_decref(all);
    buffer_free(&text);
    buffer_free(&line);
    free(id);
    return result;
}

static const json_t *same_item(const struct judged *j, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(j->items, i, one)
    {
        if (!strcmp(json_get_string_or(one, "item", ""), name))
            return one;
    }
    return NULL;
}

static int requests(struct output *o, const struct tasks *tasks, const struct judged *j,
                    const struct judged *k, size_t *asked, size_t *skipped, struct error *e)
{
    const bool summary = !strcmp(json_get_string_or(j->header, "task", ""), "summary");
    size_t i;
    json_t *record;
    json_array_foreach(j->items, i, record)
    {
        const struct task_item *item = judged_task(tasks, record);
        const char *mine[TURNS] = {NULL}, *theirs[TURNS] = {NULL};
        size_t have = 0, turns = json_array_size(json_object_get(record, "turns"));
        if (!item)
            return error_set(e, "%s: item %s is not in %s", j->name,
                             json_get_string_or(record, "item", "?"), tasks->name);
        const json_t *answer = other ? same_item(k, item->name) : NULL;
        const json_t *reference = json_object_get(item->json, "reference");
        turns = turns ? turns : 1;
        const char **user = task_texts(item, "turns", &have, e);
        if (!user)
            return -1;
        bool complete = summary ? task_text(item, "article") != NULL : have >= turns;
        for (size_t t = 0; t < turns && t < TURNS; t++) {
            mine[t] = judged_turn(record, t);
            theirs[t] = other ? judged_turn(answer, t)
                        : json_is_string(reference)
                            ? json_string_value(reference)
                            : json_string_value(json_array_get(reference, t));
            complete = complete && mine[t] && theirs[t];
        }
        int failed = 0;
        if (complete)
            failed = request(o, item, summary, user, turns, mine, theirs, false, e) ||
                     request(o, item, summary, user, turns, mine, theirs, true, e);
        free(user);
        if (failed)
            return -1;
        *asked += complete;
        *skipped += !complete;
    }
    return 0;
}

static int run(struct cli *c, struct error *e)
{
    struct judged j = {0}, k = {0};
    struct tasks tasks = {0};
    struct output *o = NULL;
    size_t asked = 0, skipped = 0;
    int result = -1;
    if (!data)
        return error_usage(e, "-d DATA is needed: the task stream that the answers belong to");
    if (judged_read(&j, cli_input(c), e) || tasks_read(&tasks, data, "summary chat", 0, e) ||
        (other && judged_read(&k, other, e)) || output_open(&o, c->output, e) ||
        requests(o, &tasks, &j, &k, &asked, &skipped, e))
        goto out;
    if (asked == 0) {
        error_set(e, "%s: no item has an answer and something to compare it with; name other "
                     "answers with -m",
                  j.name);
        goto out;
    }
    if (output_commit(o, e))
        goto out;
    if (skipped)
        cli_warn(c, "%zu items without an answer or a reference are not asked about", skipped);
    cli_note(c, "%zu requests", 2 * asked);
    result = 0;
out:
    output_free(o);
    tasks_free(&tasks);
    judged_free(&j);
    judged_free(&k);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "judge-request",
                    .revision = 1,
                    .summary = "questions for an LLM judge, as batch JSONL",
                    .operand = "[RESULTS]",
                    .flags = CLI_OUTPUT | CLI_TEXT_OUT,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
