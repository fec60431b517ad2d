/* eval-summary: summaries of stories (CNN/DailyMail) in the model's chat format. The instruction is
 * the paper's ("story" for the bucket small, "news" for the others), followed by the most characters
 * of the story for which prompt and answer fit. Both scores are null: judge-* read this stream. */
#include <stdlib.h>
#include <string.h>

#include "evaluation.h"
#include "json.h"
#include "memory.h"
#include "pytext.h"

static const char *data = NULL, *prompt_file = NULL, *template = NULL, *text_key = "story";
static long limit = 0;
static bool keep_prompts = false;
static struct generation_options g = {.top_p = 1};

static struct cli_option options[] = {
    {'d', "data", CLI_TEXT, &data, "DATA", "task stream to evaluate on (needed)"},
    {'n', "count", CLI_INT, &limit, "N", "only the first N items (0: all)", .min = 0, .max = 1e12,
     .result = true},
    {0, "text", CLI_CHOICE, &text_key, "T", "story (as released) or article (no highlights)",
     .choices = "story|article", .result = true},
    {0, "prompt", CLI_TEXT, &prompt_file, "FILE", "another instruction; {kind}, {story}"},
    {0, "template", CLI_TEXT, &template, "NAME", "chat format [the model's own]",
     .result = true},
    GENERATION_OPTIONS(g),
    {0, "keep-prompts", CLI_FLAG, &keep_prompts, NULL, "also the prompts' texts", .result = true},
    {0},
};

struct asking {
    const struct evaluation *v;
    const struct chat_format *format;
    const char *instruction, *kind;
    char *story;
    size_t budget;
    struct answer *answer;
};

/* Makes the prompt with `bytes` bytes of the story; 1: it fits. */
static int attempt(void *context, size_t bytes, struct error *e)
{
    static const char *const names[] = {"kind", "story"};
    struct asking *q = context;
    const char kept = q->story[bytes];
    struct buffer text = {0};
    int result = -1;
    q->story[bytes] = 0;
    const char *const values[] = {q->kind, q->story};
    if (!evaluation_fill(&text, q->instruction, names, values, 2, e)) {
        const struct chat_message list[] = {{"user", (const char *)text.data}};
        answer_free(q->answer);
        result = answer_chat(q->v, q->answer, q->format, list, 1, e);
    }
    q->story[bytes] = kept;
    buffer_free(&text);
    return result ? -1 : q->answer->ids.count <= q->budget;
}

static int prepare(const struct evaluation *v, const struct chat_format *format,
                   const char *instruction, const struct task_item *item, struct answer *a,
                   size_t *kept, struct error *e)
{
    const char *story = task_text(item, text_key);
    const bool small = !item->group || !strcmp(item->group, "small");
    const size_t room = evaluation_room(v);
    struct asking q = {v, format, instruction, small ? "story" : "news", NULL, 0, a};
    if (!story)
        return error_set(e, "it has no \"%s\"", text_key);
    q.budget = room - (size_t)g.max_new;
    if (!(q.story = strdup(story)))
        return error_set(e, "no memory for a story");
    const int result = evaluation_fit(story, SIZE_MAX, attempt, &q, kept, e);
    free(q.story);
    a->skip = a->ids.count > q.budget;
    return result;
}

static int write_item(struct evaluation *v, const struct task_item *item, const struct answer *a,
                      size_t kept, struct error *e)
{
    json_t *record = evaluation_record(item, e);
    if (!record || json_set(record, "strict", json_null(), e) ||
        json_set(record, "paper", json_null(), e) || answer_record(record, a, e) ||
        (!a->skip && answer_words(record, a, e)) ||
        json_set(record, "story_chars", json_integer((json_int_t)kept), e) ||
        evaluation_prompt(record, a->prompt, a->prompt_length, keep_prompts, e)) {
        json_decref(record);
        return -1;
    }
    return evaluation_write(v, record, e);
}

static int run(struct cli *c, struct error *e)
{
    struct evaluation v;
    struct network network = {0};
    const struct chat_format *format = NULL;
    struct answer *list = NULL;
    size_t *kept = NULL, skipped = 0;
    char *instruction = NULL;
    int result = -1;
    if (evaluation_open(&v, c, data, "summary", limit, e) ||
        evaluation_chat_format(&v, template, &format, e) ||
        !(instruction = evaluation_template(
              prompt_file,
              "Summarize the given {kind} in less than 150 words while preserving high coherence, "
              "consistency, fluency, and relevance.\n\n{story}",
              e)) ||
        !(list = memory_new(v.tasks.count, sizeof *list, "items", e)) ||
        !(kept = memory_new(v.tasks.count, sizeof *kept, "items", e)))
        goto out;
    const size_t room = evaluation_room(&v);
    if (!g.max_new)
        g.max_new = room / 2 < 1024 ? (long)(room / 2) : 1024;
    if ((size_t)g.max_new >= room) {
        error_usage(e, "--max-new %ld leaves no room for a prompt in %zu positions", g.max_new,
                    room);
        goto out;
    }
    for (size_t i = 0; i < v.tasks.count; i++)
        if (prepare(&v, format, instruction, &v.tasks.list[i], &list[i], &kept[i], e)) {
            error_prefix(e, "%s: item %s", v.tasks.name, v.tasks.list[i].name);
            goto out;
        }
    if (network_load(&network, &v.source, v.pool, c, e) ||
        evaluation_generate(&v, &network, &g, "eval-summary", list, v.tasks.count, e) ||
        evaluation_begin(&v, "summary",
                         json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f}", "prompt", instruction,
                                   "chat", format->name, "text", text_key, "max_new",
                                   (json_int_t)g.max_new, "room", (json_int_t)room, "temperature",
                                   g.temperature, "top_p", g.top_p),
                         NULL, e))
        goto out;
    for (size_t i = 0; i < v.tasks.count; i++) {
        skipped += list[i].skip;
        if (write_item(&v, &v.tasks.list[i], &list[i], kept[i], e))
            goto out;
    }
    result = evaluation_end(&v,
                            json_pack("{s:I, s:n, s:n, s:I}", "n", (json_int_t)v.tasks.count,
                                      "strict", "paper", "skipped", (json_int_t)skipped),
                            e);
    cli_note(c, "%zu items, %zu skipped; chat format %s", v.tasks.count, skipped, format->name);
out:
    for (size_t i = 0; list && i < v.tasks.count; i++)
        answer_free(&list[i]);
    free(list);
    free(kept);
    free(instruction);
    network_free(&network);
    evaluation_free(&v);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "eval-summary",
                    .revision = 1,
                    .summary = "summaries of stories, to be judged",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
