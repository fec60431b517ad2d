/* Reading task streams. */
#include "tasks.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

static bool among(const char *word, const char *list)
{
    const size_t n = strlen(word);
    for (const char *p = list; *p; p += strspn(p, " ")) {
        const size_t k = strcspn(p, " ");
        if (k == n && !memcmp(p, word, n))
            return true;
        p += k;
    }
    return false;
}

static int take(struct tasks *t, json_t *record, struct error *e)
{
    const json_t *name = json_object_get(record, "item");
    const char *shots = json_get_string_or(record, "shots", NULL);
    if (shots)
        return json_object_set(t->shots, shots, json_object_get(record, "rows"))
                   ? error_set(e, "the shots of \"%s\" are not complete", shots)
                   : 0;
    if (!name)
        return 0; /* the summary, and what later versions add */
    if (!json_is_string(name))
        return error_set(e, "an item's name is not text");
    if ((t->count & (t->count - 1)) == 0) {
        const size_t n = t->count ? 2 * t->count : 1;
        struct task_item *list = memory_resize(t->list, n, sizeof *list, "items", e);
        if (!list)
            return -1;
        t->list = list;
    }
    t->list[t->count++] = (struct task_item){json_incref(record), json_string_value(name),
                                             json_get_string_or(record, "group", NULL)};
    return 0;
}

int tasks_read(struct tasks *t, const char *path, const char *kinds, size_t limit, struct error *e)
{
    struct stream_reader *r = NULL;
    struct stream_record record;
    int got = 0, result = -1;
    *t = (struct tasks){.shots = json_object()};
    if (!strcmp(path, "-"))
        return error_usage(e, "the task stream cannot come from standard input; name its file");
    if (stream_open(&r, path, "tasks", NULL, e))
        goto out;
    t->name = strdup(json_get_string_or(stream_header(r), "name", stream_name(r)));
    t->task = strdup(json_get_string_or(stream_header(r), "task", ""));
    if (!t->name || !t->task || !t->shots) {
        error_set(e, "no memory for a name");
        goto out;
    }
    if (!among(t->task, kinds)) {
        error_set(e, "%s: holds items of the task \"%s\", not \"%.*s\"", stream_name(r), t->task,
                  (int)strcspn(kinds, " "), kinds);
        goto out;
    }
    while ((got = stream_next(r, &record, e)) == 1)
        if ((!limit || t->count < limit) && take(t, record.json, e)) {
            error_prefix(e, "%s", stream_name(r));
            goto out;
        }
    if (got || stream_done(r, e))
        goto out;
    if (t->count == 0) {
        error_set(e, "%s: holds no item", stream_name(r));
        goto out;
    }
    memcpy(t->digest, stream_end_digest(r), sizeof t->digest);
    result = 0;
out:
    stream_close(r);
    if (result)
        tasks_free(t);
    return result;
}

void tasks_free(struct tasks *t)
{
    for (size_t i = 0; i < t->count; i++)
        json_decref(t->list[i].json);
    free(t->list);
    json_decref(t->shots);
    free(t->name);
    free(t->task);
    *t = (struct tasks){0};
}

const char *task_text(const struct task_item *item, const char *key)
{
    return json_get_string_or(item->json, key, NULL);
}

const char **task_texts(const struct task_item *item, const char *key, size_t *count,
                        struct error *e)
{
    const json_t *list = json_object_get(item->json, key);
    const char **out = memory_new(json_array_size(list) + 1, sizeof *out, "texts", e);
    *count = 0;
    for (size_t i = 0; out && i < json_array_size(list); i++)
        if (json_is_string(json_array_get(list, i)))
            out[(*count)++] = json_string_value(json_array_get(list, i));
    return out;
}
