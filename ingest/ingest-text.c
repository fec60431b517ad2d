/* Texts, or rows of token ids, as a text stream: one record a document. Nothing is repaired: a CR
 * stays, an empty line is a document of its own with -f lines, and what is not UTF-8 is refused. */
#include "cli.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "stream.h"
#include "text_input.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

static const char *format = "auto", *name;
static long limit = -1;

enum format { TXT, LINES, JSONL, IDS };

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n >= k && !memcmp(s + n - k, end, k);
}

/* -f auto: by the name, without .gz or .zst. */
static enum format format_of(const char *path)
{
    static const char *const list[] = {"txt", "lines", "jsonl", "ids"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(format, list[i]))
            return (enum format)i;
    size_t n = strlen(path);
    n -= ends_with(path, n, ".gz") ? 3 : ends_with(path, n, ".zst") ? 4 : 0;
    const bool json = ends_with(path, n, ".jsonl") || ends_with(path, n, ".json") ||
                      ends_with(path, n, ".ndjson");
    return ends_with(path, n, ".ids") ? IDS : json ? JSONL : TXT;
}

struct ingest {
    struct stream_writer *writer;
    struct text_input *in;
    size_t documents;
    size_t line; /* number of the current line, from 1 */
    long limit;  /* -n, or -1 */
};

static bool full(const struct ingest *g)
{
    return g->limit >= 0 && g->documents >= (size_t)g->limit;
}

static int put(struct ingest *g, const char *key, json_t *value, struct error *e)
{
    json_t *json = json_object();
    int result = -1;
    if (!json_set(json, key, value, e))
        result = stream_write(g->writer, json, NULL, 0, e);
    json_decref(json);
    g->documents++;
    return result;
}

static int put_text(struct ingest *g, const char *text, size_t n, struct error *e)
{
    size_t bad = utf8_check(text, n);
    if (bad < n)
        return error_set(e, "is not UTF-8: byte %zu is 0x%02x; convert it", bad,
                         (unsigned)(unsigned char)text[bad]);
    return put(g, "text", json_stringn(text, n), e);
}

static int put_json(struct ingest *g, const struct buffer *line, struct error *e)
{
    json_t *row = json_parse((const char *)line->data, line->length, "this row", e);
    int result = -1;
    if (!row)
        return -1;
    const json_t *text = json_object_get(row, "text");
    if (!json_is_string(text))
        error_set(e, "has no field \"text\" with a text");
    else
        result = put_text(g, json_string_value(text), json_string_length(text), e);
    json_decref(row);
    return result;
}

static int put_ids(struct ingest *g, struct buffer *line, struct error *e)
{
    json_t *ids = json_array();
    if (!ids || buffer_append(line, "", 1, e)) { /* a NUL for strtol */
        json_decref(ids);
        return error_set(e, "no memory for ids");
    }
    char *p = (char *)line->data, *end;
    for (;; p = end) {
        p += strspn(p, " \t\r");
        if (!*p)
            break;
        long id = strtol(p, &end, 10);
        if (end == p || id < 0 || id > INT32_MAX || !strchr(" \t\r", *end) ||
            json_array_append_new(ids, json_integer(id))) {
            json_decref(ids);
            return error_set(e, "'%.20s' is not a token id; a row is numbers with spaces between", p);
        }
    }
    if ((size_t)(p - (char *)line->data) != line->length - 1 || json_array_size(ids) == 0) {
        json_decref(ids);
        return error_set(e, "holds no token ids");
    }
    return put(g, "ids", ids, e);
}

