/* Proportions, paired tests, bootstrap. Sources are named in the header. */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

#include "fmath.h"
#include "memory.h"

/* Stirling's series at x >= 15, reached by Gamma(x) = Gamma(x + k) / (x (x+1) … ). */
double statistics_log_gamma(double x)
{
    static const double series[] = {1.0 / 12,   -1.0 / 360,     1.0 / 1260, -1.0 / 1680,
                                    1.0 / 1188, -691.0 / 360360, 1.0 / 156};
    double product = 1, sum = 0;
    for (; x < 15; x += 1)
        product *= x;
    double power = 1 / x;
    for (size_t i = 0; i < sizeof series / sizeof *series; i++, power /= x * x)
        sum += series[i] * power;
    return (x - 0.5) * fmath_log(x) - x + 0.91893853320467274178 + sum - fmath_log(product);
}

/* Upper tail: the power series of erf below 3, a continued fraction above. */
double statistics_normal_tail(double z)
{
    if (z < 0)
        return 1 - statistics_normal_tail(-z);
    const double density = fmath_exp(-0.5 * z * z) * 0.39894228040143267794;
    if (z < 3) {
        double term = z, sum = z;
        for (int k = 3; term > 1e-17 * sum && k < 400; k += 2) {
            term *= z * z / k;
            sum += term;
        }
        return 0.5 - density * sum;
    }
    double f = z;
    for (int k = 300; k > 0; k--)
        f = z + k / f;
    return density / f;
}

double statistics_normal_quantile(double p)
{
    double low = -40, high = 40;
    for (int i = 0; i < 200 && low < high; i++) {
        const double z = 0.5 * (low + high);
        const bool above = p < 0.5 ? statistics_normal_tail(-z) > p
                                   : statistics_normal_tail(z) < 1 - p;
        if (z <= low || z >= high)
            break;
        if (above)
            high = z;
        else
            low = z;
    }
    return 0.5 * (low + high);
}

/* ---- McNemar, Holm -----------------------------------------------------------------------------
 */

struct mcnemar statistics_mcnemar(uint64_t b, uint64_t c)
{
    const uint64_t least = b < c ? b : c;
    const double n = (double)(b + c), k = (double)least;
    const double log2 = 0.69314718055994530942;
    struct mcnemar m = {1, 1, NAN};
    if (b + c == 0)
        return m;
    /* Terms C(n, i) / 2^n from i = least downwards: each is the one before times i / (n - i + 1). */
    const double at = fmath_exp(statistics_log_gamma(n + 1) - statistics_log_gamma(k + 1) -
                                statistics_log_gamma(n - k + 1) - n * log2);
    double term = at, sum = at;
    for (double i = k; i >= 1 && term > sum * 1e-18; i--) {
        term *= i / (n - i + 1);
        sum += term;
    }
    m.mid = 2 * sum - at;
    m.exact = 2 * sum < 1 ? 2 * sum : 1;
    if (b == c)
        m.exact = m.mid = 1;
    double d = (b > c ? (double)(b - c) : (double)(c - b)) - 1;
    if (d < 0)
        d = -d; /* as statsmodels and R square it */
    const double z = sqrt(d * d / n);
    m.corrected = 2 * statistics_normal_tail(z);
    return m;
}

struct ranked {
    double p;
    size_t at;
};

static int ranked_compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

int statistics_holm(const double *p, size_t n, double *adjusted, struct error *e)
{
    struct ranked *list = memory_new(n, sizeof *list, "p values", e);
    double most = 0;
    if (!list)
        return -1;
    for (size_t i = 0; i < n; i++)
        list[i] = (struct ranked){p[i], i};
    qsort(list, n, sizeof *list, ranked_compare);
    for (size_t i = 0; i < n; i++) {
        const double x = list[i].p * (double)(n - i);
        most = x > most ? x : most;
        adjusted[list[i].at] = most < 1 ? most : 1;
    }
    free(list);
    return 0;
}

/* ---- proportions -------------------------------------------------------------------------------
 */

struct interval statistics_wilson(uint64_t k, uint64_t n, double level)
{
    if (n == 0)
        return (struct interval){0, 1};
    const double z = statistics_normal_quantile(0.5 + level / 2), z2 = z * z, m = (double)n;
    const double p = (double)k / m, middle = p + z2 / (2 * m);
    const double half = z * sqrt(p * (1 - p) / m + z2 / (4 * m * m)), scale = 1 + z2 / m;
    const double low = (middle - half) / scale, high = (middle + half) / scale;
    return (struct interval){k == 0 || low < 0 ? 0 : low, k == n || high > 1 ? 1 : high};
}

