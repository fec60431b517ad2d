/* Reading RFC 4180. */
#include "csv.h"

#include <string.h>

#include "utf8.h"

void csv_begin(struct csv *c, const char *text, size_t n, char comma)
{
    *c = (struct csv){.text = text, .length = n, .comma = comma};
}

void csv_free(struct csv *c)
{
    buffer_free(&c->row);
    *c = (struct csv){0};
}

static int end_of_line(const struct csv *c, size_t at)
{
    if (at >= c->length)
        return 0;
    if (c->text[at] == '\n')
        return 1;
    return c->text[at] == '\r' && at + 1 < c->length && c->text[at + 1] == '\n' ? 2 : 0;
}

/* Behind the line at hand, for going on after a malformed row. */
static int bad(struct csv *c, const char *what, struct error *e)
{
    while (c->at < c->length && !end_of_line(c, c->at))
        c->at++;
    c->at += (size_t)end_of_line(c, c->at);
    c->line++;
    return error_set(e, "%s", what);
}

static int put(struct csv *c, size_t from, size_t n, struct error *e)
{
    return buffer_append(&c->row, c->text + from, n, e);
}

/* One field from c->at; leaves c->at on its delimiter. */
static int field(struct csv *c, struct error *e)
{
    size_t from = c->at;
    if (c->at >= c->length || c->text[c->at] != '"') {
        while (c->at < c->length && c->text[c->at] != c->comma && !end_of_line(c, c->at))
            c->at++;
        return put(c, from, c->at - from, e);
    }
    const size_t line = c->line;
    for (from = ++c->at;; c->at++) {
        if (c->at >= c->length) {
            c->at = from; /* so that the next row is the next line */
            c->line = line;
            return bad(c, "a quoted field does not end", e);
        }
        c->line += c->text[c->at] == '\n';
        if (c->text[c->at] != '"')
            continue;
        if (put(c, from, c->at - from, e))
            return -1;
        if (c->at + 1 >= c->length || c->text[c->at + 1] != '"')
            break;
        from = ++c->at; /* of a doubled quote the second counts */
    }
    c->at++;
    if (c->at < c->length && c->text[c->at] != c->comma && !end_of_line(c, c->at))
        return bad(c, "text follows the closing quote of a field", e);
    return 0;
}

int csv_next(struct csv *c, struct error *e)
{
    size_t start[CSV_FIELDS_MAX];
    while (c->at < c->length && end_of_line(c, c->at)) {
        c->at += (size_t)end_of_line(c, c->at);
        c->line++;
    }
    if (c->at >= c->length)
        return 0;
    c->row.length = 0;
    c->fields = 0;
    c->row_line = c->line + 1;
    for (;;) {
        if (c->fields == CSV_FIELDS_MAX)
            return bad(c, "it has over 64 fields", e);
        start[c->fields++] = c->row.length;
        if (field(c, e) || buffer_append(&c->row, "", 1, e))
            return -1;
        if (c->at >= c->length || c->text[c->at] != c->comma)
            break;
        c->at++;
    }
    c->at += (size_t)end_of_line(c, c->at);
    c->line++;
    for (size_t i = 0; i < c->fields; i++) {
        c->field[i] = (const char *)c->row.data + start[i];
        const size_t end = i + 1 < c->fields ? start[i + 1] : c->row.length;
        if (memchr(c->field[i], 0, end - start[i] - 1))
            return error_set(e, "its field %zu holds a NUL byte", i + 1);
    }
    if (utf8_check((const char *)c->row.data, c->row.length) < c->row.length)
        return error_set(e, "it is not UTF-8");
    return 1;
}
