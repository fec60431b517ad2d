/* Task data sets into task streams. */
#include "ingest.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json.h"
#include "text_input.h"
#include "utf8.h"

int ingest_new(struct ingest *g, struct cli *c, const struct ingest_options *o, struct error *e)
{
    *g = (struct ingest){.cli = c, .o = o, .per_byte = 1};
    g->digest = digest_new(e);
    return g->digest ? 0 : -1;
}

void ingest_free(struct ingest *g)
{
    stream_writer_free(g->writer);
    output_free(g->output);
    digest_free(g->digest);
    *g = (struct ingest){0};
}

/* Of what a file needs, the largest is said, before it is read. */
static int announce(struct ingest *g, const struct text_input *in, struct error *e)
{
    const uint64_t need = cli_memory_small(g->cli) + g->per_byte * text_input_size(in);
    if (need <= g->announced)
        return 0;
    g->announced = need;
    return cli_memory(g->cli, need, e);
}

int ingest_file_read(struct ingest *g, struct ingest_file *f, const char *path, struct error *e)
{
    struct text_input *in = NULL;
    int result = -1;
    *f = (struct ingest_file){0};
    if (text_input_open(&in, path, e) || announce(g, in, e) || text_input_digest(in, g->digest, e) ||
        text_input_all(in, &f->bytes, e))
        goto out;
    const size_t n = f->bytes.length, bad = utf8_check((const char *)f->bytes.data, n);
    f->name = path_base(path, e);
    if (!f->name)
        goto out;
    if (!(f->path = strdup(text_input_name(in)))) {
        error_set(e, "no memory for a path");
        goto out;
    }
    if (bad < n && !g->o->skip_bad) { /* else the readers find the rows that are not */
        size_t line = 1;
        for (size_t i = 0; i < bad; i++)
            line += f->bytes.data[i] == '\n';
        error_set(e, "%s: line %zu: is not UTF-8: byte 0x%02x; convert it", f->path, line,
                  (unsigned)f->bytes.data[bad]);
        goto out;
    }
    if (buffer_append(&f->bytes, "", 1, e))
        goto out;
    f->bytes.length--;
    if (n >= 3 && !memcmp(f->bytes.data, "\xef\xbb\xbf", 3)) { /* a byte order mark is no text */
        memmove(f->bytes.data, f->bytes.data + 3, n - 2);
        f->bytes.length -= 3;
    }
    result = 0;
out:
    text_input_close(in);
    if (result)
        ingest_file_free(f);
    return result;
}

void ingest_file_free(struct ingest_file *f)
{
    free(f->path);
    free(f->name);
    buffer_free(&f->bytes);
    *f = (struct ingest_file){0};
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int ingest_list_read(struct ingest_list *l, const char *dir, const char *suffix, bool directories,
                     struct error *e)
{
    DIR *d = opendir(dir);
    const size_t k = strlen(suffix);
    *l = (struct ingest_list){0};
    if (!d)
        return error_set(e, "%s: cannot list it: %s", dir, strerror(errno));
    for (const struct dirent *entry; (entry = readdir(d));) {
        const size_t n = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || n < k || strcmp(entry->d_name + n - k, suffix))
            continue;
        char *path = path_join(dir, entry->d_name, e);
        char **list = path ? memory_resize(l->name, l->count + 1, sizeof *list, "names", e) : NULL;
        const bool wanted = path && path_is_directory(path) == directories;
        free(path);
        if (list)
            l->name = list;
        if (!list || (wanted && !(l->name[l->count] = strdup(entry->d_name)))) {
            closedir(d);
            ingest_list_free(l);
            return error_set(e, "%s: no memory for its names", dir);
        }
        l->count += wanted;
    }
    closedir(d);
    if (l->count)
        qsort(l->name, l->count, sizeof *l->name, name_compare);
    return 0;
}

void ingest_list_free(struct ingest_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->name[i]);
    free(l->name);
    *l = (struct ingest_list){0};
}

int ingest_start(struct ingest *g, const char *task, const char *name_from, struct error *e)
{
    json_t *own = cli_options_json(g->cli), *header = NULL;
    const char *name = g->o->name ? g->o->name : strcmp(name_from, "-") ? name_from : task;
    char *base = path_base(name, e), id[STREAM_DIGEST_LENGTH];
    int result = -1;
    digest_hex(g->digest, id);
    if (!own || !base || json_set(own, "name", json_string(base), e))
        goto out;
    header = stream_header_new("tasks", id, NULL, g->cli->name, g->cli->revision, own, NULL, e);
    if (!header || json_set(header, "name", json_string(base), e) ||
        json_set(header, "task", json_string(task), e) ||
        output_open(&g->output, g->cli->output, e) ||
        stream_create(&g->writer, g->output, header, NULL, e))
        goto out;
    result = 0;
out:
    json_decref(own);
    json_decref(header);
    free(base);
    return result;
}

bool ingest_full(const struct ingest *g)
{
    return g->o->limit > 0 && g->items >= (size_t)g->o->limit;
}

