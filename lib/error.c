/* Error texts. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Keeps a message on one line and away from a terminal's control sequences. */
static void clean(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            *s = '?';
}

static void fill(struct error *e, bool usage, const char *format, va_list ap)
{
    if (!e)
        return;
    vsnprintf(e->text, sizeof e->text, format, ap);
    e->usage = usage;
    clean(e->text);
}

int error_set(struct error *e, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fill(e, false, format, ap);
    va_end(ap);
    return -1;
}

int error_usage(struct error *e, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fill(e, true, format, ap);
    va_end(ap);
    return -1;
}

int error_prefix(struct error *e, const char *format, ...)
{
    if (!e)
        return -1;
    struct error old = *e;
    va_list ap;
    va_start(ap, format);
    fill(e, old.usage, format, ap);
    va_end(ap);
    size_t n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", old.text);
    return -1;
}
