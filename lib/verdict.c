/* Reading judges. A line is decoration, an optional label that ends in ':' or '=', and two numbers
 * with nothing else but separators; anything more and the line does not count. Behind the first line
 * judges solve problems ("x = 2, 3"): there a pair must be announced as scores, or be the last word. */
#include "verdict.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct text {
    const char *p, *end;
};

/* Spaces, markdown, quotes: skipped between the parts of a line. */
static bool skip_decoration(struct text *t)
{
    static const char *const marks[] = {"\xe2\x80\x9c", "\xe2\x80\x9d", "\xe2\x80\x98",
                                        "\xe2\x80\x99", "\xc2\xa0"};
    const char *from = t->p;
    while (t->p < t->end) {
        size_t n = strchr(" \t\r*_`#>~\"'", *t->p) && *t->p ? 1 : 0;
        for (size_t i = 0; !n && i < sizeof marks / sizeof *marks; i++) {
            const size_t k = strlen(marks[i]);
            if ((size_t)(t->end - t->p) >= k && !memcmp(t->p, marks[i], k))
                n = k;
        }
        if (!n)
            break;
        t->p += n;
    }
    return t->p > from;
}

static bool take_word(struct text *t, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(t->end - t->p) < n || strncasecmp(t->p, word, n))
        return false;
    if (isalnum((unsigned char)word[n - 1]) && t->p + n < t->end &&
        isalnum((unsigned char)t->p[n]))
        return false;
    t->p += n;
    return true;
}

/* Digits with an optional fraction, and an optional "/10" or "out of 10"; 1 to 10. */
static bool take_number(struct text *t, double *out)
{
    double x = 0, unit = 1;
    const char *from = t->p;
    while (t->p < t->end && isdigit((unsigned char)*t->p) && t->p - from < 3)
        x = 10 * x + (*t->p++ - '0');
    if (t->p == from)
        return false;
    if (t->p + 1 < t->end && *t->p == '.' && isdigit((unsigned char)t->p[1]))
        for (t->p++; t->p < t->end && isdigit((unsigned char)*t->p); t->p++)
            x += (unit /= 10) * (*t->p - '0');
    if (t->p < t->end && (isalnum((unsigned char)*t->p) || *t->p == '%'))
        return false;
    struct text after = *t;
    skip_decoration(&after);
    if (take_word(&after, "/")) {
        skip_decoration(&after);
        if (!take_word(&after, "10.0") && !take_word(&after, "10"))
            return false; /* of another scale */
        *t = after;
    } else if (take_word(&after, "out")) {
        skip_decoration(&after);
        if (!take_word(&after, "of"))
            return false;
        skip_decoration(&after);
        if (!take_word(&after, "10") && !take_word(&after, "ten"))
            return false;
        *t = after;
    }
    *out = x;
    return x >= 1 && x <= 10;
}

static void skip_any(struct text *t, const char *marks)
{
    do
        while (t->p < t->end && *t->p && strchr(marks, *t->p))
            t->p++;
    while (skip_decoration(t));
}

/* Two numbers and nothing else. */
static bool numbers(struct text t, double pair[2])
{
    skip_any(&t, "([{<");
    if (!take_number(&t, &pair[0]))
        return false;
    const char *from = t.p;
    skip_any(&t, ")]},;|&");
    if (take_word(&t, "and") || take_word(&t, "vs.") || take_word(&t, "vs"))
        skip_decoration(&t);
    skip_any(&t, "([{<");
    if (t.p == from || !take_number(&t, &pair[1]))
        return false;
    skip_any(&t, ")]}>.,;|");
    return t.p == t.end;
}

/* A label without digits that ends in ':' or '='. */
static bool skip_label(struct text *t)
{
    for (const char *p = t->p; p < t->end && p - t->p < 80; p++) {
        if (isdigit((unsigned char)*p))
            return false;
        if (*p == ':' || *p == '=') {
            t->p = p + 1;
            return true;
        }
    }
    return false;
}

static bool speaks_of_scores(const char *line, size_t n)
{
    static const char *const words[] = {"score", "rating", "verdict", "grade", "evaluation", "points",
                                        "final", "overall"};
    for (size_t i = 0; i < n; i++)
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            if (strlen(words[w]) <= n - i && !strncasecmp(line + i, words[w], strlen(words[w])))
                return true;
    return false;
}

static bool pair_line(const char *line, size_t n, double pair[2])
{
    struct text t = {line, line + n};
    skip_decoration(&t);
    if (t.p < t.end && (*t.p == '-' || *t.p == '+') && t.p + 1 < t.end && t.p[1] == ' ')
        t.p++; /* an item of a list, not a sign */
    if (t.p + 2 < t.end && (unsigned char)t.p[0] == 0xe2 && (unsigned char)t.p[1] == 0x80 &&
        (unsigned char)t.p[2] == 0xa2)
        t.p += 3; /* bullet */
    skip_decoration(&t);
    const char *label = t.p;
    if (skip_label(&t) && t.p - label < 4)
        return false; /* "x =": a formula */
    skip_decoration(&t);
    return numbers(t, pair);
}

