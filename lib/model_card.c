/* Model cards in Markdown, with the metadata block that model hubs read. */
#include "model_card.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "stream.h"

static int put(struct buffer *b, struct error *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int put(struct buffer *b, struct error *e, const char *format, ...)
{
    char line[2048];
    va_list list;
    va_start(list, format);
    const int n = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    return buffer_append(b, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1, e);
}

/* A text in a table or a heading: on one line, and no bar in it. */
static const char *plain(const char *text, char *out, size_t n)
{
    size_t k = 0;
    for (; *text && k + 1 < n; text++)
        out[k++] = *text == '|' || (unsigned char)*text < 32 ? ' ' : *text;
    out[k] = '\0';
    return out;
}

static int put_steps(const json_t *header, struct buffer *out, struct error *e)
{
    const json_t *step;
    size_t i;
    if (put(out, e, "\n## Steps\n\n"))
        return -1;
    json_array_foreach(json_object_get(header, "history"), i, step) {
        char name[128];
        if (put(out, e, "%zu. %s `", i + 1, plain(json_get_string_or(step, "program", "?"), name,
                                                  sizeof name)) ||
            json_append(json_object_get(step, "options"), out, e) || put(out, e, "`\n"))
            return -1;
    }
    return 0;
}

/* One row a number of the summary. */
static int put_summary(const json_t *header, const json_t *summary, struct buffer *out,
                       struct error *e)
{
    char task[128], data[256];
    const char *key;
    json_t *v;
    plain(json_get_string_or(header, "task", "?"), task, sizeof task);
    plain(json_get_string_or(json_object_get(header, "data"), "name", "?"), data, sizeof data);
    json_object_foreach((json_t *)(uintptr_t)summary, key, v) {
        char name[128];
        if (json_is_number(v) &&
            put(out, e, "| %s | %s | %s | %.6g |\n", task, data, plain(key, name, sizeof name),
                json_number_value(v)))
            return -1;
    }
    return 0;
}

static int put_results(const char *path, const char *id, struct buffer *out, struct error *e)
{
    struct stream_reader *r = NULL;
    struct stream_record record;
    int result = -1, got;
    if (stream_open(&r, path, "results", NULL, e))
        return -1;
    if (put(out, e, "\n## Measured\n\n| task | data | measure | value |\n|---|---|---|---|\n"))
        goto out;
    do {
        const json_t *header = stream_header(r);
        const char *of = json_get_string_or(json_object_get(header, "model"), "id", "");
        if (strcmp(of, id)) {
            error_set(e, "%s: holds a result of another model, %.32s, not of this one, %s", path, of, id);
            goto out;
        }
        while ((got = stream_next(r, &record, e)) == 1) {
            const json_t *summary = json_object_get(record.json, "summary");
            if (summary && put_summary(header, summary, out, e))
                goto out;
        }
        if (got)
            goto out;
    } while ((got = stream_next_stream(r, "results", e)) == 1);
    result = got;
out:
    stream_close(r);
    return result;
}

int model_card(const struct source *s, const char *layout, uint64_t bytes, const char *results,
               struct buffer *out, struct error *e)
{
    const json_t *header = stream_header(s->reader);
    const struct source_size *size = &s->size;
    const double weights = size->weights ? (double)size->weights : 1;
    char name[256];
    plain(json_get_string_or(header, "name", s->model.architecture), name, sizeof name);
    if (put(out, e, "---\nbase_model: ") || json_append(json_object_get(header, "name"), out, e) ||
        put(out, e, "\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- compressed\n---\n\n"
                    "# %s, compressed\n\n", name) ||
        put(out, e, "| | |\n|---|---|\n| base model | %s (%s, %.4g parameters) |\n"
                    "| stream | %s |\n| layout | %s |\n", name, s->model.architecture,
            (double)model_parameters(&s->model, false), stream_header_id(s->reader), layout) ||
        put(out, e, "| sparsity | %.4f of the weights of the projections are zero |\n"
                    "| bits a weight | %.3f, scales, zero points and masks included |\n"
                    "| size | %.1f MB of weights in this directory |\n",
            (double)size->zeros / weights, 8 * (double)size->projection_bytes / weights,
            (double)bytes / 1e6) ||
        put_steps(header, out, e))
        return -1;
    if (results)
        return put_results(results, stream_header_id(s->reader), out, e);
    return put(out, e, "\nNothing was measured when this was written.\n");
}
