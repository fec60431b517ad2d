/* Uncertainty of scores: proportions, paired tests, bootstrap. Everything is plain
 * double arithmetic in a fixed order; no libm. */
#ifndef KICK_STATISTICS_H
#define KICK_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "random.h"

/* ln Gamma(x), x > 0; standard normal upper tail and quantile (0 < p < 1). */
double statistics_log_gamma(double x);
double statistics_normal_tail(double z);
double statistics_normal_quantile(double p);

/* McNemar (1947) on discordant counts b and c: exact two-sided binomial, its mid-p, and the
 * chi-square with continuity correction (NaN for b + c = 0). */
struct mcnemar {
    double exact, mid, corrected;
};
struct mcnemar statistics_mcnemar(uint64_t b, uint64_t c);

/* Holm (1979): adjusted[i] of p[i], monotone, at most 1. */
int statistics_holm(const double *p, size_t n, double *adjusted, struct error *e);

/* k of n: Wilson (1927) and Clopper–Pearson (1934) intervals at a level such as 0.95. */
struct interval {
    double low, high;
};
struct interval statistics_wilson(uint64_t k, uint64_t n, double level);
struct interval statistics_clopper_pearson(uint64_t k, uint64_t n, double level);

/* q-th quantile (0…1) of n numbers, whose order changes, linear at (n - 1) q. */
double statistics_quantile(double *x, size_t n, double q);
void statistics_sort(double *x, size_t n);

/* Percentile bootstrap of the mean: draw b takes x[random_below(key, b, i, n)] for i < n. */
struct bootstrap {
    double mean, deviation; /* of x; standard deviation of the draws' means */
    struct interval interval;
};
int statistics_bootstrap(const double *x, size_t n, size_t draws, double level,
                         struct random_key key, struct bootstrap *out, struct error *e);

/* The same for several x of one n, up to 65,536: drawn (draws, n) is filled by statistics_draw().
 */
void statistics_draw(size_t n, size_t draws, struct random_key key, uint16_t *drawn);
int statistics_bootstrap_drawn(const double *x, size_t n, size_t draws, double level,
                               const uint16_t *drawn, struct bootstrap *out, struct error *e);

/* The draws of statistics_bootstrap() for several x of one n: how often each draw has each item,
 * (n, draws). draws_free() them. */
struct draws {
    uint8_t *times;
    size_t n, count;
};
int draws_new(struct draws *d, size_t n, size_t count, struct random_key key, struct error *e);
void draws_free(struct draws *d);

/* mean[b], b < count: of draw b of x (rows, n), a row a seed: items and rows are drawn, the items
 * alike for all rows; draw b takes the rows random_below(key, b, r, rows) for r < rows. */
int draws_mean(const struct draws *d, const double *x, size_t rows, struct random_key key,
               size_t count, double *mean, struct error *e);

/* statistics_bootstrap() with those draws. */
int draws_bootstrap(const struct draws *d, const double *x, size_t rows, double level,
                    struct random_key key, struct bootstrap *out, struct error *e);

/* Smallest mean difference that a two-sided paired test at `alpha` finds with `power`: (z + z') s /
 * sqrt(n), s the standard deviation of the n differences. */
double statistics_detectable(const double *difference, size_t n, double alpha, double power);
/* The same from the mean's standard error. */
double statistics_detectable_error(double error, double alpha, double power);

/* What became of items between two models. flips = (right_to_wrong + wrong_to_right) / n; all_flips
 * adds the wrong answers that became other wrong ones (Dutta et al. 2024). */
struct flips {
    size_t n, right_before, right_after, right_to_wrong, wrong_to_right, wrong_to_other;
};
void flips_add(struct flips *f, bool right_before, bool right_after, bool same_answer);

#endif