static bool next_line(const char *text, size_t n, size_t *at, const char **line, size_t *k)
{
    while (*at < n) {
        const char *end = memchr(text + *at, '\n', n - *at);
        *line = text + *at;
        *k = end ? (size_t)(end - *line) : n - *at;
        *at += *k + 1;
        struct text t = {*line, *line + *k};
        skip_decoration(&t);
        if (t.p < t.end)
            return true;
    }
    return false;
}

/* What may stand behind a score: "Assistant 1 gets 3 things wrong" is none. */
static bool ends_score(struct text t)
{
    static const char *const words[] = {"and", "while", "whereas", "but", "points", "point", "vs",
                                        "assistant"};
    skip_decoration(&t);
    if (t.p == t.end || strchr("\n.,;:()[]{}|/-", *t.p) || (unsigned char)*t.p >= 0x80)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (take_word(&t, words[i]))
            return true;
    return false;
}

/* "Assistant 1 … 8": the label, words that lead to a score, the number. "is" and "has" lead to
 * anything: they need a score or a rating beside them. */
static bool named(struct text t, int which, double *score)
{
    enum { PLAIN = 2, VAGUE = 4 }; /* the first two say it plainly, the next two vaguely */
    static const char *const words[] = {"score", "rating", "is", "has", "'s", "s", "gets",
                                        "receives", "overall", "final", "of", "a", "an", "earns",
                                        ":", "=", "-", "\xe2\x80\x93", "\xe2\x80\x94",
                                        "\xe2\x80\x99s", "(", "["};
    bool plain = false, vague = false;
    const char digit[] = {(char)('0' + which), 0}, letter[] = {(char)('@' + which), 0};
    if (!take_word(&t, "assistant"))
        return false;
    skip_decoration(&t);
    if (!take_word(&t, digit) && !take_word(&t, letter))
        return false;
    for (bool more = true; more;) {
        more = skip_decoration(&t);
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (take_word(&t, words[i])) {
                more = true;
                plain = plain || i < PLAIN;
                vague = vague || (i >= PLAIN && i < VAGUE);
            }
    }
    return (plain || !vague) && take_number(&t, score) && ends_score(t);
}

static bool named_pair(const char *text, size_t n, double pair[2])
{
    size_t seen[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        double x;
        if (tolower((unsigned char)text[i]) != 'a' ||
            (i && isalpha((unsigned char)text[i - 1])))
            continue;
        for (int which = 0; which < 2; which++)
            if (named((struct text){text + i, text + n}, which + 1, &x)) {
                if (seen[which] && pair[which] < x + 1e-9 && pair[which] > x - 1e-9)
                    continue; /* said twice */
                pair[which] = x;
                seen[which]++;
            }
    }
    return seen[0] == 1 && seen[1] == 1;
}

bool verdict_pair(const char *text, size_t n, double pair[2])
{
    const char *line;
    size_t at = 0, k, found = 0;
    double own[2];
    bool first = true, announced = false, good = false, last = false;
    while (next_line(text, n, &at, &line, &k)) {
        last = pair_line(line, k, own);
        if (last) {
            memcpy(pair, own, sizeof own);
            if (first)
                return true;
            found++;
            good = announced || speaks_of_scores(line, k);
        }
        announced = speaks_of_scores(line, k);
        first = false;
    }
    if (found)
        return found == 1 && (good || last);
    return named_pair(text, n, pair);
}

/* The quality that a line is labelled with, -1: none. */
static int quality_of(const char *line, size_t n)
{
    static const char *const names[] = {"coherence", "consistency", "fluency", "relevance"};
    int found = -1;
    for (int q = 0; q < VERDICT_QUALITIES; q++)
        for (size_t i = 0; i + strlen(names[q]) <= n; i++)
            if (!strncasecmp(line + i, names[q], strlen(names[q]))) {
                if (found >= 0 && found != q)
                    return -1;
                found = q;
            }
    return found;
}

bool verdict_qualities(const char *text, size_t n, double pair[VERDICT_QUALITIES][2])
{
    const char *line;
    size_t at = 0, k, lines = 0, plain = 0;
    bool have[VERDICT_QUALITIES] = {false};
    double unnamed[VERDICT_QUALITIES][2], own[2];
    size_t labelled = 0;
    while (next_line(text, n, &at, &line, &k)) {
        const int q = quality_of(line, k);
        const bool is = pair_line(line, k, own);
        if (is && q >= 0) {
            if (have[q])
                return false;
            have[q] = true;
            memcpy(pair[q], own, sizeof own);
            labelled++;
        } else if (is && plain == lines && plain < VERDICT_QUALITIES) {
            memcpy(unnamed[plain++], own, sizeof own);
        }
        lines++;
    }
    if (labelled)
        return labelled == VERDICT_QUALITIES;
    if (plain < VERDICT_QUALITIES)
        return false;
    memcpy(pair, unnamed, sizeof unnamed);
    return true;
}
