/* Python's lower(), split(), strip() and the word class of its regular expressions.
 *
 * lower() follows chapter 3.13 of the Unicode standard as CPython does: the simple mapping, except
 * U+0130 (two characters) and the capital sigma, which becomes final where a cased letter stands
 * before it and none after it, case-ignorable characters between them not counting. */
#include "pytext.h"

#include <string.h>
#include <utf8proc.h>

uint32_t pytext_at(const char *text, size_t left, size_t *n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80 || left < 2) {
        *n = 1;
        return p[0];
    }
    if (p[0] < 0xe0 || left < 3) {
        *n = 2;
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    }
    if (p[0] < 0xf0 || left < 4) {
        *n = 3;
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    }
    *n = 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
           (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

int pytext_put(struct buffer *b, uint32_t c, struct error *e)
{
    utf8proc_uint8_t out[4];
    const utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, out);
    return buffer_append(b, out, (size_t)n, e);
}

bool pytext_space(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

bool pytext_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '_';
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

void pytext_strip(const char **text, size_t *n)
{
    size_t k;
    while (*n && pytext_space(pytext_at(*text, *n, &k))) {
        *text += k;
        *n -= k;
    }
    while (*n) {
        size_t at = *n - 1;
        while (at > 0 && ((*text)[at] & 0xc0) == 0x80)
            at--;
        if (!pytext_space(pytext_at(*text + at, *n - at, &k)))
            break;
        *n = at;
    }
}

/* ---- lower() -----------------------------------------------------------------------------------
 */

static bool within(uint32_t c, const uint32_t (*range)[2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= range[i][0] && c <= range[i][1])
            return true;
    return false;
}

/* Derived property Cased: Lu, Ll, Lt, Other_Uppercase, Other_Lowercase. */
static bool is_cased(uint32_t c)
{
    static const uint32_t other[][2] = {
        {0xaa, 0xaa},       {0xba, 0xba},       {0x2b0, 0x2b8},     {0x2c0, 0x2c1},
        {0x2e0, 0x2e4},     {0x345, 0x345},     {0x37a, 0x37a},     {0x1d2c, 0x1d6a},
        {0x1d78, 0x1d78},   {0x1d9b, 0x1dbf},   {0x2071, 0x2071},   {0x207f, 0x207f},
        {0x2090, 0x209c},   {0x2160, 0x217f},   {0x24b6, 0x24e9},   {0x2c7c, 0x2c7d},
        {0xa69c, 0xa69d},   {0xa770, 0xa770},   {0xa7f8, 0xa7f9},   {0xab5c, 0xab5f},
        {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba},
        {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189},
    };
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT ||
           within(c, other, sizeof other / sizeof *other);
}

/* Derived property Case_Ignorable: Mn, Me, Cf, Lm, Sk and the middle marks of word breaking. */
static bool is_case_ignorable(uint32_t c)
{
    static const uint32_t other[][2] = {
        {0x27, 0x27},     {0x2e, 0x2e},     {0x3a, 0x3a},     {0xb7, 0xb7},     {0x387, 0x387},
        {0x55f, 0x55f},   {0x5f4, 0x5f4},   {0x2018, 0x2019}, {0x2024, 0x2024}, {0x2027, 0x2027},
        {0xfe13, 0xfe13}, {0xfe52, 0xfe52}, {0xfe55, 0xfe55}, {0xff07, 0xff07}, {0xff0e, 0xff0e},
        {0xff1a, 0xff1a},
    };
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return within(c, other, sizeof other / sizeof *other);
    }
}

static bool final_sigma(const char *text, size_t n, size_t at)
{
    size_t i = at, k;
    uint32_t c = 0;
    do {
        if (i == 0)
            return false;
        for (i--; i > 0 && (text[i] & 0xc0) == 0x80; i--)
            ;
        c = pytext_at(text + i, n - i, &k);
    } while (is_case_ignorable(c));
    if (!is_cased(c))
        return false;
    for (i = at + 2; i < n; i += k) {
        c = pytext_at(text + i, n - i, &k);
        if (!is_case_ignorable(c))
            return !is_cased(c);
    }
    return true;
}

int pytext_lower(struct buffer *out, const char *text, size_t n, struct error *e)
{
    size_t k;
    for (size_t i = 0; i < n; i += k) {
        const uint32_t c = pytext_at(text + i, n - i, &k);
        int result;
        if (c == 0x130)
            result = buffer_append(out, "i\xcc\x87", 3, e);
        else if (c == 0x3a3)
            result = pytext_put(out, final_sigma(text, n, i) ? 0x3c2 : 0x3c3, e);
        else
            result = pytext_put(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c), e);
        if (result)
            return -1;
    }
    return 0;
}

/* ---- words -------------------------------------------------------------------------------------
 */

bool pytext_split(const char *text, size_t n, size_t *at, const char **word, size_t *length)
{
    size_t k, from;
    while (*at < n && pytext_space(pytext_at(text + *at, n - *at, &k)))
        *at += k;
    for (from = *at; *at < n && !pytext_space(pytext_at(text + *at, n - *at, &k)); *at += k)
        ;
    *word = text + from;
    *length = *at - from;
    return *length > 0;
}

size_t pytext_words(const char *text, size_t n)
{
    const char *word;
    size_t at = 0, length, count = 0;
    while (pytext_split(text, n, &at, &word, &length))
        count++;
    return count;
}

size_t pytext_length(const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += (text[i] & 0xc0) != 0x80;
    return count;
}

size_t pytext_prefix(const char *text, size_t n, size_t count)
{
    size_t i = 0, k;
    for (; i < n && count; i += k, count--)
        pytext_at(text + i, n - i, &k);
    return i;
}
