/* Reading JSON objects with errors that name the key. */
#ifndef KICK_JSON_H
#define KICK_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory.h"

/* Parses n bytes; `what` names them in the error. Nesting is limited by jansson (2048). */
json_t *json_parse(const char *text, size_t n, const char *what, struct error *e);
/* Reads and parses a file of at most max bytes. */
json_t *json_read_file(const char *path, size_t max, struct error *e);

/* Value of a key with its type checked: missing or another type is an error that names the key, the
 * limits are inclusive. The _or forms take a default where the key is missing or null. */
int json_get_integer(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *out,
                     struct error *e);
int json_get_integer_or(const json_t *o, const char *key, int64_t min, int64_t max, int64_t other,
                        int64_t *out, struct error *e);
int json_get_real_or(const json_t *o, const char *key, double other, double *out, struct error *e);
int json_get_bool_or(const json_t *o, const char *key, bool other, bool *out, struct error *e);
int json_get_string(const json_t *o, const char *key, const char **out, struct error *e);
const char *json_get_string_or(const json_t *o, const char *key, const char *other);

/* Appends j as one compact line without a newline: keys in their order, real numbers in the fewest
 * digits that read back as the same double. */
int json_append(const json_t *j, struct buffer *out, struct error *e);

/* A JSON number, or null when the value is not finite. */
json_t *json_number(double x);

/* json_object_set_new() whose failure (or a NULL value) is an error. */
int json_set(json_t *o, const char *key, json_t *value, struct error *e);

#endif
