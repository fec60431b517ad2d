/* Errors of lib/: a function that can fail returns 0 or -1 and fills a struct error. Only main()
 * prints it. A message says what, where, why, and then what to try; it is one line. */
#ifndef KICK_ERROR_H
#define KICK_ERROR_H

#include <stdbool.h>

struct error {
    char text[1024];
    bool usage; /* wrong use (exit 2) rather than bad input or a failed operation (exit 1) */
};

/* Fills e (control characters are replaced, so that a hostile name stays on one line) and returns
 * -1. A NULL e is allowed. */
int error_set(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for wrong use of a program: main() then exits 2. */
int error_usage(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "format: " in front of the text that is there; returns -1. */
int error_prefix(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
