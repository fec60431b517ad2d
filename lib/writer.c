/* Text that grows. */
#include "writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void write_bytes(struct writer *w, const char *s, size_t n)
{
    w->failed = w->failed || buffer_append(&w->text, s, n, w->e);
}

void write_string(struct writer *w, const char *s)
{
    write_bytes(w, s, strlen(s));
}

void write_repeated(struct writer *w, const char *s, size_t n)
{
    while (n--)
        write_string(w, s);
}

void write_format(struct writer *w, const char *format, ...)
{
    char *text;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0) {
        w->failed = true;
        error_set(w->e, "out of memory for a text");
        return;
    }
    write_bytes(w, text, (size_t)n);
    free(text);
}

void write_escaped_bytes(struct writer *w, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        switch (s[i]) {
        case '&':
            write_string(w, "&amp;");
            break;
        case '<':
            write_string(w, "&lt;");
            break;
        case '>':
            write_string(w, "&gt;");
            break;
        case '"':
            write_string(w, "&quot;");
            break;
        default:
            write_bytes(w, s + i, 1);
        }
}

void write_escaped(struct writer *w, const char *s)
{
    write_escaped_bytes(w, s, strlen(s));
}
