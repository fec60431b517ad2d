/* UTF-8, checked. */
#ifndef KICK_UTF8_H
#define KICK_UTF8_H

#include <stddef.h>

/* Offset of the first byte that does not belong to well-formed UTF-8 (no surrogates, no overlong
 * forms, at most U+10FFFF); n if all is well. */
size_t utf8_check(const char *text, size_t n);

#endif
