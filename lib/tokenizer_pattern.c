/* Patterns of tokenizer.json, which are written for Oniguruma (Ruby syntax), compiled with PCRE2.
 *
 * The two dialects agree on what such files use, but for these, which are rewritten: \s is the
 * Unicode property White_Space (PCRE2 adds U+180E), \w takes marks and connector punctuation, \h is
 * a hexadecimal digit, ^ and $ match at every line, (?m) lets a dot match a newline, \uHHHH. What
 * would mean something else and cannot be rewritten (classes in classes, &&) is refused. */
#include <string.h>

#include "tokenizer_steps.h"

/* Oniguruma's \w in a class; by itself it takes the digits and fractions of Latin-1 in addition. */
#define CLASS_WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define WORD CLASS_WORD "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

static int put(struct buffer *b, const char *s, struct error *e)
{
    return buffer_append(b, s, strlen(s), e);
}

static int refuse(const char *p, size_t n, const char *what, struct error *e)
{
    return error_set(e, "tokenizer.json: pattern '%.*s': %s is not supported",
                     (int)(n < 300 ? n : 300), p, what);
}

/* The escape \c; p[*i] is c. *i moves past what was read. */
static int translate_escape(const char *p, size_t n, size_t *i, bool in_class, struct buffer *b,
                            struct error *e)
{
    char c = p[(*i)++];
    switch (c) {
    case 's':
        return put(b, "\\p{White_Space}", e);
    case 'S':
        return put(b, "\\P{White_Space}", e);
    case 'w':
        return put(b, in_class ? CLASS_WORD : "[" WORD "]", e);
    case 'h':
        return put(b, in_class ? "0-9A-Fa-f" : "[0-9A-Fa-f]", e);
    case 'W':
        return in_class ? refuse(p, n, "\\W in a class", e) : put(b, "[^" WORD "]", e);
    case 'H':
        return in_class ? refuse(p, n, "\\H in a class", e) : put(b, "[^0-9A-Fa-f]", e);
    case 'b':
        return put(b,
                   in_class ? "\\x08"
                            : "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))",
                   e);
    case 'B':
        return in_class
                   ? refuse(p, n, "\\B in a class", e)
                   : put(b, "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))", e);
    case 'u':
        if (n - *i < 4)
            return refuse(p, n, "\\u without four digits", e);
        if (put(b, "\\x{", e) || buffer_append(b, p + *i, 4, e) || put(b, "}", e))
            return -1;
        *i += 4;
        return 0;
    case 'C':
    case 'M':
    case 'Q':
    case 'E':
    case 'N':
    case 'O':
        return refuse(p, n, "\\C, \\M, \\N, \\O, \\Q or \\E", e);
    default:
        return buffer_append(b, (const char[]){'\\', c}, 2, e);
    }
}

/* The options of (?imx-imx: or (?imx-imx); p[*i] is what follows the question mark. */
static int translate_options(const char *p, size_t n, size_t *i, struct buffer *b, struct error *e)
{
    size_t k = *i;
    while (k < n && p[k] && strchr("imx-", p[k]))
        k++;
    if (k == *i || k == n || (p[k] != ':' && p[k] != ')'))
        return 0;
    for (; *i < k; ++*i)
        if (buffer_append(b, p[*i] == 'm' ? "s" : p + *i, 1, e))
            return -1;
    return 0;
}

static int translate(const char *p, size_t n, struct buffer *b, struct error *e)
{
    bool in_class = false;
    for (size_t i = 0; i < n;) {
        char c = p[i++];
        if (c == '\\' && i < n) {
            if (translate_escape(p, n, &i, in_class, b, e))
                return -1;
            continue;
        }
        if (buffer_append(b, &c, 1, e))
            return -1;
        if (in_class) {
            if (c == ']')
                in_class = false;
            if (c == '&' && i < n && p[i] == '&')
                return refuse(p, n, "the intersection of classes", e);
            if (c == '[') {
                const char *end = i < n && p[i] == ':' ? memmem(p + i, n - i, ":]", 2) : NULL;
                if (!end)
                    return refuse(p, n, "a class in a class", e);
                size_t skip = (size_t)(end + 2 - (p + i));
                if (buffer_append(b, p + i, skip, e))
                    return -1;
                i += skip;
            }
        } else if (c == '[') {
            in_class = true;
            /* A bracket that comes first in its class is itself, in both dialects. */
            for (int k = 0; k < 2 && i < n && (p[i] == ']' || (p[i] == '^' && !k)); k++)
                if (buffer_append(b, p + i++, 1, e) || p[i - 1] == ']')
                    break;
        } else if (c == '(' && i < n && p[i] == '?') {
            if (buffer_append(b, p + i++, 1, e) || translate_options(p, n, &i, b, e))
                return -1;
        }
    }
    return 0;
}

int pattern_compile(pcre2_code **out, const char *pattern, size_t n, bool literal, struct error *e)
{
    struct buffer b = {0};
    int code = 0, rc = -1;
    size_t at = 0;
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
    pcre2_compile_context *context = NULL;
    if (literal) {
        options = PCRE2_UTF | PCRE2_LITERAL;
        if (buffer_append(&b, pattern, n, e))
            goto out;
    } else {
        options |= PCRE2_UCP | PCRE2_MULTILINE;
        if (translate(pattern, n, &b, e))
            goto out;
    }
    context = pcre2_compile_context_create(NULL);
    if (!context) {
        error_set(e, "no memory for a pattern");
        goto out;
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    *out = pcre2_compile(b.data ? b.data : (PCRE2_SPTR) "", b.length, options, &code, &at, context);
    if (!*out) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(code, text, sizeof text);
        error_set(e, "tokenizer.json: pattern '%.*s': %s", (int)(n < 300 ? n : 300), pattern,
                  (const char *)text);
        goto out;
    }
    /* Without a compiler for this machine matching is slower, and the same. */
    (void)pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE);
    rc = 0;
out:
    pcre2_compile_context_free(context);
    buffer_free(&b);
    return rc;
}

static int matcher_start(struct matcher *m, struct error *e)
{
    enum { STACK_MIN = 32 << 10, STACK_MAX = 16 << 20, STEPS_MAX = 10000000 };
    m->data = pcre2_match_data_create(1, NULL);
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
    if (!m->data || !m->context)
        return error_set(e, "no memory to match a pattern");
    if (m->stack)
        pcre2_jit_stack_assign(m->context, NULL, m->stack);
    pcre2_set_match_limit(m->context, STEPS_MAX);
    return 0;
}

void matcher_free(struct matcher *m)
{
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_jit_stack_free(m->stack);
    *m = (struct matcher){0};
}

int pattern_next(const pcre2_code *re, struct matcher *m, const unsigned char *s, size_t n,
                 size_t from, size_t *start, size_t *end, struct error *e)
{
    if (!m->context && matcher_start(m, e))
        return -1;
    /* All text was found to be UTF-8 when it came in, and from is at a character. */
    int rc = pcre2_match(re, s, n, from, PCRE2_NO_UTF_CHECK, m->data, m->context);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(rc, text, sizeof text);
        return error_set(e, "tokenizer.json: a pattern failed at byte %zu of a text: %s", from,
                         (const char *)text);
    }
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(m->data);
    *start = v[0];
    *end = v[1];
    if (*end < *start || *start < from)
        return error_set(e, "tokenizer.json: a pattern matches backwards (\\K)");
    return 1;
}