/* Regularised incomplete beta function by Lentz's continued fraction. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 100000; m++) {
        const double u = m, even = u * (b - u) * x / ((a + 2 * u - 1) * (a + 2 * u));
        const double odd = -(a + u) * (a + b + u) * x / ((a + 2 * u) * (a + 2 * u + 1));
        for (int i = 0; i < 2; i++) {
            const double t = i ? odd : even;
            d = 1 + t * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + t / c;
            c = fabs(c) < tiny ? tiny : c;
            f *= c * d;
        }
        if (fabs(c * d - 1) < 1e-16)
            break;
    }
    return f;
}

static double beta_below(double a, double b, double x)
{
    if (x <= 0 || x >= 1)
        return x > 0;
    const double front = fmath_exp(statistics_log_gamma(a + b) - statistics_log_gamma(a) -
                                   statistics_log_gamma(b) + a * fmath_log(x) + b * fmath_log(1 - x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

static double beta_quantile(double a, double b, double p)
{
    double low = 0, high = 1;
    for (int i = 0; i < 200; i++) {
        const double x = 0.5 * (low + high);
        if (x <= low || x >= high)
            break;
        if (beta_below(a, b, x) < p)
            low = x;
        else
            high = x;
    }
    return 0.5 * (low + high);
}

struct interval statistics_clopper_pearson(uint64_t k, uint64_t n, double level)
{
    const double x = (double)k, m = (double)n, tail = (1 - level) / 2;
    if (n == 0)
        return (struct interval){0, 1};
    return (struct interval){k == 0 ? 0 : beta_quantile(x, m - x + 1, tail),
                             k == n ? 1 : beta_quantile(x + 1, m - x, 1 - tail)};
}

/* ---- bootstrap ---------------------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void statistics_sort(double *x, size_t n)
{
    qsort(x, n, sizeof *x, compare);
}

/* By Hoare's selection. */
double statistics_quantile(double *x, size_t n, double q)
{
    const double at = (double)(n - 1) * q;
    const ptrdiff_t k = (ptrdiff_t)at;
    for (ptrdiff_t low = 0, high = (ptrdiff_t)n - 1; low < high;) {
        const double pivot = x[k];
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (pivot < x[j])
                j--;
            if (i <= j) {
                const double swap = x[i];
                x[i++] = x[j];
                x[j--] = swap;
            }
        }
        if (j < k)
            low = i;
        if (k < i)
            high = j;
    }
    if ((size_t)k + 1 >= n)
        return x[n - 1];
    double next = x[k + 1];
    for (size_t i = (size_t)k + 2; i < n; i++)
        next = x[i] < next ? x[i] : next;
    return x[k] + (at - (double)k) * (next - x[k]);
}

