/* What a method does with a matrix that it cannot treat as asked: told in the matrix's record under
 * "fallback", in a line with -v, by number at the end; or an error (--no-fallback). */
#ifndef KICK_FALLBACK_H
#define KICK_FALLBACK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli.h"
#include "error.h"

struct fallbacks {
    const struct cli *cli;
    bool refused; /* --no-fallback */
    size_t count;
};

/* The option, for a table of struct cli_option: it makes no difference to a result. */
#define FALLBACK_OPTION(f)                                                                         \
    {                                                                                              \
        0, "no-fallback", CLI_FLAG, &(f).refused, NULL,                                            \
            "fail where a matrix cannot be treated as asked"                                       \
    }

/* note: what the step says about the matrix `name`. */
int fallback_take(struct fallbacks *f, const char *name, json_t *note, struct error *e,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Where `group` columns a scale were asked for and a row has fewer. */
int fallback_group(struct fallbacks *f, const char *name, long group, size_t cols, json_t *note,
                   struct error *e);
void fallback_tell(const struct fallbacks *f);

#endif
