/* Text that grows, with the first error on the way kept: checked once, at the end. */
#ifndef KICK_WRITER_H
#define KICK_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "memory.h"

struct writer {
    struct buffer text;
    struct error *e;
    bool failed;
};

void write_bytes(struct writer *w, const char *s, size_t n);
void write_string(struct writer *w, const char *s);
void write_repeated(struct writer *w, const char *s, size_t n);
void write_format(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* For html and xml: & < > and " as entities. */
void write_escaped(struct writer *w, const char *s);
void write_escaped_bytes(struct writer *w, const char *s, size_t n);

#endif
