/* Means of scores with their intervals. */
#include "tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { DRAWS = 2000 };

#define LEVEL 0.95
#define HALF_WIDTH 1.96 /* of a normal 95 % interval, in standard errors */

static struct tally_entry *entry_at(struct tally *t, const char *rule, const char *grouping,
                                    const char *part, struct error *e)
{
    for (size_t i = 0; i < t->count; i++) {
        struct tally_entry *x = &t->entry[i];
        if (!strcmp(x->rule, rule) && !strcmp(x->grouping, grouping) && !strcmp(x->part, part))
            return x;
    }
    void *p = memory_resize(t->entry, t->count + 1, sizeof *t->entry, "scores", e);
    if (!p)
        return NULL;
    t->entry = p;
    struct tally_entry *x = &t->entry[t->count++];
    *x = (struct tally_entry){
        .rule = strdup(rule), .grouping = strdup(grouping), .part = strdup(part), .binary = true};
    if (!x->rule || !x->grouping || !x->part) {
        error_set(e, "out of memory for scores");
        return NULL;
    }
    return x;
}

int tally_add(struct tally *t, const char *rule, const char *grouping, const char *part,
              double value, struct error *e)
{
    struct tally_entry *x = entry_at(t, rule, grouping, part, e);
    if (!x)
        return -1;
    if (!(x->count & (x->count - 1))) { /* full at each power of two */
        void *p = memory_resize(x->value, x->count ? 2 * x->count : 1, sizeof *x->value, "scores", e);
        if (!p)
            return -1;
        x->value = p;
    }
    x->value[x->count++] = value;
    x->binary = x->binary && (value == 0 || value == 1);
    return 0;
}

void tally_free(struct tally *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->entry[i].rule);
        free(t->entry[i].grouping);
        free(t->entry[i].part);
        free(t->entry[i].value);
    }
    free(t->entry);
    *t = (struct tally){0};
}

int tally_interval(const struct tally_entry *x, double *mean, struct interval *interval,
                   struct error *e)
{
    if (x->binary) {
        size_t right = 0;
        for (size_t i = 0; i < x->count; i++)
            right += x->value[i] == 1;
        *mean = (double)right / (double)x->count;
        *interval = statistics_wilson(right, x->count, LEVEL);
        return 0;
    }
    struct bootstrap b;
    if (statistics_bootstrap(x->value, x->count, DRAWS, LEVEL, random_key_new(0, x->rule), &b, e))
        return -1;
    *mean = b.mean;
    *interval = b.interval;
    return 0;
}

void tally_normal(const double *value, size_t n, double *mean, struct interval *interval)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += value[i];
    *mean = n ? sum / (double)n : NAN;
    for (size_t i = 0; i < n; i++)
        squares += (value[i] - *mean) * (value[i] - *mean);
    double half = n > 1 ? HALF_WIDTH * sqrt(squares / (double)(n - 1) / (double)n) : NAN;
    *interval = (struct interval){*mean - half, *mean + half};
}
