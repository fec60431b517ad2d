/* Comma-separated values as RFC 4180 defines them: fields may be quoted, a quoted field may hold
 * commas, line ends and doubled quotes; lines end in LF or CRLF. A quote inside a field that does
 * not begin with one is text, as published files have it. */
#ifndef KICK_CSV_H
#define KICK_CSV_H

#include <stddef.h>

#include "error.h"
#include "memory.h"

enum { CSV_FIELDS_MAX = 64 };

struct csv {
    const char *text; /* borrowed */
    size_t length, at, line;
    char comma; /* what separates fields */
    struct buffer row; /* the fields, each with a NUL after it */
    const char *field[CSV_FIELDS_MAX];
    size_t fields;
    size_t row_line; /* line on which the row begins, from 1 */
};

void csv_begin(struct csv *c, const char *text, size_t n, char comma);
/* Next row that is not an empty line. 1: there is one; 0: the end; -1: malformed (the reader then
 * stands behind the row's last line). */
int csv_next(struct csv *c, struct error *e);
void csv_free(struct csv *c);

#endif
