/* eval-chat: instructions of one or two turns (MT-Bench, Vicuna-80) in the model's chat format; the
 * second turn's prompt holds the first one's answer. Both scores are null: judge-* read this stream.
 * A prompt that does not fit is not cut: that turn is skipped. */
#include <stdlib.h>
#include <string.h>

#include "evaluation.h"
#include "json.h"
#include "memory.h"
#include "pytext.h"

enum { TURNS = 2 };

static const char *data = NULL, *template = NULL;
static long limit = 0, turns_max = TURNS;
static bool keep_prompts = false;
static struct generation_options g = {.top_p = 1};

static struct cli_option options[] = {
    {'d', "data", CLI_TEXT, &data, "DATA", "task stream to evaluate on (needed)"},
    {'n', "count", CLI_INT, &limit, "N", "only the first N items (0: all)", .min = 0, .max = 1e12,
     .result = true},
    {0, "turns", CLI_INT, &turns_max, "N", "turns at most", .min = 1, .max = TURNS,
     .result = true},
    {0, "template", CLI_TEXT, &template, "NAME", "chat format [the model's own]",
     .result = true},
    GENERATION_OPTIONS(g),
    {0, "keep-prompts", CLI_FLAG, &keep_prompts, NULL, "also the prompts' texts", .result = true},
    {0},
};

struct work {
    struct evaluation v;
    struct network network;
    const struct chat_format *format;
    struct answer *turn[TURNS]; /* (items); ids empty where there is no such turn */
};

static size_t turns_of(const struct task_item *item)
{
    const size_t n = json_array_size(json_object_get(item->json, "turns"));
    return n < (size_t)turns_max ? n : (size_t)turns_max;
}

/* The prompts of turn t, after the answers to those before. */
static int prepare(struct work *w, size_t t, struct error *e)
{
    const size_t room = evaluation_room(&w->v);
    for (size_t i = 0; i < w->v.tasks.count; i++) {
        const struct task_item *item = &w->v.tasks.list[i];
        struct answer *a = &w->turn[t][i];
        struct chat_message list[2 * TURNS];
        char *said[TURNS] = {NULL};
        size_t count = 0, have = 0;
        const char **text = task_texts(item, "turns", &have, e);
        int result = text ? 0 : -1;
        a->skip = true;
        if (!result && have == 0)
            result = error_set(e, "it has no turns");
        if (!result && t < turns_of(item) && (t == 0 || !w->turn[t - 1][i].skip)) {
            for (size_t k = 0; k < t; k++) {
                const struct answer *b = &w->turn[k][i];
                const char *p = b->text + b->before;
                size_t n = b->length - b->before;
                pytext_strip(&p, &n);
                said[k] = strndup(p, n);
                list[count++] = (struct chat_message){"user", text[k]};
                list[count++] = (struct chat_message){"assistant", said[k] ? said[k] : ""};
            }
            list[count++] = (struct chat_message){"user", text[t]};
            result = answer_chat(&w->v, a, w->format, list, count, e);
            a->skip = a->ids.count >= room;
            a->max_new = a->skip || (size_t)g.max_new < room - a->ids.count
                             ? (size_t)g.max_new
                             : room - a->ids.count;
        }
        free(text);
        for (size_t k = 0; k < TURNS; k++)
            free(said[k]);
        if (result)
            return error_prefix(e, "%s: item %s", w->v.tasks.name, item->name);
    }
    return 0;
}

static json_t *turn_json(const struct answer *a, struct error *e)
{
    json_t *one = json_object();
    if (answer_record(one, a, e) || (!a->skip && answer_words(one, a, e)) ||
        (a->prompt && evaluation_prompt(one, a->prompt, a->prompt_length, keep_prompts, e))) {
        json_decref(one);
        return NULL;
    }
    return one;
}

/* The record has the last turn's fields at its top; all turns are in "turns" where there are two. */
static int write_item(struct work *w, size_t i, struct error *e)
{
    const struct task_item *item = &w->v.tasks.list[i];
    json_t *record = evaluation_record(item, e), *list = json_array(), *last = NULL;
    const size_t turns = turns_of(item);
    json_int_t tokens = 0;
    for (size_t t = 0; t < turns; t++) {
        last = turn_json(&w->turn[t][i], e);
        if (!last || json_array_append_new(list, last))
            goto fail;
        tokens += (json_int_t)w->turn[t][i].count;
    }
    if (json_set(record, "strict", json_null(), e) || json_set(record, "paper", json_null(), e) ||
        json_object_update(record, last) || json_set(record, "tokens", json_integer(tokens), e) ||
        (turns > 1 && json_set(record, "turns", json_incref(list), e)))
        goto fail;
    json_decref(list);
    return evaluation_write(&w->v, record, e);
fail:
    json_decref(list);
    json_decref(record);
    return -1;
}

static int run(struct cli *c, struct error *e)
{
    struct work w = {0};
    size_t skipped = 0;
    int result = -1;
    if (evaluation_open(&w.v, c, data, "chat", limit, e) ||
        evaluation_chat_format(&w.v, template, &w.format, e))
        goto out;
    for (int t = 0; t < TURNS; t++)
        if (!(w.turn[t] = memory_new(w.v.tasks.count, sizeof *w.turn[t], "items", e)))
            goto out;
    const size_t room = evaluation_room(&w.v);
    if (!g.max_new)
        g.max_new = room / 2 < 1024 ? (long)(room / 2) : 1024;
    if (network_load(&w.network, &w.v.source, w.v.pool, c, e))
        goto out;
    for (size_t t = 0; t < (size_t)turns_max; t++)
        if (prepare(&w, t, e) ||
            evaluation_generate(&w.v, &w.network, &g, t ? "eval-chat 2" : "eval-chat", w.turn[t],
                                w.v.tasks.count, e))
            goto out;
    if (evaluation_begin(&w.v, "chat",
                         json_pack("{s:s, s:I, s:I, s:I, s:f, s:f}", "chat", w.format->name,
                                   "turns", (json_int_t)turns_max, "max_new",
                                   (json_int_t)g.max_new, "room", (json_int_t)room, "temperature",
                                   g.temperature, "top_p", g.top_p),
                         NULL, e))
        goto out;
    for (size_t i = 0; i < w.v.tasks.count; i++) {
        for (size_t t = 0; t < turns_of(&w.v.tasks.list[i]); t++)
            skipped += w.turn[t][i].skip;
        if (write_item(&w, i, e))
            goto out;
    }
    result = evaluation_end(&w.v,
                            json_pack("{s:I, s:n, s:n, s:I}", "n", (json_int_t)w.v.tasks.count,
                                      "strict", "paper", "skipped", (json_int_t)skipped),
                            e);
    cli_note(c, "%zu items, %zu turns skipped; chat format %s", w.v.tasks.count, skipped,
             w.format->name);
out:
    for (int t = 0; t < TURNS; t++) {
        for (size_t i = 0; w.turn[t] && i < w.v.tasks.count; i++)
            answer_free(&w.turn[t][i]);
        free(w.turn[t]);
    }
    network_free(&w.network);
    evaluation_free(&w.v);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "eval-chat",
                    .revision = 1,
                    .summary = "answers to instructions of one or two turns, to be judged",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
