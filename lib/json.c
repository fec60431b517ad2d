/* Reading JSON with errors that name the key. */
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

json_t *json_parse(const char *text, size_t n, const char *what, struct error *e)
{
    json_error_t je;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &je);
    if (!j && je.line < 0) /* nothing was found wrong: the parser had no memory, and does not say so */
        error_set(e, "%s: no memory to read it", what);
    else if (!j)
        error_set(e, "%s: not valid JSON: line %d, column %d: %.160s", what, je.line, je.column,
                  je.text);
    return j;
}

json_t *json_read_file(const char *path, size_t max, struct error *e)
{
    char *text = NULL;
    size_t n = 0;
    if (file_read(path, max, &text, &n, e))
        return NULL;
    json_t *j = json_parse(text, n, path, e);
    free(text);
    return j;
}

int json_get_integer(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *out,
                     struct error *e)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v))
        return error_set(e, "\"%s\" is missing", key);
    int64_t x = 0;
    if (json_is_integer(v)) {
        x = json_integer_value(v);
    } else {
        double d = json_is_real(v) ? json_real_value(v) : NAN;
        if (!(d >= -9e15 && d <= 9e15) || d != (double)(int64_t)d)
            return error_set(e, "\"%s\" is not an integer", key);
        x = (int64_t)d;
    }
    if (x < min || x > max)
        return error_set(e, "\"%s\" is %lld, which is not within %lld and %lld", key, (long long)x,
                         (long long)min, (long long)max);
    *out = x;
    return 0;
}

int json_get_integer_or(const json_t *o, const char *key, int64_t min, int64_t max, int64_t other,
                        int64_t *out, struct error *e)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v)) {
        *out = other;
        return 0;
    }
    return json_get_integer(o, key, min, max, out, e);
}

int json_get_real_or(const json_t *o, const char *key, double other, double *out, struct error *e)
{
    const json_t *v = json_object_get(o, key);
    *out = other;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_number(v))
        return error_set(e, "\"%s\" is not a number", key);
    *out = json_number_value(v);
    return 0;
}

int json_get_bool_or(const json_t *o, const char *key, bool other, bool *out, struct error *e)
{
    const json_t *v = json_object_get(o, key);
    *out = other;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_boolean(v))
        return error_set(e, "\"%s\" is not true or false", key);
    *out = json_is_true(v);
    return 0;
}

int json_get_string(const json_t *o, const char *key, const char **out, struct error *e)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v))
        return error_set(e, "\"%s\" is missing", key);
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        return error_set(e, "\"%s\" is not a text", key);
    *out = json_string_value(v);
    return 0;
}

const char *json_get_string_or(const json_t *o, const char *key, const char *other)
{
    const json_t *v = json_object_get(o, key);
    return v && json_is_string(v) ? json_string_value(v) : other;
}

json_t *json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

int json_set(json_t *o, const char *key, json_t *value, struct error *e)
{
    if (json_object_set_new(o, key, value)) /* which gives value up in any case */
        return error_set(e, "no memory for \"%s\", or a text that is not UTF-8", key);
    return 0;
}

static int append_text(struct buffer *out, const char *s, struct error *e)
{
    return buffer_append(out, s, strlen(s), e);
}

static int append_string(struct buffer *out, const char *s, size_t n, struct error *e)
{
    if (buffer_reserve(out, n + 2, e) || append_text(out, "\"", e))
        return -1;
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 32 && c != '"' && c != '\\' && c != 127)
            continue;
        char escape[8];
        switch (c) {
        case '"': case '\\':
            snprintf(escape, sizeof escape, "\\%c", c);
            break;
        case '\n':
            strcpy(escape, "\\n");
            break;
        case '\t':
            strcpy(escape, "\\t");
            break;
        case '\r':
            strcpy(escape, "\\r");
            break;
        default:
            snprintf(escape, sizeof escape, "\\u%04x", c);
        }
        if (buffer_append(out, s + start, i - start, e) || append_text(out, escape, e))
            return -1;
        start = i + 1;
    }
    return buffer_append(out, s + start, n - start, e) || append_text(out, "\"", e) ? -1 : 0;
}

static int append_real(struct buffer *out, double x, struct error *e)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
    return append_text(out, text, e);
}

int json_append(const json_t *j, struct buffer *out, struct error *e)
{
    char text[32];
    const char *key;
    json_t *value;
    size_t i;
    bool first = true;
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        if (append_text(out, "{", e))
            return -1;
        json_object_foreach((json_t *)(uintptr_t)j, key, value) {
            if ((!first && append_text(out, ",", e)) || append_string(out, key, strlen(key), e) ||
                append_text(out, ":", e) || json_append(value, out, e))
                return -1;
            first = false;
        }
        return append_text(out, "}", e);
    case JSON_ARRAY:
        if (append_text(out, "[", e))
            return -1;
        json_array_foreach(j, i, value) {
            if ((i && append_text(out, ",", e)) || json_append(value, out, e))
                return -1;
        }
        return append_text(out, "]", e);
    case JSON_STRING:
        return append_string(out, json_string_value(j), json_string_length(j), e);
    case JSON_INTEGER:
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(j));
        return append_text(out, text, e);
    case JSON_REAL:
        return append_real(out, json_real_value(j), e);
    case JSON_TRUE:
        return append_text(out, "true", e);
    case JSON_FALSE:
        return append_text(out, "false", e);
    case JSON_NULL:
        return append_text(out, "null", e);
    }
    return -1;
}
