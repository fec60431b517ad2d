/* Elementary functions: reduction to a small interval, then the Taylor series, whose coefficients
 * are quotients that need no table from elsewhere; a few more terms than a minimax polynomial, but
 * none of these is hot except fmath_expf(), which kernels do in vectors. */
#include "fmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static const double SHIFT = FMATH_SHIFT, LN2_HIGH = FMATH_LN2_TOP, LN2_LOW = FMATH_LN2_REST;
const double fmath_exp_terms[FMATH_EXP_TERMS] = {
    1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
    1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
    1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
const double fmath_log_terms[FMATH_LOG_TERMS] = {
    1.0 / 27.0, 1.0 / 25.0, 1.0 / 23.0, 1.0 / 21.0, 1.0 / 19.0, 1.0 / 17.0, 1.0 / 15.0,
    1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0,  1.0 / 7.0,  1.0 / 5.0,  1.0 / 3.0};

static uint64_t to_bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static double from_bits(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* 2^n for -1022 <= n <= 1023. */
static double power_of_two(int n)
{
    return from_bits((uint64_t)(n + 1023) << 52);
}

/* exp(x + low), |low| far below |x| * 2^-40. */
static double exp_parts(double x, double low)
{
    if (x != x)
        return x;
    if (x > FMATH_EXP_MAX)
        return INFINITY;
    if (x < FMATH_EXP_MIN)
        return 0;
    const double n = fma(x, FMATH_1_LN2, SHIFT) - SHIFT;
    const double high = fma(-n, LN2_HIGH, x); /* exact */
    const double rest = fma(-n, LN2_LOW, low);
    const double r = high + rest;
    const double lost = (high - r) + rest;
    double p = fmath_exp_terms[0];
    for (int i = 1; i < FMATH_EXP_TERMS; i++)
        p = fma(p, r, fmath_exp_terms[i]);
    /* e^(r + lost) = 1 + r + (r^2 p + lost), the last two far smaller */
    p = 1.0 + (r + fma(r * r, p, lost));
    /* In two steps, as 2^1024 and 2^-1074 are out of range for one. */
    const int k = (int)n, half = k / 2;
    return p * power_of_two(half) * power_of_two(k - half);
}

double fmath_exp(double x)
{
    return exp_parts(x, 0);
}

/* log(x) = *high + *low for finite x > 0. With m in [sqrt(1/2), sqrt 2) and f = (m-1)/(m+1),
 * log m = 2 atanh f = 2 (f + f^3/3 + f^5/5 + …). */
static void log_parts(double x, double *high, double *low)
{
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits = to_bits(x);
    k += (int)(bits >> 52) - 1023;
    double m = from_bits((bits & 0xfffffffffffff) | 0x3ff0000000000000);
    if (m > FMATH_SQRT2) {
        m *= 0.5;
        k++;
    }
    const double top = m - 1.0; /* exact */
    const double bottom = m + 1.0;
    const double bottom_low = m - (bottom - 1.0);
    const double f = top / bottom;
    const double f_low = fma(-f, bottom_low, fma(-f, bottom, top)) / bottom;
    const double s = f * f;
    double p = fmath_log_terms[0];
    for (int i = 1; i < FMATH_LOG_TERMS; i++)
        p = fma(p, s, fmath_log_terms[i]);
    const double a = k * LN2_HIGH, b = 2.0 * f; /* |a| > |b| or a == 0 */
    const double sum = a + b;
    const double lost = (a - sum) + b;
    const double rest = fma(2.0 * f * s, p, fma(k, LN2_LOW, 2.0 * f_low)) + lost;
    *high = sum + rest;
    *low = (sum - *high) + rest;
}

double fmath_log(double x)
{
    if (!(x > 0))
        return x == 0 ? -INFINITY : NAN;
    if (x == INFINITY)
        return x;
    double high, low;
    log_parts(x, &high, &low);
    return high;
}

double fmath_pow(double x, double y)
{
    if (y == 0 || x == 1)
        return 1;
    if (!(x > 0) || x == INFINITY || y != y)
        return NAN;
    double high, low;
    log_parts(x, &high, &low);
    const double p = y * high;
    return exp_parts(p, fma(y, high, -p) + y * low);
}

/* x = n pi/2 + (*r + *low), |r| <= pi/4 and a bit; returns n mod 4. pi/2 in three parts. */
static int reduce(double x, double *r, double *low)
{
    const double shifted = fma(x, 0x1.45f306dc9c883p-1, SHIFT); /* 2/pi */
    const double n = shifted - SHIFT;
    const double a = fma(-n, 0x1.921fb54442d18p+0, x);
    const double b = n * 0x1.1a62633145c07p-54;
    const double b_low = fma(n, 0x1.1a62633145c07p-54, -b);
    *r = a - b;
    const double back = a - *r;
    *low = ((back - b) - b_low) - n * -0x1.f1976b7ed8fbcp-110;
    return (int)(to_bits(shifted) & 3);
}

static double sin_series(double r, double low)
{
    const double s = r * r;
    double p = 1.0 / 355687428096000.0; /* 1/17! */
    p = fma(p, s, -1.0 / 1307674368000.0);
    p = fma(p, s, 1.0 / 6227020800.0);
    p = fma(p, s, -1.0 / 39916800.0);
    p = fma(p, s, 1.0 / 362880.0);
    p = fma(p, s, -1.0 / 5040.0);
    p = fma(p, s, 1.0 / 120.0);
    p = fma(p, s, -1.0 / 6.0);
    return r + fma(s * r, p, fma(-0.5 * s, low, low));
}

static double cos_series(double r, double low)
{
    const double s = r * r;
    double p = 1.0 / 20922789888000.0; /* 1/16! */
    p = fma(p, s, -1.0 / 87178291200.0);
    p = fma(p, s, 1.0 / 479001600.0);
    p = fma(p, s, -1.0 / 3628800.0);
    p = fma(p, s, 1.0 / 40320.0);
    p = fma(p, s, -1.0 / 720.0);
    p = fma(p, s, 1.0 / 24.0);
    const double half = 0.5 * s, one = 1.0 - half;
    const double lost = (1.0 - one) - half;
    return one + (lost + fma(s * s, p, -r * low));
}

static double sine(double x, int quarters)
{
    if (!(fabs(x) < 0x1p30))
        return NAN;
    double r, low;
    const int n = (reduce(x, &r, &low) + quarters) & 3;
    const double y = n & 1 ? cos_series(r, low) : sin_series(r, low);
    return n & 2 ? -y : y;
}

double fmath_sin(double x)
{
    return sine(x, 0);
}

double fmath_cos(double x)
{
    return sine(x, 1);
}

/* x = n ln 2 + r; returns e^r - 1. */
static float expf_reduced(float x, float *n)
{
    const float shifted = fmaf(x, FMATH_LOG2E, FMATH_EXPF_SHIFT);
    *n = shifted - FMATH_EXPF_SHIFT;
    const float r = fmaf(-*n, FMATH_LN2_LOW, fmaf(-*n, FMATH_LN2_HIGH, x));
    float p = FMATH_EXPF_C7;
    p = fmaf(p, r, FMATH_EXPF_C6);
    p = fmaf(p, r, FMATH_EXPF_C5);
    p = fmaf(p, r, FMATH_EXPF_C4);
    p = fmaf(p, r, FMATH_EXPF_C3);
    p = fmaf(p, r, FMATH_EXPF_C2);
    return fmaf(r * r, p, r);
}

static float power_of_two_f(int32_t n)
{
    float x;
    const uint32_t u = (uint32_t)(n + 127) << 23;
    memcpy(&x, &u, sizeof x);
    return x;
}

float fmath_expf(float x)
{
    float n;
    if (x != x)
        return x;
    if (x < FMATH_EXPF_MIN)
        return 0;
    if (x > FMATH_EXPF_MAX)
        return INFINITY;
    const float p = expf_reduced(x, &n) + 1.0f;
    const int32_t k = (int32_t)n, half = k >> 1;
    return p * power_of_two_f(half) * power_of_two_f(k - half);
}

float fmath_tanhf(float x)
{
    float n;
    if (x != x)
        return x;
    const float a = fabsf(x), t = FMATH_TANHF_MAX < a ? FMATH_TANHF_MAX : a;
    const float q = expf_reduced(t + t, &n), s = power_of_two_f((int32_t)n);
    const float e = fmaf(q, s, s - 1.0f);
    return copysignf(e / (e + 2.0f), x);
}

const float fmath_erfc[FMATH_ERFC_TERMS] = {
    0x1.09ce6ap-15f, 0x1.ccc16cp-3f, 0x1.db9ea8p-3f, 0x1.62c808p-3f, 0x1.1fb1b6p-2f,
    -0x1.7871d8p-4f, 0x1.37a018p-2f, -0x1.5de8dap-4f, -0x1.0bb91ap-4f, 0x1.b96cbep-6f};

float fmath_normalf(float x)
{
    if (x != x)
        return x;
    const float t = fabsf(x) * FMATH_SQRT_HALF;
    const float u = 1.0f / fmaf(FMATH_ERFC_STRETCH, t, 1.0f);
    float p = fmath_erfc[FMATH_ERFC_TERMS - 1];
    for (int i = FMATH_ERFC_TERMS - 2; i >= 0; i--)
        p = fmaf(p, u, fmath_erfc[i]);
    const float tail = p * fmath_expf((-0.5f * x) * x) * 0.5f;
    return x < 0 ? tail : 1.0f - tail;
}
