/* Porter's stemmer (Program 14(3), 1980) with the departures that NLTK calls its extensions: a table
 * of irregular forms; "ies" and "ied" of four letters keep "ie"; y becomes i after a consonant that
 * is not the first letter; "bli", "fulli", "logi" and a second look at "alli"; a vowel and a
 * consonant alone also end in a short syllable. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "rouge.h"

static bool consonant(const char *w, size_t i)
{
    switch (w[i]) {
    case 'a':
    case 'e':
    case 'i':
    case 'o':
    case 'u':
        return false;
    case 'y':
        return i == 0 || !consonant(w, i - 1);
    default:
        return true;
    }
}

/* m: how often a consonant follows a vowel in the first n letters. */
static size_t measure(const char *w, size_t n)
{
    size_t m = 0;
    for (size_t i = 1; i < n; i++)
        m += !consonant(w, i - 1) && consonant(w, i);
    return m;
}

static bool has_vowel(const char *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!consonant(w, i))
            return true;
    return false;
}

static bool double_consonant(const char *w, size_t n)
{
    return n >= 2 && w[n - 1] == w[n - 2] && consonant(w, n - 1);
}

/* *o: ends consonant, vowel, consonant other than w, x, y. */
static bool short_end(const char *w, size_t n)
{
    if (n == 2)
        return !consonant(w, 0) && consonant(w, 1);
    return n >= 3 && consonant(w, n - 3) && !consonant(w, n - 2) && consonant(w, n - 1) &&
           !strchr("wxy", w[n - 1]);
}

static bool ends(const char *w, size_t n, const char *suffix)
{
    const size_t k = strlen(suffix);
    return n >= k && !memcmp(w + n - k, suffix, k);
}

static size_t replace(char *w, size_t n, const char *suffix, const char *by)
{
    const size_t k = n - strlen(suffix);
    memcpy(w + k, by, strlen(by));
    return k + strlen(by);
}

struct rule {
    const char *suffix, *by;
};

/* First rule whose suffix fits; applied where the stem's measure is over `over`. */
static size_t apply(char *w, size_t n, const struct rule *rule, size_t over)
{
    for (; rule->suffix; rule++)
        if (ends(w, n, rule->suffix))
            return measure(w, n - strlen(rule->suffix)) > over ? replace(w, n, rule->suffix, rule->by)
                                                                : n;
    return n;
}

static size_t step1a(char *w, size_t n)
{
    if (n == 4 && ends(w, n, "ies"))
        return replace(w, n, "ies", "ie");
    if (ends(w, n, "sses"))
        return n - 2;
    if (ends(w, n, "ies"))
        return n - 2;
    if (ends(w, n, "ss"))
        return n;
    return ends(w, n, "s") ? n - 1 : n;
}

static size_t step1b(char *w, size_t n)
{
    if (ends(w, n, "ied"))
        return n == 4 ? n - 1 : n - 2;
    if (ends(w, n, "eed"))
        return measure(w, n - 3) > 0 ? n - 1 : n;
    if (ends(w, n, "ed") && has_vowel(w, n - 2))
        n -= 2;
    else if (ends(w, n, "ing") && has_vowel(w, n - 3))
        n -= 3;
    else
        return n;
    if (ends(w, n, "at") || ends(w, n, "bl") || ends(w, n, "iz")) {
        w[n] = 'e';
        return n + 1;
    }
    if (double_consonant(w, n))
        return strchr("lsz", w[n - 1]) ? n : n - 1;
    if (measure(w, n) == 1 && short_end(w, n)) {
        w[n] = 'e';
        return n + 1;
    }
    return n;
}

static size_t step1c(char *w, size_t n)
{
    if (ends(w, n, "y") && n > 2 && consonant(w, n - 2))
        w[n - 1] = 'i';
    return n;
}

static size_t step2(char *w, size_t n)
{
    static const struct rule rules[] = {
        {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
        {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"}, {"eli", "e"},     {"ousli", "ous"},
        {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},  {"alism", "al"},
        {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},
        {"iviti", "ive"},   {"biliti", "ble"},  {"fulli", "ful"}, {0},
    };
    while (ends(w, n, "alli") && measure(w, n - 4) > 0)
        n -= 2;
    if (ends(w, n, "logi")) /* measured with its l, so that "geologi" is taken too */
        return measure(w, n - 3) > 0 ? n - 1 : n;
    return apply(w, n, rules, 0);
}

static size_t step3(char *w, size_t n)
{
    static const struct rule rules[] = {
        {"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
        {"ical", "ic"},  {"ful", ""},   {"ness", ""},    {0},
    };
    return apply(w, n, rules, 0);
}

static size_t step4(char *w, size_t n)
{
    static const struct rule before[] = {
        {"al", ""},   {"ance", ""}, {"ence", ""},  {"er", ""},   {"ic", ""},  {"able", ""},
        {"ible", ""}, {"ant", ""},  {"ement", ""}, {"ment", ""}, {"ent", ""}, {0},
    };
    static const struct rule after[] = {
        {"ou", ""},  {"ism", ""}, {"ate", ""}, {"iti", ""},
        {"ous", ""}, {"ive", ""}, {"ize", ""}, {0},
    };
    for (size_t i = 0; before[i].suffix; i++)
        if (ends(w, n, before[i].suffix))
            return apply(w, n, before, 1);
    if (ends(w, n, "ion"))
        return n > 3 && strchr("st", w[n - 4]) && measure(w, n - 3) > 1 ? n - 3 : n;
    return apply(w, n, after, 1);
}

static size_t step5(char *w, size_t n)
{
    if (ends(w, n, "e")) {
        const size_t m = measure(w, n - 1);
        if (m > 1 || (m == 1 && !short_end(w, n - 1)))
            n--;
    }
    return ends(w, n, "ll") && measure(w, n - 1) > 1 ? n - 1 : n;
}

size_t porter_stem(char *word, size_t n)
{
    static const struct rule irregular[] = {
        {"sky", "sky"},         {"skies", "sky"},       {"dying", "die"},       {"lying", "lie"},
        {"tying", "tie"},       {"news", "news"},       {"innings", "inning"},  {"inning", "inning"},
        {"outings", "outing"},  {"outing", "outing"},   {"cannings", "canning"},
        {"canning", "canning"}, {"howe", "howe"},       {"proceed", "proceed"},
        {"exceed", "exceed"},   {"succeed", "succeed"}, {0},
    };
    for (size_t i = 0; irregular[i].suffix; i++)
        if (strlen(irregular[i].suffix) == n && !memcmp(word, irregular[i].suffix, n))
            return replace(word, n, irregular[i].suffix, irregular[i].by);
    if (n <= 2)
        return n;
    n = step1a(word, n);
    n = step1b(word, n);
    n = step1c(word, n);
    n = step2(word, n);
    n = step3(word, n);
    n = step4(word, n);
    return step5(word, n);
}
