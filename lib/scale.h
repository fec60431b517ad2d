/* Axes: where a value lies on the page, and which ticks to label with plain numbers. */
#ifndef KICK_SCALE_H
#define KICK_SCALE_H

#include <stdbool.h>
#include <stddef.h>

enum { SCALE_TICKS_MAX = 64, SCALE_TEXT = 32 };

struct scale {
    bool log;
    double min, max; /* of the values, min < max */
    double from, to; /* where they lie on the page */
};

struct tick {
    double value;
    char text[SCALE_TEXT];
};

/* Range that shows everything from lo to hi with a margin (a share of the range) on both sides;
 * limits that are numbers are taken as they are. lo > hi: no data. */
void scale_range(struct scale *s, double lo, double hi, double margin, double min, double max);

double scale_place(const struct scale *s, double value);

/* Round values inside the scale, as many as fit at least gap points apart. Returns how many. */
size_t scale_ticks(const struct scale *s, double gap, struct tick *tick);

/* A plain number: 0.05, 3.4, 12,000, 3M. digits: significant ones at most. */
const char *scale_number(double value, int digits, char out[SCALE_TEXT]);

#endif
