/* Scores of items gathered by rule and part ("strict" of "STEM"), their means and 95 % intervals:
 * Wilson's where every score is 0 or 1, else the percentile bootstrap of the mean. */
#ifndef KICK_TALLY_H
#define KICK_TALLY_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "statistics.h"

struct tally_entry {
    char *rule, *grouping, *part;
    double *value; /* in the order they came */
    size_t count;
    bool binary;
};

/* Draws of the bootstrap for one rule and count: the same for all tallies. */
struct tally_draws {
    char *rule;
    size_t count;
    uint16_t *drawn;
};

enum { TALLY_DRAWS_BYTES = 8 << 20 }; /* at most, beside the scores */

struct tally {
    struct tally_entry *entry; /* in the order of their first values */
    size_t count;
    struct tally_draws *draws; /* those used last */
    size_t draws_count;
};

int tally_add(struct tally *t, const char *rule, const char *grouping, const char *part,
              double value, struct error *e);
void tally_clear(struct tally *t); /* for other scores; the draws are kept */
void tally_free(struct tally *t);

/* Mean of an entry with its interval. The bootstrap's draws depend on rule and count only. */
int tally_interval(struct tally *t, size_t which, double *mean, struct interval *interval,
                   struct error *e);

/* Mean of n numbers, ± 1.96 of its standard errors (no width for n = 1: NaN). */
void tally_normal(const double *value, size_t n, double *mean, struct interval *interval);

#endif