static int ingest_file(struct ingest *g, enum format f, struct error *e)
{
    struct buffer text = {0};
    int result = -1, got;
    size_t before = g->documents;
    g->line = 0;
    if (f == TXT) {
        if (text_input_all(g->in, &text, e))
            goto out;
        if (text.length && put_text(g, (const char *)text.data, text.length, e)) {
            error_prefix(e, "%s", text_input_name(g->in));
            goto out;
        }
    }
    while (f != TXT && !full(g)) {
        if ((got = text_input_line(g->in, &text, e)) < 0)
            goto out;
        if (got == 0)
            break;
        g->line++;
        if (f == LINES  ? put_text(g, (const char *)text.data, text.length, e)
            : f == JSONL ? put_json(g, &text, e)
                         : put_ids(g, &text, e)) {
            error_prefix(e, "%s: line %zu", text_input_name(g->in), g->line);
            goto out;
        }
    }
    if (g->documents == before && !full(g)) {
        error_set(e, "%s: is empty: there is nothing to ingest", text_input_name(g->in));
        goto out;
    }
    result = 0;
out:
    buffer_free(&text);
    return result;
}

static struct cli_option options[] = {
    {'f', "format", CLI_CHOICE, &format, "F", "auto (by name), txt, lines, jsonl or ids",
     .choices = "auto|txt|lines|jsonl|ids", .result = true},
    {'n', "count", CLI_INT, &limit, "N", "only the first N documents", .min = 1, .max = 1e15},
    {0, "name", CLI_TEXT, &name, "NAME", "what reports call the text [file name]"},
    {0},
};

/* A text that is one document is held whole, as it is and as a record; of lines one at a time. */
static int announce(const struct cli *c, struct text_input *const *in, char *const *list, int count,
                    struct error *e)
{
    uint64_t most = 0;
    for (int i = 0; i < count; i++) {
        const uint64_t size = format_of(list[i]) == TXT ? text_input_size(in[i]) : 0;
        most = size > most ? size : most;
    }
    return cli_memory(c, cli_memory_small(c) + 4 * most, e);
}

static int run(struct cli *c, struct error *e)
{
    struct ingest g = {.limit = limit};
    struct output *output = NULL;
    struct digest *digest = digest_new(e);
    char id[STREAM_DIGEST_LENGTH], *base = NULL;
    json_t *header = NULL, *own = cli_options_json(c);
    static char *standard_input[] = {"-"};
    char **list = c->operands ? c->operand_list : standard_input;
    int count = c->operands ? c->operands : 1, result = -1;
    struct text_input **in = memory_new((size_t)count, sizeof *in, "files", e);
    if (!digest || !own || !in)
        goto out;
    for (int i = 0; i < count; i++)
        if (text_input_open(&in[i], list[i], e) || text_input_digest(in[i], digest, e))
            goto out;
    if (announce(c, in, list, count, e))
        goto out;
    digest_hex(digest, id);
    base = path_base(name ? name : strcmp(list[0], "-") ? list[0] : "text", e);
    if (!base || json_set(own, "name", json_string(base), e) ||
        (limit >= 0 && json_set(own, "count", json_integer(limit), e)))
        goto out;
    header = stream_header_new("text", id, NULL, c->name, c->revision, own, NULL, e);
    if (!header || json_set(header, "name", json_string(base), e) ||
        output_open(&output, c->output, e) || stream_create(&g.writer, output, header, NULL, e))
        goto out;
    for (int i = 0; i < count && !full(&g); i++) {
        g.in = in[i];
        if (ingest_file(&g, format_of(list[i]), e))
            goto out;
    }
    if (stream_finish(g.writer, NULL, e) || output_commit(output, e))
        goto out;
    cli_note(c, "%zu documents", g.documents);
    result = 0;
out:
    stream_writer_free(g.writer);
    output_free(output);
    for (int i = 0; in && i < count; i++)
        text_input_close(in[i]);
    free(in);
    free(base);
    json_decref(header);
    json_decref(own);
    digest_free(digest);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "ingest-text",
                    .revision = 1,
                    .summary = "read texts or rows of token ids as a text stream",
                    .operand = "[FILE...]",
                    .flags = CLI_OUTPUT | CLI_MEMORY | CLI_OPERANDS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