/* Interval and deviation of the draws' means. */
static void summarize(double *mean, size_t draws, double level, struct bootstrap *out)
{
    double all = 0, squares = 0;
    for (size_t b = 0; b < draws; b++)
        all += mean[b];
    all /= (double)draws;
    for (size_t b = 0; b < draws; b++)
        squares += (mean[b] - all) * (mean[b] - all);
    out->deviation = draws > 1 ? sqrt(squares / (double)(draws - 1)) : 0;
    out->interval.low = statistics_quantile(mean, draws, (1 - level) / 2);
    out->interval.high = statistics_quantile(mean, draws, 1 - (1 - level) / 2);
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

void statistics_draw(size_t n, size_t draws, struct random_key key, uint16_t *drawn)
{
    for (size_t b = 0; b < draws; b++)
        for (size_t i = 0; i < n; i++)
            drawn[b * n + i] = (uint16_t)random_below(key, b, i, n);
}

/* drawn: the draws, or NULL: they are those of key. */
static int bootstrap(const double *x, size_t n, size_t draws, double level, const uint16_t *drawn,
                     struct random_key key, struct bootstrap *out, struct error *e)
{
    if (n == 0 || draws == 0)
        return error_set(e, "a bootstrap needs at least one value and one draw");
    double *mean = memory_new(draws, sizeof *mean, "a bootstrap", e);
    if (!mean)
        return -1;
    out->mean = mean_of(x, n);
    for (size_t b = 0; b < draws; b++) {
        for (size_t i = 0; i < n; i++)
            mean[b] += x[drawn ? drawn[b * n + i] : random_below(key, b, i, n)];
        mean[b] /= (double)n;
    }
    summarize(mean, draws, level, out);
    free(mean);
    return 0;
}

int statistics_bootstrap(const double *x, size_t n, size_t draws, double level,
                         struct random_key key, struct bootstrap *out, struct error *e)
{
    return bootstrap(x, n, draws, level, NULL, key, out, e);
}

int statistics_bootstrap_drawn(const double *x, size_t n, size_t draws, double level,
                               const uint16_t *drawn, struct bootstrap *out, struct error *e)
{
    return bootstrap(x, n, draws, level, drawn, (struct random_key){0}, out, e);
}

/* Draws at a time: what they count stays in the caches; and so many that a compiler makes vectors of them. */
enum { DRAWS = 256, SIDE = 16 };

int draws_new(struct draws *d, size_t n, size_t count, struct random_key key, struct error *e)
{
    *d = (struct draws){.n = n, .count = count};
    if (!(d->times = memory_new(n, count, "a bootstrap", e)))
        return -1;
    for (size_t first = 0; first < count; first += DRAWS)
        for (size_t i = 0; i < n; i++)
            for (size_t b = first; b < count && b < first + DRAWS; b++) /* over 255 times: 1 in 10^507 */
                d->times[random_below(key, b, i, n) * count + b]++;
    return 0;
}

void draws_free(struct draws *d)
{
    free(d->times);
    *d = (struct draws){0};
}

/* The same sums where x is -1, 0 or 1 (differences of right-or-wrong scores): a draw has n < 2^15 items,
 * so that no partial sum is more, and whole numbers need no order. false: x is other, nothing is done. */
static bool draws_count(const struct draws *d, const double *x, size_t count, double *sum)
{
    if (d->n > INT16_MAX)
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (x[i] != 0 && fabs(x[i]) != 1)
            return false;
    for (size_t first = 0; first < count; first += DRAWS) {
        const size_t n = count - first < DRAWS ? count - first : DRAWS;
        int16_t total[DRAWS] = {0};
        for (size_t i = 0; i < d->n; i++) {
            const uint8_t *times = d->times + i * d->count + first;
            const int16_t sign = (int16_t)x[i];
            size_t b = 0;
            if (sign == 0)
                continue;
            for (; b + SIDE <= n; b += SIDE)
                for (size_t j = 0; j < SIDE; j++)
                    total[b + j] = (int16_t)(total[b + j] + sign * times[b + j]);
            for (; b < n; b++)
                total[b] = (int16_t)(total[b] + sign * times[b]);
        }
        for (size_t b = 0; b < n; b++)
            sum[first + b] = total[b];
    }
    return true;
}

/* sum[b], b < count: of what draw b has of x (n), the items in ascending order. */
static void draws_sum(const struct draws *d, const double *x, size_t count, double *restrict sum)
{
    if (draws_count(d, x, count, sum))
        return;
    for (size_t b = 0; b < count; b++)
        sum[b] = 0;
    for (size_t i = 0; i < d->n; i++) {
        const uint8_t *times = d->times + i * d->count;
        if (x[i] == 0)
            continue;
        size_t b = 0;
        for (; b + SIDE <= count; b += SIDE)
            for (size_t j = 0; j < SIDE; j++)
                sum[b + j] += x[i] * times[b + j];
        for (; b < count; b++)
            sum[b] += x[i] * times[b];
    }
}

int draws_mean(const struct draws *d, const double *x, size_t rows, struct random_key key,
               size_t count, double *mean, struct error *e)
{
    const size_t n = d->n;
    double *sum = memory_new(rows, count * sizeof *sum, "a bootstrap", e);
    if (!sum)
        return -1;
    for (size_t r = 0; r < rows; r++)
        draws_sum(d, x + r * n, count, sum + r * count);
    for (size_t b = 0; b < count; b++) {
        mean[b] = 0;
        for (size_t r = 0; r < rows; r++)
            mean[b] += sum[(rows == 1 ? 0 : random_below(key, b, r, rows)) * count + b] / (double)n;
        mean[b] /= (double)rows;
    }
    free(sum);
    return 0;
}

int draws_bootstrap(const struct draws *d, const double *x, size_t rows, double level,
                    struct random_key key, struct bootstrap *out, struct error *e)
{
    if (d->n == 0 || rows == 0 || d->count == 0)
        return error_set(e, "a bootstrap needs at least one value and one draw");
    double *mean = memory_new(d->count, sizeof *mean, "a bootstrap", e);
    if (!mean || draws_mean(d, x, rows, key, d->count, mean, e)) {
        free(mean);
        return -1;
    }
    out->mean = 0;
    for (size_t r = 0; r < rows; r++)
        out->mean += mean_of(x + r * d->n, d->n);
    out->mean /= (double)rows;
    summarize(mean, d->count, level, out);
    free(mean);
    return 0;
}

double statistics_detectable(const double *difference, size_t n, double alpha, double power)
{
    double sum = 0, squares = 0;
    if (n < 2)
        return NAN;
    for (size_t i = 0; i < n; i++)
        sum += difference[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (difference[i] - mean) * (difference[i] - mean);
    const double s = sqrt(squares / (double)(n - 1));
    return statistics_detectable_error(s / sqrt((double)n), alpha, power);
}

double statistics_detectable_error(double error, double alpha, double power)
{
    return (statistics_normal_quantile(1 - alpha / 2) + statistics_normal_quantile(power)) * error;
}

/* ---- agreement ---------------------------------------------------------------------------------
 */

void flips_add(struct flips *f, bool right_before, bool right_after, bool same_answer)
{
    f->n++;
    f->right_before += right_before;
    f->right_after += right_after;
    f->right_to_wrong += right_before && !right_after;
    f->wrong_to_right += !right_before && right_after;
    f->wrong_to_other += !right_before && !right_after && !same_answer;
}
