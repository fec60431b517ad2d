/* Memory: sizes multiplied with a check, allocations that fill an error. */
#ifndef KICK_MEMORY_H
#define KICK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* *out = a * b; false when that overflows. */
bool size_multiply(size_t a, size_t b, size_t *out);

/* Zeroed memory for count items of size bytes, aligned to 64 bytes and padded with 64 readable
 * bytes; NULL with e filled ("what" names the purpose) when there is none. Freed with free(). */
void *memory_new(size_t count, size_t size, const char *what, struct error *e);

/* Large pages for memory that is there and will be read again and again, where the system has some to
 * give; what shares its pages gets them, too. */
void memory_settle(const void *p, size_t bytes);

/* realloc() for count items of size bytes; on failure NULL, e filled and p still valid. */
void *memory_resize(void *p, size_t count, size_t size, const char *what, struct error *e);

/* For a library that goes on without the memory it was refused (SQLite with NULL, where nobody looks):
 * it is remembered, and memory_short() then fails. What such a program makes is never given out:
 * output_commit(), database_commit() and cli_main() ask. */
void memory_refused(void);
int memory_short(struct error *e);

/* A growing byte buffer; zero-initialise it. */
struct buffer {
    unsigned char *data;
    size_t length, capacity;
};
int buffer_reserve(struct buffer *b, size_t more, struct error *e);
int buffer_append(struct buffer *b, const void *data, size_t n, struct error *e);
void buffer_free(struct buffer *b);

#endif