int ingest_record(struct ingest *g, json_t *record, struct error *e)
{
    if (!record)
        return error_set(e, "no memory for a record");
    const int result = stream_write(g->writer, record, NULL, 0, e);
    json_decref(record);
    return result;
}

int ingest_item(struct ingest *g, json_t *item, struct error *e)
{
    g->items++;
    return ingest_record(g, item, e);
}

int ingest_bad(struct ingest *g, const char *file, size_t line, struct error *e)
{
    if (g->o->skip_bad) {
        if (g->bad++ == 0)
            cli_note(g->cli, "%s: line %zu left out: %s", file, line, e->text);
        return 0;
    }
    if (line)
        return error_prefix(e, "%s: line %zu", file, line);
    return error_prefix(e, "%s", file);
}

int ingest_finish(struct ingest *g, struct error *e)
{
    if (g->items == 0)
        return error_set(e, "there is no item in the input%s",
                         g->bad ? ": every row is malformed" : "");
    if (ingest_record(g,
                      json_pack("{s:{s:I, s:I}}", "summary", "items", (json_int_t)g->items, "bad",
                                (json_int_t)g->bad),
                      e) ||
        stream_finish(g->writer, NULL, e) || output_commit(g->output, e))
        return -1;
    if (g->bad)
        cli_warn(g->cli, "%zu malformed rows were left out", g->bad);
    cli_note(g->cli, "%zu items", g->items);
    return 0;
}

bool ingest_line(const struct buffer *b, size_t *at, const char **line, size_t *n)
{
    if (*at >= b->length)
        return false;
    const char *p = (const char *)b->data + *at, *end = memchr(p, '\n', b->length - *at);
    *line = p;
    *n = end ? (size_t)(end - p) : b->length - *at;
    *at += *n + (end != NULL);
    if (*n && p[*n - 1] == '\r')
        --*n;
    return true;
}

/* A string without a NUL inside. */
static bool is_text(const json_t *v)
{
    return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v);
}

/* Behind a JSON string that begins at p. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        p += *p == '\\';
    return p < end ? p + 1 : end;
}

size_t ingest_element_line(const struct ingest_file *f, const char *key, size_t index)
{
    const char *p = (const char *)f->bytes.data, *end = p + f->bytes.length, *text = p;
    const size_t n = strlen(key);
    size_t depth = 0, line = 1;
    bool inside = false; /* the list, whose elements are at depth 2 */
    while (p < end) {
        const bool element = inside && depth == 2 && !strchr(" \t\r\n,]", *p);
        if (element && index-- == 0)
            break;
        if (*p == '"') {
            const char *next = string_end(p, end);
            if (depth == 1 && (size_t)(next - p) == n + 2 && !memcmp(p + 1, key, n)) {
                next += strspn(next, " \t\r\n:");
                inside = *next == '[';
            }
            p = next;
        } else if (element && !strchr("[{", *p)) {
            p += strcspn(p, ",]"); /* a number or a word */
        } else {
            const bool closes = *p == ']' || *p == '}';
            depth += *p == '[' || *p == '{';
            depth -= closes && depth > 0;
            inside = inside && !(closes && depth < 2);
            p++;
        }
    }
    for (; text < p; text++)
        line += *text == '\n';
    return line;
}

json_t *ingest_any(const json_t *o, const char *keys)
{
    for (const char *p = keys; *p;) {
        const size_t n = strcspn(p, " ");
        json_t *v = json_object_getn(o, p, n);
        if (v && !json_is_null(v))
            return v;
        p += n + strspn(p + n, " ");
    }
    return NULL;
}

const char *ingest_string(const json_t *o, const char *keys, struct error *e)
{
    const json_t *v = ingest_any(o, keys);
    if (!is_text(v)) {
        error_set(e, "it has no text under \"%.*s\"", (int)strcspn(keys, " "), keys);
        return NULL;
    }
    return json_string_value(v);
}

int ingest_add(json_t *list, const char *text, struct error *e)
{
    size_t i;
    const json_t *v;
    json_array_foreach(list, i, v)
    {
        if (!strcmp(json_string_value(v), text))
            return 0;
    }
    return json_array_append_new(list, json_string(text))
               ? error_set(e, "no memory for a list of answers")
               : 0;
}

json_t *ingest_strings(const json_t *o, const char *keys, struct error *e)
{
    const json_t *v = ingest_any(o, keys), *one;
    json_t *list = json_array();
    size_t i;
    if (is_text(v) && list && !ingest_add(list, json_string_value(v), e))
        return list;
    if (json_is_array(v) && json_array_size(v) && list) {
        json_array_foreach(v, i, one)
        {
            if (!is_text(one) || ingest_add(list, json_string_value(one), e))
                goto bad;
        }
        return list;
    }
bad:
    json_decref(list);
    error_set(e, "it has no text or list of texts under \"%.*s\"", (int)strcspn(keys, " "), keys);
    return NULL;
}
