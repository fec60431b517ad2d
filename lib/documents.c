/* Reading text streams. */
#include "documents.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

static int take_ids(struct document *d, const json_t *ids, size_t row, struct error *e)
{
    d->count = json_array_size(ids);
    d->ids = memory_new(d->count, sizeof *d->ids, "a row of ids", e);
    if (!d->ids)
        return -1;
    for (size_t i = 0; i < d->count; i++) {
        const json_t *v = json_array_get(ids, i);
        const json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0 || id > INT32_MAX)
            return error_set(e, "row %zu: entry %zu is not a token id", row, i);
        d->ids[i] = (int32_t)id;
    }
    return 0;
}

static int take(struct documents *d, const json_t *record, struct error *e)
{
    const json_t *text = json_object_get(record, "text"), *ids = json_object_get(record, "ids");
    const size_t row = d->count;
    if (!json_is_string(text) && !json_is_array(ids))
        return error_set(e, "record %zu has neither \"text\" nor \"ids\"", row);
    if (row > 0 && d->ids != json_is_array(ids))
        return error_set(e, "record %zu: texts and rows of ids are mixed", row);
    d->ids = json_is_array(ids);
    if ((row & (row - 1)) == 0) { /* room for a power of two */
        struct document *list =
            memory_resize(d->list, row ? 2 * row : 1, sizeof *list, "documents", e);
        if (!list)
            return -1;
        d->list = list;
    }
    d->list[row] = (struct document){0};
    d->count++;
    if (d->ids)
        return take_ids(&d->list[row], ids, row, e);
    struct document *own = &d->list[row];
    own->bytes = json_string_length(text);
    own->text = memory_new(own->bytes + 1, 1, "a document", e);
    if (!own->text)
        return -1;
    memcpy(own->text, json_string_value(text), own->bytes);
    return 0;
}

int documents_read(struct documents *d, const char *path, size_t limit, struct error *e)
{
    struct stream_reader *r = NULL;
    struct stream_record record;
    int got = 0, result = -1;
    *d = (struct documents){0};
    if (!strcmp(path, "-"))
        return error_usage(e, "the data stream cannot come from standard input; name its file");
    if (stream_open(&r, path, "text", NULL, e))
        goto out;
    d->name = strdup(json_get_string_or(stream_header(r), "name", stream_name(r)));
    if (!d->name) {
        error_set(e, "no memory for a name");
        goto out;
    }
    while ((got = stream_next(r, &record, e)) == 1) {
        if (limit && d->count == limit)
            continue; /* to the end, which proves the stream whole */
        if (take(d, record.json, e)) {
            error_prefix(e, "%s", stream_name(r));
            goto out;
        }
    }
    if (got || stream_done(r, e))
        goto out;
    if (d->count == 0) {
        error_set(e, "%s: holds no document", stream_name(r));
        goto out;
    }
    memcpy(d->digest, stream_end_digest(r), sizeof d->digest);
    result = 0;
out:
    stream_close(r);
    if (result)
        documents_free(d);
    return result;
}

void documents_free(struct documents *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->list[i].text);
        free(d->list[i].ids);
    }
    free(d->list);
    free(d->name);
    *d = (struct documents){0};
}

int documents_check_ids(const struct documents *d, const struct model *m, size_t least,
                        struct error *e)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct document *row = &d->list[i];
        if (row->count < least)
            return error_set(e, "%s: row %zu has %zu ids; it needs %zu", d->name, i, row->count,
                             least);
        if (row->count > m->positions)
            return error_set(e, "%s: row %zu has %zu ids; the model has %zu positions", d->name, i,
                             row->count, m->positions);
        for (size_t j = 0; j < row->count; j++)
            if ((size_t)row->ids[j] >= m->vocab)
                return error_set(e, "%s: row %zu: id %ld is outside the model's vocabulary of %zu",
                                 d->name, i, (long)row->ids[j], m->vocab);
    }
    return 0;
}
