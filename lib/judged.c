/* Result streams to be judged. */
#include "judged.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

int judged_read(struct judged *j, const char *path, struct error *e)
{
    struct stream_reader *r = NULL;
    struct stream_record record;
    int got = 0, result = -1;
    *j = (struct judged){.items = json_array()};
    if (!j->items) {
        error_set(e, "no memory for items");
        goto out;
    }
    if (stream_open(&r, path, "results", NULL, e))
        goto out;
    const char *task = json_get_string_or(stream_header(r), "task", "");
    if (strcmp(task, "summary") && strcmp(task, "chat")) {
        error_set(e, "%s: holds results of the task \"%s\"; judges read those of summary and chat",
                  stream_name(r), task);
        goto out;
    }
    if (json_object_get(stream_header(r), "judge")) {
        error_set(e, "%s: holds a judge's scores, not answers", stream_name(r));
        goto out;
    }
    j->header = json_incref(stream_header(r));
    j->name = strdup(stream_name(r));
    while ((got = stream_next(r, &record, e)) == 1)
        if (json_object_get(record.json, "item") && json_array_append(j->items, record.json)) {
            error_set(e, "no memory for items");
            goto out;
        }
    if (got || stream_done(r, e))
        goto out;
    memcpy(j->end, stream_end_digest(r), sizeof j->end);
    if (json_array_size(j->items) == 0) {
        error_set(e, "%s: holds no item", j->name);
        goto out;
    }
    result = 0;
out:
    stream_close(r);
    if (result)
        judged_free(j);
    return result;
}

void judged_free(struct judged *j)
{
    json_decref(j->header);
    json_decref(j->items);
    free(j->name);
    *j = (struct judged){0};
}

const struct task_item *judged_task(const struct tasks *t, const json_t *record)
{
    const char *name = json_get_string_or(record, "item", "");
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->list[i].name, name))
            return &t->list[i];
    return NULL;
}

const char *judged_output(const json_t *record)
{
    return json_get_string_or(record, "output", NULL);
}

const char *judged_turn(const json_t *record, size_t turn)
{
    const json_t *list = json_object_get(record, "turns");
    if (json_is_array(list))
        return json_get_string_or(json_array_get(list, turn), "output", NULL);
    return turn == 0 ? judged_output(record) : NULL;
}

int judged_begin(const struct judged *j, struct cli *c, const char *judge, json_t *definition,
                 json_t *sides, struct output **output, struct stream_writer **writer,
                 struct error *e)
{
    json_t *own = cli_options_json(c), *header = NULL;
    int result = -1;
    if (!own || !definition) {
        error_set(e, "no memory for a header");
        goto out;
    }
    header = stream_header_new("results", json_get_string_or(j->header, "id", ""), j->header,
                               c->name, c->revision, own, sides, e);
    if (!header ||
        json_set(header, "task", json_incref(json_object_get(j->header, "task")), e) ||
        json_set(header, "model", json_incref(json_object_get(j->header, "model")), e) ||
        json_set(header, "data", json_incref(json_object_get(j->header, "data")), e) ||
        json_set(header, "judge", json_string(judge), e) ||
        json_set(header, "definition", json_incref(definition), e) ||
        output_open(output, c->output, e) || stream_create(writer, *output, header, NULL, e))
        goto out;
    result = 0;
out:
    json_decref(definition);
    json_decref(sides);
    json_decref(own);
    json_decref(header);
    return result;
}
