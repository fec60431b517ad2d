/* Means of scores with their intervals. */
#include "tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* Draws are kept of up to so many values, for so many rules and counts. */
enum { DRAWS = 2000, KEPT_VALUES = 512, KEPT = 32 };

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

void tally_clear(struct tally *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->entry[i].rule);
        free(t->entry[i].grouping);
        free(t->entry[i].part);
        free(t->entry[i].value);
    }
    free(t->entry);
    t->entry = NULL;
    t->count = 0;
}

static void draws_drop(struct tally_draws *d)
{
    free(d->rule);
    free(d->drawn);
}

void tally_free(struct tally *t)
{
    tally_clear(t);
    for (size_t i = 0; i < t->draws_count; i++)
        draws_drop(&t->draws[i]);
    free(t->draws);
    *t = (struct tally){0};
}

/* Drops what was not used for the longest, until there is room for `more` bytes and one entry. */
static void make_room(struct tally *t, size_t more)
{
    for (size_t i = 0; i < t->draws_count; i++)
        more += DRAWS * t->draws[i].count * sizeof *t->draws->drawn;
    while (t->draws_count && (more > TALLY_DRAWS_BYTES || t->draws_count == KEPT)) {
        struct tally_draws *last = &t->draws[--t->draws_count];
        more -= DRAWS * last->count * sizeof *last->drawn;
        draws_drop(last);
    }
}

/* The draws for an entry, which become the first of those kept. */
static const uint16_t *draws_for(struct tally *t, const struct tally_entry *x, struct error *e)
{
    struct tally_draws found = {0};
    size_t i = 0;
    if (!t->draws && !(t->draws = memory_new(KEPT, sizeof *t->draws, "a bootstrap", e)))
        return NULL;
    while (i < t->draws_count &&
           (t->draws[i].count != x->count || strcmp(t->draws[i].rule, x->rule)))
        i++;
    if (i < t->draws_count) {
        found = t->draws[i];
    } else {
        make_room(t, DRAWS * x->count * sizeof *found.drawn);
        found.count = x->count;
        found.drawn = memory_new(DRAWS, x->count * sizeof *found.drawn, "a bootstrap", e);
        if (!found.drawn || !(found.rule = strdup(x->rule))) {
            error_set(e, "out of memory for a bootstrap");
            draws_drop(&found);
            return NULL;
        }
        statistics_draw(x->count, DRAWS, random_key_new(0, x->rule), found.drawn);
        i = t->draws_count++;
    }
    memmove(t->draws + 1, t->draws, i * sizeof *t->draws);
    t->draws[0] = found;
    return found.drawn;
}

int tally_interval(struct tally *t, size_t which, double *mean, struct interval *interval,
                   struct error *e)
{
    const struct tally_entry *x = &t->entry[which];
    if (x->binary) {
        size_t right = 0;
        for (size_t i = 0; i < x->count; i++)
            right += x->value[i] == 1;
        *mean = (double)right / (double)x->count;
        *interval = statistics_wilson(right, x->count, LEVEL);
        return 0;
    }
    struct bootstrap b;
    if (x->count <= KEPT_VALUES) {
        const uint16_t *drawn = draws_for(t, x, e);
        if (!drawn || statistics_bootstrap_drawn(x->value, x->count, DRAWS, LEVEL, drawn, &b, e))
            return -1;
    } else if (statistics_bootstrap(x->value, x->count, DRAWS, LEVEL, random_key_new(0, x->rule),
                                    &b, e)) {
        return -1;
    }
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
