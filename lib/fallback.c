/* Fallbacks, listed or refused. */
#include "fallback.h"

#include <stdarg.h>
#include <stdio.h>

#include "json.h"

int fallback_take(struct fallbacks *f, const char *name, json_t *note, struct error *e,
                  const char *format, ...)
{
    char text[256], all[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (f->refused)
        return error_set(e, "%s: %s, which --no-fallback refuses", name, text);
    const char *before = json_get_string_or(note, "fallback", NULL);
    f->count += before == NULL;
    cli_note(f->cli, "%s: %s", name, text);
    snprintf(all, sizeof all, "%s%s%s", before ? before : "", before ? "; " : "", text);
    return json_set(note, "fallback", json_string(all), e);
}

int fallback_group(struct fallbacks *f, const char *name, long group, size_t cols, json_t *note,
                   struct error *e)
{
    if (group <= 0 || (size_t)group <= cols)
        return 0;
    return fallback_take(f, name, note, e, "one group of its %zu columns, not of %ld", cols, group);
}

void fallback_tell(const struct fallbacks *f)
{
    if (f->count)
        cli_note(f->cli, "%zu matrices were not treated as asked; kick stream-show --compression "
                         "lists them", f->count);
}
