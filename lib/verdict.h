/* What an LLM judge said, as numbers: pairs of scores from 1 to 10 for assistants 1 and 2. Judges
 * decorate, label and reorder; what is not unmistakable is reported as unparsed, never guessed. */
#ifndef KICK_VERDICT_H
#define KICK_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

enum { VERDICT_QUALITIES = 4 };

/* One pair: the first line that holds text is two numbers ("8 9", "8/10, 9/10", "(8, 9)", "Scores:
 * **8** and **9**"); or the only such line is, and it is the last one or is said to be scores, there or
 * in the line before; or both assistants are named with one number each ("Assistant 1: 8 … Assistant
 * 2: 9"). */
bool verdict_pair(const char *text, size_t n, double pair[2]);

/* Four pairs in the order coherence, consistency, fluency, relevance: lines of two numbers, named by
 * quality in any order, or the first four lines unnamed. */
bool verdict_qualities(const char *text, size_t n, double pair[VERDICT_QUALITIES][2]);

#endif
