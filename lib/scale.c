/* Ticks: 1-2-5 steps on a linear scale; on a logarithmic one the finest of {linear steps, 1 to 9,
 * 1-2-5, 1-3, powers of ten} that fits, so that a short range is not left with a single label. */
#include "scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fmath.h"

/* From the toolkit's own functions, so that no pixel depends on the machine's libm. */
static double log_10(double x)
{
    double r = fmath_log(x) / 2.30258509299404568402, near = nearbyint(r);
    return fabs(r - near) < 1e-12 ? near : r;
}

static double power_10(double x)
{
    double r = 1;
    if (x != floor(x) || fabs(x) > 300)
        return fmath_exp(x * 2.30258509299404568402);
    for (double i = fabs(x); i > 0; i--)
        r *= 10;
    return x < 0 ? 1 / r : r;
}

void scale_range(struct scale *s, double lo, double hi, double margin, double min, double max)
{
    if (!(lo <= hi)) {
        lo = isfinite(min) ? min : s->log ? 1 : 0;
        hi = isfinite(max) && max > lo ? max : s->log ? 10 * lo : lo + 1;
    }
    if (s->log) {
        double a = log_10(lo), b = log_10(hi);
        if (b - a < 0.05) { /* a point is no reason to magnify noise */
            a -= 0.05;
            b += 0.05;
        }
        double more = margin * (b - a);
        s->min = power_10(a - more);
        s->max = power_10(b + more);
    } else {
        double more = margin * (hi - lo);
        if (!(hi - lo > 1e-9 * fmax(fabs(lo), fabs(hi))))
            more = hi != 0 ? 0.05 * fabs(hi) : 0.5;
        s->min = lo - more;
        s->max = hi + more;
    }
    if (isfinite(min))
        s->min = min;
    if (isfinite(max))
        s->max = max;
    if (!(s->min < s->max))
        s->max = s->log ? s->min * 10 : s->min + 1;
}

double scale_place(const struct scale *s, double v)
{
    double t = s->log ? (log_10(v) - log_10(s->min)) / (log_10(s->max) - log_10(s->min))
                      : (v - s->min) / (s->max - s->min);
    return s->from + t * (s->to - s->from);
}

/* Commas between thousands. */
static void group(char out[SCALE_TEXT])
{
    char in[SCALE_TEXT];
    memcpy(in, out, SCALE_TEXT);
    size_t sign = in[0] == '-', whole = strspn(in + sign, "0123456789"), o = sign;
    for (size_t i = sign; in[i] && o + 2 < SCALE_TEXT; i++) {
        if (i > sign && i < sign + whole && (sign + whole - i) % 3 == 0)
            out[o++] = ',';
        out[o++] = in[i];
    }
    out[o] = 0;
}

static const char *fixed(double v, int decimals, char out[SCALE_TEXT])
{
    double a = fabs(v);
    if (a >= 1e15 || (a > 0 && a < 1e-6)) {
        snprintf(out, SCALE_TEXT, "%.3g", v);
    } else if (a >= 1e6) {
        double unit = a >= 1e12 ? 1e12 : a >= 1e9 ? 1e9 : 1e6;
        snprintf(out, SCALE_TEXT, "%.4g%s", v / unit, unit > 1e10 ? "T" : unit > 1e7 ? "G" : "M");
    } else {
        snprintf(out, SCALE_TEXT, "%.*f", decimals, a < 1e-300 ? 0.0 : v);
        if (a >= 1e4)
            group(out);
    }
    if (*out == '-' && strlen(out) + 3 < SCALE_TEXT) { /* a minus, not a hyphen */
        memmove(out + 3, out + 1, strlen(out));
        memcpy(out, "−", 3);
    }
    return out;
}

const char *scale_number(double v, int digits, char out[SCALE_TEXT])
{
    int decimals = 0;
    if (v != 0) {
        decimals = digits - 1 - (int)floor(log_10(fabs(v)));
        decimals = decimals < 0 ? 0 : decimals > 9 ? 9 : decimals;
    }
    fixed(v, decimals, out);
    if (decimals && strchr(out, '.') && !strchr(out, 'e') && fabs(v) < 1e6) {
        size_t n = strlen(out);
        while (out[n - 1] == '0')
            out[--n] = 0;
        if (out[n - 1] == '.')
            out[--n] = 0;
    }
    return out;
}

static bool fits(const struct scale *s, const struct tick *tick, size_t n, double gap)
{
    for (size_t i = 1; i < n; i++)
        if (fabs(scale_place(s, tick[i].value) - scale_place(s, tick[i - 1].value)) < gap)
            return false;
    return true;
}

/* Multiples of step; false when they are too many. */
static bool linear_steps(const struct scale *s, double step, struct tick *tick, size_t *n)
{
    double slack = 1e-6 * (s->max - s->min);
    int decimals = (int)ceil(-log_10(step) - 1e-9);
    *n = 0;
    for (double k = ceil((s->min - slack) / step); k * step <= s->max + slack; k++) {
        if (*n == SCALE_TICKS_MAX)
            return false;
        tick[*n].value = k * step;
        fixed(k * step, decimals < 0 ? 0 : decimals > 9 ? 9 : decimals, tick[*n].text);
        ++*n;
    }
    return true;
}

static size_t linear(const struct scale *s, double gap, struct tick *tick)
{
    static const double multiple[3] = {1, 2, 5};
    double base = power_10(floor(log_10(s->max - s->min)) - 2);
    size_t n = 0;
    for (int i = 0; i < 12; i++) {
        double step = multiple[i % 3] * base * power_10(i / 3);
        if (linear_steps(s, step, tick, &n) && fits(s, tick, n, gap))
            return n;
    }
    return 0;
}

size_t scale_ticks(const struct scale *s, double gap, struct tick *tick)
{
    if (!s->log)
        return linear(s, gap, tick);
    double decades = log_10(s->max / s->min);
    /* On a short range linear steps look even enough, and give more labels. */
    if (decades < 0.8) {
        size_t n = linear(s, gap, tick);
        if (n >= 2)
            return n;
    }
    static const char *mantissas[4] = {"123456789", "125", "13", "1"};
    int first = (int)floor(log_10(s->min)) - 1, last = (int)ceil(log_10(s->max)) + 1;
    for (int set = decades < 1.2 ? 0 : 1; set < 16; set++) {
        int stride = set < 4 ? 1 : set - 2;
        size_t n = 0;
        bool full = false;
        for (int decade = first; decade <= last; decade++) {
            if (decade % stride)
                continue;
            for (const char *m = mantissas[set < 4 ? set : 3]; *m; m++) {
                double v = (*m - '0') * power_10(decade);
                if (v < s->min * (1 - 1e-9) || v > s->max * (1 + 1e-9))
                    continue;
                if (n == SCALE_TICKS_MAX) {
                    full = true;
                    break;
                }
                tick[n].value = v;
                scale_number(v, 1, tick[n].text);
                n++;
            }
        }
        if (!full && fits(s, tick, n, gap))
            return n;
    }
    return 0;
}
